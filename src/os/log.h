/*
 * The talk on standard error.  Standard output carries answers only and is
 * written by the commands.
 */
#ifndef LOG_H
#define LOG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum log_level { LOG_QUIET, LOG_NORMAL, LOG_VERBOSE };

/* Set once, by main, from -q and -v. */
void log_set_level(enum log_level level);
enum log_level log_level(void);

/* Progress bars, and colours unless NO_COLOR: a terminal, TERM not "dumb". */
bool log_is_terminal(void);

/* How wide that terminal is now. */
size_t log_columns(void);

/*
 * What the lines that follow are about, NULL: nothing; for the journal of
 * systemd(1), where a line is an entry with these fields.
 */
enum log_field { LOG_SITE, LOG_JOB, LOG_RELEASE, LOG_FIELDS };

void log_set_field(enum log_field field, const char *value);

/*
 * The same for the host, or the hosts ("www1, www2"; the first 255 bytes), that
 * the lines of this thread are about.  What a host's own thread says is of it.
 */
void log_set_host(const char *label);

/* What happens: not with -q.  Control characters are escaped. */
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Details: only with -v. */
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Something to know that is no failure: always. */
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/*
 * The error that ends the run: always, once, from main; and those of other
 * hosts before it.  What sums it up stands in a line of its own, behind.
 */
void log_err(const struct err *e);

/* Erase or redraw the line that progress.c keeps at the bottom: ASCII that was
 * shorter than the terminal is wide. */
void log_set_status(const char *line);

#endif
