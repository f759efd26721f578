/*
 * The verbs of deploy-host(7), as functions: each answers a request by lines in
 * r->out, which its caller (host.c) writes and ends.  0, or -1 with the error
 * that becomes the last line.
 */
#ifndef VERBS_H
#define VERBS_H

#include <stddef.h>

#include "base/err.h"
#include "base/strvec.h"

struct request;

/* verb_look.c, verb_files.c, verb_signatures.c: they change nothing, and take no lock. */
int verb_info(struct request *r, struct err *e);
int verb_probe(struct request *r, struct err *e);
int verb_manifest(struct request *r, struct err *e);
int verb_files(struct request *r, struct err *e);
int verb_signatures(struct request *r, struct err *e);
int verb_journal(struct request *r, struct err *e);

/* verb_change.c: what is in the root, but not what is live. */
int verb_init(struct request *r, struct err *e);
int verb_adopt(struct request *r, struct err *e);
int verb_receive(struct request *r, struct err *e);
int verb_prune(struct request *r, struct err *e);
int verb_pin(struct request *r, struct err *e);
int verb_note(struct request *r, struct err *e);
int verb_freeze(struct request *r, struct err *e);

/* verb_verify.c, with the lines that others answer, too. */
int verb_verify(struct request *r, struct err *e);
void verify_put_differences(struct request *r, const struct strvec *found,
    size_t most);
void verify_put_mended(struct request *r, const struct strvec *mended);

/* verb_flip.c, verb_preview.c: what visitors see. */
int verb_activate(struct request *r, struct err *e);
int verb_preview(struct request *r, struct err *e);

#endif
