#include "remote/ask.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "os/intr.h"
#include "os/log.h"
#include "remote/host_script.h"
#include "remote/remote.h"

enum {
	WORK_FACTOR = 10,
	CANNOT_RUN = 126, /* a shell's status, and 127 */
	PROBE_MS = 5000,
	NOISE_MAX = 1000,	      /* lines before the magic */
	LINES_MAX = 64 * 1024 * 1024, /* bytes of an answer's lines */
	LINE_COST = 160,	      /* of the memory for each, besides */
};

/* For tests: the shell that runs the sh verbs. */
#define SHELL_VARIABLE "DEPLOY_TEST_SH"

/*
 * What every host gets as its command, with the words "host serve ROOT" and
 * maybe the first request behind it: the program that $0 names, if it is
 * there, else a shell that wants the sh verbs.  It leaves out the first
 * request, which comes again, or the empty lines in its place; and it waits as
 * long as we do, whatever $TMOUT tells the `read` of bash.  Nothing in it means
 * anything to any login shell between single quotes.
 */
#define BOOT \
	"command -v \"$0\" >/dev/null 2>&1 && exec \"$0\" \"$@\"; " \
	"unset TMOUT; " \
	"while IFS= read -r code && [ -n \"$code\" ]; do :; done; " \
	"echo " WIRE_MAGIC_SH "; " \
	"while IFS= read -r code && [ -z \"$code\" ]; do :; done; " \
	"eval \"$code\""

/*
 * Requests without words, in the place of one that is in the command.  What
 * runs there instead of a shell and waits for a language of its own, such as
 * sftp-server(8), says that this is none.
 */
#define NOTHING "\n\n\n\n\n\n\n\n"

/* The first line that such a shell gets: read the rest, and run it. */
#define LOADER \
	"newline=$(printf '\\nx'); newline=${newline%x}; code=; " \
	"while IFS= read -r line && [ -n \"$line\" ]; do " \
	"code=$code$line$newline; done; eval \"$code\"\n"

int64_t
ask_answer_ms(const struct remote *r)
{
	return r->waits.silence * 1000;
}

int64_t
ask_work_ms(const struct remote *r)
{
	return r->waits.lock * 1000 + WORK_FACTOR * ask_answer_ms(r);
}

/* How long the answer to a verb may take. */
static int64_t
verb_ms(const struct remote *r, const char *verb)
{
	if (strcmp(verb, "verify") == 0 || strcmp(verb, "prune") == 0 ||
	    strcmp(verb, "adopt") == 0)
		return ask_work_ms(r);
	return ask_answer_ms(r);
}

void
ask_hang_up(struct remote *r)
{
	transport_proc_close(&r->program);
	/* Who waited there for the word does so no more. */
	r->asking = r->speaks_sh = r->armed = false;
	r->parts = 0;
}

/* ------------------------------------------------------- the program there */

/* The command that starts it, with its first request, which may be NULL. */
static int
add_command(const struct remote *r, const char *request, struct buf *out,
    struct err *e)
{
	const char *shell = getenv(SHELL_VARIABLE);
	const char *program =
	    r->host->deploy != NULL ? r->host->deploy : "deploy";

	buf_addf(out, "exec %s -c ", shell != NULL ? shell : "sh");
	if (wire_quote(out, BOOT, e) != 0)
		return -1;
	buf_addc(out, ' ');
	/* No program has an empty name. */
	if (wire_quote(out, strcmp(program, "none") == 0 ? "" : program, e) !=
	    0)
		return -1;
	buf_adds(out, " host serve ");
	if (wire_quote(out, r->host->root, e) != 0)
		return -1;
	if (request != NULL) {
		buf_adds(out, " '");
		wire_put_first(out, request);
		buf_addc(out, '\'');
	}
	return 0;
}

/* Does a thread of this process answer? */
static bool
is_in_here(const struct remote *r)
{
	return r->transport.ops->serve != NULL && r->host->deploy == NULL;
}

static int
start_program(struct remote *r, const char *request, struct transport_proc *p,
    struct err *e)
{
	struct buf command = BUF_INIT;
	int c;

	if (is_in_here(r))
		return transport_serve(&r->transport, r->host->root, p, e);
	c = add_command(r, request, &command, e);
	if (c == 0)
		c = transport_start(&r->transport, buf_str(&command), p, e);
	buf_release(&command);
	return c;
}

void
ask_ahead(struct remote *r)
{
	struct err ignored = ERR_INIT;

	if (r->next.ops == NULL && transport_starts_at_once(&r->transport))
		err_ignore(start_program(r, NULL, &r->next, &ignored));
}

/* What a login shell, or what runs instead of it, said before it ended. */
static void
add_noise(struct err *e, const struct buf *noise, const struct buf *errors)
{
	const char *said = errors->len > 0 ? buf_str(errors) : buf_str(noise);
	size_t n = strcspn(said, "\n");

	if (n > 0)
		err_append(e, "; it said: %.*s", (int)(n < 300 ? n : 300),
		    said);
}

/* Is it a program that calls itself so who complains? */
static bool
is_of_deploy(const struct buf *errors)
{
	return strncmp(buf_str(errors), "deploy: ", strlen("deploy: ")) == 0;
}

/* Does deploy.yml name a program of the host? */
static bool
has_program(const struct remote *r)
{
	return r->host->deploy != NULL && strcmp(r->host->deploy, "none") != 0;
}

/* Does the line end in the word?  Noise may lack its newline, and be any. */
static bool
ends_in(const struct buf *line, const char *word)
{
	size_t len = strlen(word);

	return line->len >= len &&
	    memcmp(line->data + line->len - len, word, len) == 0;
}

/*
 * The path of the program called deploy there, to be freed.  NULL: there is none,
 * or the account runs no commands.
 */
static char *
find_program(struct remote *r)
{
	struct transport_proc p = TRANSPORT_PROC_INIT;
	struct err ignored = ERR_INIT;
	int64_t end = clock_ms() + PROBE_MS;
	char *path = NULL;
	int c;

	/* With 'deploy: none' none was asked. */
	if (is_in_here(r) || r->host->deploy != NULL)
		return NULL;
	c = transport_start(&r->transport, "exec sh -c 'command -v deploy'",
	    &p, &ignored);
	for (int i = 0; c >= 0 && i < NOISE_MAX && path == NULL; i++) {
		c = p.ops->read_line(p.proc, &r->line, end - clock_ms(),
		    &ignored);
		if (c <= 0)
			break;
		if (*buf_str(&r->line) == '/' && ends_in(&r->line, "/deploy"))
			path = xstrdup(buf_str(&r->line));
	}
	transport_proc_close(&p);
	return path;
}

/* Nothing of deploy answers: is it another program, or does nothing run? */
static void
explain_stranger(struct remote *r, int status, const struct buf *noise,
    const struct buf *errors, struct err *e)
{
	struct buf said = BUF_INIT;
	char *path;

	/* The line of the noise may be used anew. */
	buf_adds(&said, buf_str(noise));
	path = find_program(r);
	if (path != NULL)
		err_set(e, ERR_UNREACHABLE,
		    "'%s' on the host ended with status %d without an answer: it is another program than this deploy, or does not run there",
		    path, status);
	else
		err_set(e, ERR_UNREACHABLE,
		    "the account on the host runs no commands (status %d): deploy needs a login shell such as /bin/sh, and no forced command but its own (see 'deploy host authorize')",
		    status);
	add_noise(e, &said, errors);
	if (path != NULL)
		err_append(e,
		    ";; 'deploy: none' for this host in deploy.yml does without it, and 'deploy: /PATH' names another");
	free(path);
	buf_release(&said);
}

/* It ended and did not answer: how, and what may be the matter. */
static int
no_answer(struct remote *r, const struct buf *noise, struct err *e)
{
	struct buf errors = BUF_INIT;
	bool began = r->greeted;
	int status = 0;
	int c = r->program.ops->finish(r->program.proc, &status, &errors, e);

	while (errors.len > 0 && errors.data[errors.len - 1] == '\n')
		errors.data[--errors.len] = '\0';
	ask_hang_up(r);
	/* A shell may speak in its name, too: that it cannot be run. */
	if (c == 0 &&
	    (began || (is_of_deploy(&errors) && status < CANNOT_RUN))) {
		err_set(e, ERR_FAILED,
		    "the host's deploy ended with status %d without an answer%s%s",
		    status, errors.len > 0 ? ": " : "", buf_str(&errors));
	} else if (c == 0 && has_program(r)) {
		err_set(e, ERR_UNREACHABLE,
		    "'%s' on the host (deploy: in deploy.yml) ended with status %d without an answer: it is not deploy, or the account runs no commands, for want of a login shell such as /bin/sh or for a forced command (see 'deploy host authorize')",
		    r->host->deploy, status);
		add_noise(e, noise, &errors);
	} else if (c == 0) {
		explain_stranger(r, status, noise, &errors, e);
	} else if (!began && e->code == ERR_FAILED) {
		e->code = ERR_UNREACHABLE; /* killed before it was asked */
		add_noise(e, noise, &errors);
	}
	buf_release(&errors);
	return -1;
}

/* Another version's magic line. */
static bool
is_foreign_magic(const char *line)
{
	const size_t word = strcspn(WIRE_MAGIC, " ") + 1;

	return strncmp(line, WIRE_MAGIC, word) == 0;
}

/* Our own magic line, with the line end of a terminal? */
static bool
is_of_terminal(const struct buf *line)
{
	return ends_in(line, WIRE_MAGIC "\r") ||
	    ends_in(line, WIRE_MAGIC_SH "\r");
}

/* What was said last, without a newline. */
static void
take_unfinished(struct transport_proc *p, struct buf *noise)
{
	struct err ignored = ERR_INIT;
	char said[301];
	ssize_t n = p->ops->read(p->proc, said, sizeof(said) - 1, &ignored);

	if (n <= 0)
		return;
	said[n] = '\0';
	buf_reset(noise);
	buf_adds(noise, said);
}

/* It said nothing that we know, and does not end: what may be the matter. */
static void
explain_silence(const struct buf *noise, struct err *e)
{
	static const struct buf none = BUF_INIT;

	if (e->sys != ETIMEDOUT)
		return;
	add_noise(e, noise, &none);
	err_append(e,
	    ";; does the account's login shell there, do its start-up files or a forced command wait for something?");
}

/* Read up to the magic line, past what a login shell has to say. */
static int
read_magic(struct remote *r, struct err *e)
{
	struct buf noise = BUF_INIT, *line = &r->line;
	struct transport_proc *p = &r->program;
	int64_t end = clock_ms() + ask_answer_ms(r);
	int c = 0;

	/* What never ends has no more time than what says nothing. */
	for (int i = 0; i < NOISE_MAX; i++) {
		c = p->ops->read_line(p->proc, line, end - clock_ms(), e);
		if (c <= 0)
			break;
		r->speaks_sh = ends_in(line, WIRE_MAGIC_SH);
		r->greeted = r->speaks_sh || ends_in(line, WIRE_MAGIC);
		if (r->greeted || is_of_terminal(line) ||
		    is_foreign_magic(buf_str(line)))
			break;
		buf_reset(&noise);
		buf_addf(&noise, "%.300s", buf_str(line));
	}
	if (c == 0) {
		take_unfinished(p, &noise);
		c = no_answer(r, &noise, e);
	} else if (c > 0 && r->greeted)
		c = 0;
	else if (c > 0 && is_of_terminal(line))
		c = err_set(e, ERR_FAILED,
		    "the host answers through a terminal, which changes what deploy sends;; run the account's commands without one (ForceCommand, 'script', RequestTTY)");
	else if (c > 0 && is_foreign_magic(buf_str(line)))
		c = err_set(e, ERR_FAILED,
		    "the host speaks '%.40s', and not '" WIRE_MAGIC
		    "';; use the same version of deploy on both ends",
		    buf_str(line));
	else if (c > 0)
		c = err_set(e, ERR_UNREACHABLE,
		    "the host answers, but not as deploy does: '%.80s';; let the start-up files of its shell print less, or take its forced command away",
		    buf_str(line));
	else
		explain_silence(&noise, e);
	buf_release(&noise);
	return c < 0 ? -1 : 0;
}

/* ----------------------------------------------------------- the sh verbs */

/*
 * Is the part that the marker begins for the verb, or the option?  NULL: for
 * all of them.
 */
static bool
is_part_for(const char *marker, const char *verb)
{
	size_t n = verb != NULL ? strlen(verb) : 0;
	const char *p = marker + strlen("#:");

	if (*p == '\n' || verb == NULL)
		return *p == '\n' && verb == NULL;
	while ((p = strstr(p, verb)) != NULL) {
		if (p[-1] == ' ' && (p[n] == ' ' || p[n] == '\n'))
			return true;
		p += n;
	}
	return false;
}

/*
 * Add the parts of the script that the verb or option needs and the host has
 * not got; NULL: those that all need.
 */
static void
add_parts(struct remote *r, const char *verb, struct buf *out)
{
	bool wanted = verb == NULL;
	unsigned int i = 0;

	for (const char *const *line = host_script; *line != NULL; line++) {
		if (strncmp(*line, "#:", 2) != 0) {
			if (wanted)
				buf_adds(out, *line);
			continue;
		}
		i++;
		wanted = is_part_for(*line, verb) &&
		    (verb == NULL || (r->parts >> i & 1) == 0);
		if (wanted)
			r->parts |= UINT64_C(1) << i;
	}
}

/* The script, up to the point where it waits for requests. */
static int
send_script(struct remote *r, struct err *e)
{
	struct buf b = BUF_INIT;
	int c;

	if (has_program(r))
		return err_set(e, ERR_UNREACHABLE,
		    "there is no deploy on the host at '%s';; see 'deploy:' in deploy.yml",
		    r->host->deploy);
	buf_adds(&b, LOADER);
	add_parts(r, NULL, &b);
	buf_addc(&b, '\n');
	c = ask_write(r, b.data, b.len, e);
	buf_release(&b);
	return c;
}

/* --------------------------------------------------------------- requests */

/* What the sh verbs still need for the request. */
static void
put_parts(struct remote *r, const char *verb, const struct strvec *args,
    struct buf *out)
{
	struct buf parts = BUF_INIT;

	add_parts(r, verb, &parts);
	for (size_t i = 0; args != NULL && i < args->n; i++) {
		size_t len = strcspn(args->v[i], "=");
		char *option = xstrndup(args->v[i], len);

		if (strncmp(option, "--", 2) == 0)
			add_parts(r, option, &parts);
		free(option);
	}
	if (parts.len > 0)
		buf_addf(out, "code\n%s\n", parts.data);
	buf_release(&parts);
}

/* Does it only look?  Then it leaves no note of who asks. */
static bool
looks(const char *verb)
{
	return strcmp(verb, "info") == 0;
}

/* The request as it travels; -1: no host would take it. */
static int
put_request(struct remote *r, const char *verb, const struct strvec *args,
    struct buf *out, struct err *e)
{
	char wait[48];
	size_t before;

	if (r->speaks_sh)
		put_parts(r, verb, args, out);
	before = out->len;
	wire_put_word(out, verb);
	snprintf(wait, sizeof(wait), "--lock-wait=%lld",
	    (long long)r->waits.lock);
	wire_put_word(out, wait);
	if (!looks(verb)) {
		buf_adds(out, "--who=");
		wire_put_word(out, r->caller->who);
	}
	if (!looks(verb) && r->caller->job != NULL) {
		buf_adds(out, "--job=");
		wire_put_word(out, r->caller->job);
	}
	for (size_t i = 0; args != NULL && i < args->n; i++)
		wire_put_word(out, args->v[i]);
	buf_addc(out, '\n');
	if (out->len - before <= WIRE_REQUEST_MAX)
		return 0;
	return err_set(e, ERR_USAGE,
	    "what the host is told with '%s' is longer than %d bytes;; shorten the note, or the lists of deploy.yml",
	    verb, WIRE_REQUEST_MAX);
}

static int
send_request(struct remote *r, const char *verb, const struct strvec *args,
    struct err *e)
{
	struct buf b = BUF_INIT;
	int c = put_request(r, verb, args, &b, e);

	if (c == 0)
		c = ask_write(r, b.data, b.len, e);
	buf_release(&b);
	return c;
}

/*
 * May everybody on the host see it?  The command of a process is public, and
 * a note such as a message is not.
 */
static bool
is_public(const char *verb, const struct buf *request)
{
	return looks(verb) && request->len <= WIRE_FIRST_MAX;
}

/*
 * Start the program with this request, up to where it is there; or take the one
 * that was started ahead.
 */
static int
start_with(struct remote *r, const char *verb, struct buf *request,
    struct err *e)
{
	struct err why = ERR_INIT;
	bool told =
	    r->next.ops == NULL && is_public(verb, request) && !is_in_here(r);

	if (r->next.ops != NULL) {
		r->program = r->next;
		r->next = (struct transport_proc)TRANSPORT_PROC_INIT;
	} else if (start_program(r, told ? buf_str(request) : NULL,
		       &r->program, e) != 0) {
		return -1;
	}
	if (told) {
		buf_reset(request);
		buf_adds(request, NOTHING);
	}
	/* What does not listen may still say why. */
	if (ask_write(r, request->data, request->len, &why) != 0 &&
	    why.sys == ETIMEDOUT) {
		*e = why;
		return -1;
	}
	return read_magic(r, e);
}

/* Start the program with this request, which it then has. */
static int
begin(struct remote *r, const char *verb, const struct strvec *args,
    struct err *e)
{
	const bool ahead = r->next.ops != NULL;
	struct buf request = BUF_INIT;
	int c;

	r->greeted = false;
	c = put_request(r, verb, args, &request, e);
	if (c == 0)
		c = start_with(r, verb, &request, e);
	buf_release(&request);
	/* It has ended meanwhile. */
	if (c != 0 && ahead && !r->greeted && e->sys != ETIMEDOUT) {
		ask_hang_up(r);
		*e = (struct err)ERR_INIT;
		return begin(r, verb, args, e);
	}
	if (c != 0 || !r->speaks_sh)
		return c;
	return send_script(r, e) == 0 ? send_request(r, verb, args, e) : -1;
}

int
ask(struct remote *r, const char *verb, const struct strvec *args,
    struct err *e)
{
	int64_t most = 2 * ask_work_ms(r);
	int c;

	/* One that has not said all it had to say, or has ended. */
	if (r->asking)
		ask_hang_up(r);
	r->answer_left = LINES_MAX;
	ask_allow(r, most);
	if (r->program.ops != NULL)
		c = send_request(r, verb, args, e);
	else
		c = begin(r, verb, args, e);
	r->asking = true;
	if (c != 0)
		ask_hang_up(r);
	return c;
}

void
ask_allow(struct remote *r, int64_t ms)
{
	r->answer_end = clock_ms() + ms;
}

/* How long to wait now, when `timeout` ms were allowed; -1 with the error. */
static int64_t
time_left(const struct remote *r, int64_t timeout, struct err *e)
{
	int64_t left = r->answer_end - clock_ms();

	if (intr_check(e) != 0)
		return -1;
	if (left <= 0) {
		err_set(e, ERR_FAILED, "the answer did not end in time");
		e->sys = ETIMEDOUT;
		return -1;
	}
	return left < timeout ? left : timeout;
}

/* A line that answers; a host that waits for a lock says so each second. */
static int
read_answer(struct remote *r, int64_t timeout, struct err *e)
{
	struct transport_proc *p = &r->program;
	int64_t left;
	int c;

	do {
		left = time_left(r, timeout, e);
		c = left < 0 ? -1 :
			       p->ops->read_line(p->proc, &r->line, left, e);
	} while (c > 0 &&
	    strncmp(buf_str(&r->line), "waiting\t", strlen("waiting\t")) == 0);
	return c;
}

int
ask_line(struct remote *r, struct wire_line *l, int64_t timeout, struct err *e)
{
	int c = read_answer(r, timeout, e);

	if (c > 0 && r->line.len + LINE_COST >= r->answer_left)
		c = err_set(e, ERR_FAILED, "the answer is longer than %d MB",
		    LINES_MAX >> 20);
	if (c == 0)
		return no_answer(r, &r->line, e);
	if (c < 0) {
		ask_hang_up(r);
		return -1;
	}
	r->answer_left -= r->line.len + LINE_COST;
	wire_split(r->line.data, l);
	if (strcmp(l->key, "ok") != 0 && strcmp(l->key, "error") != 0)
		return 1;
	r->asking = false;
	return *l->key == 'o' ? 0 : wire_error(l->value, !is_in_here(r), e);
}

int
ask_wrong(struct remote *r, const char *what, struct err *e)
{
	ask_hang_up(r);
	return err_set(e, ERR_FAILED,
	    "a wrong answer: '%.80s';; use the same version of deploy on both ends (see 'deploy doctor')",
	    what);
}

int
ask_expect(struct remote *r, const char *key, struct wire_line *l,
    int64_t timeout, struct err *e)
{
	int c = ask_line(r, l, timeout, e);

	if (c > 0 && strcmp(l->key, key) == 0)
		return 0;
	return c < 0 ? -1 : ask_wrong(r, c > 0 ? l->key : "ok", e);
}

int
ask_rest(struct remote *r, int64_t timeout,
    void (*line)(void *ctx, const char *key, const char *value), void *ctx,
    struct err *e)
{
	struct wire_line l;
	bool told = false;
	int c;

	while ((c = ask_line(r, &l, timeout, e)) > 0) {
		if (line != NULL) {
			line(ctx, l.key, l.value);
		} else if (!told && strcmp(l.key, "warning") == 0) {
			log_warn("%s%s", r->said, l.value);
			told = true;
		}
	}
	return c;
}

int
ask_all(struct remote *r, const char *verb, const struct strvec *args,
    void (*line)(void *ctx, const char *key, const char *value), void *ctx,
    struct err *e)
{
	if (ask(r, verb, args, e) != 0)
		return -1;
	return ask_rest(r, verb_ms(r, verb), line, ctx, e);
}

int
ask_write(struct remote *r, const void *data, size_t len, struct err *e)
{
	return r->program.ops->write(r->program.proc, data, len, e);
}

int
ask_end_input(struct remote *r, struct err *e)
{
	return r->program.ops->end_input(r->program.proc, e);
}

void
ask_watch(struct remote *r, void (*taken)(void *ctx, int64_t bytes), void *ctx)
{
	r->program.ops->watch(r->program.proc, taken, ctx);
}

ssize_t
ask_read(struct remote *r, void *data, size_t len, struct err *e)
{
	if (time_left(r, 0, e) < 0)
		return -1;
	return r->program.ops->read(r->program.proc, data, len, e);
}
