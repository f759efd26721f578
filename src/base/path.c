#include "base/path.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/utf8.h"

static bool
has_control(const char *s)
{
	size_t n;

	for (; *s != '\0'; s += n > 0 ? n : 1) {
		n = utf8_len(s);
		if (utf8_is_control(s))
			return true;
	}
	return false;
}

/* Check one component of `len` bytes; `path` is for the message. */
static int
check_component(const char *name, size_t len, const char *path, struct err *e)
{
	if (len == 0)
		return err_set(e, ERR_INTEGRITY,
		    "the name '%s' is absolute or has an empty component",
		    path);
	if (len > PATH_NAME_MAX)
		return err_set(e, ERR_INTEGRITY,
		    "a component of the name '%s' is longer than %d bytes",
		    path, PATH_NAME_MAX);
	if ((len == 1 && name[0] == '.') ||
	    (len == 2 && name[0] == '.' && name[1] == '.'))
		return err_set(e, ERR_INTEGRITY,
		    "the name '%s' has a '.' or '..' component", path);
	return 0;
}

int
path_check(const char *path, struct err *e)
{
	const char *p = path;
	int depth = 0;

	if (strlen(path) > PATH_LEN_MAX)
		return err_set(e, ERR_INTEGRITY,
		    "the name '%.100s...' is longer than %d bytes", path,
		    PATH_LEN_MAX);
	if (has_control(path))
		return err_set(e, ERR_INTEGRITY,
		    "the name '%s' has a control character;; rename it, or exclude it by a pattern with '*' in that place",
		    path);
	for (;;) {
		size_t len = strcspn(p, "/");

		if (check_component(p, len, path, e) != 0)
			return -1;
		if (++depth > PATH_DEPTH_MAX)
			return err_set(e, ERR_INTEGRITY,
			    "the name '%.100s...' is nested deeper than %d",
			    path, PATH_DEPTH_MAX);
		if (p[len] == '\0')
			return 0;
		p += len + 1;
	}
}

/* How many directories a path has above it inside the release. */
static int
count_parents(const char *path)
{
	int n = 0;

	for (; *path != '\0'; path++)
		if (*path == '/')
			n++;
	return n;
}

int
path_check_link(const char *path, const char *target, struct err *e)
{
	int up = count_parents(path);
	bool named = false;
	const char *p = target;

	if (target[0] == '/')
		return err_set(e, ERR_INTEGRITY,
		    "the symbolic link '%s' points to '%s', which is absolute;; use a relative target or exclude it",
		    path, target);
	if (target[0] == '\0' || strlen(target) > PATH_LEN_MAX ||
	    has_control(target))
		return err_set(e, ERR_INTEGRITY,
		    "the symbolic link '%s' points to '%s', which is empty, too long, or has control characters;; use another target or exclude it",
		    path, target);
	while (*p != '\0') {
		size_t len = strcspn(p, "/");

		if (len == 2 && p[0] == '.' && p[1] == '.') {
			if (named || --up < 0)
				return err_set(e, ERR_INTEGRITY,
				    "the symbolic link '%s' -> '%s' leaves the tree or has '..' after a name;; use a target inside the tree or exclude it",
				    path, target);
		} else if (len > 1 || (len == 1 && p[0] != '.')) {
			named = true;
		}
		p += len;
		p += strspn(p, "/");
	}
	return 0;
}

int
path_compare(const char *a, const char *b)
{
	while (*a != '\0' && *a == *b) {
		a++;
		b++;
	}
	if (*a == *b)
		return 0;
	if (*a == '\0' || *b == '\0')
		return *a == '\0' ? -1 : 1;
	if (*a == '/' || *b == '/')
		return *a == '/' ? -1 : 1;
	return (unsigned char)*a < (unsigned char)*b ? -1 : 1;
}

bool
path_is_of_macos(const char *path)
{
	return path_is_within(path, "__MACOSX") ||
	    path_is_within(path, ".DS_Store") || strncmp(path, "._", 2) == 0;
}

const char *
path_base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == NULL ? path : slash + 1;
}

/* Does the pattern component p[0..plen) match the name component? */
static bool
match_component(const char *p, size_t plen, const char *name, size_t nlen)
{
	char pat[PATH_NAME_MAX * 4], text[PATH_NAME_MAX + 1];

	if (plen >= sizeof(pat) || nlen >= sizeof(text))
		return false;
	memcpy(pat, p, plen);
	pat[plen] = '\0';
	memcpy(text, name, nlen);
	text[nlen] = '\0';
	return fnmatch(pat, text, 0) == 0;
}

/*
 * Match component by component; "**" takes any number of them.  Only the last
 * "**" is made longer when what follows does not match: whatever an earlier
 * one could take besides, this one can, and the time stays bounded.
 */
static bool
match_path(const char *p, const char *path)
{
	const char *rest = NULL, *from = NULL; /* behind "**": pattern, path */

	for (;;) {
		size_t plen = strcspn(p, "/"), nlen = strcspn(path, "/");

		if (plen == 2 && p[0] == '*' && p[1] == '*') {
			if (p[2] == '\0')
				return *path != '\0';
			p += 3;
			rest = p;
			from = path;
			continue;
		}
		if (match_component(p, plen, path, nlen)) {
			if (p[plen] == '\0' && path[nlen] == '\0')
				return true;
			if (p[plen] != '\0' && path[nlen] != '\0') {
				p += plen + 1;
				path += nlen + 1;
				continue;
			}
		}
		if (rest == NULL || *(from += strcspn(from, "/")) == '\0')
			return false;
		p = rest;
		path = ++from;
	}
}

bool
path_match(const char *pattern, const char *path)
{
	char pat[PATH_LEN_MAX + 1];
	size_t len = strlen(pattern);

	while (len > 0 && pattern[len - 1] == '/')
		len--;
	if (len == 0 || len >= sizeof(pat))
		return false;
	memcpy(pat, pattern, len);
	pat[len] = '\0';
	if (strchr(pat, '/') == NULL && strcmp(pat, "**") != 0)
		return match_path(pat, path_base(path));
	return match_path(pat[0] == '/' ? pat + 1 : pat, path);
}

/* Does it end in a '\\' before nothing? */
static bool
ends_in_escape(const char *pattern)
{
	size_t len = strlen(pattern), n = 0;

	while (n < len && pattern[len - 1 - n] == '\\')
		n++;
	return n % 2 == 1;
}

int
path_check_pattern(const char *pattern, struct err *e)
{
	char *name = xstrdup(pattern + (pattern[0] == '/'));
	int r;

	if (pattern[0] == '!') {
		free(name);
		return err_set(e, ERR_USAGE,
		    "'%s': patterns cannot be negated;; write '\\!' for a name that begins with '!'",
		    pattern);
	}
	for (size_t n = strlen(name); n > 1 && name[n - 1] == '/'; n--)
		name[n - 1] = '\0';
	r = path_check(name, e);
	if (r != 0 && *err_cure(e) == '\0')
		err_append(e, ";; write a path inside the release");
	if (r == 0 && ends_in_escape(name))
		r = err_set(e, ERR_USAGE,
		    "the name '%s' ends in a '\\' that is before nothing;; write '\\\\' for a name that has one",
		    name);
	if (r != 0)
		e->code = ERR_USAGE;
	free(name);
	return r;
}

bool
path_match_any(const struct strvec *patterns, const char *path)
{
	char dir[PATH_LEN_MAX + 1];
	size_t len = strlen(path);

	if (patterns->n == 0 || len >= sizeof(dir))
		return false;
	memcpy(dir, path, len + 1);
	for (;;) {
		char *slash;

		for (size_t i = 0; i < patterns->n; i++)
			if (path_match(patterns->v[i], dir))
				return true;
		slash = strrchr(dir, '/');
		if (slash == NULL)
			return false;
		*slash = '\0';
	}
}

bool
path_is_within(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	return strncmp(path, dir, len) == 0 &&
	    (path[len] == '\0' || path[len] == '/');
}

const char *
path_unexpanded(const char *text)
{
	static const char *const marks[] = { "$", "{{", "%(", "<%", "#{" };

	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
		if (strstr(text, marks[i]) != NULL)
			return marks[i];
	return NULL;
}

bool
path_is_address(const char *path)
{
	size_t n = strcspn(path, ":/");

	return n > 0 && path[n] == ':';
}
