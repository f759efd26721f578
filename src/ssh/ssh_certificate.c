#include "ssh/ssh_certificate.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/base64.h"
#include "base/clock.h"
#include "ssh/ssh_crypto.h"

#define SUFFIX "-cert-v01@openssh.com"

/* The kinds of keys, and of how many strings each is made. */
static const struct {
	const char *type;
	int fields;
} types[] = {
	{ "ssh-ed25519", 1 },
	{ "ssh-rsa", 2 },
	{ "ecdsa-sha2-nistp256", 2 },
	{ "ecdsa-sha2-nistp384", 2 },
	{ "ecdsa-sha2-nistp521", 2 },
	{ "sk-ssh-ed25519", 2 },
	{ "sk-ecdsa-sha2-nistp256", 3 },
};

/* The kind of key that a certificate of this type is for; NULL: none. */
static const char *
key_type(const struct ssh_bytes *type, int *fields)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		size_t n = strlen(types[i].type);

		if (type->n != n + strlen(SUFFIX) ||
		    memcmp(type->p, types[i].type, n) != 0 ||
		    memcmp(type->p + n, SUFFIX, strlen(SUFFIX)) != 0)
			continue;
		*fields = types[i].fields;
		return types[i].type;
	}
	return NULL;
}

static void
put_string(struct buf *b, const void *data, size_t n)
{
	const unsigned char len[] = { (unsigned char)(n >> 24),
		(unsigned char)(n >> 16), (unsigned char)(n >> 8),
		(unsigned char)n };

	buf_add(b, len, sizeof(len));
	buf_add(b, data, n);
}

/* Up to the public key, which `c` gets by itself. */
static bool
parse_key(struct ssh_certificate *c, struct ssh_bytes *rest)
{
	struct ssh_bytes type, nonce, field;
	const char *name;
	int fields;

	if (!ssh_bytes_take(rest, &type) ||
	    (name = key_type(&type, &fields)) == NULL ||
	    !ssh_bytes_take(rest, &nonce))
		return false;
	c->type = xstrdup(name);
	put_string(&c->key, name, strlen(name));
	for (; fields > 0; fields--) {
		if (!ssh_bytes_take(rest, &field))
			return false;
		put_string(&c->key, field.p, field.n);
	}
	return true;
}

/* The names in it; one with a zero byte is no certificate. */
static bool
parse_principals(struct ssh_certificate *c, struct ssh_bytes names)
{
	struct ssh_bytes name;

	while (names.n > 0) {
		if (!ssh_bytes_take(&names, &name) ||
		    memchr(name.p, '\0', name.n) != NULL)
			return false;
		strvec_addf(&c->principals, "%.*s", (int)name.n,
		    (const char *)name.p);
	}
	return true;
}

static bool
parse(struct ssh_certificate *c)
{
	struct ssh_bytes all = { (const unsigned char *)c->blob.data,
		c->blob.len };
	struct ssh_bytes rest = all, id, names, critical, other;
	uint64_t serial, kind;

	if (!parse_key(c, &rest) ||
	    !ssh_bytes_take_number(&rest, 8, &serial) ||
	    !ssh_bytes_take_number(&rest, 4, &kind) ||
	    !ssh_bytes_take(&rest, &id) || !ssh_bytes_take(&rest, &names) ||
	    !ssh_bytes_take_number(&rest, 8, &c->after) ||
	    !ssh_bytes_take_number(&rest, 8, &c->before) ||
	    !ssh_bytes_take(&rest, &critical) ||
	    !ssh_bytes_take(&rest, &other) || /* extensions, reserved */
	    !ssh_bytes_take(&rest, &other) ||
	    !ssh_bytes_take(&rest, &c->authority))
		return false;
	c->kind = (uint32_t)kind;
	c->critical = critical.n > 0;
	c->body = (struct ssh_bytes){ all.p, all.n - rest.n };
	return ssh_bytes_take(&rest, &c->signature) && rest.n == 0 &&
	    parse_principals(c, names);
}

bool
ssh_certificate_parse(struct ssh_certificate *c, const char *base64)
{
	if (base64_decode(base64, &c->blob) && parse(c))
		return true;
	ssh_certificate_release(c);
	return false;
}

void
ssh_certificate_release(struct ssh_certificate *c)
{
	buf_release(&c->blob);
	buf_release(&c->key);
	free(c->type);
	strvec_release(&c->principals);
	*c = (struct ssh_certificate)SSH_CERTIFICATE_INIT;
}

int
ssh_certificate_check(const struct ssh_certificate *c,
    enum ssh_certificate_kind kind, int64_t now, struct err *e)
{
	uint64_t seconds = now > 0 ? (uint64_t)now / 1000 : 0;

	if (c->kind != kind)
		return err_set(e, ERR_USAGE, "is for a %s, not for a %s",
		    c->kind == SSH_CERTIFICATE_HOST ? "host" : "user",
		    kind == SSH_CERTIFICATE_HOST ? "host" : "user");
	if (seconds >= c->before)
		return err_set(e, ERR_USAGE,
		    "has expired %llu s ago;; have it signed anew: 'ssh-keygen -s'",
		    (unsigned long long)(seconds - c->before));
	if (seconds < c->after)
		return err_set(e, ERR_USAGE,
		    "is not valid before %llu s from now;; is the clock here right?",
		    (unsigned long long)(c->after - seconds));
	return 0;
}

/* Is it for that name?  A pattern is none for ssh(1), so not for us. */
static bool
is_for(const struct ssh_certificate *c, const char *name)
{
	return c->principals.n == 0 || strvec_has(&c->principals, name);
}

int
ssh_certificate_check_host(const struct ssh_certificate *c, const char *name,
    int64_t now, struct err *e)
{
	if (ssh_certificate_check(c, SSH_CERTIFICATE_HOST, now, e) != 0)
		return -1;
	if (c->critical)
		return err_set(e, ERR_USAGE,
		    "has critical options, and those of hosts have none");
	if (!is_for(c, name))
		return err_set(e, ERR_USAGE, "is not for '%s' but for '%s'%s",
		    name, c->principals.v[0],
		    c->principals.n > 1 ? " and others" : "");
	return 0;
}

bool
ssh_certificate_is_signed(const struct ssh_certificate *c)
{
	return ssh_crypto_verify(&c->authority, &c->body, &c->signature);
}

char *
ssh_certificate_algorithm(const struct ssh_certificate *c)
{
	struct ssh_bytes rest = c->signature, name;

	if (!ssh_bytes_take(&rest, &name))
		return xstrdup("");
	return xstrndup((const char *)name.p, name.n);
}
