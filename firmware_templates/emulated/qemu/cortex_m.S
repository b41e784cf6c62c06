/* cortex_m.S - a Cortex-M55 from reset to C, and its calls of the host */
        .syntax unified
        .thumb

        .section .arm, "a"              /* what the core reads at reset; whatever it stumbles over ends the emulation */
        .word   ts_stack_end
        .word   ts_start
        .rept   14
        .word   ts_fault
        .endr

        .text
        .global ts_start
        .type   ts_start, %function
ts_start:
        ldr     r0, =0xe000ed88         /* CPACR, Armv8-M Architecture Reference Manual: coprocessors 10 and 11, the vector unit */
        ldr     r1, [r0]
        orr     r1, r1, #0x00f00000
        str     r1, [r0]
        dsb
        isb
        b       ts_run

        .type   ts_fault, %function
ts_fault:
        movs    r0, #0x18               /* SYS_EXIT, "run-time error" */
        ldr     r1, =0x20023
        bkpt    0xab
        b       ts_fault

        .global ts_host
        .type   ts_host, %function
ts_host:                                /* Arm, Semihosting for AArch32 and AArch64: r0 the operation, r1 its arguments */
        bkpt    0xab
        bx      lr
