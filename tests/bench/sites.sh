# shellcheck shell=bash
# The sites that are measured.  Each is made once, in three states:
#
#	$tmp/src/SITE/plain	what the base is made of
#	$tmp/src/SITE/percent	1 % of its files changed
#	$tmp/src/SITE/footer	every page changed by one line
#
# and, for hosts, in more of them when one is wanted (state_make):
#
#	menu	every page has a new entry in its menu, relative to where the
#		page is, and marked in one directory
#	renamed	every style sheet and script has another name, as by the hash
#		of its content, in all pages
#	version	the same, and another version in all pages
#	words	every page has a line more, and none has the same
#	index	a large JSON file and a sitemap have changed, and no page
#	package	the other version of the package that Debian's archive has, of
#		its updates most of the time: a pair that nobody made up
#
# The sites: python and openjdk, of Debian's packages; python-min, the same as
# python with one line a page; python-index, with such a JSON file and sitemap;
# small, which is generated.
#
# What a state has in common with `plain` is linked to it: one copy is in
# the page cache.
#
# $tmp is from `run`.
# shellcheck disable=SC2154

SMALL_FILES=100000
PYTHON_DOC=/usr/share/doc/python3.11/html
OPENJDK_DOC=/usr/share/doc/openjdk-17-jre-headless/api

# site_make SITE: 1, with a message, when it is not to be had.
site_make() {
	local dir=$tmp/src/$1
	mkdir -p "$dir" || die "cannot write to $tmp"
	case $1 in
	python) copy_docs "$PYTHON_DOC" "$dir/plain" ;;
	python-min) copy_docs "$PYTHON_DOC" "$dir/plain" &&
	    minify "$dir/plain" ;;
	python-index) copy_docs "$PYTHON_DOC" "$dir/plain" &&
	    make_index "$dir/plain" 2026-11-01 ;;
	openjdk) copy_docs "$OPENJDK_DOC" "$dir/plain" ;;
	small) generate "$dir/plain" ;;
	esac || return 1
	cp -al "$dir/plain" "$dir/percent"
	cp -al "$dir/plain" "$dir/footer"
	change_percent "$dir/percent"
	change_footers "$dir/footer"
}

# Copy a documentation package; its links to other packages become files.
copy_docs() {
	if [ ! -d "$1" ]; then
		echo "no $1: left out; run: make deps-bench" >&2
		return 1
	fi
	cp -a "$1" "$2"
	(
		cd "$1" || exit
		find . -type l -print0
	) | while IFS= read -r -d '' f; do
		rm "$2/$f"
		[ ! -f "$1/$f" ] || cp -L "$1/$f" "$2/$f"
	done
}

# Many small pages, in directories of 100.
generate() {
	local d
	mkdir -p "$1" && (
		cd "$1" || exit
		for ((d = 0; d * 100 < SMALL_FILES; d++)); do
			printf 'p/%04d\0' "$d"
		done | xargs -0r mkdir -p
		awk -v n="$((SMALL_FILES - 1))" '
		function page(path, k,   i) {
			printf "<!DOCTYPE html>\n<title>Page %d</title>\n" \
			    "<body>\n", k >path
			for (i = 0; i < 5 + k * 7 % 40; i++)
				printf "<p>Line %d of page %d: %d.</p>\n", \
				    i, k, (i * 7919 + k * 104729) % 1000003 \
				    >path
			print "<footer>edition 1</footer>\n</body>" >path
			close(path)
		}
		BEGIN {
			page("index.html", 0)
			for (k = 1; k <= n; k++)
				page(sprintf("p/%04d/page-%06d.html", \
				    int(k / 100), k), k)
		}'
	)
}

# Every hundredth file gets a line more.
change_percent() {
	find "$1" -type f | sort | awk 'NR % 100 == 1' |
	    while IFS= read -r f; do
		{ cat "$f"; echo '<!-- changed -->'; } >"$f.new"
		mv "$f.new" "$f"
	done
}

change_footers() {
	find "$1" -name '*.html' -print0 | xargs -0r sed -i \
	    's,</body>,<p class="built">Built on 2026-11-22.</p></body>,'
}

# state_make SITE STATE: one more, if it is not there.  1, with a message, when
# it is not to be had.
state_make() {
	local dir=$tmp/src/$1
	case $2 in
	menu | renamed | version | words | index | package) ;;
	*) return 0 ;;
	esac
	[ ! -d "$dir/$2" ] || return 0
	if [ "$2" = package ]; then
		case $1 in
		python) other_package python3.11-doc "$PYTHON_DOC" "$dir" ;;
		openjdk) other_package openjdk-17-doc "$OPENJDK_DOC" "$dir" ;;
		*) false ;;
		esac || echo "no other version of $1: left out" >&2
		[ -d "$dir/$2" ]
		return
	fi
	cp -al "$dir/plain" "$dir/$2"
	case $2 in
	menu) change_menu "$dir/$2" ;;
	renamed) change_names "$dir/$2" ;;
	version)
		pages_of "$dir/$2" | xargs -0r sed -i \
		    's/17\.0\.[0-9][0-9.]*/17.0.99/g; s/3\.11\.[0-9]/3.11.99/g'
		change_names "$dir/$2"
		;;
	words) change_words "$dir/$2" ;;
	index) make_index "$dir/$2" 2026-11-22 ;;
	esac
}

# other_package PACKAGE DOC DIR: DIR/package is DOC of a version of the package
# that is not installed.  What it links to in other packages is as in DIR/plain.
other_package() {
	local have other f
	have=$(dpkg-query -W -f '${Version}' "$1") || return 1
	other=$(apt-cache madison "$1" |
	    awk -v have="$have" '$3 != have { print $3; exit }')
	[ -n "$other" ] && mkdir "$3/deb" || return 1
	(
		cd "$3/deb" && apt-get -qq download "$1=$other" \
		    2> >(grep -v "^W: " >&2) &&
		    dpkg-deb -x ./*.deb .
	) && [ -d "$3/deb$2" ] || return 1
	find "$3/deb$2" -type l -printf '%P\n' | while IFS= read -r f; do
		rm "$3/deb$2/$f"
		[ ! -f "$3/plain/$f" ] || cp -l "$3/plain/$f" "$3/deb$2/$f"
	done
	mv "$3/deb$2" "$3/package"
	rm -rf "$3/deb"
	echo "$1: $have is followed by $other"
}

pages_of() {
	find "$1" -name '*.html' -print0
}

# All of a page in one line.
minify() {
	local f
	pages_of "$1" | while IFS= read -r -d '' f; do
		tr -s '\n' ' ' <"$f" >"$f.new"
		mv "$f.new" "$f"
	done
}

change_menu() {
	local d up mark
	find "$1" -type d | while IFS= read -r d; do
		up=${d#"$1"} up=${up//[!\/]/}
		up=${up//\//..\/}
		mark=
		[[ $d != */library ]] || mark=' class="active"'
		find "$d" -maxdepth 1 -name '*.html' -print0 | xargs -0r sed -i \
		    "s,<h3>Navigation</h3>\|<ul[^>]*navList[^>]*>,&<li$mark><a href=\"${up}news.html\">News</a></li>,"
	done
}

# Another name for each style sheet and script, and for it in every page.
change_names() {
	local f name hash script=()
	while IFS= read -r -d '' f; do
		name=${f##*/} hash=$(sha256sum <"$f")
		mv "$f" "${f%.*}.${hash:0:8}.${f##*.}"
		script+=(-e "s,\\b${name%.*}\\.${name##*.}\\b,${name%.*}.${hash:0:8}.${name##*.},g")
	done < <(find "$1" -type f \( -name '*.css' -o -name '*.js' \) -print0)
	pages_of "$1" | xargs -0r sed -i "${script[@]}"
}

# A line for each page, as by the commit that changed it last.
change_words() {
	local f
	find "$1" -name '*.html' | sort | awk '{
		out = $0 ".new"
		id = sprintf("%08x%08x", NR * 2654435761 % 4294967296, \
		    NR * 40503 * 2246822519 % 4294967296)
		while ((getline line <$0) > 0) {
			sub(/<\/body>/, "<p class=\"built\">Commit " id \
			    ".</p></body>", line)
			print line >out
		}
		close($0)
		close(out)
		print
	}' | while IFS= read -r f; do
		mv "$f.new" "$f"
	done
}

# A file to search in, and a sitemap, of that day.
make_index() {
	rm -f "$1/search.json" "$1/sitemap.xml"
	(cd "$1" && find . -name '*.html' | sort) | awk -v dir="$1" -v day="$2" '
	BEGIN { print "<urlset>" >(dir "/sitemap.xml") }
	{
		text = ""
		file = dir "/" $0
		while (length(text) < 4000 && (getline line <file) > 0) {
			gsub(/<[^>]*>|["\\]|[\001-\037]/, " ", line)
			text = text line " "
		}
		close(file)
		# Every twentieth has changed.
		when = NR % 20 == 0 ? day : "2025-05-05"
		if (NR % 20 == 0)
			text = "of " day " " text
		printf "<url><loc>https://example.org/%s</loc><lastmod>%s</lastmod></url>\n", \
		    substr($0, 3), when >(dir "/sitemap.xml")
		printf "%s{\"url\":\"%s\",\"text\":\"%s\"}", \
		    (NR > 1 ? "," : "["), substr($0, 3), text >(dir "/search.json")
	}
	END {
		print "]" >(dir "/search.json")
		print "</urlset>" >(dir "/sitemap.xml")
	}'
}

# source_of SITE WORK: sets $source to the build that is staged.
source_of() {
	case $2 in
	percent | footer | menu | renamed | version | words | index | package)
		source=$tmp/src/$1/$2
		;;
	*) source=$tmp/src/$1/plain ;;
	esac
}

# set_times DIR DATE: every file and directory in it gets this mtime.
set_times() {
	find "$1" -print0 | xargs -0r touch -h -d "$2"
}

# Read everything once, names and contents.
warm() {
	find "$1" -type f -exec cat {} + | cat >/dev/null
}

# describe SITE WORK: the head of a table.
describe() {
	local count size what
	source_of "$1" "$2"
	count=$(find "$source" -type f | wc -l)
	size=$(find "$source" -type f -printf '%s\n' |
	    awk '{ n += $1 } END { printf "%d", n / 1e6 }')
	case $2 in
	first) what='first time' ;;
	unchanged) what='nothing changed, fresh mtimes' ;;
	percent) what='1 % of the files changed, fresh mtimes' ;;
	footer) what="every page's footer changed" ;;
	menu) what="every page's menu has a new entry" ;;
	renamed) what='style sheets and scripts have other names' ;;
	version) what='the same, and another version' ;;
	words) what='another word in the footer of each page' ;;
	index) what='a JSON file and a sitemap changed' ;;
	package) what='another version of the package' ;;
	rollback) what='back to the release before' ;;
	esac
	echo "$1 ($count files, $size MB): $what"
}
