#include <stdlib.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "remote/ask.h"
#include "remote/remote.h"
#include "root/retention.h"

/* Which of its releases the rule removes; the caller frees it. */
static bool *
choose(const struct remote *r, const struct retention_rule *rule)
{
	size_t n = r->view.ids.n;
	bool *pinned = xcalloc(n, sizeof(*pinned));
	bool *bridges = xcalloc(n, sizeof(*bridges));
	bool *chosen = xcalloc(n, sizeof(*chosen));

	/* One whose meta makes no sense may be pinned: it stays. */
	for (size_t i = 0; i < n; i++) {
		const struct release_id *id = &r->view.ids.v[i];

		bridges[i] = !release_id_is_none(&r->metas[i].bridge);
		pinned[i] = release_id_is_none(&r->metas[i].id) ||
		    r->metas[i].pinned || release_id_eq(id, &r->view.bridge) ||
		    previews_show(&r->previews, id, clock_now() / 1000);
	}
	retention_select(&r->view.ids, pinned, bridges, &r->view.history, rule,
	    chosen);
	free(pinned);
	free(bridges);
	return chosen;
}

/* The ids that a prune removes, separated by commas. */
static void
add_doomed(const struct remote *r, const struct prune_options *o,
    struct buf *out)
{
	const struct retention_rule rule = { o->keep, o->older_than * 1000,
		clock_now() };
	bool *chosen = choose(r, &rule);
	const char *comma = "";

	for (size_t i = 0; i < r->view.ids.n; i++) {
		if (!chosen[i])
			continue;
		buf_addf(out, "%s%s", comma, r->view.ids.v[i].text);
		comma = ",";
	}
	free(chosen);
}

unsigned int
remote_keep_that_frees(const struct remote *r)
{
	struct retention_rule rule = { .keep = (unsigned int)r->view.ids.n,
		.now = clock_now() };
	bool frees = false;

	for (; r->metas != NULL && rule.keep > 0; rule.keep--) {
		bool *chosen = choose(r, &rule);

		for (size_t i = 0; i < r->view.ids.n; i++)
			frees |= chosen[i];
		free(chosen);
		if (frees)
			return rule.keep;
	}
	return 0;
}

int
remote_prune(struct remote *r, const struct prune_options *o,
    void (*line)(void *ctx, const char *key, const char *value), void *ctx,
    struct err *e)
{
	struct strvec args = STRVEC_INIT;
	struct buf doomed = BUF_INIT;
	int c = 0;

	if (r->stale && r->script)
		c = remote_info(r, REMOTE_ALL, NULL, e);
	strvec_addf(&args, "--keep=%u", o->keep);
	strvec_addf(&args, "--older-than=%lld", (long long)o->older_than);
	if (o->preview)
		strvec_add(&args, "--check");
	if (!r->stale && r->script) {
		strvec_addf(&args, "--expect=%s", r->view.current.text);
		strvec_addf(&args, "--journal-size=%lld",
		    (long long)r->journal_size);
		add_doomed(r, o, &doomed);
		strvec_addf(&args, "--remove=%s", buf_str(&doomed));
	}
	if (c == 0)
		c = ask_all(r, "prune", &args, line, ctx, e);
	strvec_release(&args);
	buf_release(&doomed);
	return c;
}
