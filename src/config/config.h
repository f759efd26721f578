/*
 * What deploy.yml said.  config_file.h finds it, config_read.h reads it,
 * config_table.h has what it may say.  See deploy.yml(5).
 */
#ifndef CONFIG_H
#define CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/strvec.h"
#include "content/rules.h"

enum host_transport { HOST_SSH, HOST_RSYNC, HOST_LOCAL };

struct host_config {
	char *label;		/* for messages: its address, alone in its site */
	char *address;		/* name or ssh_config alias */
	char *user;		/* NULL: ssh_config's */
	unsigned int port;	/* 0: ssh_config's */
	char *root;		/* absolute */
	char *identity;		/* key file; NULL: ssh_config's */
	char *host_key;		/* "SHA256:..."; NULL: known_hosts */
	char *jump;		/* NULL: ssh_config's */
	char *connect;		/* "address[:port]" where its web server is,
				 * for checks; NULL: its address */
	enum host_transport transport;
	char *deploy;		/* path of the program there; "none": the sh
				 * verbs; NULL: found by PATH, else none */
};

/* What is asked of the web servers after a flip. */
struct check_config {
	struct strvec urls;	/* the first is the site's top; none: no check */
	unsigned int expect;	/* status */
	char *contains;		/* text in every answer; NULL: any */
	unsigned int sample;	/* files that are fetched and compared */
	struct strvec cached;	/* patterns, and for each the directives that */
	struct strvec cache_control;	/* Cache-Control has to have there */
	struct strvec edge;	/* tops of the site as the public has it */
	int64_t within;		/* seconds that these have to give it */
	char *connect;		/* "address[:port]" instead of the host's */
	char *ca;		/* file of certificates; NULL: the system's */
	unsigned int tries;
	int64_t wait;		/* seconds between two tries */
	int64_t timeout;	/* seconds, of one request */
};

/* Where the previews of a site are, and for how long. */
struct preview_config {
	char *url;		/* has "{name}"; NULL: nobody says */
	int64_t duration;	/* seconds */
};

/* Commands for sh(1) here; NULL: none. */
enum hook_when {
	HOOK_PRE_STAGE, HOOK_POST_STAGE, HOOK_PRE_ACTIVATE,
	HOOK_POST_ACTIVATE, HOOK_POST_ROLLBACK, HOOK_FAILED, HOOK_COUNT
};

struct hook_config {
	char *commands[HOOK_COUNT];
	int64_t timeout;	/* seconds, of each */
};

enum site_strategy { STRATEGY_ATOMIC, STRATEGY_ROLLING };

/* Which of two builds is the newer one. */
enum site_order { ORDER_SEQUENCE, ORDER_COMMIT };

/* How a build is made; see build.h. */
struct build_config {
	char *command;		/* for sh; NULL: none */
	char *directory;	/* absolute, where it runs */
	int64_t timeout;	/* seconds, at least 1 */
	bool clean;		/* `source` is emptied before; see clean.h */
};

/* The clone that a build is made in; see checkout.h. */
struct git_config {
	char *url;		/* NULL: none */
	char *ref;		/* NULL: the newest */
	bool submodules;
	bool ssh_key;		/* is fetched with DEPLOY_SSH_KEY */
	bool history;		/* all of it, and not the commit alone */
};

/* Which pushes ask for a build, by a web hook; patterns of sh(1). */
struct push_config {
	struct strvec branches;
	struct strvec tags;
};

struct site_config {
	char *name;
	char *source;		/* absolute; NULL when not given */
	char *update;		/* for sh, where a build runs; NULL: none */
	int64_t settle;		/* seconds without a request before a job */
	struct build_config build;
	struct git_config git;	/* it is in build.directory */
	struct push_config push;
	char *root;		/* absolute */
	unsigned int keep;	/* releases that were live, for prune */
	struct rules rules;	/* of its releases */
	int64_t lock_wait;	/* seconds */
	int64_t timeout;	/* seconds that a host may be silent */
	bool freeze_on_rollback;
	struct check_config check;
	struct preview_config preview;
	struct hook_config hooks;
	enum site_order order;
	enum site_strategy strategy;
	unsigned int batch;	/* hosts at once, when rolling */
	int64_t pause;		/* seconds between batches */
	char *dir;		/* of the file: where commands run; NULL */
	struct host_config *hosts;	/* none: this machine, directly */
	size_t n_hosts;
};

/* How jobs are done; see worker.h. */
struct worker_config {
	unsigned int jobs;	/* at once, by one worker */
	unsigned int max_jobs;	/* at once, by all workers; 0: no limit */
	unsigned int keep;	/* ended jobs, and logs */
	unsigned int log_size;	/* KiB of output that a log holds of a try */
	int64_t retry;		/* seconds before the second try */
	int64_t timeout;	/* seconds, of a job in all */
	int64_t verify;		/* seconds between looks at what is live; 0:
				 * none */
	char *logs;		/* absolute directory; NULL: the default */
	char *notify;		/* for sh, when a try has ended; NULL: none */
	char *metrics;		/* absolute file; NULL: none */
	char *notify_url;	/* is sent what came of it; NULL: none */
};

/* What the file says, as it stands there. */
struct config_given {
	char *key;		/* such as "sites[0].keep" */
	char *name;		/* of a pair of free keys; else NULL */
	char *value;		/* NULL: a mapping or a list */
	size_t line;
};

struct config {
	char *path;		/* the file; NULL when there is none */
	char *dir;		/* its directory, absolute */
	char *queue;		/* an absolute directory, or postgresql://...;
				 * NULL: the default */
	unsigned int max_waiting;	/* jobs in it; 0: no limit */
	struct worker_config worker;
	struct site_config *sites;
	size_t n;
	struct config_given *given;
	size_t n_given;
};

#define CONFIG_INIT { .path = NULL, .worker = { \
	.jobs = CONFIG_WORKER_JOBS, .keep = CONFIG_WORKER_KEEP, \
	.log_size = CONFIG_WORKER_LOG_SIZE, .retry = CONFIG_WORKER_RETRY, \
	.timeout = CONFIG_WORKER_TIMEOUT } }

/* Defaults, where deploy.yml is silent. */
enum {
	CONFIG_KEEP = 5,
	CONFIG_KEEP_MAX = 1000000,	/* as hosts take it */
	CONFIG_DICTIONARIES_MAX = 20,	/* of each file */
	CONFIG_WAIT_MAX = 86400,	/* seconds; of lock_wait, hooks.timeout:
					 * what hosts take */
	CONFIG_LOCK_WAIT = 60,		/* seconds */
	CONFIG_TIMEOUT = 60,		/* seconds */
	CONFIG_BUILD_TIMEOUT = 600,	/* seconds */
	CONFIG_WORKER_JOBS = 1,
	CONFIG_JOBS_MAX = 64,		/* for worker.jobs */
	CONFIG_WORKER_KEEP = 100,
	CONFIG_WORKER_LOG_SIZE = 1024,	/* KiB */
	CONFIG_WORKER_RETRY = 30,	/* seconds */
	CONFIG_WORKER_TIMEOUT = 3600,	/* seconds */
	CONFIG_CHECK_STATUS = 200,
	CONFIG_CHECK_SAMPLE = 5,	/* files */
	CONFIG_CHECK_TRIES = 3,
	CONFIG_CHECK_WAIT = 1,		/* seconds */
	CONFIG_CHECK_TIMEOUT = 10,	/* seconds */
	CONFIG_CHECK_WITHIN = 60,	/* seconds */
	CONFIG_HOOK_TIMEOUT = 300,	/* seconds */
	CONFIG_PREVIEW_FOR = 7 * 86400,	/* seconds */
};

void config_release(struct config *c);		/* neutral values accepted */

/*
 * The site called `name`; with NULL the only one.  Returns NULL with
 * ERR_USAGE when there is none of that name (with the nearest one), or when
 * `name` is NULL and there are several (with their names).
 */
const struct site_config *config_site(const struct config *c,
    const char *name, struct err *e) MUST_USE;

/* A site that no file describes, with the defaults; for --root. */
void site_config_init(struct site_config *s);
void site_config_release(struct site_config *s);

#endif
