#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/number.h"
#include "base/override.h"
#include "remote/ask.h"
#include "remote/remote.h"
#include "root/activate.h"

enum { DISARM_MS = 2000 };

/* What is expected to be live. */
static const struct release_id *
expected(const struct remote *r, const struct remote_activate *o)
{
	return o->expect != NULL ? o->expect : &r->view.current;
}

/* The journal line, for who cannot write it himself. */
static void
add_line(const struct remote *r, const struct remote_activate *o,
    struct strvec *args)
{
	const struct meta *meta =
	    remote_meta(r, o->stands_for != NULL ? o->stands_for : o->id);
	struct journal_line line = { .from = *expected(r, o),
		.to = o->stands_for != NULL ? *o->stands_for : *o->id,
		.time = clock_now(),
		.seq = -1,
		.action = o->action };
	struct buf text = BUF_INIT;

	/* Borrowed: the line is not released. */
	line.who = r->caller->who;
	line.job = r->caller->job;
	line.message = (char *)(uintptr_t)o->message;
	if (o->skipped != NULL)
		line.skipped = *o->skipped;
	if (o->before != NULL)
		line.before = *o->before;
	line.left = o->left;
	line.n_left = o->n_left;
	if (meta != NULL) {
		line.seq = meta->seq;
		/* Why it was built is not why it was gone back to. */
		if (o->message == NULL && o->action == JOURNAL_ACTIVATE)
			line.message = meta->message;
		memcpy(line.digest, meta->digest, HASH_HEX + 1);
	}
	if (o->seq > 0 && o->seq > line.seq)
		line.seq = o->seq;
	meta = remote_meta(r, &line.from);
	if (meta != NULL)
		memcpy(line.from_digest, meta->digest, HASH_HEX + 1);
	journal_print(&line, &text);
	while (text.len > 0 && text.data[text.len - 1] == '\n')
		text.data[--text.len] = '\0';
	strvec_addf(args, "--line=%s", buf_str(&text));
	buf_release(&text);
}

/* Who was left out, what was live, and what is left: for who writes the line
 * himself. */
static void
add_lists(const struct remote_activate *o, struct strvec *args)
{
	struct buf skipped = BUF_INIT, before = BUF_INIT, left = BUF_INIT;

	for (size_t i = 0; o->skipped != NULL && i < o->skipped->n; i++)
		buf_addf(&skipped, "%s\n", o->skipped->v[i]);
	for (size_t i = 0; o->before != NULL && i < o->before->n; i++)
		buf_addf(&before, "%s\n", o->before->v[i].text);
	for (size_t i = 0; i < o->n_left; i++) {
		journal_print(&o->left[i], &left);
		buf_addc(&left, '\n');
	}
	if (left.len > 0)
		strvec_addf(args, "--left=%s", left.data);
	if (o->seq > 0)
		strvec_addf(args, "--seq=%lld", (long long)o->seq);
	if (skipped.len > 0)
		strvec_addf(args, "--skipped=%s", skipped.data);
	if (o->before != NULL)
		strvec_addf(args, "--before=%s", buf_str(&before));
	buf_release(&skipped);
	buf_release(&before);
	buf_release(&left);
}

/* The options of activate. */
static void
add_args(const struct remote *r, const struct remote_activate *o,
    int64_t deadline, struct strvec *args)
{
	struct buf words = BUF_INIT;

	strvec_addf(args, "--id=%s", o->id->text);
	strvec_addf(args, "--expect=%s", expected(r, o)->text);
	/* A program writes it itself, and the time in it is its own. */
	if (r->script)
		add_line(r, o, args);
	else
		add_lists(o, args);
	if (o->message != NULL)
		strvec_addf(args, "--message=%s", o->message);
	if (o->journal_size >= 0)
		strvec_addf(args, "--journal-size=%lld",
		    (long long)o->journal_size);
	if (deadline > 0)
		strvec_addf(args, "--armed=%lld", (long long)deadline);
	strvec_addf(args, "--hook-timeout=%lld", (long long)r->waits.hook);
	if (o->action != JOURNAL_ACTIVATE)
		strvec_addf(args, "--%s", journal_action_name(o->action));
	if ((o->overrides & OVERRIDE_FLIP) != 0) {
		override_print(o->overrides & OVERRIDE_FLIP, &words);
		strvec_addf(args, "--override=%s", buf_str(&words));
	}
	if (o->preview)
		strvec_add(args, "--check");
	buf_release(&words);
}

int64_t
remote_last_sequence(const struct remote *r)
{
	const struct history *h = &r->view.history;
	int64_t last = h->seq;

	for (size_t i = 0; i < h->seen.n; i++) {
		const struct meta *then = remote_meta(r, &h->seen.v[i]);

		if (then != NULL && history_is_recent(h, i) &&
		    then->seq > last)
			last = then->seq;
	}
	return last;
}

int
remote_check_guards(const struct remote *r, int64_t seq,
    unsigned int overrides, struct err *e)
{
	/* A record that cannot be read: the host says why, when it flips. */
	if (r->frozen && r->freeze_told && (overrides & OVERRIDE_FREEZE) == 0)
		return freeze_refuse(r->host->root, &r->freeze, e);
	if ((overrides & OVERRIDE_ORDER) != 0)
		return 0;
	return activate_check_sequence(remote_last_sequence(r), seq, e);
}

/*
 * An older build never overtakes a newer one.  A host in C looks for itself,
 * under its lock; for the sh verbs the journal's size tells that nothing has
 * happened since this was found out.  That it is frozen comes first.
 */
static int
check_sequence(const struct remote *r, const struct remote_activate *o,
    struct err *e)
{
	const struct release_id *to =
	    o->stands_for != NULL ? o->stands_for : o->id;
	const struct meta *meta = remote_meta(r, to);
	struct err why = ERR_INIT;

	if (!r->script || meta == NULL ||
	    (r->frozen && (o->overrides & OVERRIDE_FREEZE) == 0) ||
	    (o->overrides & OVERRIDE_ORDER) != 0 ||
	    (o->action != JOURNAL_ACTIVATE &&
		history_was_live(&r->view.history, to)) ||
	    release_id_eq(&r->view.current, to) ||
	    activate_check_sequence(remote_last_sequence(r), meta->seq,
		&why) == 0)
		return 0;
	/* A freeze is told before that, as the host would. */
	return remote_check_guards(r, meta->seq, o->overrides, e);
}

/* Send the request, when the sequence allows it. */
static int
begin(struct remote *r, const struct remote_activate *o, int64_t deadline,
    struct err *e)
{
	struct strvec args = STRVEC_INIT;
	int c = check_sequence(r, o, e);

	remote_disarm(r);
	r->flipping = *o->id;
	add_args(r, o, deadline, &args);
	if (c == 0)
		c = ask(r, "activate", &args, e);
	strvec_release(&args);
	return c;
}

int
remote_arm(struct remote *r, const struct remote_activate *o, int64_t deadline,
    struct err *e)
{
	struct wire_line l;

	if (begin(r, o, deadline, e) != 0 ||
	    ask_expect(r, "armed", &l, ask_answer_ms(r), e) != 0)
		return -1;
	r->armed = true;
	return 0;
}

int
remote_hold(struct remote *r, struct err *e)
{
	ask_allow(r, 2 * ask_work_ms(r));
	return ask_write(r, "wait\n", 5, e);
}

int
remote_go(struct remote *r, struct err *e)
{
	return ask_write(r, "go\n", 3, e);
}

/* A line of the answer to an activation.  0; -1 when it makes no sense. */
static int
on_flip(struct remote *r, const struct wire_line *l, struct err *e)
{
	if (strcmp(l->key, "live") == 0) {
		if (strcmp(l->value, r->flipping.text) != 0)
			return ask_wrong(r, l->value, e);
		r->live_at = clock_us();
		r->stale = true;
	} else if (strcmp(l->key, "changed") == 0) {
		r->was_live = strcmp(l->value, "0") == 0;
	} else if (strcmp(l->key, "took") == 0) {
		r->took = number_or(l->value, 0, INT64_MAX, -1);
	} else if (strcmp(l->key, "hook") == 0) {
		r->hook_runs = true;
	} else if (strcmp(l->key, "journal-size") == 0) {
		r->journal_size = number_or(l->value, 0, INT64_MAX, -1);
	}
	return 0;
}

/*
 * Read the answer to its end, or until a hook begins.  A host that flips says
 * that the release is live: "ok" alone is no flip.
 */
static int
read_flip(struct remote *r, bool flips, int64_t timeout, struct err *e)
{
	struct wire_line l;
	int c = 1;

	r->took = r->live_at = 0;
	r->was_live = false;
	while (c > 0 && !r->hook_runs) {
		c = ask_line(r, &l, timeout, e);
		if (c > 0 && on_flip(r, &l, e) != 0)
			c = -1;
	}
	r->armed = false;
	if (c >= 0 && flips && r->live_at == 0) {
		r->hook_runs = false;
		return ask_wrong(r, c > 0 ? l.key : "ok", e);
	}
	return c < 0 ? -1 : 0;
}

int
remote_went(struct remote *r, int64_t timeout, struct err *e)
{
	return read_flip(r, true, timeout, e);
}

void
remote_disarm(struct remote *r)
{
	struct err ignored = ERR_INIT;

	/* It may need a moment to clean up. */
	if (r->armed && ask_write(r, "disarm\n", 7, &ignored) == 0)
		err_ignore(ask_rest(r, DISARM_MS, NULL, NULL, &ignored));
	if (r->hook_runs)
		ask_hang_up(r);
	r->armed = r->hook_runs = false;
}

/* What came of the hook that runs; "": all is well. */
static int
hear_hook(struct remote *r, struct buf *failure, struct err *e)
{
	int64_t timeout = r->waits.hook * 1000 + ask_answer_ms(r);
	struct wire_line l;
	int c;

	ask_allow(r, timeout);
	while ((c = ask_line(r, &l, timeout, e)) > 0)
		if (strcmp(l.key, "hook-failed") == 0)
			buf_adds(failure, l.value);
	return c;
}

void
remote_await_hook(struct remote *r)
{
	struct buf failure = BUF_INIT;
	struct err e = ERR_INIT;

	if (!r->hook_runs)
		return;
	if (hear_hook(r, &failure, &e) != 0)
		buf_addf(&failure, "the outcome of its hook is not known: %s",
		    e.text);
	r->hook_runs = false;
	free(r->hook_failure);
	r->hook_failure = failure.len > 0 ? buf_detach(&failure) : NULL;
	buf_release(&failure);
}

int
remote_activate(struct remote *r, const struct remote_activate *o,
    struct err *e)
{
	return begin(r, o, 0, e) == 0 ?
	    read_flip(r, !o->preview, ask_answer_ms(r), e) :
	    -1;
}

int
remote_note_verified(struct remote *r, const struct release_id *id,
    struct err *e)
{
	const struct journal_line line = { .to = *id,
		.time = clock_now(),
		.who = r->caller->who,
		.job = r->caller->job };
	struct strvec args = STRVEC_INIT;
	struct buf text = BUF_INIT;
	int c;

	strvec_addf(&args, "--id=%s", id->text);
	strvec_add(&args, "--verified");
	if (r->script) {
		journal_print_verified(&line, &text);
		strvec_addf(&args, "--line=%s", buf_str(&text));
	}
	c = ask_all(r, "activate", &args, NULL, NULL, e);
	buf_release(&text);
	strvec_release(&args);
	r->verified = c == 0;
	r->stale = true;
	return c;
}
