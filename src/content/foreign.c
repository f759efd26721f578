#include "content/foreign.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

enum { TEXT_MIN = 32 }; /* bytes from which on a text is known to be base64 */

static const struct foreign page = { "begins as HTML or XML does",
	"is it the answer of a server that wanted a login? fetch it again" };
static const struct foreign json = { "begins as JSON does",
	"is it the error message of a server? fetch it again" };
static const struct foreign base64 = { "is text in base64",
	"decode it first, with: base64 -d" };
static const struct foreign script = { "begins as a script does",
	"name the build, or an archive of it" };

/* Only letters, digits and signs of base64, in lines? */
static bool
is_base64(const char *s, size_t n)
{
	size_t i = 0;

	while (i < n && s[i] != '\0' &&
	    (isalnum((unsigned char)s[i]) || strchr("+/=\r\n", s[i]) != NULL))
		i++;
	return i == n && n >= TEXT_MIN && memchr(s, ' ', n) == NULL;
}

const struct foreign *
foreign_look(const char *head, size_t n)
{
	/* A byte order mark, and white space. */
	if (n >= 3 && memcmp(head, "\xef\xbb\xbf", 3) == 0) {
		head += 3;
		n -= 3;
	}
	while (n > 0 && isspace((unsigned char)*head)) {
		head++;
		n--;
	}
	if (n < 2)
		return NULL;
	if (head[0] == '<')
		return &page;
	if (head[0] == '{' || head[0] == '[')
		return &json;
	if (head[0] == '#' && head[1] == '!')
		return &script;
	return is_base64(head, n) ? &base64 : NULL;
}
