#include "mac.h"

#include "aes.h"
#include "fixed.h"
#include "lib.h"
#include "radio.h"
#include "region.h"
#include "ringlog.h"
#include "settings.h"
#include "time.h"

#define MHDR_JOIN_REQUEST 0x00u
#define MHDR_JOIN_ACCEPT 0x20u
#define MHDR_UP 0x40u
#define MHDR_DOWN 0x60u
#define MHDR_CONFIRMED_UP 0x80u
#define MHDR_CONFIRMED_DOWN 0xa0u

#define FCTRL_ADR 0x80u
#define FCTRL_ADR_ASK 0x40u
#define FCTRL_ACK 0x20u

#define ADR_ACK_LIMIT 64u
#define ADR_ACK_DELAY 32u
#define JOIN_DELAY_MS 5000u
#define WINDOW_MS 60u
#define MAX_GAP 16384u

enum {
    CID_LINK_CHECK = 0x02,
    CID_LINK_ADR = 0x03,
    CID_DUTY_CYCLE = 0x04,
    CID_RX_SETUP = 0x05,
    CID_STATUS = 0x06,
    CID_NEW_CHANNEL = 0x07,
    CID_RX_TIMING = 0x08,
    CID_DEVICE_TIME = 0x0d,
};

struct mac mac;

static const struct region *region(void)
{
    return &regions[settings.region];
}

static uint32_t random(void)
{
    static uint32_t state;
    if (state == 0)
        state = get_le(settings.dev_eui, 4) ^ 0x9e3779b9u ^ millis();
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
}

static void channels_default(void)
{
    memset(mac.channels, 0, sizeof mac.channels);
    memcpy(mac.channels, region()->channels, sizeof region()->channels);
    mac.mask = (uint16_t)((1u << region()->defaults) - 1u);
}

void mac_start(void)
{
    memset(&mac, 0, sizeof mac);
    mac.data_rate = (uint8_t)settings.data_rate;
    mac.power = (uint8_t)settings.power;
    mac.repeats = 1;
    mac.delay_s = 1;
    mac.rx2_frequency = region()->rx2_frequency;
    mac.rx2_data_rate = region()->rx2_data_rate;
    channels_default();
}

static void reverse(uint8_t *to, const uint8_t *from, size_t count)
{
    for (size_t i = 0; i < count; i++)
        to[i] = from[count - 1 - i];
}

/* --- joining ------------------------------------------------------------------------------- */

size_t mac_join_request(uint8_t frame[23])
{
    uint8_t code[AES_BLOCK];
    frame[0] = MHDR_JOIN_REQUEST;
    reverse(frame + 1, settings.join_eui, 8);
    reverse(frame + 9, settings.dev_eui, 8);
    put_le(frame + 17, mac.nonce, 2);
    aes_cmac(settings.app_key, 0, frame, 19, code);
    memcpy(frame + 19, code, 4);
    return 23;
}

bool mac_join_accept(const uint8_t *frame, size_t count)
{
    struct aes aes;
    uint8_t plain[33], code[AES_BLOCK], block[AES_BLOCK] = {0};
    if ((count != 17 && count != 33) || (frame[0] & 0xe0u) != MHDR_JOIN_ACCEPT)
        return false;
    aes_set_key(&aes, settings.app_key);
    plain[0] = frame[0];
    for (size_t at = 1; at < count; at += AES_BLOCK)
        aes_encrypt(&aes, frame + at, plain + at);
    aes_cmac(settings.app_key, 0, plain, count - 4, code);
    if (!equal_secret(code, plain + count - 4, 4)) {
        LOG_WARNING("join: accept with a wrong code", 0, 0, 0);
        return false;
    }
    /* Join nonce and network identifier are together in both keys. */
    memcpy(block + 1, plain + 1, 6);
    put_le(block + 7, mac.nonce, 2);
    block[0] = 1;
    aes_encrypt(&aes, block, mac.network_key);
    block[0] = 2;
    aes_encrypt(&aes, block, mac.application_key);
    mac.address = get_le(plain + 7, 4);
    mac.rx1_offset = plain[11] >> 4 & 7u;
    if ((plain[11] & 15u) < DATA_RATES)
        mac.rx2_data_rate = plain[11] & 15u;
    mac.delay_s = plain[12] & 15u ? plain[12] & 15u : 1;
    mac.up = mac.down = 0;
    mac.joined = true;
    channels_default();
    if (count == 33 && plain[28] == 0) {
        for (unsigned i = 0; i < 5; i++) {
            uint32_t frequency = get_le(plain + 13 + 3 * i, 3) * 100u;
            unsigned index = region()->defaults + i;
            if (frequency >= region()->low && frequency <= region()->high) {
                mac.channels[index] = frequency;
                mac.mask |= (uint16_t)(1u << index);
            }
        }
    }
    LOG_INFO("join: address %08x, network %06x", mac.address, get_le(plain + 4, 3), 0);
    return true;
}

/* --- data frames --------------------------------------------------------------------------- */

static void block_make(uint8_t block[AES_BLOCK], uint8_t first, bool down, uint32_t counter,
                       uint8_t last)
{
    memset(block, 0, AES_BLOCK);
    block[0] = first;
    block[5] = down;
    put_le(block + 6, mac.address, 4);
    put_le(block + 10, counter, 4);
    block[15] = last;
}

static void encrypt(const uint8_t key[16], bool down, uint32_t counter, uint8_t *data, size_t count)
{
    struct aes aes;
    uint8_t block[AES_BLOCK], stream[AES_BLOCK];
    aes_set_key(&aes, key);
    for (size_t at = 0; at < count; at++) {
        if (at % AES_BLOCK == 0) {
            block_make(block, 1, down, counter, (uint8_t)(at / AES_BLOCK + 1));
            aes_encrypt(&aes, block, stream);
        }
        data[at] ^= stream[at % AES_BLOCK];
    }
}

static void integrity(bool down, uint32_t counter, const uint8_t *frame, size_t count,
                      uint8_t code[AES_BLOCK])
{
    uint8_t block[AES_BLOCK];
    block_make(block, 0x49, down, counter, (uint8_t)count);
    aes_cmac(mac.network_key, block, frame, count, code);
}

size_t mac_uplink(uint8_t frame[MAC_FRAME_MAX], uint8_t port, const uint8_t *data, size_t count,
                  bool confirmed)
{
    uint8_t code[AES_BLOCK], control = 0;
#if APP_MINOR >= 1
    if (mac.ask_time && mac.answer_count < sizeof mac.answers)
        mac.answers[mac.answer_count++] = CID_DEVICE_TIME;
#endif
    if (settings.adaptive) {
        control |= FCTRL_ADR;
        if (mac.unheard >= ADR_ACK_LIMIT)
            control |= FCTRL_ADR_ASK;
    }
    if (mac.acknowledge)
        control |= FCTRL_ACK;
    frame[0] = confirmed ? MHDR_CONFIRMED_UP : MHDR_UP;
    put_le(frame + 1, mac.address, 4);
    frame[5] = control | mac.answer_count;
    put_le(frame + 6, mac.up, 2);
    size_t at = 8;
    memcpy(frame + at, mac.answers, mac.answer_count);
    at += mac.answer_count;
    if (count) {
        frame[at++] = port;
        memcpy(frame + at, data, count);
        encrypt(port ? mac.application_key : mac.network_key, false, mac.up, frame + at, count);
        at += count;
    }
    integrity(false, mac.up, frame, at, code);
    memcpy(frame + at, code, 4);
    mac.up++;
    mac.acknowledge = false;
    mac.answer_count = 0;
    return at + 4;
}

static void answer(const uint8_t *octets, unsigned count)
{
    if (mac.answer_count + count <= sizeof mac.answers) {
        memcpy(mac.answers + mac.answer_count, octets, count);
        mac.answer_count = (uint8_t)(mac.answer_count + count);
    } else {
        LOG_WARNING("mac: no room to answer command %02x", octets[0], 0, 0);
    }
}

static uint8_t link_adr(const uint8_t *from)
{
    uint8_t rate = from[0] >> 4, power = from[0] & 15u, status = 0;
    uint16_t mask = (uint16_t)get_le(from + 1, 2);
    uint8_t control = from[3] >> 4 & 7u, repeats = from[3] & 15u;
    if (control == 6) {
        mask = 0;
        for (unsigned i = 0; i < MAC_CHANNELS; i++)
            if (mac.channels[i])
                mask |= (uint16_t)(1u << i);
    }
    bool channels_good = mask != 0 && (control == 0 || control == 6);
    for (unsigned i = 0; i < MAC_CHANNELS; i++)
        if (mask >> i & 1u && mac.channels[i] == 0)
            channels_good = false;
    status |= channels_good ? 1 : 0;
    status |= rate == 15 || rate < DATA_RATES ? 2 : 0;
    status |= power == 15 || power <= region()->power_steps ? 4 : 0;
    if (status == 7) {
        mac.mask = mask;
        if (rate != 15)
            mac.data_rate = rate;
        if (power != 15)
            mac.power = power;
        mac.repeats = repeats ? repeats : 1;
        LOG_INFO("mac: data rate %u, power step %u, channels %04x", mac.data_rate, mac.power, mask);
    } else {
        LOG_WARNING("mac: link command refused, status %u", status, 0, 0);
    }
    return status;
}

static uint8_t rx_setup(const uint8_t *from)
{
    uint32_t frequency = get_le(from + 1, 3) * 100u;
    uint8_t status = 0;
    status |= frequency >= region()->low && frequency <= region()->high ? 1 : 0;
    status |= (from[0] & 15u) < DATA_RATES ? 2 : 0;
    status |= (from[0] >> 4 & 7u) <= 5 ? 4 : 0;
    if (status == 7) {
        mac.rx1_offset = from[0] >> 4 & 7u;
        mac.rx2_data_rate = from[0] & 15u;
        mac.rx2_frequency = frequency;
        LOG_INFO("mac: second window at %u Hz, data rate %u", frequency, mac.rx2_data_rate, 0);
    }
    return status;
}

static uint8_t new_channel(const uint8_t *from)
{
    unsigned index = from[0];
    uint32_t frequency = get_le(from + 1, 3) * 100u;
    uint8_t status = 0;
    if (index < region()->defaults || index >= MAC_CHANNELS)
        return 0;
    status |= frequency == 0 || (frequency >= region()->low && frequency <= region()->high) ? 1 : 0;
    status |= (from[4] >> 4) < DATA_RATES && (from[4] & 15u) <= from[4] >> 4 ? 2 : 0;
    if (status == 3) {
        mac.channels[index] = frequency;
        if (frequency)
            mac.mask |= (uint16_t)(1u << index);
        else
            mac.mask &= (uint16_t)~(1u << index);
        LOG_INFO("mac: channel %u at %u Hz", index, frequency, 0);
    }
    return status;
}

static void commands(const uint8_t *from, size_t count)
{
    static const struct {
        uint8_t identifier, size;
    } sizes[] = {
        {CID_LINK_CHECK, 2}, {CID_LINK_ADR, 4},    {CID_DUTY_CYCLE, 1}, {CID_RX_SETUP, 4},
        {CID_STATUS, 0},     {CID_NEW_CHANNEL, 5}, {CID_RX_TIMING, 1},  {CID_DEVICE_TIME, 5},
    };
    while (count) {
        uint8_t out[3] = {from[0]};
        unsigned index = 0;
        while (index < COUNT(sizes) && sizes[index].identifier != from[0])
            index++;
        if (index == COUNT(sizes) || count < 1u + sizes[index].size) {
            LOG_WARNING("mac: command %02x unknown or cut short", from[0], 0, 0);
            return;
        }
        const uint8_t *arguments = from + 1;
        switch (from[0]) {
        case CID_LINK_CHECK:
            LOG_INFO("mac: link margin %u dB over %u gateways", arguments[0], arguments[1], 0);
            break;
        case CID_LINK_ADR:
            out[1] = link_adr(arguments);
            answer(out, 2);
            break;
        case CID_DUTY_CYCLE:
            mac.duty_cycle = arguments[0] & 15u;
            answer(out, 1);
            break;
        case CID_RX_SETUP:
            out[1] = rx_setup(arguments);
            answer(out, 2);
            break;
        case CID_STATUS:
            out[1] = 255; /* the battery goes in the payload */
            out[2] = (uint8_t)mac.margin & 0x3fu;
            answer(out, 3);
            break;
        case CID_NEW_CHANNEL:
            out[1] = new_channel(arguments);
            answer(out, 2);
            break;
        case CID_RX_TIMING:
            mac.delay_s = arguments[0] & 15u ? arguments[0] & 15u : 1;
            answer(out, 1);
            break;
#if APP_MINOR >= 1
        case CID_DEVICE_TIME:
            mac.gps_time = get_le(arguments, 4) - uptime_s();
            mac.ask_time = false;
            LOG_INFO("mac: started at GPS second %u", mac.gps_time, 0, 0);
            break;
#endif
        }
        from += 1u + sizes[index].size;
        count -= 1u + sizes[index].size;
    }
}

bool mac_downlink(const uint8_t *frame, size_t count, struct downlink *downlink)
{
    uint8_t code[AES_BLOCK];
    downlink->port = 0;
    downlink->count = 0;
    uint8_t type = count ? frame[0] & 0xe0u : 0;
    if (count < 12 || (type != MHDR_DOWN && type != MHDR_CONFIRMED_DOWN))
        return false;
    if (get_le(frame + 1, 4) != mac.address)
        return false;
    uint32_t gap = (get_le(frame + 6, 2) - mac.down) & 0xffffu;
    uint32_t counter = mac.down + gap;
    size_t options = frame[5] & 15u, head = 8 + options;
    if (gap > MAX_GAP || head + 4 > count) {
        LOG_WARNING("downlink: counter %u out of line with %u", get_le(frame + 6, 2), mac.down, 0);
        return false;
    }
    integrity(true, counter, frame, count - 4, code);
    if (!equal_secret(code, frame + count - 4, 4)) {
        LOG_WARNING("downlink: wrong code at counter %u", counter, 0, 0);
        return false;
    }
    mac.down = counter + 1;
    mac.unheard = 0;
    mac.acknowledge = type == MHDR_CONFIRMED_DOWN;
    mac.acknowledged = (frame[5] & FCTRL_ACK) != 0;
    commands(frame + 8, options);
    if (head + 4 < count) {
        downlink->port = frame[head];
        downlink->count = count - 4 - head - 1;
        memcpy(downlink->data, frame + head + 1, downlink->count);
        encrypt(downlink->port ? mac.application_key : mac.network_key, true, counter,
                downlink->data, downlink->count);
        if (downlink->port == 0)
            commands(downlink->data, downlink->count);
    }
    return true;
}

/* --- with the radio ------------------------------------------------------------------------ */

static uint32_t pick_channel(void)
{
    for (;;) {
        unsigned index = random() % MAC_CHANNELS;
        if (mac.mask >> index & 1u)
            return mac.channels[index];
    }
}

static int8_t power_dbm(void)
{
    return (int8_t)(region()->power_dbm - 2 * mac.power);
}

static size_t windows(uint32_t sent, uint32_t frequency, uint32_t delay_ms, uint8_t *frame)
{
    int16_t rssi = 0;
    int8_t snr = 0;
    unsigned rate = 0;
    if (mac.data_rate > mac.rx1_offset)
        rate = (unsigned)(mac.data_rate - mac.rx1_offset);
    for (unsigned window = 0; window < 2; window++) {
        uint32_t start = sent + delay_ms + 1000u * window - WINDOW_MS / 2u;
        while (!time_reached(start))
            idle();
        size_t count = radio_receive(window ? mac.rx2_frequency : frequency,
                                     &data_rates[window ? mac.rx2_data_rate : rate], WINDOW_MS, frame,
                                     MAC_FRAME_MAX, &rssi, &snr);
        if (count) {
            mac.margin = snr;
            LOG_DEBUG("downlink: window %u, %d dBm, %d dB", window + 1u, rssi, snr);
            return count;
        }
    }
    return 0;
}

static bool transmit(uint32_t frequency, const uint8_t *frame, size_t count)
{
    uint32_t air = airtime_us(mac.data_rate, count);
    if (!time_reached(mac.quiet_until)) {
        LOG_WARNING("mac: duty cycle, %u ms to wait", mac.quiet_until - millis(), 0, 0);
        return false;
    }
    bool sent = radio_send(frequency, &data_rates[mac.data_rate], power_dbm(), frame, count);
    uint32_t factor = region()->duty_cycle;
    if (mac.duty_cycle && (1u << mac.duty_cycle) - 1u > factor)
        factor = (1u << mac.duty_cycle) - 1u;
    mac.quiet_until = millis() + air / 1000u * factor;
    LOG_INFO("uplink: %u octets at %u Hz, %u us on the air", count, frequency, air);
    return sent;
}

bool mac_join(void)
{
    uint8_t frame[MAC_FRAME_MAX];
    uint32_t frequency = pick_channel();
    mac.nonce++;
    size_t count = mac_join_request(frame);
    if (!transmit(frequency, frame, count))
        return false;
    count = windows(millis(), frequency, JOIN_DELAY_MS, frame);
    if (count && mac_join_accept(frame, count))
        return true;
    /* Every eighth attempt goes a data rate lower. */
    if (mac.nonce % 8 == 0 && mac.data_rate)
        mac.data_rate--;
    LOG_INFO("join: attempt %u without an answer, data rate %u", mac.nonce, mac.data_rate, 0);
    return false;
}

bool mac_send(uint8_t port, const uint8_t *data, size_t count, bool confirmed,
              struct downlink *downlink)
{
    uint8_t frame[MAC_FRAME_MAX], answer_frame[MAC_FRAME_MAX];
    downlink->port = 0;
    if (!mac.joined || count + mac.answer_count > data_rates[mac.data_rate].payload) {
        LOG_ERROR("uplink: %u octets do not go at data rate %u", count, mac.data_rate, 0);
        return false;
    }
    size_t size = mac_uplink(frame, port, data, count, confirmed);
    mac.acknowledged = false;
    for (unsigned attempt = 0; attempt < mac.repeats; attempt++) {
        uint32_t frequency = pick_channel();
        if (!transmit(frequency, frame, size))
            return false;
        size_t got = windows(millis(), frequency, mac.delay_s * 1000u, answer_frame);
        if (got && mac_downlink(answer_frame, got, downlink))
            break;
    }
    if (mac.unheard < 255)
        mac.unheard++;
    if (settings.adaptive && mac.unheard >= ADR_ACK_LIMIT + ADR_ACK_DELAY) {
        /* Nobody hears us: full power first, then slower, then every channel. */
        mac.unheard = ADR_ACK_LIMIT;
        if (mac.power)
            mac.power = 0;
        else if (mac.data_rate)
            mac.data_rate--;
        else
            channels_default();
        LOG_WARNING("adr: back-off to data rate %u, power step %u", mac.data_rate, mac.power, 0);
    }
    return !confirmed || mac.acknowledged;
}
