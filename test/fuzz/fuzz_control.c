/*
 * Fuzzes both ends of the control protocol: lines of a stream, requests, greetings, answers.
 *
 * The first octet says how the stream is cut.  What decodes must encode to what decodes the same.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/control/item.h"
#include "lib/control/line.h"
#include "lib/control/message.h"
#include "test/fuzz/fuzz.h"

#define LINE_MAX_FUZZ 512

static struct slice line_slice(const char *line)
{
    size_t size = strlen(line);

    CHECK(size > 0 && memchr(line, '\n', size) == line + size - 1);
    return slice_of(line, size - 1);
}

static void fuzz_request(struct slice line)
{
    struct control_request request;
    struct control_request back;
    struct reason reason;

    if (!control_request_decode(line, &request, &reason))
        return;
    char *again = control_request_encode(&request);
    CHECK(again != NULL && control_request_decode(line_slice(again), &back, &reason));
    CHECK(back.id == request.id && back.verb == request.verb && back.what == request.what &&
          back.dry_run == request.dry_run && back.force == request.force &&
          strcmp(back.name.text, request.name.text) == 0);
    free(again);
}

static void fuzz_answer(struct slice line)
{
    struct control_answer answer;
    struct control_answer back;
    struct reason reason;

    if (control_answer_decode(line, &answer, &reason)) {
        char *again = control_answer_encode(&answer);
        CHECK(again != NULL && control_answer_decode(line_slice(again), &back, &reason));
        CHECK(back.id == answer.id && back.has_id == answer.has_id && back.item == answer.item &&
              back.done == answer.done && strcmp(back.text, answer.text) == 0 &&
              json_equal(back.body, answer.body) == json_equal(answer.body, answer.body));
        control_answer_free(&back);
        free(again);
    }
    control_answer_free(&answer);
}

static void fuzz_greeting(struct slice line)
{
    struct control_greeting greeting;
    struct control_greeting back;
    struct reason reason;

    if (!control_greeting_decode(line, &greeting, &reason))
        return;
    char *again = control_greeting_encode(&greeting);
    CHECK(again != NULL && control_greeting_decode(line_slice(again), &back, &reason));
    CHECK(back.protocol == greeting.protocol && strcmp(back.version, greeting.version) == 0);
    free(again);
}

static void fuzz_line(struct slice line)
{
    fuzz_request(line);
    fuzz_answer(line);
    fuzz_greeting(line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct control_lines lines;
    struct slice line;
    size_t piece = size > 0 ? data[0] + 1u : 1;
    size_t at = size > 0 ? 1 : 0;

    if (!control_lines_init(&lines, LINE_MAX_FUZZ))
        return 0;
    while (at < size) {
        size_t chunk = size - at < piece ? size - at : piece;
        at += control_lines_feed(&lines, slice_of(data + at, chunk));
        enum control_line kind;
        while ((kind = control_lines_next(&lines, &line)) != CONTROL_LINE_NONE) {
            if (kind == CONTROL_LINE_WHOLE)
                fuzz_line(line);
        }
    }
    control_lines_free(&lines);
    return 0;
}
