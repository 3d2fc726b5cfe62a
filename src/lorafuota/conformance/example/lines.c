/* Wires what device.h declares to the conformance kit: JSON lines on standard input and output.
 *
 * Nothing in this file is about one device: build it with yours.  It has every request and event of
 * docs/reference/device-lines.md, in virtual time.  The reader takes what the kit sends, flat
 * objects of text, numbers, true, false and null, and answers anything else with an "error".
 */
#include "device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_LINE = 4096, MAX_FIELDS = 16, MAX_TEXT = 2 * 255 };

/* --- Reading one flat JSON object, in place --- */

struct field {
    const char *name, *value; /* text without its quotes, or the number or word as it stands */
};

static struct field fields[MAX_FIELDS];
static int nb_fields;

static char *skip_spaces(char *at)
{
    return at + strspn(at, " \t\r\n");
}

/* Cut the text that begins behind a quote; return what follows it, or NULL. */
static char *cut_text(char *at)
{
    size_t size = strcspn(at, "\"\\");
    if (at[size] != '"') /* an escape: no name and no value of the kit has one */
        return NULL;
    at[size] = '\0';
    return at + size + 1;
}

static bool read_object(char *at)
{
    nb_fields = 0;
    at = skip_spaces(at);
    if (*at++ != '{')
        return false;
    at = skip_spaces(at);
    if (*at == '}')
        return *skip_spaces(at + 1) == '\0';
    for (;;) {
        if (nb_fields == MAX_FIELDS || *at++ != '"')
            return false;
        struct field *field = &fields[nb_fields++];
        field->name = at;
        if ((at = cut_text(at)) == NULL)
            return false;
        at = skip_spaces(at);
        if (*at++ != ':')
            return false;
        at = skip_spaces(at);
        char *end;
        if (*at == '"') {
            field->value = ++at;
            if ((end = cut_text(at)) == NULL)
                return false;
            end = skip_spaces(end);
        } else {
            field->value = at;
            char *stop = at + strspn(at, "+-.0123456789abcdefghijklmnopqrstuvwxyzE");
            end = skip_spaces(stop);
            if (stop == at || (*end != ',' && *end != '}'))
                return false;
            char separator = *end;
            *stop = '\0';
            if (strcmp(field->value, "null") == 0)
                nb_fields--; /* as if it were missing */
            if (stop == end) { /* the separator was overwritten */
                if (separator == '}')
                    return *skip_spaces(end + 1) == '\0';
                at = skip_spaces(end + 1);
                continue;
            }
        }
        if (*end == '}')
            return *skip_spaces(end + 1) == '\0';
        if (*end != ',')
            return false;
        at = skip_spaces(end + 1);
    }
}

static const char *text_of(const char *name)
{
    for (int i = 0; i < nb_fields; i++)
        if (strcmp(fields[i].name, name) == 0)
            return fields[i].value;
    return NULL;
}

static bool number_of(const char *name, double lowest, double highest, double *number)
{
    const char *text = text_of(name);
    char *end;
    if (text == NULL)
        return false;
    *number = strtod(text, &end);
    return end != text && *end == '\0' && *number >= lowest && *number <= highest;
}

static bool flag_of(const char *name, bool *flag)
{
    const char *text = text_of(name);
    *flag = text != NULL && strcmp(text, "true") == 0;
    return text != NULL && (*flag || strcmp(text, "false") == 0);
}

static int digit(char c)
{
    const char *digits = "0123456789abcdefABCDEF", *found = strchr(digits, c);
    if (c == '\0' || found == NULL)
        return -1;
    return found - digits < 16 ? (int)(found - digits) : (int)(found - digits) - 6;
}

/* Return the number of octets in a field of hex digits, or -1. */
static int octets_of(const char *name, uint8_t *octets, int most)
{
    const char *text = text_of(name);
    int size = 0;
    for (; text != NULL && *text != '\0'; text += 2, size++) {
        int high = digit(text[0]), low = high < 0 ? -1 : digit(text[1]);
        if (low < 0 || size == most)
            return -1;
        octets[size] = (uint8_t)(high << 4 | low);
    }
    return text == NULL ? -1 : size;
}

static bool address_of(const char *name, uint32_t *address)
{
    uint8_t octets[4];
    if (octets_of(name, octets, 4) != 4)
        return false;
    *address = (uint32_t)octets[0] << 24 | (uint32_t)octets[1] << 16 | octets[2] << 8 | octets[3];
    return true;
}

/* --- What the device wants --- */

static double time_now; /* as the kit wrote it: an event is of the moment of its request */
static uint32_t random_state;

static void print_hex(const uint8_t *octets, size_t size)
{
    while (size--)
        printf("%02x", *octets++);
}

void owner_send(uint8_t fport, const uint8_t *payload, size_t size)
{
    printf("{\"event\": \"uplink\", \"time\": %.17g, \"fport\": %d, \"payload\": \"", time_now,
           fport);
    print_hex(payload, size);
    puts("\"}");
}

void owner_listen(char device_class, int mc_group_id)
{
    printf("{\"event\": \"class-changed\", \"time\": %.17g, \"device_class\": \"%c\"", time_now,
           device_class);
    if (mc_group_id != NO_GROUP)
        printf(", \"mc_group_id\": %d", mc_group_id);
    puts("}");
}

void owner_block(int frag_index, const uint8_t *data, size_t size)
{
    printf("{\"event\": \"block-delivered\", \"time\": %.17g, \"frag_index\": %d, \"data\": \"",
           time_now, frag_index);
    print_hex(data, size);
    puts("\"}");
}

void owner_block_lost(int frag_index)
{
    printf("{\"event\": \"block-lost\", \"time\": %.17g, \"frag_index\": %d}\n", time_now,
           frag_index);
}

void owner_reboot(void)
{
    printf("{\"event\": \"rebooted\", \"time\": %.17g}\n", time_now);
}

uint32_t owner_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state;
}

/* --- What the kit wants --- */

static bool power_on(uint64_t now)
{
    bool factory, clock_known;
    struct identity identity;
    if (!flag_of("factory", &factory) || !flag_of("clock_known", &clock_known))
        return false;
    if (octets_of("dev_eui", identity.dev_eui, sizeof identity.dev_eui) != sizeof identity.dev_eui)
        return false;
    identity.lorawan_1_1 = text_of("AppKey") != NULL;
    if (identity.lorawan_1_1 == (text_of("GenAppKey") != NULL)) /* both, or none */
        return false;
    const char *key = identity.lorawan_1_1 ? "AppKey" : "GenAppKey";
    if (octets_of(key, identity.root_key, sizeof identity.root_key) != sizeof identity.root_key)
        return false;
    if (!address_of("dev_addr", &identity.dev_addr))
        return false;
    random_state = (uint32_t)now | 1;
    for (size_t i = 0; i < sizeof identity.dev_eui; i++)
        random_state = random_state * 16777619u ^ identity.dev_eui[i];
    random_state |= 1; /* zero would stay zero */
    device_start(now, factory, clock_known, &identity);
    return true;
}

static bool downlink(uint64_t now)
{
    double fport, fcnt;
    uint8_t payload[MAX_TEXT / 2];
    uint32_t mc_addr;
    int size = octets_of("payload", payload, sizeof payload);
    if (size < 0 || !number_of("fport", 0, 255, &fport))
        return false;
    if (text_of("mc_addr") == NULL) {
        device_unicast(now, (uint8_t)fport, payload, (size_t)size);
        return true;
    }
    if (!address_of("mc_addr", &mc_addr) || !number_of("fcnt", 0, UINT32_MAX, &fcnt))
        return false;
    device_multicast(now, mc_addr, (uint32_t)fcnt, (uint8_t)fport, payload, (size_t)size);
    return true;
}

static bool multicast_frame(uint64_t now)
{
    uint8_t phy[MAX_TEXT / 2];
    int size = octets_of("phy", phy, sizeof phy);
    if (size < 0)
        return false;
    device_multicast_frame(now, phy, (size_t)size);
    return true;
}

static bool carry_out(char *line)
{
    const char *request;
    if (!read_object(line) || (request = text_of("request")) == NULL)
        return false;
    if (strcmp(request, "hello") == 0) {
        puts("{\"event\": \"hello\", \"lorafuota\": 1, \"role\": \"device\", " DEVICE_ABOUT "}");
        return true;
    }
    if (!number_of("time", 0, 1e12, &time_now))
        return false;
    uint64_t now = (uint64_t)(time_now * 1000 + 0.5);
    if (strcmp(request, "power-on") == 0) {
        if (!power_on(now))
            return false;
    } else if (strcmp(request, "downlink") == 0) {
        if (!downlink(now))
            return false;
    } else if (strcmp(request, "multicast-frame") == 0) {
        if (!multicast_frame(now))
            return false;
    } else if (strcmp(request, "advance") == 0) {
        device_tick(now);
    } else {
        return false;
    }
    uint64_t next = device_next(now);
    if (next == NEVER)
        puts("{\"event\": \"done\"}");
    else
        printf("{\"event\": \"done\", \"next\": %.3f}\n", (double)next / 1000);
    return true;
}

int main(void)
{
    static char line[MAX_LINE];
    while (fgets(line, sizeof line, stdin) != NULL) {
        bool whole = strchr(line, '\n') != NULL;
        if (!whole) /* too long, or the end of the input: leave out what is left of it */
            for (int c = getchar(); c != '\n' && c != EOF; c = getchar())
                ;
        if (!whole || !carry_out(line))
            puts("{\"event\": \"error\", \"reason\": \"not a request this device can read\"}");
        fflush(stdout);
    }
    return 0;
}
