#include <string.h>

#include "os/log.h"
#include "site/site.h"
#include "site/site_flip.h"

enum { WAITING_SHOWN = 8 };

/* Which of several is meant is not guessed. */
static int
refuse_several(const struct release_ids *waiting, struct err *e)
{
	size_t shown = waiting->n < WAITING_SHOWN ? waiting->n : WAITING_SHOWN;

	err_set(e, ERR_USAGE, "%zu releases wait to go live:", waiting->n);
	for (size_t i = 0; i < shown; i++)
		err_append(e, "%s %s", i > 0 ? "," : "",
		    waiting->v[waiting->n - 1 - i].text);
	if (shown < waiting->n)
		err_append(e, ", ...");
	return err_append(e,
	    ";; run 'deploy activate RELEASE' with one of them, or 'deploy activate latest' for the newest");
}

/*
 * Nothing is named: the one release that waits.  When none does, what is
 * live, so that nothing changes.
 */
static int
choose_waiting(const struct release_ids *waiting,
    const struct release_id *live, struct release_id *out, struct err *e)
{
	if (waiting->n > 1)
		return refuse_several(waiting, e);
	if (waiting->n == 0 && release_id_is_none(live))
		return err_set(e, ERR_USAGE,
		    "no release waits to go live, and none is live;; run 'deploy stage' first, or name one of 'deploy list'");
	if (waiting->n == 0)
		log_info(
		    "no release waits to go live; another has to be named, see 'deploy list'");
	*out = waiting->n > 0 ? waiting->v[0] : *live;
	return 0;
}

/* The release that is asked for, or waits. */
static int
choose(const struct fleet *f, const char *word, struct release_id *out,
    struct err *e)
{
	struct release_ids waiting = RELEASE_IDS_INIT;
	struct err none = ERR_INIT;
	const struct release_id *id;
	int r;

	if (word != NULL) {
		id = fleet_find(f, word, e);
		if (id != NULL)
			*out = *id;
		return id != NULL ? 0 : -1;
	}
	id = fleet_find(f, "current", &none);
	fleet_waiting(f, &waiting);
	if (waiting.n == 0 && none.code == ERR_DIFFER) {
		*e = none;
		r = -1;
	} else {
		r = choose_waiting(&waiting,
		    id != NULL ? id : &release_id_none, out, e);
	}
	release_ids_release(&waiting);
	return r;
}

int
site_activate(struct site_run *s, const char *word, struct site_flip *out,
    struct err *e)
{
	struct release_id id = { "" };

	*out = (struct site_flip){ .changed = false };
	if (site_open(s, e) != 0 || fleet_need_root(&s->fleet, e) != 0 ||
	    choose(&s->fleet, word, &id, e) != 0 ||
	    site_supply(s, &id, e) != 0 || site_before_flip(s, &id, e) != 0)
		return -1;
	return site_flip(s, &id, JOURNAL_ACTIVATE, out, e);
}
