#include "fleet/cache.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/hash.h"
#include "base/release.h"
#include "os/dir.h"
#include "os/file.h"
#include "os/log.h"

enum { KEPT = 40 };

/* Open the directory, made if need be (ours alone).  0 or -1. */
static int
open_cache(struct dir *d)
{
	const char *base = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	struct err e = ERR_INIT;
	char *path;
	int r = -1;

	if (base != NULL && *base == '/')
		path = xasprintf("%s/deploy", base);
	else if (home != NULL && *home == '/')
		path = xasprintf("%s/.cache/deploy", home);
	else
		return -1;
	for (char *p = strchr(path + 1, '/');; p = strchr(p + 1, '/')) {
		if (p != NULL)
			*p = '\0';
		(void)mkdir(path, 0700);
		if (p == NULL)
			break;
		*p = '/';
	}
	r = dir_open_path(d, path, &e);
	free(path);
	return r;
}

bool
cache_get(const struct release_id *id, const char *digest, struct manifest *m)
{
	struct dir d = DIR_INIT;
	struct err e = ERR_INIT;
	uint8_t is[HASH_LEN];
	char hex[HASH_HEX + 1] = "";

	if (open_cache(&d) != 0)
		return false;
	if (manifest_read(m, &d, id->text, &e) == 0) {
		manifest_digest(m, is);
		hash_hex(is, hex);
	}
	dir_close(&d);
	if (strcmp(hex, digest) == 0)
		return true;
	manifest_release(m);
	return false;
}

/* Ids sort by time: the first are the oldest. */
static void
remove_old(const struct dir *d)
{
	struct strvec names = STRVEC_INIT;
	struct err e = ERR_INIT;

	if (dir_list(d, &names, &e) == 0)
		for (size_t i = 0; i + KEPT < names.n; i++)
			unlinkat(d->fd, names.v[i], 0);
	strvec_release(&names);
}

void
cache_put(const struct release_id *id, const struct manifest *m)
{
	struct dir d = DIR_INIT;
	struct buf b = BUF_INIT;
	struct err e = ERR_INIT;

	if (open_cache(&d) != 0)
		return;
	manifest_print(m, &b);
	if (file_publish(&d, id->text, b.data, b.len, &e) != 0)
		log_debug("%s", e.text);
	remove_old(&d);
	buf_release(&b);
	dir_close(&d);
}

int
cache_lock_file(const char *what)
{
	uint8_t sum[HASH_LEN];
	char name[HASH_HEX + 1];
	struct hash *h;
	struct dir d = DIR_INIT;
	int builds, fd = -1;

	if (open_cache(&d) != 0)
		return -1;
	h = hash_new();
	hash_add(h, what, strlen(what));
	hash_end(h, sum);
	hash_free(h);
	hash_hex(sum, name);
	(void)mkdirat(d.fd, "builds", 0700);
	builds = openat(d.fd, "builds",
	    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (builds >= 0) {
		fd = openat(builds, name,
		    O_RDONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
		close(builds);
	}
	dir_close(&d);
	return fd;
}
