#!/bin/bash
# Four people who build on request, with the scripts that they had
# (tests/before) and with `deploy` (man/examples): both do it, with the same
# generator, and the example says how many lines it saves.
# parts: 4
# shellcheck disable=SC2154 # $queue: set by what is called
. "$(dirname "$0")/../lib.sh"
. "$TREE/tests/queue.sh"

examples=$TREE/man/examples
before=$TREE/tests/before

# lines FILE: those that say something.
lines() {
	grep -cvE '^[[:space:]]*(#|$)' "$1"
}

# example NAME: as deploy.yml here, with our paths.
example() {
	sed "s,/srv/,$PWD/srv/,g; s,/var/lib/,$PWD/lib/,g
		s,https://forge.example.org/\([a-z]*\).git,$PWD/\1.git," \
	    "$examples/$1.yml" >deploy.yml
	tr -d '#\n' <deploy.yml | tr -s ' ' |
	    grep -q " $(lines "$examples/$1.yml") lines instead of $(lines "$before/$1") of shell" ||
	    fail "$1: $(lines "$examples/$1.yml") lines instead of $(lines "$before/$1")"
}

# program NAME: one of ours on the PATH that has the options of the real one;
# standard input is what it does.
program() {
	mkdir -p bin
	{
		echo '#!/bin/sh -e'
		cat
	} >"bin/$1"
	chmod 755 "bin/$1"
	PATH=$PWD/bin:$PATH
}

# repository NAME TEXT: NAME.git, whose index.page has the text.
repository() {
	if [ ! -d "work-$1" ]; then
		git init -q -b main "work-$1"
		git -C "work-$1" config user.name ann
		git -C "work-$1" config user.email ann@example.org
		git init -q --bare -b main "$1.git"
		git -C "work-$1" remote add origin "$PWD/$1.git"
	fi
	echo "$2" >"work-$1/index.page"
	git -C "work-$1" add .
	git -C "work-$1" commit -q -m "$2"
	git -C "work-$1" push -q origin main
}

serves() {
	grep -qF "$2" "$1/current/${3:-index.html}"
}

t_pintail() {
	need_cmd git
	program pintail <<-'EOS'
	[ "$1 $2" = "build -o" ]
	if grep -q broken index.page; then exit 1; fi
	mkdir -p "$3" && cat index.page >"$3/index.html"
	EOS
	repository docs one
	repository api one
	mkdir -p old lib/docs srv/www
	echo "$PWD/docs.git" >old/docs.url
	FIFO=$PWD/old.fifo SRC=$PWD/old WWW=$PWD/oldwww "$before/pintail" 2>old.log &
	defer kill $!
	wait_for 20 test -p old.fifo
	echo docs >old.fifo
	wait_for 20 serves oldwww/docs one
	example pintail
	worker --fifo new.fifo
	wait_for 20 test -p new.fifo
	printf '%s\n' docs.example.org api.example.org nobody docs.example.org >new.fifo
	wait_for 30 serves srv/www/docs.example.org one
	wait_for 30 serves srv/www/api.example.org one
	wait_for 20 grep -q "no site 'nobody'" worker.log
	repository docs broken
	echo docs.example.org >new.fifo
	wait_for 30 test_failed docs.example.org
	serves srv/www/docs.example.org one
	repository docs two
	echo docs.example.org >new.fifo
	wait_for 30 serves srv/www/docs.example.org two
}

test_failed() {
	[ "$(field "$1" .tries)" -ge 1 ]
}

t_satis() {
	need_cmd rsync
	# As the real one: all that satis.json has, or what is named as well.
	program satis <<-'EOS'
	[ "$1" = build ] && [ -s "$2" ] && mkdir -p "$3"
	out=$3 all=$(cat "$2")
	shift 3
	[ "$1" != -- ] || shift
	echo "$*" >>"$SEEN"
	for p in ${*:-$all}; do
		mkdir -p "$out/p/${p%/*}" && date +%N >"$out/p/$p.json"
	done
	(cd "$out" && find p -type f) >"$out/packages.json"
	cp "$out/packages.json" "$out/index.html"
	EOS
	export SEEN=$PWD/seen
	mkdir -p spool lib/satis srv/www
	echo "a/one a/two b/three" >lib/satis/satis.json
	mkdir old
	cp lib/satis/satis.json old
	echo all >spool/1
	ONCE=1 SPOOL=$PWD/spool DATA=$PWD/old WWW=$PWD/oldwww "$before/satis"
	serves oldwww b/three packages.json
	: >seen
	example satis
	sed -i "/notify_url/d; /settle/d" deploy.yml
	cp deploy.yml lib/satis
	cd lib/satis
	enqueue packages
	once
	serves ../../srv/www/packages b/three packages.json
	assert_eq "$(cat "$SEEN")" "" "everything"
	cat ../../srv/www/packages/current/p/a/one.json >one
	# What many ask for while nobody works is one build.
	enqueue packages --item a/two
	enqueue packages --item b/three --item a/two
	once
	assert_eq "$(tail -n 1 "$SEEN")" "a/two b/three"
	assert_eq "$(wc -l <"$SEEN")" 2
	cmp one ../../srv/www/packages/current/p/a/one.json
}

t_melody() {
	need_cmd rsync
	mkdir -p srv/melody/tools srv/www
	cat >srv/melody/tools/rebuild-pages <<-'EOS'
	#!/bin/sh -e
	out=$4
	[ "$1" = --page ] || { out=$3; set -- --page $(seq -f 'news/%g.html' 300); }
	shift
	for p in "$@"; do
		case $p in --to) break ;; esac
		[ "$p" != broken.html ]
		mkdir -p "$out/$(dirname "$p")" && date +%N >"$out/$p"
	done
	date >"$out/index.html"
	EOS
	chmod +x srv/melody/tools/rebuild-pages
	mkdir old
	cp -R srv/melody/tools old
	printf 'news/1.html\nnews/2.html\n' >old/changed
	HOME_DIR=$PWD/old WWW=$PWD/oldwww "$before/melody"
	[ -s oldwww/current/news/2.html ]
	example melody
	cp deploy.yml srv/melody
	cd srv/melody
	enqueue magazine
	once
	[ "$(find ../www/magazine/current/news -type f | wc -l)" -eq 300 ]
	cp -R ../www/magazine/current/. was
	printf 'news/7.html\nnews/9.html\n' | run deploy enqueue magazine --item -
	once
	diff -rq was ../www/magazine/current >differs || true
	assert_eq "$(grep -c 'news/' differs)" 2
	# What cannot be built loses nothing of what was asked for.
	enqueue magazine --item broken.html --item news/3.html
	expect_status 1 deploy worker --once
	run deploy jobs show magazine --json
	assert_eq "$(json "$out" '.jobs[0].items | join(" ")')" \
	    "broken.html news/3.html"
}

t_homelab() {
	need_cmd git hugo curl
	export GIT_CONFIG_GLOBAL=$HOME/gitconfig GIT_CONFIG_SYSTEM=/dev/null
	export HUGO_CACHEDIR=$TMPDIR
	cp -R "$TREE/tests/demo-site" work-site
	chmod -R u+w work-site
	git init -q -b main work-site
	git -C work-site config user.name ann
	git -C work-site config user.email ann@example.org
	git init -q --bare -b main site.git
	git -C work-site remote add origin "$PWD/site.git"
	page one
	mkdir -p srv/www/site srv/site old
	start_nginx srv/www/site/current
	REPO=$PWD/site.git DIR=$PWD/old WWW=$PWD/oldwww URL=$url/ "$before/homelab" ||
	    true
	example homelab
	sed -i "s,http://localhost/,$url/," deploy.yml
	enqueue site
	once
	serves srv/www/site one news/index.html
	REPO=$PWD/site.git DIR=$PWD/old WWW=$PWD/oldwww URL=$url/ "$before/homelab"
	serves oldwww one news/index.html
	page two
	enqueue site
	once
	serves srv/www/site two news/index.html
	# What the web server does not give is not live.
	sed -i "s,$url/,$url/missing," deploy.yml
	page three
	enqueue site
	expect_status 1 deploy worker --once
	serves srv/www/site two news/index.html
	run deploy init --hooks
	[ -s hooks.yml ]
}

page() {
	mkdir -p work-site/content
	printf -- '---\ntitle: News\n---\n%s\n' "$1" >work-site/content/news.md
	git -C work-site add .
	git -C work-site commit -q -m "$1"
	git -C work-site push -q origin main
}

run_tests
