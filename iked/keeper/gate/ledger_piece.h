/*
 * Pieces: the kernel's policies that pairs are made of.
 */
#ifndef IKED_KEEPER_GATE_LEDGER_PIECE_H
#define IKED_KEEPER_GATE_LEDGER_PIECE_H

#include "iked/keeper/gate/ledger.h"

#define PIECE_WANTS_MAX 1024

struct piece_record *ledger_find_piece(const struct ledger *ledger, const struct piece *piece);

/* What it selects. */
struct piece piece_of(const struct piece_record *piece);

/* Adds it with nobody who wants it, or finds it.  NULL when memory is out. */
struct piece_record *ledger_add_piece(struct ledger *ledger, const struct piece *piece);

/* Nobody wants it. */
void ledger_remove_piece(struct ledger *ledger, struct piece_record *piece);

/* What the kernel has been told; false: it is left behind. */
bool piece_template(const struct piece_record *piece, struct policy_template *template);
uint8_t piece_mode(const struct piece_record *piece);

/* The directions that the kernel is to have it for. */
uint8_t piece_all_parts(const struct piece_record *piece);

/* Does the policy want it already?  Do so many that no request may add to them? */
bool piece_is_wanted_by(const struct piece_record *piece, const struct policy_record *policy);
bool piece_is_full(const struct piece_record *piece);

/* A policy that wants it takes its place among the others.  Within a class owners come in the order
 * in which they began to want it, and of one owner what is an SA's own comes before what is
 * configured.  False when memory is out. */
MUST_USE bool piece_want(struct piece_record *piece, struct policy_record *policy);

/* A policy that wants it and was of `class_before` has changed.  One that keeps its class keeps its
 * place among the owners. */
void piece_rerank(struct piece_record *piece, struct policy_record *policy, uint8_t class_before);

/* Harmless when it does not want it. */
void piece_unwant(struct piece_record *piece, const struct policy_record *policy);

#endif
