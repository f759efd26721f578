#include "os/progress.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/number.h"
#include "os/log.h"
#include "os/progress_line.h"

enum {
	DRAW_MS = 500,
	TELL_MS = 10 * 1000, /* where there is no terminal */
	SAMPLES = 10,	     /* that the rate is taken from */
	PHASE_MAX = 64,
};

/* For tests: ms between two lines, on a terminal or not. */
#define EACH_VARIABLE "DEPLOY_TEST_PROGRESS"

/* What was done at some time. */
struct sample {
	int64_t ms, files, bytes;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool forbidden;

/* All but the counts under the lock. */
static struct {
	char phase[PHASE_MAX];
	int depth;		/* phases that have begun and not ended */
	int64_t began, changed; /* ms, monotonic */
	int64_t each;		/* ms between two lines */
	struct sample samples[SAMPLES];
	size_t n_samples;
	bool drawn; /* a line of this phase, which says `last` */
	struct sample last;
	bool running; /* `teller` */
	bool stop;
	pthread_t teller;
	_Atomic int64_t files, bytes, files_all, bytes_all;
	atomic_bool active;
} now;

static struct sample
take_sample(void)
{
	return (struct sample){ clock_ms(), atomic_load(&now.files),
		atomic_load(&now.bytes) };
}

static bool
is_same(const struct sample *a, const struct sample *b)
{
	return a->files == b->files && a->bytes == b->bytes;
}

/* Remember the sample, unless it was taken right after the one before. */
static void
keep_sample(const struct sample *s)
{
	if (now.n_samples > 0 &&
	    s->ms - now.samples[now.n_samples - 1].ms < now.each / 2)
		return;
	if (now.n_samples == SAMPLES)
		memmove(now.samples, now.samples + 1,
		    --now.n_samples * sizeof(now.samples[0]));
	now.samples[now.n_samples++] = *s;
}

/* Bytes a second, since the oldest sample. */
static int64_t
rate(const struct sample *s)
{
	const struct sample *oldest = &now.samples[0];

	if (now.n_samples == 0 || s->ms <= oldest->ms ||
	    s->bytes <= oldest->bytes)
		return 0;
	return (s->bytes - oldest->bytes) * 1000 / (s->ms - oldest->ms);
}

/* Under the lock: say how far it is. */
static void
tell(void)
{
	struct sample s = take_sample();
	bool terminal = log_is_terminal();
	char line[PROGRESS_LINE];
	struct progress_facts f;

	if (!is_same(&s, &now.last))
		now.changed = s.ms;
	f = (struct progress_facts){ .phase = now.phase,
		.files = s.files,
		.files_all = atomic_load(&now.files_all),
		.bytes = s.bytes,
		.bytes_all = atomic_load(&now.bytes_all),
		.rate = rate(&s),
		.spent = s.ms - now.began,
		.idle = s.ms - now.changed };
	keep_sample(&s);
	now.last = s;
	now.drawn = true;
	/* The last column would move the cursor to the next line. */
	progress_line(&f, terminal ? log_columns() - 1 : SIZE_MAX, terminal,
	    line);
	if (terminal)
		log_set_status(line);
	else
		log_info("%s", line);
}

/* Wait for the next time, a new size of the terminal, or the end. */
static void
wait_for_turn(int64_t ms)
{
	const struct timespec t = { ms / 1000, ms % 1000 * 1000000 };
	sigset_t winch;

	sigemptyset(&winch);
	sigaddset(&winch, SIGWINCH);
	(void)sigtimedwait(&winch, NULL, &t);
}

/* The thread that tells; all its signals are blocked. */
static void *
run(void *arg)
{
	int64_t next;

	(void)arg;
	pthread_mutex_lock(&lock);
	next = now.began + now.each;
	while (!now.stop) {
		int64_t left = next - clock_ms();

		if (left > 0) {
			pthread_mutex_unlock(&lock);
			wait_for_turn(left);
			pthread_mutex_lock(&lock);
		}
		if (now.stop || (left > 0 && !log_is_terminal()))
			continue;
		tell();
		if (clock_ms() >= next)
			next = clock_ms() + now.each;
	}
	pthread_mutex_unlock(&lock);
	return NULL;
}

/*
 * SIGWINCH is for the thread alone; programs that are started get their own
 * mask (run.h).  Without a thread the line stands still.
 */
static void
start_teller(void)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	now.stop = false;
	now.running = pthread_create(&now.teller, NULL, run, NULL) == 0;
	sigaddset(&before, SIGWINCH);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* The lock is free meanwhile: phases may begin, and end, but for the last. */
static void
stop_teller(void)
{
	pthread_t teller = now.teller;

	if (!now.running)
		return;
	now.stop = true;
	now.running = false;
	pthread_mutex_unlock(&lock);
	pthread_kill(teller, SIGWINCH);
	pthread_join(teller, NULL);
	pthread_mutex_lock(&lock);
}

static void
begin(const char *phase)
{
	snprintf(now.phase, sizeof(now.phase), "%s", phase);
	now.began = now.changed = clock_ms();
	now.n_samples = 0;
	now.drawn = false;
	now.last = (struct sample){ 0 };
	now.each = number_or(getenv(EACH_VARIABLE), 1, TELL_MS,
	    log_is_terminal() ? DRAW_MS : TELL_MS);
	atomic_store(&now.files, 0);
	atomic_store(&now.bytes, 0);
	atomic_store(&now.files_all, 0);
	atomic_store(&now.bytes_all, 0);
	atomic_store(&now.active, true);
	if (log_is_terminal())
		tell();
	start_teller();
}

void
progress_begin(const char *phase, int64_t files, int64_t bytes)
{
	pthread_mutex_lock(&lock);
	if (!forbidden && log_level() > LOG_QUIET && now.depth++ == 0)
		begin(phase);
	pthread_mutex_unlock(&lock);
	progress_expect(files, bytes);
}

void
progress_expect(int64_t files, int64_t bytes)
{
	atomic_fetch_add(&now.files_all, files);
	atomic_fetch_add(&now.bytes_all, bytes);
}

void
progress_add(int64_t files, int64_t bytes)
{
	if (!atomic_load_explicit(&now.active, memory_order_relaxed))
		return;
	atomic_fetch_add(&now.files, files);
	atomic_fetch_add(&now.bytes, bytes);
}

/* Under the lock: who saw it grow sees its end. */
static void
take_line_away(void)
{
	struct sample s = take_sample();

	if (log_is_terminal()) {
		if (!is_same(&s, &now.last) && s.ms - now.began >= now.each)
			tell();
		log_set_status("");
	}
}

void
progress_end(void)
{
	bool stopped;

	pthread_mutex_lock(&lock);
	stopped = now.depth == 1;
	if (stopped)
		stop_teller();
	if (now.depth > 0 && --now.depth == 0) {
		atomic_store(&now.active, false);
		take_line_away();
	} else if (stopped) {
		/* Another one has begun meanwhile, and none but this starts
		 * it: the one that is to stop must not hear that it may go
		 * on. */
		start_teller();
	}
	pthread_mutex_unlock(&lock);
}

void
progress_forbid(void)
{
	pthread_mutex_lock(&lock);
	forbidden = true;
	pthread_mutex_unlock(&lock);
}
