#include "os/dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "place.h"

static void
touch(const struct dir *d, const char *name)
{
	int fd = openat(d->fd, name, O_WRONLY | O_CREAT, 0600);

	CHECK(fd >= 0);
	CHECK(close(fd) == 0);
}

static bool
exists(const struct dir *d, const char *name)
{
	struct stat st;

	return fstatat(d->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static mode_t
mode_of(const struct dir *d, const char *name)
{
	struct stat st;

	return fstatat(d->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 ?
	    st.st_mode & 07777 :
	    0;
}

static void
test_open(void)
{
	struct dir d = DIR_INIT, sub = DIR_INIT;
	struct err e = ERR_INIT;
	char path[512];

	REQUIRE(enter(&d) == 0);
	CHECK(dir_make(&d, "real", &e) == 0);
	CHECK(symlinkat("real", d.fd, "link") == 0);
	touch(&d, "file");

	CHECK(dir_open(&sub, &d, "real", &e) == 0);
	snprintf(path, sizeof(path), "%s/real", d.path);
	CHECK_STR(sub.path, path);
	CHECK((fcntl(sub.fd, F_GETFD) & FD_CLOEXEC) != 0);
	dir_close(&sub);
	CHECK(sub.fd == -1 && sub.path == NULL);
	dir_close(&sub);

	CHECK(dir_open(&sub, &d, "link", &e) == -1);
	CHECK(e.sys == ENOTDIR || e.sys == ELOOP);
	CHECK(dir_open(&sub, &d, "file", &e) == -1);
	CHECK(dir_open(&sub, &d, "none", &e) == -1);
	CHECK(e.sys == ENOENT);
	CHECK(sub.fd == -1);

	/* What the user names may be a link. */
	snprintf(path, sizeof(path), "%s/link", d.path);
	CHECK(dir_open_path(&sub, path, &e) == 0);
	dir_close(&sub);
	snprintf(path, sizeof(path), "%s/file", d.path);
	CHECK(dir_open_path(&sub, path, &e) == -1);
	CHECK(e.sys == ENOTDIR);
	snprintf(path, sizeof(path), "%s/none", d.path);
	CHECK(dir_open_path(&sub, path, &e) == -1);
	CHECK(e.sys == ENOENT);
	leave(&d);
}

static void
test_make_and_ensure(void)
{
	struct dir d = DIR_INIT, sub = DIR_INIT;
	struct err e = ERR_INIT;
	mode_t mask = umask(077);

	REQUIRE(enter(&d) == 0);
	CHECK(dir_make(&d, "a", &e) == 0);
	CHECK(mode_of(&d, "a") == 0755);
	CHECK(dir_make(&d, "a", &e) == -1);
	CHECK(e.sys == EEXIST);
	/* What is there stays as it is. */
	CHECK(fchmodat(d.fd, "a", 0700, 0) == 0);
	CHECK(dir_ensure(&sub, &d, "a", &e) == 0);
	CHECK(mode_of(&d, "a") == 0700);
	dir_close(&sub);
	CHECK(dir_ensure(&sub, &d, "b", &e) == 0);
	CHECK(mode_of(&d, "b") == 0755);
	dir_close(&sub);
	touch(&d, "file");
	CHECK(symlinkat("a", d.fd, "link") == 0);
	CHECK(dir_ensure(&sub, &d, "file", &e) == -1);
	CHECK(dir_ensure(&sub, &d, "link", &e) == -1);
	CHECK(dir_make(&d, "no/where", &e) == -1);
	umask(mask);
	leave(&d);
}

static void
test_list(void)
{
	static const char *const names[] = { ".hidden", "...", "A", "a", "b c",
		"z", "\xc3\xa4", "\xff" };
	struct dir d = DIR_INIT;
	struct strvec found = STRVEC_INIT;
	struct err e = ERR_INIT;

	REQUIRE(enter(&d) == 0);
	CHECK(dir_list(&d, &found, &e) == 0);
	CHECK(found.n == 0);
	for (size_t i = 0; i < 8; i++)
		touch(&d, names[(i * 3) % 8]);
	/* Twice: the position in the directory is not ours to keep. */
	for (int round = 0; round < 2; round++) {
		CHECK(dir_list(&d, &found, &e) == 0);
		CHECK(found.n == 8);
		CHECK_STR(found.v[0], "...");
		CHECK_STR(found.v[1], ".hidden");
		for (size_t i = 2; i < found.n; i++)
			CHECK_STR(found.v[i], names[i]);
		strvec_release(&found);
	}
	leave(&d);
}

/* More than one getdents(2) brings. */
static void
test_list_many(void)
{
	struct dir d = DIR_INIT;
	struct strvec found = STRVEC_INIT;
	struct err e = ERR_INIT;

	REQUIRE(enter(&d) == 0);
	for (int i = 0; i < 3000; i++) {
		char name[32];

		snprintf(name, sizeof(name), "name-%06d", i);
		touch(&d, name);
	}
	CHECK(dir_list(&d, &found, &e) == 0);
	CHECK(found.n == 3000);
	for (size_t i = 1; i < found.n; i++)
		CHECK(strcmp(found.v[i - 1], found.v[i]) < 0);
	strvec_release(&found);
	leave(&d);
}

static void
test_has(void)
{
	struct dir d = DIR_INIT;
	struct err e = ERR_INIT;

	REQUIRE(enter(&d) == 0);
	CHECK(dir_make(&d, "dir", &e) == 0);
	touch(&d, "file");
	CHECK(symlinkat("dir", d.fd, "link") == 0);
	CHECK(symlinkat("nowhere", d.fd, "dangling") == 0);
	CHECK(dir_has(&d, "dir"));
	CHECK(!dir_has(&d, "file"));
	CHECK(!dir_has(&d, "link"));
	CHECK(!dir_has(&d, "dangling"));
	CHECK(!dir_has(&d, "none"));
	leave(&d);
}

static void
test_rename_new(void)
{
	struct dir d = DIR_INIT, a = DIR_INIT, b = DIR_INIT;
	struct err e = ERR_INIT;

	REQUIRE(enter(&d) == 0);
	CHECK(dir_ensure(&a, &d, "a", &e) == 0);
	CHECK(dir_ensure(&b, &d, "b", &e) == 0);
	CHECK(dir_make(&a, "x", &e) == 0);
	CHECK(dir_rename_new(&a, "x", &b, "y", &e) == 0);
	CHECK(!exists(&a, "x") && dir_has(&b, "y"));
	/* Nothing is replaced, not even an empty directory. */
	CHECK(dir_make(&a, "x", &e) == 0);
	CHECK(dir_rename_new(&a, "x", &b, "y", &e) == -1);
	CHECK(e.sys == EEXIST);
	CHECK(strstr(e.text, "/a/x'") != NULL);
	CHECK(strstr(e.text, "/b/y'") != NULL);
	CHECK(exists(&a, "x") && exists(&b, "y"));
	touch(&a, "f");
	touch(&b, "f");
	CHECK(dir_rename_new(&a, "f", &b, "f", &e) == -1);
	CHECK(e.sys == EEXIST);
	CHECK(symlinkat("nowhere", b.fd, "l") == 0);
	CHECK(dir_rename_new(&a, "f", &b, "l", &e) == -1);
	CHECK(dir_rename_new(&a, "none", &b, "z", &e) == -1);
	CHECK(e.sys == ENOENT);
	dir_close(&a);
	dir_close(&b);
	leave(&d);
}

static void
test_remove_tree(void)
{
	struct dir d = DIR_INIT, sub = DIR_INIT;
	struct err e = ERR_INIT;

	REQUIRE(enter(&d) == 0);
	CHECK(dir_remove_tree(&d, "none", &e) == 0);
	touch(&d, "file");
	CHECK(dir_remove_tree(&d, "file", &e) == 0);
	CHECK(!exists(&d, "file"));

	/* Links are removed, not followed. */
	CHECK(dir_ensure(&sub, &d, "outside", &e) == 0);
	touch(&sub, "victim");
	CHECK(symlinkat("outside", d.fd, "link") == 0);
	CHECK(dir_remove_tree(&d, "link", &e) == 0);
	CHECK(!exists(&d, "link") && exists(&sub, "victim"));
	CHECK(dir_make(&d, "tree", &e) == 0);
	CHECK(symlinkat("../outside", d.fd, "tree/link") == 0);
	CHECK(symlinkat("/", d.fd, "tree/root") == 0);
	CHECK(mkfifoat(d.fd, "tree/fifo", 0600) == 0);
	CHECK(mkdirat(d.fd, "tree/shut", 0) == 0);
	CHECK(dir_make(&d, "tree/closed", &e) == 0);
	touch(&d, "tree/closed/file");
	CHECK(fchmodat(d.fd, "tree/closed", 0, 0) == 0);
	CHECK(dir_make(&d, "tree/fixed", &e) == 0);
	CHECK(dir_make(&d, "tree/fixed/fixed", &e) == 0);
	touch(&d, "tree/fixed/fixed/file");
	CHECK(fchmodat(d.fd, "tree/fixed/fixed", 0555, 0) == 0);
	CHECK(fchmodat(d.fd, "tree/fixed", 0555, 0) == 0);
	CHECK(dir_remove_tree(&d, "tree", &e) == 0);
	CHECK(!exists(&d, "tree") && exists(&sub, "victim"));
	dir_close(&sub);
	leave(&d);
}

static void
test_remove_deep_tree(void)
{
	struct dir d = DIR_INIT;
	struct err e = ERR_INIT;
	int fd;

	REQUIRE(enter(&d) == 0);
	fd = dup(d.fd);
	for (int i = 0; i < 400; i++) {
		int next;

		CHECK(mkdirat(fd, "deep", 0755) == 0);
		next = openat(fd, "deep", O_RDONLY | O_DIRECTORY);
		close(fd);
		fd = next;
	}
	close(fd);
	CHECK(dir_remove_tree(&d, "deep", &e) == 0);
	CHECK(!exists(&d, "deep"));
	leave(&d);
}

static void
test_sync_and_space(void)
{
	struct dir d = DIR_INIT;
	struct dir_space space = { 0, 0, 0 };
	struct err e = ERR_INIT;

	REQUIRE(enter(&d) == 0);
	CHECK(dir_make(&d, "a", &e) == 0);
	touch(&d, "a/f");
	CHECK(symlinkat("nowhere", d.fd, "a/l") == 0);
	CHECK(dir_sync(&d, &e) == 0);
	CHECK(dir_sync_tree(&d, &e) == 0);
	CHECK(dir_space(&d, &space, &e) == 0);
	CHECK(space.bytes > 0 && space.inodes > 0 && space.block > 0);
	leave(&d);
}

UNIT_MAIN(UNIT(test_open), UNIT(test_make_and_ensure), UNIT(test_list),
    UNIT(test_list_many), UNIT(test_has), UNIT(test_rename_new),
    UNIT(test_remove_tree), UNIT(test_remove_deep_tree),
    UNIT(test_sync_and_space))
