
/* --- what was learnt: it outlives a reset, can be taken out, and put back --------------------------------------- */

static const uint8_t learnt_definition[TS_LEARNT_DEFINITION_BYTES] = {
${definition}
};

void ${name}_forget(void)
{
${forget}
}

size_t ${name}_export(uint8_t y[${NAME}_LEARNT_BYTES])
{
    uint8_t *to = ts_learnt_begin(y, learnt_definition, ${NAME}_LEARNT_BYTES);
${put}
    return ts_learnt_end(y, to);
}

enum ts_learnt ${name}_restore(const uint8_t *x, size_t bytes)
{
    const enum ts_learnt found = ts_learnt_check(x, bytes, learnt_definition, ${NAME}_LEARNT_BYTES);
    if (found != TS_LEARNT_RESTORED) return found;
    x += TS_LEARNT_HEAD_BYTES;
${get}
    return found;
}
