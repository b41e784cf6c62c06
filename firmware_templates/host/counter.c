/* counter.c - what the emulator calls at the start of each basic block: how often was it entered, from which block?
 *
 * A host library for tinystream/firmware/counter.py, which owns all the memory.  An edge is kept for good once it was
 * seen, so its place in `edges` names it; `next` is the edge that followed it last time, nearly always the right guess.
 */
#include <stdint.h>

struct ts_edge {
    uint32_t from, to;          /* where the two blocks begin */
    uint32_t bytes;             /* length of the block at `to` */
    uint32_t step;              /* what was running when the block was entered */
    uint64_t count;
    uint32_t next;
    uint32_t after;             /* the step when it was left: another one where a mark lies in the block */
};

struct ts_mark {
    uint32_t address, step;     /* the step begins there */
};

struct ts_counter {
    struct ts_edge *edges;
    uint32_t *slots;            /* a hash table: 1 + index into edges, 0 is free */
    uint32_t mask;              /* slots - 1; there are twice as many slots as edges */
    uint32_t used;              /* edges */
    uint32_t last;              /* the edge that came last */
    uint32_t step;
    uint64_t lost;              /* blocks that found no place: the counts are wrong */
    const struct ts_mark *marks;    /* in the order of their addresses */
    uint64_t mark_count;
};

void ts_count_block(void *machine, uint64_t address, uint32_t bytes, void *told);

static uint32_t ts_find_edge(struct ts_counter *counter, uint32_t from, uint32_t to, uint32_t bytes)
{
    uint32_t slot = (from * 0x9e3779b1u ^ to * 0x85ebca6bu ^ counter->step * 0xc2b2ae35u) >> 7 & counter->mask;
    for (; counter->slots[slot] != 0; slot = (slot + 1) & counter->mask) {
        const uint32_t at = counter->slots[slot] - 1;
        const struct ts_edge *edge = &counter->edges[at];
        if (edge->from == from && edge->to == to && edge->bytes == bytes && edge->step == counter->step) {
            return at;
        }
    }
    if (counter->used > counter->mask / 2) {
        counter->lost++;
        return counter->last;
    }
    uint32_t after = counter->step;
    for (uint64_t i = 0; i < counter->mark_count; i++) {
        if (counter->marks[i].address - to < bytes) {
            after = counter->marks[i].step;
        }
    }
    counter->edges[counter->used] =
        (struct ts_edge){ .from = from, .to = to, .bytes = bytes, .step = counter->step, .after = after };
    counter->slots[slot] = ++counter->used;
    return counter->used - 1;
}

void ts_count_block(void *machine, uint64_t address, uint32_t bytes, void *told)
{
    struct ts_counter *counter = told;
    struct ts_edge *before = &counter->edges[counter->last];
    const uint32_t to = (uint32_t)address;

    (void)machine;
    uint32_t at = before->next;
    const struct ts_edge *guess = &counter->edges[at];
    if (guess->from != before->to || guess->to != to || guess->bytes != bytes || guess->step != counter->step) {
        at = ts_find_edge(counter, before->to, to, bytes);
        before->next = at;
    }
    counter->edges[at].count++;
    counter->step = counter->edges[at].after;
    counter->last = at;
}
