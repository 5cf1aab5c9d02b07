#include "drivers/files/settings.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define SIZE_DEFAULT_MB 128
#define SIZE_MAX_MB	4096
#define AGE_DEFAULT_S	60
#define AGE_MAX_S	86400
#define KEEP_DEFAULT	2
#define KEEP_MAX	10000
#define DIGEST_DEFAULT	64
#define DIGEST_MAX	1000000

static int read_format(struct files_settings *out, struct connstr *cs,
		       struct error *err)
{
	const char *name = connstr_get(cs, "file_format|format");
	const struct format *format = format_find(name ? name : "parquet");

	if (!format)
		return error_set(err, ERROR_CONFIG,
				 "option 'file_format' must be parquet, csv or "
				 "json");
	if (format_options_read(&out->format, format, cs, err) < 0)
		return -1;
	format_extension(&out->format, out->extension);
	return 0;
}

static int read_times(struct files_settings *out, struct connstr *cs,
		      struct error *err)
{
	static const char *const words[] = {"none", "day", "hour"};
	const char *value = connstr_get(cs, "partition_by");

	if (!value)
		return 0;
	for (int i = 0; i < 3; i++) {
		if (text_iequal(value, words[i])) {
			out->times = (enum layout_times)i;
			return 0;
		}
	}
	return error_set(err, ERROR_CONFIG,
			 "option 'partition_by' must be none, day or hour");
}

/* A copy of what is there, and not empty. */
static int keep(struct connstr *cs, const char *key, char **out,
		struct error *err)
{
	const char *value = connstr_get(cs, key);

	if (!value || !*value)
		return 0;
	*out = strdup(value);
	return *out ? 0 : error_memory(err, "a server");
}

static int read_all(struct files_settings *out, struct connstr *cs,
		    struct error *err)
{
	int size_mb = SIZE_DEFAULT_MB;

	if (read_format(out, cs, err) < 0 || read_times(out, cs, err) < 0 ||
	    connstr_get_int(cs, "file_size_mb", 1, SIZE_MAX_MB, &size_mb, err) <
		    0 ||
	    connstr_get_int(cs, "file_age_seconds", 1, AGE_MAX_S, &out->age_s,
			    err) < 0 ||
	    connstr_get_int(cs, "keep_full_loads", 1, KEEP_MAX,
			    &out->keep_full_loads, err) < 0 ||
	    connstr_get_int(cs, "digest_every", 1, DIGEST_MAX,
			    &out->digest_every, err) < 0 ||
	    keep(cs, "partition_columns", &out->partition_columns, err) < 0 ||
	    keep(cs, "file_naming", &out->naming, err) < 0)
		return -1;
	out->file_bytes = (uint64_t)size_mb << 20;
	return out->naming ? layout_check_naming(out->naming, err) : 0;
}

int files_settings_read(struct files_settings *out, struct connstr *cs,
			struct error *err)
{
	memset(out, 0, sizeof(*out));
	out->age_s = AGE_DEFAULT_S;
	out->keep_full_loads = KEEP_DEFAULT;
	out->digest_every = DIGEST_DEFAULT;
	if (read_all(out, cs, err) == 0)
		return 0;
	files_settings_release(out);
	return -1;
}

void files_settings_release(struct files_settings *settings)
{
	free(settings->partition_columns);
	free(settings->naming);
	memset(settings, 0, sizeof(*settings));
}
