/*
 * Packs for the fuzz target of `receive`, as recipes: a short text that says
 * what a pack has, from which the pack is made with right checksums, sizes
 * and digests.  So a change of the text changes what a host has to judge (a
 * name, a mode, an origin), not whether a tar header can be read.  One thing
 * a line, its fields "k=value", other bytes than letters as \ooo:
 *
 *	pack c=plain|gzip|zstd [z=bytes to cut off] [a=--option=of-the-request]
 *	man  [h=first line] [x=a line more]
 *	meta [i=id q=seq b=pinned n=files B=bytes t=mtime D=digest w=who j=job
 *	      c=commit m=message x=a member more], each a JSON value
 *	f    p=path [m=mode t=mtime d=content g=tags]	a file
 *	d, l, h						a directory, a symbolic
 *			link (l=target), a hard link (l=target, d=content)
 *	raw  d=bytes that stand in the tar
 *	rule r=set u=old v=new		with c=edits, as what follows
 *	at   r=place d=bytes that stand there instead, in the text of the edits
 *
 * With c=edits the pack is edits of the release BASE, and e tells where the
 * content of a file is from: b (a file of the base: of the same path, or l),
 * o (the same path of the base, named as another release), w (it travels), z
 * (gzip makes it of the one beside it), 0 to 7 (that set of rules makes it of such a file of the base).
 *
 * Whatever the manifest and the tar say is the same, but for: P M T L S y
 * (path, mode, mtime, link, size, type) in the tar only; s k x (size, digest,
 * text more) in the manifest only; o=m, o=t or o=d: the entry is only in the
 * manifest, only in the tar, or on the disk of the host (and the manifest).
 */
#ifndef RECIPE_H
#define RECIPE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/hash.h"
#include "base/varint.h"
#include "content/edits.h"
#include "content/manifest.h"
#include "host/wire.h"

#define RECIPE_MAGIC "pack "

enum { RECIPE_LINES = 32, RECIPE_FIELDS = 16, RECIPE_VALUE = 600 };

struct recipe_field {
	char key;
	char *value;		/* bytes, with a NUL behind */
	size_t len;
};

struct recipe_line {
	char *kind;
	struct recipe_field v[RECIPE_FIELDS];
	size_t n;
};

struct recipe {
	struct recipe_line v[RECIPE_LINES];
	size_t n;
};

static inline void
recipe_release(struct recipe *r)
{
	for (size_t i = 0; i < r->n; i++) {
		for (size_t k = 0; k < r->v[i].n; k++)
			free(r->v[i].v[k].value);
		free(r->v[i].kind);
	}
	r->n = 0;
}

static inline bool
recipe_is(const uint8_t *data, size_t size)
{
	return size >= strlen(RECIPE_MAGIC) &&
	    memcmp(data, RECIPE_MAGIC, strlen(RECIPE_MAGIC)) == 0;
}

static inline void
recipe_set(struct recipe_line *l, char key, const void *value, size_t len)
{
	struct recipe_field *f = NULL;

	for (size_t i = 0; i < l->n; i++)
		if (l->v[i].key == key && key != 'a')
			f = &l->v[i];
	if (f == NULL && l->n == RECIPE_FIELDS)
		return;
	if (f == NULL)
		f = &l->v[l->n++];
	else
		free(f->value);
	f->key = key;
	f->len = len < RECIPE_VALUE ? len : RECIPE_VALUE;
	f->value = xstrndup("", 0);
	f->value = xreallocarray(f->value, f->len + 1, 1);
	if (f->len > 0)
		memcpy(f->value, value, f->len);
	f->value[f->len] = '\0';
}

/* The value of a field in the words of a line, its escapes undone. */
static inline void
recipe_parse_field(struct recipe_line *l, const char *s, size_t len)
{
	char value[RECIPE_VALUE];
	size_t n = 0;

	if (len < 2 || s[1] != '=')
		return;
	for (size_t i = 2; i < len && n < sizeof(value); i++) {
		if (s[i] == '\\' && len - i >= 4) {
			value[n++] = (char)((s[i + 1] & 3) << 6 |
			    (s[i + 2] & 7) << 3 | (s[i + 3] & 7));
			i += 3;
		} else {
			value[n++] = s[i];
		}
	}
	recipe_set(l, s[0], value, n);
}

static inline void
recipe_parse(struct recipe *r, const uint8_t *data, size_t size)
{
	const char *s = (const char *)data, *end = s + size;

	r->n = 0;
	while (s < end && r->n < RECIPE_LINES) {
		struct recipe_line *l = &r->v[r->n];
		const char *nl = memchr(s, '\n', (size_t)(end - s));
		const char *stop = nl != NULL ? nl : end;

		*l = (struct recipe_line){ NULL, { { 0, NULL, 0 } }, 0 };
		while (s < stop) {
			const char *sp = memchr(s, ' ', (size_t)(stop - s));
			size_t len = (size_t)((sp != NULL ? sp : stop) - s);

			if (l->kind == NULL)
				l->kind = xstrndup(s, len < 8 ? len : 8);
			else
				recipe_parse_field(l, s, len);
			s += len + (sp != NULL);
		}
		r->n += l->kind != NULL;
		s = stop + (nl != NULL);
	}
}

static inline void
recipe_print(const struct recipe *r, struct buf *out)
{
	for (size_t i = 0; i < r->n; i++) {
		buf_adds(out, r->v[i].kind);
		for (size_t k = 0; k < r->v[i].n; k++) {
			const struct recipe_field *f = &r->v[i].v[k];

			buf_addf(out, " %c=", f->key);
			for (size_t b = 0; b < f->len; b++) {
				unsigned char c = (unsigned char)f->value[b];

				if (c > ' ' && c < 0x7f && c != '\\')
					buf_addc(out, (char)c);
				else
					buf_addf(out, "\\%03o", c);
			}
		}
		buf_addc(out, '\n');
	}
}

static inline const struct recipe_field *
recipe_find(const struct recipe_line *l, char key)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->v[i].key == key)
			return &l->v[i];
	return NULL;
}

/* The text of a field, or `otherwise`. */
static inline const char *
recipe_text(const struct recipe_line *l, char key, const char *otherwise)
{
	const struct recipe_field *f = recipe_find(l, key);

	return f != NULL ? f->value : otherwise;
}

static inline bool
recipe_only(const struct recipe_line *l, char where)
{
	return recipe_text(l, 'o', "")[0] == where;
}

/* Making the pack. */

/* What is in a release that is there: the same for all hard links. */
#define RECIPE_SAME "p { margin: 0 }"

static inline bool
recipe_is_entry(const struct recipe_line *l)
{
	return strlen(l->kind) == 1 && strchr("fdlh", l->kind[0]) != NULL;
}

static inline void
recipe_escape(struct buf *b, const char *s, size_t len)
{
	buf_reserve(b, 4 * len);
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];

		if ((c >= '+' && c <= '9') || (c >= 'A' && c <= 'Z') ||
		    c == '_' || (c >= 'a' && c <= 'z'))
			buf_addc(b, (char)c);
		else
			buf_addf(b, "\\%03o", c);
	}
}

static inline const char *
recipe_mode(const struct recipe_line *l)
{
	char k = l->kind[0];

	return recipe_text(l, 'm',
	    k == 'd' ? "0755" : k == 'l' ? "0777" : "0644");
}

/* The content of a file, and its digest in hexadecimal. */
static inline const char *
recipe_content(const struct recipe_line *l, size_t *len, struct hash *h,
    char hex[HASH_HEX + 1])
{
	const struct recipe_field *d = recipe_find(l, 'd');
	const char *text = d != NULL ? d->value :
	    l->kind[0] == 'h'	     ? RECIPE_SAME :
				       "";
	uint8_t digest[HASH_LEN];

	*len = d != NULL ? d->len : strlen(text);
	hash_add(h, text, *len);
	hash_end(h, digest);
	hash_hex(digest, hex);
	return text;
}

/* An entry's line of the manifest. */
static inline void
recipe_manifest_line(const struct recipe_line *l, struct hash *h,
    struct buf *out)
{
	const struct recipe_field *p = recipe_find(l, 'p');
	const struct recipe_field *link = recipe_find(l, 'l');
	char hex[HASH_HEX + 1];
	char k = l->kind[0];
	size_t len;

	recipe_content(l, &len, h, hex);
	buf_adds(out, "./");
	if (p != NULL)
		recipe_escape(out, p->value, p->len);
	buf_addf(out, " type=%s mode=%s",
	    k == 'd'	 ? "dir" :
		k == 'l' ? "link" :
			   "file",
	    recipe_mode(l));
	if (k != 'd')
		buf_addf(out, " time=%s.0", recipe_text(l, 't', "1700000000"));
	if (k == 'f' || k == 'h') {
		char size[32];

		snprintf(size, sizeof(size), "%zu", len);
		buf_addf(out, " size=%s", recipe_text(l, 's', size));
		buf_addf(out, " sha256digest=%s", recipe_text(l, 'k', hex));
	}
	if (k == 'l') {
		buf_adds(out, " link=");
		if (link != NULL)
			recipe_escape(out, link->value, link->len);
	}
	if (recipe_find(l, 'g') != NULL)
		buf_addf(out, " tags=%s", recipe_text(l, 'g', ""));
	if (recipe_find(l, 'x') != NULL)
		buf_addf(out, " %s", recipe_text(l, 'x', ""));
	buf_addc(out, '\n');
}

/* A field of a tar header: text, cut where the field ends. */
static inline void
recipe_put(char *header, size_t at, size_t size, const char *text, size_t len)
{
	memcpy(header + at, text, len < size ? len : size);
}

static inline void
recipe_pad(struct buf *out)
{
	static const char zeros[512];

	buf_add(out, zeros, (512 - out->len % 512) % 512);
}

struct recipe_header {
	const char *name;
	size_t name_len;
	const char *link;
	size_t link_len;
	const char *mode;
	const char *size; /* octal */
	const char *mtime; /* octal */
	char type;
};

static inline void
recipe_add_header(struct buf *out, const struct recipe_header *t)
{
	char h[512] = { 0 };
	unsigned int sum = 0;

	recipe_put(h, 0, 100, t->name, t->name_len);
	recipe_put(h, 100, 8, t->mode, strlen(t->mode));
	recipe_put(h, 108, 8, "0000000", 7);
	recipe_put(h, 116, 8, "0000000", 7);
	recipe_put(h, 124, 12, t->size, strlen(t->size));
	recipe_put(h, 136, 12, t->mtime, strlen(t->mtime));
	memset(h + 148, ' ', 8);
	h[156] = t->type;
	recipe_put(h, 157, 100, t->link, t->link_len);
	memcpy(h + 257, "ustar  ", 8);
	for (size_t i = 0; i < sizeof(h); i++)
		sum += (unsigned char)h[i];
	snprintf(h + 148, 8, "%06o", sum);
	buf_add(out, h, sizeof(h));
}

/* GNU's entry for a name that does not fit. */
static inline void
recipe_add_long(struct buf *out, char type, const char *s, size_t len)
{
	char size[24];
	struct recipe_header t = { "././@LongLink", 13, "", 0, "0000644",
		size, "00000000000", type };

	if (len <= 100)
		return;
	snprintf(size, sizeof(size), "%011zo", len + 1);
	recipe_add_header(out, &t);
	buf_add(out, s, len);
	buf_addc(out, '\0');
	recipe_pad(out);
}

static inline void
recipe_add_entry(struct buf *out, const struct recipe_header *t,
    const char *data, size_t len)
{
	recipe_add_long(out, 'L', t->name, t->name_len);
	recipe_add_long(out, 'K', t->link, t->link_len);
	recipe_add_header(out, t);
	if (len > 0)
		buf_add(out, data, len);
	recipe_pad(out);
}

/* An entry of the tar that stands for a line. */
static inline void
recipe_tar_entry(const struct recipe_line *l, const char *id, struct hash *h,
    struct buf *out)
{
	static const char types[] = { 'f', '0', 'd', '5', 'l', '2', 'h', '1' };
	const struct recipe_field *p = recipe_find(l, 'P');
	const struct recipe_field *link = recipe_find(l, 'L');
	struct buf name = BUF_INIT;
	char hex[HASH_HEX + 1], size[24], mtime[24];
	struct recipe_header t = { .type = '0' };
	const char *data;
	size_t len, put;

	if (p == NULL)
		p = recipe_find(l, 'p');
	if (link == NULL)
		link = recipe_find(l, 'l');
	/* A path that the tar has and no manifest may begin anywhere. */
	if (p == NULL || p->value[0] != '/')
		buf_addf(&name, ".deploy/incoming/%s/", id);
	if (p != NULL)
		buf_add(&name, p->value, p->len);
	data = recipe_content(l, &len, h, hex);
	put = l->kind[0] == 'f' ? len : 0;
	snprintf(size, sizeof(size), "%011zo", put);
	snprintf(mtime, sizeof(mtime), "%011llo",
	    strtoull(recipe_text(l, 't', "1700000000"), NULL, 10));
	for (size_t i = 0; i < sizeof(types); i += 2)
		if (types[i] == l->kind[0])
			t.type = types[i + 1];
	t.name = buf_str(&name);
	t.name_len = name.len;
	t.link = link != NULL ? link->value : "";
	t.link_len = link != NULL ? link->len : 0;
	t.mode = recipe_text(l, 'M', recipe_mode(l));
	t.size = recipe_text(l, 'S', size);
	t.mtime = recipe_text(l, 'T', mtime);
	if (recipe_find(l, 'y') != NULL)
		t.type = recipe_text(l, 'y', "0")[0];
	recipe_add_entry(out, &t, data, put);
	buf_release(&name);
}

/* One of the two records. */
static inline void
recipe_tar_record(const char *id, const char *suffix, const struct buf *data,
    struct buf *out)
{
	char name[128], size[24];
	struct recipe_header t = { name, 0, "", 0, "0000644", size,
		"00000000000", '0' };

	t.name_len = (size_t)snprintf(name, sizeof(name),
	    ".deploy/incoming/%s.%s", id, suffix);
	snprintf(size, sizeof(size), "%011zo", data->len);
	recipe_add_entry(out, &t, buf_str(data), data->len);
}

static inline void
recipe_manifest(const struct recipe *r, struct hash *h, struct buf *out)
{
	const char *head = "#mtree v2.0";

	for (size_t i = 0; i < r->n; i++)
		if (strcmp(r->v[i].kind, "man") == 0)
			head = recipe_text(&r->v[i], 'h', head);
	buf_addf(out, "%s\n. type=dir mode=0755\n", head);
	for (size_t i = 0; i < r->n; i++) {
		const struct recipe_line *l = &r->v[i];

		if (strcmp(l->kind, "man") == 0 && recipe_find(l, 'x'))
			buf_addf(out, "%s\n", recipe_text(l, 'x', ""));
		else if (recipe_is_entry(l) && !recipe_only(l, 't'))
			recipe_manifest_line(l, h, out);
	}
}

/* The meta, with the digest of the manifest if that can be read. */
static inline void
recipe_meta(const struct recipe *r, const char *id, const struct buf *text,
    struct buf *out)
{
	static const struct recipe_line none = { .n = 0 };
	static const char *const members[] = { "qseq", "bpinned", "nfiles",
		"Bbytes", "tmtime", "wwho", "jjob", "ccommit", "mmessage" };
	const struct recipe_line *l = &none;
	struct manifest m = MANIFEST_INIT;
	uint8_t digest[HASH_LEN] = { 0 };
	char hex[HASH_HEX + 3], quoted[128];
	struct err ignored = ERR_INIT;

	for (size_t i = 0; i < r->n; i++)
		if (strcmp(r->v[i].kind, "meta") == 0)
			l = &r->v[i];
	if (manifest_parse(&m, text->data, text->len, "m", &ignored) == 0)
		manifest_digest(&m, digest);
	manifest_release(&m);
	hash_hex(digest, hex + 1);
	hex[0] = hex[HASH_HEX + 1] = '"';
	hex[HASH_HEX + 2] = '\0';
	snprintf(quoted, sizeof(quoted), "\"%s\"", id);
	buf_addf(out, "{\"id\":%s,\"digest\":%s", recipe_text(l, 'i', quoted),
	    recipe_text(l, 'D', hex));
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		if (recipe_find(l, members[i][0]) != NULL)
			buf_addf(out, ",\"%s\":%s", members[i] + 1,
			    recipe_text(l, members[i][0], ""));
	buf_addf(out, "%s}\n", recipe_text(l, 'x', ""));
}

static inline void
recipe_le(struct buf *out, unsigned long n, int bytes)
{
	while (bytes-- > 0) {
		buf_addc(out, (char)(n & 255));
		n >>= 8;
	}
}

/* Around the tar what a decompressor takes off: blocks that are stored. */
static inline void
recipe_gzip(const struct buf *tar, struct buf *out)
{
	buf_add(out, "\x1f\x8b\x08\0\0\0\0\0\0\x03", 10);
	for (size_t at = 0; at < tar->len; at += 65535) {
		size_t n = tar->len - at < 65535 ? tar->len - at : 65535;

		buf_addc(out, (char)(at + n == tar->len));
		recipe_le(out, n, 2);
		recipe_le(out, ~n, 2);
		buf_add(out, tar->data + at, n);
	}
	recipe_le(out,
	    crc32(0, (const unsigned char *)tar->data, (unsigned int)tar->len),
	    4);
	recipe_le(out, tar->len, 4);
}

static inline void
recipe_zstd(const struct buf *tar, struct buf *out)
{
	/* One segment, its size in four bytes, no checksum. */
	buf_add(out, "\x28\xb5\x2f\xfd\xa0", 5);
	recipe_le(out, tar->len, 4);
	for (size_t at = 0; at < tar->len; at += 131072) {
		size_t n = tar->len - at < 131072 ? tar->len - at : 131072;

		recipe_le(out, n << 3 | (at + n == tar->len), 3);
		buf_add(out, tar->data + at, n);
	}
}

/* Edits. */

/* The place of a file in the base; it may be no file, or not be there. */
static inline uint32_t
recipe_place(const struct manifest *base, const char *path)
{
	for (size_t i = 0; i < base->n; i++)
		if (strcmp(base->v[i].path, path) == 0)
			return (uint32_t)i;
	return 0;
}

static inline void
recipe_edit(const struct recipe_line *l, const struct manifest *base,
    struct edit *out)
{
	const char *path = recipe_text(l, 'p', "");
	const char *from = recipe_text(l, 'e', "w");

	*out = (struct edit){ .source = EDIT_NONE };
	if (l->kind[0] != 'f' && l->kind[0] != 'h')
		return;
	out->source = EDIT_WHOLE;
	if (*from == 'o')
		out->source = EDIT_OTHER;
	if (*from == 'z')
		out->source = EDIT_GZIP;
	if (*from == 'b' || (*from >= '0' && *from <= '7')) {
		out->source = *from == 'b' ? EDIT_BASE : EDIT_RULES;
		out->set = (uint8_t)(*from & 7);
		out->from = recipe_place(base, recipe_text(l, 'l', path));
	}
}

/* A number, small enough that differences of two are numbers, too. */
static inline int64_t
recipe_number(const char *text)
{
	int64_t n = strtoll(text, NULL, 10), most = INT64_MAX / 4;

	return n > most ? most : n < -most ? -most : n;
}

/* The entry that a line tells, right or wrong. */
static inline void
recipe_entry(const struct recipe_line *l, struct hash *h, struct manifest *m)
{
	char k = l->kind[0];
	struct entry *en = manifest_add(m, recipe_text(l, 'p', ""),
	    k == 'd' ? ENTRY_DIR : k == 'l' ? ENTRY_LINK : ENTRY_FILE);
	const char *tags = recipe_text(l, 'g', "");
	char hex[HASH_HEX + 1];
	const char *text;
	size_t len;

	en->mode = (uint16_t)strtoul(recipe_mode(l), NULL, 8);
	en->mtime = k == 'd' ?
	    0 :
	    recipe_number(recipe_text(l, 't', "1700000000"));
	if (k == 'l')
		manifest_set_link(m, en, recipe_text(l, 'l', ""));
	if (strncmp(tags, "shared", 6) == 0)
		en->mark = ENTRY_SHARED;
	if (strncmp(tags, "carried", 7) == 0) {
		en->mark = ENTRY_CARRIED;
		en->last = strlen(tags) > 13 ? recipe_number(tags + 13) : 0;
	}
	if (en->type != ENTRY_FILE)
		return;
	text = recipe_content(l, &len, h, hex);
	hash_add(h, text, len);
	hash_end(h, en->digest);
	en->size = recipe_find(l, 's') != NULL ?
	    recipe_number(recipe_text(l, 's', "")) :
	    (int64_t)len;
}

static inline void
recipe_rules(const struct recipe *r, struct buf *out)
{
	static const struct recipe_field empty = { 0, NULL, 0 };
	struct buf sets[8];
	size_t count[8] = { 0 }, n = 0;

	memset(sets, 0, sizeof(sets));
	for (size_t i = 0; i < r->n; i++) {
		const struct recipe_line *l = &r->v[i];
		size_t set = (size_t)recipe_text(l, 'r', "0")[0] & 7;

		if (strcmp(l->kind, "rule") != 0)
			continue;
		n = set >= n ? set + 1 : n;
		count[set]++;
		for (const char *k = "uv"; *k != '\0'; k++) {
			const struct recipe_field *f = recipe_find(l, *k);

			f = f != NULL ? f : &empty;
			varint_add(&sets[set], f->len);
			buf_add(&sets[set], f->len > 0 ? f->value : "",
			    f->len);
		}
	}
	varint_add(out, n);
	for (size_t i = 0; i < 8; i++) {
		if (i < n) {
			varint_add(out, count[i]);
			buf_add(out, buf_str(&sets[i]), sets[i].len);
		}
		buf_release(&sets[i]);
	}
}

/* The lines that are entries, in the order of their paths. */
static inline size_t
recipe_sorted(const struct recipe *r, const struct recipe_line **out)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n; i++) {
		size_t at = n;

		if (!recipe_is_entry(&r->v[i]))
			continue;
		while (at > 0 &&
		    strcmp(recipe_text(out[at - 1], 'p', ""),
			recipe_text(&r->v[i], 'p', "")) > 0)
			at--;
		memmove(&out[at + 1], &out[at], (n - at) * sizeof(out[0]));
		out[at] = &r->v[i];
		n++;
	}
	return n;
}

/* The edits, and what is as wrong in them as the recipe says. */
static inline void
recipe_edits_text(const struct recipe *r, const struct edits *x,
    const struct manifest *base, const struct manifest *m, struct buf *out)
{
	edits_print(x, base, m, out);
	for (size_t i = 0; i < r->n; i++) {
		const struct recipe_field *d = recipe_find(&r->v[i], 'd');
		size_t at = (size_t)strtoul(recipe_text(&r->v[i], 'r', "0"),
		    NULL, 10);

		if (strcmp(r->v[i].kind, "at") != 0 || d == NULL)
			continue;
		for (size_t k = 0; k < d->len; k++)
			if (at + k < out->len)
				out->data[at + k] = d->value[k];
			else
				buf_addc(out, d->value[k]);
	}
}

static inline void
recipe_record(const struct buf *record, struct buf *out)
{
	varint_add(out, record->len);
	buf_add(out, buf_str(record), record->len);
}

/* The pack as edits, of the release `base_id` with the manifest `base`. */
static inline void
recipe_make_edits(const struct recipe *r, const char *id,
    const struct manifest *base, const char *base_id, struct hash *h,
    struct buf *out)
{
	const struct recipe_line *lines[RECIPE_LINES + 1];
	struct buf head = BUF_INIT, text = BUF_INIT, part = BUF_INIT;
	struct manifest m = MANIFEST_INIT;
	struct edits x = EDITS_INIT;
	struct release_id other;
	size_t n = recipe_sorted(r, lines);

	x.mtime = 1700000000;
	if (release_id_parse(&other, base_id))
		release_ids_add(&x.others, &other);
	for (size_t i = 0; i < n; i++) {
		recipe_entry(lines[i], h, &m);
		recipe_edit(lines[i], base, edits_add(&x));
	}
	manifest_text_digest(&m, x.digest);
	manifest_print(&m, &text);
	recipe_meta(r, id, &text, &part);
	buf_adds(&head, WIRE_EDITS_MAGIC);
	recipe_record(&part, &head);
	buf_reset(&part);
	recipe_edits_text(r, &x, base, &m, &part);
	recipe_record(&part, &head);
	buf_reset(&part);
	recipe_rules(r, &part);
	recipe_record(&part, &head);
	for (size_t i = 0; i < n; i++) {
		char hex[HASH_HEX + 1];
		const char *data;
		size_t len;

		data = recipe_content(lines[i], &len, h, hex);
		if (x.v[i].source == EDIT_WHOLE)
			buf_add(&head, data, len);
	}
	recipe_zstd(&head, out);
	buf_release(&head);
	buf_release(&text);
	buf_release(&part);
	manifest_release(&m);
	edits_release(&x);
}

/* The whole pack for the release `id`, as a tar. */
static inline void
recipe_make_tar(const struct recipe *r, const char *id, struct hash *h,
    struct buf *out)
{
	static const char end[1024];
	struct buf tar = BUF_INIT, text = BUF_INIT, meta = BUF_INIT;
	const char *c = recipe_text(&r->v[0], 'c', "plain");

	recipe_manifest(r, h, &text);
	recipe_meta(r, id, &text, &meta);
	recipe_tar_record(id, "manifest", &text, &tar);
	recipe_tar_record(id, "meta", &meta, &tar);
	for (size_t i = 0; i < r->n; i++) {
		const struct recipe_field *raw = recipe_find(&r->v[i], 'd');

		if (recipe_is_entry(&r->v[i]) && !recipe_only(&r->v[i], 'm') &&
		    !recipe_only(&r->v[i], 'd'))
			recipe_tar_entry(&r->v[i], id, h, &tar);
		else if (strcmp(r->v[i].kind, "raw") == 0 && raw != NULL)
			buf_add(&tar, raw->value, raw->len);
	}
	buf_add(&tar, end, sizeof(end));
	if (strcmp(c, "gzip") == 0)
		recipe_gzip(&tar, out);
	else if (strcmp(c, "zstd") == 0)
		recipe_zstd(&tar, out);
	else
		buf_add(out, tar.data, tar.len);
	buf_release(&tar);
	buf_release(&text);
	buf_release(&meta);
}

/* The pack for the release `id`, in the form that the recipe says. */
static inline void
recipe_make(const struct recipe *r, const char *id,
    const struct manifest *base, const char *base_id, struct hash *h,
    struct buf *out)
{
	size_t cut =
	    (size_t)strtoul(recipe_text(&r->v[0], 'z', "0"), NULL, 10);

	if (strcmp(recipe_text(&r->v[0], 'c', ""), "edits") == 0)
		recipe_make_edits(r, id, base, base_id, h, out);
	else
		recipe_make_tar(r, id, h, out);
	out->len -= cut < out->len ? cut : out->len;
}

#endif
