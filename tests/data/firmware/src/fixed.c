#include "fixed.h"

#include "version.h"

static const int16_t sine_quarter[257] = {
#include "tables/sine.inc"
};

static const int32_t log2_table[65] = {
#include "tables/log2.inc"
};

int32_t divide_round(int32_t value, int32_t by)
{
#if APP_MINOR >= 1
    /* 1.0.0 added half of `by` to negative values too, and so rounded them up. */
    if (value < 0)
        return -((by / 2 - value) / by);
#endif
    return (value + by / 2) / by;
}

int32_t sine(uint16_t angle)
{
    unsigned index = (angle >> 6) & 0xff;
    int32_t rest = angle & 0x3f;
    int32_t near, far;
    if (angle & 0x4000u) {
        near = sine_quarter[256 - index];
        far = sine_quarter[255 - index];
    } else {
        near = sine_quarter[index];
        far = sine_quarter[index + 1];
    }
    int32_t value = near + (((far - near) * rest) >> 6);
    return angle & 0x8000u ? -value : value;
}

int32_t cosine(uint16_t angle)
{
    return sine((uint16_t)(angle + 0x4000u));
}

uint32_t square_root(uint32_t value)
{
    uint32_t root = 0;
    for (uint32_t bit = 1u << 30; bit; bit >>= 2) {
        if (value >= root + bit) {
            value -= root + bit;
            root = (root >> 1) + bit;
        } else {
            root >>= 1;
        }
    }
    return root;
}

int32_t log2_q16(uint32_t value)
{
    if (value == 0)
        return 0;
    int32_t whole = 31 - __builtin_clz(value);
    uint32_t mantissa = (value << (31 - whole)) & 0x7fffffffu;
    uint32_t index = mantissa >> 25;
    int32_t rest = (int32_t)(mantissa >> 15 & 0x3ffu);
    int32_t step = log2_table[index + 1] - log2_table[index];
    return (whole << 16) + log2_table[index] + ((step * rest) >> 10);
}

int32_t decibels(uint32_t value, uint32_t reference)
{
    /* 100 log10(2) = 30.103 */
    int32_t octaves = log2_q16(value) - log2_q16(reference);
    return divide_round((octaves >> 4) * 301, 40960);
}

int32_t interpolate(const int16_t *table, size_t count, uint32_t at, unsigned shift)
{
    uint32_t index = at >> shift;
    int32_t rest = (int32_t)(at & ((1u << shift) - 1u));
    if (index >= count - 1)
        return table[count - 1];
    int32_t step = table[index + 1] - table[index];
    return table[index] + divide_round(step * rest, 1 << shift);
}

void spectrum(const int16_t *samples, unsigned count, uint16_t *magnitudes, unsigned bins)
{
    uint16_t turn = (uint16_t)(65536u / count);
    for (unsigned bin = 1; bin <= bins; bin++) {
        int32_t real = 0, imaginary = 0;
        for (unsigned at = 0; at < count; at++) {
            /* Hann window: half of one minus the cosine. */
            int32_t window = (32768 - cosine((uint16_t)(at * turn))) >> 1;
            int32_t sample = (samples[at] * window) >> 15;
            uint16_t angle = (uint16_t)(at * bin * turn);
            real += (sample * cosine(angle)) >> 12;
            imaginary -= (sample * sine(angle)) >> 12;
        }
        real /= (int32_t)count;
        imaginary /= (int32_t)count;
        uint32_t power = (uint32_t)(real * real) + (uint32_t)(imaginary * imaginary);
        magnitudes[bin - 1] = (uint16_t)square_root(power);
    }
}
