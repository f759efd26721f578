#include "curl.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct curl api;
static struct err why = ERR_INIT;

/* Look up one function; POSIX lets a void pointer be one (dlsym(3)). */
static bool
find(void *lib, const char *name, void *out)
{
	void *f = dlsym(lib, name);

	memcpy(out, &f, sizeof(f));
	return f != NULL;
}

static void
load(void)
{
	CURLcode (*global_init)(long) = NULL;
	void *lib = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);

	if (lib == NULL) {
		err_set(&why, ERR_FAILED, "checks need libcurl: %s; install "
		    "libcurl4", dlerror());
		return;
	}
	if (!find(lib, "curl_global_init", &global_init) ||
	    !find(lib, "curl_easy_init", &api.init) ||
	    !find(lib, "curl_easy_setopt", &api.setopt) ||
	    !find(lib, "curl_easy_perform", &api.perform) ||
	    !find(lib, "curl_easy_getinfo", &api.getinfo) ||
	    !find(lib, "curl_easy_strerror", &api.strerror) ||
	    !find(lib, "curl_easy_cleanup", &api.cleanup) ||
	    !find(lib, "curl_slist_append", &api.slist_append) ||
	    !find(lib, "curl_slist_free_all", &api.slist_free) ||
	    global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		err_set(&why, ERR_FAILED, "the libcurl that is installed "
		    "cannot be used; install libcurl4");
}

const struct curl *
curl_load(struct err *e)
{
	pthread_once(&once, load);
	if (why.code == ERR_OK)
		return &api;
	*e = why;
	return NULL;
}
