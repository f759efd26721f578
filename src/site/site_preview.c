#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/label.h"
#include "os/log.h"
#include "site/site.h"

char *
site_preview_url(const struct site_config *site, const char *name)
{
	static const char mark[] = "{name}";
	const char *url = site->preview.url, *at;

	if (url == NULL)
		return NULL;
	/* That it is there, the configuration has seen to. */
	at = strstr(url, mark);
	return xasprintf("%.*s%s%s", (int)(at - url), url, name,
	    at + strlen(mark));
}

static int
call(struct remote *r, void *ctx, struct err *e)
{
	return remote_call(r, "preview", ctx, NULL, NULL, e);
}

/* What came of it. */
static void
tell(const struct site_run *s, const char *name, const struct release_id *id)
{
	char *url = site_preview_url(s->site, name);
	const char *would = s->wishes.dry_run ? "would be: " : "";

	if (id == NULL)
		log_info("%sthe preview %s is removed", would, name);
	else
		log_info("%sthe preview %s shows %s%s%s", would, name,
		    id->text, url != NULL ? ": " : "", url != NULL ? url : "");
	free(url);
}

int
site_show_preview(struct site_run *s, const char *name,
    const struct release_id *id, int64_t seconds, struct err *e)
{
	int64_t until = clock_now() / 1000 +
	    (seconds > 0 ? seconds : s->site->preview.duration);
	struct strvec args = STRVEC_INIT;
	size_t failed;

	if (label_check(name, e) != 0)
		return -1;
	strvec_addf(&args, "--name=%s", name);
	if (id != NULL) {
		strvec_addf(&args, "--id=%s", id->text);
		strvec_addf(&args, "--until=%lld", (long long)until);
	} else {
		strvec_add(&args, "--off");
	}
	failed = s->wishes.dry_run ? 0 : fleet_each(&s->fleet, call, &args);
	strvec_release(&args);
	if (failed > 0)
		return fleet_fail(&s->fleet,
		    "the preview was not changed everywhere", e);
	tell(s, name, id);
	return 0;
}
