#include "host/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/number.h"
#include "base/release.h"
#include "base/version.h"
#include "host/option.h"
#include "os/beneath.h"
#include "os/caller.h"

/* What each verb lets a key do, for who reads what authorize says. */
static const struct {
	const char *verb;
	const char *what;
	bool always;  /* no list has to name it */
	bool by_name; /* and no key without a list has it */
} meanings[] = {
	{ "info", "see the state of the root and its releases", true, false },
	{ "probe", "see what the machine is like", true, false },
	{ "manifest", "see the names and digests of files", true, false },
	{ "init", "prepare the root", false, false },
	{ "adopt", "put a link in the place of a real 'current'", false,
	    true },
	{ "files", "read the files of a release", false, false },
	{ "signatures", "compare pages with those of the live release", false,
	    false },
	{ "receive", "bring a release, which nobody sees yet", false, false },
	{ "note", "note that a newer build has the content of a release",
	    false, false },
	{ "activate", "make any release live", false, false },
	{ "prune", "remove old releases", false, false },
	{ "verify", "read and compare all files of a release", false, false },
	{ "journal", "see who activated what, and why", false, false },
	{ "pin", "pin and unpin releases", false, false },
	{ "preview", "bring releases that previews show, and remove previews",
	    false, false },
	{ "freeze", "freeze and thaw the root", false, false },
};

enum { MEANINGS = sizeof(meanings) / sizeof(meanings[0]) };

bool
limits_bind(const struct host_limits *l)
{
	return l->root != NULL || l->allow != NULL;
}

/* Is the verb in the comma-separated list? */
static bool
is_listed(const char *list, const char *verb)
{
	size_t n = strlen(verb);

	for (const char *p = list; *p != '\0';) {
		size_t len = strcspn(p, ",");

		if (len == n && memcmp(p, verb, n) == 0)
			return true;
		p += len;
		p += *p == ',';
	}
	return false;
}

/* Does nobody stage without it? */
static bool
goes_with_receive(const char *verb)
{
	return strcmp(verb, "receive") == 0 || strcmp(verb, "note") == 0 ||
	    strcmp(verb, "files") == 0 || strcmp(verb, "signatures") == 0;
}

bool
limits_allow(const struct host_limits *l, const char *verb)
{
	if (!limits_bind(l))
		return true;
	for (size_t i = 0; i < MEANINGS; i++) {
		if (strcmp(meanings[i].verb, verb) != 0)
			continue;
		if (meanings[i].always)
			return true;
		if (l->allow == NULL)
			return !meanings[i].by_name;
	}
	/*
	 * Who may stage may note what he would have staged, and compare it
	 * with pages of what is live.
	 */
	return l->allow == NULL || is_listed(l->allow, verb) ||
	    (goes_with_receive(verb) &&
		(is_listed(l->allow, "receive") ||
		    is_listed(l->allow, "preview")));
}

const char *
limits_list(const struct host_limits *l)
{
	return l->allow != NULL ? l->allow : "";
}

bool
limits_only_previews(const struct host_limits *l)
{
	return l->allow != NULL && !is_listed(l->allow, "receive");
}

bool
limits_allow_any_file(const struct host_limits *l)
{
	return l->allow == NULL || is_listed(l->allow, "files");
}

/* Must lie in the root, which is open. */
static int
check_path(int root, const char *name, const char *path, struct err *e)
{
	size_t n = strlen(name);
	int fd = -1;

	errno = EXDEV;
	if (strncmp(path, name, n) == 0 && path[n] == '/')
		fd = beneath_open(root, path + n + 1, O_PATH, 0);
	if (fd >= 0) {
		close(fd);
		return 0;
	}
	/* What is not there harms nobody, and is said by who looks for it. */
	if (errno == ENOENT)
		return 0;
	return err_set(e, ERR_UNREACHABLE,
	    "this key is limited to the root '%s', in which '%s' is not, or not without symbolic links",
	    name, path);
}

/* Every path of the options. */
static int
check_paths(const char *name, const struct strvec *words, struct err *e)
{
	int root = -1, r = 0;

	for (size_t i = 2; r == 0 && i < words->n; i++) {
		const char *eq = strchr(words->v[i], '=');
		const struct option *o =
		    option_of_word(words->v[0], words->v[i]);

		if (o == NULL || eq == NULL || o->kind != OPTION_PATH)
			continue;
		if (root < 0)
			root = open(name, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (root < 0 && errno != ENOENT)
			r = err_sys(e, "cannot open the root '%s'", name);
		else
			r = check_path(root, name, eq + 1, e);
	}
	if (root >= 0)
		close(root);
	return r;
}

/*
 * A verb that the key may not use.  Only who writes the host's authorized_keys
 * can change that; a verb that nobody knows does not belong there.
 */
static int
refuse_verb(const struct host_limits *l, const char *verb, struct err *e)
{
	err_set(e, ERR_UNREACHABLE,
	    "this key may not '%s' here; it is limited to: %s", verb,
	    l->allow != NULL ? l->allow : "all verbs but adopt");
	if (options_of(verb) == NULL)
		return -1;
	if (l->allow != NULL)
		return err_append(e,
		    ";; if it should, write --allow %s,%s in the line of this key in authorized_keys on the host",
		    l->allow, verb);
	return err_append(e,
	    ";; if it should, add --allow with %s, and all else that it needs, to the line of this key in authorized_keys on the host",
	    verb);
}

int
limits_take(const struct host_limits *l, const struct strvec *words,
    struct strvec *out, struct err *e)
{
	const char *verb, *root;

	if (words->n < 2)
		return err_set(e, ERR_USAGE,
		    "usage: deploy host VERB ROOT [--key=value ...];; see deploy-host(7)");
	verb = words->v[0];
	root = words->v[1];
	if (verb[0] == '-')
		return err_set(e, ERR_FAILED,
		    "a request begins with '%s': something on this host has read what came before it;; let the start-up files of the login shell leave standard input alone",
		    verb);
	if (!limits_allow(l, verb))
		return refuse_verb(l, verb, e);
	if (l->root != NULL && strcmp(l->root, root) != 0)
		return err_set(e, ERR_UNREACHABLE,
		    "this key is limited to another root than '%s';; the line of this key in authorized_keys on the host says to which (--root)",
		    root);
	if (root[0] != '/')
		return err_set(e, ERR_USAGE,
		    "the root '%s' is not an absolute path", root);
	if (options_of(verb) == NULL)
		return err_set(e, ERR_USAGE,
		    "the deploy on this host (%s) does not know '%s';; use the same version on both ends",
		    DEPLOY_VERSION, verb);
	if (options_take(words, out, e) != 0)
		return -1;
	return l->root != NULL ? check_paths(l->root, words, e) : 0;
}

int
limits_check_id(const struct host_limits *l, const struct release_id *id,
    const struct release_id *latest, struct err *e)
{
	int64_t end = clock_now();

	if (!limits_bind(l) && release_id_time(latest) > end)
		end = release_id_time(latest);
	if (release_id_time(id) <= end + INT64_C(1000) * LIMITS_AHEAD)
		return 0;
	return err_set(e, ERR_USAGE,
	    "the release id %s is of the future;; set the clocks right, of this host and of the machine that named the release",
	    id->text);
}

int64_t
limits_sequence(const struct host_limits *l, int64_t last)
{
	return limits_allow(l, "activate") || last < 0 ?
	    CALLER_SEQ_MAX :
	    last + last / 100 + LIMITS_BUILDS;
}

int64_t
limits_ms(int64_t seconds)
{
	return 1000 *
	    number_or(getenv("DEPLOY_TEST_LIMIT"), 0, seconds, seconds);
}

void
limits_print(const struct host_limits *l, struct buf *out)
{
	buf_addf(out, "this key may, in %s only:\n",
	    l->root != NULL ? l->root : "any root");
	for (size_t i = 0; i < MEANINGS; i++)
		if (limits_allow(l, meanings[i].verb) &&
		    (strcmp(meanings[i].verb, "files") != 0 ||
			limits_allow_any_file(l)))
			buf_addf(out, "    %-10s %s\n", meanings[i].verb,
			    meanings[i].what);
}
