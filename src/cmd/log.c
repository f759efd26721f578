#include "os/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/text.h"
#include "cmd/cmd.h"
#include "cmd/table.h"

/* So far apart are the lines of one activation on several hosts, at most. */
enum { SAME_MS = 10000 };

/* What came of a line, on any host. */
struct outcome {
	bool happened;
	bool failed; /* a check or another host had it undone */
};

static void
put_line(json_t *list, const struct journal_line *l, const struct outcome *o)
{
	json_t *j = json_new_object();
	char time[32];

	release_format_time(l->time, time);
	json_put_string(j, "time", time);
	json_put_string(j, "action", journal_action_name(l->action));
	cmd_put_id(j, "from", &l->from);
	cmd_put_id(j, "to", &l->to);
	json_put_bool(j, "happened", o->happened);
	json_put_bool(j, "failed", o->failed);
	if (l->seq >= 0)
		json_put_int(j, "seq", l->seq);
	else
		json_put_null(j, "seq");
	json_put_string(j, "who", l->who);
	json_put_string(j, "job", l->job);
	json_put_string(j, "message", l->message);
	json_put_strings(j, "skipped", &l->skipped);
	json_push(list, j);
}

/* The columns, and the cells of each line in their order. */
static const struct table_column columns[] = { { "TIME", false },
	{ "ACTION", false }, { "RELEASE", false }, { "FROM", false },
	{ "WHO", false }, { "WITHOUT", false }, { "MESSAGE", false },
	{ "JOB", false } };

static void
add_line(struct table *t, const struct journal_line *l,
    const struct outcome *o)
{
	struct buf skipped = BUF_INIT;

	for (size_t i = 0; i < l->skipped.n; i++)
		buf_addf(&skipped, "%s%s", i > 0 ? ", " : "", l->skipped.v[i]);
	cmd_put_moment(t, l->time);
	table_cell(t, o->failed ? TABLE_RED : TABLE_PLAIN, "%s",
	    o->failed ? "failed" : journal_action_name(l->action));
	table_id(t, &l->to, RELEASE_SHORT_LEN);
	table_cell(t, TABLE_PLAIN, "%s",
	    !release_id_is_none(&l->from) ? l->from.text : "nothing");
	table_cell(t, TABLE_PLAIN, "%s", l->who != NULL ? l->who : "?");
	table_cell(t, TABLE_YELLOW, "%s", buf_str(&skipped));
	table_cell(t, TABLE_PLAIN, "%s", l->message != NULL ? l->message : "");
	table_cell(t, TABLE_PLAIN, "%s", l->job != NULL ? l->job : "");
	buf_release(&skipped);
}

/* Lines that count for nothing are a reason to look.  How many there are. */
static size_t
tell_broken(const struct remote *r)
{
	size_t broken = r->view.journal.broken;

	if (broken > 0)
		log_warn(
		    "%s%s of the journal in '%s' %s no sense and %s not count; deploy-root(5) describes it",
		    remote_said(r), TEXT_COUNT(broken, "line", "lines"),
		    r->host->root, TEXT_PLURAL(broken, "makes", "make"),
		    TEXT_PLURAL(broken, "does", "do"));
	return broken;
}

/* The same line of the journals of all hosts: when, and to what. */
static bool
is_same_line(const struct journal_line *a, const struct journal_line *b)
{
	return a->action == b->action &&
	    llabs((long long)(a->time - b->time)) <= SAME_MS &&
	    release_id_eq(&a->to, &b->to);
}

/* Line i of a host's journal is one of those that are told together. */
static void
add_outcome(struct outcome *o, const struct view *v, size_t i)
{
	/* A bridge is no flip. */
	o->happened |=
	    v->history.happened[i] || v->journal.v[i].action == JOURNAL_BRIDGE;
	o->failed |=
	    v->history.undone[i] && v->journal.v[i].action != JOURNAL_REVERT;
}

/* The line of the host that is to be told next; NULL: none is left. */
static const struct journal_line *
head(const struct fleet *f, const size_t *at, size_t i)
{
	return at[i] == 0 ? NULL : &f->v[i].view.journal.v[at[i] - 1];
}

/* Has the host this line, and others that come first? */
static bool
is_behind(const struct fleet *f, const size_t *at, size_t i,
    const struct journal_line *l)
{
	const struct journal_line *v = f->v[i].view.journal.v;

	for (size_t k = at[i]; k-- > 0 && l->time - v[k].time <= SAME_MS;)
		if (is_same_line(l, &v[k]))
			return k + 1 < at[i];
	return false;
}

/* What has to be told before `l`; NULL: nothing. */
static const struct journal_line *
find_before(const struct fleet *f, const size_t *at,
    const struct journal_line *l)
{
	for (size_t i = 0; i < f->n; i++)
		if (is_behind(f, at, i, l))
			return head(f, at, i);
	return NULL;
}

/* Is it the newer one?  A sync follows what it brings a host to. */
static bool
is_newer(const struct journal_line *a, const struct journal_line *b)
{
	return a->time > b->time ||
	    (a->time == b->time && a->action == JOURNAL_SYNC);
}

/*
 * The newest; times are of seconds, so of what happened within one, that which
 * comes last on some host.
 */
static const struct journal_line *
find_next(const struct fleet *f, const size_t *at)
{
	const struct journal_line *l = NULL, *before;

	for (size_t i = 0; i < f->n; i++)
		if (at[i] > 0 && (l == NULL || is_newer(head(f, at, i), l)))
			l = head(f, at, i);
	for (size_t tries = f->n; l != NULL && tries > 0; tries--) {
		before = find_before(f, at, l);
		if (before == NULL)
			break;
		l = before;
	}
	return l;
}

/*
 * The journals merged, newest first, at most --limit lines: what happened on
 * several hosts within some seconds is one.  They go to one of both, the other
 * is NULL.
 */
static void
show(struct run *run, const struct fleet *f, json_t *out, struct table *t)
{
	int64_t left = run->opts.limit > 0 ? run->opts.limit : INT64_MAX;
	size_t *at = xcalloc(f->n, sizeof(*at));

	for (size_t i = 0; i < f->n; i++)
		at[i] = f->v[i].view.journal.n;
	while (left > 0) {
		const struct journal_line *newest = find_next(f, at);
		struct outcome came = { false, false };

		if (newest == NULL)
			break;
		for (size_t i = 0; i < f->n; i++)
			if (at[i] > 0 &&
			    is_same_line(newest,
				&f->v[i].view.journal.v[at[i] - 1]))
				add_outcome(&came, &f->v[i].view, --at[i]);
		if (out != NULL)
			put_line(out, newest, &came);
		else if (came.happened)
			add_line(t, newest, &came);
		left -= out != NULL || came.happened;
	}
	free(at);
}

static void
answer(struct run *run, const struct fleet *f, size_t broken)
{
	json_t *doc = cmd_new_doc(run), *lines = json_new_array();

	show(run, f, lines, NULL);
	json_put(doc, "journal", lines);
	json_put_int(doc, "broken", (int64_t)broken);
	cmd_answer(run, doc);
}

static void
print(struct run *run, const struct fleet *f)
{
	struct table *t =
	    table_new(columns, sizeof(columns) / sizeof(*columns));

	show(run, f, NULL, t);
	if (table_is_empty(t))
		log_info("nothing was made live yet");
	table_print(t);
	table_free(t);
}

static int
run_log(struct run *run, struct err *e)
{
	struct fleet f = FLEET_INIT;
	struct err dead = ERR_INIT;
	size_t broken = 0;
	int r = cmd_open_living(run, &f, &dead, e);

	for (size_t i = 0; r == 0 && i < f.n; i++)
		broken += tell_broken(&f.v[i]);
	if (r == 0 && run->opts.json)
		answer(run, &f, broken);
	else if (r == 0)
		print(run, &f);
	fleet_release(&f);
	if (r == 0 && dead.code != ERR_OK) {
		*e = dead;
		r = -1;
	}
	return r;
}

static const enum opt_id opts[] = { OPT_LIMIT, OPT_UTC, OPT_LONG, OPT_END };

const struct cmd cmd_log = {
	.name = "log",
	.group = "Looking",
	.args = "",
	.summary = "show what was made live, when and by whom, newest first",
	.examples = "deploy log --limit 10\n",
	.looks = true,
	.opts = opts,
	.run = run_log,
};
