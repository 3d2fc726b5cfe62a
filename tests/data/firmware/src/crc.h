/* Check sums. */
#ifndef CRC_H
#define CRC_H

#include <stddef.h>
#include <stdint.h>

uint16_t crc16(const void *from, size_t count);
uint32_t crc32(const void *from, size_t count);

#endif
