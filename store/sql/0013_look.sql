-- SPDX-License-Identifier: Apache-2.0
-- Whether every chunk was read (full), or what malloc keeps (light). NULL in
-- older rows: full.
ALTER TABLE stop ADD COLUMN look TEXT;
