-- SPDX-License-Identifier: Apache-2.0
-- Limits other than bytes, the cgroup by name, what a trim gives the machine,
-- the cache that a pin is in, mappings with their size. NULL in older rows.
ALTER TABLE memory ADD COLUMN mappings INTEGER;
ALTER TABLE memory ADD COLUMN descriptors INTEGER;
ALTER TABLE limits ADD COLUMN cgroup_path TEXT;
ALTER TABLE limits ADD COLUMN max_map_count INTEGER;
ALTER TABLE limits ADD COLUMN rlimit_nofile INTEGER;
ALTER TABLE limits ADD COLUMN threads_max INTEGER;
ALTER TABLE limits ADD COLUMN threads_max_of TEXT;
ALTER TABLE totals ADD COLUMN trimmable_private INTEGER;
ALTER TABLE arena ADD COLUMN pin_cached_by INTEGER;
ALTER TABLE mapping_rollup ADD COLUMN size INTEGER;
ALTER TABLE mapping_rollup ADD COLUMN resident INTEGER;
ALTER TABLE sample ADD COLUMN mappings INTEGER;
ALTER TABLE sample ADD COLUMN mappings_limit INTEGER;
ALTER TABLE sample ADD COLUMN descriptors INTEGER;
ALTER TABLE sample ADD COLUMN descriptors_limit INTEGER;
ALTER TABLE sample ADD COLUMN threads_limit INTEGER;
ALTER TABLE sample ADD COLUMN trimmable_private INTEGER;
ALTER TABLE sample ADD COLUMN pss INTEGER;
ALTER TABLE rollup ADD COLUMN mappings INTEGER;
ALTER TABLE rollup ADD COLUMN mappings_limit INTEGER;
ALTER TABLE rollup ADD COLUMN descriptors INTEGER;
ALTER TABLE rollup ADD COLUMN descriptors_limit INTEGER;
ALTER TABLE rollup ADD COLUMN threads_limit INTEGER;
ALTER TABLE rollup ADD COLUMN trimmable_private INTEGER;
ALTER TABLE rollup ADD COLUMN pss INTEGER;
