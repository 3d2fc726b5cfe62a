#include "command.h"

#include "board.h"
#include "bus.h"
#include "crc.h"
#include "fixed.h"
#include "lib.h"
#include "mac.h"
#include "node.h"
#include "radio.h"
#include "ringlog.h"
#include "selftest.h"
#include "settings.h"
#include "time.h"
#if APP_MINOR >= 1
#include "history.h"
#endif

#define LINE_MAX 96
#define WORDS_MAX 6

extern const uint8_t vectors[], image_end[];

void command_banner(void)
{
    print("\nfield node " APP_VERSION ", %u octets, check sum %08x\n",
          (uint32_t)(image_end - vectors), crc32(vectors, (size_t)(image_end - vectors)));
}

static void do_version(unsigned count, char **words)
{
    (void)count;
    (void)words;
    command_banner();
    print("payload format %u, %u channels, region %s\n", APP_MINOR + 1u, (uint32_t)CHANNELS,
          regions[settings.region].name);
}

static void do_status(unsigned count, char **words)
{
    (void)count;
    (void)words;
    print("up %u s, radio %s, %s\n", uptime_s(), radio_present() ? "fitted" : "not fitted",
          mac.joined ? "joined" : "not joined");
    print("address %08x, counters up %u down %u\n", mac.address, mac.up, mac.down);
    print("data rate %u, power step %u, channels %04x, repeats %u\n", mac.data_rate, mac.power,
          mac.mask, mac.repeats);
#if APP_MINOR >= 1
    if (mac.gps_time)
        print("network time: GPS second %u\n", mac.gps_time + uptime_s());
    else
        print("network time: not known\n");
#endif
}

static void do_settings(unsigned count, char **words)
{
    (void)count;
    (void)words;
    settings_show();
}

static void do_set(unsigned count, char **words)
{
    if (count != 3)
        print("error: set NAME VALUE\n");
    else if (settings_set(words[1], words[2]))
        print("ok\n");
}

static void do_defaults(unsigned count, char **words)
{
    (void)count;
    (void)words;
    settings_default();
    print("ok, identities and key cleared too\n");
}

static void do_read(unsigned count, char **words)
{
    uint8_t payload[PAYLOAD_MAX];
    (void)count;
    (void)words;
    sample_take(&node_sample);
    sample_show(&node_sample);
    print("  payload ");
    print_hex(payload, payload_encode(&node_sample, payload));
    print("\n");
}

static void do_send(unsigned count, char **words)
{
    (void)count;
    (void)words;
    if (!mac.joined)
        print("error: not joined\n");
    else
        print(node_report() ? "ok\n" : "error: not sent, see the log\n");
}

static void do_join(unsigned count, char **words)
{
    (void)count;
    (void)words;
    if (!radio_present())
        print("error: no radio\n");
    else
        print(mac_join() ? "ok\n" : "error: no answer\n");
}

static void do_abp(unsigned count, char **words)
{
    uint8_t address[4];
    if (count != 4 || !parse_hex(words[1], address, 4) || !parse_hex(words[2], mac.network_key, 16) ||
        !parse_hex(words[3], mac.application_key, 16)) {
        print("error: abp ADDRESS NETWORK-KEY APPLICATION-KEY, in hexadecimal\n");
        return;
    }
    mac.address = (uint32_t)address[0] << 24 | (uint32_t)address[1] << 16 |
                  (uint32_t)address[2] << 8 | address[3];
    mac.up = mac.down = 0;
    mac.joined = true;
    print("ok\n");
}

static void do_frame(unsigned count, char **words)
{
    uint8_t frame[MAC_FRAME_MAX];
    const uint8_t *text = count > 1 ? (const uint8_t *)words[1] : (const uint8_t *)"";
    size_t size = mac_uplink(frame, 1, text, strlen((const char *)text), false);
    print_hex(frame, size);
    print("\n%u octets, on the air %u us at data rate %u\n", (uint32_t)size,
          airtime_us(mac.data_rate, size), mac.data_rate);
}

static void do_log(unsigned count, char **words)
{
    int32_t last = 0;
    if (count > 1 && strcmp(words[1], "clear") == 0) {
        log_clear();
        print("ok\n");
    } else if (count > 1 && (!parse_number(words[1], &last) || last < 1)) {
        print("error: log [COUNT | clear]\n");
    } else {
        log_show(LEVEL_DEBUG, (unsigned)last);
    }
}

static void do_dump(unsigned count, char **words)
{
    int32_t from, size = 64;
    if (count < 2 || !parse_number(words[1], &from) ||
        (count > 2 && (!parse_number(words[2], &size) || size < 1 || size > 1024))) {
        print("error: dump ADDRESS [OCTETS], at most 1024\n");
        return;
    }
    const uint8_t *at = (const uint8_t *)(uintptr_t)(uint32_t)from;
    for (; size > 0; size -= 16, at += 16) {
        print("%08x ", (uint32_t)(uintptr_t)at);
        for (int32_t i = 0; i < 16 && i < size; i++)
            print(" %02x", at[i]);
        print("  ");
        for (int32_t i = 0; i < 16 && i < size; i++)
            uart_put(at[i] >= ' ' && at[i] < 127 ? (char)at[i] : '.');
        print("\n");
    }
}

static void do_airtime(unsigned count, char **words)
{
    int32_t size;
    if (count != 2 || !parse_number(words[1], &size) || size < 1 || size > 255) {
        print("error: airtime OCTETS, 1 to 255\n");
        return;
    }
    for (unsigned rate = 0; rate < DATA_RATES; rate++)
        print("  data rate %u  SF%u/%u kHz  %7u us\n", rate, data_rates[rate].spreading,
              data_rates[rate].kilohertz, airtime_us(rate, (size_t)size));
}

static void do_spectrum(unsigned count, char **words)
{
    /* What the vibration channel makes of a pure tone: a check of its tables by eye. */
    int32_t bin = 8;
    int16_t samples[64];
    uint16_t magnitudes[31];
    if (count > 1 && (!parse_number(words[1], &bin) || bin < 1 || bin > 31)) {
        print("error: spectrum [BIN], 1 to 31\n");
        return;
    }
    for (unsigned i = 0; i < COUNT(samples); i++)
        samples[i] = (int16_t)(sine((uint16_t)((uint32_t)bin * i * 1024u)) >> 5);
    spectrum(samples, COUNT(samples), magnitudes, COUNT(magnitudes));
    for (unsigned i = 0; i < COUNT(magnitudes); i++) {
        print("%3u %5u ", i + 1u, magnitudes[i]);
        for (unsigned bar = magnitudes[i] / 64u; bar; bar--)
            uart_put('#');
        print("\n");
    }
}

#if APP_MINOR >= 1
static void do_history(unsigned count, char **words)
{
    int32_t last = 20;
    unsigned channel = 0;
    if (count > 1)
        while (channel < CHANNELS && strcmp(words[1], channels[channel].name) != 0)
            channel++;
    if (channel == CHANNELS || (count > 2 && (!parse_number(words[2], &last) || last < 1))) {
        print("error: history [CHANNEL [COUNT]], where CHANNEL is one of");
        for (unsigned i = 0; i < CHANNELS; i++)
            print(" %s", channels[i].name);
        print("\n");
        return;
    }
    history_show(channel, (unsigned)last);
}
#endif

static void do_selftest(unsigned count, char **words)
{
    (void)count;
    (void)words;
    print(selftest() ? "ok\n" : "error: see the log\n");
}

static void do_reset(unsigned count, char **words)
{
    (void)count;
    (void)words;
    system_reset();
}

static void do_help(unsigned count, char **words);

static const struct {
    const char *name;
    const char *help;
    void (*run)(unsigned count, char **words);
} table[] = {
    {"help", "this list", do_help},
    {"version", "version, size and check sum of the firmware", do_version},
    {"status", "time, network and counters", do_status},
    {"settings", "every setting with its range", do_settings},
    {"set", "NAME VALUE: change a setting", do_set},
    {"defaults", "set everything back", do_defaults},
    {"read", "read every sensor and show the payload", do_read},
    {"send", "read every sensor and send an uplink", do_send},
    {"join", "join the network over the air", do_join},
    {"abp", "ADDRESS NETWORK-KEY APPLICATION-KEY: personalise without joining", do_abp},
    {"frame", "[TEXT]: build an uplink on port 1 and show it", do_frame},
#if APP_MINOR >= 1
    {"history", "[CHANNEL [COUNT]]: the last samples", do_history},
#endif
    {"log", "[COUNT | clear]: the log", do_log},
    {"dump", "ADDRESS [OCTETS]: memory in hexadecimal", do_dump},
    {"airtime", "OCTETS: time on the air at each data rate", do_airtime},
    {"spectrum", "[BIN]: spectrum of a test tone", do_spectrum},
    {"selftest", "known answers of cipher, check sums and arithmetic", do_selftest},
    {"reset", "start again", do_reset},
};

static void do_help(unsigned count, char **words)
{
    (void)count;
    (void)words;
    for (unsigned i = 0; i < COUNT(table); i++)
        print("  %8s  %s\n", table[i].name, table[i].help);
}

static void run(char *line)
{
    char *words[WORDS_MAX];
    unsigned count = 0;
    while (*line && count < WORDS_MAX) {
        while (*line == ' ')
            *line++ = 0;
        if (*line)
            words[count++] = line;
        while (*line && *line != ' ')
            line++;
    }
    if (count == 0)
        return;
    for (unsigned i = 0; i < COUNT(table); i++) {
        if (strcmp(words[0], table[i].name) == 0) {
            table[i].run(count, words);
            return;
        }
    }
    print("error: no command is named %s; try help\n", words[0]);
}

void command_poll(void)
{
    static char line[LINE_MAX];
    static unsigned length;
    int c;
    while ((c = uart_get()) >= 0) {
        if (c == '\r' || c == '\n') {
            line[length] = 0;
            length = 0;
            print("\n");
            run(line);
            print("> ");
        } else if ((c == 8 || c == 127) && length) {
            length--;
            print("\b \b");
        } else if (c >= ' ' && c < 127 && length < LINE_MAX - 1) {
            line[length++] = (char)c;
            uart_put((char)c);
        }
    }
}
