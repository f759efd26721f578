/*
 * Lines of a FIFO, in pieces of any size.  A name is never longer, never has a
 * control character or blanks around it, and it does not matter where the
 * pieces were cut.
 */
#include "queue/fifo.h"

#include <stdint.h>
#include <string.h>

#include "base/alloc.h"
#include "base/strvec.h"

/* Must hold. */
#define MUST(expr) \
	do { \
		if (!(expr)) \
			BUG(#expr); \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
on_name(void *ctx, const char *name)
{
	size_t len = strlen(name);

	MUST(len > 0 && len <= FIFO_LINE_MAX);
	MUST(strchr(" \t\r", name[0]) == NULL);
	MUST(strchr(" \t\r", name[len - 1]) == NULL);
	for (size_t i = 0; i < len; i++)
		MUST((unsigned char)name[i] >= ' ' && name[i] != 0x7f);
	strvec_add(ctx, name);
}

/* Feed it in pieces of `step` bytes. */
static void
feed(const char *data, size_t size, size_t step, struct strvec *names,
    size_t *dropped)
{
	struct fifo_lines l = FIFO_LINES_INIT;

	for (size_t i = 0; i < size; i += step)
		fifo_feed(&l, data + i, size - i < step ? size - i : step,
		    on_name, names);
	if (fifo_is_partial(&l))
		fifo_flush(&l, on_name, names);
	MUST(!fifo_is_partial(&l));
	*dropped = l.dropped;
	fifo_lines_release(&l);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct strvec one = STRVEC_INIT, other = STRVEC_INIT;
	size_t step = size > 0 ? 1 + data[0] % 7 : 1, n, m;

	feed((const char *)data, size, size + 1, &one, &n);
	feed((const char *)data, size, step, &other, &m);
	MUST(one.n == other.n && n == m);
	for (size_t i = 0; i < one.n; i++)
		MUST(strcmp(one.v[i], other.v[i]) == 0);
	strvec_release(&one);
	strvec_release(&other);
	return 0;
}
