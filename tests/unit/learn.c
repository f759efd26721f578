/* Rules from samples: applied to these, they lead there and back. */
#include "content/learn.h"

#include <stdlib.h>

#include "unit.h"

static bool
leads_to(const struct rule_set *s, bool backwards, const char *from,
    size_t from_len, const char *to, size_t to_len)
{
	struct rewrite *w = rewrite_new(s, backwards);
	struct buf b = BUF_INIT;
	bool same = rewrite_apply(w, from, from_len, to_len, &b, NULL) &&
	    b.len == to_len && memcmp(buf_str(&b), to, to_len) == 0;

	buf_release(&b);
	rewrite_free(w);
	return same;
}

/* Does one of the sets explain all samples, both ways?  Its rules, or 0. */
static size_t
explained(const struct sample *v, size_t n)
{
	struct learner *l = learner_new(v, n);
	size_t rules = 0;

	for (size_t least = 0; least < LEARN_WAYS; least++) {
		struct rule_set s = { .n = 0 };
		bool all = true;

		learner_rules(l, least, &s);
		for (size_t i = 0; i < n; i++)
			all = all &&
			    leads_to(&s, false, v[i].old, v[i].old_len,
				v[i].new, v[i].new_len) &&
			    leads_to(&s, true, v[i].new, v[i].new_len,
				v[i].old, v[i].old_len);
		if (all && rules == 0)
			rules = s.n;
		rule_set_release(&s);
	}
	learner_free(l);
	return rules;
}

static struct sample
sample(const char *old, const char *new)
{
	return (struct sample){ old, new, strlen(old), strlen(new) };
}

static void
test_what_sites_do(void)
{
	static const struct {
		const char *what;
		const char *old[2], *new[2];
		size_t rules; /* at most */
	} cases[] = {
		{ "a year",
		    { "<p>one</p><i>(c) 2025</i>",
			"<p>two</p><i>(c) 2025</i>" },
		    { "<p>one</p><i>(c) 2026</i>",
			"<p>two</p><i>(c) 2026</i>" },
		    1 },
		{ "a year that pages speak of, too",
		    { "<p>in 2025</p><i>(c) 2025</i>", "<i>(c) 2025</i> x" },
		    { "<p>in 2025</p><i>(c) 2026</i>", "<i>(c) 2026</i> x" },
		    1 },
		{ "an asset and a date near each other",
		    { "<a href=x.11aa.css><b>October 7, 2026.</b> one",
			"<a href=x.11aa.css><b>October 7, 2026.</b> two" },
		    { "<a href=x.99ff.css><b>May 12, 2027 (late).</b> one",
			"<a href=x.99ff.css><b>May 12, 2027 (late).</b> two" },
		    2 },
		{ "something new in a menu",
		    { "<ul><li>a</li><li>b</li></ul> one",
			"<ul><li>a</li><li>b</li></ul> two" },
		    { "<ul><li>a</li><li>new</li><li>b</li></ul> one",
			"<ul><li>a</li><li>new</li><li>b</li></ul> two" },
		    1 },
		{ "something gone",
		    { "one two <hr> </body>", "two <hr> </body>" },
		    { "one two </body>", "two </body>" }, 1 },
		{ "the same word for two",
		    { "version 1 and step 1", "step 1, version 1" },
		    { "version 2 and step 3", "step 3, version 2" }, 2 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct sample v[2] = {
			sample(cases[i].old[0], cases[i].new[0]),
			sample(cases[i].old[1], cases[i].new[1]),
		};
		size_t rules = explained(v, 2);

		if (!CHECK(rules > 0 && rules <= cases[i].rules))
			printf("# %s: %zu rules\n", cases[i].what, rules);
	}
}

/*
 * Two of four pages have a word of their own beside what all have: that is
 * learnt all the same, and explains the others.
 */
static void
test_a_word_beside_it(void)
{
	static const char *const olds[] = {
		"<p>1 2031 1300</p> page 10, version 1.2.3, (c) 2025</i>\n",
		"<p>2 2025 130</p> page 11, version 1.2.3, (c) 2025</i>\n",
		"<p>3 2026 12 3</p> page 12, version 1.2.3, (c) 2025</i>\n",
		"<p>4 2025 3 3</p> page 13, version 1.2.3, (c) 2025</i>\n",
	};
	static const char *const news[] = {
		"<p>1 2031 1300</p> page 10, version 1.3.0, (c) 2031</i>\n",
		"<p>2 2025 130</p> page 11, version 1.3.0, (c) 2031</i>\n",
		"<p>3 2026 12 3</p> page 12, version 1.3.0, (c) 2031</i>\n<!-- 9 2031 -->\n",
		"<p>4 2025 3 3</p> page 13, version 1.3.0, (c) 2031</i>\n<!-- 8 2031 -->\n",
	};
	static const char old[] = "page 99, version 1.2.3, (c) 2025</i>\n";
	static const char new[] = "page 99, version 1.3.0, (c) 2031</i>\n";
	struct rule_set s = { .n = 0 };
	struct learner *l;
	struct sample v[4];

	for (size_t i = 0; i < 4; i++)
		v[i] = sample(olds[i], news[i]);
	l = learner_new(v, 4);
	learner_rules(l, 0, &s);
	CHECK(leads_to(&s, false, old, strlen(old), new, strlen(new)));
	CHECK(leads_to(&s, true, new, strlen(new), old, strlen(old)));
	for (size_t i = 0; i < 2; i++)
		CHECK(leads_to(&s, true, v[i].new, v[i].new_len, v[i].old,
		    v[i].old_len));
	rule_set_release(&s);
	learner_free(l);
}

static void
test_nothing_to_learn(void)
{
	const struct sample same = sample("same", "same");
	const struct sample empty = sample("", "");
	struct learner *l = learner_new(&same, 1);
	struct rule_set s = { .n = 0 };

	learner_rules(l, 0, &s);
	CHECK(s.n == 0);
	learner_free(l);
	l = learner_new(&empty, 1);
	learner_rules(l, 2, &s);
	CHECK(s.n == 0);
	learner_free(l);
	learner_free(NULL);
}

/* Two texts that have nothing in common teach nothing, and take no time. */
static void
test_too_much(void)
{
	struct buf old = BUF_INIT, new = BUF_INIT;
	struct rule_set s = { .n = 0 };
	struct sample v;
	struct learner *l;

	for (int i = 0; i < 20000; i++) {
		buf_addf(&old, "%d ", i);
		buf_addf(&new, "x%d ", i);
	}
	v = (struct sample){ old.data, new.data, old.len, new.len };
	l = learner_new(&v, 1);
	learner_rules(l, 0, &s);
	CHECK(s.n == 0);
	learner_free(l);
	buf_release(&old);
	buf_release(&new);
}

static unsigned int seed = 1;

static unsigned int
any(unsigned int n)
{
	seed = seed * 1103515245 + 12345;
	return (seed >> 16) % n;
}

/* Whatever the texts are: no crash, and the bounds of a set hold. */
static void
test_random(void)
{
	for (int i = 0; i < 2000; i++) {
		struct sample v[2];
		char text[4][64];
		struct learner *l;

		for (int k = 0; k < 4; k++)
			for (size_t c = 0; c < sizeof(text[k]); c++)
				text[k][c] = "ab .1"[any(5)];
		for (int k = 0; k < 2; k++)
			v[k] = (struct sample){ text[k], text[k + 2], any(65),
				any(65) };
		l = learner_new(v, 2);
		for (size_t least = 0; least < LEARN_WAYS; least++) {
			struct rule_set s = { .n = 0 };

			learner_rules(l, least, &s);
			CHECK(s.n <= REWRITE_RULES_MAX &&
			    s.bytes <= REWRITE_SET_MAX);
			rule_set_release(&s);
		}
		learner_free(l);
	}
}

UNIT_MAIN(UNIT(test_what_sites_do), UNIT(test_a_word_beside_it),
    UNIT(test_nothing_to_learn), UNIT(test_too_much), UNIT(test_random))
