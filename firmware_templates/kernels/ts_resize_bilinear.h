/* ts_resize_bilinear.h - an image of another size, between its pixels; twin of tinystream/ops/resize_bilinear.py */
#ifndef TS_RESIZE_BILINEAR_H
#define TS_RESIZE_BILINEAR_H

#include "ts_fixed.h"

struct ts_resize_bilinear {
    int32_t width, channels;            /* of x */
    int32_t y_height, y_width;
    const int16_t *rows;                /* of x, for each row of y */
    const int16_t *rows_below;
    const int16_t *row_parts;           /* how much of the one below, in 1/1024 */
    const int16_t *columns;
    const int16_t *columns_right;
    const int16_t *column_parts;
};

/* x[height][width][channels] -> y[y_height][y_width][channels] */
static void ts_resize_bilinear(const struct ts_resize_bilinear *k, const int8_t *x, int8_t *y)
{
    for (int32_t i = 0; i < k->y_height; i++) {
        const int8_t *above = x + k->rows[i] * k->width * k->channels, *below = x + k->rows_below[i] * k->width * k->channels;
        const int32_t u = k->row_parts[i];
        for (int32_t j = 0; j < k->y_width; j++, y += k->channels) {
            const int32_t left = k->columns[j] * k->channels, right = k->columns_right[j] * k->channels, v = k->column_parts[j];
            for (int32_t c = 0; c < k->channels; c++) {
                /* 8 + 11 + 11 bits: outside of the image a part may be negative, and the other one above 1024 */
                const int32_t sum = (above[left + c] * (1024 - v) + above[right + c] * v) * (1024 - u)
                                  + (below[left + c] * (1024 - v) + below[right + c] * v) * u;
                y[c] = (int8_t)((sum + (sum > 0 ? 1 << 19 : -(1 << 19))) / (1 << 20));
            }
        }
    }
}

#endif
