#include "host/receive_gzip.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "content/edits.h"
#include "content/encode.h"
#include "os/beneath.h"
#include "os/intr.h"
#include "os/io.h"
#include "root/incoming.h"

enum { PIECE = 64 * 1024 };

struct forming {
	struct receiver *r;
	const struct entry *plain;
	struct entry *en;
	int from, to;
	int64_t done;
};

/* For the encoder. */
static int
put(void *ctx, const void *data, size_t len, struct err *e)
{
	struct forming *g = ctx;

	return receiver_write(g->r, g->to, g->en, &g->done, data, len, e);
}

/* Exactly as much as the encoder was told; of a rotten file there is less. */
static int
read_plain(struct forming *g, struct encoder *c, char *data, struct err *e)
{
	int64_t left = g->plain->size;

	while (left > 0) {
		ssize_t n = io_read(g->from, data,
		    left < PIECE ? (size_t)left : PIECE);

		if (n < 0)
			return err_sys(e, "cannot read '%s/%s'",
			    g->r->in->dir.path, g->plain->path);
		if (n == 0)
			return receiver_hostile(g->r, g->plain->path,
			    "which is shorter than its entry says", e);
		if (intr_check(e) != 0 ||
		    encoder_add(c, data, (size_t)n, e) != 0)
			return -1;
		left -= n;
	}
	return encoder_end(c, e);
}

static int
fill(struct forming *g, struct err *e)
{
	char *data = xmalloc(PIECE);
	struct encoder *c = encoder_new(ENCODING_GZIP, g->plain->size, put, g);
	int r = read_plain(g, c, data, e);

	encoder_free(c);
	free(data);
	return r == 0 ? receiver_finish_new(g->r, g->to, g->en, g->done, e) :
			r;
}

int
receive_gzip(struct receiver *r, struct entry *en, int64_t *may, struct err *e)
{
	struct forming g = { .r = r,
		.en = en,
		.plain = edits_plain(&r->m, en) };
	int c = -1;

	if (g.plain == NULL)
		return receiver_hostile(r, en->path,
		    "which is not a compressed form of a file beside it", e);
	if (g.plain->size > *may)
		return receiver_hostile(r, en->path,
		    "which is too much to compress", e);
	*may -= g.plain->size;
	g.from = beneath_open(r->in->dir.fd, g.plain->path,
	    O_RDONLY | O_NONBLOCK, 0);
	if (g.from < 0)
		return err_sys(e, "cannot open '%s/%s'", r->in->dir.path,
		    g.plain->path);
	g.to = receiver_create(r, en, e);
	if (g.to >= 0)
		c = receiver_close(r, g.to, en, fill(&g, e), e);
	close(g.from);
	return c;
}
