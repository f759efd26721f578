#!/bin/bash
# The manuals against the program: what they say must be so.
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/manual.sh
. "$TREE/tests/manual.sh"

pages=("$TREE"/man/*.[1-9])

# "-m, --message TEXT" for each option in the help of a command, and in a text
# of the manual (where a line may have its description behind it).
help_options() {
	deploy "$1" -h | sed -nE 's/^ +(-[^ ].*)/\1/p' | sed 's/  .*//' | sort
}

manual_options() {
	sed -nE 's/^     ((-[a-zA-Z], )?--[a-z-]+( [A-Z]+)?)(  .*)?$/\1/p' | sort
}

t_pages_are_clean() {
	need_cmd mandoc
	run mandoc -T lint -W warning "${pages[@]}"
	[ ! -s "$out" ] || fail "$(cat "$out")"
}

t_pages_are_there() {
	local p
	for p in deploy.1 deploy.yml.5 deploy-root.5; do
		[ -s "$TREE/man/$p" ] || fail "no $p"
	done
}

# Every page that is referred to as ours exists.
t_references() {
	local p name
	for p in "${pages[@]}"; do
		while read -r name; do
			[ -e "$TREE/man/$name" ] ||
			    fail "${p##*/} refers to $name"
		done < <(sed -nE 's/^\.Xr (deploy[^ ]*) ([1-9]).*/\1.\2/p' "$p")
	done
}

t_every_command_has_its_section() {
	commands >want
	section deploy.1 COMMANDS | sed -n 's/^   \([a-z]*\)$/\1/p' >got
	assert_file_eq got want
}

t_synopses() {
	local c
	for c in $(commands); do
		assert_eq "$(subsection deploy.1 COMMANDS "$c" |
		    sed -n '/./{s/^ *//p;q;}')" \
		    "$(deploy "$c" -h | sed -n 's/^usage: //p')" "$c"
	done
	assert_eq "$(section deploy.1 SYNOPSIS | sed -n 's/^ *\(d.*\)/\1/p')" \
	    "$(deploy help | sed -n 's/^usage: //p')"
}

t_options() {
	local c
	subsection deploy.1 DESCRIPTION "Options of every command" |
	    manual_options >common
	[ -s common ] || fail "no common options"
	for c in $(commands); do
		subsection deploy.1 COMMANDS "$c" | manual_options |
		    sort - common >got
		help_options "$c" >want
		diff want got >&2 || fail "options of $c"
	done
}

t_exit_statuses() {
	section deploy.1 'EXIT STATUS' |
	    sed -nE 's/^     ([0-9]+) .*/\1/p' >got
	sed -nE 's/^	ERR_[A-Z]+ = ([0-9]+),.*/\1/p' "$TREE/src/base/err.h" >want
	[ -s want ] || fail "no statuses in err.h"
	assert_file_eq got want
}

# The keys of deploy.yml as the table of the program has them, such as
# "site.check url string", one a line.
table_of_keys() {
	awk '
	/^static const cyaml_schema_field_t [a-z]*_fields/ {
		where = $4
		sub(/_fields.*/, "", where)
		inside = 1
	}
	/^};/ { inside = 0 }
	inside && match($0, /[A-Z]+\("[a-z_]+"/) {
		split(substr($0, RSTART, RLENGTH), part, "\"")
		type = part[1]
		sub(/\(/, "", type)
		print where, part[2], type
	}' "$TREE"/src/config/config*.c | sed -E '
	s/(STRING|HOOK)$/string/; s/UINT$/number/; s/BOOL$/boolean/
	s/ENUM$/string/; s/(LIST|SEQUENCE)$/list/; s/(MAPPING|IGNORE)$/mapping/'
}

# The same of the manual: what the items of its lists are called and wanted to
# be; a list in an item has the keys of that key.
keys_of_the_manual() {
	awk '
	/^\.S[hs] / { where = ""; level = 0 }
	/^\.Sh DESCRIPTION/ { where = "top" }
	/^\.Ss Keys of a site/ { where = "site" }
	/^\.Ss Keys of a host/ { where = "host" }
	/^\.Ss Keys of the worker/ { where = "worker" }
	/^\.Bl/ { level++ }
	/^\.El/ { level-- }
	/^\.It Ic / && where != "" {
		type = ""
		names = substr($0, 8)
		if ((i = index(names, " :")) > 0) {
			type = substr(names, i + 3)
			names = substr(names, 1, i - 1)
		}
		sub(/^A[rc] /, "", type)
		gsub(/,/, "", names)
		n = split(names, name, " ")
		type = type ~ /^list of/ || names == "sites" ? "list" : \
		    type ~ /^(boolean|number|mapping)$/ ? type : "string"
		if (names == "hosts")
			type = "list"
		for (i = 1; i <= n; i++)
			print (level > 1 ? parent : where), name[i], type
		if (level == 1)
			parent = name[n] == "hooks" ? "hook" : name[n]
	}' "$TREE/man/deploy.yml.5"
}

t_configuration_keys() {
	table_of_keys | sort >want
	[ "$(wc -l <want)" -gt 60 ] || fail "too few keys: $(cat want)"
	keys_of_the_manual | sort >got
	diff want got >&2 || fail "keys of the program and of deploy.yml.5"
}

# Each target that README names is one, and stands in the list of make help.
t_make_help_has_what_readme_names() {
	local target
	make -s -C "$TREE" help >targets
	grep -oE '(^|^    |^sudo |`)make [a-z][a-z-]+' "$TREE/README.md" |
	    sed 's/.*make //' | sort -u >named
	[ "$(wc -l <named)" -gt 8 ] || fail "README names $(cat named)"
	while read -r target; do
		grep -qE "^  $target( |\$)" targets ||
		    fail "make help lacks $target"
	done <named
}

# What the values of a key can be that is one of some words.
t_configuration_words() {
	local word
	sed -n '/cyaml_strval_t/,/};/s/^	{ "\([a-z]*\)",.*/\1/p' \
	    "$TREE"/src/config/config*.c >words
	[ -s words ] || fail "no words"
	while read -r word; do
		grep -qE "^\.It (.* )?Cm ([a-z]+ \| )*$word( |\$)" \
		    "$TREE/man/deploy.yml.5" ||
		    fail "$word is not in deploy.yml.5"
	done <words
}

# The variables of others that the program looks at.
t_variables() {
	local name
	cat "$TREE"/src/*/*.c |
	    grep -oE 'getenv\("[A-Z_]+"' | cut -d '"' -f 2 >names
	sed -n '/^} systems/,/^};/p' "$TREE/src/os/caller.c" |
	    grep -oE '"[A-Z_]+"' | tr -d '"' >>names
	section deploy.1 ENVIRONMENT >text
	page deploy-host.7 >>text
	while read -r name; do
		case $name in
		# As sh(1) has it; what the tests set.
		PATH | DEPLOY_TEST_* | DEPLOY_POST_* | DEPLOY_RESULT | DEPLOY_CLAIM_FD) ;;
		*) grep -qw "$name" text ||
		    fail "$name is not under ENVIRONMENT" ;;
		esac
	done <names
}

# Ours, whether the program looks at them or sets them for others: in it as
# strings or in its scripts, and in a manual.
t_variables_of_ours() {
	grep -ohE '"DEPLOY_[A-Z_]+[="]' -r "$TREE"/src --include='*.[ch]' |
	    tr -d '"=' >names
	sed -n 's/^	add(env, "\([A-Z_]*\)",.*/DEPLOY_\1/p' \
	    "$TREE/src/site/hook.c" >>names
	grep -ohE '\b(export )?DEPLOY_[A-Z_]+=' "$TREE/src/host/host.sh" |
	    sed 's/export //; s/=//' >>names
	# The tests set these, a worker that one finds what it started, and we
	# for another deploy that we start, or for git.
	sort -u names | grep -vxE 'DEPLOY_(TEST_.*|POST_.*|RESULT|CLAIM|CLAIM_FD|GIT_LOGIN|SECRETS|SSH_)' >want
	[ "$(wc -l <want)" -gt 20 ] || fail "too few: $(cat want)"
	cat "$TREE"/man/*.[1-9] | grep -ohE 'DEPLOY_[A-Z_]+' | sort -u >got
	diff want got >&2 || fail "variables of the program and the manuals"
}

# The findings of doctor.
t_findings() {
	grep -ohE 'doctor_add\([a-z>-]+,[^,]*, "[a-z ]+"' "$TREE"/src/*/*.c \
	    | cut -d '"' -f 2 | sort -u >want
	awk '/^\.Ss doctor/ { there = 1 }
	/^\.Ss prune/ { there = 0 }
	there && /^\.It [a-z]/' "$TREE/man/deploy.1" | sed 's/^\.It //' |
	    tr ',' '\n' | sed 's/^ *//; s/ *$//' | sort -u >got
	[ "$(wc -l <got)" -gt 10 ] || fail "too few: $(cat got)"
	comm -23 want got >missing
	[ ! -s missing ] || fail "not in deploy.1: $(cat missing)"
	while read -r finding; do
		grep -qrF "\"$finding\"" "$TREE"/src --include='*.c' ||
		    fail "not in the program: $finding"
	done <got
}

# What is in them, 52-json.sh knows.
t_files_of_a_root() {
	mksite a 3
	run deploy publish a --root root --seq 3 -m note
	run deploy freeze --root root
	mkdir root/.deploy/hooks
	# Everything in .deploy is named, and nothing else is there.
	page deploy-root.5 | sed -n '/^ *\.deploy\/$/,/^$/p' |
	    grep -oE '[a-z.]+/?$' | tr -d / | grep -v '^\.' | sort >want
	(cd root/.deploy && printf '%s\n' *) | sort >got
	assert_file_eq got want
}

# ----------------------------------------------------------------- examples

# A place to run the example in $1 that needs program $2: its own site, for
# those that generate one.
enter() {
	case $2 in
	hugo)
		cp -R "$TREE/tests/demo-site" hugo
		cp deploy.yml hugo
		cd hugo
		sed -i "s,srv/www/[a-z.]*,srv/www/hugo," deploy.yml
		export HUGO_CACHEDIR=$TMPDIR
		;;
	esac
}

# Of the job of a CI system in the file $1, the commands, as that system would
# run them, for the site $2.
only_commands() {
	export GITHUB_ACTIONS=true GITHUB_RUN_NUMBER=40
	sed -n "s/^ *- run: //p" "$1" | sed "s,/www/[a-z.]*,/www/$2," >steps
	[ -s steps ] || fail "no commands in $1"
	mv steps "$1"
}

# Run the examples of deploy.1 in order, in one place.
t_examples_of_deploy() {
	local e what arg
	mkdir -p srv/www
	mksite public 5
	examples deploy.1
	for e in examples/*; do
		read -r what arg <"$e/what"
		echo "$(head -n 1 "$e/text") ($what)"
		# Something new to publish each time.
		echo "<p>$e" >>public/index.html
		case $what in
		file)
			mkdir -p "$(dirname "$arg")"
			cp "$e/text" "$arg"
			;;
		run | ci)
			if [ -n "$arg" ] && ! command -v "$arg" >/dev/null
			then
				echo "not here: $arg"
				continue
			fi
			(
				text=$(realpath "$e/text")
				enter "$e" "$arg"
				[ "$what" = run ] ||
				    only_commands "$text" "$arg"
				run bash -euo pipefail "$text"
				cat "$out" "$err"
			)
			;;
		esac
	done
	# They did what they say.
	run deploy log
	assert_contains "$out" "broken menu"
	assert_contains "$out" "job 41"
	run deploy status
	assert_not_contains "$out" frozen
	run deploy list
	assert_contains "$out" pinned
	[ ! -d hugo ] || [ -e srv/www/hugo/current/index.html ]
}

# Each example of a generator is named, and only those that are there.
t_examples_of_generators() {
	section deploy.1 'SITE GENERATORS' |
	    sed -nE 's/^     [A-Z].* \((.*)\)$/\1/p' | sort >got
	(cd "$TREE/man/examples" && printf '%s\n' *_publish.* *.package.json \
	    *.Makefile) | sort >want
	assert_file_eq got want
}

t_nginx_example() {
	local e all=()
	need_cmd nginx
	mkdir -p srv/www/example.org/current
	examples deploy.1
	# The site, and its previews.
	for e in examples/*; do
		[[ $(<"$e/what") != nginx* ]] || all+=("$e/text")
	done
	assert_eq "${#all[@]}" 2
	{
		echo "pid $PWD/pid; error_log $PWD/log; events { }"
		echo "http { access_log off;"
		for d in client_body proxy fastcgi uwsgi scgi; do
			echo "${d}_temp_path $PWD/$d;"
		done
		sed 's/listen 80/listen 127.0.0.1:18080/' "${all[@]}"
		echo "}"
	} >conf
	run nginx -t -q -p "$PWD" -e "$PWD/log" -c "$PWD/conf"
}

t_examples_of_deploy_root() {
	local e what arg
	need_cmd jq
	mksite public 5
	mkdir -p "$HOME/site"
	cp -R public "$HOME/site/public"
	cat >"$HOME/site/deploy.yml" <<-EOF
	sites: [{name: x, source: public, root: $PWD/root}]
	EOF
	run deploy publish -c "$HOME/site/deploy.yml"
	echo more >>"$HOME/site/public/index.html"
	run deploy publish -c "$HOME/site/deploy.yml"
	examples deploy-root.5
	echo 'cd root' >script
	for e in examples/*; do
		read -r what arg <"$e/what"
		assert_eq "$what" run
		if [ "$arg" = damaged ]; then
			# The same size and time, as a disk would do it.
			cat <<-'EOF'
			touch -r current/index.html ../ref
			printf X | dd of=current/index.html conv=notrunc
			touch -r ../ref current/index.html
			EOF
		elif [ -n "$arg" ] && ! command -v "$arg" >/dev/null; then
			continue
		fi
		echo "echo '--- ${e#*/}'"
		cat "$e/text"
		[ "$arg" != damaged ] || echo 'deploy verify --root .'
	done >>script
	run bash -euo pipefail script
	# The two digests are one.
	assert_eq "$(grep -oE '^[0-9a-f]{64}' "$out" | sort | uniq -c |
	    awk '{ print $1 }')" 2
	# Back by hand, to the one that was damaged.
	assert_eq "$(readlink root/current)" \
	    "releases/$(cd root/releases && printf '%s\n' * | tail -n 2 |
		head -n 1)"
	run deploy verify --root root latest
}

# Every example is a configuration that is right, and every key is in one.
t_examples_of_deploy_yml() {
	local e where key
	examples deploy.yml.5
	sed -i 's,~/,/home/x/,' examples/*/text
	for e in examples/*; do
		assert_eq "$(cat "$e/what")" config
		run deploy completion sites -c "$e/text"
		assert_contains "$out" example.org
		run deploy completion hosts -c "$e/text" -s example.org
	done
	assert_contains "$out" www3.example.org
	table_of_keys >keys
	cat examples/*/text >all
	while read -r where key _; do
		grep -qE "(^|[ {])$key:" all ||
		    fail "no example has $where $key"
	done <keys
}

t_diagnostics_of_deploy_yml() {
	local message
	# The faulty files, in the order of the manual.
	mkdir bad
	printf '%s\n' 'sites:' '  - name: a' '    root: r' '    exlude: []' >bad/1
	printf '%s\n' 'sites:' '  - name: a' >bad/2
	printf '%s\n' 'sites:' '  - name: a' '    root: r' '    keep: 3' \
	    '    source: s' '    group: g' '    exclude: []' '    shared: []' \
	    '    keep: 4' >bad/3
	printf '%s\n' 'sites:' '  - name: a' '    root: r' '    keep:' >bad/4
	printf '%s\n' 'sites:' '  - name: a' '    root: r' \
	    '    exclude: [*.map]' >bad/5
	printf '%s\n' 'sites:' '  - name: a' '	root: r' >bad/6
	sed -n 's/^\.It deploy.yml:/deploy.yml:/p' "$TREE/man/deploy.yml.5" >want
	assert_eq "$(wc -l <want)" 6 "messages"
	for n in 1 2 3 4 5 6; do
		cp "bad/$n" deploy.yml
		expect_status 2 deploy list
		message=$(sed -n "${n}p" want)
		assert_contains "$err" "${message% ...}"
	done
}

has_failed() {
	[ "$(deploy jobs show "$1" --json | jq -r '.jobs[0].state')" = failed ]
}

# A queue that has a job, which failed.
t_examples_of_deploy_queue() {
	local e worker job
	examples deploy-queue.7
	cat >deploy.yml <<-EOF
	sites:
	  - name: example.org
	    source: out
	    root: $PWD/root
	    build: {command: ". ./build.sh"}
	queue: $PWD/queue
	worker: {retry: 0s}
	EOF
	echo 'exit 1' >build.sh
	deploy worker >worker.log 2>&1 &
	worker=$!
	defer kill "$worker"
	for e in examples/*; do
		case $(cat "$e/what") in
		wait)
			expect_status 1 bash -euo pipefail "$e/text"
			;;
		jobs)
			job=$(deploy jobs --json | jq -r .jobs[-1].job)
			# No try is left that could find it mended.
			wait_for 30 has_failed "$job"
			echo 'mkdir -p out; echo x >out/index.html' >build.sh
			sed -i "s/17/$job/; s/| less/| cat/" "$e/text"
			run bash -euo pipefail "$e/text"
			assert_contains "$out" "failed with status 1"
			;;
		cron)
			# As cron reads it: variables, and what is behind five
			# fields.
			sed -E "s/^([^ ]+ ){5}//; s,/etc/deploy/,$PWD/," \
			    "$e/text" >lines
			[ "$(grep -c ^deploy lines)" -eq 2 ] ||
			    fail "$(cat lines)"
			sed -i "s,^PATH=.*,PATH=$PATH," lines
			{ echo 'set -a'; cat lines; } >script
			expect_status 0 bash -euo pipefail script
			[ ! -s "$out" ] || fail "cron would send: $(cat "$out")"
			;;
		esac
	done
	run deploy enqueue example.org --wait
	run deploy jobs show example.org --json
	[ -e root/current/index.html ] || fail "nothing was published"
}

# The keys of an answer in an example, and of a real one.
keys_of_answer() {
	cut -f 1 "$1" | grep -vE '^(\$|  *-|\.\.\.|go$)' | sed 's/ .*//' |
	    sort -u
}

t_examples_of_deploy_host() {
	local e id first
	examples deploy-host.7
	mksite site 3
	first=$(deploy publish -q site --root "$PWD/root")
	id=$(deploy stage -q --again site --root "$PWD/root")
	for e in examples/*; do
		[ "$(<"$e/what")" = answers ] || continue
		assert_contains "$e/text" '$ ssh www1 deploy host'
		# The command, with our root and releases, here.
		awk '/^\$/ { there = 1 } there; !/\\$/ { there = 0 }' \
		    "$e/text" >script
		sed -i "s/^\$ ssh www1//; s,[^ ]*/srv/www/[^ ]*,$PWD/root,
			s/--id=[^ ]*/--id=$id/" script
		echo go >word
		run bash -euo pipefail script <word
		keys_of_answer "$e/text" >want
		keys_of_answer "$out" >got
		comm -23 want got >missing
		[ ! -s missing ] || fail "$(cat script) does not answer:" \
		    "$(cat missing)"
	done
	assert_eq "$(readlink root/current)" "releases/$id"
	assert_contains "$out" "from	$first"
}

t_readme_examples() {
	awk '/^```sh/ { inside = 1; next } /^```/ { inside = 0 } inside' \
	    "$TREE/README.md" | sed "s,/srv/www,$PWD/srv/www,g" |
	    grep -v '^make\|sudo' >script
	[ -s script ] || fail "no examples in README.md"
	mkdir -p srv/www
	mksite public 5
	run bash -euxo pipefail script
}

run_tests
