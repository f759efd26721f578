#include "queue/pq.h"

#include <stdbool.h>

#include "base/library.h"

const struct pq *
pq_load(struct err *e)
{
	static struct pq api;
	static bool loaded;
	void *lib;

	if (loaded)
		return &api;
	lib = library_open("a queue in PostgreSQL needs libpq", "libpq.so.5",
	    "libpq5", e);
	if (lib == NULL)
		return NULL;
	loaded = true;
#define PQ_FIND(name) loaded &= library_find(lib, #name, &api.name);
	PQ_FUNCTIONS(PQ_FIND)
	if (loaded)
		return &api;
	err_set(e, ERR_FAILED,
	    "the libpq that is installed cannot be used;; install libpq5");
	return NULL;
}
