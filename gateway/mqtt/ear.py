"""What paho calls, and the news that is made of it.

Rule: it appends to a list; it decides nothing and cannot fail.
"""

from __future__ import annotations

from collections import deque

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from gateway.addresses import Address
from gateway.mqtt.news import Acknowledged, Connected, Deaf, Lost, Message, News
from gateway.settings import Uplink
from gateway.text import Text

_WAITING = 1000  # incoming messages that may wait for the owner; beyond that the oldest goes
_MAX_PACKET = 268_435_455  # of MQTT itself
_HEADERS = 512  # topic, properties and fixed header of any of our messages
_REFUSED = {
    0x84: Text("请把 protocol 设为 3.1.1", 'set protocol = "3.1.1"'),
    0x85: Text("平台不接受此客户端标识", "the broker refuses this client id"),
    0x86: Text("检查用户名和密码", "check username and password_file"),
    0x87: Text("检查用户名、密码和证书", "check username, password and certificate"),
    0x8C: Text("检查认证方式", "check the way of authentication"),
    0x9A: Text("请在平台侧允许保留消息", "allow retained messages at the broker"),
    0x9B: Text("请在平台侧允许 QoS 1", "allow QoS 1 at the broker"),
}
_NO_CERTIFICATE = Text(  # TLS 1.3 tells it after the handshake, and only by hanging up
    "平台若要求客户端证书，请填写 cert_file 和 key_file",
    "where the broker asks for a client certificate, give cert_file and key_file",
)
_NOT_ACCEPTED = Text("检查平台的 host、port 和 TLS 设置", "check host, port and TLS of the uplink")


class Ear:
    """What paho calls. It does not know the `Link`: a dropped link is gone at once, sockets and all."""

    def __init__(self, options: Uplink, address: Address) -> None:
        self._options = options
        self._address = address
        self._is_accepted = False
        self.news: deque[News] = deque()
        self.messages: deque[Message] = deque(maxlen=_WAITING)

    def on_connect(
        self, client: Client, _: object, __: ConnectFlags, code: ReasonCode, properties: Properties | None
    ) -> None:
        if code.is_failure:
            reason = Text("平台拒绝连接：{code}", "the broker refuses: {code}").with_(code=code)
            self.news.append(Lost(reason, _REFUSED.get(code.value, "")))
            client.disconnect()
            return
        self._is_accepted = True
        allowed = getattr(properties, "ReceiveMaximum", None) or self._options.window
        max_bytes = getattr(properties, "MaximumPacketSize", None) or _MAX_PACKET
        self.news.append(Connected(min(allowed, self._options.window), max_bytes - _HEADERS))

    def on_connect_fail(self, client: Client, _: object) -> None:
        client.disconnect()
        hint = Text("检查网络、主机名、端口和证书", "check network, host, port and certificates")
        reason = Text("连接不上 {where}：{why}", "no connection to {where}: {why}")
        through = f" ({self._options.through.address})" if self._options.through else ""
        where = f"{self._address}{through}"
        self.news.append(Lost(reason.with_(where=where, why=getattr(client, "failure", None)), hint))

    def on_disconnect(
        self, _client: Client, _: object, __: DisconnectFlags, code: ReasonCode, ___: Properties | None
    ) -> None:
        before = "" if self._is_accepted else _NOT_ACCEPTED
        hint = (
            _NO_CERTIFICATE
            if self._options.tls and self._options.cert_file is None
            else _REFUSED.get(code.value, before)
        )
        self.news.append(Lost(Text("连接断开：{code}", "disconnected: {code}").with_(code=code), hint))

    def on_ruin(self, client: Client, why: str) -> None:
        client.disconnect()
        reason = Text("平台发来的数据无法解读：{why}", "what the broker sends cannot be read: {why}").with_(why=why)
        self.news.append(
            Lost(reason, Text("检查 host 和 port 处是否为 MQTT 服务", "is it an MQTT broker at host and port?"))
        )

    def on_publish(self, _client: Client, _: object, mid: int, code: ReasonCode, __: Properties) -> None:
        reason = str(code) if code.is_failure else ""  # its name is a search in paho, not worth it for a success
        self.news.append(Acknowledged(mid, code.value, reason))

    def on_subscribe(self, _client: Client, _: object, __: int, codes: list[ReasonCode], ___: object) -> None:
        for code in codes:
            if code.is_failure:
                self.news.append(Deaf(str(code)))

    def on_message(self, _client: Client, _: object, message: MQTTMessage) -> None:
        properties = {}
        for name in ("ResponseTopic", "CorrelationData", "ContentType"):
            value = getattr(message.properties, name, None)
            if value is not None:
                properties[name] = value
        self.messages.append(Message(message.topic, bytes(message.payload), message.retain, properties))
