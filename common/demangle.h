/* SPDX-License-Identifier: Apache-2.0 */
/* Demangle: the name of a C++ type as a type_info has it ("N3foo3BarE"), and
 * symbols of C++ and Rust, in the words of their source ("foo::Bar"). */
#ifndef HT_COMMON_DEMANGLE_H
#define HT_COMMON_DEMANGLE_H

#include <stddef.h>

/* Itanium C++ ABI, 5.1: names, nested and of std, templates with types and
 * whole numbers, builtin types, pointers, references, const. Symbols "_ZTV..."
 * become "vtable for ...". What is beyond that, or no mangled name, is copied
 * as it is: never a wrong name. Returns out. */
const char *ht_demangle(const char *mangled, char *out, size_t size);
/* A function's symbol: its name without its parameters ("Session::open"). As
 * it is where that cannot be told. Returns out. */
const char *ht_demangle_function(const char *symbol, char *out, size_t size);

#endif
