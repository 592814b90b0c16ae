/*
 * What a wrong configuration is told of its values: proposals, selectors, and where the ends are.
 */
#include "test/unit/faults.h"

#define TUNNEL(more)        CHILD("mode = \"tunnel\"; " more)
#define ENDS(local, remote) "connections: { db: { local = " local "; remote = " remote "; }; };"

/* --- Texts and their faults --- */

static const struct fault proposals[] = {
    {CONNECTION("proposals = [];"), "f:1: proposals: 0 of them; expected 1 to 8 proposals such as "
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
    /* One string is not two, though both have the same letters. */
    {"connections: { a: { local = \"192.0.2.1\"; remote = \"192.0.2.2\"; "
     "proposals = [ \"aes256-sha256-x25519\", \"aes128-sha256-x25519\" ]; }; "
     "b: { local = \"192.0.2.1\"; remote = \"192.0.2.3\"; "
     "proposals = [ \"aes256-sha256-x25519 aes128-sha256-x25519\" ]; }; };",
     "f:1: proposals: \"aes256-sha256-x25519 aes128-sha256-x25519\": \"x25519 aes128\": no such "
     "algorithm; the nearest is \"aes128\""},
    {CHILD("esp=\"aes256gcm16-ecp25\";"),
     "f:1: esp: \"aes256gcm16-ecp25\": \"ecp25\": no such algorithm; the nearest is "
     "\"ecp256\""},
};

static const struct fault selectors[] = {
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
    {CHILD("local=\"gre/5\";"), "f:1: local: \"gre/5\": \"gre\" has no ports; expected it alone"},
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
    /* What the kernel could not hold is refused here, not when it is installed. */
    {CHILD("local = \"tcp/1-65534\"; remote = \"tcp/1-65534\";"),
     "f:1: c: 192.0.2.1/32 tcp/1-65534 with 192.0.2.2/32 tcp/1-65534: the pair needs "
     "900 policies in the kernel; expected at most 512"},
    {TUNNEL("local = [ \"10.0.0.0/8\", \"10.0.0.1-10.255.255.254 tcp/1-65534\" ];"),
     "f:1: c: 10.0.0.1-10.255.255.254 tcp/1-65534 with 192.0.2.2/32: the pair needs "
     "1380 policies in the kernel; expected at most 512"},
    {"connections: { db: { local = \"192.0.2.1\"; remote = \"any\"; children: { c: { mode = "
     "\"tunnel\"; local = \"10.0.0.1-10.255.255.254 udp/1-65534\"; }; }; }; };",
     "f:1: c: 10.0.0.1-10.255.255.254 udp/1-65534 with 0.0.0.0/32: the pair needs "
     "1380 policies in the kernel; expected at most 512"},
    {TUNNEL("local = \"::1-ffff::ffff\"; remote = \"::/0\";"),
     "f:1: c: ::1-ffff::ffff: the range needs 143 prefixes in the kernel; expected at most 64"},
    {TUNNEL("local=\"\";"),
     "f:1: local: \"\": no such protocol; the nearest is \"tcp\", a number from 1 to 255 "
     "does as well"},
    {CHILD("local = [ " ONES ONES ONES ONES "\"1\" ];"),
     "f:1: local: 17 of them; expected 1 to 16 selectors such as \"10.1.0.0/16\", "
     "\"10.0.0.5 tcp/5432\", \"sctp\""},
    {TUNNEL("local = \"10.0.0.0/8 dcpc\";"),
     "f:1: local: \"10.0.0.0/8 dcpc\": \"dcpc\": no such protocol; the nearest is \"dccp\", a "
     "number from 1 to 255 does as well"},
    {CHILD("local = \"tcp\"; remote = [ \"tcp\", \"udp\" ];"),
     "f:1: c: remote \"192.0.2.2/32 udp\" has no counterpart; expected a local selector of its "
     "family and protocol"},
};

static const struct fault ends[] = {
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
    {ENDS("{ id = \"x\"; }", "\"any\""), "f:1: local: no address; expected address = \"ADDRESS\";"},
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
    {"connections: { db: { local = \"a\\nb\"; remote = \"any\"; }; };",
     "f:1: local: \"a?b\"; expected an address "
     "such as \"192.0.2.1\" or \"2001:db8::1\", or \"any\""},
};

/* With remote = "any", a name or several addresses the peer's own is not known. */
static const struct fault peers_without_an_address[] = {
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
     "f:1: remote: \"10.0.0.0/8\": transport mode with remote = \"any\", a name or "
     "several addresses; expected no such key: it is the peer's own address"},
    {"connections: { db: { local = \"192.0.2.1\"; remote = \"any\";\n"
     "  children: { c: { mode = \"tunnel\"; local = \"2001:db8::/32\"; }; }; }; };",
     "f:2: c: local \"2001:db8::/32\" has no counterpart; expected a remote selector of its "
     "family and protocol"},
    {"connections: { db: { local = \"192.0.2.1\"; remote = \"gw.example\"; children: { c: { "
     "remote = \"192.0.2.2 tcp/5\"; }; }; }; };",
     "f:1: remote: \"192.0.2.2 tcp/5\": transport mode with remote = \"any\", a name or several "
     "addresses; expected no such key: it is the peer's own address"},
};

/* --- The tests --- */

static void faults_in_proposals(void **state)
{
    (void)state;
    walk_faults(proposals, sizeof(proposals) / sizeof(proposals[0]));
}

static void faults_in_selectors(void **state)
{
    (void)state;
    walk_faults(selectors, sizeof(selectors) / sizeof(selectors[0]));
}

static void faults_in_ends(void **state)
{
    (void)state;
    walk_faults(ends, sizeof(ends) / sizeof(ends[0]));
}

static void faults_in_peers_without_an_address(void **state)
{
    (void)state;
    walk_faults(peers_without_an_address,
                sizeof(peers_without_an_address) / sizeof(peers_without_an_address[0]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(faults_in_proposals),
        cmocka_unit_test(faults_in_selectors),
        cmocka_unit_test(faults_in_ends),
        cmocka_unit_test(faults_in_peers_without_an_address),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
