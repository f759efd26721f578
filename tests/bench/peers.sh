# shellcheck shell=bash
# The programs that put a build on four hosts.  For each
#
#	prepare_NAME	what is not measured, before each run
#	run_NAME	the build in $source goes live in $spot/HOST/root, or
#			the status is not 0
#	back_NAME	the release before goes live again
#
# $round tells runs apart.  From `hosts`: $hosts, $ports, $spot, $tmp, $DEPLOY.
# shellcheck disable=SC2154

# Run the function for each host at once.
on_each() {
	local h pids=() pid status=0
	for h in "${hosts[@]}"; do
		"$@" "$h" &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do
		wait "$pid" || status=1
	done
	return "$status"
}

on() {
	ssh -F "$tmp/ssh_config" "$@"
}

# here PROGRAM [ARG...]: run it; with BENCH_MEMORY its peak is measured, too.
here() {
	if [ -n "${BENCH_MEMORY:-}" ]; then
		set -- /usr/bin/time -q -a -o "$tmp/peak.here" -f %M "$@"
	fi
	"$@"
}

# The programs on the hosts, $deploy_there and $rsync_there.
make_measured() {
	local name program
	deploy_there=$DEPLOY rsync_there=rsync
	[ -n "${BENCH_MEMORY:-}" ] || return 0
	for name in deploy rsync; do
		program=$name
		[ "$name" = rsync ] || program=$DEPLOY
		printf '#!/bin/sh\nexec /usr/bin/time -q -a -o %q -f %%M %q "$@"\n' \
		    "$tmp/peak.there" "$program" >"$tmp/bin/$name-there"
		chmod +x "$tmp/bin/$name-there"
	done
	deploy_there=$tmp/bin/deploy-there rsync_there=$tmp/bin/rsync-there
}

# ------------------------------------------------------------------ deploy

# deploy_yml TRANSPORT PROGRAM
deploy_yml() {
	local h
	{
		echo "sites:"
		echo "  - name: bench"
		echo "    root: /nowhere"
		echo "    hosts:"
		for h in "${hosts[@]}"; do
			echo "      - {address: 127.0.0.1, port: ${ports[$h]}," \
			    "root: $spot/$h/root, identity: $tmp/sshd-$h/id," \
			    "transport: $1, deploy: $2}"
		done
	} >"$tmp/deploy.yml"
}

prepare_deploy() {
	deploy_yml ssh "$deploy_there"
}

run_deploy() {
	here "$DEPLOY" publish -c "$tmp/deploy.yml" "$source"
}

back_deploy() {
	deploy_yml "${1:-ssh}" "${2:-$DEPLOY}"
	"$DEPLOY" rollback -c "$tmp/deploy.yml"
}

# With nothing of ours on the hosts.
prepare_deploy-sh() {
	deploy_yml ssh none
}

run_deploy-sh() {
	run_deploy
}

back_deploy-sh() {
	back_deploy ssh none
}

prepare_deploy-rsync() {
	deploy_yml rsync "$DEPLOY"
}

run_deploy-rsync() {
	run_deploy
}

back_deploy-rsync() {
	back_deploy rsync
}

# ------------------------------------------------------ copies and a link

# Make the release $round live on one host, as scripts do.
flip() {
	on "$1" "cd '$spot/$1/root' && ln -s 'releases/$round' new &&
	    mv -T new current"
}

# What is linked to: the base, when there is one.
rsync_to() {
	local link=()
	[ ! -e "$spot/$1/root/releases/0" ] || link=(--link-dest=../0)
	here rsync -a --delete --mkpath -z --zc=zstd --zl=3 \
	    --rsync-path="$rsync_there" \
	    ${link[@]+"${link[@]}"} -e "ssh -F $tmp/ssh_config" "$source/" \
	    "$1:$spot/$1/root/releases/$round/"
}

prepare_rsync() {
	:
}

# All four at once; when all have it, the links.
run_rsync() {
	on_each rsync_to && on_each flip
}

# As people do it by hand, on all four at once.
link_back() {
	on "$1" "ln -sfn releases/0 '$spot/$1/root/current'"
}

back_rsync() {
	on_each link_back
}

back_tar() {
	on_each link_back
}

tar_to() {
	tar -C "$source" -cf - . | zstd -q -3 | on "$1" "mkdir -p \
	    '$spot/$1/root/releases/$round' && zstd -dcq |
	    tar -xf - -C '$spot/$1/root/releases/$round'"
}

prepare_tar() {
	:
}

run_tar() {
	on_each tar_to && on_each flip
}

# -------------------------------------------------------------- Capistrano

# The hosts fetch from a repository on the machine that builds; there the
# build is committed, which counts.
in_git() {
	git --git-dir="$tmp/capistrano/repo.git" --work-tree="$source" "$@"
}

prepare_capistrano() {
	local d=$tmp/capistrano
	if ((round == 0)); then
		rm -rf "$d"
		mkdir -p "$d/config/deploy"
		git init -q --bare -b master "$d/repo.git"
		in_git config user.name bench
		in_git config user.email bench@example.org
		in_git config core.bare false
		cap_files "$d"
	else
		# Back to the base, to which everything is compared.
		in_git reset -q --soft base
	fi
}

cap_files() {
	cat >"$1/Capfile" <<-'END'
	require "capistrano/setup"
	require "capistrano/deploy"
	require "capistrano/scm/git"
	install_plugin Capistrano::SCM::Git
	END
	cat >"$1/config/deploy.rb" <<-END
	set :application, "bench"
	set :repo_url, "ssh://src$1/repo.git"
	set :branch, "master"
	set :deploy_to, "$tmp/www/root"
	set :default_env, { "GIT_SSH_COMMAND" => "ssh -F $tmp/ssh_config" }
	set :ssh_options, { config: "$tmp/ssh_config" }
	set :log_level, :info
	END
	printf 'server "%s", roles: %%w{web}\n' "${hosts[@]}" \
	    >"$1/config/deploy/production.rb"
}

run_capistrano() {
	in_git add -A && in_git commit -q --allow-empty -m "$round" || return
	((round > 0)) || in_git tag base
	(cd "$tmp/capistrano" && cap production deploy)
}

back_capistrano() {
	(cd "$tmp/capistrano" && cap production deploy:rollback)
}
