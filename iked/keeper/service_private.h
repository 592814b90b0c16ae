/*
 * What the files of the service share; nobody else includes this.
 */
#ifndef IKED_KEEPER_SERVICE_PRIVATE_H
#define IKED_KEEPER_SERVICE_PRIVATE_H

#include "iked/keeper/service.h"

struct request;

/* A job to fill, of a request that is being taken; NULL: for none (service_add_job). */
struct kernel_job *service_job_for(struct service *service, struct request *request,
                                   enum kernel_verb verb);

/* What an owner has for a pair; NULL: nothing. */
struct policy_record *service_find_policy(const struct service *service,
                                          const struct effect_policy *policy);

/* Gives an owner a pair, or gives it anew; jobs are the request's when there is one. */
enum status service_set_policy_for(struct service *service, struct request *request,
                                   const struct effect_policy *from, struct reason *reason);

#endif
