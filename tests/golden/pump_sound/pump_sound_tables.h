/* pump_sound_tables.h - constants of pump_sound.c; generated, do not edit */
#ifndef PUMP_SOUND_TABLES_H
#define PUMP_SOUND_TABLES_H

#include <stdint.h>

extern const int16_t pump_sound_frame_window[1024];
extern const uint16_t pump_sound_spectrum_order[256];
extern const int32_t pump_sound_spectrum_sine_q30[1024];
extern const uint16_t pump_sound_mel_first[4];
extern const uint16_t pump_sound_mel_count[4];
extern const uint16_t pump_sound_mel_weight[391];
extern const int32_t pump_sound_log_log2[65];
extern const uint8_t pump_sound_stats_code[1];
extern const int32_t pump_sound_stats_rank[1];
extern const uint8_t pump_sound_stats_part[1];
extern const int32_t pump_sound_stats_multiplier[1];
extern const int16_t pump_sound_stats_shift[1];
extern const int64_t pump_sound_mahalanobis_mean[4];
extern const int32_t pump_sound_mahalanobis_multiplier[4];
extern const int8_t pump_sound_mahalanobis_lift[4];
extern const int32_t pump_sound_mahalanobis_whiten[10];
extern const int8_t pump_sound_mahalanobis_shift[4];
extern const int64_t pump_sound_detect_low[1];
extern const int64_t pump_sound_detect_high[1];

#endif
