#include "content/unpack_names.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/path.h"
#include "base/utf8.h"

void
unpack_names_release(struct unpack_names *n)
{
	free(n->first);
	free(n->left_out);
	*n = (struct unpack_names){ .exclude = NULL };
}

/*
 * Make a path of a name in the archive: "./", "//" and a trailing "/" are
 * taken out; "" is the top.  `out` has room for PATH_LEN_MAX + 1.
 */
static int
clean_name(const char *name, char *out, struct err *e)
{
	size_t len = 0;

	if (name == NULL)
		return err_set(e, ERR_INTEGRITY,
		    "the archive has a name that is not text;; use tar");
	if (name[0] == '\0')
		return err_set(e, ERR_INTEGRITY,
		    "the archive has an entry without a name");
	if (name[0] == '/')
		return err_set(e, ERR_INTEGRITY,
		    "the name '%s' is absolute;; make the archive inside the build, as: tar -C DIR -czf FILE .",
		    name);
	while (*name != '\0') {
		size_t n = strcspn(name, "/");

		if (n > 0 && !(n == 1 && name[0] == '.')) {
			if (len + n + 1 > PATH_LEN_MAX)
				return err_set(e, ERR_INTEGRITY,
				    "the name '...%.100s' is longer than %d bytes",
				    name, PATH_LEN_MAX);
			if (len > 0)
				out[len++] = '/';
			memcpy(out + len, name, n);
			len += n;
		}
		name += n;
		name += *name == '/';
	}
	out[len] = '\0';
	return 0;
}

/* Is the path left out, by its own name or by a directory above it? */
static bool
is_excluded(const struct unpack_names *names, const char *path)
{
	for (const char *p = path; *p != '\0'; p += *p == '/') {
		size_t n = strcspn(p, "/");

		if (n == 4 && memcmp(p, ".git", 4) == 0)
			return true;
		p += n;
	}
	return names->exclude != NULL && path_match_any(names->exclude, path);
}

/* Count an excluded path; what is below a directory counts as one. */
static void
count_excluded(struct unpack_names *n, char *path)
{
	for (char *p = strchr(path, '/'); p != NULL; p = strchr(p + 1, '/')) {
		*p = '\0';
		if (is_excluded(n, path))
			break;
		*p = '/';
	}
	if (n->left_out != NULL && strcmp(n->left_out, path) == 0)
		return;
	free(n->left_out);
	n->left_out = xstrdup(path);
	n->excluded++;
}

/*
 * Is `path` fit for a release?  The names of a zip or 7z are in UTF-8 here, if
 * the archive tells in any way what they are: else they stay as they were on
 * another system.
 */
static int
check_name(const struct unpack_names *names, const char *path, struct err *e)
{
	size_t n;

	for (const char *p = path; names->unicode && *p != '\0'; p += n) {
		n = utf8_len(p);
		if (n == 0)
			return err_set(e, ERR_INTEGRITY,
			    "the name '%s' is not in UTF-8, but in a character set that the archive does not name (CP437?);; make it anew with names in UTF-8, or as tar",
			    path);
	}
	return path_check(path, e);
}

/*
 * Take the leading directory off a path.  Returns 0; 1 when the path is not
 * in it but excluded; -1.
 */
static int
strip_first(struct unpack_names *n, char *path, bool dir, struct err *e)
{
	size_t len = strcspn(path, "/");

	if (path[0] == '\0')
		return 0;
	if (n->first == NULL) {
		if (path_is_of_macos(path) && is_excluded(n, path))
			return 1;
		n->first = xstrndup(path, len);
		if (check_name(n, n->first, e) != 0)
			return -1;
	}
	if (strlen(n->first) != len || memcmp(n->first, path, len) != 0) {
		if (is_excluded(n, path))
			return 1;
		if (path_is_of_macos(path) || path_is_of_macos(n->first))
			return err_set(e, ERR_INTEGRITY,
			    "'%s' is beside '%s', put there by macOS;; leave it out with --exclude=__MACOSX --exclude=.DS_Store --exclude='._*'",
			    path_is_of_macos(path) ? path : n->first,
			    path_is_of_macos(path) ? n->first : path);
		return err_set(e, ERR_INTEGRITY,
		    "'%s' is not in the directory '%s', in which all should be when a leading directory is stripped",
		    path, n->first);
	}
	if (path[len] == '\0' && !dir && path_is_of_macos(path))
		return err_set(e, ERR_INTEGRITY,
		    "'%s' was put there by macOS;; leave it out with --exclude=__MACOSX --exclude=.DS_Store --exclude='._*'",
		    path);
	if (path[len] == '\0' && !dir)
		return err_set(e, ERR_INTEGRITY,
		    "'%s' is not a directory: nothing is left when a leading directory is stripped",
		    path);
	len += path[len] == '/';
	memmove(path, path + len, strlen(path + len) + 1);
	return 0;
}

int
unpack_names_choose(struct unpack_names *n, const char *name, bool dir,
    char *path, struct err *e)
{
	int r;

	if (clean_name(name, path, e) != 0)
		return -1;
	if (n->strip) {
		r = strip_first(n, path, dir, e);
		if (r > 0)
			count_excluded(n, path);
		if (r != 0)
			return r;
	}
	if (path[0] == '\0')
		return dir ? 1 :
			     err_set(e, ERR_INTEGRITY,
				 "'%s' is the top and no directory", name);
	if (is_excluded(n, path)) {
		count_excluded(n, path);
		return 1;
	}
	return check_name(n, path, e);
}

int
unpack_names_target(struct unpack_names *n, const char *name, char *path,
    struct err *e)
{
	if (clean_name(name, path, e) != 0 ||
	    (n->strip && strip_first(n, path, false, e) < 0))
		return -1;
	return path_check(path, e);
}
