# shellcheck shell=bash disable=SC2034,SC2154,SC2164
# What is tested of every site generator, with the real program: make
# test-generators.  A script in tests/generators/ reads this and says
#
#	generator, output	what `deploy init` has to find out
#	git=y			its builds differ unless it is in a repository
#	need			skip without the generator
#	make_site		a site in the current directory
#	page N			where the text of its page N is; N is 2 or 3
#	page_text TITLE		what such a page looks like
#	add_hook		take the example of man/examples over
#	run_hook		the generator's own command that publishes
#
# and then calls run_tests.

examples=$TREE/man/examples
git=

# need_npm NAME: skip without what make installed for it; sets $npm.
need_npm() {
	need_cmd npm node
	npm=${TEST_OBJ:-.build}/npm/$1/node_modules
	[ "${npm#/}" != "$npm" ] || npm=$TREE/$npm
	[ -d "$npm" ] || skip "npm could not install $1"
}

# A site of three pages: the start page and two more.
site() {
	need
	need_cmd git jq
	mkdir site
	cd site
	make_site
	mkdir -p "$(dirname "$(page 2)")"
	page_text secondpage >"$(page 2)"
	page_text thirdpage >"$(page 3)"
}

commit() {
	[ -d .git ] || git init -q .
	git add .
	git -c user.name=ann -c user.email=ann@example.org commit -q -m "$1"
}

# deploy.yml as `deploy init` writes it, with a root of ours; `init build`: with
# the build command that it proposes.
init() {
	run deploy init --json
	assert_eq "$(json "$out" .generator)" "$generator"
	assert_contains deploy.yml "source: $output"
	sed -i -e "s|root: .*|root: $PWD/../www|" deploy.yml
	assert_contains deploy.yml "# build: {command:"
	[ "${1:-}" != build ] || sed -i 's/# build:/build:/' deploy.yml
}

# Live is what was built, byte for byte, but for what deploy.yml leaves out.
live_is_built() {
	local except=()
	[ "$generator" != Jekyll ] || except=(-x deploy.yml)
	diff -r --no-dereference "${except[@]}" "$output/" ../www/current/ >&2 ||
	    fail "live is not what was built"
	! find -L ../www/current -name deploy.yml | grep . ||
	    fail "deploy.yml is live"
	grep -rqw "$1" ../www/current/ || fail "'$1' is not live"
	run deploy verify
}

# Publish with "$@": the site, the same again, and again after changes.
lifecycle() {
	local id
	[ -z "$git" ] || commit all
	run "$@"
	live_is_built thirdpage
	id=$(readlink ../www/current)
	# A second later even what has a clock in it would be another build.
	sleep 1.1
	run "$@"
	assert_eq "$(readlink ../www/current)" "$id" "unchanged, and yet new"
	assert_eq "$(find ../www/releases -mindepth 1 -maxdepth 1 | wc -l)" 1
	page_text changedpage >"$(page 2)"
	rm "$(page 3)"
	[ -z "$git" ] || commit changed
	run "$@"
	live_is_built changedpage
	! grep -rqw thirdpage ../www/current/ || fail "a deleted page is live"
	run deploy rollback
	assert_eq "$(readlink ../www/current)" "$id"
}

t_deploy_builds_and_publishes() {
	site
	init build
	lifecycle publish_built
}

publish_built() {
	deploy publish
}

t_its_own_command_publishes() {
	site
	init
	add_hook
	lifecycle run_hook
}

# The generator says so when publishing fails.
t_a_failure_is_told() {
	local status=0
	site
	init
	add_hook
	run run_hook
	page_text changedpage >"$(page 2)"
	run deploy freeze -m "not now"
	run_hook >"$out" 2>"$err" || status=$?
	[ "$status" -ne 0 ] || fail "status 0"
	cat "$out" "$err" >both
	assert_contains both frozen
}

# With both, the hook leaves it to deploy.
t_hook_in_a_build_of_deploy() {
	site
	init build
	add_hook
	lifecycle publish_built
}
