#include "fleet/doctor_web.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/path.h"

/* The text after "file:line:", or NULL. */
static const char *
text_of(const char *line)
{
	const char *at = strchr(line, ':');

	at = at != NULL ? strchr(at + 1, ':') : NULL;
	return at != NULL ? at + 1 : NULL;
}

/*
 * The last word of a directive, if it is a path without variables: "root
 * /srv/x;", "DocumentRoot \"/srv/x\"", "root * /srv/x".  The caller frees it.
 */
static char *
last_path(const char *text)
{
	const char *found = NULL;
	size_t len = 0;

	while (*text != '\0' && *text != '#') {
		size_t n;

		text += strspn(text, " \t\"';");
		n = strcspn(text, " \t\"';#");
		if (n > 0) {
			found = text;
			len = n;
		}
		text += n;
	}
	while (len > 1 && found[len - 1] == '/')
		len--;
	if (len == 0 || *found != '/' || memchr(found, '$', len) != NULL ||
	    memchr(found, '{', len) != NULL || memchr(found, '%', len) != NULL)
		return NULL;
	return xstrndup(found, len);
}

/* Is `path` the part of the root with that name, or inside it? */
static bool
is_within(const struct visit *v, const char *path, const char *name)
{
	char *part = xasprintf("%s%s", v->root, name);
	bool is = strcmp(path, part) == 0 || path_is_within(path, part);

	free(part);
	return is;
}

/* One document root; `at` is "file:line:...". */
static void
judge_docroot(struct visit *v, const char *server, const char *at,
    const char *path)
{
	const int where = (int)(text_of(at) - at) - 1;

	if (is_within(v, path, "current")) {
		doctor_add(v->r, DOCTOR_OK, "web", "%s serves '%s' (%.*s)",
		    server, path, where, at);
	} else if (is_within(v, path, "releases")) {
		doctor_add(v->r, DOCTOR_WARN, "web",
		    "%.*s: %s serves one release, '%s', whatever is live",
		    where, at, server, path);
		doctor_cure(v->r, "make its document root '%s/current'",
		    v->c->root);
	} else if (strcmp(path, v->c->root) == 0) {
		doctor_add(v->r, DOCTOR_WARN, "web",
		    "%.*s: %s serves the root itself, all releases and the journal",
		    where, at, server);
		doctor_cure(v->r, "make its document root '%s/current'",
		    v->c->root);
	}
}

static void
judge_docroots(struct visit *v)
{
	for (size_t i = 0; i < v->f->docroots.n; i++) {
		const char *line = v->f->docroots.v[i];
		const char *at = strchr(line, '\t');
		char *server, *path;

		if (at == NULL || text_of(at + 1) == NULL)
			continue;
		server = xstrndup(line, (size_t)(at - line));
		path = last_path(text_of(at + 1));
		if (path != NULL)
			judge_docroot(v, server, at + 1, path);
		free(server);
		free(path);
	}
}

/*
 * A bind mount, as containers have it, is of the directory that `current` led
 * to when it was made.
 */
static void
judge_mounts(struct visit *v)
{
	for (size_t i = 0; i < v->f->mounted.n; i++) {
		const char *line = v->f->mounted.v[i];
		size_t process = strcspn(line, "\t");
		const char *id = line + process + (line[process] != '\0');
		size_t len = strcspn(id, "\t");

		if (id[len] == '\0')
			continue;
		doctor_add(v->r, DOCTOR_WARN, "web",
		    "process %.*s has the release %.*s mounted at '%s', and would see that for ever",
		    (int)process, line, (int)len, id, id + len + 1);
		doctor_cure(v->r,
		    "mount all of '%s' there, in a container as its volume, and make 'current' in it the document root",
		    v->c->root);
	}
}

void
doctor_judge_web(struct visit *v)
{
	judge_docroots(v);
	judge_mounts(v);
}
