#include "settings.h"

#include "bus.h"
#include "crc.h"
#include "lib.h"
#include "ringlog.h"
#include "version.h"

#define MAGIC (0x10a30000u + APP_MINOR)

struct settings settings __attribute__((section(".noinit")));

static const struct entry {
    const char *name;
    const char *help;
    int32_t *value;
    int32_t low, high, preset;
} numbers[] = {
    {"interval", "seconds between uplinks", &settings.interval_s, 10, 86400, DEFAULT_INTERVAL_S},
    {"datarate", "data rate of uplinks before ADR", &settings.data_rate, 0, 5, 3},
    {"confirmed", "ask for an acknowledgement every n-th uplink, 0 never", &settings.confirmed, 0, 255, 0},
    {"adr", "let the network choose the data rate", &settings.adaptive, 0, 1, 1},
    {"power", "steps below the largest transmit power", &settings.power, 0, 7, 0},
    {"region", "0 EU868, 1 IN865, 2 AS923, 3 KR920", &settings.region, 0, 3, 0},
    {"battery", "0 lithium thionyl chloride, 1 lithium iron phosphate, 2 alkaline", &settings.chemistry, 0, 2, 0},
    {"offset", "hundredths of a degree added to the probe", &settings.probe_offset, -500, 500, 0},
    {"low", "alarm below, hundredths of a degree", &settings.alarm_low, -5500, 15000, -2000},
    {"high", "alarm above, hundredths of a degree", &settings.alarm_high, -5500, 15000, 6000},
#if APP_MINOR >= 1
    {"soil", "0 mineral, 1 clay, 2 peat", &settings.soil, 0, 2, 0},
#endif
};

static const struct {
    const char *name;
    uint8_t *value;
    uint8_t size;
    bool secret;
} identities[] = {
    {"deveui", settings.dev_eui, sizeof settings.dev_eui, false},
    {"joineui", settings.join_eui, sizeof settings.join_eui, false},
    {"appkey", settings.app_key, sizeof settings.app_key, true},
};

static uint32_t checksum(void)
{
    return crc32(&settings, offsetof(struct settings, crc));
}

void settings_default(void)
{
    memset(&settings, 0, sizeof settings);
    settings.magic = MAGIC;
    for (unsigned i = 0; i < COUNT(numbers); i++)
        *numbers[i].value = numbers[i].preset;
    settings.crc = checksum();
}

void settings_start(void)
{
    if (settings.magic != MAGIC) {
        LOG_INFO("settings: none for this version (%08x), defaults taken", settings.magic, 0, 0);
        settings_default();
    } else if (settings.crc != checksum()) {
        LOG_ERROR("settings: check sum %08x is not %08x, defaults taken", checksum(), settings.crc, 0);
        settings_default();
    }
}

void settings_show(void)
{
    for (unsigned i = 0; i < COUNT(numbers); i++)
        print("  %10s %8d   %s (%d to %d)\n", numbers[i].name, *numbers[i].value, numbers[i].help,
              numbers[i].low, numbers[i].high);
    for (unsigned i = 0; i < COUNT(identities); i++) {
        print("  %10s ", identities[i].name);
        if (identities[i].secret)
            print("(not shown)");
        else
            print_hex(identities[i].value, identities[i].size);
        print("\n");
    }
}

bool settings_set(const char *name, const char *value)
{
    int32_t number;
    for (unsigned i = 0; i < COUNT(numbers); i++) {
        if (strcmp(name, numbers[i].name) != 0)
            continue;
        if (!parse_number(value, &number) || number < numbers[i].low || number > numbers[i].high) {
            print("error: %s must be a number from %d to %d\n", name, numbers[i].low, numbers[i].high);
            return false;
        }
        *numbers[i].value = number;
        settings.crc = checksum();
        LOG_INFO("settings: %s set to %d", numbers[i].name, number, 0);
        return true;
    }
    for (unsigned i = 0; i < COUNT(identities); i++) {
        if (strcmp(name, identities[i].name) != 0)
            continue;
        if (!parse_hex(value, identities[i].value, identities[i].size)) {
            print("error: %s must be %u hexadecimal digits\n", name, 2u * identities[i].size);
            return false;
        }
        settings.crc = checksum();
        LOG_INFO("settings: %s set", identities[i].name, 0, 0);
        return true;
    }
    print("error: no setting is named %s\n", name);
    return false;
}
