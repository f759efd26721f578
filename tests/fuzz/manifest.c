/*
 * Manifest text.  Whatever parses is safe, and when it is written and read
 * again it is the same; the reader of files agrees with that of memory.
 */
#include "content/manifest.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/path.h"
#include "must.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct dir scratch = DIR_INIT;

/* Nothing here has to survive a power cut. */
int
fsync(int fd)
{
	(void)fd;
	return 0;
}

static void
remove_scratch(void)
{
	static char here[] = ".";
	const struct dir cwd = { AT_FDCWD, here };
	struct err e = ERR_INIT;

	(void)dir_remove_tree(&cwd, scratch.path, &e);
	dir_close(&scratch);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *tmp = getenv("TMPDIR");
	struct err e = ERR_INIT;
	char path[512];

	(void)argc;
	(void)argv;
	snprintf(path, sizeof(path), "%s/fuzz-manifest-XXXXXX",
	    tmp != NULL ? tmp : "/tmp");
	MUST(mkdtemp(path) != NULL);
	MUST(dir_open_path(&scratch, path, &e) == 0);
	atexit(remove_scratch);
	return 0;
}

static void
check_entry(const struct entry *en)
{
	struct err e = ERR_INIT;

	MUST(path_check(en->path, &e) == 0);
	MUST(en->size >= 0 && en->mtime >= 0 && en->mode <= 07777);
	MUST((en->type == ENTRY_LINK) == (en->link != NULL));
	MUST(en->link == NULL || en->mark == ENTRY_SHARED ||
	    path_check_link(en->path, en->link, &e) == 0);
}

static void
check_same(const struct manifest *a, const struct manifest *b)
{
	uint8_t x[HASH_LEN], y[HASH_LEN];

	MUST(a->n == b->n);
	for (size_t i = 0; i < a->n; i++) {
		MUST(entry_is_same(&a->v[i], &b->v[i]));
		MUST(strcmp(a->v[i].path, b->v[i].path) == 0);
		MUST(a->v[i].mark == b->v[i].mark);
		MUST(a->v[i].last == b->v[i].last);
		MUST(a->v[i].type == ENTRY_DIR ||
		    a->v[i].mtime == b->v[i].mtime);
	}
	manifest_digest(a, x);
	manifest_digest(b, y);
	MUST(memcmp(x, y, HASH_LEN) == 0);
}

/* The same bytes from a file. */
static void
check_file(const struct manifest *m, int r, const uint8_t *data, size_t size)
{
	struct manifest again = MANIFEST_INIT;
	struct err e = ERR_INIT;
	int fd;

	/* Not O_TRUNC: ext4 would write it to disk each time. */
	(void)unlinkat(scratch.fd, "raw", 0);
	fd = openat(scratch.fd, "raw", O_WRONLY | O_CREAT | O_EXCL, 0600);
	MUST(fd >= 0);
	MUST(write(fd, data, size) == (ssize_t)size);
	close(fd);
	MUST(manifest_read(&again, &scratch, "raw", &e) == r);
	if (r == 0)
		check_same(m, &again);
	manifest_release(&again);
}

/* Written and read again. */
static void
check_round_trip(const struct manifest *m)
{
	struct manifest again = MANIFEST_INIT;
	struct err e = ERR_INIT;

	(void)unlinkat(scratch.fd, "m", 0);
	MUST(manifest_write(m, &scratch, "m", &e) == 0);
	MUST(manifest_read(&again, &scratch, "m", &e) == 0);
	check_same(m, &again);
	manifest_release(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct manifest m = MANIFEST_INIT;
	struct err e = ERR_INIT;
	int r = manifest_parse(&m, (const char *)data, size, "fuzz", &e);

	MUST(r == 0 || (r == -1 && e.code == ERR_INTEGRITY));
	for (size_t i = 0; r == 0 && i < m.n; i++) {
		check_entry(&m.v[i]);
		MUST(i == 0 || path_compare(m.v[i - 1].path, m.v[i].path) < 0);
		MUST(manifest_find(&m, m.v[i].path) == &m.v[i]);
	}
	check_file(&m, r, data, size);
	if (r == 0)
		check_round_trip(&m);
	manifest_release(&m);
	return 0;
}
