/*
 * A private key as a CI variable may hold it: a key, or a sentence that says
 * what is wrong and nothing of what may be a secret.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "ssh/libssh.h"
#include "ssh/ssh_identity.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct err e = ERR_INIT;

	(void)argc;
	(void)argv;
	/* Derived with a cost that the key itself says. */
	unsetenv("DEPLOY_SSH_KEY_PASSPHRASE");
	return libssh_load(&e) == 0 ? ssh_init() : -1;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = xstrndup((const char *)data, size);
	struct err e = ERR_INIT;
	ssh_key key = ssh_identity_parse(text, "the key", &e);

	if (key != NULL ? !ssh_key_is_private(key) :
			  strncmp(e.text, "the key", 7) != 0)
		abort();
	/* A message is not the place for it. */
	if (key == NULL && strlen(text) > 16 && strstr(e.text, text) != NULL)
		abort();
	ssh_key_free(key);
	free(text);
	return 0;
}
