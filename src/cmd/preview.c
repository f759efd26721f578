#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "cmd/cmd.h"
#include "cmd/table.h"
#include "os/log.h"
#include "os/table.h"
#include "site/site_flip.h"

/* One preview, and the hosts that have it so. */
struct shown {
	const struct preview *p;
	struct strvec hosts;
};

struct list {
	struct shown *v;
	size_t n;
};

static void
list_release(struct list *l)
{
	for (size_t i = 0; i < l->n; i++)
		strvec_release(&l->v[i].hosts);
	free(l->v);
}

static int
compare(const void *a, const void *b)
{
	const struct shown *x = a, *y = b;

	return strcmp(x->p->name, y->p->name);
}

/* Add what a host has; the same on several is one. */
static void
add(struct list *l, const struct preview *p, const char *host)
{
	size_t i = 0;

	while (i < l->n &&
	    (strcmp(l->v[i].p->name, p->name) != 0 ||
		!release_id_eq(&l->v[i].p->id, &p->id)))
		i++;
	if (i == l->n) {
		l->v = xreallocarray(l->v, l->n + 1, sizeof(*l->v));
		l->v[l->n++] = (struct shown){ p, STRVEC_INIT };
	}
	strvec_add(&l->v[i].hosts, host);
}

/* All that the hosts have, or those of one name. */
static void
collect(const struct fleet *f, const char *name, struct list *out)
{
	for (size_t i = 0; i < f->n; i++)
		for (size_t k = 0; k < f->v[i].previews.n; k++) {
			const struct preview *p = &f->v[i].previews.v[k];

			if (name == NULL || strcmp(name, p->name) == 0)
				add(out, p, f->v[i].host->label);
		}
	if (out->n > 1)
		qsort(out->v, out->n, sizeof(*out->v), compare);
}

static void
put(json_t *list, const struct shown *s, const char *url)
{
	json_t *j = json_new_object(), *hosts = json_new_array();
	char until[32];

	release_format_time(s->p->until * 1000, until);
	json_put_string(j, "name", s->p->name);
	json_put_string(j, "id", s->p->id.text);
	json_put_string(j, "until", until);
	json_put_bool(j, "over", s->p->until <= clock_now() / 1000);
	json_put_string(j, "url", url);
	for (size_t i = 0; i < s->hosts.n; i++)
		json_push_string(hosts, s->hosts.v[i]);
	json_put(j, "hosts", hosts);
	json_push(list, j);
}

/* The columns, and the cells of each preview in their order. */
static const struct table_column columns[] = { { "NAME", false },
	{ "RELEASE", false }, { "UNTIL", false }, { "HOSTS", false },
	{ "URL", false } };

static void
add_row(struct table *t, const struct fleet *f, const struct shown *s,
    const char *url)
{
	struct buf hosts = BUF_INIT;

	for (size_t i = 0; s->hosts.n < f->n && i < s->hosts.n; i++)
		buf_addf(&hosts, "%s%s", i > 0 ? ", " : "only on ",
		    s->hosts.v[i]);
	table_cell(t, TABLE_PLAIN, "%s", s->p->name);
	table_id(t, &s->p->id, RELEASE_SHORT_LEN);
	cmd_put_moment(t, s->p->until * 1000);
	table_cell(t, TABLE_YELLOW, "%s", buf_str(&hosts));
	table_cell(t, TABLE_PLAIN, "%s", url != NULL ? url : "");
	buf_release(&hosts);
}

/* There is none of that name, which is asked about. */
static int
refuse_name(const struct fleet *f, const char *name, struct err *e)
{
	struct list l = { NULL, 0 };
	size_t n;

	collect(f, name, &l);
	n = l.n;
	list_release(&l);
	return n > 0 ?
	    0 :
	    err_set(e, ERR_USAGE,
		"there is no preview '%s';; see 'deploy preview'", name);
}

/* What there is. */
static void
answer(struct run *run, const char *name)
{
	const struct fleet *f = &run->work.fleet;
	json_t *doc = run->opts.json ? cmd_new_doc(run) : NULL;
	json_t *list = run->opts.json ? json_new_array() : NULL;
	struct table *t =
	    table_new(columns, sizeof(columns) / sizeof(*columns));
	struct list l = { NULL, 0 };

	collect(f, name, &l);
	for (size_t i = 0; i < l.n; i++) {
		char *url = site_preview_url(run->site, l.v[i].p->name);

		if (list != NULL)
			put(list, &l.v[i], url);
		else
			add_row(t, f, &l.v[i], url);
		free(url);
	}
	if (doc != NULL) {
		json_put_bool(doc, "dry_run", run->opts.dry_run);
		json_put(doc, "previews", list);
		cmd_answer(run, doc);
	} else if (name == NULL && table_is_empty(t)) {
		log_info(
		    "there are no previews; 'deploy stage --preview NAME' makes one");
	}
	table_print(t);
	table_free(t);
	list_release(&l);
}

/* Let it show a release, which comes to the hosts that lack it. */
static int
point(struct site_run *s, const char *name, const char *word, int64_t seconds,
    struct err *e)
{
	const struct release_id *id = fleet_find(&s->fleet, word, e);
	struct release_id own;

	if (id == NULL)
		return -1;
	own = *id;
	if (site_supply(s, &own, e) != 0 ||
	    site_show_preview(s, name, &own, seconds, e) != 0)
		return -1;
	s->preview_url = site_preview_url(s->site, name);
	return 0;
}

/* Is it said what is to be done? */
static int
check_usage(const struct opts *o, struct err *e)
{
	if (o->remove && o->args.n != 1)
		return err_set(e, ERR_USAGE,
		    "which preview? usage: deploy preview --remove NAME");
	if (!o->remove && o->duration > 0 && o->args.n < 2)
		return err_set(e, ERR_USAGE,
		    "which release? usage: deploy preview --for TIME NAME RELEASE");
	return 0;
}

static int
run_preview(struct run *run, struct err *e)
{
	const struct opts *o = &run->opts;
	const char *name = o->args.n > 0 ? o->args.v[0] : NULL;
	struct site_run *s = &run->work;
	bool change = o->remove || o->args.n > 1;

	if (check_usage(o, e) != 0 || cmd_begin(run, e) != 0)
		return -1;
	s->fleet.looks = !change;
	if (site_open(s, e) != 0 || fleet_need_root(&s->fleet, e) != 0)
		return -1;
	if (o->remove && site_show_preview(s, name, NULL, 0, e) != 0)
		return -1;
	if (o->args.n > 1 && point(s, name, o->args.v[1], o->duration, e) != 0)
		return -1;
	if (change && !o->dry_run && site_open(s, e) != 0)
		return -1;
	if (!change && name != NULL && refuse_name(&s->fleet, name, e) != 0)
		return -1;
	answer(run, name);
	return 0;
}

static const enum opt_id opts[] = { OPT_FOR, OPT_REMOVE, OPT_SKIP, OPT_UTC,
	OPT_LONG, OPT_END };

const struct cmd cmd_preview = {
	.name = "preview",
	.group = "Going live",
	.args = "[NAME [RELEASE]]",
	.summary = "show a release under a name of its own, not live",
	.about =
	    "With RELEASE, lets the preview NAME show it; otherwise lists all\n"
	    "previews, or that one.  NAME is a part of a host name, such as pr-12,\n"
	    "and also names the release that it shows: 'deploy activate pr-12' makes\n"
	    "the same bytes live.  What a preview shows is not pruned; 'prune' and\n"
	    "'publish' remove a preview whose time is over.  'stage --preview NAME'\n"
	    "stages and shows in one.\n",
	.examples = "deploy preview                        # list them\n"
		    "deploy preview next latest\n"
		    "deploy preview --remove pr-12\n",
	.max_args = 2,
	.opts = opts,
	.run = run_preview,
};
