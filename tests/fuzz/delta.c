/*
 * Deltas: an input is an old text, a byte 0, and a new one; of the hashes of
 * the old one some may be changed, as those of a host that lies.  With the
 * right hashes the delta makes the new text; with any, it has all its bytes,
 * and names no chunk that the old one has not.
 */
#include "content/delta.h"

#include <stdio.h>
#include <string.h>

#include "base/varint.h"
#include "must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct cutter *cutter;

static void
cut(const uint8_t *text, size_t len, size_t size, struct chunks *out)
{
	cutter_begin(cutter, (int64_t)size, true, out);
	cutter_add(cutter, text, len);
	cutter_end(cutter);
}

/* The steps are all of the new text; with right hashes, it is made of them. */
static void
check(const struct delta *d, const uint8_t *old, const struct chunks *a,
    const uint8_t *new, size_t len, bool right)
{
	size_t at = 0;
	int64_t copied = 0;
	struct buf b = BUF_INIT;

	for (size_t i = 0; i < d->n; i++) {
		const struct delta_step *s = &d->v[i];
		size_t from = 0, bytes = 0;

		MUST(s->own <= len - at);
		at += s->own;
		MUST(s->bytes <= len - at);
		MUST(s->first <= a->n && s->count <= a->n - s->first);
		MUST(s->count > 0 || i == d->n - 1);
		for (size_t k = 0; k < s->first; k++)
			from += a->lengths[k];
		for (size_t k = 0; k < s->count; k++)
			bytes += a->lengths[s->first + k];
		MUST(!right ||
		    (bytes == s->bytes &&
			memcmp(old + from, new + at, bytes) == 0));
		at += s->bytes;
		copied += s->bytes;
		delta_print_own(d, i, &b);
		delta_print_run(d, i, &b);
	}
	MUST(at == len && copied == d->copied);
	MUST(delta_size(d) == (int64_t)(b.len + len) - copied);
	buf_release(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = size > 0 ? memchr(data, 0, size) : NULL;
	size_t len = end != NULL ? (size_t)(end - data) : size, rest;
	const uint8_t *new = end != NULL ? end + 1 : data;
	struct chunks a = CHUNKS_INIT, b = CHUNKS_INIT;
	struct delta d = DELTA_INIT;

	rest = size - (size_t)(new - data);
	if (cutter == NULL)
		cutter = cutter_new();
	cut(data, len, len, &a);
	cut(new, rest, len, &b);
	MUST((int64_t)a.n <= chunk_count_max((int64_t)len));
	delta_make(&d, (const uint8_t(*)[CHUNK_HASH])a.hashes, a.n, &b);
	check(&d, data, &a, new, rest, true);
	for (size_t i = 0; i < a.n && i < b.n; i += 2)
		memcpy(a.hashes[a.n - 1 - i], b.hashes[i], CHUNK_HASH);
	delta_make(&d, (const uint8_t(*)[CHUNK_HASH])a.hashes, a.n, &b);
	check(&d, data, &a, new, rest, false);
	delta_release(&d);
	chunks_release(&a);
	chunks_release(&b);
	return 0;
}
