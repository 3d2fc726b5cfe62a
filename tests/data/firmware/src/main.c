#include "board.h"
#include "bus.h"
#include "command.h"
#include "crc.h"
#include "lib.h"
#include "mac.h"
#include "node.h"
#include "radio.h"
#include "ringlog.h"
#include "selftest.h"
#include "sensors.h"
#include "settings.h"
#include "time.h"
#if APP_MINOR >= 1
#include "history.h"
#endif

#define PORT_SETTINGS 11

extern const uint32_t vectors[];

struct sample node_sample;

/* A downlink on the settings port: identifier, then four octets, low first; any number of them. */
static void settings_downlink(const uint8_t *data, size_t count)
{
    for (; count >= 5; count -= 5, data += 5) {
        int32_t value = (int32_t)get_le(data + 1, 4);
        switch (data[0]) {
        case 1:
            if (value >= 10 && value <= 86400)
                settings.interval_s = value;
            break;
        case 2:
            settings.alarm_low = value;
            break;
        case 3:
            settings.alarm_high = value;
            break;
        default:
            LOG_WARNING("settings: downlink names unknown setting %u", data[0], 0, 0);
            continue;
        }
        LOG_INFO("settings: number %u set to %d by downlink", data[0], value, 0);
    }
}

bool node_report(void)
{
    uint8_t payload[PAYLOAD_MAX];
    static struct downlink downlink;
    sample_take(&node_sample);
#if APP_MINOR >= 1
    history_add(&node_sample);
#endif
    if (!mac.joined)
        return false;
    bool confirmed = settings.confirmed && mac.up % (uint32_t)settings.confirmed == 0;
    size_t count = payload_encode(&node_sample, payload);
    bool sent = mac_send(PAYLOAD_PORT, payload, count, confirmed, &downlink);
    if (downlink.port == PORT_SETTINGS)
        settings_downlink(downlink.data, downlink.count);
    return sent;
}

int main(void)
{
    SCB_VTOR = (uint32_t)(uintptr_t)vectors;
    SCB_SHCSR |= 7u << 16; /* each fault by its own name */
    bus_start();
    time_start();
    settings_start();
    if (fault_record.magic == FAULT_MAGIC) {
        LOG_ERROR("fault %u at %08x, status %08x", fault_record.number, fault_record.pc,
                  fault_record.cfsr);
        fault_record.magic = 0;
    }
    command_banner();
    if (!selftest())
        LOG_ERROR("self-test failed", 0, 0, 0);
    sensors_start();
    radio_start();
    mac_start();
#if APP_MINOR >= 1
    mac.ask_time = true;
#endif
    uint32_t next_report = millis() + 2000u, next_join = millis() + 1000u;
    for (;;) {
        command_poll();
        if (radio_present() && !mac.joined && time_reached(next_join)) {
            mac_join();
            next_join = millis() + 15000u;
        }
        if (time_reached(next_report)) {
            next_report += (uint32_t)settings.interval_s * 1000u;
            pin_set(PIN_LED, true);
            node_report();
            pin_set(PIN_LED, false);
        }
        idle();
    }
}
