#!/bin/bash
# Jekyll: a plugin of the site.
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/generators.sh
. "$TREE/tests/generators.sh"

generator=Jekyll output=_site

need() {
	need_cmd jekyll
}

make_site() {
	echo 'title: Notes' >_config.yml
	page_text one >index.md
}

page() {
	echo "page-$1.md"
}

page_text() {
	printf -- '---\ntitle: %s\n---\n# {{ page.title }}\n\nText.\n' "$1"
}

add_hook() {
	mkdir _plugins
	cp "$examples/jekyll_publish.rb" _plugins/
	export JEKYLL_ENV=production
}

run_hook() {
	jekyll build
}

# Builds for a look stay at home.
t_only_in_production() {
	site
	init
	add_hook
	JEKYLL_ENV=development run jekyll build
	[ ! -e ../www ] || fail "published"
}

run_tests
