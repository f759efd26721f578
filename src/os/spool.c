#include "os/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "os/io.h"

struct spool {
	int fd;
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t grown;
	int64_t size;
	bool ended;
	bool failed;
	struct err why;
};

/* An unnamed file; where the file system knows none, one unlinked. */
static int
open_unnamed(const char *dir)
{
	int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	char *path;

	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR))
		return fd;
	path = xasprintf("%s/deploy-pack-XXXXXX", dir);
	fd = mkostemp(path, O_CLOEXEC);
	if (fd >= 0)
		unlink(path);
	free(path);
	return fd;
}

struct spool *
spool_new(struct err *e)
{
	const char *dir = getenv("TMPDIR");
	struct spool *s = xcalloc(1, sizeof(*s));

	if (dir == NULL || *dir != '/')
		dir = "/tmp";
	s->fd = open_unnamed(dir);
	if (s->fd < 0) {
		err_sys(e, "cannot make a temporary file in '%s'", dir);
		free(s);
		return NULL;
	}
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->grown, NULL);
	return s;
}

void
spool_free(struct spool *s)
{
	if (s == NULL)
		return;
	close(s->fd);
	pthread_cond_destroy(&s->grown);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

int
spool_write(struct spool *s, const void *data, size_t len, struct err *e)
{
	/* Readers use pread(2), so the offset is the writer's alone. */
	if (io_write(s->fd, data, len) != 0)
		return err_sys(e, "cannot write a temporary file ($TMPDIR)");
	pthread_mutex_lock(&s->lock);
	s->size += (int64_t)len;
	pthread_cond_broadcast(&s->grown);
	pthread_mutex_unlock(&s->lock);
	return 0;
}

void
spool_end(struct spool *s, const struct err *why)
{
	pthread_mutex_lock(&s->lock);
	s->ended = true;
	s->failed = why != NULL;
	if (why != NULL)
		s->why = *why;
	pthread_cond_broadcast(&s->grown);
	pthread_mutex_unlock(&s->lock);
}

ssize_t
spool_read(struct spool *s, int64_t at, void *data, size_t len, struct err *e)
{
	ssize_t n = 0;
	bool failed;

	pthread_mutex_lock(&s->lock);
	while (at >= s->size && !s->ended)
		pthread_cond_wait(&s->grown, &s->lock);
	failed = s->failed;
	if (failed)
		*e = s->why;
	else if (at < s->size && (int64_t)len > s->size - at)
		len = (size_t)(s->size - at);
	else if (at >= s->size)
		len = 0;
	pthread_mutex_unlock(&s->lock);
	if (failed)
		return -1;
	if (len > 0)
		n = pread(s->fd, data, len, at);
	return n < 0 ? err_sys(e, "cannot read a temporary file") : n;
}

int64_t
spool_size(struct spool *s)
{
	int64_t size;

	pthread_mutex_lock(&s->lock);
	size = s->size;
	pthread_mutex_unlock(&s->lock);
	return size;
}
