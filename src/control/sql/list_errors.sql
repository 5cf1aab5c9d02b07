-- The newest troubles after @after_id, and what was resolved after
-- @resolved_after (NULL: none more): @mapping_id (0: any), @most
SELECT
    e.error_id,
    COALESCE(e.mapping_id, 0) AS mapping_id,
    e.error_type,
    e.error_message,
    e.retry_count,
    e.is_resolved,
    CAST(e.created_at AS NVARCHAR(40)) AS created_at,
    CAST(e.resolved_at AS NVARCHAR(40)) AS resolved_at
FROM (
    SELECT
        error_id,
        mapping_id,
        error_type,
        error_message,
        retry_count,
        is_resolved,
        created_at,
        resolved_at,
        ROW_NUMBER() OVER (ORDER BY error_id DESC) AS place
    FROM error_logs
    WHERE
        (error_id > @after_id OR resolved_at > @resolved_after)
        AND (mapping_id = @mapping_id OR @mapping_id = 0)
) AS e
WHERE e.place <= @most
ORDER BY e.error_id;
