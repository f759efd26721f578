#include "os/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"
#include "os/file.h"
#include "os/intr.h"
#include "os/io.h"
#include "os/log.h"

#define LOCK_FILE "lock"
#define NOTE_FILE "lock.note"

enum {
	/* Others hold it for moments only, most of the time. */
	POLL_MS = 10,
	TELL_MS = 1000,
	NOTE_MAX = 4096,
	/* As `status` and stages do: ask a few times, and be silent. */
	LEAST_TRIES = 20,
};

/* Tell those who will wait who we are.  Only a courtesy: errors are none. */
static void
write_note(const struct dir *state, const char *note)
{
	int fd = openat(state->fd, NOTE_FILE,
	    O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
	    0644);

	if (fd < 0)
		return;
	if (io_write(fd, note, strlen(note)) != 0)
		log_debug("cannot write '%s/%s'", state->path, NOTE_FILE);
	close(fd);
}

void
lock_note_parse(struct lock_note *n, const char *text, size_t len)
{
	struct err ignored = ERR_INIT;
	json_t *j = json_parse(text, len, NOTE_FILE, &ignored);

	*n = (struct lock_note)LOCK_NOTE_INIT;
	if (j == NULL)
		return;
	n->who = xstrdup_opt(json_get_string(j, "who"));
	n->command = xstrdup_opt(json_get_string(j, "command"));
	n->since = xstrdup_opt(json_get_string(j, "since"));
	n->job = xstrdup_opt(json_get_string(j, "job"));
	n->pid = json_get_int(j, "pid", 0);
	json_free(j);
}

void
lock_note_release(struct lock_note *n)
{
	free(n->who);
	free(n->command);
	free(n->since);
	free(n->job);
	*n = (struct lock_note)LOCK_NOTE_INIT;
}

void
lock_note_print(const struct lock_note *n, struct buf *out)
{
	if (n->who == NULL) {
		buf_adds(out, "a run that left no name");
		return;
	}
	buf_addf(out, "%s (%s, process %lld, since %s%s%s)", n->who,
	    n->command != NULL ? n->command : "?", (long long)n->pid,
	    n->since != NULL ? n->since : "?", n->job != NULL ? ", " : "",
	    n->job != NULL ? n->job : "");
}

/* Describe the holder for people. */
static void
read_note(const struct dir *state, struct buf *out)
{
	struct lock_note note = LOCK_NOTE_INIT;
	struct buf text = BUF_INIT;
	struct err ignored = ERR_INIT;

	if (file_read(state, NOTE_FILE, NOTE_MAX, &text, &ignored) == 0)
		lock_note_parse(&note, buf_str(&text), text.len);
	lock_note_print(&note, out);
	lock_note_release(&note);
	buf_release(&text);
}

/* flock(2) asks for no right but to open: only the owner may. */
static int
open_lock(const struct dir *state, struct err *e)
{
	int fd = openat(state->fd, LOCK_FILE,
	    O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	struct stat st;

	if (fd < 0) {
		err_sys(e, "cannot open the lock '%s/%s'", state->path,
		    LOCK_FILE);
		if (e->sys == EROFS)
			err_append(e,
			    ";; mount it read-write; 'deploy doctor' says more");
		if (e->sys == EACCES && fstat(state->fd, &st) == 0)
			err_append(e, ";; %s",
			    st.st_uid == geteuid() ?
				"'deploy doctor' says who has to change what" :
				"run deploy as the owner of the root");
	}
	return fd;
}

/* One try.  Returns 1 with the lock, 0 when it is held, -1 on error. */
static int
try_lock(int fd, int how, const struct dir *state, struct err *e)
{
	if (flock(fd, how | LOCK_NB) == 0)
		return 1;
	if (errno == EWOULDBLOCK || errno == EINTR)
		return 0;
	return err_sys(e, "cannot lock '%s/%s'", state->path, LOCK_FILE);
}

/* Say once, or at the end, who is in the way. */
static void
tell_holder(const struct dir *state, int64_t wait, struct err *e)
{
	struct buf who = BUF_INIT;

	read_note(state, &who);
	if (e == NULL)
		log_info("waiting for the lock, held by %s", who.data);
	else
		err_set(e, ERR_LOCKED,
		    "'%s' is locked by %s; gave up after %lld s (--lock-wait)",
		    state->path, who.data, (long long)wait);
	buf_release(&who);
}

/* Who hears that this thread waits. */
static _Thread_local struct {
	void (*say)(void *ctx);
	void *ctx;
} waits;

void
lock_tell_waits(void (*say)(void *ctx), void *ctx)
{
	waits.say = say;
	waits.ctx = ctx;
}

/* Say that we wait, if that was not said since `told`, which is changed. */
static void
say_that_we_wait(int64_t *told)
{
	int64_t now = clock_ms();

	if (waits.say == NULL || now < *told + TELL_MS)
		return;
	*told = now;
	waits.say(waits.ctx);
}

/* Try until it works, the time is over, or a signal comes.  0 or -1. */
static int
wait_lock(int fd, int how, const struct dir *state, int64_t wait,
    struct err *e)
{
	int64_t told = clock_ms(), end = told + wait * 1000;
	int r;

	for (int tries = 1;; tries++) {
		r = try_lock(fd, how, state, e);
		if (r != 0)
			return r < 0 ? -1 : 0;
		if (tries >= LEAST_TRIES && clock_ms() >= end) {
			tell_holder(state, wait, e);
			return -1;
		}
		if (tries == LEAST_TRIES)
			tell_holder(state, wait, NULL);
		if (intr_check(e) != 0)
			return -1;
		say_that_we_wait(&told);
		clock_pause(POLL_MS);
	}
}

int
lock_take(struct lock *l, const struct dir *state, enum lock_kind kind,
    int64_t wait, const char *note, struct err *e)
{
	int fd = open_lock(state, e);

	if (fd < 0)
		return -1;
	if (wait_lock(fd, kind == LOCK_SHARED ? LOCK_SH : LOCK_EX, state, wait,
		e) != 0) {
		close(fd);
		return -1;
	}
	l->fd = fd;
	write_note(state, note);
	return 0;
}

int
lock_try(struct lock *l, const struct dir *state, const char *note,
    struct err *e)
{
	int fd = open_lock(state, e), r;

	if (fd < 0)
		return -1;
	r = try_lock(fd, LOCK_EX, state, e);
	if (r <= 0) {
		close(fd);
		return r;
	}
	l->fd = fd;
	write_note(state, note);
	return 1;
}

void
lock_drop(struct lock *l)
{
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
}

bool
lock_is_held(const struct dir *state, struct buf *holder)
{
	int fd = openat(state->fd, LOCK_FILE,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	bool held;

	if (fd < 0)
		return false;
	held = io_flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
	if (held)
		read_note(state, holder);
	close(fd);
	return held;
}
