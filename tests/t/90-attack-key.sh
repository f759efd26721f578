#!/bin/bash
# A limited key, attacked: what a forced command's key sends, by
# SSH_ORIGINAL_COMMAND as sshd(8) hands it on, and some of it through an sshd.
# Rows: what is sent, the status that it must have; what must hold besides
# stands above each table.  The sh verbs get the same rows where they are
# about what a request may say.
# parts: 4
. "$(dirname "$0")/../lib.sh"
. "$TREE/tests/sshd.sh"

uuid=00000000-0000-4000-8000-000000000001

# A root with a live release A and one that waits, B; beside it a victim.
begin() {
	R=$PWD/root
	mkdir -p site victim/.ssh
	echo 'of the victim' >victim/secret
	echo key >victim/.ssh/authorized_keys
	mkdir site/way
	echo open >site/way/secret
	echo one >site/index.html
	A=$(deploy publish -q site --root "$R" --seq 10 -m "the plan of ann")
	echo two >site/index.html
	B=$(deploy stage -q site --root "$R" --seq 11)
	mkdir -p "$R/shared"
	ln -s "$PWD/victim" "$R/link"
	ln -s "$PWD/victim" "$R/shared/link"
}

# key ALLOW REQUEST: ALLOW "*" stands for a key without --allow.
key() {
	if [ "$1" = "*" ]; then set -- "$2"; else set -- "$2" --allow "$1"; fi
	SSH_ORIGINAL_COMMAND="deploy host $1" \
	    deploy host --root "$R" "${@:2}" </dev/null
}

# The verb by the sh verbs.
sh_host() {
	sh "$TREE/src/host/host.sh" "$@" </dev/null
}

# All that is on disk, but for who was the last to take the lock.
snapshot() {
	find "$R" victim ! -name lock.note -printf '%p %y %m %i %s %l %T@\n' |
	    grep -v '/\.deploy [^ ]* [^ ]* [^ ]* [^ ]*  ' | LC_ALL=C sort
}

# refused STATUS CMD...: and nothing is changed; the answer says why.
refused() {
	snapshot >before
	expect_status "$@"
	[[ $(tail -n 1 "$out") = error$'\t'$1$'\t'?* ]] ||
	    fail "no error $1 for: ${*:2}"$'\n'"$(cat "$out")"
	snapshot >after
	diff before after >&2 || fail "changed by: ${*:2}"
}

# ---------------------------------------------------- paths stay in the root

# ALLOW, STATUS, the path; %R is the root, %V the victim.
t_adopt_takes_no_place_but_that_of_current() {
	local allow status path n=0
	begin
	while read -r allow status path; do
		path=${path//%R/$R} path=${path//%V/$PWD/victim}
		refused "$status" key "$allow" \
		    "adopt $R --id=20260101T000000.001Z-$uuid '--path=$path'"
		n=$((n + 1))
	done <<-'ROWS'
	* 8 %V/.ssh
	* 8 %R/current
	receive,activate 8 %V/.ssh
	adopt 8 %V/.ssh
	adopt 8 %V
	adopt 8 /etc
	adopt 8 /
	adopt 8 %R
	adopt 8 %R/
	adopt 8 %R/..
	adopt 8 %R/../victim
	adopt 8 %R/../victim/.ssh
	adopt 8 %R/link
	adopt 8 %R/link/.ssh
	adopt 8 %R/shared
	adopt 8 %R/shared/link/.ssh
	adopt 8 %R/releases
	adopt 8 %R/.deploy
	adopt 8 %R/.deploy/hooks
	adopt 8 %R/.deploy/manifests
	adopt 8 %R/current/../../../victim
	adopt 8 %R/current/
	adopt 8 %R/nothing
	adopt 8 %Revil/current
	adopt 2 current
	adopt 2 ../victim
	adopt 2 .ssh
	ROWS
	[ "$n" -eq 27 ] || fail "$n rows"
	# `current` itself is a link already: nothing to do.
	run key adopt "adopt $R --id=20260101T000000.001Z-$uuid"
	assert_contains "$out" "adopted"
}

# Names in shared/ that adopt is given; nothing is made anywhere.
t_adopt_shares_no_paths_outside() {
	local name
	begin
	rm "$R/current"
	mkdir "$R/current"
	echo x >"$R/current/index.html"
	for name in ../evil ../../evil a/../../../evil /etc/evil . .. a//b \
	    "$PWD/victim/evil" $'a\001b' "$(printf 'a\302\233b')"; do
		expect_status 5 key adopt \
		    "adopt $R --id=20260101T000000.001Z-$uuid '--shared=$name'"
		[ -d "$R/current" ] && [ ! -L "$R/current" ] || fail "$name"
	done
	assert_eq "$(find . -name 'evil*')" ""
	run key adopt "adopt $R --id=20260101T000000.001Z-$uuid --shared=up"
	[ -L "$R/current" ] || fail "not adopted"
}

# What the owner, or a hole in the site, could have put into the root: a link
# in the place of one of its parts is never followed.
t_links_planted_in_the_root() {
	local part verb
	begin
	mkdir elsewhere
	for part in releases .deploy .deploy/incoming .deploy/manifests \
	    .deploy/meta .deploy/trash; do
		mv "$R/$part" "elsewhere/part"
		ln -s "$PWD/elsewhere/part" "$R/$part"
		for verb in "manifest $R --id=$A" "verify $R --id=$A" \
		    "activate $R --id=$B" "prune $R" "pin $R --id=$A" \
		    "journal $R"; do
			refused 1 key "*" "$verb"
		done
		rm "$R/$part"
		mv elsewhere/part "$R/$part"
	done
	for part in "manifests/$A" "meta/$A.json" journal; do
		mv "$R/.deploy/$part" elsewhere/part
		ln -s "$PWD/victim/secret" "$R/.deploy/$part"
		key "*" "manifest $R --id=$A" >got 2>&1 || true
		key "*" "info $R --full" >>got 2>&1 || true
		key "*" "journal $R" >>got 2>&1 || true
		key "*" "verify $R --id=$A" >>got 2>&1 || true
		assert_not_contains got "of the victim"
		rm "$R/.deploy/$part"
		mv elsewhere/part "$R/.deploy/$part"
	done
	# A FIFO stops nobody.
	mkfifo "$R/.deploy/manifests/20260101T000000.009Z-$uuid"
	expect_status 1 timeout 10 env SSH_ORIGINAL_COMMAND="deploy host manifest $R --id=20260101T000000.009Z-$uuid" \
	    deploy host --root "$R"
	assert_eq "$(cat victim/secret)" "of the victim"
}

# A file of a release that has become a link to a file outside.
t_files_follow_no_links() {
	begin
	mkdir "$R/releases/$A/d"
	rm -r "$R/releases/$A/index.html" "$R/releases/$A/way"
	ln -s "$PWD/victim/secret" "$R/releases/$A/index.html"
	ln -s "$PWD/victim" "$R/releases/$A/way"
	for path in index.html way/secret link/secret ../../link/secret d /etc/passwd \
	    "$PWD/victim/secret" ../../../victim/secret; do
		SSH_ORIGINAL_COMMAND="deploy host files $R --id=$A" \
		    deploy host --root "$R" <<<"$path" >got 2>&1 &&
			fail "gave $path"
		! grep -q "of the victim" got || fail "$path: the secret"
		sh "$TREE/src/host/host.sh" files "$R" --id="$A" <<<"$path" \
		    >got 2>&1 && fail "sh gave $path"
		! grep -q "of the victim" got || fail "$path: the secret by sh"
	done
	run key "*" "verify $R --id=$A"
	assert_contains "$out" "difference	way"
}

# ---------------------------------------------------------- verbs and options

# Each verb with a key that may do all others.
t_each_verb_has_to_be_allowed() {
	local all="init files receive activate prune verify journal pin preview freeze"
	local verb others
	begin
	for verb in $all; do
		others=$(printf '%s\n' $all | grep -vx "$verb" | paste -sd ,)
		# That one brings releases, too, and reads what is live.
		case $verb in
		receive | files) others=${others/preview,/} ;;
		esac
		refused 8 key "$others" "$verb $R --id=$A"
	done
	refused 8 key activate,prune "note $R --id=$A --seq=99"
	for verb in '' 'receive,' ',receive' receiveactivate reiceve '*' all; do
		refused 8 key verify "'$verb' $R"
	done
	for verb in "info $R" "probe $R" "manifest $R --id=$A"; do
		run key verify "$verb"
	done
}

# What no verb knows, by both.
t_unknown_options_are_refused() {
	local verb option
	begin
	for verb in info probe init manifest files receive note activate prune \
	    verify journal pin preview freeze; do
		for option in --frob --frob=1 --Id="$A" --i=1 --id--=1 x -id \
		    --full-=1 "--id full=1"; do
			refused 2 key "*" "$verb $R '$option'"
			assert_contains "$out" "$verb"
			refused 2 sh_host "$verb" "$R" "$option"
		done
	done
	# One of another verb, a flag with a value, a value without one, twice.
	for option in "info --id=$A" "verify --id=$A --off" "journal --full" \
	    "info --full=1" "info --unless" "pin --id=$A --off=0" \
	    "activate --id" "pin --id=$A --id=$B" "info --full --full" \
	    "prune --force" "receive --id=$A --path=/" "note --id=$A --armed=1"; do
		refused 2 key "*" "${option%% *} $R ${option#* }"
		# Words are meant.
		# shellcheck disable=SC2086
		refused 2 sh_host "${option%% *}" "$R" ${option#* }
	done
}

# Numbers that are none, or more than anybody needs.
t_numbers_have_bounds() {
	local option value
	begin
	while read -r option; do
		for value in '' -1 +1 1e3 0x10 ' 1' 1.5 9007199254740992000 \
		    9223372036854775807 9223372036854775808 \
		    18446744073709551616 99999999999999999999999999; do
			refused 2 key "*" "${option%% *} $R ${option#* }'$value'"
			# shellcheck disable=SC2086
			refused 2 sh_host "${option%% *}" "$R" \
			    ${option#* }"$value"
		done
	done <<-ROWS
	info --lock-wait=
	receive --id=$A --bytes=
	receive --id=$A --inodes=
	note --id=$A --seq=
	activate --id=$A --armed=
	activate --id=$A --journal-size=
	activate --id=$A --hook-timeout=
	prune --keep=
	prune --older-than=
	prune --journal-size=
	freeze --until=
	ROWS
	for option in "info --lock-wait=86401" "activate --id=$A --armed=3600001" \
	    "activate --id=$A --armed=100000000000" "prune --keep=1000001" \
	    "prune --keep=4294967296" "prune --keep=4294967297" \
	    "prune --older-than=3153600001" "note --id=$A --seq=9007199254740992" \
	    "activate --id=$A --hook-timeout=86401" \
	    "freeze --until=253402300799001"; do
		refused 2 key "*" "${option%% *} $R ${option#* }"
		# shellcheck disable=SC2086
		refused 2 sh_host "${option%% *}" "$R" ${option#* }
	done
}

# Ids that name no moment, or no release.
t_ids_are_ids() {
	local id verb
	begin
	for id in '' current latest ../../victim 20260101T006600.000Z-$uuid \
	    20260101T240000.000Z-$uuid 20261301T000000.000Z-$uuid \
	    20260230T000000.000Z-$uuid 99999999T999999.999Z-$uuid \
	    00000101T000000.000Z-$uuid "$A/" "/$A" "$A/../$B" "${A%?}" \
	    "${A}0" "${A^^}" "20260101T000000.000Z-${uuid//0/-}"; do
		for verb in manifest verify activate receive pin note files; do
			refused 2 key "*" "$verb $R '--id=$id' $(
			    [ $verb != note ] || echo --seq=1)"
		done
		refused 2 sh_host verify "$R" --id="$id"
		refused 2 sh_host receive "$R" --id="$id"
	done
}

# ------------------------------------------------- it cannot stop the site

# An id later than all that clocks will make for years.
t_ids_are_not_of_the_future() {
	local id
	begin
	for id in 99991231T235959.999Z-$uuid 30000101T000000.000Z-$uuid \
	    "$(date -u -d '+25 hours' +%Y%m%dT%H%M%S).000Z-$uuid" \
	    "$(date -u -d '+400 days' +%Y%m%dT%H%M%S).000Z-$uuid"; do
		refused 2 key receive "receive $R --id=$id"
		refused 2 key adopt "adopt $R --id=$id"
		refused 2 sh_host receive "$R" --id="$id"
	done
	# Ahead by hours only: the pack is looked at.
	id=$(date -u -d '+23 hours' +%Y%m%dT%H%M%S).000Z-$uuid
	expect_status 5 key receive "receive $R --id=$id"
	expect_status 5 sh_host receive "$R" --id="$id"
}

seq_of() {
	json "$R/.deploy/meta/$1.json" .seq
}

# A sequence that no build will ever reach, for what is live, and for what
# somebody else has staged.
t_a_sequence_keeps_nobody_out() {
	local id
	begin
	for id in "$A" "$B"; do
		run key receive,prune "note $R --id=$id --seq=9007199254740991 --commit=cafe"
		assert_contains "$out" "the sequence of release $id stays"
		run key receive "note $R --id=$id --seq=1"
		assert_not_contains "$out" warning
	done
	assert_eq "$(seq_of "$A")" 10
	assert_eq "$(seq_of "$B")" 11
	expect_status 1 key receive "note $R --id=20260101T000000.009Z-$uuid --seq=12"
	run key receive,activate "note $R --id=$A --seq=11"
	assert_eq "$(seq_of "$A")" 11
	refused 2 key receive "note $R --id=$B --seq=9007199254740992"
	refused 2 key receive "note $R --id=$B --seq=9223372036854775807"
	# One that got into the journal counts as none.
	sed 's/"seq":10/"seq":9223372036854775807/' "$R/.deploy/journal" >j
	cat j >"$R/.deploy/journal"
	run key activate "activate $R --id=$B"
	assert_eq "$(readlink "$R/current")" "releases/$B"
}

# ALLOW, the sequence of a release that the key brings, and what is left of it.
t_a_sequence_that_comes_has_bounds() {
	local allow seq is id n=0
	begin
	cat >wrap <<-EOF
		#!/bin/sh
		SSH_ORIGINAL_COMMAND="deploy \$*" exec deploy host --root "$R" \
		    --allow "\$(cat "$PWD/allow")"
	EOF
	chmod +x wrap
	cat >deploy.yml <<-EOF
		sites:
		  - name: web
		    root: $R
		    source: site
		    hosts: [{address: h1, transport: local, deploy: $PWD/wrap}]
	EOF
	while read -r allow seq is; do
		echo $((n += 1)) >site/index.html
		echo "$allow" >allow
		run deploy stage --seq "$seq"
		id=$(<"$out")
		assert_eq "$(seq_of "$id")" "$is" "$allow $seq"
		if [ "$is" = null ]; then
			assert_contains "$err" "$id comes without its sequence"
		fi
	done <<-EOF
		receive 9 9
		receive 12 12
		receive 1000010 1000010
		receive 1000011 null
		receive,prune 9007199254740990 null
		receive,activate 9007199254740990 9007199254740990
	EOF
	# A release without one keeps nobody out.
	run deploy publish -q site --root "$R" --seq 13
}

unlocked() {
	flock -n -x "$R/.deploy/lock" true || fail "locked"
}

# drip ID [OPTION...]: a key for receive begins a pack that does not come, until
# undrip.
drip() {
	[ -n "$fd" ] || exec {fd}<>in
	SSH_ORIGINAL_COMMAND="deploy host receive $R --id=$1 ${*:2}" \
	    deploy host --root "$R" --allow receive <in >"drip-$1" 2>&1 {fd}<&- &
	drips+=($!)
	wait_for 20 grep -q '^ready' "drip-$1"
}

undrip() {
	exec {fd}<&-
	wait "${drips[@]}" || true
}

id_of() {
	printf '20260101T000000.%03dZ-%s' "$1" "$uuid"
}

# STATUS, what others do meanwhile; they never wait, and prune leaves nothing
# to the key but what it names.
t_drips_stop_nobody() {
	local drips=() fd='' n=0 status command all
	begin
	echo three >site/index.html
	run deploy publish -q site --root "$R" --seq 12
	C=$(<"$out")
	mkfifo in
	all=$A,$B,$C
	drip "$(id_of 1)" --uses="$all"
	drip "$(id_of 2)"
	drip "$(id_of 3)" --uses="$A"
	expect_status 3 key receive "receive $R --id=$(id_of 1)"
	assert_contains "$out" "is being staged by"
	for all in x "$A,x" "$A;$B" "../$A" "$A/"; do
		expect_status 2 key receive "receive $R --id=$(id_of 4) '--uses=$all'"
		expect_status 2 sh_host receive "$R" --id="$(id_of 4)" --uses="$all"
	done
	while read -r status command; do
		n=$((n + 1))
		# shellcheck disable=SC2086 # words are meant
		expect_status "$status" timeout 60 deploy $command --root "$R" \
		    --lock-wait=0
	done <<-ROWS
	0 status
	0 activate $B --override=order
	0 rollback
	0 activate $C --override=order
	0 freeze
	3 activate $B --override=order
	0 thaw
	0 pin $A
	0 unpin $A
	0 stage site --again
	0 publish site --again
	0 publish site --again
	0 publish site --again
	0 prune --keep 1
	0 prune --keep 1
	0 rollback
	ROWS
	[ "$n" -eq 16 ] || fail "$n rows"
	for n in "$A" "$B" "$C"; do
		[ -d "$R/releases/$n" ] || fail "$n is gone"
	done
	assert_eq "$(find "$R/releases" -mindepth 1 -maxdepth 1 | wc -l)" 6
	assert_eq "$(find "$R/.deploy/incoming" -type d -name '2*' | wc -l)" 3
	undrip
	run deploy prune --keep 1 --root "$R" --lock-wait=0
	[ ! -e "$R/releases/$A" ] || fail "$A stays for nobody"
	assert_empty "$R/.deploy/incoming"
}

# Held by a pack that does not come, or by drops: given up in time (which
# DEPLOY_TEST_LIMIT makes short), nothing left, the lock free.
t_a_pack_that_drips_is_given_up() {
	local id=20260101T000000.001Z-$uuid began
	begin
	export DEPLOY_TEST_LIMIT=1
	mkfifo in
	exec 7<>in
	began=$SECONDS
	SSH_ORIGINAL_COMMAND="deploy host receive $R --id=$id" \
	    expect_status 1 timeout 60 deploy host --root "$R" <in
	((SECONDS - began < 30)) || fail "not in time"
	assert_contains "$out" "too slowly"
	unlocked
	assert_eq "$(ls -A "$R/.deploy/incoming")" ""
	(for ((;;)); do printf '\0' && sleep 0.2; done >&7) &
	SSH_ORIGINAL_COMMAND="deploy host receive $R --id=$id" \
	    expect_status 1 timeout 60 deploy host --root "$R" <in
	assert_contains "$out" "too slowly"
	kill $!
	unlocked
	assert_eq "$(ls -A "$R/.deploy/incoming")" ""
	# The knob makes nothing longer, and binds no key without limits.
	exec 7>&-
	DEPLOY_TEST_LIMIT=99999999 expect_status 5 key receive \
	    "receive $R --id=$id"
}

# A client that is gone without a word: whose key it was does not matter.  One
# whose files come by rsync, and one that is slow, are waited for.
t_a_pack_that_does_not_come() {
	local id=20260101T000000.001Z-$uuid how pid
	begin
	export DEPLOY_TEST_LIMIT=1
	mkfifo in
	exec 7<>in
	expect_status 1 timeout 60 "$DEPLOY" host receive "$R" --id="$id" <in 7>&-
	assert_contains "$out" "is given up: nothing came in 1 s"
	assert_eq "$(ls -A "$R/.deploy/incoming")" ""
	for how in --filled --bytes=9; do
		"$DEPLOY" host receive "$R" --id="$id" "$how" <in >got 2>&1 7>&- &
		pid=$!
		for ((i = 0; i < 15; i++)); do
			[ "$how" = --filled ] || printf '\0' >&7
			sleep 0.2
		done
		kill -KILL "$pid" || fail "$how: $(<got)"
		wait "$pid" 2>/dev/null || true
		run deploy prune --root "$R"
		assert_eq "$(ls -A "$R/.deploy/incoming")" "" "$how"
	done
}

t_armed_ends_for_all_waits() {
	begin
	export DEPLOY_TEST_LIMIT=1
	mkfifo in
	exec 7<>in
	(for ((;;)); do echo wait && sleep 0.2; done >&7) &
	SSH_ORIGINAL_COMMAND="deploy host activate $R --id=$B --armed=3600000" \
	    expect_status 1 timeout 60 deploy host --root "$R" <in
	kill $!
	exec 7>&-
	assert_contains "$out" "armed"
	assert_contains "$out" "disarmed"
	unlocked
	assert_eq "$(readlink "$R/current")" "releases/$A"
}

# Announced: more than any disk has, or than a number can be.
t_what_is_announced_has_to_fit() {
	local n id=20260101T000000.001Z-$uuid
	begin
	for n in --bytes=9007199254740991 --inodes=9007199254740991 \
	    "--bytes=9007199254740991 --inodes=9007199254740991"; do
		expect_status 10 key receive "receive $R --id=$id $n"
		# shellcheck disable=SC2086
		expect_status 10 sh_host receive "$R" --id="$id" $n
	done
	for n in --bytes=9223372036854775807 --inodes=9223372036854775807; do
		refused 2 key receive "receive $R --id=$id $n"
		refused 2 sh_host receive "$R" --id="$id" "$n"
	done
	unlocked
}

# --------------------------------------------------------- what it may know

t_the_journal_is_for_who_may_read_it() {
	local allow
	begin
	for allow in receive activate receive,activate,prune verify; do
		run key $allow "info $R --full"
		assert_contains "$out" "journal	{"
		assert_contains "$out" "\"to\":\"$A\""
		assert_contains "$out" "release	$A	{"
		assert_not_contains "$out" "plan of ann"
		assert_not_contains "$out" "\"who\":\""
		refused 8 key $allow "journal $R"
	done
	for allow in journal "*" receive,journal; do
		run key "$allow" "info $R --full"
		assert_contains "$out" "plan of ann"
		run key "$allow" "journal $R"
		assert_contains "$out" "plan of ann"
	done
}

# Nothing that a terminal obeys is stored or printed.
t_control_characters() {
	local c hidden=$'[\001-\010\013-\037\177]|\302[\200-\237]|(^|[ -~])[\200-\237]'
	begin
	for c in $'\001' $'\033[31m' $'\177' $'\r' $'\302\233' $'\302\205' \
	    $'\233' $'\342\200\250'; do
		run key "*" "activate $R --id=$B --override=order '--who=a${c}b' '--job=c${c}d' '--message=e${c}f'"
		run key "*" "activate $R --id=$A '--who=a${c}b' '--message=e${c}f' --rollback"
		run key "*" "freeze $R '--message=e${c}f' '--who=a${c}b'"
		run key "*" "info $R --full"
		cat "$out" >>said
		run key "*" "freeze $R --off"
		run key "*" "note $R --id=$A '--commit=g${c}h' --seq=$((20 + RANDOM))"
		run sh_host pin "$R" --id="$A" "--who=a${c}b" "--job=c${c}d"
		run sh_host note "$R" --id="$B" "--commit=i${c}j" --seq="$((40000 + ++n))"
		cat "$R"/.deploy/journal "$R"/.deploy/lock.note \
		    "$R"/.deploy/meta/*.json >>said
	done
	! LC_ALL=C grep -aE "$hidden" said >&2 || fail "control characters"
	# What others have written is no better.
	printf '{"time":"2026-01-01T00:00:00Z","who":"x\302\233y\233z"}\n' \
	    >>"$R/.deploy/journal"
	run key "*" "journal $R"
	! LC_ALL=C grep -aE "$hidden" "$out" >&2 || fail "control characters"
}

# -------------------------------------------------------------- authorize

t_authorize_says_what_it_gives() {
	echo "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA== x" >key.pub
	run deploy host authorize --root /srv/x --allow receive key.pub
	assert_eq "$(sed -n 's/^    \([a-z]*\).*/\1/p' "$err" | tr '\n' ' ')" \
	    "info probe manifest signatures receive note "
	assert_not_contains "$err" "    activate "
	assert_not_contains "$err" "warning"
	run deploy host authorize --root /srv/x key.pub
	assert_contains "$err" "warning: without --allow"
	assert_contains "$err" "    activate "
	assert_not_contains "$err" "    adopt "
	run deploy host authorize --root /srv/x --allow adopt key.pub
	assert_contains "$err" "    adopt "
	# All that there are.
	expect_status 2 deploy host authorize --root /srv/x --allow x key.pub
	sed -n 's/.*there are: \(.*\); and publish.*/\1/p' "$err" |
	    tr -d , >verbs
	[ "$(wc -w <verbs)" -ge 16 ] || fail "$(cat verbs)"
	for list in $(cat verbs); do
		run deploy host authorize --root /srv/x --allow "$list" key.pub
		assert_contains "$err" "    $list "
	done
	for list in recieve 'receive,' ',receive' 'receive,,prune' 'receive prune' ''; do
		expect_status 2 deploy host authorize --root /srv/x \
		    --allow "$list" key.pub
		assert_contains "$err" "freeze"
		assert_contains "$err" "and publish, for receive,"
	done
	for list in no.pub /no/such.pub; do
		expect_status 2 deploy host authorize --root /srv/x "$list"
		assert_contains "$err" "there is no file '$list'; give a public key"
	done
}

# A key is somebody else's, and so is its comment.
t_authorize_prints_no_control_characters() {
	local c key="ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA==" how
	for c in $'\033[2J' $'\033]0;x\007' $'\001' $'\177' $'\b' $'\302\233' \
	    $'\233' $'\342\200\250'; do
		echo "$key a$c"b >key.pub
		for how in key.pub - "$key a$c"b; do
			run deploy host authorize --root /srv/x "$how" <key.pub
			assert_eq "$(grep -c "$key a" "$out")" 1
			! LC_ALL=C grep -aE $'[\001-\010\013-\037\177]|\302[\200-\237]|\342\200\250|(^|[ -~])[\200-\237]' "$out" "$err" ||
			    fail "raw"
		done
	done
	# Letters of any language stay.
	run deploy host authorize --root /srv/x "$key Zoë"$'\t'"東京"
	assert_contains "$out" "$key Zoë"$'\t'"東京"
}

# ------------------------------------------- what its owner may not change

# A tree with directories in which their owner may do nothing goes, too.
t_unremovable_trees_are_removed() {
	local who=() host mode dead=20260101T000000.001Z-$uuid
	begin
	if [ "$(id -u)" -eq 0 ]; then
		chmod 755 "$_base" "$_base/work"
		chown -R 65534:65534 "$R"
		who=(as_user)
	fi
	for host in "$DEPLOY host" "sh $TREE/src/host/host.sh"; do
		for mode in 0555 0000 0300 0100; do
			mkdir -p "$R/.deploy/incoming/$dead/x/y"
			echo 1 >"$R/.deploy/incoming/$dead/x/y/f"
			mkdir -p "$R/releases/$dead/x/y"
			echo 1 >"$R/releases/$dead/x/y/f"
			cp "$R/.deploy/manifests/$B" "$R/.deploy/manifests/$dead"
			sed "s/$B/$dead/" "$R/.deploy/meta/$B.json" \
			    >"$R/.deploy/meta/$dead.json"
			[ "$(id -u)" -ne 0 ] || chown -R 65534:65534 "$R"
			chmod "$mode" "$R/.deploy/incoming/$dead/x/y" \
			    "$R/.deploy/incoming/$dead/x" \
			    "$R/.deploy/incoming/$dead" \
			    "$R/releases/$dead/x/y" "$R/releases/$dead/x" \
			    "$R/releases/$dead"
			# shellcheck disable=SC2086
			run ${who[0]+"${who[0]}"} $host prune "$R" \
			    --keep=1 --remove="$dead"
			assert_contains "$out" "pruned	$dead"
			assert_eq "$(ls -A "$R/.deploy/incoming")" "" "$host $mode"
			assert_eq "$(ls -A "$R/.deploy/trash")" "" "$host $mode"
		done
	done
}

# ------------------------------------------------------- through an sshd

t_through_sshd() {
	need_cmd ssh ssh-keygen
	begin
	sshd_start "$PWD/ssh" "Subsystem sftp internal-sftp" || fail "no sshd"
	defer sshd_stop
	deploy host authorize --root "$R" --allow receive,activate \
	    ssh/id.pub >ssh/authorized_keys 2>/dev/null
	ssh_to() {
		# shellcheck disable=SC2154 # set by sshd_start
		ssh -F none -i ssh/id -p "$sshd_port" -o BatchMode=yes \
		    -o UserKnownHostsFile=ssh/known_hosts \
		    -o IdentitiesOnly=yes "$@" </dev/null
	}
	run ssh_to 127.0.0.1 "deploy host info $R"
	assert_eq "$(tail -n 1 "$out")" ok
	refused 8 ssh_to 127.0.0.1 "deploy host adopt $R --id=20260101T000000.001Z-$uuid --path=$PWD/victim/.ssh"
	refused 8 ssh_to 127.0.0.1 "deploy host freeze $R"
	refused 8 ssh_to 127.0.0.1 "deploy host info $PWD/victim"
	expect_status 2 ssh_to 127.0.0.1
	expect_status 2 ssh_to 127.0.0.1 "sh -c 'touch $PWD/evil'"
	expect_status 2 ssh_to 127.0.0.1 "deploy host info $R; touch $PWD/evil"
	expect_status 2 ssh_to -s 127.0.0.1 sftp
	! ssh_to -N -o ExitOnForwardFailure=yes -R 0:127.0.0.1:1 127.0.0.1 2>/dev/null ||
	    fail "forwards ports"
	[ ! -e evil ] || fail "ran"
	# Each request of a program that serves several is held to the limits.
	cat >requests <<-END
	info

	freeze

	adopt
	--id=20260101T000000.001Z-$uuid
	--path=$PWD/victim/.ssh

	END
	ssh_to_serve() {
		ssh -F none -i ssh/id -p "$sshd_port" -o BatchMode=yes \
		    -o UserKnownHostsFile=ssh/known_hosts \
		    -o IdentitiesOnly=yes 127.0.0.1 \
		    "deploy host serve $1" <requests >said 2>&1 || true
	}
	ssh_to_serve "$R"
	assert_eq "$(grep -c '^error	8	' said)" 2
	assert_eq "$(grep -c '^ok' said)" 1
	ssh_to_serve "$PWD/victim"
	assert_eq "$(grep -c '^error	8	' said)" 3
	assert_eq "$(ls -A victim/.ssh)" authorized_keys
}

run_tests
