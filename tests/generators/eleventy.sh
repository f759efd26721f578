#!/bin/bash
# Eleventy: a script of package.json.
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/generators.sh
. "$TREE/tests/generators.sh"

generator=Eleventy output=_site

need() {
	need_npm eleventy
}

make_site() {
	ln -s "$npm" node_modules
	echo 'module.exports = () => ({ dir: { input: "pages" } });' \
	    >eleventy.config.js
	mkdir pages
	page_text one >pages/index.md
}

page() {
	echo "pages/$1.md"
}

page_text() {
	printf -- '---\ntitle: %s\n---\n# {{ title }}\n\nText.\n' "$1"
}

add_hook() {
	cp "$examples/eleventy.package.json" package.json
}

run_hook() {
	npm run --silent deploy
}

run_tests
