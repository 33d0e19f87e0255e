-- SPDX-License-Identifier: Apache-2.0
-- What an alert's value was held against. NULL in older rows.
ALTER TABLE alert ADD COLUMN level REAL;
