/* SPDX-License-Identifier: Apache-2.0 */
/* Put before modem/port.c and modem/deadline.c when they are built for fuzzing: their system calls
 * end in line.c, a line without a device on a clock without waiting. */
#ifndef SIMKEY_TEST_FUZZ_REDIRECT_H
#define SIMKEY_TEST_FUZZ_REDIRECT_H

#include <fcntl.h>
#include <libserialport.h>
#include <poll.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

int line_clock_gettime(clockid_t clock, struct timespec *now);
int line_nanosleep(const struct timespec *pause, struct timespec *left);
int line_open(const char *path, int flags, ...);
int line_close(int fd);
int line_isatty(int fd);
int line_flock(int fd, int operation);
int line_fstat(int fd, struct stat *file);
FILE *proc_fopen(const char *path, const char *mode); /* proc.h */
int line_tcgetattr(int fd, struct termios *settings);
int line_tcflush(int fd, int queue);
int line_poll(struct pollfd *watch, nfds_t count, int timeout_ms);
ssize_t line_read(int fd, void *buffer, size_t size);
ssize_t line_write(int fd, const void *data, size_t length);
enum sp_return line_get_port_by_name(const char *name, struct sp_port **port);

#define clock_gettime       line_clock_gettime
#define nanosleep           line_nanosleep
#define open                line_open
#define close               line_close
#define isatty              line_isatty
#define fstat               line_fstat
#define fopen               proc_fopen
#define flock               line_flock
#define tcgetattr           line_tcgetattr
#define tcflush             line_tcflush
#define poll                line_poll
#define read                line_read
#define write               line_write
#define sp_get_port_by_name line_get_port_by_name

#endif
