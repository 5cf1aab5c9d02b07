/* What a connection string says about a bucket. */
#include "unit/helper.h"

#include <string.h>

#include "base/text.h"
#include "s3/server.h"
#include "s3/settings.h"

#define BUCKET "bucket_name=my-bucket;region=eu-central-1;"

static void read(struct s3_settings *out, const char *text)
{
	struct error err = ERROR_INIT;
	struct connstr cs;

	MUST(connstr_parse(&cs, text, &err));
	if (s3_settings_read(out, &cs, &err) < 0)
		fail_msg("%s: %s", text, err.message);
	if (connstr_check_unused(&cs, &err) < 0)
		fail_msg("%s: %s", text, err.message);
	connstr_release(&cs);
}

static void test_everything(void **state)
{
	struct s3_settings s;

	(void)state;
	read(&s, "Bucket Name=my-bucket;Region=us-gov-west-1;prefix=/a/b c//;"
		 "access_key=AKIA;secret_key={s/e+c;r=t};session_token=tok==;"
		 "endpoint=https://minio.example.com:9000/;path_style=yes;"
		 "ca_file=/etc/ca.pem;proxy=http://proxy:3128;proxy_user=u;"
		 "proxy_password=p;sse=aws:kms;kms_key_id=arn:aws:kms:x;"
		 "storage_class=standard_ia;bucket_owner=123456789012;"
		 "checksum=SHA256;part_size_mb=64;attempts=7;"
		 "connect_timeout=3;stall_timeout=30");
	assert_string_equal(s.bucket, "my-bucket");
	assert_string_equal(s.region, "us-gov-west-1");
	assert_string_equal(s.prefix, "a/b c/");
	assert_string_equal(s.access_key, "AKIA");
	assert_string_equal(s.secret_key, "s/e+c;r=t");
	assert_string_equal(s.session_token, "tok==");
	assert_int_equal(s.source, S3_CREDENTIALS_ROW);
	assert_string_equal(s.host, "minio.example.com:9000");
	assert_true(s.tls && s.path_style && !s.trust_any);
	assert_string_equal(s.ca_file, "/etc/ca.pem");
	assert_string_equal(s.proxy, "http://proxy:3128");
	assert_string_equal(s.proxy_user, "u");
	assert_string_equal(s.proxy_password, "p");
	assert_int_equal(s.encryption, S3_ENCRYPT_KMS);
	assert_string_equal(s.kms_key_id, "arn:aws:kms:x");
	assert_string_equal(s.storage_class, "STANDARD_IA");
	assert_string_equal(s.bucket_owner, "123456789012");
	assert_int_equal(s.checksum, S3_CHECKSUM_SHA256);
	assert_int_equal(s.part_mb, 64);
	assert_int_equal(s.attempts, 7);
	assert_int_equal(s.connect_timeout_s, 3);
	assert_int_equal(s.stall_timeout_s, 30);
	s3_settings_release(&s);
	s3_settings_release(&s);
}

static void test_little(void **state)
{
	struct s3_settings s;

	(void)state;
	read(&s, "bucket=abc");
	assert_string_equal(s.prefix, "");
	assert_true(s.tls && !s.path_style);
	assert_null(s.host);
	assert_null(s.region);
	assert_null(s.proxy);
	assert_int_equal(s.source, S3_CREDENTIALS_ANY);
	assert_int_equal(s.checksum, S3_CHECKSUM_CRC32C);
	assert_int_equal(s.encryption, S3_ENCRYPT_DEFAULT);
	s3_settings_release(&s);
}

/* What other tools call these keys, and what follows from what. */
static void test_spellings(void **state)
{
	struct s3_settings s;

	(void)state;
	read(&s, BUCKET "access_key_id=a;secret_access_key=b");
	assert_string_equal(s.access_key, "a");
	assert_string_equal(s.secret_key, "b");
	s3_settings_release(&s);
	read(&s, BUCKET "aws_access_key_id=a;aws_secret_access_key=b;"
			"aws_session_token=c");
	assert_string_equal(s.session_token, "c");
	s3_settings_release(&s);
	read(&s, BUCKET "user id=a;password=b;server=h:1;encrypt=disable");
	assert_string_equal(s.secret_key, "b");
	assert_string_equal(s.host, "h:1");
	assert_true(!s.tls && s.path_style);
	s3_settings_release(&s);
	read(&s, BUCKET "endpoint=http://[::1]:9000;encrypt=no");
	assert_string_equal(s.host, "[::1]:9000");
	assert_false(s.tls);
	s3_settings_release(&s);
	read(&s, BUCKET "profile=p;kms_key_id=k;proxy=none");
	assert_int_equal(s.source, S3_CREDENTIALS_PROFILE);
	assert_int_equal(s.encryption, S3_ENCRYPT_KMS);
	assert_string_equal(s.proxy, "");
	s3_settings_release(&s);
	/* A certificate for *.s3.amazonaws.com has no dots in the star. */
	read(&s, "bucket_name=my.bucket");
	assert_true(s.path_style);
	s3_settings_release(&s);
	read(&s, BUCKET "endpoint=https://vpce-1.s3.eu-west-1.vpce."
			"amazonaws.com");
	assert_false(s.path_style);
	s3_settings_release(&s);
	read(&s, "bucket_name=my.bucket;endpoint=s3.eu-west-1.amazonaws.com");
	assert_true(s.path_style);
	s3_settings_release(&s);
	read(&s, "bucket_name=my.bucket;path_style=no;"
		 "endpoint=s3.eu-west-1.amazonaws.com");
	assert_false(s.path_style);
	s3_settings_release(&s);
}

static void refused(const char *text, const char *key, const char *must)
{
	struct s3_settings s;
	struct error err = ERROR_INIT;
	struct connstr cs;

	MUST(connstr_parse(&cs, text, &err));
	MUST_FAIL(s3_settings_read(&s, &cs, &err), ERROR_CONFIG);
	assert_holds(err.message, key);
	assert_holds(err.message, must);
	assert_lacks(err.message, "CANARY");
	connstr_release(&cs);
}

static void test_refused(void **state)
{
	static const struct {
		const char *text, *key, *must;
	} cases[] = {
		{"region=x", "'bucket_name'", "missing"},
		{"bucket_name=s3://b", "'bucket_name'", "no s3://"},
		{"bucket_name=ab", "'bucket_name'", "3 to 63"},
		{"bucket_name=-abc", "'bucket_name'", "3 to 63"},
		{"bucket_name=a..b", "'bucket_name'", "3 to 63"},
		{"bucket_name=Upper", "'bucket_name'", "path_style=yes"},
		{BUCKET "bucket_owner=12", "'bucket_owner'", "12"},
		{"bucket_name=abc;region=eu west", "'region'", "eu-central-1"},
		{BUCKET "prefix={a\tb}", "'prefix'", "control"},
		{BUCKET "prefix={\xff}", "'prefix'", "UTF-8"},
		{BUCKET "access_key=a", "'access_key'", "'secret_key'"},
		{BUCKET "secret_key=CANARY", "'secret_key'", "'access_key'"},
		{BUCKET "access_key=a;secret_key={CANARY\tx}", "'secret_key'",
		 "without blanks"},
		{BUCKET "session_token=CANARY", "'session_token'",
		 "'access_key'"},
		{BUCKET "credentials=somewhere", "'credentials'", "profile"},
		{BUCKET "credentials=row", "'credentials=row'", "'access_key'"},
		{BUCKET "credentials=instance;access_key=a;secret_key=CANARY",
		 "'access_key'", "leave one out"},
		{BUCKET "profile=p;access_key=a;secret_key=b", "'profile'",
		 "leave one out"},
		{BUCKET "profile=p;credentials=container", "'profile'",
		 "credentials=profile"},
		{BUCKET "endpoint=ftp://h", "'endpoint'", "https://host:port"},
		{BUCKET "endpoint=https://h/path", "'endpoint'", "path"},
		{BUCKET "endpoint=https://u:CANARY@h", "'endpoint'", "user"},
		{BUCKET "endpoint=h:99999", "'endpoint'", "https://host:port"},
		{BUCKET "endpoint=", "'endpoint'", "https://host:port"},
		{BUCKET "endpoint=https://h;encrypt=no", "'encrypt'",
		 "leave one out"},
		{BUCKET "encrypt=no", "'encrypt'", "TLS alone"},
		{BUCKET "encrypt=perhaps", "'encrypt'", "true or false"},
		{BUCKET "endpoint=[::1]:9;path_style=no", "'path_style'",
		 "address"},
		{BUCKET "path_style=maybe", "'path_style'", "yes or no"},
		{BUCKET "trust_server_certificate=maybe", "yes or no", ""},
		{BUCKET "ca_file=", "'ca_file'", "path"},
		{BUCKET "proxy=http://u:CANARY@h:1", "'proxy'",
		 "'proxy_password'"},
		{BUCKET "proxy_user=u;proxy_password=CANARY", "'proxy_user'",
		 "'proxy'"},
		{BUCKET "proxy=h:1;proxy_user=u", "'proxy_user'",
		 "'proxy_password'"},
		{BUCKET "proxy=h:1;proxy_password=CANARY", "'proxy_user'",
		 "'proxy_password'"},
		{BUCKET "sse=yes", "'sse'", "aws:kms"},
		{BUCKET "sse=AES256;kms_key_id=k", "'kms_key_id'", "aws:kms"},
		{BUCKET "storage_class={A B}", "'storage_class'",
		 "STANDARD_IA"},
		{BUCKET "checksum=md5", "'checksum'", "crc32c"},
		{BUCKET "part_size_mb=4", "'part_size_mb'", "5 to 512"},
		{BUCKET "attempts=0", "'attempts'", "1 to 20"},
		{BUCKET "connect_timeout=0", "'connect_timeout'", "1 to"},
		{BUCKET "stall_timeout=x", "'stall_timeout'", "1 to"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		refused(cases[i].text, cases[i].key, cases[i].must);
}

/* A piece of a secret that nobody quoted is not repeated as a key. */
static void test_torn_secret(void **state)
{
	struct error err = ERROR_INIT;
	struct s3_settings s;
	struct connstr cs;

	(void)state;
	MUST(connstr_parse(&cs, BUCKET "access_key=a;secret_key=b;CANARY=c",
			   &err));
	MUST(s3_settings_read(&s, &cs, &err));
	MUST_FAIL(connstr_check_unused(&cs, &err), ERROR_CONFIG);
	assert_lacks(err.message, "canary");
	s3_settings_release(&s);
	connstr_release(&cs);
}

/* Where requests go, and how the server is called. */
static void assert_place(const char *text, const char *host, const char *path,
			 const char *name)
{
	struct error err = ERROR_INIT;
	struct s3_settings s;
	struct strbuf got;
	struct s3 *s3;

	read(&s, text);
	if (s3_new(&s3, &s, &err) < 0)
		fail_msg("%s: %s", text, err.message);
	s3_settings_release(&s);
	assert_string_equal(s3->host, host);
	assert_string_equal(s3_name(s3), name);
	strbuf_init(&got);
	s3_add_path(s3, "a/b", &got);
	assert_string_equal(got.data, path);
	strbuf_release(&got);
	s3_free(s3);
}

static void test_places(void **state)
{
	(void)state;
	assert_place(BUCKET, "my-bucket.s3.eu-central-1.amazonaws.com", "/a/b",
		     "s3://my-bucket");
	assert_place("bucket_name=my.bucket;region=us-east-1",
		     "s3.us-east-1.amazonaws.com", "/my.bucket/a/b",
		     "s3://my.bucket");
	assert_place("bucket_name=abc;region=cn-north-1",
		     "abc.s3.cn-north-1.amazonaws.com.cn", "/a/b", "s3://abc");
	assert_place(BUCKET "endpoint=https://m:9000", "m:9000",
		     "/my-bucket/a/b", "s3://my-bucket at m:9000");
	assert_place(BUCKET "endpoint=https://m:443", "m", "/my-bucket/a/b",
		     "s3://my-bucket at m:443");
	assert_place(BUCKET "endpoint=http://m:80", "m", "/my-bucket/a/b",
		     "s3://my-bucket at m:80");
	assert_place(BUCKET "endpoint=https://r2.example.com;path_style=no",
		     "my-bucket.r2.example.com", "/a/b",
		     "s3://my-bucket at r2.example.com");
	assert_place("bucket_name=abc;endpoint=https://m", "m", "/abc/a/b",
		     "s3://abc at m");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_everything),
		cmocka_unit_test(test_little),
		cmocka_unit_test(test_spellings),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_torn_secret),
		cmocka_unit_test(test_places),
	};

	return cmocka_run_group_tests_name("s3 settings", tests, NULL, NULL);
}
