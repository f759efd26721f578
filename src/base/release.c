#include "base/release.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <uuid/uuid.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/nearest.h"

#define SHAPE "00000000T000000.000Z-xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"

enum {
	STAMP_LEN = 20,
	SUGGEST_MIN = 4,    /* letters of an id, to find it by its middle */
	CANDIDATES_MAX = 5, /* that a message names */
};

/* Write the time of an id, STAMP_LEN characters and a NUL. */
static void
format_stamp(int64_t ms, char *out, size_t size)
{
	time_t sec = (time_t)(ms / 1000);
	struct tm tm;
	char text[32];

	gmtime_r(&sec, &tm);
	strftime(text, sizeof(text), "%Y%m%dT%H%M%S", &tm);
	snprintf(out, size, "%s.%03dZ", text, (int)(ms % 1000));
}

void
release_id_new(struct release_id *out, const struct release_id *latest)
{
	int64_t now = clock_now(), least = release_id_time(latest) + 1;
	char stamp[40], random[37], text[RELEASE_ID_LEN + 1];
	uuid_t uuid;

	format_stamp(now > least ? now : least, stamp, sizeof(stamp));
	uuid_generate_random(uuid);
	uuid_unparse_lower(uuid, random);
	snprintf(text, sizeof(text), "%.20s-%.36s", stamp, random);
	(void)release_id_parse(out, text);
}

/* The number in the `n` digits at `s`. */
static int
digits(const char *s, int n)
{
	int v = 0;

	while (n-- > 0)
		v = v * 10 + (*s++ - '0');
	return v;
}

/* Do the digits of an id name a moment of the calendar, since 1970? */
static bool
is_moment(const char *s)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30,
		31 };
	int year = digits(s, 4), month = digits(s + 4, 2);
	int day = digits(s + 6, 2);
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	return year >= 1970 && month >= 1 && month <= 12 && day >= 1 &&
	    day <= days[month - 1] + (month == 2 && leap) &&
	    digits(s + 9, 2) <= 23 && digits(s + 11, 2) <= 59 &&
	    digits(s + 13, 2) <= 59;
}

/* Is `s` the text of an id? */
static bool
is_id(const char *s)
{
	static const char shape[] = SHAPE;

	if (strlen(s) != RELEASE_ID_LEN)
		return false;
	for (size_t i = 0; i < RELEASE_ID_LEN; i++) {
		bool digit = s[i] >= '0' && s[i] <= '9';
		bool hex = digit || (s[i] >= 'a' && s[i] <= 'f');

		if (shape[i] == '0'	? !digit :
			shape[i] == 'x' ? !hex :
					  s[i] != shape[i])
			return false;
	}
	return is_moment(s);
}

const struct release_id release_id_none = { "" };

bool
release_id_parse(struct release_id *out, const char *text)
{
	bool is = is_id(text);

	*out = release_id_none;
	if (is)
		memcpy(out->text, text, RELEASE_ID_LEN + 1);
	return is;
}

const char *
release_id_scan(struct release_id *out, const char *text)
{
	char first[RELEASE_ID_LEN + 1];

	snprintf(first, sizeof(first), "%s", text);
	return release_id_parse(out, first) ? text + RELEASE_ID_LEN : NULL;
}

bool
release_id_is_none(const struct release_id *id)
{
	return id->text[0] == '\0';
}

bool
release_id_eq(const struct release_id *a, const struct release_id *b)
{
	return strcmp(a->text, b->text) == 0;
}

int
release_id_cmp(const struct release_id *a, const struct release_id *b)
{
	return strcmp(a->text, b->text);
}

void
release_ids_release(struct release_ids *l)
{
	free(l->v);
	*l = (struct release_ids)RELEASE_IDS_INIT;
}

void
release_ids_add(struct release_ids *l, const struct release_id *id)
{
	/* It may stand in the list itself, which moves. */
	const struct release_id own = *id;

	if (l->n == l->cap) {
		l->cap = l->cap > 0 ? l->cap * 2 : 16;
		l->v = xreallocarray(l->v, l->cap, sizeof(*l->v));
	}
	l->v[l->n++] = own;
}

bool
release_ids_has(const struct release_ids *l, const struct release_id *id)
{
	for (size_t i = 0; i < l->n; i++)
		if (release_id_eq(&l->v[i], id))
			return true;
	return false;
}

void
release_ids_add_once(struct release_ids *l, const struct release_id *id)
{
	if (!release_ids_has(l, id))
		release_ids_add(l, id);
}

static int
compare(const void *a, const void *b)
{
	return release_id_cmp(a, b);
}

void
release_ids_sort(struct release_ids *l)
{
	if (l->n > 1)
		qsort(l->v, l->n, sizeof(*l->v), compare);
}

const struct release_id *
release_ids_last(const struct release_ids *l)
{
	return l->n > 0 ? &l->v[l->n - 1] : &release_id_none;
}

int64_t
release_id_time(const struct release_id *id)
{
	const char *s = id->text;
	struct tm tm = { 0 };

	if (release_id_is_none(id))
		return 0;
	tm.tm_year = digits(s, 4) - 1900;
	tm.tm_mon = digits(s + 4, 2) - 1;
	tm.tm_mday = digits(s + 6, 2);
	tm.tm_hour = digits(s + 9, 2);
	tm.tm_min = digits(s + 11, 2);
	tm.tm_sec = digits(s + 13, 2);
	return (int64_t)timegm(&tm) * 1000 + digits(s + 16, 3);
}

void
release_format_time(int64_t ms, char out[32])
{
	time_t sec = (time_t)(ms / 1000);
	struct tm tm;

	gmtime_r(&sec, &tm);
	strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

int64_t
release_parse_time(const char *s)
{
	struct tm tm = { 0 };
	const char *end = strptime(s, "%Y-%m-%dT%H:%M:%SZ", &tm);

	if (end == NULL || *end != '\0')
		return -1;
	return (int64_t)timegm(&tm) * 1000;
}

/* May `c` stand beside an id that is a part of something longer? */
static bool
goes_on(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	    (c >= 'A' && c <= 'Z') || (c != '\0' && strchr("/-_=", c) != NULL);
}

/* The next id that is a word in text[at..]; NULL when there is no more. */
static char *
next_word_id(char *text, char *at, struct release_id *out)
{
	for (; (at = strchr(at, 'T')) != NULL; at++) {
		char *s = at - 8, *end = s + RELEASE_ID_LEN;

		if (at - text < 8 || release_id_scan(out, s) == NULL ||
		    (s > text && (goes_on(s[-1]) || s[-1] == '.')))
			continue;
		if (*end == '\0' || (*end == '.' && !goes_on(end[1])) ||
		    (*end != '.' && !goes_on(*end)))
			return s;
	}
	return NULL;
}

/* Does another id in the text have the same short form? */
static bool
has_double(char *text, const struct release_id *id)
{
	struct release_id other;

	for (char *at = text; (at = next_word_id(text, at, &other)) != NULL;
	     at += RELEASE_ID_LEN)
		if (!release_id_eq(&other, id) &&
		    strncmp(other.text, id->text, RELEASE_SHORT_LEN) == 0)
			return true;
	return false;
}

void
release_shorten(char *text)
{
	struct release_id id;
	char *at = text;

	while ((at = next_word_id(text, at, &id)) != NULL) {
		char *end = at + RELEASE_ID_LEN;

		at = end;
		if (has_double(text, &id))
			continue;
		at -= RELEASE_ID_LEN - RELEASE_SHORT_LEN;
		memmove(at, end, strlen(end) + 1);
	}
}

size_t
release_short_len(const struct release_ids *ids)
{
	size_t len = RELEASE_SHORT_LEN;

	for (size_t i = 1; i < ids->n; i++) {
		size_t same = 0;

		while (ids->v[i].text[same] != '\0' &&
		    ids->v[i].text[same] == ids->v[i - 1].text[same])
			same++;
		if (same + 1 > len)
			len = same + 1;
	}
	return len;
}

/* The id with that text in it, when there is one and no other, or NULL. */
static const char *
only_with(const struct release_ids *ids, const char *text)
{
	const char *found = NULL;

	for (size_t i = 0; i < ids->n; i++) {
		if (strstr(ids->v[i].text, text) == NULL)
			continue;
		if (found != NULL)
			return NULL;
		found = ids->v[i].text;
	}
	return found;
}

/* What was meant by a word that no id begins with, or NULL. */
static const char *
suggest(const struct release_ids *ids, const char *word)
{
	const char **names, *near;
	size_t n = 0;

	if (strlen(word) >= SUGGEST_MIN &&
	    (near = only_with(ids, word)) != NULL)
		return near;
	names = xcalloc(ids->n + 4, sizeof(*names));
	names[n++] = "current";
	names[n++] = "previous";
	names[n++] = "latest";
	for (size_t i = 0; i < ids->n; i++)
		names[n++] = ids->v[i].text;
	near = nearest_word(word, names);
	free(names);
	return near;
}

/* There is no such release; say which one was meant. */
static void
unknown(const struct release_ids *ids, const char *word, struct err *e)
{
	const char *near = *word != '\0' ? suggest(ids, word) : NULL;

	err_set(e, ERR_USAGE, "there is no release '%s'", word);
	if (near != NULL)
		err_append(e, ";; did you mean '%s'? see 'deploy list'", near);
	else
		err_append(e, ";; see 'deploy list'");
}

/* Does the word mean the release: as a prefix of its id, or in another way? */
static bool
is_meant(const struct release_id *id, const struct release_ids *named,
    const char *word)
{
	return (*word != '\0' && strncmp(id->text, word, strlen(word)) == 0) ||
	    (named != NULL && release_ids_has(named, id));
}

/* The word means several; name some of them, the newest first. */
static void
ambiguous(const struct release_ids *found, const char *word, struct err *e)
{
	size_t shown = found->n < CANDIDATES_MAX ? found->n : CANDIDATES_MAX;

	err_set(e, ERR_USAGE, "'%s' could be release ", word);
	for (size_t i = 0; i < shown; i++)
		err_append(e, "%s%s",
		    i == 0		 ? "" :
			i + 1 < found->n ? ", " :
					   " or ",
		    found->v[found->n - 1 - i].text);
	if (shown < found->n)
		err_append(e, " or one of %zu more", found->n - shown);
	err_append(e, ";; use more of its id");
}

const struct release_id *
release_match(const struct release_ids *ids, const struct release_ids *named,
    const char *word, struct err *e)
{
	struct release_ids found = RELEASE_IDS_INIT;
	const struct release_id *one = NULL;

	for (size_t i = 0; i < ids->n; i++) {
		if (!is_meant(&ids->v[i], named, word))
			continue;
		release_ids_add(&found, &ids->v[i]);
		one = &ids->v[i];
	}
	if (found.n == 0)
		unknown(ids, word, e);
	else if (found.n > 1)
		ambiguous(&found, word, e);
	one = found.n == 1 ? one : NULL;
	release_ids_release(&found);
	return one;
}
