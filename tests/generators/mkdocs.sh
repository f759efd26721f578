#!/bin/bash
# MkDocs: a hook of mkdocs.yml.
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/generators.sh
. "$TREE/tests/generators.sh"

# MkDocs writes the time into each build: the commit's makes it repeatable.
generator=MkDocs output=site git=y

need() {
	need_cmd mkdocs
}

make_site() {
	mkdir docs
	echo /site >.gitignore
	echo 'site_name: Notes' >mkdocs.yml
	page_text one >docs/index.md
}

page() {
	echo "docs/$1.md"
}

page_text() {
	printf '# %s\n\nText.\n' "$1"
}

add_hook() {
	cp "$examples/mkdocs_publish.py" .
	sed -n '/^#	/s///p' mkdocs_publish.py >>mkdocs.yml
	export PUBLISH=1
}

run_hook() {
	mkdocs build
}

t_only_when_asked() {
	site
	init
	add_hook
	unset PUBLISH
	run mkdocs build
	[ ! -e ../www ] || fail "published"
}

# Without a repository, too; each build is a new release then.
t_without_a_repository() {
	local id
	git=
	site
	init build
	add_hook
	run mkdocs build
	id=$(readlink ../www/current)
	sleep 1.1
	unset PUBLISH
	run deploy publish
	[ "$(readlink ../www/current)" != "$id" ] ||
	    fail "MkDocs writes no time any more: say so in deploy(1)"
	assert_not_contains "$err" "fatal:"
}

run_tests
