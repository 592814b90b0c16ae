/*
 * The negotiator: the unprivileged process that speaks IKE.
 *
 * It is executed by the keeper with one descriptor, the channel, and gets all others through it.
 * Not here: effects (runner.h), the sandbox (sandbox.h), ikectl's side (control.h).
 */
#ifndef IKED_NEGOTIATOR_NEGOTIATOR_H
#define IKED_NEGOTIATOR_NEGOTIATOR_H

#include "iked/process/options.h"

/* Runs until the keeper is gone or says so; returns the exit status. */
int negotiator_run(const struct options *options);

#endif
