/*
 * Lists of patterns as ssh_config(5) and sshd(8) have them, PATTERNS: with
 * commas between them, '*' for any characters, '?' for one, and '!' before one
 * that keeps out what it matches, whatever the others say.
 */
#ifndef SSH_PATTERN_H
#define SSH_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

/* Does the list of `n` bytes match the name, which is in lower case? */
bool ssh_pattern_list_has(const char *list, size_t n, const char *name);

#endif
