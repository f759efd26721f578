#include "fleet/curl.h"

#include <pthread.h>
#include <stdbool.h>

#include "base/library.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct curl api;
static struct err why = ERR_INIT;

static void
load(void)
{
	CURLcode (*global_init)(long) = NULL;
	void *lib = library_open("checks need libcurl", "libcurl.so.4",
	    "libcurl4", &why);

	if (lib == NULL)
		return;
	if (!library_find(lib, "curl_global_init", &global_init) ||
	    !library_find(lib, "curl_easy_init", &api.init) ||
	    !library_find(lib, "curl_easy_setopt", &api.setopt) ||
	    !library_find(lib, "curl_easy_perform", &api.perform) ||
	    !library_find(lib, "curl_easy_getinfo", &api.getinfo) ||
	    !library_find(lib, "curl_easy_strerror", &api.strerror) ||
	    !library_find(lib, "curl_easy_cleanup", &api.cleanup) ||
	    !library_find(lib, "curl_slist_append", &api.slist_append) ||
	    !library_find(lib, "curl_slist_free_all", &api.slist_free) ||
	    !library_find(lib, "curl_getdate", &api.getdate) ||
	    global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		err_set(&why, ERR_FAILED,
		    "the libcurl that is installed cannot be used;; install libcurl4");
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
