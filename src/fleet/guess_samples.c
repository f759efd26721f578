#include "fleet/guess_samples.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "fleet/purse.h"
#include "os/io.h"
#include "os/log.h"

enum {
	SAMPLES_BYTES = 32 * 1024, /* of one round */
	FIRST_BYTES = 64 * 1024,   /* of a sample, if there is no smaller */
	WEIGHED = 64,		   /* pages that are looked at for it */
	LINE = 12,		   /* around a path and a size */
};

const struct entry *
guess_new(const struct guess *g, size_t i)
{
	return &g->job->m->v[i];
}

const struct entry *
guess_old(const struct guess *g, size_t i)
{
	return manifest_find(g->job->base, guess_new(g, i)->path);
}

/* What pages of a kind have in common. */
struct kind {
	const char *extension;
	size_t depth;
	int64_t growth;
	int64_t size; /* of the old page */
	size_t entry;
};

static void
fill_kind(const struct guess *g, size_t i, struct kind *k)
{
	const struct entry *en = guess_new(g, i);
	const char *slash = strrchr(en->path, '/');
	const char *dot = strrchr(slash != NULL ? slash : en->path, '.');

	*k = (struct kind){ .extension = dot != NULL ? dot : "",
		.size = guess_old(g, i)->size,
		.entry = i };
	k->growth = en->size - k->size;
	for (const char *p = en->path; *p != '\0'; p++)
		k->depth += *p == '/';
}

static int
compare_kinds(const struct kind *a, const struct kind *b)
{
	int c = strcmp(a->extension, b->extension);

	if (c != 0)
		return c;
	if (a->depth != b->depth)
		return a->depth < b->depth ? -1 : 1;
	return a->growth < b->growth ? -1 : a->growth > b->growth;
}

/* By kind, then by size. */
static int
compare_pages(const void *x, const void *y)
{
	const struct kind *a = x, *b = y;
	int c = compare_kinds(a, b);

	return c != 0 ? c : a->size < b->size ? -1 : a->size > b->size;
}

/* A group of pages of one kind. */
struct group {
	size_t from, n; /* in the sorted pages */
};

/* The largest first. */
static int
compare_groups(const void *x, const void *y)
{
	const struct group *a = x, *b = y;

	return a->n > b->n ? -1 : a->n < b->n;
}

static size_t
find_groups(const struct kind *v, size_t n, size_t least, struct group *groups)
{
	size_t count = 0, from = 0;

	for (size_t i = 1; i <= n; i++) {
		if (i < n && compare_kinds(&v[from], &v[i]) == 0)
			continue;
		if (i - from >= least)
			groups[count++] = (struct group){ from, i - from };
		from = i;
	}
	qsort(groups, count, sizeof(*groups), compare_groups);
	return count;
}

bool
guess_read(const struct guess *g, size_t i, struct buf *out)
{
	const struct entry *en = guess_new(g, i);
	char digest[HASH_HEX + 1];
	ssize_t n;
	int fd;

	hash_hex(en->digest, digest);
	fd = openat(g->job->build->fd, g->job->by_digest ? digest : en->path,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return false;
	buf_reset(out);
	buf_reserve(out, (size_t)en->size);
	n = io_read(fd, out->data, (size_t)en->size);
	close(fd);
	out->len = n > 0 ? (size_t)n : 0;
	return n == en->size;
}

/* What the page costs as a sample; it is not read but for that. */
static int64_t
cost_of(const struct guess *g, struct samples *s, const struct kind *k)
{
	const size_t path = strlen(guess_new(g, k->entry)->path);
	struct buf text = BUF_INIT;
	int64_t cost = INT64_MAX;

	if (s->weighed++ < WEIGHED && guess_read(g, k->entry, &text))
		cost = (int64_t)path + LINE +
		    purse_weigh(buf_str(&text), text.len);
	buf_release(&text);
	return cost;
}

/* Can it be paid, with those before it? */
static bool
is_affordable(const struct guess *g, struct samples *s, const struct kind *k)
{
	int64_t cost, have;

	if (g->job->purse == NULL)
		return true;
	cost = cost_of(g, s, k);
	have = purse_look(g->job->purse, SAMPLES_BYTES) - s->cost;
	if (cost > have)
		return false;
	s->cost += cost;
	return true;
}

/* Take the page as a sample of the group, if there is room for it. */
static void
add_sample(const struct guess *g, struct samples *s, size_t group,
    const struct kind *k)
{
	int64_t room = s->n == 0 ? FIRST_BYTES : SAMPLES_BYTES - s->bytes;

	if (s->n == SAMPLES_MAX || k->size > room ||
	    (s->n > 0 && s->entry[s->n - 1] == k->entry) ||
	    !is_affordable(g, s, k))
		return;
	s->group[s->n] = group;
	s->entry[s->n] = k->entry;
	s->base[s->n] = (size_t)(guess_old(g, k->entry) - g->job->base->v);
	s->n++;
	s->bytes += k->size;
}

void
samples_choose(const struct guess *g, struct samples *s)
{
	struct kind *v = xcalloc(g->n, sizeof(*v));
	struct group *groups =
	    xcalloc(g->n / g->job->group_min + 1, sizeof(*groups));
	size_t n;

	for (size_t i = 0; i < g->n; i++)
		fill_kind(g, g->left[i], &v[i]);
	qsort(v, g->n, sizeof(*v), compare_pages);
	n = find_groups(v, g->n, g->job->group_min, groups);
	for (size_t i = 0; i < n; i++) {
		add_sample(g, s, i, &v[groups[i].from + groups[i].n / 20]);
		add_sample(g, s, i, &v[groups[i].from + groups[i].n * 2 / 5]);
	}
	free(v);
	free(groups);
}

/* Bytes of a question, about. */
static int64_t
question_bytes(const struct guess *g, const struct samples *s)
{
	int64_t sum = 0;

	for (size_t i = 0; i < s->n; i++)
		sum += (int64_t)strlen(guess_new(g, s->entry[i])->path) + LINE;
	return sum;
}

bool
samples_ask(const struct guess *g, struct samples *s)
{
	struct purse *purse = g->job->purse;
	const struct remote_choice which = { g->job->id, g->job->base, s->base,
		s->n };
	int64_t asked = question_bytes(g, s);

	for (size_t i = 0; i < g->f->n; i++) {
		struct remote *r = &g->f->v[i];
		struct err e = ERR_INIT;
		int64_t bytes = purse == NULL ?
		    INT64_MAX :
		    purse_look(purse, SAMPLES_BYTES) - asked;

		if (r->failed || !g->job->has(g->job->ctx, r))
			continue;
		if (remote_samples(r, &which, s->old, &bytes, &e) == 0) {
			if (purse != NULL)
				purse_take(purse, asked + bytes);
			return true;
		}
		log_debug("%sno samples for rules: %s", remote_said(r),
		    e.text);
		for (size_t k = 0; k < s->n; k++)
			buf_reset(&s->old[k]);
	}
	return false;
}

void
samples_release(struct samples *s)
{
	for (size_t i = 0; i < SAMPLES_MAX; i++) {
		buf_release(&s->old[i]);
		buf_release(&s->new[i]);
	}
}
