/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Facts: what one ELF file (and its debug file) says about the malloc inside,
 * as a flat record of numbers and short texts.
 *
 * The files are hostile: a target may map anything. They are parsed in the
 * layout role (layout_role.h), a process without a capability and without a
 * target; only this record comes back, and ht_facts_check() looks at every
 * field before it is used. Addresses are those of the file: add the load bias.
 */
#ifndef HT_AGENT_LIBC_FACTS_H
#define HT_AGENT_LIBC_FACTS_H

#include "agent/libc/allocator.h"
#include "agent/libc/layout.h"

#define HT_FACTS_MAGIC 0x31464854u /* "HTF1" */

enum ht_facts_flag {
	HT_FACTS_DYN = 1 << 0,	  /* ET_DYN: needs a load bias */
	HT_FACTS_INTERP = 1 << 1, /* dynamic executable */
	HT_FACTS_MALLOC = 1 << 2, /* .dynsym defines malloc */
	HT_FACTS_GLIBC = 1 << 3,  /* the banner of the GNU C Library is in it */
	HT_FACTS_LOADER = 1 << 4, /* a dynamic loader (ld.so's own malloc) */
	HT_FACTS_SYMTAB = 1 << 5, /* a symbol table has a main_arena that a
				     table row or `dwarf` describes */
	HT_FACTS_DWARF = 1 << 6,  /* `dwarf` is filled */
	HT_FACTS_DEBUG_MISMATCH = 1 << 7, /* debug file of another build */
	HT_FACTS_COPIED = 1 << 8,	  /* read with HT_FACTS_LIVE */
};

enum ht_facts_want {
	HT_FACTS_NO_SYMTAB = 1 << 0, /* by structure only */
	HT_FACTS_IS_EXE = 1 << 1,    /* may be a static program */
	HT_FACTS_LIVE = 1 << 2,	     /* a copy of memory (ht_image_copy) */
};

/* Symbols of malloc.o and its neighbours that have a use here. */
/* clang-format off */
#define HT_FACTS_SYMBOLS(X)                                             \
	X(MAIN_ARENA, "main_arena")                                     \
	X(MP, "mp_")                                                    \
	X(TCACHE, "tcache")                                             \
	X(THREAD_ARENA, "thread_arena")                                 \
	X(TSD_MALLOC, "__libc_tsd_MALLOC")                              \
	X(SINGLE_THREADED, "__libc_single_threaded")                    \
	X(MULTIPLE_THREADS, "__libc_multiple_threads")                  \
	X(TCACHE_DUMMY, "__tcache_dummy")                               \
	X(MALLOC, "malloc")                                             \
	X(MALLOC_INFO, "malloc_info")                                   \
	X(MALLOC_TRIM, "malloc_trim")                                   \
	X(FORK, "fork")                                                 \
	X(ERRNO, "errno")
/* clang-format on */

enum ht_facts_symbol {
#define HT_FACTS_SYMBOL(id, name) HT_S_##id,
	HT_FACTS_SYMBOLS(HT_FACTS_SYMBOL)
#undef HT_FACTS_SYMBOL
		HT_SYMBOL_COUNT
};

struct ht_facts_value {
	uint64_t value, size;
	uint64_t known; /* 0 or 1 */
};

#define HT_FACTS_LOADS	16
#define HT_FACTS_HITS	8
#define HT_FACTS_TPOFFS 64
#define HT_BUILD_ID_MAX 20
/* malloc_state holds 254 words of bins and little else. */
#define HT_FACTS_ARENA_MAX 4096u

struct ht_facts_load {
	uint64_t vaddr, offset, filesz, memsz, flags; /* p_flags */
};

/* A place where an object's default image was seen. */
struct ht_facts_hit {
	uint64_t vaddr;
	uint32_t row;	 /* index into ht_layout_rows */
	uint32_t tcache; /* mp_: the tcache words are there */
};

struct ht_facts_tpoff {
	uint64_t
		slot; /* GOT word that holds value - l_tls_offset at run time */
	int64_t value; /* of the thread-local variable */
};

struct ht_facts {
	uint32_t magic, length; /* of this record */
	enum ht_abi abi;
	uint32_t word;	    /* of it: 8 or 4 */
	uint32_t flags;	    /* enum ht_facts_flag */
	uint32_t allocator; /* enum ht_allocator */
	uint32_t runtimes;  /* 1 << enum ht_runtime, all that are in it */
	uint32_t loads_n, arenas_n, pars_n, tpoffs_n, build_id_len;
	uint32_t debuglink_crc;
	uint32_t dwarf_num_slots; /* tcache: num_slots, not counts (2.42+) */
	uint8_t build_id[HT_BUILD_ID_MAX + 4];
	char banner[64];	    /* "2.36" and what follows it */
	char allocator_version[32]; /* empty: not knowable */
	char soname[64];
	char debuglink[64];
	uint64_t build_id_vaddr; /* of the note's bytes; 0: not mapped */
	uint64_t tls_memsz, tls_align, tls_vaddr;
	uint64_t text_start, text_end; /* malloc.o's code; 0: unknown */
	uint64_t dwarf_size[HT_ROW_KINDS];
	struct ht_facts_value symbol[HT_SYMBOL_COUNT];
	struct ht_facts_load load[HT_FACTS_LOADS];
	struct ht_facts_hit arena[HT_FACTS_HITS];
	struct ht_facts_hit par[HT_FACTS_HITS];
	struct ht_facts_tpoff tpoff[HT_FACTS_TPOFFS];
	struct ht_place dwarf[HT_PLACE_COUNT];
};

/* Whether debug information describes structs of the kind that is walked: every
 * member within its struct, every struct within the walk's buffers. */
bool ht_facts_dwarf_fits(const struct ht_facts *f);

/* Whether the symbol main_arena is of the size that a table row or the debug
 * information says: something else of that name is not malloc's. */
bool ht_facts_arena_described(const struct ht_facts *f);

/* Whether a record can be used: every count within its array, every text
 * ended, every index in its table. HT_PROTOCOL else. */
enum ht_code ht_facts_check(const struct ht_facts *f,
			    struct ht_err *err) HT_MUST_CHECK;

#endif
