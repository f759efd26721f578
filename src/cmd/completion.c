/*
 * Scripts that complete the command line, made from the table of commands
 * and the catalogue of options, so that they can never lack one: see
 * complete.h.  Release ids and sites change: for them the scripts ask this
 * command again.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/show.h"
#include "cmd/cmd.h"
#include "cmd/complete.h"
#include "cmd/table.h"
#include "config/config_file.h"
#include "root/meta.h"

enum { PATIENCE = 5 }; /* seconds with a host that is silent */

/* A word, a tab, and what it is, for shells that show that. */
static void __attribute__((format(printf, 2, 3)))
print_word(const char *word, const char *fmt, ...)
{
	char *about;
	va_list ap;

	va_start(ap, fmt);
	about = show_text(fmt, ap);
	va_end(ap);
	printf("%s\t%s\n", word, about);
	free(about);
}

/*
 * The first `len` characters of a release's id, and what the root that `v` is
 * of knows about it.
 */
static void
print_release(const struct view *v, const struct meta *meta,
    const struct release_id *id, size_t len)
{
	char staged[32], prefix[RELEASE_ID_LEN + 1];

	snprintf(prefix, sizeof(prefix), "%.*s", (int)len, id->text);
	release_format_time(release_id_time(id), staged);
	print_word(prefix, "%s%s%s%s%s", staged,
	    release_id_eq(id, &v->current)	    ? ", live" :
		history_was_live(&v->history, id)   ? ", was live" :
		history_has_failed(&v->history, id) ? ", failed" :
						      ", staged",
	    meta->pinned ? ", pinned" : "", meta->message != NULL ? ": " : "",
	    meta->message != NULL ? meta->message : "");
}

/* The words that mean a release; NULL is one that means none. */
static void
print_words(const struct release_id *current,
    const struct release_id *previous, const struct release_id *latest)
{
	if (current != NULL)
		print_word("current", "%s", current->text);
	if (previous != NULL)
		print_word("previous", "%s", previous->text);
	if (latest != NULL)
		print_word("latest", "%s", latest->text);
}

/* The first host that has the release tells about it; not about a bridge. */
static void
print_first(const struct fleet *f, const struct release_id *id, size_t len)
{
	for (size_t i = 0; i < f->n; i++) {
		const struct meta *meta = remote_meta(&f->v[i], id);

		if (meta != NULL) {
			if (!release_id_is_none(&meta->bridge))
				return;
			print_release(&f->v[i].view, meta, id, len);
			return;
		}
	}
}

/* Would asking the hosts run a program here that deploy.yml names? */
static bool
names_a_program(const struct site_config *site)
{
	for (size_t i = 0; i < site->n_hosts; i++) {
		const struct host_config *h = &site->hosts[i];

		if (h->transport == HOST_LOCAL && h->deploy != NULL &&
		    strcmp(h->deploy, "none") != 0)
			return true;
	}
	return false;
}

/*
 * Ask the hosts, not for long: who waits has half a line typed, and wanted to
 * run nothing yet.
 */
static int
open_hosts(struct run *run, struct fleet *f, struct err *e)
{
	if (run->opts.timeout == 0)
		run->opts.timeout = PATIENCE;
	if (cmd_site(run, e) != 0)
		return -1;
	if (names_a_program(run->site))
		return err_set(e, ERR_FAILED,
		    "a completion runs no program that deploy.yml names");
	return cmd_open_fleet(run, f, e);
}

/*
 * Words that mean a release, then all ids, newest first: those of the hosts
 * that answer.
 */
static int
print_releases(struct run *run, struct err *e)
{
	struct fleet f = FLEET_INIT;
	struct release_ids ids = RELEASE_IDS_INIT;
	struct err none = ERR_INIT;
	int r;

	r = open_hosts(run, &f, e);
	fleet_releases(&f, &ids);
	if (ids.n > 0) {
		r = 0;
		print_words(fleet_find(&f, "current", &none),
		    fleet_find(&f, "previous", &none),
		    fleet_find(&f, "latest", &none));
	}
	for (size_t i = ids.n; i-- > 0;)
		print_first(&f, &ids.v[i], release_short_len(&ids));
	release_ids_release(&ids);
	fleet_release(&f);
	return r;
}

/* The previews of the hosts that answer. */
static int
print_previews(struct run *run, struct err *e)
{
	struct strvec told = STRVEC_INIT;
	struct fleet f = FLEET_INIT;
	int r;

	r = open_hosts(run, &f, e);
	for (size_t i = 0; i < f.n; i++)
		for (size_t k = 0; k < f.v[i].previews.n; k++) {
			const struct preview *p = &f.v[i].previews.v[k];

			r = 0;
			if (strvec_has(&told, p->name))
				continue;
			strvec_add(&told, p->name);
			print_word(p->name, "%s", p->id.text);
		}
	strvec_release(&told);
	fleet_release(&f);
	return r;
}

static int
print_sites(struct run *run, struct err *e)
{
	if (config_load(&run->config, run->opts.config, e) != 0)
		return -1;
	for (size_t i = 0; i < run->config.n; i++)
		print_word(run->config.sites[i].name, "%s",
		    run->config.sites[i].root);
	return 0;
}

static int
print_hosts(struct run *run, struct err *e)
{
	if (cmd_site(run, e) != 0)
		return -1;
	for (size_t i = 0; i < run->site->n_hosts; i++)
		print_word(run->site->hosts[i].label, "%s",
		    run->site->hosts[i].root);
	return 0;
}

static int
run_completion(struct run *run, struct err *e)
{
	const char *word = run->opts.args.n > 0 ? run->opts.args.v[0] : "";

	if (strcmp(word, "bash") == 0)
		complete_bash();
	else if (strcmp(word, "zsh") == 0)
		complete_zsh();
	else if (strcmp(word, "fish") == 0)
		complete_fish();
	else if (strcmp(word, "releases") == 0)
		return print_releases(run, e);
	else if (strcmp(word, "previews") == 0)
		return print_previews(run, e);
	else if (strcmp(word, "sites") == 0)
		return print_sites(run, e);
	else if (strcmp(word, "hosts") == 0)
		return print_hosts(run, e);
	else if (*word == '\0')
		return err_set(e, ERR_USAGE,
		    "which shell? usage: deploy completion bash|zsh|fish");
	else
		return err_set(e, ERR_USAGE,
		    "there is no completion for '%s';; there is one for bash, zsh and fish",
		    word);
	return 0;
}

static const enum opt_id opts[] = { OPT_END };

const struct cmd cmd_completion = {
	.name = "completion",
	.group = "Help",
	.args = "SHELL",
	.summary = "print a script that completes command lines in a shell",
	.about =
	    "SHELL is bash, zsh or fish.  With 'releases', 'previews', 'sites' or\n"
	    "'hosts' instead, prints what these scripts ask for: lines of a word, a\n"
	    "tab and a description.\n",
	.examples = ". <(deploy completion bash)           # in ~/.bashrc\n",
	.max_args = 1,
	.opts = opts,
	.run = run_completion,
};
