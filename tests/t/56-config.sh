#!/bin/bash
# What deploy.yml says, and what holds without it; its schema for editors.
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/manual.sh
. "$TREE/tests/manual.sh"

# row KEY: the value and the origin of a key in $out.
row() {
	awk -v key="$1" '$1 == key { sub(/^[^ ]+ +/, "")
	    n = match($0, /  +/)
	    print substr($0, n + RLENGTH) " | " substr($0, 1, n - 1) }' "$out"
}

t_each_value_and_where_it_is_from() {
	mkdir sub
	cat >deploy.yml <<-'END'
	queue: "postgresql://me:s3cret@db.invalid/q"
	sites:
	  - name: one.example
	    root: www/one
	    build: hugo
	    check: https://one.example/
	    keep: 9
	    exclude: "*.map"
	  - name: two.example
	    root: /srv/two
	    source: ~/two
	    check:
	      url: https://two.example/
	      headers: {"*.html": no-cache}
	    hosts: [www1, {address: www2, port: 2222}]
	END
	export HOME=/home/someone
	run env -u DEPLOY_CONFIG deploy config
	assert_eq "$(row queue)" "postgresql://me:***@db.invalid/q | deploy.yml:1"
	assert_not_contains "$out" s3cret
	assert_eq "$(row 'sites[0].name')" "one.example | deploy.yml:3"
	assert_eq "$(row 'sites[0].root')" "$PWD/www/one | deploy.yml:4"
	assert_eq "$(row 'sites[0].build.command')" "hugo | deploy.yml:5"
	assert_eq "$(row 'sites[0].build.timeout')" "10m | default"
	assert_eq "$(row 'sites[0].check.url')" \
	    "https://one.example/ | deploy.yml:6"
	assert_eq "$(row 'sites[0].keep')" "9 | deploy.yml:7"
	assert_eq "$(row 'sites[0].exclude[0]')" "*.map | deploy.yml:8"
	assert_eq "$(row 'sites[0].hosts')" "this machine | default"
	assert_eq "$(row 'sites[1].keep')" "5 | default"
	assert_eq "$(row 'sites[1].source')" \
	    "/home/someone/two | deploy.yml:11"
	assert_eq "$(row 'sites[1].check.headers[0]')" \
	    "*.html: no-cache | deploy.yml:14"
	assert_eq "$(row 'sites[1].hosts[0].address')" "www1 | deploy.yml:15"
	assert_eq "$(row 'sites[1].hosts[1].port')" "2222 | deploy.yml:15"
	assert_eq "$(row 'sites[1].guard.links')" "warn | default"
	# What is not there holds nothing.
	assert_not_contains "$out" "hooks"
	assert_not_contains "$out" "sites[1].build"

	# One site, from below, with options and the environment.
	cd sub
	DEPLOY_KNOWN_HOSTS=x GITHUB_ACTIONS=true GITHUB_SHA=5f0c1ab \
	    GITHUB_RUN_NUMBER=41 run deploy config -s two.example \
	    --lock-wait 2m --timeout 7s
	assert_not_contains "$out" one.example
	assert_eq "$(row 'sites[1].lock_wait')" "120s | --lock-wait"
	assert_eq "$(row 'sites[1].timeout')" "7s | --timeout"
	assert_eq "$(row 'sites[1].check.timeout')" "10s | default"
	assert_eq "$(row --seq)" "41 | environment"
	assert_eq "$(row --commit)" "5f0c1ab | environment"
	assert_eq "$(row DEPLOY_KNOWN_HOSTS)" "set | environment"
	run deploy config -c ../deploy.yml --json
	assert_eq "$(json "$out" '.values[] | select(.key == "sites[0].keep") |
	    "\(.value) \(.from) \(.line)"')" "9 file 7"
}

# Where the queue is, by the environment, when the file does not say.
t_queue_of_nobody() {
	echo 'sites: [{name: a, root: /a}]' >deploy.yml
	XDG_STATE_HOME=$PWD/state run deploy config
	assert_eq "$(row queue)" "$PWD/state/deploy | default"
	HOME=$PWD run env -u XDG_STATE_HOME deploy config -s a
	assert_eq "$(row queue)" "$PWD/.local/state/deploy | default"
}

t_usage() {
	local word
	expect_status 2 deploy config
	assert_contains "$err" "no deploy.yml here or above"
	echo 'sites: [{name: a, root: /a, kep: 1}]' >deploy.yml
	expect_status 2 deploy config
	assert_contains "$err" "deploy.yml:1:"
	echo 'sites: [{name: a, root: /a}]' >deploy.yml
	expect_status 2 deploy config -s b
	for word in --root=/a --host=a "--schema --json"; do
		# shellcheck disable=SC2086 # words
		expect_status 2 deploy config $word
	done
	run deploy config
}

# schema_keys: each key of the schema, with its default.
schema_keys() {
	jq -r 'def keys_of(where):
	    (.anyOf // [.])[] | (if .type == "array" then .items else . end) |
	    (.anyOf // [.])[] | .properties // {} | to_entries[] |
	    .key as $k | .value |
	    ([where, $k] | map(select(. != "")) | join(".")) as $path |
	    "\($path)\t\(.description | capture("Default: (?<d>.*)\\.$").d // "")",
	    keys_of($path);
	    keys_of("")' schema
}

# manual_defaults: each key of the manual that has a default of one word.
manual_defaults() {
	awk '
	/^\.S[hs] / { where = "-"; level = 0 }
	/^\.Sh DESCRIPTION/ { where = "" }
	/^\.Ss Keys of a site/ { where = "sites." }
	/^\.Ss Keys of a host/ { where = "sites.hosts." }
	/^\.Ss Keys of the worker/ { where = "worker." }
	/^\.Bl/ { level++ }
	/^\.El/ { level-- }
	/^\.It Ic / && where != "-" {
		key = where (level > 1 ? parent "." : "") $3
		if (level == 1)
			parent = $3
	}
	/^Default: [0-9a-z%]+(, never)?\.$/ && where != "-" {
		gsub(/[.,]/, "", $2)
		if ($2 != "none")
			print key "\t" $2
	}' "$TREE/man/deploy.yml.5"
}

# The same keys and defaults as in the manual.
t_defaults_are_those_of_the_manual() {
	local key value n=0
	need_cmd jq
	deploy config --schema >schema
	assert_not_contains schema "See deploy.yml(5)"
	schema_keys >keys
	[ "$(wc -l <keys)" -gt 80 ] || fail "too few: $(cat keys)"
	while IFS=$'\t' read -r key value; do
		grep -qxF "$key"$'\t'"$value" keys ||
		    fail "not $value: $(grep "^$key	" keys)"
		n=$((n + 1))
	done < <(manual_defaults)
	((n > 25)) || fail "the manual has $n"
}

# Editors accept what the program accepts, and mark what it refuses.
t_schema_accepts_what_is_right() {
	local python f
	for python in python3 /usr/bin/python3 ''; do
		! "$python" -c 'import jsonschema, yaml' 2>/dev/null || break
	done
	[ -n "$python" ] || skip "needs python3-jsonschema and python3-yaml"
	deploy config --schema >schema
	mkdir good bad
	examples deploy.yml.5
	for f in examples/*; do
		sed 's,~/,/home/x/,' "$f/text" >"good/${f#*/}"
	done
	# What init writes, and what everyone writes first.
	mkdir new
	(cd new && deploy init -q)
	cp new/deploy.yml good/init
	echo 'sites: [{name: a, root: /a, build: hugo, check: "https://a.example/", hosts: [w1, w2], keep: 3, timeout: 30, max_delete: 20%, x-note: {any: 1}}]' >good/short
	echo 'sites: [{name: a, root: /a, hosts: w1, exclude: a, carry: "*.js", lock_wait: 2m}]' >good/single
	echo 'sites: [{name: a}]' >bad/missing
	echo 'sites: [{name: a, root: /a, kep: 3}]' >bad/unknown
	echo 'sites: [{name: a, root: /a, keep: many}]' >bad/number
	echo 'sites: [{name: a, root: /a, timeout: soon}]' >bad/duration
	echo 'sites: [{name: a, root: /a, strategy: fast}]' >bad/word
	echo 'sites: [{name: a, root: /a, hosts: []}]' >bad/empty
	echo 'sites: [{name: a, root: /a, hosts: [{user: a}]}]' >bad/host
	[ "$(find good -type f | wc -l)" -ge 5 ] || fail "$(ls good)"
	for f in good/*; do
		run deploy config -c "$f"
	done
	for f in bad/*; do
		expect_status 2 deploy config -c "$f"
	done
	"$python" - good/* bad/* <<-'END' || fail "the schema says otherwise"
	import json, sys, yaml, jsonschema
	schema = json.load(open("schema"))
	jsonschema.Draft7Validator.check_schema(schema)
	check = jsonschema.Draft7Validator(schema)
	wrong = [f for f in sys.argv[1:]
	    if check.is_valid(yaml.safe_load(open(f))) != f.startswith("good")]
	for f in wrong:
	    print(f, [e.message for e in check.iter_errors(yaml.safe_load(open(f)))])
	sys.exit(bool(wrong))
	END
}

# An editor finds the schema that was installed.
t_init_names_the_schema() {
	local tree=$PWD/usr
	mkdir -p usr/bin usr/share/doc/deploy/examples new
	cp "$DEPLOY" usr/bin/deploy
	(cd new && "$tree/bin/deploy" init -q)
	assert_not_contains new/deploy.yml yaml-language-server
	rm new/deploy.yml
	deploy config --schema >usr/share/doc/deploy/examples/deploy.schema.json
	(cd new && "$tree/bin/deploy" init -q)
	assert_eq "$(sed -n 2p new/deploy.yml)" \
	    "# yaml-language-server: \$schema=$tree/share/doc/deploy/examples/deploy.schema.json"
}

# Nobody is told what to run by a deploy.yml that a stranger left where
# everybody may: only one that is named, or that is of who owns the place.
t_a_deploy_yml_of_a_stranger() {
	local n=0 planter mode owner group status
	need_root
	chmod 755 .
	while read -r planter mode owner group status; do
		n=$((n + 1))
		mkdir -p "$n/project/sub"
		echo "sites: [{name: s, root: $PWD/r}]" >"$n/deploy.yml"
		chown "$planter" "$n/deploy.yml"
		chown "$owner:$group" "$n"
		chmod "$mode" "$n"
		chown -R "$planter" "$n/project/sub"
		(cd "$n/project" && expect_status "$status" deploy config)
		[ "$status" = 0 ] ||
			assert_contains "$err" "/$n/deploy.yml' is found from here, but belongs to the user $planter"
		(cd "$n/project" && run deploy config -c ../deploy.yml)
		DEPLOY_CONFIG=$n/deploy.yml run deploy config
		# By a link of the stranger's, too.
		rm "$n/deploy.yml"
		echo "sites: [{name: s, root: $PWD/r}]" >"$n/mine.yml"
		ln -s mine.yml "$n/deploy.yml"
		chown -h "$planter" "$n/deploy.yml"
		(cd "$n/project" && expect_status "$status" deploy config)
		# In a directory of the stranger's, who is in that on purpose.
		if [ "$mode" = 755 ]; then
			(cd "$n/project/sub" && run deploy config)
		fi
	done <<-'EOF'
	65534 1777 0 0 2
	65534 777 0 0 2
	65534 755 65534 65534 2
	65534 775 0 4711 2
	65534 775 0 0 0
	0 1777 0 0 0
	EOF
	# As somebody else: one's own, and root's.
	mkdir own
	chmod 1777 own
	for owner in 0 65534; do
		echo "sites: [{name: s, root: $PWD/r}]" >own/deploy.yml
		chown "$owner" own/deploy.yml
		(cd own && as_user "$DEPLOY" config >/dev/null 2>&1) || fail "of $owner"
	done
	chown 4711 own/deploy.yml
	(cd own && ! as_user "$DEPLOY" config >/dev/null 2>&1) || fail "of 4711"
}

run_tests
