#include "fleet/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/path.h"
#include "base/version.h"
#include "fleet/curl.h"
#include "os/intr.h"
#include "os/log.h"

enum { KEPT_MAX = 1 << 20 }; /* of a body in which a text is looked for */

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
		if (m->v[i].type == ENTRY_FILE &&
		    m->v[i].mark == ENTRY_BUILD && is_plain(m->v[i].path))
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

		/* RFC 3986, 2.3, and the slash. */
		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		    (c >= '0' && c <= '9') || strchr("-._~/", c) != NULL)
			buf_addc(&b, *p);
		else
			buf_addf(&b, "%%%02X", c);
	}
	return buf_detach(&b);
}

/* ---- asking ------------------------------------------------------------ */

/* One conversation with a web server. */
struct client {
	const struct check_config *c;
	const struct curl *lib;
	CURL *curl;
	struct curl_slist *connect_to;
	char reason[CURL_ERROR_SIZE];
	/* Of the answer that is being read. */
	struct hash *hash;
	struct buf body; /* only as far as something is looked for */
	int64_t size;
	bool keep;
};

static size_t
on_body(char *data, size_t one, size_t n, void *ctx)
{
	struct client *cl = ctx;

	(void)one;
	hash_add(cl->hash, data, n);
	cl->size += (int64_t)n;
	if (cl->keep && cl->body.len + n <= KEPT_MAX)
		buf_add(&cl->body, data, n);
	return n;
}

/* A signal ends the wait for an answer. */
static int
on_progress(void *ctx, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	struct err ignored = ERR_INIT;

	(void)ctx, (void)a, (void)b, (void)c, (void)d;
	return intr_check(&ignored) != 0;
}

/* "::address:port" for every URL; without a port the URL's. */
static void
set_address(struct client *cl, const char *connect)
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
	cl->connect_to = cl->lib->slist_append(NULL, rule);
	free(rule);
	cl->lib->setopt(cl->curl, CURLOPT_CONNECT_TO, cl->connect_to);
	/* The host itself is meant, not what a proxy has of it. */
	cl->lib->setopt(cl->curl, CURLOPT_PROXY, "");
}

static int
client_init(struct client *cl, const struct check_config *c,
    const char *connect, struct err *e)
{
	*cl = (struct client){ .c = c, .lib = curl_load(e) };
	if (cl->lib == NULL)
		return -1;
	cl->curl = cl->lib->init();
	if (cl->curl == NULL)
		return err_set(e, ERR_FAILED, "libcurl cannot be used");
	cl->hash = hash_new();
	if (connect != NULL)
		set_address(cl, connect);
	cl->lib->setopt(cl->curl, CURLOPT_NOSIGNAL, 1L);
	cl->lib->setopt(cl->curl, CURLOPT_USERAGENT, "deploy/" DEPLOY_VERSION);
	cl->lib->setopt(cl->curl, CURLOPT_PROTOCOLS_STR, "http,https");
	cl->lib->setopt(cl->curl, CURLOPT_ERRORBUFFER, cl->reason);
	cl->lib->setopt(cl->curl, CURLOPT_WRITEFUNCTION, on_body);
	cl->lib->setopt(cl->curl, CURLOPT_WRITEDATA, cl);
	cl->lib->setopt(cl->curl, CURLOPT_NOPROGRESS, 0L);
	cl->lib->setopt(cl->curl, CURLOPT_XFERINFOFUNCTION, on_progress);
	cl->lib->setopt(cl->curl, CURLOPT_TIMEOUT, (long)c->timeout);
	cl->lib->setopt(cl->curl, CURLOPT_CONNECTTIMEOUT, (long)c->timeout);
	if (c->ca != NULL)
		cl->lib->setopt(cl->curl, CURLOPT_CAINFO, c->ca);
	return 0;
}

static void
client_release(struct client *cl)
{
	cl->lib->cleanup(cl->curl);
	cl->lib->slist_free(cl->connect_to);
	hash_free(cl->hash);
	buf_release(&cl->body);
}

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

/* GET `url`; the digest of its body goes to `digest`.  0 or -1. */
static int
get(struct client *cl, const char *url, unsigned int expect,
    uint8_t digest[HASH_LEN], struct err *e)
{
	CURLcode code;
	long status = 0;

	buf_reset(&cl->body);
	cl->size = 0;
	cl->reason[0] = '\0';
	cl->lib->setopt(cl->curl, CURLOPT_URL, url);
	code = cl->lib->perform(cl->curl);
	hash_end(cl->hash, digest);
	if (code == CURLE_ABORTED_BY_CALLBACK && intr_check(e) != 0)
		return -1;
	if (code != CURLE_OK)
		return err_set(e, ERR_FAILED, "GET %s: %s", url,
		    cl->reason[0] != '\0' ? cl->reason :
					    cl->lib->strerror(code));
	cl->lib->getinfo(cl->curl, CURLINFO_RESPONSE_CODE, &status);
	if (status != (long)expect)
		return err_set(e, ERR_FAILED,
		    "GET %s: the status is %ld, not %u%s", url, status, expect,
		    cure_of(status));
	return 0;
}

/* The configured URLs. */
static int
check_urls(struct client *cl, struct check_result *out, struct err *e)
{
	const struct check_config *c = cl->c;
	uint8_t digest[HASH_LEN];

	cl->keep = c->contains != NULL;
	for (size_t i = 0; i < c->urls.n; i++) {
		if (get(cl, c->urls.v[i], c->expect, digest, e) != 0)
			return -1;
		if (c->contains != NULL &&
		    (cl->body.len == 0 ||
			memmem(cl->body.data, cl->body.len, c->contains,
			    strlen(c->contains)) == NULL))
			return err_set(e, ERR_FAILED,
			    "GET %s: '%s' is not in the answer", c->urls.v[i],
			    c->contains);
		out->urls++;
	}
	cl->keep = false;
	return 0;
}

/* One file of the release. */
static int
check_file(struct client *cl, const struct entry *en, struct err *e)
{
	char *url = check_url(cl->c->urls.v[0], en->path);
	uint8_t digest[HASH_LEN];
	int r = get(cl, url, 200, digest, e);

	if (r == 0 &&
	    (cl->size != en->size ||
		memcmp(digest, en->digest, HASH_LEN) != 0))
		r = err_set(e, ERR_FAILED,
		    "GET %s: the answer is not '%s' of the release (%lld bytes instead of %lld);; is the document root the root's 'current', and is no cache before it?",
		    url, en->path, (long long)cl->size, (long long)en->size);
	free(url);
	return r;
}

static int
check_files(struct client *cl, const struct manifest *m,
    struct check_result *out, struct err *e)
{
	size_t *sample = xcalloc(m->n, sizeof(*sample));
	size_t n = check_sample(m, cl->c->sample, sample);
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++) {
		r = check_file(cl, &m->v[sample[i]], e);
		out->files += r == 0;
	}
	free(sample);
	return r;
}

static int
check_once(const struct check_config *c, const char *connect,
    const struct manifest *m, struct check_result *out, struct err *e)
{
	struct client cl;
	int r;

	*out = (struct check_result){ 0, 0 };
	if (client_init(&cl, c, connect, e) != 0)
		return -1;
	r = check_urls(&cl, out, e);
	if (r == 0)
		r = check_files(&cl, m, out, e);
	client_release(&cl);
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
    const struct manifest *m, struct check_result *out, struct err *e)
{
	struct err stop = ERR_INIT;

	for (unsigned int i = 1;; i++) {
		if (check_once(c, connect, m, out, e) == 0)
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
		err_append(e, " (%u tries)", c->tries);
	return -1;
}
