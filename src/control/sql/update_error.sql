-- The same trouble goes on: @mapping_id, @server_id, @error_type,
-- @error_message, @error_details, @retry_count, @subject. A mapping's own error
-- has its mapping_id; a server's has none; the daemon's has neither, and @subject
-- tells its troubles apart. What was found in the newest rows does not take the
-- place of what was found in the whole table.
UPDATE error_logs
SET
    error_message = @error_message,
    error_details = @error_details,
    retry_count = CASE WHEN retry_count > @retry_count THEN retry_count ELSE @retry_count END
WHERE
    is_resolved = 0
    AND error_type = @error_type
    AND COALESCE(mapping_id, 0) = COALESCE(@mapping_id, 0)
    AND (mapping_id IS NOT NULL OR COALESCE(server_id, 0) = COALESCE(@server_id, 0))
    AND COALESCE(subject, '') = COALESCE(@subject, '')
    AND (
        COALESCE(error_details, '') NOT LIKE '%"scope":"WHOLE"%'
        OR COALESCE(@error_details, '') NOT LIKE '%"scope":"TAIL"%'
    );
