#include "lib.h"

void *memcpy(void *to, const void *from, size_t count)
{
    uint8_t *out = to;
    const uint8_t *in = from;
    if ((((uintptr_t)out | (uintptr_t)in) & 3u) == 0) {
        for (; count >= 4; count -= 4, out += 4, in += 4)
            *(uint32_t *)(void *)out = *(const uint32_t *)(const void *)in;
    }
    while (count--)
        *out++ = *in++;
    return to;
}

void *memmove(void *to, const void *from, size_t count)
{
    uint8_t *out = to;
    const uint8_t *in = from;
    if (out <= in || out >= in + count)
        return memcpy(to, from, count);
    while (count--)
        out[count] = in[count];
    return to;
}

void *memset(void *to, int value, size_t count)
{
    uint8_t *out = to;
    while (count--)
        *out++ = (uint8_t)value;
    return to;
}

int memcmp(const void *left, const void *right, size_t count)
{
    const uint8_t *a = left, *b = right;
    for (; count; count--, a++, b++)
        if (*a != *b)
            return *a - *b;
    return 0;
}

size_t strlen(const char *text)
{
    const char *end = text;
    while (*end)
        end++;
    return (size_t)(end - text);
}

int strcmp(const char *left, const char *right)
{
    while (*left && *left == *right) {
        left++;
        right++;
    }
    return (uint8_t)*left - (uint8_t)*right;
}

bool equal_secret(const uint8_t *left, const uint8_t *right, size_t count)
{
    uint8_t difference = 0;
    while (count--)
        difference |= *left++ ^ *right++;
    return difference == 0;
}

uint32_t get_le(const uint8_t *from, unsigned octets)
{
    uint32_t value = 0;
    while (octets--)
        value = value << 8 | from[octets];
    return value;
}

void put_le(uint8_t *to, uint32_t value, unsigned octets)
{
    for (; octets--; value >>= 8)
        *to++ = (uint8_t)value;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool parse_number(const char *text, int32_t *value)
{
    bool negative = *text == '-';
    uint32_t total = 0;
    int base = 10;
    if (negative)
        text++;
    if (text[0] == '0' && text[1] == 'x') {
        base = 16;
        text += 2;
    }
    if (!*text)
        return false;
    for (; *text; text++) {
        int digit = hex_digit(*text);
        if (digit < 0 || digit >= base)
            return false;
        if (base == 10 && total > (UINT32_MAX - 9u) / 10u)
            return false;
        total = total * (uint32_t)base + (uint32_t)digit;
    }
    *value = negative ? -(int32_t)total : (int32_t)total;
    return true;
}

bool parse_hex(const char *text, uint8_t *to, size_t octets)
{
    if (strlen(text) != 2 * octets)
        return false;
    for (; octets; octets--, text += 2) {
        int high = hex_digit(text[0]), low = hex_digit(text[1]);
        if (high < 0 || low < 0)
            return false;
        *to++ = (uint8_t)(high << 4 | low);
    }
    return true;
}

static void put_number(put_char put, uint32_t value, uint32_t base, bool negative, int point,
                       unsigned width, char fill)
{
    char digits[16];
    unsigned count = 0;
    do {
        if (point >= 0 && (int)count == point)
            digits[count++] = '.';
        digits[count++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value || (int)count < point + 2);
    if (negative && fill == '0')
        put('-');
    for (unsigned at = count + negative; at < width; at++)
        put(fill);
    if (negative && fill != '0')
        put('-');
    while (count)
        put(digits[--count]);
}

void format(put_char put, const char *text, const uint32_t *arguments)
{
    for (; *text; text++) {
        unsigned width = 0;
        char fill = ' ';
        if (*text != '%') {
            put(*text);
            continue;
        }
        if (*++text == '0')
            fill = *text++;
        for (; *text >= '0' && *text <= '9'; text++)
            width = width * 10 + (unsigned)(*text - '0');
        if (*text == '%') {
            put('%');
            continue;
        }
        if (!*text)
            return;
        uint32_t value = *arguments++;
        bool negative = (int32_t)value < 0;
        uint32_t size = negative ? 0u - value : value;
        switch (*text) {
        case 'd':
            put_number(put, size, 10, negative, -1, width, fill);
            break;
        case 'q':
            put_number(put, size, 10, negative, 2, width, fill);
            break;
        case 'u':
            put_number(put, value, 10, false, -1, width, fill);
            break;
        case 'x':
            put_number(put, value, 16, false, -1, width, fill);
            break;
        case 'c':
            put((char)value);
            break;
        case 's': {
            const char *from = (const char *)(uintptr_t)value;
            unsigned length = 0;
            for (; from[length]; length++)
                put(from[length]);
            for (; length < width; length++)
                put(' ');
            break;
        }
        default:
            put('?');
        }
    }
}
