/* SPDX-License-Identifier: Apache-2.0 */
/* Store: alerts, their deliveries and silences. Written by the daemon, read by
 * `heaptide alerts`. Part of store.h's contract: one writer, many readers. */
#ifndef HT_STORE_ALERT_H
#define HT_STORE_ALERT_H

#include "schema/alert.h"
#include "store/store.h"

/* Inserts or replaces by id. */
enum ht_code ht_store_alert_put(struct ht_store *st, const struct ht_alert *a,
				struct ht_err *err) HT_MUST_CHECK;
/* For one that was pending and never fired. */
enum ht_code ht_store_alert_forget(struct ht_store *st, const char *id,
				   struct ht_err *err) HT_MUST_CHECK;
/* Calls each for alerts seen at or after since_ns, newest first; active_only:
 * pending and firing ones whatever their age. Until it returns non-zero. */
enum ht_code ht_store_alerts(struct ht_store *st, bool active_only,
			     int64_t since_ns,
			     int (*each)(void *ctx, const struct ht_alert *a),
			     void *ctx, struct ht_err *err) HT_MUST_CHECK;

/* A notice to be delivered: queued with the alert's change in one transaction,
 * settled after delivery, so that a crash between the two sends it again with
 * the same id and never loses it. */
struct ht_store_delivery {
	struct ht_alert alert;
	char state[16]; /* that was to be told: firing, resolved */
	char sink[64];
	uint32_t attempts;
};
enum ht_code ht_store_delivery_queue(struct ht_store *st, const char *alert_id,
				     const char *state, const char *sink,
				     int64_t at_ns,
				     struct ht_err *err) HT_MUST_CHECK;
/* error NULL: delivered; else it failed once more. */
enum ht_code ht_store_delivery_settle(struct ht_store *st, const char *alert_id,
				      const char *state, const char *sink,
				      int64_t at_ns, const char *error,
				      struct ht_err *err) HT_MUST_CHECK;
/* Those not delivered yet, oldest first. */
enum ht_code ht_store_deliveries(struct ht_store *st,
				 int (*each)(void *ctx,
					     const struct ht_store_delivery *d),
				 void *ctx, struct ht_err *err) HT_MUST_CHECK;
/* Has this state of the alert ever been queued for a sink? */
enum ht_code ht_store_delivery_known(struct ht_store *st, const char *alert_id,
				     const char *state, bool *ret,
				     struct ht_err *err) HT_MUST_CHECK;

struct ht_silence {
	int64_t id;
	char rule[64], target[128]; /* globs */
	int64_t from_ns, until_ns;
	char author[64], comment[160];
};
/* Fills s->id. */
enum ht_code ht_store_silence_add(struct ht_store *st, struct ht_silence *s,
				  struct ht_err *err) HT_MUST_CHECK;
/* Ends it now; HT_NODATA when there is none that runs. */
enum ht_code ht_store_silence_end(struct ht_store *st, int64_t id,
				  int64_t now_ns,
				  struct ht_err *err) HT_MUST_CHECK;
/* Those that end after since_ns. */
enum ht_code ht_store_silences(struct ht_store *st, int64_t since_ns,
			       int (*each)(void *ctx,
					   const struct ht_silence *s),
			       void *ctx, struct ht_err *err) HT_MUST_CHECK;

#endif
