/* main.c - the loop, the same on every board: blocks of samples in, records of alerts out, asleep whenever there is nothing to do
 *
 * While the hardware fills one buffer, the other is processed.  A block that was not taken up in time is counted, as is one that was
 * written over while it was looked at; both are told in a record.
 */
#include "ts_board.h"
#include "ts_core.h"
#include "ts_record.h"
#include "ts_self_test.h"
#ifdef TS_TELLS_SAMPLES
#include "ts_command.h"
#endif

#include <string.h>

static ts_sample buffers[2][TS_SAMPLES];
static volatile uint32_t filled;            /* blocks since the source was started; the interrupt writes it */
static volatile bool ended;                 /* and this */

static struct {
    uint32_t sequence;                      /* of records */
    uint64_t blocks;                        /* that time has gone on by, also while the source was off */
    uint32_t processed, alerts, wakes;      /* since the start */
    uint32_t late;                          /* blocks that were written over while they were processed */
    uint32_t lost;                          /* blocks that were written over before */
    uint32_t told;                          /* late + lost, as last told */
    uint64_t told_at, status_at;            /* blocks */
    uint64_t ticks, asleep_ticks;
    uint32_t ticks_before;
} node;

static const char *const labels[] = TS_LABELS;

void ts_block_filled(void)
{
    filled++;
}

void ts_source_ended(void)
{
    ended = true;
}

/* --- records ------------------------------------------------------------------------------------------------- */

static void send(const struct ts_record *record)
{
    uint8_t frame[TS_RECORD_BYTES + 5];
    board_write(frame, ts_frame_record(record, frame));
}

static void put_definition(struct ts_record *record)
{
    static const uint8_t definition[8] = TS_DEFINITION;
    for (uint32_t i = 0; i < sizeof definition; i++) {
        ts_put(record, definition[i], 1);
    }
}

static void say_hello(enum ts_reset reset)
{
    struct ts_record record = ts_record(TS_RECORD_HELLO, node.sequence++);
    const struct ts_fault fault = ts_take_fault();
    ts_put(&record, TS_RECORD_VERSION, 1);
    ts_put(&record, fault.reason != 0 ? fault.reason : (uint64_t)reset, 1);
    ts_put(&record, fault.address, 4);
    put_definition(&record);
    ts_put(&record, TS_CLOCK_HZ, 4);
    ts_put(&record, TS_SAMPLE_HZ_NUMERATOR, 4);
    ts_put(&record, TS_SAMPLE_HZ_DENOMINATOR, 4);
    ts_put(&record, TS_MOMENTS, 4);
    ts_put(&record, TS_SCORE_SCALE_BITS, 8);
    ts_put(&record, (uint32_t)TS_SCORE_ZERO, 4);
    ts_put_text(&record, TS_BOARD_NAME);
    ts_put_text(&record, TS_APP_NAME);
    for (uint32_t i = 0; i < sizeof labels / sizeof labels[0]; i++) {
        ts_put_text(&record, labels[i]);
    }
    send(&record);
}

static void tell_self_test(int32_t step)
{
    struct ts_record record = ts_record(TS_RECORD_SELF_TEST, node.sequence++);
    ts_put(&record, step < 0, 1);
    if (step >= 0) {
        ts_put(&record, (uint32_t)step, 2);
        ts_put_text(&record, ts_step_name(step));
    }
    send(&record);
}

static uint64_t heard(void)
{
    return node.blocks * TS_MOMENTS;
}

static void tell_alert(const struct ts_event *event, bool torn)
{
    node.alerts++;
#ifdef TS_BOARD_ALERT
    (void)torn;
    board_alert(event, heard());
#else
    struct ts_record record = ts_record(TS_RECORD_ALERT, node.sequence++);
    ts_put(&record, torn, 1);
    ts_put(&record, heard(), 8);
    ts_put(&record, (uint32_t)event->label, 2);
    ts_put(&record, (uint32_t)event->score, 4);
    put_definition(&record);
    ts_put_text(&record, labels[event->label]);
    send(&record);
#endif
}

static void tell_overrun(void)
{
    struct ts_record record = ts_record(TS_RECORD_OVERRUN, node.sequence++);
    ts_put(&record, heard(), 8);
    ts_put(&record, node.late, 4);
    ts_put(&record, node.lost, 4);
    send(&record);
    node.told = node.late + node.lost;
    node.told_at = node.blocks;
}

static void tell_status(void)
{
    struct ts_record record = ts_record(TS_RECORD_STATUS, node.sequence++);
    ts_put(&record, heard(), 8);
    ts_put(&record, node.processed, 4);
    ts_put(&record, node.alerts, 4);
    ts_put(&record, node.wakes, 4);
    ts_put(&record, node.late, 4);
    ts_put(&record, node.lost, 4);
    ts_put(&record, node.ticks, 8);
    ts_put(&record, node.asleep_ticks, 8);
    ts_put(&record, board_ticks_hz, 4);
    send(&record);
    node.status_at = node.blocks;
}

#ifdef TS_LEARNS
/* --- what was learnt ----------------------------------------------------------------------------------------- */

enum learnt { LEARNT_RESTORED, LEARNT_REFUSED, LEARNT_SAVED, LEARNT_FORGOTTEN };

static struct {
    uint8_t bytes[TS_LEARNT_BYTES];         /* what is stored, or was last */
    uint64_t saved_at;                      /* blocks */
    uint64_t wait;                          /* blocks until it is stored again: twice as long each time, up to a day */
    volatile bool anew;
} learnt = { .wait = TS_STATUS_BLOCKS };

__attribute__((weak)) size_t board_load_learnt(uint8_t *bytes, size_t most)     /* NOLINT: a board's own one writes there */
{
    (void)bytes;
    (void)most;
    return 0;
}

__attribute__((weak)) void board_save_learnt(const uint8_t *bytes, size_t count)
{
    (void)bytes;
    (void)count;
}

void ts_learn_anew(void)
{
    learnt.anew = true;
}

/* The CRC at its end. */
static uint32_t learnt_crc(void)
{
    uint32_t crc = 0;
    for (uint32_t i = 0; i < 4; i++) {
        crc |= (uint32_t)learnt.bytes[TS_LEARNT_BYTES - 4 + i] << 8 * i;
    }
    return crc;
}

static void tell_learnt(enum learnt what, enum ts_learnt why)
{
    struct ts_record record = ts_record(TS_RECORD_LEARNT, node.sequence++);
    ts_put(&record, heard(), 8);
    ts_put(&record, (uint64_t)what, 1);
    ts_put(&record, (uint64_t)why, 1);
    ts_put(&record, learnt_crc(), 4);
    send(&record);
}

static void restore_learnt(void)
{
    const size_t count = board_load_learnt(learnt.bytes, sizeof learnt.bytes);
    if (count > 0) {
        const enum ts_learnt why = ts_app_restore(learnt.bytes, count);
        tell_learnt(why == TS_LEARNT_RESTORED ? LEARNT_RESTORED : LEARNT_REFUSED, why);
    }
}

/* Where it has changed since, by its CRC. */
static void save_learnt(void)
{
    const uint64_t day = 86400000000u / TS_BLOCK_US;
    const uint32_t before = learnt_crc();
    const size_t count = ts_app_export(learnt.bytes);
    if (learnt_crc() != before) {
        board_save_learnt(learnt.bytes, count);
        tell_learnt(LEARNT_SAVED, TS_LEARNT_RESTORED);
    }
    learnt.saved_at = node.blocks;
    learnt.wait = learnt.wait < day / 2 ? 2 * learnt.wait : day;
}

/* Between two blocks. */
static void look_after_learnt(void)
{
    if (learnt.anew) {
        learnt.anew = false;
        ts_app_forget();
        learnt.wait = TS_STATUS_BLOCKS;
        save_learnt();
        tell_learnt(LEARNT_FORGOTTEN, TS_LEARNT_RESTORED);
    } else if (node.blocks - learnt.saved_at >= learnt.wait) {
        save_learnt();
    }
}

#endif
#ifdef TS_TELLS_SAMPLES
/* --- samples, for who has asked: never by itself, and for a minute at most ------------------------------------ */

static struct {
    struct ts_command command;
    ts_sample block[TS_SAMPLES];            /* a copy: the source fills the buffer again before all of it has left */
    uint32_t left, told;                    /* blocks */
} recording;

/* The marker around samples: begun, with what they are, or ended. */
static void tell_recording(bool ended_now, uint32_t blocks)
{
    struct ts_record record = ts_record(TS_RECORD_RECORDING, node.sequence++);
    ts_put(&record, ended_now, 1);
    ts_put(&record, heard(), 8);
    ts_put(&record, blocks, 4);
    ts_put(&record, TS_SAMPLE_HZ_NUMERATOR, 4);
    ts_put(&record, TS_SAMPLE_HZ_DENOMINATOR, 4);
    ts_put(&record, TS_MOMENTS, 4);
    ts_put(&record, TS_SAMPLES / TS_MOMENTS, 4);
    ts_put(&record, sizeof(ts_sample), 1);
    send(&record);
}

static void end_recording(void)
{
    if (recording.left != 0) {
        recording.left = 0;
        tell_recording(true, recording.told);
    }
}

static void look_for_commands(void)
{
    uint8_t bytes[16];
    const uint32_t count = board_read(bytes, sizeof bytes);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t blocks = 0;
        if (ts_command(&recording.command, bytes[i], &blocks)) {
            end_recording();
            recording.told = 0;
            recording.left = blocks < TS_STATUS_BLOCKS ? blocks : TS_STATUS_BLOCKS;
            if (blocks != 0) {
                tell_recording(false, recording.left);
            }
        }
    }
}

/* The block that was copied, in as many records as it takes. */
static void tell_samples(void)
{
    const uint32_t most = (TS_RECORD_BYTES - 17) / sizeof(ts_sample);
    for (uint32_t at = 0; at < TS_SAMPLES; at += most) {
        struct ts_record record = ts_record(TS_RECORD_SAMPLES, node.sequence++);
        ts_put(&record, heard() - TS_MOMENTS, 8);
        ts_put(&record, at, 4);
        for (uint32_t i = at; i < at + most && i < TS_SAMPLES; i++) {
            ts_put(&record, (uint64_t)recording.block[i], sizeof(ts_sample));
        }
        send(&record);
    }
    recording.told++;
    if (recording.left == 1) {
        end_recording();
    } else {
        recording.left--;
    }
}

#endif
/* --- time ---------------------------------------------------------------------------------------------------- */

/* Ticks since the last call, added to the sum: often enough that 32 bits do not wrap between two calls. */
static uint32_t count_ticks(void)
{
    const uint32_t now = board_ticks(), ticks = now - node.ticks_before;
    node.ticks_before = now;
    node.ticks += ticks;
    return ticks;
}

/* Until the source has filled more blocks than `taken`, or has ended; gives how many it has. */
static uint32_t wait_for_block(uint32_t taken)
{
    uint32_t now;

    ts_interrupts(false);
    while ((now = filled) == taken && !ended) {
        (void)count_ticks();
        board_sleep();
        node.asleep_ticks += count_ticks();
        ts_interrupts(true);                /* the handler runs here */
        node.wakes++;
        ts_interrupts(false);
    }
    ts_interrupts(true);
    return now;
}

/* --- the loop ------------------------------------------------------------------------------------------------ */

/* The sensor on, from a fresh start, for so many blocks; 0 is for ever.  `begin`: blocks that time has gone on by before. */
static void listen(uint64_t begin, uint32_t blocks)
{
    uint32_t taken = 0;

    ts_app_reset();
    filled = 0;
    board_source_start(buffers);
    while (blocks == 0 || taken < blocks) {
        struct ts_event event[TS_EVENTS];
        const uint32_t now = wait_for_block(taken);
        if (now == taken) {
            break;
        }
        node.lost += now - taken - 1;       /* older ones were written over by now */
        taken = now;
        node.blocks = begin + taken;
#ifdef TS_LEARNS
        look_after_learnt();
#endif
#ifdef TS_TELLS_SAMPLES
        look_for_commands();
        const bool told = recording.left != 0;
        if (told) {
            memcpy(recording.block, buffers[(taken - 1) & 1], sizeof recording.block);
        }
#endif
#ifdef TS_MARKER
        board_marker(true);
#endif
        const int events = ts_app_push(buffers[(taken - 1) & 1], event);
#ifdef TS_MARKER
        board_marker(false);
#endif
        const bool torn = filled != taken;  /* a block more is full, so the buffer that we have read is being filled again */
        node.processed++;
        node.late += torn;
        for (int i = 0; i < events; i++) {
            tell_alert(&event[i], torn);
        }
#ifdef TS_TELLS_SAMPLES
        if (told) {
            tell_samples();
        }
#endif
        if (node.late + node.lost != node.told && (node.told == 0 || node.blocks - node.told_at >= TS_STATUS_BLOCKS / 16)) {
            tell_overrun();
        }
        if (node.blocks - node.status_at >= TS_STATUS_BLOCKS) {
            tell_status();
        }
        board_watchdog_feed();
    }
    board_source_stop();
}

int main(void)
{
    const enum ts_reset reset = board_init();
    ts_interrupts(true);
    say_hello(reset);
    board_watchdog_start(TS_WATCHDOG_MS);

    const int32_t step = ts_self_test();
    tell_self_test(step);
    if (step >= 0) {
#ifdef TS_ENDS                              /* what plays the board ends with the firmware: a process, an emulator */
        return 1;
#else
        /* What computes other integers than were tested must not raise alarms: it says so, over and over, and does nothing else. */
        for (;;) {
            board_deep_sleep(TS_WATCHDOG_MS / 2);
            board_watchdog_feed();
            tell_self_test(step);
        }
#endif
    }
#ifdef TS_BENCH
    for (int32_t i = 0; i < TS_STEPS; i++) {
        struct ts_record record = ts_record(TS_RECORD_CYCLES, node.sequence++);
        ts_put_cycles(&record, i);
        send(&record);
    }
#endif
#ifdef TS_LEARNS
    restore_learnt();
#endif
    node.ticks_before = board_ticks();
    for (uint64_t begin = 0; !ended; begin += TS_ON_BLOCKS + TS_OFF_BLOCKS) {
        listen(begin, TS_ON_BLOCKS);
        if (node.late + node.lost != node.told) {
            tell_overrun();
        }
        (void)count_ticks();
        board_deep_sleep(TS_OFF_MS);
        node.asleep_ticks += count_ticks();
    }
#ifdef TS_LEARNS
    save_learnt();
#endif
#ifdef TS_TELLS_SAMPLES
    end_recording();
#endif
    tell_status();
    board_deep_sleep(0);                    /* when all has left */
    return 0;
}
