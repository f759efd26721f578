#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "base/number.h"
#include "content/chunk.h"
#include "content/zstream.h"
#include "os/io.h"
#include "remote/ask.h"
#include "remote/remote.h"
#include "root/staging.h"

enum {
	PIECE = 64 * 1024,		  /* best size of a write over SSH */
	MANIFEST_MAX = 256 * 1024 * 1024, /* of a million files */
	SAMPLES_MAX = 2 * 1024 * 1024,	  /* more than a host gives */
	SLOWEST = 1024 / 1000 + 1, /* bytes a ms that a link must give */
};

/* Read exactly `len` bytes of the answer into `b`. */
static int
read_bytes(struct remote *r, size_t len, struct buf *b, struct err *e)
{
	while (b->len < len) {
		size_t piece = len - b->len < PIECE ? len - b->len : PIECE;
		ssize_t n;

		/* What was announced need not come. */
		buf_reserve(b, piece);
		n = ask_read(r, b->data + b->len, piece, e);
		if (n < 0)
			return -1;
		if (n == 0)
			return err_set(e, ERR_FAILED,
			    "the answer was cut short");
		b->len += (size_t)n;
		b->data[b->len] = '\0';
	}
	return 0;
}

/* The manifest's text. */
static int
fetch_manifest(struct remote *r, const struct release_id *id, struct buf *text,
    struct err *e)
{
	struct strvec args = STRVEC_INIT;
	struct wire_line l;
	int64_t size;
	int c;

	strvec_addf(&args, "--id=%s", id->text);
	c = ask(r, "manifest", &args, e);
	strvec_release(&args);
	if (c != 0 || ask_expect(r, "size", &l, ask_answer_ms(r), e) != 0)
		return -1;
	size = number_or(l.value, 0, INT64_MAX, -1);
	if (size < 0 || size > MANIFEST_MAX)
		return ask_wrong(r, l.value, e);
	if (read_bytes(r, (size_t)size, text, e) != 0)
		return -1;
	return ask_rest(r, ask_answer_ms(r), NULL, NULL, e);
}

int
remote_manifest(struct remote *r, const struct release_id *id,
    struct manifest *m, struct err *e)
{
	char *path =
	    xasprintf("%s/.deploy/manifests/%s", r->host->root, id->text);
	struct buf text = BUF_INIT;
	int c = fetch_manifest(r, id, &text, e);

	if (c == 0)
		c = manifest_parse(m, buf_str(&text), text.len, path, e);
	if (c != 0 && e->code == ERR_INTEGRITY)
		err_append(e, ";; stage the build anew with --again");
	free(path);
	buf_release(&text);
	return c;
}

/* The answer's next `len` bytes into the open file, hashed. */
static int
save_bytes(struct remote *r, int fd, const struct entry *en, struct err *e)
{
	struct hash *h = hash_new();
	char *piece = xmalloc(PIECE);
	uint8_t digest[HASH_LEN];
	int64_t left = en->size;
	int c = 0;

	while (c == 0 && left > 0) {
		ssize_t n =
		    ask_read(r, piece, left < PIECE ? (size_t)left : PIECE, e);

		if (n < 0)
			c = -1;
		else if (n == 0)
			c = err_set(e, ERR_INTEGRITY,
			    "the host ended in the middle of '%s';; run 'deploy verify'",
			    en->path);
		else if (io_write(fd, piece, (size_t)n) != 0)
			c = err_sys(e, "cannot write a temporary file");
		hash_add(h, piece, n > 0 ? (size_t)n : 0);
		left -= n;
	}
	hash_end(h, digest);
	if (c == 0 && memcmp(digest, en->digest, HASH_LEN) != 0)
		c = err_set(e, ERR_INTEGRITY,
		    "'%s' on the host is not what its manifest says;; run 'deploy verify'",
		    en->path);
	hash_free(h);
	free(piece);
	return c;
}

/* What is announced before each file. */
static int
expect_size(struct remote *r, const struct entry *en, struct err *e)
{
	struct wire_line l = { "", "" };

	if (ask_expect(r, "size", &l, ask_answer_ms(r), e) != 0)
		return -1;
	return number_or(l.value, 0, INT64_MAX, -1) == en->size ?
	    0 :
	    err_set(e, ERR_INTEGRITY,
		"'%s' on the host has another size than its manifest says;; run 'deploy verify'",
		en->path);
}

/* One file of the answer. */
static int
save_file(struct remote *r, const struct entry *en, const struct dir *to,
    struct err *e)
{
	char name[HASH_HEX + 1];
	int fd, c;

	if (expect_size(r, en, e) != 0)
		return -1;
	hash_hex(en->digest, name);
	fd = openat(to->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
	    0600);
	if (fd < 0)
		return err_sys(e, "cannot create '%s/%s'", to->path, name);
	c = save_bytes(r, fd, en, e);
	if (io_close(fd) != 0 && c == 0)
		c = err_sys(e, "cannot write '%s/%s'", to->path, name);
	if (c != 0)
		unlinkat(to->fd, name, 0);
	return c;
}

/* Ask about these files: `verb`, with the paths behind it. */
static int
ask_about(struct remote *r, const char *verb, const struct strvec *args,
    const struct remote_choice *which, struct err *e)
{
	struct buf paths = BUF_INIT;
	int c;

	for (size_t i = 0; i < which->n; i++)
		buf_addf(&paths, "%s\n", which->m->v[which->indices[i]].path);
	buf_addc(&paths, '\n');
	c = ask(r, verb, args, e);
	if (c == 0)
		c = ask_write(r, buf_str(&paths), paths.len, e);
	buf_release(&paths);
	return c;
}

/* The host has to read that many bytes before it is done. */
static void
allow_to_read(struct remote *r, const struct remote_choice *which)
{
	int64_t bytes = 0;

	for (size_t i = 0; i < which->n; i++)
		bytes += which->m->v[which->indices[i]].size;
	ask_allow(r, 2 * ask_work_ms(r) + bytes / SLOWEST);
}

/* Who refuses has not read the paths: they are no requests.  Returns `c`. */
static int
end_answer(struct remote *r, int c)
{
	if (c != 0)
		ask_hang_up(r);
	return c;
}

int
remote_files(struct remote *r, const struct remote_choice *which,
    const struct dir *to, struct err *e)
{
	struct strvec args = STRVEC_INIT;
	int c;

	strvec_addf(&args, "--id=%s", which->id->text);
	c = ask_about(r, "files", &args, which, e);
	allow_to_read(r, which);
	for (size_t i = 0; c == 0 && i < which->n; i++)
		c = save_file(r, &which->m->v[which->indices[i]], to, e);
	if (c == 0)
		c = ask_rest(r, ask_answer_ms(r), NULL, NULL, e);
	strvec_release(&args);
	return end_answer(r, c);
}

/* What came of samples. */
struct packed {
	struct buf text;
	bool read;
};

/* For zreader_new(). */
static ssize_t
from_packed(void *ctx, const void **data, struct err *e)
{
	struct packed *p = ctx;

	(void)e;
	*data = p->text.data;
	if (p->read)
		return 0;
	p->read = true;
	return (ssize_t)p->text.len;
}

/* Is it what the manifest says of the entry? */
static int
check_sample(const struct buf *sample, const struct entry *en, struct err *e)
{
	uint8_t digest[HASH_LEN];
	struct hash *h = hash_new();

	hash_add(h, buf_str(sample), sample->len);
	hash_end(h, digest);
	hash_free(h);
	return memcmp(digest, en->digest, HASH_LEN) == 0 ?
	    0 :
	    err_set(e, ERR_INTEGRITY,
		"'%s' on the host is not what its manifest says;; run 'deploy verify'",
		en->path);
}

/* Exactly the bytes of the entry. */
static int
unpack_sample(struct zreader *z, const struct entry *en, struct buf *out,
    struct err *e)
{
	ssize_t n;

	while ((int64_t)out->len < en->size) {
		size_t left = (size_t)en->size - out->len;

		buf_reserve(out, left);
		n = zreader_read(z, out->data + out->len, left, e);
		if (n <= 0)
			return n < 0 ? -1 :
				       err_set(e, ERR_INTEGRITY,
					   "'%s' was cut short", en->path);
		out->len += (size_t)n;
	}
	return check_sample(out, en, e);
}

/* The sizes, and the stream behind them. */
static int
hear_samples(struct remote *r, size_t n, struct buf *text, struct err *e)
{
	struct wire_line l = { "", "" };
	int64_t len;

	for (; n > 0; n--)
		if (ask_expect(r, "size", &l, ask_answer_ms(r), e) != 0)
			return -1;
	if (ask_expect(r, "zstd", &l, ask_answer_ms(r), e) != 0)
		return -1;
	len = number_or(l.value, 0, SAMPLES_MAX, -1);
	if (len < 0)
		return ask_wrong(r, l.value, e);
	return read_bytes(r, (size_t)len, text, e) == 0 ?
	    ask_rest(r, ask_answer_ms(r), NULL, NULL, e) :
	    -1;
}

/* A host that compresses nothing: each size with the bytes behind it. */
static int
plain_samples(struct remote *r, const struct remote_choice *which,
    struct buf *out, struct err *e)
{
	struct strvec args = STRVEC_INIT;
	int c;

	strvec_addf(&args, "--id=%s", which->id->text);
	c = ask_about(r, "files", &args, which, e);
	strvec_release(&args);
	allow_to_read(r, which);
	for (size_t i = 0; c == 0 && i < which->n; i++) {
		const struct entry *en = &which->m->v[which->indices[i]];

		c = expect_size(r, en, e);
		if (c == 0)
			c = read_bytes(r, (size_t)en->size, &out[i], e);
		if (c == 0)
			c = check_sample(&out[i], en, e);
	}
	if (c == 0)
		c = ask_rest(r, ask_answer_ms(r), NULL, NULL, e);
	return end_answer(r, c);
}

/* The same, in few bytes. */
static int
packed_samples(struct remote *r, const struct remote_choice *which,
    struct buf *out, int64_t *bytes, struct err *e)
{
	struct packed packed = { BUF_INIT, false };
	struct strvec args = STRVEC_INIT;
	struct zreader *z;
	int c;

	strvec_addf(&args, "--id=%s", which->id->text);
	strvec_add(&args, "--compress=zstd");
	if (*bytes < INT64_MAX)
		strvec_addf(&args, "--bytes=%lld",
		    (long long)(*bytes > 0 ? *bytes : 0));
	c = ask_about(r, "files", &args, which, e);
	if (c == 0)
		c = hear_samples(r, which->n, &packed.text, e);
	*bytes = (int64_t)packed.text.len;
	z = zreader_new(from_packed, &packed);
	for (size_t i = 0; c == 0 && i < which->n; i++)
		c = unpack_sample(z, &which->m->v[which->indices[i]], &out[i],
		    e);
	zreader_free(z);
	buf_release(&packed.text);
	strvec_release(&args);
	return end_answer(r, c);
}

int
remote_samples(struct remote *r, const struct remote_choice *which,
    struct buf *out, int64_t *bytes, struct err *e)
{
	if (r->has_delta)
		return packed_samples(r, which, out, bytes, e);
	if (*bytes < INT64_MAX)
		return err_set(e, ERR_FAILED, "it compresses no samples");
	return plain_samples(r, which, out, e);
}

/* One line "chunks", and the hashes. */
static int
hear_signature(struct remote *r, const struct entry *en, struct buf *out,
    struct err *e)
{
	struct wire_line l = { "", "" };
	int64_t n;

	if (ask_expect(r, "chunks", &l, ask_answer_ms(r), e) != 0)
		return -1;
	n = number_or(l.value, 0, chunk_hashes_max(en->size), -1);
	return n < 0 ? ask_wrong(r, l.value, e) :
		       read_bytes(r, (size_t)n * CHUNK_HASH, out, e);
}

int
remote_signatures(struct remote *r, const struct remote_choice *which,
    struct buf *out, struct err *e)
{
	struct strvec args = STRVEC_INIT;
	int c;

	strvec_addf(&args, "--id=%s", which->id->text);
	c = ask_about(r, "signatures", &args, which, e);
	allow_to_read(r, which);
	for (size_t i = 0; c == 0 && i < which->n; i++)
		c = hear_signature(r, &which->m->v[which->indices[i]], &out[i],
		    e);
	if (c == 0)
		c = ask_rest(r, ask_answer_ms(r), NULL, NULL, e);
	strvec_release(&args);
	return end_answer(r, c);
}

/*
 * A host that refuses says why and stops reading: what it said counts more
 * than that the writing failed.
 */
static int
prefer_answer(struct remote *r, struct err *e)
{
	struct err said = ERR_INIT;

	if (e->sys != ETIMEDOUT &&
	    ask_rest(r, ask_answer_ms(r), NULL, NULL, &said) != 0 &&
	    said.text[0] != '\0' && said.sys != ETIMEDOUT)
		*e = said;
	return -1;
}

/* Give the host the pack. */
static int
send_pack(struct remote *r, const struct remote_receive *o, struct err *e)
{
	char *piece = xmalloc(PIECE);
	ssize_t n;
	int c = 0;

	while (c == 0 && (n = o->read(o->ctx, piece, PIECE, e)) != 0) {
		if (n < 0)
			c = -1;
		else if (ask_write(r, piece, (size_t)n, e) != 0)
			c = prefer_answer(r, e);
	}
	free(piece);
	return c == 0 ? ask_end_input(r, e) : -1;
}

/* --uses, where there are any, and as many as a host takes. */
static void
add_uses(const struct release_ids *uses, struct strvec *args)
{
	struct buf b = BUF_INIT;

	for (size_t i = 0; uses != NULL && i < uses->n && i < STAGING_USES_MAX;
	     i++)
		buf_addf(&b, "%s%s", i > 0 ? "," : "", uses->v[i].text);
	if (b.len > 0)
		strvec_addf(args, "--uses=%s", b.data);
	buf_release(&b);
}

/* Ask, and wait until the host is ready; `l` has the directory there. */
static int
wait_until_ready(struct remote *r, const struct remote_receive *o,
    struct wire_line *l, struct err *e)
{
	struct strvec args = STRVEC_INIT;
	int c;

	strvec_addf(&args, "--id=%s", o->id->text);
	strvec_addf(&args, "--bytes=%lld", (long long)o->bytes);
	strvec_addf(&args, "--inodes=%lld", (long long)o->inodes);
	strvec_addf(&args, "--compress=%s",
	    pack_compression_name(o->compression));
	if (o->filled)
		strvec_add(&args, "--filled");
	if (o->base != NULL)
		strvec_addf(&args, "--base=%s", o->base->text);
	if (o->repair != NULL)
		strvec_addf(&args, "--repair=%s", o->repair->text);
	if (o->manifest)
		strvec_add(&args, "--manifest");
	add_uses(o->uses, &args);
	if (o->group != NULL)
		strvec_addf(&args, "--group=%s", o->group);
	c = ask(r, "receive", &args, e);
	strvec_release(&args);
	*l = (struct wire_line){ "", "" };
	while (c == 0 && strcmp(l->key, "ready") != 0) {
		c = ask_line(r, l, ask_answer_ms(r), e);
		if (c == 0)
			return ask_wrong(r, l->key, e);
		c = c > 0 ? 0 : -1;
	}
	return c;
}

int
remote_receive(struct remote *r, const struct remote_receive *o, struct err *e)
{
	struct wire_line l;
	int c = wait_until_ready(r, o, &l, e);

	/* The pack is the rest of the input: the program ends with it. */
	if (c == 0 && o->ready != NULL)
		c = o->ready(o->ctx, r, l.value, e);
	if (c == 0 && o->taken != NULL)
		ask_watch(r, o->taken, o->ctx);
	if (c == 0)
		c = send_pack(r, o, e);
	if (c == 0 && o->goes_on)
		ask_ahead(r);
	ask_allow(r, 2 * ask_work_ms(r));
	if (c == 0)
		c = ask_rest(r, ask_work_ms(r), o->line, o->line_ctx, e);
	ask_hang_up(r);
	return c;
}
