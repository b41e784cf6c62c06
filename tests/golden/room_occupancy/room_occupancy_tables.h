/* room_occupancy_tables.h - constants of room_occupancy.c; generated, do not edit */
#ifndef ROOM_OCCUPANCY_TABLES_H
#define ROOM_OCCUPANCY_TABLES_H

#include <stdint.h>

extern const int64_t room_occupancy_linear_bias[2];
extern const int32_t room_occupancy_linear_weight[16];
extern const uint8_t room_occupancy_linear_shift[16];
extern const uint16_t room_occupancy_linear_table[256];
extern const int32_t room_occupancy_linear_exp2[1];
extern const int32_t room_occupancy_detect_label[2];
extern const int64_t room_occupancy_detect_low[2];
extern const int64_t room_occupancy_detect_high[2];
extern const int64_t room_occupancy_detect_clear_high[2];

#endif
