-- May the daemon update? Touches no row.
UPDATE mapping_state
SET state = state
WHERE 1 = 0;
