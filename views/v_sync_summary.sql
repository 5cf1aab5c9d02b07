-- Runs that are under way, and those that ended with an error.
USE dbaops_dataflow;
GO

CREATE OR ALTER VIEW dbo.v_sync_summary
AS
SELECT
    s.server_name,
    m.source_database,
    m.source_table,
    m.dest_table,
    r.status,
    r.sync_type,
    r.records_processed,
    r.records_failed,
    r.started_at,
    r.completed_at,
    DATEDIFF(SECOND, r.started_at, COALESCE(r.completed_at, SYSUTCDATETIME())) AS duration_seconds,
    m.mapping_id,
    r.records_total,
    r.rows_per_second,
    CASE
        WHEN r.status = N'RUNNING' AND r.records_total > r.records_processed
            THEN CAST(100.0 * r.records_processed / r.records_total AS DECIMAL(5, 1))
        WHEN r.status = N'RUNNING' AND r.records_total > 0
            THEN 100.0
    END AS percent_done,
    CASE
        WHEN r.status = N'RUNNING' AND r.records_total > r.records_processed AND r.rows_per_second > 0
            THEN CAST((r.records_total - r.records_processed) / r.rows_per_second AS BIGINT)
    END AS seconds_left,
    r.error_message
FROM dbo.sync_status AS r
INNER JOIN dbo.table_mappings AS m ON r.mapping_id = m.mapping_id
INNER JOIN dbo.source_servers AS s ON m.server_id = s.server_id
WHERE r.status IN (N'RUNNING', N'ERROR');
GO
