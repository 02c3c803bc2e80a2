/* SPDX-License-Identifier: Apache-2.0 */
/* Control devices by name: prefixes, what the kernel tells, and the AT ports beside them. sysfs is a folder
 * of the test's own. */
#include "modem/control_name.h"
#include "modem/control_proxy.h"
#include "modem/held.h"
#include "modem/transport.h"
#include "test/unit/check.h"
#include "test/unit/unit.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void expect_name(const char *device, enum control_protocol protocol, const char *path,
                        bool direct)
{
    struct control_name name;
    char only[PATH_MAX];

    control_parse(device, &name);
    EXPECT_NUMBER(name.protocol, protocol);
    EXPECT_TEXT(name.path, path);
    EXPECT_NUMBER(name.direct, direct);
    EXPECT_TEXT(control_path(device, only), path);
}

static void names_are_taken_apart(void)
{
    expect_name("qmi:/dev/cdc-wdm0", CONTROL_QMI, "/dev/cdc-wdm0", false);
    expect_name("mbim:/dev/wwan0mbim0,direct", CONTROL_MBIM, "/dev/wwan0mbim0", true);
    expect_name("/dev/ttyUSB2", CONTROL_NONE, "/dev/ttyUSB2", false);
    expect_name("/dev/cdc-wdm99,direct", CONTROL_NONE, "/dev/cdc-wdm99", true);
    expect_name("pcsc:Reader 0", CONTROL_NONE, "pcsc:Reader 0", false);
    expect_name("qmi:", CONTROL_QMI, "", false);
    CU_ASSERT_STRING_EQUAL(transport_of("qmi:/dev/cdc-wdm0")->ways[0], "QMI");
    CU_ASSERT_STRING_EQUAL(transport_of("mbim:/dev/cdc-wdm0,direct")->ways[0], "MBIM");
    CU_ASSERT_STRING_EQUAL(transport_of("/dev/ttyUSB2")->ways[0], "AT+CSIM");
}

/* Makes a folder with all above it, below the test's own. */
static void make(const struct folder *folder, const char *path)
{
    char whole[PATH_MAX];
    size_t root = strlen(folder->path) + 1;

    (void)snprintf(whole, sizeof whole, "%s/%s", folder->path, path);
    for (char *slash = strchr(whole + root, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(whole, 0700);
        *slash = '/';
    }
    (void)mkdir(whole, 0700);
}

static void make_link(const struct folder *folder, const char *path, const char *target)
{
    char whole[PATH_MAX], absolute[PATH_MAX];

    (void)snprintf(whole, sizeof whole, "%s/%s", folder->path, path);
    (void)snprintf(absolute, sizeof absolute, "%s/%s", folder->path, target);
    if (symlink(absolute, whole) != 0)
        FAIL("no link at %s", whole);
}

/* A modem with two serial ports and a QMI device, and another serial port. */
static void make_sysfs(const struct folder *folder)
{
    char path[192];

    make(folder, "devices/usb1/1-1/1-1:1.2/ttyUSB2");
    make(folder, "devices/usb1/1-1/1-1:1.3/ttyUSB3");
    make(folder, "devices/usb1/1-1/1-1:1.4");
    make(folder, "devices/usb1/1-10/1-10:1.0/ttyUSB9");
    make(folder, "drivers/qmi_wwan");
    make(folder, "drivers/cdc_mbim");
    make(folder, "class/usbmisc/cdc-wdm0");
    make(folder, "class/usbmisc/cdc-wdm1/device");
    make(folder, "class/tty/ttyUSB2");
    make(folder, "class/tty/ttyUSB3");
    make(folder, "class/tty/ttyUSB9");
    make(folder, "class/wwan/wwan0p1");
    make(folder, "dev");
    make_link(folder, "class/usbmisc/cdc-wdm0/device", "devices/usb1/1-1/1-1:1.4");
    make_link(folder, "devices/usb1/1-1/1-1:1.4/driver", "drivers/qmi_wwan");
    make_link(folder, "class/usbmisc/cdc-wdm1/device/driver", "drivers/cdc_mbim");
    make_link(folder, "class/tty/ttyUSB2/device", "devices/usb1/1-1/1-1:1.2/ttyUSB2");
    make_link(folder, "class/tty/ttyUSB3/device", "devices/usb1/1-1/1-1:1.3/ttyUSB3");
    make_link(folder, "class/tty/ttyUSB9/device", "devices/usb1/1-10/1-10:1.0/ttyUSB9");
    folder_write(folder, "class/wwan/wwan0p1/type", "MBIM\n", 5, 0600, path);
    for (const char *const *name = (const char *const[]){"cdc-wdm0", "cdc-wdm1", "cdc-wdm2",
                                                         "wwan0p1", "wwan0qmi0", "ttyUSB2", NULL};
         *name != NULL; name++) {
        char file[32];

        (void)snprintf(file, sizeof file, "dev/%s", *name);
        folder_write(folder, file, "", 0, 0600, path);
    }
}

static void remove_all(const struct folder *folder)
{
    char command[PATH_MAX];

    (void)snprintf(command, sizeof command, "rm -rf '%s'", folder->path);
    if (system(command) != 0)
        FAIL("%s stays", folder->path);
}

static void the_kernel_tells_which_device_it_is(void)
{
    static const struct {
        const char *name;
        enum control_protocol protocol;
    } devices[] = {{"cdc-wdm0", CONTROL_QMI},  {"cdc-wdm1", CONTROL_MBIM},
                   {"cdc-wdm2", CONTROL_NONE}, {"wwan0p1", CONTROL_MBIM},
                   {"wwan0qmi0", CONTROL_QMI}, {"ttyUSB2", CONTROL_NONE},
                   {"absent", CONTROL_NONE}};
    struct folder folder;
    char path[192], ports[128];

    folder_make(&folder);
    make_sysfs(&folder);
    for (size_t i = 0; i < sizeof devices / sizeof devices[0]; i++) {
        (void)snprintf(path, sizeof path, "%s/dev/%s", folder.path, devices[i].name);
        if (control_kind(folder.path, path) != devices[i].protocol)
            FAIL("%s is taken for %d", devices[i].name, control_kind(folder.path, path));
    }
    (void)snprintf(path, sizeof path, "%s/dev/cdc-wdm0", folder.path);
    control_at_ports(folder.path, path, ports, sizeof ports);
    CU_ASSERT_TRUE(strcmp(ports, "/dev/ttyUSB2, /dev/ttyUSB3") == 0 ||
                   strcmp(ports, "/dev/ttyUSB3, /dev/ttyUSB2") == 0);
    remove_all(&folder);
}

static void a_proxy_that_does_not_run_is_not_found(void)
{
    struct control_proxy proxy;

    CU_ASSERT_FALSE(control_find_proxy("simkey-test-no-proxy", &proxy));
    EXPECT_TEXT(control_proxy_name(CONTROL_QMI), "qmi-proxy");
    EXPECT_TEXT(control_proxy_name(CONTROL_MBIM), "mbim-proxy");
}

/* 600 bytes come as a card would give them: 256, 256, 88. */
static void an_answer_that_is_too_long_is_given_by_parts(void)
{
    static const uint8_t read[] = {0x00, 0xB0, 0x00, 0x00, 0x00},
                         more[] = {0x00, 0xC0, 0x00, 0x00, 0x00},
                         last[] = {0x00, 0xC0, 0x00, 0x00, 0x58};
    const struct channel channel = {.open = true, .number = 1}, other = {.open = true, .number = 2};
    static struct held held;
    uint8_t answer[APDU_ANSWER_SIZE];
    struct exchange exchange = {.command = read, .length = sizeof read, .answer = answer};

    memset(&held, 0, sizeof held);
    CU_ASSERT_FALSE(held_more(&held, &channel, &exchange));
    memset(held.data, 0x5A, 600);
    held_give(&held, &channel, 600, 0x9000, &exchange);
    EXPECT_NUMBER(exchange.answer_length, 258);
    EXPECT_BYTES(answer + 256, 2, "6100");
    exchange.command = more;
    CU_ASSERT_TRUE(held_more(&held, &channel, &exchange));
    EXPECT_NUMBER(exchange.answer_length, 258);
    EXPECT_BYTES(answer + 256, 2, "6158");
    exchange.command = last;
    CU_ASSERT_TRUE(held_more(&held, &channel, &exchange));
    EXPECT_NUMBER(exchange.answer_length, 90);
    EXPECT_BYTES(answer + 88, 2, "9000");
    CU_ASSERT_FALSE(held_more(&held, &channel, &exchange));
    memset(held.data, 0x5A, 300);
    held_give(&held, &channel, 300, 0x9000, &exchange);
    CU_ASSERT_FALSE(held_more(&held, &other, &exchange)); /* and is forgotten */
    CU_ASSERT_FALSE(held_more(&held, &channel, &exchange));
    held_give(&held, &channel, 0, 0x63C2, &exchange);
    EXPECT_BYTES(answer, exchange.answer_length, "63C2");
}

static const struct test tests[] = {
    TEST(names_are_taken_apart),
    TEST(the_kernel_tells_which_device_it_is),
    TEST(an_answer_that_is_too_long_is_given_by_parts),
    TEST(a_proxy_that_does_not_run_is_not_found),
};

void add_control_suite(void)
{
    ADD_SUITE("control", tests);
}
