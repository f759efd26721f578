/*
 * A certificate as a host may show it: one that is taken apart is asked for
 * all it says, and no more.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "ssh/ssh_certificate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ssh_certificate c = SSH_CERTIFICATE_INIT;
	struct err e = ERR_INIT;
	struct buf text = BUF_INIT;

	base64_encode(data, size, &text);
	if (ssh_certificate_parse(&c, buf_str(&text))) {
		if (c.type == NULL || c.key.len <= strlen(c.type) ||
		    c.body.n + 4 + c.signature.n != c.blob.len)
			abort();
		if (ssh_certificate_check_host(&c, "www1.example.org",
			INT64_C(1600000000000), &e) != 0 &&
		    e.text[0] == '\0')
			abort();
		(void)ssh_certificate_is_signed(&c);
		ssh_certificate_release(&c);
	} else if (c.type != NULL || c.blob.data != NULL) {
		abort();
	}
	buf_release(&text);
	return 0;
}
