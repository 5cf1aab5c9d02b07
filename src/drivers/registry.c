/*
 * Every system this project knows. A driver that was not built in stays in the
 * list, so that a mapping which asks for it gets a useful answer.
 */
#include "drivers/registry.h"

#include "base/text.h"

#ifdef HAVE_FREETDS
#define SQLSERVER (&sqlserver_driver)
#else
#define SQLSERVER NULL
#endif

#ifdef HAVE_LIBPQ
#define POSTGRESQL (&postgresql_driver)
#else
#define POSTGRESQL NULL
#endif

static const struct {
	const char *name;
	const struct driver *driver; /* NULL: not in this binary */
	const char *remedy;
} known[] = {
	{"sqlserver", SQLSERVER, "build with FreeTDS (freetds-dev)"},
	{"postgresql", POSTGRESQL, "build with libpq (libpq-dev)"},
	{"file", &file_driver, ""},
	{"s3", &s3_driver, ""},
	{"memory", &memory_driver, ""},
};

/* What else people call them. */
static const struct {
	const char *alias, *name;
} aliases[] = {
	{"postgres", "postgresql"},
};

#define KNOWN_COUNT (sizeof(known) / sizeof(*known))

static const char *name_of(const char *name)
{
	for (size_t i = 0; i < sizeof(aliases) / sizeof(*aliases); i++)
		if (text_iequal(name, aliases[i].alias))
			return aliases[i].name;
	return name;
}

const struct driver *driver_find(const char *name, struct error *err)
{
	for (size_t i = 0; i < KNOWN_COUNT; i++) {
		if (!text_iequal(name_of(name), known[i].name))
			continue;
		if (!known[i].driver)
			error_set(err, ERROR_CONFIG,
				  "this program was built without the '%s' "
				  "driver; %s",
				  known[i].name, known[i].remedy);
		return known[i].driver;
	}
	error_set(err, ERROR_CONFIG,
		  "server type '%s' is not known; 'sqlserver', 'postgresql', "
		  "'s3' and 'file' are",
		  name);
	return NULL;
}

int drivers_init(struct error *err)
{
	for (size_t i = 0; i < KNOWN_COUNT; i++)
		if (known[i].driver && known[i].driver->library_init &&
		    known[i].driver->library_init(err) < 0)
			return -1;
	return 0;
}

void drivers_exit(void)
{
	for (size_t i = 0; i < KNOWN_COUNT; i++)
		if (known[i].driver && known[i].driver->library_exit)
			known[i].driver->library_exit();
}

const struct driver *const *driver_list(void)
{
	static const struct driver *list[KNOWN_COUNT + 1];
	size_t count = 0;

	for (size_t i = 0; i < KNOWN_COUNT; i++)
		if (known[i].driver)
			list[count++] = known[i].driver;
	list[count] = NULL;
	return list;
}
