/*
 * The examples that come with the program: found beside it, installed or in
 * its sources.
 */
#ifndef EXAMPLE_H
#define EXAMPLE_H

/* The path of one, such as "nginx.conf"; or NULL.  The caller frees it. */
char *example_path(const char *name);

#endif
