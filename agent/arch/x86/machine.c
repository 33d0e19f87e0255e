/* SPDX-License-Identifier: Apache-2.0 */
/* What programs, their malloc and their core files are made for. */
#include <elf.h>
#include <string.h>

#include "agent/arch/arch.h"

const char ht_abi_names[] = "x86-64 and i386";

#define NONE UINT32_MAX /* i386's relocations have no addends */

static const struct {
	unsigned machine, class, word, relative, tls_offset;
	const char *name;
} abis[HT_ABI_COUNT] = {
	[HT_ABI_X86_64] = {EM_X86_64, ELFCLASS64, 8, R_X86_64_RELATIVE,
			   R_X86_64_TPOFF64, "x86_64"},
	[HT_ABI_I386] = {EM_386, ELFCLASS32, 4, NONE, R_386_TLS_TPOFF, "i386"},
};

enum ht_abi ht_abi_of(unsigned e_machine, unsigned ei_class)
{
	for (size_t i = HT_ABI_NONE + 1; i < HT_ABI_COUNT; i++)
		if (abis[i].machine == e_machine && abis[i].class == ei_class)
			return (enum ht_abi)i;
	return HT_ABI_NONE;
}

enum ht_abi ht_abi_with_word(unsigned word)
{
	for (size_t i = HT_ABI_NONE + 1; i < HT_ABI_COUNT; i++)
		if (abis[i].word == word)
			return (enum ht_abi)i;
	return HT_ABI_NONE;
}

unsigned ht_abi_word(enum ht_abi abi)
{
	return abis[abi].word;
}

const char *ht_abi_name(enum ht_abi abi)
{
	return abis[abi].name;
}

bool ht_abi_is_relative(enum ht_abi abi, unsigned relocation)
{
	return relocation == abis[abi].relative;
}

bool ht_abi_is_tls_offset(enum ht_abi abi, unsigned relocation)
{
	return relocation == abis[abi].tls_offset;
}

const struct ht_core_notes *ht_core_notes(unsigned word)
{
	static const struct ht_core_notes i386 = {144, 24,    72, 12, 15,
						  10,  false, 12, 28};
	static const struct ht_core_notes x86_64 = {336, 32,   112, 16, 19,
						    21,	 true, 24,  40};

	return word == 8 ? &x86_64 : &i386;
}

/* NT_386_TLS is not in every elf.h. */
unsigned ht_core_tls_note(unsigned word)
{
	return word == 4 ? 0x200 : 0;
}

/* Descriptors of four words (entry number, base, limit, flags); gs names one.
 */
bool ht_core_tls(const uint8_t *note, size_t n, uint64_t *thread_pointer)
{
	for (size_t i = 0; i + 16 <= n; i += 16) {
		uint32_t entry[2];

		memcpy(entry, note + i, sizeof(entry));
		if (entry[0] == (*thread_pointer & 0xffff) >> 3) {
			*thread_pointer = entry[1];
			return true;
		}
	}
	return false;
}
