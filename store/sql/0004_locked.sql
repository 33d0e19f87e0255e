-- SPDX-License-Identifier: Apache-2.0
-- Memory that the kernel does not take back on madvise(): locked, or of the
-- huge page pool; and what khugepaged may fill again. NULL in older rows.
ALTER TABLE memory ADD COLUMN locked INTEGER;
ALTER TABLE memory ADD COLUMN huge_pool INTEGER;
ALTER TABLE memory ADD COLUMN anon_huge INTEGER;
