/*
 * libarchive (3.6.2) would let some damage pass; hence:
 * - gzip goes through zlib, because libarchive does not compare its check
 *   sum;
 * - the other compressions have a reader of their own in front, which is read
 *   to its end, because the check sums of xz and zstd stand there;
 * - a tar must have an end mark: one that was cut between two entries has not;
 *   and what follows the end of a tar or cpio must be zeros, or entries would
 *   be lost without a word;
 * - zip and 7z are read by their directory at the end, which also knows modes
 *   and symbolic links; so what cannot be seeked in is put aside first;
 * - a warning is an error, but for one about the character set of a name: in
 *   the C locale, in which this program runs, the bytes are as they are.  Only
 *   for zip and 7z, whose names are Unicode, this thread is in C.UTF-8;
 * - there two names can become one, composed (NFC), and a backslash becomes a
 *   slash also where it is a byte as any other: zipdir.h has what was there.
 */
#include "content/reader.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "os/file.h"
#include "os/intr.h"
#include "os/io.h"
#include "os/progress.h"

enum {
	BLOCK = 128 * 1024,
	TAR_BLOCK = 512,
	CPIO_END_MAX = 128,    /* the longest last entry of a cpio */
	HEADER_MAX = 16 << 20, /* bytes up to the next entry's content */
};

/* Say what libarchive found wrong, or what it is instead of an archive. */
static int
damaged(const struct reader *r, struct archive *a, struct err *e)
{
	const char *why = la.archive_error_string(a);

	if (r->inner != NULL)
		return err_set(e, ERR_INTEGRITY,
		    "there is another compressed file or archive in it (%s);; take off the outer one first",
		    r->inner);
	if (r->has_zip)
		return err_set(e, ERR_INTEGRITY,
		    "it is a zip behind something else, as one that unpacks itself;; take that off with: zip -J FILE");
	if (r->foreign != NULL)
		return err_set(e, ERR_INTEGRITY,
		    "it is no archive: it %s;; %s", r->foreign->what,
		    r->foreign->cure);
	return err_set(e, ERR_INTEGRITY,
	    "it is damaged, cut short, or no archive: %s",
	    why != NULL ? why : "unexpected end");
}

int
reader_failed(struct reader *r, struct err *e)
{
	const char *why = la.archive_error_string(r->ar);

	if (why != NULL && strstr(why, "assphrase") != NULL)
		return err_set(e, ERR_INTEGRITY,
		    "the archive is encrypted;; make one without a password");
	return damaged(r, r->ar, e);
}

/* Uncompressed bytes into the block: their number, 0 at the end, or -1. */
static la_ssize_t
read_plain(struct reader *r, struct archive *report)
{
	la_ssize_t n;
	int code;

	if (r->gz == NULL) {
		n = la.archive_read_data(r->filter, r->block, BLOCK);
		if (n < 0)
			la.archive_copy_error(report, r->filter);
		return n;
	}
	n = gzread(r->gz, r->block, BLOCK);
	/* zlib tells of a missing end only when asked. */
	if (n < 0 || (n == 0 && gzeof(r->gz) != 1) ||
	    (gzerror(r->gz, &code), code == Z_BUF_ERROR)) {
		la.archive_set_error(report, EINVAL, "gzip: %s",
		    gzerror(r->gz, &code));
		return -1;
	}
	return n;
}

/* How much of the archive itself was read by now. */
static void
count_read(struct reader *r, off_t at)
{
	progress_add(0, at - r->counted);
	r->counted = at;
}

static void look_inside(struct reader *r);

/* libarchive's input. */
static la_ssize_t
give(struct archive *a, void *ctx, const void **data)
{
	struct reader *r = ctx;
	size_t before = r->header.len;
	la_ssize_t n;

	if (r->in_header)
		buf_add(&r->header, r->block, r->block_len);
	n = read_plain(r, a);
	*data = r->block;
	if (n <= 0) {
		r->header.len = before;
		return n;
	}
	count_read(r, lseek(r->fd, 0, SEEK_CUR));
	r->block_len = (size_t)n;
	if (r->given == 0)
		look_inside(r);
	r->given += n;
	r->header_len += (size_t)n;
	/* Content that is skipped may be longer. */
	if (!r->in_header || r->header_len <= HEADER_MAX)
		return n;
	la.archive_set_error(a, EINVAL, "a header of more than %d MiB",
	    HEADER_MAX >> 20);
	return -1;
}

/* A file without a name in `d`, also where the file system knows no such. */
static int
open_nameless(const struct dir *d)
{
	int fd = openat(d->fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	char tmp[64];

	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR))
		return fd;
	file_tmp_name(tmp);
	fd = openat(d->fd, tmp,
	    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd >= 0)
		unlinkat(d->fd, tmp, 0);
	return fd;
}

/*
 * Put what cannot be seeked in, a pipe, into a file without a name beside
 * where it goes to.
 */
static int
put_aside(struct reader *r, const struct dir *into, int64_t max, struct err *e)
{
	int out = open_nameless(into);
	char *block = xmalloc(BLOCK);
	int64_t total = 0;
	ssize_t n = 0;

	while (out >= 0 && (n = io_read(r->fd, block, BLOCK)) > 0) {
		total += n;
		progress_add(0, n);
		if (io_write(out, block, (size_t)n) != 0)
			n = -1;
		if (n < 0 || (max > 0 && total > max) || intr_check(e) != 0)
			break;
	}
	free(block);
	r->fd_is_ours = out >= 0;
	if (out >= 0)
		r->fd = out;
	if (out < 0 || n < 0)
		return err_sys(e, "cannot put it aside in '%s'", into->path);
	if (max > 0 && total > max)
		return err_set(e, ERR_GUARD,
		    "it has more than the limit of %lld bytes",
		    (long long)max);
	return n > 0 ? -1 : 0;
}

/*
 * What an archive can begin with besides a tar's header.  Those with a filter
 * are read where this libarchive takes it off without running a program.
 */
static const struct signature {
	const char *bytes;
	size_t len;
	const char *name;
	int (**filter)(struct archive *); /* of `la` */
	enum { STREAM, GZIP, SEEKABLE, FOREIGN } kind;
} signatures[] = {
	{ "PK\3\4", 4, "zip", NULL, SEEKABLE },
	{ "PK\5\6", 4, "zip", NULL, SEEKABLE },
	{ "PK\7\10", 4, "zip", NULL, SEEKABLE },
	{ "PK00PK\3\4", 8, "zip", NULL, SEEKABLE },
	{ "7z\xbc\xaf\x27\x1c", 6, "7z", NULL, SEEKABLE },
	{ "\x1f\x8b", 2, "gzip", NULL, GZIP },
	{ "BZh", 3, "bzip2", &la.archive_read_support_filter_bzip2, STREAM },
	{ "\xfd\x37zXZ\0", 6, "xz", &la.archive_read_support_filter_xz,
	    STREAM },
	{ "\x28\xb5\x2f\xfd", 4, "zstd", &la.archive_read_support_filter_zstd,
	    STREAM },
	{ "\x50\x2a\x4d\x18", 4, "zstd", &la.archive_read_support_filter_zstd,
	    STREAM },
	{ "\x04\x22\x4d\x18", 4, "lz4", &la.archive_read_support_filter_lz4,
	    STREAM },
	{ "\x02\x21\x4c\x18", 4, "lz4", &la.archive_read_support_filter_lz4,
	    STREAM },
	{ "\x5d\0\0", 3, "lzma", &la.archive_read_support_filter_lzma,
	    STREAM },
	{ "LZIP", 4, "lzip", &la.archive_read_support_filter_lzip, STREAM },
	{ "\x89LZO\0\r\n\x1a\n", 9, "lzop",
	    &la.archive_read_support_filter_lzop, STREAM },
	{ "\x1f\x9d", 2, "compress", &la.archive_read_support_filter_compress,
	    STREAM },
	{ "LRZI", 4, "lrzip", NULL, FOREIGN },
	{ "GRZipII", 8, "grzip", NULL, FOREIGN },
	{ "\xff\6\0\0sNaPpY", 10, "snappy", NULL, FOREIGN },
	{ "Rar!\x1a\7", 6, "RAR", NULL, FOREIGN },
	{ "MSCF\0\0\0\0", 8, "Cabinet", NULL, FOREIGN },
	{ "xar!", 4, "xar", NULL, FOREIGN },
	{ "!<arch>\n", 8, "ar or Debian package", NULL, FOREIGN },
	{ "\xed\xab\xee\xdb", 4, "RPM", NULL, FOREIGN },
	{ "\x60\xea", 2, "ARJ", NULL, FOREIGN },
};

/* An ISO 9660 image begins with what its system likes, zeros mostly. */
enum { ISO_AT = 32769 };
static const struct signature iso = { "CD001", 5, "ISO image", NULL, FOREIGN };

/*
 * Is it the header of a tar?  Its check sum tells, which old ones have, too;
 * some programs added the bytes up as signed ones.
 */
static bool
is_tar(const char *block, size_t len)
{
	enum { SUM = 148, SUM_LEN = 8 };
	char text[SUM_LEN + 1] = "";
	long sum, plus = 0, minus = 0;
	char *end;

	if (len < TAR_BLOCK || block[0] == '\0')
		return false;
	memcpy(text, block + SUM, SUM_LEN);
	sum = strtol(text, &end, 8);
	if (end == text)
		return false;
	for (size_t i = 0; i < TAR_BLOCK; i++) {
		char c = i >= SUM && i < SUM + SUM_LEN ? ' ' : block[i];

		plus += (unsigned char)c;
		minus += (signed char)c;
	}
	return sum == plus || sum == minus;
}

/* What the first bytes say, or NULL. */
static const struct signature *
find_signature(const char *block, size_t len)
{
	for (size_t i = 0; i < sizeof(signatures) / sizeof(*signatures); i++) {
		const struct signature *s = &signatures[i];

		if (len >= s->len && memcmp(block, s->bytes, s->len) == 0)
			return s;
	}
	return len >= ISO_AT + iso.len &&
		memcmp(block + ISO_AT, iso.bytes, iso.len) == 0 ?
	    &iso :
	    NULL;
}

/* What begins below a compression, for a message when it is no archive. */
static void
look_inside(struct reader *r)
{
	const struct signature *s;

	if (!r->is_compressed || is_tar(r->block, r->block_len))
		return;
	s = find_signature(r->block, r->block_len);
	if (s != NULL)
		r->inner = s->name;
	else
		r->foreign = foreign_look(r->block, r->block_len);
}

/* Can libarchive take it off without running a program? */
static bool
is_built_in(int (*const *filter)(struct archive *))
{
	struct archive *probe = la.archive_read_new();
	bool is = probe != NULL && (*filter)(probe) == ARCHIVE_OK;

	la.archive_read_free(probe);
	return is;
}

/*
 * Tar and cpio, compressed as `s` says; not when that is NULL.  `tar`: it
 * begins with the header of one.
 */
static int
open_stream(struct reader *r, const struct signature *s, bool tar,
    struct err *e)
{
	struct archive_entry *ignored;
	int fd;

	r->is_stream = true;
	r->is_compressed = s != NULL;
	la.archive_read_support_format_tar(r->ar);
	la.archive_read_support_format_cpio(r->ar);
	if (s != NULL && s->kind == GZIP) {
		fd = fcntl(r->fd, F_DUPFD_CLOEXEC, 3);
		r->gz = fd < 0 ? NULL : gzdopen(fd, "rb");
		if (r->gz == NULL)
			return err_sys(e, "cannot read it");
	} else {
		r->filter = la.archive_read_new();
		/* An lzma need not begin as most do; libarchive knows more. */
		if (s != NULL)
			(*s->filter)(r->filter);
		else if (!tar)
			la.archive_read_support_filter_lzma(r->filter);
		la.archive_read_support_format_raw(r->filter);
		if (la.archive_read_open_fd(r->filter, r->fd, BLOCK) !=
			ARCHIVE_OK ||
		    la.archive_read_next_header(r->filter, &ignored) !=
			ARCHIVE_OK)
			return damaged(r, r->filter, e);
	}
	r->in_header = true;
	if (la.archive_read_open(r->ar, r, NULL, give, NULL) != ARCHIVE_OK)
		return reader_failed(r, e);
	return 0;
}

/* tsearch(3)'s order. */
static int
compare_names(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* Note a name: was it there before? */
static bool
note_name(struct reader *r, const char *name)
{
	char *own = xstrdup(name);
	char **there = tsearch(own, &r->seen, compare_names);

	if (there != NULL && *there == own)
		return false;
	free(own);
	return there != NULL;
}

static bool
is_ascii(const char *s)
{
	while (*s > 0)
		s++;
	return *s == '\0';
}

/* Set r->name to the bytes that the zip's directory has. */
static const char *
own_name(struct reader *r, const struct zipdir_entry *own)
{
	buf_reset(&r->name);
	buf_add(&r->name, own->name, own->len);
	return r->name.data;
}

/*
 * The names of a zip as they are: none is taken for another.  libarchive ends
 * one at a NUL, and what is left may be the name of another file.
 */
static int
note_own_names(struct reader *r, struct err *e)
{
	for (size_t i = 0; i < r->zip.n; i++) {
		const struct zipdir_entry *own = &r->zip.v[i];

		if (memchr(own->name, '\0', own->len) != NULL)
			return err_set(e, ERR_INTEGRITY,
			    "the name '%s...' has a control character (NUL);; rename it, and make the archive anew",
			    own_name(r, own));
		if (!is_ascii(own_name(r, own)))
			(void)note_name(r, r->name.data);
	}
	return 0;
}

/* Formats with a directory at their end. */
static int
open_seekable(struct reader *r, struct err *e)
{
	r->utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	if (r->utf8 != (locale_t)0)
		r->before = uselocale(r->utf8);
	la.archive_read_support_format_zip_seekable(r->ar);
	la.archive_read_support_format_7zip(r->ar);
	zipdir_read(&r->zip, r->fd);
	if (note_own_names(r, e) != 0)
		return -1;
	if (la.archive_read_open_fd(r->ar, r->fd, BLOCK) != ARCHIVE_OK)
		return reader_failed(r, e);
	return 0;
}

/*
 * From `start` it is read to its end, whose place is known.  What was put
 * aside has been counted as it came, and is counted anew as it is unpacked.
 */
static void
expect_all(struct reader *r, off_t start)
{
	struct stat st;

	r->counted = start;
	if (fstat(r->fd, &st) != 0 || !S_ISREG(st.st_mode))
		return;
	r->end = st.st_size;
	progress_expect(0, r->end - start);
	if (r->fd_is_ours)
		progress_add(0, -r->end);
}

int
reader_open(struct reader *r, int fd, const struct dir *into,
    int64_t max_bytes, struct err *e)
{
	const struct signature *s;
	bool tar;
	off_t start;
	ssize_t n;

	r->fd = fd;
	r->block = xmalloc(BLOCK);
	r->ar = la.archive_read_new();
	if (r->ar == NULL)
		return err_set(e, ERR_FAILED, "no memory for libarchive");
	if (lseek(fd, 0, SEEK_CUR) < 0 &&
	    put_aside(r, into, max_bytes, e) != 0)
		return -1;
	start = r->fd_is_ours ? 0 : lseek(fd, 0, SEEK_CUR);
	n = pread(r->fd, r->block, BLOCK, start);
	if (n < 0 || lseek(r->fd, start, SEEK_SET) < 0)
		return err_sys(e, "cannot read it");
	if (n == 0)
		return err_set(e, ERR_INTEGRITY, "it is empty");
	tar = is_tar(r->block, (size_t)n);
	s = tar ? NULL : find_signature(r->block, (size_t)n);
	n = n < TAR_BLOCK ? n : TAR_BLOCK;
	if (s != NULL && s->kind == SEEKABLE) {
		/* A zip that begins with its end has nothing before that. */
		if (memcmp(r->block, "PK\5\6", 4) == 0)
			return err_set(e, ERR_INTEGRITY,
			    "the archive is empty");
		return open_seekable(r, e);
	}
	if (s != NULL &&
	    (s->kind == FOREIGN ||
		(s->filter != NULL && !is_built_in(s->filter))))
		return err_set(e, ERR_INTEGRITY,
		    "it is an archive or a compression that is not read here: %s;; use tar, with gzip, xz or zstd",
		    s->name);
	if (s == NULL && !tar) {
		r->foreign = foreign_look(r->block, (size_t)n);
		r->has_zip = zipdir_is_there(r->fd);
	}
	expect_all(r, start);
	return open_stream(r, s, tar, e);
}

void
reader_release(struct reader *r)
{
	if (r->ar != NULL)
		la.archive_read_free(r->ar);
	if (r->filter != NULL)
		la.archive_read_free(r->filter);
	if (r->gz != NULL)
		gzclose(r->gz);
	if (r->utf8 != (locale_t)0) {
		uselocale(r->before);
		freelocale(r->utf8);
	}
	zipdir_release(&r->zip);
	tdestroy(r->seen, free);
	buf_release(&r->name);
	buf_release(&r->header);
	if (r->fd_is_ours)
		close(r->fd);
	free(r->block);
}

static bool
is_zeros(const char *p, size_t n)
{
	return n == 0 || (p[0] == 0 && memcmp(p, p + 1, n - 1) == 0);
}

/*
 * Read what is behind the last entry: zeros, and the check sums of what is
 * compressed.
 */
static int
check_rest(struct reader *r, struct err *e)
{
	int64_t unread = r->given - la.archive_filter_bytes(r->ar, 0);
	bool clean = unread <= (int64_t)r->block_len &&
	    is_zeros(r->block + r->block_len - unread, (size_t)unread);
	la_ssize_t n = 1;

	while (clean && n > 0) {
		if (intr_check(e) != 0)
			return -1;
		n = read_plain(r, r->ar);
		if (n < 0)
			return reader_failed(r, e);
		clean = is_zeros(r->block, (size_t)n);
	}
	if (clean)
		return 0;
	return r->inner != NULL ?
	    damaged(r, r->ar, e) :
	    err_set(e, ERR_INTEGRITY, "it has something behind its end");
}

/*
 * libarchive says that this is the end.  It says so, too, where a tar is cut
 * between two entries, and when it went over a damaged cpio to its last entry.
 */
static int
check_end(struct reader *r, struct err *e)
{
	int64_t used = la.archive_filter_bytes(r->ar, 0) -
	    la.archive_read_header_position(r->ar);

	if (!r->is_stream)
		return 0;
	if ((la.archive_format(r->ar) & ARCHIVE_FORMAT_BASE_MASK) ==
	    ARCHIVE_FORMAT_TAR) {
		if (used < TAR_BLOCK)
			return err_set(e, ERR_INTEGRITY,
			    "it was cut short: it is a tar without an end mark");
	} else if (used > CPIO_END_MAX) {
		return err_set(e, ERR_INTEGRITY,
		    "it is damaged: a cpio with garbage before its end");
	}
	if (check_rest(r, e) != 0)
		return -1;
	if (r->end > 0)
		count_read(r, r->end);
	return 0;
}

/* Has a name among the records of a pax header a NUL? */
static bool
has_nul(const char *p, size_t len)
{
	static const char *const keys[] = { " path=", " linkpath=",
		" GNU.sparse.name=" };

	while (len > 0) {
		size_t n = 0, digits = 0;

		while (digits < len && n < len &&
		    isdigit((unsigned char)p[digits]))
			n = n * 10 + (size_t)(p[digits++] - '0');
		if (n <= digits || n > len)
			return false;
		for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
			if (n - digits > strlen(keys[i]) &&
			    memcmp(p + digits, keys[i], strlen(keys[i])) ==
				0 &&
			    memchr(p, '\0', n) != NULL)
				return true;
		p += n;
		len -= n;
	}
	return false;
}

/*
 * Is there one in the headers that stand before the entry's own, from `at` to
 * `end` of `data`: of pax, or of GNU, which has long names so?
 */
static bool
has_nul_before(const char *data, int64_t at, int64_t end)
{
	enum { SIZE = 124, SIZE_LEN = 12, TYPE = 156 };

	while (end - at > TAR_BLOCK) {
		const char *h = data + at;
		char text[SIZE_LEN + 1] = "";
		int64_t size;

		if (h[TYPE] == '\0' || strchr("xXgLKV", h[TYPE]) == NULL)
			return false;
		memcpy(text, h + SIZE, SIZE_LEN);
		size = strtol(text, NULL, 8);
		at += TAR_BLOCK;
		if (size < 0 || size > end - at)
			return false;
		if (strchr("xXg", h[TYPE]) != NULL &&
		    has_nul(data + at, (size_t)size))
			return true;
		at += (size + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK;
	}
	return false;
}

/*
 * libarchive ends a name at a NUL, and what is left may be the name of another
 * file: refuse one in a pax header, where nothing is padded with it.
 */
static int
check_pax(struct reader *r, const char *name, struct err *e)
{
	int64_t start = r->given - (int64_t)(r->block_len + r->header.len);
	int64_t at = la.archive_read_header_position(r->ar) - start;
	int64_t end = la.archive_filter_bytes(r->ar, 0) - start;
	bool bad;

	/* Most are in one block. */
	if (r->header.len > 0)
		buf_add(&r->header, r->block, r->block_len);
	bad = at >= 0 && end <= r->given - start &&
	    has_nul_before(r->header.len > 0 ? r->header.data : r->block, at,
		end);
	buf_reset(&r->header);
	return bad ?
	    err_set(e, ERR_INTEGRITY,
		"a name has a control character (NUL), in the pax header of '%s';; rename it, and make the archive anew",
		name != NULL ? name : "?") :
	    0;
}

/*
 * Does what libarchive said about an entry matter?  Not that a name is not
 * ASCII: it is taken as it is.  Not ACLs: they are not used.
 */
static bool
warning_matters(struct archive *a)
{
	const char *why = la.archive_error_string(a);

	return why != NULL && strstr(why, " be converted from ") == NULL &&
	    strstr(why, "SCHILY.acl") == NULL;
}

/*
 * The file has a name that is not ASCII: it may have been put into the
 * composed form, in which another one has it.
 */
static int
tell_apart(struct reader *r, const struct zipdir_entry *own, const char **name,
    struct err *e)
{
	if (own != NULL && strcmp(own_name(r, own), *name) == 0)
		return 0;
	if (!note_name(r, *name))
		return 0;
	if (own == NULL)
		return err_set(e, ERR_INTEGRITY,
		    "the archive has the name '%s' twice: composed and decomposed (NFC and NFD) it is one here;; rename one of the two files, or use tar",
		    *name);
	*name = r->name.data;
	return 0;
}

/* What the zip's directory has of the entry; NULL: that is not known. */
static const struct zipdir_entry *
look_up(struct reader *r, const char *name)
{
	const struct zipdir_entry *own =
	    r->next < r->zip.n ? &r->zip.v[r->next++] : NULL;

	/* Is it in step?  A directory may have got a slash. */
	if (own != NULL && is_ascii(name) &&
	    memchr(own->name, '\\', own->len) == NULL &&
	    strncmp(own->name, name, own->len) != 0) {
		zipdir_release(&r->zip);
		own = NULL;
	}
	return own;
}

/*
 * What libarchive changed in a name of a zip or 7z is put right: a backslash
 * that is none, and where two files would become one.
 */
static int
put_right(struct reader *r, struct archive_entry *en, const char **name,
    struct err *e)
{
	const struct zipdir_entry *own = look_up(r, *name);

	if (own != NULL && own->has_backslash) {
		buf_reset(&r->name);
		buf_adds(&r->name, *name);
		for (char *p = r->name.data; *p != '\0'; p++)
			if (*p == '/')
				*p = '\\';
		*name = r->name.data;
		/* libarchive has no content then. */
		return own->name[own->len - 1] != '\\' ?
		    0 :
		    err_set(e, ERR_INTEGRITY,
			"the name '%s' ends in a backslash, which cannot be told from a directory's in a zip;; use tar",
			*name);
	}
	if (is_ascii(*name) || la.archive_entry_filetype(en) == AE_IFDIR)
		return 0;
	return tell_apart(r, own, name, e);
}

int
reader_next(struct reader *r, struct archive_entry **en, const char **name,
    struct err *e)
{
	int s;

	r->in_header = true;
	r->header_len = 0;
	s = la.archive_read_next_header(r->ar, en);
	r->in_header = false;
	if (s == ARCHIVE_EOF)
		return check_end(r, e);
	if ((s != ARCHIVE_OK && s != ARCHIVE_WARN) || warning_matters(r->ar))
		return reader_failed(r, e);
	if (la.archive_entry_is_encrypted(*en))
		return err_set(e, ERR_INTEGRITY,
		    "the archive is encrypted;; make one without a password");
	*name = la.archive_entry_pathname(*en);
	if (r->is_stream && check_pax(r, *name, e) != 0)
		return -1;
	if (r->is_stream || *name == NULL)
		return 1;
	return put_right(r, *en, name, e) == 0 ? 1 : -1;
}
