#include "time.h"

#include "board.h"

static volatile uint32_t ticks;
static volatile uint32_t seconds;
static volatile uint32_t part;

void systick_handler(void)
{
    ticks++;
    if (++part == 1000) {
        part = 0;
        seconds++;
    }
}

void time_start(void)
{
    SYST_RVR = CLOCK_HZ / 1000u - 1u;
    SYST_CVR = 0;
    SYST_CSR = 7; /* core clock, interrupt, on */
}

uint32_t millis(void)
{
    return ticks;
}

uint32_t uptime_s(void)
{
    return seconds;
}

void idle(void)
{
    __asm volatile("wfi");
}

bool time_reached(uint32_t deadline)
{
    return (int32_t)(ticks - deadline) >= 0;
}

void sleep_ms(uint32_t duration)
{
    uint32_t deadline = ticks + duration;
    while (!time_reached(deadline))
        idle();
}
