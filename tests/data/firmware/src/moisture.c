/* Soil moisture by a capacitive probe; new in 1.1.0. */
#include "bus.h"
#include "board.h"
#include "fixed.h"
#include "lib.h"
#include "ringlog.h"
#include "sensors.h"
#include "settings.h"
#include "time.h"

#define ADC_MOISTURE 3
#define SETTLE_MS 20

/* 0.01 % of water by volume at every 64th code of the ADC. */
static const int16_t soils[3][65] = {
    {
#include "tables/soil_mineral.inc"
    },
    {
#include "tables/soil_clay.inc"
    },
    {
#include "tables/soil_peat.inc"
    },
};

enum reading moisture_read(int32_t *hundredths)
{
    pin_set(PIN_PROBE_POWER, true);
    sleep_ms(SETTLE_MS);
    uint32_t code = adc_average(ADC_MOISTURE, 32);
    pin_set(PIN_PROBE_POWER, false);
    if (code < 200) {
        LOG_WARNING("moisture: code %u, is the soil probe plugged in?", code, 0, 0);
        return READING_ABSENT;
    }
    *hundredths = interpolate(soils[settings.soil], COUNT(soils[0]), code, 6);
    /* Wet clay reads high when cold: 0.4 % per degree below 20. */
    int32_t temperature;
    if (channels[1].read(&temperature) == READING_OK && temperature < 2000)
        *hundredths -= divide_round(*hundredths * ((2000 - temperature) / 100) * 4, 1000);
    return READING_OK;
}
