#include "os/ci.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "os/io.h"

static bool
is_set(const char *name)
{
	const char *v = getenv(name);

	return v != NULL && *v != '\0';
}

static bool
is_github(void)
{
	return is_set("GITHUB_ACTIONS");
}

static bool
is_gitlab(void)
{
	return is_set("GITLAB_CI");
}

/* The text after "::error::": %, CR and LF are escaped. */
static void
add_data(struct buf *b, const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '%' || *text == '\r' || *text == '\n')
			buf_addf(b, "%%%02X", (unsigned char)*text);
		else
			buf_addc(b, *text);
	}
}

void
ci_group(const char *title)
{
	if (is_github())
		fprintf(stderr, "::group::%s\n", title);
	else if (is_gitlab())
		fprintf(stderr, "section_start:%lld:deploy\r\033[0K%s\n",
		    (long long)(clock_now() / 1000), title);
}

void
ci_group_end(void)
{
	if (is_github())
		fprintf(stderr, "::endgroup::\n");
	else if (is_gitlab())
		fprintf(stderr, "section_end:%lld:deploy\r\033[0K\n",
		    (long long)(clock_now() / 1000));
}

bool
ci_annotate(const char *kind, const char *text)
{
	struct buf b = BUF_INIT;

	if (!is_github())
		return false;
	buf_addf(&b, "::%s title=deploy::", kind);
	add_data(&b, text);
	fprintf(stderr, "%s\n", buf_str(&b));
	buf_release(&b);
	return true;
}

/* Append to the file that the variable names. */
static int
append(const char *variable, const char *text, struct err *e)
{
	const char *path = getenv(variable);
	int fd, r;

	if (!is_github() || path == NULL || *path == '\0')
		return 0;
	fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
	r = fd >= 0 ? io_write(fd, text, strlen(text)) : -1;
	if (r != 0)
		err_sys(e, "cannot write '%s', which %s names", path,
		    variable);
	if (fd >= 0 && io_close(fd) != 0 && r == 0)
		r = err_sys(e, "cannot write '%s', which %s names", path,
		    variable);
	return r;
}

int
ci_output(const char *lines, struct err *e)
{
	return append("GITHUB_OUTPUT", lines, e);
}

int
ci_summary(const char *text, struct err *e)
{
	return append("GITHUB_STEP_SUMMARY", text, e);
}
