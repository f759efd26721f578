/*
 * Where a build comes from: a directory, an archive, or an archive on
 * standard input ("-").
 *
 *	source_open	it is there
 *	source_read	its files are listed; those of an archive were unpacked
 *	source_files	where they are
 *	source_check	nothing has come or gone meanwhile
 *	source_close	in any case
 */
#ifndef SOURCE_H
#define SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "os/dir.h"
#include "base/err.h"
#include "base/strvec.h"
#include "content/manifest.h"

struct source {
	struct dir dir;		/* open for a directory */
	int fd;			/* open for an archive */
	char *name;		/* for messages */
	/* Out of source_read(). */
	size_t excluded;	/* entries left out */
	/* Private. */
	const struct strvec *exclude;
	const struct dir *unpacked;	/* the files of an archive */
	struct dir scratch;	/* made for them */
	uint64_t stamp;		/* tree_stamp() */
};

#define SOURCE_INIT { .dir = DIR_INIT, .fd = -1, .scratch = DIR_INIT }

/*
 * Open `path`, or standard input for "-".  Returns 0, or -1 with ERR_USAGE
 * when there is nothing of that name, or neither directory nor file.
 */
int source_open(struct source *s, const char *path, struct err *e) MUST_USE;

/* Close; temporary files are removed.  Neutral values accepted. */
void source_close(struct source *s);

/*
 * Is `path`, or where it would be made, inside the source directory or that
 * itself?  Never of an archive.
 */
bool source_contains(const struct source *s, const char *path);

/*
 * List the files of the build in the empty manifest `m` (tree_read), without
 * what `exclude`, which is borrowed, leaves out.  An archive is unpacked for
 * that, refusing more content than there is space (unpack.h): into the empty
 * directory `into`, or into a temporary one when it is NULL.  0 or -1.
 */
int source_read(struct source *s, const struct dir *into,
    const struct strvec *exclude, bool strip, struct manifest *m,
    struct err *e) MUST_USE;

/* After source_read(): the directory that has the files. */
const struct dir *source_files(const struct source *s);

/*
 * Nothing may have come or gone in a directory since source_read() listed
 * `m`, to which marked entries were added since.  0 or -1.
 */
int source_check(const struct source *s, const struct manifest *m,
    struct err *e) MUST_USE;

#endif
