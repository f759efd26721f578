#include "root/present.h"

#include <fcntl.h>
#include <unistd.h>

#include "os/dir.h"

int
present(const struct store *s, const struct release_id *id, struct err *e)
{
	int c = dir_look(&s->releases, id->text, e);

	if (c == 0)
		err_set(e, ERR_USAGE,
		    "there is no release '%s' in '%s';; see 'deploy list'",
		    id->text, s->root.path);
	return c == 1 ? 0 : -1;
}

int
present_complete(const struct store *s, const struct release_id *id,
    struct err *e)
{
	if (present(s, id, e) != 0)
		return -1;
	if (faccessat(s->manifests.fd, id->text, R_OK, 0) != 0)
		return err_set(e, ERR_INTEGRITY,
		    "the manifest of release %s is missing or unreadable ('%s/%s');; run 'deploy verify --repair %s', or stage the build anew with --again",
		    id->text, s->manifests.path, id->text, id->text);
	return 0;
}
