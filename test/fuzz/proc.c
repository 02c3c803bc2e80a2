/* SPDX-License-Identifier: Apache-2.0 */
/* The made-up /proc. */
#include "test/fuzz/proc.h"

#include "test/fuzz/redirect_proc.h"

#undef fopen
#undef open
#undef opendir
#undef readdir
#undef closedir
#undef dirfd
#undef readlinkat
#undef fstatat
#undef stat

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>

#define FOLDER_FD   900 /* no descriptor of ours gets that high */
#define FILE_SYSTEM 27
#define WORD_SIZE   200

static struct span *given; /* NULL: the real /proc */
static unsigned port_major, port_minor;

/* What opendir() gives. */
struct folder {
    unsigned left;
    struct dirent entry;
};

void proc_start(struct span *input, unsigned major_number, unsigned minor_number)
{
    given = input;
    port_major = major_number;
    port_minor = minor_number;
}

void proc_stop(void)
{
    given = NULL;
}

static bool is_ours(const char *path)
{
    return given != NULL && strncmp(path, "/proc/", 6) == 0;
}

/* A file that holds the next part of the input; -1 if there is none. */
static int make_file(void)
{
    size_t length = input_byte(given);
    struct span content;
    int fd;

    errno = ENOENT;
    if (length == 0xFF)
        return -1;
    content = input_bytes(given, length);
    fd = memfd_create("proc", MFD_CLOEXEC);
    REQUIRE(fd >= 0 && (content.length == 0 ||
                        pwrite(fd, content.data, content.length, 0) == (ssize_t)content.length));
    return fd;
}

int proc_open(const char *path, int flags, ...)
{
    mode_t mode = 0;

    if (is_ours(path))
        return make_file();
    if ((flags & O_CREAT) != 0) {
        va_list args;

        va_start(args, flags);
        mode = (mode_t)va_arg(args, int);
        va_end(args);
    }
    return open(path, flags, mode);
}

FILE *proc_fopen(const char *path, const char *mode)
{
    int fd;

    if (!is_ours(path))
        return fopen(path, mode);
    fd = make_file();
    return fd >= 0 ? fdopen(fd, "r") : NULL;
}

static void take_name(char *name, size_t size)
{
    size_t length = input_byte(given);
    struct span word = input_bytes(given, length < size ? length : size - 1);

    if (word.length > 0)
        memcpy(name, word.data, word.length);
    name[word.length] = '\0';
}

DIR *proc_opendir(const char *path)
{
    struct folder *folder;
    uint8_t count;

    if (given == NULL)
        return opendir(path);
    count = input_byte(given);
    errno = count == 0xFE ? EACCES : ENOENT;
    if (count >= 0xFE)
        return NULL;
    folder = calloc(1, sizeof *folder);
    REQUIRE(folder != NULL);
    folder->left = count;
    return (DIR *)folder;
}

struct dirent *proc_readdir(DIR *from)
{
    struct folder *folder = (struct folder *)from;
    uint8_t kind;

    if (given == NULL)
        return readdir(from);
    if (folder->left == 0)
        return NULL;
    folder->left--;
    kind = input_byte(given);
    if (kind < 0x80)
        (void)snprintf(folder->entry.d_name, sizeof folder->entry.d_name, "%d", kind);
    else
        take_name(folder->entry.d_name, sizeof folder->entry.d_name);
    return &folder->entry;
}

int proc_closedir(DIR *from)
{
    if (given == NULL)
        return closedir(from);
    free(from);
    return 0;
}

int proc_dirfd(DIR *from)
{
    return given == NULL ? dirfd(from) : FOLDER_FD;
}

ssize_t proc_readlinkat(int folder, const char *name, char *target, size_t size)
{
    static const char *const usual[] = {"/dev/ttyUSB2", "/dev/ptmx", "socket:[7]", "/dev/pts/3"};
    char word[WORD_SIZE];
    const char *text = word;
    uint8_t kind;
    size_t length;

    if (folder != FOLDER_FD)
        return readlinkat(folder, name, target, size);
    kind = input_byte(given);
    if (kind >= 0x80)
        return -1;
    if (kind < sizeof usual / sizeof usual[0])
        text = usual[kind];
    else
        take_name(word, sizeof word);
    length = strlen(text) < size ? strlen(text) : size;
    memcpy(target, text, length);
    return (ssize_t)length;
}

static int make_stat(struct stat *file, uint8_t kind)
{
    memset(file, 0, sizeof *file);
    file->st_mode = kind & 4 ? S_IFREG : S_IFCHR;
    file->st_rdev = makedev(port_major, kind & 1 ? port_minor : port_minor + 1);
    file->st_dev = makedev(0, kind & 2 ? FILE_SYSTEM : FILE_SYSTEM + 1);
    file->st_ino = 77;
    errno = ENOENT;
    return kind & 8 ? -1 : 0;
}

int proc_fstatat(int folder, const char *name, struct stat *file, int flags)
{
    if (folder != FOLDER_FD)
        return fstatat(folder, name, file, flags);
    return make_stat(file, input_byte(given));
}

int proc_stat(const char *path, struct stat *file)
{
    return is_ours(path) ? make_stat(file, 3) : stat(path, file);
}
