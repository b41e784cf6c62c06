/* boot2.S - the second stage of the boot: makes flash readable at 0x10000000, and goes on there
 *
 * The boot ROM copies the first 256 bytes of flash to RAM, compares their CRC and runs them (RP2040 Datasheet, 2.8.1.3).  What follows has
 * the flash read two bits at a time, without a command before each address: "Fast Read Dual I/O" (0xbb) with mode bits that say so
 * (W25Q16JV, BBh).  No bit of the flash's status has to be set for that, unlike for four bits at a time.
 * The SSI is the one of the datasheet's 4.10; it can be told things only while it is off.
 */
    .syntax unified
    .cpu cortex-m0plus
    .thumb
    .section .boot2, "ax"
    .balign 4

    ldr r3, ssi
    movs r0, #0
    str r0, [r3, #0x08]         /* SSIENR: off */
    movs r1, #2
    str r1, [r3, #0x14]         /* BAUDR: half of clk_sys, 48 MHz when that is 96 MHz; the flash takes 104 */
    movs r1, #1
    movs r2, #0xf0
    str r1, [r3, r2]            /* RX_SAMPLE_DLY: a cycle later than at the edge */
    ldr r1, dual
    str r1, [r3, #0x00]         /* CTRLR0 */
    str r0, [r3, #0x04]         /* CTRLR1: one frame a read */
    movs r2, #0xf4
    ldr r1, with_command
    str r1, [r3, r2]            /* SPI_CTRLR0 */
    movs r1, #1
    str r1, [r3, #0x08]         /* SSIENR: on */

    movs r1, #0xbb              /* DR0: a first read, from address 0; mode bits M7 to M4 are 0b0010 */
    str r1, [r3, #0x60]
    movs r1, #0x02
    str r1, [r3, #0x60]
    movs r1, #8
1:  ldr r0, [r3, #0x28]         /* SR: RFNE, the answer is there */
    tst r0, r1
    beq 1b

    movs r1, #0
    str r1, [r3, #0x08]
    ldr r1, without_command
    str r1, [r3, r2]
    movs r1, #1
    str r1, [r3, #0x08]         /* from here on reads of 0x10000000 and up are reads of the flash */

    ldr r0, image
    ldr r1, vtor
    str r0, [r1]
    ldr r1, [r0]
    msr msp, r1
    ldr r1, [r0, #4]
    bx r1

    .balign 4
ssi:                .word 0x18000000
dual:               .word 1 << 21 | 31 << 16 | 3 << 8           /* SPI_FRF: dual, DFS_32: 32 bits, TMOD: EEPROM read */
with_command:       .word 2 << 11 | 2 << 8 | 7 << 2 | 1         /* WAIT_CYCLES 2 (M3 to M0), INST_L 8 bits, ADDR_L 28 bits, command on one line */
without_command:    .word 0x20 << 24 | 2 << 11 | 7 << 2 | 2     /* XIP_CMD: the mode bits, in place of a command */
image:              .word 0x10000100                            /* vectors of the firmware */
vtor:               .word 0xe000ed08

    .org 252
    .word 0x9d09bfbe            /* CRC-32/MPEG-2 of the 252 bytes; tests/test_board_raspberry_pi_pico.py computes it again */
