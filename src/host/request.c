#include "host/request.h"

#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "os/caller.h"
#include "os/lock.h"

/* The value of --key, or `otherwise`. */
const char *
request_option(const struct request *r, const char *key, const char *otherwise)
{
	size_t n = strlen(key);

	for (size_t i = 2; i < r->words->n; i++) {
		const char *w = r->words->v[i];

		if (strncmp(w, "--", 2) == 0 && strncmp(w + 2, key, n) == 0) {
			if (w[n + 2] == '=')
				return w + n + 3;
			if (w[n + 2] == '\0')
				return "";
		}
	}
	return otherwise;
}

void
request_lines(const struct request *r, const char *key, struct strvec *out)
{
	for (const char *p = request_option(r, key, ""); *p != '\0';) {
		size_t len = strcspn(p, "\n");

		if (len > 0)
			strvec_addf(out, "%.*s", (int)len, p);
		p += len;
		p += *p == '\n';
	}
}

bool
request_flag(const struct request *r, const char *key)
{
	return request_option(r, key, NULL) != NULL;
}

/* A number of the table's range; `otherwise` when absent. */
int
request_number(const struct request *r, const char *key, int64_t otherwise,
    int64_t *out, struct err *e)
{
	const char *text = request_option(r, key, NULL);

	*out = otherwise;
	if (text == NULL || number_parse(text, 0, INT64_MAX, out))
		return 0;
	return err_set(e, ERR_USAGE, "--%s wants a number, not '%s'", key,
	    text);
}

/* The release id that the request must name. */
const struct release_id *
request_id(struct request *r, struct err *e)
{
	const char *text = request_option(r, "id", "");

	if (release_id_parse(&r->id, text))
		return &r->id;
	err_set(e, ERR_USAGE, "'%s' wants --id=RELEASE, not '%s'", r->verb,
	    text);
	return NULL;
}

const struct release_id *
request_expect(struct request *r)
{
	const char *text = request_option(r, "expect", NULL);

	if (text == NULL)
		return NULL;
	/* "" is none; the table of options lets nothing else through. */
	(void)release_id_parse(&r->expect, text);
	return &r->expect;
}

int
request_lock(struct request *r, enum lock_kind kind, struct err *e)
{
	int64_t wait;
	char *note;
	int c;

	/* Looking is free. */
	if (request_flag(r, "check"))
		return 0;
	if (request_number(r, "lock-wait", 60, &wait, e) != 0)
		return -1;
	note = caller_lock_note(&r->caller, r->verb);
	c = lock_take(&r->lock, &r->store.state, kind, wait, note, e);
	free(note);
	return c;
}
