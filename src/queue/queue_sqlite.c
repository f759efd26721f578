/*
 * The embedded queue: a directory with
 *
 *	queue.db	SQLite, in WAL mode (and its -wal and -shm)
 *	claims/SITE	locked with flock(2) while the site is claimed
 *	wake		written when there is something to look at
 *
 * A claim is an open file description: it ends when the last process that
 * has it is gone, however that ended.  Every commit reaches the disk
 * (synchronous=FULL) before anybody is told of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/number.h"
#include "base/quote.h"
#include "os/io.h"
#include "queue/joblog.h"
#include "queue/libsqlite.h"
#include "queue/queue_db.h"
#include "queue/queue_dir.h"

#define FILE_NAME "queue.db"
#define CLAIMS "claims"
#define WAKE "wake"

enum { APPLICATION = 0x64706c79 }; /* "dply", for file(1) */

struct sqlite_queue {
	struct queue_db db;
	struct dir dir;
	char *path;
	sqlite3 *sq;
	struct stat opened; /* the file that we have open */
	int watch;	    /* inotify(7); -1: none */
};

static const struct queue_db_ops ops;

/* ---- errors ------------------------------------------------------------ */

/* Can no file be made?  SQLite only says that it cannot open or write then. */
static bool
lacks_inodes(const struct sqlite_queue *q)
{
	struct err ignored = ERR_INIT;
	struct dir_space space;

	return dir_space(&q->dir, &space, &ignored) == 0 && space.inodes == 0;
}

/* Of what there is none, and what can go.  -1. */
static int
no_room(const struct sqlite_queue *q, struct err *e)
{
	const char *what = lacks_inodes(q) ? "inodes" : "space";

	err_set(e, ERR_GUARD,
	    "the disk of the queue '%s' has no %s left;; make room there, of old logs ('%s/logs') or whatever else is in it",
	    q->path, what, q->dir.path);
	e->sys = ENOSPC;
	return -1;
}

/* What SQLite says, as one of our errors.  -1. */
static int
fault(struct sqlite_queue *q, int code, struct err *e)
{
	int sys = q->sq != NULL ? lite.sqlite3_system_errno(q->sq) : 0;
	const char *why = q->sq != NULL ? lite.sqlite3_errmsg(q->sq) :
					  lite.sqlite3_errstr(code);

	q->db.again = false;
	if (sys == ENOSPC || sys == EDQUOT ||
	    (((code & 0xff) == SQLITE_CANTOPEN ||
		 (code & 0xff) == SQLITE_READONLY) &&
		lacks_inodes(q)))
		return no_room(q, e);
	switch (code & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return err_set(e, ERR_LOCKED,
		    "the queue '%s' is locked by another program", q->path);
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return err_set(e, ERR_INTEGRITY,
		    "the queue '%s' is damaged (%s);; move it away, and enqueue the sites again",
		    q->path, why);
	case SQLITE_FULL:
		return no_room(q, e);
	case SQLITE_CONSTRAINT:
		q->db.again = true;
		break;
	case SQLITE_READONLY:
	case SQLITE_PERM:
	case SQLITE_CANTOPEN:
		err_set(e, ERR_FAILED, "cannot write the queue '%s' (%s)",
		    q->path, why);
		return err_append(e,
		    ";; it, and the directory, must be writable for this user or group");
	default:
		break;
	}
	if (sys != 0) {
		errno = sys;
		return err_sys(e, "the queue '%s'", q->path);
	}
	return err_set(e, ERR_FAILED, "the queue '%s': %s", q->path, why);
}

/* ---- statements -------------------------------------------------------- */

/* Give the parameters to a statement, by the number in their name. */
static int
bind(sqlite3_stmt *stmt, const char *const *params, size_t n)
{
	int r = SQLITE_OK;

	for (int i = 1; i <= lite.sqlite3_bind_parameter_count(stmt); i++) {
		const char *name = lite.sqlite3_bind_parameter_name(stmt, i);
		int64_t k;

		if (name == NULL || !number_parse(name + 1, 1, (int64_t)n, &k))
			BUG("a parameter that was not given");
		r = lite.sqlite3_bind_text(stmt, i, params[k - 1], -1,
		    SQLITE_STATIC);
		if (r != SQLITE_OK)
			return r;
	}
	return r;
}

/* Run it to its end, and collect what it answers.  A code of SQLite. */
static int
step(sqlite3_stmt *stmt, struct queue_rows *rows)
{
	int r, width = lite.sqlite3_column_count(stmt);

	if (rows != NULL && width > 0)
		rows->width = (size_t)width;
	while ((r = lite.sqlite3_step(stmt)) == SQLITE_ROW)
		for (int i = 0; rows != NULL && i < width; i++)
			queue_rows_add(rows,
			    (const char *)lite.sqlite3_column_text(stmt, i));
	return r == SQLITE_DONE ? SQLITE_OK : r;
}

static int
exec(struct queue_db *db, const char *sql, const char *const *params, size_t n,
    struct queue_rows *rows, struct err *e)
{
	struct sqlite_queue *q = (struct sqlite_queue *)db;
	sqlite3_stmt *stmt = NULL;
	int r = lite.sqlite3_prepare_v2(q->sq, sql, -1, &stmt, NULL);

	q->db.again = false;
	if (r == SQLITE_OK)
		r = bind(stmt, params, n);
	if (r == SQLITE_OK)
		r = step(stmt, rows);
	if (r != SQLITE_OK)
		fault(q, r, e);
	(void)lite.sqlite3_finalize(stmt);
	return r == SQLITE_OK ? 0 : -1;
}

/* Run what has no parameters and no answer. */
static int
plain(struct sqlite_queue *q, const char *sql, struct err *e)
{
	return exec(&q->db, sql, NULL, 0, NULL, e);
}

/* A writer waits for another one here, not half-way. */
static int
begin(struct queue_db *db, bool alone, struct err *e)
{
	(void)alone;
	return plain((struct sqlite_queue *)db, "BEGIN IMMEDIATE", e);
}

static int
commit(struct queue_db *db, struct err *e)
{
	return plain((struct sqlite_queue *)db, "COMMIT", e);
}

static void
rollback(struct queue_db *db)
{
	struct err ignored = ERR_INIT;

	if (lite.sqlite3_get_autocommit(((struct sqlite_queue *)db)->sq) == 0)
		(void)plain((struct sqlite_queue *)db, "ROLLBACK", &ignored);
}

/* ---- claims ------------------------------------------------------------ */

/*
 * The file of one site is not for us, or none: 2, with what to do about it;
 * -1: it is about all.
 */
static int
judge_file(const struct sqlite_queue *q, const struct dir *claims,
    const char *site, struct err *e)
{
	char *path = xasprintf("%s/%s", claims->path, site);
	bool denied = e->sys == EACCES || e->sys == EPERM;
	bool odd = e->sys == ELOOP || e->sys == 0;

	if (denied)
		err_append(e,
		    "; no job of '%s' is done;; give it to whom the queue belongs: sudo chown --reference=%s %s",
		    site, QUOTED(q->dir.path), QUOTED(path));
	else if (odd)
		err_append(e, "; no job of '%s' is done;; remove it: rm -r %s",
		    site, QUOTED(path));
	free(path);
	return denied || odd ? 2 : -1;
}

static int
claim(struct queue_db *db, const char *site, struct queue_claim *c,
    struct err *e)
{
	struct sqlite_queue *q = (struct sqlite_queue *)db;
	struct dir claims = DIR_INIT;
	int r = -1;

	if (queue_dir_enter(&claims, &q->dir, CLAIMS, e) != 0)
		return -1;
	c->fd = queue_dir_file(&claims, site, O_RDONLY, e);
	if (c->fd >= 0 && io_flock(c->fd, LOCK_EX | LOCK_NB) == 0)
		r = 1;
	else if (c->fd >= 0 && errno == EWOULDBLOCK)
		r = 0;
	else if (c->fd >= 0)
		err_sys(e, "cannot lock '%s/%s'", claims.path, site);
	else
		r = judge_file(q, &claims, site, e);
	if (r != 1 && c->fd >= 0) {
		close(c->fd);
		c->fd = -1;
	}
	dir_close(&claims);
	return r;
}

static void
unclaim(struct queue_claim *c)
{
	close(c->fd);
}

static bool
lost(struct queue_claim *c)
{
	(void)c;
	return false;
}

/* ---- waking up --------------------------------------------------------- */

/* Closing what was written is what the others see. */
static int
wake(struct queue_db *db, struct err *e)
{
	struct sqlite_queue *q = (struct sqlite_queue *)db;
	int fd = queue_dir_file(&q->dir, WAKE, O_WRONLY, e);

	if (fd < 0)
		return -1;
	close(fd);
	return 0;
}

static int
listen_to(struct queue_db *db, struct err *e)
{
	struct sqlite_queue *q = (struct sqlite_queue *)db;

	if (q->watch >= 0)
		return q->watch;
	q->watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (q->watch >= 0 &&
	    inotify_add_watch(q->watch, q->dir.path,
		IN_CLOSE_WRITE | IN_MOVE | IN_DELETE | IN_DELETE_SELF) >= 0)
		return q->watch;
	err_sys(e, "cannot watch '%s'", q->dir.path);
	if (q->watch >= 0)
		close(q->watch);
	q->watch = -1;
	return -1;
}

/* Is the file still there that we have open? */
static bool
is_there(const struct sqlite_queue *q)
{
	struct stat st;

	return stat(q->path, &st) == 0 && st.st_ino == q->opened.st_ino &&
	    st.st_dev == q->opened.st_dev;
}

static int
heed(struct queue_db *db, struct err *e)
{
	struct sqlite_queue *q = (struct sqlite_queue *)db;
	char events[16384];
	int any = 0;

	while (q->watch >= 0 &&
	    io_read_some(q->watch, events, sizeof(events)) > 0)
		any = 1;
	if (is_there(q))
		return any;
	return err_set(e, ERR_FAILED, "the queue '%s' was taken away",
	    q->path);
}

/* ---- opening ----------------------------------------------------------- */

static void
close_queue(struct queue_db *db)
{
	struct sqlite_queue *q = (struct sqlite_queue *)db;

	if (q->sq != NULL)
		(void)lite.sqlite3_close(q->sq);
	if (q->watch >= 0)
		close(q->watch);
	dir_close(&q->dir);
	free(q->path);
	free(q);
}

/* Of version 1; queue_db_upgrade() goes on. */
static const char *const schema[] = {
	"CREATE TABLE deploy_jobs ("
	"id INTEGER PRIMARY KEY AUTOINCREMENT, site TEXT NOT NULL, "
	"state TEXT NOT NULL, priority INTEGER NOT NULL, ref TEXT, "
	"reason TEXT, who TEXT, requests INTEGER NOT NULL, "
	"created INTEGER NOT NULL, due INTEGER NOT NULL, started INTEGER, "
	"ended INTEGER, tries INTEGER NOT NULL DEFAULT 0, "
	"deaths INTEGER NOT NULL DEFAULT 0, status INTEGER, message TEXT, "
	"tail TEXT, worker TEXT, host TEXT, token TEXT, stopped_by TEXT, "
	"merged_into INTEGER)",
	"CREATE UNIQUE INDEX deploy_jobs_waiting ON deploy_jobs (site) "
	"WHERE state = 'waiting'",
	"CREATE UNIQUE INDEX deploy_jobs_running ON deploy_jobs (site) "
	"WHERE state = 'running'",
	"CREATE INDEX deploy_jobs_state ON deploy_jobs (state, id)",
	"PRAGMA application_id = 1685089401",
};

/* A number that a PRAGMA tells. */
static int
pragma(struct sqlite_queue *q, const char *sql, int64_t *out, struct err *e)
{
	struct queue_rows rows = QUEUE_ROWS_INIT;
	int r = exec(&q->db, sql, NULL, 0, &rows, e);

	*out = r == 0 && rows.n > 0 ? queue_rows_int(&rows, 0, 0) : 0;
	queue_rows_release(&rows);
	return r;
}

/*
 * A queue may have been there before, which was damaged: numbers go on where
 * its logs end, or they would be those of new jobs.
 */
static int
begin_numbers(struct sqlite_queue *q, struct err *e)
{
	struct err ignored = ERR_INIT;
	struct dir logs = DIR_INIT;
	int64_t last = 0;
	char sql[96];

	if (dir_open(&logs, &q->dir, "logs", &ignored) == 0)
		last = joblog_last(&logs);
	dir_close(&logs);
	if (last == 0 || last > INT64_MAX / 2)
		return 0;
	snprintf(sql, sizeof(sql),
	    "INSERT INTO sqlite_sequence (name, seq) "
	    "VALUES ('deploy_jobs', %lld)",
	    (long long)last);
	return plain(q, sql, e);
}

/* Make the tables of version 1 in an empty database. */
static int
make_first(struct sqlite_queue *q, struct err *e)
{
	int64_t tables;

	if (pragma(q, "SELECT count(*) FROM sqlite_schema", &tables, e) != 0)
		return -1;
	if (tables > 0)
		return err_set(e, ERR_USAGE,
		    "'%s' is no queue of deploy;; name another directory as 'queue'",
		    q->path);
	for (size_t i = 0; i < sizeof(schema) / sizeof(schema[0]); i++)
		if (plain(q, schema[i], e) != 0)
			return -1;
	return begin_numbers(q, e);
}

/* Make the tables, or bring older ones up to date; in a transaction. */
static int
bring_up_to_date(struct sqlite_queue *q, struct err *e)
{
	int64_t version;
	char sql[48];

	if (pragma(q, "PRAGMA user_version", &version, e) != 0 ||
	    (version == 0 && make_first(q, e) != 0) ||
	    queue_db_upgrade(&q->db, version == 0 ? 1 : version, e) != 0)
		return -1;
	/* Somebody else may have been faster, with a newer one. */
	if (version >= QUEUE_VERSION)
		return 0;
	snprintf(sql, sizeof(sql), "PRAGMA user_version = %d", QUEUE_VERSION);
	return plain(q, sql, e);
}

static int
make_tables(struct sqlite_queue *q, struct err *e)
{
	if (begin(&q->db, true, e) == 0 && bring_up_to_date(q, e) == 0 &&
	    commit(&q->db, e) == 0)
		return 0;
	rollback(&q->db);
	return -1;
}

/* Is it a queue, and one that we know?  An empty one becomes one, and one of
 * an older version one of ours. */
static int
check_version(struct sqlite_queue *q, struct err *e)
{
	int64_t version, application;

	if (pragma(q, "PRAGMA user_version", &version, e) != 0 ||
	    pragma(q, "PRAGMA application_id", &application, e) != 0)
		return -1;
	if (version == 0)
		return make_tables(q, e);
	if (application != APPLICATION)
		return err_set(e, ERR_USAGE,
		    "'%s' is no queue of deploy;; name another directory as 'queue'",
		    q->path);
	if (version > QUEUE_VERSION)
		return err_set(e, ERR_USAGE,
		    "the queue '%s' was made by a newer deploy (version %lld, this one knows %d);; update this one",
		    q->path, (long long)version, QUEUE_VERSION);
	return version < QUEUE_VERSION ? make_tables(q, e) : 0;
}

/* Before SQLite does it, so that the right users can write to it. */
static int
make_file(struct sqlite_queue *q, bool make, struct err *e)
{
	int fd;

	if (!make && stat(q->path, &q->opened) != 0)
		return err_sys(e, "there is no queue '%s'", q->path);
	fd = queue_dir_file(&q->dir, FILE_NAME, O_RDONLY, e);
	if (fd < 0)
		return -1;
	close(fd);
	if (stat(q->path, &q->opened) != 0)
		return err_sys(e, "cannot look at '%s'", q->path);
	return 0;
}

/*
 * Switch to a write-ahead log, which the file remembers.  Two that do it at
 * once are not made to wait for each other by SQLite.
 */
static int
use_wal(struct sqlite_queue *q, int64_t wait, struct err *e)
{
	int64_t end = clock_ms() + wait * 1000;

	while (plain(q, "PRAGMA journal_mode = WAL", e) != 0) {
		if (e->code != ERR_LOCKED || clock_ms() >= end)
			return -1;
		clock_pause(20);
	}
	return 0;
}

/* How much of it is made besides the file. */
enum mode {
	SHARED,	  /* its -wal and -shm */
	ALONE,	  /* no -shm: the index of the -wal is in our memory, and
		 * nobody else comes in */
	AS_IT_IS, /* nothing: there is no -wal, so all is in the file */
};

/* The path as a URI that says so. */
static char *
as_it_is(const char *path)
{
	struct buf b = BUF_INIT;

	buf_adds(&b, "file:");
	for (; *path != '\0'; path++)
		if (strchr("%?#", *path) != NULL)
			buf_addf(&b, "%%%02x", (unsigned int)*path);
		else
			buf_addc(&b, *path);
	buf_adds(&b, "?immutable=1");
	return buf_detach(&b);
}

static int
open_file(struct sqlite_queue *q, int64_t wait, enum mode mode, struct err *e)
{
	char *name = mode == AS_IT_IS ? as_it_is(q->path) : xstrdup(q->path);
	int r = lite.sqlite3_open_v2(name, &q->sq,
	    SQLITE_OPEN_NOFOLLOW |
		(mode == AS_IT_IS ? SQLITE_OPEN_READONLY | SQLITE_OPEN_URI :
				    SQLITE_OPEN_READWRITE),
	    NULL);

	free(name);
	if (r != SQLITE_OK)
		return fault(q, r, e);
	(void)lite.sqlite3_extended_result_codes(q->sq, 1);
	(void)lite.sqlite3_busy_timeout(q->sq,
	    wait > 1000000 ? 1000000000 : (int)wait * 1000);
	if (mode == ALONE &&
	    plain(q, "PRAGMA locking_mode = EXCLUSIVE", e) != 0)
		return -1;
	if (mode != AS_IT_IS &&
	    (use_wal(q, wait, e) != 0 ||
		plain(q, "PRAGMA synchronous = FULL", e) != 0))
		return -1;
	return check_version(q, e);
}

/*
 * Who only looks can do so on a full disk, too.  That keeps others out, for
 * as long as it takes: a worker would be in everybody's way.
 */
static int
open_all(struct sqlite_queue *q, bool make, int64_t wait, struct err *e)
{
	int r;

	if (make_file(q, make, e) != 0)
		return -1;
	r = open_file(q, wait, SHARED, e);
	for (int mode = ALONE;
	     r != 0 && !make && e->sys == ENOSPC && mode <= AS_IT_IS; mode++) {
		struct stat st;

		if (mode == AS_IT_IS &&
		    fstatat(q->dir.fd, FILE_NAME "-wal", &st, 0) == 0)
			break;
		(void)lite.sqlite3_close(q->sq);
		q->sq = NULL;
		*e = (struct err)ERR_INIT;
		r = open_file(q, wait, (enum mode)mode, e);
	}
	return r;
}

/*
 * SQLite's write-ahead log is memory that all share, and a claim a lock that
 * the kernel keeps: over a network neither holds, and two machines would damage
 * the queue.
 */
static int
check_place(const struct sqlite_queue *q, struct err *e)
{
	const char *network = dir_network(&q->dir);

	if (network == NULL)
		return 0;
	return err_set(e, ERR_USAGE,
	    "the queue '%s' is on %s, where neither the database nor the claims hold;; name a directory on a disk of this machine as 'queue', or, for several machines, postgresql://",
	    q->dir.path, network);
}

struct queue_db *
queue_sqlite_open(const char *path, bool make, int64_t wait, struct err *e)
{
	struct sqlite_queue *q = xcalloc(1, sizeof(*q));

	q->db.ops = &ops;
	q->watch = -1;
	q->dir = (struct dir)DIR_INIT;
	if (libsqlite_load(e) == 0 &&
	    queue_dir_open(&q->dir, path, make, e) == 0 &&
	    check_place(q, e) == 0) {
		q->path = xasprintf("%s/%s", q->dir.path, FILE_NAME);
		if (open_all(q, make, wait, e) == 0)
			return &q->db;
	}
	close_queue(&q->db);
	return NULL;
}

static const struct queue_db_ops ops = {
	.skip_locked = "",
	.strings = "SELECT value AS item FROM json_each($2)",
	.exec = exec,
	.begin = begin,
	.commit = commit,
	.rollback = rollback,
	.claim = claim,
	.unclaim = unclaim,
	.lost = lost,
	.wake = wake,
	.listen = listen_to,
	.heed = heed,
	.close = close_queue,
};
