#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/number.h"
#include "base/path.h"
#include "content/manifest.h"
#include "content/manifest_text.h"
#include "os/io.h"

enum { LINE_MAX_LEN = 64 * 1024 }; /* two escaped paths and the keywords */

/* The end of the year 9999, in seconds. */
#define TIME_MAX INT64_C(253402300799)

struct parser {
	struct manifest *m;
	const char *name;
	unsigned long line;
	char *word; /* scratch for one unescaped word */
};

static int
bad(const struct parser *p, struct err *e, const char *what)
{
	return err_set(e, ERR_INTEGRITY, "%s:%lu: %s in the manifest", p->name,
	    p->line, what);
}

/*
 * Undo \ooo in s[0..len) into p->word.  Returns 0, or -1 for a broken escape
 * or a NUL.
 */
static int
unescape(struct parser *p, const char *s, size_t len)
{
	char *out = p->word;

	for (size_t i = 0; i < len; i++) {
		unsigned int c = (unsigned char)s[i];

		if (c == '\\') {
			if (len - i < 4 || s[i + 1] < '0' || s[i + 1] > '3' ||
			    s[i + 2] < '0' || s[i + 2] > '7' ||
			    s[i + 3] < '0' || s[i + 3] > '7')
				return -1;
			c = (unsigned int)((s[i + 1] - '0') << 6 |
			    (s[i + 2] - '0') << 3 | (s[i + 3] - '0'));
			i += 3;
		}
		if (c == '\0')
			return -1;
		*out++ = (char)c;
	}
	*out = '\0';
	return 0;
}

/*
 * A whole number in `base` from s[0..len), at most `max`.  Returns it, or -1
 * when there is something else or more.
 */
static int64_t
number(const char *s, size_t len, unsigned int base, int64_t max)
{
	int64_t n = -1;

	return number_digits(s, len, base, max, &n) ? n : -1;
}

/* Which keywords a line had. */
enum {
	HAS_TYPE = 1,
	HAS_MODE = 2,
	HAS_SIZE = 4,
	HAS_TIME = 8,
	HAS_HASH = 16,
	HAS_LINK = 32
};

/* "carried,last-N" or "shared" or somebody else's tags. */
static void
parse_tags(struct entry *en, const char *s, size_t len)
{
	static const char carried[] = "carried,last-";
	size_t clen = sizeof(carried) - 1;

	if (len == 6 && memcmp(s, "shared", 6) == 0)
		en->mark = ENTRY_SHARED;
	if (len > clen && memcmp(s, carried, clen) == 0) {
		en->mark = ENTRY_CARRIED;
		en->last = number(s + clen, len - clen, 10, TIME_MAX);
		if (en->last < 0)
			en->last = 0;
	}
}

/* Seconds before the dot; what is behind it is not ours. */
static int64_t
parse_time(const char *s, size_t len)
{
	const char *dot = memchr(s, '.', len);

	return number(s, dot == NULL ? len : (size_t)(dot - s), 10, TIME_MAX);
}

static int
parse_type(struct entry *en, const char *s, size_t len)
{
	for (size_t i = 0; i < 3; i++)
		if (strlen(manifest_types[i]) == len &&
		    memcmp(manifest_types[i], s, len) == 0) {
			en->type = (uint8_t)i;
			return 0;
		}
	return -1;
}

/* Is the keyword (up to its '=') `want`? */
static bool
is_key(const char *key, size_t len, const char *want)
{
	return strlen(want) == len && memcmp(key, want, len) == 0;
}

/*
 * One keyword=value of an entry; unknown ones are ignored.  Returns the flag
 * of what it was, 0 for none of ours, -1 when the value is wrong.
 */
static int
parse_keyword(struct parser *p, struct entry *en, const char *s, size_t len)
{
	const char *eq = memchr(s, '=', len);
	size_t klen = eq == NULL ? len : (size_t)(eq - s);
	const char *val = eq == NULL ? s + len : eq + 1;
	size_t vlen = (size_t)(s + len - val);
	int64_t n;

	if (is_key(s, klen, "type"))
		return parse_type(en, val, vlen) == 0 ? HAS_TYPE : -1;
	if (is_key(s, klen, "mode")) {
		n = number(val, vlen, 8, 07777);
		en->mode = (uint16_t)n;
		return n < 0 ? -1 : HAS_MODE;
	}
	if (is_key(s, klen, "size")) {
		en->size = number(val, vlen, 10, INT64_MAX);
		return en->size < 0 ? -1 : HAS_SIZE;
	}
	if (is_key(s, klen, "time")) {
		en->mtime = parse_time(val, vlen);
		return en->mtime < 0 ? -1 : HAS_TIME;
	}
	if (is_key(s, klen, "sha256digest") || is_key(s, klen, "sha256"))
		return vlen == HASH_HEX && hash_unhex(val, en->digest) == 0 ?
		    HAS_HASH :
		    -1;
	if (is_key(s, klen, "link")) {
		if (unescape(p, val, vlen) != 0)
			return -1;
		manifest_set_link(p->m, en, p->word);
		return HAS_LINK;
	}
	if (is_key(s, klen, "tags"))
		parse_tags(en, val, vlen);
	return 0;
}

static bool
is_shared_link(const struct entry *en)
{
	char *target = manifest_shared_target(en->path);
	bool is = strcmp(en->link, target) == 0;

	free(target);
	return is;
}

bool
manifest_mode_is_allowed(enum entry_type type, unsigned int mode)
{
	switch (type) {
	case ENTRY_FILE:
		return mode == 0644 || mode == 0755;
	case ENTRY_DIR:
		return mode == 0755 || mode == 02755;
	case ENTRY_LINK:
		return mode == 0777;
	}
	return false;
}

/* Is there nothing unsafe in it, but for the path? */
static int
check_values(const struct parser *p, const struct entry *en, struct err *e)
{
	if (!manifest_mode_is_allowed(en->type, en->mode))
		return bad(p, e, "a mode that nothing in a release may have");
	if (en->type != ENTRY_LINK)
		return 0;
	/* A link to shared/ leaves the release on purpose. */
	if (en->mark == ENTRY_SHARED)
		return is_shared_link(en) ?
		    0 :
		    bad(p, e, "a shared link to another place");
	if (path_check_link(en->path, en->link, e) != 0)
		return err_prefix(e, "%s:%lu: ", p->name, p->line);
	return 0;
}

/* Has the entry all that its type needs, and nothing unsafe? */
static int
check_entry(struct parser *p, struct entry *en, int has, struct err *e)
{
	static const int needs[] = {
		[ENTRY_FILE] = HAS_TYPE | HAS_MODE | HAS_SIZE | HAS_HASH,
		[ENTRY_DIR] = HAS_TYPE | HAS_MODE,
		[ENTRY_LINK] = HAS_TYPE | HAS_LINK,
	};

	if ((has & needs[en->type]) != needs[en->type])
		return bad(p, e, "a keyword is missing");
	if (en->type != ENTRY_LINK && (has & HAS_LINK) != 0)
		return bad(p, e, "a link target on what is not a link");
	if (en->type == ENTRY_LINK && (has & HAS_MODE) == 0)
		en->mode = 0777;
	return check_values(p, en, e);
}

/* The path at the start of a line; ".": the top itself, which is no entry. */
static int
parse_path(struct parser *p, const char *s, size_t len, struct err *e)
{
	if (unescape(p, s, len) != 0)
		return bad(p, e, "a broken name");
	if (strcmp(p->word, ".") == 0)
		return 0;
	if (strncmp(p->word, "./", 2) != 0)
		return bad(p, e, "a name that does not begin with './'");
	memmove(p->word, p->word + 2, strlen(p->word + 2) + 1);
	if (path_check(p->word, e) != 0)
		return err_prefix(e, "%s:%lu: ", p->name, p->line);
	return 1;
}

/* One line without its newline. */
static int
parse_line(struct parser *p, const char *s, size_t len, struct err *e)
{
	const char *end = s + len;
	size_t word;
	struct entry *en;
	int has = 0, r;

	p->line++;
	if (memchr(s, '\0', len) != NULL)
		return bad(p, e, "a NUL byte");
	if (p->line == 1 &&
	    (len != strlen(MANIFEST_SIGNATURE) ||
		memcmp(s, MANIFEST_SIGNATURE, len) != 0))
		return bad(p, e, "no '" MANIFEST_SIGNATURE "'");
	if (len == 0 || s[0] == '#')
		return 0;
	word = strcspn(s, " \n") < len ? strcspn(s, " \n") : len;
	r = parse_path(p, s, word, e);
	if (r <= 0)
		return r;
	en = manifest_add(p->m, p->word, ENTRY_FILE);
	for (s += word; s < end; s += word) {
		if (*s == ' ') {
			word = 1;
			continue;
		}
		word = strcspn(s, " \n");
		if (word > (size_t)(end - s))
			word = (size_t)(end - s);
		r = parse_keyword(p, en, s, word);
		if (r < 0)
			return bad(p, e, "a wrong value");
		has |= r;
	}
	if (en->type == ENTRY_LINK && (has & HAS_MODE) == 0)
		en->mode = 0777;
	return check_entry(p, en, has, e);
}

/*
 * Parse the whole lines in text[0..len); the last may lack its newline only
 * when `last`.  Returns the number of bytes used, or -1.
 */
static ssize_t
parse_lines(struct parser *p, const char *text, size_t len, bool last,
    struct err *e)
{
	size_t done = 0;

	while (done < len) {
		const char *nl = memchr(text + done, '\n', len - done);
		size_t n =
		    nl == NULL ? len - done : (size_t)(nl - (text + done));

		if (n > LINE_MAX_LEN) {
			p->line++;
			return bad(p, e, "a line that is too long");
		}
		if (nl == NULL && !last)
			break;
		if (nl == NULL)
			return bad(p, e, "the end of a line is missing");
		if (parse_line(p, text + done, n, e) != 0)
			return -1;
		done += n + 1;
	}
	return (ssize_t)done;
}

/* Can the sizes be added up? */
static bool
sum_is_number(const struct manifest *m)
{
	int64_t sum = 0;

	for (size_t i = 0; i < m->n; i++)
		if (m->v[i].size > INT64_MAX - sum)
			return false;
		else
			sum += m->v[i].size;
	return true;
}

/* What must hold when every line was read. */
static int
parse_end(struct parser *p, struct err *e)
{
	if (p->line == 0)
		return err_set(e, ERR_INTEGRITY, "the manifest '%s' is empty",
		    p->name);
	if (manifest_sort(p->m, e) != 0)
		return err_prefix(e, "%s: ", p->name);
	if (!sum_is_number(p->m))
		return err_set(e, ERR_INTEGRITY,
		    "%s: the sizes of its files are too large", p->name);
	/* What is in a directory follows it directly. */
	for (size_t i = 1; i < p->m->n; i++)
		if (p->m->v[i - 1].type != ENTRY_DIR &&
		    path_is_within(p->m->v[i].path, p->m->v[i - 1].path))
			return err_set(e, ERR_INTEGRITY,
			    "%s: '%s' is in '%s', which is not a directory",
			    p->name, p->m->v[i].path, p->m->v[i - 1].path);
	return 0;
}

int
manifest_parse(struct manifest *m, const char *text, size_t len,
    const char *name, struct err *e)
{
	struct parser p = { .m = m, .name = name };
	int r;

	/* parse_line() wants a NUL or newline behind each line. */
	p.word = xmalloc(LINE_MAX_LEN + 1);
	r = parse_lines(&p, text, len, true, e) < 0 ? -1 : parse_end(&p, e);
	free(p.word);
	return r;
}

/* The same as of a line, for values that no line has given. */
static int
check_made(const struct parser *p, const struct entry *en, struct err *e)
{
	if (path_check(en->path, e) != 0)
		return err_prefix(e, "%s:%lu: ", p->name, p->line);
	if (en->type > ENTRY_LINK || en->mark > ENTRY_CARRIED ||
	    (en->type == ENTRY_LINK) != (en->link != NULL))
		return bad(p, e, "a wrong type");
	if (en->size < 0 || en->mtime < 0 || en->mtime > TIME_MAX ||
	    en->last < 0 || en->last > TIME_MAX)
		return bad(p, e, "a wrong value");
	return check_values(p, en, e);
}

int
manifest_check(struct manifest *m, const char *name, struct err *e)
{
	/* The lines that it would have. */
	struct parser p = { .m = m, .name = name, .line = 2 };

	for (size_t i = 0; i < m->n; i++) {
		p.line++;
		if (check_made(&p, &m->v[i], e) != 0)
			return -1;
	}
	return parse_end(&p, e);
}

/* Read pieces from `fd` and parse the lines in them. */
static int
parse_fd(struct parser *p, int fd, struct err *e)
{
	struct buf b = BUF_INIT;
	ssize_t n, used = 0;

	for (;;) {
		buf_reserve(&b, MANIFEST_PIECE);
		n = io_read(fd, b.data + b.len, MANIFEST_PIECE);
		if (n < 0) {
			used = err_sys(e, "cannot read the manifest '%s'",
			    p->name);
			break;
		}
		b.len += (size_t)n;
		b.data[b.len] = '\0';
		used = parse_lines(p, b.data, b.len, n < MANIFEST_PIECE, e);
		if (used < 0 || n < MANIFEST_PIECE)
			break;
		memmove(b.data, b.data + used, b.len - (size_t)used);
		b.len -= (size_t)used;
	}
	buf_release(&b);
	return used < 0 ? -1 : parse_end(p, e);
}

/* The content may be whole, but nobody knows. */
#define DAMAGED_CURE ";; stage the build anew with --again"

int
manifest_read(struct manifest *m, const struct dir *at, const char *name,
    struct err *e)
{
	struct parser p = { .m = m };
	char *path;
	int fd, r;

	fd = openat(at->fd, name,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0) {
		bool lost = errno == ENOENT;

		err_sys(e, "cannot open the manifest '%s/%s'", at->path, name);
		if (lost) {
			e->code = ERR_INTEGRITY;
			err_append(e, DAMAGED_CURE);
		}
		return -1;
	}
	path = xasprintf("%s/%s", at->path, name);
	p.name = path;
	p.word = xmalloc(LINE_MAX_LEN + 1);
	r = parse_fd(&p, fd, e);
	if (r != 0 && e->code == ERR_INTEGRITY)
		err_append(e, DAMAGED_CURE);
	free(p.word);
	free(path);
	close(fd);
	return r;
}
