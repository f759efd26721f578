/*
 * A pattern, a path and another path, a line each: what matches, what is
 * safe, what comes first.  Matching must also end soon, whatever the pattern
 * (run with -timeout), and agree with the plain definition below.
 */
#include "base/path.h"

#include <fnmatch.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "content/dcz.h"
#include "must.h"

enum {
	INPUT_MAX = 3 * PATH_LEN_MAX,
	PLAIN_MAX = 24, /* bytes: the plain definition is exponential */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Does the pattern p, whose components are split off, match the path s? */
static bool
plainly_matches(const char *p, const char *s)
{
	char pat[PLAIN_MAX + 1], name[PLAIN_MAX + 1];
	size_t plen = strcspn(p, "/"), nlen = strcspn(s, "/");

	if (strcmp(p, "**") == 0)
		return true;
	if (strncmp(p, "**/", 3) == 0)
		return plainly_matches(p + 3, s) ||
		    (s[nlen] == '/' && plainly_matches(p, s + nlen + 1));
	memcpy(pat, p, plen);
	pat[plen] = '\0';
	memcpy(name, s, nlen);
	name[nlen] = '\0';
	if (fnmatch(pat, name, 0) != 0)
		return false;
	if (p[plen] == '\0' || s[nlen] == '\0')
		return p[plen] == s[nlen];
	return plainly_matches(p + plen + 1, s + nlen + 1);
}

static void
check_match(const char *pattern, const char *path)
{
	struct strvec one = STRVEC_INIT;
	struct err e = ERR_INIT;
	bool matches = path_match(pattern, path);
	size_t len = strlen(pattern);

	strvec_add(&one, pattern);
	MUST(!matches || path_match_any(&one, path));
	strvec_release(&one);
	/* Anchored, without a trailing slash, and short. */
	if (len < 2 || len > PLAIN_MAX || strlen(path) > PLAIN_MAX ||
	    pattern[0] != '/' || pattern[len - 1] == '/' ||
	    path_check(path, &e) != 0)
		return;
	MUST(matches == plainly_matches(pattern + 1, path));
}

static int
sign(int n)
{
	return (n > 0) - (n < 0);
}

static void
check_order(const char *a, const char *b, const char *c)
{
	MUST(path_compare(a, a) == 0);
	MUST((path_compare(a, b) == 0) == (strcmp(a, b) == 0));
	MUST(sign(path_compare(a, b)) == -sign(path_compare(b, a)));
	if (path_compare(a, b) < 0 && path_compare(b, c) < 0)
		MUST(path_compare(a, c) < 0);
	/* What is in a directory follows it directly. */
	if (path_is_within(b, a) && path_compare(a, c) < 0 &&
	    path_compare(c, b) < 0)
		MUST(path_is_within(c, a));
}

/* Where a link leads, component by component, never above the top. */
static void
check_link(const char *path, const char *target)
{
	struct err e = ERR_INIT;
	int depth = 0;

	if (path_check(path, &e) != 0 ||
	    path_check_link(path, target, &e) != 0)
		return;
	MUST(target[0] != '/' && target[0] != '\0');
	for (const char *p = path; *p != '\0'; p++)
		depth += *p == '/';
	for (const char *p = target; *p != '\0';) {
		size_t len = strcspn(p, "/");

		if (len == 2 && p[0] == '.' && p[1] == '.')
			depth--;
		else if (len > 0 && !(len == 1 && p[0] == '.'))
			depth++;
		MUST(depth >= 0);
		p += len;
		p += *p == '/';
	}
}

static void
check_path(const char *path)
{
	struct err e = ERR_INIT;

	if (path_check(path, &e) != 0) {
		MUST(e.code == ERR_INTEGRITY);
		return;
	}
	MUST(path[0] != '/' && path[0] != '\0');
	MUST(strstr(path, "//") == NULL && strchr(path, '\n') == NULL);
	MUST(strlen(path_base(path)) > 0);
	MUST(path_match(path_base(path), path) ||
	    strpbrk(path, "*?[\\") != NULL);
}

/* The name of a form against a dictionary is made of what it is read as. */
static void
check_form(const char *path)
{
	uint8_t dictionary[HASH_LEN];
	size_t len = dcz_of_path(path, dictionary);
	char *plain, *again;

	MUST(len == 0 || form_of_path(path) == len);
	MUST(form_of_path(path) < strlen(path) || *path == '\0');
	if (len == 0)
		return;
	plain = xstrndup(path, len);
	again = dcz_path(plain, dictionary);
	MUST(strcmp(again, path) == 0 && *path_base(plain) != '\0');
	free(again);
	free(plain);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[INPUT_MAX + 1], *line[3] = { text, NULL, NULL };

	if (size > INPUT_MAX)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	for (int i = 0; i < 2; i++) {
		line[i + 1] = line[i] + strcspn(line[i], "\n");
		if (*line[i + 1] != '\0')
			*line[i + 1]++ = '\0';
	}
	check_form(line[0]);
	check_form(line[1]);
	check_path(line[1]);
	check_path(line[2]);
	check_match(line[0], line[1]);
	check_match(line[0], line[2]);
	check_order(line[0], line[1], line[2]);
	check_order(line[1], line[2], line[0]);
	check_order(line[2], line[0], line[1]);
	check_link(line[1], line[2]);
	check_link(line[1], line[0]);
	return 0;
}
