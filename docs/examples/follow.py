# Follows the topology through any node, and prints the members whenever they change.
# What it needs, and how the two modules of discovery.v1 are made, stands in docs/clients.md.
import itertools
import sys
import time

import grpc
from discovery.v1 import discovery_pb2, discovery_pb2_grpc, topology_pb2

PAUSE_SECONDS = 0.5  # before the next node is tried
CONNECT_SECONDS = 3
KEEPALIVE = [("grpc.keepalive_time_ms", 10_000), ("grpc.keepalive_timeout_ms", 5_000)]


def show(topology):
    print(f"epoch {topology.id.epoch} version {topology.id.version}")
    for member in topology.members:
        served = ", ".join(member.node.grpc_addresses) or "-"
        print(f"  {member.order:>4} {member.node.name:20} {served}", flush=True)


def apply(topology, change):
    """Makes the topology that a change leads to."""
    gone = {member.order for member in change.left}
    gone |= {removal.member.order for removal in change.removed}
    members = [member for member in topology.members if member.order not in gone]
    return topology_pb2.Topology(
        id=change.id,
        term=change.term,
        members=members + list(change.joined),
        content_hash=change.content_hash,
        next_order=change.next_order,
    )


def follow(address, topology):
    """Follows one node for as long as it is one to follow; yields each topology."""
    with grpc.insecure_channel(address, options=KEEPALIVE) as channel:
        grpc.channel_ready_future(channel).result(timeout=CONNECT_SECONDS)
        node = discovery_pb2_grpc.DiscoveryStub(channel)
        for answer in node.WatchTopology(since(topology)):
            kind = answer.WhichOneof("kind")
            if kind == "standing" and answer.standing.kind != topology_pb2.STANDING_KIND_MEMBER:
                name = topology_pb2.StandingKind.Name(answer.standing.kind)
                print(f"{address} stands as {name}", flush=True)
                return
            if kind == "snapshot":
                topology = answer.snapshot.topology
            elif kind == "change" and topology is not None:
                # A node that is behind the last one tells what was told already.
                here, told = topology.id, answer.change.id
                if told.cluster_id == here.cluster_id and place(told) <= place(here):
                    continue
                if answer.change.previous != here:
                    print(f"{address} left a change out", flush=True)
                    return
                topology = apply(topology, answer.change)
            else:
                continue
            yield topology


def place(topology_ref):
    """Within a cluster, topologies compare by this."""
    return topology_ref.epoch, topology_ref.version


def since(topology):
    """Asks for what happened since this topology; `from` is a word of Python's own."""
    told = {"from": topology.id} if topology else {}
    return discovery_pb2.WatchTopologyRequest(**told)


def main(addresses):
    topology = None
    for turn in itertools.count():
        served = [a for m in (topology.members if topology else []) for a in m.node.grpc_addresses]
        known = list(dict.fromkeys(served + addresses))
        address = known[turn % len(known)]
        try:
            for topology in follow(address, topology):
                show(topology)
        except (grpc.RpcError, grpc.FutureTimeoutError) as error:
            print(f"{address} is followed no more: {type(error).__name__}", flush=True)
        time.sleep(PAUSE_SECONDS)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("give at least one HOST:PORT")
    main(sys.argv[1:])
