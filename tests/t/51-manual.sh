#!/bin/bash
# The manuals against the program: what they say must be so.
. "$(dirname "$0")/../lib.sh"

pages=("$TREE"/man/*.[1-9])

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

commands() {
	deploy help | sed -n 's/^  \([a-z]*\)  *[^ ].*/\1/p' | grep -v '^deploy$'
}

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
	sed -nE 's/^	ERR_[A-Z]+ = ([0-9]+),.*/\1/p' "$TREE/src/err.h" >want
	[ -s want ] || fail "no statuses in err.h"
	assert_file_eq got want
}

t_configuration_keys() {
	local key
	sed -nE 's/.*(STRING|UINT|BOOL|ENUM|LIST|MAPPING|SEQUENCE)\("([a-z_]+)".*/\2/p' \
	    "$TREE/src/config.c" | sort -u >keys
	[ "$(wc -l <keys)" -gt 10 ] || fail "too few keys: $(cat keys)"
	section deploy.yml.5 DESCRIPTION >text
	while read -r key; do
		grep -qE "^ +$key(:|\$)" text ||
		    fail "$key is not in deploy.yml.5"
	done <keys
}

t_variables() {
	local name
	cat "$TREE"/src/*.c | grep -oE 'getenv\("[A-Z_]+"' |
	    cut -d '"' -f 2 >names
	sed -n '/^} systems/,/^};/p' "$TREE/src/caller.c" |
	    grep -oE '"[A-Z_]+"' | tr -d '"' >>names
	section deploy.1 ENVIRONMENT >text
	while read -r name; do
		grep -qw "$name" text ||
		    fail "$name is not under ENVIRONMENT"
	done <names
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

# Write each example of page $1 that is marked in the source to a directory
# of its own below ./examples, numbered: `what` has the words of the mark
# (run, file, nginx, ...), `text` the example as a reader sees it.  Read here
# are the escapes that such text needs, not all of roff.
examples() {
	awk '
	/^\.\\" (run|file|nginx)/ { mark = substr($0, 5); next }
	/^\.Bd -literal/ && mark != "" {
		dir = sprintf("examples/%02d", ++n)
		system("mkdir -p " dir)
		print mark >(dir "/what")
		inside = 1
		mark = ""
		next
	}
	/^\.Ed/ { inside = 0 }
	inside {
		gsub(/\\&/, "")
		gsub(/\\e/, "\\")
		print >(dir "/text")
	}' "$TREE/man/$1"
	[ -d examples ] || fail "no examples in $1"
	sed -i "s,/srv/www,$PWD/srv/www,g" examples/*/text
}

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
	pelican)
		mkdir -p pelican/content
		printf 'Title: Fog\nDate: 2026-01-01\n\nGone.\n' \
		    >pelican/content/fog.md
		cp -R deploy.yml plugins publishconf.py pelican
		cd pelican
		sed -i "s,srv/www/[a-z.]*,srv/www/pelican," deploy.yml
		;;
	esac
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
		run)
			if [ -n "$arg" ] && ! command -v "$arg" >/dev/null
			then
				echo "not here: $arg"
				continue
			fi
			(
				text=$(realpath "$e/text")
				enter "$e" "$arg"
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
	[ ! -d pelican ] || [ -e srv/www/pelican/current/index.html ]
}

t_nginx_example() {
	local e
	need_cmd nginx
	mkdir -p srv/www/example.org/current
	examples deploy.1
	e=$(dirname "$(grep -l '^nginx' examples/*/what)")
	{
		echo "pid $PWD/pid; error_log $PWD/log; events { }"
		echo "http { access_log off;"
		for d in client_body proxy fastcgi uwsgi scgi; do
			echo "${d}_temp_path $PWD/$d;"
		done
		sed 's/listen 80/listen 127.0.0.1:18080/' "$e/text"
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
