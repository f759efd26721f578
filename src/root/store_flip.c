#include "root/store_flip.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/file.h"

#define KEPT "adopted-"

int
store_prepare_flip(const struct store *s, const struct release_id *id,
    struct store_link *l, struct err *e)
{
	char target[RELEASE_ID_LEN + 16];

	/* Said before others flip, not when it is too late. */
	if (faccessat(s->root.fd, ".", W_OK, AT_EACCESS) != 0)
		return err_sys(e, "cannot replace '%s/" STORE_CURRENT "'",
		    s->root.path);
	/* Whoever staged it may have died, or failed, before he had. */
	if (dir_sync(&s->releases, e) != 0)
		return -1;
	/* A run that died between here and the flip has left its link. */
	file_sweep(&s->state);
	snprintf(target, sizeof(target), STORE_RELEASES "/%s", id->text);
	file_tmp_name(l->name);
	if (symlinkat(target, s->state.fd, l->name) != 0) {
		err_sys(e, "cannot make a link in '%s'", s->state.path);
		l->name[0] = '\0';
		return -1;
	}
	return 0;
}

void
store_drop_flip(const struct store *s, struct store_link *l)
{
	if (l->name[0] != '\0')
		unlinkat(s->state.fd, l->name, 0);
	l->name[0] = '\0';
}

int
store_tell_exchange(struct err *e)
{
	if (e->sys == EBUSY)
		return err_append(e,
		    ": it is a mount point;; mount the directory above it instead, which becomes the root");
	/* The last: a directory of the layer below an overlay. */
	if (e->sys == EINVAL || e->sys == ENOSYS || e->sys == EXDEV)
		return err_append(e,
		    ": neither this file system nor this kernel can do that in one step;; publish it to a root of another name, and let the web server serve that one's 'current'");
	return -1;
}

/* Remove the link that an adoption of `name` left which died. */
static void
drop_link(const struct store *s, const char *name)
{
	struct stat st;

	if (fstatat(s->state.fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISLNK(st.st_mode))
		unlinkat(s->state.fd, name, 0);
}

/*
 * The link in the place of a real directory, which is kept.  0; 1 when there
 * is no such directory; -1.
 */
static int
exchange_current(const struct store *s, const struct release_id *id,
    struct store_link *l, struct err *e)
{
	char kept[RELEASE_ID_LEN + 16];

	if (!s->adopting || !dir_has(&s->root, STORE_CURRENT))
		return 1;
	/*
	 * The link takes the name first under which the directory is kept:
	 * what is a user's never has a name that is swept.
	 */
	snprintf(kept, sizeof(kept), KEPT "%s", id->text);
	drop_link(s, kept);
	if (dir_rename_new(&s->state, l->name, &s->state, kept, e) != 0)
		return e->sys != EEXIST ?
		    -1 :
		    err_set(e, ERR_FAILED,
			"'%s/%s' is there already, which an earlier adoption of the same content has kept;; move it away, or remove it when you are sure",
			s->state.path, kept);
	l->name[0] = '\0';
	/* A crash here leaves the link, which drop_link() takes. */
	if (renameat2(s->state.fd, kept, s->root.fd, STORE_CURRENT,
		RENAME_EXCHANGE) != 0) {
		err_sys(e, "cannot exchange '%s/%s' and the link",
		    s->root.path, STORE_CURRENT);
		drop_link(s, kept);
		return store_tell_exchange(e);
	}
	return 0;
}

static int
cannot_replace(const struct store *s, struct err *e)
{
	err_sys(e, "cannot replace '%s/%s'", s->root.path, STORE_CURRENT);
	if (e->sys == EXDEV)
		err_append(e,
		    ": '%s' is mounted apart;; mount the whole root there, not a part",
		    s->state.path);
	return -1;
}

int
store_flip(const struct store *s, const struct release_id *id,
    struct store_link *l, struct err *e)
{
	int r = exchange_current(s, id, l, e);

	if (r < 0)
		return -1;
	if (r == 1 &&
	    renameat(s->state.fd, l->name, s->root.fd, STORE_CURRENT) != 0)
		return cannot_replace(s, e);
	/* Live from here on. */
	l->name[0] = '\0';
	if (fsync(s->root.fd) != 0 || (r == 0 && fsync(s->state.fd) != 0)) {
		err_sys(e,
		    "release %s is live, but not known to survive a power cut: cannot write '%s' to disk",
		    id->text, s->root.path);
		e->code = ERR_CLEANUP;
		return -1;
	}
	return 0;
}
