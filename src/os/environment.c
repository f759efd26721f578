#include "os/environment.h"

#include <string.h>
#include <unistd.h>

/* What a program needs to start; a name that ends in '*' is a beginning. */
static const char *const tool[] = { "PATH", "HOME", "USER", "LOGNAME", "SHELL",
	"TMPDIR", "TZ", "TERM", "LANG", "LANGUAGE", "LC_*", "LD_LIBRARY_PATH",
	"LD_PRELOAD", "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS" };

/* Is the variable "NAME=value" one of that name, or beginning? */
static bool
is_named(const char *var, const char *name)
{
	size_t n = strlen(name);

	if (n > 0 && name[n - 1] == '*')
		return strncmp(var, name, n - 1) == 0;
	return strncmp(var, name, n) == 0 && var[n] == '=';
}

static bool
is_for_tool(const char *var)
{
	for (size_t i = 0; i < sizeof(tool) / sizeof(tool[0]); i++)
		if (is_named(var, tool[i]))
			return true;
	return false;
}

static bool
is_for(enum environment kind, const char *var)
{
	switch (kind) {
	case ENVIRONMENT_USER:
		return true;
	case ENVIRONMENT_JOB:
		return is_named(var, "DEPLOY_KNOWN_HOSTS") ||
		    !is_named(var, "DEPLOY_*");
	case ENVIRONMENT_PLAIN:
		return !is_named(var, "DEPLOY_*");
	case ENVIRONMENT_TOOL:
		break;
	}
	return is_for_tool(var);
}

/* Has `more` a variable of that name? */
static bool
is_given(const struct strvec *more, const char *var)
{
	size_t len = strcspn(var, "=") + 1;

	for (size_t i = 0; more != NULL && i < more->n; i++)
		if (strncmp(more->v[i], var, len) == 0)
			return true;
	return false;
}

void
environment_for(enum environment kind, const struct strvec *more,
    struct strvec *out)
{
	for (char **var = environ; var != NULL && *var != NULL; var++)
		if (is_for(kind, *var) && !is_given(more, *var))
			strvec_add(out, *var);
	for (size_t i = 0; more != NULL && i < more->n; i++)
		strvec_add(out, more->v[i]);
}
