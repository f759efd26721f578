# shellcheck shell=bash
# The manuals as text, and the commands that the help knows.

# The text of a page as a reader sees it, without bold and underlined.
page() {
	need_cmd mandoc
	mandoc -T utf8 -O width=78 "$TREE/man/$1" | col -bx
}

# The text of a section (.Sh) of a page, and of a subsection (.Ss).
section() {
	page "$1" | awk -v want="$2" '
	/^[^ ]/ { inside = $0 == want; next }
	inside'
}

subsection() {
	section "$1" "$2" | awk -v want="   $3" '
	/^   [^ ]/ { inside = $0 == want; next }
	inside'
}

# The commands that the help shows.
commands() {
	deploy help | sed -n 's/^  \([a-z]*\)  *[^ ].*/\1/p' | grep -v '^deploy$'
}

# Write each example of page $1 that is marked in the source to a directory
# of its own below ./examples, numbered: `what` has the words of the mark
# (run, file, nginx, ...), `text` the example as a reader sees it.  Read here
# are the escapes that such text needs, not all of roff.
examples() {
	awk '
	/^\.\\" [a-z]/ { mark = substr($0, 5); next }
	/^\.Bd -literal/ && mark != "" {
		dir = sprintf("examples/%02d", ++n)
		system("mkdir -p " dir)
		print mark >(dir "/what")
		inside = 1
		mark = ""
		next
	}
	/^\.Ed/ { inside = 0 }
	inside {
		gsub(/\\&/, "")
		gsub(/\\e/, "\\")
		print >(dir "/text")
	}' "$TREE/man/$1"
	[ -d examples ] || fail "no examples in $1"
	sed -i "s,/srv/www,$PWD/srv/www,g" examples/*/text
}
