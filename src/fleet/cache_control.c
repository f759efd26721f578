#include "fleet/cache_control.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "base/number.h"

/* A directive inside a field. */
struct word {
	const char *text;
	size_t len;
};

/* The next directive from *at on, which it moves; text NULL: none is left. */
static struct word
next_word(const char **at)
{
	struct word w = { NULL, 0 };

	*at += strspn(*at, ", \t");
	if (**at == '\0')
		return w;
	w.text = *at;
	w.len = strcspn(*at, ",");
	*at += w.len;
	while (strchr(" \t", w.text[w.len - 1]) != NULL)
		w.len--;
	return w;
}

static bool
has_word(const char *field, const struct word *wanted)
{
	struct word w;

	while ((w = next_word(&field)).text != NULL)
		if (w.len == wanted->len &&
		    strncasecmp(w.text, wanted->text, w.len) == 0)
			return true;
	return false;
}

bool
cache_control_has(const char *field, const char *wanted)
{
	struct word w;

	while ((w = next_word(&wanted)).text != NULL)
		if (!has_word(field, &w))
			return false;
	return true;
}

/* The seconds of a directive of that name; 0 when it is another. */
static int64_t
seconds_of(const struct word *w, const char *name)
{
	size_t len = strlen(name);
	int64_t n = 0;

	if (w->len <= len || strncasecmp(w->text, name, len) != 0)
		return 0;
	/* A number that is none is as good as for ever. */
	return number_digits(w->text + len, w->len - len, 10, INT64_MAX, &n) ?
	    n :
	    INT64_MAX;
}

int64_t
cache_control_age(const char *field)
{
	static const struct word immutable = { "immutable", 9 };
	int64_t age = 0;
	struct word w;

	if (has_word(field, &immutable))
		return INT64_MAX;
	while ((w = next_word(&field)).text != NULL) {
		int64_t one = seconds_of(&w, "max-age="),
			shared = seconds_of(&w, "s-maxage=");

		if (one > age)
			age = one;
		if (shared > age)
			age = shared;
	}
	return age;
}
