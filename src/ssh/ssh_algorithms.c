#include "ssh/ssh_algorithms.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "ssh/libssh.h"

enum { OFFER_MAX = 500 }; /* bytes of what a host offers, in a message */

/*
 * All that ssh(1) has by default and libssh may have: where ssh_config asks for
 * just that, with a '+' say, `ssh -G` does not tell it from nothing.  The fast
 * ones first: aes128-gcm moves twice what libssh's first choice does.  AES-GCM
 * tags are checked only since 0.10.6-0+deb12u3.
 */
static const char ciphers[] =
    "aes128-gcm@openssh.com,aes256-gcm@openssh.com,"
    "chacha20-poly1305@openssh.com,aes256-ctr,aes192-ctr,aes128-ctr";
static const char exchanges[] =
    "curve25519-sha256,"
    "curve25519-sha256@libssh.org,ecdh-sha2-nistp256,ecdh-sha2-nistp384,"
    "ecdh-sha2-nistp521,diffie-hellman-group18-sha512,"
    "diffie-hellman-group16-sha512,diffie-hellman-group-exchange-sha256,"
    "diffie-hellman-group14-sha256,mlkem768x25519-sha256,"
    "sntrup761x25519-sha512,sntrup761x25519-sha512@openssh.com";
static const char macs[] =
    "hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com,"
    "hmac-sha2-256,hmac-sha2-512,hmac-sha1-etm@openssh.com,hmac-sha1";

/* The lists: in `ssh -G`, in the manual, in libssh and in its errors. */
static const struct {
	const char *key, *older; /* how it was called before OpenSSH 8.5 */
	const char *name;
	const char *ours;		 /* NULL: libssh's */
	enum ssh_options_e option, back; /* there, and from there to here */
	const char *method;
} lists[SSH_ALGORITHMS_N] = {
	[SSH_ALGORITHMS_KEX] = { "kexalgorithms", NULL, "KexAlgorithms",
	    exchanges, SSH_OPTIONS_KEY_EXCHANGE, SSH_OPTIONS_KEY_EXCHANGE,
	    "kex algos" },
	[SSH_ALGORITHMS_HOST_KEY] = { "hostkeyalgorithms", NULL,
	    "HostKeyAlgorithms", NULL, SSH_OPTIONS_HOSTKEYS,
	    SSH_OPTIONS_HOSTKEYS, "server host key algo" },
	[SSH_ALGORITHMS_CIPHERS] = { "ciphers", NULL, "Ciphers", ciphers,
	    SSH_OPTIONS_CIPHERS_C_S, SSH_OPTIONS_CIPHERS_S_C, "encryption" },
	[SSH_ALGORITHMS_MACS] = { "macs", NULL, "MACs", macs,
	    SSH_OPTIONS_HMAC_C_S, SSH_OPTIONS_HMAC_S_C, "mac algo" },
	[SSH_ALGORITHMS_PUBKEY] = { "pubkeyacceptedalgorithms",
	    "pubkeyacceptedkeytypes", "PubkeyAcceptedAlgorithms", NULL,
	    SSH_OPTIONS_PUBLICKEY_ACCEPTED_TYPES,
	    SSH_OPTIONS_PUBLICKEY_ACCEPTED_TYPES, NULL },
};

void
ssh_algorithms_take(struct ssh_algorithms *a, const char *key,
    const char *value)
{
	for (size_t i = 0; i < SSH_ALGORITHMS_N; i++) {
		if (strcmp(key, lists[i].key) != 0 &&
		    (lists[i].older == NULL ||
			strcmp(key, lists[i].older) != 0))
			continue;
		free(a->said[i]);
		a->said[i] = xstrdup(value);
	}
}

void
ssh_algorithms_leave_out(struct ssh_algorithms *a,
    const struct ssh_algorithms *defaults)
{
	for (size_t i = 0; i < SSH_ALGORITHMS_N; i++) {
		if (a->said[i] == NULL || defaults->said[i] == NULL ||
		    strcmp(a->said[i], defaults->said[i]) != 0)
			continue;
		free(a->said[i]);
		a->said[i] = NULL;
	}
}

/* Of a list of kinds of keys those of certificates, or the others. */
static char *
pick(const char *list, bool certificates)
{
	struct buf b = BUF_INIT;
	char *copy = xstrdup(list), *save, *name;

	for (name = strtok_r(copy, ",", &save); name != NULL;
	     name = strtok_r(NULL, ",", &save))
		if ((strstr(name, "-cert-v0") != NULL) == certificates)
			buf_addf(&b, "%s%s", b.len > 0 ? "," : "", name);
	free(copy);
	return buf_detach(&b);
}

char *
ssh_algorithms_certificates(const struct ssh_algorithms *a)
{
	const char *said = a->said[SSH_ALGORITHMS_HOST_KEY];

	return said != NULL ? pick(said, true) :
			      xstrdup("*-cert-v01@openssh.com");
}

/* 0 or -1. */
static int
apply(ssh_session session, size_t i, const char *list)
{
	return ls.ssh_options_set(session, lists[i].option, list) == SSH_OK &&
		ls.ssh_options_set(session, lists[i].back, list) == SSH_OK ?
	    0 :
	    -1;
}

int
ssh_algorithms_apply(const struct ssh_algorithms *a, ssh_session session,
    struct err *e)
{
	for (size_t i = 0; i < SSH_ALGORITHMS_N; i++) {
		const char *said =
		    a->said[i] != NULL ? a->said[i] : lists[i].ours;
		char *list;
		int r;

		if (said == NULL)
			continue;
		/* libssh has no certificates of hosts: see ssh_hostkey.h. */
		list = i == SSH_ALGORITHMS_HOST_KEY ? pick(said, false) :
						      xstrdup(said);
		r = apply(session, i, list);
		free(list);
		if (r != 0)
			return err_set(e, ERR_USAGE,
			    "%s of ssh_config allows only what libssh has not got: %s;; allow more there",
			    lists[i].name, said);
	}
	return 0;
}

/* Of the names between commas the first that libssh has got; NULL: none. */
static char *
first_known(const char *names, size_t n, enum ssh_options_e option)
{
	ssh_session probe = ls.ssh_new();
	char *copy = xstrndup(names, n), *save, *name, *known = NULL;

	for (name = strtok_r(copy, ",", &save); name != NULL && known == NULL;
	     name = strtok_r(NULL, ",", &save))
		if (ls.ssh_options_set(probe, option, name) == SSH_OK)
			known = xstrdup(name);
	free(copy);
	ls.ssh_free(probe);
	return known;
}

/* The list of which libssh speaks in that way; SSH_ALGORITHMS_N: none. */
static size_t
list_of(const char *method)
{
	size_t i = 0;

	while (i < SSH_ALGORITHMS_N &&
	    (lists[i].method == NULL ||
		strncmp(method, lists[i].method, strlen(lists[i].method)) !=
		    0))
		i++;
	return i;
}

/*
 * What libssh says: "no match for method METHOD: server [NAME,...], client
 * [NAME,...]".  Nothing is allowed that is in both.
 */
void
ssh_algorithms_explain(ssh_session session, struct err *e)
{
	static const char before[] = "no match for method ";
	const char *method, *theirs, *ours;
	size_t i, n;
	char *known;

	if (session == NULL ||
	    (method = strstr(ls.ssh_get_error(session), before)) == NULL)
		return;
	i = list_of(method += strlen(before));
	theirs = strstr(method, "server [");
	ours = theirs != NULL ? strstr(theirs, "], client [") : NULL;
	if (i == SSH_ALGORITHMS_N || ours == NULL)
		return;
	theirs += strlen("server [");
	n = (size_t)(ours - theirs);
	ours += strlen("], client [");
	known = first_known(theirs, n, lists[i].option);
	err_set(e, ERR_UNREACHABLE,
	    "no algorithm in common (%s): the host offers %.*s, deploy %.*s",
	    lists[i].name, (int)(n < OFFER_MAX ? n : OFFER_MAX), theirs,
	    (int)strcspn(ours, "]"), ours);
	if (known != NULL)
		err_append(e,
		    ";; '%s %s' for this host in ssh_config allows it",
		    lists[i].name, known);
	else
		err_append(e,
		    ";; libssh, by which deploy connects, has none of the host's: %s of sshd_config there has to allow more",
		    lists[i].name);
	free(known);
}

void
ssh_algorithms_release(struct ssh_algorithms *a)
{
	for (size_t i = 0; i < SSH_ALGORITHMS_N; i++)
		free(a->said[i]);
	*a = (struct ssh_algorithms){ { NULL } };
}
