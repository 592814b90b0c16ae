/*
 * ikectl: the command line of iked.  See ikectl(8); the verbs are in verbs.c.
 */
#include "config.h"
#include "ikectl/ikectl.h"

int main(int argc, char **argv)
{
    struct ikectl ctl = {
        .out = stdout, .err = stderr, .fd = -1, .socket = IKED_RUN_DIR "/control.sock"};

    return (int)ikectl_run(&ctl, argc, argv);
}
