/* SPDX-License-Identifier: Apache-2.0 */
/* A /proc that the input makes up: the parsers of what the kernel, and through it other users'
 * programs, write there run on it. */
#ifndef SIMKEY_TEST_FUZZ_PROC_H
#define SIMKEY_TEST_FUZZ_PROC_H

#include "test/fuzz/fuzz.h"

/* From now on what is in /proc comes from the input:
 *   a file       a byte of length, and so many bytes; FF: there is none
 *   a folder     a byte for how many entries (FF: there is none, FE: it is not to be read), then a
 *                byte for each: a number, from 80 on a word as in a file
 *   a link       00-03 the port, its other end, a socket, another device; 04-7F a word as in a file
 *                that length; 80-FF none
 *   what it leads to   a byte: 1 the port's number, 2 its file system, 4 no character device, 8 none
 * port_number is the device number of the port. */
void proc_start(struct span *input, unsigned port_major, unsigned port_minor);

/* The real one again. */
void proc_stop(void);

#endif
