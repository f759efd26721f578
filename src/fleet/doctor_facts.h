/*
 * What a host says of itself and of a root: the answer to the verb `probe` of
 * deploy-host(7), taken apart.  A line that makes no sense is left out; what
 * was not said is empty, -1, or not there.
 */
#ifndef DOCTOR_FACTS_H
#define DOCTOR_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strvec.h"

enum doctor_type {
	DOCTOR_MISSING, DOCTOR_DENIED, DOCTOR_DIR, DOCTOR_FILE, DOCTOR_LINK,
	DOCTOR_OTHER
};

/* A path there; one that ends in a slash is what a link leads to. */
struct doctor_path {
	enum doctor_type type;
	unsigned int uid, mode;		/* unless missing or denied */
	uint64_t device;
	bool writable;			/* by who answers */
	char *path;
};

/* A program there. */
struct doctor_tool {
	char *name;
	char *version;			/* "1.34"; "" not known */
};

struct doctor_facts {
	char *version;			/* of deploy, "sh"; NULL */
	int64_t now;			/* ms since 1970; -1 */
	char *user;			/* who answers; NULL */
	unsigned int uid;
	bool landlock;			/* its kernel has it (jail.h) */
	struct doctor_tool *tools;
	size_t n_tools;
	struct doctor_path *paths;	/* the way from / to the root, then
					 * what is in it */
	size_t n_paths;
	char *current;			/* what the link says; NULL: no link */
	char *format;			/* of the root; NULL: not prepared */
	char *stranger;			/* what keeps a directory from becoming a
					 * root; NULL */
	char *lock;			/* "free", "held", or why there is no
					 * locking; NULL */
	bool has_free;
	uint64_t free_bytes, free_inodes;
	int64_t live_bytes, live_files;	/* of the live release; -1 */
	size_t incoming;		/* stages that have not ended */
	int64_t oldest;			/* of them, seconds */
	uint64_t trash;			/* releases in it */
	struct strvec kept;		/* paths in the root that nothing of ours
					 * removes */
	char *limited;			/* verbs that our key is limited to; NULL:
					 * it is not */
	char *nginx;			/* its configuration; NULL: none that can
					 * be read */
	struct strvec nginx_lines;	/* "file:line:text" about links */
	struct strvec docroots;		/* server, tab, "file:line:text" */
	struct strvec mounted;		/* process, tab, release, tab, where */
};

#define DOCTOR_FACTS_INIT { .now = -1, .live_bytes = -1, .live_files = -1 }

void doctor_facts_release(struct doctor_facts *f);	/* neutral: fine */

/* Take in a line of the answer. */
void doctor_facts_hear(struct doctor_facts *f, const char *key,
    const char *value);

/* The path that was told, or NULL. */
const struct doctor_path *doctor_facts_path(const struct doctor_facts *f,
    const char *path);

/* The program, or NULL: it is not there. */
const struct doctor_tool *doctor_facts_tool(const struct doctor_facts *f,
    const char *name);

#endif
