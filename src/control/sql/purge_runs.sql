-- @before
DELETE FROM sync_status
WHERE
    completed_at < @before
    AND status_id < (SELECT MIN(o.status_id) + 5000 FROM sync_status AS o WHERE o.completed_at < @before);
