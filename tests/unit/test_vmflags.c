/* SPDX-License-Identifier: Apache-2.0 */
/* VmFlags: which mappings the kernel does not take back, from smaps texts and
 * from our own memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above */
#include <cmocka.h>

#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/memory/vmflags.h"
#include "common/clock.h"

static void locked_and_pooled_mappings_are_found(void **state)
{
	char text[] = "1000-3000 rw-p 00000000 00:00 0 [heap]\n"
		      "Rss:                   8 kB\n"
		      "VmFlags: rd wr mr mw me lo ac sd\n"
		      "3000-4000 rw-p 00000000 00:00 0 \n"
		      "VmFlags: rd wr mr mw me lo ac sd\n"
		      "5000-6000 rw-p 00000000 00:00 0 \n"
		      "VmFlags: rd wr mr mw me ac sd\n"
		      "200000-400000 rw-p 00000000 00:0f 77 /anon_hugepage\n"
		      "VmFlags: rd wr mr mw me de ht sd\n";
	struct ht_vmflags f = HT_VMFLAGS_NONE;
	struct ht_err err;

	(void)state;
	assert_int_equal(ht_vmflags_parse(text, &f, &err), HT_OK);
	assert_int_equal(f.refusing.n, 2);
	assert_int_equal(f.refusing.v[0].start, 0x1000);
	assert_int_equal(f.refusing.v[0].end, 0x4000);
	assert_int_equal(f.refusing.v[1].start, 0x200000);
	ht_vmflags_fini(&f);
}

static void mappings_under_userfaultfd_are_found(void **state)
{
	char text[] = "1000-3000 rw-p 00000000 00:00 0 [heap]\n"
		      "VmFlags: rd wr mr mw me um ac sd\n"
		      "5000-6000 rw-p 00000000 00:00 0 \n"
		      "VmFlags: rd wr mr mw me uw ac sd\n"
		      "7000-9000 rw-s 00000000 00:01 5 /memfd:x\n"
		      "VmFlags: rd wr sh mr mw me ms ui sd\n";
	struct ht_vmflags f = HT_VMFLAGS_NONE;
	struct ht_err err;
	size_t len = 0x10000;

	(void)state;
	assert_int_equal(ht_vmflags_parse(text, &f, &err), HT_OK);
	assert_int_equal(f.refusing.n, 0);
	assert_int_equal(f.withheld.n, 2); /* write protection hides nothing */
	assert_false(ht_vmflags_withheld(&f, 0x800, &len));
	assert_int_equal(len, 0x800);
	len = 0x10000;
	assert_true(ht_vmflags_withheld(&f, 0x1800, &len));
	assert_int_equal(len, 0x1800);
	len = 0x10000;
	assert_false(ht_vmflags_withheld(&f, 0x3000, &len));
	assert_int_equal(len, 0x4000);
	assert_true(ht_vmflags_withheld(&f, 0x8fff, &len));
	assert_int_equal(len, 1);
	assert_false(ht_vmflags_withheld(&f, 0x9000, &len));
	ht_vmflags_fini(&f);
}

static void texts_that_make_no_sense_are_refused_or_harmless(void **state)
{
	char no_mapping[] = "VmFlags: rd lo\n";
	char backwards[] = "3000-1000 rw-p 0 00:00 0\nVmFlags: rd lo\n";
	char nothing[] = "";
	struct ht_vmflags f = HT_VMFLAGS_NONE;
	struct ht_err err;

	(void)state;
	assert_int_equal(ht_vmflags_parse(no_mapping, &f, &err), HT_SYS);
	assert_int_equal(ht_vmflags_parse(backwards, &f, &err), HT_SYS);
	assert_int_equal(ht_vmflags_parse(nothing, &f, &err), HT_OK);
	assert_int_equal(f.refusing.n, 0);
	ht_vmflags_fini(&f);
}

static bool refuses(const struct ht_maps *m, const void *at)
{
	const struct ht_vma *v = ht_maps_at(m, (uint64_t)(uintptr_t)at);

	assert_non_null(v);
	return v->flags & HT_VMA_REFUSES;
}

static void a_locked_page_marks_its_mapping_and_no_other(void **state)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *p = mmap(NULL, 3 * page, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct ht_vmflags f = HT_VMFLAGS_NONE;
	struct ht_maps m = {0};
	struct ht_err err;

	(void)state;
	assert_ptr_not_equal(p, MAP_FAILED);
	/* by its number: the sanitizers' own mlock() does nothing */
	assert_int_equal(syscall(SYS_mlock, p + page, page), 0);
	assert_int_equal(ht_maps_read(getpid(), &m, &err), HT_OK);
	assert_int_equal(ht_vmflags_read(getpid(), &m, page, &f, &err), HT_OK);
	ht_vmflags_mark(&f, &m);
	assert_false(refuses(&m, p));
	assert_true(refuses(&m, p + page));
	assert_false(refuses(&m, p + 2 * page));
	/* nothing locked any more: nothing is read, nothing is marked */
	assert_int_equal(ht_vmflags_read(getpid(), &m, 0, &f, &err), HT_OK);
	assert_int_equal(f.refusing.n, 0);
	ht_vmflags_fini(&f);
	ht_maps_fini(&m);
	munmap(p, 3 * page);
}

static void smaps_is_not_read_behind_its_limit(void **state)
{
	struct ht_vmflags f = HT_VMFLAGS_NONE;
	struct ht_maps m = {0};
	struct ht_err err;

	(void)state;
	assert_int_equal(ht_maps_read(getpid(), &m, &err), HT_OK);
	f.doubted = true;
	f.until_ns = ht_mono_ns();
	assert_int_equal(ht_vmflags_read(getpid(), &m, 0, &f, &err),
			 HT_TIMEOUT);
	assert_true(f.doubted); /* still: it is asked for again */
	f.until_ns = 0;
	assert_int_equal(ht_vmflags_read(getpid(), &m, 0, &f, &err), HT_OK);
	assert_false(f.doubted);
	ht_vmflags_fini(&f);
	ht_maps_fini(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(locked_and_pooled_mappings_are_found),
		cmocka_unit_test(mappings_under_userfaultfd_are_found),
		cmocka_unit_test(
			texts_that_make_no_sense_are_refused_or_harmless),
		cmocka_unit_test(a_locked_page_marks_its_mapping_and_no_other),
		cmocka_unit_test(smaps_is_not_read_behind_its_limit),
	};

	return cmocka_run_group_tests_name("vmflags", tests, NULL, NULL);
}
