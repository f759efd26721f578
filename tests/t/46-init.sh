#!/bin/bash
# deploy init: a first deploy.yml, and a prepared root.
# parts: 2
. "$(dirname "$0")/../lib.sh"

# prepared ROOT: it has all parts of a root, and nothing else.
prepared() {
	local part
	for part in . releases .deploy .deploy/{incoming,manifests,meta,trash}
	do
		[ -d "$1/$part" ] || fail "no $1/$part"
		assert_eq "$(stat -c %a "$1/$part")" 755 "mode of $1/$part"
	done
	assert_eq "$(cat "$1/.deploy/format")" 1
	assert_eq "$(find "$1" -mindepth 1 -maxdepth 1 | sort | tr '\n' ' ')" \
	    "$1/.deploy $1/releases "
}

t_writes_a_configuration() {
	run deploy init
	[ -f deploy.yml ] || fail "no deploy.yml"
	assert_contains "$err" "deploy.yml"
	assert_eq "$(find . -mindepth 1)" ./deploy.yml "what was made"
	assert_eq "$(stat -c %a deploy.yml)" 644
	# Commented, so that it explains itself.
	[ "$(grep -c '#' deploy.yml)" -ge 5 ] || fail "$(cat deploy.yml)"
}

# As it is written it can be read; only the root is not there yet.
t_written_configuration_is_valid() {
	local root
	run deploy init
	expect_status 1 deploy list
	assert_contains "$err" "not a root of deploy"
	assert_not_contains "$err" "deploy.yml"
	root=$(sed -n 's/^ *root: *\([^ ]*\).*/\1/p' deploy.yml)
	assert_contains "$err" "$root"
	run deploy status -s "$(basename "$PWD")"
	expect_status 2 deploy status -s example.com
	# With the examples in it that can be put to use here, too.
	sed -i -E -e 's/^( *)# ((exclude|shared|carry|max_delete): )/\1\2/' \
	    -e "s|root: .*|root: $PWD/www|" deploy.yml
	assert_contains deploy.yml "    exclude:"
	assert_contains deploy.yml "    carry:"
	mkdir public
	echo x >public/index.html
	run deploy publish
	assert_eq "$(cat www/current/index.html)" x
}

t_never_overwrites_a_configuration() {
	local before
	echo 'sites: [{name: s, root: www}]' >deploy.yml
	before=$(stat -c '%i %Y %s' deploy.yml)
	run deploy init
	prepared www
	assert_eq "$(stat -c '%i %Y %s' deploy.yml)" "$before"
	# Not even one that makes no sense.
	echo 'garbage: [' >deploy.yml
	expect_status 2 deploy init
	assert_eq "$(cat deploy.yml)" 'garbage: ['
	: >deploy.yml
	expect_status 2 deploy init
	[ ! -s deploy.yml ] || fail "overwritten"
}

# A link that points nowhere is no place to write to.
t_configuration_that_is_a_dangling_link() {
	ln -s elsewhere.yml deploy.yml
	deploy init >"$out" 2>"$err" || true
	[ ! -e elsewhere.yml ] || fail "written through the link"
	[ -L deploy.yml ] || fail "the link was replaced"
}

# deploy.yaml is a configuration, too; beside a deploy.yml it is one nobody
# reads, which is said, once.
t_deploy_yaml() {
	local cmd
	mkdir a
	echo 'sites: [{name: s, root: www}]' >deploy.yaml
	run deploy init
	prepared www
	[ ! -e deploy.yml ] || fail "a second one"
	assert_not_contains "$err" "is not read"
	echo 'sites: [{name: s, root: other}]' >deploy.yml
	for cmd in init list 'enqueue s' worker\ --once doctor; do
		# shellcheck disable=SC2086 # a verb and its operand
		XDG_STATE_HOME=$PWD/state \
		    deploy $cmd >"$out" 2>"$err" || true
		assert_contains "$err" \
		    "'deploy.yaml' is not read, as there is 'deploy.yml'"
		assert_eq "$(grep -c 'is not read' "$err")" 1 "$cmd"
	done
	prepared other
	cd a
	run deploy list
	assert_contains "$err" "/deploy.yaml' is not read, as there is '/"
	run deploy list -c ../deploy.yaml
	assert_not_contains "$err" "is not read"
}

t_configuration_of_a_parent_counts() {
	echo 'sites: [{name: s, root: www}]' >deploy.yml
	mkdir -p a/b
	cd a/b
	run deploy init
	[ ! -e deploy.yml ] || fail "a second one"
	prepared ../../www
}

t_second_init_prepares_the_root() {
	run deploy init
	sed -i "s|root: [^ ]*|root: $PWD/www|" deploy.yml
	run deploy init
	prepared www
	assert_contains "$err" "is prepared"
	assert_contains "$err" "$PWD/www/current"
	run deploy init
	assert_contains "$err" "already"
	prepared www
}

# The examples for web servers, where they come with the program.
t_examples_for_web_servers() {
	mkdir -p at/bin at/share/doc/deploy
	cp "$DEPLOY" at/bin/deploy
	cp -r "$TREE/man/examples" at/share/doc/deploy/
	run at/bin/deploy init --root "$PWD/www"
	assert_contains "$err" \
	    "examples for nginx, Caddy and Apache: '$PWD/at/share/doc/deploy/examples/nginx.conf', Caddyfile and apache.conf beside it"
	run at/bin/deploy init --root "$PWD/www"
	assert_not_contains "$err" Caddy
	mkdir nginx
	echo 'http {}' >nginx/nginx.conf
	DEPLOY_TEST_NGINX=$PWD/nginx at/bin/deploy doctor --root "$PWD/www" \
	    >"$out" || true
	assert_contains "$out" "; an example: $PWD/at/share/doc/deploy/examples/nginx.conf"
	rm -r at/share
	run at/bin/deploy init --root "$PWD/www2"
	assert_not_contains "$err" Caddy
}

t_root_option() {
	run deploy init --root www
	prepared www
	[ ! -e deploy.yml ] || fail "a deploy.yml"
	run deploy init --root www/
	run deploy init --root "$PWD/www"
	run deploy list --root www
	# The web server is told where to look.
	run deploy init --root www
	assert_contains "$err" "'$PWD/www/current'"
}

t_root_option_goes_before_a_configuration() {
	echo 'sites: [{name: s, root: other}]' >deploy.yml
	run deploy init --root www
	prepared www
	[ ! -e other ] || fail "the other root"
}

t_named_configuration() {
	mkdir conf
	echo 'sites: [{name: s, root: www}]' >conf/x.yml
	run deploy init -c conf/x.yml
	prepared conf/www
	run env DEPLOY_CONFIG=conf/x.yml deploy init
	assert_contains "$err" "already"
	# A name that is wrong is no reason to write another file.
	expect_status 2 deploy init -c nowhere.yml
	expect_status 2 env DEPLOY_CONFIG=nowhere.yml deploy init
	[ ! -e deploy.yml ] || fail "a deploy.yml"
	[ ! -e nowhere.yml ] || fail "a nowhere.yml"
}

# The site is called as its directory, where that is a name in YAML.
t_site_is_called_as_its_directory() {
	local dir name
	while read -r dir name; do
		mkdir -- "$dir"
		(cd -- "$dir" && deploy init) >"$out" 2>"$err" ||
		    fail "$dir: $(<"$err")"
		(cd -- "$dir" && deploy config) >"$out" 2>"$err" ||
		    fail "$dir: $(<"$err")"
		grep -q "^sites\[0\]\.name .* $name\$" "$out" ||
		    fail "$dir: $(<"$out")"
	done <<-'END'
	blog	blog
	null	example.org
	NULL	example.org
	Null	example.org
	nullable	nullable
	~	example.org
	true	true
	no	no
	1e3	1e3
	0x10	0x10
	12.5	example.org
	.inf	example.org
	-x	example.org
	a:b	example.org
	a#b	example.org
	END
}

t_which_of_several_sites() {
	echo 'sites: [{name: a, root: wa}, {name: b, root: wb}]' >deploy.yml
	expect_status 2 deploy init
	run deploy init -s b
	prepared wb
	[ ! -e wa ] || fail "both"
}

t_is_idempotent() {
	local before
	run deploy init --root www
	before=$(find www -printf '%p %i %m %T@\n' | sort)
	run deploy init --root www
	assert_eq "$(find www -printf '%p %i %m %T@\n' | sort)" "$before"
	assert_contains "$err" "already"
	mkdir b
	echo x >b/index.html
	run deploy publish b --root www
	run deploy init --root www
	run deploy verify --root www
}

# What a run left half done, the next one finishes.
t_finishes_what_is_there_in_part() {
	mkdir -p www/.deploy/meta www/releases
	run deploy init --root www
	prepared www
	rm -r www/.deploy/trash
	expect_status 1 deploy list --root www
	run deploy init --root www
	prepared www
	rm www/.deploy/format
	run deploy init --root www
	prepared www
}

t_leaves_what_else_is_there() {
	mkdir -p www/releases
	echo precious >www/notes
	run deploy init --root www
	assert_eq "$(cat www/notes)" precious
}

t_dry_run() {
	run deploy init -n
	assert_contains "$err" "would write deploy.yml"
	assert_eq "$(find . -mindepth 1)" ""
	run deploy init -n --root www
	assert_contains "$err" "would be prepared"
	assert_eq "$(find . -mindepth 1)" ""
	run deploy init --root www
	run deploy init -n --root www
	assert_contains "$err" "already"
}

t_json() {
	run deploy init -n --root www --json
	assert_eq "$(json "$out" 'keys_unsorted | tostring')" \
	    '["site","root","dry_run","prepared","changed"]'
	assert_eq "$(json "$out" '[.dry_run, .prepared] | tostring')" \
	    '[true,false]'
	run deploy init --root www --json
	assert_eq "$(json "$out" '[.dry_run, .prepared, .changed] |
	    tostring')" '[false,true,true]'
	run deploy init --root www --json
	assert_eq "$(json "$out" '[.prepared, .changed] | tostring')" \
	    '[true,false]'
	# One document, also when it is the configuration that is written.
	run deploy init --json -n
	assert_eq "$(json "$out" '[.dry_run, .changed] | tostring')" \
	    '[true,true]'
	run deploy init --json
	assert_eq "$(json "$out" .changed)" true
	[ -e deploy.yml ] || fail "no deploy.yml"
}

t_parent_is_missing() {
	expect_status 1 deploy init --root a/b/www
	assert_contains "$err" "mkdir -p"
	[ ! -e a ] || fail "the parent was made"
}

t_root_is_something_else() {
	echo precious >www
	expect_status 1 deploy init --root www
	assert_eq "$(cat www)" precious
	rm www
	ln -s nowhere www
	expect_status 1 deploy init --root www
	[ ! -e nowhere ] || fail "made through a dangling link"
	expect_status 2 deploy init --root ''
	# A link that the user names is his way of saying where.
	mkdir real
	ln -sfn real www
	run deploy init --root www
	prepared real
}

t_parts_that_are_something_else() {
	mkdir www elsewhere
	echo x >www/releases
	expect_status 1 deploy init --root www
	assert_contains "$err" "www/releases"
	rm www/releases
	ln -s ../elsewhere www/releases
	expect_status 1 deploy init --root www
	rm www/releases
	ln -s ../elsewhere www/.deploy
	expect_status 1 deploy init --root www
	[ -z "$(ls -A elsewhere)" ] || fail "made through a link"
}

t_current_that_is_a_directory_is_told_at_once() {
	mkdir -p www/current
	echo precious >www/current/index.html
	expect_status 1 deploy init --root www
	assert_contains "$err" "www/current"
	assert_contains "$err" "real directory"
	assert_eq "$(cat www/current/index.html)" precious
}

t_unsafe_roots() {
	mkdir -m 777 www
	expect_status 1 deploy init --root www
	assert_contains "$err" "chmod o-w"
	[ "$(id -u)" -eq 0 ] || return 0
	user_dir theirs
	expect_status 1 deploy init --root theirs
	assert_contains "$err" "belongs to"
	[ ! -e theirs/.deploy ] || fail "made for another user"
	run as_user deploy init --root theirs
	prepared theirs
}

t_format_of_the_future() {
	run deploy init --root www
	echo 2 >www/.deploy/format
	expect_status 1 deploy init --root www
	assert_contains "$err" "format '2'"
	assert_eq "$(cat www/.deploy/format)" 2
	expect_status 1 deploy list --root www
}

t_umask_does_not_matter() {
	umask 077
	run deploy init --root www
	prepared www
	run deploy init
	assert_eq "$(stat -c %a deploy.yml)" 644
}

t_several_at_once() {
	local n pids=()
	for n in {1..8}; do
		deploy init --root www >"o$n" 2>&1 &
		pids+=($!)
	done
	for n in {1..8}; do
		wait "${pids[n - 1]}" || fail "$(cat "o$n")"
	done
	prepared www
	assert_eq "$(find www -name '.tmp-*')" "" "temporary files"
}

t_takes_no_operand() {
	expect_status 2 deploy init www
	assert_eq "$(find . -mindepth 1)" ""
}

t_directory_is_not_writable() {
	need_root
	mkdir closed
	cd closed
	expect_status 1 as_user deploy init
	assert_contains "$err" "cannot create"
	expect_status 1 as_user deploy init --root www
	[ -z "$(ls -A)" ] || fail "something was made"
}

# detects GENERATOR SOURCE FILE...: in a directory with these files.
detects() {
	local name=$1 source=$2 f
	shift 2
	rm -rf try
	mkdir try
	for f; do
		mkdir -p "try/$(dirname "$f")"
		case $f in */) mkdir -p "try/$f" ;; *) : >"try/$f" ;; esac
	done
	(cd try && deploy init --json) >"$out" 2>"$err" || fail "$*"
	assert_eq "$(json "$out" .generator)" "$name" "$*"
	assert_contains try/deploy.yml "source: $source"
	# It can be read.
	(cd try && deploy list) >"$out" 2>"$err" || :
	assert_contains "$err" "not a root of deploy"
}

t_detects_the_generator() {
	detects Hugo public hugo.toml
	detects Hugo public config.toml content/
	detects Pelican output pelicanconf.py
	detects Eleventy _site .eleventy.js
	detects Eleventy _site eleventy.config.mjs
	detects Astro dist astro.config.mjs dist/
	detects MkDocs site mkdocs.yml
	detects Jekyll _site _config.yml
	# It would publish our file.
	assert_contains try/deploy.yml '    exclude: ["/deploy.yml"]'
	detects null _site _site/
	detects null dist dist/
	detects null output output/
	detects null public
	# The command is written so that it can be put to use.
	detects Hugo public hugo.toml
	sed -i 's/# build:/build:/' try/deploy.yml
	(cd try && deploy publish -n) >"$out" 2>"$err" || :
	assert_contains "$err" 'hugo --destination "$DEPLOY_SOURCE"'
}

# ---------------------------------------------------------------- adopting

# An old document root: a directory that nginx serves.
old_root() {
	mkdir -p "$1/docs" "$1/.git"
	echo "<p>old" >"$1/index.html"
	echo "<p>docs" >"$1/docs/index.html"
	echo x >"$1/.git/x"
}

t_adopt_current() {
	local id old
	mkdir www
	old_root www/current
	expect_status 1 deploy list --root "$PWD/www"
	mkdir site
	echo new >site/index.html
	expect_status 1 deploy publish site --root www
	assert_contains "$err" "deploy adopt"
	run deploy adopt -n --root www
	[ ! -L www/current ] || fail "a dry run changed something"
	run deploy adopt --root www --json
	id=$(json "$out" '.hosts[0].adopted')
	assert_eq "$(readlink www/current)" "releases/$id"
	assert_eq "$(cat www/current/docs/index.html)" "<p>docs"
	[ ! -e www/current/.git ] || fail ".git is served"
	old=$(json "$out" '.hosts[0].kept')
	assert_eq "$(cat "$old/.git/x")" x
	run deploy verify --root www
	run deploy log --root www
	assert_contains "$out" adopted
	# Again: nothing to do.  From here on as ever.
	run deploy adopt --root www --json
	assert_eq "$(json "$out" .changed)" false
	run deploy publish site --root www
	run deploy rollback --root www
	assert_eq "$(cat www/current/index.html)" "<p>old"
	run deploy prune --root www
	assert_eq "$(cat "$old/.git/x")" x
}

# What an adoption has kept is replaced by none, also not by one of the same.
t_adopt_again() {
	local kept
	mkdir www
	old_root www/current
	run deploy adopt --root www --json
	kept=$(json "$out" '.hosts[0].kept')
	rm www/current
	cp -a "$kept" www/current
	expect_status 1 deploy adopt --root www
	assert_contains "$err" "'$kept' is there already"
	assert_contains "$err" "move it away"
	[ -d "$kept" ] && [ ! -L www/current ] || fail "adopted"
	mv "$kept" away
	run deploy adopt --root www --json
	kept=$(json "$out" '.hosts[0].kept')
	[ -L www/current ] && [ -d "$kept" ] || fail "not adopted"
}

t_adopt_another_directory() {
	local id
	mkdir served
	old_root served/html
	run deploy adopt served/html --root "$PWD/www" --json
	id=$(json "$out" '.hosts[0].adopted')
	assert_eq "$(readlink served/html)" "$PWD/www/current"
	assert_eq "$(cat served/html/index.html)" "<p>old"
	assert_eq "$(readlink www/current)" "releases/$id"
	assert_eq "$(cat served/html.before-deploy/.git/x)" x
	run deploy adopt served/html --root "$PWD/www"
	assert_contains "$err" "already"
	expect_status 1 deploy adopt nosuch --root "$PWD/www"
	expect_status 2 deploy init served/html --root "$PWD/www"
	# The root itself cannot be served and have releases.
	old_root whole
	expect_status 2 deploy adopt whole --root "$PWD/whole"
	[ ! -e whole/.deploy ] || fail "something was made"
}

# A root whose path leads through DIR, which is something else afterwards.
t_adopt_with_a_root_through_the_directory() {
	local root
	for root in html/../www link/../www "$PWD/html/docs/../../www"; do
		rm -rf html* www link
		old_root html
		ln -s html/docs link
		[ "$root" != link/../www ] || root=link/../../www
		run deploy adopt html --root "$root"
		assert_eq "$(readlink html)" "$PWD/www/current" "$root"
		assert_eq "$(cat html/index.html)" "<p>old" "$root"
		run deploy adopt html --root www --json
		assert_eq "$(json "$out" .changed)" false
	done
	# DIR is a link itself.
	rm -rf html* www link
	old_root real
	ln -s real html
	run deploy adopt html --root html/../www
	assert_eq "$(cat html/index.html)" "<p>old"
	# The root by another name is the root as well.
	rm html
	ln -s real html
	expect_status 2 deploy adopt html --root html
	expect_status 2 deploy adopt html --root real
	[ ! -e real/.deploy ] || fail "something was made"
}

# Other spellings of the directory; what is none is refused at first.
t_adopt_by_other_spellings() {
	local dir
	for dir in . ./ ../html/. ../html/ ../html/././ docs/.. "$PWD/html/."; do
		rm -rf html* www
		old_root html
		cd html
		run deploy adopt "$dir" --root ../www
		cd ..
		assert_eq "$(readlink html)" "$PWD/www/current" "$dir"
		assert_eq "$(cat html/index.html)" "<p>old" "$dir"
	done
	rm -rf html* www
	old_root html
	expect_status 2 deploy adopt "" --root www
	assert_contains "$err" "DIR is empty"
	expect_status 2 deploy adopt / --root www
	assert_contains "$err" "does not end in a name"
	[ ! -e www ] || fail "something was made"
}

t_adopt_with_shared_paths() {
	mkdir www
	old_root www/current
	mkdir www/current/uploads
	echo photo >www/current/uploads/p
	cat >deploy.yml <<-EOF
	sites: [{name: s, root: $PWD/www, shared: [uploads, docs/visits, new]}]
	EOF
	echo 7 >www/current/docs/visits
	for _ in uploads visits; do
		expect_status 2 deploy adopt
		assert_contains "$err" "is a shared path"
		[ ! -L www/current ] || fail "adopted"
		eval "$(sed -n "s/.*copy it before: //p" "$err")"
	done
	run deploy adopt
	assert_eq "$(cat www/current/uploads/p)" photo
	assert_eq "$(cat www/current/docs/visits)" 7
	assert_eq "$(readlink www/current/uploads)" ../../shared/uploads
	run deploy verify
}

# No request is lost while the directory becomes a link.
t_adopt_under_load() {
	local i n rounds
	mkdir www
	start_nginx www/current
	all_or 8 20
	rounds=$n
	for ((i = 0; i < rounds; i++)); do
		rm -rf www
		mkdir www
		old_root www/current
		: >go
		(
			n=0
			while [ -e go ]; do
				curl --noproxy '*' -sS -f -o got "$url/[1-20]" \
				    "$url/docs/index.html" >/dev/null 2>&1 || :
				curl --noproxy '*' -sS -f "$url/index.html" \
				    "$url/docs/index.html" >got 2>&1 ||
				    echo "request $n: $(cat got)" >>lost
				n=$((n + 1))
			done
			echo "$n" >>requests
		) &
		pause 0.1
		run deploy adopt --root www
		pause 0.1
		rm go
		wait $!
		[ ! -e lost ] || fail "$(cat lost)"
	done
	n=$(awk '{ n += $1 } END { print n }' requests)
	((n >= rounds)) || fail "only $n requests"
}

# What each host lacks, with the cure for it, and what that means.
t_init_on_hosts() {
	cat >deploy.yml <<-EOF
	sites:
	  - name: s
	    root: $PWD/r1
	    hosts:
	      - {address: www1, transport: local}
	      - {address: www2, transport: local, root: $PWD/none/r2}
	EOF
	expect_status 1 deploy init
	assert_contains "$err" "www2: cannot make the root '$PWD/none/r2': its parent directory is missing; run: mkdir -p '$PWD/none/r2'"
	assert_contains "$err" "1 of 2 hosts failed; not prepared everywhere"
	mkdir -p "$PWD/none/r2"
	run deploy init
	[ -d none/r2/.deploy ] || fail "not prepared"
}

t_adopt_on_hosts() {
	local id
	for h in 1 2; do
		mkdir "h$h"
		old_root "h$h/current"
	done
	cat >deploy.yml <<-EOF
	sites:
	  - name: s
	    root: $PWD/none
	    hosts:
	      - {address: www1, transport: local, root: $PWD/h1}
	      - {address: www2, transport: local, root: $PWD/h2}
	EOF
	expect_status 2 deploy adopt h1/current
	assert_contains "$err" "an absolute path"
	run deploy adopt -n
	assert_contains "$err" "www1: would adopt '$PWD/h1/current'"
	run deploy adopt --json
	id=$(json "$out" '.hosts[0].adopted')
	assert_eq "$(json "$out" '.hosts[1].adopted')" "$id"
	for h in 1 2; do
		assert_eq "$(readlink "h$h/current")" "releases/$id"
	done
	assert_eq "$(stat -c %Y h1/current/index.html)" \
	    "$(stat -c %Y h2/current/index.html)" "mtimes"
	run deploy status
	mkdir site
	echo new >site/index.html
	run deploy publish site
	run deploy rollback
	assert_eq "$(cat "$out")" "$id"
	# A host that comes later gets the same release.
	mkdir h3
	old_root h3/current
	run deploy activate latest --override=order
	cat >>deploy.yml <<-EOF
	      - {address: www3, transport: local, root: $PWD/h3}
	EOF
	run deploy rollback --host www1 --host www2
	run deploy adopt
	assert_eq "$(readlink h3/current)" "releases/$id"
	run deploy status
	# What cannot exchange says so.
	mkdir h4
	old_root h4/current
	sed -i 's/      - {address: www[12].*//' deploy.yml
	cat >>deploy.yml <<-EOF
	      - {address: www4, transport: local, root: $PWD/h4, deploy: none}
	EOF
	expect_status 1 deploy adopt
	assert_contains "$err" "install deploy there"
	[ ! -L h4/current ] || fail "adopted"
}

# One id with two contents is told, and is not taken for what is built.
t_adopt_what_differs_between_hosts() {
	local content h
	for content in 1 2 3; do
		rm -rf h? site
		{
			echo 'sites:'
			echo "  - {name: s, root: $PWD/none, hosts: ["
			for h in 1 2 3; do
				mkdir "h$h"
				old_root "h$h/current"
				echo "page $h" >"h$h/current/index.html"
				echo "    {address: w$h, transport: local, root: $PWD/h$h},"
			done
			echo '    ]}'
		} >deploy.yml
		expect_status 7 deploy adopt --json
		assert_contains "$err" "content differs"
		# What was done is told nevertheless.
		assert_eq "$(jq '[.changed, (.hosts | length)] | @csv' "$out")" \
		    '"true,3"'
		expect_status 7 deploy status
		assert_contains "$out" "drift      content: "
		assert_contains "$out" " on w1; "
		expect_status 7 deploy sync
		mkdir site
		cp -a h1/current/. site
		echo "page $content" >site/index.html
		bash -c "$(sed -n 's/.*to make them alike, run: //p' "$err") site" \
		    >/dev/null 2>&1 || fail "the cure: $?"
		for h in 1 2 3; do
			assert_eq "$(cat "h$h/current/index.html")" "page $content"
		done
		run deploy status
		assert_not_contains "$out" content
	done
}

run_tests
