#include "base/library.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#ifdef DEPLOY_STATIC

void *
library_open(const char *what, const char *name, const char *package,
    struct err *e)
{
	(void)package;
	err_set(e, ERR_FAILED,
	    "%s: this deploy is linked statically and cannot load %s;; use one that is linked dynamically",
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

/* Find all functions.  0 or -1; the lock is held. */
static int
load(struct library *l, struct err *e)
{
	char *to = l->to, name[64];
	void *lib = library_open(l->what, l->name, l->package, e);

	if (lib == NULL)
		return -1;
	for (const char *p = l->functions; *p != '\0'; p++) {
		size_t len = strcspn(p, " ");

		if (len >= sizeof(name))
			BUG("a function with a long name");
		memcpy(name, p, len);
		name[len] = '\0';
		if (!library_find(lib, name, to))
			return err_set(e, ERR_FAILED,
			    "%s: the installed %s has no %s;; install %s",
			    l->what, l->name, name, l->package);
		to += sizeof(void *);
		p += len;
	}
	return 0;
}

int
library_load(struct library *l, struct err *e)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	int r = 0;

	if (atomic_load_explicit(&l->loaded, memory_order_acquire))
		return 0;
	pthread_mutex_lock(&lock);
	if (!l->loaded) {
		r = load(l, e);
		l->loaded = r == 0;
	}
	pthread_mutex_unlock(&lock);
	return r;
}

void
library_must(int (*load_it)(struct err *e))
{
	struct err e = ERR_INIT;

	if (load_it(&e) == 0)
		return;
	fprintf(stderr, "deploy: %s\n", e.text);
	exit(1);
}
