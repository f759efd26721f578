#include "content/guard.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/path.h"
#include "base/text.h"
#include "content/dcz.h"
#include "content/links.h"
#include "content/secrets.h"

/*
 * The one directory that everything is in, or NULL; what macOS puts beside it
 * is counted only.
 */
static const char *
only_top(const struct manifest *m, size_t *beside)
{
	const char *top = NULL;

	for (size_t i = 0; i < m->n; i++) {
		const struct entry *en = &m->v[i];

		if (top != NULL && path_is_within(en->path, top))
			continue;
		if (path_is_of_macos(en->path)) {
			++*beside;
			continue;
		}
		if (top != NULL || en->type != ENTRY_DIR)
			return NULL;
		top = en->path;
	}
	return top;
}

/*
 * The one directory at the top of the build that has an index.html, such as
 * `public` in the sources of a site; NULL when there is none, or more.  Its name
 * is `len` bytes.
 */
static const char *
inner_build(const struct manifest *m, size_t *len)
{
	const char *found = NULL;

	for (size_t i = 0; i < m->n; i++) {
		const char *slash = strchr(m->v[i].path, '/');

		if (slash == NULL || strcmp(slash, "/index.html") != 0)
			continue;
		if (found != NULL)
			return NULL;
		found = m->v[i].path;
		*len = (size_t)(slash - found);
	}
	return found;
}

static int
check_index(const struct manifest *m, struct err *e)
{
	const char *inner;
	size_t beside = 0, len = 0;
	const char *top = only_top(m, &beside);
	const struct entry *en = manifest_find(m, "index.html");

	if (en != NULL && en->type != ENTRY_DIR)
		return 0;
	err_set(e, ERR_GUARD, "the build has no index.html at its top");
	if (top != NULL && beside > 0)
		return err_append(e,
		    ";; the build is in '%s/', beside what macOS added: for an archive use --strip --exclude=__MACOSX --exclude=.DS_Store --exclude='._*'",
		    top);
	if (top != NULL)
		return err_append(e,
		    ";; everything is in '%s/': name that directory, or use --strip for an archive",
		    top);
	if (m->n == 1 && en == NULL)
		return err_append(e,
		    ";; there is only '%s' in it: is that the archive? then unpack this one; --override=build stages it anyway",
		    m->v[0].path);
	inner = inner_build(m, &len);
	if (inner != NULL)
		return err_append(e,
		    ";; '%.*s/' in it has one: is that the build? --override=build stages it anyway",
		    (int)len, inner);
	return err_append(e,
	    ";; is it the right directory? --override=build stages it anyway");
}

/* Does the entry count as a path of a build?  Forms go with their files. */
static bool
is_path(const struct manifest *m, const struct entry *en)
{
	return en->mark == ENTRY_BUILD && en->type != ENTRY_DIR &&
	    !form_has_file(m, en->path);
}

int
guard_check_deletions(const struct manifest *m, const struct manifest *live,
    unsigned int max_delete, struct err *e)
{
	size_t paths = 0, gone = 0, k = 0;

	for (size_t i = 0; i < live->n; i++) {
		int c = -1;

		if (!is_path(live, &live->v[i]))
			continue;
		while (k < m->n &&
		    (c = path_compare(m->v[k].path, live->v[i].path)) < 0)
			k++;
		paths++;
		gone += c != 0;
	}
	if (gone * 100 <= (size_t)max_delete * paths)
		return 0;
	return err_set(e, ERR_GUARD,
	    "the release lacks %zu of the %s live, more than max_delete (%u%%);; see 'deploy diff'; --override=build stages it anyway",
	    gone, TEXT_COUNT(paths, "path that is", "paths that are"),
	    max_delete);
}

int
guard_check_build(const struct manifest *m, struct err *e)
{
	if (manifest_totals(m).files == 0)
		return err_set(e, ERR_GUARD,
		    "the build is empty;; is it the right directory? --override=build stages it anyway");
	return check_index(m, e);
}

int
guard_check_index(const struct manifest *m, struct err *e)
{
	const struct entry *link = manifest_find(m, "index.html"), *en;
	const char *wrong;

	if (link == NULL || link->type != ENTRY_LINK ||
	    link->mark == ENTRY_SHARED)
		return 0;
	wrong = links_judge(m, link);
	en = links_follow(m, link->path);
	if (wrong == NULL && en != NULL && en->type == ENTRY_DIR)
		wrong = "a directory";
	return wrong == NULL ?
	    0 :
	    err_set(e, ERR_GUARD,
		"the index.html at its top shows visitors nothing: it is a symbolic link to '%s', %s;; mend it; --override=build stages it anyway",
		link->link, wrong);
}

int
guard_check_links(const struct strvec *broken, struct err *e)
{
	struct buf told = BUF_INIT;
	int r = 0;

	links_tell(broken, &told);
	if (broken->n > 0)
		r = err_set(e, ERR_GUARD,
		    "%s nowhere: %s;; mend or exclude them; --override=build stages it anyway",
		    TEXT_COUNT(broken->n, "symbolic link leads",
			"symbolic links lead"),
		    told.data);
	buf_release(&told);
	return r;
}

int
guard_check_secrets(const struct strvec *paths, const char *what,
    struct err *e)
{
	struct buf told = BUF_INIT;
	int r = 0;

	secrets_tell(paths, &told);
	if (paths->n > 0)
		r = err_set(e, ERR_GUARD,
		    "the build has %s: %s;; leave them out with 'exclude' (--exclude); --override=build stages them anyway",
		    what, told.data);
	buf_release(&told);
	return r;
}

/* Does the need, as far as both are known, exceed what is free? */
static bool
is_short(int64_t need, int64_t free)
{
	return free >= 0 && need > free;
}

int
guard_check_room(const struct guard_room *need, const struct guard_room *free,
    const char *root, struct err *e)
{
	char want[TEXT_SIZE_LEN], have[TEXT_SIZE_LEN];

	if (is_short(need->bytes, free->bytes)) {
		text_size(need->bytes, want);
		text_size(free->bytes, have);
		err_set(e, ERR_GUARD,
		    "the release needs %s, '%s' has %s free;; run 'deploy prune', or make room",
		    want, root, have);
	} else if (is_short(need->inodes, free->inodes)) {
		err_set(e, ERR_GUARD,
		    "the release needs %s, '%s' has %lld free;; run 'deploy prune', or make room",
		    TEXT_COUNT(need->inodes, "inode", "inodes"), root,
		    (long long)free->inodes);
	} else {
		return 0;
	}
	e->sys = ENOSPC;
	return -1;
}
