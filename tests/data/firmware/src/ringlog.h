/* A log in RAM: format strings and their arguments, put into words only when read. */
#ifndef RINGLOG_H
#define RINGLOG_H

#include <stdint.h>

enum level { LEVEL_ERROR, LEVEL_WARNING, LEVEL_INFO, LEVEL_DEBUG };

void log_add(enum level level, const char *text, uint32_t a, uint32_t b, uint32_t c);
void log_show(enum level most, unsigned last);
void log_clear(void);

#define LOG_ERROR(text, a, b, c) log_add(LEVEL_ERROR, text, (uint32_t)(a), (uint32_t)(b), (uint32_t)(c))
#define LOG_WARNING(text, a, b, c) \
    log_add(LEVEL_WARNING, text, (uint32_t)(a), (uint32_t)(b), (uint32_t)(c))
#define LOG_INFO(text, a, b, c) log_add(LEVEL_INFO, text, (uint32_t)(a), (uint32_t)(b), (uint32_t)(c))
#define LOG_DEBUG(text, a, b, c) log_add(LEVEL_DEBUG, text, (uint32_t)(a), (uint32_t)(b), (uint32_t)(c))

#endif
