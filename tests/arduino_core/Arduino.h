/* Arduino.h - as much of an Arduino core as a sketch of ours calls, on a computer: Serial is standard input and output
 *
 * Signatures and meaning are those of Stream and Print in ArduinoCore-API.
 */
#ifndef ARDUINO_H
#define ARDUINO_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

class SerialPort {
public:
    void begin(unsigned long) {}

    /* what has come within the time allowed, which may be less than asked for; the end of the recording is the end of the program */
    size_t readBytes(char *to, size_t bytes)
    {
        const size_t got = fread(to, 1, bytes < 100 ? bytes : 100, stdin);
        if (got == 0) {
            exit(0);
        }
        return got;
    }

    size_t print(const char *text) { return static_cast<size_t>(printf("%s", text)); }
    size_t println(double x, int digits = 2) { return static_cast<size_t>(printf("%.*f\r\n", digits, x)); }
    size_t println(int x) { return static_cast<size_t>(printf("%d\r\n", x)); }
    size_t println(long x) { return static_cast<size_t>(printf("%ld\r\n", x)); }
};

extern SerialPort Serial;

void setup();
void loop();

#endif
