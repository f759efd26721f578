/*
 * A service of systemd(1) tells its manager that it is ready, what it does
 * and that it is alive: sd_notify(3), a datagram to the socket that the
 * environment names.  Without one nothing is told, and nothing fails.
 */
#ifndef SDNOTIFY_H
#define SDNOTIFY_H

#include <stdint.h>

/*
 * Take NOTIFY_SOCKET and WATCHDOG_* out of the environment, so that children
 * do not speak for us.  To be used by one thread.
 */
void sdnotify_init(void);

/* Tell something: "READY", "1"; "STATUS", a line of text. */
void sdnotify(const char *variable, const char *value);

/*
 * Milliseconds between two signs of life ("WATCHDOG=1"), half of what the
 * manager waits for; 0: it wants none.
 */
int64_t sdnotify_watchdog(void);

#endif
