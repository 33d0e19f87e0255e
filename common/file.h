/* SPDX-License-Identifier: Apache-2.0 */
/*
 * File: opening what is meant to be a regular file, named by a person. What it
 * is is looked at first: opening a FIFO waits for a writer, opening a device
 * may do something, and /dev/zero has no end.
 */
#ifndef HT_COMMON_FILE_H
#define HT_COMMON_FILE_H

#include <stdint.h>
#include <sys/stat.h>

#include "common/err.h"

/* "a directory", "a FIFO", ...; "a file" for a regular one. Static. */
const char *ht_file_kind(mode_t mode);

/* Opens path for reading; *ret is the caller's to close. `code` is returned
 * where it is no regular file or larger than max_bytes (0: any size); where the
 * system refuses it is `code` as well, with err->os_errno set. */
enum ht_code ht_file_open(const char *path, uint64_t max_bytes,
			  enum ht_code code, int *ret,
			  struct ht_err *err) HT_MUST_CHECK;

/* What lies at path, if anything, is a regular file: for what a library opens
 * or makes by its name. */
enum ht_code ht_file_check(const char *path, enum ht_code code,
			   struct ht_err *err) HT_MUST_CHECK;

#endif
