/*
 * The line that says how far a phase is, in as many columns as there are.
 * What is of least use goes first: the bar, the files, the rate.
 */
#ifndef PROGRESS_LINE_H
#define PROGRESS_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PROGRESS_LINE = 240 };

struct progress_facts {
	const char *phase;		/* ASCII */
	int64_t files, files_all;	/* done, and in all; 0: not known */
	int64_t bytes, bytes_all;	/* the same */
	int64_t rate;			/* bytes a second, lately */
	int64_t spent;			/* ms since it began */
	int64_t idle;			/* ms since something was done */
};

/* At most `width` columns, with a bar or without.  Nothing is past 100 %. */
void progress_line(const struct progress_facts *f, size_t width, bool bar,
    char out[PROGRESS_LINE]);

#endif
