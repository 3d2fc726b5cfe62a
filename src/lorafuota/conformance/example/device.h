/* A device for firmware updates over the air, and what it needs of its owner.
 *
 * TS004-1.0.0 (fragmentation, FPort 201) and TS005-1.0.0 (multicast groups and class C sessions,
 * FPort 200).  Link layer, clock and flash are the owner's: payloads arrive in the clear, times are
 * GPS milliseconds, and whatever the device wants it says through the owner_ functions.
 */
#ifndef DEVICE_H
#define DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAG_SESSIONS 3 /* FragIndex 0, 1, 2 */
#define MC_GROUPS 3     /* McGroupID 0, 1, 2 */
#define MAX_NB_FRAG 512
#define MAX_FRAG_SIZE 255
#define MAX_BLOCK 130560 /* octets: 512 fragments of 255 */
#define MAX_PAYLOAD 242 /* octets in an uplink */

/* What the device says of itself to the kit, as members of a JSON object. */
#define TEXT_OF(number) #number
#define TEXT(name) TEXT_OF(name)
#define DEVICE_ABOUT                                                     \
    "\"name\": \"example in C\", "                                       \
    "\"versions\": {\"fragmentation\": 1, \"multicastsetup\": 1}, "      \
    "\"can\": [\"blocks\", \"class-c\", \"power-cycle\"], "              \
    "\"mc_groups\": " TEXT(MC_GROUPS) ", "                               \
    "\"frag_indices\": " TEXT(FRAG_SESSIONS) ", "                        \
    "\"max_nb_frag\": " TEXT(MAX_NB_FRAG) ", "                           \
    "\"max_block_octets\": " TEXT(MAX_BLOCK) ", "                        \
    "\"max_payload\": " TEXT(MAX_PAYLOAD) ", "                           \
    "\"wrong_descriptor\": \"ffffffff\""

#define NEVER UINT64_MAX

/* --- What the owner calls --- */

/* Who the device is. */
struct identity {
    uint8_t dev_eui[8]; /* most significant octet first */
    uint32_t dev_addr;
    uint8_t root_key[16]; /* what the keys of TS004 version 2 and of TS005 are derived from */
    bool lorawan_1_1;     /* the root key is AppKey of LoRaWAN 1.1, not GenAppKey of 1.0.x */
};

/* Start, or start again.  From the factory everything is forgotten; otherwise groups, sessions and
 * their fragments are still there, as they are in a device that keeps them in flash.  The identity
 * is the owner's, and gone when this returns: copy what is needed. */
void device_start(uint64_t now, bool from_factory, bool clock_known,
                  const struct identity *identity);

/* Take a payload that came by unicast. */
void device_unicast(uint64_t now, uint8_t fport, const uint8_t *payload, size_t size);

/* Take a payload that came to a multicast address, with all 32 bits of its frame counter. */
void device_multicast(uint64_t now, uint32_t mc_addr, uint32_t fcnt, uint8_t fport,
                      const uint8_t *payload, size_t size);

/* Take a multicast frame as it is on air, MHDR to MIC.  Only a device that says "frames" gets them,
 * and then nothing through device_multicast. */
void device_multicast_frame(uint64_t now, const uint8_t *phy, size_t size);

/* Do what is due.  Harmless when called too early or too often. */
void device_tick(uint64_t now);

/* When device_tick next has something to do, or NEVER. */
uint64_t device_next(uint64_t now);

/* --- What the owner provides --- */

/* Send a payload by unicast. */
void owner_send(uint8_t fport, const uint8_t *payload, size_t size);

/* Listen in class 'B' or 'C' for a group from now on, or in class 'A' again.  NO_GROUP: for none in
 * particular. */
void owner_listen(char device_class, int mc_group_id);

#define NO_GROUP (-1)

/* Take a block that is complete, without padding. */
void owner_block(int frag_index, const uint8_t *data, size_t size);

/* A block was given up, or has another MIC than was announced. */
void owner_block_lost(int frag_index);

/* Reboot now, because a command told so: device_start follows, not from the factory. */
void owner_reboot(void);

/* 32 random bits. */
uint32_t owner_random(void);

#endif
