#!/bin/bash
# Pelican: a plugin.
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/generators.sh
. "$TREE/tests/generators.sh"

generator=Pelican output=output

need() {
	need_cmd pelican
}

make_site() {
	mkdir content
	printf "SITENAME = 'Notes'\nTIMEZONE = 'UTC'\n" >pelicanconf.py
	page_text one >content/one.md
}

page() {
	echo "content/$1.md"
}

page_text() {
	printf 'Title: %s\nDate: 2026-01-01\n\nText.\n' "$1"
}

add_hook() {
	mkdir plugins
	cp "$examples/pelican_publish.py" plugins/
	{
		echo 'from pelicanconf import *'
		sed -n '/^#	/s///p' "$examples/pelican_publish.py"
	} >publishconf.py
	sed -i "1i import os, sys\nsys.path.append(os.curdir)" publishconf.py
	sed -i 's/pelicanconf.py --/publishconf.py --/' deploy.yml
}

run_hook() {
	pelican content -s publishconf.py
}

run_tests
