/* exercise_tables.h - constants of exercise.c; generated, do not edit */
#ifndef EXERCISE_TABLES_H
#define EXERCISE_TABLES_H

#include <stdint.h>

extern const int16_t exercise_window_window[150];
extern const uint8_t exercise_each_axis_code[6];
extern const int32_t exercise_each_axis_rank[6];
extern const uint8_t exercise_each_axis_part[6];
extern const int32_t exercise_each_axis_multiplier[6];
extern const int16_t exercise_each_axis_shift[6];
extern const int16_t exercise_gyroscope_take[3];
extern const int64_t exercise_linear_bias[8];
extern const int32_t exercise_linear_weight[336];
extern const uint8_t exercise_linear_shift[336];
extern const uint16_t exercise_linear_table[1];
extern const int32_t exercise_linear_exp2[65];
extern const int32_t exercise_detect_label[7];
extern const int32_t exercise_detect_limit[7];

#endif
