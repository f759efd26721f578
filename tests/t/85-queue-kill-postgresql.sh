#!/bin/bash
# The queue under fire, in PostgreSQL.
# parts: 2
# shellcheck disable=SC2034 # for the other script
STORAGE=postgresql
# shellcheck source=tests/t/84-queue-kill.sh
. "$(dirname "$0")/84-queue-kill.sh"
