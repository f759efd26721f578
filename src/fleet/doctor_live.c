#include "fleet/doctor_live.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/quote.h"
#include "base/release.h"
#include "base/text.h"

enum { DAY = 86400 };

/* ---- what is live ------------------------------------------------------ */

/* Does the link name a release of this root? */
static bool
parse_link(const struct visit *v, char *target, struct release_id *out)
{
	size_t n = strlen(target), root = strlen(v->c->root);

	while (n > 1 && target[n - 1] == '/')
		target[--n] = '\0';
	if (strncmp(target, v->c->root, root) == 0 && target[root] == '/')
		target += root + 1;
	return strncmp(target, "releases/", 9) == 0 &&
	    release_id_parse(out, target + 9);
}

static void
judge_link(struct visit *v)
{
	char *target = xstrdup(v->f->current != NULL ? v->f->current : "");
	bool serves = visit_inside(v, "current/") != NULL;
	struct release_id id;

	if (!parse_link(v, target, &id)) {
		doctor_add(v->r, DOCTOR_FAIL, "current",
		    "'%s/current' points to '%s', which is %s", v->c->root,
		    target,
		    serves ? "not a release of this root" : "not there");
		doctor_cure(v->r,
		    serves ?
			"run: deploy adopt" :
			"if nothing is served there, remove the link, then run: deploy activate");
	} else if (!serves) {
		doctor_add(v->r, DOCTOR_FAIL, "current",
		    "'%s/current' points to %s, which is not there",
		    v->c->root, id.text);
		doctor_cure(v->r, "activate one of 'deploy list', or publish");
	} else {
		doctor_add(v->r, DOCTOR_OK, "current", "%s", id.text);
	}
	free(target);
}

static void
judge_current(struct visit *v)
{
	const struct doctor_path *p = visit_inside(v, "current");

	if (p == NULL) {
		doctor_add(v->r, DOCTOR_OK, "current", "nothing is live yet");
	} else if (p->type == DOCTOR_LINK) {
		judge_link(v);
	} else if (p->type == DOCTOR_DIR) {
		doctor_add(v->r, DOCTOR_FAIL, "current",
		    "'%s' is a real directory, not a link", p->path);
		doctor_cure(v->r, "run: deploy adopt");
	} else {
		doctor_add(v->r, DOCTOR_FAIL, "current",
		    "'%s' is not a symbolic link", p->path);
		doctor_cure(v->r, "move it away");
	}
}

/* May a web server of whichever user go through this directory? */
static void
judge_passage(struct visit *v, const struct doctor_path *p)
{
	if (p == NULL || p->type != DOCTOR_DIR || (p->mode & 01) != 0)
		return;
	if ((p->mode & 010) != 0) {
		doctor_add(v->r, DOCTOR_WARN, "readable",
		    "'%.*s' has mode %04o: only its owner and its group may enter",
		    visit_shown(p), p->path, p->mode);
		visit_cure_passage(v, p,
		    "fine if the web server is in that group; else ", "o+x");
		return;
	}
	doctor_add(v->r, DOCTOR_FAIL, "readable",
	    "'%.*s' has mode %04o: only its owner may enter, and no web server",
	    visit_shown(p), p->path, p->mode);
	visit_cure_passage(v, p, "", "o+x");
}

/* What is shared, and what lies in it. */
static void
judge_shared(struct visit *v)
{
	const struct doctor_path *shared = visit_inside(v, "shared");
	size_t n = shared != NULL ? strlen(shared->path) : 0;

	judge_passage(v, shared);
	for (size_t i = 0; shared != NULL && i < v->f->n_paths; i++)
		if (strncmp(v->f->paths[i].path, shared->path, n) == 0 &&
		    v->f->paths[i].path[n] == '/')
			judge_passage(v, &v->f->paths[i]);
}

static void
judge_readable(struct visit *v)
{
	size_t before = v->r->n;

	for (size_t i = 0; i < v->f->n_paths; i++)
		if (visit_is_above(v, &v->f->paths[i]))
			judge_passage(v, &v->f->paths[i]);
	judge_passage(v, visit_inside(v, "releases"));
	judge_passage(v, visit_inside(v, "current/"));
	judge_shared(v);
	if (v->r->n == before)
		doctor_add(v->r, DOCTOR_OK, "readable",
		    "a web server of any user gets there");
}

/* ---- what runs, ran and will run --------------------------------------- */

static void
judge_lock(struct visit *v)
{
	const struct doctor_path *file = visit_inside(v, ".deploy/lock");
	const char *lock = v->f->lock;

	/* That it cannot be written has been said. */
	if (lock == NULL || (file != NULL && !file->writable))
		return;
	if (strcmp(lock, "free") == 0) {
		doctor_add(v->r, DOCTOR_OK, "lock", "flock works, it is free");
	} else if (strcmp(lock, "held") == 0) {
		doctor_add(v->r, DOCTOR_OK, "lock",
		    "flock works, a run holds it");
	} else {
		doctor_add(v->r, DOCTOR_FAIL, "lock",
		    "'%s/.deploy/lock' cannot be locked: %s", v->c->root,
		    lock);
		doctor_cure(v->r,
		    "a root wants a file system with flock(2), and to be worked on by its owner");
	}
}

/* What dead runs left; while one is at work it is not known whose it is. */
static void
judge_leftovers(struct visit *v)
{
	const struct doctor_facts *f = v->f;
	bool held = f->lock != NULL && strcmp(f->lock, "held") == 0;

	if (v->f->format == NULL)
		return;
	if ((f->incoming == 0 && f->trash == 0) || (held && f->oldest < DAY)) {
		doctor_add(v->r, DOCTOR_OK, "leftovers", "%s",
		    held ? "none that are known" : "none");
		return;
	}
	doctor_add(v->r, DOCTOR_WARN, "leftovers",
	    "%s, %s to be deleted, of runs that died",
	    TEXT_COUNT(f->incoming, "unfinished stage", "unfinished stages"),
	    TEXT_COUNT(f->trash, "release", "releases"));
	doctor_cure(v->r, "run: deploy prune");
}

/* What a user may want to keep, and nobody else removes. */
static void
judge_kept(struct visit *v)
{
	static const char adopted[] = ".deploy/adopted-";

	for (size_t i = 0; i < v->f->kept.n; i++) {
		const char *path = v->f->kept.v[i];

		if (strncmp(path, adopted, strlen(adopted)) == 0) {
			doctor_add(v->r, DOCTOR_OK, "kept",
			    "'%s/%s' is what was served before 'deploy adopt', to be removed when you are sure",
			    v->c->root, path);
			continue;
		}
		doctor_add(v->r, DOCTOR_WARN, "kept",
		    "'%s/%s' does not belong to deploy, and stays", v->c->root,
		    path);
		doctor_cure(v->r, "see what it is, and move it elsewhere");
	}
}

/* A hook of the root, or their directory: would it be run? */
static bool
judge_hook(struct visit *v, const char *name)
{
	const struct doctor_path *root = doctor_facts_path(v->f, v->root);
	const struct doctor_path *p = visit_inside(v, name);
	bool is_dir = strcmp(name, ".deploy/hooks") == 0;

	if (p == NULL)
		return false;
	if (p->type != (is_dir ? DOCTOR_DIR : DOCTOR_FILE)) {
		doctor_add(v->r, DOCTOR_FAIL, "hooks", "'%s' is not a %s",
		    p->path, is_dir ? "directory" : "regular file");
	} else if (p->uid != 0 && p->uid != root->uid) {
		doctor_add(v->r, DOCTOR_FAIL, "hooks",
		    "'%s' belongs to neither the owner of the root nor root",
		    p->path);
		doctor_cure(v->r,
		    "if nobody planted it, run there as root: chown --reference=%s %s",
		    QUOTED(v->c->root), QUOTED(p->path));
	} else if ((p->mode & 022) != 0) {
		doctor_add(v->r, DOCTOR_FAIL, "hooks",
		    "'%s' can be written by others", p->path);
		doctor_cure(v->r, "run there: chmod go-w %s", QUOTED(p->path));
	} else if (!is_dir && (p->mode & 0111) == 0) {
		doctor_add(v->r, DOCTOR_FAIL, "hooks",
		    "'%s' cannot be executed", p->path);
		doctor_cure(v->r, "run there: chmod +x %s", QUOTED(p->path));
	}
	return true;
}

static void
judge_hooks(struct visit *v)
{
	size_t before = v->r->n;
	bool any = false;

	if (!judge_hook(v, ".deploy/hooks"))
		return;
	any |= judge_hook(v, ".deploy/hooks/post-activate");
	any |= judge_hook(v, ".deploy/hooks/post-rollback");
	if (v->r->n == before)
		doctor_add(v->r, DOCTOR_OK, "hooks", "%s",
		    any ? "in order" : "none");
}

void
doctor_judge_live(struct visit *v)
{
	judge_current(v);
	judge_readable(v);
	judge_lock(v);
	judge_leftovers(v);
	judge_kept(v);
	judge_hooks(v);
}
