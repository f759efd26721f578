/* Lines of an answer: one each, and a sentence for every failure. */
#include "host/wire.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

static void
test_put_is_one_line(void)
{
	struct buf b = BUF_INIT;

	wire_put(&b, "locked", "%s", "ann\ncurrent\tevil\r\nok\n");
	CHECK_STR(b.data, "locked\tann current\tevil  ok \n");
	buf_reset(&b);
	wire_put(&b, "free", "%d\t%d", 1, 2);
	CHECK_STR(b.data, "free\t1\t2\n");
	buf_release(&b);
}

static void
test_error(void)
{
	static const char none[] = "the host failed and does not say why";
	static const struct {
		const char *value;
		enum err_code code;
		const char *text;
	} cases[] = {
		{ "5\ta pack is damaged", ERR_INTEGRITY, "a pack is damaged" },
		{ "10\tno space", ERR_GUARD, "no space" },
		{ "1\ta\tb", ERR_FAILED, "a; the host advises: b" },
		{ "0\tx", ERR_FAILED, "x" },
		{ "11\tx", ERR_FAILED, "x" },
		{ "-1\tx", ERR_FAILED, "-1\\x09x" },
		{ "x", ERR_FAILED, "x" },
		{ "5", ERR_INTEGRITY, "5" },
		{ "3\t", ERR_LOCKED, none },
		{ "", ERR_FAILED, none },
		{ "\t", ERR_FAILED, none },
		{ "2\t\x1b[2J", ERR_USAGE, "\\x1b[2J" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err e = ERR_INIT;

		CHECK(wire_error(cases[i].value, true, &e) == -1);
		CHECK_STR(e.text, cases[i].text);
		if (!CHECK(e.code == cases[i].code))
			printf("# %s: %d\n", cases[i].value, (int)e.code);
		CHECK(e.phase == PHASE_ANSWER);
	}
}

/* Words that some shell would take for something else. */
static const char *const words[] = { "plain", "", " ", "two words", "  x  ",
	"it's", "''", "'", "\"", "\"quoted\"", "\\", "\\\\", "\\'", "'\\",
	"a\\", "\\'; touch canary; #", "!", "!!", "wow!x", "a!'b", "'!'",
	"\\!", "!\\", "$", "$HOME", "${HOME}", "$(touch canary)",
	"`touch canary`", ";", "&", "&&", "|", "||", "<", ">", ">canary", "(",
	")", "()", "{a,b}", "{}", "[", "]", "[a-z]", "*", "/*", "?", "~",
	"~root", "#", "#x", "%", "%s%n", "%1", "^a^b", "^", "-", "-n", "--",
	"--x=y", "=", "=ls", "a=b", "\\n", "\\x41", "\\u0041", "@", "@(a)",
	"+(x)", ",", ":", "\xc3\xa4", "\xf0\x9f\x8e\x89", "\xff\xfe",
	"\xc2\x9b", "\xc3" };

/* What the other end makes of the error. */
static void
check_travels(const struct err *e, const char *line)
{
	struct buf b = BUF_INIT;
	struct wire_line l;
	struct err got = ERR_INIT;

	wire_put_end(&b, e);
	CHECK_STR(buf_str(&b), line);
	b.data[b.len - 1] = '\0';
	wire_split(b.data, &l);
	CHECK_STR(l.key, "error");
	CHECK(wire_error(l.value, false, &got) == -1);
	CHECK(got.code == e->code && got.phase == PHASE_ANSWER);
	CHECK(got.cure == e->cure);
	CHECK_STR(got.text, e->text);
	buf_release(&b);
}

static void
test_cure(void)
{
	struct err e = ERR_INIT;

	err_set(&e, ERR_USAGE, "there is no '%s';; see '%s'", "a; b", "c; d");
	check_travels(&e, "error\t2\tthere is no 'a; b'\tsee 'c; d'\n");
	err_set(&e, ERR_USAGE, "a; b");
	check_travels(&e, "error\t2\ta; b\n");
	/* What a host says is no format, and no more than one line. */
	CHECK(wire_error("1\ta;; b%s\tc\td\x1b", true, &e) == -1);
	CHECK_STR(e.text, "a;; b%s; the host advises: c\\x09d\\x1b");
	CHECK_STR(err_cure(&e), "the host advises: c\\x09d\\x1b");
	CHECK(wire_error("1\ta\t", true, &e) == -1);
	CHECK_STR(e.text, "a");
	CHECK(wire_error("1\t\tc", true, &e) == -1);
	CHECK_STR(err_cure(&e), "");
	CHECK(e.text[0] != '\0' && e.code == ERR_FAILED);
}

/* What `shell -c command` prints, without what it complains of. */
static int
run_shell(const char *shell, const char *command, struct buf *out)
{
	const char *busybox = strstr(shell, "busybox");
	int pipes[2], status = -1;
	char data[4096];
	ssize_t n;
	pid_t pid;

	if (pipe(pipes) != 0 || (pid = fork()) < 0)
		return -1;
	if (pid == 0) {
		dup2(pipes[1], STDOUT_FILENO);
		close(pipes[0]);
		close(pipes[1]);
		if (busybox != NULL)
			execl(shell, "busybox", "sh", "-c", command, NULL);
		else
			execl(shell, shell, "-c", command, NULL);
		_exit(127);
	}
	close(pipes[1]);
	while ((n = read(pipes[0], data, sizeof(data))) > 0)
		buf_add(out, data, (size_t)n);
	close(pipes[0]);
	return waitpid(pid, &status, 0) == pid && status == 0 ? 0 : -1;
}

/* Every shell that is here reads every word back. */
static void
test_quoting_holds_in_every_shell(void)
{
	static const char *const shells[] = { "/bin/sh", "/bin/dash",
		"/bin/bash", "/bin/zsh", "/bin/ksh", "/bin/mksh",
		"/usr/bin/fish", "/bin/csh", "/bin/tcsh", "/bin/busybox" };
	struct buf command = BUF_INIT, want = BUF_INIT, got = BUF_INIT;
	struct err e = ERR_INIT;

	buf_adds(&command, "printf ");
	CHECK(wire_quote(&command, "%s\\n", &e) == 0);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		buf_addc(&command, ' ');
		CHECK(wire_quote(&command, words[i], &e) == 0);
		buf_addf(&want, "%s\n", words[i]);
	}
	for (size_t i = 0; i < sizeof(shells) / sizeof(shells[0]); i++) {
		if (access(shells[i], X_OK) != 0)
			continue;
		buf_reset(&got);
		if (!CHECK(
			run_shell(shells[i], buf_str(&command), &got) == 0) ||
		    !CHECK(strcmp(buf_str(&got), buf_str(&want)) == 0))
			printf("# %s: %s\n", shells[i], buf_str(&got));
	}
	buf_release(&command);
	buf_release(&want);
	buf_release(&got);
}

/* A word that is quoted comes back from the forced command's own reader. */
static void
test_quoting_holds_for_a_forced_command(void)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		struct buf b = BUF_INIT;
		struct strvec v = STRVEC_INIT;
		struct err e = ERR_INIT;

		CHECK(wire_quote(&b, words[i], &e) == 0);
		if (!CHECK(wire_split_command(buf_str(&b), &v, &e) == 0 &&
			v.n == 1 && strcmp(v.v[0], words[i]) == 0))
			printf("# %s\n", words[i]);
		strvec_release(&v);
		buf_release(&b);
	}
}

/* What no shell takes is refused, and not changed. */
static void
test_control_characters_are_not_quoted(void)
{
	static const char *const bad[] = { "a\nb", "\n", "a\rb", "\t",
		"\x1b[2J", "\x7f", "\x01" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct buf b = BUF_INIT;
		struct err e = ERR_INIT;

		CHECK(wire_quote(&b, bad[i], &e) == -1);
		CHECK(e.code == ERR_USAGE);
		buf_release(&b);
	}
}

/* What a command may bring as its first request, and what not. */
static void
test_first_request(void)
{
	static const struct {
		const char *word, *request; /* NULL: refused */
	} cases[] = {
		{ "info%0a%0a", "info\n\n" },
		{ "", "" },
		{ "a-Z0._/-+,@:", "a-Z0._/-+,@:" },
		{ "%27%5c%21%24%60", "'\\!$`" },
		{ "%25", "%" },
		{ "%c3%a9", "\xc3\xa9" },
		{ "a b", NULL },
		{ "a'b", NULL },
		{ "\n", NULL },
		{ "%", NULL },
		{ "%0", NULL },
		{ "%0A", NULL },
		{ "%zz", NULL },
		{ "%00", NULL },
		{ "a%00b", NULL },
		{ "\xc3\xa9", NULL },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct wire_in in = WIRE_IN_INIT(-1);
		struct buf back = BUF_INIT;
		struct err e = ERR_INIT;
		int r = wire_take_first(&in, cases[i].word, &e);

		if (cases[i].request == NULL) {
			CHECK(r == -1 && e.code == ERR_USAGE);
			continue;
		}
		CHECK(r == 0 && in.len == strlen(cases[i].request) &&
		    memcmp(in.data, cases[i].request, in.len) == 0);
		wire_put_first(&back, cases[i].request);
		CHECK(strcmp(buf_str(&back), cases[i].word) == 0);
		buf_release(&back);
	}
}

/* Not a byte more than the bound. */
static void
test_first_request_is_bounded(void)
{
	char text[WIRE_FIRST_MAX + 2];

	for (size_t n = WIRE_FIRST_MAX - 1; n < sizeof(text); n++) {
		struct wire_in in = WIRE_IN_INIT(-1);
		struct err e = ERR_INIT;

		memset(text, 'a', n);
		text[n] = '\0';
		CHECK(wire_take_first(&in, text, &e) ==
		    (n <= WIRE_FIRST_MAX ? 0 : -1));
	}
}

UNIT_MAIN(UNIT(test_put_is_one_line), UNIT(test_error), UNIT(test_cure),
    UNIT(test_quoting_holds_in_every_shell),
    UNIT(test_quoting_holds_for_a_forced_command),
    UNIT(test_control_characters_are_not_quoted), UNIT(test_first_request),
    UNIT(test_first_request_is_bounded))
