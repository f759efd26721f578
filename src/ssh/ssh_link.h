/*
 * A libssh session, driven without blocking: the loop that waits, with its
 * deadlines, and the key exchange.  For ssh.c and ssh_auth.c only.
 *
 * libssh's blocking calls can hang for ever, so none is made.  A call that
 * says "again" is repeated after ssh_link_wait(); all waiting happens there,
 * where cancelling, signals, deadlines and a lost connection are noticed.
 */
#ifndef SSH_LINK_H
#define SSH_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "ssh/libssh.h"
#include "ssh/ssh_dial.h"
#include "ssh/ssh_settings.h"

enum { SSH_LINK_TRIPS = 5 };

struct ssh_link {
	ssh_session session;
	ssh_event event;
	ssh_channel spare;	/* for the next program, or NULL */
	int64_t trips[SSH_LINK_TRIPS];	/* us, the last round trips */
	unsigned int n_trips;	/* ever */
	struct ssh_dial dial;	/* its fd goes to the session */
	int cancel;		/* eventfd; readable: cancelled */
	char name[128];		/* of the host, for messages */
	bool is_gate;		/* a jump host */
	bool carries;		/* for another: signals do not end it */
	bool polled;		/* the session is in `event` */
	struct ssh_counter_struct wire;
	_Atomic int64_t heard;	/* clock_ms() of the last byte from it */
	uint64_t heard_bytes;	/* wire.in_bytes then */
	int64_t idle;		/* ms of silence that end it; 0: none */
};

#define SSH_LINK_INIT { .dial = SSH_DIAL_INIT, .cancel = -1 }

/* Make the session from the connected d->fd, which it takes.  0 or -1. */
int ssh_link_open(struct ssh_link *l, const struct ssh_settings *st,
    const char *known_hosts, struct err *e) MUST_USE;

void ssh_link_close(struct ssh_link *l);	/* keeps `cancel` */

/* Exchange keys, up to `end`.  0 or -1. */
int ssh_link_kex(struct ssh_link *l, int64_t end, struct err *e) MUST_USE;

/* Did the peer go away without having said that it is an SSH server? */
bool ssh_link_was_dropped(const struct ssh_link *l);

/*
 * Wait until something happened, at most until `end`, and let libssh handle
 * it.  0; -1 when it was cancelled (ECANCELED in e->sys), when the connection
 * is lost (ECONNRESET) or silent (ETIMEDOUT), and at `end` (ETIMEDOUT).
 */
int ssh_link_wait(struct ssh_link *l, int64_t end, struct err *e) MUST_USE;

/* The same, woken also by descriptors of this machine; -1 is none. */
struct pollfd;
int ssh_link_wait_also(struct ssh_link *l, const struct pollfd *also,
    size_t n, int64_t end, struct err *e) MUST_USE;

/*
 * Begin an operation: nobody listened until now, so the silence before it
 * does not count.  0; -1 when it was cancelled or the connection is lost.
 */
int ssh_link_begin(struct ssh_link *l, struct err *e) MUST_USE;

/* For how many ms nothing was heard; from any thread. */
int64_t ssh_link_silence(const struct ssh_link *l);

/*
 * Ask for a channel, unless there is one, before it is needed: that saves a
 * round trip.  No word of the answer is waited for.
 */
void ssh_link_ask_for_spare(struct ssh_link *l);
void ssh_link_drop_spare(struct ssh_link *l);

/* Has the host opened it? */
bool ssh_link_has_spare(const struct ssh_link *l);

/* An answer to what takes a host no time has come, which was asked for at
 * `since` (clock_us()). */
void ssh_link_note_trip(struct ssh_link *l, int64_t since);

/* The median of the last of these, in us; 0 when there was none. */
int64_t ssh_link_round_trip(const struct ssh_link *l);

/* "the connection was lost: " and why, as far as anyone said. */
int ssh_link_lost(struct ssh_link *l, struct err *e) MUST_USE;

/*
 * An error before a command runs: in which phase ("key exchange with"), and
 * the code for it.  We were not asked to stop, so the host is what could not
 * be reached.  -1.
 */
int ssh_link_failed(const struct ssh_link *l, const char *phase,
    struct err *e);

/*
 * Wait about `ms`, between a half and all of it, before another attempt.  A
 * signal ends it.  0 or -1.
 */
int ssh_link_pause(int64_t ms, struct err *e) MUST_USE;

#endif
