/* The sensors and what they measure. */
#ifndef SENSORS_H
#define SENSORS_H

#include <stdint.h>

#include "version.h"

enum reading { READING_OK, READING_ABSENT, READING_OPEN, READING_SHORT, READING_RANGE };

/* One channel: how to read it, and how an uplink carries it. */
struct channel {
    const char *name;
    const char *unit;
    enum reading (*read)(int32_t *hundredths);
    int32_t low;  /* smallest value sent */
    int32_t step; /* value of one unit sent */
    uint8_t bits; /* of the field; all ones mean "no value" */
};

#define CHANNELS (5 + (APP_MINOR >= 1))

extern const struct channel channels[CHANNELS];
extern const char *const reading_names[];

void sensors_start(void);

/* Shared with moisture.c. */
uint32_t adc_average(unsigned input, unsigned samples);
enum reading moisture_read(int32_t *hundredths);

#endif
