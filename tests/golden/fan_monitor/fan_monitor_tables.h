/* fan_monitor_tables.h - constants of fan_monitor.c; generated, do not edit */
#ifndef FAN_MONITOR_TABLES_H
#define FAN_MONITOR_TABLES_H

#include <stdint.h>

extern const int16_t fan_monitor_frame_window[200];
extern const uint16_t fan_monitor_spectrum_order[64];
extern const int32_t fan_monitor_spectrum_sine_q30[256];
extern const uint16_t fan_monitor_bands_ranges[2];
extern const int32_t fan_monitor_bands_low[2];
extern const int32_t fan_monitor_bands_high[2];
extern const int32_t fan_monitor_log_log2[65];
extern const int64_t fan_monitor_gmm_mean[24];
extern const int32_t fan_monitor_gmm_multiplier[24];
extern const int8_t fan_monitor_gmm_lift[24];
extern const int32_t fan_monitor_gmm_whiten[1];
extern const int8_t fan_monitor_gmm_shift[1];
extern const int64_t fan_monitor_gmm_constant[4];
extern const int32_t fan_monitor_gmm_exp2[65];
extern const int64_t fan_monitor_detect_low[1];
extern const int64_t fan_monitor_detect_high[1];
extern const int64_t fan_monitor_detect_clear_high[1];

#endif
