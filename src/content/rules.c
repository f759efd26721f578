#include "content/rules.h"

#include <stdlib.h>

void
rules_release(struct rules *r)
{
	strvec_release(&r->exclude);
	strvec_release(&r->shared);
	strvec_release(&r->carry);
	strvec_release(&r->compress);
	strvec_release(&r->dictionaries);
	free(r->group);
	*r = (struct rules)RULES_INIT;
}

void
rules_borrow(struct rules *out, const struct rules *r)
{
	*out = *r;
	out->exclude = (struct strvec)STRVEC_INIT;
	for (size_t i = 0; i < r->exclude.n; i++)
		strvec_add(&out->exclude, r->exclude.v[i]);
}
