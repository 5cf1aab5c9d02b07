-- The newest orders and what became of them: @mapping_id and @request_id (0:
-- any), @most
SELECT
    r.request_id,
    r.mapping_id,
    r.request_type,
    r.scope,
    r.where_condition,
    r.dry_run,
    r.requested_by,
    CAST(r.requested_at AS NVARCHAR(40)) AS requested_at,
    r.state,
    r.answer,
    CAST(r.started_at AS NVARCHAR(40)) AS started_at,
    CAST(r.completed_at AS NVARCHAR(40)) AS completed_at
FROM (
    SELECT
        request_id,
        mapping_id,
        request_type,
        scope,
        where_condition,
        dry_run,
        requested_by,
        requested_at,
        state,
        answer,
        started_at,
        completed_at,
        ROW_NUMBER() OVER (ORDER BY request_id DESC) AS place
    FROM sync_requests
    WHERE
        (mapping_id = @mapping_id OR @mapping_id = 0)
        AND (request_id = @request_id OR @request_id = 0)
) AS r
WHERE r.place <= @most
ORDER BY r.request_id DESC;
