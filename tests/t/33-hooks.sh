#!/bin/bash
# Hooks: what runs before and after, what it is told, and what its failure
# means.
# parts: 3
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/hosts.sh
. "$TREE/tests/hosts.sh"

# config LINE...: a site whose hooks are these.
config() {
	cat >deploy.yml <<-EOF
	sites:
	  - name: example.org
	    source: site
	    root: $PWD/www
	    max_delete: 100%
	    hooks:
	      x-none: of these
	$(for line in "$@"; do echo "      $line"; done)
	EOF
}

# Every hook writes a line: which, and what it was told.
all_hooks() {
	local name lines=()
	for name in pre_stage post_stage pre_activate post_activate \
	    post_rollback failed; do
		lines+=("$name: 'echo \$DEPLOY_HOOK \$DEPLOY_COMMAND \$DEPLOY_RELEASE,\$DEPLOY_PREVIOUS,\$DEPLOY_COMMIT \$DEPLOY_STATUS >>hooks'")
	done
	config "${lines[@]}"
}

# ran TEXT: the hooks that ran since, in order.
ran() {
	touch hooks
	assert_eq "$(cat hooks)" "$1"
	rm hooks
}

t_each_at_its_time() {
	local a b
	all_hooks
	site 1
	run deploy stage --commit c0ffee
	a=$(cat "$out")
	ran "pre_stage stage ,,c0ffee 0
post_stage stage $a,,c0ffee 0"
	run deploy activate
	ran "pre_activate activate $a,, 0
post_activate activate $a,, 0"
	run deploy activate
	run deploy publish -n
	ran ''
	# Nothing is staged, nothing is flipped.
	run deploy publish
	ran 'pre_stage publish ,, 0'
	site 2
	run deploy publish
	b=$(cat "$out")
	ran "pre_stage publish ,, 0
post_stage publish $b,$a, 0
pre_activate publish $b,$a, 0
post_activate publish $b,$a, 0"
	run deploy rollback
	ran "post_rollback rollback $a,$b, 0"
	expect_status 1 deploy rollback
	ran "failed rollback ,, 1"
	run deploy list
	run deploy prune
	ran ''
	# The answer is the program's alone.
	config "post_activate: echo talk"
	run deploy activate "$b" --override=order
	assert_eq "$(cat "$out")" "$b"
	assert_contains "$err" talk
}

t_those_before_can_refuse() {
	local a
	config "pre_stage: 'echo not today; exit 3'"
	site 1
	expect_status 1 deploy publish
	assert_contains "$err" "not today"
	assert_contains "$err" "the pre_stage command failed with status 3"
	[ ! -e www/releases ] || fail "something was made"
	config "pre_activate: exit 3" "failed: 'echo \$DEPLOY_ERROR >failed'"
	expect_status 1 deploy publish
	assert_contains "$err" "stays staged"
	assert_contains failed "the pre_activate command failed"
	[ ! -e www/current ] || fail "live"
	expect_status 1 deploy activate
	[ ! -e www/current ] || fail "live"
	# A rollback is not for hooks to refuse.
	config
	run deploy activate
	a=$(live_of www)
	site 2
	run deploy publish
	config "pre_activate: exit 3"
	run deploy rollback
	assert_eq "$(live_of www)" "$a"
}

t_those_after_change_nothing() {
	config "post_stage: exit 3"
	site 1
	expect_status 9 deploy stage
	assert_contains "$err" "the post_stage command failed"
	[ -s "$out" ] || fail "no id"
	expect_status 9 deploy publish
	assert_contains "$err" "the post_stage command failed"
	[ -e www/current/index.html ] || fail "not live"
	config "post_activate: exit 3" "failed: 'echo \$DEPLOY_STATUS >failed'"
	site 2
	expect_status 9 deploy publish --json
	assert_eq "$(json "$out" .changed)" true
	assert_contains failed 9
	# One that runs into trouble itself.
	config "post_activate: exit 3" "failed: exit 4"
	site 3
	expect_status 9 deploy publish
	assert_contains "$err" "warning: the failed command failed with status 4"
}

t_what_changed() {
	config "post_activate: 'cp \"\$DEPLOY_CHANGED_FILE\" changed'" \
	    "post_rollback: 'cp \"\$DEPLOY_CHANGED_FILE\" changed'"
	site 1
	mkdir -p site/docs/sub site/same
	echo 1 >site/docs/index.html
	echo 1 >"site/docs/a b%.html"
	echo 1 >site/gone.html
	echo 1 >site/same/index.html
	run deploy publish
	assert_eq "$(sort changed)" "/
/docs/
/docs/a%20b%25.html
/gone.html
/same/"
	site 2
	rm site/gone.html
	echo 2 >site/docs/index.html
	echo 2 >$'site/docs/sub/caf\u00e9.html'
	run deploy publish
	assert_eq "$(LC_ALL=C sort changed)" "/
/docs/
/docs/sub/caf%C3%A9.html
/gone.html"
	cp changed first
	run deploy rollback
	assert_file_eq changed first
	! compgen -G "${TMPDIR:-/tmp}/deploy-changes-*" ||
	    fail "temporary files"
}

# A file that becomes a directory, and back: its page goes, its redirection comes.
t_what_changed_between_file_and_directory() {
	config "post_activate: 'cp \"\$DEPLOY_CHANGED_FILE\" changed'" \
	    "post_rollback: 'cp \"\$DEPLOY_CHANGED_FILE\" changed'"
	site 1
	mkdir -p site/with site/without site/empty
	echo 1 | tee site/with/index.html site/without/x site/file >site/file2
	run deploy publish
	rm -r site/with site/without site/empty site/file site/file2
	mkdir site/file site/file2
	echo 2 | tee site/with site/without site/empty >site/file/index.html
	run deploy publish --override=build
	assert_eq "$(LC_ALL=C sort changed | tr '\n' ' ')" \
	    "/empty /file /file/ /file2 /with /with/ /without /without/x "
	cp changed first
	run deploy rollback
	assert_file_eq changed first
}

# Visitors come through links, too: what changed where they lead is listed there.
t_what_changed_behind_links() {
	local t
	config "post_activate: 'cp \"\$DEPLOY_CHANGED_FILE\" changed; cp \"\$DEPLOY_CHANGED_CONTENT_FILE\" content'"
	# what changes | URLs through links, and no others
	for t in \
	    'ln -sfn v3 latest|/latest/ /latest/p.html /docs/new/ /docs/new/p.html /self/latest/ /self/latest/p.html /self/docs/new/ /self/docs/new/p.html' \
	    'echo 5 >v3/p.html|/self/v3/p.html' \
	    'echo 5 >v2/p.html|/latest/p.html /docs/new/p.html /self/v2/p.html /self/latest/p.html /self/docs/new/p.html' \
	    'echo 5 >en.html|/home.html /docs/up.html /self/en.html /self/home.html /self/docs/up.html' \
	    'rm docs/new; ln -s ../v1 docs/new|/docs/new/p.html /docs/new/ /self/docs/new/ /self/docs/new/p.html' \
	    'rm latest; cp -r v2 latest; echo 5 >latest/p.html|/latest/p.html /docs/new/p.html /self/latest/p.html /self/docs/new/p.html' \
	    'echo 5 >v2/x; gzip -nc v2/x >v2/x.gz|/latest/x /latest/x.gz /docs/new/x /docs/new/x.gz /self/v2/x /self/v2/x.gz /self/latest/x /self/latest/x.gz /self/docs/new/x /self/docs/new/x.gz'; do
		rm -rf site www
		site 1
		(
			cd site || exit
			mkdir v1 v2 v3 docs
			for v in 1 2 3; do
				echo $v >v$v/p.html
				echo same >v$v/same.html
			done
			echo >v2/index.html
			echo en >en.html
			ln -s v2 latest
			ln -s en.html home.html
			ln -s ../home.html docs/up.html
			ln -s ../latest docs/new
			ln -s . self
			ln -s missing broken
			ln -s round round
		)
		run deploy publish
		(cd site && eval "${t%|*}")
		run deploy publish
		tr ' ' '\n' <<<"${t#*|}" | LC_ALL=C sort >want
		# What differs at its own path is another test's.
		LC_ALL=C sort changed | LC_ALL=C comm -13 - want >lacking
		assert_eq "$(<lacking)" "" "lacks, after ${t%|*}"
		grep -E '^/(self|latest/|docs/|home)' changed | LC_ALL=C sort |
		    LC_ALL=C comm -23 - want >extra || true
		assert_eq "$(grep -vE '^(/self)?/(docs/new|latest)/?(index.html|same.html)?$' extra)" "" \
		    "has, after ${t%|*}"
		! grep -n '\.gz$' content || fail "a form is no news"
	done
}

# Links that lead through one another without end: the shortest ways are listed.
t_links_without_end() {
	local i k
	config "post_activate: 'cp \"\$DEPLOY_CHANGED_FILE\" changed'"
	site 1
	for ((i = 0; i < 14; i++)); do
		mkdir site/d$i
		for ((k = 0; k < 14; k++)); do
			ln -s ../d$k site/d$i/l$k
		done
	done
	run deploy publish
	assert_contains "$err" "DEPLOY_CHANGED_FILE lacks URLs through symbolic links"
	echo 1 >site/d3/p.html
	run deploy publish
	for ((i = 0; i < 14; i++)); do
		finds -x "/d$i/l3/p.html" changed
	done
}

# posts N: so many, each with a text of its own, of edition $edition.
posts() {
	mkdir -p site/posts
	awk -v n="$1" -v edition="$edition" 'BEGIN {
		for (i = 1; i <= n; i++) {
			f = "site/posts/" i ".html"
			print "<html><title>Post " i "</title>" >f
			for (k = 0; k < 20; k++)
				print "<p>" i * 7919 + k * 104729 "</p>" >f
			print "<footer>edition " edition "</footer>" >f
			close(f)
		}
	}'
}

# news EXPECTED [LINE]: publish; the pages that are new to read.
news() {
	run deploy publish
	assert_eq "$(sort content)" "$1"
	[ "$(wc -l <changed)" -gt "$(wc -l <content)" ] || fail "not left out"
}

# What is on every page is no news, a post that says more is.
t_what_is_new_to_read() {
	local place edition
	for place in '' "    hosts: [{address: h, transport: local, root: $PWD/h}]" \
	    "    hosts: [{address: h, transport: local, root: $PWD/h}, {address: i, transport: local, root: $PWD/i}]" \
	    "    hosts: [{address: h, transport: local, root: $PWD/h, deploy: none}]"; do
		rm -rf site www h i
		config "post_activate: 'cp \"\$DEPLOY_CHANGED_CONTENT_FILE\" content; cp \"\$DEPLOY_CHANGED_FILE\" changed'" \
		    "post_rollback: 'cp \"\$DEPLOY_CHANGED_CONTENT_FILE\" content; cp \"\$DEPLOY_CHANGED_FILE\" changed'"
		echo "$place" >>deploy.yml
		edition='of May 1'
		posts 12
		echo start >site/index.html
		run deploy publish
		assert_file_eq content changed
		edition='of June 22'
		posts 12
		sed -i 's/<p>7919/<p>a correction &/' site/posts/1.html
		echo 'x' >site/new.css
		rm site/posts/12.html
		run deploy diff --content
		assert_eq "$(cut -d ' ' -f 1,2 "$out")" "A new.css
M posts/1.html
D posts/12.html"
		assert_contains "$err" "10 pages changed by 1 rule that hits half"
		run deploy diff --content --json
		assert_eq "$(json "$out" .left_out)" 10
		news "/new.css
/posts/1.html
/posts/12.html"
		assert_eq "$(grep -c . changed)" 13
		# Four of twelve are not half of them: that is news.
		sed -i 's/<title>Post/<title>Our post/' site/posts/[1-4].html
		run deploy publish
		assert_file_eq content changed
		assert_eq "$(grep -c . changed)" 4
	done
}

# edition TEXT: all posts are of it; the first says more, too, or less.
edition() {
	local edition=$1
	posts 12
	[ "$edition" != 'of June 22' ] ||
	    sed -i 's/<p>7919/<p>a correction &/' site/posts/1.html
}

# place DEPLOY...: a root here, or hosts that run these programs.
place() {
	local program n=0
	rm -rf site www h*/ content changed
	mkdir site
	echo start >site/index.html
	config "post_activate: 'cp \"\$DEPLOY_CHANGED_CONTENT_FILE\" content; cp \"\$DEPLOY_CHANGED_FILE\" changed'" \
	    "post_rollback: 'cp \"\$DEPLOY_CHANGED_CONTENT_FILE\" content; cp \"\$DEPLOY_CHANGED_FILE\" changed'"
	[ $# -eq 0 ] || echo "    hosts:" >>deploy.yml
	for program; do
		n=$((n + 1))
		echo "      - {address: h$n, transport: local, root: $PWD/h$n," \
		    "deploy: $program}" >>deploy.yml
	done
}

# Between releases that no build on this machine is compared with.
t_what_is_new_to_read_between_two_releases() {
	local hosts
	for hosts in "" "$DEPLOY" "none" "none $DEPLOY"; do
		# shellcheck disable=SC2086
		place $hosts
		edition 'of May 1'
		run deploy publish
		edition 'of June 22'
		run deploy stage
		rm -r site
		run deploy activate
		assert_eq "$(cat content)" "/posts/1.html" "$hosts"
		assert_eq "$(grep -c . changed)" 12
		run deploy diff previous current --content
		assert_eq "$(cut -d ' ' -f 1,2 "$out")" "M posts/1.html" "$hosts"
		assert_contains "$err" "11 pages changed by 1 rule that hits half"
		run deploy rollback
		assert_eq "$(cat content)" "/posts/1.html" "$hosts"
		assert_eq "$(grep -c . changed)" 12
	done
}

# deep EDITION: pages in directories in one another, and what is no page.
deep() {
	mkdir -p site/d1/d2/d3/d4/d5/d6/d7
	awk -v edition="$1" 'BEGIN {
		for (d = 0; d < 8; d++) {
			path = path (d > 0 ? "d" d "/" : "")
			for (i = 1; i <= 15; i++) {
				f = "site/" path i (i < 15 ? ".html" : ".txt")
				print "<html>" d "-" i >f
				for (k = 0; k < 250; k++)
					print "<p>" d * 7919 + i * 104729 + k >f
				print "<footer>edition " edition "</footer>" >f
				close(f)
			}
		}
	}'
}

only_the_edition() { :; }
made_executable() { chmod 755 site/1.html site/d1/d2/9.html; }
own_news() {
	local f
	find site -name '[1-9].html' | while IFS= read -r f; do
		echo "<p>news: $f" >>"$f"
	done
}

# Where the release is, and who compares it with what, makes no difference.
t_what_is_new_to_read_is_so_everywhere() {
	local hosts change want
	for hosts in "" "$DEPLOY $DEPLOY" "none"; do
		# what changes besides the edition | what is listed besides texts
		while IFS='|' read -r change want; do
			# shellcheck disable=SC2086
			place $hosts
			deep 1
			run deploy publish
			deep 2
			"$change"
			(
				cd site
				set -f
				# shellcheck disable=SC2086
				find . -name '15.txt' ${want:+-o $want} | sed 's,^./,,' | sort
			) >want
			run deploy diff --content
			sed 's/^M \([^ ]*\).*/\1/' "$out" | sort >got
			assert_file_eq got want
			run deploy publish
			sed 's,^/,,' content | sort >got
			assert_file_eq got want
			run deploy rollback
			sed 's,^/,,' content | sort >got
			assert_file_eq got want
		done <<-'END'
		only_the_edition|
		made_executable|-name *.html -perm 755
		own_news|-name [1-9].html
		END
	done
}

t_less_than_half_of_all_pages_is_news() {
	local hosts i
	for hosts in "" "$DEPLOY"; do
		# shellcheck disable=SC2086
		place $hosts
		edition 'of May 1'
		run deploy publish
		for i in 1 2 3 4 5; do
			sed -i 's/of May 1/of May 2/' "site/posts/$i.html"
		done
		run deploy stage
		run deploy activate -v
		[ -z "$hosts" ] || ! grep 'samples' "$err" || fail "pages were asked for"
		assert_file_eq content changed
		assert_eq "$(grep -c . changed)" 5
	done
}

# What is not known is all that changed.
t_what_is_new_to_read_is_not_known() {
	local edition i
	# A host whose pages are not what its manifest says.
	place none
	edition 'of May 1'
	run deploy publish
	edition 'of June 22'
	run deploy stage
	sed -i 's/Post/POST/' h1/releases/*/posts/*.html
	run deploy activate -v
	assert_contains "$err" "is not what its manifest says"
	assert_file_eq content changed
	assert_eq "$(grep -c . changed)" 12
	run deploy diff previous current --content
	assert_contains "$err" "which pages changed by rules alone is not known: "
	assert_eq "$(grep -c ^M "$out")" 12
	# What it takes a host with sh alone long to give, is given when asked for.
	place none
	edition='of May 1'
	posts 260
	run deploy publish
	edition='of June 22'
	posts 260
	run deploy stage
	run deploy activate -v
	assert_contains "$err" "is not known: more than 256 pages of a host"
	assert_file_eq content changed
	run deploy diff previous current --content
	assert_eq "$(cat "$out")" ""
	assert_contains "$err" "260 pages changed by 1 rule that hits half"
	# More than is worth it after a flip.
	place "$DEPLOY"
	for ((i = 0; i < 65; i++)); do
		echo one >"site/$i.html"
		truncate -s 1048000 "site/$i.html"
	done
	run deploy publish
	for ((i = 0; i < 65; i++)); do
		echo two >"site/$i.html"
		truncate -s 1048000 "site/$i.html"
	done
	run deploy stage
	run deploy activate -v
	assert_contains "$err" "is not known: 68.1 MB of pages have changed"
	assert_file_eq content changed
	assert_eq "$(grep -c . changed)" 65
}

# The lock is free when the later hooks run, and others may work.
t_hooks_may_call_deploy() {
	config "post_activate: 'deploy list >listed; deploy prune --lock-wait 1s'"
	site 1
	run deploy publish
	assert_contains listed "$(live_of www | cut -c 1-15)"
}

gone() {
	! pgrep -f "$1"
}

t_time_and_signals() {
	config "pre_activate: sleep 60" "timeout: 1s"
	site 1
	expect_status 1 deploy publish
	assert_contains "$err" "the pre_activate command was ended after 1 s"
	# A time that nobody else sleeps.
	nap=61.$$
	config "post_activate: sleep $nap"
	deploy publish >"$out" 2>"$err" &
	pid=$!
	wait_for 10 pgrep -f "sleep $nap"
	kill -TERM "$pid"
	status=0
	wait "$pid" || status=$?
	assert_eq "$status" 9
	wait_for 10 gone "sleep $nap"
}

t_secrets_stay_here() {
	config "pre_stage: env >environment"
	site 1
	DEPLOY_SSH_KEY=secret DEPLOY_SSH_KEY_PASSPHRASE=secret FOO=bar \
	    run deploy stage
	assert_contains environment FOO=bar
	assert_not_contains environment secret
	assert_contains environment "DEPLOY_ROOT=$PWD/www"
}

t_hosts() {
	site 1
	all_hooks
	cat >>deploy.yml <<-EOF
	    hosts:
	      - {address: www1, transport: local, root: $PWD/h1}
	      - {address: www2, transport: local, root: $PWD/h2}
	EOF
	run deploy publish
	a=$(cat "$out")
	ran "pre_stage publish ,, 0
post_stage publish $a,, 0
pre_activate publish $a,, 0
post_activate publish $a,, 0"
	site 2
	run deploy publish
	b=$(cat "$out")
	rm hooks
	run deploy rollback
	ran "post_rollback rollback $a,$b, 0"
	run deploy activate "$b" --override=order
	ran "pre_activate activate $b,$a, 0
post_activate activate $b,$a, 0"
	sed -i "s/post_activate: .*/post_activate: 'echo \$DEPLOY_HOSTS; cat \$DEPLOY_CHANGED_FILE'/" deploy.yml
	run deploy activate "$a"
	assert_contains "$err" "www1 www2"
	assert_eq "$(grep -cx / "$err")" 1
}

# Hosts that served different releases: a page that changes for the visitors of
# any of them has changed, whatever the first one served.
t_hosts_that_had_drifted() {
	config "post_activate: 'cat \$DEPLOY_CHANGED_FILE >$PWD/changed'" \
	    "pre_stage: 'true'"
	cat >>deploy.yml <<-EOF
	    hosts:
	      - {address: www1, transport: local, root: $PWD/h1}
	      - {address: www2, transport: local, root: $PWD/h2}
	      - {address: www3, transport: local, root: $PWD/h3, deploy: none}
	EOF
	site 1
	echo same >site/b.html
	echo same >site/c.html
	run deploy publish
	echo other >site/b.html
	run deploy publish --host www2
	echo same >site/b.html
	echo third >site/c.html
	run deploy publish --host www3
	# www1 sees d.html come, www2 b.html change, www3 c.html.
	echo same >site/c.html
	echo new >site/d.html
	run deploy diff
	assert_eq "$(cut -d ' ' -f 1,2 "$out")" "M b.html
M c.html
A d.html"
	run deploy diff --json
	assert_eq "$(json "$out" .from)" null
	run deploy publish
	assert_eq "$(cat changed)" "/b.html
/c.html
/d.html"
	# They agree again.
	echo changed >site/d.html
	run deploy publish
	assert_eq "$(cat changed)" /d.html
}

# What was live for a moment, and went back: caches may have pages of it, so they
# are told, as after a rollback.  Each row is where, and how it comes to that.
t_what_went_back_is_told() {
	local where a b
	for where in here hosts rolling go; do
		rm -rf www h1 h2 site hooks changed *.fault
		config "post_activate: 'echo \$DEPLOY_HOOK \$DEPLOY_RELEASE,\$DEPLOY_PREVIOUS >>hooks'" \
		    "post_rollback: 'echo \$DEPLOY_HOOK \$DEPLOY_RELEASE,\$DEPLOY_PREVIOUS >>hooks; sort \$DEPLOY_CHANGED_FILE >changed'" \
		    "failed: 'echo \$DEPLOY_HOOK \$DEPLOY_STATUS >>hooks'"
		[ "$where" != rolling ] || echo '    strategy: rolling' >>deploy.yml
		[ "$where" = here ] || {
			program h1 c
			program h2 dash
			cat >>deploy.yml <<-EOF
			    hosts:
			      - {address: www1, transport: local, root: $PWD/r-h1, deploy: $PWD/h1}
			      - {address: www2, transport: local, root: $PWD/r-h2, deploy: $PWD/h2}
			EOF
			rm -rf r-h1 r-h2
		}
		cp deploy.yml good.yml
		[ "$where" = go ] ||
		    echo '    check: {url: "http://127.0.0.1:1/", tries: 1}' >>deploy.yml
		site 1
		run deploy publish -c good.yml
		a=$(cat "$out")
		ran "post_activate $a,"
		# Staged only, or refused before the flip: nobody is told.
		site 2
		run deploy stage
		b=$(cat "$out")
		run deploy freeze
		expect_status 3 deploy activate
		run deploy thaw
		ran "failed 3"
		# shellcheck disable=SC2016 # for the host
		[ "$where" != go ] || fault h2 <<-'END'
		[[ $* != *--armed* ]] || exec "${real[@]}" < <(sed -u 's/^go$/nonsense/')
		END
		expect_status 6 deploy activate
		ran "post_rollback $a,$b
failed 6"
		assert_eq "$(cat changed)" "/" "$where"
		rm -f -- *.fault
	done
}

# A rollback stays, whatever the check says of it.
t_a_rollback_that_fails_its_check_is_told() {
	local a b
	all_hooks
	site 1
	run deploy publish
	a=$(cat "$out")
	site 2
	run deploy publish
	b=$(cat "$out")
	rm hooks
	echo '    check: {url: "http://127.0.0.1:1/", tries: 1}' >>deploy.yml
	expect_status 7 deploy rollback
	ran "post_rollback rollback $a,$b, 0
failed rollback ,, 7"
}

run_tests
