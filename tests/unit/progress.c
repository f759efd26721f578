/* Phases of many threads, as of several roots on this machine. */
#include "os/progress.h"

#include <pthread.h>
#include <unistd.h>

#include "unit.h"

enum { THREADS = 8, PHASES = 20000 };

static void *
phases(void *arg)
{
	for (int i = 0; i < PHASES; i++) {
		progress_begin("placing", 10, 0);
		progress_add(10, 0);
		progress_end();
	}
	return arg;
}

/* Phases of several roots begin and end as they like; none waits for ever. */
static void
test_many_threads(void)
{
	pthread_t t[THREADS];

	alarm(120);
	for (int i = 0; i < THREADS; i++)
		CHECK(pthread_create(&t[i], NULL, phases, NULL) == 0);
	for (int i = 0; i < THREADS; i++)
		CHECK(pthread_join(t[i], NULL) == 0);
	alarm(0);
}

/* What has not begun does not end. */
static void
test_no_phase(void)
{
	progress_end();
	progress_begin("a", 1, 1);
	progress_begin("b", 1, 1);
	progress_end();
	progress_end();
	progress_end();
}

UNIT_MAIN(UNIT(test_no_phase), UNIT(test_many_threads))
