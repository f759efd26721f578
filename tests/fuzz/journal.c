/*
 * Journal text, and what history makes of it for each release that might be
 * live.
 */
#include "root/journal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "root/history.h"

#define MUST(expr) ((expr) ? (void)0 : broken(#expr, __LINE__))

enum { LINES_MAX = 64 }; /* of each, history is looked at */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
broken(const char *what, int line)
{
	fprintf(stderr, "line %d: does not hold: %s\n", line, what);
	abort();
}

static void
check_line(const struct journal_line *l)
{
	char time[32];

	MUST(release_id_is_valid(l->to.text));
	MUST(l->from.text[0] == '\0' || release_id_is_valid(l->from.text));
	MUST(l->time >= 0);
	MUST(l->action == JOURNAL_ACTIVATE || l->action == JOURNAL_ROLLBACK);
	release_format_time(l->time, time);
	MUST(release_parse_time(time) == l->time);
	(void)release_id_time(l->to.text);
}

static void
check_history(const struct journal *j, const struct strvec *ids,
    const char *current)
{
	struct history h = HISTORY_INIT;
	const char *previous;

	history_init(&h, j, current);
	previous = history_previous(&h, ids);
	if (*current != '\0') {
		MUST(history_was_live(&h, current));
		MUST(history_until(&h, current) == INT64_MAX);
		MUST(strcmp(h.stack.v[h.stack.n - 1], current) == 0);
		MUST(previous == NULL || strcmp(previous, current) != 0);
	}
	MUST(previous == NULL || history_was_live(&h, previous));
	MUST(strcmp(h.replaced.text, current) != 0 || *current == '\0');
	for (size_t i = 0; i < h.seen.n; i++)
		MUST(history_until(&h, h.seen.v[i]) >= 0);
	MUST(h.stack.n <= 2 * j->n + 1);
	history_release(&h);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct journal j = JOURNAL_INIT;
	struct strvec ids = STRVEC_INIT;

	journal_parse(&j, (const char *)data, size);
	MUST(j.n + j.broken <= size);
	for (size_t i = 0; i < j.n; i++) {
		check_line(&j.v[i]);
		strvec_add(&ids, j.v[i].to.text);
	}
	check_history(&j, &ids, "");
	check_history(&j, &ids,
	    "20261121T190305.482Z-6f9619ff-8b86-4011-b42d-00c04fc964ff");
	for (size_t i = 0; i < j.n && i < LINES_MAX; i++)
		check_history(&j, &ids, j.v[i].to.text);
	strvec_release(&ids);
	journal_release(&j);
	return 0;
}
