#include "root/staging.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/number.h"
#include "os/file.h"
#include "os/io.h"
#include "os/lock.h"

#define SUFFIX ".lock"
#define TIME "time "

enum {
	NAME_LEN = RELEASE_ID_LEN + sizeof(SUFFIX),
	/* A note, and as many ids as there may be. */
	TEXT_MAX = 8192 + STAGING_USES_MAX * (RELEASE_ID_LEN + 1),
};

static void
lock_name(const struct release_id *id, char out[NAME_LEN])
{
	snprintf(out, NAME_LEN, "%.*s" SUFFIX, RELEASE_ID_LEN, id->text);
}

/* The id of "<id>" or "<id>.<what>", and the rest; NULL: it is none. */
static const char *
scan_name(struct release_id *id, const char *name)
{
	const char *rest = release_id_scan(id, name);

	return rest != NULL && (*rest == '\0' || *rest == '.') ? rest : NULL;
}

/* The note, the time, and the releases, each on a line. */
static void
parse(struct staging *st, const char *text)
{
	size_t len = strcspn(text, "\n");

	st->note = xstrndup(text, len);
	for (text += len; *text == '\n'; text += len) {
		struct release_id id;
		const char *rest = release_id_scan(&id, ++text);

		len = strcspn(text, "\n");
		if (strncmp(text, TIME, strlen(TIME)) == 0)
			(void)number_scan(text + strlen(TIME), 0, INT64_MAX,
			    &st->mtime);
		else if (rest == text + len)
			release_ids_add(&st->uses, &id);
	}
}

/*
 * Does somebody hold the file?  1; 0, also when it is gone, or not ours, or
 * only its owner may know; -1.  Shared, so that those who look are not in each
 * other's way.
 */
static int
is_held(const struct dir *d, const char *name, struct err *e)
{
	int fd = openat(d->fd, name,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	int r;

	if (fd < 0 && (errno == ENOENT || errno == ELOOP || errno == EACCES))
		return 0;
	if (fd < 0)
		return err_sys(e, "cannot open '%s/%s'", d->path, name);
	r = io_flock(fd, LOCK_SH | LOCK_NB);
	if (r != 0 && errno == EWOULDBLOCK)
		r = 1;
	else if (r != 0)
		err_sys(e, "cannot lock '%s/%s'", d->path, name);
	close(fd);
	return r;
}

/* Add the stage that the name is the lock of, if it lives. */
static int
add_living(const struct dir *d, const char *name, struct stagings *out,
    struct err *e)
{
	struct staging st = { .uses = RELEASE_IDS_INIT };
	const char *rest = scan_name(&st.id, name);
	struct buf text = BUF_INIT;
	struct err ignored = ERR_INIT;
	int r;

	if (rest == NULL || strcmp(rest, SUFFIX) != 0)
		return 0;
	r = is_held(d, name, e);
	if (r <= 0)
		return r;
	/* One that has just ended has nothing any more. */
	err_ignore(file_read(d, name, TEXT_MAX, &text, &ignored));
	parse(&st, buf_str(&text));
	buf_release(&text);
	out->v = xreallocarray(out->v, out->n + 1, sizeof(*out->v));
	out->v[out->n++] = st;
	return 0;
}

int
stagings_read(const struct dir *incoming, struct stagings *out, struct err *e)
{
	struct strvec names = STRVEC_INIT;
	int r = dir_list(incoming, &names, e);

	for (size_t i = 0; r == 0 && i < names.n; i++)
		r = add_living(incoming, names.v[i], out, e);
	strvec_release(&names);
	return r;
}

void
stagings_release(struct stagings *all)
{
	for (size_t i = 0; i < all->n; i++) {
		free(all->v[i].note);
		release_ids_release(&all->v[i].uses);
	}
	free(all->v);
	*all = (struct stagings)STAGINGS_INIT;
}

const struct staging *
stagings_owner(const struct stagings *all, const char *name)
{
	struct release_id id;

	if (scan_name(&id, name) == NULL)
		return NULL;
	for (size_t i = 0; i < all->n; i++)
		if (release_id_eq(&all->v[i].id, &id))
			return &all->v[i];
	return NULL;
}

const struct staging *
stagings_user(const struct stagings *all, const struct release_id *release)
{
	for (size_t i = 0; i < all->n; i++)
		if (release_ids_has(&all->v[i].uses, release))
			return &all->v[i];
	return NULL;
}

int64_t
stagings_newest(const struct stagings *all)
{
	int64_t newest = 0;

	for (size_t i = 0; i < all->n; i++)
		if (all->v[i].mtime > newest)
			newest = all->v[i].mtime;
	return newest;
}

void
staging_print(const struct staging *st, struct buf *out)
{
	struct lock_note note;

	lock_note_parse(&note, st->note, strlen(st->note));
	lock_note_print(&note, out);
	lock_note_release(&note);
}

static int
write_note(int fd, const char *note, int64_t mtime)
{
	struct buf b = BUF_INIT;
	int r;

	buf_adds(&b, note);
	if (mtime > 0)
		buf_addf(&b, TIME "%lld\n", (long long)mtime);
	r = io_write(fd, b.data, b.len);
	buf_release(&b);
	return r;
}

static int
write_uses(int fd, const struct release_ids *uses)
{
	struct buf b = BUF_INIT;
	int r;

	for (size_t i = 0; i < uses->n && i < STAGING_USES_MAX; i++)
		buf_addf(&b, "%s\n", uses->v[i].text);
	r = io_write(fd, buf_str(&b), b.len);
	buf_release(&b);
	return r;
}

int
staging_begin(struct staging_lock *l, const struct store *s,
    const struct release_id *id, const char *note, int64_t mtime,
    const struct release_ids *uses, struct err *e)
{
	const struct dir *d = &s->incoming;
	char tmp[64], name[NAME_LEN];
	int fd;

	lock_name(id, name);
	file_tmp_name(tmp);
	fd = openat(d->fd, tmp,
	    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(e, "cannot create '%s/%s'", d->path, tmp);
	/* Nobody knows the name yet: it is free.  A crash leaves the file. */
	if (io_flock(fd, LOCK_EX | LOCK_NB) == 0 &&
	    write_note(fd, note, mtime) == 0 && write_uses(fd, uses) == 0 &&
	    renameat(d->fd, tmp, d->fd, name) == 0) {
		l->fd = fd;
		l->id = *id;
		return 0;
	}
	err_sys(e, "cannot make the lock '%s/%s'", d->path, name);
	unlinkat(d->fd, tmp, 0);
	close(fd);
	return -1;
}

int
staging_use(struct staging_lock *l, const struct store *s,
    const struct release_ids *uses, struct err *e)
{
	char name[NAME_LEN];

	if (write_uses(l->fd, uses) == 0)
		return 0;
	lock_name(&l->id, name);
	return err_sys(e, "cannot write '%s/%s'", s->incoming.path, name);
}

void
staging_end(struct staging_lock *l, const struct store *s)
{
	char name[NAME_LEN];

	if (l->fd < 0)
		return;
	lock_name(&l->id, name);
	/* One that stays is of nobody, and swept. */
	unlinkat(s->incoming.fd, name, 0);
	close(l->fd);
	l->fd = -1;
}
