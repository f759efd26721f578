#include "root/bridge.h"

#include <stdbool.h>
#include <string.h>

#include "base/path.h"
#include "os/dir.h"
#include "root/meta.h"

int
bridge_current(const struct store *s, struct release_id *live,
    struct release_id *bridge, struct err *e)
{
	struct meta meta = META_INIT;
	struct err ignored = ERR_INIT;

	*bridge = release_id_none;
	if (store_current(s, live, e) != 0)
		return -1;
	if (!release_id_is_none(live) &&
	    meta_read(s, live, &meta, &ignored) == 0 &&
	    !release_id_is_none(&meta.bridge) &&
	    dir_look(&s->releases, meta.bridge.text, &ignored) > 0) {
		*bridge = *live;
		*live = meta.bridge;
	}
	meta_release(&meta);
	return 0;
}

/* May a bridge have the entry besides what it stands for? */
static bool
may_be_added(const struct entry *en)
{
	return en->type == ENTRY_DIR || en->mark == ENTRY_CARRIED;
}

/* The first entry of `b` that is in the way, or NULL. */
static const struct entry *
find_odd(const struct manifest *b, const struct manifest *m)
{
	size_t k = 0;

	for (size_t i = 0; i < b->n; i++) {
		const struct entry *en = &b->v[i];
		const struct entry *own = k < m->n ? &m->v[k] : NULL;

		if (own == NULL || path_compare(en->path, own->path) < 0) {
			if (!may_be_added(en))
				return en;
			continue;
		}
		if (strcmp(en->path, own->path) != 0 ||
		    !entry_is_same(en, own) || en->mtime != own->mtime)
			return own;
		k++;
	}
	return k < m->n ? &m->v[k] : NULL;
}

int
bridge_check(const struct store *s, const struct release_id *bridge,
    const struct release_id *live, struct err *e)
{
	struct manifest b = MANIFEST_INIT, m = MANIFEST_INIT;
	const struct entry *odd = NULL;
	int r = manifest_read(&b, &s->manifests, bridge->text, e);

	if (r == 0)
		r = manifest_read(&m, &s->manifests, live->text, e);
	if (r == 0)
		odd = find_odd(&b, &m);
	if (odd != NULL)
		r = err_set(e, ERR_INTEGRITY,
		    "release %s is not a bridge for %s: '%s' differs",
		    bridge->text, live->text, odd->path);
	manifest_release(&b);
	manifest_release(&m);
	return r;
}
