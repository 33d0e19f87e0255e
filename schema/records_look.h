/* SPDX-License-Identifier: Apache-2.0 */
/* Records of how thorough a look was: included by records.h, as its lists are.
 */
#ifndef HT_SCHEMA_RECORDS_LOOK_H
#define HT_SCHEMA_RECORDS_LOOK_H

/* clang-format off */
#define HT_LOOK_NAMES(X)                                                \
	X(FULL, "full")                                                 \
	X(LIGHT, "light")
/* How figures were obtained. */
#define HT_HOW_NAMES(X)                                                 \
	X(EXACT, "exact")                                               \
	X(DERIVED, "derived")                                           \
	X(SLICES, "slices")                                             \
	X(ESTIMATED, "estimated")                                       \
	X(UNKNOWN, "unknown")
/* clang-format on */

/* Of a light look: each group of figures. In a full look all are exact, but for
 * stop.uncertain_bytes, and of this look. */
#define HT_QUALITY_FIELDS(F)                                                   \
	F(TEXT, figures, 24, "which group of figures")                         \
	F(ENUM, how, ht_how_names, "how they were obtained")                   \
	F(U64, age_us, 0, "age of the oldest of them; null: there are none")   \
	F(F64, off, 0, "may be off by this share; null: not known")            \
	F(U64, done, 0, "slices: bytes of heap of this round walked so far")   \
	F(U64, of, 0, "slices: bytes of heap there are")

#endif
