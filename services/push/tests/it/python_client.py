"""Ends sockets in several ways and prints the code that the server's close frame had; 1006 without one."""

import asyncio
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

SUBSCRIBE = '{"type":"subscribe","topics":["articles"],"since":0}'


def say(what, socket=None):
    print(what if socket is None else f"{what} {socket.close_code}", flush=True)


async def main(url):
    socket = await connect(url)
    await socket.close()
    say("idle", socket)

    socket = await connect(url)
    await socket.close(4321, "enough")
    say("code", socket)

    # With a bounded queue this client stops reading while nobody takes what it has, and so never sees the close.
    socket = await connect(url, max_queue=None)
    await socket.send(SUBSCRIBE)
    await socket.recv()
    await socket.close()
    say("replay", socket)

    socket = await connect(url)
    say("waiting")
    try:
        while True:
            await socket.recv()
    except ConnectionClosed:
        say("stopped", socket)


asyncio.run(main(sys.argv[1]))
