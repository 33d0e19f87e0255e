-- SPDX-License-Identifier: Apache-2.0
-- Upkeep looks for samples by what is kept of them, and most keep nothing; for
-- processes with an hour to be rolled up, and most have none.
DROP INDEX sample_by_detail;
CREATE INDEX sample_by_detail ON sample (detail, at_ns) WHERE detail > 0;
CREATE INDEX process_to_roll ON process (rolled_s)
WHERE last_ns >= rolled_s * 1000000000;

-- From here on, in rollup: a bucket of at most 10 samples has no p10, which is
-- its min then. In class_rollup: min and max are NULL where they equal the
-- median, p10 is where it equals min.
