#include "os/names.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"

/* Room for a record: a group may have very many members. */
enum { ROOM_FIRST = 4096, ROOM_MAX = 4 * 1024 * 1024 };

bool
names_user(uid_t uid, char out[NAMES_LEN])
{
	struct passwd pw, *found = NULL;
	char *room = NULL;
	int r = ERANGE;

	for (size_t n = ROOM_FIRST; r == ERANGE && n <= ROOM_MAX; n *= 4) {
		room = xreallocarray(room, n, 1);
		r = getpwuid_r(uid, &pw, room, n, &found);
	}
	if (found != NULL)
		snprintf(out, NAMES_LEN, "%s", pw.pw_name);
	else
		snprintf(out, NAMES_LEN, "uid %lu", (unsigned long)uid);
	free(room);
	return found != NULL;
}

bool
names_group(const char *name, gid_t *gid)
{
	struct group gr, *found = NULL;
	char *room = NULL;
	int r = ERANGE;

	for (size_t n = ROOM_FIRST; r == ERANGE && n <= ROOM_MAX; n *= 4) {
		room = xreallocarray(room, n, 1);
		r = getgrnam_r(name, &gr, room, n, &found);
	}
	if (found != NULL)
		*gid = gr.gr_gid;
	free(room);
	return found != NULL;
}
