#include "ssh/ssh_identity.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "os/io.h"
#include "os/secret.h"

enum {
	FILE_MAX = 64 * 1024,
	FOLD = 64, /* characters of base64 in a line */
};

#define OPENSSH_BEGIN "-----BEGIN OPENSSH PRIVATE KEY-----\n"
/* "-----BEGIN " in base64, as CI systems want it that mask variables. */
#define BASE64_BEGIN "LS0tLS1CRUdJTi"
/* "openssh-key-v1", and a cipher called "none". */
#define OPENSSH_PLAIN "b3BlbnNzaC1rZXktdjEAAAAABG5vbmU"

/* Forget what stood there. */
static void
wipe(struct buf *b)
{
	if (b->data != NULL)
		explicit_bzero(b->data, b->cap);
	buf_release(b);
}

/* Any white space, also "\n" and "\r" spelled out, becomes spaces. */
static void
flatten(char *s)
{
	for (; *s != '\0'; s++) {
		if (*s == '\\' && (s[1] == 'n' || s[1] == 'r'))
			s[0] = s[1] = ' ';
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
 * Lay the key out anew.  False when there is no BEGIN and END line.  Room is
 * made before, so that no copy is left behind by growing.
 */
static bool
repair(struct buf *b, const char *text)
{
	const char *begin = strstr(text, "-----BEGIN "), *body, *end, *last;
	struct buf middle = BUF_INIT;

	if (begin == NULL || (body = strstr(begin + 11, "-----")) == NULL ||
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
	wipe(&middle);
	return true;
}

/* Of a repaired key. */
static bool
is_encrypted(const char *key)
{
	size_t n = strlen(OPENSSH_BEGIN);

	if (strncmp(key, OPENSSH_BEGIN, n) == 0)
		return strncmp(key + n, OPENSSH_PLAIN,
			   strlen(OPENSSH_PLAIN)) != 0;
	return strstr(key, "BEGIN ENCRYPTED PRIVATE KEY") != NULL ||
	    strstr(key, "Proc-Type: 4,ENCRYPTED") != NULL;
}

/* Why `text` has no BEGIN and END. */
static void
refuse_text(const char *text, const char *what, struct err *e)
{
	if (strncmp(text, "ssh-", 4) == 0 || strncmp(text, "ecdsa-", 6) == 0)
		err_set(e, ERR_UNREACHABLE,
		    "%s is a public key;; the private one is needed", what);
	else if (strncmp(text, "PuTTY-", 6) == 0)
		err_set(e, ERR_UNREACHABLE,
		    "%s is a key of PuTTY;; 'puttygen KEY -O private-openssh' converts it",
		    what);
	else if (strstr(text, "-----BEGIN ") != NULL)
		err_set(e, ERR_UNREACHABLE,
		    "%s is cut short: it has no END line", what);
	else if (strncmp(text, BASE64_BEGIN, strlen(BASE64_BEGIN)) == 0)
		err_set(e, ERR_UNREACHABLE,
		    "%s is a private key in base64;; decode it first: 'base64 -d'",
		    what);
	else
		err_set(e, ERR_UNREACHABLE,
		    "%s is no private key: it has no BEGIN line", what);
}

/*
 * libssh reads an Ed25519 key in PKCS#8, and then signs nothing with it: "Out
 * of memory" (0.10.6).
 */
static bool
is_of_no_use(ssh_key key, const char *text)
{
	return ssh_key_type(key) == SSH_KEYTYPE_ED25519 &&
	    strstr(text, "BEGIN PRIVATE KEY") != NULL;
}

/* Decode a repaired key. */
static ssh_key
decode(const char *text, const char *what, struct err *e)
{
	const char *phrase = secret_get(SECRET_PASSPHRASE);
	bool encrypted = is_encrypted(text);
	ssh_key key = NULL;

	/* libcrypto would ask for a passphrase on the terminal. */
	if (encrypted && (phrase == NULL || *phrase == '\0')) {
		err_set(e, ERR_UNREACHABLE,
		    "%s is encrypted;; set DEPLOY_SSH_KEY_PASSPHRASE, or add it to the agent",
		    what);
		return NULL;
	}
	if (ssh_pki_import_privkey_base64(text, encrypted ? phrase : NULL,
		NULL, NULL, &key) == SSH_OK &&
	    !is_of_no_use(key, text))
		return key;
	if (key != NULL) {
		ssh_key_free(key);
		err_set(e, ERR_UNREACHABLE,
		    "%s is an Ed25519 key in PKCS#8, as openssl writes it, which libssh cannot use;; make one with 'ssh-keygen -t ed25519'",
		    what);
		return NULL;
	}
	if (encrypted)
		err_set(e, ERR_UNREACHABLE,
		    "%s: DEPLOY_SSH_KEY_PASSPHRASE is wrong for it", what);
	else
		err_set(e, ERR_UNREACHABLE,
		    "%s is damaged, or a kind of key that only an agent can use",
		    what);
	return NULL;
}

ssh_key
ssh_identity_parse(const char *text, const char *what, struct err *e)
{
	struct buf b = BUF_INIT;
	ssh_key key = NULL;

	text += strspn(text, " \t\r\n");
	if (repair(&b, text))
		key = decode(b.data, what, e);
	else
		refuse_text(text, what, e);
	wipe(&b);
	return key;
}

ssh_key
ssh_identity_read(const char *path, struct err *e)
{
	char *text = xmalloc(FILE_MAX + 1);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
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
