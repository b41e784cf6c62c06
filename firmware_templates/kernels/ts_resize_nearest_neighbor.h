/* ts_resize_nearest_neighbor.h - an image of another size; twin of tinystream/ops/resize_nearest_neighbor.py */
#ifndef TS_RESIZE_NEAREST_NEIGHBOR_H
#define TS_RESIZE_NEAREST_NEIGHBOR_H

#include "ts_fixed.h"

struct ts_resize_nearest_neighbor {
    int32_t width, channels;        /* of x */
    int32_t y_height, y_width;
    const int16_t *rows;            /* of x, for each row of y */
    const int16_t *columns;
};

/* x[height][width][channels] -> y[y_height][y_width][channels] */
static void ts_resize_nearest_neighbor(const struct ts_resize_nearest_neighbor *k, const int8_t *x, int8_t *y)
{
    for (int32_t i = 0; i < k->y_height; i++) {
        const int8_t *row = x + k->rows[i] * k->width * k->channels;
        for (int32_t j = 0; j < k->y_width; j++, y += k->channels) {
            memcpy(y, row + k->columns[j] * k->channels, (size_t)k->channels);
        }
    }
}

#endif
