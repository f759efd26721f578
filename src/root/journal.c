#include "root/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/json.h"
#include "os/caller.h"
#include "os/file.h"

#define JOURNAL_FILE "journal"
#define VERIFY "verify"

enum { JOURNAL_MAX = 256 * 1024 * 1024 };

static const char *const action_names[] = { "activate", "rollback", "revert",
	"sync", "bridge" };

enum { ACTIONS = sizeof(action_names) / sizeof(action_names[0]) };

const char *
journal_action_name(enum journal_action action)
{
	return action_names[action];
}

static void
line_release(struct journal_line *l)
{
	free(l->who);
	free(l->job);
	free(l->message);
	strvec_release(&l->skipped);
	release_ids_release(&l->before);
	for (size_t i = 0; i < l->n_left; i++)
		line_release(&l->left[i]);
	free(l->left);
}

void
journal_release(struct journal *j)
{
	for (size_t i = 0; i < j->n; i++)
		line_release(&j->v[i]);
	free(j->v);
	free(j->verified);
	*j = (struct journal)JOURNAL_INIT;
}

/* The id under `key`; null stands for none.  0, or -1 when it is no id. */
static int
get_id(const json_t *obj, const char *key, struct release_id *out)
{
	const char *s = json_get_string(obj, key);

	*out = release_id_none;
	return s == NULL || release_id_parse(out, s) ? 0 : -1;
}

/* The tree digest under `key`; what is none counts as not known. */
static void
get_digest(const json_t *obj, const char *key, char out[HASH_HEX + 1])
{
	const char *s = json_get_string(obj, key);

	if (s != NULL && strlen(s) == HASH_HEX &&
	    strspn(s, "0123456789abcdef") == HASH_HEX)
		memcpy(out, s, HASH_HEX + 1);
}

static int
get_action(const char *name, enum journal_action *out)
{
	for (size_t i = 0; i < ACTIONS; i++) {
		if (strcmp(name, action_names[i]) != 0)
			continue;
		*out = (enum journal_action)i;
		return 0;
	}
	return -1;
}

/* Those of the strings that are ids. */
static void
get_ids(const json_t *obj, const char *key, struct release_ids *out)
{
	struct strvec words = STRVEC_INIT;
	struct release_id id;

	json_get_strings(obj, key, &words);
	for (size_t i = 0; i < words.n; i++)
		if (release_id_parse(&id, words.v[i]))
			release_ids_add(out, &id);
	strvec_release(&words);
}

static void
put_ids(json_t *obj, const char *key, const struct release_ids *ids)
{
	json_t *arr = json_new_array();

	for (size_t i = 0; i < ids->n; i++)
		json_push_string(arr, ids->v[i].text);
	json_put(obj, key, arr);
}

/* 0, or -1 when the object is no line of a flip; what it leads to is not read. */
static int
flip_from_json(const json_t *obj, struct journal_line *l)
{
	const char *action = json_get_string(obj, "action");
	const char *time = json_get_string(obj, "time");

	if (action == NULL || time == NULL)
		return -1;
	if (get_action(action, &l->action) != 0)
		return -1;
	l->time = release_parse_time(time);
	if (l->time < 0 || get_id(obj, "from", &l->from) != 0 ||
	    get_id(obj, "to", &l->to) != 0 || release_id_is_none(&l->to))
		return -1;
	get_digest(obj, "digest", l->digest);
	get_digest(obj, "from_digest", l->from_digest);
	l->seq = json_get_int(obj, "seq", -1);
	if (l->seq < 0 || l->seq > CALLER_SEQ_MAX)
		l->seq = -1;
	l->who = xstrdup_opt(json_get_string(obj, "who"));
	l->job = xstrdup_opt(json_get_string(obj, "job"));
	l->message = xstrdup_opt(json_get_string(obj, "message"));
	json_get_strings(obj, "skipped", &l->skipped);
	return 0;
}

/* Those that are rollbacks. */
static void
get_left(const json_t *obj, struct journal_line *l)
{
	size_t n = json_count(obj, "left");

	if (n == 0)
		return;
	l->left = xcalloc(n, sizeof(*l->left));
	for (size_t i = 0; i < n; i++) {
		struct journal_line *one = &l->left[l->n_left];

		*one = (struct journal_line){ .seq = -1 };
		if (flip_from_json(json_at(obj, "left", i), one) == 0 &&
		    one->action == JOURNAL_ROLLBACK)
			l->n_left++;
		else
			line_release(one);
	}
}

/* 0, or -1 when the object is no journal line. */
static int
from_json(const json_t *obj, struct journal_line *l)
{
	if (flip_from_json(obj, l) != 0)
		return -1;
	if (l->action == JOURNAL_SYNC) {
		get_ids(obj, "before", &l->before);
		get_left(obj, l);
	}
	return 0;
}

/* Is it the line that a release was verified?  Then it is remembered. */
static bool
take_verified(struct journal *j, const json_t *obj)
{
	const char *action = json_get_string(obj, "action");
	struct journal_verified one = { .flips = j->n };

	if (action == NULL || strcmp(action, VERIFY) != 0 ||
	    get_id(obj, "to", &one.id) != 0 || release_id_is_none(&one.id))
		return false;
	j->verified = xreallocarray(j->verified, j->n_verified + 1,
	    sizeof(*j->verified));
	j->verified[j->n_verified++] = one;
	return true;
}

static void
parse_line(struct journal *j, const char *text, size_t len)
{
	struct journal_line l = { .seq = -1 };
	struct err ignored = ERR_INIT;
	json_t *obj = json_parse(text, len, JOURNAL_FILE, &ignored);

	if (obj != NULL && take_verified(j, obj)) {
		json_free(obj);
		return;
	}
	if (obj == NULL || from_json(obj, &l) != 0) {
		j->broken++;
	} else {
		if (j->n == j->cap) {
			j->cap = j->cap > 0 ? j->cap * 2 : 16;
			j->v = xreallocarray(j->v, j->cap, sizeof(*j->v));
		}
		j->v[j->n++] = l;
	}
	json_free(obj);
}

void
journal_parse(struct journal *j, const char *text, size_t len)
{
	while (len > 0) {
		const char *nl = memchr(text, '\n', len);
		size_t n = nl == NULL ? len : (size_t)(nl - text);

		if (n > 0)
			parse_line(j, text, n);
		n += nl != NULL;
		text += n;
		len -= n;
	}
}

int
journal_read(const struct store *s, struct journal *j, struct err *e)
{
	struct buf b = BUF_INIT;
	int r = file_read(&s->state, JOURNAL_FILE, JOURNAL_MAX, &b, e);

	if (r == 0)
		journal_parse(j, buf_str(&b), b.len);
	else if (e->sys == ENOENT)
		r = 0;
	buf_release(&b);
	return r;
}

int
journal_size(const struct store *s, int64_t *out, struct err *e)
{
	struct stat st;

	*out = 0;
	if (fstatat(s->state.fd, JOURNAL_FILE, &st, AT_SYMLINK_NOFOLLOW) == 0)
		*out = st.st_size;
	else if (errno != ENOENT)
		return err_sys(e, "cannot examine '%s/%s'", s->state.path,
		    JOURNAL_FILE);
	return 0;
}

static void
put_digest(json_t *obj, const char *key, const char *digest)
{
	json_put_string(obj, key, *digest != '\0' ? digest : NULL);
}

/* What every line begins with. */
static json_t *
new_line(const struct journal_line *l, const char *action)
{
	json_t *obj = json_new_object();
	char time[32];

	release_format_time(l->time, time);
	json_put_string(obj, "time", time);
	json_put_string(obj, "action", action);
	json_put_string(obj, "from",
	    !release_id_is_none(&l->from) ? l->from.text : NULL);
	json_put_string(obj, "to", l->to.text);
	return obj;
}

/* What every line has behind what it says of contents. */
static void
put_rest(json_t *obj, const struct journal_line *l)
{
	if (l->seq >= 0)
		json_put_int(obj, "seq", l->seq);
	else
		json_put_null(obj, "seq");
	json_put_string(obj, "who", l->who);
	json_put_string(obj, "job", l->job);
	json_put_string(obj, "message", l->message);
}

static json_t *
to_json(const struct journal_line *l)
{
	json_t *obj = new_line(l, action_names[l->action]);

	put_digest(obj, "digest", l->digest);
	if (l->action == JOURNAL_ROLLBACK)
		put_digest(obj, "from_digest", l->from_digest);
	put_rest(obj, l);
	if (l->skipped.n > 0)
		json_put_strings(obj, "skipped", &l->skipped);
	if (l->action == JOURNAL_SYNC)
		put_ids(obj, "before", &l->before);
	return obj;
}

void
journal_print(const struct journal_line *l, struct buf *out)
{
	json_t *obj = to_json(l);

	if (l->n_left > 0) {
		json_t *arr = json_new_array();

		for (size_t i = 0; i < l->n_left; i++)
			json_push(arr, to_json(&l->left[i]));
		/* The last key: the sh verbs look for it so. */
		json_put(obj, "left", arr);
	}
	json_write(obj, out);
	json_free(obj);
}

void
journal_print_verified(const struct journal_line *l, struct buf *out)
{
	const struct journal_line line = { .from = l->to,
		.to = l->to,
		.time = l->time,
		.seq = -1,
		.who = l->who,
		.job = l->job };
	json_t *obj = new_line(&line, VERIFY);

	put_rest(obj, &line);
	json_write(obj, out);
	json_free(obj);
}

/* Append the text and the end of the line. */
static int
append(const struct store *s, struct buf *text, struct err *e)
{
	int r;

	buf_addc(text, '\n');
	r = file_append(&s->state, JOURNAL_FILE, text->data, text->len, e);
	buf_release(text);
	return r;
}

int
journal_append_verified(const struct store *s, const struct journal_line *l,
    struct err *e)
{
	struct buf b = BUF_INIT;

	journal_print_verified(l, &b);
	return append(s, &b, e);
}

int
journal_append(const struct store *s, const struct journal_line *l,
    struct err *e)
{
	struct buf b = BUF_INIT;

	journal_print(l, &b);
	return append(s, &b, e);
}
