/* Variables that leave the environment. */
#include "os/secret.h"

#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/environment.h"
#include "unit.h"

/* As the kernel lays them out; one is there twice. */
static char first[] = "DEPLOY_SSH_KEY=one", again[] = "DEPLOY_SSH_KEY=two",
	    longer[] = "DEPLOY_SSH_KEYS=no", other[] = "X=1",
	    empty[] = "DEPLOY_SSH_KEY_PASSPHRASE=",
	    hook[] = "DEPLOY_HOOK_SECRET=hook", pg[] = "PGPASSWORD=word",
	    path[] = "PATH=/bin", locale[] = "LC_ALL=C", mine[] = "DEPLOY_X=1",
	    known[] = "DEPLOY_KNOWN_HOSTS=h";

static bool
is_wiped(const char *var, size_t size)
{
	size_t i = strcspn(var, "=") + 1;

	while (i < size && var[i] == '\0')
		i++;
	return i == size;
}

static void
test_nothing_there(void)
{
	static char *none[] = { other, NULL };
	struct err e = ERR_INIT;

	environ = none;
	secret_init();
	CHECK(secret_get(SECRET_KEY) == NULL);
	CHECK(secret_hand_over(&e) == -1);
	CHECK(prctl(PR_GET_DUMPABLE) == 1);
	environ = NULL;
	secret_init();
}

static void
test_taken_and_wiped(void)
{
	static char *all[] = { other, first, longer, again, empty, hook, pg,
		NULL };

	environ = all;
	secret_init();
	CHECK_STR(secret_get(SECRET_KEY), "one");
	CHECK(secret_get(SECRET_PASSPHRASE) == NULL);
	CHECK_STR(secret_get(SECRET_HOOK), "hook");
	CHECK(secret_get(SECRET_PG_PASSWORD) == NULL);
	CHECK(getenv("DEPLOY_SSH_KEY") == NULL);
	CHECK(getenv("DEPLOY_HOOK_SECRET") == NULL);
	CHECK_STR(getenv("DEPLOY_SSH_KEYS"), "no");
	CHECK_STR(getenv("PGPASSWORD"), "word");
	CHECK(is_wiped(first, sizeof(first)));
	CHECK(is_wiped(again, sizeof(again)));
	CHECK(is_wiped(hook, sizeof(hook)));
	CHECK_STR(longer, "DEPLOY_SSH_KEYS=no");
	CHECK(prctl(PR_GET_DUMPABLE) == 0);
	secret_take(SECRET_PG_PASSWORD);
	CHECK_STR(secret_get(SECRET_PG_PASSWORD), "word");
	CHECK(getenv("PGPASSWORD") == NULL);
	CHECK(is_wiped(pg, sizeof(pg)));
}

/* Only what is for hosts goes over; a child's copy of the memory is empty. */
static void
test_handed_over(void)
{
	const char want[] = "DEPLOY_SSH_KEY=one";
	char got[100];
	struct err e = ERR_INIT;
	int fd = secret_hand_over(&e), status = -1;
	pid_t pid;

	REQUIRE(fd >= 0);
	CHECK(read(fd, got, sizeof(got)) == (ssize_t)sizeof(want));
	CHECK(memcmp(got, want, sizeof(want)) == 0);
	CHECK(read(fd, got, sizeof(got)) == 0);
	close(fd);
	pid = fork();
	if (pid == 0)
		_exit(*secret_get(SECRET_KEY) != '\0');
	waitpid(pid, &status, 0);
	CHECK(status == 0);
}

static void
test_environments(void)
{
	static char *all[] = { path, other, locale, mine, known, NULL };
	static const struct {
		enum environment kind;
		const char *want;
	} cases[] = {
		{ ENVIRONMENT_TOOL, "PATH=/bin LC_ALL=C X=2 " },
		{ ENVIRONMENT_PLAIN, "PATH=/bin LC_ALL=C X=2 " },
		{ ENVIRONMENT_JOB,
		    "PATH=/bin LC_ALL=C DEPLOY_KNOWN_HOSTS=h X=2 " },
		{ ENVIRONMENT_USER,
		    "PATH=/bin LC_ALL=C DEPLOY_X=1 DEPLOY_KNOWN_HOSTS=h X=2 " },
	};
	struct strvec more = STRVEC_INIT;

	environ = all;
	strvec_add(&more, "X=2");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct strvec env = STRVEC_INIT;
		char text[200] = "";

		environment_for(cases[i].kind, &more, &env);
		for (size_t k = 0; k < env.n; k++) {
			strcat(text, env.v[k]);
			strcat(text, " ");
		}
		CHECK_STR(text, cases[i].want);
		strvec_release(&env);
	}
	strvec_release(&more);
}

UNIT_MAIN(UNIT(test_nothing_there), UNIT(test_taken_and_wiped),
    UNIT(test_handed_over), UNIT(test_environments))
