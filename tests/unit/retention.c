#include "root/retention.h"

#include <stdlib.h>
#include <time.h>

#include "base/release.h"
#include "unit.h"

#define NOW 1795287785482LL /* 2026-11-21T19:03:05.482Z */
#define HOUR (3600 * 1000LL)
#define DAY (24 * HOUR)

/* Releases by letter, oldest first, and what became of them. */
struct world {
	struct release_ids ids;
	struct journal_line lines[16];
	struct journal j;
	struct history h;
	bool pinned[26];
	bool bridges[26];
	bool removed[26];
	char live; /* letter of the live one, or 0 */
};

/* The id of a release that was made `age` ms ago. */
static struct release_id
id_of_age(int64_t age, char letter)
{
	struct release_id id;
	int64_t ms = NOW - age;
	time_t sec = (time_t)(ms / 1000);
	struct tm tm;
	char day[32], text[80];

	gmtime_r(&sec, &tm);
	strftime(day, sizeof(day), "%Y%m%dT%H%M%S", &tm);
	snprintf(text, sizeof(text),
	    "%s.%03uZ-00000000-0000-4000-8000-0000000000%02x", day,
	    (unsigned int)(ms % 1000), (unsigned char)letter);
	CHECK(release_id_parse(&id, text));
	CHECK(release_id_time(&id) == ms);
	return id;
}

static void
add(struct world *w, int64_t age)
{
	const struct release_id id = id_of_age(age, (char)('A' + w->ids.n));

	release_ids_add(&w->ids, &id);
}

/* `n` releases, a day between each two, the newest an hour old. */
static void
add_days(struct world *w, int n)
{
	for (int i = 0; i < n; i++)
		add(w, (n - 1 - i) * DAY + HOUR);
}

static void
flip(struct world *w, enum journal_action action, char to)
{
	struct journal_line *l = &w->lines[w->j.n++];

	*l = (struct journal_line){ .action = action,
		.seq = -1,
		.time = NOW - HOUR };
	if (w->live != 0)
		l->from = w->ids.v[w->live - 'A'];
	l->to = w->ids.v[to - 'A'];
	w->j.v = w->lines;
	w->live = to;
}

static void
go(struct world *w, const char *letters)
{
	for (; *letters != '\0'; letters++)
		flip(w, JOURNAL_ACTIVATE, *letters);
}

static void
back(struct world *w, char to)
{
	flip(w, JOURNAL_ROLLBACK, to);
}

/* The letters of those that go. */
static const char *
gone(struct world *w, unsigned int keep, int64_t older_than)
{
	static char out[32];
	const struct retention_rule rule = { keep, older_than, NOW };
	size_t n = 0;

	history_init(&w->h, &w->j,
	    w->live != 0 ? &w->ids.v[w->live - 'A'] : &release_id_none);
	/* Whatever was there before is overwritten. */
	memset(w->removed, 1, sizeof(w->removed));
	retention_select(&w->ids, w->pinned, w->bridges, &w->h, &rule,
	    w->removed);
	for (size_t i = 0; i < w->ids.n; i++)
		if (w->removed[i])
			out[n++] = (char)('A' + i);
	out[n] = '\0';
	history_release(&w->h);
	return out;
}

static void
test_nothing(void)
{
	struct world w = { .ids = RELEASE_IDS_INIT };

	CHECK_STR(gone(&w, 1, 0), "");
}

static void
test_keep(void)
{
	struct world w = { .ids = RELEASE_IDS_INIT };

	add_days(&w, 6);
	go(&w, "ABCDEF");
	CHECK_STR(gone(&w, 5, 0), "A");
	CHECK_STR(gone(&w, 6, 0), "");
	CHECK_STR(gone(&w, 4294967295, 0), "");
	CHECK_STR(gone(&w, 3, 0), "ABC");
	/* What was just replaced stays in any case. */
	CHECK_STR(gone(&w, 1, 0), "ABCD");
	CHECK_STR(gone(&w, 0, 0), "ABCD");
	release_ids_release(&w.ids);
}

/* What failed pushes nothing out, and goes with what never was live. */
static void
test_failed(void)
{
	struct world w = { .ids = STRVEC_INIT };

	add_days(&w, 8);
	go(&w, "ABCD");
	for (char c = 'E'; c < 'H'; c++) {
		go(&w, (char[]){ c, '\0' });
		flip(&w, JOURNAL_REVERT, 'D');
	}
	/* G was live just before, H is an hour old. */
	CHECK_STR(gone(&w, 4, 0), "EF");
	CHECK_STR(gone(&w, 2, 0), "ABEF");
	CHECK_STR(gone(&w, 2, 3 * DAY), "ABE");
	/* Made live again, it counts again. */
	go(&w, "F");
	CHECK_STR(gone(&w, 2, 0), "ABCEG");
	release_ids_release(&w.ids);
}

/* Nobody knows what was live: all may have been. */
static void
test_lost_journal(void)
{
	struct world w = { .ids = RELEASE_IDS_INIT };

	add_days(&w, 6);
	go(&w, "ABCDEF");
	w.j.n = 0;
	CHECK_STR(gone(&w, 5, 0), "A");
	/* F is an hour old, E more than a day. */
	CHECK_STR(gone(&w, 1, 0), "ABCDE");
	/* It was lost before E went live: D may have been live, or earlier. */
	flip(&w, JOURNAL_ACTIVATE, 'E');
	w.lines[0].time = NOW - 2 * DAY;
	w.lines[0].from = w.ids.v[3];
	CHECK_STR(gone(&w, 5, 0), "");
	CHECK_STR(gone(&w, 3, 0), "AB");
	/* Never live, and the journal is right to be empty. */
	w.j.n = 0;
	w.live = 0;
	CHECK_STR(gone(&w, 5, 0), "ABCDE");
	release_ids_release(&w.ids);
}

static void
test_keep_counts_only_what_was_live(void)
{
	struct world w = { .ids = RELEASE_IDS_INIT };

	/* B, D, F and G were never live; G is not a day old. */
	add_days(&w, 7);
	go(&w, "ACE");
	CHECK_STR(gone(&w, 3, 0), "BDF");
	CHECK_STR(gone(&w, 2, 0), "ABDF");
	release_ids_release(&w.ids);
}

static void
test_never_live_stay_for_a_day(void)
{
	struct world w = { .ids = RELEASE_IDS_INIT };

	add(&w, 2 * DAY);
	add(&w, DAY + 1);
	add(&w, DAY);
	add(&w, 0);
	add(&w, -365 * DAY); /* by a clock that is ahead */
	CHECK_STR(gone(&w, 1, 0), "AB");
	/* Also when they are fewer than `keep`. */
	CHECK_STR(gone(&w, 100, 0), "AB");
	w.pinned[0] = true;
	CHECK_STR(gone(&w, 1, 0), "B");
	release_ids_release(&w.ids);
}

static void
test_older_than(void)
{
	struct world w = { .ids = RELEASE_IDS_INIT };

	add(&w, 9 * DAY);
	add(&w, 5 * DAY + 1);
	add(&w, 5 * DAY);
	add(&w, 2 * DAY); /* never live */
	add(&w, 3 * HOUR);
	add(&w, 2 * HOUR);
	add(&w, HOUR);
	go(&w, "ABCEFG");
	CHECK_STR(gone(&w, 1, 0), "ABCDE");
	CHECK_STR(gone(&w, 1, 5 * DAY), "AB");
	CHECK_STR(gone(&w, 1, 2 * DAY), "ABC");
	CHECK_STR(gone(&w, 1, 2 * DAY - 1), "ABCD");
	/* It only keeps: it does not take what `keep` keeps. */
	CHECK_STR(gone(&w, 6, 1), "D");
	release_ids_release(&w.ids);
}

static void
test_pinned(void)
{
	struct world w = { .ids = RELEASE_IDS_INIT };

	add_days(&w, 6);
	go(&w, "ABCDEF");
	w.pinned[0] = true;
	CHECK_STR(gone(&w, 2, 0), "BCD");
	/* A pinned one counts as one of those that are kept. */
	w.pinned[4] = true;
	CHECK_STR(gone(&w, 2, 0), "BCD");
	release_ids_release(&w.ids);
}

/* C is live again, E was just replaced, B is what a rollback goes to. */
static void
test_after_rollback(void)
{
	struct world w = { .ids = RELEASE_IDS_INIT };

	add_days(&w, 5);
	go(&w, "ABCDE");
	back(&w, 'C');
	CHECK_STR(gone(&w, 1, 0), "AD");
	CHECK_STR(gone(&w, 0, 0), "AD");
	/* By age, as always: what was rolled back from was live, too. */
	CHECK_STR(gone(&w, 2, 0), "A");
	release_ids_release(&w.ids);
}

static void
test_after_rollback_to_an_old_one(void)
{
	struct world w = { .ids = RELEASE_IDS_INIT };

	add_days(&w, 6);
	go(&w, "ABCDEF");
	back(&w, 'A');
	CHECK_STR(gone(&w, 1, 0), "BCDE");
	CHECK_STR(gone(&w, 0, 0), "BCDE");
	release_ids_release(&w.ids);
}

static void
test_nothing_is_live(void)
{
	struct world w = { .ids = RELEASE_IDS_INIT };

	/* The link is gone; the last that is known to have been live stays. */
	add_days(&w, 4);
	go(&w, "ABC");
	go(&w, "D");
	w.live = 0;
	CHECK_STR(gone(&w, 1, 0), "AB");
	release_ids_release(&w.ids);
}

/* Of bridges the newest stays, for a day; and what is live is said by a pin. */
static void
test_bridges(void)
{
	struct world w = { .ids = RELEASE_IDS_INIT };

	add(&w, 3 * DAY);
	add(&w, 2 * DAY);
	add(&w, 3 * HOUR);
	add(&w, 2 * HOUR);
	add(&w, HOUR);
	go(&w, "ACE");
	w.bridges[1] = w.bridges[3] = true;
	CHECK_STR(gone(&w, 5, 0), "B");
	/* They do not count among those that stay, nor stay for their age. */
	CHECK_STR(gone(&w, 2, 0), "AB");
	CHECK_STR(gone(&w, 5, 9 * DAY), "B");
	w.pinned[1] = true;
	CHECK_STR(gone(&w, 5, 0), "");
	w.pinned[1] = w.bridges[3] = false;
	CHECK_STR(gone(&w, 5, 0), "B");
	release_ids_release(&w.ids);
}

UNIT_MAIN(UNIT(test_nothing), UNIT(test_keep), UNIT(test_failed),
    UNIT(test_bridges), UNIT(test_lost_journal),
    UNIT(test_keep_counts_only_what_was_live),
    UNIT(test_never_live_stay_for_a_day), UNIT(test_older_than),
    UNIT(test_pinned), UNIT(test_after_rollback),
    UNIT(test_after_rollback_to_an_old_one), UNIT(test_nothing_is_live))
