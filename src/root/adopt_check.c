#include "root/adopt_check.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/path.h"
#include "base/quote.h"
#include "os/names.h"
#include "root/stage.h"

/* Is `path` in the directory `top`, or that itself?  Both without links. */
static bool
is_in(const char *top, const char *path)
{
	return strcmp(top, "/") == 0 || path_is_within(path, top);
}

/* The root without links, or what is there of the way to it. */
static char *
nearest(const char *root)
{
	char *path = xstrdup(root), *real;

	while ((real = realpath(path, NULL)) == NULL) {
		char *slash = strrchr(path, '/');

		if (slash == NULL)
			break;
		/* Nothing is above the last one. */
		slash[slash == path ? 1 : 0] = '\0';
		if (strcmp(path, "/") == 0)
			break;
	}
	if (real == NULL)
		real = xstrdup("/");
	free(path);
	return real;
}

static int
check_root(const struct adopt_options *o, const char *served, struct err *e)
{
	char *real = nearest(o->root);
	int r = 0;

	if (is_in(served, real))
		r = err_set(e, ERR_USAGE,
		    "the root '%s' is inside '%s', which is served: its releases and its state would be, too;; make the root elsewhere",
		    o->root, served);
	free(real);
	return r;
}

/* Undo the escapes of proc_pid_mountinfo(5), three octal digits each. */
static void
unescape(char *text)
{
	char *to = text;

	for (const char *p = text; *p != '\0'; p++) {
		if (*p == '\\' && strspn(p + 1, "01234567") >= 3) {
			*to++ = (char)((p[1] - '0') << 6 | (p[2] - '0') << 3 |
			    (p[3] - '0'));
			p += 3;
		} else {
			*to++ = *p;
		}
	}
	*to = '\0';
}

/* The mount point of a line, in it; NULL: there is none. */
static char *
mount_point(char *line)
{
	char *at = line, *end;

	for (int i = 0; i < 4 && at != NULL; i++)
		if ((at = strchr(at, ' ')) != NULL)
			at++;
	if (at == NULL || (end = strchr(at, ' ')) == NULL)
		return NULL;
	*end = '\0';
	unescape(at);
	return at;
}

/* What is mounted there would be copied, and stay behind as it is. */
static int
check_mounts(const char *served, bool link, struct err *e)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	char *line = NULL, *at;
	size_t room = 0;
	int r = 0;

	while (r == 0 && f != NULL && getline(&line, &room, f) > 0) {
		if ((at = mount_point(line)) == NULL || !is_in(served, at))
			continue;
		if (strcmp(at, served) != 0)
			r = err_set(e, ERR_USAGE,
			    "'%s' is mounted in what is served, and a release would have a copy of it;; mount it in 'shared' of the root, and name it in 'shared' of deploy.yml",
			    at);
		else if (!link)
			r = err_set(e, ERR_USAGE,
			    "'%s' is a mount point, and no link can take its place;; mount the directory above it instead, which becomes the root",
			    at);
	}
	free(line);
	if (f != NULL)
		fclose(f);
	return r;
}

/* A directory that goes to another one is written to: its ".." changes. */
static int
check_right(const char *path, bool link, struct err *e)
{
	char user[NAMES_LEN];
	struct stat st;

	if (link || access(path, W_OK) == 0 || errno != EACCES ||
	    lstat(path, &st) != 0)
		return 0;
	err_sys(e, "a link cannot take the place of '%s'", path);
	if (st.st_uid == geteuid())
		return err_append(e, ";; run: chmod u+w %s", QUOTED(path));
	if (!names_user(geteuid(), user))
		return err_append(e, ";; run deploy as its owner");
	return err_append(e,
	    ";; run deploy as its owner, or, as root: chown %s %s",
	    QUOTED(user), QUOTED(path));
}

/* Is the path shared by the rules, and so not copied? */
static bool
is_shared(const struct rules *rules, const char *path)
{
	for (size_t i = 0; i < rules->shared.n; i++)
		if (path_is_within(path, rules->shared.v[i]))
			return true;
	return false;
}

/* Of the secrets, one that not everybody can read. */
static const char *
find_hidden(const struct stage *st, const struct rules *rules)
{
	const struct dir *files = source_files(&st->source);
	struct stat sb;

	for (size_t i = 0; i < st->secrets.n; i++)
		if (!is_shared(rules, st->secrets.v[i]) &&
		    fstatat(files->fd, st->secrets.v[i], &sb,
			AT_SYMLINK_NOFOLLOW) == 0 &&
		    !S_ISLNK(sb.st_mode) && (sb.st_mode & S_IROTH) == 0)
			return st->secrets.v[i];
	return NULL;
}

/* What cannot be read cannot be copied: the first such file. */
static int
check_readable(const struct stage *st, const struct rules *rules,
    const char *served, struct err *e)
{
	const struct dir *files = source_files(&st->source);

	for (size_t i = 0; i < st->plan.m.n; i++) {
		const struct entry *en = &st->plan.m.v[i];
		char *path;

		if (en->type != ENTRY_FILE || is_shared(rules, en->path) ||
		    faccessat(files->fd, en->path, R_OK, AT_EACCESS) == 0 ||
		    errno != EACCES)
			continue;
		path = xasprintf("%s/%s", served, en->path);
		err_sys(e, "cannot read '%s', which is served", path);
		err_append(e,
		    ";; 'exclude' it in deploy.yml, or, where visitors are to get it, run as its owner or root: chmod a+r %s",
		    QUOTED(path));
		free(path);
		return -1;
	}
	return 0;
}

/*
 * All of it can be read, and as a release's files have mode 0644, nothing hidden
 * is to be shown by that.
 */
static int
check_content(const struct adopt_options *o, const char *served, struct err *e)
{
	const struct stage_options so = { .source = served,
		.rules = o->rules,
		.caller = o->caller,
		.seq = -1,
		.overrides = OVERRIDE_ALL };
	struct stage st = STAGE_INIT;
	struct err ignored = ERR_INIT;
	const char *hidden = NULL;
	int r = 0;

	/* What cannot be listed is told when it is to be copied. */
	if (stage_open(&st, &so, NULL, &ignored) == 0 &&
	    stage_list(&st, NULL, &ignored) == 0) {
		hidden = find_hidden(&st, o->rules);
		r = hidden != NULL ? 0 :
				     check_readable(&st, o->rules, served, e);
	}
	if (hidden != NULL)
		r = err_set(e, ERR_GUARD,
		    "'%s/%s' looks like a secret that not everybody can read, and in a release everybody could;; move it away, or 'exclude' it in deploy.yml",
		    served, hidden);
	stage_release(&st);
	return r;
}

int
adopt_check(const struct adopt_options *o, const char *path, bool link,
    const char *served, struct err *e)
{
	if (check_root(o, served, e) != 0 ||
	    check_mounts(served, link, e) != 0 ||
	    check_right(path, link, e) != 0)
		return -1;
	return check_content(o, served, e);
}
