-- @channel_id, @last_success_at or NULL, @last_error or NULL: how its last
-- message fared.
UPDATE notification_channels
SET
    last_success_at = COALESCE(@last_success_at, last_success_at),
    last_error = @last_error
WHERE channel_id = @channel_id;
