#include "remote/rsync.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/strvec.h"
#include "host/wire.h"
#include "os/io.h"
#include "os/run.h"
#include "remote/rsh.h"

enum {
	BEGIN_MS = 15000, /* until rsync asks for its remote shell */
	SAID_MAX = 2048,  /* of its messages, in ours */
	NO_PROGRAM = 127, /* a shell's status for it */
	NOISE_MAX = 1000, /* lines before ours */
};

/* One run of rsync. */
struct rsync {
	const struct rsync_job *job;
	struct transport *transport;
	int list; /* what is sent, NUL-separated */
	int null;
	int said;    /* what rsync says on standard error */
	int pair[2]; /* ours and the remote shell's */
	int self;    /* this very program */
	struct run_child child;
	struct strvec argv;
	struct buf host_said; /* the same for the host's end */
	int host_status;      /* -1: it was not started */
};

/* A file without a name that rsync inherits. */
static int
open_nameless(const char *what, struct err *e)
{
	int fd = memfd_create(what, MFD_CLOEXEC);

	if (fd < 0)
		err_sys(e, "cannot make a file in memory");
	return fd;
}

/* The list for --files-from. */
static int
write_list(struct rsync *x, struct err *e)
{
	struct buf b = BUF_INIT;
	int r;

	for (size_t i = 0; i < x->job->m->n; i++)
		if (x->job->send[i]) {
			/* "./": no name is a comment, or means a place. */
			buf_addf(&b, "./%s", x->job->m->v[i].path);
			buf_addc(&b, '\0');
		}
	r = io_write(x->list, buf_str(&b), b.len);
	buf_release(&b);
	return r == 0 && lseek(x->list, 0, SEEK_SET) == 0 ?
	    0 :
	    err_sys(e, "cannot write the list for rsync");
}

static int
open_all(struct rsync *x, struct err *e)
{
	x->list = open_nameless("list", e);
	x->said = x->list < 0 ? -1 : open_nameless("errors", e);
	x->null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (x->said < 0 || rsh_pair(x->pair, e) != 0)
		return -1;
	if (x->null < 0)
		return err_sys(e, "cannot open /dev/null");
	/* Also when another takes its place meanwhile.  Not by our number in
	 * /proc: others may not look there (secret.h). */
	x->self = open("/proc/self/exe", O_PATH | O_CLOEXEC);
	if (x->self < 0)
		return err_sys(e, "cannot open /proc/self/exe");
	return write_list(x, e);
}

/*
 * The command.  Directories are listed, so -r is spelled --dirs: it would
 * bring what is excluded.  Times are left alone, because the host sets them:
 * with them, a build whose files are all new would not be linked.  -s keeps
 * a shell on the host away from names.
 */
static void
make_command(struct rsync *x)
{
	const struct rsync_job *j = x->job;
	struct strvec *v = &x->argv;

	strvec_add(v, "rsync");
	strvec_add(v, "-lpzs");
	strvec_add(v, "--dirs");
	strvec_add(v, "--checksum");
	strvec_add(v, "--chmod=a-st,u=rwX,go=rX");
	strvec_addf(v, "--timeout=%lld", (long long)j->silence);
	if (!release_id_is_none(j->base))
		strvec_addf(v, "--link-dest=../../../releases/%s",
		    j->base->text);
	strvec_add(v, "--from0");
	strvec_add(v, "--files-from=-");
	strvec_addf(v, "--rsh=/proc/self/fd/%d __rsh %d", x->self, x->pair[1]);
	strvec_addf(v, "/proc/self/fd/%d/", j->from->fd);
	/* Our remote shell knows the host: any name will do. */
	strvec_addf(v, "host:%s/", j->to);
}

/* Start it; what only it needs of the pair is closed here. */
static int
start(struct rsync *x, struct err *e)
{
	const int keep[] = { x->job->from->fd, x->pair[1], x->self };
	int r;

	make_command(x);
	x->child.argv = x->argv.v;
	x->child.use[0] = x->list;
	x->child.use[1] = x->null;
	x->child.use[2] = x->said;
	x->child.keep = keep;
	x->child.n_keep = sizeof(keep) / sizeof(keep[0]);
	r = run_start(&x->child, e);
	x->child.keep = NULL;
	x->child.n_keep = 0;
	close(x->pair[1]);
	x->pair[1] = -1;
	if (r != 0 && e->sys == ENOENT)
		return err_set(e, ERR_UNREACHABLE,
		    "there is no rsync here, and 'transport: rsync' needs it;; install it, or take that out of deploy.yml");
	return r;
}

/* Is it our line, which may stand behind noise without a newline? */
static bool
is_ours(const struct buf *line)
{
	const size_t len = strlen(WIRE_MAGIC);

	return line->len >= len &&
	    strcmp(line->data + line->len - len, WIRE_MAGIC) == 0;
}

/*
 * Read past what the login shell's start-up files print, to a line of ours:
 * rsync would take it for its own protocol.  1; 0: it ended without; -1.
 */
static int
skip_noise(struct transport_proc *p, int64_t silence, struct err *e)
{
	struct buf line = BUF_INIT;
	int r = 1;

	for (int n = 0; r > 0 && n < NOISE_MAX; n++) {
		r = p->ops->read_line(p->proc, &line, silence * 1000, e);
		if (r > 0 && is_ours(&line))
			break;
	}
	if (r > 0 && !is_ours(&line))
		r = err_set(e, ERR_FAILED,
		    "the login shell on the host prints without end");
	buf_release(&line);
	return r;
}

/* Run the host's end of it, which its remote shell asks for. */
static int
run_host_end(struct rsync *x, const struct rsh_call *call, struct err *e)
{
	struct transport_proc p = TRANSPORT_PROC_INIT;
	struct buf command = BUF_INIT;
	int r, heard = -1;

	buf_addf(&command, "echo '" WIRE_MAGIC "'; exec %s",
	    call->command.data);
	r = transport_start(x->transport, buf_str(&command), &p, e);
	buf_release(&command);
	if (r == 0)
		heard = skip_noise(&p, x->job->silence, e);
	if (heard > 0)
		r = p.ops->join(p.proc, call->in, call->out, e);
	if (r == 0 && heard >= 0)
		r = p.ops->finish(p.proc, &x->host_status, &x->host_said, e);
	transport_proc_close(&p);
	return r == 0 && heard >= 0 ? 0 : err_prefix(e, "rsync: ");
}

/* From its start to its end; `status` is rsync's own. */
static int
run(struct rsync *x, int *status, struct err *e)
{
	struct rsh_call call = RSH_CALL_INIT;
	int r = start(x, e), taken = 0;

	if (r == 0)
		taken = rsh_take(x->pair[0], &call, BEGIN_MS, e);
	if (taken > 0)
		r = run_host_end(x, &call, e);
	else if (taken < 0)
		r = -1;
	rsh_call_release(&call);
	if (r == 0 && taken > 0)
		rsh_tell(x->pair[0], x->host_status);
	if (r != 0)
		return -1;
	return run_finish(&x->child, status, e);
}

/* The beginning of what rsync said here. */
static void
read_said(struct rsync *x, struct buf *out)
{
	ssize_t n = -1;

	buf_reserve(out, SAID_MAX);
	if (lseek(x->said, 0, SEEK_SET) == 0)
		n = io_read(x->said, out->data, SAID_MAX);
	out->len = n > 0 ? (size_t)n : 0;
	out->data[out->len] = '\0';
}

/* The first line is where it went wrong; the others follow from that. */
static void
cut_line(struct buf *b)
{
	b->len = strcspn(buf_str(b), "\n");
	if (b->data != NULL)
		b->data[b->len] = '\0';
}

static bool
is_about_space(const struct buf *said)
{
	return strstr(buf_str(said), "No space left") != NULL ||
	    strstr(buf_str(said), "quota exceeded") != NULL;
}

/* It failed: say why, as well as both ends know. */
static int
explain(struct rsync *x, int status, struct err *e)
{
	struct buf here = BUF_INIT, *said = &x->host_said;
	bool full;

	read_said(x, &here);
	full = is_about_space(&here) || is_about_space(said);
	/* A host that runs rsync lets it speak for itself. */
	if (said->len == 0)
		said = &here;
	cut_line(said);
	if (x->host_status == NO_PROGRAM)
		err_set(e, ERR_UNREACHABLE,
		    "there is no rsync on the host, and 'transport: rsync' needs it;; install it there, or take that out of deploy.yml");
	else
		err_set(e, full ? ERR_GUARD : ERR_FAILED,
		    "rsync ended with status %d%s%s", status,
		    said->len > 0 ? ": " : "", buf_str(said));
	if (e->code == ERR_GUARD)
		e->sys = ENOSPC;
	buf_release(&here);
	return -1;
}

/* On the host, rsync takes these for patterns. */
static int
check_name(const struct rsync_job *j, struct err *e)
{
	if (strpbrk(j->to, "*?[\\") == NULL)
		return 0;
	return err_set(e, ERR_USAGE,
	    "'transport: rsync' cannot be used with this root: rsync reads '*', '?', '[' and '\\' in it as a pattern");
}

int
rsync_fill(struct transport *t, const struct rsync_job *j, struct err *e)
{
	struct rsync x = { .job = j,
		.transport = t,
		.list = -1,
		.null = -1,
		.said = -1,
		.pair = { -1, -1 },
		.self = -1,
		.child = RUN_CHILD_INIT,
		.host_status = -1 };
	int *const fds[] = { &x.list, &x.null, &x.said, &x.pair[0], &x.pair[1],
		&x.self };
	int r = check_name(j, e), status = -1;

	if (r == 0)
		r = open_all(&x, e);
	if (r == 0)
		r = run(&x, &status, e);
	if (r == 0 && status != 0)
		r = explain(&x, status, e);
	run_kill(&x.child);
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (*fds[i] >= 0)
			close(*fds[i]);
	strvec_release(&x.argv);
	buf_release(&x.host_said);
	return r;
}
