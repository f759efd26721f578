#!/bin/bash
# ssh.h against a real sshd: logging in, running programs, and every way in
# which that can go wrong.
# shellcheck disable=SC2154 # near_port and the like: set by gate
# parts: 6
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/sshd.sh
. "$TREE/tests/sshd.sh"

driver=${TEST_OBJ:-.build}/ssh/driver
[ "${driver#/}" != "$driver" ] || driver=$TREE/$driver

# An sshd with the lines given, and a client configuration that fits.
setup() {
	[ -x "$driver" ] || skip "no $driver: run make test-programs"
	need_cmd ssh ssh-keygen ssh-agent ssh-add pgrep
	sshd_start "$PWD/sshd" "$@" || fail "sshd does not start"
	defer sshd_stop
	client "$PWD/sshd/id" "$PWD/sshd/known_hosts"
}

# client IDENTITY KNOWN_HOSTS [LINE...]: what ssh_config says.
client() {
	local identity=$1 known_hosts=$2
	shift 2
	{
		[ $# -eq 0 ] || printf '%s\n' "$@"
		cat <<-EOF
		IdentityFile $identity
		UserKnownHostsFile $known_hosts
		GlobalKnownHostsFile /dev/null
		EOF
	} >config
}

# d [OPTION=VALUE...] MODE ARGUMENT...: the driver, to our sshd.
d() {
	local options=()
	while [[ $1 = *=* ]]; do
		options+=("$1")
		shift
	done
	"$driver" config="$PWD/config" port="$sshd_port" \
	    ${options[@]+"${options[@]}"} 127.0.0.1 "$@"
}

# refused TEXT...: the log in fails with 8 (unreachable) and says all that.
refused() {
	local text
	expect_status 8 d "${options[@]}" exec true
	for text; do
		assert_contains "$err" "$text"
	done
}
options=(connect=10000)

# milliseconds CMD...: sets `took`; the status of CMD.
milliseconds() {
	local t=${EPOCHREALTIME/./} status=0
	"$@" || status=$?
	took=$(((${EPOCHREALTIME/./} - t) / 1000))
	return "$status"
}

# A uid of a container, that no passwd knows: ssh(1) refuses to run.
t_a_uid_without_a_name() {
	need_root
	setup
	DEPLOY_SSH_KEY=$(cat sshd/id)
	DEPLOY_KNOWN_HOSTS=$(cat sshd/known_hosts)
	export DEPLOY_SSH_KEY DEPLOY_KNOWN_HOSTS
	nameless() {
		HOME=/nonexistent setpriv --reuid 12345 --regid 12345 \
		    --clear-groups -- "$driver" port="$sshd_port" "$@"
	}
	run nameless user=root 127.0.0.1 exec true
	assert_contains "$err" "uid 12345 has no entry in /etc/passwd"
	expect_status 2 nameless 127.0.0.1 exec true
	assert_contains "$err" "name 'user:'"
	expect_status 2 nameless user=root jump=127.0.0.1 127.0.0.1 exec true
	assert_contains "$err" "/etc/passwd"
}

# ------------------------------------------------------------- programs

t_exec_gives_output_and_status() {
	setup
	run d exec 'echo out; echo err >&2; exit 3'
	assert_eq "$(cat "$out")" $'out\nstatus 3'
	assert_eq "$(cat "$err")" "err"
	run d exec true
	assert_eq "$(cat "$out")" "status 0"
	run d exec 'exit 255'
	assert_eq "$(cat "$out")" "status 255"
}

t_a_status_is_never_lost() {
	local i
	setup
	run d exec 'exit 1' 'exit 2' 'exit 3' 'exit 4' 'exit 5' 'exit 6' \
	    'echo x; exit 7' 'exec >&-; exit 8' 'exec >&- 2>&-; exit 9'
	for i in 1 2 3 4 5 6 7 8 9; do
		assert_contains "$out" "status $i"
	done
}

t_a_program_that_is_killed_has_failed() {
	setup
	expect_status 1 d exec 'kill -KILL $$'
	assert_contains "$err" "was ended by SIGKILL"
	expect_status 1 d exec 'kill -TERM $$'
	assert_contains "$err" "was ended by SIGTERM"
}

t_hundred_megabytes_there() {
	setup
	run d send 100000000 'cksum'
	(for ((i = 0; i < 1000; i++)); do
		printf '%s\n\0' "$i"
		head -c $((100000 - ${#i} - 2)) /dev/zero
	done | cksum) >want || true
	# The bytes after the number are those of the block before.
	assert_contains "$out" " 100000000"
	assert_eq "$(cat want)" "$(head -n 1 "$out")"
}

t_hundred_megabytes_back() {
	setup
	d exec 'head -c 100000000 /dev/zero | tr "\0" x' 2>"$err" | cksum >got
	(head -c 100000000 /dev/zero | tr '\0' x; echo 'status 0') |
	    cksum >want
	assert_file_eq got want
}

t_a_program_that_talks_before_it_listens() {
	setup
	run d send 20000000 'head -c 20000000 /dev/zero | tr "\0" x;
	    head -c 3000000 /dev/zero | tr "\0" e >&2; wc -c'
	assert_eq "$(tail -n 2 "$out" | tr -d 'x' | tr '\n' ' ')" \
	    "20000000 status 0 "
	# The last 4 KiB of it.
	assert_eq "$(wc -c <"$err")" 4096
}

t_a_program_that_floods_standard_error_while_it_listens() {
	setup
	run d send 20000000 'exec 3<&0
	    (head -c 50000000 /dev/zero | tr "\0" e >&2) & wc -c <&3; wait'
	assert_contains "$out" "20000000"
	assert_contains "$out" "status 0"
}

t_a_program_that_ends_before_it_has_read_everything() {
	setup
	expect_status 1 d send 50000000 'echo why not >&2; exit 4'
	assert_contains "$err" "ended before it had read everything"
	assert_contains "$err" "why not"
}

t_lines() {
	setup
	run d lines 5000 'printf "a\n\nbc\nd"; sleep 0.1; printf "e\nlost"'
	assert_eq "$(cat "$out")" $'<a>\n<>\n<bc>\n<de>\nstatus 0'
	run d lines 5000 'seq 1 100000'
	assert_eq "$(tail -n 2 "$out" | tr '\n' ' ')" "<100000> status 0 "
	expect_status 1 milliseconds d lines 500 'echo a; sleep 5'
	assert_contains "$err" "timeout"
	((took < 2500)) || fail "$took ms"
}

t_several_programs_at_once_on_one_connection() {
	setup
	run d both 'sleep 0.2; echo one; exit 1' \
	    'head -c 3000000 /dev/zero | wc -c; exit 2'
	assert_eq "$(cat "$out")" $'3000000\none\nstatus 2\nstatus 1'
	assert_eq "$(grep -c 'Accepted publickey' sshd/log)" 1
}

# A channel is asked for before it is needed; a host may say no.
t_a_host_that_allows_few_programs_at_once() {
	setup "MaxSessions 2"
	run d exec 'echo 1; exit 1' 'echo 2' 'echo 3; exit 3'
	assert_eq "$(tr '\n' ' ' <"$out")" "1 status 1 2 status 0 3 status 3 "
}

t_a_program_that_is_closed_while_it_talks() {
	setup
	run d abandon 'cat /dev/zero' 'echo here'
	assert_eq "$(cat "$out")" $'here\nstatus 0'
}

t_keys_are_exchanged_again() {
	setup "RekeyLimit 1M"
	run d send 20000000 'wc -c'
	assert_contains "$out" 20000000
	run d exec 'head -c 20000000 /dev/zero | tr "\0" "\n"'
	assert_contains "$out" "status 0"
	assert_eq "$(wc -c <"$out")" 20000009
}

t_traffic_is_counted() {
	local sent received
	setup
	run d traffic 'head -c 1000000 /dev/zero | tr "\0" "\n"'
	read -r _ sent _ received < <(tail -n 1 "$out")
	((received > 1000000 && received < 1100000)) || fail "$received"
	((sent > 1000 && sent < 100000)) || fail "$sent"
}

# ------------------------------------------------------------- host keys

# What an unknown host is refused with: fingerprint and line.
assert_shows_key() {
	local print
	print=$(ssh-keygen -lf "sshd/$1.pub" | cut -d ' ' -f 2)
	assert_contains "$err" "$print"
	assert_contains "$err" "[127.0.0.1]:$sshd_port $(cut -d ' ' -f 1,2 \
	    "sshd/$1.pub")"
}

t_an_unknown_host_is_refused_and_the_line_helps() {
	setup
	client "$PWD/sshd/id" "$PWD/known"
	printf '@cert-authority * %s\n' "$(cat sshd/id.pub)" >known
	refused "@cert-authority: it shows no certificate"
	rm known
	refused "host key" "is not known"
	assert_shows_key host_key
	# The line in the message is the cure.
	sed -n "s/.*, add the line '\(.*\)' to known_hosts or .*/\1/p" "$err" \
	    >known
	run d exec true
	: >known
	DEPLOY_KNOWN_HOSTS=$(cat sshd/known_hosts) run d exec true
	# As CI variables often arrive.
	DEPLOY_KNOWN_HOSTS=$(printf '# hosts\r\n%s\r\n' \
	    "$(cat sshd/known_hosts)") run d exec true
}

# As it comes out of files and panels that have their own way with lines.
t_known_hosts_in_a_variable() {
	local line text words coded form
	setup
	line=$(<sshd/known_hosts)
	client "$PWD/sshd/id" /dev/null
	for text in "\"$line\"" "'$line'" "# x\\n$line\\n" "\"$line\\\\n\"" \
	    $'\xef\xbb\xbf'"$line" "# x\\r\\n$line\\r\\n" "$line"$'\r\n'; do
		DEPLOY_KNOWN_HOSTS=$text run d exec true
		coded=$(base64 -w0 <<<"$text")
		for form in "$coded" "\"$coded\"" "'$coded'" $'\xef\xbb\xbf'"$coded\\n"; do
			DEPLOY_KNOWN_HOSTS=$form run d exec true
		done
	done
	# What has no line of known_hosts at all is no reason to think of the host.
	while IFS='|' read -r text words; do
		DEPLOY_KNOWN_HOSTS=$text refused "is not known$words" </dev/null
	done <<-END
	$(cut -d ' ' -f 1,2 sshd/host_key.pub)| (DEPLOY_KNOWN_HOSTS is set, but has no line of known_hosts)
	$(ssh-keygen -lf sshd/host_key.pub)| (DEPLOY_KNOWN_HOSTS is set, but
	StrictHostKeyChecking no| (DEPLOY_KNOWN_HOSTS is set, but
	# nothing| (DEPLOY_KNOWN_HOSTS is set, but
	other.example $(cut -d ' ' -f 1,2 sshd/host_key.pub)|; its ssh-ed25519 key is
	@cert-authority other.example $(cut -d ' ' -f 1,2 sshd/host_key.pub)|; its
	END
	printf '\xef\xbb\xbf%s\n' "$line" >known
	client "$PWD/sshd/id" "$PWD/known"
	run d exec true
}

# As with ssh(1): the port of another sshd need not be named.
t_a_known_host_on_another_port() {
	local key
	setup
	key=$(cut -d ' ' -f 1,2 sshd/host_key.pub)
	echo "127.0.0.1 $key" >known
	client "$PWD/sshd/id" "$PWD/known"
	run d exec true
	ssh-keygen -q -H -f known >/dev/null 2>&1
	run d exec true
	# A line of its own comes first, and what is revoked is it there, too.
	echo "[127.0.0.1]:$sshd_port $(cut -d ' ' -f 1,2 sshd/id.pub)" >>known
	refused "HAS CHANGED"
	printf '127.0.0.1 %s\n@revoked 127.0.0.1 %s\n' "$key" "$key" >known
	refused "@revoked"
	echo "127.0.0.2 $key" >known
	refused "is not known"
}

t_a_changed_host_is_refused() {
	setup
	ssh-keygen -q -t ed25519 -N '' -f other
	printf '[127.0.0.1]:%s %s\n' "$sshd_port" "$(cat other.pub)" >known
	client "$PWD/sshd/id" "$PWD/known"
	refused "HAS CHANGED"
	assert_shows_key host_key
}

t_the_kind_of_key_that_is_known_is_asked_for() {
	setup
	printf '[127.0.0.1]:%s %s\n' "$sshd_port" "$(cat sshd/host_rsa.pub)" \
	    >known
	client "$PWD/sshd/id" "$PWD/known"
	run d exec true
}

t_hashed_hosts_many_files_and_lines_that_nobody_can_read() {
	setup
	{
		echo 'a line that is none'
		printf '* ssh-foo AAAA\n'
		printf '@cert-authority *.example.org %s\n' \
		    "$(cut -d ' ' -f 1,2 sshd/host_rsa.pub)"
		head -c 10000 /dev/zero | tr '\0' x
		echo
		tr ' ' '\t' <sshd/known_hosts
	} >known
	ssh-keygen -q -H -f sshd/known_hosts
	client "$PWD/sshd/id" "$PWD/nothing $PWD/sshd/known_hosts"
	run d exec true
	client "$PWD/sshd/id" "$PWD/known"
	run d exec true
}

# A '!' keeps a host out, wherever it stands, as with ssh(1).
t_patterns_of_known_hosts() {
	local key patterns status
	setup
	key=$(cut -d ' ' -f 1,2 sshd/host_key.pub)
	client "$PWD/sshd/id" "$PWD/known" "HostKeyAlias evil.example.org"
	while read -r status patterns; do
		echo "$patterns $key" >known
		expect_status "$status" d exec true </dev/null
	done <<-END
	0 *.example.org
	0 *.example.org,!good.example.org
	0 Evil.example.org
	8 !evil.example.org,*.example.org
	8 *.example.org,!evil.example.org
	8 *.example.org,!EVIL.*
	8 !good.example.org
	END
	# What is not revoked for the host.
	printf '@revoked *,!evil.example.org %s\nevil.example.org %s\n' \
	    "$key" "$key" >known
	run d exec true
	sed -i 's/evil/good/' known
	sed -i '2s/good/evil/' known
	refused "@revoked"
}

t_a_revoked_key_is_refused_even_if_it_is_listed_or_pinned() {
	local print
	setup
	{
		cat sshd/known_hosts
		printf '@revoked * %s\n' \
		    "$(cut -d ' ' -f 1,2 sshd/host_key.pub)"
	} >known
	client "$PWD/sshd/id" "$PWD/known"
	refused "@revoked"
	print=$(ssh-keygen -lf sshd/host_key.pub | cut -d ' ' -f 2)
	options=(host_key="$print")
	refused "@revoked"
	# Where it was revoked does not matter.
	client "$PWD/sshd/id" "$PWD/sshd/known_hosts"
	options=(connect=10000)
	DEPLOY_KNOWN_HOSTS=$(tail -n 1 known) refused "@revoked"
}

t_a_pin_decides_alone() {
	local print
	setup
	client "$PWD/sshd/id" "$PWD/nothing"
	print=$(ssh-keygen -lf sshd/host_key.pub | cut -d ' ' -f 2)
	run d host_key="$print" exec true
	run d host_key="$print=" exec true
	options=(host_key="${print%?}")
	refused "not ${print%?}" "$print"
	options=(host_key=SHA256:)
	refused "$print"
	ssh-keygen -q -t ed25519 -N '' -f other
	client "$PWD/sshd/id" "$PWD/sshd/known_hosts"
	options=(host_key="$(ssh-keygen -lf other.pub | cut -d ' ' -f 2)")
	refused "'host_key' says"
	# Of another kind, of the same host.
	options=(host_key="$(ssh-keygen -lf sshd/host_rsa.pub | cut -d ' ' -f 2)")
	refused "has to name this key, also where the host has keys of other kinds"
}

t_a_host_key_alias() {
	local name
	setup
	printf 'front %s\n' "$(cut -d ' ' -f 1,2 sshd/host_key.pub)" >known
	client "$PWD/sshd/id" "$PWD/known" "HostKeyAlias front"
	run d exec true
	client "$PWD/sshd/id" "$PWD/nothing" "HostKeyAlias front"
	refused "front ssh-ed25519 AAAA"
	# Names that libssh does not know as such; hashed ones, too.
	for name in web_1 web:cluster web/1 münchen.example; do
		client "$PWD/sshd/id" "$PWD/known" "HostKeyAlias $name"
		printf '%s %s\n' "$name" \
		    "$(cut -d ' ' -f 1,2 sshd/host_key.pub)" >known
		run d exec true
		ssh-keygen -q -H -f known >/dev/null 2>&1
		run d exec true
	done
}

# Such a name in DNS, or in /etc/hosts.
t_a_name_with_an_underscore() {
	need_root
	need_cmd unshare mount
	unshare -m true 2>/dev/null || skip "no mount namespaces"
	setup
	(cat /etc/hosts; echo "127.0.0.1 www_1") >hosts
	printf '[www_1]:%s %s\n' "$sshd_port" \
	    "$(cut -d ' ' -f 1,2 sshd/host_key.pub)" >known
	client "$PWD/sshd/id" "$PWD/known"
	run unshare -m sh -c 'mount --bind hosts /etc/hosts && exec "$@"' x \
	    "$driver" config="$PWD/config" port="$sshd_port" www_1 exec true
}

# authority KIND [BITS]: a new one in ca; its line goes to known.
authority() {
	rm -f ca ca.pub
	ssh-keygen -q -t "$1" ${2:+-b "$2"} -N '' -f ca
	echo "@cert-authority ${pattern:-127.0.0.1,[127.0.0.1]:*} $(cut -d ' ' -f 1,2 ca.pub)" >known
}

# certified [OPTION...]: the host's key with a certificate of ca, good for it
# unless the options say otherwise; its sshd is there anew.
certified() {
	local key=${key:-host_key}
	rm -f sshd/*-cert.pub
	ssh-keygen -q -s ca -I host ${1+"$@"} "sshd/$key.pub"
	sshd_stop
	sshd_start "$PWD/sshd" "HostCertificate $PWD/sshd/$key-cert.pub" ||
	    fail "sshd does not start"
	client "$PWD/sshd/id" "$PWD/known"
}

t_a_certificate_of_the_host() {
	local kind key print
	setup
	for kind in ed25519 'rsa 2048' 'ecdsa 256' 'ecdsa 384' 'ecdsa 521'; do
		# Word splitting is meant.
		# shellcheck disable=SC2086
		authority $kind
		certified -h -n 127.0.0.1
		run d exec true
	done
	# Of the RSA key, while the other has none.
	key=host_rsa certified -h -n other,127.0.0.1
	run d exec true
	# For all hosts, or by a pattern; the authority without the port.
	pattern='127.*' authority ed25519
	certified -h
	run d exec true
	pattern='*' authority ed25519
	certified -h -n 127.0.0.1
	DEPLOY_KNOWN_HOSTS=$(cat known) client "$PWD/sshd/id" /dev/null
	DEPLOY_KNOWN_HOSTS=$(cat known) run d exec true
	client "$PWD/sshd/id" "$PWD/known" "HostKeyAlias front"
	certified -h -n front
	client "$PWD/sshd/id" "$PWD/known" "HostKeyAlias front" \
	    "RemoteCommand false" "ForkAfterAuthentication yes"
	run d exec true
	# A pin and a line of its own need no authority.
	certified -h -n elsewhere
	print=$(ssh-keygen -lf sshd/host_key.pub | cut -d ' ' -f 2)
	run d host_key="$print" exec true
	client "$PWD/sshd/id" "$PWD/known $PWD/sshd/known_hosts"
	run d exec true
}

t_a_certificate_that_does_not_make_the_host_known() {
	setup
	authority ed25519
	certified -h -n elsewhere
	refused "is not known" "its certificate is not for '127.0.0.1' but for 'elsewhere'"
	# A pattern is none, as for ssh(1).
	certified -h -n '127.*,127.0.0.?,*'
	refused "its certificate is not for '127.0.0.1' but for '127.*' and others"
	certified -h -n 127.0.0.1 -V 20200101:20200102
	refused "its certificate has expired"
	certified -h -n 127.0.0.1 -V 20990101:20990102
	refused "its certificate is not valid before"
	cp known before
	certified -h -n 127.0.0.1
	run d exec true
	# Of a kind that ssh_config does not allow.
	client "$PWD/sshd/id" "$PWD/known" "CASignatureAlgorithms ssh-*"
	run d exec true
	client "$PWD/sshd/id" "$PWD/known" "CASignatureAlgorithms ecdsa-*"
	refused "CASignatureAlgorithms of ssh_config does not allow the ssh-ed25519 signature"
	client "$PWD/sshd/id" "$PWD/known" "HostKeyAlgorithms ssh-ed25519"
	refused "HostKeyAlgorithms of ssh_config allows none"
	client "$PWD/sshd/id" "$PWD/known" \
	    "HostKeyAlgorithms ssh-ed25519-cert-v01@openssh.com,ssh-ed25519"
	run d exec true
	client "$PWD/sshd/id" "$PWD/known"
	# Of another authority, or revoked: that, the certificate, or the key.
	pattern='*' authority ed25519
	refused "of another authority"
	cp before known
	printf '@revoked * %s\n' "$(cut -d ' ' -f 3,4 known)" >>known
	refused "authority of its certificate is marked @revoked"
	cp before known
	ssh-keygen -q -k -f revoked sshd/host_key-cert.pub
	client "$PWD/sshd/id" "$PWD/known" "RevokedHostKeys $PWD/revoked"
	refused "certificate is revoked by '$PWD/revoked'"
	cp sshd/host_key.pub revoked
	refused "RevokedHostKeys of ssh_config"
	# For another host.
	sed 's/^@cert-authority [^ ]*/@cert-authority 127.0.0.2/' before >known
	client "$PWD/sshd/id" "$PWD/known"
	refused "is not known"
	assert_not_contains "$err" "certificate"
	# None at all.
	cp before known
	sshd_stop
	sshd_start "$PWD/sshd" || fail "sshd does not start"
	refused "it shows no certificate" "is not known"
	assert_shows_key host_key
}

# RevokedHostKeys: a key a line, or what ssh-keygen -k makes.
t_revoked_host_keys() {
	setup
	ssh-keygen -q -t ed25519 -N '' -f other
	client "$PWD/sshd/id" "$PWD/sshd/known_hosts" \
	    "RevokedHostKeys $PWD/revoked"
	refused "RevokedHostKeys of ssh_config: $PWD/revoked"
	client "$PWD/sshd/id" "$PWD/sshd"
	refused "cannot read '$PWD/sshd'"
	client "$PWD/sshd/id" "$PWD/sshd/known_hosts" \
	    "RevokedHostKeys $PWD/revoked"
	printf '# none\n\n' >revoked
	cat other.pub >>revoked
	run d exec true
	cat sshd/host_key.pub >>revoked
	refused "RevokedHostKeys of ssh_config"
	options=(host_key="$(ssh-keygen -lf sshd/host_key.pub | cut -d ' ' -f 2)")
	refused "RevokedHostKeys of ssh_config"
	ssh-keygen -q -k -f revoked other.pub
	run d exec true
	ssh-keygen -q -k -u -f revoked sshd/host_key.pub
	refused "is revoked by '$PWD/revoked'"
	printf 'SSHKRL\n\0nonsense' >revoked
	refused "is not a list that ssh-keygen reads"
}

# What would have ssh(1) take any host is named where one is unknown.
t_a_lax_ssh_config_is_not_followed() {
	local option
	setup
	for option in "StrictHostKeyChecking no" \
	    "StrictHostKeyChecking accept-new" "VerifyHostKeyDNS yes" \
	    "NoHostAuthenticationForLocalhost yes"; do
		client "$PWD/sshd/id" "$PWD/nothing" "$option"
		refused "is not known" "$option of ssh_config is not followed"
		client "$PWD/sshd/id" "$PWD/sshd/known_hosts" "$option"
		run d exec true
	done
}

# ------------------------------------------------------- options of ssh_config

# a_row SSHD-LINE CLIENT-LINE STATUS TEXT: "-" is no line, or no text.
a_row() {
	local line=()
	echo "row: $*" >&2
	[ "$1" = - ] || line=("$1")
	sshd_stop
	sshd_start "$PWD/sshd" ${line[@]+"${line[@]}"} || fail "no sshd"
	printf '%s %s\n' "[127.0.0.1]:$sshd_port" \
	    "$(cut -d ' ' -f 1,2 sshd/host_rsa.pub)" >>sshd/known_hosts
	line=()
	[ "$2" = - ] || line=("$2")
	client "$PWD/sshd/${key:-id}" "$PWD/sshd/known_hosts" \
	    ${line[@]+"${line[@]}"}
	expect_status "$3" d exec true
	[ "$4" = - ] || assert_contains "$err" "$4"
}

# rows: standard input has them, a tab between the columns.
rows() {
	local sshd client status text
	while IFS=$'\t' read -r sshd client status text; do
		[ -z "$sshd" ] || a_row "$sshd" "$client" "$status" "$text" \
		    </dev/null
	done
}

# What both sides offer when they agree on nothing, and what would help.
t_algorithms_of_ssh_config() {
	setup
	rows <<-'END'
	HostKeyAlgorithms ssh-rsa	-	8	the host offers ssh-rsa, deploy ssh-ed25519,
	HostKeyAlgorithms ssh-rsa	-	8	'HostKeyAlgorithms ssh-rsa' for this host in ssh_config allows it
	HostKeyAlgorithms ssh-rsa	HostKeyAlgorithms +ssh-rsa	0	-
	HostKeyAlgorithms ssh-ed25519	HostKeyAlgorithms rsa-sha2-512	8	the host offers ssh-ed25519, deploy rsa-sha2-512
	-	HostKeyAlgorithms rsa-sha2-512	0	-
	-	HostKeyAlgorithms -ssh-ed25519	0	-
	-	HostKeyAlgorithms ssh-ed25519-cert-v01@openssh.com	2	HostKeyAlgorithms of ssh_config allows only
	Ciphers aes128-cbc	-	8	the host offers aes128-cbc, deploy aes128-gcm@openssh.com,
	Ciphers aes128-cbc	-	8	'Ciphers aes128-cbc'
	Ciphers aes128-cbc	Ciphers +aes128-cbc	0	-
	Ciphers aes128-gcm@openssh.com	Ciphers aes256-ctr	8	no algorithm in common (Ciphers)
	KexAlgorithms diffie-hellman-group14-sha1	-	8	'KexAlgorithms diffie-hellman-group14-sha1'
	KexAlgorithms diffie-hellman-group14-sha1	KexAlgorithms +diffie-hellman-group14-sha1	0	-
	KexAlgorithms sntrup761x25519-sha512@openssh.com	-	8	libssh, by which deploy connects, has none of the host's
	-	KexAlgorithms sntrup761x25519-sha512@openssh.com	2	KexAlgorithms of ssh_config allows only what libssh has not got
	-	KexAlgorithms ecdh-sha2-nistp256	0	-
	MACs hmac-sha1	MACs hmac-sha2-512	0	-
	-	PubkeyAcceptedAlgorithms rsa-sha2-512	8	PubkeyAcceptedAlgorithms of ssh_config
	-	PubkeyAcceptedAlgorithms ssh-ed25519	0	-
	END
	# What ssh(1) offers anyway, and libssh only where it is asked for: nobody
	# knows whether a '+' asked.
	sshd_stop
	sshd_start "$PWD/sshd" "Ciphers aes256-ctr" "MACs hmac-sha1" ||
	    fail "no sshd"
	client "$PWD/sshd/id" "$PWD/sshd/known_hosts"
	run d exec true
	client "$PWD/sshd/id" "$PWD/sshd/known_hosts" "MACs +hmac-sha1"
	run d exec true
	client "$PWD/sshd/id" "$PWD/sshd/known_hosts" "MACs hmac-sha2-512"
	refused "'MACs hmac-sha1' for this host in ssh_config allows it"
	# The order counts, too; and a MAC only without AES-GCM.
	a_row "LogLevel DEBUG1" "Ciphers aes256-gcm@openssh.com,aes128-gcm@openssh.com" 0 -
	assert_contains sshd/log "cipher: aes256-gcm@openssh.com"
	client "$PWD/sshd/id" "$PWD/sshd/known_hosts" "Ciphers aes256-ctr" \
	    "MACs hmac-sha2-512"
	run d exec true
	assert_contains sshd/log "cipher: aes256-ctr MAC: hmac-sha2-512"
	client "$PWD/sshd/id" "$PWD/sshd/known_hosts"
	run d exec true
	assert_contains sshd/log "cipher: aes128-gcm@openssh.com"
}

# Short RSA keys, of the host and ours.
t_a_required_size_of_rsa_keys() {
	setup
	ssh-keygen -q -t rsa -b 2048 -N '' -f sshd/rsa
	cat sshd/rsa.pub >>sshd/authorized_keys
	local key=rsa
	rows <<-'END'
	-	RequiredRSASize 2048	0	-
	-	RequiredRSASize 3072	8	is too short (RequiredRSASize of ssh_config)
	HostKeyAlgorithms rsa-sha2-512	RequiredRSASize 3072	8	RequiredRSASize
	END
}

# From where, for how long, and what is not followed but named.
t_ways_of_ssh_config() {
	setup
	rows <<-'END'
	-	BindAddress 127.0.0.9	0	-
	-	BindAddress 192.0.2.1	8	BindAddress of ssh_config, 192.0.2.1: Cannot assign
	-	BindInterface lo	0	-
	-	BindInterface none0	8	BindInterface of ssh_config, none0
	-	AddressFamily inet	0	-
	-	AddressFamily inet6	8	127.0.0.1
	-	ConnectTimeout 5	0	-
	-	ConnectionAttempts 3	0	-
	-	ForkAfterAuthentication yes	0	-
	-	RemoteCommand false	0	-
	-	PKCS11Provider /no/lib.so	0	-
	-	KnownHostsCommand /bin/true	2	KnownHostsCommand of ssh_config is not followed
	-	PubkeyAuthentication no	2	PubkeyAuthentication no of ssh_config is not followed
	-	ProxyUseFdpass yes	2	ProxyUseFdpass of ssh_config is not followed
	-	Compression yes	0	-
	-	StrictHostKeyChecking yes	0	-
	END
	a_row "LogLevel VERBOSE" "BindAddress 127.0.0.9" 0 -
	assert_contains sshd/log "Connection from 127.0.0.9"
	# A name that ssh(1) makes whole.
	client "$PWD/sshd/id" "$PWD/sshd/known_hosts" "CanonicalizeHostname yes" \
	    "CanonicalDomains invalid"
	run d exec true
}

# Keys that only an agent can have are named when none of ours is taken.
t_a_pkcs11_provider() {
	setup
	ssh-keygen -q -t ed25519 -N '' -f sshd/unknown
	local key=unknown
	a_row - "PKCS11Provider /no/lib.so" 8 "PKCS11Provider of ssh_config, /no/lib.so, is not followed: give its keys to an agent"
	a_row - "PKCS11Provider none" 8 "none of our keys"
	assert_not_contains "$err" PKCS11
}

# Whose name it is, when nobody has named one.
t_a_user_that_nobody_named() {
	setup
	ssh-keygen -q -t ed25519 -N '' -f sshd/unknown
	local key=unknown who
	who="'$(id -un)' is who runs deploy, as no 'user' is given"
	a_row - - 8 "$who"
	a_row - "User www-data" 8 "user 'www-data'"
	assert_not_contains "$err" "as no 'user' is given"
	expect_status 8 d user=www-data exec true
	assert_not_contains "$err" "as no 'user' is given"
}

# A host that is not there is asked as often as that says, a second apart.
t_connection_attempts() {
	setup
	sshd_stop
	client "$PWD/sshd/id" "$PWD/sshd/known_hosts" "ConnectionAttempts 3"
	milliseconds refused "connect: 127.0.0.1" "Connection refused"
	((took >= 1900)) || fail "$took ms"
}

t_a_connect_timeout() {
	setup
	fake_server silent
	client "$PWD/sshd/id" "$PWD/sshd/known_hosts" "ConnectTimeout 1"
	options=(connect=60000 kex=60000)
	milliseconds refused "key exchange with 127.0.0.1" "no answer in time"
	((took >= 900 && took < 20000)) || fail "$took ms"
}

# ------------------------------------------------------------------ keys

t_a_wrong_key_is_refused() {
	setup
	ssh-keygen -q -t ed25519 -N '' -f other
	client "$PWD/other" "$PWD/sshd/known_hosts"
	refused "authentication at 127.0.0.1" "refused" "authorized_keys" \
	    "$(ssh-keygen -lf other.pub | cut -d ' ' -f 2)"
}

t_no_key_at_all() {
	setup
	client "$PWD/nothing" "$PWD/sshd/known_hosts"
	refused "no key to log in with" "DEPLOY_SSH_KEY"
	options=(identity="$PWD/nothing")
	refused "$PWD/nothing: No such file"
}

t_an_identity_of_its_own() {
	setup
	client "$PWD/nothing" "$PWD/sshd/known_hosts"
	run d identity="$PWD/sshd/id" exec true
}

# keys: every kind of key file, with and without passphrase.
t_kinds_of_keys() {
	local kind n=0
	setup
	for kind in "-t ed25519 -a 1" "-t rsa -b 2048 -a 1" \
	    "-t ecdsa -b 521 -m PKCS8" "-t ecdsa -b 256 -m PEM"; do
		n=$((n + 1))
		# Word splitting is meant.
		# shellcheck disable=SC2086
		ssh-keygen -q $kind -N '' -f key$n
		cat key$n.pub >>sshd/authorized_keys
		client "$PWD/key$n" "$PWD/sshd/known_hosts"
		run d exec true
		ssh-keygen -q -p -a 1 -N 'a secret' -f key$n
		refused "is encrypted" "DEPLOY_SSH_KEY_PASSPHRASE"
		DEPLOY_SSH_KEY_PASSPHRASE='another' refused "is wrong"
		assert_not_contains "$err" "another"
		DEPLOY_SSH_KEY_PASSPHRASE='a secret' run d exec true
		DEPLOY_SSH_KEY_PASSPHRASE='a secret' \
		    DEPLOY_SSH_KEY=$(tr '\n' ' ' <key$n) run d exec true
	done
}

# Every cipher that ssh-keygen(1) has: it opens, or is named with one that does.
t_ciphers_of_keys() {
	local cipher text words
	setup
	client "$PWD/key" "$PWD/sshd/known_hosts"
	for cipher in $(ssh -Q cipher); do
		rm -f key key.pub
		ssh-keygen -q -t ed25519 -a 1 -N secret -Z "$cipher" -f key
		cat key.pub >>sshd/authorized_keys
		if [[ $cipher = *@* ]]; then
			refused "key is encrypted with '$cipher'"
			DEPLOY_SSH_KEY_PASSPHRASE=wrong refused \
			    "key is encrypted with '$cipher'" \
			    "; 'ssh-keygen -p -Z aes256-ctr -f KEY' encrypts"
			DEPLOY_SSH_KEY_PASSPHRASE=secret \
			    DEPLOY_SSH_KEY=$(<key) refused \
			    "DEPLOY_SSH_KEY is encrypted with '$cipher'"
			ssh-keygen -q -p -a 1 -P secret -N secret \
			    -Z aes256-ctr -f key >/dev/null
		fi
		DEPLOY_SSH_KEY_PASSPHRASE=wrong refused "is wrong for it"
		DEPLOY_SSH_KEY_PASSPHRASE=secret run d exec true
	done
	# What no ssh-keygen writes, or only the start of it.
	export DEPLOY_SSH_KEY_PASSPHRASE=secret
	while IFS='|' read -r text words; do
		{
			echo '-----BEGIN OPENSSH PRIVATE KEY-----'
			# The text has escapes of octal digits.
			# shellcheck disable=SC2059
			printf "$text" | base64
			echo '-----END OPENSSH PRIVATE KEY-----'
		} >key
		refused "$words" </dev/null
	done <<-'END'
	openssh-key-v1\0\0\0\0\012aes256-ctr\0\0\0\006argon2|key is encrypted with 'argon2'
	openssh-key-v1\0\0\0\0\013aes256-ctr\0\0\0\0\006bcrypt|key is encrypted with 'aes256-ctr
	openssh-key-v1\0\0\0\0\0\0\0\0\006bcrypt|key is encrypted with ''
	openssh-key-v1\0\0\0\0\012aes256-ctr|key is damaged
	openssh-key-v1\0\0377\0377\0377\0377aes256-ctr|key is damaged
	openssh-key-v1\0|key is damaged
	openssh-key-v2\0\0\0\0\012aes256-ctr\0\0\0\006bcrypt|key is damaged
	END
}

# With a cipher that libcrypto has left behind, and the right passphrase.
t_old_ciphers_of_keys() {
	local cipher
	setup
	client "$PWD/nothing" "$PWD/sshd/known_hosts"
	openssl genrsa -out key 2048 2>/dev/null || skip "no openssl"
	export DEPLOY_SSH_KEY_PASSPHRASE=secret
	for cipher in PBE-MD5-DES PBE-SHA1-RC2-64 PBE-SHA1-RC4-128 v2:DES-CBC \
	    v2:RC2-CBC pem:DES-CBC PBE-SHA1-3DES; do
		case $cipher in
		v2:*) set -- pkcs8 -topk8 -v2 "${cipher#*:}" ;;
		pem:*) set -- rsa -traditional -des ;;
		*) set -- pkcs8 -topk8 -v1 "$cipher" ;;
		esac
		openssl "$@" -in key -out old -passout pass:secret \
		    -provider legacy -provider default 2>/dev/null ||
		    skip "no legacy provider"
		if [ "$cipher" != PBE-SHA1-3DES ]; then
			DEPLOY_SSH_KEY=$(<old) refused \
			    "is encrypted with '${cipher#*:}', which libcrypto"
			openssl pkcs8 -topk8 -provider legacy -provider default \
			    -in old -passin pass:secret -passout pass:secret -out new
			mv new old
		fi
		DEPLOY_SSH_KEY=$(<old) refused "was refused"
	done
}

# Whole ones that openssl(1) makes and no host takes.
t_keys_that_are_not_of_ssh() {
	local kind
	setup
	client "$PWD/nothing" "$PWD/sshd/known_hosts"
	for kind in ed448 x25519 'ec -pkeyopt ec_paramgen_curve:secp256k1'; do
		# Word splitting is meant.
		# shellcheck disable=SC2086
		openssl genpkey -algorithm $kind -out key 2>/dev/null ||
		    skip "no openssl"
		DEPLOY_SSH_KEY=$(<key) refused \
		    "is a key of a kind that SSH does not have; make one"
		openssl pkcs8 -topk8 -in key -passout pass:secret -out encrypted
		DEPLOY_SSH_KEY_PASSPHRASE=secret DEPLOY_SSH_KEY=$(<encrypted) \
		    refused "is a key of a kind"
		DEPLOY_SSH_KEY_PASSPHRASE=wrong DEPLOY_SSH_KEY=$(<encrypted) \
		    refused "is wrong for it"
	done
	DEPLOY_SSH_KEY=$(sed '2s/^..../AAAA/' key) refused damaged
}

t_a_key_in_a_variable() {
	local key
	setup
	client "$PWD/nothing" "$PWD/sshd/known_hosts"
	key=$(cat sshd/id)
	DEPLOY_SSH_KEY=$key run d exec true
	DEPLOY_SSH_KEY="$key"$'\n\n' run d exec true
	DEPLOY_SSH_KEY="  "${key//$'\n'/$'\r\n'} run d exec true
	DEPLOY_SSH_KEY=${key//$'\n'/ } run d exec true
	DEPLOY_SSH_KEY=${key//$'\n'/\\n} run d exec true
	DEPLOY_SSH_KEY=${key//$'\n'/$'\r'} run d exec true
	DEPLOY_SSH_KEY=$(sed 's/^/    /' sshd/id) run d exec true
	# In base64, which CI systems can mask; known_hosts, too.
	DEPLOY_SSH_KEY=$(base64 -w0 sshd/id) run d exec true
	DEPLOY_SSH_KEY=$(base64 sshd/id) run d exec true
	client "$PWD/nothing" /dev/null
	DEPLOY_KNOWN_HOSTS=$(base64 sshd/known_hosts) DEPLOY_SSH_KEY=$key \
	    run d exec true
}

# The path of a file that is not there, or has no key.
t_a_key_in_no_file() {
	local text
	setup
	client "$PWD/nothing" "$PWD/sshd/known_hosts"
	echo '# to be written' >empty
	mkdir directory
	while IFS=$'\t' read -r path text; do
		DEPLOY_SSH_KEY=$PWD/$path refused "DEPLOY_SSH_KEY: " "$PWD/$path" "$text"
	done <<-'END'
	none	No such file or directory
	directory	Is a directory
	empty	no BEGIN line
	END
}

# A key among other things, and line ends that were spelled out on the way.
t_a_key_in_company() {
	local key text
	setup
	client "$PWD/nothing" "$PWD/sshd/known_hosts"
	openssl ecparam -genkey -name prime256v1 -out ec 2>/dev/null
	assert_contains ec "BEGIN EC PARAMETERS"
	openssl req -x509 -newkey rsa:2048 -nodes -keyout rsa -out cert -subj /CN=x \
	    2>/dev/null
	chmod 600 ec rsa
	for key in ec rsa; do
		ssh-keygen -y -f $key >>sshd/authorized_keys
		DEPLOY_SSH_KEY=$(<$key) run d exec true
		DEPLOY_SSH_KEY=$(base64 -w0 $key) run d exec true
		DEPLOY_SSH_KEY=$(tr '\n' ' ' <$key) run d exec true
	done
	DEPLOY_SSH_KEY=$(cat cert rsa) run d exec true
	DEPLOY_SSH_KEY=$(cat rsa cert) run d exec true
	DEPLOY_SSH_KEY=$(cat sshd/id.pub sshd/id) run d exec true
	key=$(<sshd/id)
	for text in '\n' '\\n' '\r\n' '\\\\n'; do
		DEPLOY_SSH_KEY=${key//$'\n'/$text} run d exec true
	done
	# Others are no reason to ask for a passphrase.
	for text in %0A '<br>' '&#10;' $'\xc2\xa0'; do
		DEPLOY_SSH_KEY=${key//$'\n'/$text} refused \
		    "is damaged: between BEGIN and END is what no key has"
	done
	client "$PWD/ec" "$PWD/sshd/known_hosts"
	run d exec true
}

# Nobody writes it: that is no reason to wait for ever.
t_files_that_are_fifos() {
	setup
	mkfifo fifo
	client "$PWD/fifo" "$PWD/sshd/known_hosts"
	milliseconds refused "no BEGIN line"
	((took < 10000)) || fail "$took ms"
	client "$PWD/sshd/id" "$PWD/fifo"
	refused "is not known"
	client "$PWD/sshd/id" "$PWD/sshd/known_hosts" "RevokedHostKeys $PWD/fifo"
	run d exec true
	client "$PWD/nothing" "$PWD/sshd/known_hosts"
	DEPLOY_SSH_KEY=$PWD/fifo refused "no BEGIN line"
	expect_status 2 deploy status -c fifo
	# Who does write it is waited for.
	(sleep 0.5; cat sshd/id) >fifo &
	DEPLOY_SSH_KEY=$PWD/fifo run d exec true
	wait "$!"
}

# In every form, open and encrypted.
t_a_dsa_key() {
	local form
	setup
	ssh-keygen -q -t dsa -N '' -f key || skip "ssh-keygen has no DSA"
	rm key
	client "$PWD/key" "$PWD/sshd/known_hosts"
	for form in RFC4716 PKCS8 PEM; do
		rm -f key key.pub
		ssh-keygen -q -t dsa -m $form -N '' -f key
		refused "key is a DSA key, which no SSH takes any more; make"
		assert_not_contains "$err" ssh_config
		DEPLOY_SSH_KEY=$(<key) refused "DEPLOY_SSH_KEY is a DSA key"
		ssh-keygen -q -p -a 1 -N secret -f key >/dev/null
		DEPLOY_SSH_KEY_PASSPHRASE=secret refused "key is a DSA key"
	done
}

# An Ed25519 key as openssl writes it; ssh-keygen shows its public half.
t_a_key_in_pkcs8() {
	setup
	client "$PWD/nothing" "$PWD/sshd/known_hosts"
	openssl genpkey -algorithm ed25519 -out pkcs8 2>/dev/null ||
	    skip "no openssl for Ed25519"
	openssl pkey -in pkcs8 -aes256 -passout pass:secret -out encrypted
	{
		printf '\0\0\0\013ssh-ed25519\0\0\0\040'
		openssl pkey -in pkcs8 -pubout -outform DER | tail -c 32
	} | base64 -w0 | sed 's/^/ssh-ed25519 /' >>sshd/authorized_keys
	DEPLOY_SSH_KEY=$(cat pkcs8) run d exec true
	DEPLOY_SSH_KEY=$(tr '\n' ' ' <pkcs8) run d exec true
	DEPLOY_SSH_KEY=$(base64 -w0 pkcs8) run d exec true
	client "$PWD/pkcs8" "$PWD/sshd/known_hosts"
	run d exec true
	client "$PWD/encrypted" "$PWD/sshd/known_hosts"
	refused "is encrypted"
	DEPLOY_SSH_KEY_PASSPHRASE=wrong refused "is wrong for it"
	DEPLOY_SSH_KEY_PASSPHRASE=secret run d exec true
}

# A passphrase with a line end that nobody has typed, and one that has it.
t_a_passphrase_with_a_line_end() {
	local end
	setup
	cp sshd/id key
	ssh-keygen -q -p -a 1 -N secret -f key >/dev/null
	client "$PWD/key" "$PWD/sshd/known_hosts"
	for end in $'\n' $'\r\n' $'\n\n'; do
		DEPLOY_SSH_KEY_PASSPHRASE="secret$end" run d exec true
	done
	DEPLOY_SSH_KEY_PASSPHRASE=$'\n' refused "is wrong for it"
	ssh-keygen -q -p -a 1 -P secret -N $'secret\n' -f key >/dev/null
	DEPLOY_SSH_KEY_PASSPHRASE=$'secret\n' run d exec true
	DEPLOY_SSH_KEY_PASSPHRASE=secret refused "is wrong for it"
}

# As CI systems give them that have variables of type "file".
t_a_path_in_a_variable() {
	local path text
	setup
	client "$PWD/nothing" /dev/null
	export DEPLOY_SSH_KEY=$PWD/sshd/id DEPLOY_KNOWN_HOSTS=$PWD/sshd/known_hosts
	run d exec true
	DEPLOY_KNOWN_HOSTS=$PWD/none refused \
	    "DEPLOY_KNOWN_HOSTS: cannot read '$PWD/none': No such"
	DEPLOY_KNOWN_HOSTS="$PWD/none such" refused "cannot read '$PWD/none such'"
	DEPLOY_KNOWN_HOSTS=$PWD refused "cannot read '$PWD': Is a directory"
	# As it comes out of stores, files and editors.
	mkdir 'a b'
	cp sshd/id sshd/known_hosts 'a b'
	for path in "$PWD/sshd/id" "$PWD/a b/id"; do
		for text in "$path"$'\n' "$path"$'\r\n' " $path" "$path " \
		    "\"$path\"" "'$path'"$'\n' $'\xef\xbb\xbf'"$path"; do
			DEPLOY_SSH_KEY=$text run d exec true
			DEPLOY_KNOWN_HOSTS=${text//\/id/\/known_hosts} \
			    run d exec true
		done
	done
	DEPLOY_SSH_KEY="'$PWD/no such'"$'\n' refused "$PWD/no such: No such"
	assert_not_contains "$err" "such'"
}

t_a_variable_that_is_no_key_says_what_it_is() {
	local key words
	setup
	client "$PWD/nothing" "$PWD/sshd/known_hosts"
	key=$(cat sshd/id)
	DEPLOY_SSH_KEY=$(cat sshd/id.pub) refused "is a public key"
	DEPLOY_SSH_KEY=${key%-----END*} refused "cut short"
	assert_not_contains "$err" "$(sed -n 3p sshd/id)"
	DEPLOY_SSH_KEY=${key/b3Bl/b3Bm} refused "DEPLOY_SSH_KEY is"
	DEPLOY_SSH_KEY="secret" refused "is not a private key"
	assert_not_contains "$err" "secret"
	DEPLOY_SSH_KEY=$PWD/nowhere refused "$PWD/nowhere"
	while IFS=$'\t' read -r key words; do
		DEPLOY_SSH_KEY=$(printf '%b' "$key") refused "$words" </dev/null
	done <<-'END'
	PuTTY-User-Key-File-2: ssh-rsa	puttygen KEY -O private-openssh
	PuTTY-User-Key-File-3: ssh-ed25519\r\nEncryption: none	puttygen KEY -O private-openssh
	UHVUVFktVXNlci1LZXktRmlsZS0zOiBzc2gtZWQyNTUxOQo=	puttygen KEY -O private-openssh
	\xef\xbb\xbfPuTTY-User-Key-File-3: ssh-ed25519	puttygen KEY -O private-openssh
	77u/UHVUVFktVXNlci1LZXktRmlsZS0zOiBzc2gtZWQyNTUxOQo=	puttygen KEY -O private-openssh
	\xef\xbb\xbfssh-ed25519 AAAA me	is a public key
	c3NoLWVkMjU1MTkgQUFBQSBtZQo=	is a public key
	"ssh-ed25519 AAAA me"	is a public key
	"c3NoLWVkMjU1MTkgQUFBQSBtZQo="	is a public key
	JABC	has no BEGIN line
	---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\nP2/56wAA\n---- END SSH2 ENCRYPTED PRIVATE KEY ----	in the form of ssh.com
	---- BEGIN SSH2 PUBLIC KEY ----\nAAAA\n---- END SSH2 PUBLIC KEY ----	is a public key
	-----BEGIN PUBLIC KEY-----\nMCow\n-----END PUBLIC KEY-----	is a public key
	ecdsa-sha2-nistp256 AAAA me	is a public key
	sk-ssh-ed25519@openssh.com AAAA me	is a public key
	ssh-ed25519-cert-v01@openssh.com AAAA me	is a certificate
	-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----	is an X.509 certificate
	-----BEGIN DSA PRIVATE KEY-----\nMIIB\n-----END DSA PRIVATE KEY-----	is a DSA key
	-----BEGIN PGP PRIVATE KEY BLOCK-----\nMIIB\n-----END PGP PRIVATE KEY BLOCK-----	is a key of PGP
	$ANSIBLE_VAULT;1.1;AES256	ansible-vault decrypt
	$SSH_PRIVATE_KEY	a variable that nobody has expanded
	~/.ssh/id_ed25519	is a path that does not begin with '/'
	./sshd/id	is a path that does not begin with '/'
	sshd/id	is a path that does not begin with '/'
	[MASKED]	has no BEGIN line
	b3BlbnNzaC1rZXktdjEAAAAABG5vbmU=	has no BEGIN line
	END
	# A file that only says which security key it is.
	{
		echo '-----BEGIN OPENSSH PRIVATE KEY-----'
		{
			printf 'openssh-key-v1\0\0\0\0\004none\0\0\0\004none\0\0\0\0\0\0\0\001'
			printf '\0\0\0\112\0\0\0\032sk-ssh-ed25519@openssh.com'
			printf '\0\0\0\040%032d\0\0\0\004ssh:\0\0\0\150' 0
			printf '12341234\0\0\0\032sk-ssh-ed25519@openssh.com'
			printf '\0\0\0\040%032d\0\0\0\004ssh:\001' 0
			printf '\0\0\0\004that\0\0\0\0\0\0\0\002me\001\002\003'
		} | base64
		echo '-----END OPENSSH PRIVATE KEY-----'
	} >token
	DEPLOY_SSH_KEY=$(cat token) refused "on a security key (FIDO)" "ssh-add"
	# Empty is the same as none.
	DEPLOY_SSH_KEY=" " refused "no key to log in with"
}

t_the_variable_goes_before_the_files() {
	setup
	ssh-keygen -q -t ed25519 -N '' -f other
	cat other.pub >>sshd/authorized_keys
	DEPLOY_SSH_KEY=$(cat other) run d exec true
	grep -q "Accepted publickey.*$(ssh-keygen -lf other.pub |
	    cut -d ' ' -f 2)" sshd/log
	# One that the host does not want is no obstacle.
	cp sshd/id.pub sshd/authorized_keys
	DEPLOY_SSH_KEY=$(cat other) run d exec true
}

t_a_certificate() {
	setup "TrustedUserCAKeys $PWD/sshd/ca.pub"
	ssh-keygen -q -t ed25519 -N '' -f sshd/ca
	: >sshd/authorized_keys
	refused "refused" "'deploy doctor --script HOST'"
	ssh-keygen -q -s sshd/ca -I me -n "$(id -un)" sshd/id.pub 2>/dev/null
	run d exec true
	mv sshd/id-cert.pub certificate
	refused "refused"
	client "$PWD/sshd/id" "$PWD/sshd/known_hosts" \
	    "CertificateFile $PWD/certificate"
	run d exec true
	DEPLOY_SSH_KEY=$(cat sshd/id) run d exec true
	# Beside the file that the variable names, and nowhere for a key in it.
	client "$PWD/nothing" "$PWD/sshd/known_hosts"
	cp certificate DEPLOY_SSH_KEY-cert.pub
	DEPLOY_SSH_KEY=$(cat sshd/id) refused "refused"
	rm DEPLOY_SSH_KEY-cert.pub
	cp certificate sshd/id-cert.pub
	DEPLOY_SSH_KEY=$PWD/sshd/id run d exec true
	client "$PWD/sshd/id" "$PWD/sshd/known_hosts" \
	    "CertificateFile $PWD/certificate"
	# What is wrong with one that is refused.
	rm certificate
	sign() {
		rm -f sshd/id-cert.pub
		ssh-keygen -q -s sshd/ca -I me -n "$(id -un)" "$@" sshd/id.pub
		cp sshd/id-cert.pub certificate
	}
	sign -V 20200101:20200102
	refused "$PWD/sshd/id-cert.pub has expired" "ssh-keygen -s"
	sign -V 20990101:20990102
	refused "$PWD/sshd/id-cert.pub is not valid before"
	sign -h
	refused "$PWD/sshd/id-cert.pub is for a host, not for a user"
	sign
	run d exec true
	rm sshd/id-cert.pub
	# For another key.
	ssh-keygen -q -t ecdsa -N '' -f other
	client "$PWD/other" "$PWD/sshd/known_hosts" \
	    "CertificateFile $PWD/certificate"
	refused "refused"
}

# An agent with the keys given.
start_agent() {
	rm -f agent
	ssh-agent -D -a "$PWD/agent" >/dev/null 2>&1 &
	agent_pid=$!
	defer kill -KILL "$agent_pid"
	export SSH_AUTH_SOCK=$PWD/agent
	wait_for 5 test -S agent
	[ $# -eq 0 ] || ssh-add -q "$@" 2>/dev/null
}

t_the_agent() {
	local name
	setup
	client "$PWD/nothing" "$PWD/sshd/known_hosts"
	start_agent
	refused "the agent showed 0 keys"
	ssh-add -q sshd/id 2>/dev/null
	run d exec true
	client "$PWD/nothing" "$PWD/sshd/known_hosts" "IdentityAgent none"
	refused "no key to log in with"
	client "$PWD/nothing" "$PWD/sshd/known_hosts" \
	    "IdentityAgent $PWD/agent"
	SSH_AUTH_SOCK='' run d exec true
	SSH_AUTH_SOCK=$PWD/nothing run d exec true
	for name in '$MINE' '${MINE}' '${HERE}/agent'; do
		client "$PWD/nothing" "$PWD/sshd/known_hosts" \
		    "IdentityAgent $name"
		SSH_AUTH_SOCK='' MINE=$PWD/agent HERE=$PWD run d exec true
	done
	client "$PWD/nothing" "$PWD/sshd/known_hosts"
	SSH_AUTH_SOCK=$PWD/nothing refused "the agent $PWD/nothing"
}

t_an_agent_with_many_keys() {
	local i keys=()
	setup
	for i in 1 2 3 4 5 6 7 8 9 10; do
		ssh-keygen -q -t ed25519 -N '' -f "many$i"
		keys+=("many$i")
	done
	start_agent "${keys[@]}" sshd/id
	client "$PWD/nothing" "$PWD/sshd/known_hosts"
	refused "Too many authentication failures" "the agent showed 6 keys"
	# What an identity file names goes first, even when only its public
	# half is there, or when it is encrypted.
	cp sshd/id.pub .
	client "$PWD/id" "$PWD/sshd/known_hosts"
	run d exec true
	client "$PWD/id.pub" "$PWD/sshd/known_hosts"
	run d exec true
	cp sshd/id id
	ssh-keygen -q -p -a 1 -N secret -f id
	rm id.pub
	client "$PWD/id" "$PWD/sshd/known_hosts" "IdentitiesOnly yes"
	run d exec true
	# Only those.
	client "$PWD/many1" "$PWD/sshd/known_hosts" "IdentitiesOnly yes"
	cp sshd/id.pub sshd/authorized_keys
	refused "of these"
}

t_an_agent_that_does_not_answer() {
	setup
	client "$PWD/nothing" "$PWD/sshd/known_hosts"
	start_agent sshd/id
	kill -STOP "$agent_pid"
	options=(auth=1000)
	milliseconds refused "does not answer"
	((took < 4000)) || fail "$took ms"
}

t_too_many_keys_for_the_host() {
	setup "MaxAuthTries 2"
	local i lines=()
	for i in 1 2 3 4; do
		ssh-keygen -q -t ed25519 -N '' -f "many$i"
		lines+=("IdentityFile $PWD/many$i")
	done
	client "$PWD/sshd/id" "$PWD/sshd/known_hosts" "${lines[@]}"
	milliseconds refused "Too many authentication failures" "many1"
	((took < 5000)) || fail "$took ms"
}

t_a_second_factor_is_said() {
	setup "AuthenticationMethods publickey,password" \
	    "PasswordAuthentication yes"
	refused "more than a key"
}

t_a_host_that_takes_no_keys_is_said() {
	setup "PubkeyAuthentication no" "PasswordAuthentication yes"
	refused "takes no public keys from user '$(id -un)', only password;" \
	    "'PubkeyAuthentication yes'"
	assert_not_contains "$err" authorized_keys
}

# --------------------------------------------------------------- failures

t_a_refused_port() {
	setup
	sshd_stop
	refused "connect: 127.0.0.1 port $sshd_port: Connection refused" \
	    "is sshd running"
}

# localhost may be ::1 first.
t_the_next_address_is_tried() {
	setup
	printf '[localhost]:%s %s\n' "$sshd_port" \
	    "$(cut -d ' ' -f 1,2 sshd/host_key.pub)" >known
	client "$PWD/sshd/id" "$PWD/known"
	run "$driver" config="$PWD/config" port="$sshd_port" localhost \
	    exec true
}

t_a_name_that_nobody_knows() {
	setup
	expect_status 8 "$driver" config="$PWD/config" \
	    nothing.invalid exec true
	assert_contains "$err" "nothing.invalid"
}

t_names_that_a_shell_would_read() {
	setup
	local name
	for name in '-x' 'a;b' 'a b' "a'b" "\$(x)" ''; do
		expect_status 2 "$driver" config="$PWD/config" "$name" \
		    exec true
	done
	for name in 'a;b' "a'b" 'a b' 'a\' $'a\x01b' '-a' "\$a"; do
		expect_status 2 "$driver" config="$PWD/config" "user=$name" \
		    localhost exec true
	done
	for name in user=me:s3cret jump=me:s3cret@127.0.0.1; do
		expect_status 2 d "$name" exec true
		assert_contains "$err" password
		assert_not_contains "$err" s3cret
	done
}

# Of a Windows domain: the host is asked for that user.
t_a_user_of_a_domain() {
	setup
	expect_status 8 d user='EXAMPLE\www' exec true
	assert_contains "$err" "lets user 'EXAMPLE\www' in"
	client "$PWD/sshd/id" "$PWD/sshd/known_hosts" 'User EXAMPLE\www2'
	start_agent sshd/id
	refused "lets user 'EXAMPLE\www2' in"
	assert_contains sshd/log 'nvalid user EXAMPLE\\www '
	assert_contains sshd/log 'nvalid user EXAMPLE\\www2 '
}

t_a_wrong_ssh_config() {
	setup
	printf 'Nonsense yes\nUseKeychain yes\n' >config
	expect_status 2 d exec true
	assert_contains "$err" "line 1: Bad configuration option: nonsense; $PWD/config"
	assert_contains "$err" "'IgnoreUnknown' above it"
	assert_not_contains "$err" '\x0d'
	echo 'Port' >config
	expect_status 2 d exec true
	assert_not_contains "$err" IgnoreUnknown
}

# As ssh(1) expands them, which 'ssh -G' does not.
t_variables_in_ssh_config() {
	setup
	export WHERE=$PWD/sshd PART=sshd
	client '${WHERE}/id' '${WHERE}/known_hosts'
	run d exec true
	client "$PWD/\${PART}/i\${NOT_SET}d" "$PWD/sshd/known_hosts"
	cp sshd/id 'sshd/i${NOT_SET}d'
	run d exec true
}

# Its shell expands them, so that what is in them is no code.
t_variables_in_a_proxycommand() {
	setup
	cat >gate <<-EOF
	#!/bin/bash
	printf '%s' "\$*" >$PWD/said
	exec 3<>/dev/tcp/127.0.0.1/$sshd_port
	cat <&3 &
	exec cat >&3
	EOF
	chmod 755 gate
	client "$PWD/sshd/id" "$PWD/sshd/known_hosts" \
	    "ProxyCommand $PWD/gate \"\${TITLE}\" ~/x %h"
	export TITLE='a "title" $(touch ran) %h'
	run d exec true
	assert_eq "$(<said)" "$TITLE $HOME/x 127.0.0.1"
	[ ! -e ran ] || fail "it ran"
}

# "none" is no file of this directory.
t_none_in_ssh_config() {
	local option
	setup
	cp sshd/known_hosts none
	for option in UserKnownHostsFile GlobalKnownHostsFile; do
		printf '%s\n' "IdentityFile $PWD/sshd/id" "$option none" >config
		refused "is not known"
	done
	cp sshd/id none
	client none "$PWD/sshd/known_hosts" "CertificateFile none" \
	    "RevokedHostKeys none" "IdentityAgent none" "ProxyCommand none"
	refused "no key to log in with"
	assert_not_contains "$err" "none is not"
	client "$PWD/sshd/id" "$PWD/sshd/known_hosts" "RevokedHostKeys None"
	run d exec true
}

# `ssh -G` prints paths without their quotes.
t_blanks_in_paths_of_ssh_config() {
	setup
	mkdir 'a b'
	cp sshd/known_hosts 'a b/known  hosts'
	client "$PWD/sshd/id" "\"$PWD/a b/known  hosts\""
	run d exec true
	client "$PWD/sshd/id" "~/no \"$PWD/a b/known  hosts\" $PWD/nothing"
	run d exec true
	cp sshd/known_hosts known
	client "$PWD/sshd/id" "other known"
	run d exec true
}

# Tokens and homes as ssh(1) expands them: it logs in with the same file.
t_tokens_in_ssh_config() {
	local name token file
	need_cmd hostname getent
	setup
	name=$(ssh -G -F config -oControlPath=/%C -p "$sshd_port" 127.0.0.1 |
	    sed -n 's,^controlpath /,,p')
	while IFS=' ' read -r token file; do
		cp sshd/id "key $file"
		client "\"$PWD/key $token\"" "$PWD/sshd/known_hosts"
		run ssh -F config -oBatchMode=yes -p "$sshd_port" 127.0.0.1 \
		    true </dev/null
		run d exec true </dev/null
		rm "key $file"
	done <<-END
	%u $(id -un)
	%l $(hostname)
	%L $(hostname -s)
	%C $name
	%i-%r-%h-%n-%p-%% $(id -u)-$(id -un)-127.0.0.1-127.0.0.1-$sshd_port-%
	x%u%Cx x$(id -un)${name}x
	END
	cp sshd/known_hosts "known_$(id -un)"
	client "$PWD/sshd/id" "$PWD/known_%u"
	run d exec true
	file=$(getent passwd "$(id -un)" | cut -d : -f 6)
	# From there to here, as it is not ours to change.
	file=~$(id -un)/$(printf '%s' "$file" | sed 's,[^/]*,..,g')$PWD/sshd/id
	client "$file" "$PWD/sshd/known_hosts"
	run d exec true
	# What ssh(1) does not know, it names.
	for token in IdentityFile CertificateFile RevokedHostKeys; do
		client "$PWD/sshd/id" "$PWD/sshd/known_hosts" "$token $PWD/%y"
		expect_status 2 d exec true
		assert_contains "$err" "$token '$PWD/%y': 'ssh -G' says: "
		assert_contains "$err" "unknown key %y"
	done
	client '~nobody.at.all/id' "$PWD/sshd/known_hosts"
	expect_status 2 d exec true
	assert_contains "$err" "IdentityFile '~nobody.at.all/id': 'ssh -G' says: "
}

# A port that is silent, or that drops; sets sshd_port.
fake_server() {
	"$driver" listen "$1" >port &
	defer kill -KILL $!
	wait_for 5 test -s port
	sshd_port=$(cat port)
}

t_a_silent_port() {
	setup
	fake_server silent
	options=(kex=1000)
	milliseconds refused "key exchange with 127.0.0.1" "no answer in time"
	((took >= 900 && took < 3000)) || fail "$took ms"
}

t_a_port_that_drops_us() {
	setup
	fake_server drop
	options=(kex=1500)
	milliseconds refused "key exchange with 127.0.0.1" "MaxStartups"
	((took >= 500 && took < 4000)) || fail "$took ms"
}

t_an_sshd_that_stops() {
	local pid
	setup
	"$driver" config="$PWD/config" port="$sshd_port" idle=1500 \
	    127.0.0.1 send 1000000000000 'cat >/dev/null' >"$out" 2>"$err" &
	pid=$!
	sleep 0.7
	# Word splitting is meant.
	# shellcheck disable=SC2046
	kill -STOP $(sshd_sessions)
	local status=0
	milliseconds wait "$pid" || status=$?
	assert_eq "$status" 1
	assert_contains "$err" "timeout"
	((took < 4000)) || fail "$took ms"
}

t_an_sshd_that_stops_while_we_listen() {
	local pid status=0
	setup
	"$driver" config="$PWD/config" port="$sshd_port" idle=1500 \
	    127.0.0.1 lines 60000 'sleep 60' >"$out" 2>"$err" &
	pid=$!
	sleep 0.7
	# shellcheck disable=SC2046
	kill -STOP $(sshd_sessions)
	milliseconds wait "$pid" || status=$?
	assert_eq "$status" 1
	assert_contains "$err" "nothing was heard"
	((took < 4000)) || fail "$took ms"
}

t_a_quiet_program_is_not_a_dead_connection() {
	setup
	run d idle=800 lines 60000 'sleep 3; echo here'
	assert_eq "$(cat "$out")" $'<here>\nstatus 0'
}

t_an_sshd_that_is_killed() {
	local pid status=0
	setup
	d send 1000000000000 'cat >/dev/null' >"$out" 2>"$err" &
	pid=$!
	sleep 0.7
	# shellcheck disable=SC2046
	kill -KILL $(sshd_sessions)
	milliseconds wait "$pid" || status=$?
	assert_eq "$status" 1
	assert_contains "$err" "the connection to 127.0.0.1 was lost"
	((took < 2000)) || fail "$took ms"
}

t_cancelling_from_another_thread() {
	setup
	expect_status 1 milliseconds d cancel 500 1000000000000 'cat >/dev/null'
	assert_contains "$err" "cancelled"
	((took >= 500 && took < 2500)) || fail "$took ms"
	expect_status 1 milliseconds d cancel 500 0 'sleep 60'
	assert_contains "$err" "cancelled"
	((took >= 500 && took < 2500)) || fail "$took ms"
}

t_a_signal_ends_it() {
	local pid status=0
	setup
	"$driver" config="$PWD/config" port="$sshd_port" 127.0.0.1 \
	    exec 'sleep 60' >"$out" 2>"$err" &
	pid=$!
	sleep 0.7
	kill -TERM "$pid"
	milliseconds wait "$pid" || status=$?
	assert_eq "$status" 1
	assert_contains "$err" "interrupted by SIGTERM"
	((took < 2000)) || fail "$took ms"
}

t_a_host_that_starts_nothing() {
	setup "MaxSessions 0"
	refused "command at 127.0.0.1"
}

# ------------------------------------------------------------------- many

t_thirty_two_at_once() {
	setup
	run d many 32 exec 'echo here'
	assert_eq "$(grep -c '^here$' "$out")" 32
}

t_an_sshd_that_drops_most_of_them() {
	setup "MaxStartups 2:100:2"
	run d many 16 exec 'echo here'
	assert_eq "$(grep -c '^here$' "$out")" 16
	assert_contains sshd/log "drop connection"
}

t_many_that_move_much() {
	setup
	run d many 8 send 5000000 'wc -c'
	assert_eq "$(grep -c '^5000000$' "$out")" 8
}

# ------------------------------------------------------------------ jumps

# gate NAME [LINE...]: another sshd, with the same keys, to jump through; sets
# NAME_port and NAME_pid.
gate() {
	local pid=$sshd_pid port=$sshd_port
	mkdir "$1"
	cp -p sshd/host_key* sshd/host_rsa* sshd/id* sshd/authorized_keys "$1/"
	sshd_start "$PWD/$1" "${@:2}" || fail "the jump host does not start"
	defer _gate_stop "$sshd_pid"
	declare -g "$1_port=$sshd_port" "$1_pid=$sshd_pid"
	sshd_pid=$pid sshd_port=$port
	cat "$1/known_hosts" >>sshd/known_hosts
}

_gate_stop() {
	sshd_pid=$1
	sshd_stop
}

# A CI job: nothing but its two variables.
variables_alone() {
	DEPLOY_SSH_KEY=$(cat sshd/id)
	DEPLOY_KNOWN_HOSTS=$(cat sshd/known_hosts)
	export DEPLOY_SSH_KEY DEPLOY_KNOWN_HOSTS
	unset SSH_AUTH_SOCK
	client /nonexistent /dev/null
}

t_a_jump() {
	setup
	gate near
	run d jump="$(id -un)@127.0.0.1:$near_port" exec 'echo here; exit 3'
	assert_eq "$(cat "$out")" $'here\nstatus 3'
	client "$PWD/sshd/id" "$PWD/sshd/known_hosts" \
	    "ProxyCommand ssh -F $PWD/through -W [%h]:%p -p $near_port %h"
	grep -v ProxyCommand config >through
	run d exec true
	client "$PWD/sshd/id" "$PWD/sshd/known_hosts"
	printf 'Match host 127.0.0.1 exec "test %%p = %s"\n    ProxyJump %s\n' \
	    "$sshd_port" "127.0.0.1:$near_port" >>config
	run d exec 'echo $SSH_CLIENT'
	gate_sessions=$(grep -c 'Accepted publickey' near/log)
	((gate_sessions == 3)) || fail "$gate_sessions of 3 went through the jump host"
}

t_jumps_with_variables_alone() {
	local form way known
	setup
	gate near
	gate far
	variables_alone
	known=$DEPLOY_KNOWN_HOSTS
	for way in "$near_port" "$near_port,ssh://127.0.0.1:$far_port" \
	    "$near_port,127.0.0.1:$far_port,127.0.0.1:$near_port"; do
		run d jump="127.0.0.1:$way" send 5000000 'wc -c'
		assert_contains "$out" 5000000
		run d jump="127.0.0.1:$way" exec \
		    'head -c 5000000 /dev/zero | tr "\0" x; exit 3'
		assert_eq "$(tr -d x <"$out")" "status 3"
		((${#way} > 90)) || assert_eq "$(tr -dc x <"$out" | wc -c)" 5000000
	done
	printf '%s\n' "$known" >known
	for form in "$(base64 -w 0 known)" "$PWD/known"; do
		DEPLOY_KNOWN_HOSTS=$form run d jump="127.0.0.1:$near_port" exec true
	done
}

# Nobody but us has to know the way.
t_jumps_without_ssh() {
	setup
	[ ! -e ~/.ssh/config ] || skip "there is a .ssh/config at home, which ssh(1) reads"
	gate near
	gate far
	variables_alone
	PATH=/nonexistent run "$driver" port="$sshd_port" \
	    jump="127.0.0.1:$near_port,127.0.0.1:$far_port" 127.0.0.1 \
	    exec 'echo here'
	assert_eq "$(cat "$out")" $'here\nstatus 0'
	PATH=/nonexistent expect_status 2 "$driver" port="$sshd_port" \
	    jump="127.0.0.1:$near_port,-oProxyCommand=x" 127.0.0.1 exec true
}

# What is wrong with the first of two jump hosts, the second, the host.
t_a_jump_that_fails_names_it() {
	local what where text
	setup
	gate near
	gate far
	variables_alone
	cp sshd/known_hosts known
	ssh-keygen -q -t ed25519 -N '' -f other
	while IFS='|' read -r what where text; do
		options=(jump="127.0.0.1:$near_port,127.0.0.1:$far_port")
		DEPLOY_KNOWN_HOSTS=$PWD/known
		case $what in
		unknown)
			grep -v "${where}_at" <(sed "s/.*:$near_port .*/& near_at/
			    s/.*:$far_port .*/& far_at/" known) >some
			DEPLOY_KNOWN_HOSTS=$PWD/some
			;;
		changed)
			sed "s/^\(.*:$near_port\) .*/\1 $(cut -d ' ' -f 1,2 other.pub | sed 's,/,\\/,g')/" \
			    known >some
			DEPLOY_KNOWN_HOSTS=$PWD/some
			;;
		key) cp other.pub "$where/authorized_keys" ;;
		restrict) sed -i 's/^/restrict /' "$where/authorized_keys" ;;
		permitopen) sed -i 's/^/restrict,port-forwarding,permitopen="127.0.0.1:9" /' \
		    "$where/authorized_keys" ;;
		allowed) sed -i "s/^/restrict,port-forwarding,permitopen=\"127.0.0.1:$sshd_port\" /" \
		    "$where/authorized_keys" ;;
		refused) options[0]+=,127.0.0.1:1 ;;
		nowhere) options=(jump=127.0.0.1:1) ;;
		name) options=(jump=nobody.invalid) ;;
		malformed) options=(jump=127.0.0.1:x) ;;
		esac
		if [ "$text" = + ]; then
			run d "${options[@]}" exec true
		elif [ "$what" = malformed ]; then
			expect_status 2 d "${options[@]}" exec true
		else
			expect_status 8 d connect=10000 "${options[@]}" exec true
			assert_contains "$err" "$text"
			assert_not_contains "$err" "doctor --script"
			assert_eq "$(grep -o 'jump host' "$err" | wc -l)" "$(grep -oE \
			    'jump host (127.0.0.1|nobody)|the jump host' "$err" | wc -l)"
		fi
		cp sshd/authorized_keys near/
		cp sshd/authorized_keys far/
	done <<-END
	none|-|+
	unknown|near|jump host 127.0.0.1: host key: [127.0.0.1]:$near_port is not known
	unknown|far|jump host 127.0.0.1: host key: [127.0.0.1]:$far_port is not known
	changed|near|jump host 127.0.0.1: host key: THE KEY OF [127.0.0.1]:$near_port HAS CHANGED
	key|near|authentication at jump host 127.0.0.1: the host lets user
	key|far|authentication at jump host 127.0.0.1: the host lets user
	restrict|near|jump host 127.0.0.1 does not let us through to 127.0.0.1 port $far_port;
	restrict|far|jump host 127.0.0.1 does not let us through to 127.0.0.1 port $sshd_port;
	permitopen|far|port-forwarding behind restrict, and permitopen
	allowed|far|+
	refused|-|jump host 127.0.0.1 cannot connect to 127.0.0.1 port 1: Connection refused
	nowhere|-|jump host 127.0.0.1: connect: 127.0.0.1 port 1: Connection refused
	name|-|jump host nobody.invalid: resolve: 'nobody.invalid'
	malformed|-|
	END
}

t_a_jump_host_that_forwards_nothing() {
	setup
	gate near "AllowTcpForwarding no"
	options=(jump="127.0.0.1:$near_port")
	refused "jump host 127.0.0.1 does not let us through to 127.0.0.1 port $sshd_port" \
	    AllowTcpForwarding
	client "$PWD/sshd/id" "$PWD/sshd/known_hosts" "ProxyCommand exit 3"
	options=(connect=10000)
	refused "key exchange with"
}

# ssh(1) does not see this one, and goes on for ever.
t_a_jump_in_a_circle() {
	setup
	printf 'Host circle\n    HostName 127.0.0.1\nHost *\n    ProxyJump circle\n' \
	    >>config
	expect_status 2 d exec true
	assert_contains "$err" "through itself"
}

# The parts of a way, cut, and standing still, while a program runs.
t_a_way_that_breaks() {
	local part how text job pids
	setup
	gate near
	gate far
	options=(jump="127.0.0.1:$near_port,127.0.0.1:$far_port" idle=3000)
	while IFS='|' read -r part how text; do
		rm -f started
		d "${options[@]}" lines 60000 "touch $PWD/started; sleep 60" \
		    >"$out" 2>"$err" &
		job=$!
		wait_for 30 test -e started
		case $part in
		near) pids=$(sshd_sessions "$near_pid") ;;
		far) pids=$(sshd_sessions "$far_pid") ;;
		host) pids=$(sshd_sessions) ;;
		esac
		# shellcheck disable=SC2086 # a list
		kill "-$how" $pids
		! milliseconds wait "$job" || fail "$part, $how: status 0"
		# shellcheck disable=SC2086
		kill -KILL $pids 2>/dev/null || true
		assert_contains "$err" "the connection to 127.0.0.1 was lost: $text"
		((took < 20000)) || fail "$part, $how: $took ms"
		wait_for 10 no_sessions
	done <<-END
	near|KILL|the connection to jump host 127.0.0.1 was lost
	far|KILL|the connection to jump host 127.0.0.1 was lost
	host|KILL|Socket error
	near|STOP|nothing was heard from jump host 127.0.0.1
	far|STOP|nothing was heard from jump host 127.0.0.1
	host|STOP|nothing was heard for
	END
}

no_sessions() {
	[ -z "$(sshd_sessions "$near_pid")$(sshd_sessions "$far_pid")$(sshd_sessions)" ]
}

t_a_way_is_given_up() {
	local pid status=0
	setup
	gate near
	options=(jump="127.0.0.1:$near_port")
	expect_status 1 milliseconds d "${options[@]}" cancel 500 0 'sleep 60'
	assert_contains "$err" "cancelled"
	((took >= 500 && took < 5000)) || fail "$took ms"
	"$driver" config="$PWD/config" port="$sshd_port" "${options[@]}" 127.0.0.1 \
	    exec "touch $PWD/started; sleep 60" >"$out" 2>"$err" &
	pid=$!
	wait_for 30 test -e started
	kill -TERM "$pid"
	milliseconds wait "$pid" || status=$?
	assert_contains "$err" "interrupted by SIGTERM"
	((took < 5000)) || fail "$took ms"
	far_pid=$near_pid
	wait_for 10 no_sessions
}

t_many_through_one_jump_host() {
	setup "MaxStartups 4:100:4"
	gate near "MaxStartups 4:100:4" "MaxSessions 0"
	run d jump="127.0.0.1:$near_port" many 12 send 1000000 'wc -c'
	assert_eq "$(grep -c '^1000000$' "$out")" 12
}

run_tests
