#include "ssh/ssh_bytes.h"

bool
ssh_bytes_take_number(struct ssh_bytes *from, size_t len, uint64_t *out)
{
	if (from->n < len)
		return false;
	*out = 0;
	for (size_t i = 0; i < len; i++)
		*out = *out << 8 | from->p[i];
	from->p += len;
	from->n -= len;
	return true;
}

bool
ssh_bytes_take(struct ssh_bytes *from, struct ssh_bytes *out)
{
	struct ssh_bytes rest = *from;
	uint64_t n;

	if (!ssh_bytes_take_number(&rest, 4, &n) || n > rest.n)
		return false;
	*out = (struct ssh_bytes){ rest.p, (size_t)n };
	*from = (struct ssh_bytes){ rest.p + n, rest.n - (size_t)n };
	return true;
}
