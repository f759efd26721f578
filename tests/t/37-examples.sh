#!/bin/bash
# The recipes for CI systems under man/examples: their shell parts are run,
# with the variables that the system sets.
. "$(dirname "$0")/../lib.sh"

examples=$TREE/man/examples

# commands FILE NAME: the shell part of the step or job called NAME; lines of
# a list, or a block.
commands() {
	awk -v name="$2" '
	$0 ~ "^ *(- name: )?" name ":?$" { on = 1; next }
	on && /^ *- name: / { on = 0 }
	on && /^[a-z]+:$/ { on = 0 }
	on && /^ *(script|commands):$/ { list = 1; next }
	on && /^ *run: \|$/ { block = match($0, /run/); next }
	on && list && /^ *- / { sub(/^ *- /, ""); print; next }
	list { list = on = 0 }
	on && block && match($0, /[^ ]/) > block { print; next }
	block && NF { block = on = 0 }' "$examples/$1"
}

# A working copy of a site: its generator is a script called hugo.
checkout() {
	mkdir -p bin
	cat >bin/hugo <<-'EOS'
	#!/bin/sh
	# The real hugo is for the demo; this one has its options.
	while [ "$1" != --destination ]; do shift; done
	mkdir -p "$2" && cp content/index.html "$2/"
	EOS
	chmod 755 bin/hugo
	PATH=$PWD/bin:$PATH
	mkdir work
	cd work
	git init -q -b main .
	git config user.name ann
	git config user.email ann@example.org
	mkdir content
	echo '<p>one' >content/index.html
	cat >deploy.yml <<-EOF
	sites: [{name: s, root: $PWD/../www, source: public,
	    build: {command: hugo --destination public}}]
	EOF
	echo public >.gitignore
	git add .
	git commit -q -m "first post"
}

# Run the shell part of a step as CI systems do.
step() {
	commands "$@" >step.sh
	[ -s step.sh ] || fail "no commands of $2 in $1"
	run bash -e step.sh
}

actions() {
	export GITHUB_ACTIONS=true GITHUB_RUN_NUMBER=4 GITHUB_ACTOR=ann
	GITHUB_SHA=$(git rev-parse HEAD)
	export GITHUB_SHA GITHUB_OUTPUT=$PWD/../output
	step "$1" build
	step "$1" publish
	assert_contains ../output changed=true
	run deploy list --json
	assert_eq "$(json "$out" '.releases[0] | [.seq, .message, .commit] |
	    tostring')" "[4,\"first post\",\"$GITHUB_SHA\"]"
}

t_github() {
	need_cmd git jq
	checkout
	actions github.yml
}

t_forgejo() {
	need_cmd git jq
	checkout
	actions forgejo.yml
}

t_gitlab() {
	need_cmd git jq
	checkout
	export GITLAB_CI=true CI_PIPELINE_IID=5 GITLAB_USER_LOGIN=ann
	step gitlab-ci.yml build
	step gitlab-ci.yml publish
	echo '<p>two' >content/index.html
	git commit -q -a -m "second post"
	export CI_PIPELINE_IID=6
	step gitlab-ci.yml build
	step gitlab-ci.yml publish
	assert_eq "$(cat ../www/current/index.html)" '<p>two'
	step gitlab-ci.yml rollback
	assert_eq "$(cat ../www/current/index.html)" '<p>one'
	run deploy log
	assert_contains "$out" "ann says so"
}

t_woodpecker() {
	need_cmd git jq
	checkout
	export CI_PIPELINE_NUMBER=8 CI_COMMIT_SHA=c0ffee
	step woodpecker.yml build
	step woodpecker.yml publish
	run deploy list --json
	assert_eq "$(json "$out" '.releases[0].seq')" 8
}

t_post_receive() {
	need_cmd git
	checkout
	git clone -q --bare . ../bare.git
	cp "$examples/post-receive" ../bare.git/hooks/
	git remote add origin ../bare.git
	export SITE_DIR=$PWD/../served
	echo '<p>pushed' >content/index.html
	sed -i "s|root: [^,]*|root: $PWD/../www2|" deploy.yml
	git commit -q -a -m "pushed"
	run git push -q origin main
	assert_eq "$(cat ../www2/current/index.html)" '<p>pushed'
	# Another branch is not published.
	git checkout -q -b draft
	echo '<p>draft' >content/index.html
	git commit -q -a -m draft
	run git push -q origin draft
	assert_eq "$(cat ../www2/current/index.html)" '<p>pushed'
}

t_crontab() {
	need_cmd git
	checkout
	git clone -q . ../home
	mkdir ../user
	mv ../home ../user/site
	sed -n 's/^\*[^a-z]*cd/cd/p' "$examples/crontab" >line.sh
	[ -s line.sh ] || fail "no line"
	HOME=$PWD/../user run sh line.sh
	assert_eq "$(cat ../www/current/index.html)" '<p>one'
	[ ! -s "$out" ] || fail "mail: $(cat "$out")"
	HOME=$PWD/../user run sh line.sh
	[ ! -s "$out" ] || fail "mail: $(cat "$out")"
}

run_tests
