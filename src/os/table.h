/*
 * Tables for people, on standard output: a line of headings, then one line a
 * row.  Columns that are empty in all rows are left out.  On a terminal no line
 * is longer than it is wide: what does not fit ends in "...".  Elsewhere nothing
 * is cut and nothing coloured.
 */
#ifndef TABLE_H
#define TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/release.h"

struct table_column {
	const char *heading;
	bool right;			/* numbers stand at the right */
};

enum table_colour {
	TABLE_PLAIN,
	TABLE_GREEN,			/* what is live */
	TABLE_YELLOW,			/* what wants a look */
	TABLE_RED,			/* what failed */
};

/* Of columns that live as long as the table. */
struct table *table_new(const struct table_column *columns, size_t n);
void table_free(struct table *t);	/* NULL is fine */

/*
 * The next cell, from the left and from row to row, safe for a terminal, with
 * the short form of ids (release.h).  "" stands for nothing.
 */
void table_cell(struct table *t, enum table_colour colour, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* A cell with the first `len` characters of an id, or nothing for none. */
void table_id(struct table *t, const struct release_id *id, size_t len);

/*
 * From now on: times where a terminal would have ages; whole lines and ids,
 * which are neither cut nor shortened.
 */
void table_style(bool times, bool whole);

/* Is it to say how long ago something was, rather than when? */
bool table_has_ages(void);

/* Is nothing to be shortened? */
bool table_is_whole(void);

/*
 * A line that is in no table: a label of ours, `first`, which has the colour,
 * and what stands behind it.  It is cut like a row.
 */
void table_line(const char *label, enum table_colour colour, const char *first,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* Has it no row? */
bool table_is_empty(const struct table *t);

/* Print it, when it has a row. */
void table_print(const struct table *t);

#endif
