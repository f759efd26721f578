/*
 * The events of libyaml's parser, without a document: syntax errors in its own
 * words, and what is refused wherever it stands.
 */
#include "config/yamltext.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

enum { DEPTH_MAX = 64 }; /* lists and mappings inside each other */

/* One reading of one text. */
struct reader {
	const char *file; /* for messages */
	const char *text;
	size_t len;
	int depth, documents; /* of the events so far */
	struct err *e;
};

static int fault_at(struct reader *r, yaml_mark_t mark, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Report what is wrong at `mark`.  -1. */
static int
fault_at(struct reader *r, yaml_mark_t mark, const char *fmt, ...)
{
	char text[sizeof(r->e->text)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return err_set(r->e, ERR_USAGE, "%s:%zu:%zu: %s", r->file,
	    mark.line + 1, mark.column + 1, text);
}

/* Where in the file the byte at `offset` is; columns count characters. */
static yaml_mark_t
mark_of(const struct reader *r, size_t offset)
{
	yaml_mark_t mark = { offset, 0, 0 };
	size_t i =
	    r->len >= 3 && memcmp(r->text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;

	for (; i < offset && i < r->len; i++) {
		if (r->text[i] == '\n') {
			mark.line++;
			mark.column = 0;
		} else if (((unsigned char)r->text[i] & 0xc0) != 0x80) {
			mark.column++;
		}
	}
	return mark;
}

/*
 * Refuse %TAG directives: libyaml's time grows with the square of their
 * number.  A line may begin behind a BOM or a Unicode line break, too.
 */
static int
check_directives(struct reader *r)
{
	const char *p = r->text, *end = r->text + r->len;

	for (; (p = memmem(p, (size_t)(end - p), "%TAG", 4)) != NULL; p++)
		if (p == r->text || p[-1] == '\n' || p[-1] == '\r' ||
		    (p[-1] & 0x80) != 0)
			return fault_at(r, mark_of(r, (size_t)(p - r->text)),
			    "a %%TAG directive; tags have no meaning here, remove the line");
	return 0;
}

/* Refuse what libyaml should not even look at. */
static int
check_text(struct reader *r)
{
	const char *nul = memchr(r->text, '\0', r->len);

	if (r->len > YAMLTEXT_MAX)
		return fault_at(r, mark_of(r, 0),
		    "the file is longer than the limit of %d bytes",
		    YAMLTEXT_MAX);
	if (nul != NULL)
		return fault_at(r, mark_of(r, (size_t)(nul - r->text)),
		    "a NUL byte; the file must be text in UTF-8");
	return check_directives(r);
}

/* What probably helps against a syntax error, from "; " on; or "". */
static const char *
syntax_cure(const char *problem)
{
	static const struct {
		const char *problem, *cure;
	} cures[] = {
		{ "violates indentation",
		    "; indent with spaces, not with tabs" },
		{ "cannot start any token",
		    "; indent with spaces, not with tabs, and quote a value that begins with '@', '`' or '%'" },
		{ "alphabetic or numeric",
		    "; quote a value that begins with '*' or '&'" },
		{ "mapping values",
		    "; quote a value that contains ': ', and line up keys that belong together" },
	};

	for (size_t i = 0; i < sizeof(cures) / sizeof(cures[0]); i++)
		if (strstr(problem, cures[i].problem) != NULL)
			return cures[i].cure;
	return "";
}

/* Report the error of libyaml in its own words.  -1. */
static int
fault_syntax(struct reader *r, const yaml_parser_t *p)
{
	const char *problem =
	    p->problem != NULL ? p->problem : "out of memory";
	const char *cure = syntax_cure(problem);

	if (p->error == YAML_READER_ERROR)
		return fault_at(r, mark_of(r, p->problem_offset),
		    "%s; the file must be text in UTF-8", problem);
	if (p->context == NULL)
		return fault_at(r, p->problem_mark, "%s%s", problem, cure);
	return fault_at(r, p->problem_mark, "%s (%s from line %zu on)%s",
	    problem, p->context, p->context_mark.line + 1, cure);
}

/* Refuse anchors, aliases and tags. */
static int
check_properties(struct reader *r, yaml_mark_t mark, const yaml_char_t *anchor,
    const yaml_char_t *tag)
{
	if (anchor != NULL)
		return fault_at(r, mark,
		    "anchors (&) and aliases (*) are not supported; write the value out, or quote one that begins with '*' or '&'");
	if (tag != NULL)
		return fault_at(r, mark,
		    "tags (!) have no meaning here; remove it, or quote a value that begins with '!'");
	return 0;
}

/* Refuse lists and mappings that are nested too deep. */
static int
check_depth(struct reader *r, yaml_mark_t mark)
{
	if (++r->depth <= DEPTH_MAX)
		return 0;
	return fault_at(r, mark,
	    "lists and mappings are nested deeper than %d", DEPTH_MAX);
}

/* Refuse what is wrong wherever it stands. */
static int
check_event(struct reader *r, const yaml_event_t *ev)
{
	yaml_mark_t mark = ev->start_mark;

	switch (ev->type) {
	case YAML_DOCUMENT_START_EVENT:
		if (r->documents++ == 0)
			return 0;
		return fault_at(r, mark,
		    "a second document begins here; write everything in one, without '---' between");
	case YAML_ALIAS_EVENT:
		return check_properties(r, mark, ev->data.alias.anchor, NULL);
	case YAML_SCALAR_EVENT:
		return check_properties(r, mark, ev->data.scalar.anchor,
		    ev->data.scalar.tag);
	case YAML_SEQUENCE_START_EVENT:
		if (check_depth(r, mark) != 0)
			return -1;
		return check_properties(r, mark,
		    ev->data.sequence_start.anchor,
		    ev->data.sequence_start.tag);
	case YAML_MAPPING_START_EVENT:
		if (check_depth(r, mark) != 0)
			return -1;
		return check_properties(r, mark, ev->data.mapping_start.anchor,
		    ev->data.mapping_start.tag);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		r->depth--;
		return 0;
	default:
		return 0;
	}
}

/* Check every event that `parser` yields. */
static int
check_events(struct reader *r, yaml_parser_t *parser)
{
	yaml_event_t ev;
	bool end = false;
	int ret = 0;

	while (ret == 0 && !end) {
		if (!yaml_parser_parse(parser, &ev))
			return fault_syntax(r, parser);
		ret = check_event(r, &ev);
		end = ev.type == YAML_STREAM_END_EVENT;
		yaml_event_delete(&ev);
	}
	return ret;
}

int
yamltext_check(const char *file, const char *text, size_t len, struct err *e)
{
	struct reader r = { .file = file, .text = text, .len = len, .e = e };
	yaml_parser_t parser;
	int ret;

	if (check_text(&r) != 0)
		return -1;
	if (!yaml_parser_initialize(&parser))
		return fault_at(&r, mark_of(&r, 0), "out of memory");
	yaml_parser_set_input_string(&parser, (const yaml_char_t *)text, len);
	ret = check_events(&r, &parser);
	yaml_parser_delete(&parser);
	return ret;
}
