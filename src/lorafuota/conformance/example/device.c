/* The device: a state machine that takes payloads and time, and nothing else. */
#include "device.h"

#include <string.h>

enum { MULTICAST_PORT = 200, FRAGMENTATION_PORT = 201, MAX_PENDING = 16, MAX_N = 16383 };

/* One fragmentation session.
 *
 * Row c of the equations is the one whose lowest coefficient is c, and its right side stands in the
 * block where fragment c belongs.  A plain fragment is an equation too, with a single coefficient.
 * So the block solves itself in place, in whatever order fragments arrive. */
struct session {
    bool present, complete;
    uint8_t mc_group_bit_mask, frag_size, block_ack_delay, padding;
    uint16_t nb_frag, rank, nb_frag_received;
    uint8_t rows[MAX_NB_FRAG][MAX_NB_FRAG / 8];
    uint8_t filled[MAX_NB_FRAG / 8]; /* which rows are there */
    uint8_t block[MAX_BLOCK];
};

/* One multicast group and its window.  The counter stays when the group goes: it belongs to key and
 * address, and a frame that was taken once must not be taken again. */
struct group {
    bool present, heard;
    uint32_t last_fcnt; /* if heard */
    uint8_t setup[29];  /* McGroupSetupReq */
    bool scheduled, listening;
    uint32_t start; /* GPS seconds modulo 2^32 */
    uint32_t duration;
    uint8_t tuning[4]; /* DLFreq and DR */
};

/* An answer that waits for its random delay. */
struct pending {
    uint64_t due;
    uint8_t payload[5];
};

static struct session sessions[FRAG_SESSIONS];
static struct group groups[MC_GROUPS];
static struct pending pending[MAX_PENDING];
static size_t nb_pending;
static bool clock_is_known;

/* The answers to one downlink; they share uplinks. */
static struct {
    uint8_t fport, payload[MAX_PAYLOAD];
    size_t size;
} answers;

static uint32_t little_endian(const uint8_t *octets, int count)
{
    uint32_t value = 0;
    while (count--)
        value = value << 8 | octets[count];
    return value;
}

static void flush_answers(void)
{
    if (answers.size)
        owner_send(answers.fport, answers.payload, answers.size);
    answers.size = 0;
}

static void answer(const uint8_t *octets, size_t size)
{
    if (answers.size + size > MAX_PAYLOAD)
        flush_answers();
    memcpy(answers.payload + answers.size, octets, size);
    answers.size += size;
}

/* --- TS004: the parity matrix of version 1 --- */

static uint32_t prbs23(uint32_t x)
{
    return (x >> 1) + (((x ^ x >> 5) & 1) << 22);
}

static void matrix_line(uint8_t *row, uint16_t n, uint16_t nb_frag)
{
    memset(row, 0, MAX_NB_FRAG / 8);
    if (n <= nb_frag) {
        row[(n - 1) / 8] |= 1 << (n - 1) % 8;
        return;
    }
    bool power_of_two = (nb_frag & (nb_frag - 1)) == 0;
    uint32_t modulus = nb_frag + power_of_two;
    uint32_t x = 1 + 1001 * (uint32_t)(n - nb_frag);
    for (uint16_t draws = 0; draws < nb_frag / 2; draws++) {
        uint32_t column;
        do {
            x = prbs23(x);
            column = x % modulus;
        } while (column == nb_frag);
        row[column / 8] |= 1 << column % 8;
    }
}

static void xor_into(uint8_t *target, const uint8_t *other, size_t size)
{
    while (size--)
        target[size] ^= other[size];
}

static bool bit(const uint8_t *bits, uint16_t at)
{
    return bits[at / 8] >> at % 8 & 1;
}

/* Take one equation in: reduce it by those that are there, and keep what is left of it. */
static void insert(struct session *s, uint8_t *row, uint8_t *fragment)
{
    for (uint16_t c = 0; c < s->nb_frag; c++) {
        if (!bit(row, c))
            continue;
        uint8_t *place = s->block + (size_t)c * s->frag_size;
        if (!bit(s->filled, c)) {
            memcpy(s->rows[c], row, sizeof s->rows[c]);
            memcpy(place, fragment, s->frag_size);
            s->filled[c / 8] |= 1 << c % 8;
            s->rank++;
            return;
        }
        xor_into(row, s->rows[c], sizeof s->rows[c]);
        xor_into(fragment, place, s->frag_size);
    }
}

/* Every row is there: take out of each, from the last one up, what stands behind its diagonal. */
static void substitute(struct session *s)
{
    for (uint16_t c = s->nb_frag; c-- > 0;)
        for (uint16_t other = c + 1; other < s->nb_frag; other++)
            if (bit(s->rows[c], other))
                xor_into(s->block + (size_t)c * s->frag_size,
                         s->block + (size_t)other * s->frag_size, s->frag_size);
}

/* --- TS004: commands --- */

static void data_fragment(int mc_group_id, const uint8_t *body, size_t size)
{
    uint16_t index_and_n = (uint16_t)little_endian(body, 2);
    uint16_t n = index_and_n & MAX_N;
    int frag_index = index_and_n >> 14;
    struct session *s = &sessions[frag_index < FRAG_SESSIONS ? frag_index : 0];
    if (frag_index >= FRAG_SESSIONS || !s->present || s->complete || n == 0)
        return;
    if (mc_group_id >= 0 && !(s->mc_group_bit_mask >> mc_group_id & 1))
        return;
    if (size - 2 != s->frag_size)
        return;
    uint8_t row[MAX_NB_FRAG / 8], fragment[MAX_FRAG_SIZE];
    matrix_line(row, n, s->nb_frag);
    memcpy(fragment, body + 2, s->frag_size);
    if (s->nb_frag_received < MAX_N)
        s->nb_frag_received++;
    insert(s, row, fragment);
    if (s->rank == s->nb_frag) {
        substitute(s);
        s->complete = true;
        owner_block(frag_index, s->block, (size_t)s->nb_frag * s->frag_size - s->padding);
    }
}

static void frag_session_setup(const uint8_t *body)
{
    int frag_index = body[0] >> 4 & 3;
    uint16_t nb_frag = (uint16_t)little_endian(body + 1, 2);
    uint8_t frag_size = body[3], padding = body[5];
    uint8_t errors = 0;
    if (body[4] >> 3 & 7)
        errors |= 1; /* no such FragAlgo */
    if (nb_frag == 0 || nb_frag > MAX_NB_FRAG || frag_size == 0 || padding >= frag_size)
        errors |= 2; /* no memory for it, or no sense in it */
    if (frag_index >= FRAG_SESSIONS)
        errors |= 4;
    if (memcmp(body + 6, "\xff\xff\xff\xff", 4) == 0)
        errors |= 8; /* a Descriptor of erased flash */
    if (!errors) {
        struct session *s = &sessions[frag_index];
        memset(s, 0, sizeof *s);
        s->present = true;
        s->mc_group_bit_mask = body[0] & 15;
        s->nb_frag = nb_frag;
        s->frag_size = frag_size;
        s->block_ack_delay = body[4] & 7;
        s->padding = padding;
    }
    answer((uint8_t[]){0x02, (uint8_t)(frag_index << 6 | errors)}, 2);
}

static void frag_session_delete(const uint8_t *body)
{
    int frag_index = body[0] & 3;
    bool there = frag_index < FRAG_SESSIONS && sessions[frag_index].present;
    if (there)
        memset(&sessions[frag_index], 0, sizeof sessions[frag_index]);
    answer((uint8_t[]){0x03, (uint8_t)(frag_index | (there ? 0 : 4))}, 2);
}

static void frag_session_status(uint64_t now, int mc_group_id, const uint8_t *body)
{
    int frag_index = body[0] >> 1 & 3;
    bool everybody = body[0] & 1;
    if (frag_index >= FRAG_SESSIONS || !sessions[frag_index].present)
        return; /* version 1 has no answer that says so */
    struct session *s = &sessions[frag_index];
    if (s->complete && !everybody)
        return;
    uint16_t missing = s->nb_frag - s->rank;
    uint16_t received = (uint16_t)(s->nb_frag_received | frag_index << 14);
    uint8_t octets[] = {0x01, received & 0xff, received >> 8, missing > 255 ? 255 : missing, 0};
    if (mc_group_id < 0) {
        answer(octets, sizeof octets);
    } else if (nb_pending < MAX_PENDING) {
        uint64_t window = UINT64_C(1000) << (s->block_ack_delay + 4);
        struct pending *one = &pending[nb_pending++];
        one->due = now + (window * owner_random() >> 32);
        memcpy(one->payload, octets, sizeof octets);
    }
}

/* Execute one command; return how many octets it has, or 0 if it cannot be read. */
static size_t fragmentation(uint64_t now, int mc_group_id, const uint8_t *command, size_t size)
{
    static const uint8_t sizes[] = {0, 1, 10, 1};
    const uint8_t *body = command + 1;
    bool unicast = mc_group_id < 0;
    if (command[0] == 0x08 && size >= 3 && (little_endian(body, 2) & MAX_N) != 0) {
        data_fragment(mc_group_id, body, size - 1);
        return size;
    }
    if (command[0] >= sizeof sizes || size < 1u + sizes[command[0]])
        return 0;
    if (command[0] == 0x00 && unicast)
        answer((uint8_t[]){0x00, 3, 1}, 3);
    if (command[0] == 0x01)
        frag_session_status(now, mc_group_id, body);
    if (command[0] == 0x02 && unicast)
        frag_session_setup(body);
    if (command[0] == 0x03 && unicast)
        frag_session_delete(body);
    return 1u + sizes[command[0]];
}

/* --- TS005: windows --- */

/* Seconds from now to a time that is told modulo 2^32, negative if it is past. */
static int64_t seconds_until(uint64_t now, uint32_t time)
{
    uint32_t distance = time - (uint32_t)(now / 1000);
    return distance < 0x80000000u ? (int64_t)distance : (int64_t)distance - (INT64_C(1) << 32);
}

static void close_window(int mc_group_id) /* if there is one */
{
    struct group *g = &groups[mc_group_id];
    if (g->listening)
        owner_listen('A', mc_group_id);
    g->scheduled = g->listening = false;
}

/* There is one receiver: whether another window that is open wants something else of it. */
static bool receiver_is_taken(int mc_group_id)
{
    for (int other = 0; other < MC_GROUPS; other++)
        if (other != mc_group_id && groups[other].listening &&
            memcmp(groups[other].tuning, groups[mc_group_id].tuning, 4) != 0)
            return true;
    return false;
}

/* Whether every block that a group feeds is complete: listening on would only drain the battery. */
static bool has_no_more_to_say(int mc_group_id)
{
    bool fed = false;
    for (int i = 0; i < FRAG_SESSIONS; i++)
        if (sessions[i].present && sessions[i].mc_group_bit_mask >> mc_group_id & 1) {
            if (!sessions[i].complete)
                return false;
            fed = true;
        }
    return fed;
}

static void follow_windows(uint64_t now)
{
    if (!clock_is_known)
        return;
    for (int id = 0; id < MC_GROUPS; id++) {
        struct group *g = &groups[id];
        bool over = seconds_until(now, g->start) + g->duration <= 0;
        if (over || (g->listening && has_no_more_to_say(id)))
            close_window(id);
    }
    for (int id = 0; id < MC_GROUPS; id++) {
        struct group *g = &groups[id];
        if (!g->scheduled || g->listening || seconds_until(now, g->start) > 0)
            continue;
        if (has_no_more_to_say(id)) {
            close_window(id);
        } else if (!receiver_is_taken(id)) {
            g->listening = true;
            owner_listen('C', id);
        }
    }
}

/* --- TS005: commands --- */

static bool same_identity(const struct group *g, const uint8_t *setup)
{
    return memcmp(g->setup + 1, setup + 1, 20) == 0; /* McAddr and McKey */
}

static void mc_group_setup(const uint8_t *body)
{
    int id = body[0] & 3;
    bool refused = id >= MC_GROUPS || little_endian(body + 21, 4) > little_endian(body + 25, 4);
    if (!refused) {
        struct group *g = &groups[id];
        if (!g->present || memcmp(g->setup + 1, body + 1, 28) != 0)
            close_window(id);
        bool heard = false;
        uint32_t last_fcnt = 0;
        for (int other = 0; other < MC_GROUPS; other++)
            if (groups[other].heard && same_identity(&groups[other], body) &&
                (!heard || groups[other].last_fcnt > last_fcnt)) {
                heard = true;
                last_fcnt = groups[other].last_fcnt;
            }
        g->present = true;
        g->heard = heard;
        g->last_fcnt = last_fcnt;
        memcpy(g->setup, body, sizeof g->setup);
    }
    answer((uint8_t[]){0x02, (uint8_t)(id | (refused ? 4 : 0))}, 2);
}

static void mc_group_delete(const uint8_t *body)
{
    int id = body[0] & 3;
    bool there = id < MC_GROUPS && groups[id].present;
    if (there) {
        close_window(id);
        groups[id].present = false;
    }
    answer((uint8_t[]){0x03, (uint8_t)(id | (there ? 0 : 4))}, 2);
}

static void mc_group_status(const uint8_t *body)
{
    uint8_t octets[2 + 5 * MC_GROUPS] = {0x01};
    uint8_t mask = 0, total = 0;
    size_t size = 2;
    for (int id = 0; id < MC_GROUPS; id++) {
        total += groups[id].present;
        if (!groups[id].present || !(body[0] >> id & 1))
            continue;
        mask |= 1 << id;
        octets[size] = (uint8_t)id;
        memcpy(octets + size + 1, groups[id].setup + 1, 4);
        size += 5;
    }
    octets[1] = (uint8_t)(total << 4 | mask);
    answer(octets, size);
}

static void mc_class_c_session(uint64_t now, const uint8_t *body)
{
    int id = body[0] & 3;
    uint32_t start = little_endian(body + 1, 4), duration = UINT32_C(1) << (body[5] & 15);
    uint32_t dl_freq = little_endian(body + 6, 3); /* in 100 Hz */
    int64_t wait = seconds_until(now, start);
    uint8_t errors = 0;
    if (body[9] > 15)
        errors |= 1 << 2; /* no such DR */
    if (dl_freq < 1500000 || dl_freq > 9600000)
        errors |= 1 << 3; /* the radio does not tune there */
    if (id >= MC_GROUPS || !groups[id].present || (clock_is_known && wait + duration <= 0))
        errors |= 1 << 4; /* no such group, or the window is over */
    if (errors) {
        answer((uint8_t[]){0x04, (uint8_t)(id | errors)}, 2);
        return;
    }
    struct group *g = &groups[id];
    if (!g->scheduled || g->start != start || g->duration != duration ||
        memcmp(g->tuning, body + 6, 4) != 0) {
        close_window(id);
        g->scheduled = true;
        g->start = start;
        g->duration = duration;
        memcpy(g->tuning, body + 6, 4);
    }
    uint32_t time_to_start = wait > 0 ? (uint32_t)wait : 0;
    if (!clock_is_known || time_to_start > 0xffffff)
        time_to_start = 0xffffff; /* do not trust it */
    answer((uint8_t[]){0x04, (uint8_t)id, time_to_start & 0xff, time_to_start >> 8 & 0xff,
                       (uint8_t)(time_to_start >> 16)},
           5);
}

/* There is no class B here, and no bit that says so: FreqError keeps a server from waiting. */
static void mc_class_b_session(const uint8_t *body)
{
    int id = body[0] & 3;
    bool defined = id < MC_GROUPS && groups[id].present;
    answer((uint8_t[]){0x05, (uint8_t)(id | (defined ? 1 << 3 : 1 << 4))}, 2);
}

static size_t multicast_setup(uint64_t now, const uint8_t *command, size_t size)
{
    static const uint8_t sizes[] = {0, 1, 29, 1, 10, 10};
    const uint8_t *body = command + 1;
    if (command[0] >= sizeof sizes || size < 1u + sizes[command[0]])
        return 0;
    switch (command[0]) {
    case 0x00: answer((uint8_t[]){0x00, 2, 1}, 3); break;
    case 0x01: mc_group_status(body); break;
    case 0x02: mc_group_setup(body); break;
    case 0x03: mc_group_delete(body); break;
    case 0x04: mc_class_c_session(now, body); break;
    case 0x05: mc_class_b_session(body); break;
    }
    return 1u + sizes[command[0]];
}

/* --- What the owner calls --- */

static void execute(uint64_t now, int mc_group_id, uint8_t fport, const uint8_t *payload,
                    size_t size)
{
    answers.fport = fport;
    answers.size = 0;
    while (size) {
        size_t used = 0;
        if (fport == FRAGMENTATION_PORT)
            used = fragmentation(now, mc_group_id, payload, size);
        else if (fport == MULTICAST_PORT && mc_group_id < 0)
            used = multicast_setup(now, payload, size);
        if (used == 0)
            break; /* nobody can tell where the next command begins */
        payload += used;
        size -= used;
    }
    flush_answers();
    device_tick(now);
}

/* Version 1 signs no blocks, and McKey is taken as it comes since link layer and keys are the
 * owner's: nothing here needs to know who the device is. */
void device_start(uint64_t now, bool from_factory, bool clock_known,
                  const struct identity *identity)
{
    (void)identity;
    nb_pending = 0;
    clock_is_known = clock_known;
    if (from_factory) {
        memset(sessions, 0, sizeof sessions);
        memset(groups, 0, sizeof groups);
    }
    for (int id = 0; id < MC_GROUPS; id++)
        groups[id].listening = false;
    device_tick(now);
}

void device_unicast(uint64_t now, uint8_t fport, const uint8_t *payload, size_t size)
{
    execute(now, -1, fport, payload, size);
}

void device_multicast(uint64_t now, uint32_t mc_addr, uint32_t fcnt, uint8_t fport,
                      const uint8_t *payload, size_t size)
{
    for (int id = 0; id < MC_GROUPS; id++) {
        struct group *g = &groups[id];
        uint32_t lowest = little_endian(g->setup + 21, 4);
        if (!g->present || little_endian(g->setup + 1, 4) != mc_addr)
            continue;
        if (fcnt < lowest || fcnt >= little_endian(g->setup + 25, 4))
            continue;
        if (g->heard && fcnt <= g->last_fcnt)
            continue;
        for (int other = 0; other < MC_GROUPS; other++)
            if (groups[other].present && same_identity(&groups[other], g->setup)) {
                groups[other].heard = true;
                groups[other].last_fcnt = fcnt;
            }
        execute(now, id, fport, payload, size);
        return;
    }
}

/* The link layer is the owner's: nothing comes this way, as "frames" is not in DEVICE_ABOUT. */
void device_multicast_frame(uint64_t now, const uint8_t *phy, size_t size)
{
    (void)now, (void)phy, (void)size;
}

void device_tick(uint64_t now)
{
    for (size_t at = 0; at < nb_pending;) {
        if (pending[at].due > now) {
            at++;
            continue;
        }
        owner_send(FRAGMENTATION_PORT, pending[at].payload, sizeof pending[at].payload);
        memmove(&pending[at], &pending[at + 1], (--nb_pending - at) * sizeof pending[at]);
    }
    follow_windows(now);
}

static uint64_t earlier(uint64_t one, uint64_t other)
{
    return one < other ? one : other;
}

uint64_t device_next(uint64_t now)
{
    uint64_t next = NEVER;
    for (size_t at = 0; at < nb_pending; at++)
        next = earlier(next, pending[at].due);
    for (int id = 0; id < MC_GROUPS && clock_is_known; id++) {
        int64_t until = seconds_until(now, groups[id].start);
        if (groups[id].listening || until <= 0) /* open, or waiting for the receiver */
            until += groups[id].duration;
        if (groups[id].scheduled)
            next = earlier(next, (now / 1000 + (uint64_t)until) * 1000);
    }
    return next;
}
