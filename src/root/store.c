#include "root/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/path.h"
#include "base/quote.h"
#include "base/text.h"
#include "os/file.h"
#include "os/names.h"

#define FORMAT "1\n"
#define STATE_DIR ".deploy"

/* The directories of a root, each in the one that stands before it. */
struct part {
	struct dir *d;
	const struct dir *at;
	const char *name;
};

enum { PARTS = 6 };

static void
list_parts(struct store *s, struct part out[PARTS])
{
	const struct part parts[PARTS] = {
		{ &s->releases, &s->root, STORE_RELEASES },
		{ &s->state, &s->root, STATE_DIR },
		{ &s->incoming, &s->state, "incoming" },
		{ &s->manifests, &s->state, "manifests" },
		{ &s->meta, &s->state, "meta" },
		{ &s->trash, &s->state, "trash" },
	};

	memcpy(out, parts, sizeof(parts));
}

void
store_close(struct store *s)
{
	struct part parts[PARTS];

	list_parts(s, parts);
	for (int i = 0; i < PARTS; i++)
		dir_close(parts[i].d);
	dir_close(&s->root);
}

/*
 * Could another user have planted this directory?  The owner of the root may
 * be another one when he lets us write there, but the superuser does not
 * work in somebody else's directory: he could be led anywhere.
 */
static int
check_owner(const struct dir *d, uid_t root_owner, bool looks, struct err *e)
{
	struct stat st;
	uid_t me = geteuid();
	char owner[NAMES_LEN];
	bool named;

	if (fstat(d->fd, &st) != 0)
		return err_sys(e, "cannot examine '%s'", d->path);
	if ((st.st_mode & S_IWOTH) != 0)
		return err_set(e, ERR_FAILED,
		    "'%s' can be written by everybody;; run: chmod o-w %s",
		    d->path, QUOTED(d->path));
	if (st.st_uid == me || st.st_uid == 0 ||
	    (looks && st.st_uid == root_owner))
		return 0;
	named = names_user(st.st_uid, owner);
	if (me == 0)
		return err_set(e, ERR_FAILED,
		    "'%s' belongs to %s;; run deploy as that user%s%s%s%s",
		    d->path, owner, named ? ": runuser -u " : "",
		    named ? owner : "",
		    named ? " -- deploy ..., or over SSH with user: " : "",
		    named ? owner : "");
	if (st.st_uid == root_owner)
		return 0;
	return err_set(e, ERR_FAILED,
	    "'%s' belongs to %s, who is neither you nor the owner of the root;; if nobody planted it, run as root: chown %lu %s",
	    d->path, owner, (unsigned long)root_owner, QUOTED(d->path));
}

/* Refuse a root that was planted, in whole or in part. */
static int
check_owners(struct store *s, bool looks, struct err *e)
{
	struct part parts[PARTS];
	struct stat st;

	if (fstat(s->root.fd, &st) != 0)
		return err_sys(e, "cannot examine '%s'", s->root.path);
	if (check_owner(&s->root, st.st_uid, looks, e) != 0)
		return -1;
	list_parts(s, parts);
	for (int i = 0; i < PARTS; i++)
		if (check_owner(parts[i].d, st.st_uid, looks, e) != 0)
			return -1;
	return 0;
}

/* The layout must be one that this program knows. */
static int
check_format(const struct store *s, struct err *e)
{
	struct buf b = BUF_INIT;
	int r = file_read(&s->state, "format", 64, &b, e);

	if (r == 0 && strcmp(b.data, FORMAT) != 0)
		r = err_set(e, ERR_FAILED,
		    "'%s' has format '%.*s', this program knows 1;; use a newer deploy",
		    s->root.path, (int)strcspn(b.data, "\n"), b.data);
	buf_release(&b);
	return r;
}

/*
 * The root of deploy in which `path` lies, without links, or NULL; the caller
 * frees it.  What is last in `path` may be missing.
 */
static char *
root_around(const char *path)
{
	char *at = realpath(path, NULL), *slash, *format;
	bool is_there = at != NULL, found = false;

	if (!is_there) {
		char *above = xstrdup(path);

		slash = strrchr(above, '/');
		if (slash != NULL)
			slash[slash == above] = '\0';
		at = realpath(slash != NULL ? above : ".", NULL);
		free(above);
	}
	while (at != NULL && (slash = strrchr(at, '/')) != NULL) {
		if (is_there)
			*slash = '\0';
		is_there = true;
		format = xasprintf("%s/" STATE_DIR "/format", at);
		found = access(format, F_OK) == 0;
		free(format);
		if (found)
			return at;
	}
	free(at);
	return NULL;
}

/* What is in a root is a release, or what all of them share.  0 or -1. */
static int
check_around(const char *path, struct err *e)
{
	char *around = root_around(path);

	if (around == NULL)
		return 0;
	err_set(e, ERR_FAILED,
	    "'%s' is in '%s', which is a root of deploy;; name that one as the root",
	    path, around);
	free(around);
	return -1;
}

int
store_tell_none(const char *path, struct err *e)
{
	char *current;
	bool none = access(path, F_OK) != 0 && errno == ENOENT;

	if (check_around(path, e) != 0) {
		e->sys = ENOENT;
		return -1;
	}
	current = xasprintf("%s/" STORE_CURRENT, path);
	err_set(e, ERR_FAILED, "'%s' is not a root of deploy%s;; %s", path,
	    none ? ": there is no such directory" : "",
	    access(current, F_OK) == 0 ?
		"what it serves becomes its first release; run: deploy adopt" :
		none ?
		"is the name right? then stage a first release, or run: deploy init" :
		"stage a first release, or run: deploy init");
	free(current);
	e->sys = ENOENT;
	return -1;
}

/*
 * A part could not be opened or made.  Where it is a link, to another disk
 * as people make it with other tools, that is what is wrong.  -1.
 */
static int
part_failed(const struct store *s, const struct part *p, struct err *e)
{
	const int sys = e->sys;
	struct stat st;

	if (sys == EACCES)
		return err_append(e,
		    ";; 'deploy doctor' says who has to change what");
	if ((sys != ENOTDIR && sys != ELOOP) ||
	    fstatat(p->at->fd, p->name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
	    !S_ISLNK(st.st_mode))
		return -1;
	err_set(e, ERR_FAILED,
	    "'%s/%s' is a link, and a root is whole on one disk;; name a root on the other disk",
	    p->at->path, p->name);
	if (faccessat(s->root.fd, STORE_CURRENT, F_OK, 0) == 0) {
		char *current = xasprintf("%s/" STORE_CURRENT, s->root.path);

		err_append(e,
		    "; it takes over what is served here with: deploy adopt %s",
		    QUOTED(current));
		free(current);
	}
	e->sys = sys;
	return -1;
}

/* Open all parts; none is made. */
static int
open_parts(struct store *s, struct err *e)
{
	struct part parts[PARTS];

	list_parts(s, parts);
	for (int i = 0; i < PARTS; i++)
		if (dir_open(parts[i].d, parts[i].at, parts[i].name, e) != 0)
			return e->sys == ENOENT ?
			    store_tell_none(s->root.path, e) :
			    part_failed(s, &parts[i], e);
	return 0;
}

/*
 * Can something be renamed from one directory to the other?  Not into a bind
 * mount, where the kernel tells that there is one, nor into a subvolume.
 */
static bool
are_joined(const struct dir *a, const struct dir *b)
{
	struct statx x, y;

	return statx(a->fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &x) != 0 ||
	    statx(b->fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &y) != 0 ||
	    (x.stx_dev_major == y.stx_dev_major &&
		x.stx_dev_minor == y.stx_dev_minor &&
		((x.stx_mask & y.stx_mask & STATX_MNT_ID) == 0 ||
		    x.stx_mnt_id == y.stx_mnt_id));
}

/* Releases are renamed from part to part. */
static int
check_mounts(struct store *s, struct err *e)
{
	struct part parts[PARTS];

	list_parts(s, parts);
	for (int i = 0; i < PARTS; i++)
		if (!are_joined(&s->root, parts[i].d))
			return err_set(e, ERR_FAILED,
			    "'%s' is mounted apart from '%s', or a subvolume of its own: nothing can be renamed between them;; mount the whole root there, not a part",
			    parts[i].d->path, s->root.path);
	return 0;
}

static int
open_all(struct store *s, const char *path, bool looks, struct err *e)
{
	if (dir_open_path(&s->root, path, e) != 0)
		return e->sys == ENOENT ? store_tell_none(path, e) : -1;
	if (open_parts(s, e) != 0 || check_owners(s, looks, e) != 0)
		return -1;
	if (check_format(s, e) != 0)
		return e->sys == ENOENT ? store_tell_none(path, e) : -1;
	return 0;
}

int
store_open(struct store *s, const char *path, struct err *e)
{
	int r = open_all(s, path, false, e);

	if (r != 0)
		store_close(s);
	return r;
}

int
store_look(struct store *s, const char *path, struct err *e)
{
	int r = open_all(s, path, true, e);

	if (r != 0)
		store_close(s);
	return r;
}

/* Can this user make a directory where the deepest of `path` is that exists? */
static bool
may_make(const char *path)
{
	char *above = xstrdup(path), *slash;
	bool may;

	while (
	    access(above, F_OK) != 0 && (slash = strrchr(above, '/')) != NULL)
		slash[slash == above] = '\0';
	may = access(above, W_OK | X_OK) == 0;
	free(above);
	return may;
}

/*
 * The root cannot be made.  Only what is above it may be missing; or somebody
 * else has to make it, for us.
 */
static int
refuse_root(const char *path, struct err *e)
{
	bool missing = errno == ENOENT;
	char owner[NAMES_LEN];

	err_sys(e, "cannot make the root '%s'", path);
	if (missing)
		err_set(e, ERR_FAILED,
		    "cannot make the root '%s': its parent directory is missing",
		    path);
	else if (e->sys != EACCES && e->sys != EPERM)
		return -1;
	if (missing && may_make(path))
		return err_append(e, ";; run: mkdir -p %s", QUOTED(path));
	if (!names_user(geteuid(), owner))
		snprintf(owner, sizeof(owner), "%lu",
		    (unsigned long)geteuid());
	return err_append(e, ";; run there, as root: install -d -o %s %s",
	    owner, QUOTED(path));
}

/* Make the root directory where its parent is there, and open it. */
static int
create_root(struct store *s, const char *path, struct err *e)
{
	if (mkdir(path, 0755) == 0) {
		if (chmod(path, 0755) != 0)
			return err_sys(e, "cannot make the root '%s'", path);
	} else if (errno != EEXIST) {
		return refuse_root(path, e);
	}
	return dir_open_path(&s->root, path, e);
}

/* May it be there before we make a root?  `lost+found` is mkfs's. */
static bool
is_fit_name(const char *name)
{
	static const char *const names[] = { "releases", "current", ".deploy",
		"shared", "previews", "lost+found" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

/* Where there are releases, or a `current`, it is a root, perhaps another
 * tool's. */
static bool
is_some_root(const struct dir *d)
{
	return dir_has(d, "releases") || dir_has(d, ".deploy") ||
	    faccessat(d->fd, STORE_CURRENT, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

int
store_find_stranger(const struct dir *root, char **name, bool *more,
    struct err *e)
{
	struct strvec names = STRVEC_INIT;
	int r;

	*name = NULL;
	*more = false;
	if (is_some_root(root))
		return 0;
	r = dir_list(root, &names, e);
	for (size_t i = 0; i < names.n && !*more; i++) {
		if (is_fit_name(names.v[i]))
			continue;
		*more = *name != NULL;
		if (!*more)
			*name = xstrdup(names.v[i]);
	}
	strvec_release(&names);
	return r;
}

/* No root is made of a directory with other things, nor of /tmp. */
static int
check_own(const struct store *s, mode_t mode, struct err *e)
{
	char *stranger;
	bool more;

	if (s->adopting || is_some_root(&s->root))
		return 0;
	if ((mode & S_ISVTX) != 0 && (mode & S_IWOTH) != 0)
		return err_set(e, ERR_FAILED,
		    "'%s' is for everybody's files;; name a directory of its own, such as '%s/site'",
		    s->root.path, s->root.path);
	if (store_find_stranger(&s->root, &stranger, &more, e) != 0)
		return -1;
	if (stranger == NULL)
		return 0;
	err_set(e, ERR_FAILED,
	    "'%s' is not a root of deploy, and has other things in it ('%s'%s);; name a directory of its own, such as '%s%s'",
	    s->root.path, stranger, more ? " and more" : "", s->root.path,
	    strcmp(s->root.path, "/") == 0 ? "srv/site" : "/site");
	free(stranger);
	return -1;
}

/*
 * Nothing is made in a directory that we would refuse, or that is served as
 * it is: its `current` would be in the way.
 */
static int
check_untouched(const struct store *s, struct err *e)
{
	struct release_id current;
	struct stat st;

	if (fstat(s->root.fd, &st) != 0)
		return err_sys(e, "cannot examine '%s'", s->root.path);
	if (check_own(s, st.st_mode, e) != 0 ||
	    check_owner(&s->root, st.st_uid, false, e) != 0)
		return -1;
	return store_current(s, &current, e);
}

int
store_check_new(const char *path, struct err *e)
{
	struct store s = STORE_INIT;
	int r;

	if (check_around(path, e) != 0)
		return -1;
	/* What is not there yet cannot be in the way. */
	if (dir_open_path(&s.root, path, e) != 0)
		return e->sys == ENOENT ? 0 : -1;
	r = check_untouched(&s, e);
	store_close(&s);
	return r;
}

/*
 * The name of the root in the directory above it.  Whoever may not read that
 * one has not made a name there.
 */
static int
sync_above(const struct store *s, struct err *e)
{
	int fd = openat(s->root.fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = 0;

	if (fd < 0)
		return errno == EACCES ?
		    0 :
		    err_sys(e, "cannot open the directory above '%s'",
			s->root.path);
	if (fsync(fd) != 0)
		r = err_sys(e, "cannot write the directory above '%s' to disk",
		    s->root.path);
	close(fd);
	return r;
}

/*
 * Write the format.  Another run may have been faster, and, with the lock, have
 * swept what we wrote aside.
 */
static int
create_format(const struct store *s, struct err *e)
{
	struct err ignored = ERR_INIT;

	if (file_publish(&s->state, "format", FORMAT, strlen(FORMAT), e) == 0)
		return 0;
	if (e->sys != ENOENT || check_format(s, &ignored) != 0)
		return -1;
	*e = (struct err)ERR_INIT;
	return dir_sync(&s->state, e);
}

/*
 * Make what is missing.  The format comes last: until it is there the root
 * is not prepared, and the next run goes on from wherever this one died.
 */
static int
create_all(struct store *s, const char *path, struct err *e)
{
	struct part parts[PARTS];

	if (check_around(path, e) != 0 || create_root(s, path, e) != 0 ||
	    check_untouched(s, e) != 0)
		return -1;
	list_parts(s, parts);
	for (int i = 0; i < PARTS; i++)
		if (dir_ensure(parts[i].d, parts[i].at, parts[i].name, e) != 0)
			return part_failed(s, &parts[i], e);
	if (check_owners(s, false, e) != 0 || sync_above(s, e) != 0 ||
	    dir_sync(&s->root, e) != 0)
		return -1;
	return create_format(s, e);
}

int
store_adopt(struct store *s, const char *path, struct err *e)
{
	s->adopting = true;
	return store_create(s, path, e);
}

int
store_create(struct store *s, const char *path, struct err *e)
{
	int r = store_open(s, path, e);

	/* A root that is there but not right is not repaired by making. */
	if (r != 0 && e->sys != ENOENT)
		return -1;
	if (r != 0)
		r = create_all(s, path, e);
	if (r == 0)
		r = check_mounts(s, e);
	if (r != 0)
		store_close(s);
	return r;
}

int
store_sync(const struct store *s, struct err *e)
{
	if (sync_above(s, e) != 0 || dir_sync(&s->releases, e) != 0 ||
	    dir_sync(&s->manifests, e) != 0 || dir_sync(&s->meta, e) != 0 ||
	    dir_sync(&s->state, e) != 0)
		return -1;
	return dir_sync(&s->root, e);
}

int
store_tell_room(const struct store *s, struct err *e)
{
	char have[TEXT_SIZE_LEN];
	struct err ignored = ERR_INIT;
	struct dir_space space;

	if (e->sys == EDQUOT)
		return err_append(e,
		    " there;; run 'deploy prune', or ask for more");
	if (e->sys != ENOSPC || s->root.fd < 0 ||
	    dir_space(&s->root, &space, &ignored) != 0)
		return -1;
	if (space.inodes == 0)
		return err_append(e,
		    ", '%s' has no inodes left;; run 'deploy prune', or remove small files",
		    s->root.path);
	text_size((int64_t)space.bytes, have);
	return err_append(e,
	    ", '%s' has %s left;; run 'deploy prune', or make room",
	    s->root.path, have);
}

/* Does the target of `current` name a release of this root? */
static bool
parse_target(const struct store *s, const char *target, struct release_id *out)
{
	size_t n = strlen(s->root.path);

	/* Other tools write the root's path in front; that is fine. */
	if (strncmp(target, s->root.path, n) == 0 && target[n] == '/')
		target += n + 1;
	if (strncmp(target, STORE_RELEASES "/", strlen(STORE_RELEASES "/")) !=
	    0)
		return false;
	return release_id_parse(out, target + strlen(STORE_RELEASES "/"));
}

/*
 * `current` is a link that others made.  What it leads to is served: so
 * nobody is told to remove it, unless it leads nowhere.  -1.
 */
static int
foreign_link(const struct store *s, const char *target, struct err *e)
{
	/* What we may not see may be served all the same. */
	bool serves = faccessat(s->root.fd, STORE_CURRENT, F_OK, 0) == 0 ||
	    (errno != ENOENT && errno != ENOTDIR && errno != ELOOP);

	return err_set(e, ERR_FAILED,
	    "'%s/%s' points to '%s', which is %s;; %s", s->root.path,
	    STORE_CURRENT, target,
	    serves ? "not a release of this root" : "not there",
	    serves ?
		"run 'deploy adopt', which makes a release of it and loses no request" :
		"remove the link, or point it at one of releases/");
}

int
store_current(const struct store *s, struct release_id *out, struct err *e)
{
	char target[PATH_LEN_MAX + 1];
	ssize_t n =
	    readlinkat(s->root.fd, STORE_CURRENT, target, sizeof(target) - 1);

	*out = release_id_none;
	if (n < 0) {
		if (errno == ENOENT)
			return 0;
		if (errno != EINVAL)
			return err_sys(e, "cannot read the link '%s/%s'",
			    s->root.path, STORE_CURRENT);
		if (s->adopting && dir_has(&s->root, STORE_CURRENT))
			return 0;
		return err_set(e, ERR_FAILED,
		    "'%s/%s' is not a symbolic link but a real %s;; %s",
		    s->root.path, STORE_CURRENT,
		    dir_has(&s->root, STORE_CURRENT) ? "directory" : "file",
		    dir_has(&s->root, STORE_CURRENT) ?
			"run 'deploy adopt', which makes a release of it and loses no request" :
			"move it away");
	}
	/* What is made by hand often has a slash at the end. */
	while (n > 0 && target[n - 1] == '/')
		n--;
	target[n] = '\0';
	return parse_target(s, target, out) || s->adopting ?
	    0 :
	    foreign_link(s, target, e);
}

/* Add the names of directories in `d` that are release ids. */
static int
list_ids(const struct dir *d, struct release_ids *out, struct err *e)
{
	struct strvec names = STRVEC_INIT;
	int r = dir_list(d, &names, e);

	for (size_t i = 0; r == 0 && i < names.n; i++) {
		struct release_id id;

		if (!release_id_parse(&id, names.v[i]))
			continue;
		r = dir_look(d, id.text, e);
		if (r > 0) {
			release_ids_add(out, &id);
			r = 0;
		}
	}
	strvec_release(&names);
	return r;
}

int
store_releases(const struct store *s, struct release_ids *out, struct err *e)
{
	return list_ids(&s->releases, out, e);
}

int
store_new_id(const struct store *s, const struct release_id *latest,
    struct release_id *out, struct err *e)
{
	struct release_ids ids = RELEASE_IDS_INIT;
	const struct release_id *last;
	int r = 0;

	release_ids_add(&ids, latest);
	/* In this order: one that is published meanwhile is in both. */
	if (list_ids(&s->incoming, &ids, e) != 0 ||
	    list_ids(&s->releases, &ids, e) != 0)
		r = -1;
	release_ids_sort(&ids);
	last = release_ids_last(&ids);
	if (r == 0)
		release_id_new(out, last);
	if (r == 0 && release_id_is_none(out))
		r = err_set(e, ERR_FAILED,
		    "'%s' has a release of the far future, %s, and no id is later;; if it is not live, remove it from releases/",
		    s->root.path, last->text);
	release_ids_release(&ids);
	return r;
}

void
store_meta_name(const struct release_id *id, char out[RELEASE_ID_LEN + 8])
{
	snprintf(out, RELEASE_ID_LEN + 8, "%s.json", id->text);
}

int
store_commit(const struct store *s, const struct release_id *id, struct err *e)
{
	/* A crash before this leaves it incoming: invisible, swept later. */
	if (dir_rename_new(&s->incoming, id->text, &s->releases, id->text,
		e) != 0)
		return -1;
	/* btrfs loses the release behind `current` without this. */
	if (dir_sync(&s->releases, e) == 0)
		return 0;
	/* Not known to be on disk: not complete.  Nobody has used it yet. */
	(void)renameat(s->releases.fd, id->text, s->incoming.fd, id->text);
	return -1;
}
