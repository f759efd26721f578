#include "content/links.h"

#include <string.h>

enum {
	HOPS_MAX = 40, /* links on one way, as the kernel goes */
	TOLD_MAX = 5,  /* of many broken ones */
};

/* A way through the release: where it is, and what is still to go. */
struct way {
	const struct manifest *m;
	struct buf at;	 /* "": the top */
	struct buf rest; /* names and slashes */
	int hops;
};

/* Up from where it is; above the top nobody gets. */
static void
go_up(struct way *w)
{
	char *slash = w->at.len > 0 ? strrchr(w->at.data, '/') : NULL;

	if (slash == NULL) {
		buf_reset(&w->at);
		return;
	}
	*slash = '\0';
	w->at.len = (size_t)(slash - w->at.data);
}

/* Take the next name off the rest; there is none at its end. */
static void
take_name(struct way *w, struct buf *name)
{
	const char *rest = buf_str(&w->rest);
	size_t skip = strspn(rest, "/"), n = strcspn(rest + skip, "/");

	buf_reset(name);
	buf_add(name, rest + skip, n);
	buf_keep_last(&w->rest, w->rest.len - skip - n);
}

/* The link `en` is on the way: its target comes first. */
static const char *
follow(struct way *w, const struct entry *en)
{
	struct buf rest = BUF_INIT;

	if (++w->hops > HOPS_MAX)
		return "which goes round in a circle";
	buf_addf(&rest, "%s%s", en->link, buf_str(&w->rest));
	buf_release(&w->rest);
	w->rest = rest;
	go_up(w);
	return NULL;
}

/*
 * One name further.  NULL, or what is wrong; `done` where nothing more is
 * known here.
 */
static const char *
step(struct way *w, const struct buf *name, bool *done)
{
	const struct entry *en;

	if (strcmp(name->data, ".") == 0)
		return NULL;
	if (strcmp(name->data, "..") == 0) {
		go_up(w);
		return NULL;
	}
	buf_addf(&w->at, "%s%s", w->at.len > 0 ? "/" : "", name->data);
	en = manifest_find(w->m, w->at.data);
	if (en == NULL)
		return "which is not there";
	*done = en->type == ENTRY_LINK && en->mark == ENTRY_SHARED;
	if (en->type == ENTRY_LINK && !*done)
		return follow(w, en);
	if (en->type == ENTRY_FILE && strchr(buf_str(&w->rest), '/') != NULL)
		return "which is not a directory";
	return NULL;
}

/*
 * Go from the top along the path.  What is wrong with where it leads; NULL:
 * nothing, and `w` is there, or where more is not known (`done`).
 */
static const char *
walk(struct way *w, const char *path, bool *done)
{
	struct buf name = BUF_INIT;
	const char *wrong = NULL;

	*done = false;
	buf_adds(&w->rest, path);
	do {
		take_name(w, &name);
		if (name.len > 0)
			wrong = step(w, &name, done);
	} while (wrong == NULL && !*done && name.len > 0);
	buf_release(&name);
	return wrong;
}

static void
end_way(struct way *w)
{
	buf_release(&w->at);
	buf_release(&w->rest);
}

const char *
links_judge(const struct manifest *m, const struct entry *link)
{
	struct way w = { m, BUF_INIT, BUF_INIT, 0 };
	bool done;
	const char *wrong = walk(&w, link->path, &done);

	end_way(&w);
	return wrong;
}

bool
links_reach(const struct manifest *m, const char *path, struct buf *where)
{
	struct way w = { m, BUF_INIT, BUF_INIT, 0 };
	bool done, is = walk(&w, path, &done) == NULL && !done;

	buf_reset(where);
	if (is)
		buf_adds(where, buf_str(&w.at));
	end_way(&w);
	return is;
}

const struct entry *
links_follow(const struct manifest *m, const char *path)
{
	const struct entry *en = manifest_find(m, path);
	struct buf where = BUF_INIT;

	if (en != NULL && en->type != ENTRY_LINK)
		return en;
	en = links_reach(m, path, &where) ? manifest_find(m, buf_str(&where)) :
					    NULL;
	buf_release(&where);
	return en;
}

void
links_find_broken(const struct manifest *m, struct strvec *out)
{
	for (size_t i = 0; i < m->n; i++) {
		const struct entry *en = &m->v[i];
		const char *wrong = NULL;

		if (en->type == ENTRY_LINK && en->mark != ENTRY_SHARED)
			wrong = links_judge(m, en);
		if (wrong != NULL)
			strvec_addf(out, "'%s' -> '%s', %s", en->path,
			    en->link, wrong);
	}
}

void
links_tell(const struct strvec *broken, struct buf *out)
{
	size_t n = broken->n > TOLD_MAX ? TOLD_MAX - 1 : broken->n;

	for (size_t i = 0; i < n; i++)
		buf_addf(out, "%s%s", i > 0 ? "; " : "", broken->v[i]);
	if (n < broken->n)
		buf_addf(out, "; and %zu more", broken->n - n);
}
