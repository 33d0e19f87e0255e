/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/answer.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/show.h"
#include "cli/table.h"

#define OTHER_WORTH (UINT64_C(16) << 20) /* programs and libraries are less */

static uint64_t plus(uint64_t a, uint64_t b)
{
	return a == HT_UNKNOWN || b == HT_UNKNOWN ? HT_UNKNOWN : a + b;
}

/* A core file knows no page's residency: in use and free are all there is. */
static int print_core(const struct ht_cli *cli, const struct ht_snapshot *s)
{
	const struct ht_totals *sum = &s->totals;
	char used[HT_NUMBER_TEXT], left[HT_NUMBER_TEXT];

	return ht_paragraph(
		       &cli->term, "",
		       "%s%s, pid %" PRIu64
		       ", from its core file:%s the program held %s in malloc; %s was free.",
		       ht_style(&cli->term, HT_BOLD), s->head.comm, s->head.pid,
		       ht_style_off(&cli->term),
		       ht_show_bytes(cli, plus(sum->in_use, sum->mmapped),
				     used),
		       ht_show_bytes(cli, sum->free, left)) +
	       ht_paragraph(&cli->term, "",
			    "What was resident, a core file does not tell.");
}

/* RSS is no memory of the machine where a fork left pages shared. */
static int print_shared(const struct ht_cli *cli, const struct ht_totals *sum)
{
	char gets[HT_NUMBER_TEXT];

	if (sum->trimmable == HT_UNKNOWN ||
	    sum->trimmable_private >= sum->trimmable)
		return 0;
	return ht_paragraph(
		&cli->term, "",
		"Of that the machine would get %s: the rest is shared, since a fork() or because KSM merged equal pages.",
		ht_show_bytes(cli, sum->trimmable_private, gets));
}

/* Of what is held, where less than half was written; else nothing. */
static const char *written_text(const struct ht_cli *cli,
				const struct ht_snapshot *s, char out[64])
{
	uint64_t held = plus(s->totals.in_use, s->totals.mmapped);
	uint64_t resident = plus(ht_snapshot_cause(s, HT_CAUSE_HEAP_IN_USE),
				 ht_snapshot_cause(s, HT_CAUSE_MMAPPED_CHUNKS));
	char text[HT_NUMBER_TEXT];

	*out = '\0';
	if (held != HT_UNKNOWN && resident != HT_UNKNOWN && resident < held / 2)
		snprintf(out, 64, " (%s of it resident)",
			 ht_show_bytes(cli, resident, text));
	return out;
}

/* Most of RSS, where it is no anonymous memory: nothing, or a sentence. */
static const char *other_text(const struct ht_cli *cli,
			      const struct ht_snapshot *s, char out[128])
{
	const struct ht_process *p = &s->process;
	const struct {
		uint64_t bytes;
		const char *what;
	} kinds[] = {{p->rss_shmem, " is shared memory"},
		     {p->rss_file, " is pages of mapped files"}};
	char text[HT_NUMBER_TEXT];
	size_t n = 0;

	*out = '\0';
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (kinds[i].bytes != HT_UNKNOWN &&
		    kinds[i].bytes >= OTHER_WORTH &&
		    kinds[i].bytes >= p->rss / 4)
			n += (size_t)snprintf(
				out + n, 128 - n, "; %s%s",
				ht_show_bytes(cli, kinds[i].bytes, text),
				kinds[i].what);
	return out;
}

static int print_heap(const struct ht_cli *cli, const struct ht_snapshot *s,
		      const char *begin)
{
	const struct ht_totals *sum = &s->totals;
	char used[HT_NUMBER_TEXT], kept[HT_NUMBER_TEXT];
	char trim[HT_NUMBER_TEXT], other[HT_NUMBER_TEXT], written[64];
	char beside[128];
	int lines;

	lines = ht_paragraph(
		&cli->term, "",
		"%s The program holds %s in malloc%s; %s%s is free and kept by glibc%s; %s is anonymous memory outside malloc, stacks too%s.",
		begin,
		ht_show_bytes(cli, plus(sum->in_use, sum->mmapped), used),
		written_text(cli, s, written), ht_style(&cli->term, HT_YELLOW),
		ht_show_bytes(cli, sum->retained, kept),
		ht_style_off(&cli->term),
		ht_show_bytes(cli, sum->non_malloc_anon, other),
		other_text(cli, s, beside));
	lines += ht_paragraph(&cli->term, "",
			      "malloc_trim(0) would return %s%s%s now.",
			      ht_style(&cli->term, HT_BOLD),
			      ht_show_bytes(cli, sum->trimmable, trim),
			      ht_style_off(&cli->term));
	return lines + print_shared(cli, sum);
}

int ht_answer_print(const struct ht_cli *cli, const struct ht_snapshot *s)
{
	char rss[HT_NUMBER_TEXT], begin[200];

	if (s->stop.mode == HT_MODE_CORE && ht_show_has_heap(s))
		return print_core(cli, s);
	snprintf(begin, sizeof(begin), "%s%s, pid %" PRIu64 ": %s resident.%s",
		 ht_style(&cli->term, HT_BOLD), s->head.comm, s->head.pid,
		 ht_show_bytes(cli, s->process.rss, rss),
		 ht_style_off(&cli->term));
	if (ht_show_has_heap(s))
		return print_heap(cli, s, begin);
	return ht_paragraph(&cli->term, "",
			    "%s Its heap was not measured: malloc is %s.",
			    begin,
			    *s->libc.allocator ? s->libc.allocator
					       : "not a glibc that is known");
}

const char *ht_returns_text(const struct ht_cli *cli, const struct ht_advice *a,
			    char out[HT_RETURNS_TEXT])
{
	char low[HT_NUMBER_TEXT], high[HT_NUMBER_TEXT];

	*out = '\0';
	if (a->at_least == HT_UNKNOWN || a->bytes == HT_UNKNOWN)
		return out;
	ht_show_bytes(cli, a->at_least, low);
	ht_show_bytes(cli, a->bytes, high);
	if (a->at_least == 0)
		snprintf(out, HT_RETURNS_TEXT, "at most %s", high);
	else if (strcmp(low, high) == 0)
		snprintf(out, HT_RETURNS_TEXT, "%s", high);
	else
		snprintf(out, HT_RETURNS_TEXT, "%s to %s", low, high);
	return out;
}
