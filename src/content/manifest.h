/*
 * The manifest of a release: every file, directory and symbolic link in it,
 * as mtree(5).  One line an entry, sorted by path_compare():
 *
 *	#mtree v2.0
 *	. type=dir mode=0755
 *	./a/b.html type=file mode=0644 size=5 time=1763751785.0 \
 *	    sha256digest=<64 hexadecimal digits>
 *	./c type=link mode=0777 time=1763751785.0 link=a/b.html
 *
 * (one line each, no continuation).  Bytes other than letters, digits and
 * "._/-+,@:%~" are written \ooo (three octal digits).  An entry that the
 * build did not contain has tags=shared (a link to a path under shared/) or
 * tags=carried,last-SECONDS (kept from an earlier release, whose build last
 * had it live at that time).
 *
 * The reader accepts what the writer writes, in any order and with keywords
 * that it does not know; everything unsafe is refused: names and targets
 * (path.h), modes other than 0644 and 0755 of files, 0755 and 02755 of
 * directories, 0777 of links, times after the year 9999, and sizes whose sum
 * is no number.
 */
#ifndef MANIFEST_H
#define MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "os/dir.h"
#include "base/err.h"
#include "base/hash.h"

enum entry_type { ENTRY_FILE, ENTRY_DIR, ENTRY_LINK };
enum entry_mark { ENTRY_BUILD, ENTRY_SHARED, ENTRY_CARRIED };

struct entry {
	const char *path;	/* owned by the manifest */
	const char *link;	/* target of an ENTRY_LINK, else NULL */
	int64_t size;		/* bytes of an ENTRY_FILE, else 0 */
	int64_t mtime;		/* seconds; files and links */
	int64_t last;		/* ENTRY_CARRIED: last live in a build */
	uint8_t digest[HASH_LEN];	/* of an ENTRY_FILE */
	uint16_t mode;		/* permission bits, 07777 */
	uint8_t type;		/* enum entry_type */
	uint8_t mark;		/* enum entry_mark */
};

struct manifest {
	struct entry *v;
	size_t n;
	size_t cap;
	struct arena *arena;	/* the strings */
};

#define MANIFEST_INIT { NULL, 0, 0, NULL }

void manifest_release(struct manifest *m);	/* neutral values accepted */

/*
 * Add an entry; the strings are copied.  The pointer is valid until the next
 * call.  The caller fills the rest, and sorts when all are there.
 */
struct entry *manifest_add(struct manifest *m, const char *path,
    enum entry_type type);

/* Give an entry of `m` a link target; the string is copied. */
void manifest_set_link(struct manifest *m, struct entry *en,
    const char *target);

/*
 * The target of the link that stands for a shared path: "shared/<path>", as
 * seen from the path in a release.  The caller frees it.
 */
char *manifest_shared_target(const char *path);

/*
 * May an entry have the mode?  Files 0644 and 0755, directories 0755 and
 * 02755, links 0777: nothing that gives rights to others, or that its owner
 * could not remove.
 */
bool manifest_mode_is_allowed(enum entry_type type, unsigned int mode);

/* Sort by path.  Returns 0, or -1 with ERR_INTEGRITY for a path twice. */
int manifest_sort(struct manifest *m, struct err *e) MUST_USE;

/* The entry at `path` in a sorted manifest, or NULL. */
struct entry *manifest_find(const struct manifest *m, const char *path);

/*
 * Parse manifest text and append the entries to `m`, sorted at the end.
 * `name` stands for the file in messages.  Returns 0, or -1 with
 * ERR_INTEGRITY, name and line number.
 */
int manifest_parse(struct manifest *m, const char *text, size_t len,
    const char *name, struct err *e) MUST_USE;

/*
 * Is a manifest that was not parsed what manifest_parse() accepts: every name,
 * target, mode, time and mark, and all of them together?  Sorts it.  0, or -1
 * with ERR_INTEGRITY.
 */
int manifest_check(struct manifest *m, const char *name, struct err *e)
    MUST_USE;

/*
 * The same as manifest_parse() from the file `name` in `at`, read in pieces.  0, or -1, with
 * ERR_INTEGRITY also when there is no such file.
 */
int manifest_read(struct manifest *m, const struct dir *at, const char *name,
    struct err *e) MUST_USE;

/*
 * Write the manifest as the new file `name` in `at` (O_EXCL) and fsync it;
 * its name is the caller's to sync (dir_sync).  0 or -1.
 */
int manifest_write(const struct manifest *m, const struct dir *at,
    const char *name, struct err *e) MUST_USE;

/* Append the text that manifest_write() writes. */
void manifest_print(const struct manifest *m, struct buf *out);

/* What a manifest is called that travels as a file in a pack. */
#define MANIFEST_FILE "manifest"

/* SHA-256 of that text. */
void manifest_text_digest(const struct manifest *m, uint8_t out[HASH_LEN]);

/*
 * The tree digest, which names the content: SHA-256 over the lines of the
 * sorted manifest, without the two lines at its top, every " time=..." and
 * every ",last-..." at
 * the end of the tags.  What was carried differs from the same file in a build.
 */
void manifest_digest(const struct manifest *m, uint8_t out[HASH_LEN]);

/*
 * The mode of the top, which is no entry: that of the directories, which all
 * have the same (0755, or 02755 in a site with a group); 0755 without any.
 */
unsigned int manifest_top_mode(const struct manifest *m);

/* Files, and the sum of their bytes. */
struct manifest_totals {
	size_t files;
	int64_t bytes;
};
struct manifest_totals manifest_totals(const struct manifest *m);

/* Are the two entries the same but for mtime, mark and last? */
bool entry_is_same(const struct entry *a, const struct entry *b);

#endif
