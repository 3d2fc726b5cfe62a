/* Registers of the board: a Cortex-M4 with the Arm CMSDK peripherals (Arm MPS2, AN386). */
#ifndef BOARD_H
#define BOARD_H

#include <stdint.h>

#define REG(address) (*(volatile uint32_t *)(address))

#define CLOCK_HZ 25000000u

#define SYST_CSR REG(0xe000e010u)
#define SYST_RVR REG(0xe000e014u)
#define SYST_CVR REG(0xe000e018u)
#define SCB_VTOR REG(0xe000ed08u)
#define SCB_AIRCR REG(0xe000ed0cu)
#define SCB_SHCSR REG(0xe000ed24u)
#define SCB_CFSR REG(0xe000ed28u)
#define SCB_BFAR REG(0xe000ed38u)

#define UART_BASE 0x40004000u
#define UART_DATA REG(UART_BASE + 0x00u)
#define UART_STATE REG(UART_BASE + 0x04u)
#define UART_CTRL REG(UART_BASE + 0x08u)
#define UART_BAUDDIV REG(UART_BASE + 0x10u)

#define GPIO_BASE 0x40010000u
#define GPIO_IN REG(GPIO_BASE + 0x00u)
#define GPIO_OUT REG(GPIO_BASE + 0x04u)
#define GPIO_OUT_ENABLE REG(GPIO_BASE + 0x10u)

#define I2C_BASE 0x4002a000u
#define I2C_SET REG(I2C_BASE + 0x00u)
#define I2C_READ REG(I2C_BASE + 0x00u)
#define I2C_CLEAR REG(I2C_BASE + 0x04u)

#define SPI_ADC_BASE 0x40026000u
#define SPI_RADIO_BASE 0x40027000u
#define SPI_CR0(base) REG((base) + 0x00u)
#define SPI_CR1(base) REG((base) + 0x04u)
#define SPI_DR(base) REG((base) + 0x08u)
#define SPI_SR(base) REG((base) + 0x0cu)
#define SPI_CPSR(base) REG((base) + 0x10u)

/* Pins of the GPIO block. */
#define PIN_LED 0u
#define PIN_ADC_SELECT 4u
#define PIN_RADIO_SELECT 5u
#define PIN_RADIO_RESET 6u
#define PIN_RADIO_BUSY 7u
#define PIN_RADIO_IRQ 8u
#define PIN_PROBE_POWER 9u

#endif
