#!/bin/bash
# The verbs of deploy-host(7), one suite against all who speak them: the
# program, and host.sh under dash, bash and busybox, where nothing but
# busybox's own tools are in PATH (and flock, which Debian's busybox lacks).
# parts: 10
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/hosts.sh
. "$TREE/tests/hosts.sh"

kinds="c dash bash busybox"

# A function v_NAME is a test for every kind, c_NAME for the program only.
# $kind tells which it is, $R is its root, not made yet.

begin() {
	kind=$1
	need_cmd "${kind/#c/sh}"
	[ "$kind" != busybox ] || busybox_path
	R=$PWD/root
}

# Set first and last, the lines of the answer.
first_and_last() {
	local lines=()
	mapfile -t lines <"$out"
	first=${lines[0]:-} last=
	((${#lines[@]} == 0)) || last=${lines[-1]}
}

# ok VERB [ARG...]: it answers, and ends in "ok".
ok() {
	local first last
	run host "$@"
	first_and_last
	assert_eq "$first" "deploy-host 1" "magic line"
	assert_eq "$last" "ok" "last line"
}

# refused CODE host VERB [ARG...]: it says so, in its last line and its status.
refused() {
	local first last
	expect_status "$@"
	first_and_last
	assert_eq "$first" "deploy-host 1" "magic line"
	[[ $last = error$'\t'$1$'\t'?* ]] || fail "no error $1: $last"
}

# refused_any "CODE CODE" VERB [ARG...]: with one of them.
refused_any() {
	local got=0 first last
	host "${@:2}" >"$out" 2>"$err" || got=$?
	first_and_last
	[[ " $1 " = *" $got "* ]] || fail "status $got, not $1: host ${*:2}"
	[[ $last = error$'\t'$got$'\t'?* ]] || fail "no error $got: $last"
}

ids=(
	20260101T000000.001Z-00000000-0000-4000-8000-000000000001
	20260101T000000.002Z-00000000-0000-4000-8000-000000000002
	20260101T000000.003Z-00000000-0000-4000-8000-000000000003
	20260101T000000.004Z-00000000-0000-4000-8000-000000000004
	20260101T000000.005Z-00000000-0000-4000-8000-000000000005
)
A=${ids[0]} B=${ids[1]} C=${ids[2]}
when=1767225600

# ordered DIR: set `paths` to those below it, as a manifest has them in order.
ordered() {
	local LC_ALL=C
	paths=()
	shopt -s dotglob nullglob
	below "$1" ''
	shopt -u dotglob nullglob
}

below() {
	local f
	for f in "$1/$2"*; do
		paths+=("${f#"$1/"}")
		[ -L "$f" ] || [ ! -d "$f" ] || below "$1" "${f#"$1/"}/"
	done
}

# escape TEXT: set `escaped` to how a manifest has it.
escape() {
	local LC_ALL=C i c
	escaped=$1
	[[ $1 = *[!A-Za-z0-9._/-]* ]] || return 0
	escaped=
	for ((i = 0; i < ${#1}; i++)); do
		c=${1:i:1}
		[[ $c = [A-Za-z0-9._/-] ]] ||
		    printf -v c '\\%03o' $(($(printf %d "'$c") & 255))
		escaped+=$c
	done
}

# manifest DIR: of what is there, all files of the same time.
manifest() {
	local f paths files=() sums=() sizes=() i=0 escaped
	ordered "$1"
	for f in "${paths[@]}"; do
		[ -L "$1/$f" ] || [ -d "$1/$f" ] || files+=("$1/$f")
	done
	if ((${#files[@]} > 0)); then
		mapfile -t sizes < <(stat -c 'mode=0%a size=%s' -- "${files[@]}")
		mapfile -d '' -t sums < <(sha256sum -z -- "${files[@]}")
	fi
	echo '#mtree v2.0'
	echo '. type=dir mode=0755'
	for f in "${paths[@]}"; do
		escape "$f"
		printf './%s ' "$escaped"
		if [ -L "$1/$f" ]; then
			escape "$(readlink "$1/$f")"
			echo "type=link mode=0777 time=$when.0 link=$escaped"
		elif [ -d "$1/$f" ]; then
			echo "type=dir mode=0755"
		else
			echo "type=file ${sizes[i]} time=$when.0" \
			    "sha256digest=${sums[i]:0:64}"
			i=$((i + 1))
		fi
	done
}

# meta ID [SEQ]: of the manifest m.
meta() {
	local digest
	read -r digest _ < <(sed -e '1,2d' -e 's/ time=[^ ]*//' \
	    -e 's/\( tags=carried\),last-[0-9]*$/\1/' m | sha256sum)
	printf '{"id":"%s","staged_at":"2026-01-01T00:00:00Z","who":"t",' "$1"
	printf '"job":null,"commit":null,"message":"say \\"pinned\\":true",'
	printf '"seq":%s,"files":1,"bytes":1,"mtime":%s,' "${2:-null}" "$when"
	printf '"digest":"%s","pinned":false,"preview":null,"bridge":%s}\n' "$digest" \
	    "${stands_for:-null}"
}

# pack ID DIR [TAR-OPTION...]: a pack of what is in DIR, to pack.tar; the
# manifest is m and the meta is j when they are there.  What stands in extra/
# comes after it, as it is.
pack() {
	local id=$1 dir=$2 in=p/.deploy/incoming paths
	shift 2
	[ ! -e p ] || rm -rf p
	mkdir -p $in
	cp -a "$dir" "$in/$id"
	ordered "$in/$id"
	touch -h -d "@$when" -- "$in/$id" "${paths[@]/#/"$in/$id/"}"
	[ -e m ] || manifest "$dir" >m
	[ -e j ] || meta "$id" >j
	mv m "$in/$id.manifest"
	mv j "$in/$id.meta"
	printf '%s\0' ".deploy/incoming/$id.manifest" \
	    ".deploy/incoming/$id.meta" \
	    "${paths[@]/#/".deploy/incoming/$id/"}" >names
	tar -C p --format=gnu --no-recursion --null -T names \
	    -b 1 -cf pack.tar "$@"
}

# A small site in ./site.
small_site() {
	mkdir -p site/a
	echo index >site/index.html
	echo page >site/a/page.html
	ln -s index.html site/link
}

# receive ID [ARG...]: the pack of ./site.
receive() {
	pack "$1" site
	ok receive "$R" --id="$1" "${@:2}" <pack.tar
}

# Make N releases, ${ids[@]} in order, and activate all but the last.
releases() {
	local i last=''
	small_site
	for ((i = 0; i < $1; i++)); do
		echo "edition $i" >site/index.html
		receive "${ids[i]}"
		((i < $1 - 1)) || break
		flip "${ids[i]}" "$last"
		last=${ids[i]}
	done
}

# line TO FROM [ACTION [DIGEST FROM_DIGEST]]: the journal line of that flip.
line() {
	local from=null
	[ -z "${2:-}" ] || from="\"$2\""
	printf '{"time":"2026-01-02T00:00:00Z","action":"%s",' \
	    "${3:-activate}"
	printf '"from":%s,"to":"%s",' "$from" "$1"
	[ -z "${4:-}" ] || printf '"digest":"%s","from_digest":"%s",' "$4" "${5:-}"
	printf '"seq":null,"who":"t","job":null,"message":null}'
}

# sync_line TO FROM BEFORE...: the same of a sync, with what was live before.
sync_line() {
	line "$1" "$2" sync | command jq -c '. + {before: $ARGS.positional}' \
	    --args "${@:3}"
}

# flip ID FROM [ARG...]: make it live.
flip() {
	ok activate "$R" --id="$1" --expect="$2" --line="$(line "$1" "$2")" \
	    "${@:3}"
}

live() {
	readlink "$R/current" || true
}

# Nothing is there but complete releases with their records.
assert_clean() {
	assert_root_clean "$R"
	assert_records "$R"
}

# No release at all.
assert_nothing() {
	assert_empty "$R/releases"
	assert_clean
}

# ------------------------------------------------------------ info and init

v_info_of_nothing() {
	ok info "$R" --full
	assert_eq "$(value prepared)" 0
	[ ! -e "$R" ] || fail "info made the root"
}

v_init() {
	ok init "$R"
	ok init "$R"
	ok info "$R"
	assert_eq "$(value prepared)" 1
	assert_eq "$(value current)" ""
	assert_eq "$(value latest)" ""
	assert_eq "$(value frozen)" 0
	assert_eq "$(value journal-size)" 0
	[[ $(value free) =~ ^[1-9][0-9]*$'\t'[1-9][0-9]*$ ]] ||
	    fail "free: $(value free)"
	assert_eq "$(value locked)" ""
	assert_nothing
	refused 1 host init "$PWD/no/root"
	refused 2 host init root
}

# Another run prepares the root, and sweeps, before the last step of this one.
v_init_by_two() {
	# shellcheck source=tests/faults/lib.sh
	. "$TREE/tests/faults/lib.sh"
	fault_library
	mkdir site
	echo hi >site/index.html
	LD_PRELOAD=$faults FAULT_UNDER=$R FAULT_CALLS=rename,renameat,renameat2 \
	    FAULT_EXEC="! mkdir $PWD/once 2>/dev/null || $DEPLOY publish -q --root $R $PWD/site >$PWD/other 2>&1" \
	    ok init "$R"
	[ -s other ] || fail "no other run: $(cat "$err")"
	assert_eq "$(live)" "releases/$(cat other)"
	assert_eq "$(cat "$R/.deploy/format")" 1
	assert_clean
}

v_init_spares_a_document_root() {
	mkdir -p "$R/current"
	refused 1 host init "$R"
	assert_contains "$out" current
	assert_eq "$(ls -A "$R")" current
}

v_roots_that_others_could_plant_are_refused() {
	ok init "$R"
	chmod o+w "$R/releases"
	refused 1 host info "$R"
	assert_contains "$out" "written by everybody	run: chmod o-w '$R/releases'"
	chmod o-w "$R/releases"
	need_root
	chown 4711 "$R/.deploy/incoming"
	refused 1 host init "$R"
	assert_contains "$out" "belongs to uid 4711	run deploy as that user"
	chown 65534 "$R/.deploy/incoming"
	refused 1 host info "$R"
	assert_contains "$out" "belongs to nobody	run deploy as that user: runuser -u nobody -- deploy ..."
	small_site
	pack "$A" site
	refused 1 host receive "$R" --id="$A" <pack.tar
}

v_other_formats_are_refused() {
	ok init "$R"
	echo 2 >"$R/.deploy/format"
	refused 1 host info "$R"
	assert_contains "$out" "format"
}

v_wrong_requests() {
	ok init "$R"
	refused 2 host frobnicate "$R"
	refused 2 host manifest "$R"
	refused 2 host manifest "$R" --id=../../etc/passwd
	refused 2 host activate "$R" --id=current
	refused 2 host receive "$R" --id="$A" --bytes=many
	refused 2 host activate "$R" --id="$A" --armed=-1
	refused 2 host activate "$R" --id="$A" --line=x
	assert_nothing
}

v_unprepared_root() {
	local verb
	mkdir "$R"
	for verb in "activate --id=$A --line=x" "manifest --id=$A" \
	    "verify --id=$A" "pin --id=$A" prune "freeze --record=x"; do
		refused 1 host "${verb%% *}" "$R" ${verb#"${verb%% *}"}
	done
	assert_eq "$(ls -A "$R")" ""
}

# -------------------------------------------------------------- receive

odd_site() {
	small_site
	mkdir -p "site/with space" site/.well-known site/empty
	echo 1 >"site/with space/ä ü.html"
	echo 2 >'site/back\slash'
	echo 3 >site/-dash
	echo 4 >site/.well-known/x
	echo 5 >'site/\134'
	echo 6 >"site/it's \"quoted\" \$HOME *"
	printf '#!/bin/sh\n' >site/run
	chmod 755 site/run
	: >site/nothing
	ln -s ../index.html "site/with space/up link"
}

v_receive() {
	odd_site
	receive "$A" --bytes=100 --inodes=10
	assert_eq "$(value ready)" "$R/.deploy/incoming/$A"
	[[ $(value received) = 10* ]] || fail "received: $(value received)"
	assert_tree_eq "$R/releases/$A" site
	assert_eq "$(stat -c %a "$R/releases/$A")" 755
	assert_eq "$(stat -c %Y "$R/releases/$A/with space/ä ü.html")" $when
	assert_clean
	manifest site >m
	assert_file_eq "$R/.deploy/manifests/$A" m
	assert_eq "$(live)" ""
	ok verify "$R" --id="$A"
	assert_eq "$(value difference)" ""
	assert_eq "$(value verified | cut -f 1)" 10
	ok info "$R" --full
	assert_eq "$(value latest)" "$A"
	assert_eq "$(value release)" "$A	$(meta "$A")"
}

v_receive_with_a_strict_umask() {
	odd_site
	pack "$A" site
	(umask 077 && ok receive "$R" --id="$A" <pack.tar)
	assert_tree_eq "$R/releases/$A" site
	assert_eq "$(stat -c %a "$R/releases/$A")" 755
}

v_receive_compressed() {
	small_site
	pack "$A" site
	gzip -n <pack.tar >pack.gz
	ok receive "$R" --id="$A" --compress=gzip <pack.gz
	ok info "$R"
	[[ $(value has) = *zstd* ]] || return 0
	pack "$B" site
	zstd -q <pack.tar >pack.zst
	ok receive "$R" --id="$B" --compress=zstd <pack.zst
	assert_tree_eq "$R/releases/$B" site
}

v_receive_links_to_what_is_there() {
	small_site
	receive "$A"
	# Hard links to releases/: made of the tree that is there.
	mkdir -p p/releases
	pack "$B" site
	mkdir -p p/releases/"$A"
	cp -a site/. p/releases/"$A"/
	ln -f p/releases/"$A"/a/page.html p/.deploy/incoming/"$B"/a/page.html
	tar -C p --format=gnu --no-recursion -b 1 -cf full.tar \
	    "releases/$A/a/page.html" --null -T names
	# Without its first entry, which is two blocks.
	tail -c +1025 full.tar >pack.tar
	tar -tvf pack.tar | grep "link to releases/$A/a/page.html" >&2
	ok receive "$R" --id="$B" <pack.tar
	assert_tree_eq "$R/releases/$B" site
	[ "$R/releases/$B/a/page.html" -ef "$R/releases/$A/a/page.html" ] ||
	    fail "not linked"
	[ ! "$R/releases/$B/index.html" -ef "$R/releases/$A/index.html" ] ||
	    fail "linked"
	# The base has gone.
	rm -rf "$R/releases/$A" "$R/.deploy/manifests/$A" \
	    "$R/.deploy/meta/$A.json"
	sed -i "s/$B/$C/" names
	sed "s/$B/$C/g" pack.tar >gone.tar
	refused_any "1 5" receive "$R" --id="$C" <gone.tar
	[ ! -e "$R/releases/$C" ] || fail "published"
	assert_clean
}

v_receive_again() {
	small_site
	receive "$A"
	pack "$A" site
	refused 4 host receive "$R" --id="$A" <pack.tar
	assert_tree_eq "$R/releases/$A" site
	assert_clean
}

v_shared_directories_are_made() {
	small_site
	mkdir -p "site/up"
	ln -s "../../../shared/up/loads here" "site/up/loads here"
	manifest site | sed '/loads/s/$/ tags=shared/' >m
	receive "$A"
	[ -d "$R/shared/up/loads here" ] || fail "no directory in shared/"
	echo x >"$R/releases/$A/up/loads here/file"
	ok verify "$R" --id="$A"
	assert_eq "$(value difference)" ""
}

# What a parent's mark of a group would give to all directories below it.
v_setgid_parent() {
	local d
	need_root
	small_site
	for d in up up/root up/root/.deploy/incoming; do
		rm -rf up
		mkdir up
		R=$PWD/up/root
		[ "$d" = up ] || host receive "$R" --id="$B" </dev/null >"$out" 2>&1 || true
		mkdir -p "$d"
		chgrp nogroup "$d"
		chmod g+s "$d"
		pack "$A" site
		ok receive "$R" --id="$A" <pack.tar
		assert_eq "$(find "$R/releases/$A" -type d -printf '%m\n' | sort -u)" 755
		ok verify "$R" --id="$A"
		assert_eq "$(value difference)" ""
	done
}

# What the account's environment would have the tools do.
v_odd_environment() {
	small_site
	pack "$A" site
	export TAR_OPTIONS=-v POSIXLY_CORRECT=1 CDPATH=/usr:/ GREP_OPTIONS=--color=always \
	    GZIP=-v ZSTD_CLEVEL=x IFS=e
	ok receive "$R" --id="$A" <pack.tar
	ok activate "$R" --id="$A" --line="{\"to\":\"$A\"}"
	ok verify "$R" --id="$A"
	unset TAR_OPTIONS POSIXLY_CORRECT CDPATH GREP_OPTIONS GZIP ZSTD_CLEVEL
	IFS=$' \t\n'
	assert_eq "$(value difference)" ""
	assert_eq "$(readlink "$R/current")" "releases/$A"
}

# A root that cannot be made: where, and why.
v_root_that_cannot_be_made() {
	local what words
	small_site
	pack "$A" site
	: >file
	ln -s nowhere dangling
	while IFS='|' read -r what words; do
		R=$PWD/$what
		refused 1 host receive "$R" --id="$A" <pack.tar
		assert_contains "$out" "$words"
	done <<-END
	file/root|Not a directory
	file|Not a directory
	dangling|, a link to what is not there: No such file
	$(printf 'n%.0s' {1..256})|File name too long
	none/root|its parent directory is missing
	END
}

v_group() {
	need_root
	small_site
	manifest site | sed '/^\.\//s/type=dir mode=0755/type=dir mode=02755/' >m
	pack "$A" site
	ok receive "$R" --id="$A" --group=nogroup <pack.tar
	assert_eq "$(stat -c '%G %a' "$R/releases/$A")" "nogroup 2755"
	assert_eq "$(stat -c '%G %a' "$R/releases/$A/a")" "nogroup 2755"
	assert_eq "$(stat -c '%G %a' "$R/releases/$A/a/page.html")" \
	    "nogroup 644"
	pack "$B" site
	expect_status 2 host receive "$R" --id="$B" --group=no-such <pack.tar
	[ ! -e "$R/releases/$B" ] || fail "published"
}

v_no_room() {
	ok init "$R"
	small_site
	pack "$A" site
	refused 10 host receive "$R" --id="$A" --bytes=1000000000000000 \
	    <pack.tar
	assert_contains "$out" "the release needs 1000.0 TB, '$R' has "
	refused 10 host receive "$R" --id="$A" --inodes=100000000000 <pack.tar
	assert_contains "$out" "the release needs 100000000000 inodes, '$R' has "
	assert_nothing
}

v_disk_full() {
	need_root
	mkdir "$R" site
	mount -t tmpfs -o size=300k,mode=755 none "$R" 2>/dev/null || skip "no tmpfs"
	defer umount "$R"
	head -c 1000000 /dev/urandom >site/big
	pack "$A" site
	refused 10 host receive "$R" --id="$A" <pack.tar
	assert_nothing
	rm site/big
	small_site
	receive "$A"
	flip "$A" ""
}

v_no_permission() {
	need_root
	small_site
	receive "$A"
	pack "$B" site
	chmod 755 "$_base" "$_base/work"
	chmod 644 pack.tar
	expect_status 1 as_user_host receive "$R" --id="$B" <pack.tar
	assert_contains "$out" "error	1	"
	assert_eq "$(ls "$R/releases")" "$A"
	# Who may not replace `current` is not armed, and says what is in the way.
	chown -R 65534:65534 "$R"
	chown 0:0 "$R"
	expect_status 1 as_user_host activate "$R" --id="$A" --expect= \
	    --armed=5000 --line="$(line "$A" "")" <<<go
	assert_not_contains "$out" armed
	assert_contains "$out" "cannot replace '$R/current': "
	assert_contains "$out" "'deploy doctor' says who has to change what"
	assert_eq "$(live)" ''
}

# host(), as nobody.
as_user_host() {
	local text
	script "$1"
	local cmd
	case $kind in
	c) cmd=("$DEPLOY" host) ;;
	dash) cmd=(dash -c "$text" deploy-host) ;;
	bash) cmd=(bash --posix -c "$text" deploy-host) ;;
	busybox) cmd=(env PATH="$_base/bb" sh -c "$text" deploy-host) ;;
	esac
	as_user "${cmd[@]}" "$@"
}

# damaged WHAT CODE: the pack is refused with it, and leaves nothing.
damaged() {
	refused "$2" host receive "$R" --id="$A" <pack.tar
	assert_nothing
}

v_damaged_packs() {
	local size n
	small_site
	: >pack.tar
	damaged "empty" 5
	echo "not a tar" >pack.tar
	damaged "garbage" 5
	pack "$A" site
	cp pack.tar whole.tar
	size=$(stat -c %s whole.tar)
	for n in 1 511 512 1024 2048 $((size - 2048)) $((size / 1024 * 512)); do
		head -c "$n" whole.tar >pack.tar
		damaged "cut after $n" 5
	done
	head -c 3000 /dev/urandom >noise
	(head -c 2048 whole.tar; cat noise) >pack.tar
	damaged "noise" 5
	manifest site | sed 's/=\([0-9a-f]\{62\}\)../=\100/' >m
	pack "$A" site
	damaged "other digest" 5
	manifest site >m
	echo more >>site/index.html
	pack "$A" site
	damaged "more bytes than announced" 5
	(manifest site; sed -n 's/index/zzz/p' <(manifest site)) >m
	pack "$A" site
	damaged "lacks an entry" 5
	manifest site | sed '/page/d' >m
	pack "$A" site
	damaged "entry not in the manifest" 5
	manifest site | sed 's/link=index.html/link=a/' >m
	pack "$A" site
	damaged "other link" 5
	manifest site >m
	meta "$B" >j
	pack "$A" site
	damaged "another release's meta" 5
	cp whole.tar pack.tar
	ok receive "$R" --id="$A" <pack.tar
}

# hostile WHAT: the pack is refused; nothing of it is anywhere.
hostile() {
	local text
	damaged "$1" 5
	read -r text <outside
	assert_eq "$text" "outside" "$1"
	[ ! -e "$PWD/evil" ] || fail "$1: wrote outside"
	[ ! -e "$R/evil" ] || fail "$1: wrote into the root"
	[ ! -e "$R/.deploy/evil" ] || fail "$1: wrote into .deploy"
}

v_hostile_packs() {
	local in=.deploy/incoming/$A
	echo outside >outside
	small_site
	ok init "$R"
	# Another name for the page, in the tar and sometimes in the manifest.
	for name in "../evil" "$in/../../evil" "/$PWD/evil" "$PWD/evil" \
	    "$in/../$A/../../../evil" "$in" "$in/" ".deploy/format" \
	    ".deploy/journal" "$in/a/../../../../evil" "./$in/a/page.html" \
	    "current" "releases/$A/evil"; do
		pack "$A" site -P --transform "s|^$in/a/page.html\$|$name|"
		hostile "$name"
	done
	for name in ./../evil ./a/../../evil ././evil /evil ./a//evil './a/\056\056/x' \
	    './\012' './a\000b' ./. ./.. './a/\056' ./index.html/x ./nodir/x; do
		manifest site | sed "s|^\./a/page.html|$name|" >m
		pack "$A" site
		hostile "manifest $name"
	done
	# Links out of the tree.
	for name in /etc/passwd ../outside ../../../outside \
	    a/../../x ../../../shared/../outside; do
		manifest site | sed "s|link=index.html|link=$name|" >m
		ln -sfn "$name" site/link
		pack "$A" site
		hostile "link $name"
	done
	ln -sfn index.html site/link
	# A directory that is a link when something is to be put into it.
	cp -a site swap
	rm -r swap/a
	ln -s "$PWD" swap/a
	manifest site >m
	pack "$A" swap
	hostile "link for a directory"
	# Devices, fifos.
	: >site/fifo
	manifest site >m
	rm site/fifo
	mkfifo site/fifo
	pack "$A" site
	hostile "fifo"
	rm site/fifo
	manifest site >m
	mkfifo site/fifo
	pack "$A" site
	hostile "fifo that is not announced"
	rm site/fifo
	manifest site | sed '/^\.\/a /d' >m
	pack "$A" site
	hostile "a directory is missing"
	# Sparse and multi-volume members, and other exotic types, are no files.
	truncate -s 1M site/holes
	manifest site >m
	pack "$A" site -S
	host receive "$R" --id="$A" <pack.tar >"$out" 2>"$err" ||
	    refused_any 5 receive "$R" --id="$A" <pack.tar
	assert_eq "$(cat outside)" outside
}

# What the verification in the end cannot tell from a good one.
c_hostile_packs() {
	echo outside >outside
	small_site
	ok init "$R"
	manifest site >m
	pack "$A" site -P --transform "s|/a/page.html\$|/&|"
	hostile "two slashes"
	pack "$A" site
	tar -C p --format=gnu --no-recursion -b 1 -cf pack.tar \
	    --null -T names ".deploy/incoming/$A/index.html" \
	    --hard-dereference
	hostile "twice"
	# The file comes before its directory.
	pack "$A" site
	sed -z "/\/a\$/d" names >names2
	tar -C p --format=gnu --no-recursion -b 1 -cf pack.tar --null -T names2
	hostile "the directory does not come"
}

v_hostile_hard_links() {
	local t
	echo outside >outside
	small_site
	receive "$B"
	for t in "$PWD/outside" ../outside .deploy/format .deploy/journal \
	    "releases/$B" "releases/$B/" "releases/$B/../../../outside" \
	    "releases/$B/link" "releases/$B/a" "releases/$C/index.html" \
	    "releases/../outside" "current/index.html" \
	    ".deploy/incoming/$A/index.html" "releases/$B/index.html" \
	    "releases/$B/none"; do
		# The page as a link to it, with the page's digest announced.
		page_as "$t"
		refused_any "1 5" receive "$R" --id="$A" <pack.tar
		[ ! -e "$R/releases/$A" ] || fail "$t: published"
		assert_clean
		assert_eq "$(cat outside)" outside
	done
}

# Nothing of a release may have other modes than those of a build.
v_hostile_modes() {
	local path mode
	echo outside >outside
	while read -r path mode; do
		rm -rf site
		small_site
		chmod "$mode" "site/$path"
		manifest site | sed "s|^\(\./$path type=[a-z]*\) mode=0[0-7]*|\1 mode=$mode|" >m
		pack "$A" site
		hostile "$path $mode"
	done <<-end
		index.html 04755
		index.html 02755
		index.html 06777
		index.html 0666
		index.html 0777
		index.html 0600
		index.html 01644
		a/page.html 04644
		a 0777
		a 01755
		a 0700
		a 0555
		a 06755
	end
	rm -rf site
	small_site
	# Said twice: the last word counts for some.
	for mode in 04755 02755; do
		manifest site | sed "s|^\./index.html.*|& mode=$mode|" >m
		pack "$A" site
		hostile "and $mode"
	done
}

# page_as TARGET: a pack in which a/page.html is a hard link to TARGET.
page_as() {
	pack "$A" site
	mkdir -p p/x
	cp -a p/.deploy/incoming/"$A"/a/page.html p/x/origin
	ln -f p/x/origin p/.deploy/incoming/"$A"/a/page.html
	tar -C p --format=gnu --no-recursion -b 1 -P -cf full.tar \
	    --transform "flags=h;s|^x/origin\$|$1|" x/origin \
	    --null -T names
	tail -c +1025 full.tar >pack.tar
}

# Files that look like the page by size, mtime and mode, but are none of a
# release, or have other content.
c_hard_links_by_their_looks() {
	local t
	mkdir outside.d
	echo PAGE >outside.d/secret
	touch -d "@$when" outside.d/secret
	small_site
	echo OTHR >site/other.html
	ln -s ../../shared/up site/up
	manifest site | sed 's|^\./up .*|& tags=shared|' >m
	pack "$B" site
	ok init "$R"
	mkdir "$R/shared"
	ln -s "$PWD/outside.d" "$R/shared/up"
	ok receive "$R" --id="$B" <pack.tar
	rm -rf site
	small_site
	for t in up/secret other.html; do
		page_as "releases/$B/$t"
		refused 5 host receive "$R" --id="$A" <pack.tar
		[ ! -e "$R/releases/$A" ] || fail "$t: published"
		assert_eq "$(stat -c %h outside.d/secret)" 1 "$t: names"
	done
	page_as "releases/$B/a/page.html"
	ok receive "$R" --id="$A" <pack.tar
}

# ----------------------------------------------------- the client goes away

v_receive_ends_with_its_client() {
	small_site
	head -c 3000000 /dev/urandom >site/big
	pack "$A" site
	mkfifo in
	host receive "$R" --id="$A" <in >answer 2>&1 &
	exec 7>in
	head -c 1000000 pack.tar >&7
	wait_for 5 grep -q ready answer
	exec 7>&-
	wait $! && fail "succeeded"
	assert_nothing
	flock -n -x "$R/.deploy/lock" true || fail "still locked"
}

v_killed_while_receiving() {
	small_site
	head -c 3000000 /dev/urandom >site/big
	pack "$A" site
	mkfifo in
	setsid_host receive "$R" --id="$A"
	exec 7>in
	head -c 1000000 pack.tar >&7
	wait_for 5 grep -q ready answer
	kill -KILL -- "-$pid"
	exec 7>&-
	wait "$pid" || true
	assert_eq "$(ls -A "$R/releases")" "" releases
	wait_for 5 flock -n -x "$R/.deploy/lock" true
	receive "$B"
	assert_eq "$(ls -A "$R/releases")" "$B" releases
	assert_clean
}

# Start host() in a process group of its own, between the files in and
# answer: sets $pid.
setsid_host() {
	set -m
	host "$@" <in >answer 2>&1 &
	pid=$!
	set +m
}

v_sweep() {
	ok init "$R"
	mkdir -p "$R/.deploy/incoming/$B/x" "$R/.deploy/trash/$C/y"
	touch "$R/.deploy/manifests/$B" "$R/.deploy/meta/$B.json" \
	    "$R/.deploy/.tmp-1" "$R/.deploy/meta/.tmp-2"
	small_site
	receive "$A"
	assert_clean
}

# What has no name of ours could be somebody's: an old document root.
v_sweep_spares_what_could_be_a_users() {
	local d
	ok init "$R"
	for d in {incoming/,trash/,,meta/}{mine,.tmp-mine}; do
		mkdir "$R/.deploy/$d"
		echo mine >"$R/.deploy/$d/page"
	done
	small_site
	receive "$A"
	flip "$A" ""
	ok prune "$R" --remove=
	for d in {incoming/,trash/,,meta/}{mine,.tmp-mine}; do
		assert_eq "$(cat "$R/.deploy/$d/page")" mine "$d"
	done
}

# Another one is receiving: all that it has stays as long as its lock is held.
v_sweep_spares_the_living() {
	local f d=$R/.deploy
	ok init "$R"
	mkdir -p "$d/incoming/$B/way"
	for f in incoming/"$B"/way/file incoming/"$B".{lock,manifest,meta,tmp} \
	    incoming/.tmp-x meta/.tmp-x manifests/"$B" meta/"$B".json; do
		echo "of B" >"$d/$f"
	done
	exec 7<"$d/incoming/$B.lock"
	flock -x 7
	small_site
	receive "$A"
	find "$d" -type f -exec grep -l "of B" {} + >left
	assert_eq "$(wc -l <left)" 9 "what is left"
	exec 7>&-
	receive "$C"
	assert_root_clean "$R"
	assert_records "$R"
}

v_locks() {
	ok init "$R"
	small_site
	pack "$A" site
	exec 8>>"$R/.deploy/lock"
	flock -x 8
	refused 3 host receive "$R" --id="$A" --lock-wait=0 <pack.tar
	refused 3 host activate "$R" --id="$A" --lock-wait=0 --line=x
	refused 3 host prune "$R" --lock-wait=0
	refused 3 host pin "$R" --id="$A" --lock-wait=0
	refused 3 host freeze "$R" --lock-wait=0 --record=x
	ok info "$R"
	[ -n "$(value locked)" ] || fail "info does not see the lock"
	host receive "$R" --id="$A" --lock-wait=30 <pack.tar >answer 8>&- &
	sleep 0.3
	[ -d "/proc/$!" ] || fail "did not wait"
	# It says that it lives.
	wait_for 20 grep -qx $'waiting\tlock' answer
	exec 8>&-
	wait $!
	assert_eq "$(tail -n 1 answer)" ok
	assert_tree_eq "$R/releases/$A" site
	ok info "$R"
	assert_eq "$(value locked)" ""
}

v_lock_note() {
	releases 2
	ok prune "$R" --who='ann "x" \ é@ci' --job=https://ci/1 --remove=
	jq -e '.command == "prune" and (.who | startswith("ann"))
	    and .job == "https://ci/1" and .pid > 1' \
	    "$R/.deploy/lock.note" >/dev/null ||
	    fail "$(cat "$R/.deploy/lock.note")"
}

# Whoever may hold the lock may call himself anything, but say nothing else.
v_lock_note_is_one_line() {
	ok init "$R"
	printf '{"who":"ann\\ncurrent\\tevil\\u2028\\rdigest\\tevil","command":"freeze",' \
	    >"$R/.deploy/lock.note"
	printf '"pid":1,"since":"2026-01-01T00:00:00Z"}\n' >>"$R/.deploy/lock.note"
	exec 8>>"$R/.deploy/lock"
	flock -x 8
	ok info "$R"
	exec 8>&-
	assert_eq "$(grep -c '^locked	ann' "$out")" 1 locked
	assert_eq "$(value current)" "" current
	assert_eq "$(grep -c '^digest' "$out")" 0 digest
}

# ------------------------------------------------------------- activate

v_activate() {
	releases 3
	assert_eq "$(live)" "releases/$B"
	flip "$C" "$B" --journal-size="$(stat -c %s "$R/.deploy/journal")"
	assert_eq "$(value live)" "$C"
	assert_eq "$(value from)" "$B"
	assert_eq "$(value changed)" 1
	assert_eq "$(live)" "releases/$C"
	assert_eq "$(jq -r .to "$R/.deploy/journal" | tail -n 1)" "$C"
	assert_eq "$(jq -r .from "$R/.deploy/journal" | tail -n 1)" "$B"
	assert_clean
	ok info "$R" --full
	assert_eq "$(value current)" "$C"
	assert_eq "$(value digest)" \
	    "$(jq -r .digest "$R/.deploy/meta/$C.json")"
	assert_eq "$(value journal | wc -l)" 3
	assert_eq "$(value journal-size)" "$(stat -c %s "$R/.deploy/journal")"
	cp "$R/.deploy/journal" before
	flip "$C" "$B"
	assert_eq "$(value changed)" 0
	assert_file_eq "$R/.deploy/journal" before
	ok journal "$R"
	assert_eq "$(value journal)" "$(cat before)"
}

# fails_to_flip CODE ARG...: and nothing has changed.
fails_to_flip() {
	cp -a "$R/.deploy/journal" before
	refused "$1" host activate "$R" --line="$(line "$B")" "${@:2}"
	assert_file_eq "$R/.deploy/journal" before
	assert_eq "$(live)" "releases/$A"
	assert_eq "$(find "$R/.deploy" -name '.tmp-*')" "" "temporary files"
}

v_activate_guards() {
	local record words
	releases 2
	fails_to_flip 2 --id="$C"
	fails_to_flip 4 --id="$B" --expect=
	fails_to_flip 4 --id="$B" --expect="$C"
	fails_to_flip 4 --id="$B" --expect="$A" --journal-size=1
	record='{"who":"ann","why":"fair","since":"2026-01-01T00:00:00Z","until":null}'
	ok freeze "$R" --record="$record" --message=fair --who=ann
	fails_to_flip 3 --id="$B" --expect="$A"
	assert_contains "$out" "fair"
	assert_contains "$out" "--override=freeze"
	fails_to_flip 3 --id="$B" --expect="$A" --override=order
	for words in build frezee all '' ',' 'freeze,' ',freeze' 'freeze,,order' \
	    'freeze order' 'freeze,*' freeze,build; do
		fails_to_flip 2 --id="$B" --expect="$A" --override="$words"
		assert_contains "$out" "only freeze,order"
	done
	for words in freeze order,freeze freeze,order; do
		ok activate "$R" --id="$B" --expect="$A" --check \
		    --override="$words" --line="$(line "$B" "$A")"
	done
	assert_eq "$(live)" "releases/$A"
	ok freeze "$R" --off
	ok activate "$R" --id="$B" --expect="$A" --check \
	    --line="$(line "$B" "$A")"
	assert_eq "$(live)" "releases/$A"
	mv "$R/.deploy/manifests/$B" manifest
	fails_to_flip 5 --id="$B" --expect="$A"
	mv manifest "$R/.deploy/manifests/$B"
	rm "$R/current"
	mkdir "$R/current"
	refused 1 host activate "$R" --id="$B" --line=x
	rmdir "$R/current"
	ln -s /etc "$R/current"
	refused 1 host activate "$R" --id="$B" --line=x
	refused 1 host info "$R"
}

v_freeze() {
	local record
	releases 3
	record='{"who":"ann","why":null,"since":"2026-01-01T00:00:00Z","until":"2026-01-02T00:00:00Z"}'
	ok freeze "$R" --record="$record" --until=1767312000000
	ok info "$R"
	assert_eq "$(value frozen)" 0
	record=${record/2026-01-02/2999-01-02}
	ok freeze "$R" --record="$record" --until=32472230400000 --who=ann
	ok info "$R"
	assert_eq "$(value frozen)" 1
	assert_eq "$(jq -r .who "$R/.deploy/frozen")" ann
	assert_eq "$(jq -r .until "$R/.deploy/frozen")" 2999-01-02T00:00:00Z
	# A rollback is not stopped, but to what never was live is none.
	refused 3 host activate "$R" --id="$C" --expect="$B" --rollback \
	    --line="$(line "$C" "$B")"
	flip "$A" "$B" --rollback
	ok freeze "$R" --off
	ok freeze "$R" --off
	ok info "$R"
	assert_eq "$(value frozen)" 0
	assert_clean
}

v_current_with_a_slash_or_the_root_before_it() {
	releases 2
	ln -sfn "$R/releases/$A/" "$R/current"
	ok info "$R"
	assert_eq "$(value current)" "$A"
	flip "$B" "$A"
	assert_eq "$(live)" "releases/$B"
}

# What a journal says of $B: is going back to it stopped by a freeze, and is an
# activation, because its content was rolled back from?  Each history is its
# lines, FROM and TO with the action between them, and what is live; b is
# another release with the content of B.
# free: it was live; shut: it never was, or it failed.
# left: it was rolled back from; good: not, or it was live again since.
histories=(
	'shut good  0>A                 A'
	'free good  0>A A>B B>C         C'
	'free left  0>A A>B B<A         A'
	'shut good  0>A A>B B~A         A'
	'shut good  0>A A>B B~A A>C     C'
	'free good  0>A A>B B~A A>B B>C C'
	'free left  0>A A>B B~A A>B B<A A'
	'shut good  0>A A>B B>C C>B B~C C'
	'shut good  0>A A>B             A'
	'shut good  0>A A>B A>C         C'
	'shut good  0>A A>B B~A         C'
	'free good  0>A A>B             C'
	'free left  0>A A>B B<A         C'
	'free good  0>A A>B B~A B>C     C'
	'free good  0>A A>B B>C C<B B~C C'
	'shut good  0>A A<B B~A         A'
	'free good  0>A A>B B>C C~A     A'
	'free good  B>C                 C'
	'free good  B~B 0>A             A'
	'free good  0>A A>B B~A A~B B>C C'
	'shut good                      A'
	'shut good  0>A ? A>B B~A       A'
	'shut good  0>A A>B B~A ?       A'
	'free left  0>A A>B B<A A>C     C'
	'free good  0>A A>B B>C C<A     A'
	'shut left  0>A A>b b<A         A'
	'free good  0>A A>B B<A A>b b>C C'
	'free left  0>A A>B B<A A>b b<A A'
	'free left  0>A A>B B<A A>b b~A A'
	'free left  0>A A>B B<A A>b     A'
	'shut left  0>A A>B B<A A>B B~A A'
	'free good  0>A A>B B<A A<b b>C C'
	'shut good  0>A A>b b<A A~b b>C C'
	'free left  0>A A>B B<A ?       A'
	'free left  0>A A>B B<A ? A>C   C'
	'free good  0=C                 C'
	'shut good  0:C                 C'
	'free good  C=C                 C'
	'free good  0>A A>B B~A A=C     C'
	'free good  0=C                 A'
	'shut good  0>A A=C             A'
	'free good  0>A A>B B<A A=C     C'
	'free left  0>A A>B B<A A:C     C'
	'shut good  0>A A=C C~A         A'
)

# history LINE...: that is the journal; a ? is half a line.
history() {
	local l action from
	: >"$R/.deploy/journal"
	for l; do
		case $l in
		?'>'?) action=activate ;;
		?'<'?) action=rollback ;;
		?'~'?) action=revert ;;
		# A sync, that tells of A and B before, or of A alone.
		?[=:]?) action=sync ;;
		'?')
			printf '{"time":"2026-01-02T00:00:00Z","action":"rollback","from":"%s","to":"%s"\n' \
			    "$B" "$A" >>"$R/.deploy/journal"
			continue
			;;
		esac
		from=$(letter "${l:0:1}")
		case $l in
		?=?) sync_line "$(letter "${l:2}")" "$from" "$A" "$B" ;;
		?:?) sync_line "$(letter "${l:2}")" "$from" "$A" ;;
		esac >>"$R/.deploy/journal"
		[ $action != sync ] || continue
		line "$(letter "${l:2}")" "$from" $action \
		    "$(contents "${l:2}")" "$(contents "${l:0:1}")" \
		    >>"$R/.deploy/journal"
		echo >>"$R/.deploy/journal"
	done
}

# The id that the letter stands for, and its content.
letter() {
	case $1 in
	A) echo "$A" ;;
	B) echo "$B" ;;
	C) echo "$C" ;;
	b) echo "${ids[4]}" ;;
	esac
}

contents() {
	local r
	[ "$1" != 0 ] || return 0
	r=$(<"$R/.deploy/meta/$(letter "${1^}").json") r=${r#*\"digest\":\"}
	echo "${r%%\"*}"
}

v_histories() {
	local h words
	releases 3
	ok freeze "$R" --message=fair --who=ann \
	    --record='{"who":"ann","why":"fair","since":"2026-01-01T00:00:00Z","until":null}'
	for h in "${histories[@]}"; do
		read -ra words <<<"$h"
		history "${words[@]:2:${#words[@]}-3}"
		ln -sfn "releases/$(letter "${words[-1]}")" "$R/current"
		case ${words[0]} in
		free) asked 0 --rollback ;;
		shut) asked 3 --revert ;;
		esac
		case ${words[1]} in
		good) asked 0 --override=freeze ;;
		left)
			asked 4 --override=freeze
			asked 0 --override=freeze,order
			asked 0 --override=freeze --sync
			;;
		esac
	done
}

# asked STATUS ARG...: to make $B live, only to look, ends so.
asked() {
	local status=0
	host activate "$R" --id="$B" --check --line=x "${@:2}" >"$out" \
	    2>"$err" || status=$?
	assert_eq "$status" "$1" "$h: ${*:2}"
}

# Who, when and why are told, whatever they are.
v_content_that_was_rolled_back_from() {
	local said
	releases 3
	history '0>A' 'A>B' 'B<A' 'A>C'
	ln -sfn "releases/$C" "$R/current"
	refused 4 host activate "$R" --id="$B" --line=x --message=again
	assert_contains "$out" "release $B was rolled back from at 2026-01-02T00:00:00Z by t	build something else, or use --override=order"
	history '0>A' 'A>b' 'b<A' 'A>C'
	sed -i 's/"who":"t","job":null,"message":null/"who":null,"job":"j","message":"the \\"from\\":\\"x\\" menu; was } broken"/' \
	    "$R/.deploy/journal"
	refused 4 host activate "$R" --id="$B" --line=x
	said='which has this content, was rolled back from at 2026-01-02T00:00:00Z by somebody: the "from":"x" menu; was } broken	build'
	assert_contains "$out" "release ${ids[4]}, $said"
	for o in '' --override=freeze; do
		refused 4 host activate "$R" --id="$B" --line=x ${o:+"$o"}
	done
	flip "$B" "$C" --override=order
}

# What others serve, and what was live before as they know it; or that alone.
# bridge ID FOR [FILE=CONTENT]...: a release that stands for another, with these
# files, which are carried, beside what site has.
bridge() {
	local more stands_for="\"$2\""
	rm -rf bridged
	cp -a site bridged
	for more in "${@:3}"; do
		mkdir -p "bridged/$(dirname "${more%%=*}")"
		echo "${more#*=}" >"bridged/${more%%=*}"
	done
	manifest bridged >m
	for more in "${@:3}"; do
		sed -i "s|^\./${more%%=*} .*|& tags=carried,last-$when|" m
	done
	meta "$1" >j
	pack "$1" bridged
	ok receive "$R" --id="$1" <pack.tar
}

# A is live, and B stands for it; then C is live, and that is taken back.
v_bridge() {
	local line action
	releases 2
	rm -rf "$R/releases/$B"
	echo 'edition 0' >site/index.html
	bridge "$B" "$A" assets/new.js=new
	ok info "$R"
	value has | finds -x bridge || fail "it does not know bridges"
	refused 2 host activate "$R" --id="$B" --expect="$A" --line="$(line "$B" "$A")"
	assert_contains "$out" "is a bridge, which stands for $A for a while"
	ok freeze "$R" --record='{"who":"ann","since":"2026-01-01T00:00:00Z"}'
	refused 3 host activate "$R" --id="$B" --expect="$A" --bridge \
	    --line="$(line "$B" "$A" bridge)"
	ok freeze "$R" --off
	line=$(line "$B" "$A" bridge)
	ok activate "$R" --id="$B" --expect="$A" --bridge --line="$line" --check
	assert_eq "$(live)" "releases/$A"
	ok activate "$R" --id="$B" --expect="$A" --bridge --line="$line"
	assert_eq "$(value live),$(value from),$(value changed)" "$B,$A,1"
	assert_eq "$(value journal-size)" "$(stat -c %s "$R/.deploy/journal")"
	assert_eq "$(live)" "releases/$B"
	assert_eq "$(tail -n 1 "$R/.deploy/journal" | jq -c '[.action,.from,.to]')" \
	    "[\"bridge\",\"$A\",\"$B\"]"
	cp "$R/.deploy/journal" before
	ok activate "$R" --id="$B" --expect="$A" --bridge --line="$line"
	assert_eq "$(value changed)" 0
	# What is live is what it stands for.
	ok activate "$R" --id="$A" --expect="$A" --line="$(line "$A" "$A")"
	assert_eq "$(value live),$(value changed)" "$A,0"
	assert_eq "$(live)" "releases/$B"
	assert_file_eq "$R/.deploy/journal" before
	ok info "$R" --full --drift
	assert_eq "$(value current),$(value bridge),$(value drift)" "$A,$B,$B"
	assert_eq "$(value difference)" ""
	assert_eq "$(value digest)" "$(jq -r .digest "$R/.deploy/meta/$A.json")"
	ok prune "$R" --keep=1 --remove="$A,$B" --expect="$A"
	assert_eq "$(value pruned)" ""
	echo 'edition 2' >site/index.html
	receive "$C"
	flip "$C" "$A"
	assert_eq "$(value from)" "$A"
	# Back to it, as a revert and a rollback can.
	refused 4 host activate "$R" --id="$B" --expect="$C" --bridge \
	    --line="$(line "$B" "$C" bridge)"
	assert_contains "$out" "$C is live, not $A"
	for action in revert rollback; do
		[ "$(live)" = "releases/$C" ] || flip "$C" "$A"
		ok activate "$R" --id="$B" --expect="$C" "--$action" \
		    --line="$(line "$A" "$C" "$action")"
		assert_eq "$(value live),$(value from)" "$B,$C"
		assert_eq "$(tail -n 1 "$R/.deploy/journal" | jq -c '[.action,.from,.to]')" \
		    "[\"$action\",\"$C\",\"$A\"]"
	done
	ok info "$R" --full
	assert_eq "$(value current),$(value bridge)" "$A,$B"
	assert_clean
	# What it stands for is lost: then it is a release as any other.
	mv "$R/releases/$A" .
	ok info "$R"
	assert_eq "$(value current),$(value bridge)" "$B,"
}

# Other pages than what is live has are no bridge, whatever the meta says.
v_bridges_that_lie() {
	releases 2
	echo 'edition 0' >site/index.html
	refused 2 host activate "$R" --id="$B" --expect="$A" --bridge \
	    --line="$(line "$B" "$A" bridge)"
	assert_contains "$out" "is not a bridge"
	echo other >site/index.html
	bridge "$C" "$A" assets/a.js=a
	refused 5 host activate "$R" --id="$C" --expect="$A" --bridge \
	    --line="$(line "$C" "$A" bridge)"
	assert_contains "$out" "'index.html' differs"
	echo 'edition 0' >site/index.html
	echo more >site/more.html
	bridge "${ids[3]}" "$A"
	refused 5 host activate "$R" --id="${ids[3]}" --expect="$A" --bridge \
	    --line="$(line "${ids[3]}" "$A" bridge)"
	assert_contains "$out" "'more.html' differs"
	rm site/more.html site/index.html
	bridge "${ids[4]}" "$A" index.html=mine
	refused 5 host activate "$R" --id="${ids[4]}" --expect="$A" --bridge \
	    --line="$(line "${ids[4]}" "$A" bridge)"
	assert_contains "$out" "'index.html' differs"
	refused 5 host activate "$R" --id="${ids[4]}" --expect="$A" --revert \
	    --line="$(line "$A" "$A" revert)"
	assert_eq "$(live)" "releases/$A"
}

v_sync() {
	releases 3
	ok activate "$R" --id="$C" --expect="$B" --sync --before="$A" \
	    --line="$(sync_line "$C" "$B" "$A")"
	assert_eq "$(live)" "releases/$C"
	assert_eq "$(value changed)" 1
	assert_eq "$(tail -n 1 "$R/.deploy/journal" | jq -c '[.action,.from,.to,.before]')" \
	    "[\"sync\",\"$B\",\"$C\",[\"$A\"]]"
	ok info "$R"
	assert_eq "$(value verified)" 0
	ok activate "$R" --id="$C" --verified \
	    --line="{\"time\":\"2026-01-01T00:00:00Z\",\"action\":\"verify\",\"to\":\"$C\"}"
	ok activate "$R" --id="$C" --expect="$C" --sync \
	    --before="$A"$'\n'"$B" --line="$(sync_line "$C" "$C" "$A" "$B")"
	assert_eq "$(value changed)" 0
	assert_eq "$(tail -n 1 "$R/.deploy/journal" | jq -c '[.from,.before]')" \
	    "[\"$C\",[\"$A\",\"$B\"]]"
	# What is live has not changed, and stays verified.
	ok info "$R"
	assert_eq "$(value verified)" 1
	cp "$R/.deploy/journal" before
	refused 4 host activate "$R" --id="$C" --expect="$A" --sync \
	    --before="$B" --line="$(sync_line "$C" "$A" "$B")"
	ok activate "$R" --id="$C" --expect="$C" --sync --before="$B" \
	    --line="$(sync_line "$C" "$C" "$B")" --check
	assert_file_eq "$R/.deploy/journal" before
	assert_clean
}

v_skipped() {
	releases 2
	flip "$B" "$A" --skipped=www2$'\n'user@www3$'\n'
	[ "$kind" = c ] || return 0
	assert_eq "$(tail -n 1 "$R/.deploy/journal" | jq -c .skipped)" \
	    '["www2","user@www3"]'
}

v_torn_journal() {
	releases 2
	printf '{"time":"2026' >>"$R/.deploy/journal"
	flip "$B" "$A"
	assert_eq "$(tail -n 1 "$R/.deploy/journal" | jq -r .to)" "$B"
	assert_eq "$(wc -l <"$R/.deploy/journal")" 3
}

# ---------------------------------------------------------------- armed

# arm ID FROM MS: start an armed activation, whose input is descriptor 7.
arm() {
	rm -f in answer
	mkfifo in
	host activate "$R" --id="$1" --expect="$2" --armed="$3" \
	    --line="$(line "$1" "$2")" <in >answer 2>errors &
	pid=$!
	exec 7>in
	wait_for 5 grep -q '^armed' answer
}

# It ends so, within some seconds.
ends() {
	local status=0 began=$SECONDS
	wait "$pid" || status=$?
	((SECONDS - began <= ${2:-20})) || fail "took $((SECONDS - began)) s"
	assert_eq "$status" "$1" "status"
	exec 7>&-
	wait_for 2 flock -n -x "$R/.deploy/lock" true
}

v_armed() {
	releases 2
	arm "$B" "$A" 90000
	assert_eq "$(sed -n 's/^armed	//p' answer)" "$A"
	assert_eq "$(live)" "releases/$A"
	ok info "$R"
	[ -n "$(value locked)" ] || fail "not locked while armed"
	echo go >&7
	ends 0
	assert_eq "$(live)" "releases/$B"
	assert_eq "$(tail -n 1 answer)" ok
	arm "$B" "$A" 90000
	echo go >&7
	ends 0
	assert_contains answer "changed	0"
}

# disarmed: nothing flipped, and the journal's line is not believed.
disarmed() {
	ends 1 "${1:-20}"
	assert_contains answer "error	1	disarmed"
	assert_eq "$(live)" "releases/$A"
	assert_eq "$(find "$R/.deploy" -name '.tmp-*')" "" "temporary files"
}

v_armed_is_held() {
	releases 2
	arm "$B" "$A" 4000
	for _ in 1 2 3; do
		sleep 1.5
		printf 'wait\nwait\n' >&7
	done
	printf 'wait\ngo\n' >&7
	ends 0
	assert_eq "$(live)" "releases/$B"
}

v_disarmed_by_a_word() {
	local word
	releases 2
	for word in stop "" gone "go " " go" GO; do
		arm "$B" "$A" 90000
		echo "$word" >&7
		disarmed
	done
}

v_disarmed_by_the_end() {
	releases 2
	arm "$B" "$A" 90000
	exec 7>&-
	disarmed
	arm "$B" "$A" 90000
	printf go >&7
	exec 7>&-
	# A line that is cut off is no word.
	disarmed
}

v_disarmed_by_the_deadline() {
	local pids
	releases 2
	arm "$B" "$A" 1000
	disarmed 40
	# The word came while it was frozen, and too late.
	arm "$B" "$A" 2000
	mapfile -t pids < <(descendants "$pid")
	kill -STOP "${pids[@]}" "$pid"
	sleep 0.2
	echo go >&7
	sleep 3
	kill -CONT "${pids[@]}" "$pid"
	disarmed 40
}

# It is stopped just before it says that it is armed, here by a pipe that has
# room for the first line only; the client counts from when it asked.
v_disarmed_before_it_is_heard() {
	releases 2
	rm -f in answer full
	mkfifo in full
	exec 8<>full
	head -c $((65536 - 16)) /dev/zero >&8
	host activate "$R" --id="$B" --expect="$A" --armed=1000 \
	    --line="$(line "$B" "$A")" <in >full 2>errors 8>&- &
	pid=$!
	exec 7>in
	echo go >&7
	wait_for 10 is_locked
	sleep 6
	tr -d '\0' <full >answer 8>&- &
	exec 8>&-
	ends 1 40
	wait "$!"
	assert_contains answer "error	1	disarmed"
	assert_eq "$(live)" "releases/$A"
}

is_locked() {
	! flock -n -x "$R/.deploy/lock" true
}

descendants() {
	local c
	for c in $(cat "/proc/$1/task/$1/children" 2>/dev/null); do
		echo "$c"
		descendants "$c"
	done
}

v_armed_dies_with_its_client() {
	releases 2
	rm -f in
	mkfifo in
	setsid_host activate "$R" --id="$B" --expect="$A" --armed=90000 \
	    --line="$(line "$B" "$A")"
	exec 7>in
	wait_for 5 grep -q '^armed' answer
	kill -KILL "$pid"
	exec 7>&-
	wait "$pid" || true
	wait_for 2 flock -n -x "$R/.deploy/lock" true
	assert_eq "$(live)" "releases/$A"
	flip "$B" "$A"
	assert_eq "$(live)" "releases/$B"
	assert_clean
}

# --------------------------------------------------- prune, verify, and pin

v_prune() {
	releases 5
	# Live is the fourth; the fifth was never live, and is old.
	ok prune "$R" --keep=2 --check \
	    --remove="${ids[0]},${ids[1]},${ids[4]}"
	assert_eq "$(value pruned | sort)" \
	    "$(printf '%s\n' "${ids[0]}" "${ids[1]}" "${ids[4]}")"
	assert_eq "$(ls "$R/releases" | wc -l)" 5
	ok prune "$R" --keep=2 --expect="${ids[3]}" \
	    --remove="${ids[0]},${ids[1]},${ids[3]},${ids[4]},../../x,$R" \
	    --journal-size="$(stat -c %s "$R/.deploy/journal")"
	assert_eq "$(value pruned | sort)" \
	    "$(printf '%s\n' "${ids[0]}" "${ids[1]}" "${ids[4]}")"
	assert_eq "$(ls "$R/releases")" "${ids[2]}"$'\n'"${ids[3]}"
	assert_eq "$(live)" "releases/${ids[3]}"
	assert_clean
}

v_verify() {
	odd_site
	receive "$A"
	local r=$R/releases/$A
	ok verify "$R" --id="$A"
	assert_eq "$(value difference)" ""
	echo changed >"$r/with space/ä ü.html"
	rm "$r/-dash"
	echo more >"$r/more \\x"
	chmod 600 "$r/index.html"
	ln -sfn elsewhere "$r/link"
	rm "$r/run"
	mkdir "$r/run"
	ok verify "$R" --id="$A"
	value difference | sed 's/: .*//' | sort -u >got
	printf '%s\n' "with space/ä ü.html" -dash 'more \x' index.html link \
	    run | sort >want
	assert_file_eq got want
	refused 2 host verify "$R" --id="$B"
	sed -i '/ type=link /d' "$R/.deploy/manifests/$A"
	ok verify "$R" --id="$A"
	[[ $(value difference) = *"manifest of $A: has digest "* ]] ||
	    fail "the manifest is believed"
	assert_eq "$(value verified)" ""
	rm "$R/.deploy/manifests/$A"
	ok verify "$R" --id="$A"
	[[ $(value difference) = "manifest of $A: "* ]] || fail "it is not missed"
	assert_eq "$(value lacks-manifest)" ""
	ok verify "$R" --id="$A" --repair
	assert_eq "$(value lacks-manifest)" "$A"
}

# What of the live release is not its manifest's, in the same words everywhere.
v_drift() {
	odd_site
	receive "$A"
	local r=$R/releases/$A
	ok info "$R" --drift
	assert_eq "$(value drift)$(value difference)" ""
	ln -s "releases/$A" "$R/current"
	ok info "$R" --full --drift
	assert_eq "$(value drift)" "$A"
	assert_eq "$(value difference)" ""
	touch -r "$r/index.html" before
	echo longer >>"$r/with space/ä ü.html"
	touch -r before "$r/with space/ä ü.html"
	touch "$r/back\\slash"
	rm "$r/-dash"
	echo more >"$r/more \\x"
	chmod 600 "$r/index.html"
	ln -sfn elsewhere "$r/with space/up link"
	rm "$r/run"
	mkdir "$r/run"
	ok info "$R" --drift
	value difference | sort >got
	sort >want <<-'END'
	with space/ä ü.html: has 9 bytes instead of 2
	back\slash: was modified
	-dash: is missing
	more \x: does not belong there
	index.html: has mode 0600 instead of 0644
	with space/up link: points to 'elsewhere' instead of '../index.html'
	run: has another type
	END
	diff want got >&2 || fail "other differences"
	rm "$R/.deploy/manifests/$A"
	ok info "$R" --drift
	assert_eq "$(value difference | wc -l)" 1
}

v_manifest() {
	odd_site
	receive "$A"
	ok manifest "$R" --id="$A"
	manifest site >m
	assert_eq "$(value size)" "$(stat -c %s m)"
	sed '1,2d;$d' "$out" >got
	assert_file_eq got m
	refused 1 host manifest "$R" --id="$B"
}

v_files() {
	odd_site
	receive "$A"
	printf '%s\n' index.html 'with space/ä ü.html' 'back\slash' nothing \
	    >paths
	ok files "$R" --id="$A" <paths
	{
		echo "deploy-host 1"
		while IFS= read -r name; do
			printf 'size\t%s\n' "$(stat -c %s "site/$name")"
			cat "site/$name"
		done <paths
		echo ok
	} >want
	assert_file_eq "$out" want
	ok files "$R" --id="$A" </dev/null
	for name in ../../journal /etc/passwd a/../../x nosuch a link; do
		echo "$name" >path
		refused_any "1 2 5" files "$R" --id="$A" <path
		assert_not_contains "$out" size
	done
	echo index.html >path
	refused_any "1 5" files "$R" --id="$B" <path
}

# A size that was announced is kept, or the connection ends: the client takes
# whatever comes for content, and waits for the rest.
v_files_that_shrink_meanwhile() {
	local line pid
	mkdir site
	head -c 20000000 /dev/zero >site/big
	receive "$A"
	mkfifo in answer
	host serve "$R" <in >answer &
	pid=$!
	exec 4>in 5<answer
	printf 'files\n--id=%s\n\nbig\n\n' "$A" >&4
	read -r -t 20 -u 5 line
	assert_eq "$line" "deploy-host 1"
	read -r -t 20 -u 5 line
	assert_eq "$line" $'size\t20000000'
	truncate -s 9000 "$R/releases/$A/big"
	timeout 20 cat <&5 >rest || fail "the connection stays"
	[ "$(stat -c %s rest)" -lt 20000000 ] || fail "all of it came"
	exec 4>&- 5<&-
	wait "$pid" || true
}

# Before anything was announced there is an answer, and the next request.
c_files_of_another_size() {
	odd_site
	receive "$A"
	for size in 0 3 99; do
		truncate -s "$size" "$R/releases/$A/index.html"
		echo index.html >path
		refused 5 host files "$R" --id="$A" <path
		assert_not_contains "$out" size
	done
}

v_pin() {
	small_site
	receive "$A"
	cp "$R/.deploy/meta/$A.json" before
	ok pin "$R" --id="$A"
	assert_eq "$(jq .pinned "$R/.deploy/meta/$A.json")" true
	sed 's/"pinned":false/"pinned":true/' before >want
	assert_file_eq "$R/.deploy/meta/$A.json" want
	ok pin "$R" --id="$A"
	ok pin "$R" --id="$A" --off
	assert_file_eq "$R/.deploy/meta/$A.json" before
	refused 1 host pin "$R" --id="$B"
	assert_clean
}

# Verbs that are told a release: it is not there, or lacks its manifest.
v_not_there() {
	local rest none=20260101T000000.999Z-00000000-0000-4000-8000-000000000000
	releases 2
	local rows=(
		"activate --line=$(line "$none" "$A") --expect=$A"
		"verify"
		"verify --repair"
		"preview --name=x --until=5"
	)
	for rest in "${rows[@]}"; do
		refused 2 host "${rest%% *}" "$R" --id="$none" ${rest#"${rest%% *}"}
		assert_contains "$out" "there is no release '$none' in '$R'"
	done
	rm "$R/.deploy/manifests/$B"
	refused 5 host activate "$R" --id="$B" --expect="$A" --line="$(line "$B" "$A")"
	assert_contains "$out" "the manifest of release $B is missing or unreadable"
	refused 5 host preview "$R" --id="$B" --name=x --until=5
	assert_contains "$out" "the manifest of release $B is missing or unreadable"
	assert_live_is "$R" "$A"
	[ ! -e "$R/previews" ] || fail "a preview was made"
}

v_preview() {
	local n soon
	releases 2
	soon=$(($(date +%s) + 1000))
	ok preview "$R" --name=pr-12 --id="$A" --until="$soon"
	assert_eq "$(readlink "$R/previews/pr-12")" "../releases/$A"
	assert_eq "$(stat -c %Y "$R/previews/pr-12")" "$soon"
	ok info "$R"
	assert_eq "$(value preview)" "pr-12	$A	$soon"
	ok preview "$R" --name=pr-12 --id="$B" --until="$((soon + 1))"
	ok preview "$R" --name=a --id="$A" --until=5
	echo mine >"$R/previews/mine"
	ln -s ../releases/nosuch "$R/previews/odd"
	ok info "$R"
	assert_eq "$(value preview)" "a	$A	5
pr-12	$B	$((soon + 1))"
	# Nothing else is a name, and nothing else gives way.
	for n in '' A a_b a.b .. ../x a/b -a a- 12 current latest none previous \
	    "$(printf 'a%.0s' {1..64})"; do
		refused 2 host preview "$R" --name="$n" --id="$A" --until="$soon"
		refused 2 host preview "$R" --name="$n" --off
	done
	refused 1 host preview "$R" --name=mine --id="$A" --until="$soon"
	refused 1 host preview "$R" --name=mine --off
	refused 1 host preview "$R" --name=odd --id="$A" --until="$soon"
	refused 1 host preview "$R" --name=odd --off
	refused 2 host preview "$R" --name=pr-12 --id="$C" --until="$soon"
	refused 2 host preview "$R" --name=pr-12 --until="$soon"
	refused 2 host preview "$R" --name=pr-12 --id="$A" --until=x
	assert_eq "$(readlink "$R/previews/pr-12")" "../releases/$B"
	# What is over goes with a prune, and what is shown stays.
	ok prune "$R" --keep=1 --check
	assert_eq "$(value expired)" ""
	ok prune "$R" --keep=1 --remove="$B" --expect="$(basename "$(readlink "$R/current")")" \
	    --journal-size="$(stat -c %s "$R/.deploy/journal")"
	assert_eq "$(value expired)" a
	[ -d "$R/releases/$B" ] || fail "$B is gone"
	ok preview "$R" --name=pr-12 --off
	ok preview "$R" --name=pr-12 --off
	assert_eq "$(ls "$R/previews")" "mine
odd"
	assert_clean
}

# ---------------------------------------------------------------------- adopt

# adopt_args: what the client says when it wants that, with the records that
# only the sh verbs are given.
adopt_args() {
	local none
	printf -v none '%064d' 0
	args=("$R" --id="$A" --mtime="$when" --exclude="$1" --shared="$2")
	[ "$kind" != c ] || return 0
	args+=(--meta="$(meta "$A" | sed 's/"files":1,"bytes":1/"files":0,"bytes":0/; s/"digest":"[0-9a-f]*"/"digest":"'"$none"'"/')"
	    --line="$(line "$A" '' activate "$none")")
}

v_adopt_of_a_link() {
	local args digest
	small_site
	mkdir -p site/up "$R/shared"
	echo log >site/a/x.log
	echo mine >"$R/shared/up"
	rmdir site/up
	ln -s "$R/shared/up" site/up
	ln -s "$PWD/site" "$R/current"
	adopt_args '*.log
/nothing' up
	ok adopt "${args[@]}"
	assert_eq "$(value adopted)" "$A"
	assert_eq "$(value stays)" "$(realpath site)"
	assert_eq "$(value excluded)" 2
	assert_eq "$(value files)" 2
	assert_eq "$(live)" "releases/$A"
	assert_eq "$(readlink "$R/current/up")" ../../shared/up
	[ ! -e "$R/current/a/x.log" ] || fail "not left out"
	[ -e site/a/x.log ] && [ -L site/up ] || fail "what was served is changed"
	ok verify "$R" --id="$A"
	assert_eq "$(value difference)" ""
	ok info "$R" --full
	assert_eq "$(value current)" "$A"
	digest=$(sed -e '1,2d' -e 's/ time=[^ ]*//' \
	    "$R/.deploy/manifests/$A" | sha256sum)
	assert_eq "$(jq -r .digest "$R/.deploy/meta/$A.json")" "${digest%% *}"
	assert_eq "$(jq -r .digest "$R/.deploy/journal")" "${digest%% *}"
	assert_eq "$(jq -r .to "$R/.deploy/journal")" "$A"
	# Once more: nothing to do.
	ok adopt "${args[@]}"
	assert_eq "$(value adopted)" ""
	assert_clean
}

v_adopt_refuses() {
	local args
	small_site
	ok init "$R"
	adopt_args '' ''
	refused 1 host adopt "${args[@]}"
	ln -s nowhere "$R/current"
	refused 1 host adopt "${args[@]}"
	ln -sfn "$PWD/site" "$R/current"
	mkfifo site/fifo
	refused 5 host adopt "${args[@]}"
	rm site/fifo
	ln -s "$PWD" site/out
	refused 2 host adopt "${args[@]}"
	rm site/out
	printf x >"site/$(printf 'a\001b')"
	refused 5 host adopt "${args[@]}"
	rm site/a?b
	refused 2 host adopt "$R" --id=x "${args[@]:2}"
	ln -sfn "$PWD" "$R/current"
	refused 2 host adopt "${args[@]}"
	assert_eq "$(live)" "$PWD"
	assert_nothing
}

# ------------------------------------------------------- all on one root

# Each is frozen by one, which all others believe, and thawed by another.
t_freezes_of_all_kinds() {
	local k other=busybox until
	busybox_path
	R=$PWD/root
	kind=c
	releases 2
	for k in $kinds; do
		for until in "" 32472230400000 1767312000000; do
			kind=$k
			freeze_until "$until"
			for kind in $kinds; do
				assert_frozen "$until"
			done
			kind=$other
			ok freeze "$R" --off
		done
		other=$k
	done
}

# Freeze as the client would have it: until $1, in ms, or for ever.
freeze_until() {
	local record='{"who":"ann","why":"\"fair\"","since":"2026-01-01T00:00:00Z","until":'
	if [ -n "$1" ]; then
		record+="\"$(date -u -d "@${1%000}" +%FT%TZ)\"}"
	else
		record+='null}'
	fi
	ok freeze "$R" --who=ann --message='"fair"' --record="$record" \
	    ${1:+--until="$1"}
}

# Nothing but the past thaws it.
assert_frozen() {
	local frozen=1
	[ "$1" != 1767312000000 ] || frozen=0
	ok info "$R"
	assert_eq "$(value frozen)" "$frozen" "$kind: frozen"
	if [ "$frozen" = 0 ]; then
		ok activate "$R" --id="$B" --expect="$A" --check \
		    --line="$(line "$B" "$A")"
	else
		refused 3 host activate "$R" --id="$B" --expect="$A" \
		    --line="$(line "$B" "$A")"
		assert_contains "$out" fair
	fi
}

t_all_kinds_on_one_root() {
	local i=0 last='' k
	busybox_path
	R=$PWD/root
	small_site
	for k in $kinds $kinds; do
		kind=$k
		id=20260101T000000.$((101 + i))Z-00000000-0000-4000-8000-000000000000
		echo "$i" >site/index.html
		receive "$id"
		flip "$id" "$last"
		last=$id
		i=$((i + 1))
		for kind in $kinds; do
			ok info "$R" --full
			assert_eq "$(value current)" "$id"
			assert_eq "$(value release | wc -l)" "$i"
			ok verify "$R" --id="$id"
			assert_eq "$(value difference)" ""
		done
	done
	deploy rollback --root "$R"
	deploy verify --root "$R"
	assert_clean
}

t_busybox_needs_nothing_else() {
	begin busybox
	local missing
	missing=$(PATH=$_base/bb "$_base/bb/sh" -c 'command -v gcc perl python3 zstd' ||
	    true)
	assert_eq "$missing" ""
}

# The programs that host.sh says it needs, and the shell, are in bb.
only_tools() {
	mkdir bb
	_base=$PWD
	read -r -d '' -a tools < <(
		sed -n '/^tools="/,/"$/s/tools=\|"//gp' "$TREE/src/host/host.sh") ||
	    true
	((${#tools[@]} > 20)) || fail "tools: ${tools[*]}"
	for tool in "${tools[@]}"; do
		ln -s "$(type -P "$tool")" bb
	done
	ln -s "$(type -P dash)" bb/sh
}

t_a_tool_that_a_sh_host_lacks_is_named() {
	local tool tools
	begin dash
	only_tools
	kind=busybox
	ok init "$R"
	for tool in "${tools[@]}"; do
		mv "bb/$tool" away
		refused 1 host info "$R"
		assert_contains "$out" "error	1	the host lacks '$tool', which the sh verbs need	install it, or deploy"
		if [ "$tool" = sed ]; then
			ok probe "$R"
			! grep "^tool	$tool	" "$out" || fail "$tool"
		fi
		mv away "bb/$tool"
	done
	# No others are needed.
	rm -r "$R"
	v_activate
}

t_noise_of_the_shell_is_skipped() {
	mkdir site
	echo x >site/index.html
	cat >noisy <<-EOF
	#!/bin/sh
	echo "Welcome!"
	echo "error	1	not really"
	exec "$DEPLOY" "\$@"
	EOF
	chmod +x noisy
	cat >deploy.yml <<-EOF
	sites:
	  - name: t
	    root: $PWD/r
	    source: site
	    hosts: [{address: h, transport: local, deploy: $PWD/noisy}]
	EOF
	run deploy publish
	[ -e r/current/index.html ] || fail "not live"
}

make_tests() {
	local f k
	while read -r f; do
		for k in $kinds; do
			# The long tables: two shells are enough.
			[[ $k:$f != bash:v_@(hostile|damaged)* ]] || wide ||
			    continue
			eval "t_${f#v_}_by_$k() { begin $k; $f; }"
		done
	done < <(grep -oE '^v_[a-z_0-9]+' "$0")
	while read -r f; do
		eval "t_${f#c_}() { begin c; $f; }"
	done < <(grep -oE '^c_[a-z_0-9]+' "$0")
}

make_tests
run_tests
