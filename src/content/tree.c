#include "content/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/path.h"
#include "base/text.h"

/* FNV-1a over a path and a time: spreads what the stamp adds up. */
static uint64_t
mix(const char *path, const struct timespec *ts)
{
	uint64_t h = 14695981039346656037u;
	const uint64_t words[2] = { (uint64_t)ts->tv_sec,
		(uint64_t)ts->tv_nsec };

	for (; *path != '\0'; path++)
		h = (h ^ (unsigned char)*path) * 1099511628211u;
	for (size_t i = 0; i < 2; i++)
		h = (h ^ words[i]) * 1099511628211u;
	return h;
}

/*
 * `to` as seen from the directory `from`, when they have the first `top` bytes
 * in common; else nothing.  Both are absolute, `from` ends in a slash.
 */
static void
add_relative(struct buf *b, const char *from, const char *to, size_t top)
{
	size_t same = 0, i = 0;

	for (; from[i] != '\0' && from[i] == to[i]; i++)
		if (from[i] == '/')
			same = i + 1;
	/* The top itself, without its slash. */
	if (to[i] == '\0' && from[i] == '/' && i + 1 == top)
		same = top;
	if (same < top)
		return;
	for (const char *p = from + same; *p != '\0'; p++)
		if (*p == '/')
			buf_adds(b, "../");
	if (same < strlen(to))
		buf_adds(b, to + same);
	else if (from[same] == '\0')
		buf_adds(b, ".");
}

/*
 * What the link at `path`, in `d`, would be as a relative one: added to `out`
 * when it leads into the build, whether something is there or not.
 */
static void
add_as_relative(struct buf *out, const struct dir *d, const char *path,
    const char *target)
{
	const char *name = path_base(target);
	char *above = xasprintf("%s%s%.*s", target[0] == '/' ? "" : d->path,
	    target[0] == '/' ? "" : "/", (int)(name - target), target);
	char *from = realpath(d->path, NULL), *to = realpath(above, NULL);
	struct buf f = BUF_INIT, t = BUF_INIT;

	if (strcmp(name, "..") != 0 && from != NULL && to != NULL) {
		buf_addf(&f, "%s/", from);
		buf_addf(&t, "%s/%s", to, strcmp(name, ".") == 0 ? "" : name);
		add_relative(out, f.data, t.data,
		    f.len - (size_t)(path_base(path) - path));
	}
	buf_release(&f);
	buf_release(&t);
	free(from);
	free(to);
	free(above);
}

/*
 * The link at `path`, in `d`, has a target that no release can have.  An
 * absolute one that leads into the build is put right; of another that does
 * so it is said how.  0, or -1 with the error that is there.
 */
static int
put_right(const struct dir *d, const char *path, const char *target,
    struct buf *out, struct err *e)
{
	struct err ignored = ERR_INIT;

	add_as_relative(out, d, path, target);
	if (out->len == 0 || path_check_link(path, out->data, &ignored) != 0)
		return -1;
	if (target[0] == '/')
		return 0;
	return err_append(e, "; it leads into the build: as '%s'", out->data);
}

/* The target of the link at `path`, checked, into the entry. */
static int
read_link(const struct dir *d, const char *name, const char *path,
    struct tree_walk *w, struct manifest *m, struct entry *en, struct err *e)
{
	char target[PATH_LEN_MAX + 2];
	ssize_t n = readlinkat(d->fd, name, target, sizeof(target));
	struct buf relative = BUF_INIT;
	struct err why = ERR_INIT;
	int r = 0;

	if (n < 0)
		return err_sys(e, "cannot read the link '%s/%s'", d->path,
		    name);
	if ((size_t)n >= sizeof(target))
		return err_set(e, ERR_INTEGRITY,
		    "the target of the link '%s' is too long", path);
	target[n] = '\0';
	if (!w->exact && path_check_link(path, target, &why) != 0)
		r = put_right(d, path, target, &relative, &why);
	if (r != 0)
		*e = why;
	else
		manifest_set_link(m, en,
		    relative.len > 0 ? relative.data : target);
	w->made_relative += r == 0 && relative.len > 0;
	buf_release(&relative);
	return r;
}

/* The mode that a release gives to what has `mode` in the build. */
static uint16_t
release_mode(mode_t mode)
{
	return (mode & 0111) != 0 ? 0755 : 0644;
}

static int read_dir(const struct dir *d, const char *prefix,
    struct tree_walk *w, struct manifest *m, struct err *e);

/* Add the directory `path`, called `name` in `d`, and what is in it. */
static int
read_subdir(const struct dir *d, const char *name, const char *path,
    struct tree_walk *w, struct manifest *m, struct err *e)
{
	struct dir sub = DIR_INIT;
	int r = dir_open(&sub, d, name, e);

	if (r == 0)
		r = read_dir(&sub, path, w, m, e);
	dir_close(&sub);
	return r;
}

static int
read_entry(const struct dir *d, const char *name, const char *path,
    struct tree_walk *w, struct manifest *m, struct err *e)
{
	struct entry *en;
	struct stat st;
	bool is_odd;

	if (path_check(path, e) != 0)
		return err_prefix(e, "in '%s': ", d->path);
	if (fstatat(d->fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return err_sys(e, "cannot examine '%s/%s'", d->path, name);
	is_odd = !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode) &&
	    !S_ISLNK(st.st_mode);
	if (is_odd && !w->any)
		return err_set(e, ERR_INTEGRITY,
		    "'%s/%s' is a device, socket or FIFO;; remove or exclude it",
		    d->path, name);
	en = manifest_add(m, path,
	    S_ISREG(st.st_mode)	    ? ENTRY_FILE :
		S_ISDIR(st.st_mode) ? ENTRY_DIR :
				      ENTRY_LINK);
	en->mode = w->exact ? st.st_mode & 07777 : release_mode(st.st_mode);
	en->mtime = w->exact ? st.st_mtim.tv_sec : 0;
	en->size = S_ISREG(st.st_mode) ? st.st_size : 0;
	if (is_odd)
		manifest_set_link(m, en, "");
	if (S_ISLNK(st.st_mode)) {
		en->mode = 0777;
		return read_link(d, name, path, w, m, en, e);
	}
	if (!S_ISDIR(st.st_mode))
		return 0;
	if (!w->exact)
		en->mode = 0755;
	return read_subdir(d, name, path, w, m, e);
}

/* Is the entry left out? */
static bool
is_excluded(const struct tree_walk *w, const char *name, const char *path)
{
	if (!w->exact && strcmp(name, ".git") == 0)
		return true;
	/* What is above was asked on the way down. */
	for (size_t i = 0; w->exclude != NULL && i < w->exclude->n; i++)
		if (path_match(w->exclude->v[i], path))
			return true;
	return false;
}

static int
read_dir(const struct dir *d, const char *prefix, struct tree_walk *w,
    struct manifest *m, struct err *e)
{
	struct strvec names = STRVEC_INIT;
	struct buf path = BUF_INIT;
	struct stat st;
	int r = 0;

	/* Before the names: a change after this changes the stamp. */
	if (fstat(d->fd, &st) != 0)
		return err_sys(e, "cannot examine '%s'", d->path);
	w->stamp += mix(prefix, &st.st_ctim);
	if (dir_list(d, &names, e) != 0)
		r = -1;
	for (size_t i = 0; r == 0 && i < names.n; i++) {
		buf_reset(&path);
		if (*prefix != '\0')
			buf_addf(&path, "%s/", prefix);
		buf_adds(&path, names.v[i]);
		if (is_excluded(w, names.v[i], path.data))
			w->excluded++;
		else
			r = read_entry(d, names.v[i], path.data, w, m, e);
	}
	buf_release(&path);
	strvec_release(&names);
	return r;
}

int
tree_read(const struct dir *top, struct tree_walk *w, struct manifest *m,
    struct err *e)
{
	w->excluded = 0;
	w->made_relative = 0;
	w->stamp = 0;
	if (read_dir(top, "", w, m, e) != 0)
		return -1;
	return manifest_sort(m, e);
}

int
tree_stamp(const struct dir *top, const struct manifest *m,
    const struct strvec *exclude, uint64_t *stamp, struct err *e)
{
	struct stat st;

	if (fstat(top->fd, &st) != 0)
		return err_sys(e, "cannot examine '%s'", top->path);
	*stamp = mix("", &st.st_ctim);
	for (size_t i = 0; i < m->n; i++) {
		const struct entry *en = &m->v[i];
		/* The build may have an empty directory that gave way. */
		bool gave_way = en->type == ENTRY_LINK &&
		    en->mark == ENTRY_SHARED && dir_has(top, en->path) &&
		    !path_match_any(exclude, en->path);

		if (!gave_way &&
		    (en->type != ENTRY_DIR || en->mark != ENTRY_BUILD))
			continue;
		if (fstatat(top->fd, en->path, &st, AT_SYMLINK_NOFOLLOW) != 0)
			return err_sys(e, "cannot examine '%s/%s'", top->path,
			    en->path);
		*stamp += mix(en->path, &st.st_ctim);
	}
	return 0;
}

/* Add what differs between what is there and what should be. */
static void
compare_entry(const struct entry *is, const struct entry *want,
    struct strvec *found)
{
	if (is->type != want->type) {
		strvec_addf(found, "%s: has another type", want->path);
		return;
	}
	if (is->type == ENTRY_LINK && strcmp(is->link, want->link) != 0)
		strvec_addf(found, "%s: points to '%s' instead of '%s'",
		    want->path, is->link, want->link);
	if (is->type != ENTRY_LINK && is->mode != want->mode)
		strvec_addf(found, "%s: has mode %04o instead of %04o",
		    want->path, is->mode, want->mode);
	if (is->type == ENTRY_FILE && is->size != want->size)
		strvec_addf(found, "%s: has %s instead of %lld", want->path,
		    TEXT_COUNT(is->size, "byte", "bytes"),
		    (long long)want->size);
	if (is->type == ENTRY_FILE && is->mtime != want->mtime)
		strvec_addf(found, "%s: was modified", want->path);
}

int
tree_compare(const struct dir *top, const struct manifest *m,
    struct strvec *found, struct err *e)
{
	struct manifest is = MANIFEST_INIT;
	struct tree_walk w = { .exact = true, .any = true };
	size_t i = 0, k = 0;

	if (tree_read(top, &w, &is, e) != 0) {
		manifest_release(&is);
		return -1;
	}
	while (i < is.n || k < m->n) {
		int c = i == is.n ? 1 :
		    k == m->n	  ? -1 :
				    path_compare(is.v[i].path, m->v[k].path);

		if (c < 0)
			strvec_addf(found, "%s: does not belong there",
			    is.v[i].path);
		else if (c > 0)
			strvec_addf(found, "%s: is missing", m->v[k].path);
		else
			compare_entry(&is.v[i], &m->v[k], found);
		i += c <= 0;
		k += c >= 0;
	}
	manifest_release(&is);
	return 0;
}
