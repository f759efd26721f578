#include "ssh/ssh.h"

#include <errno.h>
#include <libssh/libssh.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "os/intr.h"
#include "os/io.h"
#include "os/log.h"
#include "os/secret.h"
#include "ssh/ssh_algorithms.h"
#include "ssh/ssh_auth.h"
#include "ssh/ssh_hostkey.h"
#include "ssh/ssh_link.h"
#include "ssh/ssh_proc.h"
#include "ssh/ssh_settings.h"

enum {
	IN_FLIGHT_MAX = 8, /* sshd's MaxStartups drops from the 10th on */
	TICK_MS = 200,
	RETRY_MS = 100, /* before the second attempt, then doubled */
	RETRY_MAX_MS = 2000,
};

struct ssh {
	struct ssh_link link;
	char *address;
	char *host_key; /* in words, and what let us in */
	char *key;
	struct ssh_timeouts timeouts;
};

/* ----------------------------------------------------------------- turns */

static pthread_mutex_t turn_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turn_free = PTHREAD_COND_INITIALIZER;
static int in_flight;

/* Wait until fewer than IN_FLIGHT_MAX logins are going on. */
static int
turn_take(struct err *e)
{
	int r = 0;

	pthread_mutex_lock(&turn_lock);
	while ((r = intr_check(e)) == 0 && in_flight >= IN_FLIGHT_MAX) {
		struct timespec ts = clock_in(TICK_MS);

		pthread_cond_timedwait(&turn_free, &turn_lock, &ts);
	}
	if (r == 0)
		in_flight++;
	pthread_mutex_unlock(&turn_lock);
	return r;
}

static void
turn_give(void)
{
	pthread_mutex_lock(&turn_lock);
	in_flight--;
	pthread_cond_signal(&turn_free);
	pthread_mutex_unlock(&turn_lock);
}

/* ------------------------------------------------------------------ open */

static void
init_once(void)
{
	(void)ssh_init();
}

/* The deadlines, with defaults where nothing was said. */
static struct ssh_timeouts
timeouts(const struct ssh_timeouts *said)
{
	struct ssh_timeouts t = *said;

	t.connect = t.connect > 0 ? t.connect : 10000;
	t.kex = t.kex > 0 ? t.kex : 15000;
	t.auth = t.auth > 0 ? t.auth : 20000;
	t.exec = t.exec > 0 ? t.exec : 15000;
	t.idle = t.idle > 0 ? t.idle : 60000;
	return t;
}

/*
 * ConnectTimeout of ssh_config goes up to the end of the exchange of keys;
 * longer than how long a host may be silent it is not.
 */
static void
take_timeout(struct ssh_timeouts *t, const struct ssh_settings *st)
{
	int64_t most = st->connect_ms < t->idle ? st->connect_ms : t->idle;

	if (most > 0)
		t->connect = t->kex = most;
}

/* Keys were not exchanged: why, as far as libssh lets it be known. */
static void
explain_kex(const struct ssh_link *l, const struct ssh_settings *st,
    struct err *e)
{
	ssh_algorithms_explain(l->session, e);
	/* It says no more when the size is wrong. */
	if (st->rsa_bits > 0 && strstr(e->text, "hostkey signature") != NULL)
		err_append(e,
		    ";; if its key is an RSA key: is that shorter than RequiredRSASize %d of ssh_config?",
		    st->rsa_bits);
}

/* It is not told whose fault it is: the gate has to let us in as well. */
static void
explain_jump(const struct ssh_settings *st, struct err *e)
{
	if (st->jump != NULL &&
	    (secret_get(SECRET_KEY) != NULL ||
		getenv("DEPLOY_KNOWN_HOSTS") != NULL))
		err_append(e,
		    ";; the way is through %s, which has to let DEPLOY_SSH_KEY in, too, and whose host key has to be in DEPLOY_KNOWN_HOSTS or known_hosts",
		    st->jump);
}

/* One connection, up to the exchange of keys. */
static int
connect_once(struct ssh *s, const struct ssh_settings *st,
    const struct ssh_hostkey *k, struct err *e)
{
	struct ssh_link *l = &s->link;

	if (ssh_dial_open(&l->dial, st, s->timeouts.connect, s->timeouts.idle,
		e) != 0)
		return -1;
	if (ssh_link_open(l, st, k->path, e) != 0 ||
	    ssh_link_kex(l, clock_ms() + s->timeouts.kex, e) != 0) {
		explain_kex(l, st, e);
		ssh_link_failed(&s->link, "key exchange with", e);
		explain_jump(st, e);
		return -1;
	}
	return 0;
}

/*
 * Connect.  A server with too many unfinished logins (MaxStartups) drops
 * connections before its banner, so that is tried again for a while.
 */
static int
connect_host(struct ssh *s, const struct ssh_settings *st,
    const struct ssh_hostkey *k, struct err *e)
{
	int64_t end = clock_ms() + s->timeouts.kex, wait = RETRY_MS;

	while (connect_once(s, st, k, e) != 0) {
		if (!ssh_link_was_dropped(&s->link) || st->jump != NULL ||
		    st->proxy != NULL)
			return -1;
		if (clock_ms() + wait >= end)
			return err_append(e,
			    ";; does sshd let this machine in, and is it not too busy (MaxStartups)?");
		log_debug("%s dropped the connection; trying again",
		    s->link.name);
		ssh_link_close(&s->link);
		if (ssh_link_pause(wait, e) != 0)
			return -1;
		wait = wait * 2 < RETRY_MAX_MS ? wait * 2 : RETRY_MAX_MS;
	}
	return 0;
}

/* Connect, check the host, log in: with these keys of hosts. */
static int
log_in_with(struct ssh *s, const struct ssh_options *o,
    const struct ssh_settings *st, struct ssh_hostkey *k, struct err *e)
{
	if (ssh_hostkey_load(k, st, e) != 0 ||
	    ssh_hostkey_certify(k, o, st,
		s->timeouts.connect + s->timeouts.kex, e) != 0)
		return err_in(e, PHASE_HOST_KEY, "host key: ");
	if (connect_host(s, st, k, e) != 0)
		return err_in(e, PHASE_CONNECT, "");
	if (ssh_hostkey_check(k, s->link.session, o->host_key, &s->host_key,
		e) != 0)
		return err_in(e, PHASE_HOST_KEY, "host key: ");
	if (ssh_auth(&s->link, st, clock_ms() + s->timeouts.auth, &s->key,
		e) == 0)
		return 0;
	ssh_link_failed(&s->link, "authentication at", e);
	return err_in(e, PHASE_LOGIN, "");
}

static int
log_in(struct ssh *s, const struct ssh_options *o,
    const struct ssh_settings *st, struct err *e)
{
	struct ssh_hostkey k = SSH_HOSTKEY_INIT;
	int r = log_in_with(s, o, st, &k, e);

	ssh_hostkey_release(&k);
	return r;
}

struct ssh *
ssh_open(const struct ssh_options *o, struct err *e)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct ssh_settings st = { 0 };
	struct ssh *s = xcalloc(1, sizeof(*s));
	int r;

	pthread_once(&once, init_once);
	s->link = (struct ssh_link)SSH_LINK_INIT;
	s->timeouts = timeouts(&o->timeouts);
	s->link.cancel = eventfd(0, EFD_CLOEXEC);
	if (s->link.cancel < 0)
		r = err_sys(e, "cannot make an eventfd");
	else
		r = ssh_settings_load(&st, o, e);
	take_timeout(&s->timeouts, &st);
	if (r == 0 && (r = turn_take(e)) == 0) {
		r = log_in(s, o, &st, e);
		turn_give();
	}
	s->address = xstrdup_opt(st.hostname);
	ssh_settings_release(&st);
	if (r == 0) {
		/* Of an attempt before the one that succeeded. */
		*e = (struct err)ERR_INIT;
		s->link.idle = s->timeouts.idle;
		ssh_link_ask_for_spare(&s->link);
		return s;
	}
	ssh_close(s);
	return NULL;
}

void
ssh_close(struct ssh *s)
{
	if (s == NULL)
		return;
	ssh_link_close(&s->link);
	if (s->link.cancel >= 0)
		close(s->link.cancel);
	free(s->address);
	free(s->host_key);
	free(s->key);
	free(s);
}

void
ssh_cancel(struct ssh *s)
{
	uint64_t one = 1;

	err_ignore(io_write(s->link.cancel, &one, sizeof(one)));
}

const char *
ssh_address(const struct ssh *s)
{
	return s->address;
}

void
ssh_login(const struct ssh *s, const char **host_key, const char **key)
{
	*host_key = s->host_key;
	*key = s->key;
}

void
ssh_traffic(const struct ssh *s, uint64_t *sent, uint64_t *received)
{
	*sent = s->link.wire.out_bytes;
	*received = s->link.wire.in_bytes;
}

int64_t
ssh_round_trip(const struct ssh *s)
{
	return ssh_link_round_trip(&s->link);
}

struct ssh_proc *
ssh_start(struct ssh *s, const char *command, struct err *e)
{
	return ssh_proc_start(&s->link, &s->timeouts, command, e);
}
