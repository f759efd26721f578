/*
 * The options of the command line: one catalogue, of which each command
 * takes some.  Options and operands may be mixed; "--" ends the options.
 */
#ifndef OPT_H
#define OPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/strvec.h"

/* The catalogue: opt.c has a row for each. */
enum opt_id {
	OPT_END,		/* ends a list */
	OPT_CONFIG, OPT_SITE, OPT_ROOT, OPT_HOST, OPT_SKIP, OPT_JSON, OPT_DRY_RUN, OPT_QUIET,
	OPT_VERBOSE, OPT_HELP, OPT_VERSION,
	OPT_LOCK_WAIT, OPT_TIMEOUT, OPT_MESSAGE, OPT_COMMIT, OPT_SEQ, OPT_EXCLUDE,
	OPT_OVERRIDE, OPT_AGAIN, OPT_STRIP, OPT_CONTENT, OPT_EXPECT, OPT_KEEP, OPT_OLDER_THAN,
	OPT_FOR, OPT_LIMIT, OPT_REPAIR, OPT_ALLOW, OPT_BUILD, OPT_FROM, OPT_NO_CHECK,
	OPT_UPDATE, OPT_PRIORITY, OPT_REF, OPT_ITEM, OPT_REASON, OPT_WAIT, OPT_ONCE,
	OPT_JOBS, OPT_FIFO, OPT_PREVIEW, OPT_REMOVE, OPT_FOLLOW, OPT_HOOKS, OPT_FILE,
	OPT_SCHEMA, OPT_SCRIPT, OPT_KNOWN_HOSTS, OPT_UTC, OPT_LONG,
	OPT_COUNT
};

struct opts {
	const char *config;
	struct strvec sites;
	const char *site;	/* the last of them, for commands on one */
	const char *root;
	struct strvec hosts;
	struct strvec skip;
	bool json;
	bool dry_run;
	bool quiet;
	bool verbose;
	bool help;
	bool version;
	int64_t lock_wait;	/* seconds; -1: not given */
	int64_t timeout;	/* seconds; 0: not given */
	const char *message;
	const char *commit;
	int64_t seq;		/* -1: not given; OPT_SEQ_AUTO */
	struct strvec exclude;
	struct strvec override;	/* words, of which the command knows some */
	unsigned int overrides;	/* what they mean; see override.h */
	bool again;
	bool no_check;
	bool repair;
	bool strip;
	bool content;		/* diff */
	bool schema;		/* config */
	const char *script;	/* doctor */
	bool known_hosts;	/* the same */
	const char *expect;
	const char *from;
	int64_t keep;		/* -1: not given */
	int64_t older_than;	/* seconds; 0: not given */
	int64_t duration;	/* --for: seconds; 0: not given */
	int64_t limit;		/* 0: no limit */
	const char *allow;
	bool build;
	bool update;
	int64_t priority;
	const char *ref;
	struct strvec items;
	const char *reason;
	bool wait;
	bool once;
	int64_t jobs;		/* 0: not given */
	const char *fifo;
	const char *preview;
	bool remove;
	bool follow;
	bool utc;		/* times, where else there are ages */
	bool whole;		/* --long: nothing is cut or shortened */
	bool hooks;
	const char *file;
	struct strvec args;	/* the operands */
};

#define OPTS_INIT { .lock_wait = -1, .seq = -1, .keep = -1 }

/* What an option does to its field of struct opts. */
enum opt_kind {
	OPT_KIND_FLAG,		/* bool: true; there is no value */
	OPT_KIND_TEXT,		/* const char *: borrowed, the last one counts */
	OPT_KIND_NOTE,		/* the same, of at most max bytes */
	OPT_KIND_TEXTS,		/* struct strvec: one more */
	OPT_KIND_PATTERNS,	/* the same, path_check_pattern() */
	OPT_KIND_NUMBER,	/* int64_t: a whole number, min to max */
	OPT_KIND_SEQ,		/* the same, or "auto": OPT_SEQ_AUTO */
	OPT_KIND_TIME		/* int64_t: a duration in seconds, min to max */
};

struct opt {
	const char *name;	/* without the dashes */
	char letter;		/* '\0': none */
	enum opt_kind kind;
	size_t field;		/* where it is in struct opts */
	int64_t min, max;
	const char *arg;	/* of its value in help, which also says how it
				 * is completed (complete.h); NULL: a flag */
	const char *help;
};

/* The description of an option. */
const struct opt *opt_find(enum opt_id id);

/*
 * Parse argv[0..argc).  `allowed` ends with OPT_END.  With `stop` parsing
 * ends at the first operand.  Returns the number of words used, or -1 with
 * ERR_USAGE: an unknown option (with the nearest one), a value that is
 * missing, unexpected or wrong.
 */
int opt_parse(struct opts *o, int argc, char *const *argv,
    const enum opt_id *allowed, bool stop, struct err *e) MUST_USE;

enum {
	OPT_PRIORITY_MAX = 1000000,
	OPT_SEQ_AUTO = -2,	/* by the commits of the builds */
};

/*
 * Read the number that `what` ("--keep") wants, min to max.  0, or -1 with
 * ERR_USAGE.
 */
int opt_number(const char *what, const char *value, int64_t min, int64_t max,
    int64_t *out, struct err *e) MUST_USE;

void opts_release(struct opts *o);		/* neutral values accepted */

#endif
