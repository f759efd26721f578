#include "os/jail.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/libcrypto.h"

/*
 * The kernel's interface, in our words: the header of the system that builds
 * us may be older than the kernel that runs us, or not be there.
 */
enum {
	NR_CREATE_RULESET = 444,
	NR_ADD_RULE = 445,
	NR_RESTRICT_SELF = 446,
	ASK_VERSION = 1,
	RULE_PATH_BENEATH = 1,
	/* What came with which version of it. */
	ABI_REFER = 2,
	ABI_TRUNCATE = 3,
	ABI_TCP = 4,
	ABI_IOCTL = 5,
	ABI_SCOPE = 6,
};

#define FS_EXECUTE (1ULL << 0)
#define FS_WRITE_FILE (1ULL << 1)
#define FS_READ_FILE (1ULL << 2)
#define FS_READ_DIR (1ULL << 3)
#define FS_REMOVE_DIR (1ULL << 4)
#define FS_REMOVE_FILE (1ULL << 5)
#define FS_MAKE_DIR (1ULL << 7)
#define FS_MAKE_REG (1ULL << 8)
#define FS_MAKE_SYM (1ULL << 12)
#define FS_REFER (1ULL << 13)
#define FS_TRUNCATE (1ULL << 14)
#define FS_IOCTL_DEV (1ULL << 15)
#define FS_ALL_OF_1 ((1ULL << 13) - 1)
#define FS_OF_FILES \
	(FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE | \
	    FS_IOCTL_DEV)
#define NET_TCP 3ULL	    /* bind, connect */
#define SCOPE_ABSTRACT 1ULL /* sockets that others have made */

struct ruleset {
	uint64_t fs, net, scoped;
};

struct path_beneath {
	uint64_t allowed;
	int32_t fd;
} __attribute__((packed));

/* What a program and its libraries read whenever it suits them. */
static const struct {
	const char *path;
	unsigned int rights;
} everywhere[] = {
	{ "/usr", JAIL_RUN },
	{ "/bin", JAIL_RUN },
	{ "/sbin", JAIL_RUN },
	{ "/lib", JAIL_RUN },
	{ "/lib32", JAIL_RUN },
	{ "/lib64", JAIL_RUN },
	{ "/nix/store", JAIL_RUN },
	{ "/gnu/store", JAIL_RUN },
	{ "/etc/alternatives", JAIL_READ },
	{ "/etc/ld.so.cache", JAIL_READ },
	{ "/etc/ld.so.preload", JAIL_READ },
	{ "/etc/nsswitch.conf", JAIL_READ },
	{ "/etc/passwd", JAIL_READ },
	{ "/etc/group", JAIL_READ },
	{ "/etc/ldap.conf", JAIL_READ },
	{ "/var/lib/sss/mc", JAIL_READ },
	{ "/etc/localtime", JAIL_READ },
	{ "/etc/ssl/openssl.cnf", JAIL_READ },
	{ "/etc/nginx", JAIL_READ },
	{ "/dev/null", JAIL_READ | JAIL_LINK },
	{ "/dev/urandom", JAIL_READ },
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	{ "/proc", JAIL_READ },
#endif
};

/*
 * Address space.  A pack of 30,000 files was received with 80 MB, of which
 * the libraries take 50; so a million want 1 GB.  The other is for 16 threads
 * (pool.c), for whose heaps 64 MB each are set aside and hardly used.
 */
#define SPACE_MAX (2LL << 30)

static bool is_open;

/* The version of the kernel's interface; 0: none. */
static int
version(void)
{
	long abi = syscall(NR_CREATE_RULESET, NULL, (size_t)0, ASK_VERSION);

	return abi > 0 ? (int)abi : 0;
}

bool
jail_is_there(void)
{
	return version() >= ABI_REFER;
}

/* All that the kernel can refuse. */
static struct ruleset
all_of(int abi)
{
	struct ruleset r = { .fs = FS_ALL_OF_1 | FS_REFER };

	if (abi >= ABI_TRUNCATE)
		r.fs |= FS_TRUNCATE;
	if (abi >= ABI_IOCTL)
		r.fs |= FS_IOCTL_DEV;
	if (abi >= ABI_TCP)
		r.net = NET_TCP;
	if (abi >= ABI_SCOPE)
		r.scoped = SCOPE_ABSTRACT;
	return r;
}

/* The kernel's words for ours. */
static uint64_t
words_for(unsigned int rights)
{
	static const struct {
		unsigned int right;
		uint64_t words;
	} words[] = {
		{ JAIL_LIST, FS_READ_DIR },
		{ JAIL_READ, FS_READ_DIR | FS_READ_FILE },
		{ JAIL_RUN, FS_READ_DIR | FS_READ_FILE | FS_EXECUTE },
		{ JAIL_MAKE_DIR, FS_MAKE_DIR },
		{ JAIL_LINK,
		    FS_READ_DIR | FS_READ_FILE | FS_WRITE_FILE | FS_TRUNCATE |
			FS_REFER },
		{ JAIL_WRITE,
		    FS_READ_DIR | FS_READ_FILE | FS_WRITE_FILE | FS_TRUNCATE |
			FS_REFER | FS_MAKE_DIR | FS_MAKE_REG | FS_MAKE_SYM |
			FS_REMOVE_DIR | FS_REMOVE_FILE },
	};
	uint64_t all = 0;

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if ((rights & words[i].right) != 0)
			all |= words[i].words;
	return all;
}

/* Allow it; of a file only what one can do with files.  0 or -1. */
static int
allow(int ruleset, const struct ruleset *known, const struct jail_place *p)
{
	struct path_beneath rule = { words_for(p->rights) & known->fs, p->fd };
	struct stat st;

	if (fstat(p->fd, &st) != 0)
		return -1;
	if (!S_ISDIR(st.st_mode))
		rule.allowed &= FS_OF_FILES;
	return (int)syscall(NR_ADD_RULE, ruleset, RULE_PATH_BENEATH, &rule, 0);
}

/* What is not there need not be allowed.  0 or -1. */
static int
allow_everywhere(int ruleset, const struct ruleset *known)
{
	int r = 0;

	for (size_t i = 0;
	     r == 0 && i < sizeof(everywhere) / sizeof(everywhere[0]); i++) {
		struct jail_place p = { open(everywhere[i].path,
					    O_PATH | O_CLOEXEC),
			everywhere[i].rights };

		if (p.fd < 0)
			continue;
		r = allow(ruleset, known, &p);
		close(p.fd);
	}
	return r;
}

int
jail_enter(const struct jail_place *places, size_t n, struct err *e)
{
	int abi = version(), ruleset, r;
	const struct ruleset known = all_of(abi);

	if (abi < ABI_REFER)
		return 0;
	/* It may lie where nobody can read from now on, and all hash. */
	library_must(libcrypto_load);
	ruleset = (int)syscall(NR_CREATE_RULESET, &known, sizeof(known), 0);
	if (ruleset < 0)
		return err_sys(e, "cannot make a jail (Landlock)");
	(void)fcntl(ruleset, F_SETFD, FD_CLOEXEC);
	r = allow_everywhere(ruleset, &known);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = allow(ruleset, &known, &places[i]);
	if (r == 0)
		r = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (r == 0)
		r = (int)syscall(NR_RESTRICT_SELF, ruleset, 0);
	if (r != 0)
		err_sys(e, "cannot enter the jail (Landlock)");
	close(ruleset);
	return r == 0 ? 0 : -1;
}

/* A call of jail_run(). */
struct inmate {
	const struct jail_place *places;
	size_t n;
	int (*work)(void *ctx, struct err *e);
	void *ctx;
	struct err *e;
	int result;
};

static void *
serve(void *arg)
{
	struct inmate *in = arg;

	in->result = jail_enter(in->places, in->n, in->e);
	if (in->result == 0)
		in->result = in->work(in->ctx, in->e);
	return NULL;
}

int
jail_run(const struct jail_place *places, size_t n,
    int (*work)(void *ctx, struct err *e), void *ctx, struct err *e)
{
	struct inmate in = { places, n, work, ctx, e, -1 };
	pthread_t thread;

	if (is_open || !jail_is_there())
		return work(ctx, e);
	errno = pthread_create(&thread, NULL, serve, &in);
	if (errno != 0)
		return err_sys(e, "cannot start a thread");
	pthread_join(thread, NULL);
	return in.result;
}

void
jail_open(void)
{
	is_open = true;
}

void
jail_limit(void)
{
	struct rlimit core, space;

	if (getrlimit(RLIMIT_CORE, &core) == 0) {
		core.rlim_cur = 0;
		(void)setrlimit(RLIMIT_CORE, &core);
	}
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	if (getrlimit(RLIMIT_AS, &space) == 0 &&
	    space.rlim_cur > (rlim_t)SPACE_MAX) {
		space.rlim_cur = SPACE_MAX;
		(void)setrlimit(RLIMIT_AS, &space);
	}
#else
	(void)space;
#endif
}
