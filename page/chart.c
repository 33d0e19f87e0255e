/* SPDX-License-Identifier: Apache-2.0 */
#include "page/chart.h"

#include <math.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"
#include "schema/figure_text.h"

/* The drawing's box in the SVG's own units. */
enum { WIDTH = 960, HEIGHT = 260, LEFT = 80, BOTTOM = 24, TOP = 8, RIGHT = 8 };
enum { TICKS = 4 };

void ht_html_text(FILE *to, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '<':
			fputs("&lt;", to);
			break;
		case '>':
			fputs("&gt;", to);
			break;
		case '&':
			fputs("&amp;", to);
			break;
		case '"':
			fputs("&quot;", to);
			break;
		default:
			fputc(*text, to);
		}
	}
}

static double known(double v)
{
	return isfinite(v) && v > 0 ? v : 0;
}

/* The next step that reads well: a power of two for bytes, else 1, 2, 2.5 or 5
 * by a power of ten. */
static double round_step(const char *unit, double least)
{
	static const double steps[] = {1, 2, 2.5, 5, 10};
	double ten = pow(10, floor(log10(least)));
	size_t i = 0;

	if (strcmp(unit, "bytes") == 0)
		return exp2(ceil(log2(least)));
	while (steps[i] * ten < least && steps[i] < 10)
		i++;
	return steps[i] * ten;
}

static double highest(const struct ht_chart *c)
{
	double high = 0;

	for (size_t row = 0; row < c->rows; row++) {
		double sum = 0;

		for (size_t b = 0; b < c->bands_n; b++) {
			double v = known(c->bands[b].value[row]);

			sum = c->stacked ? sum + v : fmax(sum, v);
		}
		high = fmax(high, sum);
	}
	return high > 0 ? TICKS * round_step(c->unit, high / TICKS) : 1;
}

static double x_of(const struct ht_chart *c, size_t row)
{
	double span = (double)(c->time_ns[c->rows - 1] - c->time_ns[0]);
	double at = (double)(c->time_ns[row] - c->time_ns[0]);

	return LEFT + (span > 0 ? at / span : 0) * (WIDTH - LEFT - RIGHT);
}

static double y_of(double v, double high)
{
	return TOP + (1 - v / high) * (HEIGHT - TOP - BOTTOM);
}

static double sum_below(const struct ht_chart *c, size_t bands, size_t row)
{
	double sum = 0;

	for (size_t b = 0; b < bands; b++)
		sum += known(c->bands[b].value[row]);
	return sum;
}

static void print_area(FILE *to, const struct ht_chart *c, size_t band,
		       double high)
{
	fputs("<polygon points=\"", to);
	for (size_t row = 0; row < c->rows; row++)
		fprintf(to, "%.1f,%.1f ", x_of(c, row),
			y_of(sum_below(c, band + 1, row), high));
	for (size_t row = c->rows; row-- > 0;)
		fprintf(to, "%.1f,%.1f ", x_of(c, row),
			y_of(sum_below(c, band, row), high));
	fprintf(to, "\" fill=\"%s\"><title>", c->bands[band].color);
	ht_html_text(to, c->bands[band].name);
	fputs("</title></polygon>\n", to);
}

/* A line that stops where nothing is known. */
static void print_line(FILE *to, const struct ht_chart *c, size_t band,
		       double high)
{
	const struct ht_band *b = &c->bands[band];
	bool pen_down = false;

	fputs("<path d=\"", to);
	for (size_t row = 0; row < c->rows; row++) {
		double v = b->value[row];

		if (isfinite(v))
			fprintf(to, "%c%.1f %.1f", pen_down ? 'L' : 'M',
				x_of(c, row), y_of(v, high));
		pen_down = isfinite(v);
	}
	fprintf(to, "\" fill=\"none\" stroke=\"%s\" stroke-width=\"2\"><title>",
		b->color);
	ht_html_text(to, b->name);
	fputs("</title></path>\n", to);
}

static void print_value_axis(FILE *to, const char *unit, double high)
{
	for (int i = 0; i <= TICKS; i++) {
		double v = high * i / TICKS;
		double y = y_of(v, high);
		char text[HT_NUMBER_TEXT];

		fprintf(to,
			"<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/><text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n",
			LEFT, WIDTH - RIGHT, y, y, LEFT - 6, y + 4,
			ht_value_text(unit, v, false, text));
	}
}

static void print_time_axis(FILE *to, const struct ht_chart *c)
{
	static const char *const anchors[] = {"start", "middle", "end"};

	for (int i = 0; i < 3; i++) {
		size_t row = (c->rows - 1) * (size_t)i / 2;
		char text[HT_TIME_TEXT];

		ht_time_here_text(c->time_ns[row], text);
		fprintf(to,
			"<text x=\"%.1f\" y=\"%d\" text-anchor=\"%s\">%.19s%s</text>\n",
			x_of(c, row), HEIGHT - 6, anchors[i], text, text + 23);
	}
}

void ht_chart_print(FILE *to, const struct ht_chart *c)
{
	double high = highest(c);

	fputs("<figure><figcaption>", to);
	ht_html_text(to, c->title);
	fputs("</figcaption>\n<p class=\"legend\">", to);
	for (size_t b = c->bands_n; b-- > 0;) {
		fprintf(to,
			"<span><svg class=\"swatch\" viewBox=\"0 0 1 1\" aria-hidden=\"true\"><rect width=\"1\" height=\"1\" fill=\"%s\"/></svg>",
			c->bands[b].color);
		ht_html_text(to, c->bands[b].name);
		fputs("</span> ", to);
	}
	fprintf(to,
		"</p>\n<svg class=\"chart\" viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"",
		WIDTH, HEIGHT);
	ht_html_text(to, c->title);
	fputs("\">\n", to);
	print_value_axis(to, c->unit, high);
	for (size_t b = 0; b < c->bands_n; b++) {
		if (c->stacked)
			print_area(to, c, b, high);
		else
			print_line(to, c, b, high);
	}
	print_time_axis(to, c);
	fputs("</svg></figure>\n", to);
}
