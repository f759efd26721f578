/*
 * What a command is, and what all commands share: one const struct cmd per
 * verb, from which help, usage errors and completions are made.
 */
#ifndef CMD_H
#define CMD_H

#include <stdbool.h>

#include "os/caller.h"
#include "config/config.h"
#include "base/err.h"
#include "fleet/fleet.h"
#include "base/json.h"
#include "cmd/opt.h"
#include "os/lock.h"
#include "site/site.h"
#include "os/table.h"

/* One call of a command. */
struct run {
	const struct cmd *cmd;
	struct opts opts;
	struct caller caller;
	struct config config;		/* of deploy.yml */
	struct site_config adhoc;	/* of --root */
	struct site_config narrow;	/* of --host; borrows all but `hosts` */
	struct site_config left;	/* of --skip; the same */
	struct strvec skipped;		/* labels of the hosts left out by it */
	const struct site_config *site;	/* one of these; cmd_site() */
	struct site_run work;		/* on the site; cmd_begin() */
	bool answered;			/* the JSON document is out */
};

struct cmd {
	const char *name;
	const char *alias;		/* NULL: none */
	const char *group;		/* heading in the list of commands */
	const char *args;		/* operands in the synopsis */
	const char *summary;		/* one line */
	const char *about;		/* more, for help; lines, or NULL */
	const char *examples;		/* command lines, or NULL */
	unsigned int max_args;
	bool changes;			/* stages or flips: hooks */
	bool looks;			/* changes nothing, ever */
	bool takes_away;		/* what 'deploy sync' does not */
	bool raw_args;			/* all from the first operand on */
	unsigned int overrides;		/* guards of --override */
	const enum opt_id *opts;	/* besides the common ones; OPT_END */
	/* 0, or -1 with the error that becomes the exit status. */
	int (*run)(struct run *run, struct err *e);
};

/* All commands, in the order of the help; ended by NULL. */
extern const struct cmd *const cmd_table[];

/* The command of that name or alias, or NULL with ERR_USAGE and the nearest. */
const struct cmd *cmd_find(const char *name, struct err *e) MUST_USE;

/* Options that every command takes; OPT_END. */
extern const enum opt_id cmd_common_opts[];

/* All options of a command into `out` (room for OPT_COUNT), OPT_END last. */
void cmd_list_opts(const struct cmd *cmd, enum opt_id out[OPT_COUNT]);

/* Print the help of a command: what -h shows. */
void cmd_print_help(const struct cmd *cmd);

/*
 * Run argv[0] as a command, whose options begin with those of `global`, the
 * `before` words before it.  The exit status.
 */
int cmd_main(int before, int argc, char *const *argv, struct opts *global);

/* Tell what is wrong before any command in argv[].  The exit status. */
int cmd_refuse(char *const *argv, struct err *e);

/*
 * Find the site that the options name: sets run->site.  --root makes one up,
 * --host leaves the hosts that it names, or with --root is one of them; --skip
 * takes away those that it names.  0, or -1 with ERR_USAGE.
 */
int cmd_site(struct run *run, struct err *e) MUST_USE;

/* cmd_site(), and run->work is made from the options. */
int cmd_begin(struct run *run, struct err *e) MUST_USE;

/* The hosts of the site, not connected yet. */
void cmd_init_fleet(struct run *run, struct fleet *f);

/*
 * Find the site, connect to all its hosts and ask for their state
 * (fleet_open); one of them must have a root.  The caller releases `f` in any
 * case.
 */
int cmd_open_fleet(struct run *run, struct fleet *f, struct err *e) MUST_USE;

/*
 * The same, but hosts that do not answer are left to the caller's end: they
 * are in `dead`, which has the error then, and r->failed.  0 or -1.
 */
int cmd_open_living(struct run *run, struct fleet *f, struct err *dead,
    struct err *e) MUST_USE;

/*
 * Run a verb on all hosts at once; `args` are its options, or NULL.
 * `line` gets each line of the answers, one at a time.  0, or -1 when hosts
 * failed: the error says `what` that means ("not pinned everywhere").
 */
int cmd_call_hosts(struct fleet *f, const char *verb, const char *what,
    const struct strvec *args, void (*line)(void *ctx, const struct remote *r,
    const char *key, const char *value), void *ctx, struct err *e) MUST_USE;

/*
 * The same of a verb that changes them.  Where it failed on some, and the
 * others are changed, the error is ERR_DIFFER, with the command that goes on.
 */
int cmd_change_hosts(struct fleet *f, const char *verb, const char *what,
    const struct strvec *args, struct err *e) MUST_USE;

/* Seconds to wait for the lock: the option, else the configuration. */
int64_t cmd_lock_wait(const struct run *run);

/* Print the command's JSON document and free it. */
void cmd_answer(struct run *run, json_t *doc);

/* A JSON object that begins with site and root. */
json_t *cmd_new_doc(const struct run *run);

/* Put an id, or null for "". */
void cmd_put_id(json_t *doc, const char *key, const struct release_id *id);

/*
 * A moment (ms since 1970): on a terminal how long ago that is, or until then,
 * elsewhere the time.  0 is one that nobody knows.  Returns `text`.
 */
enum { CMD_MOMENT_LEN = 40 };
const char *cmd_moment(int64_t ms, char text[CMD_MOMENT_LEN]);

/* A cell for one. */
void cmd_put_moment(struct table *t, int64_t ms);

/* How much of a commit (NULL: none) people see, for "%.*s". */
int cmd_commit_len(const char *commit);

#endif
