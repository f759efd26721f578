#!/bin/bash
# Hostile packs, made by tests/attack_pack.py: what a key that may only
# receive can send.  The table says with which status each may be answered;
# whatever that is, nothing outside of the release is touched, nothing of a
# refused one stays, and what is accepted is what its manifest says, with the
# modes of a release.  For the program, and for the sh verbs by each shell.
# timeout: 600
# parts: 2
. "$(dirname "$0")/../lib.sh"

ID=20260101T000000.002Z-00000000-0000-4000-8000-000000000002
BASE=20260101T000000.001Z-00000000-0000-4000-8000-000000000001

# A root with a release that has a shared link, behind which lies a link out
# of the root; in the release a file that its manifest does not have.
begin() {
	need_cmd python3
	R=$PWD/root
	mkdir victim
	printf 'secret\n' >victim/secret
	make_packs
	run deploy host receive "$R" --id="$BASE" <packs/base.pack
	run deploy host activate "$R" --id="$BASE" </dev/null
	rmdir "$R/shared/up"
	ln -s ../../victim "$R/shared/up"
	printf 'secret\n' >"$R/releases/$BASE/planted"
}

# Once for all tests.
make_packs() {
	ln -s "$TEST_DIR/packs" packs
	[ ! -e packs/table ] || return 0
	mkdir "$TEST_DIR/packs"
	python3 "$TREE/tests/attack_pack.py" packs "$ID" "$BASE"
	[ "$(wc -l <packs/table)" -ge 120 ] || fail "the table is cut short"
}

# All that is there but the release, and how many names each file has.
snapshot() {
	find "$R" victim ! -name lock.note ! -path "*/.deploy/lock" \
	    -printf '%p %y %m %i %n %s %l\n' | LC_ALL=C sort
}

# receive COMPRESS: the pack on standard input, by $kind.
receive() {
	local request=("$R" --id="$ID" --compress="$1")
	# Memory is bounded; a sanitizer wants more than there is.
	[ -n "${TEST_SANITIZE:-}" ] || ulimit -v 2000000
	case $kind in
	c) SSH_ORIGINAL_COMMAND="deploy host receive ${request[*]}" \
	    exec timeout 60 deploy host --root "$R" --allow receive ;;
	dash | bash) exec timeout 60 "$kind" "$TREE/src/host/host.sh" receive \
	    "${request[@]}" ;;
	busybox) PATH=$_base/bb exec timeout 60 sh "$TREE/src/host/host.sh" \
	    receive "${request[@]}" ;;
	esac
}

# What has been accepted: it says why it should not have been.
check_release() {
	local meta=$R/.deploy/meta/$ID.json
	[ -d "$R/releases/$ID" ] || echo "is not there"
	deploy host verify "$R" --id="$ID" >verified 2>&1 || cat verified
	! grep -a difference verified || :
	find "$R/releases/$ID" -type f ! -perm 644 ! -perm 755 -o \
	    -type d ! -perm 755 ! -perm 2755 -o ! -type f ! -type d ! -type l
	[ "$kind" != c ] || [ "$(json "$meta" .pinned)" = false ] ||
		echo "pinned"
	! LC_ALL=C grep -aE $'[\001-\010\013-\037\177]|\302[\200-\237]' \
	    "$meta" || echo "control characters"
	[ "$(json "$meta" '.seq // 0')" != 9223372036854775807 ] || echo "seq"
}

# Send one pack; prints what is wrong.
attack() {
	local name=$1 may=$2 compress=$3 got=0
	(receive "$compress") <"$name.pack" >answer 2>said || got=$?
	[[ ,$may, = *,$got,* ]] ||
	    echo "status $got, not $may: $(tail -n 1 answer | cut -c 1-300)"
	if [ "$got" -eq 0 ]; then
		check_release
		rm -rf "$R/releases/$ID" "$R/.deploy/manifests/$ID" \
		    "$R/.deploy/meta/$ID.json"
	else
		[[ $(tail -n 1 answer) = error$'\t'* ]] || echo "no error"
	fi
	snapshot >after
	diff before after
	flock -n -x "$R/.deploy/lock" true || echo "locked"
}

# All packs that the table has for this kind.
attack_all() {
	local name c sh compress may wrong n=0 failed=''
	snapshot >before
	while IFS=$'\t' read -r name c sh compress; do
		may=$sh
		[ "$kind" != c ] || may=$c
		[ "$may" != - ] || continue
		n=$((n + 1))
		wrong=$(attack "packs/$name" "$may" "$compress" 2>&1 || :)
		[ -z "$wrong" ] || failed+="$name: $wrong"$'\n'
	done <packs/table
	echo "$n packs"
	[ -z "$failed" ] || fail "$failed"
}

t_packs_for_the_program() {
	kind=c
	begin
	attack_all
}

t_packs_for_sh() {
	kind=dash
	need_cmd dash
	begin
	attack_all
}

t_packs_for_busybox() {
	kind=busybox
	need_cmd busybox
	begin
	mkdir "$_base/bb"
	busybox --install -s "$_base/bb"
	ln -sf "$(command -v flock)" "$_base/bb/flock"
	attack_all
}

# zstd: a window that would take 2 GiB, and a bomb.
t_zstd_is_bounded() {
	need_cmd zstd
	kind=c
	begin
	snapshot >before
	zstd -q --long=31 --ultra -22 -c packs/good.pack >window.pack
	head -c 100000000 /dev/zero | zstd -q -19 -c >zeros.pack
	gzip -nc packs/good.pack | zstd -q -c >both.pack
	assert_eq "$(attack window 0,5 zstd)" ""
	assert_eq "$(attack zeros 5 zstd)" ""
	assert_eq "$(attack both 5 zstd)" ""
}

# What was announced is a bound: more does not come in.
t_not_more_than_announced() {
	kind=c
	begin
	snapshot >before
	for n in 0 1 5 10; do
		SSH_ORIGINAL_COMMAND="deploy host receive $R --id=$ID --bytes=$n" \
		    expect_status 5 deploy host --root "$R" --allow receive \
		    <packs/good.pack
		assert_contains "$out" "announced"
		snapshot >after
		diff before after >&2 || fail "changed"
	done
	SSH_ORIGINAL_COMMAND="deploy host receive $R --id=$ID --bytes=11" \
	    run deploy host --root "$R" --allow receive <packs/good.pack
}

# A pin needs its own verb.
t_pins_need_their_verb() {
	kind=c
	begin
	SSH_ORIGINAL_COMMAND="deploy host receive $R --id=$ID" \
	    run deploy host --root "$R" --allow receive,pin \
	    <packs/meta-pinned.pack
	assert_eq "$(json "$R/.deploy/meta/$ID.json" .pinned)" true
}

run_tests
