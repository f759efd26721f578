/*
 * One value of deploy.yml: read it, or say what is wrong with it and where it
 * stands.  A text or number that is NULL was not given, and leaves what is in
 * `out`, the default.  All return 0, or -1 with ERR_USAGE.
 */
#ifndef VALUE_H
#define VALUE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/strvec.h"
#include "config/yamlcheck.h"

/* One reading of one file. */
struct value_reader {
	const struct yamlcheck *yaml;
	const char *dir;	/* relative paths are relative to it */
	char base[64];		/* the site or host, such as sites[0]. */
	char key[128];		/* the key in it, such as sites[0].keep */
	struct err *e;
};

/* Go to a key of `base`: the one that value_fault() is about from now on. */
void value_at(struct value_reader *r, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Report what is wrong with the value of the key that we are at.  -1. */
int value_fault(struct value_reader *r, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Refuse a '$': who writes one takes it for a variable. */
int value_check_unexpanded(struct value_reader *r, const char *text) MUST_USE;

/*
 * Check that `text` names something inside the release; a '/' at its end says
 * nothing and is cut off.
 */
int value_check_inside(struct value_reader *r, char *text) MUST_USE;

/* A path of this machine, made absolute. */
int value_read_path(struct value_reader *r, const char *key,
    const char *text, char **path) MUST_USE;

/* A URL that curl can fetch, of the key that the reader is at. */
int value_read_url(struct value_reader *r, const char *text,
    struct strvec *out) MUST_USE;

/* "address", "address:port" or "[address]:port"; NULL: none. */
int value_read_connect(struct value_reader *r, const char *key,
    const char *text, char **out) MUST_USE;

/* A duration of at least a second: how long something may take. */
int value_read_limit(struct value_reader *r, const char *key, const char *text,
    int64_t *seconds) MUST_USE;

int value_read_duration(struct value_reader *r, const char *key,
    const char *text, int64_t *seconds) MUST_USE;

/* How long a host is to wait for something: a day at most. */
int value_read_wait(struct value_reader *r, const char *key,
    const char *text, int64_t *seconds) MUST_USE;

/* A percentage, with or without its sign. */
int value_read_percent(struct value_reader *r, const char *key,
    const char *text, unsigned int *percent) MUST_USE;

/* A number of bytes, or of so many k or M. */
int value_read_size(struct value_reader *r, const char *key,
    const char *text, int64_t *bytes) MUST_USE;

/* A list of patterns; what can match nothing is refused. */
int value_read_patterns(struct value_reader *r, const char *key, char **v,
    size_t n, struct strvec *out) MUST_USE;

/* One of them: the i-th. */
int value_read_pattern(struct value_reader *r, const char *key, size_t i,
    char *text, struct strvec *out) MUST_USE;

/* A text that is a name or a path of somewhere else. */
int value_read_word(struct value_reader *r, const char *key,
    const char *text, char **out) MUST_USE;

/* The fingerprint of a key, "SHA256:" and base64; its padding may be there. */
int value_read_fingerprint(struct value_reader *r, const char *key,
    const char *text, char **out) MUST_USE;

/* A number from `least` to `most`. */
int value_read_count(struct value_reader *r, const char *key,
    const unsigned int *given, unsigned int least, unsigned int most,
    unsigned int *out) MUST_USE;

#endif
