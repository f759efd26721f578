/*
 * The keys of deploy.yml: one table, libcyaml's schema, and the structs that
 * libcyaml fills by it.  yamlcheck.h holds the text against the same table;
 * what the values have to be besides their types, config_read.c knows.
 */
#ifndef CONFIG_TABLE_H
#define CONFIG_TABLE_H

#include <cyaml/cyaml.h>
#include <stdbool.h>

#include "config/config.h"

/* What libcyaml fills; a NULL pointer is a key that was not given. */
struct raw_carry {
	char **paths;
	unsigned int paths_count;
	char *duration;
	bool *bridge;		/* NULL: not said */
};

struct raw_compress {
	char **paths;
	unsigned int paths_count;
	char **with;
	unsigned int with_count;
	char *over;
};

struct raw_dictionaries {
	char **paths;
	unsigned int paths_count;
	unsigned int *from;
};

struct raw_guard {
	enum severity links, secrets, maps;
};

struct raw_check {
	char *url;
	char **also;
	unsigned int also_count;
	unsigned int *expect;
	char *contains;
	unsigned int *sample;
	char **edge;
	unsigned int edge_count;
	char *within;
	char *connect;
	char *ca;
	unsigned int *tries;
	char *wait;
	char *timeout;
};

struct raw_preview {
	char *url;
	char *duration;
};

struct raw_hooks {
	char *commands[HOOK_COUNT];
	char *timeout;
};

struct raw_build {
	char *command;
	char *directory;
	char *timeout;
	bool clean;
};

struct raw_git {
	char *url;
	char *ref;
	bool ssh_key;
	bool submodules;
	bool history;
};

struct raw_push {
	char **branches;
	unsigned int branches_count;
	char **tags;
	unsigned int tags_count;
};

struct raw_host {
	char *address;
	char *root;
	char *user;
	unsigned int *port;
	char *identity;
	char *host_key;
	char *jump;
	char *connect;
	enum host_transport transport;
	char *deploy;
};

struct raw_site {
	char *name;
	char *root;
	char *source;
	char *update;
	char *settle;
	struct raw_build *build;
	struct raw_git *git;
	struct raw_push *push;
	unsigned int *keep;
	char **exclude;
	unsigned int exclude_count;
	char **shared;
	unsigned int shared_count;
	struct raw_carry *carry;
	struct raw_compress *compress;
	struct raw_dictionaries *dictionaries;
	char *max_delete;
	struct raw_guard *guard;
	char *group;
	char *lock_wait;
	char *timeout;
	bool freeze_on_rollback;
	struct raw_check *check;
	struct raw_preview *preview;
	struct raw_hooks *hooks;
	enum site_order order;
	enum site_strategy strategy;
	unsigned int *batch;
	char *pause;
	struct raw_host *hosts;
	unsigned int hosts_count;
};

struct raw_worker {
	unsigned int *jobs;
	unsigned int *max_jobs;
	unsigned int *keep;
	unsigned int *log_size;
	char *retry;
	char *timeout;
	char *verify;
	char *logs;
	char *notify;
	char *notify_url;
	char *metrics;
};

struct raw_config {
	struct raw_site *sites;
	unsigned int sites_count;
	char *queue;
	unsigned int *max_waiting;
	struct raw_worker *worker;
};

/* The whole file: what is loaded with it is a struct raw_config. */
extern const cyaml_schema_value_t config_table;

/* The one key that a mapping must have, if a single value of it is enough for
 * the short form; or NULL. */
const cyaml_schema_field_t *config_table_only_key(
    const cyaml_schema_value_t *want);

/* May a list be written as its only entry? */
bool config_table_may_be_short(const cyaml_schema_value_t *want);

#endif
