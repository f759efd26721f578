#include "host/forced.h"

#include <string.h>

#include "host/wire.h"

int
forced_words(const char *line, struct strvec *words, struct err *e)
{
	struct strvec all = STRVEC_INIT;
	size_t skip = 0;
	int r;

	if (line == NULL)
		return err_set(e, ERR_USAGE,
		    "this key is for deploy only; there is no shell");
	if (strlen(line) > FORCED_MAX)
		return err_set(e, ERR_USAGE, "the request is too long");
	r = wire_split_command(line, &all, e);
	if (r != 0)
		err_prefix(e, "this key is for 'deploy host' only: ");
	/* A client that has a shell look for us: exec sh -c SCRIPT deploy ... */
	if (r == 0 && all.n > 4 && strcmp(all.v[0], "exec") == 0 &&
	    strcmp(all.v[2], "-c") == 0)
		skip = 4;
	if (r == 0 &&
	    (all.n < skip + 2 || strcmp(all.v[skip + 1], "host") != 0))
		r = err_set(e, ERR_USAGE,
		    "this key is for 'deploy host' only");
	for (size_t i = skip + 2; r == 0 && i < all.n; i++)
		strvec_add(words, all.v[i]);
	strvec_release(&all);
	return r;
}
