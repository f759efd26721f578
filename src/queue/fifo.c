#include "queue/fifo.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/quote.h"
#include "os/file.h"

void
fifo_lines_release(struct fifo_lines *l)
{
	buf_release(&l->part);
	*l = (struct fifo_lines)FIFO_LINES_INIT;
}

bool
fifo_is_partial(const struct fifo_lines *l)
{
	return l->part.len > 0 || l->overlong;
}

/* Are there no control characters in it? */
static bool
is_printable(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)s[i] < ' ' || s[i] == 0x7f)
			return false;
	return true;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

void
fifo_flush(struct fifo_lines *l, void (*name)(void *ctx, const char *name),
    void *ctx)
{
	char *s = l->part.data;
	size_t len = l->part.len;

	while (len > 0 && is_blank(s[len - 1]))
		len--;
	while (len > 0 && is_blank(*s)) {
		s++;
		len--;
	}
	if (l->overlong || len > FIFO_LINE_MAX || !is_printable(s, len)) {
		l->dropped++;
	} else if (len > 0) {
		s[len] = '\0';
		name(ctx, s);
	}
	buf_reset(&l->part);
	l->overlong = false;
}

void
fifo_feed(struct fifo_lines *l, const char *data, size_t len,
    void (*name)(void *ctx, const char *name), void *ctx)
{
	while (len > 0) {
		const char *end = memchr(data, '\n', len);
		size_t n = end != NULL ? (size_t)(end - data) : len;

		/* With room for blanks around the name. */
		if (l->overlong || l->part.len + n > 2 * FIFO_LINE_MAX) {
			l->overlong = true;
			buf_reset(&l->part);
		} else {
			buf_add(&l->part, data, n);
		}
		if (end == NULL)
			return;
		fifo_flush(l, name, ctx);
		data += n + 1;
		len -= n + 1;
	}
}

int
fifo_open(const char *path, struct err *e)
{
	struct stat st;
	bool made = mkfifo(path, 0600) == 0;
	int fd;

	if (!made && errno != EEXIST) {
		err_sys(e, "cannot make the FIFO '%s'", path);
		return file_no_place(path, e);
	}
	/* With a writer of our own it has no end. */
	fd = open(path, O_RDWR | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "cannot open the FIFO '%s'", path);
	if (fstat(fd, &st) != 0 || !S_ISFIFO(st.st_mode)) {
		close(fd);
		return err_set(e, ERR_USAGE, "'%s' is no FIFO", path);
	}
	/* Its owner reads what others write, and says who may. */
	if (st.st_uid != geteuid() && st.st_uid != 0) {
		close(fd);
		return err_set(e, ERR_USAGE,
		    "the FIFO '%s' belongs to the user %lu, who is neither you nor root;; remove it, a worker makes its own: rm %s",
		    path, (unsigned long)st.st_uid, QUOTED(path));
	}
	if (made && fchmod(fd, 0660) != 0) {
		err_sys(e, "cannot open the FIFO '%s' to its group", path);
		close(fd);
		return -1;
	}
	return fd;
}
