/* SPDX-License-Identifier: Apache-2.0 */
/* Result files: whole or not at all, with the right mode, nothing left beside them. */
#include "apdu/outfile.h"
#include "test/unit/pty.h"
#include "test/unit/safe2_seat.h"
#include "test/unit/unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOBODY 65534

static int files_in(const struct folder *folder)
{
    DIR *directory = opendir(folder->path);
    int count = 0;

    while (directory && readdir(directory))
        count++;
    if (directory)
        closedir(directory);
    return count - 2;
}

static void file_is(const struct folder *folder, const char *name, const char *text, unsigned mode)
{
    char there[2048], path[192];
    struct stat file;

    read_text(folder, name, there, sizeof there);
    EXPECT_TEXT(there, text);
    snprintf(path, sizeof path, "%s/%.50s", folder->path, name);
    CU_ASSERT_EQUAL(stat(path, &file), 0);
    EXPECT_NUMBER(file.st_mode & 07777, mode);
}

static void a_new_file_gets_the_mode(void)
{
    static const unsigned modes[] = {0600, 0644, 0400};
    struct report why = REPORT_INIT;
    struct folder folder;
    char path[192];
    mode_t old = umask(0);
    size_t i;

    for (i = 0; i < 3; i++) {
        folder_make(&folder);
        snprintf(path, sizeof path, "%s/new", folder.path);
        EXPECT(outfile_write(path, "configuration", 13, modes[i], true, &why), OUTCOME_OK, &why);
        file_is(&folder, "new", "configuration", modes[i]);
        EXPECT_NUMBER(files_in(&folder), 1);
        folder_remove(&folder);
    }
    umask(old);
}

static void an_old_file_keeps_its_mode_or_gets_the_new_one(void)
{
    struct report why = REPORT_INIT;
    struct folder folder;
    char path[192];

    folder_make(&folder);
    folder_write(&folder, "there", "old and longer than the new one", 31, 0640, path);
    EXPECT(outfile_write(path, "new", 3, 0600, true, &why), OUTCOME_OK, &why);
    file_is(&folder, "there", "new", 0640);
    EXPECT(outfile_write(path, "newer", 5, 0600, false, &why), OUTCOME_OK, &why);
    file_is(&folder, "there", "newer", 0600);
    EXPECT(outfile_write(path, "", 0, 0600, false, &why), OUTCOME_OK, &why);
    file_is(&folder, "there", "", 0600);
    EXPECT_NUMBER(files_in(&folder), 1);
    folder_remove(&folder);
}

/* Who has the old file open goes on reading the old one. */
static void a_reader_sees_the_old_one_or_the_new_one(void)
{
    struct report why = REPORT_INIT;
    struct folder folder;
    char path[192], got[8] = "";
    int reader;

    folder_make(&folder);
    folder_write(&folder, "there", "old", 3, 0600, path);
    reader = open(path, O_RDONLY | O_CLOEXEC);
    EXPECT(outfile_write(path, "new", 3, 0600, true, &why), OUTCOME_OK, &why);
    EXPECT_NUMBER(read(reader, got, sizeof got - 1), 3);
    EXPECT_TEXT(got, "old");
    close(reader);
    folder_remove(&folder);
}

/* The superuser may write everywhere: somebody else does it. */
static void a_folder_that_cannot_be_written_keeps_the_old_one(void)
{
    struct report why = REPORT_INIT;
    struct folder folder;
    char path[192];
    pid_t child;
    int status = -1;

    folder_make(&folder);
    folder_write(&folder, "there", "old", 3, 0666, path);
    CU_ASSERT_EQUAL(chmod(folder.path, 0555), 0);
    child = fork_child();
    if (child == 0) {
        if (geteuid() == 0 && setresuid(NOBODY, NOBODY, NOBODY) != 0)
            _exit(2);
        _exit(outfile_write(path, "new", 3, 0600, true, &why) == OUTCOME_USAGE &&
                      strstr(why.text, path) && strstr(why.text, "denied")
                  ? 0
                  : 1);
    }
    waitpid(child, &status, 0);
    EXPECT_NUMBER(status, 0);
    CU_ASSERT_EQUAL(chmod(folder.path, 0700), 0);
    file_is(&folder, "there", "old", 0666);
    EXPECT_NUMBER(files_in(&folder), 1);
    EXPECT(outfile_write("/nonexistent/there", "new", 3, 0600, true, &why), OUTCOME_USAGE, &why);
    EXPECT_SAYS(why.text, "/nonexistent/there");
    folder_remove(&folder);
}

/* As on a full disk. */
static void a_file_that_cannot_be_written_to_its_end_leaves_nothing_behind(void)
{
    struct report why = REPORT_INIT;
    struct rlimit old, none;
    struct folder folder;
    char path[192];

    folder_make(&folder);
    folder_write(&folder, "there", "old", 3, 0644, path);
    CU_ASSERT_EQUAL(getrlimit(RLIMIT_FSIZE, &old), 0);
    none = old;
    none.rlim_cur = 2;
    signal(SIGXFSZ, SIG_IGN);
    CU_ASSERT_EQUAL(setrlimit(RLIMIT_FSIZE, &none), 0);
    EXPECT(outfile_write(path, "new", 3, 0600, true, &why), OUTCOME_SYSTEM, &why);
    CU_ASSERT_EQUAL(setrlimit(RLIMIT_FSIZE, &old), 0);
    signal(SIGXFSZ, SIG_DFL);
    file_is(&folder, "there", "old", 0644);
    EXPECT_NUMBER(files_in(&folder), 1);
    EXPECT(outfile_write("/dev/full", "new", 3, 0600, true, &why), OUTCOME_SYSTEM, &why);
    EXPECT_SAYS(why.text, "/dev/full");
    EXPECT(outfile_write(folder.path, "new", 3, 0600, true, &why), OUTCOME_SYSTEM, &why);
    folder_remove(&folder);
}

static void a_pipe_is_written_to(void)
{
    struct report why = REPORT_INIT;
    struct folder folder;
    struct stat pipe;
    char path[192], got[8] = "";
    int reader;

    folder_make(&folder);
    snprintf(path, sizeof path, "%s/pipe", folder.path);
    CU_ASSERT_EQUAL(mkfifo(path, 0600), 0);
    reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    EXPECT(outfile_write(path, "new", 3, 0644, false, &why), OUTCOME_OK, &why);
    EXPECT_NUMBER(read(reader, got, sizeof got - 1), 3);
    EXPECT_TEXT(got, "new");
    CU_ASSERT_EQUAL(stat(path, &pipe), 0);
    CU_ASSERT(S_ISFIFO(pipe.st_mode));
    EXPECT_NUMBER(pipe.st_mode & 0777, 0600);
    EXPECT_NUMBER(files_in(&folder), 1);
    close(reader);
    EXPECT(outfile_write("/dev/null", "new", 3, 0600, true, &why), OUTCOME_OK, &why);
    folder_remove(&folder);
}

/* As /dev/stdout is one, which must not become a file. */
static void a_link_stays_one_and_its_target_gets_the_content(void)
{
    struct report why = REPORT_INIT;
    struct folder folder;
    struct stat there;
    char path[192], link[192];

    folder_make(&folder);
    folder_write(&folder, "target", "old", 3, 0644, path);
    snprintf(link, sizeof link, "%s/link", folder.path);
    CU_ASSERT_EQUAL(symlink("target", link), 0);
    EXPECT(outfile_write(link, "new", 3, 0600, true, &why), OUTCOME_OK, &why);
    CU_ASSERT_EQUAL(lstat(link, &there), 0);
    CU_ASSERT(S_ISLNK(there.st_mode));
    file_is(&folder, "target", "new", 0644);
    EXPECT_NUMBER(files_in(&folder), 2);
    folder_remove(&folder);
}

static void a_path_that_is_too_long_is_a_mistake(void)
{
    struct report why = REPORT_INIT;
    char path[PATH_MAX + 64];
    size_t i;

    for (i = 0; i + 1 < sizeof path; i++)
        path[i] = i % 100 == 0 ? '/' : 'a';
    path[i] = '\0';
    EXPECT(outfile_write(path, "new", 3, 0600, true, &why), OUTCOME_USAGE, &why);
}

void add_outfile_suite(void)
{
    static const struct test tests[] = {
        TEST(a_new_file_gets_the_mode),
        TEST(an_old_file_keeps_its_mode_or_gets_the_new_one),
        TEST(a_reader_sees_the_old_one_or_the_new_one),
        TEST(a_folder_that_cannot_be_written_keeps_the_old_one),
        TEST(a_file_that_cannot_be_written_to_its_end_leaves_nothing_behind),
        TEST(a_pipe_is_written_to),
        TEST(a_link_stays_one_and_its_target_gets_the_content),
        TEST(a_path_that_is_too_long_is_a_mistake),
    };

    ADD_SUITE("outfile", tests);
}
