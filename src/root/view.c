#include "root/view.h"

#include <string.h>

#include "root/bridge.h"

int
view_read(struct view *v, const struct store *s, struct err *e)
{
	if (bridge_current(s, &v->current, &v->bridge, e) != 0 ||
	    store_releases(s, &v->ids, e) != 0 ||
	    journal_read(s, &v->journal, e) != 0)
		return -1;
	history_init(&v->history, &v->journal, &v->current);
	return 0;
}

void
view_release(struct view *v)
{
	history_release(&v->history);
	journal_release(&v->journal);
	release_ids_release(&v->ids);
	v->current = v->bridge = release_id_none;
}

const struct release_id *
view_previous(const struct view *v)
{
	return history_previous(&v->history, &v->ids);
}

const struct release_id *
view_latest(const struct view *v)
{
	return release_ids_last(&v->ids);
}

bool
view_has_lost_live(const struct view *v)
{
	return !release_id_is_none(&v->current) &&
	    !release_ids_has(&v->ids, &v->current);
}

const struct release_id *
view_base(const struct view *v)
{
	return release_ids_has(&v->ids, &v->current) ? &v->current :
						       view_latest(v);
}

void
view_waiting(const struct view *v, struct release_ids *out)
{
	const struct release_ids *seen = &v->history.seen;
	const struct release_id *newest = &release_id_none;

	for (size_t i = 0; i < seen->n; i++)
		if (release_id_cmp(&seen->v[i], newest) > 0)
			newest = &seen->v[i];
	for (size_t i = 0; i < v->ids.n; i++)
		if (release_id_cmp(&v->ids.v[i], newest) > 0)
			release_ids_add(out, &v->ids.v[i]);
}

int
view_refuse(const char *word, struct err *e)
{
	if (strcmp(word, "current") == 0)
		return err_set(e, ERR_USAGE,
		    "nothing is live yet, so there is no 'current' release;; run 'deploy activate' first, or name one of 'deploy list'");
	if (strcmp(word, "previous") == 0)
		return err_set(e, ERR_USAGE,
		    "no release that was live before is left, so there is no 'previous';; name one of 'deploy list'");
	return err_set(e, ERR_USAGE,
	    "there is no release yet;; run 'deploy stage' first");
}
