"""An RTSP server for tests: one still picture as a live H.264 stream at /live. Runs under Debian's /usr/bin/python3.

Arguments: address, port, picture, and a user name and password (or neither). A file that ends in .h264 (access units
with delimiters) is sent over and over as it is, 25 units a second, which costs next to nothing.
"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

address, port, picture, *login = sys.argv[1:]
Gst.init(None)
server = GstRtspServer.RTSPServer()
server.set_address(address)
server.set_service(port)
DELIMITER, RATE = b"\0\0\0\1\x09", 25


class Recorded(GstRtspServer.RTSPMediaFactory):
    """Sends the access units of the file in a loop."""

    def do_configure(self, media):
        with open(picture, "rb") as file:
            units = [DELIMITER + unit for unit in file.read().split(DELIMITER)[1:]]
        sent = 0

        def push(source, _):
            nonlocal sent
            buffer = Gst.Buffer.new_wrapped(units[sent % len(units)])
            buffer.pts = buffer.dts = sent * Gst.SECOND // RATE
            buffer.duration = Gst.SECOND // RATE
            sent += 1
            source.emit("push-buffer", buffer)

        media.get_element().get_child_by_name("source").connect("need-data", push)


if picture.endswith(".h264"):
    factory = Recorded()
    factory.set_launch(
        "( appsrc name=source format=time is-live=true block=true max-bytes=500000"
        " caps=video/x-h264,stream-format=byte-stream,alignment=au ! h264parse"
        " ! rtph264pay name=pay0 config-interval=-1 )"
    )
else:
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(
        f"( filesrc location={picture} ! decodebin ! videoconvert ! imagefreeze is-live=true ! videoconvert"
        " ! video/x-raw,format=I420,framerate=15/1"
        " ! x264enc tune=zerolatency sliced-threads=false speed-preset=ultrafast key-int-max=15"
        " ! rtph264pay name=pay0 config-interval=-1 )"
    )
factory.set_shared(True)
if login:
    auth = GstRtspServer.RTSPAuth()
    auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "viewer")
    auth.add_digest(login[0], login[1], token)
    server.set_auth(auth)
    role = GstRtspServer.RTSPPermissions()
    role.add_permission_for_role("viewer", "media.factory.access", True)
    role.add_permission_for_role("viewer", "media.factory.construct", True)
    factory.set_permissions(role)
server.get_mount_points().add_factory("/live", factory)
server.attach(None)
print("ready", flush=True)
GLib.MainLoop().run()
