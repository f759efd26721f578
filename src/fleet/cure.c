#include "fleet/cure.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/quote.h"

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

/* The same command again, without those that failed. */
static void
add_again(const struct fleet *f, struct buf *out)
{
	buf_adds(out, f->caller->line);
	for (size_t i = 0; i < f->n; i++) {
		if (!f->v[i].failed)
			continue;
		buf_adds(out, " --skip");
		quote_add(out, f->v[i].host->label);
	}
	buf_adds(out, f->caller->rest);
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
	/* The host has said what helps; all that is asked about is well. */
	if (e->phase == PHASE_ANSWER && e->cure > 0)
		return -1;
	err_append(e, ";; to find out more, run: ");
	return cure_append(f, e, "doctor", NULL);
}

int
cure_failed(const struct fleet *f, struct err *e)
{
	if (e->code == ERR_FAILED || e->code == ERR_GUARD)
		append_again(f, e);
	return -1;
}

int
cure_differ(const struct fleet *f, const bool *odd, struct err *e)
{
	size_t good = 0;

	while (good < f->n && odd[good])
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

	if (e->sys != ENOSPC)
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
