#include "content/hoard.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "os/io.h"
#include "os/log.h"

int
hoard_open(struct hoard *h, struct err *e)
{
	const char *tmp = getenv("TMPDIR");

	if (h->path != NULL)
		return 0;
	h->path = xasprintf("%s/deploy-files-XXXXXX",
	    tmp != NULL && *tmp == '/' ? tmp : "/tmp");
	if (mkdtemp(h->path) == NULL) {
		err_sys(e, "cannot make a temporary directory '%s'", h->path);
		free(h->path);
		h->path = NULL;
		return -1;
	}
	return dir_open_path(&h->dir, h->path, e);
}

void
hoard_release(struct hoard *h)
{
	static char here[] = ".";
	const struct dir cwd = { AT_FDCWD, here };
	struct err e = ERR_INIT;

	dir_close(&h->dir);
	if (h->path != NULL && dir_remove_tree(&cwd, h->path, &e) != 0)
		log_warn("%s", e.text);
	free(h->path);
	*h = (struct hoard)HOARD_INIT;
}

bool
hoard_has(const struct hoard *h, const uint8_t digest[HASH_LEN])
{
	char name[HASH_HEX + 1];

	hash_hex(digest, name);
	return h->path != NULL &&
	    faccessat(h->dir.fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

int
hoard_put(const struct hoard *h, const uint8_t digest[HASH_LEN],
    const void *data, size_t len, struct err *e)
{
	char name[HASH_HEX + 1];
	int fd, r = 0;

	hash_hex(digest, name);
	fd = openat(h->dir.fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
	    0600);
	if (fd < 0)
		return err_sys(e, "cannot create '%s/%s'", h->path, name);
	if (io_write(fd, data, len) != 0)
		r = err_sys(e, "cannot write '%s/%s'", h->path, name);
	if (io_close(fd) != 0 && r == 0)
		r = err_sys(e, "cannot write '%s/%s'", h->path, name);
	if (r != 0)
		unlinkat(h->dir.fd, name, 0);
	return r;
}
