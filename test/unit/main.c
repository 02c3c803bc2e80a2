/* SPDX-License-Identifier: Apache-2.0 */
/* The runner of the CUnit suites: all of them, or the one that is named. Its exit status is 0 only
 * if something ran and nothing failed. */
#include "test/unit/unit.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Every wait in the suites has its own deadline; this one is for what nobody foresaw. */
#define RUN_SECONDS 600

static const struct {
    const char *name;
    void (*add)(void);
} suites[] = {
    {"text", add_text_suite},
    {"at", add_at_suite},
    {"at_time", add_at_time_suite},
    {"at_habits", add_at_habits_suite},
    {"odd_modem", add_odd_modem_suite},
    {"other_way", add_other_way_suite},
    {"missing_applet", add_missing_applet_suite},
    {"descriptor", add_descriptor_suite},
    {"at_stray", add_at_stray_suite},
    {"port", add_port_suite},
    {"port_output", add_port_output_suite},
    {"port_lock", add_port_lock_suite},
    {"port_kill", add_port_kill_suite},
    {"identity", add_identity_suite},
    {"manage_channel", add_manage_channel_suite},
    {"transport", add_transport_suite},
    {"control", add_control_suite},
    {"control_odd", add_control_odd_suite},
    {"qmi", add_qmi_suite},
    {"mbim", add_mbim_suite},
    {"memory_transport", add_memory_transport_suite},
#ifdef SIMKEY_PCSC
    {"pcsc", add_pcsc_suite},
#endif
    {"apdu", add_apdu_suite},
    {"tlv", add_tlv_suite},
    {"file", add_file_suite},
    {"pin", add_pin_suite},
    {"pin_source", add_pin_source_suite},
    {"pin_change", add_pin_change_suite},
    {"pin_memory", add_pin_memory_suite},
    {"riders", add_riders_suite},
    {"pin_echo", add_pin_echo_suite},
    {"mias", add_mias_suite},
    {"mias_crypto", add_mias_crypto_suite},
    {"iotsafe", add_iotsafe_suite},
    {"iotsafe_crypto", add_iotsafe_crypto_suite},
    {"token_iotsafe", add_token_iotsafe_suite},
    {"token_names", add_token_names_suite},
    {"typea", add_typea_suite},
    {"settings", add_settings_suite},
    {"modems", add_modems_suite},
    {"session", add_session_suite},
    {"session_gone", add_session_gone_suite},
    {"algorithms", add_algorithms_suite},
    {"session_loss", add_session_loss_suite},
    {"session_pin", add_session_pin_suite},
    {"pin_channel", add_pin_channel_suite},
    {"model", add_model_suite},
    {"rundir", add_rundir_suite},
    {"owners", add_owners_suite},
    {"orphans", add_orphans_suite},
    {"closing", add_closing_suite},
    {"record", add_record_suite},
    {"record_text", add_record_text_suite},
    {"shared", add_shared_suite},
    {"queue", add_queue_suite},
    {"safe2", add_safe2_suite},
    {"safe2_loss", add_safe2_loss_suite},
    {"agent", add_agent_suite},
    {"agent_rules", add_agent_rules_suite},
    {"outfile", add_outfile_suite},
#ifndef SIMKEY_NO_PROVIDER
    {"uri", add_uri_suite},
    {"keyref", add_keyref_suite},
    {"config", add_config_suite},
    {"token", add_token_suite},
    {"sim_iotsafe", add_sim_iotsafe_suite},
    {"sim_iotsafe_keys", add_sim_iotsafe_keys_suite},
    {"sim_iotsafe_shapes", add_sim_iotsafe_shapes_suite},
#endif
};

/* The suites are judged in a clean environment: the caller's own SIM stays out of it. */
static void forget_environment(void)
{
    static const char *const names[] = {
        "SIMKEY_CONF",       "SIMKEY_DEVICE",  "SIMKEY_BAUD",    "SIMKEY_TRANSPORT",
        "SIMKEY_PIN_SOURCE", "SIMKEY_PIN",     "SIMKEY_TIMEOUT", "SIMKEY_SIM_PIN_SOURCE",
        "SIMKEY_SESSION",    "SIMKEY_RUN_DIR", "SIMKEY_TRACE",
    };
    size_t i;

    for (i = 0; i < sizeof names / sizeof names[0]; i++)
        unsetenv(names[i]);
    setenv("SIMKEY_STATE_DIR", "/dev/null/none", 1); /* nothing outlives a test */
}

static int add_suites(const char *wanted)
{
    size_t i;
    int added = 0;

    for (i = 0; i < sizeof suites / sizeof suites[0]; i++) {
        if (wanted && strcmp(wanted, suites[i].name) != 0)
            continue;
        suites[i].add();
        added++;
    }
    if (added > 0)
        return 1;
    fprintf(stderr, "unit: there is no suite %s; there are:", wanted);
    for (i = 0; i < sizeof suites / sizeof suites[0]; i++)
        fprintf(stderr, " %s", suites[i].name);
    fputc('\n', stderr);
    return 0;
}

int main(int argc, char **argv)
{
    const char *verbose = getenv("UNIT_VERBOSE");
    int good = 0;

    if (argc > 2) {
        fprintf(stderr, "usage: unit [SUITE]\n");
        return 1;
    }
    alarm(RUN_SECONDS);
    forget_environment();
    if (CU_initialize_registry() != CUE_SUCCESS)
        return 1;
    if (add_suites(argc == 2 ? argv[1] : NULL)) {
        CU_basic_set_mode(verbose && *verbose ? CU_BRM_VERBOSE : CU_BRM_NORMAL);
        good = CU_basic_run_tests() == CUE_SUCCESS && CU_get_number_of_tests_run() > 0 &&
               CU_get_number_of_failures() == 0;
    }
    CU_cleanup_registry();
    return good ? 0 : 1;
}
