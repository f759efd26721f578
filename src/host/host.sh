# The host side as one POSIX shell script, for hosts without deploy: the same
# verbs, requests and answers as host.c, see deploy-host(7).  The client starts
# a shell with the words `host serve ROOT`, which reads this from its standard
# input, and then requests; `sh host.sh VERB ROOT [--key=value ...]` runs one.
# Needs sh and the programs in $tools: coreutils and some more, or busybox.  What a
# shell is bad at, the client does: it sends the journal line, the freeze
# record and the ids to prune ready-made, and the journal's size, which is
# compared under the lock.
#
# Lines that begin with # and leading tabs do not travel.  A line "#: VERB..."
# begins a part that travels when one of these verbs is first asked for, "#:"
# one that goes before all requests.  The lock is on descriptor 9, that of this
# run's own stage on 8.  What may outlive the shell is run without 9; what
# writes to the stage has 8, so that nobody sweeps under its hands.
set -u
umask 022
# Where a start-up file has closed standard error, no file becomes that.
true >&2 || exec 2>/dev/null
# A file that becomes too long is an error, and no death.
if (trap '' XFSZ) 2>/dev/null; then trap '' XFSZ; fi
LC_ALL=C
export LC_ALL
# What would have the tools work in another way, or say more, or `read` give up.
unset TMOUT TAR_OPTIONS GREP_OPTIONS POSIXLY_CORRECT CDPATH ZSTD_CLEVEL GZIP

# "host serve ROOT", from who knows that we are here, "serve ROOT", or a
# request.
greeted=''
if [ "${1-}" = host ]; then
	greeted=1
	shift
fi
verb=${1-} root=${2-}
serving=''
[ "$verb" != serve ] || serving=1
[ $# -lt 2 ] || shift 2
newline='
'

# Text without control characters, for whatever terminal: see utf8.h.
clean() {
	c1=$(printf '[\200-\237]')
	printf '%s\n' "$1" | tr -d '\001-\011\013-\037\177' |
		sed -e "s/$(printf '\302')$c1//g" -e "s/\([ -~]\)$c1\{1,\}/\1?/g" -e "s/^$c1\{1,\}/?/" | tr '\n' ' '
}

refuse_option() {
	[ -n "$bad" ] || bad=$*
}

# number VALUE MOST: hold it against the bound.
number() {
	case $1 in
	'' | *[!0-9]* | ?????????????????*) refuse_option "--$name wants a number from 0 to $2, not '$1'" ;;
	*) [ "$1" -le "$2" ] || refuse_option "--$name wants a number from 0 to $2, not '$1'" ;;
	esac
}

# The options of a request.
parse() {
	id='' expect=any line='' armed=0 journal_size='' lock_wait=60 rollback='' revert='' synced='' verified='' override=''
	as_bridge='' check='' full='' drift='' durable='' off='''' remove='' who='' job='' record='' group='' bytes=0 inodes=0 compress=none
	uses='' filled='' repair='' whole='' seq='' commit='' label='' until=0 unless='' hook_timeout=300
	meta='' path='' exclude='' shared='' mtime='' adopting='' why=''
	bad='' given=' '
	# What each verb knows besides who, job and lock-wait: see option.c.
	case $verb in
	info) knows='full unless drift sync' ;;
	manifest | files) knows='id' ;;
	verify) knows='id repair' ;;
	receive) knows='id compress bytes inodes group filled repair manifest uses' ;;
	note) knows='id seq commit' ;;
	adopt) knows='id mtime path exclude shared group meta line check' ;;
	activate) knows='id expect journal-size rollback revert bridge verified override message skipped sync before left seq line check armed hook-timeout' ;;
	prune) knows='keep older-than remove expect journal-size check' ;;
	pin) knows='id off' ;;
	preview) knows='name id until off' ;;
	freeze) knows='message until record skipped off' ;;
	*) knows='' ;;
	esac
	for arg; do
		name=${arg%%=*} value=${arg#*=}
		name=${name#--}
		case $name in
		*[!a-z-]*) name='?' ;;
		esac
		case " who job lock-wait $knows :$arg" in
		*" $name "*:--*) ;;
		*) refuse_option "'$verb' does not know the option '${arg%%=*}'; use the same version on both ends" ;;
		esac
		case $given in
		*" $name "*) refuse_option "--$name is there twice" ;;
		esac
		given="$given$name "
		case $verb:$name in
		*:full | *:drift | *:sync | *:rollback | *:revert | *:bridge | *:verified | *:check | *:off | *:filled | *:manifest | verify:repair)
			[ "$arg" = "--$name" ] || refuse_option "--$name wants no value"
			value=1
			;;
		*) [ "$arg" != "--$name" ] || refuse_option "--$name wants a value" ;;
		esac
		case $name:$value in
		exclude:* | shared:*) ;;
		*[![:print:]]*) value=$(clean "$value") ;;
		esac
		case $name in
		id) id=$value ;;
		expect) expect=$value ;;
		line) line=$value ;;
		meta) meta=$value ;;
		path) path=$value ;;
		exclude) exclude=$value ;;
		shared) shared=$value ;;
		mtime) number "$value" 253402300799 && mtime=$value ;;
		remove) remove=$value ;;
		uses) uses=$value ;;
		record) record=$value ;;
		compress) compress=$value ;;
		who) who=$value ;;
		job) job=$value ;;
		group) group=$value ;;
		commit) commit=$value ;;
		unless) unless=$value ;;
		rollback) rollback=1 ;;
		revert) revert=1 ;;
		bridge) as_bridge=1 ;;
		verified) verified=1 ;;
		override) override=,$value ;;
		check) check=1 ;;
		full) full=1 ;;
		drift) drift=1 ;;
		sync) durable=1 synced=1 ;;
		off) off=1 ;;
		filled) filled=1 ;;
		repair) repair=$value ;;
		manifest) whole=$value ;;
		lock-wait) number "$value" 86400 && lock_wait=$value ;;
		hook-timeout) number "$value" 86400 && hook_timeout=$value ;;
		armed) number "$value" 3600000 && armed=$value ;;
		keep) number "$value" 1000000 ;;
		older-than) number "$value" 3153600000 ;;
		name) label=$value ;;
		until) number "$value" 253402300799000 && until=$value ;;
		journal-size) number "$value" 9007199254740991 && journal_size=$value ;;
		bytes) number "$value" 9007199254740991 && bytes=$value ;;
		inodes) number "$value" 9007199254740991 && inodes=$value ;;
		seq) number "$value" 9007199254740991 && seq=$value ;;
		esac
	done
}
state=$root/.deploy
tmp=$state/.tmp-sh-$$
tab=$(printf '\t')
# All that is run, besides what the shell has itself; also in doctor.c.
tools="awk cat chmod cp cut date df expr find flock grep head id ln mkdir mv readlink
	rm rmdir sed sha256sum sleep sort stat sync tail tar timeout touch tr wc xargs"
# Of the release that this run receives, until it is complete.
receiving=''
# 100 when what follows in the input is no request: the rest of a pack.
in_pack=0

put() {
	printf '%s\t%s\n' "$1" "$2"
}

# A word in quotes, for a command in a message that people paste.
in_quotes() {
	printf "'%s'" "$(printf %s "$1" | sed "s/'/'\\\\''/g")"
}

# A text as a field of a line.
field() {
	case $1 in
	*[![:print:]]*) printf %s "$1" | tr '\001-\037\177' ' ' ;;
	*) printf %s "$1" ;;
	esac
}

# The last line of a failure, and the end: fail CODE TEXT [CURE].  Who hears
# it may hang up at once, so everything is cleaned up before.
fail() {
	clean_up
	exec 9>&-
	put error "$1$tab$(field "$2")${3:+$tab$(field "$3")}"
	exit $(($1 + in_pack))
}

# Remove trees, also with directories in which their owner may do nothing.
remove() {
	rm -rf "$@" 2>/dev/null && return
	for tree; do
		[ -L "$tree" ] || find "$tree" -type d -exec chmod u+rwx {} \; 2>/dev/null
	done
	rm -rf "$@"
}

# However it ends: nothing half-made stays.
clean_up() {
	[ -z "$receiving" ] || [ -e "$root/releases/$receiving" ] ||
		remove "$state/incoming/$receiving" "$state/manifests/$receiving" "$state/meta/$receiving.json"
	[ -z "$receiving" ] || rm -f "$state/incoming/$receiving".*
	for scrap in "$tmp" "$tmp".*; do
		{ [ ! -e "$scrap" ] && [ ! -L "$scrap" ]; } || remove "$scrap" 2>/dev/null
	done
}

# A moment of the calendar since 1970, and a UUID.
is_id() {
	case $1 in
	????????T??????.???Z-????????-????-????-????-????????????) ;;
	*) return 1 ;;
	esac
	rest=${1#????????T??????.???Z-}
	year=${1%%????T*} day=${1#????}
	day=${day%%T*}
	case $rest in
	*[!0-9a-f-]* | *-*-*-*-*-*) return 1 ;;
	esac
	case ${1%"Z-$rest"} in
	*[!0-9T.]* | *T*T* | *.*.*) return 1 ;;
	*T[01][0-9][0-5][0-9][0-5][0-9].* | *T2[0-3][0-5][0-9][0-5][0-9].*) ;;
	*) return 1 ;;
	esac
	case $year:$day in
	19[0-6]?:* | 1[0-8]??:* | 0*) return 1 ;;
	*:0[1-9]0[1-9] | *:0[1-9]1[0-9] | *:0[13-9]2[0-9] | *:0[13456789]30 | *:0[13578]31) ;;
	*:1[0-2]0[1-9] | *:1[0-2][12][0-9] | *:1[0-2]30 | *:1[02]31) ;;
	*:022[0-8]) ;;
	*:0229) [ $((year % 4)) -eq 0 ] && { [ $((year % 100)) -ne 0 ] || [ $((year % 400)) -eq 0 ]; } ;;
	*) return 1 ;;
	esac
}

need_id() {
	is_id "$id" || fail 2 "'$verb' wants --id=RELEASE, not '$id'"
}

#: activate preview verify --repair
need_release() {
	[ -d "$root/releases/$1" ] || fail 2 "there is no release '$1' in '$root'" "see 'deploy list'"
}

#: activate preview
need_complete() {
	need_release "$id"
	[ -r "$state/manifests/$id" ] || fail 5 "the manifest of release $id is missing or unreadable" "run 'deploy verify --repair $id', or stage the build anew with --again"
}

#: receive adopt
# The time of an id, in seconds since 1970.
time_of() {
	day=${1%%T*} clock=${1#*T}
	clock=${clock%%.*} month=${day#????} minute=${clock#??}
	date -u -d "${day%????}-${month%??}-${month#??} ${clock%????}:${minute%??}:${minute#??}" +%s
}

# Not more than a day after now, or after the latest release: no id could
# follow one from the end of the year 9999.
check_future() {
	latest='' end=$(date +%s)
	for dir in "$root"/releases/*; do
		! is_id "${dir##*/}" || latest=${dir##*/}
	done
	[ -z "$latest" ] || latest=$(time_of "$latest")
	[ "${latest:-0}" -le "$end" ] || end=$latest
	[ "$(time_of "$id")" -le $((end + 86400)) ] ||
		fail 2 "the release id $id is of the future" "set the clocks right, of this host and of the machine that named the release"
}

#:

# The value of a string in a file that is one JSON object of ours.
json_string() {
	sed -n 's/.*"'"$1"'":"\(\([^"\\]\|\\.\)*\)".*/\1/p' "$2" 2>/dev/null
}

# The sequence in a meta; empty when there is none.
sequence_of() {
	sed -n 's/.*"seq":\([0-9]*\).*/\1/p' "$1" 2>/dev/null
}

adopt_it="run 'deploy adopt', which makes a release of it and loses no request"

# `current` is a link that others made: it may be what visitors get.
foreign_current() {
	if [ -n "$adopting" ]; then
		current=''
		return
	fi
	[ ! -e "$root/current" ] ||
		fail 1 "'$root/current' points to '$target', which is not a release of this root" "$adopt_it"
	fail 1 "'$root/current' points to '$target', which is not there, or not for $(id -un) to see" "if nothing is served there, remove the link, or point it at one of releases/"
}

# Set `means` to what the bridge with this meta stands for; empty for what is
# none: that is seen without a process, as nearly every meta is one line and
# names no bridge.
bridge_of() {
	object='' means=''
	{ IFS= read -r object <"$1"; } 2>/dev/null
	case $object in
	*'"bridge":"'* | *[!\}]) means=$(json_string bridge "$1") ;;
	esac
}

# Set `current` to what is live, empty for nothing, and `bridge` to the bridge
# that `current` points to and that stands for it, empty for none.
read_current() {
	read_link
	bridge=''
	[ -n "$current" ] || return 0
	bridge_of "$state/meta/$current.json"
	! { is_id "$means" && [ -d "$root/releases/$means" ]; } || { bridge=$current && current=$means; }
}

# Where `current` points; empty for nowhere.
read_link() {
	current=''
	if [ -L "$root/current" ]; then
		current=$(readlink "$root/current")
		current=${current%"${current##*[!/]}"}
		target=${current#"$root/"}
		current=${target#releases/}
		{ [ "$target" != "$current" ] && is_id "$current"; } ||
			foreign_current
	elif [ -d "$root/current" ]; then
		fail 1 "'$root/current' is not a symbolic link but a real directory" "$adopt_it"
	elif [ -e "$root/current" ]; then
		fail 1 "'$root/current' is not a symbolic link but a real file" "move it away"
	fi
}

# Who $name belongs to, which has the user $uid, and what helps.
whose() {
	user=$(stat -L -c %U "$name") as=": runuser -u $user -- deploy ..., or over SSH with user: $user"
	[ "$user" != UNKNOWN ] || user="uid $uid" as=''
	if [ "$me" = 0 ]; then
		printf '%s\n' "'$name' belongs to $user${tab}run deploy as that user$as"
	else
		printf '%s\n' "'$name' belongs to $user, who is neither you nor the owner of the root${tab}if nobody planted it, run as root: chown $owner $(in_quotes "$name")"
	fi
}

# A root that another user could have planted is refused; the superuser may
# look at one that is another user's.
check_owners() {
	writes=1
	case $verb$repair in
	info | manifest | files | journal | verify) writes='' ;;
	esac
	# The root may be a link, but no part of it.
	facts=$(
		stat -L -c '%u %A %n' "$root" &&
			stat -c '%u %A %n' "$root/releases" "$state" "$state/incoming" "$state/manifests" "$state/meta" "$state/trash" 2>/dev/null
	)
	[ -n "$facts" ] || fail 1 "cannot examine '$root'"
	owner=${facts%% *} wrong=''
	while [ -n "$facts$wrong" ]; do
		[ -z "$wrong" ] || fail 1 "${wrong%%"$tab"*}" "${wrong#*"$tab"}"
		check_owner "${facts%%"$newline"*}"
		case $facts in
		*"$newline"*) facts=${facts#*"$newline"} ;;
		*) facts='' ;;
		esac
	done
}

# The same of one, "UID MODE NAME": set `wrong`, or not.
check_owner() {
	uid=${1%% *} mode=${1#* }
	name=${mode#* }
	case $mode in
	l*)
		more=''
		[ ! -e "$root/current" ] ||
			more="; it takes over what is served here with: deploy adopt $(in_quotes "$root/current")"
		wrong="'$name' is a link, and a root is whole on one disk${tab}name a root on the other disk$more"
		return
		;;
	????????w*)
		wrong="'$name' can be written by everybody${tab}run: chmod o-w $(in_quotes "$name")"
		return
		;;
	esac
	[ "$uid" = "$me" ] || [ "$uid" = 0 ] || { { [ "$me" != 0 ] || [ -z "$writes" ]; } && [ "$uid" = "$owner" ]; } ||
		wrong=$(whose)
}

is_prepared() {
	[ -d "$root/releases" ] && [ -d "$state/trash" ] && [ -f "$state/format" ] || return 1
	format='' more=''
	{ IFS= read -r format && IFS= read -r more; } <"$state/format"
	format=$format$more
	[ "$format" = 1 ] || fail 1 "'$root' has format '$format', this program knows 1" "use a newer deploy"
	check_owners
}

# What is in a root is a release, or what all of them share.
check_around() {
	around=$(cd -P "$root" 2>/dev/null && pwd -P) && around=${around%/*} ||
		around=$(cd -P "${root%/*}/" 2>/dev/null && pwd -P) || return 0
	while [ -n "$around" ]; do
		[ ! -f "$around/.deploy/format" ] ||
			fail 1 "'$root' is in '$around', which is a root of deploy" "name that one as the root"
		around=${around%/*}
	done
}

need_root() {
	! is_prepared || return 0
	check_around
	[ ! -e "$root/current" ] || fail 1 "'$root' is not a root of deploy" "what it serves becomes its first release; run: deploy adopt"
	[ -e "$root" ] || fail 1 "'$root' is not a root of deploy: there is no such directory" "is the name right? then stage a first release, or run: deploy init"
	fail 1 "'$root' is not a root of deploy" "stage a first release, or run: deploy init"
}

#: init receive note activate prune pin preview freeze --sync --repair adopt
# Is `sync` one that takes files?  Else everything is written, always.
case $(sync --help 2>&1) in
*-f* | *-df*) fine_sync=1 ;;
*) fine_sync='' ;;
esac

# Write the file system of $1 to disk.
sync_tree() {
	if [ -n "$fine_sync" ]; then sync -f "$1"; else sync; fi
}

# Write the file or directory $1 to disk.
sync_one() {
	if [ -n "$fine_sync" ]; then sync "$1"; else sync; fi
}

# What the names in the root say now is on disk after this.  Whoever answers
# that something is so already calls it first, and so does whoever is about to
# do what cannot be taken back because something is so: the run that made it so
# may have died before it had.
sync_root() {
	if [ -z "$fine_sync" ]; then
		sync
	elif [ -r "$root/.." ]; then
		sync "$root/.." "$root/releases" "$state/manifests" "$state/meta" "$state" "$root"
	else
		sync "$root/releases" "$state/manifests" "$state/meta" "$state" "$root"
	fi 2>/dev/null || fail_write "cannot write the names in '$root' to disk"
}

# rename(2) $1 to $2, which must not be a directory; a link $2 is replaced.
rename() {
	if [ -n "$rename_option" ]; then
		mv -f -T "$1" "$2" 2>/dev/null
	else
		# Through a directory of its own, with the final name.
		mkdir "$tmp.d" && mv "$1" "$tmp.d/${2##*/}" && mv -f "$tmp.d/${2##*/}" "${2%/*}/" 2>/dev/null &&
			rmdir "$tmp.d"
	fi
}
case $(mv --help 2>&1) in
*-T*) rename_option=1 ;;
*) rename_option='' ;;
esac

# A rename across file systems would be a copy, and not atomic.
check_device() {
	# shellcheck disable=SC2046 # numbers
	set -- $(stat -L -c %d "$root" "$root/releases" "$state" "$state/incoming")
	[ "${1-} ${1-} ${1-}" = "${2-} ${3-} ${4-}" ] ||
		fail 1 "'$root', its releases/ and .deploy/ are not on one file system" "mount the whole root there, not a part"
	# A bind mount is on the same, but nothing can be renamed into it.
	name=$(awk -v root="$(cd "$root" && pwd -P)" '{ gsub(/\\040/, " ", $5) }
		$5 == root "/releases" || $5 == root "/.deploy" || $5 == root "/.deploy/incoming" { print $5; exit }' /proc/self/mountinfo 2>/dev/null)
	[ -z "$name" ] ||
		fail 1 "'$name' is mounted apart from '$root': nothing can be renamed between them" "mount the whole root there, not a part"
}

#:
# Set `size` to that of the file $1, 0 for none.
size_of() {
	size=0
	[ ! -f "$1" ] || size=$(wc -c <"$1")
	# Some write blanks before it.
	size=${size##* }
}

put_journal_size() {
	size_of "$state/journal"
	put journal-size "$size"
}

#: init receive note activate prune pin preview freeze adopt
# Replace the file $1 by what was written to $tmp, durably.
publish_tmp() {
	sync_one "$tmp" && rename "$tmp" "$1" && sync_one "${1%/*}"
}

#: init receive note activate prune pin preview freeze adopt probe
# Are there releases, or a `current`?  Then it is a root, perhaps another tool's.
is_some_root() {
	for name in releases current .deploy; do
		[ ! -e "$root/$name" ] && [ ! -L "$root/$name" ] || return 0
	done
	return 1
}

# The first thing that keeps a directory from becoming a root: in $stranger.
find_stranger() {
	stranger=''
	for name in "$root"/* "$root"/.[!.]* "$root"/..?*; do
		[ -e "$name" ] || [ -L "$name" ] || continue
		case ${name##*/} in
		.deploy | shared | previews | lost+found) ;;
		*)
			stranger=${name##*/}
			return
			;;
		esac
	done
}

#: init receive note activate prune pin preview freeze adopt
# A directory with other things in it is not made a root: a home directory, say.
check_own() {
	! is_some_root || return 0
	case $(stat -L -c %A "$root") in
	????????w[tT]*) fail 1 "'$root' is for everybody's files" "name a directory of its own, such as '$root/site'" ;;
	esac
	find_stranger
	[ -z "$stranger" ] ||
		fail 1 "'$root' is not a root of deploy, and has other things in it ('$stranger')" "name a directory of its own, such as '$root/site'"
}

# Make the root, but nothing above it; or say who can.
make_root() {
	[ ! -L "$root" ] || [ -e "$root" ] ||
		fail 1 "cannot open the directory '$root', a link to what is not there: No such file or directory"
	[ ! -e "$root" ] || fail 1 "cannot open the directory '$root': Not a directory"
	as_root="run there, as root: install -d -o $(id -un 2>/dev/null || id -u) $(in_quotes "$root")"
	above=${root%/*}
	[ -d "$above/" ] || [ ! -e "$above" ] ||
		fail 1 "cannot make the root '$root': '$above': Not a directory"
	if [ ! -d "$above/" ]; then
		while [ -n "$above" ] && [ ! -e "$above" ]; do above=${above%/*}; done
		[ ! -w "${above:-/}" ] || as_root="run: mkdir -p $(in_quotes "$root")"
		fail 1 "cannot make the root '$root': its parent directory is missing" "$as_root"
	fi
	! why=$(mkdir "$root" 2>&1) || return 0
	# Another run has.
	[ ! -d "$root" ] || return 0
	[ -w "$above/" ] || fail 1 "cannot make the root '$root': Permission denied" "$as_root"
	fail_write "cannot make the root '$root'"
}

prepare() {
	! is_prepared || return 0
	check_around
	[ -d "$root" ] || make_root
	[ -w "$root" ] || fail 1 "cannot write to the root '$root' as $(id -un)" "'deploy doctor' says who has to change what"
	check_own
	check_owners
	read_current
	for dir in releases .deploy .deploy/incoming .deploy/manifests .deploy/meta .deploy/trash; do
		[ -d "$root/$dir" ] || why=$(mkdir "$root/$dir" 2>&1) || [ -d "$root/$dir" ] ||
			fail_write "cannot make the directory '$root/$dir'"
	done
	why=''
	check_owners
	if ! { { [ ! -r "$root/.." ] || sync_one "$root/.."; } && sync_one "$root" && echo 1 >"$tmp" && publish_tmp "$state/format"; }; then
		# Another run was faster, and swept what we wrote aside.
		! { [ ! -e "$tmp" ] && is_prepared && sync_one "$state"; } || return 0
		fail_write "cannot write '$state/format'"
	fi
}

#:
# Who wrote the note in the file $1, for people.
holder() {
	note=$(sed -n 's/^{"who":"\([^"]*\)","command":"\([^"]*\)","pid":\([0-9]*\),"since":"\([^"]*\)".*/\1 (\2, process \3, since \4)/p' \
		"$1" 2>/dev/null)
	printf '%s\n' "${note:-a run that left no name}"
}

#: receive note activate prune pin preview freeze --repair adopt
# Set `now` to the seconds of a clock that nobody sets.
read_clock() {
	if read -r now _ 2>/dev/null </proc/uptime; then now=${now%%.*}; else now=$(date +%s); fi
}

open_lock() {
	# Looking is free.
	[ -z "$check" ] || return 0
	# flock asks for no right but to open: only the owner may.
	umask 077
	true 2>/dev/null >>"$state/lock" || said=$( (true >>"$state/lock") 2>&1) || case $said in
	*'ermission denied') fail 1 "cannot open the lock '$state/lock': ${said##*: }" "run deploy as the owner of the root" ;;
	*'ead-only file system') fail 1 "cannot open the lock '$state/lock': ${said##*: }" "mount it read-write; 'deploy doctor' says more" ;;
	*) fail_write "cannot open the lock '$state/lock': ${said##*: }" ;;
	esac
	umask 022
	exec 9<>"$state/lock"
}

unlock() {
	exec 9>&-
}

# Set `safe` to a text for a string of JSON: what would have to be escaped is
# left out.
unescaped() {
	safe=$1
	case $1 in
	*\"* | *\\* | *[![:print:]]*) safe=$(printf %s "$1" | tr -d '"\\\001-\037') ;;
	esac
}

# Who we are, for those who wait: the verb or what it does, $1.
put_note() {
	unescaped "$who"
	printf '{"who":"%s","command":"%s","pid":%s,"since":"%s"' "$safe" \
		"$1" $$ "$(date -u +%Y-%m-%dT%H:%M:%SZ)"
	unescaped "$job"
	printf '%s}\n' "${safe:+,\"job\":\"$safe\"}"
}

# Take the lock: lock -x or lock -s.
lock() {
	[ -z "$check" ] || return 0
	read_clock
	told=$now
	lock_end=$((told + lock_wait))
	tries=0
	until flock "$1" -n 9; do
		tries=$((tries + 1))
		read_clock
		[ "$tries" -lt 4 ] || [ "$now" -lt "$lock_end" ] ||
			fail 3 "'$state' is locked by $(holder "$state/lock.note"); gave up after $lock_wait s (--lock-wait)"
		# The client hears that we live.
		[ "$now" = "$told" ] || put waiting lock
		told=$now
		sleep 0.05 2>/dev/null 8>&- 9>&- || sleep 1 8>&- 9>&-
	done
	# A courtesy; nothing depends on it.
	case $verb in
	receive) put_note stage ;;
	*) put_note "$verb" ;;
	esac 2>/dev/null >"$state/lock.note"
}

#: info probe receive prune --repair adopt
# Does somebody hold the file $1, the lock of a stage?  It may be gone.
is_held() {
	held=''
	[ ! -f "$1" ] || { flock -s -n 7 || held=1; } 2>/dev/null 7<"$1"
	[ -n "$held" ]
}

# Set `living` to the stages that live.
look_at_stages() {
	living=''
	for file in "$state"/incoming/*.lock; do
		stage=${file##*/}
		stage=${stage%.lock}
		! { is_id "$stage" && is_held "$file"; } || living="$living $stage"
	done
}

# Is the name $1 in incoming/ of one that lives?
is_living() {
	for stage in $living; do
		case $1 in
		"$stage" | "$stage".*) return 0 ;;
		esac
	done
	return 1
}

#: receive activate prune --repair adopt
# Remove files and links; of directories only those of rename() above.
sweep_names() {
	rm -f "$@" 2>/dev/null
	for dir in "$state"/.tmp-sh-*.d; do
		[ ! -d "$dir" ] || { rm -f "$dir"/* && rmdir "$dir"; } 2>/dev/null
	done
}

#: receive prune --repair adopt
d='[0-9]' x='[0-9a-f]'
any_id="$d$d$d$d$d$d$d${d}T$d$d$d$d$d$d.$d$d${d}Z-$x???????-????-????-????-???????????$x"

# Needs no lock: it is in nobody's way.
empty_trash() {
	# shellcheck disable=SC2086 # it is a pattern
	remove "$state"/trash/$any_id*
}

# Take away what dead runs left, under the lock, and nothing that could be
# somebody's; trees by way of the trash, because to delete one may take long.
sweep() {
	# What goes with a release goes after its name has, on disk.
	sync_one "$root/releases" || return 1
	look_at_stages
	# shellcheck disable=SC2231 # as well
	for file in "$state"/incoming/$any_id*; do
		! is_living "${file##*/}" || continue
		{ [ -d "$file" ] && [ ! -L "$file" ] && mv "$file" "$state/trash/${file##*/}.sh-$$" 2>/dev/null; } || remove "$file"
	done
	sweep_names "$state"/.tmp-*
	# A stage writes by such names.
	[ -n "$living" ] || sweep_names "$state"/incoming/.tmp-* "$state"/meta/.tmp-*
	for file in "$state"/manifests/* "$state"/meta/*.json; do
		name=${file##*/}
		name=${name%.json}
		! is_id "$name" || is_living "$name" || [ -d "$root/releases/$name" ] || rm -f "$file"
	done
}

#: info
# Can files of the live release be linked, or is their owner another one?
can_link() {
	[ "$me" = 0 ] || [ -z "$current" ] ||
		[ -z "$(find "$root/releases/$current/" -type f ! -user "$me" 2>/dev/null | head -n 1)" ]
}

# Were the checks passed since the flip that made the live release live, or, when
# that was a way back, ever?  A line from it to itself is no flip.
is_verified() {
	[ -s "$state/journal" ] || { echo 0 && return; }
	awk -v to="\"to\":\"$current\"" -v from="\"from\":\"$current\"" '!index($0, to) { next }
		/"action":"verify"/ || !index($0, from) {
			verified = /"action":"verify"/ || (ever && /"action":"(rollback|revert)"/)
			ever = ever || verified
		}
		END { print verified + 0 }' "$state/journal"
}

# Where the root is, the same under all its names: the start of the system, the
# nearest directory that is there, and the rest.
put_place() {
	way=$root rest=''
	while [ -n "$way" ] && [ ! -d "$way" ]; do
		rest=/${way##*/}$rest
		way=${way%/*}
	done
	read -r boot 2>/dev/null </proc/sys/kernel/random/boot_id || return 0
	put place "${boot%%-*}:$(stat -L -c %d:%i "${way:-/}")$rest"
}

do_info() {
	put version sh
	put now "$(date +%s)000"
	for tool in zstd gzip; do
		! command -v "$tool" >/dev/null 2>&1 || put has "$tool"
	done
	put has bridge
	put_place
	if ! is_prepared; then
		read_current
		put prepared 0
		return
	fi
	put prepared 1
	read_current
	put current "$current"
	[ -z "$bridge" ] || put bridge "$bridge"
	digest=''
	# What is gone is not "unchanged", whatever a build has.
	[ -z "$current" ] || [ ! -d "$root/releases/$current" ] || [ ! -d "$root/releases/${bridge:-$current}" ] ||
		digest=$(json_string digest "$state/meta/$current.json")
	[ -z "$digest" ] || put digest "$digest"
	value=$(sequence_of "$state/meta/$current.json")
	[ -z "$value" ] || put seq "$value"
	[ -z "$current" ] || put verified "$(is_verified)"
	latest=''
	for dir in "$root"/releases/*; do
		! is_id "${dir##*/}" || [ ! -d "$dir" ] || latest=${dir##*/}
	done
	put latest "$latest"
	if is_frozen; then
		put frozen 1
		[ ! -r "$state/frozen" ] || printf 'freeze\t%s\n' "$(head -n 1 "$state/frozen")"
	else
		put frozen 0
	fi
	put_journal_size
	value=$(free_space)
	[ -z "$value" ] || put free "$value"
	[ ! -r "$state/lock" ] || flock -s -n "$state/lock" true || put locked "$(holder "$state/lock.note")"
	look_at_stages
	for stage in $living; do
		put stage "$stage$tab$(head -n 1 "$state/incoming/$stage.lock" 2>/dev/null)"
	done
	can_link || put links 0
	each_preview put_preview
	if [ -n "$full" ] && [ "$digest" != "${unless:-none}" ]; then put_all; fi
	[ -z "$drift" ] || put_drift
	# After it was read: what was told is on disk then.
	[ -z "$durable" ] || sync_root
}

# The releases and the journal.
put_all() {
	for dir in "$root"/releases/*; do
		name=${dir##*/}
		{ is_id "$name" && [ -d "$dir" ]; } || continue
		printf 'release\t%s\t' "$name"
		head -n 1 "$state/meta/$name.json" 2>/dev/null || echo
	done
	do_journal
}

#: probe
# Could who runs this write to $1?  busybox says yes to root for whatever is
# there, also where everything is read-only.
is_writable() {
	[ -w "$1" ] || return 1
	case $shell in
	*busybox*) ;;
	*) return 0 ;;
	esac
	! awk -v path="$(readlink -f "$1")/" '{
		point = $2 == "/" ? "/" : $2 "/"
		if (index(path, point) == 1 && length(point) >= best) {
			best = length(point)
			ro = $4 ~ /^ro(,|$)/
		}
	}
	END { exit !ro }' /proc/mounts 2>/dev/null
}

# A line about the path $1; with a slash behind it, about what a link leads to.
put_path() {
	type='missing' facts="0${tab}0${tab}0" writable=0
	name=${1%/}
	name=${name:-/}
	if [ "$name" = "$1" ] && [ "$1" != / ] && [ -L "$1" ]; then
		type='link'
	elif [ -d "$name" ]; then
		type='dir'
	elif [ -f "$name" ]; then
		type='file'
	elif [ -e "$name" ]; then
		type='other'
	elif [ -d "${name%/*}/" ] && [ ! -x "${name%/*}/" ]; then
		type='denied'
	fi
	case $type in
	missing | denied) ;;
	link) facts=$(stat -c "%u$tab%a$tab%d" "$name") ;;
	*)
		facts=$(stat -L -c "%u$tab%a$tab%d" "$name")
		! is_writable "$name" || writable=1
		;;
	esac
	put path "$type$tab$facts$tab$writable$tab$1"
}

# The root and all that lies above it, from the top; what is in it.
put_paths() {
	way='' rest=$root/
	while [ -n "$rest" ]; do
		part=${rest%%/*}
		rest=${rest#*/}
		way=$way$part/
		put_path "$way"
	done
	for part in current current/ releases shared .deploy .deploy/format .deploy/lock .deploy/journal .deploy/incoming \
		.deploy/manifests .deploy/meta .deploy/trash .deploy/hooks .deploy/hooks/post-activate \
		.deploy/hooks/post-rollback; do
		put_path "$root/$part"
	done
	n=0
	for part in "$root"/shared/* "$root"/shared/.[!.]*; do
		case $part in
		*"$tab"* | *"$newline"*) continue ;;
		esac
		[ "$n" -lt 100 ] || break
		n=$((n + 1))
		put_path "$part"
	done
}

# The programs that are there and some versions, what nginx's configuration has
# to say about links, and what follows; as in probe.c, which needs none of them.
put_tools() {
	for tool in $tools gzip rsync zstd; do
		command -v "$tool" >/dev/null 2>&1 || continue
		case $tool in
		awk | find | flock | gzip | rsync | sha256sum | stat | tar | timeout | zstd)
			put tool "$tool$tab$("$tool" --version 2>/dev/null </dev/null | head -n 1)" ;;
		*) put tool "$tool$tab" ;;
		esac
	done
	shell=$(readlink -f "$(command -v sh)")
	put tool "sh$tab$shell"
	for dir in ${DEPLOY_TEST_NGINX:-/etc/nginx /usr/local/etc/nginx /usr/local/nginx/conf}; do
		[ -r "$dir/nginx.conf" ] || continue
		put nginx "$dir/nginx.conf"
		grep -rnE '^[[:blank:]]*(open_file_cache|disable_symlinks)[[:blank:]]' "$dir" 2>/dev/null |
			while IFS= read -r found; do put nginx-line "$found"; done
		put_docroots nginx "$dir"
	done
	for dir in apache2 httpd; do put_docroots apache "${DEPLOY_TEST_WEB:-/etc}/$dir"; done
	put_docroots caddy "${DEPLOY_TEST_WEB:-/etc}/caddy"
	put_mounted
}

# The document roots that the configuration of a web server has.
put_docroots() {
	grep -rniE '^[[:blank:]]*(root|(virtual)?documentroot)[[:blank:]]' "$2" 2>/dev/null |
		while IFS= read -r found; do put docroot "$1$tab$found"; done
}

# Releases of the root that are mounted somewhere, as far as it may be seen.
put_mounted() {
	grep -HosE '/releases/[0-9]{8}T[0-9]{6}\.[0-9]{3}Z-[0-9a-f-]{36}[^ ]* [^ ]+' /proc/[0-9]*/mountinfo |
		sort -t : -k 2 -u | head -n 20 |
		while IFS= read -r found; do
			name=${found#*:/releases/}
			name=${name%%[ /]*}
			found=${found#/proc/}
			[ ! -d "$root/releases/$name" ] || put mounted "${found%%/*}$tab$name$tab${found#* }"
		done
}

# Does flock work, and is the lock free?
put_lock() {
	[ -e "$state/lock" ] || return 0
	said=$(flock -x -n "$state/lock" true 2>&1)
	case $? in
	0) put lock free ;;
	1) put lock held ;;
	*) put lock "${said##*: }" ;;
	esac
}

# How old is what is in incoming/, how much is in trash/?
put_leftovers() {
	look_at_stages
	for dir in "$state"/incoming/*; do
		! is_id "${dir##*/}" || is_living "${dir##*/}" ||
			put incoming "$(($(date +%s) - $(stat -c %Y "$dir")))$tab${dir##*/}"
	done
	[ ! -d "$state/trash" ] || put trash "$(find "$state/trash" -mindepth 1 -maxdepth 1 -name '????????T??????.???Z-*' | wc -l | tr -d ' ')"
}

# Directories that nothing of ours removes: adopted ones, and a user's; and what
# is in incoming/ or trash/ and is no release.
put_kept() {
	for dir in "$state"/* "$state"/.[!.]*; do
		{ [ -d "$dir" ] && [ ! -L "$dir" ]; } || continue
		case ${dir##*/} in
		incoming | manifests | meta | trash | hooks) ;;
		*) put kept ".deploy/${dir##*/}" ;;
		esac
	done
	for dir in "$state"/incoming/* "$state"/trash/*; do
		{ [ -e "$dir" ] || [ -L "$dir" ]; } || continue
		case ${dir##*/} in
		????????T??????.???Z-*) ;;
		*) put kept "${dir#"$root/"}" ;;
		esac
	done
}

# A number in a meta.
number_of() {
	sed -n 's/.*"'"$1"'":\([0-9]*\).*/\1/p' "$2" 2>/dev/null
}

# What `current` says, as it is, and how large the release is.
put_current() {
	[ -L "$root/current" ] || return 0
	target=$(readlink "$root/current")
	put current "$target"
	name=${target%"${target##*[!/]}"}
	meta=$state/meta/${name##*/}.json
	bytes=$(number_of bytes "$meta")
	[ -z "$bytes" ] || put live "$bytes$tab$(number_of files "$meta")"
}

# For a client that wants to know what is wrong: facts, which he judges.
do_probe() {
	stranger=''
	put now "$(date +%s)000"
	put version sh
	put user "$(id -u)$tab$(id -un)"
	put_tools
	put_paths
	exists=$root
	while [ -n "$exists" ] && [ ! -d "$exists" ]; do exists=${exists%/*}; done
	value=$(free_space "${exists:-/}")
	[ -z "$value" ] || put free "$value"
	[ ! -f "$state/format" ] || put format "$(head -n 1 "$state/format" 2>/dev/null)"
	put_lock
	put_leftovers
	put_kept
	is_some_root || find_stranger
	[ -z "$stranger" ] || put stranger "$(field "$stranger")"
	put_current
}

#:
# Bytes and inodes, of the root or of $1; where inodes are not counted there are
# enough, and where bytes are not, or df does not tell, nothing.
free_space() {
	{
		df -Pk "${1:-$root}" 2>/dev/null
		echo -
		df -Pi "${1:-$root}" 2>/dev/null
	} | awk '$0 == "-" { second = 1; next }
		!($2 > 0 && $4 ~ /^[0-9]+$/) { next }
		!second { bytes = $4 * 1024; known = 1 }
		second { nodes = $4; counted = 1 }
		END { if (known) printf "%.0f\t%.0f", bytes, counted ? nodes : 1e9 }'
}

#: info activate
is_frozen() {
	[ -e "$state/frozen" ] || [ -L "$state/frozen" ] || return 1
	until=$(json_string until "$state/frozen")
	[ -n "$until" ] || return 0
	expr "$(date -u +%Y-%m-%dT%H:%M:%SZ)" \< "$until" >/dev/null
}

#: info journal
do_journal() {
	[ ! -f "$state/journal" ] || awk 'NF { print "journal\t" $0 }' "$state/journal"
}

#: manifest files
# The file $1 with its size.  What was announced must come: the client takes the
# next line for content, so that the connection ends where it cannot.
put_contents() {
	size_of "$1"
	told=$size
	put size "$told"
	cat "$1" || exit 100
	size_of "$1"
	[ "$size" = "$told" ] || exit 100
}

#: manifest
do_manifest() {
	need_id
	need_root
	file=$state/manifests/$id
	[ -f "$file" ] || [ ! -d "$root/releases/$id" ] || fail 5 "the manifest of release $id is missing"
	[ -f "$file" ] || fail 1 "there is no manifest of release $id in '$root'"
	put_contents "$file"
}

#: receive adopt
# Write lines "f DIGEST ./PATH", "d ./PATH", "l ./PATH<TAB>TARGET",
# "m MODE ./PATH" and "s SIZE ./PATH" for what is below the current directory.
list_tree() {
	find . -type f -exec sha256sum {} + | awk '{
		escaped = sub(/^\\/, "")
		if (escaped)
			gsub(/\\\\/, "\\")
		print "f " substr($0, 1, 64) " " substr($0, 67)
	}'
	find . -type d | sed 's/^/d /'
	find . -type l | while IFS= read -r name; do
		printf 'l %s\t%s\n' "$name" "$(readlink "$name")"
	done
	for mode in 644 755 2755; do
		find . ! -type l -perm "$mode" | sed "s/^/m $mode /"
	done
	find . -type f -exec stat -c 's %s %n' {} +
	find . ! -type f ! -type d ! -type l | sed 's/^/o /'
}

#: files
# Contents of files, for a host that lacks them.
do_files() {
	need_id
	need_root
	real=$(readlink -f "$root/releases")
	while IFS= read -r name && [ -n "$name" ]; do
		case /$name/ in
		//* | */../*) fail 2 "'$name' is not a path in a release" ;;
		esac
		file=$root/releases/$id/$name
		# Nor through a link.
		{ [ -f "$file" ] && [ "$(readlink -f "$file")" = "$real/$id/$name" ]; } ||
			fail 5 "there is no file '$file'"
		put_contents "$file"
	done
}

#: receive verify --drift adopt
# awk: undo the \ooo of a word in a manifest.
# shellcheck disable=SC2016 # the $ are awk's
plain='
function plain(s,   out, i) {
	out = ""
	while ((i = index(s, "\\")) > 0) {
		out = out substr(s, 1, i - 1) sprintf("%c", substr(s, i + 1, 1) * 64 + \
		    substr(s, i + 2, 1) * 8 + substr(s, i + 3, 1))
		s = substr(s, i + 4)
	}
	return out s
}'

# awk: what the first file, a manifest, says of each path.
# shellcheck disable=SC2016 # the $ are awk's
expected=$plain'
function tell(path, what) {
	print substr(path, 3) ": " what
}
NR == FNR {
	if ($1 !~ /^\.\//)
		next
	path = plain($1)
	for (i = 2; i <= NF; i++) {
		if ($i ~ /^type=/)
			type[path] = substr($i, 6, 1)
		else if ($i ~ /^mode=/)
			mode[path] = substr($i, 7)
		else if ($i ~ /^size=/)
			size[path] = substr($i, 6)
		else if ($i ~ /^time=/) {
			time[path] = substr($i, 6)
			sub(/\..*/, "", time[path])
		} else if ($i ~ /^sha256digest=/)
			digest[path] = substr($i, 14)
		else if ($i ~ /^link=/)
			link[path] = plain(substr($i, 6))
	}
	next
}'

#: verify --drift --repair
# awk: compare the manifest with lines "MODE PERMISSIONS SIZE MTIME ./PATH", the
# mode in hexadecimal, "l ./PATH<TAB>TARGET" and, with contents=1, "h DIGEST
# ./PATH": what differs, and last a line "end".
# shellcheck disable=SC2016 # the $ are awk's
drifted=$expected'
function full(mode) {
	return length(mode) < 4 ? "0" mode : mode
}
$1 == "l" {
	i = index($0, "\t")
	path = substr($0, 3, i - 3)
	to = substr($0, i + 1)
	if (type[path] == "l" && link[path] != to)
		tell(path, "points to \047" to "\047 instead of \047" link[path] "\047")
	next
}
$1 == "h" {
	path = substr($0, 68)
	hashed[path] = 1
	if (type[path] == "f" && digest[path] != $2)
		tell(path, "has other content")
	next
}
{
	path = substr($0, length($1 $2 $3 $4) + 5)
	if (path == ".")
		next
	what = $1 ~ /^8...$/ ? "f" : $1 ~ /^4...$/ ? "d" : $1 ~ /^a...$/ ? "l" : "o"
	seen[path] = 1
	if (!(path in type))
		tell(path, "does not belong there")
	else if (type[path] != what)
		tell(path, "has another type")
	else if (what != "l" && $2 != mode[path])
		tell(path, "has mode " full($2) " instead of " full(mode[path]))
	if (type[path] != "f" || what != "f")
		next
	if ($3 != size[path])
		tell(path, "has " $3 ($3 == 1 ? " byte" : " bytes") " instead of " size[path])
	if ($4 != time[path])
		tell(path, "was modified")
}
END {
	for (path in type)
		if (type[path] != "" && !(path in seen))
			tell(path, "is missing")
		else if (contents && type[path] == "f" && !(path in hashed))
			tell(path, "cannot be read")
	print "end"
}'

# What of the tree $1 is not what the manifest $2 says; $3: contents, too.
look_at_tree() {
	cd "$1" 2>/dev/null || return
	{
		find . -exec stat -c '%f %a %s %Y %n' {} +
		find . -type l | while IFS= read -r name; do
			printf 'l %s\t%s\n' "$name" "$(readlink "$name")"
		done
		[ -z "$3" ] || find . -type f -exec sha256sum {} + | awk '{
			escaped = sub(/^\\/, "")
			if (escaped)
				gsub(/\\\\/, "\\")
			print "h " substr($0, 1, 64) " " substr($0, 67)
		}'
	} 2>/dev/null | awk -v contents="$3" "$drifted" "$2" -
}

#: --drift
# What of the live release is not what its manifest says, but for contents.
put_drift() {
	served=${bridge:-$current}
	put drift "$served"
	[ -n "$served" ] || return 0
	manifest=$state/manifests/$served
	if [ ! -f "$state/meta/$served.json" ]; then
		put difference "there is no meta of release $served"
	elif [ ! -f "$manifest" ]; then
		put difference "the manifest of release $served is missing"
	else
		(look_at_tree "$root/releases/$served" "$manifest" '') | sort | awk '
			$0 == "end" { whole = 1; next }
			++n <= 1000 { print "difference\t" $0 }
			END {
				if (!whole)
					print "difference\tit cannot be compared"
				if (n > 1000)
					print "difference\tand " n - 1000 " more"
			}'
	fi
}

#: receive adopt
# awk: compare the manifest with a list_tree() on standard input: what
# differs, and last a line "end".
# shellcheck disable=SC2016
compare=$expected'
function see(path, what) {
	seen[path] = 1
	if (!(path in type))
		tell(path, "does not belong there")
	else if (type[path] != what)
		tell(path, "has another type")
	else
		return 1
	return 0
}
{
	what = substr($0, 1, 1)
	rest = substr($0, 3)
}
what == "f" && see(substr(rest, 66), "f") && digest[substr(rest, 66)] != substr(rest, 1, 64) {
	tell(substr(rest, 66), "has other content")
}
what == "d" && rest != "." { see(rest, "d") }
what == "o" { see(rest, "o") }
what == "l" {
	i = index(rest, "\t")
	path = substr(rest, 1, i - 1)
	if (see(path, "l") && link[path] != substr(rest, i + 1))
		tell(path, "points to another target")
}
what == "s" {
	i = index(rest, " ")
	path = substr(rest, i + 1)
	is = substr(rest, 1, i - 1)
	if (type[path] == "f" && size[path] + 0 != is + 0)
		tell(path, "has " is (is == 1 ? " byte" : " bytes") " instead of " size[path])
}
what == "m" {
	i = index(rest, " ")
	has[substr(rest, i + 1)] = substr(rest, 1, i - 1)
}
END {
	for (path in type)
		if (!(path in seen))
			tell(path, "is missing")
		else if (type[path] != "l" && has[path] != mode[path])
			tell(path, "has another mode than 0" mode[path])
	print "end"
}'

#: receive verify adopt
# shellcheck disable=SC2016
leads='
function leads_out(link, up,   n, i, part, named) {
	if (link == "" || link ~ /^\//)
		return 1
	n = split(link, part, "/")
	for (i = 1; i <= n; i++)
		if (part[i] == ".." && (named || --up < 0))
			return 1
		else if (part[i] !~ /^\.?\.?$/)
			named = 1
	return 0
}'
# awk: what is unsafe in a manifest, by the rules of manifest.c.
# shellcheck disable=SC2016
unsafe=$plain$leads'
function bad(what) {
	print "its manifest has " what ": " $1
	exit
}
function value_of(key,   i) {
	for (i = 3; i <= NF; i++)
		if (index($i, key "=") == 1)
			return substr($i, length(key) + 2)
	return ""
}
NR > 2 {
	if ($1 !~ /^\.\/./ || $0 ~ /\\(0[0-3][0-7]|177|302\\2[0-3][0-7])/ || ($1 "/") ~ /\/(\.?\.?|\\056|\.\\056|\\056\.|\\056\\056)\// || \
	    $1 in type)
		bad("a wrong name")
	if ($2 $3 !~ /^type=(filemode=0*(644|755)|dirmode=0*2?755|linkmode=0*777)$/ || / mode=.* mode=/)
		bad("a mode that nothing in a release may have")
	when = value_of("time")
	sub(/\.[0-9]*$/, "", when)
	if ((value_of("size") when) !~ /^[0-9]*$/ || length(value_of("size")) > 16 || length(when) > 12 || \
	    when + 0 > 253402300799)
		bad("a wrong number")
	path = $1
	up = split(path, part, "/") - 2
	type[path] = $2
	sub("/[^/]*$", "", path)
	if (path != "." && type[path] != "type=dir")
		bad("a name that is in no directory of it")
	if ($2 != "type=link")
		next
	link = $0
	sub(/.* link=/, "", link)
	sub(/ .*/, "", link)
	shared = "../../shared/" substr($1, 3)
	for (i = 0; i < up; i++)
		shared = "../" shared
	if ($NF == "tags=shared" ? link != shared : leads_out(plain(link), up))
		bad("a link to another place")
}'

# Set `wrong` to the differences between the tree $1 and the manifest $2.
verify_tree() {
	wrong=$(cd "$1" 2>/dev/null && list_tree 2>/dev/null | awk "$compare" "$2" -)
	case $wrong in
	end) wrong='' ;;
	*end) wrong=${wrong%?end} ;;
	*) wrong="$1: cannot be read" ;;
	esac
}

# The tree digest that the manifest $1 gives.
tree_digest() {
	sed -e 1,2d -e 's/ time=[^ ]*//' -e 's/\( tags=carried\),last-[0-9]*$/\1/' "$1" | sha256sum | cut -c -64
}

#: receive adopt
# awk: from the manifest and lines "MTIME LINKS MODE PATH", what there is to
# do: "c PATH", copy what a release has too; "m MODE PATH"; "t MTIME PATH".
# shellcheck disable=SC2016
dress=$plain'
NR == FNR {
	if ($2 != "type=file")
		next
	path = plain($1)
	for (i = 3; i <= NF; i++)
		if ($i ~ /^time=/) {
			when[path] = substr($i, 6)
			sub(/\..*/, "", when[path])
		} else if ($i ~ /^mode=/) {
			mode[path] = substr($i, 6)
			sub(/^0*/, "", mode[path])
		}
	next
}
{
	path = substr($0, length($1) + length($2) + length($3) + 4)
	if (!(path in when) || ($2 > 1 && $1 == when[path] && $3 == mode[path]))
		next
	if ($2 > 1)
		print "c " path
	if ($3 != mode[path])
		print "m " mode[path] " " path
	print "t " when[path] " " path
}'

# For the lines of the kind $1 in $tmp, and each value that they have: run the
# rest of the arguments with $2 and the value, and the paths.
dress_each() {
	kind=$1 prefix=$2
	shift 2
	sed -n "s/^$kind \([0-9]*\) .*/\1/p" "$tmp" | sort -u | while read -r value; do
		# A backslash before each byte: xargs takes it as it is.
		sed -n "s/^$kind $value //p" "$tmp" | sed 's/./\\&/g' | (cd "$in" && xargs "$@" "$prefix$value") || exit 1
	done
}

# A file system of libfuse 2 sets both times of a file or, without a word, none,
# and tar sets one.
is_fuse() {
	[ "$(stat -f -c %t "$in" 2>/dev/null)" = 65735546 ]
}

# Give the files in $in the times and modes of the manifest.
adopt() {
	(cd "$in" && find . -type f -exec stat -c '%Y %h %a %n' {} +) | awk "$dress" "$in.manifest" - >"$tmp" &&
		sed -n 's/^c //p' "$tmp" | while IFS= read -r name; do
			cp -p "$in/$name" "$in.copy" && mv -f "$in.copy" "$in/$name" || exit 1
		done && dress_each m '' chmod && dress_each t @ touch -c -d
}

# The paths in shared/ that the manifest $1 wants, one a line.
list_shared() {
	awk "$plain"' $2 == "type=link" && $NF == "tags=shared" { print plain(substr($1, 3)) }' "$1"
}

# Unpack standard input in the root, no members but those of this release;
# `said` is what tar complained of.  What lies nowhere is found out later.
unpack() {
	case $compress in
	zstd) set -- zstd -dcq ;;
	gzip) set -- gzip -dc ;;
	none) set -- cat ;;
	*) fail 2 "unknown compression '$compress'" ;;
	esac
	top=.deploy/incoming/$id
	# The modes of the members count only as far as the umask lets them.
	case $(tar --help 2>&1) in
	*--no-same-permissions*) modes=--no-same-permissions ;;
	*) modes='' ;;
	esac
	# The lock must not outlive this shell in one of these.
	said=$(exec 9>&- 2>&1; "$@" 2>/dev/null | { cd "$root" && tar $modes -xof - "$top" "$top.manifest" "$top.meta" && cat >/dev/null; })
	code=$?
	[ $code -ne 0 ] || return 0
	# An operand is the directory, which is no member; and clocks differ.
	said=$(printf '%s\n' "$said" | sed -e '/ot found in archive/d' -e '/previous errors/d' -e '/: time stamp .* in the future/d' -e '/implausibly old time stamp/d')
	[ -z "$said" ] && [ $code -lt 126 ]
}

#: init receive note activate prune pin preview freeze --sync --repair adopt
# Is there no space left, as far as was said, or can be seen?
is_full() {
	case $said in
	*'No space left'* | *'uota exceeded'*) return 0 ;;
	esac
	# shellcheck disable=SC2046
	set -- $(free_space)
	[ "${1:-65536}" -lt 65536 ] || [ "${2:-1}" -lt 1 ]
}

# fail_write TEXT...: something could not be written; for want of what?  $why is
# what the program said that failed, if it is known.
fail_write() {
	said=$why
	for dir in "$root" "$root/releases" "$state" "$state/incoming" "$state/manifests" "$state/meta"; do
		[ ! -d "$dir" ] || [ -w "$dir" ] ||
			fail 1 "$*: $(id -un) may not write in '$dir'" "'deploy doctor' says who has to change what"
	done
	! is_full || fail 10 "$*: no $(what_lacks) left on the disk of '$root'" "run 'deploy prune', or make room"
	fail 1 "$*${why:+: ${why##*: }}$(limit_of_files)"
}

# Is there a limit to what a file may have?
limit_of_files() {
	[ "$(ulimit -f)" = unlimited ] || echo "; files may have $(ulimit -f) blocks at most here, raise that (ulimit -f)"
}

what_lacks() {
	# shellcheck disable=SC2046
	set -- $(free_space)
	if [ "${2:-1}" -lt 1 ]; then echo 'inodes are'; else echo 'space is'; fi
}

#: receive adopt
# The code of what tar complained of: the disk is full, the system does not
# let us write, or the pack is not what it should be.
unpack_code() {
	if is_full; then
		echo 10
		return
	fi
	case $said in
	# What stands at the other end is no file: the release that has it is damaged.
	*'ard link to '*'not permitted'* | *'ardlink '*'not permitted'*) echo 5 ;;
	*'Read-only file system'* | *'ermission denied'* | *'not permitted'* | *'nput/output error'* | *'ile too large'* | *'Wrote only'*) echo 1 ;;
	*) echo 5 ;;
	esac
}

# A number of bytes as people read it.
size() {
	awk -v n="$1" 'BEGIN {
		split("B kB MB GB TB", unit, " ")
		for (i = 1; n >= 1000 && i < 5; i++)
			n /= 1000
		printf i == 1 ? "%d %s" : "%.1f %s", n, unit[i]
	}'
}

check_room() {
	# shellcheck disable=SC2046
	set -- $(free_space)
	# What is not known refuses nothing.
	[ $# -eq 2 ] || return 0
	[ "$1" -ge "$bytes" ] ||
		fail 10 "the release needs $(size "$bytes"), '$root' has $(size "$1") free" "run 'deploy prune', or make room"
	[ "$2" -ge "$inodes" ] ||
		fail 10 "the release needs $inodes inode$([ "$inodes" = 1 ] || echo s), '$root' has $2 free" "run 'deploy prune', or make room"
}

# Make the directory shared/$1; nothing behind a symbolic link.
make_shared() {
	way=$root rest=shared/$1/
	while [ -n "$rest" ]; do
		way=$way/${rest%%/*}
		rest=${rest#*/}
		[ ! -L "$way" ] && { [ -d "$way" ] || mkdir "$way"; } || return
	done
}

# awk: from lines "NUMBER i PATH" of files with several names in $in and
# "NUMBER r ID/PATH" in releases, which of $in is no name of a file that the
# release of ID has by its own manifest.
# shellcheck disable=SC2016
strangers=$plain'
function load(id,   line, part) {
	loaded[id] = 1
	while ((getline line < (manifests "/" id)) > 0) {
		split(line, part, " ")
		if (part[2] == "type=file")
			listed[id "/" substr(plain(part[1]), 3)] = 1
	}
	close(manifests "/" id)
}
{
	path = substr($0, length($1) + 4)
}
$2 == "r" {
	id = path
	sub(/\/.*/, "", id)
	if (!(id in loaded))
		load(id)
	if (path in listed)
		known[$1] = 1
}
$2 == "i" && !($1 in known) {
	print path
}'

# Set `wrong` to a file that the pack has linked to what is no file of a
# release.  find does not follow links, so what it finds lies where it says.
check_links() {
	wrong=$( {
		cd "$root/releases" && find . -type f -links +1 -exec stat -c '%i r %n' {} + | sed 's/ r \.\// r /'
		cd "$in" && find . -type f -links +1 -exec stat -c '%i i %n' {} +
	} 2>/dev/null | awk -v manifests="$state/manifests" "$strangers" | head -n 1)
	[ -z "$wrong" ] || fail 5 "the pack for release $id is refused: a hard link to no file of a release: $wrong"
}

# Directories have the group and its mark, or none: a parent may have given it.
give_to_group() {
	if [ -z "$group" ]; then
		[ ! -g "$1" ] || find "$1" -type d -exec chmod g-s {} + || fail 1 "cannot change the modes in '$1'"
		return
	fi
	chgrp -R "$group" "$1" 2>/dev/null || fail 1 "cannot give '$1' to the group '$group'"
	find "$1" -type d -exec chmod 2755 {} + || fail 1 "cannot change the modes in '$1'"
}

#: receive --repair adopt
# Under the lock: a name that is new, and the lock of this stage, which is seen
# only when it is held and complete.
begin() {
	[ ! -e "$root/releases/$id" ] || fail 4 "there is a release '$root/releases/$id' already"
	! is_held "$in.lock" || fail 3 "the release $id is being staged by $(holder "$in.lock")"
	[ ! -e "$in" ] || sweep
	for name in $uses; do
		[ -d "$root/releases/$name" ] ||
			fail 1 "the release $name, from which files are to be taken, is not there any more" "run it again"
	done
	tmp=$state/incoming/.tmp-sh-$$
	umask 077
	{ put_note stage && for name in $uses; do echo "$name" || exit; done; } 2>/dev/null >"$tmp" ||
		fail_write "cannot write '$tmp'"
	umask 022
	exec 8<>"$tmp"
	{ flock -x -n 8 && mv "$tmp" "$in.lock"; } || fail_write "cannot make the lock '$in.lock'"
	tmp=$in.tmp
	receiving=$id
	mkdir "$in" 2>/dev/null || fail_write "cannot make '$in'"
	chmod 755 "$in"
}

#: --repair
# awk: from paths, a line each, and the manifest: what these should be, "TYPE
# MODE TIME DIGEST LINK PATH", by tabs; parents first, as in the manifest.
# shellcheck disable=SC2016
fixes=$plain'
NR == FNR {
	wrong[$0] = 1
	next
}
$1 ~ /^\.\// {
	path = plain($1)
	if (!(path in wrong))
		next
	mode = when = digest = link = "-"
	for (i = 2; i <= NF; i++)
		if ($i ~ /^type=/)
			type = substr($i, 6, 1)
		else if ($i ~ /^mode=/) {
			mode = substr($i, 6)
			sub(/^0*/, "", mode)
		} else if ($i ~ /^time=/) {
			when = substr($i, 6)
			sub(/\..*/, "", when)
		} else if ($i ~ /^sha256digest=/)
			digest = substr($i, 14)
		else if ($i ~ /^link=/)
			link = plain(substr($i, 6))
	print type "\t" mode "\t" when "\t" digest "\t" link "\t" substr(path, 3)
}'

# awk: from these lines, the file `todo`, and manifests: where else their
# contents should be, "DIGEST MODE TIME RELEASE/PATH".
# shellcheck disable=SC2016
elsewhere=$plain'
FILENAME == todo {
	split($0, field, "\t")
	if (field[1] == "f")
		wanted[field[4]] = 1
	next
}
$2 == "type=file" {
	for (i = 3; i <= NF; i++)
		if ($i ~ /^sha256digest=/)
			digest = substr($i, 14)
		else if ($i ~ /^mode=/)
			mode = substr($i, 6)
		else if ($i ~ /^time=/)
			when = substr($i, 6)
	if (!(digest in wanted))
		next
	sub(/^0*/, "", mode)
	sub(/\..*/, "", when)
	release = FILENAME
	sub(/.*\//, "", release)
	print digest "\t" mode "\t" when "\t" release "/" substr(plain($1), 3)
}'

# Write to $in.todo what of the release $mended is to be mended, `wrong` being
# what look_at_tree() found.
list_fixes() {
	printf '%s\n' "$wrong" | awk 'match($0, /: (has other content|is missing|cannot be read|was modified|has another type|has mode [0-7]* instead of [0-7]*|has [0-9]* bytes? instead of [0-9]*|points to \047.*\047 instead of \047.*\047)$/) {
		print "./" substr($0, 1, RSTART - 1)
	}' >"$in.wrong" && awk "$fixes" "$in.wrong" "$state/manifests/$mended" >"$in.todo"
}

# Does $1 lie in releases/ where it says, behind no link?
lies_there() {
	[ "$(readlink -f "$root/releases/$1")" = "$(readlink -f "$root/releases")/$1" ]
}

# dress FILE MODE TIME
dress() {
	{ [ -z "$owners" ] || chgrp "$owners" "$1"; } && chmod "$2" "$1" && touch -c -d "@$3" "$1"
}

# Make $new of the file $1, if that has the content.
take() {
	[ -f "$1" ] && [ "$(sha256sum <"$1" 2>/dev/null | cut -c -64)" = "$digest" ] || return 1
	[ "$2" = copy ] || [ "$(stat -c '%a %Y' "$1")" != "$mode $when" ] || ! ln "$1" "$new" 2>/dev/null || return 0
	rm -f "$new"
	{ cp "$1" "$new" 2>/dev/null && dress "$new" "$mode" "$when"; } || fail_write "cannot write '$new'"
}

# What is to take the place of a file.  Its own content may be well, and only
# time or mode not: a copy, because others may have the file, too.
take_any() {
	! take "$tree/$path" copy || return 0
	[ -z "$sent" ] || ! take "$in/$path" link || return 0
	while IFS=$tab read -r content _ _ other; do
		[ "$content" != "$digest" ] || ! lies_there "$other" || ! take "$root/releases/$other" link || return 0
	done <"$in.from"
}

# Other releases that have the bad file $1, too, get the good one.
put_elsewhere() {
	while IFS=$tab read -r content other_mode other_time other; do
		{ [ "$content" = "$digest" ] && lies_there "$other" &&
			[ "$(stat -c '%d %i' "$root/releases/$other" 2>/dev/null)" = "$1" ]; } || continue
		if [ "$other_mode $other_time" != "$mode $when" ] || ! ln "$tree/$path" "$in.other" 2>/dev/null; then
			{ cp "$tree/$path" "$in.other" 2>/dev/null && dress "$in.other" "$other_mode" "$other_time" && sync_tree "$in"; } ||
				fail_write "cannot write '$in.other'"
		fi
		rename "$in.other" "$root/releases/$other" || continue
		put mended "${other%%/*}$tab${other#*/}"
	done <"$in.from"
}

# One of them into its place, if it is there to be had.
put_fix() {
	case $path in
	*/*) lies_there "$mended/${path%/*}" || return 0 ;;
	esac
	if [ "$type" = d ]; then
		{ [ -d "$tree/$path" ] && [ ! -L "$tree/$path" ]; } || mkdir "$tree/$path" 2>/dev/null || return 0
		{ [ -z "$owners" ] || chgrp "$owners" "$tree/$path"; } && chmod "$mode" "$tree/$path" || return 0
	else
		{ [ -e "$new" ] || [ -L "$new" ]; } || return 0
		bad=$(stat -c '%d %i' "$tree/$path" 2>/dev/null)
		rename "$new" "$tree/$path" || return 0
	fi
	put mended "$mended$tab$path"
	[ "$type" != f ] || [ -z "$bad" ] || put_elsewhere "$bad"
}

# Mend the release $mended, `wrong` being what look_at_tree() found; $sent: what
# a client sent is in $in.  As repair.c does: see there.
mend() {
	tree=$root/releases/$mended
	owners=''
	[ "$(stat -c %a "$tree")" != 2755 ] || owners=$(stat -c %g "$tree")
	list_fixes || fail_write "cannot write '$in.todo'"
	# shellcheck disable=SC2046 # ids
	(cd "$state/manifests" && awk -v todo="$in.todo" "$elsewhere" "$in.todo" $(
		for name in *; do
			! is_id "$name" || [ "$name" = "$mended" ] || [ ! -d "$root/releases/$name" ] || echo "$name"
		done | sort -r
	)) >"$in.from" || fail_write "cannot write '$in.from'"
	n=0
	while IFS=$tab read -r type mode when digest link path; do
		n=$((n + 1))
		new=$in.fix.$n
		case $type in
		f) take_any ;;
		l) ln -s "$link" "$new" && touch -c -h -d "@$when" "$new" 2>/dev/null ;;
		esac
	done <"$in.todo"
	sync_tree "$in" || fail_write "cannot write '$in' to disk"
	n=0
	while IFS=$tab read -r type mode when digest link path; do
		n=$((n + 1))
		new=$in.fix.$n
		put_fix
	done <"$in.todo"
	sync_tree "$root/releases" || fail_write "cannot write '$root/releases' to disk"
}

# The manifest of $mended came as a file: it is the one that its meta knows.
mend_manifest() {
	wrong=$(awk "$unsafe" "$in/manifest")
	{ [ -z "$wrong" ] && [ "$(tree_digest "$in/manifest")" = "$(json_string digest "$state/meta/$mended.json")" ]; } ||
		fail 5 "what was received is not the manifest of release $mended"
	{ sync_tree "$in" && rename "$in/manifest" "$state/manifests/$mended" && sync_one "$state/manifests"; } ||
		fail_write "cannot write '$state/manifests/$mended'"
	put mended "$mended$tab.deploy/manifests/$mended"
}

# All of the releases, $mended first: as many as the lock of a stage names.
list_uses() {
	uses=$mended n=1
	for dir in "$root"/releases/*; do
		name=${dir##*/}
		{ [ $n -lt 64 ] && is_id "$name" && [ "$name" != "$mended" ]; } || continue
		uses="$uses $name" n=$((n + 1))
	done
}

# What takes the place of files is made like a stage: nobody prunes meanwhile.
begin_repair() {
	id=$(date -u +%Y%m%dT%H%M%S.000Z)-$(cat /proc/sys/kernel/random/uuid) in=$state/incoming/$id
	list_uses
	open_lock
	lock -x
	begin
	unlock
}

end_repair() {
	remove "$in"
	rm -f "$in".*
	exec 8>&-
	receiving=''
}

#: receive adopt
do_receive() {
	need_id
	IFS=,
	# shellcheck disable=SC2086 # the words are meant to be split
	set -- $uses
	unset IFS
	uses=$*
	for name; do
		is_id "$name" || fail 2 "'receive' wants --uses=RELEASE,..., not '$name'"
	done
	mended=$repair sent=1
	if [ -n "$mended" ]; then
		is_id "$mended" || fail 2 "'receive' wants --repair=RELEASE, not '$mended'"
		need_root
		list_uses
	fi
	prepare
	check_device
	in=$state/incoming/$id
	open_lock
	if flock -x -n 9; then
		sweep
		unlock
		empty_trash
		open_lock
	fi
	check_room
	check_future
	lock -x
	begin
	unlock
	[ -z "$group" ] || chgrp "$group" "$in" 2>/dev/null ||
		fail 2 "there is no group '$group' on this host that you could give files to"
	[ -z "$serving" ] || in_pack=100
	put ready "$in"
	if ! unpack; then
		fail "$(unpack_code)" "the pack for release $id could not be unpacked: $(printf '%s\n' "$said" | head -n 1)$(limit_of_files)"
	fi
	if [ ! -s "$in.manifest" ] || [ ! -s "$in.meta" ]; then
		fail 5 "the pack for release $id is damaged or was cut short"
	fi
	if LC_ALL=C grep -q '[^ -~]' "$in.meta"; then
		value=$(clean "$(cat "$in.meta")")
		printf '%s\n' "${value% }" >"$in.meta"
	fi
	[ "$(json_string id "$in.meta")" = "$id" ] || fail 5 "the pack for release $id has another release's meta"
	value=$(sequence_of "$in.meta")
	case $value in
	?????????????????*) fail 5 "the pack for release $id has a meta with the sequence $value" ;;
	esac
	[ "${value:-0}" -le 9007199254740991 ] || fail 5 "the pack for release $id has a meta with the sequence $value"
	[ "$(json_string digest "$in.meta")" = "$(tree_digest "$in.manifest")" ] ||
		fail 5 "the pack for release $id has a meta with the digest of another manifest"
	wrong=$(awk "$unsafe" "$in.manifest")
	[ -z "$wrong" ] || fail 5 "the pack for release $id is refused: $wrong"
	check_links
	{ [ -z "$filled" ] && ! is_fuse; } || adopt || fail_write "cannot give the files in '$in' their times and modes"
	give_to_group "$in"
	verify_tree "$in" "$in.manifest"
	[ -z "$wrong" ] || fail 5 "the release $id is not what its manifest says: $(printf '%s\n' "$wrong" | head -n 1)"
	if [ -n "$mended" ]; then
		if [ -n "$whole" ]; then
			mend_manifest
		else
			look "$mended"
			[ -n "$lost" ] || mend
		fi
		end_repair
		put received 0
		return
	fi
	list_shared "$in.manifest" | while IFS= read -r name; do
		[ -e "$root/shared/$name" ] || [ -L "$root/shared/$name" ] || make_shared "$name" || exit 1
	done || fail_write "cannot make the directories in '$root/shared'"
	commit || fail_write "cannot publish the release '$root/releases/$id'"
	unlock
	rm -f "$in.lock"
	exec 8>&-
	put received "$(grep -c ' type=file ' "$state/manifests/$id")"
}

# Each step durable before the next; a crash leaves what sweep() takes.
commit() {
	sync_tree "$in" && rename "$in.manifest" "$state/manifests/$id" && rename "$in.meta" "$state/meta/$id.json" &&
		sync_one "$state/manifests" && sync_one "$state/meta" || return 1
	# Nobody reads the list meanwhile: what is in it is on disk.
	open_lock
	lock -s
	[ ! -e "$root/releases/$id" ] && mv "$in" "$root/releases/" || return 1
	sync_one "$root/releases" && return
	# Not known to be on disk: not complete.  Nobody has used it yet.
	mv "$root/releases/$id" "$state/incoming/"
	return 1
}

#: activate prune adopt
# Is it still what the client saw when it decided?
check_expected() {
	[ "$expect" = any ] || [ "$expect" = "$current" ] ||
		fail 4 "${current:-nothing} is live, not ${expect:-nothing} as expected; somebody else changed it meanwhile"
	size_of "$state/journal"
	[ -z "$journal_size" ] || [ "$journal_size" -eq "$size" ] ||
		fail 4 "another run changed '$root' meanwhile" "look again with 'deploy log'"
}

#: activate adopt
# Is the guard $1 set aside?
overrides() {
	case $override, in
	*,$1,*) return 0 ;;
	esac
	return 1
}

# An unknown word would be a guard that somebody thinks is set aside.
check_overrides() {
	rest=$override
	while [ -n "$rest" ]; do
		rest=${rest#,}
		word=${rest%%,*}
		case $word in
		freeze | order) ;;
		*) fail 2 "--override does not take '$word' here, only freeze,order" ;;
		esac
		rest=${rest#"$word"}
	done
}

# By whom, since when, until when, and why.
refuse_frozen() {
	who=$(json_string who "$state/frozen") since=$(json_string since "$state/frozen")
	until=$(json_string until "$state/frozen") why=$(json_string why "$state/frozen")
	fail 3 "'$root' is frozen by ${who:-somebody}${since:+ since $since}${until:+ until $until}${why:+: $why}" "run 'deploy thaw' when it may change again, or use --override=freeze"
}

# The client compared sequences; since then a newer build may have turned out
# to have the live content.
check_sequence() {
	value=$(sequence_of "$state/meta/$id.json") last=$(sequence_of "$state/meta/$current.json")
	[ -n "$rollback$revert$synced" ] || overrides order || [ -z "$value" ] || [ "${last:-0}" -le "$value" ] ||
		fail 4 "sequence $value is older than $last, which is live" "to go back on purpose use 'deploy rollback RELEASE', or use --override=order"
}

append_line() {
	# A run that died while writing left no newline; zeros, perhaps.
	torn=''
	[ ! -s "$state/journal" ] || [ "$(tail -c 1 "$state/journal" && echo .)" = "$newline." ] || torn=1
	{
		[ -z "$torn" ] || echo
		printf '%s\n' "$line"
	} 2>/dev/null >>"$state/journal" && sync_one "$state/journal" && sync_one "$state"
}

# Wait for the line "go"; a line "wait" begins the time anew.  What else
# comes, the end of the input and the deadline disarm, and so does a word that
# was read too late.  The time runs from before the client can have heard that
# the host is armed: we may be stopped at any place, and it counts meanwhile.
wait_for_go() {
	[ "$armed" -gt 0 ] || return 0
	limit=$(((armed + 999) / 1000))
	read_clock
	put armed "$current"
	word='wait'
	while [ "$word" = 'wait' ]; do
		armed_at=$now
		# Byte by byte, so that the next line is there for the next turn.
		# shellcheck disable=SC2016 # the other shell's
		word=$(exec 9>&- 2>/dev/null; timeout "$limit" sh -c 'IFS= read -r word && printf "%s\n" "$word"')
		read_clock
		[ $((now - armed_at)) -le "$limit" ] || word=late
	done
	[ "$word" = go ] || fail 1 "disarmed: no 'go' came in time"
}

# What the journal says of the release and its content, as history.c reads it:
# set was_live when it was, and that was not undone, and left to the words about
# the rollback that went away from it.
look_back() {
	was_live='' left=''
	[ -s "$state/journal" ] || return 0
	left=$(awk -v id="$goal" -v digest="$(json_string digest "$state/meta/$goal.json")" -v current="$current" '
		function value(key, at, rest) {
			at = index($0, "\"" key "\":\"")
			rest = substr($0, at + length(key) + 4)
			return at > 0 && match(rest, /^([^"\\]|\\.)*/) ? substr(rest, 1, RLENGTH) : ""
		}
		function text(key, s) {
			s = value(key)
			gsub(/\\"/, "\"", s)
			return s
		}
		function same(other, content) {
			return id == other || (digest != "" && digest == content)
		}
		# The words about a rollback, which $0 has.
		function told(what, time, who, why) {
			who = text("who")
			why = text("message")
			return "release " what (what == id ? "" : ", which has this content,") \
				" was rolled back from at " time " by " \
				(who != "" ? who : "somebody") (why != "" ? ": " why : "")
		}
		# May line i undo line k?  These happened, one after the other.
		function undoes(i, k) {
			return k > 0 && action[i] == "revert" && action[k] != "revert" && from[k] != to[k] &&
				to[k] == from[i] && from[k] == to[i]
		}
		/}[ \t\r]*$/ && value("time") && value("action") ~ /^(activate|rollback|revert|sync)$/ &&
			value("to") ~ /^[0-9]+T[0-9.]+Z-[0-9a-f-]+$/ {
			# What a sync says of other hosts is its last key.
			i = index($0, "\"left\":[")
			others = i ? substr($0, i + 8) : ""
			if (i)
				$0 = substr($0, 1, i - 1)
			action[++n] = value("action")
			from[n] = value("from")
			to[n] = value("to")
			comes[n] = same(to[n], value("digest"))
			goes[n] = action[n] == "rollback" && same(from[n], value("from_digest"))
			if (goes[n])
				words[n] = told(from[n], value("time"))
			# What a sync says of the past.
			past[n] = action[n] == "sync" && index(substr($0, index($0, "\"before\":[")), "\"" id "\"")
			# And of what is left elsewhere, the newest first.
			there[n] = ""
			k = split(others, other, /},[{]"time":"/)
			for (i = 1; i <= k && there[n] == ""; i++) {
				$0 = other[i]
				sub(/^[{]"time":"/, "")
				if (same(value("from"), value("from_digest")))
					there[n] = told(value("from"), substr($0, 1, index($0, "\"") - 1))
			}
		}
		END {
			from[n + 1] = current
			for (i = 1; i <= n; i++)
				# Not when what was live before it still was.
				if (to[i] == from[i + 1] || from[i] != from[i + 1]) {
					if (undoes(i, last))
						undone[last] = undone[i] = 1
					happened[i] = 1
					last = i
				}
			for (i = 1; i <= n; i++) {
				# By hand, when no line says so.
				if (from[i] == id && live != id)
					was = 1
				if (from[i] != "")
					live = from[i]
				if (!happened[i])
					continue
				live = to[i]
				if (!undone[i] && goes[i])
					left = words[i]
				if (!undone[i] && (comes[i] || past[i]))
					left = ""
				else if (!undone[i] && there[i] != "")
					left = there[i]
				if (!undone[i] && (live == id || past[i]))
					was = 1
				else if (live == id && action[i] == "activate")
					was = 0
			}
			print (was ? 1 : "") ":" left
		}' "$state/journal")
	was_live=${left%%:*}
	left=${left#*:}
}

# Set `hook` to the name of the hook that follows a flip; empty: there is none.
find_hook() {
	hook=''
	for name in ${rollback:+post-rollback} ${revert:+post-rollback} post-activate; do
		[ -z "$hook" ] || continue
		if [ -e "$state/hooks/$name" ] || [ -L "$state/hooks/$name" ]; then hook=$name; fi
	done
}

# Why the hook may not be run; nothing: it may.
refuse_hook() {
	file=$state/hooks/$hook
	if [ -L "$state/hooks" ] || [ -L "$file" ] || [ ! -f "$file" ]; then
		printf '%s\n' "'$file' is not a regular file"
		return
	fi
	owner=$(stat -L -c %u "$root")
	stat -c '%u %A %n' "$state/hooks" "$file" | while read -r uid mode name; do
		[ "$uid" = 0 ] || [ "$uid" = "$owner" ] ||
			{ printf '%s\n' "'$name' belongs to neither the owner of the root nor root; if nobody planted it, run as root: chown $owner $(in_quotes "$name")" && exit; }
		case $mode in
		?????w* | ????????w*) printf '%s\n' "'$name' can be written by others; run: chmod go-w $(in_quotes "$name")" && exit ;;
		esac
	done
	[ -x "$file" ] || printf '%s\n' "'$file' cannot be executed; run: chmod +x $(in_quotes "$file")"
}

# Live: run the hook that follows, if there is one, without the lock.  That it
# fails is an answer, and no failure.
run_hook() {
	find_hook
	[ -n "$hook" ] || return 0
	exec 9>&-
	put hook "$hook"
	wrong=$(refuse_hook | head -n 1)
	if [ -n "$wrong" ]; then
		put hook-failed "the $hook hook was not run: $wrong"
		return
	fi
	(
		cd "$root" || exit 1
		export DEPLOY_HOOK="$hook" DEPLOY_ROOT="$root" DEPLOY_RELEASE="$goal" DEPLOY_PREVIOUS="$from"
		exec timeout -s KILL "$hook_timeout" ".deploy/hooks/$hook" </dev/null >"$tmp.said" 2>&1
	)
	status=$?
	tail -c 65536 "$tmp.said" >&2
	read_current
	[ $status -ne 0 ] || [ "$current" = "$goal" ] ||
		put hook-failed "$goal was live, but another run made $current live while the hook ran"
	[ $status -ne 0 ] || return 0
	said=$(tail -n 1 "$tmp.said")
	said=$(printf %s "$said" | tr '\001-\037\177' ' ')
	case $status in
	137) wrong="was ended after $hook_timeout s (timeout), or killed" ;;
	*) wrong="failed with status $status" ;;
	esac
	put hook-failed "the $hook command $wrong${said:+: $said}"
}

# A bridge for what is live, or one that is gone back to; nothing else.  It has
# all that is in the manifest of what it stands for, and beside that what is
# carried.
check_bridge() {
	means=$(json_string bridge "$state/meta/$id.json")
	if ! is_id "$means"; then
		[ -z "$as_bridge" ] || fail 2 "release $id is not a bridge"
		return 0
	fi
	[ -n "$as_bridge$revert$rollback" ] || fail 2 "release $id is a bridge, which stands for $means for a while" "name that one"
	[ -z "$as_bridge" ] || [ "$means" = "$current" ] ||
		fail 4 "${current:-nothing} is live, not $means as expected; somebody else changed it meanwhile"
	[ -n "$as_bridge" ] || goal=$means
	[ -r "$state/manifests/$means" ] || fail 5 "the manifest of release $means is missing or unreadable"
	wrong=$(awk '/^(#|\. )/ { next }
		FILENAME == ARGV[1] { line[++n] = $0; wanted[$0] = 1; next }
		$0 in wanted { delete wanted[$0]; next }
		!/ type=dir / && !/ tags=carried/ { odd = $1; exit }
		END {
			for (i = 1; odd == "" && i <= n; i++)
				if (line[i] in wanted) { split(line[i], word, " "); odd = word[1] }
			sub(/^\.\//, "", odd)
			print odd
		}' "$state/manifests/$means" "$state/manifests/$id")
	[ -z "$wrong" ] || fail 5 "release $id is not a bridge for $means: '$wrong' differs"
}

do_activate() {
	need_id
	check_overrides
	need_root
	open_lock
	lock -x
	read_current
	need_complete
	from=$current goal=$id
	if [ "$current" = "$id" ] || [ "$bridge" = "$id" ]; then
		[ -z "$synced" ] || check_expected
		[ -z "$check" ] || return 0
		if [ -n "$synced" ]; then
			[ -n "$line" ] || fail 2 "'activate' wants --line=JSON from a client for which the host does not write it"
			append_line || fail_write "cannot append to '$state/journal'"
		fi
		wait_for_go
		if [ -n "$verified" ]; then
			[ -n "$line" ] || fail 2 "'activate' wants --line=JSON from a client for which the host does not write it"
			append_line || fail_write "cannot append to '$state/journal'"
		fi
		sync_root
		put live "$id"
		put from "$from"
		put changed 0
		[ -z "$as_bridge" ] || put_journal_size
		return
	fi
	[ -z "$verified" ] ||
		fail 4 "${current:-nothing} is live, not $id as expected; somebody else changed it meanwhile"
	check_bridge
	check_expected
	look_back
	{ [ -n "$rollback$revert$synced" ] && [ -n "$was_live" ]; } || overrides freeze || ! is_frozen ||
		refuse_frozen
	check_sequence
	[ -n "$revert$synced$as_bridge" ] || { [ -n "$rollback" ] && [ -n "$was_live" ]; } ||
		overrides order || [ -z "$left" ] ||
		fail 4 "$left" "build something else, or use --override=order"
	[ -z "$check" ] || return 0
	[ -n "$line" ] || fail 2 "'activate' wants --line=JSON from a client for which the host does not write it"
	check_device
	[ -w "$root" ] || fail_write "cannot replace '$root/current'"
	# Whoever staged it may have died before it was on disk.
	sync_one "$root/releases" || fail_write "cannot write '$root/releases' to disk"
	sweep_names "$state"/.tmp-*
	ln -s "releases/$id" "$tmp" || fail_write "cannot make a link in '$state'"
	append_line || fail_write "cannot append to '$state/journal'"
	wait_for_go
	rename "$tmp" "$root/current" || fail_write "cannot replace '$root/current'"
	# Live from here on.
	sync_one "$root" || fail 9 "release $id is live, but not known to survive a power cut"
	[ "$(readlink "$root/current")" = "releases/$id" ] ||
		fail 1 "'$root/current' does not point to $id after it was replaced; another program changes it"
	put live "$id"
	put from "$from"
	put changed 1
	# With a bridge visitors see what they saw; who has more to flip hears what
	# the journal is now.
	if [ -n "$as_bridge" ]; then put_journal_size; else run_hook; fi
}

#: prune
# Set `user` to who takes files from the release $1; empty: no stage that lives.
find_user() {
	user=''
	for stage in $living; do
		! sed 1d "$state/incoming/$stage.lock" 2>/dev/null | grep -qxF "$1" || user=$(holder "$state/incoming/$stage.lock")
	done
}

# Take the release $1 out of the list.
take_out() {
	said=$(mv "$root/releases/$1" "$state/trash/" 2>&1) && return
	# On a full btrfs nothing can be renamed, but removed it can be; without
	# its manifest first, so that nobody makes half of it live.
	if is_full; then
		rm -f "$state/manifests/$1" && remove "$root/releases/$1" 2>/dev/null
		return
	fi
	# Who may not write to a directory cannot move it either.
	{ chmod u+w "$root/releases/$1" && mv "$root/releases/$1" "$state/trash/"; } 2>/dev/null
}

# Remove the preview `label` if its time is over; else note what it shows.
expire() {
	if [ "$until" -gt "$now" ]; then
		previewed="$previewed $shown "
	elif [ -z "$check" ]; then
		rm -f "$root/previews/$label" && sync_one "$root/previews" && put expired "$label"
	fi
}

do_prune() {
	need_root
	# Who only looks waits for nobody.
	if [ -z "$check" ]; then
		open_lock
		lock -x
	fi
	read_current
	check_expected
	# What the client saw may not be on disk yet, and what goes is gone.
	[ -n "$check" ] || sync_root
	look_at_stages
	now=$(date +%s) previewed=''
	each_preview expire
	failed=''
	IFS=,
	# shellcheck disable=SC2086 # the words are meant to be split
	set -- $remove
	unset IFS
	for name; do
		{ is_id "$name" && [ "$name" != "$current" ] && [ "$name" != "$bridge" ] && [ -d "$root/releases/$name" ]; } || continue
		case $previewed in
		*" $name "*) continue ;;
		esac
		find_user "$name"
		if [ -n "$user" ]; then
			put warning "release $name stays: the stage of $user takes files from it"
		elif [ -n "$check" ]; then
			put pruned "$name"
		elif take_out "$name" && sync_one "$root/releases"; then
			rm -f "$state/manifests/$name" "$state/meta/$name.json"
			put pruned "$name"
		else
			failed=$name
		fi
	done
	if [ -z "$check" ]; then
		sweep 2>/dev/null
		unlock
		empty_trash 2>/dev/null
	fi
	[ -z "$failed" ] || fail 9 "cannot remove '$root/releases/$failed'" "if it belongs to another user, let that user or root remove it"
}

#: adopt
# awk: the lines of list_tree as those of a manifest, in any order, each behind
# what it is to be sorted by; the paths that are shared links come first.
# shellcheck disable=SC2016
listed='
BEGIN {
	for (i = 1; i < 256; i++)
		number[sprintf("%c", i)] = i
}
function escaped(s,   out, i, c) {
	out = ""
	for (i = 1; i <= length(s); i++) {
		c = substr(s, i, 1)
		out = out (c ~ /[a-zA-Z0-9.\/_,@:%~+-]/ ? c : sprintf("\\%03o", number[c]))
	}
	return out
}
FILENAME == ARGV[1] {
	shared["./" $0] = 1
	next
}
{
	what = substr($0, 1, 1)
	rest = substr($0, 3)
	i = index(rest, what == "l" ? "\t" : " ")
	path = substr(rest, i + 1)
}
what == "f" { type[path] = "file"; digest[path] = substr(rest, 1, i - 1) }
what == "d" && rest != "." { type[rest] = "dir" }
what == "l" { path = substr(rest, 1, i - 1); type[path] = "link"; link[path] = substr(rest, i + 1) }
what == "m" { mode[path] = substr(rest, 1, i - 1) }
what == "s" { size[path] = substr(rest, 1, i - 1) }
END {
	for (path in type) {
		key = path
		gsub("/", "\001", key)
		line = escaped(path) " type=" type[path] " mode=0" (type[path] == "link" ? "777" : mode[path])
		if (type[path] == "file")
			line = line " size=" size[path]
		if (type[path] != "dir")
			line = line " time=" mtime ".0"
		if (type[path] == "file")
			line = line " sha256digest=" digest[path]
		if (type[path] == "link")
			line = line " link=" escaped(link[path]) (path in shared ? " tags=shared" : "")
		print key "\t" line
	}
}'

# Remove from the copy what find finds by the rest of the arguments: never
# through a link.  What is left out is counted.
drop() {
	find . -mindepth 1 "$@" -prune >"$in.found" || fail_write "cannot look into '$in'"
	while IFS= read -r name; do
		rm -rf "$name" || fail_write "cannot remove '$in/$name'"
		excluded=$((excluded + 1))
	done <"$in.found"
}

# The path $1 as a pattern for find: its own name and no other.
only() {
	printf '%s\n' "./$1" | sed 's/[][*?\\]/\\&/g'
}

# Leave out what the pattern $1 says, as path_match() does.
leave_out() {
	pattern=${1%"${1##*[!/]}"}
	case ${pattern#/} in
	'') ;;
	*'**'* | *[*?[\\]*/* | */*[*?[\\]*)
		fail 2 "the sh verbs cannot leave out '$1'" "name paths, or install deploy there"
		;;
	*/*) drop -path "$(only "${pattern#/}")" ;;
	*)
		case $pattern in
		/*) drop -path "./${pattern#/}" ! -path './*/*' ;;
		*) drop -name "$pattern" ;;
		esac
		;;
	esac
}

# A path that is shared by the rules: what visitors get has to be in shared/.
take_shared() {
	here=$served/$1 there=$root/shared/$1
	if [ -e "$here" ] && [ ! -e "$there" ]; then
		how='copy' words="cp -a $(in_quotes "$here")"
		[ ! -L "$here" ] || how='link' words="ln -s $(in_quotes "$(readlink -f "$here")")"
		fail 2 "'$here' is a shared path" "$how it before: mkdir -p $(in_quotes "${there%/*}") && $words $(in_quotes "$there")"
	elif [ -L "$here" ] && [ -e "$here" ] && [ "$(readlink -f "$here")" != "$(readlink -f "$there")" ]; then
		fail 2 "'$here' is a shared path and leads to '$(readlink -f "$here")', not to '$there'" "make them one, or take it off 'shared'"
	fi
	drop -path "$(only "$1")"
	printf '%s\n' "$1" >>"$in.shared"
}

# The link $1 leads out of the release.
take_link() {
	real=$(readlink -f "$served/$1" 2>/dev/null)
	if [ ! -e "$served/$1" ]; then
		drop -path "$(only "$1")"
		return
	fi
	case $real in
	"$(readlink -f "$root/shared")/$1")
		rm -f "./$1"
		printf '%s\n' "$1" >>"$in.shared"
		joined=$joined$1$newline excluded=$((excluded + 1))
		;;
	"$served"/*)
		target=$(readlink "./$1")
		[ "${target#/}" != "$target" ] ||
			fail 5 "the symbolic link '$1' -> '$target' leaves the tree or has '..' after a name" "use a target inside the tree or exclude it"
		way='' rest=$1
		while [ "${rest#*/}" != "$rest" ]; do way=../$way rest=${rest#*/}; done
		{ rm -f "./$1" && ln -s "$way${real#"$served/"}" "./$1"; } || fail_write "cannot make the link '$in/$1'"
		;;
	*)
		fail 2 "'$served/$1' is a link to '$real', and no release has links that lead out of it" \
			"make it a shared path, '$root/shared/$1', named in 'shared' of deploy.yml, or 'exclude' it there"
		;;
	esac
}

# Links out of the release, and those into shared/ in the place of what was there.
take_links() {
	find . -type l | while IFS= read -r name; do
		printf '%s\t%s\n' "${name#./}" "$(readlink "$name")"
	done | awk -F '\t' "$leads"'leads_out($2, split($1, part, "/") - 1) { print $1 }' |
		tr / '\001' | sort | tr '\001' / >"$in.links"
	while IFS= read -r link; do
		take_link "$link"
	done <"$in.links"
	while IFS= read -r link; do
		way='' rest=$link
		while [ "${rest#*/}" != "$rest" ]; do way=../$way rest=${rest#*/}; done
		[ "$rest" = "$link" ] || mkdir -p "./${link%/*}"
		ln -s "$way../../shared/$link" "./$link" || fail_write "cannot make the link '$in/$link'"
	done <"$in.shared"
}

# Copy what is served into $in, as a release has it.
copy_served() {
	wrong=$(find "$served/." ! -type f ! -type d ! -type l | head -n 1)
	[ -z "$wrong" ] || fail 5 "'$wrong' is a device, socket or FIFO" "remove or exclude it"
	wrong=$(find "$served/." -name '*[[:cntrl:]]*' | head -n 1)
	[ -z "$wrong" ] || fail 5 "the name '$(clean "$wrong")' has a control character" "rename it"
	cp -R -P "$served/." "$in" 2>/dev/null || fail_write "cannot copy '$served' to '$in'"
	cd "$in" || fail 1 "cannot enter '$in'"
	: >"$in.shared"
	drop -name .git
	while IFS= read -r pattern; do
		leave_out "$pattern"
	done <<-END
	$exclude
	END
	while IFS= read -r name; do
		[ -z "$name" ] || take_shared "$name"
	done <<-END
	$shared
	END
	take_links
	check_hidden
	{
		find . -type d -exec chmod 755 {} + &&
			find . -type f \( -perm -100 -o -perm -010 -o -perm -001 \) -exec chmod 755 {} + &&
			find . -type f ! -perm 755 -exec chmod 644 {} + &&
			find . -type f -exec touch -c -d "@$mtime" {} +
	} || fail_write "cannot give the files in '$in' their times and modes"
	give_to_group "$in"
}

# The manifest of what is in $in, and the meta with what only we know now.
describe() {
	{
		printf '#mtree v2.0\n. type=dir mode=0%s\n' "$(stat -c %a .)"
		list_tree | awk -v mtime="$mtime" "$listed" "$in.shared" - | sort -t "$tab" -k 1,1 | cut -f 2-
	} >"$in.manifest" || fail_write "cannot write '$in.manifest'"
	wrong=$(awk "$unsafe" "$in.manifest")
	[ -z "$wrong" ] || fail 5 "what is in '$served' is refused: $wrong"
	digest=$(tree_digest "$in.manifest")
	files=$(grep -c ' type=file ' "$in.manifest")
	bytes=$(awk '/ type=file / { sub(/.* size=/, ""); n += $1 } END { printf "%.0f", n }' "$in.manifest")
	meta=$(printf '%s\n' "$meta" | sed "s/\"files\":0/\"files\":$files/; s/\"bytes\":0/\"bytes\":$bytes/; s/\"digest\":\"0*\"/\"digest\":\"$digest\"/")
	line=$(printf '%s\n' "$line" | sed "s/\"digest\":\"0*\"/\"digest\":\"$digest\"/")
	printf '%s\n' "$meta" >"$in.meta" || fail_write "cannot write '$in.meta'"
}

# Make a release of what is in $served.
stage_served() {
	check_device
	in=$state/incoming/$id
	check_future
	open_lock
	lock -x
	begin
	unlock
	copy_served
	describe
	verify_tree "$in" "$in.manifest"
	[ -z "$wrong" ] || fail 5 "the release $id is not what its manifest says: $(printf '%s\n' "$wrong" | head -n 1)"
	cd / || exit 1
	list_shared "$in.manifest" | while IFS= read -r name; do
		[ -e "$root/shared/$name" ] || [ -L "$root/shared/$name" ] || make_shared "$name" || exit 1
	done || fail_write "cannot make the directories in '$root/shared'"
	rm -f "$in.shared" "$in.links" "$in.found"
	commit || fail_write "cannot publish the release '$root/releases/$id'"
	unlock
	rm -f "$in.lock"
	exec 8>&-
	tmp=$state/.tmp-sh-$$
}

# Set `served` to what the link `current` of others leads to, and `seen` to that
# link; refuse what cannot be adopted, as adopt_check() does, before a change.
check_served() {
	seen=$(readlink "$root/current")
	[ ! -f "$root/current" ] ||
		fail 2 "'$root/current' leads to '$(readlink -f "$root/current")', which is not a directory"
	served=$(cd "$root/current/" 2>/dev/null && pwd -P) ||
		fail 1 "there is nothing to adopt: '$root/current' leads nowhere"
	case $(cd "$root" && pwd -P)/ in
	"${served%/}"/*) fail 2 "the root '$root' is inside '$served', which is served: its releases and its state would be, too" "make the root elsewhere" ;;
	esac
	wrong=$(awk -v top="${served%/}/" '{ gsub(/\\040/, " ", $5) }
		index($5, top) == 1 { print $5; exit }' /proc/self/mountinfo 2>/dev/null)
	[ -z "$wrong" ] || fail 2 "'$wrong' is mounted in what is served, and a release would have a copy of it" \
		"mount it in 'shared' of the root, and name it in 'shared' of deploy.yml"
}

# Secrets, as find_hidden() knows them, that not everybody can read: in a release
# all could.
check_hidden() {
	wrong=$(find . -type f ! -perm -004 \( -name .env -o -name '.env.*' -o -name .htpasswd \
		-o -name .netrc -o -name _netrc -o -name .pgpass -o -name .my.cnf -o -name .npmrc \
		-o -name .pypirc -o -name .git-credentials -o -name .dockercfg \
		-o -name .bash_history -o -name .zsh_history -o -name id_rsa -o -name id_dsa \
		-o -name id_ecdsa -o -name id_ed25519 -o -name 'id_*_sk' -o -name '*.kdbx' \
		-o -name '*.p12' -o -name '*.pfx' -o -name '*.ppk' -o -name '*.jks' -o -name '*.keystore' \
		-o -path '*/.ssh/*' -o -path '*/.gnupg/*' -o -path '*/.aws/*' -o -path '*/.kube/*' \
		-o -path '*/.docker/*' -o \( \( -name '*.pem' -o -name '*.key' \) \
		-exec grep -q 'PRIVATE KEY-----' {} \; \) \) -print | head -n 1)
	[ -z "$wrong" ] || fail 10 "'$served/${wrong#./}' looks like a secret that not everybody can read, and in a release everybody could" \
		"move it away, or 'exclude' it in deploy.yml"
}

# What a link of others leads to becomes a release, and our link replaces theirs.
do_adopt() {
	need_id
	[ -z "$path" ] || [ "$path" = "$root/current" ] ||
		fail 2 "the sh verbs take over nothing but '$root/current'" "install deploy there"
	[ -L "$root/current" ] || [ -e "$root/current" ] || fail 1 "there is nothing to adopt: '$root/current'"
	[ -L "$root/current" ] || [ -d "$root/current" ] || fail 2 "'$root/current' is not a directory"
	[ -L "$root/current" ] ||
		fail 1 "the sh verbs cannot exchange a directory and a link" "install deploy there"
	{ [ -n "$meta" ] && [ -n "$line" ]; } || fail 2 "'adopt' wants --meta=JSON and --line=JSON from a client for which the host does not write them"
	adopting=1 excluded=0 joined=''
	[ -n "$mtime" ] || mtime=$(date +%s)
	read_current
	[ -n "$current" ] || check_served
	if [ -n "$check" ]; then
		put adopted ''
		return
	fi
	prepare
	read_current
	if [ -n "$current" ]; then
		sync_root
		put adopted ''
		return
	fi
	stage_served
	open_lock
	lock -x
	[ "$(readlink "$root/current")" = "$seen" ] || fail 4 "'$root/current' was changed meanwhile" "run it again"
	ln -s "releases/$id" "$tmp" || fail_write "cannot make a link in '$state'"
	# See before_adoption().
	last=$(grep -v '"action":"bridge"' "$state/journal" 2>/dev/null | sed -n 's/.*"to":"\([^"]*\)".*/\1/p' | tail -n 1)
	! is_id "$last" || line=$(printf '%s\n' "$line" | sed "s/\"from\":null/\"from\":\"$last\"/")
	append_line || fail_write "cannot append to '$state/journal'"
	rename "$tmp" "$root/current" || fail_write "cannot replace '$root/current'"
	# Live from here on.
	sync_one "$root" || fail 9 "release $id is live, but not known to survive a power cut"
	put adopted "$id"
	put stays "$served"
	printf %s "$joined" | while IFS= read -r name; do put shared "$name"; done
	put files "$files"
	put excluded "$excluded"
}

#: verify --repair
# Set `wrong` to what of the release $1 is not what its manifest says, and
# `lost` when that is not the manifest that the meta knows: nothing is compared.
look() {
	manifest=$state/manifests/$1 lost=1
	need_release "$1"
	wrong="manifest of $1: is missing"
	{ [ -f "$manifest" ] && [ ! -L "$manifest" ]; } || return 0
	wrong=$(awk "$unsafe" "$manifest")
	[ -z "$wrong" ] || wrong="manifest of $1: $wrong"
	[ -z "$wrong" ] || return 0
	has=$(tree_digest "$manifest")
	said=$(json_string digest "$state/meta/$1.json")
	[ -z "$said" ] || [ "$has" = "$said" ] || wrong="manifest of $1: has digest $has instead of $said"
	[ -z "$wrong" ] || return 0
	lost=''
	wrong=$(look_at_tree "$root/releases/$1" "$manifest" 1)
	case $wrong in
	end) wrong='' ;;
	*end) wrong=${wrong%?end} ;;
	*) wrong="$1: cannot be read" ;;
	esac
	# With another time it is linked into no later release: see verify.c.
	printf '%s\n' "$wrong" | sed -n 's/: has other content$//p' | while IFS= read -r name; do
		touch -c -d @0 "$root/releases/$1/$name" 2>/dev/null
	done
}

#: verify
do_verify() {
	need_id
	need_root
	look "$id"
	if [ -n "$repair" ] && [ -n "$lost" ]; then
		put lacks-manifest "$id"
	elif [ -n "$repair" ] && [ -n "$wrong" ]; then
		mended=$id sent=''
		begin_repair
		mend
		id=$mended
		look "$id"
		list_fixes
		sed -n "s/^f$tab.*$tab/lacks$tab/p" "$in.todo"
		end_repair
	elif [ -n "$repair" ]; then
		# Who mended it may have died before it was on disk.
		sync_tree "$root/releases" || fail_write "cannot write '$root/releases' to disk"
	fi
	[ -n "$lost" ] || awk '/ type=file / { n++; sub(/.* size=/, ""); bytes += $1 } END { printf "verified\t%.0f\t%.0f\n", n, bytes }' "$manifest"
	[ -f "$state/meta/$id.json" ] || put difference "meta of $id: cannot be read"
	[ -z "$wrong" ] || printf '%s\n' "$wrong" | sort | awk '{ print "difference\t" $0 }'
}

#: pin
do_pin() {
	need_id
	need_root
	open_lock
	lock -x
	meta=$state/meta/$id.json
	[ -f "$meta" ] || [ -d "$root/releases/$id" ] || fail 1 "there is no meta of release $id in '$root'"
	pinned=true
	[ -z "$off" ] || pinned=false
	# Where it is lost or damaged, a new one says at least that.
	case $(cat "$meta" 2>/dev/null) in
	\{*\"id\":*\"pinned\":*\}) sed 's/"pinned":[a-z]*/"pinned":'$pinned'/' "$meta" ;;
	*) echo "{\"id\":\"$id\",\"pinned\":$pinned}" ;;
	esac >"$tmp" || fail_write "cannot replace '$meta'"
	if ! publish_tmp "$meta"; then
		fail_write "cannot replace '$meta'"
	fi
}

#: info prune preview
# Is it the name of a preview: see label.c?
is_label() {
	case $1 in
	'' | -* | *- | *[!a-z0-9-]* | current | previous | latest | none) return 1 ;;
	*[!0-9]*) [ ${#1} -le 63 ] ;;
	*) return 1 ;;
	esac
}

# Set `shown` to the release that the link $1 is a preview of.
read_shown() {
	shown=$(readlink "$1")
	case $shown in
	../releases/*) shown=${shown#../releases/} ;;
	*) return 1 ;;
	esac
	is_id "$shown"
}

# Set `shown` to what the preview $1 shows, and `until` to its end.
read_preview() {
	shown=''
	{ is_label "$1" && [ -L "$root/previews/$1" ]; } || return 1
	read_shown "$root/previews/$1" && until=$(stat -c %Y "$root/previews/$1" 2>/dev/null)
}

# Call $1 for each preview, whose name is in `label` then.
each_preview() {
	{ [ -d "$root/previews" ] && [ ! -L "$root/previews" ]; } || return 0
	for file in "$root"/previews/*; do
		label=${file##*/}
		! read_preview "$label" || "$1"
	done
}

#: info
put_preview() {
	put preview "$label$tab$shown$tab$until"
}

#: preview
# A link beside `current`, whose own time of modification is its end.
do_preview() {
	is_label "$label" || fail 2 "'$label' cannot be the name of a preview" "use at most 63 of a-z, 0-9 and -, such as pr-12"
	[ -n "$off" ] || need_id
	need_root
	open_lock
	lock -x
	link=$root/previews/$label
	[ ! -L "$root/previews" ] || fail 1 "'$root/previews' is a symbolic link" "move it away"
	{ [ -L "$link" ] || [ ! -e "$link" ]; } || fail 1 "'$link' is not a symbolic link" "move it away"
	{ [ ! -L "$link" ] || read_shown "$link"; } || fail 1 "'$link' is a symbolic link that leads to no release" "move it away"
	if [ -n "$off" ]; then
		[ ! -d "$root/previews" ] || { rm -f "$link" && sync_one "$root/previews"; } || fail_write "cannot remove '$link'"
		return
	fi
	need_complete
	[ -d "$root/previews" ] || mkdir "$root/previews" 2>/dev/null || fail_write "cannot make the directory '$root/previews'"
	if ! { sync_one "$root/releases" && sync_one "$root" && ln -s "../releases/$id" "$tmp" && touch -h -d "@$until" "$tmp" &&
		rename "$tmp" "$link" && sync_one "$root/previews"; } 2>/dev/null; then
		fail_write "cannot replace '$link'"
	fi
}

#: note
# A newer build has the content of a release: see meta_raise().
do_note() {
	need_id
	[ -n "$seq" ] || fail 2 "'note' wants --seq=N"
	need_root
	open_lock
	lock -s
	meta=$state/meta/$id.json
	[ -f "$meta" ] || fail 1 "there is no meta of release $id in '$root'"
	exec 8<"$state/meta"
	# Anybody may lock it, but keeps nobody from his work; see meta_raise().
	tries=0
	until flock -x -n 8 2>/dev/null || [ $((tries += 1)) -gt 40 ]; do
		sleep 0.05 2>/dev/null 8>&- 9>&- || break
	done
	value=$(sequence_of "$meta")
	if [ "$seq" -le "${value:--1}" ]; then
		sync_root
		return
	fi
	commit=$(printf %s "$commit" | tr -d '"\\,&\001-\037')
	set -- -e 's/"seq":[a-z0-9]*/"seq":'"$seq/"
	[ -z "$commit" ] || set -- "$@" -e 's/"commit":null/"commit":""/' \
		-e 's,"commit":"\([^"\]\|\\.\)*","commit":"'"$commit"'",'
	if ! { sed "$@" "$meta" >"$tmp" && publish_tmp "$meta"; }; then
		fail_write "cannot replace '$meta'"
	fi
}

#: freeze
do_freeze() {
	need_root
	open_lock
	lock -x
	if [ -n "$off" ]; then
		rm -f "$state/frozen" && sync_one "$state"
	else
		[ -n "$record" ] || fail 2 "'freeze' wants --record=JSON"
		printf '%s\n' "$record" >"$tmp" && publish_tmp "$state/frozen"
	fi || fail_write "cannot change '$state/frozen'"
}

#:
# Run the verb; its options are the operands.
answer() {
	parse "$@"
	trap clean_up EXIT
	trap 'exit 1' HUP INT PIPE TERM
	case $root in
	/*) ;;
	*) fail 2 "the root '$root' is not an absolute path" ;;
	esac
	[ -z "$bad" ] || fail 2 "$bad"
	{ [ "$expect" = any ] || [ -z "$expect" ] || is_id "$expect"; } || fail 2 "'$verb' wants --expect=RELEASE, not '$expect'"
	for tool in $tools; do
		[ "$verb" != probe ] || break
		command -v "$tool" >/dev/null 2>&1 && continue
		# As fail(), which needs some of them.
		put error "1${tab}the host lacks '$tool', which the sh verbs need${tab}install it, or deploy"
		exit 1
	done
	case $verb in
	info | probe | adopt | manifest | files | receive | note | activate | prune | verify | journal | pin | preview | freeze) "do_$verb" ;;
	init) prepare && sync_root ;;
	-*) fail 1 "a request begins with '$verb': something on this host has read what came before it" "let the start-up files of the login shell leave standard input alone" ;;
	*) fail 2 "the sh verbs do not know '$verb'" "use the same version on both ends" ;;
	esac
	# The lock ends before the client hears the end.
	exec 9>&-
	echo ok
}

# Requests, one after the other: the verb and its options, each a line, and an
# empty line.  "code" has more of this script.  Each has a shell of its own,
# with which all ends that it began; only these have data of theirs.  From 100
# on nothing follows.
serve() {
	served=''
	while IFS= read -r verb; do
		if [ -z "$verb" ]; then
			[ -n "$served" ] ||
				put error "1${tab}there is no request: something on this host may have read it${tab}let the start-up files of the login shell leave standard input alone"
			return 0
		fi
		served=1
		set --
		code=''
		while IFS= read -r word && [ -n "$word" ]; do
			case $verb:$word in
			code:*) code=$code$word$newline && continue ;;
			*\\*) word=$(printf '%bx' "$word") && word=${word%x} ;;
			esac
			set -- "$@" "$word"
		done
		case $verb in
		code) eval "$code" ;;
		receive | files | activate) (answer "$@") || [ $? -lt 100 ] || exit 1 ;;
		*) (answer "$@" </dev/null) || [ $? -lt 100 ] || exit 1 ;;
		esac
	done
}

me=$(id -u)
[ -n "$greeted" ] || echo 'deploy-host 1'
if [ -n "$serving" ]; then serve; else answer "$@"; fi
