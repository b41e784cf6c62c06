/* wake_word_tables.h - constants of wake_word.c; generated, do not edit */
#ifndef WAKE_WORD_TABLES_H
#define WAKE_WORD_TABLES_H

#include <stdint.h>

extern const int16_t wake_word_micro_frontend_window[480];
extern const uint16_t wake_word_micro_frontend_order[64];
extern const int16_t wake_word_micro_frontend_twiddle[504];
extern const int16_t wake_word_micro_frontend_split[256];
extern const uint16_t wake_word_micro_frontend_edge[42];
extern const uint16_t wake_word_micro_frontend_weight[236];
extern const uint16_t wake_word_micro_frontend_unweight[236];
extern const int16_t wake_word_micro_frontend_gain[99];
extern const uint16_t wake_word_micro_frontend_log2[129];
extern const int8_t wake_word_conv_2d_weight[9600];
extern const int32_t wake_word_conv_2d_requant[96];
extern const int8_t wake_word_depthwise_conv_2d_weight[240];
extern const int32_t wake_word_depthwise_conv_2d_bias[48];
extern const int32_t wake_word_depthwise_conv_2d_multiplier[48];
extern const int8_t wake_word_depthwise_conv_2d_shift[48];
extern const int8_t wake_word_conv_2d2_weight[3072];
extern const int32_t wake_word_conv_2d2_requant[128];
extern const int8_t wake_word_depthwise_conv_2d2_weight[576];
extern const int32_t wake_word_depthwise_conv_2d2_bias[64];
extern const int32_t wake_word_depthwise_conv_2d2_multiplier[64];
extern const int8_t wake_word_depthwise_conv_2d2_shift[64];
extern const int8_t wake_word_conv_2d3_weight[4096];
extern const int32_t wake_word_conv_2d3_requant[128];
extern const int8_t wake_word_depthwise_conv_2d3_weight[576];
extern const int32_t wake_word_depthwise_conv_2d3_bias[64];
extern const int32_t wake_word_depthwise_conv_2d3_multiplier[64];
extern const int8_t wake_word_depthwise_conv_2d3_shift[64];
extern const int8_t wake_word_conv_2d4_weight[4096];
extern const int32_t wake_word_conv_2d4_requant[128];
extern const int8_t wake_word_depthwise_conv_2d4_weight[832];
extern const int32_t wake_word_depthwise_conv_2d4_bias[64];
extern const int32_t wake_word_depthwise_conv_2d4_multiplier[64];
extern const int8_t wake_word_depthwise_conv_2d4_shift[64];
extern const int8_t wake_word_conv_2d5_weight[4096];
extern const int32_t wake_word_conv_2d5_requant[128];
extern const int8_t wake_word_conv_2d6_weight[64];
extern const int32_t wake_word_conv_2d6_requant[2];
extern const int32_t wake_word_detect_label[1];
extern const int32_t wake_word_detect_limit[1];

#endif
