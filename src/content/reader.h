/*
 * The entries of an archive, made of its bytes by libarchive and checked for
 * what that lets pass: an archive is complete, or the last entry is an error.
 * unpack.h says what is read.
 */
#ifndef READER_H
#define READER_H

#include <locale.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zlib.h>

#include "base/buf.h"
#include "base/err.h"
#include "content/foreign.h"
#include "content/libarchive.h"
#include "content/zipdir.h"
#include "os/dir.h"

struct reader {
	int fd;			/* the archive, or what was put aside */
	bool fd_is_ours;
	gzFile gz;
	struct archive *filter;	/* takes the other compressions off */
	struct archive *ar;	/* makes entries */
	char *block;		/* BLOCK bytes, for `ar` */
	size_t block_len;	/* what `ar` was given last of it */
	struct buf header;	/* the blocks before it that an entry began in */
	int64_t counted;	/* where `fd` stood when progress was told, */
	int64_t end;		/* and will, if it is a stream and that is known */
	int64_t given;		/* bytes that `ar` was given in all */
	bool in_header;		/* `ar` looks for the next entry, */
	size_t header_len;	/* and was given so much for it */
	const char *inner;	/* a compression below the one of the stream */
	const struct foreign *foreign;	/* what it is when it is no archive */
	bool has_zip;		/* there is a zip's directory at its end */
	bool is_compressed;
	bool is_stream;		/* tar or cpio: read from front to end */
	locale_t utf8, before;	/* of this thread, for zip and 7z */
	struct zipdir zip;	/* of a zip */
	size_t next;		/* entry of it */
	void *seen;		/* names of files that are not ASCII: tsearch(3) */
	struct buf name;	/* when it is another than libarchive's */
};

/*
 * Read the archive on descriptor `fd` from where it stands; `r` is all zeros.
 * What cannot be seeked in is copied to a nameless file in `into` first, of
 * `max_bytes` at most (0: no bound).  `r` is to be released also on failure,
 * by the same thread, whose locale may be another one meanwhile.  0 or -1.
 */
int reader_open(struct reader *r, int fd, const struct dir *into,
    int64_t max_bytes, struct err *e) MUST_USE;

void reader_release(struct reader *r);		/* neutral values accepted */

/*
 * Go to the next entry, which is borrowed until the next call.  `name` is the
 * name in the archive, NULL when there is none; of two files of a zip whose
 * names are one in composed form (NFC), one keeps its own, and in a 7z that is
 * an error, as libarchive does not tell its own.  Its content is read from
 * r->ar.  Returns 1, 0 at the end, -1.
 */
int reader_next(struct reader *r, struct archive_entry **en,
    const char **name, struct err *e) MUST_USE;

/* What libarchive complained of last, as an error.  -1. */
int reader_failed(struct reader *r, struct err *e);

#endif
