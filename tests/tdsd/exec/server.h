#ifndef TDSD_SERVER_H
#define TDSD_SERVER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "store/database.h"

struct session;

#define TDSD_VERSION "0.1"

/* The process: made by main() before any thread starts, freed by no one. */
struct server {
	struct registry registry;
	char name[128]; /* @@SERVERNAME */
	char started[32];
	int port;
	char host[64];
	char host_name[128];
	pthread_mutex_t lock; /* guards what follows */
	struct session *sessions;
	int next_spid;
	int connections; /* counted since the start */
	int64_t next_tran;
	int stopping; /* atomic */
	/* switches of sp_tdsd_option */
	int login_delay_ms;
	int capture_delay_ms, capture_interval_ms, idle_interval_ms;
	int agent_stopped;
	int tracking_age_ms; /* added to the age of tracked changes */
	int count_statements;
	int free_mb; /* what dm_os_volume_stats tells; 0: a lot */
	struct fault *faults;
	void *tls; /* SSL_CTX, NULL without a certificate */
	struct statement_count *statements;
	struct config_value *configs;
};

extern struct server the_server;

int64_t server_next_tran(struct server *srv);

#endif
