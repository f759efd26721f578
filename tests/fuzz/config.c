/*
 * deploy.yml from anywhere.  What is read keeps the promises of config.h;
 * what is refused is refused with its place, and by us, not by libcyaml,
 * which cannot say where.
 */
#include "config/config_read.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/path.h"

#define PREFIX "deploy.yml:"

/* Must hold. */
#define MUST(expr) \
	do { \
		if (!(expr)) \
			BUG(#expr); \
	} while (0)

static void
check_strings(const struct strvec *sv)
{
	for (size_t i = 0; i < sv->n; i++)
		MUST(sv->v[i][0] != '\0');
}

static void
check_site(const struct config *c, const struct site_config *s)
{
	struct err e = ERR_INIT;

	MUST(s->name[0] != '\0' && strchr(s->name, '/') == NULL);
	MUST(s->root[0] == '/' && s->root[1] != '\0');
	MUST(strlen(s->root) <= PATH_LEN_MAX);
	MUST(s->source == NULL || s->source[0] == '/');
	MUST(s->build.timeout > 0);
	MUST(s->build.command == NULL ||
	    (s->build.command[0] != '\0' && s->build.directory[0] == '/'));
	MUST(s->rules.group == NULL || s->rules.group[0] != '\0');
	MUST(s->keep >= 1 && s->rules.max_delete <= 100);
	MUST(s->rules.compress_with != 0 && s->rules.compress_over >= 0);
	MUST(s->rules.dictionaries_from >= 1);
	MUST(s->rules.carry_for >= 0 && s->lock_wait >= 0);
	check_strings(&s->rules.exclude);
	check_strings(&s->rules.carry);
	check_strings(&s->rules.compress);
	check_strings(&s->rules.dictionaries);
	check_strings(&s->check.cached);
	check_strings(&s->check.cache_control);
	MUST(s->check.cached.n == s->check.cache_control.n);
	for (size_t i = 0; i < s->rules.shared.n; i++)
		MUST(path_check(s->rules.shared.v[i], &e) == 0);
	MUST(config_site(c, s->name, &e) == s);
}

/* Is it "deploy.yml:line:column: " and something behind it? */
static bool
has_place(const char *text)
{
	const char *p = text + strlen(PREFIX);

	if (strncmp(text, PREFIX, strlen(PREFIX)) != 0 ||
	    !isdigit((unsigned char)*p))
		return false;
	p += strspn(p, "0123456789");
	if (*p++ != ':' || !isdigit((unsigned char)*p))
		return false;
	p += strspn(p, "0123456789");
	return strncmp(p, ": ", 2) == 0 && p[2] != '\0';
}

/* Is it what config.c says when libcyaml refuses what it let through? */
static bool
is_surprise(const char *text)
{
	static const char end[] = "; please report this";
	size_t len = strlen(text);

	return len >= strlen(end) &&
	    strcmp(text + len - strlen(end), end) == 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err e = ERR_INIT;
	struct config c;

	setenv("HOME", "/home/me", 1);
	if (config_parse(&c, (const char *)data, size, "deploy.yml", "/d",
		&e) == 0) {
		MUST(c.queue == NULL || c.queue[0] == '/' ||
		    strncmp(c.queue, "postgres", 8) == 0);
		MUST(c.worker.jobs >= 1 && c.worker.jobs <= CONFIG_JOBS_MAX);
		MUST(c.worker.timeout > 0 && c.worker.retry >= 0);
		MUST(c.n > 0 && strcmp(c.path, "deploy.yml") == 0);
		for (size_t i = 0; i < c.n; i++)
			check_site(&c, &c.sites[i]);
	} else {
		MUST(c.n == 0 && c.sites == NULL && c.path == NULL);
		MUST(e.code == ERR_USAGE && has_place(e.text));
		MUST(!is_surprise(e.text));
	}
	config_release(&c);
	return 0;
}
