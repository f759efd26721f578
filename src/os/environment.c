#include "os/environment.h"

#include <string.h>
#include <unistd.h>

#include "os/caller.h"

/* What a program needs to start; a name that ends in '*' is a beginning. */
static const char *const tool[] = { "PATH", "HOME", "USER", "LOGNAME", "SHELL",
	"TMPDIR", "TZ", "TERM", "LANG", "LANGUAGE", "LC_*", "LD_LIBRARY_PATH",
	"LD_PRELOAD", "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS" };

static const char *const git[] = { "SSH_AUTH_SOCK", "SSH_ASKPASS",
	"GIT_ASKPASS", "GIT_SSH", "GIT_SSH_*", "GIT_SSL_*", "GIT_CONFIG_*",
	"GIT_TERMINAL_PROMPT", "XDG_CONFIG_HOME", "http_proxy", "https_proxy",
	"all_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY",
	"NO_PROXY" };

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
is_among(const char *var, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (is_named(var, names[i]))
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
		    (!is_named(var, "DEPLOY_*") && !caller_is_told_by(var));
	case ENVIRONMENT_PLAIN:
		return !is_named(var, "DEPLOY_*");
	case ENVIRONMENT_GIT:
		if (is_among(var, git, sizeof(git) / sizeof(git[0])))
			return true;
		break;
	case ENVIRONMENT_TOOL:
		break;
	}
	return is_among(var, tool, sizeof(tool) / sizeof(tool[0]));
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
