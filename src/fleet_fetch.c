#include "fleet_fetch.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "log.h"

enum {
	/* Files of one request: their paths fit into a pipe. */
	BATCH = 64,
	BATCH_BYTES = 32 * 1024,
};

static int
make_dir(struct fetch *x, struct err *e)
{
	const char *tmp = getenv("TMPDIR");

	x->path = xasprintf("%s/deploy-fetch-XXXXXX",
	    tmp != NULL && *tmp == '/' ? tmp : "/tmp");
	if (mkdtemp(x->path) == NULL) {
		err_sys(e, "cannot make a temporary directory '%s'", x->path);
		free(x->path);
		x->path = NULL;
		return -1;
	}
	return dir_open_path(&x->dir, x->path, e);
}

void
fetch_release(struct fetch *x)
{
	static char here[] = ".";
	const struct dir cwd = { AT_FDCWD, here };
	struct err e = ERR_INIT;

	dir_close(&x->dir);
	if (x->path != NULL && dir_remove_tree(&cwd, x->path, &e) != 0)
		log_warn("%s", e.text);
	free(x->path);
	*x = (struct fetch)FETCH_INIT;
}

static struct remote *
host_with(const struct fleet *f, const char *id)
{
	for (size_t i = 0; i < f->n; i++)
		if (strvec_has(&f->v[i].view.ids, id))
			return &f->v[i];
	return NULL;
}

static bool
is_same_file(const struct entry *a, const struct entry *b)
{
	return a != NULL && a->type == ENTRY_FILE && a->size == b->size &&
	    memcmp(a->digest, b->digest, HASH_LEN) == 0;
}

/* Fetch what the release `id`, whose manifest is `there`, has of it. */
static int
fetch_from(struct fetch *x, struct remote *r, const char *id,
    const struct manifest *there, const struct manifest *m, bool *wanted,
    struct err *e)
{
	size_t batch[BATCH], n = 0, bytes = 0;
	int c = 0;

	for (size_t i = 0; c == 0 && i < m->n; i++) {
		if (wanted[i] &&
		    is_same_file(manifest_find(there, m->v[i].path),
			&m->v[i])) {
			batch[n++] = i;
			bytes += strlen(m->v[i].path) + 1;
			wanted[i] = false;
		}
		if (n > 0 &&
		    (n == BATCH || bytes > BATCH_BYTES || i + 1 == m->n)) {
			c = remote_files(r, id, m, batch, n, &x->dir, e);
			n = bytes = 0;
		}
	}
	if (c == 0 && n > 0)
		c = remote_files(r, id, m, batch, n, &x->dir, e);
	if (c != 0)
		err_prefix(e, "%s: ", r->host->label);
	return c;
}

/* The path of a wanted file that is left, or NULL. */
static const char *
first_wanted(const struct manifest *m, const bool *wanted)
{
	for (size_t i = 0; i < m->n; i++)
		if (wanted[i])
			return m->v[i].path;
	return NULL;
}

int
fetch_files(struct fetch *x, struct fleet *f, const struct manifest *m,
    bool *wanted, struct err *e)
{
	struct strvec ids = STRVEC_INIT;
	const char *left = first_wanted(m, wanted);
	int c = left != NULL ? make_dir(x, e) : 0;

	fleet_releases(f, &ids);
	for (size_t i = ids.n; c == 0 && left != NULL && i-- > 0;) {
		struct manifest there = MANIFEST_INIT;

		c = fleet_manifest(f, ids.v[i], &there, e);
		if (c == 0)
			c = fetch_from(x, host_with(f, ids.v[i]), ids.v[i],
			    &there, m, wanted, e);
		manifest_release(&there);
		left = first_wanted(m, wanted);
	}
	if (c == 0 && left != NULL)
		c = err_set(e, ERR_FAILED,
		    "no host has '%s', which is to be "
		    "carried",
		    left);
	strvec_release(&ids);
	return c;
}
