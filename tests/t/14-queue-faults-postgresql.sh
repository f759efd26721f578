#!/bin/bash
# Who is killed before it sends something to the server of the queue.
# parts: 2
# shellcheck disable=SC2034 # for the other script
STORAGE=postgresql
# shellcheck source=tests/t/13-queue-faults.sh
. "$(dirname "$0")/13-queue-faults.sh"
