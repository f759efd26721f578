/*
 * Edits of a manifest.  Whatever is read is a manifest that is safe, with
 * sources that are there; printed and read again it is the same.
 */
#include "content/edits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"

#define MUST(expr) ((expr) ? (void)0 : broken(#expr, __LINE__))

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char base_text[] =
    "#mtree v2.0\n"
    ". type=dir mode=0755\n"
    "./a type=dir mode=0755\n"
    "./a/b.html type=file mode=0644 size=5 time=1700000000.0 sha256digest=0000000000000000000000000000000000000000000000000000000000000001\n"
    "./a/c.html type=file mode=0755 size=500 time=1700000001.0 sha256digest=0000000000000000000000000000000000000000000000000000000000000002\n"
    "./a/l type=link mode=0777 time=1700000000.0 link=b.html\n"
    "./asset.js type=file mode=0644 size=50 time=1700000000.0 sha256digest=0000000000000000000000000000000000000000000000000000000000000003 tags=carried,last-1700000001\n"
    "./index.html type=file mode=0644 size=0 time=1700000000.0 sha256digest=0000000000000000000000000000000000000000000000000000000000000004\n"
    "./z type=link mode=0777 time=1700000000.0 link=../../shared/z tags=shared\n";

static const struct edits_limits limits = { 1000, 1 << 16 };
static struct manifest base;
static struct err e;

static void
broken(const char *what, int line)
{
	fprintf(stderr, "line %d: does not hold: %s\n%s\n", line, what,
	    e.text);
	abort();
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	MUST(manifest_parse(&base, base_text, strlen(base_text), "base", &e) ==
	    0);
	return 0;
}

static void
check_edit(const struct edits *x, const struct entry *en,
    const struct edit *ed)
{
	MUST(path_check(en->path, &e) == 0);
	MUST((en->type == ENTRY_FILE) == (ed->source != EDIT_NONE));
	if (ed->source == EDIT_BASE || ed->source == EDIT_RULES ||
	    ed->source == EDIT_DELTA) {
		MUST(ed->from < base.n);
		MUST(base.v[ed->from].type == ENTRY_FILE);
		MUST(ed->set < EDITS_SETS_MAX);
	}
	if (ed->source == EDIT_OTHER)
		MUST(ed->from < x->others.n);
	MUST(ed->source <= EDIT_GZIP);
}

static void
check_again(const struct edits *x, const struct manifest *m)
{
	struct manifest got = MANIFEST_INIT;
	struct edits back = EDITS_INIT;
	struct buf b = BUF_INIT, one = BUF_INIT, two = BUF_INIT;

	edits_print(x, &base, m, &b);
	MUST(edits_parse(&back, &base, &limits, buf_str(&b), b.len, &got,
		 &e) == 0);
	manifest_print(m, &one);
	manifest_print(&got, &two);
	MUST(one.len == two.len && memcmp(one.data, two.data, one.len) == 0);
	MUST(x->n == back.n);
	for (size_t i = 0; i < x->n; i++)
		MUST(x->v[i].source == back.v[i].source &&
		    x->v[i].set == back.v[i].set &&
		    x->v[i].from == back.v[i].from);
	buf_release(&b);
	buf_release(&one);
	buf_release(&two);
	manifest_release(&got);
	edits_release(&back);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct manifest m = MANIFEST_INIT;
	struct edits x = EDITS_INIT;

	e = (struct err)ERR_INIT;
	if (edits_parse(&x, &base, &limits, (const char *)data, size, &m,
		&e) == 0) {
		MUST(x.n == m.n && m.n <= limits.entries);
		for (size_t i = 0; i < m.n; i++)
			check_edit(&x, &m.v[i], &x.v[i]);
		check_again(&x, &m);
	} else {
		MUST(e.code == ERR_INTEGRITY);
	}
	manifest_release(&m);
	edits_release(&x);
	return 0;
}
