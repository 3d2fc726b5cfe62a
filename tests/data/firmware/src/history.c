#include "history.h"

#include "bus.h"
#include "lib.h"

/* Each record is a length, then the differences from the sample before, zigzag and varint:
 * a steady day of samples takes about eight octets each. A full ring drops its oldest. */
#define OCTETS 4096u

static uint8_t ring[OCTETS];
static uint32_t head, tail;
static struct sample newest, oldest; /* oldest: what the record at the tail is a difference to */

static unsigned varint(uint8_t *to, int32_t value)
{
    uint32_t folded = (uint32_t)value << 1 ^ (uint32_t)(value >> 31);
    unsigned count = 0;
    for (; folded >= 0x80u; folded >>= 7)
        to[count++] = (uint8_t)(folded | 0x80u);
    to[count++] = (uint8_t)folded;
    return count;
}

static uint32_t forward(uint32_t at, struct sample *sample)
{
    uint32_t next = at + 1u + ring[at % OCTETS];
    at++;
    for (unsigned field = 0; field <= CHANNELS; field++) {
        uint32_t folded = 0;
        unsigned shift = 0;
        uint8_t octet;
        do {
            octet = ring[at++ % OCTETS];
            folded |= (octet & 0x7fu) << shift;
            shift += 7;
        } while (octet & 0x80u);
        int32_t change = (int32_t)(folded >> 1 ^ -(folded & 1u));
        if (field == 0)
            sample->when += (uint32_t)change;
        else
            sample->value[field - 1] += change;
    }
    for (unsigned i = 0; i < CHANNELS; i++)
        sample->reading[i] = ring[at++ % OCTETS];
    return next;
}

void history_add(const struct sample *sample)
{
    uint8_t record[6 * (CHANNELS + 1)];
    unsigned count = varint(record, (int32_t)(sample->when - newest.when));
    for (unsigned i = 0; i < CHANNELS; i++)
        count += varint(record + count, sample->value[i] - newest.value[i]);
    for (unsigned i = 0; i < CHANNELS; i++)
        record[count++] = (uint8_t)sample->reading[i];
    while (head + 1u + count - tail > OCTETS)
        tail = forward(tail, &oldest);
    ring[head++ % OCTETS] = (uint8_t)count;
    for (unsigned i = 0; i < count; i++)
        ring[head++ % OCTETS] = record[i];
    newest = *sample;
}

void history_show(unsigned channel, unsigned last)
{
    struct sample sample = oldest;
    unsigned records = 0;
    int32_t low = INT32_MAX, high = INT32_MIN, total = 0, good = 0;
    for (uint32_t at = tail; at != head; records++)
        at += 1u + ring[at % OCTETS];
    print("%s in %s, %u samples kept in %u octets\n", channels[channel].name,
          channels[channel].unit, records, head - tail);
    for (uint32_t at = tail; at != head; records--) {
        at = forward(at, &sample);
        int32_t value = sample.value[channel];
        bool valid = sample.reading[channel] == READING_OK;
        if (valid) {
            low = value < low ? value : low;
            high = value > high ? value : high;
            total += value;
            good++;
        }
        if (records > last)
            continue;
        if (valid)
            print("  %8u s %8q\n", sample.when, value);
        else
            print("  %8u s %8s\n", sample.when, reading_names[sample.reading[channel]]);
    }
    if (good)
        print("  smallest %q, largest %q, mean %q of %d\n", low, high, total / good, good);
    else
        print("  no value yet\n");
}
