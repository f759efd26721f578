#include "host/host.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/utf8.h"
#include "cmd/cmd.h"
#include "cmd/table.h"
#include "host/forced.h"
#include "host/wire.h"
#include "os/dir.h"
#include "os/file.h"
#include "os/io.h"
#include "os/jail.h"
#include "os/log.h"
#include "os/progress.h"
#include "root/hook_runner.h"

enum { KEY_MAX = 64 * 1024 };

/* Does the text look like a public key, as ssh-keygen(1) writes it? */
static bool
is_key(const char *text)
{
	static const char *const types[] = { "ssh-", "ecdsa-", "sk-" };

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strncmp(text, types[i], strlen(types[i])) == 0)
			return strchr(text, ' ') != NULL;
	return false;
}

/* All of standard input, up to KEY_MAX. */
static int
read_input(struct buf *out, struct err *e)
{
	ssize_t n;

	buf_reserve(out, KEY_MAX);
	n = io_read(STDIN_FILENO, out->data, KEY_MAX);
	if (n < 0)
		return err_sys(e, "cannot read standard input");
	out->len = (size_t)n;
	out->data[out->len] = '\0';
	return 0;
}

/*
 * The keys that the operand is, or that the file of that name or, for "-",
 * standard input has: a line each, as ssh-add -L and forges give them, between
 * empty lines and comments.
 */
static int
read_keys(const char *word, struct strvec *out, struct err *e)
{
	static char here[] = ".";
	struct dir cwd = { AT_FDCWD, here };
	struct buf text = BUF_INIT;
	char *line = NULL, *rest = NULL;
	bool from_input = strcmp(word, "-") == 0;
	int r = 0;

	if (is_key(word))
		buf_adds(&text, word);
	else if (from_input)
		r = read_input(&text, e);
	else
		r = file_read(&cwd, word, KEY_MAX, &text, e);
	if (r != 0 && e->sys == ENOENT)
		return err_set(e, ERR_USAGE,
		    "there is no file '%s';; give a public key, the file that has it, or - for standard input",
		    word);
	if (r == 0 && text.len > 0)
		line = strtok_r(text.data, "\r\n", &rest);
	for (; r == 0 && line != NULL; line = strtok_r(NULL, "\r\n", &rest)) {
		line += strspn(line, " \t");
		if (is_key(line))
			strvec_add(out, line);
		else if (*line != '\0' && *line != '#')
			r = err_set(e, ERR_USAGE,
			    "'%s' is not a public key;; the file ends in .pub",
			    word);
	}
	buf_release(&text);
	if (r == 0 && out->n == 0)
		r = err_set(e, ERR_USAGE,
		    "%s%s%s has no public key;; the file of one ends in .pub",
		    from_input ? "" : "'",
		    from_input ? "standard input" : word,
		    from_input ? "" : "'");
	return r;
}

/* What stands for several verbs: all that `deploy publish` asks for. */
#define ALLOW_PUBLISH "receive,activate,prune"

/* The verbs of --allow, with "publish" written out; the caller frees it. */
static char *
write_out(const char *allow)
{
	const char *word = "publish";
	struct buf b = BUF_INIT;

	for (size_t len; allow != NULL; allow += len + 1) {
		len = strcspn(allow, ",");
		if (len == strlen(word) && strncmp(allow, word, len) == 0)
			buf_adds(&b, ALLOW_PUBLISH);
		else
			buf_add(&b, allow, len);
		if (allow[len] == '\0')
			break;
		buf_addc(&b, ',');
	}
	return allow != NULL ? buf_detach(&b) : NULL;
}

/* Are these verbs, written out?  0 or -1. */
static int
check_allow(const char *allow, struct err *e)
{
	return allow == NULL || host_check_verbs(allow, e) == 0 ?
	    0 :
	    err_append(e, "; and publish, for " ALLOW_PUBLISH);
}

/* A word of the forced command: quoted for the shell, then for sshd(8). */
static int
add_word(struct buf *out, const char *word, struct err *e)
{
	struct buf quoted = BUF_INIT;
	int r = wire_quote(&quoted, word, e);

	for (const char *p = buf_str(&quoted); *p != '\0'; p++) {
		if (*p == '"')
			buf_addc(out, '\\');
		buf_addc(out, *p);
	}
	buf_release(&quoted);
	return r;
}

/* The path of this program; what the PATH has where there is no /proc. */
static const char *
find_self(char out[PATH_MAX])
{
	ssize_t n = readlink("/proc/self/exe", out, PATH_MAX - 1);

	out[n > 0 ? n : 0] = '\0';
	return n > 0 ? out : "deploy";
}

/* Print the line for authorized_keys; a key may come from anybody. */
static int
print_line(const struct opts *o, const char *root, const char *key,
    struct err *e)
{
	struct buf b = BUF_INIT;
	char self[PATH_MAX];
	int r;

	buf_adds(&b, "restrict,command=\"");
	r = add_word(&b, find_self(self), e);
	buf_adds(&b, " host --root ");
	if (r == 0)
		r = add_word(&b, root, e);
	if (o->allow != NULL) {
		buf_adds(&b, " --allow ");
		if (r == 0)
			r = add_word(&b, o->allow, e);
	}
	buf_adds(&b, "\" ");
	utf8_add(&b, key, strlen(key));
	if (r == 0)
		printf("%s\n", b.data);
	buf_release(&b);
	return r;
}

/*
 * Say what the key may do, and where, on standard error: it is no part of the
 * line.  The line names this program, which another machine may have elsewhere.
 */
static void
tell(const struct opts *o)
{
	const struct host_limits limits = { o->root, o->allow };
	struct buf b = BUF_INIT;
	char self[PATH_MAX];
	struct utsname u;

	limits_print(&limits, &b);
	fputs(b.data, stderr);
	if (uname(&u) == 0)
		log_info(
		    "the line is for this machine, '%s', which has deploy at '%s'; for another one, run the command there, or write the path that it has there",
		    u.nodename, find_self(self));
	if (o->allow == NULL)
		log_warn(
		    "without --allow the key may do all of this; a CI job that publishes needs no more than --allow publish");
	buf_release(&b);
}

static int
print_lines(const struct opts *o, const struct strvec *keys, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < keys->n; i++)
		r = print_line(o, o->root, keys->v[i], e);
	return r;
}

/*
 * Is there a root, and a key?  Standard input is not read for one unasked: it
 * may be that of a loop over hosts.
 */
static int
check_operands(const struct opts *o, struct err *e)
{
	if (o->root == NULL || o->root[0] != '/' ||
	    strchr(o->root, '\n') != NULL || o->args.n > 1)
		return err_set(e, ERR_USAGE,
		    "usage: deploy host authorize --root DIR [--allow VERB,...] KEY, with an absolute DIR");
	if (o->args.n == 0)
		return err_set(e, ERR_USAGE,
		    "there is no key;; give a public key in quotes, the file that has it, or - for standard input");
	return 0;
}

/* The lines, and what they mean; `o` is complete. */
static int
print_authorized(struct opts *o, struct err *e)
{
	struct strvec keys = STRVEC_INIT;
	char *allow = write_out(o->allow);
	int r = check_operands(o, e);

	o->allow = allow;
	if (r == 0)
		r = check_allow(allow, e);
	if (r == 0)
		r = read_keys(o->args.v[0], &keys, e);
	if (r == 0)
		r = print_lines(o, &keys, e);
	if (r == 0)
		tell(o);
	free(allow);
	strvec_release(&keys);
	return r;
}

/* deploy host authorize --root DIR [--allow VERBS] KEY */
static int
authorize(struct run *run, struct err *e)
{
	static const enum opt_id allowed[] = { OPT_ROOT, OPT_ALLOW, OPT_HELP,
		OPT_END };
	struct opts o = OPTS_INIT;
	int argc = (int)run->opts.args.n - 1;
	int r = opt_parse(&o, argc, run->opts.args.v + 1, allowed, false, e);

	if (o.root == NULL)
		o.root = run->opts.root;
	if (o.allow == NULL)
		o.allow = run->opts.allow;
	if (r < 0)
		err_append(e, " (see 'deploy host -h')");
	else if (o.help)
		cmd_print_help(run->cmd);
	else
		r = print_authorized(&o, e);
	opts_release(&o);
	return r < 0 ? -1 : 0;
}

/* One request, or, as `serve ROOT`, all that come. */
static int
answer(const struct strvec *words, const struct host_limits *limits,
    struct err *e)
{
	const struct host_io io = { STDIN_FILENO, STDOUT_FILENO };

	bool serves = words->n > 1 && strcmp(words->v[0], "serve") == 0;

	/* A client reads what is said here. */
	progress_forbid();
	if (serves && words->n <= 3)
		return host_serve(words->v[1],
		    words->n > 2 ? words->v[2] : NULL, limits, &io, e);
	return host_run(words, limits, &io, e);
}

/* Not the last slashes of a directory: a request has none. */
static char *
root_dup(const char *root)
{
	size_t n = root == NULL ? 0 : strlen(root);

	while (n > 1 && root[n - 1] == '/')
		n--;
	return root == NULL ? NULL : xstrndup(root, n);
}

/* The directory, or the nearest one above it that is there. */
static int
open_nearest(const char *path)
{
	char *copy = xstrdup(path), *at = copy;
	int fd;

	while ((fd = open(at, O_PATH | O_DIRECTORY | O_CLOEXEC)) < 0 &&
	    errno == ENOENT && strcmp(at, "/") != 0)
		at = dirname(at);
	free(copy);
	return fd;
}

/*
 * Whoever sends the request is limited to one root, and so are we: from now
 * on nothing outside of it can be written, or read but what libraries read.
 */
static int
enter_jail(const struct strvec *words, const struct host_limits *limits,
    struct err *e)
{
	const char *root =
	    limits->root != NULL || words->n < 2 ? limits->root : words->v[1];
	struct jail_place place = { .rights = JAIL_WRITE };
	/* What is wrong with another root is told by host_run(). */
	bool is_root = root != NULL && root[0] == '/';
	bool flips = is_root && words->n > 0 &&
	    (strcmp(words->v[0], "activate") == 0 ||
		strcmp(words->v[0], "serve") == 0);
	int r = 0;

	/* Before the limits, too, which no hook shall have. */
	if (flips)
		r = hook_runner_start(root, e);
	jail_limit();
	place.fd = r == 0 && is_root ? open_nearest(root) : -1;
	if (place.fd < 0)
		return r;
	r = jail_enter(&place, 1, e);
	close(place.fd);
	return r;
}

/* What sshd(8) runs for a limited key. */
static int
run_limited(struct strvec *words, const struct host_limits *limits,
    struct err *e)
{
	int r = check_allow(limits->allow, e);

	if (r != 0)
		err_prefix(e, "--allow in the line of this key: ");
	if (r == 0 && words->n == 0)
		r = forced_words(getenv("SSH_ORIGINAL_COMMAND"), words, e);
	if (r == 0)
		r = enter_jail(words, limits, e);
	if (r == 0)
		r = answer(words, limits, e);
	hook_runner_stop();
	return r;
}

static int
run_host(struct run *run, struct err *e)
{
	char *root = root_dup(run->opts.root);
	char *allow = write_out(run->opts.allow);
	const struct host_limits limits = { root, allow };
	struct strvec words = STRVEC_INIT;
	int r;

	for (size_t i = 0; i < run->opts.args.n; i++)
		strvec_add(&words, run->opts.args.v[i]);
	if (words.n > 0 && strcmp(words.v[0], "authorize") == 0)
		r = authorize(run, e);
	else if (root != NULL || limits.allow != NULL)
		r = run_limited(&words, &limits, e);
	else
		r = answer(&words, &limits, e);
	strvec_release(&words);
	free(allow);
	free(root);
	return r;
}

static const enum opt_id opts[] = { OPT_ALLOW, OPT_END };

const struct cmd cmd_host = {
	.name = "host",
	.group = "Plumbing",
	.args = "[VERB ROOT [--key=value ...]]",
	.summary = "the host side, which the client runs over SSH",
	.about =
	    "See deploy-host(7).  'deploy host serve ROOT' reads requests from\n"
	    "standard input and answers one after the other; this is all that a\n"
	    "client needs.  With --root and --allow, and without operands, it is a\n"
	    "forced command: the request is in SSH_ORIGINAL_COMMAND.\n"
	    "\n"
	    "'deploy host authorize --root DIR [--allow VERB,...] KEY' prints the\n"
	    "line for authorized_keys that limits a key in that way.  Run it on the\n"
	    "host: the line names this program.  KEY is a public key, a file of\n"
	    "public keys, or - for those on standard input.\n",
	.max_args = 64,
	.raw_args = true,
	.opts = opts,
	.run = run_host,
};
