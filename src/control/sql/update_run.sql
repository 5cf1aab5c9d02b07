-- @run_id, @status, @records_processed, @records_failed, @records_total,
-- @rows_per_second (thousandths), @last_processed_pk, @error_message,
-- @updated_at, @completed_at
UPDATE sync_status
SET
    status = @status,
    records_processed = @records_processed,
    records_failed = @records_failed,
    records_total = @records_total,
    rows_per_second = @rows_per_second / 1000.0,
    last_processed_pk = @last_processed_pk,
    error_message = @error_message,
    updated_at = @updated_at,
    completed_at = @completed_at
WHERE run_id = @run_id;
