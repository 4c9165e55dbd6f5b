# SPDX-License-Identifier: GPL-3.0-or-later
"""A gateway as small as can be around aioapns: POST {"token":"<device>"} becomes one push, and is
answered 202 when the provider has answered.

    gateway.py LISTEN_PORT APNS_PORT CA KEY TOPIC CONNECTIONS [--uvloop]"""
import asyncio, ssl, sys

from aioapns import APNs, NotificationRequest, PushType
from aioapns.connection import APNsProductionClientProtocol
from aiohttp import web

listen, apns_port, ca, key, topic, connections = sys.argv[1:7]
APNsProductionClientProtocol.APNS_SERVER = "localhost"
APNsProductionClientProtocol.APNS_PORT = int(apns_port)


async def make():
    with open(key) as file:
        secret = file.read()
    apns = APNs(key=secret, key_id="KEY1234567", team_id="TEAM123456", topic=topic,
                max_connections=int(connections), ssl_context=ssl.create_default_context(cafile=ca))

    async def push(request):
        token = (await request.json())["token"]
        message = {"aps": {"alert": "New message", "mutable-content": 1, "sound": "default"}}
        answer = await apns.send_notification(NotificationRequest(token, message, push_type=PushType.ALERT))
        return web.Response(status=202 if answer.is_successful else 502)

    app = web.Application()
    app.router.add_post("/push", push)
    return app


if "--uvloop" in sys.argv:
    import uvloop
    uvloop.install()
web.run_app(make(), host="127.0.0.1", port=int(listen), access_log=None, print=None)
