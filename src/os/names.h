/*
 * The names of users and groups (getpwuid_r(3), getgrnam_r(3)): for any
 * thread.
 */
#ifndef NAMES_H
#define NAMES_H

#include <stdbool.h>
#include <sys/types.h>

enum { NAMES_LEN = 256 };

/* The user's name into `out`, cut; false and "uid N" when there is none. */
bool names_user(uid_t uid, char out[NAMES_LEN]);

/* The group of that name; false when there is none. */
bool names_group(const char *name, gid_t *gid);

#endif
