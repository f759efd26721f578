/*
 * Edits: what turns the manifest of a base into that of a new release, and
 * where the content of each new file comes from.  No hash of a file is in
 * them: who applies them hashes what it makes, and compares the digest of the
 * whole manifest's text at the end.  Pure.
 *
 * The text of edits is binary, with numbers of varint.h:
 *
 *	digest		32 bytes, SHA-256 of the new manifest's text
 *	time		of new content, seconds
 *	others		a number, and so many release ids
 *	sizes, names	each a length and so many bytes: two columns
 *	operations	up to the end
 *
 * An operation is a number: its kind in the lowest three bits, above them a
 * count, of entries of the base that follow each other, or, of one whole
 * entry, flags.  The entries of the base are taken in their order, each by
 * one operation.
 *
 *	same		they stay as they are
 *	gone		the release has them no more
 *	whole		files whose new content is in the pack
 *	rules		a set's number follows: files whose content the set
 *			makes of the old one (rewrite.h)
 *	delta		files whose content a delta in the pack makes of the
 *			old one (delta.h)
 *	gzip		files that encode.h makes of the one beside them:
 *			app.js.gz of app.js
 *	entry		one entry that is told whole; it replaces the next of
 *			the base, or has a name of its own
 *
 * Files of `whole`, `rules`, `delta` and `gzip` get the time of new content; their
 * sizes are in the column, as differences.  edits.c says what an entry consists of.
 *
 * Of the forms for web servers (compress.h) only those of gzip are made anew:
 * gzip 9 takes some 20 MB a second, which is a link of 40 Mbit/s for what
 * comes out, brotli 11 and zstd 19 a thirtieth and a tenth of that.
 */
#ifndef EDITS_H
#define EDITS_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/release.h"
#include "content/manifest.h"

/* Where the content of an entry comes from. */
enum edit_source {
	EDIT_NONE,	/* it is no file */
	EDIT_BASE,	/* the file `from` of the base has it */
	EDIT_OTHER,	/* this path of another release, others.v[from] */
	EDIT_WHOLE,	/* it travels */
	EDIT_RULES,	/* the set of rules makes it of the file `from` */
	EDIT_DELTA,	/* a delta that travels makes it of the file `from` */
	EDIT_GZIP,	/* gzip makes it of the file beside it */
};

enum { EDITS_SETS_MAX = 8 };

/* Bytes of files that a host compresses for one pack, at most. */
#define EDITS_GZIP_MAX (INT64_C(64) << 20)

struct edit {
	uint8_t source;		/* enum edit_source */
	uint8_t set;		/* of EDIT_RULES */
	uint32_t from;
};

struct edits {
	struct edit *v;		/* for each entry of the new manifest */
	size_t n;
	size_t cap;
	struct release_ids others;
	int64_t mtime;		/* of new content */
	uint8_t digest[HASH_LEN];	/* manifest_text_digest() */
};

#define EDITS_INIT { NULL, 0, 0, RELEASE_IDS_INIT, 0, { 0 } }

void edits_release(struct edits *x);		/* neutral values accepted */

/* One more, for the next entry. */
struct edit *edits_add(struct edits *x);

/*
 * The entry of `m` that EDIT_GZIP makes this one of: app.js for app.js.gz, a
 * file that comes before it; NULL: it is no such form.
 */
const struct entry *edits_plain(const struct manifest *m,
    const struct entry *form);

/* Append the text of edits that turn `base` into `m`; both are sorted. */
void edits_print(const struct edits *x, const struct manifest *base,
    const struct manifest *m, struct buf *out);

struct edits_limits {
	size_t entries;		/* of the new manifest */
	size_t names;		/* bytes of names that the base has not */
};

/*
 * Read edits of `base`, and fill the empty `m` with the new manifest, in which
 * the digests of EDIT_WHOLE, EDIT_RULES, EDIT_DELTA and EDIT_GZIP are missing.  It is what
 * manifest_check() accepts, and `from` is a file of the base, whatever the
 * text says.  0, or -1 with ERR_INTEGRITY.
 */
int edits_parse(struct edits *x, const struct manifest *base,
    const struct edits_limits *limits, const char *text, size_t len,
    struct manifest *m, struct err *e) MUST_USE;

#endif
