#include "drivers/postgresql/source.h"

static int not_captured(struct postgresql_source *source, struct error *err)
{
	char name[TABLE_NAME_TEXT_MAX];

	if (pg_source_know_table(source, err) < 0)
		return -1;
	return error_set(err, ERROR_SCHEMA,
			 "changes of '%s' are not captured: no replication "
			 "slot is there; set cdc_enabled to 0",
			 table_name_format(name, &source->name));
}

int pg_changes_position(struct postgresql_source *source, struct position *out,
			struct error *err)
{
	out->len = 0;
	return not_captured(source, err);
}

int pg_changes_begin(struct postgresql_source *source, struct table *shape,
		     const struct position *from, unsigned limit,
		     struct window *window, struct error *err)
{
	(void)shape;
	(void)from;
	(void)limit;
	(void)window;
	return not_captured(source, err);
}

int pg_changes_next(struct postgresql_source *source, struct batch *batch,
		    struct error *err)
{
	(void)source;
	(void)batch;
	return error_set(err, ERROR_INTERNAL, "no changes were begun");
}

void pg_changes_end(struct postgresql_source *source)
{
	(void)source;
}
