/* The monitor's thread, with clients of every kind. */
#define _GNU_SOURCE /* POLLRDHUP */

#include "unit/helper.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "monitor/http.h"
#include "monitor/monitor.h"
#include "unit/rows.h"

#define OTHER 0x7f000002u /* 127.0.0.2, where others come from */

static struct monitor *monitor;
static atomic_int looks, samples, mappings, short_of_memory;
static int port;

/* ------------------------------------------------------------ looked at */

static int look(void *arg, struct overview *out)
{
	size_t count = (size_t)atomic_load(&mappings);

	assert_ptr_equal(arg, &looks);
	atomic_fetch_add(&looks, 1);
	if (atomic_load(&short_of_memory))
		return -1;
	overview_init(out, 0);
	out->taken_us = clock_utc_us();
	out->mappings =
		arena_calloc(&out->arena, count + 1, sizeof(*out->mappings));
	assert_non_null(out->mappings);
	out->mapping_count = count;
	for (size_t i = 0; i < count; i++)
		out->mappings[i] = (struct overview_mapping){
			.id = (int)i + 1,
			.server = "server",
			.source = "database.schema.table",
			.dest = "database.schema.table",
			.state = "CDC",
			.reason = "",
		};
	return 0;
}

static void sample(void *arg)
{
	assert_ptr_equal(arg, &looks);
	atomic_fetch_add(&samples, 1);
}

static const struct monitor_source source = {look, sample, &looks};

/* -------------------------------------------------------------- clients */

static int free_port(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET};
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	close(fd);
	return ntohs(at.sin_port);
}

/* -1 when nobody listens. */
static int client_from(uint32_t address, const char *request)
{
	struct sockaddr_in at = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_STREAM, 0), small = 2048;

	at.sin_addr.s_addr = htonl(address);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	at.sin_port = htons((uint16_t)port);
	if (connect(fd, (struct sockaddr *)&at, sizeof(at)) < 0) {
		close(fd);
		return -1;
	}
	(void)!write(fd, request, strlen(request));
	return fd;
}

/* All that comes until the end, to be freed. */
static char *read_all(int fd)
{
	struct strbuf sb;
	char piece[8192];
	ssize_t got;

	strbuf_init(&sb);
	while ((got = read(fd, piece, sizeof(piece))) > 0)
		strbuf_add(&sb, piece, (size_t)got);
	close(fd);
	return strbuf_detach(&sb);
}

/* NULL when nobody listens. */
static char *get(const char *path)
{
	char request[200];
	int fd;

	snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: x\r\n\r\n",
		 path);
	fd = client_from(INADDR_LOOPBACK, request);
	return fd < 0 ? NULL : read_all(fd);
}

static void assert_get(const char *path, const char *want)
{
	char *got = get(path);

	assert_non_null(got);
	assert_holds(got, want);
	free(got);
}

static void listen_at(int where)
{
	char text[32];

	port = where;
	snprintf(text, sizeof(text), "%d", port);
	monitor_listen(monitor, text);
	for (int i = 0; i < 1000; i++) {
		char *got = get("/healthz");

		free(got);
		if (got)
			return;
		pause_ms(10);
	}
	fail_msg("nobody listens on port %d", port);
}

static int setup(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	log_setup(LOG_ERROR, false);
	signal(SIGPIPE, SIG_IGN);
	atomic_store(&mappings, 1);
	atomic_store(&short_of_memory, 0);
	atomic_store(&looks, 0);
	return monitor_new(&monitor, &err);
}

static int teardown(void **state)
{
	int64_t began = clock_ms();

	(void)state;
	assert_true(monitor_free(monitor));
	assert_true(clock_ms() - began < 1500);
	return 0;
}

/* ---------------------------------------------------------------- tests */

static void test_never_asked(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	monitor_watch(monitor, &source);
	monitor_listen(monitor, "");
	MUST(monitor_check(monitor, &err));
	monitor_stop(monitor);
	monitor_stop(monitor);
	assert_int_equal(atomic_load(&looks), 0);
}

static void test_pages(void **state)
{
	(void)state;
	listen_at(free_port());
	assert_get("/readyz", "503 ");
	assert_get("/readyz", "\r\n\r\nthe control tables cannot be reached");
	monitor_watch(monitor, &source);
	pause_ms(1100); /* what was made is used for a second */
	assert_get("/readyz", "\r\n\r\nready\n");
	assert_get("/metrics", "dataflow_mappings 1\n");
	assert_get("/status.json", "\"mapping_id\":1");
	assert_get("/", "<!DOCTYPE html>");
	assert_get("/x", "404 ");
	assert_true(atomic_load(&samples) > 0);
}

static void test_looks_are_rare(void **state)
{
	int before;

	(void)state;
	monitor_watch(monitor, &source);
	listen_at(free_port());
	assert_get("/metrics", "200 OK");
	before = atomic_load(&looks);
	for (int i = 0; i < 50; i++)
		assert_get("/metrics", "dataflow_mappings 1\n");
	/* Fifty take less than ten seconds on any machine. */
	assert_true(atomic_load(&looks) - before < 10);
}

static void test_short_of_memory(void **state)
{
	char *got;

	(void)state;
	monitor_watch(monitor, &source);
	listen_at(free_port());
	atomic_store(&short_of_memory, 1);
	got = get("/metrics");
	assert_string_equal(got, ""); /* nothing to say: it hangs up */
	free(got);
	atomic_store(&short_of_memory, 0);
	assert_get("/metrics", "dataflow_mappings 1\n");
	atomic_store(&short_of_memory, 1);
	pause_ms(1100);
	assert_get("/metrics", "dataflow_mappings 1\n"); /* the last one */
}

static void test_moves(void **state)
{
	int first = free_port();

	(void)state;
	monitor_watch(monitor, &source);
	listen_at(first);
	listen_at(free_port());
	port = first;
	assert_null(get("/"));
	monitor_listen(monitor, "off");
	listen_at(first);
}

static void test_busy(void **state)
{
	struct sockaddr_in at = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_STREAM, 0), where = free_port();
	struct error err = ERROR_INIT;
	char text[32];

	(void)state;
	monitor_watch(monitor, &source);
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	at.sin_port = htons((uint16_t)where);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, 1), 0);
	snprintf(text, sizeof(text), "%d", where);
	monitor_listen(monitor, text);
	for (int i = 0; i < 500 && monitor_check(monitor, &err) == 0; i++)
		pause_ms(10);
	MUST_FAIL(monitor_check(monitor, &err), ERROR_SYSTEM);
	assert_holds(err.message, text);
	close(fd);
	listen_at(where); /* it tries again by itself */
	MUST(monitor_check(monitor, &err));
}

/* Has the other side closed it? What has come is not read. */
static bool is_closed(int fd)
{
	struct pollfd look_at = {.fd = fd, .events = POLLRDHUP};

	return poll(&look_at, 1, 0) > 0;
}

/* The answer has begun, and the page it is of is more than a second old. */
static void until_answered(int fd)
{
	struct pollfd look_at = {.fd = fd, .events = POLLIN};

	assert_int_equal(poll(&look_at, 1, 30000), 1);
	pause_ms(1050);
}

/*
 * Clients that ask for much and read nothing, each of a newer page: after a
 * few no newer ones are made, until those clients are sent away.
 */
static void test_clients_that_never_read(void **state)
{
	int fds[8], count = 0, before;

	(void)state;
	atomic_store(&mappings, 2000); /* megabytes, more than sockets hold */
	monitor_watch(monitor, &source);
	listen_at(free_port());
	do {
		assert_true(count < (int)COUNT_OF(fds));
		before = atomic_load(&looks);
		fds[count] = client_from(
			OTHER, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
		assert_true(fds[count] >= 0);
		until_answered(fds[count++]);
	} while (atomic_load(&looks) > before);
	assert_true(count > 1);
	assert_false(is_closed(fds[count - 1]));
	assert_get("/metrics", "dataflow_mapping_state{mapping_id=\"2000\"");
	assert_int_equal(atomic_load(&looks), before);

	pause_ms(HTTP_IDLE_S * 1000 + 1000);
	assert_get("/metrics", "dataflow_mapping_state{mapping_id=\"2000\"");
	assert_int_equal(atomic_load(&looks), before + 1);
	while (count > 0)
		close(fds[--count]);
}

/* One address has its share and no more; others do not notice. */
static void test_too_many(void **state)
{
	int fds[300], closed = 0;

	(void)state;
	monitor_watch(monitor, &source);
	listen_at(free_port());
	for (size_t i = 0; i < COUNT_OF(fds); i++)
		fds[i] = client_from(OTHER, "GET /metr");
	pause_ms(500);
	for (size_t i = 0; i < COUNT_OF(fds); i++)
		closed += is_closed(fds[i]);
	assert_int_equal(closed, COUNT_OF(fds) - HTTP_CONNECTIONS_EACH);
	assert_get("/metrics", "200 OK");
	for (size_t i = 0; i < COUNT_OF(fds); i++)
		close(fds[i]);
}

/* What is watched goes away while somebody looks. */
static void test_stop_meanwhile(void **state)
{
	int fds[10], after;

	(void)state;
	atomic_store(&mappings, 3000);
	monitor_watch(monitor, &source);
	listen_at(free_port());
	for (size_t i = 0; i < COUNT_OF(fds); i++)
		fds[i] = client_from(
			OTHER, i % 2 ? "GET /metrics HTTP/1.1\r\n\r\n"
				     : "GET /status.json HTTP/1.1\r\n\r\n");
	monitor_stop(monitor);
	after = atomic_load(&looks);
	pause_ms(300);
	assert_int_equal(atomic_load(&looks), after);
	for (size_t i = 0; i < COUNT_OF(fds); i++)
		close(fds[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(test_never_asked),
		TEST(test_pages),
		TEST(test_looks_are_rare),
		TEST(test_short_of_memory),
		TEST(test_moves),
		TEST(test_busy),
		TEST(test_clients_that_never_read),
		TEST(test_too_many),
		TEST(test_stop_meanwhile),
	};

	alarm(240);
	return cmocka_run_group_tests_name("monitor", tests, NULL, NULL);
}
