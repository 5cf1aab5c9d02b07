-- DBAOps DataFlow: the control database.
--
-- Run it on the SQL Server that holds the control tables (2016 SP1 or later),
-- with sqlcmd, tsql or SSMS:
--
--     sqlcmd -S DEST -i schema-dataflow.sql
--
-- then the files of views/ and procedures/. Running it again upgrades what is
-- there and loses nothing; that also holds for a database that was made by the
-- first published version. `dbaops-dataflow init` does the same over the network.

IF DB_ID(N'dbaops_dataflow') IS NULL
    CREATE DATABASE dbaops_dataflow;
GO

USE dbaops_dataflow;
GO

SET ANSI_NULLS ON;
SET QUOTED_IDENTIFIER ON;
GO

-- Tables of a later version stay as they are.
IF OBJECT_ID(N'dbo.installation', N'U') IS NOT NULL
BEGIN
    DECLARE @newer INT;
    EXEC sys.sp_executesql
        N'SELECT @newer = MAX(schema_version) FROM dbo.installation',
        N'@newer INT OUTPUT', @newer OUTPUT;
    IF @newer > 2
    BEGIN
        RAISERROR (N'The control tables are of version %d, this script is for version 2.', 16, 1, @newer);
        SET NOEXEC ON;
    END;
END;
GO

------------------------------------------------------------ installation
-- One row: tells this control database from others that write to the same
-- destination, and which version of this script made the tables.

IF OBJECT_ID(N'dbo.installation', N'U') IS NULL
    CREATE TABLE dbo.installation (
        installation_id NVARCHAR(36) NOT NULL
            CONSTRAINT pk_installation PRIMARY KEY,
        schema_version INT NOT NULL,
        created_at DATETIME2 NOT NULL
            CONSTRAINT df_installation_created_at DEFAULT SYSUTCDATETIME(),
        updated_at DATETIME2 NOT NULL
            CONSTRAINT df_installation_updated_at DEFAULT SYSUTCDATETIME()
    );
GO

------------------------------------------------------------------ config
-- Every interval, size and limit. Read on each tick.

IF OBJECT_ID(N'dbo.config', N'U') IS NULL
    CREATE TABLE dbo.config (
        config_key NVARCHAR(100) NOT NULL CONSTRAINT pk_config PRIMARY KEY,
        config_value NVARCHAR(500) NOT NULL,
        description NVARCHAR(MAX) NULL,
        updated_at DATETIME2 NOT NULL
            CONSTRAINT df_config_updated_at DEFAULT SYSUTCDATETIME()
    );
GO

IF COL_LENGTH(N'dbo.config', N'description') IS NULL
    ALTER TABLE dbo.config ADD description NVARCHAR(MAX) NULL;
GO

IF COL_LENGTH(N'dbo.config', N'updated_at') IS NULL
    ALTER TABLE dbo.config ADD updated_at DATETIME2 NOT NULL
        CONSTRAINT df_config_updated_at DEFAULT SYSUTCDATETIME();
GO

INSERT INTO dbo.config (config_key, config_value, description)
SELECT
    d.config_key,
    d.config_value,
    d.description
FROM (
    VALUES
    (N'cdc_check_interval_seconds', N'10', N'Seconds between two looks at the control tables, and at an idle table''s changes'),
    (N'max_retry_attempts', N'3', N'Attempts before an error is recorded in error_logs'),
    (N'retry_delay_seconds', N'30', N'Seconds between two attempts'),
    (N'batch_size', N'1000', N'Rows that travel together from source to destination'),
    (N'batch_memory_mb', N'4', N'Most memory of one such batch, but for a row that is larger; up to four of them serve a running copy'),
    (N'memory_limit_mb', N'256', N'Most memory of the daemon; tables with values of more than about 100 MB, and thousands of mappings, need more'),
    (N'max_connections', N'50', N'Most connections of the daemon to all servers together'),
    (N'connect_timeout_seconds', N'15', N'Seconds to wait for a server to accept a login'),
    (N'query_timeout_seconds', N'600', N'Seconds to wait for the next byte of an answer; 0 waits for ever'),
    (N'initial_full_sync', N'1', N'1: a mapping that has never been loaded starts with a full sync; 0: it waits for a request'),
    (N'full_sync_mode', N'swap', N'swap: load beside the table, then swap; truncate: empty the table and fill it in place'),
    (N'load_readers', N'4', N'Most readers of one large table at the same time'),
    (N'load_part_rows', N'1000000', N'A table of more rows is loaded in parts of about so many, which survive a crash'),
    (N'create_missing_tables', N'1', N'1: a full sync creates a destination table that does not exist'),
    (N'resync_on_gap', N'1', N'1: heal a gap in the change log by a full sync; 0: stop the mapping with an error'),
    (N'cdc_window_transactions', N'5000', N'Most source transactions that are applied together'),
    (N'spill_limit_mb', N'1024', N'Most changes that wait on disk for one mapping; beyond it the mapping is loaded anew (PostgreSQL)'),
    (N'lease_seconds', N'30', N'Seconds without a sign of life after which another daemon takes a mapping over'),
    (N'lag_warning_seconds', N'60', N'Seconds behind its source from which on a mapping''s health is LAGGING'),
    (N'log_retention_days', N'30', N'Days that rows of the log tables are kept'),
    (N'verification_interval_minutes', N'5', N'Minutes between two verifications of a mapping''s newest rows; 0: none'),
    (N'verification_row_count', N'10000', N'Newest rows that a verification compares'),
    (N'full_verification_hours', N'0', N'Hours between two verifications of a whole table; 0: on request only'),
    (N'auto_repair', N'0', N'1: rows that a verification found different are repaired at once'),
    (N'auto_repair_max_rows', N'1000', N'More rows than these are left for a request to repair'),
    (N'on_row_error', N'RETRY', N'About a row that does not fit or is refused: RETRY, LOG (leave it out), PARK (put it aside), SUSPEND or STOP the mapping'),
    (N'on_table_error', N'RETRY', N'About a table or a right that is not as it must be: RETRY, SUSPEND or STOP'),
    (N'on_connection_error', N'RETRY', N'About a server that cannot be reached: RETRY, SUSPEND or STOP'),
    (N'on_conflict_error', N'RETRY', N'About others that are in the way: RETRY, SUSPEND or STOP'),
    (N'suspend_after_row_errors', N'1000', N'More rows than these put aside, and standing, suspend the mapping; 0: never'),
    (N'suspend_after_failures', N'0', N'So many recorded failures in a row suspend the mapping; 0: never'),
    (N'notify_lag_seconds', N'300', N'A mapping further behind than this is told to the notification channels; 0: none is'),
    (N'notify_delay_seconds', N'30', N'Seconds that a trouble lasts before it is told, and stays away before its end is'),
    (N'notify_repeat_minutes', N'60', N'Minutes until a trouble that goes on is told again'),
    (N'notify_max_per_hour', N'30', N'Most messages to one channel in an hour; what is held back goes into the next one'),
    (N'metrics_listen', N'', N'Where metrics and the status page are served: host:port, [::1]:port, or a port on loopback; empty: nowhere')
) AS d (config_key, config_value, description)
WHERE NOT EXISTS (
    SELECT 1 FROM dbo.config AS c WHERE c.config_key = d.config_key
);
GO

---------------------------------------------------------- source_servers

IF OBJECT_ID(N'dbo.source_servers', N'U') IS NULL
    CREATE TABLE dbo.source_servers (
        server_id INT IDENTITY(1, 1) NOT NULL
            CONSTRAINT pk_source_servers PRIMARY KEY,
        server_name NVARCHAR(255) NOT NULL
            CONSTRAINT uq_source_servers_name UNIQUE,
        server_type NVARCHAR(50) NOT NULL
            CONSTRAINT df_source_servers_type DEFAULT N'sqlserver',
        connection_string NVARCHAR(1000) NOT NULL,
        is_enabled BIT NOT NULL
            CONSTRAINT df_source_servers_enabled DEFAULT 1,
        created_at DATETIME2 NOT NULL
            CONSTRAINT df_source_servers_created DEFAULT SYSUTCDATETIME(),
        updated_at DATETIME2 NOT NULL
            CONSTRAINT df_source_servers_updated DEFAULT SYSUTCDATETIME(),
        last_connected_at DATETIME2 NULL,
        notes NVARCHAR(MAX) NULL
    );
GO

IF COL_LENGTH(N'dbo.source_servers', N'server_type') IS NULL
    ALTER TABLE dbo.source_servers ADD server_type NVARCHAR(50) NOT NULL
        CONSTRAINT df_source_servers_type DEFAULT N'sqlserver';
GO

IF COL_LENGTH(N'dbo.source_servers', N'last_connected_at') IS NULL
    ALTER TABLE dbo.source_servers ADD last_connected_at DATETIME2 NULL;
GO

IF COL_LENGTH(N'dbo.source_servers', N'notes') IS NULL
    ALTER TABLE dbo.source_servers ADD notes NVARCHAR(MAX) NULL;
GO

---------------------------------------------------------- target_servers
-- A mapping without one goes to the server that holds these tables.

IF OBJECT_ID(N'dbo.target_servers', N'U') IS NULL
    CREATE TABLE dbo.target_servers (
        target_id INT IDENTITY(1, 1) NOT NULL
            CONSTRAINT pk_target_servers PRIMARY KEY,
        target_name NVARCHAR(255) NOT NULL
            CONSTRAINT uq_target_servers_name UNIQUE,
        target_type NVARCHAR(50) NOT NULL
            CONSTRAINT df_target_servers_type DEFAULT N'sqlserver',
        connection_string NVARCHAR(1000) NOT NULL,
        is_enabled BIT NOT NULL
            CONSTRAINT df_target_servers_enabled DEFAULT 1,
        created_at DATETIME2 NOT NULL
            CONSTRAINT df_target_servers_created DEFAULT SYSUTCDATETIME(),
        updated_at DATETIME2 NOT NULL
            CONSTRAINT df_target_servers_updated DEFAULT SYSUTCDATETIME(),
        last_connected_at DATETIME2 NULL,
        notes NVARCHAR(MAX) NULL
    );
GO

---------------------------------------------------------- table_mappings

IF OBJECT_ID(N'dbo.table_mappings', N'U') IS NULL
    CREATE TABLE dbo.table_mappings (
        mapping_id INT IDENTITY(1, 1) NOT NULL
            CONSTRAINT pk_table_mappings PRIMARY KEY,
        server_id INT NOT NULL
            CONSTRAINT fk_table_mappings_server
                REFERENCES dbo.source_servers (server_id) ON DELETE CASCADE,
        source_database NVARCHAR(255) NOT NULL,
        source_schema NVARCHAR(255) NOT NULL
            CONSTRAINT df_table_mappings_source_schema DEFAULT N'dbo',
        source_table NVARCHAR(255) NOT NULL,
        target_id INT NULL
            CONSTRAINT fk_table_mappings_target
                REFERENCES dbo.target_servers (target_id),
        dest_database NVARCHAR(255) NOT NULL,
        dest_schema NVARCHAR(255) NOT NULL
            CONSTRAINT df_table_mappings_dest_schema DEFAULT N'dbo',
        dest_table NVARCHAR(255) NOT NULL,
        primary_key_column NVARCHAR(255) NULL,
        full_sync_trigger_column NVARCHAR(255) NULL,
        is_enabled BIT NOT NULL
            CONSTRAINT df_table_mappings_enabled DEFAULT 1,
        is_paused BIT NOT NULL
            CONSTRAINT df_table_mappings_paused DEFAULT 0,
        cdc_enabled BIT NOT NULL
            CONSTRAINT df_table_mappings_cdc DEFAULT 0,
        change_source NVARCHAR(50) NOT NULL
            CONSTRAINT df_table_mappings_change_source DEFAULT N'cdc',
        last_cdc_lsn BINARY(10) NULL,
        last_full_sync_at DATETIME2 NULL,
        verification_interval_minutes INT NULL,
        verification_row_count INT NULL,
        full_verification_hours INT NULL,
        full_verification_at NVARCHAR(5) NULL,
        auto_repair BIT NULL,
        is_suspended BIT NOT NULL
            CONSTRAINT df_table_mappings_suspended DEFAULT 0,
        suspended_reason NVARCHAR(MAX) NULL,
        on_row_error NVARCHAR(20) NULL,
        on_table_error NVARCHAR(20) NULL,
        on_connection_error NVARCHAR(20) NULL,
        on_conflict_error NVARCHAR(20) NULL,
        created_at DATETIME2 NOT NULL
            CONSTRAINT df_table_mappings_created DEFAULT SYSUTCDATETIME(),
        updated_at DATETIME2 NOT NULL
            CONSTRAINT df_table_mappings_updated DEFAULT SYSUTCDATETIME()
    );
GO

IF COL_LENGTH(N'dbo.table_mappings', N'target_id') IS NULL
    ALTER TABLE dbo.table_mappings ADD target_id INT NULL
        CONSTRAINT fk_table_mappings_target
            REFERENCES dbo.target_servers (target_id);
GO

IF COL_LENGTH(N'dbo.table_mappings', N'is_paused') IS NULL
    ALTER TABLE dbo.table_mappings ADD is_paused BIT NOT NULL
        CONSTRAINT df_table_mappings_paused DEFAULT 0;
GO

IF COL_LENGTH(N'dbo.table_mappings', N'change_source') IS NULL
    ALTER TABLE dbo.table_mappings ADD change_source NVARCHAR(50) NOT NULL
        CONSTRAINT df_table_mappings_change_source DEFAULT N'cdc';
GO

-- NULL means what config says.
IF COL_LENGTH(N'dbo.table_mappings', N'verification_interval_minutes') IS NULL
    ALTER TABLE dbo.table_mappings ADD verification_interval_minutes INT NULL;
GO

IF COL_LENGTH(N'dbo.table_mappings', N'verification_row_count') IS NULL
    ALTER TABLE dbo.table_mappings ADD verification_row_count INT NULL;
GO

IF COL_LENGTH(N'dbo.table_mappings', N'full_verification_hours') IS NULL
    ALTER TABLE dbo.table_mappings ADD full_verification_hours INT NULL;
GO

IF COL_LENGTH(N'dbo.table_mappings', N'full_verification_at') IS NULL
    ALTER TABLE dbo.table_mappings ADD full_verification_at NVARCHAR(5) NULL;
GO

IF COL_LENGTH(N'dbo.table_mappings', N'auto_repair') IS NULL
    ALTER TABLE dbo.table_mappings ADD auto_repair BIT NULL;
GO

IF COL_LENGTH(N'dbo.table_mappings', N'is_suspended') IS NULL
    ALTER TABLE dbo.table_mappings ADD is_suspended BIT NOT NULL
        CONSTRAINT df_table_mappings_suspended DEFAULT 0;
GO

IF COL_LENGTH(N'dbo.table_mappings', N'suspended_reason') IS NULL
    ALTER TABLE dbo.table_mappings ADD suspended_reason NVARCHAR(MAX) NULL;
GO

IF COL_LENGTH(N'dbo.table_mappings', N'on_row_error') IS NULL
    ALTER TABLE dbo.table_mappings ADD on_row_error NVARCHAR(20) NULL;
GO

IF COL_LENGTH(N'dbo.table_mappings', N'on_table_error') IS NULL
    ALTER TABLE dbo.table_mappings ADD on_table_error NVARCHAR(20) NULL;
GO

IF COL_LENGTH(N'dbo.table_mappings', N'on_connection_error') IS NULL
    ALTER TABLE dbo.table_mappings ADD on_connection_error NVARCHAR(20) NULL;
GO

IF COL_LENGTH(N'dbo.table_mappings', N'on_conflict_error') IS NULL
    ALTER TABLE dbo.table_mappings ADD on_conflict_error NVARCHAR(20) NULL;
GO

-- The first published version wanted a key column named; now NULL means the
-- source's own primary key.
IF COLUMNPROPERTY(OBJECT_ID(N'dbo.table_mappings'), N'primary_key_column', 'AllowsNull') = 0
    ALTER TABLE dbo.table_mappings ALTER COLUMN primary_key_column NVARCHAR(255) NULL;
GO

-- It also allowed one destination for each source table only.
DECLARE @constraint NVARCHAR(300) = (
    SELECT TOP (1) QUOTENAME(k.name)
    FROM sys.key_constraints AS k
    WHERE
        k.parent_object_id = OBJECT_ID(N'dbo.table_mappings')
        AND k.type = 'UQ'
        AND NOT EXISTS (
            SELECT 1
            FROM sys.index_columns AS ic
            INNER JOIN sys.columns AS c
                ON ic.object_id = c.object_id AND ic.column_id = c.column_id
            WHERE
                ic.object_id = k.parent_object_id
                AND ic.index_id = k.unique_index_id
                AND c.name NOT IN (N'server_id', N'source_database', N'source_schema', N'source_table')
        )
);
DECLARE @statement NVARCHAR(500) = N'ALTER TABLE dbo.table_mappings DROP CONSTRAINT ' + @constraint;
IF @statement IS NOT NULL
    EXEC sys.sp_executesql @statement;
GO

IF INDEXPROPERTY(OBJECT_ID(N'dbo.table_mappings'), N'ix_table_mappings_server', 'IndexID') IS NULL
    CREATE INDEX ix_table_mappings_server ON dbo.table_mappings (server_id, is_enabled);
GO

------------------------------------------------------------- sync_status
-- A row a run. The daemon writes it at least once a second while it runs.

IF OBJECT_ID(N'dbo.sync_status', N'U') IS NULL
    CREATE TABLE dbo.sync_status (
        status_id BIGINT IDENTITY(1, 1) NOT NULL
            CONSTRAINT pk_sync_status PRIMARY KEY,
        mapping_id INT NOT NULL
            CONSTRAINT fk_sync_status_mapping
                REFERENCES dbo.table_mappings (mapping_id) ON DELETE CASCADE,
        sync_type NVARCHAR(50) NOT NULL,
        status NVARCHAR(50) NOT NULL,
        records_processed BIGINT NOT NULL
            CONSTRAINT df_sync_status_processed DEFAULT 0,
        records_failed BIGINT NOT NULL
            CONSTRAINT df_sync_status_failed DEFAULT 0,
        started_at DATETIME2 NOT NULL
            CONSTRAINT df_sync_status_started DEFAULT SYSUTCDATETIME(),
        completed_at DATETIME2 NULL,
        error_message NVARCHAR(MAX) NULL,
        last_processed_pk NVARCHAR(500) NULL,
        run_id NVARCHAR(36) NULL,
        records_total BIGINT NULL,
        rows_per_second FLOAT NULL,
        updated_at DATETIME2 NULL
    );
GO

IF COL_LENGTH(N'dbo.sync_status', N'run_id') IS NULL
    ALTER TABLE dbo.sync_status ADD run_id NVARCHAR(36) NULL;
GO

IF COL_LENGTH(N'dbo.sync_status', N'records_total') IS NULL
    ALTER TABLE dbo.sync_status ADD records_total BIGINT NULL;
GO

IF COL_LENGTH(N'dbo.sync_status', N'rows_per_second') IS NULL
    ALTER TABLE dbo.sync_status ADD rows_per_second FLOAT NULL;
GO

IF COL_LENGTH(N'dbo.sync_status', N'updated_at') IS NULL
    ALTER TABLE dbo.sync_status ADD updated_at DATETIME2 NULL;
GO

IF INDEXPROPERTY(OBJECT_ID(N'dbo.sync_status'), N'ix_sync_status_run', 'IndexID') IS NULL
    CREATE INDEX ix_sync_status_run ON dbo.sync_status (run_id);
GO

-- Runs in a given state, of all mappings or of one.
IF INDEXPROPERTY(OBJECT_ID(N'dbo.sync_status'), N'ix_sync_status_state', 'IndexID') IS NULL
    CREATE INDEX ix_sync_status_state ON dbo.sync_status (status, mapping_id, started_at DESC);
GO

-- A mapping's runs by time, with all that v_throughput counts.
IF INDEXPROPERTY(OBJECT_ID(N'dbo.sync_status'), N'ix_sync_status_completed', 'IndexID') IS NULL
    CREATE INDEX ix_sync_status_completed ON dbo.sync_status (mapping_id, completed_at)
        INCLUDE (sync_type, records_processed, records_failed);
GO

-- These two serve all that an older one did.
IF INDEXPROPERTY(OBJECT_ID(N'dbo.sync_status'), N'ix_sync_status_mapping', 'IndexID') IS NOT NULL
    DROP INDEX ix_sync_status_mapping ON dbo.sync_status;
GO

--------------------------------------------------------------- sync_logs

IF OBJECT_ID(N'dbo.sync_logs', N'U') IS NULL
    CREATE TABLE dbo.sync_logs (
        log_id BIGINT IDENTITY(1, 1) NOT NULL
            CONSTRAINT pk_sync_logs PRIMARY KEY,
        mapping_id INT NOT NULL
            CONSTRAINT fk_sync_logs_mapping
                REFERENCES dbo.table_mappings (mapping_id) ON DELETE CASCADE,
        log_level NVARCHAR(20) NOT NULL,
        log_message NVARCHAR(MAX) NOT NULL,
        sync_type NVARCHAR(50) NULL,
        records_count BIGINT NULL,
        execution_time_ms INT NULL,
        created_at DATETIME2 NOT NULL
            CONSTRAINT df_sync_logs_created DEFAULT SYSUTCDATETIME()
    );
GO

IF INDEXPROPERTY(OBJECT_ID(N'dbo.sync_logs'), N'ix_sync_logs_mapping', 'IndexID') IS NULL
    CREATE INDEX ix_sync_logs_mapping ON dbo.sync_logs (mapping_id, created_at DESC);
GO

-------------------------------------------------------------- error_logs
-- mapping_id is NULL for what concerns a whole server, server_id too for what
-- concerns the daemon. No foreign keys: the history outlives what it is about.

IF OBJECT_ID(N'dbo.error_logs', N'U') IS NULL
    CREATE TABLE dbo.error_logs (
        error_id BIGINT IDENTITY(1, 1) NOT NULL
            CONSTRAINT pk_error_logs PRIMARY KEY,
        mapping_id INT NULL,
        server_id INT NULL,
        error_type NVARCHAR(50) NOT NULL,
        error_message NVARCHAR(MAX) NOT NULL,
        error_details NVARCHAR(MAX) NULL,
        stack_trace NVARCHAR(MAX) NULL,
        retry_count INT NOT NULL
            CONSTRAINT df_error_logs_retry DEFAULT 0,
        is_resolved BIT NOT NULL
            CONSTRAINT df_error_logs_resolved DEFAULT 0,
        created_at DATETIME2 NOT NULL
            CONSTRAINT df_error_logs_created DEFAULT SYSUTCDATETIME(),
        resolved_at DATETIME2 NULL,
        subject NVARCHAR(100) NULL
    );
GO

-- Which of the daemon's own troubles it is, where there can be several.
IF COL_LENGTH(N'dbo.error_logs', N'subject') IS NULL
    ALTER TABLE dbo.error_logs ADD subject NVARCHAR(100) NULL;
GO

IF INDEXPROPERTY(OBJECT_ID(N'dbo.error_logs'), N'ix_error_logs_open', 'IndexID') IS NULL
    CREATE INDEX ix_error_logs_open ON dbo.error_logs (is_resolved, mapping_id, created_at DESC);
GO

IF INDEXPROPERTY(OBJECT_ID(N'dbo.error_logs'), N'ix_error_logs_type', 'IndexID') IS NULL
    CREATE INDEX ix_error_logs_type ON dbo.error_logs (error_type, created_at);
GO

------------------------------------------------------- verification_logs

IF OBJECT_ID(N'dbo.verification_logs', N'U') IS NULL
    CREATE TABLE dbo.verification_logs (
        verification_id BIGINT IDENTITY(1, 1) NOT NULL
            CONSTRAINT pk_verification_logs PRIMARY KEY,
        mapping_id INT NOT NULL
            CONSTRAINT fk_verification_logs_mapping
                REFERENCES dbo.table_mappings (mapping_id) ON DELETE CASCADE,
        verification_type NVARCHAR(50) NOT NULL,
        source_md5 NVARCHAR(32) NULL,
        dest_md5 NVARCHAR(32) NULL,
        source_row_count BIGINT NULL,
        dest_row_count BIGINT NULL,
        records_compared BIGINT NOT NULL
            CONSTRAINT df_verification_logs_compared DEFAULT 0,
        mismatches_found BIGINT NOT NULL
            CONSTRAINT df_verification_logs_mismatches DEFAULT 0,
        verification_status NVARCHAR(50) NOT NULL,
        verification_details NVARCHAR(MAX) NULL,
        verified_at DATETIME2 NOT NULL
            CONSTRAINT df_verification_logs_verified DEFAULT SYSUTCDATETIME()
    );
GO

IF INDEXPROPERTY(OBJECT_ID(N'dbo.verification_logs'), N'ix_verification_logs_mapping', 'IndexID') IS NULL
    CREATE INDEX ix_verification_logs_mapping ON dbo.verification_logs (mapping_id, verified_at DESC);
GO

IF INDEXPROPERTY(OBJECT_ID(N'dbo.verification_logs'), N'ix_verification_logs_status', 'IndexID') IS NULL
    CREATE INDEX ix_verification_logs_status ON dbo.verification_logs (verification_status, verified_at DESC);
GO

--------------------------------------------------- verification_progress
-- How far the verification of a whole table is, so that it goes on after a
-- restart; written by the daemon alone.

IF OBJECT_ID(N'dbo.verification_progress', N'U') IS NULL
    CREATE TABLE dbo.verification_progress (
        mapping_id INT NOT NULL
            CONSTRAINT pk_verification_progress PRIMARY KEY
            CONSTRAINT fk_verification_progress_mapping
                REFERENCES dbo.table_mappings (mapping_id) ON DELETE CASCADE,
        progress NVARCHAR(MAX) NULL,
        last_tail_at DATETIME2 NULL,
        last_whole_at DATETIME2 NULL,
        updated_at DATETIME2 NOT NULL
            CONSTRAINT df_verification_progress_updated DEFAULT SYSUTCDATETIME()
    );
GO

-------------------------------------------------------- apply_exceptions
-- Rows that a destination refused and that were put aside, so that their
-- mapping could go on. Those that stand are in dataflow.exceptions of the
-- destination database too, which is the truth; mirrored_at is when the daemon
-- last saw them there.

IF OBJECT_ID(N'dbo.apply_exceptions', N'U') IS NULL
    CREATE TABLE dbo.apply_exceptions (
        exception_id NVARCHAR(36) NOT NULL
            CONSTRAINT pk_apply_exceptions PRIMARY KEY,
        mapping_id INT NOT NULL
            CONSTRAINT fk_apply_exceptions_mapping
                REFERENCES dbo.table_mappings (mapping_id) ON DELETE CASCADE,
        operation NVARCHAR(20) NOT NULL,
        row_key NVARCHAR(MAX) NULL,
        position NVARCHAR(1100) NULL,
        error_number INT NULL,
        reason NVARCHAR(MAX) NOT NULL,
        is_resolved BIT NOT NULL
            CONSTRAINT df_apply_exceptions_resolved DEFAULT 0,
        created_at DATETIME2 NOT NULL
            CONSTRAINT df_apply_exceptions_created DEFAULT SYSUTCDATETIME(),
        resolved_at DATETIME2 NULL,
        mirrored_at DATETIME2 NULL
    );
GO

IF INDEXPROPERTY(OBJECT_ID(N'dbo.apply_exceptions'), N'ix_apply_exceptions_open', 'IndexID') IS NULL
    CREATE INDEX ix_apply_exceptions_open ON dbo.apply_exceptions (mapping_id, is_resolved, created_at DESC);
GO

----------------------------------------------------------- sync_requests
-- One-off orders: INSERT INTO dbo.sync_requests (mapping_id, request_type)
-- VALUES (3, N'FULL_SYNC'). scope (TAIL, WHOLE) goes with VERIFY and REPAIR,
-- dry_run with REPAIR, where_condition with RESYNC. The daemon fills the rest.

IF OBJECT_ID(N'dbo.sync_requests', N'U') IS NULL
    CREATE TABLE dbo.sync_requests (
        request_id INT IDENTITY(1, 1) NOT NULL
            CONSTRAINT pk_sync_requests PRIMARY KEY,
        mapping_id INT NOT NULL,
        request_type NVARCHAR(50) NOT NULL,
        requested_by NVARCHAR(255) NULL
            CONSTRAINT df_sync_requests_by DEFAULT SUSER_SNAME(),
        requested_at DATETIME2 NOT NULL
            CONSTRAINT df_sync_requests_at DEFAULT SYSUTCDATETIME(),
        state NVARCHAR(50) NOT NULL
            CONSTRAINT df_sync_requests_state DEFAULT N'PENDING',
        answer NVARCHAR(MAX) NULL,
        started_at DATETIME2 NULL,
        completed_at DATETIME2 NULL,
        scope NVARCHAR(50) NULL,
        where_condition NVARCHAR(MAX) NULL,
        dry_run BIT NOT NULL
            CONSTRAINT df_sync_requests_dry_run DEFAULT 0
    );
GO

IF COL_LENGTH(N'dbo.sync_requests', N'scope') IS NULL
    ALTER TABLE dbo.sync_requests ADD scope NVARCHAR(50) NULL;
GO

IF COL_LENGTH(N'dbo.sync_requests', N'where_condition') IS NULL
    ALTER TABLE dbo.sync_requests ADD where_condition NVARCHAR(MAX) NULL;
GO

IF COL_LENGTH(N'dbo.sync_requests', N'dry_run') IS NULL
    ALTER TABLE dbo.sync_requests ADD dry_run BIT NOT NULL
        CONSTRAINT df_sync_requests_dry_run DEFAULT 0;
GO

IF INDEXPROPERTY(OBJECT_ID(N'dbo.sync_requests'), N'ix_sync_requests_state', 'IndexID') IS NULL
    CREATE INDEX ix_sync_requests_state ON dbo.sync_requests (state, request_id);
GO

----------------------------------------------------------- mapping_state
-- What each mapping does right now; written by the daemon alone. The copy holds
-- what was committed at its source up to current_at.

IF OBJECT_ID(N'dbo.mapping_state', N'U') IS NULL
    CREATE TABLE dbo.mapping_state (
        mapping_id INT NOT NULL
            CONSTRAINT pk_mapping_state PRIMARY KEY
            CONSTRAINT fk_mapping_state_mapping
                REFERENCES dbo.table_mappings (mapping_id) ON DELETE CASCADE,
        state NVARCHAR(50) NOT NULL,
        reason NVARCHAR(MAX) NULL,
        lag_seconds FLOAT NULL,
        is_consistent BIT NOT NULL
            CONSTRAINT df_mapping_state_consistent DEFAULT 0,
        position NVARCHAR(1100) NULL,
        rows_applied BIGINT NOT NULL
            CONSTRAINT df_mapping_state_rows DEFAULT 0,
        next_attempt_at DATETIME2 NULL,
        daemon NVARCHAR(255) NULL,
        updated_at DATETIME2 NOT NULL
            CONSTRAINT df_mapping_state_updated DEFAULT SYSUTCDATETIME(),
        current_at DATETIME2 NULL
    );
GO

IF COL_LENGTH(N'dbo.mapping_state', N'current_at') IS NULL
    ALTER TABLE dbo.mapping_state ADD current_at DATETIME2 NULL;
GO

----------------------------------------------------------------- daemons

IF OBJECT_ID(N'dbo.daemons', N'U') IS NULL
    CREATE TABLE dbo.daemons (
        daemon NVARCHAR(255) NOT NULL CONSTRAINT pk_daemons PRIMARY KEY,
        [version] NVARCHAR(50) NOT NULL,
        started_at DATETIME2 NOT NULL,
        heartbeat_at DATETIME2 NOT NULL,
        stopped_at DATETIME2 NULL,
        beats BIGINT NOT NULL
            CONSTRAINT df_daemons_beats DEFAULT 0
    );
GO

IF COL_LENGTH(N'dbo.daemons', N'beats') IS NULL
    ALTER TABLE dbo.daemons ADD beats BIGINT NOT NULL
        CONSTRAINT df_daemons_beats DEFAULT 0;
GO

---------------------------------------------------------- mapping_leases
-- Which daemon works on which mapping. Whoever takes a mapping over raises its
-- epoch, under which the destination then refuses what the other one writes.

IF OBJECT_ID(N'dbo.mapping_leases', N'U') IS NULL
    CREATE TABLE dbo.mapping_leases (
        mapping_id INT NOT NULL
            CONSTRAINT pk_mapping_leases PRIMARY KEY
            CONSTRAINT fk_mapping_leases_mapping
                REFERENCES dbo.table_mappings (mapping_id) ON DELETE CASCADE,
        daemon NVARCHAR(255) NOT NULL,
        epoch BIGINT NOT NULL,
        taken_at DATETIME2 NOT NULL
    );
GO

IF INDEXPROPERTY(OBJECT_ID(N'dbo.mapping_leases'), N'ix_mapping_leases_daemon', 'IndexID') IS NULL
    CREATE INDEX ix_mapping_leases_daemon ON dbo.mapping_leases (daemon);
GO

--------------------------------------------------- notification_channels
-- Who is told of troubles: by a webhook or by e-mail. settings is a list as a
-- connection string is; events is a list as FAILURE,LAG, NULL means all; so
-- does NULL as mapping_id and server_id. The daemon fills the last_ columns.

IF OBJECT_ID(N'dbo.notification_channels', N'U') IS NULL
    CREATE TABLE dbo.notification_channels (
        channel_id INT IDENTITY(1, 1) NOT NULL
            CONSTRAINT pk_notification_channels PRIMARY KEY,
        channel_name NVARCHAR(255) NOT NULL
            CONSTRAINT uq_notification_channels_name UNIQUE,
        channel_type NVARCHAR(50) NOT NULL,
        settings NVARCHAR(2000) NOT NULL,
        events NVARCHAR(255) NULL,
        mapping_id INT NULL,
        server_id INT NULL,
        is_enabled BIT NOT NULL
            CONSTRAINT df_notification_channels_enabled DEFAULT 1,
        last_success_at DATETIME2 NULL,
        last_error NVARCHAR(MAX) NULL,
        created_at DATETIME2 NOT NULL
            CONSTRAINT df_notification_channels_created DEFAULT SYSUTCDATETIME(),
        updated_at DATETIME2 NOT NULL
            CONSTRAINT df_notification_channels_updated DEFAULT SYSUTCDATETIME()
    );
GO

----------------------------------------------------------- notifications
-- A row for each message that went to a channel, or did not get there. notices
-- tells of what, as JSON; a daemon that starts reads it, and says nothing twice.

IF OBJECT_ID(N'dbo.notifications', N'U') IS NULL
    CREATE TABLE dbo.notifications (
        notification_id BIGINT IDENTITY(1, 1) NOT NULL
            CONSTRAINT pk_notifications PRIMARY KEY,
        message_id NVARCHAR(36) NOT NULL
            CONSTRAINT uq_notifications_message UNIQUE,
        channel_id INT NOT NULL,
        channel_name NVARCHAR(255) NOT NULL,
        [event] NVARCHAR(50) NOT NULL,
        mapping_id INT NULL,
        notice_count INT NOT NULL,
        summary NVARCHAR(MAX) NOT NULL,
        notices NVARCHAR(MAX) NULL,
        state NVARCHAR(50) NOT NULL,
        attempts INT NOT NULL,
        error_message NVARCHAR(MAX) NULL,
        daemon NVARCHAR(255) NOT NULL,
        created_at DATETIME2 NOT NULL
            CONSTRAINT df_notifications_created DEFAULT SYSUTCDATETIME()
    );
GO

IF INDEXPROPERTY(OBJECT_ID(N'dbo.notifications'), N'ix_notifications_channel', 'IndexID') IS NULL
    CREATE INDEX ix_notifications_channel ON dbo.notifications (channel_id, created_at DESC);
GO

-------------------------------------------------------------------- done
-- Last, so that a script that broke off half-way is seen as such.

IF NOT EXISTS (SELECT 1 FROM dbo.installation)
    INSERT INTO dbo.installation (installation_id, schema_version)
    VALUES (LOWER(CONVERT(NVARCHAR(36), NEWID())), 2);
ELSE
    UPDATE dbo.installation
    SET schema_version = 2, updated_at = SYSUTCDATETIME()
    WHERE schema_version < 2;
GO

SET NOEXEC OFF;
GO
