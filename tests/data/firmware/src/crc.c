#include "crc.h"

static const uint16_t crc16_table[256] = {
#include "tables/crc16.inc"
};

static const uint32_t crc32_table[256] = {
#include "tables/crc32.inc"
};

uint16_t crc16(const void *from, size_t count)
{
    const uint8_t *in = from;
    uint16_t crc = 0xffff;
    while (count--)
        crc = (uint16_t)(crc << 8) ^ crc16_table[(crc >> 8) ^ *in++];
    return crc;
}

uint32_t crc32(const void *from, size_t count)
{
    const uint8_t *in = from;
    uint32_t crc = 0xffffffffu;
    while (count--)
        crc = crc >> 8 ^ crc32_table[(crc ^ *in++) & 0xffu];
    return ~crc;
}
