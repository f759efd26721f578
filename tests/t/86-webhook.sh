#!/bin/bash
# From a signed request of a forge to the page behind nginx: Debian's webhook
# with the hooks of man/examples/, the queue, a worker, Hugo.
# shellcheck disable=SC2154 # $job, $worker, $queue: set by what is called
. "$(dirname "$0")/../lib.sh"
. "$TREE/tests/queue.sh"

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
	! git -C work remote | grep -q . || git -C work push -q origin main
}

# The example of deploy-queue(7), with paths of ours.
configuration() {
	awk '/^A site of Hugo/ { found = 1 }
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

# webhook on a free port, with the hooks of the examples; $hooks is its URL.
receiver() {
	local try given=()
	need_cmd webhook curl openssl
	[ -z "${secret+x}" ] || given=("DEPLOY_HOOK_SECRET=$secret")
	sed "s,/etc/deploy/deploy.yml,$PWD/deploy.yml," \
	    "${hooks_file:-$TREE/man/examples/hooks.json}" >hooks.json
	for ((try = 0; try < 20; try++)); do
		port=$((20000 + RANDOM % 12000))
		env "${given[@]}" webhook -template \
		    -hooks hooks.json -ip 127.0.0.1 -port "$port" \
		    -http-methods POST -nopanic -verbose >webhook.log 2>&1 &
		receiver=$!
		for _ in {1..100}; do
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

# payload BRANCH COMMIT MESSAGE: what the forges have in common.
payload() {
	jq -nc --arg ref "refs/heads/$1" --arg after "$2" --arg m "$3" \
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
	status=$(curl --noproxy '*' -sS -m 20 -o "$out" -w '%{http_code}' \
	    -H 'Content-Type: application/json' "${args[@]}" \
	    --data-binary @payload "$hooks/$1")
}

github() {
	post example.org-github "X-GitHub-Event: ${2:-push}" \
	    "X-Hub-Signature-256: sha256=$1"
}

no_jobs() {
	run deploy jobs --json
	assert_eq "$(json "$out" '.jobs | length')" 0 "$1"
}

serves() {
	curl --noproxy '*' -sS -m 5 "$url/news/" | grep -qF "$1"
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
	assert_eq "$status" 200
	assert_eq "$(field example.org '| "\(.ref) \(.reason) \(.requests)"')" \
	    "5f0c1ab a change 1"
	payload main 5f0c1ac "a change"
	post example.org-gitea "X-Gitea-Event: push" \
	    "X-Gitea-Signature: $(signature)"
	assert_eq "$status" 200
	assert_eq "$(field example.org '| "\(.ref) \(.requests)"')" "5f0c1ac 2"
	payload main 5f0c1ad "a change"
	post example.org-gitlab "X-Gitlab-Event: Push Hook" \
	    "X-Gitlab-Token: $secret"
	assert_eq "$status" 200
	assert_eq "$(field example.org '| "\(.ref) \(.reason) \(.requests)"')" \
	    "5f0c1ad ann 3"
}

t_what_is_not_signed_is_nothing() {
	sites example.org
	receiver
	payload main 5f0c1ab "a change"
	github "$(signature wrong)"
	assert_eq "$status" 500
	github ''
	assert_eq "$status" 500
	github "$(signature | tr '0-9a-f' '1-9a-f0')"
	post example.org-github 'X-GitHub-Event: push'
	post example.org-gitea 'X-Gitea-Event: push' \
	    "X-Gitea-Signature: $(signature wrong)"
	post example.org-gitlab 'X-Gitlab-Event: Push Hook' \
	    'X-Gitlab-Token: wrong'
	post example.org-gitlab 'X-Gitlab-Event: Push Hook'
	# A good signature of something else.
	good=$(signature)
	payload main 0000000 "another change"
	github "$good"
	no_jobs "not signed"
	# Not a push, not the branch.
	github "$(signature)" ping
	assert_contains "$out" "not satisfied"
	payload develop 5f0c1ab "a change"
	github "$(signature)"
	payload main/../develop 5f0c1ab "a change"
	github "$(signature)"
	no_jobs "not a push to main"
	assert_eq "$(curl --noproxy '*' -sS -m 5 -o /dev/null \
	    -w '%{http_code}' "$hooks/example.org-github")" 405
	no_jobs "GET"
}

# Signed, but evil.
t_what_is_signed_is_not_trusted() {
	local ref
	sites example.org
	receiver
	# shellcheck disable=SC2016
	for ref in '--config=/tmp/x' '$(touch pwned)' '; touch pwned' '' \
	    "$(printf 'a%.0s' {1..300})"
	do
		payload main "$ref" "a change"
		github "$(signature)"
		assert_eq "$status" 500 "$ref"
		assert_contains "$out" "occurred"
	done
	no_jobs "evil"
	# shellcheck disable=SC2016
	payload main 5f0c1ab '--wait $(touch pwned)'$'\n''; touch pwned'
	github "$(signature)"
	assert_eq "$status" 200
	# shellcheck disable=SC2016
	assert_eq "$(field example.org .reason)" \
	    '--wait $(touch pwned) ; touch pwned'
	[ ! -e pwned ] || fail "pwned"
}

t_what_cannot_be_enqueued_is_an_error() {
	sites example.org
	receiver
	payload main 5f0c1ab "a change"
	echo broken >>deploy.yml
	github "$(signature)"
	assert_eq "$status" 500
}

# Whoever forgot the secret, or left it empty, has no hooks, and none that
# anybody may use.
without_secret() {
	local key hmac
	configuration
	receiver
	grep -q "couldn't load hooks\|error" webhook.log ||
	    fail "not told: $(cat webhook.log)"
	payload main 0123456789abcdef0123456789abcdef01234567 pwned
	for key in '' ' ' '<no value>' undefined; do
		hmac=$(openssl dgst -sha256 -mac HMAC -macopt "key:$key" -r \
		    payload 2>/dev/null | cut -d ' ' -f 1) || hmac=
		github "$hmac"
		assert_eq "$status" 404 "GitHub"
		post example.org-gitea "X-Gitea-Event: push" \
		    "X-Gitea-Signature: $hmac"
		assert_eq "$status" 404 "Gitea"
		post example.org-gitlab "X-Gitlab-Event: Push Hook" \
		    "X-Gitlab-Token: $key"
		assert_eq "$status" 404 "GitLab"
	done
	post example.org-gitlab "X-Gitlab-Event: Push Hook" "X-Gitlab-Token;"
	assert_eq "$status" 404 "GitLab, an empty token"
	post example.org-gitlab "X-Gitlab-Event: Push Hook"
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

# Also if the template let it pass: an empty token is none.
t_an_empty_token() {
	configuration
	sed -n '/^\[/,$p' "$TREE/man/examples/hooks.json" >rest.json
	secret='' hooks_file=rest.json receiver
	payload main 0123456789abcdef0123456789abcdef01234567 pwned
	post example.org-gitlab "X-Gitlab-Event: Push Hook" "X-Gitlab-Token;"
	assert_contains "$out" "Hook rules were not satisfied"
	no_jobs "an empty token"
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

# A receiver that notes what it gets.
server() {
	need_cmd python3
	cat >server.py <<-'EOF'
	import http.server, sys
	class H(http.server.BaseHTTPRequestHandler):
	    def do_POST(self):
	        n = int(self.headers["Content-Length"])
	        with open("got", "ab") as f:
	            f.write(b"%s %s %s\n" % (self.command.encode(),
	                self.path.encode(), self.rfile.read(n).replace(b"\n", b"")))
	        self.send_response(200)
	        self.end_headers()
	        self.wfile.write(b"{}")
	    do_PUT = do_POST
	s = http.server.HTTPServer(("127.0.0.1", 0), H)
	print(s.server_port, flush=True)
	s.serve_forever()
	EOF
	python3 server.py >server.port 2>server.log &
	wait_for 10 test -s server.port
	server=http://127.0.0.1:$(cat server.port)
}

t_notifications() {
	need_cmd curl jq
	server
	export no_proxy='*' SLACK_WEBHOOK=$server/slack
	export MATRIX_SERVER=$server MATRIX_ROOM='!abc:example.org'
	export MATRIX_TOKEN=token
	sites a -- "worker: {notify: '$TREE/man/examples/notify-slack && $TREE/man/examples/notify-matrix', retry: 0s}"
	build '[ -e good ] || { rmdir busy-a; exit 3; }'
	enqueue a --ref v1
	expect_status 1 deploy worker --once
	touch good
	enqueue a --ref v2
	once
	assert_not_contains "$err" notify:
	[ "$(wc -l <got)" -eq 3 ] || fail "$(cat got)"
	assert_contains got 'POST /slack'
	assert_contains got 'a: build failed: the build command failed with status 3'
	# Some versions of jq escape the exclamation mark, and some do not.
	grep -qE 'PUT /_matrix/client/v3/rooms/(%21|!)abc%3Aexample.org/send/m.room.message/deploy-' \
	    got || fail "$(cat got)"
	assert_contains got 'a: published v2'
}

run_tests
