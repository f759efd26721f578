#!/bin/bash
# The queue again, in PostgreSQL.
# shellcheck disable=SC2034 # for the other script
STORAGE=postgresql
# shellcheck source=tests/t/80-queue.sh
# parts: 3
. "$(dirname "$0")/80-queue.sh"
