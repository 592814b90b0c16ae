/*
 * N initiators on one engine: see initiators.h.
 */
#include "test/bench/initiators.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Commands are numbered from 1 (0 is the configuration's); the highest bit says what for. */
#define DOWN ((uint64_t)1 << 63)

/* The address `by` after `base`. */
static char *address_after(const struct address *base, uint32_t by, char *text)
{
    struct reader reader = reader_of(address_bytes(base));
    struct address sum = {.family = FAMILY_IPV4};
    struct writer writer = writer_of(sum.bytes, 4);

    writer_u32(&writer, reader_u32(&reader) + by);
    return address_text(&sum, text);
}

static void write_connection(FILE *out, const struct initiators_options *options, uint32_t number)
{
    char local[ADDRESS_TEXT_MAX], inner[ADDRESS_TEXT_MAX], remote[ADDRESS_TEXT_MAX];

    fprintf(out,
            "i%u: { local = { address = \"%s\"; id = \"i%u.bench.example\"; }; remote = \"%s\";\n"
            " proposals = [ \"%s\" ]; mobike = false;\n"
            " children: { c: { mode = \"tunnel\"; start = \"never\"; esp = [ \"%s\" ];\n"
            "  local = [ \"%s/32\" ]; remote = [ \"%s\" ]; }; };\n};\n",
            number, address_after(&options->local, number, local), number,
            address_text(&options->remote, remote), options->ike, options->esp,
            address_after(&options->inner, number, inner), options->network);
}

static bool configure(struct initiators *initiators, uint64_t now_ms)
{
    const struct initiators_options *options = &initiators->options;
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    if (out == NULL)
        return false;
    fputs("connections: {\n", out);
    for (uint32_t i = 0; i < options->count; i++)
        write_connection(out, options, options->first + i);
    fputs("};\n", out);
    bool good = fclose(out) == 0 && world_configure(&initiators->world, text, now_ms);
    free(text);
    return good;
}

static void note_failure(struct initiators *initiators, const char *text)
{
    const char *reason = strstr(text, ": "); /* behind the connection's name */
    size_t i = 0;

    reason = reason == NULL ? text : reason + 2;
    while (i < initiators->reason_count && strcmp(initiators->reasons[i].text, reason) != 0)
        i++;
    if (i >= REASONS_MAX - 1) {
        i = REASONS_MAX - 1;
        reason = "other reasons";
    }
    if (i == initiators->reason_count) {
        snprintf(initiators->reasons[i].text, sizeof(initiators->reasons[i].text), "%s", reason);
        initiators->reason_count++;
    }
    initiators->reasons[i].count++;
}

static void command(struct initiators *initiators, enum command_kind kind, uint32_t index,
                    uint64_t now_ms)
{
    struct command command = {
        .kind = kind,
        .number = (index + 1) | (kind == COMMAND_DOWN ? DOWN : 0),
    };

    snprintf(command.name.text, sizeof(command.name.text), "i%u",
             initiators->options.first + index);
    engine_command(initiators->world.engine, &command, now_ms);
}

static void take_result(void *context, const struct effect_result *result)
{
    struct initiators *initiators = context;

    if (result->command == 0)
        return;
    if ((result->command & DOWN) != 0) {
        initiators->ended++;
        return;
    }
    if (result->done) {
        initiators->done++;
    } else {
        initiators->failed++;
        note_failure(initiators, result->text);
    }
    if (result->done && !initiators->options.hold)
        command(initiators, COMMAND_DOWN, (uint32_t)result->command - 1, initiators->world.now_ms);
    else
        initiators->ended++;
}

static void pass_send(void *context, struct effect_send *send)
{
    struct initiators *initiators = context;

    initiators->send(initiators->send_context, send);
}

bool initiators_open(struct initiators *initiators, const struct initiators_options *options,
                     void (*send)(void *context, struct effect_send *send), void *context,
                     uint64_t seed, uint64_t now_ms)
{
    *initiators = (struct initiators){
        .options = *options,
        .send = send,
        .send_context = context,
        .world =
            {
                .psk = slice_text(options->psk),
                .one_key = true,
                .send = pass_send,
                .result = take_result,
                .context = initiators,
            },
    };
    return world_open(&initiators->world, seed, now_ms) && configure(initiators, now_ms);
}

void initiators_close(struct initiators *initiators)
{
    world_close(&initiators->world);
}

void initiators_start(struct initiators *initiators, uint64_t now_ms)
{
    const struct initiators_options *options = &initiators->options;

    while (initiators->started < options->count &&
           initiators->started - initiators->ended < options->concurrency &&
           now_ms >= initiators->next_ms) {
        initiators->next_ms = now_ms + options->interval_ms;
        command(initiators, COMMAND_UP, initiators->started++, now_ms);
        world_drain(&initiators->world, now_ms);
    }
}

bool initiators_finished(const struct initiators *initiators)
{
    return initiators->ended == initiators->options.count;
}
