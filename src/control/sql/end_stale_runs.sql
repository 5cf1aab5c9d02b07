-- @mapping_id, @daemon, @now: runs of this mapping that no daemon works on any
-- more. If it is another one's by now than @daemon's, that one sees to it.
UPDATE sync_status
SET
    status = 'ERROR',
    error_message = 'the daemon stopped before this run ended',
    completed_at = COALESCE(updated_at, @now)
WHERE
    mapping_id = @mapping_id
    AND status = 'RUNNING'
    AND NOT EXISTS (SELECT 1 FROM mapping_leases AS l WHERE l.mapping_id = @mapping_id AND l.daemon <> @daemon);
