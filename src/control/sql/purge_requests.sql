-- @before
DELETE FROM sync_requests
WHERE completed_at < @before;
