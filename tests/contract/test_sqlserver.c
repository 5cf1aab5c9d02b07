/*
 * The contract on drivers/sqlserver, with the server that the environment
 * names:
 *
 *     DATAFLOW_TEST_SQLSERVER=host,port
 *     DATAFLOW_TEST_USER, DATAFLOW_TEST_PASSWORD
 *
 * The login has to be allowed to make the databases contract_src and
 * contract_dst and to enable change data capture, for which SQL Server Agent
 * must run.
 */
#include "contract/sqlserver.h"

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
	const char *server = get("DATAFLOW_TEST_SQLSERVER", NULL);
	char string[1024];

	if (!server) {
		puts("skipped: DATAFLOW_TEST_SQLSERVER is not set");
		return SKIPPED;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	alarm(600);
	snprintf(string, sizeof(string),
		 "server=%s;user id={%s};password={${env:"
		 "DATAFLOW_TEST_PASSWORD}}};trustservercertificate=yes",
		 server, get("DATAFLOW_TEST_USER", "sa"));
	setenv("DATAFLOW_TEST_PASSWORD", get("DATAFLOW_TEST_PASSWORD", ""), 1);
	sqlserver_lab_init(string);
	return contract_run(sqlserver_lab());
}
