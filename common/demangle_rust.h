/* SPDX-License-Identifier: Apache-2.0 */
/* Demangle Rust: symbols of both of its manglings ("_R...", and "_ZN...17h"
 * with a hash), by libiberty. */
#ifndef HT_COMMON_DEMANGLE_RUST_H
#define HT_COMMON_DEMANGLE_RUST_H

#include <stdbool.h>
#include <stddef.h>

/* The path in the words of its source, without the hash; cut off to size.
 * false: it is none of Rust's, or does not end (a hostile one says the same
 * again and again); out is undefined. */
bool ht_demangle_rust(const char *symbol, char *out, size_t size);

#endif
