/*
 * IKEv2 on the wire, RFC 7296 section 3: numbers, structs, parsers and writers.
 *
 * Parsers borrow from the packet and copy nothing.  They delimit: lengths, counts and reserved
 * shapes are checked here; what a value means is decided elsewhere.  Every count has a named
 * maximum.  A parser that returns STATUS_REJECT has set reason->code (usually INVALID_SYNTAX).
 */
#ifndef LIB_WIRE_IKEV2_H
#define LIB_WIRE_IKEV2_H

#include "lib/base/address.h"
#include "lib/base/reader.h"
#include "lib/base/writer.h"
#include "lib/wire/bodies.h"
#include "lib/wire/header.h"
#include "lib/wire/names.h"
#include "lib/wire/number.h"
#include "lib/wire/payloads.h"
#include "lib/wire/sa.h"
#include "lib/wire/selectors.h"
#include "lib/wire/writer.h"

#endif
