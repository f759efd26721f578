#include "cmd/doctor_script.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/quote.h"
#include "os/file.h"
#include "os/io.h"
#include "os/log.h"
#include "os/run.h"
#include "ssh/ssh.h"
#include "ssh/ssh_settings.h"

enum { KEY_MAX = 64 * 1024 };

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

/* The public key that is tried first: what is given, or the first identity that
 * has one beside it. */
static char *
find_key(const struct ssh_settings *st, struct err *e)
{
	struct buf given = BUF_INIT;

	if (ssh_given_key(&given, e) != 0)
		return NULL;
	if (given.len > 0)
		return buf_detach(&given);
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

	quote_for_sh(&b, word);
	printf("%s=%s\n", name, b.data);
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
		for (const char *const *l = doctor_script; *l != NULL; l++)
			fputs(*l, stdout);
	}
	free(key);
	ssh_settings_release(&st);
	return key != NULL ? 0 : -1;
}

/* ---- known_hosts --------------------------------------------------------- */

/* Run a program to its end, with that standard input; what it says to `out`. */
static int
run_to_end(char *const *argv, const struct buf *in, struct buf *out,
    struct err *e)
{
	struct run_child c = RUN_CHILD_INIT;
	int status = -1, r;

	c.argv = argv;
	c.kind = ENVIRONMENT_USER;
	c.pipe_in = c.pipe_out = true;
	if (run_start(&c, e) != 0)
		return -1;
	/* At most some lines: they fit into the pipe. */
	r = in != NULL ? io_write(c.in, buf_str(in), in->len) : 0;
	close(c.in);
	c.in = -1;
	fcntl(c.out, F_SETFL, 0);
	buf_reserve(out, KEY_MAX);
	out->len = (size_t)(r == 0 ? io_read(c.out, out->data, KEY_MAX) : 0);
	out->len = out->len <= KEY_MAX ? out->len : 0;
	out->data[out->len] = '\0';
	if (run_finish(&c, &status, e) != 0)
		return -1;
	return r == 0 && status == 0 ?
	    0 :
	    err_set(e, ERR_UNREACHABLE, "%s ended with status %d", argv[0],
		status);
}

/* The lines of known_hosts, for the name by which ssh(1) looks there. */
static void
rename_host(struct buf *lines, const char *name)
{
	char *text = xstrdup(buf_str(lines)), *save, *line;

	buf_reset(lines);
	for (line = strtok_r(text, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save))
		if (*line != '#')
			buf_addf(lines, "%s%s\n", name,
			    line + strcspn(line, " "));
	free(text);
}

/* The keys that the host shows now. */
static int
scan(const struct ssh_settings *st, const struct ssh_options *o,
    struct buf *out, struct err *e)
{
	char *const argv[] = { (char[]){ "ssh-keyscan" }, (char[]){ "-T" },
		(char[]){ "10" }, (char[]){ "-t" },
		(char[]){ "ed25519,ecdsa,rsa" }, (char[]){ "-p" }, st->port,
		(char[]){ "--" }, st->hostname, NULL };

	/* ssh-keyscan(1) knows the direct way alone. */
	if (st->jump != NULL || st->proxy != NULL)
		return ssh_show_key(o, out, e);
	/* It has ended with a status also where nobody answers. */
	if (run_to_end(argv, NULL, out, e) != 0 && e->code != ERR_UNREACHABLE)
		return -1;
	if (st->alias != NULL)
		rename_host(out, st->alias);
	return out->len > 0 ?
	    0 :
	    err_set(e, ERR_UNREACHABLE,
		"it shows no key;; does its sshd answer at port %s?",
		st->port);
}

/* The lines, and the fingerprints for whoever compares. */
static int
print_keys(const struct host_config *h, const struct buf *lines, struct err *e)
{
	char *const argv[] = { (char[]){ "ssh-keygen" }, (char[]){ "-lf" },
		(char[]){ "-" }, NULL };
	struct buf prints = BUF_INIT;
	int r = run_to_end(argv, lines, &prints, e);

	if (r == 0) {
		fprintf(stderr, "deploy: %s shows:\n%s", h->label,
		    buf_str(&prints));
		fwrite(buf_str(lines), 1, lines->len, stdout);
	}
	buf_release(&prints);
	return r;
}

static int
print_known(const struct host_config *h, struct err *e)
{
	const struct ssh_options o = { .host = h->address,
		.user = h->user,
		.port = (int)h->port,
		.jump = h->jump };
	struct buf lines = BUF_INIT;
	struct ssh_settings st;
	int r;

	if (ssh_settings_load(&st, &o, e) != 0)
		return -1;
	r = scan(&st, &o, &lines, e);
	if (r == 0)
		r = print_keys(h, &lines, e);
	buf_release(&lines);
	ssh_settings_release(&st);
	return r;
}

int
doctor_print_known_hosts(const struct site_config *s, struct err *e)
{
	bool any = false;

	for (size_t i = 0; i < s->n_hosts; i++) {
		if (s->hosts[i].transport == HOST_LOCAL)
			continue;
		any = true;
		if (print_known(&s->hosts[i], e) != 0)
			return err_prefix(e, "%s: ", s->hosts[i].label);
	}
	if (!any)
		return err_set(e, ERR_USAGE,
		    "the site has no host that is reached over SSH");
	log_info(
	    "compare the fingerprints with what 'ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub' says on each host, before you trust them");
	return 0;
}
