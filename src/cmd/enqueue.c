#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "cmd/cmd.h"
#include "cmd/queue_steps.h"
#include "cmd/table.h"
#include "os/intr.h"
#include "os/io.h"
#include "os/log.h"
#include "queue/queue.h"

enum {
	TICK_MS = 1000,	       /* how late a signal may be noticed */
	PATIENCE_MS = 5000,    /* of who waits, before he is told why */
	ITEMS_SIZE = 16 << 20, /* bytes of standard input */
};

/* The site that the operand names. */
static const struct site_config *
named_site(struct run *run, struct err *e)
{
	if (run->opts.site != NULL || run->opts.args.n == 0) {
		err_set(e, ERR_USAGE,
		    "name the site: deploy enqueue SITE (see 'deploy enqueue -h')");
		return NULL;
	}
	if (step_queue_config(run, e) != 0)
		return NULL;
	return config_site(&run->config, run->opts.args.v[0], e);
}

static void
answer(struct run *run, const struct site_config *site, const struct job *job,
    bool waited)
{
	json_t *doc;

	if (!run->opts.json) {
		if (!run->opts.dry_run)
			printf("%lld\n", (long long)job->id);
		return;
	}
	doc = json_new_object();
	json_put_string(doc, "site", site->name);
	json_put_bool(doc, "dry_run", run->opts.dry_run);
	if (run->opts.dry_run)
		json_put_null(doc, "job");
	else
		json_put_int(doc, "job", job->id);
	json_put_bool(doc, "merged", job->requests > 1);
	json_put_string(doc, "state",
	    run->opts.dry_run ? NULL : job_state_name(job->state));
	if (waited)
		json_put_int(doc, "status", job->status);
	else
		json_put_null(doc, "status");
	cmd_answer(run, doc);
}

/*
 * Has a try ended since `seen`, the last end that there was?  A job that was
 * merged into another one is that one from then on.
 */
static bool
has_ended(struct job *job, int64_t seen, int64_t *id)
{
	if (job->state == JOB_MERGED && job->merged_into != 0) {
		*id = job->merged_into;
		return false;
	}
	if (job->state == JOB_DONE || job->state == JOB_FAILED)
		return true;
	return job->ended != seen && job->state == JOB_WAITING;
}

/* Jobs that run, or are before this one: what keeps its workers busy. */
static size_t
count_before(const struct job_list *jobs, const struct worker_list *workers,
    const struct job *job)
{
	size_t n = 0;

	for (size_t i = 0; i < jobs->n && jobs->v[i].id != job->id; i++)
		n += worker_list_live(workers, jobs->v[i].site) > 0;
	return n;
}

/* Somebody waits for a job that has not begun: say why not.  0 or -1. */
static int
tell_why(struct queue *q, const struct job *job, struct err *e)
{
	struct worker_list workers = WORKER_LIST_INIT;
	struct job_list jobs = JOB_LIST_INIT;
	struct buf nobody = BUF_INIT;
	long long id = (long long)job->id;
	int r = registry_list(q, &workers, e);
	size_t before;

	if (r == 0 && step_say_nobody(&workers, job->site, &nobody))
		log_warn("nothing is working on job %lld: %s", id,
		    nobody.data);
	else if (r == 0 && job->due > clock_now())
		log_info(
		    "nothing is working on job %lld yet: it waits for further requests, or for its next try",
		    id);
	else if (r == 0 && (r = queue_list(q, 0, &jobs, e)) == 0) {
		before = count_before(&jobs, &workers, job);
		log_info("nothing is working on job %lld yet: %s before it",
		    id, TEXT_COUNT(before, "other is", "others are"));
	}
	worker_list_release(&workers);
	job_list_release(&jobs);
	buf_release(&nobody);
	return r;
}

/* Wait for the end of the next try of `job`, which is what it is then. */
static int
wait_for_end(struct queue *q, struct job *job, struct err *e)
{
	int64_t id = job->id, seen = job->ended;
	int64_t tell_at = clock_ms() + PATIENCE_MS;
	int fd = queue_listen(q, e);

	if (fd < 0)
		return -1;
	for (;;) {
		if (queue_get(q, id, job, e) != 0)
			return -1;
		if (has_ended(job, seen, &id))
			return 0;
		if (clock_ms() >= tell_at) {
			tell_at = INT64_MAX;
			if (job->state == JOB_WAITING &&
			    tell_why(q, job, e) != 0)
				return -1;
		}
		if (intr_check(e) != 0)
			return err_append(e, "; job %lld stays",
			    (long long)id);
		if (queue_heed(q, e) < 0)
			return -1;
		err_ignore(io_wait(fd, TICK_MS));
	}
}

/* The status of the try becomes ours. */
static int
judge(const struct job *job, struct err *e)
{
	if (job->status == 0 && job->state == JOB_DONE)
		return 0;
	err_set(e, ERR_FAILED, "job %lld: %s", (long long)job->id,
	    job->message != NULL ? job->message : "failed");
	if (job->status > ERR_OK && job->status <= ERR_GUARD)
		e->code = (enum err_code)job->status;
	return -1;
}

static void
tell(const struct site_config *site, const struct job *job)
{
	if (job->requests > 1)
		log_info("%s: job %lld waits already, for %s", site->name,
		    (long long)job->id,
		    TEXT_COUNT(job->requests, "request", "requests"));
	else
		log_info("%s: job %lld", site->name, (long long)job->id);
}

/* ---- items ------------------------------------------------------------- */

/* Add an item that was named.  0 or -1. */
static int
add_item(struct strvec *items, const char *item, struct err *e)
{
	if (queue_check_item(item, e) != 0)
		return -1;
	strvec_add(items, item);
	return 0;
}

/* Add the lines of standard input; blank ones do not count. */
static int
read_items(struct strvec *items, struct err *e)
{
	struct buf text = BUF_INIT;
	char data[16384], *line, *next;
	size_t before = items->n, end;
	ssize_t n;
	int r = 0;

	while ((n = io_read_some(STDIN_FILENO, data, sizeof(data))) > 0 &&
	    text.len <= ITEMS_SIZE)
		buf_add(&text, data, (size_t)n);
	if (n < 0)
		r = err_sys(e, "cannot read standard input");
	else if (text.len > ITEMS_SIZE)
		r = err_set(e, ERR_USAGE,
		    "there are more than %d MB of items;; without --item everything is built",
		    ITEMS_SIZE >> 20);
	else if (memchr(buf_str(&text), '\0', text.len) != NULL)
		r = err_set(e, ERR_USAGE,
		    "standard input is not text;; an item is a line");
	for (line = text.data; r == 0 && line != NULL && *line != '\0';
	     line = next) {
		next = line + strcspn(line, "\n");
		if (*next != '\0')
			*next++ = '\0';
		/* One in its middle is for queue_check_item(). */
		if ((end = strlen(line)) > 0 && line[end - 1] == '\r')
			line[end - 1] = '\0';
		if (*line != '\0')
			r = add_item(items, line, e);
	}
	if (r == 0 && items->n == before)
		r = err_set(e, ERR_USAGE,
		    "there is no item on standard input;; without --item everything is built");
	buf_release(&text);
	return r;
}

/* The items that were asked for; none: everything. */
static int
list_items(const struct run *run, struct strvec *items, struct err *e)
{
	const struct strvec *named = &run->opts.items;
	int r = 0;

	for (size_t i = 0; r == 0 && i < named->n; i++)
		r = strcmp(named->v[i], "-") == 0 ?
		    read_items(items, e) :
		    add_item(items, named->v[i], e);
	return r;
}

/* ---- asking ------------------------------------------------------------ */

static struct queue_request
request(const struct run *run, const struct site_config *site,
    const struct strvec *items)
{
	return (struct queue_request){ .site = site->name,
		.ref =
		    run->opts.ref != NULL ? run->opts.ref : run->caller.commit,
		.reason = run->opts.reason,
		.who = run->caller.who,
		.priority = run->opts.priority,
		.items = items,
		.max_waiting = run->config.max_waiting,
		.settle = site->settle };
}

static int
enqueue(struct run *run, const struct site_config *site, struct queue *q,
    const struct strvec *items, struct err *e)
{
	struct queue_request r = request(run, site, items);
	struct job job = JOB_INIT;
	int ret = queue_enqueue(q, &r, &job, e);
	bool waited = false;

	if (ret == 0)
		tell(site, &job);
	if (ret == 0 && run->opts.wait) {
		ret = wait_for_end(q, &job, e);
		waited = ret == 0;
	}
	if (ret == 0)
		answer(run, site, &job, waited);
	if (waited)
		ret = judge(&job, e);
	job_release(&job);
	return ret;
}

/* Say what would come of it; one that is full, or cannot be used, refuses. */
static int
preview(struct run *run, const struct site_config *site,
    const struct strvec *items, struct err *e)
{
	struct queue_request r = request(run, site, items);
	const struct job none = JOB_INIT;
	struct queue *q = NULL;
	int ret = step_queue_open(run, false, &q, e);

	if (ret == 0 && q != NULL)
		ret = queue_check_room(q, &r, e);
	queue_close(q);
	if (ret != 0)
		return -1;
	log_info("would enqueue '%s'", site->name);
	answer(run, site, &none, false);
	return 0;
}

/* With what is to be built known: into the queue. */
static int
ask(struct run *run, const struct site_config *site,
    const struct strvec *items, struct err *e)
{
	struct queue *q = NULL;
	int ret;

	if (run->opts.dry_run)
		return preview(run, site, items, e);
	if (step_queue_open(run, true, &q, e) != 0)
		return -1;
	ret = enqueue(run, site, q, items, e);
	queue_close(q);
	return ret;
}

static int
run_enqueue(struct run *run, struct err *e)
{
	const struct site_config *site = named_site(run, e);
	struct strvec items = STRVEC_INIT;
	int ret = -1;

	if (site != NULL &&
	    (run->opts.ref == NULL ||
		queue_check_ref(run->opts.ref, e) == 0) &&
	    list_items(run, &items, e) == 0)
		ret = ask(run, site, &items, e);
	strvec_release(&items);
	return ret;
}

static const enum opt_id opts[] = { OPT_PRIORITY, OPT_REF, OPT_ITEM,
	OPT_REASON, OPT_WAIT, OPT_END };

const struct cmd cmd_enqueue = {
	.name = "enqueue",
	.group = "Building on request",
	.args = "SITE",
	.summary = "ask for a site to be built and published",
	.about =
	    "SITE is a site of the configuration; a worker does the job.  A request\n"
	    "for a site that already waits is merged into its job.  Prints the number\n"
	    "of the job.\n",
	.examples =
	    "deploy enqueue example.org --wait\n"
	    "deploy enqueue packages --item vendor/a --item vendor/b\n",
	.max_args = 1,
	.opts = opts,
	.run = run_enqueue,
};
