#include "base/intake.h"

#include <string.h>

enum { MOVE_MIN = 64 * 1024 }; /* for less nothing is moved to the front */

void
intake_release(struct intake *t)
{
	buf_release(&t->said);
	*t = (struct intake)INTAKE_INIT;
}

size_t
intake_len(const struct intake *t)
{
	return t->said.len - t->taken;
}

const char *
intake_data(const struct intake *t)
{
	return buf_str(&t->said) + t->taken;
}

void
intake_drop(struct intake *t, size_t n)
{
	t->taken += n;
	t->seen = 0;
	if (t->taken == t->said.len) {
		buf_reset(&t->said);
		t->taken = 0;
	} else if (t->taken > t->said.len / 2 && t->taken > MOVE_MIN) {
		buf_keep_last(&t->said, intake_len(t));
		t->taken = 0;
	}
}

size_t
intake_take(struct intake *t, void *data, size_t len)
{
	size_t n = intake_len(t) < len ? intake_len(t) : len;

	if (n > 0)
		memcpy(data, intake_data(t), n);
	intake_drop(t, n);
	return n;
}

bool
intake_line(struct intake *t, struct buf *line)
{
	const char *from = intake_data(t);
	const char *nl = memchr(from + t->seen, '\n', intake_len(t) - t->seen);

	t->seen = intake_len(t);
	if (nl == NULL)
		return false;
	buf_reset(line);
	buf_add(line, from, (size_t)(nl - from));
	intake_drop(t, (size_t)(nl - from) + 1);
	return true;
}
