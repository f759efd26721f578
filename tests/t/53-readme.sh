#!/bin/bash
# README.md and the tutorials, followed by a newcomer to the letter, in a world
# that has the servers they speak of; and the site that `make html` makes of
# them and of the manuals.
# parts: 2
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/world.sh
. "$TREE/tests/world.sh"
# shellcheck source=tests/manual.sh
. "$TREE/tests/manual.sh"

# code FILE LANGUAGE: what is between ```LANGUAGE and ```.
code() {
	awk -v begin="\`\`\`$2" '$0 == begin { inside = 1; next }
	    /^```/ { inside = 0 } inside' "$1"
}

t_to_four_hosts() {
	local n readme=$TREE/README.md
	needs_world
	cp -R "$TREE/tests/demo-site" site
	code "$readme" yaml | sed 's,https:,http:,' >site/deploy.yml
	grep -q 'www4.example.org' site/deploy.yml || fail "no example"
	code "$readme" console | sed -n 's/^\$ //p' >typed
	{
		sed -n '/^    server {/,/^    }/p' "$readme" >server
		echo 'for n in 1 2 3 4; do serve "$n" <server; done'
		# As root on the host, whom nobody lets in here by the network.
		echo 'cd site; for n in 1 2 3 4; do'
		sed -n '/ssh root@/s/www1/www$n/; s/| ssh root@[^ ]*/| on "$n"/p' typed
		echo 'done; set -x'
		# Something to go back from.
		more='echo More fog. >>content/posts/fog.md'
		sed -n -e '/^deploy publish/{p;i\' -e "$more" -e '}' \
		    -e '/^deploy/{/root@/!p;}' typed
		cat <<-'EOF'
		set +x
		for n in 1 2 3 4; do
			on "$n" sh -c 'cd /srv/www/example.org; readlink current
			    grep -rl "More fog" current/posts releases/*/posts'
		done | sed 's,.*/2,2,' >../found
		EOF
	} >steps
	in_world <steps
	# The second one is there on all hosts, and the first one is live.
	assert_eq "$(sort found | uniq -c | awk '{ print $1, $2 ~ /fog/ }')" \
	    $'4 0\n4 1' "$(cat found)"
	for n in 1 2 3 4; do
		assert_eq "$(grep -c "@www$n.example.org: it is served" "$err")" 3
	done
	assert_contains "$out" "www4.example.org"
}

# Where nothing may move, the picture shows its last screen.
t_the_picture_stands_still_where_it_should() {
	local last
	last=$(sed -n 's/^ *100.000%{transform:\(.*\)}$/\1/p' "$TREE/man/deploy.svg")
	[ -n "$last" ] || fail "no last screen"
	grep -qF "                transform:$last;" "$TREE/man/deploy.svg" ||
	    fail "it shows another screen"
	grep -q 'prefers-reduced-motion: reduce.*animation: none' \
	    "$TREE/man/deploy.svg" || fail "it always moves"
}

# ------------------------------------------------------------- tutorials

# steps FILE: a script of what a tutorial says: each block that begins with
# "# NAME" is written to that file; each line after "$ " is run, and so is what
# stands in a comment "test: ...", which a reader does not see; it has to
# succeed.  What each prints is in printed/NUMBER, what the tutorial shows of it
# in shown/NUMBER.
steps() {
	mkdir -p shown printed
	awk '
	/^<!-- test: / {
		sub(/^<!-- test: /, "")
		sub(/ -->$/, "")
		print $0 " || exit"
		next
	}
	/^```/ {
		if (file)
			print "END_OF_FILE"
		file = 0
		inside = /^```[a-z]/
		console = /^```console/
		next
	}
	inside && console && /^\$ / {
		n++
		printf "{ %s\n} >../printed/%d 2>&1 </dev/null || failed %d\n", \
		    substr($0, 3), n, n
		printf "%s\n", substr($0, 3) > ("shown/" n ".typed")
		printf "" > ("shown/" n)
		next
	}
	inside && console { print > ("shown/" n) }
	inside && !console && !file && /^# / {
		file = 1
		printf "cat >%s <<\"END_OF_FILE\"\n", substr($0, 3)
	}
	file { print }' "$1"
}

# What differs from one run to the next, in ids, times, sizes, durations and
# names, is not looked at, nor how wide a column is.
same_words() {
	sed -E 's/[0-9]{8}T[0-9]{6}\.[0-9]{3}/ID/g
	    s/[0-9-]{10}T[0-9:]{8}Z/TIME/g
	    s/[0-9.]+ (B|kB|MB|GB|ms|s)\b/N \1/g
	    s,[^ ]*/public,PUBLIC,; s/(root|ann)@[a-z0-9-]+ /WHO /
	    s/[ \t]+/ /g; s/ $//' "$@"
}

# follow TUTORIAL: all of it, in the world of the helpers in the standard input.
follow() {
	local f n
	needs_world
	cp -R "$TREE/tests/demo-site" site
	{
		cat
		cat <<-'EOF'
		failed() {
			echo "step $1: $(<"../shown/$1.typed")"
			cat "../printed/$1"
			exit 1
		} >&2
		# Root and deploy on the hosts, whom nobody lets in here by the
		# network; their nginx listens on its own address.
		ssh() {
			local n=${1#*@www}
			n=${n%%.*}
			shift
			sed "s/listen 80;/listen 127.0.0.1$n:80;/" |
			    on "$n" sh -c "$*"
		}
		cd site
		EOF
		steps "$TREE/man/$1"
	} >steps
	in_world <steps
	for f in shown/*[0-9]; do
		n=${f#*/}
		same_words "printed/$n" >got
		while IFS= read -r line; do
			grep -qxF -- "$line" got ||
			    fail "$1: $(<"$f.typed"): no '$line' in:" \
			    $'\n'"$(<"printed/$n")"
		done < <(same_words "$f")
	done
}

t_your_hugo_site_on_two_servers() {
	follow tutorial-hugo.md </dev/null
	assert_contains printed/6 "new root"
}

t_from_capistrano_or_rsync() {
	follow tutorial-move.md <<-'EOF'
	own_key() {
		on "$1" install -d -o deploy -m 700 "$home/deploy/.ssh"
		on "$1" sh -c 'cat >"$0"' "$home/deploy/.ssh/authorized_keys" \
		    <"$home/me/.ssh/id_ed25519.pub"
	}
	capistrano() {
		hugo --quiet
		for n in 1 2; do
			own_key "$n"
			on "$n" bash -c '
			mkdir -p /srv/www/example.org
			cd /srv/www/example.org
			mkdir -p releases/20261101120000 shared/uploads
			echo old >releases/20261101120000/index.html
			ln -s "$PWD/shared/uploads" releases/20261101120000
			ln -s "$PWD/releases/20261101120000" current
			chown -hR deploy: .'
		done
	}
	rsynced() {
		local n
		for n in 1 2; do
			[ "$(on "$n" cat /srv/www/example.org/current/index.html)" = old ]
			on "$n" rm -rf /srv/www "$home/deploy/.ssh"
			on "$n" cp -R "$PWD/public" /var/www/example.org
			serve "$n" <<-END
			server { listen 80; root /var/www/example.org; }
			END
			on "$n" mv /etc/nginx/conf.d/{site,example.org}.conf
		done
		sed -i /uploads/d deploy.yml
	}
	EOF
	# What rsync had brought and what is live now do not differ.
	assert_contains shown/10.typed "diff -r"
	assert_eq "$(<printed/10)" ""
}

t_when_the_site_is_broken() {
	follow tutorial-broken.md <<-'EOF'
	published() {
		local n
		sed -n '/^```yaml/,/^```/p' "$TREE/man/tutorial-hugo.md" |
		    sed '/^```/d; s/www1/&/' >deploy.yml
		for n in 1 2; do
			deploy doctor --script "www$n.example.org" | on "$n" sh
			serve "$n" <<-END
			server { listen 80; root /srv/www/example.org/current; }
			END
		done
		deploy publish --seq 1 -m 'the first release'
		echo dear >>content/_index.md
		deploy publish --seq 2 -m 'new prices'
		echo broken >>content/_index.md
		deploy publish --seq 3 -m 'a new menu'
	} >&2
	changed() {
		on 2 sh -c 'cd /srv/www/example.org/current && echo x >x &&
		    mv x index.html'
	}
	EOF
}

# What deploy-host(7) says of the key of a job, to the letter, for a host that
# has deploy nowhere yet.
t_a_key_for_a_job() {
	needs_world
	need_cmd scp
	examples deploy-host.7
	{
		cat <<-'EOF'
		cp "$home"/me/.ssh/{id_ed25519.pub,authorized_keys}
		printf 'Host www1\nHostName www1.example.org\n' >"$home/me/.ssh/config"
		cat >deploy.yml <<-END
		sites:
		  - name: site
		    source: site
		    root: /srv/www/site
		    hosts:
		      - {address: deploy@www1.example.org, identity: $PWD/ci}
		END
		mkdir site
		echo 1 >site/index.html
		on 1 mount -t tmpfs tmpfs "${DEPLOY%/*}"
		on 1 mount -t tmpfs tmpfs /usr/local/bin
		on 1 install -d /srv/www
		on 1 install -d -o deploy -g deploy /srv/www/site
		on 1 install -d -o deploy -m 700 "$home/deploy/.ssh"
		EOF
		sed "s,$PWD/srv/www,/srv/www," \
		    "$(grep -lx authorize examples/*/what | sed 's/what$/text/')"
		cat <<-'EOF'
		on 1 cat "$home/deploy/.ssh/authorized_keys" >line
		deploy publish
		on 1 cat /srv/www/site/current/index.html >page
		! deploy freeze || exit
		EOF
	} >steps
	in_world <steps
	assert_eq "$(<page)" 1
	assert_eq "$(<line)" "restrict,command=\"/usr/local/bin/deploy host --root /srv/www/site --allow receive,activate,prune\" $(<ci.pub)"
	assert_contains "$err" "which has deploy at '/usr/local/bin/deploy'"
	assert_contains "$err" "this key may not 'freeze' here; it is limited to: receive,activate,prune; the host advises: if it should, write --allow receive,activate,prune,freeze in the line of this key in authorized_keys on the host"
	assert_not_contains "$err" "run: deploy doctor"
}

# -------------------------------------------------------------- make html

# "PAGE HREF" for all that the pages below ./html lead to.
links() {
	(cd html && grep -oHE '(href|src)="[^"]*"' -r . --include='*.html') |
	    sed -E 's/^\.\/([^:]*):[a-z]*="(.*)"$/\1 \2/'
}

t_each_link_of_the_site_leads_somewhere() {
	local from to file
	need_cmd mandoc markdown
	run "$TREE/.ci/html" html
	links | sort -u >all
	[ "$(wc -l <all)" -gt 200 ] || fail "links are not seen"
	while read -r from to; do
		[[ $to != http*://* ]] || continue
		file=${to%%#*}
		[ -n "$file" ] || file=${from##*/}
		file=html/$(dirname "$from")/$file
		[ -f "$file" ] || fail "$from: no $to"
		[[ $to != *#* ]] ||
		    grep -qF -e "id=\"${to#*#}\"" -e "name=\"${to#*#}\"" \
			"$file" || fail "$from: nothing is called $to"
	done <all
	# Each page can be reached from the first one, and is whole.
	for file in html/man/*.html; do
		grep -qx "index.html man/${file##*/}" all ||
		    fail "nothing leads to $file"
		assert_contains "$file" "</main>"
		assert_not_contains "$file" "<!-- test"
	done
	assert_contains html/index.html "<th"
	assert_eq "$(ls html/man/*.[0-9].html | wc -l)" \
	    "$(ls "$TREE"/man/*.[0-9] | wc -l)"
}

run_tests
