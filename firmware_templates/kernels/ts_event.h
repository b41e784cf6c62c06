/* ts_event.h - what an app tells the world */
#ifndef TS_EVENT_H
#define TS_EVENT_H
#define TS_EVENT_VERSION 1      /* rises with any change below: apps of several versions may be in one image */

#include <stdbool.h>
#include <stdint.h>

struct ts_event {
    uint32_t sequence;          /* 0 for the first event since the reset */
    int32_t label;              /* index into the app's labels */
    int32_t score;              /* as the detector counts it */
    uint64_t block;             /* the block, counted from the reset, at whose end it was known */
};

#endif
