#include "ssh/ssh_identity.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/base64.h"
#include "base/buf.h"
#include "os/file.h"
#include "os/io.h"
#include "os/secret.h"
#include "ssh/libssh.h"
#include "ssh/ssh_bytes.h"
#include "ssh/ssh_crypto.h"

enum {
	FILE_MAX = 64 * 1024,
	FOLD = 64,	/* characters of base64 in a line */
	SHOWN_MAX = 64, /* bytes of what should be a name */
	CHANCE_MIN = 3, /* bytes that no word has by chance in base64 */
};

#define BEGIN "-----BEGIN "
#define OPENSSH_BEGIN "-----BEGIN OPENSSH PRIVATE KEY-----\n"
#define DSA "a DSA key, which no SSH takes any more"
#define MAKE_ONE "make one with 'ssh-keygen -t ed25519'"
#define AROUND " \t\r\n\"'" /* a text: blanks, quotes of a shell */
#define BASE64 \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="

/*
 * Any white space, also "\n" and "\r" spelled out, with as many backslashes as
 * it has passed shells and files, becomes spaces.
 */
static void
flatten(char *s)
{
	for (; *s != '\0'; s++) {
		size_t n = strspn(s, "\\");

		if (n > 0 && (s[n] == 'n' || s[n] == 'r'))
			memset(s, ' ', n + 1);
		else if (*s == '\n' || *s == '\r' || *s == '\t')
			*s = ' ';
	}
}

/* Append base64, folded; `column` is where the line is. */
static void
add_folded(struct buf *b, const char *word, size_t *column)
{
	for (; *word != '\0'; word++) {
		if (*column == FOLD) {
			buf_addc(b, '\n');
			*column = 0;
		}
		buf_addc(b, *word);
		(*column)++;
	}
}

/*
 * The lines between BEGIN and END as a decoder wants them: headers
 * ("DEK-Info: ..."), an empty line, base64.
 */
static void
add_body(struct buf *b, char *body)
{
	char *save, *word;
	size_t column = 0;
	bool headers = false;

	flatten(body);
	word = strtok_r(body, " ", &save);
	for (; word != NULL; word = strtok_r(NULL, " ", &save)) {
		if (word[strlen(word) - 1] == ':') {
			char *value = strtok_r(NULL, " ", &save);

			buf_addf(b, "%s %s\n", word,
			    value != NULL ? value : "");
			headers = true;
			continue;
		}
		if (headers)
			buf_addc(b, '\n');
		headers = false;
		add_folded(b, word, &column);
	}
	buf_addc(b, '\n');
}

/*
 * The first block that is a private key, behind parameters, certificates and
 * whatever else is in the file; NULL.
 */
static const char *
find_private(const char *text)
{
	static const char *const labels[] = { "OPENSSH PRIVATE KEY-----",
		"RSA PRIVATE KEY-----", "EC PRIVATE KEY-----",
		"PRIVATE KEY-----", "ENCRYPTED PRIVATE KEY-----" };

	for (; (text = strstr(text, BEGIN)) != NULL; text += strlen(BEGIN))
		for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++)
			if (strncmp(text + strlen(BEGIN), labels[i],
				strlen(labels[i])) == 0)
				return text;
	return NULL;
}

/*
 * Lay the key out anew.  False when there is no BEGIN and END line.  Room is
 * made before, so that no copy is left behind by growing.
 */
static bool
repair(struct buf *b, const char *text)
{
	const char *begin = find_private(text), *body, *end, *last;
	struct buf middle = BUF_INIT;

	if (begin == NULL)
		begin = strstr(text, BEGIN);
	if (begin == NULL ||
	    (body = strstr(begin + strlen(BEGIN), "-----")) == NULL ||
	    (end = strstr(body + 5, "-----END ")) == NULL ||
	    (last = strstr(end + 9, "-----")) == NULL)
		return false;
	body += 5;
	last += 5;
	buf_reserve(b, 2 * strlen(text) + 64);
	buf_reserve(&middle, (size_t)(end - body));
	buf_add(&middle, body, (size_t)(end - body));
	buf_add(b, begin, (size_t)(body - begin));
	buf_addc(b, '\n');
	add_body(b, middle.data);
	buf_add(b, end, (size_t)(last - end));
	buf_addc(b, '\n');
	buf_wipe(&middle);
	return true;
}

/* Of a repaired key. */
static bool
is_openssh(const char *key)
{
	return strncmp(key, OPENSSH_BEGIN, strlen(OPENSSH_BEGIN)) == 0;
}

/* What a repaired key is in bytes, to be wiped; false: it is no base64. */
static bool
decode_body(const char *key, struct buf *bytes)
{
	char *body = xstrdup(key + strcspn(key, "\n"));
	bool is;

	body[strcspn(body, "-")] = '\0';
	is = base64_decode(body, bytes);
	explicit_bzero(body, strlen(body));
	free(body);
	return is;
}

/*
 * The cipher and the derivation of its key by which a key in the form of
 * OpenSSH is encrypted (PROTOCOL.key), both in `bytes`.
 */
static bool
find_cipher(const char *key, struct buf *bytes, struct ssh_bytes *cipher,
    struct ssh_bytes *derivation)
{
	static const char magic[] = "openssh-key-v1"; /* with its NUL */
	struct ssh_bytes rest;

	if (!decode_body(key, bytes) || bytes->len < sizeof(magic) ||
	    memcmp(bytes->data, magic, sizeof(magic)) != 0)
		return false;
	rest.p = (const unsigned char *)bytes->data + sizeof(magic);
	rest.n = bytes->len - sizeof(magic);
	return ssh_bytes_take(&rest, cipher) &&
	    ssh_bytes_take(&rest, derivation);
}

static bool
is_one_of(const struct ssh_bytes *name, const char *const *names)
{
	for (; *names != NULL; names++)
		if (name->n == strlen(*names) &&
		    memcmp(name->p, *names, name->n) == 0)
			return true;
	return false;
}

/*
 * Is a key in the form of OpenSSH encrypted?  Only in ways that libssh opens:
 * in those of a connection that authenticate what they hide, 0.10.6 crashes.
 * 0 or -1.
 */
static int
check_cipher(const char *key, bool *encrypted, const char *what, struct err *e)
{
	static const char *const none[] = { "none", NULL };
	static const char *const derivations[] = { "bcrypt", NULL };
	static const char *const ciphers[] = { "aes128-ctr", "aes192-ctr",
		"aes256-ctr", "aes128-cbc", "aes192-cbc", "aes256-cbc",
		"3des-cbc", NULL };
	struct buf b = BUF_INIT;
	struct ssh_bytes cipher, derivation, *odd = NULL;
	int r = 0;

	if (!find_cipher(key, &b, &cipher, &derivation)) {
		r = err_set(e, ERR_UNREACHABLE,
		    "%s is damaged: it is no key in the form of OpenSSH;; copy it anew, or make one with 'ssh-keygen -t ed25519'",
		    what);
	} else if ((*encrypted = !is_one_of(&cipher, none))) {
		if (!is_one_of(&cipher, ciphers))
			odd = &cipher;
		else if (!is_one_of(&derivation, derivations))
			odd = &derivation;
	}
	if (odd != NULL)
		r = err_set(e, ERR_UNREACHABLE,
		    "%s is encrypted with '%.*s', which libssh does not know for keys;; 'ssh-keygen -p -Z aes256-ctr -f KEY' encrypts it with another",
		    what, (int)(odd->n < SHOWN_MAX ? odd->n : SHOWN_MAX),
		    (const char *)odd->p);
	buf_wipe(&b);
	return r;
}

/* Is a repaired key encrypted, as far as it can be opened?  0 or -1. */
static int
check_encryption(const char *key, bool *encrypted, const char *what,
    struct err *e)
{
	if (is_openssh(key))
		return check_cipher(key, encrypted, what, e);
	*encrypted = strstr(key, "BEGIN ENCRYPTED PRIVATE KEY") != NULL ||
	    strstr(key, "Proc-Type: 4,ENCRYPTED") != NULL;
	return 0;
}

/* What is not a private key that OpenSSH writes, by what is in it. */
static const struct kind {
	const char *mark;
	bool first; /* it begins with it */
	const char *is, *cure;
} kinds[] = {
	{ "PuTTY-", true, "a key of PuTTY",
	    "'puttygen KEY -O private-openssh' converts it" },
	{ "BEGIN SSH2 ENCRYPTED PRIVATE KEY", false,
	    "a key in the form of ssh.com",
	    "'puttygen KEY -O private-openssh' converts it" },
	{ "BEGIN SSH2 PUBLIC KEY", false, "a public key",
	    "the private one is needed" },
	{ "BEGIN PUBLIC KEY", false, "a public key",
	    "the private one is needed" },
	{ "BEGIN RSA PUBLIC KEY", false, "a public key",
	    "the private one is needed" },
	{ "-cert-v01@openssh.com ", false, "a certificate",
	    "the private key is needed; a certificate is a file beside it, or CertificateFile of ssh_config" },
	{ "ssh-", true, "a public key", "the private one is needed" },
	{ "ecdsa-", true, "a public key", "the private one is needed" },
	{ "sk-", true, "a public key", "the private one is needed" },
	{ "BEGIN CERTIFICATE", false, "an X.509 certificate",
	    "the private key is needed, which 'ssh-keygen -t ed25519' makes" },
	{ "BEGIN DSA PRIVATE KEY", false, DSA, MAKE_ONE },
	{ "BEGIN PGP ", false, "a key of PGP", MAKE_ONE },
	{ "$ANSIBLE_VAULT", true, "a file of ansible-vault",
	    "decrypt it first: 'ansible-vault decrypt'" },
	{ "$", true, "the name of a variable that nobody has expanded",
	    "write the key itself there" },
};

/* What a text without a private key is, by its first bytes or by any; NULL. */
static const struct kind *
find_kind(const char *text)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		const char *mark = strstr(text, kinds[i].mark);

		if (mark != NULL && (!kinds[i].first || mark == text))
			return &kinds[i];
	}
	return NULL;
}

/* Say what it is, when that is known.  Was it? */
static bool
refuse_kind(const char *text, const char *what, struct err *e)
{
	const struct kind *k = find_kind(text);

	if (k != NULL)
		err_set(e, ERR_UNREACHABLE, "%s is %s;; %s", what, k->is,
		    k->cure);
	return k != NULL;
}

/* Could it be a path?  It is not shown, as it could be a secret, too. */
static bool
looks_like_path(const char *text)
{
	return strpbrk(text, " \t\r\n") == NULL &&
	    (strncmp(text, "~/", 2) == 0 || strncmp(text, "./", 2) == 0 ||
		strncmp(text, "../", 3) == 0 || access(text, F_OK) == 0);
}

/* Why `text` has no BEGIN and END. */
static void
refuse_text(const char *text, const char *what, struct err *e)
{
	if (strstr(text, "-----BEGIN ") != NULL)
		err_set(e, ERR_UNREACHABLE,
		    "%s is cut short: it has no END line", what);
	else if (looks_like_path(text))
		err_set(e, ERR_UNREACHABLE,
		    "%s is a path that does not begin with '/';; write the path of the file out, or the key itself",
		    what);
	else
		err_set(e, ERR_UNREACHABLE,
		    "%s is not a private key: it has no BEGIN line", what);
}

/* Does the name of a kind of key stand in it, where it is not encrypted? */
static bool
has_name(const char *key, const char *name)
{
	struct buf b = BUF_INIT;
	bool has = decode_body(key, &b) &&
	    memmem(b.data, b.len, name, strlen(name)) != NULL;

	buf_wipe(&b);
	return has;
}

/* Is the key in a security key, and the file only says which? */
static bool
is_on_token(const char *key)
{
	return has_name(key, "sk-ssh-") || has_name(key, "sk-ecdsa-");
}

/*
 * libssh reads an Ed25519 key in PKCS#8, and then signs nothing with it: "Out
 * of memory" (0.10.6).  So it gets one that it can use.
 */
static bool
is_pkcs8(const char *text)
{
	return strstr(text, "BEGIN PRIVATE KEY") != NULL ||
	    strstr(text, "BEGIN ENCRYPTED PRIVATE KEY") != NULL;
}

/* The key, opened with the passphrase if there is one; NULL. */
static ssh_key
import(const char *text, const char *phrase)
{
	struct buf converted = BUF_INIT;
	ssh_key key = NULL;

	if (is_pkcs8(text) && ssh_crypto_convert(text, phrase, &converted)) {
		text = converted.data;
		phrase = NULL;
	}
	if (ls.ssh_pki_import_privkey_base64(text, phrase, NULL, NULL, &key) !=
	    SSH_OK)
		key = NULL;
	buf_wipe(&converted);
	return key;
}

/* A passphrase may end in a line end that nobody has typed. */
static ssh_key
import_again(const char *text, const char *phrase)
{
	size_t n = strlen(phrase), len = n;
	char *shorter;
	ssh_key key;

	while (n > 0 && (phrase[n - 1] == '\n' || phrase[n - 1] == '\r'))
		n--;
	if (n == len || n == 0)
		return NULL;
	shorter = xstrndup(phrase, n);
	key = import(text, shorter);
	explicit_bzero(shorter, n);
	free(shorter);
	return key;
}

/*
 * Does a repaired key have what no key has, such as "%0A" for the ends of its
 * lines?  It is refused.
 */
static bool
refuse_odd(const char *key, const char *what, struct err *e)
{
	const char *line = key + strcspn(key, "\n");
	size_t n;

	while (*line == '\n' && line[1] != '-' && line[1] != '\0') {
		line++;
		n = strspn(line, BASE64);
		if (line[n] != '\n' &&
		    memchr(line, ':', strcspn(line, "\n")) == NULL) {
			bool is_seen = line[n] > ' ' && line[n] <= '~';

			err_set(e, ERR_UNREACHABLE,
			    "%s is damaged: between BEGIN and END is what no key has%s%.*s",
			    what, is_seen ? ", " : "", is_seen ? 1 : 0,
			    line + n);
			return true;
		}
		line += strcspn(line, "\n");
	}
	return false;
}

#define PKCS5 "\x2a\x86\x48\x86\xf7\x0d\x01\x05"
#define PKCS12 "\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x01"

/*
 * The cipher that a repaired key names, in text or as an object identifier, when
 * it is one that libcrypto 3 does not open; NULL.
 */
static const char *
old_cipher(const char *key)
{
	static const struct {
		const char *mark, *name;
	} ciphers[] = {
		{ PKCS5 "\x01", "PBE-MD2-DES" },
		{ PKCS5 "\x03", "PBE-MD5-DES" },
		{ PKCS5 "\x04", "PBE-MD2-RC2-64" },
		{ PKCS5 "\x06", "PBE-MD5-RC2-64" },
		{ PKCS5 "\x0a", "PBE-SHA1-DES" },
		{ PKCS5 "\x0b", "PBE-SHA1-RC2-64" },
		{ PKCS12 "\x01", "PBE-SHA1-RC4-128" },
		{ PKCS12 "\x02", "PBE-SHA1-RC4-40" },
		{ PKCS12 "\x05", "PBE-SHA1-RC2-128" },
		{ PKCS12 "\x06", "PBE-SHA1-RC2-40" },
		{ "\x2b\x0e\x03\x02\x07", "DES-CBC" },
		{ "\x2a\x86\x48\x86\xf7\x0d\x03\x02", "RC2-CBC" },
	};

	for (size_t i = 0; i < sizeof(ciphers) / sizeof(ciphers[0]); i++)
		if (has_name(key, ciphers[i].mark))
			return ciphers[i].name;
	return strstr(key, "DEK-Info: DES-CBC,") != NULL ? "DES-CBC" : NULL;
}

/*
 * Why a repaired key is no good, or the passphrase, which is NULL where it is
 * not encrypted.
 */
static void
refuse_key(const char *text, const char *phrase, const char *what,
    struct err *e)
{
	const char *old = phrase != NULL ? old_cipher(text) : NULL;

	if (has_name(text, "ssh-dss"))
		err_set(e, ERR_UNREACHABLE, "%s is " DSA ";; " MAKE_ONE, what);
	else if (!is_openssh(text) && ssh_crypto_reads(text, phrase))
		err_set(e, ERR_UNREACHABLE,
		    "%s is a key of a kind that SSH does not have;; " MAKE_ONE,
		    what);
	else if (old != NULL)
		err_set(e, ERR_UNREACHABLE,
		    "%s is encrypted with '%s', which libcrypto opens no more;; 'openssl pkcs8 -topk8 -provider legacy -provider default -in KEY' encrypts it with another",
		    what, old);
	else if (phrase != NULL)
		err_set(e, ERR_UNREACHABLE,
		    "%s: DEPLOY_SSH_KEY_PASSPHRASE is wrong for it", what);
	else if (is_on_token(text))
		err_set(e, ERR_UNREACHABLE,
		    "%s is a key on a security key (FIDO), which only an agent can use;; 'ssh-add FILE' gives it to one",
		    what);
	else
		err_set(e, ERR_UNREACHABLE,
		    "%s is damaged, or a kind of key that only an agent can use;; " MAKE_ONE,
		    what);
}

/* The key, unless it is of a kind that no host takes; it is freed then. */
static ssh_key
refuse_dsa(ssh_key key, const char *what, struct err *e)
{
	if (ls.ssh_key_type(key) != SSH_KEYTYPE_DSS)
		return key;
	ls.ssh_key_free(key);
	err_set(e, ERR_UNREACHABLE, "%s is " DSA ";; " MAKE_ONE, what);
	return NULL;
}

/* Decode a repaired key. */
static ssh_key
decode(const char *text, const char *what, struct err *e)
{
	const char *phrase = secret_get(SECRET_PASSPHRASE);
	bool encrypted = false;
	ssh_key key;

	if (refuse_odd(text, what, e) ||
	    check_encryption(text, &encrypted, what, e) != 0)
		return NULL;
	/* libcrypto would ask for a passphrase on the terminal. */
	if (encrypted && (phrase == NULL || *phrase == '\0')) {
		err_set(e, ERR_UNREACHABLE,
		    "%s is encrypted;; set DEPLOY_SSH_KEY_PASSPHRASE, or add it to the agent",
		    what);
		return NULL;
	}
	if (!encrypted)
		phrase = NULL;
	key = import(text, phrase);
	if (key == NULL && encrypted)
		key = import_again(text, phrase);
	if (key != NULL)
		return refuse_dsa(key, what, e);
	refuse_key(text, phrase, what, e);
	return NULL;
}

/* Behind what editors, shells and panels put before a text. */
static const char *
skip_front(const char *text)
{
	if (strncmp(text, "\xef\xbb\xbf", 3) == 0)
		text += 3;
	return text + strspn(text, AROUND);
}

/* The key in a text. */
static ssh_key
parse(const char *text, const char *what, struct err *e)
{
	struct buf b = BUF_INIT;
	ssh_key key = NULL;

	text = skip_front(text);
	if (find_private(text) == NULL && refuse_kind(text, what, e))
		return NULL;
	if (repair(&b, text))
		key = decode(b.data, what, e);
	else
		refuse_text(text, what, e);
	buf_wipe(&b);
	return key;
}

/*
 * Is a text in base64, as CI systems want variables to mask them?  Then `b` has
 * it.  A word may be base64 by chance: not when it stands for what we know.
 */
static bool
is_base64(const char *text, struct buf *b)
{
	const struct kind *k;

	if (!base64_decode(text, b))
		return false;
	buf_addc(b, '\0');
	k = find_kind(skip_front(b->data));
	return strstr(b->data, BEGIN) != NULL ||
	    (k != NULL && strlen(k->mark) >= CHANCE_MIN);
}

/* A copy without what is around a text, to be wiped. */
static char *
trim_dup(const char *text)
{
	size_t n;

	text = skip_front(text);
	n = strlen(text);
	while (n > 0 && strchr(AROUND, text[n - 1]) != NULL)
		n--;
	return xstrndup(text, n);
}

static void
wipe(char *text)
{
	explicit_bzero(text, strlen(text));
	free(text);
}

ssh_key
ssh_identity_parse(const char *raw, const char *what, struct err *e)
{
	char *text = trim_dup(raw);
	struct buf decoded = BUF_INIT;
	ssh_key key =
	    parse(is_base64(text, &decoded) ? decoded.data : text, what, e);

	buf_wipe(&decoded);
	wipe(text);
	return key;
}

ssh_key
ssh_identity_read(const char *path, struct err *e)
{
	char *text = xmalloc(FILE_MAX + 1);
	int fd = file_open_named(path);
	ssize_t n = fd < 0 ? -1 : io_read(fd, text, FILE_MAX);
	ssh_key key = NULL;

	if (n < 0) {
		err_sys(e, "%s", path);
	} else {
		text[n] = '\0';
		key = ssh_identity_parse(text, path, e);
		explicit_bzero(text, (size_t)n);
	}
	if (fd >= 0)
		close(fd);
	free(text);
	return key;
}

int
ssh_identity_given(ssh_key *key, char **path, struct err *e)
{
	const char *raw = secret_get(SECRET_KEY);
	char *text = trim_dup(raw != NULL ? raw : "");
	bool is_set = text[0] != '\0';
	bool is_path = text[0] == '/' && strchr(text, '\n') == NULL;

	*key = NULL;
	if (path != NULL)
		*path = is_path ? xstrdup(text) : NULL;
	/* A CI's variable of type "file" has the path of one. */
	if (is_path)
		*key = ssh_identity_read(text, e);
	else if (is_set)
		*key = ssh_identity_parse(text, "DEPLOY_SSH_KEY", e);
	if (is_path && *key == NULL)
		err_prefix(e, "DEPLOY_SSH_KEY: ");
	wipe(text);
	return *key != NULL || !is_set ? 0 : -1;
}
