#include "base/override.h"

#include <stddef.h>
#include <string.h>

static const struct {
	enum override bit;
	const char *word;
} words[] = {
	{ OVERRIDE_BUILD, "build" },
	{ OVERRIDE_FREEZE, "freeze" },
	{ OVERRIDE_ORDER, "order" },
};

enum { N_WORDS = sizeof(words) / sizeof(words[0]) };

/* There is no such word here; say which there are. */
static int
unknown(const char *word, size_t len, unsigned int known, struct err *e)
{
	struct buf b = BUF_INIT;
	int r;

	override_print(known, &b);
	r = err_set(e, ERR_USAGE,
	    "--override does not take '%.*s' here, only %s", (int)len, word,
	    buf_str(&b));
	buf_release(&b);
	return r;
}

int
override_parse(const char *text, unsigned int known, unsigned int *out,
    struct err *e)
{
	for (;;) {
		size_t len = strcspn(text, ","), i = 0;

		while (i < N_WORDS &&
		    ((known & words[i].bit) == 0 ||
			strlen(words[i].word) != len ||
			memcmp(words[i].word, text, len) != 0))
			i++;
		if (i == N_WORDS)
			return unknown(text, len, known, e);
		*out |= words[i].bit;
		if (text[len] == '\0')
			return 0;
		text += len + 1;
	}
}

void
override_print(unsigned int set, struct buf *out)
{
	const char *separator = "";

	for (size_t i = 0; i < N_WORDS; i++) {
		if ((set & words[i].bit) == 0)
			continue;
		buf_addf(out, "%s%s", separator, words[i].word);
		separator = ",";
	}
}
