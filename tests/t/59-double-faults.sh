#!/bin/bash
# Two faults in a row: a command is killed at a call, or the call fails; then
# a command, the same or another, is run undisturbed and answers with status 0;
# and then the power is cut.  What the second has answered holds, also when it
# only found that the first had done the work, and visitors get a whole
# release.
#
# The verbs stand in a table, and so do the pairs.  Each is tried on ext4, xfs
# and btrfs, with a root here, a host with deploy, and one with the sh verbs.
# `make test` takes four of the nine, kills, and disturbs every third of the
# calls that bring something to disk, not the same for each pair: between two
# of them a power cut knows no difference.
# `make test-all` takes all, all pairs, errors, too, and all calls that change
# something.  TEST_VERBS has the verbs that are tried, if not all.

# shellcheck source=tests/mounts.sh
. "$(dirname "$0")/../mounts.sh"

# parts: 4
# timeout: 14400
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/hosts.sh
. "$TREE/tests/hosts.sh"
# shellcheck source=tests/faults/lib.sh
. "$TREE/tests/faults/lib.sh"
# shellcheck source=tests/faults/disk.sh
. "$TREE/tests/faults/disk.sh"
exec 3>&1

# --------------------------------------------------------------- the table

# A verb: what it starts from, and the claim that its success makes.  The
# words of the command are in command().
declare -A from=(
	[stage]=two [activate]=staged [publish]=two [note]=two
	[rollback]=three [prune]=three [pin]=three [unpin]=pinned
	[freeze]=two [thaw]=frozen [init]=none [adopt]=served
	[adopt-dir]=elsewhere [repair]=rotten
)
declare -A claim=(
	[stage]=releases [activate]=live [publish]=live [note]=records
	[rollback]=live [prune]=releases [pin]=records [unpin]=records
	[freeze]=frozen [thaw]=frozen [init]=prepared [adopt]=live
	[adopt-dir]=elsewhere [repair]=live
)
verbs=${TEST_VERBS:-stage activate publish note rollback prune pin unpin freeze thaw init adopt adopt-dir repair}

# The pairs of different verbs for which the first leaves what the second
# builds on; all others with make test-all.
pairs='stage:activate stage:publish activate:prune activate:rollback
publish:rollback publish:prune rollback:prune rollback:activate
pin:prune unpin:prune init:publish adopt:publish adopt:prune
repair:publish repair:prune'

# command VERB: sets cmd.
command() {
	case $1 in
	stage) cmd=(stage w/site) ;;
	publish) cmd=(publish w/site) ;;
	# What is live already, with a sequence.
	note) cmd=(publish site/1 --seq 7) ;;
	prune) cmd=(prune --keep 1) ;;
	pin | unpin) cmd=("$1" "$first") ;;
	adopt-dir) cmd=(adopt "$mnt/html") ;;
	repair) cmd=(verify --repair) ;;
	*) cmd=("$1") ;;
	esac
	# Repeated, it goes one step.
	[ "$1" != rollback ] || [ "$seed" != three ] ||
	    cmd+=(--expect "$third")
}

# What is claimed by whoever answers that it is done: the same text before and
# after the power cut.
claim_live() {
	readlink "$root/current"
	(cd "$root/current/" && find . -type f -exec sha256sum {} + | sort)
	claim_releases
	local d
	for d in "$root"/.deploy/adopted-*; do
		[ ! -d "$d" ] || (cd "$d" && find . -type f | sort)
	done
}

claim_releases() {
	local d
	for d in "$root"/releases/*; do
		[ ! -e "$d" ] || echo "${d##*/}"
	done
}

claim_records() {
	cat "$root"/.deploy/meta/*.json
}

claim_frozen() {
	cat "$root/.deploy/frozen" 2>/dev/null || echo thawed
}

claim_prepared() {
	cat "$root/.deploy/format"
	ls -d "$root"/{releases,.deploy/{incoming,manifests,meta,trash}}
}

claim_elsewhere() {
	readlink "$mnt/html"
	(cd "$mnt/html.before-deploy" && find . -type f | sort)
	claim_live
}

# ---------------------------------------------------------------- the seeds

# seed NAME: the disk is a copy of that one, mounted.
start_from() {
	seed=$1
	cp --sparse=always "seed/$seed.disk" disk
	attach rw
}

# keep NAME: what is on the disk is this seed.
keep() {
	sync -f "$mnt"
	detach
	cp --sparse=always disk "seed/$1.disk"
	attach rw
}

old_root() {
	mkdir -p "$1/docs"
	echo 1 >"$1/index.html"
	echo page >"$1/docs/page.html"
}

# What is live has lost files, and others are bad; the release before it has
# them as they were.
rot() {
	local d
	d=$(readlink -f "$root/current")
	rm "$d/css/site.css" "$d/docs/a.html" "$d/assets/app-0.js"
	echo bad >"$d/css/site.css"
	rmdir "$d/docs"
}

make_disks() {
	mkdir -p seed
	attach rw
	keep none
	mkdir "$root"
	old_root "$root/current"
	keep served
	mv "$root/current" "$mnt/html"
	rmdir "$root"
	keep elsewhere
	mkdir "$root"
	ln -s "$mnt/html" "$root/current"
	keep linked
	rm -r "$mnt/html" "$root"
	ours publish site/0
	ours publish --keep 9 site/1
	first=$(id_of "$root" 0)
	keep two
	rot
	keep rotten
	detach
	start_from two
	ours freeze
	keep frozen
	ours thaw
	ours stage site/2
	keep staged
	ours activate
	third=$(id_of "$root" 2)
	keep three
	ours pin "$first"
	keep pinned
	detach
}

# The same in the seeds, whatever the host is.
ours() {
	"$DEPLOY" -q "$@" >/dev/null
}

# ------------------------------------------------------- the kinds of a root

# be KIND: here, c or sh.
be() {
	kind=$1
	[ "$kind" != here ] || return 0
	[ "$kind" = c ] || program sh-host dash
	cat >>deploy.yml <<-END
	    hosts:
	      - {address: h, transport: local$([ "$kind" = c ] || echo ", deploy: $PWD/in-steps")}
	END
	[ "$kind" = sh ] || return 0
	make_steps
}

# Programs that the sh verbs call, in a directory that comes first in PATH:
# each is counted, and does its work, unless its number is the one in
# fault/at.  Then it fails, or all die: the host and the client.
make_steps() {
	local tool
	mkdir fault steps
	cat >steps/step <<-END
	#!/bin/sh
	PATH=$PATH
	tool=\${0##*/} dir=$PWD/fault
	read -r n <"\$dir/count"
	n=\$((n + 1))
	echo "\$n" >"\$dir/count"
	read -r at mode <"\$dir/at"
	[ "\$n" = "\$at" ] || exec "\$tool" "\$@"
	echo "\$n \$tool \$*" >"$PWD/hits"
	if [ "\$mode" = error ]; then
		echo "\$tool: Input/output error" >&2
		exit 1
	fi
	read -r client <"\$dir/client"
	read -r host <"\$dir/host"
	kill -KILL "\$client" -"\$host"
	exit 1
	END
	chmod +x steps/step
	for tool in sync $(! wide || echo mv ln rm mkdir sed); do
		ln -s step "steps/$tool"
	done
	cat >in-steps <<-END
	#!/bin/sh
	[ ! -e $PWD/fault/at ] || PATH=$PWD/steps:\$PATH
	echo \$\$ >$PWD/fault/host
	exec $PWD/sh-host "\$@"
	END
	chmod +x in-steps
}

# -------------------------------------------------------------- two faults

# first_fault N MODE: the command with the fault at its call N.  Sets hit, ""
# when there were not so many.
first_fault() {
	local n=$1 mode=$2
	hit=''
	: >hits
	{
		if [ "$kind" = sh ]; then
			echo "$n $mode" >fault/at
			echo 0 >fault/count
			bash -c 'echo $$ >fault/client; exec "$@"' - \
			    "$DEPLOY" -q "${cmd[@]}" >o 2>e || true
			rm fault/at
		else
			FAULT_AT=$n FAULT_MODE=$mode FAULT_UNDER=$mnt \
			    FAULT_HIT=$PWD/hits FAULT_CALLS=$calls \
			    LD_PRELOAD=$faults "$DEPLOY" -q "${cmd[@]}" \
			    >o 2>e || true
		fi
	} 2>/dev/null
	read -r hit <hits || true
}

# pair FIRST SECOND MODE: a fault at each call of the first, then the second.
pair() {
	local n said='' step
	all_or 3 1
	step=${TEST_FAULT_STEP:-$n}
	how="$1, $3, then $2"
	for ((n = 1 + pairs_done % step;; n += step)); do
		start_from "${from[$1]}"
		command "$1"
		first_fault "$n" "$3"
		if [ -z "$hit" ]; then
			detach
			break
		fi
		injections=$((injections + 1))
		command "$2"
		status=0
		"$DEPLOY" -q "${cmd[@]}" >o 2>e || status=$?
		((status < 126)) || violation "a crash"
		[ "$status" -ne 0 ] || said=$("claim_${claim[$2]}" 2>&1) || true
		# Here the power goes.
		cp --sparse=always disk cut
		detach
		mv cut disk
		after "$2" "$said"
	done
	((n > 1 || pairs_done % step)) || fail "$how: no calls; $(cat o e)"
	pairs_done=$((pairs_done + 1))
}

# after VERB SAID: what is on the disk now.
after() {
	local found
	if ! attach rw; then
		violation "the file system does not mount: $(cat why)"
		return 0
	fi
	if [ "$status" -eq 0 ]; then
		found=$("claim_${claim[$1]}" 2>&1) || true
		[ "$found" = "$2" ] || violation "it said 0, and after a power cut: $(
			diff <(echo "$2") <(echo "$found") | head -n 4 || true)"
	elif [ "$1" = "${how%%,*}" ] && [[ "$1" != rollback ]]; then
		violation "repeated, it fails"
	fi
	is_whole
	detach
}

# Visitors get a whole release, and what is listed has its records.
is_whole() {
	local d version
	[ -e "$root/current" ] || [ -L "$root/current" ] || return 0
	version=$(cat "$root/current/index.html" 2>&1) || violation "visitors get no page"
	[[ "$version" = [012] ]] || violation "visitors get: $version"
	[ -d "$root/.deploy/manifests" ] || return 0
	for d in "$root"/releases/*; do
		[ ! -e "$d" ] || { [ -s "$root/.deploy/manifests/${d##*/}" ] &&
		    [ -s "$root/.deploy/meta/${d##*/}.json" ]; } ||
		    violation "listed, but without records: ${d##*/}"
	done
	[ ! -L "$root/current" ] || [ -z "${careful:-}" ] ||
	    quick verify --host '' >d 2>&1 || violation "not whole: $(head -n 3 d)"
}

# Does the kind know the verb?  The sh verbs adopt what is a link.
knows() {
	[ "$kind" != sh ] || [ "$1" != adopt-dir ]
}

# double_faults KIND FS...
double_faults() {
	local a b start=$SECONDS
	calls=sync
	! wide || calls=change,sync
	need_root
	need_cmd losetup mount "$4"
	fault_library
	in_memory 1500
	make_sites
	mkdir w
	cp -a site/2 w/site
	make_disk "${@:2}"
	make_config "$root"
	kind=here name=$1-$2 injections=0 violations=0 pairs_done=0 status='' hit=''
	make_disks
	be "$1"
	[ "$kind" != sh ] || from[adopt]=linked
	for a in $verbs; do
		knows "$a" || continue
		pair "$a" "$a" kill
		! wide && [[ $a != @(stage|activate) ]] || pair "$a" "$a" error
	done
	for a in $verbs; do
		for b in $verbs; do
			knows "$a" && knows "$b" && [ "$a" != "$b" ] || continue
			# With hosts they are for make test-all.
			wide || [ "$kind" = here ] || continue
			wide || [[ " ${pairs//$'\n'/ } " = *" $a:$b "* ]] || continue
			pair "$a" "$b" kill
			! wide || pair "$a" "$b" error
		done
	done
	tally "$name, $pairs_done pairs, $((SECONDS - start)) s" "$injections" "$violations"
	((violations == 0)) || fail "$violations violations"
}

t_ext4_here() { double_faults here "${ext4[@]}"; }
t_btrfs_here() { double_faults here "${btrfs[@]}"; }
t_xfs_on_a_c_host() { double_faults c "${xfs[@]}"; }
t_btrfs_on_a_sh_host() { double_faults sh "${btrfs[@]}"; }
t_xfs_here() { not_always here "${xfs[@]}"; }
t_ext4_on_a_c_host() { not_always c "${ext4[@]}"; }
t_btrfs_on_a_c_host() { not_always c "${btrfs[@]}"; }
t_ext4_on_a_sh_host() { not_always sh "${ext4[@]}"; }
t_xfs_on_a_sh_host() { not_always sh "${xfs[@]}"; }

not_always() {
	wide || [ -n "${ONLY:-}" ] || skip "with make test-all"
	double_faults "$@"
}

run_tests
