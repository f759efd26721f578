# It may run again, also where some of it is there.
: "${user:?}" "${root:?}" "${key:?}" "${deploy:?}"
umask 022
left=

# What is not as it has to be.
leave() {
	echo "$*" >&2
	left=1
}

# A word, quoted for a shell.
quoted() {
	printf '%s\n' "$1" | sed "s/'/'\\\\''/g; s/^/'/; s/\$/'/"
}

# A command as the user, who may have a shell that lets nobody in.
as_user() {
	if [ "$(id -un)" = "$user" ]; then
		"$@"
	elif setpriv --reuid="$user" --regid="$group" --init-groups true \
	    2>/dev/null; then
		setpriv --reuid="$user" --regid="$group" --init-groups "$@"
	else
		su -s /bin/sh -c 'exec "$@"' -- "$user" sh "$@"
	fi
}

id "$user" >/dev/null 2>&1 ||
	useradd --create-home --shell /bin/sh "$user"
group=$(id -gn "$user")
home=$(getent passwd "$user" | cut -d : -f 6)

# What on the way to a path, with the links there, is not root's, if anything:
# its owner says where the path leads, so root makes and gives away nothing.
foreign() (
	at=$1
	found=
	while [ -z "$found" ]; do
		if [ -L "$at" ] || [ -e "$at" ]; then
			[ "$(stat -c %u "$at")" = 0 ] || found=$at
		fi
		if [ -z "$found" ] && link=$(readlink "$at"); then
			case $link in
			/*) ;;
			*) link=$(dirname "$at")/$link ;;
			esac
			found=$(foreign "$link")
		fi
		[ "$at" != / ] || break
		at=$(dirname "$at")
	done
	printf '%s\n' "$found"
)

# A directory of the user's, where root alone says where the path leads.
give() {
	[ -n "$(foreign "$2")" ] ||
		install -d -m "$1" -o "$user" -g "$group" "$2"
}

# The releases, in a directory that the user owns.
[ -d "$root" ] || as_user mkdir -p -m 755 "$root" </dev/null 2>/dev/null ||
	give 755 "$root"

# The key that logs in, for this root where deploy is installed, else only by
# what sshd can refuse.
line="restrict $key"
if [ "$deploy" != none ] && program=$(command -v "$deploy"); then
	line=$(as_user "$program" host authorize --root "$root" "$key" \
	    </dev/null 2>/dev/null) || {
		echo "$user cannot run '$program'" >&2
		exit 1
	}
fi
keys=$home/.ssh/authorized_keys
give 700 "$home/.ssh"

# sshd takes the first line of a key.  One that this script wrote gives way to
# a new one, unless it allows less; one of somebody else's stays, and so does
# the rest of the file.
export user line key keys
as_user sh -s <<'EOF' || left=1
set -eu
umask 077
dir=${keys%/*}
mkdir -p "$dir"
if [ "$(stat -L -c %u "$dir")" != "$(id -u)" ]; then
	echo "'$dir' belongs to another user, not to $user" >&2
	exit 1
fi
chmod 700 "$dir"
[ -e "$keys" ] || : >>"$keys"
keys=$(readlink -f "$keys")
if [ "$(stat -c %u "$keys")" != "$(id -u)" ]; then
	echo "'$keys' belongs to another user; write there: $line" >&2
	exit 1
fi
new=$(mktemp "$keys.XXXXXX")
trap 'rm -f "$new"' EXIT
LC_ALL=C awk '
# The key of a line, behind its options, which are in `options` then.
function behind_options(s, i, c, inside) {
	sub(/^[ \t]+/, "", s)
	options = ""
	if (s ~ /^(#|ssh-|ecdsa-|sk-)/)
		return s
	for (i = 1; i <= length(s); i++) {
		c = substr(s, i, 1)
		if (c == "\\" && substr(s, i + 1, 1) == "\"")
			i++
		else if (c == "\"")
			inside = !inside
		else if (!inside && (c == " " || c == "\t"))
			break
	}
	options = substr(s, 1, i - 1)
	s = substr(s, i)
	sub(/^[ \t]+/, "", s)
	return s
}

# What follows the path of deploy in a line that limits to a root, or nothing.
function limit_of(o, i) {
	i = index(o, " host --root ")
	if (o !~ /^restrict,command="/ || i == 0)
		return ""
	return substr(o, i, length(o) - i)
}

# Of another key: nothing.
function kind_of(s, n, w, l) {
	n = split(behind_options(s), w, /[ \t\r]+/)
	if (n < 2 || w[1] != type || w[2] != blob)
		return ""
	l = limit_of(options)
	if (options == "" || options == "restrict")
		return "open"
	if (limit == "" || l == "")
		return "foreign"
	if (l == limit)
		return "same"
	return index(l, limit " --allow ") == 1 ? "less" : "foreign"
}

function stop(s) {
	print "\047" ENVIRON["keys"] "\047 has this key already, and the line stays: " s \
	    "\nsshd takes the first line of a key: use another key for this site (identity in deploy.yml), or write: " \
	    want | "cat >&2"
	close("cat >&2")
	exit 1
}

BEGIN {
	want = ENVIRON["line"]
	split(ENVIRON["key"], w, /[ \t]+/)
	type = w[1]
	blob = w[2]
	behind_options(want)
	limit = limit_of(options)
}

{
	lines[NR] = $0
	kinds[NR] = kind_of($0)
	count[kinds[NR]]++
	if (kinds[NR] != "" && !first)
		first = NR
	if (kinds[NR] == "foreign" && !foreign)
		foreign = NR
}

END {
	if (limit == "" ? first && kinds[first] != "open" : foreign)
		stop(lines[limit == "" ? first : foreign])
	done = limit == "" ? first : count["less"]
	for (i = 1; i <= NR; i++) {
		if (limit == "" || kinds[i] == "" || kinds[i] == "less") {
			print lines[i]
			continue
		}
		if (!done)
			print want
		done = 1
		if (lines[i] != want)
			print "replaced in " ENVIRON["keys"] ": " lines[i] | "cat >&2"
	}
	if (!done)
		print want
}' "$keys" >"$new"
if ! cmp -s "$keys" "$new"; then
	chmod "$(stat -c %a "$keys")" "$new"
	chgrp "$(stat -c %g "$keys")" "$new" 2>/dev/null || :
	mv -f "$new" "$keys"
fi
EOF

# The directory on the way to the root that the user may not enter, if any.
barrier() {
	at=$root
	while [ "$at" != / ] && ! as_user test -x "$at" </dev/null; do
		found=$at
		at=$(dirname "$at")
	done
	[ "${found-$root}" = "$root" ] || printf '%s\n' "$found"
}

# shellcheck disable=SC2016 # the user's shell expands it
may_write() {
	as_user sh -c 'test -w "$0" && test -x "$0"' "$root" </dev/null
}

owner=$(stat -L -c %U "$root" 2>/dev/null) || owner=
# Whoever runs what is said here sees where it leads, and no link there now.
shown=$(quoted "$(readlink -f "$root" || printf '%s\n' "$root")")
to=$(quoted "$user:$group")
if may_write; then
	:
elif [ ! -d "$root" ] && at=$(foreign "$root") && [ -n "$at" ]; then
	leave "'$root' is not there, $user cannot make it, and '$at' on the way to it is not root's; name another root in deploy.yml"
elif barred=$(barrier) && [ -n "$barred" ]; then
	leave "$user may not enter '$barred', on the way to '$root'; let $user in, or name another root in deploy.yml"
elif ! [ -w "$root" ]; then
	leave "'$root' is on a file system that is read-only"
elif [ "$owner" = "$user" ]; then
	leave "'$root' cannot be written by $user, who owns it; run: chmod u+wx $shown"
elif [ -z "$(ls -A "$root")" ]; then
	leave "'$root' belongs to $owner and is empty; run: chown -h $to $shown"
elif [ "$owner" != root ]; then
	leave "'$root' belongs to $owner; log in as $owner (address in deploy.yml), or name another root"
elif [ -e "$root/.deploy/format" ]; then
	leave "'$root' is a root of deploy that belongs to root; run: chown -h $to $shown; cd $shown && chown -R $to .deploy releases"
else
	leave "'$root' belongs to root and has other things in it; name a directory of its own in deploy.yml, such as '$root/site'"
fi
if [ -n "$left" ]; then
	echo "not done: when that is mended, run this again" >&2
	exit 1
fi
echo "done: log in as $user; the web server's document root is $root/current"
