#include "fleet/fleet_preview.h"

#include <string.h>

#include "fleet/cure.h"

bool
fleet_is_preview(const struct fleet *f, const struct release_id *id)
{
	bool is = false;

	for (size_t i = 0; i < f->n; i++) {
		const struct remote *r = &f->v[i];
		const struct meta *meta = remote_meta(r, id);

		if (release_id_eq(&r->view.current, id) ||
		    history_was_live(&r->view.history, id))
			return false;
		is |= (meta != NULL && meta->preview != NULL) ||
		    previews_show(&r->previews, id, 0);
	}
	return is;
}

int
fleet_find_preview(const struct fleet *f, const char *name,
    struct release_id *out, struct err *e)
{
	*out = release_id_none;
	for (size_t i = 0; i < f->n; i++) {
		const struct preview *p =
		    previews_find(&f->v[i].previews, name);

		if (p == NULL || f->v[i].failed)
			continue;
		if (!release_id_is_none(out) && !release_id_eq(out, &p->id)) {
			err_set(e, ERR_DIFFER,
			    "the hosts differ in what the preview '%s' shows;; to see what each shows, run: ",
			    name);
			return cure_append(f, e, "preview", NULL);
		}
		*out = p->id;
	}
	return !release_id_is_none(out);
}
