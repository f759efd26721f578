#include "host/verbs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/path.h"
#include "host/limits.h"
#include "host/receive.h"
#include "host/request.h"
#include "host/wire.h"
#include "os/io.h"
#include "os/lock.h"
#include "os/names.h"
#include "root/activate.h"
#include "root/adopt.h"
#include "root/freeze.h"
#include "root/incoming.h"
#include "root/meta.h"
#include "root/previews.h"
#include "root/prune.h"
#include "root/repair.h"
#include "root/store.h"
#include "root/view.h"

int
verb_init(struct request *r, struct err *e)
{
	struct release_id current;

	if (store_create(&r->store, r->root, e) != 0 ||
	    store_current(&r->store, &current, e) != 0)
		return -1;
	return store_sync(&r->store, e);
}

/*
 * A new id must not be of the future.  The latest release of a root that is
 * not there is none.
 */
static int
check_new_id(struct request *r, const struct release_id *id, struct err *e)
{
	struct store s = STORE_INIT;
	struct release_ids ids = RELEASE_IDS_INIT;
	struct err ignored = ERR_INIT;
	int c;

	if (store_open(&s, r->root, &ignored) == 0)
		err_ignore(store_releases(&s, &ids, &ignored));
	c = limits_check_id(r->limits, id, release_ids_last(&ids), e);
	release_ids_release(&ids);
	store_close(&s);
	return c;
}

/*
 * The directory gives its place to a link: under a limit to a root nothing
 * of it but `current` may do so.
 */
static int
check_adopted(const struct request *r, const char *path, struct err *e)
{
	size_t n = strlen(r->root);

	if (r->limits->root == NULL || path == NULL ||
	    (strncmp(path, r->root, n) == 0 &&
		strcmp(path + n, "/current") == 0))
		return 0;
	return err_set(e, ERR_UNREACHABLE,
	    "this key may adopt nothing but '%s/current', not '%s'", r->root,
	    path);
}

/* adopt: what is served already becomes a release. */
int
verb_adopt(struct request *r, struct err *e)
{
	struct rules rules = RULES_INIT;
	struct adopt_options o = { .root = r->root,
		.path = request_option(r, "path", NULL),
		.rules = &rules,
		.caller = &r->caller,
		.id = request_id(r, e),
		.check = request_flag(r, "check") };
	struct adopted a = ADOPTED_INIT;
	int c = o.id == NULL ? -1 : 0;

	rules.group = xstrdup_opt(request_option(r, "group", NULL));
	request_lines(r, "exclude", &rules.exclude);
	request_lines(r, "shared", &rules.shared);
	for (size_t i = 0; c == 0 && i < rules.shared.n; i++)
		if (path_check(rules.shared.v[i], e) != 0)
			c = err_prefix(e, "--shared: ");
	if (c == 0 &&
	    (request_number(r, "lock-wait", 60, &o.lock_wait, e) != 0 ||
		request_number(r, "mtime", 0, &o.mtime, e) != 0 ||
		check_adopted(r, o.path, e) != 0 ||
		check_new_id(r, o.id, e) != 0))
		c = -1;
	if (c == 0)
		c = adopt(&o, &a, e);
	if (c == 0) {
		wire_put(&r->out, "adopted", "%s", a.id.text);
		wire_put(&r->out, a.was_link ? "stays" : "kept", "%s",
		    a.kept != NULL ? a.kept : "");
		for (size_t i = 0; i < a.shared.n; i++)
			wire_put(&r->out, "shared", "%s", a.shared.v[i]);
		wire_put(&r->out, "files", "%zu", a.files);
		wire_put(&r->out, "excluded", "%zu", a.excluded);
	}
	adopted_release(&a);
	rules_release(&rules);
	return c;
}

/* receive: a pack on standard input becomes a release. */

/* The releases that the pack takes files from, as --uses names them. */
static int
read_uses(const struct request *r, struct release_ids *out, struct err *e)
{
	const char *p = request_option(r, "uses", "");

	while (*p != '\0') {
		struct release_id id;
		const char *rest = release_id_scan(&id, p);

		if (rest == NULL || (*rest != '\0' && *rest != ','))
			return err_set(e, ERR_USAGE,
			    "'receive' wants --uses=RELEASE,..., not '%s'", p);
		release_ids_add(out, &id);
		p = rest + (*rest == ',');
	}
	return 0;
}

/* Swept, and room for what is announced. */
static int
open_incoming(struct request *r, struct incoming *in, struct err *e)
{
	struct err swept = ERR_INIT;
	int64_t bytes, inodes, wait;
	int c;

	if (request_number(r, "bytes", 0, &bytes, e) != 0 ||
	    request_number(r, "inodes", 0, &inodes, e) != 0 ||
	    request_number(r, "lock-wait", 60, &wait, e) != 0)
		return -1;
	c = incoming_open(in, &r->store, &r->caller, wait, &swept, e);
	if (swept.code != ERR_OK)
		wire_put(&r->out, "warning", "%s", swept.text);
	return c == 0 ? incoming_check_room(in, bytes, inodes, e) : -1;
}

/* The highest sequence that this key may bring. */
static int
find_bound(const struct request *r, int64_t *out, struct err *e)
{
	struct view v = VIEW_INIT;
	int c;

	*out = CALLER_SEQ_MAX;
	if (limits_allow(r->limits, "activate"))
		return 0;
	c = view_read(&v, &r->store, e);
	if (c == 0)
		*out = limits_sequence(r->limits,
		    activate_last_sequence(&r->store, &v.history));
	view_release(&v);
	return c;
}

static int
find_group(struct request *r, gid_t *gid, struct err *e)
{
	const char *name = request_option(r, "group", NULL);

	*gid = (gid_t)-1;
	if (name == NULL)
		return 0;
	if (names_group(name, gid))
		return 0;
	return err_set(e, ERR_USAGE, "there is no group '%s' on this host",
	    name);
}

int
verb_receive(struct request *r, struct err *e)
{
	struct receive_options o = { .id = request_id(r, e),
		.filled = request_flag(r, "filled"),
		.manifest = request_flag(r, "manifest"),
		.limited = limits_bind(r->limits),
		.may_pin = limits_allow(r->limits, "pin"),
		.only_preview = limits_only_previews(r->limits) };
	struct incoming in = INCOMING_INIT;
	struct release_ids uses = RELEASE_IDS_INIT;
	struct release_id base, repair;
	struct received got = RECEIVED_INIT;
	int c = -1;

	/* The table of options lets nothing but an id through. */
	if (release_id_parse(&base, request_option(r, "base", "")))
		o.base = &base;
	if (release_id_parse(&repair, request_option(r, "repair", "")))
		o.repair = &repair;
	if (o.id == NULL || find_group(r, &o.gid, e) != 0 ||
	    request_number(r, "bytes", -1, &o.announced, e) != 0 ||
	    check_new_id(r, o.id, e) != 0 ||
	    store_create(&r->store, r->root, e) != 0 ||
	    find_bound(r, &o.seq_max, e) != 0)
		return -1;
	if (o.base != NULL && o.filled)
		return err_set(e, ERR_USAGE,
		    "'receive' takes --base or --filled");
	if (o.manifest && o.repair == NULL)
		return err_set(e, ERR_USAGE,
		    "'receive' takes --manifest with --repair only");
	if (o.repair != NULL &&
	    repair_uses(&r->store, o.repair, &uses, e) != 0)
		return -1;
	/* That there is none is said by who reads the edits. */
	if (o.base != NULL && dir_has(&r->store.releases, base.text))
		release_ids_add(&uses, &base);
	if (read_uses(r, &uses, e) == 0)
		c = open_incoming(r, &in, e);
	if (c == 0)
		c = incoming_begin(&in, o.id, &uses, e);
	release_ids_release(&uses);
	r->last = c == 0;
	if (c == 0) {
		/*
		 * sshd lets its buffer grow step by step, as far as its
		 * window, and copies all of it each time, when the pipe does
		 * not take at once what came.
		 */
		io_widen(r->in->fd);
		wire_put(&r->out, "ready", "%s", in.dir.path);
		c = wire_flush(&r->out, r->out_fd, e);
	}
	if (c == 0)
		c = receive(&in, r->in, &o, &got, e);
	incoming_end(&in);
	verify_put_mended(r, &got.mended);
	strvec_release(&got.mended);
	if (got.no_seq)
		wire_put(&r->out, "warning",
		    "release %s comes without its sequence, which is far above the last one that went live: this key may not 'activate'",
		    o.id->text);
	if (c == 0)
		wire_put(&r->out, "received", "%zu\t%zu\t%lld", got.files,
		    got.linked, (long long)got.bytes);
	return c;
}

int
verb_prune(struct request *r, struct err *e)
{
	struct release_ids removed = RELEASE_IDS_INIT;
	struct strvec kept = STRVEC_INIT, expired = STRVEC_INIT;
	struct view v = VIEW_INIT;
	struct prune_options o = { .preview = request_flag(r, "check") };
	int64_t keep;
	int c;

	if (request_number(r, "keep", 5, &keep, e) != 0 ||
	    request_number(r, "older-than", 0, &o.older_than, e) != 0 ||
	    store_open(&r->store, r->root, e) != 0)
		return -1;
	o.keep = keep < 1 ? 1 : (unsigned int)keep;
	/* Who only looks waits for nobody. */
	if (!o.preview && request_lock(r, LOCK_EXCLUSIVE, e) != 0)
		return -1;
	c = view_read(&v, &r->store, e);
	if (c == 0 && !o.preview)
		c = previews_expire(&r->store, clock_now() / 1000, &expired,
		    e);
	if (c == 0)
		c = prune(&r->store, &v, &o, &r->lock, &removed, &kept, e);
	for (size_t i = 0; i < expired.n; i++)
		wire_put(&r->out, "expired", "%s", expired.v[i]);
	strvec_release(&expired);
	for (size_t i = 0; i < kept.n; i++)
		wire_put(&r->out, "warning", "%s", kept.v[i]);
	for (size_t i = 0; i < removed.n; i++)
		wire_put(&r->out, "pruned", "%s", removed.v[i].text);
	release_ids_release(&removed);
	strvec_release(&kept);
	view_release(&v);
	return c;
}

/*
 * The meta of the release.  Where it is lost or damaged, a new one, which says
 * at least whether it is pinned; it is `fresh` then.
 */
static int
read_or_renew(const struct store *s, const struct release_id *id,
    struct meta *meta, bool *fresh, struct err *e)
{
	if (meta_read(s, id, meta, e) == 0)
		return 0;
	if ((e->code != ERR_INTEGRITY && e->sys != ENOENT) ||
	    !dir_has(&s->releases, id->text))
		return -1;
	meta_release(meta);
	*meta = (struct meta)META_INIT;
	meta->id = *id;
	*fresh = true;
	*e = (struct err)ERR_INIT;
	return 0;
}

int
verb_pin(struct request *r, struct err *e)
{
	const struct release_id *id = request_id(r, e);
	struct meta meta = META_INIT;
	bool pinned = !request_flag(r, "off"), fresh = false;
	int c;

	if (id == NULL || store_open(&r->store, r->root, e) != 0 ||
	    request_lock(r, LOCK_EXCLUSIVE, e) != 0)
		return -1;
	c = read_or_renew(&r->store, id, &meta, &fresh, e);
	if (c == 0 && (fresh || meta.pinned != pinned)) {
		meta.pinned = pinned;
		c = meta_write(&r->store, &meta, e);
	} else if (c == 0) {
		c = store_sync(&r->store, e);
	}
	meta_release(&meta);
	return c;
}

/*
 * A higher sequence keeps older builds from going live, once the release does:
 * who may not activate cannot do that to a release of somebody else.
 */
static int
keep_sequence(struct request *r, const struct release_id *id, int64_t seq,
    struct err *e)
{
	struct meta meta = META_INIT;
	int c = meta_read(&r->store, id, &meta, e);

	if (c == 0 && seq > meta.seq)
		wire_put(&r->out, "warning",
		    "the sequence of release %s stays: this key may not 'activate'",
		    id->text);
	meta_release(&meta);
	return c;
}

/* note: a newer build has the content of a release. */
int
verb_note(struct request *r, struct err *e)
{
	const struct release_id *id = request_id(r, e);
	int64_t seq;

	if (id == NULL || request_number(r, "seq", -1, &seq, e) != 0)
		return -1;
	if (seq < 0)
		return err_set(e, ERR_USAGE, "'note' wants --seq=N");
	if (store_open(&r->store, r->root, e) != 0 ||
	    request_lock(r, LOCK_SHARED, e) != 0)
		return -1;
	return limits_allow(r->limits, "activate") ?
	    meta_raise(&r->store, id, seq, request_option(r, "commit", NULL),
		e) :
	    keep_sequence(r, id, seq, e);
}

int
verb_freeze(struct request *r, struct err *e)
{
	struct freeze f = { .who = r->caller.who,
		.why = (char *)(uintptr_t)request_option(r, "message", NULL),
		.since = clock_now() };
	int c;

	if (request_number(r, "until", 0, &f.until, e) != 0 ||
	    store_open(&r->store, r->root, e) != 0 ||
	    request_lock(r, LOCK_EXCLUSIVE, e) != 0)
		return -1;
	request_lines(r, "skipped", &f.skipped);
	c = request_flag(r, "off") ? freeze_end(&r->store, e) :
				     freeze_write(&r->store, &f, e);
	strvec_release(&f.skipped);
	return c;
}
