#!/bin/bash
# README.md, followed by a newcomer: its deploy.yml as it stands, to four hosts
# with those names, sshd and nginx on their own ports 22 and 80, in a network
# and with files that nobody else sees.
. "$(dirname "$0")/../lib.sh"

examples=$TREE/README.md

# The code of README.md between ```LANGUAGE and ```.
code() {
	awk -v begin="\`\`\`$1" '$0 == begin { inside = 1; next }
	    /^```/ { inside = 0 } inside' "$examples"
}

# Each host is 127.0.0.1N, with a /srv of its own: what is done there is done
# by `on N COMMAND`.
world() {
	cat <<-'EOF'
	set -euo pipefail
	ip link set lo up
	home=$PWD/home
	mkdir -p "$home"/{me,deploy}/.ssh
	{ sed "s|^root:.*|root:x:0:0::$home/me:/bin/sh|" /etc/passwd
	    echo "deploy:x:2000:2000::$home/deploy:/bin/sh"; } >passwd
	{ cat /etc/group; echo deploy:x:2000:; } >group
	{ cat /etc/shadow; echo 'deploy:*:1::::::'; } >shadow
	echo 127.0.0.1 localhost >names
	for n in 1 2 3 4; do
		echo "127.0.0.1$n www$n.example.org"
	done >>names
	mount --bind passwd /etc/passwd
	mount --bind group /etc/group
	mount --bind shadow /etc/shadow
	mount --bind names /etc/hosts
	ssh-keygen -q -t ed25519 -N '' -f "$home"/me/.ssh/id_ed25519
	chown -R deploy:deploy "$home/deploy"
	mkdir -p /run/sshd
	ssh-keygen -q -t ed25519 -N '' -f host_key

	pids=()
	trap 'kill "${pids[@]}"; wait' EXIT
	PATH=$PATH:/usr/sbin:/sbin
	for n in 1 2 3 4; do
		cat >sshd-$n <<-END
		ListenAddress 127.0.0.1$n:22
		HostKey $PWD/host_key
		PidFile none
		UsePAM no
		StrictModes no
		SetEnv PATH=${DEPLOY%/*}:$PATH
		END
		cat >nginx-$n <<-END
		daemon off; pid $PWD/pid-$n; error_log $PWD/log-$n; events { }
		http { access_log off;
		client_body_temp_path $PWD/t; proxy_temp_path $PWD/t;
		fastcgi_temp_path $PWD/t; uwsgi_temp_path $PWD/t;
		scgi_temp_path $PWD/t;
		$(sed -n '/^    server {/,/^    }/p' "$README" |
		    sed "s/listen 80/listen 127.0.0.1$n:80/")
		}
		END
		unshare -m sh -c 'mount -t tmpfs tmpfs /srv; : >"up-$1"
		    mount -t tmpfs -o uid=2000,gid=2000,mode=755 tmpfs home/deploy
		    nginx -e "$PWD/log-$1" -c "$PWD/nginx-$1" & nginx=$!
		    sshd=$(command -v sshd)
		    "$sshd" -D -e -f "$PWD/sshd-$1" & sshd=$!
		    trap "kill $nginx $sshd; wait" TERM
		    wait' sh "$n" &
		pids[n]=$!
	done
	for n in 1 2 3 4; do
		for _ in {1..200}; do
			! (: >"/dev/tcp/127.0.0.1$n/22") 2>/dev/null || break
			sleep 0.05
		done
	done
	on() {
		local n=$1
		shift
		nsenter -t "${pids[n]}" -m "$@"
	}
	EOF
}

t_to_four_hosts() {
	local n
	need_root
	need_cmd unshare nsenter ip nginx curl ssh ssh-keyscan rsync hugo
	unshare -m -n -p -f true 2>/dev/null || skip "no namespaces here"
	cp -R "$TREE/tests/demo-site" site
	code yaml | sed 's,https:,http:,' >site/deploy.yml
	grep -q 'www4.example.org' site/deploy.yml || fail "no example"
	code console | sed -n 's/^\$ //p' >typed
	{
		world
		echo 'export HUGO_CACHEDIR=$TMPDIR HOME=$home/me'
		# What ssh asks root, and how it is answered.
		echo 'for n in 1 2 3 4; do'
		echo '	ssh-keyscan -t ed25519 "www$n.example.org"'
		echo 'done >>"$home"/me/.ssh/known_hosts 2>/dev/null'
		# As root on the host, whom nobody lets in here by the network.
		echo 'cd site; for n in 1 2 3 4; do'
		sed -n '/ssh root@/s/www1/www$n/; s/| ssh root@[^ ]*/| on "$n"/p' typed
		echo 'done; set -x'
		# Something to go back from.
		more='echo More fog. >>content/posts/fog.md'
		sed -n -e '/^deploy publish/{p;i\' -e "$more" -e '}' \
		    -e '/^deploy/{/root@/!p;}' typed
	} >script
	cat >>script <<-'EOF'
	set +x
	for n in 1 2 3 4; do
		on "$n" sh -c 'cd /srv/www/example.org; readlink current
		    grep -rl "More fog" current/posts releases/*/posts'
	done | sed 's,.*/2,2,' >../found
	EOF
	README=$examples run unshare -m -n -p -f --kill-child --mount-proc \
	    bash script
	# The second one is there on all hosts, and the first one is live.
	assert_eq "$(sort found | uniq -c | awk '{ print $1, $2 ~ /fog/ }')" \
	    $'4 0\n4 1' "$(cat found)"
	for n in 1 2 3 4; do
		assert_eq "$(grep -c "@www$n.example.org: it is served" "$err")" 3
	done
	assert_contains "$out" "www4.example.org"
}

run_tests
