/*
 * Answers for people, on standard output: lines that are safe to show
 * (text.h), with the short form of the ids of releases in them (release.h).
 */
#ifndef SHOW_H
#define SHOW_H

#include <stdarg.h>
#include <stdbool.h>

enum { SHOW_LABEL = 10 };	/* columns of a label; a space follows */

/* From now on ids stay whole, or not. */
void show_whole_ids(bool whole);

/* Such a text, of a format and its arguments; the caller frees it. */
char *show_text(const char *fmt, va_list ap)
    __attribute__((format(printf, 1, 0)));

/* Print a line. */
void show_line(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* A row: a label of ours, and what stands beside it. */
void show_row(const char *label, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
