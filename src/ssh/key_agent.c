#include "ssh/key_agent.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/number.h"
#include "base/quote.h"
#include "os/dir.h"
#include "os/file.h"
#include "os/intr.h"
#include "os/io.h"
#include "ssh/libssh.h"
#include "ssh/ssh_hostkey.h"
#include "ssh/ssh_identity.h"

enum {
	PATIENCE_MS = 20 * 1000, /* for what is there at once */
	TICK_MS = 500,
	LIFE = 3600, /* seconds that the agent has the key at most */
};

/* ---- the agent ---------------------------------------------------------- */

/* The line with its process number, which comes when it listens. */
static int
read_pid(struct key_agent *a, struct err *e)
{
	int64_t end = clock_ms() + PATIENCE_MS, pid = 0;
	struct buf line = BUF_INIT;
	char data[64];
	ssize_t n;
	int r = 0;

	while (r == 0 && memchr(buf_str(&line), '\n', line.len) == NULL) {
		if (intr_check(e) != 0) {
			r = -1;
		} else if (clock_ms() > end) {
			r = err_set(e, ERR_FAILED,
			    "ssh-agent(1) says nothing");
		} else if (io_wait(a->child.out, TICK_MS) > 0) {
			n = io_read_some(a->child.out, data, sizeof(data));
			if (n > 0)
				buf_add(&line, data, (size_t)n);
			else if (n == 0)
				r = err_set(e, ERR_FAILED,
				    "ssh-agent(1) does not start");
		}
	}
	if (r == 0) {
		line.data[strcspn(line.data, "\n")] = '\0';
		if (number_parse(line.data, 2, INT32_MAX, &pid))
			a->pid = (pid_t)pid;
		else
			r = err_set(e, ERR_FAILED,
			    "ssh-agent(1) does not say its number");
	}
	buf_release(&line);
	return r;
}

static int
start(struct key_agent *a, const char *socket, struct err *e)
{
	struct strvec argv = STRVEC_INIT;
	int r;

	strvec_add(&argv, "ssh-agent");
	strvec_add(&argv, "-a");
	strvec_add(&argv, socket);
	strvec_add(&argv, "sh");
	strvec_add(&argv, "-c");
	strvec_add(&argv, "echo $SSH_AGENT_PID; exec cat >/dev/null");
	a->child.argv = argv.v;
	a->child.kind = ENVIRONMENT_TOOL;
	a->child.pipe_in = a->child.pipe_out = true;
	r = run_start(&a->child, e);
	a->child.argv = NULL;
	strvec_release(&argv);
	if (r != 0 && e->sys == ENOENT)
		return err_set(e, ERR_USAGE,
		    "'ssh_key' of 'git' needs ssh-agent(1);; install the client of OpenSSH");
	return r == 0 ? read_pid(a, e) : -1;
}

/* ---- the key ------------------------------------------------------------ */

/* Its text as ssh-add(1) reads it, opened; to be wiped.  NULL. */
static char *
export_key(struct err *e)
{
	ssh_key key;
	char *out = NULL;

	if (libssh_load(e) != 0 || ssh_identity_given(&key, NULL, e) != 0)
		return NULL;
	if (key == NULL) {
		err_set(e, ERR_USAGE,
		    "'ssh_key' of 'git' in deploy.yml wants DEPLOY_SSH_KEY, which is not set");
		return NULL;
	}
	if (ls.ssh_pki_export_privkey_base64(key, NULL, NULL, NULL, &out) !=
	    SSH_OK) {
		err_set(e, ERR_FAILED,
		    "DEPLOY_SSH_KEY cannot be given to ssh-agent(1)");
		out = NULL;
	}
	ls.ssh_key_free(key);
	return out;
}

/* Give the agent the key, by ssh-add(1), which reads it from us. */
static int
add_key(struct key_agent *a, const char *key, struct err *e)
{
	struct strvec argv = STRVEC_INIT;
	struct run_child c = RUN_CHILD_INIT;
	int status = 0, r;

	strvec_add(&argv, "ssh-add");
	strvec_add(&argv, "-q");
	strvec_addf(&argv, "-t%d", LIFE);
	strvec_add(&argv, "-");
	c.argv = argv.v;
	c.kind = ENVIRONMENT_TOOL;
	c.env = &a->env;
	c.pipe_in = true;
	r = run_start(&c, e);
	strvec_release(&argv);
	/* A key is no longer than what a pipe takes. */
	if (r == 0 && io_write(c.in, key, strlen(key)) != 0)
		r = err_sys(e, "cannot write to ssh-add(1)");
	if (r == 0)
		r = run_finish(&c, &status, e);
	run_kill(&c);
	if (r == 0 && status != 0)
		r = err_set(e, ERR_FAILED,
		    "ssh-add(1) does not take DEPLOY_SSH_KEY: status %d",
		    status);
	return r;
}

/* ---- known hosts -------------------------------------------------------- */

/* The file of DEPLOY_KNOWN_HOSTS, which may be there or is made.  0 or -1. */
static int
find_known_hosts(struct key_agent *a, struct err *e)
{
	char *given = ssh_hostkey_given();
	struct dir dir = DIR_INIT;
	int r = 0;

	if (given != NULL && ssh_hostkey_is_path(given)) {
		a->known_hosts = given;
		if (access(given, R_OK) == 0)
			return 0;
		err_sys(e, "DEPLOY_KNOWN_HOSTS: cannot read '%s'", given);
		e->code = ERR_UNREACHABLE;
		return -1;
	}
	if (given != NULL) {
		a->known_hosts = xasprintf("%s/known_hosts", a->dir);
		r = dir_open_path(&dir, a->dir, e) != 0 ?
		    -1 :
		    file_publish(&dir, "known_hosts", given, strlen(given), e);
		dir_close(&dir);
	}
	free(given);
	return r;
}

/* What the ssh(1) of git is to know, besides what it knows.  0 or -1. */
static int
add_known_hosts(struct key_agent *a, struct err *e)
{
	struct buf word = BUF_INIT;
	char *option;

	if (getenv("GIT_SSH_COMMAND") != NULL || getenv("GIT_SSH") != NULL)
		return 0;
	if (find_known_hosts(a, e) != 0)
		return -1;
	if (a->known_hosts == NULL)
		return 0;
	/* Once for ssh, which divides a list at blanks, once for git's shell. */
	option = xasprintf("-oUserKnownHostsFile=\"%s\"", a->known_hosts);
	quote_for_sh(&word, option);
	strvec_addf(&a->env, "GIT_SSH_COMMAND=ssh -oBatchMode=yes %s",
	    buf_str(&word));
	free(option);
	buf_release(&word);
	return 0;
}

/* ------------------------------------------------------------------------- */

/* Its directory, that nobody else may enter.  0 or -1. */
static int
make_dir(struct key_agent *a, struct err *e)
{
	const char *tmp = getenv("TMPDIR");
	int r;

	a->dir = xasprintf("%s/deploy-agent-XXXXXX",
	    tmp != NULL && *tmp == '/' ? tmp : "/tmp");
	if (mkdtemp(a->dir) != NULL)
		return 0;
	r = err_sys(e, "cannot make '%s'", a->dir);
	free(a->dir);
	a->dir = NULL;
	return r;
}

/* The agent in that directory, and the key in it.  0 or -1. */
static int
start_with_key(struct key_agent *a, struct err *e)
{
	char *key = export_key(e), *path;
	int r;

	if (key == NULL)
		return -1;
	path = xasprintf("%s/socket", a->dir);
	strvec_addf(&a->env, "SSH_AUTH_SOCK=%s", path);
	r = start(a, path, e);
	free(path);
	if (r == 0)
		r = add_key(a, key, e);
	explicit_bzero(key, strlen(key));
	ls.ssh_string_free_char(key);
	return r;
}

int
key_agent_start(struct key_agent *a, struct err *e)
{
	return make_dir(a, e) == 0 && start_with_key(a, e) == 0 ?
	    add_known_hosts(a, e) :
	    -1;
}

/* Remove a file of the directory. */
static void
remove_file(const struct key_agent *a, const char *name)
{
	char *path = xasprintf("%s/%s", a->dir, name);

	(void)unlink(path);
	free(path);
}

void
key_agent_stop(struct key_agent *a)
{
	if (a->pid > 1)
		(void)kill(a->pid, SIGTERM);
	run_kill(&a->child);
	if (a->dir != NULL) {
		remove_file(a, "socket");
		remove_file(a, "known_hosts");
		(void)rmdir(a->dir);
	}
	free(a->dir);
	free(a->known_hosts);
	strvec_release(&a->env);
	*a = (struct key_agent)KEY_AGENT_INIT;
}
