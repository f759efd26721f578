#!/bin/bash
# A key that is limited by a forced command: what sshd would start with the
# client's request in SSH_ORIGINAL_COMMAND.
# parts: 2
. "$(dirname "$0")/../lib.sh"

# forced REQUEST [ARG...]: as the key's line in authorized_keys has it.
forced() {
	local request=$1
	shift
	[ $# -gt 0 ] || set -- --root "$R" --allow receive,activate
	SSH_ORIGINAL_COMMAND=$request deploy host "$@"
}

begin() {
	R=$PWD/root
	deploy init --root "$R" 2>/dev/null
}

t_what_is_allowed() {
	begin
	run forced "deploy host info $R --full"
	assert_eq "$(tail -n 1 "$out")" ok
	run forced "/opt/x/deploy host info '$R'"
	run forced "deploy host probe $R"
	assert_eq "$(tail -n 1 "$out")" ok
	run forced "deploy  host  info $R " --root "$R///"
	expect_status 1 forced "deploy host manifest $R --id=20260101T000000.001Z-00000000-0000-4000-8000-000000000001"
	expect_status 2 forced "deploy host activate $R --id=20260101T000000.001Z-00000000-0000-4000-8000-000000000001"
	run forced "deploy host prune $R --check" --root "$R"
}

# refused CODE REQUEST: and the root is as it was.
refused() {
	find "$R" -printf '%p %T@\n' >before
	expect_status "$1" forced "$2"
	find "$R" -printf '%p %T@\n' >after
	assert_file_eq before after
	[ ! -e evil ] || fail "ran: $2"
}

t_other_verbs() {
	local v
	begin
	for v in prune pin freeze verify journal init; do
		refused 8 "deploy host $v $R"
		assert_contains "$out" "error	8	this key may not '$v'"
	done
	assert_contains "$out" "	if it should, write --allow receive,activate,init in the line of this key in authorized_keys on the host"
	expect_status 8 forced "deploy host adopt $R" --root "$R"
	assert_contains "$out" "	if it should, add --allow with adopt, "
	refused 8 "deploy host receiv $R"
	assert_not_contains "$out" "authorized_keys"
	refused 8 "deploy host receive,activate $R"
	refused 8 "deploy host '' $R"
	refused 8 "deploy host authorize --root $R"
}

# "publish" is the same word as for authorize; a mistyped verb is told.
t_publish_and_mistyped_verbs() {
	begin
	run forced "deploy host prune $R --check" --root "$R" --allow publish
	run forced "deploy host info $R" --root "$R" --allow files,publish
	assert_contains "$out" "limited	files,receive,activate,prune"
	expect_status 8 forced "deploy host pin $R" --root "$R" --allow publish
	expect_status 2 forced "deploy host info $R" --root "$R" --allow recieve,activate
	assert_contains "$err" "--allow in the line of this key: "
	assert_contains "$err" "recieve"
	assert_contains "$err" "and publish, for receive,activate,prune"
}

t_other_roots() {
	local r
	begin
	mkdir other
	ln -s "$R" link
	for r in "$PWD/other" "$PWD" / "" root "$R/" "$R/." "$R/../root" \
	    "$R/../other" "$PWD//root" "$PWD/./root" "$PWD/link" "$R " " $R"; do
		refused 8 "deploy host info '$r'"
		assert_contains "$out" "another root than '$r'	the line of this key in authorized_keys"
	done
	assert_eq "$(ls -A other)" ""
}

t_no_shell() {
	local c
	begin
	expect_status 2 env -u SSH_ORIGINAL_COMMAND deploy host --root "$R"
	for c in "" sh "sh -c 'touch evil'" "touch evil" "scp -t $R" \
	    "deploy" "deploy publish" "deploy publish --root $R" \
	    "/usr/lib/openssh/sftp-server" "internal-sftp" "rsync --server"; do
		refused 2 "$c"
	done
}

t_shell_characters() {
	local c
	begin
	for c in ';touch evil' '&touch evil' '|touch evil' '$(touch evil)' \
	    '`touch evil`' '>evil' $'\ntouch evil' '*' '?' '~' '$HOME' \
	    '"x"' '\x' '#x' '{a,b}' '!x' '(x)' '[x]' $'\tx' "'open"; do
		refused 2 "deploy host info $R $c"
		refused 2 "deploy host info $R$c"
	done
	# Quoted they are but text.
	run forced "deploy host info $R '--who=;touch evil' '--job=\$(touch evil)'"
	run forced "deploy host info $R '--who=it'\\''s \`touch evil\`'"
	[ ! -e evil ] || fail "ran"
}

t_paths_in_ids() {
	local id
	begin
	echo outside >outside
	for id in ../../../outside .. . / "" current \
	    20260101T000000.001Z-00000000-0000-4000-8000-00000000000/; do
		refused 2 "deploy host manifest $R '--id=$id'"
		refused 2 "deploy host activate $R '--id=$id'"
		refused 2 "deploy host receive $R '--id=$id'"
	done
}

t_oversized_request() {
	begin
	refused 2 "deploy host info $R --who=$(printf '%070000d' 0)"
	assert_contains "$err" "too long"
	expect_status 2 forced "deploy host receive $R --bytes=$(printf '9%.0s' {1..400}) --id=20260101T000000.001Z-00000000-0000-4000-8000-000000000001"
}

t_authorize() {
	need_cmd ssh-keygen
	local line
	ssh-keygen -q -t ed25519 -N '' -C 'ci@x' -f key
	run deploy host authorize --root /srv/www/x --allow receive,activate key.pub
	assert_eq "$(cat "$out")" "restrict,command=\"$DEPLOY host --root /srv/www/x --allow receive,activate\" $(cat key.pub)"
	cp "$out" line
	run deploy host authorize "$(cat key.pub)" --root=/srv/www/x --allow=receive,activate
	assert_file_eq "$out" line
	run deploy host --root /srv/www/x authorize key.pub
	assert_eq "$(cat "$out")" "restrict,command=\"$DEPLOY host --root /srv/www/x\" $(cat key.pub)"
	# sshd's own reader finds the key behind the options.
	ssh-keygen -lf line >fingerprint
	assert_eq "$(cut -d ' ' -f 2 fingerprint)" \
	    "$(ssh-keygen -lf key.pub | cut -d ' ' -f 2)"
	run deploy host authorize --root "/srv/it's \"here\"" key.pub
	line=$(cat "$out")
	[[ $line = *"--root '/srv/it'\\''s \\\"here\\\"'\" ssh-"* ]] ||
	    fail "$line"
	# What publish needs; several keys, as an agent or a forge gives them.
	run deploy host authorize --root /srv/www/x --allow publish key.pub
	assert_contains "$out" '--allow receive,activate,prune"'
	cp "$out" line
	run deploy host authorize --root /srv/www/x --allow publish - <key.pub
	assert_file_eq "$out" line
	run deploy host authorize --root /srv/x --allow files,publish,note key.pub
	assert_contains "$out" '--allow files,receive,activate,prune,note"'
	ssh-keygen -q -t ecdsa -N '' -C 'other@x' -f other
	printf '# mine\r\n\n' | cat - key.pub other.pub >keys
	run deploy host authorize --root /srv/x keys
	assert_eq "$(grep -c '^restrict,command=' "$out")" 2
	assert_contains "$out" "$(cat other.pub)"
	expect_status 2 deploy host authorize --root /srv/x - </dev/null
	assert_contains "$err" "standard input has no public key"
	expect_status 2 deploy host authorize --root /srv/x --allow published key.pub
	expect_status 2 deploy host authorize --root /srv/x --allow receive,fly key.pub
	expect_status 2 deploy host authorize --root x key.pub
	expect_status 2 deploy host authorize key.pub
	expect_status 2 deploy host authorize --root /srv/x key
	expect_status 2 deploy host authorize --root /srv/x nokey
}

# A line without a key lets nobody in.
t_authorize_wants_a_key() {
	local words
	echo "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA== x" >key.pub
	while read -r words; do
		# shellcheck disable=SC2086
		expect_status 2 deploy host $words <key.pub
		assert_eq "$(<"$out")" "" "$words"
		assert_contains "$err" "there is no key; give a public key in quotes, the file that has it, or - for standard input"
	done <<-'END'
	authorize --root /srv/x
	authorize --root /srv/x --allow publish
	--root /srv/x authorize
	--root /srv/x --allow receive authorize --
	END
}

t_authorize_has_help() {
	local words
	deploy host -h >help
	while read -r words; do
		# shellcheck disable=SC2086
		run deploy host $words </dev/null
		assert_file_eq "$out" help
	done <<-'END'
	authorize -h
	authorize --help
	--root /srv/x authorize -h
	authorize --root /srv/x -h
	END
	expect_status 2 deploy host authorize --rot /srv/x
	assert_contains "$err" "deploy host -h"
}

# The line names the program that prints it: whoever is on another machine than
# the host has to know.
t_authorize_says_for_which_machine() {
	local key="ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA== x" at
	mkdir -p "home/me/.local/bin" "it's"
	for at in home/me/.local/bin "it's"; do
		cp -- "$DEPLOY" "$at/deploy"
		printf '%s\n%s\n' "$key" "$key" >keys
		run "$PWD/$at/deploy" host authorize --root /srv/x keys
		assert_eq "$(grep -c "is for this machine, '$(uname -n)', which has deploy at '$PWD/$at/deploy'; for another one, run the command there" "$err")" 1
		run "$PWD/$at/deploy" -q host authorize --root /srv/x keys
		assert_not_contains "$err" "for this machine"
	done
}


# What a key may not do is found before anything is sent: the table has what it
# is limited to, a command, and the verb that it lacks, or none.
t_what_a_key_may_not_is_found_first() {
	local allow command lacks
	mkdir site
	echo 1 >site/index.html
	cat >limited <<-'EOF'
	#!/bin/sh
	SSH_ORIGINAL_COMMAND="deploy $*" exec deploy host --root "${0%/*}/root" \
	    --allow "$(cat "${0%/*}/allow")"
	EOF
	chmod +x limited
	cat >deploy.yml <<-EOF
	sites:
	  - name: s
	    root: $PWD/root
	    source: site
	    hosts: [{address: h1, transport: local, deploy: $PWD/limited}]
	EOF
	while IFS='|' read -r allow command lacks; do
		rm -rf root
		begin
		echo "$allow" >allow
		# shellcheck disable=SC2086 # words
		if [ -z "$lacks" ]; then
			run deploy $command
		else
			expect_status 8 deploy $command
			assert_contains "$err" "this key may not '$lacks' here; it is limited to: $allow; if it should, write --allow $allow,$lacks in the line"
			assert_eq "$(ls -A root/releases root/.deploy/incoming)" \
			    "$(printf 'root/.deploy/incoming:\n\nroot/releases:')"
		fi
		deploy doctor >doctor 2>/dev/null || true
		grep -x "ok    h1: limits: this key is limited to $allow" doctor >&2 ||
		    fail "doctor: $(<doctor)"
	done <<-'END'
	receive|stage|
	receive|publish|activate
	receive|stage --preview pr-1|preview
	receive,activate,prune|publish|
	receive,activate|stage --preview pr-1|preview
	preview|stage --preview pr-1|
	activate,prune|stage|receive
	activate|publish|receive
	END
	# Of a key that may do all there is nothing to say.
	deploy doctor --root "$R" >doctor 2>/dev/null || true
	assert_not_contains doctor "limits: "
}

run_tests
