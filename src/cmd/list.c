#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/show.h"
#include "base/text.h"
#include "cmd/cmd.h"
#include "cmd/table.h"
#include "os/log.h"

/* Append a release to the list; the object, for more keys. */
static json_t *
put_release(json_t *list, const struct view *v, const struct release_id *id,
    const struct meta *meta)
{
	json_t *j = json_new_object();
	char staged[32];

	release_format_time(release_id_time(id), staged);
	json_put_string(j, "id", id->text);
	json_put_string(j, "staged_at", staged);
	json_put_bool(j, "live", release_id_eq(id, &v->current));
	json_put_bool(j, "was_live", history_was_live(&v->history, id));
	json_put_bool(j, "failed", history_has_failed(&v->history, id));
	json_put_bool(j, "pinned", meta->pinned);
	json_put_int(j, "files", meta->files);
	json_put_int(j, "bytes", meta->bytes);
	json_put_string(j, "commit", meta->commit);
	json_put_string(j, "message", meta->message);
	if (meta->seq >= 0)
		json_put_int(j, "seq", meta->seq);
	else
		json_put_null(j, "seq");
	json_put_string(j, "who", meta->who);
	json_put_string(j, "job", meta->job);
	json_put_string(j, "preview", meta->preview);
	cmd_put_id(j, "bridge", &meta->bridge);
	json_push(list, j);
	return j;
}

/* What a release is at the moment, in a word. */
static const char *
state(const struct view *v, const struct release_id *id,
    const struct meta *meta)
{
	const struct release_id *previous = view_previous(v);

	if (release_id_eq(id, &v->current))
		return "live";
	if (previous != NULL && release_id_eq(id, previous))
		return "previous";
	if (history_has_failed(&v->history, id))
		return "failed";
	if (history_was_live(&v->history, id))
		return "was live";
	if (!release_id_is_none(&meta->bridge))
		return "bridge";
	return meta->preview != NULL ? "preview" : "staged";
}

/* The columns, and the cells of each release in their order. */
static const struct table_column columns[] = { { "RELEASE", false },
	{ "STATE", false }, { "STAGED", false }, { "FILES", true },
	{ "SIZE", true }, { "SEQ", true }, { "COMMIT", false },
	{ "HOSTS", false }, { "MESSAGE", false } };

static enum table_colour
colour_of(const struct view *v, const struct release_id *id)
{
	return release_id_eq(id, &v->current)	? TABLE_GREEN :
	    history_has_failed(&v->history, id) ? TABLE_RED :
						  TABLE_PLAIN;
}

/* `len` characters of the id tell it from all others. */
static void
add_release(struct table *t, const struct view *v, const struct release_id *id,
    const struct meta *meta, size_t len, const char *where)
{
	char bytes[TEXT_SIZE_LEN], seq[32] = "";

	text_size(meta->bytes, bytes);
	if (meta->seq >= 0)
		snprintf(seq, sizeof(seq), "%lld", (long long)meta->seq);
	table_id(t, id, len);
	table_cell(t, colour_of(v, id), "%s%s", state(v, id, meta),
	    meta->pinned ? ", pinned" : "");
	cmd_put_moment(t, release_id_time(id));
	table_cell(t, TABLE_PLAIN, "%lld", (long long)meta->files);
	table_cell(t, TABLE_PLAIN, "%s", bytes);
	table_cell(t, TABLE_PLAIN, "%s", seq);
	table_cell(t, TABLE_PLAIN, "%.*s", cmd_commit_len(meta->commit),
	    meta->commit != NULL ? meta->commit : "");
	table_cell(t, TABLE_YELLOW, "%s", where);
	table_cell(t, TABLE_PLAIN, "%s",
	    meta->message != NULL ? meta->message : "");
}

/* The labels of the hosts that have the release, or serve it. */
static void
name_hosts(const struct fleet *f, const struct release_id *id, bool live,
    struct strvec *out)
{
	for (size_t i = 0; i < f->n; i++) {
		const struct view *v = &f->v[i].view;

		if (live ? release_id_eq(&v->current, id) :
			   release_ids_has(&v->ids, id))
			strvec_add(out, f->v[i].host->label);
	}
}

/*
 * The host that knows most of a release: the first where it was live, else
 * the first where it failed, else the first that has it.
 */
static const struct remote *
pick_witness(const struct fleet *f, const struct release_id *id)
{
	const struct remote *failed = NULL, *has = NULL;

	for (size_t i = 0; i < f->n; i++) {
		const struct remote *r = &f->v[i];

		if (!release_ids_has(&r->view.ids, id))
			continue;
		if (history_was_live(&r->view.history, id))
			return r;
		if (failed == NULL && history_has_failed(&r->view.history, id))
			failed = r;
		if (has == NULL)
			has = r;
	}
	return failed != NULL ? failed : has;
}

static json_t *
label_array(const struct strvec *labels)
{
	json_t *j = json_new_array();

	for (size_t i = 0; i < labels->n; i++)
		json_push_string(j, labels->v[i]);
	return j;
}

/* Those that did not answer. */
static void
name_dead(const struct fleet *f, struct strvec *out)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->v[i].failed)
			strvec_add(out, f->v[i].host->label);
}

static size_t
count_living(const struct fleet *f)
{
	size_t n = 0;

	for (size_t i = 0; i < f->n; i++)
		n += !f->v[i].failed;
	return n;
}

/* Name the hosts, when they are some and not all that answer. */
static void
name_some(const struct fleet *f, const char *what, const struct strvec *labels,
    struct buf *out)
{
	if (labels->n == 0 || labels->n == count_living(f))
		return;
	buf_addf(out, "%s%s %s", out->len > 0 ? "; " : "", what, labels->v[0]);
	for (size_t i = 1; i < labels->n; i++)
		buf_addf(out, ", %s", labels->v[i]);
}

/* What is listed, as a document or a table; the other is NULL. */
struct listing {
	const struct fleet *f;
	size_t len; /* of an id */
	json_t *doc;
	struct table *table;
};

/* One release, and where it is when that is not everywhere. */
static void
list_release(const struct listing *l, const struct release_id *id)
{
	struct strvec having = STRVEC_INIT, serving = STRVEC_INIT;
	const struct remote *r = pick_witness(l->f, id);
	const struct meta *meta = remote_meta(r, id);
	struct buf where = BUF_INIT;
	json_t *j;

	name_hosts(l->f, id, false, &having);
	name_hosts(l->f, id, true, &serving);
	if (l->doc != NULL) {
		j = put_release(l->doc, &r->view, id, meta);
		json_put_bool(j, "live", serving.n == l->f->n);
		json_put(j, "hosts", label_array(&having));
		json_put(j, "live_on", label_array(&serving));
	} else {
		name_some(l->f, "only on", &having, &where);
		name_some(l->f, "live only on", &serving, &where);
		add_release(l->table, &r->view, id, meta, l->len,
		    buf_str(&where));
	}
	buf_release(&where);
	strvec_release(&having);
	strvec_release(&serving);
}

/* What all hosts have in common as current or previous, or null. */
static void
put_common(json_t *doc, const struct fleet *f, const char *key)
{
	struct err ignored = ERR_INIT;

	cmd_put_id(doc, key, fleet_find(f, key, &ignored));
}

static void
answer(struct run *run, const struct fleet *f, json_t *releases)
{
	json_t *doc = cmd_new_doc(run);
	struct strvec dead = STRVEC_INIT;

	name_dead(f, &dead);
	put_common(doc, f, "current");
	put_common(doc, f, "previous");
	json_put(doc, "releases", releases);
	json_put_strings(doc, "dead", &dead);
	cmd_answer(run, doc);
	strvec_release(&dead);
}

/* Newest first, at most --limit of them. */
static int
run_list(struct run *run, struct err *e)
{
	int64_t left = run->opts.limit > 0 ? run->opts.limit : INT64_MAX;
	struct fleet f = FLEET_INIT;
	struct release_ids ids = RELEASE_IDS_INIT;
	struct err why = ERR_INIT;
	int r = cmd_open_living(run, &f, &why, e);
	struct listing l = { .f = &f };

	if (r == 0 && run->opts.json)
		l.doc = json_new_array();
	else
		l.table =
		    table_new(columns, sizeof(columns) / sizeof(*columns));
	fleet_releases(&f, &ids);
	l.len = release_short_len(&ids);
	for (size_t i = ids.n; r == 0 && i-- > 0 && left-- > 0;)
		list_release(&l, &ids.v[i]);
	if (l.doc != NULL)
		answer(run, &f, l.doc);
	else if (r == 0 && why.code == ERR_OK && table_is_empty(l.table))
		log_info("there are no releases; 'deploy publish' makes one");
	else
		table_print(l.table);
	table_free(l.table);
	release_ids_release(&ids);
	fleet_release(&f);
	if (r == 0 && why.code != ERR_OK) {
		*e = why;
		r = -1;
	}
	return r;
}

static const enum opt_id opts[] = { OPT_LIMIT, OPT_UTC, OPT_LONG, OPT_END };

const struct cmd cmd_list = {
	.name = "list",
	.alias = "releases",
	.group = "Looking",
	.args = "",
	.summary = "list the releases, newest first",
	.examples = "deploy list --limit 5\n",
	.looks = true,
	.opts = opts,
	.run = run_list,
};
