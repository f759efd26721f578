/*
 * What people name in the place of an archive: an error page that was
 * downloaded, a text, a compressed file that was compressed again.  Pure.
 */
#ifndef FOREIGN_H
#define FOREIGN_H

#include <stddef.h>

struct foreign {
	const char *what;	/* behind "it ", for a message */
	const char *cure;	/* what helps */
};

/*
 * What a file that cannot be read as an archive seems to be by the `n` bytes at
 * its beginning; static memory, or NULL when they say nothing.
 */
const struct foreign *foreign_look(const char *head, size_t n);

#endif
