/* SPDX-License-Identifier: Apache-2.0 */
/* The page around a document. Its style and script are made by page/compose
 * and embedded here. The document is data, not script: every sign of it that
 * HTML could take for its own is written as \uXXXX. */
#include <errno.h>
#include <string.h>

#include "page/chart.h"
#include "page/page_int.h"

#ifndef HT_PAGE_MADE /* by the build; for who looks at the source alone */
#define HT_PAGE_MADE "build/page"
#endif

/* NUL-terminated text of a file that the build made. */
#define EMBED(symbol, path)                                                    \
	extern const char symbol[];                                            \
	__asm__(".pushsection .rodata\n" #symbol ":\n"                         \
		".incbin \"" path "\"\n.byte 0\n.popsection\n")

EMBED(ht_page_style, HT_PAGE_MADE "/style.css");
EMBED(ht_page_script, HT_PAGE_MADE "/script.js");
EMBED(ht_page_style_hash, HT_PAGE_MADE "/style.hash");
EMBED(ht_page_script_hash, HT_PAGE_MADE "/script.hash");

const char *ht_page_policy(bool live, char out[HT_PAGE_POLICY_TEXT])
{
	snprintf(
		out, HT_PAGE_POLICY_TEXT,
		"default-src 'none'; script-src '%s'; style-src '%s'; %sbase-uri 'none'; form-action 'none'",
		ht_page_script_hash, ht_page_style_hash,
		live ? "connect-src 'self'; " : "");
	return out;
}

bool ht_page_has_charts(void)
{
	return strstr(ht_page_script, "uPlot=") != NULL;
}

static int put_data(const char *text, size_t n, void *to)
{
	for (size_t i = 0; i < n; i++)
		if (strchr("<>&", text[i]))
			fprintf(to, "\\u%04x", text[i]);
		else
			fputc(text[i], to);
	return ferror((FILE *)to) ? -1 : 0;
}

static enum ht_code put_document(FILE *to, const json_t *document,
				 struct ht_err *err)
{
	const size_t flags =
		JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(12);

	if (document && json_dump_callback(document, put_data, to, flags))
		return ferror(to) ? ht_fail_sys(err, HT_SYS, errno,
						"write the page")
				  : ht_fail(err, HT_NOMEM,
					    "out of memory for a page");
	return HT_OK;
}

static void put_head(FILE *to, const struct ht_page_frame *f)
{
	char policy[HT_PAGE_POLICY_TEXT];

	fprintf(to,
		"<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n"
		"<meta charset=\"utf-8\">\n"
		"<meta http-equiv=\"Content-Security-Policy\" content=\"%s\">\n"
		"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
		"<meta name=\"color-scheme\" content=\"light dark\">\n"
		"<title>",
		ht_page_policy(f->poll != NULL, policy));
	ht_html_text(to, f->title);
	fprintf(to, "</title>\n<style>%s</style>\n</head>\n<body>\n",
		ht_page_style);
}

enum ht_code ht_page_write(FILE *to, const struct ht_page_frame *f,
			   struct ht_err *err)
{
	enum ht_code code = HT_OK;

	put_head(to, f);
	fputs("<main id=\"page\">\n", to);
	if (f->still)
		code = ht_page_still(to, f->still, err);
	else if (f->poll)
		fputs("<noscript><p>This page asks for its figures by its own script; without: heaptide ls, heaptide report.</p></noscript>\n",
		      to);
	fputs("</main>\n<script type=\"application/json\" id=\"document\"", to);
	if (f->poll) {
		fputs(" data-poll=\"", to);
		ht_html_text(to, f->poll);
		fputs("\"", to);
	}
	fputs(">", to);
	if (code == HT_OK)
		code = put_document(to, f->document, err);
	fprintf(to, "</script>\n<script>%s</script>\n</body>\n</html>\n",
		ht_page_script);
	if (code == HT_OK && (fflush(to) || ferror(to)))
		code = ht_fail_sys(err, HT_SYS, errno, "write the page");
	return code;
}
