#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "base/text.h"
#include "cmd/cmd.h"
#include "cmd/table.h"
#include "os/log.h"

static void
answer(struct run *run, const struct release_id *id,
    const struct strvec *found, const struct manifest_totals *t)
{
	json_t *doc, *list;

	if (!run->opts.json) {
		for (size_t i = 0; i < found->n; i++)
			text_line("%s", found->v[i]);
		return;
	}
	doc = cmd_new_doc(run);
	list = json_new_array();
	cmd_put_id(doc, "id", id);
	json_put_bool(doc, "intact", found->n == 0);
	json_put_int(doc, "files", (int64_t)t->files);
	json_put_int(doc, "bytes", t->bytes);
	for (size_t i = 0; i < found->n; i++)
		json_push_string(list, found->v[i]);
	json_put(doc, "differences", list);
	cmd_answer(run, doc);
}

/* What all hosts found. */
struct findings {
	struct strvec found;
	struct manifest_totals totals; /* of one host */
};

static void
on_finding(void *ctx, const struct remote *r, const char *key,
    const char *value)
{
	struct findings *f = ctx;

	if (strcmp(key, "difference") == 0) {
		strvec_addf(&f->found, "%s%s", remote_said(r), value);
	} else if (strcmp(key, "verified") == 0) {
		int64_t files = 0;
		const char *end = number_scan(value, 0, INT64_MAX, &files);

		f->totals.files = (size_t)files;
		f->totals.bytes = end == NULL || *end == '\0' ?
		    0 :
		    number_or(end + 1, 0, INT64_MAX, 0);
	}
}

/* The answer, and the error when something was found. */
static int
conclude(struct run *run, const struct release_id *id,
    const struct strvec *found, const struct manifest_totals *t, struct err *e)
{
	char bytes[32];

	answer(run, id, found, t);
	text_size(t->bytes, bytes);
	if (found->n > 0)
		return err_set(e, ERR_INTEGRITY,
		    "release %s is not what its manifest says: %zu differences;; stage the build anew with --again",
		    id->text, found->n);
	log_info("%s is intact: %zu files, %s", id->text, t->files, bytes);
	return 0;
}

/* Every host hashes its own. */
static int
verify_release(struct run *run, struct fleet *f, const struct release_id *id,
    struct err *e)
{
	struct findings all = { STRVEC_INIT, { 0, 0 } };
	struct strvec args = STRVEC_INIT;
	int r;

	strvec_addf(&args, "--id=%s", id->text);
	r = cmd_call_hosts(run, f, "verify", &args, on_finding, &all, e);
	if (r == 0)
		r = conclude(run, id, &all.found, &all.totals, e);
	strvec_release(&all.found);
	strvec_release(&args);
	return r;
}

static int
run_verify(struct run *run, struct err *e)
{
	const char *word =
	    run->opts.args.n > 0 ? run->opts.args.v[0] : "current";
	struct fleet f = FLEET_INIT;
	const struct release_id *id = NULL;
	int r;

	if (cmd_open_fleet(run, &f, e) == 0)
		id = fleet_find(&f, word, e);
	r = id != NULL ? verify_release(run, &f, id, e) : -1;
	fleet_release(&f);
	return r;
}

static const enum opt_id opts[] = { OPT_END };

const struct cmd cmd_verify = {
	.name = "verify",
	.group = "Looking",
	.args = "[RELEASE]",
	.summary = "hash a release again and compare it with its manifest",
	.about =
	    "Default: current.  Prints each difference; exit status 5 when\n"
	    "there is one.\n",
	.examples =
	    "deploy verify -q                      # silent while all is well\n",
	.max_args = 1,
	.opts = opts,
	.run = run_verify,
};
