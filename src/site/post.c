#include "site/post.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/version.h"
#include "fleet/curl.h"
#include "os/intr.h"
#include "os/log.h"

enum {
	TRIES = 3,
	WAIT = 1, /* seconds before the second try, then FACTOR times that */
	FACTOR = 4,
	TIMEOUT = 10, /* seconds, of each try */
};

/* The host of a URL, which is all that may be told of it: the rest may be a
 * secret.  It is `len` bytes. */
static const char *
host_of(const char *url, int *len)
{
	const char *host = strstr(url, "://"), *end, *at;

	host = host != NULL ? host + 3 : url;
	end = host + strcspn(host, "/?#");
	at = memrchr(host, '@', (size_t)(end - host));
	if (at != NULL)
		host = at + 1;
	*len = (int)(end - host);
	return host;
}

/* Wait between two tries; a signal ends it. */
static int
rest(int seconds, struct err *e)
{
	for (int i = 0; i < seconds * 10; i++) {
		clock_pause(100);
		if (intr_check(e) != 0)
			return -1;
	}
	return 0;
}

/* Nobody reads the answer. */
static size_t
on_body(char *data, size_t size, size_t n, void *ctx)
{
	(void)data;
	(void)ctx;
	return size * n;
}

static void
add_field(const struct curl *lib, struct curl_slist **fields, const char *name,
    const char *value)
{
	char *field = xasprintf("%s: %s", name, value);
	struct curl_slist *more = lib->slist_append(*fields, field);

	free(field);
	if (more == NULL)
		BUG("no memory for a header");
	*fields = more;
}

static struct curl_slist *
make_fields(const struct curl *lib, const struct post *p)
{
	struct curl_slist *fields = NULL;
	char hex[HASH_HEX + 1], *signature;
	uint8_t digest[HASH_LEN];

	add_field(lib, &fields, "Content-Type", "application/json");
	add_field(lib, &fields, "X-Deploy-Event", p->event);
	add_field(lib, &fields, "X-Deploy-Delivery", p->delivery);
	/* Without waiting for leave to send it. */
	add_field(lib, &fields, "Expect", "");
	if (p->secret == NULL)
		return fields;
	hash_hmac(p->secret, strlen(p->secret), p->body, strlen(p->body),
	    digest);
	hash_hex(digest, hex);
	signature = xasprintf("sha256=%s", hex);
	add_field(lib, &fields, "X-Hub-Signature-256", signature);
	free(signature);
	return fields;
}

/* One try.  0; 1: perhaps later, with the error; -1. */
static int
try_once(const struct curl *lib, const struct post *p,
    struct curl_slist *fields, struct err *e)
{
	char reason[CURL_ERROR_SIZE] = "";
	int len;
	const char *host = host_of(p->url, &len);
	CURL *c = lib->init();
	CURLcode code;
	long status = 0;

	if (c == NULL)
		return err_set(e, ERR_FAILED, "libcurl cannot begin");
	lib->setopt(c, CURLOPT_URL, p->url);
	lib->setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	lib->setopt(c, CURLOPT_NOSIGNAL, 1L);
	lib->setopt(c, CURLOPT_USERAGENT, "deploy/" DEPLOY_VERSION);
	lib->setopt(c, CURLOPT_ERRORBUFFER, reason);
	lib->setopt(c, CURLOPT_WRITEFUNCTION, on_body);
	lib->setopt(c, CURLOPT_TIMEOUT, (long)TIMEOUT);
	lib->setopt(c, CURLOPT_HTTPHEADER, fields);
	lib->setopt(c, CURLOPT_POSTFIELDS, p->body);
	lib->setopt(c, CURLOPT_POSTFIELDSIZE, (long)strlen(p->body));
	code = lib->perform(c);
	lib->getinfo(c, CURLINFO_RESPONSE_CODE, &status);
	lib->cleanup(c);
	if (code != CURLE_OK) {
		err_set(e, ERR_FAILED, "%.*s: %s", len, host,
		    *reason != '\0' ? reason : lib->strerror(code));
		return 1;
	}
	if (status >= 200 && status <= 299)
		return 0;
	err_set(e, ERR_FAILED, "%.*s answers with status %ld", len, host,
	    status);
	return status >= 500 || status == 429 || status == 408 ? 1 : -1;
}

int
post_send(const struct post *p, struct err *e)
{
	const struct curl *lib = curl_load(e);
	struct curl_slist *fields;
	int wait = WAIT, r = 1;

	if (lib == NULL)
		return -1;
	fields = make_fields(lib, p);
	for (int try = 1; r > 0 && try <= TRIES; try++) {
		if (try > 1) {
			log_debug("%s; again in %d s", e->text, wait);
			*e = (struct err)ERR_INIT;
			if (rest(wait, e) != 0)
				break;
			wait *= FACTOR;
		}
		r = try_once(lib, p, fields, e);
	}
	lib->slist_free(fields);
	return r == 0 ? 0 : -1;
}
