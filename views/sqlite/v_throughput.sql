-- Rows per mapping and hour; see views/v_throughput.sql. In SQLite a CROSS JOIN
-- keeps its order: a search of the index for each mapping, never all of it.
DROP VIEW IF EXISTS v_throughput;
CREATE VIEW v_throughput AS
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
FROM (
    SELECT
        x.mapping_id,
        substr(r.completed_at, 1, 13) || ':00:00' AS hour_start,
        COUNT(*) AS runs,
        SUM(r.records_processed) AS records_processed,
        SUM(CASE WHEN r.sync_type = 'FULL_SYNC' THEN r.records_processed ELSE 0 END) AS full_sync_records,
        SUM(r.records_failed) AS records_failed
    FROM table_mappings AS x
    CROSS JOIN sync_status AS r
    WHERE
        x.mapping_id = r.mapping_id
        AND r.completed_at >= strftime('%Y-%m-%dT%H:00:00', 'now', '-24 hours')
        AND r.sync_type <> 'VERIFICATION'
    GROUP BY 1, 2
) AS h
INNER JOIN table_mappings AS m ON h.mapping_id = m.mapping_id
INNER JOIN source_servers AS s ON m.server_id = s.server_id;
