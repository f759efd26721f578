/*
 * deploy: put a built static site live so that no visitor sees half of it.
 * Options before the command, then the command; see cmd.h.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/opt.h"
#include "os/intr.h"
#include "os/log.h"
#include "os/secret.h"

/*
 * Descriptors 0, 1 and 2 must be open: else the first file that we open
 * would get what is meant for standard output.
 */
static void
open_standard(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd > STDERR_FILENO)
		close(fd);
	/*
	 * What we were given beside them is for us: the claim of a worker,
	 * say, lasts as long as we do, not as long as what a build starts.
	 */
	(void)close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
}

int
main(int argc, char **argv)
{
	static const enum opt_id none[] = { OPT_END };
	static const struct cmd before = { .name = "",
		.args = "",
		.opts = none };
	enum opt_id opts[OPT_COUNT + 1];
	char *const help[] = { (char[]){ "help" }, NULL };
	char *const version[] = { (char[]){ "version" }, NULL };
	struct opts global = OPTS_INIT;
	struct err e = ERR_INIT;
	size_t count = 0;
	int n;

	secret_init();
	open_standard();
	intr_init();
	umask(022);
	cmd_list_opts(&before, opts);
	while (opts[count] != OPT_END)
		count++;
	opts[count] = OPT_VERSION;
	opts[count + 1] = OPT_END;
	n = opt_parse(&global, argc - 1, argv + 1, opts, true, &e);
	if (n < 0) {
		err_append(&e, " (see 'deploy help')");
		opts_release(&global);
		return cmd_refuse(argv + 1, &e);
	}
	if (global.version)
		return cmd_main(0, 1, version, &global);
	if (n + 1 == argc) {
		bool asked = global.help;

		global.help = false;
		n = cmd_main(0, 1, help, &global);
		return asked || n != 0 ? n : ERR_USAGE;
	}
	return cmd_main(n, argc - 1 - n, argv + 1 + n, &global);
}
