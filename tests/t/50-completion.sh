#!/bin/bash
# Completion: the scripts in the shells that they are for.
# parts: 3
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/manual.sh
. "$TREE/tests/manual.sh"

# complete_bash WORD...: what bash would offer for the last word.  As for
# readline, "=" is a word of its own.
complete_bash() {
	deploy completion bash >completion.bash
	bash --norc -u -c '
		. ./completion.bash
		COMP_WORDS=("$@")
		COMP_CWORD=$(($# - 1))
		COMP_LINE=$*
		COMP_LINE=${COMP_LINE// = /=} COMP_LINE=${COMP_LINE/% =/=}
		COMP_POINT=${#COMP_LINE}
		last=${COMP_WORDS[COMP_CWORD]}
		_deploy "$1" "${last#=}" "${*: -2:1}"
		printf "%s\n" ${COMPREPLY[@]+"${COMPREPLY[@]}"}' bash "$@"
}

# complete_fish LINE: what fish would offer, without the descriptions.
complete_fish() {
	deploy completion fish >completion.fish
	# For fish to expand.
	# shellcheck disable=SC2016
	fish --no-config -c 'source completion.fish; complete -C $argv[1]' \
	    -- "$1" | cut -f 1
}

# complete_zsh LINE: what zsh would offer, from a real line editor on a
# terminal of its own.
complete_zsh() {
	mkdir -p z/functions
	rm -f z/offered z/done z/ready
	: >z/offered
	deploy completion zsh >z/functions/_deploy
	cat >z/.zshrc <<-'EOF'
	fpath=($ZDOTDIR/functions $fpath)
	autoload -Uz compinit
	compinit -u -C -d $ZDOTDIR/dump
	bindkey '^I' complete-word
	# Note what is offered, but for the calls that only ask.
	compadd() {
		local -a hits
		if [[ ${@[1,(i)(-|--)]} != *-(O|A|D)\ * ]]; then
			builtin compadd -A hits "$@"
			print -rl -- $hits >>$ZDOTDIR/offered
		fi
		builtin compadd "$@"
	}
	tell_done() { : >$ZDOTDIR/done }
	offer() {
		comppostfuncs=(tell_done)
		zle complete-word
		tell_done
	}
	zle -N offer
	bindkey '^I' offer
	zle-line-init() { : >$ZDOTDIR/ready }
	zle -N zle-line-init
	EOF
	cat >z/drive <<-'EOF'
	zmodload zsh/zpty
	zpty shell "ZDOTDIR=$PWD/z zsh -i"
	await() {
		local i
		for ((i = 0; i < 400; i++)); do
			[[ ! -e $1 ]] || return 0
			zpty -r -t shell >/dev/null
			sleep 0.02
		done
		exit 1
	}
	await z/ready
	zpty -w -n shell "$1"$'\t'
	await z/done
	zpty -d shell
	EOF
	TERM=xterm zsh -f z/drive "$1" || fail "no answer from zsh: $1"
	grep . z/offered || true
}

# typed SHELL KEYS WORD...: a person types KEYS (printf(1) makes them, \t is
# tab) and return; the shell runs `deploy WORD...` then.
typed() {
	local shell=$1 keys=$2
	shift 2
	need_cmd script "$shell"
	rm -f typed
	# Mind that the program is asked for words, too.
	mkdir -p program
	cat >program/deploy <<-EOF
	#!/bin/sh
	[ "\$1" != completion ] || exec "$DEPLOY" "\$@"
	printf '%s\\n' "\$@" >"$PWD/typed"
	EOF
	chmod +x program/deploy
	# shellcheck disable=SC2059 # the keys
	printf "$keys\nexit\n" | PATH=$PWD/program:$PATH TERM=dumb \
	    "on_$shell" >shown
	printf '%s\n' "$@" >want
	diff want typed >&2 || fail "$shell: $keys"$'\n'"$(cat -v shown)"
}

on_bash() {
	deploy completion bash >completion.bash
	printf '%s\n' '. ./completion.bash' 'PS1=' \
	    'bind "set bell-style none"' >rc
	script -qec 'bash --rcfile rc -i' /dev/null
}

on_zsh() {
	mkdir -p y/functions
	deploy completion zsh >y/functions/_deploy
	cat >y/.zshrc <<-'EOF'
	fpath=($ZDOTDIR/functions $fpath)
	autoload -Uz compinit
	compinit -u -C -d $ZDOTDIR/dump
	bindkey '^I' complete-word
	EOF
	ZDOTDIR=$PWD/y script -qec 'zsh -i' /dev/null
}

on_fish() {
	# Where there is none, fish reads all manuals of the machine first.
	mkdir -p x/fish "$XDG_DATA_HOME/fish/generated_completions"
	deploy completion fish >x/fish/config.fish
	XDG_CONFIG_HOME=$PWD/x script -qec 'fish -i' /dev/null
}

# What the shells cut, quote and put into the line in their own ways; $2 is
# what they add to a directory.
check_line() {
	local shell=$1 slash=$2
	need_cmd "$shell"
	mkdir 'a dir' build
	mkdir -p root
	touch 'a dir/x.html' -- -dash 'colon:one'
	cat >deploy.yml <<-EOF
	sites:
	  - name: example.org
	    root: $PWD/none
	    hosts:
	      - {address: deploy@www1.example.org}
	      - {address: "deploy@www2.example.org:2222"}
	  - {name: my site, root: $PWD/root}
	EOF
	typed "$shell" 'deploy publ\t--ver\tbui\t' publish --verbose \
	    "build$slash"
	# Hosts, whole or from their middle.
	typed "$shell" 'deploy -s example.org list --host dep\t1\t' \
	    -s example.org list --host deploy@www1.example.org
	typed "$shell" 'deploy -s example.o\tlist --host deploy@www2\t' \
	    -s example.org list --host deploy@www2.example.org:2222
	typed "$shell" 'deploy list -s example.org --host=deploy@www2\t' \
	    list -s example.org --host=deploy@www2.example.org:2222
	# Spaces, with quotes of our own and of the shell's.
	typed "$shell" 'deploy list -s my\t' list -s 'my site'
	typed "$shell" 'deploy list --site=my\t' list '--site=my site'
	typed "$shell" 'deploy -s "my\t list' -s 'my site' list
	typed "$shell" "deploy -s 'my\\t list" -s 'my site' list
	typed "$shell" 'deploy stage a\t' stage "a dir$slash"
	typed "$shell" 'deploy stage colon:o\t' stage colon:one
	typed "$shell" 'deploy list --root roo\t' list --root "root$slash"
	typed "$shell" 'deploy list --root=roo\t' list "--root=root$slash"
	typed "$shell" 'deploy list --root="a\t' list "--root=a dir$slash"
	# Behind -- there are no options, but operands.
	typed "$shell" 'deploy stage -- bui\t' stage -- "build$slash"
	typed "$shell" 'deploy stage -- -\t' stage -- -dash
	typed "$shell" 'deploy -- publ\t' -- publish
	typed "$shell" 'deploy pin -- -x bui\t' pin -- -x bui
}

# Offers of shell $1 for a line of words; each shell in its own form.
offer() {
	local shell=$1
	shift
	case $shell in
	bash) complete_bash "$@" ;;
	*) "complete_$shell" "$*" ;;
	esac >"$out"
	sort -u -o "$out" "$out"
}

options() {
	deploy "$1" -h | sed -nE 's/^  (-.,|   ) (--[a-z-]*) .*/\2/p'
}

# Two releases, a configuration, and a second root that has one.
a_site() {
	mksite build 2
	mksite other 2 7
	deploy stage -q other --root "$PWD/other-root" >other-id
	cat >deploy.yml <<-EOF
	sites:
	  - {name: example.org, source: build, root: $PWD/root}
	  - {name: example.net, source: other, root: $PWD/other-root}
	EOF
	deploy publish -q -s example.org -m 'the first' >ids
	mksite build 2 3
	deploy stage -q -s example.org >>ids
	deploy preview -q -s example.org pr-12 latest
	sed -i 's/Z.*//' ids
}

check_shell() {
	local shell=$1 c
	a_site
	# Commands.
	offer "$shell" deploy ''
	assert_eq "$(cat "$out")" "$(commands | sort)" "commands"
	offer "$shell" deploy -q --json help pu
	assert_eq "$(cat "$out")" publish
	# Every option of every command, and no other.
	for c in $(commands) releases; do
		offer "$shell" deploy "$c" --
		grep -e '^--' "$out" | sed 's/=$//' >got || true
		assert_eq "$(cat got)" "$(options "${c/#releases/list}" |
		    sort)" "options of $c"
	done
	# Values: sites, releases, files, directories.
	offer "$shell" deploy -s example.n
	assert_eq "$(cat "$out")" example.net
	offer "$shell" deploy -s example.org activate 2
	assert_eq "$(cat "$out")" "$(sort ids)" "ids"
	offer "$shell" deploy rollback -s example.org --expect 2
	assert_eq "$(cat "$out")" "$(sort ids)" "ids after --expect"
	offer "$shell" deploy activate --root other-root ''
	assert_eq "$(grep ^2 "$out")" "$(sed "s/Z.*//" other-id)"
	assert_contains "$out" latest
	assert_not_contains "$out" current
	offer "$shell" deploy stage --message te bui
	assert_contains "$out" build
	offer "$shell" deploy list --root other-
	assert_contains "$out" other-root
	offer "$shell" deploy diff -s example.org 2
	assert_eq "$(sort "$out")" "$(sort ids)"
	offer "$shell" deploy preview -s example.org p
	assert_eq "$(cat "$out")" pr-12
	offer "$shell" deploy stage -s example.org --preview p
	assert_eq "$(cat "$out")" pr-12
	# Nothing more than one operand, and nothing without a root; zsh has
	# options then.
	offer "$shell" deploy -s example.org pin latest ''
	assert_eq "$(grep -v '^-' "$out" || true)" ""
	offer "$shell" deploy activate --root nosuch ''
	assert_eq "$(grep -v '^-' "$out" || true)" ""
	offer "$shell" deploy completion ''
	assert_eq "$(tr '\n' ' ' <"$out")" "bash fish zsh "
	offer "$shell" deploy jobs ''
	assert_eq "$(tr '\n' ' ' <"$out")" \
	    "list log priority remove retry show stop workers "
	# The operands behind the first are of other kinds.
	offer "$shell" deploy jobs show ''
	assert_eq "$(grep -v '^-' "$out" | tr '\n' ' ')" \
	    "example.net example.org "
	offer "$shell" deploy jobs priority example.org ''
	assert_eq "$(grep -v '^-' "$out" || true)" ""
	offer "$shell" deploy preview -s example.org pr-12 2
	assert_eq "$(cat "$out")" "$(sort ids)"
	# Guards, of which the line has some already.
	offer "$shell" deploy publish --override o
	assert_eq "$(cat "$out")" order
	offer "$shell" deploy publish --override freeze,
	assert_eq "$(sed 's/.*,//' "$out" | tr '\n' ' ')" "build order "
	offer "$shell" deploy enqueue example.n
	assert_eq "$(cat "$out")" example.net
}

t_bash() {
	check_shell bash
	# As readline gives it.
	offer bash deploy activate --root = other-root 2
	assert_eq "$(cat "$out")" "$(sed "s/Z.*//" other-id)"
	offer bash deploy -s example.org activate --expect = 2
	assert_eq "$(cat "$out")" "$(sort ids)"
	offer bash deploy -s example.org activate --expect =
	assert_contains "$out" current
}

t_bash_line() {
	check_line bash /
}

t_zsh_line() {
	check_line zsh ''
}

t_fish_line() {
	check_line fish /
}

t_bash_takes_names_as_they_are() {
	cat >deploy.yml <<-'EOF'
	sites:
	  - {name: 'a$(touch harm)`touch harm`', root: /srv/www/a}
	EOF
	offer bash deploy -s a
	# shellcheck disable=SC2016
	assert_eq "$(cat "$out")" 'a\$\(touch\ harm\)\`touch\ harm\`'
	[ ! -e harm ] || fail "a name was run"
}

t_bash_script_is_clean() {
	need_cmd shellcheck
	deploy completion bash >completion.bash
	run shellcheck -s bash completion.bash
}

t_bash_completes_in_a_real_line_editor() {
	need_cmd script
	deploy completion bash >completion.bash
	printf '%s\n' '. ./completion.bash' 'PS1=' \
	    'bind "set bell-style none"' >rc
	printf 'deploy vers\t\nexit\n' |
	    TERM=dumb script -qec 'bash --rcfile rc -i' /dev/null >"$out"
	assert_contains "$out" "deploy $(deploy version | cut -d ' ' -f 2)"
}

t_fish() {
	need_cmd fish
	check_shell fish
}

t_zsh() {
	need_cmd zsh
	check_shell zsh
}

# The lines of deploy(1) for the files that the shells read first.
t_lines_of_the_manual() {
	local shell
	awk '/^\.\\" shells/ { there = 1; next }
	/^\.Ed/ { there = 0 }
	there && !/^\.Bd/ { gsub(/\\&/, ""); print }' "$TREE/man/deploy.1" \
	    >lines
	assert_eq "$(wc -l <lines)" 3
	grep bashrc lines >bashrc
	echo 'complete -p deploy' >>bashrc
	run bash --norc -u bashrc
	assert_contains "$out" "-F _deploy deploy"
	for shell in zsh fish; do
		need_cmd "$shell"
	done
	{
		echo 'autoload -Uz compinit; compinit -u -D'
		grep zshrc lines
		# For zsh.
		# shellcheck disable=SC2016
		echo 'echo "$_comps[deploy]"'
	} >zshrc
	run zsh -f zshrc
	assert_eq "$(cat "$out")" _deploy
	grep config.fish lines >config.fish
	echo 'complete -C "deploy publ"' >>config.fish
	run fish --no-config config.fish
	assert_contains "$out" publish
}

t_words_for_scripts() {
	a_site
	run deploy completion sites
	printf 'example.org\t%s\nexample.net\t%s\n' "$PWD/root" \
	    "$PWD/other-root" >want
	assert_file_eq "$out" want
	run deploy completion releases -s example.org
	assert_eq "$(cut -f 1 "$out")" "$(printf '%s\n' current latest
	    tac ids)"
	assert_contains "$out" ", live: the first"
}

# Of hosts, those that answer.
t_words_of_hosts() {
	mksite build 2
	cat >deploy.yml <<-EOF
	sites:
	  - name: s
	    source: build
	    root: $PWD/none
	    hosts:
	      - {address: deploy@www1, transport: local, root: $PWD/h1}
	      - {address: deploy@www2, transport: local, root: $PWD/h2}
	EOF
	run deploy completion hosts
	printf 'deploy@www%s\t%s\n' 1 "$PWD/h1" 2 "$PWD/h2" >want
	assert_file_eq "$out" want
	deploy publish -q -m 'the first' >ids
	mksite build 2 3
	deploy stage -q >>ids
	sed -i 's/Z.*//' ids
	deploy pin -q "$(head -n 1 ids)"
	run deploy completion releases
	assert_eq "$(cut -f 1 "$out")" "$(printf '%s\n' current latest
	    tac ids)"
	assert_contains "$out" ", live, pinned: the first"
	offer bash deploy activate 2
	assert_eq "$(cat "$out")" "$(sort ids)"
	# One that is away, another that serves something else.
	deploy activate -q --host deploy@www2 latest
	run deploy completion releases
	assert_eq "$(cut -f 1 "$out")" "$(printf '%s\n' latest; tac ids)"
	sed -i 's/deploy@www1, transport: local/127.0.0.1, port: 1/' deploy.yml
	run deploy completion releases
	assert_eq "$(cut -f 1 "$out" | tail -n 2)" "$(tac ids)"
	sed -i '/www2/d' deploy.yml
	expect_status 8 deploy completion releases
	[ ! -s "$out" ] || fail "words from nobody"
}

# Who presses TAB where somebody's deploy.yml lies has run nothing yet.
t_no_program_of_deploy_yml_runs() {
	local what
	mksite build 2
	printf '#!/bin/sh\ntouch %s\nexit 1\n' "$PWD/ran" >program
	chmod +x program
	cat >deploy.yml <<-EOF
	sites:
	  - {name: s, root: $PWD/r, build: {command: ./program},
	     hosts: [{address: h, transport: local, root: $PWD/h, deploy: $PWD/program}]}
	EOF
	for what in releases previews hosts sites; do
		deploy completion "$what" >/dev/null 2>&1 || true
		offer bash deploy rollback ''
	done
	[ ! -e ran ] || fail 'it ran'
}

t_mistakes() {
	expect_status 2 deploy completion
	assert_contains "$err" "bash|zsh|fish"
	expect_status 2 deploy completion tcsh
	assert_contains "$err" "no completion for 'tcsh'"
	expect_status 2 deploy completion sites -c nosuch
	[ ! -s "$out" ] || fail "output after an error"
}

run_tests
