#include "payload.h"

#include "bus.h"
#include "fixed.h"
#include "lib.h"
#include "ringlog.h"
#include "settings.h"
#include "time.h"

#define FORMAT (APP_MINOR + 1u)
#define FLAG_ALARM 1u
#define FLAG_FAULT 2u

void sample_take(struct sample *sample)
{
    sample->when = uptime_s();
    for (unsigned i = 0; i < CHANNELS; i++) {
        sample->value[i] = 0;
        sample->reading[i] = channels[i].read(&sample->value[i]);
        if (sample->reading[i] != READING_OK)
            LOG_WARNING("%s: %s", channels[i].name, reading_names[sample->reading[i]], 0);
        else
            LOG_DEBUG("%s: %q %s", channels[i].name, sample->value[i], channels[i].unit);
    }
}

void sample_show(const struct sample *sample)
{
    for (unsigned i = 0; i < CHANNELS; i++) {
        if (sample->reading[i] == READING_OK)
            print("  %12s %8q %s\n", channels[i].name, sample->value[i], channels[i].unit);
        else
            print("  %12s (%s)\n", channels[i].name, reading_names[sample->reading[i]]);
    }
}

static void put_bits(uint8_t *to, unsigned *at, uint32_t value, unsigned bits)
{
    while (bits--) {
        if (value >> bits & 1u)
            to[*at / 8] |= (uint8_t)(0x80u >> *at % 8);
        (*at)++;
    }
}

size_t payload_encode(const struct sample *sample, uint8_t to[PAYLOAD_MAX])
{
    unsigned at = 16;
    memset(to, 0, PAYLOAD_MAX);
    to[0] = (uint8_t)(FORMAT << 4);
    for (unsigned i = 0; i < CHANNELS; i++) {
        const struct channel *channel = &channels[i];
        if (sample->reading[i] == READING_ABSENT)
            continue;
        to[1] |= (uint8_t)(1u << i);
        uint32_t none = (1u << channel->bits) - 1u, field = none;
        if (sample->reading[i] == READING_OK) {
            int32_t steps = divide_round(sample->value[i] - channel->low, channel->step);
            if (steps < 0)
                steps = 0;
            if ((uint32_t)steps >= none)
                steps = (int32_t)none - 1;
            field = (uint32_t)steps;
        } else {
            to[0] |= FLAG_FAULT;
        }
        put_bits(to, &at, field, channel->bits);
    }
    for (unsigned i = 0; i < 2; i++) {
        int32_t value = sample->value[i];
        if (sample->reading[i] == READING_OK &&
            (value < settings.alarm_low || value > settings.alarm_high))
            to[0] |= FLAG_ALARM;
    }
    return (at + 7) / 8;
}
