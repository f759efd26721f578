/*
 * A preloaded library with which what is below NETWORK_UNDER is on a file
 * system of another machine, as far as fstatfs(2) tells: its f_type is
 * NETWORK_TYPE, a number.  Few kernels that tests run on have one.
 */
#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

/* Does the descriptor stand for something below NETWORK_UNDER? */
static int
is_below(int fd)
{
	const char *under = getenv("NETWORK_UNDER");
	char name[64], path[PATH_MAX];
	ssize_t n;

	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	n = readlink(name, path, sizeof(path) - 1);
	if (under == NULL || n < 0)
		return 0;
	path[n] = '\0';
	return strncmp(path, under, strlen(under)) == 0;
}

int
fstatfs(int fd, struct statfs *out)
{
	int (*real)(int, struct statfs *);
	const char *type = getenv("NETWORK_TYPE");
	int r;

	*(void **)(&real) = dlsym(RTLD_NEXT, "fstatfs");
	r = real(fd, out);
	if (r == 0 && type != NULL && is_below(fd))
		out->f_type = strtol(type, NULL, 0);
	return r;
}
