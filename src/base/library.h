/*
 * Shared libraries that are loaded when they are used.  What a program is
 * linked with costs each start of it, used or not: libcrypto, libssh with
 * Kerberos, SQLite and brotli took half of the CPU time of `deploy list`.
 *
 * A header names the functions that are wanted of a library and makes the
 * struct that has them; its .c file is one LIBRARY_DOOR():
 *
 *	#define LIBFOO_FUNCTIONS(DO) DO(foo_open) DO(foo_close)
 *	extern struct libfoo {
 *		LIBFOO_FUNCTIONS(LIBRARY_MEMBER)
 *	} foo;
 *	int libfoo_load(struct err *e) MUST_USE;
 *
 *	LIBRARY_DOOR(libfoo, foo, LIBFOO_FUNCTIONS, "foos need libfoo",
 *	    "libfoo.so.1", "libfoo1")
 *
 *	if (libfoo_load(&e) != 0)
 *		return -1;
 *	f = foo.foo_open();
 *
 * A program that is linked statically (DEPLOY_STATIC) loads none: what was
 * loaded would bring a C library of its own.  Those with a LIBRARY_DOOR() are
 * linked with it.
 */
#ifndef LIBRARY_H
#define LIBRARY_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/err.h"

/*
 * NULL: it is not there; the message begins with `what`, that which needs it,
 * and ends with the Debian package that has it.  It is never closed.
 */
void *library_open(const char *what, const char *name, const char *package,
    struct err *e) MUST_USE;

/* Put the address of a function into *out, NULL and false: there is none. */
bool library_find(void *lib, const char *name, void *out);

struct library {
	const char *what, *name, *package; /* as library_open() takes them */
	const char *functions;	/* their names, a space behind each */
	void *to;		/* as many pointers, in that order */
	atomic_bool loaded;
};

/*
 * Load it, unless it is, from any thread; before a jail is entered
 * (os/jail.h).  0, or -1 with ERR_FAILED when it, or a function, is not there.
 */
int library_load(struct library *l, struct err *e) MUST_USE;

/*
 * For what cannot fail otherwise: without the library the program ends, with
 * status 1 and one line on standard error, as it does without memory.
 */
void library_must(int (*load)(struct err *e));

#define LIBRARY_MEMBER(f) __typeof__(f) *f;
#define LIBRARY_NAME(f) #f " "
#define LIBRARY_LINKED(f) .f = f,

#ifdef DEPLOY_STATIC
#define LIBRARY_DOOR(tag, var, FUNCTIONS, what, name, package)		\
	struct tag var = { FUNCTIONS(LIBRARY_LINKED) };			\
	int								\
	tag##_load(struct err *e)					\
	{								\
		(void)e;						\
		return 0;						\
	}
#else
#define LIBRARY_DOOR(tag, var, FUNCTIONS, what, name, package)		\
	struct tag var;							\
	int								\
	tag##_load(struct err *e)					\
	{								\
		static struct library l = { what, name, package,	\
			FUNCTIONS(LIBRARY_NAME), &var, false };		\
									\
		return library_load(&l, e);				\
	}
#endif

#endif
