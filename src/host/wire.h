/*
 * What the host side answers: lines "key<TAB>value" on standard output,
 * after a magic line that tells them from what a login shell's start-up files
 * print, and before a last line "ok" or "error<TAB>code<TAB>text".  See
 * deploy-host(7).
 */
#ifndef WIRE_H
#define WIRE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

#define WIRE_MAGIC "deploy-host 1"

/* Host side: add a line to what is to be written. */
void wire_put(struct buf *out, const char *key, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Host side: write what was put to standard output now.  0 or -1. */
int wire_flush(struct buf *out, struct err *e);

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
 * Client side: the error of an "error" line's value ("code<TAB>text") into
 * `e`.  Unknown codes become ERR_FAILED.  Returns -1.
 */
int wire_error(const char *value, struct err *e);

/*
 * Split a command line as a POSIX shell would that knows only blanks and
 * single quotes with '\'' in between: the form in which the client sends it
 * (wire_quote).  Anything that a shell would expand is an error.  0 or -1
 * with ERR_USAGE.
 */
struct strvec;
int wire_split_command(const char *line, struct strvec *out, struct err *e);

/* Append `word` so that every shell, and wire_split_command(), reads it back. */
void wire_quote(struct buf *out, const char *word);

#endif
