#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "cmd/cmd.h"
#include "cmd/table.h"
#include "content/tree.h"
#include "fleet/drift.h"
#include "os/lock.h"
#include "root/freeze.h"
#include "root/meta.h"

/* What `status` found out. */
struct status {
	struct view v;
	struct meta live; /* of the live release */
	struct freeze freeze;
	bool frozen;
	struct buf holder; /* of the lock; empty when free */
	struct dir_space space;
	struct strvec drift; /* differences of the live release */
};

/* Names, sizes and times of the live release against its manifest. */
static int
look_for_drift(const struct store *s, struct status *st, struct err *e)
{
	struct manifest m = MANIFEST_INIT;
	struct dir d = DIR_INIT;
	int r = -1;

	if (manifest_read(&m, &s->manifests, st->v.current.s, e) == 0 &&
	    dir_open(&d, &s->releases, st->v.current.s, e) == 0)
		r = tree_compare(&d, &m, &st->drift, e);
	dir_close(&d);
	manifest_release(&m);
	return r;
}

static int
look(struct run *run, struct store *s, struct status *st, struct err *e)
{
	struct err why = ERR_INIT;
	int r = cmd_open_view(run, s, &st->v, e);

	if (r != 0)
		return -1;
	r = freeze_read(s, &st->freeze, e);
	if (r < 0 || dir_space(&s->root, &st->space, e) != 0)
		return -1;
	st->frozen = r > 0;
	(void)lock_is_held(&s->state, &st->holder);
	if (st->v.current.s[0] == '\0')
		return 0;
	if (meta_read(s, st->v.current.s, &st->live, &why) != 0 ||
	    look_for_drift(s, st, &why) != 0)
		strvec_add(&st->drift, why.text);
	return 0;
}

static void
answer(struct run *run, const struct status *st)
{
	json_t *doc = cmd_new_doc(run), *drift = json_new_array();
	char since[32];

	release_format_time(st->v.history.since, since);
	cmd_put_id(doc, "current", st->v.current.s);
	json_put_string(doc, "since", st->v.history.since > 0 ? since : NULL);
	json_put_string(doc, "commit", st->live.commit);
	json_put_string(doc, "message", st->live.message);
	cmd_put_id(doc, "previous", view_previous(&st->v));
	cmd_put_id(doc, "latest", view_latest(&st->v));
	json_put_int(doc, "releases", (int64_t)st->v.ids.n);
	json_put_string(doc, "locked_by",
	    st->holder.len > 0 ? st->holder.data : NULL);
	json_put_bool(doc, "frozen", st->frozen);
	json_put_string(doc, "frozen_by", st->freeze.who);
	json_put_string(doc, "frozen_why", st->freeze.why);
	release_format_time(st->freeze.until, since);
	json_put_string(doc, "frozen_until",
	    st->freeze.until > 0 ? since : NULL);
	json_put_int(doc, "free_bytes", (int64_t)st->space.bytes);
	for (size_t i = 0; i < st->drift.n; i++)
		json_push_string(drift, st->drift.v[i]);
	json_put(doc, "drift", drift);
	cmd_answer(run, doc);
}

/* One line of the table; control characters are escaped. */
static void __attribute__((format(printf, 2, 3)))
line(const char *label, const char *fmt, ...)
{
	char *text;
	va_list ap;

	va_start(ap, fmt);
	text = text_vcleanf(fmt, ap);
	va_end(ap);
	printf("%-10s %s\n", label, text);
	free(text);
}

static void
print(const struct run *run, const struct status *st)
{
	const char *previous = view_previous(&st->v);
	char since[32], until[32], space[32];

	release_format_time(st->v.history.since, since);
	text_size((int64_t)st->space.bytes, space);
	if (run->site->name != NULL)
		line("site", "%s", run->site->name);
	line("root", "%s", run->site->root);
	if (st->v.current.s[0] == '\0')
		line("live", "nothing yet");
	else
		line("live", "%s since %s%s%s%s%s", st->v.current.s,
		    st->v.history.since > 0 ? since : "an unknown time",
		    st->live.commit != NULL ? ", commit " : "",
		    st->live.commit != NULL ? st->live.commit : "",
		    st->live.message != NULL ? ": " : "",
		    st->live.message != NULL ? st->live.message : "");
	line("previous", "%s", previous != NULL ? previous : "none");
	line("releases", "%zu", st->v.ids.n);
	line("lock", "%s", st->holder.len > 0 ? st->holder.data : "free");
	release_format_time(st->freeze.until, until);
	if (st->frozen)
		line("frozen", "by %s%s%s%s%s",
		    st->freeze.who != NULL ? st->freeze.who : "somebody",
		    st->freeze.until > 0 ? " until " : "",
		    st->freeze.until > 0 ? until : "",
		    st->freeze.why != NULL ? ": " : "",
		    st->freeze.why != NULL ? st->freeze.why : "");
	line("free", "%s", space);
	if (st->drift.n > 0)
		line("drift", "%s%s; run 'deploy verify'", st->drift.v[0],
		    st->drift.n > 1 ? " (and more)" : "");
}

/* One host's lines; one that failed has one. */
static void
print_host(const struct remote *r)
{
	const char *previous = view_previous(&r->view);
	char space[TEXT_SIZE_LEN] = "unknown bytes", label[32];

	snprintf(label, sizeof(label), "%s", r->host->label);
	if (r->failed) {
		line(label, "%s", r->err.text);
		return;
	}
	if (r->room.bytes >= 0)
		text_size(r->room.bytes, space);
	line(label, "live %s, previous %s, %zu releases, lock %s%s, %s free",
	    r->view.current.s[0] != '\0' ? r->view.current.s : "nothing",
	    previous != NULL ? previous : "none", r->view.ids.n,
	    r->locked != NULL ? r->locked : "free",
	    r->frozen ? ", FROZEN" : "", space);
}

static json_t *
put_host(const struct remote *r)
{
	json_t *j = json_new_object();

	json_put_string(j, "host", r->host->label);
	json_put_string(j, "root", r->host->root);
	json_put_string(j, "error", r->failed ? r->err.text : NULL);
	cmd_put_id(j, "current", r->view.current.s);
	cmd_put_id(j, "previous", view_previous(&r->view));
	json_put_int(j, "releases", (int64_t)r->view.ids.n);
	json_put_string(j, "locked_by", r->locked);
	json_put_bool(j, "frozen", r->frozen);
	if (r->room.bytes >= 0)
		json_put_int(j, "free_bytes", r->room.bytes);
	else
		json_put_null(j, "free_bytes");
	json_put_string(j, "version", r->version);
	return j;
}

/* All hosts, and in what they differ. */
static json_t *
fleet_doc(const struct run *run, const struct fleet *f,
    const struct strvec *differences)
{
	json_t *doc = cmd_new_doc(run), *hosts = json_new_array();
	json_t *drift = json_new_array();

	for (size_t i = 0; i < f->n; i++)
		json_push(hosts, put_host(&f->v[i]));
	for (size_t i = 0; i < differences->n; i++)
		json_push_string(drift, differences->v[i]);
	json_put(doc, "hosts", hosts);
	json_put(doc, "drift", drift);
	return doc;
}

static void
print_fleet(const struct fleet *f, const struct strvec *differences)
{
	for (size_t i = 0; i < f->n; i++)
		print_host(&f->v[i]);
	for (size_t i = 0; i < differences->n; i++)
		line("drift", "%s", differences->v[i]);
}

/* Every host that can be asked; the others make it fail in the end. */
static int
status_hosts(struct run *run, struct err *e)
{
	struct fleet f = FLEET_INIT;
	struct err differ = ERR_INIT;
	struct strvec drift = STRVEC_INIT;
	int r = cmd_open_fleet(run, &f, e);

	drift_find(&f, &drift);
	if (run->opts.json)
		cmd_answer(run, fleet_doc(run, &f, &drift));
	else
		print_fleet(&f, &drift);
	if (r == 0 && fleet_find(&f, "current", &differ) == NULL &&
	    differ.code == ERR_DIFFER) {
		*e = differ;
		r = -1;
	}
	strvec_release(&drift);
	fleet_release(&f);
	return r;
}

static int
run_status(struct run *run, struct err *e)
{
	struct store s = STORE_INIT;
	struct status st = { .v = VIEW_INIT,
		.live = META_INIT,
		.freeze = FREEZE_INIT };
	int r = cmd_site(run, e);

	if (r == 0 && cmd_has_hosts(run))
		return status_hosts(run, e);
	if (r == 0)
		r = look(run, &s, &st, e);
	if (r == 0 && run->opts.json)
		answer(run, &st);
	else if (r == 0)
		print(run, &st);
	strvec_release(&st.drift);
	buf_release(&st.holder);
	freeze_release(&st.freeze);
	meta_release(&st.live);
	view_release(&st.v);
	store_close(&s);
	return r;
}

static const enum opt_id opts[] = { OPT_END };

const struct cmd cmd_status = {
	.name = "status",
	.group = "Looking",
	.args = "",
	.summary =
	    "what is live and previous, the lock, the freeze, the space",
	.examples = "deploy status --json | jq -r .current\n",
	.opts = opts,
	.run = run_status,
};
