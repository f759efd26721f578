#include "base/json.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/utf8.h"

static json_t *
checked(json_t *j)
{
	if (j == NULL)
		BUG("jansson has no memory");
	return j;
}

json_t *
json_new_object(void)
{
	return checked(json_object());
}

json_t *
json_new_array(void)
{
	return checked(json_array());
}

void
json_free(json_t *j)
{
	json_decref(j);
}

/* A JSON string of any bytes. */
static json_t *
to_string(const char *s)
{
	json_t *j = json_string(s);
	struct buf b = BUF_INIT;

	if (j != NULL)
		return j;
	while (*s != '\0') {
		size_t n = utf8_len(s);

		if (n == 0)
			buf_adds(&b, "\xef\xbf\xbd");
		else
			buf_add(&b, s, n);
		s += n == 0 ? 1 : n;
	}
	j = checked(json_string(buf_str(&b)));
	buf_release(&b);
	return j;
}

void
json_put(json_t *obj, const char *key, json_t *value)
{
	if (json_object_set_new(obj, key, value) != 0)
		BUG("a JSON key that cannot be set");
}

void
json_put_string(json_t *obj, const char *key, const char *s)
{
	json_put(obj, key, s == NULL ? json_null() : to_string(s));
}

void
json_put_int(json_t *obj, const char *key, int64_t n)
{
	json_put(obj, key, checked(json_integer(n)));
}

void
json_put_bool(json_t *obj, const char *key, bool b)
{
	json_put(obj, key, json_boolean(b));
}

void
json_put_null(json_t *obj, const char *key)
{
	json_put(obj, key, json_null());
}

void
json_put_strings(json_t *obj, const char *key, const struct strvec *sv)
{
	json_t *arr = json_new_array();

	for (size_t i = 0; i < sv->n; i++)
		json_push_string(arr, sv->v[i]);
	json_put(obj, key, arr);
}

void
json_push(json_t *arr, json_t *value)
{
	if (json_array_append_new(arr, value) != 0)
		BUG("a JSON array that cannot grow");
}

void
json_push_string(json_t *arr, const char *s)
{
	json_push(arr, to_string(s));
}

void
json_write(const json_t *j, struct buf *out)
{
	char *text = json_dumps(j, JSON_COMPACT);

	if (text == NULL)
		BUG("JSON that cannot be written");
	buf_adds(out, text);
	free(text);
}

void
json_print(const json_t *j, FILE *f)
{
	char *text = json_dumps(j, JSON_INDENT(2));

	if (text == NULL)
		BUG("JSON that cannot be printed");
	for (const char *p = text; *p != '\0';) {
		size_t n = utf8_len(p);

		/* jansson escapes those below ' ' itself. */
		if (*p == 0x7f)
			fputs("\\u007f", f);
		else if (n == 2 && utf8_is_control(p))
			fprintf(f, "\\u%04x", (unsigned char)p[1]);
		else
			fwrite(p, 1, n > 0 ? n : 1, f);
		p += n > 0 ? n : 1;
	}
	free(text);
	fputc('\n', f);
}

json_t *
json_parse(const char *text, size_t len, const char *name, struct err *e)
{
	json_error_t at;
	json_t *j = json_loadb(text, len, JSON_REJECT_DUPLICATES, &at);

	if (j == NULL)
		err_set(e, ERR_INTEGRITY, "%s:%d:%d: %s", name, at.line,
		    at.column, at.text);
	return j;
}

const char *
json_get_string(const json_t *obj, const char *key)
{
	return json_string_value(json_object_get(obj, key));
}

int64_t
json_get_int(const json_t *obj, const char *key, int64_t otherwise)
{
	const json_t *j = json_object_get(obj, key);

	return json_is_integer(j) ? json_integer_value(j) : otherwise;
}

bool
json_get_bool(const json_t *obj, const char *key, bool otherwise)
{
	const json_t *j = json_object_get(obj, key);

	return json_is_boolean(j) ? json_is_true(j) : otherwise;
}

size_t
json_count(const json_t *obj, const char *key)
{
	return json_array_size(json_object_get(obj, key));
}

const json_t *
json_at(const json_t *obj, const char *key, size_t i)
{
	return json_array_get(json_object_get(obj, key), i);
}

void
json_get_strings(const json_t *obj, const char *key, struct strvec *out)
{
	const json_t *arr = json_object_get(obj, key);

	for (size_t i = 0; i < json_array_size(arr); i++) {
		const char *s = json_string_value(json_array_get(arr, i));

		if (s != NULL)
			strvec_add(out, s);
	}
}
