/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Show: parts of a snapshot as text for people, shared by `explain` and by the
 * commands that print one part. Each prints its table and nothing when the
 * snapshot has none of it. max_rows 0: all rows; else the largest, and a last
 * line says how many were left out.
 */
#ifndef HT_CLI_SHOW_H
#define HT_CLI_SHOW_H

#include "cli/commands.h"
#include "schema/snapshot.h"

#define HT_SHOW(name)                                                          \
	enum ht_code ht_show_##name(                                           \
		const struct ht_cli *cli, const struct ht_snapshot *s,         \
		size_t max_rows, struct ht_err *err) HT_MUST_CHECK
HT_SHOW(rss);	   /* RSS by the one rule that keeps each page */
HT_SHOW(arenas);   /* one row an arena */
HT_SHOW(places);   /* free bytes by place: tcache, fastbins, ... top */
HT_SHOW(bins);	   /* every bin that is not empty, arenas added up */
HT_SHOW(classes);  /* chunks by size */
HT_SHOW(threads);  /* tcaches */
HT_SHOW(heaps);	   /* heaps by address, with their residency */
HT_SHOW(mappings); /* what lies outside malloc */
#undef HT_SHOW

/* "== TITLE ==" in the house's form, with an empty line before. */
void ht_show_title(const struct ht_cli *cli, const char *title);
/* Bytes as the options ask. Returns out (at least HT_NUMBER_TEXT). */
const char *ht_show_bytes(const struct ht_cli *cli, uint64_t bytes, char *out);
/* Did the agent find glibc's heap at all? */
bool ht_show_has_heap(const struct ht_snapshot *s);
/* HT_UNSUPPORTED: says why it did not. */
enum ht_code ht_show_no_heap(const struct ht_snapshot *s,
			     struct ht_err *err) HT_MUST_CHECK;
/* HT_CORRUPT where the look found damage, else HT_OK: what every command that
 * looked at a process ends with once its answer is printed. */
enum ht_code ht_show_damage(const struct ht_snapshot *s,
			    struct ht_err *err) HT_MUST_CHECK;
/* A bar of at most `width` cells for part/whole. Returns out. */
const char *ht_show_bar(const struct ht_cli *cli, uint64_t part, uint64_t whole,
			int width, char *out, size_t len);

#endif
