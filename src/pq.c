#include "pq.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <string.h>

/* Look up one function; POSIX lets a void pointer be one (dlsym(3)). */
static bool
find(void *lib, const char *name, void *out)
{
	void *f = dlsym(lib, name);

	memcpy(out, &f, sizeof(f));
	return f != NULL;
}

const struct pq *
pq_load(struct err *e)
{
	static struct pq api;
	static bool loaded;
	void *lib;

	if (loaded)
		return &api;
	lib = dlopen("libpq.so.5", RTLD_NOW | RTLD_LOCAL);
	if (lib == NULL) {
		err_set(e, ERR_FAILED,
		    "a queue in PostgreSQL needs libpq: %s; install libpq5",
		    dlerror());
		return NULL;
	}
	loaded = true;
#define PQ_FIND(name) loaded &= find(lib, #name, &api.name);
	PQ_FUNCTIONS(PQ_FIND)
	if (loaded)
		return &api;
	err_set(e, ERR_FAILED,
	    "the libpq that is installed cannot be used; install libpq5");
	return NULL;
}
