/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Modules: the program and its libraries as a target has them mapped, their
 * files held open from before the sandbox on; which of them an address lies in,
 * and how its symbol tables call it.
 *
 * The files are hostile. Only headers and symbol tables are read, by descriptor
 * and bounded, into buffers of our own: no parser of anybody else's, and every
 * offset and count is checked against what is there.
 */
#ifndef HT_AGENT_GRAPH_MODULES_H
#define HT_AGENT_GRAPH_MODULES_H

#include "agent/libc/image.h"
#include "agent/memory/reader.h"
#include "agent/walk/ranges.h"

#define HT_MODULES_MAX	1024
#define HT_MODULE_LOADS 16
#define HT_MODULE_NONE	UINT32_MAX

struct ht_module_load {
	uint64_t start, end;	 /* addresses */
	uint64_t offset, filesz; /* in the file */
	bool write, exec;	 /* as its header says, whatever became of it */
};

/* What each thread has of its own, as the header says. */
struct ht_module_tls {
	uint64_t vaddr, filesz, memsz, align; /* memsz 0: nothing */
};

struct ht_module {
	char name[128]; /* without its folder */
	uint64_t bias;	/* address - address in the file */
	int fd;		/* -1: its file could not be opened */
	struct ht_module_load load[HT_MODULE_LOADS];
	unsigned loads;
	struct ht_module_tls tls;
	uint64_t dynamic; /* address of its dynamic section; 0: none */
};

struct ht_modules {
	struct ht_module *v; /* sorted by address */
	size_t n;
	unsigned others; /* of a core: files that are not what it had mapped */
};

/* Opens what can be opened; what cannot is there without a file. HT_NOMEM. */
enum ht_code ht_modules_open(const struct ht_locate_in *in,
			     struct ht_modules *ret,
			     struct ht_err *err) HT_MUST_CHECK;
void ht_modules_close(struct ht_modules *m);

/* The module and the part of it that an address lies in; HT_MODULE_NONE. */
uint32_t ht_modules_at(const struct ht_modules *m, uint64_t address,
		       const struct ht_module_load **ret_load);
/* Around an address that is in no module: where there is none either. */
struct ht_range ht_modules_gap(const struct ht_modules *m, uint64_t address);
/* Bytes of a module that a core may have left out: from memory, else from the
 * file. Returns how many. */
size_t ht_modules_read(const struct ht_modules *m, struct ht_reader *r,
		       uint64_t address, void *buf, size_t len);

/* An address that wants a name. */
struct ht_name {
	uint64_t address;
	uint32_t module;  /* set */
	uint64_t offset;  /* set: address in the module's file */
	uint64_t within;  /* set: bytes behind the symbol's start */
	char symbol[256]; /* set: "" when no symbol covers it */
	uint64_t symbol_size;
};
/* Fills all of them; sorts them by address. */
void ht_modules_name(const struct ht_modules *m, struct ht_name *names,
		     size_t n);
/* The same of thread-local variables of one module: offset and module are
 * given (bytes from the start of each thread's block), and they are sorted by
 * that. */
void ht_modules_name_local(const struct ht_modules *m, uint32_t module,
			   struct ht_name *names, size_t n);

/* Addresses of functions of a module by their names, n of them; 0 where it
 * defines none of that name. */
void ht_modules_functions(const struct ht_modules *m, uint32_t module,
			  const char *const *names, size_t n, uint64_t *ret);
/* Bytes of a module's file, where it can be read and is not meant to be
 * written; 0: none. */
size_t ht_modules_file(const struct ht_modules *m, uint64_t address, void *buf,
		       size_t len);

/* Where the variables of all modules lie, as far as symbols tell: sorted,
 * disjoint. local: of each module where its thread-local ones are to lie (0:
 * nowhere). false: no memory. */
bool ht_modules_objects(const struct ht_modules *m, const uint64_t *local,
			struct ht_ranges *ret);

#endif
