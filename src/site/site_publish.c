#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "fleet/cache.h"
#include "os/claim.h"
#include "os/log.h"
#include "site/build.h"
#include "site/clean.h"
#include "site/site.h"
#include "site/site_assets.h"
#include "site/site_flip.h"

/* ---- the build --------------------------------------------------------- */

/*
 * Is the build to be made?  Not when it is named and so is there, and not by
 * what a build command runs, which would begin again.
 */
static bool
wants_build(const struct site_run *s)
{
	if (s->wishes.build)
		return true;
	return s->site->build.command != NULL && !s->wishes.source_named &&
	    getenv("DEPLOY_BUILD") == NULL;
}

/* Refuse a build that cannot be. */
static int
check_build(const struct site_run *s, struct err *e)
{
	const char *source = s->wishes.source;

	if (s->site->build.command == NULL)
		return err_set(e, ERR_USAGE,
		    "--build needs 'build' in deploy.yml: build: {command: ...}");
	if (getenv("DEPLOY_BUILD") != NULL)
		return err_set(e, ERR_USAGE,
		    "--build in a build command would run it again, for ever");
	if (source != NULL && strcmp(source, "-") == 0)
		return err_set(e, ERR_USAGE,
		    "--build makes its SOURCE, it does not read one from standard input");
	return 0;
}

/* `path` as an absolute one, wherever the command runs; the caller frees. */
static char *
absolute(const char *path, struct err *e)
{
	char *cwd, *all;

	if (path[0] == '/')
		return xstrdup(path);
	cwd = getcwd(NULL, 0);
	if (cwd == NULL) {
		err_sys(e, "cannot tell the current directory");
		return NULL;
	}
	all = xasprintf("%s/%s", cwd, path);
	free(cwd);
	return all;
}

/* Run one of the commands of the site; a dry run only says so. */
static int
run_command(struct site_run *s, const char *what, const char *command,
    const char *source, struct err *e)
{
	const struct build_config *b = &s->site->build;
	const struct build_options build = { .what = what,
		.command = command,
		.directory = b->directory,
		.timeout = b->timeout,
		.quiet = s->wishes.quiet,
		.site = s->site->name,
		.source = source,
		.ref = s->wishes.commit != NULL ? s->wishes.commit :
						  s->caller->commit };

	if (s->wishes.dry_run) {
		log_info("would run: %s%s", command,
		    strcmp(what, "build") == 0 ?
			"; what follows is about the build that is there now" :
			"");
		return 0;
	}
	if (build_run(&build, e) != 0)
		return err_append(e, "; nothing was changed");
	return 0;
}

/* What is built is exactly what was asked for. */
static int
check_out(struct site_run *s, const char *source, struct err *e)
{
	const char *dir = s->site->build.directory;

	if (s->site->git.url == NULL)
		return 0;
	if (s->wishes.dry_run) {
		log_info("would get %s into '%s'", s->site->git.url, dir);
		return 0;
	}
	if (checkout_make(&s->checkout, s->site, s->wishes.commit, source,
		e) != 0)
		return err_append(e, "; nothing was changed");
	free(s->commit);
	free(s->git_dir);
	s->commit = xstrdup(s->checkout.commit);
	s->git_dir = xstrdup(dir);
	return 0;
}

/* A build that has no place of its own gets one for this run. */
static int
make_place(struct site_run *s, struct err *e)
{
	if (s->wishes.dry_run) {
		log_info("would run: %s", s->site->build.command);
		return err_set(e, ERR_USAGE,
		    "a dry run does not build, and without 'source' in deploy.yml there is no earlier build to look at;; name one: deploy publish -n SOURCE");
	}
	if (scratch_make(&s->scratch, e) != 0)
		return -1;
	s->wishes.source = s->scratch.path;
	return 0;
}

/* Run the build command, in a directory that is emptied before if need be. */
static int
build(struct site_run *s, const char *source, struct err *e)
{
	const struct build_config *b = &s->site->build;
	const char *const keep[] = { b->directory, s->site->dir };
	bool clean = b->clean && s->scratch.path == NULL && !s->wishes.dry_run;
	struct err late = ERR_INIT;
	int r;

	if (clean && clean_begin(source, keep, 2, e) != 0)
		return -1;
	r = run_command(s, "build", b->command, source, e);
	/* The next one is not emptied then, and says so. */
	if (clean && clean_end(source, &late) != 0)
		log_warn("'clean': %s", late.text);
	return r;
}

/*
 * Where all builds are made in one place, the next one waits until this one is
 * staged; those of other sites, which write to other places, do not.  A clone has
 * a lock of its own.  Without a cache it is that of the directory, which some file
 * systems have not.
 */
static int
lock_build(struct site_run *s, const char *source, struct err *e)
{
	const char *dir = s->site->build.directory;
	struct err none = ERR_INIT;

	if (s->checkout.lock >= 0 || s->scratch.path != NULL ||
	    s->wishes.dry_run)
		return 0;
	s->building = cache_lock_file(source);
	if (s->building < 0)
		s->building = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->building < 0)
		return err_sys(e, "cannot open '%s' to build there", dir);
	if (build_lock(s->building, source, &none) == 0)
		return 0;
	if (none.sys == 0) {
		*e = none;
		return -1;
	}
	log_debug("%s", none.text);
	return 0;
}

/* Update what is built, and build.  Before anything is opened. */
static int
make_build(struct site_run *s, struct err *e)
{
	bool wanted = wants_build(s);
	bool update = s->wishes.update && s->site->update != NULL;
	char *source;
	int r;

	if (s->wishes.build && check_build(s, e) != 0)
		return -1;
	if (s->wishes.source == NULL && wanted && make_place(s, e) != 0)
		return -1;
	/* Without a source the stage has its say. */
	if (s->wishes.source == NULL || (!wanted && !update))
		return 0;
	source = absolute(s->wishes.source, e);
	if (source == NULL)
		return -1;
	r = check_out(s, source, e);
	if (r == 0 && wanted)
		r = lock_build(s, source, e);
	if (r == 0 && update)
		r = run_command(s, "update", s->site->update, source, e);
	if (r == 0 && wanted)
		r = build(s, source, e);
	free(source);
	return r;
}

/* ---- all in one -------------------------------------------------------- */

/* What is staged goes live, and old releases go. */
static int
go_live(struct site_run *s, struct site_published *out, struct err *e)
{
	const struct release_id *id = &out->st.id;
	int r;

	site_compare_content(s, &out->st);
	r = site_before_flip(s, id, e);
	if (r == 0)
		r = claim_check(e);
	if (r == 0)
		r = site_flip(s, id, JOURNAL_ACTIVATE, &out->flip, e);
	/* ERR_CLEANUP: live, but not checked. */
	out->answer = r == 0 || e->code == ERR_CLEANUP;
	if (r != 0) {
		if (e->code != ERR_DIFFER && e->code != ERR_CLEANUP)
			log_info("%s stays staged", id->text);
		site_keep_undone(s, id, e);
		return -1;
	}
	if (site_prune(s, &out->removed, e) == 0)
		return 0;
	/* Who has the lock is about to prune, or the next one is. */
	if (e->code == ERR_LOCKED) {
		log_info("not pruned now: %s", e->text);
		*e = (struct err)ERR_INIT;
		return 0;
	}
	err_prefix(e, "the release is live, but pruning failed: ");
	e->code = ERR_CLEANUP;
	return -1;
}

int
site_publish(struct site_run *s, struct site_published *out, struct err *e)
{
	struct fleet_sent sent;
	int64_t seq = s->wishes.by_commit ? -1 :
	    s->wishes.seq >= 0		  ? s->wishes.seq :
					    s->caller->seq;
	int r;

	s->goes_live = true;
	if (make_build(s, e) != 0 || site_stage(s, &out->st, &sent, e) != 0)
		return -1;
	site_end_build(s);
	/* Another one went live while the build was read. */
	if (out->st.outcome == STAGE_STAGED &&
	    fleet_serves(&s->fleet, &out->st.id) && site_open(s, e) != 0)
		return -1;
	if (out->st.outcome != STAGE_UNCHANGED && !s->wishes.dry_run)
		return go_live(s, out, e);
	if (!s->wishes.dry_run) {
		r = site_check_live(s, &out->st.id, e);
		if (r != 0)
			site_keep_undone(s, &out->st.id, e);
		out->answer = r == 0;
		return r;
	}
	/* A dry run: would it be refused? */
	r = out->st.outcome != STAGE_UNCHANGED ? site_check_flip(s, seq, e) :
						 0;
	out->answer = r == 0;
	return r;
}

void
site_published_release(struct site_published *p)
{
	release_ids_release(&p->removed);
	stage_release(&p->st);
}
