/* SPDX-License-Identifier: Apache-2.0 */
/* The CUnit suites, one function a room: each adds its suite to the registry. */
#ifndef SIMKEY_TEST_UNIT_UNIT_H
#define SIMKEY_TEST_UNIT_UNIT_H

void add_text_suite(void);
void add_at_suite(void);
void add_at_time_suite(void);
void add_at_habits_suite(void);
void add_descriptor_suite(void);
void add_at_stray_suite(void);
void add_port_suite(void);
void add_port_output_suite(void);
void add_port_lock_suite(void);
void add_port_kill_suite(void);
void add_identity_suite(void);
void add_manage_channel_suite(void);
void add_transport_suite(void);
void add_control_suite(void);
void add_qmi_suite(void);
void add_mbim_suite(void);
void add_memory_transport_suite(void);
void add_pcsc_suite(void); /* only with SIMKEY_PCSC */
void add_apdu_suite(void);
void add_tlv_suite(void);
void add_file_suite(void);
void add_pin_suite(void);
void add_pin_source_suite(void);
void add_pin_change_suite(void);
void add_pin_memory_suite(void);
void add_riders_suite(void);
void add_pin_echo_suite(void);
void add_mias_suite(void);
void add_mias_crypto_suite(void);
void add_iotsafe_suite(void);
void add_iotsafe_crypto_suite(void);
void add_token_iotsafe_suite(void);
void add_typea_suite(void);
void add_settings_suite(void);
void add_modems_suite(void);
void add_session_suite(void);
void add_session_gone_suite(void);
void add_algorithms_suite(void);
void add_session_loss_suite(void);
void add_session_pin_suite(void);
void add_model_suite(void);
void add_rundir_suite(void);
void add_owners_suite(void);
void add_orphans_suite(void);
void add_closing_suite(void);
void add_record_suite(void);
void add_record_text_suite(void);
void add_shared_suite(void);
void add_queue_suite(void);
void add_safe2_suite(void);
void add_safe2_loss_suite(void);
void add_agent_suite(void);
void add_agent_rules_suite(void);
void add_outfile_suite(void);
void add_uri_suite(void);
void add_keyref_suite(void);
void add_config_suite(void);
void add_sim_iotsafe_suite(void);
void add_sim_iotsafe_keys_suite(void);
void add_sim_iotsafe_shapes_suite(void);
void add_token_suite(void);

#endif
