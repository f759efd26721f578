/*
 * What comes over the wire between client and host: a request's command line,
 * and the lines of an answer.  Whatever the words are, quoting them and
 * splitting the line gives them back.
 */
#include "host/wire.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/strvec.h"

#define MUST(expr) ((expr) ? (void)0 : broken(#expr, __LINE__))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
broken(const char *what, int line)
{
	fprintf(stderr, "line %d: does not hold: %s\n", line, what);
	abort();
}

/* A command line: refused, or words that quoting keeps. */
static void
check_command(const char *text)
{
	struct strvec words = STRVEC_INIT, again = STRVEC_INIT;
	struct buf line = BUF_INIT;
	struct err e = ERR_INIT;

	if (wire_split_command(text, &words, &e) != 0) {
		MUST(e.code == ERR_USAGE && e.text[0] != '\0');
		strvec_release(&words);
		return;
	}
	for (size_t i = 0; i < words.n; i++) {
		if (i > 0)
			buf_addc(&line, ' ');
		wire_quote(&line, words.v[i]);
	}
	MUST(wire_split_command(buf_str(&line), &again, &e) == 0);
	MUST(again.n == words.n);
	for (size_t i = 0; i < words.n; i++)
		MUST(strcmp(again.v[i], words.v[i]) == 0);
	buf_release(&line);
	strvec_release(&words);
	strvec_release(&again);
}

/* Any text as one word. */
static void
check_word(const char *text)
{
	struct strvec words = STRVEC_INIT;
	struct buf line = BUF_INIT;
	struct err e = ERR_INIT;

	wire_quote(&line, text);
	MUST(wire_split_command(buf_str(&line), &words, &e) == 0);
	MUST(words.n == 1 && strcmp(words.v[0], text) == 0);
	buf_release(&line);
	strvec_release(&words);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = xmalloc(size + 1);
	struct wire_line line;
	struct err e = ERR_INIT;

	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	check_command(text);
	check_word(text);
	MUST(wire_error(text, &e) == -1 && e.code != ERR_OK);
	MUST(e.code <= ERR_GUARD);
	wire_split(text, &line);
	MUST(strchr(line.key, '\t') == NULL);
	free(text);
	return 0;
}
