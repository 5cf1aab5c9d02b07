-- Orders that are not done. RUNNING ones too: a daemon that was killed left
-- them, and whoever starts next takes them up again.
SELECT
    request_id,
    mapping_id,
    request_type,
    scope,
    where_condition,
    dry_run
FROM sync_requests
WHERE state IN ('PENDING', 'RUNNING')
ORDER BY request_id;
