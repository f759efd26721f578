#!/bin/bash
# An older build never overtakes a newer one, whatever became of the newer.
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/root.sh
. "$TREE/tests/root.sh"

# build NAME: a build of its own content.
build() {
	mkdir -p "b-$1"
	printf '<p>%s\n' "$1" >"b-$1/index.html"
}

t_a_newer_build_with_the_live_content_counts() {
	build a
	build b
	expect_status 0 d publish b-a --seq 10
	expect_status 0 d publish b-a --seq 12
	expect_status 4 d publish b-b --seq 11
	assert_contains "$err" "sequence 11 is older than 12"
	assert_eq "$(cat www/current/index.html)" '<p>a' 'live'
	expect_status 0 d publish b-b --seq 13
	assert_eq "$(cat www/current/index.html)" '<p>b' 'live'
}

# The number that a live release got later counts when it is live no more.
t_a_raised_sequence_outlives_a_rollback() {
	build p
	build a
	build b
	expect_status 0 d publish b-p --seq 9
	expect_status 0 d publish b-a --seq 10
	expect_status 0 d publish b-a --seq 12
	expect_status 0 d rollback
	expect_status 4 d publish b-b --seq 11
	assert_contains "$err" "sequence 11 is older than 12"
	expect_status 0 d publish b-p --seq 14
	expect_status 4 d publish b-b --seq 13
	assert_eq "$(cat www/current/index.html)" '<p>p' 'live'
	# Numbers that begin anew: --override=order once, then as ever.
	build c
	expect_status 4 d publish b-c --seq 1
	assert_contains "$err" "--override=order"
	expect_status 0 d publish b-c --seq 1 --override=order
	build e
	expect_status 0 d publish b-e --seq 2
	build d
	expect_status 0 d publish b-d --seq 3
}

t_a_staged_release_takes_the_sequence_of_a_newer_build() {
	build a
	build c
	expect_status 0 d stage b-c --seq 5
	expect_status 0 d publish b-a --seq 7
	expect_status 0 d publish b-c --seq 8 --commit newer
	assert_eq "$(cat www/current/index.html)" '<p>c' 'live'
	expect_status 0 d list --json
	assert_eq "$(json "$out" '.releases[] | select(.live) | .seq')" 8 'seq'
	assert_eq "$(json "$out" '.releases[] | select(.live) | .commit')" \
	    newer 'commit'
}

# What waits with a higher number goes live when somebody says so, and not
# because an older build has its content.
t_a_build_does_not_take_a_number_that_is_not_its_own() {
	local how wait first
	build a
	build b
	build c
	for how in here host; do
		rm -rf www
		[ "$how" = here ] || cat >deploy.yml <<-EOF
			sites:
			  - name: web
			    root: $PWD/www
			    hosts: [{address: h1, transport: local, deploy: deploy}]
		EOF
		as_site() {
			if [ "$how" = here ]; then d "$@"; else deploy "$@"; fi
		}
		run as_site publish b-a --seq 1
		run as_site stage b-b --seq 900
		wait=$(<"$out")
		run as_site stage b-b --seq 900
		assert_eq "$(<"$out")" "$wait" 'again'
		run as_site stage b-b
		assert_eq "$(<"$out")" "$wait" 'without a number'
		run as_site stage b-b --seq 2
		assert_eq "$(<"$out")" "$wait" 'staged'
		run as_site publish b-b --seq 2
		first=$(<"$out")
		[ "$first" != "$wait" ] || fail "$how: took 900"
		run as_site publish b-c --seq 3
		run as_site activate "$wait"
		expect_status 4 as_site publish b-a --seq 4
	done
}

t_a_rollback_to_what_never_was_live_is_an_activation() {
	build a
	build old
	expect_status 0 d stage b-old --seq 1
	old=$(cat "$out")
	expect_status 0 d publish b-a --seq 2
	expect_status 4 d rollback "$old"
	expect_status 0 d freeze -m why
	expect_status 3 d rollback "$old"
	assert_eq "$(cat www/current/index.html)" '<p>a' 'live'
}

t_force_does_not_link_what_is_damaged() {
	build a
	build b
	expect_status 0 d publish b-a
	time=$(stat -c %Y www/current/index.html)
	printf X | dd of=www/current/index.html conv=notrunc status=none
	touch -d "@$time" www/current/index.html
	expect_status 5 d verify
	expect_status 0 d publish b-a --again
	expect_status 0 d verify
	assert_eq "$(cat www/current/index.html)" '<p>a' 'live'
}

t_what_is_carried_ages_though_nothing_else_changes() {
	build a
	mkdir b-a/assets
	echo x >b-a/assets/x.js
	cat >deploy.yml <<-EOF
		sites:
		  - name: s
		    root: $PWD/www
		    source: b-a
		    max_delete: 100%
		    carry: {paths: ["assets/**"], for: 2s}
	EOF
	expect_status 0 deploy publish
	rm -r b-a/assets
	expect_status 0 deploy publish
	assert_eq "$(cat www/current/assets/x.js)" x 'carried'
	sleep 3
	expect_status 0 deploy publish
	[ ! -e www/current/assets ] || fail 'assets are still carried'
}

# ------------------------- by commits, as git tells: --seq auto, order: commit

# clone: a repository `clone` with the commits one, two, three in a row, and
# `side` beside three; each has its own page.
clone() {
	need_cmd git
	git config --global user.name ann
	git config --global user.email ann@example.org
	git config --global init.defaultBranch main
	git config --global advice.detachedHead false
	git init -q clone
	commit one
	commit two
	commit three
	git -C clone checkout -q two
	commit side
	git -C clone checkout -q main
}

# commit NAME: one more, with a tag of that name.
commit() {
	mkdir -p clone/public
	echo "<p>$1" >clone/public/index.html
	git -C clone add public
	git -C clone commit -q -m "$1"
	git -C clone tag "$1"
}

# name TAG: its commit.
name() {
	git -C "${2:-clone}" rev-parse "$1^{commit}"
}

# of TAG [OPTION...]: publish what it has, ordered by commits.
of() {
	git -C clone checkout -q "$1"
	(cd clone && deploy publish public --root ../www --seq auto "${@:2}")
}

# assert_live NAME
assert_live() {
	assert_eq "$(cat www/current/index.html)" "<p>$1" 'live'
}

t_an_ancestor_does_not_go_live() {
	clone
	expect_status 0 of two
	expect_status 4 of one
	assert_contains "$err" "commit $(name one | cut -c1-12) is older than $(name two | cut -c1-12), which is live"
	assert_contains "$err" "--override=order"
	assert_live two
	# It is not sent either.
	assert_eq "$(echo www/releases/*)" "www/releases/$(live)" 'releases'
	expect_status 4 of one -n
	expect_status 0 of three
	assert_live three
	# Neither is the ancestor of the other.
	expect_status 0 of side
	assert_live side
	expect_status 0 of three
	expect_status 0 of one --override=order
	assert_live one
	# What is live counts, not what was.
	expect_status 0 of two
	expect_status 0 d list --json
	assert_eq "$(json "$out" '.releases[] | select(.live) | .commit')" \
	    "$(name two)" 'the commit of the work tree is remembered'
}

# The run number of the CI system says nothing then: a late tag has a high one.
t_a_late_tag() {
	clone
	export GITHUB_ACTIONS=true GITHUB_RUN_NUMBER=41 GITHUB_SHA
	GITHUB_SHA=$(name three)
	expect_status 0 of three
	GITHUB_RUN_NUMBER=42 GITHUB_SHA=$(name one)
	expect_status 4 of one
	assert_live three
	# By numbers it would have been the newer one.
	expect_status 0 deploy publish clone/public --root www
	assert_live one
	GITHUB_RUN_NUMBER=7 GITHUB_SHA=$(name two)
	expect_status 0 of two
	assert_live two
}

t_a_newer_commit_with_the_live_content_counts() {
	clone
	expect_status 0 of one
	cp -r clone/public same
	git -C clone checkout -q main
	rm -r clone/public
	mv same clone/public
	git -C clone commit -q -a -m 'the page of one again'
	git -C clone tag again
	expect_status 0 of again
	assert_eq "$(echo www/releases/*)" "www/releases/$(live)" 'releases'
	expect_status 4 of three
	assert_live one
	# The same commit may be built again.
	expect_status 0 of again
	echo '<p>built anew' >clone/public/index.html
	expect_status 0 deploy publish clone/public --root www --seq auto
	assert_live 'built anew'
}

t_in_deploy_yml() {
	clone
	cat >clone/deploy.yml <<-EOF
		sites:
		  - name: s
		    root: $PWD/www
		    source: public
		    order: commit
		    hosts:
		      - {address: a, root: $PWD/www, transport: local}
		      - {address: b, root: $PWD/www2, transport: local}
	EOF
	cd clone
	for t in two one; do
		git checkout -q "$t"
		expect_status 0 deploy stage
		mv "$out" "../id.$t"
	done
	one=$(cat ../id.one) two=$(cat ../id.two)
	expect_status 0 deploy activate "$two"
	expect_status 4 deploy activate "$one"
	assert_contains "$err" "is older than"
	expect_status 4 deploy publish
	cd ..
	assert_live two
	cd clone
	expect_status 0 deploy activate "$one" --override=order
	expect_status 0 deploy activate "$two"
	# Going back is stopped by nothing.
	git checkout -q main
	expect_status 0 deploy publish
	expect_status 0 deploy rollback
	cd ..
	assert_live two
	# A number that is named is the order.
	(cd clone && git checkout -q one && deploy publish --seq 1000)
	assert_live one
}

t_a_shallow_clone_is_told_to_deepen() {
	clone
	expect_status 0 of two
	git -C clone checkout -q main
	git clone -q --depth 1 "file://$PWD/clone" shallow
	cd shallow
	expect_status 2 deploy publish public --root ../www --seq auto
	assert_contains "$err" "a shallow clone; deepen it: git -C"
	assert_contains "$err" "fetch --unshallow"
	assert_eq "$(cat ../www/current/index.html)" '<p>two' 'live'
	git fetch -q --unshallow
	expect_status 0 deploy publish public --root ../www --seq auto
	cd ..
	assert_live three
	# Two that are there, and nothing between: no is no answer.
	git clone -q --depth 1 --branch one "file://$PWD/clone" cut
	cd cut
	git fetch -q --depth 1 origin "$(name three ../clone)"
	expect_status 2 deploy publish public --root ../www --seq auto
	assert_contains "$err" "a shallow clone"
	# Enough of it is enough.
	git fetch -q --unshallow origin
	expect_status 4 deploy publish public --root ../www --seq auto
	# Where it is not wanted, nobody asks git.
	expect_status 0 deploy publish public --root ../www --seq 5
}

t_what_git_does_not_know() {
	clone
	git clone -q clone early
	commit four
	git -C clone checkout -q main
	expect_status 0 of four
	(
		cd early
		expect_status 2 deploy publish public --root ../www --seq auto
		assert_contains "$err" "which does not have that commit; get it: git -C"
		git fetch -q --all
		expect_status 4 deploy publish public --root ../www --seq auto
	)
	expect_status 2 of four --commit 0123456789abcdef
	assert_contains "$err" "wants '0123456789abcdef' of the clone"
	mkdir elsewhere
	cp -r clone/public elsewhere
	cd elsewhere
	expect_status 2 deploy publish public --root ../www --seq auto
	assert_contains "$err" "not a git repository"
	cd ..
	# A release without a commit is older than any.
	echo '<p>by hand' >elsewhere/public/index.html
	expect_status 0 deploy publish elsewhere/public --root www
	expect_status 0 of one
	assert_live one
	# So is one with the name of a branch, which moves.
	echo '<p>by hand 2' >elsewhere/public/index.html
	expect_status 0 deploy publish elsewhere/public --root www --commit four
	expect_status 0 of two
	assert_live two
}

# A repository in what was built is content: it tells no order, and runs nothing.
t_a_repository_in_the_build() {
	clone
	git -C clone checkout -q two
	git init -q clone/public
	git -C clone/public commit -q --allow-empty -m strange
	git -C clone/public config core.repositoryformatversion 1
	git -C clone/public config extensions.partialClone origin
	git -C clone/public config remote.origin.promisor true
	git -C clone/public config remote.origin.url "ext::touch $PWD/ran"
	git -C clone/public config protocol.ext.allow always
	expect_status 0 of two
	expect_status 0 d list --json
	assert_eq "$(json "$out" '.releases[] | select(.live) | .commit')" \
	    "$(name two)" 'commit'
	expect_status 2 deploy publish clone/public --root www --seq auto \
	    --commit "$(name two)"
	mkdir sub
	mv clone/public/.git sub
	cp -r clone/public sub
	expect_status 2 deploy publish sub/public --root www --seq auto \
	    --commit "$(name two)"
	[ ! -e ran ] || fail 'a command of the build ran'
}

t_without_git() {
	mkdir bin
	ln -s "$DEPLOY" bin/deploy
	mksite site 2
	expect_status 2 env PATH="$PWD/bin" deploy publish site --root www \
	    --seq auto
	assert_contains "$err" "the order by commits needs git; install it"
}

t_usage() {
	mksite site 2
	expect_status 2 d publish site --seq automatic
	assert_contains "$err" "'auto' orders builds by their commits"
}

# A clone of deploy has all that there is, unless what is live was thrown away.
t_what_the_repository_lost() {
	clone
	cat >deploy.yml <<-EOF
	sites:
	  - name: s
	    root: $PWD/www
	    order: commit
	    git:
	      url: file://$PWD/clone
	      ref: main
	    build:
	      command: git log -1 --format='<p>%s' >"\$DEPLOY_SOURCE/index.html"
	      directory: $PWD/own
	EOF
	git -C clone checkout -q -B main
	commit four
	expect_status 0 deploy publish
	git -C clone tag -d four
	git -C clone commit -q --amend -m five
	git -C clone reflog expire --expire=now --all
	git -C clone gc -q --prune=now
	rm -rf own
	expect_status 2 deploy publish
	assert_contains "$err" "since the repository no longer has that commit"
	expect_status 0 bash -c "$(sed -n 's/.*run: \([^;]*\).*/\1/p' "$err")"
	assert_live five
	expect_status 0 deploy publish --again
}

run_tests
