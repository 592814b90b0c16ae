/*
 * One message of each kind between keeper and negotiator (ipc.h), every field with a value of
 * its own.
 */
#ifndef TEST_UNIT_IPC_SAMPLES_H
#define TEST_UNIT_IPC_SAMPLES_H

#include "iked/process/ipc.h"

#define IPC_SAMPLES 26

/* Each call makes a new one, which the caller frees. */
struct ipc_sample {
    struct ipc_message (*make)(void);
    enum ipc_side from;
};
extern const struct ipc_sample ipc_samples[IPC_SAMPLES];

struct ipc_message sample_hello(void);
struct ipc_message sample_config_part(void);
struct ipc_message sample_config_end(void);
struct ipc_message sample_psk_auth(void);
struct ipc_message sample_install_sa(void);
struct ipc_message sample_remove_sa(void);
struct ipc_message sample_remove_orphans(void);
struct ipc_message sample_answer(void);
struct ipc_message sample_kernel_event(void);
struct ipc_message sample_log_text(void);
struct ipc_message sample_commit(void);

#endif
