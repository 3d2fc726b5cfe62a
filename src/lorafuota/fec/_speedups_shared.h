/* What the kernels share, whatever the instruction set: see the essay in _speedups.c. */

#if defined(__GNUC__)
#define INLINE inline __attribute__((always_inline))
#else
#define INLINE inline
#endif

/* Octets and words.  "load" and "store" are little-endian; "native" does not matter. */

static INLINE uint64_t native64(const uint8_t *p)
{
    uint64_t x;
    memcpy(&x, p, 8);
    return x;
}

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ || defined(_WIN32)

static INLINE uint64_t load64(const uint8_t *p)
{
    return native64(p);
}

static INLINE uint32_t load32(const uint8_t *p)
{
    uint32_t x;
    memcpy(&x, p, 4);
    return x;
}

static INLINE void store64(uint8_t *p, uint64_t x)
{
    memcpy(p, &x, 8);
}

#else

static INLINE uint32_t load32(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static INLINE uint64_t load64(const uint8_t *p)
{
    return load32(p) | (uint64_t)load32(p + 4) << 32;
}

static INLINE void store64(uint8_t *p, uint64_t x)
{
    for (int i = 0; i < 8; i++, x >>= 8)
        p[i] = (uint8_t)x;
}

#endif

/* Fewer than eight octets. */
static INLINE uint64_t load_part(const uint8_t *p, size_t octets)
{
    uint64_t x = 0;
    for (size_t i = 0; i < octets; i++)
        x |= (uint64_t)p[i] << (8 * i);
    return x;
}

/* The place of the lowest one; x is not 0. */
static INLINE int lowest_bit(uint64_t x)
{
#if defined(__GNUC__)
    return __builtin_ctzll(x);
#else
    int n = 0;
    for (int step = 32; step; step /= 2) {
        if (!(x << (64 - step))) {
            x >>= step;
            n += step;
        }
    }
    return n;
#endif
}

static INLINE int ones(uint64_t x)
{
    x -= x >> 1 & 0x5555555555555555u;
    x = (x & 0x3333333333333333u) + (x >> 2 & 0x3333333333333333u);
    return (int)(((x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fu) * 0x0101010101010101u >> 56);
}

static inline size_t count_ones(const uint8_t *p, size_t octets)
{
    size_t count = 0, at = 0;
    for (; at + 8 <= octets; at += 8)
        count += (size_t)ones(native64(p + at));
    return count + (size_t)ones(load_part(p + at, octets - at));
}

/* Memory for one call: places are reserved, then all are allocated at once, each on a line of the
   cache.  A size that cannot be makes the allocation fail. */

typedef struct {
    size_t size;
    void *allocated;
    uint8_t *start;
} scratch;

static inline size_t reserve(scratch *s, size_t count, size_t size)
{
    size_t at = s->size, most = SIZE_MAX / 2 - 64;
    if (at > most || (size && count > (most - at) / size)) {
        s->size = SIZE_MAX;
        return 0;
    }
    s->size = (at + count * size + 63) / 64 * 64;
    return at;
}

static inline int allocate(scratch *s)
{
    s->allocated = s->size < SIZE_MAX / 2 ? malloc(s->size + 64) : NULL;
    if (!s->allocated)
        return -1;
    s->start = (uint8_t *)s->allocated + (64 - (uintptr_t)s->allocated % 64) % 64;
    return 0;
}

static inline void release(scratch *s)
{
    free(s->allocated);
}

/* The generator: x' = x / 2 + feedback * 2^22.  (It is added: see _reference.py.) */

#define STATE_MASK 0x7fffffu

static INLINE uint32_t next_state(uint32_t x)
{
    return (x >> 1) + (((x ^ x >> 5) & 1) << 22);
}

typedef struct {
    uint32_t nb_frag, value; /* M, and what the remainder is of: M + 1 for powers of two */
    float inverse;           /* of `value`, rounded down */
    uint64_t inverse40;      /* ... times 2^40, rounded up */
} modulus;

static inline modulus modulus_of(uint32_t nb_frag)
{
    modulus m;
    m.nb_frag = nb_frag;
    m.value = nb_frag + ((nb_frag & (nb_frag - 1)) == 0);
    m.inverse = (float)(1.0 / m.value * (1.0 - 3e-7)); /* three units of the last place */
    m.inverse40 = ((uint64_t)1 << 40) / m.value + 1;
    return m;
}

/* x mod value, for x below 2^24: the inverse is at most 2^-40 too large, so x times it is less than
   2^-16 too large, and a fraction comes no nearer to 1 than 1 / value. */
static INLINE uint32_t remainder24(const modulus *m, uint32_t x)
{
    return x - m->value * (uint32_t)(x * m->inverse40 >> 40);
}

/* The string of bits whose windows are the states; see the essay. */

typedef struct {
    uint64_t *words;
    size_t room, made; /* words there is room for, 4 at least, and words that are there */
    size_t group;      /* what comes next, in groups of 16 states */
} bit_string;

static inline void string_start(bit_string *s, uint32_t state)
{
    uint64_t w = state, next;
    for (int have = 23; have < 64; have += 18) /* bit k + 23 is bits k and k + 5 */
        w |= ((w >> (have - 23) ^ w >> (have - 18)) & 0x3ffff) << have;
    next = (w >> 18 ^ w >> 28) & 0xfffffffff; /* bit k + 46 is bits k and k + 10 */
    next |= (w >> 54 ^ next << 10 ^ next) << 36;
    s->words[0] = w;
    s->words[1] = next;
    s->made = 2;
    s->group = 0;
}

/* Have the words of at least one and at most `groups` more groups; return of how many. */
static inline size_t string_supply(bit_string *s, size_t groups)
{
    size_t most = (64 * s->room - 22) / 16 - s->group;
    if (!most) { /* a long string goes on in the same place, from its last two words */
        s->words[0] = s->words[s->room - 2];
        s->words[1] = s->words[s->room - 1];
        s->made = 2;
        s->group -= 4 * (s->room - 2);
        most = (64 * s->room - 22) / 16 - s->group;
    }
    if (groups > most)
        groups = most;
    size_t wanted = (16 * (s->group + groups) + 22 + 63) / 64;
    for (; s->made < wanted; s->made++) { /* bit k + 92 is bits k and k + 20 */
        uint64_t a = s->words[s->made - 2], b = s->words[s->made - 1];
        s->words[s->made] = (a >> 36 | b << 28) ^ (a >> 56 | b << 8);
    }
    return groups;
}

/* What lines are drawn with: memory for one of them. */

typedef struct {
    modulus m;
    int variant;
    uint8_t *map; /* an octet for each column, all zero */
    bit_string string;
} pencil;

static inline size_t reserve_map(scratch *s, size_t nb_frag)
{
    return reserve(s, (nb_frag + 64) / 64 * 64 + 64, 1);
}

/* Words for nearly every line; more are made in the same place. */
static inline size_t string_room(size_t nb_frag)
{
    return nb_frag * 3 / 4 / 64 + 4;
}

static inline void sharpen(pencil *p, size_t nb_frag, int variant, uint8_t *map, uint8_t *words)
{
    p->m = modulus_of((uint32_t)nb_frag);
    p->variant = variant;
    p->map = map;
    p->string = (bit_string){(uint64_t *)words, string_room(nb_frag), 0, 0};
    memset(map, 0, (nb_frag + 64) / 64 * 64 + 64);
}

/* Which bits of a line count, word by word, and how to push them together: the bits move right by
   1, 2, 4, ... places if their way is odd, then if half of it is, and so on. */

typedef struct {
    uint64_t mask, moves[6];
    size_t at, octets; /* where in a line the word is, and how much of it */
    int ones;
} column_word;

typedef struct {
    column_word *words;
    size_t count;
    int fast_extract; /* whether the processor has an instruction for it that is not slow */
} column_map;

static inline void map_columns(column_map *map, const uint8_t *columns, size_t nb_frag)
{
    size_t size = (nb_frag + 7) / 8;
    map->count = 0;
    for (size_t at = 0; at < size; at += 8) {
        size_t octets = size - at < 8 ? size - at : 8;
        uint64_t mask = octets == 8 ? load64(columns + at) : load_part(columns + at, octets);
        if (!mask)
            continue;
        column_word *c = &map->words[map->count++];
        c->mask = mask;
        c->at = at;
        c->octets = octets;
        c->ones = ones(mask);
        if (map->fast_extract)
            continue;
        uint64_t zeros = ~mask << 1; /* below each bit: how many places it has to go, bit by bit */
        for (int i = 0; i < 6; i++) {
            uint64_t odd = zeros;
            for (int step = 1; step < 64; step *= 2)
                odd ^= odd << step;
            c->moves[i] = odd & mask;
            mask = (mask ^ c->moves[i]) | c->moves[i] >> (1 << i);
            zeros &= ~odd;
        }
    }
}

static INLINE uint64_t extract(uint64_t x, const column_word *c)
{
    x &= c->mask;
    for (int i = 0; i < 6; i++) {
        uint64_t moved = x & c->moves[i];
        x = (x ^ moved) | moved >> (1 << i);
    }
    return x;
}

/* Rows in strips: their chunks of 64 octets are `height` chunks apart. */

static inline void put_row(uint8_t *strips, size_t height, const uint8_t *row, size_t octets)
{
    for (; octets >= 64; octets -= 64, row += 64, strips += 64 * height)
        memcpy(strips, row, 64);
    if (octets) {
        memcpy(strips, row, octets);
        memset(strips + octets, 0, 64 - octets);
    }
}

static inline void take_row(uint8_t *row, const uint8_t *strips, size_t height, size_t octets)
{
    for (; octets >= 64; octets -= 64, row += 64, strips += 64 * height)
        memcpy(row, strips, 64);
    if (octets)
        memcpy(row, strips, octets);
}

/* What a product is of: lines, and the fragments of their columns. */

typedef struct {
    const uint8_t *lines;
    size_t line_size, columns;
    const uint32_t *which; /* the fragment of each column, from 0; or null for all of them */
    const uint8_t *block;
    size_t nb_frag, frag_size;
} factors;

/* Coded fragments, to solve for others. */

typedef struct {
    const uint8_t *lines;    /* or null, to draw them from numbers */
    const uint16_t *numbers; /* all above M */
    int variant;
    const uint8_t *payloads;
    size_t count;
} equations;

/* What else a solution tells: how many of them it takes, and whether the payloads of others
   contradict it. */

typedef struct {
    size_t needed;
    int contradiction;
} verdict;

/* What an instruction set offers.  Results: 0 or a rank, `decode` has its own; -1 no memory; -2 the
   basis is none. */

typedef struct {
    int (*lines)(uint8_t *out, const uint16_t *numbers, size_t count, size_t nb_frag, int variant);
    int (*product)(uint8_t *out, const uint8_t *lines, size_t count, size_t nb_frag,
                   const uint8_t *block, size_t frag_size);
    int (*rank_add)(uint8_t *basis, const uint8_t *missing, size_t nb_frag, const uint8_t *lines,
                    size_t count, uint8_t *raised, int fast_extract);
    int (*solve)(uint8_t *out, const uint8_t *block, const uint8_t *missing, size_t frag_size,
                 size_t nb_frag, const uint8_t *lines, size_t count, const uint8_t *payloads,
                 int fast_extract);
    int (*completions)(uint8_t *out, size_t nb_frag, size_t nb_coded, const uint8_t *lines,
                       const uint8_t *heard, size_t devices);
    int (*decode)(uint8_t *block, const uint8_t *missing, size_t frag_size, size_t nb_frag,
                  const uint16_t *numbers, size_t count, int variant, const uint8_t *payloads,
                  int fast_extract);
} kernels;

#define CONCATENATE(a, b) a##_##b

#if defined(__x86_64__) || defined(_M_X64)
#if !defined(LORAFUOTA_PLAIN) /* plain C can be asked for, to test it */
#define HAVE_SSE2
#if defined(__GNUC__)
#define HAVE_AVX2
#endif
#include <immintrin.h>
#endif
#endif

#define NAME(f) CONCATENATE(f, baseline)
#define TARGET
#if defined(HAVE_SSE2)
#define SIMD 1
#else
#define SIMD 0
#endif
#include "_speedups_kernels.h"
#undef NAME
#undef TARGET
#undef SIMD

#if defined(HAVE_AVX2)
#define NAME(f) CONCATENATE(f, avx2)
#define TARGET __attribute__((target("avx2,bmi,bmi2,popcnt")))
#define SIMD 2
#include "_speedups_kernels.h"
#undef NAME
#undef TARGET
#undef SIMD
#endif
