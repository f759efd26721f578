#include "cmd/habit.h"

#include <stddef.h>
#include <string.h>

struct habit {
	const char *word, *here;
};

/* Of Capistrano, git, docker, kubectl, systemctl, and plain words. */
static const struct habit commands[] = {
	{ "undo", "rollback" },
	{ "revert", "rollback" },
	{ "back", "rollback" },
	{ "previous", "rollback" },
	{ "reset", "rollback" },
	{ "deploy", "publish" },
	{ "push", "publish" },
	{ "up", "publish" },
	{ "release", "publish" },
	{ "ship", "publish" },
	{ "golive", "publish" },
	{ "upload", "stage" },
	{ "copy", "stage" },
	{ "cp", "stage" },
	{ "build", "publish --build" },
	{ "promote", "activate" },
	{ "use", "activate" },
	{ "switch", "activate" },
	{ "checkout", "activate" },
	{ "link", "activate" },
	{ "ls", "list" },
	{ "ps", "status" },
	{ "info", "status" },
	{ "st", "status" },
	{ "show", "status" },
	{ "current", "status" },
	{ "history", "log" },
	{ "journal", "log" },
	{ "rm", "prune" },
	{ "remove", "prune" },
	{ "delete", "prune" },
	{ "clean", "prune" },
	{ "cleanup", "prune" },
	{ "gc", "prune" },
	{ "purge", "prune" },
	{ "keep", "pin" },
	{ "lock", "freeze" },
	{ "pause", "freeze" },
	{ "stop", "freeze" },
	{ "unlock", "thaw" },
	{ "unfreeze", "thaw" },
	{ "resume", "thaw" },
	{ "test", "check" },
	{ "ping", "check" },
	{ "fsck", "verify" },
	{ "validate", "verify" },
	{ "setup", "init" },
	{ "new", "init" },
	{ "create", "init" },
	{ "install", "init" },
	{ "import", "adopt" },
	{ "trigger", "enqueue" },
	{ "submit", "enqueue" },
	{ "queue", "jobs" },
	{ "cancel", "jobs stop" },
	{ "retry", "jobs retry" },
	{ "run", "worker" },
	{ "daemon", "worker" },
	{ "man", "help" },
};

static const struct habit job_actions[] = {
	{ "cancel", "stop" },
	{ "kill", "stop" },
	{ "abort", "stop" },
	{ "rm", "remove" },
	{ "delete", "remove" },
	{ "del", "remove" },
	{ "rerun", "retry" },
	{ "restart", "retry" },
	{ "again", "retry" },
	{ "info", "show" },
	{ "status", "show" },
	{ "describe", "show" },
	{ "logs", "log" },
	{ "output", "log" },
	{ "tail", "log" },
	{ "nice", "priority" },
};

/* One may mean different options to different commands. */
static const struct habit options[] = {
	{ "force", "again" },
	{ "force", "override" },
	{ "ignore-freeze", "override" },
	{ "comment", "message" },
	{ "note", "message" },
	{ "msg", "message" },
	{ "description", "message" },
	{ "sha", "commit" },
	{ "revision", "commit" },
	{ "rev", "commit" },
	{ "branch", "ref" },
	{ "tag", "ref" },
	{ "revision", "ref" },
	{ "sequence", "seq" },
	{ "number", "seq" },
	{ "run-number", "seq" },
	{ "env", "site" },
	{ "environment", "site" },
	{ "stage", "site" },
	{ "project", "site" },
	{ "target", "root" },
	{ "dest", "root" },
	{ "destination", "root" },
	{ "path", "root" },
	{ "dir", "root" },
	{ "to", "root" },
	{ "server", "host" },
	{ "only", "host" },
	{ "without", "skip" },
	{ "except", "skip" },
	{ "exclude-host", "skip" },
	{ "ignore", "exclude" },
	{ "filter", "exclude" },
	{ "strip-components", "strip" },
	{ "retain", "keep" },
	{ "keep-releases", "keep" },
	{ "lines", "limit" },
	{ "ttl", "for" },
	{ "expires", "for" },
	{ "simulate", "dry-run" },
	{ "plan", "dry-run" },
	{ "silent", "quiet" },
	{ "debug", "verbose" },
	{ "format", "json" },
	{ "output", "json" },
	{ "inventory", "config" },
	{ "deadline", "timeout" },
	{ "tail", "follow" },
	{ "nice", "priority" },
	{ "parallel", "jobs" },
	{ "delete", "remove" },
};

static const char *
find(const struct habit *v, size_t n, const char *word)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(v[i].word, word) == 0)
			return v[i].here;
	return NULL;
}

const char *
habit_command(const char *word)
{
	return find(commands, sizeof(commands) / sizeof(commands[0]), word);
}

const char *
habit_job_action(const char *word)
{
	return find(job_actions, sizeof(job_actions) / sizeof(job_actions[0]),
	    word);
}

const char *
habit_option(const char *word, const char *const *allowed)
{
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		if (strcmp(options[i].word, word) != 0)
			continue;
		for (const char *const *a = allowed; *a != NULL; a++)
			if (strcmp(*a, options[i].here) == 0)
				return *a;
	}
	return NULL;
}
