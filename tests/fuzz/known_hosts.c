/*
 * Lines of known_hosts: whatever they are, what libssh gets of them names our
 * host and has a key, and what is revoked is kept aside.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "ssh/libssh.h"
#include "ssh/ssh_hostkey.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct err e = ERR_INIT;

	(void)argc;
	(void)argv;
	return libssh_load(&e) == 0 ? ssh_init() : -1;
}

/* Each line that libssh is given is one that it can read. */
static void
check_lines(const struct ssh_hostkey *k)
{
	FILE *f = fopen(k->path, "re");
	char *line = NULL;
	size_t size = 0;

	if (f == NULL)
		abort();
	while (getline(&line, &size, f) >= 0) {
		struct ssh_knownhosts_entry *entry = NULL;

		line[strcspn(line, "\n")] = '\0';
		if (line[0] == '@' ||
		    ssh_known_hosts_parse_line(SSH_HOSTKEY_NAME, line,
			&entry) != SSH_OK ||
		    entry->publickey == NULL)
			abort();
		ssh_knownhosts_entry_free(entry);
	}
	free(line);
	fclose(f);
}

/* What the host at that port is known by. */
static void
check_port(char *port)
{
	static char name[] = "Www1.example.org";
	struct ssh_settings st = { .hostname = name, .port = port };
	struct ssh_hostkey k = SSH_HOSTKEY_INIT;
	struct err e = ERR_INIT;

	if (ssh_hostkey_load(&k, &st, &e) != 0)
		abort();
	check_lines(&k);
	for (size_t i = 0; i < k.revoked.n; i++)
		if (!ssh_key_is_public(k.revoked.keys[i]))
			abort();
	ssh_hostkey_release(&k);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char standard[] = "22", other[] = "2222";
	char *text = xstrndup((const char *)data, size);

	/* That is the path of a file. */
	if (text[0] != '/') {
		setenv("DEPLOY_KNOWN_HOSTS", text, 1);
		check_port(standard);
		check_port(other);
	}
	free(text);
	return 0;
}
