-- Rows per mapping and hour: the present hour and the 24 before it. An index
-- holds all that is counted, so that the length of the history does not matter.
-- full_sync_records are those of records_processed that full syncs copied, the
-- others are changes. A run counts in the hour in which it ended; those under way
-- are in v_running_loads. Verifications move no rows and are left out.
USE dbaops_dataflow;
GO

CREATE OR ALTER VIEW dbo.v_throughput
AS
SELECT
    m.mapping_id,
    s.server_name,
    m.source_database,
    m.source_table,
    m.dest_table,
    h.hour_start,
    h.runs,
    h.records_processed,
    h.full_sync_records,
    h.records_failed
FROM dbo.table_mappings AS m
INNER JOIN dbo.source_servers AS s ON m.server_id = s.server_id
CROSS APPLY (
    SELECT
        b.hour_start,
        COUNT(*) AS runs,
        SUM(b.records_processed) AS records_processed,
        SUM(CASE WHEN b.sync_type = N'FULL_SYNC' THEN b.records_processed ELSE 0 END) AS full_sync_records,
        SUM(b.records_failed) AS records_failed
    FROM (
        SELECT
            r.sync_type,
            r.records_processed,
            r.records_failed,
            DATEADD(
                HOUR, DATEDIFF(HOUR, CAST('20000101' AS DATETIME2(0)), r.completed_at), CAST('20000101' AS DATETIME2(0))
            ) AS hour_start
        FROM dbo.sync_status AS r
        WHERE
            r.mapping_id = m.mapping_id
            AND r.completed_at >= DATEADD(
                HOUR,
                DATEDIFF(HOUR, CAST('20000101' AS DATETIME2(0)), SYSUTCDATETIME()) - 24,
                CAST('20000101' AS DATETIME2(0))
            )
            AND r.sync_type <> N'VERIFICATION'
    ) AS b
    GROUP BY b.hour_start
) AS h;
GO
