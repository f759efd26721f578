#include "os/claim.h"

#include <limits.h>
#include <stdlib.h>

#include "base/number.h"
#include "os/io.h"

static int claim = -1;

void
claim_take(void)
{
	claim = (int)number_or(getenv(CLAIM_VARIABLE), 0, INT_MAX, -1);
	(void)unsetenv(CLAIM_VARIABLE);
}

/* A locked file is never hung up. */
int
claim_check(struct err *e)
{
	if (claim < 0 || !io_is_hung_up(claim))
		return 0;
	return err_set(e, ERR_LOCKED,
	    "the claim on the site was lost while it was built, and another worker may have it now;; nothing was flipped");
}
