#include "fleet/fleet_repair.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "content/plan.h"
#include "fleet/fleet_fetch.h"
#include "os/log.h"
#include "os/spool.h"

enum { BLOCK = 4096 }; /* that a file takes on most file systems */

/* One host, whose thread works with it alone. */
struct mending {
	struct fleet_repaired done;
	struct strvec lacks; /* files that it has nowhere intact */
	bool no_manifest;
	struct remote *r;
};

struct repairing {
	struct fleet *f;
	const struct release_id *id;
	struct mending *v; /* for each host */
};

/* ---- each from what it has --------------------------------------------- */

static void
add_mended(struct mending *m, const char *value)
{
	struct fleet_mended one = { .host = m->r };
	const char *rest = release_id_scan(&one.id, value);

	if (rest == NULL || *rest != '\t')
		return;
	one.path = xstrdup(rest + 1);
	m->done.v =
	    xreallocarray(m->done.v, m->done.n + 1, sizeof(*m->done.v));
	m->done.v[m->done.n++] = one;
}

static void
on_line(void *ctx, const char *key, const char *value)
{
	struct mending *m = ctx;

	if (strcmp(key, "mended") == 0)
		add_mended(m, value);
	else if (strcmp(key, "lacks") == 0)
		strvec_add(&m->lacks, value);
	else if (strcmp(key, "lacks-manifest") == 0)
		m->no_manifest = true;
	else if (strcmp(key, "warning") == 0)
		log_warn("%s%s", remote_said(m->r), value);
}

static int
mend_alone(struct remote *r, void *ctx, struct err *e)
{
	struct repairing *x = ctx;
	struct mending *m = &x->v[r - x->f->v];
	struct strvec args = STRVEC_INIT;
	int c;

	m->r = r;
	strvec_addf(&args, "--id=%s", x->id->text);
	strvec_add(&args, "--repair");
	c = remote_call(r, "verify", &args, on_line, m, e);
	strvec_release(&args);
	return c;
}

/* ---- with what another has --------------------------------------------- */

/* What goes to one host: files, and the directories that they are in. */
struct supply {
	struct release_id id; /* that it goes by; no release becomes of it */
	struct manifest m;
	struct hoard fetch;
	struct spool *spool;
	int64_t at;
	bool manifest; /* what goes is that of the release */
};

static void
mark_parents(const struct manifest *m, const char *path, bool *needed)
{
	char *parent = xstrdup(path), *slash;

	while ((slash = strrchr(parent, '/')) != NULL) {
		const struct entry *en;

		*slash = '\0';
		en = manifest_find(m, parent);
		if (en != NULL)
			needed[en - m->v] = true;
	}
	free(parent);
}

/* The manifest of what was fetched. */
static int
cut_manifest(const struct manifest *all, const bool *fetched,
    struct manifest *out, struct err *e)
{
	bool *needed = xcalloc(all->n, sizeof(*needed));

	for (size_t i = 0; i < all->n; i++)
		if (fetched[i]) {
			needed[i] = true;
			mark_parents(all, all->v[i].path, needed);
		}
	for (size_t i = 0; i < all->n; i++) {
		struct entry *en;
		const char *path;

		if (!needed[i])
			continue;
		en = manifest_add(out, all->v[i].path,
		    (enum entry_type)all->v[i].type);
		path = en->path;
		*en = all->v[i];
		en->path = path;
		en->link = NULL;
		/* It is not in the release: who carried it does not matter. */
		en->mark = ENTRY_BUILD;
		en->last = 0;
	}
	free(needed);
	return manifest_sort(out, e);
}

/* pack.h: the contents are all in the temporary directory. */
static void
is_fetched(void *ctx, size_t i, struct pack_origin *out)
{
	(void)ctx;
	(void)i;
	out->fetched = true;
}

static int
into_spool(void *ctx, const void *data, size_t len, struct err *e)
{
	return spool_write(ctx, data, len, e);
}

static ssize_t
from_spool(void *ctx, void *data, size_t len, struct err *e)
{
	struct supply *s = ctx;
	ssize_t n = spool_read(s->spool, s->at, data, len, e);

	if (n > 0)
		s->at += n;
	return n;
}

static int
pack(struct supply *s, enum pack_compression compression, struct err *e)
{
	struct meta meta = { .id = s->id, .seq = -1 };
	const struct pack_source src = { .m = &s->m,
		.meta = &meta,
		.fetched = &s->fetch.dir,
		.origin = is_fetched,
		.compression = compression };
	const struct manifest_totals t = manifest_totals(&s->m);
	uint8_t digest[HASH_LEN];

	manifest_digest(&s->m, digest);
	hash_hex(digest, meta.digest);
	meta.files = (int64_t)t.files;
	meta.bytes = t.bytes;
	s->spool = spool_new(e);
	if (s->spool == NULL || pack_write(&src, into_spool, s->spool, e) != 0)
		return -1;
	spool_end(s->spool, NULL);
	return 0;
}

static int
send_pack(struct repairing *x, struct mending *m, struct supply *s,
    struct err *e)
{
	struct guard_room need = { 0, 0 };
	struct remote_receive o = { .id = &s->id,
		.repair = x->id,
		.manifest = s->manifest,
		.group = x->f->site->rules.group,
		.compression = remote_compression(m->r),
		.read = from_spool,
		.line = on_line,
		.line_ctx = m,
		.ctx = s };

	for (size_t i = 0; i < s->m.n; i++)
		plan_add_room(&need, &s->m.v[i], BLOCK);
	o.bytes = need.bytes;
	o.inodes = need.inodes;
	if (pack(s, o.compression, e) != 0)
		return -1;
	x->f->changed = true;
	return remote_receive(m->r, &o, e);
}

/* Its manifest as a file of that name. */
static int
wrap_manifest(const struct manifest *all, struct supply *s, struct err *e)
{
	struct entry *en = manifest_add(&s->m, MANIFEST_FILE, ENTRY_FILE);
	struct buf text = BUF_INIT;
	char name[HASH_HEX + 1];

	manifest_print(all, &text);
	manifest_text_digest(all, en->digest);
	en->size = (int64_t)text.len;
	en->mode = 0644;
	buf_release(&text);
	hash_hex(en->digest, name);
	if (hoard_open(&s->fetch, e) != 0)
		return -1;
	return manifest_write(all, &s->fetch.dir, name, e);
}

/* Where nobody has it, what the next verify finds says so. */
static int
supply_manifest(struct repairing *x, struct mending *m, struct err *e)
{
	struct supply s = { .m = MANIFEST_INIT,
		.fetch = HOARD_INIT,
		.manifest = true };
	struct manifest all = MANIFEST_INIT;
	struct err why = ERR_INIT;
	int c = 0;

	release_id_new(&s.id, &m->r->latest);
	if (fleet_manifest(x->f, x->id, &all, &why) != 0) {
		log_info("%s", why.text);
	} else {
		c = wrap_manifest(&all, &s, e);
		if (c == 0)
			c = send_pack(x, m, &s, e);
		if (c == 0)
			c = mend_alone(m->r, x, e);
		if (c != 0)
			remote_say(m->r, e);
	}
	spool_free(s.spool);
	hoard_release(&s.fetch);
	manifest_release(&s.m);
	manifest_release(&all);
	return c;
}

static int
supply_manifests(struct repairing *x, struct err *e)
{
	int c = 0;

	for (size_t i = 0; c == 0 && i < x->f->n; i++)
		if (x->v[i].no_manifest)
			c = supply_manifest(x, &x->v[i], e);
	return c;
}

/*
 * Fetch what can be had of it; a file that is nowhere is told by name.  The
 * number of files.
 */
static size_t
fetch(struct repairing *x, const struct mending *m, const struct manifest *all,
    bool *wanted, struct hoard *into)
{
	struct err why = ERR_INIT;
	bool *fetched = xcalloc(all->n, sizeof(*fetched));
	size_t n = 0;

	for (size_t i = 0; i < m->lacks.n; i++) {
		const struct entry *en = manifest_find(all, m->lacks.v[i]);

		if (en != NULL && en->type == ENTRY_FILE)
			wanted[en - all->v] = fetched[en - all->v] = true;
	}
	if (fetch_files(into, x->f, x->id, all, wanted, &why) != 0)
		log_info("%s%s", remote_said(m->r), why.text);
	for (size_t i = 0; i < all->n; i++) {
		wanted[i] = fetched[i] && !wanted[i];
		n += wanted[i];
	}
	free(fetched);
	return n;
}

static int
supply(struct repairing *x, struct mending *m, const struct manifest *all,
    struct err *e)
{
	struct supply s = { .m = MANIFEST_INIT, .fetch = HOARD_INIT };
	bool *wanted = xcalloc(all->n, sizeof(*wanted));
	int c = 0;

	release_id_new(&s.id, &m->r->latest);
	if (fetch(x, m, all, wanted, &s.fetch) > 0) {
		c = cut_manifest(all, wanted, &s.m, e);
		if (c == 0)
			c = send_pack(x, m, &s, e);
	}
	spool_free(s.spool);
	hoard_release(&s.fetch);
	manifest_release(&s.m);
	free(wanted);
	return c == 0 ? 0 : remote_say(m->r, e);
}

/* What no host has is left as it is. */
static int
supply_all(struct repairing *x, struct err *e)
{
	struct manifest all = MANIFEST_INIT;
	int c = 0;

	for (size_t i = 0; c == 0 && i < x->f->n; i++) {
		if (x->v[i].lacks.n == 0 || x->f->n < 2)
			continue;
		if (all.n == 0)
			c = fleet_manifest(x->f, x->id, &all, e);
		if (c == 0)
			c = supply(x, &x->v[i], &all, e);
	}
	manifest_release(&all);
	return c;
}

/* ---- all --------------------------------------------------------------- */

/* Move what was mended on one host behind the others'. */
static void
collect(struct fleet_repaired *out, struct mending *m)
{
	out->v = xreallocarray(out->v, out->n + m->done.n, sizeof(*out->v));
	if (m->done.n > 0)
		memcpy(out->v + out->n, m->done.v,
		    m->done.n * sizeof(*out->v));
	out->n += m->done.n;
	free(m->done.v);
	strvec_release(&m->lacks);
}

int
fleet_repair(struct fleet *f, const struct release_id *id,
    struct fleet_repaired *out, struct err *e)
{
	struct repairing x = { f, id, xcalloc(f->n, sizeof(*x.v)) };
	int c = 0;

	f->changed = true;
	if (fleet_each(f, mend_alone, &x) > 0)
		c = fleet_fail(f, "not mended everywhere", e);
	if (c == 0)
		c = supply_manifests(&x, e);
	if (c == 0)
		c = supply_all(&x, e);
	for (size_t i = 0; i < f->n; i++)
		collect(out, &x.v[i]);
	free(x.v);
	return c;
}

void
fleet_repaired_release(struct fleet_repaired *p)
{
	for (size_t i = 0; i < p->n; i++)
		free(p->v[i].path);
	free(p->v);
	*p = (struct fleet_repaired)FLEET_REPAIRED_INIT;
}
