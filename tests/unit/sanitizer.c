/*
 * Tests ask for memory that no machine has; the sanitizers shall answer NULL as
 * malloc() does instead of ending the process.
 */
const char *__asan_default_options(void);
const char *__tsan_default_options(void);

const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

const char *__tsan_default_options(void)
{
	return "allocator_may_return_null=1";
}
