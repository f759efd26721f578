/*
 * A preloaded library that disturbs a program at one of its system calls.
 * It counts the calls that concern files below FAULT_UNDER, from 1, and at
 * the FAULT_AT-th does what FAULT_MODE says.  The program finds one CPU, so
 * that it uses one thread and the same number is the same call each time.
 *
 * FAULT_UNDER	directories, separated by colons; without it nothing happens
 * FAULT_CALLS	which calls count: names and groups, separated by commas;
 *		default: all.  The groups:
 *		change	may change a file or a directory
 *		space	of those: may find the disk full
 *		data	read or write content; may do less than asked for
 *		sync	bring to disk
 *		close	close a file that is open for writing
 *		look	only look, or lock
 *		send	send to a socket, whatever FAULT_UNDER is; only where
 *			it is named
 *		An open(2) that may create or truncate is called "creat".
 * FAULT_AT	number of the call; without it, FAULT_EXEC is for every call
 * FAULT_MODE	kill	die by SIGKILL before the call
 *		error	the call is not done and fails with FAULT_ERRNO
 *		late	the call is done, and reported as failed
 *		short	a data call does half of what it should
 *		torn	the same, and then die by SIGKILL
 * FAULT_ERRNO	EIO (default), ENOSPC, EMFILE, EINTR, ...
 * FAULT_REPEAT	1: so do all the calls that follow
 * FAULT_EXEC	instead of all that: run this command before the call and
 *		go on; it finds FAULT_N, FAULT_CALL and FAULT_PATH
 * FAULT_LOG	append a line "NUMBER CALL PATH" for each call
 * FAULT_HIT	the same, only for calls that are disturbed
 * FAULT_SKIP	which of the calls of the group sync succeed without doing
 *		anything, anywhere: names, or "sync" for all
 */
#undef _FORTIFY_SOURCE

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	CHANGE = 1,
	SPACE = 2,
	DATA = 4,
	SYNC = 8,
	CLOSE = 16,
	LOOK = 32,
	SEND = 64,
};

static const struct {
	const char *name;
	int flag;
} groups[] = {
	{ "change", CHANGE },
	{ "space", SPACE },
	{ "data", DATA },
	{ "sync", SYNC },
	{ "close", CLOSE },
	{ "look", LOOK },
	{ "send", SEND },
};

static const struct {
	const char *name;
	int value;
} errors[] = {
	{ "EIO", EIO },
	{ "ENOSPC", ENOSPC },
	{ "EDQUOT", EDQUOT },
	{ "EMFILE", EMFILE },
	{ "EINTR", EINTR },
	{ "EROFS", EROFS },
	{ "EMLINK", EMLINK },
	{ "EXDEV", EXDEV },
	{ "EPERM", EPERM },
	{ "EINVAL", EINVAL },
	{ "ENOSYS", ENOSYS },
	{ "EOPNOTSUPP", EOPNOTSUPP },
	{ "EACCES", EACCES },
	{ "ENOMEM", ENOMEM },
};

/* What becomes of a call. */
enum fate { GO, FAIL, LATE, HALF, TORN };

static struct {
	bool on;
	const char *under;
	const char *calls;
	const char *exec;
	unsigned long at; /* 0: not set */
	enum { KILL, ERROR, LATE_ERROR, SHORT, TEAR } mode;
	int error;
	bool repeat;
	const char *skip;
	int log; /* -1: none */
	int hits;
} set = { .skip = "", .log = -1, .hits = -1 };

static atomic_ulong count;

/* The function that this library stands before. */
#define NEXT(fn) (__extension__(__typeof__(&fn)) dlsym(RTLD_NEXT, #fn))

/* Nobody shall take a mistyped test for a passed one. */
static void
give_up(const char *why, const char *what)
{
	dprintf(STDERR_FILENO, "faults: %s '%s'\n", why, what);
	abort();
}

static void
choose_mode(const char *mode)
{
	static const char *const names[] = { "kill", "error", "late", "short",
		"torn" };

	for (int i = 0; i < 5; i++)
		if (strcmp(mode, names[i]) == 0) {
			set.mode = i;
			return;
		}
	give_up("FAULT_MODE is", mode);
}

static void
choose_error(const char *name)
{
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (strcmp(name, errors[i].name) == 0)
			set.error = errors[i].value;
	if (set.error == 0)
		give_up("FAULT_ERRNO is", name);
}

/* Open a log for appending; the descriptor, or -1 without a path. */
static int
open_log(const char *path)
{
	int fd, high;

	if (path == NULL)
		return -1;
	fd = NEXT(open)(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	/* Out of the way of the program's own descriptors. */
	high = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 200);
	if (high < 0)
		give_up("cannot open the log", path);
	NEXT(close)(fd);
	return high;
}

static const char *
get(const char *name, const char *otherwise)
{
	const char *v = getenv(name);

	return v == NULL || *v == '\0' ? otherwise : v;
}

__attribute__((constructor)) static void
begin(void)
{
	set.skip = get("FAULT_SKIP", "");
	set.under = get("FAULT_UNDER", NULL);
	if (set.under == NULL)
		return;
	set.calls = get("FAULT_CALLS", "change,sync,close,look");
	set.exec = get("FAULT_EXEC", NULL);
	set.at = strtoul(get("FAULT_AT", "0"), NULL, 10);
	set.repeat = strcmp(get("FAULT_REPEAT", ""), "1") == 0;
	choose_mode(get("FAULT_MODE", "kill"));
	choose_error(get("FAULT_ERRNO", "EIO"));
	set.log = open_log(get("FAULT_LOG", NULL));
	set.hits = open_log(get("FAULT_HIT", NULL));
	set.on = true;
}

/* Is `word` in the list of words that commas separate? */
static bool
is_listed(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = list; *p != '\0'; p += *p == ',') {
		size_t len = strcspn(p, ",");

		if (len == n && strncmp(p, word, n) == 0)
			return true;
		p += len;
	}
	return false;
}

static bool
is_counted(const char *call, int flags)
{
	if (is_listed(set.calls, call))
		return true;
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
		if ((flags & groups[i].flag) != 0 &&
		    is_listed(set.calls, groups[i].name))
			return true;
	return false;
}

/* The path of `name` in the directory `at`; name NULL: of `at` itself. */
static void
find_path(int at, const char *name, char out[PATH_MAX])
{
	char dir[PATH_MAX] = "", link[64];
	long n;

	if (name != NULL && *name == '/') {
		snprintf(out, PATH_MAX, "%s", name);
		return;
	}
	if (at == AT_FDCWD) {
		n = syscall(SYS_getcwd, dir, sizeof(dir)) - 1;
	} else {
		snprintf(link, sizeof(link), "/proc/self/fd/%d", at);
		n = syscall(SYS_readlinkat, AT_FDCWD, link, dir,
		    sizeof(dir) - 1);
	}
	dir[n < 0 ? 0 : n] = '\0';
	n = snprintf(out, PATH_MAX, "%s", dir);
	if (name != NULL && n < PATH_MAX)
		snprintf(out + n, PATH_MAX - (size_t)n, "/%s", name);
}

/* Is the path one of the directories of FAULT_UNDER, or below one? */
static bool
is_under(const char *path)
{
	for (const char *p = set.under; *p != '\0'; p += *p == ':') {
		size_t len = strcspn(p, ":");

		if (len > 0 && strncmp(path, p, len) == 0 &&
		    (path[len] == '/' || path[len] == '\0'))
			return true;
		p += len;
	}
	return false;
}

/* Append a call to an open log. */
static void
write_log(int log, unsigned long n, const char *call, const char *path)
{
	char line[PATH_MAX + 64];
	int len;

	if (log < 0)
		return;
	len = snprintf(line, sizeof(line), "%lu %s %s\n", n, call, path);
	if (syscall(SYS_write, log, line, len) != len)
		give_up("cannot log the call", call);
}

/* Run FAULT_EXEC and wait for it. */
static void
run_command(unsigned long n, const char *call, const char *path)
{
	char number[32];
	int status = -1;
	pid_t pid;

	snprintf(number, sizeof(number), "%lu", n);
	pid = fork();
	if (pid == 0) {
		unsetenv("LD_PRELOAD");
		setenv("FAULT_N", number, 1);
		setenv("FAULT_CALL", call, 1);
		setenv("FAULT_PATH", path, 1);
		execl("/bin/sh", "sh", "-c", set.exec, (char *)NULL);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
		give_up("this command failed:", set.exec);
}

static bool
is_skipped(const char *call)
{
	return is_listed(set.skip, call) || is_listed(set.skip, "sync");
}

static void
die(void)
{
	syscall(SYS_kill, (pid_t)syscall(SYS_getpid), SIGKILL);
	abort();
}

/* What the mode means for this call. */
static enum fate
disturb(int flags)
{
	switch (set.mode) {
	case ERROR:
		return FAIL;
	case LATE_ERROR:
		return LATE;
	case SHORT:
		return (flags & DATA) != 0 ? HALF : GO;
	case TEAR:
		if ((flags & DATA) != 0)
			return TORN;
		die();
		break;
	case KILL:
		die();
	}
	return GO;
}

/*
 * Count a call that is about to be done on `name` in `at` (NULL: on the
 * descriptor `at`), and say what becomes of it.  errno stays.
 */
static enum fate
step(const char *call, int flags, int at, const char *name)
{
	int saved = errno;
	char path[PATH_MAX];
	unsigned long n;
	bool hit;

	if (!set.on || !is_counted(call, flags))
		return GO;
	find_path(at, name, path);
	errno = saved;
	if ((flags & SEND) == 0 && !is_under(path))
		return GO;
	n = atomic_fetch_add(&count, 1) + 1;
	write_log(set.log, n, call, path);
	hit = n == set.at || (set.repeat && set.at != 0 && n > set.at) ||
	    (set.at == 0 && set.exec != NULL);
	if (hit)
		write_log(set.hits, n, call, path);
	if (hit && set.exec != NULL)
		run_command(n, call, path);
	errno = saved;
	return hit && set.exec == NULL ? disturb(flags) : GO;
}

/* Report a failure for a call that was not done, or was. */
static long
result(enum fate fate, long r)
{
	if (fate != FAIL && fate != LATE)
		return r;
	errno = set.error;
	return -1;
}

/* The body of a function that returns -1 on an error. */
#define CALL(fn, flags, at, name, ...) \
	do { \
		enum fate fate_ = step(#fn, flags, at, name); \
\
		return (int)result(fate_, \
		    fate_ == FAIL ? -1 : NEXT(fn)(__VA_ARGS__)); \
	} while (0)

/* The same for one that moves `len` bytes and may move fewer. */
#define MOVE(fn, flags, fd, len, ...) \
	do { \
		enum fate fate_ = step(#fn, (flags) | DATA, fd, NULL); \
		ssize_t r_ = -1; \
\
		if (fate_ == HALF || fate_ == TORN) \
			len = (len + 1) / 2; \
		if (fate_ != FAIL) \
			r_ = NEXT(fn)(__VA_ARGS__); \
		if (fate_ == TORN) \
			die(); \
		return (ssize_t)result(fate_, r_); \
	} while (0)

/* And for one that brings to disk. */
#define TO_DISK(fn, fd, ...) \
	do { \
		enum fate fate_ = step(#fn, SYNC, fd, NULL); \
		int r_ = 0; \
\
		if (fate_ != FAIL && !is_skipped(#fn)) \
			r_ = NEXT(fn)(__VA_ARGS__); \
		return (int)result(fate_, r_); \
	} while (0)

static int
open_any(int at, const char *name, int flags, mode_t mode)
{
	bool creates = (flags & (O_CREAT | O_TRUNC)) != 0;
	enum fate fate;

	if (creates)
		fate = step("creat", CHANGE | SPACE, at, name);
	else
		fate = step("open", LOOK, at, name);
	return (int)result(fate,
	    fate == FAIL ? -1 : NEXT(openat)(at, name, flags, mode));
}

/* The mode that open() and openat() have when they may create. */
#define GET_MODE(last, mode) \
	do { \
		va_list ap_; \
\
		va_start(ap_, last); \
		if ((last & (O_CREAT | O_TMPFILE)) != 0) \
			mode = va_arg(ap_, mode_t); \
		va_end(ap_); \
	} while (0)

int
open(const char *name, int flags, ...)
{
	mode_t mode = 0;

	GET_MODE(flags, mode);
	return open_any(AT_FDCWD, name, flags, mode);
}

/* As libraries call it that are built for large files, such as SQLite. */
int
open64(const char *name, int flags, ...)
{
	mode_t mode = 0;

	GET_MODE(flags, mode);
	return open_any(AT_FDCWD, name, flags, mode);
}

int
openat(int at, const char *name, int flags, ...)
{
	mode_t mode = 0;

	GET_MODE(flags, mode);
	return open_any(at, name, flags, mode);
}

/* Closed it is in any case, as on Linux. */
int
close(int fd)
{
	int how = fcntl(fd, F_GETFL), r;
	enum fate fate = GO;

	if (how != -1 && (how & O_ACCMODE) != O_RDONLY)
		fate = step("close", CLOSE, fd, NULL);
	r = NEXT(close)(fd);
	return (int)result(fate, r);
}

int
mkdir(const char *name, mode_t mode)
{
	CALL(mkdir, CHANGE | SPACE, AT_FDCWD, name, name, mode);
}

int
mkdirat(int at, const char *name, mode_t mode)
{
	CALL(mkdirat, CHANGE | SPACE, at, name, at, name, mode);
}

ssize_t
write(int fd, const void *data, size_t len)
{
	MOVE(write, CHANGE | SPACE, fd, len, fd, data, len);
}

ssize_t
pwrite(int fd, const void *data, size_t len, off_t at)
{
	MOVE(pwrite, CHANGE | SPACE, fd, len, fd, data, len, at);
}

ssize_t
pwrite64(int fd, const void *data, size_t len, off64_t at)
{
	MOVE(pwrite, CHANGE | SPACE, fd, len, fd, data, len, at);
}

ssize_t
send(int fd, const void *data, size_t len, int flags)
{
	CALL(send, SEND, fd, NULL, fd, data, len, flags);
}

ssize_t
writev(int fd, const struct iovec *v, int n)
{
	CALL(writev, CHANGE | SPACE, fd, NULL, fd, v, n);
}

ssize_t
copy_file_range(int in, off_t *in_at, int out, off_t *out_at, size_t len,
    unsigned int flags)
{
	MOVE(copy_file_range, CHANGE | SPACE, out, len, in, in_at, out, out_at,
	    len, flags);
}

ssize_t
read(int fd, void *data, size_t len)
{
	MOVE(read, LOOK, fd, len, fd, data, len);
}

ssize_t
pread(int fd, void *data, size_t len, off_t at)
{
	MOVE(pread, LOOK, fd, len, fd, data, len, at);
}

int
ftruncate(int fd, off_t len)
{
	CALL(ftruncate, CHANGE, fd, NULL, fd, len);
}

int
ftruncate64(int fd, off64_t len)
{
	CALL(ftruncate, CHANGE, fd, NULL, fd, len);
}

int
fsync(int fd)
{
	TO_DISK(fsync, fd, fd);
}

int
fdatasync(int fd)
{
	TO_DISK(fdatasync, fd, fd);
}

int
syncfs(int fd)
{
	TO_DISK(syncfs, fd, fd);
}

int
sync_file_range(int fd, off_t at, off_t len, unsigned int flags)
{
	TO_DISK(sync_file_range, fd, fd, at, len, flags);
}

/* A renamed or linked thing is where it goes to. */
int
rename(const char *a, const char *b)
{
	CALL(rename, CHANGE | SPACE, AT_FDCWD, b, a, b);
}

int
renameat(int at, const char *a, int to, const char *b)
{
	CALL(renameat, CHANGE | SPACE, to, b, at, a, to, b);
}

int
renameat2(int at, const char *a, int to, const char *b, unsigned int flags)
{
	CALL(renameat2, CHANGE | SPACE, to, b, at, a, to, b, flags);
}

int
link(const char *a, const char *b)
{
	CALL(link, CHANGE | SPACE, AT_FDCWD, b, a, b);
}

int
linkat(int at, const char *a, int to, const char *b, int flags)
{
	CALL(linkat, CHANGE | SPACE, to, b, at, a, to, b, flags);
}

int
symlink(const char *target, const char *name)
{
	CALL(symlink, CHANGE | SPACE, AT_FDCWD, name, target, name);
}

int
symlinkat(const char *target, int at, const char *name)
{
	CALL(symlinkat, CHANGE | SPACE, at, name, target, at, name);
}

int
unlink(const char *name)
{
	CALL(unlink, CHANGE, AT_FDCWD, name, name);
}

int
unlinkat(int at, const char *name, int flags)
{
	CALL(unlinkat, CHANGE, at, name, at, name, flags);
}

int
rmdir(const char *name)
{
	CALL(rmdir, CHANGE, AT_FDCWD, name, name);
}

int
chmod(const char *name, mode_t mode)
{
	CALL(chmod, CHANGE, AT_FDCWD, name, name, mode);
}

int
fchmod(int fd, mode_t mode)
{
	CALL(fchmod, CHANGE, fd, NULL, fd, mode);
}

int
fchmodat(int at, const char *name, mode_t mode, int flags)
{
	CALL(fchmodat, CHANGE, at, name, at, name, mode, flags);
}

int
fchown(int fd, uid_t uid, gid_t gid)
{
	CALL(fchown, CHANGE, fd, NULL, fd, uid, gid);
}

int
fchownat(int at, const char *name, uid_t uid, gid_t gid, int flags)
{
	CALL(fchownat, CHANGE, at, name, at, name, uid, gid, flags);
}

int
futimens(int fd, const struct timespec times[2])
{
	CALL(futimens, CHANGE, fd, NULL, fd, times);
}

int
utimensat(int at, const char *name, const struct timespec times[2], int flags)
{
	CALL(utimensat, CHANGE, at, name, at, name, times, flags);
}

int
flock(int fd, int how)
{
	CALL(flock, LOOK, fd, NULL, fd, how);
}

struct dirent *
readdir(DIR *d)
{
	enum fate fate = step("readdir", LOOK, dirfd(d), NULL);

	if (fate != FAIL && fate != LATE)
		return NEXT(readdir)(d);
	errno = set.error;
	return NULL;
}

int
stat(const char *name, struct stat *st)
{
	CALL(stat, LOOK, AT_FDCWD, name, name, st);
}

int
lstat(const char *name, struct stat *st)
{
	CALL(lstat, LOOK, AT_FDCWD, name, name, st);
}

int
fstat(int fd, struct stat *st)
{
	CALL(fstat, LOOK, fd, NULL, fd, st);
}

int
fstatat(int at, const char *name, struct stat *st, int flags)
{
	CALL(fstatat, LOOK, at, name, at, name, st, flags);
}

int
fstatfs(int fd, struct statfs *st)
{
	CALL(fstatfs, LOOK, fd, NULL, fd, st);
}

ssize_t
readlinkat(int at, const char *name, char *target, size_t len)
{
	CALL(readlinkat, LOOK, at, name, at, name, target, len);
}

int
faccessat(int at, const char *name, int mode, int flags)
{
	CALL(faccessat, LOOK, at, name, at, name, mode, flags);
}

int
sched_getaffinity(pid_t pid, size_t size, cpu_set_t *out)
{
	if (!set.on)
		return NEXT(sched_getaffinity)(pid, size, out);
	memset(out, 0, size);
	CPU_SET_S(0, size, out);
	return 0;
}

/*
 * No Landlock where a command is to run before each call: it would be in the
 * jail of the thread that calls, and could not reach its files.
 */
long
syscall(long number, ...)
{
	static _Atomic(long (*)(long, ...)) real;
	long a[6];
	va_list ap;

	if (number == SYS_landlock_create_ruleset && set.exec != NULL) {
		errno = ENOSYS;
		return -1;
	}
	va_start(ap, number);
	for (size_t i = 0; i < sizeof(a) / sizeof(a[0]); i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	if (real == NULL)
		real = NEXT(syscall);
	return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
