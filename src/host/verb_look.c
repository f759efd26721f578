#include "host/verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/path.h"
#include "base/text.h"
#include "base/utf8.h"
#include "base/version.h"
#include "content/encode.h"
#include "content/manifest.h"
#include "content/tree.h"
#include "host/limits.h"
#include "host/probe.h"
#include "host/request.h"
#include "host/wire.h"
#include "os/beneath.h"
#include "os/file.h"
#include "os/io.h"
#include "os/lock.h"
#include "root/freeze.h"
#include "root/journal.h"
#include "root/meta.h"
#include "root/previews.h"
#include "root/staging.h"
#include "root/store.h"
#include "root/view.h"

enum { DRIFT_MAX = 1000 }; /* differences that are told */

/* info: what a client needs to know before it does anything. */

/* What `journal` is for: who did it, from where, and why. */
static void
forget_people(struct meta *meta)
{
	free(meta->who);
	free(meta->job);
	free(meta->message);
	meta->who = meta->job = meta->message = NULL;
}

static void
put_releases(struct request *r, const struct view *v)
{
	bool all = limits_allow(r->limits, "journal");

	for (size_t i = 0; i < v->ids.n; i++) {
		struct meta meta = META_INIT;
		struct err ignored = ERR_INIT;
		struct buf text = BUF_INIT;

		if (meta_read(&r->store, &v->ids.v[i], &meta, &ignored) == 0) {
			if (!all)
				forget_people(&meta);
			meta_print(&meta, &text);
		}
		buf_addf(&r->out, "release\t%s\t%s", v->ids.v[i].text,
		    text.len > 0 ? text.data : "\n");
		buf_release(&text);
		meta_release(&meta);
	}
}

/* A line for who may know what was live when, and no more. */
static void
put_flip(struct request *r, const char *text, size_t len)
{
	struct journal j = JOURNAL_INIT;

	journal_parse(&j, text, len);
	if (j.n == 1) {
		struct journal_line l = j.v[0];

		l.who = l.job = l.message = NULL;
		for (size_t i = 0; i < l.n_left; i++) {
			free(l.left[i].who);
			free(l.left[i].message);
			l.left[i].who = l.left[i].message = NULL;
		}
		buf_adds(&r->out, "journal\t");
		journal_print(&l, &r->out);
		buf_addc(&r->out, '\n');
	}
	journal_release(&j);
}

/*
 * The journal: what its lines mean is the client's to find out.  `all`: as it
 * is, but for control characters.
 */
static int
put_journal(struct request *r, bool all, struct err *e)
{
	struct buf b = BUF_INIT;
	const char *line, *end, *nl;
	size_t before;
	int c = file_read(&r->store.state, "journal", (size_t)1 << 28, &b, e);

	if (c != 0 && e->sys == ENOENT)
		c = 0;
	line = buf_str(&b);
	end = line + b.len;
	for (; c == 0 && line < end; line = nl + 1) {
		nl = memchr(line, '\n', (size_t)(end - line));
		if (nl == NULL)
			nl = end;
		if (nl == line)
			continue;
		if (!all) {
			put_flip(r, line, (size_t)(nl - line));
			continue;
		}
		buf_adds(&r->out, "journal\t");
		before = r->out.len;
		utf8_add(&r->out, line, (size_t)(nl - line));
		/* What nothing is left of is a broken line all the same. */
		buf_adds(&r->out, r->out.len == before ? "?\n" : "\n");
	}
	buf_release(&b);
	return c;
}

/* Where it is, for who knows it under two names. */
static void
put_place(struct request *r)
{
	struct buf place = BUF_INIT;

	dir_place(r->root, &place);
	if (place.len > 0)
		wire_put(&r->out, "place", "%s", buf_str(&place));
	buf_release(&place);
}

/*
 * Is the root frozen, and by whom?  A record that cannot be read is a freeze,
 * too: nothing is activated.
 */
static void
put_freeze(struct request *r)
{
	struct freeze f = FREEZE_INIT;
	struct err ignored = ERR_INIT;
	struct buf record = BUF_INIT;
	int frozen = freeze_read(&r->store, &f, &ignored);

	wire_put(&r->out, "frozen", "%d", frozen != 0);
	if (frozen > 0) {
		freeze_print(&f, &record);
		wire_put(&r->out, "freeze", "%s", buf_str(&record));
	}
	buf_release(&record);
	freeze_release(&f);
}

/* The stages that are under way, the oldest first. */
static void
put_stages(struct request *r)
{
	struct stagings all = STAGINGS_INIT;
	struct err ignored = ERR_INIT;

	err_ignore(stagings_read(&r->store.incoming, &all, &ignored));
	for (size_t i = 0; i < all.n; i++)
		wire_put(&r->out, "stage", "%s\t%s", all.v[i].id.text,
		    all.v[i].note);
	stagings_release(&all);
}

/* What the previews show, and until when. */
static int
put_previews(struct request *r, struct err *e)
{
	struct previews all = PREVIEWS_INIT;
	int c = previews_read(&r->store, &all, e);

	for (size_t i = 0; i < all.n; i++)
		wire_put(&r->out, "preview", "%s\t%s\t%lld", all.v[i].name,
		    all.v[i].id.text, (long long)all.v[i].until);
	previews_release(&all);
	return c;
}

/*
 * The meta of the live release; none when what `current` leads to is gone: it
 * is not "unchanged" then, whatever a build has.
 */
static bool
read_live(const struct request *r, const struct view *v, struct meta *out)
{
	const struct dir *releases = &r->store.releases;
	struct err ignored = ERR_INIT;

	return !release_id_is_none(&v->current) &&
	    dir_has(releases, v->current.text) &&
	    (release_id_is_none(&v->bridge) ||
		dir_has(releases, v->bridge.text)) &&
	    meta_read(&r->store, &v->current, out, &ignored) == 0;
}

static int
put_state(struct request *r, const struct view *v, struct err *e)
{
	struct dir_space space;
	struct meta meta = META_INIT;
	struct buf holder = BUF_INIT;
	int64_t size;

	wire_put(&r->out, "current", "%s", v->current.text);
	if (!release_id_is_none(&v->bridge))
		wire_put(&r->out, "bridge", "%s", v->bridge.text);
	if (read_live(r, v, &meta)) {
		wire_put(&r->out, "digest", "%s", meta.digest);
		if (meta.seq >= 0)
			wire_put(&r->out, "seq", "%lld", (long long)meta.seq);
	}
	meta_release(&meta);
	wire_put(&r->out, "latest", "%s", view_latest(v)->text);
	if (dir_space(&r->store.root, &space, e) != 0 ||
	    journal_size(&r->store, &size, e) != 0)
		return -1;
	if (!release_id_is_none(&v->current))
		wire_put(&r->out, "verified", "%d",
		    history_live_is_verified(&v->history));
	put_freeze(r);
	wire_put(&r->out, "journal-size", "%lld", (long long)size);
	if (space.bytes < LLONG_MAX)
		wire_put(&r->out, "free", "%llu\t%llu", space.bytes,
		    space.inodes);
	if (lock_is_held(&r->store.state, &holder))
		wire_put(&r->out, "locked", "%s", buf_str(&holder));
	buf_release(&holder);
	put_stages(r);
	return put_previews(r, e);
}

/* The names, sizes and times of the live release against its manifest. */
static int
find_drift(const struct request *r, const struct release_id *id,
    struct strvec *found, struct err *e)
{
	struct manifest m = MANIFEST_INIT;
	struct meta meta = META_INIT;
	struct dir d = DIR_INIT;
	int c = -1;

	if (meta_read(&r->store, id, &meta, e) == 0 &&
	    manifest_read(&m, &r->store.manifests, id->text, e) == 0 &&
	    dir_open(&d, &r->store.releases, id->text, e) == 0)
		c = tree_compare(&d, &m, found, e);
	dir_close(&d);
	meta_release(&meta);
	manifest_release(&m);
	return c;
}

/* --drift, which may take its time: the client hears that it has begun. */
static int
put_drift(struct request *r, const struct release_id *id, struct err *e)
{
	struct strvec found = STRVEC_INIT;
	struct err why = ERR_INIT;
	int c;

	wire_put(&r->out, "drift", "%s", id->text);
	c = wire_flush(&r->out, r->out_fd, e);
	if (c == 0 && !release_id_is_none(id) &&
	    find_drift(r, id, &found, &why) != 0)
		strvec_add(&found, why.text);
	verify_put_differences(r, &found, DRIFT_MAX);
	strvec_release(&found);
	return c;
}

/* --full, and not what --unless says is live? */
static bool
wants_all(const struct request *r, const struct view *v)
{
	const char *digest = request_option(r, "unless", NULL);
	struct meta meta = META_INIT;
	bool live;

	if (digest == NULL || release_id_is_none(&v->current))
		return request_flag(r, "full");
	live = read_live(r, v, &meta) && strcmp(meta.digest, digest) == 0;
	meta_release(&meta);
	return request_flag(r, "full") && !live;
}

/* The space and write permission of a root that is not prepared yet. */
int
verb_info(struct request *r, struct err *e)
{
	struct view v = VIEW_INIT;
	int c;

	wire_put(&r->out, "version", "%s", DEPLOY_VERSION);
	wire_put(&r->out, "now", "%lld", (long long)clock_now());
	wire_put(&r->out, "has", "zstd");
	wire_put(&r->out, "has", "gzip");
	wire_put(&r->out, "has", "adopt");
	wire_put(&r->out, "has", "delta");
	wire_put(&r->out, "has", WIRE_MAKES_GZIP "%s", encoder_gzip_version());
	/* To who may bring one and make it live. */
	if (limits_allow(r->limits, "receive") &&
	    limits_allow(r->limits, "activate"))
		wire_put(&r->out, "has", "bridge");
	if (limits_bind(r->limits))
		wire_put(&r->out, "limited", "%s", limits_list(r->limits));
	put_place(r);
	if (store_look(&r->store, r->root, e) != 0) {
		if (e->sys != ENOENT)
			return -1;
		wire_put(&r->out, "prepared", "0");
		return 0;
	}
	wire_put(&r->out, "prepared", "1");
	c = view_read(&v, &r->store, e);
	if (c == 0)
		c = put_state(r, &v, e);
	if (c == 0 && wants_all(r, &v)) {
		put_releases(r, &v);
		c = put_journal(r, limits_allow(r->limits, "journal"), e);
	}
	if (c == 0 && request_flag(r, "drift"))
		c = put_drift(r,
		    release_id_is_none(&v.bridge) ? &v.current : &v.bridge, e);
	/* After it was read: what was told is on disk then. */
	if (c == 0 && request_flag(r, "sync"))
		c = store_sync(&r->store, e);
	view_release(&v);
	return c;
}

/* probe: for a client that wants to know what is wrong.  The time first. */
int
verb_probe(struct request *r, struct err *e)
{
	wire_put(&r->out, "now", "%lld", (long long)clock_now());
	if (wire_flush(&r->out, r->out_fd, e) != 0)
		return -1;
	if (limits_bind(r->limits))
		wire_put(&r->out, "limited", "%s", limits_list(r->limits));
	probe(r->root, &r->out);
	return 0;
}

/* manifest: the file as it is, its size first. */
int
verb_manifest(struct request *r, struct err *e)
{
	const struct release_id *id = request_id(r, e);
	struct err none = ERR_INIT;
	struct buf b = BUF_INIT;
	int c;

	if (id == NULL || store_look(&r->store, r->root, e) != 0)
		return -1;
	c = file_read(&r->store.manifests, id->text, (size_t)1 << 30, &b, e);
	/* A release without one is damaged. */
	if (c != 0 && dir_look(&r->store.releases, id->text, &none) > 0)
		e->code = ERR_INTEGRITY;
	if (c == 0) {
		wire_put(&r->out, "size", "%zu", b.len);
		buf_add(&r->out, buf_str(&b), b.len);
	}
	buf_release(&b);
	return c;
}

int
verb_journal(struct request *r, struct err *e)
{
	if (store_look(&r->store, r->root, e) != 0)
		return -1;
	return put_journal(r, true, e);
}
