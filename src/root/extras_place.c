#include "root/extras_place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/path.h"
#include "content/place.h"

/* The directory `name` in `d`, which is made if need be, into `out`. */
static int
enter_shared(const struct dir *d, const char *name, struct dir *out,
    struct err *e)
{
	if (mkdirat(d->fd, name, 0755) != 0 && errno != EEXIST)
		return err_sys(e, "cannot make the directory '%s/%s'", d->path,
		    name);
	if (dir_open(out, d, name, e) == 0)
		return 0;
	if (e->sys == ENOTDIR || e->sys == ELOOP)
		err_set(e, ERR_FAILED,
		    "'%s/%s' is not a directory, or a symbolic link: nothing is made behind it;; make there by hand what is shared",
		    d->path, name);
	return -1;
}

int
extras_make_shared(const struct store *s, const struct entry *en,
    struct err *e)
{
	char *path = xasprintf("shared/%s", en->path);
	struct dir at = DIR_INIT;
	int r = dir_open(&at, &s->root, ".", e);

	/* What the owner has put there, of whatever type, is his business. */
	if (r == 0 && faccessat(s->root.fd, path, F_OK, 0) != 0)
		for (char *p = path; r == 0 && p != NULL;) {
			const char *name = strsep(&p, "/");
			struct dir next = DIR_INIT;

			/* The last may be a link to what is not there yet. */
			if (p == NULL &&
			    faccessat(at.fd, name, F_OK,
				AT_SYMLINK_NOFOLLOW) == 0)
				break;
			r = enter_shared(&at, name, &next, e);
			dir_close(&at);
			at = next;
		}
	dir_close(&at);
	free(path);
	return r;
}

static int
place_shared(const struct entry *en, const struct store *s,
    const struct dir *target, struct err *e)
{
	if (extras_make_shared(s, en, e) != 0)
		return -1;
	/* An unpacked archive may have the empty directory that gives way. */
	(void)unlinkat(target->fd, en->path, AT_REMOVEDIR);
	return place_symlink(target, en, e);
}

/* A carried file or link, out of the release it is from. */
static int
place_carried(const struct release_id *release, const struct entry *en,
    const struct store *s, const struct dir *target, gid_t gid, struct err *e)
{
	struct dir from = DIR_INIT;
	int r;

	if (en->type == ENTRY_LINK)
		r = place_symlink(target, en, e);
	else
		r = dir_open(&from, &s->releases, release->text, e);
	if (r == 0 && en->type != ENTRY_LINK)
		r = place_bring(&from, en->path, en, target, gid, e);
	dir_close(&from);
	return r == 0 ? 0 : err_prefix(e, "carrying '%s': ", en->path);
}

int
extras_place(const struct plan *p, const struct store *s,
    const struct dir *target, gid_t gid, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < p->m.n; i++) {
		const struct entry *en = &p->m.v[i];

		if (p->steps[i].way == PLAN_SHARE)
			r = place_shared(en, s, target, e);
		else if (p->steps[i].way == PLAN_CARRY)
			r = place_carried(p->steps[i].release, en, s, target,
			    gid, e);
	}
	return r;
}
