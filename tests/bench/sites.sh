# shellcheck shell=bash
# The sites that are measured.  Each is made once, in three states:
#
#	$tmp/src/SITE/plain	what the base is made of
#	$tmp/src/SITE/percent	1 % of its files changed
#	$tmp/src/SITE/footer	every page changed by one line
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

# source_of SITE WORK: sets $source to the build that is staged.
source_of() {
	case $2 in
	percent | footer) source=$tmp/src/$1/$2 ;;
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
	rollback) what='back to the release before' ;;
	esac
	echo "$1 ($count files, $size MB): $what"
}
