#include "ssh/ssh_link.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "os/intr.h"
#include "ssh/libssh.h"
#include "ssh/ssh_algorithms.h"
#include "ssh/ssh_hostkey.h"

enum { TICK_MS = 200 }; /* how soon a signal is noticed */

/* A descriptor that only ends the waiting; here is nothing to do. */
static int
on_wake(socket_t fd, int revents, void *user)
{
	(void)fd;
	(void)revents;
	(void)user;
	return 0;
}

/*
 * The options.  It is connected already, so the host's name is for known_hosts
 * alone; libssh refuses some names of users here that hosts take, and
 * ssh_auth.c names ours.
 */
static int
set_options(struct ssh_link *l, const struct ssh_settings *st,
    const char *known_hosts)
{
	bool no = false;
	const struct {
		enum ssh_options_e option;
		const void *value;
	} options[] = {
		{ SSH_OPTIONS_PROCESS_CONFIG, &no },
		{ SSH_OPTIONS_HOST, SSH_HOSTKEY_NAME },
		{ SSH_OPTIONS_PORT_STR, "22" },
		{ SSH_OPTIONS_USER, "user" },
		{ SSH_OPTIONS_KNOWNHOSTS, known_hosts },
		{ SSH_OPTIONS_GLOBAL_KNOWNHOSTS, "/dev/null" },
		{ SSH_OPTIONS_RSA_MIN_SIZE, &st->rsa_bits },
		{ SSH_OPTIONS_FD, &l->dial.fd },
	};

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if (ls.ssh_options_set(l->session, options[i].option,
			options[i].value) != SSH_OK)
			return -1;
	return 0;
}

int
ssh_link_open(struct ssh_link *l, const struct ssh_settings *st,
    const char *known_hosts, struct err *e)
{
	l->session = ls.ssh_new();
	l->event = ls.ssh_event_new();
	l->polled = false;
	l->idle = 0;
	l->n_trips = 0;
	memset(&l->wire, 0, sizeof(l->wire));
	if (l->session == NULL || l->event == NULL ||
	    ls.ssh_event_add_fd(l->event, l->cancel, POLLIN, on_wake, NULL) !=
		SSH_OK)
		return err_set(e, ERR_FAILED, "no memory for a connection");
	ls.ssh_set_blocking(l->session, 0);
	ls.ssh_set_counters(l->session, &l->wire, NULL);
	if (set_options(l, st, known_hosts) != 0)
		return err_set(e, ERR_UNREACHABLE, "settings: %s",
		    ls.ssh_get_error(l->session));
	return ssh_algorithms_apply(&st->algorithms, l->session, e);
}

void
ssh_link_close(struct ssh_link *l)
{
	if (l->event != NULL) {
		ls.ssh_event_remove_fd(l->event, l->cancel);
		if (l->polled)
			ls.ssh_event_remove_session(l->event, l->session);
		ls.ssh_event_free(l->event);
	}
	ssh_link_drop_spare(l);
	/* Never ls.ssh_disconnect(): it waits.  This closes the descriptor. */
	ls.ssh_free(l->session);
	l->session = NULL;
	l->event = NULL;
	l->polled = false;
	ssh_dial_close(&l->dial);
}

bool
ssh_link_was_dropped(const struct ssh_link *l)
{
	/* Once it was tried, the session has the descriptor. */
	return l->session != NULL && l->dial.fd < 0 &&
	    !ls.ssh_is_connected(l->session) &&
	    ls.ssh_get_serverbanner(l->session) == NULL;
}

/* Is the gate through which we go to blame?  Its error is in `why` then. */
static bool
is_gate_wrong(struct ssh_link *l, int64_t silence, struct err *why)
{
	return l->dial.gate != NULL &&
	    l->dial.blame_gate(l->dial.gate, silence, why);
}

/* What the gate or the proxy came to is the reason, if it did. */
static const char *
reason(struct ssh_link *l, struct err *why)
{
	struct buf *from_proxy = &l->dial.said;
	const char *said;

	if (is_gate_wrong(l, 0, why))
		return why->text;

	ssh_dial_listen(&l->dial);
	while (from_proxy->len > 0 &&
	    strchr("\r\n", from_proxy->data[from_proxy->len - 1]) != NULL)
		from_proxy->data[--from_proxy->len] = '\0';
	if (from_proxy->len > 0)
		return buf_str(from_proxy);
	said = ls.ssh_get_error(l->session);
	return said != NULL && *said != '\0' ? said : "the other end is gone";
}

int
ssh_link_lost(struct ssh_link *l, struct err *e)
{
	struct err why = ERR_INIT;

	err_set(e, ERR_FAILED, "the connection to %s was lost: %s", l->name,
	    reason(l, &why));
	e->sys = ECONNRESET;
	return -1;
}

static int
timed_out(struct ssh_link *l, struct err *e)
{
	struct err why = ERR_INIT;

	if (is_gate_wrong(l, l->idle, &why))
		err_set(e, ERR_FAILED, "no answer in time: %s", why.text);
	else
		err_set(e, ERR_FAILED, "no answer in time%s",
		    l->dial.gate != NULL ? " through the jump host" : "");
	e->sys = ETIMEDOUT;
	return -1;
}

static void
heard_now(struct ssh_link *l)
{
	l->heard = clock_ms();
	l->heard_bytes = l->wire.in_bytes;
}

int64_t
ssh_link_silence(const struct ssh_link *l)
{
	return clock_ms() - l->heard;
}

/*
 * Silence: ask for a sign of life after a quarter of the time, give up at
 * the end of it.  ssh_send_keepalive() has no more than one question open.
 */
static int
check_silence(struct ssh_link *l, struct err *e)
{
	struct err why = ERR_INIT;
	int64_t silent;

	if (l->wire.in_bytes != l->heard_bytes)
		heard_now(l);
	silent = clock_ms() - l->heard;
	if (l->idle == 0 || silent < l->idle / 4)
		return 0;
	if (silent < l->idle) {
		(void)ls.ssh_send_keepalive(l->session);
		return 0;
	}
	if (is_gate_wrong(l, l->idle, &why))
		err_set(e, ERR_FAILED, "the connection to %s was lost: %s",
		    l->name, why.text);
	else
		err_set(e, ERR_FAILED,
		    "the connection to %s was lost: nothing was heard for %lld s",
		    l->name, (long long)(silent / 1000));
	e->sys = ETIMEDOUT;
	return -1;
}

/* Acknowledge at once: Linux forgets this setting. */
static void
quick_ack(struct ssh_link *l)
{
	int on = 1;

	if (l->dial.proxy.pid != 0)
		ssh_dial_listen(&l->dial);
	else if (l->dial.gate == NULL)
		(void)setsockopt(ls.ssh_get_fd(l->session), IPPROTO_TCP,
		    TCP_QUICKACK, &on, sizeof(on));
}

/* May it go on?  0 or -1. */
static int
check(struct ssh_link *l, struct err *e)
{
	struct pollfd cancelled = { .fd = l->cancel, .events = POLLIN };

	if (poll(&cancelled, 1, 0) > 0) {
		err_set(e, ERR_FAILED, "cancelled");
		e->sys = ECANCELED;
		return -1;
	}
	if (!l->carries && intr_check(e) != 0)
		return -1;
	if (!ls.ssh_is_connected(l->session))
		return ssh_link_lost(l, e);
	return 0;
}

int
ssh_link_begin(struct ssh_link *l, struct err *e)
{
	heard_now(l);
	return check(l, e);
}

int
ssh_link_wait(struct ssh_link *l, int64_t end, struct err *e)
{
	int64_t left = end - clock_ms();

	if (check(l, e) != 0)
		return -1;
	if (left <= 0)
		return timed_out(l, e);
	if (check_silence(l, e) != 0)
		return -1;
	quick_ack(l);
	(void)ls.ssh_event_dopoll(l->event,
	    left < TICK_MS ? (int)left : TICK_MS);
	return 0;
}

int
ssh_link_wait_also(struct ssh_link *l, const struct pollfd *also, size_t n,
    int64_t end, struct err *e)
{
	int r;

	for (size_t i = 0; i < n; i++)
		if (also[i].fd >= 0)
			(void)ls.ssh_event_add_fd(l->event, also[i].fd,
			    also[i].events, on_wake, NULL);
	r = ssh_link_wait(l, end, e);
	for (size_t i = 0; i < n; i++)
		if (also[i].fd >= 0)
			(void)ls.ssh_event_remove_fd(l->event, also[i].fd);
	return r;
}

int
ssh_link_kex(struct ssh_link *l, int64_t end, struct err *e)
{
	int r = ls.ssh_connect(l->session);

	/* From here on the session closes it, and can be polled. */
	l->dial.fd = -1;
	if (r == SSH_AGAIN &&
	    ls.ssh_event_add_session(l->event, l->session) == SSH_OK)
		l->polled = true;
	while (r == SSH_AGAIN) {
		if (ssh_link_wait(l, end, e) != 0)
			return -1;
		r = ls.ssh_connect(l->session);
	}
	if (r != SSH_OK)
		return ssh_link_lost(l, e);
	/* libssh made it blocking: a full buffer would stop us. */
	if (fcntl(ls.ssh_get_fd(l->session), F_SETFL, O_NONBLOCK) != 0)
		return err_sys(e, "cannot set up the connection");
	return 0;
}

void
ssh_link_ask_for_spare(struct ssh_link *l)
{
	if (l->spare != NULL)
		return;
	l->spare = ls.ssh_channel_new(l->session);
	if (l->spare != NULL)
		(void)ls.ssh_channel_open_session(l->spare);
}

bool
ssh_link_has_spare(const struct ssh_link *l)
{
	return l->spare != NULL && ls.ssh_channel_is_open(l->spare) != 0;
}

void
ssh_link_drop_spare(struct ssh_link *l)
{
	if (l->spare != NULL)
		ls.ssh_channel_free(l->spare);
	l->spare = NULL;
}

void
ssh_link_note_trip(struct ssh_link *l, int64_t since)
{
	l->trips[l->n_trips++ % SSH_LINK_TRIPS] = clock_us() - since;
}

static int
compare_trips(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

int64_t
ssh_link_round_trip(const struct ssh_link *l)
{
	int64_t sorted[SSH_LINK_TRIPS];
	size_t n = l->n_trips < SSH_LINK_TRIPS ? l->n_trips : SSH_LINK_TRIPS;

	if (n == 0)
		return 0;
	memcpy(sorted, l->trips, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), compare_trips);
	return sorted[(n - 1) / 2];
}

int
ssh_link_pause(int64_t ms, struct err *e)
{
	uint32_t chance = 0;
	int64_t end;

	if (getrandom(&chance, sizeof(chance), 0) < 0)
		chance = 0;
	end = clock_ms() + ms / 2 + chance % (ms / 2);
	while (clock_ms() < end) {
		if (intr_check(e) != 0)
			return -1;
		clock_pause(10);
	}
	return 0;
}

int
ssh_link_failed(const struct ssh_link *l, const char *phase, struct err *e)
{
	if (e->sys == ECANCELED || intr_came())
		return -1;
	if (e->code == ERR_FAILED)
		e->code = ERR_UNREACHABLE;
	return err_prefix(e, "%s %s: ", phase, l->name);
}
