#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "place.h"

/* What is in the file, as a string. */
static const char *
content(const struct dir *d, const char *name)
{
	static char out[4096];
	int fd = openat(d->fd, name, O_RDONLY);
	ssize_t n;

	if (fd < 0)
		return NULL;
	n = read(fd, out, sizeof(out) - 1);
	close(fd);
	out[n < 0 ? 0 : n] = '\0';
	return out;
}

static void
put(const struct dir *d, const char *name, const char *text)
{
	int fd = openat(d->fd, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	CHECK(fd >= 0);
	CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	CHECK(close(fd) == 0);
}

/* How many names are in the directory. */
static size_t
count(const struct dir *d)
{
	struct strvec names = STRVEC_INIT;
	struct err e = ERR_INIT;
	size_t n;

	CHECK(dir_list(d, &names, &e) == 0);
	n = names.n;
	strvec_release(&names);
	return n;
}

static void
test_read(void)
{
	struct dir d = DIR_INIT;
	struct buf b = BUF_INIT;
	struct err e = ERR_INIT;

	REQUIRE(enter(&d) == 0);
	put(&d, "f", "12345");
	put(&d, "empty", "");
	CHECK(file_read(&d, "f", 5, &b, &e) == 0);
	CHECK_STR(b.data, "12345");
	/* It appends. */
	CHECK(file_read(&d, "f", 5, &b, &e) == 0);
	CHECK_STR(b.data, "1234512345");
	CHECK(b.len == 10);
	CHECK(file_read(&d, "empty", 0, &b, &e) == 0);
	CHECK(b.len == 10);
	buf_release(&b);
	CHECK(file_read(&d, "empty", 10, &b, &e) == 0);
	CHECK_STR(b.data, "");
	CHECK(file_read(&d, "f", 4, &b, &e) == -1);
	CHECK(e.code == ERR_FAILED);
	CHECK(strstr(e.text, "4 bytes") != NULL);
	CHECK(file_read(&d, "none", 4, &b, &e) == -1);
	CHECK(e.sys == ENOENT);
	CHECK(b.len == 0);
	buf_release(&b);
	leave(&d);
}

/* What somebody may have planted instead of a file. */
static void
test_read_refuses(void)
{
	struct dir d = DIR_INIT;
	struct buf b = BUF_INIT;
	struct err e = ERR_INIT;

	REQUIRE(enter(&d) == 0);
	put(&d, "f", "12345");
	CHECK(symlinkat("f", d.fd, "link") == 0);
	CHECK(mkfifoat(d.fd, "fifo", 0600) == 0);
	CHECK(mkdirat(d.fd, "dir", 0700) == 0);
	CHECK(file_read(&d, "link", 100, &b, &e) == -1);
	CHECK(e.sys == ELOOP);
	CHECK(file_read(&d, "fifo", 100, &b, &e) == -1);
	CHECK(strstr(e.text, "not a regular file") != NULL);
	CHECK(file_read(&d, "dir", 100, &b, &e) == -1);
	CHECK(e.sys != ENOENT);
	CHECK(b.len == 0);
	buf_release(&b);
	leave(&d);
}

static void
test_read_nul(void)
{
	struct dir d = DIR_INIT;
	struct buf b = BUF_INIT;
	struct err e = ERR_INIT;

	REQUIRE(enter(&d) == 0);
	CHECK(file_publish(&d, "f", "a\0b", 3, &e) == 0);
	CHECK(file_read(&d, "f", 3, &b, &e) == 0);
	CHECK(b.len == 3 && memcmp(b.data, "a\0b", 4) == 0);
	buf_release(&b);
	leave(&d);
}

static void
test_publish(void)
{
	struct dir d = DIR_INIT;
	struct err e = ERR_INIT;
	struct stat st;
	char old[8] = "";
	mode_t mask = umask(077);
	int fd;

	REQUIRE(enter(&d) == 0);
	CHECK(file_publish(&d, "f", "one", 3, &e) == 0);
	CHECK_STR(content(&d, "f"), "one");
	CHECK(fstatat(d.fd, "f", &st, 0) == 0);
	CHECK((st.st_mode & 07777) == 0644);
	/* Who has the old one open keeps it: it is replaced, not written. */
	fd = openat(d.fd, "f", O_RDONLY);
	CHECK(file_publish(&d, "f", "two", 3, &e) == 0);
	CHECK(read(fd, old, sizeof(old)) == 3);
	CHECK_STR(old, "one");
	close(fd);
	CHECK_STR(content(&d, "f"), "two");
	CHECK(file_publish(&d, "f", "", 0, &e) == 0);
	CHECK_STR(content(&d, "f"), "");
	CHECK(count(&d) == 1);
	umask(mask);
	leave(&d);
}

static void
test_publish_over_a_link(void)
{
	struct dir d = DIR_INIT;
	struct err e = ERR_INIT;
	struct stat st;

	REQUIRE(enter(&d) == 0);
	put(&d, "victim", "untouched");
	CHECK(symlinkat("victim", d.fd, "f") == 0);
	CHECK(file_publish(&d, "f", "x", 1, &e) == 0);
	CHECK_STR(content(&d, "victim"), "untouched");
	CHECK(fstatat(d.fd, "f", &st, AT_SYMLINK_NOFOLLOW) == 0);
	CHECK(S_ISREG(st.st_mode));
	leave(&d);
}

/* It fails and leaves nothing. */
static void
test_publish_fails(void)
{
	struct dir d = DIR_INIT, gone = DIR_INIT;
	struct err e = ERR_INIT;

	REQUIRE(enter(&d) == 0);
	CHECK(mkdirat(d.fd, "dir", 0700) == 0);
	CHECK(file_publish(&d, "dir", "x", 1, &e) == -1);
	CHECK(strstr(e.text, "/dir'") != NULL);
	CHECK(count(&d) == 1);
	CHECK(file_publish(&d, "no/where", "x", 1, &e) == -1);
	CHECK(count(&d) == 1);
	/* A directory that is not there any more. */
	CHECK(dir_open(&gone, &d, "dir", &e) == 0);
	CHECK(unlinkat(d.fd, "dir", AT_REMOVEDIR) == 0);
	CHECK(file_publish(&gone, "f", "x", 1, &e) == -1);
	CHECK(e.sys == ENOENT);
	dir_close(&gone);
	leave(&d);
}

static void
test_append(void)
{
	struct dir d = DIR_INIT;
	struct err e = ERR_INIT;

	REQUIRE(enter(&d) == 0);
	CHECK(file_append(&d, "f", "one\n", 4, &e) == 0);
	CHECK(file_append(&d, "f", "two\n", 4, &e) == 0);
	CHECK_STR(content(&d, "f"), "one\ntwo\n");
	/* A torn line ends before the next one begins. */
	put(&d, "torn", "one\ntw");
	CHECK(file_append(&d, "torn", "three\n", 6, &e) == 0);
	CHECK_STR(content(&d, "torn"), "one\ntw\nthree\n");
	put(&d, "blank", "one\n\n");
	CHECK(file_append(&d, "blank", "two\n", 4, &e) == 0);
	CHECK_STR(content(&d, "blank"), "one\n\ntwo\n");
	put(&d, "empty", "");
	CHECK(file_append(&d, "empty", "one\n", 4, &e) == 0);
	CHECK_STR(content(&d, "empty"), "one\n");
	leave(&d);
}

static void
test_append_refuses(void)
{
	struct dir d = DIR_INIT;
	struct err e = ERR_INIT;

	REQUIRE(enter(&d) == 0);
	put(&d, "victim", "untouched\n");
	CHECK(symlinkat("victim", d.fd, "link") == 0);
	CHECK(mkfifoat(d.fd, "fifo", 0600) == 0);
	CHECK(mkdirat(d.fd, "dir", 0700) == 0);
	CHECK(file_append(&d, "link", "x\n", 2, &e) == -1);
	CHECK_STR(content(&d, "victim"), "untouched\n");
	CHECK(file_append(&d, "fifo", "x\n", 2, &e) == -1);
	CHECK(file_append(&d, "dir", "x\n", 2, &e) == -1);
	leave(&d);
}

static void
test_remove(void)
{
	struct dir d = DIR_INIT;
	struct err e = ERR_INIT;

	REQUIRE(enter(&d) == 0);
	put(&d, "f", "x");
	put(&d, "victim", "untouched");
	CHECK(symlinkat("victim", d.fd, "link") == 0);
	CHECK(mkdirat(d.fd, "dir", 0700) == 0);
	CHECK(file_remove(&d, "f", &e) == 0);
	CHECK(content(&d, "f") == NULL);
	CHECK(file_remove(&d, "f", &e) == 0);
	CHECK(file_remove(&d, "link", &e) == 0);
	CHECK_STR(content(&d, "victim"), "untouched");
	CHECK(file_remove(&d, "dir", &e) == -1);
	CHECK(count(&d) == 2);
	leave(&d);
}

static void
test_sweep(void)
{
	struct dir d = DIR_INIT;
	char name[64], other[64];

	REQUIRE(enter(&d) == 0);
	file_tmp_name(name);
	file_tmp_name(other);
	CHECK(strcmp(name, other) != 0);
	CHECK(strncmp(name, ".tmp-", 5) == 0);
	CHECK(strchr(name, '/') == NULL);
	put(&d, name, "x");
	put(&d, "keep", "x");
	put(&d, "tmp-keep", "x");
	put(&d, ".tm", "x");
	CHECK(symlinkat("keep", d.fd, other) == 0);
	file_sweep(&d);
	CHECK(count(&d) == 3);
	CHECK(content(&d, "keep") != NULL);
	file_sweep(&d);
	CHECK(count(&d) == 3);
	leave(&d);
}

UNIT_MAIN(UNIT(test_read), UNIT(test_read_refuses), UNIT(test_read_nul),
    UNIT(test_publish), UNIT(test_publish_over_a_link),
    UNIT(test_publish_fails), UNIT(test_append), UNIT(test_append_refuses),
    UNIT(test_remove), UNIT(test_sweep))
