#include "base/label.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
static const char digits[] = "0123456789";

/* Letters, digits and '-', which stands at no end. */
static bool
is_label(const char *name)
{
	size_t len = strlen(name);

	return len > 0 && len <= LABEL_MAX && strspn(name, letters) == len &&
	    name[0] != '-' && name[len - 1] != '-';
}

/* Would it mean a release, or be the beginning of an id? */
static bool
is_taken(const char *name)
{
	static const char *const words[] = { "current", "previous", "latest",
		"none" };

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (strcmp(name, words[i]) == 0)
			return true;
	return strspn(name, digits) == strlen(name);
}

int
label_check(const char *name, struct err *e)
{
	if (!is_label(name))
		return err_set(e, ERR_USAGE,
		    "'%s' cannot be the name of a preview, which is a part of a host name;; use at most %d of a-z, 0-9 and -, such as pr-12",
		    name, LABEL_MAX);
	if (is_taken(name))
		return err_set(e, ERR_USAGE,
		    "'%s' could mean a release, so no preview can have that name;; use another name, such as pr-12",
		    name);
	return 0;
}
