#include "fleet/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/path.h"
#include "base/text.h"
#include "content/dcz.h"
#include "content/decode.h"
#include "fleet/cache_control.h"
#include "fleet/web.h"
#include "os/intr.h"
#include "os/log.h"

enum {
	/* For so long caches may keep that something is not there. */
	MISSING_MAX = 300, /* seconds */
	/* What is larger is not fetched only to know its validators. */
	REMEMBER_MAX = 1 << 20, /* bytes */
	/* ... nor for longer than this. */
	REMEMBER_S = 2,
};

/* What browsers say that they take. */
static const char all_encodings[] = "gzip, br, zstd";
static const char and_dictionaries[] = "gzip, br, zstd, dcz";

/* ---- what to ask for --------------------------------------------------- */

/* Do web servers give it as it is? */
static bool
is_plain(const char *path)
{
	static const char *const run[] = { ".php", ".cgi", ".shtml", ".asp",
		".jsp" };
	const char *dot = strrchr(path_base(path), '.');

	if (path[0] == '.' || strstr(path, "/.") != NULL)
		return false;
	for (size_t i = 0; dot != NULL && i < sizeof(run) / sizeof(*run); i++)
		if (strcasecmp(dot, run[i]) == 0)
			return false;
	return true;
}

/* May it be asked for by its path? */
static bool
can_be_asked(const struct manifest *m, const struct entry *en)
{
	return en->type == ENTRY_FILE && en->mark == ENTRY_BUILD &&
	    is_plain(en->path) && !form_has_file(m, en->path);
}

/* The order in which files are taken: see check.h. */
static int
compare_files(const void *a, const void *b, void *ctx)
{
	const struct manifest *m = ctx;
	const struct entry *x = &m->v[*(const size_t *)a];
	const struct entry *y = &m->v[*(const size_t *)b];
	bool top_x = strcmp(x->path, "index.html") == 0;
	bool top_y = strcmp(y->path, "index.html") == 0;

	if (top_x != top_y)
		return top_x ? -1 : 1;
	if (x->mtime != y->mtime)
		return x->mtime > y->mtime ? -1 : 1;
	return memcmp(x->digest, y->digest, HASH_LEN);
}

size_t
check_sample(const struct manifest *m, size_t n, size_t *out)
{
	size_t *all = xcalloc(m->n, sizeof(*all)), found = 0;

	for (size_t i = 0; i < m->n; i++)
		if (can_be_asked(m, &m->v[i]))
			all[found++] = i;
	qsort_r(all, found, sizeof(*all), compare_files, (void *)(uintptr_t)m);
	if (found > n)
		found = n;
	for (size_t i = 0; i < found; i++)
		out[i] = all[i];
	free(all);
	return found;
}

char *
check_url(const char *url, const char *path)
{
	static const char index[] = "index.html";
	const char *base = path_base(path);
	const char *end =
	    strcmp(base, index) == 0 ? base : path + strlen(path);
	size_t top = strcspn(url, "?#");
	struct buf b = BUF_INIT;

	while (top > 0 && url[top - 1] != '/')
		top--;
	buf_add(&b, url, top);
	for (const char *p = path; p < end; p++) {
		unsigned char c = (unsigned char)*p;

		/* As browsers write it, and so caches have it: WHATWG URL,
		 * the path percent-encode set; and what would not be part
		 * of a path's name. */
		if (c > ' ' && c < 0x7f && strchr("\"#<>?^`{}%\\", c) == NULL)
			buf_addc(&b, *p);
		else
			buf_addf(&b, "%%%02X", c);
	}
	return buf_detach(&b);
}

/* ---- asking ------------------------------------------------------------ */

/* One run through all that is asked. */
struct asking {
	const struct check_config *c;
	const struct manifest *m;
	struct web *web;
	struct web_answer answer; /* the last one */
	struct check_result *out;
};

/* What to do about a status that is not the expected one; "": who knows. */
static const char *
cure_of(long status)
{
	if (status >= 300 && status < 400)
		return "; redirections are not followed: name the URL that it leads to";
	if (status == 403)
		return "; is there an index.html, and may the web server read it? see 'deploy doctor'";
	if (status == 404)
		return "; is the document root the root's 'current'?";
	return "";
}

/* Ask, for an answer with that status.  0 or -1. */
static int
get(struct asking *k, const struct web_request *q, unsigned int expect,
    struct err *e)
{
	if (web_get(k->web, q, &k->answer, e) != 0)
		return -1;
	if (k->answer.status == (long)expect)
		return 0;
	return err_set(e, ERR_FAILED, "GET %s: the status is %ld, not %u%s",
	    q->url, k->answer.status, expect, cure_of(k->answer.status));
}

/* The configured URLs. */
static int
check_urls(struct asking *k, struct err *e)
{
	const struct check_config *c = k->c;
	const struct buf *body = &k->answer.body;

	for (size_t i = 0; i < c->urls.n; i++) {
		const struct web_request q = { .url = c->urls.v[i],
			.keep = c->contains != NULL };

		if (get(k, &q, c->expect, e) != 0)
			return -1;
		if (c->contains != NULL &&
		    (body->len == 0 ||
			memmem(body->data, body->len, c->contains,
			    strlen(c->contains)) == NULL))
			return err_set(e, ERR_FAILED,
			    "GET %s: '%s' is not in the answer", c->urls.v[i],
			    c->contains);
		k->out->urls++;
	}
	return 0;
}

/* Does the rule for Cache-Control say something of the path? */
static bool
rule_matches(const struct check_config *c, size_t rule, const char *path)
{
	const struct strvec one = { .v = &c->cached.v[rule], .n = 1 };

	return path_match_any(&one, path);
}

/* Has the last answer, for a file, the Cache-Control that the rules want? */
static int
check_fields(const struct asking *k, const char *path, const char *url,
    struct err *e)
{
	const struct check_config *c = k->c;
	const char *field = k->answer.fields.cache;

	for (size_t i = 0; i < c->cached.n; i++)
		if (rule_matches(c, i, path) &&
		    !cache_control_has(field, c->cache_control.v[i]))
			return err_set(e, ERR_FAILED,
			    "GET %s: Cache-Control is '%s', not '%s', as 'check.headers' wants it for '%s';; set it in the web server, see deploy(1), WEB SERVER",
			    url, field, c->cache_control.v[i], c->cached.v[i]);
	return 0;
}

/* Is the last answer the file? */
static bool
is_the_file(const struct web_answer *a, const struct entry *en)
{
	return a->size == en->size &&
	    memcmp(a->digest, en->digest, HASH_LEN) == 0;
}

/* A file of the release, asked for plainly. */
static int
check_plain(struct asking *k, const struct entry *en, const char *url,
    struct err *e)
{
	const struct web_request q = { .url = url };
	const struct web_answer *a = &k->answer;

	if (get(k, &q, 200, e) != 0)
		return -1;
	if (is_the_file(a, en))
		return check_fields(k, en->path, url, e);
	if (a->fields.encoding[0] != '\0')
		return err_set(e, ERR_FAILED,
		    "GET %s: the answer comes with Content-Encoding: %s, which was not asked for",
		    url, a->fields.encoding);
	return err_set(e, ERR_FAILED,
	    "GET %s: the answer is not '%s' of the release (%s instead of %lld);; is the document root the root's 'current', and is no cache before it?",
	    url, en->path, TEXT_COUNT(a->size, "byte", "bytes"),
	    (long long)en->size);
}

/* The same by one who takes these compressed forms. */
static int
check_encoded(struct asking *k, const struct entry *en, const char *url,
    const char *accept, struct err *e)
{
	const struct web_request q = { .url = url,
		.accept = accept,
		.most = en->size };
	const struct web_answer *a = &k->answer;
	const char *how = a->fields.encoding;

	if (get(k, &q, 200, e) != 0)
		return err_append(e, " (Accept-Encoding: %s)", accept);
	if (!is_the_file(a, en))
		return err_set(e, ERR_FAILED,
		    "GET %s with Accept-Encoding: %s: the answer, with Content-Encoding: %s, is not '%s' of the release (%s instead of %lld);; is no cache before it, and does nothing compress what it kept of an earlier release?",
		    url, accept, *how != '\0' ? how : "identity", en->path,
		    TEXT_COUNT(a->size, "byte", "bytes"), (long long)en->size);
	k->out->compressed += *how != '\0';
	return check_fields(k, en->path, url, e);
}

/* Has the release a compressed form of the file? */
static bool
has_sibling(const struct manifest *m, const struct entry *en,
    enum encoding how)
{
	char *path = xasprintf("%s%s", en->path, encodings[how].suffix);
	const struct entry *found = manifest_find(m, path);

	free(path);
	return found != NULL && found->type == ENTRY_FILE;
}

/* Does Vary say that the answer depends on the dictionary? */
static bool
varies(const char *field)
{
	static const char want[] = "available-dictionary";
	const size_t len = sizeof(want) - 1;

	for (const char *p = field; *p != '\0'; p++)
		if (*p == '*' || strncasecmp(p, want, len) == 0)
			return true;
	return false;
}

/*
 * The same by one who has the dictionary of the form `dcz` of it.  That is
 * known to be made of the file, so what counts is that these are its bytes.
 */
static int
check_against(struct asking *k, const struct entry *en,
    const struct entry *dcz, const uint8_t dictionary[HASH_LEN],
    const char *url, struct err *e)
{
	char *available = dcz_available(dictionary);
	const struct web_request q = { .url = url,
		.accept = and_dictionaries,
		.dictionary = available,
		.most = en->size };
	const struct web_answer *a = &k->answer;
	bool is_dcz;
	int r = get(k, &q, 200, e);

	is_dcz = r == 0 && strcasecmp(a->fields.encoding, "dcz") == 0;
	if (r == 0 && !is_the_file(a, is_dcz ? dcz : en))
		r = err_set(e, ERR_FAILED,
		    "GET %s with Available-Dictionary: %s: the answer, with Content-Encoding: %s, is not '%s' of the release (%s instead of %lld);; is no cache before it?",
		    url, available, a->fields.encoding,
		    is_dcz ? dcz->path : en->path,
		    TEXT_COUNT(a->size, "byte", "bytes"),
		    (long long)(is_dcz ? dcz->size : en->size));
	else if (is_dcz && !varies(a->fields.vary))
		r = err_set(e, ERR_FAILED,
		    "GET %s: the answer is for one dictionary only, and its Vary, '%s', does not say so;; have the web server say 'Vary: Accept-Encoding, Available-Dictionary', see deploy(1), WEB SERVER",
		    url, a->fields.vary);
	k->out->compressed += r == 0 && is_dcz;
	free(available);
	return r == 0 ? check_fields(k, en->path, url, e) : -1;
}

/* The same by all who have one of the dictionaries. */
static int
check_dictionaries(struct asking *k, const struct entry *en, const char *url,
    struct err *e)
{
	const struct entry *end = k->m->v + k->m->n;
	size_t len = strlen(en->path);
	uint8_t dictionary[HASH_LEN];

	for (const struct entry *dcz = en + 1;
	     dcz < end && strncmp(dcz->path, en->path, len) == 0; dcz++)
		if (dcz->type == ENTRY_FILE &&
		    dcz_of_path(dcz->path, dictionary) == len &&
		    check_against(k, en, dcz, dictionary, url, e) != 0)
			return -1;
	return 0;
}

/*
 * One file of the release, in all ways in which visitors get it.  What is
 * compressed by itself is not asked for in that way: servers that know its
 * name say so with the same field.
 */
static int
check_file(struct asking *k, const struct entry *en, struct err *e)
{
	char *url = check_url(k->c->urls.v[0], en->path);
	int r = check_plain(k, en, url, e);

	if (form_of_path(en->path) == 0) {
		for (enum encoding i = 0; r == 0 && i < ENCODINGS; i++)
			if (has_sibling(k->m, en, i))
				r = check_encoded(k, en, url,
				    encodings[i].name, e);
		if (r == 0)
			r = check_encoded(k, en, url, all_encodings, e);
		if (r == 0)
			r = check_dictionaries(k, en, url, e);
	}
	free(url);
	return r;
}

static int
check_sampled(struct asking *k, struct err *e)
{
	size_t *sample = xcalloc(k->m->n, sizeof(*sample));
	size_t n = check_sample(k->m, k->c->sample, sample);
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++) {
		r = check_file(k, &k->m->v[sample[i]], e);
		k->out->files += r == 0;
	}
	free(sample);
	return r;
}

/* ---- what caches are told ------------------------------------------------ */

/* The newest file that a rule for Cache-Control is about; NULL: none. */
static const struct entry *
find_cached(const struct asking *k, size_t rule)
{
	const struct entry *found = NULL;

	for (size_t i = 0; i < k->m->n; i++) {
		const struct entry *en = &k->m->v[i];

		if (can_be_asked(k->m, en) &&
		    rule_matches(k->c, rule, en->path) &&
		    (found == NULL || en->mtime > found->mtime))
			found = en;
	}
	return found;
}

/* A path beside that file that the release does not have. */
static char *
missing_beside(const struct entry *en)
{
	const char *base = path_base(en->path);

	return xasprintf("%.*sdeploy-missing-%s", (int)(base - en->path),
	    en->path, base);
}

/*
 * Where files may be kept for long, one that is not there must not: it may come
 * with the next release, or be on another host already.
 */
static int
check_missing(struct asking *k, const struct entry *en, struct err *e)
{
	char *path = missing_beside(en);
	char *url = check_url(k->c->urls.v[0], path);
	const struct web_request q = { .url = url };
	const struct web_answer *a = &k->answer;
	int r = web_get(k->web, &q, &k->answer, e);

	if (r == 0 && a->status != 404 && a->status != 410)
		r = err_set(e, ERR_FAILED,
		    "GET %s, which the release does not have: the status is %ld, not 404;; a page in its place would be kept as the file",
		    url, a->status);
	else if (r == 0 && cache_control_age(a->fields.cache) > MISSING_MAX)
		r = err_set(e, ERR_FAILED,
		    "GET %s, which the release does not have: the status is %ld with Cache-Control: %s, so caches would keep that it is missing;; say that of what is there only, in nginx by add_header without 'always'",
		    url, a->status, a->fields.cache);
	free(url);
	free(path);
	return r;
}

/* Each rule for Cache-Control, at one file, and at one that is missing. */
static int
check_rules(struct asking *k, struct err *e)
{
	const struct check_config *c = k->c;

	for (size_t i = 0; i < c->cached.n; i++) {
		const struct entry *en = find_cached(k, i);

		if (en == NULL)
			continue;
		if (check_file(k, en, e) != 0 ||
		    (cache_control_age(c->cache_control.v[i]) > MISSING_MAX &&
			check_missing(k, en, e) != 0))
			return -1;
	}
	return 0;
}

/* Ask with one validator of the release before.  0, or -1 for a 304. */
static int
check_validator(struct asking *k, const struct web_request *q,
    const char *field, const char *value, struct err *e)
{
	if (*value == '\0')
		return 0;
	if (web_get(k->web, q, &k->answer, e) != 0)
		return -1;
	if (k->answer.status != 304)
		return 0;
	return err_set(e, ERR_FAILED,
	    "GET %s with %s: %s, of the release before: the status is 304, so browsers keep what they have, though it has changed;; is no cache before it?",
	    q->url, field, value);
}

/* Who has files of the release before must get the new ones. */
static int
check_validators(struct asking *k, const struct check_before *before,
    struct err *e)
{
	for (size_t i = 0; i < before->n; i++) {
		const struct check_validator *v = &before->v[i];
		const struct web_request tag = { .url = v->url,
			.accept = v->accept,
			.etag = v->etag,
			.most = INT64_MAX };
		const struct web_request time = { .url = v->url,
			.accept = v->accept,
			.modified = v->modified,
			.most = INT64_MAX };

		if (check_validator(k, &tag, "If-None-Match", v->etag, e) !=
			0 ||
		    check_validator(k, &time, "If-Modified-Since", v->modified,
			e) != 0)
			return -1;
	}
	return 0;
}

/*
 * Is the file older than what was served?  It was staged before that, and
 * servers that compare times by their order, as RFC 9110 (13.1.3) wants it, say
 * that such a one was not modified.
 */
static bool
is_older(const struct asking *k, const struct entry *en)
{
	return en->mtime < web_time(k->web, k->answer.fields.modified);
}

/* Note what the last answer says, when its content is about to change. */
static void
remember(const struct asking *k, const struct entry *en, const char *url,
    const char *accept, struct check_before *out)
{
	const struct web_answer *a = &k->answer;

	if (a->status != 200 || is_the_file(a, en))
		return;
	out->v = xreallocarray(out->v, out->n + 1, sizeof(*out->v));
	out->v[out->n++] = (struct check_validator){ .url = xstrdup(url),
		.accept = accept,
		.etag = xstrdup(a->fields.etag),
		.modified =
		    xstrdup(is_older(k, en) ? "" : a->fields.modified) };
}

void
check_remember(const struct check_config *c, const char *connect,
    const struct manifest *m, struct check_before *out)
{
	static const char *const accepts[] = { NULL, all_encodings };
	size_t *sample = xcalloc(m->n, sizeof(*sample));
	size_t n = check_sample(m, c->sample, sample);
	struct err ignored = ERR_INIT;
	const int64_t end = clock_ms() + REMEMBER_S * 1000;
	struct check_config quick = *c;
	struct asking k = { .c = c, .m = m, .answer = WEB_ANSWER_INIT };
	bool go_on;

	if (quick.timeout > REMEMBER_S)
		quick.timeout = REMEMBER_S;
	k.web = web_new(&quick, connect, &ignored);
	go_on = k.web != NULL;
	check_before_release(out);
	for (size_t i = 0; go_on && i < 2 * n && clock_ms() < end; i++) {
		const struct entry *en = &m->v[sample[i / 2]];
		char *url = check_url(c->urls.v[0], en->path);
		const struct web_request q = { .url = url,
			.accept = accepts[i % 2],
			.most = REMEMBER_MAX };

		/* What is out of order now, the check will find. */
		if (en->size <= REMEMBER_MAX)
			go_on = web_get(k.web, &q, &k.answer, &ignored) == 0;
		else
			k.answer.status = 0;
		if (go_on)
			remember(&k, en, url, accepts[i % 2], out);
		free(url);
	}
	free(sample);
	web_free(k.web);
	web_answer_release(&k.answer);
}

void
check_before_release(struct check_before *b)
{
	for (size_t i = 0; i < b->n; i++) {
		free(b->v[i].url);
		free(b->v[i].etag);
		free(b->v[i].modified);
	}
	free(b->v);
	*b = (struct check_before){ NULL, 0 };
}

/* ---- all of it ----------------------------------------------------------- */

static int
check_once(const struct check_config *c, const char *connect,
    const struct manifest *m, const struct check_before *before,
    struct check_result *out, struct err *e)
{
	struct asking k = { .c = c,
		.m = m,
		.web = web_new(c, connect, e),
		.answer = WEB_ANSWER_INIT,
		.out = out };
	int r;

	*out = (struct check_result){ 0 };
	if (k.web == NULL)
		return -1;
	r = check_urls(&k, e);
	if (r == 0)
		r = check_sampled(&k, e);
	if (r == 0)
		r = check_rules(&k, e);
	if (r == 0 && before != NULL)
		r = check_validators(&k, before, e);
	web_free(k.web);
	web_answer_release(&k.answer);
	return r;
}

/* Wait between two tries; a signal ends it. */
static int
rest(int64_t seconds, struct err *e)
{
	for (int64_t i = 0; i < seconds * 10; i++) {
		clock_pause(100);
		if (intr_check(e) != 0)
			return -1;
	}
	return 0;
}

int
check_served(const struct check_config *c, const char *connect,
    const struct manifest *m, const struct check_before *before,
    struct check_result *out, struct err *e)
{
	struct err stop = ERR_INIT;

	for (unsigned int i = 1;; i++) {
		if (check_once(c, connect, m, before, out, e) == 0)
			return 0;
		if (intr_check(&stop) != 0 || i >= c->tries)
			break;
		log_debug("%s; trying again", e->text);
		if (rest(c->wait, &stop) != 0)
			break;
	}
	if (stop.code != ERR_OK)
		*e = stop;
	else if (c->tries > 1)
		err_append(e, " (%s)", TEXT_COUNT(c->tries, "try", "tries"));
	return -1;
}
