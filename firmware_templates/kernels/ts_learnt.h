/* ts_learnt.h - why what was learnt is restored or not; twin of Refusal in tinystream/plan/learnt.py */
#ifndef TS_LEARNT_H
#define TS_LEARNT_H

#include <stddef.h>
#include <stdint.h>

enum ts_learnt {
    TS_LEARNT_RESTORED         = 0,
    TS_LEARNT_SHORT            = 1,     /* cut off before its head ends */
    TS_LEARNT_NOT_LEARNT       = 2,     /* something else: it begins otherwise */
    TS_LEARNT_OTHER_VERSION    = 3,     /* another version of this form */
    TS_LEARNT_OTHER_ENDING     = 4,     /* signed in a way that is not known here */
    TS_LEARNT_OTHER_SIZE       = 5,     /* cut off, or longer than it says, or of another definition */
    TS_LEARNT_DAMAGED          = 6,     /* the CRC does not fit */
    TS_LEARNT_OTHER_DEFINITION = 7,     /* learnt by another app, or by another definition of this one */
};

#endif
