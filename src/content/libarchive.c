#include "content/libarchive.h"

#include <pthread.h>
#include <stdbool.h>

#include "base/library.h"

struct libarchive la;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct err why = ERR_INIT;

#ifdef DEPLOY_STATIC

static void
load(void)
{
#define LIBARCHIVE_LINK(name) la.name = name;
	LIBARCHIVE_FUNCTIONS(LIBARCHIVE_LINK)
}

#else

static void
load(void)
{
	void *lib = library_open("archives and packs need libarchive",
	    "libarchive.so.13", "libarchive13", &why);
	bool found = lib != NULL;

#define LIBARCHIVE_FIND(name) \
	found = found && library_find(lib, #name, &la.name);
	LIBARCHIVE_FUNCTIONS(LIBARCHIVE_FIND)
	if (lib != NULL && !found)
		err_set(&why, ERR_FAILED,
		    "the libarchive that is installed cannot be used;; install libarchive13");
}

#endif

int
libarchive_load(struct err *e)
{
	pthread_once(&once, load);
	if (why.code == ERR_OK)
		return 0;
	*e = why;
	return -1;
}
