#!/bin/bash
# The recipes under man/examples: the shell parts of those for CI systems are
# run, with the variables that the system sets; those for web servers are
# given to the real ones, which are asked as visitors do.
# parts: 3
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/container.sh
. "$TREE/tests/container.sh"
# shellcheck source=tests/sshd.sh
. "$TREE/tests/sshd.sh"

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

# The key is that of the steps which run deploy, not of those which build.
t_no_build_has_the_key() {
	local f n=0
	for f in "$examples"/*.yml; do
		grep -q 'secrets\.\|from_secret' "$f" || continue
		n=$((n + 1))
		awk '
		/^ *- name: / { step = $3 }
		/^[a-z]+:$/ { step = "" }
		/DEPLOY_SSH_KEY:/ { has[step] = 1 }
		/^ *(- )?deploy / { runs[step] = 1 }
		END {
			for (step in has)
				if (!(step in runs))
					exit 1
			for (step in runs)
				if (!(step in has))
					exit 1
		}' "$f" || fail "the key in ${f##*/}"
	done
	assert_eq "$n" 5
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

# previews FILE: a pull request is opened, updated and closed.
previews() {
	cat >deploy.yml <<-EOF
	sites:
	  - name: s
	    root: $PWD/../www
	    source: public
	    preview: {url: "https://{name}.preview.example.org/"}
	EOF
	run deploy publish content
	export GITHUB_OUTPUT=$PWD/../output NAME=pr-7 CI_MERGE_REQUEST_IID=7
	echo '<p>proposed' >content/index.html
	step "$1" build
	step "$1" preview
	assert_eq "$(cat ../www/previews/pr-7/index.html)" '<p>proposed'
	assert_eq "$(cat ../www/current/index.html)" '<p>one'
	[[ $1 = gitlab* ]] || assert_contains ../output \
	    "preview_url=https://pr-7.preview.example.org/"
	echo '<p>better' >content/index.html
	step "$1" build
	step "$1" preview
	assert_eq "$(cat ../www/previews/pr-7/index.html)" '<p>better'
	assert_eq "$(cat ../www/current/index.html)" '<p>one'
	step "$1" remove
	[ ! -e ../www/previews/pr-7 ]
}

t_previews_of_github() {
	need_cmd git
	checkout
	export GITHUB_ACTIONS=true GITHUB_RUN_NUMBER=4 GITHUB_ACTOR=ann
	previews github-preview.yml
}

t_previews_of_forgejo() {
	need_cmd git
	checkout
	export GITHUB_ACTIONS=true GITHUB_RUN_NUMBER=4 GITHUB_ACTOR=ann
	previews forgejo-preview.yml
}

t_previews_of_gitlab() {
	need_cmd git
	checkout
	export GITLAB_CI=true CI_PIPELINE_IID=5 GITLAB_USER_LOGIN=ann
	previews gitlab-preview.yml
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

# ---------------------------------------------- with nothing but what they have

# install FILE: the packages that its step "install" has apt-get install.
installs() {
	sed -n 's/^ *\(sudo \)\{0,1\}apt-get -qq install //p' "$examples/$1"
}

# Each recipe as it is, in a root file system that has git, as a checkout needs
# it, the packages that the recipe installs, and deploy; over SSH to a host, with
# a key and its host key in variables.
t_with_nothing_but_what_they_install() {
	local f part build in
	need_root
	need_cmd git dpkg-query unshare ssh-keygen sshd
	unshare -m true 2>/dev/null || skip "no namespaces here"
	[ -z "${TEST_SANITIZE:-}" ] || skip "a program of another build"
	assert_eq "$(installs github.yml) $(installs forgejo.yml)" "hugo hugo"
	container_make box git hugo || skip "hugo or git is no package here"
	! container_run "$PWD/box" "$PWD" sh -c 'command -v jq || command -v ssh' ||
	    fail "it has more than that"
	sshd_start "$PWD/host"
	defer sshd_stop
	git_site
	in=(container_run "$PWD/box" "$PWD"
	    env "DEPLOY_SSH_KEY=$(<host/id)" LC_ALL=C.UTF-8
	    "DEPLOY_KNOWN_HOSTS=$(<host/known_hosts)")
	build=0
	for f in github.yml forgejo.yml gitlab-ci.yml; do
		a_post "by $f"
		: >output
		for part in install build publish tell; do
			[ "$part" != install ] || [ -n "$(installs "$f")" ] || continue
			[ "$part" != tell ] || [ "$f" != gitlab-ci.yml ] || continue
			commands "$f" "$part" |
			    sed "/apt-get/d; s/\\\${{ steps.publish.outputs.id }}/$(sed -n 's/^id=//p' output)/" >step.sh
			run "${in[@]}" "GITHUB_ACTIONS=$([[ $f = gitlab* ]] || echo true)" \
			    GITHUB_RUN_NUMBER=$((++build)) CI_PIPELINE_IID=$build \
			    "GITLAB_CI=$([[ $f != gitlab* ]] || echo true)" \
			    GITHUB_OUTPUT=/mnt/output \
			    sh -ec 'cd /mnt/site && . /mnt/step.sh'
		done
		assert_contains www/current/posts/new/index.html "by $f"
		[ "$f" = gitlab-ci.yml ] || {
			assert_contains output changed=true
			assert_contains "$out" "live: $(sed -n 's/^id=//p' output)"
		}
	done
	# The line of the crontab, as cron runs it.
	a_post "by cron"
	mkdir -p home
	git clone -q site home/site
	git -C home/site remote set-url origin /mnt/site
	sed -n 's/^\*[^a-z]*cd/cd/p' "$examples/crontab" >step.sh
	run "${in[@]}" sh /mnt/step.sh
	[ ! -s "$out" ] || fail "mail: $(cat "$out")"
	assert_contains www/current/posts/new/index.html "by cron"
	# A push.
	git clone -q --bare site bare.git
	cp "$examples/post-receive" bare.git/hooks/
	rm -rf home/site
	a_post "by a push"
	run "${in[@]}" git -C /mnt/site push -q /mnt/bare.git main
	assert_contains www/current/posts/new/index.html "by a push"
}

# A real site of Hugo in ./site, under git, that is published to the host.
git_site() {
	cp -R "$TREE/tests/demo-site" site
	cat >site/deploy.yml <<-EOF
	sites:
	  - name: s
	    root: $PWD/www
	    source: public
	    build: {command: hugo --quiet --destination public}
	    hosts: [{address: 127.0.0.1, port: $sshd_port, deploy: $DEPLOY}]
	EOF
	echo public >site/.gitignore
	git -C site init -q -b main
	git -C site config user.name ann
	git -C site config user.email ann@example.org
}

a_post() {
	printf -- '---\ntitle: new\n---\n%s\n' "$1" >site/content/posts/new.md
	git -C site add .
	git -C site commit -q -m "$1"
}

# ------------------------------------------------------------- web servers

# configure PORT: the example of $server as the file "config", for this port,
# the root here, and without the certificates of a real site.
configure() {
	local port=$1 dir=$PWD/$server m
	local example=$examples/$server.conf
	[ "$server" != caddy ] || example=$examples/Caddyfile
	sed -e "s|/srv/www/example.org|$PWD/www|g" \
	    -e "s|listen 80;|listen 127.0.0.1:$port;|" \
	    -e "s|<VirtualHost \*:80>|<VirtualHost 127.0.0.1:$port>|" \
	    -e "s|^\(\*\.preview\.\)\{0,1\}example.org {|http://&|" \
	    -e "s|^\(http://.*example.org\) {|\1:$port {|" "$example" >example
	case $server in
	nginx)
		nginx_head "$dir"
		printf 'include "%s";\n}\n' "$PWD/example"
		;;
	caddy)
		printf '{\n\tadmin off\n\tauto_https off\n\tdefault_bind 127.0.0.1\n}\n'
		cat example
		;;
	apache)
		# Debian builds the modules that all have into the program.
		for m in mpm_event authz_core dir mime headers rewrite setenvif vhost_alias; do
			echo "LoadModule ${m}_module /usr/lib/apache2/modules/mod_$m.so"
		done
		cat <<-END
		ServerRoot "$dir"
		ServerName localhost
		Listen 127.0.0.1:$port
		PidFile "$dir/pid"
		ErrorLog "$dir/error.log"
		DefaultRuntimeDir "$dir"
		Mutex file:$dir
		StartServers 1
		TypesConfig "$dir/types"
		AddLanguage br .br
		AddType application/gzip .gz
		$([ "$(id -u)" -ne 0 ] || printf 'User #65534\nGroup #65534')
		Include "$PWD/example"
		END
		printf 'text/html html\ntext/javascript js\n' >"$dir/types"
		;;
	esac >config
}

serve() {
	case $server in
	nginx) exec nginx -p "$PWD/nginx" -c "$PWD/config" -e "$PWD/nginx/error.log" ;;
	caddy) XDG_DATA_HOME=$PWD/caddy XDG_CONFIG_HOME=$PWD/caddy HOME=$PWD/caddy \
	    exec caddy run --config config --adapter caddyfile ;;
	apache) exec apache2 -DFOREGROUND -f "$PWD/config" ;;
	esac </dev/null >>"$server/log" 2>&1
}

# ask HOST PATH [OPTION...]: the answer's headers in `heads`, what it has in
# `body`, as it came.
ask() {
	: >heads
	: >body
	curl --noproxy '*' -s -m 20 -D heads -o body --path-as-is \
	    --resolve "$1:$port:127.0.0.1" "${@:3}" "http://$1:$port$2" &&
	    tr -d '\r' <heads >lines && mv lines heads
}

# It is this server, not another that has the port.
answers() {
	ask example.org /token && cmp -s body site/token
}

# start: the web server with its example, for the site that is live.
start() {
	local try
	mkdir -p "$server"
	for ((try = 0; try < 20; try++)); do
		port=$((20000 + RANDOM % 12000))
		configure $port
		serve &
		pid=$!
		while kill -0 $pid 2>/dev/null; do
			if answers; then
				defer kill $pid
				return
			fi
			sleep 0.05
		done
	done
	fail "$server does not start: $(cat "$server"/*log)"
}

# encoded NAME: what is asked for takes NAME, and gets it, and it is the file.
encoded() {
	local how=$1 host=$2 path=$3 file=$4
	ask "$host" "$path" -H "Accept-Encoding: $how"
	assert_status 200
	assert_eq "$(header Content-Encoding)" "$how" "$path: $(cat heads)"
	assert_contains heads "Accept-Encoding"
	(($(wc -c <body) < $(wc -c <"$file"))) || fail "nothing is saved"
	case $how in
	gzip) gzip -dc body | cmp - "$file" ;;
	br) cmp body "$file.br" ;;
	esac
}

site() {
	mkdir -p site/assets site/dir site/forms
	{ echo "<p>$1"; seq 900; } >site/index.html
	cp site/index.html site/dir/
	tee site/forms/any.wasm site/forms/UP.HTML site/forms/none \
	    'site/forms/a?v=1.css' <site/index.html >/dev/null
	{ echo "// $1"; seq 900; } >site/assets/app-1.js
	echo "<p>nothing here" >site/404.html
	[ -e site/token ] || echo "$RANDOM$RANDOM$BASHPID" >site/token
}

# on SERVER FORM...: it does with its example what visitors need, and gives
# these forms.
on() {
	local etag f forms
	server=$1
	forms=("${@:2}")
	need_cmd curl
	cat >deploy.yml <<-END
	sites:
	  - name: example.org
	    source: site
	    root: $PWD/www
	    compress: {paths: ["*.html", "*.js", "forms/*"]}
	END
	site one
	mkdir -p site/assets/sub
	echo "<p>one" >site/assets/sub/index.txt
	run deploy publish
	start
	cat >>deploy.yml <<-END
	    check:
	      url: http://example.org:$port/
	      connect: 127.0.0.1:$port
	      headers: {"assets/**": "max-age=31536000, immutable", "*.html": no-cache}
	END
	run deploy check
	# A page, and by the name of its directory.
	for f in / /index.html /dir/; do
		ask example.org $f
		assert_status 200
		cmp body site/index.html
		assert_eq "$(header Cache-Control)" no-cache "$f"
		assert_contains heads "text/html"
	done
	etag=$(header ETag)
	ask example.org /dir/ -H "If-None-Match: $etag"
	assert_status 304
	for f in "${forms[@]}"; do
		(cd site && find . -name '*.html' -o -name '*.js') >files
		mkdir -p beside
		cp -RL www/current/. beside
		encoded "$f" example.org /index.html beside/index.html
		encoded "$f" example.org / beside/index.html
		assert_contains heads "text/html"
		assert_eq "$(header Cache-Control)" no-cache
		encoded "$f" example.org /assets/app-1.js beside/assets/app-1.js
		assert_contains heads "javascript"
		assert_eq "$(header Cache-Control)" "max-age=31536000, immutable"
	done
	for f in "${forms[@]}"; do
		local name
		for name in any.wasm UP.HTML none; do
			encoded "$f" example.org /forms/$name beside/forms/$name
		done
		ask example.org "/forms/a%3Fv=1.css" -H "Accept-Encoding: $f"
		assert_status 200
	done
	# Who takes none gets none.
	for f in identity "gzip;q=0, br;q=0" "br; q=0.0,gzip;q=0.000, identity"; do
		ask example.org / -H "Accept-Encoding: $f"
		assert_eq "$(header Content-Encoding)" "" "$f"
	done
	# The way to a directory is kept by nobody, as it may go.
	ask example.org /assets/sub
	assert_eq "$(awk 'NR == 1 && $2 ~ /^30[18]$/' heads | wc -l)" 1
	assert_not_contains heads max-age
	ask example.org /assets/app-1.js
	assert_eq "$(header Cache-Control)" "max-age=31536000, immutable"
	# What is missing is kept by nobody.
	for f in /assets/app-2.js /missing /assets/ /dir/x; do
		ask example.org $f
		assert_eq "$(awk 'NR == 1 && ($2 == 404 || $2 == 403)' heads | wc -l)" 1
		assert_not_contains heads immutable
		assert_not_contains heads max-age
	done
	ask example.org /assets/app-2.js
	assert_status 404
	cmp body site/404.html
	assert_eq "$(header Cache-Control)" no-cache
	# Nothing of ours is served.
	for f in /.deploy/journal /../.deploy/journal /%2e%2e/.deploy/journal \
	    /..%2f.deploy/journal; do
		ask example.org $f
		assert_eq "$(awk 'NR == 1 && $2 >= 400' heads | wc -l)" 1 "$f"
	done
	# A preview is shown under its name, and only there.
	site two
	run deploy stage --preview pr-2
	ask pr-2.preview.example.org /
	assert_status 200
	cmp body site/index.html
	assert_eq "$(header X-Robots-Tag)" noindex
	assert_eq "$(header Cache-Control)" no-cache
	ask pr-2.preview.example.org /missing
	assert_status 404
	assert_eq "$(header X-Robots-Tag)" noindex
	ask example.org /
	cmp body beside/index.html
	assert_eq "$(header X-Robots-Tag)" ""
	ask pr-3.preview.example.org /
	assert_status 404
	ask ..pr-2.preview.example.org /.deploy/journal || true
	assert_not_contains body activate
	# It goes live: all get it, in each form, and no old validator holds.
	run deploy activate pr-2
	for f in / /dir/; do
		ask example.org $f
		cmp body site/index.html
	done
	ask example.org /dir/ -H "If-None-Match: $etag"
	assert_status 200
	rm -rf beside
	cp -RL www/current/. beside
	for f in "${forms[@]}"; do
		encoded "$f" example.org / beside/index.html
	done
	run deploy check
	run deploy rollback
	ask example.org /
	assert_contains body "<p>one"
	run deploy check
}

t_nginx() {
	need_cmd nginx
	on nginx gzip
}

t_caddy() {
	need_cmd caddy
	on caddy gzip br
}

t_apache() {
	need_cmd apache2
	on apache gzip br
}

# dictionaries SERVER: who has an earlier version gets what changed (RFC 9842), and
# all others the file; 18-dictionaries tries harder, with nginx.
dictionaries() {
	local i hash w path=/assets/app.99999999.js
	server=$1
	need_cmd curl zstd openssl
	cat >deploy.yml <<-END
	sites:
	  - name: example.org
	    source: site
	    root: $PWD/www
	    compress: {paths: ["*.html", "*.js"]}
	    dictionaries: {paths: ["assets/*.js"], from: 9}
	    keep: 50
	    max_delete: 100%
	END
	# Until there are hashes without, with one, and with two slashes.
	mkdir old
	for ((i = 10; i < 60; i++)); do
		site $i
		rm site/assets/*
		{ seq 3000; echo "// $i"; } >site/assets/app.1a2b3c$i.js
		hash=$(hash_of site/assets/*.js)
		w=${hash//[!\/]/}
		w=${#w}
		((w < 3)) && [ ! -e "old/$w" ] || continue
		run deploy publish
		cp site/assets/*.js "old/$w"
		[ ! -e old/0 ] || [ ! -e old/1 ] || [ ! -e old/2 ] || break
	done
	rm site/assets/*
	{ seq 3000; echo "// last"; } >site$path
	run deploy publish
	start
	for w in old/*; do
		hash=$(hash_of "$w")
		ask example.org $path -H "Available-Dictionary: :$hash:" \
		    -H "Accept-Encoding: gzip, deflate, br, dcz"
		assert_status 200
		assert_eq "$(header Content-Encoding)" dcz "$w $hash"
		assert_eq "$(header Content-Type)" text/javascript
		assert_eq "$(header Cache-Control)" "max-age=31536000, immutable"
		assert_eq "$(header Use-As-Dictionary)" 'match="/assets/app.*.js"'
		assert_contains heads "Available-Dictionary"
		assert_contains heads "Accept-Encoding"
		tail -c +41 body | zstd -dqc --patch-from="$w" | cmp - "site$path"
	done
	# Who does not take it, or has something else.
	for w in gzip identity "dcz;q=0" xdcz; do
		ask example.org $path -H "Available-Dictionary: :$hash:" \
		    -H "Accept-Encoding: $w"
		assert_plain "site$path" "$w"
	done
	for w in ":$(hash_of /dev/null):" "$hash" "::" \
	    ":../../../.deploy/journal=:" ":..%2f..%2f=:" ":*=:"; do
		ask example.org $path -H "Available-Dictionary: $w" \
		    -H "Accept-Encoding: gzip, dcz"
		assert_plain "site$path" "$w"
	done
	ask example.org /assets/app.00000000.js -H "Accept-Encoding: dcz" \
	    -H "Available-Dictionary: :$hash:"
	assert_status 404
	assert_not_contains heads immutable
	assert_eq "$(header Use-As-Dictionary)" ""
}

# hash_of FILE: as browsers have it.
hash_of() {
	openssl dgst -sha256 -binary "$1" | base64 -w 0
}

t_dictionaries_of_caddy() {
	need_cmd caddy
	dictionaries caddy
}

t_dictionaries_of_apache() {
	need_cmd apache2
	dictionaries apache
}

run_tests
