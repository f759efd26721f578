/*
 * Journal text, and what history makes of it for each release that might be
 * live.
 */
#include "root/journal.h"

#include <string.h>

#include "must.h"
#include "root/history.h"

enum { LINES_MAX = 64 }; /* of each, history is looked at */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_line(const struct journal_line *l)
{
	struct release_id same;
	char time[32];

	MUST(release_id_parse(&same, l->to.text));
	MUST(release_id_is_none(&l->from) ||
	    release_id_parse(&same, l->from.text));
	MUST(l->time >= 0);
	MUST(l->action == JOURNAL_ACTIVATE || l->action == JOURNAL_ROLLBACK ||
	    l->action == JOURNAL_REVERT || l->action == JOURNAL_SYNC);
	release_format_time(l->time, time);
	MUST(release_parse_time(time) == l->time);
	(void)release_id_time(&l->to);
}

static void
check_history(const struct journal *j, const struct release_ids *ids,
    const struct release_id *current)
{
	struct history h = HISTORY_INIT;
	const struct release_id *previous;

	history_init(&h, j, current);
	previous = history_previous(&h, ids);
	if (!release_id_is_none(current)) {
		MUST(history_was_live(&h, current));
		MUST(history_until(&h, current) == INT64_MAX);
		MUST(release_id_eq(release_ids_last(&h.stack), current));
		MUST(previous == NULL || !release_id_eq(previous, current));
	}
	MUST(previous == NULL || history_was_live(&h, previous));
	MUST(!release_id_eq(&h.replaced, current) ||
	    release_id_is_none(current));
	for (size_t i = 0; i < h.seen.n; i++)
		MUST(history_until(&h, &h.seen.v[i]) >= 0);
	MUST(h.stack.n <= 2 * j->n + 1);
	history_release(&h);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct journal j = JOURNAL_INIT;
	static const struct release_id other = {
		"20261121T190305.482Z-6f9619ff-8b86-4011-b42d-00c04fc964ff"
	};
	struct release_ids ids = RELEASE_IDS_INIT;

	journal_parse(&j, (const char *)data, size);
	MUST(j.n + j.broken <= size);
	for (size_t i = 0; i < j.n; i++) {
		check_line(&j.v[i]);
		release_ids_add(&ids, &j.v[i].to);
	}
	check_history(&j, &ids, &release_id_none);
	check_history(&j, &ids, &other);
	for (size_t i = 0; i < j.n && i < LINES_MAX; i++)
		check_history(&j, &ids, &j.v[i].to);
	release_ids_release(&ids);
	journal_release(&j);
	return 0;
}
