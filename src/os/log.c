#include "os/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/release.h"
#include "base/text.h"
#include "os/ci.h"
#include "os/journald.h"

enum {
	COLUMNS = 80,	  /* of a terminal that does not say */
	COLUMNS_MIN = 10, /* less is no use */
	ERASE_MAX = 32,
};

static enum log_level level = LOG_NORMAL;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char status[256]; /* what stands on the last line, "" nothing */
static char *fields[LOG_FIELDS];
static const char *const field_names[LOG_FIELDS] = { "DEPLOY_SITE",
	"DEPLOY_JOB", "DEPLOY_RELEASE" };
static _Thread_local char host[256]; /* "": none */

void
log_set_level(enum log_level l)
{
	level = l;
}

enum log_level
log_level(void)
{
	return level;
}

void
log_set_field(enum log_field field, const char *value)
{
	pthread_mutex_lock(&lock);
	free(fields[field]);
	fields[field] = xstrdup_opt(value);
	pthread_mutex_unlock(&lock);
}

void
log_set_host(const char *label)
{
	snprintf(host, sizeof(host), "%s", label != NULL ? label : "");
}

bool
log_is_terminal(void)
{
	const char *term = getenv("TERM");

	return isatty(STDERR_FILENO) &&
	    (term == NULL || strcmp(term, "dumb") != 0);
}

static bool
has_colour(void)
{
	const char *no = getenv("NO_COLOR"); /* no-color.org */

	return log_is_terminal() && (no == NULL || *no == '\0');
}

size_t
log_columns(void)
{
	struct winsize w = { 0 };

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 0)
		return w.ws_col > COLUMNS_MIN ? w.ws_col : COLUMNS_MIN;
	return COLUMNS;
}

/*
 * Under the lock: what takes the status line away.  A terminal that has become
 * narrower has divided it.
 */
static void
erase(char out[ERASE_MAX])
{
	size_t len = strlen(status), columns = log_columns();

	if (len > columns)
		snprintf(out, ERASE_MAX, "\r\033[%zuA\033[J",
		    (len - 1) / columns);
	else
		snprintf(out, ERASE_MAX, "\r\033[K");
}

static const char *
priority(const char *label)
{
	return strcmp(label, "error: ") == 0 ? "3" :
	    strcmp(label, "warning: ") == 0  ? "4" :
					       "6";
}

/*
 * Under the lock: make an entry of the journal, with what the line is about.  Not
 * where only its variable says that standard error is the journal.
 */
static bool
enter(const char *label, const char *text)
{
	struct buf entry = BUF_INIT;
	struct stat st;
	bool done;

	if (fstat(STDERR_FILENO, &st) != 0 || !S_ISSOCK(st.st_mode))
		return false;
	journald_add(&entry, "MESSAGE", text);
	journald_add(&entry, "PRIORITY", priority(label));
	journald_add(&entry, "SYSLOG_IDENTIFIER", "deploy");
	for (size_t i = 0; i < LOG_FIELDS; i++)
		if (fields[i] != NULL)
			journald_add(&entry, field_names[i], fields[i]);
	if (*host != '\0')
		journald_add(&entry, "DEPLOY_HOST", host);
	done = journald_send(&entry);
	buf_release(&entry);
	return done;
}

/* What a line of the journal begins with, as sd-daemon(3) has it. */
static void
mark(const char *label, char out[8])
{
	snprintf(out, 8, "<%s>", priority(label));
}

/* Print a line above the status line, in one write. */
static void
print(const char *colour, const char *label, const char *text)
{
	bool coloured = *colour != '\0' && has_colour();
	char out[TEXT_LINE_MAX + sizeof(status) + 64], clear[ERASE_MAX] = "";
	char first[8] = "";

	if (strcmp(label, "warning: ") == 0 && ci_annotate("warning", text))
		return;
	pthread_mutex_lock(&lock);
	if (journald_is(STDERR_FILENO) && enter(label, text)) {
		pthread_mutex_unlock(&lock);
		return;
	}
	if (journald_is(STDERR_FILENO))
		mark(label, first);
	if (status[0] != '\0')
		erase(clear);
	snprintf(out, sizeof(out), "%s%sdeploy: %s%s%s%s\n%s", clear, first,
	    coloured ? colour : "", label, coloured ? "\033[0m" : "", text,
	    status);
	fputs(out, stderr);
	pthread_mutex_unlock(&lock);
}

/* Format, make it safe for a terminal, print. */
#define PRINT(colour, label) \
	do { \
		char text[TEXT_LINE_MAX], clean[TEXT_LINE_MAX]; \
		va_list ap; \
\
		va_start(ap, fmt); \
		vsnprintf(text, sizeof(text), fmt, ap); \
		va_end(ap); \
		text_clean(clean, sizeof(clean), text); \
		release_shorten(clean); \
		print(colour, label, clean); \
	} while (0)

void
log_info(const char *fmt, ...)
{
	if (level >= LOG_NORMAL)
		PRINT("", "");
}

void
log_debug(const char *fmt, ...)
{
	if (level >= LOG_VERBOSE)
		PRINT("", "");
}

void
log_warn(const char *fmt, ...)
{
	PRINT("\033[33m", "warning: ");
}

void
log_err(const struct err *e)
{
	size_t sum = e->sum;
	char all[sizeof(e->text)], *text = all;

	memcpy(all, e->text, sizeof(all));
	release_shorten(all);
	if (ci_annotate("error", all))
		return;
	if (sum > 0) {
		memcpy(all, e->text, sizeof(all));
		all[sum] = '\0';
		text += sum + strlen(": ");
		release_shorten(text);
	}
	print("\033[31m", "error: ", text);
	if (sum > 0)
		print("", "", all);
}

void
log_set_status(const char *line)
{
	char out[sizeof(status) + ERASE_MAX], clear[ERASE_MAX];

	pthread_mutex_lock(&lock);
	erase(clear);
	snprintf(status, sizeof(status), "%s", line);
	snprintf(out, sizeof(out), "%s%s", clear, status);
	fputs(out, stderr);
	pthread_mutex_unlock(&lock);
}
