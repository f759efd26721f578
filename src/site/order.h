/*
 * The order of builds by their commits, of `--seq auto` and `order: commit`: a
 * build does not go live when its commit is an ancestor of the live one's.
 * git(1) is asked for that where the build is: in `directory` of the build,
 * here, or where the source is, whichever knows the commit first.
 *
 * Such a build gets a sequence, too, one more than the last: what is live has
 * the content of a newer build then (meta_raise), and its commit.  Nothing is
 * done where the order is not that of commits.
 */
#ifndef ORDER_H
#define ORDER_H

#include "site/site.h"

/* Find out the commit of the build: s->commit.  0, or -1 with ERR_USAGE. */
int order_begin(struct site_run *s, struct err *e) MUST_USE;

/*
 * With what is live on the hosts known: `seq` gets the sequence of the build,
 * -1 when it is not a newer one.  0; or -1 when it would go live, and may not:
 * ERR_SUPERSEDED, or ERR_USAGE when git cannot tell.
 */
int order_settle(struct site_run *s, int64_t *seq, struct err *e) MUST_USE;

/* May a release of the hosts go live?  0 or -1, the same. */
int order_check(struct site_run *s, const struct release_id *id,
    struct err *e) MUST_USE;

#endif
