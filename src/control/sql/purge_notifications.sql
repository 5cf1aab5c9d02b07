-- @before
DELETE FROM notifications
WHERE
    created_at < @before
    AND notification_id < (SELECT MIN(o.notification_id) + 5000 FROM notifications AS o);
