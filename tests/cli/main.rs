//! What is typed and what comes back: exit code, stdout and stderr of every command, without a
//! cluster. One module per command, and some for what all commands share.

#![expect(clippy::unwrap_used, reason = "test code")]
#![expect(clippy::too_many_lines, reason = "most lines are what is expected")]

mod api_server;
mod backup_create;
mod backup_delete;
mod backup_describe;
mod backup_diff;
mod backup_download;
mod backup_expire;
mod backup_expire_killed;
mod backup_finish;
mod backup_get;
mod backup_logs;
mod backup_verify;
mod cluster;
mod completion;
mod details;
mod filters;
mod help;
mod help_delete;
mod help_location;
mod help_restore;
mod interruption;
mod location;
mod location_check;
mod location_get;
mod outlets;
mod pipes;
mod restore_create;
mod restore_describe;
mod restore_drill;
mod restore_get;
mod restore_logs;
mod restore_phases;
mod restore_resume;
mod schedule_backups;
mod schedule_deploy;
mod schedule_run;
mod schedules;
mod selection;
mod site;
mod timings;
mod two_clusters;
mod usage;
mod velero;
mod verbs;
mod version;
mod volume_policies;
