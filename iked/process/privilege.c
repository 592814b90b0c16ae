/*
 * Capabilities of the keeper: see privilege.h, capabilities(7).
 *
 * By system call: libcap would be a library more for three calls.
 */
#include "iked/process/privilege.h"

#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What is needed at all, and what a new negotiator inherits: the keeper's bounding set is empty, so
 * that executing iked anew as root brings back nothing else. */
enum { KEPT = 1, INHERITED = 2 };

static const struct {
    unsigned number;
    const char *name;
    unsigned use;
    const char *reason;
} needed[] = {
    {CAP_NET_ADMIN, "CAP_NET_ADMIN", KEPT, "SAs and policies, and IKE's own way past them"},
    {CAP_NET_BIND_SERVICE, "CAP_NET_BIND_SERVICE", KEPT, "UDP ports 500 and 4500"},
    {CAP_SETUID, "CAP_SETUID", KEPT | INHERITED, "a new negotiator becomes its own user"},
    {CAP_SETGID, "CAP_SETGID", KEPT | INHERITED, "a new negotiator leaves all of root's groups"},
    {CAP_SYS_CHROOT, "CAP_SYS_CHROOT", KEPT | INHERITED, "a new negotiator gets an empty root"},
    {CAP_KILL, "CAP_KILL", KEPT, "ending a negotiator, which is another user's process"},
    {CAP_SETPCAP, "CAP_SETPCAP", 0, "emptying the bounding set, at the start only"},
};

#define BIT(number) ((uint64_t)1 << (number))

bool capabilities_set(uint64_t kept, uint64_t inherited)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct sets[2] = {0};

    for (int i = 0; i < 2; i++) {
        sets[i].permitted = sets[i].effective = (uint32_t)(kept >> (32 * i));
        sets[i].inheritable = (uint32_t)(inherited >> (32 * i));
    }
    return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == 0 &&
           syscall(SYS_capset, &header, sets) == 0;
}

static bool empty_bounding_set(void)
{
    for (unsigned i = 0; prctl(PR_CAPBSET_READ, i, 0, 0, 0) >= 0; i++)
        if (prctl(PR_CAPBSET_DROP, i, 0, 0, 0) != 0)
            return false;
    return true;
}

static uint64_t permitted(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct sets[2] = {0};

    if (syscall(SYS_capget, &header, sets) != 0)
        return 0;
    return (uint64_t)sets[1].permitted << 32 | sets[0].permitted;
}

enum status privilege_drop(struct reason *reason)
{
    uint64_t have = permitted();
    uint64_t kept = 0;
    uint64_t inherited = 0;

    for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
        uint64_t bit = BIT(needed[i].number);
        if ((have & bit) == 0)
            return reason_set(reason, STATUS_FAIL, 0, "%s is missing (for: %s); start iked as root",
                              needed[i].name, needed[i].reason);
        kept |= (needed[i].use & KEPT) != 0 ? bit : 0;
        inherited |= (needed[i].use & INHERITED) != 0 ? bit : 0;
    }
    /* In this order: what is inherited must be in the bounding set when it is set, and emptying
     * that takes a capability which is not kept. */
    if (!capabilities_set(have, inherited) || !empty_bounding_set() ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || !capabilities_set(kept, inherited))
        return reason_set(reason, STATUS_FAIL, 0, "cannot drop capabilities: %s", strerror(errno));
    return STATUS_OK;
}

void privilege_hide(void)
{
    struct rlimit none = {0, 0};

    (void)setrlimit(RLIMIT_CORE, &none);
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}
