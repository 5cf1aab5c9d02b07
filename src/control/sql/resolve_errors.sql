-- It works again: @mapping_id, @server_id, @subject, @resolved_at; and
-- @except_type, the one kind of trouble that goes on, or NULL. What
-- verification found is another matter.
UPDATE error_logs
SET
    is_resolved = 1,
    resolved_at = @resolved_at
WHERE
    is_resolved = 0
    AND COALESCE(mapping_id, 0) = COALESCE(@mapping_id, 0)
    AND (mapping_id IS NOT NULL OR COALESCE(server_id, 0) = COALESCE(@server_id, 0))
    AND COALESCE(subject, '') = COALESCE(@subject, '')
    AND error_type <> COALESCE(@except_type, '')
    AND error_type <> 'VERIFICATION';
