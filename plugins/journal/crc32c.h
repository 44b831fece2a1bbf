/* crc32c.h - CRC-32C (Castagnoli; RFC 3720, appendix B.4). SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_JOURNAL_CRC32C_H
#define PENSTOCK_JOURNAL_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* The CRC of bytes whose first part has the CRC `crc` (0: none yet). Uses the CPU's own instruction where it has one. Any thread. */
uint32_t pen_crc32c(uint32_t crc, const void *bytes, size_t n);
/* The same by tables alone; for tests, and what the above falls back to. */
uint32_t pen_crc32c_portable(uint32_t crc, const void *bytes, size_t n);

#endif
