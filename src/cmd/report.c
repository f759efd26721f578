#include "cmd/report.h"

static const char *const outcomes[] = { "new", "unchanged", "staged" };

json_t *
report_stage(const struct run *run, const struct stage *st)
{
	json_t *doc = cmd_new_doc(run);

	cmd_put_id(doc, "id", &st->id);
	json_put_string(doc, "outcome", outcomes[st->outcome]);
	json_put_bool(doc, "dry_run", run->opts.dry_run);
	json_put_int(doc, "files", (int64_t)st->plan.totals.files);
	json_put_int(doc, "bytes", st->plan.totals.bytes);
	json_put_int(doc, "linked", (int64_t)st->plan.linked);
	json_put_int(doc, "copied", (int64_t)st->plan.copied);
	json_put_int(doc, "copied_bytes", st->plan.copied_bytes);
	json_put_int(doc, "carried", (int64_t)st->plan.carried);
	json_put_int(doc, "excluded", (int64_t)st->excluded);
	json_put_int(doc, "broken_links", (int64_t)st->plan.broken.n);
	json_put_int(doc, "secrets", (int64_t)st->secrets.n);
	json_put_int(doc, "rewritten", (int64_t)run->work.fleet.rewritten);
	json_put_int(doc, "rules", (int64_t)run->work.fleet.rules);
	json_put_int(doc, "patched", (int64_t)run->work.fleet.patched);
	return doc;
}

void
report_flip(json_t *doc, const struct release_id *id,
    const struct site_flip *done)
{
	json_put_bool(doc, "changed", done->changed);
	cmd_put_id(doc, "current", id);
	cmd_put_id(doc, "from", &done->from);
}

void
report_fleet(json_t *doc, const struct fleet *f)
{
	uint64_t sent = 0, received = 0;

	for (size_t i = 0; i < f->n; i++)
		remote_traffic(&f->v[i], &sent, &received);
	json_put_int(doc, "sent_bytes", (int64_t)sent);
	json_put_int(doc, "received_bytes", (int64_t)received);
	if (f->skew_us >= 0)
		json_put_int(doc, "skew_us", f->skew_us);
	else
		json_put_null(doc, "skew_us");
}
