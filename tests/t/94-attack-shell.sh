#!/bin/bash
# Words that travel to a host, through the login shells that there are: none of
# them is run, all of them arrive as they are, and `ps` there shows none.  A real
# sshd, whose forced command does what it does with a login shell; the quoting
# alone is in unit/wire.
# parts: 5
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/sshd.sh
. "$TREE/tests/sshd.sh"

ALL="sh dash bash zsh ksh mksh fish csh tcsh busybox"

# shells: which of them are here, one a line.
shells() {
	local s
	for s in $ALL; do
		! command -v "$s" >/dev/null || echo "$s"
	done
}

# An sshd whose login shell is what the file ./shell says, a site ./site, and
# a client that knows it.  What lies in ./sshd is the home there.
setup() {
	need_cmd ssh ssh-keygen jq
	cat >login <<-END
	#!/bin/bash
	unset SHLVL
	exec \$(cat "$PWD/shell") -c "\$SSH_ORIGINAL_COMMAND"
	END
	chmod +x login
	sshd_start "$PWD/sshd" "ForceCommand $PWD/login" ||
	    fail "sshd does not start"
	defer sshd_stop
	DEPLOY_KNOWN_HOSTS=$(<sshd/known_hosts)
	DEPLOY_SSH_KEY=$(<sshd/id)
	export DEPLOY_KNOWN_HOSTS DEPLOY_SSH_KEY
	mkdir site
	echo one >site/index.html
}

# host DEPLOY [ROOT] [TRANSPORT]: what deploy.yml says of the host; it is new.
host() {
	rm -rf root "$XDG_CACHE_HOME"
	jq -n --arg d "$1" --arg r "${2:-$PWD/root}" --arg t "${3:-ssh}" \
	    --argjson p "$sshd_port" '{sites: [{name: "t", source: "site",
	    root: $r, timeout: "20s", hosts: [{address: "127.0.0.1", port: $p,
	    deploy: $d, root: $r, transport: $t}]}]}' >deploy.yml
}

# login_shell NAME: from now on.
login_shell() {
	case $1 in
	busybox) echo busybox sh ;;
	*) command -v "$1" ;;
	esac >shell
}

# nothing_ran WHAT: no word was taken for a command, here or there.
nothing_ran() {
	local f
	for f in canary* sshd/canary* "$HOME"/canary* root/canary* /canary* \
	    /tmp/canary-$$*; do
		[ ! -e "$f" ] || fail "$f: it was run: $1"
	done
}

# note MESSAGE: publish with it, as the actor and in the job of that name too;
# it arrives as text.
note() {
	local got=0 job=https://ci.example/$1 said
	echo "$RANDOM$RANDOM" >site/index.html
	GITHUB_ACTIONS=true GITHUB_ACTOR=$1 GITHUB_SERVER_URL=$job \
	    GITHUB_REPOSITORY=$1 GITHUB_RUN_ID=1 GITHUB_OUTPUT='' \
	    deploy publish -m "$1" >"$out" 2>"$err" || got=$?
	_no_sanitizer_report
	[ "$got" -eq 0 ] || fail "status $got: $what: ${1:0:200}: $(tail -n 1 "$err")"
	nothing_ran "$what: $1"
	run deploy log --json
	# As JSON says it: what is no UTF-8 is U+FFFD.
	mapfile -d '' said < <(jq -j --arg m "$1" --arg j "$job/$1/actions/runs/1" \
	    '(.journal[0] | .message, .who, .job), $m, $j | . + ".\u0000"' "$out")
	[ ${#said[@]} -eq 5 ] || fail "$what: ${said[*]}"
	assert_eq "${said[0]}" "${said[3]}" "$what: message"
	arrived who "${said[1]}" "${said[3]}"
	arrived job "${said[2]}" "${said[4]}"
}

# arrived KEY GOT WANT: the journal has it, or a thousand bytes of it.
arrived() {
	local got=$2 want=$3
	[ "$got" = "$want" ] || { ((${#want} > 800)) && ((${#got} > 800)) &&
	    [[ $want = "${got%.}"* ]]; } ||
	    fail "$what: $1"$'\n'"  got:  ${got:0:300}"$'\n'"  want: ${want:0:300}"
}

# What some shell would run, expand, split or choke on.
nasty=(
	"it's \"both\""
	"\\'; touch canary1; #"
	"'; touch canary2; echo '"
	'"; touch canary3; echo "'
	'$(touch canary4) ${HOME} $PATH $$'
	'`touch canary5`'
	'; touch canary6 & touch canary7 | touch canary8'
	'> canary9 >> canary10 < /etc/passwd'
	'wow! !! !x !-1 ^a^b^'
	'back\slash \\ \n \t \x41 \u0041 end\'
	'~ ~root * /* ? [a-z] {a,b} {1..9} @(a)'
	'%s %n %d %1 %% 100%'
	'# comment'
	'-m --root=/tmp/canary11 -- -rf'
	'(touch canary12) {touch canary13} [ ] = =ls a=b'
	$'new\nline\ntouch canary14\n'
	$'tab\tand\ttab'
	'emoji 🎉 ä ö ü'
	$'ok\terror\t1\tno'
	$'go\nwait\ndisarm'
	'deploy-host 1'
	'end with blank  '
	' begin with blank'
	"$(printf '%04000d' 0)"
)

all_of_them() {
	local IFS=' '
	echo "${nasty[*]:0:23}"
}

# ---------------------------------------------------------------------- notes

notes_by() {
	local shell=$1 m
	shift
	command -v "$shell" >/dev/null || skip "needs $shell"
	setup
	login_shell "$shell"
	host "$@"
	for m in "${nasty[@]}"; do
		what="$shell, deploy $1" note "$m"
	done
}

# Those that quote in their own ways get each word by itself.
t_each_note_by_fish() { notes_by fish "$DEPLOY"; }
t_each_note_by_tcsh() { notes_by tcsh "$DEPLOY"; }
t_each_note_by_zsh() { notes_by zsh "$DEPLOY"; }
t_each_note_by_fish_and_the_sh_verbs() { notes_by fish none; }
t_each_note_by_csh_and_the_sh_verbs() { notes_by csh none; }

t_notes_by_every_shell() {
	local shell kind
	setup
	for shell in $(shells); do
		login_shell "$shell"
		for kind in "$DEPLOY" none; do
			host "$kind"
			what="$shell, deploy $kind" note "$(all_of_them)"
			what="$shell, deploy $kind" note "${nasty[1]}"
		done
	done
}

t_notes_by_rsync() {
	local shell
	need_cmd rsync
	setup
	for shell in fish tcsh dash; do
		command -v "$shell" >/dev/null || continue
		login_shell "$shell"
		host "$DEPLOY" "$PWD/root" rsync
		what="$shell, rsync" note "$(all_of_them)"
		host none "$PWD/root" rsync
		what="$shell, rsync" note "${nasty[1]}"
	done
}

# What is no UTF-8 arrives as something that is.
t_a_note_that_is_no_text() {
	setup
	login_shell fish
	[ -s shell ] || login_shell sh
	host "$DEPLOY"
	run deploy publish -m $'\xff\xfe\xc3 \x1b[2J\xc2\x9b31m\x7f'
	run deploy log --json
	json "$out" '.journal[0].message' | LC_ALL=C finds -P '\xef\xbf\xbd'
	! LC_ALL=C grep -qP '\x1b|\x7f|\xc2\x9b' "$out" || fail "as it was"
	nothing_ran note
}

# ---------------------------------------------------------------------- paths

# Roots and programs with any name, but for control characters.
# deploy.yml takes no '$' in them; tests/unit/wire.c has that by every shell.
t_paths_by_every_shell() {
	local shell name n=0
	local names=('with blank' "it's" 'a"b' 'wow!x!!' 'back\slash' 'back\'
		'(touch canary20)' '`touch canary21`' ';touch canary22'
		'-rf' '*?[a]{b,c}' '~' '#x' '%s' '^a^b' 'ä🎉' 'a=b' '(x)<y>|&')
	setup
	for shell in $(shells); do
		login_shell "$shell"
		for name in "all $(printf '%s' "${names[@]}" | tr -d /)" \
		    "${names[RANDOM % ${#names[@]}]}" "\\'!'\\" '!\'; do
			n=$((n + 1))
			mkdir -p "r$n" "bin$n/$name"
			ln -s "$DEPLOY" "bin$n/$name/deploy"
			host "$PWD/bin$n/$name/deploy" "$PWD/r$n/$name"
			got=0
			deploy publish >"$out" 2>"$err" || got=$?
			[ "$got" -eq 0 ] ||
			    fail "status $got: $shell, '$name': $(cat "$err")"
			[ -s "r$n/$name/current/index.html" ] ||
			    fail "no root: $shell, $name"
			assert_eq "$(find "r$n" -mindepth 1 -maxdepth 1 | wc -l)" 1
			run deploy verify
			nothing_ran "$shell: $name"
		done
	done
}

# Control characters are in no path: refused here, with status 2.
t_paths_with_control_characters() {
	local name
	setup
	login_shell sh
	for name in $'a\nb' $'a\tb' $'a\x1bb' $'a\x7fb' $'a\nproxy'; do
		host "$DEPLOY" "$PWD/$name"
		expect_status 2 deploy publish
		host "$PWD/$name"
		expect_status 2 deploy publish
	done
}

# ------------------------------------------------------------------------- ps

# Whoever may look into the process list there sees no word of a note, nor
# the text of the verbs: only the short programs that they give to awk.
t_ps_shows_no_notes() {
	local kind f secret=notforeveryone looker
	setup
	login_shell bash
	for kind in "$DEPLOY" none; do
		host "$kind"
		mksite site 200 $RANDOM
		(while :; do
			for f in /proc/[0-9]*/cmdline; do
				! { mapfile -d '' words <"$f"; } 2>/dev/null ||
				    printf '%s\n' "${words[*]@Q}"
			done
			pause 0.02
		done) >seen 2>/dev/null &
		looker=$!
		GITHUB_ACTIONS=true GITHUB_ACTOR=$secret run deploy publish \
		    -m "$secret $(printf '%03000d' 0)"
		kill "$looker"
		wait "$looker" || true
		# The client itself was given it.
		grep -F "$secret" seen | grep -v "'publish' '-m'" >leaks || true
		[ ! -s leaks ] || fail "seen: $(head -c 500 leaks)"
		grep -F "host' 'serve'" seen >/dev/null ||
		    grep -F ' serve ' seen >/dev/null ||
		    fail "nothing was seen of the host"
		# Of what came as the command; others may run sh verbs, too.
		grep -F "$PWD" seen | grep -v bin/deploy | awk 'length > 4000' \
		    >long || true
		[ ! -s long ] || fail "long: $(head -c 500 long)"
	done
}

# -------------------------------------------------------------- start-up files

# startup LINE-FOR-SH LINE-FOR-CSH LINE-FOR-FISH
startup() {
	rm -rf sshd/.bashrc sshd/.zshenv sshd/.cshrc sshd/.tcshrc sshd/.config
	echo "$1" | tee sshd/.bashrc >sshd/.zshenv
	echo "$2" >sshd/.cshrc
	mkdir -p sshd/.config/fish
	echo "$3" >sshd/.config/fish/config.fish
}

# What a start-up file prints, with a newline or without, is no answer.
t_startup_files_that_print() {
	local shell text kind
	setup
	for shell in bash zsh tcsh fish; do
		command -v "$shell" >/dev/null || continue
		login_shell "$shell"
		for text in 'welcome\n' 'title' '\033]0;host\007' 'ok\n' \
		    'error\t1\tno\n' 'deploy-host 2x'; do
			startup "printf '$text'" "printf '$text'" "printf '$text'"
			for kind in "$DEPLOY" none; do
				host "$kind"
				got=0
				deploy publish >"$out" 2>"$err" || got=$?
				if [ "$text" = 'deploy-host 2x' ]; then
					[ "$got" -ne 0 ] && continue
				fi
				[ "$got" -eq 0 ] || fail \
				    "status $got: $shell '$text' $kind: $(cat "$err")"
				! grep -q '[[:cntrl:]]' <(tr -d '\n' <"$err") ||
				    fail "control characters"
			done
		done
	done
}

# What ends or turns into something else runs no commands: 8, and its words.
t_startup_files_that_end() {
	local shell row
	setup
	for shell in bash zsh tcsh fish; do
		command -v "$shell" >/dev/null || continue
		login_shell "$shell"
		for row in 'echo closed today; exit 0' 'echo closed today; exit 3' \
		    'exec echo closed today'; do
			startup "$row" "$row" "$row"
			host "$DEPLOY"
			expect_status 8 deploy publish
			assert_contains "$err" "closed today"
			host none
			expect_status 8 deploy publish
			assert_contains "$err" "closed today"
			[ ! -e root/current ] || fail "live"
		done
	done
}

# Nothing but standard error is then descriptor 2.
t_a_startup_file_that_closes_standard_error() {
	local kind transport
	need_cmd rsync
	setup
	login_shell bash
	startup 'exec 2>&-' '' ''
	for kind in "$DEPLOY" none; do
		for transport in ssh rsync; do
			host "$kind" "$PWD/root" "$transport"
			run deploy publish
			run deploy verify
		done
	done
}

# A program of that name that is not this one, or of another machine: which, and
# what helps.
t_another_program_called_deploy() {
	local row
	setup
	login_shell bash
	host deploy
	sed -i '/"deploy": "deploy",/d' deploy.yml
	mkdir elsewhere
	for row in $'#!/bin/sh\necho Usage; exit 1' $'#!/bin/sh' \
	    $'\x7fELF\x02'; do
		printf '%s\n' "$row" >elsewhere/deploy
		chmod 755 elsewhere/deploy
		startup "export PATH=$PWD/elsewhere:\$PATH" '' ''
		expect_status 8 deploy publish
		assert_contains "$err" "'$PWD/elsewhere/deploy' on the host ended"
		assert_contains "$err" "'deploy: none' for this host in deploy.yml"
	done
	host none
	run deploy publish
}

# A shell that is none: 8, what it said, and what is needed.
t_shells_that_run_nothing() {
	local row words
	setup
	while IFS='|' read -r row words; do
		command -v "${row%% *}" >/dev/null || [ -x "${row%% *}" ] ||
		    continue
		cat >login <<-END
		#!/bin/sh
		$row
		END
		for kind in deploy none "$DEPLOY"; do
			host "$kind"
			expect_status 8 deploy publish
			assert_contains "$err" "127.0.0.1"
			assert_contains "$err" "$words"
		done
	done <<-'END'
	exit 0|status 0
	exit 1|status 1
	exit 255|status 255
	echo this account is for git only; exit 1|for git only
	echo this account is for git only >&2; exit 1|for git only
	/usr/sbin/nologin|not available
	/bin/false|status 1
	exec git-shell -c "$SSH_ORIGINAL_COMMAND"|fatal
	printf 'no newline'; exit 0|no newline
	printf '\033[2Jx\n'; exit 0|x
	exec /usr/lib/openssh/sftp-server|status
	exec yes for backups only|for backups only
	kill -KILL "$$"|ended by SIGKILL
	echo closed; kill -TERM "$$"|ended by SIGTERM; it said: closed
	END
}

# One that waits for something, or talks without end: one timeout, and a cure.
t_shells_that_do_not_end() {
	local row words
	setup
	while IFS='|' read -r row words; do
		printf '#!/bin/sh\n%s\n' "$row" >login
		for kind in none "$DEPLOY"; do
			host "$kind"
			expect_status 8 deploy publish --timeout 2s
			assert_contains "$err" "$words"
			assert_contains "$err" "start-up files"
		done
	done <<-'END'
	exec cat >/dev/null|no answer in time
	exec sleep 100|no answer in time
	echo one moment; exec sleep 100|it said: one moment
	while echo wait; do sleep 0.1; done|it said: wait
	END
}

run_tests
