/* ts_max_spectrum.h - greatest power of each bin in the frames of a window; twin of tinystream/stages/max_spectrum.py */
#ifndef TS_MAX_SPECTRUM_H
#define TS_MAX_SPECTRUM_H

#include "ts_load.h"
#include "ts_scaled.h"
#include "ts_spectrum.h"

struct ts_max_spectrum {
    int32_t type;               /* of x, as ts_load says it */
    int32_t window;             /* samples of a channel */
    int32_t channels;           /* side by side in x */
    int32_t length;             /* of a frame */
    int32_t hop;                /* from one frame to the next */
    int32_t loudest;            /* exponent of full scale */
    int32_t first, bins;        /* which are told */
    int32_t apart;              /* points of the FFT from one bin to the next */
    int32_t precision, size, log2_size, radix;  /* these and the tables are those of ts_spectrum */
    const uint16_t *order;
    const int32_t *sine_q30;
    int16_t *frame;             /* [length] */
    int64_t *power;             /* [size / 2 + 1] */
    int32_t *z32;               /* [size] */
};

/* distance from the mean times the number of samples: 33 + 15 bits */
static inline int64_t ts_max_spectrum_distance(const struct ts_max_spectrum *k, const void *x, int32_t at, int64_t sum)
{
    return k->window * ts_load(x, k->type, at) - sum;
}

static void ts_max_spectrum_channel(const struct ts_max_spectrum *k, const struct ts_spectrum *fft, const void *x, int32_t channel, int64_t *y)
{
    int64_t sum = 0, most = 0;
    for (int32_t i = 0; i < k->window; i++) {
        sum += ts_load(x, k->type, i * k->channels + channel);
    }
    for (int32_t i = 0; i < k->window; i++) {
        const int64_t size = ts_size(ts_max_spectrum_distance(k, x, i * k->channels + channel, sum));
        most = size > most ? size : most;
    }
    const int exponent = most > 0 ? ts_msb((uint64_t)most) - 14 : 0;    /* 15 bits are transformed */
    const int down = exponent > 0 ? exponent : 0, up = exponent < 0 ? -exponent : 0;
    const int lift = 15 - 2 * ((int)k->loudest - exponent);

    memset(y, 0, (size_t)k->bins * sizeof *y);
    for (int32_t start = 0; start < k->window; start += k->hop) {       /* ends: hop is positive */
        for (int32_t i = 0; i < k->length; i++) {
            const int32_t at = start + i;
            const int64_t d = at < k->window ? ts_max_spectrum_distance(k, x, at * k->channels + channel, sum) : 0;
            k->frame[i] = ts_sat16(ts_rshift(d, down) * ((int64_t)1 << up));
        }
        ts_spectrum(fft, k->frame, k->power);
        for (int32_t i = 0; i < k->bins; i++) {
            const int64_t power = k->power[(k->first + i) * k->apart];          /* 46 bits */
            const int64_t lifted = lift < 0 ? ts_rshift(power, lift < -62 ? 62 : -lift) : (int64_t)((uint64_t)power << lift);
            y[i] = lifted > y[i] ? lifted : y[i];
        }
    }
}

/* x[window][channels] -> y[channels][bins] */
static void ts_max_spectrum(const struct ts_max_spectrum *k, const void *x, int64_t *y)
{
    struct ts_spectrum fft;
    fft.precision = k->precision;
    fft.length = k->length;
    fft.channels = 1;
    fft.size = k->size;
    fft.log2_size = k->log2_size;
    fft.radix = k->radix;
    fft.order = k->order;
    fft.sine_q14 = NULL;
    fft.sine_q30 = k->sine_q30;
    fft.z16 = NULL;
    fft.z32 = k->z32;
    for (int32_t channel = 0; channel < k->channels; channel++) {
        ts_max_spectrum_channel(k, &fft, x, channel, y);
        y += k->bins;
    }
}

#endif
