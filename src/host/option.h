/*
 * The options of the verbs: for each verb the names that it knows, and what
 * their values may be.  An option that a verb does not know is refused: it
 * may be a guard that a newer client relies on.  deploy-host(7) has the same
 * table for people, host.sh for shells.
 */
#ifndef OPTION_H
#define OPTION_H

#include <stdint.h>

#include "base/err.h"
#include "base/strvec.h"

enum option_kind {
	OPTION_FLAG,		/* has no value */
	OPTION_NUMBER,		/* decimal, min to max */
	OPTION_ID,		/* a release id, whole */
	OPTION_ID_OR_NONE,	/* or nothing */
	OPTION_TEXT,		/* for people: at most max bytes */
	OPTION_LINES,		/* at most max bytes */
	OPTION_PATH		/* absolute, at most max bytes */
};

struct option {
	const char *name;	/* without "--"; NULL ends a table */
	enum option_kind kind;
	int64_t min;
	int64_t max;
};

/* The table of the verb, without those that all take; NULL: no such verb. */
const struct option *options_of(const char *verb);

/* What the verb knows of the word "--name" or "--name=value", or NULL. */
const struct option *option_of_word(const char *verb, const char *word);

/*
 * Hold the options of a request, its words from the third on, against the
 * table of its verb (the first word), and append all words to `out`, texts
 * without control characters.  0, or -1 with ERR_USAGE and the option that is
 * not known, comes twice, or has a wrong value.
 */
int options_take(const struct strvec *words, struct strvec *out,
    struct err *e) MUST_USE;

#endif
