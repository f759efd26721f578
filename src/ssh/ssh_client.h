/*
 * ssh(1) itself, for what it knows better: ssh_config(5), and the certificate
 * of a host.
 */
#ifndef SSH_CLIENT_H
#define SSH_CLIENT_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/strvec.h"
#include "ssh/ssh.h"

/* Add the words that name the host as `o` does, with `--` before it. */
void ssh_client_add_host(struct strvec *argv, const struct ssh_options *o);

/*
 * Run it for at most `ms`; `out` and `errors` get what it says.  0 with its
 * status; 1 when there is no ssh(1); -1.
 */
int ssh_client_run(struct strvec *argv, int64_t ms, struct buf *out,
    struct buf *errors, int *status, struct err *e) MUST_USE;

#endif
