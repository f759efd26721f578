#include <stdio.h>
#include <string.h>

#include "base/show.h"
#include "base/text.h"
#include "cmd/cmd.h"
#include "cmd/table.h"

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
	return meta->preview != NULL ? "preview" : "staged";
}

static void
print_release(const struct view *v, const struct release_id *id,
    const struct meta *meta)
{
	int len = (int)release_short_len(&v->ids);
	char staged[32], bytes[32], seq[32] = "-";

	release_format_time(release_id_time(id), staged);
	text_size(meta->bytes, bytes);
	if (meta->seq >= 0)
		snprintf(seq, sizeof(seq), "%lld", (long long)meta->seq);
	show_line("%-*.*s  %s  %-8s%s  %6lld files  %9s  %5s  %.12s%s%s", len,
	    len, id->text, staged, state(v, id, meta),
	    meta->pinned ? " pinned" : "       ", (long long)meta->files,
	    bytes, seq, meta->commit != NULL ? meta->commit : "-",
	    meta->message != NULL ? "  " : "",
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

/* A line for the hosts, when they are some and not all that answer. */
static void
print_some(const struct fleet *f, const char *what,
    const struct strvec *labels)
{
	if (labels->n == 0 || labels->n == count_living(f))
		return;
	printf("  %s %s", what, labels->v[0]);
	for (size_t i = 1; i < labels->n; i++)
		printf(", %s", labels->v[i]);
	printf("\n");
}

/* One release, and where it is when that is not everywhere. */
static void
list_release(const struct fleet *f, const struct release_id *id, json_t *out)
{
	struct strvec having = STRVEC_INIT, serving = STRVEC_INIT;
	const struct remote *r = pick_witness(f, id);
	const struct meta *meta = remote_meta(r, id);
	json_t *j;

	name_hosts(f, id, false, &having);
	name_hosts(f, id, true, &serving);
	if (out != NULL) {
		j = put_release(out, &r->view, id, meta);
		json_put_bool(j, "live", serving.n == f->n);
		json_put(j, "hosts", label_array(&having));
		json_put(j, "live_on", label_array(&serving));
	} else {
		print_release(&r->view, id, meta);
		print_some(f, "only on", &having);
		print_some(f, "live only on", &serving);
	}
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
answer(struct run *run, const struct fleet *f, const struct strvec *dead,
    json_t *releases)
{
	json_t *doc = cmd_new_doc(run);

	put_common(doc, f, "current");
	put_common(doc, f, "previous");
	json_put(doc, "releases", releases);
	json_put_strings(doc, "dead", dead);
	cmd_answer(run, doc);
}

/* Newest first, at most --limit of them. */
static int
run_list(struct run *run, struct err *e)
{
	int64_t left = run->opts.limit > 0 ? run->opts.limit : INT64_MAX;
	struct fleet f = FLEET_INIT;
	struct release_ids ids = RELEASE_IDS_INIT;
	struct strvec dead = STRVEC_INIT;
	struct err why = ERR_INIT;
	json_t *releases = NULL;
	int r = cmd_open_living(run, &f, &why, e);

	if (r == 0 && run->opts.json)
		releases = json_new_array();
	fleet_releases(&f, &ids);
	for (size_t i = ids.n; r == 0 && i-- > 0 && left-- > 0;)
		list_release(&f, &ids.v[i], releases);
	if (r == 0)
		name_dead(&f, &dead);
	if (releases != NULL)
		answer(run, &f, &dead, releases);
	for (size_t i = 0; releases == NULL && i < dead.n; i++)
		show_line("%s is dead: what it has is not known", dead.v[i]);
	release_ids_release(&ids);
	strvec_release(&dead);
	fleet_release(&f);
	if (r == 0 && why.code != ERR_OK) {
		*e = why;
		r = -1;
	}
	return r;
}

static const enum opt_id opts[] = { OPT_LIMIT, OPT_END };

const struct cmd cmd_list = {
	.name = "list",
	.alias = "releases",
	.group = "Looking",
	.args = "",
	.summary = "the releases, newest first",
	.examples = "deploy list --limit 5\n",
	.opts = opts,
	.run = run_list,
};
