-- The same control tables for the embedded store. Types are declared as in
-- schema-dataflow.sql; SQLite keeps times as text in UTC. A test holds the two
-- against each other.

CREATE TABLE IF NOT EXISTS installation (
    installation_id NVARCHAR(36) NOT NULL PRIMARY KEY,
    schema_version INT NOT NULL,
    created_at DATETIME2 NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f', 'now')),
    updated_at DATETIME2 NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f', 'now'))
);

CREATE TABLE IF NOT EXISTS config (
    config_key NVARCHAR(100) NOT NULL PRIMARY KEY,
    config_value NVARCHAR(500) NOT NULL,
    description NTEXT NULL,
    updated_at DATETIME2 NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f', 'now'))
);

INSERT OR IGNORE INTO config (config_key, config_value, description) VALUES
('cdc_check_interval_seconds', '10', 'Seconds between two looks at the control tables, and at an idle table''s changes'),
('max_retry_attempts', '3', 'Attempts before an error is recorded in error_logs'),
('retry_delay_seconds', '30', 'Seconds between two attempts'),
('batch_size', '1000', 'Rows that travel together from source to destination'),
('batch_memory_mb', '4', 'Most memory of one such batch, but for a row that is larger; up to four of them serve a running copy'),
('memory_limit_mb', '256', 'Most memory of the daemon; tables with values of more than about 100 MB, and thousands of mappings, need more'),
('max_connections', '50', 'Most connections of the daemon to all servers together'),
('connect_timeout_seconds', '15', 'Seconds to wait for a server to accept a login'),
('query_timeout_seconds', '600', 'Seconds to wait for the next byte of an answer; 0 waits for ever'),
('initial_full_sync', '1', '1: a mapping that has never been loaded starts with a full sync; 0: it waits for a request'),
('full_sync_mode', 'swap', 'swap: load beside the table, then swap; truncate: empty the table and fill it in place'),
('load_readers', '4', 'Most readers of one large table at the same time'),
('load_part_rows', '1000000', 'A table of more rows is loaded in parts of about so many, which survive a crash'),
('create_missing_tables', '1', '1: a full sync creates a destination table that does not exist'),
('resync_on_gap', '1', '1: heal a gap in the change log by a full sync; 0: stop the mapping with an error'),
('cdc_window_transactions', '5000', 'Most source transactions that are applied together'),
('spill_limit_mb', '1024', 'Most changes that wait on disk for one mapping; beyond it the mapping is loaded anew (PostgreSQL)'),
('lease_seconds', '30', 'Seconds without a sign of life after which another daemon takes a mapping over'),
('lag_warning_seconds', '60', 'Seconds behind its source from which on a mapping''s health is LAGGING'),
('log_retention_days', '30', 'Days that rows of the log tables are kept'),
('verification_interval_minutes', '5', 'Minutes between two verifications of a mapping''s newest rows; 0: none'),
('verification_row_count', '10000', 'Newest rows that a verification compares'),
('full_verification_hours', '0', 'Hours between two verifications of a whole table; 0: on request only'),
('auto_repair', '0', '1: rows that a verification found different are repaired at once'),
('auto_repair_max_rows', '1000', 'More rows than these are left for a request to repair'),
('on_row_error', 'RETRY', 'About a row that does not fit or is refused: RETRY, LOG (leave it out), PARK (put it aside), SUSPEND or STOP the mapping'),
('on_table_error', 'RETRY', 'About a table or a right that is not as it must be: RETRY, SUSPEND or STOP'),
('on_connection_error', 'RETRY', 'About a server that cannot be reached: RETRY, SUSPEND or STOP'),
('on_conflict_error', 'RETRY', 'About others that are in the way: RETRY, SUSPEND or STOP'),
('suspend_after_row_errors', '1000', 'More rows than these put aside, and standing, suspend the mapping; 0: never'),
('suspend_after_failures', '0', 'So many recorded failures in a row suspend the mapping; 0: never'),
('notify_lag_seconds', '300', 'A mapping further behind than this is told to the notification channels; 0: none is'),
('notify_delay_seconds', '30', 'Seconds that a trouble lasts before it is told, and stays away before its end is'),
('notify_repeat_minutes', '60', 'Minutes until a trouble that goes on is told again'),
('notify_max_per_hour', '30', 'Most messages to one channel in an hour; what is held back goes into the next one'),
('metrics_listen', '', 'Where metrics and the status page are served: host:port, [::1]:port, or a port on loopback; empty: nowhere');

CREATE TABLE IF NOT EXISTS source_servers (
    server_id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    server_name NVARCHAR(255) NOT NULL UNIQUE,
    server_type NVARCHAR(50) NOT NULL DEFAULT 'sqlserver',
    connection_string NVARCHAR(1000) NOT NULL,
    is_enabled BIT NOT NULL DEFAULT 1,
    created_at DATETIME2 NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f', 'now')),
    updated_at DATETIME2 NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f', 'now')),
    last_connected_at DATETIME2 NULL,
    notes NTEXT NULL
);

CREATE TABLE IF NOT EXISTS target_servers (
    target_id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    target_name NVARCHAR(255) NOT NULL UNIQUE,
    target_type NVARCHAR(50) NOT NULL DEFAULT 'sqlserver',
    connection_string NVARCHAR(1000) NOT NULL,
    is_enabled BIT NOT NULL DEFAULT 1,
    created_at DATETIME2 NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f', 'now')),
    updated_at DATETIME2 NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f', 'now')),
    last_connected_at DATETIME2 NULL,
    notes NTEXT NULL
);

CREATE TABLE IF NOT EXISTS table_mappings (
    mapping_id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    server_id INT NOT NULL REFERENCES source_servers (server_id) ON DELETE CASCADE,
    source_database NVARCHAR(255) NOT NULL,
    source_schema NVARCHAR(255) NOT NULL DEFAULT 'dbo',
    source_table NVARCHAR(255) NOT NULL,
    target_id INT NULL REFERENCES target_servers (target_id),
    dest_database NVARCHAR(255) NOT NULL,
    dest_schema NVARCHAR(255) NOT NULL DEFAULT 'dbo',
    dest_table NVARCHAR(255) NOT NULL,
    primary_key_column NVARCHAR(255) NULL,
    full_sync_trigger_column NVARCHAR(255) NULL,
    is_enabled BIT NOT NULL DEFAULT 1,
    is_paused BIT NOT NULL DEFAULT 0,
    cdc_enabled BIT NOT NULL DEFAULT 0,
    change_source NVARCHAR(50) NOT NULL DEFAULT 'cdc',
    last_cdc_lsn BINARY(10) NULL,
    last_full_sync_at DATETIME2 NULL,
    verification_interval_minutes INT NULL,
    verification_row_count INT NULL,
    full_verification_hours INT NULL,
    full_verification_at NVARCHAR(5) NULL,
    auto_repair BIT NULL,
    is_suspended BIT NOT NULL DEFAULT 0,
    suspended_reason NTEXT NULL,
    on_row_error NVARCHAR(20) NULL,
    on_table_error NVARCHAR(20) NULL,
    on_connection_error NVARCHAR(20) NULL,
    on_conflict_error NVARCHAR(20) NULL,
    created_at DATETIME2 NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f', 'now')),
    updated_at DATETIME2 NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f', 'now'))
);

CREATE INDEX IF NOT EXISTS ix_table_mappings_server ON table_mappings (server_id, is_enabled);

CREATE TABLE IF NOT EXISTS sync_status (
    status_id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    mapping_id INT NOT NULL REFERENCES table_mappings (mapping_id) ON DELETE CASCADE,
    sync_type NVARCHAR(50) NOT NULL,
    status NVARCHAR(50) NOT NULL,
    records_processed BIGINT NOT NULL DEFAULT 0,
    records_failed BIGINT NOT NULL DEFAULT 0,
    started_at DATETIME2 NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f', 'now')),
    completed_at DATETIME2 NULL,
    error_message NTEXT NULL,
    last_processed_pk NVARCHAR(500) NULL,
    run_id NVARCHAR(36) NULL,
    records_total BIGINT NULL,
    rows_per_second FLOAT NULL,
    updated_at DATETIME2 NULL
);

CREATE INDEX IF NOT EXISTS ix_sync_status_run ON sync_status (run_id);
CREATE INDEX IF NOT EXISTS ix_sync_status_state ON sync_status (status, mapping_id, started_at DESC);
CREATE INDEX IF NOT EXISTS ix_sync_status_completed ON sync_status (mapping_id, completed_at, sync_type, records_processed, records_failed);
DROP INDEX IF EXISTS ix_sync_status_mapping;

CREATE TABLE IF NOT EXISTS sync_logs (
    log_id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    mapping_id INT NOT NULL REFERENCES table_mappings (mapping_id) ON DELETE CASCADE,
    log_level NVARCHAR(20) NOT NULL,
    log_message NTEXT NOT NULL,
    sync_type NVARCHAR(50) NULL,
    records_count BIGINT NULL,
    execution_time_ms INT NULL,
    created_at DATETIME2 NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f', 'now'))
);

CREATE INDEX IF NOT EXISTS ix_sync_logs_mapping ON sync_logs (mapping_id, created_at DESC);

CREATE TABLE IF NOT EXISTS error_logs (
    error_id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    mapping_id INT NULL,
    server_id INT NULL,
    error_type NVARCHAR(50) NOT NULL,
    error_message NTEXT NOT NULL,
    error_details NTEXT NULL,
    stack_trace NTEXT NULL,
    retry_count INT NOT NULL DEFAULT 0,
    is_resolved BIT NOT NULL DEFAULT 0,
    created_at DATETIME2 NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f', 'now')),
    resolved_at DATETIME2 NULL,
    subject NVARCHAR(100) NULL
);

CREATE INDEX IF NOT EXISTS ix_error_logs_open ON error_logs (is_resolved, mapping_id, created_at DESC);
CREATE INDEX IF NOT EXISTS ix_error_logs_type ON error_logs (error_type, created_at);

CREATE TABLE IF NOT EXISTS verification_logs (
    verification_id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    mapping_id INT NOT NULL REFERENCES table_mappings (mapping_id) ON DELETE CASCADE,
    verification_type NVARCHAR(50) NOT NULL,
    source_md5 NVARCHAR(32) NULL,
    dest_md5 NVARCHAR(32) NULL,
    source_row_count BIGINT NULL,
    dest_row_count BIGINT NULL,
    records_compared BIGINT NOT NULL DEFAULT 0,
    mismatches_found BIGINT NOT NULL DEFAULT 0,
    verification_status NVARCHAR(50) NOT NULL,
    verification_details NTEXT NULL,
    verified_at DATETIME2 NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f', 'now'))
);

CREATE INDEX IF NOT EXISTS ix_verification_logs_mapping ON verification_logs (mapping_id, verified_at DESC);
CREATE INDEX IF NOT EXISTS ix_verification_logs_status ON verification_logs (verification_status, verified_at DESC);

CREATE TABLE IF NOT EXISTS verification_progress (
    mapping_id INT NOT NULL PRIMARY KEY REFERENCES table_mappings (mapping_id) ON DELETE CASCADE,
    progress NTEXT NULL,
    last_tail_at DATETIME2 NULL,
    last_whole_at DATETIME2 NULL,
    updated_at DATETIME2 NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f', 'now'))
);

CREATE TABLE IF NOT EXISTS apply_exceptions (
    exception_id NVARCHAR(36) NOT NULL PRIMARY KEY,
    mapping_id INT NOT NULL REFERENCES table_mappings (mapping_id) ON DELETE CASCADE,
    operation NVARCHAR(20) NOT NULL,
    row_key NTEXT NULL,
    position NVARCHAR(1100) NULL,
    error_number INT NULL,
    reason NTEXT NOT NULL,
    is_resolved BIT NOT NULL DEFAULT 0,
    created_at DATETIME2 NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f', 'now')),
    resolved_at DATETIME2 NULL,
    mirrored_at DATETIME2 NULL
);

CREATE INDEX IF NOT EXISTS ix_apply_exceptions_open ON apply_exceptions (mapping_id, is_resolved, created_at DESC);

CREATE TABLE IF NOT EXISTS sync_requests (
    request_id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    mapping_id INT NOT NULL,
    request_type NVARCHAR(50) NOT NULL,
    requested_by NVARCHAR(255) NULL,
    requested_at DATETIME2 NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f', 'now')),
    state NVARCHAR(50) NOT NULL DEFAULT 'PENDING',
    answer NTEXT NULL,
    started_at DATETIME2 NULL,
    completed_at DATETIME2 NULL,
    scope NVARCHAR(50) NULL,
    where_condition NTEXT NULL,
    dry_run BIT NOT NULL DEFAULT 0
);

CREATE INDEX IF NOT EXISTS ix_sync_requests_state ON sync_requests (state, request_id);

CREATE TABLE IF NOT EXISTS mapping_state (
    mapping_id INT NOT NULL PRIMARY KEY REFERENCES table_mappings (mapping_id) ON DELETE CASCADE,
    state NVARCHAR(50) NOT NULL,
    reason NTEXT NULL,
    lag_seconds FLOAT NULL,
    is_consistent BIT NOT NULL DEFAULT 0,
    position NVARCHAR(1100) NULL,
    rows_applied BIGINT NOT NULL DEFAULT 0,
    next_attempt_at DATETIME2 NULL,
    daemon NVARCHAR(255) NULL,
    updated_at DATETIME2 NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f', 'now')),
    current_at DATETIME2 NULL
);

CREATE TABLE IF NOT EXISTS daemons (
    daemon NVARCHAR(255) NOT NULL PRIMARY KEY,
    version NVARCHAR(50) NOT NULL,
    started_at DATETIME2 NOT NULL,
    heartbeat_at DATETIME2 NOT NULL,
    stopped_at DATETIME2 NULL,
    beats BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE IF NOT EXISTS mapping_leases (
    mapping_id INT NOT NULL PRIMARY KEY REFERENCES table_mappings (mapping_id) ON DELETE CASCADE,
    daemon NVARCHAR(255) NOT NULL,
    epoch BIGINT NOT NULL,
    taken_at DATETIME2 NOT NULL
);

CREATE INDEX IF NOT EXISTS ix_mapping_leases_daemon ON mapping_leases (daemon);

CREATE TABLE IF NOT EXISTS notification_channels (
    channel_id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    channel_name NVARCHAR(255) NOT NULL UNIQUE,
    channel_type NVARCHAR(50) NOT NULL,
    settings NVARCHAR(2000) NOT NULL,
    events NVARCHAR(255) NULL,
    mapping_id INT NULL,
    server_id INT NULL,
    is_enabled BIT NOT NULL DEFAULT 1,
    last_success_at DATETIME2 NULL,
    last_error NTEXT NULL,
    created_at DATETIME2 NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f', 'now')),
    updated_at DATETIME2 NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f', 'now'))
);

CREATE TABLE IF NOT EXISTS notifications (
    notification_id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    message_id NVARCHAR(36) NOT NULL UNIQUE,
    channel_id INT NOT NULL,
    channel_name NVARCHAR(255) NOT NULL,
    event NVARCHAR(50) NOT NULL,
    mapping_id INT NULL,
    notice_count INT NOT NULL,
    summary NTEXT NOT NULL,
    notices NTEXT NULL,
    state NVARCHAR(50) NOT NULL,
    attempts INT NOT NULL,
    error_message NTEXT NULL,
    daemon NVARCHAR(255) NOT NULL,
    created_at DATETIME2 NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f', 'now'))
);

CREATE INDEX IF NOT EXISTS ix_notifications_channel ON notifications (channel_id, created_at DESC);

INSERT INTO installation (installation_id, schema_version)
SELECT
    lower(hex(randomblob(4))) || '-' || lower(hex(randomblob(2))) || '-'
    || lower(hex(randomblob(2))) || '-' || lower(hex(randomblob(2))) || '-'
    || lower(hex(randomblob(6))),
    2
WHERE NOT EXISTS (SELECT 1 FROM installation);

UPDATE installation
SET schema_version = 2, updated_at = strftime('%Y-%m-%dT%H:%M:%f', 'now')
WHERE schema_version < 2;
