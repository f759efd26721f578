#include "fleet/fleet_fetch.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "os/log.h"

enum {
	/*
	 * Files of one request: their paths fit into a pipe, so that nobody
	 * waits for the other, and their contents need little memory where
	 * the host begins to answer before it has read all paths.
	 */
	BATCH = 1024,
	BATCH_PATHS = 32 * 1024,
	BATCH_BYTES = 16 * 1024 * 1024,
};

static bool
is_same_file(const struct entry *a, const struct entry *b)
{
	return a != NULL && a->type == ENTRY_FILE && a->size == b->size &&
	    memcmp(a->digest, b->digest, HASH_LEN) == 0;
}

/* Files that are asked for together. */
struct request {
	size_t v[BATCH], n;
	size_t paths; /* bytes */
	int64_t bytes;
};

/* Is there room for one more? */
static bool
has_room(const struct request *rq, const struct entry *en)
{
	return rq->n == 0 ||
	    (rq->n < BATCH && rq->paths + strlen(en->path) < BATCH_PATHS &&
		rq->bytes + en->size <= BATCH_BYTES);
}

/* Is it here, perhaps for another path? */
static bool
is_here(const struct hoard *x, const struct entry *en)
{
	return hoard_has(x, en->digest);
}

/*
 * One after the other: a file that is damaged ends the answer, and the others
 * may be well.
 */
static int
fetch_each(struct hoard *x, struct remote *r, const struct release_id *id,
    const struct manifest *m, const struct request *rq, struct err *e)
{
	struct err one = ERR_INIT;
	int c = 0;

	for (size_t i = 0; i < rq->n && (c == 0 || one.code == ERR_INTEGRITY);
	     i++) {
		const struct remote_choice which = { id, m, &rq->v[i], 1 };

		if (!is_here(x, &m->v[rq->v[i]]) &&
		    remote_files(r, &which, &x->dir, &one) != 0) {
			*e = one;
			c = -1;
		}
	}
	return c;
}

/* Send the request; what came is not wanted any more. */
static int
fetch_request(struct hoard *x, struct remote *r, const struct release_id *id,
    const struct manifest *m, bool *wanted, struct request *rq, struct err *e)
{
	const struct remote_choice which = { id, m, rq->v, rq->n };
	int c = 0;

	if (rq->n > 0)
		c = remote_files(r, &which, &x->dir, e);
	if (c != 0 && rq->n > 1 && e->code == ERR_INTEGRITY)
		c = fetch_each(x, r, id, m, rq, e);
	for (size_t i = 0; i < rq->n; i++)
		wanted[rq->v[i]] = !is_here(x, &m->v[rq->v[i]]);
	rq->n = rq->paths = 0;
	rq->bytes = 0;
	return c == 0 ? 0 : remote_say(r, e);
}

/*
 * Fetch what the release `id` of the host has of it, `there` being its
 * manifest.
 */
static int
fetch_from(struct hoard *x, struct remote *r, const struct release_id *id,
    const struct manifest *there, const struct manifest *m, bool *wanted,
    struct err *e)
{
	struct request rq = { .n = 0 };

	for (size_t i = 0; i < m->n; i++) {
		const struct entry *en = &m->v[i];

		if (wanted[i] && is_here(x, en))
			wanted[i] = false;
		if (!wanted[i] ||
		    !is_same_file(manifest_find(there, en->path), en))
			continue;
		if (!has_room(&rq, en) &&
		    fetch_request(x, r, id, m, wanted, &rq, e) != 0)
			return -1;
		rq.v[rq.n++] = i;
		rq.paths += strlen(en->path) + 1;
		rq.bytes += en->size;
	}
	return fetch_request(x, r, id, m, wanted, &rq, e);
}

/* What is here is not wanted. */
static void
leave_out_here(const struct hoard *x, const struct manifest *m, bool *wanted)
{
	for (size_t i = 0; i < m->n; i++)
		if (wanted[i] && is_here(x, &m->v[i]))
			wanted[i] = false;
}

/* The path of a wanted file that is left, or NULL. */
static const char *
first_wanted(const struct manifest *m, const bool *wanted)
{
	for (size_t i = 0; i < m->n; i++)
		if (wanted[i])
			return m->v[i].path;
	return NULL;
}

/*
 * Fetch from the hosts that have the release, one after the other while
 * something is wanted.  `failed` gets the last that went wrong.
 */
static int
fetch_release_from_any(struct hoard *x, struct fleet *f,
    const struct release_id *id, const struct manifest *m, bool *wanted,
    struct err *failed, struct err *e)
{
	struct manifest there = MANIFEST_INIT;

	/* Another release may have it, too. */
	if (fleet_manifest(f, id, &there, failed) != 0) {
		if (failed->code == ERR_INTEGRITY)
			return 0;
		*e = *failed;
		return -1;
	}
	for (size_t i = 0; i < f->n && first_wanted(m, wanted) != NULL; i++)
		if (release_ids_has(&f->v[i].view.ids, id) &&
		    fetch_from(x, &f->v[i], id, &there, m, wanted, failed) !=
			0)
			log_info("%s; trying another host", failed->text);
	manifest_release(&there);
	return 0;
}

/* The ids of all hosts in the order in which they are looked at: last first. */
static void
order_releases(const struct fleet *f, const struct release_id *first,
    struct release_ids *out)
{
	fleet_releases(f, out);
	if (release_ids_has(out, first))
		release_ids_add(out, first);
}

int
fetch_files(struct hoard *x, struct fleet *f, const struct release_id *id,
    const struct manifest *m, bool *wanted, struct err *e)
{
	struct release_ids ids = RELEASE_IDS_INIT;
	struct err failed = ERR_INIT;
	const char *left;
	int c;

	leave_out_here(x, m, wanted);
	left = first_wanted(m, wanted);
	c = left != NULL ? hoard_open(x, e) : 0;
	order_releases(f, id, &ids);
	for (size_t i = ids.n; c == 0 && left != NULL && i-- > 0;) {
		c = fetch_release_from_any(x, f, &ids.v[i], m, wanted, &failed,
		    e);
		left = first_wanted(m, wanted);
	}
	if (c == 0 && left != NULL && failed.text[0] != '\0')
		*e = failed;
	else if (c == 0 && left != NULL)
		err_set(e, ERR_FAILED, "no host has '%s'", left);
	release_ids_release(&ids);
	return c == 0 && left == NULL ? 0 : -1;
}
