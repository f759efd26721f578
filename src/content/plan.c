#include "content/plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/path.h"
#include "content/digest_index.h"
#include "content/links.h"

void
plan_close(struct plan *p)
{
	digest_index_free(p->by_digest);
	free(p->steps);
	release_ids_release(&p->ids);
	p->by_digest = NULL;
	p->steps = NULL;
}

void
plan_release(struct plan *p)
{
	plan_close(p);
	manifest_release(&p->m);
	strvec_release(&p->broken);
	*p = (struct plan)PLAN_INIT;
}

/* setgid: what the group adds to a directory stays the group's. */
static void
set_group_modes(struct plan *p)
{
	for (size_t i = 0; p->rules->group != NULL && i < p->m.n; i++)
		if (p->m.v[i].type == ENTRY_DIR)
			p->m.v[i].mode = 02755;
}

int
plan_begin(struct plan *p, const struct rules *rules, bool guarded,
    struct err *e)
{
	p->rules = rules;
	p->guarded = guarded;
	if ((guarded && guard_check_build(&p->m, e) != 0) ||
	    extras_add_shared(&p->m, rules, e) != 0)
		return -1;
	set_group_modes(p);
	p->totals = manifest_totals(&p->m);
	return 0;
}

/* Is it a file of the build, which plan_file() is for? */
static bool
is_built(const struct entry *en)
{
	return en->type == ENTRY_FILE && en->mark == ENTRY_BUILD;
}

/* What needs no content from the build. */
static void
plan_others(struct plan *p, const struct extras_from *from)
{
	size_t carried = 0;

	for (size_t i = 0; i < p->m.n; i++) {
		struct entry *en = &p->m.v[i];
		struct plan_step *s = &p->steps[i];

		if (en->type == ENTRY_LINK && en->mark != ENTRY_CARRIED)
			en->mtime = p->mtime;
		if (en->type == ENTRY_DIR || is_built(en))
			continue;
		if (en->mark == ENTRY_CARRIED) {
			s->way = PLAN_CARRY;
			s->release = &p->ids.v[from->v[carried++]];
		} else if (en->mark == ENTRY_SHARED) {
			s->way = PLAN_SHARE;
		}
	}
	p->carried = carried;
}

/* Note for each file of the build which file the base has at its path. */
static void
match_paths(struct plan *p, const struct manifest *base)
{
	size_t k = 0;

	for (size_t i = 0; i < p->m.n && k < base->n; i++) {
		const struct entry *en = &p->m.v[i];
		int c = -1;

		while (k < base->n &&
		    (c = path_compare(base->v[k].path, en->path)) < 0)
			k++;
		if (c == 0 && base->v[k].type == ENTRY_FILE && is_built(en))
			p->steps[i].base = &base->v[k];
	}
}

/* Carry what the rules say. */
static int
carry(struct plan *p, const struct extras_carry *c, struct extras_from *from,
    struct err *e)
{
	for (size_t i = 0; i < c->n; i++)
		release_ids_add(&p->ids, &c->earlier[i].id);
	if (p->rules->carry.n > 0 &&
	    extras_add_carried(&p->m, p->rules, c, from, e) != 0)
		return -1;
	set_group_modes(p);
	return 0;
}

int
plan_compare(struct plan *p, const struct plan_base *base, int64_t mtime,
    struct err *e)
{
	struct extras_from from = EXTRAS_FROM_INIT;
	int r = carry(p, &base->carry, &from, e);

	strvec_release(&p->broken);
	if (p->rules->links != SEVERITY_IGNORE)
		links_find_broken(&p->m, &p->broken);
	if (r == 0 && p->guarded)
		r = guard_check_index(&p->m, e);
	if (r == 0 && p->guarded && p->rules->links == SEVERITY_REFUSE)
		r = guard_check_links(&p->broken, e);
	if (r == 0 && p->guarded && base->live && base->m != NULL)
		r = guard_check_deletions(&p->m, base->m, p->rules->max_delete,
		    e);
	if (r == 0) {
		p->mtime = mtime;
		p->base_mtime = base->mtime;
		p->totals = manifest_totals(&p->m);
		p->steps = xcalloc(p->m.n, sizeof(*p->steps));
		p->by_digest = digest_index_new(base->m);
		plan_others(p, &from);
		if (base->m != NULL)
			match_paths(p, base->m);
	}
	free(from.v);
	return r;
}

void
plan_file(struct plan *p, size_t i)
{
	struct entry *en = &p->m.v[i];
	struct plan_step *s = &p->steps[i];
	const struct entry *same = s->base, *moved;

	s->way = PLAN_COPY;
	en->mtime = p->mtime;
	if (same != NULL && same->size == en->size &&
	    memcmp(same->digest, en->digest, HASH_LEN) == 0) {
		en->mtime = same->mtime;
		if (same->mode == en->mode)
			s->way = PLAN_LINK;
		return;
	}
	moved = digest_index_find(p->by_digest, en->digest, en->mode);
	if (moved == NULL || same != NULL || moved->mtime != p->base_mtime)
		return;
	s->way = PLAN_LINK;
	s->base = moved;
	en->mtime = moved->mtime;
}

void
plan_files(struct plan *p)
{
	for (size_t i = 0; i < p->m.n; i++)
		if (is_built(&p->m.v[i]))
			plan_file(p, i);
}

/* Merge the entries from `from` on among those before, with their steps. */
static void
merge_made(struct plan *p, size_t from)
{
	struct entry *v = xcalloc(p->m.n, sizeof(*v));
	struct plan_step *steps = xcalloc(p->m.n, sizeof(*steps));
	size_t a = 0, b = from;

	for (size_t i = 0; i < p->m.n; i++) {
		bool old = b == p->m.n ||
		    (a < from &&
			path_compare(p->m.v[a].path, p->m.v[b].path) < 0);

		v[i] = p->m.v[old ? a : b];
		if (old) {
			steps[i] = p->steps[a++];
		} else {
			steps[i].made = true;
			b++;
		}
	}
	free(p->m.v);
	free(p->steps);
	p->m.v = v;
	p->m.cap = p->m.n;
	p->steps = steps;
}

static int
compare_made(const void *a, const void *b)
{
	return path_compare(((const struct plan_made *)a)->path,
	    ((const struct plan_made *)b)->path);
}

void
plan_add_made(struct plan *p, const struct manifest *base, struct plan_made *v,
    size_t n)
{
	size_t from = p->m.n;

	if (n > 1)
		qsort(v, n, sizeof(*v), compare_made);
	for (size_t i = 0; i < n; i++) {
		struct entry *en = manifest_add(&p->m, v[i].path, ENTRY_FILE);

		en->mode = 0644;
		en->size = v[i].size;
		memcpy(en->digest, v[i].digest, HASH_LEN);
	}
	if (n == 0)
		return;
	merge_made(p, from);
	for (size_t i = 0; i < p->m.n; i++) {
		const struct entry *old = p->steps[i].made && base != NULL ?
		    manifest_find(base, p->m.v[i].path) :
		    NULL;

		if (old != NULL && old->type == ENTRY_FILE)
			p->steps[i].base = old;
		if (p->steps[i].made)
			plan_file(p, i);
	}
}

void
plan_count(struct plan *p)
{
	p->linked = p->copied = 0;
	p->copied_bytes = 0;
	for (size_t i = 0; p->steps != NULL && i < p->m.n; i++) {
		p->linked += p->steps[i].way == PLAN_LINK;
		if (p->steps[i].way != PLAN_COPY)
			continue;
		p->copied++;
		p->copied_bytes += p->m.v[i].size;
	}
}

void
plan_leave_out(struct plan *p, const bool *which)
{
	size_t n = 0;

	for (size_t i = 0; i < p->m.n; i++) {
		if (which[i]) {
			p->carried--;
			continue;
		}
		p->m.v[n] = p->m.v[i];
		p->steps[n++] = p->steps[i];
	}
	p->m.n = n;
	plan_end(p);
}

void
plan_end(struct plan *p)
{
	uint8_t digest[HASH_LEN];

	plan_count(p);
	p->totals = manifest_totals(&p->m);
	manifest_digest(&p->m, digest);
	hash_hex(digest, p->digest);
}

void
plan_add_room(struct guard_room *room, const struct entry *en, int64_t block)
{
	/* Half a block more, on average, and its line in the manifest. */
	room->bytes += en->size + block / 2 + 256;
	room->inodes++;
}

/* Has it an inode already that it shares? */
static bool
shares_inode(const struct plan *p, size_t i)
{
	return p->m.v[i].type == ENTRY_FILE &&
	    (p->steps[i].way == PLAN_LINK || p->steps[i].way == PLAN_CARRY);
}

struct guard_room
plan_room(const struct plan *p, int64_t block)
{
	struct guard_room room = { 0, 0 };

	for (size_t i = 0; i < p->m.n; i++)
		if (!shares_inode(p, i))
			plan_add_room(&room, &p->m.v[i], block);
	return room;
}

struct guard_room
plan_most_room(const struct plan *p, int64_t block)
{
	struct guard_room room = { 0, 0 };

	for (size_t i = 0; i < p->m.n; i++)
		plan_add_room(&room, &p->m.v[i], block);
	return room;
}
