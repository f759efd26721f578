/*
 * Where a build comes from: a directory, an archive, or an archive on
 * standard input ("-").
 */
#ifndef SOURCE_H
#define SOURCE_H

#include <stdbool.h>
#include <stddef.h>

#include "os/dir.h"
#include "base/err.h"
#include "base/strvec.h"

struct source {
	struct dir dir;		/* open for a directory */
	int fd;			/* open for an archive */
	char *name;		/* for messages */
};

#define SOURCE_INIT { DIR_INIT, -1, NULL }

/*
 * Open `path`, or standard input for "-".  Returns 0, or -1 with ERR_USAGE
 * when there is nothing of that name, or neither directory nor file.
 */
int source_open(struct source *s, const char *path, struct err *e) MUST_USE;
void source_close(struct source *s);		/* neutral values accepted */

bool source_is_archive(const struct source *s);

/*
 * Is `path`, or where it would be made, inside the source directory or that
 * itself?  Never of an archive.
 */
bool source_contains(const struct source *s, const char *path);

/*
 * Unpack an archive into the empty directory, refusing more content than
 * there is space.  See unpack().
 */
int source_unpack(const struct source *s, const struct dir *into,
    const struct strvec *exclude, bool strip, size_t *excluded,
    struct err *e) MUST_USE;

#endif
