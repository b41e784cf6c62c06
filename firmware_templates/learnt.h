
/* Nothing is learnt: it begins anew with the next block.  Variables that start at 0 have forgotten, too, so that a board need not call it. */
void ${name}_forget(void);

/* What was learnt so far, as bytes that ${name}_restore takes, on this board or on another one or on a host; gives how many. */
size_t ${name}_export(uint8_t y[${NAME}_LEARNT_BYTES]);

/* What was exported takes the place of what is learnt.  Bytes of another definition, or damaged ones, are refused, and change nothing. */
enum ts_learnt ${name}_restore(const uint8_t *x, size_t bytes);
