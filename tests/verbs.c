/*
 * usage: verbs PROGRAM ROOT [REQUEST]
 *
 * `deploy host serve ROOT` by a program for each request: PROGRAM host VERB
 * ROOT --key=value ..., with the same standard input and error.  So a test can
 * put a program of its own in the place of one verb.  A program that ends
 * without a last line "ok" or "error..." ends us, with its status.
 */
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WORDS_MAX = 64, LINE_LEN = 64 * 1024 };

static const char magic[] = "deploy-host 1\n";

/* The first request, percent-encoded, before the input. */
static const char *first_request = "";

static bool
read_byte(char *c)
{
	char hex[3] = "";

	if (*first_request == '\0')
		return read(STDIN_FILENO, c, 1) == 1;
	*c = *first_request++;
	if (*c == '%') {
		memcpy(hex, first_request, 2);
		*c = (char)strtol(hex, NULL, 16);
		first_request += 2;
	}
	return true;
}

/* The next line of the input, and not a byte more: it may be data. */
static bool
read_word(char *line)
{
	size_t n = 0;
	char *to = line;

	while (n < LINE_LEN - 1 && read_byte(line + n))
		if (line[n++] == '\n') {
			line[n - 1] = '\0';
			for (const char *p = line; *p != '\0'; p++)
				*to++ = *p != '\\' ? *p :
				    *++p == 'n'	   ? '\n' :
						     *p;
			*to = '\0';
			return true;
		}
	return false;
}

/* Write what the program says, without its magic line unless it is the first;
 * the last line, which may have NULs, ends up in `tail`.  Returns its length. */
static size_t
pass_on(int from, bool first, char tail[LINE_LEN])
{
	char data[LINE_LEN];
	size_t skip = first ? 0 : strlen(magic), at = 0, n = 0;
	ssize_t got;

	while ((got = read(from, data, sizeof(data))) > 0) {
		for (ssize_t i = 0; i < got; i++) {
			if (n == LINE_LEN - 1 ||
			    (n > 0 && tail[n - 1] == '\n'))
				n = 0;
			tail[n++] = data[i];
		}
		for (at = 0; skip > 0 && at < (size_t)got; at++)
			skip--;
		while (at < (size_t)got) {
			ssize_t w =
			    write(STDOUT_FILENO, data + at, (size_t)got - at);

			if (w <= 0)
				_exit(1);
			at += (size_t)w;
		}
	}
	tail[n] = '\0';
	return n;
}

/* Run it; 0 when its answer has an end. */
static int
run(char *const argv[], bool first)
{
	static char tail[LINE_LEN];
	int out[2], status;
	size_t len;
	pid_t pid;

	if (pipe(out) != 0 || (pid = fork()) < 0)
		return 1;
	if (pid == 0) {
		dup2(out[1], STDOUT_FILENO);
		close(out[0]);
		close(out[1]);
		execv(argv[0], argv);
		_exit(127);
	}
	close(out[1]);
	len = pass_on(out[0], first, tail);
	close(out[0]);
	if (waitpid(pid, &status, 0) != pid)
		return 1;
	/* What these give need not end in a newline. */
	if ((strcmp(argv[2], "files") == 0 ||
		strcmp(argv[2], "manifest") == 0 ||
		strcmp(argv[2], "signatures") == 0) &&
	    len > 3 &&
	    strcmp(tail + len - 3, "ok\n") == 0)
		return 0;
	if (strcmp(tail, "ok\n") == 0 || strncmp(tail, "error\t", 6) == 0)
		return 0;
	if (WIFSIGNALED(status))
		kill(getpid(), WTERMSIG(status));
	return WEXITSTATUS(status) != 0 ? WEXITSTATUS(status) : 1;
}

int
main(int argc, char **argv)
{
	static char words[WORDS_MAX][LINE_LEN];
	char host[] = "host", *call[WORDS_MAX + 4] = { NULL };

	if (argc < 3 || argc > 4)
		return 2;
	first_request = argc > 3 ? argv[3] : "";
	call[0] = argv[1];
	call[1] = host;
	call[3] = argv[2];
	for (bool first = true; read_word(words[0]); first = false) {
		size_t n = 0, i = 4;
		int status;

		while (words[0][0] == '\0')
			if (!read_word(words[0]))
				return 0;
		while (n < WORDS_MAX - 1 && words[n][0] != '\0' &&
		    read_word(words[n + 1]))
			n++;
		call[2] = words[0];
		for (size_t k = 1; k < n; k++)
			call[i++] = words[k];
		call[i] = NULL;
		status = run(call, first);
		if (status != 0)
			return status;
	}
	return 0;
}
