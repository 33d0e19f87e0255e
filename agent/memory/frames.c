/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/memory/frames.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "agent/arch/arch.h"
#include "agent/arch/unwind.h"
#include "common/cleanup.h"

#define PROGRAM_HEADERS_MAX 64
/* .eh_frame_hdr as binutils and lld write it: a table of two 4-byte offsets
 * from the header's start for each function, sorted, found by binary search. */
#define EH_HDR_SIZE	 12
#define EH_FRAME_PTR_ENC 0x1b /* pcrel | sdata4 */
#define EH_COUNT_ENC	 0x03 /* udata4 */
#define EH_TABLE_ENC	 0x3b /* datarel | sdata4 */
#define EH_ROW_SIZE	 8

/* Where nothing can be mapped. */
#define TABLE_AT UINT64_C(0xfffe000000000000)

/* Exported by libunwind for tools that bring their own find_proc_info; declared
 * in no public header. */
extern int UNW_OBJ(dwarf_search_unwind_table)(unw_addr_space_t as,
					      unw_word_t ip, unw_dyn_info_t *di,
					      unw_proc_info_t *pi,
					      int need_unwind_info, void *arg);

/* libunwind asks word by word, thousands of times for one stack; the target is
 * at rest meanwhile, so pages may be kept. */
#define PAGES 16u

struct page {
	uint64_t number; /* address / HT_PAGE_SIZE; 0: empty */
	uint8_t bytes[HT_PAGE_SIZE];
};

struct frames {
	const struct ht_thread_state *thread;
	struct ht_reader *reader;
	const struct ht_maps *maps;
	const struct ht_frames_aid *aid;
	struct ht_frames_table table; /* as if it lay at TABLE_AT */
	struct page page[PAGES];
};

/* The page of addr, read if need be; NULL: it cannot be read whole. */
static const struct page *page_of(struct frames *f, uint64_t addr)
{
	uint64_t number = addr / HT_PAGE_SIZE;
	struct page *p = &f->page[number % PAGES];

	if (p->number == number)
		return p;
	p->number = 0;
	if (ht_reader_some(f->reader, number * HT_PAGE_SIZE, p->bytes,
			   HT_PAGE_SIZE) < HT_PAGE_SIZE)
		return NULL;
	p->number = number;
	return p;
}

static bool read_table(const struct frames *f, uint64_t at, uint64_t *ret)
{
	uint64_t size = f->table.n * sizeof(*f->table.row);

	if (at >= size)
		return false;
	*ret = 0;
	memcpy(ret, (const uint8_t *)f->table.row + at,
	       size - at < sizeof(*ret) ? size - at : sizeof(*ret));
	return true;
}

static bool read_word(struct frames *f, uint64_t addr, uint64_t *ret)
{
	uint64_t in_page = addr % HT_PAGE_SIZE;
	const struct page *p = in_page <= HT_PAGE_SIZE - sizeof(*ret)
				       ? page_of(f, addr)
				       : NULL;

	if (read_table(f, addr - TABLE_AT, ret))
		return true;
	if (!p)
		return ht_reader_read(f->reader, addr, ret, sizeof(*ret),
				      NULL) == HT_OK;
	memcpy(ret, p->bytes + in_page, sizeof(*ret));
	return true;
}

/* Where the object that holds ip begins in memory: the mapping of its first
 * page. 0: not a file. */
static uint64_t object_base(const struct ht_maps *maps, uint64_t ip)
{
	const struct ht_vma *code = ht_maps_at(maps, ip);

	if (!code)
		return 0;
	if (code->inode == 0) /* vdso: one mapping, headers included */
		return code->start;
	for (const struct ht_vma *v = code;; v--) {
		if (v->inode == code->inode && v->dev == code->dev &&
		    v->offset == 0)
			return v->start;
		if (v == maps->v)
			return 0;
	}
}

/* Address of .eh_frame_hdr in the object at base; 0: none. */
static uint64_t eh_frame_hdr(const struct frames *f, uint64_t base)
{
	Elf64_Phdr phdr[PROGRAM_HEADERS_MAX];
	uint64_t hdr = 0, first = UINT64_MAX;
	Elf64_Ehdr ehdr;

	if (ht_reader_read(f->reader, base, &ehdr, sizeof(ehdr), NULL) !=
		    HT_OK ||
	    memcmp(ehdr.e_ident, ELFMAG, SELFMAG) != 0 ||
	    ehdr.e_phentsize != sizeof(*phdr) ||
	    ehdr.e_phnum > PROGRAM_HEADERS_MAX ||
	    ht_reader_read(f->reader, base + ehdr.e_phoff, phdr,
			   ehdr.e_phnum * sizeof(*phdr), NULL) != HT_OK)
		return 0;
	for (unsigned i = 0; i < ehdr.e_phnum; i++) {
		if (phdr[i].p_type == PT_LOAD && first == UINT64_MAX)
			first = phdr[i].p_vaddr & ~UINT64_C(0xfff);
		if (phdr[i].p_type == PT_GNU_EH_FRAME)
			hdr = phdr[i].p_vaddr;
	}
	return hdr && first != UINT64_MAX ? base - first + hdr : 0;
}

/* The table that the object brings. */
static bool own_table(const struct frames *f, uint64_t hdr, unw_dyn_info_t *di)
{
	uint8_t head[EH_HDR_SIZE];
	uint32_t rows;

	if (!hdr ||
	    ht_reader_read(f->reader, hdr, head, sizeof(head), NULL) != HT_OK ||
	    head[0] != 1 || head[1] != EH_FRAME_PTR_ENC ||
	    head[2] != EH_COUNT_ENC || head[3] != EH_TABLE_ENC)
		return false;
	memcpy(&rows, head + 8, sizeof(rows));
	di->u.rti.segbase = hdr;
	di->u.rti.table_data = hdr + EH_HDR_SIZE;
	di->u.rti.table_len = (uint64_t)rows * EH_ROW_SIZE / sizeof(unw_word_t);
	return true;
}

static bool aid_table(struct frames *f, uint64_t ip, unw_dyn_info_t *di)
{
	if (!f->aid || !f->aid->table(f->aid->ctx, ip, &f->table) ||
	    f->table.n == 0)
		return false;
	di->u.rti.segbase = f->table.base;
	di->u.rti.table_data = TABLE_AT;
	di->u.rti.table_len =
		f->table.n * sizeof(*f->table.row) / sizeof(unw_word_t);
	return true;
}

static int find_proc_info(unw_addr_space_t as, unw_word_t ip,
			  unw_proc_info_t *pi, int need_unwind_info, void *arg)
{
	struct frames *f = arg;
	uint64_t base = object_base(f->maps, ip);
	uint64_t hdr = base ? eh_frame_hdr(f, base) : 0;
	unw_dyn_info_t di = {.format = UNW_INFO_FORMAT_REMOTE_TABLE,
			     .start_ip = base,
			     .end_ip = UINT64_MAX};

	if (!own_table(f, hdr, &di) && !aid_table(f, ip, &di))
		return -UNW_ENOINFO;
	return UNW_OBJ(dwarf_search_unwind_table)(as, ip, &di, pi,
						  need_unwind_info, arg);
}

static void put_unwind_info(unw_addr_space_t as, unw_proc_info_t *pi, void *arg)
{
	(void)as;
	(void)pi;
	(void)arg;
}

static int get_dyn_info_list_addr(unw_addr_space_t as, unw_word_t *ret,
				  void *arg)
{
	(void)as;
	(void)ret;
	(void)arg;
	return -UNW_ENOINFO;
}

static int access_mem(unw_addr_space_t as, unw_word_t addr, unw_word_t *value,
		      int write, void *arg)
{
	(void)as;
	return !write && read_word(arg, addr, value) ? 0 : -UNW_EINVAL;
}

/* The registers that call frames are found with; the others are not asked for
 * by code that compilers make. */
static int access_reg(unw_addr_space_t as, unw_regnum_t reg, unw_word_t *value,
		      int write, void *arg)
{
	const struct frames *f = arg;

	(void)as;
	if (write)
		return -UNW_EREADONLYREG;
	if (reg == HT_UNWIND_PC)
		*value = f->thread->pc;
	else if (reg == HT_UNWIND_SP)
		*value = f->thread->sp;
	else if (reg == HT_UNWIND_FRAME)
		*value = f->thread->frame;
	else
		*value = 0;
	return 0;
}

static int access_fpreg(unw_addr_space_t as, unw_regnum_t reg,
			unw_fpreg_t *value, int write, void *arg)
{
	(void)as;
	(void)reg;
	(void)value;
	(void)write;
	(void)arg;
	return -UNW_EBADREG;
}

static int resume(unw_addr_space_t as, unw_cursor_t *cursor, void *arg)
{
	(void)as;
	(void)cursor;
	(void)arg;
	return -UNW_EINVAL;
}

static int get_proc_name(unw_addr_space_t as, unw_word_t ip, char *buf,
			 size_t size, unw_word_t *offset, void *arg)
{
	(void)as;
	(void)ip;
	(void)buf;
	(void)size;
	(void)offset;
	(void)arg;
	return -UNW_ENOINFO;
}

static void destroy_space(unw_addr_space_t *as)
{
	if (*as)
		unw_destroy_addr_space(*as);
}

void ht_frames_prepare(void)
{
	unw_accessors_t none = {0};
	HT_CLEANUP(destroy_space)
	unw_addr_space_t as = unw_create_addr_space(&none, 0);

	if (as)
		unw_set_caching_policy(as, UNW_CACHE_NONE);
}

/* A frame whose unwinding no information describes is guessed at; where there
 * is none, libunwind tells of a function of one byte. */
static bool is_described(unw_cursor_t *cursor)
{
	unw_proc_info_t info;

	return unw_get_proc_info(cursor, &info) == 0 &&
	       info.end_ip > info.start_ip + 1;
}

/* What a guess found on the stack, or in a register that code made at run time
 * uses for something else, is most often no code at all. */
static bool is_code(const struct ht_maps *maps, uint64_t pc)
{
	const struct ht_vma *v = ht_maps_at(maps, pc);

	return v && v->flags & HT_VMA_EXEC;
}

static bool look_at(unw_cursor_t *cursor, struct ht_call_frame *ret)
{
	static const unw_regnum_t saved[HT_SAVED_REGISTERS] = {HT_UNWIND_SAVED};
	unw_word_t pc = 0, sp = 0;

	if (unw_get_reg(cursor, UNW_REG_IP, &pc) < 0 ||
	    unw_get_reg(cursor, UNW_REG_SP, &sp) < 0)
		return false;
	ret->pc = pc;
	ret->sp = sp;
	for (unsigned i = 0; i < HT_SAVED_REGISTERS; i++) {
		unw_save_loc_t at;

		ret->saved[i] = unw_get_save_loc(cursor, saved[i], &at) == 0 &&
						at.type == UNW_SLT_MEMORY
					? at.u.addr
					: 0;
	}
	return true;
}

static bool walk(struct frames *f, unw_addr_space_t as, bool sure,
		 ht_call_frame_fn *each, void *ctx)
{
	struct ht_call_frame frame;
	bool called = false;
	unw_cursor_t cursor;
	int step;

	if (unw_init_remote(&cursor, as, f) < 0)
		return false;
	for (int i = 0; i < HT_FRAMES_LIMIT; i++) {
		bool interrupts = unw_is_signal_frame(&cursor) > 0;

		frame.called = called && !interrupts;
		called = !interrupts;
		if (!look_at(&cursor, &frame) || !is_code(f->maps, frame.pc) ||
		    !each(ctx, &frame) || (sure && !is_described(&cursor)))
			return false;
		step = unw_step(&cursor);
		if (step <= 0)
			return step == 0;
	}
	return false;
}

static bool begin_and_walk(const struct ht_thread_state *t,
			   struct ht_reader *reader, const struct ht_maps *maps,
			   const struct ht_frames_aid *aid, bool sure,
			   ht_call_frame_fn *each, void *ctx)
{
	static const unw_accessors_t accessors = {
		.find_proc_info = find_proc_info,
		.put_unwind_info = put_unwind_info,
		.get_dyn_info_list_addr = get_dyn_info_list_addr,
		.access_mem = access_mem,
		.access_reg = access_reg,
		.access_fpreg = access_fpreg,
		.resume = resume,
		.get_proc_name = get_proc_name,
	};
	unw_accessors_t own = accessors; /* libunwind keeps no pointer to it */
	HT_AUTO_FREE struct frames *f = calloc(1, sizeof(*f));
	HT_CLEANUP(destroy_space)
	unw_addr_space_t as = unw_create_addr_space(&own, 0);

	if (!as || !f)
		return false;
	f->thread = t;
	f->reader = reader;
	f->maps = maps;
	f->aid = aid;
	return walk(f, as, sure, each, ctx);
}

bool ht_frames_each(const struct ht_thread_state *t, struct ht_reader *reader,
		    const struct ht_maps *maps, const struct ht_frames_aid *aid,
		    ht_call_frame_fn *each, void *ctx)
{
	return begin_and_walk(t, reader, maps, aid, false, each, ctx);
}

bool ht_frames_surely(const struct ht_thread_state *t, struct ht_reader *reader,
		      const struct ht_maps *maps,
		      const struct ht_frames_aid *aid, ht_call_frame_fn *each,
		      void *ctx)
{
	return begin_and_walk(t, reader, maps, aid, true, each, ctx);
}
