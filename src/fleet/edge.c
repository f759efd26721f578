#include "fleet/edge.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/text.h"
#include "fleet/check.h"
#include "fleet/web.h"
#include "os/intr.h"
#include "os/log.h"

enum { PAUSE = 500 }; /* ms between two questions */

/* What browsers say that they take; NULL: who takes nothing compressed. */
static const char *const accepts[] = { NULL, "gzip, br, zstd" };

/* One file of the release, at one edge. */
struct question {
	const struct edge_wanted *wanted;
	const struct entry *en;
	char *url;
};

static bool
is_entry(const struct web_answer *a, const struct entry *en)
{
	return a->size == en->size &&
	    memcmp(a->digest, en->digest, HASH_LEN) == 0;
}

/* Which release is it that came, as far as that is known? */
static void
say_whose(const struct question *q, const struct web_answer *a, struct err *e)
{
	const struct edge_wanted *w = q->wanted;
	const struct entry *old =
	    w->old != NULL ? manifest_find(w->old, q->en->path) : NULL;

	if (old != NULL && old->type == ENTRY_FILE && is_entry(a, old))
		err_set(e, ERR_CLEANUP, "%s gives '%s' of %s still", q->url,
		    q->en->path, w->old_id);
	else
		err_set(e, ERR_CLEANUP,
		    "%s gives something else than '%s' of the release (%s instead of %lld)",
		    q->url, q->en->path, TEXT_COUNT(a->size, "byte", "bytes"),
		    (long long)q->en->size);
}

static void
say_field(const char *name, const char *value, struct err *e)
{
	if (*value != '\0')
		err_append(e, ", %s: %s", name, value);
}

/* Ask once in one way.  0 or -1. */
static int
ask_as(struct web *web, const struct question *q, const char *accept,
    struct web_answer *a, struct err *e)
{
	const struct web_request r = { .url = q->url,
		.accept = accept,
		.most = INT64_MAX };

	if (web_get(web, &r, a, e) != 0)
		return -1;
	if (a->status == 200 && is_entry(a, q->en))
		return 0;
	if (a->status != 200)
		err_set(e, ERR_CLEANUP, "%s gives the status %ld", q->url,
		    a->status);
	else
		say_whose(q, a, e);
	if (accept != NULL)
		say_field("Accept-Encoding", accept, e);
	say_field("Age", a->fields.age, e);
	say_field("Via", a->fields.via, e);
	say_field("X-Cache", a->fields.x_cache, e);
	return -1;
}

/* Once, in all ways. */
static int
ask(struct web *web, const struct question *q, struct err *e)
{
	struct web_answer a = WEB_ANSWER_INIT;
	int r = 0;

	for (size_t i = 0; r == 0 && i < 2; i++)
		r = ask_as(web, q, accepts[i], &a, e);
	web_answer_release(&a);
	return r;
}

/* Again and again, as long as there is time. */
static int
await(struct web *web, const struct question *q, int64_t deadline,
    struct err *e)
{
	struct err stop = ERR_INIT;

	while (ask(web, q, e) != 0) {
		if (intr_check(&stop) != 0) {
			*e = stop;
			return -1;
		}
		if (clock_now() >= deadline)
			return -1;
		log_debug("%s; asking again", e->text);
		clock_pause(PAUSE);
	}
	return 0;
}

int
edge_await(const struct check_config *c, const char *url,
    const struct edge_wanted *wanted, int64_t deadline, struct err *e)
{
	const struct manifest *m = wanted->m;
	size_t *sample = xcalloc(m->n, sizeof(*sample));
	size_t n = check_sample(m, c->sample > 0 ? c->sample : 1, sample);
	struct web *web = web_new(c, NULL, e);
	int r = web != NULL ? 0 : -1;

	for (size_t i = 0; r == 0 && i < n; i++) {
		struct question q = { .wanted = wanted,
			.en = &m->v[sample[i]] };

		q.url = check_url(url, q.en->path);
		r = await(web, &q, deadline, e);
		free(q.url);
	}
	web_free(web);
	free(sample);
	if (r != 0)
		e->code = ERR_CLEANUP;
	return r;
}
