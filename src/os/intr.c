#include "os/intr.h"

#include <signal.h>
#include <stdatomic.h>
#include <string.h>

/* Other threads than the one that is interrupted look; always lock-free. */
static atomic_int caught;
static atomic_int held;

static void
remember(int sig)
{
	atomic_store_explicit(&caught, sig, memory_order_relaxed);
}

void
intr_init(void)
{
	struct sigaction sa = { .sa_handler = remember };

	sigemptyset(&sa.sa_mask);
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGHUP, &sa, NULL);
	sa.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &sa, NULL);
	sigaction(SIGXFSZ, &sa, NULL);
}

void
intr_hold(void)
{
	atomic_fetch_add(&held, 1);
}

void
intr_release(void)
{
	atomic_fetch_sub(&held, 1);
}

bool
intr_came(void)
{
	return atomic_load_explicit(&caught, memory_order_relaxed) != 0 &&
	    atomic_load(&held) == 0;
}

int
intr_check(struct err *e)
{
	if (!intr_came())
		return 0;
	return err_set(e, ERR_FAILED, "interrupted by SIG%s",
	    sigabbrev_np(atomic_load(&caught)));
}
