-- The newest rows after @after_id: @mapping_id (0: any), @most
SELECT
    l.log_id,
    l.mapping_id,
    l.log_level,
    l.log_message,
    l.sync_type,
    l.records_count,
    l.execution_time_ms,
    CAST(l.created_at AS NVARCHAR(40)) AS created_at
FROM (
    SELECT
        log_id,
        mapping_id,
        log_level,
        log_message,
        sync_type,
        records_count,
        execution_time_ms,
        created_at,
        ROW_NUMBER() OVER (ORDER BY log_id DESC) AS place
    FROM sync_logs
    WHERE
        log_id > @after_id
        AND (mapping_id = @mapping_id OR @mapping_id = 0)
) AS l
WHERE l.place <= @most
ORDER BY l.log_id;
