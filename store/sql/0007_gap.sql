-- SPDX-License-Identifier: Apache-2.0
-- The longest that a thread of the process may have waited for a sample.
ALTER TABLE stop ADD COLUMN gap_us INTEGER;
