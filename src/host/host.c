#include "host/host.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "host/limits.h"
#include "host/request.h"
#include "host/verbs.h"
#include "host/wire.h"
#include "os/caller.h"
#include "os/lock.h"
#include "root/store.h"

static const struct verb {
	const char *name;
	int (*run)(struct request *r, struct err *e);
} verbs[] = {
	{ "info", verb_info },
	{ "probe", verb_probe },
	{ "init", verb_init },
	{ "adopt", verb_adopt },
	{ "manifest", verb_manifest },
	{ "files", verb_files },
	{ "signatures", verb_signatures },
	{ "receive", verb_receive },
	{ "note", verb_note },
	{ "activate", verb_activate },
	{ "prune", verb_prune },
	{ "verify", verb_verify },
	{ "journal", verb_journal },
	{ "pin", verb_pin },
	{ "preview", verb_preview },
	{ "freeze", verb_freeze },
};

static const struct verb *
find_verb(const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strlen(verbs[i].name) == len &&
		    memcmp(verbs[i].name, name, len) == 0)
			return &verbs[i];
	return NULL;
}

/* There is no such verb; which are there? */
static int
no_verb(const char *name, size_t len, struct err *e)
{
	err_set(e, ERR_USAGE, "there is no verb '%.*s'; there are: ", (int)len,
	    name);
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		err_append(e, "%s%s", i > 0 ? ", " : "", verbs[i].name);
	return -1;
}

int
host_check_verbs(const char *list, struct err *e)
{
	for (const char *p = list;; p++) {
		size_t len = strcspn(p, ",");

		if (find_verb(p, len) == NULL)
			return no_verb(p, len, e);
		p += len;
		if (*p == '\0')
			return 0;
	}
}

/* Who asks, as the client says: a note, not an identity. */
static void
fill_caller(struct request *r)
{
	const char *who = request_option(r, "who", NULL);

	caller_init(&r->caller);
	if (who != NULL) {
		free(r->caller.who);
		r->caller.who = xstrdup(who);
	}
	free(r->caller.job);
	r->caller.job = xstrdup_opt(request_option(r, "job", NULL));
}

static int
dispatch(struct request *r, const struct host_limits *limits, struct err *e)
{
	const struct verb *verb;

	r->limits = limits;
	if (limits_take(limits, r->words, &r->taken, e) != 0)
		return -1;
	r->words = &r->taken;
	r->verb = r->words->v[0];
	r->root = r->words->v[1];
	verb = find_verb(r->verb, strlen(r->verb));
	if (verb == NULL)
		BUG("a verb that only the table of options has");
	fill_caller(r);
	return verb->run(r, e);
}

/* The client hears that it is a lock that we wait for. */
static void
say_waiting(void *ctx)
{
	const struct request *r = ctx;
	struct buf b = BUF_INIT;
	struct err ignored = ERR_INIT;

	wire_put(&b, "waiting", "lock");
	err_ignore(wire_flush(&b, r->out_fd, &ignored));
	buf_release(&b);
}

/*
 * Run a request and write its answer; the lock ends before the client hears
 * the end.  0 or -1.
 */
static int
answer(struct request *r, const struct host_limits *limits, struct err *e)
{
	struct err done = ERR_INIT;
	int c;

	lock_tell_waits(say_waiting, r);
	c = dispatch(r, limits, e);
	lock_tell_waits(NULL, NULL);
	if (c != 0)
		c = store_tell_room(&r->store, e);
	if (c != 0 && (e->sys == EACCES || e->sys == EPERM) &&
	    *err_cure(e) == '\0')
		err_append(e,
		    ";; 'deploy doctor' says who has to change what");
	wire_put_end(&r->out, c == 0 ? &done : e);
	lock_drop(&r->lock);
	store_close(&r->store);
	if (wire_flush(&r->out, r->out_fd, c == 0 ? e : &done) != 0)
		c = -1;
	caller_release(&r->caller);
	strvec_release(&r->taken);
	buf_release(&r->out);
	return c;
}

/* The client hears at once that we are here: a lock takes its time. */
static int
greet(int fd, struct err *e)
{
	struct buf b = BUF_INIT;
	int c;

	buf_adds(&b, WIRE_MAGIC "\n");
	c = wire_flush(&b, fd, e);
	buf_release(&b);
	return c;
}

static struct request
request(const struct strvec *words, struct wire_in *in, int out)
{
	return (struct request){ .words = words,
		.in = in,
		.out_fd = out,
		.store = STORE_INIT,
		.lock = LOCK_INIT,
		.caller = CALLER_INIT };
}

int
host_run(const struct strvec *words, const struct host_limits *limits,
    const struct host_io *io, struct err *e)
{
	struct wire_in in = WIRE_IN_INIT(io->in);
	struct request r = request(words, &in, io->out);

	return greet(io->out, e) == 0 ? answer(&r, limits, e) : -1;
}

/* The next request on `in`: 1 when another one may follow, 0 at the end, -1. */
static int
serve_one(const char *root, const struct host_limits *limits,
    struct wire_in *in, int out, struct err *e)
{
	struct strvec said = STRVEC_INIT, words = STRVEC_INIT;
	struct request r = request(&words, in, out);
	int c = wire_read_request(in, &said, e);

	if (c > 0 && said.n > 0) {
		*e = (struct err)ERR_INIT;
		strvec_add(&words, said.v[0]);
		strvec_add(&words, root);
		for (size_t i = 1; i < said.n; i++)
			strvec_add(&words, said.v[i]);
		(void)answer(&r, limits, e);
		c = !r.last;
	}
	strvec_release(&said);
	strvec_release(&words);
	return c;
}

int
host_serve(const char *root, const char *first,
    const struct host_limits *limits, const struct host_io *io, struct err *e)
{
	struct wire_in in = WIRE_IN_INIT(io->in);
	int c = greet(io->out, e) == 0 ? 1 : -1;

	if (c > 0 && first != NULL && wire_take_first(&in, first, e) != 0)
		c = -1;
	while (c > 0)
		c = serve_one(root, limits, &in, io->out, e);
	return c == 0 && e->code == ERR_OK ? 0 : -1;
}
