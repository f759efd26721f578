/*
 * A YAML text that users write, held against a table of libcyaml: whatever
 * the table does not allow is refused with file, line, column, the path of
 * the key and what would be right.  libcyaml itself says none of that, so it
 * is asked for the values only after this.
 *
 * The table may have mappings, lists, strings, unsigned numbers, booleans and
 * enumerations; what libcyaml is to ignore is a mapping whose keys nobody knows
 * before, of strings: yamlcheck_pair() has them.  A row is required unless
 * CYAML_FLAG_OPTIONAL; keys that begin with "x-" are let through.  There are
 * two short forms: a single value for a mapping of which one key is required,
 * a string, and a single value for a list.  Stricter than YAML: what
 * yamltext.h says, and no control characters, no key twice, no empty values;
 * numbers are decimal digits.
 *
 * A door of libcyaml, with config_table.h and its readers, and of libyaml,
 * with yamltext.c.  It knows nothing of what the keys mean.
 */
#ifndef YAMLCHECK_H
#define YAMLCHECK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct yamlcheck;
struct cyaml_schema_value;	/* of <cyaml/cyaml.h>, as the next */
struct cyaml_schema_field;

/*
 * Check text[0..len), which need not end in a NUL, against `table`, a
 * mapping; `file` is its name in messages, `example` the cure for an empty
 * one, such as "write 'a: b'".  `file` is borrowed until
 * yamlcheck_free(), `text` only for this call.  Returns what
 * yamlcheck_fault() needs, which the caller frees; or NULL with ERR_USAGE.
 */
struct yamlcheck *yamlcheck_open(const char *file, const char *text,
    size_t len, const struct cyaml_schema_value *table, const char *example,
    struct err *e) MUST_USE;
void yamlcheck_free(struct yamlcheck *y);	/* NULL accepted */

/*
 * The text with its short forms written out, as libcyaml needs it, and its
 * length; borrowed.  NULL: it has none.
 */
const char *yamlcheck_text(const struct yamlcheck *y, size_t *len);

/*
 * The i-th pair, as they stand there, of the mapping of free keys at `key`,
 * such as "sites[0].check.headers"; it is "sites[0].check.headers[i]" for
 * yamlcheck_fault().  Borrowed; false: there are no more.
 */
bool yamlcheck_pair(const struct yamlcheck *y, const char *key, size_t i,
    const char **name, const char **value);

/*
 * The i-th value of the file, mappings and lists before what is in them, and
 * the line on which it begins.  `value` is NULL where it is no single one; `name`
 * is that of a pair of free keys, else NULL.  A short form is there as its long
 * one, with the same `value` at both keys.  Borrowed; false: there are no more.
 */
bool yamlcheck_value(const struct yamlcheck *y, size_t i, const char **key,
    const char **name, const char **value, size_t *line);

/*
 * Report what is wrong with the value of `key`, the path of one that the file
 * has, such as "sites[0].keep", at its place.  Returns -1 with ERR_USAGE.
 */
int yamlcheck_fault(const struct yamlcheck *y, const char *key, const char *what,
    struct err *e) MUST_USE;

#endif
