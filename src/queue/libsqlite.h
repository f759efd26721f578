/*
 * SQLite, loaded when a queue is in a file, and the only door to it: as pq.h,
 * and for the reason that library.h gives.
 */
#ifndef LIBSQLITE_H
#define LIBSQLITE_H

#include <sqlite3.h>

#include "base/library.h"

#define LIBSQLITE_FUNCTIONS(DO) \
	DO(sqlite3_bind_parameter_count) DO(sqlite3_bind_parameter_name) \
	DO(sqlite3_bind_text) DO(sqlite3_busy_timeout) DO(sqlite3_close) \
	DO(sqlite3_column_count) DO(sqlite3_column_text) DO(sqlite3_errmsg) \
	DO(sqlite3_errstr) DO(sqlite3_extended_result_codes) \
	DO(sqlite3_finalize) DO(sqlite3_get_autocommit) DO(sqlite3_open_v2) \
	DO(sqlite3_prepare_v2) DO(sqlite3_step) DO(sqlite3_system_errno)

/* Its functions, by their names; null until they are loaded. */
extern struct libsqlite {
	LIBSQLITE_FUNCTIONS(LIBRARY_MEMBER)
} lite;

/* 0, or -1 with ERR_FAILED when it is not installed; as library_load(). */
int libsqlite_load(struct err *e) MUST_USE;

#endif
