/*
 * A kernel for the fuzzer of the keeper: it has tables of SAs and policies, refuses what Linux
 * refuses, fails when it is told to, and lets others change it behind the keeper's back.
 *
 * Pieces of which the keeper was told a failure, or that others have changed and not told of, are
 * `tainted`: there the kernel may differ from what the keeper believes.
 */
#ifndef TEST_FUZZ_KEEPER_KERNEL_H
#define TEST_FUZZ_KEEPER_KERNEL_H

#include "iked/keeper/xfrm/kernel.h"

#define MODEL_SAS      4096
#define MODEL_POLICIES 4096
#define MODEL_TAINTED  512
#define MODEL_NOTICES  16

struct model_sa {
    bool larval;
    struct kernel_sa is;
};

struct model {
    struct kernel kernel;
    struct model_sa sas[MODEL_SAS];
    size_t sa_count;
    struct kernel_piece policies[MODEL_POLICIES];
    size_t policy_count;
    struct piece tainted[MODEL_TAINTED];
    size_t tainted_count;
    bool all_tainted; /* more than there is room for */
    struct kernel_notice notices[MODEL_NOTICES];
    size_t notice_count;
    enum kernel_table looking_at;
    size_t looked_at;
    uint32_t next_spi;
    enum kernel_verb failing; /* 0: none */
    int error;
    unsigned failures_left;
    bool dumps_fail;
};

extern struct model model;

void model_reset(void);

bool model_is_tainted(const struct piece *piece);
void model_taint(const struct piece *piece);

/* The policy of a piece and direction; NULL when there is none. */
struct kernel_piece *model_policy(const struct piece *piece, uint8_t direction);

/* Others take it away. */
void model_remove_policy(struct kernel_piece *policy);
void model_remove_sa(struct model_sa *sa);

void model_notice(const struct kernel_notice *notice);

#endif
