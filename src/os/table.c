#include "os/table.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/release.h"
#include "base/show.h"
#include "base/utf8.h"

enum {
	GAP = 2, /* between two columns */
	WIDTH_DEFAULT = 80,
	DOTS = 3,
};

struct cell {
	char *text;
	enum table_colour colour;
};

struct table {
	const struct table_column *columns;
	size_t n_columns;
	struct cell *v; /* row after row */
	size_t n, cap;
};

/* As the user wants it. */
static bool with_times, not_cut;

struct table *
table_new(const struct table_column *columns, size_t n)
{
	struct table *t = xcalloc(1, sizeof(*t));

	t->columns = columns;
	t->n_columns = n;
	return t;
}

void
table_free(struct table *t)
{
	for (size_t i = 0; t != NULL && i < t->n; i++)
		free(t->v[i].text);
	if (t != NULL)
		free(t->v);
	free(t);
}

/* Keep it, which is given away. */
static void
add_cell(struct table *t, enum table_colour colour, char *text)
{
	if (t->n == t->cap) {
		t->cap = t->cap > 0 ? t->cap * 2 : 64;
		t->v = xreallocarray(t->v, t->cap, sizeof(*t->v));
	}
	t->v[t->n++] = (struct cell){ text, colour };
}

void
table_cell(struct table *t, enum table_colour colour, const char *fmt, ...)
{
	va_list ap;
	char *text;

	va_start(ap, fmt);
	text = show_text(fmt, ap);
	va_end(ap);
	add_cell(t, colour, text);
}

void
table_id(struct table *t, const struct release_id *id, size_t len)
{
	add_cell(t, TABLE_PLAIN,
	    xasprintf("%.*s", not_cut ? RELEASE_ID_LEN : (int)len, id->text));
}

void
table_style(bool times, bool whole)
{
	with_times = times;
	not_cut = whole;
	show_whole_ids(whole);
}

/* Does standard output have a person before it? */
static bool
is_for_terminal(void)
{
	const char *term = getenv("TERM");

	return isatty(STDOUT_FILENO) &&
	    (term == NULL || strcmp(term, "dumb") != 0);
}

bool
table_has_ages(void)
{
	return is_for_terminal() && !with_times;
}

bool
table_is_whole(void)
{
	return not_cut;
}

static bool
has_colour(void)
{
	const char *no = getenv("NO_COLOR");

	return is_for_terminal() && (no == NULL || *no == '\0');
}

/* Columns that a line may take; SIZE_MAX: any. */
static size_t
room(void)
{
	struct winsize w = { 0 };

	if (not_cut || !isatty(STDOUT_FILENO))
		return SIZE_MAX;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 0)
		return w.ws_col;
	return WIDTH_DEFAULT;
}

static size_t
width_of(const char *text)
{
	size_t width = 0;

	for (; *text != '\0'; text += utf8_len(text))
		width += utf8_width(text);
	return width;
}

/* How wide each column is; 0: there is nothing in it. */
static void
measure(const struct table *t, size_t *widths)
{
	for (size_t i = 0; i < t->n_columns; i++) {
		size_t widest = 0;

		for (size_t k = i; k < t->n; k += t->n_columns) {
			size_t width = width_of(t->v[k].text);

			widest = width > widest ? width : widest;
		}
		widths[i] = widest;
		if (widest == 0)
			continue;
		widest = width_of(t->columns[i].heading);
		widths[i] = widths[i] > widest ? widths[i] : widest;
	}
}

/* A line that is being made, of which `room` columns will be seen. */
struct line {
	struct buf text;
	size_t width, room;
};

/* Append text, as far as there is room for it. */
static void
put(struct line *l, const char *text)
{
	for (; *text != '\0'; text += utf8_len(text)) {
		size_t width = utf8_width(text);

		if (l->width + width > l->room)
			break;
		buf_add(&l->text, text, utf8_len(text));
		l->width += width;
	}
	if (*text != '\0')
		l->room = l->width;
}

static void
pad(struct line *l, size_t n)
{
	while (n-- > 0)
		put(l, " ");
}

static void
put_cell(struct line *l, const struct cell *c, bool coloured)
{
	static const char *const colours[] = { "", "\033[32m", "\033[33m",
		"\033[31m" };

	coloured &=
	    c->colour != TABLE_PLAIN && *c->text != '\0' && l->width < l->room;
	if (coloured)
		buf_adds(&l->text, colours[c->colour]);
	put(l, c->text);
	if (coloured)
		buf_adds(&l->text, "\033[0m");
}

/* What a row takes when nothing of it is cut. */
static size_t
row_width(const struct table *t, const struct cell *row, const size_t *widths)
{
	size_t width = 0, end = 0;

	for (size_t i = 0; i < t->n_columns; i++) {
		size_t own = width_of(row[i].text);

		if (widths[i] == 0)
			continue;
		if (own > 0)
			end = width + (t->columns[i].right ? widths[i] : own);
		width += widths[i] + GAP;
	}
	return end;
}

/* Print a row; nothing stands behind its last cell. */
static void
print_row(const struct table *t, const struct cell *row, const size_t *widths,
    size_t most)
{
	size_t end = row_width(t, row, widths), at = 0;
	bool cut = end > most, coloured = has_colour();
	struct line l = { BUF_INIT, 0,
		!cut		? end :
		    most > DOTS ? most - DOTS :
				  0 };

	for (size_t i = 0; i < t->n_columns; i++) {
		size_t own = width_of(row[i].text);

		if (widths[i] == 0)
			continue;
		pad(&l, at - (l.width < at ? l.width : at));
		pad(&l, t->columns[i].right ? widths[i] - own : 0);
		put_cell(&l, &row[i], coloured);
		at += widths[i] + GAP;
	}
	if (cut)
		buf_add(&l.text, "...", most < DOTS ? most : DOTS);
	buf_addc(&l.text, '\n');
	fwrite(l.text.data, 1, l.text.len, stdout);
	buf_release(&l.text);
}

/* The text, safe to show. */
static char *__attribute__((format(printf, 1, 2))) shown(const char *fmt, ...)
{
	va_list ap;
	char *out;

	va_start(ap, fmt);
	out = show_text(fmt, ap);
	va_end(ap);
	return out;
}

void
table_line(const char *label, enum table_colour colour, const char *first,
    const char *fmt, ...)
{
	const size_t most = room();
	struct line l = { BUF_INIT, 0, most };
	struct cell cells[2] = { { NULL, colour }, { NULL, TABLE_PLAIN } };
	size_t width;
	va_list ap;

	va_start(ap, fmt);
	cells[1].text = show_text(fmt, ap);
	va_end(ap);
	cells[0].text = shown("%s", first);
	width =
	    SHOW_LABEL + 1 + width_of(cells[0].text) + width_of(cells[1].text);
	if (width > most)
		l.room = most > DOTS ? most - DOTS : 0;
	put(&l, label);
	pad(&l, SHOW_LABEL + 1 - l.width);
	for (size_t i = 0; i < 2; i++) {
		put_cell(&l, &cells[i], has_colour());
		free(cells[i].text);
	}
	if (width > most)
		buf_add(&l.text, "...", most < DOTS ? most : DOTS);
	buf_addc(&l.text, '\n');
	fwrite(l.text.data, 1, l.text.len, stdout);
	buf_release(&l.text);
}

bool
table_is_empty(const struct table *t)
{
	return t->n == 0;
}

void
table_print(const struct table *t)
{
	size_t *widths = xcalloc(t->n_columns, sizeof(*widths)), most = room();
	struct cell *head = xcalloc(t->n_columns, sizeof(*head));

	measure(t, widths);
	for (size_t i = 0; i < t->n_columns; i++)
		head[i].text = xstrdup(t->columns[i].heading);
	for (size_t i = 0; i < t->n; i += t->n_columns) {
		if (i == 0)
			print_row(t, head, widths, most);
		print_row(t, &t->v[i], widths, most);
	}
	for (size_t i = 0; i < t->n_columns; i++)
		free(head[i].text);
	free(head);
	free(widths);
}
