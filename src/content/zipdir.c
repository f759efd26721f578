/* The fields are those of PKWARE's APPNOTE.TXT, 4.3.12 to 4.3.16. */
#include "content/zipdir.h"

#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/alloc.h"

enum {
	END_LEN = 22,	     /* of the end record, but for its comment */
	END64_LEN = 56,	     /* of that of a zip64 */
	LOCATOR_LEN = 20,    /* says where it is; before the end record */
	COMMENT_MAX = 65535, /* the longest comment */
	HEADER_LEN = 46,     /* of one entry, but for what varies */
	DATA_MAX = 1 << 28,  /* of a directory that is read */
};

/* Of which systems the backslash is what the slash is elsewhere. */
enum {
	MADE_BY_FAT = 0,
	MADE_BY_HPFS = 6,
	MADE_BY_NTFS = 10,
	MADE_BY_VFAT = 14
};

/* A number of `n` bytes, the lowest first. */
static uint64_t
number(const char *p, int n)
{
	uint64_t v = 0;

	while (n-- > 0)
		v = v << 8 | (unsigned char)p[n];
	return v;
}

static bool
has_mark(const char *p, char a, char b)
{
	return p[0] == 'P' && p[1] == 'K' && p[2] == a && p[3] == b;
}

/* All of the `len` bytes at `at`? */
static bool
read_at(int fd, char *out, size_t len, off_t at)
{
	while (len > 0) {
		ssize_t n = pread(fd, out, len, at);

		if (n <= 0)
			return false;
		out += n;
		at += n;
		len -= (size_t)n;
	}
	return true;
}

/* Where the directory is, and how long. */
struct span {
	off_t at;
	uint64_t len;
};

/* A zip64 says it in a record of its own, which the locator names. */
static bool
find_in_64(int fd, const char *locator, struct span *out)
{
	char end[END64_LEN];

	if (!has_mark(locator, 6, 7) ||
	    !read_at(fd, end, sizeof(end), (off_t)number(locator + 8, 8)) ||
	    !has_mark(end, 6, 6))
		return false;
	out->len = number(end + 40, 8);
	out->at = (off_t)number(end + 48, 8);
	return true;
}

/* `end` is the end record, at `at` in the file, `before` bytes behind what. */
static bool
find_in_end(int fd, const char *end, size_t before, off_t at, struct span *out)
{
	char mark[4];

	out->len = number(end + 12, 4);
	out->at = (off_t)number(end + 16, 4);
	if (number(end + 10, 2) == 0xffff || out->len == 0xffffffff ||
	    out->at == 0xffffffff)
		return before >= LOCATOR_LEN &&
		    find_in_64(fd, end - LOCATOR_LEN, out);
	/* Something may stand before the archive: then it ends here. */
	if (at >= (off_t)out->len &&
	    read_at(fd, mark, sizeof(mark), at - (off_t)out->len) &&
	    has_mark(mark, 1, 2))
		out->at = at - (off_t)out->len;
	return true;
}

/* The last end record in the file counts. */
static bool
find(int fd, struct span *out)
{
	off_t here = lseek(fd, 0, SEEK_CUR), size = lseek(fd, 0, SEEK_END);
	size_t len = END_LEN + COMMENT_MAX;
	bool found = false;
	char *tail;

	if (here < 0 || size < 0 || lseek(fd, here, SEEK_SET) < 0)
		return false;
	if (size < (off_t)len)
		len = (size_t)size;
	tail = xmalloc(len + 1);
	if (read_at(fd, tail, len, size - (off_t)len))
		for (size_t i = len < END_LEN ? 0 : len - END_LEN + 1;
		     !found && i-- > 0;)
			if (has_mark(tail + i, 5, 6))
				found = find_in_end(fd, tail + i, i,
				    size - (off_t)(len - i), out);
	free(tail);
	return found && out->at >= 0 && out->len <= (uint64_t)size;
}

/* The offset in the extra fields of a zip64, behind sizes that are there. */
static bool
find_offset(const char *header, const char *extra, size_t len, uint64_t *out)
{
	size_t skip = 0;

	*out = number(header + 42, 4);
	if (*out != 0xffffffff)
		return true;
	skip += number(header + 24, 4) == 0xffffffff ? 8 : 0;
	skip += number(header + 20, 4) == 0xffffffff ? 8 : 0;
	while (len >= 4) {
		size_t n = number(extra + 2, 2);

		if (n > len - 4)
			return false;
		if (number(extra, 2) == 1 && n >= skip + 8) {
			*out = number(extra + 4 + skip, 8);
			return true;
		}
		extra += 4 + n;
		len -= 4 + n;
	}
	return false;
}

/*
 * Is the backslash in it one?  With a slash, or on the systems that have it in
 * the place of the slash, libarchive does what unzip(1) does; but it takes all
 * for such systems.
 */
static bool
has_backslash(const char *header, const char *name, size_t len)
{
	switch ((unsigned char)header[5]) {
	case MADE_BY_FAT:
	case MADE_BY_HPFS:
	case MADE_BY_NTFS:
	case MADE_BY_VFAT:
		return false;
	default:
		return memchr(name, '\\', len) != NULL &&
		    memchr(name, '/', len) == NULL;
	}
}

static int
compare(const void *a, const void *b)
{
	const struct zipdir_entry *x = a, *y = b;

	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* All entries of the directory; false: it is none. */
static bool
parse(struct zipdir *z, size_t size)
{
	size_t cap = 0;

	for (const char *p = z->data, *end = p + size; p < end;) {
		size_t left = (size_t)(end - p), len, extra;
		struct zipdir_entry *en;

		if (left < HEADER_LEN || !has_mark(p, 1, 2))
			return false;
		len = number(p + 28, 2);
		extra = number(p + 30, 2);
		if (left - HEADER_LEN < len + extra + number(p + 32, 2))
			return false;
		if (z->n == cap) {
			cap = cap == 0 ? 64 : cap * 2;
			z->v = xreallocarray(z->v, cap, sizeof(*z->v));
		}
		en = &z->v[z->n++];
		en->name = p + HEADER_LEN;
		en->len = len;
		en->has_backslash = has_backslash(p, en->name, len);
		if (!find_offset(p, en->name + len, extra, &en->offset))
			return false;
		p += HEADER_LEN + len + extra + number(p + 32, 2);
	}
	return true;
}

/* Of two at one place libarchive has the first only. */
static void
drop_doubles(struct zipdir *z)
{
	size_t k = 0;

	for (size_t i = 0; i < z->n; i++)
		if (i == 0 || z->v[i].offset != z->v[k - 1].offset)
			z->v[k++] = z->v[i];
	z->n = k;
}

bool
zipdir_is_there(int fd)
{
	struct span span = { 0, 0 };

	return find(fd, &span) && span.len > 0;
}

void
zipdir_read(struct zipdir *z, int fd)
{
	struct span span = { 0, 0 };

	*z = (struct zipdir)ZIPDIR_INIT;
	if (!find(fd, &span) || span.len == 0 || span.len > DATA_MAX)
		return;
	z->data = xmalloc(span.len + 1);
	if (read_at(fd, z->data, span.len, span.at) && parse(z, span.len)) {
		qsort(z->v, z->n, sizeof(*z->v), compare);
		drop_doubles(z);
	} else {
		zipdir_release(z);
	}
}

void
zipdir_release(struct zipdir *z)
{
	free(z->data);
	free(z->v);
	*z = (struct zipdir)ZIPDIR_INIT;
}
