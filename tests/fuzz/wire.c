/*
 * What comes over the wire between client and host: a command line, the
 * lines of a request, and those of an answer.  Whatever the words are,
 * quoting them and splitting the line, or putting them into a request and
 * reading it, gives them back.
 */
#include "host/wire.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/strvec.h"
#include "must.h"
#include "os/io.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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
		buf_adds(&line, i > 0 ? " " : "");
		if (wire_quote(&line, words.v[i], &e) != 0)
			goto out;
	}
	MUST(wire_split_command(buf_str(&line), &again, &e) == 0);
	MUST(again.n == words.n);
	for (size_t i = 0; i < words.n; i++)
		MUST(strcmp(again.v[i], words.v[i]) == 0);
out:
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

	if (wire_quote(&line, text, &e) == 0) {
		MUST(wire_split_command(buf_str(&line), &words, &e) == 0);
		MUST(words.n == 1 && strcmp(words.v[0], text) == 0);
	} else {
		MUST(e.code == ERR_USAGE);
	}
	buf_release(&line);
	strvec_release(&words);
}

/* Any text as what a command brings, and what comes of a request there. */
static void
check_first(const char *text)
{
	struct wire_in in = WIRE_IN_INIT(-1), again = WIRE_IN_INIT(-1);
	struct buf word = BUF_INIT;
	struct err e = ERR_INIT;

	if (wire_take_first(&in, text, &e) != 0)
		MUST(e.code == ERR_USAGE);
	MUST(in.len <= WIRE_FIRST_MAX);
	e = (struct err)ERR_INIT;
	wire_put_first(&word, text);
	if (strlen(text) <= WIRE_FIRST_MAX) {
		MUST(wire_take_first(&again, buf_str(&word), &e) == 0);
		MUST(again.len == strlen(text));
		MUST(memcmp(again.data, text, again.len) == 0);
	}
	buf_release(&word);
}

/* What the host side reads, all at once. */
static int
read_request(const void *data, size_t len, struct strvec *words, struct err *e)
{
	struct wire_in in = WIRE_IN_INIT(memfd_create("request", 0));
	int r;

	MUST(in.fd >= 0 && io_write(in.fd, data, len) == 0);
	MUST(lseek(in.fd, 0, SEEK_SET) == 0);
	r = wire_read_request(&in, words, e);
	close(in.fd);
	return r;
}

/* Any text as a request, and as a word of one. */
static void
check_request(const char *text, const uint8_t *data, size_t size)
{
	struct strvec words = STRVEC_INIT;
	struct buf b = BUF_INIT;
	struct err e = ERR_INIT;
	int r = read_request(data, size, &words, &e);

	MUST(r >= 0 || (e.code == ERR_USAGE && e.text[0] != '\0'));
	strvec_release(&words);
	wire_put_word(&b, "verb");
	wire_put_word(&b, text);
	buf_addc(&b, '\n');
	e = (struct err)ERR_INIT;
	r = read_request(b.data, b.len, &words, &e);
	MUST(r == 1 || (r == -1 && strlen(text) > 32 * 1024));
	if (r == 1 && *text != '\0')
		MUST(words.n == 2 && strcmp(words.v[1], text) == 0);
	buf_release(&b);
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
	check_first(text);
	check_request(text, data, size);
	MUST(wire_error(text, true, &e) == -1 && e.code != ERR_OK);
	MUST(e.code <= ERR_GUARD);
	wire_split(text, &line);
	MUST(strchr(line.key, '\t') == NULL);
	free(text);
	return 0;
}
