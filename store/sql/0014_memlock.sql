-- SPDX-License-Identifier: Apache-2.0
-- What is locked in memory, and how much may be. NULL in older rows.
ALTER TABLE limits ADD COLUMN rlimit_memlock INTEGER;
ALTER TABLE sample ADD COLUMN locked INTEGER;
ALTER TABLE sample ADD COLUMN locked_limit INTEGER;
ALTER TABLE rollup ADD COLUMN locked INTEGER;
ALTER TABLE rollup ADD COLUMN locked_limit INTEGER;
