/* The transceiver: a LoRa modem behind SPI, commanded by opcodes. */
#ifndef RADIO_H
#define RADIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "region.h"

bool radio_start(void);
bool radio_present(void);

/* Send a frame; false if the modem does not report its end. */
bool radio_send(uint32_t frequency, const struct data_rate *rate, int8_t dbm, const uint8_t *frame,
                size_t count);

/* Open a window; the number of octets received, 0 if none. */
size_t radio_receive(uint32_t frequency, const struct data_rate *rate, uint32_t window_ms,
                     uint8_t *to, size_t most, int16_t *rssi, int8_t *snr);

#endif
