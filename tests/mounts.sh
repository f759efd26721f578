# shellcheck shell=bash
# For the scripts that mount; they source it before lib.sh.  As root a script
# runs in a mount namespace of its own, where that is possible, and $TEST_MOUNTS
# is set then: what a test mounts is gone with it, however it ends, and nobody
# who makes another namespace meanwhile keeps one of its disks in use.
if [ "$(id -u)" -eq 0 ] && [ -z "${TEST_MOUNTS:-}" ] &&
    unshare -m true 2>/dev/null; then
	TEST_MOUNTS=1 exec unshare -m bash "$0" "$@"
fi
