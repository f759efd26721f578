#include "os/progress.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/text.h"
#include "os/log.h"

enum { REDRAW_MS = 100, BAR = 24 };

/* A phase may begin while threads of the one before it still count. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static struct {
	const char *phase; /* this and the next three under the lock */
	size_t files;
	int64_t bytes;
	int64_t began; /* ms, monotonic */
	atomic_size_t files_done;
	_Atomic int64_t bytes_done;
	_Atomic int64_t drawn; /* ms, monotonic */
	atomic_bool active;
} now;

/* The part that is done, by bytes where they are known. */
static double
fraction(size_t files, int64_t bytes)
{
	double f = 0;

	if (now.bytes > 0)
		f = (double)bytes / (double)now.bytes;
	else if (now.files > 0)
		f = (double)files / (double)now.files;
	return f > 1 ? 1 : f;
}

/* Under the lock. */
static void
draw(int64_t ms)
{
	size_t files = atomic_load(&now.files_done);
	int64_t bytes = atomic_load(&now.bytes_done);
	int64_t spent = ms - now.began > 0 ? ms - now.began : 1;
	char bar[BAR + 1], size[32], rate[32], line[200];
	int full = (int)(fraction(files, bytes) * BAR);

	/* Nothing to count: the phase alone. */
	if (now.files == 0 && now.bytes == 0 && files == 0 && bytes == 0) {
		snprintf(line, sizeof(line), "%s ...", now.phase);
		log_set_status(line);
		return;
	}
	for (int i = 0; i < BAR; i++)
		bar[i] = i < full ? '#' : '.';
	bar[BAR] = '\0';
	text_size(bytes, size);
	text_size(bytes * 1000 / spent, rate);
	snprintf(line, sizeof(line), "%s [%s] %s, %s, %s/s", now.phase, bar,
	    TEXT_COUNT(files, "file", "files"), size, rate);
	log_set_status(line);
}

void
progress_begin(const char *phase, size_t files, int64_t bytes)
{
	pthread_mutex_lock(&lock);
	now.phase = phase;
	now.files = files;
	now.bytes = bytes;
	now.began = clock_coarse_ms();
	atomic_store(&now.files_done, 0);
	atomic_store(&now.bytes_done, 0);
	atomic_store(&now.drawn, now.began);
	atomic_store(&now.active,
	    log_level() > LOG_QUIET && log_is_terminal());
	if (atomic_load(&now.active))
		draw(now.began);
	pthread_mutex_unlock(&lock);
}

void
progress_add(size_t files, int64_t bytes)
{
	int64_t ms, drawn;

	if (!atomic_load_explicit(&now.active, memory_order_relaxed))
		return;
	atomic_fetch_add(&now.files_done, files);
	atomic_fetch_add(&now.bytes_done, bytes);
	ms = clock_coarse_ms();
	drawn = atomic_load(&now.drawn);
	/* One thread wins the right to draw. */
	if (ms - drawn < REDRAW_MS ||
	    !atomic_compare_exchange_strong(&now.drawn, &drawn, ms))
		return;
	pthread_mutex_lock(&lock);
	if (atomic_load(&now.active))
		draw(ms);
	pthread_mutex_unlock(&lock);
}

void
progress_end(void)
{
	pthread_mutex_lock(&lock);
	if (atomic_exchange(&now.active, false))
		log_set_status("");
	pthread_mutex_unlock(&lock);
}
