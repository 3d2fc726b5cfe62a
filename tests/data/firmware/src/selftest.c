#include "selftest.h"

#include "aes.h"
#include "crc.h"
#include "fixed.h"
#include "lib.h"
#include "mac.h"
#include "region.h"
#include "ringlog.h"
#include "settings.h"

/* FIPS 197, appendix C.1. */
static const uint8_t aes_key[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
static const uint8_t aes_plain[16] = {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
                                      0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};
static const uint8_t aes_cipher[16] = {0x69, 0xc4, 0xe0, 0xd8, 0x6a, 0x7b, 0x04, 0x30,
                                       0xd8, 0xcd, 0xb7, 0x80, 0x70, 0xb4, 0xc5, 0x5a};

/* RFC 4493, section 4. */
static const uint8_t cmac_key[16] = {0x2b, 0x7e, 0x15, 0x16, 0x28, 0xae, 0xd2, 0xa6,
                                     0xab, 0xf7, 0x15, 0x88, 0x09, 0xcf, 0x4f, 0x3c};
static const uint8_t cmac_message[40] = {
    0x6b, 0xc1, 0xbe, 0xe2, 0x2e, 0x40, 0x9f, 0x96, 0xe9, 0x3d, 0x7e, 0x11, 0x73, 0x93,
    0x17, 0x2a, 0xae, 0x2d, 0x8a, 0x57, 0x1e, 0x03, 0xac, 0x9c, 0x9e, 0xb7, 0x6f, 0xac,
    0x45, 0xaf, 0x8e, 0x51, 0x30, 0xc8, 0x1c, 0x46, 0xa3, 0x5c, 0xe4, 0x11};
static const struct {
    uint8_t count, mac[16];
} cmacs[] = {
    {0, {0xbb, 0x1d, 0x69, 0x29, 0xe9, 0x59, 0x37, 0x28, 0x7f, 0xa3, 0x7d, 0x12, 0x9b, 0x75, 0x67, 0x46}},
    {16, {0x07, 0x0a, 0x16, 0xb4, 0x6b, 0x4d, 0x41, 0x44, 0xf7, 0x9b, 0xdd, 0x9d, 0xd0, 0x4a, 0x28, 0x7c}},
    {40, {0xdf, 0xa6, 0x67, 0x47, 0xde, 0x9a, 0xe6, 0x30, 0x30, 0xca, 0x32, 0x61, 0x14, 0x97, 0xc8, 0x27}},
};

static const struct {
    int32_t value, by, quotient;
} quotients[] = {
    {7, 2, 4},
    {100, 16, 6},
    {9, 10, 1},
#if APP_MINOR >= 1
    {-7, 2, -4},
    {-100, 16, -6},
    {-9, 10, -1},
    {-4, 10, 0},
#endif
};

static bool check(bool good, const char *what)
{
    if (!good)
        LOG_ERROR("self-test: %s is wrong", what, 0, 0);
    return good;
}

bool selftest(void)
{
    struct aes aes;
    uint8_t out[16];
    bool good = true;
    aes_set_key(&aes, aes_key);
    aes_encrypt(&aes, aes_plain, out);
    good &= check(memcmp(out, aes_cipher, 16) == 0, "AES-128");
    for (unsigned i = 0; i < COUNT(cmacs); i++) {
        aes_cmac(cmac_key, 0, cmac_message, cmacs[i].count, out);
        good &= check(memcmp(out, cmacs[i].mac, 16) == 0, "AES-CMAC");
    }
    good &= check(crc16("123456789", 9) == 0x29b1u, "CRC-16");
    good &= check(crc32("123456789", 9) == 0xcbf43926u, "CRC-32");
    good &= check(sine(0) == 0 && sine(0x4000) == 32767 && sine(0xc000) == -32767, "sine");
    good &= check(sine(0x2000) == 23170 && cosine(0x2000) == 23170, "sine of an eighth");
    good &= check(square_root(0xfffe0001u) == 65535u && square_root(24) == 4u, "square root");
    good &= check(log2_q16(1) == 0 && log2_q16(4096) == 12 << 16, "logarithm");
    good &= check(decibels(1000, 1) == 300 && decibels(10, 1) == 100, "decibels");
    for (unsigned i = 0; i < COUNT(quotients); i++)
        good &= check(divide_round(quotients[i].value, quotients[i].by) == quotients[i].quotient,
                      "rounding");
    good &= check(airtime_us(0, 23) == 1482752u && airtime_us(5, 64) == 118016u, "time on the air");
    if (good)
        LOG_INFO("self-test: all good", 0, 0, 0);
    return good;
}
