#include "root/adopt_links.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/path.h"
#include "base/quote.h"
#include "content/tree.h"
#include "os/dir.h"

/* Leave out the path, whatever characters of a pattern are in it. */
static void
leave_out(struct strvec *exclude, const char *path)
{
	struct buf pattern = BUF_INIT;

	buf_adds(&pattern, "/");
	for (; *path != '\0'; path++)
		buf_addf(&pattern, "%s%c",
		    strchr("*?[\\", *path) != NULL ? "\\" : "", *path);
	strvec_add(exclude, pattern.data);
	buf_release(&pattern);
}

/*
 * The shared path `here` is not `there` yet, where releases have it from:
 * visitors would get something else.  `real`: where its link leads to; NULL:
 * it is no link.  -1.
 */
static int
not_shared_yet(const char *here, const char *there, const char *real,
    struct err *e)
{
	char *above = xstrndup(there, (size_t)(path_base(there) - there));
	struct buf to = BUF_INIT, dir = BUF_INIT;

	quote_add(&to, real != NULL ? real : here);
	quote_add(&to, there);
	quote_add(&dir, above);
	err_set(e, ERR_USAGE,
	    "'%s' is a shared path;; %s it before: mkdir -p%s && %s%s", here,
	    real != NULL ? "link" : "copy", dir.data,
	    real != NULL ? "ln -s" : "cp -a", to.data);
	buf_release(&to);
	buf_release(&dir);
	free(above);
	return -1;
}

/* A path that is shared by the rules: is what visitors get in shared/? */
static int
check_shared(const char *here, const char *there, struct err *e)
{
	char *real = realpath(here, NULL), *shared = realpath(there, NULL);
	struct stat st;
	int r = 0;

	/* What shows nothing may become anything. */
	if (real == NULL || lstat(here, &st) != 0)
		r = 0;
	else if (access(there, F_OK) != 0)
		r = not_shared_yet(here, there,
		    S_ISLNK(st.st_mode) ? real : NULL, e);
	else if (S_ISLNK(st.st_mode) &&
	    (shared == NULL || strcmp(real, shared) != 0))
		r = err_set(e, ERR_USAGE,
		    "'%s' is a shared path and leads to '%s', not to '%s';; make them one, or take it off 'shared'",
		    here, real, there);
	free(real);
	free(shared);
	return r;
}

/* What a link of the directory that leads out of it, or seems to, is. */
enum kind { INSIDE, SHARED, NOTHING, OUTSIDE };

/* `real`: where it leads to, or NULL; `shared`: shared/, or NULL. */
static enum kind
judge(const struct entry *en, const char *real, const char *dir,
    const char *shared)
{
	size_t n = shared != NULL ? strlen(shared) : 0;

	if (real == NULL)
		return NOTHING;
	if (path_is_within(real, dir))
		return INSIDE;
	if (n > 0 && strncmp(real, shared, n) == 0 && real[n] == '/' &&
	    strcmp(real + n + 1, en->path) == 0)
		return SHARED;
	return OUTSIDE;
}

/* One link of the directory that no release could have as it is. */
static int
take_link(const char *root, const char *dir, const struct entry *en,
    struct rules *rules, struct strvec *found, struct err *e)
{
	char *path = xasprintf("%s/%s", dir, en->path);
	char *place = xasprintf("%s/shared", root);
	char *real = realpath(path, NULL), *shared = realpath(place, NULL);
	enum kind kind = judge(en, real, dir, shared);
	int r = 0;

	if (kind == SHARED || kind == NOTHING)
		leave_out(&rules->exclude, en->path);
	if (kind == SHARED) {
		strvec_add(&rules->shared, en->path);
		strvec_add(found, en->path);
	} else if (kind == OUTSIDE) {
		r = err_set(e, ERR_USAGE,
		    "'%s' is a link to '%s', and no release has links that lead out of it;; make it a shared path, '%s/%s', named in 'shared' of deploy.yml, or 'exclude' it there",
		    path, real, place, en->path);
	}
	free(path);
	free(place);
	free(real);
	free(shared);
	return r;
}

/* All links of the directory. */
static int
take_links(const char *root, const char *dir, struct rules *rules,
    struct strvec *found, struct err *e)
{
	struct tree_walk w = { .exclude = &rules->exclude, .exact = true };
	struct manifest m = MANIFEST_INIT;
	struct dir d = DIR_INIT;
	struct err why = ERR_INIT;
	int r = dir_open_path(&d, dir, e);

	if (r == 0)
		r = tree_read(&d, &w, &m, e);
	for (size_t i = 0; r == 0 && i < m.n; i++)
		if (m.v[i].type == ENTRY_LINK &&
		    path_check_link(m.v[i].path, m.v[i].link, &why) != 0)
			r = take_link(root, dir, &m.v[i], rules, found, e);
	manifest_release(&m);
	dir_close(&d);
	return r;
}

int
adopt_links(const char *root, const char *dir, struct rules *rules,
    struct strvec *found, struct err *e)
{
	const struct strvec *shared = &rules->shared;
	int r = 0;

	for (size_t i = 0; r == 0 && i < shared->n; i++) {
		char *here = xasprintf("%s/%s", dir, shared->v[i]);
		char *there = xasprintf("%s/shared/%s", root, shared->v[i]);

		r = check_shared(here, there, e);
		leave_out(&rules->exclude, shared->v[i]);
		free(here);
		free(there);
	}
	strvec_add(&rules->exclude, ".git");
	return r == 0 ? take_links(root, dir, rules, found, e) : -1;
}
