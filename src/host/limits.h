/*
 * What a key may do that a forced command limits (deploy-host(7), FORCED
 * COMMANDS): one root, some verbs, no path outside of the root, and bounds in
 * time and size, so that it cannot stop the site either.  All verbs are held
 * against the limits here and nowhere else.
 */
#ifndef LIMITS_H
#define LIMITS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/release.h"
#include "base/strvec.h"

struct host_limits {
	const char *root;		/* the only root allowed; NULL: any */
	const char *allow;		/* comma-separated verbs, besides info,
					 * probe and manifest; NULL: all */
};

enum {
	LIMITS_AHEAD = 86400,		/* seconds that an id may be later than
					 * the clock */
	LIMITS_SILENCE = 60,		/* seconds without a byte of a pack */
	LIMITS_PATIENCE = 300,		/* the same, of a key without limits */
	LIMITS_GRACE = 120,		/* seconds, after which it must come */
	LIMITS_RATE = 4096,		/* with so many bytes a second */
	LIMITS_TOTAL = 6 * 3600,	/* seconds for a pack in all */
	LIMITS_ARMED = 600,		/* seconds that a host stays armed in
					 * all, with every "wait" */
	LIMITS_PREVIEW = 90 * 86400,	/* seconds that one may be shown */
	LIMITS_ENTRIES = 2000000,	/* of a manifest */
	LIMITS_BUILDS = 1000000,	/* that a sequence may be ahead */
};

/* Is it the key of a forced command, whatever it may do? */
bool limits_bind(const struct host_limits *l);

/* The verbs of its list, with commas; "" when it has none, and bounds only the root. */
const char *limits_list(const struct host_limits *l);

/*
 * May the key use the verb?  What nothing works without, and what tells no
 * more than the site itself (info, probe, manifest), always; note, files and
 * signatures with receive, and that with preview (limits_only_previews());
 * adopt, which takes a directory's place, only by its name.
 */
bool limits_allow(const struct host_limits *l, const char *verb);

/*
 * May what it brings be a preview only?  So it is with preview without
 * receive: such a release never waits to go live.
 */
bool limits_only_previews(const struct host_limits *l);

/*
 * May it read any file of any release?  Else files gives it samples of what is
 * live, signatures are of that, and nothing more.
 */
bool limits_allow_any_file(const struct host_limits *l);

/*
 * May the request be run?  Its words are verb, root and options: the verb
 * must be one that the key may use, the root the key's, letter by letter, and
 * every path that an option names must lie in it, opened beneath it without
 * symbolic links.  When it may, the words are appended to `out` as
 * options_take() has them.  0; -1 with ERR_UNREACHABLE for what the key may
 * not do, ERR_USAGE for what is no request.
 */
int limits_take(const struct host_limits *l, const struct strvec *words,
    struct strvec *out, struct err *e) MUST_USE;

/*
 * A new release must not take the ids of the years to come: it is at most
 * LIMITS_AHEAD later than the clock, or, without limits, than the `latest`
 * release, which may be none.  0, or -1 with ERR_USAGE.
 */
int limits_check_id(const struct host_limits *l, const struct release_id *id,
    const struct release_id *latest, struct err *e) MUST_USE;

/*
 * The highest sequence that a release may bring, when `last` (-1: none) is the
 * last that counts in the root: a key that may not activate gives none that no
 * build will ever reach.  It may be ahead by LIMITS_BUILDS and a hundredth, for
 * sequences that are times.
 */
int64_t limits_sequence(const struct host_limits *l, int64_t last);

/*
 * One of the times above in milliseconds; tests make all shorter by the
 * seconds in DEPLOY_TEST_LIMIT, which makes none longer.
 */
int64_t limits_ms(int64_t seconds);

/* Append for people, a line each, what the key may do. */
void limits_print(const struct host_limits *l, struct buf *out);

#endif
