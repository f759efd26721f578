#include "remote/remote.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "remote/ask.h"

void
remote_init(struct remote *r, const struct host_config *h,
    const struct caller *c, const struct remote_waits *waits)
{
	*r = (struct remote){ .host = h,
		.caller = c,
		.waits = *waits,
		.journal_size = -1,
		.seq = -1,
		.room = { -1, -1 },
		.said = h->label[0] != '\0' ? xasprintf("%s: ", h->label) :
					      xstrdup("") };
}

/* Is the verb in the list, with commas? */
static bool
is_listed(const char *list, const char *verb)
{
	const size_t n = strlen(verb);

	for (size_t len; *list != '\0'; list += len + (list[len] == ',')) {
		len = strcspn(list, ",");
		if (len == n && memcmp(list, verb, n) == 0)
			return true;
	}
	return false;
}

int
remote_need_verb(const struct remote *r, const char *verb, struct err *e)
{
	if (r->limited == NULL || *r->limited == '\0' ||
	    is_listed(r->limited, verb))
		return 0;
	if (strcmp(verb, "receive") == 0 && is_listed(r->limited, "preview"))
		err_set(e, ERR_UNREACHABLE,
		    "this key may stage nothing but previews;; run: deploy stage --preview NAME");
	else
		err_set(e, ERR_UNREACHABLE,
		    "this key may not '%s' here; it is limited to: %s;; if it should, write --allow %s,%s in the line of this key in authorized_keys on the host",
		    verb, r->limited, r->limited, verb);
	return remote_say(r, e);
}

const char *
remote_said(const struct remote *r)
{
	return r->said;
}

int
remote_say(const struct remote *r, struct err *e)
{
	return err_prefix(e, "%s", r->said);
}

void
remote_release(struct remote *r)
{
	remote_disarm(r);
	remote_forget(r);
	free(r->hook_failure);
	r->hook_failure = NULL;
	ask_hang_up(r);
	transport_proc_close(&r->next);
	buf_release(&r->line);
	free(r->said);
	r->said = NULL;
	transport_close(&r->transport);
	r->connected = false;
}

int
remote_open(struct remote *r, struct err *e)
{
	if (transport_open(&r->transport, r->host, ask_answer_ms(r), e) != 0)
		return -1;
	r->connected = true;
	return 0;
}

int64_t
remote_round_trip(const struct remote *r)
{
	const struct transport_ops *ops = r->transport.ops;

	return ops != NULL && ops->round_trip != NULL ?
	    ops->round_trip(r->transport.self) :
	    0;
}

void
remote_traffic(const struct remote *r, uint64_t *sent, uint64_t *received)
{
	uint64_t out = 0, in = 0;

	if (r->connected)
		r->transport.ops->traffic(r->transport.self, &out, &in);
	*sent += out;
	*received += in;
}

int
remote_call(struct remote *r, const char *verb, const struct strvec *args,
    void (*line)(void *ctx, const char *key, const char *value), void *ctx,
    struct err *e)
{
	return ask_all(r, verb, args, line, ctx, e);
}

void
remote_freeze_args(const struct freeze *f, struct strvec *out)
{
	struct buf record = BUF_INIT;

	freeze_print(f, &record);
	while (record.len > 0 && record.data[record.len - 1] == '\n')
		record.data[--record.len] = '\0';
	strvec_addf(out, "--record=%s", buf_str(&record));
	if (f->why != NULL)
		strvec_addf(out, "--message=%s", f->why);
	if (f->until != 0)
		strvec_addf(out, "--until=%lld", (long long)f->until);
	buf_reset(&record);
	for (size_t i = 0; i < f->skipped.n; i++)
		buf_addf(&record, "%s\n", f->skipped.v[i]);
	if (record.len > 0)
		strvec_addf(out, "--skipped=%s", record.data);
	buf_release(&record);
}
