#include "ringlog.h"

#include "bus.h"
#include "lib.h"
#include "time.h"

#define ENTRIES 128

static struct {
    uint32_t when;
    const char *text;
    uint32_t arguments[3];
    enum level level;
} entries[ENTRIES];

static uint32_t added;

void log_add(enum level level, const char *text, uint32_t a, uint32_t b, uint32_t c)
{
    unsigned at = added++ % ENTRIES;
    entries[at].when = millis();
    entries[at].level = level;
    entries[at].text = text;
    entries[at].arguments[0] = a;
    entries[at].arguments[1] = b;
    entries[at].arguments[2] = c;
}

void log_show(enum level most, unsigned last)
{
    uint32_t from = added > ENTRIES ? added - ENTRIES : 0;
    if (last && added - from > last)
        from = added - last;
    for (; from != added; from++) {
        unsigned at = from % ENTRIES;
        if (entries[at].level > most)
            continue;
        print("%6u.%03u %c ", entries[at].when / 1000u, entries[at].when % 1000u,
              "EWID"[entries[at].level]);
        format(uart_put, entries[at].text, entries[at].arguments);
        print("\n");
    }
}

void log_clear(void)
{
    added = 0;
}
