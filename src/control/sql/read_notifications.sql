-- @after, @since: what channels were told, as far as it is news.
SELECT
    notification_id,
    channel_id,
    notices,
    daemon,
    CAST(created_at AS NVARCHAR(40)) AS created_at
FROM notifications
WHERE
    notification_id > @after
    AND created_at > @since
    AND state = 'SENT'
ORDER BY notification_id;
