#include "root/history.h"

#include <ctype.h>
#include <stdlib.h>

#include "unit.h"

/* The id with that text. */
#define ID(s) (&(const struct release_id){ s })

/*
 * A journal in the making; ids are single letters here, "" is nothing.  The
 * small letter is another release with the content of the large one.
 */
struct past {
	struct journal_line lines[32];
	struct journal j;
	struct history h;
};

/* Line number n is at n seconds. */
static void
line(struct past *p, enum journal_action action, const char *from,
    const char *to, int64_t seq)
{
	struct journal_line *l = &p->lines[p->j.n++];

	*l = (struct journal_line){ .action = action, .seq = seq };
	l->time = (int64_t)p->j.n * 1000;
	strcpy(l->from.text, from);
	strcpy(l->to.text, to);
	l->digest[0] = (char)toupper((unsigned char)to[0]);
	if (action == JOURNAL_ROLLBACK)
		l->from_digest[0] = (char)toupper((unsigned char)from[0]);
	p->j.v = p->lines;
}

static void
go(struct past *p, const char *from, const char *to)
{
	line(p, JOURNAL_ACTIVATE, from, to, -1);
}

static void
back(struct past *p, const char *from, const char *to)
{
	line(p, JOURNAL_ROLLBACK, from, to, -1);
}

/* `from` failed: what was live before it is live again. */
static void
undo(struct past *p, const char *from, const char *to)
{
	line(p, JOURNAL_REVERT, from, to, -1);
}

/* Read it all anew. */
static void
look(struct past *p, const char *current)
{
	struct release_id id;

	strcpy(id.text, current);
	history_release(&p->h);
	history_init(&p->h, &p->j, &id);
}

/*
 * What a rollback goes to when the releases named by letters are there: the
 * first of the chain.
 */
static const char *
previous(const struct past *p, const char *letters)
{
	static struct release_id found;
	struct release_ids ids = RELEASE_IDS_INIT, chain = RELEASE_IDS_INIT;
	const struct release_id *id;

	for (; *letters != '\0'; letters++) {
		const struct release_id one = { { *letters } };

		release_ids_add(&ids, &one);
	}
	id = history_previous(&p->h, &ids);
	if (id != NULL)
		found = *id;
	history_chain(&p->h, &ids, &chain);
	CHECK(id == NULL ? chain.n == 0 : release_id_eq(id, &chain.v[0]));
	release_ids_release(&chain);
	release_ids_release(&ids);
	return id == NULL ? NULL : found.text;
}

/* The stack as letters. */
static const char *
stack(const struct past *p)
{
	static char out[64];

	out[0] = '\0';
	for (size_t i = 0; i < p->h.stack.n; i++)
		strcat(out, p->h.stack.v[i].text);
	return out;
}

static void
test_nothing(void)
{
	struct past p = { .j = JOURNAL_INIT };

	look(&p, "");
	CHECK_STR(previous(&p, "AB"), NULL);
	CHECK(!history_was_live(&p.h, ID("A")));
	CHECK(!history_was_live(&p.h, ID("")));
	CHECK(history_until(&p.h, ID("A")) == -1);
	CHECK(p.h.seq == -1);
	CHECK_STR(p.h.replaced.text, "");
	history_release(&p.h);
	history_release(&p.h);
}

static void
test_lost_journal(void)
{
	struct past p = { .j = JOURNAL_INIT };

	look(&p, "A");
	CHECK(history_was_live(&p.h, ID("A")));
	CHECK(history_until(&p.h, ID("A")) == INT64_MAX);
	CHECK(p.h.since == 0);
	CHECK(p.h.lost == INT64_MAX);
	CHECK_STR(previous(&p, "AB"), NULL);
	CHECK_STR(p.h.replaced.text, "");
	look(&p, "");
	CHECK(p.h.lost == 0);
	history_release(&p.h);
}

static void
test_activations(void)
{
	struct past p = { .j = JOURNAL_INIT };

	go(&p, "", "A");
	go(&p, "A", "B");
	go(&p, "B", "C");
	look(&p, "C");
	CHECK_STR(stack(&p), "ABC");
	CHECK_STR(previous(&p, "ABC"), "B");
	CHECK_STR(previous(&p, "AC"), "A");
	CHECK_STR(previous(&p, "C"), NULL);
	CHECK_STR(previous(&p, "AB"), "B");
	CHECK_STR(p.h.replaced.text, "B");
	CHECK(history_until(&p.h, ID("A")) == 2000);
	CHECK(history_until(&p.h, ID("B")) == 3000);
	CHECK(history_until(&p.h, ID("C")) == INT64_MAX);
	CHECK(history_until(&p.h, ID("D")) == -1);
	CHECK(p.h.since == 3000);
	for (size_t i = 0; i < p.j.n; i++)
		CHECK(p.h.happened[i]);
	history_release(&p.h);
}

static void
test_rollback(void)
{
	struct past p = { .j = JOURNAL_INIT };

	go(&p, "", "A");
	go(&p, "A", "B");
	back(&p, "B", "A");
	look(&p, "A");
	CHECK_STR(stack(&p), "A");
	CHECK_STR(previous(&p, "AB"), NULL);
	CHECK_STR(p.h.replaced.text, "B");
	CHECK(history_was_live(&p.h, ID("B")));
	CHECK(history_until(&p.h, ID("B")) == 3000);
	CHECK(history_until(&p.h, ID("A")) == INT64_MAX);
	history_release(&p.h);
}

static void
test_rollback_twice(void)
{
	struct past p = { .j = JOURNAL_INIT };

	go(&p, "", "A");
	go(&p, "A", "B");
	go(&p, "B", "C");
	back(&p, "C", "B");
	look(&p, "B");
	CHECK_STR(previous(&p, "ABC"), "A");
	back(&p, "B", "A");
	look(&p, "A");
	CHECK_STR(previous(&p, "ABC"), NULL);
	CHECK_STR(p.h.replaced.text, "B");
	history_release(&p.h);
}

/* A, B bad, C bad: C goes back to A. */
static void
test_skips_what_was_rolled_back_from(void)
{
	struct past p = { .j = JOURNAL_INIT };

	go(&p, "", "A");
	go(&p, "A", "B");
	back(&p, "B", "A");
	go(&p, "A", "C");
	look(&p, "C");
	CHECK_STR(previous(&p, "ABC"), "A");
	CHECK_STR(p.h.replaced.text, "A");
	CHECK_STR(previous(&p, "BC"), NULL);
	back(&p, "C", "A");
	go(&p, "A", "D");
	look(&p, "D");
	CHECK_STR(previous(&p, "ABCD"), "A");
	history_release(&p.h);
}

/* What was rolled back from and then made live again counts again. */
static void
test_second_chance(void)
{
	struct past p = { .j = JOURNAL_INIT };

	go(&p, "", "A");
	go(&p, "A", "B");
	back(&p, "B", "A");
	go(&p, "A", "B");
	go(&p, "B", "C");
	look(&p, "C");
	CHECK_STR(previous(&p, "ABC"), "B");
	history_release(&p.h);
}

static void
test_rollback_far(void)
{
	struct past p = { .j = JOURNAL_INIT };

	go(&p, "", "A");
	go(&p, "A", "B");
	go(&p, "B", "C");
	go(&p, "C", "D");
	back(&p, "D", "B");
	look(&p, "B");
	CHECK_STR(stack(&p), "AB");
	CHECK_STR(previous(&p, "ABCD"), "A");
	CHECK_STR(p.h.replaced.text, "D");
	history_release(&p.h);
}

/* `rollback ID` to what never was live, or was rolled back from. */
static void
test_rollback_anywhere(void)
{
	struct past p = { .j = JOURNAL_INIT };

	go(&p, "", "A");
	go(&p, "A", "B");
	back(&p, "B", "X");
	look(&p, "X");
	CHECK_STR(stack(&p), "AX");
	CHECK_STR(previous(&p, "ABX"), "A");
	CHECK(history_was_live(&p.h, ID("X")));
	CHECK_STR(p.h.replaced.text, "B");
	back(&p, "X", "B");
	look(&p, "B");
	CHECK_STR(previous(&p, "ABX"), "A");
	history_release(&p.h);
}

static void
test_rollback_first_of_all(void)
{
	struct past p = { .j = JOURNAL_INIT };

	back(&p, "", "A");
	look(&p, "A");
	CHECK_STR(stack(&p), "A");
	CHECK_STR(previous(&p, "AB"), NULL);
	history_release(&p.h);
}

static void
test_same_release_twice(void)
{
	struct past p = { .j = JOURNAL_INIT };

	go(&p, "", "A");
	go(&p, "A", "B");
	go(&p, "B", "A");
	look(&p, "A");
	CHECK_STR(stack(&p), "ABA");
	CHECK_STR(previous(&p, "AB"), "B");
	CHECK_STR(previous(&p, "A"), NULL);
	CHECK(history_until(&p.h, ID("A")) == INT64_MAX);
	CHECK(p.h.seen.n == 2);
	back(&p, "A", "B");
	look(&p, "B");
	CHECK_STR(stack(&p), "AB");
	/* It was found bad just now. */
	CHECK_STR(previous(&p, "AB"), NULL);
	CHECK(history_until(&p.h, ID("A")) == 4000);
	history_release(&p.h);
}

/* The middle one of A B A B was pruned: there is nothing else below B. */
static void
test_same_release_is_no_way_back(void)
{
	struct past p = { .j = JOURNAL_INIT };

	go(&p, "", "A");
	go(&p, "A", "B");
	go(&p, "B", "C");
	go(&p, "C", "B");
	look(&p, "B");
	CHECK_STR(previous(&p, "ABC"), "C");
	CHECK_STR(previous(&p, "AB"), "A");
	history_release(&p.h);
}

static void
test_line_without_its_flip(void)
{
	struct past p = { .j = JOURNAL_INIT };

	go(&p, "", "A");
	line(&p, JOURNAL_ACTIVATE, "A", "B", 7);
	look(&p, "A");
	CHECK(p.h.happened[0]);
	CHECK(!p.h.happened[1]);
	CHECK(!history_was_live(&p.h, ID("B")));
	CHECK(p.h.seq == -1);
	CHECK(p.h.since == 1000);
	CHECK_STR(previous(&p, "AB"), NULL);

	/* The next run does it. */
	line(&p, JOURNAL_ACTIVATE, "A", "B", 7);
	look(&p, "B");
	CHECK(!p.h.happened[1]);
	CHECK(p.h.happened[2]);
	CHECK_STR(stack(&p), "AB");
	CHECK(p.h.seq == 7);
	CHECK(p.h.since == 3000);
	history_release(&p.h);
}

/* Else a crash in a rollback would take releases off the stack. */
static void
test_rollback_without_its_flip(void)
{
	struct past p = { .j = JOURNAL_INIT };

	go(&p, "", "A");
	go(&p, "A", "B");
	go(&p, "B", "C");
	back(&p, "C", "A");
	look(&p, "C");
	CHECK_STR(stack(&p), "ABC");
	CHECK_STR(previous(&p, "ABC"), "B");
	CHECK(p.h.since == 3000);
	go(&p, "C", "D");
	look(&p, "D");
	CHECK_STR(previous(&p, "ABCD"), "C");
	CHECK(!p.h.happened[3]);
	history_release(&p.h);
}

static void
test_first_flip_never_was(void)
{
	struct past p = { .j = JOURNAL_INIT };

	go(&p, "", "A");
	look(&p, "");
	CHECK(!history_was_live(&p.h, ID("A")));
	go(&p, "", "B");
	look(&p, "B");
	CHECK(!history_was_live(&p.h, ID("A")));
	CHECK_STR(previous(&p, "AB"), NULL);
	history_release(&p.h);
}

static void
test_by_hand_at_the_end(void)
{
	struct past p = { .j = JOURNAL_INIT };

	go(&p, "", "A");
	go(&p, "A", "B");
	go(&p, "B", "C");
	look(&p, "X");
	/* C was announced, and B is not live: nobody knows better. */
	CHECK(p.h.happened[2]);
	CHECK(history_was_live(&p.h, ID("X")));
	CHECK(p.h.since == 0);
	CHECK_STR(previous(&p, "ABCX"), "C");
	history_release(&p.h);
}

/* The journal of ABCDEF as activated, without the lines of these letters. */
static const char *
damaged(const char *lost)
{
	static char out[64];
	struct past p = { .j = JOURNAL_INIT };
	char from[2] = "", to[2] = "A";

	for (; to[0] <= 'F'; from[0] = to[0], to[0]++)
		if (strchr(lost, to[0]) == NULL)
			go(&p, from, to);
	look(&p, "F");
	strcpy(out, stack(&p));
	history_release(&p.h);
	return out;
}

/*
 * A line that cannot be read says nothing against the one before it: that
 * one was followed by something else than what was live before it.
 */
static void
test_damaged_lines(void)
{
	CHECK_STR(damaged("F"), "ABCDEF");
	CHECK_STR(damaged("E"), "ABCDEF");
	CHECK_STR(damaged("A"), "ABCDEF");
	CHECK_STR(damaged("AF"), "ABCDEF");
	CHECK_STR(damaged("BDF"), "ABCDEF");
	/* Of two in a row the first is known by nobody. */
	CHECK_STR(damaged("EF"), "ABCDF");
	CHECK_STR(damaged("ABCDEF"), "F");
}

/* A rollback whose line is damaged: what was rolled back from is gone. */
static void
test_damaged_rollback(void)
{
	struct past p = { .j = JOURNAL_INIT };

	go(&p, "", "A");
	go(&p, "A", "B");
	go(&p, "B", "C");
	look(&p, "B");
	CHECK_STR(previous(&p, "ABC"), "A");
	history_release(&p.h);
}

static void
test_by_hand_in_the_middle(void)
{
	struct past p = { .j = JOURNAL_INIT };

	go(&p, "", "A");
	go(&p, "A", "B");
	go(&p, "B", "C");
	go(&p, "C", "D"); /* happened: the next line found it */
	go(&p, "X", "E"); /* it found X, which is not what was before D */
	look(&p, "E");
	CHECK(p.h.happened[2]);
	CHECK(p.h.happened[3]);
	CHECK_STR(stack(&p), "ABCDXE");
	CHECK_STR(previous(&p, "ABCDEX"), "X");
	CHECK_STR(p.h.replaced.text, "X");
	CHECK(history_until(&p.h, ID("X")) == 5000);
	history_release(&p.h);
}

/*
 * By hand back to an older one.  The last flip is not proved by anything
 * then, so that it does not count.
 */
static void
test_by_hand_back(void)
{
	struct past p = { .j = JOURNAL_INIT };

	go(&p, "", "A");
	go(&p, "A", "B");
	go(&p, "B", "C");
	look(&p, "A");
	CHECK_STR(stack(&p), "ABCA");
	CHECK_STR(previous(&p, "ABC"), "C");
	CHECK(history_until(&p.h, ID("A")) == INT64_MAX);
	history_release(&p.h);
}

/* No run of ours writes such a line. */
static void
test_line_from_a_release_to_itself(void)
{
	struct past p = { .j = JOURNAL_INIT };

	go(&p, "", "A");
	go(&p, "A", "B");
	go(&p, "B", "B");
	look(&p, "B");
	CHECK_STR(p.h.replaced.text, "A");
	CHECK_STR(previous(&p, "AB"), "A");
	CHECK(history_until(&p.h, ID("B")) == INT64_MAX);
	history_release(&p.h);
}

static void
test_sequence(void)
{
	struct past p = { .j = JOURNAL_INIT };

	line(&p, JOURNAL_ACTIVATE, "", "A", 9);
	look(&p, "A");
	CHECK(p.h.seq == 9);
	line(&p, JOURNAL_ACTIVATE, "A", "B", 10);
	look(&p, "B");
	CHECK(p.h.seq == 10);
	/* Going back does not make room for late builds. */
	line(&p, JOURNAL_ROLLBACK, "B", "A", 9);
	look(&p, "A");
	CHECK(p.h.seq == 10);
	/* --override=order begins anew. */
	line(&p, JOURNAL_ACTIVATE, "A", "C", 1);
	look(&p, "C");
	CHECK(p.h.seq == 1);
	line(&p, JOURNAL_ACTIVATE, "C", "D", 0);
	look(&p, "D");
	CHECK(p.h.seq == 0);
	/* A line without its flip says nothing. */
	line(&p, JOURNAL_ACTIVATE, "D", "E", 50);
	look(&p, "D");
	CHECK(p.h.seq == 0);
	history_release(&p.h);
}

/* A release without a number, put live by hand, hides no number. */
static void
test_sequence_outlives_a_release_without(void)
{
	struct past p = { .j = JOURNAL_INIT };

	line(&p, JOURNAL_ACTIVATE, "", "A", 10);
	line(&p, JOURNAL_ACTIVATE, "A", "B", -1);
	look(&p, "B");
	CHECK(p.h.seq == 10);
	look(&p, "X");
	CHECK(p.h.seq == 10);
	history_release(&p.h);
}

/* What was live since the last number may have got a higher one. */
static void
test_recent_for_the_sequence(void)
{
	struct past p = { .j = JOURNAL_INIT };

	line(&p, JOURNAL_ACTIVATE, "", "A", 9);
	line(&p, JOURNAL_ACTIVATE, "A", "B", 10);
	line(&p, JOURNAL_ACTIVATE, "B", "C", -1);
	look(&p, "C");
	CHECK(!history_is_recent(&p.h, 0));
	CHECK(history_is_recent(&p.h, 1));
	CHECK(history_is_recent(&p.h, 2));
	line(&p, JOURNAL_ROLLBACK, "C", "A", 9);
	look(&p, "A");
	CHECK(history_is_recent(&p.h, 0));
	line(&p, JOURNAL_ACTIVATE, "A", "D", 1);
	look(&p, "D");
	CHECK(!history_is_recent(&p.h, 0));
	CHECK(!history_is_recent(&p.h, 1));
	CHECK(!history_is_recent(&p.h, 2));
	CHECK(history_is_recent(&p.h, 3));
	history_release(&p.h);
}

static void
test_failed(void)
{
	struct past p = { .j = JOURNAL_INIT };

	go(&p, "", "A");
	go(&p, "A", "B");
	go(&p, "B", "C");
	undo(&p, "C", "B");
	look(&p, "B");
	CHECK_STR(stack(&p), "AB");
	CHECK(!history_was_live(&p.h, ID("C")));
	CHECK(history_has_failed(&p.h, ID("C")));
	CHECK(!history_has_failed(&p.h, ID("B")));
	CHECK(!history_has_failed(&p.h, ID("D")));
	/* Visitors have it open, and their assets may be carried. */
	CHECK_STR(p.h.replaced.text, "C");
	CHECK(history_until(&p.h, ID("C")) == 4000);
	CHECK(p.h.since == 4000);
	CHECK(p.h.happened[2] && p.h.undone[2]);
	CHECK(p.h.happened[3] && p.h.undone[3]);
	CHECK(!p.h.undone[1]);
	go(&p, "B", "D");
	look(&p, "D");
	CHECK_STR(previous(&p, "ABCD"), "B");
	history_release(&p.h);
}

/* Made live again, it was live. */
static void
test_failed_and_made_live_again(void)
{
	struct past p = { .j = JOURNAL_INIT };

	go(&p, "", "A");
	go(&p, "A", "B");
	undo(&p, "B", "A");
	go(&p, "A", "B");
	look(&p, "B");
	CHECK(history_was_live(&p.h, ID("B")));
	CHECK(!history_has_failed(&p.h, ID("B")));
	CHECK(!p.h.undone[3]);
	go(&p, "B", "C");
	look(&p, "C");
	CHECK_STR(previous(&p, "ABC"), "B");
	/* And by hand. */
	undo(&p, "C", "B");
	look(&p, "C");
	CHECK(!p.h.undone[4]);
	CHECK(!history_has_failed(&p.h, ID("C")));
	history_release(&p.h);
}

/* What was live once and failed later is not gone back to. */
static void
test_failed_the_second_time(void)
{
	struct past p = { .j = JOURNAL_INIT };

	go(&p, "", "A");
	go(&p, "A", "B");
	go(&p, "B", "C");
	go(&p, "C", "B");
	undo(&p, "B", "C");
	look(&p, "C");
	CHECK_STR(stack(&p), "ABC");
	CHECK(history_has_failed(&p.h, ID("B")));
	CHECK_STR(previous(&p, "ABC"), "A");
	history_release(&p.h);
}

/* A rollback that another host's failure undid: all is as it was. */
static void
test_undone_rollback(void)
{
	struct past p = { .j = JOURNAL_INIT };

	go(&p, "", "A");
	go(&p, "A", "B");
	go(&p, "B", "C");
	back(&p, "C", "A");
	undo(&p, "A", "C");
	look(&p, "C");
	CHECK_STR(stack(&p), "ABC");
	CHECK_STR(previous(&p, "ABC"), "B");
	CHECK(!history_has_failed(&p.h, ID("A")));
	CHECK(history_was_live(&p.h, ID("A")));
	/* To what never was live: it still was not. */
	back(&p, "C", "X");
	undo(&p, "X", "C");
	look(&p, "C");
	CHECK_STR(stack(&p), "ABC");
	CHECK(!history_was_live(&p.h, ID("X")));
	CHECK(history_has_failed(&p.h, ID("X")));
	history_release(&p.h);
}

/* Announced, and then the machine died: it is live still. */
static void
test_revert_without_its_flip(void)
{
	struct past p = { .j = JOURNAL_INIT };

	go(&p, "", "A");
	go(&p, "A", "B");
	undo(&p, "B", "A");
	look(&p, "B");
	CHECK_STR(stack(&p), "AB");
	CHECK(!history_has_failed(&p.h, ID("B")));
	CHECK(!p.h.undone[1]);
	/* The next run does it. */
	undo(&p, "B", "A");
	look(&p, "A");
	CHECK_STR(stack(&p), "A");
	CHECK(history_has_failed(&p.h, ID("B")));
	CHECK(p.h.undone[1] && !p.h.undone[2] && p.h.undone[3]);
	history_release(&p.h);
}

/* No run of ours writes these: they undo nothing, and break nothing. */
static void
test_revert_of_nothing(void)
{
	struct past p = { .j = JOURNAL_INIT };

	undo(&p, "", "A");
	look(&p, "A");
	CHECK_STR(stack(&p), "A");
	go(&p, "A", "B");
	go(&p, "B", "C");
	undo(&p, "C", "A"); /* not what was live before it */
	look(&p, "A");
	CHECK_STR(stack(&p), "A");
	CHECK(!history_has_failed(&p.h, ID("C")));
	undo(&p, "A", "C"); /* of a revert */
	look(&p, "C");
	CHECK_STR(stack(&p), "C");
	go(&p, "C", "C");
	undo(&p, "C", "C");
	look(&p, "C");
	CHECK(history_was_live(&p.h, ID("C")));
	history_release(&p.h);
}

/* Which content was left: the letters of those rollbacks' `from`. */
static const char *
left(const struct past *p)
{
	static char out[32];
	size_t n = 0;

	for (char c = 'A'; c <= 'D'; c++) {
		char digest[2] = { c, '\0' };

		/* As a new build, and as the release. */
		const struct journal_line *l =
		    history_left(&p->h, &release_id_none, digest);

		CHECK(history_left(&p->h, ID({ c }), digest) == l);
		if (l != NULL)
			out[n++] = l->from.text[0];
	}
	out[n] = '\0';
	return out;
}

static void
test_content_that_was_left(void)
{
	static const struct {
		const char *lines; /* FROM ACTION TO, "-" for nothing */
		const char *current;
		const char *left;
		const char *previous;
	} tests[] = {
		{ "->A", "A", "", NULL },
		{ "->A A>B", "B", "", "A" },
		{ "->A A>B B<A", "A", "B", NULL },
		/* Further back: both. */
		{ "->A A>B B>C C<B B<A", "A", "BC", NULL },
		/* Over B, which nobody went away from. */
		{ "->A A>B B>C C<A", "A", "C", NULL },
		{ "->A A>B B<A A>C", "C", "B", "A" },
		/* Live again: on purpose, from another build, by a rollback. */
		{ "->A A>B B<A A>B", "B", "", "A" },
		{ "->A A>B B<A A>b", "b", "", "A" },
		{ "->A A>B B<A A<B", "B", "A", NULL },
		/* And once more. */
		{ "->A A>B B<A A>b b<A", "A", "b", NULL },
		/* Announced only. */
		{ "->A A>B B<A", "B", "", "A" },
		{ "->A A>B B<A A>b", "A", "B", NULL },
		/* Undone: as if it had never been. */
		{ "->A A>B B<A A~B", "B", "", "A" },
		{ "->A A>B B<A A>b b~A", "A", "B", NULL },
		{ "->A A>B B~A", "A", "", NULL },
		/* To the same content. */
		{ "->A A>B B>b b<B", "B", "", "A" },
		/* Older releases with that content are no way back. */
		{ "->A A>B B>C C>b b<C", "C", "b", "A" },
		{ "->A A>B B>C C>D D<C C<B", "B", "CD", "A" },
	};

	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
		struct past p = { .j = JOURNAL_INIT };
		const char *s = tests[i].lines;

		for (; *s != '\0'; s += s[3] == ' ' ? 4 : 3) {
			const char from[2] = { s[0] == '-' ? '\0' : s[0] };
			const char to[2] = { s[2] };

			line(&p,
			    s[1] == '>'	    ? JOURNAL_ACTIVATE :
				s[1] == '<' ? JOURNAL_ROLLBACK :
					      JOURNAL_REVERT,
			    from, to, -1);
		}
		look(&p, tests[i].current);
		if (strcmp(left(&p), tests[i].left) != 0)
			printf("# %s\n", tests[i].lines);
		CHECK_STR(left(&p), tests[i].left);
		CHECK_STR(previous(&p, "ABCDb"), tests[i].previous);
		history_release(&p.h);
	}
}

/* A journal that knows no digests knows releases. */
static void
test_left_without_digests(void)
{
	struct past p = { .j = JOURNAL_INIT };

	go(&p, "", "A");
	go(&p, "A", "B");
	back(&p, "B", "A");
	for (size_t i = 0; i < p.j.n; i++)
		p.lines[i].digest[0] = p.lines[i].from_digest[0] = '\0';
	look(&p, "A");
	CHECK(history_left(&p.h, ID("B"), "B") != NULL);
	CHECK(history_left(&p.h, ID("B"), "") != NULL);
	CHECK(history_left(&p.h, &release_id_none, "B") == NULL);
	CHECK(history_left(&p.h, &release_id_none, "") == NULL);
	CHECK(history_left(&p.h, ID("C"), "") == NULL);
	/* From nothing, as no run of ours does. */
	back(&p, "", "C");
	look(&p, "C");
	CHECK(history_left(&p.h, &release_id_none, "") == NULL);
	history_release(&p.h);
}

/* The number of what failed does not keep the next build out. */
static void
test_sequence_of_what_failed(void)
{
	struct past p = { .j = JOURNAL_INIT };

	line(&p, JOURNAL_ACTIVATE, "", "A", 9);
	line(&p, JOURNAL_ACTIVATE, "A", "B", 11);
	undo(&p, "B", "A");
	look(&p, "A");
	CHECK(p.h.seq == 9);
	CHECK(history_is_recent(&p.h, 0));
	CHECK(!history_is_recent(&p.h, 1));
	history_release(&p.h);
}

/* What other hosts know is the past from then on. */
static void
test_sync(void)
{
	struct past p = { .j = JOURNAL_INIT };
	struct release_id past[] = { { "A" }, { "B" } };
	struct release_ids ids = { past, 2, 2 }, chain = RELEASE_IDS_INIT;

	line(&p, JOURNAL_SYNC, "", "C", 4);
	p.lines[0].before = ids;
	look(&p, "C");
	CHECK_STR(stack(&p), "ABC");
	CHECK_STR(previous(&p, "ABC"), "B");
	CHECK_STR(previous(&p, "AC"), "A");
	CHECK(history_was_live(&p.h, ID("A")));
	CHECK(p.h.seq == 4 && p.h.lost == 0);
	CHECK(history_until(&p.h, ID("A")) == 1000);
	back(&p, "C", "B");
	look(&p, "B");
	CHECK_STR(stack(&p), "AB");
	history_chain(&p.h, &ids, &chain);
	CHECK(chain.n == 1 && release_id_eq(&chain.v[0], ID("A")));
	release_ids_release(&chain);
	/* Live already: the past alone. */
	go(&p, "B", "D");
	line(&p, JOURNAL_SYNC, "D", "D", -1);
	p.lines[3].before = ids;
	look(&p, "D");
	CHECK_STR(stack(&p), "ABD");
	CHECK(p.h.since == 3000 && history_until(&p.h, ID("D")) == INT64_MAX);
	history_chain(&p.h, &ids, &chain);
	CHECK(chain.n == 2 && release_id_eq(&chain.v[0], ID("B")) &&
	    release_id_eq(&chain.v[1], ID("A")));
	release_ids_release(&chain);
	/* One that failed here was live there. */
	go(&p, "D", "E");
	undo(&p, "E", "D");
	past[1] = (struct release_id){ "E" };
	line(&p, JOURNAL_SYNC, "D", "D", -1);
	p.lines[6].before = ids;
	look(&p, "D");
	CHECK(history_was_live(&p.h, ID("E")));
	history_release(&p.h);
}

/* What was left elsewhere is, from the sync on, until it is live again. */
static void
test_sync_of_what_is_left_there(void)
{
	static struct journal_line there[2];
	struct past p = { .j = JOURNAL_INIT }, q = { .j = JOURNAL_INIT };
	struct journal_line *all;

	go(&p, "", "A");
	go(&p, "A", "B");
	back(&p, "B", "A");
	go(&p, "A", "C");
	back(&p, "C", "A");
	look(&p, "A");
	CHECK(history_all_left(&p.h, &all) == 2);
	CHECK_STR(all[0].from.text, "C");
	CHECK_STR(all[1].from.text, "B");
	there[0] = all[0];
	there[1] = all[1];
	free(all);
	line(&q, JOURNAL_SYNC, "", "A", -1);
	q.lines[0].left = there;
	q.lines[0].n_left = 2;
	look(&q, "A");
	CHECK(history_left(&q.h, ID("B"), "B") == &there[1]);
	CHECK(history_left(&q.h, &release_id_none, "C") == &there[0]);
	CHECK(history_left(&q.h, &release_id_none, "A") == NULL);
	/* What came to it so goes on to others. */
	CHECK(history_all_left(&q.h, &all) == 2);
	free(all);
	go(&q, "A", "b");
	look(&q, "b");
	CHECK(history_left(&q.h, ID("B"), "B") == NULL);
	CHECK(history_all_left(&q.h, &all) == 1);
	CHECK_STR(all[0].from.text, "C");
	free(all);
	/* A sync that did not happen says nothing. */
	line(&q, JOURNAL_SYNC, "b", "D", -1);
	q.lines[2].left = there;
	q.lines[2].n_left = 2;
	look(&q, "b");
	CHECK(history_left(&q.h, ID("B"), "B") == NULL);
	history_release(&p.h);
	history_release(&q.h);
}

/* As much as fits into a request. */
static void
test_not_all_that_is_left(void)
{
	static char why[9000];
	struct past p = { .j = JOURNAL_INIT };
	struct journal_line *all;
	size_t n;

	memset(why, 'x', sizeof(why) - 1);
	go(&p, "", "A");
	for (const char *c = "BCDEFG"; *c != '\0'; c++) {
		const char id[] = { *c, '\0' };

		go(&p, "A", id);
		back(&p, id, "A");
		p.lines[p.j.n - 1].message = why;
	}
	look(&p, "A");
	n = history_all_left(&p.h, &all);
	CHECK(n == 2);
	CHECK_STR(all[0].from.text, "G");
	free(all);
	history_release(&p.h);
}

/* There rollbacks go to what was left here: here, too. */
static void
test_sync_of_what_was_left(void)
{
	struct past p = { .j = JOURNAL_INIT };
	struct release_id past[] = { { "A" }, { "B" } };

	go(&p, "", "A");
	go(&p, "A", "B");
	back(&p, "B", "A");
	go(&p, "A", "C");
	line(&p, JOURNAL_SYNC, "C", "C", -1);
	p.lines[4].before = (struct release_ids){ past, 1, 1 };
	look(&p, "C");
	CHECK(history_left(&p.h, ID("B"), "B") != NULL);
	p.lines[4].before = (struct release_ids){ past, 2, 2 };
	look(&p, "C");
	CHECK(history_left(&p.h, ID("B"), "B") == NULL);
	CHECK(history_left(&p.h, &release_id_none, "B") != NULL);
	CHECK_STR(previous(&p, "ABC"), "B");
	history_release(&p.h);
}

/*
 * A bridge is no flip: whatever comes before and after its line means what it
 * would mean without it.  What is live is what it stands for.
 */
static void
test_bridge(void)
{
	struct past p = { .j = JOURNAL_INIT };

	go(&p, "", "A");
	go(&p, "A", "B");
	line(&p, JOURNAL_BRIDGE, "B", "X", -1);
	look(&p, "B");
	CHECK_STR(stack(&p), "AB");
	CHECK_STR(previous(&p, "ABX"), "A");
	CHECK(history_until(&p.h, ID("B")) == INT64_MAX);
	CHECK(history_until(&p.h, ID("X")) == -1);
	CHECK(p.h.since == 2000);
	/* Another on it, and the release that they lead to. */
	line(&p, JOURNAL_BRIDGE, "B", "Y", -1);
	go(&p, "B", "C");
	look(&p, "C");
	CHECK_STR(stack(&p), "ABC");
	CHECK_STR(p.h.replaced.text, "B");
	CHECK(p.h.happened[1] && !p.h.happened[2] && p.h.happened[4]);
	/* Undone, with the bridge between the flip and what it undoes. */
	undo(&p, "C", "B");
	look(&p, "B");
	CHECK_STR(stack(&p), "AB");
	CHECK(history_has_failed(&p.h, ID("C")));
	/* Rolled back from while the bridge stood for it. */
	line(&p, JOURNAL_BRIDGE, "B", "Z", -1);
	back(&p, "B", "A");
	look(&p, "A");
	CHECK_STR(stack(&p), "A");
	CHECK(history_left(&p.h, ID("B"), "B") != NULL);
	history_release(&p.h);
}

/* One that does not come about, and one before anything else. */
static void
test_bridge_alone(void)
{
	struct past p = { .j = JOURNAL_INIT };

	line(&p, JOURNAL_BRIDGE, "A", "X", -1);
	look(&p, "A");
	CHECK_STR(stack(&p), "A");
	CHECK(!history_was_live(&p.h, ID("X")));
	go(&p, "A", "B");
	look(&p, "B");
	CHECK_STR(stack(&p), "AB");
	history_release(&p.h);
}

UNIT_MAIN(UNIT(test_nothing), UNIT(test_sync), UNIT(test_bridge),
    UNIT(test_bridge_alone), UNIT(test_sync_of_what_is_left_there),
    UNIT(test_not_all_that_is_left), UNIT(test_sync_of_what_was_left),
    UNIT(test_recent_for_the_sequence), UNIT(test_failed),
    UNIT(test_failed_and_made_live_again), UNIT(test_failed_the_second_time),
    UNIT(test_undone_rollback), UNIT(test_revert_without_its_flip),
    UNIT(test_revert_of_nothing), UNIT(test_content_that_was_left),
    UNIT(test_left_without_digests), UNIT(test_sequence_of_what_failed),
    UNIT(test_lost_journal), UNIT(test_activations), UNIT(test_rollback),
    UNIT(test_rollback_twice), UNIT(test_skips_what_was_rolled_back_from),
    UNIT(test_second_chance), UNIT(test_rollback_far),
    UNIT(test_rollback_anywhere), UNIT(test_rollback_first_of_all),
    UNIT(test_same_release_twice), UNIT(test_same_release_is_no_way_back),
    UNIT(test_line_without_its_flip), UNIT(test_rollback_without_its_flip),
    UNIT(test_first_flip_never_was), UNIT(test_by_hand_at_the_end),
    UNIT(test_by_hand_in_the_middle), UNIT(test_damaged_lines),
    UNIT(test_damaged_rollback), UNIT(test_by_hand_back),
    UNIT(test_line_from_a_release_to_itself), UNIT(test_sequence),
    UNIT(test_sequence_outlives_a_release_without))
