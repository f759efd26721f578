#include "site/git_login.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"

#define VARIABLE "DEPLOY_GIT_LOGIN"

/* git adds what it asks for, one word, to the command. */
#define HELPER "!printf '%s\\n' \"$" VARIABLE "\" #"

/* The value of a hexadecimal digit, or -1. */
static int
digit_of(char c)
{
	static const char digits[] = "0123456789abcdef0123456789ABCDEF";
	const char *at = c != '\0' ? strchr(digits, c) : NULL;

	return at != NULL ? (int)((at - digits) % 16) : -1;
}

/* Add a part of a URL, without its percent-encoding. */
static void
add_decoded(struct buf *out, const char *s, const char *end)
{
	for (; s < end; s++) {
		int high = *s == '%' && end - s > 2 ? digit_of(s[1]) : -1;
		int low = high >= 0 ? digit_of(s[2]) : -1;

		if (low >= 0)
			s += 2;
		buf_addc(out, low >= 0 ? (char)(high * 16 + low) : *s);
	}
}

/* Where the user begins in a URL of http(s), or NULL. */
static const char *
find_user(const char *url)
{
	static const char *const schemes[] = { "https://", "http://" };

	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
		if (strncmp(url, schemes[i], strlen(schemes[i])) == 0)
			return url + strlen(schemes[i]);
	return NULL;
}

void
git_login_init(struct git_login *l, const char *url)
{
	const char *user = find_user(url), *at = NULL, *colon = NULL;
	struct buf b = BUF_INIT;
	char *setting;

	if (user != NULL)
		at = memrchr(user, '@', strcspn(user, "/?#"));
	if (at != NULL)
		colon = memchr(user, ':', (size_t)(at - user));
	if (colon == NULL) {
		l->url = xstrdup(url);
		return;
	}
	l->url = xasprintf("%.*s%s", (int)(user - url), url, at + 1);
	/* No other helper is asked, and no other server is told. */
	setting = xasprintf("credential.%.*s.helper=",
	    (int)(user - url + (ptrdiff_t)strcspn(at + 1, "/?#")), l->url);
	strvec_add(&l->options, "-c");
	strvec_add(&l->options, setting);
	strvec_add(&l->options, "-c");
	strvec_addf(&l->options, "%s%s", setting, HELPER);
	free(setting);
	buf_adds(&b, VARIABLE "=username=");
	add_decoded(&b, user, colon);
	buf_adds(&b, "\npassword=");
	add_decoded(&b, colon + 1, at);
	l->variable = buf_detach(&b);
}

void
git_login_release(struct git_login *l)
{
	free(l->url);
	strvec_release(&l->options);
	free(l->variable);
	*l = (struct git_login)GIT_LOGIN_INIT;
}
