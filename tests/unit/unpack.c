/*
 * unpack(): every format and filter, and what nobody should put into an
 * archive.  Archives are made here, good ones with libarchive's writers,
 * nasty ones byte by byte.
 */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "content/unpack.h"
#include "os/intr.h"
#include "os/io.h"
#include "unit.h"

enum feed { FROM_FILE, FROM_PIPE };

/* Where a test works: top/in is unpacked into, top/out must stay empty. */
static struct dir top = DIR_INIT, in = DIR_INIT;
static struct err e;
static size_t excluded;
static const struct unpack_options plain;

/* A fresh directory; what the last test made is removed. */
static void
fresh(void)
{
	if (top.fd < 0) {
		const char *tmp = getenv("TMPDIR");
		char *path = xasprintf("%s/unit-unpack.XXXXXX",
		    tmp != NULL ? tmp : "/tmp");

		if (mkdtemp(path) == NULL ||
		    dir_open_path(&top, path, &e) != 0)
			exit(99);
		free(path);
	}
	dir_close(&in);
	if (dir_remove_tree(&top, "in", &e) != 0 ||
	    dir_remove_tree(&top, "out", &e) != 0 ||
	    dir_make(&top, "out", &e) != 0 ||
	    dir_ensure(&in, &top, "in", &e) != 0)
		exit(99);
	e = (struct err)ERR_INIT;
}

/* Nothing is left of it. */
static void
clean_up(void)
{
	fresh();
	dir_close(&in);
	err_ignore(dir_remove_tree(&top, "in", &e));
	err_ignore(dir_remove_tree(&top, "out", &e));
	rmdir(top.path);
	dir_close(&top);
}

/* The bytes as a file. */
static int
as_file(const struct buf *b)
{
	int fd = memfd_create("archive", MFD_CLOEXEC);

	if (fd < 0 || io_write(fd, b->data, b->len) != 0 ||
	    lseek(fd, 0, SEEK_SET) != 0)
		exit(99);
	return fd;
}

/* The bytes through a pipe, from a child. */
static int
as_pipe(const struct buf *b)
{
	int p[2];

	if (pipe(p) != 0)
		exit(99);
	if (fork() == 0) {
		close(p[0]);
		signal(SIGPIPE, SIG_DFL);
		_exit(io_write(p[1], b->data, b->len) != 0);
	}
	close(p[1]);
	return p[0];
}

/* Unpack into a fresh directory. */
static int
try(const struct buf *b, enum feed feed, const struct unpack_options *opt)
{
	int fd = feed == FROM_PIPE ? as_pipe(b) : as_file(b);
	struct strvec out = STRVEC_INIT;
	struct dir d = DIR_INIT;
	int r;

	fresh();
	r = unpack(fd, "test", &in, opt, &excluded, &e);
	close(fd);
	if (feed == FROM_PIPE)
		wait(NULL);
	CHECK((r == 0) == (e.code == ERR_OK));
	CHECK(r == 0 || strncmp(e.text, "test: ", 6) == 0);
	CHECK(dir_open(&d, &top, "out", &e) == 0 &&
	    dir_list(&d, &out, &e) == 0 && out.n == 0);
	strvec_release(&out);
	dir_close(&d);
	return r;
}

/* Unpack, which must work; the archive is released. */
static bool
good(struct buf *b)
{
	int r = try(b, FROM_FILE, &plain);

	if (r != 0)
		printf("# %s\n", e.text);
	buf_release(b);
	return r == 0;
}

/* Unpack, which must fail with `code` and a text that has `text`. */
static bool
bad_with(struct buf *b, const struct unpack_options *opt, enum err_code code,
    const char *text)
{
	int r = try(b, FROM_FILE, opt);
	bool as_said = e.code == code && strstr(e.text, text) != NULL;

	if (r != 0 && !as_said)
		printf("# not '%s' but %d '%s'\n", text, e.code, e.text);
	if (r == 0)
		printf("# no error; wanted '%s'\n", text);
	buf_release(b);
	return r == -1 && as_said;
}

static bool
bad(struct buf *b, const char *text)
{
	return bad_with(b, &plain, ERR_INTEGRITY, text);
}

/* Is there a regular file `path` with this content? */
static bool
has_bytes(const char *path, const void *want, size_t len)
{
	int fd = openat(in.fd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
	char *got = xmalloc(len + 1);
	struct stat st;
	bool same = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    io_read(fd, got, len + 1) == (ssize_t)len &&
	    memcmp(got, want, len) == 0;

	if (fd >= 0)
		close(fd);
	free(got);
	return same;
}

static bool
has_file(const char *path, const char *want)
{
	return has_bytes(path, want, strlen(want));
}

/* Is there a symbolic link `path` to `target`? */
static bool
has_link(const char *path, const char *target)
{
	char got[512];
	ssize_t n = readlinkat(in.fd, path, got, sizeof(got) - 1);

	if (n < 0)
		return false;
	got[n] = '\0';
	return strcmp(got, target) == 0;
}

/* The permissions and type of `path`, 0 for nothing. */
static mode_t
mode_of(const char *path)
{
	struct stat st;

	return fstatat(in.fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 ?
	    st.st_mode :
	    0;
}

static bool
same_file(const char *a, const char *b)
{
	struct stat x, y;

	return fstatat(in.fd, a, &x, AT_SYMLINK_NOFOLLOW) == 0 &&
	    fstatat(in.fd, b, &y, AT_SYMLINK_NOFOLLOW) == 0 &&
	    x.st_ino == y.st_ino;
}

/* How many names are in `path`? */
static size_t
count_names(const char *path)
{
	struct dir d = DIR_INIT;
	struct strvec names = STRVEC_INIT;
	struct err ignored;
	size_t n = 0;

	if (dir_open(&d, &in, path, &ignored) == 0 &&
	    dir_list(&d, &names, &ignored) == 0)
		n = names.n;
	strvec_release(&names);
	dir_close(&d);
	return n;
}

/* Tar, byte by byte. */

/* Write an octal field. */
static void
octal(char *field, size_t size, unsigned long long v)
{
	char text[24];

	snprintf(text, sizeof(text), "%0*llo", (int)size - 1, v);
	memcpy(field, text, size);
}

/* Put the check sum into a header. */
static void
tar_sum(char *h)
{
	unsigned int sum = 0;

	memset(h + 148, ' ', 8);
	for (int i = 0; i < 512; i++)
		sum += (unsigned char)h[i];
	octal(h + 148, 7, sum);
}

/* Append a ustar header; names that are too long are cut. */
static void
tar_header(struct buf *b, char type, const char *name, const char *link,
    unsigned long long size)
{
	char h[512] = { 0 };

	strncpy(h, name, 100);
	octal(h + 100, 8, 0644);
	octal(h + 108, 8, 0);
	octal(h + 116, 8, 0);
	octal(h + 124, 12, size);
	octal(h + 136, 12, 1);
	h[156] = type;
	if (link != NULL)
		strncpy(h + 157, link, 100);
	memcpy(h + 257, "ustar\00000", 8);
	octal(h + 329, 8, 0);
	octal(h + 337, 8, 0);
	tar_sum(h);
	buf_add(b, h, sizeof(h));
}

/* Append content and what fills the last block. */
static void
tar_data(struct buf *b, const void *data, size_t len)
{
	static const char zeros[512];

	buf_add(b, data, len);
	buf_add(b, zeros, (512 - len % 512) % 512);
}

static void
tar_file(struct buf *b, const char *name, const char *text)
{
	tar_header(b, '0', name, NULL, strlen(text));
	tar_data(b, text, strlen(text));
}

static void
tar_end(struct buf *b)
{
	static const char zeros[1024];

	buf_add(b, zeros, sizeof(zeros));
}

/* Append a pax header with one record. */
static void
tar_pax(struct buf *b, const char *key, const char *value)
{
	struct buf rec = BUF_INIT;
	size_t len = strlen(key) + strlen(value) + 3, digits = 1;

	for (size_t n = 10; len + digits >= n; n *= 10)
		digits++;
	buf_addf(&rec, "%zu %s=%s\n", len + digits, key, value);
	tar_header(b, 'x', "pax", NULL, rec.len);
	tar_data(b, rec.data, rec.len);
	buf_release(&rec);
}

/* A tar with one entry. */
static struct buf
tar_one(char type, const char *name, const char *link)
{
	struct buf b = BUF_INIT;

	tar_header(&b, type, name, link, 0);
	tar_end(&b);
	return b;
}

/* Any format, by libarchive. */

static la_ssize_t
append(struct archive *a, void *ctx, const void *data, size_t len)
{
	(void)a;
	buf_add(ctx, data, len);
	return (la_ssize_t)len;
}

/* Fill the last block with zeros, as bsdtar does when it writes to a pipe. */
static bool padded;

/* Begin an archive that goes to `b`. */
static struct archive *
begin(struct buf *b, int format, int filter)
{
	struct archive *a = archive_write_new();

	*b = (struct buf)BUF_INIT;
	if (archive_write_set_format(a, format) != ARCHIVE_OK ||
	    archive_write_add_filter(a, filter) != ARCHIVE_OK ||
	    archive_write_set_bytes_in_last_block(a, padded ? 0 : 1) !=
		ARCHIVE_OK ||
	    archive_write_open(a, b, NULL, append, NULL) != ARCHIVE_OK) {
		printf("# format %x filter %d: %s\n", (unsigned int)format,
		    filter, archive_error_string(a));
		archive_write_free(a);
		return NULL;
	}
	return a;
}

/* Add an entry. */
static void
add(struct archive *a, mode_t mode, const char *name, const char *data,
    size_t len)
{
	struct archive_entry *en = archive_entry_new();

	archive_entry_set_pathname(en, name);
	archive_entry_set_mode(en, mode);
	archive_entry_set_mtime(en, 1, 0);
	archive_entry_set_size(en, S_ISREG(mode) ? (la_int64_t)len : 0);
	if (S_ISLNK(mode))
		archive_entry_set_symlink(en, data);
	if (!CHECK(archive_write_header(a, en) >= ARCHIVE_WARN))
		printf("# %s\n", archive_error_string(a));
	if (S_ISREG(mode) && len > 0)
		CHECK(archive_write_data(a, data, len) == (la_ssize_t)len);
	archive_entry_free(en);
}

static void
add_text(struct archive *a, const char *name, const char *text)
{
	add(a, S_IFREG | 0644, name, text, strlen(text));
}

static void
end(struct archive *a)
{
	CHECK(archive_write_close(a) == ARCHIVE_OK);
	archive_write_free(a);
}

/* Bytes that do not compress. */
static char noise[200000];

/* A small site in any format. */
static bool
sample(struct buf *b, int format, int filter)
{
	struct archive *a = begin(b, format, filter);
	unsigned int seed = 1;

	if (a == NULL)
		return false;
	for (size_t i = 0; i < sizeof(noise); i++) {
		seed = seed * 1103515245 + 12345;
		noise[i] = (char)(seed >> 16);
	}
	add(a, S_IFDIR | 0700, "a", NULL, 0);
	add_text(a, "a/index.html", "<html>");
	add(a, S_IFREG | 0700, "a/run", "#!", 2);
	add(a, S_IFREG | 0600, "empty", NULL, 0);
	add(a, S_IFREG | 0644, "b/c/noise", noise, sizeof(noise));
	add(a, S_IFLNK | 0777, "b/link", "../a/index.html", 15);
	add_text(a, "z", "last");
	end(a);
	return true;
}

/* Is all of the sample there, and nothing else? */
static bool
sample_is_there(bool modes)
{
	return has_file("a/index.html", "<html>") && has_file("a/run", "#!") &&
	    has_file("empty", "") && has_file("z", "last") &&
	    has_bytes("b/c/noise", noise, sizeof(noise)) &&
	    has_link("b/link", "../a/index.html") && count_names(".") == 4 &&
	    count_names("a") == 2 && count_names("b") == 2 &&
	    (!modes ||
		(mode_of("a") == (S_IFDIR | 0755) &&
		    mode_of("b/c") == (S_IFDIR | 0755) &&
		    mode_of("a/run") == (S_IFREG | 0755) &&
		    mode_of("a/index.html") == (S_IFREG | 0644) &&
		    mode_of("empty") == (S_IFREG | 0644)));
}

/* Does it unpack to the sample? */
static bool
is_sample(const struct buf *b, enum feed feed)
{
	int r = try(b, feed, &plain);

	if (r != 0)
		printf("# %s\n", e.text);
	return r == 0 && sample_is_there(true);
}

static const int stream_formats[] = { ARCHIVE_FORMAT_TAR,
	ARCHIVE_FORMAT_TAR_USTAR, ARCHIVE_FORMAT_TAR_GNUTAR,
	ARCHIVE_FORMAT_TAR_PAX_INTERCHANGE, ARCHIVE_FORMAT_CPIO_POSIX,
	ARCHIVE_FORMAT_CPIO_SVR4_NOCRC };
static const int filters[] = { ARCHIVE_FILTER_NONE, ARCHIVE_FILTER_GZIP,
	ARCHIVE_FILTER_BZIP2, ARCHIVE_FILTER_XZ, ARCHIVE_FILTER_ZSTD,
	ARCHIVE_FILTER_LZ4 };

#define COUNT(v) (sizeof(v) / sizeof((v)[0]))

/* Tar and cpio through every filter, from a file and from a pipe. */
static void
test_streams(void)
{
	struct buf b;

	for (size_t i = 0; i < COUNT(stream_formats); i++)
		for (size_t k = 0; k < COUNT(filters); k++) {
			if (!CHECK(sample(&b, stream_formats[i], filters[k])))
				continue;
			CHECK(is_sample(&b, FROM_FILE));
			CHECK(is_sample(&b, FROM_PIPE));
			buf_release(&b);
		}
}

/* Zip (deflated and stored, with data descriptors) and 7z. */
static void
test_seekable(void)
{
	static const int formats[] = { ARCHIVE_FORMAT_ZIP,
		ARCHIVE_FORMAT_7ZIP };
	struct buf b;

	for (size_t i = 0; i < COUNT(formats); i++) {
		REQUIRE(sample(&b, formats[i], ARCHIVE_FILTER_NONE));
		CHECK(is_sample(&b, FROM_FILE));
		CHECK(is_sample(&b, FROM_PIPE));
		buf_release(&b);
	}
}

/* Not what a site comes in, or nothing at all. */
static void
test_not_an_archive(void)
{
	static const int others[] = { ARCHIVE_FORMAT_MTREE,
		ARCHIVE_FORMAT_SHAR, ARCHIVE_FORMAT_WARC, ARCHIVE_FORMAT_XAR,
		ARCHIVE_FORMAT_ISO9660 };
	struct buf b = BUF_INIT;
	struct archive *a;

	buf_reserve(&b, 1);
	CHECK(bad(&b, "is empty"));
	buf_adds(&b, "<html>");
	CHECK(bad(&b, "no archive"));
	buf_adds(&b, "PK");
	CHECK(bad(&b, "no archive"));
	buf_add(&b, "\x1f\x8b", 2);
	CHECK(bad(&b, "cut short"));
	for (int i = 0; i < 3000; i++)
		buf_adds(&b, "all work and no play ");
	CHECK(bad(&b, "no archive"));
	for (size_t i = 0; i < COUNT(others); i++) {
		a = begin(&b, others[i], ARCHIVE_FILTER_NONE);
		REQUIRE(a != NULL);
		add_text(a, "index.html", "x");
		end(a);
		CHECK(bad(&b, ""));
	}
}

/* Archives without entries. */
static void
test_empty(void)
{
	static const int formats[] = { ARCHIVE_FORMAT_TAR_USTAR,
		ARCHIVE_FORMAT_CPIO_SVR4_NOCRC, ARCHIVE_FORMAT_ZIP,
		ARCHIVE_FORMAT_7ZIP };
	struct archive *a;
	struct buf b;

	for (size_t i = 0; i < COUNT(formats); i++) {
		a = begin(&b, formats[i], ARCHIVE_FILTER_NONE);
		REQUIRE(a != NULL);
		end(a);
		CHECK(bad(&b, ""));
	}
	a = begin(&b, ARCHIVE_FORMAT_TAR_USTAR, ARCHIVE_FILTER_GZIP);
	end(a);
	CHECK(bad(&b, ""));
	/* The top alone is an archive; that it is empty others will say. */
	b = tar_one('5', "./", NULL);
	CHECK(good(&b) && count_names(".") == 0);
}

/* Cut anywhere: an error, or all is there (the padding is cut). */
static void
test_truncated(void)
{
	static const int formats[] = { ARCHIVE_FORMAT_TAR_PAX_INTERCHANGE,
		ARCHIVE_FORMAT_CPIO_POSIX, ARCHIVE_FORMAT_ZIP,
		ARCHIVE_FORMAT_7ZIP };
	struct buf b;

	for (size_t i = 0; i < COUNT(formats); i++)
		for (size_t k = 0; k < (i < 2 ? COUNT(filters) : 1); k++) {
			REQUIRE(sample(&b, formats[i], filters[k]));
			for (size_t n = b.len; n > 0;) {
				n -= n > 3000 ? n % 700 + 7000 : 23;
				if (n > b.len)
					break;
				b.len = n;
				CHECK(try(&b, FROM_FILE, &plain) != 0 ||
				    sample_is_there(true));
			}
			buf_release(&b);
		}
}

/* A tar that is cut between two entries, and other ends. */
static void
test_ends(void)
{
	struct buf b = BUF_INIT;
	static const char zeros[20000];

	tar_file(&b, "a", "1");
	CHECK(bad(&b, "cut short"));
	tar_file(&b, "a", "1");
	buf_add(&b, zeros, 512);
	CHECK(good(&b));
	tar_file(&b, "a", "1");
	tar_header(&b, '0', "b", NULL, 600);
	tar_data(&b, "x", 1);
	CHECK(bad(&b, "cut short"));
	/* Zeros that are content are no end. */
	tar_header(&b, '0', "a", NULL, 1024);
	buf_add(&b, zeros, 1024);
	CHECK(bad(&b, "without an end mark"));
	tar_file(&b, "a", "1");
	buf_add(&b, zeros, sizeof(zeros));
	CHECK(good(&b));
	tar_file(&b, "a", "1");
	tar_end(&b);
	tar_file(&b, "b", "2");
	tar_end(&b);
	CHECK(bad(&b, "something behind its end"));
	tar_file(&b, "a", "1");
	buf_add(&b, zeros, 512);
	buf_adds(&b, "x");
	CHECK(bad(&b, "something behind its end"));
	tar_file(&b, "a", "1");
	buf_add(&b, zeros, sizeof(zeros));
	for (int i = 0; i < 20; i++)
		buf_add(&b, zeros, sizeof(zeros));
	buf_adds(&b, "x");
	CHECK(bad(&b, "something behind its end"));
}

/* Zeros after the end mean nothing, but in zstd, where nobody reads them. */
static void
test_padded(void)
{
	struct buf b;

	padded = true;
	for (size_t k = 0; k < COUNT(filters); k++) {
		REQUIRE(sample(&b, ARCHIVE_FORMAT_TAR_USTAR, filters[k]));
		CHECK((filters[k] != ARCHIVE_FILTER_ZSTD) ==
		    is_sample(&b, FROM_PIPE));
		buf_release(&b);
	}
	REQUIRE(sample(&b, ARCHIVE_FORMAT_ZIP, ARCHIVE_FILTER_NONE));
	CHECK(is_sample(&b, FROM_PIPE));
	buf_release(&b);
	REQUIRE(
	    sample(&b, ARCHIVE_FORMAT_CPIO_SVR4_NOCRC, ARCHIVE_FILTER_NONE));
	CHECK(is_sample(&b, FROM_PIPE));
	buf_release(&b);
	padded = false;
}

/* One tar in pieces, each compressed by itself. */
static void
test_members(void)
{
	struct buf tar, b, all;

	for (size_t k = 1; k < COUNT(filters); k++) {
		REQUIRE(sample(&tar, ARCHIVE_FORMAT_TAR_USTAR,
		    ARCHIVE_FILTER_NONE));
		all = (struct buf)BUF_INIT;
		for (size_t at = 0, n; at < tar.len; at += n) {
			struct archive *a =
			    begin(&b, ARCHIVE_FORMAT_RAW, filters[k]);

			n = tar.len - at < 70000 ? tar.len - at : 70000;
			REQUIRE(a != NULL);
			add(a, S_IFREG | 0644, "x", tar.data + at, n);
			end(a);
			buf_add(&all, b.data, b.len);
			buf_release(&b);
		}
		CHECK(good(&all));
		CHECK(sample_is_there(true));
		buf_release(&tar);
	}
}

/* A bit that flips in compressed data is found, or does not matter. */
static void
test_flipped(void)
{
	static const int tries[][2] = {
		{ ARCHIVE_FORMAT_TAR_USTAR, ARCHIVE_FILTER_GZIP },
		{ ARCHIVE_FORMAT_TAR_USTAR, ARCHIVE_FILTER_BZIP2 },
		{ ARCHIVE_FORMAT_TAR_USTAR, ARCHIVE_FILTER_XZ },
		{ ARCHIVE_FORMAT_TAR_USTAR, ARCHIVE_FILTER_LZ4 },
		{ ARCHIVE_FORMAT_ZIP, ARCHIVE_FILTER_NONE },
	};
	struct buf b;

	for (size_t i = 0; i < COUNT(tries); i++) {
		REQUIRE(sample(&b, tries[i][0], tries[i][1]));
		/* The directory of a zip has modes and no check sum. */
		for (size_t at = 40; at < b.len - 2000; at += 9777) {
			b.data[at] ^= 0x10;
			CHECK(try(&b, FROM_FILE, &plain) != 0 ||
			    sample_is_there(true));
			b.data[at] ^= 0x10;
		}
		buf_release(&b);
	}
}

/* Names that must not be. */
static void
test_bad_names(void)
{
	static const struct {
		const char *name, *text;
	} cases[] = {
		{ "/abs", "absolute" },
		{ "//abs", "absolute" },
		{ "..", "'..' component" },
		{ "../out/x", "'..' component" },
		{ "a/../../out/x", "'..' component" },
		{ "a/..", "'..' component" },
		{ "./../out/x", "'..' component" },
		{ "a\nb", "control character" },
		{ "a/\033[2J", "control character" },
		{ "\177", "control character" },
	};
	char longer[257];
	struct buf b;

	for (size_t i = 0; i < COUNT(cases); i++) {
		for (const char *type = "0521"; *type != '\0'; type++) {
			b = tar_one(*type, cases[i].name, "x");
			CHECK(bad(&b, cases[i].text));
		}
		b = (struct buf)BUF_INIT;
		tar_pax(&b, "path", cases[i].name);
		tar_file(&b, "harmless", "x");
		tar_end(&b);
		CHECK(bad(&b, cases[i].text));
	}
	b = tar_one('0', "", NULL);
	CHECK(bad(&b, "without a name"));
	b = tar_one('0', ".", NULL);
	CHECK(bad(&b, "no directory"));
	memset(longer, 'n', 256);
	longer[256] = '\0';
	b = (struct buf)BUF_INIT;
	tar_pax(&b, "path", longer);
	tar_file(&b, "x", "x");
	tar_end(&b);
	CHECK(bad(&b, "longer than 255"));
}

/* Too long, too deep. */
static void
test_long_names(void)
{
	struct buf path = BUF_INIT, b = BUF_INIT;

	for (int i = 0; i < 16; i++)
		for (int k = 0; k < 256; k++)
			buf_addc(&path, k < 255 ? 'n' : '/');
	path.data[4095] = '\0';
	tar_pax(&b, "path", path.data);
	tar_file(&b, "x", "deep");
	tar_end(&b);
	CHECK(good(&b));
	path.data[4095] = 'n';
	tar_pax(&b, "path", path.data);
	tar_file(&b, "x", "deep");
	tar_end(&b);
	CHECK(bad(&b, "longer than 4095"));
	buf_reset(&path);
	for (int i = 0; i < 255; i++)
		buf_adds(&path, "a/");
	buf_adds(&path, "f");
	tar_pax(&b, "path", path.data);
	tar_file(&b, "x", "deep");
	tar_end(&b);
	CHECK(good(&b) && has_file(path.data, "deep"));
	buf_adds(&path, "/f");
	tar_pax(&b, "path", path.data);
	tar_file(&b, "x", "deep");
	tar_end(&b);
	CHECK(bad(&b, "nested deeper"));
	buf_release(&path);
}

/* The same place, spelled in other ways. */
static void
test_spellings(void)
{
	struct buf b = BUF_INIT;

	tar_header(&b, '5', ".", NULL, 0);
	tar_header(&b, '5', "./", NULL, 0);
	tar_file(&b, "./a//b/./c", "1");
	tar_file(&b, "././d", "2");
	tar_file(&b, "...", "3");
	tar_file(&b, "..x", "4");
	tar_header(&b, '0', "old-dir/", NULL, 0);
	tar_header(&b, '5', "late/", NULL, 0);
	tar_end(&b);
	CHECK(good(&b));
	CHECK(has_file("a/b/c", "1") && has_file("d", "2") &&
	    has_file("...", "3") && has_file("..x", "4"));
	CHECK(S_ISDIR(mode_of("old-dir")) && S_ISDIR(mode_of("late")));
}

/* Names are bytes: in every format that has bytes. */
static void
test_byte_names(void)
{
	static const char *const names[] = { "nfc-\xc3\xbc", "nfd-u\xcc\x88",
		"latin-\xfc", "\xff\xfe", "\xe6\x97\xa5\xe6\x9c\xac/\xc3\xa9",
		"back\\slash/x", "semi;colon %41 'quoted'" };
	/* A zip that does not tell the character set is refused, too. */
	static const bool is_utf8[COUNT(names)] = { true, true, false, false,
		true, true, true };
	static const int formats[] = { ARCHIVE_FORMAT_TAR_USTAR,
		ARCHIVE_FORMAT_TAR_GNUTAR, ARCHIVE_FORMAT_CPIO_SVR4_NOCRC,
		ARCHIVE_FORMAT_ZIP };
	struct archive *a;
	struct buf b;

	for (size_t i = 0; i < COUNT(formats); i++) {
		a = begin(&b, formats[i], ARCHIVE_FILTER_NONE);
		REQUIRE(a != NULL);
		for (size_t k = 0; k < COUNT(names); k++)
			if (formats[i] != ARCHIVE_FORMAT_ZIP || is_utf8[k])
				add_text(a, names[k], names[k]);
		end(a);
		CHECK(good(&b));
		for (size_t k = 0; k < COUNT(names); k++)
			if (formats[i] != ARCHIVE_FORMAT_ZIP || is_utf8[k])
				CHECK(has_file(names[k], names[k]));
	}
	b = (struct buf)BUF_INIT;
	for (size_t k = 0; k < COUNT(names); k++) {
		tar_pax(&b, "path", names[k]);
		tar_file(&b, "x", names[k]);
		tar_pax(&b, "linkpath", names[k]);
		tar_header(&b, '2', "link", "x", 0);
		tar_pax(&b, "linkpath", names[k]);
		tar_header(&b, '1', "hard", "x", 0);
		tar_end(&b);
		CHECK(good(&b));
		CHECK(has_file(names[k], names[k]));
		CHECK(has_link("link", names[k]));
		CHECK(same_file("hard", names[k]));
	}
}

/* Names of 255 bytes and long paths, as GNU and pax write them. */
static void
test_long_forms(void)
{
	static const int formats[] = { ARCHIVE_FORMAT_TAR_GNUTAR,
		ARCHIVE_FORMAT_TAR_PAX_INTERCHANGE, ARCHIVE_FORMAT_ZIP,
		ARCHIVE_FORMAT_7ZIP, ARCHIVE_FORMAT_CPIO_SVR4_NOCRC };
	char name[256], path[520];
	struct archive *a;
	struct buf b;

	memset(name, 'n', 255);
	name[255] = '\0';
	snprintf(path, sizeof(path), "%s/%s", name, name);
	for (size_t i = 0; i < COUNT(formats); i++) {
		a = begin(&b, formats[i], ARCHIVE_FILTER_NONE);
		REQUIRE(a != NULL);
		add_text(a, path, "x");
		add(a, S_IFLNK | 0777, "l", path, 0);
		end(a);
		CHECK(good(&b) && has_file(path, "x") && has_link("l", path));
	}
}

/* Symbolic links: out of the tree, and through them. */
static void
test_symlinks(void)
{
	static const struct {
		const char *path, *target;
		bool fine;
	} cases[] = {
		{ "a", "b", true },
		{ "d/a", "../b", true },
		{ "d/a", "./x/y", true },
		{ "a", "../b", false },
		{ "d/a", "../../b", false },
		{ "a", "/etc/passwd", false },
		{ "a", "x/../../b", false },
		{ "a", "", false },
		{ "a", "x\ny", false },
	};
	struct buf b;

	for (size_t i = 0; i < COUNT(cases); i++) {
		b = tar_one('2', cases[i].path, cases[i].target);
		if (cases[i].fine)
			CHECK(good(&b) &&
			    has_link(cases[i].path, cases[i].target));
		else
			CHECK(bad(&b, cases[i].path));
	}
}

/* No file may be made through a symbolic link. */
static void
test_through_symlink(void)
{
	struct buf b = BUF_INIT;

	tar_header(&b, '5', "real", NULL, 0);
	tar_header(&b, '2', "s", "real", 0);
	tar_file(&b, "s/x", "1");
	tar_end(&b);
	CHECK(bad(&b, "below 's'"));
	CHECK(count_names("real") == 0);
	tar_header(&b, '5', "real/sub", NULL, 0);
	tar_header(&b, '2', "s", "real", 0);
	tar_header(&b, '5', "s/sub/x", NULL, 0);
	tar_end(&b);
	CHECK(bad(&b, "below 's'"));
	/* A hard link's target, too. */
	tar_file(&b, "real/f", "1");
	tar_header(&b, '2', "s", "real", 0);
	tar_header(&b, '1', "h", "s/f", 0);
	tar_end(&b);
	CHECK(bad(&b, "'s/f'"));
	/* A directory that was open already becomes a link. */
	tar_file(&b, "d/f", "1");
	tar_header(&b, '2', "d", "e", 0);
	tar_file(&b, "d/g", "1");
	tar_end(&b);
	CHECK(bad(&b, "'d' twice"));
	tar_header(&b, '5', "d", NULL, 0);
	tar_header(&b, '5', "e", NULL, 0);
	tar_header(&b, '2', "d", "e", 0);
	tar_file(&b, "d/g", "1");
	tar_end(&b);
	CHECK(bad(&b, "below 'd'"));
	CHECK(count_names("e") == 0);
	/* A file that comes where a link is replaces the link. */
	tar_file(&b, "t", "old");
	tar_header(&b, '2', "s", "t", 0);
	tar_file(&b, "s", "new");
	tar_end(&b);
	CHECK(good(&b));
	CHECK(has_file("t", "old") && has_file("s", "new"));
}

static void
test_hard_links(void)
{
	static const struct {
		const char *target, *text;
	} cases[] = {
		{ "no", "not an earlier file" },
		{ "d", "not an earlier file" },
		{ "f/x", "not an earlier file" },
		{ "s/x", "not an earlier file" },
		{ "h", "not an earlier file" },
		{ "../out", "'..' component" },
		{ "/etc/passwd", "absolute" },
		{ ".", "empty component" },
		{ "", "without a name" },
	};
	struct buf b = BUF_INIT;

	tar_file(&b, "d/f", "1");
	tar_header(&b, '1', "e/h", "./d//f", 0);
	tar_header(&b, '1', "e/h", "d/f", 0);
	tar_header(&b, '1', "d/f", "d/f", 0);
	tar_end(&b);
	CHECK(good(&b));
	CHECK(has_file("d/f", "1") && same_file("d/f", "e/h"));
	for (size_t i = 0; i < COUNT(cases); i++) {
		tar_file(&b, "f", "1");
		tar_file(&b, "d/f", "1");
		tar_header(&b, '2', "s", "f", 0);
		tar_header(&b, '1', "h", cases[i].target, 0);
		tar_end(&b);
		CHECK(bad(&b, cases[i].text));
	}
}

/* Of a symbolic link another one is made, as safe as any. */
static void
test_hard_links_to_symlinks(void)
{
	static const int formats[] = { ARCHIVE_FORMAT_CPIO_SVR4_NOCRC,
		ARCHIVE_FORMAT_CPIO_POSIX, ARCHIVE_FORMAT_TAR_USTAR,
		ARCHIVE_FORMAT_TAR_PAX_RESTRICTED };
	static const char *const names[] = { "s", "h", "d/g" };
	struct buf b = BUF_INIT;

	tar_file(&b, "f", "1");
	tar_file(&b, "d/f", "2");
	tar_header(&b, '2', "s", "f", 0);
	tar_header(&b, '1', "h", "s", 0);
	tar_header(&b, '1', "d/h", "h", 0);
	tar_header(&b, '1', "s", "s", 0);
	tar_end(&b);
	CHECK(good(&b));
	CHECK(
	    has_link("s", "f") && has_link("h", "f") && has_link("d/h", "f"));
	tar_file(&b, "f", "1");
	tar_header(&b, '2', "d/s", "../f", 0);
	tar_header(&b, '1', "h", "d/s", 0);
	tar_end(&b);
	CHECK(bad(&b, "leaves the tree"));
	for (size_t i = 0; i < COUNT(formats); i++) {
		struct archive *a = begin(&b, formats[i], ARCHIVE_FILTER_NONE);

		REQUIRE(a != NULL);
		for (size_t k = 0; k < COUNT(names); k++) {
			struct archive_entry *en = archive_entry_new();

			archive_entry_set_pathname(en, names[k]);
			archive_entry_set_mode(en, S_IFLNK | 0777);
			archive_entry_set_nlink(en, 3);
			archive_entry_set_ino(en, 7);
			if (i < 2 || k == 0)
				archive_entry_set_symlink(en, "f");
			else
				archive_entry_set_hardlink(en, "s");
			archive_entry_set_size(en, 0);
			CHECK(archive_write_header(a, en) == ARCHIVE_OK);
			archive_entry_free(en);
		}
		CHECK(archive_write_close(a) == ARCHIVE_OK);
		archive_write_free(a);
		CHECK(good(&b));
		for (size_t k = 0; k < COUNT(names); k++)
			CHECK(has_link(names[k], "f"));
	}
}

/* Pax allows a hard link to bring its content along. */
static void
test_hard_link_with_content(void)
{
	struct archive *a;
	struct buf b = BUF_INIT;

	tar_pax(&b, "comment", "makes it pax");
	tar_file(&b, "f", "one");
	tar_header(&b, '1', "h", "f", 3);
	tar_data(&b, "two", 3);
	tar_end(&b);
	CHECK(good(&b));
	CHECK(has_file("f", "one") && has_file("h", "two"));
	/* In a newc cpio the last name has the content. */
	for (int last = 0; last < 2; last++) {
		a = begin(&b, ARCHIVE_FORMAT_CPIO_SVR4_NOCRC,
		    ARCHIVE_FILTER_NONE);
		REQUIRE(a != NULL);
		for (int i = 0; i < 3; i++) {
			struct archive_entry *en = archive_entry_new();
			bool full = i == (last ? 2 : 0);

			archive_entry_set_pathname(en,
			    i == 0     ? "a/x" :
				i == 1 ? "b" :
					 "c/x");
			archive_entry_set_mode(en, S_IFREG | 0644);
			archive_entry_set_nlink(en, 3);
			archive_entry_set_ino(en, 7);
			archive_entry_set_size(en, full ? 4 : 0);
			archive_write_header(a, en);
			if (full)
				archive_write_data(a, "text", 4);
			archive_entry_free(en);
		}
		end(a);
		if (last) {
			struct strvec ex = STRVEC_INIT;
			struct unpack_options opt = { .exclude = &ex };

			CHECK(try(&b, FROM_FILE, &plain) == 0);
			strvec_add(&ex, "c");
			CHECK(try(&b, FROM_FILE, &opt) != 0);
			strvec_release(&ex);
		}
		CHECK(good(&b));
		CHECK(has_file("a/x", "text") && same_file("a/x", "b") &&
		    same_file("a/x", "c/x"));
	}
}

/* Devices, FIFOs and kinds of entries that nobody knows. */
static void
test_specials(void)
{
	struct buf b;
	struct archive *a;

	for (const char *type = "346M"; *type != '\0'; type++) {
		b = tar_one(*type, "special", NULL);
		CHECK(bad(&b, "is a device"));
	}
	a = begin(&b, ARCHIVE_FORMAT_CPIO_SVR4_NOCRC, ARCHIVE_FILTER_NONE);
	REQUIRE(a != NULL);
	add(a, S_IFSOCK | 0644, "socket", NULL, 0);
	end(a);
	CHECK(bad(&b, "is a device"));
}

/* Entries that come twice. */
static void
test_twice(void)
{
	struct buf b = BUF_INIT;

	tar_file(&b, "f", "long old text");
	tar_header(&b, '1', "h", "f", 0);
	tar_file(&b, "f", "new");
	tar_header(&b, '2', "l", "one", 0);
	tar_header(&b, '2', "l", "two", 0);
	tar_file(&b, "ff", "x");
	tar_header(&b, '2', "ff", "f", 0);
	tar_header(&b, '2', "fd", "f", 0);
	tar_header(&b, '5', "fd", NULL, 0);
	tar_file(&b, "fe", "x");
	tar_header(&b, '5', "fe/", NULL, 0);
	tar_file(&b, "fe/x", "1");
	tar_header(&b, '5', "fe", NULL, 0);
	tar_header(&b, '5', "void", NULL, 0);
	tar_file(&b, "void", "was a directory");
	tar_header(&b, '1', "h2", "f", 0);
	tar_file(&b, "h2", "own");
	tar_end(&b);
	CHECK(good(&b));
	CHECK(has_file("f", "new") && has_file("h", "long old text"));
	CHECK(has_link("l", "two") && has_link("ff", "f"));
	CHECK(S_ISDIR(mode_of("fd")) && has_file("fe/x", "1"));
	CHECK(has_file("void", "was a directory") && has_file("h2", "own"));
	tar_file(&b, "d/f", "1");
	tar_file(&b, "d", "2");
	tar_end(&b);
	CHECK(bad(&b, "'d' twice"));
	tar_file(&b, "d", "1");
	tar_file(&b, "d/f", "2");
	tar_end(&b);
	CHECK(bad(&b, "below 'd'"));
}

/* Directories after their files, and many in turn. */
static void
test_directories(void)
{
	struct buf b = BUF_INIT;
	char name[64];

	for (int i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "d%d/e%d/f%d", i % 3, i % 7, i);
		tar_file(&b, name, name);
	}
	for (int i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "d%d", i);
		tar_header(&b, '5', name, NULL, 0);
	}
	tar_end(&b);
	CHECK(good(&b));
	for (int i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "d%d/e%d/f%d", i % 3, i % 7, i);
		CHECK(has_file(name, name));
	}
}

/* Sparse files as GNU tar 1.29 writes them, and the old kind. */
static void
test_sparse(void)
{
	struct archive *a;
	struct archive_entry *en;
	static char want[300000];
	char h[512];
	struct buf b;

	memcpy(want + 100000, "middle", 6);
	a = begin(&b, ARCHIVE_FORMAT_TAR_PAX_INTERCHANGE, ARCHIVE_FILTER_NONE);
	REQUIRE(a != NULL);
	en = archive_entry_new();
	archive_entry_set_pathname(en, "sparse");
	archive_entry_set_mode(en, S_IFREG | 0644);
	archive_entry_set_size(en, sizeof(want));
	archive_entry_sparse_add_entry(en, 100000, 6);
	archive_write_header(a, en);
	archive_write_data(a, want, sizeof(want));
	archive_entry_free(en);
	end(a);
	CHECK(good(&b));
	CHECK(has_bytes("sparse", want, sizeof(want)));

	/* Old: type S, a map in the header, the size at 483. */
	for (int lie = 0; lie < 4; lie++) {
		tar_header(&b, 'S', "old", NULL, 6);
		memcpy(h, b.data, 512);
		memcpy(h + 257, "ustar  ", 8);
		octal(h + 386, 12, lie == 1 ? 299999 : 100000);
		octal(h + 398, 12, lie == 2 ? 600 : 3);
		octal(h + 410, 12, lie == 3 ? 50 : 100003);
		octal(h + 422, 12, 3);
		octal(h + 483, 12, sizeof(want));
		tar_sum(h);
		memcpy(b.data, h, 512);
		tar_data(&b, "middle", 6);
		tar_end(&b);
		if (lie != 0) {
			CHECK(bad(&b, "damaged"));
			continue;
		}
		CHECK(good(&b));
		CHECK(has_bytes("old", want, sizeof(want)));
	}
}

/* More than is allowed: in sum, announced, in holes, in number. */
static void
test_bounds(void)
{
	const struct unpack_options small = { .max_bytes = 1000 },
				    few = { .max_entries = 3 };
	static char zeros[2000];
	struct archive *a;
	struct buf b = BUF_INIT;

	tar_header(&b, '0', "huge", NULL, 077777777777);
	CHECK(bad_with(&b, &small, ERR_GUARD, "more content"));
	tar_header(&b, '0', "huge", NULL, 077777777777);
	CHECK(bad(&b, "cut short"));
	tar_header(&b, '0', "one", NULL, 600);
	tar_data(&b, zeros, 600);
	tar_header(&b, '0', "two", NULL, 400);
	tar_data(&b, zeros, 400);
	tar_end(&b);
	CHECK(try(&b, FROM_FILE, &small) == 0);
	b.len -= 1024;
	tar_file(&b, "three", "x");
	tar_end(&b);
	CHECK(bad_with(&b, &small, ERR_GUARD, "more content"));
	tar_pax(&b, "SCHILY.realsize", "1000000000000");
	tar_file(&b, "bomb", "x");
	tar_end(&b);
	CHECK(bad_with(&b, &small, ERR_GUARD, "more content"));
	for (int i = 0; i < 4; i++)
		tar_file(&b, "same", "x");
	tar_end(&b);
	CHECK(bad_with(&b, &few, ERR_GUARD, "more entries"));
	a = begin(&b, ARCHIVE_FORMAT_ZIP, ARCHIVE_FILTER_NONE);
	for (int i = 0; i < 4; i++)
		add(a, S_IFREG | 0644, i % 2 ? "x" : "y", zeros, 300);
	end(a);
	CHECK(try(&b, FROM_PIPE, &few) != 0 && e.code == ERR_GUARD);
	CHECK(bad_with(&b, &small, ERR_GUARD, "more content"));
}

/* A header that never ends must not fill the memory. */
static void
test_endless_header(void)
{
	struct buf b;
	struct archive *a = begin(&b, ARCHIVE_FORMAT_RAW, ARCHIVE_FILTER_GZIP);
	static char head[111], zeros[1 << 20];
	struct archive_entry *en = archive_entry_new();

	REQUIRE(a != NULL);
	snprintf(head, sizeof(head),
	    "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X", 1,
	    0100644, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0x70000000, 0);
	archive_entry_set_mode(en, S_IFREG | 0644);
	archive_entry_set_pathname(en, "x");
	archive_write_header(a, en);
	archive_entry_free(en);
	archive_write_data(a, head, 110);
	for (int i = 0; i < 64; i++)
		archive_write_data(a, zeros, sizeof(zeros));
	end(a);
	CHECK(bad(&b, "a header of more than"));
}

/* Reading fails at once, and in the middle. */
static void
test_read_error(void)
{
	int fd, p[2];
	struct buf b;

	fresh();
	fd = open("/", O_RDONLY);
	CHECK(unpack(fd, "test", &in, &plain, &excluded, &e) == -1);
	CHECK(e.code == ERR_FAILED && e.sys == EISDIR);
	close(fd);
	for (size_t k = 0; k < COUNT(filters); k++) {
		REQUIRE(sample(&b, ARCHIVE_FORMAT_TAR_USTAR, filters[k]));
		REQUIRE(pipe2(p, O_NONBLOCK) == 0);
		REQUIRE(io_write(p[1], b.data, 60000) == 0);
		fresh();
		/* The pipe is empty then, but open: EAGAIN. */
		CHECK(unpack(p[0], "test", &in, &plain, &excluded, &e) == -1);
		CHECK(e.code == ERR_FAILED && e.sys == EAGAIN);
		close(p[0]);
		close(p[1]);
		buf_release(&b);
	}
}

/* What is left out is counted once, with all that is below it. */
static void
test_exclude(void)
{
	struct strvec ex = STRVEC_INIT;
	struct unpack_options opt = { .exclude = &ex };
	struct buf b = BUF_INIT;

	strvec_add(&ex, "*.map");
	strvec_add(&ex, "drafts/");
	tar_header(&b, '5', ".git", NULL, 0);
	tar_file(&b, ".git/config", "x");
	tar_header(&b, '3', ".git/device", NULL, 0);
	tar_file(&b, ".git/a\nb", "x");
	tar_file(&b, "sub/.git", "gitdir: x");
	tar_file(&b, "sub/.git2", "kept");
	tar_file(&b, ".gitignore", "kept");
	tar_file(&b, "a.map", "x");
	tar_file(&b, "a.map/b.map/c", "x");
	tar_file(&b, "a.mapped", "kept");
	tar_file(&b, "drafts/1/x", "x");
	tar_file(&b, "drafts/2", "x");
	tar_end(&b);
	CHECK(try(&b, FROM_FILE, &opt) == 0);
	CHECK(excluded == 4);
	CHECK(count_names(".") == 3 && count_names("sub") == 1);
	CHECK(has_file("sub/.git2", "kept") && has_file(".gitignore", "kept"));
	buf_reset(&b);
	tar_file(&b, "drafts/1", "x");
	tar_header(&b, '1', "one", "drafts/1", 0);
	tar_end(&b);
	CHECK(bad_with(&b, &opt, ERR_INTEGRITY, "which is excluded"));
	strvec_release(&ex);
}

static void
test_strip(void)
{
	struct strvec ex = STRVEC_INIT;
	struct unpack_options opt = { .strip = true, .exclude = &ex };
	struct buf b = BUF_INIT;

	strvec_add(&ex, "__MACOSX");
	strvec_add(&ex, "site");
	tar_header(&b, '5', "./", NULL, 0);
	tar_header(&b, '5', "./site/", NULL, 0);
	tar_file(&b, "site/index.html", "x");
	tar_header(&b, '2', "site/a/up", "../index.html", 0);
	tar_header(&b, '1', "site/hard", "./site/index.html", 0);
	tar_file(&b, "__MACOSX/junk", "x");
	tar_file(&b, "site/b/__MACOSX/junk", "x");
	tar_end(&b);
	CHECK(try(&b, FROM_FILE, &opt) == 0);
	CHECK(excluded == 2 && count_names(".") == 3);
	CHECK(has_file("index.html", "x") && same_file("index.html", "hard"));
	buf_reset(&b);
	tar_file(&b, "one/x", "x");
	tar_file(&b, "two/x", "x");
	tar_end(&b);
	CHECK(bad_with(&b, &opt, ERR_INTEGRITY, "'two/x' is not in"));
	tar_file(&b, "one", "x");
	tar_end(&b);
	CHECK(bad_with(&b, &opt, ERR_INTEGRITY, "'one' is not a directory"));
	tar_file(&b, "../x", "x");
	tar_end(&b);
	CHECK(bad_with(&b, &opt, ERR_INTEGRITY, "'..' component"));
	tar_header(&b, '2', "site/up", "../other", 0);
	tar_end(&b);
	CHECK(bad_with(&b, &opt, ERR_INTEGRITY, "leaves the tree"));
	tar_header(&b, '1', "site/h", "other/x", 0);
	tar_end(&b);
	CHECK(bad_with(&b, &opt, ERR_INTEGRITY, "'other/x' is not in"));
	strvec_release(&ex);
}

/* Zip, byte by byte. */

struct zip_spec {
	const char *local, *central; /* names; NULL: the same */
	const char *data;
	uint16_t flags;
	uint32_t attributes;
	const char *extra; /* of the central header */
	size_t extra_len;
	int64_t offset; /* of the local header, when not 0 */
};

static void
le(struct buf *b, size_t n, uint64_t v)
{
	for (; n > 0; n--, v >>= 8)
		buf_addc(b, (char)v);
}

/* The CRC of zip and gzip. */
static uint32_t
crc(const char *p)
{
	uint32_t c = 0xffffffff;

	for (; *p != '\0'; p++) {
		c ^= (unsigned char)*p;
		for (int i = 0; i < 8; i++)
			c = c >> 1 ^ (c & 1 ? 0xedb88320 : 0);
	}
	return ~c;
}

/* What the local and the central header have in common. */
static void
zip_common(struct buf *b, const struct zip_spec *s, const char *name,
    size_t extra)
{
	le(b, 2, 20);
	le(b, 2, s->flags);
	le(b, 2, 0);
	le(b, 4, 0x58210000);
	le(b, 4, crc(s->data));
	le(b, 4, strlen(s->data));
	le(b, 4, strlen(s->data));
	le(b, 2, strlen(name));
	le(b, 2, extra);
}

/* Make a zip of stored entries; with zip64, its end records say so. */
static struct buf
make_zip(const struct zip_spec *s, size_t n, bool zip64)
{
	struct buf b = BUF_INIT, dir = BUF_INIT;
	size_t start;

	for (size_t i = 0; i < n; i++) {
		const char *name =
		    s[i].central != NULL ? s[i].central : s[i].local;
		size_t at = s[i].offset != 0 ? (size_t)s[i].offset : b.len;

		le(&dir, 4, 0x02014b50);
		le(&dir, 2, 3 << 8 | 20);
		zip_common(&dir, &s[i], name, s[i].extra_len);
		le(&dir, 6, 0);
		le(&dir, 4,
		    s[i].attributes != 0 ? s[i].attributes : 0100644u << 16);
		le(&dir, 4, at);
		buf_adds(&dir, name);
		buf_add(&dir, s[i].extra, s[i].extra_len);
		le(&b, 4, 0x04034b50);
		zip_common(&b, &s[i], s[i].local, 0);
		buf_adds(&b, s[i].local);
		buf_adds(&b, s[i].data);
	}
	start = b.len;
	buf_add(&b, dir.data, dir.len);
	if (zip64) {
		le(&b, 4, 0x06064b50);
		le(&b, 8, 44);
		le(&b, 4, 0);
		le(&b, 8, 0);
		le(&b, 8, n);
		le(&b, 8, n);
		le(&b, 8, dir.len);
		le(&b, 8, start);
		le(&b, 4, 0x07064b50);
		le(&b, 4, 0);
		le(&b, 8, start + dir.len);
		le(&b, 4, 1);
	}
	le(&b, 4, 0x06054b50);
	le(&b, 4, 0);
	le(&b, 2, zip64 ? 0xffff : n);
	le(&b, 2, zip64 ? 0xffff : n);
	le(&b, 4, zip64 ? 0xffffffff : dir.len);
	le(&b, 4, zip64 ? 0xffffffff : start);
	le(&b, 2, 0);
	buf_release(&dir);
	return b;
}

enum { ZIP_UTF8 = 0x800, ZIP_ENCRYPTED = 1 };

/* Zips that are not what they say. */
static void
test_zip_lies(void)
{
	static const struct {
		struct zip_spec spec;
		const char *text;
	} cases[] = {
		{ { .local = "/abs", .data = "x" }, "absolute" },
		{ { .local = "../x", .data = "x" }, "'..' component" },
		{ { .local = "a\nb", .data = "x" }, "control character" },
		{ { .local = "x", .data = "x", .flags = ZIP_ENCRYPTED },
		    "encrypted" },
		{ { .local = "x",
		      .data = "../y",
		      .attributes = 0120777u << 16 },
		    "leaves the tree" },
		{ { .local = "x", .data = "x", .attributes = 020644u << 16 },
		    "is a device" },
		{ { .local = "dir/", .data = "x" }, "content of a file" },
		{ { .local = "x", .data = "x", .offset = 1 }, "" },
		{ { .local = "x", .data = "x", .offset = 1000000 }, "" },
		{ { .local = "", .data = "x" }, "without a name" },
	};
	struct zip_spec two[] = { { .local = "a", .data = "x" },
		{ .local = "b", .data = "x", .offset = 10 } };
	struct buf b;

	for (size_t i = 0; i < COUNT(cases); i++) {
		b = make_zip(&cases[i].spec, 1, false);
		CHECK(bad(&b, cases[i].text));
	}
	b = make_zip(two, 2, false);
	CHECK(bad(&b, ""));
	b = make_zip(two, 1, false);
	b.data[31] ^= 1;
	CHECK(bad(&b, "CRC"));
}

/* What warns in libarchive and would lose something. */
static void
test_warnings(void)
{
	struct buf b = BUF_INIT;

	tar_header(&b, 'x', "pax", NULL, 20);
	tar_data(&b, "19 path=elsewhere!!\n", 20);
	tar_file(&b, "x", "x");
	tar_end(&b);
	CHECK(bad(&b, "pax"));
	for (int i = 0; i < 40; i++)
		tar_pax(&b, "comment", "x");
	tar_file(&b, "x", "x");
	tar_end(&b);
	CHECK(bad(&b, "damaged"));
	tar_pax(&b, "SCHILY.acl.access", "nonsense");
	tar_file(&b, "x", "x");
	tar_end(&b);
	CHECK(good(&b));
	tar_file(&b, "x", "x");
	b.data[0] = 'y';
	tar_end(&b);
	CHECK(bad(&b, ""));
}

/* libarchive would skip over a damaged cpio header in silence. */
static void
test_cpio_damage(void)
{
	struct buf b;
	struct archive *a =
	    begin(&b, ARCHIVE_FORMAT_CPIO_SVR4_NOCRC, ARCHIVE_FILTER_NONE);

	REQUIRE(a != NULL);
	add_text(a, "first", "x");
	add_text(a, "second", "y");
	end(a);
	for (size_t i = 6; i + 6 < b.len; i++)
		if (memcmp(b.data + i, "070701", 6) == 0) {
			b.data[i] = 'x';
			break;
		}
	CHECK(bad(&b, "damaged"));
}

/* What is left out may be longer than any header. */
static void
test_large_left_out(void)
{
	static const int formats[] = { ARCHIVE_FORMAT_TAR_USTAR,
		ARCHIVE_FORMAT_CPIO_SVR4_NOCRC, ARCHIVE_FORMAT_ZIP };
	static char zeros[20 << 20];
	struct archive *a;
	struct buf b;

	for (size_t i = 0; i < COUNT(formats); i++) {
		a = begin(&b, formats[i], ARCHIVE_FILTER_NONE);
		REQUIRE(a != NULL);
		add(a, S_IFREG | 0644, ".git/pack", zeros, sizeof(zeros));
		add_text(a, "index.html", "x");
		end(a);
		CHECK(good(&b));
		CHECK(has_file("index.html", "x") && count_names(".") == 1);
		CHECK(excluded == 1);
	}
}

/* Writing fails. */
static void
test_write_error(void)
{
	struct rlimit old, low;
	struct buf b;

	signal(SIGXFSZ, SIG_IGN);
	REQUIRE(getrlimit(RLIMIT_FSIZE, &old) == 0);
	low = old;
	low.rlim_cur = 100000;
	for (size_t i = 0; i < 2; i++) {
		REQUIRE(sample(&b,
		    i == 0 ? ARCHIVE_FORMAT_TAR_USTAR : ARCHIVE_FORMAT_ZIP,
		    ARCHIVE_FILTER_NONE));
		int fd = i == 0 ? as_file(&b) : as_pipe(&b);

		fresh();
		REQUIRE(setrlimit(RLIMIT_FSIZE, &low) == 0);
		CHECK(unpack(fd, "test", &in, &plain, &excluded, &e) == -1);
		CHECK(setrlimit(RLIMIT_FSIZE, &old) == 0);
		CHECK(e.code == ERR_FAILED && e.sys == EFBIG);
		close(fd);
		buf_release(&b);
	}
	while (wait(NULL) > 0)
		;
}

/* Modes are the same under any umask; progress tells every size. */
static void
add_up(void *ctx, int64_t bytes)
{
	*(int64_t *)ctx += bytes;
}

static void
test_umask_and_progress(void)
{
	int64_t sum = 0;
	const struct unpack_options opt = { .progress = add_up,
		.progress_ctx = &sum };
	mode_t old = umask(077);
	struct buf b;

	REQUIRE(sample(&b, ARCHIVE_FORMAT_TAR_USTAR, ARCHIVE_FILTER_NONE));
	CHECK(try(&b, FROM_FILE, &opt) == 0);
	CHECK(sample_is_there(true));
	CHECK(sum == 6 + 2 + 4 + (int64_t)sizeof(noise));
	buf_release(&b);
	umask(old);
}

/* Last, because there is no way back from a signal. */
static void
test_interrupted(void)
{
	struct buf b;

	REQUIRE(sample(&b, ARCHIVE_FORMAT_TAR_USTAR, ARCHIVE_FILTER_NONE));
	intr_init();
	raise(SIGTERM);
	CHECK(bad_with(&b, &plain, ERR_FAILED, "interrupted"));
	clean_up();
}

UNIT_MAIN(UNIT(test_streams), UNIT(test_seekable), UNIT(test_not_an_archive),
    UNIT(test_empty), UNIT(test_truncated), UNIT(test_ends), UNIT(test_padded),
    UNIT(test_members), UNIT(test_flipped), UNIT(test_bad_names),
    UNIT(test_long_names), UNIT(test_spellings), UNIT(test_byte_names),
    UNIT(test_long_forms), UNIT(test_symlinks), UNIT(test_through_symlink),
    UNIT(test_hard_links), UNIT(test_hard_links_to_symlinks),
    UNIT(test_hard_link_with_content), UNIT(test_specials), UNIT(test_twice),
    UNIT(test_directories), UNIT(test_sparse), UNIT(test_bounds),
    UNIT(test_endless_header), UNIT(test_read_error), UNIT(test_exclude),
    UNIT(test_strip), UNIT(test_zip_lies), UNIT(test_warnings),
    UNIT(test_cpio_damage), UNIT(test_large_left_out), UNIT(test_write_error),
    UNIT(test_umask_and_progress), UNIT(test_interrupted))
