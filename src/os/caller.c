#include "os/caller.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/number.h"
#include "base/release.h"
#include "os/names.h"

/*
 * The variables of each system, from its manual.  `mark` tells that we run
 * there; the job's URL is url, or server/repository/actions/runs/run.
 */
static const struct ci {
	const char *mark, *seq, *commit, *url, *actor;
	const char *server, *repository, *run;
} systems[] = {
	{ "GITHUB_ACTIONS", "GITHUB_RUN_NUMBER", "GITHUB_SHA", NULL,
	    "GITHUB_ACTOR", "GITHUB_SERVER_URL", "GITHUB_REPOSITORY",
	    "GITHUB_RUN_ID" },
	{ "GITLAB_CI", "CI_PIPELINE_IID", "CI_COMMIT_SHA", "CI_JOB_URL",
	    "GITLAB_USER_LOGIN", NULL, NULL, NULL },
	{ "CI_PIPELINE_NUMBER", "CI_PIPELINE_NUMBER", "CI_COMMIT_SHA",
	    "CI_PIPELINE_URL", "CI_COMMIT_AUTHOR", NULL, NULL, NULL },
	{ "JENKINS_URL", "BUILD_NUMBER", "GIT_COMMIT", "BUILD_URL",
	    "BUILD_USER_ID", NULL, NULL, NULL },
};

/* The variable's value; NULL for none, an empty or an unnamed one. */
static const char *
env(const char *name)
{
	const char *v = name == NULL ? NULL : getenv(name);

	return v == NULL || *v == '\0' ? NULL : v;
}

bool
caller_is_told_by(const char *variable)
{
	size_t len = strcspn(variable, "=");

	for (size_t i = 0; i < sizeof(systems) / sizeof(systems[0]); i++) {
		const struct ci *ci = &systems[i];
		const char *const names[] = { ci->mark, ci->seq, ci->commit,
			ci->url, ci->actor, ci->server, ci->repository,
			ci->run };

		if (env(ci->mark) == NULL)
			continue;
		for (size_t k = 0; k < sizeof(names) / sizeof(names[0]); k++)
			if (names[k] != NULL && strlen(names[k]) == len &&
			    memcmp(names[k], variable, len) == 0)
				return true;
	}
	return false;
}

/* The user and host of this process. */
static char *
user_at_host(void)
{
	char host[256] = "", user[NAMES_LEN];

	if (gethostname(host, sizeof(host) - 1) != 0 || host[0] == '\0')
		strcpy(host, "localhost");
	if (!names_user(geteuid(), user))
		return xasprintf("uid%lu@%s", (unsigned long)geteuid(), host);
	return xasprintf("%s@%s", user, host);
}

static char *
job_url(const struct ci *ci)
{
	const char *server = env(ci->server), *run = env(ci->run);
	const char *repository = env(ci->repository);

	if (env(ci->url) != NULL)
		return xstrdup(env(ci->url));
	if (server == NULL || repository == NULL || run == NULL)
		return NULL;
	return xasprintf("%s/%s/actions/runs/%s", server, repository, run);
}

/* A variable from outside must not be more than a host takes. */
static char *
cut(char *s)
{
	size_t n = s != NULL ? strlen(s) : 0;

	if (n <= CALLER_WORD_MAX)
		return s;
	n = CALLER_WORD_MAX;
	/* Not within a character. */
	while (n > 0 && ((unsigned char)s[n] & 0xc0) == 0x80)
		n--;
	s[n] = '\0';
	return s;
}

void
caller_init(struct caller *c)
{
	*c = (struct caller)CALLER_INIT;
	for (size_t i = 0; i < sizeof(systems) / sizeof(systems[0]); i++) {
		const struct ci *ci = &systems[i];

		if (env(ci->mark) == NULL)
			continue;
		c->who = cut(xstrdup_opt(env(ci->actor)));
		c->job = cut(job_url(ci));
		c->commit = cut(xstrdup_opt(env(ci->commit)));
		if (env(ci->seq) != NULL &&
		    !number_parse(env(ci->seq), 0, CALLER_SEQ_MAX, &c->seq))
			c->odd_seq = cut(xstrdup(env(ci->seq)));
		break;
	}
	if (c->who == NULL)
		c->who = user_at_host();
}

void
caller_release(struct caller *c)
{
	free(c->who);
	free(c->job);
	free(c->commit);
	free(c->odd_seq);
	free(c->line);
	free(c->rest);
	free(c->where);
	free(c->all);
	free(c->site);
	free(c->file);
	free(c->from);
	free(c->without_from);
	free(c->unskipped);
	*c = (struct caller)CALLER_INIT;
}

char *
caller_lock_note(const struct caller *c, const char *command)
{
	json_t *j = json_new_object();
	struct buf b = BUF_INIT;
	char since[32];

	release_format_time(clock_now(), since);
	json_put_string(j, "who", c->who);
	json_put_string(j, "command", command);
	json_put_int(j, "pid", getpid());
	json_put_string(j, "since", since);
	if (c->job != NULL)
		json_put_string(j, "job", c->job);
	json_write(j, &b);
	buf_addc(&b, '\n');
	json_free(j);
	return buf_detach(&b);
}
