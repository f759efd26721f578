/*
 * What goes between a client and the host side; see deploy-host(7).
 *
 * A request is a verb and its options, each a line, and an empty line.
 * Answers are lines "key<TAB>value", before a last line "ok" or
 * "error<TAB>code<TAB>text", with "<TAB>cure" where one is known.  Before the
 * first answer stands a magic line, which tells them from what a login shell's
 * start-up files print.
 */
#ifndef WIRE_H
#define WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/strvec.h"

#define WIRE_MAGIC "deploy-host 1"

enum { WIRE_REQUEST_MAX = 64 * 1024 };	/* bytes of a request */

/* What a host says that wants the sh verbs, and what it sends then. */
#define WIRE_MAGIC_SH "deploy-host sh"

/* What a pack in the form of edits begins with. */
#define WIRE_EDITS_MAGIC "deploy edits 1\n"

/* What a host has that makes gzip of files itself, before the version. */
#define WIRE_MAKES_GZIP "makes-gzip-"

/*
 * Host side: add a line to what is to be written.  Control characters of the
 * value, but for tabs, become spaces.
 */
void wire_put(struct buf *out, const char *key, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Host side: write what was put now.  0 or -1. */
int wire_flush(struct buf *out, int fd, struct err *e) MUST_USE;

/* Host side: the last line, for success (code ERR_OK) or failure. */
void wire_put_end(struct buf *out, const struct err *e);

/* A line of an answer, cut in two. */
struct wire_line {
	const char *key;
	const char *value;	/* "" when there is no tab */
};

/* Client side: cut the line at its first tab, in place. */
void wire_split(char *line, struct wire_line *out);

/*
 * Client side: the error of an "error" line's value ("code<TAB>text", and
 * "<TAB>cure" if there is one) into `e`, which then has a sentence whatever was
 * said.  Unknown codes become ERR_FAILED.  A cure that another machine gives
 * (`there`) is told as its word: nobody pastes that for one of ours.  Returns -1.
 */
int wire_error(const char *value, bool there, struct err *e) MUST_USE;

/*
 * Client side: add a word of a request, a line: a backslash becomes \\, a
 * newline \n.
 */
void wire_put_word(struct buf *out, const char *word);

/* Where the host side reads from, in pieces. */
struct wire_in {
	int fd;
	size_t at, len;		/* what of `data` is not given yet */
	char data[4096];
};

#define WIRE_IN_INIT(fd) { (fd), 0, 0, "" }

/*
 * Host side: the next line of the input without its newline, of at most
 * `max` bytes, into `line` (replaced), until `end` (clock_ms(); INT64_MAX: at
 * any time).  Returns 1; 0 at the end of the input, also in the middle of a
 * line; -1 with ERR_USAGE for a line that is too long, ETIMEDOUT in e->sys
 * when the time is over.
 */
int wire_read_line(struct wire_in *in, struct buf *line, size_t max,
    int64_t end, struct err *e) MUST_USE;

/*
 * The first request may stand in the command that starts the host side, as one
 * word, in which all but plain characters are percent-encoded: what sshd(8)
 * starts takes input only when it runs, a round trip later.  At most this many
 * bytes, not encoded.
 */
enum { WIRE_FIRST_MAX = 2048 };

/* Client side: append that word.  The request is not longer than that. */
void wire_put_first(struct buf *out, const char *request);

/* Host side: what the word says comes before the input.  0 or -1 with
 * ERR_USAGE. */
int wire_take_first(struct wire_in *in, const char *word, struct err *e)
    MUST_USE;

/*
 * Host side: the words of the next request into `words`.  1; 0 at the end of
 * the input; -1: it is no request, or longer than 64 KiB.
 */
int wire_read_request(struct wire_in *in, struct strvec *words,
    struct err *e) MUST_USE;

/* Host side: as io_read_some(), what was read in advance first. */
ssize_t wire_read_some(struct wire_in *in, void *data, size_t len);

/*
 * Append `word` so that every login shell reads it back: sh, dash, bash, zsh,
 * ksh, fish, csh, tcsh and busybox.  A word with a newline or another control
 * character has no such form: -1 with ERR_USAGE.
 */
int wire_quote(struct buf *out, const char *word, struct err *e) MUST_USE;

/*
 * Split a command line as a shell would that knows only blanks, single quotes
 * and backslashes before \, ' and !: the form that wire_quote() gives words.
 * Anything that a shell would expand is an error.  0 or -1 with ERR_USAGE.
 */
int wire_split_command(const char *line, struct strvec *out, struct err *e)
    MUST_USE;

#endif
