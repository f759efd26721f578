#!/bin/bash
# make deb, dist, static and install: what is in them, and that they come out
# the same.
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/sshd.sh
. "$TREE/tests/sshd.sh"

# again TARGET [VARIABLE=VALUE...]: make, with what was built for the tests, by the
# compiler that built it, and the program here.
again() {
	local cc
	read -r cc <"$TEST_OBJ/flags"
	make -s -C "$TREE" CC="${cc%% -std=*}" OBJ="$TEST_OBJ" BIN="$PWD/bin/deploy" "$@"
}

# in_place DIR: all that belongs there, and nothing else.
in_place() {
	local f
	(cd "$TREE/man" && for f in *.[1-9]; do
		echo "share/man/man${f##*.}/$f"
	done) >want
	(cd "$TREE/man/examples" &&
	    printf 'share/doc/deploy/examples/%s\n' *) >>want
	(cd "$TREE/man" && printf 'share/doc/deploy/%s\n' *.md) >>want
	cat >>want <<-EOF
	bin/deploy
	share/doc/deploy/examples/deploy.schema.json
	share/bash-completion/completions/deploy
	share/fish/vendor_completions.d/deploy.fish
	share/zsh/site-functions/_deploy
	EOF
	sort -o want want
	(cd "$1" && find . -type f -printf '%P\n') |
	    grep -vE '/doc/deploy/[a-z.]+$' | sort >got
	assert_file_eq got want
	[ -x "$1/bin/deploy" ] || fail "it cannot be run"
	[ -x "$1/share/doc/deploy/examples/post-receive" ] ||
	    fail "an example cannot be run"
}

t_install() {
	[ -z "${TEST_SANITIZE:-}" ] || skip "a program of another build"
	(
		umask 077
		run again install DESTDIR="$PWD/to"
	)
	in_place to/usr/local
	[ -z "$(find to/usr/local -type f ! -perm -444)" ] ||
	    fail "only root can read: $(find to -type f ! -perm -444)"
	run again uninstall DESTDIR="$PWD/to"
	assert_eq "$(find to -type f)" "" "left behind"
	run again install DESTDIR="$PWD/to" PREFIX=/opt/d
	in_place to/opt/d
	run to/opt/d/bin/deploy version
	assert_eq "$(find to -type f ! -path 'to/opt/d/*')" "" "elsewhere"
}

# The packages of the libraries that the program loads when it uses them, and
# has to find then.
loaded() {
	sed -nE '/^LIBRARY_DOOR/,/\)$/s/.*"([^"]*)"\)$/\1/p' "$TREE"/src/*/*.c |
	    sort
}

t_deb() {
	local deb lib so
	need_cmd dpkg-deb dpkg-shlibdeps strip
	[ -z "${TEST_SANITIZE:-}" ] || skip "a package of another build"
	run again deb DEB_DIR="$PWD/one"
	deb=$(echo one/deploy_*.deb)
	dpkg-deb -x "$deb" x
	run x/usr/bin/deploy version
	find x/usr/share/man -name '*.gz' -exec gunzip {} +
	in_place x/usr
	dpkg-deb -f "$deb" Depends >depends
	[ "$(loaded | wc -l)" -ge 6 ] || fail "doors are not seen"
	for lib in $(loaded); do
		assert_contains depends "$lib"
	done
	# What it loads only when it is used.
	dpkg-deb -f "$deb" Recommends >recommends
	for lib in curl pq; do
		so=$(grep -ohE "lib$lib\.so\.[0-9]+" "$TREE"/src/*/"$lib.c")
		assert_contains recommends "lib$lib${so##*.}"
	done
	# Nobody's but root's.
	dpkg-deb -c "$deb" >list
	! grep -v ' root/root ' list || fail "other owners"
	run again deb DEB_DIR="$PWD/two"
	cmp "$deb" "two/$(basename "$deb")" || fail "not reproducible"
	need_cmd lintian
	run lintian "$deb"
	! grep -E '^[EW]:' "$out" || fail "lintian complains"
}

t_dist() {
	local tar
	need_cmd git
	git -C "$TREE" rev-parse HEAD >/dev/null 2>&1 || skip "no repository"
	run make -s -C "$TREE" BIN="$PWD/one/deploy" dist
	tar=$(cat "$out")
	sleep 1.1
	run make -s -C "$TREE" DIST_DIR="$PWD/two" dist
	assert_file_eq "$tar" "$(cat "$out")"
	tar -xzf "$tar"
	[ -e "$(basename "$tar" .tar.gz)/src/cmd/main.c" ] || fail "no sources"
}

# A host that has nothing, not even a shell or a C library: a directory that
# the program is locked into.
t_static() {
	local id
	need_root
	need_cmd cc jq readelf ssh ssh-keygen nm pgrep
	[ -z "${TEST_SANITIZE:-}" ] || skip "a program of another build"
	[ -e "$(cc -print-file-name=libacl.a)" ] || skip "needs libacl1-dev"
	run again static
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
