#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "base/show.h"
#include "base/text.h"
#include "cmd/cmd.h"
#include "cmd/table.h"
#include "fleet/cure.h"
#include "fleet/fleet_repair.h"
#include "os/log.h"

/* What all hosts found. */
struct findings {
	struct strvec found;
	struct manifest_totals totals; /* of one host */
	struct fleet_repaired mended;
	const struct release_id *bridge; /* that is looked at; NULL: none */
	size_t bridged;			 /* of `found`: what bridges have */
};

static void
put_mended(json_t *doc, const struct fleet_repaired *p)
{
	json_t *list = json_new_array();

	for (size_t i = 0; i < p->n; i++) {
		json_t *one = json_new_object();

		json_put_string(one, "host", p->v[i].host->host->label);
		cmd_put_id(one, "id", &p->v[i].id);
		json_put_string(one, "path", p->v[i].path);
		json_push(list, one);
	}
	json_put(doc, "mended", list);
}

static void
answer(struct run *run, const struct release_id *id, const struct findings *f)
{
	json_t *doc, *list;

	if (!run->opts.json) {
		for (size_t i = 0; i < f->found.n; i++)
			show_line("%s", f->found.v[i]);
		return;
	}
	doc = cmd_new_doc(run);
	list = json_new_array();
	cmd_put_id(doc, "id", id);
	json_put_bool(doc, "intact", f->found.n == 0);
	json_put_int(doc, "files", (int64_t)f->totals.files);
	json_put_int(doc, "bytes", f->totals.bytes);
	for (size_t i = 0; i < f->found.n; i++)
		json_push_string(list, f->found.v[i]);
	json_put(doc, "differences", list);
	put_mended(doc, &f->mended);
	cmd_answer(run, doc);
}

static void
on_finding(void *ctx, const struct remote *r, const char *key,
    const char *value)
{
	struct findings *f = ctx;

	if (strcmp(key, "difference") == 0) {
		strvec_addf(&f->found, "%s%s%s%s%s", remote_said(r),
		    f->bridge != NULL ? "bridge " : "",
		    f->bridge != NULL ? f->bridge->text : "",
		    f->bridge != NULL ? ": " : "", value);
		f->bridged += f->bridge != NULL;
	} else if (strcmp(key, "verified") == 0 && f->bridge == NULL) {
		int64_t files = 0;
		const char *end = number_scan(value, 0, INT64_MAX, &files);

		f->totals.files = (size_t)files;
		f->totals.bytes = end == NULL || *end == '\0' ?
		    0 :
		    number_or(end + 1, 0, INT64_MAX, 0);
	}
}

/* The error when something was found, and what helps. */
static int
conclude(struct run *run, struct fleet *f, const struct release_id *id,
    const struct findings *all, struct err *e)
{
	char bytes[32];

	answer(run, id, all);
	text_size(all->totals.bytes, bytes);
	if (all->found.n == 0) {
		log_info("%s is intact: %s, %s", id->text,
		    TEXT_COUNT(all->totals.files, "file", "files"), bytes);
		return 0;
	}
	err_set(e, ERR_INTEGRITY, "%s %s is not what its manifest says: %s",
	    all->bridged == all->found.n ? "the bridge for" : "release",
	    id->text, TEXT_COUNT(all->found.n, "difference", "differences"));
	if (run->opts.repair && !run->opts.dry_run)
		return err_append(e,
		    ", which nothing here has intact;; stage the build anew with --again");
	err_append(e, ";; run: ");
	return cure_append(f, e, "verify --repair", id->text);
}

/* Every host hashes its own. */
static int
look(struct fleet *f, const struct release_id *id, struct findings *all,
    struct err *e)
{
	struct strvec args = STRVEC_INIT;
	int r;

	strvec_addf(&args, "--id=%s", id->text);
	r = cmd_call_hosts(f, "verify", "not verified everywhere", &args,
	    on_finding, all, e);
	strvec_release(&args);
	return r;
}

static int
mend(struct fleet *f, const struct release_id *id, struct findings *all,
    struct err *e)
{
	return fleet_repair(f, id, &all->mended, e);
}

/*
 * The release, and then what visitors get in its place where a bridge stands
 * for it.  Hosts side by side that have the same one do that at once.
 */
static int
each_served(struct fleet *f, const struct release_id *id, struct findings *all,
    int (*step)(struct fleet *f, const struct release_id *id,
	struct findings *all, struct err *e),
    struct err *e)
{
	int r = step(f, id, all, e);

	for (size_t i = 0; r == 0 && i < f->n;) {
		const struct release_id bridge = f->v[i].view.bridge;
		struct fleet part = *f;

		part.v = f->v + i;
		part.n = 1;
		while (i + part.n < f->n &&
		    release_id_eq(&part.v[part.n].view.bridge, &bridge))
			part.n++;
		i += part.n;
		if (release_id_is_none(&bridge) ||
		    !release_id_eq(&part.v[0].view.current, id))
			continue;
		all->bridge = &bridge;
		r = step(&part, &bridge, all, e);
		all->bridge = NULL;
	}
	return r;
}

static void
tell_mended(const struct fleet_repaired *p, const struct release_id *id)
{
	for (size_t i = 0; i < p->n; i++) {
		const struct fleet_mended *m = &p->v[i];
		bool here = release_id_eq(&m->id, id);

		log_info("%smended: %s%s%s", remote_said(m->host), m->path,
		    here ? "" : " of ", here ? "" : m->id.text);
	}
}

static int
verify_release(struct run *run, struct fleet *f, const struct release_id *id,
    struct err *e)
{
	struct findings all = { .mended = FLEET_REPAIRED_INIT };
	int r = each_served(f, id, &all, look, e);

	/* Also where nothing is found: who mended it may have died before it
	 * was on disk. */
	if (r == 0 && run->opts.repair && !run->opts.dry_run) {
		bool bad = all.found.n > 0;

		r = each_served(f, id, &all, mend, e);
		tell_mended(&all.mended, id);
		strvec_release(&all.found);
		all.bridged = 0;
		if (r == 0 && bad)
			r = each_served(f, id, &all, look, e);
	}
	if (r == 0)
		r = conclude(run, f, id, &all, e);
	strvec_release(&all.found);
	fleet_repaired_release(&all.mended);
	return r;
}

/* Nothing of what is live is there: visitors get errors for all pages. */
static int
check_live(const struct fleet *f, const struct release_id *id, struct err *e)
{
	for (size_t i = 0; i < f->n; i++) {
		const struct view *v = &f->v[i].view;

		if (!view_has_lost_live(v) || !release_id_eq(&v->current, id))
			continue;
		err_set(e, ERR_INTEGRITY,
		    "the live release %s is not there any more;; 'deploy status' says what helps",
		    id->text);
		return remote_say(&f->v[i], e);
	}
	return 0;
}

static int
run_verify(struct run *run, struct err *e)
{
	const char *word =
	    run->opts.args.n > 0 ? run->opts.args.v[0] : "current";
	struct fleet f = FLEET_INIT;
	const struct release_id *id = NULL;
	int r;

	if (cmd_open_fleet(run, &f, e) == 0)
		id = fleet_find(&f, word, e);
	r = id != NULL && check_live(&f, id, e) == 0 ?
	    verify_release(run, &f, id, e) :
	    -1;
	fleet_release(&f);
	return r;
}

static const enum opt_id opts[] = { OPT_REPAIR, OPT_END };

const struct cmd cmd_verify = {
	.name = "verify",
	.group = "Looking",
	.args = "[RELEASE]",
	.summary = "hash a release again and compare it with its manifest",
	.about =
	    "Without RELEASE, verifies current; with it the bridge that stands for it,\n"
	    "while one does.  Prints each difference; the status is 5 when there is one.\n"
	    "With --repair, takes what is damaged or lost from another release or\n"
	    "another host that has it intact, and prints what is left.\n",
	.examples =
	    "deploy verify -q                      # silent while all is well\n"
	    "deploy verify --repair\n",
	.max_args = 1,
	.looks = true,
	.opts = opts,
	.run = run_verify,
};
