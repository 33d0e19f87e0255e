/* SPDX-License-Identifier: Apache-2.0 */
#include "link/wire.h"

#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "link/probe.h"

/* --- fields to bytes and back -------------------------------------------- */

/* A bounded cursor; `bad` sticks. */
struct cursor {
	uint8_t *at, *end;
	bool bad;
};

static void put(struct cursor *c, const void *bytes, size_t n)
{
	if (c->bad || (size_t)(c->end - c->at) < n) {
		c->bad = true;
		return;
	}
	memcpy(c->at, bytes, n);
	c->at += n;
}

static void get(struct cursor *c, void *bytes, size_t n)
{
	if (c->bad || (size_t)(c->end - c->at) < n) {
		c->bad = true;
		memset(bytes, 0, n);
		return;
	}
	memcpy(bytes, c->at, n);
	c->at += n;
}

static void put_u64(struct cursor *c, uint64_t v)
{
	v = htole64(v);
	put(c, &v, sizeof(v));
}

static uint64_t get_u64(struct cursor *c)
{
	uint64_t v;

	get(c, &v, sizeof(v));
	return le64toh(v);
}

static void put_text(struct cursor *c, const char *text, size_t size)
{
	uint16_t n = (uint16_t)strnlen(text, size - 1);
	uint16_t wire = htole16(n);

	put(c, &wire, sizeof(wire));
	put(c, text, n);
}

/* Control characters become '?': text ends up on terminals and in logs. */
static void get_text(struct cursor *c, char *text, size_t size)
{
	uint16_t n;

	get(c, &n, sizeof(n));
	n = le16toh(n);
	if (c->bad || n >= size) {
		c->bad = true;
		return;
	}
	get(c, text, n);
	text[n] = '\0';
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			text[i] = '?';
}

static void put_field(struct cursor *c, const struct ht_field *f,
		      const char *record)
{
	uint64_t bits;

	if (f->type == HT_T_TEXT) {
		put_text(c, record + f->offset, f->size);
		return;
	}
	memcpy(&bits, record + f->offset, sizeof(bits));
	put_u64(c, bits);
}

static void get_field(struct cursor *c, const struct ht_field *f, char *record)
{
	uint64_t bits;

	if (f->type == HT_T_TEXT) {
		get_text(c, record + f->offset, f->size);
		return;
	}
	bits = get_u64(c);
	if (bits != HT_UNKNOWN &&
	    ((f->type == HT_T_ENUM && bits >= f->names_count) ||
	     (f->type == HT_T_BOOL && bits > 1)))
		c->bad = true;
	else
		memcpy(record + f->offset, &bits, sizeof(bits));
}

/* --- sending ------------------------------------------------------------- */

struct frame {
	uint8_t bytes[HT_WIRE_HEADER + 8192]; /* the largest record fits */
	struct cursor c;
};

static void frame_begin(struct frame *f, uint16_t type)
{
	const uint32_t magic = htole32(HT_WIRE_MAGIC);
	const uint16_t version = htole16(HT_WIRE_VERSION);

	type = htole16(type);
	memcpy(f->bytes, &magic, 4);
	memcpy(f->bytes + 4, &version, 2);
	memcpy(f->bytes + 6, &type, 2);
	f->c = (struct cursor){f->bytes + HT_WIRE_HEADER,
			       f->bytes + sizeof(f->bytes), false};
}

static size_t frame_end(struct frame *f)
{
	size_t total = (size_t)(f->c.at - f->bytes);
	uint32_t length = htole32((uint32_t)(total - HT_WIRE_HEADER));

	memcpy(f->bytes + 8, &length, 4);
	return total;
}

static enum ht_code send_all(int fd, const void *bytes, size_t n,
			     struct ht_err *err)
{
	const uint8_t *at = bytes;

	while (n > 0) {
		ssize_t sent = send(fd, at, n, MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			return ht_fail_sys(err,
					   errno == EPIPE ? HT_GONE : HT_SYS,
					   errno, "send %zu bytes", n);
		at += sent;
		n -= (size_t)sent;
	}
	return HT_OK;
}

static enum ht_code frame_send(struct frame *f, int fd, struct ht_err *err)
{
	size_t n = frame_end(f);

	if (f->c.bad)
		return ht_fail(err, HT_BUG, "a record is larger than a frame");
	return send_all(fd, f->bytes, n, err);
}

enum ht_code ht_wire_send_request(int fd, const struct ht_request *r,
				  struct ht_err *err)
{
	struct frame f;

	frame_begin(&f, HT_FRAME_REQUEST);
	put_u64(&f.c, r->mode);
	put_u64(&f.c, r->max_pause_us);
	put_u64(&f.c, r->timeout_ms);
	put_u64(&f.c, r->flags);
	put_u64(&f.c, r->attempts);
	put_u64(&f.c, r->size);
	put_u64(&f.c, r->memory_max);
	put_u64(&f.c, r->max_hold_us);
	put_u64(&f.c, r->window_us);
	put_u64(&f.c, r->window_hits);
	put_u64(&f.c, r->slice_max);
	put_u64(&f.c, r->chunks_max);
	return frame_send(&f, fd, err);
}

enum ht_code ht_wire_send_progress(int fd, uint64_t done, uint64_t total,
				   struct ht_err *err)
{
	struct frame f;

	frame_begin(&f, HT_FRAME_PROGRESS);
	put_u64(&f.c, done);
	put_u64(&f.c, total);
	return frame_send(&f, fd, err);
}

enum ht_code ht_wire_send_error(int fd, const struct ht_err *e,
				struct ht_err *err)
{
	struct frame f;

	frame_begin(&f, HT_FRAME_ERROR);
	put_u64(&f.c, e->code | (uint64_t)e->hint << 32);
	put_u64(&f.c, (uint64_t)(int64_t)e->os_errno);
	put_u64(&f.c, e->addr);
	put_text(&f.c, e->msg, sizeof(e->msg));
	return frame_send(&f, fd, err);
}

/* The numbers of struct ht_trim, in the order of the wire. */
static const size_t trim_numbers[] = {
#define NUMBER(member) offsetof(struct ht_trim, member)
	NUMBER(bytes),	      NUMBER(machine_bytes), NUMBER(hold_us),
	NUMBER(call_us),      NUMBER(cost.chunk_ns), NUMBER(cost.advise_ns),
	NUMBER(cost.page_ns), NUMBER(refusal),	     NUMBER(done),
	NUMBER(thread),	      NUMBER(stopped_us),    NUMBER(took_us),
	NUMBER(rss_before),   NUMBER(rss_after),
#undef NUMBER
};
#define TRIM_NUMBERS (sizeof(trim_numbers) / sizeof(trim_numbers[0]))

enum ht_code ht_wire_send_trim(int fd, const struct ht_trim *t,
			       struct ht_err *err)
{
	struct frame f;

	frame_begin(&f, HT_FRAME_TRIM);
	for (size_t i = 0; i < TRIM_NUMBERS; i++) {
		uint64_t v;

		memcpy(&v, (const char *)t + trim_numbers[i], sizeof(v));
		put_u64(&f.c, v);
	}
	put_text(&f.c, t->why, sizeof(t->why));
	return frame_send(&f, fd, err);
}

/* Small frames gather in a buffer: a snapshot of many bins is some hundred
 * rows, not some hundred system calls. */
struct gather {
	int fd;
	size_t used;
	uint8_t buf[HT_WIRE_PAYLOAD_MAX];
};

static enum ht_code gather_frame(struct gather *g, struct frame *f,
				 struct ht_err *err)
{
	size_t n = frame_end(f);
	enum ht_code code;

	if (f->c.bad)
		return ht_fail(err, HT_BUG, "a record is larger than a frame");
	if (g->used + n > sizeof(g->buf)) {
		code = send_all(g->fd, g->buf, g->used, err);
		if (code != HT_OK)
			return code;
		g->used = 0;
	}
	memcpy(g->buf + g->used, f->bytes, n);
	g->used += n;
	return HT_OK;
}

static enum ht_code gather_record(struct gather *g, struct ht_snapshot *s,
				  enum ht_record_id id, uint64_t *frames,
				  struct ht_err *err)
{
	const struct ht_record_type *type = &ht_record_types[id];
	size_t rows = ht_snapshot_count(s, id);
	struct frame f;

	for (size_t row = 0; row < rows; row++) {
		const char *record = ht_snapshot_row(s, id, row);
		enum ht_code code;

		frame_begin(&f, (uint16_t)(HT_FRAME_RECORD + id));
		for (size_t i = 0; i < type->fields_count; i++)
			put_field(&f.c, &type->fields[i], record);
		code = gather_frame(g, &f, err);
		if (code != HT_OK)
			return code;
		++*frames;
	}
	return HT_OK;
}

enum ht_code ht_wire_send_snapshot(int fd, const struct ht_snapshot *s,
				   struct ht_err *err)
{
	/* Row access is shared with writers, hence not const; nothing is
	 * changed. */
	struct ht_snapshot *rows = (struct ht_snapshot *)(uintptr_t)s;
	struct gather g = {.fd = fd};
	uint64_t frames = 0;
	struct frame end;

	for (enum ht_record_id id = 0; id < HT_RECORD_COUNT; id++) {
		enum ht_code code = gather_record(&g, rows, id, &frames, err);

		if (code != HT_OK)
			return code;
	}
	frame_begin(&end, HT_FRAME_END);
	put_u64(&end.c, frames);
	enum ht_code code = gather_frame(&g, &end, err);
	if (code != HT_OK)
		return code;
	return send_all(fd, g.buf, g.used, err);
}

/* --- receiving ----------------------------------------------------------- */

void ht_wire_in_init(struct ht_wire_in *in, struct ht_snapshot *into)
{
	memset(in, 0, sizeof(*in));
	in->into = into;
	ht_trim_init(&in->trim);
}

void ht_wire_in_fini(struct ht_wire_in *in)
{
	free(in->buf);
	memset(in, 0, sizeof(*in));
}

static enum ht_code take_record(struct ht_wire_in *in, enum ht_record_id id,
				struct cursor *c, struct ht_err *err)
{
	const struct ht_record_type *type = &ht_record_types[id];
	char *record;

	if (!in->into)
		return ht_fail(err, HT_PROTOCOL, "a record nobody asked for");
	if (ht_record_is_list(id)) {
		in->memory += type->size;
		if (in->memory > HT_WIRE_MEMORY_MAX)
			return ht_fail(err, HT_PROTOCOL,
				       "an answer of more than %u MiB",
				       HT_WIRE_MEMORY_MAX >> 20);
		record = ht_snapshot_add(in->into, id);
	} else {
		record = ht_snapshot_single(in->into, id);
	}
	if (!record)
		return ht_fail(err, HT_NOMEM, "no memory for a %s row",
			       type->name);
	for (size_t i = 0; i < type->fields_count && !c->bad; i++) {
		get_field(c, &type->fields[i], record);
		if (c->bad)
			return ht_fail(err, HT_PROTOCOL, "bad field %s.%s",
				       type->name, type->fields[i].name);
	}
	in->frames++;
	return HT_OK;
}

static void take_error(struct ht_wire_in *in, struct cursor *c)
{
	uint64_t both = get_u64(c), code = both & UINT32_MAX, hint = both >> 32;
	uint64_t os_errno = get_u64(c);

	in->remote.code =
		(uint16_t)(code > 0 && code < HT_CODE_COUNT ? code : HT_BUG);
	in->remote.hint =
		(uint16_t)(hint < HT_HINT_COUNT ? hint : HT_HINT_CODE);
	in->remote.os_errno = (int32_t)os_errno;
	in->remote.addr = get_u64(c);
	get_text(c, in->remote.msg, sizeof(in->remote.msg));
	in->state = HT_WIRE_ERROR;
}

static void take_trim(struct ht_wire_in *in, struct cursor *c)
{
	for (size_t i = 0; i < TRIM_NUMBERS; i++) {
		uint64_t v = get_u64(c);

		memcpy((char *)&in->trim + trim_numbers[i], &v, sizeof(v));
	}
	get_text(c, in->trim.why, sizeof(in->trim.why));
	c->bad |= in->has_trim || in->trim.done > 1 ||
		  in->trim.refusal >= HT_TRIM_REFUSAL_COUNT;
	in->has_trim = true;
}

static enum ht_code take_frame(struct ht_wire_in *in, uint16_t type,
			       struct cursor *c, struct ht_err *err)
{
	enum ht_code code = HT_OK;

	if (in->state != HT_WIRE_OPEN)
		return ht_fail(err, HT_PROTOCOL, "frame %u after the end",
			       type);
	if (type >= HT_FRAME_RECORD &&
	    type < HT_FRAME_RECORD + HT_RECORD_COUNT) {
		code = take_record(in,
				   (enum ht_record_id)(type - HT_FRAME_RECORD),
				   c, err);
	} else if (type == HT_FRAME_PROGRESS) {
		in->progress_done = get_u64(c);
		in->progress_total = get_u64(c);
	} else if (type == HT_FRAME_TRIM) {
		take_trim(in, c);
	} else if (type == HT_FRAME_ERROR) {
		take_error(in, c);
	} else if (type == HT_FRAME_END) {
		uint64_t frames = get_u64(c);

		if (!c->bad && frames != in->frames)
			return ht_fail(err, HT_PROTOCOL,
				       "%" PRIu64 " records announced, %" PRIu64
				       " came",
				       frames, in->frames);
		in->state = HT_WIRE_SNAPSHOT;
	} else {
		return ht_fail(err, HT_PROTOCOL, "unknown frame type %u", type);
	}
	if (code == HT_OK && (c->bad || c->at != c->end))
		return ht_fail(err, HT_PROTOCOL,
			       "frame type %u has a wrong length", type);
	return code;
}

/* Length of the whole frame at the buffer's start; 0: header not here yet. */
static enum ht_code frame_length(const uint8_t *bytes, size_t n, size_t *ret,
				 uint16_t *ret_type, struct ht_err *err)
{
	uint32_t magic, length;
	uint16_t version, type;

	*ret = 0;
	if (n < HT_WIRE_HEADER)
		return HT_OK;
	memcpy(&magic, bytes, 4);
	memcpy(&version, bytes + 4, 2);
	memcpy(&type, bytes + 6, 2);
	memcpy(&length, bytes + 8, 4);
	if (le32toh(magic) != HT_WIRE_MAGIC)
		return ht_fail(err, HT_PROTOCOL,
			       "not a heaptide agent: magic %#x",
			       le32toh(magic));
	if (le16toh(version) != HT_WIRE_VERSION)
		return ht_fail(err, HT_PROTOCOL,
			       "the agent speaks version %u, this program %u",
			       le16toh(version), HT_WIRE_VERSION);
	if (le32toh(length) > HT_WIRE_PAYLOAD_MAX)
		return ht_fail(err, HT_PROTOCOL, "frame of %u bytes",
			       le32toh(length));
	*ret = HT_WIRE_HEADER + le32toh(length);
	*ret_type = le16toh(type);
	return HT_OK;
}

static enum ht_code keep(struct ht_wire_in *in, const void *bytes, size_t n,
			 struct ht_err *err)
{
	if (in->used + n > in->capacity) {
		size_t capacity = (in->used + n) * 2;
		void *grown = realloc(in->buf, capacity);

		if (!grown)
			return ht_fail(err, HT_NOMEM,
				       "no memory for the answer");
		in->buf = grown;
		in->capacity = capacity;
	}
	memcpy(in->buf + in->used, bytes, n);
	in->used += n;
	return HT_OK;
}

/* Whole frames at the start of n bytes; *ret: how many bytes they were. */
static enum ht_code take_frames(struct ht_wire_in *in, const uint8_t *bytes,
				size_t n, size_t *ret, struct ht_err *err)
{
	enum ht_code code = HT_OK;

	*ret = 0;
	while (code == HT_OK) {
		const uint8_t *at = bytes + *ret;
		size_t length;
		uint16_t type = 0;
		struct cursor c;

		code = frame_length(at, n - *ret, &length, &type, err);
		if (code != HT_OK || length == 0 || n - *ret < length)
			break;
		/* read only: a cursor is for both ways */
		c = (struct cursor){(uint8_t *)(uintptr_t)at + HT_WIRE_HEADER,
				    (uint8_t *)(uintptr_t)at + length, false};
		code = take_frame(in, type, &c, err);
		*ret += length;
	}
	return code;
}

/* Only what is no whole frame yet is kept. */
enum ht_code ht_wire_in_feed(struct ht_wire_in *in, const void *bytes, size_t n,
			     struct ht_err *err)
{
	size_t done;
	enum ht_code code;

	if (in->used == 0) {
		code = take_frames(in, bytes, n, &done, err);
		if (code == HT_OK && done < n)
			code = keep(in, (const uint8_t *)bytes + done, n - done,
				    err);
		return code;
	}
	code = keep(in, bytes, n, err);
	if (code != HT_OK)
		return code;
	code = take_frames(in, in->buf, in->used, &done, err);
	memmove(in->buf, in->buf + done, in->used - done);
	in->used -= done;
	return code;
}

static enum ht_code receive_all(int fd, void *bytes, size_t n,
				struct ht_err *err)
{
	uint8_t *at = bytes;

	while (n > 0) {
		ssize_t got = recv(fd, at, n, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return ht_fail_sys(
				err, errno == ECONNRESET ? HT_GONE : HT_SYS,
				errno, "receive %zu bytes", n);
		if (got == 0)
			return ht_fail(err, HT_GONE,
				       "the parent closed the socket");
		at += got;
		n -= (size_t)got;
	}
	return HT_OK;
}

#define REQUEST_FIELDS 12

enum ht_code ht_wire_receive_request(int fd, struct ht_request *ret,
				     struct ht_err *err)
{
	uint8_t bytes[HT_WIRE_HEADER + REQUEST_FIELDS * 8];
	struct cursor c = {bytes + HT_WIRE_HEADER, bytes + sizeof(bytes),
			   false};
	size_t length;
	uint16_t type = 0;
	enum ht_code code = receive_all(fd, bytes, HT_WIRE_HEADER, err);

	if (code != HT_OK)
		return code;
	code = frame_length(bytes, HT_WIRE_HEADER, &length, &type, err);
	if (code != HT_OK)
		return code;
	if (type != HT_FRAME_REQUEST || length != sizeof(bytes))
		return ht_fail(err, HT_PROTOCOL,
			       "expected a request, got type %u", type);
	code = receive_all(fd, bytes + HT_WIRE_HEADER, REQUEST_FIELDS * 8, err);
	if (code != HT_OK)
		return code;
	ret->mode = get_u64(&c);
	ret->max_pause_us = get_u64(&c);
	ret->timeout_ms = get_u64(&c);
	ret->flags = get_u64(&c);
	ret->attempts = get_u64(&c);
	ret->size = get_u64(&c);
	ret->memory_max = get_u64(&c);
	ret->max_hold_us = get_u64(&c);
	ret->window_us = get_u64(&c);
	ret->window_hits = get_u64(&c);
	ret->slice_max = get_u64(&c);
	ret->chunks_max = get_u64(&c);
	if (ret->mode >= HT_MODE_COUNT || ret->max_pause_us > 60000000 ||
	    ret->timeout_ms > 3600000 || ret->attempts > 100000 ||
	    ret->max_hold_us > 3600000000u ||
	    ret->window_us > HT_PROBE_WINDOW_MAX_US ||
	    ret->window_hits > HT_PROBE_HITS_MAX)
		return ht_fail(err, HT_PROTOCOL, "a request out of range");
	return HT_OK;
}
