/*
 * A planted bug, for the jail (jail.h): whoever makes a file of the name
 * ESCAPE_NAME makes ESCAPE_TO instead, wherever that is; as if no path were
 * checked.  The last part of the name counts.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

/* The function that this library stands before. */
#define NEXT(fn) (__extension__(__typeof__(&fn)) dlsym(RTLD_NEXT, #fn))

/* Where the file is to be made; NULL: where it says. */
static const char *
other_place(const char *path, int flags)
{
	const char *name = getenv("ESCAPE_NAME"), *to = getenv("ESCAPE_TO");
	const char *last = strrchr(path, '/');

	return (flags & O_CREAT) != 0 && name != NULL && to != NULL &&
		strcmp(last != NULL ? last + 1 : path, name) == 0 ?
	    to :
	    NULL;
}

int
openat(int dir, const char *path, int flags, ...)
{
	const char *to = other_place(path, flags);
	mode_t mode = 0;
	va_list ap;

	va_start(ap, flags);
	if ((flags & (O_CREAT | O_TMPFILE)) != 0)
		mode = (mode_t)va_arg(ap, int);
	va_end(ap);
	return NEXT(openat)(to != NULL ? AT_FDCWD : dir,
	    to != NULL ? to : path, flags, mode);
}

/* There is no function for openat2(2). */
long
syscall(long number, ...)
{
	long a[6];
	va_list ap;

	va_start(ap, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	if (number == SYS_openat2) {
		const struct open_how *how = (const struct open_how *)a[2];
		const char *to =
		    other_place((const char *)a[1], (int)how->flags);

		if (to != NULL)
			return openat(AT_FDCWD, to, (int)how->flags,
			    (mode_t)how->mode);
	}
	return NEXT(syscall)(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
