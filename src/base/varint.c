#include "base/varint.h"

void
varint_add(struct buf *b, uint64_t n)
{
	while (n >= 0x80) {
		buf_addc(b, (char)(unsigned char)(n | 0x80));
		n >>= 7;
	}
	buf_addc(b, (char)n);
}

void
varint_add_signed(struct buf *b, int64_t n)
{
	uint64_t twice = (uint64_t)n << 1;

	varint_add(b, n < 0 ? ~twice : twice);
}

bool
varint_take(struct varint_in *in, uint64_t max, uint64_t *out)
{
	uint64_t n = 0;

	for (size_t i = 0; i < in->left && i < 10; i++) {
		uint64_t c = (unsigned char)in->p[i];

		/* The tenth byte has one bit of the 64. */
		if (i == 9 && c > 1)
			return false;
		n |= (c & 0x7f) << (7 * i);
		if (c >= 0x80)
			continue;
		if (n > max)
			return false;
		in->p += i + 1;
		in->left -= i + 1;
		*out = n;
		return true;
	}
	return false;
}

bool
varint_take_from(struct varint_in *in, int64_t base, int64_t *out)
{
	uint64_t n;
	int64_t d, sum;

	if (!varint_take(in, UINT64_MAX, &n))
		return false;
	d = (int64_t)(n >> 1);
	if ((n & 1) != 0)
		d = -d - 1;
	if (__builtin_add_overflow(base, d, &sum) || sum < 0)
		return false;
	*out = sum;
	return true;
}

const char *
varint_take_bytes(struct varint_in *in, size_t len)
{
	const char *p = in->p;

	if (len > in->left)
		return NULL;
	in->p += len;
	in->left -= len;
	return p;
}
