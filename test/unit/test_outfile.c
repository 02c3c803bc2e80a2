/* SPDX-License-Identifier: Apache-2.0 */
/* Result files: whole or not at all, with the right mode, nothing left beside them. */
#include "apdu/outfile.h"
#include "modem/trace.h"
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
        _exit(outfile_check(path, &why) == OUTCOME_USAGE && strstr(why.text, "denied") &&
                      outfile_write(path, "new", 3, 0600, true, &why) == OUTCOME_USAGE &&
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

/* What takes long asks before. */
static void what_cannot_become_a_file_is_a_mistake_also_before(void)
{
    struct report why = REPORT_INIT;
    struct folder folder;
    char path[192];

    folder_make(&folder);
    folder_write(&folder, "there", "old", 3, 0644, path);
    EXPECT(outfile_check(path, &why), OUTCOME_OK, &why);
    EXPECT(outfile_check("/dev/stdout", &why), OUTCOME_OK, &why);
    EXPECT(outfile_check("/dev/null", &why), OUTCOME_OK, &why);
    EXPECT(outfile_check("/nonexistent/there", &why), OUTCOME_USAGE, &why);
    EXPECT_SAYS(why.text, "/nonexistent/there");
    EXPECT(outfile_check(folder.path, &why), OUTCOME_USAGE, &why);
    EXPECT_SAYS(why.text, "directory");
    EXPECT(outfile_write(folder.path, "new", 3, 0600, true, &why), OUTCOME_USAGE, &why);
    EXPECT_SAYS(why.text, "directory");
    (void)strcpy(strrchr(path, '/') + 1, "new");
    EXPECT(outfile_check(path, &why), OUTCOME_OK, &why);
    EXPECT_NUMBER(files_in(&folder), 1);
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
    EXPECT(outfile_write(folder.path, "new", 3, 0600, true, &why), OUTCOME_USAGE, &why);
    folder_remove(&folder);
}

static void a_try_tells_what_writing_would_and_leaves_nothing(void)
{
    struct report why = REPORT_INIT;
    struct rlimit old, little;
    struct folder folder;
    char path[192];

    folder_make(&folder);
    folder_write(&folder, "there", "old", 3, 0644, path);
    EXPECT(outfile_try(path, 1000, &why), OUTCOME_OK, &why);
    EXPECT(outfile_try("/dev/null", 1000, &why), OUTCOME_OK, &why);
    CU_ASSERT_EQUAL(getrlimit(RLIMIT_FSIZE, &old), 0);
    little = old;
    little.rlim_cur = 999;
    CU_ASSERT_EQUAL(setrlimit(RLIMIT_FSIZE, &little), 0);
    EXPECT(outfile_try(path, 1000, &why), OUTCOME_SYSTEM, &why);
    EXPECT_SAYS(why.text, "/there");
    EXPECT(outfile_try(path, 999, &why), OUTCOME_OK, &why);
    CU_ASSERT_EQUAL(setrlimit(RLIMIT_FSIZE, &old), 0);
    EXPECT(outfile_try(folder.path, 1, &why), OUTCOME_USAGE, &why);
    EXPECT(outfile_try("/nonexistent/there", 1, &why), OUTCOME_USAGE, &why);
    file_is(&folder, "there", "old", 0644);
    EXPECT_NUMBER(files_in(&folder), 1);
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

/* Writes through a path that must not be followed. The words say why. */
static void refused(const struct folder *folder, const char *path, const char *says)
{
    struct report why = REPORT_INIT;

    EXPECT(outfile_write(path, "new", 3, 0600, true, &why), OUTCOME_USAGE, &why);
    EXPECT_SAYS(why.text, says);
    EXPECT_SAYS(why.text, path);
    file_is(folder, "target", "old", 0644);
}

/* A link as the file, and as a folder on the way to it. */
static void a_link_that_others_can_have_put_there_is_not_followed(void)
{
    static const unsigned modes[] = {01777, 0777, 0770, 02770};
    char path[192], link[256], way[256], below[300];
    struct folder folder, shared;

    folder_make(&folder);
    folder_make(&shared);
    folder_write(&folder, "target", "old", 3, 0644, path);
    snprintf(link, sizeof link, "%s/link", shared.path);
    snprintf(way, sizeof way, "%s/way", shared.path);
    snprintf(below, sizeof below, "%s/target", way);
    CU_ASSERT(symlink(path, link) == 0 && symlink(folder.path, way) == 0);
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        CU_ASSERT_EQUAL(chmod(shared.path, modes[i]), 0);
        refused(&folder, link, "a folder that others can write");
        refused(&folder, below, "a folder that others can write");
        EXPECT_NUMBER(files_in(&shared), 2);
    }
    if (geteuid() == 0) {
        for (int owns_folder = 0; owns_folder < 2; owns_folder++) {
            CU_ASSERT(chmod(shared.path, 0755) == 0 &&
                      chown(shared.path, owns_folder ? NOBODY : 0, 0) == 0);
            CU_ASSERT(lchown(link, NOBODY, NOBODY) == 0 && lchown(way, NOBODY, NOBODY) == 0);
            refused(&folder, link, "a symbolic link of another user");
            refused(&folder, below, "a symbolic link of another user");
        }
        /* another user's folder, with a link that was root's before */
        CU_ASSERT(lchown(link, 0, 0) == 0);
        refused(&folder, link, "a folder that others can write");
    }
    EXPECT_NUMBER(files_in(&folder), 1);
    folder_remove(&shared);
    folder_remove(&folder);
}

static void a_link_of_links_to_a_file_that_is_not_there_makes_it(void)
{
    struct report why = REPORT_INIT;
    char link[192], other[192], path[256];
    struct folder folder;

    folder_make(&folder);
    snprintf(link, sizeof link, "%s/link", folder.path);
    snprintf(other, sizeof other, "%s/other", folder.path);
    snprintf(path, sizeof path, "%s/./../%s/link", folder.path, strrchr(folder.path, '/') + 1);
    CU_ASSERT(symlink("./other", link) == 0 && symlink("there", other) == 0);
    EXPECT(outfile_write(path, "new", 3, 0640, true, &why), OUTCOME_OK, &why);
    file_is(&folder, "there", "new", 0640);
    EXPECT_NUMBER(files_in(&folder), 3);
    CU_ASSERT(unlink(other) == 0 && symlink("link", other) == 0);
    EXPECT(outfile_write(link, "new", 3, 0640, true, &why), OUTCOME_USAGE, &why);
    snprintf(path, sizeof path, "%s/there/below", folder.path);
    EXPECT(outfile_write(path, "new", 3, 0640, true, &why), OUTCOME_USAGE, &why);
    EXPECT(outfile_write("", "new", 3, 0640, true, &why), OUTCOME_USAGE, &why);
    folder_remove(&folder);
}

/* Another name of the same file keeps the old content. */
static void a_hard_link_is_replaced_by_itself(void)
{
    struct report why = REPORT_INIT;
    char path[192], other[192];
    struct folder folder;

    folder_make(&folder);
    CU_ASSERT_EQUAL(chmod(folder.path, 01777), 0);
    folder_write(&folder, "target", "old", 3, 06777, path);
    snprintf(other, sizeof other, "%s/other", folder.path);
    CU_ASSERT_EQUAL(link(path, other), 0);
    EXPECT(outfile_write(other, "new", 3, 0600, true, &why), OUTCOME_OK, &why);
    file_is(&folder, "target", "old", 06777);
    file_is(&folder, "other", "new", 0600); /* and nothing of its mode */
    folder_remove(&folder);
}

/* In a folder that all can write another user's file is replaced, and lends nothing; his pipe would
 * give him what is written. */
static void another_users_file_lends_no_mode_and_his_pipe_gets_nothing(void)
{
    struct report why = REPORT_INIT;
    char path[192], pipe[192], got[8] = "";
    struct folder folder;
    struct stat there;
    int reader;

    if (geteuid() != 0) /* nobody else can give files away; the case before has what is left */
        return;
    folder_make(&folder);
    CU_ASSERT_EQUAL(chmod(folder.path, 01777), 0);
    folder_write(&folder, "his", "old", 3, 0666, path);
    CU_ASSERT_EQUAL(chown(path, NOBODY, NOBODY), 0);
    EXPECT(outfile_write(path, "new", 3, 0600, true, &why), OUTCOME_OK, &why);
    file_is(&folder, "his", "new", 0600);
    CU_ASSERT(stat(path, &there) == 0 && there.st_uid == 0);
    snprintf(pipe, sizeof pipe, "%s/pipe", folder.path);
    CU_ASSERT(mkfifo(pipe, 0600) == 0 && chown(pipe, NOBODY, NOBODY) == 0);
    reader = open(pipe, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    EXPECT(outfile_write(pipe, "new", 3, 0600, true, &why), OUTCOME_USAGE, &why);
    EXPECT_SAYS(why.text, "belongs to another user");
    EXPECT_NUMBER(read(reader, got, sizeof got), 0);
    close(reader);
    folder_remove(&folder);
}

/* /dev/fd/N is what this process has open: it goes on from where it is, and is not replaced. */
static void a_descriptor_of_this_process_is_written_to(void)
{
    struct report why = REPORT_INIT;
    char path[192], name[64];
    struct folder folder;
    int fd, pair[2];

    folder_make(&folder);
    folder_write(&folder, "there", "old", 3, 0640, path);
    fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    snprintf(name, sizeof name, "/dev/fd/%d", fd);
    EXPECT(outfile_write(name, "new", 3, 0600, true, &why), OUTCOME_OK, &why);
    close(fd);
    file_is(&folder, "there", "oldnew", 0640);
    CU_ASSERT_EQUAL(pipe2(pair, O_CLOEXEC), 0);
    snprintf(name, sizeof name, "/proc/self/fd/%d", pair[1]);
    EXPECT(outfile_write(name, "new", 3, 0600, true, &why), OUTCOME_OK, &why);
    EXPECT_NUMBER(read(pair[0], name, sizeof name), 3);
    close(pair[0]);
    close(pair[1]);
    folder_remove(&folder);
}

/* SIGXFSZ would end the child. */
static void a_limit_for_files_is_an_error_and_no_signal(void)
{
    const struct rlimit limit = {.rlim_cur = 2, .rlim_max = RLIM_INFINITY};
    struct report why = REPORT_INIT;
    struct folder folder;
    char path[192];
    int status = -1;
    pid_t child;

    folder_make(&folder);
    folder_write(&folder, "there", "old", 3, 0644, path);
    child = fork_child();
    if (child == 0)
        _exit(setrlimit(RLIMIT_FSIZE, &limit) == 0 &&
                      outfile_write(path, "new", 3, 0600, true, &why) == OUTCOME_SYSTEM &&
                      strstr(why.text, "too large") != NULL
                  ? 0
                  : 1);
    waitpid(child, &status, 0);
    EXPECT_NUMBER(status, 0);
    file_is(&folder, "there", "old", 0644);
    EXPECT_NUMBER(files_in(&folder), 1);
    folder_remove(&folder);
}

/* The trace goes where a result file would; what is there stays. */
static void the_trace_goes_through_no_strangers_link(void)
{
    char path[192], link[256], hard[256], there[300];
    struct trace trace = {.level = TRACE_AT, .path = link};
    struct folder folder, shared;

    folder_make(&folder);
    folder_make(&shared);
    folder_write(&folder, "target", "old", 3, 0644, path);
    snprintf(link, sizeof link, "%s/link", shared.path);
    CU_ASSERT(symlink(path, link) == 0 && chmod(shared.path, 01777) == 0);
    trace_line(&trace, '>', "AT", MASK_NOTHING);
    file_is(&folder, "target", "old", 0644);
    snprintf(hard, sizeof hard, "%s/hard", shared.path);
    CU_ASSERT_EQUAL(symlink(folder.path, hard), 0); /* a folder on the way */
    snprintf(there, sizeof there, "%s/target", hard);
    trace.path = there;
    trace_line(&trace, '>', "AT", MASK_NOTHING);
    CU_ASSERT(unlink(hard) == 0 && linkat(AT_FDCWD, path, AT_FDCWD, hard, 0) == 0);
    trace.path = hard;
    trace_line(&trace, '>', "AT", MASK_NOTHING);
    file_is(&folder, "target", "old", 0644);
    CU_ASSERT_EQUAL(unlink(hard), 0);
    trace_line(&trace, '>', "AT", MASK_NOTHING); /* a new one */
    read_text(&shared, "hard", there, sizeof there);
    EXPECT_SAYS(there, "> AT");
    folder_remove(&shared);
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
        TEST(what_cannot_become_a_file_is_a_mistake_also_before),
        TEST(a_file_that_cannot_be_written_to_its_end_leaves_nothing_behind),
        TEST(a_try_tells_what_writing_would_and_leaves_nothing),
        TEST(a_pipe_is_written_to),
        TEST(a_link_stays_one_and_its_target_gets_the_content),
        TEST(a_link_that_others_can_have_put_there_is_not_followed),
        TEST(a_link_of_links_to_a_file_that_is_not_there_makes_it),
        TEST(a_hard_link_is_replaced_by_itself),
        TEST(another_users_file_lends_no_mode_and_his_pipe_gets_nothing),
        TEST(a_descriptor_of_this_process_is_written_to),
        TEST(a_limit_for_files_is_an_error_and_no_signal),
        TEST(the_trace_goes_through_no_strangers_link),
        TEST(a_path_that_is_too_long_is_a_mistake),
    };

    ADD_SUITE("outfile", tests);
}
