/* What the doctor makes of what a host says. */
#include "fleet/doctor.h"

#include <stdlib.h>

#include "base/buf.h"
#include "host/wire.h"
#include "unit.h"

#define ID "20261121T190305.482Z-6f9619ff-8b86-4011-b42d-00c04fc964ff"

static struct doctor_facts facts;
static struct doctor_report report;
static struct doctor_case known;

/* Hear lines "key<TAB>value". */
static void
hear(const char *lines)
{
	char *copy = strdup(lines), *rest = copy, *line;
	struct wire_line l;

	while ((line = strsep(&rest, "\n")) != NULL) {
		wire_split(line, &l);
		doctor_facts_hear(&facts, l.key, l.value);
	}
	free(copy);
}

/* Begin anew, with a host in which everything is in order. */
static void
begin(void)
{
	doctor_facts_release(&facts);
	doctor_report_release(&report);
	known = (struct doctor_case){ .root = "/srv/x",
		.version = "1.0",
		.asked = 1000000,
		.heard = 1000200 };
	hear("version\t1.0\n"
	     "now\t1000100\n"
	     "user\t33\twww\n"
	     "path\tdir\t0\t755\t7\t0\t/\n"
	     "path\tdir\t0\t755\t7\t0\t/srv/\n"
	     "path\tdir\t33\t755\t7\t1\t/srv/x/\n"
	     "path\tlink\t33\t777\t7\t0\t/srv/x/current\n"
	     "path\tdir\t33\t755\t7\t1\t/srv/x/current/\n"
	     "path\tdir\t33\t755\t7\t1\t/srv/x/releases\n"
	     "path\tmissing\t0\t0\t0\t0\t/srv/x/shared\n"
	     "path\tdir\t33\t755\t7\t1\t/srv/x/.deploy\n"
	     "path\tfile\t33\t644\t7\t1\t/srv/x/.deploy/format\n"
	     "path\tfile\t33\t644\t7\t1\t/srv/x/.deploy/lock\n"
	     "path\tdir\t33\t755\t7\t1\t/srv/x/.deploy/incoming\n"
	     "path\tdir\t33\t755\t7\t1\t/srv/x/.deploy/manifests\n"
	     "path\tdir\t33\t755\t7\t1\t/srv/x/.deploy/meta\n"
	     "path\tdir\t33\t755\t7\t1\t/srv/x/.deploy/trash\n"
	     "free\t90000000000\t1000000\n"
	     "format\t1\n"
	     "lock\tfree\n"
	     "trash\t0\n"
	     "current\treleases/" ID "\n"
	     "live\t5000000\t300\n"
	     "nginx\t/etc/nginx/nginx.conf\n");
}

/* The path as it is told now: "dir<TAB>33<TAB>...". */
static void
change(const char *path, const char *line)
{
	struct doctor_facts other = DOCTOR_FACTS_INIT;
	struct buf value = BUF_INIT;
	struct doctor_path swap;

	buf_addf(&value, "%s\t%s", line, path);
	doctor_facts_hear(&other, "path", value.data);
	for (size_t i = 0; i < facts.n_paths; i++)
		if (strcmp(facts.paths[i].path, path) == 0) {
			swap = facts.paths[i];
			facts.paths[i] = other.paths[0];
			other.paths[0] = swap;
		}
	doctor_facts_release(&other);
	buf_release(&value);
}

static struct doctor_finding *
find(const char *what, enum doctor_level level)
{
	for (size_t i = 0; i < report.n; i++)
		if (strcmp(report.v[i].what, what) == 0 &&
		    report.v[i].level == level)
			return &report.v[i];
	return NULL;
}

/*
 * Judge; of what is not in order there must be one finding, with these words
 * in it, in detail or cure.
 */
static void
only(enum doctor_level level, const char *what, const char *words)
{
	const struct doctor_finding *f;
	bool said;

	doctor_report_release(&report);
	doctor_judge(&report, &facts, &known);
	f = find(what, level);
	said = f != NULL &&
	    (strstr(f->detail, words) != NULL ||
		(f->cure != NULL && strstr(f->cure, words) != NULL));
	if (!CHECK(said) ||
	    !CHECK(report.n - doctor_count(&report, DOCTOR_OK) ==
		(level != DOCTOR_OK)))
		for (size_t i = 0; i < report.n; i++)
			printf("# %s %s: %s; %s\n",
			    doctor_level_name(report.v[i].level),
			    report.v[i].what, report.v[i].detail,
			    report.v[i].cure != NULL ? report.v[i].cure : "");
}

static void
test_all_well(void)
{
	begin();
	only(DOCTOR_OK, "current", ID);
	only(DOCTOR_OK, "clock", "0.1 s");
	only(DOCTOR_OK, "deploy", "1.0");
	only(DOCTOR_OK, "space", "5.0 MB");
	only(DOCTOR_OK, "nginx", "/etc/nginx");
	for (size_t i = 0; i < report.n; i++)
		CHECK(report.v[i].cure == NULL);
}

/* Nothing at all, and nonsense: no crash, and no "all well". */
static void
test_nonsense(void)
{
	static const char *const lines[] = { "", "path", "path\t", "path\tdir",
		"path\tdir\t1\t2\t3", "path\tdir\tx\t755\t7\t1\t/",
		"path\tdir\t33\t999\t7\t1\t/srv/x/", "user\t", "user\tx\ty",
		"user\t7", "free\t", "free\t1", "free\tx\ty", "live\t1\t-1",
		"incoming\t", "incoming\tx", "tool\t", "tool", "now\t-5",
		"trash\tmuch", "nginx-line\t",
		"nginx-line\ta:b:open_file_cache",
		"nginx-line\topen_file_cache x", "current\t", "lock\t" };

	doctor_facts_release(&facts);
	known = (struct doctor_case){ .root = "/srv/x", .version = "1.0" };
	doctor_report_release(&report);
	doctor_judge(&report, &facts, &known);
	CHECK(find("root", DOCTOR_FAIL) != NULL);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		hear(lines[i]);
		doctor_report_release(&report);
		doctor_judge(&report, &facts, &known);
		CHECK(find("root", DOCTOR_FAIL) != NULL);
	}
	begin();
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		hear(lines[i]);
	doctor_judge(&report, &facts, &known);
	CHECK(report.n > 0);
}

/* What a host says cannot disturb a terminal. */
static void
test_control_characters(void)
{
	begin();
	hear("lock\tno\x1b[31m such lock");
	only(DOCTOR_FAIL, "lock", "\\x1b[31m");
}

static void
test_clock(void)
{
	begin();
	/* 200 ms between question and answer. */
	hear("now\t1002100");
	only(DOCTOR_OK, "clock", "2.1 s");
	hear("now\t1002300");
	only(DOCTOR_WARN, "clock", "ahead of this machine's by 2.1 s");
	hear("now\t997900");
	only(DOCTOR_WARN, "clock", "behind this machine's by 2.1 s");
	hear("now\t998100");
	only(DOCTOR_OK, "clock", "2.1 s");
	hear("now\t1301000");
	only(DOCTOR_FAIL, "clock", "NTP");
	hear("now\t1");
	only(DOCTOR_FAIL, "clock", "behind");
	/* A slow line: the answer is 10 s old at most. */
	known.heard = 1010000;
	hear("now\t1011500");
	only(DOCTOR_OK, "clock", "agrees");
	hear("now\t998500");
	only(DOCTOR_OK, "clock", "agrees");
	hear("now\t1012500");
	only(DOCTOR_WARN, "clock", "by 2.5 s");
	/* This machine has one clock. */
	known.asked = 0;
	doctor_report_release(&report);
	doctor_judge(&report, &facts, &known);
	CHECK(find("clock", DOCTOR_OK) == NULL);
	CHECK(find("clock", DOCTOR_WARN) == NULL);
}

/* What every host of the sh verbs has, one would think. */
#define USUAL \
	"tool\tcat\t\ntool\tchmod\t\ntool\tcp\t\ntool\tcut\t\n" \
	"tool\tdate\t\ntool\tdf\t\ntool\texpr\t\ntool\tgrep\t\n" \
	"tool\thead\t\ntool\tid\t\ntool\tln\t\ntool\tmkdir\t\n" \
	"tool\tmv\t\ntool\treadlink\t\ntool\trm\t\ntool\trmdir\t\n" \
	"tool\tsed\t\ntool\tsleep\t\ntool\tsort\t\ntool\tsync\t\n" \
	"tool\ttail\t\ntool\ttouch\t\ntool\ttr\t\ntool\twc\t\n" \
	"tool\txargs\t\n"

/* The sh verbs know whole seconds. */
static void
test_clock_of_the_script(void)
{
	begin();
	hear(USUAL "tool\ttar\ttar (GNU tar) 1.34\ntool\tawk\t\ntool\tfind\t\n"
		   "tool\tflock\t\ntool\tsha256sum\t\ntool\tstat\t\n"
		   "tool\ttimeout\t\ntool\tgzip\tgzip 1.12\n");
	hear("version\tsh\nnow\t997500");
	only(DOCTOR_OK, "clock", "agrees");
	hear("now\t997000");
	only(DOCTOR_WARN, "clock", "behind this machine's by 2.0 s");
}

static void
test_programs(void)
{
	begin();
	hear("version\t0.9");
	only(DOCTOR_WARN, "deploy", "version 0.9 there, 1.0 here");
	hear("version\t1.0");
	known.rsync = true;
	only(DOCTOR_FAIL, "rsync", "transport: ssh");
	hear("tool\trsync\trsync  version 3.2.7  protocol version 31");
	only(DOCTOR_OK, "tools", "rsync 3.2.7");
	only(DOCTOR_OK, "tools", ", no Landlock");
	hear("has\tzstd\nhas\tlandlock");
	only(DOCTOR_OK, "tools", "rsync 3.2.7, Landlock");
	known.rsync = false;
	/* Nothing else is needed by the program. */
	hear("version\tsh");
	only(DOCTOR_FAIL, "tools",
	    "there: awk, cat, chmod, cp, cut, date, df, expr, find, ");
	hear(USUAL);
	only(DOCTOR_FAIL, "tools",
	    "there: awk, find, flock, sha256sum, stat, tar, timeout");
	hear("tool\tawk\t\ntool\tfind\tfind (GNU findutils) 4.9.0\n"
	     "tool\tflock\tflock from util-linux 2.38.1\ntool\tsha256sum\t\n"
	     "tool\tstat\t\ntool\ttimeout\t\n");
	only(DOCTOR_FAIL, "tools", "not there: tar");
	hear("tool\ttar\ttar (busybox) 1.35.0");
	only(DOCTOR_WARN, "tools", "uncompressed");
	hear("tool\tzstd\t*** Zstandard CLI (64-bit) v1.5.4, by Yann ***");
	only(DOCTOR_OK, "tools", "tar 1.35.0, zstd 1.5.4, rsync 3.2.7");
	hear("tool\tsh\t/usr/bin/dash");
	only(DOCTOR_OK, "tools", "sh dash, tar");
	/* The same program, asked without a client. */
	known.version = NULL;
	only(DOCTOR_OK, "tools", "sh dash");
	CHECK(find("deploy", DOCTOR_OK) == NULL);
}

static void
test_no_root(void)
{
	begin();
	change("/srv/x/", "missing\t0\t0\t0\t0");
	only(DOCTOR_FAIL, "root", "www cannot make it");
	only(DOCTOR_FAIL, "root", "install -d -o www '/srv/x'");
	change("/srv/", "dir\t33\t755\t7\t1");
	only(DOCTOR_WARN, "root", "run: deploy init");
	change("/srv/", "missing\t0\t0\t0\t0");
	only(DOCTOR_FAIL, "root", "'/srv' is not there");
	change("/srv/", "file\t33\t644\t7\t1");
	only(DOCTOR_FAIL, "root", "'/srv' is not a directory");
	change("/srv/", "dir\t0\t700\t7\t0");
	change("/srv/x/", "denied\t0\t0\t0\t0");
	only(DOCTOR_FAIL, "root", "name a root elsewhere");
}

static void
test_format(void)
{
	begin();
	hear("format\t2");
	only(DOCTOR_FAIL, "root", "format '2'");
	begin();
	change("/srv/x/.deploy/trash", "missing\t0\t0\t0\t0");
	only(DOCTOR_WARN, "root", "run: deploy init");
}

static void
test_current(void)
{
	begin();
	change("/srv/x/current", "dir\t33\t755\t7\t1");
	only(DOCTOR_FAIL, "current", "deploy adopt");
	change("/srv/x/current", "file\t33\t644\t7\t1");
	only(DOCTOR_FAIL, "current", "not a symbolic link");
	change("/srv/x/current", "missing\t0\t0\t0\t0");
	change("/srv/x/current/", "missing\t0\t0\t0\t0");
	only(DOCTOR_OK, "current", "nothing is live");
	begin();
	hear("current\t/srv/x/releases/" ID "//");
	only(DOCTOR_OK, "current", ID);
	hear("current\t../old");
	only(DOCTOR_FAIL, "current", "'../old', which is not a release");
	hear("current\t/srv/y/releases/" ID);
	only(DOCTOR_FAIL, "current", "not a release of this root");
	hear("current\treleases/" ID "x");
	only(DOCTOR_FAIL, "current", "not a release of this root");
	hear("current\treleases/" ID);
	change("/srv/x/current/", "missing\t0\t0\t0\t0");
	only(DOCTOR_FAIL, "current", "which is not there");
}

static void
test_owners(void)
{
	begin();
	change("/srv/x/releases", "dir\t33\t757\t7\t1");
	only(DOCTOR_FAIL, "owner", "chmod o-w '/srv/x/releases'");
	change("/srv/x/releases", "dir\t0\t755\t7\t1");
	only(DOCTOR_OK, "owner", "nobody else");
	change("/srv/x/releases", "dir\t44\t755\t7\t1");
	only(DOCTOR_FAIL, "owner", "belongs to user 44, not to www");
	/* Group members are trusted, and the owner of the root. */
	change("/srv/x/releases", "dir\t33\t2775\t7\t1");
	only(DOCTOR_OK, "owner", "nobody else");
	begin();
	hear("user\t44\tother");
	only(DOCTOR_OK, "owner", "nobody else");
	/* But not by root. */
	hear("user\t0\troot");
	doctor_report_release(&report);
	doctor_judge(&report, &facts, &known);
	/* The whole root is somebody else's: said once. */
	CHECK(doctor_count(&report, DOCTOR_FAIL) == 1);
	CHECK(find("owner", DOCTOR_FAIL) != NULL);
	begin();
	change("/srv/x/.deploy/meta", "link\t33\t777\t7\t1");
	only(DOCTOR_FAIL, "owner", "'/srv/x/.deploy/meta' is a link");
}

/* A cure has no name that a shell would take for more. */
static void
test_names_of_users(void)
{
	static const char *const names[][2] = { { "www", "www" },
		{ "web-1_a.b", "web-1_a.b" }, { "?", "33" }, { "", "33" },
		{ "-R", "33" }, { "x;reboot", "33" }, { "$(id)", "33" },
		{ "a b", "33" }, { "*", "33" } };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char line[64];

		begin();
		snprintf(line, sizeof(line), "user\t33\t%s", names[i][0]);
		hear(line);
		CHECK_STR(facts.user, names[i][1]);
	}
}

static void
test_writing(void)
{
	begin();
	hear("lock\tPermission denied");
	change("/srv/x/.deploy/lock", "file\t33\t444\t7\t0");
	only(DOCTOR_FAIL, "writing", "/srv/x/.deploy/lock' cannot be written");
	begin();
	change("/srv/x/.deploy/meta", "dir\t33\t755\t7\t0");
	only(DOCTOR_FAIL, "writing", "read-only");
	change("/srv/x/.deploy/meta", "dir\t33\t555\t7\t0");
	only(DOCTOR_FAIL, "writing", "chmod u+w '/srv/x/.deploy/meta'");
	hear("user\t44\tother");
	only(DOCTOR_FAIL, "writing", "log in as user 33, who owns it");
}

static void
test_devices(void)
{
	begin();
	change("/srv/x/releases", "dir\t33\t755\t8\t1");
	only(DOCTOR_FAIL, "file system",
	    "'/srv/x/releases' is on another one");
	begin();
	change("/srv/x/.deploy/incoming", "dir\t33\t755\t8\t1");
	only(DOCTOR_FAIL, "file system", "incoming");
	/* The root may be a mount itself, and shared another. */
	begin();
	change("/srv/", "dir\t0\t755\t8\t0");
	change("/srv/x/shared", "dir\t0\t755\t9\t1");
	only(DOCTOR_OK, "file system", "one for all");
}

static void
test_space(void)
{
	begin();
	hear("free\t20000000\t1000000");
	only(DOCTOR_WARN, "space", "deploy prune");
	hear("free\t22000000\t1000000");
	only(DOCTOR_OK, "space", "22.0 MB");
	hear("free\t22000000\t399");
	only(DOCTOR_WARN, "space", "399 inodes");
	hear("free\t22000000\t99");
	only(DOCTOR_FAIL, "space", "99 inodes");
	hear("free\t15000000\t1000000");
	only(DOCTOR_FAIL, "space", "15.0 MB");
	/* Where they are not counted there are enough. */
	hear("free\t22000000\t18446744073709551615");
	only(DOCTOR_OK, "space", "22.0 MB free");
	begin();
	facts.live_bytes = facts.live_files = -1;
	hear("free\t100000000\t1000000");
	only(DOCTOR_WARN, "space", "100.0 MB");
	/* No root yet: where it would be. */
	begin();
	facts.live_bytes = facts.live_files = -1;
	change("/srv/x/", "missing\t0\t0\t0\t0");
	change("/srv/", "dir\t33\t755\t7\t1");
	hear("free\t1\t1");
	doctor_report_release(&report);
	doctor_judge(&report, &facts, &known);
	CHECK(find("space", DOCTOR_FAIL) != NULL);
}

static void
test_readable(void)
{
	/* Who may change the mode of a directory, and is told to. */
	static const struct {
		unsigned int uid;
		const char *srv, *root, *words;
		enum doctor_level level;
	} ways[] = {
		{ 33, "dir\t0\t700\t7\t0", "dir\t33\t755\t7\t1",
		    "such as below /srv, or ask who owns that directory (user 0)",
		    DOCTOR_FAIL },
		{ 33, "dir\t44\t700\t7\t0", "dir\t33\t755\t7\t1", "(user 44)",
		    DOCTOR_FAIL },
		{ 33, "dir\t44\t750\t7\t0", "dir\t33\t755\t7\t1",
		    "in that group; else name a root elsewhere", DOCTOR_WARN },
		{ 33, "dir\t33\t1700\t7\t1", "dir\t33\t755\t7\t1",
		    "name a root elsewhere", DOCTOR_FAIL },
		{ 33, "dir\t33\t700\t7\t1", "dir\t33\t755\t7\t1",
		    "run there: chmod o+x '/srv'", DOCTOR_FAIL },
		{ 33, "dir\t0\t755\t7\t0", "dir\t33\t700\t7\t1",
		    "run there: chmod o+x '/srv/x'", DOCTOR_FAIL },
	};

	begin();
	change("/srv/", "dir\t0\t750\t7\t0");
	only(DOCTOR_WARN, "readable", "'/srv' has mode 0750");
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		begin();
		facts.uid = ways[i].uid;
		change("/srv/", ways[i].srv);
		change("/srv/x/", ways[i].root);
		only(ways[i].level, "readable", ways[i].words);
	}
	begin();
	change("/srv/", "dir\t0\t711\t7\t0");
	only(DOCTOR_OK, "readable", "any user");
	change("/srv/x/current/", "dir\t33\t700\t7\t1");
	only(DOCTOR_FAIL, "readable", "'/srv/x/current'");
	begin();
	change("/srv/x/shared", "dir\t33\t2750\t7\t1");
	only(DOCTOR_WARN, "readable", "mode 2750");
}

static void
test_lock_and_leftovers(void)
{
	begin();
	hear("lock\tNo locks available");
	only(DOCTOR_FAIL, "lock", "No locks available");
	hear("lock\theld\nincoming\t30\t" ID);
	only(DOCTOR_OK, "lock", "a run holds it");
	only(DOCTOR_OK, "leftovers", "none that are known");
	hear("lock\tfree");
	only(DOCTOR_WARN, "leftovers", "1 unfinished stage, ");
	hear("lock\theld\nincoming\t90000\t" ID);
	only(DOCTOR_WARN, "leftovers", "2 unfinished stages");
	begin();
	hear("trash\t3");
	only(DOCTOR_WARN, "leftovers", "run: deploy prune");
}

static void
test_hooks(void)
{
	static const struct {
		const char *line, *words;
	} cases[] = { { "file\t33\t644\t7\t1", "chmod +x" },
		{ "file\t33\t775\t7\t1", "written by others" },
		{ "file\t33\t757\t7\t1", "written by others" },
		{ "file\t44\t755\t7\t1", "belongs to neither" },
		{ "link\t33\t777\t7\t0", "is not a regular file" } };

	begin();
	hear("path\tdir\t33\t755\t7\t1\t/srv/x/.deploy/hooks");
	only(DOCTOR_OK, "hooks", "none");
	hear("path\tfile\t0\t755\t7\t0\t/srv/x/.deploy/hooks/post-activate");
	only(DOCTOR_OK, "hooks", "in order");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		change("/srv/x/.deploy/hooks/post-activate", cases[i].line);
		only(DOCTOR_FAIL, "hooks", cases[i].words);
	}
	change("/srv/x/.deploy/hooks/post-activate", "file\t33\t755\t7\t1");
	change("/srv/x/.deploy/hooks", "dir\t33\t775\t7\t1");
	only(DOCTOR_FAIL, "hooks", "chmod go-w '/srv/x/.deploy/hooks'");
}

static void
test_nginx(void)
{
	static const char *const fine[] = {
		"/etc/nginx/a:3:\topen_file_cache off;",
		"/etc/nginx/a:3:open_file_cache   off ;",
		"/etc/nginx/a:3:  disable_symlinks off;",
	};

	begin();
	for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++)
		doctor_facts_hear(&facts, "nginx-line", fine[i]);
	only(DOCTOR_OK, "nginx", "nothing in the way");
	hear("nginx-line\t/etc/nginx/a:7:\topen_file_cache max=100;");
	only(DOCTOR_WARN, "nginx", "/etc/nginx/a:7");
	begin();
	hear("nginx-line\t/etc/nginx/a:7:  disable_symlinks if_not_owner;");
	only(DOCTOR_WARN, "nginx", "disable_symlinks off");
	begin();
	hear("nginx-line\t/etc/nginx/a:7:open_file_cache offset=1;");
	only(DOCTOR_WARN, "nginx", "offset");
}

static void
test_web(void)
{
	static const char *const fine[] = {
		"nginx\t/etc/nginx/a:3:\troot /srv/x/current;",
		"nginx\t/etc/nginx/a:3:root /srv/x/current/docs/ ; # it",
		"apache\t/etc/apache2/a:3:  DocumentRoot \"/srv/x/current\"",
		"caddy\t/etc/caddy/Caddyfile:3:  root * /srv/x/current",
		"caddy\t/etc/caddy/Caddyfile:3:\troot /blog/* '/srv/x/current'",
	};
	/* Nothing is said of these. */
	static const char *const none[] = {
		"nginx\t/etc/nginx/a:3:root /srv/x/previews/$preview;",
		"nginx\t/etc/nginx/a:3:root /srv/x/$release;",
		"nginx\t/etc/nginx/a:3:root /srv;",
		"nginx\t/etc/nginx/a:3:root /srv/xy;",
		"nginx\t/etc/nginx/a:3:root html;",
		"nginx\t/etc/nginx/a:3:root # /srv/x;",
		"nginx\t/etc/nginx/a:3:root ;",
		"nginx\t/etc/nginx/a:3:",
		"apache\t/a:3:VirtualDocumentRoot /srv/x/releases/%1",
		"caddy\t/a:3:root * /srv/x/releases/{labels.2}",
		"nginx\t/etc/nginx/a",
		"nginx",
		"",
	};
	static const struct {
		const char *line, *words;
	} bad[] = {
		{ "nginx\t/etc/nginx/a:3:root /srv/x;", "the root itself" },
		{ "nginx\t/etc/nginx/a:3:root /srv/x//;", "'/srv/x/current'" },
		{ "caddy\t/etc/caddy/Caddyfile:3:root * /srv/x/releases/" ID,
		    "Caddyfile:3: caddy serves one release" },
	};

	for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++) {
		begin();
		doctor_facts_hear(&facts, "docroot", fine[i]);
		only(DOCTOR_OK, "web", "serves '/srv/x/current");
	}
	begin();
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		doctor_facts_hear(&facts, "docroot", none[i]);
		doctor_facts_hear(&facts, "mounted", none[i]);
	}
	doctor_facts_hear(&facts, "mounted", "7");
	doctor_facts_hear(&facts, "mounted", "7\t" ID);
	only(DOCTOR_OK, "nginx", "nothing in the way");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		begin();
		doctor_facts_hear(&facts, "docroot", bad[i].line);
		only(DOCTOR_WARN, "web", bad[i].words);
	}
	begin();
	hear("mounted\t77\t" ID "\t/usr/share/nginx/html");
	only(DOCTOR_WARN, "web", "process 77 has the release " ID);
}

static void
refusal(struct err *e)
{
	doctor_report_release(&report);
	doctor_judge_refusal(&report, e);
}

static void
test_the_way(void)
{
	struct doctor_finding *f;
	struct err e = ERR_INIT;

	err_set(&e, ERR_UNREACHABLE,
	    "connect: %s port 22: refused;; is it up?", "a; b");
	err_in(&e, PHASE_CONNECT, "");
	refusal(&e);
	REQUIRE((f = find("connection", DOCTOR_FAIL)) != NULL);
	CHECK(report.n == 1);
	CHECK_STR(f->detail, "connect: a; b port 22: refused");
	CHECK_STR(f->cure, "is it up?");
	err_set(&e, ERR_UNREACHABLE,
	    "www1 is not known; its key is K;; if so, add: L; M");
	err_in(&e, PHASE_HOST_KEY, "host key: ");
	refusal(&e);
	CHECK(find("connection", DOCTOR_OK) != NULL);
	REQUIRE((f = find("host key", DOCTOR_FAIL)) != NULL);
	CHECK_STR(f->detail, "www1 is not known; its key is K");
	CHECK_STR(f->cure, "if so, add: L; M");
	err_set(&e, ERR_UNREACHABLE, "none of ours: %s;; add it there",
	    "a; b");
	err_prefix(&e, "authentication at %s: ", "www1");
	err_in(&e, PHASE_LOGIN, "");
	refusal(&e);
	CHECK(find("host key", DOCTOR_OK) != NULL);
	REQUIRE((f = find("key", DOCTOR_FAIL)) != NULL);
	CHECK_STR(f->detail, "authentication at www1: none of ours: a; b");
	CHECK_STR(f->cure, "add it there");
	/* Words say nothing about the phase, and nothing about a cure. */
	err_set(&e, ERR_UNREACHABLE, "%s", "host key: what; ever");
	refusal(&e);
	REQUIRE((f = find("connection", DOCTOR_FAIL)) != NULL);
	CHECK_STR(f->detail, "host key: what; ever");
	CHECK(f->cure == NULL);
	doctor_report_release(&report);
	doctor_judge_login(&report, "ssh-ed25519 SHA256:x", "/home/me/id");
	CHECK(report.n == 3 && doctor_count(&report, DOCTOR_OK) == 3);
	REQUIRE((f = find("key", DOCTOR_OK)) != NULL);
	CHECK_STR(f->detail, "let in by /home/me/id");
	doctor_report_release(&report);
	doctor_judge_login(&report, NULL, NULL);
	CHECK(report.n == 1);
}

/* Under a leak checker nothing of ours shall stay. */
static void
test_end(void)
{
	doctor_facts_release(&facts);
	doctor_report_release(&report);
	CHECK(facts.n_paths == 0 && report.n == 0);
}

UNIT_MAIN(UNIT(test_all_well), UNIT(test_nonsense),
    UNIT(test_control_characters), UNIT(test_clock),
    UNIT(test_clock_of_the_script), UNIT(test_programs), UNIT(test_no_root),
    UNIT(test_format), UNIT(test_current), UNIT(test_owners),
    UNIT(test_names_of_users), UNIT(test_writing), UNIT(test_devices),
    UNIT(test_space), UNIT(test_readable), UNIT(test_lock_and_leftovers),
    UNIT(test_hooks), UNIT(test_nginx), UNIT(test_web), UNIT(test_the_way),
    UNIT(test_end))
