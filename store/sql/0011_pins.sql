-- SPDX-License-Identifier: Apache-2.0
-- A row of an arena holds until the next of that arena, within its base: a pin
-- that rests was seen as long, and in as many samples.
DROP VIEW pins;
CREATE VIEW pins AS
WITH said AS (
	SELECT s.process_id, s.at_ns, s.base_id, s.detail, a.address,
		a.pin_address, a.pin_size, a.pin_holds, a.gone,
		lead(s.at_ns) OVER (PARTITION BY s.process_id, a.arena
			ORDER BY s.id) AS next_ns
	FROM arena a JOIN sample s ON s.id = a.sample_id
), held AS (
	SELECT w.*, CASE WHEN w.detail > 2 THEN w.at_ns ELSE (
			SELECT max(t.at_ns) FROM sample t
			WHERE t.process_id = w.process_id
			AND t.at_ns BETWEEN w.at_ns AND
				ifnull(w.next_ns - 1, w.at_ns + 3600000000000)
			AND t.base_id = w.base_id AND t.detail > 0)
		END AS until_ns,
		CASE WHEN w.detail > 2 THEN 1 ELSE (
			SELECT count(*) FROM sample t
			WHERE t.process_id = w.process_id
			AND t.at_ns BETWEEN w.at_ns AND
				ifnull(w.next_ns - 1, w.at_ns + 3600000000000)
			AND t.base_id = w.base_id AND t.detail > 0)
		END AS samples
	FROM said w WHERE w.pin_address IS NOT NULL AND w.gone IS NULL
)
SELECT h.process_id, p.target, p.comm, p.pid,
	printf('0x%x', h.address) AS arena,
	printf('0x%x', h.pin_address) AS address, h.pin_size AS size,
	strftime('%Y-%m-%d %H:%M:%S', min(h.at_ns) / 1000000000, 'unixepoch')
		AS first_seen,
	strftime('%Y-%m-%d %H:%M:%S', max(h.until_ns) / 1000000000,
		'unixepoch') AS last_seen,
	round((max(h.until_ns) - min(h.at_ns)) / 3600e9, 2) AS hours,
	sum(h.samples) AS samples, min(h.pin_holds) AS holds_min,
	max(h.pin_holds) AS holds_max
FROM held h JOIN process p ON p.id = h.process_id
GROUP BY h.process_id, h.address, h.pin_address, h.pin_size
ORDER BY max(h.until_ns) DESC, max(h.pin_holds) DESC;
