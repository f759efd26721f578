# shellcheck shell=bash
# A root file system that has nothing but some packages of Debian: what an
# image or a CI runner has on which only these were installed.  The files are
# those of this machine, as hard links where they can be; nothing is fetched.

# container_make DIR PACKAGE...: these packages, what they depend on, and what
# no Debian is without, in DIR; and deploy, with what it needs.  1 when
# one of them is not installed here.
container_make() {
	local dir=$1 merged=''
	shift
	mkdir -p "$dir"/{dev,proc,tmp,mnt,etc,var/lib,usr/{bin,sbin,lib}}
	# shellcheck disable=SC2046 # names
	container_packages "$@" $(_container_libraries) libarchive13 \
	    libbrotli1 libsqlite3-0 libssh-4 libssl3 \
	    >"$dir/packages" || return
	if [ -L /bin ]; then
		merged='s,^/(bin|sbin|lib|lib32|lib64|libx32)/,/usr/\1/,'
		cp -d /bin /sbin /lib "$dir"
		[ ! -L /lib64 ] || cp -d /lib64 "$dir"
		mkdir -p "$dir/usr/lib64"
	fi
	xargs dpkg -L <"$dir/packages" 2>/dev/null |
	    grep -vE '^/usr/share/(doc|man|locale|info|lintian|bug|zoneinfo)|^/\.$' |
	    sed -E "$merged" | sort -u |
	    xargs -d '\n' sh -c 'find "$@" -maxdepth 0 ! -type d' sh 2>/dev/null \
	    >"$dir/files"
	# Not across file systems; the last of them is as good as any.
	xargs -d '\n' cp -dl --parents -t "$dir" <"$dir/files" 2>/dev/null ||
	    xargs -d '\n' cp -d --reflink=auto --parents -t "$dir" <"$dir/files"
	cp -a /etc/alternatives "$dir/etc/" 2>/dev/null || true
	find /usr/bin /usr/sbin -lname '/etc/alternatives/*' \
	    -exec cp -d --parents -t "$dir" {} +
	[ -e "$dir/bin/sh" ] || ln -s dash "$dir/bin/sh"
	echo root:x:0:0::/mnt:/bin/sh >"$dir/etc/passwd"
	echo root:x:0: >"$dir/etc/group"
	rm -f "$dir/usr/bin/deploy"
	cp "$DEPLOY" "$dir/usr/bin/deploy"
}

# container_packages NAME...: with what these depend on, and the essential ones.
container_packages() {
	dpkg-query -W -f '${Package}\t${db:Status-Status}\t${Essential}\t${Provides}\t${Pre-Depends}, ${Depends}\n' |
	    awk -F '\t' -v want="$*" '
	function name(text) { sub(/[ (:].*/, "", text); return text }
	function take(p) { if (!(p in taken)) { taken[p]; queue[++n] = p } }
	$2 == "installed" {
		needs[$1] = $5
		if ($3 == "yes")
			take($1)
		k = split($4, other, /, */)
		for (i = 1; i <= k; i++)
			provider[name(other[i])] = $1
	}
	END {
		k = split(want, asked, " ")
		for (i = 1; i <= k; i++) {
			if (!(asked[i] in needs))
				exit 1
			take(asked[i])
		}
		for (q = 1; q <= n; q++) {
			k = split(needs[queue[q]], all, /, */)
			for (i = 1; i <= k; i++) {
				m = split(all[i], either, / *\| */)
				for (j = 1; j <= m; j++) {
					p = name(either[j])
					if (!(p in needs) && p in provider)
						p = provider[p]
					if (p in needs) {
						take(p)
						break
					}
				}
			}
		}
		for (q = 1; q <= n; q++)
			print queue[q]
	}'
}

# The packages that have the libraries of deploy.
_container_libraries() {
	ldd "$DEPLOY" | awk '$3 ~ /^\// { print $3 }' | xargs realpath |
	    sed -E 's,^/usr,,; s,.*,&\n/usr&,' | xargs dpkg -S 2>/dev/null |
	    sed 's/:.*//' | sort -u
}

# container_run DIR WORK COMMAND...: there, where nothing but WORK, as /mnt,
# can be changed.
container_run() {
	local dir=$1 work=$2
	shift 2
	unshare -m sh -c '
	mount --bind "$0" "$0"
	mount -o remount,bind,ro "$0"
	mount --bind "$1" "$0/mnt"
	mount --rbind /dev "$0/dev"
	mount -t proc proc "$0/proc" 2>/dev/null || mount --rbind /proc "$0/proc"
	mount -t tmpfs tmpfs "$0/tmp"
	dir=$0
	shift
	exec chroot "$dir" env -u TMPDIR -u XDG_CONFIG_HOME -u XDG_STATE_HOME \
	    -u XDG_CACHE_HOME -u XDG_DATA_HOME -u XDG_RUNTIME_DIR \
	    PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/mnt/home "$@"
	' "$dir" "$work" "$@"
}

# first_inside PID: the first process in the process namespace of an unshare(1) that
# the function in the background with that PID runs: all that is in there dies
# with it, which is not so of the function, nor, where the user has changed, of
# unshare --kill-child.
first_inside() {
	pgrep -P "$(pgrep -P "$1" -x unshare)"
}
