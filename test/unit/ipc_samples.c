/*
 * One message of each kind (ipc_samples.h).
 */
#include "test/unit/ipc_samples.h"

#include "lib/wire/ikev2.h"
#include "test/unit/policy.h"

static struct name name_of(const char *text)
{
    struct name name = {""};

    ipc_text(name.text, sizeof(name.text), text);
    return name;
}

static struct buffer buffer_of(const char *hex)
{
    struct buffer buffer = {0};

    assert_true(buffer_copy(&buffer, bytes_hex(hex)));
    return buffer;
}

static struct secret secret_of(uint8_t octet, size_t size)
{
    struct secret secret = {0};

    assert_true(secret_copy(&secret, bytes_fill(octet, size)));
    return secret;
}

/* --- One message of each kind, every field with a value of its own --- */

struct ipc_message sample_hello(void)
{
    return (struct ipc_message){
        .kind = IPC_HELLO,
        .hello = {.log_level = SEVERITY_WARNING,
                  .kernel_none = true,
                  .socket_count = 2,
                  .sockets = {{IPC_ROLE_UDP, FAMILY_IPV6, 4500}, {IPC_ROLE_CONTROL, 0, 0}}},
    };
}

struct ipc_message sample_config_part(void)
{
    return (struct ipc_message){
        .kind = IPC_CONFIG_PART,
        .config_part = {.path = "/etc/iked/iked.conf", .last = true, .text = bytes_hex("00ff0a")},
    };
}

struct ipc_message sample_config_end(void)
{
    return (struct ipc_message){
        .kind = IPC_CONFIG_END,
        .config_end = {.generation = 7,
                       .number = 0x1122334455667788,
                       .dry_run = true,
                       .force = true,
                       .secrets_changed = true},
    };
}

struct ipc_message sample_answer(void)
{
    struct ipc_message message = {
        .kind = IPC_ANSWER,
        .answer = {.kind = EFFECT_PSK_AUTH,
                   .ticket = {.sa = 3, .sequence = 9},
                   .status = STATUS_REJECT,
                   .auth = buffer_of("0102030405"),
                   .spi = 0xc1c2c3c4,
                   .source = policy_address("192.0.2.7"),
                   .packets = 1ull << 40,
                   .ago_s = 70000,
                   .connection = name_of("db"),
                   .address_count = 2,
                   .addresses = {policy_address("192.0.2.8"), policy_address("2001:db8::8")}},
    };

    reason_set(&message.answer.reason, STATUS_REJECT, FINDING_AUTHENTICATION_FAILED,
               "the peer's AUTH does not match");
    return message;
}

struct ipc_message sample_kernel_event(void)
{
    struct address host = policy_address("192.0.2.1");
    struct address peer = policy_address("2001:db8::2");

    return (struct ipc_message){
        .kind = IPC_EVENT,
        .event = {.kind = KERNEL_EXPIRE,
                  .connection = name_of("db"),
                  .child = name_of("lan"),
                  .local_packet = selector_host(&host),
                  .remote_packet = selector_host(&peer),
                  .destination = peer,
                  .source = host,
                  .spi = 0x01020304,
                  .protocol = IPSEC_ESP,
                  .hard = true,
                  .removed = true},
    };
}

static struct ipc_message trouble(void)
{
    return (struct ipc_message){
        .kind = IPC_TROUBLE,
        .trouble = {.connection = {"db"}, .text = "the kernel will not"},
    };
}

static struct ipc_message refused(void)
{
    return (struct ipc_message){.kind = IPC_REFUSED,
                                .refused = {.number = 5, .text = "iked.conf:3: syntax error"}};
}

static struct ipc_message stop(void)
{
    return (struct ipc_message){.kind = IPC_SHUTDOWN};
}

static struct ipc_message effect_of(enum effect_kind kind)
{
    return (struct ipc_message){.kind = IPC_EFFECT,
                                .effect = {.kind = kind, .ticket = {.sa = 11, .sequence = 22}}};
}

struct ipc_message sample_psk_auth(void)
{
    struct ipc_message message = effect_of(EFFECT_PSK_AUTH);

    message.effect.psk_auth = (struct effect_psk_auth){
        .connection = name_of("db"),
        .prf = PRF_HMAC_SHA384,
        .local_id = policy_identity("gw.example.net"),
        .remote_id = policy_identity("192.0.2.2"),
        .own_octets = buffer_of("aabb"),
        .peer_octets = buffer_of("ccddee"),
        .peer_auth = buffer_of("99"),
    };
    return message;
}

static struct ipc_message authentication_effect(enum effect_kind kind)
{
    struct ipc_message message = effect_of(kind);

    message.effect.authentication_of = name_of("db");
    return message;
}

static struct ipc_message derive(void)
{
    return authentication_effect(EFFECT_DERIVE);
}

static struct ipc_message sign(void)
{
    return authentication_effect(EFFECT_SIGN);
}

static struct ipc_message verify(void)
{
    return authentication_effect(EFFECT_VERIFY);
}

static struct ipc_message allocate_spi(void)
{
    struct ipc_message message = effect_of(EFFECT_ALLOCATE_SPI);

    message.effect.allocate_spi = (struct effect_allocate_spi){
        .connection = name_of("db"),
        .child = name_of("lan"),
        .source = policy_address("192.0.2.2"),
        .destination = policy_address("192.0.2.1"),
        .protocol = IPSEC_ESP,
        .mode = CHILD_TUNNEL,
        .encap = true,
        .early = true,
        .reqid = 0x69001122,
    };
    return message;
}

struct ipc_message sample_install_sa(void)
{
    struct ipc_message message = effect_of(EFFECT_INSTALL_SA);

    message.effect.install_sa = (struct effect_install_sa){
        .connection = name_of("db"),
        .child = name_of("lan"),
        .inbound = true,
        .encap = true,
        .source = policy_address("2001:db8::2"),
        .destination = policy_address("2001:db8::1"),
        .spi = 0xc0c1c2c3,
        .reqid = 0x69001122,
        .protocol = IPSEC_ESP,
        .mode = CHILD_TRANSPORT,
        .encr = ENCR_AES256_CBC,
        .integ = INTEG_HMAC_SHA256_128,
        .esn = true,
        .replay_window = 128,
        .encr_key = secret_of(0x11, 32),
        .integ_key = secret_of(0x22, 32),
        .soft_s = 3000,
        .hard_s = 3600,
        .soft_bytes = 1ull << 40,
        .hard_bytes = 1ull << 41,
        .soft_packets = 1000000,
        .hard_packets = 2000000,
    };
    return message;
}

static struct ipc_message find_source(void)
{
    struct ipc_message message = effect_of(EFFECT_FIND_SOURCE);

    message.effect.find_source = (struct effect_find_source){
        .connection = name_of("db"),
        .remote = policy_address("192.0.2.2"),
    };
    return message;
}

static struct ipc_message move_sa(void)
{
    struct ipc_message message = effect_of(EFFECT_MOVE_SA);
    struct effect_move_sa *move = &message.effect.move_sa;

    *move = (struct effect_move_sa){
        .connection = name_of("db"),
        .child = name_of("lan"),
        .inbound = true,
        .encap = true,
        .spi = 0xc0c1c2c3,
        .protocol = IPSEC_ESP,
        .source = policy_address("192.0.2.2"),
        .destination = policy_address("192.0.2.1"),
        .new_source = policy_address("198.51.100.2"),
        .new_destination = policy_address("192.0.2.3"),
    };
    move->new_source.port = 4500;
    return message;
}

static struct ipc_message query_sa(void)
{
    struct ipc_message message = effect_of(EFFECT_QUERY_SA);

    message.effect.query_sa = (struct effect_query_sa){
        .source = policy_address("192.0.2.2"),
        .destination = policy_address("192.0.2.1"),
        .spi = 0xc0c1c2c3,
        .protocol = IPSEC_ESP,
    };
    return message;
}

static struct ipc_message resolve(void)
{
    struct ipc_message message = effect_of(EFFECT_RESOLVE);

    message.effect.resolve = (struct effect_resolve){
        .connection = name_of("db"), .family = FAMILY_IPV6, .host = "gw.example.net"};
    return message;
}

struct ipc_message sample_remove_sa(void)
{
    struct ipc_message message = effect_of(EFFECT_REMOVE_SA);

    message.effect.remove_sa = (struct effect_remove_sa){
        .source = policy_address("192.0.2.2"),
        .destination = policy_address("192.0.2.1"),
        .spi = 0xc0c1c2c3,
        .protocol = IPSEC_AH,
    };
    return message;
}

static struct ipc_message policy_effect(enum effect_kind kind)
{
    struct ipc_message message = effect_of(kind);
    struct address local = policy_address("10.1.0.1");
    struct address remote = policy_address("10.2.0.1");

    message.effect.policy = (struct effect_policy){
        .connection = name_of("db"),
        .child = name_of("lan"),
        .local = policy_address("192.0.2.1"),
        .remote = policy_address("192.0.2.2"),
        .local_selector = selector_host(&local),
        .remote_selector = selector_host(&remote),
        .reqid = 0x69001122,
        .policy = POLICY_PREFER,
        .template_count = 2,
        .templates = {{IPSEC_IPCOMP, CHILD_TUNNEL}, {IPSEC_ESP, CHILD_TRANSPORT}},
    };
    message.effect.policy.local_selector.protocol = 6;
    message.effect.policy.local_selector.port_start = 5432;
    message.effect.policy.local_selector.port_end = 5433;
    return message;
}

static struct ipc_message install_policy(void)
{
    return policy_effect(EFFECT_INSTALL_POLICY);
}

static struct ipc_message remove_policy(void)
{
    return policy_effect(EFFECT_REMOVE_POLICY);
}

struct ipc_message sample_remove_orphans(void)
{
    struct ipc_message message = effect_of(EFFECT_REMOVE_ORPHANS);

    message.effect.orphans_of = name_of("db");
    return message;
}

static struct ipc_message reload(void)
{
    return (struct ipc_message){.kind = IPC_RELOAD,
                                .reload = {.number = 77, .dry_run = true, .force = true}};
}

struct ipc_message sample_commit(void)
{
    return (struct ipc_message){.kind = IPC_COMMIT, .commit = 0x01020304};
}

static struct ipc_message bye(void)
{
    return (struct ipc_message){.kind = IPC_BYE};
}

struct ipc_message sample_log_text(void)
{
    return (struct ipc_message){.kind = IPC_LOG,
                                .log = {.severity = SEVERITY_ERROR, .text = "db: it went wrong"}};
}

const struct ipc_sample ipc_samples[IPC_SAMPLES] = {
    {sample_hello, IPC_KEEPER},
    {sample_config_part, IPC_KEEPER},
    {sample_config_end, IPC_KEEPER},
    {sample_answer, IPC_KEEPER},
    {sample_kernel_event, IPC_KEEPER},
    {trouble, IPC_KEEPER},
    {refused, IPC_KEEPER},
    {stop, IPC_KEEPER},
    {sample_psk_auth, IPC_NEGOTIATOR},
    {derive, IPC_NEGOTIATOR},
    {sign, IPC_NEGOTIATOR},
    {verify, IPC_NEGOTIATOR},
    {allocate_spi, IPC_NEGOTIATOR},
    {sample_install_sa, IPC_NEGOTIATOR},
    {find_source, IPC_NEGOTIATOR},
    {move_sa, IPC_NEGOTIATOR},
    {query_sa, IPC_NEGOTIATOR},
    {resolve, IPC_NEGOTIATOR},
    {sample_remove_sa, IPC_NEGOTIATOR},
    {install_policy, IPC_NEGOTIATOR},
    {remove_policy, IPC_NEGOTIATOR},
    {sample_remove_orphans, IPC_NEGOTIATOR},
    {reload, IPC_NEGOTIATOR},
    {sample_commit, IPC_NEGOTIATOR},
    {bye, IPC_NEGOTIATOR},
    {sample_log_text, IPC_NEGOTIATOR},
};
