#include "cmd/opt.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/duration.h"
#include "base/nearest.h"
#include "base/number.h"
#include "os/caller.h"

static const struct opt catalogue[] = {
	{ OPT_CONFIG, 'c', "config", "FILE",
	    "configuration (default: $DEPLOY_CONFIG, else deploy.yml here or "
	    "above)" },
	{ OPT_SITE, 's', "site", "SITE", "the site of the configuration" },
	{ OPT_ROOT, '\0', "root", "DIR",
	    "work on this root, without a configuration" },
	{ OPT_HOST, '\0', "host", "HOST",
	    "only this host of the site; may be repeated" },
	{ OPT_JSON, '\0', "json", NULL, "print one JSON document" },
	{ OPT_DRY_RUN, 'n', "dry-run", NULL,
	    "say what would happen, change nothing" },
	{ OPT_QUIET, 'q', "quiet", NULL, "only warnings and errors" },
	{ OPT_VERBOSE, 'v', "verbose", NULL, "more details" },
	{ OPT_HELP, 'h', "help", NULL, "show this help" },
	{ OPT_VERSION, 'V', "version", NULL, "show the version" },
	{ OPT_LOCK_WAIT, '\0', "lock-wait", "TIME",
	    "wait so long for the lock (default 60s)" },
	{ OPT_TIMEOUT, '\0', "timeout", "TIME",
	    "give up on a host that is silent for so long (default 60s)" },
	{ OPT_MESSAGE, 'm', "message", "TEXT", "a note to remember" },
	{ OPT_COMMIT, '\0', "commit", "ID",
	    "commit of the build (default: the CI's)" },
	{ OPT_SEQ, '\0', "seq", "N",
	    "sequence number of the build (default: the CI's run number)" },
	{ OPT_EXCLUDE, '\0', "exclude", "PATTERN",
	    "leave out what matches; may be repeated" },
	{ OPT_OVERRIDE, '\0', "override", "GUARDS",
	    "set these guards aside, and no others" },
	{ OPT_AGAIN, '\0', "again", NULL,
	    "a new release, though nothing has changed" },
	{ OPT_STRIP, '\0', "strip", NULL,
	    "drop the leading directory of an archive" },
	{ OPT_EXPECT, '\0', "expect", "RELEASE",
	    "refuse if another release is live" },
	{ OPT_KEEP, '\0', "keep", "N",
	    "keep the N newest releases that were live (default 5)" },
	{ OPT_OLDER_THAN, '\0', "older-than", "TIME",
	    "keep what is younger than that" },
	{ OPT_FOR, '\0', "for", "TIME", "thaw by itself after that time" },
	{ OPT_LIMIT, '\0', "limit", "N", "the N newest only" },
	{ OPT_ALLOW, '\0', "allow", "VERBS",
	    "only these verbs, separated by commas" },
	{ OPT_NO_CHECK, '\0', "no-check", NULL,
	    "do not ask the web servers afterwards" },
	{ OPT_RELEASE, '\0', "release", "RELEASE",
	    "no build, but this one, on the hosts that lack it" },
	{ OPT_BUILD, '\0', "build", NULL,
	    "run the build command of the site first" },
	{ OPT_UPDATE, '\0', "update", NULL,
	    "run the update command of the site before that" },
	{ OPT_PRIORITY, '\0', "priority", "N",
	    "higher is sooner (default 0)" },
	{ OPT_REF, '\0', "ref", "REF",
	    "the commit or branch to build (default: the CI's)" },
	{ OPT_REASON, '\0', "reason", "TEXT", "why; a note to remember" },
	{ OPT_WAIT, '\0', "wait", NULL,
	    "wait for the end of the build, whose status is the status" },
	{ OPT_ONCE, '\0', "once", NULL, "end when nothing is left to do" },
	{ OPT_JOBS, '\0', "jobs", "N", "so many sites side by side" },
	{ OPT_FIFO, '\0', "fifo", "PATH",
	    "read names of sites from this FIFO, too" },
};

enum { N_OPTS = sizeof(catalogue) / sizeof(catalogue[0]) };

const struct opt *
opt_find(enum opt_id id)
{
	for (size_t i = 0; i < N_OPTS; i++)
		if (catalogue[i].id == id)
			return &catalogue[i];
	BUG("an option that is not in the catalogue");
}

void
opts_release(struct opts *o)
{
	strvec_release(&o->hosts);
	strvec_release(&o->exclude);
	strvec_release(&o->override);
	strvec_release(&o->args);
}

/* A whole number >= `least`. */
static int
set_number(int64_t *out, const struct opt *op, const char *value,
    int64_t least, struct err *e)
{
	if (number_parse(value, least, INT64_MAX, out))
		return 0;
	return err_set(e, ERR_USAGE,
	    "--%s wants a whole number of at least "
	    "%lld, not '%s'",
	    op->name, (long long)least, value);
}

static int
set_sequence(int64_t *out, const struct opt *op, const char *value,
    struct err *e)
{
	if (set_number(out, op, value, 0, e) != 0)
		return -1;
	if (*out <= CALLER_SEQ_MAX)
		return 0;
	return err_set(e, ERR_USAGE, "--%s wants at most %lld, not '%s'",
	    op->name, (long long)CALLER_SEQ_MAX, value);
}

int
opt_priority(const char *value, int64_t *out, struct err *e)
{
	if (!number_parse(value, -OPT_PRIORITY_MAX, OPT_PRIORITY_MAX, out))
		return err_set(e, ERR_USAGE,
		    "a priority is a whole number "
		    "from -%d to %d, not '%s'",
		    OPT_PRIORITY_MAX, OPT_PRIORITY_MAX, value);
	return 0;
}

static int
set_duration(int64_t *out, const struct opt *op, const char *value,
    struct err *e)
{
	if (duration_parse(value, out, e) != 0)
		return err_prefix(e, "--%s: ", op->name);
	return 0;
}

/* A time that is not none; 0 stands for "not given". */
static int
set_some_time(int64_t *out, const struct opt *op, const char *value,
    struct err *e)
{
	if (set_duration(out, op, value, e) != 0)
		return -1;
	if (*out > 0)
		return 0;
	return err_set(e, ERR_USAGE, "--%s wants more than no time", op->name);
}

static void
set_flag(struct opts *o, enum opt_id id)
{
	switch (id) {
	case OPT_JSON:
		o->json = true;
		break;
	case OPT_DRY_RUN:
		o->dry_run = true;
		break;
	case OPT_QUIET:
		o->quiet = true;
		break;
	case OPT_VERBOSE:
		o->verbose = true;
		break;
	case OPT_HELP:
		o->help = true;
		break;
	case OPT_VERSION:
		o->version = true;
		break;
	case OPT_NO_CHECK:
		o->no_check = true;
		break;
	case OPT_AGAIN:
		o->again = true;
		break;
	case OPT_STRIP:
		o->strip = true;
		break;
	case OPT_BUILD:
		o->build = true;
		break;
	case OPT_UPDATE:
		o->update = true;
		break;
	case OPT_WAIT:
		o->wait = true;
		break;
	case OPT_ONCE:
		o->once = true;
		break;
	default:
		BUG("a flag that nobody sets");
	}
}

static int
set_value(struct opts *o, const struct opt *op, const char *value,
    struct err *e)
{
	switch (op->id) {
	case OPT_CONFIG:
		o->config = value;
		break;
	case OPT_SITE:
		o->site = value;
		break;
	case OPT_ROOT:
		o->root = value;
		break;
	case OPT_MESSAGE:
		o->message = value;
		break;
	case OPT_COMMIT:
		o->commit = value;
		break;
	case OPT_EXPECT:
		o->expect = value;
		break;
	case OPT_RELEASE:
		o->release = value;
		break;
	case OPT_ALLOW:
		o->allow = value;
		break;
	case OPT_HOST:
		strvec_add(&o->hosts, value);
		break;
	case OPT_REF:
		o->ref = value;
		break;
	case OPT_REASON:
		o->reason = value;
		break;
	case OPT_FIFO:
		o->fifo = value;
		break;
	case OPT_PRIORITY:
		return opt_priority(value, &o->priority, e);
	case OPT_JOBS:
		return set_number(&o->jobs, op, value, 1, e);
	case OPT_OVERRIDE:
		strvec_add(&o->override, value);
		break;
	case OPT_EXCLUDE:
		strvec_add(&o->exclude, value);
		break;
	case OPT_LOCK_WAIT:
		return set_duration(&o->lock_wait, op, value, e);
	case OPT_OLDER_THAN:
		return set_duration(&o->older_than, op, value, e);
	case OPT_TIMEOUT:
		return set_some_time(&o->timeout, op, value, e);
	case OPT_FOR:
		return set_some_time(&o->duration, op, value, e);
	case OPT_SEQ:
		return set_sequence(&o->seq, op, value, e);
	case OPT_KEEP:
		return set_number(&o->keep, op, value, 1, e);
	case OPT_LIMIT:
		return set_number(&o->limit, op, value, 1, e);
	default:
		BUG("an option that nobody sets");
	}
	return 0;
}

/* The allowed option of that name (`len` bytes) or letter, or NULL. */
static const struct opt *
lookup(const enum opt_id *allowed, const char *name, size_t len, char letter)
{
	for (; *allowed != OPT_END; allowed++) {
		const struct opt *op = opt_find(*allowed);

		if (name == NULL ? op->letter == letter :
				   strlen(op->name) == len &&
			    memcmp(op->name, name, len) == 0)
			return op;
	}
	return NULL;
}

/* Is it an option at all? */
static bool
is_known(const char *name)
{
	for (size_t i = 0; i < N_OPTS; i++)
		if (strcmp(catalogue[i].name, name) == 0)
			return true;
	return false;
}

/* There is no such option here; say which one was meant. */
static int
unknown(const enum opt_id *allowed, const char *word, struct err *e)
{
	const char *names[OPT_COUNT + 1], *near;
	char name[64];
	size_t n = 0;

	for (; *allowed != OPT_END; allowed++)
		names[n++] = opt_find(*allowed)->name;
	names[n] = NULL;
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(word + 1, "=") - 1,
	    word + 2);
	near = word[1] == '-' ? nearest_word(name, names) : NULL;
	err_set(e, ERR_USAGE, "unknown option '%s'", word);
	if (word[1] == '-' && is_known(name))
		err_append(e, "; it belongs to other commands");
	else if (near != NULL)
		err_append(e, "; did you mean '--%s'?", near);
	return -1;
}

/* "--name", "--name=value" or "--name value".  Words used, or -1. */
static int
parse_long(struct opts *o, int left, char *const *argv,
    const enum opt_id *allowed, struct err *e)
{
	const char *name = argv[0] + 2, *eq = strchr(name, '=');
	size_t len = eq != NULL ? (size_t)(eq - name) : strlen(name);
	const struct opt *op = lookup(allowed, name, len, '\0');

	if (op == NULL)
		return unknown(allowed, argv[0], e);
	if (op->arg == NULL) {
		if (eq != NULL)
			return err_set(e, ERR_USAGE, "--%s takes no value",
			    op->name);
		set_flag(o, op->id);
		return 1;
	}
	if (eq == NULL && left < 2)
		return err_set(e, ERR_USAGE, "--%s wants a value: --%s=%s",
		    op->name, op->name, op->arg);
	if (set_value(o, op, eq != NULL ? eq + 1 : argv[1], e) != 0)
		return -1;
	return eq != NULL ? 1 : 2;
}

/* "-nq", "-mTEXT" or "-m TEXT".  Words used, or -1. */
static int
parse_short(struct opts *o, int left, char *const *argv,
    const enum opt_id *allowed, struct err *e)
{
	for (const char *p = argv[0] + 1; *p != '\0'; p++) {
		const struct opt *op = lookup(allowed, NULL, 0, *p);
		const char word[3] = { '-', *p, '\0' };

		if (op == NULL)
			return unknown(allowed, word, e);
		if (op->arg == NULL) {
			set_flag(o, op->id);
			continue;
		}
		if (p[1] == '\0' && left < 2)
			return err_set(e, ERR_USAGE,
			    "-%c wants a value: "
			    "-%c %s",
			    *p, *p, op->arg);
		if (set_value(o, op, p[1] != '\0' ? p + 1 : argv[1], e) != 0)
			return -1;
		return p[1] != '\0' ? 1 : 2;
	}
	return 1;
}

int
opt_parse(struct opts *o, int argc, char *const *argv,
    const enum opt_id *allowed, bool stop, struct err *e)
{
	bool only_args = false;
	int i = 0, n;

	while (i < argc) {
		if (only_args || argv[i][0] != '-' || argv[i][1] == '\0') {
			if (stop)
				return i;
			strvec_add(&o->args, argv[i++]);
			continue;
		}
		if (strcmp(argv[i], "--") == 0) {
			only_args = true;
			i++;
			continue;
		}
		n = argv[i][1] == '-' ?
		    parse_long(o, argc - i, argv + i, allowed, e) :
		    parse_short(o, argc - i, argv + i, allowed, e);
		if (n < 0)
			return -1;
		i += n;
	}
	return i;
}
