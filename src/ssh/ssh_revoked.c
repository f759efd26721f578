#include "ssh/ssh_revoked.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "os/file.h"
#include "os/io.h"
#include "os/run.h"
#include "ssh/libssh.h"

/* What a KRL begins with. */
#define KRL_MAGIC "SSHKRL\n"

void
ssh_revoked_add(struct ssh_revoked *r, ssh_key key)
{
	r->keys = xreallocarray(r->keys, r->n + 1, sizeof(ssh_key));
	r->keys[r->n++] = key;
}

/* A line of the file: "TYPE BASE64 COMMENT"; others say nothing. */
static void
take_line(struct ssh_revoked *r, char *line)
{
	char *type, *base64, *save;
	ssh_key key = NULL;

	type = strtok_r(line, " \t\r\n", &save);
	base64 = strtok_r(NULL, " \t\r\n", &save);
	if (base64 != NULL && type[0] != '#' &&
	    ls.ssh_pki_import_pubkey_base64(base64,
		ls.ssh_key_type_from_name(type), &key) == SSH_OK)
		ssh_revoked_add(r, key);
}

int
ssh_revoked_read(struct ssh_revoked *r, const char *path, struct err *e)
{
	int fd = file_open_named(path);
	FILE *f = fd >= 0 ? fdopen(fd, "r") : NULL;
	char *line = NULL;
	size_t size = 0;
	int ret = 0;

	if (f == NULL)
		return err_sys(e, "RevokedHostKeys of ssh_config: %s", path);
	while (r->krl == NULL && getline(&line, &size, f) >= 0) {
		if (strcmp(line, KRL_MAGIC) == 0)
			r->krl = xstrdup(path);
		else
			take_line(r, line);
	}
	if (ferror(f))
		ret = err_sys(e, "RevokedHostKeys of ssh_config: %s", path);
	free(line);
	fclose(f);
	return ret;
}

/* The key in a file without a name, as ssh-keygen(1) wants it; -1. */
static int
keep_key(ssh_key key, struct err *e)
{
	struct buf text = BUF_INIT;
	char *base64 = NULL;
	int fd = memfd_create("key", MFD_CLOEXEC);

	if (ls.ssh_pki_export_pubkey_base64(key, &base64) == SSH_OK)
		buf_addf(&text, "%s %s\n",
		    ls.ssh_key_type_to_char(ls.ssh_key_type(key)), base64);
	ls.ssh_string_free_char(base64);
	if (fd < 0 || io_write(fd, buf_str(&text), text.len) != 0 ||
	    lseek(fd, 0, SEEK_SET) != 0) {
		err_sys(e, "cannot keep a key");
		if (fd >= 0)
			close(fd);
		fd = -1;
	}
	buf_release(&text);
	return fd;
}

/* The status of ssh-keygen(1) about the key in the file: 1 is revoked; -1. */
static int
ask_keygen(const char *krl, int key, struct err *e)
{
	struct run_child c = RUN_CHILD_INIT;
	struct strvec argv = STRVEC_INIT;
	int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC), status = -1;

	strvec_add(&argv, "ssh-keygen");
	strvec_addf(&argv, "-Qf%s", krl);
	strvec_add(&argv, "/dev/stdin");
	c.argv = argv.v;
	c.kind = ENVIRONMENT_PLAIN;
	c.use[0] = key;
	c.use[1] = c.use[2] = nowhere;
	if (nowhere < 0)
		err_sys(e, "/dev/null");
	else if (run_start(&c, e) != 0 || run_finish(&c, &status, e) != 0)
		status = -1;
	if (nowhere >= 0)
		close(nowhere);
	strvec_release(&argv);
	return status;
}

static int
check_krl(const char *krl, ssh_key key, const char *words, struct err *e)
{
	int fd = keep_key(key, e);
	int status = fd < 0 ? -1 : ask_keygen(krl, fd, e);

	if (fd >= 0)
		close(fd);
	if (status == 0)
		return 0;
	if (status < 0)
		return err_prefix(e,
		    "RevokedHostKeys of ssh_config: %s: ", krl);
	if (status == 1)
		return err_set(e, ERR_UNREACHABLE,
		    "the %s is revoked by '%s' (RevokedHostKeys of ssh_config): do not trust this host",
		    words, krl);
	return err_set(e, ERR_UNREACHABLE,
	    "RevokedHostKeys of ssh_config: '%s' is not a list that ssh-keygen reads;; look at it with 'ssh-keygen -Q -l -f'",
	    krl);
}

int
ssh_revoked_check(const struct ssh_revoked *r, ssh_key key, const char *words,
    struct err *e)
{
	for (size_t i = 0; i < r->n; i++)
		if (ls.ssh_key_cmp(r->keys[i], key, SSH_KEY_CMP_PUBLIC) == 0)
			return err_set(e, ERR_UNREACHABLE,
			    "the %s is marked @revoked in known_hosts, or in RevokedHostKeys of ssh_config: do not trust this host",
			    words);
	return r->krl != NULL ? check_krl(r->krl, key, words, e) : 0;
}

void
ssh_revoked_release(struct ssh_revoked *r)
{
	for (size_t i = 0; i < r->n; i++)
		ls.ssh_key_free(r->keys[i]);
	free(r->keys);
	free(r->krl);
	*r = (struct ssh_revoked){ 0 };
}
