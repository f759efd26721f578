#include "cmd/doctor_script.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/quote.h"
#include "os/file.h"
#include "ssh/ssh_settings.h"

enum { KEY_MAX = 64 * 1024 };

/*
 * It may run again, also where some of it is there.  The key is limited to the
 * root where deploy is installed, else by what sshd(8) can refuse.
 */
static const char script[] =
    "id \"$user\" >/dev/null 2>&1 ||\n"
    "\tuseradd --create-home --shell /bin/sh \"$user\"\n"
    "group=$(id -gn \"$user\")\n"
    "home=$(getent passwd \"$user\" | cut -d : -f 6)\n"
    "\n"
    "# The releases, in a directory that the user owns.\n"
    "[ -d \"$root\" ] || install -d -m 755 -o \"$user\" -g \"$group\" \"$root\"\n"
    "\n"
    "# The key that logs in, for this root where deploy is installed.\n"
    "line=\"restrict $key\"\n"
    "if [ \"$deploy\" != none ] && command -v \"$deploy\" >/dev/null; then\n"
    "\tline=$(\"$deploy\" host authorize --root \"$root\" \"$key\" 2>/dev/null)\n"
    "fi\n"
    "keys=$home/.ssh/authorized_keys\n"
    "install -d -m 700 -o \"$user\" -g \"$group\" \"$home/.ssh\"\n"
    "[ -e \"$keys\" ] ||\n"
    "\tinstall -m 600 -o \"$user\" -g \"$group\" /dev/null \"$keys\"\n"
    "grep -qxF -- \"$line\" \"$keys\" || printf '%s\\n' \"$line\" >>\"$keys\"\n"
    "echo \"done: log in as $user; the web server's document root is $root/current\"\n";

/* The first line of the file, if it is there. */
static char *
read_line(const char *path)
{
	static char here[] = ".";
	struct dir cwd = { AT_FDCWD, here };
	struct buf b = BUF_INIT;
	struct err ignored = ERR_INIT;
	char *line = NULL;

	if (file_read(&cwd, path, KEY_MAX, &b, &ignored) == 0 && b.len > 0)
		line = xstrndup(b.data, strcspn(b.data, "\r\n"));
	buf_release(&b);
	return line;
}

/* The public key of the first identity that has one beside it. */
static char *
find_key(const struct ssh_settings *st, struct err *e)
{
	for (size_t i = 0; i < st->identities.n; i++) {
		char *path = xasprintf("%s.pub", st->identities.v[i]);
		char *key = read_line(path);

		free(path);
		if (key != NULL)
			return key;
	}
	err_set(e, ERR_USAGE,
	    "there is no public key of yours for %s;; make one with ssh-keygen -t ed25519, or name its file with 'identity' in deploy.yml",
	    st->host);
	return NULL;
}

/* The program there that limits the key; rsync(1) needs one that is not. */
static const char *
limiter(const struct host_config *h)
{
	return h->transport == HOST_RSYNC ? "none" :
	    h->deploy != NULL		  ? h->deploy :
					    "deploy";
}

/* Print "name=WORD". */
static void
print_word(const char *name, const char *word)
{
	struct buf b = BUF_INIT;

	quote_add(&b, word);
	printf("%s=%s\n", name, b.data + 1);
	buf_release(&b);
}

int
doctor_print_script(const struct site_config *s, const struct host_config *h,
    struct err *e)
{
	const struct ssh_options o = { .host = h->address,
		.user = h->user,
		.port = (int)h->port,
		.identity = h->identity,
		.jump = h->jump };
	struct ssh_settings st;
	char *key;

	if (h->transport == HOST_LOCAL)
		return err_set(e, ERR_USAGE,
		    "'%s' is a root on this machine, which needs no key",
		    h->label);
	if (ssh_settings_load(&st, &o, e) != 0)
		return -1;
	key = find_key(&st, e);
	if (key != NULL) {
		printf(
		    "#!/bin/sh\n"
		    "# What root has to run on %s for the site '%s': a user, the root, a key.\n"
		    "set -eu\n",
		    h->label, s->name != NULL ? s->name : s->root);
		print_word("user", st.user);
		print_word("root", h->root);
		print_word("key", key);
		print_word("deploy", limiter(h));
		fputs(script, stdout);
	}
	free(key);
	ssh_settings_release(&st);
	return key != NULL ? 0 : -1;
}
