/* SPDX-License-Identifier: Apache-2.0 */
/* Put before what reads /proc when it is built for fuzzing: its calls end in proc.c. */
#ifndef SIMKEY_TEST_FUZZ_REDIRECT_PROC_H
#define SIMKEY_TEST_FUZZ_REDIRECT_PROC_H

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

FILE *proc_fopen(const char *path, const char *mode);
int proc_open(const char *path, int flags, ...);
DIR *proc_opendir(const char *path);
struct dirent *proc_readdir(DIR *folder);
int proc_closedir(DIR *folder);
int proc_dirfd(DIR *folder);
ssize_t proc_readlinkat(int folder, const char *name, char *target, size_t size);
int proc_fstatat(int folder, const char *name, struct stat *file, int flags);
int proc_stat(const char *path, struct stat *file);

#define fopen      proc_fopen
#define open       proc_open
#define opendir    proc_opendir
#define readdir    proc_readdir
#define closedir   proc_closedir
#define dirfd      proc_dirfd
#define readlinkat proc_readlinkat
#define fstatat    proc_fstatat
#define stat(a, b) proc_stat(a, b)

#endif
