/*
 * What a queue needs of a database, and who provides it: queue_sqlite.c, one
 * file that the processes of one machine share, and queue_pg.c, PostgreSQL.
 * The rules of the queue are in queue.c, once, in the SQL that both know;
 * here is what they do in different ways: transactions, claims, waking up.
 *
 * Parameters are $1, $2, ...; all values travel as text, NULL is NULL.
 */
#ifndef QUEUE_DB_H
#define QUEUE_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { QUEUE_VERSION = 4 };	/* of the tables; see queue_db_upgrade() */

/* The rows of an answer, cell by cell. */
struct queue_rows {
	char **cells;		/* owned; NULL for NULL */
	size_t n;		/* cells */
	size_t width;		/* cells of a row */
};

#define QUEUE_ROWS_INIT { NULL, 0, 1 }

void queue_rows_add(struct queue_rows *rows, const char *cell);	/* copies */
void queue_rows_release(struct queue_rows *rows);	/* neutral accepted */
size_t queue_rows_count(const struct queue_rows *rows);
const char *queue_rows_text(const struct queue_rows *rows, size_t row,
    size_t column);			/* borrowed; NULL for NULL */
int64_t queue_rows_int(const struct queue_rows *rows, size_t row,
    size_t column);			/* 0 for NULL */

/*
 * The right to do the jobs of one site, which nobody else has meanwhile.  It
 * is a descriptor, of a locked file or of a database session, and lasts until
 * the last process that has it open is gone: a child that gets `fd` (run.h)
 * keeps it when we are killed.
 */
struct queue_claim {
	int fd;			/* -1: none */
	void *session;		/* of PostgreSQL */
	const struct queue_db_ops *ops;
};

#define QUEUE_CLAIM_INIT { -1, NULL, NULL }

struct queue_db;

struct queue_db_ops {
	/* Appended to a SELECT for a row that somebody else may be changing. */
	const char *skip_locked;

	/* A SELECT of the strings of the JSON list $2, as `item`. */
	const char *strings;

	/*
	 * Run one statement; `rows` may be NULL.  0, or -1; then `again` of
	 * the database says whether the whole transaction is worth another
	 * try, because another one came in between.
	 */
	int (*exec)(struct queue_db *db, const char *sql,
	    const char *const *params, size_t n, struct queue_rows *rows,
	    struct err *e);

	/* A transaction; `alone`: no other of that kind at the same time. */
	int (*begin)(struct queue_db *db, bool alone, struct err *e);
	int (*commit)(struct queue_db *db, struct err *e);
	void (*rollback)(struct queue_db *db);

	/*
	 * Try to claim a site.  1, 0 when somebody has it, 2 when this one
	 * alone cannot be claimed, for the reason in `e`, or -1.  A claim does
	 * not need the database that it is from any more.
	 */
	int (*claim)(struct queue_db *db, const char *site,
	    struct queue_claim *c, struct err *e);
	void (*unclaim)(struct queue_claim *c);
	/* Is it lost, because the session broke?  When `fd` is readable. */
	bool (*lost)(struct queue_claim *c);

	/* Let everybody who listens look again. */
	int (*wake)(struct queue_db *db, struct err *e);
	/* A descriptor that is readable when we are to look again; or -1. */
	int (*listen)(struct queue_db *db, struct err *e);
	/*
	 * Make it unreadable; 1 when there was something, also if that came
	 * with an answer and the descriptor did not show it: to be called
	 * before each wait.  -1: the database is not what it was; reopen.
	 */
	int (*heed)(struct queue_db *db, struct err *e);

	void (*close)(struct queue_db *db);
};

/* Each database is a struct that begins with this. */
struct queue_db {
	const struct queue_db_ops *ops;
	bool wakes_at_commit;	/* `wake` belongs into the transaction */
	bool again;
};

/*
 * Open the database in the directory `path`, or at a URL.  `make`: also when
 * there is none yet; else that is an error with ENOENT in e->sys.  `wait` is
 * how many seconds a locked one is waited for.
 */
struct queue_db *queue_sqlite_open(const char *path, bool make, int64_t wait,
    struct err *e) MUST_USE;
struct queue_db *queue_pg_open(const char *url, int64_t wait, struct err *e)
    MUST_USE;

/*
 * In a transaction: bring tables of `version` (1: as the database made them)
 * to QUEUE_VERSION; the number itself is the caller's.  Every step only adds:
 * a worker of the version before that has the queue open goes on with it, and
 * is told to be updated when it opens it the next time.  0 or -1.
 */
int queue_db_upgrade(struct queue_db *db, int64_t version, struct err *e)
    MUST_USE;

#endif
