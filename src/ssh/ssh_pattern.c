#include "ssh/ssh_pattern.h"

#include <ctype.h>
#include <string.h>

/* One pattern.  Of several '*' only the last is ever tried anew. */
static bool
matches(const char *pattern, size_t n, const char *name)
{
	const char *end = pattern + n, *star = NULL, *from = NULL;

	while (*name != '\0') {
		if (pattern < end && *pattern == '*') {
			star = ++pattern;
			from = name;
		} else if (pattern < end &&
		    (*pattern == '?' ||
			tolower((unsigned char)*pattern) ==
			    (unsigned char)*name)) {
			pattern++;
			name++;
		} else if (star != NULL) {
			pattern = star;
			name = ++from;
		} else {
			return false;
		}
	}
	while (pattern < end && *pattern == '*')
		pattern++;
	return pattern == end;
}

bool
ssh_pattern_list_has(const char *list, size_t n, const char *name)
{
	const char *end = list + n;
	bool has = false;

	while (list < end) {
		const char *comma = memchr(list, ',', (size_t)(end - list));
		size_t len = (size_t)((comma != NULL ? comma : end) - list);
		bool negated = *list == '!';

		if (matches(list + negated, len - negated, name)) {
			if (negated)
				return false;
			has = true;
		}
		list += len + 1;
	}
	return has;
}
