#!/bin/bash
# A file of a release goes bad on the disk, with the same size and time: verify
# finds it, and from then on no release links to it.
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/hosts.sh
. "$TREE/tests/hosts.sh"

# begin KIND: a published site of some pages.
begin() {
	local mine
	where "$1"
	cat >deploy.yml <<-END
	sites:
	  - name: t
	    source: site
	    root: $PWD/www
	    keep: 9
	    $mine
	END
	mksite site 20
	printf 'one and more\n' >'site/a name: with.txt'
	run deploy publish
}

# rot PATH: one byte of the live release is another.
rot() {
	local file=www/current/$1
	touch -r "$file" before
	printf X | dd of="$file" bs=1 seek=1 conv=notrunc status=none
	touch -r before "$file"
}

# Publish another page; the release is what the build is.
next() {
	echo "$1" >site/index.html
	run deploy publish
	assert_tree_eq www/current/ site
	run deploy verify
}

bit_rot() {
	begin "$1"
	rot css/site.css
	rot 'a name: with.txt'
	expect_status 5 deploy verify
	assert_contains "$out" "css/site.css: has other content"
	assert_contains "$out" "a name: with.txt: has other content"
	next 2
	# What is well is linked as ever.
	[ "$(stat -L -c %h www/current/img/logo.png)" -ge 2 ] || [ "$1" != here ] ||
	    fail "nothing is linked"
	next 3
	[ "$(stat -L -c %h www/current/css/site.css)" -eq 2 ] ||
	    fail "css/site.css has $(stat -L -c %h www/current/css/site.css) links"
}

t_bit_rot_here() {
	bit_rot here
}

t_bit_rot_on_a_c_host() {
	bit_rot c
}

t_bit_rot_on_a_dash_host() {
	bit_rot dash
}

t_bit_rot_on_a_busybox_host() {
	bit_rot busybox
}

run_tests
