/* Fixed-point arithmetic. */
#ifndef FIXED_H
#define FIXED_H

#include <stddef.h>
#include <stdint.h>

/* Divide and round to the nearest, halves away from zero; by > 0. */
int32_t divide_round(int32_t value, int32_t by);

/* Sine of a 16-bit angle (65536 is a full turn), Q15. */
int32_t sine(uint16_t angle);
int32_t cosine(uint16_t angle);

uint32_t square_root(uint32_t value);

/* 65536 log2(value); 0 for 0. */
int32_t log2_q16(uint32_t value);

/* Ten times the decibels of value over reference, both powers. */
int32_t decibels(uint32_t value, uint32_t reference);

/* Read a table of points 2^shift apart, linearly in between. */
int32_t interpolate(const int16_t *table, size_t count, uint32_t at, unsigned shift);

/* Magnitudes of bins 1 .. bins of the spectrum of count samples (a power of two). */
void spectrum(const int16_t *samples, unsigned count, uint16_t *magnitudes, unsigned bins);

#endif
