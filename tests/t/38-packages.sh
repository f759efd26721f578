#!/bin/bash
# make deb, dist, static and install: what is in them, and that they come out
# the same.
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/sshd.sh
. "$TREE/tests/sshd.sh"

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

# A host that has nothing, not even a shell or a C library: a directory that
# the program is locked into.
t_static() {
	local id
	need_root
	need_cmd cc jq readelf ssh ssh-keygen nm pgrep
	[ -z "${TEST_SANITIZE:-}" ] || skip "a program of another build"
	[ -e "$(cc -print-file-name=libacl.a)" ] || skip "needs libacl1-dev"
	run make -s -C "$TREE" OBJ="$(realpath "$TEST_OBJ")" \
	    BIN="$PWD/bin/deploy" static
	! readelf -d bin/deploy-static | grep NEEDED || fail "needs libraries"
	mkdir -p jail/srv
	cp bin/deploy-static jail/deploy
	printf '#!/bin/sh\nexec env -i %s %s /deploy "$@"\n' \
	    "$(PATH=$PATH:/usr/sbin:/sbin command -v chroot)" "$PWD/jail" >locked
	chmod 755 locked
	sshd_start "$PWD/h"
	defer sshd_stop
	DEPLOY_KNOWN_HOSTS=$(cat h/known_hosts)
	export DEPLOY_KNOWN_HOSTS
	cat >deploy.yml <<-EOF
	sites:
	  - name: s
	    source: site
	    root: /srv/www
	    hosts:
	      - address: 127.0.0.1
	        port: $sshd_port
	        identity: $PWD/h/id
	        deploy: $PWD/locked
	EOF
	mksite site 30
	id=$(deploy stage)
	[ ! -e jail/srv/www/current ] || fail "live"
	run deploy activate "$id"
	assert_tree_eq site jail/srv/www/current/
	mksite site 30 2
	# It is the other end, too.
	run bin/deploy-static publish
	assert_tree_eq site jail/srv/www/current/
	run deploy verify
	run bin/deploy-static rollback
	assert_eq "$(readlink jail/srv/www/current)" "releases/$id"
	run deploy prune --keep 1
	run deploy status --json
	assert_eq "$(json "$out" '.hosts[0].version')" \
	    "$(deploy version --json | jq -r .version)"
	# What it cannot do it says.
	sed -i "\$a\\    check: {url: 'http://127.0.0.1:9/', tries: 1}" deploy.yml
	expect_status 1 bin/deploy-static check
	assert_contains "$err" "linked statically and cannot load libcurl"
}

run_tests
