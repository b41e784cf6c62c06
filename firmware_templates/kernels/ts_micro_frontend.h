/* ts_micro_frontend.h - log energies of mel bands with noise reduction and gain control; twin of tinystream/stages/micro_frontend.py */
#ifndef TS_MICRO_FRONTEND_H
#define TS_MICRO_FRONTEND_H

#include "ts_fixed.h"

struct ts_micro_frontend {
    int32_t block;                  /* new samples per call, and from one frame to the next */
    int32_t kept;                   /* samples that a frame can have before the block; a multiple of block */
    int32_t length;                 /* samples per frame, kept < length <= kept + block */
    int32_t half;                   /* complex points of the FFT, half of its real ones */
    int32_t radix;                  /* of its first pass: 4, or 2 where half is no power of 4 */
    int32_t bands;
    int32_t smoothing_bits;         /* fraction of the noise estimate */
    int32_t even_smoothing;         /* Q14, for bands 0, 2, 4 ... */
    int32_t odd_smoothing;          /* Q14, for bands 1, 3, 5 ... */
    int32_t min_signal_remaining;   /* Q14; 1.0 is no noise reduction */
    int32_t pcan;                   /* 0 or 1 */
    int32_t snr_shift;              /* of amplitude * gain, to Q12 */
    int32_t log;                    /* 0 or 1 */
    int32_t correction_bits;        /* of an amplitude before the logarithm */
    int32_t log_scale_shift;        /* fraction of y */
    const int16_t *window;          /* Q12, [length] */
    const uint16_t *order;          /* first point of each butterfly of the first pass, [half / radix] */
    const int16_t *twiddle;         /* per pass of m butterflies a group: cos, sin of three inputs, Q15, [3][2][m] */
    const int16_t *split;           /* cos, sin of bins 1 .. half / 2, Q15, [2][half / 2] */
    const uint16_t *edge;           /* corners i and i + 1 have bins edge[i] .. edge[i + 1] - 1 between them, [bands + 2] */
    const uint16_t *weight;         /* Q12, share of a bin in the band that peaks at corner i + 1, from bin edge[0] on */
    const uint16_t *unweight;       /* Q12, share of a bin in the band that peaks at corner i */
    const int16_t *gain;            /* value, slope, curve for noise of i bits, [33][3] */
    const uint16_t *log2;           /* log2(1 + i / 128) - i / 128 in Q16, [129] */
    int16_t *frame;                 /* [2 half] */
    int16_t *re;                    /* [half] */
    int16_t *im;                    /* [half] */
};

struct ts_micro_frontend_state {
    int16_t *past;                  /* the last `kept` samples, oldest first */
    uint32_t *noise;                /* estimate of each band, smoothing_bits of fraction */
    int32_t seen;                   /* samples so far, up to `kept` */
};

/* --- the FFT of kissfft: every pass divides by its radix, rounds, and rounds each product; sums wrap at 16 bits --- */

/* x / radix, the quotient 32767 / radix in Q15; in two shifts, which compilers know as one instruction */
static inline int32_t ts_micro_frontend_scale(int32_t x, int32_t quotient)
{
    return (int16_t)(((x * quotient >> 14) + 1) >> 1);
}

/* Q15 product to a part; within 16 bits but for the last pass, which wraps at full scale */
static inline int32_t ts_micro_frontend_round(int32_t x)
{
    return (int16_t)((x + (1 << 14)) >> 15);
}

/* first pass: frame -> re, im in the order of the later passes; all its twiddles are 1 */
static inline void ts_micro_frontend_first_pass(const struct ts_micro_frontend *k)
{
    const int16_t *x = k->frame;
    int16_t *re = k->re, *im = k->im;
    const int32_t far = 2 * (k->half / k->radix);           /* from one input to the next */
    for (int32_t i = 0; i < k->half; i += k->radix) {       /* ends: radix is 2 or 4 */
        const int16_t *p = x + 2 * *(k->order + i / k->radix);
        if (k->radix == 2) {
            const int32_t ar = ts_micro_frontend_scale(p[0], 16383), ai = ts_micro_frontend_scale(p[1], 16383);
            const int32_t br = ts_micro_frontend_scale(p[far], 16383), bi = ts_micro_frontend_scale(p[far + 1], 16383);
            re[i] = (int16_t)(ar + br);
            im[i] = (int16_t)(ai + bi);
            re[i + 1] = (int16_t)(ar - br);
            im[i + 1] = (int16_t)(ai - bi);
        } else {
            const int32_t ar = ts_micro_frontend_scale(p[0], 8191), ai = ts_micro_frontend_scale(p[1], 8191);
            const int32_t br = ts_micro_frontend_scale(p[far], 8191), bi = ts_micro_frontend_scale(p[far + 1], 8191);
            const int32_t cr = ts_micro_frontend_scale(p[2 * far], 8191), ci = ts_micro_frontend_scale(p[2 * far + 1], 8191);
            const int32_t dr = ts_micro_frontend_scale(p[3 * far], 8191), di = ts_micro_frontend_scale(p[3 * far + 1], 8191);
            re[i] = (int16_t)(ar + br + cr + dr);
            im[i] = (int16_t)(ai + bi + ci + di);
            re[i + 1] = (int16_t)(ar - cr + (bi - di));
            im[i + 1] = (int16_t)(ai - ci - (br - dr));
            re[i + 2] = (int16_t)(ar + cr - (br + dr));
            im[i + 2] = (int16_t)(ai + ci - (bi + di));
            re[i + 3] = (int16_t)(ar - cr - (bi - di));
            im[i + 3] = (int16_t)(ai - ci + (br - dr));
        }
    }
}

/* m butterflies of radix 4, in place: the four inputs of each lie m apart */
static inline void ts_micro_frontend_group(int32_t m, const int16_t *restrict w, int16_t *restrict ar, int16_t *restrict ai, int16_t *restrict br,
    int16_t *restrict bi, int16_t *restrict cr, int16_t *restrict ci, int16_t *restrict dr, int16_t *restrict di)
{
    for (int32_t i = 0; i < m; i++) {
        const int32_t xr = ts_micro_frontend_scale(br[i], 8191), xi = ts_micro_frontend_scale(bi[i], 8191);
        const int32_t yr = ts_micro_frontend_scale(cr[i], 8191), yi = ts_micro_frontend_scale(ci[i], 8191);
        const int32_t zr = ts_micro_frontend_scale(dr[i], 8191), zi = ts_micro_frontend_scale(di[i], 8191);
        const int32_t b_re = ts_micro_frontend_round(xr * w[i] - xi * w[i + m]);
        const int32_t b_im = ts_micro_frontend_round(xr * w[i + m] + xi * w[i]);
        const int32_t c_re = ts_micro_frontend_round(yr * w[i + 2 * m] - yi * w[i + 3 * m]);
        const int32_t c_im = ts_micro_frontend_round(yr * w[i + 3 * m] + yi * w[i + 2 * m]);
        const int32_t d_re = ts_micro_frontend_round(zr * w[i + 4 * m] - zi * w[i + 5 * m]);
        const int32_t d_im = ts_micro_frontend_round(zr * w[i + 5 * m] + zi * w[i + 4 * m]);
        const int32_t a_re = ts_micro_frontend_scale(ar[i], 8191), a_im = ts_micro_frontend_scale(ai[i], 8191);
        ar[i] = (int16_t)(a_re + c_re + (b_re + d_re));
        ai[i] = (int16_t)(a_im + c_im + (b_im + d_im));
        br[i] = (int16_t)(a_re - c_re + (b_im - d_im));
        bi[i] = (int16_t)(a_im - c_im - (b_re - d_re));
        cr[i] = (int16_t)(a_re + c_re - (b_re + d_re));
        ci[i] = (int16_t)(a_im + c_im - (b_im + d_im));
        dr[i] = (int16_t)(a_re - c_re - (b_im - d_im));
        di[i] = (int16_t)(a_im - c_im + (b_re - d_re));
    }
}

/* spectrum of even samples + i odd samples -> bins 1 .. half - 1 of all samples, in place */
static inline void ts_micro_frontend_split(const struct ts_micro_frontend *k)
{
    const int16_t *cos = k->split, *sin = cos + k->half / 2;
    int16_t *re = k->re, *im = k->im;
    for (int32_t i = 1; i <= k->half / 2; i++) {
        const int32_t j = k->half - i;                      /* the mirror; of bin half / 2 itself, what is written last stays */
        const int32_t ar = ts_micro_frontend_scale(re[i], 16383), ai = ts_micro_frontend_scale(im[i], 16383);
        const int32_t br = ts_micro_frontend_scale(re[j], 16383), bi = ts_micro_frontend_scale((int16_t)-im[j], 16383);
        const int32_t sr = ar + br, si = ai + bi, dr = ar - br, di = ai - bi;
        const int32_t tr = ts_micro_frontend_round(dr * cos[i - 1] - di * sin[i - 1]);
        const int32_t ti = ts_micro_frontend_round(dr * sin[i - 1] + di * cos[i - 1]);
        re[i] = (int16_t)((sr + tr) >> 1);
        im[i] = (int16_t)((si + ti) >> 1);
        re[j] = (int16_t)((sr - tr) >> 1);
        im[j] = (int16_t)((ti - si) >> 1);
    }
}

/* frame -> re, im of bins 1 .. half - 1, over 2 half */
static inline void ts_micro_frontend_spectrum(const struct ts_micro_frontend *k)
{
    ts_micro_frontend_first_pass(k);
    const int16_t *w = k->twiddle;
    for (int32_t m = k->radix; m < k->half; m *= 4) {       /* ends: m begins with 2 or 4 */
        for (int32_t i = 0; i < k->half; i += 4 * m) {      /* ends: m > 0 */
            int16_t *re = k->re + i, *im = k->im + i;
            ts_micro_frontend_group(m, w, re, im, re + m, im + m, re + 2 * m, im + 2 * m, re + 3 * m, im + 3 * m);
        }
        w += 6 * m;
    }
    ts_micro_frontend_split(k);
}

/* --- bands and what follows ------------------------------------------------------------------------------------ */

/* past and x through the window, as loud as 16 bits hold, zeros behind -> frame; gives the shift */
static inline int32_t ts_micro_frontend_window(const struct ts_micro_frontend *k, const int16_t *past, const int16_t *x)
{
    int16_t *frame = k->frame;
    int32_t loud = 0;                                       /* its highest bit is that of the largest magnitude */
    memcpy(frame, past, (size_t)k->kept * sizeof *frame);
    memcpy(frame + k->kept, x, (size_t)(k->length - k->kept) * sizeof *frame);
    for (int32_t i = 0; i < k->length; i++) {
        const int32_t v = frame[i] * k->window[i] >> 12;
        loud |= (v < 0 ? -v : v) & 32767;                   /* the original has no magnitude for -32768 */
        frame[i] = (int16_t)v;
    }
    const int32_t shift = loud > 0 ? 14 - ts_msb((uint64_t)loud) : 15;
    for (int32_t i = 0; i < k->length; i++) {
        frame[i] = (int16_t)(frame[i] * (1 << shift));
    }
    memset(frame + k->length, 0, (size_t)(2 * k->half - k->length) * sizeof *frame);
    return shift;
}

/* sqrt(x) to nearest, x < 2^52; below 2^32 at most 65535 */
static inline uint32_t ts_micro_frontend_root(uint64_t x)
{
    uint32_t root = 0, rest = 0;                            /* rest <= 2 root: 32 bits hold it, times 4 */
    const bool small = x >> 32 == 0;
    int pairs = ts_msb(x) / 2 + 1;
    x <<= 64 - 2 * pairs;
    for (; pairs > 0; pairs--) {                            /* digit by digit, base 4 */
        rest = rest << 2 | (uint32_t)(x >> 62);
        x <<= 2;
        const uint32_t trial = root << 2 | 1;
        const uint32_t digit = rest >= trial;
        rest -= trial & (0u - digit);
        root = root << 1 | digit;
    }
    return small && root == 65535 ? root : root + (rest > root);
}

/* the gain at a noise estimate: a parabola in each octave, 10 bits of place in it */
static inline int32_t ts_micro_frontend_gain(const int16_t *gain, uint32_t noise)
{
    const int bits = noise > 0 ? ts_msb(noise) + 1 : 0;
    const int32_t frac = (int32_t)((bits < 11 ? noise << (11 - bits) : noise >> (bits - 11)) & 1023u);
    gain += 3 * bits;
    return gain[0] + ((((gain[2] * frac >> 5) + gain[1] * 32) * frac + (1 << 14)) >> 15);
}

/* ln(x) * 2^log_scale_shift; 0 for x = 0 */
static inline uint32_t ts_micro_frontend_log(const struct ts_micro_frontend *k, uint32_t x)
{
    if (x <= 1) {
        return 0;
    }
    const int bits = ts_msb(x);
    const uint32_t frac = (bits < 16 ? x << (16 - bits) : x >> (bits - 16)) & 65535u;
    const uint16_t *above = k->log2 + (frac >> 9);
    const int32_t bend = (above[1] - above[0]) * (int32_t)(frac & 511u) >> 16;
    const uint32_t log2 = ((uint32_t)bits << 16) + frac + above[0] + (uint32_t)bend;
    const uint32_t ln = (uint32_t)(((uint64_t)45426 * log2 + 32768) >> 16);     /* ln 2 in Q16 */
    return ((ln << k->log_scale_shift) + 32768) >> 16;
}

/* one band: an amplitude and its place -> y; moves the noise estimate */
static inline uint16_t ts_micro_frontend_band(const struct ts_micro_frontend *k, uint32_t *noise, int32_t band, uint32_t amplitude)
{
    const uint32_t smoothing = (uint32_t)(band & 1 ? k->odd_smoothing : k->even_smoothing);
    const uint32_t now = amplitude << k->smoothing_bits;
    const uint32_t estimate = (uint32_t)(((uint64_t)now * smoothing + (uint64_t)noise[band] * (16384 - smoothing)) >> 14);
    noise[band] = estimate;

    const uint32_t least = (uint32_t)(((uint64_t)amplitude * (uint32_t)k->min_signal_remaining) >> 14);
    const uint32_t rest = estimate < now ? (now - estimate) >> k->smoothing_bits : 0;
    uint32_t y = rest > least ? rest : least;
    if (k->pcan) {
        const uint32_t ratio = (uint32_t)(((uint64_t)y * (uint32_t)ts_micro_frontend_gain(k->gain, estimate)) >> k->snr_shift);
        y = ratio < 8192 ? ratio * ratio >> 20 : (ratio >> 6) - 64;
    }
    if (k->log) {
        y = ts_micro_frontend_log(k, y << k->correction_bits);
    }
    return (uint16_t)(y < 65535 ? y : 65535);
}

/* x[block] -> y[bands]; false until a frame is full */
static bool ts_micro_frontend(const struct ts_micro_frontend *k, struct ts_micro_frontend_state *s, const int16_t *x, uint16_t *y)
{
    const bool full = s->seen == k->kept;
    const int32_t shift = full ? ts_micro_frontend_window(k, s->past, x) : 0;
    memmove(s->past, s->past + k->block, (size_t)(k->kept - k->block) * sizeof *s->past);
    memcpy(s->past + k->kept - k->block, x, (size_t)k->block * sizeof *x);
    if (!full) {
        s->seen += k->block;
        return false;
    }

    ts_micro_frontend_spectrum(k);
    uint64_t fall = 0;                                      /* 12 + 31 bits a bin; what the next band has on its way down */
    int32_t bin = k->edge[0];
    for (int32_t i = 0; i <= k->bands; i++) {
        uint64_t rise = fall;
        fall = 0;
        for (; bin < k->edge[i + 1]; bin++) {
            const int32_t re = k->re[bin], im = k->im[bin];
            const uint32_t power = (uint32_t)(re * re + im * im);
            rise += (uint64_t)power * k->weight[bin - k->edge[0]];
            fall += (uint64_t)power * k->unweight[bin - k->edge[0]];
        }
        if (i > 0) {
            y[i - 1] = ts_micro_frontend_band(k, s->noise, i - 1, ts_micro_frontend_root(rise) >> shift);
        }
    }
    return true;
}

#endif
