#include "config/config_table.h"

#include <stddef.h>

enum { LIST_MAX = 1000 }; /* entries in any list */

/* Rows of the table: key, REQUIRED or OPTIONAL, struct, member. */
#define REQUIRED CYAML_FLAG_POINTER
#define OPTIONAL (CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL)
#define STRING(key, need, type, member) \
	CYAML_FIELD_STRING_PTR(key, need, type, member, 1, CYAML_UNLIMITED)
#define UINT(key, need, type, member) \
	CYAML_FIELD_UINT_PTR(key, need, type, member)
#define BOOL(key, type, member) \
	CYAML_FIELD_BOOL(key, CYAML_FLAG_OPTIONAL, type, member)
/* The same, where not said is neither: a pointer. */
#define MAYBE_BOOL(key, type, member) \
	CYAML_FIELD_BOOL_PTR(key, OPTIONAL, type, member)
#define ENUM(key, type, member, words) \
	CYAML_FIELD_ENUM(key, CYAML_FLAG_OPTIONAL, type, member, words, \
	    sizeof(words) / sizeof((words)[0]))
#define MAPPING(key, type, member, fields) \
	CYAML_FIELD_MAPPING_PTR(key, OPTIONAL, type, member, fields)
#define LIST(key, need, type, member, min) \
	CYAML_FIELD_SEQUENCE(key, need, type, member, &string_entry, min, \
	    LIST_MAX)

static const cyaml_schema_value_t string_entry = {
	CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 1, CYAML_UNLIMITED),
};

static const cyaml_schema_field_t carry_fields[] = {
	LIST("paths", REQUIRED, struct raw_carry, paths, 1),
	STRING("for", OPTIONAL, struct raw_carry, duration),
	MAYBE_BOOL("bridge", struct raw_carry, bridge),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t compress_fields[] = {
	LIST("paths", REQUIRED, struct raw_compress, paths, 1),
	LIST("with", OPTIONAL, struct raw_compress, with, 1),
	STRING("over", OPTIONAL, struct raw_compress, over),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t dictionaries_fields[] = {
	LIST("paths", REQUIRED, struct raw_dictionaries, paths, 1),
	UINT("from", OPTIONAL, struct raw_dictionaries, from),
	CYAML_FIELD_END,
};

static const cyaml_strval_t severities[] = {
	{ "ignore", SEVERITY_IGNORE },
	{ "warn", SEVERITY_WARN },
	{ "refuse", SEVERITY_REFUSE },
};

static const cyaml_schema_field_t guard_fields[] = {
	ENUM("links", struct raw_guard, links, severities),
	ENUM("secrets", struct raw_guard, secrets, severities),
	ENUM("source_maps", struct raw_guard, maps, severities),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t check_fields[] = {
	STRING("url", REQUIRED, struct raw_check, url),
	LIST("also", OPTIONAL, struct raw_check, also, 0),
	UINT("expect", OPTIONAL, struct raw_check, expect),
	STRING("contains", OPTIONAL, struct raw_check, contains),
	UINT("sample", OPTIONAL, struct raw_check, sample),
	/* yamlcheck_pair() has what is in it. */
	CYAML_FIELD_IGNORE("headers", CYAML_FLAG_OPTIONAL),
	LIST("edge", OPTIONAL, struct raw_check, edge, 0),
	STRING("within", OPTIONAL, struct raw_check, within),
	STRING("connect", OPTIONAL, struct raw_check, connect),
	STRING("ca", OPTIONAL, struct raw_check, ca),
	UINT("tries", OPTIONAL, struct raw_check, tries),
	STRING("wait", OPTIONAL, struct raw_check, wait),
	STRING("timeout", OPTIONAL, struct raw_check, timeout),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t preview_fields[] = {
	STRING("url", OPTIONAL, struct raw_preview, url),
	STRING("for", OPTIONAL, struct raw_preview, duration),
	CYAML_FIELD_END,
};

#define HOOK(key, when) STRING(key, OPTIONAL, struct raw_hooks, commands[when])

static const cyaml_schema_field_t hook_fields[] = {
	HOOK("pre_stage", HOOK_PRE_STAGE),
	HOOK("post_stage", HOOK_POST_STAGE),
	HOOK("pre_activate", HOOK_PRE_ACTIVATE),
	HOOK("post_activate", HOOK_POST_ACTIVATE),
	HOOK("post_rollback", HOOK_POST_ROLLBACK),
	HOOK("failed", HOOK_FAILED),
	STRING("timeout", OPTIONAL, struct raw_hooks, timeout),
	CYAML_FIELD_END,
};

static const cyaml_strval_t strategies[] = {
	{ "atomic", STRATEGY_ATOMIC },
	{ "rolling", STRATEGY_ROLLING },
};

static const cyaml_strval_t orders[] = {
	{ "sequence", ORDER_SEQUENCE },
	{ "commit", ORDER_COMMIT },
};

static const cyaml_schema_field_t build_fields[] = {
	STRING("command", REQUIRED, struct raw_build, command),
	STRING("directory", OPTIONAL, struct raw_build, directory),
	STRING("timeout", OPTIONAL, struct raw_build, timeout),
	BOOL("clean", struct raw_build, clean),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t git_fields[] = {
	STRING("url", REQUIRED, struct raw_git, url),
	STRING("ref", OPTIONAL, struct raw_git, ref),
	BOOL("ssh_key", struct raw_git, ssh_key),
	BOOL("submodules", struct raw_git, submodules),
	BOOL("history", struct raw_git, history),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t push_fields[] = {
	LIST("branches", OPTIONAL, struct raw_push, branches, 0),
	LIST("tags", OPTIONAL, struct raw_push, tags, 0),
	CYAML_FIELD_END,
};

static const cyaml_strval_t transports[] = {
	{ "ssh", HOST_SSH },
	{ "rsync", HOST_RSYNC },
	{ "local", HOST_LOCAL },
};

static const cyaml_schema_field_t host_fields[] = {
	STRING("address", REQUIRED, struct raw_host, address),
	STRING("root", OPTIONAL, struct raw_host, root),
	STRING("user", OPTIONAL, struct raw_host, user),
	UINT("port", OPTIONAL, struct raw_host, port),
	STRING("identity", OPTIONAL, struct raw_host, identity),
	STRING("host_key", OPTIONAL, struct raw_host, host_key),
	STRING("jump", OPTIONAL, struct raw_host, jump),
	STRING("connect", OPTIONAL, struct raw_host, connect),
	ENUM("transport", struct raw_host, transport, transports),
	STRING("deploy", OPTIONAL, struct raw_host, deploy),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t host_entry = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_host, host_fields),
};

static const cyaml_schema_field_t site_fields[] = {
	STRING("name", REQUIRED, struct raw_site, name),
	STRING("root", REQUIRED, struct raw_site, root),
	STRING("source", OPTIONAL, struct raw_site, source),
	MAPPING("build", struct raw_site, build, build_fields),
	MAPPING("git", struct raw_site, git, git_fields),
	MAPPING("push", struct raw_site, push, push_fields),
	STRING("update", OPTIONAL, struct raw_site, update),
	STRING("settle", OPTIONAL, struct raw_site, settle),
	UINT("keep", OPTIONAL, struct raw_site, keep),
	LIST("exclude", OPTIONAL, struct raw_site, exclude, 0),
	LIST("shared", OPTIONAL, struct raw_site, shared, 0),
	MAPPING("carry", struct raw_site, carry, carry_fields),
	MAPPING("compress", struct raw_site, compress, compress_fields),
	MAPPING("dictionaries", struct raw_site, dictionaries,
	    dictionaries_fields),
	MAPPING("guard", struct raw_site, guard, guard_fields),
	STRING("max_delete", OPTIONAL, struct raw_site, max_delete),
	STRING("group", OPTIONAL, struct raw_site, group),
	STRING("lock_wait", OPTIONAL, struct raw_site, lock_wait),
	STRING("timeout", OPTIONAL, struct raw_site, timeout),
	BOOL("freeze_on_rollback", struct raw_site, freeze_on_rollback),
	MAPPING("check", struct raw_site, check, check_fields),
	MAPPING("preview", struct raw_site, preview, preview_fields),
	MAPPING("hooks", struct raw_site, hooks, hook_fields),
	ENUM("order", struct raw_site, order, orders),
	ENUM("strategy", struct raw_site, strategy, strategies),
	UINT("batch", OPTIONAL, struct raw_site, batch),
	STRING("pause", OPTIONAL, struct raw_site, pause),
	CYAML_FIELD_SEQUENCE("hosts", OPTIONAL, struct raw_site, hosts,
	    &host_entry, 1, LIST_MAX),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t site_entry = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_site, site_fields),
};

static const cyaml_schema_field_t worker_fields[] = {
	UINT("jobs", OPTIONAL, struct raw_worker, jobs),
	UINT("max_jobs", OPTIONAL, struct raw_worker, max_jobs),
	UINT("keep", OPTIONAL, struct raw_worker, keep),
	UINT("log_size", OPTIONAL, struct raw_worker, log_size),
	STRING("retry", OPTIONAL, struct raw_worker, retry),
	STRING("timeout", OPTIONAL, struct raw_worker, timeout),
	STRING("verify", OPTIONAL, struct raw_worker, verify),
	STRING("logs", OPTIONAL, struct raw_worker, logs),
	STRING("notify", OPTIONAL, struct raw_worker, notify),
	STRING("notify_url", OPTIONAL, struct raw_worker, notify_url),
	STRING("metrics", OPTIONAL, struct raw_worker, metrics),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t top_fields[] = {
	CYAML_FIELD_SEQUENCE("sites", REQUIRED, struct raw_config, sites,
	    &site_entry, 1, LIST_MAX),
	STRING("queue", OPTIONAL, struct raw_config, queue),
	UINT("max_waiting", OPTIONAL, struct raw_config, max_waiting),
	MAPPING("worker", struct raw_config, worker, worker_fields),
	CYAML_FIELD_END,
};

const cyaml_schema_value_t config_table = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct raw_config, top_fields),
};

static bool
is_string_or_list(const cyaml_schema_value_t *want)
{
	return want->type == CYAML_STRING ||
	    (want->type == CYAML_SEQUENCE &&
		want->sequence.entry->type == CYAML_STRING);
}

const cyaml_schema_field_t *
config_table_only_key(const cyaml_schema_value_t *want)
{
	const cyaml_schema_field_t *only = NULL, *f = want->mapping.fields;

	for (; f->key != NULL; f++) {
		if ((f->value.flags & CYAML_FLAG_OPTIONAL) != 0)
			continue;
		if (only != NULL || !is_string_or_list(&f->value))
			return NULL;
		only = f;
	}
	return only;
}

bool
config_table_may_be_short(const cyaml_schema_value_t *want)
{
	return want->sequence.entry->type != CYAML_MAPPING ||
	    config_table_only_key(want->sequence.entry) != NULL;
}
