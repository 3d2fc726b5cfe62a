/* The application payload: a version, a mask of channels, then a field of bits for each. */
#ifndef PAYLOAD_H
#define PAYLOAD_H

#include <stddef.h>
#include <stdint.h>

#include "sensors.h"

#define PAYLOAD_PORT 10
#define PAYLOAD_MAX 16

struct sample {
    uint32_t when;
    enum reading reading[CHANNELS];
    int32_t value[CHANNELS];
};

void sample_take(struct sample *sample);
void sample_show(const struct sample *sample);
size_t payload_encode(const struct sample *sample, uint8_t to[PAYLOAD_MAX]);

#endif
