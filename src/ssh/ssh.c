#include "ssh/ssh.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "config/config.h"
#include "config/config_host.h"
#include "os/intr.h"
#include "os/io.h"
#include "os/log.h"
#include "os/secret.h"
#include "ssh/libssh.h"
#include "ssh/ssh_algorithms.h"
#include "ssh/ssh_auth.h"
#include "ssh/ssh_gate.h"
#include "ssh/ssh_hostkey.h"
#include "ssh/ssh_identity.h"
#include "ssh/ssh_link.h"
#include "ssh/ssh_proc.h"
#include "ssh/ssh_settings.h"

enum {
	IN_FLIGHT_MAX = 8, /* sshd's MaxStartups drops from the 10th on */
	TICK_MS = 200,
	RETRY_MS = 100, /* before the second attempt, then doubled */
	RETRY_MAX_MS = 2000,
	GATES_MAX = 8, /* to one host */
};

struct ssh {
	struct ssh_link link;
	char *address;
	char *host_key; /* in words, and what let us in */
	char *key;
	struct ssh_timeouts timeouts;
	struct ssh_timeouts said; /* those, as they were asked for */
	struct ssh *gate;	  /* that the way goes through; NULL: none */
	int level;	   /* 0: a host; else a gate, and how far it is */
	struct buf *shown; /* gets its key, and nobody logs in; NULL */
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
	(void)ls.ssh_init();
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

static struct ssh *open_level(const struct ssh_options *o, int level,
    struct buf *shown, struct err *e);

/* Log in at the last host that leads to that of `st`.  0 or -1. */
static int
open_gate(struct ssh *s, const struct ssh_settings *st, struct err *e)
{
	struct host_config h = { 0 };
	struct ssh_options o = { .config = st->config,
		.spare_identity =
		    st->identity_given ? st->identities.v[0] : NULL,
		.timeouts = s->said };
	char *before = NULL;

	if (ssh_gate_last(st->jump, &h, &before, e) == 0) {
		o.host = h.address;
		o.user = h.user;
		o.port = (int)h.port;
		o.jump = before;
		s->gate = open_level(&o, s->level + 1, NULL, e);
	}
	host_config_release(&h);
	free(before);
	return s->gate != NULL ? 0 : -1;
}

/* The stream to the host, through a gate or not.  0 or -1. */
static int
dial(struct ssh *s, const struct ssh_settings *st, struct err *e)
{
	struct ssh_dial *d = &s->link.dial;

	if (st->jump == NULL)
		return ssh_dial_open(d, st, s->timeouts.connect,
		    s->timeouts.idle, e);
	/* It stays when the host behind it drops us, for the next attempt. */
	if (s->gate == NULL && open_gate(s, st, e) != 0)
		return -1;
	d->gate = ssh_gate_open(&s->gate->link, &s->gate->timeouts,
	    st->hostname, st->port, &d->fd, e);
	d->blame_gate = ssh_gate_is_to_blame;
	d->close_gate = ssh_gate_close;
	/* Nothing was asked for on the host: that is as if it did not answer. */
	if (d->gate == NULL && e->code == ERR_FAILED && !intr_came())
		e->code = ERR_UNREACHABLE;
	return d->gate != NULL ? 0 : -1;
}

/* One connection, up to the exchange of keys. */
static int
connect_once(struct ssh *s, const struct ssh_settings *st,
    const struct ssh_hostkey *k, struct err *e)
{
	struct ssh_link *l = &s->link;

	if (dial(s, st, e) != 0)
		return -1;
	if (ssh_link_open(l, st, k->path, e) != 0 ||
	    ssh_link_kex(l, clock_ms() + s->timeouts.kex, e) != 0) {
		explain_kex(l, st, e);
		ssh_link_failed(&s->link, "key exchange with", e);
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
		if (!ssh_link_was_dropped(&s->link) || st->proxy != NULL)
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
	    (s->shown == NULL &&
		ssh_hostkey_certify(k, o, st,
		    s->timeouts.connect + s->timeouts.kex, e) != 0))
		return err_in(e, PHASE_HOST_KEY, "host key: ");
	if (connect_host(s, st, k, e) != 0)
		return err_in(e, PHASE_CONNECT, "");
	if (s->shown != NULL)
		return ssh_hostkey_show(k, s->link.session, s->shown, e);
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

static struct ssh *
ssh_new_at(const struct ssh_options *o, int level)
{
	struct ssh *s = xcalloc(1, sizeof(*s));

	s->link = (struct ssh_link)SSH_LINK_INIT;
	snprintf(s->link.name, sizeof(s->link.name), "%s%s",
	    level > 0 ? "jump host " : "", o->host);
	s->link.is_gate = level > 0;
	s->said = o->timeouts;
	s->timeouts = timeouts(&o->timeouts);
	s->level = level;
	s->link.cancel = eventfd(0, EFD_CLOEXEC);
	return s;
}

/*
 * Log in with these settings.  Who logs in to a host takes a turn, which is
 * for the gates on the way, too.
 */
static int
open_with(struct ssh *s, const struct ssh_options *o,
    const struct ssh_settings *st, struct err *e)
{
	int r;

	if (s->level > GATES_MAX)
		return err_set(e, ERR_USAGE,
		    "ProxyJump leads through more than %d hosts;; does ssh_config send the jump host through itself?",
		    GATES_MAX);
	take_timeout(&s->timeouts, st);
	if (s->level > 0)
		return log_in(s, o, st, e);
	if (turn_take(e) != 0)
		return -1;
	r = log_in(s, o, st, e);
	turn_give();
	return r;
}

/* A failure names the gate that it is about, once. */
static void
name_gate(const struct ssh *s, const struct ssh_settings *st, struct err *e)
{
	enum err_phase phase = e->phase;
	bool is_before = st->jump != NULL && s->gate == NULL;

	if (s->level > 0 && !is_before &&
	    strstr(e->text, s->link.name) == NULL)
		err_prefix(e, "%s: ", s->link.name);
	e->phase = phase;
}

/*
 * The same as ssh_open(), for a gate with its level; that opens no program, and
 * nor does what only wants to be shown the key.
 */
static struct ssh *
open_level(const struct ssh_options *o, int level, struct buf *shown,
    struct err *e)
{
	struct ssh_settings st = { 0 };
	struct ssh *s = ssh_new_at(o, level);
	int r = -1;

	s->shown = shown;
	if (s->link.cancel < 0)
		err_sys(e, "cannot make an eventfd");
	else if (ssh_settings_load(&st, o, e) == 0)
		r = open_with(s, o, &st, e);
	s->address = xstrdup_opt(st.hostname);
	if (r != 0)
		name_gate(s, &st, e);
	ssh_settings_release(&st);
	if (r != 0) {
		ssh_close(s);
		return NULL;
	}
	/* Of an attempt before the one that succeeded. */
	*e = (struct err)ERR_INIT;
	s->link.idle = s->timeouts.idle;
	if (level == 0 && shown == NULL)
		ssh_link_ask_for_spare(&s->link);
	return s;
}

static struct ssh *
open_host(const struct ssh_options *o, struct buf *shown, struct err *e)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	if (libssh_load(e) != 0)
		return NULL;
	pthread_once(&once, init_once);
	return open_level(o, 0, shown, e);
}

struct ssh *
ssh_open(const struct ssh_options *o, struct err *e)
{
	return open_host(o, NULL, e);
}

int
ssh_show_key(const struct ssh_options *o, struct buf *out, struct err *e)
{
	struct ssh *s = open_host(o, out, e);

	if (s == NULL)
		return -1;
	ssh_close(s);
	return 0;
}

int
ssh_given_key(struct buf *out, struct err *e)
{
	char *base64 = NULL;
	ssh_key key;
	int r = 0;

	if (libssh_load(e) != 0 || ssh_identity_given(&key, NULL, e) != 0)
		return -1;
	if (key == NULL)
		return 0;
	if (ls.ssh_pki_export_pubkey_base64(key, &base64) == SSH_OK)
		buf_addf(out, "%s %s DEPLOY_SSH_KEY",
		    ls.ssh_key_type_to_char(ls.ssh_key_type(key)), base64);
	else
		r = err_set(e, ERR_FAILED,
		    "DEPLOY_SSH_KEY: cannot tell its public key");
	ls.ssh_string_free_char(base64);
	ls.ssh_key_free(key);
	return r;
}

void
ssh_close(struct ssh *s)
{
	if (s == NULL)
		return;
	ssh_link_close(&s->link);
	ssh_close(s->gate);
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

bool
ssh_starts_at_once(const struct ssh *s)
{
	return ssh_link_has_spare(&s->link);
}

struct ssh_proc *
ssh_start(struct ssh *s, const char *command, struct err *e)
{
	return ssh_proc_start(&s->link, &s->timeouts, command, e);
}
