#include "content/dictionary.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "content/dcz.h"
#include "content/decode.h"
#include "content/encode.h"
#include "unit.h"

/* Names that differ in a hash, and names that do not. */
static void
test_versions(void)
{
	static const struct {
		const char *a, *b;
		bool is;
	} t[] = {
		{ "app.1a2b3c4d.js", "app.9f8e7d6c.js", true },
		{ "a/index-BxYz12_a.js", "a/index-Q-pz98Kb.js", true },
		{ "main.min.0123456789abcdef.css",
		    "main.min.fedcba9876543210.css", true },
		{ "B1z2y3.js", "Q7w8e9.js", true },
		{ "assets/123abc", "assets/456def", true },
		{ "app-settings.js", "app-sessions.js", true },
		{ "app.1a2b3c4d.js", "app.1a2b3c4d.js", false },
		{ "app.1a2b3c4d.js", "app.9f8e7d6c1.js", false },
		{ "app.1a2b3c4d.js", "lib.9f8e7d6c.js", false },
		{ "a/1a2b3c4d.js", "b/9f8e7d6c.js", false },
		{ "app.1a2b3c4d.js", "app.9f8e7d6c.ts", false },
		{ "chapter1.js", "chapter2.js", false },
		{ "ab.12.js", "ab.34.js", false },
		{ "main.js", "menu.js", false },
		{ "app.1a2b3c4d.js", "app.9f8e.d6c.js", false },
		{ "aaaaaaaa/x", "aaaa/aaa/x", false },
		{ "", "", false },
		{ "a", "b", false },
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(*t); i++) {
		CHECK(dictionary_is_version(t[i].a, t[i].b) == t[i].is);
		CHECK(dictionary_is_version(t[i].b, t[i].a) == t[i].is);
	}
}

/* Each byte of a hash comes back, and no name has a slash of its own. */
static void
test_names_there_and_back(void)
{
	for (unsigned int i = 0; i < 256; i++) {
		uint8_t hash[HASH_LEN], back[HASH_LEN];
		char *path, *available;

		for (size_t k = 0; k < HASH_LEN; k++)
			hash[k] = (uint8_t)(i * (k % 3 + 1) + k * (i & 1));
		path = dcz_path("d/app.js", hash);
		available = dcz_available(hash);
		CHECK(strlen(path) == 8 + 1 + 43 + 4);
		CHECK(strchr(path + 2, '/') == NULL);
		CHECK(dcz_of_path(path, back) == 8);
		CHECK(memcmp(hash, back, HASH_LEN) == 0);
		CHECK(form_of_path(path) == 8);
		CHECK(strlen(available) == 46 && available[44] == '=');
		for (size_t k = 0; k < 43; k++)
			CHECK(path[9 + k] == available[1 + k] ||
			    (path[9 + k] == '_' && available[1 + k] == '/'));
		free(path);
		free(available);
	}
}

#define H43 "pZGm1Av0IEBKARczz7exkNYsZb8LzaMrV7J32a2fFG4"

static void
test_names(void)
{
	static const struct {
		const char *path;
		size_t len, form;
	} t[] = {
		{ "a." H43 ".dcz", 1, 1 },
		{ "d/a.b." H43 ".dcz", 5, 5 },
		{ "a" H43 ".dcz", 0, 0 },
		{ "." H43 ".dcz", 0, 0 },
		{ "d/." H43 ".dcz", 0, 0 },
		{ "d/" H43 ".dcz", 0, 0 },
		{ H43 ".dcz", 0, 0 },
		{ "a." H43, 0, 0 },
		{ "a.b." H43 ".DCZ", 0, 0 },
		{ "a.=" H43 ".dcz", 0, 0 },
		{ "a.pZGm1Av0IEBKARczz7exkNYsZb8LzaMrV7J32a2f/G4.dcz", 0, 0 },
		{ "a.pZGm1Av0IEBKARczz7exkNYsZb8LzaMrV7J32a2f-G4.dcz", 0, 0 },
		{ "a.pZGm1Av0IEBKARczz7exkNYsZb8LzaMrV7J32a2fFG5.dcz", 0, 0 },
		{ "a.pZGm1Av0IEBKARczz7exkNYsZb8LzaMrV7J32a2fFG=.dcz", 0, 0 },
		{ "a.pZGm1Av0IEBKARczz7exkNYsZb8LzaMrV7J32a2fF 4.dcz", 0, 0 },
		{ "a.x.dcz", 0, 0 },
		{ ".dcz", 0, 0 },
		{ "a.gz", 0, 1 },
		{ "a.js", 0, 0 },
	};
	uint8_t hash[HASH_LEN];

	for (size_t i = 0; i < sizeof(t) / sizeof(*t); i++) {
		CHECK(dcz_of_path(t[i].path, hash) == t[i].len);
		CHECK(form_of_path(t[i].path) == t[i].form);
	}
}

static int
into_buf(void *ctx, const void *data, size_t len, struct err *e)
{
	(void)e;
	buf_add(ctx, data, len);
	return 0;
}

static void
encode(const struct buf *from, const struct buf *in, struct buf *out)
{
	struct encoder *c = encoder_new_against(from->data, from->len,
	    (int64_t)in->len, into_buf, out);
	struct err e = ERR_INIT;

	CHECK(encoder_add(c, in->data, in->len, &e) == 0);
	CHECK(encoder_end(c, &e) == 0);
	encoder_free(c);
}

static int
decode(const struct buf *from, const struct buf *in, struct buf *out)
{
	struct decoder *d =
	    decoder_new_against(from->data, from->len, into_buf, out);
	struct err e = ERR_INIT;
	int r = decoder_add(d, in->data, in->len, &e);

	if (r == 0)
		r = decoder_end(d, &e);
	decoder_free(d);
	return r;
}

static void
fill(struct buf *b, size_t len)
{
	uint64_t x = 88172645463325252U;

	buf_reserve(b, len + sizeof(x));
	while (b->len < len) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		buf_add(b, &x, sizeof(x));
	}
	b->len = len;
}

/*
 * Noise that nothing can be saved of without the dictionary, and nearly all with
 * it, from its first byte on; and without it the bytes do not come back.
 */
static void
test_there_and_back(void)
{
	const size_t sizes[] = { 1000, 65536, 200001, 3000000 };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		struct buf from = BUF_INIT, in = BUF_INIT, out = BUF_INIT;
		struct buf again = BUF_INIT, back = BUF_INIT, none = BUF_INIT;

		fill(&from, sizes[i]);
		buf_adds(&in, "begin");
		buf_add(&in, from.data, from.len);
		buf_adds(&in, "end");
		encode(&from, &in, &out);
		encode(&from, &in, &again);
		CHECK(out.len == again.len &&
		    memcmp(out.data, again.data, out.len) == 0);
		CHECK(out.len < 100 + sizes[i] / 1000);
		CHECK(decode(&from, &out, &back) == 0);
		CHECK(in.len == back.len &&
		    memcmp(in.data, back.data, in.len) == 0);
		buf_reset(&back);
		buf_adds(&none, "other");
		CHECK(decode(&none, &out, &back) != 0 || back.len != in.len ||
		    memcmp(in.data, back.data, in.len) != 0);
		buf_release(&from);
		buf_release(&in);
		buf_release(&out);
		buf_release(&again);
		buf_release(&back);
		buf_release(&none);
	}
}

UNIT_MAIN(UNIT(test_versions), UNIT(test_names_there_and_back),
    UNIT(test_names), UNIT(test_there_and_back))
