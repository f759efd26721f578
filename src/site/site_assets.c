#include "site/site_assets.h"

#include "base/override.h"
#include "fleet/fleet_bridge.h"
#include "os/log.h"
#include "site/site_flip.h"

/* Bridges to what they serve, with the assets of `gone`. */
static int
bridge_back(struct site_run *s, const struct release_id *gone, struct err *e)
{
	const struct remote_activate o = { .id = gone,
		.skipped = s->wishes.skipped,
		.overrides = OVERRIDE_FLIP };
	const int64_t skew_us = s->fleet.skew_us;
	struct fleet_bridge b = FLEET_BRIDGE_INIT;
	int r;

	/* Also those whose check failed. */
	fleet_forgive(&s->fleet);
	r = site_open(s, e);
	/* One that was made anew has none of its assets. */
	if (r == 0)
		r = site_supply(s, gone, e);
	if (r == 0)
		r = fleet_bridge_stage(&s->fleet, gone, &b, e);
	if (r == 0)
		r = fleet_bridge_flip(&s->fleet, &b, &o, e);
	fleet_bridge_release(&b);
	s->fleet.skew_us = skew_us;
	return r;
}

void
site_keep_assets(struct site_run *s, const struct release_id *live,
    const struct release_id *gone)
{
	const struct release_id now = *live, then = *gone;
	const struct rules *rules = &s->site->rules;
	struct err why = ERR_INIT;

	if (rules->carry.n == 0 || !rules->bridge || s->wishes.dry_run ||
	    release_id_is_none(&then) || bridge_back(s, &then, &why) == 0)
		return;
	log_warn(
	    "%s is live without the assets of %s, which pages that are open may ask for: %s",
	    release_id_is_none(&now) ? "the site" : now.text, then.text,
	    why.text);
	fleet_forgive(&s->fleet);
}

void
site_keep_undone(struct site_run *s, const struct release_id *gone,
    const struct err *failed)
{
	const struct release_id live = s->fleet.v[0].before;

	if (failed->code == ERR_REVERTED && failed->phase == PHASE_CHECK)
		site_keep_assets(s, &live, gone);
}
