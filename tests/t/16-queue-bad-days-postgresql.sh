#!/bin/bash
# The queue on a bad day, in PostgreSQL.
# parts: 3
# shellcheck disable=SC2034 # for the other script
STORAGE=postgresql
# shellcheck source=tests/t/15-queue-bad-days.sh
. "$(dirname "$0")/15-queue-bad-days.sh"
