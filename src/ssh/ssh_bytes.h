/* What stands in keys, certificates and signatures (RFC 4251).  Pure. */
#ifndef SSH_BYTES_H
#define SSH_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes that another buffer has. */
struct ssh_bytes {
	const unsigned char *p;
	size_t n;
};

/* Take a number of so many bytes off the front; false when they are fewer. */
bool ssh_bytes_take_number(struct ssh_bytes *from, size_t len, uint64_t *out);

/* Take a string off the front; false when there is none. */
bool ssh_bytes_take(struct ssh_bytes *from, struct ssh_bytes *out);

#endif
