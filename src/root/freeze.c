#include "root/freeze.h"

#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/release.h"
#include "os/file.h"

#define FROZEN "frozen"

enum { FROZEN_MAX = 65536 };

void
freeze_release(struct freeze *f)
{
	free(f->who);
	free(f->why);
	strvec_release(&f->skipped);
	*f = (struct freeze)FREEZE_INIT;
}

/* A time under `key`; 0 when there is none. */
static int64_t
get_time(const json_t *j, const char *key)
{
	const char *s = json_get_string(j, key);
	int64_t ms = s == NULL ? 0 : release_parse_time(s);

	return ms < 0 ? 0 : ms;
}

int
freeze_parse(const char *text, size_t len, struct freeze *out)
{
	struct err bad = ERR_INIT;
	json_t *j = json_parse(text, len, FROZEN, &bad);

	if (j == NULL)
		return -1;
	out->who = xstrdup_opt(json_get_string(j, "who"));
	out->why = xstrdup_opt(json_get_string(j, "why"));
	out->since = get_time(j, "since");
	out->until = get_time(j, "until");
	json_get_strings(j, "skipped", &out->skipped);
	json_free(j);
	return 0;
}

int
freeze_read(const struct store *s, struct freeze *out, struct err *e)
{
	struct buf b = BUF_INIT;

	if (file_read(&s->state, FROZEN, FROZEN_MAX, &b, e) != 0) {
		buf_release(&b);
		return e->sys == ENOENT ? 0 : -1;
	}
	(void)freeze_parse(buf_str(&b), b.len, out);
	buf_release(&b);
	if (out->until == 0 || clock_now() < out->until)
		return 1;
	freeze_release(out);
	return 0;
}

int
freeze_refuse(const char *root, const struct freeze *f, struct err *e)
{
	char since[32], until[32];

	release_format_time(f->since, since);
	release_format_time(f->until, until);
	return err_set(e, ERR_LOCKED,
	    "'%s' is frozen by %s since %s%s%s%s%s;; run 'deploy thaw' when it may change again, or use --override=freeze",
	    root, f->who != NULL ? f->who : "somebody", since,
	    f->until != 0 ? " until " : "", f->until != 0 ? until : "",
	    f->why != NULL ? ": " : "", f->why != NULL ? f->why : "");
}

void
freeze_print(const struct freeze *f, struct buf *out)
{
	json_t *j = json_new_object();
	char text[32];

	json_put_string(j, "who", f->who);
	json_put_string(j, "why", f->why);
	release_format_time(f->since, text);
	json_put_string(j, "since", text);
	release_format_time(f->until, text);
	json_put_string(j, "until", f->until != 0 ? text : NULL);
	if (f->skipped.n > 0)
		json_put_strings(j, "skipped", &f->skipped);
	json_write(j, out);
	json_free(j);
}

int
freeze_write(const struct store *s, const struct freeze *f, struct err *e)
{
	struct buf b = BUF_INIT;
	int r;

	freeze_print(f, &b);
	buf_addc(&b, '\n');
	r = file_publish(&s->state, FROZEN, b.data, b.len, e);
	buf_release(&b);
	return r;
}

int
freeze_end(const struct store *s, struct err *e)
{
	return file_remove(&s->state, FROZEN, e);
}
