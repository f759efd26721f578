#include "fleet/cure.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/quote.h"
#include "os/intr.h"

/* The options that say for which site and hosts the verb is. */
static const char *
options_of(const struct caller *c, const char *verb)
{
	/* It is for all hosts, whichever this command was for. */
	if (strncmp(verb, "sync", 4) == 0)
		return c->all;
	/* It names its host, and is for no other. */
	if (strstr(verb, "--host") != NULL)
		return c->site;
	return c->where;
}

void
cure_add(const struct fleet *f, struct buf *out, const char *verb,
    const char *word)
{
	const char *where = options_of(f->caller, verb);

	buf_addf(out, "deploy %s", verb);
	if (word != NULL)
		quote_add(out, word);
	buf_adds(out, where != NULL ? where : "");
}

int
cure_append(const struct fleet *f, struct err *e, const char *verb,
    const char *word)
{
	struct buf command = BUF_INIT;

	cure_add(f, &command, verb, word);
	err_append(e, "%s", command.data);
	buf_release(&command);
	return -1;
}

/* Is the first word of the command one of these, of which the last is NULL? */
static bool
is_one_of(const char *verb, const char *const *names)
{
	size_t len = strcspn(verb, " '");

	while (*names != NULL &&
	    (strlen(*names) != len || strncmp(*names, verb, len) != 0))
		names++;
	return *names != NULL;
}

/* Is it a command that wants no site, but the file? */
static bool
is_of_file(const char *verb)
{
	static const char *const names[] = { "config", "enqueue", "jobs",
		"worker", NULL };

	return is_one_of(verb, names);
}

/* What the command lacks, of which `len` bytes are given: options, or "". */
static const char *
lacking(const struct caller *c, const char *verb, size_t len)
{
	static const char *const alone[] = { "completion", "help", "host",
		"version", NULL };

	/* It says for itself which site, or only how it is used. */
	for (const char *p = verb; p + 2 < verb + len; p++)
		if (strncmp(p, " -h", 3) == 0 || strncmp(p, " -c", 3) == 0 ||
		    strncmp(p, " -s", 3) == 0 || strncmp(p, " --root", 7) == 0)
			return "";
	if (*verb == ' ' || *verb == '\'' || is_one_of(verb, alone))
		return "";
	if (is_of_file(verb))
		return c->file != NULL ? c->file : "";
	return options_of(c, verb);
}

/* Where the next command begins, behind "deploy "; NULL: there is none. */
static const char *
next_command(const char *text)
{
	static const char *const marks[] = { "'deploy ", "run: deploy " };
	const char *next = NULL;

	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
		const char *p = strstr(text, marks[i]);

		if (p != NULL && (next == NULL || p < next))
			next = p + strlen(marks[i]);
	}
	return next;
}

const char *
cure_complete(const struct caller *c, const char *text, struct buf *out)
{
	const char *at = text, *verb, *end;

	if (c->where == NULL || *c->where == '\0')
		return text;
	for (; (verb = next_command(at)) != NULL; at = end) {
		bool quoted = verb[-(int)strlen("'deploy ")] == '\'';

		end = verb + strcspn(verb, quoted ? "'" : "'; ");
		buf_add(out, at, (size_t)(end - at));
		/* What is not quoted has the options of a site behind it. */
		if (quoted ? *end != '\0' : *end != ' ')
			buf_adds(out, lacking(c, verb, (size_t)(end - verb)));
		else if (!quoted && is_of_file(verb))
			buf_adds(out, lacking(c, verb, strcspn(verb, ";")));
	}
	buf_adds(out, at);
	return out->len > strlen(text) ? out->data : text;
}

void
cure_complete_error(const struct caller *c, struct err *e)
{
	struct buf whole = BUF_INIT;
	const char *cure = err_cure(e);

	if (cure_complete(c, cure, &whole) != cure) {
		err_drop_cure(e);
		err_append(e, ";; %s", whole.data);
	}
	buf_release(&whole);
}

/* The same command again, without those that failed, and not as one of them. */
static void
add_again(const struct fleet *f, struct buf *out)
{
	const struct caller *c = f->caller;
	const char *rest = c->rest;

	buf_adds(out, c->line);
	for (size_t i = 0; i < f->n; i++) {
		if (!f->v[i].failed)
			continue;
		buf_adds(out, " --skip");
		quote_add(out, f->v[i].host->label);
		if (c->from != NULL &&
		    strcmp(c->from, f->v[i].host->label) == 0)
			rest = c->without_from;
	}
	buf_adds(out, rest);
}

int
cure_check(const struct fleet *f, struct err *e)
{
	const struct caller *c = f->caller;

	if (c->line != NULL)
		err_append(e,
		    ";; if only the check cannot work, run: %s --no-check%s",
		    c->line, c->rest);
	return -1;
}

/* Append it, when the command can, and hosts are left. */
static bool
append_again(const struct fleet *f, struct err *e)
{
	struct buf again = BUF_INIT;
	size_t failed = 0;

	/* No host is at fault after a signal. */
	if (intr_came())
		return false;
	for (size_t i = 0; i < f->n; i++)
		failed += f->v[i].failed;
	if (failed == 0 || failed == f->n || !f->caller->may_skip)
		return false;
	add_again(f, &again);
	err_append(e, ";; to go on without %s, run: %s",
	    failed > 1 ? "them" : "it", again.data);
	buf_release(&again);
	return true;
}

int
cure_unreachable(const struct fleet *f, struct err *e)
{
	if (append_again(f, e))
		return -1;
	/* What helps is known. */
	if (e->cure > 0)
		return -1;
	err_append(e, ";; to find out more, run: ");
	return cure_append(f, e, "doctor", NULL);
}

/* Would those that failed fail again? */
static bool
is_refusal(const struct err *e)
{
	return e->code == ERR_FAILED || e->code == ERR_GUARD;
}

int
cure_failed(const struct fleet *f, struct err *e)
{
	if (is_refusal(e))
		append_again(f, e);
	return -1;
}

int
cure_half_done(const struct fleet *f, struct err *e)
{
	if (!is_refusal(e) || !append_again(f, e))
		err_append(e, ";; to finish, run: %s%s", f->caller->line,
		    f->caller->rest);
	e->code = ERR_DIFFER;
	return -1;
}

int
cure_differ(const struct fleet *f, const bool *odd, struct err *e)
{
	size_t good = 0;

	/* One that serves nothing is no example. */
	while (good < f->n &&
	    (odd[good] || release_id_is_none(&f->v[good].before)))
		good++;
	if (good == f->n) {
		err_append(e, ";; to see what is live where, run: ");
		return cure_append(f, e, "status", NULL);
	}
	err_append(e, ";; to make all serve what %s serves, run: ",
	    f->v[good].host->label);
	return cure_append(f, e, "sync --from", f->v[good].host->label);
}

int
cure_room(const struct fleet *f, const struct remote *r, struct err *e)
{
	unsigned int keep;
	char verb[32];

	/* What there is may not have been asked for. */
	if (e->sys != ENOSPC || r->metas == NULL)
		return -1;
	keep = remote_keep_that_frees(r);
	err_drop_cure(e);
	if (keep == 0)
		return err_append(e,
		    ";; no release there can be pruned (see 'deploy list'): make room");
	snprintf(verb, sizeof(verb), "prune --keep %u", keep);
	err_append(e, ";; make room, or run: ");
	return cure_append(f, e, verb, NULL);
}
