/*
 * What the S3 client does without a server, with every request for memory
 * refused in turn: it is whole, or there was no memory for it.
 */
#include "unit/helper.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "s3/fault.h"
#include "s3/list.h"
#include "s3/page.h"
#include "s3/profile.h"
#include "s3/server.h"
#include "s3/sigv4.h"
#include "s3/sources.h"
#include "s3/upload.h"
#include "unit/scarce/scarce.h"

static void try_it(const char *name, int (*run)(struct error *err),
		   unsigned long least)
{
	struct scarce_trial trial = {.name = name, .run = run};

	scarce_try(&trial, least);
}

static int open_server(struct s3 **out, struct error *err)
{
	struct s3_settings settings;
	struct connstr cs;
	int ret = -1;

	if (connstr_parse(&cs,
			  "bucket_name=abc;region=x;prefix=p;access_key=a;"
			  "secret_key=b;session_token=c;endpoint=http://h:9;"
			  "proxy=p:1;proxy_user=u;proxy_password=w;ca_file=f;"
			  "kms_key_id=k;storage_class=s;"
			  "bucket_owner=123456789012",
			  err) < 0)
		return -1;
	if (s3_settings_read(&settings, &cs, err) == 0) {
		ret = s3_new(out, &settings, err);
		s3_settings_release(&settings);
	}
	connstr_release(&cs);
	return ret;
}

static int use_server(struct error *err)
{
	struct s3_credentials credentials;
	struct s3_upload *upload;
	struct s3_client client;
	struct s3_list list;
	int ret = -1;

	if (open_server(&client.s3, err) < 0)
		return -1;
	client.cancel = NULL;
	assert_string_equal(s3_name(client.s3), "s3://abc at h:9");
	s3_list_init(&list, &client, "prefix", "/", "after");
	if (list.failed)
		error_memory(err, "a list");
	else if (s3_keychain_get(client.s3->keychain, NULL, &credentials,
				 err) == 0) {
		assert_string_equal(credentials.session_token, "c");
		s3_credentials_release(&credentials);
		ret = s3_upload_begin(
			&upload, &client, "key",
			&(struct s3_put){.content_type = "t", .if_match = "e"},
			err);
		if (ret == 0) {
			ret = s3_upload_write(upload, "abc", 3, err);
			assert_int_equal(s3_upload_size(upload), 3);
			s3_upload_abort(upload);
		}
	}
	s3_list_release(&list);
	s3_free(client.s3);
	return ret;
}

static int sign(struct error *err)
{
	static const struct sigv4_pair query[] = {{"b", "1"}, {"a", "2"}};
	static const struct sigv4_pair headers[] = {{"host", "h"},
						    {"x-amz-date", "d"}};
	struct sigv4_request request = {
		.method = "GET",
		.path = "/a b",
		.query = query,
		.query_count = 2,
		.headers = headers,
		.header_count = 2,
		.payload_hash = "x",
	};
	struct sigv4_key key = {"a", "s", "r", "s3", "20260131T130059Z"};
	static char whole[512];
	struct strbuf out;
	int ret;

	strbuf_init(&out);
	ret = sigv4_sign(&request, &key, &out, err);
	if (ret == 0 && !*whole)
		strncat(whole, out.data, sizeof(whole) - 1);
	else if (ret == 0)
		assert_string_equal(out.data, whole);
	strbuf_release(&out);
	return ret;
}

static int read_page(struct error *err)
{
	static const char xml[] =
		"<ListBucketResult><EncodingType>url</EncodingType>"
		"<NextContinuationToken>t</NextContinuationToken>"
		"<Contents><Key>a+b</Key><Size>5</Size></Contents>"
		"<CommonPrefixes><Prefix>c/</Prefix></CommonPrefixes>"
		"</ListBucketResult>";
	struct s3_page page;
	int ret;

	s3_page_init(&page);
	ret = s3_page_read(&page, xml, sizeof(xml) - 1, err);
	if (ret == 0) {
		assert_int_equal(page.count, 2);
		assert_string_equal(page.token, "t");
		assert_string_equal(s3_page_text(&page, page.entries[0].key),
				    "a b");
	}
	s3_page_release(&page);
	return ret;
}

static int read_credentials(struct error *err)
{
	static const char json[] = "{\"AccessKeyId\":\"a\","
				   "\"SecretAccessKey\":\"b\",\"Token\":\"c\"}";
	static const char xml[] =
		"<AssumeRoleWithWebIdentityResponse>"
		"<AssumeRoleWithWebIdentityResult><Credentials>"
		"<AccessKeyId>a</AccessKeyId>"
		"<SecretAccessKey>b</SecretAccessKey>"
		"<SessionToken>c</SessionToken></Credentials>"
		"</AssumeRoleWithWebIdentityResult>"
		"</AssumeRoleWithWebIdentityResponse>";
	struct s3_credentials c;

	if (s3_credentials_from_json(&c, json, err) < 0)
		return -1;
	assert_string_equal(c.session_token, "c");
	s3_credentials_release(&c);
	if (s3_credentials_from_xml(&c, xml, sizeof(xml) - 1, err) < 0)
		return -1;
	assert_string_equal(c.secret_key, "b");
	s3_credentials_release(&c);
	return 0;
}

static int read_profile(struct error *err)
{
	struct s3_profile profile = {.found = false};
	int ret = s3_profile_parse(&profile, S3_PROFILE_CREDENTIALS,
				   "[a]\naws_access_key_id=x\n"
				   "aws_secret_access_key=y\nregion=z\n",
				   "a", err);

	if (ret == 0)
		assert_string_equal(profile.region, "z");
	s3_profile_release(&profile);
	return ret;
}

static void test_all(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	MUST(sign(&err)); /* OpenSSL makes what it makes once */
	try_it("a server", use_server, 40);
	try_it("a signature", sign, 5);
	try_it("a list", read_page, 10);
	try_it("credentials", read_credentials, 10);
	try_it("a profile", read_profile, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all),
	};

	scarce_setup();
	json_setup();
	alarm(240);
	return cmocka_run_group_tests_name("every s3", tests, NULL, NULL);
}
