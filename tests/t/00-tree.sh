#!/bin/bash
# The source tree itself: what lies where, and who may include what.
. "$(dirname "$0")/../lib.sh"

# The files under version control, one a line; skips without a repository.
tracked() {
	need_cmd git
	git -C "$TREE" -c safe.directory='*' ls-files "$@" 2>/dev/null ||
	    skip "not a git checkout"
}

t_top_level_holds_nothing_else() {
	local files other
	files=$(tracked)
	[ -n "$files" ] || skip "nothing is committed yet"
	other=$(cut -d / -f 1 <<<"$files" | sort -u | grep -v '^\.' |
	    grep -vxE 'bin|src|man|tests|completions|Makefile|README.md|LICENSE' ||
	    true)
	assert_eq "$other" "" "unexpected at the top level"
}

# The path of the machine on which this was written is of no use elsewhere.
# (The brackets keep this file from finding itself.)
t_no_paths_of_a_machine() {
	local files
	files=$(tracked -co --exclude-standard)
	[ -n "$files" ] || skip "no files"
	cd "$TREE"
	tr '\n' '\0' <<<"$files" |
	    xargs -0 grep -nIE '(^|[^[:alnum:]_.}])/(wor[k]|roo[t])/[.a-z]' 2>/dev/null \
	    >"$out" || true
	[ ! -s "$out" ] || fail "$(cat "$out")"
}

t_headers_compile_alone() {
	run make -s -C "$TREE" lint-headers
}

t_manuals_are_clean() {
	need_cmd mandoc
	run make -s -C "$TREE" lint-man
}

t_shell_scripts_are_clean() {
	need_cmd shellcheck
	run make -s -C "$TREE" lint-shell
}

# Every module, one a line: src/buf.c and src/buf.h are `buf`, everything in
# src/cmd/ is `cmd/*`.
modules() {
	(
		cd "$TREE/src"
		printf '%s\n' *.c *.h | sed 's/\.[ch]$//'
		printf 'cmd/*\n'
	) | sort -u
}

include='^[[:blank:]]*#[[:blank:]]*include[[:blank:]]*'

# "file<TAB>header" for each header of ours that a file includes, both
# relative to src/.  A name is looked up beside the file, then in src/.
own_includes() {
	local file name dir
	for file in *.[ch] cmd/*.[ch]; do
		[ -e "$file" ] || continue
		dir=$(dirname "$file")
		while read -r name; do
			[ ! -e "$dir/$name" ] || name=$dir/$name
			printf '%s\t%s\n' "$file" \
			    "$(realpath -m --relative-to=. "$name")"
		done < <(sed -nE "s/$include\"(.*)\".*/\\1/p" "$file")
	done
}

# src/LAYERS has lines "layer: module module ...", lowest layer first.
t_layers_name_every_module_once() {
	[ -e "$TREE/src/LAYERS" ] || fail "src/LAYERS is missing"
	sed 's/#.*//; s/^[^:]*://' "$TREE/src/LAYERS" | tr -s '[:blank:]' '\n' |
	    grep . | sort >listed
	assert_eq "$(uniq -d listed)" "" "listed twice"
	modules >present
	assert_eq "$(comm -13 listed present)" "" "not in LAYERS"
	assert_eq "$(comm -23 listed present)" "" "in LAYERS, not in src"
}

t_modules_include_only_their_layer_and_lower_ones() {
	[ -e "$TREE/src/LAYERS" ] || fail "src/LAYERS is missing"
	(cd "$TREE/src" && own_includes) >includes
	awk -F '\t' '
	function module(path) {
		sub(/\.[ch]$/, "", path)
		return path ~ /^cmd\// ? "cmd/*" : path
	}
	FILENAME == ARGV[1] {
		sub(/#.*/, "")
		if (!/:/)
			next
		layer++
		sub(/^[^:]*:/, "")
		n = split($0, words, /[ \t]+/)
		for (i = 1; i <= n; i++)
			level[words[i]] = layer
		next
	}
	{
		from = module($1)
		to = module($2)
		if (!(to in level))
			print $1 ": includes unknown " $2
		else if (from != to && level[to] > level[from])
			print $1 ": includes " $2 " of a higher layer"
	}' "$TREE/src/LAYERS" includes >wrong
	[ ! -s wrong ] || fail "$(cat wrong)"
}

# Each foreign library has one door: the pattern of its headers, and the files
# that may include them.
doors() {
	cat <<-EOF
	archive(_entry)?\.h	pack.c reader.c reader.h unpack.c receive.c
	uuid/.*			release.c
	cyaml/.*		config_table.h config_read.c yamlcheck.c
	yaml\.h			yamltext.c yamlcheck.c
	jansson\.h		json.c
	openssl/.*		hash.c
	libssh/.*		ssh.c ssh_link.c ssh_link.h ssh_hostkey.c ssh_hostkey.h ssh_auth.c ssh_identity.c ssh_identity.h
	sqlite3\.h		queue_sqlite.c
	libpq-fe\.h		pq.c pq.h
	curl/.*			curl.h
	EOF
}

t_libraries_are_used_behind_their_doors() {
	local pattern allowed file
	cd "$TREE/src"
	while read -r pattern allowed; do
		while read -r file; do
			[[ " $allowed " = *" ${file#./} "* ]] ||
			    fail "$file includes <$pattern>: for $allowed only"
		done < <(grep -rlE "${include}[<\"]${pattern}[>\"]" \
		    --include='*.[ch]' . || true)
	done < <(doors)
}

run_tests
