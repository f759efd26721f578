# shellcheck shell=bash
# shellcheck disable=SC2154 # $_base: of lib.sh
# Containers of Docker, where dockerd can be started: one of our own, in
# namespaces of the test, without a network, which leaves the machine's alone
# and dies with the test.  After lib.sh and container.sh.

# docker_start: dockerd, for `docker` from now on; skips where it cannot be.
docker_start() {
	need_root
	need_cmd docker dockerd unshare
	docker=$_base/docker docker_cgroup=deploy-test-$BASHPID
	mkdir "$docker"
	echo "{}" >"$docker/daemon.json"
	# shellcheck disable=SC2016 # for the other shell
	unshare -m -n -p -f --mount-proc --kill-child sh -c '
		mount --make-rprivate / && exec dockerd --host "unix://$1/sock" \
		    --data-root "$1/data" --exec-root "$1/run" --pidfile "$1/pid" \
		    --config-file "$1/daemon.json" --cgroup-parent "/$2" \
		    --exec-opt native.cgroupdriver=cgroupfs --storage-driver vfs \
		    --bridge none --iptables=false --ip6tables=false' \
	    sh "$docker" "$docker_cgroup" >"$docker/log" 2>&1 &
	dockerd=$!
	defer docker_stop
	export DOCKER_HOST=unix://$docker/sock DOCKER_CONFIG=$docker
	for _ in {1..600}; do
		! docker version >/dev/null 2>&1 || return 0
		kill -0 "$dockerd" 2>/dev/null || break
		sleep 0.1
	done
	skip "dockerd does not start here: $(tail -n 1 "$docker/log")"
}

docker_stop() {
	docker ps -aq 2>/dev/null | xargs -r docker rm -f >/dev/null 2>&1 || true
	# unshare hears no other signal; all that is in there dies with it.
	kill -KILL "$dockerd" 2>/dev/null || true
	wait "$dockerd" 2>/dev/null || true
	find /sys/fs/cgroup -depth -type d -path "*/$docker_cgroup*" \
	    -exec rmdir {} + 2>/dev/null || true
}

# docker_image NAME PACKAGE...: an image that has nothing but these, and
# deploy; skips when one of them is not installed here.
docker_image() {
	container_make box "${@:2}" || skip "not packages here: ${*:2}"
	tar -C box -c . | run docker import - "$1"
	rm -rf box
}
