/*
 * What a wrong configuration is told: one line with file, line, key, what stood there and what was
 * expected (lib/policy/config.h).
 */
#include "lib/policy/config.h"

#include <stdlib.h>

#include "test/unit/policy.h"

#define CONNECTION(more)    TWO_HOSTS(more)
#define CHILD(more)         CONNECTION("children: { c: { " more " }; };")
#define TUNNEL(more)        CHILD("mode = \"tunnel\"; " more)
#define DAEMON(more)        "daemon: { " more " };"
#define ONES                "\"1\", \"1\", \"1\", \"1\", "
#define ENDS(local, remote) "connections: { db: { local = " local "; remote = " remote "; }; };"

static void assert_error(struct slice text, const char *expected)
{
    struct config_text file = {"f", text};
    char error[CONFIG_ERROR_MAX];
    struct config *config = config_parse(&file, 1, error);

    if (config != NULL)
        fail_msg("taken, instead of: %s", expected);
    assert_string_equal(error, expected);
}

static void each_fault_has_its_line(void **state)
{
    static const struct {
        const char *text;
        const char *error;
    } rows[] = {
        {"a = 1;", "f:1: a: no such key; the nearest is \"daemon\""},
        {"conections: {};", "f:1: conections: no such key; the nearest is \"connections\""},
        {"rules: { a: {}; };",
         "f:1: rules: not supported by this version; expected to be left out"},
        {"secrets: ();", "f:1: secrets: secrets in a configuration; expected them in secrets.conf"},
        {"connections = 1;", "f:1: connections: 1; expected a group: connections: { ... };"},
        {"connections: { db = 1; };", "f:1: db: 1; expected a group: db: { ... };"},
        {"connections: { d*b: { }; };",
         "f:1: d*b: a name with '*'; expected letters, digits, '-' and '_'"},
        {"connections: { a234567890123456789012345678901234567890123456789012345678901234: {}; };",
         "f:1: a234567890123456789012345678901234567890123456789012345678901234: a name of 64 "
         "characters; expected at most 63"},
        {CONNECTION("lifetme = 1;"), "f:1: lifetme: no such key; the nearest is \"lifetime\""},
        {CONNECTION("liveness = \"never\";"),
         "f:1: liveness: \"never\"; expected a time from 0 to 1d, such as \"90s\", \"15m\", "
         "\"8h\", \"2d\""},
        {CONNECTION("on_dead = \"stop\";"),
         "f:1: on_dead: \"stop\"; expected \"trap\", \"restart\" or \"clear\""},
        {CONNECTION("on_dead = \"clear\";"),
         "f:1: on_dead: \"clear\" would send what child db requires to be protected in the clear; "
         "expected \"trap\" or \"restart\", or policy = \"prefer\" in every child"},
        {CONNECTION("version = 1;"), "f:1: version: 1: not supported by this version; expected 2"},
        {CONNECTION("version = 3;"), "f:1: version: 3; expected 2"},
        {CONNECTION("version=\"2\";"), "f:1: version: \"2\"; expected 2"},
        {CONNECTION("children_max = 65;"),
         "f:1: children_max: 65; expected a number from 1 to 64"},
        {CONNECTION("reauth = \"5s\";"), "f:1: reauth: \"5s\"; expected a time from 1m to 365d, such as \"90s\", \"15m\", \"8h\", "
                                    "\"2d\""},
        {CONNECTION("sas_max = 0;"), "f:1: sas_max: 0; expected a number from 1 to 10000"},
        {CONNECTION("lifetime = 0;"),
         "f:1: lifetime: 0; expected a time from 1m to 365d, such as \"90s\", \"15m\", \"8h\", "
         "\"2d\""},
        {CONNECTION("lifetime = \"59s\";"),
         "f:1: lifetime: \"59s\"; expected a time from 1m to 365d, such as \"90s\", \"15m\", "
         "\"8h\", \"2d\""},
        {CONNECTION("lifetime = \"8x\";"),
         "f:1: lifetime: \"8x\"; expected a time from 1m to 365d, such as \"90s\", \"15m\", "
         "\"8h\", \"2d\""},
        {CONNECTION("lifetime = -5;"),
         "f:1: lifetime: -5; expected a time from 1m to 365d, such as \"90s\", \"15m\", \"8h\", "
         "\"2d\""},
        {CONNECTION("lifetime = \"400d\";"),
         "f:1: lifetime: \"400d\"; expected a time from 1m to 365d, such as \"90s\", \"15m\", "
         "\"8h\", \"2d\""},
        {CONNECTION("lifetime = 1.5;"),
         "f:1: lifetime: 1.5; expected a time from 1m to 365d, such as \"90s\", \"15m\", "
         "\"8h\", \"2d\""},
        {CONNECTION("lifetime=\"99999999999999999999s\";"),
         "f:1: lifetime: \"99999999999999999999s\"; expected a time from 1m to 365d, such as "
         "\"90s\", \"15m\", \"8h\", \"2d\""},
        {CONNECTION("mobike = true;"),
         "f:1: mobike: true, and child db is in transport mode; expected false, or mode = \"tunnel\""},
        {CONNECTION("mobike = 1;"), "f:1: mobike: 1; expected true or false"},
        {CONNECTION("childless = \"force\";"),
         "f:1: childless: \"force\"; expected true or false"},
        {CONNECTION("encapsulate = 1;"), "f:1: encapsulate: 1; expected true or false"},
        {CONNECTION("keepalive = \"1s\";"),
         "f:1: keepalive: \"1s\"; expected a time from 5s to 1h, such as \"90s\", \"15m\", \"8h\", "
         "\"2d\""},
        {CONNECTION("fragmentation = \"yes\";"),
         "f:1: fragmentation: \"yes\"; expected true or false"},
        {CONNECTION("fragment_size = 575;"),
         "f:1: fragment_size: 575; expected a number from 576 to 65535"},
        {CONNECTION("fragment_size = 65536;"),
         "f:1: fragment_size: 65536; expected a number from 576 to 65535"},
        {CONNECTION("weak = 1;"), "f:1: weak: 1; expected true or false"},
        {CONNECTION("proposals = [];"),
         "f:1: proposals: 0 of them; expected 1 to 8 proposals such as "
         "\"aes256gcm16-prfsha384-x25519\""},
        {CONNECTION("proposals = 5;"),
         "f:1: proposals: 5; expected proposals such as \"aes256gcm16-prfsha384-x25519\""},
        {CONNECTION("proposals = [1,2];"),
         "f:1: proposals: 1; expected proposals such as \"aes256gcm16-prfsha384-x25519\""},
        {CONNECTION("proposals = ( \"aes256gcm16-prfsha256-x25519\", 5 );"),
         "f:1: proposals: 5; expected proposals such as \"aes256gcm16-prfsha384-x25519\""},
        {CONNECTION("proposals = \"aes257\";"),
         "f:1: proposals: \"aes257\": no such algorithm; the nearest is \"aes256\""},
        {CONNECTION("proposals = \"aes256gcm16-sha256-x25518\";"),
         "f:1: proposals: \"aes256gcm16-sha256-x25518\": \"x25518\": no such algorithm; the "
         "nearest is \"x25519\""},
        {CONNECTION("proposals = \"aes256-sha1-modp2048\";"),
         "f:1: proposals: \"aes256-sha1-modp2048\": \"sha1\" is weak; expected a stronger one, "
         "or weak = true on the connection"},
        {CONNECTION("proposals=\"aes256gcm16-aes128-sha256-x25519\";"),
         "f:1: proposals: \"aes256gcm16-aes128-sha256-x25519\": AEADs and other ciphers; "
         "expected them in proposals of their own"},
        {CONNECTION("proposals = \"aes128-x25519\";"),
         "f:1: proposals: \"aes128-x25519\": no integrity algorithm beside \"aes128\"; expected "
         "one such as \"sha256\""},
        {CONNECTION("proposals=\"aes256gcm16-x25519\";"),
         "f:1: proposals: \"aes256gcm16-x25519\": no PRF; expected one such as \"prfsha384\""},
        {CONNECTION("proposals=\"aes256gcm16-prfsha256\";"),
         "f:1: proposals: \"aes256gcm16-prfsha256\": no key exchange; expected one such as "
         "\"x25519\""},
        {CONNECTION("proposals=\"x25519\";"),
         "f:1: proposals: \"x25519\": no cipher; expected one such as \"aes256gcm16\""},
        {CONNECTION("proposals=\"aes256gcm16-sha256-prfsha256-x25519\";"),
         "f:1: proposals: \"aes256gcm16-sha256-prfsha256-x25519\": \"sha256\" beside a PRF and "
         "an AEAD; expected no integrity algorithm"},
        {CONNECTION("proposals=\"aes128-aes128-sha256-x25519\";"),
         "f:1: proposals: \"aes128-aes128-sha256-x25519\": \"aes128\" stands there twice; "
         "expected it once"},
        {CONNECTION("proposals=\"aes256gcm16--x25519\";"),
         "f:1: proposals: \"aes256gcm16--x25519\": an algorithm is missing; expected them "
         "joined by single '-'"},
        {CONNECTION("proposals=\"\";"),
         "f:1: proposals: \"\": an algorithm is missing; expected them joined by single '-'"},
        {CONNECTION("proposals=\"aes256gcm16-prfsha256-x25519-esn\";"),
         "f:1: proposals: \"aes256gcm16-prfsha256-x25519-esn\": \"esn\" is for ESP; expected it "
         "in esp"},
        {CONNECTION("proposals=\"null-sha256-x25519\";"),
         "f:1: proposals: \"null-sha256-x25519\": \"null\" is for ESP; expected a cipher such "
         "as \"aes256gcm16\""},
        {CONNECTION("children: {};"), "f:1: children: 0 of them; expected 1 to 64, or no such key"},
        {CONNECTION("children = 4;"), "f:1: children: 4; expected a group: children: { ... };"},
        {CONNECTION("children: { c = 5; };"), "f:1: c: 5; expected a group: c: { ... };"},
        {CHILD("mdoe = \"tunnel\";"), "f:1: mdoe: no such key; the nearest is \"mode\""},
        {CHILD("mode = \"tunel\";"), "f:1: mode: \"tunel\"; expected \"transport\" or \"tunnel\""},
        {CHILD("mode = 5;"), "f:1: mode: 5; expected \"transport\" or \"tunnel\""},
        {CHILD("start = \"sometimes\";"),
         "f:1: start: \"sometimes\"; expected \"traffic\", \"immediate\" or \"never\""},
        {CHILD("policy = \"bypass\";"),
         "f:1: policy: \"bypass\"; expected \"require\" or \"prefer\""},
        {CHILD("mode = \"tunnel\"; policy = \"prefer\";"),
         "f:1: policy: \"prefer\" in tunnel mode; expected \"require\", or mode = \"transport\""},
        {CHILD("ah = [ \"sha256\" ];"),
         "f:1: ah: not supported by this version; expected to be left out"},
        {CHILD("ipcomp = true;"),
         "f:1: ipcomp: not supported by this version; expected to be left out"},
        {CHILD("offload = \"auto\";"),
         "f:1: offload: not supported by this version; expected to be left out"},
        {CHILD("replay_window = 5000;"),
         "f:1: replay_window: 5000; expected a number from 0 to 4096"},
        {CHILD("replay_window = 0; esp = \"aes256gcm16-esn\";"),
         "f:1: replay_window: 0 with \"esn\" in esp; expected at least 1, or \"noesn\""},
        {CHILD("bytes = \"64Q\";"),
         "f:1: bytes: \"64Q\"; expected a size from 1 up, such as \"512M\", \"64G\""},
        {CHILD("bytes = 0;"),
         "f:1: bytes: 0; expected a size from 1 up, such as \"512M\", \"64G\""},
        {CHILD("packets = 5000000000;"),
         "f:1: 5000000000: does not fit 32 bits; expected an L behind it: 5000000000L"},
        {CHILD("packets = \"5\";"), "f:1: packets: \"5\"; expected a number from 1 up"},
        {CHILD("lifetime = \"10s\";"),
         "f:1: lifetime: \"10s\"; expected a time from 1m to 365d, such as \"90s\", \"15m\", "
         "\"8h\", \"2d\""},
        {CHILD("esp = \"aes256\";"),
         "f:1: esp: \"aes256\": no integrity algorithm beside \"aes256\"; expected one such as "
         "\"sha256\""},
        {CHILD("esp = \"aes256gcm16-sha256\";"),
         "f:1: esp: \"aes256gcm16-sha256\": \"sha256\" beside an AEAD; expected no integrity "
         "algorithm"},
        {CHILD("esp=\"aes256gcm16-prfsha256\";"),
         "f:1: esp: \"aes256gcm16-prfsha256\": \"prfsha256\" is for IKE; expected no PRF in esp"},
        {CHILD("esp = \"aes257\";"),
         "f:1: esp: \"aes257\": no such algorithm; the nearest is \"aes256\""},
        {CHILD("esp=\"aes256gcm16-ecp25\";"),
         "f:1: esp: \"aes256gcm16-ecp25\": \"ecp25\": no such algorithm; the nearest is "
         "\"ecp256\""},
        {CHILD("local = \"10.0.0.1\";"),
         "f:1: local: \"10.0.0.1\": not within the connection's own address; expected "
         "\"192.0.2.1\" in transport mode, or mode = \"tunnel\""},
        {CHILD("local = \"tcp/22\"; remote = \"udp\";"),
         "f:1: c: local \"192.0.2.1/32 tcp/22\" has no counterpart; expected a remote selector "
         "of its family and protocol"},
        {CHILD("local = \"192.0.2.1 tcp/99999\";"),
         "f:1: local: \"192.0.2.1 tcp/99999\": no ports behind \"tcp/\"; expected a number or a "
         "range, 0 to 65535"},
        {CHILD("local = \"tpc/22\";"),
         "f:1: local: \"tpc/22\": \"tpc\": no such protocol; the nearest is \"tcp\", a number "
         "from 1 to 255 does as well"},
        {CHILD("local=\"gre/5\";"),
         "f:1: local: \"gre/5\": \"gre\" has no ports; expected it alone"},
        {CHILD("local=\"tcp/20-10\";"),
         "f:1: local: \"tcp/20-10\": no ports behind \"tcp/\"; expected a number or a range, 0 "
         "to 65535"},
        {CHILD("local = [];"),
         "f:1: local: 0 of them; expected 1 to 16 selectors such as \"10.1.0.0/16\", \"10.0.0.5 "
         "tcp/5432\", \"sctp\""},
        {CHILD("local=\"icmp/300\";"),
         "f:1: local: \"icmp/300\": no types behind \"icmp/\"; expected a number or a range, 0 "
         "to 255"},
        {TUNNEL("local = \"10.1.0.5/16\";"),
         "f:1: local: \"10.1.0.5/16\": bits behind the prefix are set; expected \"10.1.0.0/16\""},
        {TUNNEL("local = \"10.1.0.0/33\";"),
         "f:1: local: \"10.1.0.0/33\": \"/33\": no prefix length; expected /0 to /32"},
        {TUNNEL("local=\"10.1.0\";"),
         "f:1: local: \"10.1.0\": no address; expected one such as \"10.1.0.0/16\", "
         "\"[2001:db8::1]/128\" or \"10.0.0.1-10.0.0.9\""},
        {TUNNEL("local=\"2001:db8::/32\";"),
         "f:1: c: local \"2001:db8::/32\" has no counterpart; expected a remote selector of its "
         "family and protocol"},
        {TUNNEL("local=\"10.0.0.9-10.0.0.1\";"),
         "f:1: local: \"10.0.0.9-10.0.0.1\": the range ends before it begins; expected the "
         "lower one first"},
        {TUNNEL("local=\"10.0.0.9-2001:db8::1\";"),
         "f:1: local: \"10.0.0.9-2001:db8::1\": IPv4 and IPv6 in one range; expected one of them"},
        {TUNNEL("local=\"[10.0.0.1]/32\";"),
         "f:1: local: \"[10.0.0.1]/32\": \"[10.0.0.1]\": no address; expected one such as "
         "\"10.1.0.0/16\", \"[2001:db8::1]/128\" or \"10.0.0.1-10.0.0.9\""},
        {TUNNEL("local=\"tcp 10.0.0.1\";"),
         "f:1: local: \"tcp 10.0.0.1\": no address before the blank; expected \"ADDRESS "
         "PROTOCOL\""},
        {TUNNEL("local=\"10.0.0.1 300\";"),
         "f:1: local: \"10.0.0.1 300\": \"300\": no such protocol; the nearest is \"tcp\", a "
         "number from 1 to 255 does as well"},
        {TUNNEL("local = {};"),
         "f:1: local: a group; expected selectors such as \"10.1.0.0/16\", \"10.0.0.5 "
         "tcp/5432\", \"sctp\""},
        {TUNNEL("remote = \"10.0.0.0/8 tcp\"; local = [\"10.0.0.0/8 tcp/5\", \"10.0.0.0/8 "
                "udp/5\"];"),
         "f:1: c: local \"10.0.0.0/8 udp/5\" has no counterpart; expected a remote selector of "
         "its family and protocol"},
        {TUNNEL("local=\"10.0.0.0/8 tcp/\";"),
         "f:1: local: \"10.0.0.0/8 tcp/\": no ports behind \"tcp/\"; expected a number or a "
         "range, 0 to 65535"},
        {TUNNEL("local=\"\";"),
         "f:1: local: \"\": no such protocol; the nearest is \"tcp\", a number from 1 to 255 "
         "does as well"},
        {CHILD("local = [ " ONES ONES ONES ONES "\"1\" ];"),
         "f:1: local: 17 of them; expected 1 to 16 selectors such as \"10.1.0.0/16\", "
         "\"10.0.0.5 tcp/5432\", \"sctp\""},
        {ENDS("\"192.0.2.1\"", "\"2001:db8::1\""),
         "f:1: remote: \"2001:db8::1\"; expected an IPv4 address, as local is"},
        {ENDS("\"192.0.2.1\"", "\"192.0.2.1\""),
         "f:1: remote: \"192.0.2.1\"; expected an address that is not local's"},
        {ENDS("\"any\"", "\"192.0.2.1\""),
         "f:1: local: \"any\" without an id; expected local = { address = \"any\"; id = \"ID\"; };"},
        {ENDS("{ address = \"any\"; id = \"a.example\"; }", "\"192.0.2.1\""),
         "f:1: db: local = \"any\" without children; expected children with mode = \"tunnel\" and "
         "local selectors"},
        {"connections: { db: { local = { address = \"any\"; id = \"a.example\"; }; remote = "
         "\"192.0.2.1\"; children: { c: { mode = \"tunnel\"; }; }; }; };",
         "f:1: c: local = \"any\" in connection db; expected mode = \"tunnel\" and a local selector "
         "such as \"10.1.0.0/16\""},
        {ENDS("\"gw.example\"", "\"any\""),
         "f:1: local: \"gw.example\"; expected an "
         "address such as \"192.0.2.1\" or \"2001:db8::1\", or \"any\""},
        {ENDS("\"192.0.2.300\"", "\"any\""),
         "f:1: local: \"192.0.2.300\"; expected an address such as \"192.0.2.1\" or "
         "\"2001:db8::1\", or \"any\""},
        {ENDS("\"0.0.0.0\"", "\"any\""),
         "f:1: local: \"0.0.0.0\": no host's own address; expected an address such as "
         "\"192.0.2.1\" or \"2001:db8::1\", or \"any\""},
        {ENDS("\"224.0.0.1\"", "\"any\""),
         "f:1: local: \"224.0.0.1\": no host's own address; expected an address such as "
         "\"192.0.2.1\" or \"2001:db8::1\", or \"any\""},
        {ENDS("5", "\"any\""),
         "f:1: local: 5; expected an address such as \"192.0.2.1\" or \"2001:db8::1\", or \"any\""},
        {ENDS("{ id = \"x\"; }", "\"any\""),
         "f:1: local: no address; expected address = \"ADDRESS\";"},
        {ENDS("{ address=\"192.0.2.1\"; adress = 5; }", "\"any\""),
         "f:1: adress: no such key; the nearest is \"address\""},
        {ENDS("{ address=\"192.0.2.1\"; auth = \"cert\"; }", "\"any\""),
         "f:1: auth: \"cert\": not supported by this version; expected \"psk\""},
        {ENDS("{ address=\"192.0.2.1\"; auth = \"pks\"; }", "\"any\""),
         "f:1: auth: \"pks\"; expected \"psk\""},
        {ENDS("{ address=\"192.0.2.1\"; cert = \"x\"; }", "\"any\""),
         "f:1: cert: not supported by this version; expected to be left out"},
        {ENDS("{ address=\"192.0.2.1\"; id = \"any\"; }", "\"any\""),
         "f:1: id: \"any\"; expected an address, \"host.name\", \"user@host\", "
         "\"keyid:text\" or \"@#hex\""},
        {ENDS("{ address=\"192.0.2.1\"; id = \"C=DE, O=x\"; }", "\"any\""),
         "f:1: id: \"C=DE, O=x\"; expected an address, \"host.name\", \"user@host\", "
         "\"keyid:text\" or \"@#hex\""},
        {"connections: { db: { remote = \"192.0.2.2\"; }; };",
         "f:1: db: no local; expected local = \"ADDRESS\";"},
        {"connections: { db: { local = \"192.0.2.2\"; }; };",
         "f:1: db: no remote; expected remote = \"ADDRESS\";"},
        {"connections: { db: { local = \"192.0.2.1\"; remote = \"any\"; on_dead = \"restart\"; }; };",
         "f:1: on_dead: \"restart\" with remote = \"any\", where only the peer can start; expected "
         "\"trap\""},
        {"connections: { db: { local = \"192.0.2.1\"; remote = \"any\"; children: { c: { start "
         "= \"traffic\"; }; }; }; };",
         "f:1: start: \"traffic\"; expected \"never\", because with remote = \"any\" only the "
         "peer can start"},
        {"connections: { db: { local = \"192.0.2.1\"; remote = \"any\"; children: { c: { remote "
         "= \"tcp/22\"; }; }; }; };",
         "f:1: remote: \"tcp/22\": no address, and the peer's is not known; expected \"ADDRESS "
         "PROTOCOL\""},
        {"connections: { db: { local = \"192.0.2.1\"; remote = \"any\"; children: { c: { remote "
         "= \"10.0.0.0/8\"; }; }; }; };",
         "f:1: remote: \"10.0.0.0/8\": transport mode with remote = \"any\", a name or several addresses; expected no such "
         "key: it is the peer's own address"},
        {DAEMON("half_open_max = 0;"),
         "f:1: half_open_max: 0; expected a number from 1 to 10000000"},
        {DAEMON("source_half_open_max = 0;"),
         "f:1: source_half_open_max: 0; expected a number from 1 to 10000000"},
        {DAEMON("source_cookie_threshold = 0;"),
         "f:1: source_cookie_threshold: 0; expected a number from 1 to 10000000"},
        {DAEMON("half_open_lifetime = \"2h\";"),
         "f:1: half_open_lifetime: \"2h\"; expected a time from 1s to 1h, such as \"90s\", "
         "\"15m\", \"8h\", \"2d\""},
        {DAEMON("retransmit = \"1ms\";"),
         "f:1: retransmit: \"1ms\"; expected a time from 10ms to 1m, such as \"500ms\", \"1s\""},
        {DAEMON("retransmit = \"1s\"; retransmit_ms = 5;"),
         "f:1: retransmit_ms: stands beside retransmit; expected one of them"},
        {DAEMON("retransmit_tries = 31;"),
         "f:1: retransmit_tries: 31; expected a number from 1 to 30"},
        {DAEMON("on_exit = \"kep\";"), "f:1: on_exit: \"kep\"; expected \"keep\" or \"clear\""},
        {DAEMON("oops = 1;"), "f:1: oops: no such key; the nearest is \"on_exit\""},
        {DAEMON("") "\n" DAEMON(""),
         "f:2: duplicate setting name at \"daemon: {  };\"; expected \"name = value;\" or "
         "\"name: { ... };\", each name once in its group"},
        {"daemon = 1;", "f:1: daemon: 1; expected a group: daemon: { ... };"},
        {"connections: {\n  db: { local = \"192.0.2.1\" remote };\n};",
         "f:2: syntax error at \"db: { local = \"192.0.2.1\" remote };\"; expected \"name = "
         "value;\" or \"name: { ... };\""},
        {"a = 1;\na = 2;",
         "f:2: duplicate setting name at \"a = 2;\"; expected \"name = value;\" or \"name: { "
         "... };\", each name once in its group"},
        {"x = \"abc",
         "f:1: syntax error at \"x = \"abc\"; expected \"name = value;\" or \"name: { ... };\""},
        {"@include \"/etc/passwd\"",
         "f:1: @include: not supported; expected files in conf.d instead"},
        {"\n  @include \"x\"", "f:2: @include: not supported; expected files in conf.d instead"},
        {"\n\na = 99999999999;",
         "f:3: 99999999999: does not fit 32 bits; expected an L behind it: 99999999999L"},
        {CONNECTION("LIFETIME = 1;"), "f:1: LIFETIME: no such key; the nearest is \"lifetime\""},
        {CONNECTION("lifetime = \"18446744073709551736s\";"),
         "f:1: lifetime: \"18446744073709551736s\"; expected a time from 1m to 365d, such as "
         "\"90s\", \"15m\", \"8h\", \"2d\""},
        {TUNNEL("local = \"10.0.0.0/8 dcpc\";"),
         "f:1: local: \"10.0.0.0/8 dcpc\": \"dcpc\": no such protocol; the nearest is \"dccp\", a "
         "number from 1 to 255 does as well"},
        {CHILD("local = \"tcp\"; remote = [ \"tcp\", \"udp\" ];"),
         "f:1: c: remote \"192.0.2.2/32 udp\" has no counterpart; expected a local selector of its "
         "family and protocol"},
        {"connections: { db: { local = \"192.0.2.1\"; remote = \"any\";\n"
         "  children: { c: { mode = \"tunnel\"; local = \"2001:db8::/32\"; }; }; }; };",
         "f:2: c: local \"2001:db8::/32\" has no counterpart; expected a remote selector of its "
         "family and protocol"},
        {"a = 2147483648;",
         "f:1: 2147483648: does not fit 32 bits; expected an L behind it: 2147483648L"},
        {"a = 0x1ffffffff;",
         "f:1: 0x1ffffffff: does not fit 32 bits; expected an L behind it: 0x1ffffffffL"},
        {"a = \"99999999999\"; # 99999999999\nb1 = 1; /* 99999999999 */",
         "f:1: a: no such key; the nearest is \"daemon\""},
        {"((((", "f:1: syntax error at \"((((\"; expected \"name = value;\" or \"name: { ... };\""},
        {"a:{ b:{ c = \"\\x1b\"; }; };", "f:1: a: no such key; the nearest is \"daemon\""},
        {"connections: { db: { local = \"192.0.2.1\"; remote = "
         "\"a-very-long-name-that-has-more-than-sixty-characters.example.net.and-so-on-\"; }; };",
         "f:1: remote: \"a-very-long-name-that-has-more-than-sixty-characters.example...\"; "
         "expected an address such as \"192.0.2.1\" or \"2001:db8::1\", a host's name, or "
         "\"any\" alone"},
        {"connections: { db: { local = \"192.0.2.1\"; remote = [ \"192.0.2.2\", \"any\" ]; }; };",
         "f:1: remote: \"any\"; expected an address such as \"192.0.2.1\" or \"2001:db8::1\", a "
         "host's name, or \"any\" alone"},
        {"connections: { db: { local = \"192.0.2.1\"; remote = [ \"gw\", \"192.0.2.1\" ]; }; };",
         "f:1: remote: \"192.0.2.1\"; expected an address that is not local's"},
        {"connections: { db: { local = \"192.0.2.1\"; remote = [ \"192.0.2.2\", \"::2\" ]; }; };",
         "f:1: remote: \"::2\"; expected an IPv4 address, as local is"},
        {"connections: { db: { local = \"192.0.2.1\"; remote = [ " ONES ONES "\"1\" ]; }; };",
         "f:1: remote: 9 of them; expected 1 to 8 addresses such as \"192.0.2.1\" or names of "
         "hosts"},
        {"connections: { db: { local = \"192.0.2.1\"; remote = \"gw.example\"; children: { c: { "
         "remote = \"192.0.2.2 tcp/5\"; }; }; }; };",
         "f:1: remote: \"192.0.2.2 tcp/5\": transport mode with remote = \"any\", a name or several "
         "addresses; expected no such key: it is the peer's own address"},
        {"connections: { db: { local = \"a\\nb\"; remote = \"any\"; }; };",
         "f:1: local: \"a?b\"; expected an address "
         "such as \"192.0.2.1\" or \"2001:db8::1\", or \"any\""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_error(slice_text(rows[i].text), rows[i].error);
}

/* libconfig gives a string the line of the token behind it: here the comma's. */
static void the_line_is_that_of_the_culprit(void **state)
{
    (void)state;
    assert_error(slice_text("connections:\n{\n  db:\n  {\n    local = \"192.0.2.1\";\n"
                            "    remote = \"192.0.2.2\";\n    proposals = [\n"
                            "      \"aes256gcm16-prfsha384-x25519\",\n      \"aes257\",\n"
                            "      \"aes256gcm16-prfsha384-ecp256\"\n    ];\n"
                            "  };\n};\n"),
                 "f:9: proposals: \"aes257\": no such algorithm; the nearest is \"aes256\"");
}

static void a_nul_is_no_text(void **state)
{
    (void)state;
    assert_error(slice_of("daemon: {};\n\0rest", 17), "f:2: a NUL octet; expected text");
}

/* The parser's stack ends, ours does not overflow. */
static void depth_is_a_fault_and_no_crash(void **state)
{
    struct slice deep = bytes_fill('(', 1000000);
    uint8_t *text = malloc(deep.size);

    (void)state;
    assert_non_null(text);
    memcpy(text, deep.data, deep.size);
    memcpy(text, "a=", 2);
    struct config_text file = {"f", slice_of(text, deep.size)};
    char error[CONFIG_ERROR_MAX];
    assert_null(config_parse(&file, 1, error));
    assert_memory_equal(error, "f:1: ", 5);
    free(text);
}

/* Whatever stood there, it is one printable line that fits. */
static void long_values_are_cut(void **state)
{
    char text[6000] = "connections: { db: { local = \"192.0.2.1\"; remote = \"";
    size_t used = strlen(text);
    char error[CONFIG_ERROR_MAX];

    (void)state;
    memset(text + used, 'x', 5000);
    strcpy(text + used + 5000, "\"; }; };");
    struct config_text file = {"f", slice_text(text)};
    assert_null(config_parse(&file, 1, error));
    assert_string_equal(
        error, "f:1: remote: \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
               "xxxxxxxxxxxxxxxxxx...\"; expected an "
               "address such as \"192.0.2.1\" or \"2001:db8::1\", a host's name, or \"any\" "
               "alone");
}

static void numbers_in_strings_and_comments_are_nobody_s(void **state)
{
    (void)state;
    config_free(policy_config("/* 99999999999\n \" */ # 99999999999 \"\n// 99999999999\n"
                              "daemon: { on_exit = \"ke\" \"ep\"; };"));
    assert_error(slice_text("daemon: { on_exit = \"\\\"99999999999\"; };"),
                 "f:1: on_exit: \"\"99999999999\"; expected \"keep\" or \"clear\"");
    assert_error(slice_text("daemon: { on_exit = \"a\nb\";\n half_open_max = 99999999999; };"),
                 "f:3: 99999999999: does not fit 32 bits; expected an L behind it: 99999999999L");
    assert_error(slice_text("daemon: { n99999999999 = 99999999999L; };"),
                 "f:1: n99999999999: no such key; the nearest is \"retransmit\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_fault_has_its_line),
        cmocka_unit_test(the_line_is_that_of_the_culprit),
        cmocka_unit_test(a_nul_is_no_text),
        cmocka_unit_test(depth_is_a_fault_and_no_crash),
        cmocka_unit_test(long_values_are_cut),
        cmocka_unit_test(numbers_in_strings_and_comments_are_nobody_s),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
