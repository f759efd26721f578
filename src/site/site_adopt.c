#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/number.h"
#include "base/path.h"
#include "base/text.h"
#include "os/log.h"
#include "root/journal.h"
#include "root/meta.h"
#include "site/site.h"

/* `given` without what adds nothing at its end: "/" and "/.". */
static char *
trim(const char *given)
{
	size_t len = strlen(given);

	for (;;) {
		if (len > 1 && given[len - 1] == '/')
			len--;
		else if (len > 2 && memcmp(given + len - 2, "/.", 2) == 0)
			len -= 2;
		else
			return xstrndup(given, len);
	}
}

/*
 * `given` as an absolute path without links but for its own name, which may be
 * one; NULL: it is not there.
 */
static char *
resolve(const char *given)
{
	const char *name = path_base(given);
	char *above, *real, *out = NULL;

	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return realpath(given, NULL);
	above = xstrndup(given, (size_t)(name - given));
	real = realpath(*above != '\0' ? above : ".", NULL);
	if (real != NULL)
		out = xasprintf("%s/%s", strcmp(real, "/") == 0 ? "" : real,
		    name);
	free(real);
	free(above);
	return out;
}

/* The directory that is served, as the hosts are told; NULL: none is named. */
static int
served_path(const struct fleet *f, const char *given, char **out,
    struct err *e)
{
	char *path;

	*out = NULL;
	if (given == NULL)
		return 0;
	if (*given == '\0')
		return err_set(e, ERR_USAGE,
		    "DIR is empty;; name the directory that is served, or leave it out for 'current' of the root");
	if (!f->is_here && given[0] != '/')
		return err_set(e, ERR_USAGE,
		    "on hosts DIR is an absolute path, not '%s'", given);
	path = trim(given);
	*out = f->is_here ? resolve(path) : xstrdup(path);
	free(path);
	return *out != NULL ?
	    0 :
	    err_sys(e, "there is nothing to adopt: '%s'", given);
}

/* What all hosts are asked, and answer. */
struct adopt_call {
	struct fleet *f;
	const struct caller *caller;
	struct release_id id;
	int64_t mtime;
	struct strvec args;
	struct adopted *out;
};

static void
on_adopted(void *ctx, const char *key, const char *value)
{
	struct adopted *a = ctx;

	if (strcmp(key, "adopted") == 0) {
		(void)release_id_parse(&a->id, value);
	} else if (strcmp(key, "kept") == 0 || strcmp(key, "stays") == 0) {
		free(a->kept);
		a->kept = xstrdup(value);
		a->was_link = strcmp(key, "stays") == 0;
	} else if (strcmp(key, "shared") == 0) {
		strvec_add(&a->shared, value);
	} else if (strcmp(key, "files") == 0) {
		a->files = (size_t)number_or(value, 0, INT64_MAX, 0);
	} else if (strcmp(key, "excluded") == 0) {
		a->excluded = (size_t)number_or(value, 0, INT64_MAX, 0);
	}
}

/*
 * What a shell is bad at: the meta and the journal line.  It puts in what only
 * it knows: the digest, for which zeros stand, and the sums.
 */
static void
add_records(const struct adopt_call *c, struct strvec *args)
{
	static const char said[] = "adopted";
	struct meta meta = META_INIT;
	struct journal_line line = { .action = JOURNAL_ACTIVATE,
		.to = c->id,
		.time = clock_now(),
		.seq = -1 };
	struct buf text = BUF_INIT;

	/* Borrowed: neither is released. */
	meta.id = line.to;
	meta.mtime = c->mtime;
	meta.who = line.who = c->caller->who;
	meta.job = line.job = c->caller->job;
	meta.message = line.message = (char *)(uintptr_t)said;
	memset(meta.digest, '0', HASH_HEX);
	memset(line.digest, '0', HASH_HEX);
	meta_print(&meta, &text);
	strvec_addf(args, "--meta=%.*s", (int)strcspn(text.data, "\n"),
	    text.data);
	buf_reset(&text);
	journal_print(&line, &text);
	strvec_addf(args, "--line=%s", text.data);
	buf_release(&text);
}

static int
adopt_host(struct remote *r, void *ctx, struct err *e)
{
	struct adopt_call *c = ctx;
	struct strvec args = STRVEC_INIT;
	struct err ignored = ERR_INIT;
	int ret;

	for (size_t i = 0; i < c->args.n; i++)
		strvec_add(&args, c->args.v[i]);
	if (r->script)
		add_records(c, &args);
	ret = remote_call(r, "adopt", &args, on_adopted, &c->out[r - c->f->v],
	    e);
	if (ret == 0)
		err_ignore(remote_info(r, REMOTE_ALL, NULL, &ignored));
	strvec_release(&args);
	return ret;
}

/* Connect; a root whose `current` is a directory has no state to tell. */
static int
connect_host(struct remote *r, void *ctx, struct err *e)
{
	struct err ignored = ERR_INIT;

	(void)ctx;
	if (remote_open(r, e) != 0)
		return -1;
	err_ignore(remote_info(r, REMOTE_ALL, NULL, &ignored));
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
		const struct release_id *live = &f->v[i].view.current;
		const struct meta *meta = remote_meta(&f->v[i], live);

		if (release_id_is_none(live) || meta == NULL)
			continue;
		*id = *live;
		*mtime = meta->mtime;
		return;
	}
	release_id_new(id, &release_id_none);
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
add_args(const struct site_run *s, const char *path, struct adopt_call *c)
{
	const struct rules *rules = &s->site->rules;
	struct strvec *args = &c->args;

	choose_id(&s->fleet, &c->id, &c->mtime);
	strvec_addf(args, "--id=%s", c->id.text);
	strvec_addf(args, "--mtime=%lld", (long long)c->mtime);
	if (path != NULL)
		strvec_addf(args, "--path=%s", path);
	if (rules->group != NULL)
		strvec_addf(args, "--group=%s", rules->group);
	add_lines(args, "exclude", &rules->exclude);
	add_lines(args, "shared", &rules->shared);
	if (s->wishes.dry_run)
		strvec_add(args, "--check");
}

/* What the next release would be without. */
static void
tell_shared(const struct remote *r, const struct adopted *a)
{
	struct buf names = BUF_INIT;

	for (size_t i = 0; i < a->shared.n; i++)
		buf_addf(&names, "%s\"%s\"", i > 0 ? ", " : "",
		    a->shared.v[i]);
	if (a->shared.n > 0)
		log_warn(
		    "%swhat was a link into shared/ is one in this release; for the next ones, say so in deploy.yml: shared: [%s]",
		    remote_said(r), names.data);
	buf_release(&names);
}

/* A link that deploy made stays as it is. */
static bool
is_so_already(const struct site_run *s, const struct remote *r,
    const struct adopted *a, const char *path)
{
	if (s->wishes.dry_run)
		return path == NULL && !release_id_is_none(&r->view.current);
	return release_id_is_none(&a->id);
}

static void
tell(const struct site_run *s, const struct remote *r, const struct adopted *a,
    const char *path)
{
	char *served = path != NULL ? xstrdup(path) :
				      xasprintf("%s/current", r->host->root);

	log_set_host(r->host->label);
	if (is_so_already(s, r, a, path))
		log_info(
		    "%s'%s' is a link to the live release already; there is nothing to adopt",
		    remote_said(r), served);
	else if (s->wishes.dry_run)
		log_info("%swould adopt '%s'", remote_said(r), served);
	else if (a->was_link)
		log_info(
		    "%s'%s' is the release %s now (%s, %zu left out); what the link led to stays as '%s'",
		    remote_said(r), served, a->id.text,
		    TEXT_COUNT(a->files, "file", "files"), a->excluded,
		    a->kept);
	else
		log_info(
		    "%s'%s' is the release %s now (%s, %zu left out); the directory is kept as '%s': remove it when you are sure",
		    remote_said(r), served, a->id.text,
		    TEXT_COUNT(a->files, "file", "files"), a->excluded,
		    a->kept);
	tell_shared(r, a);
	log_set_host(NULL);
	free(served);
}

int
site_adopt(struct site_run *s, const char *dir, struct adopted **out,
    struct err *e)
{
	struct fleet *f = &s->fleet;
	struct adopt_call c = { .f = f,
		.caller = s->caller,
		.args = STRVEC_INIT };
	char *path;
	int r = served_path(f, dir, &path, e);

	*out = c.out = xcalloc(f->n, sizeof(*c.out));
	if (r == 0 && fleet_each(f, connect_host, NULL) > 0)
		r = fleet_fail(f, "nothing was changed", e);
	if (r == 0)
		add_args(s, path, &c);
	if (r == 0 && fleet_each(f, adopt_host, &c) > 0)
		r = fleet_fail(f,
		    s->wishes.dry_run ? "nothing was changed" :
					"not adopted everywhere",
		    e);
	for (size_t i = 0; r == 0 && i < f->n; i++)
		tell(s, &f->v[i], &c.out[i], path);
	if (r == 0 && path == NULL && !s->wishes.dry_run)
		log_info(
		    "the web server may go on as it is: 'current' is a link to the live release");
	strvec_release(&c.args);
	free(path);
	return r;
}

void
site_adopted_free(const struct site_run *s, struct adopted *a)
{
	for (size_t i = 0; a != NULL && i < s->fleet.n; i++)
		adopted_release(&a[i]);
	free(a);
}
