/*
 * Who runs this and for what: the user, or the CI job, as its environment
 * tells (GitHub Actions, Gitea and Forgejo; GitLab; Woodpecker; Jenkins).
 */
#ifndef CALLER_H
#define CALLER_H

#include <stdbool.h>
#include <stdint.h>

enum { CALLER_WORD_MAX = 1024 };	/* bytes of who, job and commit each */

struct caller {
	char *who;		/* "ann@host", or the CI's actor */
	char *job;		/* URL of the CI job, or NULL */
	char *commit;		/* commit that is built, or NULL */
	int64_t seq;		/* number of the CI run, or -1 */
	char *odd_seq;		/* what the CI gives, where that is no number */
	/*
	 * The command line, as it can be pasted into a shell: "deploy -c FILE
	 * COMMAND", what stands behind that, and of all of it the options that
	 * say which site, " -c FILE -s SITE".  NULL: not known.
	 */
	char *line, *rest, *where;
	char *all;		/* the same for all hosts, without --host */
	char *site;		/* the same without any --host */
	char *file;		/* " -c FILE", or "": what the queue wants */
	char *from;		/* the host of --from, or NULL */
	char *without_from;	/* `rest` without that option */
	char *unskipped;	/* all of the command line but each --skip */
	bool may_skip;		/* the command has --skip */
};

#define CALLER_INIT { .seq = -1 }

/* Does a CI system that we run in tell that by this variable, "NAME=value"? */
bool caller_is_told_by(const char *variable);

void caller_init(struct caller *c);
void caller_release(struct caller *c);		/* neutral values accepted */

/* What lock.note says while `command` runs; the caller frees it. */
char *caller_lock_note(const struct caller *c, const char *command);

/*
 * The highest sequence that a build can have: what every reader of JSON takes
 * for a whole number.  One that comes from outside is held against it.
 */
#define CALLER_SEQ_MAX ((INT64_C(1) << 53) - 1)

#endif
