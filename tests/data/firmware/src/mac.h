/* LoRaWAN 1.0.x, class A: joining, uplinks, downlinks, MAC commands. */
#ifndef MAC_H
#define MAC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "version.h"

#define MAC_FRAME_MAX 255
#define MAC_CHANNELS 16

struct mac {
    bool joined;
    uint32_t address;
    uint8_t network_key[16];
    uint8_t application_key[16];
    uint32_t up, down; /* the next counters */
    uint16_t nonce;
    uint8_t data_rate, power, repeats, delay_s;
    uint8_t rx1_offset, rx2_data_rate;
    uint32_t rx2_frequency;
    uint32_t channels[MAC_CHANNELS];
    uint16_t mask;
    bool acknowledge, acknowledged;
    uint8_t duty_cycle;
    uint8_t unheard; /* uplinks since the last downlink */
    int8_t margin;
    uint32_t quiet_until;
    uint8_t answers[15], answer_count;
#if APP_MINOR >= 1
    bool ask_time;
    uint32_t gps_time; /* seconds since 1980 at start; 0 unknown */
#endif
};

struct downlink {
    uint8_t port; /* 0 if there was none */
    uint8_t data[242];
    size_t count;
};

extern struct mac mac;

void mac_start(void);

/* The frames themselves, without a radio. */
size_t mac_join_request(uint8_t frame[23]);
bool mac_join_accept(const uint8_t *frame, size_t count);
size_t mac_uplink(uint8_t frame[MAC_FRAME_MAX], uint8_t port, const uint8_t *data, size_t count,
                  bool confirmed);
bool mac_downlink(const uint8_t *frame, size_t count, struct downlink *downlink);

/* With the radio, receive windows and all. */
bool mac_join(void);
bool mac_send(uint8_t port, const uint8_t *data, size_t count, bool confirmed,
              struct downlink *downlink);

#endif
