#include "remote/remote.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/number.h"
#include "base/override.h"
#include "host/wire.h"
#include "os/io.h"
#include "remote/host_script.h"
#include "root/activate.h"
#include "root/retention.h"

enum {
	PIECE = 64 * 1024, /* best size of a write over SSH */
	WORK_FACTOR = 10,
	DISARM_MS = 2000,
	NOISE_MAX = 1000, /* lines of a login shell before the magic */
	MANIFEST_MAX = 1 << 30,
	NO_PROGRAM = 127, /* a shell's status for it */
};

/* For tests: the shell that runs the sh verbs. */
#define SHELL_VARIABLE "DEPLOY_TEST_SH"

/* For answers that no deploy gives. */
#define WRONG_CURE \
	"use the same version of deploy on both ends (see 'deploy doctor')"

void
remote_init(struct remote *r, const struct host_config *h,
    const struct caller *c, const struct remote_waits *waits)
{
	*r = (struct remote){ .host = h,
		.caller = c,
		.waits = *waits,
		.journal_size = -1,
		.seq = -1,
		.room = { -1, -1 },
		.script =
		    h->deploy != NULL && strcmp(h->deploy, "none") == 0 };
}

/* Forget what remote_info() found. */
static void
forget(struct remote *r)
{
	for (size_t i = 0; r->metas != NULL && i < r->view.ids.n; i++)
		meta_release(&r->metas[i]);
	free(r->metas);
	free(r->locked);
	free(r->version);
	r->metas = NULL;
	r->locked = r->version = NULL;
	r->digest[0] = '\0';
	r->seq = -1;
	r->room = (struct guard_room){ -1, -1 };
	r->latest.s[0] = '\0';
	r->prepared = r->frozen = r->cannot_link = r->full = r->stale = false;
	r->has_zstd = r->has_gzip = false;
	view_release(&r->view);
}

void
remote_release(struct remote *r)
{
	remote_disarm(r);
	forget(r);
	free(r->hook_failure);
	r->hook_failure = NULL;
	transport_close(&r->transport);
	r->connected = false;
}

/* How long an answer may take, in ms; and one that waits for the lock. */
static int64_t
answer_ms(const struct remote *r)
{
	return r->waits.silence * 1000;
}

static int64_t
lock_ms(const struct remote *r)
{
	return r->waits.lock * 1000 + answer_ms(r);
}

/* Who works on a whole release is silent for longer. */
static int64_t
work_ms(const struct remote *r)
{
	return r->waits.lock * 1000 + WORK_FACTOR * answer_ms(r);
}

/* How long the answer to a verb may take. */
static int64_t
verb_ms(const struct remote *r, const char *verb)
{
	if (strcmp(verb, "verify") == 0 || strcmp(verb, "prune") == 0)
		return work_ms(r);
	return strcmp(verb, "info") == 0 ? answer_ms(r) : lock_ms(r);
}

int
remote_open(struct remote *r, struct err *e)
{
	if (transport_open(&r->transport, r->host, answer_ms(r), e) != 0)
		return -1;
	r->connected = true;
	return 0;
}

void
remote_traffic(const struct remote *r, uint64_t *sent, uint64_t *received)
{
	uint64_t out = 0, in = 0;

	if (r->connected)
		r->transport.ops->traffic(r->transport.self, &out, &in);
	*sent += out;
	*received += in;
}

/* Is the part that the marker begins for the verb? */
static bool
is_part_for(const char *marker, const char *verb)
{
	size_t n = strlen(verb);
	const char *p = marker + strlen("#:");

	if (*p == '\n')
		return true;
	while ((p = strstr(p, verb)) != NULL) {
		if (p[-1] == ' ' && (p[n] == ' ' || p[n] == '\n'))
			return true;
		p += n;
	}
	return false;
}

/* The sh verbs as an operand of sh: what this one needs of them. */
static void
add_script(struct buf *out, const char *verb)
{
	const char *shell = getenv(SHELL_VARIABLE);
	struct buf script = BUF_INIT;
	bool wanted = true;

	for (const char *const *line = host_script; *line != NULL; line++) {
		if (strncmp(*line, "#:", 2) == 0)
			wanted = is_part_for(*line, verb);
		else if (wanted)
			buf_adds(&script, *line);
	}
	buf_addf(out, "%s -c ", shell != NULL ? shell : "sh");
	wire_quote(out, buf_str(&script));
	buf_adds(out, " deploy-host");
	buf_release(&script);
}

/* The program to run: the configured one; here, this one. */
static void
add_program(const struct remote *r, const char *verb, struct buf *out)
{
	char self[4096];
	ssize_t n = -1;

	if (r->script) {
		add_script(out, verb);
		return;
	}
	if (r->host->deploy != NULL) {
		wire_quote(out, r->host->deploy);
		buf_adds(out, " host");
		return;
	}
	if (r->host->transport == HOST_LOCAL)
		n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	self[n > 0 ? n : 0] = '\0';
	wire_quote(out, n > 0 ? self : "deploy");
	buf_adds(out, " host");
}

/* "deploy host VERB ROOT --who=... ARGS" */
static char *
command(const struct remote *r, const char *verb, const char *args)
{
	struct buf b = BUF_INIT;

	add_program(r, verb, &b);
	buf_addf(&b, " %s ", verb);
	wire_quote(&b, r->host->root);
	buf_addf(&b, " --lock-wait=%lld --who=", (long long)r->waits.lock);
	wire_quote(&b, r->caller->who);
	if (r->caller->job != NULL) {
		buf_adds(&b, " --job=");
		wire_quote(&b, r->caller->job);
	}
	if (args != NULL)
		buf_addf(&b, " %s", args);
	return buf_detach(&b);
}

/* How a program ended that did not answer as it should. */
static int
no_answer(struct remote *r, struct transport_proc *p, struct err *e)
{
	struct buf errors = BUF_INIT;
	int status = 0;

	if (p->ops->finish(p->proc, &status, &errors, e) != 0) {
		buf_release(&errors);
		return -1;
	}
	while (errors.len > 0 && errors.data[errors.len - 1] == '\n')
		errors.data[--errors.len] = '\0';
	if (status == NO_PROGRAM && !r->script && r->host->deploy == NULL) {
		/* start() tries again. */
		r->script = true;
		err_set(e, ERR_UNREACHABLE, "there is no deploy on the host");
	} else if (status == NO_PROGRAM && !r->script) {
		err_set(e, ERR_UNREACHABLE,
		    "there is no deploy on the host "
		    "at '%s'; see 'deploy:' in deploy.yml",
		    r->host->deploy);
	} else {
		err_set(e, ERR_FAILED,
		    "the host's deploy ended with status "
		    "%d without an answer%s%s",
		    status, errors.len > 0 ? ": " : "", buf_str(&errors));
	}
	buf_release(&errors);
	return -1;
}

/* Read up to the magic line, past what a login shell has to say. */
static int
read_magic(struct remote *r, struct transport_proc *p, struct buf *line,
    struct err *e)
{
	const size_t word = strcspn(WIRE_MAGIC, " ") + 1;

	for (int noise = 0; noise < NOISE_MAX; noise++) {
		int c = p->ops->read_line(p->proc, line, answer_ms(r), e);

		if (c < 0)
			return -1;
		if (c == 0)
			return no_answer(r, p, e);
		if (strcmp(buf_str(line), WIRE_MAGIC) == 0)
			return 0;
		if (strncmp(buf_str(line), WIRE_MAGIC, word) == 0)
			return err_set(e, ERR_FAILED,
			    "the host speaks '%.40s', and not '" WIRE_MAGIC
			    "'; use the same version of deploy on both ends",
			    buf_str(line));
	}
	return err_set(e, ERR_FAILED,
	    "the host speaks, but not as a deploy would: '%.80s'",
	    buf_str(line));
}

/* Start a verb and read up to its magic line. */
static int
start_once(struct remote *r, const char *verb, const char *args,
    struct transport_proc *p, struct err *e)
{
	char *line = command(r, verb, args);
	struct buf answer = BUF_INIT;
	int c = transport_start(&r->transport, line, p, e);

	free(line);
	if (c == 0)
		c = read_magic(r, p, &answer, e);
	buf_release(&answer);
	return c;
}

/* The same; a host without deploy gets the sh verbs from now on. */
static int
start(struct remote *r, const char *verb, const char *args,
    struct transport_proc *p, struct err *e)
{
	bool script = r->script;

	if (start_once(r, verb, args, p, e) == 0)
		return 0;
	if (script || !r->script)
		return -1;
	transport_proc_close(p);
	*e = (struct err)ERR_INIT;
	return start_once(r, verb, args, p, e);
}

/*
 * The next line of the answer, cut: 1; 0 at "ok"; -1 for an error, the
 * host's or ours.
 */
static int
next_line(struct remote *r, struct transport_proc *p, struct buf *b,
    struct wire_line *l, int64_t timeout, struct err *e)
{
	int c = p->ops->read_line(p->proc, b, timeout, e);

	if (c < 0)
		return -1;
	if (c == 0)
		return no_answer(r, p, e);
	wire_split(b->data, l);
	if (strcmp(l->key, "ok") == 0)
		return 0;
	if (strcmp(l->key, "error") == 0)
		return wire_error(l->value, e);
	return 1;
}

/* The next line, which must have this key.  0 or -1. */
static int
expect_line(struct remote *r, struct transport_proc *p, const char *key,
    struct buf *b, struct wire_line *l, int64_t timeout, struct err *e)
{
	int c = next_line(r, p, b, l, timeout, e);

	if (c > 0 && strcmp(l->key, key) == 0)
		return 0;
	if (c >= 0)
		err_set(e, ERR_FAILED, "a wrong answer: '%.80s'; " WRONG_CURE,
		    l->key);
	return -1;
}

/* The rest of an answer, each line within `timeout` ms. */
static int
read_lines(struct remote *r, struct transport_proc *p, int64_t timeout,
    void (*line)(void *ctx, const char *key, const char *value), void *ctx,
    struct err *e)
{
	struct buf b = BUF_INIT;
	struct wire_line l;
	int c;

	while ((c = next_line(r, p, &b, &l, timeout, e)) > 0)
		if (line != NULL)
			line(ctx, l.key, l.value);
	buf_release(&b);
	return c;
}

int
remote_call(struct remote *r, const char *verb, const char *args,
    void (*line)(void *ctx, const char *key, const char *value), void *ctx,
    struct err *e)
{
	struct transport_proc p = TRANSPORT_PROC_INIT;
	int c = start(r, verb, args, &p, e);

	if (c == 0)
		c = p.ops->end_input(p.proc, e);
	if (c == 0)
		c = read_lines(r, &p, verb_ms(r, verb), line, ctx, e);
	transport_proc_close(&p);
	return c;
}

/* "BYTES<TAB>INODES" that are free there. */
static void
read_free(struct remote *r, const char *value)
{
	const char *tab = number_scan(value, 0, INT64_MAX, &r->room.bytes);

	if (tab != NULL && *tab == '\t')
		r->room.inodes = number_or(tab + 1, 0, INT64_MAX, -1);
}

/* "ID<TAB>META": a release, oldest first. */
static void
add_release(struct remote *r, char *value)
{
	char *tab = strchr(value, '\t');
	struct meta meta = META_INIT;
	struct err ignored = ERR_INIT;

	if (tab == NULL)
		return;
	*tab = '\0';
	if (!release_id_is_valid(value))
		return;
	(void)meta_parse(tab + 1, strlen(tab + 1), "meta", &meta, &ignored);
	strvec_add(&r->view.ids, value);
	r->metas = xreallocarray(r->metas, r->view.ids.n, sizeof(*r->metas));
	r->metas[r->view.ids.n - 1] = meta;
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
	} else if (strcmp(key, "locked") == 0) {
		free(r->locked);
		r->locked = xstrdup(value);
	} else if (strcmp(key, "current") == 0) {
		if (release_id_is_valid(value))
			release_id_copy(&r->view.current, value);
	} else if (strcmp(key, "latest") == 0) {
		if (release_id_is_valid(value))
			release_id_copy(&r->latest, value);
	} else if (strcmp(key, "digest") == 0) {
		snprintf(r->digest, sizeof(r->digest), "%s", value);
	} else if (strcmp(key, "seq") == 0) {
		r->seq = number_or(value, 0, INT64_MAX, -1);
	} else if (strcmp(key, "frozen") == 0) {
		r->frozen = strcmp(value, "1") == 0;
	} else if (strcmp(key, "journal-size") == 0) {
		r->journal_size = number_or(value, 0, INT64_MAX, -1);
	} else if (strcmp(key, "has") == 0) {
		r->has_zstd |= strcmp(value, "zstd") == 0;
		r->has_gzip |= strcmp(value, "gzip") == 0;
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

int
remote_info(struct remote *r, enum remote_question q, const char *digest,
    struct err *e)
{
	struct buf args = BUF_INIT;
	int c;

	forget(r);
	if (q != REMOTE_STATE)
		buf_adds(&args, "--full");
	if (q == REMOTE_ALL_UNLESS)
		buf_addf(&args, " --unless=%s", digest);
	c = remote_call(r, "info", args.data, on_info, r, e);
	buf_release(&args);
	if (c != 0)
		return -1;
	r->full = q == REMOTE_ALL ||
	    (q == REMOTE_ALL_UNLESS && strcmp(r->digest, digest) != 0);
	history_release(&r->view.history);
	history_init(&r->view.history, &r->view.journal, r->view.current.s);
	return 0;
}

void
remote_learn(struct remote *r, const struct meta *meta)
{
	size_t at = 0, n = r->view.ids.n;

	strvec_add(&r->view.ids, meta->id.s);
	strvec_sort(&r->view.ids);
	while (strcmp(r->view.ids.v[at], meta->id.s) != 0)
		at++;
	r->metas = xreallocarray(r->metas, n + 1, sizeof(*r->metas));
	memmove(&r->metas[at + 1], &r->metas[at],
	    (n - at) * sizeof(*r->metas));
	meta_copy(&r->metas[at], meta);
	if (strcmp(meta->id.s, r->latest.s) > 0)
		r->latest = meta->id;
}

/* The same for changes. */
static struct meta *
own_meta(struct remote *r, const char *id)
{
	for (size_t i = 0; r->metas != NULL && i < r->view.ids.n; i++)
		if (strcmp(r->view.ids.v[i], id) == 0)
			return &r->metas[i];
	return NULL;
}

const struct meta *
remote_meta(const struct remote *r, const char *id)
{
	for (size_t i = 0; r->metas != NULL && i < r->view.ids.n; i++)
		if (strcmp(r->view.ids.v[i], id) == 0)
			return &r->metas[i];
	return NULL;
}

enum pack_compression
remote_compression(const struct remote *r)
{
	return r->has_zstd ? PACK_ZSTD : r->has_gzip ? PACK_GZIP : PACK_PLAIN;
}

/* Read exactly `len` bytes of the answer into `b`. */
static int
read_bytes(struct transport_proc *p, size_t len, struct buf *b, struct err *e)
{
	buf_reserve(b, len);
	while (b->len < len) {
		ssize_t n =
		    p->ops->read(p->proc, b->data + b->len, len - b->len, e);

		if (n < 0)
			return -1;
		if (n == 0)
			return err_set(e, ERR_FAILED,
			    "the manifest was cut "
			    "short");
		b->len += (size_t)n;
	}
	b->data[b->len] = '\0';
	return 0;
}

int
remote_manifest(struct remote *r, const char *id, struct manifest *m,
    struct err *e)
{
	struct transport_proc p = TRANSPORT_PROC_INIT;
	struct buf b = BUF_INIT, args = BUF_INIT;
	struct wire_line l;
	int64_t size = -1;
	int c;

	buf_addf(&args, "--id=%s", id);
	c = start(r, "manifest", args.data, &p, e);
	if (c == 0)
		c = expect_line(r, &p, "size", &b, &l, answer_ms(r), e);
	if (c == 0) {
		size = number_or(l.value, 0, INT64_MAX, -1);
		if (size < 0 || size > MANIFEST_MAX)
			c = err_set(e, ERR_FAILED,
			    "a wrong answer: '%.80s'; " WRONG_CURE, l.value);
	}
	buf_reset(&b);
	if (c == 0)
		c = read_bytes(&p, (size_t)size, &b, e);
	if (c == 0)
		c = manifest_parse(m, buf_str(&b), b.len, id, e);
	transport_proc_close(&p);
	buf_release(&args);
	buf_release(&b);
	return c;
}

/* The answer's next `len` bytes into the open file, hashed. */
static int
save_bytes(struct transport_proc *p, int fd, const struct entry *en,
    struct err *e)
{
	struct hash *h = hash_new();
	char *piece = xmalloc(PIECE);
	uint8_t digest[HASH_LEN];
	int64_t left = en->size;
	int c = 0;

	while (c == 0 && left > 0) {
		ssize_t n = p->ops->read(p->proc, piece,
		    left < PIECE ? (size_t)left : PIECE, e);

		if (n < 0)
			c = -1;
		else if (n == 0)
			c = err_set(e, ERR_FAILED, "'%s' was cut short",
			    en->path);
		else if (io_write(fd, piece, (size_t)n) != 0)
			c = err_sys(e, "cannot write a temporary file");
		hash_add(h, piece, n > 0 ? (size_t)n : 0);
		left -= n;
	}
	hash_end(h, digest);
	if (c == 0 && memcmp(digest, en->digest, HASH_LEN) != 0)
		c = err_set(e, ERR_INTEGRITY,
		    "'%s' on the host is not what "
		    "its manifest says; run 'deploy verify'",
		    en->path);
	hash_free(h);
	free(piece);
	return c;
}

/* One file of the answer. */
static int
save_file(struct remote *r, struct transport_proc *p, const struct entry *en,
    const struct dir *to, struct err *e)
{
	struct buf b = BUF_INIT;
	struct wire_line l = { "", "" };
	char name[HASH_HEX + 1];
	int fd, c = expect_line(r, p, "size", &b, &l, answer_ms(r), e);

	if (c == 0 && number_or(l.value, 0, INT64_MAX, -1) != en->size)
		c = err_set(e, ERR_INTEGRITY,
		    "'%s' on the host has another size than its manifest "
		    "says; run 'deploy verify'",
		    en->path);
	buf_release(&b);
	if (c != 0)
		return -1;
	hash_hex(en->digest, name);
	fd = openat(to->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
	    0600);
	if (fd < 0)
		return err_sys(e, "cannot create '%s/%s'", to->path, name);
	c = save_bytes(p, fd, en, e);
	if (io_close(fd) != 0 && c == 0)
		c = err_sys(e, "cannot write '%s/%s'", to->path, name);
	if (c != 0)
		unlinkat(to->fd, name, 0);
	return c;
}

int
remote_files(struct remote *r, const char *id, const struct manifest *m,
    const size_t *indices, size_t n, const struct dir *to, struct err *e)
{
	struct transport_proc p = TRANSPORT_PROC_INIT;
	struct buf args = BUF_INIT, paths = BUF_INIT;
	int c;

	buf_addf(&args, "--id=%s", id);
	for (size_t i = 0; i < n; i++)
		buf_addf(&paths, "%s\n", m->v[indices[i]].path);
	c = start(r, "files", args.data, &p, e);
	if (c == 0)
		c = p.ops->write(p.proc, buf_str(&paths), paths.len, e);
	if (c == 0)
		c = p.ops->end_input(p.proc, e);
	for (size_t i = 0; c == 0 && i < n; i++)
		c = save_file(r, &p, &m->v[indices[i]], to, e);
	if (c == 0)
		c = read_lines(r, &p, answer_ms(r), NULL, NULL, e);
	transport_proc_close(&p);
	buf_release(&args);
	buf_release(&paths);
	return c;
}

/*
 * A host that refuses says why and stops reading: what it said counts more
 * than that the writing failed.
 */
static int
prefer_answer(struct remote *r, struct transport_proc *p, struct err *e)
{
	struct err said = ERR_INIT;

	if (e->sys != ETIMEDOUT &&
	    read_lines(r, p, answer_ms(r), NULL, NULL, &said) != 0 &&
	    said.text[0] != '\0' && said.sys != ETIMEDOUT)
		*e = said;
	return -1;
}

/* Give the host the pack. */
static int
send_pack(struct remote *r, struct transport_proc *p,
    const struct remote_receive *o, struct err *e)
{
	char *piece = xmalloc(PIECE);
	ssize_t n;
	int c = 0;

	while (c == 0 && (n = o->read(o->ctx, piece, PIECE, e)) != 0) {
		if (n < 0)
			c = -1;
		else if (p->ops->write(p->proc, piece, (size_t)n, e) != 0)
			c = prefer_answer(r, p, e);
	}
	free(piece);
	return c == 0 ? p->ops->end_input(p->proc, e) : -1;
}

int
remote_receive(struct remote *r, const struct remote_receive *o, struct err *e)
{
	struct transport_proc p = TRANSPORT_PROC_INIT;
	struct buf args = BUF_INIT, b = BUF_INIT;
	struct wire_line l = { "", "" };
	int c;

	buf_addf(&args, "--id=%s --bytes=%lld --inodes=%lld --compress=%s%s",
	    o->id, (long long)o->bytes, (long long)o->inodes,
	    pack_compression_name(o->compression),
	    o->filled ? " --filled" : "");
	if (o->group != NULL) {
		buf_adds(&args, " --group=");
		wire_quote(&args, o->group);
	}
	c = start(r, "receive", args.data, &p, e);
	while (c == 0 && strcmp(l.key, "ready") != 0) {
		c = next_line(r, &p, &b, &l, lock_ms(r), e);
		if (c == 0)
			err_set(e, ERR_FAILED,
			    "a wrong answer: '%.80s'; " WRONG_CURE, l.key);
		c = c > 0 ? 0 : -1;
	}
	if (c == 0 && o->ready != NULL)
		c = o->ready(o->ctx, r, l.value, e);
	if (c == 0)
		c = send_pack(r, &p, o, e);
	if (c == 0)
		c = read_lines(r, &p, work_ms(r), NULL, NULL, e);
	transport_proc_close(&p);
	buf_release(&args);
	buf_release(&b);
	return c;
}

int
remote_note(struct remote *r, const char *id, int64_t seq, const char *commit,
    struct err *e)
{
	struct meta *meta = own_meta(r, id);
	bool live = strcmp(r->view.current.s, id) == 0;
	int64_t known = meta != NULL ? meta->seq : live ? r->seq : -1;
	struct buf args = BUF_INIT;
	int c;

	if (seq <= known)
		return 0;
	buf_addf(&args, "--id=%s --seq=%lld", id, (long long)seq);
	if (commit != NULL) {
		buf_adds(&args, " --commit=");
		wire_quote(&args, commit);
	}
	c = remote_call(r, "note", args.data, NULL, NULL, e);
	buf_release(&args);
	if (c == 0 && meta != NULL)
		meta->seq = seq;
	if (c == 0 && live)
		r->seq = seq;
	return c;
}

/* What is expected to be live. */
static const char *
expected(const struct remote *r, const struct remote_activate *o)
{
	return o->expect != NULL ? o->expect : r->view.current.s;
}

/* The journal line, for who cannot write it himself. */
static void
add_line(const struct remote *r, const struct remote_activate *o,
    struct buf *out)
{
	const struct meta *meta = remote_meta(r, o->id);
	struct journal_line line = { .time = clock_now(),
		.seq = -1,
		.action = o->rollback ? JOURNAL_ROLLBACK : JOURNAL_ACTIVATE };
	struct buf text = BUF_INIT;

	release_id_copy(&line.from, expected(r, o));
	release_id_copy(&line.to, o->id);
	/* Borrowed: the line is not released. */
	line.who = r->caller->who;
	line.job = r->caller->job;
	line.message = (char *)(uintptr_t)o->message;
	if (meta != NULL) {
		line.seq = meta->seq;
		if (o->message == NULL)
			line.message = meta->message;
	}
	journal_print(&line, &text);
	buf_adds(out, " --line=");
	wire_quote(out, text.data);
	buf_release(&text);
}

/* The options of activate. */
static char *
activate_args(const struct remote *r, const struct remote_activate *o,
    int64_t deadline)
{
	struct buf b = BUF_INIT;

	buf_addf(&b, "--id=%s --expect=%s", o->id, expected(r, o));
	add_line(r, o, &b);
	if (o->message != NULL) {
		buf_adds(&b, " --message=");
		wire_quote(&b, o->message);
	}
	if (o->journal_size >= 0)
		buf_addf(&b, " --journal-size=%lld",
		    (long long)o->journal_size);
	if (deadline > 0)
		buf_addf(&b, " --armed=%lld", (long long)deadline);
	buf_addf(&b, " --hook-timeout=%lld", (long long)r->waits.hook);
	buf_adds(&b, o->rollback ? " --rollback" : "");
	if ((o->overrides & OVERRIDE_FLIP) != 0) {
		buf_adds(&b, " --override=");
		override_print(o->overrides & OVERRIDE_FLIP, &b);
	}
	buf_adds(&b, o->preview ? " --check" : "");
	return buf_detach(&b);
}

/*
 * An older build never overtakes a newer one.  A host in C looks for itself,
 * under its lock; for the others the journal's size tells that nothing has
 * happened since this was found out.
 */
static int
check_sequence(const struct remote *r, const struct remote_activate *o,
    struct err *e)
{
	const struct meta *meta = remote_meta(r, o->id);
	const struct history *h = &r->view.history;
	int64_t last = h->seq;

	if (meta == NULL || (o->overrides & OVERRIDE_ORDER) != 0 ||
	    (o->rollback && history_was_live(&r->view.history, o->id)) ||
	    strcmp(r->view.current.s, o->id) == 0)
		return 0;
	for (size_t i = 0; i < h->seen.n; i++) {
		const struct meta *then = remote_meta(r, h->seen.v[i]);

		if (then != NULL && history_is_recent(h, i) &&
		    then->seq > last)
			last = then->seq;
	}
	return activate_check_sequence(last, meta->seq, e);
}

int
remote_arm(struct remote *r, const struct remote_activate *o, int64_t deadline,
    struct err *e)
{
	char *args = activate_args(r, o, deadline);
	struct buf b = BUF_INIT;
	struct wire_line l = { "", "" };
	int c = check_sequence(r, o, e);

	remote_disarm(r);
	if (c == 0)
		c = start(r, "activate", args, &r->armed, e);
	free(args);
	if (c == 0)
		c = expect_line(r, &r->armed, "armed", &b, &l, lock_ms(r), e);
	buf_release(&b);
	if (c != 0)
		remote_disarm(r);
	return c;
}

int
remote_hold(struct remote *r, struct err *e)
{
	return r->armed.ops->write(r->armed.proc, "wait\n", 5, e);
}

int
remote_go(struct remote *r, struct err *e)
{
	return r->armed.ops->write(r->armed.proc, "go\n", 3, e);
}

/* A line of the answer to an activation. */
static void
on_flip(struct remote *r, const struct wire_line *l)
{
	if (strcmp(l->key, "live") == 0) {
		r->live_at = clock_us();
		r->stale = true;
	} else if (strcmp(l->key, "took") == 0) {
		r->took = number_or(l->value, 0, INT64_MAX, -1);
	} else if (strcmp(l->key, "hook") == 0) {
		r->hook_runs = true;
	}
}

/* Read the answer to its end, or until a hook begins. */
static int
read_flip(struct remote *r, int64_t timeout, struct err *e)
{
	struct buf b = BUF_INIT;
	struct wire_line l;
	int c = 1;

	r->took = r->live_at = 0;
	while (c > 0 && !r->hook_runs) {
		c = next_line(r, &r->armed, &b, &l, timeout, e);
		if (c > 0)
			on_flip(r, &l);
	}
	buf_release(&b);
	if (!r->hook_runs)
		remote_disarm(r);
	return c < 0 ? -1 : 0;
}

int
remote_went(struct remote *r, int64_t timeout, struct err *e)
{
	return read_flip(r, timeout, e);
}

void
remote_disarm(struct remote *r)
{
	struct transport_proc *p = &r->armed;
	struct buf b = BUF_INIT;
	struct err ignored = ERR_INIT;

	/* The end of its input tells it; it may need a moment to clean up. */
	if (p->ops != NULL && !r->hook_runs &&
	    p->ops->end_input(p->proc, &ignored) == 0)
		while (p->ops->read_line(p->proc, &b, DISARM_MS, &ignored) > 0)
			;
	buf_release(&b);
	r->hook_runs = false;
	transport_proc_close(p);
}

/*
 * The last thing that the program on the host said on standard error.  Its
 * standard output ends with it, its standard error perhaps not: a hook may
 * have left something running.
 */
static void
add_last_words(struct transport_proc *p, struct buf *out)
{
	struct buf b = BUF_INIT;
	struct err ignored = ERR_INIT;
	const char *start, *end;

	while (p->ops->read_line(p->proc, &b, DISARM_MS, &ignored) > 0)
		;
	buf_release(&b);
	start = p->ops->errors(p->proc);
	end = start + strlen(start);
	while (end > start && end[-1] == '\n')
		end--;
	for (const char *at = start; at < end; at++)
		if (*at == '\n')
			start = at + 1;
	if (end > start)
		buf_addf(out, ": %.*s", (int)(end - start), start);
}

/* What came of the hook that runs; "": all is well. */
static int
hear_hook(struct remote *r, struct buf *failure, struct err *e)
{
	int64_t timeout = r->waits.hook * 1000 + answer_ms(r);
	struct buf b = BUF_INIT;
	struct wire_line l;
	int c;

	while ((c = next_line(r, &r->armed, &b, &l, timeout, e)) > 0)
		if (strcmp(l.key, "hook-failed") == 0)
			buf_adds(failure, l.value);
	buf_release(&b);
	return c;
}

void
remote_await_hook(struct remote *r)
{
	struct buf failure = BUF_INIT;
	struct err e = ERR_INIT;

	if (!r->hook_runs)
		return;
	r->hook_runs = hear_hook(r, &failure, &e) != 0;
	if (r->hook_runs)
		buf_addf(&failure, "what came of its hook is not known: %s",
		    e.text);
	else if (failure.len > 0)
		add_last_words(&r->armed, &failure);
	remote_disarm(r);
	free(r->hook_failure);
	r->hook_failure = failure.len > 0 ? buf_detach(&failure) : NULL;
	buf_release(&failure);
}

int
remote_activate(struct remote *r, const struct remote_activate *o,
    struct err *e)
{
	char *args = activate_args(r, o, 0);
	int c = check_sequence(r, o, e);

	remote_disarm(r);
	if (c == 0)
		c = start(r, "activate", args, &r->armed, e);
	free(args);
	if (c == 0)
		c = r->armed.ops->end_input(r->armed.proc, e);
	if (c == 0)
		return read_flip(r, lock_ms(r), e);
	remote_disarm(r);
	return -1;
}

void
remote_freeze_args(const struct freeze *f, struct buf *out)
{
	struct buf record = BUF_INIT;

	freeze_print(f, &record);
	buf_adds(out, "--record=");
	wire_quote(out, record.data);
	if (f->why != NULL) {
		buf_adds(out, " --message=");
		wire_quote(out, f->why);
	}
	if (f->until != 0)
		buf_addf(out, " --until=%lld", (long long)f->until);
	buf_release(&record);
}

/* The ids that a prune removes, separated by commas. */
static void
add_doomed(const struct remote *r, const struct prune_options *o,
    struct buf *out)
{
	const struct retention_rule rule = { o->keep, o->older_than * 1000,
		clock_now() };
	size_t n = r->view.ids.n;
	bool *pinned = xcalloc(n, sizeof(*pinned));
	bool *chosen = xcalloc(n, sizeof(*chosen));
	const char *comma = "";

	/* One whose meta makes no sense may be pinned: it stays. */
	for (size_t i = 0; i < n; i++)
		pinned[i] = r->metas[i].id.s[0] == '\0' || r->metas[i].pinned;
	retention_select(&r->view.ids, pinned, &r->view.history, &rule,
	    chosen);
	for (size_t i = 0; i < n; i++) {
		if (!chosen[i])
			continue;
		buf_addf(out, "%s%s", comma, r->view.ids.v[i]);
		comma = ",";
	}
	free(pinned);
	free(chosen);
}

/* Does it decide by itself what to remove? */
static bool
is_program(const struct remote *r)
{
	return r->version != NULL && strcmp(r->version, "sh") != 0;
}

int
remote_prune(struct remote *r, const struct prune_options *o,
    void (*line)(void *ctx, const char *key, const char *value), void *ctx,
    struct err *e)
{
	struct buf args = BUF_INIT;
	int c = 0;

	if (r->stale && !is_program(r))
		c = remote_info(r, REMOTE_ALL, NULL, e);
	buf_addf(&args, "--keep=%u --older-than=%lld%s", o->keep,
	    (long long)o->older_than, o->preview ? " --check" : "");
	if (!r->stale) {
		buf_addf(&args, " --expect=%s --journal-size=%lld --remove=",
		    r->view.current.s, (long long)r->journal_size);
		add_doomed(r, o, &args);
	}
	if (c == 0)
		c = remote_call(r, "prune", args.data, line, ctx, e);
	buf_release(&args);
	return c;
}
