#!/bin/bash
# deploy stage, from a directory: what becomes of names, modes, times and
# links; what is linked and what is copied; what is refused, and that a
# refusal leaves nothing behind.
# shellcheck source=tests/mounts.sh
. "$(dirname "$0")/../mounts.sh"
# parts: 4
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/root.sh
. "$TREE/tests/root.sh"

ID='^[0-9]{8}T[0-9]{6}\.[0-9]{3}Z-[0-9a-f-]{36}$'

# stage [OPTION...]: stage ./site into ./root; prints the id.
stage() {
	deploy stage -q site --root root "$@"
}

mtime() {
	stat -c %Y -- "$1"
}

count_releases() {
	releases | wc -l
}

intact() {
	local id
	for id; do
		run deploy verify --root root "$id"
	done
}

# refused STATUS TEXT [OPTION...]: staging ./site ends with STATUS and TEXT
# and leaves nothing.
refused() {
	local status=$1 text=$2 before
	shift 2
	before=$([ ! -d root/releases ] || releases)
	expect_status "$status" deploy stage site --root root "$@"
	assert_contains "$err" "$text"
	[ ! -s "$out" ] || fail "an answer: $(<"$out")"
	assert_eq "$([ ! -d root/releases ] || releases)" "$before" releases
	nothing_left
}

# Everything about every file but when it was read.
everything() {
	find "$@" -printf '%p %y %m %u %g %s %T@ %C@ %i %n %l\n' | sort
}

# ------------------------------------------------------------------- basics

t_prints_the_id_alone() {
	local id
	small
	id=$(deploy stage site --root root 2>said)
	[[ $id =~ $ID ]] || fail "'$id' is not an id"
	assert_eq "$(releases)" "$id"
	assert_contains said "staged 3 files"
	[ ! -e root/current ] || fail "staging made it live"
	nothing_left
}

t_release_is_the_build_byte_for_byte() {
	local id
	mksite site 250
	# Around the sizes where reading and copying change their ways.
	for n in 0 1 65536 262143 262144 1048575 1048576 1048577 3145728; do
		head -c "$n" /dev/urandom >"site/size-$n"
	done
	truncate -s 9M site/sparse
	mkdir -p site/empty/inside
	ln site/size-1 site/linked
	id=$(stage)
	assert_tree_eq site "root/releases/$id"
	assert_eq "$(ls -A "root/releases/$id")" "$(ls -A site)"
	intact "$id"
	run deploy list --root root --json
	assert_eq "$(json "$out" '.releases[0].files')" \
	    "$(find site -type f | wc -l)"
	assert_eq "$(json "$out" '.releases[0].bytes')" \
	    "$(find site -type f -printf '%s\n' | awk '{ n += $1 } END { print n }')"
	# The build is as it was: nothing of it was linked into the release.
	assert_eq "$(find site -type f -links +1 | wc -l)" 2
}

t_source_and_root_however_they_are_named() {
	small
	mkdir "my site" elsewhere
	cp -r site/. "my site"
	ln -s "my site" link
	ln -s elsewhere rootlink
	run deploy stage "my site/" --root "the root/"
	mv "$out" id
	run deploy stage ./link --root "./the root"
	assert_file_eq "$out" id
	(cd "my site" && run deploy stage . --root "../the root//")
	run deploy stage "$PWD/my site" --root "$PWD/the root"
	assert_file_eq "$out" id
	run deploy stage site --root rootlink
	[ -d "elsewhere/releases/$(<"$out")" ] || fail "not through the link"
}

t_makes_the_root_but_not_its_parents() {
	small
	run deploy stage site --root new
	[ -d new/releases ] || fail "no root"
	expect_status 1 deploy stage site --root no/such/root
	assert_contains "$err" "mkdir -p '$PWD/no/such/root'"
	[ ! -e no ] || fail "it made something"
	# A directory that is there and empty becomes one.
	mkdir there
	run deploy stage site --root there
	touch file
	expect_status 1 deploy stage site --root file
	assert_contains "$err" "$PWD/file"
	expect_status 1 deploy stage site --root file/below
	[ ! -s file ] || fail "it wrote into a file"
}

# -------------------------------------------------------------------- modes

# What the modes in the release are, and those of our own files.
check_modes() {
	local id=$1
	assert_eq "$(stat -c %a root root/releases root/.deploy \
	    root/.deploy/* "root/releases/$id" | sort -u | tr '\n' ' ')" \
	    "600 644 755 " "modes of the root"
	assert_eq "$(find root/.deploy -perm 600)" root/.deploy/lock 'the lock'
	assert_eq "$(find "root/releases/$id" -type d -printf '%m\n' |
	    sort -u)" 755 directories
	assert_eq "$(find "root/releases/$id" -name 'x*' -printf '%m\n' |
	    sort -u)" 755 "executable files"
	assert_eq "$(find "root/releases/$id" -type f ! -name 'x*' \
	    -printf '%m\n' | sort -u)" 644 files
}

t_modes_whatever_the_umask_and_the_source() {
	local mask id
	small
	for m in 0600 0640 0644 0666 0664 0444 6644; do
		echo "$m" >"site/f$m"
		chmod "$m" "site/f$m"
	done
	for m in 0700 0755 0777 0744 0654 0645 4755 2755 1755; do
		echo "$m" >"site/x$m"
		chmod "$m" "site/x$m"
	done
	for m in 0700 0750 0777 1777 2775 0555; do
		mkdir "site/d$m"
		echo "$m" >"site/d$m/f"
		chmod "$m" "site/d$m"
	done
	defer chmod -R u+w site
	for mask in 077 000 022 777; do
		rm -rf root
		id=$(umask "$mask"; stage)
		check_modes "$id"
		intact "$id"
	done
	# And where hard links are made.
	echo new >site/new.html
	id=$(umask 077; stage)
	check_modes "$id"
}

t_default_acls_do_not_leak_in() {
	need_cmd setfacl
	small
	mkdir root
	setfacl -d -m u::rwx,g::---,o::--- root 2>/dev/null ||
	    skip "no ACLs here"
	id=$(stage)
	assert_eq "$(find "root/releases/$id" -printf '%y %m\n' | sort -u |
	    xargs)" "d 755 f 644"
	intact "$id"
}

t_setgid_parent_does_not_leak_in() {
	small
	mkdir root
	chmod 2775 root
	id=$(stage)
	assert_eq "$(find "root/releases/$id" -type d -printf '%m\n' |
	    sort -u)" 755
	intact "$id"
}

# -------------------------------------------------------------------- links

t_symbolic_links_are_kept() {
	local id l
	small
	mkdir -p site/a/b
	ln -s index.html site/l1
	ln -s ./css/../index.html site/bad
	ln -s ../../index.html site/a/b/l2
	ln -s .. site/a/b/l3
	ln -s ../.. site/a/b/l4
	ln -s css site/ldir
	ln -s . site/self
	ln -s nowhere/at-all site/dangling
	ln -s l1 site/chain
	ln -s "with space, ünicode" "site/a link"
	ln -s ./a//b/ site/odd
	refused 5 "'bad'"
	rm site/bad
	id=$(stage)
	while IFS= read -r -d '' l; do
		assert_eq "$(readlink "root/releases/$id/$l")" \
		    "$(readlink "site/$l")" "$l"
	done < <(cd site && find . -type l -print0)
	assert_tree_eq site "root/releases/$id"
	intact "$id"
	publish >/dev/null
	# A link whose target changes is a change.
	ln -sfn about.html site/l1
	assert_eq "$([ "$(stage)" != "$id" ] && echo new)" new
}

t_links_out_of_the_tree_are_refused() {
	local target
	small
	mkdir -p site/a/b
	# A link that is harmless alone, for others to go through.
	ln -s ../.. site/a/b/top
	ln -s a/b/top site/alias
	for target in /etc/passwd / .. ../site /proc/self/root \
	    a/../../x css/../.. ./.. a/b/../../../x a/b/top/.. alias/.. \
	    a/b/top/../site/index.html ".//../x"; do
		ln -s "$target" site/evil
		refused 5 "'evil'"
		assert_contains "$err" "$target"
		rm site/evil
	done
	# Deep enough for "..", were there not the other link on the way.
	for target in ../../.. ../../../etc ./../../../x ../..//../x \
	    top/.. top/../x ./top/../../x ../b/top/.. name/../y; do
		ln -s "$target" site/a/b/evil
		refused 5 "'a/b/evil'"
		rm site/a/b/evil
	done
	ln -s /etc site/evil
	ln -s $'x\ny' site/a/evil2
	refused 5 "evil"
	stage --exclude 'evil*' >/dev/null
	rm site/evil
	refused 5 "a/evil2"
}

t_absolute_links_become_relative() {
	local link target relative id
	small
	mkdir -p site/a/b
	ln -s site alias
	while read -r link target relative; do
		ln -s "$PWD/$target" "site/$link"
		id=$(stage --again)
		assert_eq "$(readlink "root/releases/$id/$link")" "$relative"
		assert_eq "$(readlink "site/$link")" "$PWD/$target" "the build's"
		# It is the same build as one with the relative link.
		ln -sfn "$relative" "site/$link"
		assert_eq "$(digest "$(stage --again)")" "$(digest "$id")"
		rm "site/$link"
	done <<-EOF
		l site/index.html index.html
		l site/css css
		l site/css/ css/
		l site/not-there not-there
		l alias/index.html index.html
		l site/a/../index.html index.html
		a/l site/index.html ../index.html
		a/b/l site/a/b/x x
		a/b/l site/a ../../a
		a/b/l site/css/a.css ../../css/a.css
		css/l site/css/ .
		css/l site/css/. .
		css/l site/css ../css
		l site/css/. css/
		l site .
		l site/ .
		l site/. .
		a/b/l site ../../
		a/b/l site/. ../../
		a/b/l site/a/ ../
	EOF
	# A relative one that takes a way out and in is told how it should be.
	while read -r link target relative; do
		ln -s "$target" "site/$link"
		refused 5 "'$link' -> '$target' leaves the tree"
		assert_contains "$err" "leads into the build: as '$relative'"
		rm "site/$link"
	done <<-EOF
		l ../site/index.html index.html
		l ../alias/css css
		a/l ../../site/css/a.css ../css/a.css
		a/b/l ../b/../b/x x
	EOF
	mkdir -p site-2
	for target in / /etc/passwd "$PWD" "$PWD/" "$PWD/sit" "$PWD/site-2/x" \
	    "$PWD/site/a/.." /nowhere/x; do
		ln -s "$target" site/l
		refused 5 "'l' points to '$target', which is absolute"
		assert_not_contains "$err" "into the build"
		rm site/l
	done
	ln -s $'a\tb' site/l
	refused 5 "control characters"
}

t_no_following_of_links_in_the_source() {
	local id
	small
	mkdir secret
	echo secret >secret/file
	ln -s ../secret site/out
	refused 5 "'out'"
	rm site/out
	mkdir site/in
	echo inside >site/in/f
	ln -s in site/out
	id=$(stage)
	[ -L "root/releases/$id/out" ] || fail "the link was followed"
}

t_sockets_fifos_and_devices_are_refused() {
	need_cmd perl
	small
	mkfifo site/css/pipe
	# It must not wait for a writer.
	refused 5 "css/pipe"
	assert_contains "$err" "FIFO"
	stage --exclude pipe >/dev/null
	rm site/css/pipe
	(cd site && perl -MSocket -e 'socket(S, AF_UNIX, SOCK_STREAM, 0) &&
	    bind(S, sockaddr_un("sock")) or die')
	refused 5 "/sock'"
	rm site/sock
	[ "$(id -u)" -eq 0 ] && mknod site/null c 1 3 2>/dev/null || return 0
	refused 5 "/null'"
}

# -------------------------------------------------------------------- names

# shellcheck disable=SC2016 # names
t_names_of_all_kinds() {
	local id long
	small
	long=$(printf '%0251d.txt' 0)
	local wide='' i
	for ((i = 0; i < 127; i++)); do wide+=ü; done
	for name in "with space" " leading" "trailing " "quote'd" 'dou"ble' \
	    'back\slash' '\012' '*' '?' '[a]' '#hash' '=eq' 'a=b' '%41' '~' \
	    '$HOME' '`id`' '-dash' '--again' '...' '..a' 'a..' '; rm -rf x' \
	    'a|b' '<>&' $'caf\u00e9' $'cafe\u0301' $'\xff\xfe latin' '日本' \
	    'type=dir' 'tags=shared' '.tmp-1' current releases .deploy \
	    "$long" "$wide"; do
		echo "$name" >"site/$name"
		mkdir -p "site/dir/$name"
		echo "$name" >"site/dir/$name/file"
		ln -s "dir/$name" "site/to $(printf %s "$name" | md5sum)"
	done
	# Both normal forms are there, side by side.
	assert_eq "$(find site -maxdepth 1 -name 'caf*' | wc -l)" 2
	id=$(stage)
	assert_tree_eq site "root/releases/$id"
	intact "$id"
	publish >/dev/null
	echo more >site/more
	id=$(stage)
	assert_tree_eq site "root/releases/$id"
	intact "$id"
	assert_eq "$(find "root/releases/$id" -type f -links 1 | wc -l)" 1 \
	    "copied although it is the same"
}

t_names_with_control_characters_are_refused() {
	local bad
	small
	for bad in $'new\nline' $'tab\there' $'\e[31m' $'del\x7f' $'\r'; do
		echo x >"site/css/$bad"
		refused 5 "control character"
		assert_eq "$(tr -d '[:print:]' <"$err" | od -An -c |
		    tr -d ' ')" '\n' "sent to the terminal"
		rm "site/css/$bad"
		mkdir "site/$bad"
		refused 5 "control character"
		rmdir "site/$bad"
	done
	echo x >$'site/css/bad\nname'
	refused 5 'css/bad\x0aname'
	id=$(stage --exclude 'bad*')
	assert_eq "$(ls -A "root/releases/$id/css")" a.css
	id=$(stage --exclude css)
	[ ! -e "root/releases/$id/css" ] || fail "not excluded"
}

# nest DIR NAME N: N directories called NAME, each in the one before, a file
# in the last.  Longer than a path can be.
nest() {
	(
		cd -- "$1"
		for ((i = 0; i < $3; i++)); do
			mkdir "$2"
			cd "$2"
		done
		echo deep >file
	)
}

t_deep_nesting() {
	local id long
	small
	nest site d 254
	id=$(publish)
	assert_eq "$(find "root/releases/$id" -type d | wc -l)" 256
	cmp "site/$(printf 'd/%.0s' {1..254})file" \
	    "root/current/$(printf 'd/%.0s' {1..254})file"
	intact "$id"
	rm -rf site/d
	nest site d 300
	refused 5 "nested deeper"
	rm -rf site/d
	long=$(printf '%0200d' 0)
	nest site "$long" 19
	id=$(publish --again)
	intact "$id"
	assert_eq "$(find "root/releases/$id" -name file | wc -l)" 1
	rm -rf "site/$long"
	nest site "$long" 22
	refused 5 "/$long/$long"
	rm -rf "site/$long"
	# What was deep can be removed again.
	echo 1 >site/n
	publish --again --keep 1 >/dev/null
	echo 2 >site/n
	publish --keep 1 >/dev/null
	echo 3 >site/n
	publish --keep 1 >/dev/null
	assert_eq "$(count_releases)" 2
	nothing_left
}

# ------------------------------------------------------------ what is left out

t_dotfiles_ship_and_git_does_not() {
	local id
	small
	mkdir -p site/.well-known site/.git/objects site/sub site/dir.git
	echo a >site/.well-known/security.txt
	echo b >site/.htaccess
	echo c >site/.gitignore
	echo d >site/.git/config
	echo "gitdir: ../x" >site/sub/.git
	echo e >site/dir.git/HEAD
	echo f >site/sub/.gitattributes
	run deploy stage site --root root
	assert_contains "$err" "left out 2"
	id=$(<"$out")
	rm -rf site/.git site/sub/.git
	assert_tree_eq site "root/releases/$id"
	run deploy stage site --root root --json
	assert_eq "$(json "$out" .excluded)" 0
}

# shipped [OPTION...]: the files that ship, on one line.
shipped() {
	local id
	id=$(stage --again "$@")
	(cd "root/releases/$id" && find . ! -type d | sed 's,^\./,,' |
	    LC_ALL=C sort | paste -sd ' ')
}

t_exclude_patterns() {
	mkdir -p site/a/x/y site/a/d site/d site/maps
	touch site/index.html site/app.js site/app.js.map site/a/b site/a/x/b \
	    site/a/x/y/b site/b site/d/one site/a/d/two site/maps/list.map \
	    site/.DS_Store site/a/.DS_Store site/anchored site/a/anchored \
	    site/a/map
	local all
	all=$(shipped)
	assert_eq "$(wc -w <<<"$all")" 15 "$all"
	without() {
		local got want=$all w
		got=$(shipped --exclude "$1")
		shift
		for w; do
			want=$(tr ' ' '\n' <<<"$want" | grep -vxF "$w" |
			    paste -sd ' ')
		done
		assert_eq "$got" "$want"
	}
	without '*.map' app.js.map maps/list.map
	without 'd/' d/one a/d/two
	without 'd' d/one a/d/two
	without '/d' d/one
	without 'a/**/b' a/b a/x/b a/x/y/b
	without '**/b' b a/b a/x/b a/x/y/b
	without 'a/x/**' a/x/b a/x/y/b
	without 'a/*/b' a/x/b
	without '/anchored' anchored
	without 'anchored' anchored a/anchored
	without 'a/anchored' a/anchored
	without '.DS_Store' .DS_Store a/.DS_Store
	without '*.js' app.js
	without 'app.*' app.js app.js.map
	without '[mn]ap' a/map
	without 'nothing'
	without '*.MAP'
	# Several, and one below a directory that is left out.
	assert_eq "$(shipped --exclude a --exclude maps --exclude=d \
	    --exclude a/x)" \
	    ".DS_Store anchored app.js app.js.map b index.html"
	# Excluding everything leaves nothing to stage.
	refused 10 "empty" --exclude '*'
}

# With the words of deploy.yml, and before anything is done.
t_exclude_what_matches_nothing() {
	local p c
	small
	for p in ./css a/./b '' / // a//b x/../a .. 'css\' 'css\/' '!css'; do
		for c in stage publish diff; do
			expect_status 2 deploy $c site --root root --exclude "$p"
			assert_contains "$err" "--exclude: "
		done
		cat >deploy.yml <<-END
		sites:
		  - name: one
		    source: site
		    root: root
		    exclude: ['$p']
		END
		sed -n '1s/.*--exclude: //; 1s/ (see .*//; 1p' "$err" >words
		expect_status 2 deploy stage
		[ -z "$p" ] || assert_contains "$err" "$(<words)"
		rm deploy.yml
	done
	[ ! -e root ] || fail "a root was made"
	run deploy stage site --root root --exclude 'css\\' --exclude '\!css'
}

t_exclude_of_the_configuration() {
	local id
	small
	touch site/a.map site/b.txt site/c.bak
	cat >deploy.yml <<-'END'
	sites:
	  - name: one
	    source: site
	    root: root
	    exclude: ["*.map", "/css"]
	END
	id=$(deploy stage -q --exclude '*.bak')
	assert_eq "$(cd "root/releases/$id" && echo *)" \
	    "about.html b.txt index.html"
	# The option adds to the list of the file, for that run only.
	id=$(deploy stage -q)
	assert_eq "$(cd "root/releases/$id" && echo *)" \
	    "about.html b.txt c.bak index.html"
}

# --------------------------------------------------- what is linked and copied

t_unchanged_files_are_linked() {
	local a b
	mksite site 60
	a=root/releases/$(publish)
	echo changed >site/p/000/page-00007.html
	rm site/p/000/page-00008.html
	echo added >site/added.html
	touch site/p/000/*
	run deploy stage site --root root --json
	assert_eq "$(json "$out" '[.linked, .copied, .copied_bytes] | @text')" \
	    "[61,2,14]"
	b=root/releases/$(json "$out" .id)
	(cd "$a" && find . -type f) | while read -r f; do
		case $f in
		*00007.html)
			[ "$(inode "$a/$f")" != "$(inode "$b/$f")" ] ;;
		*00008.html)
			[ ! -e "$b/$f" ] ;;
		*)
			[ "$(inode "$a/$f")" = "$(inode "$b/$f")" ] ;;
		esac || fail "$f"
	done
	assert_tree_eq site "$b"
	intact "${a##*/}" "${b##*/}"
}

t_base_is_the_live_release_else_the_newest() {
	local a b c
	small
	a=root/releases/$(stage)
	echo b >site/b.html
	# Nothing is live: the newest.
	b=root/releases/$(stage)
	assert_eq "$(inode "$b/index.html")" "$(inode "$a/index.html")"
	deploy activate -q --root root "${a##*/}" >/dev/null
	echo c >site/c.html
	# b.html is in the newest, but not in the live one.
	c=root/releases/$(stage)
	assert_eq "$(inode "$c/index.html")" "$(inode "$a/index.html")"
	[ "$(inode "$c/b.html")" != "$(inode "$b/b.html")" ] ||
	    fail "linked to a release that is not the base"
	# A base without a manifest is none; that is said, and all is copied.
	rm "root/.deploy/manifests/${a##*/}"
	echo d >site/d.html
	run deploy stage site --root root --json --again
	assert_contains "$err" "warning"
	assert_eq "$(json "$out" .linked)" 0
	intact "$(json "$out" .id)"
}

t_moved_files_are_linked() {
	local a b
	mksite site 5
	a=root/releases/$(publish)
	mv site/p/000/page-00003.html site/moved.html
	mv site/css site/style
	b=root/releases/$(stage)
	assert_eq "$(inode "$b/moved.html")" \
	    "$(inode "$a/p/000/page-00003.html")"
	assert_eq "$(inode "$b/style/site.css")" "$(inode "$a/css/site.css")"
	cp site/moved.html site/again.html
	b=root/releases/$(stage)
	assert_eq "$(inode "$b/again.html")" "$(inode "$b/moved.html")"
	assert_tree_eq site "$b"
	intact "${b##*/}"
	# With another mode it is another file.
	chmod +x site/moved.html
	b=root/releases/$(stage)
	assert_eq "$(stat -c %a "$b/moved.html" "$b/again.html" | xargs)" \
	    "755 644"
}

# Other bytes at an old path must not come with a time that this path had:
# the ETag is made of time and size.
t_moved_over_an_existing_path_is_copied() {
	local a b
	small
	echo AAAA >site/a.html
	echo BBBB >site/b.html
	a=root/releases/$(publish)
	assert_eq "$(mtime "$a/a.html")" "$(mtime "$a/b.html")"
	mv site/b.html site/a.html
	b=root/releases/$(stage)
	[ "$(inode "$b/a.html")" != "$(inode "$a/b.html")" ] || fail linked
	[ "$(mtime "$b/a.html")" -gt "$(mtime "$a/a.html")" ] ||
	    fail "other bytes, same size, same time"
	# Two that swap their places.
	echo AAAA >site/a.html
	echo BBBB >site/b.html
	a=root/releases/$(deploy publish -q --again site --root root)
	mv site/a.html site/c
	mv site/b.html site/a.html
	mv site/c site/b.html
	b=root/releases/$(stage)
	for f in a.html b.html; do
		[ "$(mtime "$b/$f")" -gt "$(mtime "$a/$f")" ] || fail "$f"
	done
	intact "${b##*/}"
}

t_times() {
	local a b c m
	mksite site 40
	find site -exec touch -d '2001-02-03 04:05:06.789' {} +
	a=root/releases/$(publish)
	m=$(json "root/.deploy/meta/${a##*/}.json" .mtime)
	assert_eq "$(find "$a" -type f -printf '%T@\n' | sort -u)" \
	    "$m.0000000000" "new content has the release's time"
	[ "$m" -ge $(($(date +%s) - 60)) ] || fail "the build's time"
	# Fresh times, old ones, times to come: none of them counts.
	find site -exec touch {} +
	touch -d '2040-01-01' site/index.html
	touch -d '1970-01-01' site/css/site.css
	assert_eq "$(stage)" "${a##*/}"
	echo new >site/p/000/page-00001.html
	b=root/releases/$(publish)
	assert_eq "$(mtime "$b/index.html")" "$m"
	[ "$(mtime "$b/p/000/page-00001.html")" -gt "$m" ] ||
	    fail "new content, old time"
	# A new mode is no new content.
	chmod +x site/p/000/page-00002.html
	c=root/releases/$(publish)
	assert_eq "$(mtime "$c/p/000/page-00002.html")" "$m"
	assert_eq "$(stat -c %a "$c/p/000/page-00002.html" \
	    "$b/p/000/page-00002.html" | xargs)" "755 644"
	[ "${c##*/}" != "${b##*/}" ] || fail "a new mode is a new release"
	intact "${a##*/}" "${b##*/}" "${c##*/}"
	# A copy, because it cannot be linked, has the old time too.
	chmod 600 "$c/index.html"
	echo new >site/p/000/page-00003.html
	a=root/releases/$(publish)
	assert_eq "$(mtime "$a/index.html")" "$m"
	assert_eq "$(stat -c %a "$a/index.html")" 644
}

# A site generator that is quick: several releases within a second.  The time
# of a path must change whenever its bytes do.
t_times_within_one_second() {
	local id i seen=''
	small
	for i in 1 2 3 4 5; do
		echo "edition $i" >site/about.html
		id=$(publish)
		seen+="$(mtime "root/releases/$id/about.html") "
	done
	assert_eq "$(tr ' ' '\n' <<<"$seen" | grep -c .)" 5
	assert_eq "$(tr ' ' '\n' <<<"$seen" | grep . | sort -n -u)" \
	    "$(tr ' ' '\n' <<<"$seen" | grep .)" "times of about.html"
	assert_eq "$(mtime "root/current/index.html")" "${seen%% *}"
	# Staged releases, that nobody activates, count too.
	echo "edition 6" >site/about.html
	stage >/dev/null
	echo "edition 7" >site/about.html
	id=$(stage)
	assert_eq "$(for i in $(releases); do
		mtime "root/releases/$i/about.html"
	done | sort | uniq -d)" ""
}

t_a_base_file_that_was_edited_is_not_linked() {
	local id
	mksite site 3
	id=$(publish)
	# The same size, within the second of the release, and later.
	printf 'X' | dd of=root/current/index.html conv=notrunc status=none
	printf 'X' >>root/current/css/site.css
	chmod 600 root/current/img/logo.png
	rm root/current/p/000/page-00001.html
	ln -s page-00002.html root/current/p/000/page-00001.html
	echo new >site/new.html
	id=$(stage)
	intact "$id"
	assert_tree_eq site "root/releases/$id"
	# The damage itself is found.
	expect_status 5 deploy verify --root root
	sleep 1.1
	rm site/new.html
	printf 'Y' | dd of="root/releases/$id/index.html" conv=notrunc \
	    status=none
	deploy activate -q "$id" --root root >/dev/null
	id=$(stage)
	intact "$id"
	assert_tree_eq site "root/releases/$id"
}

# ext4 has 65,000 links to a file.
t_too_many_links_copies() {
	local base id
	need_cmd perl
	on_disk
	small
	base=$(publish)
	mkdir links
	perl -e 'for (1..65536) { link($ARGV[0], "links/$_") or exit 0 }
	    exit 1' "root/releases/$base/index.html" ||
	    skip "this file system allows more links"
	echo new >site/new.html
	id=$(stage)
	[ "$(inode "root/releases/$id/index.html")" != \
	    "$(inode "root/releases/$base/index.html")" ] || fail "linked?"
	assert_eq "$(inode "root/releases/$id/about.html")" \
	    "$(inode "root/releases/$base/about.html")"
	assert_eq "$(mtime "root/releases/$id/index.html")" \
	    "$(mtime "root/releases/$base/index.html")"
	intact "$id"
	assert_tree_eq site "root/releases/$id"
}

t_foreign_files_in_the_base_are_copied() {
	local base id
	need_root
	[ "$(cat /proc/sys/fs/protected_hardlinks 2>/dev/null)" = 1 ] ||
	    skip "hard links are not protected here"
	small
	chmod -R a+rX site
	user_dir root
	base=root/releases/$(as_user deploy stage -q site --root root)
	chown 0:0 "$base/index.html"
	echo new >site/new.html
	id=root/releases/$(as_user deploy stage -q site --root root)
	[ "$(inode "$base/index.html")" != "$(inode "$id/index.html")" ] ||
	    fail "linked?"
	assert_eq "$(stat -c %u "$id/index.html")" 65534
	assert_eq "$(inode "$base/about.html")" "$(inode "$id/about.html")"
	assert_tree_eq site "$id"
	run as_user deploy verify "${id##*/}" --root root
}

# Between file systems there are no links: neither from the source, which
# could be on a tmpfs, nor from a base with a mount in it.
t_another_file_system_copies() {
	local id
	need_root
	small
	tmpfs root
	id=$(publish)
	cp -a root/current/css keep
	tmpfs "root/releases/$id/css"
	cp -a keep/. root/current/css
	echo new >site/new.html
	publish >/dev/null
	intact current
	assert_tree_eq site root/current/.
	assert_eq "$(inode root/current/index.html)" \
	    "$(inode "root/releases/$id/index.html")"
	assert_eq "$(stat -c %h root/current/css/a.css)" 1
	assert_eq "$(mtime root/current/css/a.css)" \
	    "$(mtime "root/releases/$id/css/a.css")"
}

# ---------------------------------------------------------------- unchanged

t_unchanged_is_no_new_release() {
	local id before
	small
	id=$(publish)
	before=$(everything root/releases root/.deploy/m* root/.deploy/journal)
	run deploy stage site --root root
	assert_eq "$(<"$out")" "$id"
	assert_contains "$err" "unchanged"
	run deploy stage site --root root --json
	assert_eq "$(json "$out" .outcome)" unchanged
	assert_eq "$(json "$out" .id)" "$id"
	assert_eq "$(everything root/releases root/.deploy/m* \
	    root/.deploy/journal)" "$before"
	nothing_left
	run deploy stage site --root root --again --json
	assert_eq "$(json "$out" .outcome)" new
	[ "$(json "$out" .id)" != "$id" ] || fail "--again: the same"
	assert_eq "$(count_releases)" 2
}

t_staged_content_is_found_again() {
	local a b
	small
	a=$(stage)
	run deploy stage site --root root
	assert_eq "$(<"$out")" "$a"
	assert_contains "$err" "staged already"
	echo b >site/b.html
	b=$(stage)
	[ "$a" != "$b" ] || fail "another content, the same id"
	rm site/b.html
	assert_eq "$(stage)" "$a"
	run deploy stage site --root root --json
	assert_eq "$(json "$out" .outcome)" staged
	assert_eq "$(count_releases)" 2
	nothing_left
}

# Going back is a rollback; the same content deployed again is a new release.
t_content_that_was_live_is_staged_anew() {
	local a b c
	small
	a=$(publish)
	echo b >site/b.html
	b=$(publish)
	rm site/b.html
	c=$(stage)
	case $c in "$a" | "$b") fail "an old id: $c" ;; esac
	assert_tree_eq "root/releases/$a" "root/releases/$c"
	assert_eq "$(stage)" "$c"
	# A change and its taking back, before anything goes live.
	echo b >site/b.html
	assert_eq "$(stage)" "$b"
}

# ----------------------------------------------------------------- dry run

t_dry_run_changes_nothing() {
	local before id places=(. "$TMPDIR")
	# This sanitizer makes files of its own there.
	[ "${TEST_SANITIZE:-}" != thread ] || places=(.)
	mksite site 20
	before=$(everything "${places[@]}")
	run deploy stage -n site --root root --json
	assert_eq "$(json "$out" '[.id, .outcome, .files, .dry_run] | @text')" \
	    '[null,"new",23,true]'
	run deploy stage --dry-run site --root root
	[ ! -s "$out" ] || fail "an id of nothing"
	assert_contains "$err" "would stage 23 files"
	run deploy publish -n site --root root
	[ ! -s "$out" ] || fail "an id of nothing"
	expect_status 2 deploy stage -n nosuch --root root
	assert_eq "$(everything "${places[@]}")" "$before"
	id=$(publish)
	before=$(everything "${places[@]}")
	run deploy stage -n site --root root
	assert_eq "$(<"$out")" "$id"
	assert_contains "$err" "unchanged"
	run deploy publish -n site --root root
	assert_eq "$(<"$out")" "$id"
	assert_eq "$(everything "${places[@]}")" "$before"
	echo b >site/b.html
	echo c >site/index.html
	before=$(everything "${places[@]}")
	run deploy stage -n site --root root --json
	assert_eq "$(json "$out" '[.linked, .copied] | @text')" "[22,2]"
	run deploy publish -n site --root root --json
	assert_eq "$(json "$out" '[.outcome, .changed] | @text')" \
	    '["new",true]'
	run deploy stage -n --again site --root root
	run deploy diff site --root root
	assert_contains "$out" "A b.html"
	rm -rf site/p
	before=$(everything "${places[@]}")
	expect_status 10 deploy stage -n site --root root
	assert_eq "$(everything "${places[@]}")" "$before"
}

t_dry_run_needs_no_rights() {
	need_root
	small
	publish >/dev/null
	echo b >site/b.html
	run as_user deploy stage -n site --root root
	assert_contains "$err" "1 copied"
}

# ----------------------------------------------------- sources that are wrong

t_sources_that_are_none() {
	small
	expect_status 2 deploy stage nosuch --root root
	assert_contains "$err" "'nosuch'"
	expect_status 2 deploy stage '' --root root
	mkfifo pipe
	expect_status 2 deploy stage pipe --root root
	assert_contains "$err" "use '-'"
	expect_status 2 deploy stage /dev/null --root root
	ln -s nowhere dangling
	expect_status 2 deploy stage dangling --root root
	echo "no archive" >notes.txt
	expect_status 5 deploy stage notes.txt --root root
	assert_contains "$err" "notes.txt"
	nothing_left
}

# A mistyped command leaves no root behind, and least of all in the source.
t_a_wrong_source_makes_no_root() {
	small
	expect_status 2 deploy stage nosuch --root root
	[ ! -e root ] || fail "a root was made for nothing"
	expect_status 2 deploy stage site --root site/root
	assert_eq "$(find site | wc -l)" 5 "the source was written to"
}

t_root_inside_the_source_is_refused() {
	small
	mkdir site/root outer
	ln -s ../site outer/alias
	expect_status 2 deploy stage site --root site/root
	assert_contains "$err" "inside the source"
	expect_status 2 deploy stage site --root site
	expect_status 2 deploy stage outer/alias --root site/root
	(cd site && expect_status 2 deploy stage . --root root)
	(cd site/css && expect_status 2 deploy stage .. --root ../root)
	[ -z "$(find site -path '*/releases/*')" ] || fail "it staged"
	# Names that only begin alike are something else.
	run deploy stage site --root site2
	rm -rf site/root
	mkdir outer/releases
	run deploy stage site --root outer
}

t_files_that_cannot_be_read_are_named() {
	need_root
	user_dir root
	small
	chown -R 65534:65534 site
	chmod 000 site/css/a.css
	expect_status 1 as_user deploy stage site --root root
	assert_contains "$err" "site/css/a.css': Permission denied"
	nothing_left
	assert_eq "$(count_releases)" 0
	run as_user deploy stage site --root root --exclude css
	chmod 644 site/css/a.css
	chmod 000 site/css
	expect_status 1 as_user deploy stage site --root root
	assert_contains "$err" "site/css': Permission denied"
	# Readable names, but no way to the files.
	chmod 444 site/css
	expect_status 1 as_user deploy stage site --root root
	assert_contains "$err" "site/css': Permission denied"
	assert_eq "$(count_releases)" 1
	nothing_left
}

# tried: run ./site through stage; ok counts what was staged, no what was
# refused.  What was staged is what its manifest says.
tried() {
	local status=0
	deploy stage --again site --root root >id 2>why || status=$?
	case $status in
	0)
		ok=$((ok + 1))
		run deploy verify "$(<id)" --root root
		;;
	1)
		no=$((no + 1))
		grep -qE 'changed while|No such file' why ||
		    fail "refused: $(<why)"
		;;
	*)
		fail "status $status: $(<why)"
		;;
	esac
	nothing_left
}

t_a_file_that_changes_while_it_is_read() {
	local i ok=0 no=0
	mksite site 80
	head -c 6M /dev/zero >site/large
	head -c 200K /dev/zero >site/p/000/middle
	(
		set +e
		for ((i = 0; ; i++)); do
			[ ! -e stop ] || exit 0
			case $((i % 3)) in
			0) head -c 3M /dev/urandom |
			    dd of=site/large bs=64K conv=notrunc ;;
			1) head -c 6M /dev/urandom >site/large ;;
			2) head -c 200K /dev/urandom >site/p/000/middle ;;
			esac 2>/dev/null
		done
	) &
	for ((i = 0; i < 15; i++)); do
		tried
	done
	touch stop
	wait
	# Else the writer was asleep, and nothing has been shown.
	((no > 0)) || fail "no change was noticed in $ok stages"
	tried
	assert_tree_eq site "root/releases/$(<id)"
}

t_files_that_come_and_go_while_they_are_read() {
	local i ok=0 no=0
	mksite site 400
	(
		set +e
		for ((i = 0; ; i = (i + 1) % 400)); do
			[ ! -e stop ] || exit 0
			rm -f "site/p/00$((i / 100))/extra-$((i - 7))"
			echo "$i" >"site/p/00$((i / 100))/extra-$i"
			mkdir "site/p/new-$i" 2>/dev/null
			rmdir "site/p/new-$((i - 3))" 2>/dev/null
		done
	) &
	for ((i = 0; i < 10; i++)); do
		tried
	done
	touch stop
	wait
	((no > 0)) || fail "no change was noticed in $ok stages"
	tried
	assert_tree_eq site "root/releases/$(<id)"
}

# has_open PID NAME: has the process a file of this name open?
has_open() {
	find "/proc/$1/fd" -lname "*$2" 2>/dev/null | finds .
}

# What comes after the names were read is noticed, whatever it is.
t_names_that_change_after_they_were_read() {
	local change status
	small
	[ -e "/proc/$$/fd" ] || skip "needs /proc"
	truncate -s 300M site/large
	for change in 'touch site/css/new' 'rm site/about.html' \
	    'mv site/about.html site/css/' 'mkdir site/new'; do
		echo about >site/about.html
		rm -rf site/css/new site/css/about.html site/new
		deploy stage -n site --root root >"$out" 2>"$err" &
		# Now it hashes for a while.
		until has_open $! site/large; do
			kill -0 $! || fail "it was too quick for us"
		done
		eval "$change"
		status=0
		wait $! || status=$?
		assert_eq "$status" 1 "status after $change"
		grep -qE "changed while|No such file" "$err" ||
		    fail "after $change: $(<"$err")"
	done
}

# ------------------------------------------------------- a root that is wrong

t_current_that_is_no_link_is_refused_at_once() {
	local before
	small
	mkdir -p root/current
	echo served >root/current/index.html
	before=$(everything root)
	for c in stage publish; do
		expect_status 1 deploy "$c" site --root root
		assert_contains "$err" "root/current"
		assert_contains "$err" "real directory"
		assert_eq "$(everything root)" "$before" "written before"
	done
	expect_status 1 deploy stage -n site --root root
	rm -rf root/current
	echo file >root/current
	expect_status 1 deploy publish site --root root
	assert_contains "$err" "real file"
	assert_eq "$(<root/current)" file
	# Also in a root that was fine.
	rm root/current
	publish >/dev/null
	rm root/current
	mkdir root/current
	echo more >site/more.html
	before=$(find root/releases root/current root/.deploy/* | sort)
	for c in 'stage site' 'publish site' activate rollback status; do
		# shellcheck disable=SC2086 # words are meant
		expect_status 1 deploy $c --root root
		assert_contains "$err" "real directory"
		assert_eq "$(find root/releases root/current \
		    root/.deploy/* | sort)" "$before"
	done
}

t_current_that_points_elsewhere_is_refused() {
	local id target top=root
	small
	id=$(publish)
	echo more >site/more.html
	mkdir root/other root/releases/by-hand
	for target in other releases/by-hand /etc "../$top/releases/$id" \
	    "releases/../releases/$id" "releases/$id/css" "Releases/$id" \
	    releases nowhere; do
		ln -sfn "$target" root/current
		for c in 'stage site' 'publish site'; do
			# shellcheck disable=SC2086 # words are meant
			expect_status 1 deploy $c --root root
			assert_contains "$err" "points to '$target'"
		done
		assert_eq "$(readlink root/current)" "$target"
		nothing_left_but_by_hand
	done
	# Other tools write it with the root in front.
	ln -sfn "$PWD/$top/releases/$id" root/current
	publish >/dev/null
	assert_tree_eq site root/current/.
	rmdir root/releases/by-hand
	nothing_left
}

nothing_left_but_by_hand() {
	assert_eq "$(ls root/.deploy/incoming)" ""
	assert_eq "$(find root/releases -name '*Z-*' | wc -l)" 1
}

# The live release was deleted by hand: the way out is another publish.
t_current_that_points_to_nothing_is_mended_by_publish() {
	local id
	small
	id=$(publish)
	rm -rf "root/releases/$id"
	echo more >site/more.html
	run deploy publish site --root root
	assert_contains "$err" \
	    "warning: the live release ${id%Z*} is not there any more"
	assert_tree_eq site root/current/.
	intact current
	nothing_left
}

# A signal is not kept waiting until the end of a file.
t_a_signal_while_one_large_file_is_read() {
	local to
	small
	truncate -s 2T site/large
	for to in here host; do
		printf 'sites:\n  - {name: s, root: %s, source: site' "$PWD/root" >deploy.yml
		[ $to = here ] || printf ', hosts: [{address: h, transport: local}]' >>deploy.yml
		echo '}' >>deploy.yml
		got=0
		timeout -s TERM -k 60 1 "$DEPLOY" stage -n >"$out" 2>"$err" || got=$?
		assert_eq "$got" 124 "$to: $(<"$err")"
		assert_contains "$err" "interrupted by SIGTERM"
	done
}

# ------------------------------------------------------------ more than one

t_stages_at_once_do_not_disturb_each_other() {
	local i pids=()
	for i in 1 2 3 4 5 6; do
		mksite "site$i" 120 "$i"
		deploy stage -q "site$i" --root root >"id$i" 2>"err$i" &
		pids+=($!)
	done
	for i in "${!pids[@]}"; do
		wait "${pids[i]}" || fail "$(cat err*)"
	done
	for i in 1 2 3 4 5 6; do
		assert_tree_eq "site$i" "root/releases/$(<"id$i")"
		intact "$(<"id$i")"
	done
	assert_eq "$(cat id? | sort -u | wc -l)" 6
	nothing_left
}

t_leavings_of_dead_runs_are_swept() {
	local dead=20200101T000000.000Z-00000000-0000-4000-8000-000000000000
	small
	stage >/dev/null
	mkdir -p "root/.deploy/incoming/$dead/css" "root/.deploy/trash/$dead"
	echo half >"root/.deploy/incoming/$dead/css/x"
	chmod 000 "root/.deploy/incoming/$dead/css"
	echo '#mtree v2.0' >"root/.deploy/manifests/$dead"
	echo '{}' >"root/.deploy/meta/$dead.json"
	ln -s "releases/$dead" root/.deploy/.tmp-1
	echo x >root/.deploy/meta/.tmp-2
	run deploy list --root root --json
	assert_eq "$(json "$out" '.releases | length')" 1
	echo more >site/more.html
	stage >/dev/null
	nothing_left
	assert_eq "$(count_releases)" 2
}

# ------------------------------------------------------------------ the group

t_group_of_the_configuration() {
	local id base
	need_root
	getent group www-data >/dev/null || skip "no group www-data"
	small
	mkdir -p site/a/b
	ln -s index.html site/l
	printf 'sites:\n  - name: x\n    source: site\n    root: root\n' \
	    >deploy.yml
	id=$(deploy publish -q)
	assert_eq "$(find "root/releases/$id" -printf '%g\n' | sort -u)" root
	echo '    group: www-data' >>deploy.yml
	# What has the wrong group is not linked.
	id=root/releases/$(deploy publish -q --again)
	assert_eq "$(find "$id" ! -type l -printf '%g\n' | sort -u)" www-data
	assert_eq "$(find "$id" -type d -printf '%m\n' | sort -u)" 2755
	assert_eq "$(find "$id" -type f -printf '%m\n' | sort -u)" 644
	run deploy verify
	base=$id
	echo more >site/more.html
	id=root/releases/$(deploy publish -q)
	assert_eq "$(inode "$id/index.html")" "$(inode "$base/index.html")"
	assert_eq "$(stat -c %G "$id/more.html")" www-data
	run deploy verify
	sed -i 's/www-data/no-such-group/' deploy.yml
	expect_status 2 deploy stage
	assert_contains "$err" "no group 'no-such-group'"
	nothing_left
}

t_group_that_is_not_ours_to_give() {
	need_root
	getent group www-data >/dev/null || skip "no group www-data"
	small
	user_dir root
	printf 'sites:\n  - name: x\n    source: site\n    root: root\n' \
	    >deploy.yml
	echo '    group: www-data' >>deploy.yml
	expect_status 1 as_user deploy stage
	assert_contains "$err" "Operation not permitted"
	nothing_left
}

# ----------------------------------------------------------- 100,000 files

# peak CMD...: run it; its peak memory in kB is in ./peak, or nothing where
# that cannot be told.
peak() {
	: >peak
	if [ -x /usr/bin/time ]; then
		/usr/bin/time -f %M -o peak -- "$@" >"$out" 2>"$err" ||
		    fail "$*: $(<"$err")"
		return
	fi
	"$@" >"$out" 2>"$err" &
	while kill -0 $! 2>/dev/null; do
		awk '/^VmHWM/ { print $2 }' /proc/$!/status >now 2>/dev/null
		[ ! -s now ] || mv now peak
		sleep 0.02
	done
	wait $! || fail "$*: $(<"$err")"
}

# The peak is at most 64 MB; a sanitizer has its own idea of memory.
small_peak() {
	! grep -qa __asan_init "$DEPLOY" || return 0
	[ -s peak ] || skip "cannot measure memory: no /usr/bin/time, no /proc"
	[ "$(<peak)" -le $((64 * 1024)) ] || fail "$(<peak) kB for: $1"
}

# In memory where that may be: to delete so much can take a disk minutes.
roomy() {
	local free
	free=$(awk '/^MemAvailable:/ { print $2 }' /proc/meminfo)
	if [ -n "${TEST_MOUNTS:-}" ] && ((free > 4000000)); then
		tmpfs roomy
		cd roomy
	fi
}

t_a_hundred_thousand_files() {
	local a b
	roomy
	mksite site 100000
	peak deploy publish site --root root
	small_peak "first time"
	a=root/releases/$(<"$out")
	assert_eq "$(find "$a" -type f | wc -l)" 100003
	assert_file_eq site/p/999/page-100000.html \
	    "$a/p/999/page-100000.html"
	echo changed >site/p/500/page-50001.html
	peak deploy publish site --root root
	small_peak "one change"
	b=root/releases/$(<"$out")
	assert_eq "$(find "$b" -type f -links 1 -printf '%P\n')" \
	    p/500/page-50001.html
	peak deploy verify --root root
	small_peak verify
	echo again >site/p/500/page-50001.html
	peak deploy publish site --root root --keep 1
	small_peak "publish and prune"
	[ ! -e "$a" ] || fail "not pruned"
	assert_eq "$(find root/current/ -type f -links 2 | wc -l)" 100002
	nothing_left
	peak deploy stage site --root root
	small_peak unchanged
	assert_eq "$(count_releases)" 2
}

run_tests
