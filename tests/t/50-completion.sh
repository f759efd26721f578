#!/bin/bash
# Completion: the scripts in the shells that they are for.
. "$(dirname "$0")/../lib.sh"

# complete_bash WORD...: what bash would offer for the last word.  As for
# readline, "=" is a word of its own.
complete_bash() {
	deploy completion bash >completion.bash
	bash --norc -u -c '
		. ./completion.bash
		COMP_WORDS=("$@")
		COMP_CWORD=$(($# - 1))
		_deploy "$1" "${COMP_WORDS[COMP_CWORD]}" "${*: -2:1}"
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

# The commands and the options that the help shows.
commands() {
	deploy help | sed -n 's/^  \([a-z]*\)  *[^ ].*/\1/p' | grep -v '^deploy$'
}

options() {
	deploy "$1" -h | sed -n 's/^  .*\(--[a-z-]*\) .*/\1/p'
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
	assert_eq "$(grep ^2 "$out")" "$(cat other-id)"
	assert_contains "$out" latest
	assert_not_contains "$out" current
	offer "$shell" deploy stage --message te bui
	assert_contains "$out" build
	offer "$shell" deploy list --root other-
	assert_contains "$out" other-root
	offer "$shell" deploy diff -s example.org 2
	assert_eq "$(sort "$out")" "$(sort ids)"
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
	    "list log priority remove retry show "
	offer "$shell" deploy enqueue example.n
	assert_eq "$(cat "$out")" example.net
}

t_bash() {
	check_shell bash
	# As readline gives it.
	offer bash deploy activate --root = other-root 2
	assert_eq "$(cat "$out")" "$(cat other-id)"
	offer bash deploy -s example.org activate --expect = 2
	assert_eq "$(cat "$out")" "$(sort ids)"
	offer bash deploy -s example.org activate --expect =
	assert_contains "$out" current
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

t_mistakes() {
	expect_status 2 deploy completion
	assert_contains "$err" "bash|zsh|fish"
	expect_status 2 deploy completion tcsh
	assert_contains "$err" "no completion for 'tcsh'"
	expect_status 2 deploy completion sites -c nosuch
	[ ! -s "$out" ] || fail "output after an error"
}

run_tests
