#include "ssh/ssh_settings.h"

#include <ctype.h>
#include <pthread.h>
#include <pwd.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/number.h"
#include "os/log.h"
#include "ssh/ssh_client.h"

/* Of users. */
#define NAME_CHARACTERS \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"

enum {
	ASK_MS = 15000, /* it may have to ask the DNS */
	PORT_MAX = 65535,
};

void
ssh_settings_release(struct ssh_settings *st)
{
	free(st->host);
	free(st->hostname);
	free(st->user);
	free(st->port);
	free(st->home);
	free(st->alias);
	free(st->family);
	free(st->agent);
	free(st->jump);
	free(st->proxy);
	free(st->revoked);
	free(st->signatures);
	free(st->bind);
	free(st->interface);
	free(st->lax);
	free(st->config);
	free(st->pkcs11);
	strvec_release(&st->identities);
	strvec_release(&st->certificates);
	strvec_release(&st->known_hosts);
	ssh_algorithms_release(&st->algorithms);
	*st = (struct ssh_settings){ 0 };
}

/* ssh(1) ends its lines for a terminal: one line of them, each after a "; ". */
static void
join_lines(const struct buf *lines, struct buf *out)
{
	const char *p = buf_str(lines);

	while (*(p += strspn(p, "\r\n")) != '\0') {
		size_t n = strcspn(p, "\r\n");

		buf_addf(out, "%s%.*s", out->len > 0 ? "; " : "", (int)n, p);
		p += n;
	}
}

/* Run `ssh -G`.  0; 1 when there is no ssh(1); -1. */
static int
ask(struct strvec *argv, struct buf *out, struct err *e)
{
	struct buf errors = BUF_INIT, said = BUF_INIT;
	int status = 0;
	int r = ssh_client_run(argv, ASK_MS, out, &errors, &status, e);

	join_lines(&errors, &said);
	if (r == 0 && status != 0)
		r = err_set(e, ERR_USAGE, "'ssh -G' says: %s%s",
		    said.len > 0 ? buf_str(&said) : "(nothing)",
		    strstr(buf_str(&said), "Bad configuration option") !=
			    NULL ?
			";; 'IgnoreUnknown' above it in ssh_config leaves out what the ssh(1) here does not know" :
			"");
	buf_release(&errors);
	buf_release(&said);
	return r;
}

/*
 * The command line of `ssh -G` for `o`, with an option (NULL: none).  It says
 * nothing where ssh_config has a command and we another, or where it is to run
 * in the background and has none; -N is neither.
 */
static void
command(struct strvec *argv, const struct ssh_options *o, const char *option)
{
	strvec_add(argv, "ssh");
	strvec_add(argv, "-G");
	strvec_add(argv, "-TN");
	if (option != NULL)
		strvec_add(argv, option);
	ssh_client_add_host(argv, o);
}

/*
 * What ssh(1) makes of the beginning of a path, which it expands in one option
 * that it shows; the text itself when there is no ssh(1).  NULL is an error.
 */
static char *
ask_for_text(const struct ssh_options *o, const char *text, struct err *e)
{
	static const char key[] = "\ncontrolpath ";
	char *option = xasprintf("-oControlPath=%s", text), *value = NULL;
	struct strvec argv = STRVEC_INIT;
	struct buf out = BUF_INIT;
	const char *found;
	int r;

	buf_addc(&out, '\n');
	command(&argv, o, option);
	r = ask(&argv, &out, e);
	found = strstr(buf_str(&out), key);
	if (r == 0 && found != NULL) {
		found += strlen(key);
		value = xstrndup(found, strcspn(found, "\n"));
	} else if (r >= 0) {
		value = xstrdup(text);
	}
	free(option);
	strvec_release(&argv);
	buf_release(&out);
	return value;
}

/* The value of a %-token of ssh_config(5) that we know ourselves, or NULL. */
static const char *
token(const struct ssh_settings *st, char c, char uid[16])
{
	switch (c) {
	case '%':
		return "%";
	case 'd':
		return st->home;
	case 'h':
		return st->hostname;
	case 'i':
		snprintf(uid, 16, "%u", (unsigned)getuid());
		return uid;
	case 'k':
		return st->alias != NULL ? st->alias : st->host;
	case 'n':
		return st->host;
	case 'p':
		return st->port;
	case 'r':
		return st->user;
	default:
		return NULL;
	}
}

/* The value of "${NAME}" at `s`, and its end; NULL when it is none or not set. */
static const char *
variable_at(const char *s, const char **end)
{
	const char *value;
	char *name;

	*end = strncmp(s, "${", 2) == 0 ? strchr(s, '}') : NULL;
	if (*end == NULL)
		return NULL;
	name = xstrndup(s + 2, (size_t)(*end - s) - 2);
	value = getenv(name);
	free(name);
	return value;
}

/*
 * Add what a %-token stands for that only ssh(1) knows, such as %C.  What is
 * none, "100% ", stays as it is.  0 or -1.
 */
static int
add_token(const struct ssh_options *o, char c, struct buf *b, struct err *e)
{
	char *text = xasprintf("/%%%c", c);
	char *value = isalnum((unsigned char)c) ? ask_for_text(o, text, e) :
						  xstrndup(text, 2);

	free(text);
	if (value == NULL)
		return -1;
	buf_adds(b, value + 1);
	free(value);
	return 0;
}

/*
 * Add the home that a text begins with, if it does, and step over it: our own,
 * or one that ssh(1) knows.  0 or -1.
 */
static int
add_home(const struct ssh_settings *st, const struct ssh_options *o,
    const char **s, struct buf *b, struct err *e)
{
	size_t n = **s == '~' ? 1 + strspn(*s + 1, NAME_CHARACTERS) : 0;
	char *text, *value;

	if (n == 0 || (*s)[n] != '/')
		return 0;
	text = xstrndup(*s, n + 1);
	value = n > 1 ? ask_for_text(o, text, e) : xasprintf("%s/", st->home);
	free(text);
	if (value == NULL)
		return -1;
	buf_adds(b, value);
	free(value);
	*s += n + 1;
	return 0;
}

/*
 * Replace the %-tokens in a value of an option, to be freed, and in a path a
 * leading ~/ or ~user/ and variables; `ssh -G` leaves most of them.  In a command
 * these are its shell's, which does not take what is in them for code.
 * Variables that are not set stay as they are.  NULL: one is unknown.
 */
static char *
expand(const struct ssh_settings *st, const struct ssh_options *o,
    const char *s, bool is_path, struct err *e)
{
	struct buf b = BUF_INIT;
	char uid[16];
	int r = is_path ? add_home(st, o, &s, &b, e) : 0;

	for (; *s != '\0' && r == 0; s++) {
		const char *end = NULL;
		const char *value = is_path ? variable_at(s, &end) : NULL;

		if (value == NULL && *s == '%') {
			value = token(st, s[1], uid);
			end = s + 1;
		}
		if (value != NULL) {
			buf_adds(&b, value);
			s = end;
		} else if (*s == '%' && s[1] != '\0') {
			r = add_token(o, *++s, &b, e);
		} else {
			buf_addc(&b, *s);
		}
	}
	if (r == 0)
		return buf_detach(&b);
	buf_release(&b);
	return NULL;
}

static void
set(char **to, const char *value)
{
	free(*to);
	*to = xstrdup(value);
}

/* Take `value` unless it is "none". */
static void
set_unless_none(char **to, const char *value)
{
	free(*to);
	*to = strcasecmp(value, "none") == 0 ? NULL : xstrdup(value);
}

static void
add_unless_none(struct strvec *sv, const char *value)
{
	if (*value != '\0' && strcasecmp(value, "none") != 0)
		strvec_add(sv, value);
}

/*
 * Add the paths of a line, in which `ssh -G` quotes no blanks: one that begins at
 * a root, a home or a variable ends where another does.
 */
static void
add_paths(struct strvec *sv, char *value)
{
	static const char begins[] = "/~$%";
	char *end;

	for (; *value != '\0'; value = end) {
		bool may_have_blanks = strchr(begins, *value) != NULL;

		end = value + strcspn(value, " ");
		while (may_have_blanks && *end == ' ' &&
		    strchr(begins, end[1]) == NULL)
			end += 1 + strcspn(end + 1, " ");
		if (*end == ' ')
			*end++ = '\0';
		add_unless_none(sv, value);
	}
}

/* The number that it is; 0: "none", or no number. */
static int64_t
number_of(const char *value)
{
	int64_t n;

	return number_parse(value, 0, INT32_MAX, &n) ? n : 0;
}

/* A line of `ssh -G`, when it is about the host's key. */
static void
take_trust(struct ssh_settings *st, const char *key, const char *value)
{
	static const struct {
		const char *key, *value, *said;
	} lax[] = {
		{ "stricthostkeychecking", "false",
		    "StrictHostKeyChecking no" },
		{ "stricthostkeychecking", "no", "StrictHostKeyChecking no" },
		{ "stricthostkeychecking", "off", "StrictHostKeyChecking no" },
		{ "stricthostkeychecking", "accept-new",
		    "StrictHostKeyChecking accept-new" },
		{ "verifyhostkeydns", "true", "VerifyHostKeyDNS yes" },
		{ "verifyhostkeydns", "yes", "VerifyHostKeyDNS yes" },
		{ "nohostauthenticationforlocalhost", "yes",
		    "NoHostAuthenticationForLocalhost yes" },
	};

	for (size_t i = 0; i < sizeof(lax) / sizeof(lax[0]); i++)
		if (strcmp(key, lax[i].key) == 0 &&
		    strcmp(value, lax[i].value) == 0)
			set(&st->lax, lax[i].said);
}

/* A line of `ssh -G`, when it is a text that we keep. */
static bool
take_text(struct ssh_settings *st, const char *key, const char *value)
{
	const struct {
		const char *key;
		char **to;
		bool or_none; /* "none" is none */
	} texts[] = {
		{ "hostname", &st->hostname, false },
		{ "user", &st->user, false },
		{ "port", &st->port, false },
		{ "addressfamily", &st->family, false },
		{ "hostkeyalias", &st->alias, false },
		{ "identityagent", &st->agent, false },
		{ "proxyjump", &st->jump, true },
		{ "proxycommand", &st->proxy, true },
		{ "revokedhostkeys", &st->revoked, true },
		{ "casignaturealgorithms", &st->signatures, false },
		{ "pkcs11provider", &st->pkcs11, true },
		{ "bindaddress", &st->bind, false },
		{ "bindinterface", &st->interface, false },
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (strcmp(key, texts[i].key) != 0)
			continue;
		if (texts[i].or_none)
			set_unless_none(texts[i].to, value);
		else
			set(texts[i].to, value);
		return true;
	}
	return false;
}

/* A line of `ssh -G`. */
static void
take_setting(struct ssh_settings *st, const char *key, char *value)
{
	if (take_text(st, key, value))
		return;
	if (strcmp(key, "identityfile") == 0)
		add_unless_none(&st->identities, value);
	else if (strcmp(key, "certificatefile") == 0)
		add_unless_none(&st->certificates, value);
	else if (strcmp(key, "userknownhostsfile") == 0 ||
	    strcmp(key, "globalknownhostsfile") == 0)
		add_paths(&st->known_hosts, value);
	else if (strcmp(key, "identitiesonly") == 0)
		st->identities_only = strcmp(value, "yes") == 0;
	else if (strcmp(key, "connecttimeout") == 0)
		st->connect_ms = 1000 * number_of(value);
	else if (strcmp(key, "connectionattempts") == 0)
		st->attempts = number_of(value);
	else if (strcmp(key, "requiredrsasize") == 0)
		st->rsa_bits = (int)number_of(value);
	take_trust(st, key, value);
	ssh_algorithms_take(&st->algorithms, key, value);
}

/*
 * Options without which ssh(1) would get somewhere else, or nowhere, and that
 * are not followed here.
 */
static int
check_refused(const char *key, const char *value, struct err *e)
{
	static const struct {
		const char *key, *value; /* NULL: any but "none" */
		const char *said, *cure;
	} refused[] = {
		{ "knownhostscommand", NULL, "KnownHostsCommand",
		    "put what it says into a file, for UserKnownHostsFile, or into DEPLOY_KNOWN_HOSTS" },
		{ "proxyusefdpass", "yes", "ProxyUseFdpass",
		    "use a ProxyCommand that carries the connection, or ProxyJump" },
		{ "pubkeyauthentication", "false", "PubkeyAuthentication no",
		    "deploy logs in with keys only" },
		{ "pubkeyauthentication", "no", "PubkeyAuthentication no",
		    "deploy logs in with keys only" },
	};

	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		if (strcmp(key, refused[i].key) != 0)
			continue;
		if (refused[i].value != NULL ?
			strcmp(value, refused[i].value) == 0 :
			strcmp(value, "none") != 0)
			return err_set(e, ERR_USAGE,
			    "%s of ssh_config is not followed;; %s",
			    refused[i].said, refused[i].cure);
	}
	return 0;
}

/* All lines "key value" of `text`, which is changed.  0 or -1. */
static int
take_settings(struct ssh_settings *st, char *text, struct err *e)
{
	char *save, *line = strtok_r(text, "\n", &save);

	for (; line != NULL; line = strtok_r(NULL, "\n", &save)) {
		char *space = strchr(line, ' ');

		if (space == NULL)
			continue;
		*space = '\0';
		if (check_refused(line, space + 1, e) != 0)
			return -1;
		take_setting(st, line, space + 1);
	}
	return 0;
}

/*
 * The name and home directory of this user, as ssh(1) finds them.  A uid of a
 * container may be in no passwd: no name then (NULL), and $HOME.
 */
static void
find_user(char **name, char **home)
{
	struct passwd pw, *found = NULL;
	const char *where = getenv("HOME");
	char strings[4096];

	if (getpwuid_r(getuid(), &pw, strings, sizeof(strings), &found) != 0)
		found = NULL;
	if (found != NULL)
		where = found->pw_dir;
	*name = found != NULL ? xstrdup(found->pw_name) : NULL;
	*home = xstrdup(where != NULL ? where : "");
}

/* ssh(1) tells nothing: does what it would read matter? */
static int
check_not_needed(const struct ssh_options *o, const char *user,
    const char *home, struct err *e)
{
	char *config = xasprintf("%s/.ssh/config", home);
	bool needed = o->config != NULL || access(config, F_OK) == 0;

	free(config);
	if (user == NULL && (needed || o->user == NULL))
		return err_set(e, ERR_USAGE,
		    "uid %ld has no entry in /etc/passwd, so that ssh(1) refuses to read ssh_config or to name a user;; give it one, or name 'user:', also for a jump host ('jump: user@host'), and no ssh_config",
		    (long)getuid());
	if (needed)
		return err_set(e, ERR_FAILED,
		    "ssh(1), which knows what ssh_config says, is not there;; install openssh-client");
	return 0;
}

/*
 * What ssh(1) would say without any ssh_config.  A configuration that we
 * cannot have read is not silently left out.
 */
static int
defaults(struct buf *out, const struct ssh_options *o, const char *user,
    const char *home, struct err *e)
{
	if (check_not_needed(o, user, home, e) != 0)
		return -1;
	buf_addf(out, "hostname %s\nport %d\nuser %s\n", o->host,
	    o->port > 0 ? o->port : 22, o->user != NULL ? o->user : user);
	if (o->jump != NULL)
		buf_addf(out, "proxyjump %s\n", o->jump);
	buf_addf(out,
	    "identityfile ~/.ssh/id_rsa\n"
	    "identityfile ~/.ssh/id_ecdsa\nidentityfile ~/.ssh/id_ed25519\n"
	    "userknownhostsfile ~/.ssh/known_hosts ~/.ssh/known_hosts2\n"
	    "globalknownhostsfile /etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2\n");
	return 0;
}

/* The text with its path and tokens expanded; NULL stays so.  0 or -1. */
static int
expand_text(const struct ssh_settings *st, const struct ssh_options *o,
    const char *option, char **text, struct err *e)
{
	bool is_path = strcmp(option, "ProxyCommand") != 0;
	char *expanded =
	    *text != NULL ? expand(st, o, *text, is_path, e) : NULL;

	if (*text != NULL && expanded == NULL)
		return err_prefix(e, "%s '%s': ", option, *text);
	free(*text);
	*text = expanded;
	return 0;
}

static int
expand_all(const struct ssh_settings *st, const struct ssh_options *o,
    const char *option, struct strvec *sv, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < sv->n && r == 0; i++)
		r = expand_text(st, o, option, &sv->v[i], e);
	return r;
}

/*
 * IdentityAgent, in `st`: a path, "none", "SSH_AUTH_SOCK" or "$VARIABLE", which
 * becomes the socket.  0 or -1.
 */
static int
find_agent(struct ssh_settings *st, const struct ssh_options *o, struct err *e)
{
	const char *said = st->agent != NULL ? st->agent : "$SSH_AUTH_SOCK";
	const char *variable = NULL, *value = NULL;

	if (said[0] == '$' && said[1] != '{')
		variable = said + 1;
	else if (strcmp(said, "SSH_AUTH_SOCK") == 0)
		variable = said;
	else if (strcmp(said, "none") != 0)
		return expand_text(st, o, "IdentityAgent", &st->agent, e);
	if (variable != NULL)
		value = getenv(variable);
	free(st->agent);
	st->agent = value != NULL && *value != '\0' ? xstrdup(value) : NULL;
	return 0;
}

/* Put the identity that deploy.yml names before those of ssh_config. */
static void
add_identity(struct ssh_settings *st, const char *identity)
{
	struct strvec all = STRVEC_INIT;

	strvec_add(&all, identity);
	for (size_t i = 0; i < st->identities.n; i++)
		strvec_add(&all, st->identities.v[i]);
	strvec_release(&st->identities);
	st->identities = all;
	st->identity_given = true;
}

/* Make paths of what `ssh -G` said. */
static int
resolve(struct ssh_settings *st, const struct ssh_options *o, struct err *e)
{
	int64_t port;

	if (st->hostname == NULL || st->user == NULL ||
	    !number_parse(st->port, 1, PORT_MAX, &port))
		return err_set(e, ERR_FAILED,
		    "'ssh -G' does not say where to connect");
	if (o->identity != NULL)
		add_identity(st, o->identity);
	if (o->spare_identity != NULL)
		strvec_add(&st->identities, o->spare_identity);
	if (expand_all(st, o, "IdentityFile", &st->identities, e) != 0 ||
	    expand_all(st, o, "CertificateFile", &st->certificates, e) != 0 ||
	    expand_all(st, o, "UserKnownHostsFile", &st->known_hosts, e) !=
		0 ||
	    find_agent(st, o, e) != 0 ||
	    expand_text(st, o, "ProxyCommand", &st->proxy, e) != 0)
		return -1;
	return expand_text(st, o, "RevokedHostKeys", &st->revoked, e);
}

/*
 * Names reach command lines of ProxyCommand and Match exec: nothing that a
 * shell or ssh(1) would take for more than a name (CVE-2023-51385).
 */
static bool
is_name(const char *name)
{
	for (const char *p = name; *p != '\0'; p++)
		if (iscntrl((unsigned char)*p))
			return false;
	return name[0] != '\0' && name[0] != '-' &&
	    strpbrk(name, "'`\"$;&<>|(){} ") == NULL;
}

/* As ssh(1) does, a user may have the domain of a directory: "EXAMPLE\www". */
static int
check_names(const struct ssh_options *o, struct err *e)
{
	size_t n = o->user != NULL ? strlen(o->user) : 0;

	if (!is_name(o->host) || strchr(o->host, '\\') != NULL)
		return err_set(e, ERR_USAGE, "'%s' is no host name", o->host);
	/* Not shown: it is a password that stands behind the ':'. */
	if (o->user != NULL && strchr(o->user, ':') != NULL)
		return err_set(e, ERR_USAGE,
		    "no user name has a ':' in it;; deploy logs in with keys alone: leave the password out");
	if (o->user != NULL && (!is_name(o->user) || o->user[n - 1] == '\\'))
		return err_set(e, ERR_USAGE, "'%s' is no user name", o->user);
	return 0;
}

/* ssh(1) refuses to run for whom it cannot name; told once for all hosts. */
static void
warn_nameless(void)
{
	static atomic_flag told = ATOMIC_FLAG_INIT;

	if (!atomic_flag_test_and_set(&told))
		log_warn(
		    "uid %ld has no entry in /etc/passwd, so that ssh(1) does not run: no ssh_config is read",
		    (long)getuid());
}

/*
 * What OpenSSH would say that nobody has asked for anything, asked once:
 * `ssh -G` prints its defaults, too.  0 or -1.
 */
static int
leave_defaults_out(struct ssh_algorithms *a, struct err *e)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static struct ssh_algorithms defaults;
	static bool known;
	const struct ssh_options none = { .host = "none", .config = "none" };
	struct ssh_settings st = { 0 };
	struct strvec argv = STRVEC_INIT;
	struct buf out = BUF_INIT;
	int r = 0;

	pthread_mutex_lock(&lock);
	if (!known) {
		command(&argv, &none, NULL);
		r = ask(&argv, &out, e);
		buf_addc(&out, '\n');
		if (r == 0)
			r = take_settings(&st, out.data, e);
		defaults = st.algorithms;
		st.algorithms = (struct ssh_algorithms){ { NULL } };
		known = r == 0;
	}
	if (known)
		ssh_algorithms_leave_out(a, &defaults);
	pthread_mutex_unlock(&lock);
	ssh_settings_release(&st);
	strvec_release(&argv);
	buf_release(&out);
	return r < 0 ? -1 : 0;
}

/* Ask ssh(1), which nobody can without a `user`, or know without it. */
static int
find_settings(struct ssh_settings *st, const struct ssh_options *o,
    const char *user, struct err *e)
{
	struct strvec argv = STRVEC_INIT;
	struct buf out = BUF_INIT;
	bool asked;
	int r;

	command(&argv, o, NULL);
	r = user != NULL ? ask(&argv, &out, e) : 1;
	asked = r == 0;
	if (r > 0)
		r = defaults(&out, o, user, st->home, e);
	buf_addc(&out, '\n');
	if (r == 0)
		r = take_settings(st, out.data, e);
	if (r == 0 && asked)
		r = leave_defaults_out(&st->algorithms, e);
	strvec_release(&argv);
	buf_release(&out);
	return r;
}

int
ssh_settings_load(struct ssh_settings *st, const struct ssh_options *o,
    struct err *e)
{
	char *user = NULL;
	int r;

	*st = (struct ssh_settings){ 0 };
	if (check_names(o, e) != 0)
		return -1;
	find_user(&user, &st->home);
	st->host = xstrdup(o->host);
	st->config = xstrdup_opt(o->config);
	if (user == NULL)
		warn_nameless();
	r = find_settings(st, o, user, e);
	if (r == 0)
		r = resolve(st, o, e);
	if (r != 0)
		ssh_settings_release(st);
	else
		st->user_is_ours = o->user == NULL && user != NULL &&
		    strcmp(st->user, user) == 0;
	free(user);
	return r;
}
