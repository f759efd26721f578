#include "fleet/doctor_root.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/quote.h"
#include "base/text.h"

enum {
	FEW_INODES = 100,
	PLENTY = 1000000000, /* of inodes: the sh verbs' word for any */
};

#define FEW_BYTES (16 * 1000000ULL) /* nothing fits any more */
#define SOME_BYTES \
	(128 * 1000000ULL) /* when the release's size is not known */

const struct doctor_path *
visit_inside(const struct visit *v, const char *name)
{
	char *path = xasprintf("%s/%s", v->c->root, name);
	const struct doctor_path *p = doctor_facts_path(v->f, path);

	free(path);
	return p == NULL || p->type == DOCTOR_MISSING ||
		p->type == DOCTOR_DENIED ?
	    NULL :
	    p;
}

int
visit_shown(const struct doctor_path *p)
{
	size_t n = strlen(p->path);

	return (int)(n > 1 && p->path[n - 1] == '/' ? n - 1 : n);
}

bool
visit_is_above(const struct visit *v, const struct doctor_path *p)
{
	size_t n = strlen(p->path);

	return n > 0 && p->path[n - 1] == '/' &&
	    strncmp(v->root, p->path, n) == 0;
}

void
visit_cure_passage(struct visit *v, const struct doctor_path *p,
    const char *unless, const char *right)
{
	bool above = visit_is_above(v, p) && strcmp(p->path, v->root) != 0;
	bool mine = p->uid == v->f->uid && (p->mode & 01000) == 0;

	if (above && (p->uid == 0 || !mine))
		doctor_cure(v->r,
		    "%sname a root elsewhere, such as below /srv, or ask who owns that directory (user %u)",
		    unless, p->uid);
	else if (!mine && v->f->uid != 0)
		doctor_cure(v->r, "%slet user %u run there: chmod %s %s",
		    unless, p->uid, right, QUOTED_N(p->path, visit_shown(p)));
	else
		doctor_cure(v->r, "%srun there: chmod %s %s", unless, right,
		    QUOTED_N(p->path, visit_shown(p)));
}

/* Who logs in there. */
static const char *
who(const struct visit *v)
{
	return v->f->user != NULL ? v->f->user : "deploy";
}

/*
 * The root does not exist: `first` is what is missing of the way to it, `last`
 * what is above that.
 */
static void
judge_missing_root(struct visit *v, const struct doctor_path *first,
    const struct doctor_path *last)
{
	if (strcmp(first->path, v->root) != 0) {
		doctor_add(v->r, DOCTOR_FAIL, "root",
		    "'%.*s' is not there, and deploy makes the root, not what is above it",
		    visit_shown(first), first->path);
	} else if (last->writable) {
		doctor_add(v->r, DOCTOR_WARN, "root", "'%s' is not there yet",
		    v->c->root);
		doctor_cure(v->r, "run: deploy init");
		return;
	} else {
		doctor_add(v->r, DOCTOR_FAIL, "root",
		    "'%s' is not there, and %s cannot make it", v->c->root,
		    who(v));
	}
	doctor_cure(v->r, "run there, as root: install -d -o %s %s", who(v),
	    QUOTED(v->c->root));
}

/* Is the way to the root there, and the root a directory? */
static bool
judge_way(struct visit *v)
{
	const struct doctor_path *last = NULL;

	for (size_t i = 0; i < v->f->n_paths; i++) {
		const struct doctor_path *p = &v->f->paths[i];

		if (!visit_is_above(v, p))
			continue;
		if (p->type == DOCTOR_MISSING && last != NULL) {
			judge_missing_root(v, p, last);
			return false;
		}
		if (p->type == DOCTOR_DENIED && last != NULL) {
			doctor_add(v->r, DOCTOR_FAIL, "root",
			    "'%.*s' may not be entered by %s",
			    visit_shown(last), last->path, who(v));
			/* Its owner has no right that others have. */
			visit_cure_passage(v, last, "",
			    last->uid == v->f->uid ? "u+x" : "o+x");
			return false;
		}
		if (p->type != DOCTOR_DIR) {
			doctor_add(v->r, DOCTOR_FAIL, "root",
			    "'%.*s' is not a directory", visit_shown(p),
			    p->path);
			return false;
		}
		last = p;
	}
	if (last != NULL && strcmp(last->path, v->root) == 0)
		return true;
	doctor_add(v->r, DOCTOR_FAIL, "root", "the host does not tell");
	return false;
}

/* Is it a root of deploy? */
static void
judge_format(struct visit *v)
{
	if (v->f->format != NULL && strcmp(v->f->format, "1") != 0) {
		doctor_add(v->r, DOCTOR_FAIL, "root",
		    "'%s' has format '%s', this program knows 1", v->c->root,
		    v->f->format);
		doctor_cure(v->r, "use a newer deploy");
	} else if (v->f->stranger != NULL) {
		doctor_add(v->r, DOCTOR_FAIL, "root",
		    "'%s' is not a root of deploy, and has other things in it ('%s')",
		    v->c->root, v->f->stranger);
		doctor_cure(v->r,
		    "name a directory of its own, such as '%s%s'", v->c->root,
		    strcmp(v->c->root, "/") == 0 ? "srv/site" : "/site");
	} else if (v->f->format == NULL ||
	    visit_inside(v, "releases") == NULL ||
	    visit_inside(v, ".deploy/trash") == NULL) {
		doctor_add(v->r, DOCTOR_WARN, "root",
		    "'%s' is there, but not prepared", v->c->root);
		/* Of another tool, or ours in part. */
		doctor_cure(v->r, "run: deploy %s",
		    visit_inside(v, "current/") != NULL &&
			    visit_inside(v, ".deploy") == NULL ?
			"adopt" :
			"init");
	} else {
		doctor_add(v->r, DOCTOR_OK, "root", "'%s' is prepared",
		    v->c->root);
	}
}

/* The directories of ours in a root; "": itself. */
static const char *const dirs[] = { "", "releases", ".deploy",
	".deploy/incoming", ".deploy/manifests", ".deploy/meta",
	".deploy/trash", NULL };

/* One of them, or NULL: it is not there. */
static const struct doctor_path *
one_of_ours(const struct visit *v, const char *name)
{
	return *name != '\0' ? visit_inside(v, name) :
			       doctor_facts_path(v->f, v->root);
}

/* May it belong to that user?  As store.h and deploy-root(5) have it. */
static bool
is_trusted(const struct visit *v, const struct doctor_path *p)
{
	const struct doctor_path *root = doctor_facts_path(v->f, v->root);

	return p->uid == v->f->uid || p->uid == 0 ||
	    (v->f->uid != 0 && p->uid == root->uid);
}

/* A part of a root that is a link: what is served may go through it. */
static void
judge_linked(struct visit *v, const struct doctor_path *p)
{
	doctor_add(v->r, DOCTOR_FAIL, "owner",
	    "'%.*s' is a link, and a root is whole on one disk",
	    visit_shown(p), p->path);
	if (visit_inside(v, "current/") != NULL) {
		char *current = xasprintf("%s/current", v->c->root);

		doctor_cure(v->r,
		    "name a root on the other disk; it takes over what is served here with: deploy adopt %s",
		    QUOTED(current));
		free(current);
	} else {
		doctor_cure(v->r, "name a root on the other disk");
	}
}

/* Is the whole root somebody else's?  Once, and nobody takes it from him. */
static bool
judge_owner(struct visit *v)
{
	const struct doctor_path *p = one_of_ours(v, "");

	if (p == NULL || p->type != DOCTOR_DIR || is_trusted(v, p))
		return false;
	doctor_add(v->r, DOCTOR_FAIL, "owner",
	    "'%.*s' belongs to user %u, not to %s, who does not write there",
	    visit_shown(p), p->path, p->uid, who(v));
	doctor_cure(v->r, "run deploy as that user");
	return true;
}

static void
judge_owners(struct visit *v)
{
	size_t before = v->r->n;

	if (judge_owner(v))
		return;
	for (const char *const *name = dirs; *name != NULL; name++) {
		const struct doctor_path *p = one_of_ours(v, *name);

		if (p == NULL)
			continue;
		if (p->type == DOCTOR_LINK) {
			judge_linked(v, p);
		} else if (p->type != DOCTOR_DIR) {
			doctor_add(v->r, DOCTOR_FAIL, "owner",
			    "'%.*s' is not a directory", visit_shown(p),
			    p->path);
			doctor_cure(v->r, "move it away");
		} else if ((p->mode & 01002) == 01002) {
			doctor_add(v->r, DOCTOR_FAIL, "owner",
			    "'%.*s' is for everybody's files", visit_shown(p),
			    p->path);
			doctor_cure(v->r,
			    "name a directory of its own, such as '%.*s/site'",
			    visit_shown(p), p->path);
		} else if ((p->mode & 02) != 0) {
			doctor_add(v->r, DOCTOR_FAIL, "owner",
			    "'%.*s' can be written by everybody",
			    visit_shown(p), p->path);
			doctor_cure(v->r, "run there: chmod o-w %s",
			    QUOTED_N(p->path, visit_shown(p)));
		} else if (!is_trusted(v, p)) {
			doctor_add(v->r, DOCTOR_FAIL, "owner",
			    "'%.*s' belongs to user %u, not to %s",
			    visit_shown(p), p->path, p->uid, who(v));
			doctor_cure(v->r,
			    "if nobody planted it, run there as root: chown %u %s",
			    one_of_ours(v, "")->uid,
			    QUOTED_N(p->path, visit_shown(p)));
		}
	}
	if (v->r->n == before)
		doctor_add(v->r, DOCTOR_OK, "owner",
		    "nobody else can have planted anything");
}

/* Does the mode let the user write, so that something else is in the way? */
static bool
is_allowed(const struct visit *v, const struct doctor_path *p)
{
	return v->f->uid == 0 || (p->uid == v->f->uid && (p->mode & 0200));
}

/* The first thing that cannot be written, or NULL. */
static const struct doctor_path *
find_unwritable(const struct visit *v)
{
	static const char *const files[] = { ".deploy/lock",
		".deploy/journal" };

	for (const char *const *name = dirs; *name != NULL; name++) {
		const struct doctor_path *p = one_of_ours(v, *name);

		if (p != NULL && p->type == DOCTOR_DIR && !p->writable)
			return p;
	}
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		const struct doctor_path *p = visit_inside(v, files[i]);

		if (p != NULL && !p->writable)
			return p;
	}
	return NULL;
}

/*
 * Root owns what the user has to write: give him that, and nothing else of
 * the root, as what is in shared/ may belong to a web server, say.
 */
static void
cure_owner(struct visit *v)
{
	static const char *const ours[] = { "releases", ".deploy", NULL };
	struct buf text = BUF_INIT;

	buf_addf(&text, "run there as root: chown %s %s", who(v),
	    QUOTED(v->c->root));
	for (const char *const *name = ours; *name != NULL; name++) {
		const struct doctor_path *p = one_of_ours(v, *name);

		if (p != NULL)
			buf_addf(&text, " && chown -R %s %s", who(v),
			    QUOTED_N(p->path, visit_shown(p)));
	}
	doctor_cure(v->r, "%s", text.data);
	buf_release(&text);
}

static void
judge_writing(struct visit *v)
{
	const struct doctor_path *p = find_unwritable(v);

	if (p == NULL) {
		doctor_add(v->r, DOCTOR_OK, "writing", "%s may", who(v));
		return;
	}
	if (is_allowed(v, p)) {
		doctor_add(v->r, DOCTOR_FAIL, "writing",
		    "'%.*s' is on a file system that is read-only, or has an attribute such as 'immutable'",
		    visit_shown(p), p->path);
		doctor_cure(v->r,
		    "see lsattr(1) for the attribute, or what the kernel's log says; mount it read-write");
		return;
	}
	doctor_add(v->r, DOCTOR_FAIL, "writing",
	    "'%.*s' cannot be written by %s", visit_shown(p), p->path, who(v));
	if (p->uid == v->f->uid)
		doctor_cure(v->r, "run there: chmod u+w %s",
		    QUOTED_N(p->path, visit_shown(p)));
	else if (p->type != DOCTOR_DIR)
		doctor_cure(v->r, "run there as root: chown %u %s", v->f->uid,
		    QUOTED_N(p->path, visit_shown(p)));
	else if (p->uid == 0)
		cure_owner(v);
	else
		doctor_cure(v->r, "log in as user %u, who owns it", p->uid);
}

static void
judge_devices(struct visit *v)
{
	const struct doctor_path *root = doctor_facts_path(v->f, v->root);

	for (const char *const *name = dirs; *name != NULL; name++) {
		const struct doctor_path *p = one_of_ours(v, *name);

		/* A link has been told of; a probe does not follow it. */
		if (p == NULL || p->type == DOCTOR_LINK ||
		    p->device == root->device)
			continue;
		doctor_add(v->r, DOCTOR_FAIL, "file system",
		    "'%s' is on another one than '%s', or mounted apart: nothing can be renamed between them",
		    p->path, v->c->root);
		doctor_cure(v->r, "mount the whole root there, not a part");
		return;
	}
	doctor_add(v->r, DOCTOR_OK, "file system", "one for all of the root");
}

/* Add a number of bytes, for people. */
static void
add_bytes(struct buf *out, uint64_t bytes)
{
	char text[32];

	text_size(bytes > INT64_MAX ? INT64_MAX : (int64_t)bytes, text);
	buf_adds(out, text);
}

/* What is free, and how much that is. */
static void
describe_space(const struct doctor_facts *f, struct buf *out)
{
	add_bytes(out, f->free_bytes);
	if (f->free_inodes < PLENTY)
		buf_addf(out, " and %s",
		    TEXT_COUNT(f->free_inodes, "inode", "inodes"));
	buf_adds(out, " free");
	if (f->live_bytes < 0)
		return;
	buf_adds(out, ", the live release has ");
	add_bytes(out, (uint64_t)f->live_bytes);
	buf_addf(out, " in %s", TEXT_COUNT(f->live_files, "file", "files"));
}

void
doctor_judge_space(struct visit *v)
{
	const struct doctor_facts *f = v->f;
	uint64_t bytes = SOME_BYTES, inodes = FEW_INODES;
	enum doctor_level level = DOCTOR_OK;
	struct buf text = BUF_INIT;

	if (!f->has_free)
		return;
	if (f->live_bytes >= 0) {
		bytes = (uint64_t)f->live_bytes + FEW_BYTES;
		inodes = (uint64_t)f->live_files + FEW_INODES;
	}
	if (f->free_bytes < bytes || f->free_inodes < inodes)
		level = DOCTOR_WARN;
	if (f->free_bytes < FEW_BYTES || f->free_inodes < FEW_INODES)
		level = DOCTOR_FAIL;
	describe_space(f, &text);
	doctor_add(v->r, level, "space", "%s", text.data);
	if (level != DOCTOR_OK)
		doctor_cure(v->r,
		    "make room; 'deploy prune --keep 1 --dry-run' shows what could go");
	buf_release(&text);
}

bool
doctor_judge_root(struct visit *v)
{
	if (!judge_way(v))
		return false;
	judge_format(v);
	judge_owners(v);
	judge_writing(v);
	judge_devices(v);
	return true;
}
