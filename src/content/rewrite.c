#include "content/rewrite.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

/* ---- sets -------------------------------------------------------------- */

void
rule_set_release(struct rule_set *s)
{
	for (size_t i = 0; i < s->n; i++) {
		buf_release(&s->v[i].old);
		buf_release(&s->v[i].new);
	}
	s->n = s->bytes = 0;
}

void
rule_sets_release(struct rule_sets *s)
{
	for (size_t i = 0; i < s->n; i++)
		rule_set_release(&s->v[i]);
	free(s->v);
	*s = (struct rule_sets)RULE_SETS_INIT;
}

struct rule_set *
rule_sets_add(struct rule_sets *s)
{
	if (s->n == REWRITE_SETS_MAX)
		return NULL;
	if (s->v == NULL)
		s->v = xcalloc(REWRITE_SETS_MAX, sizeof(*s->v));
	return &s->v[s->n++];
}

size_t
rule_sets_bytes(const struct rule_sets *s)
{
	size_t sum = 0;

	for (size_t i = 0; i < s->n; i++)
		sum += s->v[i].bytes;
	return sum;
}

static bool
is_side(const struct buf *side, const char *text, size_t len)
{
	return side->len == len && memcmp(side->data, text, len) == 0;
}

bool
rule_set_add(struct rule_set *s, const char *old, size_t old_len,
    const char *new, size_t new_len)
{
	struct rule *r = &s->v[s->n];

	if (s->n == REWRITE_RULES_MAX || old_len == 0 || new_len == 0 ||
	    old_len > REWRITE_SIDE_MAX || new_len > REWRITE_SIDE_MAX ||
	    old_len + new_len > REWRITE_SET_MAX - s->bytes)
		return false;
	for (size_t i = 0; i < s->n; i++)
		if (is_side(&s->v[i].old, old, old_len) ||
		    is_side(&s->v[i].new, new, new_len))
			return false;
	*r = (struct rule){ BUF_INIT, BUF_INIT };
	buf_add(&r->old, old, old_len);
	buf_add(&r->new, new, new_len);
	s->n++;
	s->bytes += old_len + new_len;
	return true;
}

static void
put_side(struct buf *out, const struct buf *side)
{
	varint_add(out, side->len);
	buf_add(out, side->data, side->len);
}

void
rule_sets_print(const struct rule_sets *s, struct buf *out)
{
	varint_add(out, s->n);
	for (size_t i = 0; i < s->n; i++) {
		varint_add(out, s->v[i].n);
		for (size_t k = 0; k < s->v[i].n; k++) {
			put_side(out, &s->v[i].v[k].old);
			put_side(out, &s->v[i].v[k].new);
		}
	}
}

static int
bad(struct err *e)
{
	return err_set(e, ERR_INTEGRITY, "the pack's rules are none");
}

static const char *
take_side(struct varint_in *in, uint64_t *len)
{
	return varint_take(in, REWRITE_SIDE_MAX, len) ?
	    varint_take_bytes(in, *len) :
	    NULL;
}

static int
take_set(struct varint_in *in, struct rule_set *s, struct err *e)
{
	uint64_t n, old_len, new_len;

	if (s == NULL || !varint_take(in, REWRITE_RULES_MAX, &n))
		return bad(e);
	for (; n > 0; n--) {
		const char *old = take_side(in, &old_len);
		const char *new = old != NULL ? take_side(in, &new_len) : NULL;

		if (new == NULL ||
		    !rule_set_add(s, old, old_len, new, new_len))
			return bad(e);
	}
	return 0;
}

int
rule_sets_parse(struct rule_sets *s, const char *text, size_t len,
    struct err *e)
{
	struct varint_in in = { text, len };
	uint64_t n;

	if (!varint_take(&in, REWRITE_SETS_MAX, &n))
		return bad(e);
	for (; n > 0; n--)
		if (take_set(&in, rule_sets_add(s), e) != 0)
			return -1;
	return in.left == 0 && rule_sets_bytes(s) <= REWRITE_ALL_MAX ? 0 :
								       bad(e);
}

/* ---- the machine ------------------------------------------------------- */

/* No rule; there are fewer. */
#define NONE UINT8_MAX

_Static_assert(REWRITE_RULES_MAX <= NONE, "a rule is 8 bits");
_Static_assert(REWRITE_SET_MAX < UINT16_MAX, "a state is 16 bits");

/* A state stands for the longest begin of a side that the text ends with. */
struct state {
	uint16_t next[256];
	uint16_t fail; /* the state of its longest end */
	uint8_t rule;  /* whose side the text ends with; or NONE */
};

enum {
	LEAST_MAX = 64,	   /* of a side, the bytes that are looked for */
	PAIRS = 16 * 1024, /* fit into the first cache of a processor */
};

/*
 * Most of a text is far from any side.  `far` says, of the last two of the
 * next `least` bytes, how many bytes further the next side may begin, at the
 * earliest (Wu and Manber, A fast algorithm for multi-pattern searching, 1994).
 */
struct rewrite {
	const struct rule_set *set;
	bool backwards;
	struct state *v;
	size_t n;
	size_t least; /* bytes of the shortest side, LEAST_MAX at most */
	uint8_t far[PAIRS];
};

static const struct buf *
side_of(const struct rewrite *w, size_t rule, bool from)
{
	return from != w->backwards ? &w->set->v[rule].old :
				      &w->set->v[rule].new;
}

static uint16_t
add_state(struct rewrite *w)
{
	w->v[w->n].rule = NONE;
	return (uint16_t)w->n++;
}

/* The tree of all sides; 0 is no state, but the way back to the root. */
static void
add_side(struct rewrite *w, size_t rule)
{
	const struct buf *side = side_of(w, rule, true);
	uint16_t at = 0;

	for (size_t i = 0; i < side->len; i++) {
		unsigned char c = (unsigned char)side->data[i];

		if (w->v[at].next[c] == 0)
			w->v[at].next[c] = add_state(w);
		at = w->v[at].next[c];
	}
	w->v[at].rule = (uint8_t)rule;
}

/*
 * Where no side goes on, the next state is that of the longest end; states
 * nearer to the root first, whose own are known then.
 */
static void
connect(struct rewrite *w)
{
	uint16_t *queue = xcalloc(w->n, sizeof(*queue));
	size_t first = 0, last = 0;

	queue[last++] = 0;
	while (first < last) {
		uint16_t at = queue[first++];
		struct state *s = &w->v[at];

		if (s->rule == NONE)
			s->rule = at == 0 ? NONE : w->v[s->fail].rule;
		for (size_t c = 0; c < 256; c++) {
			uint16_t next = s->next[c];
			uint16_t other = at == 0 ? 0 : w->v[s->fail].next[c];

			if (next == 0) {
				s->next[c] = other;
				continue;
			}
			w->v[next].fail = other;
			queue[last++] = next;
		}
	}
	free(queue);
}

/* Where two bytes are in `far`; others may be there, too. */
static size_t
pair(const char *text)
{
	return (size_t)((unsigned char)text[0] << 6 ^ (unsigned char)text[1]) %
	    PAIRS;
}

static void
fill_far(struct rewrite *w)
{
	memset(w->far, (int)w->least - 1, sizeof(w->far));
	for (size_t i = 0; i < w->set->n; i++) {
		const char *side = side_of(w, i, true)->data;

		for (size_t k = 0; k + 2 <= w->least; k++) {
			uint8_t *far = &w->far[pair(side + k)];
			uint8_t left = (uint8_t)(w->least - 2 - k);

			if (left < *far)
				*far = left;
		}
	}
}

struct rewrite *
rewrite_new(const struct rule_set *s, bool backwards)
{
	struct rewrite *w = xcalloc(1, sizeof(*w));
	size_t most = 1;

	w->set = s;
	w->backwards = backwards;
	w->least = LEAST_MAX;
	for (size_t i = 0; i < s->n; i++) {
		const size_t len = side_of(w, i, true)->len;

		most += len;
		if (len < w->least)
			w->least = len;
	}
	w->v = xcalloc(most, sizeof(*w->v));
	(void)add_state(w);
	for (size_t i = 0; i < s->n; i++)
		add_side(w, i);
	connect(w);
	fill_far(w);
	return w;
}

void
rewrite_free(struct rewrite *w)
{
	if (w == NULL)
		return;
	free(w->v);
	free(w);
}

/* Append unless it would be too much. */
static bool
put(struct buf *out, size_t end, const char *data, size_t len)
{
	if (len > end - out->len)
		return false;
	buf_add(out, data, len);
	return true;
}

/* From `i` on, the first place where a side may begin; or the end. */
static size_t
skip(const struct rewrite *w, const char *text, size_t i, size_t len)
{
	if (w->least == 1) {
		while (i < len && w->v[0].next[(unsigned char)text[i]] == 0)
			i++;
		return i;
	}
	while (i + w->least <= len) {
		uint8_t far = w->far[pair(text + i + w->least - 2)];

		if (far == 0)
			return i;
		i += far;
	}
	return len;
}

bool
rewrite_apply(const struct rewrite *w, const char *text, size_t len,
    size_t max, struct buf *out, uint32_t *hits)
{
	size_t done = 0, end = out->len + max;
	uint16_t at = 0;

	for (size_t i = 0; i < len; i++) {
		const struct buf *from, *to;
		uint8_t rule;

		if (at == 0 && (i = skip(w, text, i, len)) == len)
			break;
		at = w->v[at].next[(unsigned char)text[i]];
		rule = w->v[at].rule;
		if (rule == NONE)
			continue;
		from = side_of(w, rule, true);
		to = side_of(w, rule, false);
		if (!put(out, end, text + done, i + 1 - from->len - done) ||
		    !put(out, end, to->data, to->len))
			return false;
		if (hits != NULL)
			hits[rule]++;
		done = i + 1;
		at = 0;
	}
	return put(out, end, text + done, len - done);
}
