#include "os/secret.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "os/io.h"

enum { HANDED_MAX = 128 * 1024 };

static const struct {
	const char *name;
	bool ours;  /* taken at the start */
	bool child; /* goes to a child that is this program */
} table[SECRET_COUNT] = {
	[SECRET_KEY] = { "DEPLOY_SSH_KEY", true, true },
	[SECRET_PASSPHRASE] = { "DEPLOY_SSH_KEY_PASSPHRASE", true, true },
	[SECRET_HOOK] = { "DEPLOY_HOOK_SECRET", true, false },
	[SECRET_NOTIFY] = { "DEPLOY_NOTIFY_SECRET", true, true },
	[SECRET_PG_PASSWORD] = { "PGPASSWORD", false, false },
};

static char *texts[SECRET_COUNT];

/* Memory of its own: in no core, empty in a child. */
static char *
keep(const char *text)
{
	size_t size = strlen(text) + 1;
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return xstrdup(text);
	(void)madvise(p, size, MADV_DONTDUMP);
	(void)madvise(p, size, MADV_WIPEONFORK);
	memcpy(p, text, size);
	return p;
}

/* Nobody else looks into this process, and it leaves no core. */
static void
close_process(void)
{
	struct rlimit core;

	(void)prctl(PR_SET_DUMPABLE, 0);
	/* A build that wants a core may raise it again. */
	if (getrlimit(RLIMIT_CORE, &core) == 0) {
		core.rlim_cur = 0;
		(void)setrlimit(RLIMIT_CORE, &core);
	}
}

static void
set_text(enum secret which, const char *text)
{
	if (texts[which] == NULL && *text != '\0')
		texts[which] = keep(text);
	if (texts[which] != NULL)
		close_process();
}

/* The value in "NAME=value"; NULL when it is another variable. */
static char *
value_of(char *var, const char *name)
{
	size_t len = strlen(name);

	return strncmp(var, name, len) == 0 && var[len] == '=' ?
	    var + len + 1 :
	    NULL;
}

void
secret_take(enum secret which)
{
	const char *name = table[which].name;
	bool any = false;

	/* A variable may be there twice; getenv(3) would show one. */
	for (char **var = environ; var != NULL && *var != NULL; var++) {
		char *value = value_of(*var, name);

		if (value == NULL)
			continue;
		any = true;
		set_text(which, value);
		explicit_bzero(value, strlen(value));
	}
	if (any)
		unsetenv(name);
}

/* What secret_hand_over() wrote: "NAME=value", ended by NUL, each. */
static void
read_handed(char *data, size_t len)
{
	for (char *p = data; p < data + len; p += strlen(p) + 1)
		for (int i = 0; i < SECRET_COUNT; i++) {
			const char *value = value_of(p, table[i].name);

			if (value != NULL)
				set_text((enum secret)i, value);
		}
}

/* Of the socket, if it is one, all that it holds. */
static void
take_handed(void)
{
	const char *number = getenv(SECRET_VARIABLE);
	int fd = number == NULL ? -1 : atoi(number);
	struct stat st;
	char *data;
	size_t len = 0;
	ssize_t n;

	if (fd <= STDERR_FILENO || fstat(fd, &st) != 0 ||
	    !S_ISSOCK(st.st_mode))
		return;
	data = xmalloc(HANDED_MAX + 1);
	while (len < HANDED_MAX &&
	    (n = recv(fd, data + len, HANDED_MAX - len, MSG_DONTWAIT)) > 0)
		len += (size_t)n;
	data[len] = '\0';
	read_handed(data, len);
	explicit_bzero(data, len);
	free(data);
	close(fd);
}

/* Those of each site, for webhook(1), are wiped: nobody wants them here. */
static void
wipe_hooks(void)
{
	static const char start[] = "DEPLOY_HOOK_SECRET_";

	for (char **var = environ; var != NULL && *var != NULL; var++) {
		char *value = strchr(*var, '=');

		if (value != NULL && strncmp(*var, start, strlen(start)) == 0)
			explicit_bzero(value + 1, strlen(value + 1));
	}
}

void
secret_init(void)
{
	for (int i = 0; i < SECRET_COUNT; i++)
		if (table[i].ours)
			secret_take((enum secret)i);
	wipe_hooks();
	take_handed();
	unsetenv(SECRET_VARIABLE);
}

const char *
secret_get(enum secret which)
{
	return texts[which];
}

/* All for a child of ours, as read_handed() wants it; false: there is none. */
static bool
put_handed(struct buf *out)
{
	size_t room = 0;

	/* Once, so that no copy is left behind by growing. */
	for (int i = 0; i < SECRET_COUNT; i++)
		if (table[i].child && texts[i] != NULL)
			room += strlen(table[i].name) + strlen(texts[i]) + 2;
	if (room == 0)
		return false;
	buf_reserve(out, room);
	for (int i = 0; i < SECRET_COUNT; i++)
		if (table[i].child && texts[i] != NULL) {
			buf_adds(out, table[i].name);
			buf_addc(out, '=');
			buf_add(out, texts[i], strlen(texts[i]) + 1);
		}
	return true;
}

int
secret_hand_over(struct err *e)
{
	struct buf b = BUF_INIT;
	int pair[2];
	ssize_t n;

	if (!put_handed(&b))
		return -1;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
		n = -1;
		pair[1] = -1;
	} else {
		n = send(pair[0], b.data, b.len, MSG_DONTWAIT | MSG_NOSIGNAL);
		close(pair[0]);
	}
	if (n != (ssize_t)b.len) {
		err_sys(e, "cannot hand %s over", table[SECRET_KEY].name);
		if (pair[1] >= 0)
			close(pair[1]);
		pair[1] = -2;
	}
	buf_wipe(&b);
	return pair[1];
}
