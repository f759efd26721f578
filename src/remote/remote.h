/*
 * One host as the client sees it: the verbs of deploy-host(7) as functions,
 * over any transport.  Each call belongs to the host's own thread.
 */
#ifndef REMOTE_H
#define REMOTE_H

#include <stdbool.h>
#include <stdint.h>

#include "content/guard.h"
#include "os/caller.h"
#include "config/config.h"
#include "os/dir.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/strvec.h"
#include "root/freeze.h"
#include "content/manifest.h"
#include "os/lock.h"
#include "root/meta.h"
#include "remote/pack.h"
#include "root/previews.h"
#include "root/prune.h"
#include "remote/transport.h"
#include "root/view.h"

/* How long a host may take, in seconds. */
struct remote_waits {
	int64_t lock;			/* to get its lock */
	int64_t silence;		/* to say something */
	int64_t hook;			/* for the root's hook to end */
};

/* Who stages on a host. */
struct remote_stage {
	struct release_id id;		/* what it will be */
	struct lock_note note;
};

struct remote {
	const struct host_config *host;
	const struct caller *caller;
	struct remote_waits waits;
	struct transport transport;
	char *said;			/* "LABEL: ", or "" */
	bool connected;
	/* The program there; ask.h. */
	struct transport_proc program;
	struct transport_proc next;	/* that waits for the next requests */
	bool greeted;			/* it has said that it is there */
	bool speaks_sh;			/* it is the sh verbs */
	bool script;			/* so it says itself (version) */
	bool asking;			/* an answer is not read to its end */
	uint64_t parts;			/* of the sh verbs that it has got */
	int64_t answer_end;		/* clock_ms(); when it must be over */
	size_t answer_left;		/* bytes that it may still have */
	struct buf line;		/* of the answer */
	bool settle;			/* remote_info(): what the host tells is
					 * to be on its disk */
	/* From remote_info(). */
	char *limited;			/* the verbs that our key is limited to,
					 * with commas; "": to all but adopt;
					 * NULL: it is not, or nobody told */
	char *place;			/* the same for each name of the root;
					 * NULL: not known */
	bool prepared;			/* the root is one */
	bool made;			/* this command has made it one */
	struct release_id latest;
	char digest[HASH_HEX + 1];	/* of the live release, or "" */
	int64_t seq;			/* of its meta; -1: none */
	bool verified;			/* the live release, since it is live */
	bool frozen;
	bool freeze_told;		/* its record could be read: `freeze` */
	struct freeze freeze;		/* as far as it is known */
	bool cannot_link;		/* files there are another user's */
	bool has_zstd, has_gzip;
	bool has_delta;			/* takes edits (pack_edits.h) */
	bool makes_gzip;		/* with the library that this program has */
	bool has_bridge;		/* knows bridges (bridge.h), and this key
					 * may bring one and make it live */
	int64_t journal_size;
	struct guard_room room;		/* what is free there */
	char *locked;			/* who holds the lock, or NULL */
	struct remote_stage *stages;	/* that are under way there */
	size_t n_stages;
	struct previews previews;	/* that it has */
	char *version;
	bool full;			/* all was asked for and given */
	bool stale;			/* it has flipped since then */
	struct strvec drift;		/* differences of the live release from
					 * its manifest; REMOTE_DRIFT */
	struct view view;		/* current; the rest when full */
	struct meta *metas;		/* of view.ids, when full */
	/* While it is armed. */
	bool armed;
	int64_t took;			/* ms from the word to the answer, as the
					 * host says; 0: it does not */
	struct release_id flipping;	/* what the last activation named */
	int64_t live_at;		/* clock_us() when it said that it is
					 * live; 0: it did not */
	bool was_live;			/* it was when the lock was got */
	bool hook_runs;			/* the root's hook runs there still:
					 * remote_await_hook() */
	char *hook_failure;		/* what came of it, or NULL: well */
	/* From fleet_bridge_back(). */
	struct release_id way_back;	/* a bridge that goes live in the place
					 * of what is gone back to, or none */
	/* From fleet_activate(). */
	bool flipped;			/* it serves what it did not before */
	struct release_id before;	/* live on it before */
	struct release_id before_bridge; /* that stood for it; none: none did */
	/* How the last step ended. */
	bool failed;
	struct err err;
};

void remote_init(struct remote *r, const struct host_config *h,
    const struct caller *c, const struct remote_waits *waits);
void remote_release(struct remote *r);

/* Say in the error which host it is, unless it is this machine.  -1. */
int remote_say(const struct remote *r, struct err *e);

/* "www2: " for what is told of a host; "" for this machine. */
const char *remote_said(const struct remote *r);

/* Add what went over its connection, in bytes. */
void remote_traffic(const struct remote *r, uint64_t *sent,
    uint64_t *received);

/* A round trip to it in us, as this connection's last ones were; 0 here. */
int64_t remote_round_trip(const struct remote *r);

/* Connect.  0, or -1 with ERR_UNREACHABLE. */
int remote_open(struct remote *r, struct err *e) MUST_USE;

/* How much to ask for. */
enum remote_question {
	REMOTE_STATE,			/* what is live, and so on */
	REMOTE_ALL,			/* also releases, metas, journal */
	REMOTE_ALL_UNLESS,		/* the same, unless a tree digest is
					 * live already */
	REMOTE_DRIFT,			/* all, and what of the live release
					 * is not what its manifest says */
};

/*
 * Ask for the state of the root; `digest` is for REMOTE_ALL_UNLESS.  A root
 * that is not prepared is no error.  0 or -1.
 */
int remote_info(struct remote *r, enum remote_question q, const char *digest,
    struct err *e) MUST_USE;

/* Forget what remote_info() found. */
void remote_forget(struct remote *r);

/*
 * The host has got a release: as if it had been asked again.  `meta` is
 * copied.
 */
void remote_learn(struct remote *r, const struct meta *meta);

/* The meta of a release that the host has (after a full info), or NULL. */
const struct meta *remote_meta(const struct remote *r,
    const struct release_id *id);

/*
 * May our key use the verb there, as far as the host told?  Who asks before it
 * begins uploads nothing in vain.  0, or -1 with ERR_UNREACHABLE.
 */
int remote_need_verb(const struct remote *r, const char *verb,
    struct err *e) MUST_USE;

/* Is the release a bridge, as far as the host told (after a full info)? */
bool remote_is_bridge(const struct remote *r, const struct release_id *id);

/* The best compression that the host can undo. */
enum pack_compression remote_compression(const struct remote *r);

/* Fetch the manifest of a release.  0 or -1. */
int remote_manifest(struct remote *r, const struct release_id *id,
    struct manifest *m, struct err *e) MUST_USE;

/* Files of a release, whose sizes and digests are those of entries of `m`. */
struct remote_choice {
	const struct release_id *id;
	const struct manifest *m;
	const size_t *indices;	/* of those entries */
	size_t n;
};

/*
 * Fetch them; each becomes a file in `to`, called by its digest in hexadecimal.
 * 0 or -1.
 */
int remote_files(struct remote *r, const struct remote_choice *which,
    const struct dir *to, struct err *e) MUST_USE;

/*
 * The same for a few small files, which are entries of `m`, the manifest of
 * the release: each into a buffer, compressed on the way to at most `*bytes`
 * bytes; then it says to how many.  A host without r->has_delta compresses
 * nothing, and is asked when any number will do (INT64_MAX), which stays.
 * 0 or -1.
 */
int remote_samples(struct remote *r, const struct remote_choice *which,
    struct buf *out, int64_t *bytes, struct err *e) MUST_USE;

/*
 * Fetch the hashes of the chunks (chunk.h) of files, which are entries of `m`,
 * the manifest of the release: of each so many times CHUNK_HASH bytes into a
 * buffer.  Only of hosts with r->has_delta.  0 or -1.
 */
int remote_signatures(struct remote *r, const struct remote_choice *which,
    struct buf *out, struct err *e) MUST_USE;

struct remote_receive {
	const struct release_id *id;
	const char *group;		/* NULL: none */
	const struct release_ids *uses;	/* releases there that it links to;
					 * NULL: none */
	int64_t bytes, inodes;		/* that the release needs at least */
	enum pack_compression compression;
	bool filled;			/* as receive.h */
	const struct release_id *base;	/* the same */
	const struct release_id *repair; /* the same */
	bool manifest;			/* the same */
	bool goes_on;			/* requests follow that do not wait */
	/* Each line of the answer, with its own context; may be NULL. */
	void (*line)(void *ctx, const char *key, const char *value);
	void *line_ctx;
	/* Gives the pack: more bytes, 0 at its end, -1 with the error. */
	ssize_t (*read)(void *ctx, void *data, size_t len, struct err *e);
	/* Told now and then how many bytes of the pack it has taken; may be
	 * NULL. */
	void (*taken)(void *ctx, int64_t bytes);
	/* Called when the host is ready, before the pack; may be NULL. */
	int (*ready)(void *ctx, struct remote *r, const char *incoming,
	    struct err *e);
	void *ctx;
};

/*
 * Send a pack; the release is complete on the host afterwards, or what it is
 * to mend is mended.  0 or -1.
 */
int remote_receive(struct remote *r, const struct remote_receive *o,
    struct err *e) MUST_USE;

/*
 * A newer build has the content of a release that the host has: meta_raise()
 * there.  Nothing is asked when it is known to be done.  0 or -1.
 */
int remote_note(struct remote *r, const struct release_id *id, int64_t seq,
    const char *commit, struct err *e) MUST_USE;

struct remote_activate {
	const struct release_id *id;
	const struct release_id *stands_for; /* NULL: `id` is no bridge that is
					 * gone back to */
	const struct release_id *expect; /* none for nothing; NULL: what info
					 * found */
	const char *message;
	const struct strvec *skipped;	/* hosts left out; NULL: none */
	const struct release_ids *before; /* of a sync; NULL: none */
	struct journal_line *left;	/* the same: rollbacks elsewhere */
	size_t n_left;
	int64_t seq;			/* the same: the last that counts; 0:
					 * the release's own */
	int64_t journal_size;		/* -1: any */
	enum journal_action action;
	unsigned int overrides;		/* OVERRIDE_FREEZE, OVERRIDE_ORDER */
	bool preview;
};

/*
 * The release is live there, and the checks were passed: remember that.  0, or
 * -1: with ERR_SUPERSEDED when another one is live by now.
 */
int remote_note_verified(struct remote *r, const struct release_id *id,
    struct err *e) MUST_USE;

/* The highest sequence that counts: of what was live not long ago; or -1. */
int64_t remote_last_sequence(const struct remote *r);

/*
 * Would a release with the sequence `seq`, which is not there yet, be refused
 * as of the last info?  0, or -1 with ERR_LOCKED or ERR_SUPERSEDED.
 */
int remote_check_guards(const struct remote *r, int64_t seq,
    unsigned int overrides, struct err *e) MUST_USE;

/*
 * Check all guards on the host, take its lock, and wait there for the word,
 * at most `deadline` ms from now or from the last remote_hold().  0 or -1:
 * not armed.
 */
int remote_arm(struct remote *r, const struct remote_activate *o,
    int64_t deadline, struct err *e) MUST_USE;

/* Ask an armed host to go on waiting.  0 or -1. */
int remote_hold(struct remote *r, struct err *e) MUST_USE;

/* Say go to an armed host; its answer is for remote_went().  0 or -1. */
int remote_go(struct remote *r, struct err *e) MUST_USE;

/*
 * The answer to go, within `timeout` ms: 0 when the release is live, and then
 * a hook may run there; -1 when the host says that it is not (PHASE_ANSWER), or
 * that live it is but not synced (ERR_CLEANUP), or when there is no answer:
 * unknown.
 */
int remote_went(struct remote *r, int64_t timeout, struct err *e) MUST_USE;

/* An armed host that shall not flip; or a hook that is not waited for. */
void remote_disarm(struct remote *r);

/*
 * Wait for the end of the hook that a flip has started, if there is one.  How
 * it failed is then in r->hook_failure.
 */
void remote_await_hook(struct remote *r);

/* Activate at once, without the others; a hook may run then.  0 or -1. */
int remote_activate(struct remote *r, const struct remote_activate *o,
    struct err *e) MUST_USE;

/*
 * The options of freeze.  A host in C needs half of them, the sh verbs the
 * others.
 */
void remote_freeze_args(const struct freeze *f, struct strvec *out);

/*
 * Prune as the host's own state wants it; the sh verbs have to be told, and
 * asked before if they have flipped.  `line` as for remote_call().  0 or -1.
 */
int remote_prune(struct remote *r, const struct prune_options *o,
    void (*line)(void *ctx, const char *key, const char *value), void *ctx,
    struct err *e) MUST_USE;

/* The highest `keep` with which a prune now removes something; 0: none does. */
unsigned int remote_keep_that_frees(const struct remote *r);

/*
 * Any verb: `args` (may be NULL) are its options; each line of the answer is
 * given to `line`, which may be NULL.  0 or -1.
 */
int remote_call(struct remote *r, const char *verb, const struct strvec *args,
    void (*line)(void *ctx, const char *key, const char *value), void *ctx,
    struct err *e) MUST_USE;

#endif
