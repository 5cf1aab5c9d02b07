SELECT
    channel_id,
    channel_name,
    channel_type,
    settings,
    events,
    mapping_id,
    server_id,
    is_enabled
FROM notification_channels
ORDER BY channel_id;
