-- SPDX-License-Identifier: Apache-2.0
-- Where the stack of the main thread ends. NULL in older rows.
ALTER TABLE limits ADD COLUMN rlimit_stack INTEGER;
