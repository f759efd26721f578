/*
 * All hosts of a site, each with a thread of its own for every step, so that
 * a slow or lost host holds up nobody's connection but its own.  A site
 * without hosts is a fleet of one: this machine, whose label is "".
 */
#ifndef FLEET_H
#define FLEET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "os/caller.h"
#include "config/config.h"
#include "base/err.h"
#include "fleet/check.h"
#include "remote/remote.h"
#include "root/store.h"

struct fleet {
	const struct site_config *site;
	const struct caller *caller;
	struct remote *v;
	size_t n;
	bool is_here;		/* this machine, and nothing else */
	struct host_config here;	/* it */
	struct store store;	/* its root while something is staged; else
				 * closed */
	int64_t skew_us;	/* of its last activation; -1: none */
	bool changed;		/* something was begun on the hosts */
	bool went_back;		/* what was flipped is live no more */
	bool looks;		/* nothing ever is: not worth a word */
	bool shows_dead;	/* the answer says why a host failed */
	size_t rules, rewritten;	/* with how many rules the hosts made
					 * how many pages (fleet_guess.h) */
	size_t patched;		/* pages that got there as deltas
				 * (fleet_delta.h) */
	struct check_before *before;	/* for each host, what its web server
				 * said before the flip; NULL: not asked */
	struct content *contents;	/* of the release that is staged, against
					 * n_contents bases (fleet_content.h) */
	size_t n_contents;
	bool goes_on;		/* what is sent to hosts goes live at once */
	bool settle;		/* what they tell is to be on their disks:
				 * "already so" is an answer, too */
};

#define FLEET_INIT { .store = STORE_INIT, .skew_us = -1 }

void fleet_init(struct fleet *f, const struct site_config *site,
    const struct caller *c, const struct remote_waits *waits);
void fleet_release(struct fleet *f);		/* neutral values accepted */

/*
 * Run `step` for every host that has not failed yet, all at once, and wait.
 * A host whose step fails is marked so, with its error.  Returns the number
 * of hosts that have failed, in this step or before.
 */
size_t fleet_each(struct fleet *f,
    int (*step)(struct remote *r, void *ctx, struct err *e), void *ctx);

/* Give those that failed another chance. */
void fleet_forgive(struct fleet *f);

/*
 * Put the failures into one sentence, summed up by how many failed and by
 * WHAT, unless that is "": "2 of 4 hosts failed; WHAT: www2, www3: ...", where
 * those are named that have the first one's reason.  Each other reason was told
 * before, once; of this machine, the sentence is what it says.  The code is the
 * first one's; ERR_UNREACHABLE comes with the command that goes on.  Returns
 * -1.
 */
int fleet_fail(const struct fleet *f, const char *what, struct err *e);

/* Is there a root on any host?  0, or -1 with the words of store_open(). */
int fleet_need_root(const struct fleet *f, struct err *e) MUST_USE;

/* Do all hosts serve this release? */
bool fleet_serves(const struct fleet *f, const struct release_id *id);

/* Has this command made any host serve another release? */
bool fleet_any_flipped(const struct fleet *f);

/* Of what they said: are two hosts one root?  The first two such. */
bool fleet_find_twice(const struct fleet *f, size_t *one, size_t *other);

/* Connect to all that are not connected yet.  0 or -1. */
int fleet_connect(struct fleet *f, struct err *e) MUST_USE;

/* The same, and ask for their state (remote_info).  0 or -1. */
int fleet_open(struct fleet *f, bool full, struct err *e) MUST_USE;

/* The same, and for what has drifted on them (REMOTE_DRIFT).  0 or -1. */
int fleet_open_with_drift(struct fleet *f, struct err *e);

/*
 * The same, but where this tree digest is live nothing more; and then ask
 * those for the rest.  0 or -1.
 */
int fleet_open_unless(struct fleet *f, const char *digest, struct err *e)
    MUST_USE;
int fleet_complete(struct fleet *f, struct err *e) MUST_USE;

/*
 * The release that the user's word means on all hosts together: "current" and
 * "previous", which must be the same on every host (else ERR_DIFFER),
 * "latest", which is no preview's and no bridge, the name of a preview, an id, or what only
 * one release has: a prefix of an id, "#" and a sequence, the first digits of a
 * commit.  Borrowed; NULL with ERR_USAGE.
 */
const struct release_id *fleet_find(const struct fleet *f,
    const char *word, struct err *e) MUST_USE;

/* The same, but a host without a "current" or "previous" has no say. */
const struct release_id *fleet_find_on_some(const struct fleet *f,
    const char *word, struct err *e) MUST_USE;

/* The latest id that any host knows: a new one has to be later.  Borrowed. */
const struct release_id *fleet_latest_id(const struct fleet *f);

/* The manifest of a release: from the cache, else from a host that has it. */
int fleet_manifest(struct fleet *f, const struct release_id *id,
    struct manifest *m, struct err *e) MUST_USE;

/*
 * Add the releases that wait on any host (view.h) and are neither previews nor
 * bridges, oldest first, each once.
 */
void fleet_waiting(const struct fleet *f, struct release_ids *out);

/* Add the ids that any host has, oldest first, each once. */
void fleet_releases(const struct fleet *f, struct release_ids *out);

#endif
