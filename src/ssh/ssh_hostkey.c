#include "ssh/ssh_hostkey.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/base64.h"
#include "base/buf.h"
#include "base/clock.h"
#include "os/file.h"
#include "os/intr.h"
#include "os/io.h"
#include "os/log.h"
#include "ssh/libssh.h"
#include "ssh/ssh_certificate.h"
#include "ssh/ssh_client.h"
#include "ssh/ssh_pattern.h"

/* ---------------------------------------------------------- known_hosts */

#define AROUND " \t\r\n\"'" /* a text: blanks, quotes of a shell */

/* The lines about our host, and those about its name without the port. */
struct lines {
	struct buf known, plain;
};

static void
lower(char *name)
{
	for (; name != NULL && *name != '\0'; name++)
		*name = (char)tolower((unsigned char)*name);
}

/* The host as known_hosts calls it: lower case, "[host]:port" if not 22. */
static void
find_names(struct ssh_hostkey *k, const struct ssh_settings *st)
{
	if (st->alias != NULL) {
		k->name = xstrdup(st->alias);
	} else if (strcmp(st->port, "22") == 0) {
		k->name = xstrdup(st->hostname);
	} else {
		k->name = xasprintf("[%s]:%s", st->hostname, st->port);
		k->plain = xstrdup(st->hostname);
	}
	lower(k->name);
	lower(k->plain);
}

/* The word `marker` at the start of a line: what follows it, or NULL. */
static const char *
after_marker(const char *line, const char *marker)
{
	size_t n = strlen(marker);

	if (strncmp(line, marker, n) != 0 || line[n] != ' ')
		return NULL;
	return line + n + strspn(line + n, " ");
}

/*
 * Does the line name the host?  Its key; NULL when not, or not readable.  libssh
 * does not know that a '!' keeps a host out, nor an alias with a ':'; so it is
 * asked about names only where they are hashed.
 */
static ssh_key
key_of_line(const char *name, const char *line)
{
	struct ssh_knownhosts_entry *entry = NULL;
	size_t n = strcspn(line, " ");
	bool is_hashed = *line == '|' && memchr(line, ',', n) == NULL;
	ssh_key key = NULL;
	char *ours;

	if (name == NULL ||
	    (!is_hashed && !ssh_pattern_list_has(line, n, name)))
		return NULL;
	ours = is_hashed ? xstrdup(line) :
			   xasprintf(SSH_HOSTKEY_NAME "%s", line + n);
	if (ls.ssh_known_hosts_parse_line(is_hashed ? name : SSH_HOSTKEY_NAME,
		ours, &entry) == SSH_OK) {
		key = entry->publickey;
		entry->publickey = NULL;
		ls.ssh_knownhosts_entry_free(entry);
	}
	free(ours);
	return key;
}

/* Spaces for tabs, nothing at the ends: libssh is strict. */
static char *
tidy(char *line)
{
	size_t n = strlen(line);

	/* What an editor of Windows puts at the start of a file. */
	if (strncmp(line, "\xef\xbb\xbf", 3) == 0)
		memset(line, ' ', 3);
	for (char *p = line; *p != '\0'; p++)
		if (*p == '\t' || *p == '\r')
			*p = ' ';
	while (n > 0 && line[n - 1] == ' ')
		line[--n] = '\0';
	return line + strspn(line, " ");
}

static void
add_authority(struct ssh_hostkey *k, ssh_key key)
{
	k->authorities = xreallocarray(k->authorities, k->n_authorities + 1,
	    sizeof(ssh_key));
	k->authorities[k->n_authorities++] = key;
}

/* One line of known_hosts; those for libssh go to `found`. */
static void
take_line(struct ssh_hostkey *k, char *raw, struct lines *found)
{
	const char *line = tidy(raw), *rest;
	ssh_key key = NULL;

	if (*line == '\0' || *line == '#')
		return;
	if ((rest = after_marker(line, "@revoked")) != NULL) {
		if ((key = key_of_line(k->name, rest)) != NULL ||
		    (key = key_of_line(k->plain, rest)) != NULL)
			ssh_revoked_add(&k->revoked, key);
		return;
	}
	if ((rest = after_marker(line, "@cert-authority")) != NULL) {
		if ((key = key_of_line(k->name, rest)) != NULL ||
		    (key = key_of_line(k->plain, rest)) != NULL)
			add_authority(k, key);
		return;
	}
	rest = line + strcspn(line, " ");
	if (*line != '@' && (key = key_of_line(k->name, line)) != NULL)
		buf_addf(&found->known, SSH_HOSTKEY_NAME "%s\n", rest);
	else if (*line != '@' && (key = key_of_line(k->plain, line)) != NULL)
		buf_addf(&found->plain, SSH_HOSTKEY_NAME "%s\n", rest);
	ls.ssh_key_free(key);
}

/* All lines of `text`, which is changed. */
static void
take_lines(struct ssh_hostkey *k, char *text, struct lines *found)
{
	char *save, *line = strtok_r(text, "\n", &save);

	for (; line != NULL; line = strtok_r(NULL, "\n", &save))
		take_line(k, line, found);
}

/*
 * A known_hosts file.  One that is not there has no lines, unless it is to be
 * there; one that cannot be read might have revoked keys, so that is an error.
 */
static int
take_file(struct ssh_hostkey *k, const char *path, bool must_be,
    struct lines *found, struct err *e)
{
	int fd = file_open_named(path);
	FILE *f = fd >= 0 ? fdopen(fd, "r") : NULL;
	char *line = NULL;
	size_t size = 0;
	int r = 0;

	if (f == NULL && !must_be && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (f == NULL)
		return err_sys(e, "cannot read '%s'", path);
	while (getline(&line, &size, f) >= 0) {
		line[strcspn(line, "\n")] = '\0';
		take_line(k, line, found);
	}
	if (ferror(f))
		r = err_sys(e, "cannot read '%s'", path);
	free(line);
	fclose(f);
	return r;
}

/* Is there a line of known_hosts: a name, a kind of key, and the key? */
static bool
has_line(const char *text)
{
	for (; *text != '\0'; text += strcspn(text, "\n")) {
		const char *kind;

		text += strspn(text, " \t\r\n");
		if (*text == '@')
			text += strcspn(text, " \t\n");
		text += strspn(text, " \t");
		kind = text + strcspn(text, " \t\n");
		kind += strspn(kind, " \t");
		if (*text != '#' &&
		    (strncmp(kind, "ssh-", 4) == 0 ||
			strncmp(kind, "ecdsa-", 6) == 0 ||
			strncmp(kind, "sk-", 3) == 0))
			return true;
	}
	return false;
}

/* Put the lines where libssh can read them. */
static int
publish(struct ssh_hostkey *k, const struct buf *known, struct err *e)
{
	k->fd = memfd_create("known_hosts", MFD_CLOEXEC);
	if (k->fd < 0 || io_write(k->fd, buf_str(known), known->len) != 0)
		return err_sys(e, "cannot keep known_hosts");
	snprintf(k->path, sizeof(k->path), "/proc/self/fd/%d", k->fd);
	return 0;
}

/*
 * In place: what is around it is a shell's, a file's or an editor's, and line
 * ends are so where they are spelled out.  No line of known_hosts has either.
 */
static void
unquote(char *text)
{
	const char *start = text;
	size_t len;

	if (strncmp(start, "\xef\xbb\xbf", 3) == 0)
		start += 3;
	start += strspn(start, AROUND);
	len = strlen(start);
	memmove(text, start, len + 1);
	while (len > 0 && strchr(AROUND, text[len - 1]) != NULL)
		text[--len] = '\0';
	for (char *p = text; (p = strchr(p, '\\')) != NULL;) {
		size_t n = strspn(p, "\\");

		if (p[n] == 'n' || p[n] == 'r')
			memset(p, '\n', n + 1);
		p += n;
	}
}

char *
ssh_hostkey_given(void)
{
	char *text = xstrdup_opt(getenv("DEPLOY_KNOWN_HOSTS"));
	struct buf b = BUF_INIT;

	if (text == NULL || *text == '\0') {
		free(text);
		return NULL;
	}
	unquote(text);
	/* It may be in base64, as some CI systems want it; then what that is. */
	if (base64_decode(text, &b) && memchr(b.data, ' ', b.len) != NULL) {
		buf_addc(&b, '\0');
		free(text);
		text = buf_detach(&b);
		unquote(text);
	}
	buf_release(&b);
	return text;
}

bool
ssh_hostkey_is_path(const char *given)
{
	return given[0] == '/' && strchr(given, '\n') == NULL;
}

/* What DEPLOY_KNOWN_HOSTS gives, which is changed. */
static int
take_given(struct ssh_hostkey *k, char *given, struct lines *found,
    struct err *e)
{
	if (ssh_hostkey_is_path(given)) {
		if (take_file(k, given, true, found, e) == 0)
			return 0;
		return err_prefix(e, "DEPLOY_KNOWN_HOSTS: ");
	}
	k->is_no_list = !has_line(given);
	take_lines(k, given, found);
	return 0;
}

int
ssh_hostkey_load(struct ssh_hostkey *k, const struct ssh_settings *st,
    struct err *e)
{
	char *given = ssh_hostkey_given();
	struct lines found = { BUF_INIT, BUF_INIT };
	int r = 0;

	find_names(k, st);
	if (given != NULL)
		r = take_given(k, given, &found, e);
	for (size_t i = 0; i < st->known_hosts.n && r == 0; i++)
		r = take_file(k, st->known_hosts.v[i], false, &found, e);
	if (r == 0)
		r = publish(k,
		    found.known.len > 0 ? &found.known : &found.plain, e);
	if (r == 0 && st->revoked != NULL)
		r = ssh_revoked_read(&k->revoked, st->revoked, e);
	if (r != 0)
		e->code = ERR_UNREACHABLE; /* as where the key is not known */
	k->lax = xstrdup_opt(st->lax);
	k->is_listed = found.known.len > 0 || found.plain.len > 0;
	free(given);
	buf_release(&found.known);
	buf_release(&found.plain);
	return r;
}

/* ---------------------------------------------------------- certificates */

/* Remember why the host's certificate does not help.  -1. */
static int __attribute__((format(printf, 2, 3)))
reject(struct ssh_hostkey *k, const char *fmt, ...)
{
	va_list ap;
	struct err e = ERR_INIT;
	char text[512];

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	err_set(&e, ERR_UNREACHABLE, "%s", text);
	free(k->rejected);
	k->rejected = xstrdup(e.text);
	return -1;
}

/*
 * What ssh(1) is made to say of the key that the host shows: "CERTIFICATE" and
 * that in base64.  It says NONE where it only asks for the order of algorithms.
 */
#define MARK "CERTIFICATE "
#define SAY "-oKnownHostsCommand=/bin/sh -c \"echo " MARK "%K >&2\""

static char *
certificate_in(const char *said)
{
	for (; (said = strstr(said, MARK)) != NULL; said++) {
		const char *base64 = said + strlen(MARK);

		if (strncmp(base64, "NONE", 4) != 0)
			return xstrndup(base64, strcspn(base64, " \r\n"));
	}
	return NULL;
}

/* The last line of what was said, without its end; changes that. */
static const char *
last_line(struct buf *said)
{
	const char *nl;

	while (said->len > 0 && strchr("\r\n", said->data[said->len - 1]))
		said->data[--said->len] = '\0';
	nl = said->len > 0 ? strrchr(said->data, '\n') : NULL;
	return nl != NULL ? nl + 1 : buf_str(said);
}

/*
 * The certificate that the host shows to ssh(1), in base64; NULL.  libssh takes
 * none, and it does not matter where one comes from: it tells by itself which
 * key is the host's, who has signed that, and for how long.
 */
static char *
ask_for_certificate(struct ssh_hostkey *k, const struct ssh_options *o,
    const struct ssh_settings *st, int64_t ms)
{
	static const char *const words[] = { "ssh", "-T", "-oBatchMode=yes",
		"-oControlPath=none", "-oControlMaster=no",
		"-oPermitLocalCommand=no", "-oRemoteCommand=none",
		"-oClearAllForwardings=yes", "-oStrictHostKeyChecking=yes",
		"-oUserKnownHostsFile=none", "-oGlobalKnownHostsFile=none",
		"-oRevokedHostKeys=none", "-oVerifyHostKeyDNS=no", SAY };
	char *kinds = ssh_algorithms_certificates(&st->algorithms);
	struct strvec argv = STRVEC_INIT;
	struct buf out = BUF_INIT, said = BUF_INIT;
	struct err e = ERR_INIT;
	char *found;
	int status = 0, r;

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		strvec_add(&argv, words[i]);
	strvec_addf(&argv, "-oHostKeyAlgorithms=%s", kinds);
	ssh_client_add_host(&argv, o);
	strvec_add(&argv, "true");
	r = *kinds == '\0' ?
	    err_set(&e, ERR_USAGE,
		"HostKeyAlgorithms of ssh_config allows none") :
	    ssh_client_run(&argv, ms, &out, &said, &status, &e);
	found = certificate_in(buf_str(&said));
	if (found == NULL)
		reject(k, "@cert-authority: it shows no certificate: %s",
		    r > 0     ? "there is no ssh(1) to ask for it" :
			r < 0 ? e.text :
				last_line(&said));
	free(kinds);
	strvec_release(&argv);
	buf_release(&out);
	buf_release(&said);
	return found;
}

/* Does CASignatureAlgorithms allow that signature?  0, -1. */
static int
check_signature(struct ssh_hostkey *k, const struct ssh_certificate *c,
    const char *allowed)
{
	char *algorithm = ssh_certificate_algorithm(c);
	bool is_allowed = allowed == NULL ||
	    ssh_pattern_list_has(allowed, strlen(allowed), algorithm);

	if (!is_allowed)
		reject(k,
		    "CASignatureAlgorithms of ssh_config does not allow the %s signature of its certificate",
		    algorithm);
	free(algorithm);
	return is_allowed ? 0 : -1;
}

/* Is the certificate's authority one that may speak for the host?  0, -1. */
static int
check_authority(struct ssh_hostkey *k, const struct ssh_certificate *c,
    const struct ssh_settings *st, const char *base64, struct err *e)
{
	struct buf blob = BUF_INIT;
	ssh_key whole = NULL, authority = NULL;
	char *type = xasprintf("%s-cert-v01@openssh.com", c->type);
	char *mine = NULL;
	int r = -1;

	for (size_t i = 0; i < k->n_authorities && authority == NULL; i++) {
		buf_reset(&blob);
		if (ls.ssh_pki_export_pubkey_base64(k->authorities[i],
			&mine) == SSH_OK &&
		    base64_decode(mine, &blob) && blob.len == c->authority.n &&
		    memcmp(blob.data, c->authority.p, blob.len) == 0)
			authority = k->authorities[i];
		ls.ssh_string_free_char(mine);
		mine = NULL;
	}
	if (authority == NULL)
		reject(k,
		    "its certificate is of another authority than @cert-authority");
	else if (!ssh_certificate_is_signed(c))
		reject(k, "its certificate has a wrong signature");
	else if (check_signature(k, c, st->signatures) == 0 &&
	    ssh_revoked_check(&k->revoked, authority,
		"authority of its certificate", e) == 0 &&
	    ls.ssh_pki_import_cert_base64(base64,
		ls.ssh_key_type_from_name(type), &whole) == SSH_OK)
		r = ssh_revoked_check(&k->revoked, whole, "certificate", e);
	if (r != 0 && e->code != 0)
		reject(k, "%s", e->text);
	ls.ssh_key_free(whole);
	free(type);
	buf_release(&blob);
	return r;
}

/* The key in the certificate becomes a line of known_hosts. */
static int
certify(struct ssh_hostkey *k, const struct ssh_settings *st,
    const char *base64, struct err *e)
{
	struct ssh_certificate c = SSH_CERTIFICATE_INIT;
	struct err why = ERR_INIT;
	struct buf line = BUF_INIT, key = BUF_INIT;
	char *name = xstrdup(st->alias != NULL ? st->alias : st->hostname);
	int r = 0;

	lower(name);
	if (!ssh_certificate_parse(&c, base64)) {
		reject(k, "its certificate cannot be read");
	} else if (ssh_certificate_check_host(&c, name, clock_now(), &why) !=
	    0) {
		reject(k, "its certificate %s", why.text);
	} else if (check_authority(k, &c, st, base64, &why) == 0) {
		base64_encode(c.key.data, c.key.len, &key);
		buf_addf(&line, SSH_HOSTKEY_NAME " %s ", c.type);
		for (size_t i = 0; i < key.len; i++)
			if (key.data[i] != '\n')
				buf_addc(&line, key.data[i]);
		buf_addc(&line, '\n');
		if (io_write(k->fd, line.data, line.len) != 0)
			r = err_sys(e, "cannot keep known_hosts");
	}
	ssh_certificate_release(&c);
	buf_release(&line);
	buf_release(&key);
	free(name);
	return r;
}

int
ssh_hostkey_certify(struct ssh_hostkey *k, const struct ssh_options *o,
    const struct ssh_settings *st, int64_t ms, struct err *e)
{
	char *base64;
	int r = 0;

	if (k->n_authorities == 0 || k->is_listed || o->host_key != NULL)
		return 0;
	base64 = ask_for_certificate(k, o, st, ms);
	if (intr_check(e) != 0)
		r = -1;
	else if (base64 != NULL)
		r = certify(k, st, base64, e);
	free(base64);
	return r;
}

void
ssh_hostkey_release(struct ssh_hostkey *k)
{
	ssh_revoked_release(&k->revoked);
	for (size_t i = 0; i < k->n_authorities; i++)
		ls.ssh_key_free(k->authorities[i]);
	free(k->authorities);
	free(k->rejected);
	free(k->lax);
	free(k->name);
	free(k->plain);
	if (k->fd >= 0)
		close(k->fd);
	*k = (struct ssh_hostkey)SSH_HOSTKEY_INIT;
}

/* ---------------------------------------------------------------- check */

/* What the peer has shown, in words. */
struct shown {
	ssh_key key;
	char *print; /* "SHA256:..." */
	char *base64;
	const char *type;
};

static void
shown_release(struct shown *s)
{
	ls.ssh_key_free(s->key);
	ls.ssh_string_free_char(s->print);
	ls.ssh_string_free_char(s->base64);
}

static int
shown_get(struct shown *s, ssh_session session, struct err *e)
{
	unsigned char *hash = NULL;
	size_t len = 0;

	if (ls.ssh_get_server_publickey(session, &s->key) == SSH_OK &&
	    ls.ssh_get_publickey_hash(s->key, SSH_PUBLICKEY_HASH_SHA256, &hash,
		&len) == SSH_OK &&
	    ls.ssh_pki_export_pubkey_base64(s->key, &s->base64) == SSH_OK)
		s->print =
		    ls.ssh_get_fingerprint_hash(SSH_PUBLICKEY_HASH_SHA256,
			hash, len);
	ls.ssh_clean_pubkey_hash(&hash);
	if (s->print == NULL)
		return err_set(e, ERR_UNREACHABLE,
		    "the host's key cannot be read");
	/* "ssh-ed25519", "ecdsa-sha2-nistp256": as known_hosts has it. */
	s->type = ls.ssh_key_type_to_char(ls.ssh_key_type(s->key));
	return 0;
}

int
ssh_hostkey_show(const struct ssh_hostkey *k, ssh_session session,
    struct buf *out, struct err *e)
{
	struct shown s = { 0 };
	int r = shown_get(&s, session, e);

	if (r == 0)
		buf_addf(out, "%s %s %s\n", k->name, s.type, s.base64);
	shown_release(&s);
	return r;
}

/* Is it revoked?  0 when not, or -1. */
static int
check_revoked(const struct ssh_hostkey *k, const struct shown *s,
    struct err *e)
{
	char *words = xasprintf("%s key %s of %s", s->type, s->print, k->name);
	int r = ssh_revoked_check(&k->revoked, s->key, words, e);

	free(words);
	return r;
}

/* A pin decides alone. */
static int
check_pin(const struct ssh_hostkey *k, const struct shown *s, const char *pin,
    struct err *e)
{
	size_t n = strcspn(pin, "="); /* base64 padding is left out */

	if (strncmp(s->print, pin, n) == 0 && s->print[n] == '\0')
		return 0;
	return err_set(e, ERR_UNREACHABLE,
	    "%s has the %s key %s, not %s as 'host_key' says;; 'host_key' has to name this key, also where the host has keys of other kinds: if its administrator confirms the fingerprint, change it",
	    k->name, s->type, s->print, pin);
}

/* Why a host is not known, as far as known_hosts tells. */
static int
refuse_unknown(const struct ssh_hostkey *k, const struct shown *s,
    struct err *e)
{
	struct buf why = BUF_INIT;

	if (k->rejected != NULL)
		buf_addf(&why, " (%s)", k->rejected);
	if (k->is_no_list)
		buf_adds(&why,
		    " (DEPLOY_KNOWN_HOSTS is set, but has no line of known_hosts)");
	if (k->lax != NULL)
		buf_addf(&why, " (%s of ssh_config is not followed)", k->lax);
	err_set(e, ERR_UNREACHABLE,
	    "%s is not known%s; its %s key is %s;; if its administrator confirms that, add the line '%s %s %s' to known_hosts or DEPLOY_KNOWN_HOSTS",
	    k->name, buf_str(&why), s->type, s->print, k->name, s->type,
	    s->base64);
	buf_release(&why);
	return -1;
}

static int
refuse_changed(const struct ssh_hostkey *k, const struct shown *s,
    struct err *e)
{
	return err_set(e, ERR_UNREACHABLE,
	    "THE KEY OF %s HAS CHANGED: somebody may be listening in; it is now the %s key %s;; only if its administrator confirms that, replace the host's lines in known_hosts by '%s %s %s'",
	    k->name, s->type, s->print, k->name, s->type, s->base64);
}

static int
check_known(const struct ssh_hostkey *k, const struct shown *s,
    ssh_session session, struct err *e)
{
	switch (ls.ssh_session_is_known_server(session)) {
	case SSH_KNOWN_HOSTS_OK:
		return 0;
	case SSH_KNOWN_HOSTS_CHANGED:
	case SSH_KNOWN_HOSTS_OTHER:
		return refuse_changed(k, s, e);
	case SSH_KNOWN_HOSTS_UNKNOWN:
	case SSH_KNOWN_HOSTS_NOT_FOUND:
		return refuse_unknown(k, s, e);
	default:
		return err_set(e, ERR_UNREACHABLE, "%s",
		    ls.ssh_get_error(session));
	}
}

int
ssh_hostkey_check(const struct ssh_hostkey *k, ssh_session session,
    const char *pin, char **words, struct err *e)
{
	struct shown s = { 0 };
	int r = shown_get(&s, session, e);

	if (r == 0)
		r = check_revoked(k, &s, e);
	if (r == 0 && pin != NULL)
		r = check_pin(k, &s, pin, e);
	else if (r == 0)
		r = check_known(k, &s, session, e);
	if (r == 0) {
		log_debug("%s has the %s key %s", k->name, s.type, s.print);
		*words = xasprintf("%s %s", s.type, s.print);
	}
	shown_release(&s);
	return r;
}
