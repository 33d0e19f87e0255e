/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Core files' files: which file is mapped where, in a core whose notes do not
 * say. Linux writes NT_FILE since 3.7; emulators and converters write none.
 * What lies in memory tells it: each ELF file's own headers, and the list of
 * what the dynamic loader has loaded (struct r_debug and struct link_map of
 * link.h), as debuggers read it.
 */
#ifndef HT_AGENT_MEMORY_CORE_FILES_H
#define HT_AGENT_MEMORY_CORE_FILES_H

#include "agent/memory/maps.h"
#include "agent/memory/reader.h"

/* Of the auxiliary vector (NT_AUXV); 0: not told. */
struct ht_core_auxv {
	uint64_t phdr;	 /* AT_PHDR: program headers of what was executed */
	uint64_t execfn; /* AT_EXECFN: address of its name */
};

/* Mapped: [start, end) has the file's bytes from offset on. */
struct ht_core_part {
	uint64_t start, end, offset;
	const char *path; /* borrowed for the call */
	bool exe;	  /* of the program itself */
};

typedef enum ht_code ht_core_part_fn(void *ctx, const struct ht_core_part *part,
				     struct ht_err *err);

/* Tells the parts of the program and of the libraries that the loader lists;
 * ELF files that are merely mapped are left out. The program is called by the
 * name it was executed with, or by `comm`; "/" goes before a name without a
 * folder, for nothing says where it lies. */
enum ht_code ht_core_files_find(struct ht_reader *r, const struct ht_maps *m,
				const struct ht_core_auxv *auxv,
				const char *comm, ht_core_part_fn *tell,
				void *ctx, struct ht_err *err) HT_MUST_CHECK;

#endif
