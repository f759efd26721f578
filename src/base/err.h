/*
 * One error idiom for the whole program.
 *
 * A function that can fail takes a struct err as its last argument, returns
 * -1 (or NULL) and fills it with a code, errno and one whole sentence: what
 * failed, where, and the cure when it is known.  The deepest function that
 * knows the path writes the sentence; callers only add what it lacks with
 * err_prefix().  It is printed once, by main.  Nothing here allocates.
 */
#ifndef ERR_H
#define ERR_H

#include <stddef.h>

#include "base/text.h"

/*
 * For every function that can fail: its result must be looked at.  Where a
 * failure does not matter, err_ignore() says so.
 */
#define MUST_USE __attribute__((warn_unused_result))
#define err_ignore(call)						\
	do {								\
		if (call) {						\
		}							\
	} while (0)

/* The codes are the exit statuses of deploy(1), EXIT STATUS. */
enum err_code {
	ERR_OK = 0,
	ERR_FAILED = 1,		/* failed; what visitors see is untouched */
	ERR_USAGE = 2,		/* usage or configuration */
	ERR_LOCKED = 3,		/* locked or frozen */
	ERR_SUPERSEDED = 4,	/* a newer or unexpected release is live */
	ERR_INTEGRITY = 5,	/* content is not what the manifest says */
	ERR_REVERTED = 6,	/* failed, and reverted everywhere */
	ERR_DIFFER = 7,		/* hosts differ; needs a hand */
	ERR_UNREACHABLE = 8,	/* a host is unreachable or refuses the key */
	ERR_CLEANUP = 9,	/* live and well; a clean-up or hook failed */
	ERR_GUARD = 10,		/* a guard refused */
};

/* Where it happened, as far as somebody wants to know. */
enum err_phase {
	PHASE_NONE,		/* not said */
	PHASE_CONNECT,		/* to a host */
	PHASE_HOST_KEY,		/* is it the right one? */
	PHASE_LOGIN,		/* does it let us in? */
	PHASE_ANSWER,		/* a host said so: it is not a lost one */
	PHASE_CHECK,		/* a web server said so, or said nothing */
};

struct err {
	enum err_code code;
	int sys;		/* errno, 0 when there was none */
	enum err_phase phase;
	size_t problem;		/* where in the text what is wrong begins,
				 * behind words that only name the phase */
	size_t sum;		/* how many bytes at its start sum up what
				 * several came to; 0: none do */
	size_t cure;		/* where in the text the cure begins, behind
				 * "; "; 0: it has none */
	char text[TEXT_LINE_MAX];	/* one sentence, text_clean() */
};

#define ERR_INIT { .code = ERR_OK }

/*
 * Fill `e` with `code` and the formatted sentence as text_clean() makes it,
 * so that a hostile name cannot disturb a terminal or a log.  Where the format
 * has ";; ", a cure begins: the text has "; " there, and e->cure says where.
 * What stands in an argument is no format.  Returns -1 always.
 */
int err_set(struct err *e, enum err_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * As err_set(), with ERR_FAILED and ": " and the text of errno appended.
 * ENOSPC and EDQUOT make it ERR_GUARD: a full disk is a refusal that names
 * its cure.  EFBIG has its cure here.  Returns -1 always; errno is kept in
 * e->sys.
 */
int err_sys(struct err *e, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Put the formatted text before the sentence that is there.  Returns -1. */
int err_prefix(struct err *e, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * Put the formatted text and ": " before the sentence: what all came to of
 * whom it tells the worst.  log_err() tells that on a line of its own, behind
 * the sentence.  Returns -1.
 */
int err_sum_up(struct err *e, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * It happened in that phase, which `words`, put before the sentence, name; ""
 * when the sentence does.  Returns -1.
 */
int err_in(struct err *e, enum err_phase phase, const char *words);

/* Append the formatted text to the sentence; ";; " as above.  Returns -1. */
int err_append(struct err *e, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * What is wrong, without the words that err_in() put before it, and how many
 * bytes of that there are before the cure, for "%.*s".
 */
const char *err_problem(const struct err *e);
int err_problem_len(const struct err *e);

/* Without its cure, for who knows a better one to append. */
void err_drop_cure(struct err *e);

/* What helps; "" when nobody knows. */
const char *err_cure(const struct err *e);

#endif
