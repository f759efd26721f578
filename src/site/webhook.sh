#!/bin/sh
# Written by `deploy init --hooks`, as the next time it is called.  webhook(1)
# runs it for a request of a forge whose signature is right:
#   deploy-hook enqueue|full CONFIG SITE [branch PATTERN | tag PATTERN]...
# What it prints is the answer, whose status is 500 unless its own is 0.  `full`
# is asked after a 500, by nginx: its 0 says that the queue was full.
set -u
action=$1 config=$2 site=$3
shift 3

nothing() {
	echo "nothing to do: $1"
	[ "$action" = enqueue ]
	exit
}

case ${HOOK_EVENT-} in
push | 'Push Hook' | 'Tag Push Hook') ;;
*) nothing "this is no push" ;;
esac
# Every push names both: it is no JSON, or was not read as that.
if [ -z "${HOOK_AFTER-}" ] || [ -z "${HOOK_REF-}" ]; then
	echo "no push can be read: 'after' or 'ref' is missing; choose the content type application/json in the forge"
	exit 1
fi
case $HOOK_AFTER in
*[!0]*) ;;
*) nothing "it was deleted" ;;
esac
case $HOOK_REF in
refs/heads/*) kind=branch name=${HOOK_REF#refs/heads/} ;;
refs/tags/*) kind=tag name=${HOOK_REF#refs/tags/} ;;
*) nothing "this is neither a branch nor a tag" ;;
esac
wanted=
while [ $# -ge 2 ]; do
	# shellcheck disable=SC2254 # it is a pattern
	case $kind,$name in
	"$1",$2) wanted=yes ;;
	esac
	shift 2
done
[ -n "$wanted" ] || nothing "the site is not built from this $kind"

# Of a branch the newest is built, in whatever order the requests come.
set -- -q --config="$config" --lock-wait=5s
[ "$kind" = branch ] || set -- "$@" --ref="$name"
reason=
[ ! -r "${HOOK_MESSAGE_FILE-}" ] ||
	reason=$(head -c 4000 "$HOOK_MESSAGE_FILE" | tr -d '\000')
[ -n "$reason" ] || reason=${HOOK_USER-}
[ -z "$reason" ] || set -- "$@" --reason="$reason"
[ "$action" = full ] || exec deploy enqueue "$@" -- "$site"
deploy enqueue "$@" --dry-run -- "$site"
case $? in
0) echo "it was not enqueued; the log of webhook(1) says why" ;;
3) exit 0 ;;
esac
exit 1
