/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/term.h"

#include <langinfo.h>
#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/fit.h"
#include "common/cleanup.h"
#include "common/clock.h"

#define PROGRESS_EVERY_NS (HT_NS_PER_S / 5)
#define WIDTH_MIN	  40
#define WIDTH_MAX	  1000
#define SAY_MAX		  1200

static int width_of(int fd)
{
	const char *columns = getenv("COLUMNS");
	int width = columns ? atoi(columns) : 0;
	struct winsize size;

	if (width <= 0 && ioctl(fd, TIOCGWINSZ, &size) == 0)
		width = size.ws_col;
	if (width <= 0)
		return 80;
	if (width < WIDTH_MIN)
		return WIDTH_MIN;
	return width < WIDTH_MAX ? width : WIDTH_MAX;
}

void ht_term_init(struct ht_term *t)
{
	const char *no_color = getenv("NO_COLOR");
	const char *term = getenv("TERM");

	setlocale(LC_CTYPE, "");
	*t = (struct ht_term){
		.utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8"),
		.out_tty = isatty(STDOUT_FILENO),
		.err_tty = isatty(STDERR_FILENO),
		.width = width_of(STDOUT_FILENO),
		.err_width = width_of(STDERR_FILENO),
	};
	t->color = t->out_tty && !(no_color && *no_color) && term &&
		   strcmp(term, "dumb") != 0;
}

const char *ht_style(const struct ht_term *t, enum ht_style style)
{
	static const char *const on[HT_STYLE_COUNT] = {
		[HT_PLAIN] = "",	 [HT_BOLD] = "\033[1m",
		[HT_DIM] = "\033[2m",	 [HT_RED] = "\033[31m",
		[HT_GREEN] = "\033[32m", [HT_YELLOW] = "\033[33m",
		[HT_BLUE] = "\033[34m",
	};

	return t->color ? on[style] : "";
}

const char *ht_style_off(const struct ht_term *t)
{
	return t->color ? "\033[0m" : "";
}

void ht_progress(struct ht_term *t, const char *fmt, ...)
{
	int64_t now = ht_mono_ns();
	char line[WIDTH_MAX];
	va_list ap;

	if (!t->err_tty ||
	    (t->progress_on && now - t->shown_ns < PROGRESS_EVERY_NS))
		return;
	t->progress_on = true;
	t->shown_ns = now;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	/* A line that broke could not be wiped; a "^C" has room behind it. */
	fprintf(stderr, "\r\033[K%.*s", t->err_width - 3, line);
	fflush(stderr);
}

void ht_progress_end(struct ht_term *t)
{
	if (!t->progress_on)
		return;
	t->progress_on = false;
	fputs("\r\033[K", stderr);
	fflush(stderr);
}

void ht_tell(struct ht_term *t, const char *fmt, ...)
{
	va_list ap;

	ht_progress_end(t);
	fputs("heaptide: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

/* Breaks text into lines, prints them to out unless it is NULL, and returns
 * their number. A word that has no room behind the indentation stands at the
 * left edge: whole, so that it can be copied. */
static int wrap(FILE *out, int width, int indent, const char *text)
{
	int column = indent, lines = 1, begin = indent, gap = 0;

	while (*text) {
		int word = (int)strcspn(text, " ");
		int columns = ht_fit_columns(text, (size_t)word);

		if (column > begin && column + gap + columns > width) {
			begin = columns > width - indent ? 0 : indent;
			if (out)
				fprintf(out, "\n%*s", begin, "");
			column = begin;
			lines++;
		} else if (column > begin) {
			if (out)
				fprintf(out, "%*s", gap, "");
			column += gap;
		}
		if (out)
			fprintf(out, "%.*s", word, text);
		column += columns;
		text += word;
		gap = (int)strspn(text, " ");
		text += gap;
	}
	return lines;
}

int ht_wrap_lines(int width, int indent, const char *text)
{
	return wrap(NULL, width, indent, text);
}

void ht_wrap(const struct ht_term *t, int indent, const char *text)
{
	wrap(stdout, t->width, indent, text);
	putchar('\n');
}

/* The path at text, of `bytes` bytes, in that many columns. */
static void fit_path(FILE *out, const struct ht_term *t, const char *text,
		     size_t bytes, int room)
{
	HT_AUTO_FREE char *path = strndup(text, bytes);
	HT_AUTO_FREE char *fitted = malloc(bytes + 4);

	if (path && fitted)
		fputs(ht_fit_middle(path, room, t->utf8, fitted, bytes + 4),
		      out);
}

void ht_wrap_finding(const struct ht_term *t, int indent, const char *text)
{
	int room = t->width - indent < 8 ? 8 : t->width - indent;
	HT_AUTO_FREE char *fitted = NULL;
	size_t len = 0, word;
	FILE *out = open_memstream(&fitted, &len);

	for (; out && *text; text += word) {
		word = *text == ' ' ? 1 : strcspn(text, " ");
		if (*text == '/' && ht_fit_columns(text, word) > room)
			fit_path(out, t, text, word, room);
		else
			fprintf(out, "%.*s", (int)word, text);
	}
	if (out && fclose(out) == 0)
		ht_wrap(t, indent, fitted);
}

void ht_wrap_to(FILE *to, int width, int indent, const char *text)
{
	wrap(to, width, indent, text);
	fputc('\n', to);
}

int ht_paragraph(const struct ht_term *t, const char *lead, const char *fmt,
		 ...)
{
	int indent = ht_fit_columns(lead, strlen(lead));
	char text[SAY_MAX];
	va_list ap;
	int lines;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fputs(lead, stdout);
	lines = wrap(stdout, t->width, indent, text);
	putchar('\n');
	return lines;
}
