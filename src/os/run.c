#include "os/run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/strvec.h"
#include "os/environment.h"
#include "os/intr.h"
#include "os/io.h"
#include "os/secret.h"

enum { TICK_MS = 200 }; /* how soon a signal is noticed */

/* Both ends of the pipes of one start: [0] is read, [1] is written. */
struct pipes {
	int in[2], out[2], err[2];
	int report[2]; /* errno of a failed exec */
	int secrets;   /* what it inherits of secret.h */
};

static void
close_pair(int p[2])
{
	for (int i = 0; i < 2; i++) {
		if (p[i] >= 0)
			close(p[i]);
		p[i] = -1;
	}
}

static void
close_pipes(struct pipes *p)
{
	close_pair(p->in);
	close_pair(p->out);
	close_pair(p->err);
	close_pair(p->report);
	if (p->secrets >= 0)
		close(p->secrets);
	p->secrets = -1;
}

static int
open_pipes(const struct run_child *c, struct pipes *p)
{
	if ((c->pipe_in && pipe2(p->in, O_CLOEXEC) != 0) ||
	    (c->pipe_out && pipe2(p->out, O_CLOEXEC) != 0) ||
	    (c->pipe_err && pipe2(p->err, O_CLOEXEC) != 0) ||
	    pipe2(p->report, O_CLOEXEC) != 0)
		return -1;
	return 0;
}

/* In the child: our handlers would be inherited as they are. */
static void
reset_signals(void)
{
	static const int sigs[] = { SIGINT, SIGTERM, SIGHUP, SIGPIPE,
		SIGXFSZ };
	struct sigaction sa = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (size_t i = 0; i < sizeof(sigs) / sizeof(sigs[0]); i++)
		sigaction(sigs[i], &sa, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* In the child: put the standard descriptors in place.  0 or -1. */
static int
set_standard(const struct run_child *c, const struct pipes *p)
{
	int fds[3] = { p->in[0], p->out[1], p->err[1] }, null = -1;

	for (int i = 0; i < 3; i++) {
		if (c->use[i] >= 0)
			fds[i] = c->use[i];
		if (fds[i] >= 0 && dup2(fds[i], i) < 0)
			return -1;
	}
	if (c->talk_only &&
	    ((null = open("/dev/null", O_RDONLY | O_CLOEXEC)) < 0 ||
		dup2(null, STDIN_FILENO) < 0 ||
		dup2(STDERR_FILENO, STDOUT_FILENO) < 0))
		return -1;
	return 0;
}

/* In the child: what it inherits besides the first three.  0 or -1. */
static int
keep_open(const struct run_child *c, const struct pipes *p)
{
	if (p->secrets >= 0 && fcntl(p->secrets, F_SETFD, 0) != 0)
		return -1;
	for (size_t i = 0; i < c->n_keep; i++)
		if (fcntl(c->keep[i], F_SETFD, 0) != 0)
			return -1;
	return 0;
}

/* In the child: die with the parent, which may be dead already.  0 or -1. */
static int
tie_to_parent(const struct run_child *c, pid_t parent)
{
	if (c->death_signal == 0)
		return 0;
	if (prctl(PR_SET_PDEATHSIG, c->death_signal) != 0)
		return -1;
	if (getppid() != parent)
		_exit(127);
	return 0;
}

/* In the child: become the program, or report errno. */
static void
become(const struct run_child *c, const struct pipes *p,
    const struct strvec *env, pid_t parent)
{
	char *const nothing[] = { NULL };
	int saved;

	reset_signals();
	setpgid(0, 0);
	if (keep_open(c, p) == 0 && tie_to_parent(c, parent) == 0 &&
	    set_standard(c, p) == 0 && (c->dir < 0 || fchdir(c->dir) == 0))
		execvpe(c->file != NULL ? c->file : c->argv[0], c->argv,
		    env->n > 0 ? env->v : nothing);
	saved = errno;
	err_ignore(io_write(p->report[1], &saved, sizeof(saved)));
	_exit(127);
}

/* Our end of a pipe, non-blocking; the pair forgets it. */
static int
keep_end(int p[2], int end)
{
	int fd = p[end];

	if (fd >= 0)
		fcntl(fd, F_SETFL, O_NONBLOCK);
	p[end] = -1;
	return fd;
}

/* Nothing was reported: the program runs. */
static int
wait_for_exec(struct run_child *c, struct pipes *p, struct err *e)
{
	int saved = 0;

	close(p->report[1]);
	p->report[1] = -1;
	if (io_read(p->report[0], &saved, sizeof(saved)) !=
	    (ssize_t)sizeof(saved))
		return 0;
	waitpid(c->pid, NULL, 0);
	c->pid = 0;
	errno = saved;
	return err_sys(e, "cannot run '%s'", c->argv[0]);
}

/* Its environment, with what leads to the secrets.  0 or -1. */
static int
make_environment(const struct run_child *c, struct pipes *p,
    struct strvec *env, struct err *e)
{
	if (c->logs_in)
		p->secrets = secret_hand_over(e);
	if (p->secrets < -1)
		return -1;
	environment_for(c->kind, c->env, env);
	if (p->secrets >= 0)
		strvec_addf(env, SECRET_VARIABLE "=%d", p->secrets);
	return 0;
}

/* Fork, and become the program there.  0 or -1. */
static int
fork_child(struct run_child *c, struct pipes *p, const struct strvec *env,
    struct err *e)
{
	pid_t parent = getpid();

	if (open_pipes(c, p) != 0 || (c->pid = fork()) < 0) {
		c->pid = 0;
		return err_sys(e, "cannot start '%s'", c->argv[0]);
	}
	if (c->pid == 0)
		become(c, p, env, parent);
	setpgid(c->pid, c->pid);
	return wait_for_exec(c, p, e);
}

int
run_start(struct run_child *c, struct err *e)
{
	struct pipes p = { { -1, -1 }, { -1, -1 }, { -1, -1 }, { -1, -1 },
		-1 };
	struct strvec env = STRVEC_INIT;
	int r = make_environment(c, &p, &env, e);

	if (r == 0)
		r = fork_child(c, &p, &env, e);
	if (r == 0) {
		c->in = keep_end(p.in, 1);
		c->out = keep_end(p.out, 0);
		c->err = keep_end(p.err, 0);
	}
	close_pipes(&p);
	strvec_release(&env);
	return r;
}

static void
close_ends(struct run_child *c)
{
	int *const ends[] = { &c->in, &c->out, &c->err };

	for (size_t i = 0; i < 3; i++) {
		if (*ends[i] >= 0)
			close(*ends[i]);
		*ends[i] = -1;
	}
}

/* Read what is there; false at the end. */
static bool
take(int fd, struct buf *to)
{
	char piece[16384];
	ssize_t n = io_read_some(fd, piece, sizeof(piece));

	if (n > 0 && to != NULL)
		buf_add(to, piece, (size_t)n);
	return n > 0 || (n < 0 && errno == EAGAIN);
}

int
run_read(struct run_child *c, int64_t ms, struct buf *out, struct buf *errors,
    struct err *e)
{
	struct pollfd fds[2] = {
		{ .fd = c->out, .events = POLLIN },
		{ .fd = c->err, .events = POLLIN },
	};
	struct buf *to[2] = { out, errors };
	int64_t start = clock_ms();

	while (fds[0].fd >= 0 || fds[1].fd >= 0) {
		if (intr_check(e) != 0)
			return -1;
		if (ms >= 0 && clock_ms() - start >= ms)
			return err_set(e, ERR_FAILED, "%s(1) does not answer",
			    c->argv[0]);
		if (poll(fds, 2, TICK_MS) <= 0)
			continue;
		for (int i = 0; i < 2; i++)
			if (fds[i].revents != 0 && !take(fds[i].fd, to[i]))
				fds[i].fd = -1;
	}
	return 0;
}

int
run_finish(struct run_child *c, int *status, struct err *e)
{
	int st;

	close_ends(c);
	while (waitpid(c->pid, &st, 0) < 0)
		if (errno != EINTR)
			return err_sys(e, "cannot wait for '%s'", c->argv[0]);
	c->pid = 0;
	*status = WIFEXITED(st) ? WEXITSTATUS(st) : 128 + WTERMSIG(st);
	return 0;
}

void
run_kill(struct run_child *c)
{
	int status;
	struct err ignored = ERR_INIT;

	if (c->pid <= 0)
		return;
	kill(-c->pid, SIGKILL);
	err_ignore(run_finish(c, &status, &ignored));
}
