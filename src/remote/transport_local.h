/*
 * The transport to this machine: the verbs run as children of this process.
 */
#ifndef TRANSPORT_LOCAL_H
#define TRANSPORT_LOCAL_H

#include "base/err.h"
#include "remote/transport.h"

int transport_local_open(struct transport *t, int64_t silence, struct err *e)
    MUST_USE;

#endif
