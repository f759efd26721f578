#include "fleet/drift.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "fleet/cure.h"
#include "fleet/vote.h"

enum {
	NAMED_MAX = 3,	/* releases of a host that are named */
	DIGEST_LEN = 12 /* of a digest, as it is shown */
};

static const char *
live(const struct remote *r)
{
	return !release_id_is_none(&r->view.current) ? r->view.current.text :
						       "nothing";
}

static const char *
previous(const struct remote *r)
{
	const struct release_id *id = view_previous(&r->view);

	return id != NULL ? id->text : "nothing";
}

/* Of what is live; as far as it is known. */
static const char *
content(const struct remote *r)
{
	const struct meta *meta = remote_meta(r, &r->view.current);

	return meta != NULL ? meta->digest : "unknown content";
}

static const char *
freeze(const struct remote *r)
{
	return r->frozen ? "yes" : "no";
}

/* Add " on HOST, HOST" for the hosts with the value; they are done then. */
static void
add_hosts(const struct fleet *f, const char *(*get)(const struct remote *r),
    const char *value, bool *done, struct buf *out)
{
	const char *sep = " on ";

	for (size_t i = 0; i < f->n; i++) {
		if (done[i] || strcmp(get(&f->v[i]), value) != 0)
			continue;
		buf_addf(out, "%s%s", sep, f->v[i].host->label);
		sep = ", ";
		done[i] = true;
	}
}

/*
 * " VALUE on HOST, HOST; VALUE on HOST", with at most `len` bytes of a value.
 * How many values there are.
 */
static size_t
group(const struct fleet *f, const char *(*get)(const struct remote *r),
    int len, struct buf *out)
{
	bool *done = xcalloc(f->n + 1, sizeof(*done));
	size_t values = 0;

	for (size_t i = 0; i < f->n; i++)
		done[i] = f->v[i].failed;
	for (size_t i = 0; i < f->n; i++) {
		if (done[i])
			continue;
		buf_addf(out, "%s %.*s", values++ > 0 ? ";" : "", len,
		    get(&f->v[i]));
		add_hosts(f, get, get(&f->v[i]), done, out);
	}
	free(done);
	return values;
}

/* "WHAT: VALUE on HOST, HOST; VALUE on HOST", when there are several. */
static void
compare(const struct fleet *f, const char *what,
    const char *(*get)(const struct remote *r), struct strvec *out)
{
	struct buf b = BUF_INIT;

	if (group(f, get, INT_MAX, &b) > 1)
		strvec_addf(out, "%s:%s", what, b.data);
	buf_release(&b);
}

size_t
drift_live(const struct fleet *f, struct buf *out)
{
	return group(f, live, INT_MAX, out);
}

/* Do all serve one id, but not one content?  Adds which on which hosts. */
static bool
differ_in_content(const struct fleet *f, struct buf *out)
{
	struct buf ids = BUF_INIT;
	bool differ = group(f, live, INT_MAX, &ids) == 1 &&
	    group(f, content, DIGEST_LEN, out) > 1;

	buf_release(&ids);
	return differ;
}

/* Which of the releases that all need the host lacks. */
static void
find_missing(const struct remote *r, const struct release_ids *all,
    struct strvec *out)
{
	struct buf b = BUF_INIT;
	size_t n = 0;

	for (size_t i = all->n; i-- > 0;) {
		if (release_ids_has(&r->view.ids, &all->v[i]))
			continue;
		if (++n <= NAMED_MAX)
			buf_addf(&b, "%s%s", n > 1 ? ", " : "",
			    all->v[i].text);
	}
	if (n > NAMED_MAX)
		buf_addf(&b, " and %zu more", n - NAMED_MAX);
	if (n > 0)
		strvec_addf(out, "%s lacks %s",
		    *r->host->label != '\0' ? r->host->label : "the root",
		    b.data);
	buf_release(&b);
}

void
drift_find(const struct fleet *f, struct strvec *out)
{
	struct release_ids all = RELEASE_IDS_INIT;
	struct err ignored = ERR_INIT;
	struct buf digests = BUF_INIT;

	compare(f, "live", live, out);
	if (differ_in_content(f, &digests))
		strvec_addf(out, "content:%s", digests.data);
	compare(f, "previous", previous, out);
	vote_needed(f, vote_reference(f, &ignored), &all);
	for (size_t i = 0; i < f->n; i++)
		if (!f->v[i].failed)
			find_missing(&f->v[i], &all, out);
	compare(f, "frozen", freeze, out);
	buf_release(&digests);
	release_ids_release(&all);
}

/* Has no host the release, which is live? */
static bool
is_lost(const struct fleet *f, const struct release_id *id)
{
	for (size_t i = 0; i < f->n; i++)
		if (release_ids_has(&f->v[i].view.ids, id))
			return false;
	return !release_id_is_none(id);
}

/* The command that freezes all hosts as the first that is frozen. */
static void
add_freeze(const struct fleet *f, struct err *e)
{
	const struct remote *r = f->v;
	struct buf verb = BUF_INIT;
	int64_t left;

	while (r + 1 < f->v + f->n && !r->frozen)
		r++;
	left = r->freeze.until - clock_now();
	buf_adds(&verb, "freeze");
	if (left > 0)
		buf_addf(&verb, " --for %lldm",
		    (long long)(left + 59999) / 60000);
	if (r->freeze.why != NULL)
		buf_adds(&verb, " -m");
	cure_append(f, e, buf_str(&verb), r->freeze.why);
	buf_release(&verb);
}

int
drift_refuse_freezes(const struct fleet *f, struct err *e)
{
	err_set(e, ERR_DIFFER,
	    "all hosts serve the same, but only some are frozen;; to freeze all, run: ");
	add_freeze(f, e);
	err_append(e, ", or: ");
	return cure_append(f, e, "thaw", NULL);
}

int
drift_refuse_content(const struct fleet *f, struct err *e)
{
	struct buf digests = BUF_INIT;
	bool differ = differ_in_content(f, &digests);

	buf_release(&digests);
	if (!differ)
		return 0;
	err_set(e, ERR_DIFFER,
	    "the hosts serve one release whose content differs, as it was adopted so;; to make them alike, run: ");
	return cure_append(f, e, "publish", NULL);
}

/* Was the host left out of the freeze of another one?  Then a sync freezes it. */
static bool
missed_freeze(const struct fleet *f, const struct remote *r)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->v[i].frozen &&
		    strvec_has(&f->v[i].freeze.skipped, r->host->label))
			return true;
	return false;
}

/* Do hosts differ in nothing else, and not because one was left out? */
static bool
only_freezes_differ(const struct fleet *f)
{
	struct strvec lines = STRVEC_INIT;
	bool thawed = false, only;

	drift_find(f, &lines);
	only = lines.n == 1 && strncmp(lines.v[0], "frozen:", 7) == 0;
	for (size_t i = 0; i < f->n; i++)
		thawed |= !f->v[i].failed && !f->v[i].frozen &&
		    !missed_freeze(f, &f->v[i]);
	strvec_release(&lines);
	return only && thawed;
}

char *
drift_cure(const struct fleet *f)
{
	static const char anew[] = "activate one of 'deploy list', or publish";
	struct buf b = BUF_INIT, whole = BUF_INIT;
	struct err why = ERR_INIT;
	const struct remote *reference;

	if (drift_refuse_content(f, &why) != 0) {
		buf_adds(&b, err_cure(&why));
		buf_release(&whole);
		return buf_detach(&b);
	}
	reference = vote_reference(f, &why);
	if (reference != NULL && is_lost(f, &reference->view.current)) {
		buf_adds(&b, cure_complete(f->caller, anew, &whole));
	} else if (reference == NULL && why.code == ERR_DIFFER) {
		buf_adds(&b, err_cure(&why));
	} else if (only_freezes_differ(f)) {
		err_ignore(drift_refuse_freezes(f, &why));
		buf_adds(&b, err_cure(&why));
	} else {
		buf_adds(&b, "run: ");
		cure_add(f, &b, "sync", NULL);
	}
	buf_release(&whole);
	return buf_detach(&b);
}
