/* Runs the kernels in C without Python, on cases written by kernels_elsewhere.py, and compares.

   Reads from its standard input: for each case the number of a kernel, its numbers, its buffers,
   and what the reference kernels make of them; everything in 32-bit little-endian numbers. */

#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "_speedups_shared.h"

static int number(uint32_t *value)
{
    uint8_t octets[4];
    if (fread(octets, 1, 4, stdin) != 4)
        return 0;
    *value = load32(octets);
    return 1;
}

typedef struct {
    size_t size;
    uint8_t *octets;
} buffer;

/* A buffer of just its size, at an odd address, so that nothing is taken for granted. */
static buffer make(size_t size)
{
    buffer b = {size, malloc(size + 1)};
    if (!b.octets)
        exit(2);
    b.octets++;
    memset(b.octets, 0, size);
    return b;
}

static void drop(buffer b)
{
    free(b.octets - 1);
}

static buffer read_buffer(void)
{
    uint32_t size;
    if (!number(&size))
        exit(2);
    buffer b = make(size);
    if (fread(b.octets, 1, size, stdin) != size)
        exit(2);
    return b;
}

static int run(const kernels *k, uint32_t kernel, const uint32_t *n, uint32_t count,
               const buffer *b, buffer expected, int fast_extract)
{
    buffer out = make(expected.size), basis = make(0);
    int status = -3;
    if (kernel == 0) {
        uint16_t *numbers = malloc(count * sizeof *numbers);
        for (uint32_t i = 2; numbers && i < count; i++)
            numbers[i - 2] = (uint16_t)n[i];
        status = numbers ? k->lines(out.octets, numbers, count - 2, n[0], (int)n[1]) : -1;
        free(numbers);
    } else if (kernel == 1) {
        size_t lines = b[1].size / ((n[1] + 7) / 8);
        status = k->product(out.octets, b[1].octets, lines, n[1], b[0].octets, n[0]);
    } else if (kernel == 2) {
        size_t lost = count_ones(b[0].octets, b[0].size);
        drop(basis);
        basis = make(lost * ((lost + 63) / 64 * 8));
        status = k->rank_add(basis.octets, b[0].octets, n[0], b[1].octets,
                             b[1].size / ((n[0] + 7) / 8), out.octets, fast_extract);
    } else if (kernel == 3) {
        size_t lines = b[2].size / ((n[1] + 7) / 8);
        status = k->solve(out.octets, b[0].octets, b[1].octets, n[0], n[1], b[2].octets, lines,
                          b[3].octets, fast_extract);
    } else if (kernel == 4) {
        status = k->completions(out.octets, n[0], n[1], b[0].octets, b[1].octets, out.size / 2);
    } else if (kernel == 5) {
        uint16_t *numbers = malloc(count * sizeof *numbers);
        for (uint32_t i = 4; numbers && i < count; i++)
            numbers[i - 4] = (uint16_t)n[i];
        drop(basis);
        basis = make(b[0].size);
        memcpy(basis.octets, b[0].octets, b[0].size);
        status = numbers ? k->decode(basis.octets, b[1].octets, n[0], n[1], numbers, count - 4,
                                     (int)n[2], b[2].octets, fast_extract)
                         : -1;
        free(numbers);
        if (status >= 0 && status != (int)n[3])
            status = -3;
        memcpy(out.octets, basis.octets, out.size);
    }
    int same = status >= 0 && !memcmp(out.octets, expected.octets, out.size);
    drop(out);
    drop(basis);
    return same;
}

int main(void)
{
    uint32_t kernel, count, buffers, n[1000], cases = 0, wrong = 0;
    buffer b[4];
    while (number(&kernel)) {
        if (!number(&count) || count > 1000)
            return 2;
        for (uint32_t i = 0; i < count; i++) {
            if (!number(&n[i]))
                return 2;
        }
        if (!number(&buffers) || buffers > 4)
            return 2;
        for (uint32_t i = 0; i < buffers; i++)
            b[i] = read_buffer();
        buffer expected = read_buffer();
        int same = run(&kernels_baseline, kernel, n, count, b, expected, 0);
#if defined(HAVE_AVX2)
        for (int fast = 0; fast < 2 && __builtin_cpu_supports("avx2"); fast++)
            same &= run(&kernels_avx2, kernel, n, count, b, expected, fast);
#endif
        if (!same)
            printf("case %u: kernel %u differs\n", (unsigned)cases, (unsigned)kernel);
        wrong += !same;
        cases++;
        for (uint32_t i = 0; i < buffers; i++)
            drop(b[i]);
        drop(expected);
    }
    printf("%u cases, %u wrong\n", (unsigned)cases, (unsigned)wrong);
    return wrong != 0;
}
