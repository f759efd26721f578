/*
 * What a limited key may have run: from the text that it sends
 * (SSH_ORIGINAL_COMMAND) and the limits of its line in authorized_keys to
 * the decision.  Whatever the text is, a request that passes is one of an
 * allowed verb on the one root, with options that the verb knows; it is read
 * the same when it is quoted and read again; and a refusal says why, with
 * nothing in it that disturbs a terminal.
 *
 * An input is a line "root<TAB>verbs" (one or both empty: no such limit), and
 * the text.
 */
#include "host/forced.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/utf8.h"
#include "host/limits.h"
#include "host/option.h"
#include "host/wire.h"
#include "must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,
    unsigned int seed);

/*
 * Is the verb one of the list, or one that every key has?  Without a list
 * it is any, but a key for one root adopts only when that is listed.
 */
static bool
may(const char *root, const char *allow, const char *verb)
{
	char *list, *rest, *word;
	bool found = strcmp(verb, "info") == 0 || strcmp(verb, "probe") == 0 ||
	    strcmp(verb, "manifest") == 0;

	if (allow == NULL)
		return root == NULL || strcmp(verb, "adopt") != 0;
	list = rest = xstrdup(allow);
	while ((word = strsep(&rest, ",")) != NULL)
		found |= strcmp(word, verb) == 0 ||
		    (strcmp(word, "receive") == 0 &&
			(strcmp(verb, "note") == 0 ||
			    strcmp(verb, "files") == 0 ||
			    strcmp(verb, "signatures") == 0));
	free(list);
	return found;
}

/* Nothing that a terminal would obey; lines, where a text may have some. */
static void
check_text(const char *s, bool lines)
{
	for (; *s != '\0'; s += utf8_len(s) > 0 ? utf8_len(s) : 1)
		MUST(!utf8_is_control(s) ||
		    (lines && (*s == '\t' || *s == '\n')));
}

/* Refused, and said so. */
static void
check_refused(const struct err *e)
{
	MUST(e->code == ERR_USAGE || e->code == ERR_UNREACHABLE);
	MUST(e->text[0] != '\0');
	check_text(e->text, false);
}

/* A word that an option of the verb is, with a value of its kind. */
static void
check_option(const char *verb, const char *word)
{
	const char *eq = strchr(word, '=');
	const struct option *o = option_of_word(verb, word);

	MUST(strncmp(word, "--", 2) == 0);
	MUST(o != NULL);
	MUST(strncmp(word + 2, o->name, strlen(o->name)) == 0);
	MUST((o->kind == OPTION_FLAG) == (eq == NULL));
	if (o->kind == OPTION_NUMBER) {
		char *end;
		long long n = strtoll(eq + 1, &end, 10);

		MUST(eq[1] >= '0' && eq[1] <= '9' && *end == '\0');
		MUST(n >= o->min && n <= o->max);
	}
	if (o->kind == OPTION_PATH)
		MUST(eq[1] == '/');
	if (o->kind == OPTION_TEXT)
		check_text(word, true);
}

static void
check_allowed(const struct host_limits *l, const struct strvec *words)
{
	MUST(words->n >= 2);
	MUST(may(l->root, l->allow, words->v[0]));
	MUST(words->v[1][0] == '/');
	MUST(l->root == NULL || strcmp(words->v[1], l->root) == 0);
	for (size_t i = 2; i < words->n; i++) {
		check_option(words->v[0], words->v[i]);
		if (l->root != NULL && strncmp(words->v[i], "--path=", 7) == 0)
			MUST(strncmp(words->v[i] + 7, l->root,
				 strlen(l->root)) == 0 &&
			    words->v[i][7 + strlen(l->root)] == '/');
		for (size_t k = 2; k < i; k++)
			MUST(strcmp(words->v[i], words->v[k]) != 0);
	}
}

/* The words, quoted for another request: the same decision, the same words. */
static void
check_again(const struct host_limits *l, const struct strvec *words)
{
	struct strvec again = STRVEC_INIT, taken = STRVEC_INIT;
	struct buf line = BUF_INIT;
	struct err e = ERR_INIT;
	bool fits = true;

	buf_adds(&line, "deploy host");
	for (size_t i = 0; fits && i < words->n; i++) {
		buf_addc(&line, ' ');
		fits = wire_quote(&line, words->v[i], &e) == 0;
	}
	/* Lines have no form; quotes may have made it too long. */
	if (fits && line.len <= FORCED_MAX) {
		MUST(forced_words(line.data, &again, &e) == 0);
		MUST(again.n == words->n);
		MUST(limits_take(l, &again, &taken, &e) == 0);
		for (size_t i = 0; i < words->n; i++)
			MUST(strcmp(taken.v[i], words->v[i]) == 0);
	}
	strvec_release(&again);
	strvec_release(&taken);
	buf_release(&line);
}

static void
check(const struct host_limits *l, const char *text)
{
	struct strvec words = STRVEC_INIT, taken = STRVEC_INIT;
	struct err e = ERR_INIT;

	if (forced_words(text, &words, &e) != 0) {
		MUST(words.n == 0);
		check_refused(&e);
	} else if (limits_take(l, &words, &taken, &e) != 0) {
		check_refused(&e);
	} else {
		MUST(taken.n == words.n);
		check_allowed(l, &taken);
		check_again(l, &taken);
	}
	strvec_release(&words);
	strvec_release(&taken);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = xmalloc(size + 1), *rest = copy, *limits, *root;
	struct host_limits l = { NULL, NULL };

	if (size > 0)
		memcpy(copy, data, size);
	copy[size] = '\0';
	limits = strsep(&rest, "\n");
	root = strsep(&limits, "\t");
	if (*root != '\0')
		l.root = root;
	if (limits != NULL && *limits != '\0')
		l.allow = limits;
	check(&l, rest);
	free(copy);
	return 0;
}

/* Words that mean something, put in the place of a word or beside it. */
static const char *const meant[] = { "deploy", "host", "info", "probe", "init",
	"adopt", "manifest", "files", "signatures", "receive", "note",
	"activate", "prune", "verify", "journal", "pin", "preview", "freeze",
	"serve", "authorize", "/srv/a", "/srv/a/", "/srv/../srv/a", "'/srv/a'",
	"/srv//a", "--id=",
	"--id=20261121T190305.482Z-6f9619ff-8b86-4011-b42d-00c04fc964ff",
	"--who='a b'", "--who='\x1b[2J'", "--job=x", "--lock-wait=60",
	"--lock-wait=86401", "--path=/etc", "--path=x", "--filled",
	"--bytes=1", "--bytes=9223372036854775808", "--inodes=-1",
	"--group=root", "--seq=41", "--commit=0123", "--expect=", "--check",
	"--armed=1", "--keep=5", "--off", "--until=1", "--full", "--unless=0",
	"--shared=a", "--exclude='*'", "--message='it'\\''s'", "--root",
	"--allow", "exec", "sh", "-c", "''", "\\'", "$(id)", "`id`", ";", "&&",
	"|", ">", "\n" };

size_t
LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,
    unsigned int seed)
{
	const char *word = meant[seed / 7 % (sizeof(meant) / sizeof(*meant))];
	size_t n = strlen(word), at, end;

	if (seed % 3 == 0 || size == 0 || size + n + 1 > max)
		return LLVMFuzzerMutate(data, size, max);
	at = seed / 1009 % size;
	while (at > 0 && data[at - 1] != ' ')
		at--;
	for (end = at; seed % 2 == 0 && end < size && data[end] != ' ';)
		end++;
	memmove(data + at + n + 1, data + end, size - end);
	memcpy(data + at, word, n);
	data[at + n] = ' ';
	return at + n + 1 + size - end;
}
