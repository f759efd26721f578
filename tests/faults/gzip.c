/*
 * A preloaded library whose zlib makes other bytes of the same file than the
 * one that says to be of the same version: it does not try hard.
 */
#include <dlfcn.h>
#include <zlib.h>

int
deflateInit2_(z_streamp z, int level, int method, int bits, int memory,
    int strategy, const char *version, int size)
{
	int (*real)(z_streamp, int, int, int, int, int, const char *, int);

	(void)level;
	*(void **)(&real) = dlsym(RTLD_NEXT, "deflateInit2_");
	return real(z, 1, method, bits, memory, strategy, version, size);
}
