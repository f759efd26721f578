#include "root/stage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/path.h"
#include "content/guard.h"
#include "content/tree.h"
#include "os/intr.h"
#include "os/log.h"
#include "os/names.h"
#include "os/progress.h"
#include "root/meta.h"

/* Remove a preview's temporary directory. */
static void
remove_scratch(struct stage *st)
{
	static char here[] = ".";
	const struct dir cwd = { AT_FDCWD, here };
	struct err e = ERR_INIT;

	dir_close(&st->scratch_target);
	dir_close(&st->scratch);
	if (st->scratch_path != NULL &&
	    dir_remove_tree(&cwd, st->scratch_path, &e) != 0)
		log_warn("%s", e.text);
	free(st->scratch_path);
	st->scratch_path = NULL;
}

/* Close and remove what only staging needs; the results stay. */
static void
end(struct stage *st)
{
	progress_end();
	fill_release(&st->fill);
	extras_release(&st->extras);
	dir_close(&st->base);
	source_close(&st->source);
	incoming_end(&st->incoming);
	remove_scratch(st);
}

void
stage_release(struct stage *st)
{
	end(st);
	manifest_release(&st->m);
	manifest_release(&st->base_manifest);
	view_release(&st->view);
}

/* The lock; a sweep that fails is told but stops nothing. */
static int
lock_and_sweep(struct stage *st, struct err *e)
{
	struct err swept = ERR_INIT;
	int r = incoming_open(&st->incoming, st->store, st->opt->caller,
	    st->opt->lock_wait, &swept, e);

	if (swept.code != ERR_OK)
		log_warn("%s", swept.text);
	return r;
}

/*
 * The base: the live release, else the newest.  One whose manifest cannot be
 * read is none: everything is copied then, which is always right.
 */
static void
open_base(struct stage *st)
{
	const struct release_id *id = view_base(&st->view);
	struct err why = ERR_INIT;

	if (release_id_is_none(id))
		return;
	if (dir_open(&st->base, &st->store->releases, id->text, &why) != 0 ||
	    manifest_read(&st->base_manifest, &st->store->manifests, id->text,
		&why) != 0) {
		log_warn("the release %s cannot be used as a base: %s",
		    id->text, why.text);
		dir_close(&st->base);
		manifest_release(&st->base_manifest);
		return;
	}
	log_debug("the base is %s, %zu entries", id->text,
	    st->base_manifest.n);
}

/*
 * The mtime of new content: whole seconds, because that is what web servers
 * look at, and later than that of the newest release, so that two releases
 * within a second differ.
 */
static void
choose_mtime(struct stage *st)
{
	struct meta meta = META_INIT;
	struct err ignored = ERR_INIT;

	st->mtime = st->opt->mtime > 0 ? st->opt->mtime : clock_now() / 1000;
	if (st->remote != NULL && st->mtime <= st->remote->mtime)
		st->mtime = st->remote->mtime + 1;
	if (st->view.ids.n > 0 &&
	    meta_read(st->store, &st->view.ids.v[st->view.ids.n - 1], &meta,
		&ignored) == 0 &&
	    st->mtime <= meta.mtime)
		st->mtime = meta.mtime + 1;
	meta_release(&meta);
}

/* The group that `group` names; -1 when it is not set. */
static int
choose_group(struct stage *st, struct err *e)
{
	const char *name = st->opt->rules->group;

	st->gid = (gid_t)-1;
	/* The hosts know their groups themselves. */
	if (name == NULL || st->elsewhere)
		return 0;
	if (names_group(name, &st->gid))
		return 0;
	return err_set(e, ERR_USAGE,
	    "there is no group '%s' here;; see 'group' in deploy.yml", name);
}

/* A new id, and incoming/<id>. */
static int
begin(struct stage *st, struct err *e)
{
	if (st->opt->id != NULL)
		st->id = *st->opt->id;
	else if (store_new_id(st->store, view_latest(&st->view), &st->id, e) !=
	    0)
		return -1;
	return incoming_begin(&st->incoming, &st->id, e);
}

/* A preview's own directory for an archive. */
static int
make_scratch(struct stage *st, struct err *e)
{
	const char *tmp = getenv("TMPDIR");

	st->scratch_path = xasprintf("%s/deploy-preview-XXXXXX",
	    tmp != NULL && *tmp == '/' ? tmp : "/tmp");
	if (mkdtemp(st->scratch_path) == NULL) {
		err_sys(e, "cannot make a temporary directory '%s'",
		    st->scratch_path);
		free(st->scratch_path);
		st->scratch_path = NULL;
		return -1;
	}
	if (dir_open_path(&st->scratch, st->scratch_path, e) != 0 ||
	    dir_make(&st->scratch, "site", e) != 0)
		return -1;
	return dir_open(&st->scratch_target, &st->scratch, "site", e);
}

/* Where the build is unpacked or copied to. */
static const struct dir *
target_dir(const struct stage *st)
{
	return st->planning ? &st->scratch_target : &st->incoming.dir;
}

const struct dir *
stage_build_dir(const struct stage *st)
{
	return source_is_archive(&st->source) ? target_dir(st) :
						&st->source.dir;
}

/*
 * The root must not be inside the build: a release would contain it, and
 * feed on itself.
 */
static int
check_source(const struct stage *st, struct err *e)
{
	if (st->store == NULL ||
	    !source_contains(&st->source, st->store->root.path))
		return 0;
	return err_set(e, ERR_USAGE,
	    "the root '%s' is inside the source '%s';; put it elsewhere",
	    st->store->root.path, st->source.name);
}

/* The build as a manifest without digests. */
static int
read_build(struct stage *st, struct err *e)
{
	struct tree_walk w = { .exclude = &st->opt->rules->exclude };
	size_t unpacked = 0;

	if (!st->planning && begin(st, e) != 0)
		return -1;
	if (source_is_archive(&st->source) &&
	    ((st->planning && make_scratch(st, e) != 0) ||
		source_unpack(&st->source, target_dir(st), w.exclude,
		    st->opt->strip, &unpacked, e) != 0))
		return -1;
	if (tree_read(stage_build_dir(st), &w, &st->m, e) != 0)
		return -1;
	st->stamp = w.stamp;
	st->excluded = w.excluded + unpacked;
	return 0;
}

/* The state of the root, here or elsewhere. */
static const struct view *
root_view(const struct stage *st)
{
	return st->remote != NULL ? st->remote->view : &st->view;
}

/* The manifest of the live release, for the guards. */
static const struct manifest *
live_manifest(const struct stage *st)
{
	const struct stage_remote *remote = st->remote;

	if (remote != NULL)
		return release_id_eq(remote->base, &remote->view->current) ?
		    remote->manifest :
		    NULL;
	return !release_id_is_none(&st->view.current) && st->base.fd >= 0 ?
	    &st->base_manifest :
	    NULL;
}

/* Does the release, with what it carries, leave out too much? */
static int
check_deletions(const struct stage *st, struct err *e)
{
	const struct manifest *live = live_manifest(st);

	if ((st->opt->overrides & OVERRIDE_BUILD) != 0 || live == NULL)
		return 0;
	return guard_check_deletions(&st->m, live, st->opt->rules->max_delete,
	    e);
}

static int
read_stored(void *ctx, const struct release_id *id, struct manifest *m,
    struct err *e)
{
	const struct stage *st = ctx;

	return manifest_read(m, &st->store->manifests, id->text, e);
}

/* Can the file be carried out of the release that has it?  1, 0 or -1. */
static int
is_usable(void *ctx, const struct release_id *id, const struct entry *en,
    struct err *e)
{
	const struct stage *st = ctx;
	struct dir from = DIR_INIT;
	int r = dir_open(&from, &st->store->releases, id->text, e);

	if (r == 0)
		r = place_can_bring(&from, en->path, en, e);
	dir_close(&from);
	if (r == 0)
		log_warn(
		    "'%s/%s/%s' is missing or damaged, and is not carried on",
		    st->store->releases.path, id->text, en->path);
	return r;
}

/* setgid: what the group adds to a directory stays the group's. */
static void
set_group_modes(struct stage *st)
{
	for (size_t i = 0; st->opt->rules->group != NULL && i < st->m.n; i++)
		if (st->m.v[i].type == ENTRY_DIR)
			st->m.v[i].mode = 02755;
}

/*
 * The links to shared paths.  Those that stage_read() has made are as old as
 * everything new, which is known only now.
 */
static int
add_shared(struct stage *st, struct err *e)
{
	if (!st->read)
		return extras_add_shared(&st->m, &st->opt->rules->shared,
		    st->mtime, e);
	for (size_t i = 0; i < st->m.n; i++)
		if (st->m.v[i].mark == ENTRY_SHARED &&
		    st->m.v[i].type == ENTRY_LINK)
			st->m.v[i].mtime = st->mtime;
	return 0;
}

/* Everything that is in the release besides the build's files. */
static int
add_extras(struct stage *st, struct err *e)
{
	const struct rules *rules = st->opt->rules;
	const struct stage_remote *remote = st->remote;
	const struct extras_carry_rule rule = { &rules->carry,
		rules->carry_for, clock_now(),
		remote != NULL ? remote->read : read_stored,
		remote != NULL ? NULL : is_usable,
		remote != NULL ? remote->ctx : st };

	if (add_shared(st, e) != 0)
		return -1;
	if (rules->carry.n > 0 &&
	    extras_add_carried(&st->extras, &st->m, &root_view(st)->ids,
		&root_view(st)->history, &rule, e) != 0)
		return -1;
	st->carried = st->extras.n;
	set_group_modes(st);
	return 0;
}

/* Refuse what does not fit: so many bytes in so many files. */
static int
check_space(const struct stage *st, int64_t bytes, size_t files, struct err *e)
{
	struct dir_space space;

	if (dir_space(&st->store->incoming, &space, e) != 0)
		return -1;
	/* Half a block more a file, on average, and the manifest. */
	bytes += (int64_t)(files * (space.block / 2 + 256));
	return incoming_check_room(&st->incoming, bytes, (int64_t)files, e);
}

/* How many names in the target need an inode of their own whatever happens. */
static size_t
count_directories(const struct manifest *m)
{
	size_t n = 0;

	for (size_t i = 0; i < m->n; i++)
		n += m->v[i].type != ENTRY_FILE;
	return n;
}

/*
 * Hash the build.  Where it fits even if nothing can be linked, new content
 * is stored on the way; else only when it is known how much that is.
 */
static int
hash_build(struct stage *st, struct err *e)
{
	struct err fits = ERR_INIT;
	bool write = !st->planning &&
	    check_space(st, st->totals.bytes, st->m.n, &fits) == 0;
	int r;

	progress_begin(write ? "storing" : "hashing", st->totals.files,
	    st->totals.bytes);
	r = fill_read(&st->fill, write, e);
	progress_end();
	if (r != 0 || write || st->planning)
		return r;
	return check_space(st, st->fill.copied_bytes,
	    st->fill.copied + count_directories(&st->m), e);
}

/* Nothing may have come or gone in the source since it was listed. */
static int
check_stamp(const struct stage *st, struct err *e)
{
	uint64_t stamp;

	if (source_is_archive(&st->source))
		return 0;
	if (tree_stamp(stage_build_dir(st), &st->m, &st->opt->rules->exclude,
		&stamp, e) != 0)
		return -1;
	if (stamp != st->stamp)
		return err_set(e, ERR_FAILED,
		    "'%s' changed while it was read;; stage when the build has ended",
		    st->source.dir.path);
	return 0;
}

/* The digest of a complete release, "" when it is not known. */
static void
digest_of(const struct stage *st, const struct release_id *id,
    char out[HASH_HEX + 1])
{
	struct meta meta = META_INIT;
	struct err ignored = ERR_INIT;

	out[0] = '\0';
	if (meta_read(st->store, id, &meta, &ignored) == 0)
		memcpy(out, meta.digest, HASH_HEX + 1);
	meta_release(&meta);
}

/*
 * Is this content live already, or staged and waiting?  Sets outcome and id.
 * A release that was live once does not count: to go back there is a
 * rollback, and this is a new deployment of the same content.
 */
static void
find_same(struct stage *st)
{
	char digest[HASH_HEX + 1];

	for (size_t i = st->view.ids.n; !st->opt->again && i-- > 0;) {
		const struct release_id *id = &st->view.ids.v[i];
		bool live = release_id_eq(id, &st->view.current);

		if (!live && history_was_live(&st->view.history, id))
			continue;
		digest_of(st, id, digest);
		if (strcmp(digest, st->digest) != 0)
			continue;
		st->outcome = live ? STAGE_UNCHANGED : STAGE_STAGED;
		st->found = *id;
		/* The live one is meant before all others. */
		if (live)
			return;
	}
}

/* When what was new in the base became so; 0 when that is not known. */
static int64_t
base_mtime(const struct stage *st)
{
	struct meta meta = META_INIT;
	struct err ignored = ERR_INIT;
	int64_t mtime = 0;

	if (st->remote != NULL)
		return st->remote->base_mtime;
	if (st->base.fd >= 0 &&
	    meta_read(st->store, view_base(&st->view), &meta, &ignored) == 0)
		mtime = meta.mtime;
	meta_release(&meta);
	return mtime;
}

/* The build, and what it is held against. */
static int
look_at_build(struct stage *st, struct err *e)
{
	if (choose_group(st, e) != 0 ||
	    source_open(&st->source, st->opt->source, e) != 0 ||
	    check_source(st, e) != 0)
		return -1;
	if (st->store != NULL) {
		if (view_read(&st->view, st->store, e) != 0)
			return -1;
		open_base(st);
	}
	if (read_build(st, e) != 0)
		return -1;
	return st->opt->overrides & OVERRIDE_BUILD ?
	    0 :
	    guard_check_build(&st->m, e);
}

/* The sums and the digest of the manifest, which is complete. */
static void
sum_up(struct stage *st)
{
	uint8_t digest[HASH_LEN];

	st->totals = manifest_totals(&st->m);
	manifest_digest(&st->m, digest);
	hash_hex(digest, st->digest);
	log_debug("tree digest %s", st->digest);
}

/* What fill_read() is to do. */
static void
prepare_fill(struct stage *st)
{
	st->fill.source = stage_build_dir(st);
	st->fill.target = target_dir(st);
	st->fill.scratch = st->planning ? &st->scratch : &st->store->incoming;
	st->fill.base.dir = st->base.fd >= 0 ? &st->base : NULL;
	st->fill.base.manifest = st->remote != NULL ? st->remote->manifest :
	    st->base.fd >= 0			    ? &st->base_manifest :
						      NULL;
	st->fill.base.mtime = base_mtime(st);
	st->fill.m = &st->m;
	st->fill.mtime = st->mtime;
	st->fill.gid = st->gid;
	st->fill.distrust = st->opt->again;
	st->fill.hashed = st->read;
	fill_init(&st->fill);
}

/* Everything about the release is known after this. */
static int
examine(struct stage *st, struct err *e)
{
	if (!st->read && look_at_build(st, e) != 0)
		return -1;
	choose_mtime(st);
	if (add_extras(st, e) != 0 || check_deletions(st, e) != 0)
		return -1;
	st->totals = manifest_totals(&st->m);
	prepare_fill(st);
	if (hash_build(st, e) != 0 || (!st->read && check_stamp(st, e) != 0))
		return -1;
	sum_up(st);
	find_same(st);
	return 0;
}

int
stage_read(struct stage *st, const struct stage_options *opt, struct err *e)
{
	int r;

	st->opt = opt;
	st->planning = st->elsewhere = true;
	if (look_at_build(st, e) != 0)
		return -1;
	st->totals = manifest_totals(&st->m);
	progress_begin("hashing", st->totals.files, st->totals.bytes);
	r = fill_hash(stage_build_dir(st), &st->m, e);
	progress_end();
	if (r != 0 || check_stamp(st, e) != 0)
		return -1;
	choose_mtime(st);
	if (add_shared(st, e) != 0)
		return -1;
	set_group_modes(st);
	st->read = true;
	if (opt->rules->carry.n == 0)
		sum_up(st);
	return 0;
}

void
stage_fill_meta(const struct stage *st, struct meta *meta)
{
	const struct stage_options *o = st->opt;

	meta->id = st->id;
	meta->who = o->caller->who;
	meta->job = o->caller->job;
	meta->commit = (char *)(uintptr_t)o->commit;
	meta->message = (char *)(uintptr_t)o->message;
	meta->seq = o->seq;
	meta->files = (int64_t)st->totals.files;
	meta->bytes = st->totals.bytes;
	meta->mtime = st->mtime;
	memcpy(meta->digest, st->digest, sizeof(meta->digest));
}

/* Everything into place, and the release into the list. */
static int
finish(struct stage *st, struct err *e)
{
	struct meta meta = META_INIT;

	progress_begin("placing", st->totals.files, 0);
	if (fill_place(&st->fill, e) != 0 ||
	    extras_place(&st->extras, &st->m, st->store, target_dir(st),
		st->gid, e) != 0)
		return -1;
	progress_end();
	stage_fill_meta(st, &meta);
	return incoming_commit(&st->incoming, &st->m, &meta, st->gid, e);
}

/*
 * The content is there already: a newer build that has it gives its sequence
 * and commit to the release, so that an older one cannot overtake.
 */
static int
note_build(const struct stage *st, struct err *e)
{
	const struct stage_options *o = st->opt;

	if (st->planning || o->seq < 0)
		return 0;
	return meta_raise(st->store, &st->id, o->seq, o->commit, e);
}

static int
run(struct stage *st, struct err *e)
{
	if (!st->planning && lock_and_sweep(st, e) != 0)
		return -1;
	if (examine(st, e) != 0)
		return -1;
	if (st->outcome != STAGE_NEW) {
		st->id = st->found;
		if (note_build(st, e) != 0 ||
		    (!st->planning && store_sync(st->store, e) != 0))
			return -1;
	} else if (!st->planning && finish(st, e) != 0) {
		return -1;
	}
	st->linked = st->fill.linked;
	st->copied = st->fill.copied;
	st->copied_bytes = st->fill.copied_bytes;
	return 0;
}

int
stage_run(struct stage *st, const struct store *store,
    const struct stage_options *opt, struct err *e)
{
	int r;

	st->store = store;
	st->opt = opt;
	st->planning = opt->preview;
	r = run(st, e);
	/* A preview may still be asked for the contents. */
	if (!st->planning)
		end(st);
	return r;
}

int
stage_plan(struct stage *st, const struct stage_remote *remote,
    const struct stage_options *opt, struct err *e)
{
	int r;

	st->opt = opt;
	st->planning = st->elsewhere = true;
	st->remote = remote;
	r = run(st, e);
	st->remote = NULL;
	return r;
}
