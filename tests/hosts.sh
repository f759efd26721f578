# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # of lib.sh, for and of those who source this
# What the scripts share that have hosts: programs that stand for a host on
# this machine, the verbs as the client would have them run, and what must hold
# on every host.  The root of host H is r-H; $hosts has their names.
# shellcheck source=tests/root.sh
. "$TREE/tests/root.sh"

# ------------------------------------------------------------- the sh verbs

# busybox_path: $_base/bb has nothing but busybox, and flock, which Debian's
# busybox lacks.
busybox_path() {
	[ ! -d "$_base/bb" ] || return 0
	need_cmd busybox flock
	mkdir "$_base/bb"
	busybox --install -s "$_base/bb"
	ln -sf "$(command -v flock)" "$_base/bb/flock"
}

# script VERB [OPTION...]: set `text` to what the client sends of the sh verbs
# for it; for serve to all of them.
script() {
	local f word wanted=$1
	if [ "$1" = serve ]; then
		IFS= read -rd '' text <"$TREE/src/host/host.sh" || true
		return 0
	fi
	for word in "${@:2}"; do
		case $word in
		--drift | --repair*) wanted+=" ${word%%=*}" ;;
		esac
	done
	f=$TEST_DIR/verb-${wanted// /-}
	[ -e "$f" ] || awk -v words="$wanted" '
	BEGIN { n = split(words, word, " "); wanted = 1 }
	/^#:/ {
		wanted = NF == 1
		for (i = 2; i <= NF; i++)
			for (j = 1; j <= n; j++)
				wanted = wanted || $i == word[j]
		next
	}
	wanted' "$TREE/src/host/host.sh" >"$f"
	IFS= read -rd '' text <"$f" || true
}

# host VERB [ARG...]: as the client would have it run on a host of the kind
# $kind: c, dash, bash or busybox.
host() {
	local text=''
	[ "$kind" = c ] || script "$@"
	case $kind in
	c) deploy host "$@" ;;
	dash) dash -c "$text" deploy-host "$@" ;;
	bash) bash --posix -c "$text" deploy-host "$@" ;;
	busybox) PATH=$_base/bb "$_base/bb/sh" -c "$text" deploy-host "$@" ;;
	esac
}

# value KEY: what the answer in $out says of it, a line for each time.
value() {
	local line
	while IFS= read -r line; do
		[[ $line != "$1"$'\t'* ]] || printf '%s\n' "${line#*$'\t'}"
	done <"$out"
}

# program NAME KIND [plain]: a host's program, for `deploy:` of deploy.yml.  It
# runs each request of a `serve` by itself ($VERBS) and notes its verb in
# NAME.verbs.  When the file NAME.fault is there, it is run first, with the verb
# in $verb and the real program in "${real[@]}"; it may do the program's work,
# in its own way.  A plain one does nothing but its work.
program() {
	{
		echo '#!/bin/bash'
		printf 'self=%q\n' "$PWD/$1"
		# The sh verbs do not know a first question that comes with it.
		[ "${3:-}$2" = plainc ] ||
		    printf '[ "$2" != serve ] || exec %q "$self" "${@:3}"\n' "$VERBS"
		case $2 in
		c) printf 'real=(%q "$@")\n' "$DEPLOY" ;;
		dash) printf 'shift\nreal=(dash -c "$(<%q)" deploy-host "$@")\n' \
		    "$TREE/src/host/host.sh" ;;
		busybox)
			busybox_path
			printf 'shift\nreal=(env PATH=%q sh -c "$(<%q)" deploy-host "$@")\n' \
			    "$_base/bb" "$TREE/src/host/host.sh"
			;;
		esac
		[ "${3:-}" = plain ] || cat <<-'END'
		verb=$1
		[ "$verb" != host ] || verb=$2
		echo "$verb" >>"$self.verbs"
		[ ! -e "$self.fault" ] || . "$self.fault"
		END
		echo 'exec "${real[@]}"'
	} >"$1"
	chmod +x "$1"
}

# where KIND [KEY...]: set `mine` to the line of a site of deploy.yml whose one
# root is on this machine, without a host (here), or with one, h, that has
# deploy (c) or the sh verbs in this shell.  Its host has these keys, too.
where() {
	local key keys='address: h, transport: local'
	mine=''
	[ "$1" != here ] || return 0
	if [ "$1" != c ]; then
		program h "$1"
		keys+=", deploy: $PWD/h"
	fi
	for key in "${@:2}"; do
		keys+=", $key"
	done
	mine="hosts: [{$keys}]"
}

# fault HOST: standard input is what its program does from now on.
fault() {
	cat >"$1.fault"
}

heal() {
	rm -f -- *.fault
}

# ---------------------------------------------------------- what is served

# live HOST: the id of what it serves, or nothing.
live() {
	live_of "r-$1"
}

# assert_live ID [HOST...]: these serve it, or all; none when ID is empty.
assert_live() {
	local id=$1 h
	shift
	(($# > 0)) || set -- "${hosts[@]}"
	for h; do
		assert_live_is "r-$h" "$id"
	done
}

# All serve the same, which equals ./site.
assert_serves_site() {
	local h
	assert_live "$(live "${hosts[0]}")"
	for h in "${hosts[@]}"; do
		assert_tree_eq "r-$h/current/" site
	done
}

# assert_clean [HOST...]: nothing half-made is left and nothing is locked,
# but on these hosts.
assert_clean() {
	local h
	for h in "${hosts[@]}"; do
		[[ " $* " != *" $h "* ]] || continue
		assert_root_clean "r-$h"
		flock -w 60 9 9<"r-$h/.deploy/lock" || fail "$h is locked"
	done
}

# ------------------------------------------- some hosts, and how to go on

# some KIND...: hosts h1, h2, ... as roots on this machine, with deploy or the
# sh verbs, and a build in site.
some() {
	local n=0 kind
	need_cmd jq
	hosts=()
	mkdir -p site/a
	echo one >site/index.html
	seq 2000 >site/a/numbers
	{
		printf 'sites:\n  - name: t\n    root: %s\n' "$PWD/r"
		printf '    source: site\n    lock_wait: 5s\n%b    hosts:\n' \
		    "${lines:-}"
		for kind; do
			n=$((n + 1))
			hosts+=("h$n")
			program "h$n" "$kind"
			printf '      - {address: h%s, transport: local, root: %s, deploy: %s}\n' \
			    "$n" "$PWD/r-h$n" "$PWD/h$n"
		done
	} >deploy.yml
}

# $first, $second and $third were live on all, in that order.
three() {
	run deploy publish
	first=$(cat "$out")
	echo two >site/index.html
	run deploy publish
	second=$(cat "$out")
	echo three >site/index.html
	run deploy publish -m third
	third=$(cat "$out")
	assert_live "$third"
}

# Set `cure`: the command that the last message names.
cure() {
	cure=$(grep -h "run: deploy " "$out" "$err" | tail -n 1)
	[[ $cure = *"run: deploy "* ]] || fail "no command in: $cure"
	cure=${cure##*run: }
}

# paste STATUS: do what the last message says.
paste() {
	cure
	echo "pasted: $cure" >&2
	expect_status "$1" bash -c "$cure"
}

dies() {
	echo 'exit 1' >"$1.fault"
}
