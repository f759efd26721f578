#include "cmd/cmd.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/duration.h"
#include "base/nearest.h"
#include "base/override.h"
#include "base/path.h"
#include "base/quote.h"
#include "cmd/habit.h"
#include "cmd/line.h"
#include "cmd/queue_steps.h"
#include "cmd/table.h"
#include "config/config_file.h"
#include "config/config_host.h"
#include "fleet/cure.h"
#include "os/ci.h"
#include "os/log.h"

enum { COMMIT_LEN = 12 };

const enum opt_id cmd_common_opts[] = { OPT_CONFIG, OPT_SITE, OPT_ROOT,
	OPT_HOST, OPT_JSON, OPT_DRY_RUN, OPT_QUIET, OPT_VERBOSE, OPT_LOCK_WAIT,
	OPT_TIMEOUT, OPT_HELP, OPT_END };

const struct cmd *
cmd_find(const char *name, struct err *e)
{
	const char *names[64], *near;
	size_t n = 0;

	for (const struct cmd *const *c = cmd_table; *c != NULL; c++) {
		if (strcmp((*c)->name, name) == 0 ||
		    ((*c)->alias != NULL && strcmp((*c)->alias, name) == 0))
			return *c;
		names[n++] = (*c)->name;
		if ((*c)->alias != NULL)
			names[n++] = (*c)->alias;
	}
	if (strcmp(name, cmd_rsh.name) == 0)
		return &cmd_rsh;
	if (strcmp(name, cmd_post.name) == 0)
		return &cmd_post;
	names[n] = NULL;
	near = habit_command(name);
	if (near == NULL)
		near = nearest_word(name, names);
	err_set(e, ERR_USAGE, "there is no command '%s'", name);
	if (near != NULL)
		err_append(e, ";; did you mean '%s'?", near);
	else
		err_append(e, ";; see 'deploy help'");
	return NULL;
}

void
cmd_list_opts(const struct cmd *cmd, enum opt_id out[OPT_COUNT])
{
	size_t n = 0;

	for (const enum opt_id *id = cmd->opts; *id != OPT_END; id++)
		out[n++] = *id;
	for (const enum opt_id *id = cmd_common_opts; *id != OPT_END; id++)
		out[n++] = *id;
	out[n] = OPT_END;
}

static void
print_option(const struct cmd *cmd, const struct opt *op)
{
	struct buf words = BUF_INIT;
	char left[64];

	snprintf(left, sizeof(left), "%c%c%s--%s%s%s",
	    op->letter != '\0' ? '-' : ' ',
	    op->letter != '\0' ? op->letter : ' ',
	    op->letter != '\0' ? ", " : "  ", op->name,
	    op->arg != NULL ? " " : "", op->arg != NULL ? op->arg : "");
	override_print(op == opt_find(OPT_OVERRIDE) ? cmd->overrides : 0,
	    &words);
	printf("  %-26s %s%s%s\n", left, op->help, words.len > 0 ? ": " : "",
	    buf_str(&words));
	buf_release(&words);
}

static void
print_examples(const char *lines)
{
	printf("\nExamples:\n");
	while (*lines != '\0') {
		size_t len = strcspn(lines, "\n") + 1;

		printf("  %.*s", (int)len, lines);
		lines += len;
	}
}

void
cmd_print_help(const struct cmd *cmd)
{
	enum opt_id opts[OPT_COUNT];

	printf("usage: deploy %s [options]%s%s\n\n%s\n", cmd->name,
	    *cmd->args != '\0' ? " " : "", cmd->args, cmd->summary);
	if (cmd->alias != NULL)
		printf("(also: deploy %s)\n", cmd->alias);
	if (cmd->about != NULL)
		printf("\n%s", cmd->about);
	if (cmd->examples != NULL)
		print_examples(cmd->examples);
	printf("\nOptions:\n");
	cmd_list_opts(cmd, opts);
	for (const enum opt_id *id = opts; *id != OPT_END; id++)
		print_option(cmd, opt_find(*id));
	printf("\nSee deploy(1).\n");
}

/* A failed command's JSON document, unless it gave one. */
static void
answer_error(struct run *run, const struct err *e)
{
	json_t *doc, *error;

	if (!run->opts.json || run->answered)
		return;
	doc = json_new_object();
	error = json_new_object();
	json_put_int(error, "code", e->code);
	json_put_string(error, "text", e->text);
	json_put(doc, "error", error);
	cmd_answer(run, doc);
}

/*
 * Does the command line ask for JSON?  What is wrong may stand before that,
 * and the answer is to be a document nevertheless.
 */
static bool
wants_json(char *const *argv)
{
	while (*argv != NULL && strcmp(*argv, "--json") != 0 &&
	    strcmp(*argv, "--") != 0)
		argv++;
	return *argv != NULL && strcmp(*argv, "--json") == 0;
}

/* Which guards are set aside?  Only those that the command has. */
static int
parse_overrides(struct run *run, struct err *e)
{
	struct opts *o = &run->opts;
	int r = 0;

	for (size_t i = 0; r == 0 && i < o->override.n; i++)
		r = override_parse(o->override.v[i], run->cmd->overrides,
		    &o->overrides, e);
	return r;
}

/* An operand that nobody wants may be a root, as with rsync(1), or a host. */
static int
refuse_operand(const struct run *run, const char *word, struct err *e)
{
	err_set(e, ERR_USAGE, "'%s' is one operand too many", word);
	if (path_is_address(word))
		return err_append(e,
		    ";; hosts stand in deploy.yml, or behind --host, and the directory there behind --root (see 'deploy %s -h')",
		    run->cmd->name);
	if (strchr(word, '/') != NULL && run->opts.root == NULL)
		return err_append(e,
		    ";; is it the root? then: --root %s (see 'deploy %s -h')",
		    QUOTED(word), run->cmd->name);
	return err_append(e, " (see 'deploy %s -h')", run->cmd->name);
}

/* Parse what follows the command's name. */
static int
parse(struct run *run, int argc, char *const *argv, struct err *e)
{
	enum opt_id opts[OPT_COUNT];
	int n;

	cmd_list_opts(run->cmd, opts);
	n = opt_parse(&run->opts, argc, argv, opts, run->cmd->raw_args, e);
	if (n < 0 || parse_overrides(run, e) != 0)
		return err_append(e, " (see 'deploy %s -h')", run->cmd->name);
	if (run->opts.sites.n > 0)
		run->opts.site = run->opts.sites.v[run->opts.sites.n - 1];
	for (; n < argc; n++)
		strvec_add(&run->opts.args, argv[n]);
	if (run->opts.args.n > run->cmd->max_args)
		return refuse_operand(run,
		    run->opts.args.v[run->cmd->max_args], e);
	table_style(run->opts.utc, run->opts.whole);
	if (run->opts.quiet)
		log_set_level(LOG_QUIET);
	else if (run->opts.verbose)
		log_set_level(LOG_VERBOSE);
	return 0;
}

/* Answers that did not arrive are a failure, but not of what was done. */
static int
flush_answer(const struct run *run, struct err *e)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return 0;
	err_sys(e, "%scannot write to standard output",
	    run->work.went_live ? "the release is live, but " : "");
	e->code = run->work.went_live ? ERR_CLEANUP : ERR_FAILED;
	return -1;
}

/* A row of the summary, if there is a value. */
static void
add_row(struct buf *b, const char *key, const char *value)
{
	if (value != NULL && *value != '\0')
		buf_addf(b, "| %s | `%s` |\n", key, value);
}

/* What a CI system gives to later steps. */
static void
tell_steps(const struct site_run *w, const struct release_id *id)
{
	struct buf b = BUF_INIT;
	struct err e = ERR_INIT;

	if (!release_id_is_none(id))
		buf_addf(&b, "id=%s\n", id->text);
	buf_addf(&b, "changed=%s\n",
	    !release_id_is_none(&w->flip.id) ? "true" : "false");
	if (!release_id_is_none(&w->flip.from))
		buf_addf(&b, "previous=%s\n", w->flip.from.text);
	if (w->preview_url != NULL)
		buf_addf(&b, "preview_url=%s\n", w->preview_url);
	if (ci_output(b.data, &e) != 0)
		log_warn("%s", e.text);
	buf_release(&b);
}

/* What a CI system shows of the run, and gives to later steps. */
static void
tell_ci(const struct run *run, int r, const struct err *e)
{
	const struct site_run *w = &run->work;
	const struct release_id *id =
	    release_id_is_none(&w->flip.id) ? &w->staged : &w->flip.id;
	struct buf b = BUF_INIT;
	struct err why = ERR_INIT;

	if (run->opts.dry_run)
		return;
	tell_steps(w, id);
	buf_addf(&b, "### deploy %s%s%s\n\n", run->cmd->name,
	    run->site != NULL && run->site->name != NULL ? ": " : "",
	    run->site != NULL && run->site->name != NULL ? run->site->name :
							   "");
	if (r != 0)
		buf_addf(&b, "> **failed (status %d):** %s\n\n", (int)e->code,
		    e->text);
	buf_adds(&b, "| | |\n|---|---|\n");
	add_row(&b, !release_id_is_none(&w->flip.id) ? "live" : "release",
	    id->text);
	add_row(&b, "before", w->flip.from.text);
	if (w->preview_url != NULL)
		buf_addf(&b, "| preview | %s |\n", w->preview_url);
	if (run->site != NULL && run->site->n_hosts > 0)
		buf_addf(&b, "| hosts | %zu |\n", run->site->n_hosts);
	add_row(&b, "commit",
	    run->opts.commit != NULL ? run->opts.commit : run->caller.commit);
	buf_addc(&b, '\n');
	release_shorten(b.data);
	if (ci_summary(b.data, &why) != 0)
		log_warn("%s", why.text);
	buf_release(&b);
}

/*
 * Done, but the hosts that were left out are behind now.  What was taken away,
 * a sync lets be there, or brings back from them.
 */
static int
tell_skipped(const struct run *run, struct err *e)
{
	const struct strvec *skipped = &run->skipped;
	const char *they_are = skipped->n > 1 ? "they are" : "it is";

	if (e->code != ERR_OK && e->code != ERR_CLEANUP)
		return -1;
	if (run->opts.dry_run)
		return e->code == ERR_OK ? 0 : -1;
	if (e->code == ERR_CLEANUP)
		log_warn("%s", e->text);
	err_set(e, ERR_DIFFER, "left out: %s", skipped->v[0]);
	for (size_t i = 1; i < skipped->n; i++)
		err_append(e, ", %s", skipped->v[i]);
	err_append(e,
	    "; all other hosts are done;; when %s back, run: ", they_are);
	if (run->cmd->takes_away || run->opts.remove)
		return err_append(e, "%s", run->caller.unskipped);
	return err_append(e, "deploy sync%s", run->caller.all);
}

/* The command and what belongs to it. */
static int
run_command(struct run *run, struct err *e)
{
	char *title = xasprintf("deploy %s", run->cmd->name);
	bool grouped = run->cmd->changes && !run->opts.quiet;
	int r;

	if (grouped)
		ci_group(title);
	free(title);
	r = run->cmd->run(run, e);
	if (r == 0)
		*e = (struct err)ERR_INIT;
	if (run->work.site != NULL)
		r = site_end(&run->work, e);
	if (run->skipped.n > 0)
		r = tell_skipped(run, e);
	if (grouped)
		ci_group_end();
	if (run->cmd->changes)
		tell_ci(run, r, e);
	return r;
}

int
cmd_refuse(char *const *argv, struct err *e)
{
	struct run run = { .opts = { .json = wants_json(argv) } };

	answer_error(&run, e);
	err_ignore(flush_answer(&run, &(struct err)ERR_INIT));
	log_err(e);
	return (int)e->code;
}

int
cmd_main(int before, int argc, char *const *argv, struct opts *global)
{
	struct run run = { .opts = *global, .work = SITE_RUN_INIT };
	struct err e = ERR_INIT;
	int r = -1;

	*global = (struct opts)OPTS_INIT;
	site_config_init(&run.adhoc);
	caller_init(&run.caller);
	run.cmd = cmd_find(argv[0], &e);
	if (run.cmd != NULL)
		r = parse(&run, argc - 1, argv + 1, &e);
	if (r == 0)
		line_remember(&run, before, argc, argv);
	if (r != 0)
		run.opts.json |= wants_json(argv);
	if (r == 0 && run.opts.help)
		cmd_print_help(run.cmd);
	else if (r == 0)
		r = run_command(&run, &e);
	if (r != 0) {
		cure_complete_error(&run.caller, &e);
		answer_error(&run, &e);
	}
	if (flush_answer(&run, r == 0 ? &e : &(struct err)ERR_INIT) != 0)
		r = -1;
	if (r != 0)
		log_err(&e);
	site_run_release(&run.work);
	free(run.narrow.hosts);
	free(run.left.hosts);
	strvec_release(&run.skipped);
	site_config_release(&run.adhoc);
	config_release(&run.config);
	caller_release(&run.caller);
	opts_release(&run.opts);
	/* A failure that nobody explained is one all the same. */
	return r == 0 ? 0 : e.code != ERR_OK ? (int)e.code : ERR_FAILED;
}

/*
 * Is it what was meant to be --root?  With "./" before it, it is any name.
 */
static int
check_root(const char *root, struct err *e)
{
	const char *mark =
	    strncmp(root, "./", 2) != 0 ? path_unexpanded(root) : NULL;

	if (root[strspn(root, " \t")] == '\0')
		return err_set(e, ERR_USAGE, "--root wants a directory");
	if (path_is_address(root))
		return err_set(e, ERR_USAGE,
		    "--root is a directory, and '%s' looks like an address;; name a host with --host, and with --root the path there; a directory of that name begins with './'",
		    root);
	if (root[0] == '~')
		return err_set(e, ERR_USAGE,
		    "--root has '%s', which the shell has left as it is;; put a blank in the place of '=', as --root ~/site, or write the path out; a directory of that name begins with './'",
		    root);
	if (mark != NULL)
		return err_set(e, ERR_USAGE,
		    "--root has '%s': nothing is expanded here, so no variable is;; write out what '%s' stands for; a directory of that name begins with './'",
		    root, mark);
	return 0;
}

/* A site made up from --root. */
static int
make_site(struct run *run, struct err *e)
{
	char cwd[PATH_MAX];

	if (run->opts.site != NULL)
		return err_set(e, ERR_USAGE,
		    "--root and --site exclude each other: --root works without a configuration");
	if (check_root(run->opts.root, e) != 0)
		return -1;
	if (run->opts.root[0] == '/') {
		run->adhoc.root = xstrdup(run->opts.root);
	} else {
		if (getcwd(cwd, sizeof(cwd)) == NULL)
			return err_sys(e, "cannot tell the current directory");
		run->adhoc.root = xasprintf("%s/%s", cwd, run->opts.root);
	}
	/* "dir/" and "dir" are the same root. */
	for (size_t n = strlen(run->adhoc.root);
	     n > 1 && run->adhoc.root[n - 1] == '/'; n--)
		run->adhoc.root[n - 1] = '\0';
	run->site = &run->adhoc;
	return 0;
}

/* Hosts made up from --host: the root is there, not here. */
static int
make_hosts(struct run *run, struct err *e)
{
	if (run->opts.hosts.n > 0 && run->opts.root[0] != '/')
		return err_set(e, ERR_USAGE,
		    "with --host, --root wants an absolute path, not '%s'",
		    run->opts.root);
	for (size_t i = 0; i < run->opts.hosts.n; i++)
		if (site_config_add_host(&run->adhoc, run->opts.hosts.v[i],
			e) != 0)
			return -1;
	return 0;
}

/* Leave out the hosts of --skip, which are some of `all`. */
static int
skip_hosts(struct run *run, const struct site_config *all, struct err *e)
{
	if (run->opts.skip.n == 0)
		return 0;
	if (site_config_skip(all, run->site, &run->opts.skip, &run->skipped,
		&run->left, e) != 0) {
		strvec_release(&run->skipped);
		return -1;
	}
	run->site = &run->left;
	return 0;
}

/* The site of the configuration, with all its hosts or those of --host. */
static int
choose_site(struct run *run, struct err *e)
{
	const struct site_config *all =
	    config_site(&run->config, run->opts.site, e);

	run->site = all;
	log_set_field(LOG_SITE, all != NULL ? all->name : NULL);
	if (all != NULL && run->opts.hosts.n > 0) {
		if (site_config_narrow(all, &run->opts.hosts, &run->narrow,
			e) != 0)
			return -1;
		run->site = &run->narrow;
	}
	return all == NULL ? -1 : skip_hosts(run, all, e);
}

int
cmd_site(struct run *run, struct err *e)
{
	if (run->site != NULL)
		return 0;
	if (run->opts.root != NULL)
		return make_site(run, e) == 0 && make_hosts(run, e) == 0 ?
		    skip_hosts(run, &run->adhoc, e) :
		    -1;
	if (config_load(&run->config, run->opts.config, e) != 0)
		return -1;
	if (run->config.path == NULL)
		return err_set(e, ERR_USAGE,
		    "there is no deploy.yml here or above;; name a root with --root, a file with -c, or run 'deploy init'");
	return choose_site(run, e);
}

static struct remote_waits
cmd_waits(const struct run *run)
{
	return (struct remote_waits){ .lock = cmd_lock_wait(run),
		.silence = run->opts.timeout > 0 ? run->opts.timeout :
						   run->site->timeout,
		.hook = run->site->hooks.timeout };
}

int
cmd_begin(struct run *run, struct err *e)
{
	const struct opts *o = &run->opts;
	struct remote_waits waits;
	struct site_wishes w;
	bool by_commit;

	if (cmd_site(run, e) != 0)
		return -1;
	waits = cmd_waits(run);
	by_commit = o->seq == OPT_SEQ_AUTO ||
	    (o->seq < 0 && run->site->order == ORDER_COMMIT);
	w = (struct site_wishes){
		.source = o->args.n > 0 ? o->args.v[0] : run->site->source,
		.source_named = o->args.n > 0,
		.exclude = &o->exclude,
		.skipped = &run->skipped,
		.message = o->message,
		.commit = o->commit,
		.expect = o->expect,
		.preview = o->preview,
		.preview_for = o->duration,
		.seq = by_commit ? -1 : o->seq,
		.by_commit = by_commit,
		.overrides = o->overrides,
		.prune = { .keep = o->keep < 0 ? run->site->keep :
						 (unsigned int)o->keep,
		    .older_than = o->older_than,
		    .preview = o->dry_run },
		.again = o->again,
		.strip = o->strip,
		.build = o->build,
		.update = o->update,
		.no_check = o->no_check,
		.quiet = o->quiet,
		.dry_run = o->dry_run,
		.changes = run->cmd->changes,
	};
	site_run_init(&run->work, run->site, &run->caller, run->cmd->name, &w,
	    &waits);
	run->work.fleet.looks = run->cmd->looks;
	return 0;
}

void
cmd_init_fleet(struct run *run, struct fleet *f)
{
	const struct remote_waits waits = cmd_waits(run);

	fleet_init(f, run->site, &run->caller, &waits);
	f->looks = run->cmd->looks;
}

int
cmd_open_fleet(struct run *run, struct fleet *f, struct err *e)
{
	if (cmd_site(run, e) != 0)
		return -1;
	cmd_init_fleet(run, f);
	return fleet_open(f, true, e) == 0 ? fleet_need_root(f, e) : -1;
}

int
cmd_open_living(struct run *run, struct fleet *f, struct err *dead,
    struct err *e)
{
	size_t failed = 0;

	if (cmd_site(run, e) != 0)
		return -1;
	cmd_init_fleet(run, f);
	if (fleet_open(f, true, dead) == 0)
		return fleet_need_root(f, e);
	for (size_t i = 0; i < f->n; i++)
		failed += f->v[i].failed;
	if (failed < f->n && fleet_need_root(f, e) == 0)
		return 0;
	*e = *dead;
	return -1;
}

/* A verb for all hosts, and who hears the answers. */
struct call {
	const char *verb;
	const struct strvec *args;
	void (*line)(void *ctx, const struct remote *r, const char *key,
	    const char *value);
	void *ctx;
	pthread_mutex_t lock; /* one answer line at a time */
};

/* The same for one host. */
struct host_call {
	struct call *call;
	const struct remote *r;
};

static void
on_line(void *ctx, const char *key, const char *value)
{
	struct host_call *h = ctx;

	if (h->call->line == NULL)
		return;
	pthread_mutex_lock(&h->call->lock);
	h->call->line(h->call->ctx, h->r, key, value);
	pthread_mutex_unlock(&h->call->lock);
}

static int
call_host(struct remote *r, void *ctx, struct err *e)
{
	struct call *c = ctx;
	struct host_call h = { c, r };

	return remote_call(r, c->verb, c->args, on_line, &h, e);
}

int
cmd_call_hosts(struct fleet *f, const char *verb, const char *what,
    const struct strvec *args,
    void (*line)(void *ctx, const struct remote *r, const char *key,
	const char *value),
    void *ctx, struct err *e)
{
	struct call c = { .verb = verb,
		.args = args,
		.line = line,
		.ctx = ctx };
	size_t failed;

	pthread_mutex_init(&c.lock, NULL);
	failed = fleet_each(f, call_host, &c);
	pthread_mutex_destroy(&c.lock);
	return failed > 0 ? fleet_fail(f, what, e) : 0;
}

int
cmd_change_hosts(struct fleet *f, const char *verb, const char *what,
    const struct strvec *args, struct err *e)
{
	size_t failed = 0;

	if (cmd_call_hosts(f, verb, what, args, NULL, NULL, e) == 0)
		return 0;
	for (size_t i = 0; i < f->n; i++)
		failed += f->v[i].failed;
	return failed < f->n ? cure_half_done(f, e) : -1;
}

int64_t
cmd_lock_wait(const struct run *run)
{
	return run->opts.lock_wait >= 0 ? run->opts.lock_wait :
					  run->site->lock_wait;
}

void
cmd_answer(struct run *run, json_t *doc)
{
	json_print(doc, stdout);
	json_free(doc);
	run->answered = true;
}

json_t *
cmd_new_doc(const struct run *run)
{
	json_t *doc = json_new_object();

	json_put_string(doc, "site", run->site->name);
	json_put_string(doc, "root", run->site->root);
	if (run->caller.may_skip)
		json_put_strings(doc, "skipped", &run->skipped);
	return doc;
}

void
cmd_put_id(json_t *doc, const char *key, const struct release_id *id)
{
	json_put_string(doc, key,
	    id == NULL || release_id_is_none(id) ? NULL : id->text);
}

int
cmd_commit_len(const char *commit)
{
	int n = COMMIT_LEN;

	if (table_is_whole() || commit == NULL || strlen(commit) <= COMMIT_LEN)
		return INT_MAX;
	/* Not within a character. */
	while (n > 0 && ((unsigned char)commit[n] & 0xc0) == 0x80)
		n--;
	return n;
}

const char *
cmd_moment(int64_t ms, char text[CMD_MOMENT_LEN])
{
	const int64_t left = ms - clock_now();
	char span[DURATION_LEN];

	if (ms <= 0) {
		snprintf(text, CMD_MOMENT_LEN, "?");
	} else if (table_has_ages()) {
		duration_format(left, span);
		snprintf(text, CMD_MOMENT_LEN,
		    left >= 1000 ? "in %s" : "%s ago", span);
	} else {
		release_format_time(ms, text);
	}
	return text;
}

void
cmd_put_moment(struct table *t, int64_t ms)
{
	char text[CMD_MOMENT_LEN];

	table_cell(t, TABLE_PLAIN, "%s", cmd_moment(ms, text));
}
