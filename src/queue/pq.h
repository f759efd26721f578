/*
 * libpq, loaded when a queue is in PostgreSQL, and the only door to it, for
 * the reason that curl.h gives: linked, it and the libraries that it wants
 * (Kerberos, LDAP) would slow down the start of every command.
 */
#ifndef PQ_H
#define PQ_H

#include <libpq-fe.h>

#include "base/err.h"

#define PQ_FUNCTIONS(DO) \
	DO(PQclear) DO(PQconnectdbParams) DO(PQconninfoFree) \
	DO(PQconninfoParse) DO(PQconsumeInput) DO(PQdb) \
	DO(PQerrorMessage) DO(PQfinish) DO(PQfreemem) DO(PQgetResult) \
	DO(PQgetisnull) DO(PQgetvalue) DO(PQhost) DO(PQisBusy) \
	DO(PQnfields) DO(PQnotifies) DO(PQntuples) DO(PQresultErrorField) \
	DO(PQresultStatus) DO(PQsendQuery) DO(PQsendQueryParams) \
	DO(PQsetNoticeReceiver) DO(PQsocket) \
	DO(PQstatus) DO(PQtransactionStatus)

/* Its functions, by their names. */
#define PQ_MEMBER(name) __typeof__(name) *name;
struct pq {
	PQ_FUNCTIONS(PQ_MEMBER)
};

/* The library, ready to use; NULL with ERR_FAILED when it is not there. */
const struct pq *pq_load(struct err *e) MUST_USE;

#endif
