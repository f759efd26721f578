#include "cmd/table.h"

#include <stddef.h>

#include "cmd/cmd.h"

const struct cmd *const cmd_table[] = { &cmd_init, &cmd_adopt, &cmd_stage,
	&cmd_activate, &cmd_publish, &cmd_preview, &cmd_rollback, &cmd_sync,
	&cmd_list, &cmd_status, &cmd_diff, &cmd_log, &cmd_verify, &cmd_check,
	&cmd_doctor, &cmd_prune, &cmd_pin, &cmd_unpin, &cmd_freeze, &cmd_thaw,
	&cmd_enqueue, &cmd_worker, &cmd_jobs, &cmd_metrics, &cmd_config,
	&cmd_help, &cmd_completion, &cmd_version, &cmd_host, NULL };
