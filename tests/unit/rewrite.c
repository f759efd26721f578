/* Rules: what a set makes of a text, against a slow and simple way. */
#include "content/rewrite.h"

#include <stdlib.h>

#include "unit.h"

enum { ROUNDS = 20000 };

static unsigned int seed = 1;

static unsigned int
any(unsigned int n)
{
	seed = seed * 1103515245 + 12345;
	return (seed >> 16) % n;
}

static bool
add(struct rule_set *s, const char *old, const char *new)
{
	return rule_set_add(s, old, strlen(old), new, strlen(new));
}

/* Pairs, up to NULL. */
static void
check(const char *const *rules, const char *text, const char *want)
{
	struct rule_set s = { .n = 0 };
	struct buf b = BUF_INIT;
	struct rewrite *w;

	for (; *rules != NULL; rules += 2)
		CHECK(add(&s, rules[0], rules[1]));
	w = rewrite_new(&s, false);
	CHECK(rewrite_apply(w, text, strlen(text), 100, &b, NULL));
	CHECK_STR(buf_str(&b), want);
	buf_reset(&b);
	CHECK(rewrite_apply(w, text, strlen(text), strlen(want), &b, NULL));
	buf_reset(&b);
	CHECK(*want == '\0' ||
	    !rewrite_apply(w, text, strlen(text), strlen(want) - 1, &b, NULL));
	rewrite_free(w);
	rule_set_release(&s);
	buf_release(&b);
}

#define RULES(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void
test_meaning(void)
{
	check(RULES("a", "b"), "", "");
	check(RULES("a", "b"), "banana", "bbnbnb");
	check(RULES("aa", "b"), "aaaaa", "bba");
	/* What ends first. */
	check(RULES("abcd", "1", "bc", "2"), "abcd", "a2d");
	/* Of what ends there, the longest. */
	check(RULES("abc", "1", "bc", "2", "c", "3"), "abc bc c", "1 2 3");
	/* Anew behind it. */
	check(RULES("ab", "1", "bc", "2"), "abc", "1c");
	/* What a rule makes is no place for another. */
	check(RULES("a", "bb", "b", "c"), "ab", "bbc");
	check(RULES("2026", "2027", "1.2.3", "1.3.0"), "v1.2.3 (2026)",
	    "v1.3.0 (2027)");
}

/* The same, as the header says it. */
static void
slowly(const struct rule_set *s, const char *text, size_t len, struct buf *out)
{
	size_t done = 0;

	for (size_t end = 1; end <= len; end++) {
		const struct rule *best = NULL;

		for (size_t i = 0; i < s->n; i++) {
			const struct rule *r = &s->v[i];

			if (r->old.len <= end - done &&
			    memcmp(text + end - r->old.len, r->old.data,
				r->old.len) == 0 &&
			    (best == NULL || r->old.len > best->old.len))
				best = r;
		}
		if (best == NULL)
			continue;
		buf_add(out, text + done, end - best->old.len - done);
		buf_add(out, best->new.data, best->new.len);
		done = end;
	}
	buf_add(out, text + done, len - done);
}

static void
fill(char *s, size_t len, unsigned int letters)
{
	for (size_t i = 0; i < len; i++)
		s[i] = (char)('a' + any(letters));
}

static void
test_random(void)
{
	for (int i = 0; i < ROUNDS && !unit_failed; i++) {
		struct buf fast = BUF_INIT, slow = BUF_INIT;
		struct rule_set s = { .n = 0 };
		char text[400], old[80], new[8];
		/* Few letters: many begins of sides, and ends. */
		const unsigned int letters = 2 + any(4), least = 1 + any(72);
		size_t len = any(i % 2 == 0 ? 40 : sizeof(text));
		uint32_t hits[REWRITE_RULES_MAX] = { 0 }, sum = 0;
		struct rewrite *w;

		fill(text, len, letters);
		for (unsigned int k = any(6); k > 0; k--) {
			size_t n = (i % 4 < 2 ? 1 : least) + any(6);

			fill(old, sizeof(old), letters);
			/* What is in the text, mostly. */
			if (n <= len && any(4) > 0)
				memcpy(old,
				    text + any((unsigned int)(len - n + 1)),
				    n);
			fill(new, sizeof(new), letters);
			(void)rule_set_add(&s, old, n, new, 1 + any(6));
		}
		w = rewrite_new(&s, false);
		CHECK(rewrite_apply(w, text, len, 10000, &fast, hits));
		slowly(&s, text, len, &slow);
		CHECK_STR(buf_str(&fast), buf_str(&slow));
		for (size_t k = 0; k < REWRITE_RULES_MAX; k++)
			sum += hits[k];
		CHECK(sum <= len);
		rewrite_free(w);
		rule_set_release(&s);
		buf_release(&fast);
		buf_release(&slow);
	}
}

static void
test_backwards(void)
{
	static const char text[] = "v2 of 2027, v2";
	struct rule_set s = { .n = 0 };
	struct buf b = BUF_INIT;
	struct rewrite *w;

	CHECK(add(&s, "v1", "v2") && add(&s, "2026", "2027"));
	w = rewrite_new(&s, true);
	CHECK(rewrite_apply(w, text, strlen(text), 100, &b, NULL));
	CHECK_STR(buf_str(&b), "v1 of 2026, v1");
	rewrite_free(w);
	rule_set_release(&s);
	buf_release(&b);
}

static void
test_bounds_of_a_set(void)
{
	static char big[REWRITE_SIDE_MAX + 1];
	struct rule_set s = { .n = 0 };
	char name[16];

	memset(big, 'x', sizeof(big));
	CHECK(!add(&s, "", "a") && !add(&s, "a", ""));
	CHECK(add(&s, "a", "b") && !add(&s, "a", "c") && !add(&s, "c", "b"));
	CHECK(!rule_set_add(&s, big, sizeof(big), "1", 1));
	CHECK(!rule_set_add(&s, "1", 1, big, sizeof(big)));
	for (int i = 0; i < 3; i++) {
		big[0] = (char)('0' + i);
		CHECK(rule_set_add(&s, big, sizeof(big) - 1, name,
		    (size_t)snprintf(name, sizeof(name), "%d", i)));
	}
	/* Three sides of 4096 are there. */
	big[0] = 'q';
	CHECK(!rule_set_add(&s, big, sizeof(big) - 1, "q", 1));
	for (int i = 100; s.n < REWRITE_RULES_MAX; i++) {
		snprintf(name, sizeof(name), "%d", i);
		CHECK(add(&s, name, name));
	}
	CHECK(!add(&s, "one", "more"));
	rule_set_release(&s);
	CHECK(s.n == 0 && s.bytes == 0);
}

/* The worst that a set may be: every byte is a step, and no more. */
static void
test_the_largest_machine(void)
{
	struct rule_set s = { .n = 0 };
	struct buf b = BUF_INIT, text = BUF_INIT;
	struct rewrite *w;
	static char side[REWRITE_SIDE_MAX];

	memset(side, 'a', sizeof(side));
	for (char c = 'b'; c < 'e'; c++) {
		side[sizeof(side) - 1] = c;
		CHECK(rule_set_add(&s, side, sizeof(side), &c, 1));
	}
	for (size_t i = 0; i < 1000000; i++)
		buf_addc(&text, 'a');
	buf_adds(&text, "b");
	w = rewrite_new(&s, false);
	CHECK(rewrite_apply(w, text.data, text.len, text.len, &b, NULL));
	CHECK(b.len == text.len - sizeof(side) + 1);
	CHECK(b.data[b.len - 1] == 'b');
	rewrite_free(w);
	rule_set_release(&s);
	buf_release(&b);
	buf_release(&text);
}

static void
test_text(void)
{
	struct rule_sets s = RULE_SETS_INIT, back = RULE_SETS_INIT;
	struct buf one = BUF_INIT, two = BUF_INIT;
	struct err e = ERR_INIT;

	CHECK(add(rule_sets_add(&s), "old", "new") &&
	    add(&s.v[0], "x\1", "\xff"));
	CHECK(add(rule_sets_add(&s), "a", "b"));
	rule_sets_print(&s, &one);
	CHECK(rule_sets_parse(&back, one.data, one.len, &e) == 0);
	CHECK(back.n == 2 && back.v[0].n == 2 && back.v[1].n == 1);
	CHECK(rule_sets_bytes(&back) == 11);
	rule_sets_print(&back, &two);
	CHECK(one.len == two.len && memcmp(one.data, two.data, one.len) == 0);
	for (size_t i = 0; i < one.len; i++) {
		rule_sets_release(&back);
		CHECK(rule_sets_parse(&back, one.data, i, &e) != 0);
		CHECK(e.code == ERR_INTEGRITY);
	}
	rule_sets_release(&back);
	buf_addc(&one, '\0');
	CHECK(rule_sets_parse(&back, one.data, one.len, &e) != 0);
	rule_sets_release(&s);
	rule_sets_release(&back);
	buf_release(&one);
	buf_release(&two);
	while (rule_sets_add(&s) != NULL)
		;
	CHECK(s.n == REWRITE_SETS_MAX);
	rule_sets_release(&s);
}

UNIT_MAIN(UNIT(test_meaning), UNIT(test_random), UNIT(test_backwards),
    UNIT(test_bounds_of_a_set), UNIT(test_the_largest_machine),
    UNIT(test_text))
