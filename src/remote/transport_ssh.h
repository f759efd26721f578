/*
 * The transport over SSH: ssh.h behind transport.h.
 */
#ifndef TRANSPORT_SSH_H
#define TRANSPORT_SSH_H

#include "config/config.h"
#include "base/err.h"
#include "remote/transport.h"

int transport_ssh_open(struct transport *t, const struct host_config *h,
    int64_t silence, struct err *e) MUST_USE;

#endif
