/* ts_resize_nearest_neighbor.h - an image of another size; twin of tinystream/ops/resize_nearest_neighbor.py */
#ifndef TS_RESIZE_NEAREST_NEIGHBOR_H
#define TS_RESIZE_NEAREST_NEIGHBOR_H

#include "ts_fixed.h"

struct ts_resize_nearest_neighbor {
    int32_t bytes;                  /* of a value */
    int32_t width, channels;        /* of x */
    int32_t y_height, y_width;
    const int16_t *rows;            /* of x, for each row of y */
    const int16_t *columns;
};

/* x[height][width][channels] -> y[y_height][y_width][channels] */
static void ts_resize_nearest_neighbor(const struct ts_resize_nearest_neighbor *k, const void *x, void *y)
{
    const int32_t pixel = k->channels * k->bytes;
    uint8_t *to = y;
    for (int32_t i = 0; i < k->y_height; i++) {
        const uint8_t *row = (const uint8_t *)x + k->rows[i] * k->width * pixel;
        for (int32_t j = 0; j < k->y_width; j++, to += pixel) {
            memcpy(to, row + k->columns[j] * pixel, (size_t)pixel);
        }
    }
}

#endif
