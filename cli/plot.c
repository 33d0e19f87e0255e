/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/plot.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/table.h"
#include "common/cleanup.h"
#include "common/clock.h"

#define AXIS_WIDTH 11
/* An axis spans at least this share of its values: noise shall look small. */
#define SPAN_MIN 0.05

/* Dots, row 0 on top. */
struct canvas {
	uint8_t *dot;
	int width, height;	     /* dots */
	int cell_width, cell_height; /* dots a character cell has */
};

struct range {
	double low, high;
};

/* From zero when that hides nothing, else zoomed in: the labels tell which. */
static struct range range_of(const struct ht_plot *p)
{
	struct range r = {INFINITY, -INFINITY};

	for (size_t i = 0; i < p->n; i++) {
		if (isnan(p->value[i]))
			continue;
		r.low = fmin(r.low, p->low ? p->low[i] : p->value[i]);
		r.high = fmax(r.high, p->high ? p->high[i] : p->value[i]);
	}
	if (r.low > r.high)
		return r; /* nothing is known */
	if (r.low >= 0 && r.low < 0.6 * r.high)
		r.low = 0;
	if (r.high - r.low < SPAN_MIN * fabs(r.high)) {
		double middle = (r.low + r.high) / 2;

		r.low = middle - SPAN_MIN / 2 * fabs(r.high);
		r.high = r.low + SPAN_MIN * fabs(r.high);
	}
	if (r.low == r.high)
		r.high = r.low + 1;
	return r;
}

static int x_of(const struct ht_plot *p, const struct canvas *c, int64_t at)
{
	double span = fmax((double)(p->to_ns - p->from_ns), 1);
	double x = (double)(at - p->from_ns) / span * (c->width - 1);

	return (int)fmin(fmax(round(x), 0), c->width - 1);
}

static int y_of(struct range r, const struct canvas *c, double v)
{
	double share = (v - r.low) / (r.high - r.low);

	return (int)round((1 - share) * (c->height - 1));
}

static void line(struct canvas *c, int x0, int y0, int x1, int y1)
{
	int steps = abs(x1 - x0) > abs(y1 - y0) ? abs(x1 - x0) : abs(y1 - y0);

	for (int i = 0; i <= steps; i++) {
		double part = steps ? (double)i / steps : 0;
		int x = x0 + (int)lround(part * (x1 - x0));
		int y = y0 + (int)lround(part * (y1 - y0));

		c->dot[(size_t)y * (size_t)c->width + (size_t)x] = 1;
	}
}

static void draw(const struct ht_plot *p, struct range r, struct canvas *c)
{
	int last_x = -1, last_y = -1;

	for (size_t i = 0; i < p->n; i++) {
		int x, y;

		if (p->cut && p->cut[i])
			last_x = -1;
		if (isnan(p->value[i])) {
			last_x = -1;
			continue;
		}
		x = x_of(p, c, p->time_ns[i]);
		y = y_of(r, c, p->value[i]);
		line(c, last_x < 0 ? x : last_x, last_x < 0 ? y : last_y, x, y);
		if (p->low && p->high)
			line(c, x, y_of(r, c, p->low[i]), x,
			     y_of(r, c, p->high[i]));
		last_x = x;
		last_y = y;
	}
}

static bool dot_at(const struct canvas *c, int x, int y)
{
	return c->dot[(size_t)y * (size_t)c->width + (size_t)x];
}

/* Braille U+2800: dots 1 2 3 7 down the left, 4 5 6 8 down the right. */
static void put_braille(const struct canvas *c, int column, int row)
{
	static const uint8_t bit[4][2] = {
		{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};
	unsigned dots = 0;

	for (int y = 0; y < 4; y++)
		for (int x = 0; x < 2; x++)
			if (dot_at(c, column * 2 + x, row * 4 + y))
				dots |= bit[y][x];
	if (dots)
		printf("\xe2%c%c", (char)(0xa0 | dots >> 6),
		       (char)(0x80 | (dots & 0x3f)));
	else
		putchar(' ');
}

static void put_axis(const struct ht_plot *p, struct range r, int row)
{
	char text[HT_NUMBER_TEXT] = "";
	double share = 1 - (double)row / (p->height - 1);
	double v = r.low + share * (r.high - r.low);

	if (row == 0 || row == p->height - 1 || row == p->height / 2) {
		if (!strcmp(p->unit, "bytes") || !strcmp(p->unit, "ratio"))
			ht_value_text(p->unit, v, p->bytes, text);
		else
			snprintf(text, sizeof(text), "%.*f",
				 r.high < 10 ? 1 : 0, v);
	}
	printf("%*s ", AXIS_WIDTH, text);
}

static void axis_text(int64_t at_ns, bool days, char out[HT_TIME_TEXT])
{
	time_t seconds = (time_t)(at_ns / HT_NS_PER_S);
	struct tm tm;

	localtime_r(&seconds, &tm);
	strftime(out, HT_TIME_TEXT, days ? "%b %d %H:%M" : "%H:%M:%S", &tm);
}

/* "-05:00", as the times beside it have it; "UTC". */
static void zone_text(int64_t at_ns, char out[16])
{
	time_t seconds = (time_t)(at_ns / HT_NS_PER_S);
	char offset[8];
	struct tm tm;

	localtime_r(&seconds, &tm);
	strftime(offset, sizeof(offset), "%z", &tm);
	if (tm.tm_gmtoff)
		snprintf(out, 16, "%.3s:%.2s", offset, offset + 3);
	else
		snprintf(out, 16, "UTC");
}

void ht_time_axis(int indent, int width, int64_t from_ns, int64_t to_ns)
{
	bool days = to_ns - from_ns > 20 * 3600 * HT_NS_PER_S;
	char from[HT_TIME_TEXT], middle[HT_TIME_TEXT], to[HT_TIME_TEXT];
	char zone[16];
	int length, gap;

	zone_text(from_ns, zone);
	axis_text(from_ns, days, from);
	axis_text(from_ns / 2 + to_ns / 2, days, middle);
	axis_text(to_ns, days, to);
	length = (int)strlen(from);
	if (indent > (int)strlen(zone))
		printf("%*s %s", indent - 1, zone, from);
	else
		printf("%*s%s", indent, "", from);
	if (width >= 3 * length + 2) {
		gap = width / 2 - length - length / 2;
		printf("%*s", gap + length, middle);
		printf("%*s", width - length - gap - length, to);
	} else if (width >= 2 * length + 1) {
		printf("%*s", width - length, to);
	}
	putchar('\n');
}

static void print_canvas(const struct ht_term *t, const struct ht_plot *p,
			 struct range r, const struct canvas *c)
{
	for (int row = 0; row < p->height; row++) {
		put_axis(p, r, row);
		printf("%s%s", t->utf8 ? "\u2502" : "|", ht_style(t, p->style));
		for (int column = 0; column < p->width; column++) {
			if (t->utf8)
				put_braille(c, column, row);
			else
				putchar(dot_at(c, column, row) ? '*' : ' ');
		}
		printf("%s\n", ht_style_off(t));
	}
	ht_time_axis(AXIS_WIDTH + 2, p->width, p->from_ns, p->to_ns);
}

enum ht_code ht_plot_print(const struct ht_term *t, const struct ht_plot *p,
			   struct ht_err *err)
{
	struct canvas c = {.cell_width = t->utf8 ? 2 : 1,
			   .cell_height = t->utf8 ? 4 : 1};
	struct range r = range_of(p);
	HT_AUTO_FREE uint8_t *dots = NULL;

	if (r.low > r.high) {
		printf("%*s  not measured\n", AXIS_WIDTH, "");
		return HT_OK;
	}
	c.width = p->width * c.cell_width;
	c.height = p->height * c.cell_height;
	dots = calloc((size_t)c.width, (size_t)c.height);
	if (!dots)
		return ht_fail(err, HT_NOMEM, "out of memory for a plot");
	c.dot = dots;
	draw(p, r, &c);
	print_canvas(t, p, r, &c);
	return HT_OK;
}

const char *ht_spark(const struct ht_term *t, const double *value, size_t n,
		     int width, char out[HT_SPARK_MAX * 4])
{
	static const char *const blocks[2][8] = {
		{"_", ".", ":", "-", "=", "+", "*", "#"},
		{"\u2581", "\u2582", "\u2583", "\u2584", "\u2585", "\u2586",
		 "\u2587", "\u2588"}};
	struct ht_plot p = {.value = value, .n = n};
	struct range r = range_of(&p);
	size_t used = 0;

	out[0] = '\0';
	for (int i = 0; i < width && i < HT_SPARK_MAX && n; i++) {
		double v = value[(size_t)i * n / (size_t)width];
		const char *block = " ";

		if (!isnan(v))
			block = blocks[t->utf8][(int)fmin(
				7, (v - r.low) / (r.high - r.low) * 8)];
		used += (size_t)snprintf(out + used, HT_SPARK_MAX * 4 - used,
					 "%s", block);
	}
	return out;
}
