#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "cmd/cmd.h"
#include "cmd/table.h"
#include "config/config_file.h"
#include "config/config_schema.h"
#include "config/config_show.h"
#include "os/secret.h"
#include "queue/queue_dir.h"

/* Where a value can be from. */
enum origin { FROM_FILE, FROM_DEFAULT, FROM_OPTION, FROM_ENVIRONMENT };

static const char *const origins[] = { "file", "default", "option",
	"environment" };

/*
 * One answer: a table for people, a list for programs.  The value is last: it
 * is what a narrow terminal cuts.
 */
struct answer {
	const struct run *run;
	struct table *table;
	json_t *list;
};

static const struct table_column columns[] = { { "KEY", false },
	{ "FROM", false }, { "VALUE", false } };

/* `where` says it for people; `line` is 0 but for a place in the file. */
static void
add(struct answer *a, const char *key, const char *value, enum origin from,
    size_t line, const char *where)
{
	json_t *j = json_new_object();

	table_cell(a->table, TABLE_PLAIN, "%s", key);
	table_cell(a->table, TABLE_PLAIN, "%s", where);
	table_cell(a->table, TABLE_PLAIN, "%s", value);
	json_put_string(j, "key", key);
	json_put_string(j, "value", value);
	json_put_string(j, "from", origins[from]);
	if (line > 0)
		json_put_int(j, "line", (int64_t)line);
	else
		json_put_null(j, "line");
	json_push(a->list, j);
}

/* The option of this call that goes before the key, and what it says. */
static const char *
option_for(const struct opts *o, const char *key, int64_t *seconds)
{
	const char *name = strrchr(key, '.');

	if (strncmp(key, "sites[", 6) != 0 || strchr(key, '.') != name)
		return NULL;
	if (strcmp(name, ".lock_wait") == 0 && o->lock_wait >= 0) {
		*seconds = o->lock_wait;
		return "--lock-wait";
	}
	if (strcmp(name, ".timeout") == 0 && o->timeout > 0) {
		*seconds = o->timeout;
		return "--timeout";
	}
	return NULL;
}

static void
add_value(struct answer *a, const struct config_value *v)
{
	int64_t seconds = 0;
	const char *option = option_for(&a->run->opts, v->key, &seconds);
	char *text;

	if (option != NULL) {
		text = xasprintf("%llds", (long long)seconds);
		add(a, v->key, text, FROM_OPTION, 0, option);
	} else if (v->line > 0) {
		text = xasprintf("%s:%zu", a->run->config.path, v->line);
		add(a, v->key, v->value, FROM_FILE, v->line, text);
	} else {
		text = NULL;
		add(a, v->key, v->value, FROM_DEFAULT, 0, "default");
	}
	free(text);
}

/* Where the queue is, when the file does not say. */
static void
add_queue(struct answer *a)
{
	struct err ignored = ERR_INIT;
	char *place;

	if (a->run->config.queue != NULL)
		return;
	place = queue_dir_default(&ignored);
	if (place != NULL)
		add(a, "queue", place, FROM_DEFAULT, 0, "default");
	free(place);
}

/* What is known without the file. */
static void
add_environment(struct answer *a)
{
	static const char *const variables[] = { "DEPLOY_CONFIG",
		"DEPLOY_KNOWN_HOSTS" };
	const struct caller *c = &a->run->caller;
	char seq[32];

	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
		if (getenv(variables[i]) != NULL)
			add(a, variables[i],
			    i == 0 ? getenv(variables[i]) : "set",
			    FROM_ENVIRONMENT, 0, "environment");
	if (secret_get(SECRET_KEY) != NULL)
		add(a, "DEPLOY_SSH_KEY", "set", FROM_ENVIRONMENT, 0,
		    "environment");
	snprintf(seq, sizeof(seq), "%lld", (long long)c->seq);
	if (c->commit != NULL)
		add(a, "--commit", c->commit, FROM_ENVIRONMENT, 0,
		    "environment");
	if (c->seq >= 0)
		add(a, "--seq", seq, FROM_ENVIRONMENT, 0, "environment");
}

/* Print all that holds. */
static void
answer(struct run *run)
{
	struct answer a = { run,
		table_new(columns, sizeof(columns) / sizeof(columns[0])),
		json_new_array() };
	struct config_values all;
	json_t *doc;

	config_show(&run->config, run->opts.site, &all);
	for (size_t i = 0; i < all.n; i++)
		add_value(&a, &all.v[i]);
	add_queue(&a);
	add_environment(&a);
	config_values_release(&all);
	if (run->opts.json) {
		doc = json_new_object();
		json_put_string(doc, "file", run->config.path);
		json_put(doc, "values", a.list);
		cmd_answer(run, doc);
	} else {
		table_print(a.table);
		json_free(a.list);
	}
	table_free(a.table);
}

static int
print_schema(struct run *run, struct err *e)
{
	json_t *schema;

	if (run->opts.json)
		return err_set(e, ERR_USAGE,
		    "--schema is JSON already;; leave out --json");
	schema = config_schema();
	json_print(schema, stdout);
	json_free(schema);
	return 0;
}

static int
run_config(struct run *run, struct err *e)
{
	const struct opts *o = &run->opts;

	if (o->schema)
		return print_schema(run, e);
	if (o->root != NULL || o->hosts.n > 0)
		return err_set(e, ERR_USAGE,
		    "'deploy config' shows what deploy.yml says;; leave out --root and --host");
	if (config_load(&run->config, o->config, e) != 0)
		return -1;
	if (run->config.path == NULL)
		return err_set(e, ERR_USAGE,
		    "there is no deploy.yml here or above;; name a file with -c, or run 'deploy init'");
	if (o->site != NULL && config_site(&run->config, o->site, e) == NULL)
		return -1;
	answer(run);
	return 0;
}

static const enum opt_id opts[] = { OPT_SCHEMA, OPT_LONG, OPT_END };

const struct cmd cmd_config = {
	.name = "config",
	.group = "Help",
	.args = "",
	.summary = "show what deploy.yml says, and the defaults",
	.about =
	    "Shows each value, and where it comes from: a line of the file, the\n"
	    "default, an option or the environment.  No host is asked.\n",
	.examples = "deploy config -s example.org\n"
		    "deploy config --schema >deploy.schema.json\n",
	.looks = true,
	.opts = opts,
	.run = run_config,
};
