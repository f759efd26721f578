#include "content/diff.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/show.h"
#include "base/text.h"
#include "cmd/cmd.h"
#include "cmd/table.h"
#include "fleet/fleet_content.h"
#include "fleet/fleet_stage.h"
#include "os/log.h"

static const char *const kinds[] = { "added", "changed", "removed" };
static const char letters[] = "AMD"; /* as in git diff --name-status */

static void
print_line(const struct diff_line *l)
{
	char old[32], new[32];

	text_size(l->old_size, old);
	text_size(l->new_size, new);
	if (l->kind == DIFF_CHANGED)
		show_line("M %s  (%s -> %s)", l->path, old, new);
	else
		show_line("%c %s  (%s)", letters[l->kind], l->path,
		    l->kind == DIFF_ADDED ? new : old);
}

static void
put_line(json_t *list, const struct diff_line *l)
{
	json_t *j = json_new_object();

	json_put_string(j, "kind", kinds[l->kind]);
	json_put_string(j, "path", l->path);
	json_put_int(j, "old_size", l->old_size);
	json_put_int(j, "new_size", l->new_size);
	json_push(list, j);
}

/* Pages that changed by common rules alone, which are not shown. */
struct left_out {
	size_t count, rules;
};

/* Leave them out of the changes to `m`; of several bases, the largest counts. */
static void
leave_out(struct diff *d, const struct manifest *m, const struct content *c,
    struct left_out *out)
{
	diff_drop(d, m, c->same);
	if (c->count > out->count)
		*out = (struct left_out){ c->count, c->rules };
}

static void
tell_left_out(const struct left_out *l)
{
	if (l->count > 0)
		log_info(
		    "%s changed by %s half of all pages, and by nothing else (-v shows the rules)",
		    TEXT_COUNT(l->count, "page", "pages"),
		    TEXT_COUNT(l->rules, "rule that hits", "rules that hit"));
}

/*
 * Show what changed from `from`, none for nothing or NULL for several releases,
 * to `to`, none for the build.
 */
static void
show(struct run *run, const struct diff *d, const struct left_out *left,
    const struct release_id *from, const struct release_id *to)
{
	json_t *doc, *list;
	const char *build = /* none is made for this */
	    run->site->build.command != NULL ? "the last build" : "the build";

	log_info("from %s to %s: %zu added, %zu changed, %zu removed",
	    from == NULL ? "what the hosts serve, each another release," :
		release_id_is_none(from) ? "nothing" :
					   from->text,
	    release_id_is_none(to) ? build : to->text, d->count[DIFF_ADDED],
	    d->count[DIFF_CHANGED], d->count[DIFF_REMOVED]);
	tell_left_out(left);
	if (run->opts.json) {
		doc = cmd_new_doc(run);
		list = json_new_array();
		cmd_put_id(doc, "from", from);
		cmd_put_id(doc, "to", to);
		for (size_t i = 0; i < 3; i++)
			json_put_int(doc, kinds[i], (int64_t)d->count[i]);
		json_put_int(doc, "left_out", (int64_t)left->count);
		for (size_t i = 0; i < d->n; i++)
			put_line(list, &d->v[i]);
		json_put(doc, "changes", list);
		cmd_answer(run, doc);
	} else {
		for (size_t i = 0; i < d->n; i++)
			print_line(&d->v[i]);
	}
}

/* Is the operand, which names no release, a directory or file? */
static bool
is_source(const char *word)
{
	return strcmp(word, "-") == 0 || access(word, F_OK) == 0;
}

static int
no_source(struct err *e)
{
	return err_set(e, ERR_USAGE,
	    "nothing says what to compare;; name a build or a release, such as 'deploy diff previous current', or set 'source' in deploy.yml");
}

/* The manifest of what the word means on all hosts. */
static const struct release_id *
fetch_release(struct fleet *f, const char *word, struct manifest *m,
    struct err *e)
{
	const struct release_id *id = fleet_find(f, word, e);

	if (id == NULL || fleet_manifest(f, id, m, e) != 0)
		return NULL;
	return id;
}

/* Of a root here: the files of the second are at hand.  0 or -1. */
static int
compare_here(struct fleet *f, const struct release_id *from,
    const struct manifest *a, const struct release_id *to,
    const struct manifest *b, struct content *out, struct err *e)
{
	struct store store = STORE_INIT;
	struct dir dir = DIR_INIT;
	int r = -1;

	if (store_look(&store, f->here.root, e) == 0 &&
	    dir_open(&dir, &store.releases, to->text, e) == 0) {
		fleet_find_content(f, from, a, b, &dir, out);
		r = 0;
	}
	dir_close(&dir);
	store_close(&store);
	return r;
}

/* Between two releases, here or on hosts. */
static void
compare_releases(struct run *run, struct diff *d,
    const struct release_id *from, const struct manifest *a,
    const struct release_id *to, const struct manifest *b,
    struct left_out *left)
{
	struct fleet *f = &run->work.fleet;
	struct err why = ERR_INIT;
	struct content c;
	int r;

	if (!run->opts.content)
		return;
	r = f->is_here ?
	    compare_here(f, from, a, to, b, &c, &why) :
	    fleet_fetch_content(f, from, a, to, b, INT64_MAX, &c, &why);
	if (r == 0) {
		leave_out(d, b, &c, left);
		content_release(&c);
	} else {
		log_warn("which pages changed by rules alone is not known: %s",
		    why.text);
	}
}

/* Between two releases; the second is the live one by default. */
static int
diff_releases(struct run *run, struct fleet *f, struct err *e)
{
	struct manifest a = MANIFEST_INIT, b = MANIFEST_INIT;
	struct diff d = DIFF_INIT;
	const struct release_id *from, *to = NULL;
	struct left_out left = { 0, 0 };

	from = fetch_release(f, run->opts.args.v[0], &a, e);
	if (from != NULL)
		to = fetch_release(f,
		    run->opts.args.n > 1 ? run->opts.args.v[1] : "current", &b,
		    e);
	if (to != NULL) {
		diff_manifests(&d, &a, &b);
		compare_releases(run, &d, from, &a, to, &b, &left);
		show(run, &d, &left, from, to);
	}
	diff_release(&d);
	manifest_release(&a);
	manifest_release(&b);
	return to == NULL ? -1 : 0;
}

/* What the hosts serve, each release once. */
struct served {
	struct release_ids ids;
	struct manifest *v;
};

static int
read_served(struct fleet *f, struct served *s, struct err *e)
{
	s->v = xcalloc(f->n, sizeof(*s->v));
	for (size_t i = 0; i < f->n; i++) {
		const struct release_id *id = &f->v[i].view.current;

		if (release_ids_has(&s->ids, id))
			continue;
		s->v[s->ids.n] = (struct manifest)MANIFEST_INIT;
		if (!release_id_is_none(id) &&
		    fleet_manifest(f, id, &s->v[s->ids.n], e) != 0)
			return -1;
		release_ids_add(&s->ids, id);
	}
	return 0;
}

static void
served_release(struct served *s)
{
	for (size_t i = 0; i < s->ids.n; i++)
		manifest_release(&s->v[i]);
	free(s->v);
	release_ids_release(&s->ids);
}

/* Between what some hosts serve and the build. */
static void
compare_build(struct run *run, struct diff *d, const struct release_id *id,
    const struct manifest *old, const struct stage *st, struct left_out *left)
{
	struct content c;

	fleet_find_content(&run->work.fleet, id, old, &st->plan.m,
	    source_files(&st->source), &c);
	leave_out(d, &st->plan.m, &c, left);
	content_release(&c);
}

/* What changes for the visitors of any host. */
static void
show_changes(struct run *run, const struct served *s, const struct stage *st)
{
	struct left_out left = { 0, 0 };
	struct diff all = DIFF_INIT;

	for (size_t i = 0; i < s->ids.n; i++) {
		struct diff d = DIFF_INIT;

		diff_manifests(&d, &s->v[i], &st->plan.m);
		if (run->opts.content && !release_id_is_none(&s->ids.v[i]))
			compare_build(run, &d, &s->ids.v[i], &s->v[i], st,
			    &left);
		diff_unite(&all, &d);
		diff_release(&d);
	}
	show(run, &all, &left, s->ids.n == 1 ? &s->ids.v[0] : NULL,
	    &release_id_none);
	diff_release(&all);
}

/* From what is live on the hosts to the build. */
static int
diff_build(struct run *run, struct fleet *f, const char *source, struct err *e)
{
	struct served served = { RELEASE_IDS_INIT, NULL };
	struct stage st = STAGE_INIT;
	struct stage_options o = { 0 };
	struct rules rules;
	int r = read_served(f, &served, e);

	site_stage_options(&run->work, &rules, &o);
	o.source = source;
	o.overrides = OVERRIDE_ALL;
	o.again = true;
	if (r == 0)
		r = fleet_preview(f, &st, &o, e);
	if (r == 0)
		show_changes(run, &served, &st);
	served_release(&served);
	stage_release(&st);
	strvec_release(&rules.exclude);
	return r;
}

/* Is there one operand, which is a build and no release? */
static bool
names_build(const struct strvec *args, const struct fleet *f)
{
	struct err none = ERR_INIT;

	return args->n == 1 && fleet_find(f, args->v[0], &none) == NULL &&
	    is_source(args->v[0]);
}

/* Nothing is live where there is no root: all is new then. */
static int
run_diff(struct run *run, struct err *e)
{
	const struct strvec *args = &run->opts.args;
	struct fleet *f = &run->work.fleet;

	if (cmd_begin(run, e) != 0 || site_open(&run->work, e) != 0)
		return -1;
	if (args->n > 0 && !names_build(args, f))
		return fleet_need_root(f, e) == 0 ? diff_releases(run, f, e) :
						    -1;
	if (args->n == 0 && run->site->source == NULL)
		return no_source(e);
	return diff_build(run, f, args->n > 0 ? args->v[0] : run->site->source,
	    e);
}

static const enum opt_id opts[] = { OPT_EXCLUDE, OPT_STRIP, OPT_CONTENT,
	OPT_END };

const struct cmd cmd_diff = {
	.name = "diff",
	.group = "Looking",
	.args = "[A [B]]",
	.summary = "show what was added, changed and removed",
	.about =
	    "Without operands, or when A is a directory or an archive: what\n"
	    "'stage' would change in what is live.  Otherwise A and B are releases;\n"
	    "B is current by default.\n",
	.examples =
	    "deploy diff                           # what stage would change\n"
	    "deploy diff --content                 # what is new to read\n"
	    "deploy diff previous current\n",
	.max_args = 2,
	.looks = true,
	.opts = opts,
	.run = run_diff,
};
