#include "root/previews.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/label.h"
#include "base/number.h"
#include "os/file.h"
#include "root/present.h"

#define PREVIEWS "previews"
#define RELEASES "../releases/"

void
previews_release(struct previews *p)
{
	for (size_t i = 0; i < p->n; i++)
		free(p->v[i].name);
	free(p->v);
	*p = (struct previews)PREVIEWS_INIT;
}

void
previews_add(struct previews *p, const char *name, const struct release_id *id,
    int64_t until)
{
	p->v = xreallocarray(p->v, p->n + 1, sizeof(*p->v));
	p->v[p->n++] = (struct preview){ xstrdup(name), *id, until };
}

void
previews_parse(struct previews *p, const char *text)
{
	char name[LABEL_MAX + 1];
	size_t len = strcspn(text, "\t");
	struct err ignored = ERR_INIT;
	struct release_id id;
	const char *rest;
	int64_t until;

	if (len >= sizeof(name) || text[len] != '\t')
		return;
	memcpy(name, text, len);
	name[len] = '\0';
	rest = release_id_scan(&id, text + len + 1);
	if (rest != NULL && *rest == '\t' &&
	    number_parse(rest + 1, 0, INT64_MAX / 1000, &until) &&
	    label_check(name, &ignored) == 0)
		previews_add(p, name, &id, until);
}

const struct preview *
previews_find(const struct previews *p, const char *name)
{
	for (size_t i = 0; i < p->n; i++)
		if (strcmp(p->v[i].name, name) == 0)
			return &p->v[i];
	return NULL;
}

bool
previews_show(const struct previews *p, const struct release_id *id,
    int64_t now)
{
	for (size_t i = 0; i < p->n; i++)
		if (release_id_eq(&p->v[i].id, id) && p->v[i].until > now)
			return true;
	return false;
}

/* Open the directory.  1; 0 when there is none; -1. */
static int
open_directory(const struct store *s, struct dir *d, struct err *e)
{
	int c = dir_look(&s->root, PREVIEWS, e);

	return c == 1 && dir_open(d, &s->root, PREVIEWS, e) != 0 ? -1 : c;
}

/* Is the link one of ours, to a release? */
static bool
read_target(const struct dir *d, const char *name, struct release_id *id)
{
	char target[sizeof(RELEASES) + RELEASE_ID_LEN + 1];
	ssize_t n = readlinkat(d->fd, name, target, sizeof(target) - 1);

	if (n < 0)
		return false;
	target[n] = '\0';
	return strncmp(target, RELEASES, strlen(RELEASES)) == 0 &&
	    release_id_parse(id, target + strlen(RELEASES));
}

/* Read one link, if it is a preview. */
static void
read_one(const struct dir *d, const char *name, struct previews *out)
{
	struct err ignored = ERR_INIT;
	struct release_id id;
	struct stat st;

	if (label_check(name, &ignored) == 0 && read_target(d, name, &id) &&
	    fstatat(d->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		previews_add(out, name, &id, st.st_mtim.tv_sec);
}

int
previews_read(const struct store *s, struct previews *out, struct err *e)
{
	struct strvec names = STRVEC_INIT;
	struct dir d = DIR_INIT;
	int c = open_directory(s, &d, e);

	if (c == 1 && dir_list(&d, &names, e) != 0)
		c = -1;
	for (size_t i = 0; c == 1 && i < names.n; i++)
		read_one(&d, names.v[i], out);
	strvec_release(&names);
	dir_close(&d);
	return c < 0 ? -1 : 0;
}

/* Nothing but a preview gives way to one. */
static int
check_place(const struct dir *d, const char *name, struct err *e)
{
	struct release_id id;
	struct stat st;

	if (fstatat(d->fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return 0;
	if (!S_ISLNK(st.st_mode))
		return err_set(e, ERR_FAILED,
		    "'%s/%s' is not a symbolic link;; move it away", d->path,
		    name);
	if (!read_target(d, name, &id))
		return err_set(e, ERR_FAILED,
		    "'%s/%s' is a symbolic link that leads to no release;; move it away",
		    d->path, name);
	return 0;
}

/*
 * A link under a name of its own, which a run that dies leaves behind in
 * .deploy and any sweep removes; then over the preview.
 */
static int
replace(const struct store *s, const struct dir *d, const char *name,
    const struct release_id *id, int64_t until, struct err *e)
{
	const struct timespec times[2] = { { until, 0 }, { until, 0 } };
	char target[sizeof(RELEASES) + RELEASE_ID_LEN], tmp[64];

	snprintf(target, sizeof(target), RELEASES "%s", id->text);
	file_tmp_name(tmp);
	if (symlinkat(target, s->state.fd, tmp) != 0)
		return err_sys(e, "cannot make a link in '%s'", s->state.path);
	if (utimensat(s->state.fd, tmp, times, AT_SYMLINK_NOFOLLOW) != 0 ||
	    renameat(s->state.fd, tmp, d->fd, name) != 0) {
		err_sys(e, "cannot replace '%s/%s'", d->path, name);
		unlinkat(s->state.fd, tmp, 0);
		return -1;
	}
	return dir_sync(d, e);
}

int
previews_point(const struct store *s, const char *name,
    const struct release_id *id, int64_t until, struct err *e)
{
	struct dir d = DIR_INIT;
	int r = -1;

	/* Whoever staged it may have died before it was on disk. */
	if (present_complete(s, id, e) == 0 &&
	    dir_sync(&s->releases, e) == 0 &&
	    dir_ensure(&d, &s->root, PREVIEWS, e) == 0 &&
	    dir_sync(&s->root, e) == 0 && check_place(&d, name, e) == 0)
		r = replace(s, &d, name, id, until, e);
	dir_close(&d);
	return r;
}

/* Remove the link, if it is ours. */
static int
remove_one(const struct dir *d, const char *name, struct err *e)
{
	if (check_place(d, name, e) != 0)
		return -1;
	if (unlinkat(d->fd, name, 0) != 0 && errno != ENOENT)
		return err_sys(e, "cannot remove '%s/%s'", d->path, name);
	return dir_sync(d, e);
}

int
previews_remove(const struct store *s, const char *name, struct err *e)
{
	struct dir d = DIR_INIT;
	int c = open_directory(s, &d, e);

	if (c == 1 && remove_one(&d, name, e) != 0)
		c = -1;
	dir_close(&d);
	return c < 0 ? -1 : 0;
}

int
previews_expire(const struct store *s, int64_t now, struct strvec *removed,
    struct err *e)
{
	struct previews all = PREVIEWS_INIT;
	int r = previews_read(s, &all, e);

	for (size_t i = 0; r == 0 && i < all.n; i++) {
		if (all.v[i].until > now)
			continue;
		r = previews_remove(s, all.v[i].name, e);
		if (r == 0)
			strvec_add(removed, all.v[i].name);
	}
	previews_release(&all);
	return r;
}
