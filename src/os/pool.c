#include "os/pool.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "os/intr.h"

enum { THREADS_MAX = 16 }; /* beyond that the disk is the limit */

struct pool {
	const struct pool_job *job;
	atomic_size_t next; /* first item that nobody has taken */
	atomic_bool failed;
	pthread_mutex_t lock; /* guards err */
	struct err *err;
};

/* Keep the first error, let the others go. */
static void
report(struct pool *p, const struct err *e)
{
	pthread_mutex_lock(&p->lock);
	if (!atomic_load(&p->failed)) {
		*p->err = *e;
		atomic_store(&p->failed, true);
	}
	pthread_mutex_unlock(&p->lock);
}

/* One thread: take `grain` items at a time until there are none. */
static void *
work(void *arg)
{
	struct pool *p = arg;
	const struct pool_job *job = p->job;
	void *local = job->begin(job->ctx);
	struct err e = ERR_INIT;

	while (!atomic_load(&p->failed)) {
		size_t i = atomic_fetch_add(&p->next, job->grain);
		size_t stop =
		    i + job->grain < job->n ? i + job->grain : job->n;

		if (i >= job->n)
			break;
		for (; i < stop && !atomic_load(&p->failed); i++)
			if (intr_check(&e) != 0 ||
			    job->item(job->ctx, local, i, &e) != 0)
				report(p, &e);
	}
	job->end(job->ctx, local);
	return NULL;
}

/* How many threads are worth starting for `n` items. */
static int
thread_count(const struct pool_job *job)
{
	size_t batches = (job->n + job->grain - 1) / job->grain;
	cpu_set_t set;
	int cpus = 1;

	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		cpus = CPU_COUNT(&set);
	if (cpus > THREADS_MAX)
		cpus = THREADS_MAX;
	return batches < (size_t)cpus ? (int)batches : cpus;
}

int
pool_run(const struct pool_job *job, struct err *e)
{
	struct pool p = { .job = job, .err = e };
	pthread_t threads[THREADS_MAX];
	int want = thread_count(job), started = 0;

	pthread_mutex_init(&p.lock, NULL);
	/* This thread works too; no thread at all is only a slower pool. */
	while (started < want - 1 &&
	    pthread_create(&threads[started], NULL, work, &p) == 0)
		started++;
	work(&p);
	while (started > 0)
		pthread_join(threads[--started], NULL);
	pthread_mutex_destroy(&p.lock);
	return atomic_load(&p.failed) ? -1 : 0;
}
