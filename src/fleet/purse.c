#include "fleet/purse.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "content/zstream.h"
#include "os/io.h"

enum {
	WINDOW = 64 * 1024,
	PART = 16,		/* entries that are looked at together */
	MUCH = 4 * 1024 * 1024, /* is compressed as fast as whole packs are */
};

/* Entries of which some need not travel. */
struct range {
	size_t from, end;
};

/* A stream, of which the size is all that counts. */
struct scale {
	struct zwriter *z;
	int64_t bytes; /* compressed */
};

struct purse {
	const struct batch *b;
	int64_t left;
	struct range *v;
	size_t n, cap;
	size_t next; /* range that is not measured yet */
	struct scale whole, edited;
	int64_t won; /* so far */
	char *window;
};

struct purse *
purse_new(const struct batch *b, int64_t bytes)
{
	struct purse *p = xcalloc(1, sizeof(*p));

	p->b = b;
	p->left = bytes;
	return p;
}

void
purse_free(struct purse *p)
{
	if (p == NULL)
		return;
	zwriter_free(p->whole.z);
	zwriter_free(p->edited.z);
	free(p->window);
	free(p->v);
	free(p);
}

void
purse_take(struct purse *p, int64_t bytes)
{
	p->left -= bytes;
}

void
purse_save(struct purse *p, size_t from, size_t end)
{
	if (p->n == p->cap) {
		p->cap = p->cap > 0 ? p->cap * 2 : 64;
		p->v = xreallocarray(p->v, p->cap, sizeof(*p->v));
	}
	p->v[p->n++] = (struct range){ from, end };
}

void
purse_save_all(struct purse *p)
{
	if (p->n == 0)
		purse_save(p, 0, p->b->what->m->n);
}

/* ---- measuring --------------------------------------------------------- */

/* For zwriter_new(). */
static int
count_piece(void *ctx, const void *data, size_t len, struct err *e)
{
	int64_t *sum = ctx;

	(void)data;
	(void)e;
	*sum += (int64_t)len;
	return 0;
}

/* All that is measured goes into the same streams, as into a pack. */
static void
open_scales(struct purse *p)
{
	/* Some is looked at twice. */
	int64_t all = 2 * manifest_totals(p->b->what->m).bytes;

	if (p->window != NULL)
		return;
	p->window = xmalloc(WINDOW);
	if (all < MUCH)
		all = MUCH;
	p->whole.z = zwriter_new(all, count_piece, &p->whole.bytes);
	p->edited.z = zwriter_new(all, count_piece, &p->edited.bytes);
}

/* The next bytes of the open file into one of the streams, or both. */
static int
weigh_part(struct purse *p, int fd, int64_t len, bool travels, struct err *e)
{
	while (len > 0) {
		ssize_t n = io_read(fd, p->window,
		    len < WINDOW ? (size_t)len : WINDOW);

		if (n <= 0 ||
		    zwriter_add(p->whole.z, p->window, (size_t)n, e) != 0)
			return -1;
		if (travels &&
		    zwriter_add(p->edited.z, p->window, (size_t)n, e) != 0)
			return -1;
		len -= n;
	}
	return 0;
}

/* A file of which a delta travels. */
static int
weigh_delta(struct purse *p, int fd, const struct delta *d, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < d->n; i++) {
		r = weigh_part(p, fd, d->v[i].own, true, e);
		if (r == 0)
			r = weigh_part(p, fd, d->v[i].bytes, false, e);
	}
	return r;
}

/* One that cannot be read is not counted. */
static void
weigh_file(struct purse *p, size_t i)
{
	const struct batch *b = p->b;
	const struct entry *en = &b->what->m->v[i];
	const uint8_t source = b->edits.v[i].source;
	struct err ignored = ERR_INIT;
	int fd;

	if (b->fetched[i] ||
	    (source != EDIT_WHOLE && source != EDIT_RULES &&
		source != EDIT_DELTA))
		return;
	fd = openat(b->what->build->fd, en->path,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return;
	if (source == EDIT_DELTA)
		err_ignore(weigh_delta(p, fd, b->deltas[i], &ignored));
	else
		err_ignore(weigh_part(p, fd, en->size, source == EDIT_WHOLE,
		    &ignored));
	close(fd);
}

/* Measure some more of the range. */
static void
earn(struct purse *p, struct range *r)
{
	size_t end = r->end - r->from < PART ? r->end : r->from + PART;
	struct err ignored = ERR_INIT;
	int64_t won;

	open_scales(p);
	while (r->from < end)
		weigh_file(p, r->from++);
	err_ignore(zwriter_flush(p->whole.z, &ignored));
	err_ignore(zwriter_flush(p->edited.z, &ignored));
	won = p->whole.bytes - p->edited.bytes;
	p->left += won - p->won;
	p->won = won;
}

int64_t
purse_look(struct purse *p, int64_t want)
{
	while (p->left < want && p->next < p->n) {
		struct range *r = &p->v[p->next];

		earn(p, r);
		p->next += r->from == r->end;
	}
	return p->left > 0 ? p->left : 0;
}

int64_t
purse_weigh(const void *data, size_t len)
{
	struct err ignored = ERR_INIT;
	int64_t sum = 0;
	struct zwriter *z = zwriter_new((int64_t)len, count_piece, &sum);

	if (zwriter_add(z, data, len, &ignored) == 0)
		err_ignore(zwriter_end(z, &ignored));
	zwriter_free(z);
	return sum;
}
