#include "cmd/opt.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/duration.h"
#include "base/nearest.h"
#include "base/number.h"
#include "base/path.h"
#include "cmd/habit.h"
#include "config/config.h"
#include "os/caller.h"

#define ANY INT64_MAX

/* Bytes of a note: a request has it twice, with what escapes take. */
enum { NOTE_MAX = 16 * 1024 };

/* The field of struct opts; a kind that is not for its type is no constant. */
#define FIELD(type, name) \
	(offsetof(struct opts, name) + \
	    0 * sizeof(char[_Generic(((struct opts *)0)->name, type : 1)]))

#define FLAG(name) OPT_KIND_FLAG, FIELD(bool, name), 0, 0, NULL
#define TEXT(name, arg) OPT_KIND_TEXT, FIELD(const char *, name), 0, 0, arg
#define NOTE(name, max, arg) \
	OPT_KIND_NOTE, FIELD(const char *, name), 0, max, arg
#define TEXTS(name, arg) OPT_KIND_TEXTS, FIELD(struct strvec, name), 0, 0, arg
#define PATTERNS(name, arg) \
	OPT_KIND_PATTERNS, FIELD(struct strvec, name), 0, 0, arg
#define NUMBER(name, min, max) \
	OPT_KIND_NUMBER, FIELD(int64_t, name), min, max, "N"
#define TIME(name, min, max) \
	OPT_KIND_TIME, FIELD(int64_t, name), min, max, "TIME"

/* clang-format off */
static const struct opt catalogue[OPT_COUNT] = {
	[OPT_CONFIG] = { "config", 'c', TEXT(config, "FILE"),
	    "configuration ($DEPLOY_CONFIG, else deploy.yml)" },
	[OPT_SITE] = { "site", 's', TEXTS(sites, "SITE"),
	    "which site of the configuration" },
	[OPT_ROOT] = { "root", '\0', TEXT(root, "DIR"),
	    "work on this root, without a configuration" },
	[OPT_HOST] = { "host", '\0', TEXTS(hosts, "HOST"),
	    "only on this host; may be repeated" },
	[OPT_SKIP] = { "skip", '\0', TEXTS(skip, "HOST"),
	    "go on without this host; may be repeated" },
	[OPT_JSON] = { "json", '\0', FLAG(json),
	    "print one JSON document" },
	[OPT_DRY_RUN] = { "dry-run", 'n', FLAG(dry_run),
	    "say what would happen, and change nothing" },
	[OPT_QUIET] = { "quiet", 'q', FLAG(quiet),
	    "print only warnings and errors" },
	[OPT_VERBOSE] = { "verbose", 'v', FLAG(verbose),
	    "print more details" },
	[OPT_HELP] = { "help", 'h', FLAG(help),
	    "show this help" },
	[OPT_VERSION] = { "version", 'V', FLAG(version),
	    "show the version" },
	[OPT_LOCK_WAIT] = { "lock-wait", '\0', TIME(lock_wait, 0, CONFIG_WAIT_MAX),
	    "how long to wait for a lock (default 60s)" },
	[OPT_TIMEOUT] = { "timeout", '\0', TIME(timeout, 1, ANY),
	    "how long a host may be silent (default 60s)" },
	[OPT_MESSAGE] = { "message", 'm', NOTE(message, NOTE_MAX, "TEXT"),
	    "a note, for list, status and log" },
	[OPT_COMMIT] = { "commit", '\0', NOTE(commit, CALLER_WORD_MAX, "ID"),
	    "the commit that was built (default: from CI)" },
	[OPT_SEQ] = { "seq", '\0', OPT_KIND_SEQ, FIELD(int64_t, seq), 0,
	    CALLER_SEQ_MAX, "SEQ",
	    "the number of the build (default: from CI), or auto" },
	[OPT_EXCLUDE] = { "exclude", '\0', PATTERNS(exclude, "PATTERN"),
	    "leave out what matches; may be repeated" },
	[OPT_OVERRIDE] = { "override", '\0', TEXTS(override, "GUARDS"),
	    "set only these guards aside" },
	[OPT_AGAIN] = { "again", 'f', FLAG(again),
	    "make a new release even if nothing has changed" },
	[OPT_STRIP] = { "strip", '\0', FLAG(strip),
	    "drop the leading directory of an archive" },
	[OPT_CONTENT] = { "content", '\0', FLAG(content),
	    "leave out what changed alike on half of all pages" },
	[OPT_EXPECT] = { "expect", '\0', TEXT(expect, "RELEASE"),
	    "refuse unless this release is live now" },
	[OPT_KEEP] = { "keep", '\0', NUMBER(keep, 1, CONFIG_KEEP_MAX),
	    "keep the N newest that were live (default 5)" },
	[OPT_OLDER_THAN] = { "older-than", '\0', TIME(older_than, 0, ANY),
	    "also keep what was staged within that time" },
	[OPT_FOR] = { "for", '\0', TIME(duration, 1, ANY),
	    "end by itself after that time" },
	[OPT_LIMIT] = { "limit", '\0', NUMBER(limit, 1, ANY),
	    "only the N newest" },
	[OPT_REPAIR] = { "repair", '\0', FLAG(repair),
	    "mend damage from releases and hosts that are intact" },
	[OPT_ALLOW] = { "allow", '\0', TEXT(allow, "VERBS"),
	    "allow only these verbs, separated by commas" },
	[OPT_NO_CHECK] = { "no-check", '\0', FLAG(no_check),
	    "do not ask the web servers afterwards" },
	[OPT_FROM] = { "from", '\0', TEXT(from, "HOST"),
	    "take what this host serves as right" },
	[OPT_BUILD] = { "build", '\0', FLAG(build),
	    "run the build command of the site first" },
	[OPT_UPDATE] = { "update", '\0', FLAG(update),
	    "run the update command of the site before the build" },
	[OPT_PRIORITY] = { "priority", '\0', NUMBER(priority,
	    -OPT_PRIORITY_MAX, OPT_PRIORITY_MAX),
	    "a job with a higher number comes first (default 0)" },
	[OPT_REF] = { "ref", '\0', TEXT(ref, "REF"),
	    "what to build: a commit, a branch or a tag" },
	[OPT_ITEM] = { "item", '\0', TEXTS(items, "ITEM"),
	    "build only this; - reads lines; may be repeated" },
	[OPT_REASON] = { "reason", '\0', TEXT(reason, "TEXT"),
	    "why; becomes the note of the release" },
	[OPT_WAIT] = { "wait", '\0', FLAG(wait),
	    "wait for the build, and exit with its status" },
	[OPT_ONCE] = { "once", '\0', FLAG(once),
	    "end when nothing is left to do" },
	[OPT_JOBS] = { "jobs", '\0', NUMBER(jobs, 1, CONFIG_JOBS_MAX),
	    "do this many jobs at once" },
	[OPT_FIFO] = { "fifo", '\0', TEXT(fifo, "PATH"),
	    "also read names of sites from this FIFO" },
	[OPT_PREVIEW] = { "preview", '\0', TEXT(preview, "NAME"),
	    "show it under this name, not live" },
	[OPT_REMOVE] = { "remove", '\0', FLAG(remove),
	    "remove the preview" },
	[OPT_FOLLOW] = { "follow", '\0', FLAG(follow),
	    "print the log as it grows, until the job ends" },
	[OPT_SCRIPT] = { "script", '\0', TEXT(script, "HOST"),
	    "print what root has to run on a new host" },
	[OPT_KNOWN_HOSTS] = { "known-hosts", '\0', FLAG(known_hosts),
	    "print the keys that the hosts show, for known_hosts" },
	[OPT_UTC] = { "utc", '\0', FLAG(utc),
	    "show times, not ages, on a terminal, too" },
	[OPT_LONG] = { "long", '\0', FLAG(whole),
	    "cut no lines and shorten no ids" },
	[OPT_SCHEMA] = { "schema", '\0', FLAG(schema),
	    "print the JSON Schema of deploy.yml, for editors" },
	[OPT_HOOKS] = { "hooks", '\0', FLAG(hooks),
	    "write hooks for webhook(1), for pushes to all sites" },
	[OPT_FILE] = { "file", '\0', TEXT(file, "PATH"),
	    "write to this file, and print nothing" },
};
/* clang-format on */

const struct opt *
opt_find(enum opt_id id)
{
	if (id <= OPT_END || id >= OPT_COUNT)
		BUG("an option that is not in the catalogue");
	return &catalogue[id];
}

void
opts_release(struct opts *o)
{
	strvec_release(&o->sites);
	strvec_release(&o->items);
	strvec_release(&o->hosts);
	strvec_release(&o->skip);
	strvec_release(&o->exclude);
	strvec_release(&o->override);
	strvec_release(&o->args);
}

int
opt_number(const char *what, const char *value, int64_t min, int64_t max,
    int64_t *out, struct err *e)
{
	if (number_parse(value, min, max, out))
		return 0;
	if (max == ANY)
		return err_set(e, ERR_USAGE,
		    "%s wants a whole number of at least %lld, not '%s'", what,
		    (long long)min, value);
	return err_set(e, ERR_USAGE,
	    "%s wants a whole number from %lld to %lld, not '%s'", what,
	    (long long)min, (long long)max, value);
}

static int
set_number(int64_t *out, const struct opt *op, const char *value,
    struct err *e)
{
	char what[32];

	snprintf(what, sizeof(what), "--%s", op->name);
	return opt_number(what, value, op->min, op->max, out, e);
}

/* A number, or the word for none. */
static int
set_seq(int64_t *out, const struct opt *op, const char *value, struct err *e)
{
	if (strcmp(value, "auto") == 0) {
		*out = OPT_SEQ_AUTO;
		return 0;
	}
	if (set_number(out, op, value, e) == 0)
		return 0;
	return err_append(e, ";; 'auto' orders builds by their commits");
}

static int
set_time(int64_t *out, const struct opt *op, const char *value, struct err *e)
{
	if (duration_parse(value, out, e) != 0)
		return err_prefix(e, "--%s: ", op->name);
	if (*out < op->min)
		return err_set(e, ERR_USAGE, "--%s wants more than 0 s",
		    op->name);
	if (*out > op->max)
		return err_set(e, ERR_USAGE,
		    "--%s wants at most %lld s, not '%s'", op->name,
		    (long long)op->max, value);
	return 0;
}

/* A text that the hosts are told. */
static int
set_note(const char **out, const struct opt *op, const char *value,
    struct err *e)
{
	*out = value;
	if (strlen(value) <= (size_t)op->max)
		return 0;
	return err_set(e, ERR_USAGE,
	    "--%s is longer than %lld bytes;; shorten it", op->name,
	    (long long)op->max);
}

/* As in deploy.yml: what can match nothing leaves nothing out. */
static int
add_pattern(struct strvec *out, const struct opt *op, const char *value,
    struct err *e)
{
	if (path_check_pattern(value, e) != 0)
		return err_prefix(e, "--%s: ", op->name);
	strvec_add(out, value);
	return 0;
}

/* Give the option its value; NULL for a flag. */
static int
set(struct opts *o, const struct opt *op, const char *value, struct err *e)
{
	void *field = (char *)o + op->field;

	switch (op->kind) {
	case OPT_KIND_FLAG:
		*(bool *)field = true;
		return 0;
	case OPT_KIND_TEXT:
		*(const char **)field = value;
		return 0;
	case OPT_KIND_NOTE:
		return set_note(field, op, value, e);
	case OPT_KIND_TEXTS:
		strvec_add(field, value);
		return 0;
	case OPT_KIND_PATTERNS:
		return add_pattern(field, op, value, e);
	case OPT_KIND_NUMBER:
		return set_number(field, op, value, e);
	case OPT_KIND_SEQ:
		return set_seq(field, op, value, e);
	case OPT_KIND_TIME:
		return set_time(field, op, value, e);
	}
	BUG("an option of no kind");
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
	for (int id = OPT_END + 1; id < OPT_COUNT; id++)
		if (strcmp(catalogue[id].name, name) == 0)
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
	near = word[1] == '-' ? habit_option(name, names) : NULL;
	if (word[1] == '-' && near == NULL)
		near = nearest_word(name, names);
	err_set(e, ERR_USAGE, "unknown option '%s'", word);
	if (word[1] == '-' && is_known(name))
		err_append(e, "; it belongs to other commands");
	else if (near != NULL)
		err_append(e, ";; did you mean '--%s'?", near);
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
		(void)set(o, op, NULL, e);
		return 1;
	}
	if (eq == NULL && left < 2)
		return err_set(e, ERR_USAGE, "--%s wants a value: --%s=%s",
		    op->name, op->name, op->arg);
	if (set(o, op, eq != NULL ? eq + 1 : argv[1], e) != 0)
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
			(void)set(o, op, NULL, e);
			continue;
		}
		if (p[1] == '\0' && left < 2)
			return err_set(e, ERR_USAGE,
			    "-%c wants a value: -%c %s", *p, *p, op->arg);
		if (set(o, op, p[1] != '\0' ? p + 1 : argv[1], e) != 0)
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
