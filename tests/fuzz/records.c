/*
 * The records that other runs left in a root: the freeze and the note of the
 * lock.  Whatever stands there, a freeze that cannot be understood counts as
 * one, and what was read is printed and read again as the same.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/alloc.h"
#include "must.h"
#include "os/io.h"
#include "os/lock.h"
#include "root/freeze.h"
#include "root/store.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *root;
static struct store store = STORE_INIT;

static void
write_record(const char *name, const void *data, size_t size)
{
	int fd = openat(store.state.fd, name,
	    O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	MUST(fd >= 0 && io_write(fd, data, size) == 0);
	close(fd);
}

static bool
is_same(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static void
check_freeze(const uint8_t *data, size_t size)
{
	struct freeze f = FREEZE_INIT, again = FREEZE_INIT;
	struct err e = ERR_INIT;
	struct buf b = BUF_INIT;
	int r;

	write_record("frozen", data, size);
	r = freeze_read(&store, &f, &e);
	MUST(r == 0 || r == 1);
	if (r == 1) {
		freeze_print(&f, &b);
		write_record("frozen", buf_str(&b), b.len);
		/* It may end in this moment. */
		if (freeze_read(&store, &again, &e) == 1) {
			MUST(is_same(f.who, again.who));
			MUST(is_same(f.why, again.why));
		}
		MUST(freeze_refuse("/root", &f, &e) == -1);
		MUST(e.code == ERR_LOCKED && e.text[0] != '\0');
	}
	buf_release(&b);
	freeze_release(&f);
	freeze_release(&again);
}

static void
check_note(const uint8_t *data, size_t size)
{
	struct buf holder = BUF_INIT;

	write_record("lock.note", data, size);
	MUST(lock_is_held(&store.state, &holder));
	MUST(holder.len > 0);
	buf_release(&holder);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_freeze(data, size);
	check_note(data, size);
	return 0;
}

static void
remove_root(void)
{
	struct err e = ERR_INIT;

	err_ignore(dir_remove_tree(&store.root, ".deploy", &e));
	err_ignore(dir_remove_tree(&store.root, "releases", &e));
	store_close(&store);
	rmdir(root);
	free(root);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *tmp =
	    access("/dev/shm", W_OK) == 0 ? "/dev/shm" : getenv("TMPDIR");
	struct err e = ERR_INIT;
	int fd;

	(void)argc;
	(void)argv;
	root = xasprintf("%s/fuzz-records.XXXXXX", tmp != NULL ? tmp : "/tmp");
	MUST(mkdtemp(root) != NULL && store_create(&store, root, &e) == 0);
	atexit(remove_root);
	fd =
	    openat(store.state.fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	MUST(fd >= 0 && flock(fd, LOCK_EX) == 0);
	return 0;
}
