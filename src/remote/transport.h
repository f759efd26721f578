/*
 * A way to a host, and programs run there: over SSH, or on this machine.
 * Every call is made by the one thread that owns the transport and ends
 * within its deadline.
 */
#ifndef TRANSPORT_H
#define TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "config/config.h"
#include "base/err.h"

struct transport;
struct transport_proc;

/*
 * What a transport has to offer; the comments of ssh.h say what each does.
 * `proc` is what start or serve returned.  `join` is NULL where no connection
 * is, `serve` where one is.
 */
struct transport_ops {
	void (*close)(void *self);
	void (*traffic)(const void *self, uint64_t *sent, uint64_t *received);
	int64_t (*round_trip)(const void *self); /* us; NULL: takes no time */
	const char *(*address)(const void *self);
	void (*login)(const void *self, const char **host_key,
	    const char **key);
	bool (*starts_at_once)(const void *self); /* NULL: no */
	void *(*start)(void *self, const char *command, struct err *e);
	void *(*serve)(void *self, const char *root, struct err *e);
	int (*write)(void *proc, const void *data, size_t len, struct err *e);
	int (*end_input)(void *proc, struct err *e);
	void (*watch)(void *proc, void (*taken)(void *ctx, int64_t bytes),
	    void *ctx);
	int (*read_line)(void *proc, struct buf *line, int64_t timeout,
	    struct err *e);
	ssize_t (*read)(void *proc, void *data, size_t len, struct err *e);
	int (*finish)(void *proc, int *status, struct buf *errors,
	    struct err *e);
	const char *(*errors)(const void *proc);
	int (*join)(void *proc, int from, int to, struct err *e);
	void (*close_proc)(void *proc);
};

struct transport {
	const struct transport_ops *ops;
	void *self;
};

struct transport_proc {
	const struct transport_ops *ops;
	void *proc;
};

#define TRANSPORT_INIT { NULL, NULL }
#define TRANSPORT_PROC_INIT { NULL, NULL }

/*
 * Connect and authenticate.  A call that needs the host fails when nothing
 * was heard of it for `silence` ms.  0, or -1 with ERR_UNREACHABLE.
 */
int transport_open(struct transport *t, const struct host_config *h,
    int64_t silence, struct err *e) MUST_USE;
void transport_close(struct transport *t);	/* neutral values accepted */

/* The host's name or address as it was connected to; NULL: this machine. */
const char *transport_address(const struct transport *t);

/* The keys of both sides in words (ssh_login); NULL: this machine. */
void transport_login(const struct transport *t, const char **host_key,
    const char **key);

/*
 * Does that take no time, also while another program runs?  Where it does not
 * save any, the answer is no.
 */
bool transport_starts_at_once(const struct transport *t);

/* Start a command line of the login shell there. */
int transport_start(struct transport *t, const char *command,
    struct transport_proc *p, struct err *e) MUST_USE;

/* Here: serve the root in this process, as `deploy host serve ROOT` would. */
int transport_serve(struct transport *t, const char *root,
    struct transport_proc *p, struct err *e) MUST_USE;
void transport_proc_close(struct transport_proc *p);	/* neutral: fine */

#endif
