/*
 * The text of a release's meta.  Whatever parses is the same when it is
 * written and read again.
 */
#include "root/meta.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "must.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct store store = STORE_INIT;

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

	(void)dir_remove_tree(&cwd, store.root.path, &e);
	store_close(&store);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *tmp = getenv("TMPDIR");
	struct err e = ERR_INIT;
	char path[512];

	(void)argc;
	(void)argv;
	snprintf(path, sizeof(path), "%s/fuzz-meta-XXXXXX",
	    tmp != NULL ? tmp : "/tmp");
	MUST(mkdtemp(path) != NULL);
	MUST(store_create(&store, path, &e) == 0);
	atexit(remove_scratch);
	return 0;
}

static bool
is_same(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static void
check_round_trip(const struct meta *m)
{
	struct meta again = META_INIT;
	struct err e = ERR_INIT;
	char name[RELEASE_ID_LEN + 8];

	MUST(meta_write(&store, m, &e) == 0);
	MUST(meta_read(&store, &m->id, &again, &e) == 0);
	MUST(release_id_eq(&again.id, &m->id));
	MUST(is_same(again.who, m->who) && is_same(again.job, m->job));
	MUST(is_same(again.commit, m->commit));
	MUST(is_same(again.message, m->message));
	MUST(strcmp(again.digest, m->digest) == 0);
	MUST(again.seq == m->seq || (m->seq < 0 && again.seq == -1));
	MUST(again.files == m->files && again.bytes == m->bytes);
	MUST(again.mtime == m->mtime && again.pinned == m->pinned);
	meta_release(&again);
	store_meta_name(&m->id, name);
	(void)unlinkat(store.meta.fd, name, 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct meta m = META_INIT;
	struct err e = ERR_INIT;
	struct release_id same;
	int r = meta_parse((const char *)data, size, "fuzz", &m, &e);

	MUST(r == 0 || (r == -1 && e.code == ERR_INTEGRITY));
	if (r == 0) {
		MUST(release_id_parse(&same, m.id.text));
		MUST(m.digest[0] == '\0' || strlen(m.digest) == HASH_HEX);
		check_round_trip(&m);
	}
	meta_release(&m);
	return 0;
}
