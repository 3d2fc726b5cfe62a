/* What the regional parameters fix: data rates, channels, powers, duty cycles. */
#ifndef REGION_H
#define REGION_H

#include <stddef.h>
#include <stdint.h>

struct data_rate {
    uint8_t spreading;
    uint16_t kilohertz;
    uint8_t payload; /* largest application payload without FOpts */
};

struct region {
    const char *name;
    uint8_t defaults;
    uint32_t channels[3];
    uint32_t rx2_frequency;
    uint8_t rx2_data_rate;
    int8_t power_dbm;
    uint8_t power_steps;
    uint32_t low, high;
    uint16_t duty_cycle; /* uplinks wait this many times their airtime */
};

#define DATA_RATES 7

extern const struct data_rate data_rates[DATA_RATES];
extern const struct region regions[4];

/* Microseconds a frame of so many octets is on the air. */
uint32_t airtime_us(unsigned data_rate, size_t octets);

#endif
