#include "host/option.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/label.h"
#include "base/number.h"
#include "base/path.h"
#include "base/release.h"
#include "base/utf8.h"
#include "os/caller.h"

enum {
	NAME_LEN_MAX = 64, /* in messages */
	WHO_MAX = 1024,
	JOB_MAX = 4096,
	COMMIT_MAX = 1024,
	GROUP_MAX = 256,
	WORD_MAX = 64,
	USES_MAX = 64 * 64,   /* ids and commas */
	TEXT_MAX = 64 * 1024, /* as a whole request */
	DAY = 86400,
	ARMED_MAX = 3600 * 1000, /* ms */
	KEEP_MAX = 1000 * 1000,
};

/* The end of the year 9999, in seconds. */
#define TIME_MAX INT64_C(253402300799)
#define YEARS_100 (INT64_C(100) * 365 * DAY)
/* Sizes: what every reader of JSON takes for a whole number. */
#define SIZE_LIMIT ((INT64_C(1) << 53) - 1)

#define END \
	{ \
		NULL, OPTION_FLAG, 0, 0 \
	}

static const struct option common[] = {
	{ "who", OPTION_TEXT, 0, WHO_MAX },
	{ "job", OPTION_TEXT, 0, JOB_MAX },
	{ "lock-wait", OPTION_NUMBER, 0, DAY },
	END,
};

static const struct option none[] = { END };

static const struct option info[] = {
	{ "full", OPTION_FLAG, 0, 0 },
	{ "unless", OPTION_TEXT, 0, WORD_MAX },
	{ "drift", OPTION_FLAG, 0, 0 },
	{ "sync", OPTION_FLAG, 0, 0 },
	END,
};

static const struct option adopt[] = {
	{ "id", OPTION_ID, 0, 0 },
	{ "mtime", OPTION_NUMBER, 0, TIME_MAX },
	{ "path", OPTION_PATH, 0, PATH_LEN_MAX },
	{ "exclude", OPTION_LINES, 0, TEXT_MAX },
	{ "shared", OPTION_LINES, 0, TEXT_MAX },
	{ "group", OPTION_TEXT, 0, GROUP_MAX },
	{ "check", OPTION_FLAG, 0, 0 },
	END,
};

static const struct option one_release[] = {
	{ "id", OPTION_ID, 0, 0 },
	END,
};

static const struct option verify[] = {
	{ "id", OPTION_ID, 0, 0 },
	{ "repair", OPTION_FLAG, 0, 0 },
	END,
};

static const struct option files[] = {
	{ "id", OPTION_ID, 0, 0 },
	{ "compress", OPTION_TEXT, 0, WORD_MAX },
	{ "bytes", OPTION_NUMBER, 0, SIZE_LIMIT },
	END,
};

static const struct option receive[] = {
	{ "id", OPTION_ID, 0, 0 },
	{ "compress", OPTION_TEXT, 0, WORD_MAX },
	{ "bytes", OPTION_NUMBER, 0, SIZE_LIMIT },
	{ "inodes", OPTION_NUMBER, 0, SIZE_LIMIT },
	{ "group", OPTION_TEXT, 0, GROUP_MAX },
	{ "filled", OPTION_FLAG, 0, 0 },
	{ "base", OPTION_ID, 0, 0 },
	{ "repair", OPTION_ID, 0, 0 },
	{ "manifest", OPTION_FLAG, 0, 0 },
	{ "uses", OPTION_TEXT, 0, USES_MAX },
	END,
};

static const struct option note[] = {
	{ "id", OPTION_ID, 0, 0 },
	{ "seq", OPTION_NUMBER, 0, CALLER_SEQ_MAX },
	{ "commit", OPTION_TEXT, 0, COMMIT_MAX },
	END,
};

static const struct option activate[] = {
	{ "id", OPTION_ID, 0, 0 },
	{ "expect", OPTION_ID_OR_NONE, 0, 0 },
	{ "journal-size", OPTION_NUMBER, 0, SIZE_LIMIT },
	{ "rollback", OPTION_FLAG, 0, 0 },
	{ "revert", OPTION_FLAG, 0, 0 },
	{ "bridge", OPTION_FLAG, 0, 0 },
	{ "verified", OPTION_FLAG, 0, 0 },
	{ "override", OPTION_TEXT, 0, WORD_MAX },
	{ "message", OPTION_TEXT, 0, TEXT_MAX },
	{ "skipped", OPTION_LINES, 0, TEXT_MAX },
	{ "sync", OPTION_FLAG, 0, 0 },
	{ "before", OPTION_LINES, 0, TEXT_MAX },
	{ "left", OPTION_LINES, 0, TEXT_MAX },
	{ "seq", OPTION_NUMBER, 0, CALLER_SEQ_MAX },
	{ "line", OPTION_TEXT, 0, TEXT_MAX },
	{ "check", OPTION_FLAG, 0, 0 },
	{ "armed", OPTION_NUMBER, 0, ARMED_MAX },
	{ "hook-timeout", OPTION_NUMBER, 0, DAY },
	END,
};

static const struct option prune[] = {
	{ "keep", OPTION_NUMBER, 0, KEEP_MAX },
	{ "older-than", OPTION_NUMBER, 0, YEARS_100 },
	{ "remove", OPTION_TEXT, 0, INT64_MAX },
	{ "expect", OPTION_ID_OR_NONE, 0, 0 },
	{ "journal-size", OPTION_NUMBER, 0, SIZE_LIMIT },
	{ "check", OPTION_FLAG, 0, 0 },
	END,
};

static const struct option pin[] = {
	{ "id", OPTION_ID, 0, 0 },
	{ "off", OPTION_FLAG, 0, 0 },
	END,
};

static const struct option preview[] = {
	{ "name", OPTION_TEXT, 0, LABEL_MAX },
	{ "id", OPTION_ID, 0, 0 },
	{ "until", OPTION_NUMBER, 0, TIME_MAX },
	{ "off", OPTION_FLAG, 0, 0 },
	END,
};

static const struct option freeze[] = {
	{ "message", OPTION_TEXT, 0, TEXT_MAX },
	{ "until", OPTION_NUMBER, 0, TIME_MAX * 1000 },
	{ "record", OPTION_TEXT, 0, TEXT_MAX },
	{ "skipped", OPTION_TEXT, 0, TEXT_MAX },
	{ "off", OPTION_FLAG, 0, 0 },
	END,
};

static const struct {
	const char *verb;
	const struct option *options;
} tables[] = {
	{ "info", info },
	{ "probe", none },
	{ "init", none },
	{ "adopt", adopt },
	{ "manifest", one_release },
	{ "files", files },
	{ "signatures", one_release },
	{ "receive", receive },
	{ "note", note },
	{ "activate", activate },
	{ "prune", prune },
	{ "verify", verify },
	{ "journal", none },
	{ "pin", pin },
	{ "preview", preview },
	{ "freeze", freeze },
};

const struct option *
options_of(const char *verb)
{
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		if (strcmp(tables[i].verb, verb) == 0)
			return tables[i].options;
	return NULL;
}

static const struct option *
find_in(const struct option *o, const char *name)
{
	for (; o != NULL && o->name != NULL; o++)
		if (strcmp(o->name, name) == 0)
			return o;
	return NULL;
}

const struct option *
option_of_word(const char *verb, const char *word)
{
	char name[NAME_LEN_MAX];
	size_t len = strcspn(word, "=");
	const struct option *o;

	if (len < 2 || len - 2 >= sizeof(name) || memcmp(word, "--", 2) != 0)
		return NULL;
	memcpy(name, word + 2, len - 2);
	name[len - 2] = '\0';
	o = find_in(options_of(verb), name);
	return o != NULL ? o : find_in(common, name);
}

static int
check_number(const struct option *o, const char *value, struct err *e)
{
	int64_t n;

	if (number_parse(value, o->min, o->max, &n))
		return 0;
	return err_set(e, ERR_USAGE,
	    "--%s wants a number from %lld to %lld, not '%s'", o->name,
	    (long long)o->min, (long long)o->max, value);
}

/* Is the value one of the option's kind?  `verb` is for the message. */
static int
check_value(const char *verb, const struct option *o, const char *value,
    struct err *e)
{
	struct release_id id;

	switch (o->kind) {
	case OPTION_NUMBER:
		return check_number(o, value, e);
	case OPTION_ID:
	case OPTION_ID_OR_NONE:
		if (release_id_parse(&id, value) ||
		    (*value == '\0' && o->kind == OPTION_ID_OR_NONE))
			return 0;
		return err_set(e, ERR_USAGE,
		    "'%s' wants --%s=RELEASE, not '%s'", verb, o->name, value);
	case OPTION_PATH:
		if (*value != '/')
			return err_set(e, ERR_USAGE, "--%s=%s is not absolute",
			    o->name, value);
		break;
	case OPTION_FLAG:
	case OPTION_TEXT:
	case OPTION_LINES:
		break;
	}
	if (strlen(value) > (uint64_t)o->max)
		return err_set(e, ERR_USAGE,
		    "--%s is longer than the limit of %lld bytes", o->name,
		    (long long)o->max);
	return 0;
}

/* Add the word as it is, or, when it is for people, as they can look at it. */
static int
add_word(const char *verb, const struct option *o, const char *word,
    struct strvec *out, struct err *e)
{
	size_t name = strlen("--") + strlen(o->name);
	struct buf b = BUF_INIT;
	int r;

	if (o->kind == OPTION_FLAG) {
		strvec_add(out, word);
		return 0;
	}
	if (o->kind == OPTION_TEXT)
		utf8_add(&b, word + name + 1, strlen(word + name + 1));
	else
		buf_adds(&b, word + name + 1);
	r = check_value(verb, o, buf_str(&b), e);
	if (r == 0)
		strvec_addf(out, "--%s=%s", o->name, buf_str(&b));
	buf_release(&b);
	return r;
}

/* Has the option been there before this word? */
static bool
is_repeated(const struct strvec *words, size_t at, const struct option *o)
{
	for (size_t i = 2; i < at; i++)
		if (option_of_word(words->v[0], words->v[i]) == o)
			return true;
	return false;
}

/* One word that should be an option. */
static int
take(const struct strvec *words, size_t i, struct strvec *out, struct err *e)
{
	const char *verb = words->v[0], *word = words->v[i];
	const char *eq = strchr(word, '=');
	const struct option *o = option_of_word(verb, word);
	size_t len = strcspn(word, "=");

	if (o == NULL)
		return err_set(e, ERR_USAGE,
		    "'%s' does not know the option '%.*s';; use the same version on both ends",
		    verb, (int)(len < NAME_LEN_MAX ? len : NAME_LEN_MAX),
		    word);
	if (is_repeated(words, i, o))
		return err_set(e, ERR_USAGE, "--%s is there twice", o->name);
	if ((o->kind == OPTION_FLAG) != (eq == NULL))
		return err_set(e, ERR_USAGE, "--%s wants %s value", o->name,
		    o->kind == OPTION_FLAG ? "no" : "a");
	return add_word(verb, o, word, out, e);
}

int
options_take(const struct strvec *words, struct strvec *out, struct err *e)
{
	for (size_t i = 0; i < words->n && i < 2; i++)
		strvec_add(out, words->v[i]);
	for (size_t i = 2; i < words->n; i++)
		if (take(words, i, out, e) != 0)
			return -1;
	return 0;
}
