#!/bin/bash
# From a signed request of a forge to the page behind nginx: Debian's webhook
# with the hooks that `deploy init --hooks` writes, the queue, a worker, Hugo.
# parts: 2
# shellcheck disable=SC2154 # $job, $worker, $queue: set by what is called
. "$(dirname "$0")/../lib.sh"
. "$TREE/tests/queue.sh"
. "$TREE/tests/container.sh"
. "$TREE/tests/docker.sh"

secret='s3cret "quoted" \ word'

# A repository with a site of Hugo, and a clone that is built from: $commit is
# the newest on main.
repository() {
	need_cmd git hugo
	export GIT_CONFIG_GLOBAL=$HOME/gitconfig GIT_CONFIG_SYSTEM=/dev/null
	git config --global user.name Ann
	git config --global user.email ann@example.org
	git config --global init.defaultBranch main
	cp -R "$TREE/tests/demo-site" work
	chmod -R u+w work
	git -C work init -q
	commit "the first page"
	git clone -q --bare work origin.git
	git -C work remote add origin "$PWD/origin.git"
	export HUGO_CACHEDIR=$TMPDIR
}

# commit TEXT: a page with that text, on main.
commit() {
	mkdir -p work/content
	printf -- '---\ntitle: News\n---\n%s\n' "$1" >work/content/news.md
	git -C work add -A
	git -C work commit -q -m "$1"
	commit=$(git -C work rev-parse HEAD)
	! git -C work remote | finds . || git -C work push -q origin main
}

# The example of deploy-queue(7), with paths of ours.
configuration() {
	awk '/^A Hugo site that is built from/ { found = 1 }
	found && /^\.Ed/ { exit }
	inside { print }
	found && /^\.Bd/ { inside = 1 }' "$TREE/man/deploy-queue.7" |
	    sed "s,/srv/www,$PWD/www,; s,/var/lib/deploy,$PWD/queue,
		s,https://forge[^\"]*,$PWD/origin.git,
		s/, notify:[^}]*//; s/settle: 5s/settle: 0s/" >deploy.yml
	assert_contains deploy.yml "git: {url: \"$PWD/origin.git"
	mkdir -p www
	queue=$PWD/queue
}

# Hooks for the sites, each with the secret: they and `deploy` are where
# webhook(1) finds them.
hooks() {
	run deploy init --hooks
	sed -n 's/=.*//p' hooks.env >variables
	[ -z "${secret+x}" ] || while read -r v; do
		export "$v=$secret"
	done <variables
	PATH=${DEPLOY%/*}:$PATH
}

# webhook on a free port, with hooks for all sites; $hooks is its URL.
receiver() {
	local try
	need_cmd webhook curl openssl
	hooks
	for ((try = 0; try < 20; try++)); do
		port=$((20000 + RANDOM % 12000))
		webhook -template -hooks hooks.yml -ip 127.0.0.1 \
		    -port "$port" -nopanic -verbose >webhook.log 2>&1 &
		receiver=$!
		for _ in {1..200}; do
			kill -0 "$receiver" 2>/dev/null || break
			if grep -q "serving hooks" webhook.log; then
				hooks=http://127.0.0.1:$port/hooks
				return
			fi
			sleep 0.05
		done
	done
	fail "webhook does not start: $(cat webhook.log)"
}

# payload REF COMMIT MESSAGE: what the forges have in common; a REF without
# its beginning is a branch.
payload() {
	local ref=$1
	[[ $ref = refs/* ]] || ref=refs/heads/$ref
	jq -nc --arg ref "$ref" --arg after "$2" --arg m "$3" \
	    '{ref: $ref, after: $after, user_username: "ann",
	    head_commit: {id: $after, message: $m}}' >payload
}

signature() {
	openssl dgst -sha256 -hmac "${1:-$secret}" -r payload | cut -d ' ' -f 1
}

# post HOOK HEADER...: send the payload; the status is in $status, the answer
# in $out.
post() {
	local h args=()
	for h in "${@:2}"; do
		args+=(-H "$h")
	done
	status=$(curl --noproxy '*' -sSk -m 20 -o "$out" -w '%{http_code}' \
	    -H 'Content-Type: application/json' "${args[@]}" \
	    --data-binary @payload "$hooks/$1")
}

github() {
	post "${site:-example.org}" "X-GitHub-Event: ${2:-push}" \
	    "X-Hub-Signature-256: sha256=$1"
}

no_jobs() {
	run deploy jobs --json
	assert_eq "$(json "$out" '.jobs | length')" 0 "$1"
}

serves() {
	curl --noproxy '*' -sS -m 5 "$url/news/" | finds -F "$1"
}

t_push_to_page() {
	local start
	repository
	configuration
	receiver
	start_nginx www/example.org/current
	worker
	payload main "$commit" "the first page"
	github "$(signature)"
	assert_eq "$status" 200 "$(cat "$out" webhook.log)"
	grep -qE '^[0-9]+$' "$out" || fail "no job: $(cat "$out")"
	wait_for 60 serves "the first page"
	# The next push, as fast as it goes.
	commit "the second page"
	payload main "$commit" "the second page"
	start=${EPOCHREALTIME/./}
	github "$(signature)"
	assert_eq "$status" 200
	echo "answered after $(((${EPOCHREALTIME/./} - start) / 1000)) ms"
	wait_for 60 serves "the second page"
	echo "live after $(((${EPOCHREALTIME/./} - start) / 1000)) ms"
	# Who and what is with the release.
	run deploy list --json
	assert_eq "$(json "$out" '.releases[0] | .commit + " " + .message')" \
	    "$commit the second page"
	# A build that fails leaves what is live, and a push mends it.
	printf '{{ nonsense' >work/layouts/index.html
	commit "a broken template"
	payload main "$commit" "a broken template"
	github "$(signature)"
	assert_eq "$status" 200
	wait_for 60 failed_once
	serves "the second page" || fail "not live any more"
	git -C work revert --no-edit HEAD >/dev/null
	commit "the third page"
	payload main "$commit" "the third page"
	github "$(signature)"
	wait_for 60 serves "the third page"
}

failed_once() {
	[ "$(field example.org .tries)" -ge 1 ]
}

t_each_forge() {
	sites example.org
	receiver
	payload main 5f0c1ab "a change"
	github "$(signature)"
	assert_eq "$status" 200 "$(cat "$out")"
	assert_eq "$(cat "$out")" "$(field example.org .job)"
	assert_eq "$(field example.org '| "\(.ref) \(.reason) \(.requests)"')" \
	    "null a change 1"
	post example.org "X-GitHub-Event: push" "X-Gitea-Event: push" \
	    "X-Gitea-Signature: $(signature)"
	assert_eq "$status" 200
	post example.org "X-Gitlab-Event: Push Hook" "X-Gitlab-Token: $secret"
	assert_eq "$status" 200
	assert_eq "$(field example.org '| "\(.reason) \(.requests)"')" \
	    "a change 3"
	jq 'del(.head_commit)' payload >without
	mv without payload
	post example.org "X-Gitlab-Event: Push Hook" "X-Gitlab-Token: $secret"
	assert_eq "$(field example.org '| "\(.reason) \(.requests)"')" "ann 4"
}

# What counts is in deploy.yml: "EVENT REF COMMIT" and what comes of it, a ref,
# - for what is newest, or nothing.
t_which_pushes_count() {
	local event ref commit want
	sites a example.org
	sed -i '/name: example.org/a\    push: {branches: [main, "release/*"], tags: ["v[0-9]*"]}' deploy.yml
	receiver
	while IFS='|' read -r event ref commit want; do
		payload "$ref" "$commit" "a change"
		github "$(signature)" "$event"
		assert_eq "$status" 200 "$event $ref: $(cat "$out")"
		case $want in
		nothing)
			assert_contains "$out" "nothing to do"
			no_jobs "$event $ref"
			continue
			;;
		-) want=null ;;
		esac
		assert_eq "$(field example.org .ref)" "$want" "$event $ref"
		run deploy jobs remove example.org
	done <<-END
	push|main|5f0c1ab|-
	push|release/1.2|5f0c1ab|-
	push|master|5f0c1ab|nothing
	push|domain|5f0c1ab|nothing
	push|main/x|5f0c1ab|nothing
	push|main,x|5f0c1ab|nothing
	push|release|5f0c1ab|nothing
	push|v1|5f0c1ab|nothing
	push|refs/tags/v1.0|5f0c1ab|v1.0
	push|refs/tags/v1/rc|5f0c1ab|v1/rc
	push|refs/tags/main|5f0c1ab|nothing
	push|refs/tags/vx|5f0c1ab|nothing
	push|refs/notes/commits|5f0c1ab|nothing
	push|main|0000000000000000000000000000000000000000|nothing
	ping|main|5f0c1ab|nothing
	create|refs/tags/v1.0|5f0c1ab|nothing
	Tag Push Hook|refs/tags/v2|5f0c1ab|v2
	END
	# Another site, and what is pushed to by default.
	payload master 5f0c1ab "a change"
	site=a github "$(signature)"
	assert_eq "$(cat "$out")" "$(field a .job)"
	payload develop 5f0c1ab "a change"
	site=a github "$(signature)"
	assert_contains "$out" "nothing to do"
	for s in b a/ full full/b example.org/x A; do
		site=$s github "$(signature)"
		assert_eq "$status" 404 "$s"
	done
}

# A body that cannot be read is not taken for a branch that was deleted.
t_a_body_that_is_no_push() {
	local type body
	sites a
	receiver
	while IFS='|' read -r type body; do
		printf '%s' "$body" >payload
		status=$(curl --noproxy '*' -sS -m 20 -o "$out" \
		    -w '%{http_code}' -H "Content-Type: $type" \
		    -H 'X-GitHub-Event: push' --data-binary @payload \
		    -H "X-Hub-Signature-256: sha256=$(signature)" "$hooks/a")
		assert_eq "$status" 500 "$body"
		assert_contains "$out" "content type application/json"
	done <<-'END'
	application/x-www-form-urlencoded|payload=%7B%22ref%22%3A%22refs%2Fheads%2Fmain%22%2C%22after%22%3A%228c1f%22%7D
	application/json|{"ref":"refs/heads/main","after":"8c1f"
	application/json|{"ref":"refs/heads/main","after":""}
	application/json|{"after":"8c1f"}
	END
	no_jobs 'none'
}

# Each site has a secret of its own, which stays when hooks are written again.
t_secrets_of_sites() {
	sites a b
	run deploy init --hooks -n
	[ ! -e hooks.env ] && [ ! -e hooks.yml ] || fail "not dry"
	run deploy init --hooks
	assert_eq "$(stat -c %a hooks.env)" 600
	grep -Eqx 'DEPLOY_HOOK_SECRET_a=[0-9a-f]{64}' hooks.env
	[ "$(sed 's/.*=//' hooks.env | sort -u | wc -l)" -eq 2 ]
	cp hooks.env before
	cp hooks.yml before.yml
	run deploy init --hooks --json
	assert_eq "$(json "$out" '"\(.changed) \(.sites | length)"')" "false 2"
	cmp before hooks.env
	unset queue
	sites b a c.d
	run deploy init --hooks --json
	assert_eq "$(json "$out" '"\(.changed) \(.sites[2].secret)"')" \
	    "true DEPLOY_HOOK_SECRET_c_d"
	head -n 2 hooks.env | cmp - before
	[ "$(wc -l <hooks.env)" -eq 3 ]
	! cmp -s before.yml hooks.yml
	assert_not_contains hooks.yml "$(sed -n 's/.*=//p;q' hooks.env)"
	# With the secret of another site nothing is done.
	unset secret
	set -a
	. ./hooks.env
	set +a
	receiver
	secret=$DEPLOY_HOOK_SECRET_b
	payload main 5f0c1ab "a change"
	site=a github "$(signature)"
	assert_eq "$status" 403
	post a "X-Gitlab-Event: Push Hook" "X-Gitlab-Token: $secret"
	assert_eq "$status" 403
	no_jobs "another secret"
	site=b github "$(signature)"
	assert_eq "$status" 200
	# Two sites that would share one.
	sites c.d c-d
	expect_status 2 deploy init --hooks
	assert_contains "$err" "another name"
	expect_status 2 deploy init --hooks -s c.d
}

t_names_and_patterns_are_words() {
	# shellcheck disable=SC2016 # meant
	local name='{{ x }} "$(touch pwned)'\''é'
	jq -n --arg name "$name" --arg dir "$PWD" '{sites: [{name: $name,
	    root: ($dir + "/www"), push: {branches: ["{{main}}",
	    "$(touch\tpwned)" | gsub("\t"; "${IFS}"), "`id`", "'\''*'\''"]}}],
	    queue: ($dir + "/queue")}' >deploy.yml
	receiver
	payload '{{main}}' 5f0c1ab "a change"
	site=$(jq -rn --arg s "$name" '$s | @uri') github "$(signature)"
	assert_eq "$status" 200 "$(cat "$out" webhook.log)"
	assert_eq "$(field "$name" .site)" "$name"
	payload develop 5f0c1ab "a change"
	site=$(jq -rn --arg s "$name" '$s | @uri') github "$(signature)"
	assert_contains "$out" "nothing to do"
	[ ! -e pwned ] || fail "pwned"
}

t_what_is_not_signed_is_nothing() {
	sites example.org
	receiver
	payload main 5f0c1ab "a change"
	github "$(signature wrong)"
	assert_eq "$status" 403
	github ''
	assert_eq "$status" 403
	github "$(signature | tr '0-9a-f' '1-9a-f0')"
	post example.org 'X-GitHub-Event: push'
	assert_eq "$status" 403
	post example.org 'X-Gitea-Event: push' \
	    "X-Gitea-Signature: $(signature wrong)"
	assert_eq "$status" 403
	post example.org 'X-Gitlab-Event: Push Hook' 'X-Gitlab-Token: wrong'
	assert_eq "$status" 403
	post example.org 'X-Gitlab-Event: Push Hook'
	post example.org 'X-Gitlab-Event: Push Hook' 'X-Gitlab-Token;'
	assert_eq "$status" 403
	# A signature of less, or of nothing, with the body in another form.
	good=$(signature)
	: >nothing
	none=$(openssl dgst -sha256 -hmac "$secret" -r nothing | cut -d ' ' -f 1)
	status=$(curl --noproxy '*' -sS -m 20 -o "$out" -w '%{http_code}' \
	    -H 'X-GitHub-Event: push' -H "X-Hub-Signature-256: sha256=$none" \
	    -F "ref=refs/heads/main" -F after=5f0c1ab "$hooks/example.org")
	assert_eq "$status" 403
	github "sha1=$(openssl dgst -sha1 -hmac "$secret" -r payload | cut -d ' ' -f 1)"
	assert_eq "$status" 403
	# A good signature of something else.
	payload main 0000001 "another change"
	github "$good"
	assert_eq "$status" 403
	no_jobs "not signed"
	assert_eq "$(curl --noproxy '*' -sS -m 5 -o /dev/null \
	    -w '%{http_code}' "$hooks/example.org")" 405
	no_jobs "GET"
}

# What was signed once can be sent again, late and out of order: of a branch
# the newest is built, whatever it says.
t_replayed() {
	local old
	repository
	configuration
	receiver
	payload main "$commit" "the first page"
	cp payload first
	old=$(signature)
	commit "the second page"
	payload main "$commit" "the second page"
	github "$(signature)"
	cp first payload
	github "$old"
	assert_eq "$status" 200
	once
	assert_contains www/example.org/current/news/index.html "the second page"
	run deploy list --json
	assert_eq "$(json "$out" '.releases[0].commit')" "$commit"
	for _ in 1 2 3; do
		github "$old"
	done
	once
	assert_contains www/example.org/current/news/index.html "the second page"
	run deploy list --json
	assert_eq "$(json "$out" '.releases | length')" 1
}

# Signed, but evil.
t_what_is_signed_is_not_trusted() {
	local ref
	sites example.org
	sed -i '/name: example.org/a\    push: {tags: ["*"]}' deploy.yml
	receiver
	# shellcheck disable=SC2016
	for ref in '--config=/tmp/x' '$(touch pwned)' '; touch pwned' '' \
	    "$(printf 'a%.0s' {1..300})" $'a\nb' '../x'
	do
		payload "refs/tags/$ref" 5f0c1ab "a change"
		github "$(signature)"
		assert_eq "$status" 500 "$ref"
		assert_contains "$out" "is no ref"
	done
	printf '{"ref":"refs/tags/a\\u0000b","after":"1"}' >payload
	github "$(signature)"
	assert_eq "$status" 500
	for f in '[]' '' '{' 'null' '{"ref":{"a":1},"after":[1]}' '"x"'; do
		printf %s "$f" >payload
		github "$(signature)"
		[ "$status" -lt 500 ] || assert_contains "$out" "no push can be read"
	done
	no_jobs "evil"
	# shellcheck disable=SC2016
	payload refs/tags/v1 5f0c1ab '--wait $(touch pwned)'$'\n''; touch pwned'
	github "$(signature)"
	assert_eq "$status" 200
	# shellcheck disable=SC2016
	assert_eq "$(field example.org .reason)" \
	    '--wait $(touch pwned) ; touch pwned'
	[ ! -e pwned ] || fail "pwned"
	# Messages that no environment holds.
	payload refs/tags/v2 5f0c1ab v2
	jq -c '.head_commit.message = "long" + "m" * 200000' payload >long
	mv long payload
	github "$(signature)"
	assert_eq "$status" 200 'a long message'
	field example.org .reason | finds '^longmmm' || fail 'no message'
	payload refs/tags/v3 5f0c1ab v3
	jq -c '.head_commit.message = "a\u0000b ä"' payload >nul
	mv nul payload
	github "$(signature)"
	assert_eq "$status" 200 'a NUL'
	assert_eq "$(field example.org .reason)" 'ab ä'
	assert_eq "$(find "${TMPDIR:-/tmp}" -maxdepth 1 -user "$(id -u)" \
	    -name 'HOOK_MESSAGE_FILE*' -newer deploy.yml)" '' 'files that are left'
}

t_what_cannot_be_enqueued_is_an_error() {
	sites example.org
	receiver
	payload main 5f0c1ab "a change"
	echo broken >>deploy.yml
	github "$(signature)"
	assert_eq "$status" 500
	assert_contains "$out" deploy.yml
	# And it is not because the queue is full.
	site=full/example.org github "$(signature)"
	assert_eq "$status" 500
}

# The example for nginx, with a certificate of its own: $hooks is its URL.
behind_nginx() {
	need_cmd nginx
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 \
	    -nodes -keyout key.pem -out cert.pem -days 2 \
	    -subj /CN=hooks.example.org 2>/dev/null
	local upstream=${hooks#http://} try
	upstream=${upstream%/hooks}
	mkdir -p nginx
	for ((try = 0; try < 20; try++)); do
		port=$((20000 + RANDOM % 12000))
		sed -e "s,listen 443 ,listen 127.0.0.1:$port ,
		    s,127.0.0.1:9000,$upstream,
		    s,/etc/[^;]*fullchain.pem,$PWD/cert.pem,
		    s,/etc/[^;]*privkey.pem,$PWD/key.pem," \
		    "$TREE/man/examples/nginx-hooks.conf" >nginx/hooks.conf
		nginx_head "$PWD/nginx" >nginx/conf
		printf 'include "%s";\n}\n' "$PWD/nginx/hooks.conf" >>nginx/conf
		nginx -p "$PWD/nginx" -c "$PWD/nginx/conf" \
		    -e "$PWD/nginx/error.log" </dev/null >nginx/log 2>&1 &
		nginx=$!
		hooks=https://127.0.0.1:$port/hooks
		while kill -0 "$nginx" 2>/dev/null; do
			if curl --noproxy '*' -ks "$hooks" >/dev/null; then
				defer kill "$nginx"
				return
			fi
			sleep 0.05
		done
	done
	fail "nginx does not start: $(cat nginx/*log)"
}

# Kilobytes that webhook has had at once.
receiver_peak() {
	awk '$1 == "VmHWM:" { print $2 }' "/proc/$receiver/status"
}

t_behind_nginx() {
	local before
	sites a b c -- "max_waiting: 2"
	receiver
	behind_nginx
	payload main 5f0c1ab "a change"
	for site in a b a; do
		github "$(signature)"
		assert_eq "$status" 200 "$(cat "$out")"
		assert_eq "$(cat "$out")" "$(field $site .job)"
	done
	# As many wait as may.
	site=c
	github "$(signature)"
	assert_eq "$status" 429 "$(cat "$out")"
	assert_contains "$out" "2 jobs wait already"
	site=full/a
	github "$(signature)"
	assert_eq "$status" 404 "it is not asked from outside"
	site=b
	github "$(signature)"
	assert_eq "$status" 200 "what is merged is not one more"
	site=d
	github "$(signature)"
	assert_eq "$status" 404
	site=a
	github "$(signature wrong)"
	assert_eq "$status" 403
	github "$(signature)" ping
	assert_eq "$status" 200
	run deploy jobs --json
	assert_eq "$(json "$out" '[.jobs[].site] | join(" ")')" "a b"
	# 100 MB, with its length and without: no more of it than may be.
	before=$(receiver_peak)
	truncate -s 100M payload
	github "$(printf '0%.0s' {1..64})"
	assert_eq "$status" 413
	status=$(curl --noproxy '*' -sk -m 20 -o "$out" -w '%{http_code}' \
	    -H 'Transfer-Encoding: chunked' -H 'X-GitHub-Event: push' \
	    -T - "-XPOST" "$hooks/a" <payload) || true
	[ "$status" = 413 ] || [ "$status" = 000 ] || fail "chunked: $status"
	[ "$(($(receiver_peak) - before))" -lt 20000 ] ||
	    fail "$before KB were $(receiver_peak)"
	# Status 5xx is for what has gone wrong only.
	payload main 5f0c1ab "a change"
	mv deploy.yml away
	github "$(signature)"
	assert_eq "$status" 500 "$(cat "$out")"
	assert_contains "$out" deploy.yml
	mv away deploy.yml
	sed -i /max_waiting/d deploy.yml
	printf '%-5000s' none >queue/queue.db
	github "$(signature)"
	assert_eq "$status" 500 "$(cat "$out")"
	assert_contains "$out" "is damaged"
	for method in GET HEAD PUT; do
		status=$(curl --noproxy '*' -sk -m 20 -o "$out" \
		    -w '%{http_code}' -X "$method" "$hooks/a") || true
		assert_eq "$status" 405 "$method"
	done
}

# 1,000 at once, one in ten of them with a wrong signature: each is answered, what
# is signed is in one job, what is not is in none, and the receiver stays small.
# One curl(1) has 300 on their way at most.
t_a_thousand_at_once() {
	local n=1000 i sign bad use before good pids=()
	sites a
	receiver
	payload main 5f0c1ab "a change"
	sign=$(signature)
	bad=$(signature wrong)
	for ((i = 0; i < n; i++)); do
		((i % 10 == 0)) && use=$bad || use=$sign
		printf 'url = "%s"\noutput = "answers/%d"\nheader = "Content-Type: application/json"\nheader = "X-GitHub-Event: push"\nheader = "X-Hub-Signature-256: sha256=%s"\ndata-binary = "@payload"\nwrite-out = "%%{http_code}\\n"\nnoproxy = "*"\nsilent\nmax-time = 300\nnext\n' \
		    "$hooks/a" "$i" "$use" >>"requests-$((i % 4))"
	done
	mkdir answers
	before=$(receiver_peak)
	for i in 0 1 2 3; do
		sed -i '$d' "requests-$i"
		curl --parallel --parallel-immediate --parallel-max 250 -K "requests-$i" >"statuses-$i" &
		pids+=("$!")
	done
	wait "${pids[@]}"
	# On a machine that is slow enough a few wait too long for the database, and
	# are told so: those the forge sends again.
	assert_eq "$(cat statuses-? | grep -cx 403)" 100
	good=$(cat statuses-? | grep -cx 200)
	assert_eq "$((good + $(cat statuses-? | grep -cx 500)))" 900
	((good >= 880)) || fail "only $good of 900: $(cat answers/*)"
	assert_eq "$(grep -lxE '[0-9]+' answers/* | wc -l)" "$good"
	assert_eq "$(grep -hxE '[0-9]+' answers/* | sort -u)" "$(field a .job)"
	assert_eq "$(field a .requests)" "$good"
	assert_eq "$(sql 'SELECT count(*) FROM deploy_jobs')" 1
	# Some 30 KB for each that it has in hand.
	[ "$(($(receiver_peak) - before))" -lt 100000 ] ||
	    fail "$before KB were $(receiver_peak)"
}

# Whoever forgot the secret, or left it empty, has no hooks, and none that
# anybody may use.
without_secret() {
	local key hmac
	configuration
	receiver
	payload main 0123456789abcdef0123456789abcdef01234567 pwned
	for key in '' ' ' '<no value>' undefined; do
		hmac=$(openssl dgst -sha256 -mac HMAC -macopt "key:$key" -r \
		    payload 2>/dev/null | cut -d ' ' -f 1) || hmac=
		github "$hmac"
		assert_eq "$status" 404 "GitHub"
		post example.org "X-Gitea-Event: push" \
		    "X-Gitea-Signature: $hmac"
		assert_eq "$status" 404 "Gitea"
		post example.org "X-Gitlab-Event: Push Hook" \
		    "X-Gitlab-Token: $key"
		assert_eq "$status" 404 "GitLab"
	done
	post example.org "X-Gitlab-Event: Push Hook" "X-Gitlab-Token;"
	assert_eq "$status" 404 "GitLab, an empty token"
	post example.org "X-Gitlab-Event: Push Hook"
	assert_eq "$status" 404 "GitLab, no token"
	no_jobs 'without a secret'
}

t_an_empty_secret() {
	secret=
	without_secret
}

t_no_secret() {
	unset secret
	without_secret
}

# One has a secret, and another has none.
t_one_secret() {
	unset secret
	sites a example.org
	export DEPLOY_HOOK_SECRET_a=a DEPLOY_HOOK_SECRET_example_org=
	receiver
	payload main 5f0c1ab "a change"
	site=a github "$(signature a)"
	assert_eq "$status" 200
	github "$(signature a)"
	assert_eq "$status" 404
	for token in '' a; do
		post example.org "X-Gitlab-Event: Push Hook" \
		    "X-Gitlab-Token;" "X-Gitlab-Token: $token"
		assert_eq "$status" 404
	done
}

# ------------------------------------------------------------- in containers

# The machine that forges ask and the one that builds have nothing in common but a
# volume, with the queue or the server's socket: each has a root file system with
# what it needs, processes, a network and a user of its own.

# box NAME UID COMMAND...: in that container, with NAME as /srv; it ends with it.
box() {
	unshare -m -p -f -u -i -n --kill-child bash -ec '
		name=$1 uid=$2 root=root-of-$1
		mount --make-rprivate /
		mount --bind "$root" "$root"
		mount -o remount,bind,ro "$root"
		mount --bind "$name" "$root/srv"
		mount --bind volume "$root/volume"
		mount --rbind /dev "$root/dev"
		mount -t proc proc "$root/proc"
		mount -t tmpfs tmpfs "$root/tmp"
		hostname "$name"
		ip link set lo up
		exec chroot "$root" setpriv --reuid "$uid" --regid "$uid" --groups 4242 --inh-caps=-all \
		    --bounding-set=-all -- env -i PATH=/usr/bin:/bin HOME=/srv "${@:3}"' box "$1" "$2" \
	    "${strict[@]}" "${@:3}"
}

# box_exec NAME UID COMMAND...: in the container that box() has in the process $NAME.
box_exec() {
	nsenter -t "$(first_inside "${!1}")" -m -p -u -i -n -r -w -- setpriv --reuid "$2" --regid "$2" --groups 4242 -- \
	    "${strict[@]}" "${@:3}"
}

# box_kill NAME: with all that is in it.
box_kill() {
	kill -KILL "$(first_inside "${!1}")" 2>/dev/null || true
	wait "${!1}" || true
}

# The same in Docker.
docker_box() {
	docker run --rm --name "$1" --hostname "$1" --user "$2:$2" --group-add 4242 --cap-drop ALL \
	    --network none --read-only --tmpfs /tmp --volume "$PWD/$1:/srv" --volume "$PWD/volume:/volume" \
	    --env HOME=/srv "$1:1" "${strict[@]}" "${@:3}"
}

docker_box_exec() {
	docker exec --user "$2:$2" "$1" "${strict[@]}" "${@:3}"
}

docker_box_kill() {
	docker kill "$1" >/dev/null 2>&1 || true
	wait "${!1}" || true
}

# With them in Docker or as namespaces, a site a and a queue at $queue.
two_boxes() {
	local name
	need_root
	need_cmd webhook curl openssl setpriv ip nsenter
	unshare -m -p -f -u -i -n true 2>/dev/null || skip "needs namespaces"
	strict=(sh -c 'umask 077 && cd /srv && exec "$@"' sh)
	box=${1}box
	[ -z "$1" ] || docker_start
	chmod 755 . "$_base" "$_base/work"
	install -d -m 2770 -o 0 -g 4242 volume
	mkdir receiver worker
	for name in "receiver webhook curl" "worker sed"; do
		# shellcheck disable=SC2086 # words are meant
		set -- $name $queue_package
		if [ "$box" = docker_box ]; then
			docker_image "$1:1" "${@:2}"
		else
			container_make "root-of-$1" "${@:2}" || skip "not packages here: ${*:2}"
			mkdir -p "root-of-$1"/{srv,volume}
		fi
		cat >"$1/deploy.yml" <<-END
		sites:
		  - name: a
		    source: out
		    root: /srv/www/a
		    build: {command: "touch began; while [ -e held ]; do sleep 0.05; done; mkdir -p out; cp page out/index.html"}
		queue: "$queue"
		worker: {logs: /srv/logs}
		END
	done
	mkdir worker/www
	chown -R 4002:4002 receiver
	chown -R 4001:4001 worker
}

# push PAGE: the forge tells of it; $status is what it is answered.
push() {
	echo "$1" >worker/page
	payload main 0123456789abcdef0123456789abcdef01234567 "$1"
	cp payload receiver/payload
	status=$("${box}_exec" receiver 4002 curl --noproxy '*' -sS -m 60 -o answer -w '%{http_code}' \
	    -H 'Content-Type: application/json' -H 'X-GitHub-Event: push' \
	    -H "X-Hub-Signature-256: sha256=$(signature ${2+"$2"})" \
	    --data-binary @payload http://127.0.0.1:9000/hooks/a)
}

is_page() {
	[ "$(cat worker/www/a/current/index.html 2>/dev/null)" = "$1" ]
}

start_receiver() {
	"$box" receiver 4002 sh -c 'set -a; . ./hooks.env; exec webhook -template -hooks hooks.yml \
	    -ip 127.0.0.1 -port 9000 -verbose' >receiver.log 2>&1 &
	receiver=$!
	wait_for 60 grep -q "serving hooks" receiver.log
}

start_worker() {
	"$box" worker 4001 deploy worker >worker.log 2>&1 &
	worker=$!
	wait_for 60 grep -q "waiting for jobs" worker.log
}

end_boxes() {
	[ -z "$receiver" ] || "${box}_kill" receiver
	[ -z "$worker" ] || "${box}_kill" worker
}

# From a push to the page, and again when one of them was killed.
hook_to_page() {
	receiver='' worker=''
	run "$box" receiver 4002 deploy init --hooks
	defer end_boxes
	secret=$(sed -n 's/^DEPLOY_HOOK_SECRET_a=//p' receiver/hooks.env)
	start_receiver
	push "not signed" wrong
	assert_eq "$status" 403
	# Nobody works yet: it is kept.
	push "the first page"
	assert_eq "$status $(cat receiver/answer)" "200 1"
	start_worker
	wait_for 60 is_page "the first page"
	# One that has nothing to do is woken.
	push "the second page"
	assert_eq "$status" 200 "$(cat receiver/answer receiver.log)"
	wait_for 60 is_page "the second page"
	"${box}_kill" receiver
	start_receiver
	# The worker dies in the midst of it, and another one does it again.
	touch worker/held
	rm worker/began
	push "the third page"
	assert_eq "$status" 200 "$(cat receiver/answer receiver.log)"
	wait_for 60 test -e worker/began
	"${box}_kill" worker
	rm worker/held worker/began
	start_worker
	wait_for 60 is_page "the third page"
	run "${box}_exec" receiver 4002 deploy jobs --json
	assert_eq "$(json "$out" '[.jobs[].job] | join(" ")')" "3 2 1"
}

with_sqlite() {
	queue=/volume queue_package=
	two_boxes "${1:-}"
	hook_to_page
	assert_eq "$(find volume ! -group 4242 -o -perm /o+rwx)" ""
}

# The server is on the machine of both; its socket is all that they see of it.
with_postgresql() {
	local pg_sockets=$PWD/volume database=containers$BASHPID
	need_root
	install -d -m 2777 volume
	pg_port=
	pg_start || skip "needs PostgreSQL"
	defer pg_stop QUIT
	pg_sql postgres "CREATE DATABASE $database"
	queue="postgresql://deploy@/$database?host=/volume&port=$pg_port" queue_package=libpq5
	two_boxes "${1:-}"
	chmod 2777 volume
	hook_to_page
	assert_eq "$(pg_sql "$database" "SELECT count(*) FROM deploy_jobs WHERE state = 'done'")" 3
}

t_in_containers() {
	with_sqlite
}

t_in_containers_with_postgresql() {
	with_postgresql
}

t_in_docker() {
	with_sqlite docker_
}

t_in_docker_with_postgresql() {
	with_postgresql docker_
}

# ------------------------------------------------------------ other examples

t_units() {
	local f
	need_cmd systemd-analyze
	mkdir units
	for f in "$TREE"/man/examples/*.service "$TREE"/man/examples/*.timer
	do
		sed "s,^ExecStart=deploy,ExecStart=$DEPLOY,
			s,^ExecStart=webhook,ExecStart=/bin/true," "$f" \
		    >"units/${f##*/}"
	done
	systemd-analyze verify --man=no units/* >verify 2>&1 ||
	    fail "$(cat verify)"
	[ ! -s verify ] || fail "$(cat verify)"
	for f in units/*.service; do
		systemd-analyze security --offline=true --threshold=30 "$f" \
		    >exposure 2>&1 || fail "$f: $(tail -n 1 exposure)"
	done
	# What they start is what the program takes.
	grep -h '^ExecStart=deploy' "$TREE"/man/examples/*.service >starts
	assert_eq "$(wc -l <starts)" 2
	sites a
	while read -r line; do
		line=${line#ExecStart=deploy }
		# shellcheck disable=SC2086 # words are meant
		run deploy ${line/\/etc\/deploy/$PWD} -n
	done <starts
}

# A receiver that notes what it gets, a line of JSON each in `got`, and answers
# with the statuses of `answers`, then with 200.
server() {
	need_cmd python3
	cat >server.py <<-'EOF'
	import hashlib, hmac, http.server, json
	try:
	    answers = open("answers").read().split()
	except FileNotFoundError:
	    answers = []
	class H(http.server.BaseHTTPRequestHandler):
	    def do_POST(self):
	        body = self.rfile.read(int(self.headers["Content-Length"]))
	        sign = hmac.new(b"s3cret \"quoted\" \\ word", body, hashlib.sha256)
	        with open("got", "a") as f:
	            f.write(json.dumps({"method": self.command, "path": self.path,
	                "body": json.loads(body), "raw": body.decode(),
	                "signed": self.headers["X-Hub-Signature-256"] ==
	                    "sha256=" + sign.hexdigest(),
	                "headers": dict(self.headers)}) + "\n")
	        self.send_response(int(answers.pop(0)) if answers else 200)
	        self.end_headers()
	        self.wfile.write(b"{}")
	    do_PUT = do_POST
	s = http.server.HTTPServer(("127.0.0.1", 0), H)
	print(s.server_port, flush=True)
	s.serve_forever()
	EOF
	python3 server.py >server.port 2>server.log &
	wait_for 20 test -s server.port
	server=http://127.0.0.1:$(cat server.port)
	export no_proxy='*'
}

# outcomes KEYS: jobs of the site a that are done, fail, and are well again,
# with these keys of the worker.
outcomes() {
	sites a -- "worker: {retry: 0s, $1}"
	build '[ -e good ] || { rmdir busy-a; exit 3; }'
	touch good
	enqueue a --ref v1
	once
	assert_not_contains "$err" notify:
	rm good
	enqueue a --ref v2
	expect_status 1 deploy worker --once
	assert_not_contains "$err" notify:
	touch good
	enqueue a --ref v3
	once
	assert_not_contains "$err" notify:
	enqueue a --ref v4
	once
}

# What the server got under a path.
told() {
	jq -r "select(.path | test(\"$1\")) | $2" got
}

t_notifications() {
	need_cmd curl jq
	server
	export SLACK_WEBHOOK=$server/slack
	export MATRIX_SERVER=$server MATRIX_ROOM='!abc:example.org'
	export MATRIX_TOKEN=token
	outcomes "notify: '$TREE/man/examples/notify-slack && $TREE/man/examples/notify-matrix'"
	# Some versions of jq escape the exclamation mark, and some do not.
	sed -i 's/; nothing was changed//g' got
	assert_eq "$(told '^/_matrix/client/v3/rooms/(%21|!)abc%3Aexample.org/send/m.room.message/deploy-' \
	    '"\(.method) \(.body.body)"')" "PUT a: published v1
PUT a: failed: the build command failed with status 3
PUT a: well again, published v3
PUT a: published v4"
	assert_eq "$(told /slack '"\(.method) \(.body.text | sub(" \\(.*"; ""))"')" \
	    "POST a: published
POST a: build failed: the build command failed with status 3
POST a: well again
POST a: published"
}

t_notify_url() {
	need_cmd jq
	server
	DEPLOY_NOTIFY_SECRET=$secret outcomes "notify: 'env >>commanded',
	    notify_url: '$server/told?token=hidden'"
	assert_eq "$(told /told '"\(.body.event) \(.headers["X-Deploy-Event"]) \(.body.ref) \(.body.status) \(.body.tries) \(.signed)"')" \
	    "done done v1 0 0 true
retrying retrying v2 1 1 true
retrying retrying v2 1 2 true
retrying retrying v2 1 3 true
retrying retrying v2 1 4 true
failed failed v2 1 5 true
well-again well-again v3 0 0 true
done done v4 0 0 true"
	assert_eq "$(told /told '.headers["X-Deploy-Delivery"]' | sort -u | wc -l)" 8
	sed -i 's/; nothing was changed//g' got
	assert_eq "$(sed -n 6p got | jq -r '.body | "\(.text)|\(.site)|\(.job)|\(.message)"')" \
	    "a: failed: the build command failed with status 3|a|2|the build command failed with status 3"
	assert_eq "$(sed -n 1p got | jq -r '.body | "\(.message) \(.reason)"')" "null null"
	sed -n 1p got | jq -e '.body | (.started <= .ended) and (.worker | length > 0)' >seen
	assert_eq "$(grep -c '^DEPLOY_EVENT=' commanded)" 8
	assert_not_contains commanded SECRET
}

# What is not taken at once is sent again, but not what is refused.
t_notify_url_retried() {
	need_cmd jq
	echo "503 429 200 404 200" >answers
	server
	sites a -- "worker: {notify_url: '$server/told?token=hidden'}"
	build :
	enqueue a
	once
	assert_not_contains "$err" notify:
	assert_eq "$(wc -l <got)" 3
	assert_eq "$(jq -r '.headers["X-Deploy-Delivery"]' got | sort -u | wc -l)" 1
	assert_eq "$(jq -r '.headers["X-Hub-Signature-256"]' got | sort -u)" null
	enqueue a
	once
	assert_contains "$err" "notify: 127.0.0.1:$(cat server.port) answers with status 404"
	assert_not_contains "$err" hidden
	assert_eq "$(wc -l <got)" 4
	assert_eq "$(field a .state)" 'done'
}

# Nobody there: it is said, and the jobs go on.
t_notify_url_of_nobody() {
	sites a -- "worker: {notify_url: 'http://user:hidden@127.0.0.1:1/hidden'}"
	build :
	export no_proxy='*'
	enqueue a
	once
	assert_contains "$err" "notify: 127.0.0.1:1: "
	assert_not_contains "$err" hidden
	assert_eq "$(field a .state)" 'done'
	expect_status 2 deploy __post
	run deploy help
	assert_not_contains "$out" __post
}

run_tests
