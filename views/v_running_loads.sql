-- What is under way: how much of it is done, how fast, and how long it will
-- take. NULL where the number of rows is not known. seconds_since_update grows
-- when the daemon that worked on it is gone.
USE dbaops_dataflow;
GO

CREATE OR ALTER VIEW dbo.v_running_loads
AS
SELECT
    m.mapping_id,
    s.server_name,
    m.source_database,
    m.source_schema,
    m.source_table,
    m.dest_database,
    m.dest_schema,
    m.dest_table,
    r.status_id,
    r.sync_type,
    r.records_processed,
    r.records_total,
    CASE
        WHEN r.records_total > r.records_processed
            THEN CAST(100.0 * r.records_processed / r.records_total AS DECIMAL(5, 1))
        WHEN r.records_total > 0
            THEN 100.0
    END AS percent_done,
    CAST(r.rows_per_second AS DECIMAL(18, 1)) AS rows_per_second,
    CASE
        WHEN r.records_total > r.records_processed AND r.rows_per_second > 0
            THEN CAST((r.records_total - r.records_processed) / r.rows_per_second AS BIGINT)
        WHEN r.records_total > 0 AND r.records_total <= r.records_processed
            THEN 0
    END AS seconds_left,
    DATEDIFF(SECOND, r.started_at, SYSUTCDATETIME()) AS duration_seconds,
    DATEDIFF(SECOND, COALESCE(r.updated_at, r.started_at), SYSUTCDATETIME()) AS seconds_since_update,
    r.last_processed_pk,
    r.started_at,
    r.updated_at
FROM dbo.sync_status AS r
INNER JOIN dbo.table_mappings AS m ON r.mapping_id = m.mapping_id
INNER JOIN dbo.source_servers AS s ON m.server_id = s.server_id
WHERE r.status = N'RUNNING';
GO
