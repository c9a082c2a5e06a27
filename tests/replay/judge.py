"""The judge: what octoDNS reads from a zone's file, in a form that a transfer can be compared with."""

import functools, logging, re

import dns.name, dns.rdata, dns.rdatatype
from octodns.record import Record
from octodns.yaml import safe_load
from octodns.zone import Zone

# octoDNS tells every leniency on its log; what it cannot read comes as an exception.
logging.disable(logging.CRITICAL)

LEFT_OUT = """- Records that no name server holds (`Route53Provider/ALIAS`) and records marked `ignored` are not compared.
- A zone whose file octoDNS itself cannot read is neither right nor wrong; each is named below. trueup's own checks still ran there.
- TXT is compared string by string with `to_rdata_text()`, which is how octoDNS 1.22 itself makes rrsets: the characters that stand there, `\\;` as `;`, cut at
  255 octets. Its older `chunked_values` puts a backslash before every quote without doubling the backslashes, so for a value that holds `\\"` it is no
  valid master file (`docs/decisions/octodns-txt.md`).
- A host name with a `;` or a blank in it (some CNAMEs here hold a DMARC policy) is compared character by character too: octoDNS' text of it would end at the `;`,
  where a master file begins a comment.
- The SOA record is the name server's own. A zone whose file is gone, or names no servers, keeps those it has: a zone without them is none."""


class Unreadable(Exception):
    """octoDNS cannot read this file."""


def zone_of(name):
    """The zone of a file in `hostedzones/`. A name without a dot, `octodns.yaml`, is octoDNS' own configuration and no zone."""
    found = re.fullmatch(r"(.+\..+)\.yaml", name)
    return found.group(1).lower().rstrip(".") + "." if found else None


def row(owner, ttl, rdata):
    return (owner.to_text().lower(), dns.rdatatype.to_text(rdata.rdtype), ttl, rdata.to_digestable().hex())


@functools.lru_cache(maxsize=4096)
def records(text, zone):
    """What octoDNS reads: a set of (owner, type, ttl, canonical rdata)."""
    found = set()
    try:
        data = safe_load(text, enforce_order=False) or {}
        for name, entries in data.items():
            for entry in entries if isinstance(entries, list) else [entries]:
                if str(entry.get("type", "")).startswith("Route53Provider/") or entry.get("octodns", {}).get("ignored"):
                    continue
                found |= one(zone, "" if name is None else str(name), repr(dict(entry)), lambda: entry)
    except Exception as error:  # octoDNS and dnspython have no common fault
        raise Unreadable(f"{zone} {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}") from error
    return frozenset(found)


KNOWN = {}


def one(zone, name, text, entry):
    """The rows of one record, read once for the same text."""
    key = (zone, name, text)
    if key not in KNOWN:
        record = Record.new(Zone(zone, []), name, {"ttl": 3600, **entry()}, lenient=True)
        owner = dns.name.from_text(record.fqdn).canonicalize()
        values = getattr(record, "values", None) or [record.value]
        KNOWN[key] = frozenset(row(owner, record.ttl, rdata(record._type, value)) for value in values)
    return KNOWN[key]


def rdata(kind, value):
    if kind in ("TXT", "SPF") and not value.isascii():
        # For these octoDNS falls back to its older text, which may hold strings of more than 255 octets.
        octets = value.replace("\\;", ";").encode()
        wire = b"".join(bytes([len(cut)]) + cut for cut in (octets[at : at + 255] for at in range(0, len(octets), 255)))
        return dns.rdata.from_wire("IN", dns.rdatatype.from_text(kind), wire, 0, len(wire))
    text = value.to_rdata_text()
    if kind in ("CNAME", "DNAME", "NS", "PTR") and re.search(r"[;\s]", text) and "\\" not in text:
        wire = dns.name.Name([*(label.encode() for label in text.rstrip(".").split(".")), b""]).to_wire()
        return dns.rdata.from_wire("IN", dns.rdatatype.from_text(kind), wire, 0, len(wire))
    return dns.rdata.from_text("IN", kind, text, origin=dns.name.root, relativize=False)


def name_servers(rows, zone):
    return frozenset(one for one in rows if one[0] == zone and one[1] == "NS")


def faults(zone, wanted, found):
    """How a transferred zone differs from what octoDNS reads."""
    wanted = wanted or frozenset()
    if not name_servers(wanted, zone):
        found = found - name_servers(found, zone)
    if found == wanted:
        return []
    return [f"{zone} differs: {len(found - wanted)} too many {sorted(found - wanted)[:2]}, {len(wanted - found)} missing {sorted(wanted - found)[:2]}"]
