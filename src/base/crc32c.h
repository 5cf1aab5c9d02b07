#ifndef BASE_CRC32C_H
#define BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/*
 * CRC-32C (Castagnoli), as RFC 3720 and S3 have it: polynomial 0x1edc6f41, bits
 * reflected, inverted at both ends. Any thread may call.
 */

/* Of `crc`, the checksum of what came before (0: nothing did), and of `data`. */
uint32_t crc32c_update(uint32_t crc, const void *data, size_t len);

/* Of two pieces, one behind the other, from their checksums. */
uint32_t crc32c_combine(uint32_t first, uint32_t second, uint64_t second_len);

#endif
