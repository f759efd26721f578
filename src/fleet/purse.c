#include "fleet/purse.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "content/zstream.h"
#include "os/io.h"

enum {
	PUT_IN = 16 * 1024,
	WINDOW = 64 * 1024,
	PART = 16,		 /* entries that are looked at together */
	REACH = 2 * 1024 * 1024, /* the window of whole packs */
	MUCH = 4 * 1024 * 1024,	 /* is compressed as fast as whole packs are */
};

/* A stream, of which the size is all that counts. */
struct scale {
	struct zwriter *z;
	int64_t bytes; /* compressed */
};

/* Entries that were looked at: what they won, and where they end. */
struct part {
	int64_t won, end;
};

struct purse {
	const struct batch *b;
	enum purse_kind kind;
	/* Of what was put in; less than 0: what was won is spent, too. */
	int64_t left;
	int64_t won; /* what is sure of it */
	bool more;   /* was saved since this way through the build began */
	size_t next; /* entry that is not measured yet */
	struct scale whole, edited;
	int64_t seen;	   /* bytes of these entries that would travel */
	struct part *late; /* from `first` on those that may yet be lost */
	size_t first, n, cap;
	char *window;
};

struct purse *
purse_new(const struct batch *b, enum purse_kind kind)
{
	struct purse *p = xcalloc(1, sizeof(*p));

	p->b = b;
	p->kind = kind;
	p->left = PUT_IN;
	p->next = b->what->m->n;
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
	free(p->late);
	free(p);
}

void
purse_take(struct purse *p, int64_t bytes)
{
	p->left -= bytes;
}

void
purse_save(struct purse *p)
{
	p->more = true;
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

/* From the first entry on, all into the same streams, as into a pack. */
static void
begin(struct purse *p)
{
	int64_t all = manifest_totals(p->b->what->m).bytes;

	if (p->window == NULL)
		p->window = xmalloc(WINDOW);
	zwriter_free(p->whole.z);
	zwriter_free(p->edited.z);
	if (all < MUCH)
		all = MUCH;
	p->whole = p->edited = (struct scale){ NULL, 0 };
	p->whole.z = zwriter_new(all, count_piece, &p->whole.bytes);
	p->edited.z = zwriter_new(all, count_piece, &p->edited.bytes);
	p->next = p->first = p->n = 0;
	p->seen = 0;
	p->more = false;
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
		p->seen += n;
		len -= n;
	}
	return 0;
}

/* Would it travel without what this purse pays for? */
static bool
counts(const struct purse *p, size_t i)
{
	const uint8_t source = p->b->edits.v[i].source;

	return !p->b->fetched[i] &&
	    (source == EDIT_WHOLE || source == EDIT_DELTA ||
		(source == EDIT_RULES && p->kind == PURSE_RULES));
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

	if (!counts(p, i))
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

/* What it won may be in what comes within reach. */
static void
add_late(struct purse *p, int64_t won)
{
	if (p->n == p->cap) {
		p->cap = p->cap > 0 ? p->cap * 2 : 64;
		p->late = xreallocarray(p->late, p->cap, sizeof(*p->late));
	}
	p->late[p->n++] = (struct part){ won, p->seen };
	while (p->late[p->first].end + REACH < p->seen)
		p->first++;
}

/* What cannot be lost any more of all that was won on this way. */
static int64_t
sure(const struct purse *p)
{
	int64_t won = p->whole.bytes - p->edited.bytes;

	if (p->next == p->b->what->m->n)
		return won;
	for (size_t i = p->first; i < p->n; i++)
		won -= p->late[i].won > 0 ? p->late[i].won : 0;
	return won;
}

/* Measure some more. */
static void
earn(struct purse *p)
{
	size_t n = p->b->what->m->n,
	       end = n - p->next < PART ? n : p->next + PART;
	int64_t before = p->whole.bytes - p->edited.bytes, won;
	struct err ignored = ERR_INIT;

	while (p->next < end)
		weigh_file(p, p->next++);
	err_ignore(zwriter_flush(p->whole.z, &ignored));
	err_ignore(zwriter_flush(p->edited.z, &ignored));
	add_late(p, p->whole.bytes - p->edited.bytes - before);
	won = sure(p);
	if (won > p->won)
		p->won = won;
}

int64_t
purse_look(struct purse *p, int64_t want)
{
	while (p->left + p->won < want) {
		if (p->next == p->b->what->m->n && !p->more)
			break;
		if (p->next == p->b->what->m->n)
			begin(p);
		earn(p);
	}
	return p->left + p->won > 0 ? p->left + p->won : 0;
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
