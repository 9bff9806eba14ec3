"""The city's broker is a cluster of three nodes; the one that serves us is killed in the middle of the rush.

RabbitMQ and NATS speak MQTT 3.1.1 here. Both the daemon and the platform sit on the node that is killed.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from tests.chaos.compound import CITY, Compound
from tests.chaos.scenario import Outcome, Plan, Scenario, judge
from tests.real import free_port, needed, wait_until

_NODES = (1, 2, 3)
_THREE_ONE_ONE = CITY + 'protocol = "3.1.1"\n'
_LASTING = _THREE_ONE_ONE + "session_expiry = 3600\n"


class Cluster:
    """Three processes, each with an MQTT port on loopback."""

    protocol = "3.1.1"

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self._folder = folder
        self.ports, self._inner, self._other = _free_ports(3), _free_ports(3), _free_ports(3)
        self._processes: dict[int, subprocess.Popen[bytes]] = {}  # by MQTT port

    def kill(self, port: int) -> None:
        """The node with this MQTT port, and all its children."""
        process = self._processes.pop(port)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def stop(self) -> None:
        for port in list(self._processes):
            self.kill(port)

    def _spawn(self, port: int, line: list[str], environment: dict[str, str] | None = None) -> None:
        with (self._folder / f"{port}.log").open("ab") as log:
            environment = {**os.environ, **(environment or {})}
            self._processes[port] = subprocess.Popen(
                line, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=environment, start_new_session=True
            )


def _free_ports(count: int) -> list[int]:
    """Held at the same time, so that none is given twice."""
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return ports


class Nats(Cluster):
    def start(self) -> None:
        routes = self._inner
        for node, port, route, plain in zip(_NODES, self.ports, routes, self._other, strict=True):
            config = self._folder / f"n{node}.conf"
            others = ", ".join(f"nats://127.0.0.1:{other}" for other in routes if other != route)
            ports = {"port": plain, "mqtt": port, "route": route}
            config.write_text(_NATS.format(node=node, folder=self._folder, others=others, **ports))
            self._spawn(port, [needed("nats-server", "nats-server"), "-c", str(config)])
        wait_until(lambda: self._said("JetStream cluster new metadata leader"), 60, f"a leader, see {self._folder}")
        time.sleep(2.0)

    def _said(self, words: str) -> bool:
        return any(words in log.read_text() for log in self._folder.glob("*.log"))


_NATS = """
server_name: n{node}
listen: 127.0.0.1:{port}
jetstream {{ store_dir: "{folder}/n{node}" }}
cluster {{ name: city, listen: "127.0.0.1:{route}", routes: [{others}] }}
mqtt {{ listen: "127.0.0.1:{mqtt}", stream_replicas: 3 }}
accounts {{
  CITY: {{ jetstream: enabled, users: [{{user: city, password: city}}] }}
  SYS: {{ users: [{{user: sys, password: sys}}] }}
}}
system_account: SYS
no_auth_user: city
"""


class Rabbit(Cluster):
    """With an epmd of its own. Queues of durable sessions are quorum queues."""

    _HOME = Path("/usr/lib/rabbitmq/bin")

    def start(self) -> None:
        needed("rabbitmq-server", "rabbitmq-server")
        self._epmd = str(free_port())
        cookie = self._folder / ".erlang.cookie"
        cookie.write_text("CHAOS")
        cookie.chmod(0o400)
        (self._folder / "plugins").write_text("[rabbitmq_mqtt].\n")
        for node, port, plain in zip(_NODES, self.ports, self._other, strict=True):
            (self._folder / f"r{node}.conf").write_text(_RABBIT.format(amqp=plain, mqtt=port))
            self._spawn(port, [str(self._HOME / "rabbitmq-server")], self._environment(node))
        for node in _NODES:
            wait_until(lambda node=node: self._is_up(node), 180, f"node {node} is up, see {self._folder}")
        quorum = "application:set_env(rabbitmq_mqtt, durable_queue_type, quorum)."
        for node in _NODES:
            assert self._ctl(node, "eval", quorum) == "ok"

    def stop(self) -> None:
        super().stop()
        epmd = shutil.which("epmd")
        if epmd:
            with suppress(subprocess.CalledProcessError):
                subprocess.run([epmd, "-port", self._epmd, "-kill"], check=True, capture_output=True)

    def _is_up(self, node: int) -> bool:
        wanted = "length(rabbit_nodes:all_running()) =:= 3 andalso rabbit:is_running()."
        up = self._ctl(node, "eval", wanted) == "true"
        time.sleep(0 if up else 1.0)
        return up

    def _ctl(self, node: int, *words: str) -> str:
        line = [str(self._HOME / "rabbitmqctl"), "-n", f"r{node}@localhost", "-q", *words]
        environment = {**os.environ, **self._environment(node), "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": ""}
        done = subprocess.run(line, env=environment, capture_output=True, text=True, check=False)
        return done.stdout.strip()

    def _environment(self, node: int) -> dict[str, str]:
        home = self._folder
        return {
            "HOME": str(home),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": self._epmd,
            "RABBITMQ_NODENAME": f"r{node}@localhost",
            "RABBITMQ_DIST_PORT": str(self._inner[node - 1]),
            "RABBITMQ_MNESIA_BASE": str(home / f"r{node}"),
            "RABBITMQ_LOG_BASE": str(home / f"r{node}-log"),
            "RABBITMQ_PID_FILE": str(home / f"r{node}.pid"),
            "RABBITMQ_CONFIG_FILE": str(home / f"r{node}.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "plugins"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1} +S 1:1",
        }


_RABBIT = """
listeners.tcp.1 = 127.0.0.1:{amqp}
mqtt.listeners.tcp.1 = 127.0.0.1:{mqtt}
mqtt.allow_anonymous = true
mqtt.subscription_ttl = 86400000
cluster_formation.peer_discovery_backend = classic_config
cluster_formation.classic_config.nodes.1 = r1@localhost
cluster_formation.classic_config.nodes.2 = r2@localhost
cluster_formation.classic_config.nodes.3 = r3@localhost
"""


def nats(plan: Plan) -> Outcome:
    """Three nodes of NATS JetStream, every stream on all three."""
    return _lose_a_node(plan, Nats(plan.folder / "cluster"), _THREE_ONE_ONE)


def rabbitmq(plan: Plan) -> Outcome:
    """Three nodes of RabbitMQ. Only a lasting session has a quorum queue; that of a clean one dies with its node."""
    return _lose_a_node(plan, Rabbit(plan.folder / "cluster"), _LASTING)


def _lose_a_node(plan: Plan, cluster: Cluster, city: str) -> Outcome:
    with Compound(plan.folder, city=city, city_broker=cluster) as compound:
        time.sleep(plan.seconds(10))
        lost = compound.wire.node
        cluster.kill(lost)
        back = compound.until_new_at(compound.city)
        time.sleep(plan.seconds(10))
        tally = judge(compound)
        faults = [] if compound.wire.node != lost else ["the daemon is on no other node"]
        return Outcome(tally, [back], compound.door.waits, faults=faults)


SCENARIOS = {
    "nats-node-killed": Scenario(nats, ("mosquitto", "nats-server")),
    "rabbitmq-node-killed": Scenario(rabbitmq, ("mosquitto", "rabbitmq-server")),
}
