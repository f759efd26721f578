#include "base/text.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/utf8.h"

void
text_size(int64_t bytes, char out[TEXT_SIZE_LEN])
{
	static const char *const units[] = { "B", "kB", "MB", "GB", "TB" };
	double n = (double)bytes;
	int u = 0;

	while (n >= 1000 && u < 4) {
		n /= 1000;
		u++;
	}
	snprintf(out, TEXT_SIZE_LEN, u == 0 ? "%.0f %s" : "%.1f %s", n,
	    units[u]);
}

const char *
text_count(char out[TEXT_COUNT_LEN], int64_t n, const char *one,
    const char *many)
{
	snprintf(out, TEXT_COUNT_LEN, "%lld %s", (long long)n,
	    TEXT_PLURAL(n, one, many));
	return out;
}

static bool
ends_with(const char *text, const char *end, const char *word)
{
	size_t n = strlen(word);

	return (size_t)(end - text) >= n && memcmp(end - n, word, n) == 0;
}

/*
 * The secret of the URL whose "://" is at `mark`, up to `end`: its password or,
 * of a user of http(s) who has none, the user, which is a token.  NULL: none.
 */
static const char *
find_in_authority(const char *text, const char *mark, const char **end)
{
	const char *user = mark + 3, *stop, *colon;
	bool http =
	    ends_with(text, mark, "http") || ends_with(text, mark, "https");

	stop = user + strcspn(user, "/?# \t\r\n");
	*end = memrchr(user, '@', (size_t)(stop - user));
	colon =
	    memchr(user, ':', (size_t)((*end != NULL ? *end : stop) - user));
	/* What is no port may be a password that is not percent-encoded. */
	if (*end == NULL && colon != NULL && *user != '[' &&
	    colon + 1 + strspn(colon + 1, "0123456789") != stop)
		*end = memrchr(user, '@', strcspn(user, " \t\r\n"));
	if (*end == NULL)
		return NULL;
	if (http &&
	    (colon == NULL || colon + 1 == *end ||
		strncmp(colon, ":x-oauth-basic@", 15) == 0))
		return user;
	return colon != NULL ? colon + 1 : NULL;
}

/* The secret, up to `end`, that what stands at `at` is followed by, or NULL. */
static const char *
find_secret(const char *text, const char *at, const char **end)
{
	static const char word[] = "password=";

	if (strncmp(at, "://", 3) == 0)
		return find_in_authority(text, at, end);
	if ((*at != '?' && *at != '&') ||
	    strncmp(at + 1, word, strlen(word)) != 0)
		return NULL;
	at += 1 + strlen(word);
	*end = at + strcspn(at, "&'\" \t\r\n");
	return at;
}

size_t
text_clean(char *out, size_t size, const char *in)
{
	const char *text = in, *secret = NULL, *end = NULL;
	size_t n = 0, len;

	for (; *in != '\0'; in += len) {
		bool escape;

		if (secret == NULL)
			secret = find_secret(text, in, &end);
		if (in == secret) {
			n += text_clean(out + n, size - n, "***");
			len = (size_t)(end - in);
			secret = NULL;
			continue;
		}
		len = utf8_len(in);
		escape = len == 0 || utf8_is_control(in);
		len = len == 0 ? 1 : len;
		if (n + (escape ? 4 * len : len) + 4 > size) {
			/* Appending to what is cut already: no room. */
			if (n + 4 <= size) {
				memcpy(out + n, "...", 3);
				n += 3;
			}
			break;
		}
		for (size_t i = 0; escape && i < len; i++, n += 4)
			snprintf(out + n, 5, "\\x%02x", (unsigned char)in[i]);
		if (!escape) {
			memcpy(out + n, in, len);
			n += len;
		}
	}
	out[n] = '\0';
	return n;
}

char *
text_vcleanf(const char *fmt, va_list ap)
{
	char raw[TEXT_LINE_MAX], out[TEXT_LINE_MAX];

	vsnprintf(raw, sizeof(raw), fmt, ap);
	text_clean(out, sizeof(out), raw);
	return xstrdup(out);
}

char *
text_cleanf(const char *fmt, ...)
{
	va_list ap;
	char *out;

	va_start(ap, fmt);
	out = text_vcleanf(fmt, ap);
	va_end(ap);
	return out;
}
