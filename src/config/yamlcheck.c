/*
 * What yamltext.c lets through, libyaml loads as a document, which is a tree
 * since there are no aliases, and a walk holds it against the table.  So the
 * recursion here is as deep as the table.
 */
#include "config/yamlcheck.h"

#include <cyaml/cyaml.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <yaml.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/nearest.h"
#include "base/number.h"
#include "config/config_table.h"
#include "config/yamltext.h"

enum {
	FIELDS_MAX = 64, /* keys that one mapping of the table knows */
	KEY_MAX = 256,	 /* bytes in the path of a known key */
};

/* Where the value of a key begins. */
struct place {
	char *key;
	yaml_mark_t mark;
	char *name;  /* of a pair of free keys; else NULL */
	char *value; /* of that, or a single value; else NULL */
};

/* A short form, from a character of the text to another, and its long one. */
struct longer {
	size_t start, end;
	char *text;
};

struct yamlcheck {
	const char *file;
	const char *example; /* what an empty file should hold */
	struct err *e;
	yaml_document_t doc;
	char key[KEY_MAX]; /* where the walk is, such as sites[0].keep */
	struct place *places;
	size_t n, cap;
	struct longer *longer; /* in the order of the text */
	size_t n_longer;
	struct buf text; /* with the long forms, when there are some */
};

/* ---- messages ---------------------------------------------------------- */

static int fault_at(struct yamlcheck *y, yaml_mark_t mark, const char *fmt,
    ...) __attribute__((format(printf, 3, 4)));

/* Report what is wrong at `mark`, with the key that we are at.  -1. */
static int
fault_at(struct yamlcheck *y, yaml_mark_t mark, const char *fmt, ...)
{
	char text[sizeof(y->e->text)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return err_set(y->e, ERR_USAGE, "%s:%zu:%zu: %s%s%s", y->file,
	    mark.line + 1, mark.column + 1, y->key,
	    y->key[0] != '\0' ? ": " : "", text);
}

/* Step into a key of the mapping here. */
static void
enter_key(struct yamlcheck *y, const char *key)
{
	size_t old = strlen(y->key);

	snprintf(y->key + old, sizeof(y->key) - old, "%s%s",
	    old > 0 ? "." : "", key);
}

/* ---- the walk ------------------------------------------------------ */

/* The text of a scalar; there may be NULs before its end. */
static const char *
scalar_text(const yaml_node_t *node)
{
	return (const char *)node->data.scalar.value;
}

/*
 * Has a scalar a character that would disturb a terminal, a log or a file
 * name?  The C1 ones are two bytes in UTF-8.
 */
static bool
has_control(const yaml_node_t *node)
{
	const yaml_char_t *s = node->data.scalar.value;

	for (size_t i = 0; i < node->data.scalar.length; i++)
		if (s[i] < 0x20 || s[i] == 0x7f ||
		    (s[i] == 0xc2 && s[i + 1] < 0xa0))
			return true;
	return false;
}

/* Is it the value that means none: nothing at all, ~ or null? */
static bool
is_null(const yaml_node_t *node)
{
	if (node->type != YAML_SCALAR_NODE ||
	    node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
		return false;
	return strcmp(scalar_text(node), "") == 0 ||
	    strcmp(scalar_text(node), "~") == 0 ||
	    strcasecmp(scalar_text(node), "null") == 0;
}

/* What the table wants at a place, in words. */
static const char *
wanted(const cyaml_schema_value_t *want)
{
	switch (want->type) {
	case CYAML_UINT:
		return "a whole number";
	case CYAML_BOOL:
		return "true or false";
	case CYAML_STRING:
		return "a string";
	case CYAML_ENUM:
		return "a word";
	case CYAML_MAPPING:
		return "a mapping (key: value)";
	case CYAML_IGNORE:
		return "a mapping (\"pattern\": \"text\")";
	case CYAML_SEQUENCE:
		if (want->sequence.entry->type == CYAML_MAPPING)
			return "a list of mappings (each begins with '- ')";
		return "a list ([one, two], or lines that begin with '- ')";
	default:
		BUG("a type that no check knows");
	}
}

/* Refuse a node of another kind than the table wants. */
static int
check_kind(struct yamlcheck *y, const cyaml_schema_value_t *want,
    const yaml_node_t *node)
{
	static const char *const found[] = {
		[YAML_SCALAR_NODE] = "a single value",
		[YAML_SEQUENCE_NODE] = "a list",
		[YAML_MAPPING_NODE] = "a mapping",
	};
	yaml_node_type_t kind =
	    want->type == CYAML_MAPPING || want->type == CYAML_IGNORE ?
	    YAML_MAPPING_NODE :
	    want->type == CYAML_SEQUENCE ? YAML_SEQUENCE_NODE :
					   YAML_SCALAR_NODE;

	if (is_null(node))
		return fault_at(y, node->start_mark, "no value; wanted: %s",
		    wanted(want));
	if (node->type != kind)
		return fault_at(y, node->start_mark, "%s; wanted: %s",
		    found[node->type], wanted(want));
	return 0;
}

/* Is it a word for true or false?  YAML 1.1 has them all. */
static bool
is_bool(const char *s)
{
	static const char *const words[] = { "true", "false", "yes", "no",
		"on", "off" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcasecmp(s, words[i]) == 0)
			return true;
	return false;
}

/* Decimal digits that fit, without a leading zero, which could mean octal. */
static bool
is_uint(const char *s)
{
	int64_t n;

	return number_parse(s, 0, UINT_MAX, &n) &&
	    (s[0] != '0' || s[1] == '\0');
}

/* Check a word against those that the table has. */
static int
check_enum(struct yamlcheck *y, const cyaml_schema_value_t *want,
    const yaml_node_t *node)
{
	struct buf known = BUF_INIT;
	int ret = -1;

	for (uint32_t i = 0; i < want->enumeration.count; i++) {
		const char *word = want->enumeration.strings[i].str;

		if (strcmp(scalar_text(node), word) == 0)
			ret = 0;
		buf_addf(&known, "%s%s", i > 0 ? ", " : "", word);
	}
	if (ret != 0)
		fault_at(y, node->start_mark, "'%s' is none of: %s",
		    scalar_text(node), buf_str(&known));
	buf_release(&known);
	return ret;
}

/* Check a single value: libcyaml would take "5x" for 5, and "010" for 8. */
static int
check_scalar(struct yamlcheck *y, const cyaml_schema_value_t *want,
    const yaml_node_t *node)
{
	const char *s = scalar_text(node);

	if (has_control(node))
		return fault_at(y, node->start_mark,
		    "a line break or another control character in the value; write it on one line");
	if (want->type == CYAML_ENUM)
		return check_enum(y, want, node);
	if (want->type == CYAML_UINT && !is_uint(s))
		return fault_at(y, node->start_mark,
		    "'%s' is not a whole number (digits only, no leading zeros, at most %u)",
		    s, UINT_MAX);
	if (want->type == CYAML_BOOL && !is_bool(s))
		return fault_at(y, node->start_mark,
		    "'%s' is neither true nor false", s);
	if (want->type == CYAML_STRING && strlen(s) < want->string.min)
		return fault_at(y, node->start_mark,
		    "an empty string; give a value or remove it");
	return 0;
}

static int check_value(struct yamlcheck *y, const cyaml_schema_value_t *want,
    yaml_node_t *node);

static bool
is_hosts(const struct yamlcheck *y)
{
	const char *last = strrchr(y->key, '.');

	return last != NULL && strcmp(last, ".hosts") == 0;
}

/* Check the length of a list, and its entries. */
static int
check_list(struct yamlcheck *y, const cyaml_schema_value_t *want,
    yaml_node_t *node)
{
	yaml_node_item_t *items = node->data.sequence.items.start;
	size_t n = (size_t)(node->data.sequence.items.top - items);

	if (n < want->sequence.min)
		return fault_at(y, node->start_mark,
		    "an empty list; at least %u wanted%s", want->sequence.min,
		    is_hosts(y) ?
			"; a site whose root is on this machine has no 'hosts'" :
			"");
	if (n > want->sequence.max)
		return fault_at(y, node->start_mark,
		    "%zu entries; at most %u are allowed", n,
		    want->sequence.max);
	for (size_t i = 0; i < n; i++) {
		size_t old = strlen(y->key);

		snprintf(y->key + old, sizeof(y->key) - old, "[%zu]", i);
		if (check_value(y, want->sequence.entry,
			yaml_document_get_node(&y->doc, items[i])) != 0)
			return -1;
		y->key[old] = '\0';
	}
	return 0;
}

/* Report a key that is in no row, with the one that was probably meant. */
static int
fault_unknown(struct yamlcheck *y, const cyaml_schema_field_t *fields,
    const yaml_node_t *key)
{
	const char *names[FIELDS_MAX + 1], *near;
	struct buf known = BUF_INIT;
	size_t n = 0;

	for (; fields->key != NULL && n < FIELDS_MAX; fields++) {
		buf_addf(&known, "%s%s", n > 0 ? ", " : "", fields->key);
		names[n++] = fields->key;
	}
	names[n] = NULL;
	near = nearest_word(scalar_text(key), names);
	enter_key(y, scalar_text(key));
	if (near != NULL)
		fault_at(y, key->start_mark, "unknown key; did you mean '%s'?",
		    near);
	else
		fault_at(y, key->start_mark, "unknown key; known here: %s",
		    buf_str(&known));
	buf_release(&known);
	return -1;
}

/* The first key of that name in a mapping, or NULL. */
static const yaml_node_t *
find_key(struct yamlcheck *y, const yaml_node_t *map, const char *name)
{
	const yaml_node_pair_t *p = map->data.mapping.pairs.start;

	for (; p < map->data.mapping.pairs.top; p++) {
		yaml_node_t *key = yaml_document_get_node(&y->doc, p->key);

		if (key->type == YAML_SCALAR_NODE &&
		    strcmp(scalar_text(key), name) == 0)
			return key;
	}
	return NULL;
}

/* Check a key of a mapping and what it holds. */
static int
check_pair(struct yamlcheck *y, const cyaml_schema_field_t *fields,
    const yaml_node_t *map, const yaml_node_pair_t *pair)
{
	yaml_node_t *key = yaml_document_get_node(&y->doc, pair->key);
	const cyaml_schema_field_t *field = fields;
	const yaml_node_t *first;
	size_t old = strlen(y->key);

	if (key->type != YAML_SCALAR_NODE || has_control(key))
		return fault_at(y, key->start_mark, "a key must be a word");
	if (strncmp(scalar_text(key), "x-", 2) == 0)
		return 0;
	while (field->key != NULL && strcmp(field->key, scalar_text(key)) != 0)
		field++;
	if (field->key == NULL)
		return fault_unknown(y, fields, key);
	enter_key(y, field->key);
	first = find_key(y, map, field->key);
	if (first != key)
		return fault_at(y, key->start_mark,
		    "this key was given in line %zu already",
		    first->start_mark.line + 1);
	if (check_value(y, &field->value,
		yaml_document_get_node(&y->doc, pair->value)) != 0)
		return -1;
	y->key[old] = '\0';
	return 0;
}

/* Check every key of a mapping, then whether one is missing. */
static int
check_mapping(struct yamlcheck *y, const cyaml_schema_field_t *fields,
    const yaml_node_t *map)
{
	const yaml_node_pair_t *p = map->data.mapping.pairs.start;

	for (; p < map->data.mapping.pairs.top; p++)
		if (check_pair(y, fields, map, p) != 0)
			return -1;
	for (; fields->key != NULL; fields++) {
		if ((fields->value.flags & CYAML_FLAG_OPTIONAL) != 0 ||
		    find_key(y, map, fields->key) != NULL)
			continue;
		enter_key(y, fields->key);
		return fault_at(y, map->start_mark,
		    "this key is missing; wanted: %s", wanted(&fields->value));
	}
	return 0;
}

/* Note where the value of the key that we are at begins, and a single one. */
static void
add_place(struct yamlcheck *y, const yaml_node_t *node)
{
	if (y->n == y->cap) {
		y->cap = 2 * y->cap + 64;
		y->places =
		    xreallocarray(y->places, y->cap, sizeof(*y->places));
	}
	y->places[y->n++] = (struct place){ .key = xstrdup(y->key),
		.mark = node->start_mark,
		.value = node->type == YAML_SCALAR_NODE ?
		    xstrdup(scalar_text(node)) :
		    NULL };
}

/* Note a pair of free keys, as the n-th of the mapping that we are at. */
static void
add_word(struct yamlcheck *y, const yaml_node_t *name,
    const yaml_node_t *value, size_t n)
{
	size_t old = strlen(y->key);

	snprintf(y->key + old, sizeof(y->key) - old, "[%zu]", n);
	add_place(y, name);
	y->places[y->n - 1].name = y->places[y->n - 1].value;
	y->places[y->n - 1].value = xstrdup(scalar_text(value));
	y->key[old] = '\0';
}

/* Check a mapping whose keys are free: each once, and its value a string. */
static int
check_words(struct yamlcheck *y, const yaml_node_t *map)
{
	const yaml_node_pair_t *all = map->data.mapping.pairs.start;
	size_t n = (size_t)(map->data.mapping.pairs.top - all);

	if (n == 0)
		return fault_at(y, map->start_mark,
		    "an empty mapping; remove it");
	for (size_t i = 0; i < n; i++) {
		yaml_node_t *key = yaml_document_get_node(&y->doc, all[i].key);
		yaml_node_t *value =
		    yaml_document_get_node(&y->doc, all[i].value);

		if (key->type != YAML_SCALAR_NODE || has_control(key) ||
		    is_null(key))
			return fault_at(y, key->start_mark,
			    "a key must be a word");
		if (find_key(y, map, scalar_text(key)) != key)
			return fault_at(y, key->start_mark,
			    "'%s' was given already", scalar_text(key));
		if (value->type != YAML_SCALAR_NODE || is_null(value) ||
		    has_control(value) || *scalar_text(value) == '\0')
			return fault_at(y, value->start_mark,
			    "'%s': wanted: a string, on one line",
			    scalar_text(key));
		add_word(y, key, value, i);
	}
	return 0;
}

bool
yamlcheck_pair(const struct yamlcheck *y, const char *key, size_t i,
    const char **name, const char **value)
{
	char at[KEY_MAX];

	snprintf(at, sizeof(at), "%s[%zu]", key, i);
	for (size_t k = 0; k < y->n; k++)
		if (y->places[k].name != NULL &&
		    strcmp(y->places[k].key, at) == 0) {
			*name = y->places[k].name;
			*value = y->places[k].value;
			return true;
		}
	return false;
}

bool
yamlcheck_value(const struct yamlcheck *y, size_t i, const char **key,
    const char **name, const char **value, size_t *line)
{
	if (i >= y->n)
		return false;
	*key = y->places[i].key;
	*name = y->places[i].name;
	*value = y->places[i].value;
	*line = y->places[i].mark.line + 1;
	return true;
}

/* ---- short forms -------------------------------------------------- */

/* A double-quoted scalar, which libyaml reads as the same. */
static void
quote_scalar(const yaml_node_t *node, struct buf *out)
{
	buf_addc(out, '"');
	for (const char *s = scalar_text(node); *s != '\0'; s++) {
		if (*s == '"' || *s == '\\')
			buf_addc(out, '\\');
		buf_addc(out, *s);
	}
	buf_addc(out, '"');
}

/* The scalar, or what it has become already, is to stand in between. */
static void
add_longer(struct yamlcheck *y, const yaml_node_t *node, const char *before,
    const char *key, const char *after)
{
	struct longer *l =
	    y->n_longer > 0 ? &y->longer[y->n_longer - 1] : NULL;
	struct buf text = BUF_INIT;

	buf_addf(&text, "%s%s%s", before, key, *key != '\0' ? ": " : "");
	if (l != NULL && l->start == node->start_mark.index) {
		buf_adds(&text, l->text);
		free(l->text);
	} else {
		y->longer = xreallocarray(y->longer, ++y->n_longer,
		    sizeof(*y->longer));
		l = &y->longer[y->n_longer - 1];
		l->start = node->start_mark.index;
		l->end = node->end_mark.index;
		quote_scalar(node, &text);
	}
	buf_adds(&text, after);
	l->text = buf_detach(&text);
}

/* A single value that stands for a mapping, of which it is that key. */
static int
check_short_mapping(struct yamlcheck *y, const cyaml_schema_field_t *field,
    yaml_node_t *node)
{
	size_t old = strlen(y->key);

	add_place(y, node);
	enter_key(y, field->key);
	if (check_value(y, &field->value, node) != 0)
		return -1;
	y->key[old] = '\0';
	add_longer(y, node, "{", field->key, "}");
	return 0;
}

/* One that stands for a list of one. */
static int
check_short_list(struct yamlcheck *y, const cyaml_schema_value_t *want,
    yaml_node_t *node)
{
	size_t old = strlen(y->key);

	add_place(y, node);
	snprintf(y->key + old, sizeof(y->key) - old, "[0]");
	if (check_value(y, want->sequence.entry, node) != 0)
		return -1;
	y->key[old] = '\0';
	add_longer(y, node, "[", "", "]");
	return 0;
}

/* So many characters further. */
static size_t
skip_characters(const char *text, size_t len, size_t at, size_t n)
{
	for (; n > 0 && at < len; n--)
		do
			at++;
		while (at < len && ((unsigned char)text[at] & 0xc0) == 0x80);
	return at;
}

/* The text with the long forms; libyaml counts no byte order mark. */
static void
make_text(struct yamlcheck *y, const char *text, size_t len)
{
	size_t at = len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
	size_t start, n = 0;

	for (size_t i = 0; i < y->n_longer; i++) {
		const struct longer *l = &y->longer[i];

		start = skip_characters(text, len, at, l->start - n);
		buf_add(&y->text, text + at, start - at);
		buf_adds(&y->text, l->text);
		at = skip_characters(text, len, start, l->end - l->start);
		/* One that is folded has the end of its line in it. */
		if (at > start && text[at - 1] == '\n')
			buf_addc(&y->text, '\n');
		n = l->end;
	}
	if (y->n_longer > 0)
		buf_add(&y->text, text + at, len - at);
}

const char *
yamlcheck_text(const struct yamlcheck *y, size_t *len)
{
	*len = y->text.len;
	return y->n_longer > 0 ? y->text.data : NULL;
}

/* ---- the whole ------------------------------------------------------- */

/* Check one value and all that is in it against the table. */
static int
check_value(struct yamlcheck *y, const cyaml_schema_value_t *want,
    yaml_node_t *node)
{
	bool is_short = node->type == YAML_SCALAR_NODE && !is_null(node);

	if (is_short && want->type == CYAML_MAPPING &&
	    config_table_only_key(want) != NULL)
		return check_short_mapping(y, config_table_only_key(want),
		    node);
	if (is_short && want->type == CYAML_SEQUENCE &&
	    config_table_may_be_short(want))
		return check_short_list(y, want, node);
	if (check_kind(y, want, node) != 0)
		return -1;
	add_place(y, node);
	switch (want->type) {
	case CYAML_MAPPING:
		return check_mapping(y, want->mapping.fields, node);
	case CYAML_SEQUENCE:
		return check_list(y, want, node);
	case CYAML_IGNORE:
		return check_words(y, node);
	default:
		return check_scalar(y, want, node);
	}
}

/* Check the document; an empty one has its own words. */
static int
check_document(struct yamlcheck *y, const cyaml_schema_value_t *table)
{
	yaml_node_t *root = yaml_document_get_root_node(&y->doc);
	const yaml_mark_t top = { 0, 0, 0 };

	if (root == NULL || is_null(root))
		return fault_at(y, root != NULL ? root->start_mark : top,
		    "the file is empty; %s", y->example);
	return check_value(y, table, root);
}

/* Load the text, which has been checked, and check what is in it. */
static int
check_loaded(struct yamlcheck *y, const char *text, size_t len,
    const cyaml_schema_value_t *table)
{
	yaml_parser_t parser;
	int ret;

	if (!yaml_parser_initialize(&parser))
		return err_set(y->e, ERR_USAGE, "%s: out of memory", y->file);
	yaml_parser_set_input_string(&parser, (const yaml_char_t *)text, len);
	if (yaml_parser_load(&parser, &y->doc)) {
		ret = check_document(y, table);
		yaml_document_delete(&y->doc);
	} else {
		ret = err_set(y->e, ERR_USAGE, "%s: out of memory", y->file);
	}
	yaml_parser_delete(&parser);
	return ret;
}

struct yamlcheck *
yamlcheck_open(const char *file, const char *text, size_t len,
    const cyaml_schema_value_t *table, const char *example, struct err *e)
{
	struct yamlcheck *y;

	if (yamltext_check(file, text, len, e) != 0)
		return NULL;
	y = xcalloc(1, sizeof(*y));
	y->file = file;
	y->example = example;
	y->e = e;
	if (check_loaded(y, text, len, table) == 0) {
		make_text(y, text, len);
		return y;
	}
	yamlcheck_free(y);
	return NULL;
}

void
yamlcheck_free(struct yamlcheck *y)
{
	if (y == NULL)
		return;
	for (size_t i = 0; i < y->n; i++) {
		free(y->places[i].key);
		free(y->places[i].name);
		free(y->places[i].value);
	}
	free(y->places);
	for (size_t i = 0; i < y->n_longer; i++)
		free(y->longer[i].text);
	free(y->longer);
	buf_release(&y->text);
	free(y);
}

int
yamlcheck_fault(const struct yamlcheck *y, const char *key, const char *what,
    struct err *e)
{
	for (size_t i = 0; i < y->n; i++)
		if (strcmp(y->places[i].key, key) == 0)
			return err_set(e, ERR_USAGE, "%s:%zu:%zu: %s: %s",
			    y->file, y->places[i].mark.line + 1,
			    y->places[i].mark.column + 1, key, what);
	BUG("a fault in a key that is not there");
}
