/*
 * tdsd: a stand-in for SQL Server, for tests and demonstrations. See
 * README.md in this folder.
 */
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "cdc/cdc.h"
#include "exec/server.h"
#include "mem.h"
#include "net/serve.h"
#include "net/tls.h"
#include "value/datetime.h"

static const char usage[] =
	"usage: tdsd --data DIR [--port N] [--host H] [--user sa] [--password "
	"PW]\n"
	"            [--tls-cert FILE --tls-key FILE] [--log FILE]\n"
	"\n"
	"A stand-in for SQL Server 2019, for tests. Keeps its data in DIR, "
	"prints\n"
	"\"listening on HOST:PORT\" and serves until SIGTERM.\n"
	"\n"
	"  --data DIR       where the databases are; made when missing\n"
	"  --port N         port to listen on; 0 (the default) takes a free "
	"one\n"
	"  --host H         address to listen on (127.0.0.1)\n"
	"  --user NAME      the administrator's login (sa)\n"
	"  --password PW    its password; the environment's TDSD_PASSWORD "
	"else\n"
	"  --tls-cert FILE  certificate chain, PEM; encryption is offered "
	"then\n"
	"  --tls-key FILE   its private key, PEM\n"
	"  --log FILE       where messages go instead of standard error\n"
	"  --help, --version\n";

struct settings_cli {
	const char *data, *host, *user, *password, *cert, *key, *log;
	int port;
};

static int parse_args(int argc, char **argv, struct settings_cli *c)
{
	static const struct option options[] = {
		{"data", required_argument, NULL, 'd'},
		{"port", required_argument, NULL, 'p'},
		{"host", required_argument, NULL, 'h'},
		{"user", required_argument, NULL, 'u'},
		{"password", required_argument, NULL, 'w'},
		{"tls-cert", required_argument, NULL, 'c'},
		{"tls-key", required_argument, NULL, 'k'},
		{"log", required_argument, NULL, 'l'},
		{"help", no_argument, NULL, '?' + 128},
		{"version", no_argument, NULL, 'v'},
		{NULL, 0, NULL, 0}};
	long port;
	int opt;

	memset(c, 0, sizeof(*c));
	c->host = "127.0.0.1";
	c->user = "sa";
	c->password = getenv("TDSD_PASSWORD");
	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (opt) {
		case 'd':
			c->data = optarg;
			break;
		case 'p':
			if (!text_to_long(optarg, &port) || port < 0 ||
			    port > 65535) {
				fprintf(stderr, "tdsd: bad port '%s'\n",
					optarg);
				return 2;
			}
			c->port = (int)port;
			break;
		case 'h':
			c->host = optarg;
			break;
		case 'u':
			c->user = optarg;
			break;
		case 'w':
			c->password = optarg;
			break;
		case 'c':
			c->cert = optarg;
			break;
		case 'k':
			c->key = optarg;
			break;
		case 'l':
			c->log = optarg;
			break;
		case 'v':
			printf("tdsd %s\n", TDSD_VERSION);
			return -1;
		case '?' + 128:
			fputs(usage, stdout);
			return -1;
		default:
			fputs(usage, stderr);
			return 2;
		}
	}
	if (!c->data || optind < argc || !c->cert != !c->key) {
		fputs(usage, stderr);
		return 2;
	}
	return 0;
}

/* The administrator can always log in with what the command line says. */
static int ensure_admin(struct server *srv, const struct settings_cli *c,
			struct diag *d)
{
	const char *password = c->password ? c->password : "";
	struct login login;

	if (login_find(&srv->registry, c->user, &login) < 0) {
		if (login_create(&srv->registry, c->user, password, NULL, d) <
		    0)
			return -1;
	} else if (c->password && login_alter(&srv->registry, c->user, password,
					      0, NULL, NULL, d) < 0) {
		return -1;
	}
	login_role(&srv->registry, "sysadmin", c->user, true);
	return 0;
}

static int open_server(struct server *srv, const struct settings_cli *c)
{
	struct moment now;
	struct diag d;
	char err[500];

	pthread_mutex_init(&srv->lock, NULL);
	text_copy(srv->name, sizeof(srv->name), "TDSD");
	if (gethostname(srv->host_name, sizeof(srv->host_name) - 1) != 0)
		text_copy(srv->host_name, sizeof(srv->host_name), "localhost");
	text_copy(srv->host, sizeof(srv->host), c->host);
	srv->next_tran = 1000;
	moment_now(&now, false);
	moment_format(&now, type_of(TY_DATETIME), 121, srv->started,
		      sizeof(srv->started));
	if (registry_open(&srv->registry, c->data, &d) < 0 ||
	    ensure_admin(srv, c, &d) < 0) {
		fprintf(stderr, "tdsd: %s\n", d.message);
		return -1;
	}
	if (c->cert) {
		srv->tls = tls_context(c->cert, c->key, err, sizeof(err));
		if (!srv->tls) {
			fprintf(stderr, "tdsd: %s\n", err);
			return -1;
		}
	}
	if (serve_open(srv, c->host, c->port, err, sizeof(err)) < 0) {
		fprintf(stderr, "tdsd: %s\n", err);
		return -1;
	}
	return 0;
}

static void *signal_main(void *arg)
{
	struct server *srv = arg;
	sigset_t set;
	int sig;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigwait(&set, &sig);
	__atomic_store_n(&srv->stopping, 1, __ATOMIC_RELAXED);
	return NULL;
}

int main(int argc, char **argv)
{
	struct settings_cli c;
	struct server *srv = &the_server;
	pthread_t signals;
	sigset_t set;
	int rc = parse_args(argc, argv, &c);

	if (rc)
		return rc < 0 ? 0 : rc;
	if (c.log && !freopen(c.log, "a", stderr)) {
		perror(c.log);
		return 1;
	}
	/* before the first thread, so that all of them inherit it */
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	if (open_server(srv, &c) < 0)
		return 1;
	if (pthread_create(&signals, NULL, signal_main, srv) != 0)
		return 1;
	cdc_start(srv);
	printf("listening on %s:%d\n", c.host, srv->port);
	fflush(stdout);
	serve_run(srv);
	pthread_join(signals, NULL);
	cdc_stop(srv);
	registry_close(&srv->registry);
	tls_context_free(srv->tls);
	return 0;
}
