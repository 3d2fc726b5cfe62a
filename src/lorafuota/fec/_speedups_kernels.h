/* The kernels, compiled once for each instruction set: see the essay in _speedups.c.

   Before each inclusion the includer defines
     NAME(f)   the name of f in this instruction set
     TARGET    the attribute that lets the compiler use it
     SIMD      0 plain C, 1 SSE2, 2 AVX2 with BMI2

   Nothing here knows Python, and nothing here checks ranges: that has been done.  Functions that
   need memory return -1 when there is none. */

/* A chunk is 64 octets: a line of the cache, and the width of everything below.  `settle` keeps a
   compiler from regrouping a chain of additions, each of which is one instruction with its load. */

#if SIMD == 2

typedef struct {
    __m256i a, b;
} NAME(chunk);

static TARGET INLINE NAME(chunk) NAME(settle)(NAME(chunk) x)
{
    __asm__("" : "+x"(x.a), "+x"(x.b));
    return x;
}

static TARGET INLINE NAME(chunk) NAME(load)(const uint8_t *p)
{
    NAME(chunk) x = {_mm256_loadu_si256((const __m256i *)p),
                     _mm256_loadu_si256((const __m256i *)(p + 32))};
    return x;
}

static TARGET INLINE void NAME(store)(uint8_t *p, NAME(chunk) x)
{
    _mm256_storeu_si256((__m256i *)p, x.a);
    _mm256_storeu_si256((__m256i *)(p + 32), x.b);
}

static TARGET INLINE NAME(chunk) NAME(xor)(NAME(chunk) x, NAME(chunk) y)
{
    x.a = _mm256_xor_si256(x.a, y.a);
    x.b = _mm256_xor_si256(x.b, y.b);
    return x;
}

#elif SIMD == 1

typedef struct {
    __m128i a, b, c, d;
} NAME(chunk);

static TARGET INLINE NAME(chunk) NAME(settle)(NAME(chunk) x)
{
#if defined(__GNUC__)
    __asm__("" : "+x"(x.a), "+x"(x.b), "+x"(x.c), "+x"(x.d));
#endif
    return x;
}

static TARGET INLINE NAME(chunk) NAME(load)(const uint8_t *p)
{
    const __m128i *q = (const __m128i *)p;
    NAME(chunk) x = {_mm_loadu_si128(q), _mm_loadu_si128(q + 1), _mm_loadu_si128(q + 2),
                     _mm_loadu_si128(q + 3)};
    return x;
}

static TARGET INLINE void NAME(store)(uint8_t *p, NAME(chunk) x)
{
    __m128i *q = (__m128i *)p;
    _mm_storeu_si128(q, x.a);
    _mm_storeu_si128(q + 1, x.b);
    _mm_storeu_si128(q + 2, x.c);
    _mm_storeu_si128(q + 3, x.d);
}

static TARGET INLINE NAME(chunk) NAME(xor)(NAME(chunk) x, NAME(chunk) y)
{
    x.a = _mm_xor_si128(x.a, y.a);
    x.b = _mm_xor_si128(x.b, y.b);
    x.c = _mm_xor_si128(x.c, y.c);
    x.d = _mm_xor_si128(x.d, y.d);
    return x;
}

#else

typedef struct {
    uint64_t w[8];
} NAME(chunk);

static INLINE NAME(chunk) NAME(settle)(NAME(chunk) x)
{
    return x;
}

static INLINE NAME(chunk) NAME(load)(const uint8_t *p)
{
    NAME(chunk) x;
    memcpy(x.w, p, 64);
    return x;
}

static INLINE void NAME(store)(uint8_t *p, NAME(chunk) x)
{
    memcpy(p, x.w, 64);
}

static INLINE NAME(chunk) NAME(xor)(NAME(chunk) x, NAME(chunk) y)
{
    x.w[0] ^= y.w[0];
    x.w[1] ^= y.w[1];
    x.w[2] ^= y.w[2];
    x.w[3] ^= y.w[3];
    x.w[4] ^= y.w[4];
    x.w[5] ^= y.w[5];
    x.w[6] ^= y.w[6];
    x.w[7] ^= y.w[7];
    return x;
}

#endif

/* 1. Lines of the matrix.

   The states of the generator are windows of 23 bits on one string of bits; `words` holds a stretch
   of it, and draw 16 g + j looks at bits 16 g + j to 16 g + j + 22. */

static TARGET INLINE void NAME(draw16)(const uint64_t *words, size_t g, const modulus *m,
                                       uint16_t *draws)
{
#if SIMD == 2
    if (m->value > 256) { /* so that a quotient fits in 15 bits */
        const __m256i shifts = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
        const __m256i low = _mm256_set1_epi32(STATE_MASK), mod = _mm256_set1_epi32((int)m->value);
        const __m256 inverse = _mm256_set1_ps(m->inverse);
        const uint8_t *p = (const uint8_t *)words + 2 * g;
        __m256i r[2];
        for (int h = 0; h < 2; h++) {
            uint32_t window;
            memcpy(&window, p + h, 4);
            __m256i x = _mm256_srlv_epi32(_mm256_set1_epi32((int)window), shifts);
            x = _mm256_and_si256(x, low);
            __m256i q = _mm256_cvttps_epi32(_mm256_mul_ps(_mm256_cvtepi32_ps(x), inverse));
            x = _mm256_sub_epi32(x, _mm256_madd_epi16(q, mod));
            r[h] = _mm256_min_epu32(x, _mm256_sub_epi32(x, mod));
        }
        __m256i both = _mm256_packus_epi32(r[0], r[1]);
        _mm256_storeu_si256((__m256i *)draws, _mm256_permute4x64_epi64(both, 0xd8));
        return;
    }
#elif SIMD == 1
    if (m->value > 256) {
        const __m128i low = _mm_set1_epi32(STATE_MASK), mod = _mm_set1_epi32((int)m->value);
        const __m128 inverse = _mm_set1_ps(m->inverse);
        const uint8_t *p = (const uint8_t *)words + 2 * g;
        for (int h = 0; h < 2; h++) {
            uint32_t window;
            __m128i r[2];
            memcpy(&window, p + h, 4);
            __m128i x = _mm_set1_epi32((int)window);
            x = _mm_unpacklo_epi32(x, _mm_srli_epi32(x, 1));
            x = _mm_unpacklo_epi64(x, _mm_srli_epi32(x, 2)); /* shifted by 0, 1, 2, 3 */
            for (int i = 0; i < 2; i++) {
                __m128i y = _mm_and_si128(i ? _mm_srli_epi32(x, 4) : x, low);
                __m128i q = _mm_cvttps_epi32(_mm_mul_ps(_mm_cvtepi32_ps(y), inverse));
                y = _mm_sub_epi32(_mm_sub_epi32(y, _mm_madd_epi16(q, mod)), mod);
                r[i] = _mm_add_epi32(y, _mm_and_si128(_mm_srai_epi32(y, 31), mod));
            }
            _mm_storeu_si128((__m128i *)(draws + 8 * h), _mm_packs_epi32(r[0], r[1]));
        }
        return;
    }
#endif
    size_t bit = 16 * g;
    uint64_t window = words[bit / 64] >> (bit % 64);
    if (bit % 64)
        window |= words[bit / 64 + 1] << (64 - bit % 64);
    for (int j = 0; j < 16; j++)
        draws[j] = (uint16_t)remainder24(m, (uint32_t)(window >> j) & STATE_MASK);
}

/* Turn a map of one octet per column (0 or 255) into a packed line, and clear it. */
static TARGET void NAME(pack)(uint8_t *map, size_t nb_frag, uint8_t *line)
{
    size_t size = (nb_frag + 7) / 8;
    for (size_t at = 0; at < size; at += 8) {
        uint8_t *p = map + 8 * at;
        uint64_t bits = 0;
#if SIMD == 2
        for (int k = 0; k < 2; k++) {
            __m256i x = _mm256_loadu_si256((const __m256i *)(p + 32 * k));
            bits |= (uint64_t)(uint32_t)_mm256_movemask_epi8(x) << (32 * k);
            _mm256_storeu_si256((__m256i *)(p + 32 * k), _mm256_setzero_si256());
        }
#elif SIMD == 1
        for (int k = 0; k < 4; k++) {
            __m128i x = _mm_loadu_si128((const __m128i *)(p + 16 * k));
            bits |= (uint64_t)(uint32_t)_mm_movemask_epi8(x) << (16 * k);
            _mm_storeu_si128((__m128i *)(p + 16 * k), _mm_setzero_si128());
        }
#else
        for (int k = 0; k < 8; k++) {
            uint64_t x = load64(p + 8 * k) & 0x0101010101010101u; /* eight octets to eight bits */
            bits |= (x * 0x0102040810204080u) >> 56 << (8 * k);
        }
        memset(p, 0, 64);
#endif
        if (size - at >= 8) {
            store64(line + at, bits);
        } else {
            for (size_t i = at; i < size; i++, bits >>= 8)
                line[i] = (uint8_t)bits;
        }
    }
}

/* Count the columns marked in a map of 64 * chunks octets. */
static TARGET uint32_t NAME(count_marks)(const uint8_t *map, size_t chunks)
{
#if SIMD == 2
    const __m256i one = _mm256_set1_epi8(1), zero = _mm256_setzero_si256();
    __m256i sum = zero;
    for (size_t i = 0; i < 2 * chunks; i++) {
        __m256i x = _mm256_loadu_si256((const __m256i *)(map + 32 * i));
        sum = _mm256_add_epi64(sum, _mm256_sad_epu8(_mm256_and_si256(x, one), zero));
    }
    uint64_t parts[4];
    _mm256_storeu_si256((__m256i *)parts, sum);
    return (uint32_t)(parts[0] + parts[1] + parts[2] + parts[3]);
#elif SIMD == 1
    const __m128i one = _mm_set1_epi8(1), zero = _mm_setzero_si128();
    __m128i sum = zero;
    for (size_t i = 0; i < 4 * chunks; i++) {
        __m128i x = _mm_loadu_si128((const __m128i *)(map + 16 * i));
        sum = _mm_add_epi64(sum, _mm_sad_epu8(_mm_and_si128(x, one), zero));
    }
    uint64_t parts[2];
    _mm_storeu_si128((__m128i *)parts, sum);
    return (uint32_t)(parts[0] + parts[1]);
#else
    uint32_t count = 0;
    for (size_t i = 0; i < 8 * chunks; i++)
        count += (uint32_t)((native64(map + 8 * i) & 0x0101010101010101u) * 0x0101010101010101u >> 56);
    return count;
#endif
}

/* Mark 16 draws in `map`; return how many had been marked, times 255, if that counts. */
static TARGET INLINE uint32_t NAME(mark16)(uint8_t *map, const uint16_t *draws, int counting)
{
    uint32_t marked = 0;
    for (int i = 0; i < 16; i += 4) {
        uint64_t four;
        memcpy(&four, draws + i, 8);
        uint8_t *a = map + (four & 0xffff), *b = map + (four >> 16 & 0xffff);
        uint8_t *c = map + (four >> 32 & 0xffff), *d = map + (four >> 48);
        if (counting) {
            marked += *a;
            *a = 0xff;
            marked += *b;
            *b = 0xff;
            marked += *c;
            *c = 0xff;
            marked += *d;
            *d = 0xff;
        } else {
            *a = *b = *c = *d = 0xff;
        }
    }
    return marked;
}

/* Draw the line of seed x into `map`.

   Version 1 wants a number of draws, so they are marked without looking.  Version 2 wants a number
   of columns: while k are missing, the next k draws cannot be too many; so k are marked without
   looking and those that hit an old column are counted, over and over.  The draws of one group are
   computed while those of the group before are marked, so that the processor can do both at once. */
static TARGET void NAME(scatter)(uint32_t x, const modulus *m, int distinct, uint8_t *map,
                                 bit_string *string)
{
    const uint32_t nb_frag = m->nb_frag;
    uint32_t need = nb_frag / 2;
    uint64_t buffer[8]; /* two groups */
    uint16_t *draws = (uint16_t *)buffer;
    if (!need)
        return;
    map[nb_frag] = 0xff; /* no column; version 2 takes a hit for a repeat, version 1 counts hits */
    while ((x = next_state(x)) > STATE_MASK) { /* seeds of 24 bits */
        uint32_t column = remainder24(m, x);
        need -= distinct ? !map[column] : column != nb_frag;
        map[column] = 0xff;
        if (!need)
            break;
    }
    if (need) {
        string_start(string, x);
        string_supply(string, 1);
        NAME(draw16)(string->words, string->group++, m, draws);
    }
    unsigned now = 0; /* the group to be marked next: the first or the second half of the buffer */
    while (need >= 16) {
        size_t groups = string_supply(string, need / 16), g = string->group;
        uint32_t vain = 0;
        need -= 16 * (uint32_t)groups;
        string->group += groups;
        if (distinct && need + 16 * groups < 256) {
            for (; groups; groups--, now ^= 16) {
                NAME(draw16)(string->words, g++, m, draws + (now ^ 16));
                vain += NAME(mark16)(map, draws + now, 1);
            }
            vain /= 255;
        } else if (distinct) { /* counting afterwards is quicker */
            for (; groups; groups--, now ^= 16) {
                NAME(draw16)(string->words, g++, m, draws + (now ^ 16));
                NAME(mark16)(map, draws + now, 0);
            }
            need = nb_frag / 2 + 1 - NAME(count_marks)(map, nb_frag / 64 + 1);
        } else {
            for (; groups; groups--, now ^= 16) {
                NAME(draw16)(string->words, g++, m, draws + (now ^ 16));
                NAME(mark16)(map, draws + now, 0);
                if (m->value != nb_frag) { /* M is a power of two */
                    for (unsigned j = 0; j < 16; j++)
                        vain += draws[now + j] == nb_frag;
                }
            }
        }
        need += vain;
    }
    while (need) {
        for (unsigned j = now; j < now + 16 && need; j++) {
            need -= distinct ? !map[draws[j]] : draws[j] != nb_frag;
            map[draws[j]] = 0xff;
        }
        if (need) {
            string_supply(string, 1);
            NAME(draw16)(string->words, string->group++, m, draws + now);
        }
    }
    map[nb_frag] = 0;
}

/* Draw line n, of a coded fragment. */
static TARGET void NAME(draw)(uint8_t *line, uint32_t n, pencil *p)
{
    uint32_t seed = 1 + 1001 * (p->variant & 2 ? n : n - p->m.nb_frag);
    NAME(scatter)(seed, &p->m, p->variant & 1, p->map, &p->string);
    NAME(pack)(p->map, p->m.nb_frag, line);
}

static TARGET int NAME(lines)(uint8_t *out, const uint16_t *numbers, size_t count, size_t nb_frag,
                              int variant)
{
    size_t size = (nb_frag + 7) / 8;
    scratch memory = {0};
    size_t map_at = reserve_map(&memory, nb_frag);
    size_t words_at = reserve(&memory, string_room(nb_frag), 8);
    if (allocate(&memory) < 0)
        return -1;
    pencil p;
    sharpen(&p, nb_frag, variant, memory.start + map_at, memory.start + words_at);
    for (size_t i = 0; i < count; i++, out += size) {
        uint32_t n = numbers[i];
        if (n <= nb_frag) {
            memset(out, 0, size);
            out[(n - 1) / 8] = (uint8_t)(1u << ((n - 1) % 8));
            continue;
        }
        NAME(draw)(out, n, &p);
    }
    release(&memory);
    return 0;
}

/* 2. Many rows times few: the Method of Four Russians.

   32 chunks have 2^32 sums, but split in five parts of 7, 7, 6, 6 and 6 all sums of a part fit in a
   table, 28 KiB together, and any sum is five loads from the fastest cache.  Where there are few
   rows to be served, eight parts of 4 are quicker to set up.  An index has bit c for chunk c. */

#define FIVE_TABLES (448 * 64)

static TARGET INLINE uint8_t *NAME(sums)(uint8_t *table, const uint8_t *chunks, int bits)
{
    memset(table, 0, 64);
    for (int j = 0; j < bits; j++) {
        NAME(chunk) added = NAME(load)(chunks + 64 * j);
        uint8_t *end = table + ((size_t)64 << j);
        for (size_t k = 0; k < ((size_t)64 << j); k += 64)
            NAME(store)(end + k, NAME(xor)(NAME(load)(table + k), added));
    }
    return table + ((size_t)64 << bits);
}

/* One entry of a table: 2^width chunks, chosen by bits `first` and up of the index.  (A rotation,
   because it can go to another register at once.) */
static TARGET INLINE NAME(chunk) NAME(add)(NAME(chunk) sum, const uint8_t *table, uint32_t index,
                                           int first, int width)
{
    index = index >> (first + 26) % 32 | index << (38 - first) % 32;
    const uint8_t *entry = table + (index & ((64u << width) - 64));
    return NAME(settle)(NAME(xor)(sum, NAME(load)(entry)));
}

static TARGET INLINE NAME(chunk) NAME(add5)(NAME(chunk) sum, const uint8_t *tables, uint32_t index)
{
    sum = NAME(add)(sum, tables, index, 0, 7);
    sum = NAME(add)(sum, tables + 128 * 64, index, 7, 7);
    sum = NAME(add)(sum, tables + 256 * 64, index, 14, 6);
    sum = NAME(add)(sum, tables + 320 * 64, index, 20, 6);
    return NAME(add)(sum, tables + 384 * 64, index, 26, 6);
}

static TARGET INLINE NAME(chunk) NAME(add8)(NAME(chunk) sum, const uint8_t *tables, uint32_t index)
{
    sum = NAME(add)(sum, tables, index, 0, 4);
    sum = NAME(add)(sum, tables + 16 * 64, index, 4, 4);
    sum = NAME(add)(sum, tables + 32 * 64, index, 8, 4);
    sum = NAME(add)(sum, tables + 48 * 64, index, 12, 4);
    sum = NAME(add)(sum, tables + 64 * 64, index, 16, 4);
    sum = NAME(add)(sum, tables + 80 * 64, index, 20, 4);
    sum = NAME(add)(sum, tables + 96 * 64, index, 24, 4);
    return NAME(add)(sum, tables + 112 * 64, index, 28, 4);
}

/* Add to each of `count` rows the sum of `chunks` (32 of them) that its index asks for. */
static TARGET void NAME(absorb)(uint8_t *rows, const uint32_t *indices, size_t count,
                                const uint8_t *chunks, uint8_t *tables)
{
    static const int five[5] = {7, 7, 6, 6, 6};
    uint8_t *end = tables;
    if (count < 96) {
        for (int i = 0; i < 8; i++)
            end = NAME(sums)(end, chunks + 256 * i, 4);
        for (size_t i = 0; i < count; i++, rows += 64)
            NAME(store)(rows, NAME(add8)(NAME(load)(rows), tables, indices[i]));
        return;
    }
    for (int i = 0; i < 5; i++) {
        end = NAME(sums)(end, chunks, five[i]);
        chunks += 64 * five[i];
    }
    for (size_t i = 0; i < count; i++, rows += 64)
        NAME(store)(rows, NAME(add5)(NAME(load)(rows), tables, indices[i]));
}

/* 3. Product.

   The rows to be filled lie in strips: strip s has octets 64 s to 64 s + 63 of every row, `count`
   chunks one after the other.  So a strip, its indices and the tables stay in the cache. */

/* A few lines: add the fragments one by one. */
static TARGET void NAME(product_few)(uint8_t *strips, size_t count, const factors *f)
{
    size_t frag_size = f->frag_size, octets = f->nb_frag * frag_size;
    for (size_t s = 0; 64 * s < frag_size; s++) {
        for (size_t i = 0; i < count; i++) {
            const uint8_t *line = f->lines + i * f->line_size;
            uint8_t *row = strips + 64 * (s * count + i);
            NAME(chunk) sum = NAME(load)(row);
            for (size_t at = 0; 8 * at < f->columns; at += 8) {
                size_t left = f->line_size - at;
                uint64_t bits = left >= 8 ? load64(line + at) : load_part(line + at, left);
                if (f->columns - 8 * at < 64)
                    bits &= ((uint64_t)1 << (f->columns - 8 * at)) - 1;
                for (; bits; bits &= bits - 1) {
                    size_t c = 8 * at + (size_t)lowest_bit(bits);
                    size_t from = (f->which ? f->which[c] : c) * frag_size + 64 * s;
                    if (from + 64 <= octets) {
                        sum = NAME(xor)(sum, NAME(load)(f->block + from));
                    } else {
                        uint8_t last[64] = {0};
                        memcpy(last, f->block + from, octets - from);
                        sum = NAME(xor)(sum, NAME(load)(last));
                    }
                }
            }
            NAME(store)(row, sum); /* what is beyond frag_size is of no interest */
        }
    }
}

/* Add to each row the fragments its line selects.  `indices` has room for 16 * count. */
static TARGET void NAME(product_into)(uint8_t *strips, size_t count, const factors *f,
                                      uint32_t *indices, uint8_t *tables)
{
    uint8_t chunks[32 * 64];
    if (count < 12) {
        NAME(product_few)(strips, count, f);
        return;
    }
    for (size_t first = 0; first < f->columns; first += 512) { /* 64 octets of a line */
        size_t words = (f->columns - first + 31) / 32, rest = f->line_size - first / 8;
        if (words > 16)
            words = 16;
        for (size_t i = 0; i < count; i++) {
            const uint8_t *p = f->lines + i * f->line_size + first / 8;
            for (size_t w = 0; w < words; w++)
                indices[w * count + i] = rest >= 4 * w + 4
                                             ? load32(p + 4 * w)
                                             : (uint32_t)load_part(p + 4 * w, rest - 4 * w);
        }
        for (size_t s = 0; 64 * s < f->frag_size; s++) {
            size_t width = f->frag_size - 64 * s < 64 ? f->frag_size - 64 * s : 64;
            for (size_t w = 0; w < words; w++) {
                size_t column = first + 32 * w;
                size_t columns = f->columns - column < 32 ? f->columns - column : 32;
                if (width < 64 || columns < 32)
                    memset(chunks, 0, sizeof chunks);
                for (size_t c = 0; c < columns; c++) {
                    size_t fragment = f->which ? f->which[column + c] : column + c;
                    const uint8_t *from = f->block + fragment * f->frag_size + 64 * s;
                    if (width == 64)
                        memcpy(chunks + 64 * c, from, 64);
                    else
                        memcpy(chunks + 64 * c, from, width);
                }
                NAME(absorb)(strips + 64 * s * count, indices + w * count, count, chunks, tables);
            }
        }
    }
}

static TARGET int NAME(product)(uint8_t *out, const uint8_t *lines, size_t count, size_t nb_frag,
                                const uint8_t *block, size_t frag_size)
{
    const size_t most = 2048; /* rows at a time: what a second-level cache can hold */
    size_t size = (nb_frag + 7) / 8, nb_strips = (frag_size + 63) / 64;
    size_t together = count < most ? count : most;
    scratch memory = {0};
    size_t strips_at = reserve(&memory, together, 64 * nb_strips);
    size_t indices_at = reserve(&memory, together, 16 * 4);
    size_t tables_at = reserve(&memory, FIVE_TABLES, 1);
    if (allocate(&memory) < 0)
        return -1;
    uint8_t *strips = memory.start + strips_at;
    factors f = {lines, size, nb_frag, NULL, block, nb_frag, frag_size};
    while (count) {
        size_t now = count < most ? count : most;
        memset(strips, 0, now * 64 * nb_strips);
        NAME(product_into)(strips, now, &f, (uint32_t *)(memory.start + indices_at),
                           memory.start + tables_at);
        for (size_t i = 0; i < now; i++, out += frag_size)
            take_row(out, strips + 64 * i, now, frag_size);
        f.lines += now * size;
        count -= now;
    }
    release(&memory);
    return 0;
}

/* 4. Cutting lines down to the columns that are missing. */

/* Write the bits of `line` in `columns` to `row`, whose length is whole words and all of it set. */
static TARGET void NAME(cut)(uint8_t *row, size_t row_size, const uint8_t *line,
                             const column_map *columns)
{
    uint64_t word = 0;
    int fill = 0;
    uint8_t *end = row + row_size;
    for (size_t i = 0; i < columns->count; i++) {
        const column_word *c = &columns->words[i];
        uint64_t x = c->octets == 8 ? load64(line + c->at) : load_part(line + c->at, c->octets);
#if SIMD == 2
        x = columns->fast_extract ? _pext_u64(x, c->mask) : extract(x, c);
#else
        x = extract(x, c);
#endif
        word |= x << fill;
        if (fill + c->ones >= 64) {
            store64(row, word);
            row += 8;
            word = fill ? x >> (64 - fill) : 0;
            fill += c->ones - 64;
        } else {
            fill += c->ones;
        }
    }
    if (fill) {
        store64(row, word);
        row += 8;
    }
    memset(row, 0, (size_t)(end - row));
}

/* 5. Elimination, 32 columns at a time.

   A matrix of `count` rows lies in strips as above, coefficients first.  For each block of 32
   columns, rows that are no pivots yet are looked through in order, in this block only, until it
   has all pivots it can have.  Which rows add up to each pivot is remembered as 32 bits, so that
   the full width of a row is touched once for each block, through tables of the rows as they were.

   Rows are taken in order, and a pivot's column is its lowest one.  So the rows left without a pivot
   are those in the span of rows before them, and the columns of the pivots are the first that are
   independent.

   `place[i]` is what row i of the matrix is: the number of a row as it came, or for a pivot its
   column, marked by PIVOT.  There are three uses: to solve, pivots stay and all rows are reduced
   everywhere (`keep`); to count a rank, pivots move to `basis` (section 6), where others may have
   been before; to count a fleet they just leave. */

#ifndef PIVOT
#define PIVOT 0x80000000u

typedef struct {
    uint8_t *strips;
    size_t count, nb_strips; /* rows, strips */
    size_t columns;
    uint32_t *place;
    uint32_t *indices; /* room for `count` */
    uint8_t *tables;   /* ... and for FIVE_TABLES */
    int keep;
    uint8_t *basis; /* or null */
    size_t basis_row;
    uint8_t *raised; /* set to 1 for each row that became a pivot, by its number; or null */
    size_t last;     /* the last column that got a pivot */
} matrix;
#endif

typedef struct {
    uint32_t have;           /* columns of the block that have a pivot */
    uint32_t word[32];       /* ... its word in this block, zero in the other columns that have one */
    uint32_t parts[32];      /* ... and the candidates that add up to it */
    size_t row[32];          /* of each candidate, or where in the basis it is */
    uint32_t in_basis;       /* candidates that are there */
    int count;               /* of candidates */
} NAME(pivots);

/* Make a pivot of a row whose word is v if it is independent; return its column or -1. */
static TARGET INLINE int NAME(adopt)(NAME(pivots) * p, uint32_t v)
{
    uint32_t parts = (uint32_t)1 << p->count;
    for (uint32_t hits = v & p->have; hits; hits &= hits - 1) {
        int c = lowest_bit(hits);
        v ^= p->word[c];
        parts ^= p->parts[c];
    }
    if (!v)
        return -1;
    int column = lowest_bit(v);
    for (uint32_t others = p->have; others; others &= others - 1) {
        int c = lowest_bit(others);
        if (p->word[c] >> column & 1) {
            p->word[c] ^= v;
            p->parts[c] ^= parts;
        }
    }
    p->word[column] = v;
    p->parts[column] = parts;
    p->have |= (uint32_t)1 << column;
    p->count++;
    return column;
}

/* Eliminate until `wanted` pivots are found; return how many there are. */
static TARGET size_t NAME(eliminate)(matrix *m, size_t wanted)
{
    const size_t height = m->count; /* of a strip; the count may sink */
    size_t found = 0, done = 0;     /* rows before `done` are pivots */
    uint8_t chunks[32 * 64];
    uint32_t gifts[8][16];
    NAME(pivots) p;
    for (size_t first = 0; first < m->columns && found < wanted; first += 32) {
        const size_t s0 = first / 512, columns = m->columns - first;
        const uint32_t valid = columns < 32 ? ((uint32_t)1 << columns) - 1 : 0xffffffff;
        uint8_t *here = m->strips + 64 * s0 * height + first / 8 % 64;
        p.have = p.in_basis = 0;
        p.count = 0;
        for (int c = 0; m->basis && c < 32 && valid >> c; c++) {
            size_t at = (first + (size_t)c) * m->basis_row;
            uint32_t v = load32(m->basis + at + first / 8) & valid;
            p.row[p.count] = at;
            if ((v >> c & 1) && NAME(adopt)(&p, v) >= 0)
                p.in_basis |= (uint32_t)1 << (p.count - 1);
        }
        const uint32_t held = p.have;
        while (done < m->count && (m->place[done] & PIVOT))
            done++;
        for (size_t i = done; i < m->count && p.have != valid; i++) {
            uint32_t v = load32(here + 64 * i) & valid;
            if (!v || (m->place[i] & PIVOT))
                continue;
            p.row[p.count] = i;
            int column = NAME(adopt)(&p, v);
            if (column < 0)
                continue;
            if (m->raised)
                m->raised[m->place[i]] = 1;
            m->place[i] = PIVOT | ((uint32_t)first + (uint32_t)column);
            found++;
        }
        if (!p.count)
            continue;
        for (uint32_t c = p.have & ~held; c; c &= c - 1)
            m->last = first + (size_t)lowest_bit(c);
        /* What each row has to be given: for every column it has, the parts of the pivot. */
        for (int g = 0; g < 8; g++) {
            gifts[g][0] = 0;
            for (int j = 0; j < 4; j++) {
                uint32_t parts = p.have >> (4 * g + j) & 1 ? p.parts[4 * g + j] : 0;
                for (int k = 0; k < 1 << j; k++)
                    gifts[g][(1 << j) + k] = gifts[g][k] ^ parts;
            }
        }
        for (size_t i = 0; i < m->count; i++) {
            uint32_t v = load32(here + 64 * i);
            m->indices[i] = gifts[0][v & 15] ^ gifts[1][v >> 4 & 15] ^ gifts[2][v >> 8 & 15] ^
                            gifts[3][v >> 12 & 15] ^ gifts[4][v >> 16 & 15] ^
                            gifts[5][v >> 20 & 15] ^ gifts[6][v >> 24 & 15] ^ gifts[7][v >> 28];
        }
        for (int k = 0; k < p.count; k++) { /* a candidate turns into the pivot it was made */
            if (!(p.in_basis >> k & 1)) {
                uint32_t column = (m->place[p.row[k]] & ~PIVOT) - (uint32_t)first;
                m->indices[p.row[k]] = p.parts[column] ^ (uint32_t)1 << k;
            }
        }
        for (size_t s = s0; s < m->nb_strips; s++) {
            uint8_t *strip = m->strips + 64 * s * height;
            size_t width = 64;
            if (m->basis && m->basis_row - 64 * s < 64)
                width = m->basis_row - 64 * s;
            memset(chunks, 0, sizeof chunks);
            for (int k = 0; k < p.count; k++) {
                if (p.in_basis >> k & 1)
                    memcpy(chunks + 64 * k, m->basis + p.row[k] + 64 * s, width);
                else
                    memcpy(chunks + 64 * k, strip + 64 * p.row[k], 64);
            }
            NAME(absorb)(strip, m->indices, m->count, chunks, m->tables);
            for (uint32_t c = held; c; c &= c - 1) { /* pivots of the basis, reduced by new ones */
                size_t column = (size_t)lowest_bit(c);
                uint8_t sum[64] = {0};
                for (uint32_t k = p.parts[column]; k; k &= k - 1)
                    NAME(store)(sum, NAME(xor)(NAME(load)(sum),
                                               NAME(load)(chunks + 64 * lowest_bit(k))));
                memcpy(m->basis + (first + column) * m->basis_row + 64 * s, sum, width);
            }
            for (int k = 0; m->basis && k < p.count; k++) {
                if (!(p.in_basis >> k & 1))
                    memcpy(m->basis + (m->place[p.row[k]] & ~PIVOT) * m->basis_row + 64 * s,
                           strip + 64 * p.row[k], width);
            }
            if (!m->keep) { /* close the ranks */
                size_t to = 0;
                for (size_t i = 0; i < m->count; i++) {
                    if (m->place[i] & PIVOT)
                        continue;
                    if (to < i)
                        NAME(store)(strip + 64 * to, NAME(load)(strip + 64 * i));
                    to++;
                }
            }
        }
        if (!m->keep) {
            size_t to = 0;
            for (size_t i = 0; i < m->count; i++) {
                if (!(m->place[i] & PIVOT))
                    m->place[to++] = m->place[i];
            }
            m->count = to;
        }
    }
    return found;
}

/* 6. Rank.

   The basis keeps each row in the slot of its lowest one, and within 32 columns its rows are free of
   each other's pivots.  So all rows to be added in these columns are known at once from the word
   of the new row: no addition has to wait for the one before. */

/* Insert one row of `row_size` octets, which is used up; return whether it raised the rank, -1 if
   the basis is none. */
static TARGET int NAME(insert)(uint8_t *basis, size_t row_size, size_t columns, uint8_t *row)
{
    for (size_t first = 0; first < columns; first += 32) {
        size_t from = first / 64 * 8;
        uint32_t valid = columns - first < 32 ? ((uint32_t)1 << (columns - first)) - 1 : 0xffffffff;
        uint32_t v;
        for (int turn = 0; (v = load32(row + first / 8) & valid) != 0; turn++) {
            const uint8_t *added[32];
            int count = 0;
            for (uint32_t c = v; c; c &= c - 1) {
                int column = lowest_bit(c);
                const uint8_t *p = basis + (first + (size_t)column) * row_size;
                added[count] = p;
                count += p[first / 8 + (size_t)column / 8] >> (column % 8) & 1;
            }
            if (!count)
                break;
            if (turn > 32) /* a basis from elsewhere takes some turns, each of which ends a column */
                return -1;
            size_t at = from;
            for (; at + 64 <= row_size; at += 64) {
                NAME(chunk) sum = NAME(load)(row + at);
                for (int k = 0; k < count; k++)
                    sum = NAME(xor)(sum, NAME(load)(added[k] + at));
                NAME(store)(row + at, sum);
            }
            for (; at < row_size; at += 8) {
                uint64_t sum = native64(row + at);
                for (int k = 0; k < count; k++)
                    sum ^= native64(added[k] + at);
                memcpy(row + at, &sum, 8);
            }
        }
        if (!v)
            continue;
        int column = lowest_bit(v);
        memcpy(basis + (first + (size_t)column) * row_size, row, row_size);
        for (int c = 0; c < column; c++) {
            uint8_t *p = basis + (first + (size_t)c) * row_size;
            uint32_t word = load32(p + first / 8);
            if (!(word >> c & 1) || !(word >> column & 1))
                continue;
            for (size_t at = from; at < row_size; at += 8) {
                uint64_t sum = native64(p + at) ^ native64(row + at);
                memcpy(p + at, &sum, 8);
            }
        }
        return 1;
    }
    return 0;
}

static TARGET int NAME(rank_add)(uint8_t *basis, const uint8_t *missing, size_t nb_frag,
                                 const uint8_t *lines, size_t count, uint8_t *raised,
                                 int fast_extract)
{
    const size_t most = 1024; /* rows together */
    size_t size = (nb_frag + 7) / 8, together = count < most ? count : most;
    scratch memory = {0};
    size_t map_at = reserve(&memory, (nb_frag + 63) / 64, sizeof(column_word));
    column_map columns = {0};
    size_t lost = count_ones(missing, size), nb_strips = (lost + 511) / 512;
    size_t row_at = reserve(&memory, nb_strips, 64);
    int batch = count >= 16 && lost > 64;
    size_t strips_at = reserve(&memory, batch ? together * nb_strips : 0, 64);
    size_t place_at = reserve(&memory, batch ? together : 0, 4);
    size_t indices_at = reserve(&memory, batch ? together : 0, 4);
    size_t tables_at = reserve(&memory, batch ? FIVE_TABLES : 0, 1);
    memset(raised, 0, count);
    if (!lost || !count)
        return 0;
    if (allocate(&memory) < 0)
        return -1;
    columns.words = (column_word *)(memory.start + map_at);
    columns.fast_extract = fast_extract;
    map_columns(&columns, missing, nb_frag);
    uint8_t *row = memory.start + row_at;
    size_t row_size = (lost + 63) / 64 * 8;
    int result = 0;
    for (; !batch && count && result >= 0; count--, lines += size) {
        NAME(cut)(row, row_size, lines, &columns);
        result = NAME(insert)(basis, row_size, lost, row);
        *raised++ = result > 0;
    }
    while (batch && count) {
        size_t now = count < most ? count : most;
        matrix m = {0};
        m.strips = memory.start + strips_at;
        m.place = (uint32_t *)(memory.start + place_at);
        m.indices = (uint32_t *)(memory.start + indices_at);
        m.tables = memory.start + tables_at;
        m.count = now;
        m.nb_strips = nb_strips;
        m.columns = lost;
        m.basis = basis;
        m.basis_row = row_size;
        m.raised = raised;
        for (size_t i = 0; i < now; i++, lines += size) {
            m.place[i] = (uint32_t)i;
            NAME(cut)(row, 64 * nb_strips, lines, &columns);
            put_row(m.strips + 64 * i, now, row, 64 * nb_strips);
        }
        NAME(eliminate)(&m, now);
        raised += now;
        count -= now;
    }
    release(&memory);
    return result < 0 ? -2 : 0;
}

/* 7. Solution.

   Lines come as octets or are drawn here, one after the other, so that those of a large block need
   not all be there at once. */

/* Write the missing fragments in order; return the rank, or -1. */
static TARGET int NAME(eliminate_missing)(uint8_t *out, const uint8_t *block,
                                          const uint8_t *missing, size_t frag_size, size_t nb_frag,
                                          const equations *e, int fast_extract, verdict *v)
{
    size_t size = (nb_frag + 7) / 8, lost = count_ones(missing, size), count = e->count;
    size_t head = (lost + 511) / 512, tail = (frag_size + 63) / 64;
    /* Where much is lost it pays to cut lines for the product, too: to what is not lost. */
    size_t known = nb_frag - lost, short_size = (known + 63) / 64 * 8;
    int shorten = lost >= nb_frag / 16;
    scratch memory = {0};
    column_map columns = {0}, others = {0};
    matrix m = {0};
    size_t map_at = reserve(&memory, 2 * ((nb_frag + 63) / 64), sizeof(column_word));
    size_t row_at = reserve(&memory, head, 64);
    size_t short_at = reserve(&memory, shorten ? count : 0, short_size);
    size_t drawn_at = reserve(&memory, e->lines ? 0 : shorten ? 1 : count, size);
    size_t pencil_at = reserve_map(&memory, e->lines ? 0 : nb_frag);
    size_t words_at = reserve(&memory, string_room(e->lines ? 0 : nb_frag), 8);
    size_t which_at = reserve(&memory, shorten ? known + 1 : 0, 4);
    size_t arrived_at = reserve(&memory, size, 1);
    size_t strips_at = reserve(&memory, count, 64 * (head + tail));
    size_t place_at = reserve(&memory, count, 4);
    size_t indices_at = reserve(&memory, count, 16 * 4);
    size_t tables_at = reserve(&memory, FIVE_TABLES, 1);
    if (allocate(&memory) < 0)
        return -1;
    columns.words = (column_word *)(memory.start + map_at);
    columns.fast_extract = fast_extract;
    map_columns(&columns, missing, nb_frag);
    uint8_t *row = memory.start + row_at;
    m.strips = memory.start + strips_at;
    m.place = (uint32_t *)(memory.start + place_at);
    m.indices = (uint32_t *)(memory.start + indices_at);
    m.tables = memory.start + tables_at;
    m.count = count;
    m.nb_strips = head + tail;
    m.columns = lost;
    m.keep = 1;
    uint8_t *fragments = m.strips + 64 * head * count, *short_lines = memory.start + short_at;
    uint8_t *drawn = memory.start + drawn_at;
    factors f = {e->lines ? e->lines : drawn, size, nb_frag, NULL, block, nb_frag, frag_size};
    pencil p;
    if (!e->lines)
        sharpen(&p, nb_frag, e->variant, memory.start + pencil_at, memory.start + words_at);
    if (shorten) {
        uint8_t *arrived = memory.start + arrived_at;
        uint32_t *which = (uint32_t *)(memory.start + which_at);
        for (size_t i = 0; i < size; i++)
            arrived[i] = (uint8_t)~missing[i];
        if (nb_frag % 8)
            arrived[size - 1] &= (uint8_t)((1u << nb_frag % 8) - 1);
        others.words = columns.words + (nb_frag + 63) / 64;
        others.fast_extract = fast_extract;
        map_columns(&others, arrived, nb_frag);
        for (size_t c = 0; c < nb_frag; c++) {
            *which = (uint32_t)c; /* overwritten by the next one if this one is lost */
            which += arrived[c / 8] >> (c % 8) & 1;
        }
        f = (factors){short_lines, short_size, known, (uint32_t *)(memory.start + which_at),
                      block, nb_frag, frag_size};
    }
    for (size_t i = 0; i < count; i++) {
        const uint8_t *line = e->lines ? e->lines + i * size : drawn;
        m.place[i] = (uint32_t)i;
        if (!e->lines) {
            NAME(draw)(drawn, e->numbers[i], &p);
            drawn += shorten ? 0 : size;
        }
        if (shorten)
            NAME(cut)(short_lines + i * short_size, short_size, line, &others);
        NAME(cut)(row, 64 * head, line, &columns);
        put_row(m.strips + 64 * i, count, row, 64 * head);
        put_row(fragments + 64 * i, count, e->payloads + i * frag_size, frag_size);
    }
    NAME(product_into)(fragments, count, &f, m.indices, m.tables);
    size_t rank = NAME(eliminate)(&m, lost);
    *v = (verdict){0, 0};
    for (size_t i = 0; i < count && rank == lost; i++) {
        uint8_t spare[255];
        if (m.place[i] & PIVOT) {
            take_row(out + (m.place[i] & ~PIVOT) * frag_size, fragments + 64 * i, count, frag_size);
            v->needed = i + 1;
            continue;
        }
        take_row(spare, fragments + 64 * i, count, frag_size);
        for (size_t k = 0; k < frag_size; k++)
            v->contradiction |= spare[k];
    }
    release(&memory);
    return (int)rank;
}

static TARGET int NAME(solve)(uint8_t *out, const uint8_t *block, const uint8_t *missing,
                              size_t frag_size, size_t nb_frag, const uint8_t *lines, size_t count,
                              const uint8_t *payloads, int fast_extract)
{
    equations e = {lines, NULL, 0, payloads, count};
    verdict ignored;
    return NAME(eliminate_missing)(out, block, missing, frag_size, nb_frag, &e, fast_extract,
                                   &ignored);
}

/* A block, in which plain fragments are in place and the others are anything, from coded ones with
   these numbers.  Return 0 if they do not suffice or do not agree, else one more than it takes. */
static TARGET int NAME(decode)(uint8_t *block, const uint8_t *missing, size_t frag_size,
                               size_t nb_frag, const uint16_t *numbers, size_t count, int variant,
                               const uint8_t *payloads, int fast_extract)
{
    size_t lost = count_ones(missing, (nb_frag + 7) / 8);
    scratch memory = {0};
    size_t found_at = reserve(&memory, lost, frag_size);
    if (count < lost)
        return 0;
    if (allocate(&memory) < 0)
        return -1;
    uint8_t *found = memory.start + found_at;
    for (size_t c = 0; c < nb_frag; c++) {
        if (missing[c / 8] >> (c % 8) & 1)
            memset(block + c * frag_size, 0, frag_size);
    }
    equations e = {NULL, numbers, variant, payloads, count};
    verdict v;
    int rank = NAME(eliminate_missing)(found, block, missing, frag_size, nb_frag, &e, fast_extract,
                                       &v);
    for (size_t c = 0; c < nb_frag && rank == (int)lost; c++) {
        if (missing[c / 8] >> (c % 8) & 1) {
            memcpy(block + c * frag_size, found, frag_size);
            found += frag_size;
        }
    }
    release(&memory);
    return rank < 0 ? -1 : rank < (int)lost || v.contradiction ? 0 : (int)v.needed + 1;
}

/* 8. Fleets.

   For each device the lost columns of the matrix are the rows to be eliminated, and the coded
   fragments it hears the columns: the last pivot is the fragment that completes it. */
static TARGET int NAME(completions)(uint8_t *out, size_t nb_frag, size_t nb_coded,
                                    const uint8_t *lines, const uint8_t *heard, size_t devices)
{
    size_t size = (nb_frag + 7) / 8, nb_strips = (nb_coded + 511) / 512;
    size_t row = (nb_frag + nb_coded + 7) / 8, most = nb_frag < nb_coded ? nb_frag : nb_coded;
    scratch memory = {0};
    size_t columns_at = reserve(&memory, nb_frag * nb_strips, 64);
    size_t strips_at = reserve(&memory, most * nb_strips, 64);
    size_t mask_at = reserve(&memory, nb_strips, 64);
    size_t lost_at = reserve(&memory, nb_frag, 4);
    size_t place_at = reserve(&memory, most, 4);
    size_t indices_at = reserve(&memory, most, 4);
    size_t tables_at = reserve(&memory, FIVE_TABLES, 1);
    if (allocate(&memory) < 0)
        return -1;
    uint8_t *columns = memory.start + columns_at, *mask = memory.start + mask_at;
    uint32_t *lost = (uint32_t *)(memory.start + lost_at);
    memset(columns, 0, nb_frag * nb_strips * 64);
    for (size_t q = 0; q < nb_coded; q++) {
        for (size_t at = 0; at < size; at++) {
            for (unsigned bits = lines[q * size + at]; bits; bits &= bits - 1) {
                size_t c = 8 * at + (size_t)lowest_bit(bits);
                if (c < nb_frag)
                    columns[c * 64 * nb_strips + q / 8] |= (uint8_t)(1u << (q % 8));
            }
        }
    }
    for (; devices; devices--, heard += row, out += 2) {
        size_t count = 0, answer = nb_frag;
        for (size_t at = 0; at < size; at += 8) {
            uint64_t bits = ~(row - at >= 8 ? load64(heard + at) : load_part(heard + at, row - at));
            if (nb_frag - 8 * at < 64)
                bits &= ((uint64_t)1 << (nb_frag - 8 * at)) - 1;
            for (; bits; bits &= bits - 1)
                lost[count++] = (uint32_t)(8 * at + (size_t)lowest_bit(bits));
        }
        if (count > most) {
            answer = 0;
        } else if (count) {
            matrix m = {0};
            m.strips = memory.start + strips_at;
            m.place = (uint32_t *)(memory.start + place_at);
            m.indices = (uint32_t *)(memory.start + indices_at);
            m.tables = memory.start + tables_at;
            m.count = count;
            m.nb_strips = nb_strips;
            m.columns = nb_coded;
            memset(mask, 0, 64 * nb_strips);
            for (size_t at = 0; 8 * at < nb_coded; at++) {
                size_t bit = nb_frag + 8 * at;
                unsigned two = heard[bit / 8];
                if (bit / 8 + 1 < row)
                    two |= (unsigned)heard[bit / 8 + 1] << 8;
                mask[at] = (uint8_t)(two >> (bit % 8));
            }
            if (nb_coded % 8)
                mask[nb_coded / 8] &= (uint8_t)((1u << (nb_coded % 8)) - 1);
            for (size_t i = 0; i < count; i++) {
                m.place[i] = (uint32_t)i;
                for (size_t s = 0; s < nb_strips; s++) {
                    const uint8_t *from = columns + 64 * (lost[i] * nb_strips + s);
                    uint8_t *to = m.strips + 64 * (s * count + i);
                    for (int k = 0; k < 64; k += 8) {
                        uint64_t both = native64(from + k) & native64(mask + 64 * s + k);
                        memcpy(to + k, &both, 8);
                    }
                }
            }
            answer = NAME(eliminate)(&m, count) == count ? nb_frag + 1 + m.last : 0;
        }
        out[0] = (uint8_t)(answer & 0xff);
        out[1] = (uint8_t)(answer >> 8);
    }
    release(&memory);
    return 0;
}

static const kernels NAME(kernels) = {NAME(lines), NAME(product), NAME(rank_add), NAME(solve),
                                      NAME(completions), NAME(decode)};
