#!/bin/bash
# deploy doctor: real damage, seen in the same way by the program and by the
# sh verbs in dash and busybox; and hosts that cannot be reached.
# parts: 6
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/hosts.sh
. "$TREE/tests/hosts.sh"
# shellcheck source=tests/sshd.sh
. "$TREE/tests/sshd.sh"

# No configuration of this machine's nginx is looked at.
export DEPLOY_TEST_NGINX=none DEPLOY_TEST_WEB=/dev/null

id=20260101T000000.001Z-00000000-0000-4000-8000-000000000001

# A root, $R, with a release that is live, and three hosts that all have it,
# so that whoever looks at it must find the same.
begin() {
	local h
	need_cmd jq
	busybox_path
	R=$PWD/top/root
	mksite site 3
	mkdir top
	run deploy publish site --root "$R"
	program c c plain
	program dash dash plain
	program busybox busybox plain
	{
		printf 'sites:\n  - name: t\n    root: %s\n    hosts:\n' "$R"
		for h in c dash busybox; do
			printf '      - {address: %s, transport: local, deploy: %s}\n' \
			    "$h" "$PWD/$h"
		done
	} >deploy.yml
}

# Each of the hosts has a root of its own, like the others.
apart() {
	local h
	for h in c dash busybox; do
		cp -a "$R" "$R-$h"
		sed -i "s|{address: $h,|& root: $R-$h,|" deploy.yml
	done
}

# What depends on who looks, not on the root.
own='["deploy", "connection", "tools", "clock", "space"]'

# Those about the root in the document on standard input, a line each.
findings() {
	jq -c ".hosts[].findings[] | select([.what] | inside($own) | not) |
	    .cure |= (. // empty | sub(\" --(root|host) .*\"; \"\"))"
}

# look STATUS [CMD...]: all look at $R, end in that status, and find the same.
# CMD is put before deploy.  One after the other, because they try the lock; the
# two shells in turns, unless all is wanted.
look() {
	local want=$1 h last=${sh:-busybox}
	shift
	sh=dash
	[ "$last" = busybox ] || sh=busybox
	! wide || sh='dash busybox'
	expect_status "$want" "$@" deploy doctor --json --root "$R"
	findings <"$out" >want
	assert_eq "$(jq .healthy "$out")" \
	    "$([ "$want" -eq 0 ] && echo true || echo false)"
	for h in $sh c; do
		expect_status "$want" "$@" deploy doctor --json --host "$h"
		findings <"$out" >got
		diff want got >&2 || fail "$h and this machine differ"
	done
	cp "$out" found
}

# is LEVEL WHAT [WORDS]: one finding says so, in detail or cure.
is() {
	jq -r '.hosts[1].findings[] | [.level, .what, .detail, .cure] | @tsv' \
	    found >lines
	grep -qF -e "$1	$2	" lines || fail "no $1 for $2: $(cat lines)"
	grep -F -e "$1	$2	" lines | finds -F -e "${3:-}" ||
	    fail "no '$3': $(cat lines)"
}

# only LEVEL WHAT [WORDS]: and nothing else is wrong.
only() {
	is "$@"
	assert_eq "$(grep -vc '^ok' lines)" 1 "other findings: $(cat lines)"
}

# Do as the cure of the only failure or warning says.
take_the_cure() {
	jq -r '.hosts[1].findings[] | select(.level != "ok") | .cure' found >cure
	sed -n 's/^.*run there\(,\{0,1\} as root\)\{0,1\}: //p' cure >run
	[ -s run ] || fail "no command: $(cat cure)"
	bash -e run
	look 0
	! grep -v '^ok' lines >&2 || is ok "${1:-root}"
}

well() {
	look 0
	is ok root
	assert_eq "$(grep -vc '^ok' lines || true)" 0 "$(cat lines)"
}

# ----------------------------------------------------------------- the root

t_all_is_well() {
	begin
	find "$R" -printf '%p %T@ %m\n' | sort >before
	well
	is ok current "$(basename "$(readlink "$R/current")")"
	find "$R" -printf '%p %T@ %m\n' | sort >after
	assert_file_eq before after
	apart
	run deploy doctor
	assert_eq "$(grep -cE '^ok    ([^:]*, )?c[:,]' "$out")" \
	    "$(jq '.hosts[1].findings | length' found)"
	run deploy doctor -q
	[ ! -s "$out$err" ] && [ ! -s "$out" ] || fail "$(cat "$out")"
}

t_no_root() {
	begin
	rm -r "$R"
	look 0
	only warn root "run: deploy init"
	rmdir top
	look 1
	only fail root "'$PWD/top' is not there"
	sh -ec "$(jq -r '.hosts[1].findings[] | select(.level == "fail").cure' \
	    found | sed 's/^run there, as root: //')"
	look 0
	only warn root "is there, but not prepared"
	# `init` would refuse it for the same reason.
	mkdir "$R/shared" "$R/lost+found"
	echo mine >"$R/.a page"
	look 1
	only fail root "and has other things in it ('.a page')"
	is fail root "name a directory of its own, such as '$R/site'"
	expect_status 1 deploy init --root "$R"
	assert_contains "$err" "has other things in it ('.a page');"
	rm "$R/.a page"
	look 0
	only warn root "run: deploy init"
	run deploy init --root "$R"
	rmdir "$R/lost+found" "$R/shared"
	well
	rm -r top
	touch top
	look 1
	only fail root "'$PWD/top' is not a directory"
}

# A cure is for the site that was meant, wherever it is pasted.
t_cures_name_the_site() {
	local cure
	mkdir 'a b' public
	echo page >public/index.html
	printf 'sites:\n  - {name: one, root: r1}\n  - {name: two, root: r2, source: ../public}\n' \
	    >'a b/site.yml'
	run deploy doctor -q -c 'a b/site.yml' -s two
	cure=$(sed -n 's/.*run: //p' "$out")
	assert_contains "$out" "run: deploy init -c"
	bash -ec "$cure"
	[ -d 'a b/r2/releases' ] || fail "not made: $cure"
	[ ! -e 'a b/r1' ] || fail "another root: $cure"
	rm -r 'a b/r2/.deploy/trash'
	mkdir 'a b/r2/current'
	expect_status 1 deploy doctor -q -c 'a b/site.yml' -s two
	grep 'run: deploy adopt -c' "$out" || fail "$(<"$out")"
}

t_no_root_and_no_right() {
	begin
	user_dir mine
	chmod 755 "$PWD"
	rm -r "$R"
	look 1 as_user
	only fail root "cannot make it"
	install -d -o nobody "$R"
	look 0 as_user
	only warn root "run: deploy init"
}

t_not_prepared() {
	begin
	rm "$R/.deploy/format"
	look 0
	only warn root "run: deploy init"
	run deploy init --root "$R"
	well
	rmdir "$R/.deploy/trash"
	look 0
	only warn root "run: deploy init"
	run deploy init --root "$R"
	well
	echo 7 >"$R/.deploy/format"
	look 1
	only fail root "format '7'"
}

t_current_is_a_directory() {
	begin
	rm -r "$R"
	mkdir "$R"
	cp -r site "$R/current"
	look 1
	is warn root "deploy adopt"
	is fail current "deploy adopt"
	run deploy adopt --root "$R"
	well
}

t_current_is_wrong() {
	local good
	begin
	good=$(readlink "$R/current")
	ln -sfn "$R/$good/" "$R/current"
	well
	ln -sfn ../old "$R/current"
	look 1
	only fail current "'../old', which is not there"
	is fail current "if nothing is served there, remove the link, then run: deploy activate"
	mkdir "$R/../old"
	look 1
	only fail current "'../old', which is not a release of this root"
	is fail current "run: deploy adopt"
	assert_not_contains "$out" "remove"
	ln -sfn "releases/$id" "$R/current"
	look 1
	only fail current "points to $id, which is not there"
	rm "$R/current"
	touch "$R/current"
	look 1
	only fail current "not a symbolic link"
	rm "$R/current"
	well
	is ok current "nothing is live yet"
}

t_planted() {
	begin
	chmod o+w "$R/.deploy/manifests"
	look 1
	only fail owner "can be written by everybody"
	take_the_cure owner
	# Nobody is told to change what is everybody's.
	mkdir -m 1777 tmp
	deploy doctor --root "$PWD/tmp" >lines || true
	assert_contains lines "tmp' is for everybody's files; name a directory"
	assert_not_contains lines chmod
	need_root
	chown 65534 "$R/releases"
	look 1
	only fail owner "belongs to user 65534, not to root"
	assert_contains lines "chown 0 '$R/releases'"
	chown 0 "$R/releases"
	# All of it: once, and nobody is told to take it.
	chown -R 65534 "$R"
	look 1
	only fail owner "'$R' belongs to user 65534, not to root"
	assert_contains lines "run deploy as that user"
	assert_not_contains lines chown
	chown -R 0 "$R"
	mv "$R/.deploy/meta" elsewhere
	ln -s "$PWD/elsewhere" "$R/.deploy/meta"
	look 1
	only fail owner "'$R/.deploy/meta' is a link"
}

t_not_writable() {
	begin
	chmod 755 "$PWD"
	look 1 as_user
	only fail writing "'$R' cannot be written by nobody"
	# Its cure gives what is ours to who logs in, and nothing else.
	mkdir -p "$R/shared/uploads"
	sed -n 's/.*run there as root: \(chown .*\)/\1/p' lines >cure
	[ -s cure ] || fail "no cure: $(cat lines)"
	run sh -e cure
	assert_eq "$(find "$R" -user 0 -printf '%P\n' | sort | tr '\n' ' ')" \
	    "current shared shared/uploads "
	look 0 as_user
	is ok writing "nobody may"
	chmod a-w "$R/releases"
	look 1 as_user
	only fail writing "chmod u+w '$R/releases'"
	chmod u+w "$R/releases"
	chmod 444 "$R/.deploy/lock"
	look 1 as_user
	is fail writing "'$R/.deploy/lock'"
	chmod 644 "$R/.deploy/lock"
	# As after a backup that root brought back.
	for f in journal lock; do
		chown 0 "$R/.deploy/$f"
		look 1 as_user
		only fail writing "'$R/.deploy/$f' cannot be written by nobody"
		run as_user deploy list --root "$R"
		expect_status 1 as_user deploy publish site --again --root "$R"
		assert_contains "$err" "Permission denied; 'deploy doctor --root $R' says"
		sed -n 's/.*run there as root: \(chown .*\)/\1/p' lines >cure
		run sh -e cure
		look 0 as_user
	done
}

# in_mounts CMD...: where mounts are nobody else's.
in_mounts() {
	need_root
	need_cmd unshare mount
	unshare -m true 2>/dev/null || skip "no mounts here"
	unshare -m sh -c "$mounts"' && exec "$@"' sh "$@"
}

t_read_only() {
	begin
	export R
	mounts='mount --bind "$R" "$R" && mount -o remount,ro,bind "$R"'
	look 1 in_mounts
	only fail writing "read-only"
}

t_two_file_systems() {
	begin
	export R
	mounts='mount -t tmpfs none "$R/shared"'
	mkdir "$R/shared"
	look 0 in_mounts
	mounts='mount -t tmpfs -o mode=755 none "$R/releases"'
	look 1 in_mounts
	is fail "file system" "'$R/releases' is on another one"
	is fail current "which is not there"
	mounts='mount -t tmpfs -o mode=755 none "$R/.deploy/incoming"'
	look 1 in_mounts
	only fail "file system" "incoming"
}

t_no_space() {
	begin
	export R
	mounts='mount -t tmpfs -o mode=755,size=8m,nr_inodes=1000 none "$R/.." && mkdir -p "$R"'
	look 1 in_mounts
	is fail space "deploy prune"
	mounts='mount -t tmpfs -o mode=755,size=64m,nr_inodes=50 none "$R/.." && mkdir -p "$R"'
	look 1 in_mounts
	is fail space "inode"
}

# The cure is no command: the mode of root's directory above the root is root's.
asks_the_owner() {
	jq -r '.hosts[1].findings[] | select(.level != "ok").cure' found >cure
	assert_contains cure \
	    "name a root elsewhere, such as below /srv, or ask who owns that directory (user 0)"
	! grep chmod cure || fail "it is told to change the mode"
}

t_not_readable_for_others() {
	begin
	chmod 700 top
	look 1
	only fail readable "'$PWD/top' has mode 0700"
	asks_the_owner
	chmod 750 top
	look 0
	only warn readable "its group"
	asks_the_owner
	chmod 755 top
	chmod 700 "$R/current/"
	look 1
	only fail readable "'$R/current' has mode 0700"
	take_the_cure readable
	mkdir -m 700 "$R/shared"
	look 1
	only fail readable "'$R/shared'"
	take_the_cure readable
	mkdir -m 700 "$R/shared/up loads"
	look 1
	only fail readable "'$R/shared/up loads' has mode 0700"
	take_the_cure readable
	chmod 750 "$R/shared/up loads"
	look 0
	only warn readable "its group"
	chmod 755 "$R/shared/up loads"
	well
}

t_may_not_be_entered() {
	begin
	chmod 755 "$PWD"
	# The mode of what is root's is not for others to ask for.
	chmod 700 top
	look 1 as_user
	only fail root "'$PWD/top' may not be entered by nobody"
	asks_the_owner
	# One's own.
	chown nobody top
	chmod 655 top
	look 1 as_user
	only fail root "'$PWD/top' may not be entered by nobody"
	take_the_cure
}

t_leftovers() {
	begin
	mkdir "$R/.deploy/incoming/$id"
	touch "$R/.deploy/incoming/$id.manifest"
	look 0
	only warn leftovers "1 unfinished stage, 0 releases"
	# One that is under way is no leftover.
	touch "$R/.deploy/incoming/$id.lock"
	exec 7<"$R/.deploy/incoming/$id.lock"
	flock 7
	look 0
	is ok leftovers
	exec 7<&-
	mkdir "$R/.deploy/trash/$id"
	look 0
	only warn leftovers "1 unfinished stage, 1 release"
	# Somebody may be at work; but not for two days.
	flock -o -s "$R/.deploy/lock" sleep 60 &
	defer kill $!
	wait_for 10 eval "! flock -x -n '$R/.deploy/lock' true"
	look 0
	is ok lock "a run holds it"
	is ok leftovers
	touch -d '2 days ago' "$R/.deploy/incoming/$id"
	look 0
	only warn leftovers
	kill %1
	wait %1 || true
	wait_for 10 flock -x -n "$R/.deploy/lock" true
	run deploy prune --root "$R"
	well
}

# What could be a user's is named, and removed by nobody.
t_kept() {
	begin
	mkdir "$R/.deploy/adopted-$id" "$R/.deploy/mine" "$R/.deploy/trash/mine"
	look 0
	is ok kept "'$R/.deploy/adopted-$id' is what was served before"
	is warn kept "'$R/.deploy/mine' does not belong to deploy"
	is warn kept "'$R/.deploy/trash/mine' does not belong to deploy"
	run deploy prune --root "$R"
	[ -d "$R/.deploy/adopted-$id" ] && [ -d "$R/.deploy/mine" ] &&
	    [ -d "$R/.deploy/trash/mine" ] || fail "removed"
}

t_hooks() {
	begin
	mkdir "$R/.deploy/hooks"
	well
	is ok hooks none
	printf '#!/bin/sh\n' >"$R/.deploy/hooks/post-activate"
	look 1
	only fail hooks "cannot be executed"
	take_the_cure hooks
	is ok hooks "in order"
	chmod 775 "$R/.deploy/hooks/post-activate"
	look 1
	only fail hooks "can be written by others"
	take_the_cure hooks
	ln -s post-activate "$R/.deploy/hooks/post-rollback"
	look 1
	only fail hooks "'$R/.deploy/hooks/post-rollback' is not a regular file"
	rm "$R/.deploy/hooks/post-rollback"
	need_root
	chown 1234 "$R/.deploy/hooks"
	look 1
	only fail hooks "belongs to neither"
	take_the_cure hooks
	well
}

# The document roots that nginx, Apache and Caddy are told.
t_web_servers() {
	begin
	mkdir -p nginx/sites etc/apache2/sites-enabled etc/caddy
	export DEPLOY_TEST_NGINX=$PWD/nginx DEPLOY_TEST_WEB=$PWD/etc
	echo 'http { include sites/*; }' >nginx/nginx.conf
	printf 'server {\n\troot %s/current;\n}\n' "$R" >nginx/sites/a
	well
	is ok web "nginx serves '$R/current' ($PWD/nginx/sites/a:2)"
	sed "s|/srv/www/example.org|$R|" "$TREE/man/examples/apache.conf" \
	    >etc/apache2/sites-enabled/a.conf
	sed "s|/srv/www/example.org|$R|" "$TREE/man/examples/Caddyfile" \
	    >etc/caddy/Caddyfile
	well
	is ok web "apache serves '$R/current'"
	is ok web "caddy serves '$R/current'"
	sed -i "s|$R/current|$R|" nginx/sites/a
	look 0
	only warn web "$PWD/nginx/sites/a:2: nginx serves the root itself"
	sed -i "s|root .*|root $(readlink -f "$R/current");|" nginx/sites/a
	look 0
	only warn web "make its document root '$R/current'"
	rm nginx/sites/a
	sed -i "s|$R/current|$R/|" etc/apache2/sites-enabled/a.conf
	look 0
	only warn web "apache serves the root itself"
	# One that cannot be read.
	chmod 000 nginx/nginx.conf etc/apache2 etc/caddy
	chmod 755 "$PWD"
	[ "$(id -u)" -ne 0 ] || chown -R 65534 "$R"
	look 0 as_user
	is ok root
	! grep '	web	' lines || fail "who told that?"
	chmod 755 etc/apache2 etc/caddy
}

# A release that a container has in the place of the root: seen by who may look
# at its process.
t_a_release_that_is_mounted() {
	local pid
	need_root
	need_cmd unshare
	begin
	mkdir html "other one"
	unshare -m bash -c 'mount --bind "$1/current" html &&
	    mount --bind "$1" "other one" && touch up && exec sleep 600' \
	    - "$R" 2>mounts.err &
	pid=$!
	defer kill $pid
	mounted() {
		[ -e up ] || ! kill -0 $pid 2>/dev/null
	}
	wait_for 20 mounted
	[ -e up ] || skip "cannot mount here: $(cat mounts.err)"
	look 0
	only warn web "$(basename "$(readlink "$R/current")") mounted at '$PWD/html'"
	is warn web "mount all of '$R' there"
}

t_nginx() {
	begin
	mkdir -p nginx/sites
	export DEPLOY_TEST_NGINX=$PWD/nginx
	well
	is ok root
	assert_not_contains lines nginx
	cat >nginx/nginx.conf <<-END
	# open_file_cache max=1;
	http {
		open_file_cache off;
		open_file_cache_valid 3s;
	}
	END
	look 0
	is ok nginx "'$PWD/nginx/nginx.conf'"
	printf 'server {\n\topen_file_cache max=1000 inactive=20s;\n' \
	    >nginx/sites/a
	look 0
	only warn nginx "$PWD/nginx/sites/a:2:"
	echo 'disable_symlinks on;' >nginx/sites/a
	look 0
	only warn nginx "disable_symlinks off"
	chmod 000 nginx/nginx.conf
	chmod 755 "$PWD"
	[ "$(id -u)" -ne 0 ] || chown -R 65534 "$R"
	look 0 as_user
	is ok root
	assert_not_contains lines nginx
}

# ------------------------------------------------------------- the machines

t_client() {
	begin
	apart
	sed -i "s|^    root:.*|&\n    source: $PWD/no|" deploy.yml
	run deploy doctor --json
	assert_eq "$(json "$out" '.hosts[0].findings[] | select(.what == "source") | .level')" \
	    warn
	run deploy doctor
	assert_contains "$out" "warn  source: there is no build at '$PWD/no'; build"
	run deploy doctor -q
	assert_eq "$(cut -d ' ' -f 1 "$out" | sort -u)" warn
}

t_programs() {
	local h
	begin
	apart
	cp c other
	printf '#!/bin/bash\n%q "$@" | sed -u "s/^version.*/version\\t0.0.1/"\n' \
	    "$DEPLOY" >c
	rm "$_base/bb/tar" "$_base/bb/awk"
	expect_status 1 deploy doctor
	assert_contains "$out" "warn  c: deploy: version 0.0.1 there, "
	assert_contains "$out" "ok    dash, busybox: deploy: not used there"
	# What is the same on several stands there once.
	assert_eq "$(grep -c ': owner: nobody else can have planted' "$out")" 1
	assert_contains "$out" "ok    c, dash, busybox: owner: nobody else"
	assert_contains "$out" "ok    dash: tools: sh dash, tar 1"
	assert_contains "$out" \
	    "fail  busybox: tools: the sh verbs need what is not there: awk, tar; install"
	assert_contains "$err" "1 of "
	for h in zstd gzip; do
		rm -f "$_base/bb/$h"
	done
	ln -s "$(command -v tar)" "$(command -v mawk || command -v awk)" \
	    "$_base/bb/"
	[ -e "$_base/bb/awk" ] || mv "$_base/bb/mawk" "$_base/bb/awk"
	run deploy doctor
	assert_contains "$out" "warn  busybox: tools: neither zstd nor gzip"
}

t_clock() {
	local now
	begin
	apart
	run deploy doctor
	assert_eq "$(sed -n 's/: clock: agrees.*//p' "$out" |
	    grep -owE 'c|dash|busybox' | sort | tr '\n' ' ')" "busybox c dash "
	now=$(date +%s)
	printf '#!/bin/bash\n%q "$@" | sed -u "s/^now.*/now\\t%s/"\n' "$DEPLOY" \
	    $((now + 3600))000 >c
	printf '#!/bin/bash\n%q "$@" | sed -u "s/^now.*/now\\t%s/"\n' "$DEPLOY" \
	    $((now - 100))000 >dash
	expect_status 1 deploy doctor
	assert_contains "$out" "fail  c: clock: ahead of this machine's by 3"
	assert_contains "$out" "warn  dash: clock: behind this machine's by 1"
}

# Three hosts through a real sshd, two of which are not what is expected.
t_login() {
	local good
	need_cmd ssh ssh-keygen pgrep
	sshd_start "$PWD/sshd" || fail "sshd does not start"
	defer sshd_stop
	good=$(ssh-keygen -lf sshd/host_key.pub | cut -d ' ' -f 2)
	ssh-keygen -q -t ed25519 -N '' -f stranger
	mksite site 3
	cat >deploy.yml <<-END
	sites:
	  - name: t
	    root: $PWD/r
	    source: site
	    timeout: 20s
	    hosts:
	      - {address: 127.0.0.1, port: $sshd_port, identity: $PWD/sshd/id, host_key: "$good", deploy: $DEPLOY}
	      - {address: 127.0.0.2, port: 1, identity: $PWD/sshd/id}
	      - {address: localhost, port: $sshd_port, identity: $PWD/stranger, host_key: "$good", deploy: none}
	      - {address: "127.0.0.1:$sshd_port", identity: $PWD/sshd/id, deploy: none, host_key: "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}
	END
	sed -i 's/{address: "127.0.0.1:[0-9]*",/{address: localhost, port: '"$sshd_port"', root: '"${PWD//\//\\/}"'\/r2,/' deploy.yml
	expect_status 8 deploy doctor
	assert_contains "$out" "ok    127.0.0.1: host key: ssh-ed25519 $good"
	assert_contains "$out" "ok    127.0.0.1: key: let in by $PWD/sshd/id"
	assert_contains "$out" "warn  127.0.0.1: root: '$PWD/r' is not there yet"
	assert_contains "$out" "ok    127.0.0.1: clock: agrees"
	assert_contains "$out" "fail  127.0.0.2: connection: connect: "
	assert_contains "$out" "ok    localhost:$PWD/r: host key: as expected"
	assert_contains "$out" "fail  localhost:$PWD/r: key: authentication at "
	assert_contains "$out" "; add the public key to ~"
	assert_contains "$out" "fail  localhost:$PWD/r2: host key: "
	assert_contains "$err" "'127.0.0.2' cannot be reached; 3 of "
	assert_contains "$err" "; when that is mended, run: deploy doctor"
	# The way is open; now the key is good for another root only.
	sed -i '/127.0.0.2/d; /localhost/d' deploy.yml
	run deploy publish
	run deploy doctor
	deploy host authorize --root "$PWD/other" sshd/id.pub \
	    >sshd/authorized_keys
	expect_status 8 deploy doctor
	assert_contains "$out" "fail  127.0.0.1: deploy: this key is limited to"
	deploy host authorize --root "$PWD/r" --allow receive sshd/id.pub \
	    >sshd/authorized_keys
	run deploy doctor
}

# in_a_machine CMD...: where users, homes and roots are others', and go with it.
in_a_machine() {
	local d
	for d in etc home srv; do
		[ -e "machine/$d" ] || { mkdir -p machine && cp -a "/$d" machine; }
	done
	unshare -m sh -c 'for d in etc home srv; do
		mount --bind "machine/$d" "/$d" || exit; done; exec "$@"' sh "$@"
}

# What root has to run on a new host, and runs twice.
t_script_for_a_new_host() {
	local keys uid type key given
	need_cmd ssh ssh-keygen
	ssh-keygen -q -t ed25519 -N '' -C "me & you" -f id
	cat >deploy.yml <<-END
	sites:
	  - name: s
	    root: /srv/it's here
	    hosts:
	      - {address: "p5new@www1.invalid:2222", identity: $PWD/id}
	      - {address: here, transport: local, root: $PWD/root}
	      - {address: www2.invalid, identity: $PWD/nokey}
	END
	run deploy doctor --script www1.invalid
	cp "$out" script
	sh -n script
	assert_contains script "$(cat id.pub)"
	expect_status 2 deploy doctor --script www3
	expect_status 2 deploy doctor --script here
	assert_contains "$err" "on this machine"
	expect_status 2 deploy doctor --script www2.invalid
	assert_contains "$err" "no public key of yours"
	expect_status 2 deploy doctor --script www1.invalid --json
	# The key of a job is tried first, and has no file with the public one.
	ssh-keygen -q -t ed25519 -N '' -f job
	read -r type key _ <job.pub
	rm job.pub
	for given in "$PWD/job" "$(cat job)"; do
		DEPLOY_SSH_KEY=$given run deploy doctor --script www1.invalid
		assert_contains "$out" "$type $key DEPLOY_SSH_KEY"
		assert_not_contains "$out" "me & you"
	done
	DEPLOY_SSH_KEY=$PWD/nokey expect_status 1 deploy doctor --script www1.invalid
	assert_contains "$err" "DEPLOY_SSH_KEY: "
	need_root
	unshare -m true 2>/dev/null || skip "needs mount namespaces"
	# Without deploy there.
	run in_a_machine env PATH=/usr/sbin:/usr/bin:/sbin:/bin sh script
	run in_a_machine env PATH=/usr/sbin:/usr/bin:/sbin:/bin sh script
	keys=machine/home/p5new/.ssh/authorized_keys
	assert_eq "$(cat "$keys")" "restrict $(cat id.pub)"
	uid=$(sed -n 's/^p5new:[^:]*:\([0-9]*\):.*/\1/p' machine/etc/passwd)
	assert_eq "$(stat -c '%u %a' "machine/srv/it's here")" "$uid 755"
	assert_eq "$(stat -c '%u %a' "$keys")" "$uid 600"
	assert_eq "$(stat -c '%u %a' machine/home/p5new/.ssh)" "$uid 700"
	[ ! -e /home/p5new ] || fail "it has made a user here"
	assert_eq "$(ls -A machine/home/p5new/.ssh)" authorized_keys
}

# begin_script: the script for a host, and a machine that it has run on, without
# deploy.
begin_script() {
	need_root
	need_cmd ssh-keygen setpriv
	unshare -m true 2>/dev/null || skip "needs mount namespaces"
	ssh-keygen -q -t ed25519 -N '' -C "me & you" -f id
	ssh-keygen -q -t ed25519 -N '' -C other -f other
	cat >deploy.yml <<-END
	sites:
	  - name: s
	    root: /srv/it's here
	    hosts: [{address: p5new@www1.invalid, identity: $PWD/id}]
	END
	deploy doctor --script www1.invalid >script
	run run_script without
	keys=machine/home/p5new/.ssh/authorized_keys
}

# run_script with|without: deploy in the PATH.
run_script() {
	local path=/usr/sbin:/usr/bin:/sbin:/bin
	[ "$1" = without ] || path=${DEPLOY%/*}:$path
	# From a pipe, as ssh gives it.
	in_a_machine env "PATH=$path" sh <script
}

# What is in authorized_keys before and after, a line a word: P is the key,
# R "restrict" and the key, L limited to the root, A to verbs, too, D the
# same as L by a deploy elsewhere, F another root's, O with options of its own, N
# R with another comment; # and X are a comment and another key's line, which
# have the key in them.
t_script_and_the_lines_of_the_key() {
	local key blob with before after status line
	begin_script
	key=$(<id.pub)
	blob=${key#* } blob=${blob%% *}
	declare -A of=(
		[P]="$key" [R]="restrict $key"
		[L]="restrict,command=\"$DEPLOY host --root '/srv/it'\''s here'\" $key"
		[A]="restrict,command=\"$DEPLOY host --root '/srv/it'\''s here' --allow receive\" $key"
		[D]="restrict,command=\"/opt/deploy host --root '/srv/it'\''s here'\" $key"
		[F]="restrict,command=\"$DEPLOY host --root /srv/it\" $key"
		[O]="from=\"10.0.0.1\",environment=\"A=\\\"b c\\\"\" $key"
		[N]="restrict ssh-ed25519 $blob somebody else"
		["#"]="# restrict $key" [X]="restrict  $(<other.pub) $blob"$'\r'
	)
	lines() {
		local w
		for w; do
			[ "$w" = - ] || printf '%s\n' "${of[$w]}"
		done
	}
	while read -r with status before after; do
		read -r -a before <<<"${before//,/ }"
		read -r -a after <<<"${after//,/ }"
		lines "${before[@]}" >"$keys"
		chmod 640 "$keys"
		lines "${after[@]}" >want
		line="$with ${before[*]}: ${after[*]}"
		if [ "$status" = 0 ]; then
			run run_script "$with"
			assert_contains "$out" "done: log in as p5new" "$line"
		else
			expect_status 1 run_script "$with"
			assert_not_contains "$out" "done:" "$line"
			assert_contains "$err" "the line stays: "
		fi
		cmp -s want "$keys" || fail "$line:" $'\n'"$(<"$keys")"
		assert_eq "$(stat -c '%U %a' "$keys")" \
		    "$(stat -c %U machine/home/p5new) 640" "$line"
		assert_eq "$(ls -A machine/home/p5new/.ssh)" authorized_keys
	done <<-'END'
	with	0 -	L
	with	0 R	L
	with	0 R,L	L
	with	0 P,L,R	L
	with	0 N	L
	with	0 D	L
	with	0 L	L
	with	0 A	A
	with	0 R,A	A
	with	0 #,X,R,X	#,X,L,X
	with	0 #,X	#,X,L
	with	1 F	F
	with	1 X,O	X,O
	without	0 -	R
	without	0 R	R
	without	0 P	P
	without	0 #,X	#,X,R
	without	1 L	L
	without	1 A,R	A,R
	without	1 O	O
	END
}

# The script is not done before the user can write where the releases go, and
# changes nobody's directory.
t_script_and_the_root() {
	local how what r="/srv/it's here"
	begin_script
	export r
	while IFS='|' read -r how what; do
		rm -rf machine/srv && mkdir machine/srv
		in_a_machine sh -c "$how" 2>/dev/null
		find machine/srv -printf '%p %u %m\n' | sort >before
		case $how in
		*tmpfs*) sed "2i $how" script >script.ro ;;
		*) cp script script.ro ;;
		esac
		expect_status 1 in_a_machine sh script.ro
		assert_contains "$err" "$what"
		assert_contains "$err" "not done: "
		assert_eq "$(<"$out")" "" "$how"
		find machine/srv -printf '%p %u %m\n' | sort >after
		assert_file_eq before after
		# What it says helps, where it is a command.
		[[ $what = *"; run: "* ]] || continue
		run in_a_machine sh -c "${what#*; run: }"
		run in_a_machine sh script
		run in_a_machine setpriv --reuid=p5new --regid=p5new \
		    --init-groups "$DEPLOY" init --root "$r"
	done <<-'END'
	mkdir "$r"|belongs to root and is empty; run: chown -h 'p5new:p5new' '/srv/it'\''s here'
	mkdir "$r"; touch "$r/mine"|belongs to root and has other things in it; name a directory of its own in deploy.yml, such as '/srv/it's here/site'
	mkdir "$r"; touch "$r/x"; chown daemon "$r"|belongs to daemon; log in as daemon
	mkdir -m 500 "$r"; chown p5new "$r"|who owns it; run: chmod u+wx '/srv/it'\''s here'
	mkdir -m 755 "$r"; chown p5new "$r"; chmod 700 /srv|p5new may not enter '/srv', on the way to
	mkdir -p "$r"; mount -t tmpfs -o ro tmpfs "$r"|is on a file system that is read-only
	"$DEPLOY" init --root "$r"|is a root of deploy that belongs to root; run: chown -h 'p5new:p5new' '/srv/it'\''s here'; cd '/srv/it'\''s here' && chown -R 'p5new:p5new' .deploy releases
	END
}

# Root follows no link of the user's, and runs no program of theirs as root.
t_script_and_what_the_user_planted() {
	local how what uid
	begin_script
	as_p5new() {
		in_a_machine setpriv --reuid=p5new --regid=p5new --init-groups \
		    sh -c "$1"
	}
	owners() {
		find machine/etc machine/srv -path machine/srv/mine -prune -o \
		    -printf '%p %U %m\n' | sort
	}
	cp -a machine fresh
	while IFS='|' read -r how what; do
		rm -rf machine && cp -a fresh machine
		mkdir machine/srv/root machine/srv/root/empty machine/srv/mine
		chown --reference=machine/home/p5new machine/srv/mine
		ln -s mine/www machine/srv/of-root
		as_p5new "$how"
		owners >before
		sed "s|^root=.*|root=${what##*|}|" script >script.planted
		expect_status 1 in_a_machine sh script.planted
		assert_contains "$err" "${what%|*}"
		owners >after
		assert_file_eq before after
	done <<-'END'
	rm -r ~p5new/.ssh; ln -s /srv/root ~p5new/.ssh|'/home/p5new/.ssh' belongs to another user, not to p5new|/srv
	rm -r ~p5new/.ssh; ln -s /srv/root/new ~p5new/.ssh|not done: |/srv
	ln -s /srv/root /srv/mine/www|'/srv/mine/www' on the way to it is not root's; name another|/srv/mine/www/site
	ln -s /srv/root /srv/mine/www|'/srv/mine/www' on the way to it is not root's; name another|/srv/of-root/site
	ln -s /srv/root/empty /srv/mine/www|and is empty; run: chown -h 'p5new:p5new' '/srv/root/empty'|/srv/mine/www
	END
	# What the user may make is the user's to make.
	rm -rf machine && cp -a fresh machine
	mkdir machine/srv/mine
	chown --reference=machine/home/p5new machine/srv/mine
	sed 's|^root=.*|root=/srv/mine/www/site|' script >script.mine
	run in_a_machine sh script.mine
	uid=$(stat -c %u machine/home/p5new)
	assert_eq "$(stat -c '%u %a' machine/srv/mine/www/site)" "$uid 755"
	# A program that the user may replace.
	rm machine/home/p5new/.ssh/authorized_keys
	printf '#!/bin/sh\nid -u >/srv/mine/ran\necho "restrict x"\n' \
	    >machine/srv/mine/deploy
	chmod 755 machine/srv/mine/deploy
	sed 's|^deploy=.*|deploy=/srv/mine/deploy|' script >script.program
	run in_a_machine sh script.program
	assert_eq "$(<machine/srv/mine/ran)" "$uid"
}

# Lines that make a host known, and the fingerprints to compare.
# known_hosts_with_an_alias: in a passwd of our own, for its home.
known_hosts_with_an_alias() {
	unshare -m true 2>/dev/null || return 0
	mkdir -p home/.ssh
	printf 'Host *\n HostKeyAlias front\n' >home/.ssh/config
	sed "s|^root:.*|root:x:0:0:root:$PWD/home:/bin/sh|" /etc/passwd >passwd
	run unshare -m sh -c 'mount --bind passwd /etc/passwd && exec "$@"' x \
	    deploy doctor --known-hosts
	assert_contains "$out" "front $(cut -d ' ' -f 1,2 sshd/host_key.pub)"
	[ -z "$(grep -v '^front ' "$out")" ] || fail "another name"
}

t_known_hosts() {
	need_cmd ssh ssh-keygen ssh-keyscan
	sshd_start "$PWD/sshd" || fail "sshd does not start"
	defer sshd_stop
	cat >deploy.yml <<-END
	sites:
	  - name: s
	    root: $PWD/r
	    hosts:
	      - {address: 127.0.0.1, port: $sshd_port}
	      - {address: here, transport: local, root: $PWD/root}
	END
	run deploy doctor --known-hosts
	assert_contains "$out" "$(cat sshd/known_hosts)"
	! grep -vE '^\[127\.0\.0\.1\]:[0-9]+ (ssh|ecdsa)-' "$out" ||
	    fail "no line for known_hosts"
	assert_contains "$err" \
	    "$(ssh-keygen -lf sshd/host_key.pub | cut -d ' ' -f 2)"
	assert_contains "$err" "compare the fingerprints"
	# Where ssh_config has an alias, ssh(1) and deploy look for that.
	[ "$(id -u)" -ne 0 ] || known_hosts_with_an_alias
	expect_status 2 deploy doctor --known-hosts --json
	expect_status 2 deploy doctor --known-hosts --host here
	sed -i "s/port: $sshd_port/&, jump: gate.invalid/" deploy.yml
	expect_status 8 deploy doctor --known-hosts
	assert_contains "$err" "jump host gate.invalid: resolve: "
	sed -i "s/ port: .*/ port: 1}/" deploy.yml
	expect_status 8 deploy doctor --known-hosts
	[ ! -s "$out" ] || fail "lines for nobody"
	assert_contains "$err" "127.0.0.1: it shows no key; does its sshd answer at port 1?"
}

# Behind a gate, which is known and lets us in, as it has to.
t_known_hosts_behind_a_gate() {
	local port ssh
	need_cmd ssh ssh-keygen
	sshd_start "$PWD/sshd" || fail "sshd does not start"
	defer kill -KILL "$sshd_pid"
	port=$sshd_port
	sshd_start "$PWD/gate" || fail "the gate does not start"
	defer sshd_stop
	ssh=$(command -v ssh)
	cat >client <<-END
	Host gate
	    HostName 127.0.0.1
	    Port $sshd_port
	    IdentityFile $PWD/gate/id
	    UserKnownHostsFile $PWD/gate/known_hosts
	END
	mkdir bin
	printf '#!/bin/sh\nexec %s -F "%s" "$@"\n' "$ssh" "$PWD/client" >bin/ssh
	chmod 755 bin/ssh
	PATH=$PWD/bin:$PATH
	echo "sites: [{name: s, root: $PWD/r, hosts: [
	    {address: 127.0.0.1, port: $port, jump: gate}]}]" >deploy.yml
	run deploy doctor --known-hosts
	assert_eq "$(cut -d ' ' -f 1-3 "$out")" \
	    "[127.0.0.1]:$port $(cut -d ' ' -f 1,2 sshd/host_key.pub)"
	assert_contains "$err" \
	    "$(ssh-keygen -lf sshd/host_key.pub | cut -d ' ' -f 2)"
	cp "$out" shown
	# With the two variables alone, which CI systems have.
	sed -i "s/jump: gate/jump: '127.0.0.1:$sshd_port'/" deploy.yml
	run env DEPLOY_SSH_KEY="$(<gate/id)" \
	    DEPLOY_KNOWN_HOSTS="$(<gate/known_hosts)" deploy doctor --known-hosts
	assert_file_eq "$out" shown
	sed -i "s/jump: '[^']*'/jump: gate/" deploy.yml
	# A gate that nobody knows is not asked.
	: >gate/known_hosts
	expect_status 8 deploy doctor --known-hosts
	[ ! -s "$out" ] || fail "$(<"$out")"
	assert_contains "$err" "jump host gate: host key: "
}

run_tests
