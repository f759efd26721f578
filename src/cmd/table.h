/*
 * The verbs, one file each in this folder.
 */
#ifndef CMD_TABLE_H
#define CMD_TABLE_H

struct cmd;

extern const struct cmd cmd_init, cmd_adopt, cmd_stage, cmd_activate, cmd_publish, cmd_preview,
    cmd_rollback, cmd_list, cmd_status, cmd_diff, cmd_log, cmd_verify, cmd_check,
    cmd_doctor, cmd_prune, cmd_pin, cmd_unpin, cmd_freeze, cmd_thaw,
    cmd_host, cmd_help, cmd_completion, cmd_version, cmd_enqueue, cmd_worker,
    cmd_jobs, cmd_metrics, cmd_sync, cmd_config;

/* In no list and no help: for other programs. */
extern const struct cmd cmd_rsh, cmd_post;

#endif
