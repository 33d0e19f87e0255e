-- SPDX-License-Identifier: Apache-2.0
-- Fragmentation becomes metrics: shares (REAL, 0..1 but for peak_overhead) and
-- free runs by size, in bytes and by number.
ALTER TABLE sample ADD COLUMN external REAL;
ALTER TABLE sample ADD COLUMN retained_ratio REAL;
ALTER TABLE sample ADD COLUMN page_utilisation REAL;
ALTER TABLE sample ADD COLUMN stuck_ratio REAL;
ALTER TABLE sample ADD COLUMN unusable_median REAL;
ALTER TABLE sample ADD COLUMN unusable_p95 REAL;
ALTER TABLE sample ADD COLUMN peak_overhead REAL;
ALTER TABLE sample ADD COLUMN holes_lt_4k INTEGER;
ALTER TABLE sample ADD COLUMN holes_4k_64k INTEGER;
ALTER TABLE sample ADD COLUMN holes_64k_1m INTEGER;
ALTER TABLE sample ADD COLUMN holes_ge_1m INTEGER;
ALTER TABLE sample ADD COLUMN holes_lt_4k_count INTEGER;
ALTER TABLE sample ADD COLUMN holes_4k_64k_count INTEGER;
ALTER TABLE sample ADD COLUMN holes_64k_1m_count INTEGER;
ALTER TABLE sample ADD COLUMN holes_ge_1m_count INTEGER;
ALTER TABLE rollup ADD COLUMN external REAL;
ALTER TABLE rollup ADD COLUMN retained_ratio REAL;
ALTER TABLE rollup ADD COLUMN page_utilisation REAL;
ALTER TABLE rollup ADD COLUMN stuck_ratio REAL;
ALTER TABLE rollup ADD COLUMN unusable_median REAL;
ALTER TABLE rollup ADD COLUMN unusable_p95 REAL;
ALTER TABLE rollup ADD COLUMN peak_overhead REAL;
ALTER TABLE rollup ADD COLUMN holes_lt_4k INTEGER;
ALTER TABLE rollup ADD COLUMN holes_4k_64k INTEGER;
ALTER TABLE rollup ADD COLUMN holes_64k_1m INTEGER;
ALTER TABLE rollup ADD COLUMN holes_ge_1m INTEGER;
ALTER TABLE rollup ADD COLUMN holes_lt_4k_count INTEGER;
ALTER TABLE rollup ADD COLUMN holes_4k_64k_count INTEGER;
ALTER TABLE rollup ADD COLUMN holes_64k_1m_count INTEGER;
ALTER TABLE rollup ADD COLUMN holes_ge_1m_count INTEGER;

-- Samples whose rows are still kept say it in table fragmentation; a sample
-- without a row of its own equals the newest one before it, down to its base.
UPDATE sample SET (
	external, retained_ratio, page_utilisation, stuck_ratio,
	unusable_median, unusable_p95, peak_overhead, holes_lt_4k,
	holes_4k_64k, holes_64k_1m, holes_ge_1m, holes_lt_4k_count,
	holes_4k_64k_count, holes_64k_1m_count, holes_ge_1m_count
) = (SELECT
	f.external, f.retained_ratio, f.page_utilisation, f.stuck_ratio,
	f.unusable_median, f.unusable_p95, f.peak_overhead, f.holes_lt_4k,
	f.holes_4k_64k, f.holes_64k_1m, f.holes_ge_1m, f.holes_lt_4k_count,
	f.holes_4k_64k_count, f.holes_64k_1m_count, f.holes_ge_1m_count
	FROM fragmentation f CROSS JOIN sample b ON b.id = f.sample_id
	WHERE f.sample_id BETWEEN sample.base_id AND sample.id
		AND b.process_id = sample.process_id
	ORDER BY f.sample_id DESC LIMIT 1)
WHERE detail > 0;
