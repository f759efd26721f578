#include "ssh/ssh_auth.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "os/log.h"
#include "ssh/libssh.h"
#include "ssh/ssh_agent.h"
#include "ssh/ssh_certificate.h"
#include "ssh/ssh_identity.h"

/* sshd's MaxAuthTries; every key that is refused counts. */
enum { TRIES_MAX = 6 };

struct login {
	struct ssh_link *link;
	const struct ssh_settings *st;
	int64_t end;
	size_t refused;	  /* keys that the host did not want */
	bool partial;	  /* one was good, but not enough */
	struct buf tried; /* what became of each, for the message */
	char *cure;	  /* what helps with the first that cannot be used */
	char *good;	  /* the one that let us in, in words */
};

/* Keep for the message what became of a key. */
static void __attribute__((format(printf, 2, 3)))
note(struct login *in, const char *fmt, ...)
{
	va_list ap;
	char text[512];

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	buf_addf(&in->tried, "%s%s", in->tried.len > 0 ? "; " : "", text);
}

/* Keep why a key cannot be used, and what helps with the first such one. */
static void
note_err(struct login *in, const struct err *e)
{
	note(in, "%.*s", err_problem_len(e), err_problem(e));
	if (in->cure == NULL && e->cure > 0)
		in->cure = xstrdup(err_cure(e));
}

/* "SHA256:..." of a key; the caller frees it as libssh wants. */
static char *
fingerprint(ssh_key key)
{
	unsigned char *hash = NULL;
	size_t len = 0;
	char *print = NULL;

	if (ls.ssh_get_publickey_hash(key, SSH_PUBLICKEY_HASH_SHA256, &hash,
		&len) == SSH_OK)
		print = ls.ssh_get_fingerprint_hash(SSH_PUBLICKEY_HASH_SHA256,
		    hash, len);
	ls.ssh_clean_pubkey_hash(&hash);
	return print;
}

/* Why libssh did not even offer the key; NULL: the host has said no. */
static const char *
not_offered(const struct login *in)
{
	const char *said = ls.ssh_get_error(in->link->session);

	if (strstr(said, "PUBLICKEY_ACCEPTED_TYPES") != NULL)
		return in->st->algorithms.said[SSH_ALGORITHMS_PUBKEY] != NULL ?
		    "may not be used (PubkeyAcceptedAlgorithms of ssh_config)" :
		    "is of a kind that libssh does not log in with";
	if (strstr(said, "RSA_MIN_SIZE") != NULL)
		return "is too short (RequiredRSASize of ssh_config)";
	return NULL;
}

/* Keep for the message that the key did not let us in. */
static void
note_refused(struct login *in, int answer, const char *what, ssh_key key)
{
	const char *why =
	    answer == SSH_AUTH_DENIED ? not_offered(in) : "was not enough";
	char *print = fingerprint(key);

	if (why == NULL || answer != SSH_AUTH_DENIED)
		in->refused++;
	in->partial |= answer == SSH_AUTH_PARTIAL;
	note(in, "%s (%s) %s", what, print != NULL ? print : "?",
	    why != NULL ? why : "was refused");
	ls.ssh_string_free_char(print);
}

/* What the host said to a key: 1 come in, 0 no, -1 the connection ended. */
static int
judge(struct login *in, int answer, const char *what, ssh_key key,
    struct err *e)
{
	switch (answer) {
	case SSH_AUTH_SUCCESS:
		log_debug("logged in with %s", what);
		in->good = xstrdup(what);
		return 1;
	case SSH_AUTH_DENIED:
	case SSH_AUTH_PARTIAL:
		note_refused(in, answer, what, key);
		return 0;
	default:
		return ssh_link_lost(in->link, e);
	}
}

/*
 * Send a signature at once, without asking first whether the key is known:
 * two round trips less.  (A channel could be asked for right behind it; libssh
 * makes none before it is let in.)  1, 0 refused, -1.
 */
static int
offer(struct login *in, ssh_key key, const char *what, struct err *e)
{
	int r;

	while ((r = ls.ssh_userauth_publickey(in->link->session, in->st->user,
		    key)) == SSH_AUTH_AGAIN)
		if (ssh_link_wait(in->link, in->end, e) != 0)
			return -1;
	return judge(in, r, what, key, e);
}

/* Is it a certificate for that kind of key? */
static bool
suits(ssh_key certificate, ssh_key key)
{
	const char *c = ls.ssh_key_type_to_char(ls.ssh_key_type(certificate));
	const char *k = ls.ssh_key_type_to_char(ls.ssh_key_type(key));

	return c != NULL && k != NULL && strncmp(c, k, strlen(k)) == 0 &&
	    strncmp(c + strlen(k), "-cert", 5) == 0;
}

/* Keep for the message what is wrong with a certificate that was refused. */
static void
note_certificate(struct login *in, ssh_key certificate, const char *path)
{
	struct ssh_certificate c = SSH_CERTIFICATE_INIT;
	struct err why = ERR_INIT;
	char *base64 = NULL;

	if (ls.ssh_pki_export_pubkey_base64(certificate, &base64) == SSH_OK &&
	    ssh_certificate_parse(&c, base64) &&
	    ssh_certificate_check(&c, SSH_CERTIFICATE_USER, clock_now(),
		&why) != 0)
		note(in, "%s %s", path, why.text);
	ls.ssh_string_free_char(base64);
	ssh_certificate_release(&c);
}

/* Offer the key with a certificate.  1, 0 refused or unsuitable, -1. */
static int
offer_certified(struct login *in, ssh_key key, const char *path, struct err *e)
{
	ssh_key certificate = NULL, both = NULL;
	int r = 0;

	if (access(path, F_OK) != 0)
		return 0;
	if (ls.ssh_pki_import_cert_file(path, &certificate) != SSH_OK) {
		note(in, "%s is not a certificate", path);
		return 0;
	}
	if (suits(certificate, key) && (both = ls.ssh_key_dup(key)) != NULL &&
	    ls.ssh_pki_copy_cert_to_privkey(certificate, both) == SSH_OK)
		r = offer(in, both, path, e);
	if (r == 0)
		note_certificate(in, certificate, path);
	ls.ssh_key_free(both);
	ls.ssh_key_free(certificate);
	return r;
}

/*
 * Offer a key: with each certificate, also the one beside its file (NULL: it has
 * none), then alone.
 */
static int
offer_all(struct login *in, ssh_key key, const char *what, const char *file,
    struct err *e)
{
	const struct strvec *certificates = &in->st->certificates;
	char *beside = file != NULL ? xasprintf("%s-cert.pub", file) : NULL;
	int r = beside != NULL ? offer_certified(in, key, beside, e) : 0;

	free(beside);
	for (size_t i = 0; i < certificates->n && r == 0; i++)
		r = offer_certified(in, key, certificates->v[i], e);
	return r != 0 ? r : offer(in, key, what, e);
}

/* DEPLOY_SSH_KEY.  1, 0 when there is none or it was refused, -1. */
static int
try_variable(struct login *in, struct err *e)
{
	ssh_key key;
	char *path;
	int r = ssh_identity_given(&key, &path, e);

	if (key != NULL)
		r = offer_all(in, key, "DEPLOY_SSH_KEY", path, e);
	ls.ssh_key_free(key);
	free(path);
	return r;
}

/* An identity file; one that ssh_config only supposes may be missing. */
static int
try_file(struct login *in, const char *path, bool given, struct err *e)
{
	struct err why = ERR_INIT;
	ssh_key key = ssh_identity_read(path, &why);
	int r;

	if (key == NULL) {
		if (given || why.sys != ENOENT)
			note_err(in, &why);
		return 0;
	}
	r = offer_all(in, key, path, path, e);
	ls.ssh_key_free(key);
	return r;
}

static int
try_files(struct login *in, struct err *e)
{
	const struct strvec *files = &in->st->identities;
	int r = 0;

	for (size_t i = 0; i < files->n && r == 0; i++)
		r = try_file(in, files->v[i], i == 0 && in->st->identity_given,
		    e);
	return r;
}

/* The public keys of our identity files, for the agent to prefer. */
static void
public_keys(const struct ssh_settings *st, struct strvec *keys)
{
	for (size_t i = 0; i < st->identities.n; i++) {
		const char *path = st->identities.v[i];
		char *beside = xasprintf("%s.pub", path), *base64 = NULL;
		ssh_key key = NULL;

		if ((ls.ssh_pki_import_pubkey_file(beside, &key) == SSH_OK ||
			ls.ssh_pki_import_pubkey_file(path, &key) == SSH_OK) &&
		    ls.ssh_pki_export_pubkey_base64(key, &base64) == SSH_OK)
			strvec_add(keys, base64);
		ls.ssh_string_free_char(base64);
		ls.ssh_key_free(key);
		free(beside);
	}
}

/* Log in through the relay at `fd`, which the session closes. */
static int
ask_agent(struct login *in, int fd, struct err *e)
{
	int r;

	if (ls.ssh_set_agent_socket(in->link->session, fd) != SSH_OK) {
		close(fd);
		return err_set(e, ERR_FAILED, "libssh takes no agent");
	}
	while ((r = ls.ssh_userauth_agent(in->link->session, in->st->user)) ==
	    SSH_AUTH_AGAIN)
		if (ssh_link_wait(in->link, in->end, e) != 0)
			return -1;
	if (r == SSH_AUTH_SUCCESS)
		return 1;
	in->partial |= r == SSH_AUTH_PARTIAL;
	return r == SSH_AUTH_ERROR && !ls.ssh_is_connected(in->link->session) ?
	    ssh_link_lost(in->link, e) :
	    0;
}

/* The agent.  1, 0 when there is none or nothing helped, -1. */
static int
try_agent(struct login *in, struct err *e)
{
	struct strvec preferred = STRVEC_INIT;
	struct ssh_agent_options o = {
		.socket = in->st->agent,
		.preferred = &preferred,
		.only_preferred = in->st->identities_only,
		.limit = in->refused < TRIES_MAX ? TRIES_MAX - in->refused : 1,
		.end = in->end,
		.cancel = in->link->cancel,
	};
	struct ssh_agent_relay *relay;
	struct err why = ERR_INIT;
	int fd, shown, r = 0;

	if (in->st->agent == NULL)
		return 0;
	public_keys(in->st, &preferred);
	relay = ssh_agent_start(&o, &fd, &why);
	if (relay == NULL) {
		note_err(in, &why);
	} else {
		r = ask_agent(in, fd, e);
		shown = ssh_agent_stop(relay, &why);
		if (shown < 0)
			note_err(in, &why);
		else
			note(in, "the agent showed %d %skeys%s", shown,
			    in->st->identities_only ? "of these " : "",
			    shown > 0 ? ", refused" : "");
		in->refused += shown > 0 ? (size_t)shown : 0;
	}
	if (r > 0) {
		log_debug("logged in with a key of the agent");
		in->good = xstrdup("a key of the agent");
	}
	strvec_release(&preferred);
	return r;
}

/* The host takes no keys at all, whichever: say what it takes. */
static int
refuses_keys(const struct login *in, unsigned int methods, struct err *e)
{
	static const struct {
		unsigned int bit;
		const char *name;
	} names[] = {
		{ SSH_AUTH_METHOD_PASSWORD, "password" },
		{ SSH_AUTH_METHOD_INTERACTIVE, "keyboard-interactive" },
		{ SSH_AUTH_METHOD_HOSTBASED, "hostbased" },
		{ SSH_AUTH_METHOD_GSSAPI_MIC, "gssapi-with-mic" },
	};
	struct buf b = BUF_INIT;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if ((methods & names[i].bit) != 0)
			buf_addf(&b, "%s%s", b.len > 0 ? ", " : "",
			    names[i].name);
	err_set(e, ERR_UNREACHABLE,
	    "the host takes no public keys from user '%s', only %s;; allow them in sshd_config there: 'PubkeyAuthentication yes', and 'publickey' alone where AuthenticationMethods is set",
	    in->st->user, buf_str(&b));
	buf_release(&b);
	return -1;
}

/* The host was shown keys, and wants none of them. */
static int
refuses_ours(const struct login *in, struct err *e)
{
	err_set(e, ERR_UNREACHABLE,
	    "the host lets user '%s' in with none of our keys: %s;; add the public key to ~%s/.ssh/authorized_keys there%s; if it is there, sshd's log on the host says why not",
	    in->st->user, buf_str(&in->tried), in->st->user,
	    in->link->is_gate ?
		"" :
		" ('deploy doctor --script HOST' prints what root runs for that)");
	if (in->cure != NULL)
		err_append(e, ", or %s", in->cure);
	if (in->st->user_is_ours)
		err_append(e,
		    "; '%s' is who runs deploy, as no 'user' is given: give one if it is another",
		    in->st->user);
	return -1;
}

/* Nothing helped: say what was tried, and what to do. */
static int
refused(const struct login *in, struct err *e)
{
	unsigned int methods =
	    (unsigned int)ls.ssh_userauth_list(in->link->session, NULL);

	if (in->partial)
		return err_set(e, ERR_UNREACHABLE,
		    "the host wants more than a key for user '%s' (%s); deploy has only keys",
		    in->st->user, buf_str(&in->tried));
	if (methods != 0 && (methods & SSH_AUTH_METHOD_PUBLICKEY) == 0)
		return refuses_keys(in, methods, e);
	if (in->refused > 0)
		return refuses_ours(in, e);
	return err_set(e, ERR_UNREACHABLE,
	    "there is no key to log in with as user '%s'%s%s;; %s",
	    in->st->user, in->tried.len > 0 ? ": " : "", buf_str(&in->tried),
	    in->cure != NULL ?
		in->cure :
		"set DEPLOY_SSH_KEY, name a file with 'identity', or start an agent");
}

/* The service that logs in; only its round trip takes time.  0 or -1. */
static int
ask_for_service(struct ssh_link *l, int64_t end, struct err *e)
{
	const int64_t since = clock_us();
	int r;

	while ((r = ls.ssh_service_request(l->session, "ssh-userauth")) ==
	    SSH_AGAIN)
		if (ssh_link_wait(l, end, e) != 0)
			return -1;
	if (r != SSH_OK)
		return ssh_link_lost(l, e);
	ssh_link_note_trip(l, since);
	return 0;
}

int
ssh_auth(struct ssh_link *l, const struct ssh_settings *st, int64_t end,
    char **words, struct err *e)
{
	struct login in = { .link = l,
		.st = st,
		.end = end,
		.tried = BUF_INIT };
	int r = ask_for_service(l, end, e);

	if (r == 0)
		r = try_variable(&in, e);
	if (r == 0)
		r = try_files(&in, e);
	if (r == 0)
		r = try_agent(&in, e);
	if (r == 0 && st->pkcs11 != NULL)
		note(&in,
		    "PKCS11Provider of ssh_config, %s, is not followed: give its keys to an agent with 'ssh-add -s'",
		    st->pkcs11);
	if (r == 0)
		r = refused(&in, e);
	else if (r < 0 && in.refused > 0)
		err_append(e,
		    " (%s);; if the right key is not among these, name it with 'identity'",
		    buf_str(&in.tried));
	buf_release(&in.tried);
	free(in.cure);
	*words = in.good;
	return r > 0 ? 0 : -1;
}
