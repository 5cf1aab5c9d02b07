/* What S3 servers answer with, and the files of AWS's tools, read without any
 * server. */
#include "unit/helper.h"

#include <string.h>

#include "base/strbuf.h"
#include "s3/checksum.h"
#include "s3/fault.h"
#include "s3/page.h"
#include "s3/profile.h"
#include "s3/request.h"
#include "s3/sources.h"
#include "s3/xml.h"

/* -------------------------------------------------------------------- lists */

static void read_page(struct s3_page *page, const char *xml)
{
	struct error err = ERROR_INIT;

	MUST(s3_page_read(page, xml, strlen(xml), &err));
}

static void test_list(void **state)
{
	struct s3_page page;

	(void)state;
	s3_page_init(&page);
	read_page(
		&page,
		"<?xml version='1.0'?><ListBucketResult xmlns='http://x'>"
		"<Name>b</Name><Prefix>p/</Prefix><KeyCount>3</KeyCount>"
		"<EncodingType>url</EncodingType><Delimiter>%2F</Delimiter>"
		"<IsTruncated>true</IsTruncated>"
		"<NextContinuationToken>t%2B+</NextContinuationToken>"
		"<Contents><Key>p/a+b%2Bc%C3%BC%0A</Key><Size>5</Size>"
		"<LastModified>2026-01-31T13:00:59.500Z</LastModified>"
		"<ETag>&quot;e&quot;</ETag><StorageClass>STANDARD"
		"</StorageClass><Owner><ID>1</ID></Owner></Contents>"
		"<Contents><Key>p/z</Key><Size>5497558138880</Size></Contents>"
		"<CommonPrefixes><Prefix>p/b/</Prefix></CommonPrefixes>"
		"</ListBucketResult>");
	assert_int_equal(page.count, 3);
	assert_true(page.truncated);
	assert_string_equal(page.token, "t%2B+"); /* as it came */
	assert_string_equal(s3_page_text(&page, page.entries[0].key),
			    "p/a b+c\xc3\xbc\n");
	assert_int_equal(page.entries[0].info.size, 5);
	assert_int_equal(page.entries[0].info.modified_us,
			 INT64_C(1769864459500000));
	assert_string_equal(page.entries[0].info.etag, "\"e\"");
	assert_true(page.entries[1].is_folder);
	assert_string_equal(s3_page_text(&page, page.entries[1].key), "p/b/");
	assert_int_equal(page.entries[2].info.size, INT64_C(5497558138880));
	/* Another one in its place; without an encoding nothing is decoded. */
	read_page(&page, "<ListBucketResult><Contents><Key>a+%41</Key>"
			 "</Contents></ListBucketResult>");
	assert_int_equal(page.count, 1);
	assert_false(page.truncated);
	assert_null(page.token);
	assert_string_equal(s3_page_text(&page, page.entries[0].key), "a+%41");
	s3_page_release(&page);
	s3_page_release(&page);
}

static void test_uploads(void **state)
{
	struct s3_page page;

	(void)state;
	s3_page_init(&page);
	read_page(&page, "<ListMultipartUploadsResult>"
			 "<IsTruncated>false</IsTruncated>"
			 "<EncodingType>url</EncodingType>"
			 "<NextKeyMarker>a%20b</NextKeyMarker>"
			 "<NextUploadIdMarker>x%20</NextUploadIdMarker>"
			 "<Upload><Key>a%20b</Key><UploadId>u%2F</UploadId>"
			 "<Initiated>2026-01-31T13:00:59Z</Initiated>"
			 "<Initiator><ID>1</ID></Initiator></Upload>"
			 "</ListMultipartUploadsResult>");
	assert_int_equal(page.count, 1);
	assert_string_equal(page.key_marker, "a b");
	assert_string_equal(page.id_marker, "x%20");
	assert_string_equal(s3_page_text(&page, page.entries[0].key), "a b");
	assert_string_equal(s3_page_text(&page, page.entries[0].id), "u%2F");
	assert_int_equal(page.entries[0].info.modified_us,
			 INT64_C(1769864459000000));
	s3_page_release(&page);
}

static void test_no_lists(void **state)
{
	static const char *const bad[] = {
		"",
		"<ListBucketResult>",
		"<Error><Code>x</Code></Error>",
		"<ListBucketResult><Contents></Contents></ListBucketResult>",
		"<ListBucketResult><Contents><Key>a</Key><Size>-1</Size>"
		"</Contents></ListBucketResult>",
		"<ListBucketResult><Contents><Key>a</Key>"
		"<LastModified>now</LastModified></Contents></"
		"ListBucketResult>",
		"<ListBucketResult><EncodingType>url</EncodingType><Contents>"
		"<Key>%0</Key></Contents></ListBucketResult>",
		"<ListBucketResult><EncodingType>url</EncodingType><Contents>"
		"<Key>a%00b</Key></Contents></ListBucketResult>",
	};
	struct error err = ERROR_INIT;
	struct s3_page page;

	(void)state;
	s3_page_init(&page);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		MUST_FAIL(s3_page_read(&page, bad[i], strlen(bad[i]), &err),
			  ERROR_DATA);
	s3_page_release(&page);
}

/* ------------------------------------------------------------------- faults */

static void test_fault(void **state)
{
	static const char xml[] =
		"<Error><Code>AccessDenied</Code><Message>a\n b&lt;</Message>"
		"<Region>eu</Region><HostId>x</HostId></Error>";
	struct s3_fault fault;

	(void)state;
	assert_true(s3_fault_read(&fault, xml, strlen(xml)));
	assert_string_equal(fault.code, "AccessDenied");
	assert_string_equal(fault.message, "a  b<");
	assert_string_equal(fault.region, "eu");
	/* Cut short, it still says what it said. */
	assert_true(s3_fault_read(&fault, xml, 40));
	assert_string_equal(fault.code, "AccessDenied");
	assert_false(s3_fault_read(&fault, "<html>no</html>", 15));
	assert_false(s3_fault_read(&fault, "", 0));
	assert_string_equal(fault.code, "");
}

static void judge(int status, const char *code, enum s3_next next,
		  enum error_kind kind, bool retryable)
{
	struct s3_fault fault = {.status = status};
	struct error err = ERROR_INIT;

	strcpy(fault.code, code);
	assert_int_equal(s3_fault_judge(&fault, "s3:PutObject", &err), next);
	assert_string_equal(error_kind_name(err.kind), error_kind_name(kind));
	assert_int_equal(err.retryable, retryable);
	assert_holds(err.message, code);
}

static void test_judgement(void **state)
{
	(void)state;
	judge(503, "SlowDown", S3_AGAIN, ERROR_SERVER, true);
	judge(503, "SlowDownRead", S3_AGAIN, ERROR_SERVER, true);
	judge(500, "", S3_AGAIN, ERROR_SERVER, true);
	judge(429, "", S3_AGAIN, ERROR_SERVER, true);
	judge(501, "", S3_FAIL, ERROR_SERVER, false);
	judge(403, "AccessDenied", S3_FAIL, ERROR_PERMISSION, false);
	judge(403, "", S3_FAIL, ERROR_PERMISSION, false);
	judge(400, "ExpiredToken", S3_RENEW, ERROR_CONFIG, false);
	judge(412, "PreconditionFailed", S3_FAIL, ERROR_CONFLICT, false);
	judge(404, "NoSuchBucket", S3_FAIL, ERROR_CONFIG, false);
	judge(301, "", S3_FAIL, ERROR_CONFIG, false);
	judge(200, "InternalError", S3_AGAIN, ERROR_SERVER, true);
	judge(400, "KMS.DisabledException", S3_FAIL, ERROR_CONFIG, false);
	/* Codes are no prefixes of each other unless a star says so. */
	judge(400, "NoSuchKeyEver", S3_FAIL, ERROR_SERVER, false);
}

/* ----------------------------------------------------------------- profiles */

static void assert_profile(enum s3_profile_file kind, const char *text,
			   const char *name, const char *access_key,
			   const char *secret_key)
{
	struct s3_profile profile = {.found = false};
	struct error err = ERROR_INIT;

	MUST(s3_profile_parse(&profile, kind, text, name, &err));
	assert_int_equal(profile.found, access_key || secret_key);
	if (access_key)
		assert_string_equal(profile.access_key, access_key);
	if (secret_key)
		assert_string_equal(profile.secret_key, secret_key);
	s3_profile_release(&profile);
}

static void test_profiles(void **state)
{
	static const char text[] = "; comment\r\n"
				   "[default]\r\n"
				   "aws_access_key_id=one \r\n"
				   "aws_secret_access_key = a b#c #comment\r\n"
				   "s3 =\r\n"
				   "  aws_access_key_id = nested\r\n"
				   "[ two ]\n"
				   "aws_access_key_id = two\n"
				   "[profile two]\n"
				   "aws_access_key_id = three\n"
				   "[profile 'a b'] # comment\n"
				   "aws_access_key_id = four";

	(void)state;
	assert_profile(S3_PROFILE_CREDENTIALS, text, "default", "one", "a b#c");
	assert_profile(S3_PROFILE_CREDENTIALS, text, "two", "two", NULL);
	assert_profile(S3_PROFILE_CONFIG, text, "two", "three", NULL);
	assert_profile(S3_PROFILE_CONFIG, text, "default", "one", "a b#c");
	assert_profile(S3_PROFILE_CONFIG, text, "a b", "four", NULL);
	assert_profile(S3_PROFILE_CREDENTIALS, text, "three", NULL, NULL);
	assert_profile(S3_PROFILE_CREDENTIALS, "", "default", NULL, NULL);
}

/* As Python's configparser has it, which AWS's own tools use. */
static void test_indented_profiles(void **state)
{
	static const struct {
		const char *text, *access_key, *secret_key;
	} all[] = {
		/* right behind a heading, which may be further in itself */
		{"[a]\n  aws_access_key_id = x\n  aws_secret_access_key = y\n",
		 "x", "y"},
		{"  [a]\n\taws_access_key_id = x\naws_secret_access_key = y\n",
		 "x", "y"},
		{"[b]\nregion = z\n[a]\n  aws_access_key_id = x\n", "x", NULL},
		{"[b]\n    region = z\n  [a]\naws_access_key_id = x\n", "x",
		 NULL},
		/* what is further in than a property goes on with it */
		{"[a]\n  region = z\n   aws_access_key_id = n\n"
		 "  aws_access_key_id = x\n aws_secret_access_key = y\n",
		 "x", "y"},
		{"[a]\nregion = z\n\n# comment\n  [b]\n"
		 "aws_access_key_id = x\n",
		 "x", NULL},
		{"[a]\ns3 =\n  aws_access_key_id = n\n\n"
		 "    aws_access_key_id = n\n  aws_access_key_id = n\n"
		 "aws_access_key_id = x\n",
		 "x", NULL},
		{"[b]\nnonsense\n  [a]\naws_access_key_id = n\n"
		 "[a]\naws_access_key_id = x\n",
		 "x", NULL},
		/* either sign, the first of them, and capitals */
		{"[a]\naws_access_key_id: x=y\naws_secret_access_key=y:z\n",
		 "x=y", "y:z"},
		{"[a]\nAWS_ACCESS_KEY_ID = x\nAws_Secret_Access_Key :y\n", "x",
		 "y"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		assert_profile(S3_PROFILE_CREDENTIALS, all[i].text, "a",
			       all[i].access_key, all[i].secret_key);
}

static void test_bad_profile(void **state)
{
	struct s3_profile profile = {.found = false};
	struct error err = ERROR_INIT;

	(void)state;
	MUST_FAIL(s3_profile_parse(&profile, S3_PROFILE_CREDENTIALS,
				   "[a]\nCANARY\n", "a", &err),
		  ERROR_CONFIG);
	assert_holds(err.message, "line 2");
	assert_lacks(err.message, "CANARY");
	s3_profile_release(&profile);
	/* What is wrong with others is no business of ours. */
	MUST(s3_profile_parse(&profile, S3_PROFILE_CREDENTIALS,
			      "[b]\nnonsense\n[a]\nregion=x\n", "a", &err));
	assert_string_equal(profile.region, "x");
	s3_profile_release(&profile);
}

/* ------------------------------------------------------------------ numbers */

static void test_sizes_and_times(void **state)
{
	int64_t us;

	(void)state;
	assert_int_equal(s3_parse_size("0"), 0);
	assert_int_equal(s3_parse_size("5497558138880"),
			 INT64_C(5497558138880));
	assert_int_equal(s3_parse_size(""), -1);
	assert_int_equal(s3_parse_size("-1"), -1);
	assert_int_equal(s3_parse_size("1 "), -1);
	assert_int_equal(s3_parse_size("99999999999999999999"), -1);
	assert_int_equal(s3_time_parse("2026-01-31T13:00:59Z", &us), 0);
	assert_int_equal(us, INT64_C(1769864459000000));
	assert_int_equal(s3_time_parse("2026-01-31T13:00:59", &us), -1);
	assert_int_equal(s3_time_parse("Z", &us), -1);
	assert_int_equal(s3_time_parse("", &us), -1);
}

static void test_checksums(void **state)
{
	unsigned char bytes[32];
	char text[S3_CHECKSUM_MAX];
	struct error err = ERROR_INIT;

	(void)state;
	MUST(s3_checksum(S3_CHECKSUM_CRC32C, "123456789", 9, text, &err));
	assert_string_equal(text, "4waSgw==");
	assert_int_equal(s3_base64_bytes(text, bytes, sizeof(bytes)), 4);
	assert_memory_equal(bytes, "\xe3\x06\x92\x83", 4);
	MUST(s3_checksum(S3_CHECKSUM_SHA256, "", 0, text, &err));
	assert_string_equal(text,
			    "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
	assert_int_equal(s3_base64_bytes(text, bytes, sizeof(bytes)), 32);
	MUST(s3_checksum(S3_CHECKSUM_NONE, "x", 1, text, &err));
	assert_string_equal(text, "");
	assert_int_equal(s3_base64_bytes("", bytes, sizeof(bytes)), -1);
	assert_int_equal(s3_base64_bytes("abc", bytes, sizeof(bytes)), -1);
	assert_int_equal(s3_base64_bytes("....", bytes, sizeof(bytes)), -1);
	assert_int_equal(s3_base64_bytes("AAAA", bytes, 2), -1);
}

static void test_escapes(void **state)
{
	struct strbuf out;

	(void)state;
	strbuf_init(&out);
	s3_add_escaped(&out, "a<b>&\"c");
	assert_string_equal(out.data, "a&lt;b&gt;&amp;\"c");
	strbuf_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_uploads),
		cmocka_unit_test(test_no_lists),
		cmocka_unit_test(test_fault),
		cmocka_unit_test(test_judgement),
		cmocka_unit_test(test_profiles),
		cmocka_unit_test(test_indented_profiles),
		cmocka_unit_test(test_bad_profile),
		cmocka_unit_test(test_sizes_and_times),
		cmocka_unit_test(test_checksums),
		cmocka_unit_test(test_escapes),
	};

	return cmocka_run_group_tests_name("s3 answers", tests, NULL, NULL);
}
