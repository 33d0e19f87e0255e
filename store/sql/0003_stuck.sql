-- SPDX-License-Identifier: Apache-2.0
-- Two of the causes of RSS become metrics: what shares pages with bytes in use,
-- and the tops that malloc_trim(0) leaves. NULL in what was recorded before.
ALTER TABLE sample ADD COLUMN stuck INTEGER;
ALTER TABLE sample ADD COLUMN tops_kept INTEGER;
ALTER TABLE rollup ADD COLUMN stuck INTEGER;
ALTER TABLE rollup ADD COLUMN tops_kept INTEGER;
