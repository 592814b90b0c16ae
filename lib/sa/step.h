/*
 * Waiting for answers: a batch of effects, and what follows when the last answer is in.
 */
#ifndef LIB_SA_STEP_H
#define LIB_SA_STEP_H

#include "lib/sa/context.h"

/* Answers that something waits for, all of one batch: they carry its number in their tickets. */
struct step {
    uint32_t number;
    uint8_t awaited;      /* answers outstanding */
    uint8_t status;       /* the worst enum status of those that came ... */
    struct reason reason; /* ... and its reason */
};

/* Begins a batch of effects whose answers are awaited together. */
void step_begin(struct ike_sa *sa, struct step *step);

/* An effect to be answered in this step; NULL when memory is out (the step then ends in FAIL). */
struct effect *step_effect(struct context *context, struct ike_sa *sa, struct step *step,
                           enum effect_kind kind);

/* What could not be asked, for want of memory or of room for effects: STATUS_FAIL. */
enum status step_fault(const struct context *context, struct reason *reason);

#endif
