/*
 * receive(): a pack that is not trusted becomes a complete release or
 * nothing.  Whatever it says, nothing appears outside its own incoming
 * directory, the release that is there stays as it is, and what is committed
 * is what its manifest says.
 *
 * Seeds are made here, with pack_write(), when the first directory on the
 * command line is empty.
 */
#include "host/receive.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "os/caller.h"
#include "os/io.h"
#include "remote/pack.h"
#include "root/incoming.h"
#include "root/stage.h"
#include "root/store.h"
#include "root/verify.h"

#define ID "20261121T190305.482Z-6f9619ff-8b86-4011-b42d-00c04fc964ff"

static struct dir top = DIR_INIT; /* has root, build */
static struct store store = STORE_INIT;
static struct release_id base;
static struct err e;

#define MUST(expr) \
	do { \
		if (!(expr)) { \
			fprintf(stderr, "%s: %s\n", #expr, e.text); \
			abort(); \
		} \
	} while (0)

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
remove_top(void)
{
	char *path = xstrdup(top.path);
	struct strvec names = STRVEC_INIT;

	store_close(&store);
	dir_list(&top, &names, &e);
	for (size_t i = 0; i < names.n; i++)
		dir_remove_tree(&top, names.v[i], &e);
	strvec_release(&names);
	dir_close(&top);
	rmdir(path);
	free(path);
}

static void
write_file(const char *name, const char *text)
{
	int fd = openat(top.fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
	    0644);

	MUST(fd >= 0 && io_write(fd, text, strlen(text)) == 0);
	close(fd);
}

/* A release, to link to. */
static void
make_base(void)
{
	char *root = xasprintf("%s/root", top.path);
	char *build = xasprintf("%s/build", top.path);
	struct rules rules = RULES_INIT;
	struct caller caller;
	struct stage st = STAGE_INIT;
	struct stage_options o = { .source = build,
		.rules = &rules,
		.caller = &caller,
		.seq = -1,
		.force = true };

	caller_init(&caller);
	MUST(dir_make(&top, "build", &e) == 0);
	write_file("build/index.html", "<p>a page");
	write_file("build/same.css", "p { margin: 0 }");
	MUST(symlinkat("index.html", top.fd, "build/start") == 0);
	MUST(store_create(&store, root, &e) == 0);
	MUST(stage_run(&st, &store, &o, &e) == 0);
	base = st.id;
	stage_release(&st);
	caller_release(&caller);
	free(root);
	free(build);
}

static void
origin(void *ctx, size_t i, struct pack_origin *out)
{
	const struct manifest *m = ctx;

	*out = (struct pack_origin){ NULL, NULL, false };
	if (strcmp(m->v[i].path, "same.css") == 0)
		*out = (struct pack_origin){ base.s, "same.css", false };
}

static int
to_file(void *ctx, const void *data, size_t len, struct err *err)
{
	(void)err;
	return io_write(*(int *)ctx, data, len);
}

/* Packs of the base's content, with all and with some files in them. */
static void
write_seeds(const char *dir)
{
	static const enum pack_compression kinds[] = { PACK_PLAIN, PACK_GZIP,
		PACK_ZSTD };
	struct manifest m = MANIFEST_INIT;
	struct meta meta = META_INIT;
	struct dir build = DIR_INIT;

	MUST(manifest_read(&m, &store.manifests, base.s, &e) == 0);
	MUST(meta_read(&store, base.s, &meta, &e) == 0);
	strcpy(meta.id.s, ID);
	MUST(dir_open(&build, &top, "build", &e) == 0);
	for (size_t i = 0; i < 3; i++) {
		struct pack_source src = { .m = &m,
			.meta = &meta,
			.build = &build,
			.origin = origin,
			.ctx = &m,
			.compression = kinds[i] };
		char *path = xasprintf("%s/seed-%zu", dir, i);
		int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

		MUST(fd >= 0);
		MUST(pack_write(&src, to_file, &fd, &e) == 0);
		close(fd);
		free(path);
	}
	dir_close(&build);
	meta_release(&meta);
	manifest_release(&m);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *tmp =
	    access("/dev/shm", W_OK) == 0 ? "/dev/shm" : getenv("TMPDIR");
	char *path =
	    xasprintf("%s/fuzz-receive.XXXXXX", tmp != NULL ? tmp : "/tmp");
	struct strvec names = STRVEC_INIT;
	struct dir d = DIR_INIT;
	int i = 1;

	MUST(mkdtemp(path) != NULL && dir_open_path(&top, path, &e) == 0);
	free(path);
	atexit(remove_top);
	make_base();
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

/* The directory has these names, and no more. */
static void
check_names(const struct dir *d, const char *const *want, size_t n)
{
	struct strvec names = STRVEC_INIT;

	MUST(dir_list(d, &names, &e) == 0);
	MUST(names.n == n);
	for (size_t i = 0; i < n; i++)
		MUST(strcmp(names.v[i], want[i]) == 0);
	strvec_release(&names);
}

/* Nothing is where it should not be, and the base is what it was. */
static void
check_root(bool committed)
{
	static const char *const parts[] = { ".deploy", "releases" };
	const char *releases[] = { base.s, base.s };
	struct strvec found = STRVEC_INIT;
	struct manifest_totals t;
	size_t n = 1;

	if (committed)
		releases[strcmp(ID, base.s) < 0 ? 0 : 1] = ID, n = 2;
	check_names(&store.root, parts, 2);
	check_names(&store.releases, releases, n);
	check_names(&store.incoming, NULL, 0);
	MUST(verify(&store, base.s, &found, &t, &e) == 0 && found.n == 0);
	if (committed)
		MUST(verify(&store, ID, &found, &t, &e) == 0 && found.n == 0);
	strvec_release(&found);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct receive_options o = { .id = ID, .gid = (gid_t)-1 };
	struct incoming in = INCOMING_INIT;
	struct received got;
	int fd = memfd_create("pack", MFD_CLOEXEC), r;

	e = (struct err)ERR_INIT;
	MUST(fd >= 0 && io_write(fd, data, size) == 0);
	MUST(lseek(fd, 0, SEEK_SET) == 0);
	MUST(incoming_begin(&in, &store, ID, &e) == 0);
	r = receive(&in, fd, &o, &got, &e);
	incoming_end(&in);
	close(fd);
	MUST(r == 0 || e.text[0] != '\0');
	check_root(r == 0);
	if (r == 0) {
		MUST(store_discard(&store, ID, &e) == 0);
		MUST(store_empty_trash(&store, &e) == 0);
	}
	return 0;
}
