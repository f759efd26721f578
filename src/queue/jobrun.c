#include "queue/jobrun.h"

#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/release.h"
#include "base/strvec.h"
#include "os/claim.h"
#include "os/io.h"
#include "os/log.h"
#include "os/strays.h"

#define ERROR_LINE "deploy: error: "

enum {
	/* A build gets 5 s to end, a flip that has begun some 20. */
	STOP_MS = 40 * 1000,
	NOTIFY_MS = 60 * 1000,
	POST_TALK = 65536,   /* of the program that sends one, is kept */
	BLIND_TICK_MS = 100, /* where the kernel has no pidfd_open(2) */
	TAIL = 16384,	     /* where the reason is looked for */
	READ_AT_ONCE = 1 << 20,
};

/* The mark of all processes of one try; a token is in no other. */
static char *
mark_of(const struct job *job)
{
	return xasprintf("DEPLOY_CLAIM=%s", job->token);
}

/* What a command is told about a job. */
static void
add_environment(struct strvec *env, const struct job *job)
{
	strvec_addf(env, "DEPLOY_JOB=%lld", (long long)job->id);
}

static void
add_outcome(struct strvec *env, const struct job *job)
{
	strvec_addf(env, "DEPLOY_SITE=%s", job->site);
	strvec_addf(env, "DEPLOY_EVENT=%s", job_event(job));
	strvec_addf(env, "DEPLOY_STATE=%s", job_state_name(job->state));
	strvec_addf(env, "DEPLOY_STATUS=%lld", (long long)job->status);
	strvec_addf(env, "DEPLOY_TRIES=%lld", (long long)job->tries);
	strvec_addf(env, "DEPLOY_REF=%s", job->ref != NULL ? job->ref : "");
	strvec_addf(env, "DEPLOY_REASON=%s",
	    job->reason != NULL ? job->reason : "");
	strvec_addf(env, "DEPLOY_WHO=%s", job->who != NULL ? job->who : "");
	strvec_addf(env, "DEPLOY_MESSAGE=%s",
	    job->message != NULL ? job->message : "");
}

/* The configuration file, wherever it was named from. */
static void
add_config(struct strvec *argv, const struct jobrun_options *o)
{
	char *path = xstrdup(o->config->path);

	strvec_addf(argv, "--config=%s/%s", o->config->dir, basename(path));
	free(path);
}

/* What every command on a site is told. */
static void
add_site(struct strvec *argv, const char *site, const struct jobrun_options *o)
{
	add_config(argv, o);
	strvec_addf(argv, "--site=%s", site);
	if (o->lock_wait >= 0)
		strvec_addf(argv, "--lock-wait=%llds",
		    (long long)o->lock_wait);
	if (o->timeout > 0)
		strvec_addf(argv, "--timeout=%llds", (long long)o->timeout);
	if (o->verbose)
		strvec_add(argv, "--verbose");
}

/* The command line of a try. */
static void
add_arguments(struct strvec *argv, const struct job *job,
    const struct jobrun_options *o)
{
	strvec_add(argv, "deploy");
	strvec_add(argv, "publish");
	strvec_add(argv, "--update");
	add_site(argv, job->site, o);
	if (job->ref != NULL)
		strvec_addf(argv, "--commit=%s", job->ref);
	if (job->reason != NULL)
		strvec_addf(argv, "--message=%s", job->reason);
}

static int
start(struct jobrun *r, const struct strvec *argv, const struct strvec *env,
    int64_t timeout_ms, struct err *e)
{
	int ret;

	r->child.argv = argv->v;
	r->child.env = env;
	r->child.talk_only = true;
	r->child.death_signal = SIGTERM;
	r->timeout = timeout_ms;
	r->began = clock_ms();
	r->deadline = r->began + timeout_ms;
	ret = run_start(&r->child, e);
	r->child.argv = NULL;
	r->child.env = NULL;
	if (ret == 0)
		r->pidfd = pidfd_open(r->child.pid, 0);
	return ret;
}

/*
 * Start this program, also when its file was replaced meanwhile; it inherits
 * the lock `fd`.
 */
static int
start_deploy(struct jobrun *r, const struct strvec *argv,
    const struct strvec *env, int fd, int64_t timeout_ms, struct err *e)
{
	int ret;

	r->child.file = "/proc/self/exe";
	r->child.kind = ENVIRONMENT_JOB;
	r->child.logs_in = true;
	r->child.pipe_err = true;
	r->child.keep = &fd;
	r->child.n_keep = fd >= 0;
	ret = start(r, argv, env, timeout_ms, e);
	r->child.keep = NULL;
	r->child.n_keep = 0;
	return ret;
}

static void
begin_log(struct jobrun *r, const struct job *job,
    const struct jobrun_options *o)
{
	int64_t limit = (int64_t)o->config->worker.log_size * 1024;
	struct err e = ERR_INIT;
	char now[32], *line;

	if (joblog_open(&r->log, o->logs, job->id, limit, &e) != 0)
		log_warn("%s; job %lld goes on without", e.text,
		    (long long)job->id);
	release_format_time(clock_now(), now);
	line = xasprintf("--- job %lld, try %lld, %s, %s\n",
	    (long long)job->id, (long long)job->tries + 1, now, o->worker);
	joblog_add(&r->log, line, strlen(line));
	free(line);
}

/*
 * Write the items of the job where its commands can read them, a line each.
 * One file a try, because what a killed worker left may still read its own.
 */
static int
write_items(struct jobrun *r, const struct strvec *items, struct err *e)
{
	const char *tmp = getenv("TMPDIR");
	struct buf text = BUF_INIT;
	int fd, ret = 0;

	if (items == NULL || items->n == 0)
		return 0;
	r->items = xasprintf("%s/deploy-items-XXXXXX",
	    tmp != NULL && *tmp == '/' ? tmp : "/tmp");
	for (size_t i = 0; i < items->n; i++)
		buf_addf(&text, "%s\n", items->v[i]);
	fd = mkostemp(r->items, O_CLOEXEC);
	if (fd < 0) {
		ret = err_sys(e, "cannot make '%s'", r->items);
		free(r->items);
		r->items = NULL;
	} else {
		ret = io_write(fd, text.data, text.len);
		if (io_close(fd) != 0 || ret != 0)
			ret = err_sys(e, "cannot write '%s'", r->items);
	}
	buf_release(&text);
	return ret;
}

int
jobrun_start(struct jobrun *r, const struct job *job, int claim,
    const struct jobrun_options *o, struct err *e)
{
	struct strvec argv = STRVEC_INIT, env = STRVEC_INIT;
	char *mark = mark_of(job);
	int ret;

	*r = (struct jobrun)JOBRUN_INIT;
	add_arguments(&argv, job, o);
	add_environment(&env, job);
	strvec_add(&env, mark);
	if (o->logs->fd >= 0)
		strvec_addf(&env, "DEPLOY_RESULT=%s/result-%s", o->logs->path,
		    job->site);
	if (claim >= 0)
		strvec_addf(&env, CLAIM_VARIABLE "=%d", claim);
	ret = write_items(r, o->items, e);
	if (r->items != NULL)
		strvec_addf(&env, "DEPLOY_ITEMS_FILE=%s", r->items);
	begin_log(r, job, o);
	if (ret == 0)
		ret = start_deploy(r, &argv, &env, claim,
		    o->config->worker.timeout * 1000, e);
	if (ret != 0)
		jobrun_release(r);
	free(mark);
	strvec_release(&argv);
	strvec_release(&env);
	return ret;
}

int
jobrun_notify(struct jobrun *r, const struct job *job,
    const struct jobrun_options *o, struct err *e)
{
	struct strvec argv = STRVEC_INIT, env = STRVEC_INIT;
	struct dir dir = DIR_INIT;
	int ret;

	*r = (struct jobrun)JOBRUN_INIT;
	strvec_add(&argv, "sh");
	strvec_add(&argv, "-c");
	strvec_add(&argv, o->config->worker.notify);
	add_environment(&env, job);
	add_outcome(&env, job);
	ret = dir_open_path(&dir, o->config->dir, e);
	r->child.dir = dir.fd;
	r->child.kind = ENVIRONMENT_PLAIN;
	if (ret == 0)
		ret = start(r, &argv, &env, NOTIFY_MS, e);
	r->child.dir = -1;
	dir_close(&dir);
	strvec_release(&argv);
	strvec_release(&env);
	return ret;
}

/* What came of a job, as JSON in one line; the caller frees it. */
static char *
describe(const struct job *job, const struct jobrun_options *o)
{
	json_t *doc = json_new_object();
	struct buf text = BUF_INIT;
	char when[32];
	const char *event = job_event(job);

	buf_addf(&text, "%s: %s", job->site,
	    strcmp(event, "well-again") == 0 ? "well again" : event);
	if (job->message != NULL)
		buf_addf(&text, ": %s", job->message);
	json_put_string(doc, "text", text.data);
	json_put_string(doc, "event", event);
	json_put_string(doc, "site", job->site);
	json_put_int(doc, "job", job->id);
	json_put_int(doc, "tries", job->tries);
	json_put_int(doc, "status", job->status);
	json_put_string(doc, "message", job->message);
	json_put_string(doc, "ref", job->ref);
	json_put_string(doc, "reason", job->reason);
	json_put_string(doc, "who", job->who);
	json_put_string(doc, "worker", o->worker);
	release_format_time(job->started, when);
	json_put_string(doc, "started", when);
	release_format_time(job->ended, when);
	json_put_string(doc, "ended", when);
	buf_release(&text);
	json_write(doc, &text);
	json_free(doc);
	return buf_detach(&text);
}

int
jobrun_post(struct jobrun *r, const struct job *job,
    const struct jobrun_options *o, struct err *e)
{
	struct strvec argv = STRVEC_INIT, env = STRVEC_INIT;
	char *body = describe(job, o);
	int ret;

	*r = (struct jobrun)JOBRUN_INIT;
	r->log.limit = POST_TALK;
	strvec_add(&argv, "deploy");
	strvec_add(&argv, "__post");
	if (o->verbose)
		strvec_add(&argv, "--verbose");
	strvec_add(&argv, job_event(job));
	strvec_addf(&argv, "%lld-%lld-%lld", (long long)job->id,
	    (long long)job->tries, (long long)job->ended);
	/* The URL may be a secret, and arguments are for all to see. */
	strvec_addf(&env, "DEPLOY_POST_URL=%s", o->config->worker.notify_url);
	strvec_addf(&env, "DEPLOY_POST_BODY=%s", body);
	ret = start_deploy(r, &argv, &env, -1, NOTIFY_MS, e);
	free(body);
	strvec_release(&argv);
	strvec_release(&env);
	return ret;
}

int
jobrun_verify(struct jobrun *r, const char *site, int lock,
    const struct jobrun_options *o, struct err *e)
{
	struct strvec argv = STRVEC_INIT, env = STRVEC_INIT;
	int ret;

	*r = (struct jobrun)JOBRUN_INIT;
	r->log.limit = (int64_t)o->config->worker.log_size * 1024;
	strvec_add(&argv, "deploy");
	strvec_add(&argv, "verify");
	strvec_add(&argv, "--repair");
	add_site(&argv, site, o);
	ret = start_deploy(r, &argv, &env, lock,
	    o->config->worker.timeout * 1000, e);
	strvec_release(&argv);
	strvec_release(&env);
	return ret;
}

int
jobrun_metrics(struct jobrun *r, const struct strvec *sites,
    const struct jobrun_options *o, struct err *e)
{
	struct strvec argv = STRVEC_INIT, env = STRVEC_INIT;
	int ret;

	*r = (struct jobrun)JOBRUN_INIT;
	r->log.limit = POST_TALK;
	strvec_add(&argv, "deploy");
	strvec_add(&argv, "metrics");
	strvec_addf(&argv, "--file=%s", o->config->worker.metrics);
	add_config(&argv, o);
	for (size_t i = 0; i < sites->n; i++)
		strvec_addf(&argv, "--site=%s", sites->v[i]);
	ret = start_deploy(r, &argv, &env, -1,
	    o->config->worker.timeout * 1000, e);
	strvec_release(&argv);
	strvec_release(&env);
	return ret;
}

void
jobrun_stop(struct jobrun *r, const char *why)
{
	if (r->stopping || r->child.pid <= 0)
		return;
	r->stopping = true;
	r->why = xstrdup(why);
	r->deadline = clock_ms() + STOP_MS;
	/* It ends its own children. */
	(void)kill(r->child.pid, SIGTERM);
}

/* Read what is there, but let others have their turn. */
static void
read_output(struct jobrun *r)
{
	char data[65536];
	ssize_t n = 0;

	for (size_t sum = 0; r->child.err >= 0 && sum < READ_AT_ONCE;
	     sum += (size_t)n) {
		n = io_read_some(r->child.err, data, sizeof(data));
		if (n <= 0)
			break;
		joblog_add(&r->log, data, (size_t)n);
	}
	if (n == 0 && r->child.err >= 0) {
		close(r->child.err);
		r->child.err = -1;
	}
}

static bool
has_ended(const struct jobrun *r)
{
	siginfo_t info = { 0 };

	return waitid(P_PID, (id_t)r->child.pid, &info,
		   WEXITED | WNOHANG | WNOWAIT) == 0 &&
	    info.si_pid != 0;
}

bool
jobrun_serve(struct jobrun *r)
{
	bool late = clock_ms() >= r->deadline;
	char *why;

	read_output(r);
	if (has_ended(r))
		return true;
	if (late && r->stopping) {
		(void)kill(-r->child.pid, SIGKILL);
	} else if (late) {
		why = xasprintf("took longer than %lld s (timeout)",
		    (long long)r->timeout / 1000);
		jobrun_stop(r, why);
		free(why);
	}
	return false;
}

int64_t
jobrun_patience(const struct jobrun *r)
{
	int64_t left = r->deadline - clock_ms();

	if (r->pidfd < 0 && left > BLIND_TICK_MS)
		return BLIND_TICK_MS;
	/* Killed, it ends soon; it may have ended since it was served. */
	return left > 0 ? left : BLIND_TICK_MS;
}

int
jobrun_reap(struct jobrun *r, const pid_t *keep, size_t n, struct err *e)
{
	int fd = r->child.err, status = -1;
	struct err left = ERR_INIT;
	bool any;

	/* run_finish() closes the pipes, and it is not read to its end yet. */
	r->child.err = -1;
	if (run_finish(&r->child, &status, e) != 0)
		status = -1;
	if (strays_end(keep, n, &any, &left) != 0)
		log_warn("%s", left.text);
	r->child.err = fd;
	read_output(r);
	if (r->child.err >= 0)
		close(r->child.err);
	r->child.err = -1;
	return status;
}

/* The last line of a text that begins with `start`. */
static const char *
find_line(const char *text, size_t len, const char *start, size_t *line_len)
{
	const char *found = NULL, *line = text, *end = text + len;

	while (line < end) {
		const char *stop = memchr(line, '\n', (size_t)(end - line));
		size_t n = (size_t)((stop != NULL ? stop : end) - line);

		if (n > strlen(start) &&
		    strncmp(line, start, strlen(start)) == 0) {
			found = line + strlen(start);
			*line_len = n - strlen(start);
		}
		line += n + 1;
	}
	return found;
}

void
jobrun_reason(const struct jobrun *r, struct buf *out)
{
	size_t len, line_len;
	const char *tail = joblog_tail(&r->log, TAIL, &len);
	const char *line = find_line(tail, len, ERROR_LINE, &line_len);

	if (r->why != NULL)
		buf_adds(out, r->why);
	else if (line != NULL)
		buf_add(out, line, line_len);
}

void
jobrun_release(struct jobrun *r)
{
	joblog_close(&r->log);
	if (r->pidfd >= 0)
		close(r->pidfd);
	if (r->child.err >= 0)
		close(r->child.err);
	free(r->why);
	if (r->items != NULL)
		(void)unlink(r->items);
	free(r->items);
	*r = (struct jobrun)JOBRUN_INIT;
}

void
jobrun_end_left(const struct job *job)
{
	struct err e = ERR_INIT;
	char *mark = mark_of(job);
	bool any;

	if (strays_end_marked(mark, &any, &e) != 0)
		log_warn("%s", e.text);
	else if (any)
		log_info("ended what was left running of job %lld",
		    (long long)job->id);
	free(mark);
}
