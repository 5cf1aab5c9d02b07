/*
 * What stands in the control tables, whatever it is: control/control.h over
 * tests/fuzz/dblib.h.
 *
 * Every row is read into a snapshot, or the reading fails as a whole and says
 * why. Of the rows settings and mappings are made as the daemon makes them:
 * each mapping has all that a worker needs, or a problem of its own.
 */
#include "fuzz/fuzz.h"

#include <string.h>

#include "control/settings.h"
#include "engine/mapping.h"
#include "engine/topology.h"
#include "fuzz/dblib.h"

#define MAPPINGS_MAX 64

static struct cancel cancel;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct error err = ERROR_INIT;

	(void)argc;
	(void)argv;
	private_folder();
	HOLDS(drivers_init(&err) == 0);
	HOLDS(cancel_init(&cancel, &err) == 0);
	return 0;
}

static bool worked(int rc, const struct error *err)
{
	if (rc < 0)
		check_error(err);
	return rc >= 0;
}

static void check_mapping(const struct mapping *mapping)
{
	const char *names[] = {mapping->source.database, mapping->source.schema,
			       mapping->source.table,	 mapping->dest.database,
			       mapping->dest.schema,	 mapping->dest.table};

	HOLDS(mapping->name && mapping->origin);
	HOLDS(mapping_equal(mapping, mapping));
	if (mapping->problem.kind != ERROR_NONE) {
		check_error(&mapping->problem);
		return;
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		HOLDS(names[i] && *names[i]);
	HOLDS(mapping->from.driver && mapping->from.driver->source);
	HOLDS(mapping->to.driver && mapping->to.driver->target);
	HOLDS(mapping->from.connection_string && mapping->to.connection_string);
	HOLDS(!mapping->cdc_enabled || mapping->change_source);
}

static void check_mappings(struct control_snapshot *snapshot)
{
	const struct mapping_default_target fallback = {
		.type = "sqlserver",
		.connection_string = "server=h;uid=u",
		.address = "h,1433",
	};
	struct mapping *mappings[MAPPINGS_MAX];
	struct error err = ERROR_INIT;
	size_t count = 0;

	HOLDS(mapping_find_addresses(snapshot, &err) == 0);
	for (size_t i = 0; i < snapshot->source_count; i++)
		HOLDS(snapshot->sources[i].address);
	for (size_t i = 0; i < snapshot->target_count; i++)
		HOLDS(snapshot->targets[i].address);
	HOLDS(snapshot->mapping_count <= MAPPINGS_MAX);
	for (size_t i = 0; i < snapshot->mapping_count; i++) {
		if (!mapping_is_enabled(&snapshot->mappings[i], snapshot))
			continue;
		mappings[count] = mapping_new(&snapshot->mappings[i], snapshot,
					      &fallback);
		HOLDS(mappings[count]);
		check_mapping(mappings[count++]);
	}
	HOLDS(topology_check(mappings, count, &err) == 0);
	for (size_t i = 0; i < count; i++) {
		check_mapping(mappings[i]);
		mapping_free(mappings[i]);
	}
}

static void try_load(struct control *control)
{
	struct control_snapshot snapshot;
	struct error err = ERROR_INIT;
	struct settings settings;

	if (!worked(control_load(control, &snapshot, &err), &err))
		return;
	settings_init(&settings);
	(void)worked(settings_load(&settings, &snapshot, &err), &err);
	HOLDS(settings.batch_rows > 0 && settings.max_connections > 0);
	check_mappings(&snapshot);
	control_snapshot_release(&snapshot);
}

static void try_leases(struct control *control)
{
	struct control_holders holders;
	struct control_lease *leases;
	struct error err = ERROR_INIT;
	size_t count;

	if (worked(control_read_holders(control, "d", &holders, &err), &err)) {
		for (size_t i = 0; i < holders.count; i++)
			(void)worked(control_take_leases(control, "d",
							 &holders.holders[i],
							 &err),
				     &err);
		control_holders_release(&holders);
	}
	if (worked(control_read_leases(control, "d", &leases, &count, &err),
		   &err)) {
		HOLDS(!count == !leases);
		free(leases);
	}
}

static void try_report(struct control *control)
{
	struct control_report report;
	struct error err = ERROR_INIT;

	if (!worked(control_report(control, &report, &err), &err))
		return;
	for (size_t i = 0; i < report.mapping_count; i++)
		HOLDS(report.mappings[i].mapping.id >= -1);
	control_report_release(&report);
}

static void try_lists(struct control *control)
{
	struct control_orders orders;
	struct control_lines lines;
	struct error err = ERROR_INIT;

	if (worked(control_list_orders(control, 0, 0, 9, &orders, &err), &err))
		control_orders_release(&orders);
	if (worked(control_list_logs(control, 1, 0, 9, &lines, &err), &err))
		control_lines_release(&lines);
	if (worked(control_list_errors(control, 1, 0, 1, 9, &lines, &err),
		   &err)) {
		for (size_t i = 0; i < lines.count; i++)
			HOLDS(lines.lines[i].is_error);
		control_lines_release(&lines);
	}
}

static void try_order(struct control *control)
{
	struct control_order order = {
		.mapping_id = 1, .type = "FULL_SYNC", .by = "anna"};
	struct error err = ERROR_INIT;

	if (worked(control_order(control, &order, &err), &err))
		HOLDS(order.id != 0);
	(void)worked(control_check_rights(control, &err), &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	struct control_spec spec = {
		.kind = CONTROL_SQLSERVER,
		.connection_string = "server=h;uid=u",
		.database = "dbaops_dataflow",
		.login_timeout_s = 1,
		.query_timeout_s = 1,
	};
	unsigned steps = take_byte(&in);
	struct error err = ERROR_INIT;
	enum control_trouble trouble;
	struct control *control;

	dblib_answer_from(&in);
	if (control_open(&spec, &cancel, &control, &trouble, &err) < 0) {
		check_error(&err);
		HOLDS(trouble != CONTROL_FINE);
	} else {
		if (steps & 1)
			try_load(control);
		if (steps & 2)
			try_leases(control);
		if (steps & 4)
			try_report(control);
		if (steps & 8)
			try_lists(control);
		if (steps & 16)
			try_order(control);
		control_close(control);
	}
	dblib_answer_from(NULL);
	return 0;
}
