/* bearing_monitor_tables.h - constants of bearing_monitor.c; generated, do not edit */
#ifndef BEARING_MONITOR_TABLES_H
#define BEARING_MONITOR_TABLES_H

#include <stdint.h>

extern const int32_t bearing_monitor_biquad_taps[12];
extern const int32_t bearing_monitor_biquad2_taps[6];
extern const int16_t bearing_monitor_decimate_taps[29];
extern const int16_t bearing_monitor_decimate2_taps[75];
extern const int32_t bearing_monitor_remove_dc_taps[6];
extern const int16_t bearing_monitor_frame_window[1024];
extern const uint16_t bearing_monitor_spectrum_order[256];
extern const int32_t bearing_monitor_spectrum_sine_q30[1024];
extern const uint16_t bearing_monitor_bands_ranges[6];
extern const int32_t bearing_monitor_bands_low[6];
extern const int32_t bearing_monitor_bands_high[6];
extern const int32_t bearing_monitor_fault_bands_pad[6];
extern const int32_t bearing_monitor_fault_bands_offset[3];
extern const int32_t bearing_monitor_fault_bands_log2[65];
extern const int32_t bearing_monitor_detect_label[3];
extern const int64_t bearing_monitor_detect_low[3];
extern const int64_t bearing_monitor_detect_high[3];
extern const int64_t bearing_monitor_detect_clear_high[3];

#endif
