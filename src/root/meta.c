#include "root/meta.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/utf8.h"
#include "os/caller.h"
#include "os/file.h"
#include "os/io.h"

enum {
	META_MAX = 1024 * 1024,
	RAISE_TRIES = 200, /* for the lock of meta/ */
	RAISE_PAUSE_MS = 10,
};

void
meta_release(struct meta *m)
{
	free(m->who);
	free(m->job);
	free(m->commit);
	free(m->message);
	free(m->preview);
	*m = (struct meta)META_INIT;
}

void
meta_copy(struct meta *out, const struct meta *m)
{
	*out = *m;
	out->who = xstrdup_opt(m->who);
	out->job = xstrdup_opt(m->job);
	out->commit = xstrdup_opt(m->commit);
	out->message = xstrdup_opt(m->message);
	out->preview = xstrdup_opt(m->preview);
}

/* Text for people, without control characters; NULL for none. */
static char *
get_text(const json_t *j, const char *key)
{
	const char *s = json_get_string(j, key);
	struct buf b = BUF_INIT;

	if (s == NULL)
		return NULL;
	utf8_add(&b, s, strlen(s));
	return b.data != NULL ? buf_detach(&b) : xstrdup("");
}

/* A count, which nobody can make more of than a number. */
static int64_t
get_count(const json_t *j, const char *key)
{
	int64_t n = json_get_int(j, key, 0);

	return n < 0 || n > CALLER_SEQ_MAX ? 0 : n;
}

int
meta_parse(const char *text, size_t len, const char *name, struct meta *out,
    struct err *e)
{
	json_t *j = json_parse(text, len, name, e);
	const char *id, *digest, *bridge;

	if (j == NULL)
		return -1;
	id = json_get_string(j, "id");
	if (id == NULL || !release_id_parse(&out->id, id)) {
		json_free(j);
		return err_set(e, ERR_INTEGRITY, "%s: no release id", name);
	}
	out->seq = json_get_int(j, "seq", -1);
	if (out->seq > CALLER_SEQ_MAX) {
		json_free(j);
		return err_set(e, ERR_INTEGRITY, "%s: a sequence above %lld",
		    name, (long long)CALLER_SEQ_MAX);
	}
	if (out->seq < 0)
		out->seq = -1;
	out->who = get_text(j, "who");
	out->job = get_text(j, "job");
	out->commit = get_text(j, "commit");
	out->message = get_text(j, "message");
	out->preview = get_text(j, "preview");
	bridge = json_get_string(j, "bridge");
	if (bridge == NULL || !release_id_parse(&out->bridge, bridge))
		out->bridge = release_id_none;
	out->files = get_count(j, "files");
	out->bytes = get_count(j, "bytes");
	out->mtime = json_get_int(j, "mtime", 0);
	/* The end of the year 9999: what is later is nonsense. */
	if (out->mtime < 0 || out->mtime > 253402300799)
		out->mtime = 0;
	digest = json_get_string(j, "digest");
	if (digest != NULL && strlen(digest) == HASH_HEX)
		memcpy(out->digest, digest, HASH_HEX + 1);
	out->pinned = json_get_bool(j, "pinned", false);
	json_free(j);
	return 0;
}

int
meta_read(const struct store *s, const struct release_id *id, struct meta *out,
    struct err *e)
{
	char name[RELEASE_ID_LEN + 8], *path;
	struct buf b = BUF_INIT;
	int r;

	store_meta_name(id, name);
	path = xasprintf("%s/%s", s->meta.path, name);
	r = file_read(&s->meta, name, META_MAX, &b, e);
	if (r == 0 && meta_parse(b.data, b.len, path, out, e) != 0)
		r = err_append(e, ";; stage the build anew with --again");
	free(path);
	buf_release(&b);
	return r;
}

void
meta_print(const struct meta *m, struct buf *out)
{
	json_t *j = json_new_object();
	char staged[32];

	release_format_time(release_id_time(&m->id), staged);
	json_put_string(j, "id", m->id.text);
	json_put_string(j, "staged_at", staged);
	json_put_string(j, "who", m->who);
	json_put_string(j, "job", m->job);
	json_put_string(j, "commit", m->commit);
	json_put_string(j, "message", m->message);
	if (m->seq >= 0)
		json_put_int(j, "seq", m->seq);
	else
		json_put_null(j, "seq");
	json_put_int(j, "files", m->files);
	json_put_int(j, "bytes", m->bytes);
	json_put_int(j, "mtime", m->mtime);
	json_put_string(j, "digest", m->digest);
	json_put_bool(j, "pinned", m->pinned);
	json_put_string(j, "preview", m->preview);
	json_put_string(j, "bridge",
	    release_id_is_none(&m->bridge) ? NULL : m->bridge.text);
	json_write(j, out);
	buf_addc(out, '\n');
	json_free(j);
}

int
meta_write(const struct store *s, const struct meta *m, struct err *e)
{
	char name[RELEASE_ID_LEN + 8];
	struct buf b = BUF_INIT;
	int r;

	meta_print(m, &b);
	store_meta_name(&m->id, name);
	r = file_publish(&s->meta, name, b.data, b.len, e);
	buf_release(&b);
	return r;
}

/* Read, compare, write: alone. */
static int
raise_alone(const struct store *s, const struct release_id *id, int64_t seq,
    const char *commit, struct err *e)
{
	struct meta meta = META_INIT;
	int r = meta_read(s, id, &meta, e);

	if (r == 0 && seq > meta.seq) {
		meta.seq = seq;
		if (commit != NULL) {
			free(meta.commit);
			meta.commit = xstrdup(commit);
		}
		r = meta_write(s, &meta, e);
	} else if (r == 0) {
		/* Who gave it that one may not have got further. */
		r = dir_sync(&s->meta, e);
	}
	meta_release(&meta);
	return r;
}

int
meta_raise(const struct store *s, const struct release_id *id, int64_t seq,
    const char *commit, struct err *e)
{
	int r;

	/*
	 * Where a directory cannot be locked (NFS), two at once may differ.
	 * Anybody may lock it, but keeps nobody from his work.
	 */
	for (int i = 0; i < RAISE_TRIES; i++) {
		if (io_flock(s->meta.fd, LOCK_EX | LOCK_NB) == 0 ||
		    errno != EWOULDBLOCK)
			break;
		clock_pause(RAISE_PAUSE_MS);
	}
	r = raise_alone(s, id, seq, commit, e);
	(void)io_flock(s->meta.fd, LOCK_UN);
	return r;
}
