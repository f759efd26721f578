#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "content/manifest.h"
#include "content/manifest_text.h"
#include "os/io.h"

/* Which bytes stand for themselves; the others are written as \ooo. */
static bool
is_plain(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9') ||
	    (c != '\0' && strchr("._/-+,@:%~", c) != NULL);
}

static void
add_escaped(struct buf *b, const char *s)
{
	for (; *s != '\0'; s++) {
		unsigned char c = (unsigned char)*s;
		char octal[4];

		if (is_plain(c)) {
			buf_addc(b, *s);
			continue;
		}
		octal[0] = '\\';
		octal[1] = (char)('0' + (c >> 6));
		octal[2] = (char)('0' + (c >> 3 & 7));
		octal[3] = (char)('0' + (c & 7));
		buf_add(b, octal, 4);
	}
}

/* One line; not whole, it is what the tree digest sees. */
static void
add_line(struct buf *b, const struct entry *en, bool whole)
{
	char hex[HASH_HEX + 1];

	buf_adds(b, "./");
	add_escaped(b, en->path);
	buf_addf(b, " type=%s mode=0%o", manifest_types[en->type], en->mode);
	if (en->type == ENTRY_FILE)
		buf_addf(b, " size=%lld", (long long)en->size);
	if (whole && en->type != ENTRY_DIR)
		buf_addf(b, " time=%lld.0", (long long)en->mtime);
	if (en->type == ENTRY_FILE) {
		hash_hex(en->digest, hex);
		buf_adds(b, " sha256digest=");
		buf_add(b, hex, HASH_HEX);
	}
	if (en->type == ENTRY_LINK) {
		buf_adds(b, " link=");
		add_escaped(b, en->link);
	}
	if (en->mark == ENTRY_SHARED)
		buf_adds(b, " tags=shared");
	if (en->mark == ENTRY_CARRIED)
		buf_adds(b, " tags=carried");
	if (en->mark == ENTRY_CARRIED && whole)
		buf_addf(b, ",last-%lld", (long long)en->last);
	buf_addc(b, '\n');
}

void
manifest_digest(const struct manifest *m, uint8_t out[HASH_LEN])
{
	struct hash *h = hash_new();
	struct buf b = BUF_INIT;

	for (size_t i = 0; i < m->n; i++) {
		buf_reset(&b);
		add_line(&b, &m->v[i], false);
		hash_add(h, b.data, b.len);
	}
	hash_end(h, out);
	buf_release(&b);
	hash_free(h);
}

/* The two lines at the top. */
static void
add_head(const struct manifest *m, struct buf *b)
{
	buf_addf(b, MANIFEST_SIGNATURE "\n. type=dir mode=0%o\n",
	    manifest_top_mode(m));
}

/* Give `put` all lines, a piece at a time, until it returns another than 0. */
static int
put_lines(const struct manifest *m,
    int (*put)(void *ctx, const void *data, size_t len), void *ctx)
{
	struct buf b = BUF_INIT;
	int r = 0;

	add_head(m, &b);
	for (size_t i = 0; r == 0 && i < m->n; i++) {
		add_line(&b, &m->v[i], true);
		if (b.len >= MANIFEST_PIECE) {
			r = put(ctx, b.data, b.len);
			buf_reset(&b);
		}
	}
	if (r == 0)
		r = put(ctx, b.data, b.len);
	buf_release(&b);
	return r;
}

static int
into_file(void *ctx, const void *data, size_t len)
{
	return io_write(*(const int *)ctx, data, len);
}

static int
into_hash(void *ctx, const void *data, size_t len)
{
	hash_add(ctx, data, len);
	return 0;
}

void
manifest_text_digest(const struct manifest *m, uint8_t out[HASH_LEN])
{
	struct hash *h = hash_new();

	(void)put_lines(m, into_hash, h);
	hash_end(h, out);
	hash_free(h);
}

void
manifest_print(const struct manifest *m, struct buf *out)
{
	add_head(m, out);
	for (size_t i = 0; i < m->n; i++)
		add_line(out, &m->v[i], true);
}

int
manifest_write(const struct manifest *m, const struct dir *at,
    const char *name, struct err *e)
{
	int fd, r = 0;

	fd = openat(at->fd, name,
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return err_sys(e, "cannot create the manifest '%s/%s'",
		    at->path, name);
	if (fchmod(fd, 0644) != 0 || put_lines(m, into_file, &fd) != 0 ||
	    fsync(fd) != 0)
		r = err_sys(e, "cannot write the manifest '%s/%s'", at->path,
		    name);
	if (io_close(fd) != 0 && r == 0)
		r = err_sys(e, "cannot write the manifest '%s/%s'", at->path,
		    name);
	return r;
}
