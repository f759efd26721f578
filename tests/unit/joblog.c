/* Logs of jobs: what is kept of too much, and which are kept. */
#include "queue/joblog.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "unit.h"

static struct dir dir = DIR_INIT;
static struct err e;

/* The log of job 1, after `n` times `text` in a log that holds `limit`. */
static struct buf
log_of(const char *text, size_t n, int64_t limit)
{
	struct joblog l = JOBLOG_INIT;
	struct buf out = BUF_INIT;

	CHECK(joblog_remove(&dir, 1, &e) == 0);
	CHECK(joblog_open(&l, &dir, 1, limit, &e) == 0);
	for (size_t i = 0; i < n; i++)
		joblog_add(&l, text, strlen(text));
	joblog_close(&l);
	CHECK(joblog_read(&dir, 1, &out, &e) == 0);
	return out;
}

static void
open_dir(void)
{
	char path[512];
	const char *tmp = getenv("TMPDIR");

	snprintf(path, sizeof(path), "%s/unit-joblog-XXXXXX",
	    tmp != NULL ? tmp : "/tmp");
	if (dir.fd < 0 && mkdtemp(path) != NULL)
		CHECK(dir_open_path(&dir, path, &e) == 0);
}

static void
test_what_fits(void)
{
	struct buf text;

	open_dir();
	text = log_of("0123456789", 10, 100);
	CHECK(text.len == 100);
	CHECK(strncmp(buf_str(&text), "0123456789012", 13) == 0);
	buf_release(&text);
	text = log_of("", 3, 100);
	CHECK(text.len == 0);
	buf_release(&text);
}

static void
test_too_much(void)
{
	struct buf text;

	open_dir();
	text = log_of("0123456789", 100000, 1000);
	CHECK(text.len < 1100);
	CHECK(strstr(text.data, "\n[999000 bytes left out]\n") != NULL);
	CHECK(strncmp(text.data, "0123456789", 10) == 0);
	CHECK_STR(text.data + text.len - 10, "0123456789");
	buf_release(&text);
	/* One byte more than the beginning holds. */
	text = log_of("x", 751, 1000);
	CHECK(text.len == 751);
	buf_release(&text);
}

static void
test_tries_are_appended(void)
{
	struct joblog l = JOBLOG_INIT;
	struct buf out = BUF_INIT;

	open_dir();
	for (int i = 0; i < 2; i++) {
		CHECK(joblog_open(&l, &dir, 7, 100, &e) == 0);
		joblog_add(&l, i == 0 ? "one\n" : "two\n", 4);
		joblog_close(&l);
	}
	CHECK(joblog_read(&dir, 7, &out, &e) == 0);
	CHECK_STR(buf_str(&out), "one\ntwo\n");
	buf_release(&out);
}

static void
test_tail(void)
{
	struct joblog l = JOBLOG_INIT;
	const char *tail;
	size_t len;

	open_dir();
	CHECK(joblog_open(&l, &dir, 8, 1000, &e) == 0);
	tail = joblog_tail(&l, 10, &len);
	CHECK(len == 0 && tail != NULL);
	joblog_add(&l, "first\nsecond\nthird\n", 19);
	tail = joblog_tail(&l, 100, &len);
	CHECK(len == 19 && strncmp(tail, "first\n", 6) == 0);
	/* From the beginning of a line. */
	tail = joblog_tail(&l, 9, &len);
	CHECK(len == 6 && strncmp(tail, "third\n", 6) == 0);
	/* A line that is longer than that is cut. */
	tail = joblog_tail(&l, 4, &len);
	CHECK(len == 4 && strncmp(tail, "ird\n", 4) == 0);
	joblog_close(&l);
}

static void
test_rotation(void)
{
	struct joblog l = JOBLOG_INIT;
	struct strvec names = STRVEC_INIT;

	open_dir();
	for (int i = 1; i <= 12; i++) {
		CHECK(joblog_open(&l, &dir, i, 100, &e) == 0);
		joblog_close(&l);
	}
	CHECK(close(openat(dir.fd, "notes", O_CREAT, 0600)) == 0);
	CHECK(joblog_prune(&dir, 3, &e) == 0);
	CHECK(dir_list(&dir, &names, &e) == 0);
	REQUIRE(names.n == 4);
	CHECK_STR(names.v[0], "10.log");
	CHECK_STR(names.v[2], "12.log");
	/* What is no log is not ours. */
	CHECK_STR(names.v[3], "notes");
	strvec_release(&names);
}

static void
test_clean_up(void)
{
	struct dir here = DIR_INIT;

	CHECK(dir_open_path(&here, "/", &e) == 0);
	CHECK(dir_remove_tree(&here, dir.path + 1, &e) == 0);
	dir_close(&here);
	dir_close(&dir);
}

UNIT_MAIN(UNIT(test_what_fits), UNIT(test_too_much),
    UNIT(test_tries_are_appended), UNIT(test_tail), UNIT(test_rotation),
    UNIT(test_clean_up))
