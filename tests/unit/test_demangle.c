/* SPDX-License-Identifier: Apache-2.0 */
/* Names of C++ types: as a demangler of the compiler's own has them, or as they
 * were; never another name. And chunk sizes in people's terms. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/chunk_text.h"
#include "common/demangle.h"

static void is(const char *mangled, const char *wanted)
{
	char out[512];

	assert_string_equal(ht_demangle(mangled, out, sizeof(out)), wanted);
}

static void types_are_told_as_the_compiler_does(void **state)
{
	(void)state;
	is("7Session", "Session");
	is("N3app3JobE", "app::Job");
	is("N3app3BoxIiEE", "app::Box<int>");
	is("N3app3BoxIlLi40EEE", "app::Box<long, 40>");
	is("N3foo3BarIPKcSsEE", "foo::Bar<char const*, std::string>");
	is("St6vectorIiSaIiEE", "std::vector<int, std::allocator<int> >");
	is("St23_Sp_counted_ptr_inplaceIN3app3JobESaIvELN9__gnu_cxx12_Lock_"
	   "policyE2EE",
	   "std::_Sp_counted_ptr_inplace<app::Job, std::allocator<void>, "
	   "(__gnu_cxx::_Lock_policy)2>");
	is("N12_GLOBAL__N_16HiddenE", "(anonymous namespace)::Hidden");
	is("NSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE",
	   "std::__cxx11::basic_string<char, std::char_traits<char>, "
	   "std::allocator<char> >");
	is("4PairIN1a1AES1_E", "Pair<a::A, a::A>");
	is("_ZTV7Session", "vtable for Session");
	is("_Z5wordsB5cxx11", "words[abi:cxx11]");
	is("_ZL4book", "book");
	is("_ZN6icu_78L14gDefaultLocaleE", "icu_78::gDefaultLocale");
	is("_ZN12_GLOBAL__N_1L5tableE", "(anonymous namespace)::table");
	is("_ZL", "_ZL");
	is("_ZZ4mainE5cache", "main::cache");
	is("_ZZ5grabsiE5cache", "grabs(int)::cache");
	is("_ZZ5grabsiE5cache_0", "grabs(int)::cache");
	is("_ZZ5grabsiE5cache__12_", "grabs(int)::cache");
	is("_ZZL5grabsPKcmE5cache", "grabs(char const*, unsigned long)::cache");
	is("_ZZN3app3Box3getEvE5cache", "app::Box::get()::cache");
	is("_ZZNK3app3Box3getERKS0_E5cache",
	   "app::Box::get(app::Box const&) const::cache");
	is("_ZZN12_GLOBAL__N_15grabsEvE5cache",
	   "(anonymous namespace)::grabs()::cache");
	is("_ZZN3app3BoxC4EvE5cache", "_ZZN3app3BoxC4EvE5cache");
	is("_ZZ5grabsIiEvT_E5cache", "_ZZ5grabsIiEvT_E5cache");
	is("_ZZ5grabsvEs", "_ZZ5grabsvEs");
	is("_ZZ5grabsvE", "_ZZ5grabsvE");
	is("Z4mainE5Local", "main::Local");
	is("ZL5grabsvE5Local", "grabs()::Local");
	is("Z4mainEUlvE_", "main::{lambda()#1}");
	is("Z4mainEUlR3BoxiE0_", "main::{lambda(Box&, int)#2}");
	is("NSt6thread11_State_implINS_8_InvokerISt5tupleIJZ4mainEUlvE_"
	   "EEEEEE",
	   "std::thread::_State_impl<std::thread::_Invoker<std::tuple<"
	   "main::{lambda()#1}> > >");
	is("Zero", "Zero");
	is("L4book", "L4book");
}

static void is_function(const char *symbol, const char *wanted)
{
	char out[512];

	assert_string_equal(ht_demangle_function(symbol, out, sizeof(out)),
			    wanted);
}

static void rust_has_its_paths_without_their_hashes(void **state)
{
	(void)state;
	is_function("_ZN4leak4main17h68d97aefc12db3cbE", "leak::main");
	is_function("_ZN3std2rt10lang_start28_$u7b$$u7b$closure$u7d$$u7d$"
		    "17h71acb6ed29efb28bE",
		    "std::rt::lang_start::{{closure}}");
	is_function("_RNvCs1234_4leak4main", "leak::main");
	is_function("_RNCNvNtCsgEmfK2I1SDS_3std2rt19lang_start_internal0B5_",
		    "std::rt::lang_start_internal::{closure#0}");
	is_function("_RINvNtCs1_4leak5cache3addNtB2_4ItemE",
		    "leak::cache::add::<leak::cache::Item>");
	is("_RNvNtNtCs1_3std2io5stdio6STDOUT", "std::io::stdio::STDOUT");
	is_function("_R", "_R");
	is_function("_RNvCs1234_4leak4mai", "_RNvCs1234_4leak4mai");
	is_function("_ZN4leak4mainE", "leak::main");
}

/* A number as names refer back with: none for 0, else one less in base 62. */
static void refer(char *name, unsigned place)
{
	static const char digit[] = "0123456789abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	char two[3] = {digit[(place - 1) / 62], digit[(place - 1) % 62], 0};

	strcat(strcat(strcat(name, "B"), place > 62 ? two : two + 1), "_");
}

/* Pairs of the pair before: two to the fortieth words. */
static void a_name_without_end_stays_as_it_is(void **state)
{
	char name[1024] = "_RIC1aThhE", out[512];
	unsigned before = 4;

	(void)state;
	is_function("_RIC1aThhETB3_B3_EE",
		    "a::<(u8, u8), ((u8, u8), (u8, u8))>");
	for (int i = 0; i < 40; i++) {
		unsigned at = (unsigned)strlen(name) - 2;

		strcat(name, "T");
		refer(name, before);
		refer(name, before);
		strcat(name, "E");
		before = at;
	}
	strcat(name, "E");
	assert_true(strlen(name) < sizeof(out));
	is_function(name, name);
}

static void what_is_not_understood_stays_as_it_is(void **state)
{
	static const char *const odd[] = {
		"",	    "registry",	  "Session",	    "Node",
		"S",	    "N",	  "7Sessio",	    "N3appE3",
		"99999x",   "1AI",	  "N1AI1BE",	    "S_",
		"NS_1AE",   "1AIS9_E",	  "_ZZ4mainE3fooE", "_ZTV",
		"1AIFvvEE", "NULL_items", "SSL_ctx",	    "1ALi3E",
		"_Z",	    "NNN",	  "4PairIS5_E"};

	(void)state;
	for (size_t i = 0; i < sizeof(odd) / sizeof(*odd); i++)
		is(odd[i], odd[i]);
}

static void hostile_names_end_in_time_and_within_bounds(void **state)
{
	char deep[4096], out[64];

	(void)state;
	memset(deep, 'P', sizeof(deep) - 1);
	deep[0] = '1';
	deep[sizeof(deep) - 1] = '\0';
	ht_demangle(deep, out, sizeof(out));
	assert_true(strlen(out) < sizeof(out));
	for (size_t i = 0; i + 4 < sizeof(deep); i += 3)
		memcpy(deep + i, "1AI", 4);
	ht_demangle(deep, out, sizeof(out));
	assert_true(strlen(out) < sizeof(out));
}

static void a_chunk_size_is_told_as_what_was_asked_for(void **state)
{
	char out[HT_CHUNK_TEXT];

	(void)state;
	assert_string_equal(ht_chunk_text(224, "x86_64", out),
			    "224 B chunks (malloc of 201 to 216 bytes)");
	assert_string_equal(ht_chunk_text(32, "x86_64", out),
			    "32 B chunks (malloc of 0 to 24 bytes)");
	assert_string_equal(ht_chunk_text(48, "x86_64", out),
			    "48 B chunks (malloc of 25 to 40 bytes)");
	assert_string_equal(ht_chunk_text(224, "i386", out), "224 B chunks");
	assert_string_equal(ht_chunk_text(1280, "x86_64", out),
			    "chunks of up to 1280 B");
	assert_string_equal(ht_chunk_text(0, "x86_64", out), "mmapped chunks");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(types_are_told_as_the_compiler_does),
		cmocka_unit_test(rust_has_its_paths_without_their_hashes),
		cmocka_unit_test(a_name_without_end_stays_as_it_is),
		cmocka_unit_test(what_is_not_understood_stays_as_it_is),
		cmocka_unit_test(hostile_names_end_in_time_and_within_bounds),
		cmocka_unit_test(a_chunk_size_is_told_as_what_was_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
