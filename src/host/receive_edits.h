/*
 * A pack in the form of edits (remote/pack_edits.h) on the host: the manifest
 * is made of that of the base and the edits, then the files, from the base,
 * from other releases and from the stream.  What is made is hashed, and in the
 * end the manifest's text must have the announced digest: what does not fit,
 * because the base here is another one, or rotten, or because the other end
 * lies or erred, is ERR_INTEGRITY, and nothing is listed.
 */
#ifndef RECEIVE_EDITS_H
#define RECEIVE_EDITS_H

#include "base/err.h"
#include "host/receiver.h"

/* Fill incoming/<id>, r->m and r->meta.  0 or -1. */
int receive_edits(struct receiver *r, struct err *e) MUST_USE;

#endif
