/*
 * JSON through jansson, the only door to it: objects built key by key, and
 * read with the type checked.  Text that is no UTF-8 is shown with U+FFFD
 * for the bytes in question, because JSON has no other way.
 */
#ifndef JSON_H
#define JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/strvec.h"

typedef struct json_t json_t;

json_t *json_new_object(void);
json_t *json_new_array(void);
void json_free(json_t *j);			/* NULL accepted */

/* Set a key of an object, which owns the value from then on. */
void json_put(json_t *obj, const char *key, json_t *value);
void json_put_string(json_t *obj, const char *key, const char *s); /* or null */
void json_put_int(json_t *obj, const char *key, int64_t n);
void json_put_bool(json_t *obj, const char *key, bool b);
void json_put_null(json_t *obj, const char *key);
void json_put_strings(json_t *obj, const char *key, const struct strvec *sv);

/* Append to an array, which owns the value from then on. */
void json_push(json_t *arr, json_t *value);
void json_push_string(json_t *arr, const char *s);

/* Append the text of `j`, on one line without a newline, to `out`. */
void json_write(const json_t *j, struct buf *out);

/* Print `j`, indented and ended by a newline, with no control character. */
void json_print(const json_t *j, FILE *f);

/*
 * Parse one document.  Returns it, or NULL with ERR_INTEGRITY and `name`,
 * line and column.
 */
json_t *json_parse(const char *text, size_t len, const char *name,
    struct err *e) MUST_USE;

/* Read a key; NULL, `otherwise` when absent or of another type. */
const char *json_get_string(const json_t *obj, const char *key);
int64_t json_get_int(const json_t *obj, const char *key, int64_t otherwise);
bool json_get_bool(const json_t *obj, const char *key, bool otherwise);

/* How many elements has an array, and one of them; 0 when it is none. */
size_t json_count(const json_t *obj, const char *key);
const json_t *json_at(const json_t *obj, const char *key, size_t i);

/* Add the strings of an array; what else is in it does not count. */
void json_get_strings(const json_t *obj, const char *key, struct strvec *out);

#endif
