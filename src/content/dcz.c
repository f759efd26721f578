#include "content/dcz.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/base64.h"
#include "base/path.h"
#include "base/text.h"
#include "content/decode.h"
#include "os/log.h"

enum { NAME_LEN = 43 }; /* of a hash: 32 bytes in base64, without "=" */

static const char suffix[] = ".dcz";

/* The hash in base64, with "=". */
static char *
base64_of(const uint8_t hash[HASH_LEN])
{
	struct buf b = BUF_INIT;
	char *text;

	base64_encode(hash, HASH_LEN, &b);
	text = buf_detach(&b);
	text[strcspn(text, "\n")] = '\0';
	return text;
}

/* The same as it stands in names. */
static char *
name_of(const uint8_t hash[HASH_LEN])
{
	char *name = base64_of(hash);

	name[NAME_LEN] = '\0';
	for (char *p = name; *p != '\0'; p++)
		if (*p == '/')
			*p = '_';
	return name;
}

char *
dcz_path(const char *path, const uint8_t dictionary[HASH_LEN])
{
	char *name = name_of(dictionary);
	char *out = xasprintf("%s.%s%s", path, name, suffix);

	free(name);
	return out;
}

/* Do the first characters of `name` stand for a hash, as name_of() has it? */
static bool
read_name(const char *name, uint8_t out[HASH_LEN])
{
	struct buf b = BUF_INIT;
	char text[NAME_LEN + 1], *again;
	bool is;

	for (size_t i = 0; i < NAME_LEN; i++)
		text[i] = name[i] == '_' ? '/' : name[i];
	text[NAME_LEN] = '\0';
	is = base64_decode(text, &b) && b.len == HASH_LEN;
	if (is)
		memcpy(out, b.data, HASH_LEN);
	buf_release(&b);
	if (!is)
		return false;
	/* Only one name is that of a hash. */
	again = name_of(out);
	is = strncmp(again, name, NAME_LEN) == 0;
	free(again);
	return is;
}

size_t
dcz_of_path(const char *path, uint8_t dictionary[HASH_LEN])
{
	const char *base = path_base(path);
	size_t len = strlen(path), end = sizeof(suffix) - 1 + NAME_LEN;

	/* A name that is nothing else is no file's. */
	if (strlen(base) <= end + 1 ||
	    strcmp(path + len - (sizeof(suffix) - 1), suffix) != 0 ||
	    path[len - end - 1] != '.' ||
	    !read_name(path + len - end, dictionary))
		return 0;
	return len - end - 1;
}

size_t
form_of_path(const char *path)
{
	uint8_t ignored[HASH_LEN];
	enum encoding how;
	size_t len = encoding_of_path(path, &how);

	return len > 0 ? len : dcz_of_path(path, ignored);
}

bool
form_has_file(const struct manifest *m, const char *path)
{
	size_t len = form_of_path(path);
	char *plain = len > 0 ? xstrndup(path, len) : NULL;
	bool has = plain != NULL && manifest_find(m, plain) != NULL;

	free(plain);
	return has;
}

bool
form_name_fits(struct form_names *too_long, const char *path, const char *form)
{
	struct err why = ERR_INIT;

	if (path_check(form, &why) == 0)
		return true;
	/* Several forms of one file come one after the other. */
	if (too_long->path != path)
		too_long->n++;
	too_long->path = path;
	return false;
}

void
form_tell_names(const struct form_names *too_long, const char *what)
{
	if (too_long->n > 0)
		log_warn(
		    "%s no %s, which would have a longer name than can be: '%s'; give %s a shorter name",
		    TEXT_COUNT(too_long->n, "file gets", "files get"), what,
		    too_long->path, TEXT_PLURAL(too_long->n, "it", "them"));
}

void
dcz_header(const uint8_t dictionary[HASH_LEN], unsigned char out[DCZ_HEADER])
{
	/* For who has no dictionary it is a frame of zstd to skip. */
	static const unsigned char magic[DCZ_HEADER - HASH_LEN] = { 0x5e, 0x2a,
		0x4d, 0x18, 0x20, 0x00, 0x00, 0x00 };

	memcpy(out, magic, sizeof(magic));
	memcpy(out + sizeof(magic), dictionary, HASH_LEN);
}

char *
dcz_available(const uint8_t dictionary[HASH_LEN])
{
	char *name = base64_of(dictionary);
	char *out = xasprintf(":%s:", name);

	free(name);
	return out;
}
