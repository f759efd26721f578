/*
 * The hosts of a site: what their addresses say, and which of them a name on
 * the command line means.
 */
#ifndef CONFIG_HOST_H
#define CONFIG_HOST_H

#include <stdbool.h>

#include "config/config.h"
#include "base/err.h"
#include "base/strvec.h"

/*
 * Take "host", "user@host:port", "user@[address]:port" or "ssh://..." with
 * these apart; the user that `h` has, if any, goes before the one in it, and
 * a port has to be the same.  A bare IPv6 address has no port.  0, or -1 with
 * ERR_USAGE, which says where a path or what is no port belongs.
 */
int host_config_set_address(struct host_config *h, const char *text,
    struct err *e) MUST_USE;

/* Are they the same place: address, port, user, jump, root? */
bool host_config_is_same(const struct host_config *a,
    const struct host_config *b);

/*
 * Hosts with the same label get others: with the port, the user or the root,
 * as far as these differ, such as "www:2222" and "www:2223".
 */
void host_config_tell_apart(struct host_config *hosts, size_t n);

/*
 * Of the hosts of the site those that `names` name, each by its label, or, if
 * none has that, by its address alone, or by that and ":PORT"
 * ("[ADDRESS]:PORT" in IPv6).  `out` borrows everything but the array out->hosts, which the caller frees.  0, or -1 with ERR_USAGE: a
 * name that no host has (with the nearest one).
 */
int site_config_narrow(const struct site_config *s,
    const struct strvec *names, struct site_config *out, struct err *e)
    MUST_USE;

/*
 * Of `s`, all or some of the hosts of the site `all`, those that `names` do
 * not name; `skipped` gets the labels of those that they do.  Else as
 * site_config_narrow(); ERR_USAGE also when no host is left.
 */
int site_config_skip(const struct site_config *all,
    const struct site_config *s, const struct strvec *names,
    struct strvec *skipped, struct site_config *out, struct err *e) MUST_USE;

/*
 * Add a host that no file describes, "user@host:port" or less, with the root
 * of the site.  0, or -1 with ERR_USAGE.
 */
int site_config_add_host(struct site_config *s, const char *address,
    struct err *e) MUST_USE;

/* Free what a host has; neutral values accepted. */
void host_config_release(struct host_config *h);

#endif
