#!/bin/bash
# The build command of a site: publish runs it, and ends all of it.
# parts: 3
. "$(dirname "$0")/../lib.sh"

# site COMMAND [KEY...]: a configuration whose build is COMMAND, a script.
site() {
	printf '%s\n' "$1" >build.sh
	cat >deploy.yml <<-EOF
	sites:
	  - name: example.org
	    source: public
	    root: $PWD/www
	    build:
	      command: ". ./build.sh"
	$(for key in "${@:2}"; do echo "      $key"; done)
	EOF
}

writes='mkdir -p "$DEPLOY_SOURCE"; date +%s%N >"$DEPLOY_SOURCE/index.html"'

# Nothing is live and nothing is listed.
untouched() {
	[ ! -e www/current ] || fail "something is live"
	! compgen -G 'www/releases/*' || fail "a release"
}

# Does a process have $1 among its arguments?
runs() {
	pgrep -f -- "$1" >/dev/null
}

t_publish_builds() {
	site "$writes; echo talk; echo more >&2"
	run deploy publish
	assert_file_eq public/index.html www/current/index.html
	# The answer is the id, the talk is elsewhere.
	assert_eq "$(cat "$out")" "$(basename "$(readlink www/current)")"
	assert_contains "$err" talk
	assert_contains "$err" more
	# And again.
	run deploy publish --json
	assert_eq "$(json "$out" .outcome)" new
	assert_file_eq public/index.html www/current/index.html
}

t_a_named_source_is_there_already() {
	site 'exit 7'
	mksite other 2
	run deploy publish other
	assert_tree_eq other www/current/
	expect_status 1 deploy publish
	# Unless the build is to go there.
	site "$writes"
	run deploy publish --build elsewhere --override=build
	[ ! -e public ] || fail "built into public"
	assert_file_eq elsewhere/index.html www/current/index.html
}

t_environment_and_directory() {
	mkdir src
	site 'pwd >at; env >env; cat >in
		mkdir -p "$DEPLOY_SOURCE"; cp at env in "$DEPLOY_SOURCE"
		touch "$DEPLOY_SOURCE/index.html"' 'directory: src'
	cp build.sh src
	echo input | DEPLOY_SSH_KEY=secret DEPLOY_SSH_KEY_PASSPHRASE=word \
	    DEPLOY_REF=stale FOO=bar run deploy publish --commit 5f0c1ab
	assert_eq "$(cat www/current/at)" "$PWD/src"
	assert_eq "$(grep -E '^(DEPLOY_(S|R|B)|FOO)' www/current/env | sort)" \
	    "DEPLOY_BUILD=1
DEPLOY_REF=5f0c1ab
DEPLOY_SITE=example.org
DEPLOY_SOURCE=$PWD/public
FOO=bar"
	[ ! -s www/current/in ] || fail "it has our standard input"
}

t_a_failing_build_changes_nothing() {
	site "$writes; exit 3"
	expect_status 1 deploy publish
	assert_contains "$err" "the build command failed with status 3"
	untouched
	site "$writes; kill -SEGV \$\$"
	expect_status 1 deploy publish
	assert_contains "$err" "ended by SIGSEGV"
	untouched
	site 'no-such-generator'
	expect_status 1 deploy publish
	assert_contains "$err" "in PATH"
	untouched
	site "$writes" 'directory: nowhere'
	expect_status 1 deploy publish
	assert_contains "$err" "nowhere"
	untouched
}

t_quiet_shows_what_failed() {
	site "$writes; echo early; yes line | head -n 100000; echo late"
	run deploy publish -q
	[ ! -s "$err" ] || fail "$(head -n 5 "$err")"
	site "$(cat build.sh); exit 1"
	expect_status 1 deploy publish -q
	assert_not_contains "$err" early
	assert_contains "$err" late
	[ "$(wc -c <"$err")" -lt 140000 ] || fail "all of it"
}

t_a_hanging_build_is_ended() {
	site "$writes; sleep 4711.$$ & trap '' TERM HUP; sleep 4712.$$; sleep 4713.$$" \
	    'timeout: 1s'
	expect_status 1 deploy publish
	assert_contains "$err" "after 1 s"
	untouched
	! runs "^sleep 471[123].$$\$" || fail "it still runs"
}

# One in the background, one of another session, one that has lost its parent
# as a daemon does, one that ignores what can be ignored.
strays='sleep 5711.'$$' &
	setsid sleep 5712.'$$' &
	(setsid sh -c "sleep 5713.'$$' & sleep 5714.'$$' & exit" &)
	(trap "" TERM HUP INT; exec setsid sleep 5715.'$$') &
	sleep 0.3'

t_what_a_build_leaves_behind_is_ended() {
	site "$writes; $strays"
	run deploy publish
	assert_contains "$err" "left running"
	! runs "^sleep 571[1-5].$$\$" || fail "it still runs"
	[ -e www/current/index.html ] || fail "not live"
	site "$writes; $strays; exit 1"
	expect_status 1 deploy publish -q
	! runs "^sleep 571[1-5].$$\$" || fail "it still runs"
}

t_a_signal_ends_the_build() {
	local pid sig
	for sig in TERM INT HUP; do
		rm -f there
		site "$strays; touch there; sleep 5716.$$"
		deploy publish 2>err &
		pid=$!
		wait_for 10 test -e there
		kill "-$sig" "$pid"
		expect_status 1 wait "$pid"
		assert_contains err "interrupted by SIG$sig"
		! runs "^sleep 571[1-6].$$\$" || fail "it still runs"
		untouched
	done
}

# Nobody is left to clean up, but the kernel ends the shell at least.
t_killed_with_its_build() {
	local pid
	site 'echo $$ >there; while :; do sleep 0.1; done'
	deploy publish 2>err &
	pid=$!
	wait_for 10 test -s there
	kill -KILL "$pid"
	wait "$pid" || true
	wait_for 5 ended "$(cat there)"
	untouched
}

t_dry_run_builds_nothing() {
	site "$writes; touch ran"
	mksite public 1
	run deploy publish -n
	assert_contains "$err" "would run: . ./build.sh"
	[ ! -e ran ] || fail "it ran"
	untouched
}

t_exit_2_no_build() {
	site "$writes"
	sed -i '/build:/,$d' deploy.yml
	mksite public 1
	expect_status 2 deploy publish --build
	assert_contains "$err" "--build needs 'build' in deploy.yml"
	expect_status 2 deploy publish --build public --root www
	untouched
	site "$writes"
	expect_status 2 deploy publish --build -
	untouched
}

# ------------------------------------------------------------- clean builds

# pages NAME...: what the build is to write, as a generator that removes nothing.
pages() {
	printf '%s\n' "$@" >pages
}

# shellcheck disable=SC2016
generator='mkdir -p "$DEPLOY_SOURCE"; while read -r page; do
	mkdir -p "$(dirname "$DEPLOY_SOURCE/$page")"
	echo "$page" >"$DEPLOY_SOURCE/$page"
done <pages; echo "$DEPLOY_SOURCE" >>places; [ ! -e broken ]'

# live NAME...: these files are, and no others.
live() {
	assert_eq "$(cd www/current && find . -type f | sort)" \
	    "$(printf './%s\n' "$@" | sort)"
}

t_without_a_source() {
	mkdir tmp
	export TMPDIR=$PWD/tmp
	site "$generator"
	sed -i '/source:/d' deploy.yml
	pages index.html old.html
	run deploy publish
	live index.html old.html
	pages index.html
	run deploy publish --override=build
	live index.html
	assert_eq "$(sort places | uniq -d)" ""
	assert_eq "$(sed "s|^$TMPDIR/deploy-build-......|X|" places | sort -u)" \
	    X/site
	# Nothing is left, also of one that fails or is stopped.
	touch broken
	expect_status 1 deploy publish
	assert_eq "$(ls -A tmp)" ""
	rm broken
	site "$generator; touch began; sleep 4751.$$"
	sed -i '/source:/d' deploy.yml
	deploy publish 2>/dev/null &
	wait_for 20 test -e began
	kill "$!"
	wait "$!" || true
	assert_eq "$(ls -A tmp)" ""
	# The update command has the same.
	site "$generator"
	sed -i '/source:/s/.*/    update: echo "$DEPLOY_SOURCE" >>places/' \
	    deploy.yml
	run deploy publish --update
	assert_eq "$(tail -n 2 places | uniq | wc -l)" 1
	# A named one is that.
	run deploy publish --build named --override=build
	assert_eq "$(tail -n 1 places)" "$PWD/named"
	assert_eq "$(ls named)" index.html
	expect_status 2 deploy publish -n
	assert_contains "$err" "name one: deploy publish -n SOURCE"
	expect_status 2 deploy stage
}

# What a killed run has left goes; what is another's, or in use, stays.
t_what_was_left_is_removed() {
	mkdir tmp
	export TMPDIR=$PWD/tmp
	site "$generator; [ ! -e hold ] || { touch began; sleep 4752.$$; }"
	sed -i '/source:/d' deploy.yml
	pages index.html
	mkdir -m 700 tmp/deploy-build-mine tmp/deploy-build-new
	mkdir -m 755 tmp/deploy-build-open
	touch tmp/deploy-build-open/lock tmp/deploy-build-new/lock.new \
	    tmp/deploy-build-file
	touch hold
	deploy publish 2>/dev/null &
	wait_for 20 test -e began
	rm hold began
	run deploy publish
	assert_eq "$(ls tmp | wc -l)" 5
	pkill -KILL -P "$BASHPID" -x deploy
	wait "$!" || true
	pkill -KILL -f "^sleep 4752.$$\$"
	run deploy publish
	assert_eq "$(ls tmp)" "$(printf 'deploy-build-%s\n' file mine new open)"
}

# Two runs that build into one place do not mix: the second waits until the first
# is staged, also one that is killed.
t_builds_do_not_mix() {
	local key end first status
	while IFS='|' read -r key end; do
		rm -rf public www begun go
		site 'n=$(cat begun 2>/dev/null)x; echo "$n" >begun
			mkdir -p "$DEPLOY_SOURCE"
			for f in index.html a b c; do
				echo "$n" >"$DEPLOY_SOURCE/$f"
				[ "$f$n" != ax ] || until [ -e go ]; do sleep 0.05; done
			done' ${key:+"$key"}
		deploy publish -q >first 2>&1 &
		first=$!
		wait_for 20 test -e public/a
		deploy publish >second 2>&1 &
		wait_for 20 grep -q "waiting for another build in" second
		assert_eq "$(<begun)" x "$key"
		[ ! -e www/current ] || fail "half a build is live"
		if [ "$end" = KILL ]; then
			kill -KILL "$first"
			wait "$first" && fail "it was not killed"
			: >go
		else
			: >go
			wait "$first" || fail "$key: $(<first)"
		fi
		status=0
		wait "$!" || status=$?
		assert_eq "$status" 0 "$key: $(<second)"
		assert_eq "$(cat www/current/{index.html,a,b,c} | sort -u)" xx "$key"
	done <<-'END'
	clean: true|
	clean: false|
	clean: true|KILL
	|KILL
	END
}

t_clean() {
	site "$generator" 'clean: true'
	pages index.html old.html deep/er/page.html
	run deploy publish
	live index.html old.html deep/er/page.html
	pages index.html
	run deploy publish --override=build
	live index.html
	# It is the same directory: somebody may have it open, or mounted.
	assert_eq "$(stat -c %i public)" "$(ls -di public | awk '{ print $1 }')"
	# What a failed build left is ours, too.
	touch broken
	pages index.html half.html
	expect_status 1 deploy publish
	rm broken
	pages index.html other.html
	run deploy publish
	live index.html other.html
	# And that of one that was killed.
	site "$generator; touch began; sleep 4753.$$" 'clean: true'
	pages index.html killed.html
	deploy publish 2>/dev/null &
	wait_for 20 test -e began
	pkill -KILL -P "$BASHPID" -x deploy
	wait "$!" || true
	pkill -KILL -f "^sleep 4753.$$\$"
	[ -e public/killed.html ] || fail "nothing is left: no test"
	site "$generator" 'clean: true'
	pages index.html
	# But not what somebody has put there instead.
	mv public aside
	mkdir public
	touch public/mine
	rm places
	refused "was not made by a build of deploy"
	rm -r public
	mv aside public
	run deploy publish --override=build
	live index.html
	# A named one, too.
	run deploy publish --build named
	pages index.html more.html
	run deploy publish --build named
	# A dry run empties nothing.
	run deploy publish -n
	[ -e public/index.html ] || fail "emptied"
}

# refused WORDS: it is, nothing was built, and all is there.
refused() {
	local before
	before=$(find public . -maxdepth 1 | sort | cksum)
	expect_status 10 deploy publish
	assert_contains "$err" "$1"
	[ ! -e places ] || fail "it was built"
	assert_eq "$(find public . -maxdepth 1 | sort | cksum)" "$before"
}

t_clean_removes_only_what_is_ours() {
	site "$generator" 'clean: true'
	pages index.html
	mkdir public
	touch public/mine
	refused "was not made by a build of deploy"
	rm public/mine
	run deploy publish
	rm places
	touch public/mine
	refused "came or went since the last build"
	rm public/mine public/index.html
	touch public/renamed
	refused "came or went since the last build"
	bash -ec "$(sed -n 's/.*run: //p' "$err")"
	run deploy publish
	rm places
	# A link in it is not followed.
	mkdir precious
	touch precious/file
	rm -r public
	site "$generator; ln -s ../precious \$DEPLOY_SOURCE/link; rm -f \$DEPLOY_SOURCE/link2" \
	    'clean: true'
	deploy publish || true
	deploy publish || true
	[ -e precious/file ] || fail "followed a link"
	# Without a place to remember it, nothing.
	rm -rf places public
	expect_status 2 env -u HOME -u XDG_STATE_HOME deploy publish
	assert_contains "$err" "XDG_STATE_HOME"
	[ ! -e places ] || fail "it was built"
}

t_clean_spares_what_git_tracks() {
	need_cmd git
	site "$generator" 'clean: true'
	pages index.html
	run deploy publish
	rm places
	git init -q .
	git add public
	refused "where git tracks 'index.html'"
	git rm -q --cached -r public
	echo /public >.gitignore
	run deploy publish
	rm places
	# Git that does not answer is no permission.
	if [ "$(id -u)" -eq 0 ]; then
		chown -R 4001:4001 .git
		refused "git does not say what it tracks there"
	fi
	mkdir bin
	ln -s "$(command -v sh)" "$(command -v dirname)" bin
	ln -s "$(readlink -f "$(command -v deploy)")" bin/deploy
	expect_status 10 env PATH="$PWD/bin" deploy publish
	assert_contains "$err" "there is no git"
}

t_clean_spares_sources() {
	local dir
	site "$generator" 'clean: true' 'directory: public/src'
	mkdir -p public/src
	expect_status 10 deploy publish
	assert_contains "$err" "where '$PWD/public/src' is"
	for dir in . ..; do
		site "$generator" 'clean: true'
		sed -i "s|source:.*|source: $dir|" deploy.yml
		expect_status 10 deploy publish
		assert_contains "$err" "where '$PWD' is"
	done
	[ -e deploy.yml ] || fail "emptied"
	ln -s . here
	sed -i 's|source:.*|source: here|' deploy.yml
	expect_status 10 deploy publish
	[ -e deploy.yml ] || fail "emptied"
}

# Of generators that remove nothing, what looks as if it had been left.
t_stage_warns_of_pages_that_were_left() {
	mkdir -p public/old static
	touch hugo.toml public/index.html public/new.html static/fixed.html
	touch -d '1 hour ago' public/old/index.html public/fixed.html \
	    public/picture.png
	run deploy stage public --root www
	assert_contains "$err" "1 page is older than the others"
	assert_contains "$err" "'old/index.html' for one: Hugo leaves"
	touch -d '1 hour ago' public/older.html
	run deploy stage public --root www
	assert_contains "$err" "2 pages are older"
	# None of another generator, and none of one whose build is cleaned.
	mv hugo.toml mkdocs.yml
	run deploy stage public --root www --again
	assert_not_contains "$err" older
	mv mkdocs.yml hugo.toml
	site : 'clean: true'
	run deploy stage
	assert_not_contains "$err" older
	site :
	run deploy stage
	assert_contains "$err" "2 pages are older"
	touch public/older.html public/old/index.html
	run deploy stage
	assert_not_contains "$err" older
}

# Generators have hooks that run deploy.
t_a_build_may_publish() {
	site "$writes; deploy publish -q; echo two >>\"\$DEPLOY_SOURCE/index.html\""
	run deploy publish
	assert_file_eq public/index.html www/current/index.html
	assert_eq "$(ls www/releases | wc -l)" 2
	site "$writes; deploy publish --build"
	expect_status 1 deploy publish
	assert_contains "$err" "for ever"
}

# ---------------------------------------------------- a clone that is made

# repository: a bare one, `site.git`, with branches main (page two) and side
# (page three, from one), a tag `first` (page one); and a site of it.
repository() {
	need_cmd git
	git config --global user.name ann
	git config --global user.email ann@example.org
	git config --global init.defaultBranch main
	git config --global advice.detachedHead false
	git init -q --bare site.git
	git clone -q site.git work 2>/dev/null
	push one
	git -C work tag first
	push two
	git -C work checkout -q -b side first
	push three
	git -C work push -q --tags
	git -C work checkout -q main
	clone_of "file://$PWD/site.git"
}

# push NAME: one more commit, whose page has the name.
push() {
	echo "$1" >work/page
	git -C work add .
	git -C work commit -q -m "$1"
	git -C work push -q origin HEAD
}

# clone_of URL [KEY...]: the configuration.
clone_of() {
	cat >deploy.yml <<-EOF
	sites:
	  - name: example.org
	    root: $PWD/www
	    git:
	      url: $1
	$(for key in "${@:2}"; do echo "      $key"; done)
	    build:
	      command: cp page "\$DEPLOY_SOURCE/index.html"
	      directory: $PWD/clones/site
	EOF
}

# gives PAGE [OPTION...]: a publish makes that page live.
gives() {
	expect_status 0 deploy publish "${@:2}"
	assert_eq "$(cat www/current/index.html)" "$1" 'live'
}

commit_of() {
	git -C work rev-parse "$1^{commit}"
}

t_git_clones_and_updates() {
	repository
	gives two
	assert_contains "$err" "clones/site' is at $(commit_of main | cut -c1-12)"
	assert_eq "$(git -C clones/site rev-list --count HEAD)" 1 'shallow'
	push four
	gives four
	# The whole name is remembered.
	expect_status 0 deploy list --json
	assert_eq "$(json "$out" '.releases[] | select(.live) | .commit')" \
	    "$(commit_of main)" 'commit'
	# What is asked for, and nothing else: branches, tags, commits.
	gives three --commit side
	gives one --commit first
	gives two --commit "$(commit_of main~1)"
	gives three --commit "$(commit_of side | cut -c1-9)"
	gives four
	# A branch that was made anew.
	git -C work reset -q --hard first
	echo five >work/page
	git -C work commit -q -a -m five
	git -C work push -q --force origin main
	gives five
	rm -r clones
	gives five --update --again
	clone_of "$PWD/site.git" 'ref: side' 'history: true'
	gives three
	assert_eq "$(git -C clones/site rev-list --count HEAD)" 2 'history'
	gives one --commit first
	# A clone that has to know what is older has all of it.
	clone_of "file://$PWD/site.git"
	sed -i 's/^    git:/    order: commit\n&/' deploy.yml
	rm -r clones
	gives three --commit side
	expect_status 4 deploy publish --commit first
	assert_contains "$err" "is older than"
	assert_eq "$(cat www/current/index.html)" three 'live'
}

t_git_builds_exactly_that() {
	repository
	sed -i 's,command: .*,command: cat page extra 2>/dev/null >"$DEPLOY_SOURCE/index.html"; echo x >>page; echo y >extra; mkdir -p cache; echo z >>cache/z,' \
	    deploy.yml
	echo cache/ >work/.gitignore
	push two
	gives two
	gives two --again
	# What git ignores stays.
	assert_eq "$(wc -l <clones/site/cache/z)" 2 'builds that were cached'
	# A git that was killed.
	touch clones/site/.git/index.lock clones/site/.git/shallow.lock
	gives two --again
	[ -e clones/site/.git/deploy.lock ] || fail 'our lock is gone'
	rm clones/site/.git/HEAD
	gives two --again
	# One that was killed before anything was in it.
	rm -r clones
	mkdir -p clones/site/.git
	gives two --again
	# The source may be in it.
	sed -i "s,^    git:,    source: clones/site/out put\n&,
	    s,command: .*,command: mkdir -p \"\$DEPLOY_SOURCE\"; cp page \"\$DEPLOY_SOURCE/index.html\"; date +%N >>\"\$DEPLOY_SOURCE/n\"," \
	    deploy.yml
	gives two
	gives two
	assert_eq "$(wc -l <www/current/n)" 2 'builds that are in the source'
}

# A repository that only the key of an sshd can read.
behind_sshd() {
	need_cmd ssh ssh-agent ssh-add
	. "$TREE/tests/sshd.sh"
	sshd_start "$PWD/sshd" || fail "no sshd"
	defer sshd_stop
	repository
	clone_of "ssh://$(id -un)@127.0.0.1:$sshd_port$PWD/site.git" \
	    'ssh_key: true'
	DEPLOY_KNOWN_HOSTS=$(cat sshd/known_hosts)
	DEPLOY_SSH_KEY=$(cat sshd/id)
	export DEPLOY_KNOWN_HOSTS DEPLOY_SSH_KEY TMPDIR=$PWD/tmp
	mkdir -p tmp
	sed -i 's,command: ,command: env >env.seen; ,' deploy.yml
}

no_agent() {
	! pgrep -f -- "$PWD/tmp/deploy-agent" >/dev/null
}

t_git_with_the_key() {
	behind_sshd
	gives two
	assert_not_contains clones/site/env.seen SSH_AUTH_SOCK=$PWD
	assert_not_contains clones/site/env.seen DEPLOY_SSH_KEY
	no_agent || fail "an agent is left"
	[ -z "$(ls -A tmp)" ] || fail "left: $(ls -A tmp)"
	push four
	# In a file; encrypted, and in another form.
	DEPLOY_SSH_KEY=$PWD/sshd/id gives four
	push five
	cp sshd/id secret
	ssh-keygen -q -p -P '' -N 'a phrase' -f secret
	DEPLOY_SSH_KEY=$(base64 -w 0 secret) DEPLOY_SSH_KEY_PASSPHRASE='a phrase' \
	    DEPLOY_KNOWN_HOSTS=$PWD/sshd/known_hosts gives five
	# Paths with blanks, and one where nothing is.
	push six
	mkdir 'a b'
	cp sshd/id sshd/known_hosts 'a b'
	DEPLOY_SSH_KEY="$PWD/a b/id"$'\n' \
	    DEPLOY_KNOWN_HOSTS="$PWD/a b/known_hosts"$'\n' gives six
	push seven
	mkdir 'tmp/a b'
	TMPDIR="$PWD/tmp/a b" gives seven
	rmdir 'tmp/a b'
	DEPLOY_KNOWN_HOSTS=$PWD/none expect_status 8 deploy publish
	assert_contains "$err" "DEPLOY_KNOWN_HOSTS: cannot read '$PWD/none': No such"
	# Not without being told so, nor without the key.
	sed -i 's/ssh_key: true/ssh_key: false/' deploy.yml
	expect_status 1 deploy publish
	sed -i 's/ssh_key: false/ssh_key: true/' deploy.yml
	unset DEPLOY_SSH_KEY
	expect_status 2 deploy publish
	assert_contains "$err" "'ssh_key' of 'git' in deploy.yml wants DEPLOY_SSH_KEY"
	DEPLOY_SSH_KEY=nonsense expect_status 8 deploy publish
	[ -z "$(ls -A tmp)" ] || fail "left: $(ls -A tmp)"
}

# The repository has a submodule, `theme`.
with_theme() {
	git config --global protocol.file.allow always
	git init -q theme
	echo theme >theme/page
	git -C theme add .
	git -C theme commit -q -m theme
	git -C work submodule --quiet add "file://$PWD/theme" theme
}

# What a build leaves in the clone runs with no key of the next one.
t_git_settings_that_a_build_left() {
	local what
	behind_sshd
	printf '#!/bin/sh\nssh-add -L >>%s\ncat\n' "$PWD/stolen" >thief
	chmod +x thief
	with_theme
	push sub
	clone_of "ssh://$(id -un)@127.0.0.1:$sshd_port$PWD/site.git" \
	    'ssh_key: true' 'submodules: true'
	sed -i 's,command: ,command: PATH=$PATH:.. sh ../../left; ,' deploy.yml
	while read -r what; do
		echo "cd $PWD/clones/site; T=$PWD/thief; $what" >left
		gives sub --again
		echo : >left
		gives sub --again
		[ ! -s stolen ] || fail "the key was there for: $what"
	done <<-'EOF'
	mkdir -p .git/hooks; cp $T .git/hooks/post-checkout; cp $T .git/hooks/reference-transaction
	mkdir hooks; cp $T hooks/post-checkout; git config core.hooksPath $PWD/hooks; git config core.fsmonitor $T; git config core.sshCommand $T; git config remote.origin.uploadpack $T; git config submodule.theme.update "!$T"; git config filter.x.smudge $T; mkdir -p .git/info; echo '* filter=x' >.git/info/attributes
	git config remote.origin.vcs ../../thief; cp $T ../../git-remote-thief; git config url.ext::$T.insteadOf ssh:; git config protocol.ext.allow always; git config extensions.worktreeConfig true; git config --worktree core.fsmonitor $T
	cp -r .git ../evil; rm ../evil/deploy.lock; git -C ../evil config --file ../evil/config core.fsmonitor $T; echo ../../evil >.git/commondir
	mkdir -p .git/modules/theme/hooks; cp $T .git/modules/theme/hooks/post-checkout; git -C theme config core.fsmonitor $T; git -C theme config remote.origin.uploadpack $T; git -C theme update-ref -d HEAD
	rm -rf ../evil; cp -r .git/modules/theme ../evil; git config --file ../evil/config core.fsmonitor $T; echo "gitdir: ../../evil" >theme/.git
	rm -rf ../evil theme; cp -r .git/modules/theme ../evil; git config --file ../evil/config core.fsmonitor $T; git config --file ../evil/config core.worktree $PWD/../tree; mkdir -p ../tree; echo "gitdir: ../evil" >../tree/.git; ln -s ../tree theme
	EOF
}

# Killed in the middle, nothing has the key for long, and no file ever had it.
t_git_with_the_key_killed() {
	local pid
	behind_sshd
	mkdir -p bin
	cat >bin/git <<-EOF
	#!/bin/sh
	case " \$* " in
	*" fetch "*)
		ssh-add -l >$PWD/agent.has
		touch $PWD/inside
		exec sleep 600 ;;
	esac
	exec $(command -v git) "\$@"
	EOF
	chmod +x bin/git
	PATH=$PWD/bin:$PATH deploy publish >said 2>&1 &
	pid=$!
	wait_for 30 test -e inside
	assert_contains agent.has "$(ssh-keygen -lf sshd/id.pub | cut -d ' ' -f 2)"
	! grep -rqF "$(sed -n 3p sshd/id)" tmp clones || fail "the key is in a file"
	kill -KILL "$pid"
	wait_for 60 no_agent
}

t_git_submodules() {
	repository
	with_theme
	push two
	clone_of "file://$PWD/site.git" 'submodules: true'
	sed -i 's/cp page/cp theme\/page/' deploy.yml
	gives theme
	echo other >theme/page
	git -C theme commit -q -a -m other
	git -C work/theme pull -q
	push six
	gives other
	# A git that was killed in one.
	echo third >theme/page
	git -C theme commit -q -a -m third
	git -C work/theme pull -q
	push seven
	touch clones/site/.git/modules/theme/index.lock
	gives third
	: >clones/site/.git/modules/theme/index
	gives third --again
	git -C clones/site/theme update-index --skip-worktree page
	echo bad >clones/site/theme/page
	gives third --again
	# What a build changed in one is thrown away, but not the source.
	sed -i "s,^    git:,    source: clones/site/theme/o*t\n&,
	    s,command: .*,command: mkdir -p \"\$DEPLOY_SOURCE\"; cat theme/p* >\"\$DEPLOY_SOURCE/index.html\"; date +%N >>\"\$DEPLOY_SOURCE/n\"; echo bad >theme/page; echo bad >theme/page2," \
	    deploy.yml
	gives third
	gives third --again
	[ "$(wc -l <www/current/n)" = 2 ] || fail 'the source was removed'
}

t_git_locks_of_the_dead() {
	local lock
	repository
	clone_of "file://$PWD/site.git" 'history: true'
	gives two
	for lock in index HEAD config packed-refs FETCH_HEAD \
	    refs/remotes/origin/main refs/remotes/origin/side refs/tags/first \
	    refs/tags/second; do
		echo "$lock" >&2
		push "at $lock"
		git -C work tag -f second >/dev/null
		git -C work push -q --force --tags origin main~1:side
		touch "clones/site/.git/$lock.lock"
		gives "at $lock"
	done
}

# Each name was, or is, the directory of the one after it.
t_git_names_that_move() {
	local history name before=
	repository
	for history in true false; do
		clone_of "file://$PWD/site.git" "history: $history"
		for name in topic topic/x topic/x/y topic; do
			push "$history $name"
			[ -z "$before" ] || git -C work push -q origin \
			    ":refs/heads/$before" ":refs/tags/tag-$before"
			git -C work push -q origin "HEAD:refs/heads/$name" \
			    "HEAD:refs/tags/tag-$name"
			before=$name
			gives "$history $name"
			gives "$history $name" --commit "$name" --again
		done
	done
}

# A tag has the name of a branch.
t_git_branch_before_tag() {
	local history
	repository
	git -C work tag main first
	git -C work push -q origin refs/tags/main
	for history in true false; do
		clone_of "file://$PWD/site.git" 'ref: main' "history: $history"
		LC_ALL=de_DE.UTF-8 gives two --again
		gives one --commit refs/tags/main
		gives one --commit first --again
	done
}

# What hides changes from git, or was cut off by a power cut.
t_git_mends() {
	local how
	repository
	for how in skip-worktree assume-unchanged; do
		gives two --again
		git -C clones/site update-index "--$how" page
		echo bad >clones/site/page
		gives two --again
	done
	for how in index HEAD; do
		: >"clones/site/.git/$how"
		push "$how"
		gives "$how"
	done
	# What did not change keeps its time.
	touch -d 2001-01-01 clones/site/page
	git -C clones/site update-index --refresh
	gives HEAD --again
	assert_eq "$(date -r clones/site/page +%Y)" 2001 'time'
	# What cannot be mended is to be made anew.
	find clones/site/.git/objects -type f -exec truncate -cs 0 {} +
	expect_status 1 deploy publish --again
	assert_contains "$err" "the clone is damaged; remove it, the next build makes it anew: rm -r '$PWD/clones/site'"
	rm -r "$PWD/clones/site"
	gives HEAD --again
}

t_git_that_is_not_ours() {
	repository
	git clone -q site.git clones/site
	echo mine >clones/site/page
	expect_status 2 deploy publish
	assert_contains "$err" "is a clone that somebody else made"
	assert_eq "$(cat clones/site/page)" mine 'what is in it'
	untouched
	touch clones/site/.git/deploy.lock
	gives two
	rm -r clones/site/.git
	expect_status 2 deploy publish
	assert_contains "$err" "is there, and no clone"
	[ -e clones/site/page ] || fail 'it was removed'
}

t_git_fails() {
	local ref head
	repository
	expect_status 1 deploy publish --commit nothing
	assert_contains "$err" "couldn't find remote ref nothing"
	assert_contains "$err" "nothing was changed"
	for ref in -x +x 'a b' a:b '' '*'; do
		expect_status 2 deploy publish --commit="$ref"
		assert_contains "$err" "is no ref"
	done
	head=$(git -C site.git symbolic-ref HEAD)
	git -C site.git symbolic-ref HEAD refs/heads/nothing
	expect_status 1 deploy publish
	assert_contains "$err" "or its HEAD names a branch that is not there; push to it, or name a branch"
	git -C site.git symbolic-ref HEAD "$head"
	mv site.git gone.git
	expect_status 1 deploy publish
	assert_contains "$err" "cannot fetch 'file://$PWD/site.git'"
	untouched
	mv gone.git site.git
	gives two
	clone_of ''
	expect_status 2 deploy publish
	clone_of --upload-pack=x
	expect_status 2 deploy publish
	assert_contains "$err" "is not a URL"
	clone_of x
	sed -i /directory/d deploy.yml
	expect_status 2 deploy publish
	assert_contains "$err" "the clone needs a place of its own"
}

# The login in a URL opens the repository and its submodules, is on no command
# line while they are fetched, and not in the clone.
t_git_passwords_are_on_no_command_line() {
	need_cmd python3
	repository
	git init -q --bare theme.git
	git clone -q theme.git theme 2>/dev/null
	echo theme >theme/page
	git -C theme add .
	git -C theme commit -q -m theme
	git -C theme push -q origin HEAD
	printf '[submodule "s"]\n\tpath = s\n\turl = ../theme.git\n' \
	    >work/.gitmodules
	mkdir work/s
	git -C work update-index --add \
	    --cacheinfo "160000,$(git -C theme rev-parse HEAD),s"
	push six
	git -C site.git update-server-info
	git -C theme.git update-server-info
	cat >server.py <<-'EOF'
	import base64, glob, http.server
	LOGIN = b"m%e:p@ss w0rd"
	class Handler(http.server.SimpleHTTPRequestHandler):
	    def do_GET(self):
	        for name in glob.glob("/proc/[0-9]*/cmdline"):
	            try:
	                line = open(name, "rb").read()
	            except OSError:
	                continue
	            if b"ss%20w0rd" in line or b"ss w0rd" in line:
	                open("seen", "ab").write(line + b"\n")
	        want = "Basic " + base64.b64encode(LOGIN).decode()
	        if self.headers.get("Authorization") == want:
	            return super().do_GET()
	        self.send_response(401)
	        self.send_header("WWW-Authenticate", 'Basic realm="x"')
	        self.send_header("Content-Length", "0")
	        self.end_headers()
	server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
	open("port.new", "w").write(str(server.server_port))
	import os
	os.rename("port.new", "port")
	server.serve_forever()
	EOF
	python3 server.py >server.log 2>&1 &
	defer kill $!
	wait_for 5 test -e port
	# The login that the user has for other times is not asked for.
	git config --global credential.helper '!echo password=wrong #'
	clone_of "http://m%25e:p%40ss%20w0rd@127.0.0.1:$(<port)/site.git" \
	    'history: true' 'submodules: true'
	gives six
	assert_eq "$(<clones/site/s/page)" theme
	[ ! -e seen ] || fail "on a command line: $(tr '\0' ' ' <seen)"
	! grep -r w0rd clones || fail "it is in the clone"
	sed -i 's/p%40ss/other/' deploy.yml
	push seven
	git -C site.git update-server-info
	expect_status 1 deploy publish
	assert_contains "$err" "Authentication failed for"
	assert_not_contains "$err" w0rd
}

# Neither what deploy says of an address nor what git does has the password.
t_git_passwords_are_not_said() {
	local url

	repository
	for url in https://me:s3cret@127.0.0.1:1/x.git \
	    http://s3cret@127.0.0.1:1/x.git https://me:s3cret/x@127.0.0.1:1/x; do
		clone_of "$url"
		for way in --update -v; do
			expect_status 1 deploy publish "$way"
			assert_contains "$err" '***@127.0.0.1:1/x'
			assert_not_contains "$err" s3cret
		done
	done
	clone_of "file://$PWD/site.git" 'submodules: true'
	printf '[submodule "s"]\n\tpath = s\n\turl = %s\n' \
	    http://me:s3cret@127.0.0.1:1/x.git >work/.gitmodules
	mkdir work/s
	git -C work update-index --add \
	    --cacheinfo "160000,$(commit_of main),s"
	push six
	expect_status 1 deploy publish
	assert_contains "$err" 'cannot get the submodules'
	assert_not_contains "$err" s3cret
}

# Two builds in one clone wait for each other.
t_git_one_at_a_time() {
	repository
	gives two
	exec 7<>clones/site/.git/deploy.lock
	flock -x 7
	deploy publish --again 7>&- 2>said &
	wait_for 60 grep -q 'waiting for another build' said
	exec 7>&-
	wait $!
}

run_tests
