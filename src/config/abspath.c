#include "config/abspath.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/path.h"

/* Take the last component off; of "" nothing. */
static void
remove_last(struct buf *path)
{
	while (path->len > 0 && path->data[--path->len] != '/')
		;
	if (path->data != NULL)
		path->data[path->len] = '\0';
}

/*
 * Append the components of `text` to the absolute path `out`, without empty
 * ones and ".".  A ".." takes a component off, but with `links` stays behind a
 * name of `text` itself, which may be a symbolic link.
 */
static void
append_path(struct buf *out, const char *text, bool links)
{
	bool named = false;

	for (;;) {
		size_t len;

		text += strspn(text, "/");
		len = strcspn(text, "/");
		if (len == 0)
			return;
		if (len == 2 && memcmp(text, "..", 2) == 0 && !named) {
			remove_last(out);
		} else if (len != 1 || text[0] != '.') {
			named = links;
			buf_addc(out, '/');
			buf_add(out, text, len);
		}
		text += len;
	}
}

/* Replace "~" at the beginning by `home`; the caller frees it.  Or NULL. */
static char *
expand_home(const char *text, const char *home, struct err *e)
{
	if (text[0] != '~')
		return xstrdup(text);
	if (text[1] != '/' && text[1] != '\0')
		err_set(e, ERR_USAGE,
		    "'%s': only '~/' is expanded;; write the path out, or begin it with './'",
		    text);
	else if (home == NULL || home[0] != '/')
		err_set(e, ERR_USAGE,
		    "'%s': HOME is not set to an absolute path", text);
	else
		return xasprintf("%s%s", home, text + 1);
	return NULL;
}

char *
abspath_make(const char *text, const char *dir, const char *home,
    struct err *e)
{
	struct buf out = BUF_INIT;
	char *path = expand_home(text, home, e);

	if (path == NULL)
		return NULL;
	if (path[0] != '/')
		append_path(&out, dir, true);
	append_path(&out, path, true);
	if (out.len == 0)
		buf_addc(&out, '/');
	free(path);
	if (out.len <= PATH_LEN_MAX)
		return buf_detach(&out);
	err_set(e, ERR_USAGE, "'%.100s...' is longer than %d bytes",
	    buf_str(&out), PATH_LEN_MAX);
	buf_release(&out);
	return NULL;
}

bool
abspath_is_same(const char *a, const char *b)
{
	struct buf x = BUF_INIT, y = BUF_INIT;
	bool is;

	/* Each pair of sites is compared, and few paths have one. */
	if (strstr(a, "/..") == NULL && strstr(b, "/..") == NULL)
		return strcmp(a, b) == 0;
	append_path(&x, a, false);
	append_path(&y, b, false);
	is = strcmp(buf_str(&x), buf_str(&y)) == 0;
	buf_release(&x);
	buf_release(&y);
	return is;
}
