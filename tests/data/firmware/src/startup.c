/* Vector table, reset and faults. */
#include "board.h"
#include "lib.h"
#include "time.h"

extern uint32_t stack_top, data_start, data_end, data_load, bss_start, bss_end;
extern int main(void);

void reset_handler(void);

/* What the last fault left behind; see the `status` command. */
struct fault_record fault_record __attribute__((section(".noinit")));

__attribute__((section(".reset"), noreturn))
void reset_handler(void)
{
    const uint32_t *from = &data_load;
    for (uint32_t *to = &data_start; to < &data_end;)
        *to++ = *from++;
    for (uint32_t *to = &bss_start; to < &bss_end;)
        *to++ = 0;
    main();
    system_reset();
}

void system_reset(void)
{
    __asm volatile("dsb" ::: "memory");
    SCB_AIRCR = 0x05fa0004u;
    for (;;)
        __asm volatile("nop");
}

__attribute__((used)) static void fault(const uint32_t *frame, uint32_t number)
{
    fault_record.magic = FAULT_MAGIC;
    fault_record.number = number;
    fault_record.pc = frame[6];
    fault_record.lr = frame[5];
    fault_record.cfsr = SCB_CFSR;
    fault_record.bfar = SCB_BFAR;
    system_reset();
}

__attribute__((naked)) static void fault_handler(void)
{
    __asm volatile("tst lr, #4\n"
                   "ite eq\n"
                   "mrseq r0, msp\n"
                   "mrsne r0, psp\n"
                   "mrs r1, ipsr\n"
                   "b fault\n");
}

/* An interrupt nobody asked for is a fault like any other. */
#define IRQ4 fault_handler, fault_handler, fault_handler, fault_handler

typedef void (*handler)(void);

__attribute__((section(".vectors"), used)) const handler vectors[48] = {
    (handler)(uintptr_t)&stack_top,
    reset_handler,
    fault_handler, /* NMI */
    fault_handler, /* HardFault */
    fault_handler, /* MemManage */
    fault_handler, /* BusFault */
    fault_handler, /* UsageFault */
    0, 0, 0, 0,
    fault_handler, /* SVCall */
    fault_handler, /* DebugMonitor */
    0,
    fault_handler, /* PendSV */
    systick_handler,
    IRQ4, IRQ4, IRQ4, IRQ4, IRQ4, IRQ4, IRQ4, IRQ4,
};
