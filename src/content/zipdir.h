/*
 * The directory at the end of a zip, as far as libarchive does not tell what is
 * in it: the bytes of the names, and on what system they are names.  A hint: what
 * cannot be read is left out, and found by libarchive when it matters.
 */
#ifndef ZIPDIR_H
#define ZIPDIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct zipdir_entry {
	uint64_t offset;	/* of its content, in the archive */
	const char *name;	/* its bytes, which no NUL ends */
	size_t len;
	bool has_backslash;	/* in a name that has one as any other byte */
};

struct zipdir {
	char *data;
	struct zipdir_entry *v;	/* in the order of their offsets */
	size_t n;
};

#define ZIPDIR_INIT { NULL, NULL, 0 }

/* Read it from a file that can be seeked in, and stays where it is. */
void zipdir_read(struct zipdir *z, int fd);

/* Has the file such a directory, whatever it begins with?  It stays where it is. */
bool zipdir_is_there(int fd);

void zipdir_release(struct zipdir *z);		/* neutral values accepted */

#endif
