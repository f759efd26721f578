#include "fleet/doctor.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/release.h"
#include "base/strvec.h"
#include "base/text.h"

enum {
	SKEW_MS = 2000,	      /* that nobody notices */
	SKEW_MAX_MS = 300000, /* ids and journals make no sense any more */
	FEW_INODES = 100,
	PLENTY = 1000000000, /* of inodes: the sh verbs' word for any */
	DAY = 86400,
};

#define FEW_BYTES (16 * 1000000ULL) /* nothing fits any more */
#define SOME_BYTES \
	(128 * 1000000ULL) /* when the release's size is not known */

/* ---- the report -------------------------------------------------------- */

void
doctor_report_release(struct doctor_report *r)
{
	for (size_t i = 0; i < r->n; i++) {
		free(r->v[i].detail);
		free(r->v[i].cure);
	}
	free(r->v);
	*r = (struct doctor_report)DOCTOR_REPORT_INIT;
}

const char *
doctor_level_name(enum doctor_level level)
{
	static const char *const names[] = { "ok", "warn", "fail" };

	return names[level];
}

size_t
doctor_count(const struct doctor_report *r, enum doctor_level level)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n; i++)
		n += r->v[i].level == level;
	return n;
}

void
doctor_add(struct doctor_report *r, enum doctor_level level, const char *what,
    const char *fmt, ...)
{
	va_list ap;

	r->v = xreallocarray(r->v, r->n + 1, sizeof(*r->v));
	va_start(ap, fmt);
	r->v[r->n++] = (struct doctor_finding){ level, what,
		text_vcleanf(fmt, ap), NULL };
	va_end(ap);
}

void
doctor_cure(struct doctor_report *r, const char *fmt, ...)
{
	struct doctor_finding *last = &r->v[r->n - 1];
	va_list ap;

	free(last->cure);
	va_start(ap, fmt);
	last->cure = text_vcleanf(fmt, ap);
	va_end(ap);
}

/* ---- the way there ----------------------------------------------------- */

void
doctor_judge_login(struct doctor_report *r, const char *host_key,
    const char *key)
{
	if (host_key == NULL) {
		doctor_add(r, DOCTOR_OK, "connection", "this machine");
		return;
	}
	doctor_add(r, DOCTOR_OK, "connection", "there is one");
	doctor_add(r, DOCTOR_OK, "host key", "%s, as expected", host_key);
	doctor_add(r, DOCTOR_OK, "key", "let in by %s",
	    key != NULL ? key : "one of ours");
}

void
doctor_add_error(struct doctor_report *r, const char *what,
    const struct err *e)
{
	doctor_add(r, DOCTOR_FAIL, what, "%.*s", err_problem_len(e),
	    err_problem(e));
	if (*err_cure(e) != '\0')
		doctor_cure(r, "%s", err_cure(e));
}

void
doctor_judge_refusal(struct doctor_report *r, const struct err *e)
{
	switch (e->phase) {
	case PHASE_HOST_KEY:
		doctor_add(r, DOCTOR_OK, "connection", "there is one");
		doctor_add_error(r, "host key", e);
		break;
	case PHASE_LOGIN:
		doctor_add(r, DOCTOR_OK, "connection", "there is one");
		doctor_add(r, DOCTOR_OK, "host key", "as expected");
		doctor_add_error(r, "key", e);
		break;
	case PHASE_NONE:
	case PHASE_CONNECT:
	case PHASE_ANSWER:
		doctor_add_error(r, "connection", e);
		break;
	}
}

/* ---- programs and the clock -------------------------------------------- */

/* What all judges need. */
struct visit {
	struct doctor_report *r;
	const struct doctor_facts *f;
	const struct doctor_case *c;
	char *root; /* the root as it was told, "/srv/x/" */
};

/* Who logs in there. */
static const char *
who(const struct visit *v)
{
	return v->f->user != NULL ? v->f->user : "deploy";
}

static bool
is_script(const struct visit *v)
{
	return v->f->version != NULL && strcmp(v->f->version, "sh") == 0;
}

static void
judge_program(struct visit *v)
{
	if (v->c->version == NULL)
		return;
	if (is_script(v)) {
		doctor_add(v->r, DOCTOR_OK, "deploy",
		    "not used there: the sh verbs are");
	} else if (v->f->version != NULL &&
	    strcmp(v->f->version, v->c->version) == 0) {
		doctor_add(v->r, DOCTOR_OK, "deploy", "version %s",
		    v->f->version);
	} else {
		doctor_add(v->r, DOCTOR_WARN, "deploy",
		    "version %s there, %s here",
		    v->f->version != NULL ? v->f->version : "unknown",
		    v->c->version);
		doctor_cure(v->r, "install the same version on both ends");
	}
}

/* "sh dash, tar 1.34, ..., Landlock" */
static void
list_tools(const struct visit *v, struct buf *out)
{
	static const char *const shown[] = { "sh", "tar", "zstd", "gzip",
		"rsync" };

	for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++) {
		const struct doctor_tool *t =
		    doctor_facts_tool(v->f, shown[i]);
		const char *base;

		if (t == NULL)
			continue;
		/* sh is told by the file that it is. */
		base = strrchr(t->version, '/');
		base = base != NULL ? base + 1 : t->version;
		buf_addf(out, "%s%s%s%s", out->len > 0 ? ", " : "", t->name,
		    *base != '\0' ? " " : "", base);
	}
	/* The sh verbs do not ask the kernel. */
	if (!is_script(v))
		buf_addf(out, "%s%sLandlock", out->len > 0 ? ", " : "",
		    v->f->landlock ? "" : "no ");
}

/* Those that the sh verbs need and do not find. */
static void
list_missing(const struct visit *v, struct buf *out)
{
	static const char *const needed[] = { "awk", "find", "flock",
		"sha256sum", "stat", "tar", "timeout" };

	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
		if (doctor_facts_tool(v->f, needed[i]) == NULL)
			buf_addf(out, "%s%s", out->len > 0 ? ", " : "",
			    needed[i]);
}

static void
judge_tools(struct visit *v)
{
	struct buf missing = BUF_INIT, all = BUF_INIT;

	list_tools(v, &all);
	if (is_script(v))
		list_missing(v, &missing);
	if (missing.len > 0) {
		doctor_add(v->r, DOCTOR_FAIL, "tools",
		    "the sh verbs need what is not there: %s", missing.data);
		doctor_cure(v->r, "install that on the host, or deploy");
	} else if (is_script(v) && doctor_facts_tool(v->f, "zstd") == NULL &&
	    doctor_facts_tool(v->f, "gzip") == NULL) {
		doctor_add(v->r, DOCTOR_WARN, "tools",
		    "neither zstd nor gzip is there: releases travel uncompressed");
		doctor_cure(v->r, "install zstd on the host, or deploy");
	} else {
		doctor_add(v->r, DOCTOR_OK, "tools", "%s", buf_str(&all));
	}
	if (v->c->rsync && doctor_facts_tool(v->f, "rsync") == NULL) {
		doctor_add(v->r, DOCTOR_FAIL, "rsync",
		    "it is not there, and 'transport: rsync' needs it");
		doctor_cure(v->r,
		    "install it on the host, or use 'transport: ssh'");
	}
	buf_release(&missing);
	buf_release(&all);
}

/*
 * The host looked at its clock between `asked` and `heard`, and the sh verbs
 * know whole seconds only: so it is ahead by `low` at least and `high` at
 * most.
 */
static void
judge_clock(struct visit *v)
{
	int64_t low = v->f->now - v->c->heard;
	int64_t high = v->f->now - v->c->asked + (is_script(v) ? 999 : 0);
	int64_t off = low > 0 ? low : -high;

	if (v->c->asked == 0 || v->f->now < 0)
		return;
	if (low <= SKEW_MS && high >= -SKEW_MS) {
		doctor_add(v->r, DOCTOR_OK, "clock",
		    "agrees with this machine's to %.1f s",
		    (double)(high > -low ? high : -low) / 1000);
		return;
	}
	doctor_add(v->r, off > SKEW_MAX_MS ? DOCTOR_FAIL : DOCTOR_WARN,
	    "clock", "%s this machine's by %.1f s",
	    low > 0 ? "ahead of" : "behind", (double)off / 1000);
	doctor_cure(v->r, "let both set their clocks by the network (NTP)");
}

/* ---- the root ---------------------------------------------------------- */

/* A path in the root, or NULL: it is not there. */
static const struct doctor_path *
inside(const struct visit *v, const char *name)
{
	char *path = xasprintf("%s/%s", v->c->root, name);
	const struct doctor_path *p = doctor_facts_path(v->f, path);

	free(path);
	return p == NULL || p->type == DOCTOR_MISSING ||
		p->type == DOCTOR_DENIED ?
	    NULL :
	    p;
}

/* The length of a path without the slash at its end, for messages. */
static int
shown(const struct doctor_path *p)
{
	size_t n = strlen(p->path);

	return (int)(n > 1 && p->path[n - 1] == '/' ? n - 1 : n);
}

static bool
is_on_the_way(const struct visit *v, const struct doctor_path *p)
{
	size_t n = strlen(p->path);

	return n > 0 && p->path[n - 1] == '/' &&
	    strncmp(v->root, p->path, n) == 0;
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
		    shown(first), first->path);
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
	doctor_cure(v->r, "run there, as root: install -d -o %s '%s'", who(v),
	    v->c->root);
}

/* Is the way to the root there, and the root a directory? */
static bool
judge_way(struct visit *v)
{
	const struct doctor_path *last = NULL;

	for (size_t i = 0; i < v->f->n_paths; i++) {
		const struct doctor_path *p = &v->f->paths[i];

		if (!is_on_the_way(v, p))
			continue;
		if (p->type == DOCTOR_MISSING && last != NULL) {
			judge_missing_root(v, p, last);
			return false;
		}
		if (p->type == DOCTOR_DENIED && last != NULL) {
			doctor_add(v->r, DOCTOR_FAIL, "root",
			    "'%.*s' may not be entered by %s", shown(last),
			    last->path, who(v));
			doctor_cure(v->r, "run there: chmod o+x '%.*s'",
			    shown(last), last->path);
			return false;
		}
		if (p->type != DOCTOR_DIR) {
			doctor_add(v->r, DOCTOR_FAIL, "root",
			    "'%.*s' is no directory", shown(p), p->path);
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
	const struct doctor_path *current = inside(v, "current");

	if (v->f->format != NULL && strcmp(v->f->format, "1") != 0) {
		doctor_add(v->r, DOCTOR_FAIL, "root",
		    "'%s' has format '%s', this program knows 1", v->c->root,
		    v->f->format);
		doctor_cure(v->r, "use a newer deploy");
	} else if (v->f->format == NULL || inside(v, "releases") == NULL ||
	    inside(v, ".deploy/trash") == NULL) {
		doctor_add(v->r, DOCTOR_WARN, "root",
		    "'%s' is there, but not prepared", v->c->root);
		doctor_cure(v->r, "run: deploy %s",
		    current != NULL && current->type == DOCTOR_DIR ? "adopt" :
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
	return *name != '\0' ? inside(v, name) :
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

static void
judge_owners(struct visit *v)
{
	size_t before = v->r->n;

	for (const char *const *name = dirs; *name != NULL; name++) {
		const struct doctor_path *p = one_of_ours(v, *name);

		if (p == NULL)
			continue;
		if (p->type != DOCTOR_DIR) {
			doctor_add(v->r, DOCTOR_FAIL, "owner",
			    "'%.*s' is no directory", shown(p), p->path);
			doctor_cure(v->r, "move it away");
		} else if ((p->mode & 02) != 0) {
			doctor_add(v->r, DOCTOR_FAIL, "owner",
			    "'%.*s' can be written by everybody", shown(p),
			    p->path);
			doctor_cure(v->r, "run there: chmod o-w '%.*s'",
			    shown(p), p->path);
		} else if (!is_trusted(v, p)) {
			doctor_add(v->r, DOCTOR_FAIL, "owner",
			    "'%.*s' belongs to user %u, not to %s", shown(p),
			    p->path, p->uid, who(v));
			doctor_cure(v->r,
			    "log in as that user, or run there: chown -R %s '%s'",
			    who(v), v->c->root);
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
	const struct doctor_path *lock = inside(v, ".deploy/lock");

	for (const char *const *name = dirs; *name != NULL; name++) {
		const struct doctor_path *p = one_of_ours(v, *name);

		if (p != NULL && p->type == DOCTOR_DIR && !p->writable)
			return p;
	}
	return lock != NULL && !lock->writable ? lock : NULL;
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
		    "'%.*s' is on a file system that is read-only", shown(p),
		    p->path);
		doctor_cure(v->r,
		    "see what the kernel's log says about it; mount it read-write");
		return;
	}
	doctor_add(v->r, DOCTOR_FAIL, "writing",
	    "'%.*s' cannot be written by %s", shown(p), p->path, who(v));
	if (p->uid == v->f->uid)
		doctor_cure(v->r, "run there: chmod u+w '%.*s'", shown(p),
		    p->path);
	else
		doctor_cure(v->r,
		    "log in as user %u, who owns it, or run there: chown -R %s '%s'",
		    p->uid, who(v), v->c->root);
}

static void
judge_devices(struct visit *v)
{
	const struct doctor_path *root = doctor_facts_path(v->f, v->root);

	for (const char *const *name = dirs; *name != NULL; name++) {
		const struct doctor_path *p = one_of_ours(v, *name);

		if (p == NULL || p->device == root->device)
			continue;
		doctor_add(v->r, DOCTOR_FAIL, "file system",
		    "'%s' is on another one than '%s': nothing can be renamed between them",
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
		buf_addf(out, " and %llu inodes",
		    (unsigned long long)f->free_inodes);
	buf_adds(out, " free");
	if (f->live_bytes < 0)
		return;
	buf_adds(out, ", the live release has ");
	add_bytes(out, (uint64_t)f->live_bytes);
	buf_addf(out, " in %lld files", (long long)f->live_files);
}

/* Is there room for a release in which everything is new? */
static void
judge_space(struct visit *v)
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
		    "run 'deploy prune', with a lower --keep, or make room");
	buf_release(&text);
}

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
	struct release_id id;

	if (!parse_link(v, target, &id)) {
		doctor_add(v->r, DOCTOR_FAIL, "current",
		    "'%s/current' points to '%s', which is no release of this root",
		    v->c->root, target);
		doctor_cure(v->r,
		    "remove the link, then run: deploy activate");
	} else if (inside(v, "current/") == NULL) {
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
	const struct doctor_path *p = inside(v, "current");

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
		    shown(p), p->path, p->mode);
		doctor_cure(v->r,
		    "fine if the web server is in that group; else run there: chmod o+x '%.*s'",
		    shown(p), p->path);
		return;
	}
	doctor_add(v->r, DOCTOR_FAIL, "readable",
	    "'%.*s' has mode %04o: only its owner may enter, and no web server",
	    shown(p), p->path, p->mode);
	doctor_cure(v->r, "run there: chmod o+x '%.*s'", shown(p), p->path);
}

static void
judge_readable(struct visit *v)
{
	size_t before = v->r->n;

	for (size_t i = 0; i < v->f->n_paths; i++)
		if (is_on_the_way(v, &v->f->paths[i]))
			judge_passage(v, &v->f->paths[i]);
	judge_passage(v, inside(v, "releases"));
	judge_passage(v, inside(v, "current/"));
	judge_passage(v, inside(v, "shared"));
	if (v->r->n == before)
		doctor_add(v->r, DOCTOR_OK, "readable",
		    "a web server of any user gets there");
}

/* ---- what runs, ran and will run --------------------------------------- */

static void
judge_lock(struct visit *v)
{
	const struct doctor_path *file = inside(v, ".deploy/lock");
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
	    "%zu unfinished stages, %llu releases to be deleted, of runs that died",
	    f->incoming, (unsigned long long)f->trash);
	doctor_cure(v->r, "run: deploy prune");
}

/* A hook of the root, or their directory: would it be run? */
static bool
judge_hook(struct visit *v, const char *name)
{
	const struct doctor_path *root = doctor_facts_path(v->f, v->root);
	const struct doctor_path *p = inside(v, name);
	bool is_dir = strcmp(name, ".deploy/hooks") == 0;

	if (p == NULL)
		return false;
	if (p->type != (is_dir ? DOCTOR_DIR : DOCTOR_FILE)) {
		doctor_add(v->r, DOCTOR_FAIL, "hooks", "'%s' is no %s",
		    p->path, is_dir ? "directory" : "regular file");
	} else if (p->uid != 0 && p->uid != root->uid) {
		doctor_add(v->r, DOCTOR_FAIL, "hooks",
		    "'%s' belongs to neither the owner of the root nor root",
		    p->path);
		doctor_cure(v->r, "run there: chown --reference='%s' '%s'",
		    v->c->root, p->path);
	} else if ((p->mode & 022) != 0) {
		doctor_add(v->r, DOCTOR_FAIL, "hooks",
		    "'%s' can be written by others", p->path);
		doctor_cure(v->r, "run there: chmod go-w '%s'", p->path);
	} else if (!is_dir && (p->mode & 0111) == 0) {
		doctor_add(v->r, DOCTOR_FAIL, "hooks",
		    "'%s' cannot be executed", p->path);
		doctor_cure(v->r, "run there: chmod +x '%s'", p->path);
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

/* ---- the web server ---------------------------------------------------- */

/* What the directive is set to, in "file:line: name value;", or NULL. */
static const char *
setting(const char *line, const char *name)
{
	const char *at = strchr(line, ':');

	at = at != NULL ? strchr(at + 1, ':') : NULL;
	if (at == NULL)
		return NULL;
	at += 1 + strspn(at + 1, " \t");
	if (strncmp(at, name, strlen(name)) != 0)
		return NULL;
	at += strlen(name);
	return *at == ' ' || *at == '\t' ? at + strspn(at, " \t") : NULL;
}

static bool
is_on(const char *value)
{
	return value != NULL &&
	    (strncmp(value, "off", 3) != 0 ||
		strchr("; \t", value[3]) == NULL);
}

static void
judge_nginx(struct visit *v)
{
	const struct strvec *lines = &v->f->nginx_lines;
	size_t before = v->r->n;

	if (v->f->nginx == NULL)
		return;
	for (size_t i = 0; i < lines->n; i++) {
		const char *line = lines->v[i];

		if (is_on(setting(line, "open_file_cache"))) {
			doctor_add(v->r, DOCTOR_WARN, "nginx",
			    "%s would serve the old release for a while, page by page",
			    line);
			doctor_cure(v->r,
			    "open_file_cache off; for this site");
		} else if (is_on(setting(line, "disable_symlinks"))) {
			doctor_add(v->r, DOCTOR_WARN, "nginx",
			    "%s would not let it follow 'current'", line);
			doctor_cure(v->r,
			    "disable_symlinks off; for this site");
		}
	}
	if (v->r->n == before)
		doctor_add(v->r, DOCTOR_OK, "nginx",
		    "nothing in the way in '%s' and beside it", v->f->nginx);
}

void
doctor_judge(struct doctor_report *r, const struct doctor_facts *f,
    const struct doctor_case *c)
{
	struct visit v = { r, f, c, xasprintf("%s/", c->root) };

	judge_program(&v);
	judge_tools(&v);
	judge_clock(&v);
	if (judge_way(&v)) {
		judge_format(&v);
		judge_owners(&v);
		judge_writing(&v);
		judge_devices(&v);
		judge_current(&v);
		judge_readable(&v);
		judge_lock(&v);
		judge_leftovers(&v);
		judge_hooks(&v);
	}
	judge_space(&v);
	judge_nginx(&v);
	free(v.root);
}
