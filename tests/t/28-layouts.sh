#!/bin/bash
# Roots as people have them: on file systems of every kind.
# shellcheck source=tests/mounts.sh
. "$(dirname "$0")/../mounts.sh"
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/hosts.sh
. "$TREE/tests/hosts.sh"

# configure KIND ROOT: a site with that root, here or on a host.
configure() {
	where "$1"
	echo "sites: [{name: s, root: $2, source: $PWD/site, $mine}]" >deploy.yml
}

# -------------------------------------------------------------------- FUSE

# What libfuse 2 makes sets both times of a file or none, numbers the names of
# one file differently, and cannot exchange two names.
fuse_on() {
	local page
	need_root
	need_cmd bindfs jq
	[ -n "${TEST_MOUNTS:-}" ] && [ -e /dev/fuse ] || skip "no FUSE here"
	small
	ln -s about.html site/link
	mkdir below fuse
	bindfs below fuse 2>/dev/null || skip "bindfs does not work here"
	defer umount -l "$PWD/fuse"
	configure "$1" "$PWD/fuse/root"
	# The clock of new content is not that of its files.
	for page in one two three; do
		echo "$page" >site/index.html
		touch -d @1000000000 site/*.html
		run deploy publish
		run deploy verify
		assert_eq "$(<fuse/root/current/index.html)" "$page"
	done
	assert_eq "$(stat -c %Y fuse/root/current/about.html)" \
	    "$(jq -r .mtime fuse/root/.deploy/meta/"$(ls fuse/root/releases |
	    head -n 1)".json)" "a file that never changed"
	run deploy rollback
	assert_eq "$(<fuse/root/current/index.html)" two
	run deploy prune --keep 1
	run deploy verify
}

t_fuse_here() { fuse_on here; }
t_fuse_on_a_c_host() { fuse_on c; }
t_fuse_on_a_dash_host() { fuse_on dash; }
t_fuse_on_a_busybox_host() { fuse_on busybox; }

run_tests
