#include "fleet/doctor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/show.h"
#include "base/text.h"
#include "base/version.h"
#include "cmd/cmd.h"
#include "cmd/doctor_script.h"
#include "cmd/table.h"
#include "config/config_host.h"
#include "fleet/cure.h"
#include "fleet/drift.h"
#include "os/intr.h"

/* A machine that is looked at. */
struct patient {
	const char *host; /* "": this machine */
	struct doctor_facts facts;
	struct doctor_report report;
	int64_t heard; /* when it told its time; 0: not yet */
	bool known;    /* its state */
	bool unreachable;
};

/* ---- this machine ------------------------------------------------------ */

/* Is there such a program in PATH? */
static bool
has_program(const char *name)
{
	const char *path = getenv("PATH");
	bool has = false;

	while (path != NULL && *path != '\0' && !has) {
		size_t n = strcspn(path, ":");
		char *file = xasprintf("%.*s/%s", (int)n, path, name);

		has = access(file, X_OK) == 0;
		free(file);
		path += n + (path[n] == ':');
	}
	return has;
}

/* Is there a host whose files travel in that way? */
static bool
has_transport(const struct site_config *site, enum host_transport transport)
{
	for (size_t i = 0; i < site->n_hosts; i++)
		if (site->hosts[i].transport == transport)
			return true;
	return false;
}

/* What the client itself needs. */
static void
examine_client(const struct run *run, struct doctor_report *r)
{
	const struct site_config *site = run->site;
	bool rsync = has_transport(site, HOST_RSYNC);
	bool ssh = rsync || has_transport(site, HOST_SSH);

	doctor_add(r, DOCTOR_OK, "deploy", "version %s%s%s", DEPLOY_VERSION,
	    run->config.path != NULL ? ", " : "",
	    run->config.path != NULL ? run->config.path : "");
	if (site->source != NULL && access(site->source, R_OK) != 0) {
		doctor_add(r, DOCTOR_WARN, "source",
		    "there is no build at '%s'", site->source);
		doctor_cure(r, "build the site first%s",
		    site->build.command != NULL ? ": deploy publish does" :
						  "");
	} else if (site->source != NULL) {
		doctor_add(r, DOCTOR_OK, "source", "'%s'", site->source);
	}
	if (ssh && !has_program("ssh")) {
		doctor_add(r, DOCTOR_WARN, "ssh",
		    "it is not there, so no ssh_config is read");
		doctor_cure(r, "install the OpenSSH client here");
	}
	if (rsync && !has_program("rsync")) {
		doctor_add(r, DOCTOR_FAIL, "rsync",
		    "it is not there, and 'transport: rsync' needs it");
		doctor_cure(r, "install it here, or use 'transport: ssh'");
	}
}

/* ---- hosts ------------------------------------------------------------- */

static void
on_line(void *ctx, const char *key, const char *value)
{
	struct patient *p = ctx;

	if (strcmp(key, "now") == 0)
		p->heard = clock_now();
	doctor_facts_hear(&p->facts, key, value);
}

/* Ask a host that is connected. */
static void
ask(struct remote *r, struct patient *p)
{
	/* Of this machine, this program gives the facts, by the same clock. */
	bool own = *p->host == '\0';
	struct doctor_case c = { .root = r->host->root,
		.version = own ? NULL : DEPLOY_VERSION,
		.rsync = r->host->transport == HOST_RSYNC,
		.asked = own ? 0 : clock_now() };
	struct err e = ERR_INIT;

	if (remote_call(r, "probe", NULL, on_line, p, &e) != 0) {
		doctor_add_error(&p->report, "deploy", &e);
		p->unreachable = e.code == ERR_UNREACHABLE;
		return;
	}
	c.heard = p->heard;
	doctor_judge(&p->report, &p->facts, &c);
}

/* All hosts, and their patients in the same order. */
struct round {
	const struct fleet *f;
	struct patient *v;
};

/* One host; whatever comes of it is a finding. */
static int
examine_host(struct remote *r, void *ctx, struct err *e)
{
	const struct round *round = ctx;
	struct patient *p = &round->v[r - round->f->v];
	const char *host_key, *key;

	if (remote_open(r, e) != 0) {
		doctor_judge_refusal(&p->report, e);
		p->unreachable = true;
		return 0;
	}
	transport_login(&r->transport, &host_key, &key);
	doctor_judge_login(&p->report, host_key, key);
	ask(r, p);
	/* A key may be for some verbs only. */
	p->known = remote_info(r, REMOTE_ALL, NULL, e) == 0;
	return 0;
}

/* Hosts that could not even be tried. */
static void
add_failures(const struct round *round)
{
	for (size_t i = 0; i < round->f->n; i++)
		if (round->f->v[i].failed)
			doctor_add_error(&round->v[i].report, "connection",
			    &round->f->v[i].err);
}

/* Are two of them one root? */
static void
find_twice(const struct fleet *f, struct doctor_report *report)
{
	size_t one, other;

	if (!fleet_find_twice(f, &one, &other))
		return;
	doctor_add(report, DOCTOR_FAIL, "hosts",
	    "'%s' and '%s' are one root, '%s': two names of the same directory on the same machine",
	    f->v[one].host->label, f->v[other].host->label,
	    f->v[one].host->root);
	doctor_cure(report, "take one of them out of the hosts");
}

/* In what do the hosts differ that have told their state? */
static void
compare_hosts(const struct round *round, struct fleet *f,
    struct doctor_report *report)
{
	struct strvec lines = STRVEC_INIT;
	char *cure;
	size_t known = 0;

	for (size_t i = 0; i < f->n; i++) {
		f->v[i].failed = !round->v[i].known;
		known += round->v[i].known;
	}
	find_twice(f, report);
	if (known > 1)
		drift_find(f, &lines);
	if (known > 1 && lines.n == 0)
		doctor_add(report, DOCTOR_OK, "hosts",
		    "they serve the same, and can go back to the same");
	cure = lines.n > 0 ? drift_cure(f) : NULL;
	for (size_t i = 0; i < lines.n; i++) {
		bool live = strncmp(lines.v[i], "live:", 5) == 0;

		doctor_add(report, live ? DOCTOR_FAIL : DOCTOR_WARN, "hosts",
		    "%s", lines.v[i]);
		doctor_cure(report, "%s", cure);
	}
	free(cure);
	strvec_release(&lines);
}

/* Has what is live passed the check of the site?  Nothing is asked. */
static void
judge_check(const struct remote *r, struct doctor_report *report)
{
	const char *id = r->view.current.text;

	if (release_id_is_none(&r->view.current))
		return;
	if (r->verified) {
		doctor_add(report, DOCTOR_OK, "check",
		    "it has passed since %s is live", id);
		return;
	}
	doctor_add(report, DOCTOR_WARN, "check",
	    "it has not passed since %s is live", id);
	doctor_cure(report, "to ask again, run: deploy check");
}

static void
judge_checks(const struct round *round)
{
	const struct fleet *f = round->f;

	for (size_t i = 0; f->site->check.urls.n > 0 && i < f->n; i++)
		if (round->v[i].known)
			judge_check(&f->v[i], &round->v[i].report);
}

/* ---- the report -------------------------------------------------------- */

static bool
is_same(const struct doctor_finding *a, const struct doctor_finding *b)
{
	return a->level == b->level && strcmp(a->what, b->what) == 0 &&
	    strcmp(a->detail, b->detail) == 0 &&
	    (a->cure == NULL) == (b->cure == NULL) &&
	    (a->cure == NULL || strcmp(a->cure, b->cure) == 0);
}

static bool
has_finding(const struct patient *p, const struct doctor_finding *f)
{
	for (size_t i = 0; i < p->report.n; i++)
		if (is_same(&p->report.v[i], f))
			return true;
	return false;
}

/* One that patient `at` of all has, with all who have the same. */
static void
print_finding(const struct patient *v, size_t n, size_t at,
    const struct doctor_finding *f)
{
	struct buf who = BUF_INIT;

	for (size_t i = at; i < n; i++)
		if (*v[i].host != '\0' && has_finding(&v[i], f))
			buf_addf(&who, "%s%s", who.len > 0 ? ", " : "",
			    v[i].host);
	show_line("%-4s  %s%s%s: %s%s%s", doctor_level_name(f->level),
	    buf_str(&who), who.len > 0 ? ": " : "", f->what, f->detail,
	    f->cure != NULL ? "; " : "", f->cure != NULL ? f->cure : "");
	buf_release(&who);
}

/* All that patient `at` has and none before it was told. */
static void
print_report(const struct run *run, const struct patient *v, size_t n,
    size_t at)
{
	for (size_t i = 0; i < v[at].report.n; i++) {
		const struct doctor_finding *f = &v[at].report.v[i];
		bool told = run->opts.quiet && f->level == DOCTOR_OK;

		for (size_t j = 0; j < at && *v[at].host != '\0'; j++)
			told |= *v[j].host != '\0' && has_finding(&v[j], f);
		if (!told)
			print_finding(v, n, at, f);
	}
}

static json_t *
report_doc(const struct patient *p)
{
	json_t *doc = json_new_object(), *list = json_new_array();

	json_put_string(doc, "host", p->host);
	for (size_t i = 0; i < p->report.n; i++) {
		const struct doctor_finding *f = &p->report.v[i];
		json_t *j = json_new_object();

		json_put_string(j, "level", doctor_level_name(f->level));
		json_put_string(j, "what", f->what);
		json_put_string(j, "detail", f->detail);
		json_put_string(j, "cure", f->cure);
		json_push(list, j);
	}
	json_put(doc, "findings", list);
	return doc;
}

/* Who judges a root knows no site. */
static void
complete_cures(const struct fleet *f, struct doctor_report *report)
{
	for (size_t i = 0; i < report->n; i++) {
		char *cure = report->v[i].cure;
		struct buf whole = BUF_INIT;

		if (cure == NULL ||
		    cure_complete(f->caller, cure, &whole) == cure)
			continue;
		free(cure);
		report->v[i].cure = buf_detach(&whole);
	}
}

/* Print all, and what it comes to. */
static int
answer(struct run *run, const struct fleet *f, struct patient *v, size_t n,
    struct err *e)
{
	size_t failed = 0, all = 0;
	const char *lost = NULL;
	json_t *doc, *list;

	for (size_t i = 0; i < n; i++) {
		complete_cures(f, &v[i].report);
		failed += doctor_count(&v[i].report, DOCTOR_FAIL);
		all += v[i].report.n;
		if (v[i].unreachable && lost == NULL)
			lost = v[i].host;
	}
	if (run->opts.json) {
		doc = cmd_new_doc(run);
		list = json_new_array();
		json_put_bool(doc, "healthy", failed == 0);
		for (size_t i = 0; i < n; i++)
			json_push(list, report_doc(&v[i]));
		json_put(doc, "hosts", list);
		cmd_answer(run, doc);
	} else {
		for (size_t i = 0; i < n; i++)
			print_report(run, v, n, i);
	}
	if (lost != NULL) {
		err_set(e, ERR_UNREACHABLE,
		    "'%s' cannot be reached; %zu of %s failed;; when that is mended, run: ",
		    lost, failed, TEXT_COUNT(all, "check", "checks"));
		return cure_append(f, e, "doctor", NULL);
	}
	if (failed > 0)
		return err_set(e, ERR_FAILED, "%zu of %s failed", failed,
		    TEXT_COUNT(all, "check", "checks"));
	return 0;
}

/* --script: nothing is looked at. */
static int
print_script(struct run *run, struct err *e)
{
	struct strvec names = STRVEC_INIT;
	struct site_config one;
	int r;

	strvec_add(&names, run->opts.script);
	r = site_config_narrow(run->site, &names, &one, e);
	strvec_release(&names);
	if (r == 0 && run->opts.json)
		r = err_set(e, ERR_USAGE,
		    "--script is a script for sh;; leave out --json");
	if (r == 0)
		r = doctor_print_script(run->site, &one.hosts[0], e);
	free(one.hosts);
	return r;
}

static int
print_known_hosts(struct run *run, struct err *e)
{
	if (run->opts.json)
		return err_set(e, ERR_USAGE,
		    "--known-hosts prints lines;; leave out --json");
	return doctor_print_known_hosts(run->site, e);
}

static int
run_doctor(struct run *run, struct err *e)
{
	struct fleet f = FLEET_INIT;
	struct round round = { .f = &f };
	struct patient *v;
	size_t n;
	int r = cmd_site(run, e);

	if (r != 0)
		return r;
	if (run->opts.script != NULL)
		return print_script(run, e);
	if (run->opts.known_hosts)
		return print_known_hosts(run, e);
	cmd_init_fleet(run, &f);
	/* This machine comes first; it may be the host, too. */
	n = f.is_here ? 1 : 1 + f.n;
	v = xcalloc(n, sizeof(*v));
	round.v = v + n - f.n;
	v[0].host = "";
	for (size_t i = 0; i < f.n; i++)
		round.v[i].host = f.v[i].host->label;
	for (size_t i = 0; i < n; i++)
		v[i].facts = (struct doctor_facts)DOCTOR_FACTS_INIT;
	examine_client(run, &v[0].report);
	(void)fleet_each(&f, examine_host, &round);
	add_failures(&round);
	judge_checks(&round);
	compare_hosts(&round, &f, &v[0].report);
	r = intr_check(e);
	if (r == 0)
		r = answer(run, &f, v, n, e);
	for (size_t i = 0; i < n; i++) {
		doctor_facts_release(&v[i].facts);
		doctor_report_release(&v[i].report);
	}
	free(v);
	fleet_release(&f);
	return r;
}

static const enum opt_id opts[] = { OPT_SCRIPT, OPT_KNOWN_HOSTS, OPT_END };

const struct cmd cmd_doctor = {
	.name = "doctor",
	.group = "Looking",
	.args = "",
	.summary = "find out what is wrong with the hosts, and how to mend it",
	.about =
	    "Looks at the connection to every host, and at its programs, its clock\n"
	    "and its root.  Prints a line for each finding, 'ok', 'warn' or 'fail',\n"
	    "and what to do about it.  Changes nothing.  The status is 1 when\n"
	    "something fails, and 8 when a host cannot be reached.\n",
	.examples =
	    "deploy doctor -q                      # only what is wrong\n"
	    "deploy doctor --script www1 | ssh root@www1 sh\n",
	.looks = true,
	.opts = opts,
	.run = run_doctor,
};
