/*
 * Forms of a file that are made against an earlier one (RFC 9842, Compression
 * Dictionary Transport): who has that, as a browser that was here before,
 * needs little more than what changed.
 *
 * Beside app.js stands app.js.HASH.dcz: HASH is the SHA-256 of the earlier
 * file, the dictionary, in base64 without padding and with '_' for '/', so
 * that a web server can make the name of what browsers say of it.  In it is a
 * header with the same hash, and a frame of zstd.
 */
#ifndef DCZ_H
#define DCZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "content/manifest.h"

enum {
	DCZ_HEADER = 40,	/* bytes */
	/*
	 * Of a file, and of a dictionary.  Browsers take windows of 8 MB, or
	 * of 1.25 dictionaries up to 128 MB (RFC 9842, 5).  More than the
	 * first is not used: both contents and ten times the window are in
	 * memory here, 115 MB in all, on each core, and it takes 18 s.
	 */
	DCZ_MAX = 8 * 1024 * 1024,
};

/* The name of the form of `path` against that dictionary. */
char *dcz_path(const char *path, const uint8_t dictionary[HASH_LEN]);

/*
 * Is `path` by its name such a form?  How long the name of its file is, and
 * the dictionary; or 0.
 */
size_t dcz_of_path(const char *path, uint8_t dictionary[HASH_LEN]);

/* The same for any form, these and those of decode.h. */
size_t form_of_path(const char *path);

/*
 * Is `path` by its name a form of a file that the manifest has, and so asked
 * for by the name of that?
 */
bool form_has_file(const struct manifest *m, const char *path);

/* The files whose forms would have names that are too long. */
struct form_names {
	const char *path;	/* the last; the manifest's */
	size_t n;
};

/* Can a form have that path?  If not, its file is noted. */
bool form_name_fits(struct form_names *too_long, const char *path,
    const char *form);

/* Warn of them, if there are any; `what` they do not get. */
void form_tell_names(const struct form_names *too_long, const char *what);

/* What such a file begins with. */
void dcz_header(const uint8_t dictionary[HASH_LEN],
    unsigned char out[DCZ_HEADER]);

/* What browsers say of a dictionary that they have (RFC 9842, 2.2). */
char *dcz_available(const uint8_t dictionary[HASH_LEN]);

#endif
