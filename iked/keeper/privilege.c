/*
 * Capabilities of the keeper: see privilege.h, capabilities(7).
 *
 * By system call: libcap would be a library more for three calls.
 */
#include "iked/keeper/privilege.h"

#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static const struct {
    unsigned number;
    const char *name;
    const char *reason;
} kept[] = {
    {CAP_NET_ADMIN, "CAP_NET_ADMIN", "SAs and policies, at every message; sockets' own policies"},
    {CAP_NET_BIND_SERVICE, "CAP_NET_BIND_SERVICE", "UDP port 500"},
    {CAP_SETUID, "CAP_SETUID", "a new negotiator becomes its own user"},
    {CAP_SETGID, "CAP_SETGID", "a new negotiator becomes its own group, and leaves all others"},
    {CAP_SETPCAP, "CAP_SETPCAP", "a new negotiator empties its bounding set"},
    {CAP_SYS_CHROOT, "CAP_SYS_CHROOT", "a new negotiator goes into an empty root"},
    {CAP_KILL, "CAP_KILL", "a negotiator that misbehaves runs as another user"},
};

#define BIT(number) ((uint64_t)1 << (number))

bool capabilities_set(uint64_t mask)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct sets[2] = {0};

    for (int i = 0; i < 2; i++)
        sets[i].permitted = sets[i].effective = (uint32_t)(mask >> (32 * i));
    return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == 0 &&
           syscall(SYS_capset, &header, sets) == 0;
}

bool capabilities_bound(uint64_t mask)
{
    for (unsigned i = 0; prctl(PR_CAPBSET_READ, i, 0, 0, 0) >= 0; i++)
        if ((mask & BIT(i)) == 0 && prctl(PR_CAPBSET_DROP, i, 0, 0, 0) != 0)
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
    uint64_t mask = 0;

    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
        mask |= BIT(kept[i].number);
        if ((have & BIT(kept[i].number)) == 0)
            return reason_set(reason, STATUS_FAIL, 0, "%s is missing (for: %s); start iked as root",
                              kept[i].name, kept[i].reason);
    }
    /* The bounding set first: that takes a capability.  With no_new_privs the exec of a negotiator
     * gets no more than what is permitted here. */
    if (!capabilities_bound(mask) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        !capabilities_set(mask))
        return reason_set(reason, STATUS_FAIL, 0, "cannot drop capabilities: %s",
                          strerror(errno));
    return STATUS_OK;
}

void privilege_hide(void)
{
    struct rlimit none = {0, 0};

    (void)setrlimit(RLIMIT_CORE, &none);
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}
