#include "base/library.h"

#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

#ifdef DEPLOY_STATIC

void *
library_open(const char *what, const char *name, const char *package,
    struct err *e)
{
	(void)package;
	err_set(e, ERR_FAILED,
	    "%s: this deploy is linked statically and cannot load %s;; use another one",
	    what, name);
	return NULL;
}

bool
library_find(void *lib, const char *name, void *out)
{
	(void)lib, (void)name, (void)out;
	return false;
}

#else

void *
library_open(const char *what, const char *name, const char *package,
    struct err *e)
{
	void *lib = dlopen(name, RTLD_NOW | RTLD_LOCAL);

	if (lib == NULL)
		err_set(e, ERR_FAILED, "%s: %s;; install %s", what, dlerror(),
		    package);
	return lib;
}

/* POSIX lets a void pointer be a function (dlsym(3)). */
bool
library_find(void *lib, const char *name, void *out)
{
	void *f = dlsym(lib, name);

	memcpy(out, &f, sizeof(f));
	return f != NULL;
}

#endif
