#include "queue/joblog.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/number.h"
#include "base/text.h"
#include "os/file.h"
#include "os/io.h"
#include "queue/queue_dir.h"

enum {
	LAST_PART = 4,		       /* of the limit, that is the end */
	READ_MAX = 2000 * 1024 * 1024, /* of all tries */
};

/* The name of a job's log. */
static void
name_of(int64_t id, char out[32])
{
	snprintf(out, 32, "%lld.log", (long long)id);
}

/* The number of the job whose log has that name; 0 for what is none. */
static int64_t
number_of(const char *name)
{
	int64_t n;
	const char *end = number_scan(name, 1, INT64_MAX, &n);

	return end != NULL && strcmp(end, ".log") == 0 ? n : 0;
}

int
joblog_no_place(struct err *e)
{
	return err_set(e, ERR_USAGE,
	    "there is no place for the logs of jobs;; set 'worker.logs' in deploy.yml, or HOME");
}

int
joblog_dir(struct dir *d, const char *path, struct err *e)
{
	struct dir above = DIR_INIT;
	char *parent, *slash;
	int r;

	if (path == NULL)
		return joblog_no_place(e);
	parent = xstrdup(path);
	/* Its users are those of the directory above it. */
	slash = strrchr(parent, '/');
	if (slash == NULL || slash == parent || slash[1] == '\0') {
		free(parent);
		return queue_dir_open(d, path, true, e);
	}
	*slash = '\0';
	r = queue_dir_open(&above, parent, true, e);
	if (r == 0)
		r = queue_dir_enter(d, &above, slash + 1, e);
	dir_close(&above);
	free(parent);
	return r;
}

int
joblog_open(struct joblog *l, const struct dir *d, int64_t id, int64_t limit,
    struct err *e)
{
	char name[32];

	*l = (struct joblog)JOBLOG_INIT;
	l->limit = limit;
	if (d->fd < 0)
		return 0;
	name_of(id, name);
	l->fd = queue_dir_file(d, name, O_WRONLY | O_APPEND, e);
	return l->fd >= 0 ? 0 : -1;
}

/* Keep the last `most` bytes, or up to twice that. */
static void
keep_last(struct joblog *l, const char *data, size_t len, size_t most)
{
	buf_add(&l->last, data, len);
	if (l->last.len > 2 * most)
		buf_keep_last(&l->last, most);
}

static void
write_out(struct joblog *l, const char *data, size_t len)
{
	if (l->fd >= 0 && io_write(l->fd, data, len) != 0) {
		l->error = errno;
		close(l->fd);
		l->fd = -1;
	}
}

void
joblog_add(struct joblog *l, const char *data, size_t len)
{
	int64_t first = l->limit - l->limit / LAST_PART;
	int64_t room = first - l->written;
	size_t now = room < (int64_t)len ? (size_t)(room > 0 ? room : 0) : len;

	l->total += (int64_t)len;
	write_out(l, data, now);
	l->written += (int64_t)now;
	keep_last(l, data, len, (size_t)(l->limit / LAST_PART));
}

const char *
joblog_tail(const struct joblog *l, size_t max, size_t *len)
{
	const char *data = buf_str(&l->last), *start, *line;

	*len = l->last.len < max ? l->last.len : max;
	start = data + l->last.len - *len;
	/* From the beginning of a line, where one was cut. */
	line = start > data ? memchr(start, '\n', *len) : NULL;
	if (line != NULL && line + 1 < data + l->last.len) {
		*len -= (size_t)(line + 1 - start);
		start = line + 1;
	}
	return start;
}

/* Write the end of what did not fit. */
static void
write_rest(struct joblog *l)
{
	int64_t missing = l->total - l->written;
	int64_t most = l->limit / LAST_PART;
	int64_t n = missing < most ? missing : most;
	char note[64];

	if (missing <= 0)
		return;
	snprintf(note, sizeof(note), "\n[%s left out]\n",
	    TEXT_COUNT(missing - n, "byte", "bytes"));
	if (missing > n)
		write_out(l, note, strlen(note));
	write_out(l, l->last.data + l->last.len - n, (size_t)n);
}

int
joblog_finish(struct joblog *l, struct err *e)
{
	write_rest(l);
	l->written = l->total;
	if (l->error == 0)
		return 0;
	errno = l->error;
	l->error = 0;
	return err_sys(e, "the log is cut off");
}

void
joblog_close(struct joblog *l)
{
	struct err ignored = ERR_INIT;

	err_ignore(joblog_finish(l, &ignored));
	if (l->fd >= 0)
		close(l->fd);
	buf_release(&l->last);
	*l = (struct joblog)JOBLOG_INIT;
}

int
joblog_read(const struct dir *d, int64_t id, struct buf *out, struct err *e)
{
	char name[32];

	name_of(id, name);
	return file_read(d, name, READ_MAX, out, e);
}

int64_t
joblog_last(const struct dir *d)
{
	struct strvec names = STRVEC_INIT;
	struct err ignored = ERR_INIT;
	int64_t last = 0;

	err_ignore(dir_list(d, &names, &ignored));
	for (size_t i = 0; i < names.n; i++)
		if (number_of(names.v[i]) > last)
			last = number_of(names.v[i]);
	strvec_release(&names);
	return last;
}

int
joblog_remove(const struct dir *d, int64_t id, struct err *e)
{
	char name[32];

	name_of(id, name);
	if (unlinkat(d->fd, name, 0) == 0 || errno == ENOENT)
		return 0;
	return err_sys(e, "cannot remove '%s/%s'", d->path, name);
}

static int
compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? 1 : x > y ? -1 : 0;
}

int
joblog_prune(const struct dir *d, size_t keep, struct err *e)
{
	struct strvec names = STRVEC_INIT;
	int64_t *ids;
	size_t n = 0;
	int r = dir_list(d, &names, e);

	ids = xcalloc(names.n + 1, sizeof(*ids));
	for (size_t i = 0; i < names.n; i++)
		if (number_of(names.v[i]) > 0)
			ids[n++] = number_of(names.v[i]);
	if (n > 0)
		qsort(ids, n, sizeof(*ids), compare);
	for (size_t i = keep; r == 0 && i < n; i++)
		r = joblog_remove(d, ids[i], e);
	free(ids);
	strvec_release(&names);
	return r;
}
