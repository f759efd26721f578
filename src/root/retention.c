#include "root/retention.h"

#include <string.h>

#include "base/release.h"

/* Live, live before that, or what a rollback goes to. */
static bool
is_needed(const struct release_id *id, const struct release_id *previous,
    const struct history *h)
{
	return history_until(h, id) == INT64_MAX ||
	    release_id_eq(id, &h->replaced) ||
	    (previous != NULL && release_id_eq(id, previous));
}

void
retention_select(const struct release_ids *ids, const bool *pinned,
    const bool *bridges, const struct history *h,
    const struct retention_rule *rule, bool *removed)
{
	const struct release_id *previous = history_previous(h, ids);
	unsigned int kept = 0;
	bool bridged = false;

	/* Newest first, so that `keep` counts the newest. */
	for (size_t i = ids->n; i-- > 0;) {
		int64_t age = rule->now - release_id_time(&ids->v[i]);
		bool live = history_was_live(h, &ids->v[i]);
		bool maybe = release_id_time(&ids->v[i]) < h->lost &&
		    !history_has_failed(h, &ids->v[i]);

		if (bridges[i]) {
			removed[i] = !pinned[i] &&
			    (bridged || age > RETENTION_NEVER_LIVE);
			bridged = true;
			continue;
		}
		removed[i] = (live || maybe ? kept >= rule->keep : true) &&
		    (live || age > RETENTION_NEVER_LIVE);
		if (live || maybe)
			kept++;
		if (pinned[i] || is_needed(&ids->v[i], previous, h) ||
		    (rule->older_than > 0 && age <= rule->older_than))
			removed[i] = false;
	}
}
