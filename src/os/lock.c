#include "os/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "os/file.h"
#include "os/intr.h"
#include "os/io.h"
#include "os/log.h"

#define LOCK_FILE "lock"
#define NOTE_FILE "lock.note"

enum {
	POLL_MS = 50,
	NOTE_MAX = 4096,
	/* `status` may hold the lock for an instant: ask a few times. */
	LEAST_TRIES = 4,
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

/* Describe the holder for people: "ann@ci1 (activate, since ..., URL)". */
static void
read_note(const struct dir *state, struct buf *out)
{
	struct buf text = BUF_INIT;
	struct err e = ERR_INIT;
	json_t *j = NULL;
	const char *who = NULL;

	if (file_read(state, NOTE_FILE, NOTE_MAX, &text, &e) == 0)
		j = json_parse(buf_str(&text), text.len, NOTE_FILE, &e);
	if (j != NULL)
		who = json_get_string(j, "who");
	if (who == NULL) {
		buf_adds(out, "a run that left no name");
	} else {
		const char *what = json_get_string(j, "command");
		const char *since = json_get_string(j, "since");
		const char *job = json_get_string(j, "job");

		buf_addf(out, "%s (%s, process %lld, since %s%s%s)", who,
		    what != NULL ? what : "?",
		    (long long)json_get_int(j, "pid", 0),
		    since != NULL ? since : "?", job != NULL ? ", " : "",
		    job != NULL ? job : "");
	}
	json_free(j);
	buf_release(&text);
}

static int
open_lock(const struct dir *state, struct err *e)
{
	int fd = openat(state->fd, LOCK_FILE,
	    O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0644);

	if (fd < 0) {
		err_sys(e, "cannot open the lock '%s/%s'", state->path,
		    LOCK_FILE);
		if (e->sys == EACCES)
			err_append(e,
			    ";; run deploy as the owner of the root");
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

/* Try until it works, the time is over, or a signal comes.  0 or -1. */
static int
wait_lock(int fd, int how, const struct dir *state, int64_t wait,
    struct err *e)
{
	int64_t end = clock_ms() + wait * 1000;
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
lock_take_alone(struct lock *l, const struct dir *state, int64_t wait,
    const char *note, bool *alone, struct err *e)
{
	int fd = open_lock(state, e), r;

	if (fd < 0)
		return -1;
	r = try_lock(fd, LOCK_EX, state, e);
	*alone = r == 1;
	if (r == 0)
		r = wait_lock(fd, LOCK_SH, state, wait, e) == 0 ? 1 : -1;
	if (r < 0) {
		close(fd);
		return -1;
	}
	l->fd = fd;
	write_note(state, note);
	return 0;
}

int
lock_share(struct lock *l, const struct dir *state, int64_t wait,
    struct err *e)
{
	return wait_lock(l->fd, LOCK_SH, state, wait, e);
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
	held = flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
	if (held)
		read_note(state, holder);
	close(fd);
	return held;
}
