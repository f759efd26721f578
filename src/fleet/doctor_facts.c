#include "fleet/doctor_facts.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

/* The next word up to a tab, which is cut off; NULL: no more. */
static char *
word(char **rest)
{
	return strsep(rest, "\t");
}

/* A number that is all of the text. */
static bool
number(const char *text, int base, uint64_t *out)
{
	char *end;

	if (text == NULL || !isxdigit((unsigned char)*text))
		return false;
	*out = strtoull(text, &end, base);
	return *end == '\0';
}

static void
set(char **to, const char *value)
{
	free(*to);
	*to = xstrdup(value);
}

static bool
type_of(const char *text, enum doctor_type *out)
{
	static const char *const names[] = { [DOCTOR_MISSING] = "missing",
		[DOCTOR_DENIED] = "denied",
		[DOCTOR_DIR] = "dir",
		[DOCTOR_FILE] = "file",
		[DOCTOR_LINK] = "link",
		[DOCTOR_OTHER] = "other" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i], text) == 0) {
			*out = (enum doctor_type)i;
			return true;
		}
	return false;
}

/* "dir<TAB>UID<TAB>MODE<TAB>DEVICE<TAB>WRITABLE<TAB>PATH" */
static void
hear_path(struct doctor_facts *f, char *rest)
{
	struct doctor_path p = { 0 };
	uint64_t uid, mode, writable;

	if (!type_of(word(&rest), &p.type) || !number(word(&rest), 10, &uid) ||
	    !number(word(&rest), 8, &mode) ||
	    !number(word(&rest), 10, &p.device) ||
	    !number(word(&rest), 10, &writable) || rest == NULL)
		return;
	p.uid = (unsigned int)uid;
	p.mode = (unsigned int)mode;
	p.writable = writable == 1;
	p.path = xstrdup(rest);
	f->paths = xreallocarray(f->paths, f->n_paths + 1, sizeof(p));
	f->paths[f->n_paths++] = p;
}

/* Does a version begin here, "1.2" or "v1.2", and not inside a word? */
static bool
is_version(const char *line, const char *p)
{
	if (p > line && p[-1] != ' ' &&
	    (p[-1] != 'v' || (p - 1 > line && p[-2] != ' ')))
		return false;
	return isdigit((unsigned char)*p) && p[strspn(p, "0123456789")] == '.';
}

/* The version in what a program says to --version, or all of it. */
static char *
find_version(const char *line)
{
	for (const char *p = line; *p != '\0'; p++)
		if (is_version(line, p)) {
			size_t n = strspn(p, "0123456789.");

			return xstrndup(p, p[n - 1] == '.' ? n - 1 : n);
		}
	return xstrdup(line);
}

static void
hear_tool(struct doctor_facts *f, char *rest)
{
	const char *name = word(&rest);

	f->tools = xreallocarray(f->tools, f->n_tools + 1, sizeof(*f->tools));
	f->tools[f->n_tools++] = (struct doctor_tool){ xstrdup(name),
		find_version(rest != NULL ? rest : "") };
}

/*
 * Is it a name that a cure may have as it stands, and not a "?" for a user
 * without one, or whatever a host may say?
 */
static bool
is_user_name(const char *name)
{
	size_t n = strlen(name);

	return n > 0 && name[0] != '-' &&
	    strspn(name,
		"abcdefghijklmnopqrstuvwxyz"
		"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == n;
}

static void
hear_user(struct doctor_facts *f, char *rest)
{
	uint64_t uid;
	char *name = rest != NULL ? word(&rest) : NULL;

	if (name == NULL || !number(name, 10, &uid) || rest == NULL)
		return;
	f->uid = (unsigned int)uid;
	/* chown(1) takes the number as well. */
	set(&f->user, is_user_name(rest) ? rest : name);
}

/* Two numbers. */
static bool
hear_pair(char *rest, uint64_t *a, uint64_t *b)
{
	return number(word(&rest), 10, a) && number(rest, 10, b);
}

static void
hear_incoming(struct doctor_facts *f, char *rest)
{
	uint64_t age = 0;

	/* A clock that went back makes it younger than nothing. */
	(void)number(word(&rest), 10, &age);
	f->incoming++;
	if ((int64_t)age > f->oldest)
		f->oldest = (int64_t)age;
}

/* What has more than one word. */
static void
hear_words(struct doctor_facts *f, const char *key, char *value)
{
	uint64_t a, b;

	if (strcmp(key, "path") == 0) {
		hear_path(f, value);
	} else if (strcmp(key, "tool") == 0) {
		hear_tool(f, value);
	} else if (strcmp(key, "user") == 0) {
		hear_user(f, value);
	} else if (strcmp(key, "incoming") == 0) {
		hear_incoming(f, value);
	} else if (strcmp(key, "free") == 0) {
		f->has_free =
		    hear_pair(value, &f->free_bytes, &f->free_inodes);
	} else if (strcmp(key, "live") == 0 && hear_pair(value, &a, &b)) {
		f->live_bytes = (int64_t)a;
		f->live_files = (int64_t)b;
	} else if (strcmp(key, "now") == 0 && number(value, 10, &a)) {
		f->now = (int64_t)a;
	} else if (strcmp(key, "trash") == 0) {
		(void)number(value, 10, &f->trash);
	}
}

void
doctor_facts_hear(struct doctor_facts *f, const char *key, const char *value)
{
	const struct {
		const char *key;
		char **to;
	} texts[] = { { "version", &f->version }, { "current", &f->current },
		{ "format", &f->format }, { "stranger", &f->stranger },
		{ "lock", &f->lock }, { "nginx", &f->nginx },
		{ "limited", &f->limited } };
	struct strvec *list = strcmp(key, "kept") == 0 ? &f->kept :
	    strcmp(key, "nginx-line") == 0	       ? &f->nginx_lines :
	    strcmp(key, "docroot") == 0		       ? &f->docroots :
	    strcmp(key, "mounted") == 0		       ? &f->mounted :
							 NULL;
	char *copy;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (strcmp(texts[i].key, key) == 0) {
			set(texts[i].to, value);
			return;
		}
	if (strcmp(key, "has") == 0) {
		f->landlock |= strcmp(value, "landlock") == 0;
		return;
	}
	if (list != NULL) {
		strvec_add(list, value);
		return;
	}
	copy = xstrdup(value);
	hear_words(f, key, copy);
	free(copy);
}

void
doctor_facts_release(struct doctor_facts *f)
{
	for (size_t i = 0; i < f->n_tools; i++) {
		free(f->tools[i].name);
		free(f->tools[i].version);
	}
	for (size_t i = 0; i < f->n_paths; i++)
		free(f->paths[i].path);
	free(f->tools);
	free(f->paths);
	free(f->version);
	free(f->limited);
	free(f->user);
	free(f->current);
	free(f->format);
	free(f->stranger);
	free(f->lock);
	free(f->nginx);
	strvec_release(&f->kept);
	strvec_release(&f->nginx_lines);
	strvec_release(&f->docroots);
	strvec_release(&f->mounted);
	*f = (struct doctor_facts)DOCTOR_FACTS_INIT;
}

const struct doctor_path *
doctor_facts_path(const struct doctor_facts *f, const char *path)
{
	for (size_t i = 0; i < f->n_paths; i++)
		if (strcmp(f->paths[i].path, path) == 0)
			return &f->paths[i];
	return NULL;
}

const struct doctor_tool *
doctor_facts_tool(const struct doctor_facts *f, const char *name)
{
	for (size_t i = 0; i < f->n_tools; i++)
		if (strcmp(f->tools[i].name, name) == 0)
			return &f->tools[i];
	return NULL;
}
