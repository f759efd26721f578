/* Opening beneath a directory, by openat2(2) and where that is forbidden. */
#include "os/beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "unit.h"

/* From here on openat2(2) fails with `error`.  0 or -1. */
static int
forbid_openat2(unsigned int error)
{
	struct sock_filter f[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		    offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog p = { 4, f };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return -1;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &p, 0, 0);
}

static const struct {
	const char *path;
	bool opens;
} cases[] = {
	{ "file", true },
	{ "in/file", true },
	{ "in/deep/file", true },
	{ "./file", true },
	{ "in//file", true },
	{ "in/", true },
	{ ".", true },
	{ "", false },
	{ "none", false },
	{ "in/none", false },
	{ "file/x", false },
	{ "/", false },
	{ "/etc/passwd", false },
	{ "..", false },
	{ "../out/file", false },
	{ "in/../../out/file", false },
	{ "link", false },
	{ "dirlink", false },
	{ "dirlink/file", false },
	{ "in/up/out/file", false },
	{ "in/up", false },
	{ "absolute/passwd", false },
	{ "inner/file", false }, /* stays inside, and is a link */
	{ "loop", false },
	{ "dangling", false },
};

static void
check_cases(const struct dir *d)
{
	struct dir parent = DIR_INIT;
	struct err e = ERR_INIT;
	const char *name;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int fd = beneath_open(d->fd, cases[i].path, O_RDONLY, 0);

		if (!CHECK((fd >= 0) == cases[i].opens))
			printf("# '%s'\n", cases[i].path);
		if (fd >= 0)
			close(fd);
	}
	/* Nothing is made through a link. */
	CHECK(beneath_open(d->fd, "dangling", O_WRONLY | O_CREAT, 0644) < 0);
	CHECK(
	    beneath_open(d->fd, "dirlink/new", O_WRONLY | O_CREAT, 0644) < 0);
	CHECK(faccessat(d->fd, "../out/new", F_OK, 0) != 0);
	CHECK(beneath_open_parent(d, "in/deep/file", &parent, &name, &e) == 0);
	CHECK_STR(name, "file");
	CHECK(faccessat(parent.fd, "file", F_OK, 0) == 0);
	dir_close(&parent);
	CHECK(beneath_open_parent(d, "file", &parent, &name, &e) == 0);
	CHECK(faccessat(parent.fd, "in", F_OK, 0) == 0);
	dir_close(&parent);
	CHECK(beneath_open_parent(d, "dirlink/file", &parent, NULL, &e) != 0);
}

/* Paths in order, and what is to be in the directory that is kept. */
static const struct {
	const char *path, *has; /* NULL: refused */
	bool again;		/* the same as before */
} kept[] = {
	{ "in/file", "file", false },
	{ "in/none", "deep", true },
	{ "in/deep", "deep", true },
	{ "in/deep/file", "file", false },
	{ "in/deep/other", "file", true },
	{ "in/deeper/file", NULL, false },
	{ "in/deep/file", "file", false },
	{ "dirlink/file", NULL, false },
	{ "dirlink/file", NULL, false },
	{ "../out/file", NULL, false },
	{ "file", "in", false },
	{ "in", "in", true },
	{ "i/file", NULL, false },
	{ "in/file", "deep", false },
};

static void
check_kept(const struct dir *d)
{
	struct beneath_parent k = BENEATH_PARENT_INIT;

	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
		const char *path = kept[i].path, *name = NULL;
		struct err e = ERR_INIT;
		const char *was = k.above;
		const struct dir *is =
		    beneath_keep_parent(&k, d, path, &name, &e);

		if (!CHECK((is != NULL) == (kept[i].has != NULL)) ||
		    (is != NULL &&
			!CHECK(
			    faccessat(is->fd, kept[i].has, F_OK, 0) == 0)) ||
		    (is != NULL && kept[i].again && !CHECK(k.above == was)))
			printf("# '%s'\n", path);
		CHECK_STR(name,
		    strrchr(path, '/') != NULL ? strrchr(path, '/') + 1 :
						 path);
	}
	beneath_parent_close(&k);
	CHECK(k.dir.fd < 0);
	beneath_parent_close(&k);
}

static void
touch(const struct dir *d, const char *name)
{
	int fd = openat(d->fd, name, O_WRONLY | O_CREAT, 0644);

	CHECK(fd >= 0);
	close(fd);
}

static void
test_beneath(void)
{
	char place[256];
	const char *base = getenv("TEST_DIR");
	struct dir top = DIR_INIT, d = DIR_INIT, out = DIR_INIT;
	struct dir root = DIR_INIT;
	struct err e = ERR_INIT;

	snprintf(place, sizeof(place), "%s/beneath-XXXXXX",
	    base != NULL ? base : "/tmp");
	REQUIRE(mkdtemp(place) != NULL);
	REQUIRE(dir_open_path(&top, place, &e) == 0);
	REQUIRE(dir_ensure(&d, &top, "here", &e) == 0);
	REQUIRE(dir_ensure(&out, &top, "out", &e) == 0);
	touch(&out, "file");
	CHECK(dir_make(&d, "in", &e) == 0 && dir_make(&d, "in/deep", &e) == 0);
	touch(&d, "file");
	touch(&d, "in/file");
	touch(&d, "in/deep/file");
	CHECK(symlinkat("file", d.fd, "link") == 0);
	CHECK(symlinkat("../out", d.fd, "dirlink") == 0);
	CHECK(symlinkat("../..", d.fd, "in/up") == 0);
	CHECK(symlinkat("/etc", d.fd, "absolute") == 0);
	CHECK(symlinkat("in", d.fd, "inner") == 0);
	CHECK(symlinkat("loop", d.fd, "loop") == 0);
	CHECK(symlinkat("../out/new", d.fd, "dangling") == 0);
	check_cases(&d);
	check_kept(&d);
	REQUIRE(forbid_openat2(EPERM) == 0);
	check_cases(&d);
	check_kept(&d);
	REQUIRE(forbid_openat2(ENOSYS) == 0);
	check_cases(&d);
	dir_close(&out);
	dir_close(&d);
	dir_close(&top);
	CHECK(dir_open_path(&root, "/", &e) == 0);
	CHECK(dir_remove_tree(&root, place + 1, &e) == 0);
	dir_close(&root);
}

UNIT_MAIN(UNIT(test_beneath))
