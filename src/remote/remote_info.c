#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/number.h"
#include "content/encode.h"
#include "host/wire.h"
#include "remote/ask.h"
#include "remote/remote.h"

void
remote_forget(struct remote *r)
{
	for (size_t i = 0; r->metas != NULL && i < r->view.ids.n; i++)
		meta_release(&r->metas[i]);
	for (size_t i = 0; i < r->n_stages; i++)
		lock_note_release(&r->stages[i].note);
	free(r->stages);
	free(r->metas);
	freeze_release(&r->freeze);
	strvec_release(&r->drift);
	previews_release(&r->previews);
	free(r->locked);
	free(r->version);
	free(r->place);
	free(r->limited);
	r->metas = NULL;
	r->stages = NULL;
	r->n_stages = 0;
	r->locked = r->version = r->place = r->limited = NULL;
	r->digest[0] = '\0';
	r->seq = -1;
	r->latest = release_id_none;
	r->verified = false;
	r->prepared = r->frozen = r->cannot_link = r->full = r->stale = false;
	r->freeze_told = false;
	r->has_zstd = r->has_gzip = r->has_delta = r->has_bridge = false;
	r->makes_gzip = false;
	r->room = (struct guard_room){ -1, -1 };
	view_release(&r->view);
}

/* "ID<TAB>META": a release, oldest first. */
static void
add_release(struct remote *r, char *value)
{
	char *tab = strchr(value, '\t');
	struct release_id id;
	struct meta meta = META_INIT;
	struct err ignored = ERR_INIT;

	if (tab == NULL)
		return;
	*tab = '\0';
	if (!release_id_parse(&id, value))
		return;
	err_ignore(
	    meta_parse(tab + 1, strlen(tab + 1), "meta", &meta, &ignored));
	release_ids_add(&r->view.ids, &id);
	r->metas = xreallocarray(r->metas, r->view.ids.n, sizeof(*r->metas));
	r->metas[r->view.ids.n - 1] = meta;
}

/* "ID<TAB>NOTE": a stage that is under way. */
static void
add_stage(struct remote *r, const char *value)
{
	struct remote_stage *st;
	struct release_id id;
	const char *tab = release_id_scan(&id, value);

	if (tab == NULL || *tab != '\t')
		return;
	r->stages =
	    xreallocarray(r->stages, r->n_stages + 1, sizeof(*r->stages));
	st = &r->stages[r->n_stages++];
	st->id = id;
	lock_note_parse(&st->note, tab + 1, strlen(tab + 1));
}

/* "BYTES<TAB>INODES" that are free there. */
static void
read_free(struct remote *r, const char *value)
{
	const char *tab = number_scan(value, 0, INT64_MAX, &r->room.bytes);

	if (tab != NULL && *tab == '\t')
		r->room.inodes = number_or(tab + 1, 0, INT64_MAX, -1);
}

/* What it can, in a word. */
static void
read_has(struct remote *r, const char *word)
{
	const size_t len = strlen(WIRE_MAKES_GZIP);

	r->has_zstd |= strcmp(word, "zstd") == 0;
	r->has_gzip |= strcmp(word, "gzip") == 0;
	r->has_delta |= strcmp(word, "delta") == 0;
	r->has_bridge |= strcmp(word, "bridge") == 0;
	r->makes_gzip |= strncmp(word, WIRE_MAKES_GZIP, len) == 0 &&
	    strcmp(word + len, encoder_gzip_version()) == 0;
}

static void
on_info(void *ctx, const char *key, const char *value)
{
	struct remote *r = ctx;

	if (strcmp(key, "prepared") == 0) {
		r->prepared = strcmp(value, "1") == 0;
	} else if (strcmp(key, "version") == 0) {
		free(r->version);
		r->version = xstrdup(value);
		r->script = strcmp(value, "sh") == 0;
	} else if (strcmp(key, "limited") == 0) {
		free(r->limited);
		r->limited = xstrdup(value);
	} else if (strcmp(key, "place") == 0) {
		free(r->place);
		r->place = xstrdup(value);
	} else if (strcmp(key, "locked") == 0) {
		free(r->locked);
		r->locked = xstrdup(value);
	} else if (strcmp(key, "stage") == 0) {
		add_stage(r, value);
	} else if (strcmp(key, "preview") == 0) {
		previews_parse(&r->previews, value);
	} else if (strcmp(key, "current") == 0) {
		(void)release_id_parse(&r->view.current, value);
	} else if (strcmp(key, "bridge") == 0) {
		(void)release_id_parse(&r->view.bridge, value);
	} else if (strcmp(key, "latest") == 0) {
		(void)release_id_parse(&r->latest, value);
	} else if (strcmp(key, "digest") == 0) {
		snprintf(r->digest, sizeof(r->digest), "%s", value);
	} else if (strcmp(key, "seq") == 0) {
		r->seq = number_or(value, 0, INT64_MAX, -1);
	} else if (strcmp(key, "verified") == 0) {
		r->verified = strcmp(value, "1") == 0;
	} else if (strcmp(key, "frozen") == 0) {
		r->frozen = strcmp(value, "1") == 0;
	} else if (strcmp(key, "freeze") == 0) {
		r->freeze_told = true;
		freeze_release(&r->freeze);
		(void)freeze_parse(value, strlen(value), &r->freeze);
	} else if (strcmp(key, "difference") == 0) {
		strvec_add(&r->drift, value);
	} else if (strcmp(key, "journal-size") == 0) {
		r->journal_size = number_or(value, 0, INT64_MAX, -1);
	} else if (strcmp(key, "has") == 0) {
		read_has(r, value);
	} else if (strcmp(key, "links") == 0) {
		r->cannot_link = strcmp(value, "0") == 0;
	} else if (strcmp(key, "free") == 0) {
		read_free(r, value);
	} else if (strcmp(key, "release") == 0) {
		char *copy = xstrdup(value);

		add_release(r, copy);
		free(copy);
	} else if (strcmp(key, "journal") == 0) {
		journal_parse(&r->view.journal, value, strlen(value));
	}
}

/* Hear the answer; to look for drift may take longer than an answer. */
static int
hear(struct remote *r, struct err *e)
{
	int64_t timeout = ask_answer_ms(r);
	struct wire_line l;
	int c;

	while ((c = ask_line(r, &l, timeout, e)) > 0) {
		if (strcmp(l.key, "drift") == 0)
			timeout = ask_work_ms(r);
		on_info(r, l.key, l.value);
	}
	return c;
}

int
remote_info(struct remote *r, enum remote_question q, const char *digest,
    struct err *e)
{
	struct strvec args = STRVEC_INIT;
	int c;

	remote_forget(r);
	if (q != REMOTE_STATE)
		strvec_add(&args, "--full");
	if (q == REMOTE_ALL_UNLESS)
		strvec_addf(&args, "--unless=%s", digest);
	if (q == REMOTE_DRIFT)
		strvec_add(&args, "--drift");
	if (r->settle)
		strvec_add(&args, "--sync");
	c = ask(r, "info", &args, e) == 0 ? hear(r, e) : -1;
	strvec_release(&args);
	if (c != 0)
		return -1;
	r->full = q == REMOTE_ALL || q == REMOTE_DRIFT ||
	    (q == REMOTE_ALL_UNLESS && strcmp(r->digest, digest) != 0);
	history_release(&r->view.history);
	history_init(&r->view.history, &r->view.journal, &r->view.current);
	return 0;
}

void
remote_learn(struct remote *r, const struct meta *meta)
{
	size_t at = 0, n = r->view.ids.n;

	release_ids_add(&r->view.ids, &meta->id);
	release_ids_sort(&r->view.ids);
	while (!release_id_eq(&r->view.ids.v[at], &meta->id))
		at++;
	r->metas = xreallocarray(r->metas, n + 1, sizeof(*r->metas));
	memmove(&r->metas[at + 1], &r->metas[at],
	    (n - at) * sizeof(*r->metas));
	meta_copy(&r->metas[at], meta);
	if (release_id_cmp(&meta->id, &r->latest) > 0)
		r->latest = meta->id;
}

/* The same for changes. */
static struct meta *
own_meta(struct remote *r, const struct release_id *id)
{
	for (size_t i = 0; r->metas != NULL && i < r->view.ids.n; i++)
		if (release_id_eq(&r->view.ids.v[i], id))
			return &r->metas[i];
	return NULL;
}

const struct meta *
remote_meta(const struct remote *r, const struct release_id *id)
{
	for (size_t i = 0; r->metas != NULL && i < r->view.ids.n; i++)
		if (release_id_eq(&r->view.ids.v[i], id))
			return &r->metas[i];
	return NULL;
}

bool
remote_is_bridge(const struct remote *r, const struct release_id *id)
{
	const struct meta *meta = remote_meta(r, id);

	return meta != NULL && !release_id_is_none(&meta->bridge);
}

enum pack_compression
remote_compression(const struct remote *r)
{
	return r->has_zstd ? PACK_ZSTD : r->has_gzip ? PACK_GZIP : PACK_PLAIN;
}

int
remote_note(struct remote *r, const struct release_id *id, int64_t seq,
    const char *commit, struct err *e)
{
	struct meta *meta = own_meta(r, id);
	bool live = release_id_eq(&r->view.current, id);
	int64_t known = meta != NULL ? meta->seq : live ? r->seq : -1;
	struct strvec args = STRVEC_INIT;
	int c;

	if (seq <= known)
		return 0;
	strvec_addf(&args, "--id=%s", id->text);
	strvec_addf(&args, "--seq=%lld", (long long)seq);
	if (commit != NULL)
		strvec_addf(&args, "--commit=%s", commit);
	c = ask_all(r, "note", &args, NULL, NULL, e);
	strvec_release(&args);
	if (c == 0 && meta != NULL)
		meta->seq = seq;
	if (c == 0 && live)
		r->seq = seq;
	return c;
}
