/*
 * usage: host-alone ROOT
 *
 * The host side and nothing else: that it links without config/, ssh/,
 * remote/, fleet/, site/, queue/ and cmd/ is what it is for.  Serves the root
 * as `deploy host serve ROOT` does.
 */
#include <unistd.h>

#include "host/host.h"
#include "os/intr.h"

int
main(int argc, char **argv)
{
	const struct host_io io = { STDIN_FILENO, STDOUT_FILENO };
	const struct host_limits all = { 0 };
	struct err e = ERR_INIT;

	if (argc != 2)
		return 2;
	intr_init();
	return host_serve(argv[1], NULL, &all, &io, &e) == 0 ? 0 : 1;
}
