# A wire that disturbs: takes the IKE fragments (RFC 7383) that come in at one port
# of the bridge, which nftables keeps from crossing it, and sends those of a message
# out at another port once all are there: the first message's in the first of all
# orders, the next one's in the second, ..., each time with one of them twice.
#
#   reorder.py FROM TO     prints a line per message: its SPI, and the order
import itertools
import socket
import struct
import sys

ETHERNET, UDP, IKE, GENERIC = 14, 8, 28, 4
NEXT_AT, SKF = 16, 53


def fragment(frame):
    """(the message's key, number, total) of a fragment over IPv4; None for all else."""
    if frame[12:14] != b"\x08\x00" or frame[23] != 17:
        return None
    ike = ETHERNET + (frame[ETHERNET] & 15) * 4 + UDP
    if len(frame) < ike + IKE + GENERIC + 4 or frame[ike + NEXT_AT] != SKF:
        return None
    number, total = struct.unpack_from("!HH", frame, ike + IKE + GENERIC)
    return frame[ike:ike + 8] + frame[ike + 20:ike + 24], number, total


def without_checksum(frame):
    """Between virtual links the sender leaves UDP's checksum to be filled in; over IPv4 0 is none."""
    at = ETHERNET + (frame[ETHERNET] & 15) * 4 + 6
    return frame[:at] + b"\0\0" + frame[at + 2:]


def with_duplicate(order, index):
    """One of them again, some places behind itself: which, and how far, goes on with the orders."""
    at = index % len(order)
    place = at + 1 + index // len(order) % (len(order) - at)
    return [*order[:place], order[at], *order[place:]]


def main(source, target):
    taken = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    taken.bind((source, 3))
    out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    out.bind((target, 0))
    waiting, orders = {}, {}
    print("listening", flush=True)
    while True:
        frame, address = taken.recvfrom(65536)
        found = fragment(frame) if address[2] != socket.PACKET_OUTGOING else None
        if not found:
            continue
        key, number, total = found
        parts = waiting.setdefault(key, {})
        parts[number] = without_checksum(frame)
        if len(parts) < total:
            continue
        index = orders.setdefault(key, len(orders))
        every = list(itertools.permutations(range(1, total + 1)))
        sent = with_duplicate(every[index % len(every)], index)
        for n in sent:
            out.send(parts[n])
        del waiting[key]
        print(key[:8].hex(), *sent, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
