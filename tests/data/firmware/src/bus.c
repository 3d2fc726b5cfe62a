#include "bus.h"

#include "board.h"
#include "lib.h"

#define SCL 1u
#define SDA 2u

#define SPI_NOT_FULL 2u
#define SPI_NOT_EMPTY 4u

void bus_start(void)
{
    UART_BAUDDIV = CLOCK_HZ / 115200u;
    UART_CTRL = 3;
    GPIO_OUT = 1u << PIN_ADC_SELECT | 1u << PIN_RADIO_SELECT | 1u << PIN_RADIO_RESET;
    GPIO_OUT_ENABLE = GPIO_OUT | 1u << PIN_LED | 1u << PIN_PROBE_POWER;
    I2C_SET = SCL | SDA;
    SPI_CR0(SPI_ADC_BASE) = 7;
    SPI_CPSR(SPI_ADC_BASE) = 24;
    SPI_CR1(SPI_ADC_BASE) = 2;
    SPI_CR0(SPI_RADIO_BASE) = 7;
    SPI_CPSR(SPI_RADIO_BASE) = 4;
    SPI_CR1(SPI_RADIO_BASE) = 2;
}

void uart_put(char c)
{
    if (c == '\n')
        uart_put('\r');
    while (UART_STATE & 1u)
        ;
    UART_DATA = (uint8_t)c;
}

int uart_get(void)
{
    return UART_STATE & 2u ? (int)(UART_DATA & 0xffu) : -1;
}

void print(const char *text, ...)
{
    uint32_t arguments[8];
    unsigned count = 0;
    va_list list;
    va_start(list, text);
    for (const char *at = text; *at; at++) {
        if (*at != '%')
            continue;
        if (*++at == '%')
            continue;
        if (count < COUNT(arguments))
            arguments[count++] = va_arg(list, uint32_t);
    }
    va_end(list);
    format(uart_put, text, arguments);
}

void print_hex(const uint8_t *from, size_t count)
{
    while (count--)
        print("%02x", *from++);
}

static void i2c_wait(void)
{
    for (volatile unsigned i = 0; i < 20; i++)
        ;
}

static void i2c_line(uint32_t line, bool high)
{
    if (high)
        I2C_SET = line;
    else
        I2C_CLEAR = line;
    i2c_wait();
}

static bool i2c_bit(bool out)
{
    i2c_line(SDA, out);
    i2c_line(SCL, true);
    bool in = (I2C_READ & SDA) != 0;
    i2c_line(SCL, false);
    return in;
}

static void i2c_begin(void)
{
    i2c_line(SDA, true);
    i2c_line(SCL, true);
    i2c_line(SDA, false);
    i2c_line(SCL, false);
}

static void i2c_end(void)
{
    i2c_line(SDA, false);
    i2c_line(SCL, true);
    i2c_line(SDA, true);
}

static bool i2c_write(uint8_t value)
{
    for (unsigned mask = 0x80; mask; mask >>= 1)
        i2c_bit((value & mask) != 0);
    return !i2c_bit(true);
}

static uint8_t i2c_read(bool more)
{
    unsigned value = 0;
    for (unsigned i = 0; i < 8; i++)
        value = value << 1 | i2c_bit(true);
    i2c_bit(!more);
    return (uint8_t)value;
}

bool i2c_transfer(uint8_t address, const uint8_t *out, size_t outs, uint8_t *in, size_t ins)
{
    bool answered = true;
    if (outs) {
        i2c_begin();
        answered = i2c_write((uint8_t)(address << 1));
        while (answered && outs--)
            answered = i2c_write(*out++);
    }
    if (answered && ins) {
        i2c_begin();
        answered = i2c_write((uint8_t)(address << 1 | 1));
        while (answered && ins--)
            *in++ = i2c_read(ins != 0);
    }
    i2c_end();
    return answered;
}

void pin_set(unsigned pin, bool high)
{
    if (high)
        GPIO_OUT |= 1u << pin;
    else
        GPIO_OUT &= ~(1u << pin);
}

bool pin_get(unsigned pin)
{
    return GPIO_IN >> pin & 1u;
}

void spi_transfer(uint32_t base, unsigned select, const uint8_t *out, uint8_t *in, size_t count)
{
    pin_set(select, false);
    while (count--) {
        while (!(SPI_SR(base) & SPI_NOT_FULL))
            ;
        SPI_DR(base) = out ? *out++ : 0u;
        while (!(SPI_SR(base) & SPI_NOT_EMPTY))
            ;
        uint8_t got = (uint8_t)SPI_DR(base);
        if (in)
            *in++ = got;
    }
    pin_set(select, true);
}
