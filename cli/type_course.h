/* SPDX-License-Identifier: Apache-2.0 */
/* Type course: what chunks were over time, of a target of the history at whose
 * types somebody looked: `types --since`, `trend --by type`. */
#ifndef HT_CLI_TYPE_COURSE_H
#define HT_CLI_TYPE_COURSE_H

#include <jansson.h>

#include "cli/commands.h"
#include "schema/type_looks.h"
#include "store/store.h"

/* The looks at the TARGET in the window that the options name. HT_NODATA: there
 * is none. ret: zeroed. */
enum ht_code ht_type_course_read(struct ht_cli *cli,
				 struct ht_store_process *ret_process,
				 struct ht_type_looks *ret,
				 struct ht_err *err) HT_MUST_CHECK;
/* "heaptide.types_series/1"; NULL: no memory. */
json_t *ht_type_course_json(const struct ht_store_process *p,
			    const struct ht_type_looks *l);
/* All of it: `types --since`, a table. */
enum ht_code ht_type_course(struct ht_cli *cli,
			    struct ht_err *err) HT_MUST_CHECK;
/* All of it: `trend --by type`, plots of what moved most, or CSV. */
enum ht_code ht_type_trend(struct ht_cli *cli,
			   struct ht_err *err) HT_MUST_CHECK;

#endif
