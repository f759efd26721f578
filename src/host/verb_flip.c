#include "host/verbs.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/override.h"
#include "host/limits.h"
#include "host/request.h"
#include "host/wire.h"
#include "os/lock.h"
#include "os/log.h"
#include "root/activate.h"
#include "root/hook_runner.h"
#include "root/journal.h"
#include "root/store.h"

enum {
	LINE_MAX_LEN = 256,
	HOOK_TIMEOUT = 300, /* seconds */
};

/* activate: at once, or armed. */

/*
 * Wait for the line "go"; a line "wait" begins the time anew.  Whatever else
 * comes, the end of the input, or the deadline, disarms: a `go` that was
 * stuck in a cut connection must not flip a host after the client has called
 * it lost.  A key with limits cannot stay armed for ever.  The time runs from
 * `now`, when the client cannot have heard yet that the host is armed: we may
 * be stopped at any place, and the client counts meanwhile.
 */
static int
wait_for_go(struct request *r, int64_t now, int64_t ms, struct err *e)
{
	struct buf line = BUF_INIT;
	struct err why = ERR_INIT;
	int64_t all =
	    limits_bind(r->limits) ? now + limits_ms(LIMITS_ARMED) : INT64_MAX;
	int64_t end;
	bool late;
	int c, go;

	do {
		end = now + ms < all ? now + ms : all;
		c = wire_read_line(r->in, &line, LINE_MAX_LEN, end, &why);
		/* It may have come in time, and we have slept since. */
		now = clock_ms();
		late = now >= end;
	} while (c > 0 && !late && strcmp(buf_str(&line), "wait") == 0);
	go = c > 0 && !late && strcmp(buf_str(&line), "go") == 0;
	buf_release(&line);
	if (go)
		return 0;
	if (c > 0 && !late)
		return err_set(e, ERR_FAILED, "disarmed by the client");
	return err_set(e, ERR_FAILED, "disarmed: %s",
	    late || why.sys == ETIMEDOUT ? "no 'go' came in time" :
					   "the client went away");
}

/* Prepared: wait if armed, flip, say how long that took. */
static int
go(struct request *r, struct activation *a, int64_t armed_ms, struct err *e)
{
	int64_t began = clock_ms();

	if (armed_ms > 0) {
		wire_put(&r->out, "armed", "%s", a->from.text);
		if (wire_flush(&r->out, r->out_fd, e) != 0 ||
		    wait_for_go(r, began, armed_ms, e) != 0)
			return -1;
	}
	began = clock_ms();
	if (activate_go(a, e) != 0)
		return -1;
	wire_put(&r->out, "live", "%s", a->id.text);
	wire_put(&r->out, "from", "%s", a->from.text);
	wire_put(&r->out, "changed", "%d", a->changed);
	wire_put(&r->out, "took", "%lld", (long long)(clock_ms() - began));
	return 0;
}

/*
 * A bridge is there: who has more to flip hears what the journal is now, so that
 * he finds out if others come between.
 */
static void
tell_journal(struct request *r)
{
	struct err ignored = ERR_INIT;
	int64_t size;

	if (journal_size(&r->store, &size, &ignored) == 0)
		wire_put(&r->out, "journal-size", "%lld", (long long)size);
}

/* Has another run come between, while the hook ran and the lock was free? */
static int
check_still_live(const struct store *s, const struct release_id *id,
    struct err *e)
{
	struct release_id now;

	if (store_current(s, &now, e) != 0)
		return -1;
	if (release_id_eq(&now, id))
		return 0;
	return err_set(e, ERR_CLEANUP,
	    "%s was live, but another run made %s live while the hook ran",
	    id->text, now.text);
}

/*
 * Live: say so, then run the hook that follows, if there is one, without the
 * lock.  That it fails is an answer, and no failure.
 */
static int
run_hook(struct request *r, const struct activation *a,
    enum journal_action action, int64_t timeout, struct err *e)
{
	const struct root_hook_facts facts = { .release = &a->to,
		.previous = &a->from,
		.timeout = timeout,
		.quiet = log_level() == LOG_QUIET };
	const char *name = root_hook_find(&r->store, action);
	struct err why = ERR_INIT;

	if (name == NULL)
		return 0;
	lock_drop(&r->lock);
	wire_put(&r->out, "hook", "%s", name);
	if (wire_flush(&r->out, r->out_fd, e) != 0)
		return -1;
	if (hook_runner_run(&r->store, name, &facts, &why) != 0 ||
	    check_still_live(&r->store, &a->id, &why) != 0)
		wire_put(&r->out, "hook-failed", "%s", why.text);
	return 0;
}

/* The guards that are set aside. */
static int
overrides(const struct request *r, unsigned int *out, struct err *e)
{
	const char *words = request_option(r, "override", NULL);

	return words == NULL ? 0 :
			       override_parse(words, OVERRIDE_FLIP, out, e);
}

static enum journal_action
action_of(const struct request *r)
{
	if (request_flag(r, "revert"))
		return JOURNAL_REVERT;
	if (request_flag(r, "sync"))
		return JOURNAL_SYNC;
	if (request_flag(r, "bridge"))
		return JOURNAL_BRIDGE;
	return request_flag(r, "rollback") ? JOURNAL_ROLLBACK :
					     JOURNAL_ACTIVATE;
}

/* What was live before, as other hosts have it. */
static int
take_before(const struct request *r, struct release_ids *out, struct err *e)
{
	struct strvec lines = STRVEC_INIT;
	struct release_id id;
	int c = 0;

	request_lines(r, "before", &lines);
	for (size_t i = 0; c == 0 && i < lines.n; i++) {
		if (release_id_parse(&id, lines.v[i]))
			release_ids_add(out, &id);
		else
			c = err_set(e, ERR_USAGE,
			    "'activate' wants --before=RELEASES, not '%s'",
			    lines.v[i]);
	}
	strvec_release(&lines);
	return c;
}

/* What was rolled back from on other hosts. */
static int
take_left(const struct request *r, struct journal *out, struct err *e)
{
	const char *lines = request_option(r, "left", "");

	journal_parse(out, lines, strlen(lines));
	for (size_t i = 0; i < out->n; i++)
		if (out->v[i].action != JOURNAL_ROLLBACK)
			out->broken++;
	return out->broken == 0 && out->n_verified == 0 ?
	    0 :
	    err_set(e, ERR_USAGE,
		"'activate' wants --left=LINES of rollbacks, not '%.80s'",
		lines);
}

int
verb_activate(struct request *r, struct err *e)
{
	struct activation a = ACTIVATION_INIT;
	struct strvec skipped = STRVEC_INIT;
	struct release_ids before = RELEASE_IDS_INIT;
	struct journal left = JOURNAL_INIT;
	struct activate_options o = { .id = request_id(r, e),
		.action = action_of(r),
		.caller = &r->caller,
		.message = request_option(r, "message", NULL),
		.skipped = &skipped,
		.before = &before,
		.left = &left,
		.expect = request_expect(r),
		.verified = request_flag(r, "verified"),
		.preview = request_flag(r, "check") };
	int64_t armed, hook_timeout;
	int c;

	if (o.id == NULL || overrides(r, &o.overrides, e) != 0 ||
	    request_number(r, "armed", 0, &armed, e) != 0 ||
	    request_number(r, "hook-timeout", HOOK_TIMEOUT, &hook_timeout,
		e) != 0 ||
	    request_number(r, "journal-size", -1, &o.journal_size, e) != 0 ||
	    request_number(r, "seq", -1, &o.seq, e) != 0 ||
	    store_open(&r->store, r->root, e) != 0 ||
	    request_lock(r, LOCK_EXCLUSIVE, e) != 0)
		return -1;
	request_lines(r, "skipped", &skipped);
	c = take_before(r, &before, e);
	if (c == 0)
		c = take_left(r, &left, e);
	if (c == 0)
		c = activate_prepare(&a, &r->store, &o, e);
	if (c == 0 && !o.preview)
		c = go(r, &a, armed, e);
	if (c == 0 && o.action == JOURNAL_BRIDGE && !o.preview)
		tell_journal(r);
	activate_end(&a);
	strvec_release(&skipped);
	release_ids_release(&before);
	journal_release(&left);
	/* Visitors see what they saw. */
	if (c == 0 && a.changed && !o.preview && o.action != JOURNAL_BRIDGE)
		c = run_hook(r, &a, o.action, hook_timeout, e);
	return c;
}
