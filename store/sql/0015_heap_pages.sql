-- SPDX-License-Identifier: Apache-2.0
-- What of a heap is resident, by address. NULL in older rows.
ALTER TABLE heap ADD COLUMN pages TEXT;
