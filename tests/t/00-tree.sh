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

t_fuzz_targets_compile() {
	run make -s -C "$TREE" lint-fuzz
}

t_manuals_are_clean() {
	need_cmd mandoc
	run make -s -C "$TREE" lint-man
}

t_shell_scripts_are_clean() {
	local alone=y
	! wide || alone=
	need_cmd shellcheck
	run make -s -k -j2 -C "$TREE" OBJ="$PWD" LINT_ALONE=$alone lint-shell
}

# What it reads from may not be done with writing, and fails then, now and then.
t_no_grep_ends_a_pipe_early() {
	expect_status 1 grep -nP '(?<!\|)\| *(LC_ALL=C )?grep -[a-zA-Z]*q' \
	    "$TREE"/tests/t/*.sh "$TREE"/tests/*.sh "$TREE"/tests/faults/*.sh
	assert_eq "$(<"$out")" "" "use finds"
}

t_numbers_of_scripts_are_unique() {
	local twice
	twice=$(cd "$TREE/tests/t" && printf '%s\n' *.sh | cut -d - -f 1 |
	    uniq -d)
	assert_eq "$twice" "" "given twice"
}

# The lines of tests/README.md that say which tests attack a promise:
# "NUMBER SCRIPT TEST", and "NUMBER" alone for each promise.
promises() {
	awk '
	/^## / { n = "" }
	/^### [0-9]+\. / { n = $2 + 0; print n }
	n != "" && /^- / {
		script = ""
		while (match($0, /`[^`]+`/)) {
			word = substr($0, RSTART + 1, RLENGTH - 2)
			$0 = substr($0, RSTART + RLENGTH)
			if (word ~ /^[0-9]/)
				script = word
			print n, script, word
		}
	}' "$TREE/tests/README.md"
}

t_each_promise_is_attacked() {
	local n script word
	promises >map
	for n in 1 2 3 4 5 6 7 8 9 10; do
		grep -qx "$n" map || fail "tests/README.md: no promise $n"
		grep -q "^$n [0-9].* t_" map || grep -q "^$n [0-9].* v_" map ||
		    fail "no test attacks promise $n"
	done
	while read -r n script word; do
		[ -n "$script" ] || continue
		[ -e "$TREE/tests/t/$script.sh" ] ||
		    fail "promise $n: there is no script $script"
		[ "$word" = "$script" ] ||
		    grep -q "^$word()" "$TREE/tests/t/$script.sh" ||
		    fail "promise $n: $script has no $word"
	done <map
}

t_each_script_is_named_in_the_readme_of_the_tests() {
	local f
	for f in "$TREE"/tests/t/*.sh; do
		f=${f##*/}
		assert_contains "$TREE/tests/README.md" "\`${f%.sh}\`"
	done
}

include='^[[:blank:]]*#[[:blank:]]*include[[:blank:]]*'

# "folder<TAB>file<TAB>header" for each header of ours that a file includes.
own_includes() {
	cd "$TREE/src"
	grep -HrE "$include\"" --include='*.[ch]' . |
	    sed -E "s/^\.\/([^:]*):[^\"]*\"(.*)\".*/\1\t\2/" |
	    awk -F '\t' '{ n = split($1, part, "/"); print part[1] "\t" $1 "\t" $2 }'
}

# src/LAYERS has lines "folder: folder folder ...": what it may include.
t_layers_name_every_folder_once() {
	sed -n 's/^\([a-z]*\):.*/\1/p' "$TREE/src/LAYERS" | sort >listed
	assert_eq "$(uniq -d listed)" "" "listed twice"
	(cd "$TREE/src" && printf '%s\n' */) | tr -d / | sort >present
	diff listed present >&2 || fail "LAYERS (<) and the folders (>) differ"
}

t_folders_include_only_what_layers_allows() {
	(own_includes) >includes
	[ "$(wc -l <includes)" -gt 500 ] || fail "includes are not seen"
	awk -F '\t' '
	FILENAME == ARGV[1] {
		sub(/#.*/, "")
		n = split($0, words, /[ \t:]+/)
		for (i = 1; i <= n; i++)
			allowed[words[1], words[i]] = 1 # its own, too
		next
	}
	{
		to = $3
		sub(/\/.*/, "", to)
		if (!(($1, to) in allowed) && !(($1, $3) in allowed))
			print $2 ": includes " $3
	}' "$TREE/src/LAYERS" includes >wrong
	[ ! -s wrong ] || fail "$(cat wrong)"
}

# "folder<TAB>object<TAB>folder<TAB>symbol<TAB>object" for each symbol that an
# object needs of another one.
own_symbols() {
	local obj=${TEST_OBJ:-.build}
	[[ $obj = /* ]] || obj=$TREE/$obj
	cd "$obj/src" && find . -mindepth 2 -name '*.o' -exec nm -A {} + |
	    sed -nE 's/^\.\/([^:]*):[0-9a-f ]* ([A-Za-z]) (.*)/\1 \2 \3/p' |
	    awk '{
		n = split($1, part, "/")
		if ($2 == "U")
			wants[$1, $3] = part[1] "\t" $1 "\t"
		else if ($2 ~ /[TDBRC]/) {
			folder[$3] = part[1]
			has[$3] = $1
		}
	}
	END {
		for (i in wants) {
			split(i, key, SUBSEP)
			if (key[2] in has)
				print wants[i] folder[key[2]] "\t" key[2] \
				    "\t" has[key[2]]
		}
	}'
}

# What an object needs to be linked is what its folder may include, and what
# those may: a header can lie, the linker cannot.
t_objects_need_only_what_layers_allows() {
	need_cmd nm
	(own_symbols) >symbols
	[ "$(wc -l <symbols)" -gt 500 ] || fail "symbols are not seen"
	awk -F '\t' '
	FILENAME == ARGV[1] {
		sub(/#.*/, "")
		n = split($0, words, /[ \t:\/]+/)
		for (i = 1; i <= n; i++)
			allowed[words[1], words[i]] = 1
		next
	}
	!(($1, $3) in allowed) { print $2 ": needs " $4 " of " $3 }
	' "$TREE/src/LAYERS" symbols >wrong
	[ ! -s wrong ] || fail "$(cat wrong)"
}

# A module that calls another one is not called by it, nor by what that calls:
# one can be read, tested and replaced before the other.  The commands are the
# exception: their table names them all, and help and completion read it.
t_no_modules_need_each_other() {
	need_cmd nm
	(own_symbols) >symbols
	awk -F '\t' '$1 != "cmd" && $2 != $5 { print $2, $5 }' symbols |
	    sort -u >pairs
	[ "$(wc -l <pairs)" -gt 300 ] || fail "symbols are not seen"
	tsort pairs >/dev/null 2>circles || true
	[ ! -s circles ] || fail "$(cat circles)"
}

# The host side links and works without the client, the network and deploy.yml.
t_host_side_stands_alone() {
	local obj=${TEST_OBJ:-.build}
	[[ $obj = /* ]] || obj=$TREE/$obj
	printf 'info\n\njournal\n\n' | "$obj/host-alone" "$PWD/none" >"$out" || true
	assert_eq "$(sed -n 1p "$out")" "deploy-host 1"
	assert_contains "$out" "$(printf 'prepared\t0')"
	assert_eq "$(grep -cxE 'ok|error	.*' "$out")" 2
}

# Each foreign library has one door: the pattern of its headers, and the files
# that may include them.
doors() {
	cat <<-EOF
	archive(_entry)?\.h	content/libarchive.h
	uuid/.*			base/release.c
	cyaml/.*		config/config_table.h config/config_read.c config/config_schema.c config/config_show.c config/yamlcheck.c
	yaml\.h			config/yamltext.c config/yamlcheck.c
	zstd\.h			content/zstream.c content/decode.c content/encode.c
	zlib\.h			content/reader.h content/decode.c content/encode.c
	brotli/.*		content/libbrotli.h
	jansson\.h		base/json.c
	openssl/.*		base/libcrypto.h
	libssh/.*		ssh/libssh.h
	sqlite3\.h		queue/libsqlite.h
	libpq-fe\.h		queue/pq.c queue/pq.h
	curl/.*			fleet/curl.h
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

# The mark between what is wrong and its cure is for errors: what is printed as
# it is shows it.
t_cures_are_in_errors_only() {
	need_cmd python3
	python3 - "$TREE/src" <<-'END' >found
	import glob, re, sys
	call = re.compile(r'\b(?:log_(?!err\b)|show_|table_)\w+'
	    r'\(((?:"(?:[^"\\]|\\.)*"|[^";])*)\);')
	seen = 0
	for name in glob.glob(sys.argv[1] + "/*/*.c"):
	    for m in call.finditer(open(name).read()):
	        seen += 1
	        if ";; " in m.group(1):
	            print(name, m.group(0))
	assert seen > 200, seen
	END
	[ ! -s found ] || fail "$(cat found)"
}

run_tests
