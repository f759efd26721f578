#include "config/config_show.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/text.h"
#include "config/abspath.h"
#include "config/config_table.h"
#include "config/config_words.h"

struct showing {
	const struct config *c;
	const struct config_given **given; /* in the order of their keys */
	struct config_values *out;
};

static int
compare(const void *a, const void *b)
{
	const struct config_given *x = *(const struct config_given *const *)a;
	const struct config_given *y = *(const struct config_given *const *)b;

	return strcmp(x->key, y->key);
}

static void
sort_given(struct showing *s)
{
	s->given = xcalloc(s->c->n_given + 1, sizeof(*s->given));
	for (size_t i = 0; i < s->c->n_given; i++)
		s->given[i] = &s->c->given[i];
	qsort(s->given, s->c->n_given, sizeof(*s->given), compare);
}

/* What the file says of the key, or NULL. */
static const struct config_given *
find(const struct showing *s, const char *key)
{
	struct config_given word = { .key = (char *)(uintptr_t)key };
	const struct config_given *sought = &word, **found;

	found = bsearch(&sought, s->given, s->c->n_given, sizeof(*s->given),
	    compare);
	return found != NULL ? *found : NULL;
}

static void
add(struct config_values *out, const char *key, char *value, size_t line)
{
	out->v = xreallocarray(out->v, out->n + 1, sizeof(*out->v));
	out->v[out->n++] = (struct config_value){ xstrdup(key), value, line };
}

/* The value as it counts. */
static char *
as_it_counts(const struct config *c, enum config_kind kind, const char *text)
{
	struct err ignored = ERR_INIT;
	char *path = kind == KIND_PATH ?
	    abspath_make(text, c->dir, getenv("HOME"), &ignored) :
	    NULL;

	return path != NULL  ? path :
	    kind == KIND_URL ? text_cleanf("%s", text) :
			       xstrdup(text);
}

/* The key without its indices, as config_words() has it. */
static char *
plain_key(const char *key)
{
	struct buf b = BUF_INIT;

	for (; *key != '\0'; key++)
		if (*key == '[')
			key = strchr(key, ']');
		else
			buf_addc(&b, *key);
	return buf_detach(&b);
}

/* A key that has one value. */
static void
show_single(struct showing *s, const char *key)
{
	const struct config_given *g = find(s, key);
	char *plain = plain_key(key);
	const struct config_words *w = config_words(plain);

	if (g != NULL)
		add(s->out, key, as_it_counts(s->c, w->kind, g->value),
		    g->line);
	else if (w->otherwise != NULL)
		add(s->out, key, xstrdup(w->otherwise), 0);
	free(plain);
}

/* The pairs of a mapping whose keys are free. */
static void
show_pairs(struct showing *s, const char *key)
{
	size_t len = strlen(key);

	for (size_t i = 0; i < s->c->n_given; i++) {
		const struct config_given *g = &s->c->given[i];

		if (g->name != NULL && strncmp(g->key, key, len) == 0 &&
		    g->key[len] == '[')
			add(s->out, g->key,
			    xasprintf("%s: %s", g->name, g->value), g->line);
	}
}

static void show(struct showing *s, const cyaml_schema_value_t *want,
    const char *key);

static void
show_fields(struct showing *s, const cyaml_schema_field_t *f, const char *key)
{
	for (; f->key != NULL; f++) {
		char *name =
		    xasprintf("%s%s%s", key, *key != '\0' ? "." : "", f->key);

		show(s, &f->value, name);
		free(name);
	}
}

/* Its entries; none is a value, too, where there is a default. */
static void
show_list(struct showing *s, const cyaml_schema_value_t *want, const char *key)
{
	char *entry;
	bool more = true;

	if (find(s, key) == NULL)
		show_single(s, key);
	for (size_t i = 0; more; i++) {
		entry = xasprintf("%s[%zu]", key, i);
		more = find(s, entry) != NULL;
		if (more)
			show(s, want->sequence.entry, entry);
		free(entry);
	}
}

/* Does a mapping hold where it is not given? */
static bool
holds_always(const struct showing *s, const char *key)
{
	size_t n = strlen(key);

	return find(s, key) != NULL ||
	    (n > 6 && strcmp(key + n - 6, ".guard") == 0);
}

static void
show(struct showing *s, const cyaml_schema_value_t *want, const char *key)
{
	if (want->type == CYAML_SEQUENCE)
		show_list(s, want, key);
	else if (want->type == CYAML_IGNORE)
		show_pairs(s, key);
	else if (want->type != CYAML_MAPPING)
		show_single(s, key);
	else if (holds_always(s, key))
		show_fields(s, want->mapping.fields, key);
}

void
config_show(const struct config *c, const char *site,
    struct config_values *out)
{
	struct config_values all = { NULL, 0 };
	struct showing s = { c, NULL, &all };
	size_t chosen = 0;
	char *own;

	while (site != NULL && chosen < c->n &&
	    strcmp(c->sites[chosen].name, site) != 0)
		chosen++;
	own = xasprintf("sites[%zu].", chosen);
	sort_given(&s);
	show_fields(&s, config_table.mapping.fields, "");
	*out = (struct config_values){ NULL, 0 };
	for (size_t i = 0; i < all.n; i++)
		if (site == NULL || strncmp(all.v[i].key, "sites[", 6) != 0 ||
		    strncmp(all.v[i].key, own, strlen(own)) == 0)
			add(out, all.v[i].key, xstrdup(all.v[i].value),
			    all.v[i].line);
	config_values_release(&all);
	free(s.given);
	free(own);
}

void
config_values_release(struct config_values *v)
{
	for (size_t i = 0; i < v->n; i++) {
		free(v->v[i].key);
		free(v->v[i].value);
	}
	free(v->v);
	*v = (struct config_values){ NULL, 0 };
}
