#include "config/value.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/duration.h"
#include "base/number.h"
#include "base/path.h"
#include "config/abspath.h"
#include "config/config.h"

void
value_at(struct value_reader *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	strcpy(r->key, r->base);
	vsnprintf(r->key + strlen(r->base), sizeof(r->key) - strlen(r->base),
	    fmt, ap);
	va_end(ap);
}

int
value_fault(struct value_reader *r, const char *fmt, ...)
{
	char text[sizeof(r->e->text)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return yamlcheck_fault(r->yaml, r->key, text, r->e);
}

int
value_check_unexpanded(struct value_reader *r, const char *text)
{
	const char *mark = path_unexpanded(text);

	if (mark == NULL)
		return 0;
	return value_fault(r,
	    "'%s': nothing is expanded here, so no variable is; write out what '%s' stands for",
	    text, mark);
}

int
value_read_path(struct value_reader *r, const char *key, const char *text,
    char **path)
{
	struct err e = ERR_INIT;

	if (text == NULL)
		return 0;
	value_at(r, "%s", key);
	if (value_check_unexpanded(r, text) != 0)
		return -1;
	if (text[0] != '\0' && text[strspn(text, " \t")] == '\0')
		return value_fault(r, "'%s' is only blanks; write a path",
		    text);
	*path = abspath_make(text, r->dir, getenv("HOME"), &e);
	return *path != NULL ? 0 : value_fault(r, "%s", e.text);
}

int
value_read_duration(struct value_reader *r, const char *key, const char *text,
    int64_t *seconds)
{
	struct err e = ERR_INIT;

	if (text == NULL)
		return 0;
	value_at(r, "%s", key);
	if (duration_parse(text, seconds, &e) != 0)
		return value_fault(r, "%s", e.text);
	return 0;
}

int
value_read_limit(struct value_reader *r, const char *key, const char *text,
    int64_t *seconds)
{
	if (value_read_duration(r, key, text, seconds) != 0)
		return -1;
	if (text == NULL || *seconds > 0)
		return 0;
	return value_fault(r, "0 is too short; at least 1s");
}

int
value_read_wait(struct value_reader *r, const char *key, const char *text,
    int64_t *seconds)
{
	if (value_read_duration(r, key, text, seconds) != 0)
		return -1;
	if (*seconds <= CONFIG_WAIT_MAX)
		return 0;
	return value_fault(r, "'%s' is more than a day; at most 24h", text);
}

int
value_read_percent(struct value_reader *r, const char *key, const char *text,
    unsigned int *percent)
{
	const char *end;
	int64_t n = 0;

	if (text == NULL)
		return 0;
	value_at(r, "%s", key);
	end = number_scan(text, 0, 100, &n);
	*percent = (unsigned int)n;
	if (end != NULL && end - text <= 3 &&
	    (*end == '\0' || strcmp(end, "%") == 0))
		return 0;
	return value_fault(r,
	    "'%s' is not a percentage from 0 to 100, such as 50%%", text);
}

int
value_read_size(struct value_reader *r, const char *key, const char *text,
    int64_t *bytes)
{
	const int64_t most = INT64_C(1) << 40;
	const char *end;
	int64_t n = 0;
	int shift;

	if (text == NULL)
		return 0;
	value_at(r, "%s", key);
	end = number_scan(text, 0, most, &n);
	shift = end == NULL	  ? -1 :
	    *end == '\0'	  ? 0 :
	    strcmp(end, "k") == 0 ? 10 :
	    strcmp(end, "M") == 0 ? 20 :
				    -1;
	if (shift < 0 || n > most >> shift)
		return value_fault(r,
		    "'%s' is not a size, such as 500, 1k or 2M", text);
	*bytes = n << shift;
	return 0;
}

int
value_check_inside(struct value_reader *r, char *text)
{
	struct err e = ERR_INIT;

	for (size_t len = strlen(text); len > 1 && text[len - 1] == '/'; len--)
		text[len - 1] = '\0';
	if (path_check(text, &e) == 0)
		return 0;
	return value_fault(r, "%s; write a path inside the release", e.text);
}

int
value_read_pattern(struct value_reader *r, const char *key, size_t i,
    char *text, struct strvec *out)
{
	struct err e = ERR_INIT;

	value_at(r, "%s[%zu]", key, i);
	if (path_check_pattern(text, &e) != 0)
		return value_fault(r, "%s", e.text);
	strvec_add(out, text);
	return 0;
}

int
value_read_patterns(struct value_reader *r, const char *key, char **v,
    size_t n, struct strvec *out)
{
	for (size_t i = 0; i < n; i++)
		if (value_read_pattern(r, key, i, v[i], out) != 0)
			return -1;
	return 0;
}

int
value_read_word(struct value_reader *r, const char *key, const char *text,
    char **out)
{
	if (text == NULL)
		return 0;
	value_at(r, "%s", key);
	*out = xstrdup(text);
	return value_check_unexpanded(r, text);
}

int
value_read_fingerprint(struct value_reader *r, const char *key,
    const char *text, char **out)
{
	static const char kind[] = "SHA256:";
	const size_t hash = 43; /* characters of base64 */
	size_t n = sizeof(kind) - 1 + hash;

	if (text == NULL)
		return 0;
	value_at(r, "%s", key);
	if (strncmp(text, kind, sizeof(kind) - 1) != 0 ||
	    strspn(text + sizeof(kind) - 1,
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/") !=
		hash ||
	    (text[n] != '\0' && strcmp(text + n, "=") != 0))
		return value_fault(r,
		    "'%s' is not a fingerprint of a key; wanted: SHA256:..., as 'ssh-keygen -l' prints it",
		    text);
	*out = xstrdup(text);
	return 0;
}

int
value_read_count(struct value_reader *r, const char *key,
    const unsigned int *given, unsigned int least, unsigned int most,
    unsigned int *out)
{
	if (given == NULL)
		return 0;
	value_at(r, "%s", key);
	*out = *given;
	if (*out >= least && *out <= most)
		return 0;
	return value_fault(r, "%u is out of range; %u to %u", *out, least,
	    most);
}

int
value_read_url(struct value_reader *r, const char *text, struct strvec *out)
{
	size_t scheme = strncmp(text, "https://", 8) == 0 ? 8 :
	    strncmp(text, "http://", 7) == 0		  ? 7 :
							    0;

	if (scheme == 0 || strcspn(text + scheme, "/?#") == 0 ||
	    strpbrk(text, " \t\r\n") != NULL)
		return value_fault(r,
		    "'%s' is not a URL such as https://example.org/", text);
	/* "https://example.org" is its top. */
	if (strchr(text + scheme, '/') == NULL)
		strvec_addf(out, "%s/", text);
	else
		strvec_add(out, text);
	return 0;
}

int
value_read_connect(struct value_reader *r, const char *key, const char *text,
    char **out)
{
	const char *port;
	int64_t n;

	if (text == NULL)
		return 0;
	value_at(r, "%s", key);
	if (value_check_unexpanded(r, text) != 0)
		return -1;
	port = *text == '[' ? strstr(text, "]:") : strrchr(text, ':');
	if (port != NULL) {
		port += *port == ']' ? 2 : 1;
		if (!number_parse(port, 1, 65535, &n))
			return value_fault(r,
			    "'%s' is not an address such as 192.0.2.1, www1:8080 or [2001:db8::1]:443",
			    text);
	}
	*out = xstrdup(text);
	return 0;
}
