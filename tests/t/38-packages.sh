#!/bin/bash
# make deb and make dist: what is in them, and that they come out the same.
. "$(dirname "$0")/../lib.sh"

make_deb() {
	make -s -C "$TREE" OBJ="$(realpath "$TEST_OBJ")" \
	    BIN="$PWD/bin/deploy" DEB_DIR="$PWD/$1" deb
}

t_deb() {
	local deb
	need_cmd dpkg-deb dpkg-shlibdeps strip
	[ -z "${TEST_SANITIZE:-}" ] || skip "a package of another build"
	run make_deb one
	deb=$(echo one/deploy_*.deb)
	dpkg-deb -x "$deb" x
	run x/usr/bin/deploy version
	[ -e x/usr/share/man/man1/deploy.1.gz ] || fail "no manual"
	[ -e x/usr/share/bash-completion/completions/deploy ] ||
	    fail "no completion"
	dpkg-deb -f "$deb" Depends >depends
	assert_contains depends libarchive13
	assert_contains depends libssh
	# Nobody's but root's.
	dpkg-deb -c "$deb" >list
	! grep -v ' root/root ' list || fail "other owners"
	run make_deb two
	cmp "$deb" "two/$(basename "$deb")" || fail "not reproducible"
	need_cmd lintian
	run lintian "$deb"
	! grep -E '^[EW]:' "$out" || fail "lintian complains"
}

t_dist() {
	local tar
	need_cmd git
	git -C "$TREE" rev-parse HEAD >/dev/null 2>&1 || skip "no repository"
	mkdir one two
	run make -s -C "$TREE" DIST_DIR="$PWD/one/" dist
	run make -s -C "$TREE" DIST_DIR="$PWD/two/" dist
	tar=$(echo one/deploy-*.tar.gz)
	cmp "$tar" "two/$(basename "$tar")" || fail "not reproducible"
	tar -xzf "$tar"
	[ -e "$(basename "$tar" .tar.gz)/src/main.c" ] || fail "no sources"
}

run_tests
