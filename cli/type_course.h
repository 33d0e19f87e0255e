/* SPDX-License-Identifier: Apache-2.0 */
/* Type course: what chunks were over time, of a target of the history at whose
 * types somebody looked: `types --since`. */
#ifndef HT_CLI_TYPE_COURSE_H
#define HT_CLI_TYPE_COURSE_H

#include "cli/commands.h"

enum ht_code ht_type_course(struct ht_cli *cli,
			    struct ht_err *err) HT_MUST_CHECK;

#endif
