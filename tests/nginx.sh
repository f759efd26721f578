# shellcheck shell=bash
# A real nginx on a free port of the loopback interface, as the user who runs
# this, with every file of its own under one directory.  For tests and demo.

PATH=$PATH:/usr/sbin:/sbin

# nginx_start DIR DOCROOT: serve DOCROOT, which may be a symbolic link that
# changes, and wait until it answers.  Sets $nginx_pid and $url; the caller
# kills $nginx_pid.  Returns 1 with the log on stderr when it does not start.
nginx_start() {
	local dir=$1 docroot=$2 try port token
	mkdir -p "$dir"
	for ((try = 0; try < 20; try++)); do
		port=$((20000 + RANDOM % 12000))
		token=.nginx-$BASHPID-$RANDOM$RANDOM
		_nginx_conf "$dir" "$docroot" "$port" "$token" \
		    >"$dir/nginx.conf"
		nginx -p "$dir" -c "$dir/nginx.conf" -e "$dir/error.log" \
		    </dev/null >/dev/null 2>&1 &
		nginx_pid=$!
		if _nginx_answers "http://127.0.0.1:$port/$token"; then
			# For whoever sources this file.
			# shellcheck disable=SC2034
			url=http://127.0.0.1:$port
			return 0
		fi
		kill "$nginx_pid" 2>/dev/null
		wait "$nginx_pid" 2>/dev/null
	done
	cat "$dir/error.log" >&2
	return 1
}

# Wait until the nginx just started answers at this URL, which no other server
# knows; 1 when it has ended, as it does when another program has the port.
_nginx_answers() {
	local i
	for ((i = 0; i < 500; i++)); do
		kill -0 "$nginx_pid" 2>/dev/null || return 1
		[ "$(curl --noproxy '*' -s -m 5 "$1")" != ours ] || return 0
		sleep 0.02
	done
	return 1
}

# nginx_head DIR [LOG]: print how a configuration begins that has all its files
# below DIR, up to the first words of http; LOG is what stands there of access
# logs, where they are wanted.  Workers of a root nginx stay root, because the
# directories of tests are closed to others.
nginx_head() {
	local dir=$1
	[ "$(id -u)" -ne 0 ] || echo 'user root;'
	cat <<-EOF
	daemon off;
	worker_processes ${nginx_workers:-1};
	pid "$dir/pid";
	error_log "$dir/error.log";
	events { worker_connections 512; }
	http {
		${2:-access_log off;}
		types { text/html html; text/css css; text/javascript js; image/png png; }
		client_body_temp_path "$dir/body";
		proxy_temp_path "$dir/proxy";
		fastcgi_temp_path "$dir/fastcgi";
		uwsgi_temp_path "$dir/uwsgi";
		scgi_temp_path "$dir/scgi";
	EOF
}

# Print the configuration of nginx_start.
_nginx_conf() {
	local docroot=$2 port=$3 token=$4
	nginx_workers=2 nginx_head "$1"
	cat <<-EOF
		default_type application/octet-stream;
		server {
			listen 127.0.0.1:$port;
			root "$docroot";
			index index.html;
			location = /$token { return 200 ours; }
		}
	}
	EOF
}

# ------------------------------- what a server answered: ./heads and ./body

# header NAME: its value.
header() {
	awk -v name="$1:" 'tolower($1) == tolower(name) { sub(/^[^ ]* /, ""); print }' heads
}

# assert_status N
assert_status() {
	assert_eq "$(awk 'NR == 1 { print $2 }' heads)" "$1" "$(cat heads)"
}

# assert_plain FILE HOW: it is the file, as who has no dictionary gets it.
assert_plain() {
	assert_status 200
	case $(header Content-Encoding) in
	gzip) gzip -dc body | cmp - "$1" ;;
	'') cmp body "$1" ;;
	*) fail "$2: $(cat heads)" ;;
	esac
	assert_contains heads "Available-Dictionary"
}
