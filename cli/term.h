/* SPDX-License-Identifier: Apache-2.0 */
/* Terminal: what stdout and stderr can show. Colour only on a terminal and
 * never with NO_COLOR; Unicode only where the locale has it. */
#ifndef HT_CLI_TERM_H
#define HT_CLI_TERM_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum ht_style {
	HT_PLAIN,
	HT_BOLD,
	HT_DIM,
	HT_RED,
	HT_GREEN,
	HT_YELLOW,
	HT_BLUE,
	HT_STYLE_COUNT
};

struct ht_term {
	bool color;	  /* stdout takes escape sequences */
	bool utf8;	  /* draw with Unicode */
	bool out_tty;	  /* stdout is a terminal */
	bool err_tty;	  /* stderr is: progress lines may be drawn */
	int width;	  /* columns of stdout; 80 when unknown */
	int err_width;	  /* of stderr */
	bool progress_on; /* a progress line stands on stderr */
	int64_t shown_ns; /* when it was last drawn, monotonic */
};

/* Sets LC_CTYPE from the environment: numbers keep their full stop. */
void ht_term_init(struct ht_term *t);
/* Escape sequence that begins a style, "" without colour. */
const char *ht_style(const struct ht_term *t, enum ht_style style);
const char *ht_style_off(const struct ht_term *t);

/* Draws one progress line over the last, some times a second, if stderr is a
 * terminal; what does not fit its width is cut. */
void ht_progress(struct ht_term *t, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Wipes it; does nothing when there is none. */
void ht_progress_end(struct ht_term *t);
/* One sentence on stderr, "heaptide: ..." */
void ht_tell(struct ht_term *t, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Prints text on stdout, wrapped to the width, each further line indented by
 * `indent` columns. */
void ht_wrap(const struct ht_term *t, int indent, const char *text);
/* The same of something to read, not to paste: a path that has no room behind
 * the indentation is shortened in the middle. */
void ht_wrap_finding(const struct ht_term *t, int indent, const char *text);
/* As ht_wrap, on any stream. */
void ht_wrap_to(FILE *to, int width, int indent, const char *text);
/* A paragraph behind a lead ("", "  ! "), its further lines indented by the
 * lead's columns. Returns how many lines those are. */
int ht_paragraph(const struct ht_term *t, const char *lead, const char *fmt,
		 ...) __attribute__((format(printf, 3, 4)));
/* How many lines ht_wrap would print at a width. */
int ht_wrap_lines(int width, int indent, const char *text);

#endif
