#include "content/secrets.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/path.h"
#include "content/links.h"
#include "os/beneath.h"
#include "os/io.h"
#include "os/log.h"

enum {
	LOOK_MAX = 1024 * 1024, /* bytes of a file in which a key begins */
	KIND_MAX = 32,		/* of a key, as in "OPENSSH PRIVATE KEY" */
	TOLD_MAX = 5,
};

/* Names of files, whatever is in them. */
static const char *const files_named[] = { ".env", ".htpasswd", ".netrc",
	"_netrc", ".pgpass", ".my.cnf", ".npmrc", ".pypirc",
	".git-credentials", ".dockercfg", ".bash_history", ".zsh_history",
	"id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", "id_ecdsa_sk",
	"id_ed25519_sk", NULL };
static const char *const files_ending[] = { ".kdbx", ".p12", ".pfx", ".ppk",
	".jks", ".keystore", NULL };
/* What may be a certificate, too. */
static const char *const keys_ending[] = { ".pem", ".key", NULL };
static const char *const dirs_named[] = { ".ssh", ".gnupg", ".aws", ".kube",
	".docker", ".svn", ".hg", NULL };
/* .env.NAME that are made to be read by others. */
static const char *const examples[] = { ".example", ".sample", ".template",
	".dist", ".defaults", NULL };

static bool
is_one_of(const char *name, const char *const *names)
{
	for (; *names != NULL; names++)
		if (strcmp(name, *names) == 0)
			return true;
	return false;
}

static bool
ends_in(const char *name, const char *const *ends)
{
	size_t len = strlen(name);

	for (; *ends != NULL; ends++) {
		size_t n = strlen(*ends);

		if (len > n && strcmp(name + len - n, *ends) == 0)
			return true;
	}
	return false;
}

/* Does a private key begin in the file (RFC 7468, and older forms)? */
static bool
has_key(const struct dir *files, const char *path)
{
	static const char begin[] = "-----BEGIN ", end[] = "PRIVATE KEY-----";
	int fd = beneath_open(files->fd, path, O_RDONLY | O_NONBLOCK, 0);
	char *text = xcalloc(1, LOOK_MAX + 1), *at = text;
	ssize_t n = fd >= 0 ? io_read(fd, text, LOOK_MAX) : 0;
	const char *last = text + (n > 0 ? n : 0);
	bool found = false;

	if (fd >= 0)
		close(fd);
	/* Certificates may stand before it. */
	while (!found &&
	    (at = memmem(at, (size_t)(last - at), begin, strlen(begin))) !=
		NULL) {
		at += strlen(begin);
		found =
		    memmem(at,
			(size_t)(last - at) < KIND_MAX ? (size_t)(last - at) :
							 KIND_MAX,
			end, strlen(end)) != NULL;
	}
	free(text);
	return found;
}

/* Is it by its name, or by what is in the file, which a link may lead to? */
static bool
is_secret_file(const char *name, const char *path, const struct dir *files)
{
	if (is_one_of(name, files_named) || ends_in(name, files_ending))
		return true;
	if (strncmp(name, ".env.", 5) == 0)
		return !ends_in(name, examples);
	return ends_in(name, keys_ending) && has_key(files, path);
}

/* Is there something called `name` in the directory ("": the top)? */
static bool
has_entry(const struct manifest *m, const char *dir, const char *name,
    enum entry_type type)
{
	struct buf path = BUF_INIT;
	const struct entry *en;

	buf_addf(&path, "%s%s%s", dir, *dir != '\0' ? "/" : "", name);
	en = manifest_find(m, path.data);
	buf_release(&path);
	return en != NULL && en->type == type;
}

/* A git repository under any name: git-init(1) makes these. */
static bool
is_repository(const struct manifest *m, const char *dir)
{
	return has_entry(m, dir, "HEAD", ENTRY_FILE) &&
	    has_entry(m, dir, "objects", ENTRY_DIR) &&
	    has_entry(m, dir, "refs", ENTRY_DIR);
}

void
secrets_find(const struct manifest *m, const struct dir *files,
    struct strvec *out)
{
	for (size_t i = 0; i < m->n; i++) {
		const struct entry *en = &m->v[i];
		const struct entry *is =
		    en->type == ENTRY_LINK ? links_follow(m, en->path) : en;
		const char *name = path_base(en->path);
		bool secret = false;

		if (is != NULL && is->type == ENTRY_FILE)
			secret = is_secret_file(name, is->path, files);
		else if (is != NULL && is->type == ENTRY_DIR)
			secret = is_one_of(name, dirs_named) ||
			    is_repository(m, is->path);
		if (secret)
			strvec_add(out, en->path);
	}
	if (is_repository(m, ""))
		strvec_add(out, "objects");
}

void
secrets_find_maps(const struct manifest *m, struct strvec *out)
{
	static const char *const maps[] = { ".js.map", ".mjs.map", ".css.map",
		NULL };

	for (size_t i = 0; i < m->n; i++)
		if (m->v[i].type == ENTRY_FILE && ends_in(m->v[i].path, maps))
			strvec_add(out, m->v[i].path);
}

void
secrets_tell(const struct strvec *paths, struct buf *out)
{
	size_t n = paths->n > TOLD_MAX ? TOLD_MAX - 1 : paths->n;

	for (size_t i = 0; i < n; i++)
		buf_addf(out, "%s'%s'", i > 0 ? ", " : "", paths->v[i]);
	if (n < paths->n)
		buf_addf(out, ", and %zu more (-v names them)", paths->n - n);
	for (size_t i = n; i < paths->n; i++)
		log_debug("also '%s'", paths->v[i]);
}
