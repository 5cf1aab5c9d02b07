/* Signatures of requests, held against the ones that AWS publishes. */
#include "unit/helper.h"

#include <stdio.h>
#include <string.h>

#include "base/strbuf.h"
#include "unit/sigv4_suite.h"

#define COUNT_OF(array) (sizeof(array) / sizeof(*(array)))
#define EMPTY_HASH \
	"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static const struct sigv4_key suite_key = {
	.access_key = "AKIDEXAMPLE",
	.secret_key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
	.region = "us-east-1",
	.service = "service",
	.date = "20150830T123600Z",
};

static size_t count(const struct sigv4_pair *pairs)
{
	size_t n = 0;

	while (n < SUITE_PAIRS && pairs[n].name)
		n++;
	return n;
}

static void check_case(const struct suite_case *c)
{
	struct sigv4_request request = {
		.method = c->method,
		.path = c->path,
		.query = c->query,
		.query_count = count(c->query),
		.headers = c->headers,
		.header_count = count(c->headers),
		.payload_hash = c->payload_hash,
	};
	struct error err = ERROR_INIT;
	struct strbuf got;
	char want[512];

	strbuf_init(&got);
	MUST(sigv4_sign(&request, &suite_key, &got, &err));
	snprintf(want, sizeof(want),
		 "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/"
		 "service/aws4_request, SignedHeaders=%s, Signature=%s",
		 c->signed_headers, c->signature);
	if (strcmp(got.data, want) != 0)
		fail_msg("%s: %s", c->name, got.data);
	strbuf_release(&got);
}

static void test_suite(void **state)
{
	(void)state;
	assert_int_equal(COUNT_OF(sigv4_suite), 31);
	for (size_t i = 0; i < COUNT_OF(sigv4_suite); i++)
		check_case(&sigv4_suite[i]);
}

/*
 * The examples of "Signature Calculations for the Authorization Header:
 * Transferring Payload in a Single Chunk" in the API reference of S3.
 */
#define S3_HOST                                          \
	{                                                \
		"Host", "examplebucket.s3.amazonaws.com" \
	}
#define S3_DATE                                  \
	{                                        \
		"x-amz-date", "20130524T000000Z" \
	}
#define S3_HASH                                    \
	{                                          \
		"x-amz-content-sha256", EMPTY_HASH \
	}
#define PUT_HASH \
	"44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"

static const struct suite_case s3_examples[] = {
	{"GET Object",
	 "GET",
	 "/test.txt",
	 {{NULL, NULL}},
	 {S3_HOST, {"Range", "bytes=0-9"}, S3_HASH, S3_DATE},
	 EMPTY_HASH,
	 "host;range;x-amz-content-sha256;x-amz-date",
	 "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"},
	{"PUT Object",
	 "PUT",
	 "/test$file.text",
	 {{NULL, NULL}},
	 {S3_HOST,
	  {"Date", "Fri, 24 May 2013 00:00:00 GMT"},
	  S3_DATE,
	  {"x-amz-storage-class", "REDUCED_REDUNDANCY"},
	  {"x-amz-content-sha256", PUT_HASH}},
	 PUT_HASH,
	 "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
	 "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"},
	{"GET Bucket Lifecycle",
	 "GET",
	 "/",
	 {{"lifecycle", ""}},
	 {S3_HOST, S3_DATE, S3_HASH},
	 EMPTY_HASH,
	 "host;x-amz-content-sha256;x-amz-date",
	 "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"},
	{"Get Bucket (List Objects)",
	 "GET",
	 "/",
	 {{"prefix", "J"}, {"max-keys", "2"}},
	 {S3_HOST, S3_DATE, S3_HASH},
	 EMPTY_HASH,
	 "host;x-amz-content-sha256;x-amz-date",
	 "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"},
};

static void test_s3_examples(void **state)
{
	static const struct sigv4_key key = {
		.access_key = "AKIAIOSFODNN7EXAMPLE",
		.secret_key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
		.region = "us-east-1",
		.service = "s3",
		.date = "20130524T000000Z",
	};
	struct error err = ERROR_INIT;
	char hash[SIGV4_HASH_SIZE];
	struct strbuf got;

	(void)state;
	strbuf_init(&got);
	MUST(sigv4_hash("Welcome to Amazon S3.", 21, hash, &err));
	assert_string_equal(hash, PUT_HASH);
	for (size_t i = 0; i < COUNT_OF(s3_examples); i++) {
		const struct suite_case *c = &s3_examples[i];
		struct sigv4_request request = {
			.method = c->method,
			.path = c->path,
			.query = c->query,
			.query_count = count(c->query),
			.headers = c->headers,
			.header_count = count(c->headers),
			.payload_hash = c->payload_hash,
		};

		strbuf_reset(&got);
		MUST(sigv4_sign(&request, &key, &got, &err));
		assert_holds(got.data, c->signature);
		assert_holds(got.data, c->signed_headers);
	}
	strbuf_release(&got);
}

static void expect_path(const char *path, const char *want)
{
	struct strbuf got;

	strbuf_init(&got);
	sigv4_add_path(&got, path);
	assert_string_equal(got.data, want);
	strbuf_release(&got);
}

static void test_encoding(void **state)
{
	struct sigv4_pair query[] = {
		{"uploads", ""},  {"b", "2 3"}, {"b-c", "1"},
		{"\u00e4", "+/"}, {"b", "2"},
	};
	struct strbuf got;

	(void)state;
	expect_path("/a b/+%~*'()!$&,;=:@", "/a%20b/%2B%25~%2A%27%28%29%21%24"
					    "%26%2C%3B%3D%3A%40");
	expect_path("//a/./../b//", "//a/./../b//");
	expect_path("/\u00fc\u4e2d\U0001f600", "/%C3%BC%E4%B8%AD%F0%9F%98%80");
	expect_path("/a\x01\x7f\xff", "/a%01%7F%FF");
	strbuf_init(&got);
	sigv4_add_query(&got, query, COUNT_OF(query));
	assert_string_equal(got.data, "%C3%A4=%2B%2F&b=2&b=2%203&b-c=1"
				      "&uploads=");
	strbuf_release(&got);
}

static void test_date(void **state)
{
	char date[SIGV4_DATE_SIZE];

	(void)state;
	sigv4_date(date, INT64_C(1369353600) * 1000000 + 999999);
	assert_string_equal(date, "20130524T000000Z");
	sigv4_date(date, INT64_C(1769864459) * 1000000);
	assert_string_equal(date, "20260131T130059Z");
}

/* What is no fault of the request's is said as such, without the secret. */
static void test_limits(void **state)
{
	static char secret[2000];
	struct sigv4_key key = suite_key;
	struct sigv4_request request = {
		.method = "GET", .path = "/", .payload_hash = EMPTY_HASH};
	struct error err = ERROR_INIT;
	struct strbuf got;

	(void)state;
	strbuf_init(&got);
	memset(secret, 'x', sizeof(secret) - 1);
	key.secret_key = secret;
	MUST_FAIL(sigv4_sign(&request, &key, &got, &err), ERROR_CONFIG);
	assert_lacks(err.message, "xxx");
	key = suite_key;
	key.region = secret;
	MUST_FAIL(sigv4_sign(&request, &key, &got, &err), ERROR_CONFIG);
	key = suite_key;
	request.header_count = SIGV4_HEADERS_MAX + 1;
	MUST_FAIL(sigv4_sign(&request, &key, &got, &err), ERROR_INTERNAL);
	assert_int_equal(got.len, 0);
	strbuf_release(&got);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_suite),
		cmocka_unit_test(test_s3_examples),
		cmocka_unit_test(test_encoding),
		cmocka_unit_test(test_date),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests_name("sigv4", tests, NULL, NULL);
}
