/* What a user sets; kept over a reset, guarded by a CRC. */
#ifndef SETTINGS_H
#define SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

struct settings {
    uint32_t magic;
    int32_t interval_s;
    int32_t data_rate;
    int32_t confirmed;
    int32_t adaptive;
    int32_t power;
    int32_t region;
    int32_t chemistry;
    int32_t probe_offset;
    int32_t alarm_low;
    int32_t alarm_high;
    int32_t soil;
    uint8_t dev_eui[8];
    uint8_t join_eui[8];
    uint8_t app_key[16];
    uint32_t crc;
};

extern struct settings settings;

void settings_start(void);
void settings_default(void);
void settings_show(void);

/* Set by name; says what is wrong with it on the console. */
bool settings_set(const char *name, const char *value);

#endif
