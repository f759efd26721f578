/*
 * libcurl, loaded when it is first needed and the only door to it.  Linked,
 * it and the 19 libraries that it wants would make the start of every
 * command half as long again (measured: `list`, 8.5 to 12.6 ms on a busy
 * machine).
 */
#ifndef CURL_H
#define CURL_H

#include <curl/curl.h>

#include "base/err.h"

/* Its functions, called as libcurl-tutorial(3) has them. */
struct curl {
	CURL *(*init)(void);
	CURLcode (*setopt)(CURL *, CURLoption, ...);
	CURLcode (*perform)(CURL *);
	CURLcode (*getinfo)(CURL *, CURLINFO, ...);
	const char *(*strerror)(CURLcode);
	void (*cleanup)(CURL *);
	struct curl_slist *(*slist_append)(struct curl_slist *, const char *);
	void (*slist_free)(struct curl_slist *);
	time_t (*getdate)(const char *, const time_t *);
};

/*
 * The library, ready to use, from any thread.  NULL with ERR_FAILED when it
 * is not installed.
 */
const struct curl *curl_load(struct err *e) MUST_USE;

#endif
