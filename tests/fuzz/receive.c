/*
 * `deploy host receive`, end to end and in this process: a request and a pack
 * that are not trusted become a complete release, or nothing.  Whatever they
 * say, nothing changes but incoming/, releases/, manifests/ and meta/ of the
 * root (and directories for shared paths), nothing at all outside of it; what
 * was committed is what its manifest says, with modes that a release may
 * have, and the answer is lines of the protocol.
 *
 * An input is a recipe (recipe.h) or, when it does not begin like one, the
 * pack itself.  The root lies in memory (/dev/shm) and stays from run to run:
 * what was released is taken away again, the rest is compared by stat(2).
 * Seeds are made here when the first directory on the command line is empty.
 * RECIPE=FILE in the environment writes the pack of each recipe that is run
 * to FILE.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/path.h"
#include "host/host.h"
#include "host/wire.h"
#include "os/io.h"
#include "os/jail.h"
#include "root/store.h"
#include "root/store_remove.h"
#include "root/verify.h"

/* What is fuzzed is the program, not this. */
#ifdef __clang__
#pragma clang attribute push(__attribute__((no_sanitize("coverage"))), \
    apply_to = function)
#endif
#include "recipe.h"

#define BASE "20200101T190305.482Z-6f9619ff-8b86-4011-b42d-00c04fc964ff"
#define ID "20200102T080000.000Z-6f9619ff-8b86-4011-b42d-00c04fc96500"
#define SECRET "not for a release\n"

enum { ANSWER_MAX = 64 * 1024, WATCHED_MAX = 64, OLD = 1700000000 };

static const struct release_id own_id = { ID };
static struct dir top = DIR_INIT; /* has root, outside */
static char *root;
static struct store store = STORE_INIT;
static struct hash *hash;
static struct manifest base_manifest = MANIFEST_INIT;
static struct err e;
static int input, answer;	    /* in memory */
static off_t empty_size, name_size; /* of a directory, and a name in it */

#define MUST(expr) ((expr) ? (void)0 : broken(#expr, __LINE__))

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,
    unsigned int seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_size,
    const uint8_t *b, size_t b_size, uint8_t *out, size_t max,
    unsigned int seed);
const char *__asan_default_options(void);

static void __attribute__((noreturn)) broken(const char *what, int line)
{
	fprintf(stderr, "line %d: does not hold: %s\n%s\n", line, what,
	    e.text);
	abort();
}

/*
 * Freed memory is kept back for a while, but not until pages run out; who
 * allocated it, ASAN_OPTIONS=malloc_context_size=30 tells.
 */
const char *
__asan_default_options(void)
{
	return "quarantine_size_mb=4:malloc_context_size=1:"
	       "max_malloc_fill_size=0";
}

/* No power is cut here: these take precedence over the C library's. */
int
fsync(int fd)
{
	(void)fd;
	return 0;
}

int
syncfs(int fd)
{
	(void)fd;
	return 0;
}

/* What may not change, as stat(2) saw it. */

static struct watched {
	char *path; /* in top */
	int fd;	    /* O_PATH: who puts another there changes the directory */
	struct stat st;
	char *content; /* of a file that may get another name for a while */
} watched[WATCHED_MAX];
static size_t n_watched;

static void
look(const char *path, struct stat *st)
{
	MUST(fstatat(top.fd, path, st, AT_SYMLINK_NOFOLLOW) == 0);
}

static char *
content_of(const char *path)
{
	int fd = openat(top.fd, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	char *text = xcalloc(1, 4096);

	MUST(fd >= 0 && io_read(fd, text, 4095) >= 0);
	close(fd);
	return text;
}

static struct watched *
watch_one(const char *path)
{
	struct watched *w = &watched[n_watched++];

	MUST(n_watched < WATCHED_MAX);
	w->path = xstrdup(path);
	w->fd = openat(top.fd, path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	MUST(w->fd >= 0 && fstat(w->fd, &w->st) == 0);
	return w;
}

/* Watch `path` and all that is below it. */
static void
watch(const char *path)
{
	struct watched *w = watch_one(path);
	struct strvec names = STRVEC_INIT;
	struct dir d = DIR_INIT;

	if (S_ISREG(w->st.st_mode))
		w->content = content_of(path);
	if (!S_ISDIR(w->st.st_mode))
		return;
	MUST(dir_open(&d, &top, path, &e) == 0);
	MUST(dir_list(&d, &names, &e) == 0);
	for (size_t i = 0; i < names.n; i++) {
		char *below = xasprintf("%s/%s", path, names.v[i]);

		watch(below);
		free(below);
	}
	strvec_release(&names);
	dir_close(&d);
}

static bool
is_same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

/* A file of the base was linked to, and is not any more. */
static void
check_linked(struct watched *w, const struct stat *st)
{
	char *text = content_of(w->path);

	MUST(st->st_ino == w->st.st_ino && st->st_mode == w->st.st_mode);
	MUST(st->st_size == w->st.st_size && st->st_nlink == w->st.st_nlink);
	MUST(st->st_uid == w->st.st_uid && st->st_gid == w->st.st_gid);
	MUST(is_same_time(&st->st_mtim, &w->st.st_mtim));
	MUST(strcmp(text, w->content) == 0);
	free(text);
	w->st = *st;
}

static void
check_watched(void)
{
	for (size_t i = 0; i < n_watched; i++) {
		struct watched *w = &watched[i];
		struct stat st;

		MUST(fstat(w->fd, &st) == 0);
		if (is_same_time(&st.st_ctim, &w->st.st_ctim) &&
		    is_same_time(&st.st_mtim, &w->st.st_mtim) &&
		    st.st_nlink == w->st.st_nlink)
			continue;
		if (strncmp(w->path, "root/releases/", 14) == 0 &&
		    w->content != NULL)
			check_linked(w, &st);
		else
			broken(w->path, __LINE__);
	}
}

/*
 * shared/: new directories may be there, and nothing else; they go again.
 * Returns what was there already.
 */
static size_t
clean_shared(const struct dir *at, const char *name)
{
	static const char *const ours[] = { "shared", "up", "file", "out" };
	struct strvec names = STRVEC_INIT;
	struct dir d = DIR_INIT;
	bool is_ours = false;
	size_t n = 0;
	struct stat st;

	MUST(fstatat(at->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0);
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		is_ours |= strcmp(name, ours[i]) == 0;
	if (!S_ISDIR(st.st_mode))
		return is_ours;
	MUST((st.st_mode & 07777) == 0755);
	MUST(dir_open(&d, at, name, &e) == 0);
	MUST(dir_list(&d, &names, &e) == 0);
	for (size_t i = 0; i < names.n; i++)
		n += clean_shared(&d, names.v[i]);
	strvec_release(&names);
	dir_close(&d);
	if (n == 0 && strcmp(name, "shared") != 0 && strcmp(name, "up") != 0)
		MUST(unlinkat(at->fd, name, AT_REMOVEDIR) == 0);
	return n + is_ours;
}

static void
check_shared(void)
{
	static struct timespec was, was_below;
	struct stat st, below;

	look("root/shared", &st);
	look("root/shared/up", &below);
	if (is_same_time(&st.st_ctim, &was) &&
	    is_same_time(&below.st_ctim, &was_below))
		return;
	MUST(clean_shared(&store.root, "shared") == 4);
	look("root/shared", &st);
	look("root/shared/up", &below);
	was = st.st_ctim;
	was_below = below.st_ctim;
}

/*
 * The directory has these names, and no more.  In memory its size tells how
 * many there are; which they are is looked at now and then.
 */
static void
check_names(const struct dir *d, const char *a, const char *b)
{
	struct strvec names = STRVEC_INIT;
	static unsigned int runs;
	struct stat st;

	MUST(fstat(d->fd, &st) == 0);
	if (name_size > 0 && b == NULL && runs++ % 64 != 0 &&
	    st.st_size == empty_size + (a != NULL ? name_size : 0))
		return;
	MUST(dir_list(d, &names, &e) == 0);
	MUST(names.n == (size_t)(a != NULL) + (b != NULL));
	MUST(a == NULL || strcmp(names.v[0], a) == 0);
	MUST(b == NULL || strcmp(names.v[1], b) == 0);
	strvec_release(&names);
}

/* Does a link of a release stay in it, or is it one to a shared path? */
static bool
is_fit_link(const char *path, const char *target)
{
	char *shared = manifest_shared_target(path);
	bool fit = strcmp(target, shared) == 0;
	int depth = 0;

	free(shared);
	for (const char *p = path; *p != '\0'; p++)
		depth += *p == '/';
	if (target[0] == '/' || target[0] == '\0')
		return fit;
	for (const char *p = target; *p != '\0'; p += strspn(p, "/")) {
		size_t n = strcspn(p, "/");

		if (n == 2 && memcmp(p, "..", 2) == 0)
			depth--;
		else if (n > 1 || *p != '.')
			depth++;
		if (depth < 0)
			return fit;
		p += n;
	}
	return true;
}

/* A file of the release: its own, or one of the base. */
static void
check_file(const struct stat *st)
{
	MUST(st->st_mode == (S_IFREG | 0644) ||
	    st->st_mode == (S_IFREG | 0755));
	if (st->st_nlink == 1)
		return;
	for (size_t i = 0; i < n_watched; i++)
		if (watched[i].st.st_ino == st->st_ino &&
		    strncmp(watched[i].path, "root/releases/" BASE "/",
			14 + sizeof(BASE)) == 0)
			return;
	broken("a hard link to what is no file of a release", __LINE__);
}

static void
check_tree(const struct dir *d, const char *prefix)
{
	struct strvec names = STRVEC_INIT;

	MUST(dir_list(d, &names, &e) == 0);
	for (size_t i = 0; i < names.n; i++) {
		char *path = xasprintf("%s%s%s", prefix,
		    *prefix != '\0' ? "/" : "", names.v[i]);
		struct dir below = DIR_INIT;
		char target[4096] = "";
		struct stat st;

		MUST(
		    fstatat(d->fd, names.v[i], &st, AT_SYMLINK_NOFOLLOW) == 0);
		if (S_ISLNK(st.st_mode)) {
			MUST(readlinkat(d->fd, names.v[i], target,
				 sizeof(target) - 1) > 0);
			MUST(is_fit_link(path, target));
		} else if (S_ISDIR(st.st_mode)) {
			MUST((st.st_mode & 07777) == 0755 ||
			    (st.st_mode & 07777) == 02755);
			MUST(dir_open(&below, d, names.v[i], &e) == 0);
			check_tree(&below, path);
			dir_close(&below);
		} else {
			check_file(&st);
		}
		free(path);
	}
	strvec_release(&names);
}

/* A release is there: it is what its manifest says, and fit to be served. */
static void
check_release(void)
{
	struct verified v = VERIFIED_INIT;
	struct dir d = DIR_INIT;
	struct stat st;

	if (verify(&store, &own_id, &v, &e) != 0 || v.found.n > 0)
		broken(v.found.n > 0 ? v.found.v[0] : e.text, __LINE__);
	verified_release(&v);
	MUST(dir_open(&d, &store.releases, ID, &e) == 0);
	MUST(fstat(d.fd, &st) == 0 &&
	    ((st.st_mode & 07777) == 0755 || (st.st_mode & 07777) == 02755));
	check_tree(&d, "");
	dir_close(&d);
}

static void
check_root(bool committed)
{
	const char *id = committed ? ID : NULL;

	check_names(&store.incoming, NULL, NULL);
	check_names(&store.releases, BASE, id);
	check_names(&store.manifests, BASE, id);
	check_names(&store.meta, BASE ".json", committed ? ID ".json" : NULL);
	if (committed) {
		check_release();
		MUST(store_discard(&store, &own_id, &e) == 0);
		MUST(store_empty_trash(&store, &e) == 0);
	}
	check_names(&store.trash, NULL, NULL);
	check_shared();
	check_watched();
}

/* One request. */

/* The answer: the magic, lines that we know, and how it went, last. */
static void
check_answer(int r)
{
	static const char *const known[] = { "ready", "received", "warning" };
	static char text[ANSWER_MAX];
	ssize_t n = pread(answer, text, sizeof(text) - 1, 0);
	struct wire_line line;
	char *rest = text;
	bool ended = false;

	MUST(n > 0 && n < ANSWER_MAX - 1 && text[n - 1] == '\n');
	text[n - 1] = '\0';
	MUST(strlen(text) == (size_t)n - 1);
	MUST(strcmp(strsep(&rest, "\n"), WIRE_MAGIC) == 0);
	while (rest != NULL) {
		bool is_known = false;

		MUST(!ended);
		wire_split(strsep(&rest, "\n"), &line);
		ended = strcmp(line.key, r == 0 ? "ok" : "error") == 0;
		for (size_t i = 0; i < 3; i++)
			is_known |= strcmp(line.key, known[i]) == 0;
		MUST(ended || is_known);
	}
	MUST(ended);
}

/* The files that lie in incoming/<id> already cannot be had: no "filled". */
static void
add_words(const struct recipe *r, const char *id, struct strvec *words)
{
	strvec_add(words, "receive");
	strvec_add(words, root);
	strvec_addf(words, "--id=%s", id);
	strvec_add(words, "--who=fuzz");
	for (size_t i = 0; r->n > 0 && i < r->v[0].n; i++)
		if (r->v[0].v[i].key == 'a')
			strvec_add(words, r->v[0].v[i].value);
}

static int
request(const struct strvec *words, const struct buf *pack)
{
	const struct host_limits limits = { root, "receive" };
	const struct host_io io = { input, answer };

	e = (struct err)ERR_INIT;
	MUST(ftruncate(input, 0) == 0 && ftruncate(answer, 0) == 0);
	MUST(pwrite(input, buf_str(pack), pack->len, 0) == (ssize_t)pack->len);
	MUST(
	    lseek(input, 0, SEEK_SET) == 0 && lseek(answer, 0, SEEK_SET) == 0);
	return host_run(words, &limits, &io, &e);
}

static void
save(const struct buf *pack)
{
	const char *name = getenv("RECIPE");
	int fd;

	if (name == NULL)
		return;
	fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	MUST(fd >= 0 && io_write(fd, buf_str(pack), pack->len) == 0);
	close(fd);
}

static int
run(const uint8_t *data, size_t size, const char *id)
{
	struct recipe r = { .n = 0 };
	struct strvec words = STRVEC_INIT;
	struct buf pack = BUF_INIT;
	int c;

	if (recipe_is(data, size)) {
		recipe_parse(&r, data, size);
		recipe_make(&r, id, &base_manifest, BASE, hash, &pack);
		save(&pack);
	} else if (size > 0) {
		buf_add(&pack, data, size);
	}
	add_words(&r, id, &words);
	c = request(&words, &pack);
	strvec_release(&words);
	buf_release(&pack);
	recipe_release(&r);
	return c;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int c = run(data, size, ID);

	MUST(c == 0 || e.text[0] != '\0');
	check_answer(c);
	check_root(c == 0);
	return 0;
}

/* The root. */

static const char base_recipe[] =
    "pack c=plain\n"
    "f p=index.html d=<p>a\\040page\n"
    "f p=same.css d=p\\040{\\040margin:\\0400\\040}\n"
    "d p=a\n"
    "f p=a/b.sh m=0755 d=x\n"
    "l p=start l=index.html\n"
    "l p=up l=../../shared/up g=shared\n"
    "l p=out l=../../shared/out g=shared\n";

/* The style sheet as encode.h has it. */
#define GZIP \
	"\\037\\213\\010\\000\\000\\000\\000\\000\\002\\003\\053\\120\\250" \
	"\\126\\310\\115\\054\\112\\317\\314\\263\\122\\060\\120\\250\\005" \
	"\\000\\172\\353\\321\\000\\017\\000\\000\\000"

/* What the mutator puts together: each line shows another thing. */
static const char *const lines[] = {
	"f p=a.html d=hello",
	"f p=b.js m=0755 t=1 d=let",
	"d p=a",
	"d p=b",
	"f p=a/b.sh d=y",
	"l p=l l=a.html",
	"l p=a/l l=../b/c",
	"l p=up l=../../shared/up g=shared",
	"l p=a/new l=../../../shared/a/new g=shared",
	"l p=new l=../../shared/new g=shared",
	"h p=same.css l=releases/" BASE "/same.css",
	"h p=h m=0755 d=x l=releases/" BASE "/a/b.sh",
	"h p=h l=releases/" BASE "/up/file d=upload",
	"h p=h l=releases/" BASE "/out/secret d=not\\040for\\040a\\040release"
	"\\012",
	"f p=c.css d=hello g=carried,last-1700000000",
	"f o=t y=x p=pax d=20\\040path=a\\012",
	"raw d=x",
	"meta q=41 b=false m=\"why\" c=\"0123abc\"",
	"f p=a.html o=m d=hello",
	"f p=a.html o=t d=hello",
	"rule r=0 u=page v=site",
	"rule r=1 u=a\\040 v=the\\040",
	"f p=index.html d=<p>a\\040site e=0",
	"f p=new.html d=<p>a\\040site e=0 l=index.html",
	"f p=same.css d=p\\040{\\040margin:\\0400\\040} e=b",
	"f p=moved.css d=p\\040{\\040margin:\\0400\\040} e=b l=same.css",
	"f p=a/b.sh m=0755 d=x e=o",
	"f p=same.css.gz d=" GZIP " e=z",
	"at r=40 d=x",
};

#define EDITS "pack c=edits a=--base=" BASE "\n"

static const char *const seeds[] = {
	base_recipe,
	"pack c=zstd\nmeta q=1 t=1700000000\nf p=a.html d=hello\n"
	"h p=same.css l=releases/" BASE "/same.css\n",
	"pack c=gzip a=--bytes=10 a=--inodes=3\nd p=a\nf p=a/b d=x\n"
	"l p=a/l l=b\nl p=new l=../../shared/new g=shared\n",
	"pack c=plain a=--filled\nd p=a\nf p=a/b d=x o=m\n",
	EDITS "rule r=0 u=page v=site\nf p=index.html d=<p>a\\040site e=0\n"
	      "f p=same.css d=p\\040{\\040margin:\\0400\\040} e=b\n"
	      "d p=a\nf p=a/b.sh m=0755 d=x e=o\nl p=start l=index.html\n"
	      "l p=up l=../../shared/up g=shared\n",
	EDITS
	"f p=moved.css d=p\\040{\\040margin:\\0400\\040} e=b l=same.css\n"
	"f p=new.html d=new e=w\nf p=new.js d=<p>the\\040page e=1 l=index.html\n"
	"rule r=1 u=a\\040 v=the\\040\nrule r=0 u=page v=site\n",
	EDITS "f p=same.css d=p\\040{\\040margin:\\0400\\040} e=b\n"
	      "f p=same.css.gz d=" GZIP " e=z\n",
};

static void
write_file(const char *name, const char *text)
{
	int fd = openat(top.fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
	    0644);

	/* As old as what a recipe makes: it could pass for that. */
	MUST(fd >= 0 && io_write(fd, text, strlen(text)) == 0);
	MUST(
	    futimens(fd, (struct timespec[2]){ { OLD, 0 }, { OLD, 0 } }) == 0);
	close(fd);
}

/*
 * A root with a release; what an upload has left under shared/, and a link
 * of an administrator out of the root.
 */
static void
make_root(void)
{
	struct stat st;

	MUST(dir_make(&top, "outside", &e) == 0);
	write_file("outside/secret", SECRET);
	root = xasprintf("%s/root", top.path);
	MUST(store_create(&store, root, &e) == 0);
	MUST(dir_make(&top, "root/shared", &e) == 0);
	MUST(dir_make(&top, "root/shared/up", &e) == 0);
	write_file("root/shared/up/file", "upload");
	MUST(symlinkat("../../outside", top.fd, "root/shared/out") == 0);
	MUST(
	    run((const uint8_t *)base_recipe, strlen(base_recipe), BASE) == 0);
	MUST(manifest_read(&base_manifest, &store.manifests, BASE, &e) == 0);
	MUST(fstat(store.incoming.fd, &st) == 0);
	empty_size = st.st_size;
	MUST(fstat(store.releases.fd, &st) == 0);
	name_size = st.st_size - empty_size;
	watch("outside");
	watch_one("root");
	watch_one("root/.deploy");
	watch("root/.deploy/format");
	watch("root/.deploy/manifests/" BASE);
	watch("root/.deploy/meta/" BASE ".json");
	watch("root/releases/" BASE);
	watch("root/shared/up/file");
	watch_one("root/shared/out");
	watch_one(".");
}

static void
write_seeds(const char *dir)
{
	for (size_t i = 0; i < sizeof(seeds) / sizeof(seeds[0]); i++) {
		char *path = xasprintf("%s/seed-%zu", dir, i);
		int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

		MUST(fd >= 0);
		MUST(io_write(fd, seeds[i], strlen(seeds[i])) == 0);
		close(fd);
		free(path);
	}
}

static void
remove_top(void)
{
	char *path = xstrdup(top.path);

	err_ignore(dir_remove_tree(&top, "root", &e));
	err_ignore(dir_remove_tree(&top, "outside", &e));
	store_close(&store);
	dir_close(&top);
	rmdir(path);
	free(path);
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

	umask(022);
	MUST(mkdtemp(path) != NULL && dir_open_path(&top, path, &e) == 0);
	free(path);
	input = memfd_create("pack", 0);
	answer = memfd_create("answer", 0);
	hash = hash_new();
	make_root();
	atexit(remove_top);
	/* A thread and a jail for each input would take most of the time. */
	jail_open();
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

/* Changes of recipes. */

/* What the values of a field may be. */
static const struct {
	char key;
	const char *v[28];
} words[] = {
	{ 'p',
	    { "a", "a/b", "a/b/c", "b", "index.html", "same.css", "", ".",
		"..", "../x", "a/../b", "/etc/x", "a//b", "a/", "./a",
		".deploy", ".deploy/format", "-x", "\xc3\xa9", "a b", "a\nb",
		"\x1b[2J", "up/x", "out/secret", "l/x", "new/x",
		"a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s/t/u/v/w/x/y/z/0123456789/"
		"0123456789/0123456789/0123456789/0123456789/0123456789",
		"\xff\xfe" } },
	{ 'm',
	    { "0644", "0755", "02755", "04755", "06777", "0666", "0777",
		"0555", "0", "01777", "07777", "0100644", "644", "x", "",
		"0400" } },
	{ 't',
	    { "0", "1", "1700000000", "-1", "2147483648", "253402300799",
		"253402300800", "8589934592", "9223372036854775807",
		"9223372036854775808", "1.5", "x", "" } },
	{ 'l',
	    { "a", "b", "../a", "../../x", "../../../x", "/etc/passwd",
		"a/../../..", "", ".", "..", "../../shared/up",
		"../../shared/new", "../../../shared/a/new",
		"releases/" BASE "/same.css", "releases/" BASE "/a/b.sh",
		"releases/" BASE "/a", "releases/" BASE "/start",
		"releases/" BASE "/up/file", "releases/" BASE "/out/secret",
		"releases/" BASE "/../" BASE "/same.css", "releases/" BASE "/",
		"releases/" ID "/a", ".deploy/format",
		"/releases/" BASE "/a/b.sh", "shared/up/file", "index.html",
		"releases/" BASE "//same.css" } },
	{ 'g',
	    { "shared", "carried", "carried,last-0", "carried,last-1",
		"carried,last-9223372036854775808", "x", "shared,carried" } },
	{ 'd',
	    { "", "x", "hello", RECIPE_SAME, "upload", SECRET, "<p>a page" } },
	{ 's',
	    { "0", "1", "5", "9223372036854775807", "18446744073709551616",
		"-1", "4294967296", "" } },
	{ 'S',
	    { "00000000000", "00000000001", "00000000005", "77777777777",
		"\x80\0\0\0\x7f", "-0000000001", "xxxxxxxxxxxx", "" } },
	{ 'T', { "00000000000", "77777777777", "\xff\xff\xff\xff", "" } },
	{ 'M', { "0000644", "0000755", "0004755", "0007777", "xxxxxxx", "" } },
	{ 'y',
	    { "0", "1", "2", "3", "4", "5", "6", "7", "x", "g", "L", "K", "S",
		"D", "V", "N", "" } },
	{ 'k', { "0", "" } },
	{ 'x',
	    { "mode=04755", "type=dir", "type=file", "link=/etc/passwd",
		"uid=0", "flags=none", "size=0", "tags=shared", "mode=0644",
		"optional", ",\"id\":1", ",\"pinned\":true", ",", "}" } },
	{ 'o', { "m", "t" } },
	{ 'c', { "plain", "gzip", "zstd", "edits", "edits" } },
	{ 'e', { "b", "o", "w", "0", "1", "7" } },
	{ 'r',
	    { "0", "1", "7", "32", "33", "40", "63", "70", "75", "80", "100",
		"200", "65536" } },
	{ 'u', { "page", "a", "a ", "<p>", "", "e" } },
	{ 'v',
	    { "", "page", "site", "a", "\xff",
		"a much longer text than before", "<" } },
	{ 'z', { "1", "512", "1024", "1536", "2048", "2560", "3000" } },
	{ 'a',
	    { "--filled", "--bytes=0", "--bytes=9223372036854775807",
		"--bytes=x", "--inodes=9223372036854775807", "--group=root",
		"--group=nobody-of-that-name", "--lock-wait=0", "--id=" BASE,
		"--base=" BASE, "--base=" BASE, "--base=" ID, "--base=../x",
		"--id=../x", "--job=http://x",
		"--who=", "--no-such-thing=1" } },
	{ 'i', { "\"" BASE "\"", "\"" ID "\"", "1", "null", "\"\"" } },
	{ 'q',
	    { "0", "-1", "41", "9223372036854775807", "9223372036854775808",
		"1.5", "null", "\"1\"", "[]" } },
	{ 'b', { "true", "false", "1", "null" } },
	{ 'D', { "\"\"", "null", "1" } },
	{ 'w', { "\"ann\"", "\"\\u0000\"", "\"\\n\"", "{}", "null" } },
	{ 'h', { "#mtree v2.0", "#mtree", "" } },
};

/* The same things are called the same in the tar, or are JSON numbers. */
static char
kin(char key)
{
	switch (key) {
	case 'P':
		return 'p';
	case 'L':
		return 'l';
	case 'n':
	case 'B':
		return 'q';
	case 'j':
		return 'w';
	default:
		return key;
	}
}

static uint64_t chance;

static size_t
pick(size_t n)
{
	chance ^= chance << 13;
	chance ^= chance >> 7;
	chance ^= chance << 17;
	return (size_t)(chance >> 11) % n;
}

/* A value for the field out of the list, if there is one. */
static void
set_word(struct recipe_line *l, char key)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		size_t n = 0;
		const char *w;

		if (words[i].key != kin(key))
			continue;
		while (n < 28 && words[i].v[n] != NULL)
			n++;
		w = words[i].v[pick(n)];
		recipe_set(l, key, w, strlen(w));
		return;
	}
}

/* Let libFuzzer change the bytes of a field. */
static void
set_bytes(struct recipe_line *l, struct recipe_field *f)
{
	uint8_t value[RECIPE_VALUE];
	char key = f->key;
	size_t n = f->len;

	memcpy(value, f->value, n);
	n = LLVMFuzzerMutate(value, n, n < 64 ? 80 : sizeof(value));
	if (key == 'a') {
		free(f->value);
		*f = l->v[--l->n];
	}
	recipe_set(l, key, value, n);
}

static void
remove_field(struct recipe_line *l, size_t i)
{
	free(l->v[i].value);
	l->v[i] = l->v[--l->n];
}

static void
mutate_line(struct recipe_line *l)
{
	static const char entry[] = "pppmmttlllgddsSTMykxoPLeee";
	static const char meta[] = "iqbnBtDwjx";
	const char *keys = recipe_is_entry(l) ? entry :
	    strcmp(l->kind, "meta") == 0      ? meta :
	    strcmp(l->kind, "pack") == 0      ? "czaa" :
	    strcmp(l->kind, "raw") == 0	      ? "d" :
	    strcmp(l->kind, "rule") == 0      ? "ruv" :
	    strcmp(l->kind, "at") == 0	      ? "rd" :
						"hx";

	if (l->n > 0 && pick(3) == 0)
		set_bytes(l, &l->v[pick(l->n)]);
	else if (l->n > 1 && pick(6) == 0)
		remove_field(l, pick(l->n));
	else if (recipe_is_entry(l) && pick(12) == 0)
		l->kind[0] = "fdlh"[pick(4)];
	else if (l->n > 0 && pick(2) == 0)
		set_word(l, l->v[pick(l->n)].key);
	else
		set_word(l, keys[pick(strlen(keys))]);
}

/* A copy of the line `text` (or of line `from`) at a place of its own. */
static void
insert_line(struct recipe *r, const char *text)
{
	struct recipe one = { .n = 0 };
	size_t at = 1 + pick(r->n);

	if (r->n == RECIPE_LINES)
		return;
	recipe_parse(&one, (const uint8_t *)text, strlen(text));
	if (one.n != 1) {
		recipe_release(&one);
		return;
	}
	memmove(&r->v[at + 1], &r->v[at], (r->n - at) * sizeof(r->v[0]));
	r->v[at] = one.v[0];
	r->n++;
}

static void
remove_line(struct recipe *r, size_t i)
{
	for (size_t k = 0; k < r->v[i].n; k++)
		free(r->v[i].v[k].value);
	free(r->v[i].kind);
	r->n--;
	memmove(&r->v[i], &r->v[i + 1], (r->n - i) * sizeof(r->v[0]));
}

/* Two lines change places; what is after the first line. */
static void
swap_lines(struct recipe *r)
{
	size_t a = 1 + pick(r->n - 1), b = 1 + pick(r->n - 1);
	struct recipe_line keep = r->v[a];

	r->v[a] = r->v[b];
	r->v[b] = keep;
}

static void
mutate_recipe(struct recipe *r)
{
	size_t what = pick(10);

	if (what == 0)
		insert_line(r, lines[pick(sizeof(lines) / sizeof(lines[0]))]);
	else if (what == 1 && r->n > 2)
		remove_line(r, 1 + pick(r->n - 1));
	else if (what == 2 && r->n > 2)
		swap_lines(r);
	else
		mutate_line(&r->v[pick(r->n)]);
}

/* The recipe as an input of at most `max` bytes; 0: it does not fit. */
static size_t
put_recipe(struct recipe *r, uint8_t *data, size_t max)
{
	struct buf b = BUF_INIT;
	size_t n;

	recipe_print(r, &b);
	n = b.len <= max ? b.len : 0;
	if (n > 0)
		memcpy(data, b.data, n);
	buf_release(&b);
	recipe_release(r);
	return n;
}

/* The pack itself, with some bytes of it changed. */
static size_t
damage(struct recipe *r, uint8_t *data, size_t max)
{
	struct buf pack = BUF_INIT;
	size_t n;

	recipe_make(r, ID, &base_manifest, BASE, hash, &pack);
	n = pack.len <= max ? pack.len : 0;
	if (n > 0)
		memcpy(data, pack.data, n);
	buf_release(&pack);
	recipe_release(r);
	return n > 0 ? LLVMFuzzerMutate(data, n, max) : 0;
}

size_t
LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,
    unsigned int seed)
{
	const char *fresh = seeds[seed % (sizeof(seeds) / sizeof(seeds[0]))];
	struct recipe r = { .n = 0 };
	size_t n;

	chance = seed * 2654435769u + 1;
	if (!recipe_is(data, size) && pick(16) != 0)
		return LLVMFuzzerMutate(data, size, max);
	if (recipe_is(data, size))
		recipe_parse(&r, data, size);
	else
		recipe_parse(&r, (const uint8_t *)fresh, strlen(fresh));
	if (pick(100) == 0) {
		n = damage(&r, data, max);
	} else {
		for (size_t i = 1 + pick(4); i > 0; i--)
			mutate_recipe(&r);
		n = put_recipe(&r, data, max);
	}
	return n > 0 ? n : LLVMFuzzerMutate(data, size, max);
}

/* Lines of the other recipe come into the first. */
size_t
LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_size, const uint8_t *b,
    size_t b_size, uint8_t *out, size_t max, unsigned int seed)
{
	struct recipe x = { .n = 0 }, y = { .n = 0 };

	chance = seed * 2654435769u + 1;
	if (!recipe_is(a, a_size) || !recipe_is(b, b_size))
		return 0;
	recipe_parse(&x, a, a_size);
	recipe_parse(&y, b, b_size);
	for (size_t i = 1; i < y.n && x.n < RECIPE_LINES; i++)
		if (pick(2) == 0) {
			struct recipe_line keep = y.v[i];

			x.v[x.n++] = keep;
			y.n--;
			memmove(&y.v[i], &y.v[i + 1],
			    (y.n - i) * sizeof(y.v[0]));
		}
	recipe_release(&y);
	return put_recipe(&x, out, max);
}

#ifdef __clang__
#pragma clang attribute pop
#endif
