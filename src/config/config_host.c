#include "config/config_host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/nearest.h"
#include "base/number.h"

bool
host_config_set_address(struct host_config *h, const char *text)
{
	const char *sign = strrchr(text, '@');

	h->label = xstrdup(text);
	h->address = xstrdup(sign != NULL ? sign + 1 : text);
	if (h->user == NULL && sign != NULL)
		h->user = xstrndup(text, (size_t)(sign - text));
	/* It becomes an operand of ssh(1), which must not see an option. */
	return h->address[0] != '\0' && h->address[0] != '-' &&
	    (h->user == NULL || (h->user[0] != '\0' && h->user[0] != '-'));
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

/* Cut ":PORT" off an address that is no IPv6 one.  False: it is no port. */
static bool
cut_port(struct host_config *h)
{
	char *colon = strchr(h->address, ':');
	int64_t port;

	if (colon == NULL || strchr(colon + 1, ':') != NULL)
		return true;
	if (!number_parse(colon + 1, 1, 65535, &port))
		return false;
	*colon = '\0';
	h->port = (unsigned int)port;
	return h->address[0] != '\0';
}

int
site_config_add_host(struct site_config *s, const char *address, struct err *e)
{
	struct host_config *h;

	s->hosts = xreallocarray(s->hosts, s->n_hosts + 1, sizeof(*s->hosts));
	h = &s->hosts[s->n_hosts++];
	*h = (struct host_config){ .root = xstrdup(s->root) };
	if (!host_config_set_address(h, address) || !cut_port(h))
		return err_set(e, ERR_USAGE,
		    "'%s' is no address; 'host' or 'user@host:22' is",
		    address);
	for (size_t i = 0; i + 1 < s->n_hosts; i++)
		if (strcmp(s->hosts[i].label, address) == 0)
			return err_set(e, ERR_USAGE, "'%s' is there twice",
			    address);
	return 0;
}

/* Does the name mean the host? */
static bool
is_called(const struct host_config *h, const char *name)
{
	char *full;
	bool is;

	if (strcmp(h->label, name) == 0 || strcmp(h->address, name) == 0)
		return true;
	full = xasprintf("%s:%u", h->address, h->port);
	is = strcmp(full, name) == 0;
	free(full);
	return is;
}

/* No host of the site has the name. */
static int
fault_host(const struct site_config *s, const char *name, struct err *e)
{
	const char **names = xcalloc(2 * s->n_hosts + 1, sizeof(*names)),
		   *near;
	struct buf all = BUF_INIT;

	for (size_t i = 0; i < s->n_hosts; i++) {
		names[2 * i] = s->hosts[i].label;
		names[2 * i + 1] = s->hosts[i].address;
		buf_addf(&all, "%s%s", i > 0 ? ", " : "", s->hosts[i].label);
	}
	if (s->n_hosts == 0)
		err_set(e, ERR_USAGE,
		    "no host '%s': the site '%s' has no hosts, it is on this machine",
		    name, s->name);
	else if ((near = nearest_word(name, names)) != NULL)
		err_set(e, ERR_USAGE,
		    "the site '%s' has no host '%s'; did you mean '%s'?",
		    s->name, name, near);
	else
		err_set(e, ERR_USAGE,
		    "the site '%s' has no host '%s'; there is %s", s->name,
		    name, buf_str(&all));
	buf_release(&all);
	free(names);
	return -1;
}

int
site_config_narrow(const struct site_config *s, const struct strvec *names,
    struct site_config *out, struct err *e)
{
	bool *wanted = xcalloc(s->n_hosts + 1, sizeof(*wanted));
	int ret = 0;

	*out = *s;
	out->hosts = xcalloc(s->n_hosts + 1, sizeof(*out->hosts));
	out->n_hosts = 0;
	for (size_t i = 0; ret == 0 && i < names->n; i++) {
		bool found = false;

		for (size_t k = 0; k < s->n_hosts; k++)
			if (is_called(&s->hosts[k], names->v[i]))
				found = wanted[k] = true;
		if (!found)
			ret = fault_host(s, names->v[i], e);
	}
	for (size_t k = 0; k < s->n_hosts; k++)
		if (wanted[k])
			out->hosts[out->n_hosts++] = s->hosts[k];
	free(wanted);
	return ret;
}
