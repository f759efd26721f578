#include "os/caller.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/err.h"
#include "base/json.h"
#include "unit.h"

/* The caller as seen with these variables ("NAME=VALUE") and no others. */
static struct caller
caller_with(const char *const *variables)
{
	struct caller c;

	clearenv();
	for (; *variables != NULL; variables++)
		putenv((char *)(uintptr_t)*variables);
	caller_init(&c);
	clearenv();
	return c;
}

#define CALLER(...) caller_with((const char *const[]){ __VA_ARGS__, NULL })

static void
test_nobody_in_particular(void)
{
	struct caller c = CALLER("HOME=/tmp");

	CHECK(c.who != NULL && strchr(c.who, '@') != NULL);
	CHECK_STR(c.job, NULL);
	CHECK_STR(c.commit, NULL);
	CHECK(c.seq == -1);
	caller_release(&c);
	caller_release(&c);
}

static void
test_github(void)
{
	struct caller c = CALLER("GITHUB_ACTIONS=true", "GITHUB_RUN_NUMBER=17",
	    "GITHUB_RUN_ID=1658821493", "GITHUB_SHA=ffac537e6cbb",
	    "GITHUB_ACTOR=octocat", "GITHUB_SERVER_URL=https://github.com",
	    "GITHUB_REPOSITORY=octo/site");

	CHECK_STR(c.who, "octocat");
	CHECK_STR(c.job,
	    "https://github.com/octo/site/actions/runs/1658821493");
	CHECK_STR(c.commit, "ffac537e6cbb");
	CHECK(c.seq == 17);
	caller_release(&c);
}

static void
test_gitlab(void)
{
	struct caller c = CALLER("GITLAB_CI=true", "CI_PIPELINE_IID=9",
	    "CI_PIPELINE_ID=77777", "CI_COMMIT_SHA=abc",
	    "CI_JOB_URL=https://gitlab.example/j/1", "GITLAB_USER_LOGIN=ann");

	CHECK_STR(c.who, "ann");
	CHECK_STR(c.job, "https://gitlab.example/j/1");
	CHECK_STR(c.commit, "abc");
	CHECK(c.seq == 9);
	caller_release(&c);
}

static void
test_woodpecker(void)
{
	struct caller c = CALLER("CI=woodpecker", "CI_PIPELINE_NUMBER=5",
	    "CI_COMMIT_SHA=def", "CI_PIPELINE_URL=https://ci/5",
	    "CI_COMMIT_AUTHOR=bob");

	CHECK_STR(c.who, "bob");
	CHECK_STR(c.job, "https://ci/5");
	CHECK_STR(c.commit, "def");
	CHECK(c.seq == 5);
	caller_release(&c);
}

static void
test_jenkins(void)
{
	struct caller c = CALLER("JENKINS_URL=https://j/", "BUILD_NUMBER=153",
	    "GIT_COMMIT=123", "BUILD_URL=https://j/job/site/153/",
	    "BUILD_USER_ID=eve");

	CHECK_STR(c.who, "eve");
	CHECK_STR(c.job, "https://j/job/site/153/");
	CHECK_STR(c.commit, "123");
	CHECK(c.seq == 153);
	caller_release(&c);
}

/* Half of what a system sets, empty variables, and no numbers. */
static void
test_gaps(void)
{
	struct caller c = CALLER("GITHUB_ACTIONS=true", "GITHUB_RUN_NUMBER=",
	    "GITHUB_ACTOR=", "GITHUB_SERVER_URL=https://x", "GITHUB_RUN_ID=1");

	CHECK(c.who != NULL && strchr(c.who, '@') != NULL);
	CHECK_STR(c.job, NULL);
	CHECK_STR(c.commit, NULL);
	CHECK(c.seq == -1);
	CHECK_STR(c.odd_seq, NULL);
	caller_release(&c);

	c = CALLER("GITLAB_CI=true", "CI_PIPELINE_IID=12a");
	CHECK(c.seq == -1);
	CHECK_STR(c.odd_seq, "12a");
	caller_release(&c);
}

/* A developer's shell may have a variable left over: it needs the mark. */
static void
test_no_mark(void)
{
	struct caller c = CALLER("GITHUB_RUN_NUMBER=17", "BUILD_NUMBER=3",
	    "CI_COMMIT_SHA=abc", "GITHUB_ACTIONS=");

	CHECK(c.seq == -1);
	CHECK_STR(c.commit, NULL);
	caller_release(&c);
}

static void
test_lock_note(void)
{
	struct caller c = { .seq = -1 };
	struct err e = ERR_INIT;
	char who[] = "ann \"x\"\n\xff", job[] = "https://ci/1";
	const char *text;
	char *note;
	json_t *j;

	c.who = who;
	note = caller_lock_note(&c, "publish");
	CHECK(strchr(note, '\n') == note + strlen(note) - 1);
	CHECK(strstr(note, "job") == NULL);
	j = json_parse(note, strlen(note), "note", &e);
	if (CHECK(j != NULL)) {
		CHECK_STR(json_get_string(j, "who"),
		    "ann \"x\"\n\xef\xbf\xbd");
		CHECK_STR(json_get_string(j, "command"), "publish");
		CHECK(json_get_int(j, "pid", 0) == getpid());
		text = json_get_string(j, "since");
		CHECK(text != NULL && strlen(text) == 20);
	}
	json_free(j);
	free(note);

	c.job = job;
	note = caller_lock_note(&c, "prune");
	CHECK(strstr(note, "https://ci/1") != NULL ||
	    strstr(note, "https:\\/\\/ci\\/1") != NULL);
	free(note);
}

UNIT_MAIN(UNIT(test_nobody_in_particular), UNIT(test_github),
    UNIT(test_gitlab), UNIT(test_woodpecker), UNIT(test_jenkins),
    UNIT(test_gaps), UNIT(test_no_mark), UNIT(test_lock_note))
