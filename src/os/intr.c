#include "os/intr.h"

#include <signal.h>
#include <stdatomic.h>
#include <string.h>

static volatile sig_atomic_t caught;
static atomic_int held;

static void
remember(int sig)
{
	caught = sig;
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

int
intr_check(struct err *e)
{
	if (caught == 0 || atomic_load(&held) > 0)
		return 0;
	return err_set(e, ERR_FAILED, "interrupted by SIG%s",
	    sigabbrev_np(caught));
}
