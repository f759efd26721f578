#include "content/manifest.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/path.h"
#include "content/manifest_text.h"

const char *const manifest_types[] = { "file", "dir", "link" };

void
manifest_release(struct manifest *m)
{
	free(m->v);
	arena_free(m->arena);
	*m = (struct manifest)MANIFEST_INIT;
}

struct entry *
manifest_add(struct manifest *m, const char *path, enum entry_type type)
{
	struct entry *en;

	if (m->arena == NULL)
		m->arena = arena_new();
	if (m->n == m->cap) {
		/* By half: doubling would cost 100,000 files 8 MB. */
		m->cap = m->cap > 0 ? m->cap + m->cap / 2 : 64;
		m->v = xreallocarray(m->v, m->cap, sizeof(*m->v));
	}
	en = &m->v[m->n++];
	*en = (struct entry){ .type = (uint8_t)type,
		.mode = type == ENTRY_LINK ? 0777 : 0755 };
	en->path = arena_strndup(m->arena, path, strlen(path));
	return en;
}

void
manifest_set_link(struct manifest *m, struct entry *en, const char *target)
{
	en->link = arena_strndup(m->arena, target, strlen(target));
}

static int
compare_entries(const void *a, const void *b)
{
	return path_compare(((const struct entry *)a)->path,
	    ((const struct entry *)b)->path);
}

int
manifest_sort(struct manifest *m, struct err *e)
{
	bool sorted = true;

	for (size_t i = 1; sorted && i < m->n; i++)
		sorted = compare_entries(&m->v[i - 1], &m->v[i]) < 0;
	if (sorted)
		return 0;
	qsort(m->v, m->n, sizeof(*m->v), compare_entries);
	for (size_t i = 1; i < m->n; i++)
		if (compare_entries(&m->v[i - 1], &m->v[i]) == 0)
			return err_set(e, ERR_INTEGRITY,
			    "the path '%s' is there twice", m->v[i].path);
	return 0;
}

struct entry *
manifest_find(const struct manifest *m, const char *path)
{
	struct entry key = { .path = path };

	if (m->n == 0)
		return NULL;
	return bsearch(&key, m->v, m->n, sizeof(*m->v), compare_entries);
}

struct manifest_totals
manifest_totals(const struct manifest *m)
{
	struct manifest_totals t = { 0, 0 };

	for (size_t i = 0; i < m->n; i++) {
		if (m->v[i].type != ENTRY_FILE)
			continue;
		t.files++;
		t.bytes += m->v[i].size;
	}
	return t;
}

bool
entry_is_same(const struct entry *a, const struct entry *b)
{
	if (a->type != b->type || a->mode != b->mode)
		return false;
	if (a->type == ENTRY_LINK)
		return strcmp(a->link, b->link) == 0;
	return a->type == ENTRY_DIR ||
	    (a->size == b->size &&
		memcmp(a->digest, b->digest, HASH_LEN) == 0);
}

char *
manifest_shared_target(const char *path)
{
	struct buf b = BUF_INIT;

	buf_adds(&b, "../../");
	for (const char *p = path; *p != '\0'; p++)
		if (*p == '/')
			buf_adds(&b, "../");
	buf_addf(&b, "shared/%s", path);
	return buf_detach(&b);
}

unsigned int
manifest_top_mode(const struct manifest *m)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->v[i].type == ENTRY_DIR)
			return m->v[i].mode;
	return 0755;
}
