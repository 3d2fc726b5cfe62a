#include "aes.h"

#include "lib.h"

static const uint8_t sbox[256] = {
#include "tables/sbox.inc"
};

/* SubBytes and MixColumns in one look-up; the other three are rotations of it. */
static const uint32_t column[256] = {
#include "tables/aes_column.inc"
};

static uint32_t get_be(const uint8_t *from)
{
    return (uint32_t)from[0] << 24 | (uint32_t)from[1] << 16 | (uint32_t)from[2] << 8 | from[3];
}

static void put_be(uint8_t *to, uint32_t value)
{
    to[0] = (uint8_t)(value >> 24);
    to[1] = (uint8_t)(value >> 16);
    to[2] = (uint8_t)(value >> 8);
    to[3] = (uint8_t)value;
}

static uint32_t rotate(uint32_t value, unsigned by)
{
    return value >> by | value << (32 - by);
}

static uint32_t substitute(uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
    return (uint32_t)sbox[a >> 24] << 24 | (uint32_t)sbox[b >> 16 & 0xff] << 16 |
           (uint32_t)sbox[c >> 8 & 0xff] << 8 | sbox[d & 0xff];
}

void aes_set_key(struct aes *aes, const uint8_t key[AES_BLOCK])
{
    uint32_t *w = aes->round_keys;
    uint32_t constant = 1;
    for (unsigned i = 0; i < 4; i++)
        w[i] = get_be(key + 4 * i);
    for (unsigned i = 4; i < 44; i++) {
        uint32_t word = w[i - 1];
        if (i % 4 == 0) {
            word = rotate(word, 24);
            word = substitute(word, word, word, word) ^ constant << 24;
            constant = constant << 1 ^ (constant & 0x80 ? 0x11b : 0);
        }
        w[i] = w[i - 4] ^ word;
    }
}

static uint32_t mix(uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
    return column[a >> 24] ^ rotate(column[b >> 16 & 0xff], 8) ^
           rotate(column[c >> 8 & 0xff], 16) ^ rotate(column[d & 0xff], 24);
}

void aes_encrypt(const struct aes *aes, const uint8_t in[AES_BLOCK], uint8_t out[AES_BLOCK])
{
    const uint32_t *w = aes->round_keys;
    uint32_t a = get_be(in) ^ w[0], b = get_be(in + 4) ^ w[1];
    uint32_t c = get_be(in + 8) ^ w[2], d = get_be(in + 12) ^ w[3];
    for (unsigned round = 1; round < 10; round++) {
        w += 4;
        uint32_t p = mix(a, b, c, d) ^ w[0], q = mix(b, c, d, a) ^ w[1];
        uint32_t r = mix(c, d, a, b) ^ w[2], s = mix(d, a, b, c) ^ w[3];
        a = p, b = q, c = r, d = s;
    }
    w += 4;
    put_be(out, substitute(a, b, c, d) ^ w[0]);
    put_be(out + 4, substitute(b, c, d, a) ^ w[1]);
    put_be(out + 8, substitute(c, d, a, b) ^ w[2]);
    put_be(out + 12, substitute(d, a, b, c) ^ w[3]);
}

static void double_block(uint8_t block[AES_BLOCK])
{
    uint8_t carry = block[0] >> 7;
    for (unsigned i = 0; i < AES_BLOCK - 1; i++)
        block[i] = (uint8_t)(block[i] << 1 | block[i + 1] >> 7);
    block[AES_BLOCK - 1] = (uint8_t)(block[AES_BLOCK - 1] << 1 ^ (carry ? 0x87 : 0));
}

static void add_block(uint8_t to[AES_BLOCK], const uint8_t *from)
{
    for (unsigned i = 0; i < AES_BLOCK; i++)
        to[i] ^= from[i];
}

void aes_cmac(const uint8_t key[AES_BLOCK], const uint8_t *first, const uint8_t *from,
              size_t count, uint8_t mac[AES_BLOCK])
{
    struct aes aes;
    uint8_t subkey[AES_BLOCK] = {0}, last[AES_BLOCK] = {0};
    aes_set_key(&aes, key);
    aes_encrypt(&aes, subkey, subkey);
    double_block(subkey);
    memset(mac, 0, AES_BLOCK);
    if (first) {
        add_block(mac, first);
        aes_encrypt(&aes, mac, mac);
    }
    for (; count > AES_BLOCK; count -= AES_BLOCK, from += AES_BLOCK) {
        add_block(mac, from);
        aes_encrypt(&aes, mac, mac);
    }
    memcpy(last, from, count);
    if (count < AES_BLOCK) {
        last[count] = 0x80;
        double_block(subkey);
    }
    add_block(mac, last);
    add_block(mac, subkey);
    aes_encrypt(&aes, mac, mac);
    memset(&aes, 0, sizeof aes);
}
