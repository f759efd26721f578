/*
 * What a client makes of a host's answers: whatever the host says, every
 * call ends, with success or a sentence; what is taken from an answer (ids,
 * manifests, files, the journal) is what it should be; and nothing is written
 * but files whose content was promised.
 *
 * An input is a line with a letter for each call that the client makes (see
 * calls[]), then all that the host says; a form feed ends a program there, and
 * the next one that is started goes on behind it.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "base/path.h"
#include "base/utf8.h"
#include "content/chunk.h"
#include "os/io.h"
#include "remote/ask.h"
#include "remote/remote.h"

#define ID "20261122T080000.000Z-6f9619ff-8b86-4011-b42d-00c04fc96500"
/* SHA-256 of "hello". */
#define HELLO \
	"2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"

#define MUST(expr) ((expr) ? (void)0 : broken(#expr, __LINE__))

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,
    unsigned int seed);
const char *__asan_default_options(void);

static const struct release_id own_id = { ID };
static struct err e;
static struct dir top = DIR_INIT; /* what the host sends, in memory */
static struct manifest wanted = MANIFEST_INIT; /* one file, "hello" */

static void __attribute__((noreturn)) broken(const char *what, int line)
{
	fprintf(stderr, "line %d: does not hold: %s\n%s\n", line, what,
	    e.text);
	abort();
}

/* See receive.c. */
const char *
__asan_default_options(void)
{
	return "quarantine_size_mb=4:malloc_context_size=1:"
	       "max_malloc_fill_size=0";
}

/* The first of its files. */
static const size_t own_index;
static const struct remote_choice own_choice = { &own_id, &wanted, &own_index,
	1 };

/* ------------------------------------------------ a host that has a script */

struct script {
	const char *at, *end;
};

static void
on_close(void *self)
{
	(void)self;
}

static void *
on_start(void *self, const char *command, struct err *err)
{
	(void)err;
	MUST(strchr(command, '\n') == NULL);
	return self;
}

static int
on_write(void *proc, const void *data, size_t len, struct err *err)
{
	(void)proc;
	(void)data;
	(void)err;
	MUST(len > 0);
	return 0;
}

static int
on_end_input(void *proc, struct err *err)
{
	(void)proc;
	(void)err;
	return 0;
}

/* What the program that runs has still to say. */
static size_t
left(const struct script *s)
{
	const char *stop = memchr(s->at, '\f', (size_t)(s->end - s->at));

	return (size_t)((stop != NULL ? stop : s->end) - s->at);
}

static int
on_read_line(void *proc, struct buf *line, int64_t timeout, struct err *err)
{
	struct script *s = proc;
	size_t n = left(s);
	const char *nl = memchr(s->at, '\n', n);

	(void)err;
	MUST(timeout >= 0);
	buf_reset(line);
	if (n == 0)
		return 0;
	if (nl != NULL)
		n = (size_t)(nl - s->at);
	buf_add(line, s->at, n);
	s->at += n + (nl != NULL);
	return 1;
}

/* A few bytes at a time, as a network may have them. */
static ssize_t
on_read(void *proc, void *data, size_t len, struct err *err)
{
	struct script *s = proc;
	size_t n = left(s);

	(void)err;
	MUST(len > 0);
	if (n > len)
		n = len;
	if (n > 7)
		n = 7;
	memcpy(data, s->at, n);
	s->at += n;
	return (ssize_t)n;
}

static int
on_finish(void *proc, int *status, struct buf *errors, struct err *err)
{
	(void)proc;
	(void)err;
	*status = 1;
	buf_adds(errors, "sh: not found\n");
	return 0;
}

static const char *
on_errors(const void *proc)
{
	(void)proc;
	return "";
}

/* The next program begins behind the form feed. */
static void
on_close_proc(void *proc)
{
	struct script *s = proc;

	s->at += left(s);
	if (s->at < s->end)
		s->at++;
}

static const struct transport_ops ops = {
	.close = on_close,
	.start = on_start,
	.write = on_write,
	.end_input = on_end_input,
	.read_line = on_read_line,
	.read = on_read,
	.finish = on_finish,
	.errors = on_errors,
	.close_proc = on_close_proc,
};

/* --------------------------------------------------------- what must hold */

static void
check_end(int c)
{
	MUST(c == 0 || c == -1);
	if (c == 0)
		return;
	MUST(e.code != ERR_OK && e.text[0] != '\0');
	for (const char *p = e.text; *p != '\0';
	     p += utf8_len(p) > 0 ? utf8_len(p) : 1)
		MUST(!utf8_is_control(p));
}

static void
check_id(const struct release_id *id)
{
	struct release_id same;

	MUST(release_id_parse(&same, id->text) || release_id_is_none(id));
}

/* What a host told of itself. */
static void
check_state(const struct remote *r)
{
	const struct view *v = &r->view;

	check_id(&v->current);
	check_id(&r->latest);
	MUST(strlen(r->digest) <= HASH_HEX);
	MUST(r->seq >= -1 && r->journal_size >= -1);
	MUST(r->room.bytes >= -1 && r->room.inodes >= -1);
	for (size_t i = 0; i < v->ids.n; i++) {
		check_id(&v->ids.v[i]);
		MUST(!release_id_is_none(&v->ids.v[i]));
		MUST(remote_meta(r, &v->ids.v[i]) != NULL);
		MUST(r->metas[i].seq >= -1);
	}
	for (size_t i = 0; i < v->journal.n; i++) {
		check_id(&v->journal.v[i].from);
		check_id(&v->journal.v[i].to);
		MUST(!release_id_is_none(&v->journal.v[i].to));
	}
}

/* A manifest that was taken. */
static void
check_manifest(const struct manifest *m)
{
	struct err ignored = ERR_INIT;

	for (size_t i = 0; i < m->n; i++) {
		MUST(path_check(m->v[i].path, &ignored) == 0);
		MUST(m->v[i].type != ENTRY_FILE || m->v[i].size >= 0);
		MUST((m->v[i].mode & ~02777) == 0);
	}
}

/* The file that was wanted, or nothing; then nothing. */
static void
check_files(bool all)
{
	struct strvec names = STRVEC_INIT;
	char text[8] = "";
	int fd;

	MUST(dir_list(&top, &names, &e) == 0);
	MUST(names.n == (size_t)all);
	if (all) {
		MUST(strcmp(names.v[0], HELLO) == 0);
		fd = openat(top.fd, HELLO, O_RDONLY | O_CLOEXEC);
		MUST(fd >= 0 && io_read(fd, text, sizeof(text)) == 5);
		MUST(memcmp(text, "hello", 5) == 0);
		close(fd);
		MUST(unlinkat(top.fd, HELLO, 0) == 0);
	}
	strvec_release(&names);
}

/* ---------------------------------------------------------- the calls */

static int
info_state(struct remote *r)
{
	return remote_info(r, REMOTE_STATE, NULL, &e);
}

static int
info_all(struct remote *r)
{
	return remote_info(r, REMOTE_ALL, NULL, &e);
}

static int
info_unless(struct remote *r)
{
	return remote_info(r, REMOTE_ALL_UNLESS, HELLO, &e);
}

static int
manifest(struct remote *r)
{
	struct manifest m = MANIFEST_INIT;
	int c = remote_manifest(r, &own_id, &m, &e);

	if (c == 0)
		check_manifest(&m);
	manifest_release(&m);
	return c;
}

static int
files(struct remote *r)
{
	int c = remote_files(r, &own_choice, &top, &e);

	/* What follows the file may still be wrong. */
	check_files(c == 0 ||
	    faccessat(top.fd, HELLO, F_OK, AT_SYMLINK_NOFOLLOW) == 0);
	return c;
}

static int
samples(struct remote *r)
{
	struct buf text = BUF_INIT;
	int64_t bytes = 1000;
	int c = remote_samples(r, &own_choice, &text, &bytes, &e);

	MUST(bytes >= 0);
	MUST(c != 0 || strcmp(buf_str(&text), "hello") == 0);
	MUST(text.len <= 5);
	buf_release(&text);
	return c;
}

static int
signatures(struct remote *r)
{
	struct buf hashes = BUF_INIT;
	int c = remote_signatures(r, &own_choice, &hashes, &e);

	MUST(hashes.len <= (size_t)chunk_hashes_max(5) * CHUNK_HASH);
	MUST(c != 0 || hashes.len % CHUNK_HASH == 0);
	buf_release(&hashes);
	return c;
}

/* A pack of one byte. */
static ssize_t
one_byte(void *ctx, void *data, size_t len, struct err *err)
{
	size_t *n = ctx;

	(void)err;
	MUST(len > 0);
	*(char *)data = 'x';
	return (*n)++ == 0 ? 1 : 0;
}

static int
receive(struct remote *r)
{
	size_t sent = 0;
	const struct remote_receive o = { .id = &own_id,
		.read = one_byte,
		.ctx = &sent };

	return remote_receive(r, &o, &e);
}

static int
arm(struct remote *r)
{
	const struct remote_activate o = { .id = &own_id, .journal_size = -1 };
	int c = remote_arm(r, &o, 1000, &e);

	MUST((c == 0) == r->armed);
	return c;
}

static int
go(struct remote *r)
{
	int c;

	if (!r->armed)
		return 0;
	c = remote_go(r, &e);
	if (c == 0)
		c = remote_went(r, 1000, &e);
	MUST(!r->armed);
	MUST(r->took >= -1);
	remote_await_hook(r);
	MUST(!r->hook_runs);
	return c;
}

static int
hold(struct remote *r)
{
	return r->armed ? remote_hold(r, &e) : 0;
}

static int
disarm(struct remote *r)
{
	remote_disarm(r);
	MUST(!r->armed && !r->hook_runs);
	return 0;
}

static int
activate(struct remote *r)
{
	const struct remote_activate o = { .id = &own_id,
		.journal_size = r->journal_size,
		.action = JOURNAL_ROLLBACK };
	int c = remote_activate(r, &o, &e);

	remote_await_hook(r);
	return c;
}

static int
note(struct remote *r)
{
	return remote_note(r, &own_id, INT64_MAX, "0123", &e);
}

static int
prune_host(struct remote *r)
{
	const struct prune_options o = { .keep = 2 };

	return remote_prune(r, &o, NULL, NULL, &e);
}

static int
verify(struct remote *r)
{
	return remote_call(r, "verify", NULL, NULL, NULL, &e);
}

static const struct {
	char letter;
	int (*run)(struct remote *r);
} calls[] = { { 'i', info_state }, { 'I', info_all }, { 'u', info_unless },
	{ 'm', manifest }, { 'f', files }, { 's', samples },
	{ 'S', signatures }, { 'r', receive }, { 'a', arm }, { 'g', go },
	{ 'h', hold }, { 'd', disarm }, { 'A', activate }, { 'n', note },
	{ 'p', prune_host }, { 'v', verify } };

enum { CALLS = sizeof(calls) / sizeof(calls[0]), CALLS_MAX = 16 };

static void
run(struct remote *r, const char *letters, size_t n)
{
	for (size_t i = 0; i < n && i < CALLS_MAX; i++)
		for (size_t k = 0; k < CALLS; k++)
			if (calls[k].letter == letters[i]) {
				e = (struct err)ERR_INIT;
				check_end(calls[k].run(r));
				check_state(r);
			}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct host_config host; /* ssh, to nobody */
	static char root[] = "/srv/a", who[] = "fuzz", empty[] = "";
	static const struct caller caller = { .who = who };
	static const struct remote_waits waits = { 1, 60, 1 };
	const char *letters = (const char *)data;
	const char *nl = size > 0 ? memchr(letters, '\n', size) : NULL;
	char *copy;
	struct script s;
	struct remote r;

	if (nl == NULL)
		return 0;
	host.root = root;
	host.label = empty;
	/* Of its own, so that what reads too far is seen. */
	size -= (size_t)(nl + 1 - letters);
	copy = xmalloc(size + 1);
	memcpy(copy, nl + 1, size);
	s = (struct script){ copy, copy + size };
	remote_init(&r, &host, &caller, &waits);
	r.transport = (struct transport){ &ops, &s };
	run(&r, letters, (size_t)(nl - letters));
	remote_release(&r);
	free(copy);
	return 0;
}

static void
remove_top(void)
{
	rmdir(top.path);
	dir_close(&top);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *tmp =
	    access("/dev/shm", W_OK) == 0 ? "/dev/shm" : getenv("TMPDIR");
	char *path =
	    xasprintf("%s/fuzz-answer.XXXXXX", tmp != NULL ? tmp : "/tmp");
	struct entry *en;

	(void)argc;
	(void)argv;
	MUST(mkdtemp(path) != NULL && dir_open_path(&top, path, &e) == 0);
	free(path);
	atexit(remove_top);
	en = manifest_add(&wanted, "a/b.html", ENTRY_FILE);
	en->size = 5;
	en->mode = 0644;
	MUST(hash_unhex(HELLO, en->digest) == 0);
	return 0;
}

/* Lines and pieces of answers; the calls come first. */
static const char *const said[] = { "deploy-host 1\n", "deploy-host sh\n",
	"deploy-host 2\n", "ok\n", "error\t5\tx\n", "error\t3\t\n", "error\n",
	"\f", "prepared\t1\n", "version\t0.1.0\n", "version\tsh\n",
	"now\t1795296000000\n", "has\tzstd\n", "has\tgzip\n", "links\t0\n",
	"current\t" ID "\n", "current\t\n", "latest\t" ID "\n",
	"digest\t" HELLO "\n", "seq\t41\n", "seq\t9223372036854775808\n",
	"frozen\t1\n", "journal-size\t17\n", "free\t1\t2\n", "free\t-1\t-1\n",
	"locked\tann\n", "release\t" ID "\t{\"id\":\"" ID "\",\"seq\":41}\n",
	"release\t" ID "\t{}\n", "release\t" ID "\t\n",
	"release\t20261121T190305.482Z-6f9619ff-8b86-4011-b42d-00c04fc964ff\t"
	"{\"id\":\"20261121T190305.482Z-6f9619ff-8b86-4011-b42d-00c04fc964ff\"}"
	"\n",
	"journal\t{\"time\":\"2026-01-02T00:00:00Z\",\"action\":\"activate\","
	"\"from\":null,\"to\":\"" ID "\",\"seq\":1,\"who\":\"t\"}\n",
	"journal\t{}\n", "size\t5\n", "size\t268435456\n", "size\t268435457\n",
	"size\t0\n", "size\t-1\n", "hello",
	"size\t85\n#mtree v2.0\n. type=dir mode=0755\n./a type=dir mode=0755\n"
	"./b type=link mode=0777 link=a\n",
	"ready\t/srv/a/.deploy/incoming/" ID "\n", "received\t1\t0\t5\n",
	"armed\t\n", "live\t" ID "\n", "from\t\n", "changed\t1\n", "took\t3\n",
	"took\t-1\n", "hook\tpost-activate\n", "hook-failed\tx\x1b[2J\n",
	"warning\tx\n", "pruned\t" ID "\n", "verified\t1\t5\n",
	"difference\ta: x\n",
	"\x9b"
	"31m\n",
	"\n", "\t\n" };

size_t
LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,
    unsigned int seed)
{
	const char *piece = said[seed / 7 % (sizeof(said) / sizeof(*said))];
	const uint8_t *nl = size > 0 ? memchr(data, '\n', size) : NULL;
	size_t n = strlen(piece), begin, at, end;

	if (seed % 5 == 0 || nl == NULL || size + n > max)
		return LLVMFuzzerMutate(data, size, max);
	begin = (size_t)(nl - data) + 1;
	if (seed % 5 == 1 && begin > 1) {
		data[seed / 11 % (begin - 1)] =
		    (uint8_t)calls[seed / 97 % CALLS].letter;
		return size;
	}
	/* In the place of a line, or before it. */
	at = begin + (size > begin ? seed / 1009 % (size - begin) : 0);
	while (at > begin && data[at - 1] != '\n')
		at--;
	for (end = at; seed % 2 == 0 && end < size;)
		if (data[end++] == '\n')
			break;
	memmove(data + at + n, data + end, size - end);
	memcpy(data + at, piece, n);
	return at + n + size - end;
}
