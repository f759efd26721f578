#include "fleet/start.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "fleet/cure.h"

void
start_note(struct start *s, const struct fleet *f)
{
	start_release(s);
	s->size = xcalloc(f->n, sizeof(*s->size));
	for (size_t i = 0; i < f->n; i++) {
		release_ids_add(&s->live, &f->v[i].view.current);
		s->size[i] = f->v[i].journal_size;
	}
}

void
start_release(struct start *s)
{
	release_ids_release(&s->live);
	free(s->size);
	*s = (struct start)START_INIT;
}

static bool
is_changed(const struct start *s, const struct fleet *f, size_t i)
{
	return !release_id_eq(&s->live.v[i], &f->v[i].view.current);
}

enum start_change
start_compare(const struct start *s, const struct fleet *f)
{
	enum start_change change = START_SAME;

	for (size_t i = 0; i < f->n; i++) {
		if (is_changed(s, f, i))
			return START_CHANGED;
		if (s->size[i] != f->v[i].journal_size)
			change = START_TOUCHED;
	}
	return change;
}

/* The first host that serves something else than it did. */
static const struct remote *
first_changed(const struct start *s, const struct fleet *f)
{
	for (size_t i = 0; i < f->n; i++)
		if (is_changed(s, f, i))
			return &f->v[i];
	return &f->v[0];
}

int
start_refuse(const struct start *s, const struct fleet *f,
    const struct release_id *target, struct err *e)
{
	const struct remote *r = first_changed(s, f);
	const struct release_id *now = &r->view.current;
	bool everywhere = fleet_serves(f, now);
	struct buf command = BUF_INIT;

	cure_add(f, &command, "rollback",
	    release_id_is_none(target) ? NULL : target->text);
	if (everywhere && !release_id_is_none(now))
		buf_addf(&command, " --expect %s", now->text);
	err_set(e, ERR_SUPERSEDED,
	    "while this waited, %s went live%s%s; nothing was rolled back;; to go back from it, run: %s",
	    release_id_is_none(now) ? "nothing" : now->text,
	    everywhere ? "" : " on ", everywhere ? "" : r->host->label,
	    buf_str(&command));
	buf_release(&command);
	return -1;
}
