#!/bin/bash
# Hostile archives, given to `stage`: nothing outside of the release that is
# made changes, a refusal names the entry and leaves nothing, and what it costs
# is bounded.  (23 has what is damaged, and the plain ways out.)
# parts: 4
# A mount namespace of our own, where that is possible: there disks are full.
# shellcheck source=tests/mounts.sh
. "$(dirname "$0")/../mounts.sh"
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/root.sh
. "$TREE/tests/root.sh"

# A live release, and beside the root what no archive may touch.
begin() {
	need_cmd python3
	# Not what only leads to it: it is started often.
	python=("$(python3 -c 'import sys; print(sys.executable)')" -I -S)
	mkdir -p victim site
	echo secret >victim/secret
	echo "echo you" >victim/run.sh
	echo hello >site/index.html
	echo base >site/base.html
	base=$(deploy publish -q site --root root)
	snapshot >before
}

# All that is on disk but for the lock's: names, inodes, modes, content.
snapshot() {
	find victim root site "$HOME" "$TMPDIR" ! -name 'lock*' ! -name '.deploy' \
	    ! -path root/.deploy/incoming ! -path root/.deploy/trash \
	    ! -path root/releases ! -path 'root/.deploy/m*' \
	    -printf '%p %y %m %i %n %s %l\n' | LC_ALL=C sort
	cat victim/* "root/releases/$base"/*
}

# archive KIND ENTRY...: as attack_archive.py has it, into $f.  7z is made of the
# tar by bsdtar.
archive() {
	local kind=$1
	f=evil.$kind
	shift
	if [ "$kind" = 7z ]; then
		"${python[@]}" "$TREE/tests/attack_archive.py" tar "$@" >evil.7z.tar
		bsdtar -P -cf evil.7z --format 7zip @evil.7z.tar
	else
		"${python[@]}" "$TREE/tests/attack_archive.py" "$kind" "$@" >"$f"
	fi
}

# table: rows STATUS|KINDS|TEXT|ENTRIES of standard input, in each of the kinds.
# Refused: the message has the text and the archive's name, and nothing is
# changed.  Taken (0): the release has what its manifest says, files of 0644 or
# 0755 and directories of 0755 of no other user, links that stay, and TEXT in
# its list; what was there before is as it was.
table() {
	local status kinds text entries kind words n=0
	while IFS='|' read -r status kinds text entries; do
		eval "words=($entries)"
		for kind in $kinds; do
			n=$((n + 1))
			[ "$kind" != 7z ] || command -v bsdtar >/dev/null ||
			    continue
			archive "$kind" f index.html hello "${words[@]}"
			if [ "$status" = 0 ]; then
				taken "$text"
			else
				refused "$status" "$text" "$kind: $entries"
			fi
		done
	done
	rows=$n
}

refused() {
	local got=0
	deploy stage "$f" --root root >"$out" 2>"$err" || got=$?
	_no_sanitizer_report
	[[ "/$1/" = *"/$got/"* ]] ||
	    fail "status $got, not $1: $3: $(cat "$err")"
	assert_contains "$err" "$f: "
	assert_contains "$err" "$2"
	! LC_ALL=C grep -qP '[\x00-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f]' "$err" ||
	    fail "control characters: $3: $(cat -v "$err")"
	unchanged "$3"
}

unchanged() {
	snapshot >after
	diff before after >&2 || fail "changed by $1"
	assert_eq "$(ls root/releases)" "$base" "$1"
	nothing_left
}

taken() {
	local got=0 id d
	deploy stage -q --again "$f" --root root >"$out" 2>"$err" || got=$?
	_no_sanitizer_report
	[ "$got" -eq 0 ] || fail "status $got: $entries: $(cat "$err")"
	id=$(<"$out")
	d=root/releases/$id
	run deploy verify --root root
	find "$d" -printf '%y %P %l\n' | LC_ALL=C sort >list
	assert_contains list "$1"
	assert_eq "$(find "$d" -type f ! -perm 0644 ! -perm 0755)" "" "modes"
	assert_eq "$(find "$d" -type d ! -perm 0755)" "" "modes"
	assert_eq "$(find "$d" ! -type f ! -type d ! -type l)" "" "types"
	assert_eq "$(find "$d" ! -user "$(id -u)")" "" "owners"
	rm -rf "$d" "root/.deploy/manifests/$id" "root/.deploy/meta/$id.json"
	sed -E 's/^(root\/releases\/[^ ]* f [0-9]* [0-9]*) [0-9]*/\1/' before >want
	snapshot | sed -E 's/^(root\/releases\/[^ ]* f [0-9]* [0-9]*) [0-9]*/\1/' |
	    diff want - >&2 || fail "changed by: $entries"
}

# -------------------------------------------------------------------- names

t_names() {
	local deep long
	begin
	deep=$(printf 'd/%.0s' {1..2000}) long=$(printf '%0300d' 0)
	table <<-END
	5|tar zip cpio 7z|../evil|f ../evil x
	5|tar zip cpio 7z|..|d .. -
	5|tar zip cpio 7z|a/../../evil|f a/../../evil x
	5|tar zip cpio|/evil|f /evil x
	5|tar zip cpio|//evil|f //evil x
	5|tar zip cpio 7z|../evil|f ./../evil x
	5|tar zip cpio 7z|victim|f a/./../../../victim/secret x
	5|tar|$PWD/victim/secret|f $PWD/victim/secret x
	5|tar zip cpio 7z|..|l a/../../evil x
	5|tar zip cpio 7z|..|d ../../evil -
	5|tar|..|h ../evil index.html
	5|tar zip cpio|..|f a/.. x
	5|tar zip cpio 7z|control|f 'a\\x1b[2J' x
	5|tar zip cpio 7z|control|f 'a\\nb' x
	5|tar zip cpio 7z|control|f 'a\\rb' x
	5|tar zip cpio 7z|control|f 'a\\x7fb' x
	5|tar zip cpio 7z|control|f 'a\\xc2\\x9b31m' x
	5|tar zip cpio 7z|control|d 'a\\tb' -
	5|tar zip cpio 7z|control|l 'a\\x1bb' index.html
	5|tar cpio|$long|f $long x
	5|tar cpio||f ${deep}x x
	5|tar||f $(printf '%05000d' 0) x
	5|tar|is the top|f . x
	5|tar||f '' x
	5|tar|control|x path 'a\\x1bb' f x y
	0|tar cpio|f ..\\evil|f '..\\\\evil' x
	0|tar cpio|f %s%n|f %s%n x
	0|tar zip cpio 7z|f -rf|f -rf x
	0|tar zip cpio|d ...|d ... -
	0|tar zip cpio|f .hidden|f .hidden x
	0|tar zip cpio|f a/b/c|f ./a//b/./c x
	END
	((rows >= 75)) || fail "only $rows rows"
}

# A NUL ends a name of a tar's header, which is padded with it; elsewhere the name
# is refused.  It hides nothing.
t_names_with_a_nul() {
	begin
	table <<-'END'
	0|tar|f safe|f 'safe\x00/../../evil' x
	5|zip|control|f 'safe\x00/../../evil' x
	5|zip|control|f 'index.html\x00.bak' x
	5|zip|control|d 'index.html\x00' -
	5|tar|control|x path 'safe\x00/../../evil' f y x
	5|tar|control|x path 'index.html\x00.bak' f y x
	5|tar|..|f '../evil\x00safe' x
	5|tar|control|x path '../evil\x00' f y x
	END
}

# -------------------------------------------------------------------- links

t_links() {
	begin
	table <<-END
	5|tar zip cpio 7z|'esc'|l esc /etc/passwd
	5|tar zip cpio 7z|'esc'|l esc ../../../victim
	5|tar zip cpio 7z|'esc'|l esc ..
	5|tar zip cpio 7z|'d/esc'|d d - l d/esc ../..
	5|tar zip cpio 7z|'d/esc'|l d/esc ../x/../../..
	5|tar zip cpio|'esc'|l esc $PWD/victim
	5|tar|'esc'|l esc ''
	5|tar zip cpio|'esc'|l esc './d/../../..'
	5|tar zip cpio 7z|'d'|d e - l d e f d/evil x
	5|tar zip cpio 7z|'d/l'|d d - l d/l .. f d/l/evil x
	5|tar zip cpio 7z|'l'|l l index.html f l/evil x
	5|tar zip cpio|'l'|l l . l l/m .. f l/m/evil x
	5|tar zip cpio|'l'|l l nowhere d l/evil -
	5|tar|'l'|l l . h l/evil index.html
	5|tar|a\x1bb|l l 'a\\x1bb'
	0|tar zip cpio 7z|l l m|l l m l m l
	0|tar zip cpio 7z|l l l|l l l
	0|tar zip cpio|d l |l l d d l - f l/x y
	0|tar zip cpio|f l |d e - l l e f l x
	0|tar zip cpio 7z|l d/l ../index.html|d d - l d/l ../index.html
	END
	((rows >= 55)) || fail "only $rows rows"
}

# Hard links: to nothing outside, through no link; one to a link is that link.
# What is written to one later reaches neither its other names nor the release
# before.
t_hard_links() {
	begin
	table <<-END
	5|tar|/etc/passwd|h x /etc/passwd
	5|tar|victim/secret|h x ../../victim/secret
	5|tar|victim/secret|h x $PWD/victim/secret
	5|tar|nowhere|h x nowhere
	5|tar|x|h x x
	5|tar|later|h x later f later y
	5|tar|d|d d - h x d
	0|tar|l x index.html|l l index.html h x l
	5|tar|l/index.html|l l . h x l/index.html
	5|tar|..|h x d/../../x
	5|tar|..|h x ..
	5|tar|..|h x ../$base/index.html
	0|tar|f x|h x index.html
	0|tar|f x|f base.html base h x base.html f x other
	0|tar|f x|f base.html base h x base.html f base.html other
	END
	# A hard link that brings content (as pax allows): not written into what
	# it names, which may be the live release's own file.
	archive tar f index.html hello f base.html base H x base.html CHANGED
	got=0
	deploy stage -q "$f" --root root >"$out" 2>"$err" || got=$?
	[[ " 0 5 " = *" $got "* ]] || fail "status $got"
	assert_eq "$(cat "root/releases/$base/base.html")" base
	run deploy verify --root root
}

# ---------------------------------------------------------- types and modes

t_types() {
	local flag
	begin
	table <<-'END'
	5|tar cpio|'dev'|c dev -
	5|tar cpio|'dev'|b dev -
	5|tar cpio|'pipe'|p pipe -
	5|tar cpio|'a/pipe'|d a - p a/pipe -
	END
	# Flags that are not of the standard: refused, or a plain file.
	for flag in D M N S V Z A I '\\xff' '\\x01'; do
		archive tar f index.html hello T x y "$flag" f z z
		got=0
		deploy stage -nq "$f" --root root >"$out" 2>"$err" || got=$?
		_no_sanitizer_report
		[[ $got = [05] ]] || fail "status $got: $flag: $(cat "$err")"
		if [ "$got" -eq 0 ]; then
			entries="flag $flag"
			taken "f z"
		else
			unchanged "flag $flag"
		fi
	done
}

t_modes() {
	begin
	table <<-'END'
	0|tar zip cpio 7z|f x|f x y 4755
	0|tar zip cpio 7z|f x|f x y 6777
	0|tar zip cpio 7z|f x|f x y 2644
	0|tar zip cpio 7z|f x|f x y 0000
	0|tar zip cpio 7z|f x|f x y 0666
	0|tar zip cpio 7z|d x|d x - 1777
	0|tar zip cpio 7z|d x|d x - 0000 f x/y z
	0|tar zip cpio 7z|d x|d x - 6777
	0|tar|f x|x SCHILY.xattr.user.evil yes f x y
	0|tar|f x|x SCHILY.xattr.security.capability '\x01\x00\x00\x02' f x y
	0|tar|f x|x SCHILY.acl.access 'user::rwx,user:root:rwx' f x y
	0|tar|f x|x uid 0 f x y
	0|tar|f x|x uname root f x y
	0|tar|f x|x mtime 99999999999 f x y
	0|tar|f x|x mtime -1 f x y
	END
}

# -------------------------------------------------- what comes a second time

t_twice() {
	begin
	table <<-'END'
	0|tar zip cpio|f a|f a old f a new
	0|tar zip cpio|l a index.html|f a x l a index.html
	0|tar zip cpio|f a|l a index.html f a x
	0|tar zip cpio|f a|d a - f a x
	0|tar zip cpio|d a|f a x d a -
	0|tar zip cpio|d a|d a - d a -
	5|tar zip cpio|'a'|d a - f a/b x f a y
	5|tar zip cpio|'a'|d a - f a/b x l a index.html
	5|tar zip cpio|'a'|f a x f a/b y
	5|tar zip cpio|'a'|l a index.html d a/b -
	0|tar zip cpio|f A|f a x f A y
	END
	# What is written later is written to no link's end.
	archive tar f index.html hello l a index.html f a evil
	run deploy stage -q "$f" --root root
	assert_eq "$(cat "root/releases/$(<"$out")/index.html")" hello
}

# -------------------------------------------------------- numbers and headers

t_numbers() {
	begin
	table <<-'END'
	5/10|tar||s x 1000000 y
	5/10|tar||s x 4611686018427387904 y
	5/10|tar||s x 9223372036854775807 y
	5/10|tar||s x 99999999999999999999 y
	5|tar||s x -1 y
	5|tar||s x -9223372036854775808 y
	5/10|tar||x size 1000000 f x y
	5/10|tar||x size 9223372036854775807 f x y
	5/10|tar||x size 99999999999999999999 f x y
	5|tar||x size -1 f x y
	5/10|tar||x GNU.sparse.major 1 x GNU.sparse.minor 0 x GNU.sparse.realsize 1152921504606846976 f x y
	5/10|tar||x GNU.sparse.size 1152921504606846976 x GNU.sparse.map 0,1 f x y
	5/10|tar||x GNU.sparse.size -1 x GNU.sparse.map 0,1 f x y
	5/10|tar||x GNU.sparse.size 10 x GNU.sparse.map 9223372036854775807,9 f x y
	5/10|tar||x SCHILY.realsize 1152921504606846976 f x y
	5|tar|..|x path ../evil f x y
	0|tar|f x|g path ../evil f x y
	5|tar|/etc/passwd|x linkpath /etc/passwd h x index.html
	5|tar|'x'|x linkpath /etc/passwd l x index.html
	5|tar||r garbage
	END
}

# Lengths of pax records that lie, and headers of any length: refused or left
# out, with little memory.
t_pax_records() {
	local record n=0
	begin
	for record in '99999999 path=x' '0 path=x' '-1 path=x' '5 path=x' \
	    '18446744073709551615 path=x' 'path=x' '12 path=../e' \
	    '13 path=../ev' '11 =value!' '30 path' '9 size=9' ''; do
		n=$((n + 1))
		archive tar T pax "$record\\n" x f x y
		got=0
		deploy stage -q "$f" --root root >"$out" 2>"$err" || got=$?
		_no_sanitizer_report
		[[ " 0 5 10 " = *" $got "* ]] || fail "status $got: $record"
		[ "$got" -ne 5 ] || assert_contains "$err" "$f: "
		[ ! -e root/ev ] && [ ! -e root/releases/ev ] || fail "$record"
	done
	# A value of 40 MB; a name of 40 MB.
	for n in x L K; do
		head -c 40000000 /dev/zero | tr '\0' a >value
		"${python[@]}" - "$n" >evil.tar <<-'END'
		import sys
		sys.argv, kind = ["", "none"], sys.argv[1]
		import io, tarfile
		data = open("value", "rb").read()
		if kind == "x":
		    data = b"40000018 comment=" + data + b"\n"
		h = tarfile.TarInfo("x")
		h.type, h.size = kind.encode(), len(data)
		sys.stdout.buffer.write(h.tobuf() + data + bytes(-len(data) % 512))
		t = tarfile.TarInfo("index.html")
		sys.stdout.buffer.write(t.tobuf() + bytes(1024))
		END
		got=0
		command time -q -o memory -f %M deploy stage -q evil.tar \
		    --root root >"$out" 2>"$err" || got=$?
		_no_sanitizer_report
		[ "$got" -eq 5 ] || fail "status $got: $(cat "$err")"
		[ -n "${TEST_SANITIZE:-}" ] ||
		    (($(tail -n 1 memory) < 200000)) || fail "$(cat memory) KB"
	done
}

# --------------------------------------------------------------------- bombs

# repeated N FILE: the file N times.
repeated() {
	local i
	for ((i = 0; i < $1; i++)); do echo "$2"; done | xargs cat
}

# A million entries for one name: the time of a million, the memory of one.
t_a_million_entries() {
	begin
	"${python[@]}" "$TREE/tests/attack_archive.py" tar d a - |
	    head -c 512 >entry
	repeated 1000 entry >thousand
	"${python[@]}" "$TREE/tests/attack_archive.py" tar f index.html x >rest
	{
		repeated 1000 thousand
		cat rest
	} | gzip -1 >evil.tar.gz
	run command time -q -o memory -f %M deploy stage -q evil.tar.gz --root root
	[ -n "${TEST_SANITIZE:-}" ] || (($(tail -n 1 memory) < 200000)) ||
	    fail "$(cat memory) KB"
	run deploy verify --root root
}

# What unpacks to more than there is room for is refused by what comes, not
# believed, and not before the disk is full.
t_bombs_have_to_fit() {
	local name
	tmpfs small size=16m
	cd small
	begin
	head -c 300000000 /dev/zero | gzip -9 >../zeros.gz
	"${python[@]}" - <<-'END'
	import zipfile, tarfile, io, gzip
	with zipfile.ZipFile("../bomb.zip", "w", zipfile.ZIP_DEFLATED) as z:
	    z.writestr("index.html", "x")
	    for i in range(40):
	        z.writestr("f%d" % i, bytes(1 << 20))
	# Entries that share their bytes.
	b = io.BytesIO()
	with zipfile.ZipFile(b, "w", zipfile.ZIP_DEFLATED) as z:
	    z.writestr("index.html", bytes(1 << 20))
	    first = z.infolist()[0]
	    for i in range(64):
	        import copy
	        c = copy.copy(first)
	        c.filename = c.orig_filename = "f%d" % i
	        z.filelist.append(c)
	        z.NameToInfo[c.filename] = c
	    z._didModify = True
	open("../overlap.zip", "wb").write(b.getvalue())
	h = tarfile.TarInfo("bomb")
	h.size = 300000000
	with gzip.open("../bomb.tar.gz", "wb", 6) as g:
	    g.write(h.tobuf())
	    for i in range(300):
	        g.write(bytes(1000000))
	    g.write(bytes(512 * 3))
	END
	for name in bomb.zip bomb.tar.gz; do
		got=0
		command time -q -o ../memory -f %M deploy stage -q ../$name \
		    --root root >../out 2>../err || got=$?
		_no_sanitizer_report
		[[ " 5 10 " = *" $got "* ]] ||
		    fail "status $got: $name: $(cat ../err)"
		assert_contains ../err "$name: "
		[ -n "${TEST_SANITIZE:-}" ] ||
		    (($(tail -n 1 ../memory) < 200000)) || fail "$name: memory"
		unchanged $name
		# And from a pipe, which may be put aside.
		got=0
		cat ../$name | deploy stage -q - --root root >../out 2>../err ||
		    got=$?
		[[ " 5 10 " = *" $got "* ]] || fail "status $got: $name, a pipe"
		unchanged "$name, a pipe"
	done
	# Entries that share their bytes are as many, or one.
	got=0
	deploy stage -q ../overlap.zip --root root >../out 2>../err || got=$?
	_no_sanitizer_report
	[[ " 0 5 10 " = *" $got "* ]] || fail "status $got: overlap.zip"
	(($(du -sm root | cut -f 1) < 16)) || fail "overlap.zip fills the disk"
	# A compressed file in a compressed file is no archive.
	gzip -9 <../bomb.tar.gz >../nested.gz
	gzip -9 <../zeros.gz >../nested2.gz
	for name in nested.gz nested2.gz zeros.gz; do
		expect_status 5 deploy stage -q ../$name --root root
		nothing_left
	done
	cd ..
}

# A signal ends it soon, whatever it is at, and leaves nothing.
t_signals() {
	local name pid began
	begin
	head -c 2000000000 /dev/zero | gzip -1 >zeros.gz
	"${python[@]}" "$TREE/tests/attack_archive.py" tar d a - | head -c 512 >entry
	repeated 1000 entry >thousand
	repeated 4000 thousand | gzip -1 >entries.tar.gz
	for name in zeros.gz entries.tar.gz; do
		deploy stage -q $name --root root >"$out" 2>"$err" &
		pid=$!
		pause 0.3
		began=${EPOCHREALTIME/./}
		kill -TERM "$pid" 2>/dev/null || continue
		got=0
		wait "$pid" || got=$?
		began=$(((${EPOCHREALTIME/./} - began) / 1000))
		((began < 8 * 2000)) || fail "$began ms: $name"
		[[ " 1 5 " = *" $got "* ]] || fail "status $got: $name"
		unchanged $name
	done
}

run_tests
