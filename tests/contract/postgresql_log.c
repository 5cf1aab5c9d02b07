#include "contract/postgresql_log.h"

#include "contract/postgresql.h"

void postgresql_log_begin(struct pg *source)
{
	struct error err = ERROR_INIT;

	MUST(pg_exec(source,
		     "SELECT pg_drop_replication_slot(slot_name) "
		     "FROM pg_replication_slots WHERE NOT active "
		     "AND database = current_database()",
		     &err));
}

void postgresql_settle(void)
{
}

void postgresql_purge_log(void)
{
	postgresql_log_begin(NULL);
}

void postgresql_far_ahead(struct position *position)
{
	position->bytes[0] |= 0x40;
}
