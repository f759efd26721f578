# shellcheck shell=bash
# Four hosts with the names of README.md and of the tutorials, and sshd and nginx
# on their own ports 22 and 80, in a network and with files that nobody else
# sees: a script for `unshare -m -n -p`, which ends with what is to be done
# there, at whose end all of it ends.  Each host is 127.0.0.1N, with /srv, /var/www and /etc/nginx of its
# own, and of all hosts root's and deploy's homes are below ./home.
#
#   on N COMMAND...	do this on host N, as root
#   serve N		give nginx there the site of the standard input
#   down N, up N	end sshd there, and start it again

needs_world() {
	need_root
	need_cmd unshare nsenter ip nginx curl ssh ssh-keyscan rsync hugo
	unshare -m -n -p -f true 2>/dev/null || skip "no namespaces here"
}

# in_world: the script that world() has begun, from the standard input.
in_world() {
	{
		world
		cat
	} >script
	run unshare -m -n -p -f --kill-child --mount-proc bash script
}

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
	{ echo 127.0.0.1 localhost; echo 127.0.0.11 example.org; } >names
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
	PATH=$PATH:/usr/sbin:/sbin
	for n in 1 2 3 4; do
		cat >sshd-$n <<-END
		ListenAddress 127.0.0.1$n:22
		HostKey $PWD/host_key
		PidFile none
		UsePAM no
		StrictModes no
		Subsystem sftp internal-sftp
		SetEnv PATH=${DEPLOY%/*}:$PATH
		END
		cat >nginx-$n <<-END
		daemon off; pid $PWD/pid-$n; error_log $PWD/log-$n; events { }
		http { access_log off;
		client_body_temp_path $PWD/t; proxy_temp_path $PWD/t;
		fastcgi_temp_path $PWD/t; uwsgi_temp_path $PWD/t;
		scgi_temp_path $PWD/t; include /etc/nginx/conf.d/*.conf;
		}
		END
		unshare -m sh -c 'mount -t tmpfs tmpfs /srv
		    mount -t tmpfs tmpfs /etc/nginx
		    mkdir -p /etc/nginx/conf.d /var/www
		    mount -t tmpfs tmpfs /var/www
		    cp "nginx-$1" /etc/nginx/nginx.conf
		    mount -t tmpfs -o uid=2000,gid=2000,mode=755 tmpfs home/deploy
		    nginx -e "$PWD/log-$1" &
		    sshd=$(command -v sshd)
		    "$sshd" -D -e -f "$PWD/sshd-$1" & sshd=$!
		    echo "$sshd" >"sshd-pid-$1"
		    wait' sh "$n" &
		pids[n]=$!
	done
	here=$PWD
	answers() {
		(: >"/dev/tcp/127.0.0.1$1/$2") 2>/dev/null
	}
	until_it() {
		local i
		for i in {1..600}; do
			! "$@" || return 0
			sleep 0.05
		done
		echo "in vain: $*" >&2
		exit 1
	}
	on() {
		local n=$1
		shift
		nsenter -t "${pids[n]}" -m "$@"
	}
	serve() {
		sed "s/listen 80/listen 127.0.0.1$1:80/" |
		    on "$1" sh -c 'cat >/etc/nginx/conf.d/site.conf
		    exec nginx -s reload -e "$0"' "$here/log-$1"
		until_it answers "$1" 80
	}
	is_down() {
		! answers "$1" 22
	}
	down() {
		kill "$(<"$here/sshd-pid-$1")"
		until_it is_down "$1"
	}
	up() {
		on "$1" "$(command -v sshd)" -D -e -f "$here/sshd-$1" &
		until_it answers "$1" 22
	}
	for n in 1 2 3 4; do
		until_it answers "$n" 22
		ssh-keyscan -t ed25519 "www$n.example.org"
	done >>"$home"/me/.ssh/known_hosts 2>keyscan
	export HUGO_CACHEDIR=$TMPDIR HOME=$home/me
	EOF
}
