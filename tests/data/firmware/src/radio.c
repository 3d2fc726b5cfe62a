#include "radio.h"

#include "board.h"
#include "bus.h"
#include "lib.h"
#include "ringlog.h"
#include "time.h"

enum opcode {
    OP_CLEAR_IRQ = 0x02,
    OP_SET_IRQ = 0x08,
    OP_WRITE_BUFFER = 0x0e,
    OP_GET_IRQ = 0x12,
    OP_GET_BUFFER = 0x13,
    OP_GET_PACKET = 0x14,
    OP_READ_BUFFER = 0x1e,
    OP_STANDBY = 0x80,
    OP_RECEIVE = 0x82,
    OP_TRANSMIT = 0x83,
    OP_SLEEP = 0x84,
    OP_FREQUENCY = 0x86,
    OP_PACKET_TYPE = 0x8a,
    OP_MODULATION = 0x8b,
    OP_PACKET_PARAMETERS = 0x8c,
    OP_POWER = 0x8e,
    OP_BUFFER_BASE = 0x8f,
    OP_STATUS = 0xc0,
};

#define IRQ_SENT 0x0001u
#define IRQ_RECEIVED 0x0002u
#define IRQ_CRC_ERROR 0x0040u
#define IRQ_TIMEOUT 0x0200u

static bool present;

static bool wait_ready(void)
{
    uint32_t deadline = millis() + 50;
    while (pin_get(PIN_RADIO_BUSY))
        if (time_reached(deadline)) {
            LOG_ERROR("radio: busy for 50 ms", 0, 0, 0);
            return false;
        }
    return true;
}

static bool command(enum opcode opcode, const uint8_t *arguments, size_t count)
{
    uint8_t out[12];
    if (!wait_ready())
        return false;
    out[0] = (uint8_t)opcode;
    memcpy(out + 1, arguments, count);
    spi_transfer(SPI_RADIO_BASE, PIN_RADIO_SELECT, out, 0, count + 1);
    return true;
}

static void query(enum opcode opcode, uint8_t *answer, size_t count)
{
    uint8_t out[8] = {(uint8_t)opcode}, in[8] = {0};
    if (wait_ready())
        spi_transfer(SPI_RADIO_BASE, PIN_RADIO_SELECT, out, in, count + 2);
    memcpy(answer, in + 2, count);
}

bool radio_start(void)
{
    uint8_t status;
    pin_set(PIN_RADIO_RESET, false);
    sleep_ms(2);
    pin_set(PIN_RADIO_RESET, true);
    sleep_ms(6);
    query(OP_STATUS, &status, 1);
    present = status != 0x00 && status != 0xff;
    if (!present)
        LOG_WARNING("radio: status %02x, none fitted", status, 0, 0);
    return present;
}

bool radio_present(void)
{
    return present;
}

static void configure(uint32_t frequency, const struct data_rate *rate, bool downlink, size_t count)
{
    const uint8_t standby = 0, lora = 1, base[2] = {0, 0};
    /* Steps of 32 MHz / 2^25: 15625 Hz is 2^14 steps. */
    uint32_t steps = frequency / 15625u * 16384u + frequency % 15625u * 16384u / 15625u;
    const uint8_t tune[4] = {(uint8_t)(steps >> 24), (uint8_t)(steps >> 16), (uint8_t)(steps >> 8),
                             (uint8_t)steps};
    bool slow = rate->spreading >= 11 && rate->kilohertz == 125;
    const uint8_t modulation[4] = {rate->spreading, rate->kilohertz == 250 ? 5 : 4, 1, slow};
    const uint8_t packet[6] = {0, 8, 0, (uint8_t)count, !downlink, downlink};
    const uint16_t mask = IRQ_SENT | IRQ_RECEIVED | IRQ_CRC_ERROR | IRQ_TIMEOUT;
    const uint8_t irq[8] = {(uint8_t)(mask >> 8), (uint8_t)mask, (uint8_t)(mask >> 8), (uint8_t)mask};
    const uint8_t clear[2] = {0xff, 0xff};
    command(OP_STANDBY, &standby, 1);
    command(OP_PACKET_TYPE, &lora, 1);
    command(OP_FREQUENCY, tune, sizeof tune);
    command(OP_MODULATION, modulation, sizeof modulation);
    command(OP_PACKET_PARAMETERS, packet, sizeof packet);
    command(OP_BUFFER_BASE, base, sizeof base);
    command(OP_SET_IRQ, irq, sizeof irq);
    command(OP_CLEAR_IRQ, clear, sizeof clear);
}

static uint16_t wait_irq(uint32_t most_ms)
{
    uint32_t deadline = millis() + most_ms;
    uint8_t irq[2];
    do {
        if (pin_get(PIN_RADIO_IRQ)) {
            query(OP_GET_IRQ, irq, sizeof irq);
            return (uint16_t)(irq[0] << 8 | irq[1]);
        }
        idle();
    } while (!time_reached(deadline));
    return 0;
}

bool radio_send(uint32_t frequency, const struct data_rate *rate, int8_t dbm, const uint8_t *frame,
                size_t count)
{
    uint8_t buffer[2 + 255] = {OP_WRITE_BUFFER, 0};
    const uint8_t power[2] = {(uint8_t)dbm, 4}, endless[3] = {0};
    if (!present)
        return false;
    configure(frequency, rate, false, count);
    command(OP_POWER, power, sizeof power);
    memcpy(buffer + 2, frame, count);
    spi_transfer(SPI_RADIO_BASE, PIN_RADIO_SELECT, buffer, 0, count + 2);
    command(OP_TRANSMIT, endless, sizeof endless);
    uint16_t irq = wait_irq(5000);
    if (!(irq & IRQ_SENT))
        LOG_ERROR("radio: no end of transmission, irq %04x", irq, 0, 0);
    return (irq & IRQ_SENT) != 0;
}

size_t radio_receive(uint32_t frequency, const struct data_rate *rate, uint32_t window_ms,
                     uint8_t *to, size_t most, int16_t *rssi, int8_t *snr)
{
    uint32_t units = window_ms * 64u; /* of 15.625 us */
    const uint8_t timeout[3] = {(uint8_t)(units >> 16), (uint8_t)(units >> 8), (uint8_t)units};
    const uint8_t warm = 4;
    uint8_t where[2], quality[3];
    size_t count = 0;
    if (!present)
        return 0;
    configure(frequency, rate, true, 255);
    command(OP_RECEIVE, timeout, sizeof timeout);
    uint16_t irq = wait_irq(window_ms + 3000u);
    if (irq & IRQ_CRC_ERROR) {
        LOG_WARNING("radio: downlink at %u Hz with a bad CRC", frequency, 0, 0);
    } else if (irq & IRQ_RECEIVED) {
        query(OP_GET_BUFFER, where, sizeof where);
        query(OP_GET_PACKET, quality, sizeof quality);
        count = where[0];
        *rssi = (int16_t)(-quality[0] / 2);
        *snr = (int8_t)((int8_t)quality[1] / 4);
        if (count <= most && wait_ready()) {
            uint8_t head[3] = {OP_READ_BUFFER, where[1], 0}, all[3 + 255];
            memset(all, 0, sizeof all);
            memcpy(all, head, sizeof head);
            spi_transfer(SPI_RADIO_BASE, PIN_RADIO_SELECT, all, all, count + 3);
            memcpy(to, all + 3, count);
        } else {
            count = 0;
        }
    }
    command(OP_SLEEP, &warm, 1);
    return count;
}
