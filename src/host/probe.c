#include "host/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/release.h"
#include "base/strvec.h"
#include "base/version.h"
#include "host/wire.h"
#include "os/dir.h"
#include "os/file.h"
#include "os/io.h"
#include "os/jail.h"
#include "os/names.h"
#include "os/run.h"
#include "root/meta.h"
#include "root/staging.h"

enum {
	TOOLS_MS = 10000,	/* for all of them */
	TOOLS_MAX = 256 * 1024, /* bytes */
	META_MAX = 1024 * 1024,
	SHARED_MAX = 100, /* paths in shared */
};

/*
 * The programs that are there and their versions, what nginx's configuration
 * has to say about links, the document roots of web servers, and releases of
 * the root ($1) that are mounted somewhere; the same as in host.sh.
 */
static char tools[] =
    "docroots() {\n"
    "	grep -rniE '^[[:blank:]]*(root|(virtual)?documentroot)[[:blank:]]' \"$2\" 2>/dev/null |\n"
    "	    while IFS= read -r line; do printf 'docroot\\t%s\\t%s\\n' \"$1\" \"$line\"; done\n"
    "}\n"
    "for tool in awk find flock gzip rsync sha256sum stat tar timeout zstd\n"
    "do\n"
    "	command -v \"$tool\" >/dev/null 2>&1 || continue\n"
    "	line=$(\"$tool\" --version 2>/dev/null </dev/null | head -n 1)\n"
    "	printf 'tool\\t%s\\t%s\\n' \"$tool\" \"$line\"\n"
    "done\n"
    "printf 'tool\\tsh\\t%s\\n' \"$(readlink -f \"$(command -v sh)\")\"\n"
    "for dir in ${DEPLOY_TEST_NGINX:-/etc/nginx /usr/local/etc/nginx /usr/local/nginx/conf}; do\n"
    "	[ -r \"$dir/nginx.conf\" ] || continue\n"
    "	printf 'nginx\\t%s\\n' \"$dir/nginx.conf\"\n"
    "	grep -rnE '^[[:blank:]]*(open_file_cache|disable_symlinks)[[:blank:]]' \"$dir\" 2>/dev/null |\n"
    "	    while IFS= read -r line; do printf 'nginx-line\\t%s\\n' \"$line\"; "
    "done\n"
    "	docroots nginx \"$dir\"\n"
    "done\n"
    "for dir in apache2 httpd; do docroots apache \"${DEPLOY_TEST_WEB:-/etc}/$dir\"; done\n"
    "docroots caddy \"${DEPLOY_TEST_WEB:-/etc}/caddy\"\n"
    "grep -HosE '/releases/[0-9]{8}T[0-9]{6}\\.[0-9]{3}Z-[0-9a-f-]{36}[^ ]* [^ ]+' /proc/[0-9]*/mountinfo |\n"
    "    sort -t : -k 2 -u | head -n 20 |\n"
    "    while IFS= read -r found; do\n"
    "	name=${found#*:/releases/}\n"
    "	name=${name%%[ /]*}\n"
    "	found=${found#/proc/}\n"
    "	[ ! -d \"$1/releases/$name\" ] ||\n"
    "	    printf 'mounted\\t%s\\t%s\\t%s\\n' \"${found%%/*}\" \"$name\" \"${found#* }\"\n"
    "    done\n";

/* Read what the child says, for a while. */
static void
read_all(struct run_child *c, struct buf *out)
{
	int64_t end = clock_ms() + TOOLS_MS;

	while (out->len < TOOLS_MAX) {
		int64_t left = end - clock_ms();
		ssize_t n;

		if (left <= 0 || io_wait(c->out, left) <= 0)
			return;
		buf_reserve(out, 4096);
		n = io_read_some(c->out, out->data + out->len, 4096);
		if (n == 0 || (n < 0 && errno != EAGAIN))
			return;
		out->len += n > 0 ? (size_t)n : 0;
		out->data[out->len] = '\0';
	}
}

static void
put_tools(struct buf *out, const char *root)
{
	char sh[] = "sh", c[] = "-c";
	char *argv[] = { sh, c, tools, sh, (char *)(uintptr_t)root, NULL };
	struct run_child child = RUN_CHILD_INIT;
	struct buf said = BUF_INIT;
	static const char *const elsewhere[] = { "DEPLOY_TEST_NGINX",
		"DEPLOY_TEST_WEB" };
	struct strvec env = STRVEC_INIT;
	struct err ignored = ERR_INIT;
	int r;

	child.argv = argv;
	for (size_t i = 0; i < sizeof(elsewhere) / sizeof(*elsewhere); i++)
		if (getenv(elsewhere[i]) != NULL)
			strvec_addf(&env, "%s=%s", elsewhere[i],
			    getenv(elsewhere[i]));
	child.env = &env;
	child.pipe_out = child.pipe_err = true;
	r = run_start(&child, &ignored);
	strvec_release(&env);
	if (r != 0)
		return;
	close(child.err);
	child.err = -1;
	read_all(&child, &said);
	run_kill(&child);
	/* Of a line that is not whole nothing. */
	while (said.len > 0 && said.data[said.len - 1] != '\n')
		said.len--;
	buf_add(out, buf_str(&said), said.len);
	buf_release(&said);
}

static void
put_user(struct buf *out)
{
	char user[NAMES_LEN];

	wire_put(out, "user", "%u\t%s", (unsigned int)geteuid(),
	    names_user(geteuid(), user) ? user : "?");
}

static const char *
type_of(const struct stat *st)
{
	return S_ISDIR(st->st_mode) ? "dir" :
	    S_ISREG(st->st_mode)    ? "file" :
	    S_ISLNK(st->st_mode)    ? "link" :
				      "other";
}

/* Look at a path; with a slash behind it, at what a link leads to. */
static int
look(const char *path, struct stat *st)
{
	size_t n = strlen(path);
	char *name;
	int r;

	if (n < 2 || path[n - 1] != '/')
		return fstatat(AT_FDCWD, path, st, AT_SYMLINK_NOFOLLOW);
	/* Without it: it would make a file one that is not there. */
	name = xstrndup(path, n - 1);
	r = fstatat(AT_FDCWD, name, st, 0);
	free(name);
	return r;
}

/*
 * A number of the file system, as it is mounted there: nothing can be renamed
 * into a bind mount of the same.
 */
static uintmax_t
mounted(const char *path, const struct stat *st)
{
	struct statx sx;

	if (S_ISLNK(st->st_mode) ||
	    statx(AT_FDCWD, path, 0, STATX_MNT_ID, &sx) != 0 ||
	    (sx.stx_mask & STATX_MNT_ID) == 0)
		return st->st_dev;
	return (uintmax_t)st->st_dev << 32 | (sx.stx_mnt_id & 0xffffffff);
}

static void
put_path(struct buf *out, const char *path)
{
	struct stat st;
	bool writable;

	if (look(path, &st) != 0) {
		wire_put(out, "path", "%s\t0\t0\t0\t0\t%s",
		    errno == EACCES ? "denied" : "missing", path);
		return;
	}
	writable = !S_ISLNK(st.st_mode) &&
	    faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) == 0;
	wire_put(out, "path", "%s\t%u\t%o\t%ju\t%d\t%s", type_of(&st),
	    (unsigned int)st.st_uid, (unsigned int)st.st_mode & 07777,
	    mounted(path, &st), writable, path);
}

/* The root and all that lies above it, from the top. */
static void
put_way(struct buf *out, const char *root)
{
	for (const char *p = root; *p != '\0'; p++) {
		char *part;

		if (*p != '/' || p[1] == '/' || p[1] == '\0')
			continue;
		part = xasprintf("%.*s/", (int)(p - root), root);
		put_path(out, part);
		free(part);
	}
	if (strcmp(root, "/") != 0) {
		char *all = xasprintf("%s/", root);

		put_path(out, all);
		free(all);
	}
}

static void
put_paths(struct buf *out, const char *root)
{
	static const char *const parts[] = { "current", "current/", "releases",
		"shared", ".deploy", ".deploy/format", ".deploy/lock",
		".deploy/journal", ".deploy/incoming", ".deploy/manifests",
		".deploy/meta", ".deploy/trash", ".deploy/hooks",
		".deploy/hooks/post-activate", ".deploy/hooks/post-rollback" };

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		char *path = xasprintf("%s/%s", root, parts[i]);

		put_path(out, path);
		free(path);
	}
}

/* The first of what is shared: whether visitors get there. */
static void
put_shared(struct buf *out, const struct dir *root)
{
	struct dir shared = DIR_INIT;
	struct strvec names = STRVEC_INIT;
	struct err e = ERR_INIT;

	if (dir_open(&shared, root, "shared", &e) == 0 &&
	    dir_list(&shared, &names, &e) == 0)
		for (size_t i = 0; i < names.n && i < SHARED_MAX; i++) {
			char *path =
			    xasprintf("%s/%s", shared.path, names.v[i]);

			put_path(out, path);
			free(path);
		}
	strvec_release(&names);
	dir_close(&shared);
}

/* Free space, of what is there of the way to the root. */
static void
put_space(struct buf *out, const char *root)
{
	char *way = xstrdup(root);
	struct dir_space space;
	struct dir d = DIR_INIT;
	struct err e = ERR_INIT;
	char *slash;

	while (dir_open_path(&d, *way != '\0' ? way : "/", &e) != 0 &&
	    e.sys == ENOENT && (slash = strrchr(way, '/')) != NULL)
		*slash = '\0';
	if (d.fd >= 0 && dir_space(&d, &space, &e) == 0 &&
	    space.bytes < LLONG_MAX)
		wire_put(out, "free", "%llu\t%llu", space.bytes, space.inodes);
	dir_close(&d);
	free(way);
}

/* Does flock(2) work, and is the lock free? */
static void
put_lock(struct buf *out, const struct dir *state)
{
	int fd = openat(state->fd, "lock",
	    O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		return;
	if (fd >= 0 && io_flock(fd, LOCK_EX | LOCK_NB) == 0)
		wire_put(out, "lock", "free");
	else if (fd >= 0 && errno == EWOULDBLOCK)
		wire_put(out, "lock", "held");
	else
		wire_put(out, "lock", "%s", strerror(errno));
	if (fd >= 0)
		close(fd);
}

/* How old is what no living stage has in incoming/? */
static void
put_incoming(struct buf *out, const struct dir *d)
{
	struct strvec names = STRVEC_INIT;
	struct stagings living = STAGINGS_INIT;
	struct err ignored = ERR_INIT;
	struct release_id id;
	struct stat st;

	if (stagings_read(d, &living, &ignored) == 0 &&
	    dir_list(d, &names, &ignored) == 0)
		for (size_t i = 0; i < names.n; i++)
			if (release_id_parse(&id, names.v[i]) &&
			    stagings_owner(&living, names.v[i]) == NULL &&
			    fstatat(d->fd, names.v[i], &st,
				AT_SYMLINK_NOFOLLOW) == 0)
				wire_put(out, "incoming", "%lld\t%s",
				    (long long)(clock_now() / 1000 -
					st.st_mtim.tv_sec),
				    names.v[i]);
	stagings_release(&living);
	strvec_release(&names);
}

/* The names in a directory of ours; false and none: it cannot be read. */
static bool
list(const struct dir *state, const char *name, struct strvec *out)
{
	struct dir d = DIR_INIT;
	struct err ignored = ERR_INIT;
	bool is = dir_open(&d, state, name, &ignored) == 0 &&
	    dir_list(&d, out, &ignored) == 0;

	dir_close(&d);
	return is;
}

/* What is in incoming/, and how much is in trash/? */
static void
put_leftovers(struct buf *out, const struct dir *state)
{
	struct strvec names = STRVEC_INIT;
	struct dir d = DIR_INIT;
	struct err ignored = ERR_INIT;
	struct release_id id;
	size_t n = 0;

	if (dir_open(&d, state, "incoming", &ignored) == 0)
		put_incoming(out, &d);
	dir_close(&d);
	if (list(state, "trash", &names)) {
		for (size_t i = 0; i < names.n; i++)
			n += release_id_scan(&id, names.v[i]) != NULL;
		wire_put(out, "trash", "%zu", n);
	}
	strvec_release(&names);
}

/* What is in incoming/ or trash/ and is no release. */
static void
put_strangers(struct buf *out, const struct dir *state, const char *name)
{
	struct strvec names = STRVEC_INIT;
	struct release_id id;

	(void)list(state, name, &names);
	for (size_t i = 0; i < names.n; i++)
		if (release_id_scan(&id, names.v[i]) == NULL &&
		    !file_is_tmp(names.v[i]))
			wire_put(out, "kept", ".deploy/%s/%s", name,
			    names.v[i]);
	strvec_release(&names);
}

/* Directories that nothing of ours removes: adopted ones, and a user's. */
static void
put_kept(struct buf *out, const struct dir *state)
{
	static const char ours[] = " incoming manifests meta trash hooks ";
	struct strvec names = STRVEC_INIT;
	struct err ignored = ERR_INIT;

	if (dir_list(state, &names, &ignored) == 0)
		for (size_t i = 0; i < names.n; i++) {
			char *word = xasprintf(" %s ", names.v[i]);

			if (strstr(ours, word) == NULL &&
			    dir_has(state, names.v[i]))
				wire_put(out, "kept", ".deploy/%s",
				    names.v[i]);
			free(word);
		}
	strvec_release(&names);
	put_strangers(out, state, "incoming");
	put_strangers(out, state, "trash");
}

/* How large is the release that the meta is of? */
static void
put_size(struct buf *out, const struct dir *state, const struct release_id *id)
{
	char name[RELEASE_ID_LEN + 8];
	struct dir d = DIR_INIT;
	struct buf text = BUF_INIT;
	struct meta meta = META_INIT;
	struct err ignored = ERR_INIT;

	store_meta_name(id, name);
	if (dir_open(&d, state, "meta", &ignored) == 0 &&
	    file_read(&d, name, META_MAX, &text, &ignored) == 0 &&
	    meta_parse(buf_str(&text), text.len, name, &meta, &ignored) == 0)
		wire_put(out, "live", "%lld\t%lld", (long long)meta.bytes,
		    (long long)meta.files);
	meta_release(&meta);
	buf_release(&text);
	dir_close(&d);
}

/* What `current` says, as it is, and how large the release is. */
static void
put_current(struct buf *out, const struct dir *root, const struct dir *state)
{
	char target[PATH_MAX];
	ssize_t n =
	    readlinkat(root->fd, "current", target, sizeof(target) - 1);
	struct release_id id;
	const char *name;

	if (n < 0)
		return;
	target[n] = '\0';
	wire_put(out, "current", "%s", target);
	while (n > 0 && target[n - 1] == '/')
		target[--n] = '\0';
	name = strrchr(target, '/');
	if (name != NULL && release_id_parse(&id, name + 1))
		put_size(out, state, &id);
}

/* What keeps a directory from becoming a root. */
static void
put_stranger(struct buf *out, const struct dir *root)
{
	struct err ignored = ERR_INIT;
	char *name = NULL;
	bool more;

	if (store_find_stranger(root, &name, &more, &ignored) == 0 &&
	    name != NULL)
		wire_put(out, "stranger", "%s", name);
	free(name);
}

/* What is in the root. */
static void
put_content(struct buf *out, const char *path)
{
	struct dir root = DIR_INIT, state = DIR_INIT;
	struct buf format = BUF_INIT;
	struct err ignored = ERR_INIT;

	if (dir_open_path(&root, path, &ignored) != 0)
		return;
	if (dir_open(&state, &root, ".deploy", &ignored) == 0) {
		if (file_read(&state, "format", 64, &format, &ignored) == 0)
			wire_put(out, "format", "%.*s",
			    (int)strcspn(buf_str(&format), "\n"),
			    buf_str(&format));
		put_lock(out, &state);
		put_leftovers(out, &state);
		put_kept(out, &state);
	}
	put_stranger(out, &root);
	put_shared(out, &root);
	put_current(out, &root, &state);
	buf_release(&format);
	dir_close(&state);
	dir_close(&root);
}

void
probe(const char *root, struct buf *out)
{
	wire_put(out, "version", "%s", DEPLOY_VERSION);
	if (jail_is_there())
		wire_put(out, "has", "landlock");
	put_user(out);
	put_tools(out, root);
	put_way(out, root);
	put_paths(out, root);
	put_space(out, root);
	put_content(out, root);
}
