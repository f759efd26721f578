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

/* Append to the file that the variable names; failing is no matter. */
static void
append(const char *variable, const char *text, size_t len)
{
	const char *path = getenv(variable);
	int fd;

	if (!is_github() || path == NULL || *path == '\0')
		return;
	fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0)
		return;
	err_ignore(io_write(fd, text, len));
	err_ignore(io_close(fd));
}

void
ci_output(const char *key, const char *value)
{
	struct buf b = BUF_INIT;

	buf_addf(&b, "%s=%s\n", key, value);
	append("GITHUB_OUTPUT", b.data, b.len);
	buf_release(&b);
}

void
ci_summary(const char *text)
{
	append("GITHUB_STEP_SUMMARY", text, strlen(text));
}
