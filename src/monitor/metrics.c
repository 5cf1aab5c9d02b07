#include "monitor/metrics.h"

#include "base/version.h"

void metrics_write_label(struct strbuf *sb, const char *value)
{
	for (; *value; value++) {
		if (*value == '\n')
			strbuf_addstr(sb, "\\n");
		else if (*value == '"' || *value == '\\')
			strbuf_addf(sb, "\\%c", *value);
		else
			strbuf_addch(sb, *value);
	}
}

static void head(struct strbuf *sb, const char *name, const char *type,
		 const char *help)
{
	strbuf_addf(sb, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void add_integer(struct strbuf *sb, const char *name, const char *type,
			const char *help, int64_t value)
{
	head(sb, name, type, help);
	strbuf_addf(sb, "%s %lld\n", name, (long long)value);
}

static double seconds(int64_t us)
{
	return (double)us / 1e6;
}

static void add_seconds(struct strbuf *sb, const char *name, const char *help,
			int64_t us)
{
	head(sb, name, "gauge", help);
	strbuf_addf(sb, "%s %.3f\n", name, seconds(us));
}

/* -------------------------------------------------------------- the daemon */

static void write_control(struct strbuf *sb, const struct overview *now)
{
	static const char name[] = "dataflow_control_store_up";

	head(sb, name, "gauge",
	     "Whether the control tables could be reached when that was last "
	     "tried.");
	strbuf_addf(sb, "%s{access=\"read\"} %d\n%s{access=\"write\"} %d\n",
		    name, now->control_readable, name, now->control_writable);
	if (now->control_read_us)
		add_seconds(sb, "dataflow_control_store_read_timestamp_seconds",
			    "When the control tables were last read.",
			    now->control_read_us);
	add_integer(sb, "dataflow_outbox_rows", "gauge",
		    "Rows that wait to be written into the control tables.",
		    (int64_t)now->waiting);
	add_integer(sb, "dataflow_outbox_dropped_rows_total", "counter",
		    "Such rows that were dropped because too many waited or "
		    "memory was short.",
		    (int64_t)now->dropped);
}

static void write_connections(struct strbuf *sb, const struct overview *now)
{
	add_integer(sb, "dataflow_connections_limit", "gauge",
		    "Most connections to sources and targets together.",
		    now->connections_max);
	add_integer(sb, "dataflow_connections_reserved", "gauge",
		    "Connections that runs under way may use.",
		    now->connections_reserved);
	add_integer(sb, "dataflow_connections_in_use", "gauge",
		    "Connections that runs use.", now->connections_taken);
	add_integer(sb, "dataflow_connections_idle", "gauge",
		    "Open connections that nobody uses.",
		    now->connections_idle);
}

static void write_memory(struct strbuf *sb, const struct overview *now)
{
	add_integer(sb, "dataflow_memory_budget_bytes", "gauge",
		    "Memory that runs share, beside what each has of its own.",
		    (int64_t)now->memory_size);
	add_integer(sb, "dataflow_memory_reserved_bytes", "gauge",
		    "How much of it runs under way may use.",
		    (int64_t)now->memory_used);
	add_integer(sb, "dataflow_memory_wanted_bytes", "gauge",
		    "How much of it runs with large rows wait for.",
		    (int64_t)now->memory_wanted);
}

static void write_errors(struct strbuf *sb, const struct overview *now)
{
	static const char name[] = "dataflow_errors_total";

	head(sb, name, "counter",
	     "Errors that went into error_logs, those of no mapping too; one "
	     "that lasts counts each time it is met.");
	for (int i = 0; i < OVERVIEW_ERROR_TYPES; i++)
		strbuf_addf(sb, "%s{type=\"%s\"} %llu\n", name,
			    overview_error_name((enum overview_error_type)i),
			    (unsigned long long)now->errors[i]);
}

static void write_daemon(struct strbuf *sb, const struct overview *now)
{
	head(sb, "dataflow_build_info", "gauge", "The program's version.");
	strbuf_addstr(sb, "dataflow_build_info{version=\"" DATAFLOW_VERSION
			  "\"} 1\n");
	add_integer(sb, "dataflow_up", "gauge",
		    "1: the control tables were read and the workers run, as "
		    "/readyz says; 0: not so.",
		    !now->not_ready);
	add_seconds(sb, "dataflow_start_timestamp_seconds",
		    "When the daemon was started.", now->started_us);
	add_integer(sb, "dataflow_mappings", "gauge",
		    "Mappings that this daemon works on.",
		    (int64_t)now->mapping_count);
	write_control(sb, now);
	write_connections(sb, now);
	write_memory(sb, now);
	write_errors(sb, now);
}

/* ------------------------------------------------------------ the mappings */

static void open_sample(struct strbuf *sb, const char *name,
			const struct overview_mapping *mapping)
{
	strbuf_addf(sb, "%s{mapping_id=\"%d\",server=\"", name, mapping->id);
	metrics_write_label(sb, mapping->server);
	strbuf_addstr(sb, "\",source=\"");
	metrics_write_label(sb, mapping->source);
	strbuf_addstr(sb, "\",destination=\"");
	metrics_write_label(sb, mapping->dest);
	strbuf_addch(sb, '"');
}

static void add_label(struct strbuf *sb, const char *label, const char *value)
{
	strbuf_addf(sb, ",%s=\"", label);
	metrics_write_label(sb, value);
	strbuf_addch(sb, '"');
}

/* What a mapping has one number of; false: it has none now. */
#define VALUE(name, there, number)                                        \
	static bool name(const struct overview_mapping *m, double *value) \
	{                                                                 \
		*value = (double)(number);                                \
		return there;                                             \
	}

VALUE(lag, m->lag_s >= 0, m->lag_s)
VALUE(consistent, true, m->consistent)
VALUE(rows, true, m->rows)
VALUE(bytes, true, m->bytes)
VALUE(success, m->last_success_us != 0, seconds(m->last_success_us))
VALUE(run_rows, m->run.sync_type != NULL, m->run.processed)
VALUE(run_expected, m->run.sync_type && m->run.expected > 0, m->run.expected)
VALUE(mismatches, m->verification.type != NULL, m->verification.mismatches)
VALUE(verified, m->verification.type != NULL, seconds(m->verification.at_us))

static const struct {
	const char *name, *type, *help;
	bool (*value)(const struct overview_mapping *mapping, double *value);
	int digits;
} numbers[] = {
	{"dataflow_mapping_lag_seconds", "gauge",
	 "How far the destination is behind the source. It grows when nothing "
	 "could be measured for a while.",
	 lag, 3},
	{"dataflow_mapping_consistent", "gauge",
	 "0: a copy has yet to catch up with what changed during its load.",
	 consistent, 0},
	{"dataflow_mapping_rows_applied_total", "counter",
	 "Rows written to the destination, by attempts that failed too.", rows,
	 0},
	{"dataflow_mapping_bytes_applied_total", "counter",
	 "Size of the values in these rows, as they lie in memory.", bytes, 0},
	{"dataflow_mapping_last_success_timestamp_seconds", "gauge",
	 "When the mapping last did what was due.", success, 3},
	{"dataflow_mapping_run_rows", "gauge",
	 "Rows that the run under way has written.", run_rows, 0},
	{"dataflow_mapping_run_expected_rows", "gauge",
	 "Rows that the run under way will write, as estimated.", run_expected,
	 0},
	{"dataflow_mapping_verification_mismatches", "gauge",
	 "Rows that differed in the last verification.", mismatches, 0},
	{"dataflow_mapping_verification_timestamp_seconds", "gauge",
	 "When the last verification was.", verified, 3},
};

static void write_numbers(struct strbuf *sb, const struct overview *now)
{
	double value;

	for (size_t n = 0; n < sizeof(numbers) / sizeof(*numbers); n++) {
		head(sb, numbers[n].name, numbers[n].type, numbers[n].help);
		for (size_t i = 0; i < now->mapping_count; i++) {
			if (!numbers[n].value(&now->mappings[i], &value))
				continue;
			open_sample(sb, numbers[n].name, &now->mappings[i]);
			strbuf_addf(sb, "} %.*f\n", numbers[n].digits, value);
		}
	}
}

static void write_words(struct strbuf *sb, const struct overview *now)
{
	static const char state[] = "dataflow_mapping_state";
	static const char health[] = "dataflow_mapping_health";

	head(sb, state, "gauge",
	     "1 for the state that the mapping is in, as in mapping_state.");
	for (size_t i = 0; i < now->mapping_count; i++) {
		open_sample(sb, state, &now->mappings[i]);
		add_label(sb, "state", now->mappings[i].state);
		strbuf_addstr(sb, "} 1\n");
	}
	head(sb, health, "gauge",
	     "1 for how it is, in the words of v_mapping_health: HEALTHY, "
	     "LAGGING, MISMATCH, WAITING, RETRYING, ERROR, LOADING, PAUSED or "
	     "SUSPENDED.");
	for (size_t i = 0; i < now->mapping_count; i++) {
		open_sample(sb, health, &now->mappings[i]);
		add_label(sb, "health",
			  overview_health_name(now->mappings[i].health));
		strbuf_addstr(sb, "} 1\n");
	}
}

static void write_counts(struct strbuf *sb, const struct overview *now)
{
	static const char errors[] = "dataflow_mapping_errors_total";
	static const char results[] = "dataflow_mapping_verifications_total";

	head(sb, errors, "counter",
	     "Errors of the mapping that went into error_logs.");
	for (size_t i = 0; i < now->mapping_count; i++) {
		const struct overview_mapping *m = &now->mappings[i];

		for (int t = 0; t < OVERVIEW_ERROR_TYPES; t++) {
			open_sample(sb, errors, m);
			add_label(sb, "type", overview_error_name(t));
			strbuf_addf(sb, "} %llu\n",
				    (unsigned long long)m->errors[t]);
		}
	}
	head(sb, results, "counter", "Verifications by their results.");
	for (size_t i = 0; i < now->mapping_count; i++) {
		const struct overview_mapping *m = &now->mappings[i];

		for (int r = 0; r < OVERVIEW_RESULTS; r++) {
			open_sample(sb, results, m);
			add_label(sb, "result", overview_result_name(r));
			strbuf_addf(sb, "} %llu\n",
				    (unsigned long long)m->verifications[r]);
		}
	}
}

void metrics_write(struct strbuf *sb, const struct overview *now)
{
	write_daemon(sb, now);
	write_words(sb, now);
	write_numbers(sb, now);
	write_counts(sb, now);
}
