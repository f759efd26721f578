#!/bin/bash
# Astro: a script of package.json.
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/generators.sh
. "$TREE/tests/generators.sh"

generator=Astro output=dist

need() {
	need_npm astro
	export ASTRO_TELEMETRY_DISABLED=1
}

make_site() {
	ln -s "$npm" node_modules
	echo 'export default {};' >astro.config.mjs
	mkdir -p src/pages
	echo 'h1 { color: navy; }' >src/site.css
	page_text one >src/pages/index.astro
}

page() {
	echo "src/pages/$1.astro"
}

page_text() {
	printf -- '---\nimport "../site.css";\n---\n'
	printf '<!doctype html>\n<title>%s</title>\n<h1>%s</h1>\n' "$1" "$1"
}

add_hook() {
	cp "$examples/astro.package.json" package.json
}

run_hook() {
	npm run --silent deploy
}

run_tests
