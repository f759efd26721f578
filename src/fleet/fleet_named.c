#include "fleet/fleet_named.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "base/number.h"

enum { COMMIT_MIN = 4 };

/* What the word asks for. */
struct wanted {
	int64_t seq;	    /* -1: no sequence */
	const char *commit; /* NULL: no commit */
};

static struct wanted
read_word(const char *word)
{
	struct wanted w = { -1, NULL };
	size_t len = strlen(word);

	if (word[0] == '#') {
		if (!number_digits(word + 1, len - 1, 10, INT64_MAX, &w.seq))
			w.seq = -1;
	} else if (len >= COMMIT_MIN &&
	    strspn(word, "0123456789abcdefABCDEF") == len) {
		w.commit = word;
	}
	return w;
}

static bool
is_wanted(const struct meta *m, const struct wanted *w)
{
	return (w->seq >= 0 && m->seq == w->seq) ||
	    (w->commit != NULL && m->commit != NULL &&
		strncasecmp(m->commit, w->commit, strlen(w->commit)) == 0);
}

void
fleet_named(const struct fleet *f, const char *word, struct release_ids *out)
{
	const struct wanted w = read_word(word);

	if (w.seq < 0 && w.commit == NULL)
		return;
	for (size_t i = 0; i < f->n; i++) {
		const struct remote *r = &f->v[i];

		for (size_t k = 0; r->metas != NULL && k < r->view.ids.n; k++)
			if (is_wanted(&r->metas[k], &w))
				release_ids_add_once(out, &r->view.ids.v[k]);
	}
}
