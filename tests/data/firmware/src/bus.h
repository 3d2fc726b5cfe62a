/* The wires: UART, I2C by hand, SPI. */
#ifndef BUS_H
#define BUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void bus_start(void);

void uart_put(char c);
int uart_get(void); /* -1 if nothing has come */

void print(const char *text, ...);
void print_hex(const uint8_t *from, size_t count);

/* Write some octets, then read some; false if nobody answers at the address. */
bool i2c_transfer(uint8_t address, const uint8_t *out, size_t outs, uint8_t *in, size_t ins);

void pin_set(unsigned pin, bool high);
bool pin_get(unsigned pin);

/* Exchange octets while a select pin is low; in or out may be null. */
void spi_transfer(uint32_t base, unsigned select, const uint8_t *out, uint8_t *in, size_t count);

#endif
