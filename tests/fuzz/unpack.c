/*
 * unpack() into a fresh directory.  Whatever the archive says, nothing may
 * appear beside the directory, no symbolic link in it may lead out of it, and
 * what is made is plain files, directories and links with the modes that a
 * release has.
 *
 * Seeds are made here, with libarchive's writers, when the first directory on
 * the command line is empty.
 */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/alloc.h"
#include "content/unpack.h"
#include "os/io.h"
#include "os/jail.h"

enum { MAX_BYTES = 1 << 20, MAX_ENTRIES = 500 };

static struct dir top = DIR_INIT; /* has in, and the canary out */
static struct err e;

#define MUST(expr) \
	do { \
		if (!(expr)) { \
			fprintf(stderr, "%s: %s\n", #expr, e.text); \
			abort(); \
		} \
	} while (0)

static void
remove_top(void)
{
	char *path = xstrdup(top.path);
	struct strvec names = STRVEC_INIT;

	err_ignore(dir_list(&top, &names, &e));
	for (size_t i = 0; i < names.n; i++)
		err_ignore(dir_remove_tree(&top, names.v[i], &e));
	strvec_release(&names);
	dir_close(&top);
	rmdir(path);
	free(path);
}

/* Make a small archive with a bit of everything as the file `path`. */
static void
write_seed(const char *path, int format, int filter)
{
	static const struct {
		mode_t mode;
		const char *name, *data;
	} entries[] = {
		{ S_IFDIR | 0755, "d/", "" },
		{ S_IFREG | 0644, "d/file", "text text text" },
		{ S_IFREG | 0755, "d/e/run", "#!/bin/sh" },
		{ S_IFLNK | 0777, "d/link", "../d/file" },
		{ S_IFREG | 0644, "d/e/\xc3\xbc.map", "x" },
		{ S_IFREG | 0644, "d/file", "again" },
	};
	struct archive *a = archive_write_new();
	struct archive_entry *en = archive_entry_new();

	archive_write_set_format(a, format);
	archive_write_add_filter(a, filter);
	archive_write_set_bytes_in_last_block(a, 1);
	archive_write_open_filename(a, path);
	for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
		size_t len = strlen(entries[i].data);
		bool file = S_ISREG(entries[i].mode);

		archive_entry_clear(en);
		archive_entry_set_mode(en, entries[i].mode);
		archive_entry_set_pathname(en, entries[i].name);
		archive_entry_set_size(en, file ? (la_int64_t)len : 0);
		if (S_ISLNK(entries[i].mode))
			archive_entry_set_symlink(en, entries[i].data);
		if (archive_write_header(a, en) == ARCHIVE_OK && file)
			archive_write_data(a, entries[i].data, len);
	}
	archive_entry_clear(en);
	archive_entry_set_mode(en, S_IFREG | 0644);
	archive_entry_set_pathname(en, "d/hard");
	archive_entry_set_hardlink(en, "d/file");
	archive_entry_set_size(en, 0);
	archive_write_header(a, en);
	archive_entry_clear(en);
	archive_entry_set_mode(en, S_IFREG | 0644);
	archive_entry_set_pathname(en, "d/sparse");
	archive_entry_set_size(en, 3000);
	archive_entry_sparse_add_entry(en, 1000, 4);
	archive_entry_sparse_add_entry(en, 2000, 4);
	if (archive_write_header(a, en) == ARCHIVE_OK)
		for (int i = 0; i < 750; i++)
			archive_write_data(a, "1234", 4);
	archive_entry_free(en);
	archive_write_free(a);
}

/* Fill the directory with one archive of each kind. */
static void
write_seeds(const char *dir)
{
	static const int formats[] = { ARCHIVE_FORMAT_TAR_USTAR,
		ARCHIVE_FORMAT_TAR_GNUTAR, ARCHIVE_FORMAT_TAR_PAX_INTERCHANGE,
		ARCHIVE_FORMAT_CPIO_POSIX, ARCHIVE_FORMAT_CPIO_SVR4_NOCRC,
		ARCHIVE_FORMAT_ZIP, ARCHIVE_FORMAT_7ZIP };
	static const int filters[] = { ARCHIVE_FILTER_NONE,
		ARCHIVE_FILTER_GZIP, ARCHIVE_FILTER_BZIP2, ARCHIVE_FILTER_XZ,
		ARCHIVE_FILTER_ZSTD, ARCHIVE_FILTER_LZ4 };

	for (size_t i = 0; i < 7; i++)
		for (size_t k = 0; k < (i == 0 ? 6 : 1); k++) {
			char *path = xasprintf("%s/seed-%zu-%zu", dir, i, k);

			write_seed(path, formats[i], filters[k]);
			free(path);
		}
}

/*
 * Make the directory to work in, in memory, and the seeds.  libarchive
 * reserves what a header announces, up to 4 GB for the name in a cpio, and
 * does not touch it: let it.
 */
int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static char limit[] = "-malloc_limit_mb=10000";
	char **args = xcalloc((size_t)*argc + 2, sizeof(*args));
	const char *tmp =
	    access("/dev/shm", W_OK) == 0 ? "/dev/shm" : getenv("TMPDIR");
	char *path =
	    xasprintf("%s/fuzz-unpack.XXXXXX", tmp != NULL ? tmp : "/tmp");
	struct strvec names = STRVEC_INIT;
	struct dir d = DIR_INIT;
	int i = 1;

	memcpy(args, *argv, (size_t)*argc * sizeof(*args));
	args[(*argc)++] = limit;
	*argv = args;
	MUST(mkdtemp(path) != NULL && dir_open_path(&top, path, &e) == 0);
	free(path);
	atexit(remove_top);
	/* A thread and a jail for each input would take most of the time. */
	jail_open();
	MUST(dir_make(&top, "out", &e) == 0);
	while (i < *argc && (*argv)[i][0] == '-')
		i++;
	if (i < *argc && dir_open_path(&d, (*argv)[i], &e) == 0) {
		if (dir_list(&d, &names, &e) == 0 && names.n == 0)
			write_seeds(d.path);
		strvec_release(&names);
		dir_close(&d);
	}
	return 0;
}

/* Does the link at `path` lead out of `in`?  The kernel says. */
static bool
leaves_tree(const struct dir *in, const char *path)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH };
	long fd = syscall(SYS_openat2, in->fd, path, &how, sizeof(how));

	if (fd >= 0)
		close((int)fd);
	return fd < 0 && errno == EXDEV;
}

/* Look at everything below `d`, whose path in `in` is `prefix`. */
static void
check_tree(const struct dir *in, const struct dir *d, const char *prefix,
    bool complete)
{
	struct strvec names = STRVEC_INIT;

	MUST(dir_list(d, &names, &e) == 0);
	for (size_t i = 0; i < names.n; i++) {
		char *path = xasprintf("%s%s", prefix, names.v[i]);
		struct dir sub = DIR_INIT;
		struct stat st;

		MUST(
		    fstatat(d->fd, names.v[i], &st, AT_SYMLINK_NOFOLLOW) == 0);
		if (S_ISLNK(st.st_mode)) {
			MUST(!leaves_tree(in, path));
		} else if (S_ISDIR(st.st_mode)) {
			char *below = xasprintf("%s/", path);

			MUST((st.st_mode & 07777) == 0755);
			MUST(dir_open(&sub, d, names.v[i], &e) == 0);
			check_tree(in, &sub, below, complete);
			dir_close(&sub);
			free(below);
		} else {
			MUST(S_ISREG(st.st_mode));
			MUST((st.st_mode & 07777) == 0644 ||
			    (st.st_mode & 07777) == 0755);
			MUST(st.st_size <= MAX_BYTES);
		}
		MUST(!complete || strcmp(names.v[i], ".git") != 0);
		free(path);
	}
	strvec_release(&names);
}

/* The input as a descriptor: a file, or a pipe if it fits. */
static int
open_input(const uint8_t *data, size_t size, bool as_pipe)
{
	int p[2], fd;

	if (as_pipe && size <= 65536) {
		MUST(pipe(p) == 0 && io_write(p[1], data, size) == 0);
		close(p[1]);
		return p[0];
	}
	fd = memfd_create("input", MFD_CLOEXEC);
	MUST(fd >= 0 && io_write(fd, data, size) == 0);
	MUST(lseek(fd, 0, SEEK_SET) == 0);
	return fd;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct strvec exclude = STRVEC_INIT, names = STRVEC_INIT;
	struct unpack_options opt = { .exclude = &exclude,
		.max_bytes = MAX_BYTES,
		.max_entries = MAX_ENTRIES };
	struct dir in = DIR_INIT;
	struct err why = ERR_INIT;
	unsigned int how = (unsigned int)size * 31;
	size_t excluded;
	int fd, r;

	for (size_t i = 0; i < size; i += 97)
		how = how * 31 + data[i];
	how ^= how >> 16;
	opt.strip = how % 4 == 0;
	strvec_add(&exclude, "*.map");
	fd = open_input(data, size, how / 4 % 4 == 0);
	e = (struct err)ERR_INIT;
	MUST(dir_make(&top, "in", &e) == 0);
	MUST(dir_open(&in, &top, "in", &e) == 0);
	r = unpack(fd, "input", &in, &opt, &excluded, &why);
	close(fd);
	e = why;
	MUST(r == 0 ? why.code == ERR_OK :
		      why.code == ERR_FAILED || why.code == ERR_INTEGRITY ||
		    why.code == ERR_GUARD);
	check_tree(&in, &in, "", r == 0);
	dir_close(&in);
	MUST(dir_remove_tree(&top, "in", &e) == 0);
	MUST(dir_list(&top, &names, &e) == 0 && names.n == 1);
	/* The canary: a directory that has something is not removed. */
	MUST(unlinkat(top.fd, "out", AT_REMOVEDIR) == 0);
	MUST(dir_make(&top, "out", &e) == 0);
	strvec_release(&names);
	strvec_release(&exclude);
	return 0;
}

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);

/* Mutate, and mend the check sums of what then looks like tar headers. */
size_t
LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,
    unsigned int seed)
{
	size = LLVMFuzzerMutate(data, size, max);
	if (seed % 8 == 0)
		return size;
	for (size_t at = 0; at + 512 <= size; at += 512) {
		char text[8];
		unsigned int sum = 0;

		if (memcmp(data + at + 257, "ustar", 5) != 0)
			continue;
		memset(data + at + 148, ' ', 8);
		for (size_t i = 0; i < 512; i++)
			sum += data[at + i];
		snprintf(text, sizeof(text), "%06o", sum);
		memcpy(data + at + 148, text, 7);
	}
	return size;
}
