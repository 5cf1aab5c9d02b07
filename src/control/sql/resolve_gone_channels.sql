-- @resolved_at: the errors of channels that were deleted or switched off.
UPDATE error_logs
SET
    is_resolved = 1,
    resolved_at = @resolved_at
WHERE
    is_resolved = 0
    AND mapping_id IS NULL
    AND subject LIKE 'channel %'
    AND NOT EXISTS (
        SELECT 1
        FROM notification_channels AS c
        WHERE
            c.is_enabled = 1
            AND error_logs.subject = REPLACE('channel #', '#', CAST(c.channel_id AS NVARCHAR(20)))
    );
