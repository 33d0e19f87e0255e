/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Wire: frames between an agent and its parent, over a stream socket.
 *
 * offset size  frame header, little endian
 *      0    4  magic "HTf1"
 *      4    2  version, HT_WIRE_VERSION
 *      6    2  type, enum ht_frame
 *      8    4  payload length, at most HT_WIRE_PAYLOAD_MAX
 *
 * Record payloads are the record's fields in their list's order: 8 bytes each,
 * TEXT as a 2-byte length and that many bytes. There is no frame for bytes of a
 * target's memory, so none can be sent. The receiver believes nothing: exact
 * lengths, known types, counts within limits, text without control characters.
 */
#ifndef HT_LINK_WIRE_H
#define HT_LINK_WIRE_H

#include <stdbool.h>

#include "common/err.h"
#include "link/request.h"
#include "link/trim.h"
#include "schema/snapshot.h"

#define HT_WIRE_MAGIC	    0x31665448u /* "HTf1" */
#define HT_WIRE_VERSION	    6
#define HT_WIRE_HEADER	    12
#define HT_WIRE_PAYLOAD_MAX 65536u
/* What one answer may take of our memory: 4000 arenas with all their bins. */
#define HT_WIRE_MEMORY_MAX (64u << 20)

enum ht_frame {
	HT_FRAME_REQUEST = 1, /* parent to agent: struct ht_request */
	HT_FRAME_PROGRESS,    /* agent: two u64, done and total bytes */
	HT_FRAME_ERROR,	      /* agent: struct ht_err; ends the answer */
	HT_FRAME_END,	      /* agent: number of record frames sent before */
	HT_FRAME_TRIM,	      /* agent: struct ht_trim, before the records */
	HT_FRAME_RECORD = 64, /* + enum ht_record_id */
};

/* Receives bytes in any portions; never blocks, never trusts. */
struct ht_wire_in {
	uint8_t *buf;
	size_t used, capacity;
	uint64_t frames;
	uint64_t memory; /* of the rows so far */
	uint64_t progress_done, progress_total;
	enum { HT_WIRE_OPEN, HT_WIRE_SNAPSHOT, HT_WIRE_ERROR } state;
	struct ht_snapshot *into; /* borrowed */
	struct ht_trim trim;	  /* HT_TRIM was asked for */
	bool has_trim;
	struct ht_err remote; /* state HT_WIRE_ERROR: what the agent said */
};

/* into: where records go; borrowed until fini. */
void ht_wire_in_init(struct ht_wire_in *in, struct ht_snapshot *into);
void ht_wire_in_fini(struct ht_wire_in *in);
/* Takes n bytes. HT_PROTOCOL when they break the rules: kill the agent then. */
enum ht_code ht_wire_in_feed(struct ht_wire_in *in, const void *bytes, size_t n,
			     struct ht_err *err) HT_MUST_CHECK;

/* Writing: blocking, all or an error (HT_GONE when the other side closed).
 * No allocation: safe beside a stopped target. */
enum ht_code ht_wire_send_request(int fd, const struct ht_request *r,
				  struct ht_err *err) HT_MUST_CHECK;
enum ht_code ht_wire_send_progress(int fd, uint64_t done, uint64_t total,
				   struct ht_err *err) HT_MUST_CHECK;
enum ht_code ht_wire_send_error(int fd, const struct ht_err *e,
				struct ht_err *err) HT_MUST_CHECK;
enum ht_code ht_wire_send_trim(int fd, const struct ht_trim *t,
			       struct ht_err *err) HT_MUST_CHECK;
enum ht_code ht_wire_send_snapshot(int fd, const struct ht_snapshot *s,
				   struct ht_err *err) HT_MUST_CHECK;
/* Blocking read of the next request. HT_GONE: the parent closed the socket. */
enum ht_code ht_wire_receive_request(int fd, struct ht_request *ret,
				     struct ht_err *err) HT_MUST_CHECK;

#endif
