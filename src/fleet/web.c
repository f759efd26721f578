#include "fleet/web.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/version.h"
#include "content/decode.h"
#include "fleet/curl.h"
#include "os/intr.h"

enum { KEPT_MAX = 1 << 20 }; /* of a body in which a text is looked for */

struct web {
	const struct curl *lib;
	CURL *curl;
	struct curl_slist *connect_to;
	char reason[CURL_ERROR_SIZE];
	struct hash *hash;
	/* Of the answer that is being read. */
	const struct web_request *q;
	struct web_answer *out;
	struct decoder *decoder; /* NULL: the body is as it comes */
	bool begun;		 /* the body */
	struct err err;		 /* what is wrong with it */
};

/* ---- what comes --------------------------------------------------------- */

/* For the body, or the decoder. */
static int
take(void *ctx, const void *data, size_t len, struct err *e)
{
	struct web *w = ctx;
	struct web_answer *a = w->out;

	hash_add(w->hash, data, len);
	a->size += (int64_t)len;
	if (w->q->keep && a->body.len + len <= KEPT_MAX)
		buf_add(&a->body, data, len);
	return w->decoder != NULL && a->size > w->q->most ?
	    err_set(e, ERR_FAILED, "more than %lld bytes come out",
		(long long)w->q->most) :
	    0;
}

/* The decoder for what the header fields say; NULL: none, or unknown. */
static struct decoder *
choose_decoder(struct web *w)
{
	const char *name = w->out->fields.encoding;

	if (strcasecmp(name, "x-gzip") == 0)
		name = "gzip"; /* RFC 9110, 8.4.1.3 */
	for (enum encoding i = 0; i < ENCODINGS; i++)
		if (strcasecmp(name, encodings[i].name) == 0)
			return decoder_new(i, take, w);
	return NULL;
}

static size_t
on_body(char *data, size_t one, size_t n, void *ctx)
{
	struct web *w = ctx;
	int r;

	(void)one;
	/* Who asked for no compressed form wants to see what came. */
	if (!w->begun && w->q->accept != NULL)
		w->decoder = choose_decoder(w);
	w->begun = true;
	r = w->decoder != NULL ? decoder_add(w->decoder, data, n, &w->err) :
				 take(w, data, n, &w->err);
	return r == 0 ? n : 0;
}

/* Add the value of a field, which may come several times. */
static void
add_value(char *out, size_t size, const char *value, size_t len)
{
	size_t old = strlen(out);

	if (old > 0 && old + 2 < size) {
		memcpy(out + old, ", ", 3);
		old += 2;
	}
	if (len > size - 1 - old)
		len = size - 1 - old;
	memcpy(out + old, value, len);
	out[old + len] = '\0';
}

static size_t
on_header(char *data, size_t one, size_t n, void *ctx)
{
	struct web *w = ctx;
	struct web_fields *f = &w->out->fields;
	const struct {
		const char *name;
		char *out;
		size_t size;
	} known[] = {
		{ "content-encoding:", f->encoding, sizeof(f->encoding) },
		{ "cache-control:", f->cache, sizeof(f->cache) },
		{ "vary:", f->vary, sizeof(f->vary) },
		{ "etag:", f->etag, sizeof(f->etag) },
		{ "last-modified:", f->modified, sizeof(f->modified) },
		{ "age:", f->age, sizeof(f->age) },
		{ "via:", f->via, sizeof(f->via) },
		{ "x-cache:", f->x_cache, sizeof(f->x_cache) },
	};

	(void)one;
	/* One that only announces comes before the one that counts. */
	if (n >= 5 && strncmp(data, "HTTP/", 5) == 0)
		memset(f, 0, sizeof(*f));
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		size_t len = strlen(known[i].name), end = n;

		if (n < len || strncasecmp(data, known[i].name, len) != 0)
			continue;
		while (end > len && strchr(" \t\r\n", data[end - 1]) != NULL)
			end--;
		while (len < end && (data[len] == ' ' || data[len] == '\t'))
			len++;
		add_value(known[i].out, known[i].size, data + len, end - len);
	}
	return n;
}

/* A signal ends the wait for an answer. */
static int
on_progress(void *ctx, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	(void)ctx, (void)a, (void)b, (void)c, (void)d;
	return intr_came();
}

/* ---- the conversation --------------------------------------------------- */

/* "::address:port" for every URL; without a port the URL's. */
static void
set_address(struct web *w, const char *connect)
{
	const char *port = *connect == '[' ? strchr(connect, ']') : connect;
	char *rule;

	if (strchr(port, ':') == NULL ||
	    (*connect != '[' && strchr(connect, ':') != strrchr(connect, ':')))
		/* A bare IPv6 address has no port. */
		rule =
		    xasprintf(*connect != '[' && strchr(connect, ':') != NULL ?
			    "::[%s]:" :
			    "::%s:",
			connect);
	else
		rule = xasprintf("::%s", connect);
	w->connect_to = w->lib->slist_append(NULL, rule);
	free(rule);
	w->lib->setopt(w->curl, CURLOPT_CONNECT_TO, w->connect_to);
	/* The host itself is meant, not what a proxy has of it. */
	w->lib->setopt(w->curl, CURLOPT_PROXY, "");
}

static void
set_options(struct web *w, const struct check_config *c)
{
	const struct curl *lib = w->lib;

	lib->setopt(w->curl, CURLOPT_NOSIGNAL, 1L);
	lib->setopt(w->curl, CURLOPT_USERAGENT, "deploy/" DEPLOY_VERSION);
	lib->setopt(w->curl, CURLOPT_PROTOCOLS_STR, "http,https");
	lib->setopt(w->curl, CURLOPT_ERRORBUFFER, w->reason);
	lib->setopt(w->curl, CURLOPT_WRITEFUNCTION, on_body);
	lib->setopt(w->curl, CURLOPT_WRITEDATA, w);
	lib->setopt(w->curl, CURLOPT_HEADERFUNCTION, on_header);
	lib->setopt(w->curl, CURLOPT_HEADERDATA, w);
	lib->setopt(w->curl, CURLOPT_NOPROGRESS, 0L);
	lib->setopt(w->curl, CURLOPT_XFERINFOFUNCTION, on_progress);
	lib->setopt(w->curl, CURLOPT_TIMEOUT, (long)c->timeout);
	lib->setopt(w->curl, CURLOPT_CONNECTTIMEOUT, (long)c->timeout);
	if (c->ca != NULL)
		lib->setopt(w->curl, CURLOPT_CAINFO, c->ca);
}

struct web *
web_new(const struct check_config *c, const char *connect, struct err *e)
{
	const struct curl *lib = curl_load(e);
	struct web *w;

	if (lib == NULL)
		return NULL;
	w = xcalloc(1, sizeof(*w));
	w->lib = lib;
	w->curl = lib->init();
	if (w->curl == NULL) {
		free(w);
		err_set(e, ERR_FAILED, "libcurl cannot be used");
		return NULL;
	}
	w->hash = hash_new();
	if (connect != NULL)
		set_address(w, connect);
	set_options(w, c);
	return w;
}

void
web_free(struct web *w)
{
	if (w == NULL)
		return;
	w->lib->cleanup(w->curl);
	w->lib->slist_free(w->connect_to);
	hash_free(w->hash);
	free(w);
}

void
web_answer_release(struct web_answer *a)
{
	buf_release(&a->body);
}

static struct curl_slist *
add_field(struct web *w, struct curl_slist *list, const char *name,
    const char *value)
{
	char *line;

	if (value == NULL)
		return list;
	line = xasprintf("%s: %s", name, value);
	list = w->lib->slist_append(list, line);
	free(line);
	return list;
}

/* Why there is no answer, or none that can be read. */
static int
fail(struct web *w, CURLcode code, struct err *e)
{
	const char *url = w->q->url;

	if (code == CURLE_ABORTED_BY_CALLBACK && intr_check(e) != 0)
		return -1;
	if (w->err.code != ERR_OK)
		return err_set(e, ERR_FAILED,
		    "GET %s: the answer is not what %s makes, as its Content-Encoding says: %s",
		    url, w->out->fields.encoding, w->err.text);
	return err_set(e, ERR_FAILED, "GET %s: %s", url,
	    w->reason[0] != '\0' ? w->reason : w->lib->strerror(code));
}

int
web_get(struct web *w, const struct web_request *q, struct web_answer *out,
    struct err *e)
{
	struct curl_slist *fields = NULL;
	CURLcode code;

	fields = add_field(w, fields, "Accept-Encoding", q->accept);
	fields = add_field(w, fields, "Available-Dictionary", q->dictionary);
	fields = add_field(w, fields, "If-None-Match", q->etag);
	fields = add_field(w, fields, "If-Modified-Since", q->modified);
	buf_reset(&out->body);
	*out = (struct web_answer){ .body = out->body };
	w->q = q;
	w->out = out;
	w->begun = false;
	w->err = (struct err)ERR_INIT;
	w->reason[0] = '\0';
	w->lib->setopt(w->curl, CURLOPT_URL, q->url);
	w->lib->setopt(w->curl, CURLOPT_HTTPHEADER, fields);
	w->lib->setopt(w->curl, CURLOPT_HTTPGET, 1L);
	w->lib->setopt(w->curl, CURLOPT_NOBODY, q->head ? 1L : 0L);
	code = w->lib->perform(w->curl);
	if (code == CURLE_OK && w->decoder != NULL &&
	    decoder_end(w->decoder, &w->err) != 0)
		code = CURLE_BAD_CONTENT_ENCODING;
	decoder_free(w->decoder);
	w->decoder = NULL;
	w->lib->slist_free(fields);
	hash_end(w->hash, out->digest);
	if (code != CURLE_OK)
		return fail(w, code, e);
	w->lib->getinfo(w->curl, CURLINFO_RESPONSE_CODE, &out->status);
	return 0;
}

int64_t
web_time(const struct web *w, const char *date)
{
	return w->lib->getdate(date, NULL);
}
