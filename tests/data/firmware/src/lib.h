/* Memory, strings, formatting: what a C library would give, and no more. */
#ifndef LIB_H
#define LIB_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define FAULT_MAGIC 0xfa017eedu

struct fault_record {
    uint32_t magic, number, pc, lr, cfsr, bfar;
};

extern struct fault_record fault_record;

__attribute__((noreturn)) void system_reset(void);

void *memcpy(void *to, const void *from, size_t count);
void *memset(void *to, int value, size_t count);
void *memmove(void *to, const void *from, size_t count);
int memcmp(const void *left, const void *right, size_t count);
size_t strlen(const char *text);
int strcmp(const char *left, const char *right);

/* True if equal; takes the same time wherever the octets differ. */
bool equal_secret(const uint8_t *left, const uint8_t *right, size_t count);

uint32_t get_le(const uint8_t *from, unsigned octets);
void put_le(uint8_t *to, uint32_t value, unsigned octets);

bool parse_number(const char *text, int32_t *value);
bool parse_hex(const char *text, uint8_t *to, size_t octets);

/* Format with up to eight arguments of 32 bits each.
 *
 *   %d %u %x %c %s   as usual, with width and leading zeros
 *   %q               hundredths: 2150 prints as 21.50
 *   %%               a percent sign
 */
typedef void (*put_char)(char c);
void format(put_char put, const char *text, const uint32_t *arguments);

#endif
