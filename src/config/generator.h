/*
 * Which static-site generator a directory is for, as the files in it tell.
 */
#ifndef GENERATOR_H
#define GENERATOR_H

#include <stdbool.h>

#include "os/dir.h"

struct generator {
	const char *name;	/* "Hugo"; NULL: only its output is there, or
				 * nothing */
	const char *source;	/* where it writes, relative */
	const char *command;	/* that makes the build; NULL: none is known */
	const char *exclude;	/* a pattern of what it copies that is no part
				 * of the site; NULL: there is nothing */
	bool leaves;		/* it leaves files of earlier builds, unless
				 * the command says otherwise */
};

/* Never NULL; a guess where nothing is known. */
const struct generator *generator_detect(const struct dir *d);

#endif
