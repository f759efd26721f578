/*
 * What a site says about its releases: what stays out of them, what is in
 * them besides the build, whose they are, and when a build is refused.
 * deploy.yml says it on the client (config.h), options of a verb on a host.
 */
#ifndef RULES_H
#define RULES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/strvec.h"
#include "content/decode.h"

enum severity { SEVERITY_DEFAULT, SEVERITY_IGNORE, SEVERITY_WARN,
	SEVERITY_REFUSE };

struct rules {
	struct strvec exclude;	/* patterns, path_match_any() */
	struct strvec shared;	/* paths in the release, path_check()ed */
	struct strvec carry;	/* patterns; empty: nothing is carried */
	int64_t carry_for;	/* seconds */
	bool bridge;		/* hosts have them before any has its pages
				 * (fleet_bridge.h) */
	/* Files of the build that get compressed forms (compress.h): */
	struct strvec compress;	/* patterns; empty: none do */
	unsigned int compress_with;	/* a bit for each enum encoding */
	int64_t compress_over;	/* bytes; what is smaller gets none */
	/* ... and forms against earlier files (dictionary.h): */
	struct strvec dictionaries;	/* patterns; empty: none do */
	unsigned int dictionaries_from;	/* how many of each */
	unsigned int max_delete;	/* percent of the live paths, 0..100 */
	/* What becomes of a build with */
	enum severity links;	/* links that show visitors nothing; */
	enum severity secrets;	/* what they should not get; */
	enum severity maps;	/* source maps (secrets.h) */
	char *group;		/* group of what is staged; NULL: ours */
};

/* Where nobody says anything. */
enum {
	RULES_CARRY_FOR = 7 * 86400,	/* seconds */
	RULES_MAX_DELETE = 50,		/* percent */
	RULES_COMPRESS_WITH = 1 << ENCODING_GZIP | 1 << ENCODING_BROTLI,
	RULES_COMPRESS_OVER = 1024,	/* bytes */
	RULES_DICTIONARIES_FROM = 3,
};

#define RULES_INIT {							\
	.carry_for = RULES_CARRY_FOR, .bridge = true,			\
	.max_delete = RULES_MAX_DELETE,					\
	.compress_with = RULES_COMPRESS_WITH,				\
	.compress_over = RULES_COMPRESS_OVER,				\
	.dictionaries_from = RULES_DICTIONARIES_FROM			\
}

void rules_release(struct rules *r);		/* neutral values accepted */

/*
 * Set `out` to the same rules with a list `exclude` of its own, to which the
 * caller adds and which it releases with strvec_release(); all else in it is
 * borrowed from `r`.
 */
void rules_borrow(struct rules *out, const struct rules *r);

#endif
