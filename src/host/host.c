#include "host/host.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/number.h"
#include "base/override.h"
#include "base/path.h"
#include "base/text.h"
#include "base/utf8.h"
#include "base/version.h"
#include "content/manifest.h"
#include "content/tree.h"
#include "host/limits.h"
#include "host/probe.h"
#include "host/receive.h"
#include "host/wire.h"
#include "os/beneath.h"
#include "os/caller.h"
#include "os/file.h"
#include "os/io.h"
#include "os/lock.h"
#include "os/log.h"
#include "root/activate.h"
#include "root/adopt.h"
#include "root/freeze.h"
#include "root/incoming.h"
#include "root/journal.h"
#include "root/meta.h"
#include "root/prune.h"
#include "root/root_hook.h"
#include "root/store.h"
#include "root/verify.h"
#include "root/view.h"

enum {
	LINE_MAX_LEN = 256,
	PATHS_MS = 60000,   /* until the client says which file it wants */
	HOOK_TIMEOUT = 300, /* seconds */
	DRIFT_MAX = 1000,   /* differences that are told */
};

/* A request, taken apart. */
struct request {
	const char *verb;
	const char *root;
	const struct strvec *words; /* the options are words 2... */
	struct strvec taken;	    /* the same, held against option.h */
	const struct host_limits *limits;
	struct wire_in *in; /* its data */
	int out_fd;
	struct buf out; /* answer lines not yet written */
	bool last;	/* its data is the rest of the input */
	struct store store;
	struct lock lock;
	struct caller caller;
};

/* The value of --key, or `otherwise`. */
static const char *
option(const struct request *r, const char *key, const char *otherwise)
{
	size_t n = strlen(key);

	for (size_t i = 2; i < r->words->n; i++) {
		const char *w = r->words->v[i];

		if (strncmp(w, "--", 2) == 0 && strncmp(w + 2, key, n) == 0) {
			if (w[n + 2] == '=')
				return w + n + 3;
			if (w[n + 2] == '\0')
				return "";
		}
	}
	return otherwise;
}

static bool
flag(const struct request *r, const char *key)
{
	return option(r, key, NULL) != NULL;
}

/* A number of the table's range; `otherwise` when absent. */
static int
number(const struct request *r, const char *key, int64_t otherwise,
    int64_t *out, struct err *e)
{
	const char *text = option(r, key, NULL);

	*out = otherwise;
	if (text == NULL || number_parse(text, 0, INT64_MAX, out))
		return 0;
	return err_set(e, ERR_USAGE, "--%s wants a number, not '%s'", key,
	    text);
}

/* The release id that the request must name. */
static const char *
wanted_id(const struct request *r, struct err *e)
{
	const char *id = option(r, "id", "");

	if (release_id_is_valid(id))
		return id;
	err_set(e, ERR_USAGE, "'%s' wants --id=RELEASE, not '%s'", r->verb,
	    id);
	return NULL;
}

static int
lock_root(struct request *r, enum lock_kind kind, struct err *e)
{
	int64_t wait;
	char *note;
	int c;

	/* Looking is free. */
	if (flag(r, "check"))
		return 0;
	if (number(r, "lock-wait", 60, &wait, e) != 0)
		return -1;
	note = caller_lock_note(&r->caller, r->verb);
	c = lock_take(&r->lock, &r->store.state, kind, wait, note, e);
	free(note);
	return c;
}

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

		if (meta_read(&r->store, v->ids.v[i], &meta, &ignored) == 0) {
			if (!all)
				forget_people(&meta);
			meta_print(&meta, &text);
		}
		buf_addf(&r->out, "release\t%s\t%s", v->ids.v[i],
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

static int
put_state(struct request *r, const struct view *v, struct err *e)
{
	struct dir_space space;
	struct meta meta = META_INIT;
	struct err ignored = ERR_INIT;
	struct buf holder = BUF_INIT;
	int64_t size;

	wire_put(&r->out, "current", "%s", v->current.s);
	if (v->current.s[0] != '\0' &&
	    meta_read(&r->store, v->current.s, &meta, &ignored) == 0) {
		wire_put(&r->out, "digest", "%s", meta.digest);
		if (meta.seq >= 0)
			wire_put(&r->out, "seq", "%lld", (long long)meta.seq);
	}
	meta_release(&meta);
	wire_put(&r->out, "latest", "%s", view_latest(v));
	if (dir_space(&r->store.root, &space, e) != 0 ||
	    journal_size(&r->store, &size, e) != 0)
		return -1;
	put_freeze(r);
	wire_put(&r->out, "journal-size", "%lld", (long long)size);
	wire_put(&r->out, "free", "%llu\t%llu", space.bytes, space.inodes);
	if (lock_is_held(&r->store.state, &holder))
		wire_put(&r->out, "locked", "%s", buf_str(&holder));
	buf_release(&holder);
	return 0;
}

/* The names, sizes and times of the live release against its manifest. */
static int
find_drift(const struct request *r, const char *id, struct strvec *found,
    struct err *e)
{
	struct manifest m = MANIFEST_INIT;
	struct meta meta = META_INIT;
	struct dir d = DIR_INIT;
	int c = -1;

	if (meta_read(&r->store, id, &meta, e) == 0 &&
	    manifest_read(&m, &r->store.manifests, id, e) == 0 &&
	    dir_open(&d, &r->store.releases, id, e) == 0)
		c = tree_compare(&d, &m, found, e);
	dir_close(&d);
	meta_release(&meta);
	manifest_release(&m);
	return c;
}

static void
put_differences(struct request *r, const struct strvec *found, size_t most)
{
	for (size_t i = 0; i < found->n && i < most; i++) {
		char *clean = text_cleanf("%s", found->v[i]);

		wire_put(&r->out, "difference", "%s", clean);
		free(clean);
	}
	if (found->n > most)
		wire_put(&r->out, "difference", "and %zu more",
		    found->n - most);
}

/* --drift, which may take its time: the client hears that it has begun. */
static int
put_drift(struct request *r, const char *id, struct err *e)
{
	struct strvec found = STRVEC_INIT;
	struct err why = ERR_INIT;
	int c;

	wire_put(&r->out, "drift", "%s", id);
	c = wire_flush(&r->out, r->out_fd, e);
	if (c == 0 && *id != '\0' && find_drift(r, id, &found, &why) != 0)
		strvec_add(&found, why.text);
	put_differences(r, &found, DRIFT_MAX);
	strvec_release(&found);
	return c;
}

/* --full, and not what --unless says is live? */
static bool
wants_all(const struct request *r, const struct view *v)
{
	const char *digest = option(r, "unless", NULL);
	struct meta meta = META_INIT;
	struct err ignored = ERR_INIT;
	bool live;

	if (digest == NULL || v->current.s[0] == '\0')
		return flag(r, "full");
	live = meta_read(&r->store, v->current.s, &meta, &ignored) == 0 &&
	    strcmp(meta.digest, digest) == 0;
	meta_release(&meta);
	return flag(r, "full") && !live;
}

/* The space and write permission of a root that is not prepared yet. */
static int
do_info(struct request *r, struct err *e)
{
	struct view v = VIEW_INIT;
	int c;

	wire_put(&r->out, "version", "%s", DEPLOY_VERSION);
	wire_put(&r->out, "now", "%lld", (long long)clock_now());
	wire_put(&r->out, "has", "zstd");
	wire_put(&r->out, "has", "gzip");
	wire_put(&r->out, "has", "adopt");
	if (store_open(&r->store, r->root, e) != 0) {
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
	if (c == 0 && flag(r, "drift"))
		c = put_drift(r, v.current.s, e);
	view_release(&v);
	return c;
}

/* probe: for a client that wants to know what is wrong.  The time first. */
static int
do_probe(struct request *r, struct err *e)
{
	wire_put(&r->out, "now", "%lld", (long long)clock_now());
	if (wire_flush(&r->out, r->out_fd, e) != 0)
		return -1;
	probe(r->root, &r->out);
	return 0;
}

static int
do_init(struct request *r, struct err *e)
{
	struct release_id current;

	if (store_create(&r->store, r->root, e) != 0)
		return -1;
	return store_current(&r->store, &current, e);
}

/* The lines of an option. */
static void
split_option(const struct request *r, const char *key, struct strvec *out)
{
	for (const char *p = option(r, key, ""); *p != '\0';) {
		size_t len = strcspn(p, "\n");

		if (len > 0)
			strvec_addf(out, "%.*s", (int)len, p);
		p += len;
		p += *p == '\n';
	}
}

/*
 * A new id must not be of the future.  The latest release of a root that is
 * not there is none.
 */
static int
check_new_id(struct request *r, const char *id, struct err *e)
{
	struct store s = STORE_INIT;
	struct strvec ids = STRVEC_INIT;
	struct err ignored = ERR_INIT;
	int c;

	if (store_open(&s, r->root, &ignored) == 0)
		err_ignore(store_releases(&s, &ids, &ignored));
	c = limits_check_id(r->limits, id, ids.n > 0 ? ids.v[ids.n - 1] : "",
	    e);
	strvec_release(&ids);
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
static int
do_adopt(struct request *r, struct err *e)
{
	struct rules rules = RULES_INIT;
	struct adopt_options o = { .root = r->root,
		.path = option(r, "path", NULL),
		.rules = &rules,
		.caller = &r->caller,
		.id = wanted_id(r, e) };
	struct adopted a = ADOPTED_INIT;
	int c = o.id == NULL ? -1 : 0;

	rules.group = xstrdup_opt(option(r, "group", NULL));
	split_option(r, "exclude", &rules.exclude);
	split_option(r, "shared", &rules.shared);
	for (size_t i = 0; c == 0 && i < rules.shared.n; i++)
		if (path_check(rules.shared.v[i], e) != 0)
			c = err_prefix(e, "--shared: ");
	if (c == 0 &&
	    (number(r, "lock-wait", 60, &o.lock_wait, e) != 0 ||
		number(r, "mtime", 0, &o.mtime, e) != 0 ||
		check_adopted(r, o.path, e) != 0 ||
		check_new_id(r, o.id, e) != 0))
		c = -1;
	if (c == 0)
		c = adopt(&o, &a, e);
	if (c == 0) {
		wire_put(&r->out, "adopted", "%s", a.id.s);
		wire_put(&r->out, "kept", "%s", a.kept != NULL ? a.kept : "");
		wire_put(&r->out, "files", "%zu", a.files);
		wire_put(&r->out, "excluded", "%zu", a.excluded);
	}
	free(a.kept);
	rules_release(&rules);
	return c;
}

/* manifest: the file as it is, its size first. */
static int
do_manifest(struct request *r, struct err *e)
{
	const char *id = wanted_id(r, e);
	struct err none = ERR_INIT;
	struct buf b = BUF_INIT;
	int c;

	if (id == NULL || store_open(&r->store, r->root, e) != 0)
		return -1;
	c = file_read(&r->store.manifests, id, (size_t)1 << 30, &b, e);
	/* A release without one is damaged. */
	if (c != 0 && dir_look(&r->store.releases, id, &none) > 0)
		e->code = ERR_INTEGRITY;
	if (c == 0) {
		wire_put(&r->out, "size", "%zu", b.len);
		buf_add(&r->out, buf_str(&b), b.len);
	}
	buf_release(&b);
	return c;
}

/* files: contents of a release, for another host that lacks them. */

/* The file of the manifest's entry, its size first. */
static int
put_file(struct request *r, const struct dir *d, const struct entry *en,
    struct err *e)
{
	char window[64 * 1024];
	int64_t left = en->size;
	int fd = beneath_open(d->fd, en->path, O_RDONLY | O_NONBLOCK, 0);

	if (fd < 0)
		return err_sys(e, "cannot open '%s/%s'", d->path, en->path);
	wire_put(&r->out, "size", "%lld", (long long)left);
	while (left > 0) {
		ssize_t n = io_read(fd, window,
		    left < (int64_t)sizeof(window) ? (size_t)left :
						     sizeof(window));

		if (n <= 0)
			break;
		buf_add(&r->out, window, (size_t)n);
		left -= n;
		if (wire_flush(&r->out, r->out_fd, e) != 0)
			break;
	}
	close(fd);
	/* What was announced must come: the client cannot tell otherwise. */
	return left == 0 ?
	    0 :
	    err_set(e, ERR_INTEGRITY, "cannot read all of '%s/%s'", d->path,
		en->path);
}

/* The paths that follow, up to an empty line, each a file of the manifest. */
static int
put_files(struct request *r, const struct dir *d, const struct manifest *m,
    struct err *e)
{
	struct buf path = BUF_INIT;
	int c = 0;

	while (c == 0 &&
	    (c = wire_read_line(r->in, &path, PATH_LEN_MAX,
		 clock_ms() + PATHS_MS, e)) > 0 &&
	    path.len > 0) {
		const struct entry *en = manifest_find(m, buf_str(&path));

		if (en == NULL || en->type != ENTRY_FILE)
			c = err_set(e, ERR_FAILED,
			    "there is no file '%s' in '%s'", buf_str(&path),
			    d->path);
		else
			c = put_file(r, d, en, e);
	}
	buf_release(&path);
	return c < 0 ? -1 : 0;
}

static int
do_files(struct request *r, struct err *e)
{
	const char *id = wanted_id(r, e);
	struct manifest m = MANIFEST_INIT;
	struct dir d = DIR_INIT;
	int c = -1;

	if (id == NULL || store_open(&r->store, r->root, e) != 0)
		return -1;
	if (manifest_read(&m, &r->store.manifests, id, e) == 0 &&
	    dir_open(&d, &r->store.releases, id, e) == 0)
		c = put_files(r, &d, &m, e);
	dir_close(&d);
	manifest_release(&m);
	return c;
}

/* receive: a pack on standard input becomes a release. */

/* The lock, and room for what is announced. */
static int
open_incoming(struct request *r, struct incoming *in, struct err *e)
{
	struct err swept = ERR_INIT;
	int64_t bytes, inodes, wait;
	int c;

	if (number(r, "bytes", 0, &bytes, e) != 0 ||
	    number(r, "inodes", 0, &inodes, e) != 0 ||
	    number(r, "lock-wait", 60, &wait, e) != 0)
		return -1;
	c = incoming_open(in, &r->store, &r->caller, wait, &swept, e);
	if (swept.code != ERR_OK)
		wire_put(&r->out, "warning", "%s", swept.text);
	return c == 0 ? incoming_check_room(in, bytes, inodes, e) : -1;
}

static int
find_group(struct request *r, gid_t *gid, struct err *e)
{
	const char *name = option(r, "group", NULL);
	const struct group *gr;

	*gid = (gid_t)-1;
	if (name == NULL)
		return 0;
	gr = getgrnam(name);
	if (gr == NULL)
		return err_set(e, ERR_USAGE,
		    "there is no group '%s' on this host", name);
	*gid = gr->gr_gid;
	return 0;
}

static int
do_receive(struct request *r, struct err *e)
{
	struct receive_options o = { .id = wanted_id(r, e),
		.filled = flag(r, "filled"),
		.limited = limits_bind(r->limits),
		.may_pin = limits_allow(r->limits, "pin") };
	struct incoming in = INCOMING_INIT;
	struct received got;
	int c;

	if (o.id == NULL || find_group(r, &o.gid, e) != 0 ||
	    number(r, "bytes", -1, &o.announced, e) != 0 ||
	    check_new_id(r, o.id, e) != 0 ||
	    store_create(&r->store, r->root, e) != 0)
		return -1;
	c = open_incoming(r, &in, e);
	if (c == 0)
		c = incoming_begin(&in, o.id, e);
	r->last = c == 0;
	if (c == 0) {
		wire_put(&r->out, "ready", "%s", in.dir.path);
		c = wire_flush(&r->out, r->out_fd, e);
	}
	if (c == 0)
		c = receive(&in, r->in, &o, &got, e);
	incoming_end(&in);
	if (c == 0)
		wire_put(&r->out, "received", "%zu\t%zu\t%lld", got.files,
		    got.linked, (long long)got.bytes);
	return c;
}

/* activate: at once, or armed. */

/*
 * Wait for the line "go"; a line "wait" begins the time anew.  Whatever else
 * comes, the end of the input, or the deadline, disarms: a `go` that was
 * stuck in a cut connection must not flip a host after the client has called
 * it lost.  A key with limits cannot stay armed for ever.
 */
static int
wait_for_go(struct request *r, int64_t ms, struct err *e)
{
	struct buf line = BUF_INIT;
	struct err why = ERR_INIT;
	int64_t all = limits_bind(r->limits) ?
	    clock_ms() + limits_ms(LIMITS_ARMED) :
	    INT64_MAX;
	int64_t end;
	bool late;
	int c, go;

	do {
		end = clock_ms() + ms;
		if (end > all)
			end = all;
		c = wire_read_line(r->in, &line, LINE_MAX_LEN, end, &why);
		/* It may have come in time, and we have slept since. */
		late = clock_ms() >= end;
	} while (c > 0 && !late && strcmp(buf_str(&line), "wait") == 0);
	go = c > 0 && !late && strcmp(buf_str(&line), "go") == 0;
	buf_release(&line);
	if (go)
		return 0;
	if (c > 0 && !late)
		return err_set(e, ERR_FAILED, "disarmed by the client");
	return err_set(e, ERR_FAILED, "disarmed: %s",
	    late || why.sys == ETIMEDOUT ? "no 'go' came in time" :
					   "the client went away");
}

/* Prepared: wait if armed, flip, say how long that took. */
static int
go(struct request *r, struct activation *a, int64_t armed_ms, struct err *e)
{
	int64_t began;

	if (armed_ms > 0) {
		wire_put(&r->out, "armed", "%s", a->from.s);
		if (wire_flush(&r->out, r->out_fd, e) != 0 ||
		    wait_for_go(r, armed_ms, e) != 0)
			return -1;
	}
	began = clock_ms();
	if (activate_go(a, e) != 0)
		return -1;
	wire_put(&r->out, "live", "%s", a->id.s);
	wire_put(&r->out, "from", "%s", a->from.s);
	wire_put(&r->out, "changed", "%d", a->changed);
	wire_put(&r->out, "took", "%lld", (long long)(clock_ms() - began));
	return 0;
}

/* Has another run come between, while the hook ran and the lock was free? */
static int
check_still_live(const struct store *s, const char *id, struct err *e)
{
	struct release_id now;

	if (store_current(s, &now, e) != 0)
		return -1;
	if (strcmp(now.s, id) == 0)
		return 0;
	return err_set(e, ERR_CLEANUP,
	    "%s was live, but another run made %s live while the hook ran", id,
	    now.s);
}

/*
 * Live: say so, then run the hook that follows, if there is one, without the
 * lock.  That it fails is an answer, and no failure.
 */
static int
run_hook(struct request *r, const struct activation *a,
    enum journal_action action, int64_t timeout, struct err *e)
{
	const struct root_hook_facts facts = { .release = a->id.s,
		.previous = a->from.s,
		.timeout = timeout,
		.quiet = log_level() == LOG_QUIET };
	const char *name = root_hook_find(&r->store, action);
	struct err why = ERR_INIT;

	if (name == NULL)
		return 0;
	lock_drop(&r->lock);
	wire_put(&r->out, "hook", "%s", name);
	if (wire_flush(&r->out, r->out_fd, e) != 0)
		return -1;
	if (root_hook_run(&r->store, name, &facts, &why) != 0 ||
	    check_still_live(&r->store, a->id.s, &why) != 0)
		wire_put(&r->out, "hook-failed", "%s", why.text);
	return 0;
}

/* The guards that are set aside. */
static int
overrides(const struct request *r, unsigned int *out, struct err *e)
{
	const char *words = option(r, "override", NULL);

	return words == NULL ? 0 :
			       override_parse(words, OVERRIDE_FLIP, out, e);
}

static int
do_activate(struct request *r, struct err *e)
{
	struct activation a = ACTIVATION_INIT;
	struct activate_options o = { .id = wanted_id(r, e),
		.action =
		    flag(r, "rollback") ? JOURNAL_ROLLBACK : JOURNAL_ACTIVATE,
		.caller = &r->caller,
		.message = option(r, "message", NULL),
		.expect = option(r, "expect", NULL),
		.preview = flag(r, "check") };
	int64_t armed, hook_timeout;
	int c;

	if (o.id == NULL || overrides(r, &o.overrides, e) != 0 ||
	    number(r, "armed", 0, &armed, e) != 0 ||
	    number(r, "hook-timeout", HOOK_TIMEOUT, &hook_timeout, e) != 0 ||
	    number(r, "journal-size", -1, &o.journal_size, e) != 0 ||
	    store_open(&r->store, r->root, e) != 0 ||
	    lock_root(r, LOCK_EXCLUSIVE, e) != 0)
		return -1;
	c = activate_prepare(&a, &r->store, &o, e);
	if (c == 0 && !o.preview)
		c = go(r, &a, armed, e);
	activate_end(&a);
	if (c == 0 && a.changed && !o.preview)
		c = run_hook(r, &a, o.action, hook_timeout, e);
	return c;
}

static int
do_prune(struct request *r, struct err *e)
{
	struct strvec removed = STRVEC_INIT;
	struct view v = VIEW_INIT;
	struct prune_options o = { .preview = flag(r, "check") };
	int64_t keep;
	int c;

	if (number(r, "keep", 5, &keep, e) != 0 ||
	    number(r, "older-than", 0, &o.older_than, e) != 0 ||
	    store_open(&r->store, r->root, e) != 0)
		return -1;
	o.keep = keep < 1 ? 1 : (unsigned int)keep;
	/* Who only looks waits for nobody. */
	if (!o.preview && lock_root(r, LOCK_EXCLUSIVE, e) != 0)
		return -1;
	c = view_read(&v, &r->store, e);
	if (c == 0)
		c = prune(&r->store, &v, &o, &removed, e);
	for (size_t i = 0; i < removed.n; i++)
		wire_put(&r->out, "pruned", "%s", removed.v[i]);
	strvec_release(&removed);
	view_release(&v);
	return c;
}

static int
do_verify(struct request *r, struct err *e)
{
	const char *id = wanted_id(r, e);
	struct strvec found = STRVEC_INIT;
	struct manifest_totals t;
	int c;

	if (id == NULL || store_open(&r->store, r->root, e) != 0)
		return -1;
	c = verify(&r->store, id, &found, &t, e);
	if (c == 0)
		wire_put(&r->out, "verified", "%zu\t%lld", t.files,
		    (long long)t.bytes);
	put_differences(r, &found, SIZE_MAX);
	strvec_release(&found);
	return c;
}

static int
do_journal(struct request *r, struct err *e)
{
	if (store_open(&r->store, r->root, e) != 0)
		return -1;
	return put_journal(r, true, e);
}

static int
do_pin(struct request *r, struct err *e)
{
	const char *id = wanted_id(r, e);
	struct meta meta = META_INIT;
	bool pinned = !flag(r, "off");
	int c;

	if (id == NULL || store_open(&r->store, r->root, e) != 0 ||
	    lock_root(r, LOCK_EXCLUSIVE, e) != 0)
		return -1;
	c = meta_read(&r->store, id, &meta, e);
	if (c == 0 && meta.pinned != pinned) {
		meta.pinned = pinned;
		c = meta_write(&r->store, &meta, e);
	}
	meta_release(&meta);
	return c;
}

/*
 * A higher sequence of what is or was live keeps older builds from going
 * live: who may not activate cannot do that either.  1, 0 or -1.
 */
static int
may_raise(struct request *r, const char *id, struct err *e)
{
	struct view v = VIEW_INIT;
	int c;

	if (limits_allow(r->limits, "activate"))
		return 1;
	c = view_read(&v, &r->store, e);
	if (c == 0)
		c = !history_was_live(&v.history, id);
	view_release(&v);
	return c;
}

/* note: a newer build has the content of a release. */
static int
do_note(struct request *r, struct err *e)
{
	const char *id = wanted_id(r, e);
	int64_t seq;
	int c;

	if (id == NULL || number(r, "seq", -1, &seq, e) != 0)
		return -1;
	if (seq < 0)
		return err_set(e, ERR_USAGE, "'note' wants --seq=N");
	if (store_open(&r->store, r->root, e) != 0 ||
	    lock_root(r, LOCK_SHARED, e) != 0)
		return -1;
	c = may_raise(r, id, e);
	if (c == 0)
		wire_put(&r->out, "warning",
		    "the sequence of release %s stays: it was live, and this key may not 'activate'",
		    id);
	return c > 0 ?
	    meta_raise(&r->store, id, seq, option(r, "commit", NULL), e) :
	    c;
}

static int
do_freeze(struct request *r, struct err *e)
{
	struct freeze f = { .who = r->caller.who,
		.why = (char *)(uintptr_t)option(r, "message", NULL),
		.since = clock_now() };

	if (number(r, "until", 0, &f.until, e) != 0 ||
	    store_open(&r->store, r->root, e) != 0 ||
	    lock_root(r, LOCK_EXCLUSIVE, e) != 0)
		return -1;
	return flag(r, "off") ? freeze_end(&r->store, e) :
				freeze_write(&r->store, &f, e);
}

static const struct verb {
	const char *name;
	int (*run)(struct request *r, struct err *e);
} verbs[] = {
	{ "info", do_info },
	{ "probe", do_probe },
	{ "init", do_init },
	{ "adopt", do_adopt },
	{ "manifest", do_manifest },
	{ "files", do_files },
	{ "receive", do_receive },
	{ "note", do_note },
	{ "activate", do_activate },
	{ "prune", do_prune },
	{ "verify", do_verify },
	{ "journal", do_journal },
	{ "pin", do_pin },
	{ "freeze", do_freeze },
};

static const struct verb *
find_verb(const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strlen(verbs[i].name) == len &&
		    memcmp(verbs[i].name, name, len) == 0)
			return &verbs[i];
	return NULL;
}

/* There is no such verb; which are there? */
static int
no_verb(const char *name, size_t len, struct err *e)
{
	err_set(e, ERR_USAGE, "there is no verb '%.*s'; there are: ", (int)len,
	    name);
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		err_append(e, "%s%s", i > 0 ? ", " : "", verbs[i].name);
	return -1;
}

int
host_check_verbs(const char *list, struct err *e)
{
	for (const char *p = list;; p++) {
		size_t len = strcspn(p, ",");

		if (find_verb(p, len) == NULL)
			return no_verb(p, len, e);
		p += len;
		if (*p == '\0')
			return 0;
	}
}

/* Who asks, as the client says: a note, not an identity. */
static void
fill_caller(struct request *r)
{
	const char *who = option(r, "who", NULL);

	caller_init(&r->caller);
	if (who != NULL) {
		free(r->caller.who);
		r->caller.who = xstrdup(who);
	}
	free(r->caller.job);
	r->caller.job = xstrdup_opt(option(r, "job", NULL));
}

static int
dispatch(struct request *r, const struct host_limits *limits, struct err *e)
{
	const struct verb *verb;

	r->limits = limits;
	if (limits_take(limits, r->words, &r->taken, e) != 0)
		return -1;
	r->words = &r->taken;
	r->verb = r->words->v[0];
	r->root = r->words->v[1];
	verb = find_verb(r->verb, strlen(r->verb));
	if (verb == NULL)
		BUG("a verb that only the table of options has");
	fill_caller(r);
	return verb->run(r, e);
}

/*
 * Run a request and write its answer; the lock ends before the client hears
 * the end.  0 or -1.
 */
static int
answer(struct request *r, const struct host_limits *limits, struct err *e)
{
	struct err done = ERR_INIT;
	int c = dispatch(r, limits, e);

	wire_put_end(&r->out, c == 0 ? &done : e);
	lock_drop(&r->lock);
	store_close(&r->store);
	if (wire_flush(&r->out, r->out_fd, c == 0 ? e : &done) != 0)
		c = -1;
	caller_release(&r->caller);
	strvec_release(&r->taken);
	buf_release(&r->out);
	return c;
}

/* The client hears at once that we are here: a lock takes its time. */
static int
greet(int fd, struct err *e)
{
	struct buf b = BUF_INIT;
	int c;

	buf_adds(&b, WIRE_MAGIC "\n");
	c = wire_flush(&b, fd, e);
	buf_release(&b);
	return c;
}

static struct request
request(const struct strvec *words, struct wire_in *in, int out)
{
	return (struct request){ .words = words,
		.in = in,
		.out_fd = out,
		.store = STORE_INIT,
		.lock = LOCK_INIT,
		.caller = CALLER_INIT };
}

int
host_run(const struct strvec *words, const struct host_limits *limits,
    const struct host_io *io, struct err *e)
{
	struct wire_in in = WIRE_IN_INIT(io->in);
	struct request r = request(words, &in, io->out);

	return greet(io->out, e) == 0 ? answer(&r, limits, e) : -1;
}

/* The next request on `in`: 1 when another one may follow, 0 at the end, -1. */
static int
serve_one(const char *root, const struct host_limits *limits,
    struct wire_in *in, int out, struct err *e)
{
	struct strvec said = STRVEC_INIT, words = STRVEC_INIT;
	struct request r = request(&words, in, out);
	int c = wire_read_request(in, &said, e);

	if (c > 0 && said.n > 0) {
		*e = (struct err)ERR_INIT;
		strvec_add(&words, said.v[0]);
		strvec_add(&words, root);
		for (size_t i = 1; i < said.n; i++)
			strvec_add(&words, said.v[i]);
		(void)answer(&r, limits, e);
		c = !r.last;
	}
	strvec_release(&said);
	strvec_release(&words);
	return c;
}

int
host_serve(const char *root, const struct host_limits *limits,
    const struct host_io *io, struct err *e)
{
	struct wire_in in = WIRE_IN_INIT(io->in);
	int c = greet(io->out, e) == 0 ? 1 : -1;

	while (c > 0)
		c = serve_one(root, limits, &in, io->out, e);
	return c == 0 && e->code == ERR_OK ? 0 : -1;
}
