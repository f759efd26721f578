#!/bin/bash
# Hugo, which has no hooks: a Makefile.
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/generators.sh
. "$TREE/tests/generators.sh"

generator=Hugo output=public

need() {
	need_cmd hugo
	export HUGO_CACHEDIR=$TMPDIR
}

make_site() {
	cp -R "$TREE/tests/demo-site/." .
}

page() {
	echo "content/posts/$1.md"
}

page_text() {
	printf -- '---\ntitle: %s\ndate: 2026-01-01\n---\nText.\n' "$1"
}

add_hook() {
	cp "$examples/hugo.Makefile" Makefile
}

run_hook() {
	make -s publish
}

run_tests
