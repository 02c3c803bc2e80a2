/* SPDX-License-Identifier: Apache-2.0 */
/* Whose the run-dir is: a device's group may share it, and nobody whom a name in a setting suggests. */
#include "apdu/session/rundir.h"
#include "test/unit/check.h"
#include "test/unit/pty.h"
#include "test/unit/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOBODY 65534
#define GROUP  20 /* dialout on Debian; any but root's does */

static void in_folder(const struct folder *folder, const char *name, char path[192])
{
    (void)snprintf(path, 192, "%s/%.50s", folder->path, name);
}

static void expect_no_group(const char *device)
{
    gid_t group = 0;

    if (rundir_device_group(device, &group))
        FAIL("%s lends its group %u", device, (unsigned)group);
}

/* For anybody: what is no modem's port. */
static void what_is_no_device_has_no_group(void)
{
    char path[192], link[192];
    struct folder folder;
    struct pty pty;

    folder_make(&folder);
    pty_make(&pty);
    folder_write(&folder, "file", "", 0, 0660, path);
    if (geteuid() == 0)
        CU_ASSERT_EQUAL(chown(path, 0, NOBODY), 0);
    expect_no_group(path);
    in_folder(&folder, "link", link);
    CU_ASSERT_EQUAL(symlink("file", link), 0);
    expect_no_group(link);
    in_folder(&folder, "fifo", path);
    CU_ASSERT_EQUAL(mkfifo(path, 0660), 0);
    expect_no_group(path);
    expect_no_group(folder.path);
    if (geteuid() == 0)
        CU_ASSERT(chown(pty.name, 0, GROUP) == 0 && chmod(pty.name, 0660) == 0);
    expect_no_group(pty.name);
    CU_ASSERT(unlink(link) == 0 && symlink(pty.name, link) == 0);
    expect_no_group(link);
    expect_no_group("pcsc:0");
    expect_no_group("/dev/null");
    expect_no_group("/dev/tty");
    expect_no_group("/dev/ptmx");
    expect_no_group("/nonexistent");
    pty_unplug(&pty);
    folder_remove(&folder);
}

/* Device nodes of any number, where that may be made: a container may not. */
static void a_ports_group_counts_if_it_may_use_the_port(void)
{
    static const struct {
        unsigned of, number, mode;
        gid_t group;
        bool counts;
    } table[] = {
        {188, 0, 0660, GROUP, true},   {166, 3, 0660, GROUP, true},    {4, 64, 0660, GROUP, true},
        {188, 0, 0666, GROUP, true},   {188, 0, 0600, GROUP, false},   {188, 0, 0620, GROUP, false},
        {188, 0, 0660, 0, false},      {4, 1, 0660, GROUP, false},     {5, 0, 0660, GROUP, false},
        {5, 2, 0660, GROUP, false},    {136, 900, 0660, GROUP, false}, {1, 3, 0660, NOBODY, false},
        {10, 200, 0660, GROUP, false}, {180, 0, 0660, GROUP, false},
    };
    struct folder folder;
    char path[192];
    gid_t group;

    folder_make(&folder);
    in_folder(&folder, "device", path);
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (mknod(path, S_IFCHR | 0600, makedev(table[i].of, table[i].number)) != 0)
            break;
        CU_ASSERT(chown(path, 0, table[i].group) == 0 && chmod(path, table[i].mode) == 0);
        if (rundir_device_group(path, &group) != table[i].counts)
            FAIL("device %u:%u of group %u, mode %o", table[i].of, table[i].number,
                 (unsigned)table[i].group, table[i].mode);
        CU_ASSERT_EQUAL(unlink(path), 0);
    }
    folder_remove(&folder);
}

static void expect_owner(const char *path, gid_t group, unsigned mode)
{
    struct stat there;

    CU_ASSERT_EQUAL(stat(path, &there), 0);
    EXPECT_NUMBER(there.st_gid, group);
    EXPECT_NUMBER(there.st_mode & 07777, mode);
}

/* Root's first program has no device: the next one that has gives all to its group. */
static void roots_own_directory_is_given_to_the_device_that_comes(void)
{
    struct report why = REPORT_INIT;
    struct settings settings;
    struct folder folder;
    char shared[192], device[192], file[256];
    int fd;

    folder_make(&folder);
    in_folder(&folder, "shared", shared);
    in_folder(&folder, "device", device);
    settings_init(&settings);
    EXPECT(settings_set(&settings, "device", device, &why), OUTCOME_OK, &why);
    fd = rundir_shared(shared, &settings);
    if (geteuid() != 0) {
        EXPECT_NUMBER(fd, -1);
        EXPECT_NUMBER(access(shared, F_OK), -1);
        goto out;
    }
    expect_owner(shared, 0, 0700);
    (void)close(rundir_file(fd, "one", O_CREAT));
    (void)close(fd);
    (void)snprintf(file, sizeof file, "%s/one", shared);
    if (mknod(device, S_IFCHR | 0600, makedev(188, 0)) != 0)
        goto out;
    CU_ASSERT(chown(device, 0, GROUP) == 0 && chmod(device, 0660) == 0);
    (void)close(rundir_shared(shared, &settings));
    expect_owner(shared, GROUP, 02770);
    expect_owner(file, GROUP, 0660);
    /* the next device's group changes nothing */
    CU_ASSERT_EQUAL(chown(device, 0, NOBODY), 0);
    (void)close(rundir_shared(shared, &settings));
    expect_owner(shared, GROUP, 02770);
    (void)unlink(file);
    (void)unlink(device);
out:
    (void)rmdir(shared);
    settings_clear(&settings);
    folder_remove(&folder);
}

static void a_directory_that_strangers_hold_is_not_used(void)
{
    struct report why = REPORT_INIT;
    struct settings settings;
    struct folder folder;
    char path[192], target[192];

    folder_make(&folder);
    in_folder(&folder, "run", path);
    in_folder(&folder, "target", target);
    settings_init(&settings);
    EXPECT(settings_set(&settings, "device", "/dev/null", &why), OUTCOME_OK, &why);
    CU_ASSERT(mkdir(target, 0700) == 0 && symlink(target, path) == 0);
    EXPECT_NUMBER(rundir_shared(path, &settings), -1);
    CU_ASSERT(unlink(path) == 0 && mkdir(path, 0700) == 0 && chmod(path, 01777) == 0);
    EXPECT_NUMBER(rundir_shared(path, &settings), -1);
    if (geteuid() == 0) {
        CU_ASSERT(chmod(path, 0700) == 0 && chown(path, NOBODY, NOBODY) == 0);
        EXPECT_NUMBER(rundir_shared(path, &settings), -1);
    }
    CU_ASSERT(rmdir(path) == 0 && mkfifo(path, 0600) == 0);
    EXPECT_NUMBER(rundir_shared(path, &settings), -1);
    (void)rmdir(target);
    settings_clear(&settings);
    folder_remove(&folder);
}

void add_rundir_suite(void)
{
    static const struct test tests[] = {
        TEST(what_is_no_device_has_no_group),
        TEST(a_ports_group_counts_if_it_may_use_the_port),
        TEST(roots_own_directory_is_given_to_the_device_that_comes),
        TEST(a_directory_that_strangers_hold_is_not_used),
    };

    ADD_SUITE("rundir", tests);
}
