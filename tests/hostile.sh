# shellcheck shell=bash
# shellcheck disable=SC2154,SC2034 # of lib.sh; for those who source this
# Two hosts of which one, h2, is broken or hostile: what h2.VERB has is done in
# place of the verb; the real one is "${real[@]}".  The root of host H is r-H.

# two_hosts TIMEOUT LOCK_WAIT [KEYS]: a site, live on both, in deploy.yml with
# these keys; $live is the link.
two_hosts() {
	local h
	mkdir -p site/a
	echo one >site/index.html
	seq 1000 >site/a/numbers
	for h in h1 h2; do
		cat >$h <<-END
		#!/bin/bash
		[ "\$2" != serve ] || exec $(printf %q "$VERBS") "\$0" "\${@:3}"
		real=($(printf %q "$DEPLOY") "\$@")
		[ ! -e "$PWD/$h.\$2" ] || . "$PWD/$h.\$2"
		exec "\${real[@]}"
		END
		chmod +x $h
	done
	{
		printf 'sites:\n  - name: t\n    root: %s\n' "$PWD/r"
		printf '    source: site\n    timeout: %s\n    lock_wait: %s\n' "$1" "$2"
		printf '    max_delete: 100%%\n%b    hosts:\n' "${3:-}"
		for h in h1 h2; do
			printf '      - {address: %s, transport: local, root: %s, deploy: %s}\n' \
			    $h "$PWD/r-$h" "$PWD/$h"
		done
	} >deploy.yml
	run deploy publish
	live=$(readlink r-h1/current)
}

# answers VERB: standard input is what h2 does; what the client knew is
# forgotten.
answers() {
	cat >"h2.$1"
	rm -rf "$XDG_CACHE_HOME"
}
