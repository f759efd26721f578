#!/bin/bash
# deploy stage, from an archive: the same release as from the directory,
# whatever the format; what is damaged or unsafe is refused whole.
# (tests/unit/unpack.c has the formats from inside.)
# parts: 4
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/root.sh
. "$TREE/tests/root.sh"

# A site with what archives are bad at.
site() {
	mkdir -p site/css "site/with space" site/empty site/deep/er
	echo hello >site/index.html
	echo 'a {}' >site/css/a.css
	echo x >"site/with space/ä ö.html"
	echo nfd >"site/cafe"$'\u0301'.html
	: >site/nothing
	head -c 2500000 /dev/urandom >site/large.bin
	printf '#!/bin/sh\n' >site/run.sh
	chmod 755 site/run.sh
	ln -s ../index.html site/deep/link
	echo d >site/deep/er/.hidden
	echo long >"site/deep/$(printf '%0180d' 7).html"
}

small() {
	mkdir -p site/css
	echo hello >site/index.html
	echo 'a {}' >site/css/a.css
}

stage() {
	deploy stage -q "$@" --root root
}

# refused STATUS TEXT ARCHIVE [OPTION...]: the archive is refused, as a file
# and on standard input, and nothing is left.
refused() {
	local status=$1 text=$2 archive=$3 before
	shift 3
	before=$([ ! -d root/releases ] || ls root/releases)
	expect_status "$status" deploy stage "$archive" --root root "$@"
	assert_contains "$err" "$archive: "
	assert_contains "$err" "$text"
	[ ! -s "$out" ] || fail "an answer"
	nothing_left "$before"
	expect_status "$status" deploy stage - --root root "$@" <"$archive"
	assert_contains "$err" "standard input: "
	nothing_left "$before"
	expect_status "$status" piped "$archive" --root root "$@"
	nothing_left "$before"
}

piped() {
	# A pipe is meant: it cannot be seeked in.
	# shellcheck disable=SC2002
	cat "$1" | deploy stage - "${@:2}"
}

nothing_left() {
	assert_eq "$([ ! -d root/releases ] || ls root/releases)" "$1" releases
	assert_eq "$(find root/.deploy/incoming root/.deploy/trash \
	    -mindepth 1)" "" "left behind"
	assert_eq "$(ls root/.deploy/manifests)" "$1" manifests
	assert_eq "$(find "$TMPDIR" -mindepth 1)" "" "in TMPDIR"
}

# archive FORMAT: make site.FORMAT of ./site.
archive() {
	case $1 in
	tar) tar -C site -cf site.tar . ;;
	tar.gz) tar -C site -czf site.tar.gz . ;;
	tar.bz2) bsdtar -C site -cjf site.tar.bz2 . ;;
	tar.xz) tar -C site -cJf site.tar.xz . ;;
	tar.zst) tar -C site --zstd -cf site.tar.zst . ;;
	tar.lz4) bsdtar -C site --lz4 -cf site.tar.lz4 . ;;
	v7.tar) tar -C site --format v7 -cf site.v7.tar . ;;
	pax.tar) bsdtar -C site --format pax -cf site.pax.tar . ;;
	posix.tar) tar -C site --format posix -cf site.posix.tar . ;;
	cpio) (cd site && find . | bsdcpio -o -H newc --quiet) \
	    >site.cpio ;;
	zip) (cd site && zip -qry ../site.zip .) ;;
	bsd.zip) bsdtar -C site --format zip -cf site.bsd.zip . ;;
	7z) bsdtar -C site --format 7zip -cf site.7z . ;;
	esac
}

t_every_format_is_the_same_release() {
	local format id dir
	need_cmd tar bsdtar bsdcpio zip zstd xz bzip2
	site
	dir=$(stage site)
	for format in tar tar.gz tar.bz2 tar.xz tar.zst tar.lz4 pax.tar \
	    posix.tar cpio zip bsd.zip 7z v7.tar; do
		# Zip and 7z know names in composed form only.
		case $format in
		zip | *.zip | 7z)
			rm -f site/cafe*
			dir=$(stage site)
			;;
		v7.tar)
			rm -f site/deep/0*
			dir=$(stage site)
			;;
		esac
		archive "$format"
		# The same content: found, not staged again.
		assert_eq "$(stage "site.$format")" "$dir" "$format"
		id=$(stage --again "site.$format")
		assert_tree_eq site "root/releases/$id"
		assert_eq "$(digest "$id")" "$(digest "$dir")" "$format"
		run deploy verify "$id" --root root
		# Of two with this content the newest is meant.
		dir=$id
		assert_eq "$(stage - <"site.$format")" "$dir" "$format <"
		assert_eq "$(piped "site.$format" -q --root root)" "$dir" \
		    "| $format"
	done
	nothing_left "$(ls root/releases)"
}

t_archive_of_what_is_live_is_unchanged() {
	local id before
	small
	id=$(deploy publish -q site --root root)
	tar -C site -cf site.tar .
	run deploy publish site.tar --root root
	assert_contains "$err" unchanged
	assert_eq "$(<"$out")" "$id"
	touch site/*
	tar -C site -cf - . | deploy publish - --root root >again 2>/dev/null
	assert_eq "$(<again)" "$id"
	nothing_left "$id"
}

t_files_of_an_archive_are_linked_to_the_base() {
	local a b
	mksite site 50
	a=root/releases/$(deploy publish -q site --root root)
	echo changed >site/index.html
	mv site/css site/style
	echo new >site/new.html
	tar -C site -cf site.tar .
	run deploy publish site.tar --root root --json
	assert_eq "$(json "$out" '[.linked, .copied] | @text')" "[52,2]"
	b=root/releases/$(json "$out" .id)
	assert_tree_eq site "$b"
	assert_eq "$(stat -c %i "$b/style/site.css")" \
	    "$(stat -c %i "$a/css/site.css")"
	assert_eq "$(find "$b" -type f -links 1 -printf '%P\n' | sort |
	    xargs)" "index.html new.html"
	[ "$(stat -c %Y "$b/index.html")" -gt "$(stat -c %Y "$a/index.html")" ]
	run deploy verify --root root
	assert_eq "$(find "$b" -type f -newermt "+1 day" | wc -l)" 0
}

t_modes_and_owners_of_an_archive_do_not_count() {
	local id
	small
	chmod 600 site/index.html
	chmod 777 site/css/a.css
	chmod 4755 site/css/a.css
	chmod 2777 site/css
	tar -C site --owner=4711 --group=4711 --mtime='1970-01-01' \
	    -cf site.tar .
	id=$(umask 077; stage site.tar)
	assert_eq "$(find "root/releases/$id" -printf '%m %P\n' | sort |
	    paste -sd ' ')" "644 index.html 755  755 css 755 css/a.css"
	assert_eq "$(find "root/releases/$id" -user 4711)" ""
	assert_eq "$(find "root/releases/$id" -type f ! -newermt 2020-01-01)" ""
	run deploy verify "$id" --root root
}

t_strip_drops_the_leading_directory() {
	local id
	small
	mkdir -p up/site-1.0
	cp -r site/. up/site-1.0
	tar -C up -cf a.tar site-1.0
	tar -C up -cf b.tar ./site-1.0
	tar -C up -cf c.tar .
	(cd up && zip -qr ../d.zip site-1.0)
	id=$(stage site)
	refused_here 10 "everything is in 'site-1.0/'" a.tar
	assert_contains "$err" "--strip"
	for a in a.tar b.tar c.tar d.zip; do
		assert_eq "$(stage --strip "$a")" "$id" "$a"
		assert_eq "$(stage --strip - <"$a")" "$id" "$a"
	done
	# Patterns are about what is left.
	run deploy stage --strip --exclude /css a.tar --root root
	assert_eq "$(ls "root/releases/$(<"$out")")" index.html
	# Two of them, or a file beside it: which one would it be?
	cp -r up/site-1.0 up/site-2.0
	tar -C up -cf two.tar .
	refused 5 "'site-2.0" two.tar --strip
	tar -C site -cf flat.tar index.html css
	refused 5 "'index.html' is not a directory" flat.tar --strip
}

# finder ORDER...: f.zip with these members, in this order.
finder() {
	rm -f f.zip
	(cd mac && zip -qX ../f.zip "$@")
}

t_what_macos_puts_beside_a_folder() {
	local id order
	local -a members
	local SITE="site/ site/index.html site/css/a.css site/.DS_Store"
	small
	id=$(stage site)
	mkdir -p mac/__MACOSX/site
	cp -r site mac/site
	echo x >mac/site/.DS_Store
	echo x >mac/__MACOSX/site/._index.html
	echo x >mac/.DS_Store
	echo x >mac/._site
	for order in \
	    "SITE __MACOSX/site/._index.html" \
	    "__MACOSX/site/._index.html SITE" \
	    "__MACOSX/ __MACOSX/site/ SITE" \
	    ".DS_Store SITE" "SITE .DS_Store" "._site SITE" "SITE ._site" \
	    "SITE ._site .DS_Store __MACOSX/site/._index.html"; do
		read -ra members <<<"${order/SITE/$SITE}"
		finder "${members[@]}"
		refused_here 10 "--strip --exclude=__MACOSX" f.zip
		refused 5 "macOS" f.zip --strip
		assert_contains "$err" "--exclude="
		# What is advised is taken.
		assert_eq "$(stage --strip --exclude=__MACOSX \
		    --exclude=.DS_Store --exclude='._*' f.zip)" "$id" "$order"
	done
	# A pattern for what is left does not take the directory itself.
	finder site/ site/index.html site/css/a.css
	assert_eq "$(stage --strip --exclude=site f.zip)" "$id"
}

refused_here() {
	expect_status "$1" deploy stage "$3" --root root
	assert_contains "$err" "$2"
}

t_what_is_no_archive() {
	: >empty
	echo "<html>404 not found</html>" >page.html
	head -c 100000 /dev/urandom >random
	head -c 100000 /dev/zero >zeros
	head -c 100 /dev/zero >few-zeros
	printf '\x1f\x8b' >only-magic.gz
	printf 'PK\x03\x04' >only-magic.zip
	echo "no archive" | gzip >text.gz
	tar -cf no-files.tar -T /dev/null
	for f in empty page.html random zeros few-zeros only-magic.gz \
	    only-magic.zip text.gz no-files.tar; do
		refused 5 "" "$f"
	done
}

# What is named in the place of an archive is called what it is.
t_what_it_is_instead() {
	local python=(python3 -B -S) file text
	small
	tar -C site -cf a.tar .
	tar -C site -czf a.tgz .
	gzip -c a.tgz >twice.tgz
	gzip -c a.tgz | zstd -q >both.tar.zst
	tar -cf - a.tgz | gzip >in-tar.tgz
	printf '\xef\xbb\xbf\n <!DOCTYPE html><title>Sign in</title>' >login.tgz
	echo '{"message": "Not Found"}' >gone.zip
	echo '<html>' | gzip >page.tgz
	base64 a.tgz >text.tgz
	base64 -w 0 a.tgz >line.tgz
	printf '#!/bin/sh\nexit 1\n' >build.sh
	"${python[@]}" - <<-'END'
	import zipfile
	zipfile.ZipFile("none.zip", "w").close()
	with zipfile.ZipFile("site.zip", "w") as z:
	    z.write("site/index.html", "index.html")
	with zipfile.ZipFile("absolute.zip", "w") as z:
	    z.writestr("/index.html", "1")
	data = open("site.zip", "rb").read()
	open("self.zip", "wb").write(b"MZ" + b"\0" * 3000 + data)
	open("self.sh", "wb").write(b"#!/bin/sh\nexit 0\n" * 99 + data)
	END
	while IFS='|' read -r file text; do
		refused_here 5 "$file: $text" "$file"
	done <<-'END'
	twice.tgz|there is another compressed file or archive in it (gzip); take off the outer one first
	both.tar.zst|there is another compressed file or archive in it (gzip);
	login.tgz|it is no archive: it begins as HTML or XML does; is it the answer of a server
	page.tgz|it is no archive: it begins as HTML or XML does;
	gone.zip|it is no archive: it begins as JSON does;
	text.tgz|it is no archive: it is text in base64; decode it first, with: base64 -d
	line.tgz|it is no archive: it is text in base64;
	build.sh|it is no archive: it begins as a script does; name the build
	none.zip|the archive is empty
	absolute.zip|the name '/index.html' is absolute; make the archive inside the build
	END
	for file in self.zip self.sh; do
		refused_here 5 "$file: it is a zip behind something else, as one that unpacks itself; take that off with: zip -J FILE" "$file"
	done
	refused_here 10 "there is only 'a.tgz' in it: is that the archive?" in-tar.tgz
	[ ! -e root ] || [ -z "$(ls root/releases)" ] || fail "staged"
	# What they are said to be made into.
	zcat twice.tgz >once.tgz
	base64 -d text.tgz >decoded.tgz
	run stage once.tgz
	run stage decoded.tgz
}

t_compressions_that_are_read() {
	local id c f
	need_cmd bsdtar bzip2
	small
	tar -C site -cf plain.tar .
	id=$(stage site)
	bsdtar -C site --lzma -cf s.lzma .
	bsdtar -C site --lzip -cf s.lzip .
	bsdtar -C site -cZf s.compress .
	bzip2 <plain.tar >s.bzip2
	cp s.lzma misnamed.tar.gz
	# Not all begin with the same bytes.
	xz <plain.tar --format=lzma --lzma1=lc=1,lp=2,pb=0,dict=64KiB >s.1.lzma
	xz <plain.tar --format=lzma --lzma1=lc=0,dict=1MiB >s.2.lzma
	xz <plain.tar --format=lzma -0 >s.3.lzma
	xz <plain.tar --format=lzma -9e >s.4.lzma
	for f in s.lzma s.[1-4].lzma s.lzip s.compress s.bzip2 misnamed.tar.gz; do
		assert_eq "$(stage "$f")" "$id" "$f"
		assert_eq "$(piped "$f" -q --root root)" "$id" "| $f"
		head -c $(($(stat -c %s "$f") * 2 / 3)) "$f" >"cut-$f"
		refused 5 "" "cut-$f"
	done
}

t_compressions_that_are_not_read_are_named() {
	local name bytes
	while read -r name bytes; do
		{
			printf '%b' "$bytes"
			head -c 2000 /dev/zero
		} >foreign
		refused 5 "not read here: $name" foreign
	done <<-'EOF'
		lrzip LRZI
		grzip GRZipII\0
		snappy \0377\06\0\0sNaPpY
		RAR Rar!\032\07\01\0
		Cabinet MSCF\0\0\0\0
		xar xar!
		ar !<arch>\ndebian-binary
		RPM \0355\0253\0356\0333
		ARJ \0140\0352
	EOF
	# An image has its mark behind what is its system's.
	{
		head -c 32768 /dev/zero
		printf '\001CD001\001'
		head -c 30000 /dev/zero
	} >image
	refused 5 "not read here: ISO image" image
	gzip -c image >image.gz
	refused 5 "another compressed file or archive in it (ISO image)" image.gz
}

# What the first bytes of another kind are may be the name of a file.
t_a_tar_is_a_tar_whatever_its_first_name_is() {
	local name format
	need_cmd tar
	small
	for name in PK PKI PK00PK $'PK\x03\x04' "7z" BZh9 LZIP LRZI GRZipII \
	    'Rar!' MSCF 'xar!' '!<arch>' ']' 070707 070701 \
	    $'\x1f\x8b' $'\xfd7zXZ' $'\x28\xb5\x2f\xfd'; do
		mkdir -p "odd/$name"
		echo x >"odd/$name/ca.pem"
		cp -r site/. odd
		for format in v7 ustar; do
			tar --format "$format" -C odd -cf odd.tar "$name" \
			    index.html css
			case $name in
			*[[:cntrl:]]*)
				refused 5 "control character" odd.tar
				continue
				;;
			esac
			rm -rf root
			run deploy stage -q odd.tar --root root
			assert_tree_eq odd "root/releases/$(<"$out")"
		done
		rm -rf odd
	done
}

# zip_named FILE NAME SYSTEM [UTF-8]: a zip with index.html and a file whose
# name is the bytes NAME, made on SYSTEM, and with it in UTF-8 in the extra
# field of Info-ZIP.
zip_named() {
	python3 - "$@" <<-'EOF'
		import os, struct, sys, zipfile, zlib
		name = os.fsencode(sys.argv[2])
		zi = zipfile.ZipInfo('X' * len(name))
		zi.create_system = int(sys.argv[3])
		if len(sys.argv) > 4:
		    field = struct.pack('<BI', 1, zlib.crc32(name))
		    field += os.fsencode(sys.argv[4])
		    zi.extra = struct.pack('<HH', 0x7075, len(field)) + field
		with zipfile.ZipFile(sys.argv[1], 'w') as z:
		    z.writestr(zi, 'x')
		    z.writestr('index.html', 'hello')
		with open(sys.argv[1], 'r+b') as f:
		    data = f.read().replace(b'X' * len(name), name)
		    f.seek(0)
		    f.write(data)
	EOF
}

t_names_of_a_zip_are_utf_8_or_refused() {
	local name utf8 system
	need_cmd python3
	while read -r name utf8; do
		name=$(printf '%b' "$name")
		utf8=$(printf '%b' "$utf8")
		for system in 0 3; do
			zip_named n.zip "$name" "$system"
			refused 5 "not in UTF-8" n.zip
			assert_contains "$err" "make it anew"
			run deploy stage -q --exclude '*.x' n.zip --root root
			zip_named n.zip "$name" "$system" "$utf8"
			rm -rf root
			run deploy stage -q n.zip --root root
			[ -e "root/releases/$(<"$out")/$utf8" ] ||
				fail "$utf8: $(ls -b root/releases/*)"
			rm -rf root
		done
	done <<-'EOF'
		caf\0202.x caf\0303\0251.x
		caf\0351.x caf\0303\0251.x
		d\0204r/\0341.x d\0303\0244r/\0303\0237.x
		\0377\0376.x \0342\0202\0254.x
	EOF
}

# zip_of FILE KEY=NAME...: a zip whose files have these names, as bytes, and KEY
# as their content; made on the system that a digit in KEY says, else on Unix.
# U in KEY: it says that its name is in UTF-8.  $zip_form: "64", with the records
# of a zip64; "comment", with one that looks like an end record.
zip_of() {
	python3 - "$@" <<-'EOF'
		import os, re, struct, sys, zipfile
		form = os.environ.get('zip_form', '')
		files, out = [(b'index.html', 'U', b'hello')], b''
		for word in sys.argv[2:]:
		    key, name = os.fsencode(word).split(b'=', 1)
		    files.append((name, key.decode(), key))
		directory = b''
		for name, key, content in files:
		    crc = zipfile.crc32(content)
		    made = re.search(r'\d+', key)
		    flags = 0x800 if 'U' in key else 0
		    rest = struct.pack('<HHHHHIIIHH', 20, flags, 0, 0, 33, crc,
		        len(content), len(content), len(name), 0)
		    directory += b'PK\1\2' + bytes([20, int(made[0]) if made
		        else 3]) + rest + struct.pack('<HHHII', 0, 0, 0,
		        0o100644 << 16, len(out)) + name
		    out += b'PK\3\4' + rest + name + content
		at, n = len(out), len(files)
		end = struct.pack('<HHHHII', 0, 0, n, n, len(directory), at)
		comment = b''
		out += directory
		if form == '64':
		    end64 = len(out)
		    out += b'PK\6\6' + struct.pack('<QHHIIQQQQ', 44, 45, 45, 0, 0,
		        n, n, len(directory), at)
		    out += b'PK\6\7' + struct.pack('<IQI', 0, end64, 1)
		    end = struct.pack('<HHHHII', 0, 0, 65535, 65535, 2**32 - 1,
		        2**32 - 1)
		if form == 'comment':
		    comment = b'made by PK\1\2 and PK\5\7'
		out += b'PK\5\6' + end + struct.pack('<H', len(comment)) + comment
		open(sys.argv[1], 'wb').write(out)
	EOF
}

# arrived PATH CONTENT: it is in the release whose id is in $out.
arrived() {
	assert_eq "$(cat "root/releases/$(<"$out")/$1")" "$2" "$1"
}

# A backslash is what it is for unzip(1): a byte as any other, but on systems
# where it is what the slash is elsewhere, and has no slash beside it.
t_backslashes_of_zips() {
	local form key name path
	need_cmd python3 zip
	while read -r key name path; do
		for form in '' 64 comment; do
			zip_form=$form zip_of b.zip "$key=$name"
			rm -rf root
			run deploy stage -q b.zip --root root
			arrived "$path" "$key"
		done
	done <<-'EOF'
		3 a\b a\b
		19 a\b a\b
		3U ä\b ä\b
		3 \b \b
		3 a/b\c a/b\c
		0 a\b a/b
		0 a\b\c.html a/b/c.html
		0U ä\ö\c.html ä/ö/c.html
		0 a/b\c a/b\c
		10 a\b a/b
		14 a\b a/b
		6 a\b a/b
	EOF
	zip_of b.zip '3=a\b\'
	refused 5 "ends in a backslash" b.zip
	zip_of b.zip '3=a\b' '3U=a/b'
	rm -rf root
	run deploy stage -q b.zip --root root
	arrived 'a\b' 3
	arrived a/b 3U
	# As a real packer makes it.
	small
	echo x >'site/a\b'
	echo y >'site/css/a\b'
	archive zip
	rm -rf root
	assert_eq "$(stage site)" "$(stage site.zip)"
}

# Names that are one when they are composed: of a zip all arrive, in whatever
# order; in a 7z they are not told apart, and refused.
t_composed_and_decomposed_names() {
	local form a b c=$'caf\u00e9' d=$'cafe\u0301' n
	need_cmd python3 zip bsdtar 7z
	for form in '' 64 comment; do
		for n in "a=$c.x b=$d.x" "b=$d.x a=$c.x" "aU=$c.x bU=$d.x" \
		    "bU=$d.x aU=$c.x" "aU=$c/x bU=$d/x" "bU=$d/x aU=$c/x" \
		    "aU=$c.x b=$d.x" "bU=$d.x a=$c.x"; do
			# shellcheck disable=SC2086 # words are meant
			zip_form=$form zip_of u.zip $n
			rm -rf root
			run deploy stage -q u.zip --root root
			for a in $n; do arrived "${a#*=}" "${a%%=*}"; done
		done
		# Of two that are decomposed in other ways, one is composed.
		a=$'e\u0323\u0302' b=$'\u1eb9\u0302'
		zip_form=$form zip_of u.zip "1U=$a" "2U=$b"
		rm -rf root
		run deploy stage -q u.zip --root root
		arrived $'\u1ec7' 1U
		arrived "$b" 2U
		# The same name again replaces, as ever.
		zip_form=$form zip_of u.zip "1U=$c" "2U=$c"
		rm -rf root
		run deploy stage -q u.zip --root root
		arrived "$c" 2U
		# One alone is composed, and so is a directory with it.
		zip_form=$form zip_of u.zip "1U=$d/$d"
		rm -rf root
		run deploy stage -q u.zip --root root
		arrived "$c/$c" 1U
	done
	small
	echo composed >"site/$c.html"
	echo decomposed >"site/$d.html"
	rm -rf root
	a=$(stage site)
	for form in zip bsd.zip tar; do
		archive "$form"
		assert_eq "$(stage "site.$form")" "$a" "$form"
	done
	archive 7z
	refused 5 "$c.html' twice: composed and decomposed" site.7z
	(cd site && 7z a ../other.7z . >/dev/null)
	refused 5 "'$c.html' twice: composed and decomposed" other.7z
	run deploy stage -q --root root --exclude "$d.html" site.tar
}

t_damaged_archives() {
	local format size n f
	need_cmd tar zip zstd xz
	site
	for format in tar tar.gz tar.xz tar.zst zip cpio; do
		archive "$format"
		f=site.$format
		size=$(stat -c %s "$f")
		# Cut short, at many places.
		for n in 1 300 512 1024 1536 $((size / 3)) $((size / 2)) \
		    $((size * 2 / 3)) $((size - 3)); do
			# What fills the last block may be less.
			case "$format $n" in
			"tar $((size - 3))" | "cpio $((size - 3))") continue ;;
			esac
			head -c "$n" "$f" >"cut.$format"
			expect_status 5 deploy stage "cut.$format" --root root
			nothing_left ""
		done
	done
	# A flipped byte in the middle of the large file, where check sums are.
	for format in tar.gz tar.xz tar.zst zip; do
		f=site.$format
		size=$(stat -c %s "$f")
		cp "$f" "flip.$format"
		printf '\xAA\x55\xAA' | dd of="flip.$format" bs=1 \
		    seek=$((size / 2)) conv=notrunc status=none
		refused 5 "" "flip.$format"
	done
	# Cut between two files, where a tar looks whole.
	tar -C site -cf one.tar index.html
	head -c 1024 one.tar >cut.tar
	refused 5 "cut short" cut.tar
}

t_names_that_leave_the_directory() {
	small
	echo evil >evil
	mkdir in
	for name in ../evil ../../evil a/../../evil /evil "$PWD/out" \
	    css/../../evil .. css/.. ; do
		rm -f evil.tar
		tar -C site -cf evil.tar index.html css
		tar -P --transform "s,.*,$name," -rf evil.tar evil
		refused 5 "" evil.tar
	done
	[ ! -e out ] || fail "it was written"
	[ ! -e /evil ] || fail "it was written"
	# Through a link of the archive itself.
	ln -s /tmp site/esc
	tar -C site -cf evil.tar index.html esc
	refused 5 "'esc'" evil.tar
	ln -sfn css site/esc
	tar -C site -cf evil.tar index.html css esc
	tar --transform "s,.*,esc/evil," -rf evil.tar evil
	refused 5 "esc" evil.tar
	ln -sfn .. site/css/up
	tar -C site -cf evil.tar index.html css
	tar --transform "s,.*,css/up/evil," -rf evil.tar evil
	refused 5 "css/up" evil.tar
	ln -sfn ../.. site/css/up
	tar -C site -cf evil.tar index.html css
	refused 5 "'css/up'" evil.tar
	# Names that could disturb a terminal.
	rm site/css/up site/esc
	touch site/$'new\nline'
	tar -C site -cf evil.tar .
	refused 5 "control character" evil.tar
	run deploy stage evil.tar --exclude 'new*' --root root
}

t_special_files_in_archives() {
	small
	mkfifo site/pipe
	tar -C site -cf evil.tar .
	refused 5 "'pipe'" evil.tar
	stage --exclude pipe evil.tar >/dev/null
	[ "$(id -u)" -eq 0 ] || return 0
	rm site/pipe
	mknod site/null c 1 3
	tar -C site -cf evil.tar .
	refused 5 "'null'" evil.tar
}

t_hard_links_in_archives() {
	local id b
	small
	ln site/index.html site/same.html
	ln site/index.html site/css/also.html
	tar -C site -cf site.tar .
	id=$(stage site.tar)
	assert_tree_eq site "root/releases/$id"
	run deploy verify "$id" --root root
	assert_eq "$(stage site)" "$id"
	deploy activate -q --root root >/dev/null
	# One of the names has this content already, the other has not.
	ln site/css/a.css site/css/b.css
	tar -C site -cf site.tar .
	b=$(stage site.tar)
	assert_tree_eq site "root/releases/$b"
	run deploy verify "$b" --root root
	# And with a new mode, so that no link to the base can be made.
	chmod 755 site/index.html
	ln site/index.html site/new-name.html
	tar -C site -cf site.tar .
	b=$(stage site.tar)
	assert_tree_eq site "root/releases/$b"
	run deploy verify "$b" --root root
	assert_eq "$(stage site)" "$b"
	# Of a symbolic link.
	ln -s index.html site/l1
	ln site/l1 site/l2
	tar -C site -cf site.tar .
	b=$(stage site.tar)
	assert_eq "$(readlink "root/releases/$b/l1" "root/releases/$b/l2")" \
	    "index.html"$'\n'"index.html"
	assert_eq "$(stage site)" "$b"
	# To one that is left out.
	tar -C site -cf site.tar l1 l2 index.html
	expect_status 5 deploy stage site.tar --root root --exclude l1
	assert_contains "$err" "'l1', which is excluded; exclude both, or unpack"
	# To a file outside.
	need_cmd perl
	for target in /etc/passwd ../../x nowhere; do
		perl -e 'my ($n, $l) = @ARGV;
		    my $h = pack("a100 a8 a8 a8 a12 a12 A8 a1 a100 a8 a32 a32 a8 a8 a155 x12",
			$n, "0000644", "0000000", "0000000", "00000000000",
			"00000000000", "", "1", $l, "ustar\0" . "00", "", "", "", "", "");
		    substr($h, 148, 8) = sprintf("%06o\0 ", unpack("%16C*", $h));
		    print $h, "\0" x 1024' link "$target" >evil.tar
		refused 5 "$target" evil.tar
	done
}

t_exclude_and_git_apply_to_archives() {
	local id
	small
	mkdir -p site/.git/objects site/sub/.git
	echo x >site/.git/config
	echo x >site/sub/.git/config
	echo x >site/sub/.gitignore
	echo x >site/css/a.css.map
	tar -C site -cf site.tar .
	run deploy stage site.tar --root root --exclude '*.map' --json
	id=$(json "$out" .id)
	assert_eq "$(json "$out" .excluded)" 3
	assert_eq "$(cd "root/releases/$id" && find . -type f | sort |
	    xargs)" "./css/a.css ./index.html ./sub/.gitignore"
	run deploy stage site --root root --exclude '*.map' --json
	assert_eq "$(json "$out" .id)" "$id"
	assert_eq "$(json "$out" .excluded)" 3
}

t_guards_apply_to_archives() {
	local i
	small
	for ((i = 0; i < 20; i++)); do echo "$i" >"site/$i"; done
	deploy publish -q site --root root >/dev/null
	rm site/?
	rm site/1?
	tar -C site -cf site.tar .
	refused_here 10 "lacks 20 of the 22 paths" site.tar
	rm site/index.html
	tar -C site -cf site.tar .
	refused_here 10 "no index.html" site.tar
	mkdir empty
	tar -C empty -cf empty.tar .
	refused_here 10 "empty" empty.tar
	assert_eq "$(ls -A root/.deploy/incoming)" ""
}

t_dry_run_of_an_archive_leaves_nothing() {
	local before
	site
	archive tar
	before=$(find . -printf '%p %T@ %C@ %s\n' | sort)
	run deploy stage -n site.tar --root root --json
	assert_eq "$(json "$out" .files)" "$(find site -type f | wc -l)"
	run deploy publish -n - --root root <site.tar
	assert_eq "$(find . -printf '%p %T@ %C@ %s\n' | sort)" "$before"
	head -c 100000 site.tar >cut.tar
	expect_status 5 deploy stage -n cut.tar --root root
	[ ! -e root ] || fail "a root"
	assert_eq "$(find "$TMPDIR" -mindepth 1)" "" "in TMPDIR"
	deploy publish -q site --root root >/dev/null
	run deploy stage -n site.tar --root root
	assert_contains "$err" unchanged
	run deploy diff site.tar --root root
	[ ! -s "$out" ] || fail "a difference: $(<"$out")"
	assert_eq "$(find "$TMPDIR" -mindepth 1)" "" "in TMPDIR"
}

# An archive that swells: refused before the disk is full.
t_an_archive_that_does_not_fit() {
	need_root
	unshare -m true 2>/dev/null || skip "no mount namespaces"
	small
	truncate -s 300M site/bomb
	tar -C site -czf site.tar.gz .
	# shellcheck disable=SC2016 # a script
	expect_status 10 unshare -m bash -euc '
	mkdir root
	mount -t tmpfs -o size=8m,mode=755 none root
	r=0
	deploy stage site.tar.gz --root root || r=$?
	test -z "$(ls root/releases root/.deploy/incoming | grep Z-)"
	exit $r'
	assert_contains "$err" "site.tar.gz"
}

t_an_archive_that_comes_slowly() {
	small
	tar -C site -cf site.tar .
	(
		head -c 700 site.tar
		sleep 0.3
		tail -c +701 site.tar
	) | deploy stage -q - --root root >id
	assert_tree_eq site "root/releases/$(<id)"
	# Its maker dies: no archive, no release.
	head -c 1500 site.tar >half
	expect_status 5 piped half --again --root root
	nothing_left "$(<id)"
}

# It is loaded when an archive is read, and missed then only.
t_without_libarchive() {
	need_cmd unshare mount
	need_root
	run bash -c 'unshare -m true'
	small
	tar -cf site.tar -C site .
	without() {
		unshare -m bash -c '
			for f in /usr/lib/*/libarchive.so.13; do
				mount --bind /dev/null "$f"
			done
			exec "$@"' - "$@"
	}
	expect_status 1 without deploy stage site.tar --root root
	assert_contains "$err" "install libarchive13"
	run without deploy publish site --root root
	run without deploy list --root root
}

run_tests
