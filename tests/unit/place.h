/*
 * A directory on disk for a unit test.  A test that needs one reads
 *
 *	struct dir d = DIR_INIT;
 *
 *	if (enter(&d) != 0)
 *		return;
 *	...
 *	leave(&d);
 *
 * or, when something else than a `struct dir` stands for it, make_place() and
 * remove_place(), which check that they succeed.
 */
#ifndef UNIT_PLACE_H
#define UNIT_PLACE_H

#include <stdio.h>
#include <stdlib.h>

#include "os/dir.h"
#include "unit.h"

/* The path of the directory. */
static char place[256];

/* Make an empty directory below $TEST_DIR; returns -1 when that fails. */
static inline int
make_place(void)
{
	const char *base = getenv("TEST_DIR");

	snprintf(place, sizeof(place), "%s/unit-XXXXXX",
	    base != NULL ? base : "/tmp");
	return CHECK(mkdtemp(place) != NULL) ? 0 : -1;
}

/* Remove it, with all that is in it. */
static inline void
remove_place(void)
{
	struct dir top = DIR_INIT;
	struct err e = ERR_INIT;

	CHECK(dir_open_path(&top, "/", &e) == 0);
	CHECK(dir_remove_tree(&top, place + 1, &e) == 0);
	dir_close(&top);
}

static inline int
enter(struct dir *d)
{
	struct err e = ERR_INIT;

	if (make_place() != 0)
		return -1;
	return CHECK(dir_open_path(d, place, &e) == 0) ? 0 : -1;
}

static inline void
leave(struct dir *d)
{
	dir_close(d);
	remove_place();
}

#endif
