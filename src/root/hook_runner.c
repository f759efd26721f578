#include "root/hook_runner.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/release.h"
#include "os/intr.h"
#include "os/io.h"
#include "root/store.h"

enum { TICK_MS = 200 }; /* how soon a signal is handed on */

/* Both are of this program: they travel as they are. */
struct question {
	enum journal_action action;
	struct release_id release, previous;
	int64_t timeout;
	bool quiet;
};

struct answer {
	int result;
	struct err why;
};

static struct {
	int fd; /* ours of the pair; -1: there is none */
	pid_t pid;
} runner = { -1, 0 };

/* What came as an id may be anything. */
static bool
parse(const struct release_id *came, struct release_id *out)
{
	char text[sizeof(came->text)];

	memcpy(text, came->text, sizeof(text));
	text[sizeof(text) - 1] = '\0';
	return release_id_parse(out, text) || *text == '\0';
}

/*
 * Run what is asked for, if it is a question at all: who asks may be in a bad
 * state.  The name of the hook is ours.
 */
static void
run_one(const char *root, const struct question *q, struct answer *a)
{
	struct release_id release, previous;
	const struct root_hook_facts f = { .release = &release,
		.previous = &previous,
		.timeout = q->timeout,
		.quiet = q->quiet };
	struct store s = STORE_INIT;
	const char *name;

	if (!parse(&q->release, &release) || !parse(&q->previous, &previous)) {
		a->result = err_set(&a->why, ERR_FAILED, "no hook was run");
		return;
	}
	a->result = store_open(&s, root, &a->why);
	name = a->result == 0 ? root_hook_find(&s, q->action) : NULL;
	if (name != NULL)
		a->result = root_hook_run(&s, name, &f, &a->why);
	store_close(&s);
}

/* The life of the runner.  Does not return. */
static void
serve(int fd, const char *root, pid_t parent)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct question q;

	/* The client waits for the end of what it hears from us. */
	if (null < 0 || dup2(null, STDIN_FILENO) < 0 ||
	    dup2(null, STDOUT_FILENO) < 0 ||
	    prctl(PR_SET_PDEATHSIG, SIGTERM) != 0 || getppid() != parent)
		_exit(1);
	while (io_read_some(fd, &q, sizeof(q)) == (ssize_t)sizeof(q)) {
		struct answer a = { 0, ERR_INIT };

		run_one(root, &q, &a);
		if (send(fd, &a, sizeof(a), MSG_NOSIGNAL) < 0)
			break;
	}
	_exit(0);
}

/* Has the root a hook? */
static bool
has_hook(const char *root)
{
	struct store s = STORE_INIT;
	struct err ignored = ERR_INIT;
	bool has = store_open(&s, root, &ignored) == 0 &&
	    root_hook_find(&s, JOURNAL_ROLLBACK) != NULL;

	store_close(&s);
	return has;
}

int
hook_runner_start(const char *root, struct err *e)
{
	pid_t parent = getpid();
	int pair[2];

	if (!has_hook(root))
		return 0;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		return err_sys(e, "cannot make a pair of sockets");
	fflush(NULL);
	runner.pid = fork();
	if (runner.pid == 0) {
		close(pair[0]);
		serve(pair[1], root, parent);
	}
	close(pair[1]);
	if (runner.pid < 0) {
		close(pair[0]);
		return err_sys(e, "cannot fork");
	}
	runner.fd = pair[0];
	return 0;
}

/* Wait for the answer; a signal for us is one for it.  0 or -1. */
static int
hear(struct answer *a)
{
	bool told = false;

	for (;;) {
		int ready = io_wait(runner.fd, TICK_MS);

		if (!told && intr_came())
			told = kill(runner.pid, SIGTERM) == 0;
		if (ready > 0)
			break;
		if (ready < 0 && errno != EINTR)
			return -1;
	}
	return io_read_some(runner.fd, a, sizeof(*a)) == (ssize_t)sizeof(*a) ?
	    0 :
	    -1;
}

/* Ask the runner for it. */
static int
ask(const char *name, const struct root_hook_facts *f, struct err *e)
{
	struct question q = { .release = *f->release,
		.previous = *f->previous,
		.timeout = f->timeout,
		.quiet = f->quiet };
	struct answer a = { 0, ERR_INIT };

	q.action = strcmp(name, "post-rollback") == 0 ? JOURNAL_ROLLBACK :
							JOURNAL_ACTIVATE;
	if (send(runner.fd, &q, sizeof(q), MSG_NOSIGNAL) < 0 || hear(&a) != 0)
		return err_set(e, ERR_CLEANUP,
		    "the %s hook was not run to its end: its process is gone",
		    name);
	if (a.result != 0)
		*e = a.why;
	return a.result;
}

int
hook_runner_run(const struct store *s, const char *name,
    const struct root_hook_facts *f, struct err *e)
{
	return runner.fd >= 0 ? ask(name, f, e) : root_hook_run(s, name, f, e);
}

void
hook_runner_stop(void)
{
	if (runner.fd < 0)
		return;
	close(runner.fd);
	while (waitpid(runner.pid, NULL, 0) < 0 && errno == EINTR)
		;
	runner.fd = -1;
}
