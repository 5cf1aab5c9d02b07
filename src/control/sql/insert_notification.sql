-- @message_id, @channel_id, @channel_name, @event, @mapping_id, @notice_count,
-- @summary, @notices, @state, @attempts, @error_message, @daemon, @created_at
INSERT INTO notifications (
    message_id, channel_id, channel_name, event, mapping_id, notice_count,
    summary, notices, state, attempts, error_message, daemon, created_at
)
SELECT
    @message_id,
    @channel_id,
    @channel_name,
    @event,
    @mapping_id,
    @notice_count,
    @summary,
    @notices,
    @state,
    @attempts,
    @error_message,
    @daemon,
    @created_at
WHERE NOT EXISTS (SELECT 1 FROM notifications WHERE message_id = @message_id);
