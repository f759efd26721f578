#!/bin/bash
# Packs in the form of edits: a host that has deploy gets what changed against
# what it has, makes manifest and files itself, and ends as one that got all of
# them; h1 and h2 have deploy, h3 the sh verbs, which take whole packs.  When
# edits do not fit, that host alone gets a whole pack.
# parts: 8
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/hosts.sh
. "$TREE/tests/hosts.sh"

hosts=(h1 h2 h3)

# three [LINE]: the hosts in deploy.yml, with more lines for the site.
three() {
	local h
	program h1 c
	program h2 c
	program h3 dash
	mkdir -p site
	{
		printf 'sites:\n  - name: t\n    root: %s\n' "$PWD/r"
		printf '    source: site\n%b    hosts:\n' "${1:-}"
		for h in "${hosts[@]}"; do
			printf '      - {address: %s, transport: local, root: %s, deploy: %s}\n' \
			    "$h" "$PWD/r-$h" "$PWD/$h"
		done
	} >deploy.yml
}

# pages N: so many of them, with a head and a footer that all share.
pages() {
	local i n
	mkdir -p site/a site/b
	for ((i = 0; i < $1; i++)); do
		n=site/$([ $((i % 2)) = 0 ] && echo a || echo b)/page-$i.html
		{
			echo '<html><head><link href="style.1f3a.css"></head>'
			seq "$i" $((i + 200))
			echo "<p>page $i of $((i * 7919))</p>"
			echo '<footer>version 1.2.3 of 2026-11-01</footer>'
		} >"$n"
	done
	echo start >site/index.html
}

# publish: what the hosts then have is the same on all, and is the build.
publish() {
	local id h
	run deploy publish "$@"
	cp "$err" said
	id=$(cat "$out")
	assert_live "$id"
	for h in "${hosts[@]}"; do
		assert_tree_eq "r-$h/current/" site
		cmp "r-$h/.deploy/manifests/$id" "r-h3/.deploy/manifests/$id"
		cmp "r-$h/.deploy/meta/$id.json" "r-h3/.deploy/meta/$id.json"
		run deploy host verify "$PWD/r-$h" --id="$id"
		assert_eq "$(value difference)" "" "$h"
	done
	assert_clean
}

# keep HOST: what it receives as edits is kept in HOST.args and HOST.pack.
keep() {
	fault "$1" <<-'END'
	if [ "$verb" = receive ] && [[ " $* " = *" --base="* ]]; then
		printf '%s\n' "$@" >"$self.args"
		tee "$self.pack" | "${real[@]}"
		exit "${PIPESTATUS[1]}"
	fi
	END
}

# many N: pages that are worth a question, in one process.
many() {
	mkdir -p site/a/b
	awk -v n="$1" 'BEGIN {
		for (i = 0; i < n; i++) {
			f = "site/a/" (i % 3 ? "" : "b/") "page-" i ".html"
			print "<html><head><link href=style.1f3a.css></head>" >f
			for (k = 0; k < 300; k++)
				print "<p>line " (i * 7919 + k * 31) "</p>" >f
			print "<i>page " i ", version 1.2.3, (c) 2025</i>" >f
			close(f)
		}
	}'
	echo start >site/index.html
}

# newer: the next version of all of them.
newer() {
	sed -i 's/version 1\.2\.3/version 1.3.0/; s/style\.1f3a/style.77ab/
	    s/(c) 2025/(c) 2026/' \
	    site/a/*.html site/a/b/*.html
}

# size FILE MAX: it is not larger.
size() {
	[ "$(stat -c %s "$1")" -le "$2" ] ||
	    fail "$1: $(stat -c %s "$1") bytes, expected at most $2"
}

# rot FILE: other bytes, and nothing tells.
rot() {
	touch -r "$1" "$1.time"
	printf X | dd of="$1" bs=1 seek=100 conv=notrunc status=none
	touch -r "$1.time" "$1"
	rm "$1.time"
}

# -------------------------------------------------------------- what is sent

t_all_that_a_manifest_knows() {
	three '    shared: [up/loads]\n    carry: {paths: ["*.css"], for: 7d}\n'
	pages 30
	ln -s index.html site/link
	: >site/empty
	echo '#!/bin/sh' >site/run
	chmod 755 site/run
	mkdir -p 'site/with space/ä'
	echo 1 >'site/with space/ä/ü?*.txt'
	echo css >site/style.1f3a.css
	run deploy publish
	keep h1
	# Renamed, other modes, other types, gone, new, carried, moved.
	mv site/a/page-0.html 'site/with space/moved.html'
	rm site/style.1f3a.css
	echo more >site/style.2222.css
	chmod 644 site/run
	chmod 755 site/empty
	ln -sf run site/link
	rm -r site/b
	echo now a file >site/b
	rm site/a/page-2.html
	mkdir site/a/page-2.html
	echo in it >site/a/page-2.html/index.html
	echo x >>site/index.html
	run deploy publish
	assert_live "$(cat "$out")"
	[ -s h1.pack ] || fail "h1 got no edits"
	for h in "${hosts[@]}"; do
		cmp "r-$h/.deploy/manifests/$(live h1)" \
		    "r-h3/.deploy/manifests/$(live h1)"
		diff -r --no-dereference "r-$h/current/" r-h3/current/
		run deploy host verify "$PWD/r-$h" --id="$(live h1)"
		assert_eq "$(value difference)" "" "$h"
	done
	assert_eq "$(cat r-h1/current/style.1f3a.css)" css
}

t_what_is_small_is_small() {
	three
	pages 400
	run deploy publish
	keep h1
	chmod 755 site/a/page-2.html
	publish
	size h1.pack 700
	head -c 1000 /dev/urandom >site/new
	publish
	size h1.pack 1800
}

# A tree of a hundred names, as the seed wants it: texts, bytes, empty and
# larger files, links, modes.
random_tree() {
	local i name
	RANDOM=$1
	rm -rf site
	mkdir -p site/d{0..9}
	echo "$1" >site/index.html
	for ((i = 0; i < 100; i++)); do
		name=site/d$((RANDOM % 10))/$((RANDOM % 50))
		[ ! -e "$name" ] && [ ! -L "$name" ] || continue
		case $((RANDOM % 8)) in
		0) : >"$name" ;;
		1) printf x >"$name" ;;
		2) head -c 30000 /dev/zero | tr '\0' "$((RANDOM % 3))" >"$name" ;;
		3) ln -s "$((RANDOM % 50))" "$name" ;;
		4) seq $((RANDOM % 4)) 3000 >"$name"; chmod 755 "$name" ;;
		*) echo "text $((RANDOM % 4)) of a few" >"$name" ;;
		esac
	done
	find site -type d -empty -delete
}

t_random_trees() {
	local i
	three
	random_tree 1
	run deploy publish
	for ((i = 2; i < 6; i++)); do
		random_tree $i
		publish --override=build
	done
}

# gzips PACK: lines in it with the first bytes of gzip.
gzips() {
	zstd -dcq "$1" | LC_ALL=C grep -ac "$(printf '\037\213\010')" || true
}

# A host makes gzip of what changed; one with another zlib gets it, as one with the
# sh verbs does, and all have the same bytes.
t_forms_are_made_there() {
	local h i id
	three '    compress: {paths: ["**"], with: [gzip, brotli], over: 0}\n'
	keep h1
	# As a deploy that was linked with another library.
	fault h2 <<-'END'
	[ "$verb" != info ] || exec "${real[@]}" > >(sed -u 's/makes-gzip-.*/makes-gzip-0.9/')
	if [ "$verb" = receive ] && [[ " $* " = *" --base="* ]]; then
		tee "$self.pack" | "${real[@]}"
		exit "${PIPESTATUS[1]}"
	fi
	END
	for ((i = 1; i < 6; i++)); do
		random_tree "1$i"
		seq "$i" 900 >site/index.html
		run deploy publish --override=build
		id=$(cat "$out")
		assert_live "$id"
		for h in h1 h2; do
			cmp "r-$h/.deploy/manifests/$id" "r-h3/.deploy/manifests/$id"
			run deploy host verify "$PWD/r-$h" --id="$id"
			assert_eq "$(value difference)" "" "$h"
		done
		assert_not_contains "$err" "gets whole files"
		((i > 1)) || continue
		assert_eq "$(gzips h1.pack)" 0
		(($(gzips h2.pack) > 0)) || fail "edition $i has no gzip for h2"
	done
	assert_clean
}

# A zlib that is not what its version says: whole files for that host alone.
t_forms_that_come_out_otherwise() {
	local id
	[ -z "${TEST_SANITIZE:-}" ] || skip "nothing can be preloaded"
	three '    compress: {paths: ["**"], with: gzip, over: 0}\n'
	pages 3
	run deploy publish
	export PRELOAD
	fault h1 <<-'END'
	[ "$verb" != receive ] || export LD_PRELOAD=$PRELOAD/gzip.so
	END
	sed -i 's/1\.2\.3/4.5.6/' site/*/*.html
	run deploy publish
	id=$(cat "$out")
	assert_contains "$err" "another size than its edits say; it gets whole files"
	assert_eq "$(grep -c "it gets whole files" "$err")" 1
	cmp "r-h1/.deploy/manifests/$id" "r-h3/.deploy/manifests/$id"
	run deploy verify
	assert_clean
}

# form NAME...: a pack that wants gzip to make these of what is beside them.
form() {
	python3 - "r-h1/.deploy/meta/$(live h1).json" "$@" <<-'END' | zstd -q >pack
	import sys
	meta, names = open(sys.argv[1], "rb").read(), sys.argv[2:]
	def num(x):
	    out = b""
	    while x >= 128:
	        out, x = out + bytes([x & 127 | 128]), x >> 7
	    return out + bytes([x])
	def record(b):
	    return num(len(b)) + b
	ops = num(1 << 3) + b"".join(num(6 << 4 << 3 | 4) + num(0) +
	    num(len(n)) + num(0o644) + num(0) for n in names)
	edits = bytes(32) + num(1700000000) + num(0) + record(b"\x50" * len(names)) + \
	    record("".join(names).encode()) + ops
	sys.stdout.buffer.write(b"deploy edits 1\n" + record(meta) +
	    record(edits) + record(b"\0"))
	END
}

# one SIZE: a host whose release is one page of so many bytes, and the request
# that its packs come with.
one() {
	local id
	rm -rf r-h1
	head -c "$1" /dev/zero >site/index.html
	run deploy publish
	id=$(cat "$out")
	printf '%s\n' host receive "$PWD/r-h1" "--bytes=1000000" \
	    --id="${id%?}$(((0x${id: -1} + 1) % 10))" --base="$id" >h1.args
}

t_forms_that_lie() {
	local releases=1 name
	program h1 c
	hosts=(h1)
	mkdir site
	printf 'sites:\n  - {name: t, root: %s, source: site, hosts: [{address: h1, transport: local, root: %s, deploy: %s}]}\n' \
	    "$PWD/r" "$PWD/r-h1" "$PWD/h1" >deploy.yml
	# As much as may be compressed, and a byte.
	one $((64 * 1024 * 1024 + 1))
	form index.html.gz
	damaged "too much"
	assert_contains "$out" "too much to compress"
	one $((64 * 1024 * 1024))
	form index.html.gz
	damaged "another size"
	assert_not_contains "$out" "too much to compress"
	assert_contains "$out" "more bytes than announced"
	for name in jndex.html.gz jndex.html index.html.br zz; do
		form "$name"
		damaged "$name"
		assert_contains "$out" "is not a compressed form of a file beside it"
	done
	form zz zz.gz
	damaged "a form of nothing"
}

# Pages of which some paragraphs are of this seed: in lines and in one, beside
# bytes, one that is too large for rules, and what is new, gone, moved and of
# another mode.
random_pages() {
	rm -rf site
	mkdir -p site/p
	awk -v seed="$1" 'BEGIN {
		srand(seed)
		for (i = 0; i < 90; i++) {
			if (rand() < 0.05)
				continue
			f = "site/p/" i (rand() < 0.05 ? "-" seed : "") ".html"
			end = i % 5 == 0 ? " " : "\n"
			often = rand() < 0.3 ? 0.05 : 0
			printf "<html><link href=s.%d.css>%s", seed, end >f
			for (k = 0; k < 100 + (i * 37) % 300; k++)
				printf "<p>%d: %d of %d%s%s", k, i * 7919 + k, \
				    (rand() < often ? seed : 0), \
				    " in a paragraph", end >f
			printf "<i>edition %d</i>%s", seed, end >f
			close(f)
		}
	}'
	echo start >site/index.html
	: >site/empty
	seq 1 1300000 | sed "$(($1 * 1000))s/\$/ of $1/" >site/large
	head -c 40000 /dev/urandom | cat - site/index.html >site/bytes
	find site/p -name "*$1*.html" -exec chmod 755 {} +
}

t_random_pages() {
	local seed
	three
	random_pages 11
	run deploy publish
	for seed in 12 13 14; do
		random_pages $seed
		publish --override=build
		assert_contains said "travelled as differences"
		assert_contains said "did not travel"
	done
}

t_pages_that_all_changed_do_not_travel() {
	three
	many 240
	run deploy publish
	keep h1
	newer
	run deploy publish -v --json
	assert_contains "$err" "of 240 pages"
	assert_contains "$err" "rule: '"
	assert_contains "$err" "240 pages did not travel: 2 rules"
	assert_eq "$(jq '.rewritten, .rules' "$out")" "240
2"
	cp h1.pack first.pack
	size first.pack 1500
	assert_serves_site
	cmp "r-h1/.deploy/manifests/$(live h1)" "r-h3/.deploy/manifests/$(live h3)"
	# One of them says something new: it alone travels.
	head -c 3000 /dev/urandom | base64 >>site/a/page-1.html
	sed -i 's/1\.3\.0/1.4.0/' site/a/*.html site/a/b/*.html
	publish
	size h1.pack 9000
}

t_few_pages_are_sent_as_they_are() {
	three
	many 20
	run deploy publish
	newer
	: >h1.verbs
	: >h2.verbs
	publish
	assert_eq "$(grep -c files h1.verbs h2.verbs)" "h1.verbs:0
h2.verbs:0"
}

# own SEED: a word of its own at the end of every page, where no rule helps.
own() {
	local f
	awk -v seed="$1" 'BEGIN { srand(seed) }
	FNR == 1 && NR > 1 { close(out) }
	FNR == 1 { out = FILENAME ".new" }
	/<i>page/ { sub(/<i>page/, "<b>" int(rand() * 1e9) "</b><i>page") }
	{ print >out }' site/a/*.html site/a/b/*.html
	for f in site/a/*.html site/a/b/*.html; do
		mv "$f.new" "$f"
	done
}

t_pages_that_changed_in_part_travel_in_part() {
	local whole
	three
	many 200
	head -c 300000 /dev/urandom >site/large
	run deploy publish
	keep h1
	own 1
	printf 'a word' | dd of=site/large bs=1 seek=90000 conv=notrunc status=none
	echo x >>site/index.html
	run deploy publish -v --json
	assert_serves_site
	assert_contains "$err" "197 pages travelled as differences"
	# The samples have a rule each.
	assert_eq "$(jq '.patched, .rewritten' "$out")" "197
4"
	cmp "r-h1/.deploy/manifests/$(live h1)" "r-h3/.deploy/manifests/$(live h3)"
	whole=$(tar -c site | zstd -12 | wc -c)
	size h1.pack $((whole / 20))
	for h in "${hosts[@]}"; do
		run deploy host verify "$PWD/r-$h" --id="$(live h1)"
		assert_eq "$(value difference)" "" "$h"
	done
	# Only one that can is asked: for some, and with what these won.
	assert_eq "$(grep -c signatures h2.verbs h3.verbs)" "h2.verbs:0
h3.verbs:0"
	[[ $(grep -c signatures h1.verbs) = [123] ]] || fail "many questions"
}

t_pages_that_have_nothing_in_common_cost_a_few_questions() {
	local f
	three
	mkdir -p site
	for f in {1..60}; do
		head -c 20000 /dev/urandom | base64 >"site/$f.html"
	done
	echo start >site/index.html
	run deploy publish
	for f in {1..60}; do
		head -c 20000 /dev/urandom | base64 >"site/$f.html"
	done
	run deploy publish -v --json
	assert_serves_site
	assert_eq "$(jq '.patched' "$out")" 0
	assert_contains "$err" "of 60 pages explain parts of 0"
	assert_eq "$(grep -c signatures h1.verbs)" 1
}

# counted FORM [FILTER]: a site of one host, in FORM.yml, of which all bytes
# in both directions go to FORM.in and FORM.out; what it says goes through the
# filter.
counted() {
	cat >"$1.host" <<-END
	#!/bin/bash
	tee -a "$PWD/$1.in" | "$DEPLOY" "\$@" | ${2:-cat} | tee -a "$PWD/$1.out"
	exit "\${PIPESTATUS[1]}"
	END
	chmod +x "$1.host"
	cat >"$1.yml" <<-END
	sites:
	  - name: t
	    root: $PWD/r
	    hosts:
	      - {address: h, transport: local, root: $PWD/r-$1, deploy: $PWD/$1.host}
	END
}

# spent FORM: bytes of a publish of pair/new over pair/old, which is in r-old.
spent() {
	rm -rf "r-$1"
	cp -a r-old "r-$1"
	: | tee "$1.in" >"$1.out"
	run deploy publish -v -c "$1.yml" pair/new
	diff -r "r-$1/current/" pair/new || fail "$pair: another site"
	cat "$1.in" "$1.out" | wc -c
}

# An index for a search, say: the list of what it has stays short.
t_a_large_file_travels_in_part() {
	local pair=large bytes
	counted edits
	mkdir -p pair/old pair/new
	echo old | tee pair/new/index.html >pair/old/index.html
	head -c 30000000 /dev/urandom >pair/old/search.json
	{
		head -c 20000000 pair/old/search.json
		echo 'a word'
		tail -c +20000001 pair/old/search.json
	} >pair/new/search.json
	run deploy publish -q -c edits.yml pair/old
	mv r-edits r-old
	bytes=$(spent edits)
	[ "$bytes" -le 150000 ] || fail "$bytes bytes: $(cat "$err")"
}

# Guesses that come to nothing cost little, whatever the pages are.
t_never_much_more_than_whole_files() {
	local pair edits whole
	need_cmd python3
	counted edits
	counted whole "grep --line-buffered -av ^has.delta"
	for pair in $(python3 "$TREE/tests/bound_pairs.py"); do
		rm -rf pair
		python3 "$TREE/tests/bound_pairs.py" "$pair" pair
		rm -rf r-old r-edits
		run deploy publish -q -c edits.yml pair/old
		mv r-edits r-old
		edits=$(spent edits)
		whole=$(spent whole)
		[ "$edits" -le $((whole + 40000)) ] ||
		    fail "$pair: $edits bytes, $whole of whole files: $(cat "$err")"
	done
}

# --------------------------------------------------- which host gets what

# watch HOST [LINE]: it notes how it gets packs; the line runs before.
watch() {
	fault "$1" <<-END
	${2:-}
	[ "\$verb" != receive ] || case " \$* " in
	*" --base="*) echo edits ;;
	*) echo whole ;;
	esac >>"\$self.got"
	END
}

# beyond SEED: the next version, by rules, and words of its own on the pages of
# site/a/b: both kinds of edits.
beyond() {
	local f
	newer
	sed -i "s/(c) [0-9a-z]*/(c) $1/" site/a/*.html site/a/b/*.html
	for f in site/a/b/*.html; do
		echo "<!-- $RANDOM$RANDOM of $1 -->" >>"$f"
	done
}

# got WANT: what each of h1 h2 h3 got since, one after the other; and all is
# well.
got() {
	local h all=''
	for h in h1 h2 h3; do
		all+="$(tr '\n' ' ' <"$h.got")"
		all=${all% },
		: >"$h.got"
	done
	assert_eq "${all%,}" "$1" "$what"
	assert_serves_site
	for h in "${hosts[@]}"; do
		diff -r --no-dereference "r-$h/current/" site/ ||
		    fail "$what: $h"
		run deploy host verify "$PWD/r-$h" --id="$(live "$h")"
		assert_eq "$(value difference)" "" "$what: $h"
	done
	assert_clean
}

t_all_kinds_of_hosts_and_clients() {
	local what h seed=2030
	three
	many 300
	for h in h1 h2 h3; do
		watch "$h"
		: >"$h.got"
	done
	what="the first time"
	run deploy publish
	got "whole,whole,whole"
	what="as ever"
	beyond $((++seed))
	run deploy publish -v
	assert_contains "$err" "pages travelled as differences"
	assert_contains "$err" "pages did not travel"
	got "edits,edits,whole"
	what="a host of a version that has no edits"
	watch h2 '[ "$verb" != info ] || { "${real[@]}" | grep -av "^has.delta"; exit; }'
	beyond $((++seed))
	run deploy publish
	got "edits,whole,whole"
	watch h2
	what="several bases"
	beyond $((++seed))
	run deploy publish --host h2
	: >h2.got
	beyond $((++seed))
	run deploy publish
	got "edits,edits,whole"
	what="a host that is new"
	rm -r r-h2
	beyond $((++seed))
	run deploy publish
	got "edits,whole,whole"
	what="a client that knows nothing"
	rm -rf "$XDG_CACHE_HOME"
	beyond $((++seed))
	run deploy publish
	got "edits,edits,whole"
	what="host by host"
	sed -i 's/^    source:/    strategy: rolling\n&/' deploy.yml
	beyond $((++seed))
	run deploy publish
	got "edits,edits,whole"
}

t_keys_that_may_only_stage_and_activate() {
	local h what="a key with limits"
	three
	many 300
	for h in h1 h2; do
		mv "$h" "$h.real"
		cat >"$h" <<-END
		#!/bin/sh
		SSH_ORIGINAL_COMMAND="deploy \$*" exec "$DEPLOY" host \\
		    --root "$PWD/r-$h" --allow receive,activate,prune
		END
		chmod +x "$h"
	done
	sed -i 's/^    source:/    hooks: {post_activate: "cat $DEPLOY_CHANGED_CONTENT_FILE >content"}\n&/' deploy.yml
	run deploy publish
	beyond 2031
	run deploy publish -v
	assert_contains "$err" "pages travelled as differences"
	assert_contains "$err" "pages did not travel"
	assert_serves_site
	[ "$(grep -vc '^/a/b/' content)" -le 4 ] || fail "$(head content)"
	assert_eq "$(grep -c '^/a/b/' content)" 100
}

# die_in HOST VERB [BYTES]: from now on it dies in that request, which it has
# answered, or whose data it has read, so far.
die_in() {
	fault "$1" <<-END
	if [ "\$verb" = $2 ]; then
		if [ $2 = receive ]; then
			head -c $3 | "\${real[@]}"
		else
			"\${real[@]}" | dd bs=1 count=$3 status=none
		fi
		exit 1
	fi
	END
}

t_again_after_a_cut() {
	local how h what seed=0
	three
	many 300
	run deploy publish
	# Another one is asked.
	for how in "files 2000" "signatures 0" "signatures 1500"; do
		what="cut in $how"
		beyond $((++seed + 2040))
		# shellcheck disable=SC2086
		die_in h1 $how
		run deploy publish -v
		assert_contains "$err" "h1: no s"
		assert_contains "$err" "pages did not travel"
		heal
		: | tee h1.got h2.got >h3.got
		got ",,"
	done
	for how in "receive 0" "receive 500" "receive 6000"; do
		what="cut in $how"
		beyond $((++seed + 2040))
		# shellcheck disable=SC2086
		die_in h2 $how
		deploy publish -v >"$out" 2>"$err" && fail "$what: no failure"
		heal
		for h in h1 h2 h3; do
			watch "$h"
		done
		run deploy publish
		got ",edits,"
		heal
	done
}

t_disk_that_is_full_in_the_middle() {
	local h what="a disk that was full"
	need_root
	mkdir r-h2
	mount -t tmpfs -o size=9m,mode=755 none r-h2 2>/dev/null ||
	    skip "no tmpfs"
	defer umount -l "$PWD/r-h2"
	three
	many 300
	run deploy publish
	fault h2 <<-'END'
	if [ "$verb" = receive ]; then
		dd if=/dev/zero of="$self.fill" bs=4k 2>/dev/null
		"${real[@]}"
		exit
	fi
	END
	rm -f h2.fill
	ln -s "$PWD/r-h2/fill" h2.fill
	beyond 2050
	expect_status 10 deploy publish
	assert_contains "$err" "h2"
	heal
	rm r-h2/fill
	assert_eq "$(ls r-h2/.deploy/incoming | wc -l)" 0
	for h in h1 h2 h3; do
		watch "$h"
		: >"$h.got"
	done
	run deploy publish
	got ",edits,"
}

# ------------------------------------------------------------- what fails

t_a_page_that_is_rotten_here() {
	three
	many 240
	run deploy publish
	keep h1
	keep h2
	rot r-h2/current/a/page-200.html
	newer
	run deploy publish -v
	assert_serves_site
	assert_contains "$err" "h2: the edits of release"
	assert_eq "$(grep -c "whole files" "$err")" 1
	for h in "${hosts[@]}"; do
		run deploy host verify "$PWD/r-$h" --id="$(live h1)"
		assert_eq "$(value difference)" "" "$h"
	done
}

t_samples_that_are_rotten_come_from_another_host() {
	local f
	three
	many 240
	run deploy publish
	keep h2
	for f in r-h1/current/a/*.html r-h1/current/a/b/*.html; do
		rot "$f"
	done
	newer
	run deploy publish -v
	assert_serves_site
	assert_contains "$err" "h1: no samples for rules"
	size h2.pack 1500
	assert_eq "$(grep -c "whole files" "$err")" 1
}

t_deltas_of_a_page_that_is_rotten_here() {
	three
	many 200
	run deploy publish
	keep h1
	rot r-h2/current/a/page-200.html 2>/dev/null || rot r-h2/current/a/page-1.html
	own 1
	run deploy publish -v
	assert_serves_site
	assert_contains "$err" "h2: "
	assert_eq "$(grep -c "whole files" "$err")" 1
	for h in "${hosts[@]}"; do
		run deploy host verify "$PWD/r-$h" --id="$(live h1)"
		assert_eq "$(value difference)" "" "$h"
	done
}

t_signatures_that_are_rotten_come_from_another_host() {
	local f
	three
	many 200
	run deploy publish
	keep h2
	for f in r-h1/current/a/*.html r-h1/current/a/b/*.html; do
		rot "$f"
	done
	own 1
	run deploy publish -v
	assert_serves_site
	assert_contains "$err" "h1: no signatures: "
	assert_contains "$err" "pages travelled as differences"
	assert_eq "$(grep -c "whole files" "$err")" 1
}

t_signatures_that_lie() {
	local answer n=0
	three
	many 200
	run deploy publish
	while IFS= read -r answer; do
		own $((++n))
		fault h1 <<-END
		if [ "\$verb" = signatures ]; then
			echo "deploy-host 1"
			$answer
			exit
		fi
		END
		run deploy publish -v
		assert_serves_site
		assert_contains "$err" "h1: no signatures: "
		assert_contains "$err" "pages travelled as differences"
	done <<-'END'
	printf 'ok\n'
	printf 'chunks\t999999999999\nhello\nok\n'
	printf 'chunks\t-1\n'
	printf 'chunks\t1\nhello'
	for i in {1..300}; do printf 'chunks\t1\n55555'; done; printf 'ok\n'
	head -c 300000 /dev/urandom
	printf 'error\t8\tno\n'
	END
}

t_deltas_that_lie() {
	local size n releases args
	three
	many 200
	run deploy publish
	keep h1
	own 1
	run deploy stage
	rm -r "r-h1/releases/$(cat "$out")" "r-h1/.deploy/manifests/$(cat "$out")"
	releases=$(ls r-h1/releases | wc -l)
	zstd -dcq h1.pack >plain
	size=$(stat -c %s plain)
	for ((n = 16; n < size; n += size / 40 + 1)); do
		cp plain p
		printf '\252' | dd of=p bs=1 seek="$n" conv=notrunc status=none
		! cmp -s plain p || continue
		zstd -q <p >pack
		damaged "byte $n"
	done
	for n in 1 2 3 10 100 300; do
		head -c $((size - n)) plain | zstd -q >pack
		damaged "cut $n before the end"
	done
	zstd -q <plain >pack
	mapfile -t args <h1.args
	run deploy "${args[@]}" <pack
}

# lie: what h1 answers when it is asked for samples; then h2 is asked.
lie() {
	fault h1 <<-END
	if [ "\$verb" = files ]; then
		echo "deploy-host 1"
		$1
		exit
	fi
	END
}

t_samples_that_lie() {
	local answer
	three
	many 240
	run deploy publish
	while IFS= read -r answer; do
		newer
		sed -i "s/(c) [0-9a-z]*/(c) x$RANDOM/" site/a/*.html site/a/b/*.html
		lie "$answer"
		keep h2
		run deploy publish -v
		assert_serves_site
		assert_contains "$err" "h1: no samples for rules: "
		assert_contains "$err" "240 pages did not travel"
		size h2.pack 1500
	done <<-'END'
	printf 'ok\n'
	printf 'size\t5\nsize\t5\nsize\t5\nsize\t5\nzstd\t5\nhello\nok\n'
	printf 'size\t5\nsize\t5\nsize\t5\nsize\t5\nzstd\t999999999999\nhello'
	printf 'size\t1\nsize\t1\nsize\t1\nsize\t1\nzstd\t-1\n'
	head -c 300000 /dev/urandom
	printf 'error\t8\tno\n'
	END
}

t_rules_that_lie() {
	local size n releases
	three
	many 200
	run deploy publish
	keep h1
	newer
	run deploy stage
	rm -r "r-h1/releases/$(cat "$out")" "r-h1/.deploy/manifests/$(cat "$out")"
	releases=$(ls r-h1/releases | wc -l)
	zstd -dcq h1.pack >plain
	size=$(stat -c %s plain)
	# Meta, edits, rules: the last bytes are those of the rules.
	for ((n = 16; n < size; n += size / 30 + 1)); do
		cp plain p
		printf '\252' | dd of=p bs=1 seek="$n" conv=notrunc status=none
		! cmp -s plain p || continue
		zstd -q <p >pack
		damaged "byte $n"
	done
	for n in 1 2 5 10 20 40; do
		cp plain p
		printf '\1' | dd of=p bs=1 seek=$((size - n)) conv=notrunc status=none
		zstd -q <p >pack
		damaged "byte $n of the rules"
	done
	zstd -q --ultra --long=27 <plain >pack
	damaged "a window of 128 MiB"
	zstd -q <plain >pack
	mapfile -t args <h1.args
	run deploy "${args[@]}" <pack
}


# small N: a pack with so many small files, each a delta of index.html.
small() {
	python3 - "$1" "r-h1/.deploy/meta/$(live h1).json" \
	    "$(stat -c %s site/index.html)" <<-'END' | zstd -q >pack
	import sys
	n, meta, size = int(sys.argv[1]), open(sys.argv[2], "rb").read(), int(sys.argv[3])
	def num(x):
	    out = b""
	    while x >= 128:
	        out, x = out + bytes([x & 127 | 128]), x >> 7
	    return out + bytes([x])
	def signed(x):
	    return num(2 * x if x >= 0 else -2 * x - 1)
	def record(b):
	    return num(len(b)) + b
	sizes = signed(1 - size) * n
	names = b"".join(b"a%05d" % i for i in range(n))
	ops = b"".join(num(5 << 4 << 3 | 4) + num(0) + num(6) + num(0o644) +
	    signed(0) + signed(0) for i in range(n)) + num(1 << 3)
	edits = bytes(32) + num(1700000000) + num(0) + record(sizes) + \
	    record(names) + ops
	sys.stdout.buffer.write(b"deploy edits 1\n" + record(meta) +
	    record(edits) + record(b"\0") + (num(1) + b"x") * n)
	END
}

# Four times the base and 64 MiB may be read of it, and no more.
t_the_base_is_not_read_without_end() {
	local id releases=1
	program h1 c
	hosts=(h1)
	mkdir site
	head -c 4194304 /dev/zero >site/index.html
	printf 'sites:\n  - {name: t, root: %s, source: site, hosts: [{address: h1, transport: local, root: %s, deploy: %s}]}\n' \
	    "$PWD/r" "$PWD/r-h1" "$PWD/h1" >deploy.yml
	run deploy publish
	id=$(cat "$out")
	printf '%s\n' host receive "$PWD/r-h1" "--bytes=1000" \
	    --id="${id%?}$(((0x${id: -1} + 1) % 10))" --base="$id" >h1.args
	small 19
	damaged "nineteen times"
	assert_contains "$out" "do not lead to"
	small 20
	damaged "twenty times"
	assert_contains "$out" "read too often"
}

t_a_base_that_is_another_gets_whole_files() {
	three
	pages 40
	run deploy publish
	keep h1
	keep h2
	# A size in the manifest of one host; the cache has the right one.
	sed -i '/index.html/s/size=6/size=7/' "r-h2/.deploy/manifests/$(live h2)"
	echo other >site/index.html
	run deploy publish -v
	assert_serves_site
	assert_contains "$err" "h2: "
	assert_contains "$err" "; it gets whole files"
	assert_eq "$(grep -c "whole files" "$err")" 1
	assert_eq "$(grep -c receive h1.verbs)" 2
	assert_eq "$(grep -c receive h2.verbs)" 3
}

# damaged WHAT: h1.pack is refused with code 5 and leaves nothing.
damaged() {
	local args
	mapfile -t args <h1.args
	expect_status 5 deploy "${args[@]}" <pack
	assert_eq "$(ls "r-h1/releases" | wc -l)" "$releases" "$1"
	assert_eq "$(ls "r-h1/.deploy/incoming" | wc -l)" 0 "$1"
}

t_damaged_packs() {
	local size n args releases
	three
	pages 40
	run deploy publish
	keep h1
	head -c 5000 /dev/urandom >site/noise
	echo x >>site/a/page-2.html
	run deploy stage
	rm -r "r-h1/releases/$(cat "$out")" "r-h1/.deploy/manifests/$(cat "$out")"
	releases=$(ls r-h1/releases | wc -l)
	size=$(stat -c %s h1.pack)
	: >pack
	damaged empty
	for n in 1 4 20 $((size / 2)) $((size - 4)) $((size - 1)); do
		head -c "$n" h1.pack >pack
		damaged "cut after $n"
	done
	for ((n = 6; n < size; n += size / 40 + 1)); do
		cp h1.pack pack
		printf '\252' | dd of=pack bs=1 seek="$n" conv=notrunc status=none
		! cmp -s pack h1.pack || continue
		damaged "byte $n"
	done
	(cat h1.pack; echo) >pack
	damaged "more behind it"
	zstd -dcq h1.pack | sed 's/edits 1/edits 2/' | zstd -q >pack
	damaged "other magic"
	# A byte of the noise: only the digest of the manifest tells.
	zstd -dcq h1.pack >plain
	printf '\252' | dd of=plain bs=1 seek="$(($(stat -c %s plain) - 100))" \
	    conv=notrunc status=none
	zstd -q <plain >pack
	damaged "another content"
	mapfile -t args <h1.args
	run deploy "${args[@]}" <h1.pack
	assert_eq "$(ls r-h1/releases | wc -l)" $((releases + 1))
}

# key VERBS REQUEST: as sshd runs it for a key that is limited to them.
key() {
	SSH_ORIGINAL_COMMAND="deploy host $2" \
	    deploy host --root "$PWD/r-h1" --allow "$1"
}

t_a_key_that_may_only_stage() {
	local first second third
	three
	pages 4
	run deploy publish
	first=$(cat "$out")
	echo x >>site/index.html
	run deploy publish
	second=$(cat "$out")
	printf 'index.html\na/page-0.html\n\n' >paths
	run key receive "files $PWD/r-h1 --id=$second --compress=zstd" <paths
	assert_eq "$(value size)" "$(stat -c %s site/index.html site/a/page-0.html)"
	sed '1,/^zstd/d' "$out" | head -c "$(value zstd)" | zstd -dcq >got
	cat site/index.html site/a/page-0.html | cmp - got
	expect_status 8 key receive "files $PWD/r-h1 --id=$first --compress=zstd" <paths
	expect_status 8 key receive "files $PWD/r-h1 --id=$second" <paths
	expect_status 8 key activate "files $PWD/r-h1 --id=$second --compress=zstd" <paths
	expect_status 2 key receive "files $PWD/r-h1 --id=$second --compress=gzip" <paths
	run key receive "files $PWD/r-h1 --id=$second --compress=zstd --bytes=1000" <paths
	expect_status 10 key receive \
	    "files $PWD/r-h1 --id=$second --compress=zstd --bytes=100" <paths
	! grep -a '^zstd' "$out" || fail "it was sent"
	run key files "files $PWD/r-h1 --id=$first" <paths
	head -c 1100000 /dev/urandom >site/large
	run deploy publish
	third=$(cat "$out")
	expect_status 10 key receive \
	    "files $PWD/r-h1 --id=$third --compress=zstd" <<<large
	run key receive "signatures $PWD/r-h1 --id=$third" <paths
	assert_eq "$(grep -aoc 'chunks' "$out")" 2
	printf 'index.html\nindex.html\n' >twice
	expect_status 2 key receive "signatures $PWD/r-h1 --id=$third" <twice
	expect_status 1 key receive "signatures $PWD/r-h1 --id=$third" <<<none
	expect_status 8 key receive "signatures $PWD/r-h1 --id=$second" <paths
	expect_status 8 key activate "signatures $PWD/r-h1 --id=$third" <paths
	expect_status 2 key receive "signatures $PWD/r-h1" <paths
	run key files,receive "signatures $PWD/r-h1 --id=$second" <paths
}

t_requests_that_are_none() {
	local args id
	three
	pages 2
	run deploy publish
	keep h1
	echo x >>site/index.html
	run deploy publish
	mapfile -t args <h1.args
	id=$(cat "$out")
	expect_status 2 deploy "${args[@]}" --filled <h1.pack
	expect_status 2 deploy "${args[@]}" --base=x <h1.pack
	expect_status 5 deploy host receive "$PWD/r-h1" \
	    --id="${id%?}$(((0x${id: -1} + 1) % 10))" \
	    --base="$(live h1)" --bytes=10000 <h1.pack
	assert_clean
}

run_tests
