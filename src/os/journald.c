#include "os/journald.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define SOCKET "/run/systemd/journal/socket"

bool
journald_is(int fd)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char ours[64];
	struct stat st;

	if (stream == NULL || fstat(fd, &st) != 0)
		return false;
	snprintf(ours, sizeof(ours), "%llu:%llu",
	    (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
	return strcmp(stream, ours) == 0;
}

/* What has more than a line is preceded by its length, little-endian. */
void
journald_add(struct buf *entry, const char *name, const char *value)
{
	uint64_t len = strlen(value);

	if (strchr(value, '\n') == NULL) {
		buf_addf(entry, "%s=%s\n", name, value);
		return;
	}
	buf_addf(entry, "%s\n", name);
	for (int i = 0; i < 8; i++)
		buf_addc(entry, (char)(len >> (8 * i) & 0xff));
	buf_addf(entry, "%s\n", value);
}

bool
journald_send(const struct buf *entry)
{
	const struct sockaddr_un to = { .sun_family = AF_UNIX,
		.sun_path = SOCKET };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool sent;

	if (fd < 0)
		return false;
	sent = sendto(fd, entry->data, entry->len, MSG_NOSIGNAL,
		   (const struct sockaddr *)&to, sizeof(to)) >= 0;
	close(fd);
	return sent;
}
