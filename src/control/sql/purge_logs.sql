-- @before: a limited number of old rows a call, so that no call locks much.
DELETE FROM sync_logs
WHERE
    created_at < @before
    AND log_id < (SELECT MIN(o.log_id) + 5000 FROM sync_logs AS o);
