#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/show.h"
#include "base/text.h"
#include "cmd/cmd.h"
#include "cmd/table.h"
#include "fleet/cure.h"
#include "fleet/drift.h"
#include "fleet/vote.h"

static bool
is_same(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* The first host that answered, or NULL. */
static const struct remote *
first_living(const struct fleet *f)
{
	for (size_t i = 0; i < f->n; i++)
		if (!f->v[i].failed)
			return &f->v[i];
	return NULL;
}

/* What all hosts that answered have in common, or NULL. */
static const char *
common(const struct fleet *f, const char *(*get)(const struct remote *r))
{
	const struct remote *first = first_living(f);

	for (size_t i = 0; i < f->n; i++)
		if (!f->v[i].failed && !is_same(get(first), get(&f->v[i])))
			return NULL;
	return first != NULL ? get(first) : NULL;
}

/* Do all that answered have the same release there, or none? */
static bool
has_one_id(const struct fleet *f,
    const struct release_id *(*get)(const struct remote *r))
{
	const struct remote *first = first_living(f);

	for (size_t i = 0; i < f->n; i++)
		if (!f->v[i].failed &&
		    !release_id_eq(get(first), get(&f->v[i])))
			return false;
	return first != NULL;
}

/* It; none when there is none in common. */
static const struct release_id *
common_id(const struct fleet *f,
    const struct release_id *(*get)(const struct remote *r))
{
	return has_one_id(f, get) ? get(first_living(f)) : &release_id_none;
}

static const struct release_id *
current(const struct remote *r)
{
	return &r->view.current;
}

static const struct release_id *
previous(const struct remote *r)
{
	const struct release_id *id = view_previous(&r->view);

	return id != NULL ? id : &release_id_none;
}

static const char *
frozen_by(const struct remote *r)
{
	return r->freeze.who;
}

static const char *
frozen_why(const struct remote *r)
{
	return r->freeze.why;
}

/* Until when all are frozen; 0: not known, or not the same. */
static int64_t
frozen_until(const struct fleet *f)
{
	const struct remote *first = first_living(f);

	for (size_t i = 0; i < f->n; i++)
		if (!f->v[i].failed &&
		    f->v[i].freeze.until != first->freeze.until)
			return 0;
	return first != NULL ? first->freeze.until : 0;
}

/* Nothing can be activated while one host is. */
static bool
is_frozen(const struct fleet *f)
{
	bool frozen = false;

	for (size_t i = 0; i < f->n; i++)
		frozen |= f->v[i].frozen;
	return frozen;
}

/* The first host that serves the release, or NULL. */
static const struct remote *
first_serving(const struct fleet *f, const struct release_id *id)
{
	for (size_t i = 0; i < f->n; i++)
		if (!release_id_is_none(id) &&
		    release_id_eq(current(&f->v[i]), id))
			return &f->v[i];
	return NULL;
}

/* Put a time, or null for 0. */
static void
put_time(json_t *doc, const char *key, int64_t ms)
{
	char text[32];

	release_format_time(ms, text);
	json_put_string(doc, key, ms > 0 ? text : NULL);
}

/* An array of the lines. */
static json_t *
line_array(const struct strvec *lines)
{
	json_t *j = json_new_array();

	for (size_t i = 0; i < lines->n; i++)
		json_push_string(j, lines->v[i]);
	return j;
}

/* Who stages there. */
static json_t *
stage_array(const struct remote *r)
{
	json_t *list = json_new_array();

	for (size_t i = 0; i < r->n_stages; i++) {
		const struct lock_note *note = &r->stages[i].note;
		json_t *j = json_new_object();

		cmd_put_id(j, "release", &r->stages[i].id);
		json_put_string(j, "who", note->who);
		put_time(j, "since",
		    note->since != NULL ? release_parse_time(note->since) : 0);
		json_put_string(j, "job", note->job);
		json_push(list, j);
	}
	return list;
}

/* Is it live there without a check that has passed since? */
static bool
is_unchecked(const struct fleet *f, const struct remote *r)
{
	return f->site->check.urls.n > 0 && !release_id_is_none(current(r)) &&
	    !r->verified;
}

static json_t *
put_host(const struct fleet *f, const struct remote *r)
{
	json_t *j = json_new_object();

	json_put_string(j, "host", r->host->label);
	json_put_string(j, "root", r->host->root);
	json_put_string(j, "error", r->failed ? r->err.text : NULL);
	cmd_put_id(j, "current", current(r));
	if (f->site->check.urls.n > 0 && !release_id_is_none(current(r)))
		json_put_bool(j, "checked", r->verified);
	else
		json_put_null(j, "checked");
	cmd_put_id(j, "bridge", &r->view.bridge);
	cmd_put_id(j, "previous", previous(r));
	json_put_int(j, "releases", (int64_t)r->view.ids.n);
	json_put_string(j, "locked_by", r->locked);
	json_put(j, "stages", stage_array(r));
	json_put_bool(j, "frozen", r->frozen);
	json_put_string(j, "frozen_by", frozen_by(r));
	json_put_string(j, "frozen_why", frozen_why(r));
	put_time(j, "frozen_until", r->freeze.until);
	json_put_bool(j, "skipped", vote_was_skipped(f, r));
	if (r->room.bytes >= 0)
		json_put_int(j, "free_bytes", r->room.bytes);
	else
		json_put_null(j, "free_bytes");
	json_put_string(j, "version", r->version);
	json_put(j, "drift", line_array(&r->drift));
	return j;
}

/* What they have in common, each for itself, and in what they differ. */
static void
answer(struct run *run, const struct fleet *f,
    const struct strvec *differences, const char *cure)
{
	json_t *doc = cmd_new_doc(run), *hosts = json_new_array();
	const struct release_id *live = common_id(f, current);
	const struct remote *r = first_serving(f, live);
	const struct meta *meta = r != NULL ? remote_meta(r, live) : NULL;
	struct release_ids ids = RELEASE_IDS_INIT;
	struct err none = ERR_INIT;

	fleet_releases(f, &ids);
	cmd_put_id(doc, "current", live);
	put_time(doc, "since", r != NULL ? r->view.history.since : 0);
	json_put_string(doc, "commit", meta != NULL ? meta->commit : NULL);
	json_put_string(doc, "message", meta != NULL ? meta->message : NULL);
	cmd_put_id(doc, "previous", common_id(f, previous));
	cmd_put_id(doc, "latest", fleet_find(f, "latest", &none));
	json_put_int(doc, "releases", (int64_t)ids.n);
	json_put_bool(doc, "frozen", is_frozen(f));
	json_put_string(doc, "frozen_by", common(f, frozen_by));
	json_put_string(doc, "frozen_why", common(f, frozen_why));
	put_time(doc, "frozen_until", frozen_until(f));
	for (size_t i = 0; i < f->n; i++)
		json_push(hosts, put_host(f, &f->v[i]));
	json_put(doc, "hosts", hosts);
	json_put(doc, "drift", line_array(differences));
	json_put_string(doc, "cure", cure);
	cmd_answer(run, doc);
	release_ids_release(&ids);
}

static void
print_live(const struct remote *r)
{
	const struct meta *meta = remote_meta(r, current(r));
	const char *commit = meta != NULL ? meta->commit : NULL;
	const char *message = meta != NULL ? meta->message : NULL;
	const int64_t since = r->view.history.since;
	char text[CMD_MOMENT_LEN];

	if (release_id_is_none(current(r))) {
		show_row("live", "nothing yet");
		return;
	}
	table_line("live", TABLE_GREEN, current(r)->text, " %s%s%s%.*s%s%s",
	    since <= 0		 ? "since an unknown time" :
		table_has_ages() ? "" :
				   "since ",
	    since > 0 ? cmd_moment(since, text) : "",
	    commit != NULL ? ", commit " : "", cmd_commit_len(commit),
	    commit != NULL ? commit : "", message != NULL ? ": " : "",
	    message != NULL ? message : "");
}

/* By whom, until when, and why. */
static void
tell_freeze(const struct freeze *f, struct buf *out)
{
	char until[32];

	release_format_time(f->until, until);
	buf_addf(out, "by %s%s%s%s%s", f->who != NULL ? f->who : "somebody",
	    f->until > 0 ? " until " : "", f->until > 0 ? until : "",
	    f->why != NULL ? ": " : "", f->why != NULL ? f->why : "");
}

static void
print_freeze(const struct freeze *f)
{
	struct buf text = BUF_INIT;

	tell_freeze(f, &text);
	show_row("frozen", "%s", text.data);
	buf_release(&text);
}

/* Who flips, who stages; free is what nobody has. */
static void
print_locks(const struct remote *r)
{
	if (r->locked != NULL || r->n_stages == 0)
		show_row("lock", "%s", r->locked != NULL ? r->locked : "free");
	for (size_t i = 0; i < r->n_stages; i++) {
		struct buf who = BUF_INIT;

		lock_note_print(&r->stages[i].note, &who);
		show_row("staging", "%s by %s", r->stages[i].id.text,
		    who.data);
		buf_release(&who);
	}
}

static void
print_previous(const struct remote *r)
{
	show_row("previous", "%s",
	    release_id_is_none(previous(r)) ? "none" : previous(r)->text);
}

/*
 * The first difference of what is live from its manifest, and what helps.  Where
 * all of it is gone, the cure at the end does.
 */
static void
add_drift(const struct fleet *f, const struct remote *r, struct buf *out)
{
	buf_addf(out, "%s%s", r->drift.v[0],
	    r->drift.n > 1 ? " (and more)" : "");
	if (!release_ids_has(&r->view.ids, &r->view.current))
		return;
	buf_adds(out, "; run: ");
	cure_add(f, out, "verify", NULL);
}

/* The lines of a host alone; this machine has no name. */
static void
print_host(const struct fleet *f, const struct remote *r)
{
	char space[TEXT_SIZE_LEN] = "unknown";
	struct buf drift = BUF_INIT;

	if (*r->host->label != '\0')
		show_row("host", "%s", r->host->label);
	show_row("root", "%s", r->host->root);
	if (vote_was_skipped(f, r))
		show_row("skipped", "it was left out by --skip");
	if (r->failed) {
		show_row("dead", "it cannot be asked");
		return;
	}
	print_live(r);
	if (is_unchecked(f, r))
		show_row("check", "not passed since this is live");
	if (!release_id_is_none(&r->view.bridge))
		show_row("bridge", "%s stands for it", r->view.bridge.text);
	print_previous(r);
	show_row("releases", "%zu", r->view.ids.n);
	print_locks(r);
	if (r->frozen)
		print_freeze(&r->freeze);
	if (r->room.bytes >= 0)
		text_size(r->room.bytes, space);
	show_row("free", "%s", space);
	if (r->drift.n > 0)
		add_drift(f, r, &drift);
	if (drift.len > 0)
		show_row("drift", "%s", drift.data);
	buf_release(&drift);
}

/* ---- several hosts -------------------------------------------------------- */

/* What all that answered have in common is said above the table. */
struct shared {
	bool root, live, previous, freeze;
	const struct remote *first; /* that answered, or NULL */
};

static const char *
root_of(const struct remote *r)
{
	return r->host->root;
}

/* Is it one freeze on all?  The same words are enough. */
static bool
is_one_freeze(const struct fleet *f, const struct remote *first)
{
	for (size_t i = 0; i < f->n; i++)
		if (!f->v[i].failed &&
		    (!f->v[i].frozen ||
			!is_same(f->v[i].freeze.who, first->freeze.who) ||
			!is_same(f->v[i].freeze.why, first->freeze.why) ||
			f->v[i].freeze.until != first->freeze.until))
			return false;
	return true;
}

static struct shared
find_shared(const struct fleet *f)
{
	struct shared s = { .root = true, .first = first_living(f) };

	for (size_t i = 0; i < f->n; i++)
		s.root &= strcmp(root_of(&f->v[0]), root_of(&f->v[i])) == 0;
	s.live = has_one_id(f, current);
	s.previous = has_one_id(f, previous);
	s.freeze = s.first != NULL && is_one_freeze(f, s.first);
	return s;
}

static void
print_shared(const struct fleet *f, const struct shared *s)
{
	if (s->root)
		show_row("root", "%s", root_of(&f->v[0]));
	if (s->live)
		print_live(s->first);
	if (s->previous)
		print_previous(s->first);
	if (s->freeze)
		print_freeze(&s->first->freeze);
}

/* Who flips there, who stages, who froze it, what is odd. */
static void
tell_notes(const struct fleet *f, const struct shared *s,
    const struct remote *r, struct buf *out)
{
	if (is_unchecked(f, r))
		buf_adds(out, "; the check has not passed since this is live");
	if (!release_id_is_none(&r->view.bridge))
		buf_addf(out, "; the bridge %s stands for what is live",
		    r->view.bridge.text);
	if (r->locked != NULL)
		buf_addf(out, "; locked by %s", r->locked);
	for (size_t i = 0; i < r->n_stages; i++) {
		buf_addf(out, "; %s is staged by ", r->stages[i].id.text);
		lock_note_print(&r->stages[i].note, out);
	}
	if (r->frozen && !s->freeze) {
		buf_adds(out, "; frozen ");
		tell_freeze(&r->freeze, out);
	}
	if (r->drift.n > 0) {
		buf_adds(out, "; ");
		add_drift(f, r, out);
	}
}

static const struct table_column columns[] = { { "HOST", false },
	{ "STATE", false }, { "ROOT", false }, { "LIVE", false },
	{ "PREVIOUS", false }, { "RELEASES", true }, { "FREE", true },
	{ "NOTES", false } };

static void
add_id(struct table *t, bool wanted, const struct release_id *id)
{
	table_cell(t, TABLE_PLAIN, "%s",
	    !wanted		       ? "" :
		release_id_is_none(id) ? "none" :
					 id->text);
}

/* A host of several that answers: its row. */
static void
add_host(struct table *t, const struct fleet *f, const struct shared *s,
    const struct remote *r)
{
	bool skipped = vote_was_skipped(f, r);
	char space[TEXT_SIZE_LEN] = "";
	struct buf notes = BUF_INIT;

	if (r->room.bytes >= 0)
		text_size(r->room.bytes, space);
	tell_notes(f, s, r, &notes);
	table_cell(t, TABLE_PLAIN, "%s", r->host->label);
	table_cell(t, skipped || r->drift.n > 0 ? TABLE_YELLOW : TABLE_GREEN,
	    "%s", skipped ? "skipped" : "ok");
	table_cell(t, TABLE_PLAIN, "%s", s->root ? "" : root_of(r));
	add_id(t, !s->live, current(r));
	add_id(t, !s->previous, previous(r));
	table_cell(t, TABLE_PLAIN, "%zu", r->view.ids.n);
	table_cell(t, TABLE_PLAIN, "%s", space);
	table_cell(t, TABLE_PLAIN, "%s",
	    notes.len > 0 ? notes.data + strlen("; ") : "");
	buf_release(&notes);
}

/*
 * What they have in common, a row for each that answers, and why the others do
 * not.
 */
static void
print_hosts(const struct fleet *f)
{
	struct table *t =
	    table_new(columns, sizeof(columns) / sizeof(*columns));
	const struct shared s = find_shared(f);

	print_shared(f, &s);
	for (size_t i = 0; i < f->n; i++)
		if (!f->v[i].failed)
			add_host(t, f, &s, &f->v[i]);
	if (s.first != NULL)
		table_print(t);
	table_free(t);
	for (size_t i = 0; i < f->n; i++)
		if (f->v[i].failed)
			show_row("dead", "%s: %s%s", f->v[i].host->label,
			    vote_was_skipped(f, &f->v[i]) ? "skipped; " : "",
			    f->v[i].err.text);
}

static void
print(const struct run *run, const struct fleet *f,
    const struct strvec *differences, const char *cure)
{
	if (run->site->name != NULL)
		show_row("site", "%s", run->site->name);
	if (f->n > 1)
		print_hosts(f);
	else
		print_host(f, &f->v[0]);
	for (size_t i = 0; i < differences->n; i++)
		show_row("drift", "%s", differences->v[i]);
	if (cure != NULL)
		show_row("cure", "%s", cure);
}

/* Every host that could be asked.  Was it told what makes them alike? */
static bool
report(struct run *run, const struct fleet *f)
{
	struct strvec differences = STRVEC_INIT;
	char *cure = NULL;
	bool told;

	drift_find(f, &differences);
	if (differences.n > 0)
		cure = drift_cure(f);
	if (run->opts.json)
		answer(run, f, &differences, cure);
	else
		print(run, f, &differences, cure);
	told = cure != NULL && !run->opts.json;
	free(cure);
	strvec_release(&differences);
	return told;
}

/* Do hosts serve different content?  0, or -1 with what helps. */
static int
check_alike(const struct fleet *f, struct err *e)
{
	struct err differ = ERR_INIT;

	if (drift_refuse_content(f, e) != 0)
		return -1;
	if (fleet_find(f, "current", &differ) != NULL ||
	    differ.code != ERR_DIFFER)
		return 0;
	if (vote_reference(f, e) == NULL && e->code == ERR_DIFFER)
		return -1;
	err_set(e, ERR_DIFFER,
	    "the hosts differ in what is live;; to make them alike, run: ");
	return cure_append(f, e, "sync", NULL);
}

/*
 * The rows have said why each host that failed did, so no more is told than
 * how many these are.
 */
static int
sum_up(const struct fleet *f, struct err *e)
{
	enum err_code code = e->code;
	size_t failed = 0;

	for (size_t i = 0; i < f->n; i++)
		failed += f->v[i].failed;
	if (f->n == 1 || failed == 0)
		return -1;
	err_set(e, code, "%zu of %s could not be asked", failed,
	    TEXT_COUNT(f->n, "host", "hosts"));
	return cure_unreachable(f, e);
}

/* A host that cannot be asked makes it fail in the end. */
static int
run_status(struct run *run, struct err *e)
{
	struct fleet f = FLEET_INIT;
	bool asked, told = false;
	int r = cmd_site(run, e);

	if (r != 0)
		return -1;
	cmd_init_fleet(run, &f);
	f.shows_dead = true;
	asked = fleet_open_with_drift(&f, e) == 0;
	/* A site of deploy.yml may wait for its first release. */
	if (asked && run->site->name == NULL)
		r = fleet_need_root(&f, e);
	if (r == 0)
		told = report(run, &f);
	if (r == 0 && asked)
		r = check_alike(&f, e);
	if (told && r != 0)
		err_drop_cure(e);
	if (r == 0 && !asked)
		r = sum_up(&f, e);
	fleet_release(&f);
	return r;
}

static const enum opt_id opts[] = { OPT_UTC, OPT_LONG, OPT_END };

const struct cmd cmd_status = {
	.name = "status",
	.group = "Looking",
	.args = "",
	.summary =
	    "show what is live, what was before, locks, freeze, free space",
	.examples = "deploy status --json | jq -r .current\n",
	.looks = true,
	.opts = opts,
	.run = run_status,
};
