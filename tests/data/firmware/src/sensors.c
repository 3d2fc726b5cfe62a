#include "sensors.h"

#include "board.h"
#include "bus.h"
#include "fixed.h"
#include "lib.h"
#include "ringlog.h"
#include "settings.h"
#include "time.h"

#define THERMOMETER 0x48 /* I2C address */
#define THERMOMETER_VALUE 0
#define THERMOMETER_CONFIG 1

#define ADC_PROBE 0
#define ADC_BATTERY 1
#define ADC_VIBRATION 2

#define REFERENCE_MV 3000
#define BATTERY_DIVIDER 2

#define VIBRATION_SAMPLES 128
#define VIBRATION_RATE_HZ 1000

const char *const reading_names[] = {"ok", "absent", "open", "short", "out of range"};

/* 0.01 degC at every 32nd code of the ADC. */
static const int16_t thermistor[129] = {
#if APP_MINOR >= 1
#include "tables/thermistor_1_1.inc"
#else
#include "tables/thermistor_1_0.inc"
#endif
};

/* Percent left at 2000, 2050, .. 3650 mV, by chemistry. */
static const uint8_t discharge[3][34] = {
    {0, 0, 0, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 6, 6, 7, 8,
     9, 10, 12, 13, 15, 17, 19, 22, 25, 29, 34, 41, 50, 62, 78, 92, 100},
    {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6,
     8, 9, 10, 12, 14, 17, 20, 26, 40, 70, 90, 99, 99, 100, 100, 100, 100},
    {0, 4, 9, 14, 19, 24, 30, 36, 42, 48, 54, 60, 65, 70, 75, 79, 83,
     87, 90, 93, 95, 97, 98, 99, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100},
};

static uint16_t adc_read(unsigned input)
{
    /* Start bit, single-ended, three bits of channel; twelve bits come back. */
    uint8_t out[3] = {(uint8_t)(6u | input >> 2), (uint8_t)(input << 6), 0}, in[3];
    spi_transfer(SPI_ADC_BASE, PIN_ADC_SELECT, out, in, sizeof out);
    return (uint16_t)((in[1] & 0x0fu) << 8 | in[2]);
}

uint32_t adc_average(unsigned input, unsigned samples)
{
    uint32_t total = 0;
    for (unsigned i = 0; i < samples; i++)
        total += adc_read(input);
    return (total + samples / 2) / samples;
}

static enum reading temperature_read(int32_t *hundredths)
{
    uint8_t pointer = THERMOMETER_VALUE, raw[2];
    if (!i2c_transfer(THERMOMETER, &pointer, 1, raw, sizeof raw))
        return READING_ABSENT;
    int32_t sixteenths = (int16_t)(raw[0] << 8 | raw[1]) >> 4;
    *hundredths = divide_round(sixteenths * 100, 16);
    return READING_OK;
}

static enum reading probe_read(int32_t *hundredths)
{
    pin_set(PIN_PROBE_POWER, true);
    sleep_ms(5);
    uint32_t code = adc_average(ADC_PROBE, 16);
    pin_set(PIN_PROBE_POWER, false);
    if (code < 16)
        return READING_SHORT;
    if (code > 4080)
        return READING_OPEN;
    *hundredths = interpolate(thermistor, COUNT(thermistor), code, 5) + settings.probe_offset;
    return READING_OK;
}

static enum reading battery_read(int32_t *hundredths)
{
    uint32_t code = adc_average(ADC_BATTERY, 8);
    int32_t millivolts = (int32_t)(code * BATTERY_DIVIDER * REFERENCE_MV / 4096u);
    if (millivolts < 1000)
        return READING_ABSENT;
    const uint8_t *curve = discharge[settings.chemistry];
    int32_t at = (millivolts - 2000) / 50, rest = (millivolts - 2000) % 50;
    if (millivolts <= 2000)
        *hundredths = 0;
    else if (at >= (int32_t)COUNT(discharge[0]) - 1)
        *hundredths = 10000;
    else
        *hundredths = curve[at] * 100 + (curve[at + 1] - curve[at]) * 2 * rest;
    LOG_DEBUG("battery: %u mV, %q %%", millivolts, *hundredths, 0);
    return READING_OK;
}

/* Both vibration channels come of one measurement: the loudest bin and its level. */
static uint32_t vibration_bin, vibration_level;

static void vibration_measure(void)
{
    int16_t samples[VIBRATION_SAMPLES];
    uint16_t magnitudes[VIBRATION_SAMPLES / 2 - 1];
    int32_t mean = 0;
    for (unsigned i = 0; i < VIBRATION_SAMPLES; i++) {
        uint32_t next = millis() + 1000u / VIBRATION_RATE_HZ;
        samples[i] = (int16_t)adc_read(ADC_VIBRATION);
        mean += samples[i];
        while (!time_reached(next))
            idle();
    }
    mean = divide_round(mean, VIBRATION_SAMPLES);
    for (unsigned i = 0; i < VIBRATION_SAMPLES; i++)
        samples[i] = (int16_t)(samples[i] - mean);
    spectrum(samples, VIBRATION_SAMPLES, magnitudes, COUNT(magnitudes));
    vibration_bin = vibration_level = 0;
    for (unsigned i = 0; i < COUNT(magnitudes); i++) {
        if (magnitudes[i] > vibration_level) {
            vibration_level = magnitudes[i];
            vibration_bin = i + 1;
        }
    }
}

static enum reading vibration_frequency_read(int32_t *hundredths)
{
    vibration_measure();
    *hundredths = (int32_t)(vibration_bin * VIBRATION_RATE_HZ * 100u / VIBRATION_SAMPLES);
    return READING_OK;
}

static enum reading vibration_level_read(int32_t *hundredths)
{
    *hundredths = 20 * decibels(vibration_level + 1u, 1);
    return READING_OK;
}

const struct channel channels[CHANNELS] = {
    {"temperature", "degC", temperature_read, -5500, 10, 11},
    {"probe", "degC", probe_read, -5500, 10, 11},
    {"battery", "%", battery_read, 0, 50, 8},
    {"frequency", "Hz", vibration_frequency_read, 0, 781, 6},
    {"vibration", "dB", vibration_level_read, 0, 50, 8},
#if APP_MINOR >= 1
    {"moisture", "%", moisture_read, 0, 25, 8},
#endif
};

void sensors_start(void)
{
    /* Twelve bits; the power-on resolution is nine. */
    const uint8_t config[2] = {THERMOMETER_CONFIG, 0x60};
    if (!i2c_transfer(THERMOMETER, config, sizeof config, 0, 0))
        LOG_WARNING("thermometer: nobody at address %02x", THERMOMETER, 0, 0);
}
