#!/bin/bash
# `transport: rsync`: real rsync through our session to a real sshd, for a
# host with deploy, one with the sh verbs in dash, and one in busybox.  All
# hosts are this machine; each has a root of its own.
# shellcheck disable=SC2034
# parts: 5
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/hosts.sh
. "$TREE/tests/hosts.sh"
# shellcheck source=tests/sshd.sh
. "$TREE/tests/sshd.sh"

# setup [LINE]...: an sshd, and a client that knows it and has a key.
setup() {
	need_cmd rsync ssh ssh-keygen pgrep jq
	sshd_start "$PWD/sshd" "$@" || fail "sshd does not start"
	defer sshd_stop
	export DEPLOY_KNOWN_HOSTS
	DEPLOY_KNOWN_HOSTS=$(cat "$PWD/sshd/known_hosts")
}

# config TRANSPORT KIND...: deploy.yml with a host for each kind, called by
# its root r-KIND.  $more goes to the site.
config() {
	local transport=$1 k
	shift
	{
		printf 'sites:\n  - name: t\n    root: %s\n' "$PWD/r"
		printf '    source: site\n    lock_wait: 5s\n%b    hosts:\n' \
		    "${more:-}"
		for k; do
			[ -e "h-$k" ] || program "h-$k" "$k" plain
			printf '      - {address: 127.0.0.1, port: %s, root: "%s", identity: %s, transport: %s, deploy: %s}\n' \
			    "$sshd_port" "$PWD/r-$k" "$PWD/sshd/id" "$transport" \
			    "$PWD/h-$k"
		done
	} >deploy.yml
	kinds=$*
}

site() {
	mkdir -p site/a site/empty "site/with space"
	echo one >site/index.html
	seq 20000 >site/a/numbers
	head -c 300000 /dev/urandom >site/a/noise
	printf '#!/bin/sh\n' >site/run
	chmod 700 site/run
	chmod 600 site/a/numbers
	ln -s index.html site/link
	echo 1 >"site/with space/ä ü.html"
	echo 2 >'site/back\slash'
	echo 3 >site/-dash
	echo 4 >'site/#hash'
	echo 5 >'site/;semi'
	echo 6 >"site/it's \"quoted\" \$HOME *?[x]"
	echo 7 >'site/co:lon'
	mkdir -p site/.git
	echo no >site/.git/config
	echo no >site/a/x.map
}

# What every root has to serve: the site, with the modes of a release.
want() {
	rm -rf want
	cp -a site want
	rm -rf want/.git want/a/*.map
	find want -type d -exec chmod 755 {} +
	find want -type f -perm /111 -exec chmod 755 {} +
	find want -type f ! -perm /111 -exec chmod 644 {} +
}

assert_serves_site() {
	local k
	want
	for k in $kinds; do
		assert_tree_eq "r-$k/current/" want
		assert_eq "$(ls -A "r-$k/.deploy/incoming")" "" "$k: incoming"
	done
}

# path of a file -> its mtime, of the first root
mtime() {
	stat -c %.Y "r-${kinds%% *}/current/$1"
}

# One line for each root: all files with their modes and times.
assert_alike() {
	local k
	for k in $kinds; do
		(cd "r-$k/current/" && find . -type f -printf '%p %m %T@\n' |
		    LC_ALL=C sort) >"list-$k"
		assert_file_eq "list-$k" "list-${kinds%% *}"
	done
}

more_exclude='    exclude: ["*.map"]\n'

t_all_kinds_of_hosts() {
	local before k first second
	setup
	more=$more_exclude config rsync c dash busybox
	site
	run deploy publish
	first=$(cat "$out")
	assert_serves_site
	assert_alike
	run deploy verify
	# Everything is new as far as times go, one file really is.
	before=$(mtime a/noise)
	find site -exec touch -h {} +
	echo two >site/index.html
	rm site/-dash
	echo 8 >site/a/new
	run deploy publish
	second=$(cat "$out")
	assert_serves_site
	assert_alike
	assert_eq "$(mtime a/noise)" "$before" "mtime of what did not change"
	for k in $kinds; do
		[ "r-$k/releases/$first/a/noise" -ef "r-$k/current/a/noise" ] ||
		    fail "$k: not linked"
		[ ! "r-$k/releases/$first/index.html" -ef \
		    "r-$k/current/index.html" ] || fail "$k: linked"
		assert_eq "$(cat "r-$k/releases/$first/index.html")" one
	done
	run deploy verify
	run deploy verify "$first"
	run deploy publish
	assert_eq "$(cat "$out")" "$second"
	run deploy rollback
	assert_eq "$(cat "$out")" "$first"
}

t_one_login_for_verbs_and_rsync() {
	setup
	more=$more_exclude config rsync c
	site
	run deploy publish
	assert_eq "$(grep -c 'Accepted publickey' sshd/log)" 1
	assert_serves_site
}

t_beside_other_transports() {
	setup
	more=$more_exclude config rsync c dash
	site
	sed -i '0,/transport: rsync/s//transport: ssh/' deploy.yml
	printf '      - {address: here, transport: local, root: "%s"}\n' \
	    "$PWD/r-local" >>deploy.yml
	kinds="c dash local"
	run deploy publish
	assert_serves_site
	assert_alike
	echo two >site/index.html
	run deploy publish
	assert_serves_site
	assert_alike
}

# Only the difference travels, also of a file that changed.
t_differences() {
	local sent
	setup
	more=$more_exclude config rsync c
	site
	head -c 3000000 /dev/urandom >site/a/noise
	run deploy publish
	head -c 2000 /dev/urandom >>site/a/noise
	run deploy publish --json
	assert_serves_site
	sent=$(json "$out" .sent_bytes)
	((sent > 2000 && sent < 200000)) || fail "sent $sent"
}

# Modes are 0644 and 0755, whatever a build has.
t_modes_that_are_not_for_a_site() {
	local m n=0
	setup
	config rsync c dash
	mkdir site
	echo one >site/index.html
	for m in 1777 2775 6711 4755 1644 0600 3000; do
		n=$((n + 1))
		mkdir "site/d$n"
		chmod "$m" "site/d$n"
		echo "$n" >"site/f$n"
		chmod "$m" "site/f$n"
	done
	[ "$(id -u)" -eq 0 ] || chmod u+rwX -R site
	run deploy publish
	run deploy verify
	assert_eq "$(stat -c %a r-dash/current/* | sort | uniq -c | tr -s ' \n' ' ')" \
	    " 4 644 11 755 "
	run diff <(cd r-c/current/ && stat -c '%a %n' ./*) \
	    <(cd r-dash/current/ && stat -c '%a %n' ./*)
}

t_other_bases_and_times() {
	local k
	setup
	more=$more_exclude config rsync c dash busybox
	site
	# Each has the same files from another time; hard links to them must
	# not be changed.
	want
	for k in $kinds; do
		run deploy publish want --root "$PWD/r-$k"
		find "r-$k/releases/" -type f -printf '%p %m %T@\n' | sort \
		    >"before-$k"
		sleep 1.1
	done
	echo two >site/index.html
	run deploy publish
	assert_serves_site
	assert_alike
	for k in $kinds; do
		find "r-$k/releases/" -type f -printf '%p %m %T@\n' | sort |
		    grep -F "$(head -n 1 "before-$k" | cut -d / -f 3)" \
		    >"after-$k"
		assert_file_eq "after-$k" "before-$k"
	done
	run deploy verify
	for k in $kinds; do
		run deploy verify --root "$PWD/r-$k" previous
	done
}

t_shared_carried_archive() {
	local k bridge name
	setup
	more="$more_exclude"'    shared: ["up/loads"]\n    carry: {paths: ["a/**"], for: 1d}\n'
	config rsync c dash
	site
	run deploy publish
	mv site/a/noise site/a/noise2
	mkdir site/up
	run deploy publish
	for k in $kinds; do
		cmp site/a/noise2 "r-$k/current/a/noise"
		cmp site/a/noise2 "r-$k/current/a/noise2"
		assert_eq "$(readlink "r-$k/current/up/loads")" \
		    "../../../shared/up/loads"
		[ -d "r-$k/shared/up/loads" ] || fail "$k: no shared/"
		# The bridge before it: links of what is there.
		bridge=$(sed -n 's/.*"id":"\([^"]*\)".*"bridge":"2.*/\1/p' \
		    "r-$k"/.deploy/meta/*.json)
		for name in index.html a/noise a/noise2; do
			[ "$(stat -c %h "r-$k/releases/$bridge/$name")" -gt 1 ] ||
			    fail "$k: the bridge has $name alone"
		done
		cmp site/a/noise2 "r-$k/releases/$bridge/a/noise2"
		deploy verify -q --root "$PWD/r-$k" "$bridge"
	done
	assert_alike
	# A host without the release that the carried file is from.
	rm -rf r-dash
	echo three >site/index.html
	run deploy publish
	assert_alike
	cmp site/a/noise2 r-dash/current/a/noise
	run deploy verify
	tar -C site -cf site.tar .
	echo more >>site/index.html
	tar -C site -cf site.tar .
	run deploy publish site.tar
	cmp site/index.html r-dash/current/index.html
	assert_alike
}

t_group() {
	need_root
	setup
	more="$more_exclude"'    group: nogroup\n' config rsync c dash
	site
	run deploy publish
	for k in $kinds; do
		assert_eq "$(stat -c '%G %a' "r-$k/current/a" \
		    "r-$k/current/a/numbers" "r-$k/current/" | tr '\n' ' ')" \
		    "nogroup 2755 nogroup 644 nogroup 2755 "
	done
	run deploy publish --again
	run deploy verify
}

# --------------------------------------------------------------- failures

is_empty() {
	[ -z "$(ls -A "$1")" ]
}

# failing CODE TEXT...: publish fails with it, nothing is anywhere.
failing() {
	local code=$1 text k
	shift
	expect_status "$code" deploy publish
	for text; do
		assert_contains "$err" "$text"
	done
	for k in $kinds; do
		# The client is gone: the host tidies up by itself.
		wait_for 20 is_empty "r-$k/.deploy/incoming"
		assert_eq "$(readlink "r-$k/current" || true)" "${live:-}"
	done
}

# A directory with all programs but rsync.
path_without_rsync() {
	local d f
	mkdir "$1"
	for d in /bin /usr/bin /usr/local/bin; do
		for f in "$d"/*; do
			[ "${f##*/}" = rsync ] ||
			    ln -sf "$f" "$1/${f##*/}"
		done
	done
}

t_no_rsync_here() {
	setup
	more=$more_exclude config rsync c
	site
	path_without_rsync bin
	ln -sf "$DEPLOY" bin/deploy
	PATH=$PWD/bin failing 8 "127.0.0.1" "there is no rsync here" "install"
}

t_no_rsync_there() {
	setup "SetEnv PATH=$PWD/bin"
	more=$more_exclude config rsync c dash
	site
	path_without_rsync bin
	failing 8 "127.0.0.1" "there is no rsync on the host" "install"
	ln -s "$(command -v rsync)" bin/rsync
	run deploy publish
	assert_serves_site
}

# What rsync brings is not what was hashed: refused by the host.
t_other_content() {
	local k what
	setup "SetEnv PATH=$PWD/bin:$PATH"
	more=$more_exclude config rsync c dash busybox
	site
	run deploy publish
	live=$(readlink r-c/current)
	echo two >site/index.html
	mkdir bin
	for what in 'echo evil >>index.html' 'echo x >extra' 'rm a/numbers' \
	    'rm -r empty' 'rm index.html; mkdir index.html' \
	    'rm a/numbers; ln -s ../index.html a/numbers' \
	    'rm -rf a; ln -sT ../../../releases/*/a a' \
	    'rm index.html; mkfifo index.html'; do
		cat >bin/rsync <<-END
		#!/bin/bash
		$(command -v rsync) "\$@" || exit
		for d in $PWD/r-*/.deploy/incoming/*/; do
			(cd "\$d" && [ -e index.html ] && $what) || true
		done
		END
		chmod +x bin/rsync
		failing 5
	done
	rm bin/rsync
	run deploy publish
	assert_serves_site
	run deploy verify
	run deploy verify previous
}

# The other end dies, or stops, or says nonsense.
t_rsync_fails_there() {
	setup "SetEnv PATH=$PWD/bin:$PATH"
	more=$more_exclude config rsync c dash
	site
	mkdir bin
	printf '#!/bin/sh\necho why not >&2; exit 3\n' >bin/rsync
	chmod +x bin/rsync
	failing 1 "why not"
	printf '#!/bin/sh\nkill -KILL $$\n' >bin/rsync
	failing 1 rsync
	printf '#!/bin/sh\nhead -c 100000 /dev/urandom\n' >bin/rsync
	failing 1 rsync
	rm bin/rsync
	run deploy publish
	assert_serves_site
}

t_interrupted() {
	local pid status=0
	setup "SetEnv PATH=$PWD/bin:$PATH"
	more=$more_exclude config rsync c dash
	site
	mkdir bin
	printf '#!/bin/sh\ntouch %q\nexec sleep 60\n' "$PWD/began" >bin/rsync
	chmod +x bin/rsync
	deploy publish >"$out" 2>"$err" &
	pid=$!
	wait_for 30 test -e began
	kill -INT "$pid"
	wait "$pid" || status=$?
	assert_eq "$status" 1
	assert_contains "$err" SIGINT
	wait_for 10 test -z "$(pgrep -f "__rs[h].*$PWD" || true)"
	rm bin/rsync
	pkill -f "^sleep 6[0]" -P "$(sshd_sessions | tr '\n' ,)" 2>/dev/null || true
	run deploy publish
	assert_serves_site
}

t_a_key_for_verbs_only_cannot_use_rsync() {
	setup
	more=$more_exclude config rsync c
	site
	deploy host authorize --root "$PWD/r-c" "$(cat sshd/id.pub)" \
	    >sshd/authorized_keys
	failing 1 "rsync" "this key is for 'deploy host'"
	sed -i 's/transport: rsync/transport: ssh/' deploy.yml
	run deploy publish
	assert_serves_site
}

t_disk_full() {
	need_root
	setup
	more=$more_exclude config rsync c dash
	site
	mkdir r-dash
	mount -t tmpfs -o size=2m,mode=755 none r-dash 2>/dev/null ||
	    skip "no tmpfs"
	defer umount "$PWD/r-dash"
	run deploy publish
	live=$(readlink r-dash/current)
	head -c 4000000 /dev/urandom >site/a/more
	failing 10 "make room"
	rm site/a/more
	echo two >site/index.html
	run deploy publish
	assert_serves_site
}

t_a_root_that_is_a_pattern() {
	setup
	more=$more_exclude config rsync c
	site
	sed -i "s,r-c\",r*c\"," deploy.yml
	expect_status 2 deploy publish
	assert_contains "$err" "pattern"
	assert_eq "$(ls -A 'r*c/releases')" ""
}

t_the_hidden_command() {
	expect_status 2 deploy __rsh
	expect_status 2 deploy __rsh 1 host true
	expect_status 1 deploy __rsh 99 host true
	run deploy help
	assert_not_contains "$out" __rsh
}

run_tests
