/*
 * Sets of rules and a text: an input is a byte, so many times 16 bytes of
 * sets, and the text.  What is read and written again is the same; what is
 * made of the text is never more than was allowed, and the same at any time.
 */
#include "content/rewrite.h"

#include <stdio.h>
#include <string.h>

#include "must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_again(const struct rule_sets *s)
{
	struct rule_sets back = RULE_SETS_INIT;
	struct buf one = BUF_INIT, two = BUF_INIT;
	struct err e = ERR_INIT;

	rule_sets_print(s, &one);
	MUST(rule_sets_parse(&back, one.data, one.len, &e) == 0);
	rule_sets_print(&back, &two);
	MUST(one.len == two.len && memcmp(one.data, two.data, one.len) == 0);
	rule_sets_release(&back);
	buf_release(&one);
	buf_release(&two);
}

static void
check_set(const struct rule_set *s, const char *text, size_t len)
{
	uint32_t hits[REWRITE_RULES_MAX] = { 0 };

	MUST(s->n <= REWRITE_RULES_MAX && s->bytes <= REWRITE_SET_MAX);
	for (int back = 0; back < 2; back++) {
		struct rewrite *w = rewrite_new(s, back);
		struct buf all = BUF_INIT, less = BUF_INIT;

		MUST(
		    rewrite_apply(w, text, len, REWRITE_FILE_MAX, &all, hits));
		MUST(rewrite_apply(w, text, len, all.len, &less, NULL));
		MUST(less.len == all.len);
		buf_reset(&less);
		MUST(all.len == 0 ||
		    !rewrite_apply(w, text, len, all.len - 1, &less, NULL));
		MUST(less.len < all.len || all.len == 0);
		buf_release(&all);
		buf_release(&less);
		rewrite_free(w);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rule_sets s = RULE_SETS_INIT;
	struct err e = ERR_INIT;
	const char *text = (const char *)data + 1;
	size_t len;

	if (size == 0)
		return 0;
	len =
	    (size_t)data[0] * 16 < size - 1 ? (size_t)data[0] * 16 : size - 1;
	if (rule_sets_parse(&s, text, len, &e) == 0) {
		check_again(&s);
		for (size_t i = 0; i < s.n; i++)
			check_set(&s.v[i], text + len, size - 1 - len);
	} else {
		MUST(e.code == ERR_INTEGRITY);
	}
	rule_sets_release(&s);
	return 0;
}
