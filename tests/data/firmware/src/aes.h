/* AES-128 (encryption only: LoRaWAN devices never need the other way) and AES-CMAC. */
#ifndef AES_H
#define AES_H

#include <stddef.h>
#include <stdint.h>

#define AES_BLOCK 16

struct aes {
    uint32_t round_keys[44];
};

void aes_set_key(struct aes *aes, const uint8_t key[AES_BLOCK]);
void aes_encrypt(const struct aes *aes, const uint8_t in[AES_BLOCK], uint8_t out[AES_BLOCK]);

/* CMAC over one optional leading block and then count octets. */
void aes_cmac(const uint8_t key[AES_BLOCK], const uint8_t *first, const uint8_t *from,
              size_t count, uint8_t mac[AES_BLOCK]);

#endif
