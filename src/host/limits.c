#include "host/limits.h"

#include <stdbool.h>
#include <string.h>

#include "base/version.h"
#include "host/option.h"

/* Is the word in the comma-separated list? */
static bool
is_listed(const char *list, const char *word)
{
	size_t n = strlen(word);

	while (*list != '\0') {
		size_t len = strcspn(list, ",");

		if (len == n && memcmp(list, word, n) == 0)
			return true;
		list += len;
		list += *list == ',';
	}
	return false;
}

/*
 * May the verb be run with that list?  What nothing works without, and what
 * tells no more than the site itself, always may; who may stage may note
 * what he would have staged.
 */
static bool
is_allowed(const char *list, const char *verb)
{
	return list == NULL || strcmp(verb, "info") == 0 ||
	    strcmp(verb, "probe") == 0 || strcmp(verb, "manifest") == 0 ||
	    is_listed(list, verb) ||
	    (strcmp(verb, "note") == 0 && is_listed(list, "receive"));
}

int
limits_take(const struct host_limits *limits, const struct strvec *words,
    struct strvec *out, struct err *e)
{
	const char *verb, *root;

	if (words->n < 2)
		return err_set(e, ERR_USAGE,
		    "usage: deploy host VERB ROOT [--key=value ...]; see "
		    "deploy-host(7)");
	verb = words->v[0];
	root = words->v[1];
	if (!is_allowed(limits->allow, verb))
		return err_set(e, ERR_UNREACHABLE,
		    "this key may not '%s' here; it is limited to: %s", verb,
		    limits->allow);
	if (limits->root != NULL && strcmp(limits->root, root) != 0)
		return err_set(e, ERR_UNREACHABLE,
		    "this key is limited to another root than '%s'", root);
	if (root[0] != '/')
		return err_set(e, ERR_USAGE,
		    "the root '%s' is not an absolute path", root);
	if (options_of(verb) == NULL)
		return err_set(e, ERR_USAGE,
		    "the deploy on this host (%s) does not know '%s'; use "
		    "the same version on both ends",
		    DEPLOY_VERSION, verb);
	return options_take(words, out, e);
}
