/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/memory/reader.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "agent/self/pace.h"
#include "common/clock.h"

void ht_reader_close(struct ht_reader *r)
{
	if (r->ops && r->ops->close)
		r->ops->close(r->ctx);
	*r = (struct ht_reader){0};
}

void ht_reader_heed(struct ht_reader *r, struct ht_vmflags *f)
{
	r->withheld_reads = 0;
	if (r->ops->heed)
		r->ops->heed(r->ctx, f);
}

void ht_reader_limit(struct ht_reader *r, int64_t deadline_ns)
{
	r->deadline_ns = deadline_ns;
	r->expired = false;
	if (r->ops->limit)
		r->ops->limit(r->ctx, deadline_ns);
}

void ht_reader_limit_sooner(struct ht_reader *r, int64_t deadline_ns)
{
	const int64_t now = r->deadline_ns;

	ht_reader_limit(r, now && now < deadline_ns ? now : deadline_ns);
}

bool ht_reader_is_late(struct ht_reader *r)
{
	if (r->deadline_ns && ht_mono_ns() >= r->deadline_ns)
		r->expired = true;
	return r->expired;
}

/* Takes len bytes off the budget; what is granted may be less. */
static size_t spend(struct ht_reader *r, size_t len)
{
	ht_pace();
	if (r->beat)
		r->beat();
	if (ht_reader_is_late(r))
		return 0;
	if (len > r->bytes_left)
		len = (size_t)r->bytes_left;
	r->bytes_left -= len;
	return len;
}

static void give_back(struct ht_reader *r, size_t granted, size_t used)
{
	r->bytes_left += granted - used;
	r->bytes_read += used;
}

struct ht_reader ht_reader_twin(const struct ht_reader *r)
{
	struct ht_reader twin = *r;

	twin.bytes_read = twin.swapped_reads = twin.withheld_reads = 0;
	return twin;
}

void ht_reader_add(struct ht_reader *r, const struct ht_reader *twin)
{
	spend(r, twin->bytes_read);
	r->bytes_read += twin->bytes_read;
	r->swapped_reads += twin->swapped_reads;
	r->withheld_reads += twin->withheld_reads;
}

size_t ht_reader_some(struct ht_reader *r, uint64_t addr, void *buf, size_t len)
{
	size_t granted = spend(r, len), got;

	r->swapped = r->withheld = false;
	if (granted == 0)
		return 0;
	if (addr > UINT64_MAX - granted) {
		give_back(r, granted, 0);
		return 0;
	}
	errno = 0;
	got = r->ops->read(r->ctx, addr, buf, granted);
	if (got < granted)
		ht_reader_is_late(r);
	r->withheld = got < granted && errno == HT_READER_WITHHELD;
	r->swapped =
		r->withheld || (got < granted && errno == HT_READER_SWAPPED);
	r->swapped_reads += r->swapped;
	r->withheld_reads += r->withheld;
	give_back(r, granted, got);
	return got;
}

enum ht_code ht_reader_read(struct ht_reader *r, uint64_t addr, void *buf,
			    size_t len, struct ht_err *err)
{
	size_t got = 0;

	while (got < len) {
		size_t more = ht_reader_some(r, addr + got, (char *)buf + got,
					     len - got);

		if (more == 0)
			break;
		got += more;
	}
	if (got == len)
		return HT_OK;
	if (r->expired)
		return ht_fail_at(err, HT_FAULT, addr + got,
				  "0x%" PRIx64
				  " was not read: the pause was over",
				  addr + got);
	if (r->bytes_left == 0)
		return ht_fail_at(err, HT_FAULT, addr + got,
				  "cannot read 0x%" PRIx64
				  ": the limit of bytes to read is reached",
				  addr + got);
	if (r->withheld)
		return ht_fail_at(
			err, HT_FAULT, addr + got,
			"0x%" PRIx64
			" was not read: its page is absent and under userfaultfd, and is not asked for",
			addr + got);
	if (r->swapped)
		return ht_fail_at(
			err, HT_FAULT, addr + got,
			"0x%" PRIx64
			" was not read: its page is swapped out, and stays so",
			addr + got);
	return ht_fail_at(err, HT_FAULT, addr + got,
			  "cannot read 0x%" PRIx64
			  " (%zu of %zu bytes at 0x%" PRIx64 " were readable)",
			  addr + got, got, len, addr);
}

static void read_piece(struct ht_reader *r, struct ht_piece *p)
{
	p->ok = ht_reader_read(r, p->addr, p->buf, p->len, NULL) == HT_OK;
	p->swapped = !p->ok && r->swapped;
}

/* Between two looks at the clock: fewer where a target may be held. */
#define BATCH	   256
#define BATCH_HELD 32

/* What the source fills at once. */
static void read_together(struct ht_reader *r, struct ht_piece *v, size_t n)
{
	size_t len = 0, used = 0, granted;

	for (size_t i = 0; i < n; i++)
		len += v[i].len;
	granted = spend(r, len);
	if (granted == len)
		r->ops->batch(r->ctx, v, n);
	for (size_t i = 0; i < n; i++)
		used += v[i].ok ? v[i].len : 0;
	if (used < len)
		ht_reader_is_late(r);
	give_back(r, granted, used);
}

void ht_reader_batch(struct ht_reader *r, struct ht_piece *pieces, size_t n)
{
	const size_t most = r->beat ? BATCH_HELD : BATCH;

	for (size_t i = 0; i < n; i++)
		pieces[i].ok = pieces[i].swapped = false;
	for (size_t i = 0; r->ops->batch && i < n; i += most)
		read_together(r, pieces + i, n - i < most ? n - i : most);
	for (size_t i = 0; i < n; i++)
		if (!pieces[i].ok)
			read_piece(r, &pieces[i]);
}

enum ht_code ht_reader_u32(struct ht_reader *r, uint64_t addr, uint32_t *ret,
			   struct ht_err *err)
{
	uint32_t word;
	enum ht_code code = ht_reader_read(r, addr, &word, sizeof(word), err);

	if (code == HT_OK)
		*ret = word;
	return code;
}

enum ht_code ht_reader_word(struct ht_reader *r, uint64_t addr, uint64_t *ret,
			    struct ht_err *err)
{
	uint64_t word = 0; /* little endian: a short word fills the low half */
	enum ht_code code = ht_reader_read(r, addr, &word, r->word, err);

	if (code == HT_OK)
		*ret = word;
	return code;
}
