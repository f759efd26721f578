#include "root/repair.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "content/digest_index.h"
#include "content/place.h"
#include "os/beneath.h"
#include "os/file.h"
#include "os/intr.h"
#include "os/log.h"
#include "root/meta.h"

/* An entry of the release that is not what it should be. */
struct fix {
	const struct entry *en;
	char tmp[64]; /* what is to take its place, in incoming/<id>; "" */
	dev_t dev;    /* of the bad file ... */
	ino_t ino;    /* ... and 0: there is none, or it has no other name */
	bool done;
};

struct repairing {
	const struct store *s;
	const struct release_id *id;
	struct dir d;		   /* the release */
	gid_t gid;		   /* of what is in it; -1: as it comes */
	const struct dir *scratch; /* incoming/<id> */
	struct placer *w;
	struct fix *v;
	size_t n;
	struct strvec *mended;
};

/* ---- what is wrong ----------------------------------------------------- */

/* The status of a path beneath `d`, no link being followed; 0 or -1. */
static int
look(const struct dir *d, const char *path, struct stat *st)
{
	struct dir parent = DIR_INIT;
	struct err ignored = ERR_INIT;
	const char *name;
	int r = -1;

	if (beneath_open_parent(d, path, &parent, &name, &ignored) == 0)
		r = fstatat(parent.fd, name, st, AT_SYMLINK_NOFOLLOW);
	dir_close(&parent);
	return r;
}

/* Does the link, which is one, lead where it should? */
static bool
leads_right(const struct dir *d, const struct entry *en)
{
	size_t len = strlen(en->link);
	char *target = xmalloc(len + 2);
	ssize_t n = readlinkat(d->fd, en->path, target, len + 1);
	bool right = n == (ssize_t)len && memcmp(target, en->link, len) == 0;

	free(target);
	return right;
}

/* Is it there as the manifest says, as far as a look tells? */
static bool
looks_right(const struct dir *d, const struct entry *en, struct stat *st)
{
	*st = (struct stat){ 0 };
	if (look(d, en->path, st) != 0)
		return false;
	switch ((enum entry_type)en->type) {
	case ENTRY_DIR:
		return S_ISDIR(st->st_mode) &&
		    (st->st_mode & 07777) == en->mode;
	case ENTRY_LINK:
		return S_ISLNK(st->st_mode) && leads_right(d, en);
	case ENTRY_FILE:
		break;
	}
	return S_ISREG(st->st_mode) && (st->st_mode & 07777) == en->mode &&
	    st->st_size == en->size && st->st_mtim.tv_sec == en->mtime;
}

static void
find_fixes(struct repairing *x, const struct verified *v)
{
	for (size_t i = 0; i < v->m.n; i++) {
		struct stat st;
		struct fix *f;

		if (looks_right(&x->d, &v->m.v[i], &st) && !v->bad[i])
			continue;
		x->v = xreallocarray(x->v, x->n + 1, sizeof(*x->v));
		f = &x->v[x->n++];
		*f = (struct fix){ .en = &v->m.v[i] };
		if (S_ISREG(st.st_mode) && st.st_nlink > 1) {
			f->dev = st.st_dev;
			f->ino = st.st_ino;
		}
	}
}

/* ---- what takes its place ---------------------------------------------- */

/*
 * Make it of the file, if that has the content; it is read again.  What links
 * to it already, in releases, may be linked once more, but for `copy`.
 */
static int
take(struct repairing *x, struct fix *f, const struct dir *from,
    const char *path, bool copy, struct err *e)
{
	const struct place_origin o = { from, path, x->gid };
	struct entry en = *f->en;
	struct err ignored = ERR_INIT;
	int r = place_has_content(x->w, &o, &en, &ignored), fd;

	/* What cannot be read is of no use. */
	if (r <= 0)
		return 0;
	file_tmp_name(f->tmp);
	en.path = f->tmp;
	r = copy ? 1 : place_link(&o, x->scratch, f->tmp, &en, e);
	if (r == 1) {
		fd = place_open(from, path, e);
		r = fd < 0 ?
		    -1 :
		    place_store(x->w, fd, x->scratch, &en, x->gid, false, e);
		if (fd >= 0)
			close(fd);
	}
	if (r != 0) {
		unlinkat(x->scratch->fd, f->tmp, 0);
		f->tmp[0] = '\0';
	}
	return r;
}

/* From a tree that `m` tells about: at its own path, or where it else is. */
static int
take_from(struct repairing *x, const struct dir *from,
    const struct manifest *m, struct err *e)
{
	struct digest_index *ix = digest_index_new(m);
	int r = 0;

	for (size_t i = 0; r == 0 && i < x->n; i++) {
		struct fix *f = &x->v[i];
		const struct entry *own = manifest_find(m, f->en->path);
		const struct entry *other =
		    digest_index_find(ix, f->en->digest, f->en->mode);

		if (f->en->type != ENTRY_FILE || f->tmp[0] != '\0')
			continue;
		r = intr_check(e);
		if (r == 0 && own != NULL && own->type == ENTRY_FILE &&
		    memcmp(own->digest, f->en->digest, HASH_LEN) == 0)
			r = take(x, f, from, own->path, false, e);
		if (r == 0 && f->tmp[0] == '\0' && other != NULL)
			r = take(x, f, from, other->path, false, e);
	}
	digest_index_free(ix);
	return r;
}

/* Is a file still without what takes its place? */
static bool
lacks_some(const struct repairing *x)
{
	for (size_t i = 0; i < x->n; i++)
		if (x->v[i].en->type == ENTRY_FILE && x->v[i].tmp[0] == '\0')
			return true;
	return false;
}

/*
 * Call `each` with every other release, the newest first, and its manifest;
 * one that cannot be read is left out.
 */
static int
each_release(struct repairing *x,
    int (*each)(struct repairing *x, const struct release_id *id,
	const struct dir *d, const struct manifest *m, struct err *e),
    struct err *e)
{
	struct release_ids ids = RELEASE_IDS_INIT;
	int r = store_releases(x->s, &ids, e);

	for (size_t i = ids.n; r == 0 && i-- > 0;) {
		struct manifest m = MANIFEST_INIT;
		struct dir d = DIR_INIT;
		struct err ignored = ERR_INIT;

		if (!release_id_eq(&ids.v[i], x->id) &&
		    manifest_read(&m, &x->s->manifests, ids.v[i].text,
			&ignored) == 0 &&
		    dir_open(&d, &x->s->releases, ids.v[i].text, &ignored) ==
			0)
			r = each(x, &ids.v[i], &d, &m, e);
		dir_close(&d);
		manifest_release(&m);
	}
	release_ids_release(&ids);
	return r;
}

static int
take_from_release(struct repairing *x, const struct release_id *id,
    const struct dir *d, const struct manifest *m, struct err *e)
{
	(void)id;
	return lacks_some(x) ? take_from(x, d, m, e) : 0;
}

/*
 * Its content may be well, and only time or mode not: a copy, because others
 * may have the file, too.
 */
static int
take_own(struct repairing *x, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < x->n; i++)
		if (x->v[i].en->type == ENTRY_FILE)
			r = take(x, &x->v[i], &x->d, x->v[i].en->path, true,
			    e);
	return r;
}

static int
make_links(struct repairing *x, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < x->n; i++) {
		struct entry en = *x->v[i].en;

		if (en.type != ENTRY_LINK)
			continue;
		file_tmp_name(x->v[i].tmp);
		en.path = x->v[i].tmp;
		r = place_symlink(x->scratch, &en, e);
	}
	return r;
}

/* All that can be had, on disk. */
static int
gather(struct repairing *x, const struct manifest *sent, struct err *e)
{
	int r = take_own(x, e);

	if (r == 0 && sent != NULL)
		r = take_from(x, x->scratch, sent, e);
	if (r == 0)
		r = each_release(x, take_from_release, e);
	if (r == 0)
		r = make_links(x, e);
	return r == 0 ? dir_sync_tree(x->scratch, e) : -1;
}

/* ---- into their places ------------------------------------------------- */

static void
tell(struct repairing *x, const struct release_id *id, const char *path)
{
	strvec_addf(x->mended, "%s\t%s", id->text, path);
}

/* The directory is there, with its mode; 0, or -1: it is not. */
static int
put_directory(const struct repairing *x, const struct entry *en,
    const struct dir *parent, const char *name)
{
	if (mkdirat(parent->fd, name, 0755) != 0 && errno != EEXIST)
		return -1;
	if (!dir_has(parent, name) ||
	    (x->gid != (gid_t)-1 &&
		fchownat(parent->fd, name, (uid_t)-1, x->gid,
		    AT_SYMLINK_NOFOLLOW) != 0))
		return -1;
	return fchmodat(parent->fd, name, en->mode, 0);
}

/* One entry into its place; what cannot be put there stays as it was. */
static void
put(struct repairing *x, struct fix *f)
{
	struct dir parent = DIR_INIT;
	struct err why = ERR_INIT;
	const char *name;
	int r = -1;

	if (f->en->type != ENTRY_DIR && f->tmp[0] == '\0')
		return;
	if (beneath_open_parent(&x->d, f->en->path, &parent, &name, &why) == 0)
		r = f->en->type == ENTRY_DIR ?
		    put_directory(x, f->en, &parent, name) :
		    renameat(x->scratch->fd, f->tmp, parent.fd, name);
	if (r != 0)
		log_debug("'%s/%s' stays: %s", x->d.path, f->en->path,
		    why.text[0] != '\0' ? why.text : strerror(errno));
	dir_close(&parent);
	f->done = r == 0;
	if (f->done)
		tell(x, x->id, f->en->path);
}

/*
 * Another release has the bad file, too: the good one takes its place there.
 * 1 when it does; 0 when that could not be done; -1.
 */
static int
put_there(struct repairing *x, const struct fix *f, const struct dir *d,
    const struct entry *en, struct err *e)
{
	const struct place_origin o = { &x->d, f->en->path, x->gid };
	struct err why = ERR_INIT;
	struct dir parent = DIR_INIT;
	struct entry copy = *en;
	char tmp[64];
	const char *name;
	int r, fd;

	file_tmp_name(tmp);
	copy.path = tmp;
	r = place_link(&o, x->scratch, tmp, &copy, e);
	if (r == 1) {
		fd = place_open(&x->d, f->en->path, e);
		r = fd < 0 ?
		    -1 :
		    place_store(x->w, fd, x->scratch, &copy, x->gid, false, e);
		if (fd >= 0)
			close(fd);
		if (r == 0)
			r = dir_sync_tree(x->scratch, e);
	}
	if (r != 0)
		return -1;
	if (beneath_open_parent(d, en->path, &parent, &name, &why) == 0 &&
	    renameat(x->scratch->fd, tmp, parent.fd, name) == 0)
		r = 1;
	else
		unlinkat(x->scratch->fd, tmp, 0);
	dir_close(&parent);
	return r;
}

/* The fix that put away the file which the entry is in `d`, or NULL. */
static const struct fix *
find_fix(const struct repairing *x, const struct dir *d,
    const struct entry *en)
{
	struct stat st = { 0 };
	bool looked = false;

	for (size_t i = 0; i < x->n; i++) {
		const struct fix *f = &x->v[i];

		if (!f->done || f->ino == 0 || en->type != ENTRY_FILE ||
		    memcmp(f->en->digest, en->digest, HASH_LEN) != 0)
			continue;
		if (!looked && look(d, en->path, &st) != 0)
			return NULL;
		looked = true;
		if (st.st_dev == f->dev && st.st_ino == f->ino)
			return f;
	}
	return NULL;
}

static int
put_into_release(struct repairing *x, const struct release_id *id,
    const struct dir *d, const struct manifest *m, struct err *e)
{
	for (size_t i = 0; i < m->n; i++) {
		const struct fix *f = find_fix(x, d, &m->v[i]);
		int r = f != NULL ? put_there(x, f, d, &m->v[i], e) : 0;

		if (r < 0)
			return -1;
		if (r > 0)
			tell(x, id, m->v[i].path);
	}
	return 0;
}

/* Has a bad file gone that had other names? */
static bool
had_names(const struct repairing *x)
{
	for (size_t i = 0; i < x->n; i++)
		if (x->v[i].done && x->v[i].ino != 0)
			return true;
	return false;
}

/* Directories come before what is in them. */
static int
put_all(struct repairing *x, struct err *e)
{
	for (size_t i = 0; i < x->n; i++)
		put(x, &x->v[i]);
	if (had_names(x) && each_release(x, put_into_release, e) != 0)
		return -1;
	return x->mended->n > 0 ? dir_sync_tree(&x->s->releases, e) : 0;
}

/* The group that the release has: setgid directories say that it has one. */
static int
find_group(struct repairing *x, const struct manifest *m, struct err *e)
{
	struct stat st;

	if (fstat(x->d.fd, &st) != 0)
		return err_sys(e, "cannot examine '%s'", x->d.path);
	x->gid = (manifest_top_mode(m) & S_ISGID) != 0 ? st.st_gid : (gid_t)-1;
	return 0;
}

int
repair(struct incoming *in, const struct release_id *id,
    const struct verified *v, const struct manifest *sent,
    struct strvec *mended, struct err *e)
{
	struct repairing x = { .s = in->store,
		.id = id,
		.d = DIR_INIT,
		.scratch = &in->dir,
		.mended = mended };
	int r = dir_open(&x.d, &in->store->releases, id->text, e);

	x.w = placer_begin(NULL);
	if (r == 0)
		r = find_group(&x, &v->m, e);
	if (r == 0)
		find_fixes(&x, v);
	if (r == 0 && x.n > 0 &&
	    (gather(&x, sent, e) != 0 || put_all(&x, e) != 0))
		r = -1;
	placer_end(NULL, x.w);
	dir_close(&x.d);
	free(x.v);
	return r;
}

static int
check_manifest(const struct store *s, const struct release_id *id,
    const struct manifest *m, struct err *e)
{
	struct meta meta = META_INIT;
	uint8_t digest[HASH_LEN];
	char hex[HASH_HEX + 1];
	int r = meta_read(s, id, &meta, e);

	manifest_digest(m, digest);
	hash_hex(digest, hex);
	if (r == 0 && strcmp(hex, meta.digest) != 0)
		r = err_set(e, ERR_INTEGRITY,
		    "what was received is not the manifest of release %s",
		    id->text);
	meta_release(&meta);
	return r;
}

int
repair_manifest(struct incoming *in, const struct release_id *id,
    struct strvec *mended, struct err *e)
{
	const struct store *s = in->store;
	struct manifest m = MANIFEST_INIT;
	struct buf text = BUF_INIT;
	int r = manifest_read(&m, &in->dir, MANIFEST_FILE, e);

	if (r == 0)
		r = check_manifest(s, id, &m, e);
	if (r == 0) {
		manifest_print(&m, &text);
		r = file_publish(&s->manifests, id->text, text.data, text.len,
		    e);
	}
	if (r == 0)
		strvec_addf(mended, "%s\t.deploy/manifests/%s", id->text,
		    id->text);
	buf_release(&text);
	manifest_release(&m);
	return r;
}

int
repair_lacking(const struct store *s, const struct release_id *id,
    const struct verified *v, struct strvec *paths, struct err *e)
{
	struct repairing x = { .d = DIR_INIT };

	if (dir_open(&x.d, &s->releases, id->text, e) != 0)
		return -1;
	find_fixes(&x, v);
	for (size_t i = 0; i < x.n; i++)
		if (x.v[i].en->type == ENTRY_FILE)
			strvec_add(paths, x.v[i].en->path);
	dir_close(&x.d);
	free(x.v);
	return 0;
}

int
repair_uses(const struct store *s, const struct release_id *id,
    struct release_ids *out, struct err *e)
{
	struct release_ids ids = RELEASE_IDS_INIT;
	int r = store_releases(s, &ids, e);

	release_ids_add(out, id);
	for (size_t i = ids.n; i-- > 0;)
		release_ids_add_once(out, &ids.v[i]);
	release_ids_release(&ids);
	return r;
}

int
repair_begin(struct incoming *in, const struct store *s,
    const struct caller *caller, int64_t lock_wait,
    const struct release_id *id, struct err *swept, struct err *e)
{
	struct release_ids uses = RELEASE_IDS_INIT;
	struct release_id new;
	int r = -1;

	if (incoming_open(in, s, caller, lock_wait, swept, e) == 0 &&
	    repair_uses(s, id, &uses, e) == 0 &&
	    store_new_id(s, &release_id_none, &new, e) == 0)
		r = incoming_begin(in, &new, &uses, e);
	release_ids_release(&uses);
	return r;
}
