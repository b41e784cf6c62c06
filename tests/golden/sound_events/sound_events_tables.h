/* sound_events_tables.h - constants of sound_events.c; generated, do not edit */
#ifndef SOUND_EVENTS_TABLES_H
#define SOUND_EVENTS_TABLES_H

#include <stdint.h>

extern const int16_t sound_events_frame_window[512];
extern const uint16_t sound_events_spectrum_order[64];
extern const int16_t sound_events_spectrum_sine_q14[512];
extern const uint16_t sound_events_mel_first[32];
extern const uint16_t sound_events_mel_count[32];
extern const uint16_t sound_events_mel_weight[471];
extern const int32_t sound_events_log_log2[65];
extern const int8_t sound_events_conv_2d_weight[144];
extern const int32_t sound_events_conv_2d_requant[32];
extern const int8_t sound_events_depthwise_conv_2d_weight[144];
extern const int32_t sound_events_depthwise_conv_2d_bias[16];
extern const int32_t sound_events_depthwise_conv_2d_multiplier[16];
extern const int8_t sound_events_depthwise_conv_2d_shift[16];
extern const int8_t sound_events_conv_2d2_weight[768];
extern const int32_t sound_events_conv_2d2_requant[96];
extern const int8_t sound_events_depthwise_conv_2d2_weight[432];
extern const int32_t sound_events_depthwise_conv_2d2_bias[48];
extern const int32_t sound_events_depthwise_conv_2d2_multiplier[48];
extern const int8_t sound_events_depthwise_conv_2d2_shift[48];
extern const int8_t sound_events_conv_2d3_weight[3072];
extern const int32_t sound_events_conv_2d3_requant[128];
extern const int8_t sound_events_depthwise_conv_2d3_weight[576];
extern const int32_t sound_events_depthwise_conv_2d3_bias[64];
extern const int32_t sound_events_depthwise_conv_2d3_multiplier[64];
extern const int8_t sound_events_depthwise_conv_2d3_shift[64];
extern const int8_t sound_events_conv_2d4_weight[6144];
extern const int32_t sound_events_conv_2d4_requant[192];
extern const int8_t sound_events_fully_connected_weight[576];
extern const int32_t sound_events_fully_connected_requant[12];
extern const int32_t sound_events_softmax_exp[256];
extern const int32_t sound_events_detect_label[4];
extern const int32_t sound_events_detect_limit[4];

#endif
