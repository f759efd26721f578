#include "config/generator.h"

#include <stdbool.h>
#include <stddef.h>
#include <unistd.h>

/* A file that tells, and what has to be there besides (or NULL). */
struct sign {
	const char *file, *also;
	struct generator generator;
};

/*
 * Every command begins with an empty directory, or a page that was deleted
 * would be published for ever: `clean` is for those that do not see to it
 * themselves (Hugo's --cleanDestinationDir only does where there are static
 * files).  The same input gives the same build, where the generator lets us.
 */
#define HUGO \
	{ \
		"Hugo", "public", \
		    "hugo --destination \\\"$DEPLOY_SOURCE\\\"", NULL, true \
	}
#define ELEVENTY \
	{ \
		"Eleventy", "_site", \
		    "npx @11ty/eleventy --output=\\\"$DEPLOY_SOURCE\\\"", \
		    NULL, true \
	}
#define ASTRO \
	{ \
		"Astro", "dist", \
		    "npx astro build --outDir \\\"$DEPLOY_SOURCE\\\"", NULL, \
		    false \
	}

/* By the manuals of each; what is most particular comes first. */
static const struct sign signs[] = {
	{ "hugo.toml", NULL, HUGO },
	{ "hugo.yaml", NULL, HUGO },
	{ "hugo.json", NULL, HUGO },
	{ "config.toml", "content", HUGO },
	{ "config.toml", "archetypes", HUGO },
	{ "pelicanconf.py", NULL,
	    { "Pelican", "output",
		"pelican content --output \\\"$DEPLOY_SOURCE\\\" --settings pelicanconf.py",
		NULL, true } },
	{ ".eleventy.js", NULL, ELEVENTY },
	{ "eleventy.config.js", NULL, ELEVENTY },
	{ "eleventy.config.mjs", NULL, ELEVENTY },
	{ "eleventy.config.cjs", NULL, ELEVENTY },
	{ "astro.config.mjs", NULL, ASTRO },
	{ "astro.config.js", NULL, ASTRO },
	{ "astro.config.ts", NULL, ASTRO },
	{ "mkdocs.yml", NULL,
	    { "MkDocs", "site",
		"SOURCE_DATE_EPOCH=$(git log -1 --format=%ct 2>/dev/null || date +%s) mkdocs build --site-dir \\\"$DEPLOY_SOURCE\\\"",
		NULL, false } },
	{ "_config.yml", NULL,
	    { "Jekyll", "_site",
		"jekyll build --destination \\\"$DEPLOY_SOURCE\\\"",
		"/deploy.yml", false } },
	{ "public", NULL, { NULL, "public", NULL, NULL, false } },
	{ "_site", NULL, { NULL, "_site", NULL, NULL, false } },
	{ "dist", NULL, { NULL, "dist", NULL, NULL, false } },
	{ "output", NULL, { NULL, "output", NULL, NULL, false } },
};

static bool
is_there(const struct dir *d, const char *name)
{
	return name == NULL || faccessat(d->fd, name, F_OK, 0) == 0;
}

const struct generator *
generator_detect(const struct dir *d)
{
	static const struct generator guess = { NULL, "public", NULL, NULL,
		false };

	for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++)
		if (is_there(d, signs[i].file) && is_there(d, signs[i].also))
			return &signs[i].generator;
	return &guess;
}
