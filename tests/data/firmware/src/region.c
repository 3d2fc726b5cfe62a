#include "region.h"

const struct data_rate data_rates[DATA_RATES] = {
    {12, 125, 51}, {11, 125, 51}, {10, 125, 51}, {9, 125, 115},
    {8, 125, 222}, {7, 125, 222}, {7, 250, 222},
};

const struct region regions[4] = {
    {"EU868", 3, {868100000, 868300000, 868500000}, 869525000, 0, 16, 7, 863000000, 870000000, 99},
    {"IN865", 3, {865062500, 865402500, 865985000}, 866550000, 2, 30, 7, 865000000, 867000000, 0},
    {"AS923", 2, {923200000, 923400000, 0}, 923200000, 2, 16, 7, 915000000, 928000000, 99},
    {"KR920", 3, {922100000, 922300000, 922500000}, 921900000, 0, 14, 7, 920900000, 923300000, 0},
};

uint32_t airtime_us(unsigned data_rate, size_t octets)
{
    const struct data_rate *rate = &data_rates[data_rate];
    uint32_t symbol = (1u << rate->spreading) * 1000u / rate->kilohertz;
    int32_t slow = symbol > 16000u;
    int32_t bits = 8 * (int32_t)octets - 4 * rate->spreading + 28 + 16;
    int32_t group = 4 * (rate->spreading - 2 * slow);
    uint32_t symbols = 8;
    if (bits > 0)
        symbols += 5u * (uint32_t)((bits + group - 1) / group);
    /* Preamble of 8 and 4.25 symbols more. */
    return symbols * symbol + 12u * symbol + symbol / 4u;
}
