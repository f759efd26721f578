/* deploy.yml: every message with its place, and what is read. */
#include "config/config_file.h"

#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/duration.h"
#include "config/config_read.h"
#include "config/config_words.h"
#include "unit.h"

/* A site that is complete, and room for keys behind it, from line 4 on. */
#define SITE "sites:\n  - name: a\n    root: /a\n"
/* What every message begins with. */
#define AT(place) "deploy.yml:" place ": "

static struct err last;

/* Parse `len` bytes as deploy.yml in /home/me/project. */
static int
parse_bytes(struct config *c, const char *text, size_t len)
{
	last = (struct err)ERR_INIT;
	return config_parse(c, text, len, "deploy.yml", "/home/me/project",
	    &last);
}

static int
parse(struct config *c, const char *text)
{
	return parse_bytes(c, text, strlen(text));
}

/* The message that `text` gives; "" when it is right. */
static const char *
fault_in(const char *text)
{
	struct config c;

	if (parse(&c, text) == 0) {
		config_release(&c);
		return "";
	}
	CHECK(last.code == ERR_USAGE);
	CHECK(c.n == 0 && c.sites == NULL && c.path == NULL);
	return last.text;
}

/* As fault_in(), of a text that this frees. */
static const char *
fault_in_buf(struct buf *text)
{
	const char *fault = fault_in(buf_str(text));

	buf_release(text);
	return fault;
}

/* ---- what is read ------------------------------------------------------ */

static void
test_defaults(void)
{
	struct config c;

	REQUIRE(parse(&c, SITE) == 0);
	CHECK_STR(c.path, "deploy.yml");
	REQUIRE(c.n == 1);
	CHECK_STR(c.sites[0].name, "a");
	CHECK_STR(c.sites[0].root, "/a");
	CHECK_STR(c.sites[0].source, NULL);
	CHECK_STR(c.sites[0].rules.group, NULL);
	CHECK_STR(c.sites[0].build.command, NULL);
	CHECK(c.sites[0].build.timeout == 600);
	CHECK(c.sites[0].keep == 5);
	CHECK(c.sites[0].rules.max_delete == 50);
	CHECK(c.sites[0].lock_wait == 60);
	CHECK(c.sites[0].timeout == 60);
	CHECK(c.sites[0].rules.carry_for == 7 * 86400);
	CHECK(c.sites[0].rules.bridge);
	CHECK(c.sites[0].rules.exclude.n == 0);
	CHECK(c.sites[0].rules.shared.n == 0);
	CHECK(c.sites[0].rules.carry.n == 0);
	CHECK(c.sites[0].rules.compress.n == 0);
	CHECK(c.sites[0].rules.compress_with ==
	    (1 << ENCODING_GZIP | 1 << ENCODING_BROTLI));
	CHECK(c.sites[0].rules.compress_over == 1024);
	CHECK(c.sites[0].rules.dictionaries.n == 0);
	CHECK(c.sites[0].rules.dictionaries_from == 3);
	CHECK(!c.sites[0].freeze_on_rollback);
	config_release(&c);
	CHECK(c.n == 0 && c.path == NULL);
	config_release(&c);
}

static void
test_every_key(void)
{
	struct config c;
	const struct site_config *s;

	REQUIRE(
	    parse(&c,
		"sites:\n"
		"  - name: example.org\n"
		"    source: public\n"
		"    root: /srv/www/example.org\n"
		"    build: {command: \"make all\", directory: src, "
		"timeout: 2m}\n"
		"    keep: 3\n"
		"    exclude: [\"*.map\", .DS_Store]\n"
		"    shared: [.well-known/acme-challenge, uploads/]\n"
		"    carry: {paths: [\"assets/**\"], for: 2w, bridge: false}\n"
		"    compress: {paths: [\"*.js\"], with: [zstd, gzip], "
		"over: 4k}\n"
		"    dictionaries: {paths: [\"*.css\"], from: 20}\n"
		"    max_delete: 70%\n"
		"    group: www-data\n"
		"    lock_wait: 5m\n"
		"    timeout: 90s\n"
		"    freeze_on_rollback: true\n") == 0);
	s = &c.sites[0];
	CHECK_STR(s->name, "example.org");
	CHECK_STR(s->source, "/home/me/project/public");
	CHECK_STR(s->root, "/srv/www/example.org");
	CHECK_STR(s->build.command, "make all");
	CHECK_STR(s->build.directory, "/home/me/project/src");
	CHECK(s->build.timeout == 120);
	CHECK(s->keep == 3);
	REQUIRE(s->rules.exclude.n == 2);
	CHECK_STR(s->rules.exclude.v[0], "*.map");
	CHECK_STR(s->rules.exclude.v[1], ".DS_Store");
	REQUIRE(s->rules.shared.n == 2);
	CHECK_STR(s->rules.shared.v[0], ".well-known/acme-challenge");
	CHECK_STR(s->rules.shared.v[1], "uploads");
	REQUIRE(s->rules.carry.n == 1);
	CHECK_STR(s->rules.carry.v[0], "assets/**");
	CHECK(s->rules.carry_for == 14 * 86400);
	CHECK(!s->rules.bridge);
	REQUIRE(s->rules.compress.n == 1);
	CHECK_STR(s->rules.compress.v[0], "*.js");
	CHECK(s->rules.compress_with ==
	    (1 << ENCODING_ZSTD | 1 << ENCODING_GZIP));
	CHECK(s->rules.compress_over == 4096);
	REQUIRE(s->rules.dictionaries.n == 1);
	CHECK_STR(s->rules.dictionaries.v[0], "*.css");
	CHECK(s->rules.dictionaries_from == 20);
	CHECK(s->rules.max_delete == 70);
	CHECK_STR(s->rules.group, "www-data");
	CHECK(s->lock_wait == 300);
	CHECK(s->timeout == 90);
	CHECK(s->freeze_on_rollback);
	config_release(&c);
}

static void
test_strings_stay_strings(void)
{
	struct config c;

	REQUIRE(
	    parse(&c,
		"sites:\n"
		"  - name: no\n"
		"    root: 0755\n"
		"    source: 1.10\n"
		"    group: 033\n"
		"    exclude: [true, 0x10, 1e3, \"null\", '~', 12:30]\n") ==
	    0);
	CHECK_STR(c.sites[0].name, "no");
	CHECK_STR(c.sites[0].root, "/home/me/project/0755");
	CHECK_STR(c.sites[0].source, "/home/me/project/1.10");
	CHECK_STR(c.sites[0].rules.group, "033");
	REQUIRE(c.sites[0].rules.exclude.n == 6);
	CHECK_STR(c.sites[0].rules.exclude.v[0], "true");
	CHECK_STR(c.sites[0].rules.exclude.v[1], "0x10");
	CHECK_STR(c.sites[0].rules.exclude.v[2], "1e3");
	CHECK_STR(c.sites[0].rules.exclude.v[3], "null");
	CHECK_STR(c.sites[0].rules.exclude.v[4], "~");
	CHECK_STR(c.sites[0].rules.exclude.v[5], "12:30");
	config_release(&c);
}

static void
test_unicode_names(void)
{
	struct config c;

	REQUIRE(parse(&c,
		    "sites:\n  - name: zo\u00eb.example\n"
		    "    root: /srv/\u4e2d\u6587\n"
		    "    exclude: [\"\U0001f600*\"]\n") == 0);
	CHECK_STR(c.sites[0].name, "zo\u00eb.example");
	CHECK_STR(c.sites[0].root, "/srv/\u4e2d\u6587");
	CHECK_STR(c.sites[0].rules.exclude.v[0], "\U0001f600*");
	config_release(&c);
	/* Columns count characters, not bytes. */
	CHECK_STR(fault_in("sites:\n  - {name: \u4e2d\u6587, root: /a, "
			   "keep: \u4e94}\n"),
	    AT("2:32") "sites[0].keep: '\u4e94' is not a whole number (digits "
		       "only, no leading zeros, at most 4294967295)");
}

static void
test_styles_of_yaml(void)
{
	CHECK_STR(fault_in("%YAML 1.1\n---\n" SITE "...\n"), "");
	CHECK_STR(fault_in("---\n" SITE), "");
	CHECK_STR(fault_in("{sites: [{name: a, root: /a}]}"), "");
	CHECK_STR(fault_in("{\"sites\": [{\"name\": \"a\", \"root\": "
			   "\"/a\"}]}"),
	    "");
}

static void
test_crlf_and_bom(void)
{
	struct config c;

	REQUIRE(parse(&c,
		    "\xef\xbb\xbfsites:\r\n  - name: a\r\n    root: /a\r\n"
		    "    keep: 7\r\n") == 0);
	CHECK_STR(c.sites[0].root, "/a");
	CHECK(c.sites[0].keep == 7);
	config_release(&c);
	CHECK_STR(fault_in("\xef\xbb\xbfsites:\r\n  - name: a\r\n"
			   "    rot: /a\r\n"),
	    AT("3:5") "sites[0].rot: unknown key; did you mean 'root'?");
	CHECK_STR(fault_in("\xef\xbb\xbfsite: []\n"),
	    AT("1:1") "site: unknown key; did you mean 'sites'?");
	CHECK_STR(fault_in("\xef\xbb\xbfx: \xff\n"),
	    AT("1:4") "invalid leading UTF-8 octet; the file must be text in "
		      "UTF-8");
}

static void
test_x_keys(void)
{
	struct config c;

	REQUIRE(parse(&c,
		    "x-list: [\"*.map\"]\n"
		    "x-: ~\n"
		    "x-deep: {a: [{b: c}], a: 2, ? [k] : v}\n"
		    "sites:\n"
		    "  - name: a\n"
		    "    x-note: {anything: at all}\n"
		    "    x-note: twice\n"
		    "    root: /a\n"
		    "    exclude: [\"*.map\"]\n"
		    "    carry:\n"
		    "      x-why: tabs\n"
		    "      paths: [\"*.map\"]\n") == 0);
	CHECK(c.sites[0].rules.exclude.n == 1);
	CHECK(c.sites[0].rules.carry.n == 1);
	CHECK_STR(c.sites[0].rules.carry.v[0], "*.map");
	config_release(&c);
	CHECK_STR(fault_in("x_a: 1\n" SITE),
	    AT("1:1") "x_a: unknown key; known here: sites, "
		      "queue, max_waiting, worker");
	CHECK_STR(fault_in("X-a: 1\n" SITE),
	    AT("1:1") "X-a: unknown key; known here: sites, "
		      "queue, max_waiting, worker");
}

static void
test_paths(void)
{
	static const struct {
		const char *source, *want;
	} cases[] = {
		{ "public", "/home/me/project/public" },
		{ "./public/", "/home/me/project/public" },
		{ "a//b/./c", "/home/me/project/a/b/c" },
		{ ".", "/home/me/project" },
		{ "..", "/home/me" },
		{ "../x", "/home/me/x" },
		{ "./../../x", "/home/x" },
		{ "../../../../x", "/x" },
		{ "../../../..", "/" },
		{ "a/../b", "/home/me/project/a/../b" },
		{ "/", "/" },
		{ "/x/", "/x" },
		{ "/../x", "/x" },
		{ "~/www", "/home/me/www" },
		{ "~/", "/home/me" },
		{ "\"~\"", "/home/me" },
		{ "~/../x", "/home/me/../x" },
		{ "./~x", "/home/me/project/~x" },
	};

	setenv("HOME", "/home/me/", 1);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf text = BUF_INIT;
		struct config c;

		buf_addf(&text, SITE "    source: %s\n", cases[i].source);
		if (CHECK(parse(&c, buf_str(&text)) == 0))
			CHECK_STR(c.sites[0].source, cases[i].want);
		config_release(&c);
		buf_release(&text);
	}
}

/* A path is one also where git takes it for one; other forms are git's. */
static void
test_paths_of_repositories(void)
{
	static const struct {
		const char *url, *want;
	} cases[] = {
		{ "./site.git", "/home/me/project/site.git" },
		{ "../site.git", "/home/me/site.git" },
		{ "~/site.git", "/home/me/site.git" },
		{ "/srv/git/site.git", "/srv/git/site.git" },
		{ "git@forge:me/site.git", "git@forge:me/site.git" },
		{ "https://forge/me/../site.git",
		    "https://forge/me/../site.git" },
		{ "ssh://forge/~/site.git", "ssh://forge/~/site.git" },
	};

	setenv("HOME", "/home/me/", 1);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf text = BUF_INIT;
		struct config c;

		buf_addf(&text,
		    SITE "    git: {url: \"%s\"}\n"
			 "    build: {command: y, directory: z}\n",
		    cases[i].url);
		if (CHECK(parse(&c, buf_str(&text)) == 0))
			CHECK_STR(c.sites[0].git.url, cases[i].want);
		config_release(&c);
		buf_release(&text);
	}
}

/* Nothing is expanded, wherever there is a path. */
static void
test_no_variables(void)
{
#define UNFILLED(text, mark) \
	"'" text "': nothing is expanded here, so no " \
	"variable is; write out what '" mark "' stands for"
#define UNEXPANDED(text) UNFILLED(text, "$")
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "sites: [{name: a, root: \"${ROOT}\"}]\n",
		    AT("1:25") "sites[0].root: " UNEXPANDED("${ROOT}") },
		{ "sites:\n  - name: a\n    root: $HOME/x\n",
		    AT("3:11") "sites[0].root: " UNEXPANDED("$HOME/x") },
		{ "sites:\n  - name: a\n    root: /srv/$(hostname)\n",
		    AT("3:11") "sites[0].root: " UNEXPANDED(
			"/srv/$(hostname)") },
		{ "sites:\n  - name: a\n    root: ~/$x\n",
		    AT("3:11") "sites[0].root: " UNEXPANDED("~/$x") },
		{ SITE "    source: $CI_PROJECT_DIR/public\n",
		    AT("4:13") "sites[0].source: " UNEXPANDED(
			"$CI_PROJECT_DIR/public") },
		{ SITE "    build: {command: x, directory: $A}\n",
		    AT("4:36") "sites[0].build.directory: " UNEXPANDED("$A") },
		{ SITE "    hosts:\n      - address: ${HOST}\n",
		    AT("5:18") "sites[0].hosts[0].address: " UNEXPANDED(
			"${HOST}") },
		{ SITE "    hosts:\n      - address: $USER@www1\n",
		    AT("5:18") "sites[0].hosts[0].address: " UNEXPANDED(
			"$USER@www1") },
		{ SITE "    hosts:\n      - {address: x, user: $USER}\n",
		    AT("5:28") "sites[0].hosts[0].user: " UNEXPANDED(
			"$USER") },
		{ SITE "    hosts:\n      - {address: x, root: /srv/$x}\n",
		    AT("5:28") "sites[0].hosts[0].root: " UNEXPANDED(
			"/srv/$x") },
		{ SITE "    hosts:\n      - {address: x, jump: $JUMP}\n",
		    AT("5:28") "sites[0].hosts[0].jump: " UNEXPANDED(
			"$JUMP") },
		{ SITE "    hosts:\n      - {address: x, connect: $IP:80}\n",
		    AT("5:31") "sites[0].hosts[0].connect: " UNEXPANDED(
			"$IP:80") },
		{ SITE "    hosts:\n      - {address: x, identity: $KEY}\n",
		    AT("5:32") "sites[0].hosts[0].identity: " UNEXPANDED(
			"$KEY") },
		{ SITE "    hosts:\n      - {address: x, deploy: $HOME/d}\n",
		    AT("5:30") "sites[0].hosts[0].deploy: " UNEXPANDED(
			"$HOME/d") },
		{ SITE "queue: $STATE/q\n",
		    AT("4:8") "queue: " UNEXPANDED("$STATE/q") },
		{ SITE "worker: {logs: $STATE/q}\n",
		    AT("4:16") "worker.logs: " UNEXPANDED("$STATE/q") },
		/* Nor does a template come to be filled in. */
		{ "sites:\n  - {name: a, root: '{{ root }}'}\n",
		    AT("2:21") "sites[0].root: " UNFILLED("{{ root }}",
			"{{") },
		{ "sites:\n  - {name: a, root: '%(root)s'}\n",
		    AT("2:21") "sites[0].root: " UNFILLED("%(root)s", "%(") },
		{ "sites:\n  - {name: a, root: '<%= root %>'}\n",
		    AT("2:21") "sites[0].root: " UNFILLED("<%= root %>",
			"<%") },
		{ "sites:\n  - {name: a, root: '#{root}'}\n",
		    AT("2:21") "sites[0].root: " UNFILLED("#{root}", "#{") },
		{ "sites:\n  - {name: a, root: ' '}\n",
		    AT("2:21") "sites[0].root: ' ' is only blanks; write a "
			       "path" },
		/* Commands are the shell's, names and patterns are text. */
		{ SITE "    build: {command: \"make $X\"}\n", "" },
		{ SITE "    exclude: [\"a$b\"]\n", "" },
		{ SITE "    hooks: {failed: \"echo $DEPLOY_SITE\"}\n", "" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		CHECK_STR(fault_in(cases[i].text), cases[i].want);
#undef UNEXPANDED
#undef UNFILLED
}

static void
test_home_is_needed(void)
{
	setenv("HOME", "home", 1);
	CHECK_STR(fault_in(SITE "    source: ~/x\n"),
	    AT("4:13") "sites[0].source: '~/x': HOME is not set to an "
		       "absolute path");
	unsetenv("HOME");
	CHECK_STR(fault_in(SITE "    source: ~/x\n"),
	    AT("4:13") "sites[0].source: '~/x': HOME is not set to an "
		       "absolute path");
	CHECK_STR(fault_in(SITE "    source: ~bob/x\n"),
	    AT("4:13") "sites[0].source: '~bob/x': only '~/' is expanded; "
		       "write the path out, or begin it with './'");
}

/* ---- keys -------------------------------------------------------------- */

static void
test_unknown_keys(void)
{
	CHECK_STR(fault_in("site:\n  - name: a\n"),
	    AT("1:1") "site: unknown key; did you mean 'sites'?");
	CHECK_STR(fault_in(SITE "    exlude: []\n"),
	    AT("4:5") "sites[0].exlude: unknown key; did you mean "
		      "'exclude'?");
	CHECK_STR(fault_in(SITE "    Max-Delete: 3\n"),
	    AT("4:5") "sites[0].Max-Delete: unknown key; did you mean "
		      "'max_delete'?");
	CHECK_STR(fault_in(SITE "    carry: {path: []}\n"),
	    AT("4:13") "sites[0].carry.path: unknown key; did you mean "
		       "'paths'?");
	CHECK_STR(fault_in(SITE "    carry: {glob: []}\n"),
	    AT("4:13") "sites[0].carry.glob: unknown key; known here: paths, "
		       "for, bridge");
	CHECK_STR(fault_in("sites: []\nqueues: x\n"),
	    AT("1:8") "sites: an empty list; at least 1 wanted");
	CHECK_STR(fault_in("queues: x\nsites: []\n"),
	    AT("1:1") "queues: unknown key; did you mean 'queue'?");
	/* All that there are, in the order of the table. */
	CHECK(
	    strstr(fault_in(SITE "    Keeper_of: 1\n"),
		AT("4:5") "sites[0].Keeper_of: unknown key; known here: name, "
			  "root, source, build, git, push, update, settle, keep, ") !=
	    NULL);
	CHECK(strstr(fault_in(SITE "    <<: {keep: 3}\n"),
		  AT("4:5") "sites[0].<<: unknown key; known here: name, ") !=
	    NULL);
}

static void
test_check(void)
{
	struct config c = CONFIG_INIT;

	REQUIRE(
	    parse(&c, SITE "    check: {url: https://example.org}\n") == 0);
	CHECK_STR(c.sites[0].check.urls.v[0], "https://example.org/");
	CHECK(c.sites[0].check.expect == 200);
	CHECK(c.sites[0].check.sample == CONFIG_CHECK_SAMPLE);
	CHECK(c.sites[0].check.edge.n == 0);
	CHECK(c.sites[0].check.within == 60);
	config_release(&c);
	REQUIRE(
	    parse(&c,
		SITE
		"    check: {url: 'http://[::1]:8080/a/', also: [http://b/c],"
		" expect: 301, contains: x, sample: 0, ca: ca.pem, tries: 1,"
		" connect: '[::1]:80', wait: 0s, timeout: 1m,"
		" edge: [https://www.a.org, http://c/d/], within: 2m}\n") ==
	    0);
	CHECK(c.sites[0].check.edge.n == 2);
	CHECK_STR(c.sites[0].check.edge.v[0], "https://www.a.org/");
	CHECK(c.sites[0].check.within == 120);
	CHECK(c.sites[0].check.urls.n == 2);
	CHECK_STR(c.sites[0].check.ca, "/home/me/project/ca.pem");
	CHECK(c.sites[0].check.timeout == 60);
	CHECK_STR(c.sites[0].check.connect, "[::1]:80");
	config_release(&c);
	CHECK_STR(fault_in(SITE "    check: {url: example.org}\n"),
	    AT("4:18") "sites[0].check.url: 'example.org' is not a URL such as "
		       "https://example.org/");
	CHECK_STR(fault_in(SITE "    check: {url: http://a, expect: 20}\n"),
	    AT("4:36") "sites[0].check.expect: 20 is not a status of HTTP; use "
		       "100 to 599");
	CHECK_STR(fault_in(
		      SITE "    check: {url: http://a, connect: 'a:b'}\n"),
	    AT("4:37") "sites[0].check.connect: 'a:b' is not an address such as "
		       "192.0.2.1, www1:8080 or [2001:db8::1]:443");
	CHECK_STR(fault_in(SITE "    check: {url: http://a, edge: [a]}\n"),
	    AT("4:35") "sites[0].check.edge[0]: 'a' is not a URL such as "
		       "https://example.org/");
	CHECK_STR(fault_in(SITE "    check: {url: http://a, tries: 0}\n"),
	    AT("4:35") "sites[0].check.tries: 0 tries find out nothing; at "
		       "least 1");
}

static void
test_check_headers(void)
{
	struct config c = CONFIG_INIT;
	const struct check_config *k;

	REQUIRE(parse(&c,
		    SITE "    check:\n      url: http://a\n      headers:\n"
			 "        'assets/**': 'public, immutable'\n"
			 "        /a.html: no-cache\n        7: x\n") == 0);
	k = &c.sites[0].check;
	CHECK(k->cached.n == 3 && k->cache_control.n == 3);
	CHECK_STR(k->cached.v[0], "assets/**");
	CHECK_STR(k->cache_control.v[0], "public, immutable");
	CHECK_STR(k->cached.v[1], "/a.html");
	CHECK_STR(k->cache_control.v[1], "no-cache");
	CHECK_STR(k->cached.v[2], "7");
	config_release(&c);
#define HEADERS SITE "    check: {url: http://a, headers: "
	CHECK_STR(fault_in(HEADERS "[a]}\n"),
	    AT("4:37") "sites[0].check.headers: a list; wanted: a mapping "
		       "(\"pattern\": \"text\")");
	CHECK_STR(fault_in(HEADERS "{}}\n"),
	    AT("4:37") "sites[0].check.headers: an empty mapping; remove it");
	CHECK_STR(fault_in(HEADERS "{a: x, b: y, a: z}}\n"),
	    AT("4:50") "sites[0].check.headers: 'a' was given already");
	CHECK_STR(fault_in(HEADERS "{a: [x]}}\n"),
	    AT("4:41") "sites[0].check.headers: 'a': wanted: a string, on one "
		       "line");
	CHECK_STR(fault_in(HEADERS "{a: }}\n"),
	    AT("4:41") "sites[0].check.headers: 'a': wanted: a string, on one "
		       "line");
	CHECK_STR(fault_in(HEADERS "{[a]: x}}\n"),
	    AT("4:38") "sites[0].check.headers: a key must be a word");
	CHECK_STR(fault_in(HEADERS "{'!a': x}}\n"),
	    AT("4:38") "sites[0].check.headers[0]: '!a': patterns cannot be "
		       "negated; write '\\!' for a name that begins with '!'");
	CHECK(strstr(fault_in(HEADERS "{a: x, ../b: x}}\n"),
		  AT("4:44") "sites[0].check.headers[1]: ") != NULL);
	CHECK_STR(fault_in(HEADERS "{a: ', '}}\n"),
	    AT("4:38") "sites[0].check.headers[0]: ', ' is not a directive, such "
		       "as no-cache, or max-age=31536000, immutable");
}

static void
test_preview(void)
{
	struct config c = CONFIG_INIT;

	REQUIRE(parse(&c, SITE) == 0);
	CHECK_STR(c.sites[0].preview.url, NULL);
	CHECK(c.sites[0].preview.duration == 7 * 86400);
	config_release(&c);
	REQUIRE(parse(&c,
		    SITE "    preview: {url: 'https://{name}.p.example.org', "
			 "for: 3d}\n") == 0);
	CHECK_STR(c.sites[0].preview.url, "https://{name}.p.example.org/");
	CHECK(c.sites[0].preview.duration == 3 * 86400);
	config_release(&c);
	CHECK_STR(fault_in(SITE "    preview: {url: https://example.org/}\n"),
	    AT("4:20") "sites[0].preview.url: 'https://example.org/' has no "
		       "{name} in it, as in "
		       "https://{name}.preview.example.org/");
	CHECK_STR(fault_in(SITE "    preview: {url: '{name}'}\n"),
	    AT("4:20") "sites[0].preview.url: '{name}' is not a URL such as "
		       "https://example.org/");
	CHECK_STR(fault_in(SITE "    preview: {for: 0s}\n"),
	    AT("4:20") "sites[0].preview.for: 0 is too short; at least "
		       "1s");
}

static void
test_hooks_and_strategy(void)
{
	struct config c = CONFIG_INIT;

	REQUIRE(parse(&c,
		    SITE "    hooks: {post_activate: ./purge, timeout: "
			 "1m}\n    strategy: rolling\n    batch: 2\n"
			 "    pause: 10s\n") == 0);
	CHECK_STR(c.sites[0].hooks.commands[HOOK_POST_ACTIVATE], "./purge");
	CHECK_STR(c.sites[0].hooks.commands[HOOK_PRE_STAGE], NULL);
	CHECK(c.sites[0].hooks.timeout == 60);
	CHECK(c.sites[0].strategy == STRATEGY_ROLLING);
	CHECK(c.sites[0].batch == 2 && c.sites[0].pause == 10);
	config_release(&c);
	CHECK_STR(fault_in(SITE "    batch: 0\n"),
	    AT("4:12") "sites[0].batch: 0 hosts at once would flip none; at "
		       "least 1");
	CHECK(strstr(fault_in(SITE "    hooks: {on_fire: x}\n"),
		  "unknown key") != NULL);
}

static void
test_builds(void)
{
	struct config c;

	REQUIRE(parse(&c, SITE "    build: {command: x}\n") == 0);
	CHECK_STR(c.sites[0].build.directory, "/home/me/project");
	CHECK(c.sites[0].build.timeout == 600);
	config_release(&c);
	CHECK_STR(fault_in(SITE "    build: {timeout: 1m}\n"),
	    AT("4:12") "sites[0].build.command: this key is missing; "
		       "wanted: a string");
	CHECK_STR(fault_in(SITE "    build: {command: x, timeout: 0}\n"),
	    AT("4:34") "sites[0].build.timeout: 0 is too short; at least 1s");
	CHECK_STR(fault_in(SITE "    hooks: {timeout: 0}\n"),
	    AT("4:22") "sites[0].hooks.timeout: 0 is too short; at least 1s");
	CHECK_STR(fault_in(SITE "    check: {url: 'http://e/', timeout: 0}\n"),
	    AT("4:40") "sites[0].check.timeout: 0 is too short; at least 1s");
	CHECK_STR(fault_in(SITE "    timeout: 0s\n"),
	    AT("4:14") "sites[0].timeout: 0 is too short; at least 1s");
}

static void
test_queue_and_worker(void)
{
	struct config c;

	REQUIRE(parse(&c, SITE) == 0);
	CHECK_STR(c.queue, NULL);
	CHECK_STR(c.dir, "/home/me/project");
	CHECK(c.worker.jobs == 1 && c.worker.max_jobs == 0);
	CHECK(c.worker.keep == 100 && c.worker.log_size == 1024);
	CHECK(c.worker.retry == 30 && c.worker.timeout == 3600);
	CHECK_STR(c.worker.logs, NULL);
	CHECK_STR(c.sites[0].update, NULL);
	CHECK(c.sites[0].settle == 0);
	config_release(&c);
	REQUIRE(parse(&c,
		    SITE "    update: git pull\n    settle: 10s\n"
			 "queue: q\nworker: {jobs: 4, max_jobs: 8, keep: 5, "
			 "log_size: 64, retry: 1m, timeout: 2h, logs: l, "
			 "notify: ./tell, notify_url: \"https://x.org\", "
			 "metrics: m.prom}\n") == 0);
	CHECK_STR(c.queue, "/home/me/project/q");
	CHECK(c.worker.jobs == 4 && c.worker.max_jobs == 8);
	CHECK(c.worker.keep == 5 && c.worker.log_size == 64);
	CHECK(c.worker.retry == 60 && c.worker.timeout == 7200);
	CHECK_STR(c.worker.logs, "/home/me/project/l");
	CHECK_STR(c.worker.notify, "./tell");
	CHECK_STR(c.worker.notify_url, "https://x.org/");
	CHECK_STR(c.worker.metrics, "/home/me/project/m.prom");
	CHECK_STR(c.sites[0].update, "git pull");
	CHECK(c.sites[0].settle == 10);
	CHECK(c.sites[0].push.branches.n == 2 && c.sites[0].push.tags.n == 0);
	CHECK_STR(c.sites[0].push.branches.v[0], "main");
	CHECK_STR(c.sites[0].push.branches.v[1], "master");
	config_release(&c);
	REQUIRE(
	    parse(&c,
		SITE "    push: {branches: [release/*], tags: [v*]}\n") == 0);
	CHECK_STR(c.sites[0].push.branches.v[0], "release/*");
	CHECK_STR(c.sites[0].push.tags.v[0], "v*");
	config_release(&c);
	REQUIRE(parse(&c,
		    SITE "    git: {url: x, ref: refs/heads/live}\n"
			 "    build: {command: y, directory: z}\n") == 0);
	CHECK(c.sites[0].push.branches.n == 1);
	CHECK_STR(c.sites[0].push.branches.v[0], "live");
	config_release(&c);
	CHECK_STR(fault_in(SITE "    push: {tags: [v*, \"v 1\"]}\n"),
	    AT("4:23") "sites[0].push.tags[1]: 'v 1' is no pattern such as main, release/* or v[0-9]*");
	REQUIRE(parse(&c, SITE "queue: postgresql://u@h/d?x=y\n") == 0);
	CHECK_STR(c.queue, "postgresql://u@h/d?x=y");
	config_release(&c);
	CHECK_STR(fault_in(SITE "queue: mysql://h/d\n"),
	    AT("4:8") "queue: neither a directory nor postgresql://...");
	CHECK_STR(fault_in(SITE "worker: {jobs: 0}\n"),
	    AT("4:16") "worker.jobs: 0 is out of range; 1 to 64");
	CHECK_STR(fault_in(SITE "worker: {timeout: 0}\n"),
	    AT("4:19") "worker.timeout: 0 is too short; at least 1s");
	CHECK_STR(fault_in(SITE "worker: {job: 1}\n"),
	    AT("4:10") "worker.job: unknown key; did you mean 'jobs'?");
}

static void
test_missing_keys(void)
{
	CHECK_STR(fault_in("{}\n"),
	    AT("1:1") "sites: this key is missing; wanted: a list of "
		      "mappings (each begins with '- ')");
	CHECK_STR(fault_in("x-a: 1\n"),
	    AT("1:1") "sites: this key is missing; wanted: a list of "
		      "mappings (each begins with '- ')");
	CHECK_STR(fault_in("sites:\n  - name: a\n"),
	    AT("2:5") "sites[0].root: this key is missing; wanted: a string");
	CHECK_STR(fault_in(SITE "  - root: /b\n"),
	    AT("4:5") "sites[1].name: this key is missing; wanted: a string");
	CHECK_STR(fault_in(SITE "    carry:\n      for: 1d\n"),
	    AT("5:7") "sites[0].carry.paths: this key is missing; wanted: a "
		      "list ([one, two], or lines that begin with '- ')");
}

static void
test_sizes(void)
{
	static const struct {
		const char *text;
		int64_t bytes; /* -1: none */
	} t[] = { { "0", 0 }, { "500", 500 }, { "1k", 1024 },
		{ "2M", 2097152 }, { "1048576M", INT64_C(1) << 40 },
		{ "1048577M", -1 }, { "99999999999999", -1 }, { "-1", -1 },
		{ "k", -1 }, { "1K", -1 }, { "1 k", -1 }, { "1kB", -1 },
		{ "\"\"", -1 }, { "1.5k", -1 } };

	for (size_t i = 0; i < sizeof(t) / sizeof(*t); i++) {
		struct config c = CONFIG_INIT;
		char *text =
		    xasprintf(SITE "    compress: {paths: x, over: %s}\n",
			t[i].text);
		bool is = parse(&c, text) == 0;

		CHECK(is == (t[i].bytes >= 0));
		CHECK(!is || c.sites[0].rules.compress_over == t[i].bytes);
		config_release(&c);
		free(text);
	}
}

static void
test_duplicate_keys(void)
{
	CHECK_STR(fault_in("sites: [{name: a, root: /a}]\nsites: []\n"),
	    AT("2:1") "sites: this key was given in line 1 already");
	CHECK_STR(fault_in(SITE "    keep: 3\n    \"keep\": 3\n"),
	    AT("5:5") "sites[0].keep: this key was given in line 4 already");
}

static void
test_keys_are_words(void)
{
	CHECK_STR(fault_in("? [sites]\n: []\n"),
	    AT("1:3") "a key must be a word");
	CHECK_STR(fault_in(SITE "    ? {a: b}\n    : []\n"),
	    AT("4:7") "sites[0]: a key must be a word");
	CHECK_STR(fault_in(SITE "    ? \"a\\0b\\ec\"\n    : 1\n"),
	    AT("4:7") "sites[0]: a key must be a word");
	CHECK_STR(fault_in(SITE "    \"keep\\0\": 1\n"),
	    AT("4:5") "sites[0]: a key must be a word");
}

/* ---- types ------------------------------------------------------------- */

#define ANY_LIST "a list ([one, two], or lines that begin with '- ')"

static void
test_wrong_types(void)
{
	CHECK_STR(fault_in("hello\n"),
	    AT("1:1") "a single value; wanted: a mapping (key: value)");
	CHECK_STR(fault_in("- name: a\n"),
	    AT("1:1") "a list; wanted: a mapping (key: value)");
	CHECK_STR(fault_in("sites: {name: a, root: /a}\n"),
	    AT("1:8") "sites: a mapping; wanted: a list of mappings (each "
		      "begins with '- ')");
	CHECK_STR(fault_in("sites: [a]\n"),
	    AT("1:9") "sites[0]: a single value; wanted: a mapping (key: "
		      "value)");
	CHECK_STR(fault_in("sites:\n  - name: [a]\n    root: /a\n"),
	    AT("2:11") "sites[0].name: a list; wanted: a string");
	CHECK_STR(fault_in("sites:\n  - name: {a: b}\n    root: /a\n"),
	    AT("2:11") "sites[0].name: a mapping; wanted: a string");
	CHECK_STR(fault_in(SITE "    exclude: {a: b}\n"),
	    AT("4:14") "sites[0].exclude: a mapping; wanted: " ANY_LIST);
	CHECK_STR(fault_in(SITE "    hooks: make\n"),
	    AT("4:12") "sites[0].hooks: a single value; wanted: a mapping "
		       "(key: value)");
	CHECK_STR(fault_in(SITE "    exclude: [[a]]\n"),
	    AT("4:15") "sites[0].exclude[0]: a list; wanted: a string");
	CHECK_STR(fault_in(SITE "    carry: [a]\n"),
	    AT("4:12") "sites[0].carry: a list; wanted: a mapping (key: "
		       "value)");
	CHECK_STR(fault_in(SITE "    keep: [3]\n"),
	    AT("4:11") "sites[0].keep: a list; wanted: a whole number");
	CHECK_STR(fault_in(SITE "    freeze_on_rollback: {}\n"),
	    AT("4:25") "sites[0].freeze_on_rollback: a mapping; wanted: true "
		       "or false");
}

/* A short form is read as the long one, whatever is in it. */
static void
test_short_forms(void)
{
	static const char *const values[] = { "hugo", "hugo --minify, x",
		"'a: b {c} [d]'", "\"q \\\"q\\\" \\\\ z\"", "make # and more",
		">-\n      folded\n", "\303\274 \342\202\254" };
	static const char *const read[] = { "hugo", "hugo --minify, x",
		"a: b {c} [d]", "q \"q\" \\ z", "make", "folded",
		"\303\274 \342\202\254" };
	struct config c;

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		struct buf text = BUF_INIT;

		buf_addf(&text,
		    "# \303\266\r\n" SITE
		    "    build: %s\n    exclude: %s\n    carry: %s\n    source: x\n",
		    values[i], values[i], values[i]);
		CHECK_STR(fault_in(buf_str(&text)), "");
		REQUIRE(parse(&c, buf_str(&text)) == 0);
		CHECK_STR(c.sites[0].build.command, read[i]);
		REQUIRE(c.sites[0].rules.exclude.n == 1);
		CHECK_STR(c.sites[0].rules.exclude.v[0], read[i]);
		REQUIRE(c.sites[0].rules.carry.n == 1);
		CHECK_STR(c.sites[0].rules.carry.v[0], read[i]);
		CHECK(c.sites[0].source != NULL);
		config_release(&c);
		buf_release(&text);
	}
}

/* Several in one line, and in each other. */
static void
test_short_forms_in_lists(void)
{
	struct config c;

	REQUIRE(
	    parse(&c,
		"\357\273\277sites: [{name: a, root: /a, check: http://a/, hosts: [w1, \"w2\", {address: w3, port: 7}, w4], keep: 4}]\n") ==
	    0);
	REQUIRE(c.sites[0].n_hosts == 4);
	CHECK_STR(c.sites[0].hosts[0].address, "w1");
	CHECK_STR(c.sites[0].hosts[1].address, "w2");
	CHECK(c.sites[0].hosts[2].port == 7);
	CHECK_STR(c.sites[0].hosts[3].address, "w4");
	CHECK_STR(c.sites[0].check.urls.v[0], "http://a/");
	CHECK(c.sites[0].keep == 4);
	config_release(&c);
	REQUIRE(parse(&c, SITE "    hosts: w1\n") == 0);
	REQUIRE(c.sites[0].n_hosts == 1);
	CHECK_STR(c.sites[0].hosts[0].address, "w1");
	config_release(&c);
	/* Places are those of the text as it is. */
	CHECK_STR(fault_in(SITE "    build: hugo\n    check: x\n"),
	    AT("5:12") "sites[0].check.url: 'x' is not a URL such as https://example.org/");
	CHECK_STR(fault_in(SITE "    hosts: [a, b, \"\"]\n"),
	    AT("4:19") "sites[0].hosts[2].address: an empty string; give a value or remove it");
	CHECK_STR(fault_in(SITE "    hosts: []\n"),
	    AT("4:12") "sites[0].hosts: an empty list; at least 1 wanted; a site whose root is on this machine has no 'hosts'");
	CHECK_STR(fault_in(SITE "    build: [a, b]\n"),
	    AT("4:12") "sites[0].build: a list; wanted: a mapping (key: value)");
}

static void
test_no_value(void)
{
	CHECK_STR(fault_in("sites:\n"),
	    AT("1:7") "sites: no value; wanted: a list of mappings (each "
		      "begins with '- ')");
	CHECK_STR(fault_in("sites:\n  -\n"),
	    AT("2:4") "sites[0]: no value; wanted: a mapping (key: value)");
	CHECK_STR(fault_in(SITE "    keep:\n"),
	    AT("4:10") "sites[0].keep: no value; wanted: a whole number");
	CHECK_STR(fault_in(SITE "    source: ~\n"),
	    AT("4:13") "sites[0].source: no value; wanted: a string");
	CHECK_STR(fault_in(SITE "    group: null\n"),
	    AT("4:12") "sites[0].group: no value; wanted: a string");
	CHECK_STR(fault_in(SITE "    exclude:\n#     - a\n"),
	    AT("4:13") "sites[0].exclude: no value; wanted: " ANY_LIST);
	CHECK_STR(fault_in(SITE "    exclude:\n      - a\n      -\n"),
	    AT("6:8") "sites[0].exclude[1]: no value; wanted: a string");
	CHECK_STR(fault_in(SITE "    group: ''\n"),
	    AT("4:12") "sites[0].group: an empty string; give a value or "
		       "remove it");
	CHECK_STR(fault_in(SITE "    exclude: [a, \"\"]\n"),
	    AT("4:18") "sites[0].exclude[1]: an empty string; give a value or "
		       "remove it");
}

#define NO_TAGS \
	"tags (!) have no meaning here; remove it, or quote a value that " \
	"begins with '!'"

static void
test_tags(void)
{
	CHECK_STR(fault_in("sites:\n  - name: !env SITE\n    root: /a\n"),
	    AT("2:11") NO_TAGS);
	CHECK_STR(fault_in(SITE "    exclude: [!keep.map ]\n"),
	    AT("4:15") NO_TAGS);
	CHECK_STR(fault_in(SITE "    keep: !!int 3\n"), AT("4:11") NO_TAGS);
	CHECK_STR(fault_in("sites: !!seq\n- {name: a, root: /a}\n"),
	    AT("1:8") NO_TAGS);
	CHECK_STR(fault_in("--- !!map\n" SITE), AT("1:5") NO_TAGS);
	CHECK_STR(fault_in("x-a: !b c\n" SITE), AT("1:6") NO_TAGS);
	CHECK_STR(fault_in("%TAG !a! tag:a,2026:\n---\n" SITE),
	    AT("1:1") "a %TAG directive; tags have no meaning here, remove "
		      "the line");
	CHECK_STR(fault_in("# a\n%TAG !a! tag:a,2026:\n---\n" SITE),
	    AT("2:1") "a %TAG directive; tags have no meaning here, remove "
		      "the line");
	CHECK_STR(fault_in("# no %TAG here\n" SITE), "");
}

/* ---- values ------------------------------------------------------------ */

static void
test_whole_numbers(void)
{
	static const char *const bad[] = { "010", "0x10", "-1", "+5", "5.0",
		"1e3", "1_000", "5 releases", "five", "4294967296",
		"99999999999999999999999", "\"5 \"" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct buf text = BUF_INIT;
		const char *fault;

		buf_addf(&text, SITE "    keep: %s\n", bad[i]);
		fault = fault_in_buf(&text);
		CHECK(strncmp(fault, AT("4:11") "sites[0].keep: '", 33) == 0);
		CHECK(strstr(fault, "is not a whole number") != NULL);
	}
	CHECK_STR(fault_in(SITE "    keep: 0\n"),
	    AT("4:11") "sites[0].keep: 0 leaves nothing to roll back to; at "
		       "least 1");
	CHECK_STR(fault_in(SITE "    keep: 1\n"), "");
	CHECK_STR(fault_in(SITE "    keep: 1000000\n"), "");
	CHECK_STR(fault_in(SITE "    keep: 1000001\n"),
	    AT("4:11") "sites[0].keep: 1000001 is too many; at most 1000000");
	CHECK_STR(fault_in(SITE "    keep: \"5\"\n"), "");
	CHECK_STR(fault_in(SITE "    keep: 4294967295\n"),
	    AT("4:11") "sites[0].keep: 4294967295 is too many; at most "
		       "1000000");
}

static void
test_booleans(void)
{
	static const struct {
		const char *word;
		bool want;
	} cases[] = { { "true", true }, { "True", true }, { "YES", true },
		{ "on", true }, { "\"true\"", true }, { "false", false },
		{ "No", false }, { "OFF", false } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf text = BUF_INIT;
		struct config c;

		buf_addf(&text, SITE "    freeze_on_rollback: %s\n",
		    cases[i].word);
		if (CHECK(parse(&c, buf_str(&text)) == 0))
			CHECK(c.sites[0].freeze_on_rollback == cases[i].want);
		config_release(&c);
		buf_release(&text);
	}
	CHECK_STR(fault_in(SITE "    freeze_on_rollback: maybe\n"),
	    AT("4:25") "sites[0].freeze_on_rollback: 'maybe' is neither true "
		       "nor false");
	CHECK_STR(fault_in(SITE "    freeze_on_rollback: 1\n"),
	    AT("4:25") "sites[0].freeze_on_rollback: '1' is neither true nor "
		       "false");
}

static void
test_percentages(void)
{
	static const char *const bad[] = { "101", "101%", "-1", "5.5%", "50 %",
		"50%%", "half", "\"%\"", "0000" };
	struct config c;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct buf text = BUF_INIT;

		buf_addf(&text, SITE "    max_delete: %s\n", bad[i]);
		CHECK(strstr(fault_in_buf(&text),
			  "is not a percentage from 0 to 100") != NULL);
	}
	CHECK_STR(fault_in(SITE "    max_delete: half\n"),
	    AT("4:17") "sites[0].max_delete: 'half' is not a percentage from "
		       "0 to 100, such as 50%");
	REQUIRE(parse(&c, SITE "    max_delete: 0\n") == 0);
	CHECK(c.sites[0].rules.max_delete == 0);
	config_release(&c);
	REQUIRE(parse(&c, SITE "    max_delete: 100%\n") == 0);
	CHECK(c.sites[0].rules.max_delete == 100);
	config_release(&c);
}

static void
test_durations(void)
{
	CHECK_STR(fault_in(SITE "    lock_wait: 1h30m\n"),
	    AT("4:16") "sites[0].lock_wait: '1h30m' is not a duration: a "
		       "whole number with s, m, h, d or w behind it, such as "
		       "90s or 7d");
	CHECK_STR(fault_in(SITE "    lock_wait: 24h\n"), "");
	CHECK_STR(fault_in(SITE "    lock_wait: 86401\n"),
	    AT("4:16") "sites[0].lock_wait: '86401' is more than a day; at "
		       "most 24h");
	CHECK_STR(fault_in(SITE "    hooks: {timeout: 1d}\n"), "");
	CHECK_STR(fault_in(SITE "    hooks: {timeout: 2d}\n"),
	    AT("4:22") "sites[0].hooks.timeout: '2d' is more than a day; at "
		       "most 24h");
	CHECK_STR(fault_in(SITE "    carry:\n      paths: [a]\n"
				"      for: 200y\n"),
	    AT("6:12") "sites[0].carry.for: '200y' is not a duration: a whole "
		       "number with s, m, h, d or w behind it, such as 90s or "
		       "7d");
}

#define CONTROL \
	"a line break or another control character in the value; write it " \
	"on one line"

static void
test_names(void)
{
	struct buf text = BUF_INIT;

	CHECK_STR(fault_in("sites:\n  - name: a/b\n    root: /a\n"),
	    AT("2:11") "sites[0].name: 'a/b' cannot be a name: '/' is for "
		       "paths");
	CHECK_STR(fault_in("sites:\n  - name: ..\n    root: /a\n"),
	    AT("2:11") "sites[0].name: the name '..' has a '.' or '..' "
		       "component");
	CHECK_STR(fault_in("sites:\n  - name: |\n      a\n    root: /a\n"),
	    AT("2:11") "sites[0].name: " CONTROL);
	CHECK_STR(fault_in("sites:\n  - name: \"a\\u009b1m\"\n    root: /\n"),
	    AT("2:11") "sites[0].name: " CONTROL);
	CHECK_STR(fault_in("sites:\n  - name: \"a\\0b\"\n    root: /a\n"),
	    AT("2:11") "sites[0].name: " CONTROL);
	buf_addf(&text, "sites:\n  - name: %0248d\n    root: /a\n", 1);
	CHECK_STR(fault_in_buf(&text), "");
	buf_addf(&text, "sites:\n  - name: %0249d\n    root: /a\n", 1);
	CHECK(
	    strstr(fault_in_buf(&text), "' is longer than 248 bytes") != NULL);
}

static void
test_roots(void)
{
	struct buf text = BUF_INIT;

	CHECK_STR(fault_in("sites:\n  - name: a\n    root: /\n"),
	    AT("3:11") "sites[0].root: '/' cannot be a root; give the site a "
		       "directory, such as /srv/www/example.org");
	CHECK_STR(fault_in("sites:\n  - name: a\n    root: ../../../.\n"),
	    AT("3:11") "sites[0].root: '/' cannot be a root; give the site a "
		       "directory, such as /srv/www/example.org");
	CHECK_STR(fault_in("sites:\n  - name: a\n    root: \"u@h:/a\"\n"),
	    AT("3:11") "sites[0].root: 'u@h:/a' looks like an address; a host "
		       "goes under hosts:, root: is the path there, and a "
		       "directory of that name begins with './'");
	CHECK_STR(fault_in("sites:\n  - name: a\n    root: ./u@h:/a\n"), "");
	CHECK_STR(fault_in("sites:\n  - name: a\n    root: \"/a\\tb\"\n"),
	    AT("3:11") "sites[0].root: " CONTROL);
	buf_addf(&text, "sites:\n  - name: a\n    root: /%04095d\n", 1);
	CHECK(strstr(fault_in_buf(&text), "...' is longer than 4095 bytes") !=
	    NULL);
	/* Too long only behind the directory of the file. */
	buf_addf(&text, "sites:\n  - name: a\n    root: %04090d\n", 1);
	CHECK(strstr(fault_in_buf(&text), "...' is longer than 4095 bytes") !=
	    NULL);
}

static void
test_sites_are_distinct(void)
{
	CHECK_STR(fault_in(SITE "  - name: b\n    root: /b\n"), "");
	CHECK_STR(fault_in(SITE "  - name: a\n    root: /b\n"),
	    AT("4:11") "sites[1].name: 'a' is the name of sites[0] already");
	CHECK_STR(fault_in(SITE "  - name: b\n    root: /a/.\n"),
	    AT("5:11") "sites[1].root: '/a' is the root of sites[0] already");
	CHECK_STR(fault_in(SITE "  - name: b\n    root: /x/../a\n"),
	    AT("5:11") "sites[1].root: '/x/../a' is the root of sites[0] "
		       "already");
	/* On hosts, too, and by roots that these have themselves. */
	CHECK_STR(fault_in(
		      SITE "    hosts: [x, y]\n"
			   "  - name: b\n    root: /a\n    hosts: [z, y]\n"),
	    AT("6:11") "sites[1].root: '/a' is the root of sites[0] already");
	CHECK_STR(fault_in(SITE "    hosts: [x]\n"
				"  - name: b\n    root: /b\n"
				"    hosts: [{address: x, root: /a}]\n"),
	    AT("6:11") "sites[1].root: '/a' is the root of sites[0] already");
	/* Another host, port, user or jump is another place. */
	CHECK_STR(
	    fault_in(
		SITE "    hosts: [x]\n"
		     "  - name: b\n    root: /a\n"
		     "    hosts: [y, u@x, \"x:23\", {address: x, jump: j}]\n"),
	    "");
}

static void
test_patterns(void)
{
	static const char *const useless[] = { "./drafts", "a/./b", "a//b",
		"../a", "a/..", "/", "//a", "." };

	for (size_t i = 0; i < sizeof(useless) / sizeof(useless[0]); i++) {
		struct buf text = BUF_INIT;

		buf_addf(&text, SITE "    exclude: [%s]\n", useless[i]);
		CHECK(strstr(fault_in_buf(&text),
			  " component; write a path inside the release") !=
		    NULL);
	}
	CHECK_STR(fault_in(SITE "    exclude: [a, ./b]\n"),
	    AT("4:18") "sites[0].exclude[1]: the name './b' has a '.' or '..' "
		       "component; write a path inside the release");
	CHECK_STR(fault_in(SITE "    carry: {paths: [\"!a\"]}\n"),
	    AT("4:21") "sites[0].carry.paths[0]: '!a': patterns cannot be "
		       "negated; write '\\!' for a name that begins with '!'");
	CHECK_STR(fault_in(SITE "    exclude: [/a, a/, /a/, \"**\", ...]\n"),
	    "");
	CHECK_STR(fault_in(SITE "    carry: {paths: []}\n"),
	    AT("4:20") "sites[0].carry.paths: an empty list; at least 1 "
		       "wanted");
	CHECK_STR(fault_in(SITE "    exclude: []\n    shared: []\n"), "");
}

static void
test_shared_paths(void)
{
	CHECK_STR(fault_in(SITE "    shared: [a, /b]\n"),
	    AT("4:17") "sites[0].shared[1]: the name '/b' is absolute or has "
		       "an empty component; write a path inside the release");
	CHECK_STR(fault_in(SITE "    shared: [../b]\n"),
	    AT("4:14") "sites[0].shared[0]: the name '../b' has a '.' or '..' "
		       "component; write a path inside the release");
	CHECK_STR(fault_in(SITE "    shared: [/]\n"),
	    AT("4:14") "sites[0].shared[0]: the name '/' is absolute or has an "
		       "empty component; write a path inside the release");
	CHECK_STR(fault_in(SITE "    shared: [a, b, a/]\n"),
	    AT("4:20") "sites[0].shared[2]: 'a' and 'a' are the same or lie "
		       "inside each other; name only the outer one");
	CHECK_STR(fault_in(SITE "    shared: [a, a/b]\n"),
	    AT("4:17") "sites[0].shared[1]: 'a' and 'a/b' are the same or lie "
		       "inside each other; name only the outer one");
	CHECK_STR(fault_in(SITE "    shared: [a/b, a]\n"),
	    AT("4:19") "sites[0].shared[1]: 'a/b' and 'a' are the same or lie "
		       "inside each other; name only the outer one");
	CHECK_STR(fault_in(SITE "    shared: [a/b, a/bc, ab]\n"), "");
}

/* ---- hosts ------------------------------------------------------------- */

/* A root that hosts take is a path there; one of this machine is not. */
static void
test_roots_of_hosts(void)
{
	static const struct {
		const char *root, *host, *at; /* where it is wrong, or NULL */
	} cases[] = {
		{ "/srv/x", "{address: x}", NULL },
		{ "~/x", "{address: x}", "3:11: sites[0].root: '~/x'" },
		{ "\"~\"", "{address: x}", "3:11: sites[0].root: '~'" },
		{ "www", "{address: x}", "3:11: sites[0].root: 'www'" },
		{ "./x", "{address: x}", "3:11: sites[0].root: './x'" },
		{ "../x", "{address: x}", "3:11: sites[0].root: '../x'" },
		{ "www", "{address: x, transport: rsync}",
		    "3:11: sites[0].root: 'www'" },
		{ "~/x", "{address: x, transport: local}", NULL },
		{ "www", "{address: x, transport: local}", NULL },
		{ "www", "{address: x, root: /srv/x}", NULL },
		{ "www", "{address: x, root: y}",
		    "5:28: sites[0].hosts[0].root: 'y'" },
		{ "/w", "{address: x, root: ~/y}",
		    "5:28: sites[0].hosts[0].root: '~/y'" },
		{ "/w", "{address: x, root: y, transport: local}", NULL },
		{ "www",
		    "{address: x, root: /y}\n      - {address: z, "
		    "transport: local}",
		    NULL },
		{ "www", "{address: x, root: /y}\n      - {address: z}",
		    "3:11: sites[0].root: 'www'" },
	};

	setenv("HOME", "/home/me", 1);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf text = BUF_INIT, want = BUF_INIT;

		if (cases[i].at != NULL)
			buf_addf(&want,
			    "deploy.yml:%s: a root on hosts is an absolute "
			    "path there, such as /srv/www/example.org",
			    cases[i].at);
		buf_addf(&text,
		    "sites:\n  - name: a\n    root: %s\n    hosts:\n      "
		    "- %s\n",
		    cases[i].root, cases[i].host);
		CHECK_STR(fault_in_buf(&text), buf_str(&want));
		buf_release(&want);
	}
}

/* A site with one host more, which begins in line 5, column 7. */
#define PRINT "SHA256:uNiVztksCsDhcc0u9e8BrQXVUpKZIDTMczCvj3tD2Ok"
#define HOST(keys) SITE "    hosts:\n      - " keys "\n"

static void
test_host_defaults(void)
{
	const struct host_config *h;
	struct config c;

	REQUIRE(parse(&c, HOST("address: www1")) == 0);
	REQUIRE(c.sites[0].n_hosts == 1);
	h = &c.sites[0].hosts[0];
	CHECK_STR(h->label, "www1");
	CHECK_STR(h->address, "www1");
	CHECK_STR(h->user, NULL);
	CHECK(h->port == 0);
	CHECK_STR(h->root, "/a");
	CHECK_STR(h->identity, NULL);
	CHECK_STR(h->host_key, NULL);
	CHECK_STR(h->jump, NULL);
	CHECK(h->transport == HOST_SSH);
	CHECK_STR(h->deploy, NULL);
	config_release(&c);
}

/* Hosts that are written alike are called by what tells them apart. */
static void
test_labels(void)
{
	static const struct {
		const char *hosts[3], *labels[3];
	} cases[] = {
		{ { "address: a", "address: b" }, { "a", "b" } },
		{ { "{address: a, port: 1}", "{address: a, port: 2}" },
		    { "a:1", "a:2" } },
		{ { "address: a", "{address: a, port: 2}" }, { "a", "a:2" } },
		{ { "{address: a, port: 1}", "{address: b, port: 2}" },
		    { "a", "b" } },
		{ { "address: \"a:1\"", "address: \"a:2\"" },
		    { "a:1", "a:2" } },
		{ { "{address: \"::1\", port: 1}",
		      "{address: \"::1\", port: 2}" },
		    { "[::1]:1", "[::1]:2" } },
		{ { "{address: \"[::1]\", port: 1}",
		      "{address: \"[::1]\", port: 2}" },
		    { "[::1]:1", "[::1]:2" } },
		{ { "{address: u@a, port: 1}", "{address: u@a, port: 2}" },
		    { "u@a:1", "u@a:2" } },
		{ { "{address: a, user: x}", "{address: a, user: y}" },
		    { "x@a", "y@a" } },
		{ { "address: a", "{address: a, user: y}" }, { "a", "y@a" } },
		{ { "address: a", "{address: a, root: /b}" },
		    { "a:/a", "a:/b" } },
		{ { "{address: a, port: 1}", "{address: a, port: 2}",
		      "{address: a, port: 2, root: /b}" },
		    { "a:1", "a:2:/a", "a:2:/b" } },
		{ { "{address: a, port: 1}", "{address: a, port: 2}",
		      "{address: a, port: 2, user: u}" },
		    { "a:1", "a:2", "u@a:2" } },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf text = BUF_INIT;
		struct config c;
		size_t n = cases[i].hosts[2] != NULL ? 3 : 2;

		buf_adds(&text, SITE "    hosts:\n");
		for (size_t k = 0; k < n; k++)
			buf_addf(&text, "      - %s\n", cases[i].hosts[k]);
		if (CHECK(parse(&c, buf_str(&text)) == 0))
			for (size_t k = 0; k < n; k++)
				CHECK_STR(c.sites[0].hosts[k].label,
				    cases[i].labels[k]);
		config_release(&c);
		buf_release(&text);
	}
}

static void
test_every_key_of_a_host(void)
{
	const struct host_config *h;
	struct config c;

	REQUIRE(
	    parse(&c,
		HOST("{address: me@www1, root: /b/, port: 2222, identity: "
		     "key, host_key: \"" PRINT "\", jump: gate, transport: "
		     "rsync, deploy: none, x-rack: 3}")) == 0);
	h = &c.sites[0].hosts[0];
	CHECK_STR(h->label, "me@www1");
	CHECK_STR(h->address, "www1");
	CHECK_STR(h->user, "me");
	CHECK(h->port == 2222);
	CHECK_STR(h->root, "/b");
	CHECK_STR(h->identity, "/home/me/project/key");
	CHECK_STR(h->host_key, PRINT);
	CHECK_STR(h->jump, "gate");
	CHECK(h->transport == HOST_RSYNC);
	CHECK_STR(h->deploy, "none");
	CHECK_STR(c.sites[0].root, "/a");
	config_release(&c);
}

/* What is compared later, when it would be told as a key that has changed. */
static void
test_fingerprints(void)
{
	static const char *const good[] = { PRINT, PRINT "=" };
	static const char *const bad[] = { "SHA256:", "SHA256:x", PRINT "x",
		PRINT "==", "uNiVztksCsDhcc0u9e8BrQXVUpKZIDTMczCvj3tD2Ok",
		"sha256:uNiVztksCsDhcc0u9e8BrQXVUpKZIDTMczCvj3tD2Ok",
		"MD5:95:6d:1a:54:6c:28:0e:42:d6:20:25:3a:88:ee:e3:28",
		"256 " PRINT " me@here (ED25519)", PRINT " " PRINT,
		"ssh-ed25519 AAAA", "known_hosts" };

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct buf text = BUF_INIT;

		buf_addf(&text, HOST("{address: x, host_key: \"%s\"}"),
		    good[i]);
		CHECK_STR(fault_in_buf(&text), "");
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct buf text = BUF_INIT;
		const char *fault;

		buf_addf(&text, HOST("{address: x, host_key: \"%s\"}"),
		    bad[i]);
		fault = fault_in_buf(&text);
		if (!CHECK(strstr(fault, "is not a fingerprint of a key") !=
			NULL))
			CHECK_STR(fault, bad[i]);
	}
}

static void
test_host_addresses(void)
{
	static const char *const bad[] = { "-oProxyCommand=x", "me@-x",
		"-me@x", "\"@x\"", "me@", "\"@\"" };
	struct config c;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct buf text = BUF_INIT;

		buf_addf(&text, HOST("address: %s"), bad[i]);
		CHECK(
		    strstr(fault_in_buf(&text),
			"' is not an address; 'host' or 'user@host:22' is") !=
		    NULL);
	}
	CHECK_STR(fault_in(HOST("address: me@")),
	    AT("5:18") "sites[0].hosts[0].address: 'me@' is not an address; "
		       "'host' or 'user@host:22' is");
	CHECK_STR(fault_in(HOST("{address: x, user: -me}")),
	    AT("5:19") "sites[0].hosts[0].address: 'x' is not an address; 'host' "
		       "or 'user@host:22' is");
	CHECK_STR(fault_in(HOST("root: /b")),
	    AT("5:9") "sites[0].hosts[0].address: this key is missing; "
		      "wanted: a string");
	/* The last @ counts, and the key `user` before what stands there. */
	REQUIRE(parse(&c, HOST("address: me@example.org@x")) == 0);
	CHECK_STR(c.sites[0].hosts[0].user, "me@example.org");
	CHECK_STR(c.sites[0].hosts[0].address, "x");
	config_release(&c);
	REQUIRE(parse(&c, HOST("{address: me@x, user: you}")) == 0);
	CHECK_STR(c.sites[0].hosts[0].user, "you");
	CHECK_STR(c.sites[0].hosts[0].address, "x");
	config_release(&c);
}

/* Every way that people write where a host is. */
static void
test_addresses_as_people_write_them(void)
{
	static const struct {
		const char *text, *user, *address;
		unsigned int port;
	} good[] = {
		{ "www1", NULL, "www1", 0 },
		{ "me@www1", "me", "www1", 0 },
		{ "www1:2222", NULL, "www1", 2222 },
		{ "me@www1:2222", "me", "www1", 2222 },
		{ "127.0.0.1:22", NULL, "127.0.0.1", 22 },
		{ "::1", NULL, "::1", 0 },
		{ "me@::1", "me", "::1", 0 },
		{ "2001:db8::1:2222", NULL, "2001:db8::1:2222", 0 },
		{ "fe80::1%eth0", NULL, "fe80::1%eth0", 0 },
		{ "::ffff:192.0.2.1", NULL, "::ffff:192.0.2.1", 0 },
		{ "[::1]", NULL, "::1", 0 },
		{ "[::1]:2222", NULL, "::1", 2222 },
		{ "me@[::1]", "me", "::1", 0 },
		{ "me@[fe80::1%eth0]:65535", "me", "fe80::1%eth0", 65535 },
		{ "[www1]:2222", NULL, "www1", 2222 },
		{ "ssh://www1", NULL, "www1", 0 },
		{ "ssh://www1/", NULL, "www1", 0 },
		{ "ssh://me@www1:2222", "me", "www1", 2222 },
		{ "ssh://me@www1:2222/", "me", "www1", 2222 },
		{ "ssh://me@[::1]:2222", "me", "::1", 2222 },
		{ "ssh://dom%5cm%65@www1:1", "dom\\me", "www1", 1 },
		{ "m%65@www1", "m%65", "www1", 0 },
		{ "me@example.org@www1:1", "me@example.org", "www1", 1 },
	};
	static const struct {
		const char *text, *what;
	} bad[] = {
		{ "www1:", "'' is not a port" },
		{ "www1:0", "'0' is not a port" },
		{ "www1:65536", "'65536' is not a port" },
		{ "www1:ssh", "'ssh' is not a port" },
		{ "www1:22x", "'22x' is not a port" },
		{ "me@www1:-1", "'-1' is not a port" },
		{ "www1:22:23", "'22:23' is not a port" },
		{ "1:2:3", "'2:3' is not a port" },
		{ "[::1]2222", "'2222' is not a port" },
		{ "[::1]:", "'' is not a port" },
		{ "www1:srv", "port as port: 2222" },
		{ "www1:srv", "a path as root:" },
		{ "www1:/srv/x", "the path as root:" },
		{ "me@www1:/srv/x", "the path as root:" },
		{ "me@www1:/srv/a@b", "the path as root:" },
		{ "me@www1:srv/x", "the path as root:" },
		{ "me@www1:~/x", "the path as root:" },
		{ "[::1]:/srv/x", "the path as root:" },
		{ "ssh://me@www1/srv/x", "the path as root:" },
		{ "ssh://me@www1:22/srv/x", "the path as root:" },
		{ "ssh://www1/~/x", "the path as root:" },
		{ "https://www1/", "is not an address" },
		{ "sftp://me@www1:22/srv/x", "is not an address" },
		{ "[::1", "is not an address" },
		{ "[]", "is not an address" },
		{ "ssh://", "is not an address" },
		{ "ssh://-x", "is not an address" },
		{ "ssh://me%@www1", "is not an address" },
		{ "ssh://me%4@www1", "is not an address" },
		{ "ssh://me%g1@www1", "is not an address" },
		{ "ssh://me%00@www1", "is not an address" },
		{ "ssh://%2doProxyCommand@www1", "is not an address" },
		{ "ssh://@www1", "is not an address" },
		{ "[-oProxyCommand=x]", "is not an address" },
		{ ":22", "is not an address" },
		{ "www1, www2", "as a list: [www1, www2]" },
		{ "www1,www2", "as a list: [www1, www2]" },
		{ "www1 www2", "as a list: [www1, www2]" },
		{ " www1", "is not one address" },
		{ "www1;x", "is not one address" },
		{ "me@www1:22, me@www2", "is not one address" },
		{ "www1:22,me@www2", "is not one address" },
		{ "www1/srv/x", "the path as root:" },
		{ "me@127.0.0.1/32", "has a path in it" },
		{ "me@[::1/128]:22", "has a path in it" },
		{ "127.0.0.1#2222", "is not an address" },
		{ "www?", "is not an address" },
		{ "*", "is not an address" },
		{ "me@!www1", "is not an address" },
		{ "www[12]", "is not an address" },
		{ "me@EXAMPLE\\\\www1", "is not an address" },
		{ "www1:/srv/a@b", "the path as root:" },
		{ "me:s3cret@www1:22", "'www1:22' has a password" },
		{ "ssh://me:s3cret@www1/", "'www1/' has a password" },
		{ "ssh://me:@www1", "'www1' has a password" },
	};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct buf text = BUF_INIT;
		struct config c;

		buf_addf(&text, HOST("address: \"%s\""), good[i].text);
		if (CHECK(parse(&c, buf_str(&text)) == 0)) {
			const struct host_config *h = &c.sites[0].hosts[0];

			CHECK_STR(h->label, good[i].text);
			CHECK_STR(h->user, good[i].user);
			CHECK_STR(h->address, good[i].address);
			CHECK(h->port == good[i].port);
		}
		config_release(&c);
		buf_release(&text);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct buf text = BUF_INIT;
		const char *fault;

		buf_addf(&text, HOST("address: \"%s\""), bad[i].text);
		fault = fault_in_buf(&text);
		CHECK(strstr(fault,
			  AT("5:18") "sites[0].hosts[0].address: '") == fault);
		if (!CHECK(strstr(fault, bad[i].what) != NULL))
			CHECK_STR(fault, bad[i].what);
		CHECK(strstr(fault, "s3cret") == NULL);
	}
	/* The port may be said twice, but only one. */
	CHECK_STR(fault_in(HOST("{address: \"x:23\", port: 23}")), "");
	CHECK_STR(fault_in(HOST("{address: \"x:23\", port: 24}")),
	    AT("5:19") "sites[0].hosts[0].address: 'x:23' has another port "
		       "than port: 24; leave one of them out");
	/* One place in two spellings. */
	CHECK_STR(fault_in(SITE "    hosts: [{address: x, port: 23}, "
				"{address: \"ssh://x:23\"}]\n"),
	    AT("4:47") "sites[0].hosts[1].address: 'ssh://x:23' is there "
		       "twice");
	CHECK_STR(fault_in(SITE "    hosts: [{address: \"x:22\"}, "
				"{address: \"x:23\"}]\n"),
	    "");
}

static void
test_host_transports(void)
{
	struct config c;

	REQUIRE(parse(&c, HOST("{address: x, transport: ssh}")) == 0);
	CHECK(c.sites[0].hosts[0].transport == HOST_SSH);
	config_release(&c);
	REQUIRE(parse(&c, HOST("{address: x, transport: local}")) == 0);
	CHECK(c.sites[0].hosts[0].transport == HOST_LOCAL);
	config_release(&c);
	CHECK_STR(fault_in(HOST("{address: x, transport: SSH}")),
	    AT("5:33") "sites[0].hosts[0].transport: 'SSH' is none of: ssh, "
		       "rsync, local");
	CHECK_STR(fault_in(HOST("{address: x, transport: 1}")),
	    AT("5:33") "sites[0].hosts[0].transport: '1' is none of: ssh, "
		       "rsync, local");
	CHECK_STR(fault_in(HOST("{address: x, transport: }")),
	    AT("5:33") "sites[0].hosts[0].transport: no value; wanted: a "
		       "word");
}

static void
test_host_ports(void)
{
	CHECK_STR(fault_in(HOST("{address: x, port: 1}")), "");
	CHECK_STR(fault_in(HOST("{address: x, port: 65535}")), "");
	CHECK_STR(fault_in(HOST("{address: x, port: 0}")),
	    AT("5:28") "sites[0].hosts[0].port: 0 is not a port; use 1 to 65535");
	CHECK_STR(fault_in(HOST("{address: x, port: 65536}")),
	    AT("5:28") "sites[0].hosts[0].port: 65536 is not a port; use 1 "
		       "to 65535");
	CHECK(strstr(fault_in(HOST("{address: x, port: ssh}")),
		  "'ssh' is not a whole number") != NULL);
}

static void
test_hosts_are_distinct(void)
{
	CHECK_STR(fault_in(SITE "    hosts: [{address: x}, {address: y}]\n"),
	    "");
	CHECK_STR(fault_in(SITE "    hosts: [{address: x}, {address: x}]\n"),
	    AT("4:37") "sites[0].hosts[1].address: 'x' is there twice");
	CHECK_STR(fault_in(SITE "    hosts: [{address: x}, {address: x, "
				"root: /a}]\n"),
	    AT("4:37") "sites[0].hosts[1].address: 'x' is there twice");
	/* Another port or another root is another place. */
	CHECK_STR(fault_in(SITE "    hosts: [{address: x}, {address: x, "
				"port: 23}, {address: x, root: /b}]\n"),
	    "");
	/* Sites that are elsewhere may have one root. */
	CHECK_STR(fault_in(HOST("address: x") "  - name: b\n    root: /a\n"),
	    "");
	CHECK_STR(fault_in(HOST("{address: x, root: /}")),
	    AT("5:28") "sites[0].hosts[0].root: '/' cannot be a root; give "
		       "the site a directory, such as /srv/www/example.org");
}

/* ---- syntax ------------------------------------------------------------ */

#define EMPTY \
	"the file is empty; describe a site: 'sites: [{name: example.org, " \
	"root: /srv/www/example.org}]'"

static void
test_empty_files(void)
{
	CHECK_STR(fault_in(""), AT("1:1") EMPTY);
	CHECK_STR(fault_in("\n\n"), AT("1:1") EMPTY);
	CHECK_STR(fault_in("\xef\xbb\xbf"), AT("1:1") EMPTY);
	CHECK_STR(fault_in("# nothing yet\n"), AT("1:1") EMPTY);
	CHECK_STR(fault_in("---\n"), AT("2:1") EMPTY);
	CHECK_STR(fault_in("null\n"), AT("1:1") EMPTY);
}

static void
test_several_documents(void)
{
	CHECK_STR(fault_in(SITE "---\n" SITE),
	    AT("4:1") "a second document begins here; write everything in "
		      "one, without '---' between");
	CHECK_STR(fault_in("---\n---\n"),
	    AT("2:1") "a second document begins here; write everything in "
		      "one, without '---' between");
}

#define START \
	"; indent with spaces, not with tabs, and quote a value that begins " \
	"with '@', '`' or '%'"

static void
test_syntax_errors(void)
{
	CHECK_STR(fault_in("sites:\n\t- name: a\n"),
	    AT("2:1") "found character that cannot start any token (while "
		      "scanning for the next token from line 2 on)" START);
	CHECK_STR(fault_in("sites:\n  - name: a\n\troot: /a\n"),
	    AT("3:1") "found a tab character that violates indentation (while "
		      "scanning a plain scalar from line 2 on); "
		      "indent with spaces, not with tabs");
	CHECK_STR(fault_in(SITE "    exclude: [*.map]\n"),
	    AT("4:16") "did not find expected alphabetic or numeric character "
		       "(while scanning an alias from line 4 on); "
		       "quote a value that begins with '*' or '&'");
	CHECK_STR(fault_in(SITE "    source: @x\n"),
	    AT("4:13") "found character that cannot start any token (while "
		       "scanning for the next token from line 4 on)" START);
	CHECK_STR(fault_in("sites:\n  - name: a: b\n"),
	    AT("2:12") "mapping values are not allowed in this context; quote "
		       "a value that contains ': ', and line up keys that "
		       "belong together");
	CHECK_STR(fault_in("sites: [{name: a, root: /a}\n"),
	    AT("2:1") "did not find expected ',' or ']' (while parsing a flow "
		      "sequence from line 1 on)");
	CHECK_STR(fault_in("sites: \"a\n"),
	    AT("2:1") "found unexpected end of stream (while scanning a "
		      "quoted scalar from line 1 on)");
}

static void
test_not_text(void)
{
	static const char nul[] = "sites:\n  - name: a\0b\n";
	struct config c;

	CHECK(parse_bytes(&c, nul, sizeof(nul) - 1) == -1);
	CHECK_STR(last.text,
	    AT("2:12") "a NUL byte; the file must be text in UTF-8");
	CHECK(parse_bytes(&c, "\xff\xfes\0:\0", 6) == -1);
	CHECK_STR(last.text,
	    AT("1:4") "a NUL byte; the file must be text in UTF-8");
	CHECK_STR(fault_in("sites:\n  - name: \u00e9\xff\n"),
	    AT("2:12") "invalid leading UTF-8 octet; the file must be text in "
		       "UTF-8");
	CHECK_STR(fault_in("sites:\n  - name: a\x1b[31m\n"),
	    AT("2:12") "control characters are not allowed; the file must be "
		       "text in UTF-8");
	/* The length counts, not a NUL behind it. */
	CHECK(parse_bytes(&c, SITE "    keep: 33", strlen(SITE) + 11) == 0);
	CHECK(c.sites[0].keep == 3);
	config_release(&c);
}

/* ---- what is too much -------------------------------------------------- */

#define NO_ALIASES \
	"anchors (&) and aliases (*) are not supported; write the value " \
	"out, or quote one that begins with '*' or '&'"

static void
test_aliases(void)
{
	CHECK_STR(fault_in("x-k: &k 3\n" SITE "    keep: *k\n"),
	    AT("1:6") NO_ALIASES);
	CHECK_STR(fault_in("x-k: &k [3]\n" SITE), AT("1:6") NO_ALIASES);
	CHECK_STR(fault_in(SITE "    carry: &c {paths: [a]}\n"),
	    AT("4:12") NO_ALIASES);
	CHECK_STR(fault_in("&top\nsites: *top\n"), AT("1:1") NO_ALIASES);
	CHECK_STR(fault_in(SITE "    exclude: [*map]\n"),
	    AT("4:15") NO_ALIASES);
	CHECK_STR(fault_in(SITE "    *k : 1\n"), AT("4:5") NO_ALIASES);
}

static void
test_nesting(void)
{
	struct buf text = BUF_INIT;

	buf_adds(&text, SITE "x-a: ");
	for (int i = 0; i < 63; i++)
		buf_addc(&text, '[');
	for (int i = 0; i < 63; i++)
		buf_addc(&text, ']');
	CHECK_STR(fault_in_buf(&text), "");
	buf_adds(&text, SITE "x-a: ");
	for (int i = 0; i < 100000; i++)
		buf_addc(&text, '[');
	CHECK_STR(fault_in_buf(&text),
	    AT("4:69") "lists and mappings are nested deeper than 64");
}

static void
test_limits(void)
{
	struct buf text = BUF_INIT;

	buf_adds(&text, SITE "#");
	while (text.len < 1024 * 1024)
		buf_addc(&text, 'x');
	CHECK_STR(fault_in(buf_str(&text)), "");
	buf_addc(&text, 'x');
	CHECK_STR(fault_in_buf(&text),
	    AT("1:1") "the file is longer than the limit of 1048576 bytes");
	buf_adds(&text, SITE "    exclude: [");
	for (int i = 0; i < 1001; i++)
		buf_addf(&text, "%da, ", i);
	buf_adds(&text, "]\n");
	CHECK_STR(fault_in_buf(&text),
	    AT("4:14") "sites[0].exclude: 1001 entries; at most 1000 are "
		       "allowed");
	buf_adds(&text, "sites: [");
	for (int i = 0; i < 100000; i++)
		buf_adds(&text, "a,");
	buf_adds(&text, "]\n");
	CHECK_STR(fault_in_buf(&text),
	    AT("1:8") "sites: 100000 entries; at most 1000 are allowed");
}

static void
test_long_values_are_cut(void)
{
	struct buf text = BUF_INIT;
	const char *fault;

	buf_adds(&text, SITE "    keep: \"");
	for (int i = 0; i < 5000; i++)
		buf_adds(&text, "\u4e2d");
	buf_adds(&text, "\"\n");
	fault = fault_in_buf(&text);
	CHECK(strncmp(fault, AT("4:11") "sites[0].keep: '", 33) == 0);
	CHECK(strcmp(fault + strlen(fault) - 3, "...") == 0);
}

/* ---- sites, and words that are near ------------------------------------ */

static void
test_site_by_name(void)
{
	const struct site_config *s;
	struct err e = ERR_INIT;
	struct config c;

	REQUIRE(parse(&c, SITE) == 0);
	s = config_site(&c, NULL, &e);
	CHECK(s == &c.sites[0]);
	CHECK(config_site(&c, "a", &e) == s);
	CHECK(config_site(&c, "other", &e) == NULL);
	CHECK(e.code == ERR_USAGE);
	CHECK_STR(e.text, "no site 'other' in deploy.yml; there is a");
	config_release(&c);
	REQUIRE(parse(&c,
		    "sites: [{name: example.org, root: /a}, {name: "
		    "blog.example.org, root: /b}]") == 0);
	CHECK(config_site(&c, "blog.example.org", &e) == &c.sites[1]);
	CHECK(config_site(&c, NULL, &e) == NULL);
	CHECK_STR(e.text,
	    "deploy.yml has several sites; choose one with -s: example.org, "
	    "blog.example.org");
	CHECK(config_site(&c, "exmaple.org", &e) == NULL);
	CHECK_STR(e.text,
	    "no site 'exmaple.org' in deploy.yml; did you mean "
	    "'example.org'?");
	CHECK(config_site(&c, "\x80\x80\x80\xff", &e) == NULL);
	config_release(&c);
	CHECK(config_site(&c, NULL, &e) == NULL);
	CHECK(e.code == ERR_USAGE);
	CHECK_STR(e.text,
	    "no deploy.yml here or in a parent directory; name one with -c, "
	    "or a root with --root");
}

static void
test_site_config_init(void)
{
	struct site_config s;

	site_config_init(&s);
	CHECK(s.name == NULL && s.root == NULL && s.keep == 5);
	CHECK(s.rules.carry_for == 7 * 86400 && s.rules.max_delete == 50);
	site_config_release(&s);
	site_config_release(&s);
}

/* ---- the file ---------------------------------------------------------- */

static char *home;	   /* of this program */
static char top[PATH_MAX]; /* of the test that runs */

static void
write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	if (!CHECK(f != NULL))
		return;
	CHECK(fputs(text, f) >= 0);
	CHECK(fclose(f) == 0);
}

/* Go to a new directory with a subdirectory a/b. */
static bool
enter_scratch(void)
{
	char made[] = "/tmp/deploy-config.XXXXXX";

	unsetenv("DEPLOY_CONFIG");
	last = (struct err)ERR_INIT;
	home = getcwd(NULL, 0);
	return home != NULL && mkdtemp(made) != NULL &&
	    realpath(made, top) != NULL && chdir(top) == 0 &&
	    mkdir("a", 0755) == 0 && mkdir("a/b", 0755) == 0;
}

/* Go back and remove what the tests below make. */
static void
leave_scratch(void)
{
	static const char *const made[] = { "a/b/deploy.yml", "a/deploy.yml",
		"deploy.yml", "other.yml", "a/b", "a", "link" };

	CHECK(chdir(top) == 0);
	for (size_t i = 0; i < sizeof(made) / sizeof(made[0]); i++)
		remove(made[i]);
	CHECK(chdir(home) == 0);
	CHECK(rmdir(top) == 0);
	free(home);
	unsetenv("DEPLOY_CONFIG");
}

/* Load; the path and the source of the first site, or the message. */
static const char *
load(const char *file)
{
	static char out[2 * PATH_MAX];
	struct config c;

	if (config_load(&c, file, &last) != 0) {
		CHECK(c.n == 0 && c.path == NULL);
		return last.text;
	}
	if (c.path == NULL)
		return "none";
	snprintf(out, sizeof(out), "%s %s", c.path, c.sites[0].source);
	config_release(&c);
	return out;
}

/* The text with "@" replaced by the scratch directory. */
static const char *
in_top(const char *text)
{
	static char out[2 * PATH_MAX];
	size_t len = strcspn(text, "@"), n;

	n = (size_t)snprintf(out, sizeof(out), "%.*s", (int)len, text);
	for (text += len; *text == '@'; text += len) {
		len = strcspn(++text, "@");
		n += (size_t)snprintf(out + n, sizeof(out) - n, "%s%.*s", top,
		    (int)len, text);
	}
	return out;
}

#define FROM(source) "sites: [{name: a, root: /a, source: " source "}]\n"

static void
test_search(void)
{
	REQUIRE(enter_scratch());
	CHECK_STR(load(NULL), "none");
	write_file("deploy.yml", FROM("p"));
	CHECK_STR(load(NULL), in_top("deploy.yml @/p"));
	CHECK(chdir("a/b") == 0);
	CHECK_STR(load(NULL), in_top("@/deploy.yml @/p"));
	write_file("../deploy.yml", FROM("q"));
	CHECK_STR(load(NULL), in_top("@/a/deploy.yml @/a/q"));
	/* A directory of that name is none; a link to nowhere is one. */
	CHECK(mkdir("deploy.yml", 0755) == 0);
	CHECK_STR(load(NULL), in_top("@/a/deploy.yml @/a/q"));
	CHECK(rmdir("deploy.yml") == 0);
	CHECK(symlink("nowhere", "deploy.yml") == 0);
	CHECK_STR(load(NULL),
	    "cannot read the configuration 'deploy.yml': No such file or "
	    "directory; mend or remove it");
	CHECK(last.code == ERR_USAGE);
	leave_scratch();
}

/* Which of the two names is taken, in the nearest directory that has one. */
static void
test_both_names(void)
{
	static const struct {
		const char *const files[3]; /* sources: a, b, ... */
		const char *want;
	} cases[] = {
		{ { "deploy.yaml" }, "@/deploy.yaml @/a" },
		{ { "deploy.yml" }, "@/deploy.yml @/a" },
		{ { "deploy.yaml", "deploy.yml" }, "@/deploy.yml @/b" },
		{ { "deploy.yml", "deploy.yaml" }, "@/deploy.yml @/a" },
		{ { "a/deploy.yaml" }, "@/a/deploy.yaml @/a/a" },
		{ { "deploy.yml", "a/deploy.yaml" }, "@/a/deploy.yaml @/a/b" },
		{ { "deploy.yaml", "a/deploy.yml" }, "@/a/deploy.yml @/a/b" },
		{ { "a/deploy.yaml", "deploy.yml", "a/deploy.yml" },
		    "@/a/deploy.yml @/a/c" },
		{ { "a/b/deploy.yaml" }, "deploy.yaml @/a/b/a" },
		{ { "deploy.yml", "a/b/deploy.yaml" }, "deploy.yaml @/a/b/b" },
		{ { "a/b/deploy.yml", "a/b/deploy.yaml" },
		    "deploy.yml @/a/b/a" },
		{ { "deploy.YML", "Deploy.yaml", "deploy" }, "none" },
	};

	REQUIRE(enter_scratch());
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (size_t k = 0; k < 3 && cases[i].files[k] != NULL; k++) {
			char text[] = FROM("?");

			*strchr(text, '?') = (char)('a' + (char)k);
			write_file(cases[i].files[k], text);
		}
		CHECK(chdir("a/b") == 0);
		CHECK_STR(load(NULL), in_top(cases[i].want));
		CHECK(chdir(top) == 0);
		for (size_t k = 0; k < 3 && cases[i].files[k] != NULL; k++)
			CHECK(remove(cases[i].files[k]) == 0);
	}
	leave_scratch();
}

static void
test_named_file(void)
{
	REQUIRE(enter_scratch());
	write_file("deploy.yml", FROM("p"));
	write_file("a/deploy.yml", FROM("../q"));
	write_file("other.yml", "sites: 3\n");
	CHECK_STR(load("a/deploy.yml"), in_top("a/deploy.yml @/q"));
	CHECK_STR(load("other.yml"),
	    "other.yml:1:8: sites: a single value; wanted: a list of mappings "
	    "(each begins with '- ')");
	CHECK_STR(load("none.yml"),
	    "cannot read the configuration 'none.yml': No such file or "
	    "directory; check the name after -c");
	CHECK(last.code == ERR_USAGE);
	CHECK_STR(load("a"),
	    "cannot read the configuration 'a': Is a directory; check the "
	    "name after -c");
	CHECK_STR(load(""),
	    "cannot read the configuration '': No such file or directory; "
	    "check the name after -c");
	/* The directory counts as it is, not as it was reached. */
	CHECK(symlink("a", "link") == 0);
	CHECK_STR(load("link/deploy.yml"), in_top("link/deploy.yml @/q"));
	leave_scratch();
}

static void
test_environment(void)
{
	REQUIRE(enter_scratch());
	write_file("deploy.yml", FROM("p"));
	write_file("a/deploy.yml", FROM("q"));
	setenv("DEPLOY_CONFIG", "a/deploy.yml", 1);
	CHECK_STR(load(NULL), in_top("a/deploy.yml @/a/q"));
	CHECK_STR(load("deploy.yml"), in_top("deploy.yml @/p"));
	setenv("DEPLOY_CONFIG", "", 1);
	CHECK_STR(load(NULL), in_top("deploy.yml @/p"));
	setenv("DEPLOY_CONFIG", "none.yml", 1);
	CHECK_STR(load(NULL),
	    "cannot read the configuration 'none.yml': No such file or "
	    "directory; check $DEPLOY_CONFIG");
	leave_scratch();
}

static void
test_unreadable_file(void)
{
	REQUIRE(enter_scratch());
	write_file("deploy.yml", FROM("p"));
	CHECK(chmod("deploy.yml", 0) == 0);
	/* root reads everything */
	if (access("deploy.yml", R_OK) != 0) {
		CHECK_STR(load(NULL),
		    "cannot read the configuration 'deploy.yml': Permission "
		    "denied; mend or remove it");
		CHECK(last.code == ERR_USAGE);
	}
	leave_scratch();
}

static void
test_long_file(void)
{
	struct buf text = BUF_INIT;

	REQUIRE(enter_scratch());
	for (int i = 0; i < 200000; i++)
		buf_adds(&text, "# long\n");
	write_file("deploy.yml", buf_str(&text));
	buf_release(&text);
	CHECK_STR(load(NULL),
	    "deploy.yml:1:1: the file is longer than the limit of 1048576 "
	    "bytes");
	leave_scratch();
}

/* What `deploy config` calls a default is one. */
static void
test_defaults_in_words(void)
{
	static const struct {
		const char *key;
		int64_t value;
	} t[] = {
		{ "sites.keep", CONFIG_KEEP },
		{ "sites.settle", 0 },
		{ "sites.lock_wait", CONFIG_LOCK_WAIT },
		{ "sites.timeout", CONFIG_TIMEOUT },
		{ "sites.build.timeout", CONFIG_BUILD_TIMEOUT },
		{ "sites.batch", 1 },
		{ "sites.pause", 0 },
		{ "sites.carry.for", RULES_CARRY_FOR },
		{ "sites.check.expect", CONFIG_CHECK_STATUS },
		{ "sites.check.sample", CONFIG_CHECK_SAMPLE },
		{ "sites.check.tries", CONFIG_CHECK_TRIES },
		{ "sites.check.wait", CONFIG_CHECK_WAIT },
		{ "sites.check.timeout", CONFIG_CHECK_TIMEOUT },
		{ "sites.check.within", CONFIG_CHECK_WITHIN },
		{ "sites.preview.for", CONFIG_PREVIEW_FOR },
		{ "sites.hooks.timeout", CONFIG_HOOK_TIMEOUT },
		{ "worker.jobs", CONFIG_WORKER_JOBS },
		{ "worker.keep", CONFIG_WORKER_KEEP },
		{ "worker.log_size", CONFIG_WORKER_LOG_SIZE },
		{ "worker.retry", CONFIG_WORKER_RETRY },
		{ "worker.timeout", CONFIG_WORKER_TIMEOUT },
		{ "worker.verify", 0 },
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct err e = ERR_INIT;
		int64_t is = -1;

		CHECK(duration_parse(config_words(t[i].key)->otherwise, &is,
			  &e) == 0);
		CHECK(is == t[i].value);
	}
}

UNIT_MAIN(UNIT(test_defaults), UNIT(test_defaults_in_words),
    UNIT(test_every_key), UNIT(test_strings_stay_strings),
    UNIT(test_unicode_names), UNIT(test_styles_of_yaml),
    UNIT(test_crlf_and_bom), UNIT(test_x_keys), UNIT(test_paths),
    UNIT(test_paths_of_repositories), UNIT(test_no_variables),
    UNIT(test_home_is_needed), UNIT(test_unknown_keys), UNIT(test_check),
    UNIT(test_check_headers), UNIT(test_preview),
    UNIT(test_hooks_and_strategy), UNIT(test_builds),
    UNIT(test_queue_and_worker), UNIT(test_missing_keys), UNIT(test_sizes),
    UNIT(test_duplicate_keys), UNIT(test_keys_are_words),
    UNIT(test_wrong_types), UNIT(test_short_forms),
    UNIT(test_short_forms_in_lists), UNIT(test_no_value), UNIT(test_tags),
    UNIT(test_whole_numbers), UNIT(test_booleans), UNIT(test_percentages),
    UNIT(test_durations), UNIT(test_names), UNIT(test_roots),
    UNIT(test_sites_are_distinct), UNIT(test_patterns),
    UNIT(test_shared_paths), UNIT(test_roots_of_hosts),
    UNIT(test_host_defaults), UNIT(test_every_key_of_a_host),
    UNIT(test_labels), UNIT(test_fingerprints), UNIT(test_host_addresses),
    UNIT(test_addresses_as_people_write_them), UNIT(test_host_transports),
    UNIT(test_host_ports), UNIT(test_hosts_are_distinct),
    UNIT(test_empty_files), UNIT(test_several_documents),
    UNIT(test_syntax_errors), UNIT(test_not_text), UNIT(test_aliases),
    UNIT(test_nesting), UNIT(test_limits), UNIT(test_long_values_are_cut),
    UNIT(test_site_by_name), UNIT(test_site_config_init), UNIT(test_search),
    UNIT(test_both_names), UNIT(test_named_file), UNIT(test_environment),
    UNIT(test_unreadable_file), UNIT(test_long_file))
