/* SPDX-License-Identifier: Apache-2.0 */
/* simkey doctor: who else has the port open. A program that reads there takes away the modem's
 * answers; simkey's own programs take turns by the lock and are no trouble. */
#include "provider/tool/holders.h"
#include "modem/text.h"
#include "provider/tool/doctor/doctor.h"

#include <errno.h>
#include <libserialport.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* "minicom (process 99), picocom (process 100)": those that take turns, or those that do not. Says
 * whether ModemManager is among them. */
static bool name_holders(const struct holders *search, bool takes_turns, char *text, size_t size)
{
    bool manager = false;
    size_t used = 0;

    text[0] = '\0';
    for (size_t i = 0; i < search->count && used < size; i++) {
        const struct holder *holder = &search->list[i];

        if (holder->other_end || holder->takes_turns != takes_turns)
            continue;
        manager = manager || strcmp(holder->name, HOLDERS_MANAGER) == 0;
        used += (size_t)snprintf(text + used, size - used, "%s%s (process %ld)",
                                 used > 0 ? ", " : "", holder->name, holder->pid);
    }
    return manager;
}

/* The rule that keeps ModemManager off this port. */
static void write_rule(const struct doctor *doctor, char *text, size_t size)
{
    struct sp_port *port = NULL;
    char interface[8];
    int vendor, model;

    if (sp_get_port_by_name(doctor->real, &port) == SP_OK &&
        sp_get_port_usb_vid_pid(port, &vendor, &model) == SP_OK &&
        doctor_usb_value(doctor->real, "bInterfaceNumber", interface, sizeof interface))
        (void)snprintf(text, size,
                       "put ID_VENDOR_ID==\"%04x\", ID_MODEL_ID==\"%04x\", "
                       "ID_USB_INTERFACE_NUM==\"%s\" into %s/78-simkey.rules",
                       (unsigned)vendor, (unsigned)model, interface, doctor_examples());
    else
        (void)snprintf(text, size,
                       "put this port's numbers into %s/78-simkey.rules, which `udevadm info "
                       "-q property %.200s | grep -E 'ID_(VENDOR_ID|MODEL_ID|USB_INTERFACE_NUM)'` "
                       "shows",
                       doctor_examples(), doctor->real);
    sp_free_port(port);
    (void)snprintf(
        text + strlen(text), size - strlen(text),
        " (its ENV{ID_MM_PORT_IGNORE}=\"1\" keeps " HOLDERS_MANAGER " off), install it to "
        "/etc/udev/rules.d/, sudo udevadm control --reload, and plug the modem in again; "
        "at once: sudo systemctl stop " HOLDERS_MANAGER);
}

static void judge(struct doctor *doctor, const struct holders *search)
{
    char rivals[512], others[256], remedy[1024], unseen[1024] = "", other_end[128] = "";
    char name[HOLDER_NAME], command[800];
    bool manager = name_holders(search, false, rivals, sizeof rivals);

    (void)name_holders(search, true, others, sizeof others);
    write_rule(doctor, remedy, sizeof remedy);
    doctor_command(NULL, command, sizeof command);
    if (search->unseen > 0)
        (void)snprintf(unseen, sizeof unseen,
                       "; %u processes of other users show their files only to root: %s sees more",
                       search->unseen, command);
    if (search->other_end > 0) {
        holders_name_of(search->other_end, name);
        (void)snprintf(other_end, sizeof other_end, "; at its other end %s %s (process %ld)",
                       search->other_end_sure ? "is" : "may be", name, search->other_end);
    }
    if (manager)
        doctor_fail(doctor, OUTCOME_PORT_BUSY, remedy,
                    "%s: " HOLDERS_MANAGER
                    " talks to the modem whenever it likes, and takes the answers",
                    rivals);
    else if (rivals[0] != '\0')
        doctor_warn(doctor, "end that program, or give it another of the modem's ports",
                    "%s has the port open too, and may take the modem's answers%s", rivals, unseen);
    else if (search->unseen_manager != 0)
        doctor_warn(doctor, remedy,
                    HOLDERS_MANAGER
                    " runs (process %ld); whether it has this port open is shown only to "
                    "root%s",
                    search->unseen_manager, unseen);
    else if (others[0] != '\0')
        doctor_ok(doctor, "%s has it open too, and takes turns by the port's lock%s%s", others,
                  other_end, unseen);
    else
        doctor_ok(doctor, "no other program has it open%s%s", other_end, unseen);
}

void doctor_holders(struct doctor *doctor)
{
    struct holders search;
    struct stat port;

    if (doctor->transport->service != NULL)
        doctor_skip(doctor, "", "%s shares the %s among programs", doctor->transport->service,
                    doctor->transport->noun);
    else if (doctor_is_control(doctor))
        doctor_control_holders(doctor);
    else if (stat(doctor->real, &port) != 0 || !holders_search(&search, &port))
        doctor_skip(doctor, "", "what other programs do cannot be seen: %s", strerror(errno));
    else
        judge(doctor, &search);
}
