/* Milliseconds since start, and sleeping. */
#ifndef TIME_H
#define TIME_H

#include <stdbool.h>
#include <stdint.h>

void time_start(void);
void systick_handler(void);
uint32_t millis(void);
uint32_t uptime_s(void);
void sleep_ms(uint32_t duration);
void idle(void);
bool time_reached(uint32_t deadline);

#endif
