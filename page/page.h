/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Page: what the history knows of one target, or of all, as one JSON document
 * (heaptide.page/1, heaptide.page_index/1), and the HTML page around it, which
 * loads nothing from elsewhere. `heaptide report` writes the page to a file;
 * served live, the page asks for its document again and again. Everything is
 * read through a reader's connection of the store.
 */
#ifndef HT_PAGE_PAGE_H
#define HT_PAGE_PAGE_H

#include <jansson.h>
#include <stdio.h>

#include "page/held_by.h"
#include "page/judged.h"
#include "page/pin.h"
#include "store/alert.h"

#define HT_PAGE_SCHEMA	     "heaptide.page/1"
#define HT_PAGE_INDEX_SCHEMA "heaptide.page_index/1"

/* --- one target ---------------------------------------------------------- */

struct ht_page_ask {
	int64_t since_ns, until_ns; /* wall clock; 0: open */
	size_t rows;		    /* of each chart, at most; 0: 1000 */
};

/* One chart that was asked for beside the usual ones. */
struct ht_page_asked {
	char *name, *help;
	const char *unit; /* static */
	double *value;	  /* a row of the series each */
};

struct ht_page {
	struct ht_page_ask ask;
	struct ht_judged judged;
	struct ht_series series; /* medians, size classes and lists */
	struct ht_traced traced;
	char pin[HT_PIN_TEXT];
	json_t *events, *alerts; /* of the window: arrays */
	struct ht_page_asked *asked;
	size_t asked_n;
	json_t *sites; /* whose call stacks make it grow; NULL: nobody was asked
			*/
	json_t *types; /* what chunks were; NULL: it was never looked */
	json_t *family; /* the service that it is one of; NULL: alone */
	/* why this is not from a history but of memory; NULL: it is */
	const char *no_history;
};

void ht_page_init(struct ht_page *p);
void ht_page_fini(struct ht_page *p);
#define HT_AUTO_PAGE HT_CLEANUP(ht_page_fini)

/* Reads all that the page shows of a process: one verdict (as `verdict` judges
 * it) and one series. HT_NODATA: no sample in the window. p: initialised. */
enum ht_code ht_page_read(struct ht_store *store,
			  const struct ht_store_process *process,
			  const struct ht_page_ask *ask, struct ht_page *p,
			  struct ht_err *err) HT_MUST_CHECK;
/* Adds a chart; takes over value, copies the texts but unit. false: out of
 * memory, value was freed. */
bool ht_page_add(struct ht_page *p, const char *name, const char *help,
		 const char *unit, double *value);
/* An alert, if it is the process's; false: out of memory. */
bool ht_page_add_alert(struct ht_page *p, const struct ht_alert *a);
/* The document; new reference, NULL when out of memory. */
json_t *ht_page_json(const struct ht_page *p);

/* --- all targets --------------------------------------------------------- */

struct ht_page_index_ask {
	int64_t since_ns;  /* processes with a sample at or after; 0: all */
	int64_t budget_ns; /* spent on judging those without a recorded
			      verdict; the rest have none (null) */
	/* Address of a process's page, relative; NULL, or returns NULL: none */
	const char *(*page)(void *ctx, const struct ht_store_process *p);
	void *ctx;
};
/* The document of all processes, newest first; new reference in ret. */
enum ht_code ht_page_index(struct ht_store *store,
			   const struct ht_page_index_ask *ask, json_t **ret,
			   struct ht_err *err) HT_MUST_CHECK;

/* The same from whoever knows the targets without a store. */
struct ht_page_index {
	json_t *targets, *alerts, *silences; /* arrays */
	int64_t from_ns, to_ns;		     /* all samples' */
	const char *no_history; /* as of a page; borrowed; NULL: there is one */
};
void ht_page_index_init(struct ht_page_index *x);
void ht_page_index_fini(struct ht_page_index *x);
/* The figures over time that are shown of a target: HT_METRIC_COUNT flags. */
const bool *ht_page_index_metrics(void);
/* verdict: taken over; JSON's null: none. page: as ht_page_index_ask's. False:
 * out of memory. */
bool ht_page_index_add(struct ht_page_index *x,
		       const struct ht_store_process *p,
		       const struct ht_series *s, const char *page,
		       json_t *verdict);
/* False: no more of them are shown. */
bool ht_page_index_add_alert(struct ht_page_index *x, const struct ht_alert *a);
bool ht_page_index_add_silence(struct ht_page_index *x,
			       const struct ht_silence *s);
/* New reference, NULL when out of memory. */
json_t *ht_page_index_json(const struct ht_page_index *x);

/* --- the page around a document ------------------------------------------ */

struct ht_page_frame {
	const char *title;	/* text, not HTML */
	const json_t *document; /* NULL: the page fetches it */
	const char *poll;	/* relative address that the document is asked
				   for again at; NULL: the page stays as it is */
	/* what is there without script; NULL: nothing */
	const struct ht_page *still;
};
/* Writes one HTML page, whole. HT_NOMEM, HT_SYS. */
enum ht_code ht_page_write(FILE *to, const struct ht_page_frame *f,
			   struct ht_err *err) HT_MUST_CHECK;
/* The page's content security policy: its own script and style by their
 * hashes, and nothing else; live: it may fetch from where it came from. Into
 * out; returns out. */
#define HT_PAGE_POLICY_TEXT 512
const char *ht_page_policy(bool live, char out[HT_PAGE_POLICY_TEXT]);
/* The charts are uPlot's, with values and zoom; else drawings that stand
 * still. */
bool ht_page_has_charts(void);

#endif
