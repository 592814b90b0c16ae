/*
 * Waiting for answers: see step.h.
 */
#include "lib/sa/step.h"

#include "lib/sa/context.h"
#include "lib/sa/ike_sa.h"

void step_begin(struct ike_sa *sa, struct step *step)
{
    *step = (struct step){.number = ++sa->steps, .status = STATUS_OK};
}

struct effect *step_effect(struct context *context, struct ike_sa *sa, struct step *step,
                           enum effect_kind kind)
{
    struct ticket ticket = {.sa = ike_sa_own_spi(sa), .sequence = step->number};
    struct effect *effect = effect_append(context->effects, kind, ticket);

    if (effect == NULL) {
        step->status = STATUS_FAIL;
        count(context, COUNTER_FAILURES);
        return NULL;
    }
    step->awaited++;
    return effect;
}

enum status step_fault(const struct context *context, struct reason *reason)
{
    return reason_set(reason, STATUS_FAIL, 0, "%s", effect_fault(context->effects));
}
