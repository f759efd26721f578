#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/number.h"
#include "base/path.h"
#include "cmd/cmd.h"
#include "cmd/table.h"
#include "host/wire.h"
#include "os/log.h"
#include "root/adopt.h"

/*
 * The directory that is served, as an absolute path without links but for
 * its own name, which may be one; NULL when none is named.
 */
static int
served_path(const struct run *run, char **out, struct err *e)
{
	const char *given = run->opts.args.n > 0 ? run->opts.args.v[0] : NULL;
	char *trimmed, *above, *real;
	size_t len;

	*out = NULL;
	if (given == NULL)
		return 0;
	len = strlen(given);
	while (len > 1 && given[len - 1] == '/')
		len--;
	trimmed = xstrndup(given, len);
	above = xstrndup(trimmed, (size_t)(path_base(trimmed) - trimmed));
	real = realpath(*above != '\0' ? above : ".", NULL);
	if (real != NULL)
		*out = xasprintf("%s/%s", strcmp(real, "/") == 0 ? "" : real,
		    path_base(trimmed));
	free(real);
	free(above);
	free(trimmed);
	return *out != NULL ?
	    0 :
	    err_sys(e, "there is nothing to adopt: '%s'", given);
}

static void
tell_adopted(const char *host, const struct adopted *a, const char *path)
{
	if (a->id.s[0] == '\0')
		log_info("%s'%s' is a link already; there is nothing to "
			 "adopt",
		    host, path);
	else
		log_info(
		    "%s'%s' is the release %s now (%zu files, %zu left "
		    "out); the directory is kept as '%s': remove it when you "
		    "are sure",
		    host, path, a->id.s, a->files, a->excluded, a->kept);
}

/* What is served becomes a release. */
static int
adopt_here(struct run *run, struct err *e)
{
	const char *root = run->site->root;
	char *path, *current = xasprintf("%s/current", root);
	struct adopted a = ADOPTED_INIT;
	json_t *doc;
	int r = served_path(run, &path, e);

	const struct adopt_options o = { .root = root,
		.path = path,
		.rules = &run->site->rules,
		.caller = &run->caller,
		.lock_wait = cmd_lock_wait(run) };

	if (r == 0 && run->opts.dry_run)
		log_info("would adopt '%s'", path != NULL ? path : current);
	else if (r == 0)
		r = adopt(&o, &a, e);
	if (r == 0 && !run->opts.dry_run)
		tell_adopted("", &a, path != NULL ? path : current);
	if (r == 0 && path == NULL && !run->opts.dry_run)
		log_info("the web server may go on as it is: '%s' is a link "
			 "to the live release",
		    current);
	if (r == 0 && run->opts.json) {
		doc = cmd_new_doc(run);
		json_put_bool(doc, "dry_run", run->opts.dry_run);
		json_put_bool(doc, "changed", a.id.s[0] != '\0');
		cmd_put_id(doc, "adopted", a.id.s);
		json_put_string(doc, "kept",
		    a.id.s[0] != '\0' ? a.kept : NULL);
		cmd_answer(run, doc);
	}
	free(a.kept);
	free(path);
	free(current);
	return r;
}

/* What all hosts are asked, and answer. */
struct adopt_call {
	struct fleet *f;
	struct strvec args;
	struct adopted *out;
};

static void
on_adopted(void *ctx, const char *key, const char *value)
{
	struct adopted *a = ctx;

	if (strcmp(key, "adopted") == 0 && release_id_is_valid(value)) {
		release_id_copy(&a->id, value);
	} else if (strcmp(key, "kept") == 0) {
		free(a->kept);
		a->kept = xstrdup(value);
	} else if (strcmp(key, "files") == 0) {
		a->files = (size_t)number_or(value, 0, INT64_MAX, 0);
	} else if (strcmp(key, "excluded") == 0) {
		a->excluded = (size_t)number_or(value, 0, INT64_MAX, 0);
	}
}

static int
adopt_host(struct remote *r, void *ctx, struct err *e)
{
	struct adopt_call *c = ctx;

	if (r->script)
		return err_set(e, ERR_FAILED,
		    "only deploy itself can exchange "
		    "a directory and a link; install it there");
	return remote_call(r, "adopt", &c->args, on_adopted,
	    &c->out[r - c->f->v], e);
}

/* Connect; a root whose `current` is a directory has no state to tell. */
static int
connect_host(struct remote *r, void *ctx, struct err *e)
{
	struct err ignored = ERR_INIT;

	(void)ctx;
	if (remote_open(r, e) != 0)
		return -1;
	(void)remote_info(r, REMOTE_ALL, NULL, &ignored);
	return 0;
}

/*
 * The id and the time for all hosts: those of a host that was adopted
 * before, when the command is repeated; else new ones.
 */
static void
choose_id(const struct fleet *f, struct release_id *id, int64_t *mtime)
{
	*mtime = clock_now() / 1000;
	for (size_t i = 0; i < f->n; i++) {
		const char *live = f->v[i].view.current.s;
		const struct meta *meta = remote_meta(&f->v[i], live);

		if (*live == '\0' || meta == NULL)
			continue;
		release_id_copy(id, live);
		*mtime = meta->mtime;
		return;
	}
	release_id_new(id, "");
}

/* An option whose value is the list, an item a line. */
static void
add_lines(struct strvec *args, const char *key, const struct strvec *list)
{
	struct buf lines = BUF_INIT;

	for (size_t i = 0; i < list->n; i++)
		buf_addf(&lines, "%s\n", list->v[i]);
	strvec_addf(args, "--%s=%s", key, buf_str(&lines));
	buf_release(&lines);
}

static void
adopt_args(const struct run *run, const char *id, int64_t mtime,
    struct strvec *args)
{
	const struct rules *rules = &run->site->rules;

	strvec_addf(args, "--id=%s", id);
	strvec_addf(args, "--mtime=%lld", (long long)mtime);
	if (run->opts.args.n > 0)
		strvec_addf(args, "--path=%s", run->opts.args.v[0]);
	if (rules->group != NULL)
		strvec_addf(args, "--group=%s", rules->group);
	add_lines(args, "exclude", &rules->exclude);
	add_lines(args, "shared", &rules->shared);
}

static void
answer_adopted(struct run *run, const struct fleet *f, const struct adopted *a)
{
	json_t *doc = cmd_new_doc(run), *list = json_new_array();
	bool changed = false;

	for (size_t i = 0; i < f->n; i++) {
		json_t *j = json_new_object();

		changed |= a[i].id.s[0] != '\0';
		json_put_string(j, "host", f->v[i].host->label);
		cmd_put_id(j, "adopted", a[i].id.s);
		json_put_string(j, "kept",
		    a[i].id.s[0] != '\0' ? a[i].kept : NULL);
		json_push(list, j);
	}
	json_put_bool(doc, "dry_run", run->opts.dry_run);
	json_put_bool(doc, "changed", changed);
	json_put(doc, "hosts", list);
	cmd_answer(run, doc);
}

/* The same on every host, each with what it serves. */
static int
adopt_hosts(struct run *run, struct err *e)
{
	struct fleet f = FLEET_INIT;
	struct adopt_call c = { .f = &f, .args = STRVEC_INIT };
	struct release_id id;
	int64_t mtime;
	int r;

	cmd_init_fleet(run, &f);
	c.out = xcalloc(f.n, sizeof(*c.out));
	r = fleet_each(&f, connect_host, NULL) > 0 ?
	    fleet_fail(&f, "nothing was changed", e) :
	    0;
	if (r == 0) {
		choose_id(&f, &id, &mtime);
		adopt_args(run, id.s, mtime, &c.args);
	}
	if (r == 0 && !run->opts.dry_run && fleet_each(&f, adopt_host, &c) > 0)
		r = fleet_fail(&f, "not adopted everywhere", e);
	for (size_t i = 0; r == 0 && i < f.n; i++) {
		char *host = xasprintf("%s: ", f.v[i].host->label);

		if (run->opts.dry_run)
			log_info("%swould adopt '%s'", host,
			    f.v[i].host->root);
		else
			tell_adopted(host, &c.out[i], f.v[i].host->root);
		free(host);
	}
	if (r == 0 && run->opts.json)
		answer_adopted(run, &f, c.out);
	for (size_t i = 0; i < f.n; i++)
		free(c.out[i].kept);
	free(c.out);
	strvec_release(&c.args);
	fleet_release(&f);
	return r;
}

static int
run_adopt(struct run *run, struct err *e)
{
	if (cmd_site(run, e) != 0)
		return -1;
	return cmd_has_hosts(run) ? adopt_hosts(run, e) : adopt_here(run, e);
}

static const enum opt_id opts[] = { OPT_END };

const struct cmd cmd_adopt = {
	.name = "adopt",
	.group = "Going live",
	.args = "[DIR]",
	.summary = "make a release of what is served already",
	.about =
	    "The directory that is served, 'current' in the root or DIR, becomes\n"
	    "a release, and a link takes its place: no request is lost.  The\n"
	    "directory is kept; which name it has then is told.\n",
	.examples =
	    "deploy adopt --root /srv/www/example.org\n"
	    "deploy adopt /var/www/html            # the link is put there\n",
	.max_args = 1,
	.opts = opts,
	.run = run_adopt,
};
