#include "config/config_host.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/nearest.h"
#include "base/number.h"
#include "config/abspath.h"

/* What neither a host nor an alias of ssh_config has in its name. */
#define NO_NAME "/?#*!@\\[]"

/* What no address has, but a list that somebody wrote as one may. */
#define LIST_MARKS " \t\r\n,;"

/* Report an address that is none.  -1. */
static int
fault_address(const char *text, struct err *e)
{
	return err_set(e, ERR_USAGE,
	    "'%s' is not an address;; 'host' or 'user@host:22' is", text);
}

/* Report several addresses in one.  -1. */
static int
fault_list(const char *text, struct err *e)
{
	return err_set(e, ERR_USAGE,
	    "'%s' is not one address;; write several as a list: [www1, www2]",
	    text);
}

/* Report what stands behind the name of the host and is no port.  -1. */
static int
fault_rest(const char *text, const char *rest, struct err *e)
{
	if (strchr(rest, '/') != NULL || strchr(rest, '~') != NULL)
		return err_set(e, ERR_USAGE,
		    "'%s' has a path in it;; write the host alone, and the path as root: (or --root)",
		    text);
	return err_set(e, ERR_USAGE,
	    "'%s': '%s' is not a port;; write the host alone, a port as port: 2222, from 1 to 65535, and a path as root:",
	    text, rest);
}

/* Is it an IPv6 address, with or without a zone such as %eth0? */
static bool
is_ipv6(const char *text)
{
	size_t len = strcspn(text, "%");
	char *plain = xstrndup(text, len);
	struct in6_addr a;
	bool is = inet_pton(AF_INET6, plain, &a) == 1;

	free(plain);
	return is;
}

/*
 * Find the end of the name at `*name`, which may be in brackets that go.
 * What is behind it; NULL: a bracket is missing.
 */
static char *
end_of_name(char **name)
{
	char *end;

	if (**name != '[')
		return is_ipv6(*name) ? *name + strlen(*name) :
					*name + strcspn(*name, ":");
	end = strchr(++*name, ']');
	if (end != NULL)
		*end++ = '\0';
	return end;
}

/* Take the port of `rest`, which is ":PORT" or empty. */
static int
take_port(struct host_config *h, const char *text, const char *rest,
    struct err *e)
{
	int64_t port;

	if (rest[0] == '\0')
		return 0;
	if (rest[0] != ':' || !number_parse(rest + 1, 1, 65535, &port))
		return fault_rest(text, rest + (rest[0] == ':'), e);
	if (h->port != 0 && h->port != (unsigned int)port)
		return err_set(e, ERR_USAGE,
		    "'%s' has another port than port: %u;; leave one of them out",
		    text, h->port);
	h->port = (unsigned int)port;
	return 0;
}

/* Take "host", "host:port" or "[host]:port" apart; `name` is changed. */
static int
take_name(struct host_config *h, const char *text, char *name, struct err *e)
{
	char *rest = end_of_name(&name), *wrong;

	if (rest == NULL || take_port(h, text, rest, e) != 0)
		return rest == NULL ? fault_address(text, e) : -1;
	*rest = '\0';
	wrong = name + strcspn(name, NO_NAME);
	if (*wrong == '/')
		return fault_rest(text, wrong, e);
	if (*wrong != '\0')
		return fault_address(text, e);
	h->address = xstrdup(name);
	return 0;
}

/* Decode the %XX of a URL in place.  False when one is none, or a zero. */
static bool
decode(char *text)
{
	char *to = text;
	unsigned int c;

	for (; *text != '\0'; text++, to++) {
		*to = *text;
		if (*text != '%')
			continue;
		if (!isxdigit((unsigned char)text[1]) ||
		    !isxdigit((unsigned char)text[2]) ||
		    sscanf(text + 1, "%2x", &c) != 1 || c == 0)
			return false;
		*to = (char)c;
		text += 2;
	}
	*to = '\0';
	return true;
}

/* Take the user, too, if none is known yet, and "ssh://" off. */
static int
take_apart(struct host_config *h, const char *text, char *copy, struct err *e)
{
	bool url = strncmp(copy, "ssh://", 6) == 0;
	char *from = copy + (url ? 6 : 0), *path = strstr(from, ":/"), *sign;

	if (path != NULL && strncmp(path, "://", 3) == 0)
		return fault_address(text, e);
	/* An '@' in a path is not the one of the user. */
	if (path != NULL)
		return fault_rest(text, path + 1, e);
	path = url ? strchr(from, '/') : NULL;
	if (path != NULL && path[1] != '\0')
		return fault_rest(text, path, e);
	if (path != NULL)
		*path = '\0';
	sign = strrchr(from, '@');
	if (sign == NULL)
		return take_name(h, text, from, e);
	*sign = '\0';
	if (url && !decode(from))
		return fault_address(text, e);
	if (h->user == NULL)
		h->user = xstrdup(from);
	return take_name(h, text, sign + 1, e);
}

/* Report a password in an address, without it: nobody asks for one. */
static int
check_no_password(const char *text, struct err *e)
{
	const char *from = text + (strncmp(text, "ssh://", 6) == 0 ? 6 : 0);
	const char *end = from + strcspn(from, ":@");

	if (*end == ':')
		end += 1 + strcspn(end + 1, "@/" LIST_MARKS);
	if (*end != '@' || memchr(from, ':', (size_t)(end - from)) == NULL)
		return 0;
	return err_set(e, ERR_USAGE,
	    "'%s' has a password in front of it;; deploy logs in with keys alone: write 'user@host'",
	    end + 1);
}

int
host_config_set_address(struct host_config *h, const char *text, struct err *e)
{
	char *copy = xstrdup(text);
	int r = check_no_password(text, e);

	if (r == 0)
		r = strpbrk(text, LIST_MARKS) != NULL ?
		    fault_list(text, e) :
		    take_apart(h, text, copy, e);
	free(copy);
	h->label = xstrdup(text);
	if (r != 0)
		return -1;
	/* It becomes an operand of ssh(1), which must not see an option. */
	if (h->address[0] == '\0' || h->address[0] == '-' ||
	    (h->user != NULL && (h->user[0] == '\0' || h->user[0] == '-')))
		return fault_address(text, e);
	return 0;
}

void
host_config_release(struct host_config *h)
{
	free(h->label);
	free(h->address);
	free(h->user);
	free(h->root);
	free(h->identity);
	free(h->host_key);
	free(h->jump);
	free(h->connect);
	free(h->deploy);
}

/* The same text, or none in both. */
static bool
is_same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

bool
host_config_is_same(const struct host_config *a, const struct host_config *b)
{
	return strcmp(a->address, b->address) == 0 && a->port == b->port &&
	    is_same_text(a->user, b->user) && is_same_text(a->jump, b->jump) &&
	    abspath_is_same(a->root, b->root);
}

int
site_config_add_host(struct site_config *s, const char *address, struct err *e)
{
	struct host_config *h;

	s->hosts = xreallocarray(s->hosts, s->n_hosts + 1, sizeof(*s->hosts));
	h = &s->hosts[s->n_hosts++];
	*h = (struct host_config){ .root = xstrdup(s->root) };
	if (host_config_set_address(h, address, e) != 0)
		return -1;
	for (size_t i = 0; i + 1 < s->n_hosts; i++)
		if (host_config_is_same(&s->hosts[i], h))
			return err_set(e, ERR_USAGE, "'%s' is there twice",
			    address);
	return 0;
}

/* ------------------------------------------------------------------ labels */

/* What tells hosts apart that are called the same. */
enum part { PART_PORT, PART_USER, PART_ROOT };

/* Has the host such a part that it could be called by? */
static bool
has_part(const struct host_config *h, enum part part)
{
	return part == PART_PORT ? h->port != 0 :
	    part == PART_USER	 ? h->user != NULL :
				   true;
}

/* Is that part the same in both? */
static bool
same_part(const struct host_config *a, const struct host_config *b,
    enum part part)
{
	const char *user = a->user != NULL ? a->user : "",
		   *other = b->user != NULL ? b->user : "";

	switch (part) {
	case PART_PORT:
		return a->port == b->port;
	case PART_USER:
		return strcmp(user, other) == 0;
	default:
		return strcmp(a->root, b->root) == 0;
	}
}

/* The label with that part in its place. */
static char *
label_with(const struct host_config *h, enum part part)
{
	switch (part) {
	case PART_PORT:
		/* "::1" needs brackets, "[::1]" has them. */
		return h->label[0] != '[' && strchr(h->label, ':') != NULL ?
		    xasprintf("[%s]:%u", h->label, h->port) :
		    xasprintf("%s:%u", h->label, h->port);
	case PART_USER:
		return xasprintf("%s@%s", h->user, h->label);
	default:
		return xasprintf("%s:%s", h->label, h->root);
	}
}

/* Is another host called the same that differs in that part? */
static bool
is_ambiguous(const struct host_config *hosts, size_t n, size_t i,
    enum part part)
{
	for (size_t k = 0; k < n; k++)
		if (k != i && strcmp(hosts[k].label, hosts[i].label) == 0 &&
		    !same_part(&hosts[k], &hosts[i], part))
			return true;
	return false;
}

void
host_config_tell_apart(struct host_config *hosts, size_t n)
{
	static const enum part parts[] = { PART_PORT, PART_USER, PART_ROOT };
	char **labels = xcalloc(n + 1, sizeof(*labels));

	for (size_t p = 0; p < sizeof(parts) / sizeof(parts[0]); p++) {
		for (size_t i = 0; i < n; i++)
			labels[i] = has_part(&hosts[i], parts[p]) &&
				is_ambiguous(hosts, n, i, parts[p]) ?
			    label_with(&hosts[i], parts[p]) :
			    NULL;
		for (size_t i = 0; i < n; i++) {
			if (labels[i] == NULL)
				continue;
			free(hosts[i].label);
			hosts[i].label = labels[i];
		}
	}
	free(labels);
}

/* ------------------------------------------------------------------- names */

/* Is there a host that is called so, and no other? */
static bool
is_label(const struct site_config *s, const char *name)
{
	for (size_t i = 0; i < s->n_hosts; i++)
		if (strcmp(s->hosts[i].label, name) == 0)
			return true;
	return false;
}

/* Does the name, which is no label, mean the host? */
static bool
is_called(const struct host_config *h, const char *name)
{
	char *full;
	bool is;

	if (strcmp(h->address, name) == 0)
		return true;
	full = strchr(h->address, ':') != NULL ?
	    xasprintf("[%s]:%u", h->address, h->port) :
	    xasprintf("%s:%u", h->address, h->port);
	is = strcmp(full, name) == 0;
	free(full);
	return is;
}

/* No host of the site has the name. */
static int
fault_host(const struct site_config *s, const char *name, struct err *e)
{
	const char **names = xcalloc(2 * s->n_hosts + 1, sizeof(*names)),
		   *near, *site = s->name != NULL ? s->name : s->root;
	struct buf all = BUF_INIT;

	for (size_t i = 0; i < s->n_hosts; i++) {
		names[2 * i] = s->hosts[i].label;
		names[2 * i + 1] = s->hosts[i].address;
		buf_addf(&all, "%s%s", i > 0 ? ", " : "", s->hosts[i].label);
	}
	if (s->n_hosts == 0)
		err_set(e, ERR_USAGE,
		    "no host '%s': the site '%s' has no hosts, it is on this machine",
		    name, site);
	else if ((near = nearest_word(name, names)) != NULL)
		err_set(e, ERR_USAGE,
		    "the site '%s' has no host '%s';; did you mean '%s'?",
		    site, name, near);
	else
		err_set(e, ERR_USAGE,
		    "the site '%s' has no host '%s';; there is %s", site, name,
		    buf_str(&all));
	buf_release(&all);
	free(names);
	return -1;
}

/* Mark the hosts that the names mean; each has to mean one. */
static int
mark(const struct site_config *s, const struct strvec *names, bool *marked,
    struct err *e)
{
	for (size_t i = 0; i < names->n; i++) {
		bool found = false, label = is_label(s, names->v[i]);

		for (size_t k = 0; k < s->n_hosts; k++)
			if (label ?
				strcmp(s->hosts[k].label, names->v[i]) == 0 :
				is_called(&s->hosts[k], names->v[i]))
				found = marked[k] = true;
		if (!found)
			return fault_host(s, names->v[i], e);
	}
	return 0;
}

/* Is the host, which may be a copy of one of the site's, among the marked? */
static bool
is_marked(const struct site_config *s, const bool *marked,
    const struct host_config *h)
{
	for (size_t k = 0; k < s->n_hosts; k++)
		if (s->hosts[k].label == h->label)
			return marked[k];
	return false;
}

int
site_config_skip(const struct site_config *all, const struct site_config *s,
    const struct strvec *names, struct strvec *skipped,
    struct site_config *out, struct err *e)
{
	bool *left = xcalloc(all->n_hosts + 1, sizeof(*left));
	int ret = mark(all, names, left, e);

	*out = *s;
	out->hosts = xcalloc(s->n_hosts + 1, sizeof(*out->hosts));
	out->n_hosts = 0;
	for (size_t k = 0; k < all->n_hosts; k++)
		if (left[k] && !strvec_has(skipped, all->hosts[k].label))
			strvec_add(skipped, all->hosts[k].label);
	for (size_t k = 0; k < s->n_hosts; k++)
		if (!is_marked(all, left, &s->hosts[k]))
			out->hosts[out->n_hosts++] = s->hosts[k];
	free(left);
	if (ret == 0 && out->n_hosts == 0)
		ret = err_set(e, ERR_USAGE,
		    "--skip leaves no host to work on;; there is nothing to go on with");
	return ret;
}

int
site_config_narrow(const struct site_config *s, const struct strvec *names,
    struct site_config *out, struct err *e)
{
	bool *wanted = xcalloc(s->n_hosts + 1, sizeof(*wanted));
	int ret = mark(s, names, wanted, e);

	*out = *s;
	out->hosts = xcalloc(s->n_hosts + 1, sizeof(*out->hosts));
	out->n_hosts = 0;
	for (size_t k = 0; k < s->n_hosts; k++)
		if (wanted[k])
			out->hosts[out->n_hosts++] = s->hosts[k];
	free(wanted);
	return ret;
}
