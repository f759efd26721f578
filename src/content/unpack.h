/*
 * An archive into a new directory.  The only door to libarchive for reading.
 *
 * Read are tar (all kinds), cpio, zip and 7z; tar and cpio plain or through
 * gzip, bzip2, xz, zstd, lz4, lzip, lzma or compress, and lzop where libarchive
 * has it built in.  What begins with the header of a tar, check sum and all,
 * is one, whatever its first name looks like.  Not read: what accepts anything or names
 * files elsewhere (raw, mtree), what no site comes in (ar, iso9660, cab, xar,
 * warc, lha), and rar, whose readers are the most often broken.  A zip or 7z
 * has its directory at the end; so what comes from a pipe is first copied to a
 * nameless file in `into`.
 *
 * Only libarchive's readers are used; files are made by our own code inside
 * the directory, so that nothing in an archive can name anything outside it:
 * names pass path_check(), links path_check_link(), a path that goes through
 * a symbolic link of the archive is refused, devices, sockets and FIFOs are
 * refused, owners, setuid bits, ACLs and xattrs are ignored.  Directories get
 * mode 0755, files 0644, or 0755 with any x bit; mtimes are not set.  An entry
 * that comes twice replaces the earlier one, as tar does.  A hard link becomes
 * a copy-free link(2) inside the directory to a file that came before it.
 *
 * It is done in a jail (jail.h): should all that fail, nothing but the directory
 * can be written.
 *
 * Names are bytes and stay what they are, except that "./", "//" and a
 * trailing "/" mean nothing; those of a zip or 7z are Unicode, which libarchive
 * brings into the composed form (NFC); two files whose names would be one then
 * stay apart in a zip, and are refused in a 7z.  A backslash in a zip is a
 * slash only where unzip(1) takes it for one.  What is not UTF-8 in a zip that does
 * not say what else it is (often CP437) is refused.
 *
 * An archive is complete or refused: the end of a tar and cpio, the check sums
 * of gzip, bzip2, xz, zstd, lz4, lzip, zip and 7z, and the announced size of every
 * file count.
 */
#ifndef UNPACK_H
#define UNPACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "os/dir.h"
#include "base/err.h"
#include "base/strvec.h"

struct unpack_options {
	const struct strvec *exclude;	/* path_match_any() patterns; or NULL */
	/*
	 * Drop one leading directory, the same for all, of every name.  The
	 * patterns are about what is left.
	 */
	bool strip;
	int64_t max_bytes;	/* refuse more content than this; 0: no bound */
	int64_t max_entries;	/* refuse more entries than this; 0: 10 M */
	/* Called after each file with its size, when not NULL. */
	void (*progress)(void *ctx, int64_t bytes);
	void *progress_ctx;
};

/*
 * Unpack the archive read from descriptor `fd`, from where it stands to its
 * end, into `into`, an empty directory.  `name` stands for the archive in
 * messages ("standard input").  `excluded` counts what was left out (.git and
 * `exclude`), what is below a directory as one.  Returns 0, or -1 with
 * ERR_INTEGRITY for an archive that is damaged, cut short, empty, encrypted,
 * no archive, or not safe, ERR_GUARD for one that exceeds a bound or the
 * disk, ERR_FAILED for the rest; what was written by then is the caller's to
 * remove.
 */
int unpack(int fd, const char *name, const struct dir *into,
    const struct unpack_options *opt, size_t *excluded, struct err *e) MUST_USE;

#endif
