#include "fleet/doctor.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/strvec.h"
#include "fleet/doctor_live.h"
#include "fleet/doctor_root.h"
#include "fleet/doctor_web.h"
#include "os/example.h"

enum {
	SKEW_MS = 2000,	      /* that nobody notices */
	SKEW_MAX_MS = 300000, /* ids and journals make no sense any more */
};

/* ---- the way there ----------------------------------------------------- */

void
doctor_judge_login(struct doctor_report *r, const char *host_key,
    const char *key)
{
	if (host_key == NULL) {
		doctor_add(r, DOCTOR_OK, "connection", "this machine");
		return;
	}
	doctor_add(r, DOCTOR_OK, "connection", "there is one");
	doctor_add(r, DOCTOR_OK, "host key", "%s, as expected", host_key);
	doctor_add(r, DOCTOR_OK, "key", "let in by %s",
	    key != NULL ? key : "one of ours");
}

void
doctor_judge_refusal(struct doctor_report *r, const struct err *e)
{
	switch (e->phase) {
	case PHASE_HOST_KEY:
		doctor_add(r, DOCTOR_OK, "connection", "there is one");
		doctor_add_error(r, "host key", e);
		break;
	case PHASE_LOGIN:
		doctor_add(r, DOCTOR_OK, "connection", "there is one");
		doctor_add(r, DOCTOR_OK, "host key", "as expected");
		doctor_add_error(r, "key", e);
		break;
	case PHASE_NONE:
	case PHASE_CONNECT:
	case PHASE_CHECK:
	case PHASE_ANSWER:
		doctor_add_error(r, "connection", e);
		break;
	}
}

/* ---- programs and the clock -------------------------------------------- */

static bool
is_script(const struct visit *v)
{
	return v->f->version != NULL && strcmp(v->f->version, "sh") == 0;
}

static void
judge_program(struct visit *v)
{
	if (v->c->version == NULL)
		return;
	if (is_script(v)) {
		doctor_add(v->r, DOCTOR_OK, "deploy",
		    "not used there: the sh verbs are");
	} else if (v->f->version != NULL &&
	    strcmp(v->f->version, v->c->version) == 0) {
		doctor_add(v->r, DOCTOR_OK, "deploy", "version %s",
		    v->f->version);
	} else {
		doctor_add(v->r, DOCTOR_WARN, "deploy",
		    "version %s there, %s here",
		    v->f->version != NULL ? v->f->version : "unknown",
		    v->c->version);
		doctor_cure(v->r, "install the same version on both ends");
	}
}

/* What our key may do there; a key that may do all is not worth a line. */
static void
judge_limits(struct visit *v)
{
	if (v->f->limited != NULL)
		doctor_add(v->r, DOCTOR_OK, "limits",
		    "this key is limited to %s",
		    *v->f->limited != '\0' ?
			v->f->limited :
			"one root, and to all verbs but adopt");
}

/* "sh dash, tar 1.34, ..., Landlock" */
static void
list_tools(const struct visit *v, struct buf *out)
{
	static const char *const shown[] = { "sh", "tar", "zstd", "gzip",
		"rsync" };

	for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++) {
		const struct doctor_tool *t =
		    doctor_facts_tool(v->f, shown[i]);
		const char *base;

		if (t == NULL)
			continue;
		/* sh is told by the file that it is. */
		base = strrchr(t->version, '/');
		base = base != NULL ? base + 1 : t->version;
		buf_addf(out, "%s%s%s%s", out->len > 0 ? ", " : "", t->name,
		    *base != '\0' ? " " : "", base);
	}
	/* The sh verbs do not ask the kernel. */
	if (!is_script(v))
		buf_addf(out, "%s%sLandlock", out->len > 0 ? ", " : "",
		    v->f->landlock ? "" : "no ");
}

/* Those that the sh verbs need and do not find: $tools in host.sh. */
static void
list_missing(const struct visit *v, struct buf *out)
{
	static const char *const needed[] = { "awk", "cat", "chmod", "cp",
		"cut", "date", "df", "expr", "find", "flock", "grep", "head",
		"id", "ln", "mkdir", "mv", "readlink", "rm", "rmdir", "sed",
		"sha256sum", "sleep", "sort", "stat", "sync", "tail", "tar",
		"timeout", "touch", "tr", "wc", "xargs" };

	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
		if (doctor_facts_tool(v->f, needed[i]) == NULL)
			buf_addf(out, "%s%s", out->len > 0 ? ", " : "",
			    needed[i]);
}

static void
judge_tools(struct visit *v)
{
	struct buf missing = BUF_INIT, all = BUF_INIT;

	list_tools(v, &all);
	if (is_script(v))
		list_missing(v, &missing);
	if (missing.len > 0) {
		doctor_add(v->r, DOCTOR_FAIL, "tools",
		    "the sh verbs need what is not there: %s", missing.data);
		doctor_cure(v->r, "install that on the host, or deploy");
	} else if (is_script(v) && doctor_facts_tool(v->f, "zstd") == NULL &&
	    doctor_facts_tool(v->f, "gzip") == NULL) {
		doctor_add(v->r, DOCTOR_WARN, "tools",
		    "neither zstd nor gzip is there: releases travel uncompressed");
		doctor_cure(v->r, "install zstd on the host, or deploy");
	} else {
		doctor_add(v->r, DOCTOR_OK, "tools", "%s", buf_str(&all));
	}
	if (v->c->rsync && doctor_facts_tool(v->f, "rsync") == NULL) {
		doctor_add(v->r, DOCTOR_FAIL, "rsync",
		    "it is not there, and 'transport: rsync' needs it");
		doctor_cure(v->r,
		    "install it on the host, or use 'transport: ssh'");
	}
	buf_release(&missing);
	buf_release(&all);
}

/*
 * The host looked at its clock between `asked` and `heard`, and the sh verbs
 * know whole seconds only: so it is ahead by `low` at least and `high` at
 * most.
 */
static void
judge_clock(struct visit *v)
{
	int64_t low = v->f->now - v->c->heard;
	int64_t high = v->f->now - v->c->asked + (is_script(v) ? 999 : 0);
	int64_t off = low > 0 ? low : -high;

	if (v->c->asked == 0 || v->f->now < 0)
		return;
	if (low <= SKEW_MS && high >= -SKEW_MS) {
		doctor_add(v->r, DOCTOR_OK, "clock",
		    "agrees with this machine's to %.1f s",
		    (double)(high > -low ? high : -low) / 1000);
		return;
	}
	doctor_add(v->r, off > SKEW_MAX_MS ? DOCTOR_FAIL : DOCTOR_WARN,
	    "clock", "%s this machine's by %.1f s",
	    low > 0 ? "ahead of" : "behind", (double)off / 1000);
	doctor_cure(v->r, "let both set their clocks by the network (NTP)");
}

/* ---- the web server ---------------------------------------------------- */

/* What the directive is set to, in "file:line: name value;", or NULL. */
static const char *
setting(const char *line, const char *name)
{
	const char *at = strchr(line, ':');

	at = at != NULL ? strchr(at + 1, ':') : NULL;
	if (at == NULL)
		return NULL;
	at += 1 + strspn(at + 1, " \t");
	if (strncmp(at, name, strlen(name)) != 0)
		return NULL;
	at += strlen(name);
	return *at == ' ' || *at == '\t' ? at + strspn(at, " \t") : NULL;
}

static bool
is_on(const char *value)
{
	return value != NULL &&
	    (strncmp(value, "off", 3) != 0 ||
		strchr("; \t", value[3]) == NULL);
}

static void
judge_nginx(struct visit *v)
{
	const struct strvec *lines = &v->f->nginx_lines;
	size_t before = v->r->n;
	char *example;

	if (v->f->nginx == NULL)
		return;
	example = example_path("nginx.conf");
	for (size_t i = 0; i < lines->n; i++) {
		const char *line = lines->v[i];

		if (is_on(setting(line, "open_file_cache"))) {
			doctor_add(v->r, DOCTOR_WARN, "nginx",
			    "%s would serve the old release for a while, page by page",
			    line);
			doctor_cure(v->r,
			    "open_file_cache off; for this site");
		} else if (is_on(setting(line, "disable_symlinks"))) {
			doctor_add(v->r, DOCTOR_WARN, "nginx",
			    "%s would not let it follow 'current'", line);
			doctor_cure(v->r,
			    "disable_symlinks off; for this site");
		}
	}
	if (v->r->n == before)
		doctor_add(v->r, DOCTOR_OK, "nginx",
		    "nothing in the way in '%s' and beside it%s%s",
		    v->f->nginx, example != NULL ? "; an example: " : "",
		    example != NULL ? example : "");
	free(example);
}

void
doctor_judge(struct doctor_report *r, const struct doctor_facts *f,
    const struct doctor_case *c)
{
	struct visit v = { r, f, c, xasprintf("%s/", c->root) };

	judge_program(&v);
	judge_limits(&v);
	judge_tools(&v);
	judge_clock(&v);
	if (doctor_judge_root(&v))
		doctor_judge_live(&v);
	doctor_judge_space(&v);
	judge_nginx(&v);
	doctor_judge_web(&v);
	free(v.root);
}
