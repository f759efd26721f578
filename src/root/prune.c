#include "root/prune.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "os/intr.h"
#include "os/log.h"
#include "root/meta.h"
#include "root/previews.h"
#include "root/retention.h"
#include "root/staging.h"
#include "root/store_remove.h"

/*
 * Which releases are pinned, and which are bridges.  One whose meta cannot be
 * read may be pinned: it stays, and that is said:
 * of one that is damaged or lost, by the client.
 */
static void
read_pins(const struct store *s, const struct release_ids *ids, bool *pinned,
    bool *bridges)
{
	for (size_t i = 0; i < ids->n; i++) {
		struct meta meta = META_INIT;
		struct err e = ERR_INIT;

		pinned[i] = true;
		if (meta_read(s, &ids->v[i], &meta, &e) == 0)
			pinned[i] = meta.pinned;
		else if (e.code != ERR_INTEGRITY && e.sys != ENOENT)
			log_warn("release %s stays: %s", ids->v[i].text,
			    e.text);
		bridges[i] = !release_id_is_none(&meta.bridge);
		meta_release(&meta);
	}
}

/* What a preview shows stays as if it were pinned, and a bridge that is live. */
static int
add_shown(const struct store *s, const struct view *v, bool *pinned,
    struct err *e)
{
	const struct release_ids *ids = &v->ids;
	struct previews all = PREVIEWS_INIT;
	int r = previews_read(s, &all, e);

	for (size_t i = 0; i < ids->n; i++)
		pinned[i] |= release_id_eq(&ids->v[i], &v->bridge) ||
		    previews_show(&all, &ids->v[i], clock_now() / 1000);
	previews_release(&all);
	return r;
}

/* Take the chosen releases out of the list, going on after an error. */
static int
discard(const struct store *s, const struct release_ids *ids,
    const bool *chosen, struct release_ids *removed, struct err *e)
{
	struct err one = ERR_INIT;
	int r = 0;

	for (size_t i = 0; i < ids->n; i++) {
		if (!chosen[i])
			continue;
		if (intr_check(e) != 0)
			return -1;
		if (store_discard(s, &ids->v[i], &one) == 0) {
			release_ids_add(removed, &ids->v[i]);
			continue;
		}
		if (r == 0)
			*e = one;
		r = -1;
	}
	return r;
}

/* What a living stage takes files from stays, and is told. */
static int
leave_to_stages(const struct store *s, const struct release_ids *ids,
    bool *chosen, struct strvec *kept, struct err *e)
{
	struct stagings living = STAGINGS_INIT;
	int r = stagings_read(&s->incoming, &living, e);

	for (size_t i = 0; r == 0 && i < ids->n; i++) {
		const struct staging *user =
		    chosen[i] ? stagings_user(&living, &ids->v[i]) : NULL;
		struct buf who = BUF_INIT;

		if (user == NULL)
			continue;
		chosen[i] = false;
		staging_print(user, &who);
		strvec_addf(kept,
		    "release %s stays: the stage of %s takes files from it",
		    ids->v[i].text, who.data);
		buf_release(&who);
	}
	stagings_release(&living);
	return r;
}

/* Discard, then delete; what fails is for the next run. */
static int
remove_chosen(const struct store *s, const struct release_ids *ids,
    const bool *chosen, struct lock *held, struct release_ids *removed,
    struct err *e)
{
	struct err more = ERR_INIT;
	int r = discard(s, ids, chosen, removed, e);

	if (dir_sync(&s->releases, r == 0 ? e : &more) != 0 ||
	    store_sweep(s, r == 0 ? e : &more) != 0)
		r = -1;
	lock_drop(held);
	if (store_empty_trash(s, r == 0 ? e : &more) != 0)
		r = -1;
	if (r == 0)
		return 0;
	if (e->sys == EPERM && geteuid() == 0)
		err_append(e,
		    ";; an attribute such as 'immutable' keeps it; see lsattr(1), and take it off with chattr -R -i");
	else if (e->sys == EACCES || e->sys == EPERM)
		err_append(e,
		    ";; it belongs to another user: let that user or root remove it");
	e->code = ERR_CLEANUP;
	return -1;
}

int
prune(const struct store *s, const struct view *v,
    const struct prune_options *o, struct lock *held,
    struct release_ids *removed, struct strvec *kept, struct err *e)
{
	const struct retention_rule rule = { o->keep, o->older_than * 1000,
		clock_now() };
	bool *pinned = xcalloc(v->ids.n, sizeof(*pinned));
	bool *bridges = xcalloc(v->ids.n, sizeof(*bridges));
	bool *chosen = xcalloc(v->ids.n, sizeof(*chosen));
	int r = 0;

	/* What was read may not be on disk yet, and what goes is gone. */
	if (!o->preview)
		r = store_sync(s, e);
	read_pins(s, &v->ids, pinned, bridges);
	if (r == 0)
		r = add_shown(s, v, pinned, e);
	retention_select(&v->ids, pinned, bridges, &v->history, &rule, chosen);
	if (r == 0)
		r = leave_to_stages(s, &v->ids, chosen, kept, e);
	for (size_t i = 0; r == 0 && o->preview && i < v->ids.n; i++)
		if (chosen[i])
			release_ids_add(removed, &v->ids.v[i]);
	if (r == 0 && !o->preview)
		r = remove_chosen(s, &v->ids, chosen, held, removed, e);
	free(pinned);
	free(bridges);
	free(chosen);
	return r;
}
