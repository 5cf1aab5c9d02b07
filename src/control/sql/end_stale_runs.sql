-- @mapping_id, @now: runs of this mapping that no daemon works on any more.
UPDATE sync_status
SET
    status = 'ERROR',
    error_message = 'the daemon stopped before this run ended',
    completed_at = COALESCE(updated_at, @now)
WHERE mapping_id = @mapping_id AND status = 'RUNNING';
