/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/libc/lines.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "agent/libc/die.h"
#include "agent/libc/elf.h"
#include "agent/libc/facts_read.h"
#include "common/cleanup.h"

#define DEPTH_MAX     24	 /* of entries in entries */
#define ORIGINS_MAX   8		 /* of entries that are instances of others */
#define ENTRIES_MAX   (8u << 20) /* of one unit */
#define FUNCTIONS_MAX (1u << 20)

/* --- what a file is ------------------------------------------------------ */

static bool has_section(const struct ht_elf *e, const char *name)
{
	GElf_Shdr h;

	return ht_elf_section(e, NULL, SHT_PROGBITS, name, &h) != NULL;
}

/* An id of the file that dwz made, behind its name. */
static void take_shared(struct ht_lines_build *b, const char *name, size_t len,
			const uint8_t *id, size_t id_len)
{
	if (len >= sizeof(b->shared) || id_len == 0 ||
	    id_len > sizeof(b->shared_id))
		return;
	memcpy(b->shared, name, len);
	b->shared_id_len = (uint32_t)id_len;
	memcpy(b->shared_id, id, id_len);
}

static const uint8_t *section_bytes(const struct ht_elf *e, const char *name,
				    size_t *ret)
{
	GElf_Shdr h;
	Elf_Scn *s = ht_elf_section(e, NULL, SHT_PROGBITS, name, &h);
	Elf_Data *d = s ? elf_getdata(s, NULL) : NULL;

	*ret = d && d->d_buf ? d->d_size : 0;
	return *ret ? d->d_buf : NULL;
}

/* GNU's: a name, an id. */
static void read_altlink(const struct ht_elf *e, struct ht_lines_build *b)
{
	size_t size, len;
	const uint8_t *v = section_bytes(e, ".gnu_debugaltlink", &size);
	const uint8_t *end = v ? memchr(v, 0, size) : NULL;

	if (!end)
		return;
	len = (size_t)(end - v);
	take_shared(b, (const char *)v, len, end + 1, size - len - 1);
}

/* DWARF 5's (7.3.6): a version, whether it is the shared one, a name, an id
 * behind its length (less than 128: one byte). The shared file has its own
 * here, not in a note. */
static void read_sup(const struct ht_elf *e, struct ht_lines_build *b)
{
	size_t size, left;
	const uint8_t *v = section_bytes(e, ".debug_sup", &size);
	const uint8_t *end = size > 3 ? memchr(v + 3, 0, size - 3) : NULL;

	if (!end || end + 1 >= v + size || v[0] != 5 || v[1] != 0)
		return;
	left = (size_t)(v + size - (end + 2));
	if (end[1] > left || end[1] == 0 || end[1] > sizeof(b->id))
		return;
	if (v[2] == 0) {
		take_shared(b, (const char *)v + 3, (size_t)(end - v - 3),
			    end + 2, end[1]);
		return;
	}
	b->id_len = end[1];
	memcpy(b->id, end + 2, end[1]);
}

void ht_lines_look(int fd, bool sum, struct ht_lines_build *ret)
{
	HT_AUTO_FREE struct ht_facts *f = calloc(1, sizeof(*f));
	HT_AUTO_ELF struct ht_elf e = {0};

	memset(ret, 0, sizeof(*ret));
	if (!f || ht_elf_open(fd, &e, NULL) != HT_OK)
		return;
	ht_facts_build(&e, f);
	ret->id_len = f->build_id_len;
	memcpy(ret->id, f->build_id, f->build_id_len);
	memcpy(ret->debuglink, f->debuglink, sizeof(ret->debuglink));
	ret->link_sum = f->debuglink_crc;
	ret->described = has_section(&e, ".debug_info") ||
			 has_section(&e, ".zdebug_info");
	read_altlink(&e, ret);
	read_sup(&e, ret);
	if (sum)
		ret->sum = (uint32_t)crc32_z(0, e.raw, e.size);
}

/* --- a unit -------------------------------------------------------------- */

struct function {
	uint64_t low, high;
	uint64_t die; /* its offset */
};

struct unit {
	Dwarf_Debug dbg, shared; /* NULL: there is none */
	Dwarf_Die die;
	uint64_t base;
	uint64_t adding; /* of add_range: the entry */
	struct function *function;
	size_t n, room;
	unsigned entries;	    /* seen so far */
	Dwarf_Line_Context context; /* NULL: no line table */
	Dwarf_Line *line;
	Dwarf_Signed lines;
	uint64_t line_version;
};

static void add_range(void *ctx, uint64_t low, uint64_t high)
{
	struct unit *u = ctx;
	struct function *more;

	if (low >= high)
		return;
	if (u->n == u->room) {
		size_t room = u->room ? 2 * u->room : 256;

		more = room <= FUNCTIONS_MAX
			       ? reallocarray(u->function, room, sizeof(*more))
			       : NULL;
		if (!more)
			return;
		u->function = more;
		u->room = room;
	}
	u->function[u->n++] = (struct function){low, high, u->adding};
}

/* All that have code, wherever they stand: in namespaces, classes, in one
 * another. */
static void collect(struct unit *u, Dwarf_Die of, unsigned depth)
{
	if (depth == DEPTH_MAX)
		return;
	for (Dwarf_Die d = ht_die_child(u->dbg, of); d;
	     d = ht_die_next(u->dbg, d)) {
		if (++u->entries > ENTRIES_MAX) {
			ht_die_free(u->dbg, d);
			return;
		}
		if (ht_die_tag(u->dbg, d) == DW_TAG_subprogram) {
			u->adding = ht_die_offset(u->dbg, d);
			ht_die_ranges(u->dbg, d, u->base, add_range, u);
		}
		collect(u, d, depth + 1);
	}
}

static void open_lines(struct unit *u)
{
	Dwarf_Unsigned version;
	Dwarf_Small tables;
	Dwarf_Error e = NULL;

	u->context = NULL;
	u->lines = 0;
	if (!ht_die_fine(u->dbg,
			 dwarf_srclines_b(u->die, &version, &tables,
					  &u->context, &e),
			 e)) {
		u->context = NULL;
		return;
	}
	u->line_version = version;
	e = NULL;
	if (!ht_die_fine(u->dbg,
			 dwarf_srclines_from_linecontext(u->context, &u->line,
							 &u->lines, &e),
			 e))
		u->lines = 0;
}

static uint64_t address_of(struct unit *u, Dwarf_Signed i)
{
	Dwarf_Addr address = 0;
	Dwarf_Error e = NULL;

	return ht_die_fine(u->dbg, dwarf_lineaddr(u->line[i], &address, &e), e)
		       ? address
		       : 0;
}

static bool ends_there(struct unit *u, Dwarf_Signed i)
{
	Dwarf_Bool ends = 0;
	Dwarf_Error e = NULL;

	return !ht_die_fine(u->dbg,
			    dwarf_lineendsequence(u->line[i], &ends, &e), e) ||
	       ends;
}

/* --- an address ---------------------------------------------------------- */

/* The smallest that holds the address: one may stand in another. */
static Dwarf_Die function_at(const struct unit *u, uint64_t address)
{
	const struct function *best = NULL;

	for (size_t i = 0; i < u->n; i++) {
		const struct function *f = &u->function[i];

		if (address >= f->low && address < f->high &&
		    (!best || f->high - f->low < best->high - best->low))
			best = f;
	}
	return best ? ht_die_at(u->dbg, best->die) : NULL;
}

struct holding {
	uint64_t address;
	bool holds;
};

static void look_in(void *ctx, uint64_t low, uint64_t high)
{
	struct holding *h = ctx;

	h->holds |= h->address >= low && h->address < high;
}

static bool holds(const struct unit *u, Dwarf_Die die, uint64_t address)
{
	struct holding h = {.address = address};

	ht_die_ranges(u->dbg, die, u->base, look_in, &h);
	return h.holds;
}

/* What was inlined at an address, in an entry: through blocks. */
static Dwarf_Die inlined_at(const struct unit *u, Dwarf_Die of,
			    uint64_t address, unsigned depth)
{
	for (Dwarf_Die d = depth < DEPTH_MAX ? ht_die_child(u->dbg, of) : NULL;
	     d; d = ht_die_next(u->dbg, d)) {
		unsigned tag = ht_die_tag(u->dbg, d);
		Dwarf_Die in;

		if ((tag != DW_TAG_inlined_subroutine &&
		     tag != DW_TAG_lexical_block && tag != DW_TAG_try_block &&
		     tag != DW_TAG_catch_block) ||
		    !holds(u, d, address))
			continue;
		if (tag == DW_TAG_inlined_subroutine)
			return d;
		in = inlined_at(u, d, address, depth + 1);
		ht_die_free(u->dbg, d);
		return in;
	}
	return NULL;
}

/* In the entry, or in what it is an instance of; dbg: of the file that it is
 * in. false: it is not told. */
static bool name(struct ht_source *s, const struct unit *u, Dwarf_Debug dbg,
		 Dwarf_Die die, unsigned depth)
{
	static const unsigned names[] = {DW_AT_linkage_name,
					 DW_AT_MIPS_linkage_name},
			      origins[] = {DW_AT_abstract_origin,
					   DW_AT_specification};
	const char *text = NULL;

	for (size_t i = 0; i < 2 && !text; i++)
		text = ht_die_text(dbg, u->shared, die, names[i]);
	for (size_t i = 0; i < 2 && !text && depth < ORIGINS_MAX; i++) {
		Dwarf_Debug in = NULL;
		Dwarf_Die of =
			ht_die_follow(dbg, u->shared, die, origins[i], &in);
		bool found = of && name(s, u, in, of, depth + 1);

		ht_die_free(in, of);
		if (found)
			return true;
	}
	if (!text)
		text = ht_die_text(dbg, u->shared, die, DW_AT_name);
	snprintf(s->function, sizeof(s->function), "%s", text ? text : "");
	return text != NULL;
}

/* "" where it is not told. */
static const char *folder_of(struct unit *u, Dwarf_Unsigned index)
{
	const char *text = NULL;
	Dwarf_Error e = NULL;

	return index <= INT32_MAX &&
			       ht_die_fine(u->dbg,
					   dwarf_srclines_include_dir_data(
						   u->context,
						   (Dwarf_Signed)index, &text,
						   &e),
					   e) &&
			       text
		       ? text
		       : "";
}

/* The end of a long path says more. */
static void put_path(struct ht_source *s, const char *folder, const char *file)
{
	char path[2 * PATH_MAX];
	size_t len;

	snprintf(path, sizeof(path), "%s%s%s", *file == '/' ? "" : folder,
		 *file == '/' || !*folder ? "" : "/", file);
	len = strlen(path);
	snprintf(s->file, sizeof(s->file), "%s",
		 path + (len >= sizeof(s->file) ? len - sizeof(s->file) + 1
						: 0));
}

/* A file by its number in the line table. */
static void place(struct unit *u, struct ht_source *s, uint64_t file,
		  uint64_t line)
{
	Dwarf_Unsigned folder = 0, time = 0, length = 0;
	Dwarf_Form_Data16 *md5 = NULL;
	const char *text = NULL;
	Dwarf_Error e = NULL;

	s->file[0] = '\0';
	s->line = HT_UNKNOWN;
	if (!u->context || line == 0 || file > INT32_MAX ||
	    !ht_die_fine(u->dbg,
			 dwarf_srclines_files_data_b(
				 u->context, (Dwarf_Signed)file, &text, &folder,
				 &time, &length, &md5, &e),
			 e) ||
	    !text || !*text)
		return;
	put_path(s, folder_of(u, folder), text);
	s->line = line;
}

#ifdef DW_LIBDWARF_VERSION_MAJOR
static uint64_t true_file(struct unit *u, uint64_t file)
{
	(void)u;
	return file;
}
#else
/* The releases by date begin a line program of DWARF 5 with file 0, where the
 * standard says 1 (6.2.2): a row that says 0 may mean either. gas sets 0 never,
 * clang always; of others it is not known. */
static uint64_t true_file(struct unit *u, uint64_t file)
{
	const char *producer;

	if (file != 0 || u->line_version < 5)
		return file;
	producer = ht_die_text(u->dbg, u->shared, u->die, DW_AT_producer);
	if (producer && strncmp(producer, "GNU ", 4) == 0)
		return 1;
	return producer && strstr(producer, "clang") ? 0 : UINT64_MAX;
}
#endif

/* The row of the line table that holds an address. */
static void place_of_address(struct unit *u, struct ht_source *s,
			     uint64_t address)
{
	Dwarf_Unsigned file = 0, line = 0;
	Dwarf_Error e = NULL;

	s->line = HT_UNKNOWN;
	for (Dwarf_Signed i = 0; i + 1 < u->lines; i++) {
		if (address < address_of(u, i) ||
		    address >= address_of(u, i + 1) || ends_there(u, i))
			continue;
		if (ht_die_fine(u->dbg,
				dwarf_line_srcfileno(u->line[i], &file, &e),
				e) &&
		    ht_die_fine(u->dbg, dwarf_lineno(u->line[i], &line, &e), e))
			place(u, s, true_file(u, file), line);
		return;
	}
}

/* From where what is inlined is called. */
static void place_of_call(struct unit *u, struct ht_source *s,
			  Dwarf_Die inlined)
{
	uint64_t file = 0, line = 0;

	if (!ht_die_number(u->dbg, inlined, DW_AT_call_file, &file) ||
	    !ht_die_number(u->dbg, inlined, DW_AT_call_line, &line))
		line = 0;
	place(u, s, file, line);
}

static bool tell(struct unit *u, uint32_t index, uint64_t address,
		 ht_lines_fn fn, void *ctx)
{
	struct ht_source s = {.index = index};
	Dwarf_Die chain[HT_LINES_INLINED_MAX];
	bool go_on = true;
	unsigned n = 1;

	place_of_address(u, &s, address);
	chain[0] = function_at(u, address);
	if (!chain[0])
		return s.line == HT_UNKNOWN || fn(ctx, &s);
	while (n < HT_LINES_INLINED_MAX &&
	       (chain[n] = inlined_at(u, chain[n - 1], address, 0)))
		n++;
	while (n-- > 0) {
		s.inlined = n > 0;
		name(&s, u, u->dbg, chain[n], 0);
		go_on = go_on && fn(ctx, &s);
		if (n > 0)
			place_of_call(u, &s, chain[n]);
		ht_die_free(u->dbg, chain[n]);
	}
	return go_on;
}

/* --- units --------------------------------------------------------------- */

struct asked {
	const uint64_t *address;
	uint32_t n;
	bool *in; /* of each: the unit at hand has it */
	bool any;
};

static void mark(void *ctx, uint64_t low, uint64_t high)
{
	struct asked *a = ctx;

	for (uint32_t i = 0; i < a->n; i++)
		if (a->address[i] >= low && a->address[i] < high)
			a->any = a->in[i] = true;
}

static bool tell_unit(struct unit *u, const struct asked *a, ht_lines_fn fn,
		      void *ctx)
{
	bool go_on = true;

	u->n = u->entries = 0;
	collect(u, u->die, 0);
	open_lines(u);
	for (uint32_t i = 0; i < a->n && go_on; i++)
		if (a->in[i])
			go_on = tell(u, i, a->address[i], fn, ctx);
	if (u->context)
		dwarf_srclines_dealloc_b(u->context);
	return go_on;
}

/* The next unit's entry; false: there are no more. */
static bool next_unit(struct unit *u)
{
	Dwarf_Unsigned length, typeoffset, next;
	Dwarf_Half version, address, offset, extension, type;
	Dwarf_Off abbreviations;
	Dwarf_Sig8 signature;
	Dwarf_Addr low = 0;
	Dwarf_Error e = NULL;

	if (!ht_die_fine(u->dbg,
			 dwarf_next_cu_header_d(u->dbg, 1, &length, &version,
						&abbreviations, &address,
						&offset, &extension, &signature,
						&typeoffset, &next, &type, &e),
			 e))
		return false;
	e = NULL;
	u->die = NULL;
	if (!ht_die_fine(u->dbg,
			 dwarf_siblingof_b(u->dbg, NULL, 1, &u->die, &e), e))
		return false;
	e = NULL;
	u->base =
		ht_die_fine(u->dbg, dwarf_lowpc(u->die, &low, &e), e) ? low : 0;
	return true;
}

/* All units are looked at: not every compiler writes a table of which addresses
 * are whose. */
enum ht_code ht_lines_find(int fd, int shared, const uint64_t *address,
			   uint32_t n, ht_lines_fn fn, void *ctx,
			   struct ht_err *err)
{
	HT_AUTO_FREE bool *in = calloc(n ? n : 1, sizeof(*in));
	struct unit u = {.dbg = ht_die_open(fd)};
	struct asked a = {.address = address, .n = n, .in = in};
	bool go_on = in != NULL;

	if (!u.dbg)
		return ht_fail(err, HT_UNSUPPORTED, "no debug information");
	u.shared = shared >= 0 ? ht_die_open(shared) : NULL;
	while (go_on && next_unit(&u)) {
		a.any = false;
		memset(in, 0, n * sizeof(*in));
		ht_die_ranges(u.dbg, u.die, u.base, mark, &a);
		if (a.any)
			go_on = tell_unit(&u, &a, fn, ctx);
		ht_die_free(u.dbg, u.die);
	}
	free(u.function);
	ht_die_close(u.dbg);
	if (u.shared)
		ht_die_close(u.shared);
	return HT_OK;
}
