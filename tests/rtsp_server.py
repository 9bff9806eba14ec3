"""An RTSP server for tests: one still picture as a live H.264 stream at /live. Runs under Debian's /usr/bin/python3.

Arguments: port, picture, and a user name and password (or neither).
"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

port, picture, *login = sys.argv[1:]
Gst.init(None)
server = GstRtspServer.RTSPServer()
server.set_address("127.0.0.1")
server.set_service(port)
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
