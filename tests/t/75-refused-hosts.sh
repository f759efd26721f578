#!/bin/bash
# Hosts over real sshd, and one of them does not let us in: no sshd is
# there, it has another key, it does not want ours, or its deploy is another.
# parts: 6
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/fleet.sh
. "$TREE/tests/fleet.sh"

t_sshd_of_a_c_host_is_gone() { every_step h1 refuse 8 7; }

t_sshd_of_a_sh_host_is_gone() {
	steps="info pack activate went flipped"
	every_step h2 refuse 8 7
}

# From the start, then after "go" to all: nobody can ask the lost one.
not_let_in() {
	fleet_beside "$1"
	two
	fails_at start "$1" "$2" 8
	assert_contains said "$3"
	fails_at flipped "$1" "$2" 7
	assert_well
}

t_host_key_of_a_c_host_has_changed() { not_let_in h4 host_key "HAS CHANGED"; }
t_host_key_of_a_sh_host_has_changed() { not_let_in h2 host_key "HAS CHANGED"; }
t_c_host_refuses_the_key() { not_let_in h1 wrong_key "authorized_keys"; }
t_sh_host_refuses_the_key() { not_let_in h3 wrong_key "authorized_keys"; }

# other_deploy STATUS TEXT: h4 has the program on standard input in place of
# deploy; it is refused with that, and nothing is live.
other_deploy() {
	local status=$1
	rm h4/bin/deploy
	cat >h4/bin/deploy
	chmod +x h4/bin/deploy
	edit
	expect_status "$status" deploy publish
	assert_contains "$err" 127.0.0.14
	assert_contains "$err" "$2"
	assert_live "$second"
	rm h4/bin/deploy
	ln -s "$DEPLOY" h4/bin/deploy
	assert_heals
}

t_older_deploy() {
	fleet_beside h4
	two
	other_deploy 1 "no command 'host'" <<-'END'
	#!/bin/sh
	echo "deploy: error: there is no command 'host'" >&2
	exit 2
	END
	other_deploy 1 "'deploy-host 0'" <<-'END'
	#!/bin/sh
	printf 'deploy-host 0\nprepared\t1\nok\n'
	END
	# It does not know a verb that is needed half-way.
	for verb in receive activate; do
		other_deploy 2 "does not know" <<-END
		#!/bin/sh
		sed -u "s/^$verb\$/of-later/" | $DEPLOY "\$@"
		END
	done
	# Start-up files that read from standard input.
	other_deploy 1 "leave standard input alone" <<-END
	#!/bin/sh
	(IFS= read -r first)
	exec $DEPLOY "\$@"
	END
	other_deploy 1 "leave standard input alone" <<-END
	#!/bin/sh
	(IFS= read -r first)
	shift
	exec dash -c "\$(cat $TREE/src/host/host.sh)" deploy-host "\$@"
	END
	# A terminal in between.
	other_deploy 1 "answers through a terminal" <<-END
	#!/bin/sh
	exec script -qec "$DEPLOY \$*" /dev/null
	END
	# Nothing but noise, and no end of it.
	other_deploy 8 "not as deploy does" <<-'END'
	#!/bin/sh
	exec yes
	END
}

t_root_of_another_format() {
	local h
	fleet_start c dash busybox
	two
	for h in h1 h2 h3; do
		edit
		echo "${h#h}0" >"r-$h/.deploy/format"
		expect_status 1 deploy publish
		assert_contains "$err" "127.0.0.1${h#h}"
		assert_contains "$err" format
		assert_live "$second"
		echo 1 >"r-$h/.deploy/format"
		assert_heals
	done
}

run_tests
