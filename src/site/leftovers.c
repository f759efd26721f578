#include "site/leftovers.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "config/generator.h"
#include "content/manifest.h"
#include "content/tree.h"
#include "os/dir.h"

/* Open the directory that the build is in. */
static int
open_above(const struct dir *dir, struct dir *out, struct err *e)
{
	char *real = realpath(dir->path, NULL), *end;
	int r = -1;

	end = real != NULL ? strrchr(real, '/') : NULL;
	if (end != NULL && end > real) {
		*end = '\0';
		r = dir_open_path(out, real, e);
	}
	free(real);
	return r;
}

/* The generator, when it is one that leaves pages; `home` is where it is. */
static const struct generator *
find_generator(const struct dir *dir, const char *other, struct dir *home)
{
	const struct generator *g;
	struct err e = ERR_INIT;

	for (int i = 0; i < 2; i++) {
		if (i == 0 ?
			open_above(dir, home, &e) != 0 :
			other == NULL || dir_open_path(home, other, &e) != 0)
			continue;
		g = generator_detect(home);
		if (g->name != NULL)
			return g->leaves ? g : NULL;
		dir_close(home);
	}
	return NULL;
}

static bool
is_page(const struct entry *en)
{
	size_t len = strlen(en->path);

	return en->type == ENTRY_FILE && len > 5 &&
	    strcmp(en->path + len - 5, ".html") == 0;
}

/* Is it copied as it is?  Such a file keeps its time. */
static bool
is_static(const struct dir *home, const char *page)
{
	char *path = xasprintf("static/%s", page);
	bool is = faccessat(home->fd, path, F_OK, 0) == 0;

	free(path);
	return is;
}

static void
look(const struct manifest *m, const struct dir *home, struct leftovers *out)
{
	int64_t newest = 0;

	for (size_t i = 0; i < m->n; i++)
		if (is_page(&m->v[i]) && m->v[i].mtime > newest)
			newest = m->v[i].mtime;
	for (size_t i = 0; i < m->n; i++) {
		if (!is_page(&m->v[i]) ||
		    m->v[i].mtime >= newest - LEFTOVERS_AGE ||
		    is_static(home, m->v[i].path))
			continue;
		if (out->n++ == 0)
			out->example = xstrdup(m->v[i].path);
	}
}

bool
leftovers_find(const char *source, const char *other, struct leftovers *out)
{
	struct tree_walk walk = { .exact = true };
	struct manifest m = MANIFEST_INIT;
	struct dir dir = DIR_INIT, home = DIR_INIT;
	struct err ignored = ERR_INIT;
	const struct generator *g = NULL;

	if (dir_open_path(&dir, source, &ignored) == 0)
		g = find_generator(&dir, other, &home);
	*out = (struct leftovers){ .generator = g != NULL ? g->name : NULL };
	if (g != NULL && tree_read(&dir, &walk, &m, &ignored) == 0)
		look(&m, &home, out);
	manifest_release(&m);
	dir_close(&dir);
	dir_close(&home);
	return out->n > 0;
}

void
leftovers_release(struct leftovers *l)
{
	free(l->example);
	*l = (struct leftovers){ 0 };
}
