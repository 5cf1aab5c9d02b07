#include "unit/helper.h"

#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/platform.h"

/* A connection: ours, and the other side's end. */
static int ours, theirs;

static int connect_ends(void **state)
{
	int ends[2];

	(void)state;
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0)
		return -1;
	ours = ends[0];
	theirs = ends[1];
	return fcntl(theirs, F_SETFL, O_NONBLOCK);
}

static int close_ends(void **state)
{
	(void)state;
	close(ours);
	close(theirs);
	return 0;
}

static int descriptors_in_use(void)
{
	int count = 0;

	for (int fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void say(const char *text)
{
	size_t len = strlen(text);

	assert_int_equal(send(ours, text, len, MSG_NOSIGNAL), len);
}

/* What has come to the other side, and nothing else. */
static void assert_arrived(const char *text)
{
	char got[64];
	ssize_t len = read(theirs, got, sizeof(got));

	assert_int_equal(len, *text ? (ssize_t)strlen(text) : -1);
	if (len > 0)
		assert_memory_equal(got, text, (size_t)len);
}

static void test_detour(void **state)
{
	int before = descriptors_in_use();
	struct error err = ERROR_INIT;
	struct platform_detour detour;
	char caught[16];

	(void)state;
	MUST(platform_begin_detour(&detour, ours, &err));
	say("un");
	say("seen");
	assert_int_equal(
		platform_end_detour(&detour, caught, sizeof(caught), &err), 6);
	assert_memory_equal(caught, "unseen", 6);
	assert_arrived("");
	MUST(platform_send(ours, caught, 6, &err));
	say("!");
	assert_arrived("unseen!");
	assert_int_equal(descriptors_in_use(), before);
}

/* What was there to be read before, or comes meanwhile, is there afterwards. */
static void test_what_comes_in_waits(void **state)
{
	struct error err = ERROR_INIT;
	struct platform_detour detour;
	char got[16];

	(void)state;
	assert_int_equal(write(theirs, "one ", 4), 4);
	MUST(platform_begin_detour(&detour, ours, &err));
	assert_false(platform_wait_socket(ours, false, 0));
	assert_true(platform_wait_socket(ours, true, 0));
	assert_int_equal(write(theirs, "two", 3), 3);
	assert_int_equal(platform_end_detour(&detour, got, sizeof(got), &err),
			 0);
	assert_int_equal(read(ours, got, sizeof(got)), 7);
	assert_memory_equal(got, "one two", 7);
}

static void test_too_much(void **state)
{
	int before = descriptors_in_use();
	struct error err = ERROR_INIT;
	struct platform_detour detour;
	char caught[4];

	(void)state;
	MUST(platform_begin_detour(&detour, ours, &err));
	say("four");
	MUST_FAIL(platform_end_detour(&detour, caught, sizeof(caught), &err),
		  ERROR_SYSTEM);
	assert_arrived("");
	assert_int_equal(descriptors_in_use(), before);
}

/* The number that the library has given back is left to its new owner. */
static void test_closed_meanwhile(void **state)
{
	int before = descriptors_in_use();
	struct error err = ERROR_INIT;
	struct platform_detour detour;
	char byte;

	(void)state;
	MUST(platform_begin_detour(&detour, ours, &err));
	close(ours);
	ours = dup(STDERR_FILENO);
	assert_int_equal(ours, detour.socket);
	platform_drop_detour(&detour);
	assert_true(fcntl(ours, F_GETFD) >= 0);
	assert_int_equal(read(theirs, &byte, 1), 0); /* hung up */
	assert_int_equal(descriptors_in_use(), before);
}

static void test_no_descriptor_left(void **state)
{
	int before = descriptors_in_use();
	struct error err = ERROR_INIT;
	struct platform_detour detour;
	struct rlimit limit, usual;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &usual), 0);
	for (int more = 0; more < 3; more++) {
		int next = dup(ours); /* the lowest that is free */

		close(next);
		limit = usual;
		limit.rlim_cur = (rlim_t)(next + more);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
		MUST_FAIL(platform_begin_detour(&detour, ours, &err),
			  ERROR_SYSTEM);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &usual), 0);
		assert_int_equal(descriptors_in_use(), before);
	}
	say("as ever");
	assert_arrived("as ever");
}

static void test_no_room_to_send(void **state)
{
	static char much[4 << 20];
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(fcntl(ours, F_SETFL, O_NONBLOCK), 0);
	MUST_FAIL(platform_send(ours, much, sizeof(much), &err), ERROR_SYSTEM);
	MUST_FAIL(platform_send(ours, much, 1 << 16, &err), ERROR_SYSTEM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_detour, connect_ends,
						close_ends),
		cmocka_unit_test_setup_teardown(test_what_comes_in_waits,
						connect_ends, close_ends),
		cmocka_unit_test_setup_teardown(test_too_much, connect_ends,
						close_ends),
		cmocka_unit_test_setup_teardown(test_closed_meanwhile,
						connect_ends, close_ends),
		cmocka_unit_test_setup_teardown(test_no_descriptor_left,
						connect_ends, close_ends),
		cmocka_unit_test_setup_teardown(test_no_room_to_send,
						connect_ends, close_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
