/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/pprof.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "common/clock.h"
#include "common/demangle.h"
#include "common/line.h"

/* Fields of the messages, by profile.proto. */
enum {
	PROFILE_SAMPLE_TYPE = 1,
	PROFILE_SAMPLE = 2,
	PROFILE_MAPPING = 3,
	PROFILE_LOCATION = 4,
	PROFILE_FUNCTION = 5,
	PROFILE_STRING = 6,
	PROFILE_TIME_NS = 9,
	PROFILE_DURATION_NS = 10,
	PROFILE_COMMENT = 13,
	PROFILE_DEFAULT_TYPE = 14,
	TYPE_TYPE = 1,
	TYPE_UNIT = 2,
	SAMPLE_LOCATIONS = 1,
	SAMPLE_VALUES = 2,
	SAMPLE_LABEL = 3,
	LABEL_KEY = 1,
	LABEL_TEXT = 2,
	MAPPING_ID = 1,
	MAPPING_LIMIT = 3,
	MAPPING_FILE = 5,
	MAPPING_HAS_FUNCTIONS = 7,
	LOCATION_ID = 1,
	LOCATION_MAPPING = 2,
	LOCATION_ADDRESS = 3,
	LOCATION_LINE = 4,
	LINE_FUNCTION = 1,
	LINE_LINE = 2,
	FUNCTION_ID = 1,
	FUNCTION_NAME = 2,
	FUNCTION_SYSTEM_NAME = 3,
	FUNCTION_FILE = 4,
};

/* --- messages ------------------------------------------------------------ */

struct message {
	uint8_t *v;
	size_t n, room;
	bool failed; /* no memory */
};

static void message_fini(struct message *m)
{
	free(m->v);
}
#define AUTO_MESSAGE HT_CLEANUP(message_fini)

static void put(struct message *m, const void *bytes, size_t n)
{
	if (!m->failed && m->n + n > m->room) {
		size_t room = 2 * m->room + n + 64;
		uint8_t *more = realloc(m->v, room);

		m->failed = !more;
		if (more) {
			m->v = more;
			m->room = room;
		}
	}
	if (m->failed || n == 0)
		return;
	memcpy(m->v + m->n, bytes, n);
	m->n += n;
}

/* Seven bits a byte, the least first. */
static void put_number(struct message *m, uint64_t value)
{
	uint8_t bytes[10];
	size_t n = 0;

	do {
		bytes[n] =
			(uint8_t)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
		value >>= 7;
		n++;
	} while (value);
	put(m, bytes, n);
}

static void put_u64(struct message *m, unsigned field, uint64_t value)
{
	put_number(m, field << 3);
	put_number(m, value);
}

static void put_bytes(struct message *m, unsigned field, const void *bytes,
		      size_t n)
{
	put_number(m, field << 3 | 2);
	put_number(m, n);
	put(m, bytes, n);
}

static void put_message(struct message *m, unsigned field,
			const struct message *of)
{
	m->failed |= of->failed;
	put_bytes(m, field, of->v, of->n);
}

/* --- tables -------------------------------------------------------------- */

/* What has a number of its own by its content: texts (from 0, which is the
 * empty one), and others, by texts' numbers (from 1). */
struct numbered {
	uint64_t key[3];
	const char *text;
	uint64_t number;
};

struct numbers {
	void *root; /* of tsearch() */
	uint64_t n;
};

struct profile {
	struct message out;
	struct numbers text, mapping, function, location;
};

static void free_numbered(void *e)
{
	free((void *)(uintptr_t)((struct numbered *)e)->text);
	free(e);
}

static void profile_fini(struct profile *p)
{
	message_fini(&p->out);
	tdestroy(p->text.root, free_numbered);
	tdestroy(p->mapping.root, free_numbered);
	tdestroy(p->function.root, free_numbered);
	tdestroy(p->location.root, free_numbered);
}

static int by_content(const void *x, const void *y)
{
	const struct numbered *a = x, *b = y;

	if (a->text && b->text)
		return strcmp(a->text, b->text);
	return memcmp(a->key, b->key, sizeof(a->key));
}

/* Its number, and whether it is new; first: of the first. */
static uint64_t number_of(struct profile *p, struct numbers *t, uint64_t first,
			  const struct numbered *what, bool *ret_new)
{
	struct numbered **found = tfind(what, &t->root, by_content), *e;

	*ret_new = !found;
	if (found)
		return (*found)->number;
	e = malloc(sizeof(*e));
	if (e) {
		*e = *what;
		e->text = what->text ? strdup(what->text) : NULL;
		e->number = first + t->n;
	}
	if (!e || (what->text && !e->text) ||
	    !tsearch(e, &t->root, by_content)) {
		p->out.failed = true;
		if (e)
			free_numbered(e);
		return 0;
	}
	return first + t->n++;
}

/* protobuf wants UTF-8, and symbols may be anything. */
static uint64_t text_of(struct profile *p, const char *any)
{
	char text[512];
	const struct numbered what = {.text = text};
	uint64_t number;
	bool is_new;

	snprintf(text, sizeof(text), "%s", any);
	for (unsigned char *c = (unsigned char *)text; *c;) {
		size_t n = ht_utf8_length(c);

		if (n == 0)
			*c = '?';
		c += n ? n : 1;
	}
	number = number_of(p, &p->text, 0, &what, &is_new);

	if (is_new)
		put_bytes(&p->out, PROFILE_STRING, text, strlen(text));
	return number;
}

/* --- frames -------------------------------------------------------------- */

/* Symbols are there already, so no reader looks for the file; addresses are the
 * file's own. */
static uint64_t mapping_of(struct profile *p, const char *module)
{
	const struct numbered what = {.key = {text_of(p, module)}};
	AUTO_MESSAGE struct message m = {0};
	bool is_new;
	uint64_t number;

	if (!*module)
		return 0;
	number = number_of(p, &p->mapping, 1, &what, &is_new);
	if (!is_new)
		return number;
	put_u64(&m, MAPPING_ID, number);
	put_u64(&m, MAPPING_LIMIT, INT64_MAX);
	put_u64(&m, MAPPING_FILE, what.key[0]);
	put_u64(&m, MAPPING_HAS_FUNCTIONS, 1);
	put_message(&p->out, PROFILE_MAPPING, &m);
	return number;
}

static uint64_t function_of(struct profile *p, const struct ht_stack_frame *f)
{
	char name[HT_FRAME_TEXT];
	AUTO_MESSAGE struct message m = {0};
	struct numbered what = {.key = {text_of(p, ht_frame_name(f, name)),
					text_of(p, f->function),
					text_of(p, f->file)}};
	bool is_new;
	uint64_t number = number_of(p, &p->function, 1, &what, &is_new);

	if (!is_new)
		return number;
	put_u64(&m, FUNCTION_ID, number);
	put_u64(&m, FUNCTION_NAME, what.key[0]);
	put_u64(&m, FUNCTION_SYSTEM_NAME, what.key[*f->function ? 1 : 0]);
	put_u64(&m, FUNCTION_FILE, what.key[2]);
	put_message(&p->out, PROFILE_FUNCTION, &m);
	return number;
}

static void put_line(struct profile *p, struct message *location,
		     const struct ht_stack_frame *f)
{
	AUTO_MESSAGE struct message m = {0};

	put_u64(&m, LINE_FUNCTION, function_of(p, f));
	if (f->line != HT_UNKNOWN)
		put_u64(&m, LINE_LINE, f->line);
	put_message(location, LOCATION_LINE, &m);
}

/* One address: n frames, all but the last inlined there. */
static uint64_t location_of(struct profile *p, const struct ht_stack_frame *f,
			    size_t n)
{
	const struct numbered what = {
		.key = {mapping_of(p, f->module), f->offset}};
	AUTO_MESSAGE struct message m = {0};
	bool is_new;
	uint64_t number = number_of(p, &p->location, 1, &what, &is_new);

	if (!is_new)
		return number;
	put_u64(&m, LOCATION_ID, number);
	put_u64(&m, LOCATION_MAPPING, what.key[0]);
	put_u64(&m, LOCATION_ADDRESS, f->offset);
	for (size_t i = 0; i < n; i++)
		put_line(p, &m, &f[i]);
	put_message(&p->out, PROFILE_LOCATION, &m);
	return number;
}

/* --- samples ------------------------------------------------------------- */

static const char *const leaking_words[] = {
	[HT_LEAKING_NO] = "no",
	[HT_LEAKING_YES] = "yes",
	[HT_LEAKING_UNKNOWN] = "unknown",
};

/* By growth nobody knows what stays. */
static uint64_t or_none(uint64_t figure)
{
	return figure == HT_UNKNOWN ? 0 : figure;
}

static void put_sample(struct profile *p, const struct ht_who_told *w,
		       const struct ht_who_site *j)
{
	const struct ht_stack_frame_list *l = &w->seen->stack_frames;
	const struct ht_site *s = &w->seen->sites.v[j->site];
	const uint64_t values[] = {s->samples, s->bytes, or_none(s->alive),
				   or_none(s->alive_bytes)};
	AUTO_MESSAGE struct message m = {0}, label = {0};
	size_t n;

	for (size_t i = 0; i < l->n; i += n) {
		n = 1;
		if (l->v[i].site != j->site)
			continue;
		while (l->v[i + n - 1].inlined == 1 && i + n < l->n &&
		       l->v[i + n].site == j->site)
			n++;
		put_u64(&m, SAMPLE_LOCATIONS, location_of(p, &l->v[i], n));
	}
	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++)
		put_u64(&m, SAMPLE_VALUES, values[i]);
	put_u64(&label, LABEL_KEY, text_of(p, "leaking"));
	put_u64(&label, LABEL_TEXT, text_of(p, leaking_words[j->leaking]));
	put_message(&m, SAMPLE_LABEL, &label);
	put_message(&p->out, PROFILE_SAMPLE, &m);
}

static void put_types(struct profile *p)
{
	static const struct {
		const char *type, *unit;
	} types[] = {{"alloc_objects", "count"},
		     {"alloc_space", "bytes"},
		     {"inuse_objects", "count"},
		     {"inuse_space", "bytes"}};

	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
		AUTO_MESSAGE struct message m = {0};

		put_u64(&m, TYPE_TYPE, text_of(p, types[i].type));
		put_u64(&m, TYPE_UNIT, text_of(p, types[i].unit));
		put_message(&p->out, PROFILE_SAMPLE_TYPE, &m);
	}
	put_u64(&p->out, PROFILE_DEFAULT_TYPE, text_of(p, "inuse_space"));
}

static enum ht_code write_gzipped(const struct message *m, const char *path,
				  struct ht_err *err)
{
	gzFile f = gzopen(path, "wbe");
	size_t done = 0;
	bool ok = f != NULL;

	while (ok && done < m->n) {
		size_t some = m->n - done < 1u << 20 ? m->n - done : 1u << 20;

		ok = gzwrite(f, m->v + done, (unsigned)some) == (int)some;
		done += some;
	}
	if (f)
		ok = gzclose(f) == Z_OK && ok;
	return ok ? HT_OK
		  : ht_fail_sys(err, HT_SYS, errno ?: EIO, "write %s", path);
}

enum ht_code ht_pprof_write(const struct ht_who_told *w, const char *path,
			    struct ht_err *err)
{
	HT_CLEANUP(profile_fini) struct profile p = {0};
	const struct ht_windows *seen = w->seen->windows.v;

	text_of(&p, ""); /* the first, always */
	put_types(&p);
	for (size_t i = 0; i < w->judged->n; i++)
		put_sample(&p, w, &w->judged->v[i]);
	put_u64(&p.out, PROFILE_TIME_NS, (uint64_t)w->seen->head.taken_at);
	if (w->seen->windows.n)
		put_u64(&p.out, PROFILE_DURATION_NS,
			seen->followed_us * HT_NS_PER_US);
	put_u64(&p.out, PROFILE_COMMENT,
		text_of(&p,
			"heaptide who: sampled calls of malloc, and which of their chunks are still there"));
	if (p.out.failed)
		return ht_fail(err, HT_NOMEM, "no memory for the profile");
	return write_gzipped(&p.out, path, err);
}
