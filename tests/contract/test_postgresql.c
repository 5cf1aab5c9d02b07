/*
 * The contract on drivers/postgresql, with the server that the environment
 * names:
 *
 *     DATAFLOW_TEST_POSTGRESQL=host,port
 *     DATAFLOW_TEST_PGLOGIN, DATAFLOW_TEST_PGPASSWORD
 *
 * The login has to be a superuser, and wal_level logical.
 */
#include "contract/postgresql.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SKIPPED 77

static const char *get(const char *name, const char *fallback)
{
	const char *value = getenv(name);

	return value && *value ? value : fallback;
}

int main(void)
{
	const char *server = get("DATAFLOW_TEST_POSTGRESQL", NULL);
	char string[1024];

	if (!server) {
		puts("skipped: DATAFLOW_TEST_POSTGRESQL is not set");
		return SKIPPED;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	alarm(600);
	snprintf(string, sizeof(string),
		 "server=%s;user id={%s};password=${env:"
		 "DATAFLOW_TEST_PGPASSWORD}",
		 server, get("DATAFLOW_TEST_PGLOGIN", "postgres"));
	setenv("DATAFLOW_TEST_PGPASSWORD", get("DATAFLOW_TEST_PGPASSWORD", ""),
	       1);
	postgresql_lab_init(string);
	return contract_run(postgresql_lab());
}
