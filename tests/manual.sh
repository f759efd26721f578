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
